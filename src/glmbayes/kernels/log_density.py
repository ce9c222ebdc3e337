"""The density of the log precision t = log u, u = 1 / dispersion, that exact draws are made from.

With beta integrated out of an independent normal prior, the log density of t is, up to a constant,

    f(t) = a t - b u - c / u - d / u^1/2 - e log(1 + u / g) - 1/2 sum_i log(1 + lambda_i u) - sum_i k_i S_i(t),

S_i(t) = lambda_i u / (1 + lambda_i u), a logistic function of t.  a ... g collect the prior on the precision (or on the
residual standard deviation), the Jacobian and the likelihood; k_i = z_i^2 / (2 lambda_i).

Coefficients can be large (a = 1e8 rows, k = 1e10 in a prior-data conflict), so values of f lose digits.  Everything
below is a difference of two values of f, or of f and a line, term by term free of cancellation.
"""

import math
from typing import NamedTuple

import numpy as np

from glmbayes.kernels.jit import jit

_HUGE = 1e250  # odds above it enter by their logarithm


class LogDensity(NamedTuple):
    """A log density of t = log u, u = 1 / dispersion, restricted to lower <= t <= upper.

    Up to a constant,

        f(t) = a t - b u - c / u - d / u^1/2 - e log(1 + u / g) - 1/2 sum_i log(1 + lam_i u) - sum_i k_i S_i(t)

    with S_i(t) = lam_i u / (1 + lam_i u): a gamma precision of shape a and rate b, and what priors on the standard
    deviation and coefficients integrated out add to it.

    Attributes
    ----------
    a, b, c, d, e, g : float
        b, c, d and e are not negative; g is positive.
    lam, k : (m,) arrays
        Positive, and not negative.
    lower, upper : float
        May be infinite.

    Examples
    --------
    A precision with a Gamma(3, 2) density, whose mean is 1.5:

    >>> import numpy as np
    >>> from glmbayes import kernels
    >>> none = np.empty(0)
    >>> f = kernels.LogDensity(3.0, 2.0, 0.0, 0.0, 0.0, 1.0, none, none, -np.inf, np.inf)
    >>> envelope = kernels.new_envelope()
    >>> kernels.build_envelope(f, envelope)
    0
    >>> uniforms = np.random.default_rng(1).random(30_000)
    >>> t, candidates = np.empty(5_000), np.zeros(5_000, np.int64)
    >>> kernels.draw_log_precisions(f, envelope, uniforms, t, candidates, 0)
    (5000, 0)
    >>> bool(abs(np.exp(t).mean() - 1.5) < 0.06)
    True
    """

    a: float
    b: float
    c: float
    d: float
    e: float
    g: float
    lam: np.ndarray
    k: np.ndarray
    lower: float
    upper: float


@jit
def precision(t):
    """exp(t) without overflow."""
    return math.exp(min(t, 709.0))


@jit
def shares(odds):
    """(S, 1 - S) for S = odds / (1 + odds), both to full relative precision."""
    rest = 1.0 / (1.0 + odds)
    return (odds * rest if odds < 1.0 else 1.0 - rest), rest


@jit
def share_rise(share0, rest0, share1, rest1, delta, fall):
    """S(t0 + delta) - S(t0), where fall = 1 - exp(-|delta|)."""
    return share1 * rest0 * fall if delta >= 0.0 else -share0 * rest1 * fall


@jit
def odds_growth(lam, t0, u0, t1, u1):
    """log((1 + lam u1) / (1 + lam u0))."""
    high = lam * u1
    low = lam * u0
    if high > _HUGE or low > _HUGE:
        log_lam = math.log(lam)
        return max(log_lam + t1, 0.0) - max(log_lam + t0, 0.0)
    return math.log((1.0 + high) / (1.0 + low))


@jit
def log_growth(f, t0, u0, t1, u1):
    """sum_i log((1 + lambda_i u1) / (1 + lambda_i u0)), with one logarithm for all."""
    total = 0.0
    product = 1.0
    for i in range(f.lam.shape[0]):
        high = f.lam[i] * u1
        low = f.lam[i] * u0
        if high > _HUGE or low > _HUGE:
            total += odds_growth(f.lam[i], t0, u0, t1, u1)
            continue
        product *= (1.0 + high) / (1.0 + low)
        if product > 1e50 or product < 1e-50:
            total += math.log(product)
            product = 1.0
    return total + math.log(product)


@jit
def rise(f, t0, t1):
    """f(t1) - f(t0)."""
    u0 = precision(t0)
    u1 = precision(t1)
    delta = t1 - t0
    fall = -math.expm1(-abs(delta))
    up = delta >= 0.0
    value = f.a * delta - 0.5 * log_growth(f, t0, u0, t1, u1)
    if f.b > 0.0:
        value -= f.b * (u1 * fall if up else -u0 * fall)
    if f.c > 0.0:
        value += f.c * (fall / u0 if up else -fall / u1)
    if f.d > 0.0:
        half = -math.expm1(-0.5 * abs(delta))
        value += f.d * (half / math.sqrt(u0) if up else -half / math.sqrt(u1))
    if f.e > 0.0:
        value -= f.e * odds_growth(1.0 / f.g, t0, u0, t1, u1)
    for i in range(f.k.shape[0]):
        share0, rest0 = shares(f.lam[i] * u0)
        share1, rest1 = shares(f.lam[i] * u1)
        value -= f.k[i] * share_rise(share0, rest0, share1, rest1, delta, fall)
    return value


@jit
def derivatives(f, t):
    """First and second derivative of f."""
    u = precision(t)
    first = f.a
    second = 0.0
    if f.b > 0.0:
        first -= f.b * u
        second -= f.b * u
    if f.c > 0.0:
        first += f.c / u
        second -= f.c / u
    if f.d > 0.0:
        root = f.d / math.sqrt(u)
        first += 0.5 * root
        second -= 0.25 * root
    if f.e > 0.0:
        share, rest = shares(u / f.g)
        first -= f.e * share
        second -= f.e * share * rest
    for i in range(f.k.shape[0]):
        share, rest = shares(f.lam[i] * u)
        q = share * rest
        first -= 0.5 * share + f.k[i] * q
        second -= 0.5 * q + f.k[i] * q * (rest - share)
    return first, second


@jit
def concave_slope(f, u):
    """Derivative at t = log u of the terms that are concave everywhere: all but the k_i S_i."""
    slope = f.a - f.b * u
    if f.c > 0.0:
        slope += f.c / u
    if f.d > 0.0:
        slope += 0.5 * f.d / math.sqrt(u)
    if f.e > 0.0:
        slope -= f.e * shares(u / f.g)[0]
    for i in range(f.lam.shape[0]):
        slope -= 0.5 * shares(f.lam[i] * u)[0]
    return slope


@jit
def _exp_gap(x):
    """exp(x) - 1 - x, to an absolute error of a few |x| units of rounding."""
    return math.expm1(min(x, 709.0)) - x


@jit
def concave_gap(f, touch, u_touch, t, u):
    """The concave terms at t minus their tangent from `touch`; <= 0."""
    delta = t - touch
    gap = 0.0
    if f.b > 0.0 and u_touch > 0.0:
        gap -= f.b * u_touch * _exp_gap(delta)
    if f.c > 0.0:
        gap -= f.c / u_touch * _exp_gap(-delta)
    if f.d > 0.0:
        gap -= f.d / math.sqrt(u_touch) * _exp_gap(-0.5 * delta)
    if f.e > 0.0:
        gap -= f.e * (odds_growth(1.0 / f.g, touch, u_touch, t, u) - shares(u_touch / f.g)[0] * delta)
    tangent = 0.0
    for i in range(f.lam.shape[0]):
        tangent += shares(f.lam[i] * u_touch)[0]
    return gap - 0.5 * (log_growth(f, touch, u_touch, t, u) - tangent * delta)
