"""Ranks that should be uniform: a test, simultaneous bands, and the picture (Säilynoja, Bürkner & Vehtari 2022)."""

import functools

import numpy as np
from scipy import stats

from trust.record import rng_for

BINS = 20


def uniform_p(ranks, n_ranks):
    """p-value of the chi-square test that integers in 0..n_ranks-1 are uniform; n_ranks a multiple of 20."""
    return stats.chisquare(np.bincount(ranks * BINS // n_ranks, minlength=BINS)).pvalue


def ecdf_difference(ranks, n_ranks):
    """The empirical distribution function of the ranks less the uniform one, at 1/n_ranks, ..., 1 - 1/n_ranks."""
    below = np.cumsum(np.bincount(ranks, minlength=n_ranks))[:-1]
    return below / len(ranks) - np.arange(1, n_ranks) / n_ranks


@functools.cache
def simultaneous_band(replications, n_ranks, level=0.95, simulations=4000):
    """Bounds (lower, upper) that `ecdf_difference` of uniform ranks leaves anywhere with probability 1 - level.

    Pointwise binomial bounds whose common coverage is found by simulation.
    """
    rng = rng_for(f"band {replications} {n_ranks}")
    z = np.arange(1, n_ranks) / n_ranks
    counts = rng.multinomial(replications, np.full(n_ranks, 1.0 / n_ranks), size=simulations)
    below = np.cumsum(counts, axis=1)[:, :-1]
    tail = np.minimum(stats.binom.cdf(below, replications, z), stats.binom.sf(below - 1, replications, z)).min(axis=1)
    alpha = np.quantile(tail, 1.0 - level)
    low = stats.binom.ppf(alpha, replications, z)
    high = stats.binom.isf(alpha, replications, z)
    return low / replications - z, high / replications - z


def picture(named_ranks, n_ranks, title):
    """Rank histograms and ECDF differences of many quantities with 95 % bands; returns the Figure.

    `named_ranks` maps a name to an integer array; arrays of one length share a band, so a figure holds one length.
    """
    from matplotlib.figure import Figure

    size = len(next(iter(named_ranks.values())))
    figure = Figure(figsize=(9.0, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    edges = np.linspace(0.0, 1.0, BINS + 1)
    for ranks in named_ranks.values():
        counts = np.bincount(ranks * BINS // n_ranks, minlength=BINS)
        left.stairs(counts * BINS / size, edges, baseline=None, color="tab:blue", alpha=0.35, linewidth=0.8)
        right.plot(np.arange(1, n_ranks) / n_ranks, ecdf_difference(ranks, n_ranks), "tab:blue", alpha=0.35, lw=0.8)
    alpha = 0.05 / (2.0 * BINS)
    low, high = (stats.binom.ppf(q, size, 1.0 / BINS) * BINS / size for q in (alpha, 1.0 - alpha))
    left.axhspan(low, high, color="0.85", zorder=0)
    left.set(xlabel="rank of the truth", ylabel="density", xlim=(0, 1), title="rank histograms")
    left.set_ylim(1.0 - 1.8 * (1.0 - low), 1.0 + 1.8 * (high - 1.0))
    band = simultaneous_band(size, n_ranks)
    right.fill_between(np.arange(1, n_ranks) / n_ranks, *band, color="0.85", zorder=0)
    right.axhline(0.0, color="0.4", linewidth=0.8)
    right.set(xlabel="rank of the truth", ylabel="ECDF - uniform", xlim=(0, 1), title="ECDF differences")
    figure.suptitle(f"{title}: {len(named_ranks)} quantities, {size:,} data sets each; grey: 95 % bands", fontsize=10)
    return figure
