"""Priors: frozen values that describe a distribution and build the posterior of a regression."""

from glmbayes.priors.conjugate import GammaRate, dBeta
from glmbayes.priors.gamma import dGamma
from glmbayes.priors.independent_normal import dIndependent_Normal
from glmbayes.priors.independent_normal_gamma import dIndependent_Normal_Gamma
from glmbayes.priors.normal import dNormal
from glmbayes.priors.normal_gamma import dNormal_Gamma
from glmbayes.priors.ratio import dRatio
from glmbayes.priors.sigma import dExponential, dFlat, dHalfCauchy, dHalfNormal, dHalfT, dUniform
from glmbayes.priors.wishart import dHuangWand, dWishart

__all__ = [
    "GammaRate",
    "dBeta",
    "dExponential",
    "dFlat",
    "dGamma",
    "dHalfCauchy",
    "dHalfNormal",
    "dHalfT",
    "dHuangWand",
    "dIndependent_Normal",
    "dIndependent_Normal_Gamma",
    "dNormal",
    "dNormal_Gamma",
    "dRatio",
    "dUniform",
    "dWishart",
]
