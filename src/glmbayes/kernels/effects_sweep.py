"""A Gibbs sweep for mixed models with any number of random terms: all effects at once, then each covariance twice.

1. All effects given covariances and sigma2 (`effects_joint`).
2. Each covariance given its effects (conjugate or one-dimensional exact draw), and again given the standardised
   effects (`interweave`).
3. sigma2 given the residuals.
"""

import math

import numpy as np

from glmbayes.kernels.effects import within_square
from glmbayes.kernels.effects_joint import draw_effects_jointly
from glmbayes.kernels.interweave import HUANG_WAND, SIGMA, WISHART, update_root
from glmbayes.kernels.jit import jit
from glmbayes.kernels.variance import update_precision
from glmbayes.kernels.wishart import draw_huang_wand_mixing, inverse_wishart_root


@jit
def read_effects(layout, state, k, column, out):
    """Effects of term k into the columns of `out` (m, width) from `column` on."""
    first = layout.first[k]
    q = layout.q[k]
    for level in range(out.shape[0]):
        for i in range(q):
            out[level, column + i] = state.a[level, first + i] if layout.main[k] else state.w[first + level * q + i]


@jit
def write_effects(layout, state, k, column, effects):
    """The reverse of `read_effects`."""
    first = layout.first[k]
    q = layout.q[k]
    for level in range(effects.shape[0]):
        for i in range(q):
            if layout.main[k]:
                state.a[level, first + i] = effects[level, column + i]
            else:
                state.w[first + level * q + i] = effects[level, column + i]


@jit
def draw_root(rng, prior, k, effects, mixing, root):
    """Update the root of term k's covariance given its effects (m, q), `root` (q, q); False when that is improper."""
    m, q = effects.shape
    squares = np.zeros((q, q))
    for level in range(m):
        for i in range(q):
            for h in range(i + 1):
                squares[i, h] += effects[level, i] * effects[level, h]
    if prior.kind[k] == SIGMA:
        before = 1.0 / (root[0, 0] * root[0, 0])
        u = update_precision(rng, before, float(m), squares[0, 0], prior.terms[k], prior.upper[k])
        root[0, 0] = 1.0 / math.sqrt(u)
        return u > 0.0
    for i in range(q):
        if prior.kind[k] == HUANG_WAND:
            squares[i, i] += 2.0 * prior.nu[k] / mixing[i]
        for h in range(i + 1):
            if prior.kind[k] == WISHART:
                for c in range(h + 1):
                    squares[i, h] += prior.scale_root[k, i, c] * prior.scale_root[k, h, c]
            squares[h, i] = squares[i, h]
    return inverse_wishart_root(rng, prior.df[k] + m, squares, root)


@jit
def standardise(effects, root):
    """(m, q) effects of unit covariance, root^-1 a."""
    m, q = effects.shape
    b = np.empty((m, q))
    for level in range(m):
        for i in range(q):
            s = effects[level, i]
            for h in range(i):
                s -= root[i, h] * b[level, h]
            b[level, i] = s / root[i, i]
    return b


@jit
def finish_root(rng, prior, k, big_h, linear, sigma2, b, effects, mixing, root):
    """`root` of term k given its standardised effects `b` and the data's terms; `effects` and `mixing` follow it."""
    update_root(
        rng,
        root,
        big_h,
        linear,
        sigma2,
        prior.kind[k],
        prior.terms[k],
        prior.upper[k],
        prior.df[k],
        prior.scale_root[k],
        prior.nu[k],
        prior.inverse_scales2[k],
    )
    levels, q = b.shape
    for level in range(levels):
        for i in range(q):
            effects[level, i] = 0.0
            for h in range(i + 1):
                effects[level, i] += root[i, h] * b[level, h]
    for h in range(q):  # the factor with a positive diagonal
        if root[h, h] < 0.0:
            for i in range(h, q):
                root[i, h] = -root[i, h]
    if prior.kind[k] == HUANG_WAND:
        draw_huang_wand_mixing(rng, prior.nu[k], prior.inverse_scales2[k], root, mixing)


@jit
def _residuals(data, state, out):
    """Rows of every main level's residuals, (m, q)."""
    m, q = data.ry.shape
    for j in range(m):
        for i in range(q):
            s = data.ry[j, i]
            for h in range(i, q):
                s -= data.rz[j, i, h] * state.a[j, h]
            out[j, i] = s
        for c in range(data.start[j], data.start[j + 1]):
            weight = state.w[data.column[c]]
            for i in range(q):
                out[j, i] -= data.rw[c, i] * weight


@jit
def interweave_root(rng, data, layout, prior, state, k, effects, mixing, root):
    """`root` of term k given its standardised effects; `effects` then follow it, here and in the state."""
    levels, q = effects.shape
    main = layout.main[k]
    first = layout.first[k]
    d = q * (q + 1) // 2
    m, big_q = data.ry.shape
    size = state.w.shape[0]
    b = standardise(effects, root)
    for level in range(levels):
        for i in range(q):
            effects[level, i] = 0.0
    write_effects(layout, state, k, 0, effects)  # residuals below are without this term
    big_h = np.zeros((d, d))
    linear = np.zeros(d)
    e = np.empty((m, big_q))
    v = np.empty((d, big_q))
    _residuals(data, state, e)
    for j in range(m):
        for at in range(d):
            for i in range(big_q):
                v[at, i] = 0.0
        if main:
            at = 0
            for r in range(q):
                for c in range(r + 1):
                    for i in range(big_q):
                        v[at, i] = data.rz[j, i, first + r] * b[j, c]
                    at += 1
        else:
            for place in range(data.start[j], data.start[j + 1]):
                column = data.column[place] - first
                if column < 0 or column >= levels * q:
                    continue
                level = column // q
                r = column - level * q
                for c in range(r + 1):
                    at = r * (r + 1) // 2 + c
                    for i in range(big_q):
                        v[at, i] += data.rw[place, i] * b[level, c]
        for at in range(d):
            for i in range(big_q):
                linear[at] += v[at, i] * e[j, i]
                for other in range(at + 1):
                    big_h[at, other] += v[at, i] * v[other, i]
    if not main:
        at = 0
        image = np.empty(size)
        for r in range(q):
            for c in range(r + 1):
                for h in range(size):
                    image[h] = 0.0
                for level in range(levels):
                    column = first + level * q + r
                    rest = data.linear[column]
                    for h in range(size):
                        rest -= data.gram[column, h] * state.w[h]
                        image[h] += b[level, c] * data.gram[column, h]
                    linear[at] += b[level, c] * rest
                other = 0
                for r2 in range(q):
                    for c2 in range(r2 + 1):
                        if other <= at:
                            for level in range(levels):
                                big_h[at, other] += b[level, c2] * image[first + level * q + r2]
                        other += 1
                at += 1
    for at in range(d):
        for other in range(at):
            big_h[other, at] = big_h[at, other]
    finish_root(rng, prior, k, big_h, linear, state.sigma2[0], b, effects, mixing, root)
    write_effects(layout, state, k, 0, effects)


@jit
def squared_error(data, state):
    """Sum of squared residuals at the state's effects."""
    e = np.empty(data.ry.shape)
    _residuals(data, state, e)
    total = within_square(data, state.w)
    for j in range(e.shape[0]):
        for i in range(e.shape[1]):
            total += e[j, i] * e[j, i]
    return total


@jit
def store_state(state, w, a, root):
    """Copies by hand: NumPy's broadcasting assignment takes seconds to compile."""
    for i in range(w.shape[0]):
        w[i] = state.w[i]
    for j in range(a.shape[0]):
        for i in range(a.shape[1]):
            a[j, i] = state.a[j, i]
    for k in range(root.shape[0]):
        for i in range(root.shape[1]):
            for h in range(root.shape[2]):
                root[k, i, h] = state.root[k, i, h]


@jit
def run_effects(rng, data, layout, prior, state, sweeps, thin, out_w, out_a, out_sigma2, out_root, start):
    """`sweeps` sweeps, in place; every `thin`-th is stored from row `start` on (thin = 0: none).

    Returns False when a conditional was improper or a matrix not positive definite.
    """
    row = start
    for sweep in range(sweeps):
        if not draw_effects_jointly(rng, data, layout, prior, state):
            return False
        for k in range(layout.q.shape[0]):
            q = layout.q[k]
            effects = np.empty((layout.m[k], q))
            read_effects(layout, state, k, 0, effects)
            root = np.zeros((q, q))
            for i in range(q):
                for h in range(i + 1):
                    root[i, h] = state.root[k, i, h]
            mixing = state.mixing[k, :q]
            if not draw_root(rng, prior, k, effects, mixing, root):
                return False
            interweave_root(rng, data, layout, prior, state, k, effects, mixing, root)
            for i in range(q):
                for h in range(i + 1):
                    state.root[k, i, h] = root[i, h]
        if not prior.sigma_known:
            u = update_precision(
                rng, 1.0 / state.sigma2[0], data.n, squared_error(data, state), prior.sigma_terms, prior.sigma_upper
            )
            if not u > 0.0:
                return False
            state.sigma2[0] = 1.0 / u
        if thin > 0 and (sweep + 1) % thin == 0:
            store_state(state, out_w[row], out_a[row], out_root[row])
            out_sigma2[row] = state.sigma2[0]
            row += 1
    return True
