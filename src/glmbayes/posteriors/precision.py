"""The dispersion given beta: a gamma distribution of the precision, possibly truncated."""

import math

import numpy as np

from glmbayes.errors import ImproperPosteriorError
from glmbayes.posteriors.gamma_variates import standard_gamma
from glmbayes.posteriors.log_precision import LogPrecision
from glmbayes.posteriors.normal import ones


class PrecisionPosterior:
    """Gamma(shape, rate) posterior of the precision u = 1 / dispersion, given the coefficients."""

    __slots__ = ("coef_mode", "lower", "rate", "shape", "upper")

    def __init__(self, shape, rate, beta, lower, upper):
        """Posterior `shape` and `rate` of the precision; `lower`, `upper`: limits on the dispersion."""
        self.coef_mode = beta
        self.shape = shape
        self.rate = rate
        self.lower = lower
        self.upper = upper
        if not self.shape > 0.0 and upper == math.inf:
            raise ImproperPosteriorError(
                f"the posterior is improper as the dispersion goes to infinity: shape + n/2 = {self.shape:g} must be "
                "positive. Use a larger shape, more data, or disp_upper."
            )
        if not self.rate > 0.0 and lower == 0.0:
            raise ImproperPosteriorError(
                "the posterior is improper as the dispersion goes to 0: the residuals are all zero and the prior rate "
                "is 0. Use rate > 0 or disp_lower."
            )

    def draw(self, n, rng):
        """`n` draws: coefficients (n, p) repeated without copying, dispersion (n,), candidates (n,)."""
        beta = self.coef_mode
        coefficients = beta.copy().reshape(1, -1) if n == 1 else np.broadcast_to(beta, (n, beta.shape[0]))
        if self.lower == 0.0 and self.upper == math.inf:
            dispersion = standard_gamma(rng, self.shape, n)
            np.divide(self.rate, dispersion, out=dispersion)
            return coefficients, dispersion, ones(n)
        t, iters = LogPrecision.of_gamma(self.shape, self.rate, self.lower, self.upper).draw(n, rng)
        return coefficients, np.clip(np.exp(-t), self.lower, self.upper), iters
