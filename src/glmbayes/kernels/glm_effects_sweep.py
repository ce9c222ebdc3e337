"""The whole sweep of a generalised linear mixed model, and many of them in one compiled call.

1. Effects of each factor given everything else, fixed effects likewise, shifts between them (`glm_effects`).
2. Each covariance given its effects (`effects_sweep.draw_root`), and again given the standardised effects b: the
   entries of its root L enter the linear predictor linearly, sum_rc L_rc z_r b_c.  Each entry, and the length of each
   row, is updated by a slice sampler (Neal 2003) whose widths do not depend on what is updated; so is each entry with
   the effects of a finer factor compensating, and the common scale of everything.
"""

import math

import numpy as np

from glmbayes.kernels.effects_sweep import draw_root
from glmbayes.kernels.glm_effects import (
    draw_fixed,
    draw_levels,
    draw_shift,
    factor_root,
    fill_eta,
    solve_columns,
)
from glmbayes.kernels.glm_one import OK
from glmbayes.kernels.glm_step import line_loglik
from glmbayes.kernels.interweave import HUANG_WAND, SIGMA, log_prior_root, log_prior_sd
from glmbayes.kernels.jit import jit
from glmbayes.kernels.wishart import draw_huang_wand_mixing

ENTRY = 0  # moves: an entry of a root, the length of a row, an entry with another factor's effects, everything
ROW = 1
THROUGH = 2
ALL = 3
NO_VARIANCE = 11  # the conditional of a covariance is improper, or a matrix not positive definite
_STEPS = 1000  # never reached: a slice ends after some ten steps


@jit
def root_given_effects(rng, factors, prior, k, state, root):
    """Covariance k given its effects, which stay: b follows.  False when that is improper."""
    f = factors.term_factor[k]
    q = factors.term_q[k]
    m = factors.m[f]
    effects = np.empty((m, q))
    for j in range(m):
        first = factors.first[f] + j * factors.q[f] + factors.term_at[k]
        for i in range(q):
            effects[j, i] = 0.0
            for h in range(i + 1):
                effects[j, i] += root[i, h] * state.b[first + h]
    if not draw_root(rng, prior, k, effects, state.mixing[k, :q], root):
        return False
    for j in range(m):
        first = factors.first[f] + j * factors.q[f] + factors.term_at[k]
        for i in range(q):
            s = effects[j, i]
            for h in range(i):
                s -= root[i, h] * state.b[first + h]
            state.b[first + i] = s / root[i, i]
    return True


@jit
def log_prior(prior, k, root):
    """Log prior density of a root, any signs on its diagonal, up to a constant."""
    if prior.kind[k] == SIGMA:
        return log_prior_sd(abs(root[0, 0]), prior.terms[k], prior.upper[k])
    return log_prior_root(root, prior.kind[k], prior.df[k], prior.scale_root[k], prior.nu[k], prior.inverse_scales2[k])


@jit
def _line(factors, f, k, row, column, state, v):
    """Column of the linear predictor that entry (row, column) of root k multiplies, into v (N,)."""
    q = factors.q[f]
    at = factors.term_at[k]
    for j in range(factors.m[f]):
        b = state.b[factors.first[f] + j * q + at + column]
        for i in range(factors.start[f, j], factors.start[f, j + 1]):
            v[factors.order[f, i]] = factors.z[factors.column[f] + at + row, i] * b


@jit
def _scaled_priors(rows, factors, prior, state, factor):
    """Log prior density with the fixed effects and all roots multiplied by `factor`, up to a constant."""
    p = state.theta.shape[0]
    theta = np.empty(p)
    value = 0.0
    for i in range(p):
        theta[i] = factor * (state.theta[i] + rows.centre[i]) - rows.centre[i]
    for i in range(p):
        s = prior.linear[i]
        for h in range(p):
            s -= 0.5 * prior.precision[i, h] * theta[h]
        value += theta[i] * s
    for k in range(factors.term_q.shape[0]):
        q = factors.term_q[k]
        root = np.zeros((q, q))
        for i in range(q):
            for h in range(i + 1):
                root[i, h] = factor * state.root[k, i, h]
        value += log_prior(prior, k, root)
    return value


@jit
def _target(fam, rows, factors, prior, state, mode, k, row, column, old, v, linear, quadratic, root, x):
    """Log target of a move by x, up to a constant; the root is left there.

    ENTRY and THROUGH: the entry of root k is old + x.  ROW: its row is times e^x.  ALL: fixed effects and all roots
    are.  The linear predictor moves along v but for THROUGH, whose likelihood is `linear` and `quadratic`.
    """
    value = x * (linear - 0.5 * quadratic * x)
    if mode == ALL:
        value += _scaled_priors(rows, factors, prior, state, math.exp(x))
    else:
        if mode == ROW:
            for h in range(row + 1):
                root[row, h] = old[h] * math.exp(x)
        else:
            root[row, column] = old[0] + x
        value += log_prior(prior, k, root)
    if not value > -math.inf:
        return -math.inf
    if mode != THROUGH:
        value += line_loglik(fam, rows.y, rows.weights, state.eta, v, x if mode == ENTRY else math.expm1(x))
    return value if not math.isnan(value) else -math.inf


@jit
def slice_move(rng, fam, rows, factors, prior, state, mode, k, row, column, old, v, linear, quadratic, width, root):
    """A slice draw of the move x, from 0: step out from an interval of `width`, then shrink (Neal 2003)."""
    level = _target(fam, rows, factors, prior, state, mode, k, row, column, old, v, linear, quadratic, root, 0.0)
    level -= rng.standard_exponential()
    left = -width * rng.random()
    right = left + width
    for stage in range(3):
        for _ in range(_STEPS):
            point = left if stage == 0 else right
            if stage == 2:
                point = left + (right - left) * rng.random()
            value = _target(
                fam, rows, factors, prior, state, mode, k, row, column, old, v, linear, quadratic, root, point
            )
            if stage == 2:
                if value > level:
                    return point
                if point < 0.0:
                    left = point
                else:
                    right = point
            elif not value > level:
                break
            elif stage == 0:
                left -= width
            else:
                right += width
    return 0.0


@jit
def root_given_standardised(rng, fam, rows, factors, shifts, prior, k, state, root):
    """Covariance k given b: slices of each entry of its root and of the length of each row; eta follows.

    Then slices of each entry for every factor that can compensate, eta standing still.
    """
    f = factors.term_factor[k]
    q = factors.term_q[k]
    n = rows.y.shape[0]
    v = np.empty(n)
    part = np.empty(n)
    old = np.empty(q)
    entries = q * (q + 1) // 2
    rounds = entries + (q if q > 1 else 0)
    for move in range(rounds + entries * shifts.factor.shape[0]):
        mode = ENTRY
        index = move
        if move >= rounds:
            mode = THROUGH
            index = (move - rounds) % entries
        elif move >= entries:
            mode = ROW
        row = 0
        column = 0
        linear = 0.0
        quadratic = 0.0
        width = 1.0
        if mode == ROW:
            row = move - entries
            linear = row + 1.0  # the volume of a row in polar coordinates
            for i in range(n):
                v[i] = 0.0
            for h in range(row + 1):
                old[h] = root[row, h]
                _line(factors, f, k, row, h, state, part)
                for i in range(n):
                    v[i] += old[h] * part[i]
        else:
            while (row + 1) * (row + 2) // 2 <= index:
                row += 1
            column = index - row * (row + 1) // 2
            old[0] = root[row, column]
            if mode == ENTRY:
                _line(factors, f, k, row, column, state, v)
                for i in range(n):
                    quadratic += rows.worth[i] * v[i] * v[i]
                width = 3.0 / math.sqrt(quadratic) if quadratic > 0.0 else 1.0
                quadratic = 0.0
        if mode == THROUGH:
            s = (move - rounds) // entries
            linear, quadratic = through(factors, shifts, s, k, row, column, state, 0.0)
            if not quadratic > 0.0:
                continue
            width = 3.0 / math.sqrt(quadratic)
        x = slice_move(
            rng, fam, rows, factors, prior, state, mode, k, row, column, old, v, linear, quadratic, width, root
        )
        if mode == ROW:
            for h in range(row + 1):
                root[row, h] = old[h] * math.exp(x)
            x = math.expm1(x)
        else:
            root[row, column] = old[0] + x
        if mode == THROUGH:
            through(factors, shifts, s, k, row, column, state, x)
        else:
            for i in range(n):
                state.eta[i] += x * v[i]
    for h in range(q):  # the factor with a positive diagonal
        if root[h, h] < 0.0:
            for i in range(h, q):
                root[i, h] = -root[i, h]
            for j in range(factors.m[f]):
                at = factors.first[f] + j * factors.q[f] + factors.term_at[k] + h
                state.b[at] = -state.b[at]
    if prior.kind[k] == HUANG_WAND:
        draw_huang_wand_mixing(rng, prior.nu[k], prior.inverse_scales2[k], root, state.mixing[k, :q])


@jit
def through(factors, shifts, s, k, row, column, state, x):
    """Linear and quadratic term of entry (row, column) of root k when factor s of `shifts` compensates; (0, 0) if not.

    The effects' standardised values move by -x G_j b: that step is made for the given x.
    """
    source = factors.term_factor[k]
    if shifts.source[s] != source:
        return 0.0, 0.0
    which = -1
    for d in range(shifts.width[s]):
        if shifts.direction[s, factors.term_at[k] + row, d] == 1.0:
            which = d
    if which < 0:
        return 0.0, 0.0
    f = shifts.factor[s]
    q = factors.q[f]
    big = state.root.shape[1]
    low = np.empty((big, big))
    step = np.empty((q, shifts.width[s]))
    factor_root(factors, f, state.root, low)
    linear = 0.0
    quadratic = 0.0
    for j in range(factors.m[f]):
        b = state.b[factors.first[source] + shifts.parent[s, j] * factors.q[source] + factors.term_at[k] + column]
        solve_columns(low, shifts.image[s, j], step)
        for i in range(q):
            at = factors.first[f] + j * q + i
            move = step[i, which] * b
            linear += move * state.b[at]
            quadratic += move * move
            state.b[at] -= x * move
    return linear, quadratic


@jit
def scale_everything(rng, fam, rows, factors, prior, state):
    """Fixed effects and all roots times a common factor, by a slice of its logarithm.

    Responses of 0 and 1 in small groups tell little about the common scale of everything (Liu & Sabatti 2000).
    """
    p = state.theta.shape[0]
    n = rows.y.shape[0]
    v = np.empty(n)
    none = np.empty((1, 1))
    count = float(p)
    for k in range(factors.term_q.shape[0]):
        count += 0.5 * factors.term_q[k] * (factors.term_q[k] + 1.0)
    for i in range(n):
        v[i] = state.eta[i] - rows.offset[i]
    for h in range(p):
        for i in range(n):
            v[i] += rows.x[h, i] * rows.centre[h]
    mode, zero = np.int64(ALL), np.int64(0)  # literals would have everything below compiled a second time
    x = slice_move(rng, fam, rows, factors, prior, state, mode, zero, zero, zero, v, v, count, 0.0, 0.5, none)
    for i in range(p):
        state.theta[i] = math.exp(x) * (state.theta[i] + rows.centre[i]) - rows.centre[i]
    for k in range(factors.term_q.shape[0]):
        q = factors.term_q[k]
        root = np.zeros((q, q))
        for i in range(q):
            for h in range(i + 1):
                state.root[k, i, h] *= math.exp(x)
                root[i, h] = state.root[k, i, h]
        if prior.kind[k] == HUANG_WAND:
            draw_huang_wand_mixing(rng, prior.nu[k], prior.inverse_scales2[k], root, state.mixing[k, :q])
    for i in range(n):
        state.eta[i] += math.expm1(x) * v[i]


@jit
def run_glm_effects(
    rng, fam, rows, factors, shifts, prior, state, sweeps, thin, out_theta, out_effects, out_root, start
):
    """`sweeps` sweeps, in place; every `thin`-th is stored from row `start` on (thin = 0: none).

    Effects are stored unstandardised.  Returns OK or the status of the step that failed.
    """
    big = state.root.shape[1]
    low = np.empty((big, big))
    row = start
    for sweep in range(sweeps):
        fill_eta(rows, factors, state)
        for f in range(factors.m.shape[0]):
            status = draw_levels(rng, fam, factors, f, state)
            if status != OK:
                return status
        status = draw_fixed(rng, fam, rows, prior, state)
        if status != OK:
            return status
        for s in range(shifts.factor.shape[0]):
            if not draw_shift(rng, factors, shifts, s, prior, state):
                return NO_VARIANCE
        for k in range(factors.term_q.shape[0]):
            q = factors.term_q[k]
            root = np.zeros((q, q))
            for i in range(q):
                for h in range(i + 1):
                    root[i, h] = state.root[k, i, h]
            if not root_given_effects(rng, factors, prior, k, state, root):
                return NO_VARIANCE
            root_given_standardised(rng, fam, rows, factors, shifts, prior, k, state, root)
            for i in range(q):
                for h in range(i + 1):
                    state.root[k, i, h] = root[i, h]
        scale_everything(rng, fam, rows, factors, prior, state)
        if thin > 0 and (sweep + 1) % thin == 0:
            for i in range(state.theta.shape[0]):
                out_theta[row, i] = state.theta[i]
            for f in range(factors.m.shape[0]):
                q = factors.q[f]
                factor_root(factors, f, state.root, low)
                for j in range(factors.m[f]):
                    first = factors.first[f] + j * q
                    for i in range(q):
                        a = 0.0
                        for h in range(i + 1):
                            a += low[i, h] * state.b[first + h]
                        out_effects[row, first + i] = a
            for k in range(state.root.shape[0]):
                for i in range(big):
                    for h in range(big):
                        out_root[row, k, i, h] = state.root[k, i, h]
            row += 1
    return OK
