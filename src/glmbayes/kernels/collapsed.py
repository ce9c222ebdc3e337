"""Mixed models with one grouping factor, effects integrated out: the density of the variances alone, many at a time.

Given the covariances of the effects and the residual variance, fixed and random effects are normal, and what remains
of the posterior is a function of few numbers.  `collapsed` computes it, and draws the effects where they are wanted.
All arrays have the groups last, so that every loop runs over the groups and vectorises: 4 us for 146 groups of three
effects and four fixed effects.

A point is, for each row i of each term's Cholesky factor L, a number for the standard deviation followed by i numbers
for correlations; then one for the residual standard deviation, unless that is known.  A standard deviation is
4 c sinh(u / 4), u = log(1 + e^x): linear in x around 2 c and exponential on both sides, so that densities that do not
vanish at 0 have no boundary there and polynomial tails become exponential ones.  Correlations are canonical partial
correlations tanh(z).
"""

import math
from typing import NamedTuple

import numpy as np

from glmbayes.kernels.interweave import SIGMA, log_prior_root, log_prior_sd
from glmbayes.kernels.jit import jit
from glmbayes.kernels.linalg import cholesky

BEND = 4.0


class CollapsedData(NamedTuple):
    """The statistics of `EffectsData` for one factor, groups last.

    Attributes
    ----------
    rz : (q, q, m) array
    rows : (p + 1, q, m) array
        Columns of the fixed effects, then the response.
    gram : (p, p) array
    linear : (p,) array
    square : float
    n : float
    """

    rz: np.ndarray
    rows: np.ndarray
    gram: np.ndarray
    linear: np.ndarray
    square: float
    n: float


@jit
def _standard_deviation(x, scale, upper):
    """(sd, log of its derivative) at the coordinate x; below `upper` when that is finite."""
    small = math.log1p(math.exp(-abs(x)))
    u = max(x, 0.0) + small
    if u > 700.0 * BEND:
        return math.inf, math.inf
    sd = BEND * scale * math.sinh(u / BEND)
    log_slope = math.log(scale * math.cosh(u / BEND)) - max(-x, 0.0) - small
    if upper < math.inf:
        log_slope -= sd / upper
        sd = -upper * math.expm1(-sd / upper)
    return sd, log_slope


@jit
def _unpack(point, scale, layout, prior, root):
    """(sigma2, log prior density of the point); the joint factor of all effects into `root` (q, q)."""
    at = 0
    value = 0.0
    root[:] = 0.0
    for term in range(layout.q.shape[0]):
        q = layout.q[term]
        first = layout.first[term]
        low = np.zeros((q, q))
        for i in range(q):
            sd, log_slope = _standard_deviation(point[at], scale[at], prior.upper[term])
            if not (sd > 0.0 and sd < math.inf):
                return 1.0, -math.inf
            at += 1
            value += log_slope + i * math.log(sd)
            rest = sd
            for h in range(i):
                z = point[at]
                at += 1
                low[i, h] = rest * math.tanh(z)
                log_cosh2 = 2.0 * (abs(z) + math.log1p(math.exp(-2.0 * abs(z))) - math.log(2.0))
                rest *= math.exp(-0.5 * log_cosh2)
                value -= 0.5 * (i - h) * log_cosh2
            low[i, i] = rest
            for h in range(i + 1):
                root[first + i, first + h] = low[i, h]
        if prior.kind[term] == SIGMA:
            value += log_prior_sd(low[0, 0], prior.terms[term], prior.upper[term])
        else:
            value += log_prior_root(
                low,
                prior.kind[term],
                prior.df[term],
                prior.scale_root[term],
                prior.nu[term],
                prior.inverse_scales2[term],
            )
    if prior.sigma_known:
        return 1.0, value
    sd, log_slope = _standard_deviation(point[at], scale[at], prior.sigma_upper)
    if not (sd > 0.0 and sd < math.inf):
        return 1.0, -math.inf
    return sd * sd, value + log_slope + log_prior_sd(sd, prior.sigma_terms, prior.sigma_upper)


@jit
def _whiten(data, root, sigma2, g, low, inverse, white):
    """M_j = sigma2 I + g g', g = Rz_j L, factorised for all groups; returns half the sum of log |M_j / sigma2|.

    `low` (q, q, m) gets the factors (below the diagonal), `inverse` (q, m) the reciprocals of their diagonals,
    `white` (p + 1, q, m) the rows solved by them.
    """
    q, _, m = g.shape
    pivots = np.ones(m)
    for i in range(q):
        for k in range(q):
            out = g[i, k]
            for j in range(m):
                out[j] = 0.0
            for h in range(max(i, k), q):
                weight = root[h, k]
                a = data.rz[i, h]
                for j in range(m):
                    out[j] += a[j] * weight
    for i in range(q):
        for k in range(i + 1):
            out = low[i, k]
            start = sigma2 if i == k else 0.0
            for j in range(m):
                out[j] = start
            for h in range(q):
                a = g[i, h]
                b = g[k, h]
                for j in range(m):
                    out[j] += a[j] * b[j]
            for h in range(k):
                a = low[i, h]
                b = low[k, h]
                for j in range(m):
                    out[j] -= a[j] * b[j]
            c = inverse[k]
            if i == k:
                for j in range(m):
                    pivots[j] *= out[j] / sigma2
                    c[j] = 1.0 / math.sqrt(out[j])
            else:
                for j in range(m):
                    out[j] *= c[j]
    for column in range(white.shape[0]):
        for i in range(q):
            out = white[column, i]
            a = data.rows[column, i]
            for j in range(m):
                out[j] = a[j]
            for k in range(i):
                a = low[i, k]
                b = white[column, k]
                for j in range(m):
                    out[j] -= a[j] * b[j]
            a = inverse[i]
            for j in range(m):
                out[j] *= a[j]
    total = 0.0
    for j in range(m):
        total += math.log(pivots[j])
    return 0.5 * total


@jit
def _effects(rng, root, sigma2, beta, g, low, inverse, white, b, v, out):
    """Effects (m, q) given beta, by conditioning a prior draw on the data: b = b* + g' M^-1 (e - g b* - e*)."""
    q, m = b.shape
    p = beta.shape[0]
    size = math.sqrt(sigma2)
    for i in range(q):
        for j in range(m):
            b[i, j] = rng.standard_normal()
            v[i, j] = -size * rng.standard_normal()
    for i in range(q):
        out_i = v[i]
        for k in range(q):
            x = g[i, k]
            y = b[k]
            for j in range(m):
                out_i[j] -= x[j] * y[j]
        for k in range(i):
            x = low[i, k]
            y = v[k]
            for j in range(m):
                out_i[j] -= x[j] * y[j]
        x = inverse[i]
        for j in range(m):
            out_i[j] *= x[j]
    for i in range(q):
        out_i = v[i]
        for c in range(p + 1):
            x = white[c, i]
            weight = 1.0 if c == p else -beta[c]
            for j in range(m):
                out_i[j] += weight * x[j]
    for i in range(q - 1, -1, -1):
        out_i = v[i]
        for k in range(i + 1, q):
            x = low[k, i]
            y = v[k]
            for j in range(m):
                out_i[j] -= x[j] * y[j]
        x = inverse[i]
        for j in range(m):
            out_i[j] *= x[j]
    for k in range(q):
        out_k = b[k]
        for i in range(q):
            x = g[i, k]
            y = v[i]
            for j in range(m):
                out_k[j] += x[j] * y[j]
    for j in range(m):
        for i in range(q):
            s = 0.0
            for k in range(i + 1):
                s += root[i, k] * b[k, j]
            out[j, i] = s


@jit
def collapsed(rng, data, layout, prior, scale, points, log_density, out_w, out_a, out_sigma2, out_root):
    """Log density of each point, up to a constant, and a draw of everything else given it.

    Parameters
    ----------
    rng : numpy.random.Generator
    data : CollapsedData
    layout : EffectsLayout
    prior : EffectsPrior
    scale : (d,) float array
        The c of the standard deviations; 1 at correlations.
    points : (n, d) float array
    log_density : (n,) float array
        Filled; -inf where the prior is 0 or arithmetic ends.
    out_w, out_a, out_sigma2, out_root : (n, p), (n, m, q), (n,), (n, K, Q, Q) float arrays
        Fixed effects, random effects, residual variance and Cholesky factors, drawn for each point; with
        n = 0 rows there are no draws.
    """
    q, _, m = data.rz.shape
    p = data.linear.shape[0]
    g = np.empty((q, q, m))
    low = np.empty((q, q, m))
    inverse = np.empty((q, m))
    white = np.empty((p + 1, q, m))
    flat = white.reshape(p + 1, q * m)
    cross = np.empty((p + 1, p + 1))
    factor = np.empty((p, p))
    root = np.empty((q, q))
    b = np.empty((q, m))
    v = np.empty((q, m))
    beta = np.empty(p)
    for row in range(points.shape[0]):
        sigma2, value = _unpack(points[row], scale, layout, prior, root)
        if not (value > -math.inf and sigma2 > 0.0):
            log_density[row] = -math.inf
            continue
        value -= _whiten(data, root, sigma2, g, low, inverse, white) + 0.5 * data.n * math.log(sigma2)
        np.dot(flat, flat.T, cross)
        value -= 0.5 * (cross[p, p] + data.square / sigma2)
        for c in range(p):
            for h in range(p):
                cross[c, h] += prior.precision[c, h] + data.gram[c, h] / sigma2
        fine = cholesky(cross[:p, :p], factor)
        for c in range(p):
            s = cross[c, p] + prior.linear[c] + data.linear[c] / sigma2
            for h in range(c):
                s -= factor[c, h] * beta[h]
            beta[c] = s / factor[c, c]
            value += 0.5 * beta[c] * beta[c] - math.log(factor[c, c])
        log_density[row] = value if fine and value < math.inf else -math.inf
        if out_w.shape[0] > 0:
            for c in range(p):
                beta[c] += rng.standard_normal()
            for c in range(p - 1, -1, -1):
                s = beta[c]
                for h in range(c + 1, p):
                    s -= factor[h, c] * beta[h]
                beta[c] = s / factor[c, c]
            _effects(rng, root, sigma2, beta, g, low, inverse, white, b, v, out_a[row])
            out_sigma2[row] = sigma2
            for c in range(p):
                out_w[row, c] = beta[c]
            for term in range(layout.q.shape[0]):
                first = layout.first[term]
                for i in range(layout.q[term]):
                    for k in range(layout.q[term]):
                        out_root[row, term, i, k] = root[first + i, first + k]
