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

    def slope(self, mean):
        """Derivative of the expected response by the linear predictor, where the response is expected to be `mean`."""
        return 1.0

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

    def unit_variance(self, weights):
        """Variance of a response over the dispersion, given the row's weight; NaN where a precision weight is 0."""
        if weights is None or self.weights_type == "frequency":
            return 1.0
        return np.divide(1.0, weights, out=np.full(weights.shape, np.nan), where=weights > 0)

    def sample(self, rng, eta, dispersion, weights=None):
        """One response for each entry of `eta`; NaN where a precision weight is 0."""
        return eta + np.sqrt(dispersion * self.unit_variance(weights)) * rng.standard_normal(np.shape(eta))
