"""Normal prior on beta and an independent prior on the residual standard deviation."""

from glmbayes.checks import count
from glmbayes.errors import InputError
from glmbayes.posteriors.independent import IndependentPosterior
from glmbayes.priors.base import Prior, PriorDraws, set_field
from glmbayes.priors.coefficients import CoefficientPrior
from glmbayes.priors.independent_blocks import draw_independent_blocks
from glmbayes.priors.sigma import SigmaPrior
from glmbayes.random import generator


class dIndependent_Normal(Prior):
    """Independent priors: beta ~ N(mu, Sigma) and one of the library's priors on the residual standard deviation.

    Parameters
    ----------
    mu : (p,) array_like
        Prior mean of beta; named input is matched by name.
    Sigma : (p, p) array_like
        Prior covariance of beta; a scalar for p = 1; infinite variances make flat coefficients.
    sd : dHalfNormal, dHalfCauchy, dHalfT, dExponential, dUniform or dFlat
        Prior on the residual *standard deviation* (not on the variance).

    Examples
    --------
    >>> import numpy as np
    >>> from glmbayes import dHalfCauchy, dIndependent_Normal, rlmb
    >>> prior = dIndependent_Normal([0, 0], np.diag([np.inf, np.inf]), sd=dHalfCauchy(2.5))
    >>> fit = rlmb(1000, [1.0, 2.0, 2.5, 4.1], [[1, 0], [1, 1], [1, 2], [1, 3]], prior, rng=1)
    >>> fit.coefficients.shape
    (1000, 2)
    """

    __slots__ = ("coefficient", "sd")

    def __init__(self, mu, Sigma, sd):
        if not isinstance(sd, SigmaPrior):
            raise InputError(
                f"sd must be a prior on a standard deviation (dHalfNormal, dHalfCauchy, dHalfT, dExponential, dUniform "
                f"or dFlat); got {sd!r}. For a gamma prior on the precision use dIndependent_Normal_Gamma."
            )
        set_field(self, "coefficient", CoefficientPrior(mu, Sigma))
        set_field(self, "sd", sd)

    def _arguments(self):
        return {"mu": self.mu, "Sigma": self.Sigma, "sd": self.sd}

    def _on_precision(self):
        return f"residual standard deviation ~ {self.sd!r}, independent of beta"

    disp_lower = 0.0

    @property
    def disp_upper(self):
        """Largest dispersion (variance) that the prior on the standard deviation allows."""
        return self.sd.upper**2

    @property
    def terms(self):
        """The prior on the precision, see `glmbayes.priors.sigma`."""
        return self.sd.terms

    @property
    def log_constant(self):
        """Logarithm of the constant of the prior density of the precision; NaN when improper."""
        return self.sd.log_constant

    def build(self, rows, coefficient):
        return IndependentPosterior(rows, coefficient, self)

    def draw_blocks(self, n, data, names, frequency, rng):
        return draw_independent_blocks(self, n, data, names, frequency, rng)

    def sample(self, n, rng=None):
        """`n` draws from the prior: coefficients (n, p) and dispersion (n,) (a variance)."""
        n, rng = count(n), generator(rng)
        return PriorDraws(self.coefficient.sample(n, rng), self.sd.sample(n, rng) ** 2)
