"""Coefficients given the dispersion: the Gaussian conditional (methods: normal prior, known variance)."""

import math

import numpy as np

from glmbayes.kernels.jit import jit
from glmbayes.kernels.linalg import all_finite, invert_lower, solve_upper, triangularise

_SINGULAR = 1e-15  # a pivot below this share of its column is rounding
_DEPENDENT = 1e-12  # the same for a flat coefficient, where only the data hold the pivot up


@jit
def build_normal(triangle, mu, low, dispersion, factor):
    """Factorise the posterior of beta given the dispersion.

    The prior N(mu, Sigma) enters as the lower Cholesky factor `low` (p, p) of Sigma, infinite on the diagonal for a
    flat coefficient.  With C = L^-1, [u^1/2 R; C] is reduced orthogonally: the normal equations are never formed.

    `factor` (2 p, p + 1) receives, in its first p rows, the triangle A (positive diagonal) and the column c such that
    beta = mu + A^-1 (c + z), z standard normal.  Returns False when A is singular (improper posterior).
    """
    p = mu.shape[0]
    su = 1.0 / math.sqrt(dispersion)
    root_precision = factor[p:, :p]
    invert_lower(low, root_precision)
    for i in range(p):
        r = triangle[i, p]
        for j in range(p):
            factor[i, j] = su * triangle[i, j]
            r -= triangle[i, j] * mu[j]
        factor[i, p] = su * r
        factor[p + i, p] = 0.0
    triangularise(factor, 2 * p, np.empty(p + 1))
    for i in range(p):
        scale = 0.0
        for k in range(i + 1):
            scale += factor[k, i] * factor[k, i]
        limit = _DEPENDENT if low[i, i] == math.inf else _SINGULAR
        if not abs(factor[i, i]) > limit * math.sqrt(scale):
            return False
        if factor[i, i] < 0.0:
            for k in range(i, p + 1):
                factor[i, k] = -factor[i, k]
    return True


@jit
def draw_from_normal(mu, factor, z):
    """Turn the standard normals `z` (p,) into a draw of beta, in place."""
    p = mu.shape[0]
    for i in range(p):
        z[i] += factor[i, p]
    solve_upper(factor, z)
    for i in range(p):
        z[i] += mu[i]


@jit
def draws_from_normal(mu, factor, draws):
    """`draws` (n, p) enters as standard normals and leaves as draws."""
    for i in range(draws.shape[0]):
        draw_from_normal(mu, factor, draws[i])


@jit
def normal_draws(triangle, mu, low, dispersion, draws, mode):
    """Draws of beta for a known dispersion, set-up included: what a Gibbs loop calls.

    `draws` (n, p) enters as standard normals and leaves as draws; `mode` (p,) receives the posterior mode.  Returns
    False for an improper posterior and when the mode overflows.
    """
    p = mu.shape[0]
    factor = np.empty((2 * p, p + 1))
    mode[:] = 0.0
    if not build_normal(triangle, mu, low, dispersion, factor):
        return False
    draw_from_normal(mu, factor, mode)
    if not all_finite(mode):
        return False
    draws_from_normal(mu, factor, draws)
    return True
