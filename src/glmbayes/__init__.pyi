"""Types of the public names, for editors and type checkers; the package itself loads most of them on demand."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from glmbayes import datasets as datasets
from glmbayes import families as families
from glmbayes import kernels as kernels
from glmbayes import priors as priors
from glmbayes.chains.record import Chains as Chains
from glmbayes.errors import FormulaError as FormulaError
from glmbayes.errors import GlmbayesError as GlmbayesError
from glmbayes.errors import ImproperPosteriorError as ImproperPosteriorError
from glmbayes.errors import InputError as InputError
from glmbayes.errors import MissingDependencyError as MissingDependencyError
from glmbayes.errors import SamplerError as SamplerError
from glmbayes.families import Family
from glmbayes.fits.glm import GLMFit
from glmbayes.fits.model import Fit
from glmbayes.grouped import GroupedDesign as GroupedDesign
from glmbayes.mixed.fit import MixedFit
from glmbayes.mixed.glm_fit import GLMMixedFit
from glmbayes.prior_setup.record import PriorSetup
from glmbayes.priors import dBeta as dBeta
from glmbayes.priors import dExponential as dExponential
from glmbayes.priors import dFlat as dFlat
from glmbayes.priors import dGamma as dGamma
from glmbayes.priors import dHalfCauchy as dHalfCauchy
from glmbayes.priors import dHalfNormal as dHalfNormal
from glmbayes.priors import dHalfT as dHalfT
from glmbayes.priors import dHuangWand as dHuangWand
from glmbayes.priors import dIndependent_Normal as dIndependent_Normal
from glmbayes.priors import dIndependent_Normal_Gamma as dIndependent_Normal_Gamma
from glmbayes.priors import dNormal as dNormal
from glmbayes.priors import dNormal_Gamma as dNormal_Gamma
from glmbayes.priors import dRatio as dRatio
from glmbayes.priors import dUniform as dUniform
from glmbayes.priors import dWishart as dWishart
from glmbayes.priors.base import Prior
from glmbayes.rglmb import GLMDraws
from glmbayes.rlmb import Draws
from glmbayes.rlmb_blocks import BlockDraws

__version__: str

_Rng: TypeAlias = int | np.random.Generator | None
_Rows: TypeAlias = ArrayLike | str  # one entry per row of data, or the name of a column
_Data: TypeAlias = pd.DataFrame | Mapping[str, Any] | Any  # anything that converts to a data frame
_Family: TypeAlias = str | Family | Callable[..., Family]
_WeightsType: TypeAlias = Literal["frequency", "precision"]
_OnMissing: TypeAlias = Literal["drop", "raise"]
_PriorOrBuilder: TypeAlias = Prior | Callable[[PriorSetup], Prior]

def lmb(
    formula: str | None = None,
    data: _Data | None = None,
    pfamily: _PriorOrBuilder | None = None,
    *,
    n: int = 1000,
    weights: _Rows | None = None,
    weights_type: _WeightsType | None = None,
    offset: _Rows | None = None,
    subset: _Rows | None = None,
    na_action: _OnMissing = "drop",
    y: ArrayLike | None = None,
    X: ArrayLike | None = None,
    names: Sequence[str] | None = None,
    rng: _Rng = None,
    env: Any = None,
) -> Fit | Any: ...  # several fits for a response of several columns
def glmb(
    formula: str | None = None,
    data: _Data | None = None,
    family: _Family = "gaussian",
    pfamily: _PriorOrBuilder | None = None,
    *,
    n: int = 1000,
    weights: _Rows | None = None,
    offset: _Rows | None = None,
    subset: _Rows | None = None,
    na_action: _OnMissing = "drop",
    sampler: Literal["auto", "grid", "radial", "tall", "mcmc"] = "auto",
    progress: bool | None = None,
    y: ArrayLike | None = None,
    X: ArrayLike | None = None,
    names: Sequence[str] | None = None,
    rng: _Rng = None,
    env: Any = None,
) -> GLMFit | Any: ...  # for the Gaussian family what lmb returns
def lmerb(
    formula: str,
    data: _Data | None = None,
    priors: Mapping[str, Any] | None = None,
    *,
    n: int = 4000,
    method: Literal["iid", "mcmc", "gibbs"] | None = None,
    se: _Rows | None = None,
    chains: int = 4,
    burn_in: int = 500,
    thin: int = 2,
    weights: _Rows | None = None,
    weights_type: _WeightsType | None = None,
    offset: _Rows | None = None,
    subset: _Rows | None = None,
    na_action: _OnMissing = "drop",
    progress: bool = False,
    rng: _Rng = None,
    env: Any = None,
) -> MixedFit: ...
def glmerb(
    formula: str,
    data: _Data | None = None,
    family: _Family = "binomial",
    priors: Mapping[str, Any] | None = None,
    *,
    n: int = 4000,
    chains: int = 4,
    burn_in: int = 500,
    thin: int = 1,
    weights: _Rows | None = None,
    offset: _Rows | None = None,
    subset: _Rows | None = None,
    na_action: _OnMissing = "drop",
    progress: bool = False,
    rng: _Rng = None,
    env: Any = None,
) -> GLMMixedFit: ...
def Prior_Setup(
    formula: str,
    data: _Data | None = None,
    family: _Family = "gaussian",
    *,
    weights: _Rows | None = None,
    weights_type: _WeightsType | None = None,
    offset: _Rows | None = None,
    subset: _Rows | None = None,
    na_action: _OnMissing = "drop",
    pwt: float | ArrayLike | None = None,
    n_prior: float | None = None,
    sd: ArrayLike | Mapping[str, float] | None = None,
    dispersion: float | None = None,
    mu: ArrayLike | Mapping[str, float] | None = None,
    k: float = 1,
    intercept_source: Literal["null_model", "full_model"] = "null_model",
    effects_source: Literal["null_effects", "full_model"] = "null_effects",
) -> PriorSetup: ...
def rlmb(
    n: int,
    y: ArrayLike,
    x: ArrayLike,
    pfamily: Prior,
    *,
    offset: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    weights_type: _WeightsType = "frequency",
    rng: _Rng = None,
) -> Draws: ...
def rlmb_blocks(
    n: int,
    y: ArrayLike,
    x: ArrayLike,
    pfamily: Prior,
    *,
    block: ArrayLike | None = None,
    sizes: ArrayLike | None = None,
    offset: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    weights_type: _WeightsType = "frequency",
    rng: _Rng = None,
) -> BlockDraws: ...
def rglmb(
    n: int,
    y: ArrayLike,
    x: ArrayLike,
    family: _Family,
    pfamily: Prior,
    *,
    offset: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    sampler: Literal["auto", "grid", "radial", "tall", "mcmc"] = "auto",
    rng: _Rng = None,
    progress: bool = False,
) -> GLMDraws: ...
def rglmb_blocks(
    n: int,
    y: ArrayLike,
    x: ArrayLike,
    family: _Family,
    pfamily: Prior,
    *,
    block: ArrayLike | None = None,
    sizes: ArrayLike | None = None,
    offset: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    rng: _Rng = None,
) -> BlockDraws: ...
def compare(*fits: Fit, names: Sequence[str] | None = None) -> pd.DataFrame: ...
def gibbs(
    step: Callable[..., Any],
    init: Any,
    *,
    draws: int = 1000,
    burn_in: int = 0,
    thin: int = 1,
    chains: int = 4,
    rng: _Rng = None,
    progress: bool = False,
    args: tuple[Any, ...] = (),
) -> Chains: ...
def metropolis(
    log_density: Callable[..., float],
    init: Any,
    proposal_cov: ArrayLike,
    scale: float | None = None,
    *,
    draws: int = 1000,
    burn_in: int = 0,
    thin: int = 1,
    chains: int = 4,
    rng: _Rng = None,
    progress: bool = False,
    adapt: bool = False,
    names: Sequence[str] | None = None,
    args: tuple[Any, ...] = (),
) -> Chains: ...
