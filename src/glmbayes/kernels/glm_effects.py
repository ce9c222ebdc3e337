"""A Gibbs sweep for generalised linear mixed models, made of exact draws along lines.

Linear predictor eta = offset + X theta + sum_f Z_f a_f, effects a = L b with b ~ N(0, I) a priori; theta are the fixed
effects in coordinates that are nearly independent given the rest.  Along any line the log posterior of a generalised
linear model with a normal prior is concave in one variable, which `glm_one` draws exactly.  A group with several
effects, and the fixed effects, are updated along a few lines that are nearly independent of one another: conjugate
directions of a fixed approximation of the posterior precision.  The directions never depend on what they update.

Fixed effects that the effects of a factor could imitate (an intercept, variables constant within its groups) move a
second time, together with those effects and with eta left where it is: given eta theirs is a normal distribution.  That
is hierarchical centring (Gelfand, Sahu & Carlin 1995), interwoven with the first parametrisation (Yu & Meng 2011); the
same goes for a factor whose levels are unions of another's.
"""

import math
from typing import NamedTuple

import numpy as np

from glmbayes.kernels.glm_one import CAPACITY, NOT_FINITE, OK
from glmbayes.kernels.glm_step import draw_step
from glmbayes.kernels.jit import jit
from glmbayes.kernels.linalg import cholesky
from glmbayes.kernels.mixed import draw_from_precision


class GlmRows(NamedTuple):
    """Rows of positive weight.

    Attributes
    ----------
    y, weights, offset : (N,) arrays
    x : (p, N) array
        One row per coordinate of the fixed effects.
    centre : (p,) array
        theta = -centre is where all fixed effects are 0.
    worth : (N,) array
        Fixed guess of a row's information about its linear predictor, for directions and step widths.
    """

    y: np.ndarray
    weights: np.ndarray
    offset: np.ndarray
    x: np.ndarray
    centre: np.ndarray
    worth: np.ndarray


class GlmFactors(NamedTuple):
    """The F grouping factors and K terms; b holds the effects factor by factor, level by level.

    Attributes
    ----------
    m, q : (F,) int arrays
        Levels, and effects per level of all terms together.
    column, first : (F,) int arrays
        The factor's first row of `z`, and where its effects start in b.
    order : (F, N) int array
        Rows sorted by level.
    start : (F, max m + 1) int array
        Rows of level j are order[f, start[f, j]:start[f, j + 1]].
    y, weights : (F, N) arrays
        In that order.
    z : (sum of q, N) array
        The effects' columns, in the order of their factor.
    gram : (sum of m, Q, Q) array
        Z_j' diag(worth) Z_j of every level.
    term_factor, term_at, term_q : (K,) int arrays
        A term's factor, its first effect among the factor's, and its number of effects.
    """

    m: np.ndarray
    q: np.ndarray
    column: np.ndarray
    first: np.ndarray
    order: np.ndarray
    start: np.ndarray
    y: np.ndarray
    weights: np.ndarray
    z: np.ndarray
    gram: np.ndarray
    term_factor: np.ndarray
    term_at: np.ndarray
    term_q: np.ndarray


class GlmShifts(NamedTuple):
    """Moves that leave eta alone: source + D delta, effects of level j of a factor - A_j delta.

    Attributes
    ----------
    factor, source, width : (S,) int arrays
        Factor whose effects compensate; source of the shift, -1 for the fixed effects or a coarser factor; length of
        delta.
    parent : (S, max m) int array
        Level of the source that a level of the factor belongs to (0 for the fixed effects).
    direction : (S, max(p, Q), d) array
        D.
    image : (S, max m, Q, d) array
        A_j.
    """

    factor: np.ndarray
    source: np.ndarray
    width: np.ndarray
    parent: np.ndarray
    direction: np.ndarray
    image: np.ndarray


class GlmState(NamedTuple):
    """theta (p,), b (all effects), root (K, Q, Q) lower Cholesky factors, mixing (K, Q); eta (N,) follows from them."""

    theta: np.ndarray
    b: np.ndarray
    root: np.ndarray
    mixing: np.ndarray
    eta: np.ndarray


@jit
def factor_root(factors, f, root, out):
    """Block diagonal root of all effects of factor f, into the leading block of `out` (Q, Q)."""
    for i in range(out.shape[0]):
        for h in range(out.shape[0]):
            out[i, h] = 0.0
    for k in range(factors.term_q.shape[0]):
        if factors.term_factor[k] == f:
            at = factors.term_at[k]
            for i in range(factors.term_q[k]):
                for h in range(i + 1):
                    out[at + i, at + h] = root[k, i, h]


@jit
def fill_eta(rows, factors, state):
    """Linear predictors from the parameters: once a sweep, so that rounding does not pile up."""
    eta = state.eta
    big = state.root.shape[1]
    low = np.empty((big, big))
    for i in range(eta.shape[0]):
        eta[i] = rows.offset[i]
    for k in range(state.theta.shape[0]):
        for i in range(eta.shape[0]):
            eta[i] += rows.x[k, i] * state.theta[k]
    for f in range(factors.m.shape[0]):
        q = factors.q[f]
        factor_root(factors, f, state.root, low)
        for j in range(factors.m[f]):
            first = factors.first[f] + j * q
            for r in range(q):
                a = 0.0
                for c in range(r + 1):
                    a += low[r, c] * state.b[first + c]
                for at in range(factors.start[f, j], factors.start[f, j + 1]):
                    eta[factors.order[f, at]] += a * factors.z[factors.column[f] + r, at]


@jit
def draw_levels(rng, fam, factors, f, state):
    """The effects of every level of factor f given everything else; returns a status."""
    q = factors.q[f]
    big = state.root.shape[1]
    low = np.empty((big, big))
    g = np.empty((q, q))
    t = np.empty(q)
    direction = np.empty(q)
    work = np.empty((6, CAPACITY))
    out = np.empty(1)
    iters = np.empty(1, np.int64)
    longest = 0
    level = 0
    for j in range(factors.m[f]):
        longest = max(longest, factors.start[f, j + 1] - factors.start[f, j])
    for before in range(f):
        level += factors.m[before]
    e_all = np.empty(longest)
    v_all = np.empty(longest)
    factor_root(factors, f, state.root, low)
    for j in range(factors.m[f]):
        lo = factors.start[f, j]
        hi = factors.start[f, j + 1]
        e = e_all[: hi - lo]
        v = v_all[: hi - lo]
        b = state.b[factors.first[f] + j * q : factors.first[f] + (j + 1) * q]
        for at in range(lo, hi):
            e[at - lo] = state.eta[factors.order[f, at]]
        # I + L' Z' diag(worth) Z L = C C'; the columns of C'^-1 are nearly independent directions
        for i in range(q):
            for h in range(i + 1):
                s = 1.0 if i == h else 0.0
                for r in range(i, q):
                    for c in range(h, q):
                        s += low[r, i] * factors.gram[level + j, r, c] * low[c, h]
                g[i, h] = s
        if not cholesky(g, g):
            return NOT_FINITE
        for k in range(q):
            norm = 0.0
            along = 0.0
            for i in range(k, -1, -1):
                s = 1.0 if i == k else 0.0
                for h in range(i + 1, k + 1):
                    s -= g[h, i] * t[h]
                t[i] = s / g[i, i]
                norm += t[i] * t[i]
                along += t[i] * b[i]
            for r in range(q):
                direction[r] = 0.0
                for c in range(min(r, k) + 1):
                    direction[r] += low[r, c] * t[c]
            for at in range(hi - lo):
                v[at] = 0.0
            for r in range(q):
                for at in range(hi - lo):
                    v[at] += direction[r] * factors.z[factors.column[f] + r, lo + at]
            status = draw_step(
                rng, fam, factors.y[f, lo:hi], v, e, factors.weights[f, lo:hi], -along / norm, 1.0 / norm, work, out,
                iters,
            )  # fmt: skip
            if status != OK:
                return status
            for i in range(k + 1):
                b[i] += out[0] * t[i]
            for at in range(hi - lo):
                e[at] += out[0] * v[at]
        for at in range(lo, hi):
            state.eta[factors.order[f, at]] = e[at - lo]
    return OK


@jit
def draw_fixed(rng, fam, rows, prior, state):
    """The fixed effects, coordinate by coordinate, given the group effects; returns a status."""
    p = state.theta.shape[0]
    work = np.empty((6, CAPACITY))
    out = np.empty(1)
    iters = np.empty(1, np.int64)
    for k in range(p):
        pull = prior.linear[k]
        for h in range(p):
            pull -= prior.precision[k, h] * state.theta[h]
        variance = math.inf
        mean = 0.0
        if prior.precision[k, k] > 0.0:
            variance = 1.0 / prior.precision[k, k]
            mean = pull * variance
        v = rows.x[k]
        status = draw_step(rng, fam, rows.y, v, state.eta, rows.weights, mean, variance, work, out, iters)
        if status != OK:
            return status
        state.theta[k] += out[0]
        for i in range(v.shape[0]):
            state.eta[i] += out[0] * v[i]
    return OK


@jit
def draw_shift(rng, factors, shifts, s, prior, state):
    """Move s: a normal draw of the shifts between its source and its factor; False where a matrix is not definite."""
    f = shifts.factor[s]
    source = shifts.source[s]
    d = shifts.width[s]
    q = factors.q[f]
    big = state.root.shape[1]
    low = np.empty((big, big))
    parents = 1
    own = state.theta.shape[0]
    first = 0
    if source >= 0:
        parents = factors.m[source]
        own = factors.q[source]
        first = factors.first[source]
    precision = np.zeros((parents, d, d))
    linear = np.zeros((parents, d))
    step = np.empty((parents, d))
    image = np.empty((factors.m[f], q, d))
    t = np.zeros((own, d))
    if source < 0:
        for c in range(d):
            for i in range(own):
                pull = prior.linear[i]
                held = 0.0
                t[i, c] = shifts.direction[s, i, c]
                for h in range(own):
                    pull -= prior.precision[i, h] * state.theta[h]
                    held += prior.precision[i, h] * shifts.direction[s, h, c]
                linear[0, c] += shifts.direction[s, i, c] * pull
                for other in range(d):
                    precision[0, other, c] += shifts.direction[s, i, other] * held
    else:
        factor_root(factors, source, state.root, low)
        solve_columns(low, shifts.direction[s], t)
        for level in range(parents):
            for c in range(d):
                for i in range(own):
                    linear[level, c] -= t[i, c] * state.b[first + level * own + i]
                    for other in range(d):
                        precision[level, c, other] += t[i, c] * t[i, other]
    factor_root(factors, f, state.root, low)
    for j in range(factors.m[f]):
        level = shifts.parent[s, j]
        solve_columns(low, shifts.image[s, j], image[j])
        for c in range(d):
            for i in range(q):
                linear[level, c] += image[j, i, c] * state.b[factors.first[f] + j * q + i]
                for other in range(d):
                    precision[level, c, other] += image[j, i, c] * image[j, i, other]
    for level in range(parents):
        if not draw_from_precision(rng, precision[level], linear[level], step[level]):
            return False
        for i in range(own):
            for c in range(d):
                if source < 0:
                    state.theta[i] += t[i, c] * step[0, c]
                else:
                    state.b[first + level * own + i] += t[i, c] * step[level, c]
    for j in range(factors.m[f]):
        level = shifts.parent[s, j]
        for i in range(q):
            for c in range(d):
                state.b[factors.first[f] + j * q + i] -= image[j, i, c] * step[level, c]
    return True


@jit
def solve_columns(low, right, out):
    """out = low^-1 right for as many rows and columns as `out` has."""
    for c in range(out.shape[1]):
        for i in range(out.shape[0]):
            s = right[i, c]
            for h in range(i):
                s -= low[i, h] * out[h, c]
            out[i, c] = s / low[i, i]
