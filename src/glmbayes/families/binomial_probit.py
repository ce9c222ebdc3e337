"""Terms of the probit link: l = y log Phi(eta) + (1 - y) log Phi(-eta); failures are reflected successes."""

import math
from typing import NamedTuple

from glmbayes.kernels import family_terms as terms
from glmbayes.kernels.jit import jit
from glmbayes.kernels.taylor_nodes import TAYLOR_NODES, TAYLOR_WEIGHTS
from glmbayes.kernels.truncated import log_mills, log_normal_cdf

_ROOT_HALF = math.sqrt(0.5)
_ROOT_2PI = math.sqrt(2.0 * math.pi)
_FAR = 30.0  # beyond: asymptotic series of the hazard
_QUADRATURE_BELOW = 0.5


class BinomialProbit(NamedTuple):
    """Kernel type of the binomial family with the probit link; row weights are trials."""


@jit
def hazard(x):
    """phi(x) / Phi(x), the score of log Phi."""
    if x > -10.0:
        return math.exp(-0.5 * x * x) / (_ROOT_2PI * 0.5 * math.erfc(-x * _ROOT_HALF))
    return math.exp(-log_mills(-x)) / _ROOT_2PI


@jit
def success_curvature(x):
    """-(log Phi)''(x): decreasing from 1 to 0."""
    if x < -_FAR:
        q = 1.0 / (x * x)
        return 1.0 - q * (1.0 - q * (6.0 - q * (50.0 - q * (518.0 - q * (6354.0 - q * 89782.0)))))
    h = hazard(x)
    return h * (h + x)


@jit
def success_third(x):
    """(log Phi)'''(x) >= 0."""
    if x < -_FAR:
        q = 1.0 / (x * x)
        return -q * (2.0 - q * (24.0 - q * (300.0 - q * (4144.0 - q * (63540.0 - q * 1077384.0))))) / x
    h = hazard(x)
    return h * ((h + x) * (2.0 * h + x) - 1.0)


@jit
def success_bracket(x, v):
    """log Phi(x + v) - log Phi(x) - hazard(x) v."""
    if abs(v) < _QUADRATURE_BELOW:
        s = 0.0
        for k in range(7):
            s += TAYLOR_WEIGHTS[k] * success_curvature(x + TAYLOR_NODES[k] * v)
        return -v * v * s
    if x <= 0.0 and x + v <= 0.0:  # the Gaussian factors -x^2/2 taken apart exactly
        return log_mills(-x - v) - log_mills(-x) - 0.5 * v * v - (hazard(x) + x) * v
    return log_normal_cdf(x + v) - log_normal_cdf(x) - hazard(x) * v


@terms.loglik.register(BinomialProbit)
def _(fam, eta, y):
    s = 0.0
    if y > 0.0:
        s += y * log_normal_cdf(eta)
    if y < 1.0:
        s += (1.0 - y) * log_normal_cdf(-eta)
    return s


@terms.score.register(BinomialProbit)
def _(fam, eta, y):
    s = 0.0
    if y > 0.0:
        s += y * hazard(eta)
    if y < 1.0:
        s -= (1.0 - y) * hazard(-eta)
    return s


@terms.curvature.register(BinomialProbit)
def _(fam, eta, y):
    s = 0.0
    if y > 0.0:
        s += y * success_curvature(eta)
    if y < 1.0:
        s += (1.0 - y) * success_curvature(-eta)
    return s


@terms.third.register(BinomialProbit)
def _(fam, eta, y):
    s = 0.0
    if y > 0.0:
        s += y * success_third(eta)
    if y < 1.0:
        s -= (1.0 - y) * success_third(-eta)
    return s


@terms.bracket.register(BinomialProbit)
def _(fam, eta, y, v):
    s = 0.0
    if y > 0.0:
        s += y * success_bracket(eta, v)
    if y < 1.0:
        s += (1.0 - y) * success_bracket(-eta, -v)
    return s


@terms.remainder.register(BinomialProbit)
def _(fam, eta, y, v):
    # third-order remainder: v^3/2 times the integral of (1 - s)^2 l'''(eta + s v), less its value at s = 0
    if abs(v) < _QUADRATURE_BELOW:
        at_zero = 0.0
        s = 0.0
        if y > 0.0:
            at_zero += y * success_third(eta)
        if y < 1.0:
            at_zero -= (1.0 - y) * success_third(-eta)
        for k in range(7):
            x = eta + TAYLOR_NODES[k] * v
            here = 0.0
            if y > 0.0:
                here += y * success_third(x)
            if y < 1.0:
                here -= (1.0 - y) * success_third(-x)
            s += TAYLOR_WEIGHTS[k] * (1.0 - TAYLOR_NODES[k]) * (here - at_zero)
        return 0.5 * v * v * v * s
    s = 0.0
    if y > 0.0:
        s += y * (success_bracket(eta, v) + v * v * (0.5 * success_curvature(eta) - success_third(eta) * v / 6.0))
    if y < 1.0:
        s += (1.0 - y) * (
            success_bracket(-eta, -v) + v * v * (0.5 * success_curvature(-eta) + success_third(-eta) * v / 6.0)
        )
    return s


@terms.curvature_min.register(BinomialProbit)
def _(fam, eta, y, t):
    s = 0.0
    if y > 0.0:
        s += y * success_curvature(eta + t)
    if y < 1.0:
        s += (1.0 - y) * success_curvature(t - eta)
    return s


@terms.cubic_c.register(BinomialProbit)
def _(fam, eta, y, t):
    if y == 0.0 or y == 1.0:
        return 0.5415  # half the supremum of -(log omega)'', 0.54135 near eta = 3.03
    return math.inf


@terms.fourth_bounds.register(BinomialProbit)
def _(fam, eta, y, t):
    return 0.1149, 0.1890, 0.0  # extremes 0.114836 at -0.03 and -0.188957 at 2.07 of (log Phi)''''


@terms.start_eta.register(BinomialProbit)
def _(fam, y, w):
    mu = (w * y + 0.5) / (w + 1.0)
    return 0.6 * math.log(mu / (1.0 - mu))  # logit and probit agree closely enough to start from
