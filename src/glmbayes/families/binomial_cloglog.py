"""Terms of the complementary log-log link: l = y log(1 - e^-q) - (1 - y) q with q = e^eta."""

import math
from typing import NamedTuple

from glmbayes.kernels import family_terms as terms
from glmbayes.kernels.jit import jit
from glmbayes.kernels.series import exp_tail2, exp_tail4
from glmbayes.kernels.taylor_nodes import TAYLOR_NODES, TAYLOR_WEIGHTS

_SMALL = 0.1  # below: Bernoulli series of q / (e^q - 1) = 1 - q/2 + q^2/12 - q^4/720 + q^6/30240 - q^8/1209600
_LARGE = 740.0  # above: e^-q underflows
_QUADRATURE_BELOW = 0.5


class BinomialCloglog(NamedTuple):
    """Kernel type of the binomial family with the complementary log-log link; row weights are trials."""


@jit
def success_loglik_excess(eta):
    """log(1 - e^-q) - eta."""
    q = math.exp(eta)
    if q < _SMALL:
        q2 = q * q
        return -0.5 * q + q2 / 24.0 * (1.0 - q2 / 120.0 * (1.0 - q2 / 63.0))
    return math.log(-math.expm1(-q)) - eta


@jit
def success_loglik(eta):
    """log(1 - e^-q)."""
    if eta > 0.0:
        return math.log1p(-math.exp(-math.exp(eta)))
    return success_loglik_excess(eta) + eta


@jit
def success_score(eta):
    """q / (e^q - 1)."""
    q = math.exp(eta)
    if q > _LARGE:
        return 0.0
    if q < 1e-300:
        return 1.0
    return q / math.expm1(q)


@jit
def success_curvature(eta):
    """-(log(1 - e^-q))'' in eta."""
    q = math.exp(eta)
    if q < _SMALL:
        q2 = q * q
        return q * (0.5 - q * (1.0 / 6.0 - q2 * (1.0 / 180.0 - q2 * (1.0 / 5040.0 - q2 / 151200.0))))
    if q > _LARGE:
        return 0.0
    u = q / math.expm1(q)
    return u * (u + q - 1.0)


@jit
def success_third(eta):
    """(log(1 - e^-q))''' in eta."""
    q = math.exp(eta)
    if q < _SMALL:
        q2 = q * q
        return -q * (0.5 - q * (1.0 / 3.0 - q2 * (1.0 / 45.0 - q2 * (1.0 / 840.0 - q2 / 18900.0))))
    if q > _LARGE:
        return 0.0
    u = q / math.expm1(q)
    a = u + q - 1.0
    return u * (a * (a + u) - q)


@jit
def success_bracket(eta, v):
    """L(eta + v) - L(eta) - L'(eta) v for L = log(1 - e^-q)."""
    if abs(v) < _QUADRATURE_BELOW:
        s = 0.0
        for k in range(7):
            s += TAYLOR_WEIGHTS[k] * success_curvature(eta + TAYLOR_NODES[k] * v)
        return -v * v * s
    slope = success_score(eta)
    if eta <= 0.0:  # L = eta + excess: the linear part drops out
        q = math.exp(eta)
        excess_slope = -success_curvature_over_q(q) * q
        return success_loglik_excess(eta + v) - success_loglik_excess(eta) - excess_slope * v
    return success_loglik(eta + v) - success_loglik(eta) - slope * v


@jit
def success_curvature_over_q(q):
    """(1 - q / (e^q - 1)) / q."""
    if q < _SMALL:
        q2 = q * q
        return 0.5 - q / 12.0 * (1.0 - q2 / 60.0 * (1.0 - q2 / 42.0))
    return (1.0 - q / math.expm1(q)) / q


@terms.loglik.register(BinomialCloglog)
def _(fam, eta, y):
    s = 0.0
    if y > 0.0:
        s += y * success_loglik(eta)
    if y < 1.0:
        s -= (1.0 - y) * math.exp(eta)
    return s


@terms.score.register(BinomialCloglog)
def _(fam, eta, y):
    s = 0.0
    if y > 0.0:
        s += y * success_score(eta)
    if y < 1.0:
        s -= (1.0 - y) * math.exp(eta)
    return s


@terms.curvature.register(BinomialCloglog)
def _(fam, eta, y):
    s = 0.0
    if y > 0.0:
        s += y * success_curvature(eta)
    if y < 1.0:
        s += (1.0 - y) * math.exp(eta)
    return s


@terms.third.register(BinomialCloglog)
def _(fam, eta, y):
    s = 0.0
    if y > 0.0:
        s += y * success_third(eta)
    if y < 1.0:
        s -= (1.0 - y) * math.exp(eta)
    return s


@terms.bracket.register(BinomialCloglog)
def _(fam, eta, y, v):
    s = 0.0
    if y > 0.0:
        s += y * success_bracket(eta, v)
    if y < 1.0:
        s -= (1.0 - y) * math.exp(eta) * exp_tail2(v)
    return s


@terms.remainder.register(BinomialCloglog)
def _(fam, eta, y, v):
    s = 0.0
    if y > 0.0:
        at_zero = success_third(eta)
        if abs(v) < _QUADRATURE_BELOW:
            t = 0.0
            for k in range(7):
                here = success_third(eta + TAYLOR_NODES[k] * v)
                t += TAYLOR_WEIGHTS[k] * (1.0 - TAYLOR_NODES[k]) * (here - at_zero)
            s += y * 0.5 * v * v * v * t
        else:
            s += y * (success_bracket(eta, v) + v * v * (0.5 * success_curvature(eta) - at_zero * v / 6.0))
    if y < 1.0:
        s -= (1.0 - y) * math.exp(eta) * exp_tail4(v)
    return s


@terms.curvature_min.register(BinomialCloglog)
def _(fam, eta, y, t):
    s = 0.0
    if y > 0.0:  # unimodal: the smaller end
        s += y * min(success_curvature(eta - t), success_curvature(eta + t))
    if y < 1.0:
        s += (1.0 - y) * math.exp(eta - t)
    return s


@terms.cubic_c.register(BinomialCloglog)
def _(fam, eta, y, t):
    if y == 0.0:
        return 0.0
    return math.inf


@terms.fourth_bounds.register(BinomialCloglog)
def _(fam, eta, y, t):
    # a success: extremes 0.698197 at 0.91 and -0.661413 at 1.85; a failure: -e^eta
    growing = 0.0
    if y < 1.0:
        growing = (1.0 - y) * math.exp(eta)
    return 0.6983 * y, 0.6615 * y, growing


@terms.start_eta.register(BinomialCloglog)
def _(fam, y, w):
    mu = (w * y + 0.5) / (w + 1.0)
    return math.log(-math.log1p(-mu))
