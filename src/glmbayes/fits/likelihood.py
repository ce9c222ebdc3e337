"""The Gaussian response: what a fitted model needs to know about y given the linear predictor."""

from dataclasses import dataclass

import numpy as np

from glmbayes.posteriors.moments import LOG_2PI


@dataclass(frozen=True)
class GaussianLikelihood:
    """y ~ N(eta, dispersion), with weights that count observations or divide the variance.

    Attributes
    ----------
    weights_type : {"frequency", "precision"}
    """

    weights_type: str = "frequency"
    family: str = "gaussian"
    link: str = "identity"

    @property
    def weights_meaning(self):
        """What the weights are, in words."""
        meaning = "counts of observations" if self.weights_type == "frequency" else "precisions (as in R's lm)"
        return f"{meaning} (weights_type='{self.weights_type}')"

    def mean(self, eta):
        """Expected response at linear predictor `eta`."""
        return eta

    def log_lik(self, y, eta, dispersion, weights=None):
        """Log-likelihood of each observation (arrays broadcast)."""
        z2 = (y - eta) ** 2 / dispersion
        value = -0.5 * (LOG_2PI + np.log(dispersion) + z2)
        if weights is None:
            return value
        if self.weights_type == "frequency":
            return weights * value
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(weights > 0, value - 0.5 * (weights - 1.0) * z2 + 0.5 * np.log(weights), 0.0)

    def sample(self, rng, eta, dispersion, weights=None):
        """One response for each entry of `eta`."""
        variance = dispersion if weights is None or self.weights_type == "frequency" else dispersion / weights
        return eta + np.sqrt(variance) * rng.standard_normal(np.shape(eta))

    def count(self, design_y, weights):
        """What the observations count as (n_w) and how many have positive weight."""
        if weights is None:
            return float(design_y.shape[0]), design_y.shape[0]
        positive = int((weights > 0).sum())
        return (float(weights.sum()) if self.weights_type == "frequency" else float(positive)), positive


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

    def log_lik(self, y, eta, dispersion, weights=None):
        """Log-likelihood of each observation (arrays broadcast)."""
        return self.distribution.log_lik(y, eta, dispersion, 1.0 if weights is None else weights)

    def sample(self, rng, eta, dispersion, weights=None):
        """One response for each entry of `eta` (binomial: fractions of the weights' trials)."""
        mu = self.distribution.linkinv(eta)
        weights = np.broadcast_to(1.0 if weights is None else weights, mu.shape)
        out = np.full(mu.shape, np.nan)
        used = weights > 0
        phi = np.broadcast_to(dispersion, mu.shape)[used]
        out[used] = self.distribution.random(rng, mu[used], weights[used], phi)
        return out
