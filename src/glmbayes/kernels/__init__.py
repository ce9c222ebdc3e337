"""Compiled building blocks: numba functions on arrays, for your own compiled loops.

The samplers of the library call these very functions.  They trust their input: arrays must be float64 and C-contiguous,
shapes must agree, covariances must be positive definite.  `rlmb` and its relatives check all that; move to the
kernels when a working loop has to run faster.

Those for generalised linear models take the kernel type of a family, ``families.poisson().kernel``, as an argument, and
return a status beside the draw: 0, or why there is none (1 improper posterior, 2 too many candidates, 3 internal error,
4 input or likelihood not finite, 5 the grid accepts too rarely, 6 no mode found), and then the draw is NaN.

A function of yours compiled with ``cache=True`` does not notice when this library is upgraded: delete its cache then.
"""

from glmbayes.kernels.blocks import normal_blocks
from glmbayes.kernels.gamma import draw_gamma
from glmbayes.kernels.gamma_dispersion import draw_gamma_dispersion
from glmbayes.kernels.generator_argument import install
from glmbayes.kernels.gibbs import (
    draw_dispersion,
    draw_independent_normal_gamma,
    draw_normal,
    draw_normal_gamma,
    draw_normal_means,
)
from glmbayes.kernels.glm_one import draw_blocks_1d as draw_glm_blocks_1d
from glmbayes.kernels.glm_one import draw_glm_1d
from glmbayes.kernels.glm_small import draw_blocks_small as draw_glm_blocks
from glmbayes.kernels.glm_small import draw_glm
from glmbayes.kernels.grouped import GroupedData, reduce_groups
from glmbayes.kernels.log_density import LogDensity
from glmbayes.kernels.log_precision import build_envelope, draw_log_precisions, new_envelope
from glmbayes.kernels.mixed import (
    MixedPrior,
    MixedState,
    mixed_joint_sweep,
    mixed_sweep,
    random_coefficients_sweep,
)
from glmbayes.kernels.rows import reduce_rows, row_errors, squared_errors
from glmbayes.kernels.variance import draw_precision, draw_truncated_gamma
from glmbayes.kernels.wishart import draw_huang_wand, draw_inverse_wishart, draw_wishart

install()

__all__ = [
    "GroupedData",
    "LogDensity",
    "MixedPrior",
    "MixedState",
    "build_envelope",
    "draw_dispersion",
    "draw_gamma",
    "draw_gamma_dispersion",
    "draw_glm",
    "draw_glm_1d",
    "draw_glm_blocks",
    "draw_glm_blocks_1d",
    "draw_huang_wand",
    "draw_independent_normal_gamma",
    "draw_inverse_wishart",
    "draw_log_precisions",
    "draw_normal",
    "draw_normal_gamma",
    "draw_normal_means",
    "draw_precision",
    "draw_truncated_gamma",
    "draw_wishart",
    "mixed_joint_sweep",
    "mixed_sweep",
    "new_envelope",
    "normal_blocks",
    "random_coefficients_sweep",
    "reduce_groups",
    "reduce_rows",
    "row_errors",
    "squared_errors",
]
