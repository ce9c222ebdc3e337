"""Passes over the rows of a whitened GLM: derivatives, tensors, curvature minima, the log density ratio itself.

Xt is the whitened design (n, p): the posterior's information is the identity in its coordinates.  Every function adds
to its output, so that a caller can go through many rows in pieces.
"""

import math

import numpy as np

from glmbayes.kernels import family_terms as terms
from glmbayes.kernels.jit import jit
from glmbayes.kernels.vector_math import vector_log

BY_ROW, QUICK, EQUAL_WEIGHTS = 0, 1, 2  # ways to sum the log-likelihood terms

_FARTHEST = 680.0  # |v| from which vector_exp or a product of exponentials may overflow
_BLOCK = 128
_TENSOR_BLOCK = 256
_CANDIDATES = 64  # with a block of rows, small enough for the first-level cache to help


@jit
def row_terms(fam, y, weights, eta, omega, third):
    """Weighted curvatures and third derivatives at the mode."""
    for i in range(y.shape[0]):
        omega[i] = weights[i] * terms.curvature(fam, eta[i], y[i])
        third[i] = weights[i] * terms.third(fam, eta[i], y[i])


@jit
def interval_terms(fam, y, weights, eta, h, radius, cubic, up, down, growing):
    """What holds while |z| <= radius: the constants c omega of the cubic bound, and those on fourth derivatives."""
    for i in range(y.shape[0]):
        w = weights[i]
        t = radius * math.sqrt(h[i])
        c = terms.cubic_c(fam, eta[i], y[i], t)
        cubic[i] = w * c * terms.curvature(fam, eta[i], y[i]) if c > 0.0 else 0.0
        a, b, g = terms.fourth_bounds(fam, eta[i], y[i], t)
        up[i] = w * a
        down[i] = w * b
        growing[i] = w * g


@jit
def leverages(Xt, h):
    """h_i = |x_i|^2; returns the largest."""
    top = 0.0
    for i in range(Xt.shape[0]):
        s = 0.0
        for j in range(Xt.shape[1]):
            s += Xt[i, j] * Xt[i, j]
        h[i] = s
        top = max(top, s)
    return top


@jit
def add_gram(Xt, row_weights, H):
    """H += Xt' diag(row_weights) Xt for weights of any sign."""
    n, p = Xt.shape
    block = np.empty((min(_BLOCK, n), p))
    for lo in range(0, n, _BLOCK):
        m = min(_BLOCK, n - lo)
        for i in range(m):
            for j in range(p):
                block[i, j] = row_weights[lo + i] * Xt[lo + i, j]
        H += np.dot(Xt[lo : lo + m].T, block[:m])


@jit
def add_third_tensor(Xt, third, sums):
    """sums += the entries j <= k <= l of sum of third_i x_i (x) x_i (x) x_i; others of its entries may be filled too.

    sums is (p (p + 1) / 2, p), row k (k + 1) / 2 + j for the pair j <= k: the pairs up to a column come first, so that
    the columns l of a stripe need the first ones only.
    """
    n, p = Xt.shape
    stripe = 5 if p <= 32 else 17
    for lo in range(0, n, _TENSOR_BLOCK):
        m = min(_TENSOR_BLOCK, n - lo)
        columns = np.ascontiguousarray(Xt[lo : lo + m].T)
        pairs = np.empty((p * (p + 1) // 2, m))
        scaled = np.empty(m)
        c = 0
        for k in range(p):
            for i in range(m):
                scaled[i] = third[lo + i] * columns[k, i]
            for j in range(k + 1):
                for i in range(m):
                    pairs[c, i] = scaled[i] * columns[j, i]
                c += 1
        left = 0
        while left < p:
            right = min(left + stripe, p)
            needed = right * (right + 1) // 2
            sums[:needed, left:right] += np.dot(pairs[:needed], columns[left:right].T)
            left = right


@jit
def add_quartic_matrix(Xt, row_weights, M):
    """M += sum of w_i u_i u_i', u_i the entries j <= k of x_i x_i' in the orthonormal basis of symmetric matrices.

    row_weights >= 0.
    """
    n, p = Xt.shape
    root_2 = math.sqrt(2.0)
    pairs = np.empty((min(_BLOCK, n), p * (p + 1) // 2))
    for lo in range(0, n, _BLOCK):
        m = min(_BLOCK, n - lo)
        for i in range(m):
            c = 0
            root = math.sqrt(row_weights[lo + i])
            for j in range(p):
                s = root * Xt[lo + i, j]
                pairs[i, c] = s * Xt[lo + i, j]
                c += 1
                s *= root_2
                for k in range(j + 1, p):
                    pairs[i, c] = s * Xt[lo + i, k]
                    c += 1
        B = pairs[:m]
        M += np.dot(B.T, B)


@jit
def add_quartic_product(Xt, row_weights, U, out):
    """out += sum of w_i (x_i' U x_i) x_i x_i' for a symmetric U: the fourth-moment operator applied to U.

    Xt, row_weights and U may be float32; sums over blocks of rows are in the precision of `out`.
    """
    n, p = Xt.shape
    for lo in range(0, n, _BLOCK):
        m = min(_BLOCK, n - lo)
        B = Xt[lo : lo + m]
        V = np.dot(B, U)
        for i in range(m):
            s = V[i, 0] * B[i, 0]
            for j in range(1, p):
                s += V[i, j] * B[i, j]
            s *= row_weights[lo + i]
            for j in range(p):
                V[i, j] = s * B[i, j]
        out += np.dot(B.T, V)


@jit
def curvature_minima(fam, y, weights, eta, h, radius, out):
    """out_i = w_i min of omega over |t| <= radius sqrt(h_i)."""
    for i in range(y.shape[0]):
        out[i] = weights[i] * terms.curvature_min(fam, eta[i], y[i], radius * math.sqrt(h[i]))


@jit
def row_constants(fam, eta, y, out):
    """What `bracket_at` wants to know of each row."""
    for i in range(y.shape[0]):
        out[i] = terms.row_constant(fam, eta[i], y[i])


@jit
def _sum_by_row(fam, V, y, weights, eta, constants, out):
    """out_c += sum of w_i bracket_i(V[c, i]), each row by its most accurate formula."""
    for c in range(V.shape[0]):
        s = 0.0
        for i in range(V.shape[1]):
            s += weights[i] * terms.bracket_at(fam, constants[i], eta[i], y[i], V[c, i])
        out[c] += s


@jit
def _sum_quickly(fam, V, y, weights, eta, constants, out):
    """The same with `quick_parts`, for weights that differ."""
    n = V.shape[1]
    work = np.empty(n)
    for c in range(V.shape[0]):
        too_far = 0
        for i in range(n):
            a, q = terms.quick_parts(fam, constants[i], V[c, i])
            too_far += abs(V[c, i]) > _FARTHEST
            work[i] = weights[i] * (a - vector_log(q))
        if too_far:
            _sum_by_row(fam, V[c : c + 1], y, weights, eta, constants, out[c : c + 1])
        else:
            s = 0.0
            for i in range(n):
                s += work[i]
            out[c] += s


@jit
def _sum_in_fours(fam, V, y, weights, eta, constants, out):
    """The same for equal weights: four rows share a logarithm."""
    quarter = V.shape[1] // 4
    work = np.empty(quarter)
    for c in range(V.shape[0]):
        too_far = 0
        for i in range(quarter):
            j, k, m = i + quarter, i + 2 * quarter, i + 3 * quarter
            a0, q0 = terms.quick_parts(fam, constants[i], V[c, i])
            a1, q1 = terms.quick_parts(fam, constants[j], V[c, j])
            a2, q2 = terms.quick_parts(fam, constants[k], V[c, k])
            a3, q3 = terms.quick_parts(fam, constants[m], V[c, m])
            q = q0 * q1 * (q2 * q3)
            far = max(max(abs(V[c, i]), abs(V[c, j])), max(abs(V[c, k]), abs(V[c, m])))
            too_far += far > 0.25 * _FARTHEST
            work[i] = a0 + a1 + (a2 + a3) - vector_log(q)
        if too_far:
            _sum_by_row(fam, V[c : c + 1], y, weights, eta, constants, out[c : c + 1])
        else:
            s = 0.0
            for i in range(quarter):
                s += work[i]
            out[c] += weights[0] * s


@jit
def add_log_ratio(fam, Xt, y, weights, eta, constants, mode, Z, out):
    """out_c += sum_i w_i [l(eta_i + v) - l(eta_i) - l'(eta_i) v] at v = x_i' z_c, for every row z_c of Z.

    mode is BY_ROW, QUICK or EQUAL_WEIGHTS (quick, all weights the same).
    """
    n = Xt.shape[0]
    m = Z.shape[0]
    for lo in range(0, n, _BLOCK):
        hi = min(lo + _BLOCK, n)
        X = Xt[lo:hi].T
        k = constants[lo:hi]
        w = weights[lo:hi]
        for first in range(0, m, _CANDIDATES):
            last = min(first + _CANDIDATES, m)
            V = np.dot(Z[first:last], X)
            if mode == BY_ROW:
                _sum_by_row(fam, V, y[lo:hi], w, eta[lo:hi], k, out[first:last])
            elif mode == EQUAL_WEIGHTS and (hi - lo) % 4 == 0:
                _sum_in_fours(fam, V, y[lo:hi], w, eta[lo:hi], k, out[first:last])
            else:
                _sum_quickly(fam, V, y[lo:hi], w, eta[lo:hi], k, out[first:last])


@jit
def add_log_likelihoods(fam, X, y, weights, offset, coefficients, out):
    """out_c += sum_i w_i l(x_i' beta_c + o_i; y_i), without constants, for every row beta_c of coefficients."""
    n = X.shape[0]
    for lo in range(0, n, _BLOCK):
        hi = min(lo + _BLOCK, n)
        V = np.dot(coefficients, X[lo:hi].T)
        for c in range(V.shape[0]):
            s = 0.0
            for i in range(lo, hi):
                if weights[i] > 0.0:
                    s += weights[i] * terms.loglik(fam, V[c, i - lo] + offset[i], y[i])
            out[c] += s


@jit
def unfoldings(G, p, A, B):
    """The two pairings of a 3-tensor's indices as matrices on symmetric matrices (orthonormal basis).

    G is the Gram matrix (p^2, p^2) of the unfolding: A pairs them as sum T_k (x) T_k, B as sum vec(T_k) vec(T_k)'.
    """
    row = 0
    for i in range(p):
        for j in range(i, p):
            f = 0.5 if i == j else math.sqrt(0.5)
            col = 0
            for k in range(p):
                for m in range(k, p):
                    g = 2.0 * f * (0.5 if k == m else math.sqrt(0.5))
                    A[row, col] = g * (G[i * p + k, j * p + m] + G[i * p + m, j * p + k])
                    B[row, col] = 2.0 * g * G[i * p + j, k * p + m]
                    col += 1
            row += 1
