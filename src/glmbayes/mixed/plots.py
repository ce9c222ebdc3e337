"""Plots of group effects and variance components."""

import numpy as np

from glmbayes.errors import InputError
from glmbayes.fits.plots import DATA, POSTERIOR, PRIOR, density, pyplot
from glmbayes.mixed.groups import component_draws, group_coefficients, pick_term


def _axes(ax, **size):
    return ax if ax is not None else pyplot().subplots(layout="constrained", **size)[1]


def _effect(term, effect):
    if effect is None:
        return term.names[0]
    if effect not in term.names:
        raise InputError(f"effect must be one of {', '.join(term.names)}; got {effect!r}.")
    return effect


def caterpillar(fit, factor=None, effect=None, coefficients=True, ax=None):
    """Groups sorted by posterior mean, with 50 % (thick) and 95 % (thin) intervals.

    `coefficients` shows fixed plus random effects with the population mean dashed; otherwise the deviations.
    """
    k, term = pick_term(fit, factor)
    name = _effect(term, effect)
    i = term.names.index(name)
    draws = fit.draws.effects[k][:, :, i]
    centre = 0.0
    if coefficients:
        draws = group_coefficients(fit, term.factor.name)[name].to_numpy()
        centre = fit.posterior_mean[name] if name in fit.names else 0.0
    order = np.argsort(draws.mean(axis=0))
    ax = _axes(ax, figsize=(6.0, min(14.0, 1.0 + (0.3 if term.m <= 40 else 0.06) * term.m)))
    low, inner_low, middle, inner_high, high = np.quantile(draws[:, order], (0.025, 0.25, 0.5, 0.75, 0.975), axis=0)
    y = np.arange(term.m)
    thin, thick = (1.2, 4.0) if term.m <= 40 else (0.6, 1.8)
    ax.hlines(y, low, high, color=POSTERIOR, lw=thin)
    ax.hlines(y, inner_low, inner_high, color=POSTERIOR, lw=thick)
    ax.plot(middle, y, "o", color="white", mec=POSTERIOR, ms=5 if term.m <= 40 else 2)
    ax.axvline(centre, color="0.4", lw=1.0, ls="--")
    ax.set(xlabel=f"{name}: median, 50 % and 95 % intervals", ylim=(-0.7, term.m - 0.3))
    ax.set_yticks(y if term.m <= 40 else [], [term.factor.labels[j] for j in order] if term.m <= 40 else [])
    ax.set_ylabel(term.factor.name)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.tick_params(axis="y", length=0)
    return ax


def shrinkage(fit, factor=None, effect=None, label=True, ax=None):
    """No-pooling against partial-pooling estimates: below the diagonal above the mean, above it below."""
    _, term = pick_term(fit, factor)
    name = _effect(term, effect)
    table = fit.shrinkage(factor).xs(name, level="effect").dropna(subset=["no_pooling"])
    ax = _axes(ax, figsize=(4.8, 4.6))
    x, y, size = table["no_pooling"], table["partial_pooling"], table["rows"]
    low, high = min(x.min(), y.min()), max(x.max(), y.max())
    pad = 0.07 * (high - low)
    ax.plot([low - pad, high + pad], [low - pad, high + pad], color="0.6", lw=0.8, ls=":", label="no shrinkage")
    ax.axhline(table["population"].iloc[0], color=PRIOR, lw=1.2, ls="--", label="population")
    ax.scatter(x, y, s=20 + 120 * size / size.max(), color=POSTERIOR, alpha=0.55, edgecolor="white", lw=0.8)
    if label and len(table) <= 25:
        for group, row in table.iterrows():
            ax.annotate(
                str(group), (row["no_pooling"], row["partial_pooling"]), (5, -9), textcoords="offset points", fontsize=8
            )
    ax.set(xlabel="no pooling", ylabel="partial pooling", title=f"{name} | {term.factor.name}")
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, fontsize=8)
    return ax


def boxes(fit, factor=None, effect=None, ax=None):
    """Box plots (whiskers at 2.5 % and 97.5 %) of the groups' coefficients."""
    _, term = pick_term(fit, factor)
    name = _effect(term, effect)
    if term.m > 60:
        raise InputError(f"box plots of {term.m} groups do not fit: use plot_ranef.")
    draws = group_coefficients(fit, term.factor.name)[name]
    ax = _axes(ax, figsize=(max(4.0, 0.5 * term.m + 1.0), 3.4))
    ax.boxplot(
        draws.to_numpy(), whis=(2.5, 97.5), showfliers=False, patch_artist=True, widths=0.6,
        boxprops={"facecolor": POSTERIOR, "alpha": 0.35, "lw": 0.8}, medianprops={"color": DATA},
    )  # fmt: skip
    ax.axhline(fit.posterior_mean[name] if name in fit.names else 0.0, color=PRIOR, lw=1.0, ls="--")
    ax.set_xticks(np.arange(1, term.m + 1), list(draws.columns), rotation=0 if term.m <= 15 else 90)
    ax.set(xlabel=term.factor.name, ylabel=name)
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def components(fit, ax=None):
    """Posterior density of every standard deviation and correlation; returns an array of Axes."""
    draws = component_draws(fit)
    columns = min(3, len(draws))
    if ax is None:
        rows = -(-len(draws) // columns)
        _, panels = pyplot().subplots(
            rows, columns, figsize=(3.6 * columns, 2.4 * rows), squeeze=False, layout="constrained"
        )
        for spare in panels.ravel()[len(draws) :]:
            spare.set_visible(False)
        ax = panels.ravel()[: len(draws)]
    ax = np.atleast_1d(np.asarray(ax, dtype=object))
    if ax.size != len(draws):
        raise InputError(f"ax must hold one Axes per component ({len(draws)}); got {ax.size}.")
    for (name, values), panel in zip(draws.items(), ax):
        values = values[np.isfinite(values)]
        lowest, highest = (-1.0, 1.0) if name.startswith("cor(") else (0.0, np.inf)
        low, high = np.quantile(values, (0.001, 0.999))
        pad = 0.15 * (high - low)
        x = np.linspace(max(lowest, low - pad), min(highest, high + pad), 300)
        height = density(values, x) + density(values, 2.0 * lowest - x)  # reflected at the ends of the range
        if highest < np.inf:
            height += density(values, 2.0 * highest - x)
        panel.fill_between(x, height, color=POSTERIOR, alpha=0.35, lw=0)
        panel.plot(x, height, color=POSTERIOR, lw=1.2)
        panel.set(yticks=[], ylim=(0, None), xlim=(x[0], x[-1]))
        panel.set_title(name, fontsize=9)
        panel.spines[["top", "right", "left"]].set_visible(False)
    return ax
