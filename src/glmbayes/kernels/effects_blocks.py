"""A Gibbs sweep for several large grouping factors: one factor's effects at a time, with the fixed effects.

Drawing all effects together costs the cube of the number of levels of the smaller factors.  Here, for each factor in
turn, given the effects of the others,

1. the fixed effects are drawn with this factor's effects integrated out, then the effects (independent levels),
2. the factor's covariances are drawn, given the effects and given the standardised effects (`interweave`);

then the residual variance.  A sweep passes over the rows a few times, and memory is linear in rows and levels.  Means
of factors and the intercept never wait for each other, because the fixed effects move with every factor; effects of
different factors do, the more the better the rows determine a level and the fewer levels of the other it meets.
"""

from typing import NamedTuple

import numpy as np

from glmbayes.kernels.effects_sweep import (
    draw_root,
    finish_root,
    read_effects,
    standardise,
    store_state,
    write_effects,
)
from glmbayes.kernels.group_effects import draw_all_effects
from glmbayes.kernels.jit import jit
from glmbayes.kernels.variance import update_precision


class BlocksData(NamedTuple):
    """Rows, and for each factor an orthogonal factorisation Z_j = Q_j R_j of its levels' columns.

    Attributes
    ----------
    y : (N,) array
    x : (N, p) array
    order : (F, N) int array
        Rows sorted by the factor's levels.
    levels, width : (F,) int arrays
        Number of levels m and columns per level q.
    starts : (F, largest m + 1) int array
        Level j has the places starts[j]:starts[j + 1] of `order`.
    q_rows, r, rx : (F, N * q), (F, m * q * q), (F, m * q * p) float arrays, padded
        Rows of Q in the factor's order, R, and Q'X.
    within : (F, p, p) array
        X'X less what a factor's levels reach.
    linear : (P,) array
        Zeros: the length of w.
    factor, column : (K,) int arrays
        Factor of each term, and the place of its first column among the factor's.
    n : float
    """

    y: np.ndarray
    x: np.ndarray
    order: np.ndarray
    levels: np.ndarray
    width: np.ndarray
    starts: np.ndarray
    q_rows: np.ndarray
    r: np.ndarray
    rx: np.ndarray
    within: np.ndarray
    linear: np.ndarray
    factor: np.ndarray
    column: np.ndarray
    n: float


@jit
def _shift_rows(order, starts, q_rows, change, residual):
    """Subtract Q_j change_j from the residuals of every level."""
    for j in range(change.shape[0]):
        for place in range(starts[j], starts[j + 1]):
            s = 0.0
            for i in range(change.shape[1]):
                s += q_rows[place, i] * change[j, i]
            residual[order[place]] -= s


@jit
def _project_rows(order, starts, q_rows, residual, out):
    """out_j = Q_j' residual for every level."""
    for j in range(out.shape[0]):
        for i in range(out.shape[1]):
            out[j, i] = 0.0
        for place in range(starts[j], starts[j + 1]):
            e = residual[order[place]]
            for i in range(out.shape[1]):
                out[j, i] += q_rows[place, i] * e


@jit
def _times(r, effects, out):
    """out_j = R_j effects_j."""
    for j in range(effects.shape[0]):
        for i in range(effects.shape[1]):
            s = 0.0
            for h in range(i, effects.shape[1]):
                s += r[j, i, h] * effects[j, h]
            out[j, i] = s


@jit
def _update_term(rng, prior, k, r, e, effects, column, sigma2, mixing, root):
    """The covariance of term k, twice; `effects` follow.  `e` (m, q) is Q'(y less everything but this factor)."""
    m, width = effects.shape
    q = root.shape[0]
    own = np.empty((m, q))
    for j in range(m):
        for i in range(q):
            own[j, i] = effects[j, column + i]
    if not draw_root(rng, prior, k, own, mixing, root):
        return False
    b = standardise(own, root)
    d = q * (q + 1) // 2
    big_h = np.zeros((d, d))
    linear = np.zeros(d)
    v = np.empty((d, width))
    rest = np.empty(width)
    for j in range(m):
        for i in range(width):
            rest[i] = e[j, i]
            for h in range(i, width):
                if h < column or h >= column + q:
                    rest[i] -= r[j, i, h] * effects[j, h]
        at = 0
        for row in range(q):
            for c in range(row + 1):
                for i in range(width):
                    v[at, i] = r[j, i, column + row] * b[j, c]
                at += 1
        for at in range(d):
            for i in range(width):
                linear[at] += v[at, i] * rest[i]
                for other in range(at + 1):
                    big_h[at, other] += v[at, i] * v[other, i]
    for at in range(d):
        for other in range(at):
            big_h[other, at] = big_h[at, other]
    finish_root(rng, prior, k, big_h, linear, sigma2, b, own, mixing, root)
    for j in range(m):
        for i in range(q):
            effects[j, column + i] = own[j, i]
    return True


@jit
def _sweep_factor(rng, data, layout, prior, state, f, residual):
    """Fixed effects, effects and covariances of factor f; `residual` (N,) follows."""
    rows, p = data.x.shape
    m = data.levels[f]
    q = data.width[f]
    order = data.order[f]
    starts = data.starts[f]
    q_rows = data.q_rows[f, : rows * q].reshape(rows, q)
    r = data.r[f, : m * q * q].reshape(m, q, q)
    rx = data.rx[f, : m * q * p].reshape(m, q, p)
    within = data.within[f]
    sigma2 = state.sigma2[0]
    terms = layout.q.shape[0]
    effects = np.empty((m, q))
    root = np.zeros((q, q))
    for k in range(terms):
        if data.factor[k] == f:
            read_effects(layout, state, k, data.column[k], effects)
            for i in range(layout.q[k]):
                for h in range(i + 1):
                    root[data.column[k] + i, data.column[k] + h] = state.root[k, i, h]
    beta = np.empty(p)
    reach = np.zeros(p)  # X' residual, then its part beyond Q
    for c in range(p):
        beta[c] = state.w[c]
    for i in range(rows):
        for c in range(p):
            reach[c] += data.x[i, c] * residual[i]
    ry = np.empty((m, q))
    before = np.empty((m, q))
    _project_rows(order, starts, q_rows, residual, ry)
    _times(r, effects, before)
    for j in range(m):
        for i in range(q):
            e = ry[j, i]
            ry[j, i] += before[j, i]
            for c in range(p):
                reach[c] -= rx[j, i, c] * e
                ry[j, i] += rx[j, i, c] * beta[c]
    precision = np.empty((p, p))
    for c in range(p):
        for h in range(p):
            reach[c] += within[c, h] * beta[h]
            precision[c, h] = prior.precision[c, h] + within[c, h] / sigma2
    for c in range(p):
        reach[c] = prior.linear[c] + reach[c] / sigma2
    if not draw_all_effects(rng, precision, reach, r, rx, ry, root, sigma2, beta, effects):
        return False
    for j in range(m):
        for i in range(q):
            for c in range(p):
                ry[j, i] -= rx[j, i, c] * beta[c]
    for k in range(terms):
        if data.factor[k] == f:
            size = layout.q[k]
            low = np.zeros((size, size))
            for i in range(size):
                for h in range(i + 1):
                    low[i, h] = state.root[k, i, h]
            if not _update_term(rng, prior, k, r, ry, effects, data.column[k], sigma2, state.mixing[k, :size], low):
                return False
            write_effects(layout, state, k, data.column[k], effects)
            for i in range(size):
                for h in range(i + 1):
                    state.root[k, i, h] = low[i, h]
    after = np.empty((m, q))
    _times(r, effects, after)
    for j in range(m):
        for i in range(q):
            after[j, i] -= before[j, i]
    _shift_rows(order, starts, q_rows, after, residual)
    for c in range(p):
        change = beta[c] - state.w[c]
        state.w[c] = beta[c]
        for i in range(rows):
            residual[i] -= data.x[i, c] * change
    return True


@jit
def _residuals_of_rows(data, layout, state, residual):
    """residual (N,) = y less all effects, afresh."""
    rows, p = data.x.shape
    for i in range(rows):
        residual[i] = data.y[i]
        for c in range(p):
            residual[i] -= data.x[i, c] * state.w[c]
    for f in range(data.levels.shape[0]):
        m = data.levels[f]
        q = data.width[f]
        effects = np.empty((m, q))
        fitted = np.empty((m, q))
        for k in range(layout.q.shape[0]):
            if data.factor[k] == f:
                read_effects(layout, state, k, data.column[k], effects)
        _times(data.r[f, : m * q * q].reshape(m, q, q), effects, fitted)
        _shift_rows(data.order[f], data.starts[f], data.q_rows[f, : rows * q].reshape(rows, q), fitted, residual)


@jit
def run_blocks(rng, data, layout, prior, state, sweeps, thin, out_w, out_a, out_sigma2, out_root, start):
    """`sweeps` sweeps, in place; every `thin`-th is stored from row `start` on (thin = 0: none).

    Returns False when a conditional was improper or a matrix not positive definite.
    """
    residual = np.empty(data.y.shape[0])
    row = start
    for sweep in range(sweeps):
        _residuals_of_rows(data, layout, state, residual)
        for f in range(data.levels.shape[0]):
            if not _sweep_factor(rng, data, layout, prior, state, f, residual):
                return False
        if not prior.sigma_known:
            total = 0.0
            for i in range(residual.shape[0]):
                total += residual[i] * residual[i]
            u = update_precision(rng, 1.0 / state.sigma2[0], data.n, total, prior.sigma_terms, prior.sigma_upper)
            if not u > 0.0:
                return False
            state.sigma2[0] = 1.0 / u
        if thin > 0 and (sweep + 1) % thin == 0:
            store_state(state, out_w[row], out_a[row], out_root[row])
            out_sigma2[row] = state.sigma2[0]
            row += 1
    return True
