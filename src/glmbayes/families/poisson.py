"""Poisson counts with the log link; exposure enters through the offset."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import special

from glmbayes.families.base import Family, SingleMean, require_link, require_rows
from glmbayes.kernels import family_terms as terms
from glmbayes.kernels.series import exp_tail2, exp_tail4
from glmbayes.kernels.vector_math import vector_exp


class PoissonLog(NamedTuple):
    """Kernel type of the Poisson family with the log link."""


@terms.loglik.register(PoissonLog)
def _(fam, eta, y):
    return y * eta - math.exp(eta)


@terms.score.register(PoissonLog)
def _(fam, eta, y):
    return y - math.exp(eta)


@terms.curvature.register(PoissonLog)
def _(fam, eta, y):
    return math.exp(eta)


@terms.third.register(PoissonLog)
def _(fam, eta, y):
    return -math.exp(eta)


@terms.bracket.register(PoissonLog)
def _(fam, eta, y, v):
    return -math.exp(eta) * exp_tail2(v)


@terms.remainder.register(PoissonLog)
def _(fam, eta, y, v):
    return -math.exp(eta) * exp_tail4(v)


@terms.curvature_min.register(PoissonLog)
def _(fam, eta, y, t):
    return math.exp(eta - t)


@terms.cubic_c.register(PoissonLog)
def _(fam, eta, y, t):
    return 0.0


@terms.fourth_bounds.register(PoissonLog)
def _(fam, eta, y, t):
    return 0.0, 0.0, math.exp(eta)


@terms.start_eta.register(PoissonLog)
def _(fam, y, w):
    return math.log(y + 0.5 / (1.0 + w))


@terms.row_constant.register(PoissonLog)
def _(fam, eta, y):
    return math.exp(eta)


@terms.bracket_at.register(PoissonLog)
def _(fam, constant, eta, y, v):
    return -constant * exp_tail2(v)


@terms.quick_parts.register(PoissonLog)
def _(fam, constant, v):
    return -constant * (vector_exp(v) - 1.0 - v), 1.0


@dataclass(frozen=True)
class Poisson(Family):
    """Poisson family; see `poisson`."""

    kernel = PoissonLog()
    self_concordant = True

    def linkfun(self, mu):
        return np.log(mu)

    def linkinv(self, eta):
        return np.exp(eta)

    def mu_eta(self, eta):
        return np.exp(eta)

    def variance(self, mu):
        return np.asarray(mu, dtype=float)

    def deviance(self, y, mu, weights=1.0):
        return 2.0 * weights * (special.xlogy(y, y) - special.xlogy(y, mu) - (y - mu))

    def check_response(self, y):
        require_rows(y >= 0, y, self, "a count, zero or more")

    def random(self, rng, mu, weights=1.0, dispersion=1.0):
        return rng.poisson(mu).astype(float)

    def cdf_limits(self, y, mu, weights=1.0, dispersion=1.0):
        count = np.floor(y)
        low = np.where(count < 1.0, 0.0, special.gammaincc(np.maximum(count, 1e-300), mu))
        return low, special.gammaincc(count + 1.0, mu)

    def log_term(self, y, eta):
        return y * eta - np.exp(eta)

    def log_base(self, y, weights, dispersion=1.0):
        return -weights * special.gammaln(y + 1.0)


class PoissonMean(SingleMean, Poisson):
    """Poisson responses of one mean; the coefficient is that mean."""

    conjugate_prior = "dGamma(shape, rate, Inv_Dispersion=False)"
    usual_link = "log"

    def log_term(self, y, eta):
        return special.xlogy(y, eta) - eta


def poisson(link="log"):
    """The Poisson family.

    Parameters
    ----------
    link : {"log", "identity"}
        "identity" is the model of a single mean, for the conjugate prior ``dGamma(shape, rate, Inv_Dispersion=False)``.

    Examples
    --------
    >>> from glmbayes.families import poisson
    >>> poisson().linkinv(0.0)
    np.float64(1.0)
    """
    require_link("poisson", link, ("log", "identity"))
    return PoissonMean("poisson", link) if link == "identity" else Poisson("poisson", "log")


def quasipoisson(link="log"):
    """Poisson log-likelihood divided by a known dispersion (variance = dispersion times the mean)."""
    require_link("quasipoisson", link, ("log",))
    return Poisson("quasipoisson", "log", quasi=True)
