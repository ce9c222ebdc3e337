"""Block draws shared by the two priors with beta and dispersion independent."""

import numpy as np

from glmbayes.errors import InputError
from glmbayes.kernels.blocks import block_weights, independent_blocks
from glmbayes.kernels.log_precision import DONE
from glmbayes.posteriors.log_precision import limits_on_t
from glmbayes.priors.base import by_draw, empty_blocks, in_pieces, of_blocks


def draw_independent_blocks(prior, n, data, names, frequency, rng):
    """See `Prior.draw_blocks`."""
    n_blocks, p = data[4].shape[0] - 1, data[1].shape[1]
    if prior.coefficient.flat:
        raise InputError("infinite prior variances are not supported in blocks here: give them finite values.")
    mu, low = prior.coefficient.by_block(names, p, n_blocks)
    draws, dispersion, iters, mode = empty_blocks(n, n_blocks, p)
    n_w = np.empty(n_blocks)
    failure = block_weights(data[3], data[4], frequency, n_w)
    if failure[1] == DONE:
        limits = limits_on_t(prior.disp_lower, prior.disp_upper)

        def work(blocks, some, starts):
            part = draws[blocks, some]
            rng.standard_normal(out=part)
            return independent_blocks(
                rng, *data[:4], starts, of_blocks(mu, blocks), of_blocks(low, blocks), n_w[blocks], prior.terms,
                *limits, part, dispersion[blocks, some], iters[blocks, some], mode[blocks],
            )  # fmt: skip

        failure = in_pieces(n, n_blocks, p, data[4], work)
        np.clip(dispersion, prior.disp_lower, prior.disp_upper, out=dispersion)
    return by_draw(draws, dispersion, iters, mode, failure)
