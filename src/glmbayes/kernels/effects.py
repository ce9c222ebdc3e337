"""The data of a mixed model with any number of grouping factors, reduced for a joint draw of all its effects.

One factor, the one with most levels, is "main": its effects a_j (q columns per level) are eliminated level by level.
Everything else, fixed effects and the effects of the other factors alike, is one vector w of length P with columns W:
y = W w + Z a + e.  As in `grouped`, a QR factorisation of [Z_j | W_j | y_j] separates what a level's effects reach
(q rows) from what they do not.  W_j has few columns that are not zero, so these rows are stored by column:
`column[start[j]:start[j + 1]]` are the columns and `rw` their entries.  The remainders add up to the cross-products
`gram`, `linear`, `square`; the fixed columns of W are orthonormal and y is a least-squares residual, which keeps
these sums free of cancellation.
"""

from typing import NamedTuple

import numpy as np

from glmbayes.kernels.jit import jit
from glmbayes.kernels.linalg import eliminate


class EffectsData(NamedTuple):
    """Sufficient statistics; see the module's text.

    Attributes
    ----------
    rz : (m, q, q) array
    ry : (m, q) array
    start : (m + 1,) int array
    column : (nnz,) int array
    rw : (nnz, q) array
    gram : (P, P) array
    linear : (P,) array
    square : float
    n : float
        Number of observations.
    """

    rz: np.ndarray
    ry: np.ndarray
    start: np.ndarray
    column: np.ndarray
    rw: np.ndarray
    gram: np.ndarray
    linear: np.ndarray
    square: float
    n: float


class EffectsLayout(NamedTuple):
    """Where the K random terms are: columns per level, levels, whether on the main factor, and first column.

    `first` is a column of Z for a main term and a position in w for another.
    """

    q: np.ndarray
    m: np.ndarray
    main: np.ndarray
    first: np.ndarray


class EffectsPrior(NamedTuple):
    """Priors: fixed effects N by precision (p, p) and precision times mean; K covariances; the residual variance.

    `kind` (K,) is one of `interweave`'s; SIGMA uses `terms` (K, 6) and `upper` (K,), WISHART `df` and `scale_root`,
    HUANG_WAND `df` = nu + q - 1, `nu` and `inverse_scales2` (K, Q).
    """

    precision: np.ndarray
    linear: np.ndarray
    kind: np.ndarray
    terms: np.ndarray
    upper: np.ndarray
    df: np.ndarray
    scale_root: np.ndarray
    nu: np.ndarray
    inverse_scales2: np.ndarray
    sigma_terms: np.ndarray
    sigma_upper: float
    sigma_known: bool


class EffectsState(NamedTuple):
    """w (P,), a (m, q), sigma2 (1,), root (K, Q, Q) lower Cholesky factors, mixing (K, Q)."""

    w: np.ndarray
    a: np.ndarray
    sigma2: np.ndarray
    root: np.ndarray
    mixing: np.ndarray


@jit
def local_columns(starts, p, codes, widths, offsets, size, start):
    """Columns of W that each main level touches: fills `start` (m + 1,), returns the columns (nnz,).

    `codes` (N, K) holds the level of each other factor's term in each row (rows sorted by main level), `widths` (K,)
    its columns per level, `offsets` (K,) where the term starts in w.
    """
    mark = np.full(size, -1)
    found = 0
    for counting in range(2):
        columns = np.empty(found if counting == 1 else 0, np.int64)
        for i in range(size):
            mark[i] = -1
        found = 0
        for j in range(starts.shape[0] - 1):
            start[j] = found
            for c in range(p):
                if counting == 1:
                    columns[found] = c
                found += 1
            for row in range(starts[j], starts[j + 1]):
                for k in range(codes.shape[1]):
                    first = offsets[k] + codes[row, k] * widths[k]
                    if mark[first] != j:
                        mark[first] = j
                        for h in range(widths[k]):
                            if counting == 1:
                                columns[found] = first + h
                            found += 1
        start[starts.shape[0] - 1] = found
    return columns


@jit
def reduce_effects(y, x, z, others, starts, codes, widths, offsets, start, column, rz, ry, rw, gram, linear):
    """Fill the arrays of `EffectsData`; returns `square`.

    Parameters
    ----------
    y, x, z : (N,), (N, p), (N, q) float arrays
        Rows sorted by main level.
    others : (N, sum of widths) float array
        The columns of the other terms, side by side.
    starts : (m + 1,) int array
        Rows of main level j are starts[j]:starts[j + 1].
    codes, widths, offsets, start, column
        As in `local_columns`.
    rz, ry, rw, gram, linear
        Outputs; `gram` and `linear` zero on entry.
    """
    m, q = ry.shape
    p = x.shape[1]
    most_rows = 0
    most_columns = 0
    for j in range(m):
        most_rows = max(most_rows, starts[j + 1] - starts[j])
        most_columns = max(most_columns, start[j + 1] - start[j])
    buffer = np.empty((most_rows, q + most_columns + 1))
    work = np.empty(q + most_columns + 1)
    place = np.empty(gram.shape[0], np.int64)
    square = 0.0
    for j in range(m):
        n = starts[j + 1] - starts[j]
        local = start[j + 1] - start[j]
        part = buffer[:n, : q + local + 1]
        for i in range(n):
            for k in range(part.shape[1]):
                part[i, k] = 0.0
        for i in range(local):
            place[column[start[j] + i]] = q + i
        for i in range(n):
            row = starts[j] + i
            for k in range(q):
                part[i, k] = z[row, k]
            for k in range(p):
                part[i, q + k] = x[row, k]
            at = 0
            for k in range(codes.shape[1]):
                first = place[offsets[k] + codes[row, k] * widths[k]]
                for h in range(widths[k]):
                    part[i, first + h] = others[row, at]
                    at += 1
            part[i, q + local] = y[row]
        eliminate(part, n, q, work)
        for i in range(q):
            for k in range(q):
                rz[j, i, k] = part[i, k] if i < n and k >= i else 0.0
            for k in range(local):
                rw[start[j] + k, i] = part[i, q + k] if i < n else 0.0
            ry[j, i] = part[i, q + local] if i < n else 0.0
        for i in range(q, n):
            e = part[i, q + local]
            square += e * e
            for k in range(local):
                v = part[i, q + k]
                if v != 0.0:
                    c = column[start[j] + k]
                    linear[c] += v * e
                    for h in range(k + 1):
                        gram[c, column[start[j] + h]] += v * part[i, q + h]
    for c in range(gram.shape[0]):
        for h in range(c):
            total = gram[c, h] + gram[h, c]  # pairs arrive in either order
            gram[c, h] = total
            gram[h, c] = total
    return square


@jit
def within_square(data, w):
    """Squared errors at `w` in the directions that no main effect reaches."""
    total = data.square
    for c in range(w.shape[0]):
        s = 0.0
        for h in range(w.shape[0]):
            s += data.gram[c, h] * w[h]
        total += w[c] * (s - 2.0 * data.linear[c])
    return max(total, 0.0)
