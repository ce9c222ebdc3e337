"""The mode of a generalised linear model's posterior by Newton's method, and the whitened coordinates around it.

Target (methods of the documentation, "GLM posteriors"):

    log pi(theta) = sum_i w_i l(x_i' theta + o_i; y_i) - (theta - mu)' P (theta - mu) / 2,

each l concave.  The prior precision P may be singular where the data identify the coefficients.
"""

import math

import numpy as np

from glmbayes.kernels import family_terms as terms
from glmbayes.kernels.jit import jit
from glmbayes.kernels.linalg import cholesky

OK = 0
NOT_POSITIVE_DEFINITE = 1  # prior and data leave a direction flat, or scales differ beyond double precision
NOT_CONVERGED = 2
NOT_FINITE = 3

_MAX_STEPS = 200
_MAX_HALVINGS = 60
_BLOCK = 256
_PIECE = 1_000_000_000  # multiplications between looks for Ctrl-C: 0.1 s
_HAND_LOOP = 6  # up to this many coefficients a hand loop beats a call into BLAS


@jit
def solve_lower(L, b, out):
    """out = L^-1 b for a lower triangular L; b and out may be the same array."""
    for i in range(L.shape[0]):
        s = b[i]
        for k in range(i):
            s -= L[i, k] * out[k]
        out[i] = s / L[i, i]


@jit
def solve_lower_transposed(L, b, out):
    """out = L^-T b for a lower triangular L; b and out may be the same array."""
    p = L.shape[0]
    for i in range(p - 1, -1, -1):
        s = b[i]
        for k in range(i + 1, p):
            s -= L[k, i] * out[k]
        out[i] = s / L[i, i]


@jit
def add_weighted_gram(X, row_weights, H):
    """H += X' diag(row_weights) X, in blocks small enough for the cache; row_weights >= 0."""
    n, p = X.shape
    if p <= _HAND_LOOP:
        for i in range(n):
            for j in range(p):
                s = row_weights[i] * X[i, j]
                for k in range(j + 1):
                    H[j, k] += s * X[i, k]
        for j in range(p):
            for k in range(j):
                H[k, j] = H[j, k]
        return
    block = np.empty((min(_BLOCK, n), p))
    for lo in range(0, n, _BLOCK):
        m = min(_BLOCK, n - lo)
        for i in range(m):
            s = math.sqrt(row_weights[lo + i])
            for j in range(p):
                block[i, j] = s * X[lo + i, j]
        B = block[:m]
        H += np.dot(B.T, B)


@jit
def linear_predictor(X, theta, offset, eta):
    """eta = X theta + offset, four rows at a time: their sums do not wait for each other."""
    n, p = X.shape
    fours = n - n % 4
    for i in range(0, fours, 4):
        a, b, c, d = offset[i], offset[i + 1], offset[i + 2], offset[i + 3]
        for j in range(p):
            a += X[i, j] * theta[j]
            b += X[i + 1, j] * theta[j]
            c += X[i + 2, j] * theta[j]
            d += X[i + 3, j] * theta[j]
        eta[i], eta[i + 1], eta[i + 2], eta[i + 3] = a, b, c, d
    for i in range(fours, n):
        a = offset[i]
        for j in range(p):
            a += X[i, j] * theta[j]
        eta[i] = a


@jit
def newton_pass(fam, X, y, weights, offset, theta, eta, row_score, row_curvature, grad, H):
    """Add these rows' gradient and information at theta to grad and H; return their log-likelihood (no constants).

    eta, row_score and row_curvature are filled on the way.
    """
    n, p = X.shape
    linear_predictor(X, theta, offset, eta)
    total = 0.0
    for i in range(n):
        total += weights[i] * terms.loglik(fam, eta[i], y[i])
        row_score[i] = weights[i] * terms.score(fam, eta[i], y[i])
        row_curvature[i] = weights[i] * terms.curvature(fam, eta[i], y[i])
    if not math.isfinite(total):
        return -np.inf
    for i in range(n):
        for j in range(p):
            grad[j] += row_score[i] * X[i, j]
    add_weighted_gram(X, row_curvature, H)
    return total


@jit
def scoring_step(fam, X, y, weights, offset, response, row_weights, right, H):
    """Add the normal equations of one scoring step from near the saturated fit: H += X' W X, right += X' W response.

    response (the working response less the offset) and row_weights are filled on the way.
    """
    n, p = X.shape
    for i in range(n):
        eta = terms.start_eta(fam, y[i], weights[i])
        omega = terms.curvature(fam, eta, y[i])
        row_weights[i] = 0.0
        response[i] = 0.0
        if omega > 0.0:
            row_weights[i] = weights[i] * omega
            response[i] = eta + terms.score(fam, eta, y[i]) / omega - offset[i]
            for j in range(p):
                right[j] += row_weights[i] * response[i] * X[i, j]
    add_weighted_gram(X, row_weights, H)


@jit
def add_prior(theta, mu, P, grad, H):
    """Add the prior's gradient and information; return its log density (no constants)."""
    p = theta.shape[0]
    total = 0.0
    for j in range(p):
        s = 0.0
        for k in range(p):
            s += P[j, k] * (theta[k] - mu[k])
            H[j, k] += P[j, k]
        grad[j] -= s
        total -= 0.5 * s * (theta[j] - mu[j])
    return total


@jit
def newton_direction(grad, H, direction):
    """Factor H in place; direction = H^-1 grad; return grad' H^-1 grad, NaN if H is not positive definite."""
    if not cholesky(H, H):
        return np.nan
    solve_lower(H, grad, direction)
    size = 0.0
    for j in range(grad.shape[0]):
        size += direction[j] * direction[j]
    solve_lower_transposed(H, direction, direction)
    return size


@jit
def accept_step(value, slope, old_value, old_slope):
    """Whether a trial point is good enough: not far past the maximum along the line, and not lower."""
    if not (value > -np.inf and slope > -np.inf):
        return False
    return slope >= -0.5 * old_slope and value >= old_value - 1e-10 * (1.0 + abs(old_value))


@jit
def converged(size, last_size):
    """Whitened gradient norm at 1e-12, or below 1e-7 and no longer falling (rounding of the sums)."""
    return size <= 1e-24 or (size <= 1e-14 and size > 0.25 * last_size)


@jit
def evaluate(fam, X, y, weights, offset, theta, mu, P, eta, row_score, row_curvature, grad, H):
    """Log posterior at theta (no constants), its gradient and information, all rows in pieces; see `newton_pass`."""
    n, p = X.shape
    grad[:] = 0.0
    H[:] = 0.0
    value = add_prior(theta, mu, P, grad, H)
    piece = max(_PIECE // (p * p), 1)
    for lo in range(0, n, piece):
        hi = min(lo + piece, n)
        value += newton_pass(
            fam,
            X[lo:hi],
            y[lo:hi],
            weights[lo:hi],
            offset[lo:hi],
            theta,
            eta[lo:hi],
            row_score[lo:hi],
            row_curvature[lo:hi],
            grad,
            H,
        )
        if not value > -np.inf:
            return -np.inf
    return value


@jit
def find_mode(fam, X, y, weights, offset, mu, P, eta, row_score, row_curvature):
    """Mode, Cholesky factor of the information there, log posterior, whitened gradient norm and status.

    Parameters
    ----------
    fam : NamedTuple
        Family kernel type.
    X : (n, p) array; y, weights, offset : (n,) arrays
        Weights multiply log-likelihood terms and are positive.
    mu, P : (p,) and (p, p) arrays
        Prior mean and precision.
    eta, row_score, row_curvature : (n,) arrays, overwritten
        Linear predictor, weighted score and weighted curvature at the mode.

    Returns
    -------
    theta : (p,), L : (p, p), value : float, gradient_norm : float, status : int

    Notes
    -----
    ``plain(find_mode, "evaluate")`` is the same for large problems, and notices Ctrl-C.
    """
    n, p = X.shape
    theta = mu.copy()
    grad = np.zeros(p)
    H = np.zeros((p, p))
    value = evaluate(fam, X, y, weights, offset, theta, mu, P, eta, row_score, row_curvature, grad, H)

    trial_grad = np.zeros(p)
    trial_H = np.zeros((p, p))
    trial = np.empty(p)
    current = False  # whether eta, row_score and row_curvature are those at theta
    piece = max(_PIECE // (p * p), 1)
    for lo in range(0, n, piece):
        hi = min(lo + piece, n)
        scoring_step(
            fam,
            X[lo:hi],
            y[lo:hi],
            weights[lo:hi],
            offset[lo:hi],
            row_score[lo:hi],
            row_curvature[lo:hi],
            trial_grad,
            trial_H,
        )
    for j in range(p):
        for k in range(p):
            trial_grad[j] += P[j, k] * mu[k]
            trial_H[j, k] += P[j, k]
    if newton_direction(trial_grad, trial_H, trial) >= 0.0:
        trial_value = evaluate(
            fam, X, y, weights, offset, trial, mu, P, eta, row_score, row_curvature, trial_grad, trial_H
        )
        if trial_value > value:
            current = True
            theta, trial = trial, theta
            grad, trial_grad = trial_grad, grad
            H, trial_H = trial_H, H
            value = trial_value
    if not value > -np.inf:
        return theta, H, value, np.inf, NOT_FINITE

    direction = np.empty(p)
    last = np.inf
    for _ in range(_MAX_STEPS):
        size = newton_direction(grad, H, direction)
        if not size >= 0.0:
            return theta, H, value, np.inf, NOT_POSITIVE_DEFINITE
        if converged(size, last):
            if not current:
                evaluate(fam, X, y, weights, offset, theta, mu, P, eta, row_score, row_curvature, trial_grad, trial_H)
            return theta, H, value, math.sqrt(size), OK
        step = 1.0
        done = False
        for _ in range(_MAX_HALVINGS):
            for j in range(p):
                trial[j] = theta[j] + step * direction[j]
            trial_value = evaluate(
                fam, X, y, weights, offset, trial, mu, P, eta, row_score, row_curvature, trial_grad, trial_H
            )
            slope = 0.0
            for j in range(p):
                slope += trial_grad[j] * direction[j]
            if accept_step(trial_value, slope, value, size):
                done = True
                break
            step *= 0.5 if trial_value > -np.inf else 0.2
        if not done:
            return theta, H, value, math.sqrt(size), NOT_CONVERGED
        theta, trial = trial, theta
        grad, trial_grad = trial_grad, grad
        H, trial_H = trial_H, H
        value = trial_value
        current = True
        last = size
    return theta, H, value, math.sqrt(last), NOT_CONVERGED
