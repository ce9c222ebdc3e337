"""A Gaussian regression in the coordinates where prior and likelihood are both diagonal.

With Sigma = L L' and the singular value decomposition W^1/2 X L = U diag(s) V', write beta = mu + T c, T = L V.
A priori c ~ N(0, I) (times the dispersion for a conjugate prior), and with r = W^1/2 (y - o - X mu), z = U'r,

    sum of squared errors = rss + sum_i (z_i - s_i c_i)^2.

Valid for any shape and rank: nothing is inverted, and directions that the data do not see have s_i = 0.
"""

import math

import numpy as np

from glmbayes.kernels.jit import jit
from glmbayes.kernels.linalg import jacobi_svd

EXACT_FIT = (50.0 * 2.220446049250313e-16) ** 2  # rss below this share of `data_size` is rounding
LARGEST = 1e150  # of design times prior standard deviation and of the residuals: squares of both are taken
_NEGLIGIBLE = 1e-200  # s^2 below this cannot be told from 0, whatever the precision


@jit
def data_size(triangle, mu):
    """Squared size of what the residuals are differences of: the data and the fit at the prior mean."""
    p = mu.shape[0]
    size = triangle[p, p] * triangle[p, p]
    for i in range(p):
        size += triangle[i, p] * triangle[i, p]
        for j in range(i, p):
            fitted = triangle[i, j] * mu[j]
            size += fitted * fitted
    return size


@jit
def spectral_form(triangle, mu, low, s, z, transform):
    """Diagonalise; returns the residual sum of squares outside the design's range.

    Where R L or the residuals exceed LARGEST nothing is filled in, and NaN returned.

    Parameters
    ----------
    triangle : (p + 1, p + 1) array of `reduce_rows`
    mu, low : (p,) prior mean and (p, p) lower Cholesky factor L of the prior covariance
    s, z : (p,) arrays that receive singular values and projections
    transform : (p, p) array that receives T; beta = mu + T c
    """
    p = mu.shape[0]
    r = np.empty(p)
    held = True
    for i in range(p):
        r[i] = triangle[i, p]
        for j in range(i, p):
            r[i] -= triangle[i, j] * mu[j]
        held = held and abs(r[i]) <= LARGEST
    at = np.zeros((p, p))  # transpose of R L
    for j in range(p):
        for i in range(p):
            acc = 0.0
            for k in range(max(i, j), p):
                acc += triangle[i, k] * low[k, j]
            at[j, i] = acc
            held = held and abs(acc) <= LARGEST
    if not held:
        return math.nan
    vt = np.empty((p, p))
    jacobi_svd(at, vt)
    for i in range(p):
        norm2 = 0.0
        for k in range(p):
            norm2 += at[i, k] * at[i, k]
        s[i] = math.sqrt(norm2) if norm2 > _NEGLIGIBLE else 0.0
        z[i] = 0.0
        if s[i] > 0.0:
            for k in range(p):
                at[i, k] /= s[i]
                z[i] += at[i, k] * r[k]
    rss = triangle[p, p] * triangle[p, p]
    for k in range(p):
        e = r[k]
        for i in range(p):
            if s[i] > 0.0:
                e -= at[i, k] * z[i]
        rss += e * e
    for i in range(p):
        for j in range(p):
            acc = 0.0
            for k in range(i + 1):
                acc += low[i, k] * vt[j, k]
            transform[i, j] = acc
    return 0.0 if rss <= EXACT_FIT * data_size(triangle, mu) else rss


@jit
def to_coefficients(mu, transform, c):
    """beta = mu + T c, overwriting `c` (p,)."""
    p = mu.shape[0]
    beta = np.empty(p)
    for i in range(p):
        acc = mu[i]
        for j in range(p):
            acc += transform[i, j] * c[j]
        beta[i] = acc
    c[:] = beta
