"""The response of a generalised linear model, as a fitted model asks for it."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class FamilyLikelihood:
    """The response of a generalised linear model; weights multiply log-likelihood terms (binomial: trials).

    Attributes
    ----------
    distribution : a `glmbayes.families` family
    """

    distribution: object
    weights_type: str = "frequency"

    @property
    def weights_meaning(self):
        """What the weights are, in words."""
        if self.distribution.name.endswith("binomial"):
            return "numbers of trials"
        return "multipliers of the log-likelihood terms"

    @property
    def family(self):
        """Name of the family."""
        return self.distribution.name

    @property
    def link(self):
        """Name of the link."""
        return self.distribution.link

    def mean(self, eta):
        """Expected response at linear predictor `eta`."""
        return self.distribution.linkinv(eta)

    def slope(self, mean):
        """Derivative of the expected response by the linear predictor, where the response is expected to be `mean`."""
        return self.distribution.mu_eta(self.distribution.linkfun(mean))

    def log_lik(self, y, eta, dispersion, weights=None):
        """Log-likelihood of each observation (arrays broadcast)."""
        return self.distribution.log_lik(y, eta, dispersion, 1.0 if weights is None else weights)

    def sample(self, rng, eta, dispersion, weights=None):
        """One response per entry of `eta` (binomial: fractions of the weights' trials); NaN for NaN or weight 0."""
        mu = self.distribution.linkinv(eta)
        weights = np.broadcast_to(1.0 if weights is None else weights, mu.shape)
        out = np.full(mu.shape, np.nan)
        used = (weights > 0) & ~np.isnan(mu)
        phi = np.broadcast_to(dispersion, mu.shape)[used]
        out[used] = self.distribution.random(rng, mu[used], weights[used], phi)
        return out
