"""One exact draw along a line of a generalised linear model, for Gibbs sweeps that start from the current value.

`glm_one` locates the mode to 1e-5 standard deviations and guards every sum against cancellation, which pays for many
draws and for rows of weight 1e10.  For a single draw a rough centre does: three tangents to the log density there and
about one below, heights as differences of sums.  Where sums are too large for that, or the search is not short,
`glm_one` takes over; both draws are exact, so nothing depends on which it was.
"""

import math

from glmbayes.kernels.family_terms import curvature, loglik, score
from glmbayes.kernels.glm_one import CAPACITY, OK, draws_1d
from glmbayes.kernels.jit import jit
from glmbayes.kernels.tangent_envelope import envelope_candidate, insert_tangent, place_tangents

_NEWTON = 8  # steps of the quick search for a mode, adjustments of a tangent point, candidates:
_SIDES = 6  # beyond these the careful way
_CANDIDATES = 50
_LARGE = 1e6  # sums of log-likelihoods beyond this lose digits that matter


@jit
def line_loglik(fam, y, weights, eta, v, d):
    """Log-likelihood, without constants, at eta + d v."""
    total = 0.0
    for i in range(y.shape[0]):
        total += weights[i] * loglik(fam, eta[i] + d * v[i], y[i])
    return total


@jit
def _sums(fam, y, v, eta, weights, d):
    """Log-likelihood (no constants), its slope and curvature along v at eta + d v."""
    value = 0.0
    slope = 0.0
    bend = 0.0
    for i in range(y.shape[0]):
        e = eta[i] + d * v[i]
        t = weights[i] * v[i]
        value += weights[i] * loglik(fam, e, y[i])
        slope += t * score(fam, e, y[i])
        bend += t * v[i] * curvature(fam, e, y[i])
    return value, slope, bend


@jit
def _quick_step(rng, fam, y, v, eta, weights, mean, precision, work, out):
    """Exact draw of d from three tangents, starting the search for the mode at 0; False where that is not quick.

    Every pass over the rows gives height and slope, so that a rejected candidate is a tangent at no cost.  Heights are
    differences of sums: not for sums whose rounding would matter.
    """
    lo = -math.inf
    hi = math.inf
    d = 0.0
    top = 0.0
    g = 0.0
    h = 0.0
    for trial in range(_NEWTON + 1):
        if trial == _NEWTON:
            return False
        top, g, h = _sums(fam, y, v, eta, weights, d)
        g -= precision * (d - mean)
        h += precision
        if not (abs(top) < _LARGE and abs(g) < math.inf and 0.0 < h < math.inf):
            return False
        if abs(g) <= 0.5 * math.sqrt(h):
            break
        if g > 0.0:
            lo = d
        else:
            hi = d
        d += g / h
        if not lo < d < hi:
            if hi - lo == math.inf:
                return False
            d = 0.5 * (lo + hi)
    centre = d
    at = work[0]
    height = work[1]
    slope = work[2]
    left = work[3]
    mass = work[4]
    k = insert_tangent(at, height, slope, 0, 0.0, 0.0, g)
    for side in (-1.0, 1.0):
        step = math.sqrt(2.0 / h)
        for trial in range(_SIDES + 1):
            if trial == _SIDES:
                return False
            x = side * step
            value, s, _ = _sums(fam, y, v, eta, weights, centre + x)
            value += -top - precision * x * (centre + 0.5 * x - mean)
            if not value > -6.0:
                step *= 0.4
            elif value > -0.2 and side * s > side * precision * (centre + x - mean) - 0.3 * math.sqrt(h):
                step *= 2.0
            else:
                k = insert_tangent(at, height, slope, k, x, value, s - precision * (centre + x - mean))
                break
    if not place_tangents(at, height, slope, left, mass, work[5], k, -math.inf, math.inf):
        return False
    for _ in range(_CANDIDATES):
        x, cover = envelope_candidate(rng, at, height, slope, left, mass, k, math.inf)
        value, s, _ = _sums(fam, y, v, eta, weights, centre + x)
        value += -top - precision * x * (centre + 0.5 * x - mean)
        if rng.standard_exponential() >= cover - value:
            out[0] = centre + x
            return True
        if k < CAPACITY and value > -math.inf:
            k = insert_tangent(at, height, slope, k, x, value, s - precision * (centre + x - mean))
            place_tangents(at, height, slope, left, mass, work[5], k, -math.inf, math.inf)
    return False


@jit
def draw_step(rng, fam, y, v, eta, weights, mean, variance, work, out, iters):
    """Exact draw of the step d in eta + d v, prior N(mean, variance): into out[0]; returns a status of `glm_one`."""
    if _quick_step(rng, fam, y, v, eta, weights, mean, 1.0 / variance, work, out):
        return OK
    status, _ = draws_1d(rng, fam, y, v, eta, weights, mean, variance, work, out, iters)
    return status
