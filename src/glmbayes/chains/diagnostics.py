"""R-hat, effective sample sizes and Monte Carlo standard errors (Vehtari, Gelman, Simpson, Carpenter, Bürkner 2021).

Everything takes draws (chains, draws, k) of k quantities at once and returns (k,) arrays.  A quantity with a single
value, or with values that are not finite, gets NaN for R-hat; a constant counts as fully effective.
"""

import math

import numpy as np
from scipy.special import ndtri

from glmbayes.posteriors.moments import sample_sd


def split(x):
    """Each chain cut into halves (the middle draw of an odd number left out)."""
    half = x.shape[1] // 2
    return np.concatenate([x[:, :half], x[:, x.shape[1] - half :]])


def rank_normalise(x):
    """Normal scores of the ranks over all chains, ties sharing their mean rank."""
    flat = x.reshape(-1, x.shape[2])
    n = flat.shape[0]
    order = np.argsort(flat, axis=0, kind="stable")
    ranks = np.empty(flat.shape)
    steps = np.arange(1.0, n + 1.0)
    for k in range(flat.shape[1]):
        ordered = flat[order[:, k], k]
        change = ordered[1:] != ordered[:-1]
        if change.all():
            ranks[order[:, k], k] = steps
        else:
            first = np.concatenate([[0], np.nonzero(change)[0] + 1, [n]])
            mean = 0.5 * (first[:-1] + first[1:] + 1)
            ranks[order[:, k], k] = np.repeat(mean, np.diff(first))
    ranks[np.isnan(flat)] = np.nan
    return ndtri((ranks - 0.375) / (n + 0.25)).reshape(x.shape)


def _r_hat(x):
    n = x.shape[1]
    within = x.var(axis=1, ddof=1).mean(axis=0)
    between = x.mean(axis=1).var(axis=0, ddof=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.sqrt((n - 1) / n + between / within)


def r_hat(x):
    """Rank-normalised split R-hat: the larger of bulk and folded (k,)."""
    halves = split(_checked(x))
    if halves.shape[1] < 2:
        return np.full(x.shape[2], np.nan)
    folded = np.abs(halves - np.median(halves, axis=(0, 1)))
    return np.fmax(_r_hat(rank_normalise(halves)), _r_hat(rank_normalise(folded)))


def autocovariance(x):
    """(chains, draws, k) autocovariances of each chain, divisor n, by fast Fourier transform."""
    from scipy.fft import irfft, next_fast_len, rfft

    n = x.shape[1]
    size = next_fast_len(2 * n, real=True)
    centred = x - x.mean(axis=1, keepdims=True)
    power = np.abs(rfft(centred, size, axis=1)) ** 2
    return irfft(power, size, axis=1)[:, :n] / n


def _ess(x):
    """Effective sample size by Geyer's initial monotone sequence over all chains (k,)."""
    chains, n, k = x.shape
    if n < 4:
        return np.full(k, np.nan)
    covariance = autocovariance(x)
    within = covariance[:, 0].mean(axis=0) * n / (n - 1.0)
    total = within * (n - 1.0) / n
    if chains > 1:
        total = total + x.mean(axis=1).var(axis=0, ddof=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        rho = 1.0 - (within - covariance.mean(axis=0)) / total
    rho[0] = 1.0
    pairs = rho[: n - n % 2].reshape(-1, 2, k).sum(axis=1)
    last = (n - 3) // 2
    out = np.empty(k)
    for j in range(k):
        spread = np.ptp(x[:, :, j])
        if not spread > 0.0:
            out[j] = chains * n if spread == 0.0 else np.nan
            continue
        negative = np.nonzero(~(pairs[:last, j] >= 0.0))[0]
        stop = negative[0] if negative.size else last
        tau = -1.0 + 2.0 * np.minimum.accumulate(pairs[:stop, j]).sum() + max(rho[2 * stop, j], 0.0)
        out[j] = chains * n / max(tau, 1.0 / math.log10(chains * n))
    return out


def ess_bulk(x):
    """Effective sample size of the rank-normalised split chains (k,)."""
    return _ess(rank_normalise(split(_checked(x))))


def ess_tail(x):
    """The smaller effective sample size of the events "below the 5 % quantile" and "below the 95 % quantile" (k,)."""
    x = _checked(x)
    low, high = np.quantile(x, (0.05, 0.95), axis=(0, 1))
    below = [_ess(split(np.where(np.isnan(x), np.nan, x <= quantile))) for quantile in (low, high)]
    return np.fmin(*below)


def ess_mean(x):
    """Effective sample size for the mean (k,)."""
    return _ess(split(_checked(x)))


def mcse_mean(x):
    """Monte Carlo standard error of the mean (k,)."""
    x = _checked(x)
    return sample_sd(x.reshape(-1, *x.shape[2:])) / np.sqrt(ess_mean(x))


def _checked(x):
    return np.where(np.isfinite(x).all(axis=(0, 1)), x, np.nan)
