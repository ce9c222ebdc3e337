"""Which columns of a design are combinations of earlier ones, told from rounding by backward error."""

import numpy as np

_MARGIN = 1e3  # exact combinations measure below 10, the hardest NIST regression (Filip) 1e6


def aliased_columns(triangle):
    """Positions of columns that are linear combinations of earlier ones, up to rounding.

    Column j is aliased when the part of it that earlier columns do not explain is within 1,000 rounding errors of
    the terms a_j and c_k a_k of the combination itself: |r_j| <= 1000 eps (|a_j| + sum_k |c_k| |a_k|).  Unlike a
    tolerance on |r_j| / |a_j| this does not depend on the units or the centring of the columns.

    Parameters
    ----------
    triangle : (p, p) array
        R of a QR factorisation of the (weighted) design.

    Returns
    -------
    list of int
    """
    p = triangle.shape[1]
    norms = np.linalg.norm(triangle, axis=0)
    bound = _MARGIN * np.finfo(float).eps
    basis = np.zeros((triangle.shape[0], 0))  # orthonormal, of the columns accepted
    combine = np.zeros((0, 0))  # accepted columns @ combine = basis
    accepted, found = [], []
    for j in range(p):
        column = triangle[:, j]
        weights = basis.T @ column
        rest = column - basis @ weights
        again = basis.T @ rest  # twice is enough
        rest -= basis @ again
        coefficients = combine @ (weights + again)
        size = np.linalg.norm(rest)
        if size <= bound * (norms[j] + np.abs(coefficients) @ norms[accepted]):
            found.append(j)
            continue
        k = len(accepted)
        grown = np.zeros((k + 1, k + 1))
        grown[:k, :k] = combine
        grown[:k, k] = -coefficients / size
        grown[k, k] = 1.0 / size
        basis, combine = np.column_stack([basis, rest / size]), grown
        accepted.append(j)
    return found


def looks_aliased(triangle, inverse):
    """The same test for all columns at once from the inverse of the triangle; True asks for `aliased_columns`."""
    growth = np.linalg.norm(triangle, axis=0) @ np.abs(inverse)
    return not np.all(growth * (_MARGIN * np.finfo(float).eps) < 1.0)
