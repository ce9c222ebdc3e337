"""Conjugate priors for models of a single mean: the coefficient is the response distribution's own parameter."""

import math
from typing import ClassVar

import numpy as np
from scipy import special

from glmbayes.checks import count, scalar
from glmbayes.errors import InputError
from glmbayes.priors.base import Prior, PriorDraws, set_field
from glmbayes.random import generator


class Multiple:
    """Distribution of multiples c_i of a parameter with a Beta or Gamma distribution; see `posteriors.mixture`.

    Attributes
    ----------
    law : Conjugate
    factors : (k,) array
    """

    def __init__(self, law, factors):
        self.law, self.factors = law, np.asarray(factors, dtype=float)

    def location(self):
        """Means and standard deviations (k,)."""
        return self.factors * self.law.mean, np.abs(self.factors) * math.sqrt(self.law.variance)

    def cdf(self, values):
        """P(c_i parameter <= values_i) for values (k,)."""
        with np.errstate(divide="ignore", invalid="ignore"):
            below = self.law.cdf(values / self.factors)
        below = np.where(self.factors < 0.0, 1.0 - below, below)
        return np.where(self.factors == 0.0, np.asarray(values) >= 0.0, below)

    def pdf(self, values):
        """Density of multiple i at values_i, for values (k,) or (m, k)."""
        return self.law.pdf(np.asarray(values) / self.factors) / np.abs(self.factors)

    def quantile(self, probability):
        """Quantiles (k,) at one probability."""
        return self.factors * self.law.quantile(np.where(self.factors < 0.0, 1.0 - probability, probability))


class Conjugate(Prior):
    """Base of the conjugate priors of a single mean; a posterior is one, too."""

    __slots__ = ()
    glm_sampler = "conjugate"
    coefficient = None
    names = None

    def glm_draws(self, n, y, x, offset, weights, family, names, rng):
        """For `rglmb`: coefficients (n, 1), dispersion (n,), mode (1,), candidates (n,)."""
        posterior = self.posterior_given(y, x, offset, weights, self.family_for(family))
        draws = posterior.sample(n, rng).coefficients
        return draws, np.ones(n), np.array([posterior.mode]), np.ones(n, np.int64)

    def family_for(self, family):
        """The family of a single mean that goes with this prior, `family` being of the same name."""
        from glmbayes import families  # only here: a plain import of the library stays quick

        own = families.get(family.name, self.FAMILIES[family.name]) if family.name in self.FAMILIES else None
        if own is None or family.link not in (own.link, own.usual_link):
            raise InputError(f"{self.spelled} is conjugate for family {self.suited}; got {family}.")
        return own

    @property
    def suited(self):
        """The families that it is a prior for, in words."""
        return " or ".join(f"{name}({link})" for name, link in self.FAMILIES.items())

    def posterior_given(self, y, x, offset, weights, family):
        """The posterior, a prior of the same kind, given checked arrays."""
        if x.shape[1] != 1 or not (x == 1.0).all():
            raise InputError(
                f"{self.spelled} is for an intercept alone ('y ~ 1'): x must be a single column of ones; got shape "
                f"{x.shape}."
            )
        if offset.size and offset.any():
            raise InputError(f"{self.spelled} does not combine with an offset: use dNormal.")
        weights = weights if weights.size else np.ones(y.size)
        return self.shifted(*(float(part.sum()) for part in self.evidence_of(y, weights, family)))

    def log_evidence(self, y, x, offset, weights, family):
        """log p(y), in closed form; arguments are checked arrays."""
        after = self.posterior_given(y, x, offset, weights, family)
        weights = weights if weights.size else np.ones(y.size)
        return after.log_normaliser - self.log_normaliser + family.log_constant(y, weights, 1.0)

    @property
    def mean(self):
        """Mean of the coefficient."""
        return self.mean_of(*self.parameters)

    @property
    def log_normaliser(self):
        """Logarithm of the integral of the density without its constant."""
        return float(self.log_normaliser_of(*self.parameters))

    def coefficient_for(self, names, p):
        raise InputError(
            f"{self.spelled} is for the single mean of family {self.suited}: "
            "glmb('y ~ 1', data, family, pfamily), or rglmb. Gaussian models take dNormal, dNormal_Gamma or "
            "dIndependent_Normal_Gamma."
        )

    def build(self, rows, coefficient):
        return self.coefficient_for(None, 1)

    def draw_blocks(self, n, data, names, frequency, rng):
        return self.coefficient_for(names, 1)

    @property
    def description(self):
        return f"{self.label}, coefficient ~ {self.law}"

    def aligned(self, names):
        """The same prior: there is one coefficient."""
        return self

    def restricted(self, names, columns):
        """The same prior: there is one coefficient."""
        return self

    def location_scale(self, dispersion):
        """Prior mean (1,) and covariance (1, 1)."""
        return np.array([self.mean]), np.array([[self.variance]])

    def conditional(self, combinations):
        """Distribution of multiples (k, 1) of the coefficient."""
        return Multiple(self, np.asarray(combinations)[:, 0])

    def __reduce__(self):
        return type(self), self.parameters

    def __eq__(self, other):
        return type(self) is type(other) and self.parameters == other.parameters

    def __hash__(self):
        return hash((type(self), *self.parameters))


class dBeta(Conjugate):
    """Beta prior on a probability: binomial responses, an intercept only.

    Parameters
    ----------
    shape1, shape2 : float
        Positive; prior mean shape1 / (shape1 + shape2), worth shape1 + shape2 trials.

    Notes
    -----
    The posterior is Beta(shape1 + successes, shape2 + failures), with weights as numbers of trials.

    Examples
    --------
    >>> from glmbayes import dBeta, glmb
    >>> fit = glmb("cbind(ill, well) ~ 1", {"ill": [3], "well": [7]}, "binomial(identity)", dBeta(1, 1), rng=1)
    >>> fit.posterior_mean.round(4).to_dict()
    {'(Intercept)': 0.3333}
    """

    __slots__ = ("shape1", "shape2")
    spelled = "dBeta"
    FAMILIES: ClassVar[dict] = {"binomial": "identity"}

    def __init__(self, shape1, shape2):
        set_field(self, "shape1", scalar(shape1, "shape1", above=0.0))
        set_field(self, "shape2", scalar(shape2, "shape2", above=0.0))

    def __repr__(self):
        return f"dBeta(shape1={self.shape1:g}, shape2={self.shape2:g})"

    @property
    def parameters(self):
        """(shape1, shape2)."""
        return self.shape1, self.shape2

    @property
    def law(self):
        """The distribution, in words."""
        return f"Beta({self.shape1:.6g}, {self.shape2:.6g})"

    def worth(self, family):
        """What it counts as, in units of the rows' weights: trials."""
        return self.shape1 + self.shape2

    def shifted(self, successes, failures):
        """The posterior given numbers of successes and failures (arrays for several posteriors' parameters)."""
        return dBeta(self.shape1 + successes, self.shape2 + failures)

    @staticmethod
    def evidence_of(y, weights, family):
        """What each row adds to the parameters."""
        return weights * y, weights * (1.0 - y)

    @staticmethod
    def log_normaliser_of(shape1, shape2):
        """Logarithm of the integral of the density without its constant (arrays broadcast)."""
        return special.betaln(shape1, shape2)

    def expected_log_term(self, y, family):
        """Expectation of `Family.log_term` for each row."""
        total = special.digamma(self.shape1 + self.shape2)
        return y * (special.digamma(self.shape1) - total) + (1.0 - y) * (special.digamma(self.shape2) - total)

    @staticmethod
    def mean_of(shape1, shape2):
        """Mean of the distribution with these parameters (arrays broadcast)."""
        return shape1 / (shape1 + shape2)

    @property
    def variance(self):
        total = self.shape1 + self.shape2
        return self.mean * (self.shape2 / total) / (total + 1.0)

    def mean_response(self, family):
        """Expectation of the mean response."""
        return self.mean

    @property
    def mode(self):
        """The density's maximum; at an end where it is unbounded there."""
        a, b = self.shape1 - 1.0, self.shape2 - 1.0
        if a <= 0.0 or b <= 0.0:
            return 0.0 if a < b else 1.0 if a > b else 0.5
        return a / (a + b)

    def cdf(self, value):
        """P(parameter <= value)."""
        return special.betainc(self.shape1, self.shape2, np.clip(value, 0.0, 1.0))

    def pdf(self, value):
        """Density."""
        inside = np.where((value >= 0.0) & (value <= 1.0), value, np.nan)
        log = special.xlogy(self.shape1 - 1.0, inside) + special.xlog1py(self.shape2 - 1.0, -inside)
        return np.nan_to_num(np.exp(log - self.log_normaliser), nan=0.0, posinf=np.inf)

    def quantile(self, probability):
        """Inverse of `cdf`."""
        return special.betaincinv(self.shape1, self.shape2, probability)

    def sample(self, n, rng=None):
        """`n` draws of the probability, (n, 1)."""
        return PriorDraws(generator(rng).beta(self.shape1, self.shape2, (count(n), 1)), None)


class GammaRate(Conjugate):
    """Gamma prior on a rate: Poisson or Gamma responses of known shapes, an intercept only.

    Written ``dGamma(shape, rate, Inv_Dispersion=False)``, as in R.

    Parameters
    ----------
    shape, rate : float
        Positive; prior mean shape / rate.

    Notes
    -----
    Poisson: the coefficient is the mean count, posterior Gamma(shape + sum w y, rate + sum w).
    Gamma: the coefficient is one over the mean, posterior Gamma(shape + sum w, rate + sum w y), the weights w being the
    responses' shapes (1, exponential responses, without weights).

    Examples
    --------
    >>> from glmbayes import dGamma, glmb
    >>> prior = dGamma(2, 4, Inv_Dispersion=False)
    >>> prior.mean
    0.5
    >>> glmb("y ~ 1", {"y": [3, 0, 2]}, "poisson(identity)", prior, rng=1).posterior_mean.to_dict()
    {'(Intercept)': 1.0}
    """

    __slots__ = ("rate", "shape")
    label = "dGamma"
    spelled = "dGamma(Inv_Dispersion=False)"
    FAMILIES: ClassVar[dict] = {"poisson": "identity", "Gamma": "inverse"}

    def __init__(self, shape, rate):
        set_field(self, "shape", scalar(shape, "shape", above=0.0))
        set_field(self, "rate", scalar(rate, "rate", above=0.0))

    def __repr__(self):
        return f"dGamma(shape={self.shape:g}, rate={self.rate:g}, Inv_Dispersion=False)"

    @property
    def parameters(self):
        """(shape, rate)."""
        return self.shape, self.rate

    @property
    def law(self):
        """The distribution, in words."""
        return f"Gamma(shape = {self.shape:.6g}, rate = {self.rate:.6g})"

    def worth(self, family):
        """What it counts as, in units of the rows' weights: observations (Poisson), or shapes (Gamma)."""
        return self.rate if family.name == "poisson" else self.shape

    def shifted(self, shape, rate):
        """The posterior given what the data add to shape and rate."""
        return GammaRate(self.shape + shape, self.rate + rate)

    @staticmethod
    def evidence_of(y, weights, family):
        """What each row adds to the parameters."""
        return (weights * y, weights) if family.name == "poisson" else (weights, weights * y)

    @staticmethod
    def log_normaliser_of(shape, rate):
        """Logarithm of the integral of the density without its constant (arrays broadcast)."""
        return special.gammaln(shape) - shape * np.log(rate)

    def expected_log_term(self, y, family):
        """Expectation of `Family.log_term` for each row."""
        log_rate = special.digamma(self.shape) - math.log(self.rate)
        return y * log_rate - self.mean if family.name == "poisson" else log_rate - y * self.mean

    @staticmethod
    def mean_of(shape, rate):
        """Mean of the distribution with these parameters (arrays broadcast)."""
        return shape / rate

    @property
    def variance(self):
        return self.mean / self.rate

    def mean_response(self, family):
        """Expectation of the mean response; infinite for Gamma responses and a shape of at most 1."""
        if family.name == "poisson":
            return self.mean
        return self.rate / (self.shape - 1.0) if self.shape > 1.0 else math.inf

    @property
    def mode(self):
        return max(self.shape - 1.0, 0.0) / self.rate

    def cdf(self, value):
        """P(parameter <= value)."""
        return special.gammainc(self.shape, self.rate * np.maximum(value, 0.0))

    def pdf(self, value):
        """Density."""
        inside = np.where(value >= 0.0, value, np.nan)
        log = special.xlogy(self.shape - 1.0, inside) - self.rate * inside
        return np.nan_to_num(np.exp(log - self.log_normaliser), nan=0.0, posinf=np.inf)

    def quantile(self, probability):
        """Inverse of `cdf`."""
        return special.gammaincinv(self.shape, probability) / self.rate

    def sample(self, n, rng=None):
        """`n` draws of the rate, (n, 1)."""
        return PriorDraws(generator(rng).gamma(self.shape, 1.0 / self.rate, (count(n), 1)), None)
