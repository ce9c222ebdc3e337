"""Bounds over the unit sphere on the third- and fourth-order forms of a whitened GLM.

See methods, radial envelope: S3 >= max T(s, s, s) for the signed tensor of third derivatives, S4 >= max sum w v^4.
"""

import functools
import math

import numpy as np

from glmbayes.glm import spectra
from glmbayes.kernels import glm_rows

MIXTURES = (0.0, 1.0, 1.2, 1.4)
_ALL_MIXTURES_UP_TO = 20  # coefficients: beyond, the first is far from the best
_ESTIMATE = 8  # Lanczos steps that tell mixtures apart
_UNIT = 2.0**-24  # rounding in single precision, which is used for fourth-order products
_SINGLE_FROM, _SINGLE_UP_TO = 16, 20_000_000  # from that many coefficients up to that many entries of the design
_PASS = 2_000_000_000  # multiplications per compiled call: 0.2 s


def slices(n, work_per_row):
    """Row ranges, of multiples of eight rows, of about 0.2 s of compiled work each, so that Ctrl-C is noticed."""
    step = 8 * max(1, int(_PASS // (8 * max(work_per_row, 1))))
    return [slice(lo, min(lo + step, n)) for lo in range(0, n, step)]


@functools.lru_cache(maxsize=8)
def pairs_of(p):
    """The pairs j <= k in row-major order: the basis of symmetric matrices."""
    return np.triu_indices(p)


def third_tensor(design, third):
    """T as a (p (p + 1) / 2, p) array over pairs j <= k."""
    n, p = design.shape
    sums = np.zeros((p * (p + 1) // 2, p))
    for rows in slices(n, p**3 // 4):
        glm_rows.add_third_tensor(design[rows], third[rows], sums)
    j, k = pairs_of(p)
    triples = np.empty((j.size, p, 3), np.int64)
    triples[:, :, 0], triples[:, :, 1], triples[:, :, 2] = j[:, None], k[:, None], np.arange(p)
    triples.sort(axis=2)
    return sums[triples[:, :, 1] * (triples[:, :, 1] + 1) // 2 + triples[:, :, 0], triples[:, :, 2]]


def full_third(T, p):
    """The symmetric (p, p, p) array of a tensor stored over pairs."""
    j, k = pairs_of(p)
    full = np.empty((p, p, p))
    full[j, k] = T
    full[k, j] = T
    return full


def third_bound(T, rng):
    """S3 >= max of T(s, s, s) over unit vectors s, for a symmetric (p, p, p) array."""
    p = len(T)
    if p == 1:
        return abs(float(T[0, 0, 0]))
    flat = T.reshape(p, p * p)
    size = p * (p + 1) // 2
    A, B = np.empty((size, size)), np.empty((size, size))
    glm_rows.unfoldings(flat.T @ flat, p, A, B)
    A, B = _split_off_trace(A, p), _split_off_trace(B, p)
    if size <= spectra.DENSE_UP_TO:
        outer = _outer_parts(MIXTURES, A, B, p)
        matrices = np.array([m * A[2] + (1.0 - m) * B[2] for m in MIXTURES])
        tops = np.linalg.eigvalsh(matrices)[:, -1] + max(spectra.margin(N) for N in matrices)
        return math.sqrt(max(min(o + (1.0 - 1.0 / p) * max(t, 0.0) for o, t in zip(outer, tops)), 0.0))
    start = rng.standard_normal(size)
    mixtures = MIXTURES if p <= _ALL_MIXTURES_UP_TO else MIXTURES[1:]
    outer = _outer_parts(mixtures, A, B, p)
    guesses = [
        o
        + (1.0 - 1.0 / p)
        * spectra.largest_estimate(lambda v: m * (A[2] @ v) + (1.0 - m) * (B[2] @ v), start, _ESTIMATE)  # noqa: B023
        for o, m in zip(outer, mixtures)
    ]
    best = int(np.argmin(guesses))
    top = spectra.largest_certified(mixtures[best] * A[2] + (1.0 - mixtures[best]) * B[2], rng)
    return math.sqrt(max(outer[best] + (1.0 - 1.0 / p) * max(top, 0.0), 0.0))


def _split_off_trace(N, p):
    """Parts of the quadratic form N on symmetric matrices U = I/p + U0: mean, matrix N vec(I), N on traceless U0."""
    j, k = pairs_of(p)
    trace = (j == k).astype(float)  # vec(I) in the basis
    product = N @ trace
    C = np.empty((p, p))
    C[j, k] = C[k, j] = product * np.where(j == k, 1.0, math.sqrt(0.5))
    unit = trace / math.sqrt(p)
    along = product / math.sqrt(p) - 0.5 * float(trace @ product) / p * unit
    centred = N - np.multiply.outer(unit, along)
    centred -= np.multiply.outer(along, unit)
    return float(trace @ product) / p**2, C, centred


def _outer_parts(mixtures, A, B, p):
    """Mean part plus cross part of each mixture m A + (1 - m) B."""
    m = np.asarray(mixtures)
    C = np.multiply.outer(m, A[1]) + np.multiply.outer(1.0 - m, B[1])
    tops = np.linalg.eigvalsh(C)[:, -1] + max(spectra.margin(c) for c in C)
    cross = 2.0 / p * (tops - np.einsum("ijj->i", C) / p)
    return m * A[0] + (1.0 - m) * B[0] + np.maximum(cross, 0.0)


def split_axis(T, b):
    """T = alpha sym(b (x) I) + gamma b (x) b (x) b + rest, least squares; returns alpha, gamma, rest."""
    p = len(T)
    with_trace = float(b @ np.einsum("ijj->i", T))
    with_cube = float(b @ (T @ b) @ b)
    alpha, gamma = np.linalg.solve([[(p + 2) / 3, 1.0], [1.0, 1.0]], [with_trace, with_cube])
    spread = np.multiply.outer(b, np.eye(p))
    spread = (spread + spread.transpose(1, 0, 2) + spread.transpose(1, 2, 0)) / 3
    cube = np.multiply.outer(b, np.outer(b, b))
    return float(alpha), float(gamma), T - alpha * spread - gamma * cube


def axis_candidates(T, rng):
    """Unit vectors to try as the axis: the trace direction, and the top direction by power iteration."""
    trace = np.einsum("ijj->i", T)
    norm = np.linalg.norm(trace)
    found = [trace / norm] if norm > 0 else []
    p = len(T)
    S = np.vstack([*found, rng.standard_normal((2, p))])
    S /= np.linalg.norm(S, axis=1)[:, None]
    for _ in range(min(25, 4 + 2 * p)):
        step = ((S @ T.reshape(p, p * p)).reshape(-1, p, p) @ S[:, :, None])[:, :, 0]
        size = np.sqrt(np.einsum("ij,ij->i", step, step))[:, None]
        if not size.all():
            break
        S = step / size
    values = np.einsum("ij,ij->i", ((S @ T.reshape(p, p * p)).reshape(-1, p, p) @ S[:, :, None])[:, :, 0], S)
    return [*found, S[np.argmax(values)]]


def quartic_light(design, row_weights, leverage):
    """max of sum w v^4 <= lambda_max(sum w h x x'): one pass."""
    n, p = design.shape
    C = np.zeros((p, p))
    for rows in slices(n, p * p):
        glm_rows.add_gram(design[rows], row_weights[rows] * leverage[rows], C)
    return spectra.largest(0.5 * (C + C.T)), C


def quartic_dense(design, row_weights, rng):
    """The same bound as `quartic_full` from the explicit matrix on symmetric matrices: tighter; p up to 30 or so."""
    n, p = design.shape
    M = np.zeros((p * (p + 1) // 2,) * 2)
    for rows in slices(n, p**4 // 4):
        glm_rows.add_quartic_matrix(design[rows], row_weights[rows], M)
    mean, C, centred = _split_off_trace(M, p)
    cross = 2.0 / p * (spectra.largest(C) - float(np.trace(C)) / p)
    return mean + max(cross, 0.0) + (1.0 - 1.0 / p) * max(spectra.largest_certified(centred, rng), 0.0)


def quartic_full(design, row_weights, C, rng, steps):
    """The bound by splitting s s' into its mean I/p and a traceless part; `steps` products over the data.

    C is the matrix of `quartic_light`.
    """
    n, p = design.shape
    if p == 1:
        return float(C[0, 0])
    trace = float(np.trace(C))
    cross = 2.0 / p * (spectra.largest(0.5 * (C + C.T)) - trace / p)

    # single precision: errors below (2 p + 200) u sum w |x|^4 |U| from rounding the input, V = B U, the x'U x and B'V
    single = p >= _SINGLE_FROM and design.size <= _SINGLE_UP_TO
    kind = np.float32 if single else np.float64
    inputs, factors = design.astype(kind, copy=False), row_weights.astype(kind, copy=False)

    def product(vector):
        U = vector.reshape(p, p).astype(kind)
        out = np.zeros((p, p))
        for rows in slices(n, 2 * p * p):
            glm_rows.add_quartic_product(inputs[rows], factors[rows], U, out)
        out = 0.5 * (out + out.T)
        out -= np.trace(out) / p * np.eye(p)
        return out.ravel()

    start = rng.standard_normal((p, p))
    start = (start + start.T) / math.sqrt(2.0)
    start -= np.trace(start) / p * np.eye(p)
    top = spectra.largest_by_products(product, start.ravel(), steps, p * (p + 1) // 2 - 1)
    if single:
        top += 2.0 * (2 * p + 200) * _UNIT * trace
    return trace / p**2 + max(cross, 0.0) + (1.0 - 1.0 / p) * max(top, 0.0)
