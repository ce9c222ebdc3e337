"""Small Gaussian regressions, and what the kernels need of them."""

from typing import NamedTuple

import numpy as np

from glmbayes.kernels.rows import reduce_rows

EMPTY = np.empty(0)


class Problem(NamedTuple):
    """Data and a normal prior on the coefficients, with the data's triangle and the prior's Cholesky factor."""

    y: np.ndarray
    x: np.ndarray
    mu: np.ndarray
    Sigma: np.ndarray
    triangle: np.ndarray
    low: np.ndarray


def problem(rng, n, p, sd=1.0, mu=None):
    """A random regression with n rows and p columns; prior standard deviations around `sd`."""
    y, x = 2.0 * rng.standard_normal(n), rng.standard_normal((n, p))
    mu = rng.standard_normal(p) if mu is None else mu
    a = rng.standard_normal((p, p + 1))
    Sigma = sd**2 * (a @ a.T / p + 0.2 * np.eye(p))
    return from_arrays(y, x, mu, Sigma)


def from_arrays(y, x, mu, Sigma):
    p = x.shape[1]
    triangle = np.empty((p + 1, p + 1))
    reduce_rows(y, x, EMPTY, EMPTY, triangle)
    return Problem(y, x, mu, Sigma, triangle, np.linalg.cholesky(Sigma))
