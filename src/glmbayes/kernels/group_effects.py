"""Fixed effects and the effects of independent groups in one draw, given the covariances."""

import math

import numpy as np

from glmbayes.kernels.jit import jit
from glmbayes.kernels.linalg import cholesky


@jit
def draw_from_precision(rng, precision, linear, out):
    """out ~ N(P^-1 linear, P^-1) for a precision matrix P; False when P is not positive definite."""
    p = linear.shape[0]
    low = np.empty((p, p))
    if not cholesky(precision, low):
        return False
    for i in range(p):
        s = linear[i]
        for k in range(i):
            s -= low[i, k] * out[k]
        out[i] = s / low[i, i]
    for i in range(p):
        out[i] += rng.standard_normal()
    for i in range(p - 1, -1, -1):
        s = out[i]
        for k in range(i + 1, p):
            s -= low[k, i] * out[k]
        out[i] = s / low[i, i]
    return True


@jit
def factorise_groups(rz, root, sigma2, g, low):
    """g = Rz_j L and the Cholesky factors of sigma2 I + g g' of all groups; False when one is not positive definite."""
    m, q, _ = g.shape
    fine = True
    for j in range(m):
        for i in range(q):
            for k in range(q):
                s = 0.0
                for h in range(max(i, k), q):
                    s += rz[j, i, h] * root[h, k]
                g[j, i, k] = s
        for i in range(q):
            for k in range(i + 1):
                s = sigma2 if i == k else 0.0
                for h in range(q):
                    s += g[j, i, h] * g[j, k, h]
                low[j, i, k] = s
        fine = cholesky(low[j], low[j]) and fine
    return fine


@jit
def draw_effects_given_rest(rng, g, low, rest, root, sigma2, effects):
    """Effects (m, q) given all else, by conditioning a prior draw on the data: b = b* + g' M^-1 (e - g b* - e*).

    g (m, q, q) are Rz_j L, `low` the Cholesky factors of M_j = sigma2 I + g g', `rest` (m, q) the residuals e divided
    by them; `root` turns the standardised b into effects.
    """
    m, q = rest.shape
    root_sigma = math.sqrt(sigma2)
    b = np.empty(q)
    v = np.empty(q)
    for j in range(m):
        for i in range(q):
            b[i] = rng.standard_normal()
        for i in range(q):
            s = root_sigma * rng.standard_normal()
            for k in range(q):
                s += g[j, i, k] * b[k]
            for k in range(i):
                s -= low[j, i, k] * v[k]
            v[i] = s / low[j, i, i]
        for i in range(q - 1, -1, -1):
            s = rest[j, i] - v[i]
            for k in range(i + 1, q):
                s -= low[j, k, i] * v[k]
            v[i] = s / low[j, i, i]
        for i in range(q):
            for k in range(q):
                b[k] += g[j, i, k] * v[i]
        for i in range(q):
            s = 0.0
            for k in range(i + 1):
                s += root[i, k] * b[k]
            effects[j, i] = s


@jit
def draw_all_effects(rng, precision, linear, rz, rx, ry, root, sigma2, beta, effects):
    """beta with the effects of all groups integrated out, then the effects (m, q); False when not positive definite.

    `precision` (p, p) and `linear` (p,) bring what the prior and the directions beyond the groups say of beta;
    [rz | rx | ry] are the groups' rows, `root` is the Cholesky factor of the effects' covariance.
    """
    m, q = ry.shape
    p = beta.shape[0]
    g = np.empty((m, q, q))  # Rz_j L
    low = np.empty((m, q, q))  # Cholesky factor of sigma2 I + g g'
    white = np.empty((m, q, p + 1))  # low^-1 [Rx_j | ry_j]
    fine = factorise_groups(rz, root, sigma2, g, low)
    for j in range(m):
        for i in range(q):
            for c in range(p + 1):
                s = rx[j, i, c] if c < p else ry[j, i]
                for k in range(i):
                    s -= low[j, i, k] * white[j, k, c]
                white[j, i, c] = s / low[j, i, i]
            for c in range(p):
                w = white[j, i, c]
                linear[c] += w * white[j, i, p]
                for k in range(c + 1):
                    precision[c, k] += w * white[j, i, k]
    fine = draw_from_precision(rng, precision, linear, beta) and fine
    rest = white[:, :, p]
    for j in range(m):
        for i in range(q):
            for c in range(p):
                rest[j, i] -= white[j, i, c] * beta[c]
    draw_effects_given_rest(rng, g, low, rest, root, sigma2, effects)
    return fine
