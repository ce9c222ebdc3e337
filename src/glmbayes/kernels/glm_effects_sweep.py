"""The whole sweep of a generalised linear mixed model, and many of them in one compiled call.

1. Effects of each factor given everything else, fixed effects likewise, shifts between them (`glm_effects`).
2. Each covariance given its effects (`effects_sweep.draw_root`), and again given the standardised effects b: the
   entries of its root L enter the linear predictor linearly, sum_rc L_rc z_r b_c.  Each entry, and the length of each
   row, is updated by a slice sampler (Neal 2003) whose widths do not depend on what is updated.
"""

import math

import numpy as np

from glmbayes.kernels.effects_sweep import draw_root
from glmbayes.kernels.glm_effects import draw_fixed, draw_levels, draw_shift, factor_root, fill_eta, line_loglik
from glmbayes.kernels.glm_one import OK
from glmbayes.kernels.interweave import HUANG_WAND, SIGMA, log_prior_root, log_prior_sd
from glmbayes.kernels.jit import jit
from glmbayes.kernels.wishart import draw_huang_wand_mixing

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
def _move_target(fam, rows, prior, k, state, v, root, row, column, old, x):
    """Log target with the entry old + x (column >= 0), or the row times e^x; the root is left there.

    A row of r + 1 entries in polar coordinates has volume e^((r + 1) x) dx.
    """
    if column >= 0:
        root[row, column] = old[0] + x
        value = log_prior(prior, k, root)
        distance = x
    else:
        factor = math.exp(x)
        for h in range(row + 1):
            root[row, h] = old[h] * factor
        value = log_prior(prior, k, root) + (row + 1) * x
        distance = math.expm1(x)
    if not value > -math.inf:
        return -math.inf
    value += line_loglik(fam, rows.y, rows.weights, state.eta, v, distance)
    return value if not math.isnan(value) else -math.inf


@jit
def root_given_standardised(rng, fam, rows, factors, prior, k, state, root):
    """Covariance k given b: slices of each entry of its root and of the length of each row; eta follows."""
    f = factors.term_factor[k]
    q = factors.term_q[k]
    n = rows.y.shape[0]
    v = np.empty(n)
    part = np.empty(n)
    old = np.empty(q)
    for move in range(q * (q + 1) // 2 + (q if q > 1 else 0)):
        row = move - q * (q + 1) // 2
        column = -1
        if row < 0:
            row = 0
            while (row + 1) * (row + 2) // 2 <= move:
                row += 1
            column = move - row * (row + 1) // 2
            old[0] = root[row, column]
            _line(factors, f, k, row, column, state, v)
            information = 0.0
            for i in range(n):
                information += rows.worth[i] * v[i] * v[i]
            width = 3.0 / math.sqrt(information) if information > 0.0 else 1.0
        else:
            for i in range(n):
                v[i] = 0.0
            for h in range(row + 1):
                old[h] = root[row, h]
                _line(factors, f, k, row, h, state, part)
                for i in range(n):
                    v[i] += old[h] * part[i]
            width = 1.0
        level = _move_target(fam, rows, prior, k, state, v, root, row, column, old, 0.0) - rng.standard_exponential()
        left = -width * rng.random()
        right = left + width
        new = 0.0
        for stage in range(3):  # step out to the left, to the right, then shrink
            for _ in range(_STEPS):
                point = left if stage == 0 else right
                if stage == 2:
                    point = left + (right - left) * rng.random()
                inside = _move_target(fam, rows, prior, k, state, v, root, row, column, old, point) > level
                if stage == 2:
                    if inside:
                        new = point
                        break
                    if point < 0.0:
                        left = point
                    else:
                        right = point
                elif not inside:
                    break
                elif stage == 0:
                    left -= width
                else:
                    right += width
        if column >= 0:
            root[row, column] = old[0] + new
        else:
            for h in range(row + 1):
                root[row, h] = old[h] * math.exp(new)
            new = math.expm1(new)
        for i in range(n):
            state.eta[i] += new * v[i]
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
            root_given_standardised(rng, fam, rows, factors, prior, k, state, root)
            for i in range(q):
                for h in range(i + 1):
                    state.root[k, i, h] = root[i, h]
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
