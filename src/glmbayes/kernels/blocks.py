"""Many small, conditionally independent regressions in one compiled call."""

import math

import numpy as np

from glmbayes.kernels.independent import independent_draws
from glmbayes.kernels.jit import jit
from glmbayes.kernels.log_precision import DONE, NEED_MORE
from glmbayes.kernels.normal import normal_draws
from glmbayes.kernels.normal_gamma import normal_gamma_draws
from glmbayes.kernels.rows import reduce_rows, row_errors

BAD_ROWS = 10
IMPROPER = 11
NO_ROWS = 12


@jit
def block_starts(sizes, rows, starts):
    """First row of each block into `starts` (J + 1,); False unless all sizes are positive and add up to `rows`."""
    starts[0] = 0
    for j in range(sizes.shape[0]):
        if sizes[j] < 1:
            return False
        starts[j + 1] = starts[j] + sizes[j]
    return starts[sizes.shape[0]] == rows


@jit
def _rows_of(starts, j, values):
    """Rows of block j of a row argument, which may be empty (absent)."""
    if values.shape[0] == 0:
        return values
    return values[starts[j] : starts[j + 1]]


@jit
def _reduce_block(y, x, offset, weights, starts, j, triangle):
    a = starts[j]
    b = starts[j + 1]
    return reduce_rows(y[a:b], x[a:b], _rows_of(starts, j, offset), _rows_of(starts, j, weights), triangle)


@jit
def block_errors(y, x, offset, weights, starts, beta, frequency, n_w, errors):
    """Weighted squared errors per block at `beta` (J or 1, p); `n_w` and `errors` (J,) are filled.

    Returns (block, status): status DONE, or what is wrong with that block.
    """
    for j in range(n_w.shape[0]):
        a = starts[j]
        b = starts[j + 1]
        row = beta[j if beta.shape[0] > 1 else 0]
        fine, sse, used, total, _ = row_errors(
            y[a:b], x[a:b], _rows_of(starts, j, offset), _rows_of(starts, j, weights), row
        )
        if not fine:
            return j, BAD_ROWS
        if used == 0.0:
            return j, NO_ROWS
        n_w[j] = total if frequency else used
        errors[j] = sse
    return 0, DONE


@jit
def normal_blocks(y, x, offset, weights, starts, mu, low, dispersion, draws, mode):
    """Coefficients of J blocks, the dispersions known.

    Rows of block j are starts[j]:starts[j + 1].  `mu` (J or 1, p), `low` (J or 1, p, p) Cholesky factors of the prior
    covariances, `dispersion` (J or 1,).  `draws` (J, n, p) enters as standard normals and leaves as draws; `mode`
    (J, p) receives the modes.  Returns (block, status).
    """
    p = x.shape[1]
    triangle = np.empty((p + 1, p + 1))
    for j in range(draws.shape[0]):
        fine, used, _, _ = _reduce_block(y, x, offset, weights, starts, j, triangle)
        if not fine:
            return j, BAD_ROWS
        if used == 0.0:
            return j, NO_ROWS
        m = mu[j if mu.shape[0] > 1 else 0]
        root = low[j if low.shape[0] > 1 else 0]
        phi = dispersion[j if dispersion.shape[0] > 1 else 0]
        if not normal_draws(triangle, m, root, phi, draws[j], mode[j]):
            return j, IMPROPER
    return 0, DONE


@jit
def block_weights(weights, starts, frequency, n_w):
    """Per block: the sum of weights, or the number of rows with positive weight.  Returns (block, status)."""
    for j in range(n_w.shape[0]):
        n_w[j] = 0.0
        for i in range(starts[j], starts[j + 1]):
            w = weights[i] if weights.shape[0] > 0 else 1.0
            if not (w >= 0.0 and w < math.inf):
                return j, BAD_ROWS
            n_w[j] += w if frequency else (1.0 if w > 0.0 else 0.0)
        if n_w[j] == 0.0:
            return j, NO_ROWS
    return 0, DONE


@jit
def normal_gamma_blocks(y, x, offset, weights, starts, mu, low, rate, draws, dispersion, mode):
    """(beta, dispersion) of J blocks under normal-gamma priors; see `normal_gamma_draws`.

    `draws` (J, n, p) standard normals, `dispersion` (J, n) standard gammas of the posterior shapes.
    """
    p = x.shape[1]
    triangle = np.empty((p + 1, p + 1))
    for j in range(draws.shape[0]):
        if not _reduce_block(y, x, offset, weights, starts, j, triangle)[0]:
            return j, BAD_ROWS
        m = mu[j if mu.shape[0] > 1 else 0]
        root = low[j if low.shape[0] > 1 else 0]
        status = normal_gamma_draws(triangle, m, root, rate, draws[j], dispersion[j], mode[j])
        if status != DONE:
            return j, status
    return 0, DONE


@jit
def independent_blocks(
    rng, y, x, offset, weights, starts, mu, low, n_w, terms, lower, upper, draws, dispersion, iters, mode
):
    """(beta, dispersion) of J blocks under independent priors; uniforms come from `rng`.

    `draws` (J, n, p) standard normals, `dispersion` and `iters` (J, n) are filled.
    """
    n, p = draws.shape[1], draws.shape[2]
    triangle = np.empty((p + 1, p + 1))
    normals = np.empty((n, p))
    for j in range(draws.shape[0]):
        if not _reduce_block(y, x, offset, weights, starts, j, triangle)[0]:
            return j, BAD_ROWS
        m = mu[j if mu.shape[0] > 1 else 0]
        root = low[j if low.shape[0] > 1 else 0]
        normals[:] = draws[j]
        uniforms = rng.random(6 * n + 6)
        status = NEED_MORE
        while status == NEED_MORE:
            draws[j] = normals
            status = independent_draws(
                triangle,
                m,
                root,
                n_w[j],
                terms,
                lower,
                upper,
                uniforms,
                draws[j],
                dispersion[j],
                iters[j],
                mode[j],
            )
            if status == NEED_MORE:
                uniforms = np.concatenate((uniforms, rng.random(uniforms.shape[0])))
        if status != DONE:
            return j, status
    return 0, DONE
