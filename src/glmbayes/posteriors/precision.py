"""The dispersion given beta: a gamma distribution of the precision, possibly truncated."""

import math

import numpy as np

from glmbayes.errors import ImproperPosteriorError
from glmbayes.posteriors.gamma_variates import inverse_gamma
from glmbayes.posteriors.log_precision import LogPrecision, dispersion_of, gamma_log_constant
from glmbayes.posteriors.mixture import Mixture
from glmbayes.posteriors.moments import LOG_2PI, Moments
from glmbayes.posteriors.normal import ones, raise_for_flat


class PrecisionPosterior:
    """Gamma(shape, rate) posterior of the precision u = 1 / dispersion, given the coefficients."""

    __slots__ = ("coef_mode", "errors", "log_weights", "lower", "n_w", "on_precision", "rate", "shape", "upper")

    def __init__(self, on_precision, beta, n_w, errors, log_weights=0.0):
        """`on_precision`: the prior (shape, rate, limits, log_constant); `errors`: squared errors at beta.

        `n_w` and `log_weights` are those of `glmbayes.rows.Rows`.
        """
        self.on_precision = on_precision
        self.n_w = n_w
        self.log_weights = log_weights
        self.errors = errors
        self.coef_mode = beta.copy()
        self.shape = on_precision.shape + 0.5 * n_w
        self.rate = on_precision.rate + 0.5 * errors
        self.lower = on_precision.disp_lower
        self.upper = on_precision.disp_upper
        if not self.shape > 0.0 and self.upper == math.inf:
            raise ImproperPosteriorError(
                f"the posterior is improper as the dispersion goes to infinity: shape + n/2 = {self.shape:g} must be "
                "positive. Use a larger shape, more data, or disp_upper."
            )
        if not self.rate > 0.0 and self.lower == 0.0:
            raise ImproperPosteriorError(
                "the posterior is improper as the dispersion goes to 0: the residuals are all zero and the prior rate "
                "is 0. Use rate > 0 or disp_lower."
            )

    def draw(self, n, rng):
        """`n` draws: coefficients (n, p) repeated without copying, dispersion (n,), candidates (n,)."""
        beta = self.coef_mode
        coefficients = beta.copy().reshape(1, -1) if n == 1 else np.broadcast_to(beta, (n, beta.shape[0]))
        if self.lower == 0.0 and self.upper == math.inf:
            return coefficients, inverse_gamma(rng, self.shape, self.rate, n), ones(n)
        t, iters = LogPrecision.of_gamma(self.shape, self.rate, self.lower, self.upper).draw(n, rng)
        return coefficients, dispersion_of(t, self.lower, self.upper), iters

    @property
    def log_precision(self):
        """The distribution of t = log(1 / dispersion)."""
        return LogPrecision.of_gamma(self.shape, self.rate, self.lower, self.upper)

    def moments(self):
        """Moments of the dispersion; beta is known."""
        p = self.coef_mode.shape[0]
        mean, sd = self.log_precision.dispersion_moments
        return Moments(self.coef_mode.copy(), np.zeros((p, p)), mean, sd)

    def scaled_errors(self):
        """As `IndependentPosterior.scaled_errors`."""
        t, weight = self.log_precision.nodes
        return t, weight, np.exp(t) * self.errors

    def given_log_precision(self, combinations, t):
        """Linear combinations (k, p) of beta, which is known: means (K, k), and no variance; see `Mixture`."""
        mean = np.broadcast_to(combinations @ self.coef_mode, (t.shape[0], combinations.shape[0]))
        return mean, np.zeros(mean.shape), np.zeros(combinations.shape[0])

    def conditional(self, combinations):
        """The linear combinations `combinations` (k, p) of beta, which is known, over the precision."""
        law = self.log_precision
        t, weight = law.nodes
        return Mixture(weight, t, *self.given_log_precision(combinations, t), law.dispersion_moments[0])

    def log_evidence(self):
        """Log marginal likelihood of the data given beta, all constants included."""
        constant = self.on_precision.log_constant
        if math.isnan(constant):
            raise_for_flat()
        constant += 0.5 * self.log_weights - 0.5 * self.n_w * LOG_2PI
        return constant - gamma_log_constant(self.shape, self.rate, self.lower, self.upper)
