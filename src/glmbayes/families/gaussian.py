"""Normal responses with the identity link; dispersion is the residual variance."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import special

from glmbayes.families.base import Family, require_link
from glmbayes.kernels import family_terms as terms


class GaussianIdentity(NamedTuple):
    """Kernel type of the Gaussian family with the identity link; row weights are w / dispersion."""


@terms.loglik.register(GaussianIdentity)
def _(fam, eta, y):
    return -0.5 * (y - eta) * (y - eta)


@terms.score.register(GaussianIdentity)
def _(fam, eta, y):
    return y - eta


@terms.curvature.register(GaussianIdentity)
def _(fam, eta, y):
    return 1.0


@terms.third.register(GaussianIdentity)
def _(fam, eta, y):
    return 0.0


@terms.bracket.register(GaussianIdentity)
def _(fam, eta, y, v):
    return -0.5 * v * v


@terms.remainder.register(GaussianIdentity)
def _(fam, eta, y, v):
    return 0.0


@terms.curvature_min.register(GaussianIdentity)
def _(fam, eta, y, t):
    return 1.0


@terms.cubic_c.register(GaussianIdentity)
def _(fam, eta, y, t):
    return 0.0


@terms.fourth_bounds.register(GaussianIdentity)
def _(fam, eta, y, t):
    return 0.0, 0.0, 0.0


@terms.start_eta.register(GaussianIdentity)
def _(fam, y, w):
    return y


@terms.quick_parts.register(GaussianIdentity)
def _(fam, constant, v):
    return -0.5 * v * v, 1.0


@dataclass(frozen=True)
class Gaussian(Family):
    """Gaussian family; see `gaussian`."""

    kernel = GaussianIdentity()
    self_concordant = True
    has_dispersion = True

    def linkfun(self, mu):
        return np.asarray(mu, dtype=float)

    def linkinv(self, eta):
        return np.asarray(eta, dtype=float)

    def mu_eta(self, eta):
        return np.ones_like(eta, dtype=float)

    def variance(self, mu):
        return np.ones_like(mu, dtype=float)

    def deviance(self, y, mu, weights=1.0):
        return weights * np.square(y - mu)

    def check_response(self, y):
        """Every finite number is allowed."""

    def random(self, rng, mu, weights=1.0, dispersion=1.0):
        """Rows of weight w have variance dispersion / w."""
        return rng.normal(mu, np.sqrt(dispersion / weights))

    def cdf_limits(self, y, mu, weights=1.0, dispersion=1.0):
        both = special.ndtr((y - mu) / np.sqrt(dispersion))
        return both, both

    def log_term(self, y, eta):
        return -0.5 * (y - eta) ** 2

    def log_base(self, y, weights, dispersion=1.0):
        """Frequency weights: w repeats of the row, each of variance `dispersion`."""
        return -0.5 * np.log(2.0 * math.pi * dispersion) * np.broadcast_to(weights, np.shape(y))


def gaussian(link="identity"):
    """The Gaussian family.

    Parameters
    ----------
    link : {"identity"}

    Examples
    --------
    >>> from glmbayes.families import gaussian
    >>> gaussian().variance(3.0)
    array(1.)
    """
    require_link("gaussian", link, ("identity",))
    return Gaussian("gaussian", "identity")
