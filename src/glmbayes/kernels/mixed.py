"""Sweeps of Hoff's Gibbs samplers for linear mixed models, and the faster one that draws beta with the effects.

y_j = X_j beta + Z_j a_j + e_j,  a_j ~ N(0, Psi),  e ~ N(0, sigma2);  beta ~ N(beta_0, V_0),
Psi^-1 ~ Wishart(eta_0, Psi_0^-1),  1/sigma2 ~ Gamma(nu_0/2, nu_0 sigma2_0/2).

A sweep takes the data as reduced by `GroupedDesign`, updates beta, effects and Psi in place and returns the state
with the new sigma2.  A matrix that is not positive definite turns the state into NaN.
"""

import math
from typing import NamedTuple

import numpy as np

from glmbayes.kernels.gamma import draw_gamma
from glmbayes.kernels.group_effects import draw_all_effects, draw_from_precision
from glmbayes.kernels.grouped import within_errors
from glmbayes.kernels.jit import jit
from glmbayes.kernels.linalg import cholesky
from glmbayes.kernels.wishart import inverse_wishart_root, multiply_root


class MixedPrior(NamedTuple):
    """Conjugate blocks of the priors.

    Attributes
    ----------
    beta_mean : (p,) array
    beta_precision : (p, p) array
        Inverse of the prior covariance; zeros for flat coefficients.
    eta_0 : float
    Psi_0 : (q, q) array
    nu_0, sigma2_0 : float
    """

    beta_mean: np.ndarray
    beta_precision: np.ndarray
    eta_0: float
    Psi_0: np.ndarray
    nu_0: float
    sigma2_0: float


class MixedState(NamedTuple):
    """State of the samplers: beta (p,), effects (m, q), sigma2, Psi (q, q)."""

    beta: np.ndarray
    effects: np.ndarray
    sigma2: float
    Psi: np.ndarray


@jit
def prior_terms(prior, precision, linear):
    """Start the precision matrix and linear term of beta's conditional from its prior."""
    p = linear.shape[0]
    for i in range(p):
        linear[i] = 0.0
        for k in range(p):
            precision[i, k] = prior.beta_precision[i, k]
            linear[i] += prior.beta_precision[i, k] * prior.beta_mean[k]


@jit
def draw_effects(rng, rz, e, root, sigma2, b, out):
    """Effects of one group given its residuals `e` (q,): out = L b, b ~ N(0, I) a priori.

    Returns the squared errors that remain.  The precision I + G'G / sigma2, G = Rz L, is at least I: no covariance
    is inverted, and standard deviations near 0 are harmless.
    """
    q = e.shape[0]
    g = np.empty((q, q))
    low = np.empty((q, q))
    for i in range(q):
        for k in range(q):
            s = 0.0
            for h in range(max(i, k), q):
                s += rz[i, h] * root[h, k]
            g[i, k] = s
    for i in range(q):
        for k in range(i + 1):
            s = 0.0
            for h in range(q):
                s += g[h, i] * g[h, k]
            low[i, k] = s / sigma2
        low[i, i] += 1.0
        s = 0.0
        for h in range(q):
            s += g[h, i] * e[h]
        b[i] = s / sigma2
    cholesky(low, low)
    for i in range(q):
        s = b[i]
        for k in range(i):
            s -= low[i, k] * b[k]
        b[i] = s / low[i, i]
    for i in range(q):
        b[i] += rng.standard_normal()
    for i in range(q - 1, -1, -1):
        s = b[i]
        for k in range(i + 1, q):
            s -= low[k, i] * b[k]
        b[i] = s / low[i, i]
    errors = 0.0
    for i in range(q):
        s = e[i]
        a = 0.0
        for k in range(q):
            s -= g[i, k] * b[k]
        for k in range(i + 1):
            a += root[i, k] * b[k]
        errors += s * s
        out[i] = a
    return errors


@jit
def residual(rx, ry, beta, out):
    """out = ry - Rx beta."""
    for i in range(out.shape[0]):
        s = ry[i]
        for k in range(beta.shape[0]):
            s -= rx[i, k] * beta[k]
        out[i] = s


@jit
def draw_covariance(rng, prior, effects, centre, Psi):
    """Psi given the effects around `centre`: inverse-Wishart(eta_0 + m, Psi_0 + sum of outer products), in place."""
    m, q = effects.shape
    scale = prior.Psi_0.copy()
    for j in range(m):
        for i in range(q):
            for k in range(i + 1):
                scale[i, k] += (effects[j, i] - centre[i]) * (effects[j, k] - centre[k])
    for i in range(q):
        for k in range(i):
            scale[k, i] = scale[i, k]
    root = np.empty((q, q))
    if inverse_wishart_root(rng, prior.eta_0 + m, scale, root):
        multiply_root(root, Psi)
    else:
        Psi[:] = math.nan


@jit
def draw_sigma2(rng, prior, n, errors):
    """Residual variance given the sum of squared errors of n observations."""
    return (0.5 * (prior.nu_0 * prior.sigma2_0 + errors)) / draw_gamma(rng, 0.5 * (prior.nu_0 + n))


@jit
def random_coefficients_sweep(rng, data, prior, state):
    """Hoff's sampler for coefficients b_j ~ N(beta, Psi) of each group: b, sigma2, beta, Psi in turn.

    The columns of Z carry all coefficients; `data` may have been built without X.

    Parameters
    ----------
    rng : numpy.random.Generator
    data : GroupedData
    prior : MixedPrior
    state : MixedState
        ``effects`` are the b_j.  Its arrays are overwritten.

    Returns
    -------
    MixedState
    """
    m, q = data.ry.shape
    p = data.rx.shape[2]
    root = np.empty((q, q))
    e = np.empty(q)
    b = np.empty(q)
    errors = 0.0
    for k in range(p + 1):  # what of y no group's Z reaches
        errors += data.within[k, p] * data.within[k, p]
    fine = cholesky(state.Psi, root)
    for j in range(m):
        for i in range(q):
            s = data.ry[j, i]
            for k in range(i, q):
                s -= data.rz[j, i, k] * state.beta[k]
            e[i] = s
        errors += draw_effects(rng, data.rz[j], e, root, state.sigma2, b, state.effects[j])
        for i in range(q):
            state.effects[j, i] += state.beta[i]
    sigma2 = draw_sigma2(rng, prior, data.n, errors)
    # beta given the b_j: precision V_0^-1 + m Psi^-1
    inverse = np.empty((q, q))
    for c in range(q):  # Psi^-1, column by column
        for i in range(q):
            s = 1.0 if i == c else 0.0
            for k in range(i):
                s -= root[i, k] * inverse[k, c]
            inverse[i, c] = s / root[i, i]
        for i in range(q - 1, -1, -1):
            s = inverse[i, c]
            for k in range(i + 1, q):
                s -= root[k, i] * inverse[k, c]
            inverse[i, c] = s / root[i, i]
    precision = np.empty((q, q))
    linear = np.empty(q)
    prior_terms(prior, precision, linear)
    for i in range(q):
        for k in range(q):
            total = 0.0
            for j in range(m):
                total += state.effects[j, k]
            linear[i] += inverse[i, k] * total
            precision[i, k] += m * inverse[i, k]
    fine = draw_from_precision(rng, precision, linear, state.beta) and fine
    draw_covariance(rng, prior, state.effects, state.beta, state.Psi)
    return MixedState(state.beta, state.effects, sigma2 if fine else math.nan, state.Psi)


@jit
def mixed_sweep(rng, data, prior, state):
    """Hoff's sampler for y_j = X_j beta + Z_j a_j + e_j in the lecture's order: a, sigma2, Psi, beta.

    Parameters
    ----------
    rng : numpy.random.Generator
    data : GroupedData
    prior : MixedPrior
    state : MixedState
        Its arrays are overwritten.

    Returns
    -------
    MixedState
    """
    m, q = data.ry.shape
    p = data.rx.shape[2]
    root = np.empty((q, q))
    e = np.empty(q)
    b = np.empty(q)
    fine = cholesky(state.Psi, root)
    errors = within_errors(data.within, state.beta)
    for j in range(m):
        residual(data.rx[j], data.ry[j], state.beta, e)
        errors += draw_effects(rng, data.rz[j], e, root, state.sigma2, b, state.effects[j])
    sigma2 = draw_sigma2(rng, prior, data.n, errors)
    draw_covariance(rng, prior, state.effects, np.zeros(q), state.Psi)
    precision = np.empty((p, p))
    linear = np.empty(p)
    gathered = np.zeros(p)
    for j in range(m):
        for i in range(q):
            s = data.ry[j, i]
            for k in range(i, q):
                s -= data.rz[j, i, k] * state.effects[j, k]
            for k in range(p):
                gathered[k] += data.rx[j, i, k] * s
    prior_terms(prior, precision, linear)
    for k in range(p):
        for i in range(k + 1):
            gathered[k] += data.within[i, k] * data.within[i, p]
        linear[k] += gathered[k] / sigma2
        for i in range(p):
            precision[k, i] += data.xtx[k, i] / sigma2
    fine = draw_from_precision(rng, precision, linear, state.beta) and fine
    return MixedState(state.beta, state.effects, sigma2 if fine else math.nan, state.Psi)


@jit
def mixed_joint_sweep(rng, data, prior, state):
    """The same posterior with beta and the effects drawn together given Psi and sigma2, then sigma2 and Psi.

    beta comes from its conditional with the effects integrated out, the effects from theirs given beta: fixed effects
    are nearly independent from sweep to sweep.

    Parameters
    ----------
    rng : numpy.random.Generator
    data : GroupedData
    prior : MixedPrior
    state : MixedState
        Its arrays are overwritten.

    Returns
    -------
    MixedState
    """
    m, q = data.ry.shape
    p = data.rx.shape[2]
    root = np.empty((q, q))
    precision = np.empty((p, p))
    linear = np.empty(p)
    prior_terms(prior, precision, linear)
    fine = cholesky(state.Psi, root)
    sigma2 = state.sigma2
    for k in range(p):
        for h in range(k + 1):
            linear[k] += data.within[h, k] * data.within[h, p] / sigma2
            for i in range(p):
                precision[k, i] += data.within[h, k] * data.within[h, i] / sigma2
    fine = (
        draw_all_effects(rng, precision, linear, data.rz, data.rx, data.ry, root, sigma2, state.beta, state.effects)
        and fine
    )
    errors = within_errors(data.within, state.beta)
    e = np.empty(q)
    for j in range(m):
        residual(data.rx[j], data.ry[j], state.beta, e)
        for i in range(q):
            s = e[i]
            for k in range(i, q):
                s -= data.rz[j, i, k] * state.effects[j, k]
            errors += s * s
    sigma2 = draw_sigma2(rng, prior, data.n, errors)
    draw_covariance(rng, prior, state.effects, np.zeros(q), state.Psi)
    return MixedState(state.beta, state.effects, sigma2 if fine else math.nan, state.Psi)
