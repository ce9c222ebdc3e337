"""rglmb_blocks: many conditionally independent generalised linear models in one call."""

import numpy as np

from glmbayes import families
from glmbayes.checks import any_float_array, count, float_array, labels_of
from glmbayes.errors import GlmbayesError, InputError
from glmbayes.glm.build import divide_weights, prior_parts
from glmbayes.glm.small import raise_for
from glmbayes.kernels import glm_one, glm_small
from glmbayes.kernels.log_precision import DONE
from glmbayes.priors.base import by_draw_first, in_pieces, of_blocks
from glmbayes.priors.coefficients import CoefficientPrior
from glmbayes.priors.normal import dispersion_by_block, dNormal
from glmbayes.random import generator
from glmbayes.rglmb import known_dispersion, response_rows
from glmbayes.rlmb_blocks import BlockDraws, size_blocks, sort_blocks


def rglmb_blocks(n, y, x, family, pfamily, *, block=None, sizes=None, offset=None, weights=None, rng=None):
    """Draw from the posteriors of J generalised linear models that are independent of one another.

    One call does what a loop of `rglmb` calls over groups does, in compiled code: for instance the update of an
    observation-level effect, one row a block, means and variances varying by block.

    Parameters
    ----------
    n : int
        Number of draws.
    y, x : (N,) and (N, p) array_like
        Responses and designs of all blocks, row by row.
    family : str or Family
        As in `rglmb`.
    pfamily : dNormal
        Prior means (J, p), covariances (J, p, p) and known dispersions (J,) may vary by block; what does not vary is
        shared.
    block : (N,) array_like, optional
        Block label of each row; blocks are numbered in order of first appearance.
    sizes : (J,) array_like of int, optional
        Number of rows of each block, for rows that are stored block after block.  Exactly one of `block` and `sizes`
        is given; `sizes` is the faster one.
    offset, weights, rng
        As in `rglmb`.

    Returns
    -------
    BlockDraws
        ``coefficients`` (n, J, p), ``dispersion`` (n, J), ``coef_mode`` (J, p), ``iters`` (n, J), ``blocks`` (J,).

    Examples
    --------
    Log-normal rates of five counts, given their common mean and variance:

    >>> import numpy as np
    >>> from glmbayes import dNormal
    >>> from glmbayes.rglmb_blocks import rglmb_blocks
    >>> counts = np.array([3.0, 0.0, 12.0, 5.0, 1.0])
    >>> theta = rglmb_blocks(2, counts, np.ones((5, 1)), "poisson", dNormal(1.0, 0.5), sizes=np.ones(5, int), rng=1)
    >>> theta.coefficients.shape
    (2, 5, 1)
    """
    n = count(n)
    rng = generator(rng)
    family = families.get(family)
    if not isinstance(pfamily, dNormal):
        raise InputError(f"pfamily must be dNormal(mu, Sigma); got {type(pfamily).__name__}.")
    names = None if type(x) is np.ndarray else labels_of(x, axis=1)
    y, x = any_float_array(y, "y"), float_array(x, "x", 2)
    offset = None if offset is None else float_array(offset, "offset", 1)
    weights = None if weights is None else float_array(weights, "weights", 1)
    rows = y.shape[0] if y.ndim else 1
    if (block is None) == (sizes is None):
        raise InputError("give exactly one of block= (a label per row) and sizes= (rows per block).")
    order, labels = None, None
    if sizes is not None:
        starts, _ = size_blocks(sizes, rows)
    else:
        order, starts, labels = sort_blocks(block, rows)
    if order is not None:  # what has another number of rows is refused with all other arrays
        y, x, offset, weights = (
            values[order] if values is not None and values.shape[:1] == (rows,) else values
            for values in (y, x, offset, weights)
        )
    if weights is not None and weights.shape == (rows,):
        starts = _without_zero_rows(weights, starts, labels)
    y, x, offset, weights = response_rows(y, x, offset, weights, family)
    n_blocks, p = starts.shape[0] - 1, x.shape[1]
    mu, low = pfamily.coefficient.by_block(names, p, n_blocks)
    phi = np.broadcast_to(dispersion_by_block(known_dispersion(family, pfamily), n_blocks), (n_blocks,))
    if (phi != 1.0).any():
        each = np.repeat(phi, np.diff(starts))
        weights = divide_weights(weights if weights.size else np.ones(each.size), each)
    data = (family.kernel, y, x, offset, weights, starts)
    draw = _one if p == 1 else _several
    coefficients, iters, modes = draw(n, data, mu, low, (family, pfamily), labels, rng)
    return BlockDraws(coefficients, np.tile(phi, (n, 1)), modes, iters, labels, pfamily)


def _without_zero_rows(weights, starts, labels):
    """Block starts once the rows of weight 0 are gone."""
    kept = np.concatenate([[0], np.cumsum(weights > 0.0)])[starts]
    empty = np.flatnonzero(np.diff(kept) == 0)
    if empty.size and np.isfinite(weights).all() and not (weights < 0.0).any():
        raise InputError(f"block {empty[0] if labels is None else labels[empty[0]]!s}: weights must not all be zero.")
    return kept.astype(np.int64)


def _refuse(status, j, labels):
    try:
        raise_for(status)
    except GlmbayesError as error:
        raise type(error)(f"block {j if labels is None else labels[j]!s}: {error}") from None


def _one(n, data, mu, low, prior, labels, rng):
    """One coefficient a block."""
    kernel, y, x, offset, weights, starts = data
    n_blocks = starts.shape[0] - 1
    variance = np.broadcast_to(np.square(low[:, 0, 0]), (n_blocks,)).copy()
    out, iters, modes = np.empty((n_blocks, n)), np.empty((n_blocks, n), np.int64), np.empty(n_blocks)
    mean = np.broadcast_to(mu[:, 0], (n_blocks,)).copy()
    x = x.reshape(-1)

    def work(blocks, some, part_starts):
        status, j = glm_one.draw_blocks_1d(
            rng, kernel, y, x, offset, weights, part_starts, mean[blocks], variance[blocks], out[blocks, some],
            iters[blocks, some], modes[blocks],
        )  # fmt: skip
        if status != glm_one.OK:
            _refuse(status, blocks.start + j, labels)
        return 0, DONE

    in_pieces(n, n_blocks, 1, starts, work)
    return by_draw_first(out)[:, :, None], by_draw_first(iters), modes[:, None]


def _several(n, data, mu, low, prior, labels, rng):
    """A few coefficients a block by the grid; a block that it does not suit by the radial envelope."""
    kernel, y, x, offset, weights, starts = data
    if prior[1].coefficient.flat:
        raise InputError("rglmb_blocks needs finite prior variances when a block has more than one coefficient.")
    offset = offset if offset.size else np.zeros(y.size)
    weights = weights if weights.size else np.ones(y.size)
    n_blocks, p = starts.shape[0] - 1, x.shape[1]
    out, iters = np.empty((n_blocks, n, p)), np.empty((n_blocks, n), np.int64)
    modes = np.empty((n_blocks, p))

    def work(blocks, some, _):
        done = blocks.start
        while done < blocks.stop:
            rest = slice(done, blocks.stop)
            status, j = glm_small.draw_blocks_small(
                rng, kernel, y, x, offset, weights, starts[done : blocks.stop + 1], of_blocks(mu, rest),
                of_blocks(low, rest), out[rest, some], iters[rest, some], modes[rest],
            )  # fmt: skip
            if status == glm_small.OK:
                break
            done += j
            if status != glm_small.POOR:
                _refuse(status, done, labels)
            _by_radial(data, prior, done, (offset, weights), out[done, some], iters[done, some], rng)
            done += 1
        return 0, DONE

    in_pieces(n, n_blocks, p, starts, work)
    return by_draw_first(out), by_draw_first(iters), modes


def _by_radial(data, prior, j, rows, out, iters, rng):
    from glmbayes.glm.posterior import build_glm_posterior

    (family, normal), (_, y, x, _, _, starts), (offset, weights) = prior, data, rows
    part = slice(starts[j], starts[j + 1])
    whole = normal.coefficient
    mu = whole.mu[j] if whole.mu.ndim == 2 else whole.mu
    sigma = whole.Sigma[j] if whole.Sigma.ndim == 3 else whole.Sigma
    precision = prior_parts(CoefficientPrior(mu, sigma))
    posterior = build_glm_posterior(
        y[part], x[part], offset[part], weights[part], family, mu, precision, draws=len(out)
    )
    drawn = posterior.draw(len(out), rng)
    out[:], iters[:] = drawn.coefficients, drawn.candidates
