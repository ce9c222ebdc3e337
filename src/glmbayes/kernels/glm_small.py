"""A few coefficients, a normal prior, any log-concave likelihood: mode, coordinates and grid in one compiled call."""

import math

import numpy as np

from glmbayes.kernels.family_terms import curvature, loglik, score, start_eta
from glmbayes.kernels.glm_mode import solve_lower, solve_lower_transposed
from glmbayes.kernels.glm_one import NOT_FINITE, OK
from glmbayes.kernels.grid_envelope import Likelihood, choose_counts, grid_draws, new_grid, place_points, weigh_cells
from glmbayes.kernels.jit import jit
from glmbayes.kernels.linalg import cholesky, jacobi_svd, triangularise

POOR = 5  # the grid accepts too few candidates here: use another sampler
FAILED_MODE = 6

_NEWTON_CAP = 200
_HALVINGS = 60
_GRADIENT = 1e-5  # in posterior standard deviations: the rest is kept as a linear term

PATIENCE = 50.0  # candidates per draw beyond which the grid gives up


@jit
def _gradient(fam, y, white, eta_0, weights, c, eta, row_score, row_curvature, gradient):
    """Linear predictors, weighted scores and curvatures at `c`, and the gradient of the log posterior; False if NaN."""
    p = c.shape[0]
    for j in range(p):
        gradient[j] = -c[j]
    for i in range(y.shape[0]):
        s = eta_0[i]
        for j in range(p):
            s += white[i, j] * c[j]
        eta[i] = s
        row_score[i] = weights[i] * score(fam, s, y[i])
        row_curvature[i] = weights[i] * curvature(fam, s, y[i])
        if not (math.isfinite(row_score[i]) and row_curvature[i] < np.inf):
            return False
        for j in range(p):
            gradient[j] += row_score[i] * white[i, j]
    return True


@jit
def _information(white, row_weights, h):
    """h = I + white' diag(row_weights) white, lower triangle."""
    p = h.shape[0]
    for j in range(p):
        for k in range(j + 1):
            h[j, k] = 1.0 if j == k else 0.0
    for i in range(white.shape[0]):
        for j in range(p):
            t = row_weights[i] * white[i, j]
            for k in range(j + 1):
                h[j, k] += t * white[i, k]


@jit
def white_mode(fam, y, white, eta_0, weights, c, eta, row_score, row_curvature, gradient):
    """Near the mode of a model whose prior is N(0, I), by Newton's method from the saturated fit.

    The gradient left over is at most 1e-5 posterior standard deviations.  `c` (p,) receives the point; the other
    arrays what belongs to it.  Returns OK, NOT_FINITE or FAILED_MODE.
    """
    p = c.shape[0]
    h = np.empty((p, p))
    step = np.empty(p)
    trial = np.empty(p)
    for j in range(p):
        gradient[j] = 0.0
    for i in range(y.shape[0]):
        s = start_eta(fam, y[i], weights[i])
        row_curvature[i] = weights[i] * curvature(fam, s, y[i])
        for j in range(p):
            gradient[j] += row_curvature[i] * (s - eta_0[i]) * white[i, j]
    _information(white, row_curvature, h)
    if not cholesky(h, h):
        return NOT_FINITE
    solve_lower(h, gradient, c)
    solve_lower_transposed(h, c, c)
    if not _gradient(fam, y, white, eta_0, weights, c, eta, row_score, row_curvature, gradient):
        for j in range(p):
            c[j] = 0.0  # the prior mean, should the saturated fit overflow
        if not _gradient(fam, y, white, eta_0, weights, c, eta, row_score, row_curvature, gradient):
            return NOT_FINITE
    for _ in range(_NEWTON_CAP):
        _information(white, row_curvature, h)
        if not cholesky(h, h):
            return FAILED_MODE
        solve_lower(h, gradient, step)
        size = 0.0
        for j in range(p):
            size += step[j] * step[j]
        if size <= _GRADIENT * _GRADIENT:
            return OK
        solve_lower_transposed(h, step, step)
        length = 1.0
        for k in range(_HALVINGS):
            for j in range(p):
                trial[j] = c[j] + length * step[j]
            fine = _gradient(fam, y, white, eta_0, weights, trial, eta, row_score, row_curvature, gradient)
            slope = 0.0
            for j in range(p):
                slope += gradient[j] * step[j]
            if fine and slope >= -0.25 * size:  # not far past the maximum along the line
                break
            length *= 0.5
            if k == _HALVINGS - 1:
                return FAILED_MODE
        for j in range(p):
            c[j] = trial[j]
    return FAILED_MODE


@jit
def whiten(x, offset, mu, low, white, eta_0):
    """Rows in the coordinates c with beta = mu + low c, and their linear predictors at c = 0."""
    n, p = x.shape
    for i in range(n):
        s = offset[i]
        for j in range(p):
            s += x[i, j] * mu[j]
            t = 0.0
            for k in range(j, p):
                t += x[i, k] * low[k, j]
            white[i, j] = t
        eta_0[i] = s


@jit
def rotate(white, row_curvature, left_over, c, mu, low, z_x, gradient, curvature, centre, transform):
    """Turn the whitened coordinates so that the information is diagonal.

    The right singular vectors of the weighted design, taken from its triangle, are the new axes.  Fills the last
    five arguments: rows, gradient and curvatures in the new coordinates; coefficients are centre + transform z.
    """
    n, p = white.shape
    rows = max(n, p)
    weighted = np.zeros((rows, p))
    for i in range(n):
        root = math.sqrt(row_curvature[i]) if row_curvature[i] > 0.0 else 0.0
        for j in range(p):
            weighted[i, j] = root * white[i, j]
    triangularise(weighted, rows, np.empty(p))
    at = np.zeros((p, p))
    for i in range(p):
        for j in range(i, p):
            at[j, i] = weighted[i, j]
    rotation = np.empty((p, p))
    jacobi_svd(at, rotation)
    for k in range(p):
        s = 0.0
        for j in range(p):
            s += rotation[k, j] * left_over[j]
        gradient[k] = s
        curvature[k] = 0.0
        for i in range(n):
            t = 0.0
            for j in range(p):
                t += white[i, j] * rotation[k, j]
            z_x[i, k] = t
            curvature[k] += row_curvature[i] * t * t
    for j in range(p):
        s = mu[j]
        for k in range(j + 1):
            s += low[j, k] * c[k]
        centre[j] = s
        for k in range(p):
            t = 0.0
            for m in range(j + 1):
                t += low[j, m] * rotation[k, m]
            transform[j, k] = t


@jit
def standardise(fam, y, x, offset, weights, mu, low):
    """A point near the mode and the coordinates around it where the prior is N(0, I) and the curvature diagonal.

    Parameters
    ----------
    y : (n,), x : (n, p), offset, weights : (n,) arrays; weights positive
    mu : (p,) prior mean; low : (p, p) lower Cholesky factor of the prior covariance

    Returns
    -------
    data : Likelihood
    centre : (p,) array
        A point within 1e-5 posterior standard deviations of the mode.
    transform : (p, p) array
        Coefficients are centre + transform z.
    base : float
        Log of likelihood (without the data's constant) times prior density of z, at z = 0.
    status : int
    """
    n, p = x.shape
    rows = np.empty((4, n))
    columns = np.empty((5, p))
    white = np.empty((n, p))
    z_x = np.empty((n, p))
    transform = np.empty((p, p))
    eta = rows[1]
    row_score = rows[2]
    row_curvature = rows[3]
    c = columns[0]
    left_over = columns[1]
    whiten(x, offset, mu, low, white, rows[0])
    status = white_mode(fam, y, white, rows[0], weights, c, eta, row_score, row_curvature, left_over)
    rotate(white, row_curvature, left_over, c, mu, low, z_x, columns[2], columns[3], columns[4], transform)
    base = -0.5 * p * math.log(2.0 * math.pi)
    for i in range(n):
        base += weights[i] * loglik(fam, eta[i], y[i])
    for j in range(p):
        base -= 0.5 * c[j] * c[j]
    return Likelihood(y, eta, row_score, weights, z_x, columns[2], columns[3]), columns[4], transform, base, status


@jit
def to_coefficients(centre, transform, out):
    """centre + transform z for every row z of `out` (m, p), in place."""
    p = centre.shape[0]
    z = np.empty(p)
    for i in range(out.shape[0]):
        for j in range(p):
            z[j] = out[i, j]
        for j in range(p):
            s = centre[j]
            for k in range(p):
                s += transform[j, k] * z[k]
            out[i, j] = s


@jit
def small_draws(rng, fam, y, x, offset, weights, mu, low, patience, out, iters, mode):
    """Exact draws for a few coefficients by the grid envelope, the whole set-up compiled.

    Parameters
    ----------
    rng : numpy.random.Generator
    fam : kernel type of the family, such as ``families.binomial().kernel``
    y : (n,), x : (n, p), offset, weights : (n,) arrays
        Weights multiply log-likelihood terms; rows of weight 0 are to be left out beforehand.
    mu : (p,), low : (p, p)
        Prior mean, and lower Cholesky factor of the prior covariance.
    patience : float
        Candidates per draw beyond which the grid gives up with status POOR; `PATIENCE` is a good value.
    out : (m, p) array
        Receives the draws.
    iters : (m,) int array
        Receives the candidates of each draw.
    mode : (p,) array
        Receives the posterior mode.

    Returns
    -------
    status : int
        OK, CAPPED, BROKEN, NOT_FINITE, FAILED_MODE, or POOR when the grid needs more than `patience` candidates a
        draw.
    log_mass : float
        Log mass of the envelope: times the acceptance rate it is the evidence p(y), but for the data's constant.
    candidates : int
    """
    p = x.shape[1]
    data, centre, transform, base, status = standardise(fam, y, x, offset, weights, mu, low)
    if status != OK:
        return status, np.nan, 0
    for j in range(p):  # one more Newton step than the centre has had
        mode[j] = centre[j]
        for k in range(p):
            mode[j] += transform[j, k] * data.gradient[k] / (1.0 + data.curvature[k])
    count = np.empty(p, np.int64)
    choose_counts(data.curvature, x.shape[0], out.shape[0], count)
    grid = new_grid(count)
    place_points(fam, data, grid)
    log_mass = base + weigh_cells(data.gradient, grid)
    status, done, candidates = grid_draws(rng, fam, data, grid, patience, out, iters)
    if status != OK:
        return status, log_mass, candidates
    if done < out.shape[0]:
        return POOR, log_mass, candidates
    to_coefficients(centre, transform, out)
    return OK, log_mass, candidates


@jit
def draw_glm(rng, fam, y, x, offset, weights, mu, low):
    """One exact draw of a few coefficients with prior N(mu, low low'); for use inside your own compiled loops.

    Meant for up to about six coefficients, of which the grid envelope has 3^p cells.

    Parameters
    ----------
    rng : numpy.random.Generator
    fam : kernel type of the family, such as ``families.binomial().kernel``
    y : (n,), x : (n, p), offset, weights : (n,) arrays
        Weights multiply log-likelihood terms (binomial: trials, y the fractions); all positive.
    mu : (p,) array
        Prior mean.
    low : (p, p) array
        Lower Cholesky factor of the prior *covariance*.

    Returns
    -------
    draw : (p,) array
        NaN unless the status is 0.
    status : int
        OK, CAPPED, BROKEN, NOT_FINITE, POOR or FAILED_MODE of this module and of `glm_one`.
    """
    p = x.shape[1]
    out = np.empty((1, p))
    status, _, _ = small_draws(
        rng, fam, y, x, offset, weights, mu, low, PATIENCE, out, np.empty(1, np.int64), np.empty(p)
    )
    if status != OK:
        out[:] = np.nan
    return out[0], status


@jit
def draw_blocks_small(rng, fam, y, x, offset, weights, start, mu, low, out, iters, modes):
    """Draws for J conditionally independent models with a few coefficients each.

    Parameters
    ----------
    rng, fam : as in `small_draws`
    y, x, offset, weights : the rows of all blocks, a block's rows contiguous
    start : (J + 1,) int array
        Block j has the rows start[j] ... start[j + 1] - 1.
    mu : (J, p), low : (J, p, p)
        Prior means and Cholesky factors of the prior covariances; a leading dimension of 1 is shared by all blocks.
    out : (J, m, p), iters : (J, m), modes : (J, p)

    Returns
    -------
    status : int
        OK, or the first failure.
    block : int
        The block that failed.
    """
    for j in range(start.shape[0] - 1):
        a = start[j]
        b = start[j + 1]
        m = mu[j] if mu.shape[0] > 1 else mu[0]
        factor = low[j] if low.shape[0] > 1 else low[0]
        status, _, _ = small_draws(
            rng, fam, y[a:b], x[a:b], offset[a:b], weights[a:b], m, factor, PATIENCE, out[j], iters[j], modes[j]
        )
        if status != OK:
            return status, j
    return OK, -1
