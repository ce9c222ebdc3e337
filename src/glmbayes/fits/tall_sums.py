"""Sums over draws x observations of a GLM, from fewer draws where the data are tall."""

import numpy as np

from glmbayes.fits.blocks import linear_predictor, observation_blocks
from glmbayes.kernels import glm_rows

_TERMS = 50_000_000  # draws x observations up to which every draw is used
_FEWEST = 30


def draws_used(fit):
    """How many draws are evaluated on all the rows."""
    return min(fit.n_draws, max(_FEWEST, _TERMS // fit.design.n))


def expected_deviance(fit):
    """Mean of -2 log-likelihood over all draws.

    With more draws than `draws_used`, those evaluate what a quadratic at the posterior mean leaves over; the mean of
    the quadratic itself is that of all draws.
    """
    used = draws_used(fit)
    total = -2.0 * log_likelihoods(fit, used)
    if used == fit.n_draws:
        return float(total.mean())
    shift = fit.draws.coefficients - fit.moments.mean
    gradient, information = _quadratic(fit)
    quadratic = shift @ gradient + np.einsum("ij,jk,ik->i", shift, information, shift)
    return float((total - quadratic[:used]).mean() + quadratic.mean())


def log_likelihoods(fit, used):
    """(used,) log-likelihood of all the data at the first draws."""
    d, family = fit.design, fit.family
    coefficients = np.ascontiguousarray(fit.draws.coefficients[:used])
    dispersion = fit.draws.dispersion[:used]
    weights = np.ones(d.n) if d.weights is None else d.weights
    offset = np.zeros(d.n) if d.offset is None else d.offset
    total = np.zeros(used)
    for rows in observation_blocks(d.n, used):
        glm_rows.add_log_likelihoods(
            family.kernel, d.X[rows], d.y[rows], weights[rows], offset[rows], coefficients, total
        )
    kept = weights > 0.0
    values, which = np.unique(dispersion, return_inverse=True)
    constants = np.array([family.log_constant(d.y[kept], weights[kept], value) for value in values])
    return total / dispersion + constants[which]


def _quadratic(fit):
    """Gradient of the deviance and X'WX (half its second derivative, expected) at the posterior mean."""
    d, family = fit.design, fit.family
    eta = fit.linear_predictor
    mu, slope = family.linkinv(eta), family.mu_eta(eta)
    weights = np.ones(d.n) if d.weights is None else d.weights
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = slope / family.variance(mu)
    ratio = weights / fit.moments.dispersion_mean * np.where(np.isfinite(ratio), ratio, 0.0)
    return -2.0 * d.X.T @ (ratio * (d.y - mu)), d.X.T @ ((ratio * slope)[:, None] * d.X)


def bayes_r2(fit):
    """See `GLMFit.bayes_r2`."""
    d = fit.design
    used = draws_used(fit)
    weights = np.ones(d.n) if d.weights is None else d.weights
    total = square = noise = 0.0
    centre = float(fit.fitted().mean())
    for rows in observation_blocks(d.n, used):
        mu = fit.likelihood.mean(linear_predictor(fit.draws.coefficients[:used], d.X, d.offset, rows))
        total = total + (mu - centre).sum(axis=1)
        square = square + ((mu - centre) ** 2).sum(axis=1)
        w = np.where(weights[rows] > 0, weights[rows], 1.0) if fit.family.scales_with_weights else 1.0
        noise = noise + (fit.family.variance(mu) / w).sum(axis=1)
    explained = (square - total**2 / d.n) / max(d.n - 1, 1)
    return explained / (explained + fit.draws.dispersion[:used] * noise / d.n)
