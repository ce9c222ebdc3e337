"""Normal prior on beta and an independent gamma prior on the precision."""

import math

from glmbayes.checks import count, scalar
from glmbayes.posteriors.independent import IndependentPosterior
from glmbayes.posteriors.log_precision import gamma_dispersions, gamma_log_constant
from glmbayes.priors.base import (
    LARGEST_RATE,
    Prior,
    PriorDraws,
    dispersion_limits,
    limit_arguments,
    limits_text,
    set_field,
)
from glmbayes.priors.coefficients import CoefficientPrior
from glmbayes.priors.independent_blocks import draw_independent_blocks
from glmbayes.random import generator


class dIndependent_Normal_Gamma(Prior):
    """Independent priors: beta ~ N(mu, Sigma) and 1/phi ~ Gamma(shape, rate).

    Parameters
    ----------
    mu : (p,) array_like
        Prior mean of beta; named input is matched by name.
    Sigma : (p, p) array_like
        Prior covariance of beta; a scalar for p = 1; infinite variances make flat coefficients.
    shape, rate : float
        Of the gamma distribution of the precision 1/phi.
    disp_lower, disp_upper : float, optional
        Limits on the dispersion phi.  None (the default) does not truncate.

    Notes
    -----
    With beta integrated out the log precision has a one-dimensional density, drawn from exactly; beta given it is
    normal.  Draws are independent, with no grid over beta and no truncation of phi unless asked for.

    Examples
    --------
    >>> import numpy as np
    >>> from glmbayes import dIndependent_Normal_Gamma, rlmb
    >>> prior = dIndependent_Normal_Gamma([0.0, 0.0], 10 * np.eye(2), shape=1.0, rate=1.0)
    >>> fit = rlmb(1000, [1.0, 2.0, 2.5, 4.1], [[1, 0], [1, 1], [1, 2], [1, 3]], prior, rng=1)
    >>> fit.dispersion.shape
    (1000,)
    """

    __slots__ = ("coefficient", "disp_lower", "disp_upper", "rate", "shape", "terms")

    def __init__(self, mu, Sigma, shape, rate, disp_lower=None, disp_upper=None):
        coefficient = CoefficientPrior(mu, Sigma)
        shape = scalar(shape, "shape", above=0.0)
        rate = scalar(rate, "rate", above=0.0, at_most=LARGEST_RATE)
        lower, upper = 0.0, math.inf
        if disp_lower is not None or disp_upper is not None:
            lower, upper = dispersion_limits(disp_lower, disp_upper)
        set_field(self, "coefficient", coefficient)
        set_field(self, "shape", shape)
        set_field(self, "rate", rate)
        set_field(self, "terms", (shape - 1.0, rate, 0.0, 0.0, 0.0, 1.0))  # see glmbayes.priors.sigma
        set_field(self, "disp_lower", lower)
        set_field(self, "disp_upper", upper)

    def _arguments(self):
        return {
            "mu": self.mu,
            "Sigma": self.Sigma,
            "shape": self.shape,
            "rate": self.rate,
            **limit_arguments(self.disp_lower, self.disp_upper),
        }

    def _on_precision(self):
        text = f"precision 1/phi ~ Gamma(shape = {self.shape:g}, rate = {self.rate:g}), independent of beta"
        return text + limits_text(self.disp_lower, self.disp_upper)

    @property
    def log_constant(self):
        """Logarithm of the constant of the prior density of the precision."""
        return gamma_log_constant(self.shape, self.rate, self.disp_lower, self.disp_upper)

    def build(self, rows, coefficient):
        return IndependentPosterior(rows, coefficient, self)

    def draw_blocks(self, n, data, names, frequency, rng):
        return draw_independent_blocks(self, n, data, names, frequency, rng)

    def sample(self, n, rng=None):
        """`n` draws from the prior: coefficients (n, p) and dispersion (n,)."""
        n, rng = count(n), generator(rng)
        dispersion = gamma_dispersions(self, n, rng)
        return PriorDraws(self.coefficient.sample(n, rng), dispersion)
