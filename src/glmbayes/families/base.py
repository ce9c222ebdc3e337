"""What every family object offers, and the checks they share."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from glmbayes.errors import InputError


@dataclass(frozen=True)
class Family:
    """A response distribution with its link.

    Subclasses give the mathematics on arrays; `kernel` is the NamedTuple on whose type the compiled samplers
    dispatch (`glmbayes.kernels.family_terms`).

    Attributes
    ----------
    name, link : str
    quasi : bool
        Log-likelihood divided by a known dispersion; there is no sampling distribution and no evidence.
    self_concordant : bool
        ``|omega'| <= omega`` along the linear predictor.
    scales_with_weights : bool
        Whether the weight divides the variance of the response (trials, or observations averaged).
    has_dispersion : bool
        Whether the distribution has a dispersion parameter that must be known to draw coefficients.
    single_mean : bool
        Whether this is a model of one mean with a conjugate prior (identity links), which has no kernel.
    """

    name: str
    link: str
    quasi: bool = False

    kernel: ClassVar[tuple] = ()
    scales_with_weights: ClassVar[bool] = False  # variance of a response is variance(mu) * dispersion / weight
    self_concordant: ClassVar[bool] = False
    has_dispersion: ClassVar[bool] = False
    single_mean: ClassVar[bool] = False

    def linkfun(self, mu):
        """The linear predictor of a mean."""
        raise NotImplementedError

    def linkinv(self, eta):
        """The mean of a linear predictor."""
        raise NotImplementedError

    def mu_eta(self, eta):
        """Derivative of the mean by the linear predictor."""
        raise NotImplementedError

    def variance(self, mu):
        """Variance of a response of weight 1 and dispersion 1, by its mean."""
        raise NotImplementedError

    def deviance(self, y, mu, weights=1.0):
        """Deviance of each row: 2 w (log-likelihood at mu = y less that at mu), dispersion 1."""
        raise NotImplementedError

    def check_response(self, y):
        """Raise InputError unless every (finite) response is in the family's support."""
        raise NotImplementedError

    def random(self, rng, mu, weights=1.0, dispersion=1.0):
        """Draw a response for every mean."""
        raise NotImplementedError

    def cdf_limits(self, y, mu, weights=1.0, dispersion=1.0):
        """P(Y < y) and P(Y <= y) of each row; equal for a continuous response."""
        raise NotImplementedError

    def log_term(self, y, eta):
        """What a row of weight 1 and dispersion 1 adds to the log-likelihood, but for `log_base`; arrays broadcast."""
        raise NotImplementedError

    def log_base(self, y, weights, dispersion=1.0):
        """The part of each row's log-likelihood that does not depend on the linear predictor."""
        raise NotImplementedError

    def log_constant(self, y, weights, dispersion=1.0):
        """Sum of `log_base` over rows."""
        return float(np.sum(self.log_base(y, weights, dispersion)))

    def log_lik(self, y, eta, dispersion=1.0, weights=1.0):
        """Log-likelihood of each row (arrays broadcast); rows of weight 0 count 0."""
        used = np.asarray(weights) > 0
        safe = np.where(used, weights, 1.0)
        value = safe / dispersion * self.log_term(y, eta) + self.log_base(y, safe, dispersion)
        return np.where(used, value, 0.0)

    def __str__(self):
        return f"{self.name}({self.link})"


class SingleMean:
    """Mixed into a family of a single mean: its coefficient is the parameter of the response distribution itself.

    The log-likelihood is not defined, let alone concave, for every real coefficient, so there is no kernel: the one
    sampler is that of the conjugate posterior.

    Attributes
    ----------
    conjugate_prior : str
        How to write the prior.
    usual_link : str
        Of the family's regressions.
    """

    single_mean: ClassVar[bool] = True
    self_concordant: ClassVar[bool] = False
    conjugate_prior: ClassVar[str]
    usual_link: ClassVar[str]

    @property
    def kernel(self):
        raise InputError(
            f"family {self} is for a single mean ('y ~ 1') with its conjugate prior {self.conjugate_prior}; normal "
            f"priors go with link {self.usual_link!r}."
        )

    def linkfun(self, mu):
        return np.asarray(mu, dtype=float)

    def linkinv(self, eta):
        return np.asarray(eta, dtype=float)

    def mu_eta(self, eta):
        return np.ones_like(eta, dtype=float)


def require_link(name, link, allowed):
    """Refuse a link that the family does not have."""
    if link not in allowed:
        raise InputError(f"link of {name} must be one of {', '.join(map(repr, allowed))}; got {link!r}")


def require_rows(ok, y, family, what):
    """Refuse a response with values outside the support, naming the first one."""
    ok = np.asarray(ok)
    if not ok.all():
        row = int(np.flatnonzero(~ok)[0])
        found = int((~ok).sum())
        more = f", and {found - 1} more like it" if found > 1 else ""
        raise InputError(f"y must be {what} for family {family.name!r}; row {row} is {np.asarray(y)[row]:.6g}{more}")
