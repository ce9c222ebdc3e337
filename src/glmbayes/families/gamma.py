"""Gamma responses with the log link: variance = dispersion * mean^2, dispersion = 1 / shape."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import special

from glmbayes.families.base import Family, SingleMean, require_link, require_rows
from glmbayes.kernels import family_terms as terms
from glmbayes.kernels.series import exp_tail2, exp_tail4
from glmbayes.kernels.vector_math import vector_exp


class GammaLog(NamedTuple):
    """Kernel type of the Gamma family with the log link; row weights are shapes, w / dispersion."""


@terms.loglik.register(GammaLog)
def _(fam, eta, y):
    return -eta - y * math.exp(-eta)


@terms.score.register(GammaLog)
def _(fam, eta, y):
    return y * math.exp(-eta) - 1.0


@terms.curvature.register(GammaLog)
def _(fam, eta, y):
    return y * math.exp(-eta)


@terms.third.register(GammaLog)
def _(fam, eta, y):
    return y * math.exp(-eta)


@terms.bracket.register(GammaLog)
def _(fam, eta, y, v):
    return -y * math.exp(-eta) * exp_tail2(-v)


@terms.remainder.register(GammaLog)
def _(fam, eta, y, v):
    return -y * math.exp(-eta) * exp_tail4(-v)


@terms.curvature_min.register(GammaLog)
def _(fam, eta, y, t):
    return y * math.exp(-eta - t)


@terms.cubic_c.register(GammaLog)
def _(fam, eta, y, t):
    return 0.0


@terms.fourth_bounds.register(GammaLog)
def _(fam, eta, y, t):
    return 0.0, 0.0, y * math.exp(-eta)


@terms.start_eta.register(GammaLog)
def _(fam, y, w):
    return math.log(y)


@terms.row_constant.register(GammaLog)
def _(fam, eta, y):
    return y * math.exp(-eta)


@terms.bracket_at.register(GammaLog)
def _(fam, constant, eta, y, v):
    return -constant * exp_tail2(-v)


@terms.quick_parts.register(GammaLog)
def _(fam, constant, v):
    return -constant * (vector_exp(-v) - 1.0 + v), 1.0


@dataclass(frozen=True)
class Gamma_(Family):
    """Gamma family; see `gamma`."""

    kernel = GammaLog()
    self_concordant = True
    has_dispersion = True
    scales_with_weights = True

    def linkfun(self, mu):
        return np.log(mu)

    def linkinv(self, eta):
        return np.exp(eta)

    def mu_eta(self, eta):
        return np.exp(eta)

    def variance(self, mu):
        return np.square(mu)

    def deviance(self, y, mu, weights=1.0):
        ratio = y / mu
        return 2.0 * weights * (ratio - 1.0 - np.log(ratio))

    def check_response(self, y):
        require_rows(y > 0, y, self, "positive")

    def random(self, rng, mu, weights=1.0, dispersion=1.0):
        shape = weights / dispersion
        return rng.gamma(shape, mu / shape)

    def cdf_limits(self, y, mu, weights=1.0, dispersion=1.0):
        shape = weights / dispersion
        both = special.gammainc(shape, shape * y / mu)
        return both, both

    def log_term(self, y, eta):
        return -(y * np.exp(-eta) + eta)

    def log_base(self, y, weights, dispersion=1.0):
        shape, y = np.broadcast_arrays(weights / dispersion, y)
        return shape * np.log(shape) + (shape - 1.0) * np.log(y) - special.gammaln(shape)


class GammaRateFamily(SingleMean, Gamma_):
    """Gamma responses of one mean, their shapes known; the coefficient is the rate, one over the mean."""

    conjugate_prior = "dGamma(shape, rate, Inv_Dispersion=False)"
    usual_link = "log"

    def linkfun(self, mu):
        return 1.0 / np.asarray(mu, dtype=float)

    def linkinv(self, eta):
        with np.errstate(divide="ignore"):
            return 1.0 / np.asarray(eta, dtype=float)

    def mu_eta(self, eta):
        return -1.0 / np.square(eta)

    def log_term(self, y, eta):
        return np.log(eta) - y * eta


def gamma(link="log"):
    """The Gamma family (R's ``Gamma``): dispersion = 1 / shape.

    Parameters
    ----------
    link : {"log", "inverse", "identity"}
        "inverse" is the model of a single rate, one over the mean, for the conjugate prior ``dGamma(shape, rate,
        Inv_Dispersion=False)``; R's glmbayes calls it "identity", which is taken as another name.

    Examples
    --------
    >>> from glmbayes.families import gamma
    >>> gamma().variance(2.0)
    np.float64(4.0)
    """
    require_link("Gamma", link, ("log", "inverse", "identity"))
    return Gamma_("Gamma", link) if link == "log" else GammaRateFamily("Gamma", "inverse")
