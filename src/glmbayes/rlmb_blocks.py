"""rlmb_blocks: many conditionally independent regressions in one call."""

from dataclasses import dataclass

import numpy as np

from glmbayes.checks import count, labels_of, option, refuse_rows, regression_arrays
from glmbayes.errors import GlmbayesError, ImproperPosteriorError, InputError
from glmbayes.kernels.blocks import BAD_ROWS, NO_ROWS, block_starts
from glmbayes.kernels.log_precision import DONE
from glmbayes.posteriors.log_precision import raise_for
from glmbayes.priors.base import Prior
from glmbayes.random import generator
from glmbayes.rlmb import WEIGHTS_TYPES

_INT = np.dtype(np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class BlockDraws:
    """What `rlmb_blocks` returns, for J blocks.

    Attributes
    ----------
    coefficients : (n, J, p) array
    dispersion : (n, J) array
    coef_mode : (J, p) array
    iters : (n, J) int array
        Candidates that each draw took.
    blocks : (J,) array or None
        Block labels in order of first appearance; None when sizes were given.
    prior : the prior used.
    """

    coefficients: np.ndarray
    dispersion: np.ndarray
    coef_mode: np.ndarray
    iters: np.ndarray
    blocks: np.ndarray | None
    prior: Prior

    def __repr__(self):
        n, blocks, p = self.coefficients.shape
        return f"BlockDraws: {n} draws of {blocks} blocks x {p} coefficients under {type(self.prior).__name__}"


def rlmb_blocks(
    n, y, x, pfamily, *, block=None, sizes=None, offset=None, weights=None, weights_type="frequency", rng=None
):
    """Draw from the posteriors of J regressions that are independent of one another.

    One call does what a loop of `rlmb` calls over groups does, in compiled code: the group updates of a
    hierarchical model.

    Parameters
    ----------
    n : int
        Number of draws.
    y, x : (N,) and (N, p) array_like
        Responses and designs of all blocks, row by row.
    pfamily : prior
        As in `rlmb`.  Prior means (J, p), covariances (J, p, p), known coefficients (J, p) and known dispersions (J,)
        may vary by block; what does not vary is shared.
    block : (N,) array_like, optional
        Block label of each row; blocks are numbered in order of first appearance.
    sizes : (J,) array_like of int, optional
        Number of rows of each block, for rows that are stored block after block.  Exactly one of `block` and `sizes`
        is given; `sizes` is the faster one.
    offset, weights, weights_type, rng
        As in `rlmb`.

    Returns
    -------
    BlockDraws
        ``coefficients`` (n, J, p), ``dispersion`` (n, J), ``coef_mode`` (J, p), ``iters`` (n, J), ``blocks`` (J,).

    Examples
    --------
    The school effects of the eight schools, given their mean and variance:

    >>> import numpy as np
    >>> from glmbayes import dNormal, rlmb_blocks
    >>> y = np.array([28.39, 7.94, -2.75, 6.82, -0.64, 0.63, 18.01, 12.16])
    >>> sd = np.array([14.9, 10.2, 16.3, 11.0, 9.4, 11.4, 10.4, 17.6])
    >>> theta = rlmb_blocks(1, y, np.ones((8, 1)), dNormal(8.0, 40.0, dispersion=sd**2), sizes=np.ones(8, int), rng=1)
    >>> theta.coefficients.shape
    (1, 8, 1)
    """
    n = count(n)
    rng = generator(rng)
    if not isinstance(pfamily, Prior):
        raise InputError(
            f"pfamily must be a prior such as dNormal(mu, Sigma, dispersion); got {type(pfamily).__name__}."
        )
    names = None if type(x) is np.ndarray else labels_of(x, axis=1)
    y, x, offset, weights = regression_arrays(y, x, offset, weights)
    if type(weights_type) is not str or weights_type != "frequency":
        option(weights_type, "weights_type", WEIGHTS_TYPES)
    if (block is None) == (sizes is None):
        raise InputError("give exactly one of block= (a label per row) and sizes= (rows per block).")
    if sizes is not None:
        starts, labels = size_blocks(sizes, y.shape[0])
    else:
        order, starts, labels = sort_blocks(block, y.shape[0])
        if order is not None:
            y, x = y[order], x[order]
            offset = offset[order] if offset.size else offset
            weights = weights[order] if weights.size else weights
    data = (y, x, offset, weights, starts)
    coefficients, dispersion, iters, mode, failure = pfamily.draw_blocks(
        n, data, names, weights_type == "frequency", rng
    )
    j, status = failure
    if status != DONE:
        _refuse_block(data, j if labels is None else labels[j], j, status)
    return BlockDraws(coefficients, dispersion, mode, iters, labels, pfamily)


def size_blocks(sizes, rows):
    """(starts, None) for blocks that are stored one after the other."""
    if type(sizes) is not np.ndarray or sizes.dtype is not _INT or not sizes.flags.carray:
        sizes = np.asarray(sizes)
        if sizes.dtype.kind not in "iu" or sizes.ndim != 1:
            raise InputError("sizes must be a vector of whole numbers of rows per block.")
        sizes = np.ascontiguousarray(sizes, np.int64)
    if sizes.ndim != 1:
        raise InputError("sizes must be a vector of whole numbers of rows per block.")
    starts = np.empty(sizes.size + 1, np.int64)
    if not block_starts(sizes, rows, starts):
        raise InputError(
            f"sizes must be at least 1 each and add up to the number of rows ({rows}); they add up to {sizes.sum()}."
        )
    return starts, None


def sort_blocks(block, rows, name="block"):
    """(order or None when already sorted, starts, labels in order of first appearance)."""
    # as strings a list's missing labels would look like any other
    labels = np.asarray(block, dtype=object if isinstance(block, (list, tuple)) else None)
    if labels.shape != (rows,):
        raise InputError(f"{name} must have one label per row ({rows}); got shape {labels.shape}.")
    if labels.dtype.kind == "O":
        code, unique = _code_objects(labels, name)
    else:
        if labels.dtype.kind in "fcmM" and (labels != labels).any():
            raise InputError(f"{name} must not have missing labels.")
        values, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
        appearance = np.argsort(first)
        rank = np.empty(values.size, np.int64)
        rank[appearance] = np.arange(values.size)
        code, unique = rank[inverse], values[appearance]
    starts = np.zeros(unique.size + 1, np.int64)
    np.cumsum(np.bincount(code), out=starts[1:])
    order = None if (np.diff(code) >= 0).all() else np.argsort(code, kind="stable")
    return order, starts, unique


def _code_objects(labels, name):
    """Numbers of labels of any hashable kind, and the distinct labels, in order of first appearance."""
    number = {}
    try:
        missing = [v is None or not bool(v == v) for v in labels]
        code = np.array([number.setdefault(v, len(number)) for v in labels])
    except (TypeError, ValueError):  # pandas' NA is neither equal to itself nor different
        raise InputError(f"{name} must hold labels such as strings or integers, none of them missing.") from None
    if any(missing):
        raise InputError(f"{name} must not have missing labels.")
    unique = np.empty(len(number), object)
    unique[:] = list(number)
    return code, unique


def _refuse_block(data, label, j, status):
    y, x, offset, weights, starts = data
    if status == BAD_ROWS:
        rows = slice(starts[j], starts[j + 1])
        try:
            refuse_rows(y[rows], x[rows], offset[rows], weights[rows])
        except InputError as error:
            raise InputError(f"block {label!s}: {error}") from None
    if status == NO_ROWS:
        raise InputError(f"block {label!s}: weights must not all be zero.")
    try:
        raise_for(status)
    except GlmbayesError as error:
        raise type(error)(f"block {label!s}: {error}") from None
    raise ImproperPosteriorError(
        f"block {label!s}: the posterior is improper. Its data are fitted exactly, or columns with infinite prior "
        "variances are linearly dependent in it; use a proper prior."
    )
