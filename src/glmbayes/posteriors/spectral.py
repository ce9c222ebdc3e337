"""The spectral form of a regression by whichever route is faster; see `glmbayes.kernels.spectral`."""

import math

import numpy as np

from glmbayes.kernels.log_precision import TOO_LARGE
from glmbayes.kernels.spectral import EXACT_FIT, LARGEST, data_size, spectral_form
from glmbayes.posteriors.log_precision import raise_for

_EPS = 2.220446049250313e-16
SMALL_P = 16  # above it LAPACK's singular values are faster than Jacobi's


def diagonalise(triangle, mu, low):
    """Singular values s (p,), projections z (p,), residual sum of squares and T (p, p) with beta = mu + T c.

    Raises InputError where these leave what a double holds.
    """
    p = mu.shape[0]
    if p <= SMALL_P:
        s, z, transform = np.empty(p), np.empty(p), np.empty((p, p))
        rss = spectral_form(triangle, mu, low, s, z, transform)
        if math.isnan(rss):
            raise_for(TOO_LARGE)
        return s, z, rss, transform
    r = triangle[:p, p] - triangle[:p, :p] @ mu
    a = triangle[:p, :p] @ low
    if not (np.abs(a).max() <= LARGEST and np.abs(r).max() <= LARGEST):
        raise_for(TOO_LARGE)
    u, s, vt = np.linalg.svd(a)
    rounding = (4.0 + p) * _EPS * np.linalg.norm(a, axis=0)
    s[(s[:, None] * np.abs(vt) <= rounding).all(axis=1)] = 0.0  # as in jacobi_svd: no direction that the data see
    z = np.where(s > 0.0, u.T @ r, 0.0)
    rss = float(np.sum((r - u @ z) ** 2) + triangle[p, p] ** 2)
    if rss <= EXACT_FIT * data_size(triangle, mu):
        rss = 0.0
    return s, z, rss, np.ascontiguousarray(low @ vt.T)
