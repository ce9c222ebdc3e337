"""Convergence of Markov chains: rank-normalised split R-hat and bulk effective sample size.

Vehtari, Gelman, Simpson, Carpenter & Buerkner (2021), doi:10.1214/20-BA1221.
"""

import math

import numpy as np
from scipy import special


def _split(chains):
    half = chains.shape[1] // 2
    return np.concatenate([chains[:, :half], chains[:, -half:]])


def _rank_normalise(chains):
    _, inverse, counts = np.unique(chains, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    rank = (last - 0.5 * (counts - 1))[inverse].reshape(chains.shape)  # average rank of ties
    return special.ndtri((rank - 0.375) / (chains.size + 0.25))


def _potential(chains):
    n = chains.shape[1]
    between = n * np.var(chains.mean(axis=1), ddof=1)
    within = np.mean(np.var(chains, axis=1, ddof=1))
    return math.sqrt((between / within + n - 1) / n) if within > 0 else math.nan


def rhat(chains):
    """Rank-normalised split R-hat of `chains` (m, n): the larger of bulk and folded; 1 is convergence."""
    split = _split(np.asarray(chains, dtype=float))
    folded = np.abs(split - np.median(split))
    return max(_potential(_rank_normalise(split)), _potential(_rank_normalise(folded)))


def _autocovariance(chains):
    n = chains.shape[1]
    size = 1 << (2 * n - 1).bit_length()
    f = np.fft.rfft(chains - chains.mean(axis=1, keepdims=True), size, axis=1)
    return np.fft.irfft(f * np.conj(f), size, axis=1)[:, :n] / n


def ess(chains):
    """Bulk effective sample size of `chains` (m, n), from Geyer's initial monotone sequence."""
    split = _rank_normalise(_split(np.asarray(chains, dtype=float)))
    m, n = split.shape
    covariance = _autocovariance(split)
    within = covariance[:, 0].mean() * n / (n - 1)
    total = within * (n - 1) / n + np.var(split.mean(axis=1), ddof=1)
    if not total > 0:
        return float(m * n)
    rho = 1.0 - (within - covariance.mean(axis=0)) / total
    rho[0] = 1.0
    pairs = rho[: 2 * (n // 2)].reshape(-1, 2).sum(axis=1)
    positive = np.flatnonzero(pairs <= 0.0)
    pairs = np.minimum.accumulate(pairs[: positive[0] if positive.size else pairs.size])
    tau = max(2.0 * pairs.sum() - 1.0, 1.0 / math.log10(m * n))
    return m * n / tau
