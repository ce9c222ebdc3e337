"""Exact iid posterior draws for Bayesian regression, and compiled blocks for your own Gibbs sampler."""

from importlib import import_module

from glmbayes.errors import (
    FormulaError,
    GlmbayesError,
    ImproperPosteriorError,
    InputError,
    MissingDependencyError,
    SamplerError,
)
from glmbayes.grouped import GroupedDesign
from glmbayes.priors import (
    dExponential,
    dFlat,
    dGamma,
    dHalfCauchy,
    dHalfNormal,
    dHalfT,
    dHuangWand,
    dIndependent_Normal,
    dIndependent_Normal_Gamma,
    dNormal,
    dNormal_Gamma,
    dUniform,
    dWishart,
)
from glmbayes.rlmb import rlmb
from glmbayes.rlmb_blocks import rlmb_blocks

__version__ = "0.1.0"

# loaded when first asked for: these need pandas and patsy
_LATER = {
    "Chains": "glmbayes.chains",
    "Prior_Setup": "glmbayes.prior_setup",
    "datasets": None,
    "gibbs": "glmbayes.chains",
    "kernels": None,
    "lmerb": "glmbayes.lmerb",
    "metropolis": "glmbayes.chains",
    "priors": None,
}

__all__ = [
    "Chains",
    "FormulaError",
    "GlmbayesError",
    "GroupedDesign",
    "ImproperPosteriorError",
    "InputError",
    "MissingDependencyError",
    "Prior_Setup",
    "SamplerError",
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
    "dUniform",
    "dWishart",
    "datasets",
    "gibbs",
    "kernels",
    "lmerb",
    "metropolis",
    "priors",
    "rlmb",
    "rlmb_blocks",
]


def __getattr__(name):
    if name not in _LATER:
        raise AttributeError(f"module 'glmbayes' has no attribute {name!r}")
    home = _LATER[name]
    value = import_module(f"glmbayes.{name}") if home is None else getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__():
    return __all__
