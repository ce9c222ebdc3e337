"""A prior on the ratio of a group standard deviation to the residual one."""

import numpy as np

from glmbayes.errors import InputError
from glmbayes.priors.base import Frozen, set_field
from glmbayes.priors.sigma import SigmaPrior


class dRatio(Frozen):
    """Prior on the ratio of a group standard deviation to the residual standard deviation, r = tau / sigma.

    With one random intercept and a conjugate prior on the residual variance everything but r integrates out, so that
    `lmerb` draws independently and exactly.

    Parameters
    ----------
    prior : dHalfNormal, dHalfCauchy, dHalfT, dExponential, dUniform or dFlat
        Density of r.  Its scale is in residual standard deviations: r = 1 is an intraclass correlation of 1/2.

    Raises
    ------
    InputError
        `prior` is none of these.

    Examples
    --------
    >>> from glmbayes import dHalfCauchy, dRatio
    >>> dRatio(dHalfCauchy(1))
    dRatio(dHalfCauchy(scale=1))
    """

    __slots__ = ("prior",)

    def __init__(self, prior):
        if not isinstance(prior, SigmaPrior):
            raise InputError(
                "dRatio takes the density of a ratio of standard deviations: dHalfCauchy(1), dHalfT, dHalfNormal, "
                f"dExponential, dUniform or dFlat; got {prior!r}."
            )
        set_field(self, "prior", prior)

    def __repr__(self):
        return f"dRatio({self.prior!r})"

    def __eq__(self, other):
        return type(self) is type(other) and self.prior == other.prior

    def __hash__(self):
        return hash((type(self), self.prior))

    def __reduce__(self):
        return type(self), (self.prior,)

    def log_density(self, ratio):
        """Log density at ratios > 0 (without a constant when the prior is improper)."""
        return self.prior.log_density(np.asarray(ratio, dtype=float))

    def sample(self, n, rng=None):
        """`n` ratios drawn from the prior."""
        return self.prior.sample(n, rng)
