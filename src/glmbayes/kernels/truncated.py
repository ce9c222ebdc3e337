"""The standard normal on an interval, on the log scale: probabilities and draws that survive both far tails.

Intervals may be infinite, narrow, or at 1e8 standard deviations: nothing here subtracts two probabilities
that are nearly equal, and nothing underflows.
"""

import math

import numpy as np

from glmbayes.kernels.jit import jit

_ROOT_HALF = math.sqrt(0.5)
_LOG_ROOT_2PI = 0.5 * math.log(2.0 * math.pi)
_SERIES_FROM = 20.0  # ten terms of the asymptotic series are exact to rounding from here
_NARROW = 0.1  # total fall of the log density below which an interval is integrated directly
_CAP = 2000  # tries; every method below accepts at least 45 %
_NEWTON_CAP = 100

_NODES = (0.04691007703066802, 0.23076534494715845, 0.5, 0.7692346550528415, 0.9530899229693319)
_WEIGHTS = (
    0.11846344252809454,
    0.23931433524968324,
    0.28444444444444444,
    0.23931433524968324,
    0.11846344252809454,
)


@jit
def log_mills(x):
    """log of exp(x^2 / 2) P(Z > x) for x >= 0: the tail probability without its Gaussian factor."""
    if x < _SERIES_FROM:
        return math.log(0.5 * math.erfc(x * _ROOT_HALF)) + 0.5 * x * x
    q = 1.0 / (x * x)
    s = 1.0
    for k in range(10, 0, -1):
        s = 1.0 - (2.0 * k - 1.0) * q * s
    return math.log(s / x) - _LOG_ROOT_2PI


@jit
def log_normal_cdf(x):
    """log P(Z <= x) for a standard normal Z, accurate in both tails."""
    if x > 0.0:
        return math.log1p(-0.5 * math.erfc(x * _ROOT_HALF))
    return log_mills(-x) - 0.5 * x * x


@jit
def log_tail_integral(a, w):
    """log of the integral of exp(-a t - t^2 / 2) over t in (0, w), for a >= 0 and w possibly infinite."""
    fall = w * (a + 0.5 * w)
    if fall < _NARROW:
        s = 0.0
        for k in range(5):
            t = w * _NODES[k]
            s += _WEIGHTS[k] * math.exp(-t * (a + 0.5 * t))
        return math.log(w * s) if w > 0.0 else -np.inf
    head = log_mills(a)
    rest = math.exp(log_mills(a + w) - head - fall) if w < np.inf else 0.0
    return math.log1p(-rest) + head + _LOG_ROOT_2PI


@jit
def log_normal_interval(lo, hi):
    """log P(lo < Z < hi) for a standard normal Z; -inf for an empty interval.

    Parameters
    ----------
    lo, hi : float
        Bounds in standard deviations, lo <= hi; either may be infinite.
    """
    if not lo < hi:
        return -np.inf
    if lo >= 0.0:
        return log_tail_integral(lo, hi - lo) - 0.5 * lo * lo - _LOG_ROOT_2PI
    if hi <= 0.0:
        return log_tail_integral(-hi, hi - lo) - 0.5 * hi * hi - _LOG_ROOT_2PI
    outside = 0.5 * (math.erfc(hi * _ROOT_HALF) + math.erfc(-lo * _ROOT_HALF))
    if outside < 0.5:
        return math.log1p(-outside)
    return math.log(0.5 * (math.erf(hi * _ROOT_HALF) + math.erf(-lo * _ROOT_HALF)))


@jit
def log_tilted_interval(slope, lo, hi):
    """log of the integral of exp(slope t - t^2 / 2) over (lo, hi), without ever forming slope^2 / 2 in a tail."""
    if lo >= slope:
        return log_tail_integral(lo - slope, hi - lo) + lo * (slope - 0.5 * lo)
    if hi <= slope:
        return log_tail_integral(slope - hi, hi - lo) + hi * (slope - 0.5 * hi)
    return log_normal_interval(lo - slope, hi - slope) + 0.5 * slope * slope + _LOG_ROOT_2PI


@jit
def _tail_rise(a, fall):
    """The d >= 0 at which P(Z > a + d) = exp(-fall) P(Z > a), for a >= 0.

    Newton on the log tail, a concave function of d, from above: the iterates decrease to the root.
    """
    start = log_mills(a)
    d = 2.0 * fall / (a + math.sqrt(a * a + 2.0 * fall))
    for _ in range(_NEWTON_CAP):
        lm = log_mills(a + d)
        excess = fall - d * (a + 0.5 * d) + lm - start
        step = excess * math.exp(lm + _LOG_ROOT_2PI)
        if not abs(step) > 1e-16 * (a + d):
            break
        d = max(d + step, 0.0)
        if abs(step) <= 1e-9 * d:  # the next step would be of the order of its square
            break
    return d


@jit
def _tail_quantile(u, a, b):
    """Quantile of the standard normal on 0 <= a < b: the fall of the log tail is -log(1 - u P(inside))."""
    if b < np.inf:
        w = b - a
        tail = math.exp(log_mills(b) - log_mills(a) - w * (a + 0.5 * w))
        u *= 1.0 - tail
    return min(a + _tail_rise(a, -math.log1p(-u)), b)


@jit
def truncated_normal_quantile(u, lo, hi):
    """The `u` quantile of a standard normal restricted to (lo, hi): one uniform in, one draw out.

    For a single draw with a pre-drawn uniform; loops that draw many times do better with `truncated_normal`.
    """
    if lo >= 0.0:
        return _tail_quantile(u, lo, hi)
    if hi <= 0.0:
        return -_tail_quantile(1.0 - u, -hi, -lo)
    left = 0.5 * math.erfc(-lo * _ROOT_HALF)
    right = 0.5 * math.erfc(hi * _ROOT_HALF)
    below = left + u * (1.0 - left - right)
    if below < 0.5:
        return max(-_tail_rise(0.0, -math.log(2.0 * below)), lo)
    above = right + (1.0 - u) * (1.0 - left - right)
    return min(_tail_rise(0.0, max(-math.log(2.0 * above), 0.0)), hi)


@jit
def tail_draw(rng, a, w):
    """A draw of t in (0, w) with density proportional to exp(-a t - t^2 / 2), a >= 0 (Robert 1995,
    doi:10.1007/BF00143942)."""
    alpha = 0.5 * (a + math.sqrt(a * a + 4.0))
    if alpha * w < 1.0:
        for _ in range(_CAP):
            t = w * rng.random()
            if rng.standard_exponential() >= t * (a + 0.5 * t):
                return t
        return np.nan
    for _ in range(_CAP):
        t = rng.standard_exponential() / alpha
        if t <= w:
            gap = t - 1.0 / alpha  # alpha - a = 1 / alpha, without cancellation
            if rng.standard_exponential() >= 0.5 * gap * gap:
                return t
    return np.nan


@jit
def truncated_normal(rng, lo, hi):
    """One exact draw of a standard normal restricted to (lo, hi).

    Parameters
    ----------
    rng : numpy.random.Generator
    lo, hi : float
        Bounds in standard deviations, lo <= hi; either may be infinite.

    Returns
    -------
    float
        NaN for bounds that are NaN or out of order.
    """
    if not lo <= hi:
        return np.nan
    if lo >= 0.0:
        return min(lo + tail_draw(rng, lo, hi - lo), hi)
    if hi <= 0.0:
        return max(hi - tail_draw(rng, -hi, hi - lo), lo)
    w = hi - lo
    if w > 2.5:
        for _ in range(_CAP):
            x = rng.standard_normal()
            if lo <= x <= hi:
                return x
        return np.nan
    for _ in range(_CAP):
        x = lo + w * rng.random()
        if rng.standard_exponential() >= 0.5 * x * x:
            return min(x, hi)
    return np.nan


@jit
def tilted_draw(rng, slope, lo, hi):
    """A draw from (lo, hi) with density proportional to exp(slope t - t^2 / 2); see `log_tilted_interval`."""
    if lo >= slope:
        return min(lo + tail_draw(rng, lo - slope, hi - lo), hi)
    if hi <= slope:
        return max(hi - tail_draw(rng, slope - hi, hi - lo), lo)
    return slope + truncated_normal(rng, lo - slope, hi - slope)
