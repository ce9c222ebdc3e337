"""Statistical assertions whose bounds follow from the number of draws."""

import numpy as np
from scipy import stats

Z_BOUND = 4.5  # standard errors
P_BOUND = 1e-4  # of a goodness-of-fit test


def assert_mean(draws, truth, what="mean"):
    """Fail when the mean of iid `draws` is more than 4.5 of its standard errors from `truth` (columnwise)."""
    draws = np.asarray(draws, dtype=float)
    se = draws.std(axis=0, ddof=1) / np.sqrt(len(draws))
    z = (draws.mean(axis=0) - truth) / se
    assert np.all(np.abs(z) < Z_BOUND), f"{what}: {z} standard errors off (n = {len(draws)})"


def assert_sd(draws, truth, what="sd"):
    """The same for the standard deviation, its standard error from the fourth moment (delta method)."""
    draws = np.asarray(draws, dtype=float)
    centred = (draws - draws.mean(axis=0)) ** 2
    variance = centred.mean(axis=0)
    se = centred.std(axis=0, ddof=1) / np.sqrt(len(draws)) / (2.0 * np.sqrt(variance))
    z = (np.sqrt(variance) - truth) / se
    assert np.all(np.abs(z) < Z_BOUND), f"{what}: {z} standard errors off (n = {len(draws)})"


def assert_cdf(draws, cdf, what="distribution"):
    """Kolmogorov-Smirnov test of iid `draws` against the function `cdf`."""
    p = stats.kstest(np.asarray(draws), cdf).pvalue
    assert p > P_BOUND, f"{what}: Kolmogorov-Smirnov p = {p:.2e} (n = {len(draws)})"


def assert_uniform_ranks(ranks, n_ranks, what="ranks", bins=20):
    """Chi-square test that simulation-based-calibration ranks in 0..n_ranks-1 are uniform.

    `n_ranks` must be a multiple of `bins`.
    """
    counts = np.bincount(np.asarray(ranks) * bins // n_ranks, minlength=bins)
    p = stats.chisquare(counts).pvalue
    assert p > P_BOUND, f"{what}: chi-square p = {p:.2e}, counts {counts}"


def cdf_from_log_density(log_density, grid):
    """A CDF function by cumulative Simpson quadrature of exp(log_density) on a fine, sorted `grid`."""
    from scipy.integrate import cumulative_simpson

    values = log_density(grid)
    density = np.exp(values - values.max())
    cumulative = cumulative_simpson(density, x=grid, initial=0.0)
    cumulative = np.maximum.accumulate(cumulative) / cumulative[-1]
    return lambda t: np.interp(t, grid, cumulative)
