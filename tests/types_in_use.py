"""What a type checker sees of the library: read by mypy in `make lint`, never run.

Every `type: ignore` is a mistake that must be found: mypy reports the ignores it did not need.
"""

from typing import Any, assert_type

import numpy as np

from glmbayes import Chains, dNormal, gibbs, glmb, lmb, lmerb, rlmb, rlmb_blocks
from glmbayes.fits.glm import GLMFit
from glmbayes.fits.model import Fit
from glmbayes.mixed.fit import MixedFit
from glmbayes.rlmb import Draws
from glmbayes.rlmb_blocks import BlockDraws

y, x = [1.0, 2.0], np.ones((2, 1))
prior = dNormal(0.0, 1.0, dispersion=1.0)

assert_type(lmb("y ~ x", {"y": y}, prior, n=10, rng=1), Fit | Any)
assert_type(glmb("y ~ x", {"y": y}, "poisson", sampler="radial"), GLMFit | Any)
assert_type(lmerb("y ~ 1 + (1 | g)", {"y": y}), MixedFit)
assert_type(rlmb(1, y, x, prior, rng=np.random.default_rng(1)), Draws)
assert_type(rlmb(1, y, x, prior).coefficients, np.ndarray)
assert_type(rlmb_blocks(1, y, x, prior, sizes=[1, 1]), BlockDraws)
assert_type(gibbs(lambda rng, state: state, {"a": 1.0}, draws=10), Chains)

rlmb(1, y, x, 3.0)  # type: ignore[arg-type]
lmb("y ~ x", weight="w")  # type: ignore[call-arg]
lmb("y ~ x", weights_type="counts")  # type: ignore[arg-type]
glmb("y ~ x", sampler="nuts")  # type: ignore[arg-type]
lmerb({"y": y}, "y ~ x")  # type: ignore[arg-type]
