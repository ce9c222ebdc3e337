"""Conjugate priors for models with an intercept only, on the scale of the response (identity link)."""

import math

import numpy as np
from scipy import special

from glmbayes.checks import count, scalar
from glmbayes.errors import InputError
from glmbayes.priors.base import Prior, PriorDraws, set_field
from glmbayes.random import generator


class Conjugate(Prior):
    """Base of the conjugate priors: the one coefficient is the parameter of the response distribution itself."""

    __slots__ = ()
    glm_sampler = "conjugate"
    names = None

    def glm_draws(self, n, y, x, offset, weights, family, names, rng):
        """For `rglmb`: coefficients (n, 1), dispersion (n,), mode (1,), candidates (n,)."""
        posterior = self.posterior_given(y, x, offset, weights, family)
        draws = posterior.sample(n, rng).coefficients
        return draws, np.ones(n), np.array([posterior.mode]), np.ones(n, np.int64)

    def posterior_given(self, y, x, offset, weights, family):
        """The posterior, a prior of the same kind, given checked arrays."""
        kind = type(self).__name__
        if family.name not in self.FAMILIES:
            raise InputError(f"{kind} is conjugate for family {' or '.join(self.FAMILIES)}; got {family.name!r}.")
        if x.shape[1] != 1 or not (x == 1.0).all():
            raise InputError(
                f"{kind} is for an intercept alone: x must be a single column of ones; got shape {x.shape}."
            )
        if offset.size and offset.any():
            raise InputError(f"{kind} does not combine with an offset: use dNormal.")
        return self._update(y, weights if weights.size else np.ones(y.size), family)

    def log_evidence(self, y, x, offset, weights, family):
        """log p(y), in closed form; arguments are checked arrays."""
        after = self.posterior_given(y, x, offset, weights, family)
        weights = weights if weights.size else np.ones(y.size)
        return after.log_normaliser - self.log_normaliser + family.log_constant(y, weights, 1.0)

    def __reduce__(self):
        return type(self), self._parameters()

    def __eq__(self, other):
        return type(self) is type(other) and self._parameters() == other._parameters()

    def __hash__(self):
        return hash((type(self), *self._parameters()))


class dBeta(Conjugate):
    """Beta prior on a probability: binomial responses, an intercept only, identity link.

    Parameters
    ----------
    shape1, shape2 : float
        Positive; prior mean shape1 / (shape1 + shape2), worth shape1 + shape2 trials.

    Notes
    -----
    The posterior is Beta(shape1 + successes, shape2 + failures), with weights as numbers of trials.

    Examples
    --------
    >>> from glmbayes.priors.conjugate import dBeta
    >>> dBeta(2, 3)
    dBeta(shape1=2, shape2=3)
    """

    __slots__ = ("shape1", "shape2")
    FAMILIES = ("binomial",)

    def __init__(self, shape1, shape2):
        set_field(self, "shape1", scalar(shape1, "shape1", above=0.0))
        set_field(self, "shape2", scalar(shape2, "shape2", above=0.0))

    def __repr__(self):
        return f"dBeta(shape1={self.shape1:g}, shape2={self.shape2:g})"

    def _parameters(self):
        return self.shape1, self.shape2

    def _update(self, y, weights, family):
        successes = float(np.sum(weights * y))
        return dBeta(self.shape1 + successes, self.shape2 + float(np.sum(weights)) - successes)

    @property
    def log_normaliser(self):
        return float(special.betaln(self.shape1, self.shape2))

    @property
    def mean(self):
        return self.shape1 / (self.shape1 + self.shape2)

    @property
    def mode(self):
        """The density's maximum; at an end where it is unbounded there."""
        a, b = self.shape1 - 1.0, self.shape2 - 1.0
        if a <= 0.0 or b <= 0.0:
            return 0.0 if a < b else 1.0 if a > b else 0.5
        return a / (a + b)

    def sample(self, n, rng=None):
        """`n` draws of the probability, (n, 1)."""
        return PriorDraws(generator(rng).beta(self.shape1, self.shape2, (count(n), 1)), None)


class GammaRate(Conjugate):
    """Gamma prior on a rate: Poisson or Gamma (dispersion 1) responses, an intercept only, identity link.

    What R writes ``dGamma(shape, rate, Inv_Dispersion = FALSE)``.

    Parameters
    ----------
    shape, rate : float
        Positive; prior mean shape / rate.

    Notes
    -----
    Poisson: the coefficient is the mean count, posterior Gamma(shape + sum w y, rate + sum w).
    Gamma: the coefficient is one over the mean, posterior Gamma(shape + sum w, rate + sum w y), for shapes w.

    Examples
    --------
    >>> from glmbayes.priors.conjugate import GammaRate
    >>> GammaRate(2, 4).mean
    0.5
    """

    __slots__ = ("rate", "shape")
    FAMILIES = ("poisson", "Gamma")

    def __init__(self, shape, rate):
        set_field(self, "shape", scalar(shape, "shape", above=0.0))
        set_field(self, "rate", scalar(rate, "rate", above=0.0))

    def __repr__(self):
        return f"GammaRate(shape={self.shape:g}, rate={self.rate:g})"

    def _parameters(self):
        return self.shape, self.rate

    def _update(self, y, weights, family):
        total, weighted = float(np.sum(weights)), float(np.sum(weights * y))
        if family.name == "poisson":
            return GammaRate(self.shape + weighted, self.rate + total)
        return GammaRate(self.shape + total, self.rate + weighted)

    @property
    def log_normaliser(self):
        return math.lgamma(self.shape) - self.shape * math.log(self.rate)

    @property
    def mean(self):
        return self.shape / self.rate

    @property
    def mode(self):
        return max(self.shape - 1.0, 0.0) / self.rate

    def sample(self, n, rng=None):
        """`n` draws of the rate, (n, 1)."""
        return PriorDraws(generator(rng).gamma(self.shape, 1.0 / self.rate, (count(n), 1)), None)
