"""The rows of a mixed model with several large grouping factors, as `glmbayes.kernels.effects_blocks` takes them."""

import numpy as np

from glmbayes.kernels.effects_blocks import BlocksData


def nearly_nested(factors):
    """Whether some factor's levels meet fewer than two levels of another on average.

    The sums of such levels' effects are known much better than the effects: one factor given the other hardly moves.
    """
    for one in factors:
        for other in factors:
            m = len(one.labels)
            met = np.unique(one.codes.astype(np.int64) * len(other.labels) + other.codes).size
            if one is not other and m >= len(other.labels) and met < 2 * m:
                return True
    return False


def block_data(design, y, x, root_w, first, on_main, size, n):
    """`BlocksData`: y (N,) and x (N, p) weighted already, `first` and `on_main` (K,) of each term, `size` of w."""
    factors, terms = list(design.factors.values()), design.terms
    members = [[k for k, term in enumerate(terms) if term.factor is factor] for factor in factors]
    p, count = x.shape[1], len(factors)
    levels = np.array([len(f.labels) for f in factors], np.int64)
    width = np.array([sum(terms[k].q for k in inside) for inside in members], np.int64)
    factor, column = np.empty(len(terms), np.int64), np.empty(len(terms), np.int64)
    rows = np.argsort(next(terms[k].factor.codes for k in range(len(terms)) if on_main[k]), kind="stable")
    y, x, root_w = np.ascontiguousarray(y[rows]), np.ascontiguousarray(x[rows]), root_w[rows]
    order = np.empty((count, y.size), np.int64)
    starts = np.zeros((count, levels.max() + 1), np.int64)
    q_rows = np.zeros((count, y.size * width.max()))
    r = np.zeros((count, (levels * width**2).max()))
    rx = np.zeros((count, (levels * width).max() * p))
    within = np.empty((count, p, p))
    for f, (level, inside) in enumerate(zip(factors, members)):
        for k in inside:
            factor[k] = f
            column[k] = first[k] if on_main[k] else sum(terms[h].q for h in inside if h < k)
        codes, m, q = level.codes[rows], levels[f], width[f]
        order[f] = np.argsort(codes, kind="stable")
        starts[f, 1 : m + 1] = np.cumsum(np.bincount(codes, minlength=m))
        ends = starts[f, : m + 1]
        z = np.column_stack([terms[k].Z[rows] for k in inside])[order[f]] * root_w[order[f], None]
        orthonormal, triangles = _factorise(z, ends)
        ordered = x[order[f]]
        reached = np.add.reduceat(orthonormal[:, :, None] * ordered[:, None, :], ends[:-1])
        rest = ordered - np.einsum("iq,iqp->ip", orthonormal, np.repeat(reached, np.diff(ends), axis=0))
        q_rows[f, : y.size * q] = orthonormal.ravel()
        r[f, : m * q * q] = triangles.ravel()
        rx[f, : m * q * p] = reached.ravel()
        within[f] = rest.T @ rest
    return BlocksData(y, x, order, levels, width, starts, q_rows, r, rx, within, np.zeros(size), factor, column, n)


def _factorise(z, ends):
    """Z_j = Q_j R_j of every level: rows of Q (N, q), and R (m, q, q), zeros where a level has fewer than q rows."""
    m, q = ends.size - 1, z.shape[1]
    if q == 1:
        norm = np.sqrt(np.add.reduceat(z[:, 0] ** 2, ends[:-1]))
        safe = np.where(norm > 0.0, norm, 1.0)
        return z / np.repeat(safe, np.diff(ends))[:, None], norm.reshape(m, 1, 1)
    orthonormal, triangles = np.zeros(z.shape), np.zeros((m, q, q))
    for j in range(m):
        part, triangle = np.linalg.qr(z[ends[j] : ends[j + 1]])
        orthonormal[ends[j] : ends[j + 1], : part.shape[1]] = part
        triangles[j, : triangle.shape[0]] = triangle
    return orthonormal, triangles
