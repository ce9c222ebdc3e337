"""The data of a Gaussian regression, reduced orthogonally to a (p + 1) x (p + 1) triangle.

Everything that a Gaussian posterior needs from (y, X, weights, offset) is the triangle T of a QR factorisation
of W^1/2 [X | y - offset]: T = [[R, q], [0, rho]], so that for every b

    sum_i w_i (y_i - o_i - x_i'b)^2 = |q - R b|^2 + rho^2,

and X'WX is never formed.  Rows are taken in blocks, so memory is O(p^2) beside the data.
"""

import math

import numpy as np

from glmbayes.kernels.jit import jit
from glmbayes.kernels.linalg import triangularise

_BLOCK = 128


@jit
def reduce_rows(y, x, offset, weights, triangle):
    """Reduce n rows to the triangle.

    Parameters
    ----------
    y : (n,) float array
    x : (n, p) float array
    offset, weights : (n,) float arrays, or empty arrays for none
    triangle : (p + 1, p + 1) array
        Receives T, its diagonal not negative: T does not depend on the order of the rows.

    Returns
    -------
    fine : bool
        False when a weight is negative, any value of a row in use NaN or infinite, or the sum of squares overflows.
    used, total, logs : float
        Number of rows with positive weight, the sum of weights, the sum of their logarithms.
    """
    n, p = x.shape
    cols = p + 1
    weighted = weights.shape[0] > 0
    shifted = offset.shape[0] > 0
    block = max(_BLOCK, 2 * cols)
    held = min(n, block) + cols
    buffer = np.zeros((held, cols))
    work = np.empty(cols)
    used = 0.0
    total = 0.0
    logs = 0.0
    top = 0  # rows of the buffer that hold the triangle so far
    filled = 0
    for i in range(n):
        w = weights[i] if weighted else 1.0
        if not w >= 0.0:
            return False, used, total, logs
        if w == 0.0:
            continue
        used += 1.0
        total += w
        root = 1.0
        if weighted:
            logs += math.log(w)
            root = math.sqrt(w)
        for j in range(p):
            buffer[filled, j] = root * x[i, j]
        buffer[filled, p] = root * (y[i] - offset[i] if shifted else y[i])
        filled += 1
        if filled == held:
            triangularise(buffer, filled, work)
            top = cols
            filled = top
    if filled > top:
        triangularise(buffer, filled, work)
    for i in range(cols):
        sign = -1.0 if i < filled and buffer[i, i] < 0.0 else 1.0
        for j in range(cols):
            triangle[i, j] = sign * buffer[i, j] if i <= j and i < filled else 0.0
    # a NaN or an infinity in a row reaches the triangle through the reflections
    squares = 0.0
    for i in range(cols):
        for j in range(i, cols):
            squares += triangle[i, j] * triangle[i, j]
    return math.isfinite(squares), used, total, logs


@jit
def row_errors(y, x, offset, weights, beta):
    """Weighted sum of squared errors at `beta` straight from the rows, for when nothing else is needed.

    Returns (fine, errors, used, total, logs) as `reduce_rows` does.
    """
    n, p = x.shape
    weighted = weights.shape[0] > 0
    shifted = offset.shape[0] > 0
    errors = 0.0
    used = 0.0
    total = 0.0
    logs = 0.0
    for i in range(n):
        w = weights[i] if weighted else 1.0
        if not w >= 0.0:
            return False, errors, used, total, logs
        if w == 0.0:
            continue
        used += 1.0
        total += w
        if weighted:
            logs += math.log(w)
        e = y[i] - offset[i] if shifted else y[i]
        for j in range(p):
            e -= x[i, j] * beta[j]
        errors += w * e * e
    return math.isfinite(errors), errors, used, total, logs


@jit
def squared_errors(triangle, beta):
    """Weighted sum of squared errors at `beta`, from the triangle of `reduce_rows`."""
    p = beta.shape[0]
    total = triangle[p, p] * triangle[p, p]
    for i in range(p):
        r = triangle[i, p]
        for j in range(i, p):
            r -= triangle[i, j] * beta[j]
        total += r * r
    return total
