"""Deterministic summaries that every posterior answers with."""

from typing import NamedTuple

import numpy as np


class Moments(NamedTuple):
    """Posterior means and covariances, without Monte Carlo error.

    Attributes
    ----------
    mean, cov : (p,) and (p, p) arrays
        Of the coefficients; the covariance is infinite where it does not exist.
    dispersion_mean, dispersion_sd : float
        Of the dispersion; infinite where they do not exist or a double cannot hold them.  The k-th moment exists when
        the prior's shape plus half the number of observations exceeds k, and always when the prior on the residual
        standard deviation has an upper limit or falls off exponentially.
    """

    mean: np.ndarray
    cov: np.ndarray
    dispersion_mean: float
    dispersion_sd: float


LOG_2PI = float(np.log(2.0 * np.pi))


def sample_sd(draws):
    """Standard deviations over the first axis of `draws`; NaN for a single draw."""
    return draws.std(axis=0, ddof=1) if draws.shape[0] > 1 else np.full(draws.shape[1:], np.nan)
