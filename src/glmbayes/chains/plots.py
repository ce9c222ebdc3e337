"""Trace, density, autocorrelation and rank plots of chains."""

import numpy as np

from glmbayes.chains.diagnostics import autocovariance
from glmbayes.errors import InputError
from glmbayes.fits.plots import density, pyplot

COLOURS = ("#2b6cb0", "#b7791f", "#2f855a", "#9b2c2c", "#553c9a", "#2c7a7b")
_MOST = 24
_POINTS = 1500


def grid(chains, kind, parts, ax):
    """One panel for each quantity."""
    labels, x = chains._columns(parts)
    if len(labels) > _MOST:
        raise InputError(f"{len(labels)} quantities are too many for one picture: choose with parts=, at most {_MOST}.")
    if ax is None:
        columns = min(2 if kind == "trace" else 3, len(labels))
        rows = -(-len(labels) // columns)
        size = (4.6 if kind == "trace" else 3.4, 2.2)
        _, panels = pyplot().subplots(
            rows, columns, figsize=(size[0] * columns, size[1] * rows), squeeze=False, layout="constrained"
        )
        for spare in panels.ravel()[len(labels) :]:
            spare.set_visible(False)
        ax = panels.ravel()[: len(labels)]
    ax = np.atleast_1d(np.asarray(ax, dtype=object))
    if ax.size != len(labels):
        raise InputError(f"ax must hold one Axes per quantity ({len(labels)}); got {ax.size}.")
    for k, (label, panel) in enumerate(zip(labels, ax)):
        KINDS[kind](x[:, :, k], panel)
        panel.set_title(label, fontsize=10)
        panel.spines[["top", "right"]].set_visible(False)
    return ax


def _trace(x, panel):
    step = max(1, x.shape[1] // _POINTS)
    at = np.arange(0, x.shape[1], step)
    for chain, colour in zip(x, _cycle(x)):
        panel.plot(at, chain[at], color=colour, lw=0.5, alpha=0.75)
    panel.set_xlabel("draw")


def _density(x, panel):
    low, high = np.quantile(x, (0.001, 0.999))
    span = np.linspace(low, high, 300)
    for chain, colour in zip(x, _cycle(x)):
        panel.plot(span, density(chain, span), color=colour, lw=1.2)
    panel.set(yticks=[], ylim=(0, None))


def _autocorrelation(x, panel):
    lags = min(50, x.shape[1] - 1)
    covariance = autocovariance(x[:, :, None])[:, : lags + 1, 0]
    for rho, colour in zip(covariance / covariance[:, :1], _cycle(x)):
        panel.plot(np.arange(lags + 1), rho, color=colour, lw=1.2, marker=".", ms=3)
    panel.axhline(0.0, color="0.6", lw=0.8, ls=":")
    panel.set(xlabel="lag", ylim=(min(-0.1, panel.get_ylim()[0]), 1.02))


def _rank(x, panel):
    bins = int(min(20, max(5, x.size // 100)))
    ranks = np.argsort(np.argsort(x.ravel(), kind="stable"), kind="stable").reshape(x.shape)
    edges = np.linspace(0, x.size, bins + 1)
    for chain, colour in zip(ranks, _cycle(x)):
        panel.stairs(np.histogram(chain, edges)[0], edges, baseline=None, color=colour, lw=1.2)
    panel.axhline(x.shape[1] / bins, color="0.6", lw=0.8, ls=":")
    panel.set(xlabel="rank among all draws", ylim=(0, None), yticks=[])


def _cycle(x):
    return [COLOURS[i % len(COLOURS)] for i in range(x.shape[0])]


KINDS = {"trace": _trace, "density": _density, "autocorrelation": _autocorrelation, "rank": _rank}
