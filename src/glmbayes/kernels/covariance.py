"""The prior covariance, checked and factorised in one compiled call."""

import math

from glmbayes.kernels.jit import jit
from glmbayes.kernels.linalg import asymmetry, cholesky

OK = 0
FLAT = 1  # fine, with infinite variances: flat coefficients
NOT_FINITE = 2
ASYMMETRIC = 3
NOT_POSITIVE = 4
EMPTY = 5

_SYMMETRY = 1e-8


@jit
def factor_covariance(mu, sigma, low):
    """Lower Cholesky factor of `sigma` (p, p) into `low`, with an infinite diagonal entry for a flat coefficient.

    Returns OK or FLAT, or what is wrong: EMPTY, NOT_FINITE (also for `mu` (p,)), ASYMMETRIC, NOT_POSITIVE.
    """
    p = sigma.shape[0]
    if p == 0:
        return EMPTY
    flat = False
    for i in range(p):
        if not math.isfinite(mu[i]):
            return NOT_FINITE
        for j in range(p):
            if not math.isfinite(sigma[i, j]):
                if i == j and sigma[i, i] == math.inf:
                    flat = True
                else:
                    return NOT_FINITE
    if flat:
        for i in range(p):
            for j in range(p):
                if i != j and (sigma[i, i] == math.inf or sigma[j, j] == math.inf) and sigma[i, j] != 0.0:
                    return NOT_FINITE
    if asymmetry(sigma) > _SYMMETRY:
        return ASYMMETRIC
    if not cholesky(sigma, low):
        return NOT_POSITIVE
    return FLAT if flat else OK
