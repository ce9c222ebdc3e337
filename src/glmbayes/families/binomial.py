"""Binomial responses as fractions of successes; the row's weight is its number of trials, whole or not."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy import special

from glmbayes.errors import InputError
from glmbayes.families.base import Family, SingleMean, require_link, require_rows
from glmbayes.families.binomial_cloglog import BinomialCloglog
from glmbayes.families.binomial_logit import BinomialLogit
from glmbayes.families.binomial_probit import BinomialProbit

_ROOT_2PI = np.sqrt(2.0 * np.pi)


def _log1mexp(x):
    """log(1 - exp(-x)) for x > 0, accurate at both ends."""
    with np.errstate(divide="ignore"):
        return np.where(x < 0.7, np.log(-np.expm1(-x)), np.log1p(-np.exp(-x)))


def _times(weight, log_probability):
    """weight * log_probability, 0 where the weight is 0."""
    return np.where(weight == 0.0, 0.0, weight * np.where(weight == 0.0, 0.0, log_probability))


@dataclass(frozen=True)
class _Link:
    """A link: mean to linear predictor, back, and the derivative of the way back."""

    kernel: tuple
    linkfun: object
    linkinv: object
    mu_eta: object
    log_probabilities: object  # of success and of failure
    self_concordant: bool


_LINKS = {
    "logit": _Link(
        BinomialLogit(),
        special.logit,
        special.expit,
        lambda eta: special.expit(eta) * special.expit(-eta),
        lambda eta: (-np.logaddexp(0.0, -eta), -np.logaddexp(0.0, eta)),
        True,
    ),
    "probit": _Link(
        BinomialProbit(),
        special.ndtri,
        special.ndtr,
        lambda eta: np.exp(-0.5 * np.square(eta)) / _ROOT_2PI,
        lambda eta: (special.log_ndtr(eta), special.log_ndtr(-eta)),
        False,
    ),
    "cloglog": _Link(
        BinomialCloglog(),
        lambda mu: np.log(-np.log1p(-np.asarray(mu))),
        lambda eta: -np.expm1(-np.exp(eta)),
        lambda eta: np.exp(eta - np.exp(eta)),
        lambda eta: (_log1mexp(np.exp(eta)), -np.exp(eta)),
        False,
    ),
}


@dataclass(frozen=True)
class Binomial(Family):
    """Binomial family; see `binomial`."""

    LINKS: ClassVar[tuple] = tuple(_LINKS)
    scales_with_weights: ClassVar[bool] = True

    @property
    def kernel(self):
        return _LINKS[self.link].kernel

    @property
    def self_concordant(self):
        return _LINKS[self.link].self_concordant

    def linkfun(self, mu):
        return _LINKS[self.link].linkfun(mu)

    def linkinv(self, eta):
        return _LINKS[self.link].linkinv(eta)

    def mu_eta(self, eta):
        return _LINKS[self.link].mu_eta(eta)

    def variance(self, mu):
        mu = np.asarray(mu, dtype=float)
        return mu * (1.0 - mu)

    def deviance(self, y, mu, weights=1.0):
        y = np.asarray(y, dtype=float)
        fit = special.xlogy(y, mu) + special.xlog1py(1.0 - y, -np.asarray(mu))
        return 2.0 * weights * (special.xlogy(y, y) + special.xlog1py(1.0 - y, -y) - fit)

    def check_response(self, y):
        y = np.asarray(y)
        require_rows((y >= 0) & (y <= 1), y, self, "a fraction of successes, from 0 to 1 (weights = trials)")

    def random(self, rng, mu, weights=1.0, dispersion=1.0):
        trials = np.rint(weights)
        if np.any(trials != weights):
            raise InputError("weights must be whole numbers of trials to draw binomial responses")
        return rng.binomial(trials.astype(np.int64), mu) / trials

    def cdf_limits(self, y, mu, weights=1.0, dispersion=1.0):
        trials = np.broadcast_to(weights, np.shape(y))
        successes = np.floor(trials * y + 1e-9)
        failures = trials - successes
        # the regularised incomplete beta function: trials need not be whole
        tail = special.betainc(np.maximum(failures, 1e-300), successes + 1.0, 1.0 - mu)
        below = special.betainc(failures + 1.0, np.maximum(successes, 1e-300), 1.0 - mu)
        low, high = np.where(successes <= 0.0, 0.0, below), np.where(failures <= 0.0, 1.0, tail)
        return low, high

    def log_term(self, y, eta):
        log_success, log_failure = _LINKS[self.link].log_probabilities(eta)
        y = np.asarray(y, dtype=float)
        return _times(y, log_success) + _times(1.0 - y, log_failure)

    def log_base(self, y, weights, dispersion=1.0):
        y = np.asarray(y, dtype=float)
        a, b = weights * y + 1.0, weights * (1.0 - y) + 1.0
        return special.gammaln(a + b - 1.0) - special.gammaln(a) - special.gammaln(b)


class BinomialProbability(SingleMean, Binomial):
    """Binomial responses of one probability; the coefficient is that probability."""

    conjugate_prior = "dBeta(shape1, shape2)"
    usual_link = "logit"

    def log_term(self, y, eta):
        y = np.asarray(y, dtype=float)
        return special.xlogy(y, eta) + special.xlog1py(1.0 - y, -np.asarray(eta))


def binomial(link="logit"):
    """The binomial family.

    Parameters
    ----------
    link : {"logit", "probit", "cloglog", "identity"}
        "identity" is the model of a single probability, for the conjugate prior `dBeta`.

    Examples
    --------
    >>> from glmbayes.families import binomial
    >>> binomial(link="probit").linkinv(0.0)
    np.float64(0.5)
    """
    require_link("binomial", link, (*Binomial.LINKS, "identity"))
    if link == "identity":
        return BinomialProbability("binomial", link)
    return Binomial("binomial", link)


def quasibinomial(link="logit"):
    """Binomial log-likelihood divided by a known dispersion."""
    require_link("quasibinomial", link, Binomial.LINKS)
    return Binomial("quasibinomial", link, quasi=True)
