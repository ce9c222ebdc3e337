"""The dispersion of a Gamma regression given its means: exact draws by a tangent envelope in its logarithm.

With v = 1 / dispersion, y_i ~ Gamma(shape w_i v, rate w_i v / mu_i) and v ~ Gamma(a, b), the posterior of
t = log v is

    log p(t) = (a + n/2) t - (b + D) e^t - sum_i r(w_i e^t) + constant,
    D = sum_i w_i (y_i/mu_i - 1 - log(y_i/mu_i)),

with r the remainder of Stirling's formula, so that nothing large cancels.  It is concave in t for any a > -n
and any weights (in v itself only for a >= 1 - n/2).  Rows with equal weights share one evaluation of r.
"""

import math

import numpy as np

from glmbayes.kernels.gaps import log1p_gap, stirling_remainder, stirling_slope
from glmbayes.kernels.jit import jit
from glmbayes.kernels.series import exp_tail2
from glmbayes.kernels.tangent_envelope import (
    ACCEPT_SLACK,
    envelope_candidate,
    insert_tangent,
    place_tangents,
)

OK = 0
IMPROPER = 1  # no rate: all y equal their means and the prior rate is zero; or no shape
CAPPED = 2  # too many candidates in a row
BROKEN = 3  # a candidate above the envelope: must never happen

_CAPACITY = 24
_TRIES = 10_000
_EXACT_FIT = (50.0 * 2.220446049250313e-16) ** 2  # mean of (y/mu - 1)^2 below this is rounding


@jit
def group_weights(weights, values, counts):
    """Distinct positive weights into `values`, frequencies into `counts`, both (n,); returns how many."""
    n = weights.shape[0]
    first = 0
    while first < n and weights[first] == 0.0:
        first += 1
    if first == n:
        return 0
    values[0] = weights[first]
    counts[0] = 0.0
    same = True
    for i in range(first, n):
        if weights[i] == values[0]:
            counts[0] += 1.0
        elif weights[i] != 0.0:
            same = False
    if same:
        return 1
    k = 0
    for w in np.sort(weights):
        if w == 0.0:
            continue
        if k > 0 and w == values[k - 1]:
            counts[k - 1] += 1.0
        else:
            values[k] = w
            counts[k] = 1.0
            k += 1
    return k


@jit
def gamma_half_deviance(y, mu, weights):
    """D = sum_i w_i (y_i/mu_i - 1 - log(y_i/mu_i)) without cancellation; 0 for a fit exact to rounding."""
    total = 0.0
    size = 0.0
    for i in range(y.shape[0]):
        if weights[i] > 0.0:
            total += weights[i] * log1p_gap((y[i] - mu[i]) / mu[i])
            size += weights[i]
    return 0.0 if 2.0 * total <= _EXACT_FIT * size else total


@jit
def _remainders(v, values, counts):
    s = 0.0
    for g in range(values.shape[0]):
        s += counts[g] * stirling_remainder(values[g] * v)
    return s


@jit
def stirling_slopes(v, values, counts):
    """Sum of `stirling_slope` at shapes w v, from distinct weights and their numbers of rows."""
    s = 0.0
    for g in range(values.shape[0]):
        s += counts[g] * stirling_slope(values[g] * v)
    return s


@jit
def _log_density(d, v0, base, half, rate_v, values, counts):
    """log p(t0 + d) - log p(t0), and the derivative.

    half = a + n/2, rate_v = (b + D) v0 and base = sum r at v0 = exp(t0).
    """
    v = v0 * math.exp(d)
    f = (half - rate_v) * d - rate_v * exp_tail2(d) - _remainders(v, values, counts) + base
    return f, half - rate_v * math.exp(d) + stirling_slopes(v, values, counts)


@jit
def gamma_dispersion_draws(rng, shape, rate, deviance, values, counts, disp_lower, disp_upper, out):
    """Exact draws of t = -log(dispersion), the logarithm of the precision v.

    Parameters
    ----------
    rng : numpy.random.Generator
    shape, rate : float
        Gamma(shape, rate) prior of the precision v = 1 / dispersion.
    deviance : float
        D, from `gamma_half_deviance`.
    values, counts : (k,) arrays
        Distinct positive weights and their numbers of rows, from `group_weights`.
    disp_lower, disp_upper : float
        Limits of the dispersion; 0 and inf for none.
    out : (m,) array
        Receives the draws of log v; the dispersion is exp(-out).

    Returns
    -------
    status : int
        OK, IMPROPER, CAPPED or BROKEN.
    candidates : int
        Candidates that were evaluated.
    """
    n = 0.0
    for g in range(values.shape[0]):
        n += counts[g]
    half = shape + 0.5 * n
    b = rate + deviance
    if not (half + 0.5 * n > 0.0) or (not b > 0.0 and disp_lower <= 0.0):
        return IMPROPER, 0
    lo = -math.log(disp_upper)
    hi = -math.log(disp_lower) if disp_lower > 0.0 else np.inf

    # centre: (a + n/2 + sum slope) / b = v at the mode, and every slope lies in (0, 1/2)
    v0 = math.exp(hi) if hi < np.inf else 1.0
    if b > 0.0:
        v0 = (half + (0.0 if half > 0.0 else 0.5 * n)) / b
        for _ in range(50):
            new = (half + stirling_slopes(v0, values, counts)) / b
            done = abs(new - v0) * math.sqrt(b) < 0.1 * math.sqrt(v0)
            v0 = new
            if done:
                break
    t0 = min(max(math.log(v0), lo), hi)
    v0 = math.exp(t0)
    lo -= t0
    hi -= t0
    rate_v = b * v0
    base = _remainders(v0, values, counts)

    at = np.empty(_CAPACITY)
    height = np.empty(_CAPACITY)
    slope = np.empty(_CAPACITY)
    left = np.empty(_CAPACITY)
    mass = np.empty(_CAPACITY)
    top = np.empty(1)
    at[0] = 0.0
    height[0] = 0.0
    slope[0] = half - rate_v + stirling_slopes(v0, values, counts)
    k = 1
    # the density falls by about one at 1.4 standard deviations, or one over the slope at a limit
    reach = 1.4 / math.sqrt(max(rate_v, half, 0.1))
    reach = min(reach, 1.0 / (abs(slope[0]) + 1e-300)) if (lo == 0.0 or hi == 0.0) else reach
    for side in (-1.0, 1.0):
        x = side * reach
        for _ in range(200):
            if x <= lo or x >= hi:
                break
            f, d = _log_density(x, v0, base, half, rate_v, values, counts)
            if f < -0.4 and side * d < 0.0:
                k = insert_tangent(at, height, slope, k, x, f, d)
                break
            x *= 2.0
    candidates = 0
    if not place_tangents(at, height, slope, left, mass, top, k, lo, hi):
        return IMPROPER, 0
    for i in range(out.shape[0]):
        accepted = False
        for _ in range(_TRIES):
            candidates += 1
            x, cover = envelope_candidate(rng, at, height, slope, left, mass, k, hi)
            f, d = _log_density(x, v0, base, half, rate_v, values, counts)
            if f - cover > ACCEPT_SLACK:
                return BROKEN, candidates
            if rng.standard_exponential() >= cover - f:
                out[i] = t0 + x
                accepted = True
                break
            if k < _CAPACITY and math.isfinite(f):
                k = insert_tangent(at, height, slope, k, x, f, d)
                place_tangents(at, height, slope, left, mass, top, k, lo, hi)
        if not accepted:
            return CAPPED, candidates
    return OK, candidates


@jit
def draw_gamma_dispersion(rng, y, mu, weights, shape, rate):
    """One exact draw of the dispersion of Gamma responses with known means; for use inside your own compiled loops.

    y_i ~ Gamma(shape w_i / phi, rate w_i / (phi mu_i)), and 1/phi ~ Gamma(shape, rate) a priori.

    Parameters
    ----------
    rng : numpy.random.Generator
    y, mu, weights : (n,) arrays
        Positive responses and means, weights that are not negative.
    shape, rate : float
        Of the prior of the precision 1 / phi (a rate, not a scale).

    Returns
    -------
    phi : float
        NaN unless the status is 0.
    status : int
        OK, IMPROPER, CAPPED or BROKEN of this module.
    """
    values = np.empty(y.shape[0])
    counts = np.empty(y.shape[0])
    k = group_weights(weights, values, counts)
    out = np.empty(1)
    deviance = gamma_half_deviance(y, mu, weights)
    status, _ = gamma_dispersion_draws(rng, shape, rate, deviance, values[:k], counts[:k], 0.0, np.inf, out)
    return (math.exp(-out[0]) if status == OK else np.nan), status
