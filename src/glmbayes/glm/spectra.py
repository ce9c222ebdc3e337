"""Upper bounds on eigenvalues that hold to rounding, for small and for large symmetric operators."""

import math

import numpy as np

DENSE_UP_TO = 64
_LOG_FAILURE = 30.0  # probability exp(-30) that a randomised bound fails


def margin(matrix):
    """What rounding can have added to or taken from an eigenvalue of a symmetric matrix."""
    return 1e-12 * len(matrix) * float(math.sqrt(np.vdot(matrix, matrix)))


def largest(matrix):
    """An upper bound on the largest eigenvalue of a symmetric matrix, tight to rounding."""
    return float(np.linalg.eigvalsh(matrix)[-1]) + margin(matrix)


def smallest(matrix):
    """A lower bound on the smallest eigenvalue of a positive semi-definite matrix; 0 below 1e-15."""
    values = np.linalg.eigvalsh(matrix)
    low = float(values[0]) - 4 * len(matrix) * np.finfo(float).eps * float(max(abs(values[0]), abs(values[-1])))
    return low if low >= 1e-15 else 0.0


def lanczos(product, start, steps):
    """Ritz values of a symmetric operator from `steps` steps with full reorthogonalisation.

    Returns
    -------
    values : (k,) array, ascending
    exact : bool
        The Krylov space was exhausted, so that (with a random start) the largest is the largest eigenvalue.
    """
    basis = np.empty((steps, start.size))
    basis[0] = start / np.linalg.norm(start)
    alpha, beta = np.empty(steps), np.empty(steps)
    exact = False
    for k in range(steps):
        w = product(basis[k])
        alpha[k] = w @ basis[k]
        done = basis[: k + 1]
        w = w - (done @ w) @ done
        w -= (done @ w) @ done
        beta[k] = math.sqrt(float(w @ w))
        if beta[k] <= 1e-10 * np.abs(alpha[: k + 1]).max():
            exact = True
            steps = k + 1
            break
        if k + 1 < steps:
            basis[k + 1] = w / beta[k]
    tridiagonal = np.diag(alpha[:steps]) + np.diag(beta[: steps - 1], 1) + np.diag(beta[: steps - 1], -1)
    return np.linalg.eigvalsh(tridiagonal), exact


def largest_by_products(product, start, steps, dimension, shift=0.0):
    """An upper bound on the largest eigenvalue of an operator known by its products only.

    Lanczos approaches it from below; from a start uniform on the sphere the relative error exceeds eps with
    probability at most 1.648 sqrt(dimension) exp(-(2 steps - 1) sqrt(eps)) (Kuczynski and Wozniakowski 1992,
    doi:10.1137/0613066, theorem 4.1), here 1e-13 by the choice of eps.

    Parameters
    ----------
    product : callable
    start : array
        A standard normal vector of the operator's space.
    shift : float
        The operator plus shift * I must be positive semi-definite.
    """
    values, exact = lanczos(product, start, min(steps, dimension))
    top = float(values[-1])
    scale = float(np.abs(values).max())
    if exact:
        return top + 1e-9 * scale
    k = len(values)
    root = (_LOG_FAILURE + math.log(1.648 * math.sqrt(dimension))) / (2 * k - 1)
    if root >= 1.0:
        return math.inf
    return (top + shift) / (1.0 - root * root) - shift + 1e-9 * scale


def largest_estimate(product, start, steps=12):
    """A cheap estimate, from below, of the largest eigenvalue: to compare operators, never as a bound."""
    before, beta = np.zeros_like(start), 0.0
    vector = start / np.linalg.norm(start)
    alphas, betas = [], []
    for _ in range(min(steps, start.size)):
        w = product(vector) - beta * before
        alphas.append(float(w @ vector))
        w -= alphas[-1] * vector
        beta = math.sqrt(float(w @ w))
        if beta == 0.0:
            break
        betas.append(beta)
        before, vector = vector, w / beta
    k = len(alphas)
    off = betas[: k - 1]
    return float(np.linalg.eigvalsh(np.diag(alphas) + np.diag(off, 1) + np.diag(off, -1))[-1])


def largest_certified(matrix, rng):
    """An upper bound on the largest eigenvalue of an explicit symmetric matrix, within one percent of it.

    Lanczos proposes a value, a Cholesky factorisation of (value I - matrix) proves it.
    """
    n = len(matrix)
    if n <= DENSE_UP_TO:
        return largest(matrix)
    values, _ = lanczos(lambda v: matrix @ v, rng.standard_normal(n), 30)
    top, spread = float(values[-1]), float(values[-1] - values[0])
    slack = margin(matrix)
    room = 0.005 * spread
    for _ in range(8):
        claim = top + room
        try:
            np.linalg.cholesky((claim - slack) * np.eye(n) - matrix)
        except np.linalg.LinAlgError:
            room *= 3.0
            continue
        return claim + slack
    return largest(matrix)
