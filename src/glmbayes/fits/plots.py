"""Plots of a fitted model.  Each returns its matplotlib Axes and draws on `ax=` when given."""

import numpy as np

from glmbayes.checks import option
from glmbayes.errors import InputError, MissingDependencyError
from glmbayes.fits.hypotheses import pick_names
from glmbayes.random import generator

POSTERIOR = "#2b6cb0"
PRIOR = "#b7791f"
DATA = "#2d3748"
_GRID = 400


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
        posterior = fit.posterior.conditional(row)
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


def plot_coef(fit, parm=None, intercept=False, ax=None):
    """Forest plot: posterior medians with 50 % (thick) and 95 % (thin) intervals."""
    chosen = pick_names(fit.names, parm)
    if parm is None and not intercept and len(chosen) > 1:
        chosen = [name for name in chosen if name != "(Intercept)"]
    ax = _axes(ax, figsize=(6.0, 0.8 + 0.36 * len(chosen)), layout="constrained")
    mixture = fit.posterior.conditional(np.eye(len(fit.names))[[fit.names.index(name) for name in chosen]])
    outer_low, low, middle, high, outer_high = (mixture.quantile(q) for q in (0.025, 0.25, 0.5, 0.75, 0.975))
    y = np.arange(len(chosen))[::-1]
    ax.hlines(y, outer_low, outer_high, color=POSTERIOR, lw=1.2)
    ax.hlines(y, low, high, color=POSTERIOR, lw=4.0)
    ax.plot(middle, y, "o", color="white", mec=POSTERIOR, ms=6)
    ax.axvline(0.0, color="0.6", lw=0.8, ls=":")
    ax.set(
        yticks=y,
        yticklabels=chosen,
        xlabel="coefficient: median, 50 % and 95 % intervals",
        ylim=(-0.6, len(chosen) - 0.4),
    )
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.tick_params(axis="y", length=0)
    return ax


def plot_ppc(fit, n=60, kind="density", rng=0, ax=None):
    """The observed response among `n` replicated ones: "density" curves or "cumulative" steps."""
    option(kind, "kind", ("density", "cumulative"))
    ax = _axes(ax, figsize=(6.0, 3.6), layout="constrained")
    y = fit.design.y[fit.used_rows]
    replicated = fit.simulate(n, generator(rng))[:, fit.used_rows]
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
    values = values[:: max(1, values.size // 5000)]
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
    ax.plot(fitted, residual, "o", color=DATA, ms=4, alpha=0.6, mec="none")
    order = np.argsort(fitted)
    groups = [g for g in np.array_split(order, max(1, min(12, fitted.size // 12))) if g.size]
    if len(groups) > 2:
        middle = [np.median(fitted[g]) for g in groups]
        ax.plot(middle, [np.median(residual[g]) for g in groups], color=POSTERIOR, lw=1.6, label="running median")
        ax.legend(frameon=False)
    ax.set(xlabel="fitted value", ylabel=f"{kind} residual")
    ax.spines[["top", "right"]].set_visible(False)
    return ax


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
        Also show the observations when the model has a single column of data.
    """
    columns = fit.design.columns
    if column not in columns or columns[column].kind != "numeric":
        numeric = [name for name, c in columns.items() if c.kind == "numeric"]
        raise InputError(f"plot_fit needs a numeric column of the model; got {column!r}, it has {numeric}.")
    chosen = columns[column]
    x = np.linspace(chosen.low, chosen.high, 200)
    newdata = {column: x}
    for name, other in columns.items():
        if name != column:
            default = {"numeric": other.mean, "boolean": False}.get(other.kind) if other.kind != "categorical" else None
            newdata[name] = np.repeat(other.levels[0] if default is None else default, x.size)
    newdata.update({name: np.repeat(value, x.size) for name, value in (at or {}).items()})
    table = fit.predict(newdata, kind="interval", level=level)
    ax = _axes(ax, figsize=(6.0, 3.8), layout="constrained")
    share = f"{100 * level:g} %"
    if "new_lower" in table:
        ax.fill_between(
            x, table["new_lower"], table["new_upper"], color=POSTERIOR, alpha=0.13, lw=0, label=f"{share} new"
        )
    ax.fill_between(x, table["lower"], table["upper"], color=POSTERIOR, alpha=0.35, lw=0, label=f"{share} mean")
    ax.plot(x, table["mean"], color=POSTERIOR, lw=1.8)
    position = fit.names.index(column) if column in fit.names else None
    if data and len(columns) == 1 and position is not None and fit.design.offset is None:
        ax.plot(fit.design.X[:, position], fit.design.y, "o", color=DATA, ms=4, alpha=0.6, mec="none")
    ax.set(xlabel=column, ylabel=fit.design.response.name)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False)
    return ax
