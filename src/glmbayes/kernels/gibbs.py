"""One-call blocks for Gibbs samplers written in the user's own compiled functions.

Each takes a `numpy.random.Generator` first, then what the user's loop holds; arrays are float64 and C-contiguous, and
input is trusted: a covariance that is not positive definite or a missing value gives NaN, not an error.
"""

import math

import numpy as np

from glmbayes.kernels.gamma import draw_gamma
from glmbayes.kernels.independent import independent_draws
from glmbayes.kernels.jit import jit
from glmbayes.kernels.linalg import cholesky
from glmbayes.kernels.log_precision import DONE, NEED_MORE
from glmbayes.kernels.normal import normal_draws
from glmbayes.kernels.normal_gamma import normal_gamma_draws
from glmbayes.kernels.rows import reduce_rows, row_errors


@jit
def draw_normal(rng, y, x, mu, Sigma, dispersion):
    """A draw of beta (p,) given the dispersion: the conditional of `dNormal(mu, Sigma, dispersion)`.

    Parameters
    ----------
    rng : numpy.random.Generator
    y, x : (N,) and (N, p) float arrays
    mu, Sigma : (p,) prior mean and (p, p) prior covariance
    dispersion : float
        Residual variance.

    Examples
    --------
    >>> import numpy as np
    >>> from glmbayes import kernels
    >>> rng = np.random.default_rng(1)
    >>> kernels.draw_normal(rng, np.ones(3), np.ones((3, 1)), np.zeros(1), np.eye(1), 0.5).shape
    (1,)
    """
    p = x.shape[1]
    empty = np.empty(0)
    triangle = np.empty((p + 1, p + 1))
    low = np.empty((p, p))
    draws = np.empty((1, p))
    mode = np.empty(p)
    reduce_rows(y, x, empty, empty, triangle)
    for j in range(p):
        draws[0, j] = rng.standard_normal()
    if not cholesky(Sigma, low) or not normal_draws(triangle, mu, low, dispersion, draws, mode):
        draws[:] = math.nan
    return draws[0]


@jit
def draw_dispersion(rng, y, x, beta, shape, rate):
    """A draw of the dispersion given beta: the conditional of `dGamma(shape, rate, beta)`.

    Parameters
    ----------
    rng : numpy.random.Generator
    y, x : (N,) and (N, p) float arrays
    beta : (p,) float array
    shape, rate : float
        Of the gamma prior on the precision 1 / dispersion.

    Examples
    --------
    >>> import numpy as np
    >>> from glmbayes import kernels
    >>> rng = np.random.default_rng(1)
    >>> kernels.draw_dispersion(rng, np.ones(3), np.ones((3, 1)), np.zeros(1), 2.0, 1.0) > 0
    True
    """
    empty = np.empty(0)
    _, errors, used, _, _ = row_errors(y, x, empty, empty, beta)
    return (rate + 0.5 * errors) / draw_gamma(rng, shape + 0.5 * used)


@jit
def draw_normal_gamma(rng, y, x, mu, Sigma_0, shape, rate):
    """A draw of (beta, dispersion) under `dNormal_Gamma(mu, Sigma_0, shape, rate)`.

    Parameters
    ----------
    rng : numpy.random.Generator
    y, x : (N,) and (N, p) float arrays
    mu, Sigma_0 : (p,) prior mean and (p, p) prior covariance in units of the dispersion
    shape, rate : float
        Of the gamma prior on the precision.

    Returns
    -------
    beta : (p,) array
    dispersion : float

    Examples
    --------
    >>> import numpy as np
    >>> from glmbayes import kernels
    >>> rng = np.random.default_rng(1)
    >>> beta, phi = kernels.draw_normal_gamma(rng, np.ones(3), np.ones((3, 1)), np.zeros(1), np.eye(1), 2.0, 1.0)
    >>> beta.shape, phi > 0
    ((1,), True)
    """
    n, p = x.shape
    empty = np.empty(0)
    triangle = np.empty((p + 1, p + 1))
    low = np.empty((p, p))
    draws = np.empty((1, p))
    mode = np.empty(p)
    dispersion = np.empty(1)
    reduce_rows(y, x, empty, empty, triangle)
    for j in range(p):
        draws[0, j] = rng.standard_normal()
    dispersion[0] = draw_gamma(rng, shape + 0.5 * n)
    if not cholesky(Sigma_0, low) or normal_gamma_draws(triangle, mu, low, rate, draws, dispersion, mode) != DONE:
        draws[:] = math.nan
        dispersion[0] = math.nan
    return draws[0], dispersion[0]


@jit
def draw_independent_normal_gamma(rng, y, x, mu, Sigma, shape, rate):
    """A draw of (beta, dispersion) under `dIndependent_Normal_Gamma(mu, Sigma, shape, rate)`.

    Parameters
    ----------
    rng : numpy.random.Generator
    y, x : (N,) and (N, p) float arrays
    mu, Sigma : (p,) prior mean and (p, p) prior covariance
    shape, rate : float
        Of the gamma prior on the precision.

    Returns
    -------
    beta : (p,) array
    dispersion : float

    Examples
    --------
    >>> import numpy as np
    >>> from glmbayes import kernels
    >>> rng = np.random.default_rng(1)
    >>> beta, phi = kernels.draw_independent_normal_gamma(
    ...     rng, np.ones(3), np.ones((3, 1)), np.zeros(1), np.eye(1), 2.0, 1.0)
    >>> beta.shape, phi > 0
    ((1,), True)
    """
    n, p = x.shape
    empty = np.empty(0)
    triangle = np.empty((p + 1, p + 1))
    low = np.empty((p, p))
    draws = np.empty((1, p))
    mode = np.empty(p)
    dispersion = np.empty(1)
    iters = np.empty(1, np.int64)
    terms = (shape - 1.0, float(rate), 0.0, 0.0, 0.0, 1.0)
    reduce_rows(y, x, empty, empty, triangle)
    if not cholesky(Sigma, low):
        draws[:] = math.nan
        return draws[0], math.nan
    normals = np.empty((1, p))
    for j in range(p):
        normals[0, j] = rng.standard_normal()
    uniforms = rng.random(12)
    status = NEED_MORE
    while status == NEED_MORE:
        draws[:] = normals
        status = independent_draws(
            triangle, mu, low, float(n), terms, -math.inf, math.inf, uniforms, draws, dispersion, iters, mode
        )
        if status == NEED_MORE:
            uniforms = np.concatenate((uniforms, rng.random(uniforms.shape[0])))
    if status != DONE:
        draws[:] = math.nan
        dispersion[0] = math.nan
    return draws[0], dispersion[0]


@jit
def draw_normal_means(rng, y, variance, mu, tau2, out):
    """Group means given their population: theta_j ~ N(mu, tau2), y_j ~ N(theta_j, variance_j), drawn into `out`.

    The one-observation, intercept-only case of `draw_normal` for all groups at once (the school effects of the eight
    schools).

    Parameters
    ----------
    rng : numpy.random.Generator
    y, variance : (J,) float arrays
        Estimates and their known sampling variances.
    mu, tau2 : float
        Mean and variance of the population of groups.
    out : (J,) float array
        Receives the draw.

    Examples
    --------
    >>> import numpy as np
    >>> from glmbayes import kernels
    >>> theta = np.empty(2)
    >>> kernels.draw_normal_means(np.random.default_rng(1), np.array([1.0, 2.0]), np.ones(2), 0.0, 1.0, theta)
    >>> theta.shape
    (2,)
    """
    for j in range(y.shape[0]):
        v = 1.0 / (1.0 / variance[j] + 1.0 / tau2)
        out[j] = v * (y[j] / variance[j] + mu / tau2) + math.sqrt(v) * rng.standard_normal()
