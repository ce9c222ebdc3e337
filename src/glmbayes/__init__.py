"""Exact iid posterior draws for Bayesian regression, and compiled blocks for your own Gibbs sampler."""

import sys
from importlib import import_module
from types import ModuleType

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
    dBeta,
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
    dRatio,
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
    "compare": "glmbayes.fits.criteria",
    "datasets": None,
    "families": None,
    "glmb": "glmbayes.glmb",
    "glmerb": "glmbayes.glmerb",
    "gibbs": "glmbayes.chains",
    "kernels": None,
    "lmb": "glmbayes.lmb",
    "lmerb": "glmbayes.lmerb",
    "metropolis": "glmbayes.chains",
    "priors": None,
    "rglmb": "glmbayes.rglmb",
    "rglmb_blocks": "glmbayes.rglmb_blocks",
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
    "compare",
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
    "datasets",
    "families",
    "gibbs",
    "glmb",
    "glmerb",
    "kernels",
    "lmb",
    "lmerb",
    "metropolis",
    "priors",
    "rglmb",
    "rglmb_blocks",
    "rlmb",
    "rlmb_blocks",
]


class _Package(ModuleType):
    """`lmb` and `glmb` are functions and modules; as attributes here they are the functions, whichever came first."""

    def __setattr__(self, name, value):
        if _LATER.get(name) != f"{__name__}.{name}" or not isinstance(value, ModuleType):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __getattr__(name):
    if name not in _LATER:
        raise AttributeError(f"module 'glmbayes' has no attribute {name!r}")
    home = _LATER[name]
    value = import_module(f"glmbayes.{name}") if home is None else getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__():
    return __all__
