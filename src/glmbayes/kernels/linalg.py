"""Small dense linear algebra by hand loops: a 2 x 2 Cholesky costs 50 ns here and 10 us through LAPACK."""

import math

import numpy as np

from glmbayes.kernels.jit import jit

_SVD_SWEEPS = 60
_EPS = 2.220446049250313e-16


@jit
def cholesky(a, out):
    """Lower Cholesky factor of the symmetric `a` (p, p) into `out`; True when `a` is positive definite.

    A pivot that is rounding error beside its diagonal entry counts as zero.
    """
    p = a.shape[0]
    for i in range(p):
        for j in range(i + 1):
            s = a[i, j]
            for k in range(j):
                s -= out[i, k] * out[j, k]
            if i == j:
                if not s > p * _EPS * a[i, i] and s != math.inf:
                    return False
                out[i, i] = math.sqrt(s)
            else:
                out[i, j] = s / out[j, j]
                out[j, i] = 0.0
    return True


@jit
def cholesky_in_place(a):
    """The same in place, for large `a`: inner loops run along rows, so that they vectorise; the upper part stays."""
    p = a.shape[0]
    column = np.empty(p)
    for k in range(p):
        if not a[k, k] > 0.0:
            return False
        pivot = math.sqrt(a[k, k])
        a[k, k] = pivot
        for i in range(k + 1, p):
            column[i] = a[i, k] / pivot
            a[i, k] = column[i]
        for i in range(k + 1, p):
            v = column[i]
            if v != 0.0:
                for j in range(k + 1, i + 1):
                    a[i, j] -= v * column[j]
    return True


@jit
def invert_lower(low, out):
    """Inverse of the lower triangular `low` (p, p) into `out`."""
    p = low.shape[0]
    for j in range(p):
        for i in range(j):
            out[i, j] = 0.0
        out[j, j] = 1.0 / low[j, j]
        for i in range(j + 1, p):
            s = 0.0
            for k in range(j, i):
                s -= low[i, k] * out[k, j]
            out[i, j] = s / low[i, i]


@jit
def solve_upper(up, b):
    """Solve `up` x = `b` in place for an upper triangular `up`; reads the leading len(b) square only."""
    for i in range(b.shape[0] - 1, -1, -1):
        s = b[i]
        for k in range(i + 1, b.shape[0]):
            s -= up[i, k] * b[k]
        b[i] = s / up[i, i]


@jit
def eliminate(a, rows, pivots, work):
    """`triangularise` for the first `pivots` columns only; the others follow along."""
    cols = a.shape[1]
    for j in range(min(rows, pivots)):
        norm2 = 0.0
        for i in range(j + 1, rows):
            norm2 += a[i, j] * a[i, j]
        if norm2 == 0.0:
            continue
        pivot = a[j, j]
        norm = math.sqrt(pivot * pivot + norm2)
        alpha = -norm if pivot > 0.0 else norm
        head = pivot - alpha
        beta = 1.0 / norm / (norm + abs(pivot))  # 2 / |v|^2, without cancellation
        for k in range(j + 1, cols):
            work[k] = head * a[j, k]
        for i in range(j + 1, rows):
            v = a[i, j]
            if v != 0.0:
                for k in range(j + 1, cols):
                    work[k] += v * a[i, k]
        for k in range(j + 1, cols):
            work[k] *= beta
            a[j, k] -= head * work[k]
        for i in range(j + 1, rows):
            v = a[i, j]
            if v != 0.0:
                for k in range(j + 1, cols):
                    a[i, k] -= v * work[k]
                a[i, j] = 0.0
        a[j, j] = alpha


@jit
def triangularise(a, rows, work):
    """Householder reduction of the first `rows` rows of `a` (m, k) to upper triangular form, in place.

    Only the triangle is kept (the reflections are not): this is the R of a QR factorisation, with rows below
    the k-th set to zero.  `work` has length k.  Inner loops run along rows, which is how `a` lies in memory.
    """
    eliminate(a, rows, a.shape[1], work)


@jit
def jacobi_svd(at, vt):
    """Singular value decomposition by one-sided Jacobi rotations, both arguments overwritten.

    `at` (p, m) holds the transpose of the matrix A = U diag(s) V'; on return its rows are s_i u_i' and the rows
    of `vt` (p, p) are v_i'.  High relative accuracy for column-scaled matrices (Demmel & Veselic 1992), which
    is what a vague prior makes of a design.

    After each sweep a row is set to zero when that changes no column of A by more than rounding did: with more rows
    than dimensions the surplus rows would otherwise dwindle by 1e-16 a sweep and end as normalised noise.
    """
    p, m = at.shape
    orthogonal = 2.0 * _EPS * math.sqrt(m)
    rounding = ((4.0 + m) * _EPS) ** 2
    error2 = np.empty(p)  # squared rounding error of the columns of A
    for i in range(p):
        error2[i] = 0.0
        for k in range(m):
            error2[i] += at[i, k] * at[i, k]
        error2[i] *= rounding
        for j in range(p):
            vt[i, j] = 1.0 if i == j else 0.0
    for _ in range(_SVD_SWEEPS):
        rotated = False
        for i in range(p - 1):
            for j in range(i + 1, p):
                aa = 0.0
                bb = 0.0
                ab = 0.0
                for k in range(m):
                    aa += at[i, k] * at[i, k]
                    bb += at[j, k] * at[j, k]
                    ab += at[i, k] * at[j, k]
                if abs(ab) <= orthogonal * math.sqrt(aa) * math.sqrt(bb):
                    continue
                rotated = True
                zeta = (bb - aa) / (2.0 * ab)
                if abs(zeta) > 1e8:
                    t = 0.5 / zeta  # zeta^2 would overflow in the end
                else:
                    t = math.copysign(1.0, zeta) / (abs(zeta) + math.sqrt(1.0 + zeta * zeta))
                c = 1.0 / math.sqrt(1.0 + t * t)
                s = c * t
                for k in range(m):
                    x = at[i, k]
                    at[i, k] = c * x - s * at[j, k]
                    at[j, k] = s * x + c * at[j, k]
                for k in range(p):
                    x = vt[i, k]
                    vt[i, k] = c * x - s * vt[j, k]
                    vt[j, k] = s * x + c * vt[j, k]
        for i in range(p):
            norm2 = 0.0
            for k in range(m):
                norm2 += at[i, k] * at[i, k]
            noise = True
            for k in range(p):
                noise = noise and norm2 * (vt[i, k] * vt[i, k]) <= error2[k]
            if noise:
                at[i, :] = 0.0
        if not rotated:
            break


@jit
def all_finite(a):
    """True when no entry of the 1-D or 2-D array `a` is NaN or infinite."""
    flat = a.ravel()
    for i in range(flat.shape[0]):
        if not math.isfinite(flat[i]):
            return False
    return True


@jit
def all_positive(a):
    """True when every entry of the 1-D array `a` is positive and finite."""
    for i in range(a.shape[0]):
        if not (a[i] > 0.0 and a[i] < math.inf):
            return False
    return True


@jit
def asymmetry(a):
    """Largest |a_ij - a_ji| / sqrt(|a_ii a_jj|) of a square matrix (0 for a symmetric one)."""
    worst = 0.0
    for i in range(a.shape[0]):
        for j in range(i):
            scale = math.sqrt(abs(a[i, i])) * math.sqrt(abs(a[j, j])) + np.finfo(np.float64).tiny
            worst = max(worst, abs(a[i, j] - a[j, i]) / scale)
    return worst
