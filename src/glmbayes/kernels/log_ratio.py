"""The density of t = -2 log r, r = tau / sigma the ratio of group to residual standard deviation.

With everything else integrated out of a random-intercept model with conjugate residual variance, u = exp(t) = 1 / r^2,

    f(t) = a t - c / u - d / u^1/2 - e log(1 + u / g) + 1/2 sum_i w_i log L_i(t) - h log S(t),
    S(t) = s + sum_i q_i L_i(t),   L_i(t) = lambda_i u / (1 + lambda_i u),

where S is the sum of squares that is left at ratio r, 2 h its degrees of freedom and w_i a multiplicity.  All terms but
the last are concave in t; S is a sum of logistic functions L_i, each the exponential of a concave function.

Coefficients can be large (h = 1e8, w = 1e6), so everything is a difference of two values, term by term free of
cancellation.
"""

import math
from typing import NamedTuple

import numpy as np

from glmbayes.kernels.jit import jit
from glmbayes.kernels.log_density import odds_growth, precision, share_rise, shares

_TINY = 1e-290  # below it products underflow


class RatioDensity(NamedTuple):
    """The density f of the module's text, restricted to t >= lower."""

    a: float
    c: float
    d: float
    e: float
    g: float
    lam: np.ndarray  # (k,)
    weight: np.ndarray  # (k,) w
    q: np.ndarray  # (k,)
    rest: float  # s
    half: float  # h
    lower: float


@jit
def log_share_rise(lam, t0, u0, t1, u1):
    """log(L(t1) / L(t0)) of a logistic function."""
    share0, rest0 = shares(lam * u0)
    share1, rest1 = shares(lam * u1)
    delta = t1 - t0
    if min(share0, share1) < _TINY:
        return delta - odds_growth(lam, t0, u0, t1, u1)
    ratio = share_rise(share0, rest0, share1, rest1, delta, -math.expm1(-abs(delta))) / share0
    return math.log1p(ratio) if ratio > -0.5 else math.log(share1 / share0)


@jit
def log_left_over(f, t):
    """log S, also where S underflows."""
    u = precision(t)
    total = f.rest
    per_u = 0.0
    for i in range(f.lam.shape[0]):
        share, other = shares(f.lam[i] * u)
        total += f.q[i] * share
        per_u += f.q[i] * f.lam[i] * other
    return math.log(total) if total >= _TINY else t + math.log(per_u)


@jit
def left_over_rise(f, t0, t1):
    """log(S(t1) / S(t0))."""
    u0 = precision(t0)
    u1 = precision(t1)
    delta = t1 - t0
    fall = -math.expm1(-abs(delta))
    total0 = f.rest
    total1 = f.rest
    rise = 0.0
    for i in range(f.lam.shape[0]):
        share0, rest0 = shares(f.lam[i] * u0)
        share1, rest1 = shares(f.lam[i] * u1)
        total0 += f.q[i] * share0
        total1 += f.q[i] * share1
        rise += f.q[i] * share_rise(share0, rest0, share1, rest1, delta, fall)
    if min(total0, total1) < _TINY:
        return log_left_over(f, t1) - log_left_over(f, t0)
    if abs(rise) < 0.5 * total0:
        return math.log1p(rise / total0)
    return math.log(total1 / total0)


@jit
def concave_rise(f, t0, t1):
    """The concave terms at t1 less those at t0."""
    u0 = precision(t0)
    u1 = precision(t1)
    delta = t1 - t0
    value = f.a * delta
    if f.c > 0.0:
        value += -f.c / u0 * math.expm1(-delta)
    if f.d > 0.0:
        value += -f.d / math.sqrt(u0) * math.expm1(-0.5 * delta)
    if f.e > 0.0:
        value -= f.e * odds_growth(1.0 / f.g, t0, u0, t1, u1)
    for i in range(f.lam.shape[0]):
        value += 0.5 * f.weight[i] * log_share_rise(f.lam[i], t0, u0, t1, u1)
    return value


@jit
def ratio_rise(f, t0, t1):
    """f(t1) - f(t0)."""
    return concave_rise(f, t0, t1) - f.half * left_over_rise(f, t0, t1)


@jit
def concave_tangent(f, t):
    """Derivative of the concave terms."""
    u = precision(t)
    slope = f.a
    if f.c > 0.0:
        slope += f.c / u
    if f.d > 0.0:
        slope += 0.5 * f.d / math.sqrt(u)
    if f.e > 0.0:
        slope -= f.e * shares(u / f.g)[0]
    for i in range(f.lam.shape[0]):
        slope += 0.5 * f.weight[i] * shares(f.lam[i] * u)[1]
    return slope


@jit
def end_slopes(f):
    """Slopes of f towards t = -infinity and +infinity, times the side: both positive for a proper posterior."""
    left = math.inf
    if f.c == 0.0 and f.d == 0.0:
        left = f.a + 0.5 * f.weight.sum() - (f.half if f.rest == 0.0 else 0.0)
    return left, f.e - f.a


@jit
def rises_from(f, t0, t, out):
    """f(t) - f(t0) for all points of `t`, into `out`."""
    for i in range(t.shape[0]):
        out[i] = ratio_rise(f, t0, t[i])
