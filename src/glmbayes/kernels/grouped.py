"""Grouped data y_j = X_j beta + Z_j a_j + e_j, reduced orthogonally group by group.

A QR factorisation of [Z_j | X_j | y_j] leaves q rows [Rz_j | Rx_j | ry_j] that know about the group's effects and a
remainder that does not; the remainders of all groups are reduced together to one triangle T.  For every (beta, a)

    sum of squared errors = sum_j |ry_j - Rx_j beta - Rz_j a_j|^2 + |t - T beta|^2 + rho^2,

so that a sweep over m groups costs O(m q^2 (q + p)) whatever the number of rows, and no sum of squares of raw data
is ever formed: means of 1e6 beside standard deviations of 1e-3 do no harm (methods: hierarchical linear models).
"""

from typing import NamedTuple

import numpy as np

from glmbayes.kernels.jit import jit
from glmbayes.kernels.linalg import all_finite, triangularise


class GroupedData(NamedTuple):
    """Sufficient statistics of m groups, p columns of X and q of Z (see the module's text).

    Attributes
    ----------
    rz : (m, q, q) array
    rx : (m, q, p) array
    ry : (m, q) array
    within : (p + 1, p + 1) array
        The triangle [[T, t], [0, rho]].
    xtx : (p, p) array
        X'X, for conditionals given the effects.
    n : float
        Number of observations.
    """

    rz: np.ndarray
    rx: np.ndarray
    ry: np.ndarray
    within: np.ndarray
    xtx: np.ndarray
    n: float


@jit
def reduce_groups(y, x, z, starts, rz, rx, ry, within):
    """Reduce rows that are sorted by group; rows of group j are starts[j]:starts[j + 1].

    Parameters
    ----------
    y, x, z : (N,), (N, p), (N, q) float arrays
    starts : (m + 1,) int array
    rz, rx, ry, within
        The arrays of `GroupedData`, filled here.

    Returns
    -------
    bool
        False when a value is NaN or infinite.
    """
    p = x.shape[1]
    q = z.shape[1]
    cols = q + p + 1
    most = 0
    for j in range(starts.shape[0] - 1):
        most = max(most, starts[j + 1] - starts[j])
    buffer = np.empty((most, cols))
    rest = np.zeros((2 * (p + 1), p + 1))
    work = np.empty(cols)
    for j in range(starts.shape[0] - 1):
        n = starts[j + 1] - starts[j]
        for i in range(n):
            row = starts[j] + i
            for k in range(q):
                buffer[i, k] = z[row, k]
            for k in range(p):
                buffer[i, q + k] = x[row, k]
            buffer[i, cols - 1] = y[row]
        triangularise(buffer, n, work)
        for i in range(q):
            for k in range(q):
                rz[j, i, k] = buffer[i, k] if i < n and k >= i else 0.0
            for k in range(p):
                rx[j, i, k] = buffer[i, q + k] if i < n else 0.0
            ry[j, i] = buffer[i, cols - 1] if i < n else 0.0
        for i in range(p + 1):
            for k in range(p + 1):
                rest[p + 1 + i, k] = buffer[q + i, q + k] if q + i < n and k >= i else 0.0
        triangularise(rest, 2 * (p + 1), work)
    for i in range(p + 1):
        for k in range(p + 1):
            within[i, k] = rest[i, k] if k >= i else 0.0
    fine = all_finite(within)
    for j in range(ry.shape[0]):
        fine = fine and all_finite(ry[j]) and all_finite(rz[j]) and all_finite(rx[j])
    return fine


@jit
def within_errors(within, beta):
    """Squared errors at `beta` in the directions that no group effect reaches."""
    p = beta.shape[0]
    total = within[p, p] * within[p, p]
    for i in range(p):
        e = within[i, p]
        for k in range(i, p):
            e -= within[i, k] * beta[k]
        total += e * e
    return total
