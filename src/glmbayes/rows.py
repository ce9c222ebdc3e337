"""The rows of a Gaussian regression, reduced to the statistics that every posterior is built from."""

from typing import NamedTuple

import numpy as np

from glmbayes.checks import refuse_rows
from glmbayes.errors import InputError
from glmbayes.kernels.rows import reduce_rows, row_errors

_COMPILED_LIMIT = 2_000_000  # n p^2 up to which one compiled pass takes milliseconds
_CHUNK = 16_384


class Rows(NamedTuple):
    """Sufficient statistics of a weighted Gaussian regression.

    Attributes
    ----------
    triangle : (p + 1, p + 1) array
        R factor of W^1/2 [X | y - offset].
    n_w : float
        What the weights count as: their sum ("frequency") or the number of rows with positive weight ("precision").
    n : float
        Rows with positive weight.
    log_weights : float
        Sum of log weights when they are precision weights, else 0: the likelihood's constant.
    """

    triangle: np.ndarray
    n_w: float
    n: float
    log_weights: float


def reduce(y, x, offset, weights, weights_type):
    """Reduce checked arrays (see `checks.regression_arrays`) to `Rows`; bad values raise InputError."""
    n, p = x.shape
    triangle = np.empty((p + 1, p + 1))
    reducer = reduce_rows if n * p * p <= _COMPILED_LIMIT else _reduce_long
    fine, used, total, logs = reducer(y, x, offset, weights, triangle)
    if not fine:
        refuse_rows(y, x, offset, weights)
    if used == 0.0:
        raise InputError("weights must not all be zero: no observation is left.")
    if weights_type == "frequency":
        return Rows(triangle, total, used, 0.0)
    return Rows(triangle, used, used, logs)


def errors_at(y, x, offset, weights, weights_type, beta):
    """(n_w, log_weights, weighted sum of squared errors at `beta`) from checked arrays, in one pass."""
    fine, errors, used, total, logs = row_errors(y, x, offset, weights, beta)
    if not fine:
        refuse_rows(y, x, offset, weights)
    if used == 0.0:
        raise InputError("weights must not all be zero: no observation is left.")
    return (total, 0.0, errors) if weights_type == "frequency" else (used, logs, errors)


def _reduce_long(y, x, offset, weights, triangle):
    """The same for long data: LAPACK on blocks of rows, which Ctrl-C can interrupt."""
    n, p = x.shape
    if weights.size and not (weights >= 0.0).all():
        return False, 0.0, 0.0, 0.0
    held = np.zeros((0, p + 1))
    chunk = max(_CHUNK, 4 * (p + 1))
    for start in range(0, n, chunk):
        rows = slice(start, start + chunk)
        if weights.size and not weights[rows].all():
            rows = start + np.nonzero(weights[rows])[0]
        part = x[rows]
        top = held.shape[0]
        block = np.empty((top + part.shape[0], p + 1))
        block[:top] = held
        block[top:, :p] = part
        with np.errstate(over="ignore", invalid="ignore"):
            block[top:, p] = y[rows] - offset[rows] if offset.size else y[rows]
            if weights.size:
                block[top:] *= np.sqrt(weights[rows])[:, None]
        if not np.isfinite(block).all():
            return False, 0.0, 0.0, 0.0
        held = np.linalg.qr(block, mode="r")
    triangle[:] = 0.0
    triangle[: held.shape[0]] = held
    triangle[np.diag(triangle) < 0.0] *= -1.0
    with np.errstate(over="ignore"):
        if not np.isfinite(triangle * triangle).all():  # squares overflow, as they do in compiled code
            return False, 0.0, 0.0, 0.0
    if not weights.size:
        return True, float(n), float(n), 0.0
    positive = weights[weights > 0.0]
    return True, float(positive.size), float(positive.sum()), float(np.log(positive).sum())
