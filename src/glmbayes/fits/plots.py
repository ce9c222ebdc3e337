"""Plots of a fitted model.  Each returns its matplotlib Axes and draws on `ax=` when given."""

import numpy as np

from glmbayes.checks import option
from glmbayes.design.table import as_table
from glmbayes.errors import InputError, MissingDependencyError
from glmbayes.fits.hypotheses import pick_names
from glmbayes.fits.margins import mean_offset, typical_values
from glmbayes.fits.predict import simulate
from glmbayes.random import generator

POSTERIOR = "#2b6cb0"
PRIOR = "#b7791f"
DATA = "#2d3748"
_GRID = 400
_MANY = 5000  # observations shown; of more, every so many-th


def pyplot():
    try:
        import matplotlib.pyplot as plt
    except ImportError:
        raise MissingDependencyError("plots need matplotlib: pip install 'glmbayes[arviz]'.") from None
    return plt


def _axes(ax, **size):
    return ax if ax is not None else pyplot().subplots(**size)[1]


def plot(fit, parm=None, ax=None):
    """Posterior density of each coefficient against its prior; returns an array of Axes."""
    plt = pyplot()
    if fit.prior.knows_coefficients:
        raise InputError(f"{type(fit.prior).__name__} keeps the coefficients fixed: there is nothing to plot.")
    chosen = pick_names(fit.names, parm)
    columns = min(3, len(chosen))
    if ax is None:
        rows = -(-len(chosen) // columns)
        _, grid = plt.subplots(rows, columns, figsize=(3.6 * columns, 2.7 * rows), squeeze=False, layout="constrained")
        for spare in grid.ravel()[len(chosen) :]:
            spare.set_visible(False)
        ax = grid.ravel()[: len(chosen)]
    ax = np.atleast_1d(np.asarray(ax, dtype=object))
    if ax.size != len(chosen):
        raise InputError(f"ax must hold one Axes per coefficient ({len(chosen)}); got {ax.size}.")
    for name, panel in zip(chosen, ax):
        row = np.eye(len(fit.names))[[fit.names.index(name)]]
        posterior = fit.conditional(row)
        prior = fit.prior.conditional(row)
        low, high = (float(posterior.quantile(q)[0]) for q in (0.0005, 0.9995))
        x = np.linspace(low, high, _GRID)
        density = posterior.pdf(x[:, None])[:, 0]
        panel.fill_between(x, density, color=POSTERIOR, alpha=0.35, lw=0, label="posterior")
        panel.plot(x, density, color=POSTERIOR, lw=1.2)
        if prior is not None:
            panel.plot(x, prior.pdf(x[:, None])[:, 0], color=PRIOR, lw=1.4, ls="--", label="prior")
        panel.set(title=name, yticks=[], ylim=(0, None))
        panel.spines[["top", "right", "left"]].set_visible(False)
    ax[0].legend(frameon=False, fontsize=8)
    return ax


def plot_coef(fit, parm=None, intercept=False, standardise=False, ax=None):
    """Forest plot: posterior medians with 50 % (thick) and 95 % (thin) intervals.

    Parameters
    ----------
    parm : list of str, optional
        Which coefficients; all but the intercept by default.
    intercept : bool
        Also show the intercept.
    standardise : bool
        Multiply each coefficient by the standard deviation of its column, so that they can be compared.
    """
    chosen = pick_names(fit.names, parm)
    if parm is None and not intercept and len(chosen) > 1:
        chosen = [name for name in chosen if name != "(Intercept)"]
    ax = _axes(ax, figsize=(6.0, 0.8 + 0.36 * len(chosen)), layout="constrained")
    scale = fit.design.X[fit.used_rows].std(axis=0) if standardise else np.ones(len(fit.names))
    mixture = fit.conditional(np.diag(scale)[[fit.names.index(name) for name in chosen]])
    outer_low, low, middle, high, outer_high = (mixture.quantile(q) for q in (0.025, 0.25, 0.5, 0.75, 0.975))
    y = np.arange(len(chosen))[::-1]
    ax.hlines(y, outer_low, outer_high, color=POSTERIOR, lw=1.2)
    ax.hlines(y, low, high, color=POSTERIOR, lw=4.0)
    ax.plot(middle, y, "o", color="white", mec=POSTERIOR, ms=6)
    ax.axvline(0.0, color="0.6", lw=0.8, ls=":")
    ax.set(
        yticks=y,
        yticklabels=chosen,
        xlabel=f"coefficient{' x sd of its column' if standardise else ''}: median, 50 % and 95 % intervals",
        ylim=(-0.6, len(chosen) - 0.4),
    )
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.tick_params(axis="y", length=0)
    return ax


def plot_ppc(fit, n=60, kind="density", rng=0, ax=None):
    """The observed response among `n` replicated ones: "density" curves or "cumulative" steps."""
    option(kind, "kind", ("density", "cumulative"))
    ax = _axes(ax, figsize=(6.0, 3.6), layout="constrained")
    rows = np.flatnonzero(fit.used_rows)
    rows = rows[:: -(-rows.size // _MANY)]
    y, replicated = fit.design.y[rows], simulate(fit, n, generator(rng), rows)
    low, high = np.percentile(replicated, (0.2, 99.8))
    low, high = min(low, y.min()), max(high, y.max())
    x = np.linspace(low - 0.05 * (high - low), high + 0.05 * (high - low), _GRID)
    curve = density if kind == "density" else _cumulative
    for i, values in enumerate(replicated):
        label = "replicated" if i == 0 else None
        ax.plot(x, curve(values, x), color=POSTERIOR, lw=0.6, alpha=0.35, label=label)
    ax.plot(x, curve(y, x), color=DATA, lw=2.0, label="observed")
    ax.set(xlabel=fit.design.response.name, yticks=[] if kind == "density" else [0, 0.5, 1], ylim=(0, None))
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.legend(frameon=False)
    return ax


def density(values, x):
    """Gaussian kernel density with Silverman's bandwidth, on a subsample of at most 5,000."""
    values = values[:: max(1, values.size // _MANY)]
    spread = min(values.std(), np.subtract(*np.percentile(values, (75, 25))) / 1.349) or values.std() or 1.0
    width = 0.9 * spread * values.size**-0.2
    return np.exp(-0.5 * ((x[:, None] - values) / width) ** 2).mean(axis=1) / (width * np.sqrt(2.0 * np.pi))


def _cumulative(values, x):
    return np.searchsorted(np.sort(values), x, side="right") / values.size


def plot_residuals(fit, kind="pearson", ax=None):
    """Residuals against fitted values, with a running median."""
    ax = _axes(ax, figsize=(6.0, 3.6), layout="constrained")
    fitted, residual = fit.fitted()[fit.used_rows], fit.residuals(kind)[fit.used_rows]
    ax.axhline(0.0, color="0.6", lw=0.8, ls=":")
    _points(ax, fitted, residual)
    order = np.argsort(fitted)
    groups = [g for g in np.array_split(order, max(1, min(12, fitted.size // 12))) if g.size]
    if len(groups) > 2:
        middle = [np.median(fitted[g]) for g in groups]
        ax.plot(middle, [np.median(residual[g]) for g in groups], color=POSTERIOR, lw=1.6, label="running median")
        ax.legend(frameon=False)
    ax.set(xlabel="fitted value", ylabel=f"{kind} residual")
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def _points(ax, x, y, label=None):
    """Observations, paler and on a subsample when there are many."""
    step = -(-x.size // _MANY)
    ax.plot(x[::step], y[::step], "o", color=DATA, ms=4, alpha=min(0.6, 0.05 + 60.0 / x.size), mec="none", label=label)


def _observed(fit, column):
    """The values of a numeric column in the rows of the fit, or None when the data are gone or have changed."""
    if column in fit.names:
        return fit.design.X[:, fit.names.index(column)]
    data = fit.arguments.get("data")
    if data is None:
        return None
    table = as_table(data)
    table.settle([column])
    if column not in table or table.n != fit.design.n_total:
        return None
    values = table.column(column)
    return values if fit.design.rows is None else values[fit.design.rows]


def plot_fit(fit, column, at=None, level=0.95, data=True, ax=None):
    """The fit along one numeric column, others at their means or first level, with credible and predictive bands.

    Parameters
    ----------
    column : str
        A numeric column of the data.
    at : dict, optional
        Values of the other columns.
    level : float
        Of both bands.
    data : bool
        Also show the observations; in a model with other columns, their partial residuals: the curve at each
        observation plus its residual, carried there along the link (with the log link, observed over fitted times
        the curve).
    """
    columns = fit.design.columns
    if column not in columns or columns[column].kind != "numeric" or len(typical_values(fit, column)) > 1:
        numeric = [n for n, c in columns.items() if c.kind == "numeric" and len(typical_values(fit, n)) == 1]
        raise InputError(f"plot_fit needs a numeric column of the model; got {column!r}, it has {numeric}.")
    x = np.linspace(columns[column].low, columns[column].high, 200)
    held = {name: typical_values(fit, name)[0] for name in columns if name != column and name not in (at or {})}
    held.update(at or {})
    newdata = {column: x, **{name: np.repeat(value, x.size) for name, value in held.items()}}
    table = fit.predict(newdata, kind="interval", level=level, offset=mean_offset(fit, x.size))
    ax = _axes(ax, figsize=(6.0, 3.8), layout="constrained")
    share = f"{100 * level:g} %"
    if "new_lower" in table:
        ax.fill_between(
            x, table["new_lower"], table["new_upper"], color=POSTERIOR, alpha=0.13, lw=0, label=f"{share} new"
        )
    ax.fill_between(x, table["lower"], table["upper"], color=POSTERIOR, alpha=0.35, lw=0, label=f"{share} mean")
    ax.plot(x, table["mean"], color=POSTERIOR, lw=1.8)
    seen = _observed(fit, column) if data else None
    if seen is not None:
        newdata = {column: seen, **{name: np.repeat(value, seen.size) for name, value in held.items()}}
        curve = fit.predict(newdata, offset=mean_offset(fit, seen.size))
        slope = fit.likelihood.slope
        with np.errstate(divide="ignore", invalid="ignore"):  # saturated means
            points = curve + fit.residuals("response") * slope(curve) / slope(fit.fitted())
        _points(ax, seen, points, "partial residuals" if len(columns) > 1 else None)
    ax.set(xlabel=column, ylabel=fit.design.response.name)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False)
    return ax
