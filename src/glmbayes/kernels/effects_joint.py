"""All effects of a mixed model in one draw, given the covariances and the residual variance.

w (fixed effects and the other factors' effects) comes from its conditional with the main effects integrated out, the
main effects from theirs given w.  Effects are drawn standardised, b = L^-1 a: no covariance is inverted, and standard
deviations near 0 are harmless.
"""

import numpy as np

from glmbayes.kernels.group_effects import draw_effects_given_rest, factorise_groups
from glmbayes.kernels.jit import jit
from glmbayes.kernels.linalg import cholesky_in_place


@jit
def draw_effects_jointly(rng, data, layout, prior, state):
    """Step 1, into state.w and state.a; False when the posterior precision is not positive definite."""
    m, q = data.ry.shape
    size = state.w.shape[0]
    p = prior.linear.shape[0]
    sigma2 = state.sigma2[0]
    main_root = np.zeros((q, q))
    for k in range(layout.q.shape[0]):
        if layout.main[k]:
            f = layout.first[k]
            for i in range(layout.q[k]):
                for h in range(i + 1):
                    main_root[f + i, f + h] = state.root[k, i, h]
    g = np.empty((m, q, q))
    low = np.empty((m, q, q))
    white_y = np.empty((m, q))
    white = np.empty(data.rw.shape)
    precision = np.empty((size, size))
    linear = np.empty(size)
    for c in range(size):
        linear[c] = data.linear[c] / sigma2
        for h in range(size):
            precision[c, h] = data.gram[c, h] / sigma2
    factorise_groups(data.rz, main_root, sigma2, g, low)
    for j in range(m):
        for i in range(q):
            s = data.ry[j, i]
            for k in range(i):
                s -= low[j, i, k] * white_y[j, k]
            white_y[j, i] = s / low[j, i, i]
        for c in range(data.start[j], data.start[j + 1]):
            for i in range(q):
                s = data.rw[c, i]
                for k in range(i):
                    s -= low[j, i, k] * white[c, k]
                white[c, i] = s / low[j, i, i]
        for c in range(data.start[j], data.start[j + 1]):
            column = data.column[c]
            for i in range(q):
                v = white[c, i]
                if v != 0.0:
                    linear[column] += v * white_y[j, i]
                    for h in range(data.start[j], c + 1):
                        precision[column, data.column[h]] += v * white[h, i]
    # pairs arrived in either order: fold into the lower triangle (the cross-products filled both)
    for c in range(size):
        for h in range(c):
            precision[c, h] += precision[h, c] - data.gram[h, c] / sigma2
            precision[h, c] = precision[c, h]
    # the other factors' effects standardised: rows and columns times their roots, plus the identity
    for k in range(layout.q.shape[0]):
        if not layout.main[k]:
            qk = layout.q[k]
            for level in range(layout.m[k]):
                f = layout.first[k] + level * qk
                for i in range(qk):  # column i of L uses entries i and below: overwriting in order is safe
                    s = 0.0
                    for h in range(i, qk):
                        s += state.root[k, h, i] * linear[f + h]
                    linear[f + i] = s
                for c in range(size):
                    for i in range(qk):
                        s = 0.0
                        for h in range(i, qk):
                            s += state.root[k, h, i] * precision[c, f + h]
                        precision[c, f + i] = s
                for i in range(qk):
                    for c in range(size):
                        s = 0.0
                        for h in range(i, qk):
                            s += state.root[k, h, i] * precision[f + h, c]
                        precision[f + i, c] = s
                    precision[f + i, f + i] += 1.0
    for c in range(p):
        linear[c] += prior.linear[c]
        for h in range(p):
            precision[c, h] += prior.precision[c, h]
    if not cholesky_in_place(precision):
        return False
    w = state.w
    for c in range(size):
        s = linear[c]
        for h in range(c):
            s -= precision[c, h] * w[h]
        w[c] = s / precision[c, c]
    for c in range(size):
        w[c] += rng.standard_normal()
    for c in range(size - 1, -1, -1):
        v = w[c] / precision[c, c]
        w[c] = v
        for h in range(c):
            w[h] -= precision[c, h] * v
    for k in range(layout.q.shape[0]):
        if not layout.main[k]:
            qk = layout.q[k]
            for level in range(layout.m[k]):
                f = layout.first[k] + level * qk
                for i in range(qk - 1, -1, -1):
                    s = 0.0
                    for h in range(i + 1):
                        s += state.root[k, i, h] * w[f + h]
                    w[f + i] = s
    for j in range(m):
        for c in range(data.start[j], data.start[j + 1]):
            weight = w[data.column[c]]
            for i in range(q):
                white_y[j, i] -= white[c, i] * weight
    draw_effects_given_rest(rng, g, low, white_y, main_root, sigma2, state.a)
    return True
