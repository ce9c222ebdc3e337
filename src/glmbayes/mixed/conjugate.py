"""What goes with a prior on the ratio of standard deviations: a conjugate prior on the residual, or none."""

import math

import numpy as np

from glmbayes.errors import InputError
from glmbayes.priors.gamma import dGamma
from glmbayes.priors.normal_gamma import dNormal_Gamma


def conjugate_residual(design, sigma, beta, se_known, defaults):
    """(prior of the residual precision, prior of the fixed effects) beside a dRatio; notes defaults in `defaults`."""
    if se_known:
        raise InputError(
            "se= gives the residual standard deviations: there is no residual variance to take a ratio to. Put the "
            "prior on the group standard deviation itself."
        )
    if beta is not None:
        if np.isfinite(np.diag(beta.Sigma)).any():
            raise InputError(
                "beside dRatio a proper prior on the fixed effects has to scale with the residual variance: give "
                "priors={'sigma': dNormal_Gamma(mu, Sigma_0, shape, rate), ...} with beta ~ N(mu, sigma^2 Sigma_0)."
            )
        beta = None
    if sigma is None:
        defaults.append("sigma")
        return dGamma(0.0, 0.0), beta
    if isinstance(sigma, dNormal_Gamma):
        if "beta" not in defaults:
            raise InputError("priors give the fixed effects twice: as 'beta' and in dNormal_Gamma.")
        defaults.remove("beta")
        sigma = sigma.aligned(design.fixed.names)
        sigma.coefficient.check_length(design.p)
        return sigma, beta
    if not isinstance(sigma, dGamma) or sigma.disp_lower > 0.0 or sigma.disp_upper < math.inf:
        raise InputError(
            "beside dRatio the prior of 'sigma' has to be conjugate: dGamma(shape, rate) on the residual precision "
            f"without limits, or dNormal_Gamma(mu, Sigma_0, shape, rate) with the fixed effects; got {sigma!r}."
        )
    return sigma, beta
