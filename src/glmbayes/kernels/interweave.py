"""The second half of an interweaving step: the covariance given the *standardised* effects (Yu & Meng 2011).

Drawing Psi given the effects a_j moves slowly when the data say little about them (standard deviations near 0);
drawing its root L given b_j = L^-1 a_j moves slowly when they say much.  Doing both mixes at least as well as the
better one.  Given b the residuals are linear in the entries of L,

    log p(L | b, ...) = -1/2 l'H l / sigma2 + h'l / sigma2 + log p(L),    l = the lower triangle of L,

which is a normal density times the prior: all entries are proposed from the normal and accepted by the prior ratio,
and then each is updated by a univariate slice sampler (Neal 2003).  Exact, nothing to tune.
"""

import math

import numpy as np

from glmbayes.kernels.jit import jit
from glmbayes.kernels.linalg import cholesky

SIGMA = 0  # kinds of prior: on a standard deviation or gamma precision (one column),
WISHART = 1  # inverse-Wishart,
HUANG_WAND = 2

_STEPS = 1000  # never reached: a slice ends after some ten steps


@jit
def log_prior_sd(sd, terms, upper):
    """Log density of a standard deviation whose precision has the density of `draw_precision`'s terms."""
    if not (sd > 0.0 and sd <= upper):
        return -math.inf
    log_u = -2.0 * math.log(sd)
    if log_u > 700.0:
        return -math.inf
    u = math.exp(log_u)
    value = terms[0] * log_u - terms[1] * u - terms[3] * sd + 1.5 * log_u
    if terms[2] > 0.0:
        value -= terms[2] / u
    if terms[4] > 0.0:
        value -= terms[4] * math.log(u + terms[5])
    return value


@jit
def log_prior_root(root, kind, df, scale_root, nu, inverse_scales2):
    """Log density of the Cholesky factor L of a covariance Psi = L L' (Jacobian included), up to a constant.

    WISHART: Psi ~ inverse-Wishart(df, C C'), C = `scale_root`.  HUANG_WAND: the mixing variables integrated out,
    |Psi|^-(nu + 2q)/2 prod_k (nu (Psi^-1)_kk + 1/A_k^2)^-(nu + q)/2 (Huang & Wand 2013, equation 3).
    """
    q = root.shape[0]
    value = 0.0
    column = np.empty(q)
    power = df + q + 1.0 if kind == WISHART else nu + 2.0 * q
    for i in range(q):
        if root[i, i] == 0.0:
            return -math.inf
        value += (q - i - power) * math.log(abs(root[i, i]))
    for c in range(q):  # squared length of L^-1 times a column of C, or a unit vector
        total = 0.0
        for i in range(c, q):
            s = scale_root[i, c]
            if kind == HUANG_WAND:
                s = 1.0 if i == c else 0.0
            for k in range(c, i):
                s -= root[i, k] * column[k]
            column[i] = s / root[i, i]
            total += column[i] * column[i]
        if kind == WISHART:
            value -= 0.5 * total
        else:
            value -= 0.5 * (nu + q) * math.log(nu * total + inverse_scales2[c])
    return value


@jit
def _log_target(x, row, k, shape, a, b, root, kind, terms, upper, df, scale_root, nu, inverse_scales2):
    """Log density, up to a constant, with entry k of a row of the root at x, or (k < 0) the row at exp(x) * shape.

    The root is left there.  Scaling a row of i + 1 entries by exp(x) brings the Jacobian exp((i + 1) x).
    """
    size = x if k >= 0 else math.exp(x)
    value = b * size - 0.5 * a * size * size
    if k < 0:
        for h in range(row + 1):
            root[row, h] = size * shape[h]
        value += (row + 1) * x
    else:
        root[row, k] = x
    if kind == SIGMA:
        return value + log_prior_sd(abs(root[0, 0]), terms, upper)
    return value + log_prior_root(root, kind, df, scale_root, nu, inverse_scales2)


@jit
def _propose_all(rng, root, entries, big_h, h, sigma2, kind, terms, upper, df, scale_root, nu, inverse_scales2):
    """All entries at once from the normal that the data make of them, accepted by the ratio of priors."""
    q = root.shape[0]
    d = h.shape[0]
    low = np.empty((d, d))
    if not cholesky(big_h, low):
        return
    proposal = np.empty(d)
    for i in range(d):
        s = h[i]
        for k in range(i):
            s -= low[i, k] * proposal[k]
        proposal[i] = s / low[i, i]
    for i in range(d):
        proposal[i] += math.sqrt(sigma2) * rng.standard_normal()
    for i in range(d - 1, -1, -1):
        s = proposal[i]
        for k in range(i + 1, d):
            s -= low[k, i] * proposal[k]
        proposal[i] = s / low[i, i]
    log_ratio = -_log_target(
        root[0, 0], 0, 0, entries, 0.0, 0.0, root, kind, terms, upper, df, scale_root, nu, inverse_scales2
    )
    at = 0
    for i in range(q):
        for k in range(i + 1):
            root[i, k] = proposal[at]
            at += 1
    log_ratio += _log_target(
        root[0, 0], 0, 0, entries, 0.0, 0.0, root, kind, terms, upper, df, scale_root, nu, inverse_scales2
    )
    if math.log(1.0 - rng.random()) < log_ratio:
        for i in range(d):
            entries[i] = proposal[i]
        return
    at = 0
    for i in range(q):
        for k in range(i + 1):
            root[i, k] = entries[at]
            at += 1


@jit
def update_root(rng, root, big_h, h, sigma2, kind, terms, upper, df, scale_root, nu, inverse_scales2):
    """Update the lower triangle of `root` (q, q) in place: a joint proposal, then slices of each entry and row length.

    `big_h` (d, d) and `h` (d,) are the quadratic and linear terms of the entries in row order; see the module's text.
    Diagonal entries may change sign (the prior is extended symmetrically, and the sign of a column with that of its
    standardised effect means nothing), which lets them pass through 0.
    """
    q = root.shape[0]
    d = h.shape[0]
    entries = np.empty(d)
    at = 0
    for i in range(q):
        for k in range(i + 1):
            entries[at] = root[i, k]
            at += 1
    _propose_all(rng, root, entries, big_h, h, sigma2, kind, terms, upper, df, scale_root, nu, inverse_scales2)
    shape = np.empty(q)
    for move in range(d + (q if q > 1 else 0)):
        row = move - d if move >= d else 0
        k = -1
        if move < d:  # one entry
            while (row + 1) * (row + 2) // 2 <= move:
                row += 1
            k = move - row * (row + 1) // 2
        at = row * (row + 1) // 2
        low, high = (at + k, at + k + 1) if k >= 0 else (at, at + row + 1)
        a = 0.0
        b = 0.0
        for i in range(low, high):
            factor = 1.0 if k >= 0 else entries[i]
            shape[i - low] = entries[i]
            b += factor * h[i]
            for other in range(d):
                if other >= low and other < high:
                    a += factor * big_h[i, other] * (1.0 if k >= 0 else entries[other])
                else:
                    b -= factor * big_h[i, other] * entries[other]
        a /= sigma2
        b /= sigma2
        x = entries[low] if k >= 0 else 0.0
        level = _log_target(x, row, k, shape, a, b, root, kind, terms, upper, df, scale_root, nu, inverse_scales2)
        level += math.log(1.0 - rng.random())
        # a width must not depend on what is updated: the slice would not leave the posterior alone
        width = 1.0
        if k >= 0:
            width = 3.0 / math.sqrt(a) if a > 0.0 else math.sqrt(sigma2)
            if k < row:
                width = min(width, 2.0 * abs(root[row, row]))
        left = x - width * rng.random()
        right = left + width
        new = x
        for stage in range(3):  # step out to the left, to the right, then shrink
            for _ in range(_STEPS):
                point = left if stage == 0 else right
                if stage == 2:
                    point = left + (right - left) * rng.random()
                inside = (
                    _log_target(
                        point, row, k, shape, a, b, root, kind, terms, upper, df, scale_root, nu, inverse_scales2
                    )
                    > level
                )
                if stage == 2:
                    if inside:
                        new = point
                        break
                    if point < x:
                        left = point
                    else:
                        right = point
                elif not inside:
                    break
                elif stage == 0:
                    left -= width
                else:
                    right += width
        for i in range(low, high):
            entries[i] = new if k >= 0 else math.exp(new) * shape[i - low]
            root[row, i - at] = entries[i]
