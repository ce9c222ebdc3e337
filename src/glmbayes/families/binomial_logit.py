"""Terms of the logit link: l = y eta - log(1 + e^eta), y the fraction of successes."""

import math
from typing import NamedTuple

import numpy as np

from glmbayes.kernels import family_terms as terms
from glmbayes.kernels.vector_math import single_exp, vector_exp

_SERIES_BELOW = 1e-4
_ONE = np.float32(1.0)


class BinomialLogit(NamedTuple):
    """Kernel type of the binomial family with the logit link; row weights are trials."""


@terms.loglik.register(BinomialLogit)
def _(fam, eta, y):
    return y * eta - max(eta, 0.0) - math.log1p(math.exp(-abs(eta)))


@terms.score.register(BinomialLogit)
def _(fam, eta, y):
    e = math.exp(-abs(eta))
    small = e / (1.0 + e)  # the smaller of mu and 1 - mu
    if eta > 0.0:
        return small - (1.0 - y)
    return y - small


@terms.curvature.register(BinomialLogit)
def _(fam, eta, y):
    e = math.exp(-abs(eta))
    return e / ((1.0 + e) * (1.0 + e))


@terms.third.register(BinomialLogit)
def _(fam, eta, y):
    e = math.exp(-abs(eta))
    return e / ((1.0 + e) * (1.0 + e)) * math.tanh(0.5 * eta)


@terms.bracket.register(BinomialLogit)
def _(fam, eta, y, v):
    # log(1 + mu (e^v - 1)) - mu v, on the side where mu <= 1/2 (the function is even in (eta, v))
    e = math.exp(-abs(eta))
    small = e / (1.0 + e)
    t = -v if eta > 0.0 else v
    if abs(t) < _SERIES_BELOW:
        omega = small * (1.0 - small)
        return -0.5 * omega * t * t * (1.0 + (1.0 - 2.0 * small) * t / 3.0 + (1.0 - 6.0 * omega) * t * t / 12.0)
    if t > 30.0:
        return -(t + math.log(small + (1.0 - small) * math.exp(-t)) - small * t)
    return -(math.log1p(small * math.expm1(t)) - small * t)


@terms.remainder.register(BinomialLogit)
def _(fam, eta, y, v):
    e = math.exp(-abs(eta))
    small = e / (1.0 + e)
    t = -v if eta > 0.0 else v
    o = small * (1.0 - small)
    d = 1.0 - 2.0 * small
    if abs(t) < 0.1:  # derivatives of omega, orders 2 to 8
        s = (1.0 + o * (-126.0 + o * (1680.0 - 5040.0 * o))) * t / 8.0
        s = (d * (1.0 + o * (-60.0 + 360.0 * o)) + s) * t / 7.0
        s = ((1.0 + o * (-30.0 + 120.0 * o)) + s) * t / 6.0
        s = (d * (1.0 - 12.0 * o) + s) * t / 5.0
        return -o * ((1.0 - 6.0 * o) + s) * t * t * t * t / 24.0
    if t > 30.0:
        log_ratio = t + math.log(small + (1.0 - small) * math.exp(-t))
    else:
        log_ratio = math.log1p(small * math.expm1(t))
    return -(log_ratio - small * t) + o * t * t * (0.5 + d * t / 6.0)


@terms.curvature_min.register(BinomialLogit)
def _(fam, eta, y, t):
    e = math.exp(-(abs(eta) + t))
    return e / ((1.0 + e) * (1.0 + e))


@terms.cubic_c.register(BinomialLogit)
def _(fam, eta, y, t):
    # log omega(eta + s) = log omega(eta) - g s - c(s) s^2, c(s) = -2 bracket(s) / s^2 the average of omega in between,
    # weights 2 (1 - u): largest towards 0, rising up to s = 2 |eta| and falling beyond (omega is even and unimodal)
    a = abs(eta)
    e = math.exp(-max(a - t, 0.0))
    nearest = e / ((1.0 + e) * (1.0 + e))
    s = min(t, 2.0 * a)
    if s < 0.01:
        return nearest
    if s > 30.0:
        return min(nearest, math.tanh(0.5 * a) / (2.0 * a))  # the largest of all
    e = math.exp(-a)
    small = e / (1.0 + e)
    return min(nearest, 2.0 * (math.log1p(small * math.expm1(s)) - small * s) / (s * s) * (1.0 + 1e-12))


@terms.fourth_bounds.register(BinomialLogit)
def _(fam, eta, y, t):
    # omega'' = omega (1 - 6 omega), omega at most `top` on the interval
    e = math.exp(-max(abs(eta) - t, 0.0))
    top = e / ((1.0 + e) * (1.0 + e))
    return max(top * (6.0 * top - 1.0), 0.0), top * (1.0 - 6.0 * top) if top < 1.0 / 12.0 else 1.0 / 24.0, 0.0


@terms.start_eta.register(BinomialLogit)
def _(fam, y, w):
    mu = (w * y + 0.5) / (w + 1.0)
    return math.log(mu / (1.0 - mu))


@terms.row_constant.register(BinomialLogit)
def _(fam, eta, y):
    e = math.exp(-abs(eta))
    small = e / (1.0 + e)
    return -small if eta > 0.0 else small


@terms.bracket_at.register(BinomialLogit)
def _(fam, constant, eta, y, v):
    # as `bracket`; abs(constant) is the smaller of mu and 1 - mu, its sign the side
    small = abs(constant)
    t = -v if constant < 0.0 else v
    if abs(t) < _SERIES_BELOW:
        omega = small * (1.0 - small)
        series = 1.0 + (1.0 - 2.0 * small) * t / 3.0 + (1.0 - 6.0 * omega) * t * t / 12.0
        return -0.5 * omega * t * t * series
    if t > 30.0:
        return -(t + math.log(small + (1.0 - small) * math.exp(-t)) - small * t)
    return -(math.log1p(small * math.expm1(t)) - small * t)


@terms.quick_parts.register(BinomialLogit)
def _(fam, constant, v):
    small = abs(constant)
    t = math.copysign(1.0, constant) * v
    return small * t, 1.0 + small * (vector_exp(t) - 1.0)


@terms.single_parts.register(BinomialLogit)
def _(fam, constant, v):
    small = abs(constant)
    t = np.copysign(_ONE, constant) * v
    return small * t, _ONE + small * (single_exp(t) - _ONE)
