"""Leave-one-out prediction of a GLM: importance sampling, with refits by the exact sampler where it fails."""

import numpy as np
from scipy.special import logsumexp

from glmbayes.fits.blocks import linear_predictor
from glmbayes.fits.criteria import LOO, pointwise_log_mean, score
from glmbayes.fits.loo import psis_loo

_TAIL = 0.7  # Pareto k above which importance weights are not to be trusted (Vehtari et al. 2024)


def glm_loo(fit, method):
    """See `GLMFit.loo`."""
    if method == "psis":
        return psis_loo(fit)
    if method == "exact":
        k, pointwise, refit = None, np.zeros(fit.design.n), np.flatnonzero(fit.used_rows)
    else:
        smoothed = psis_loo(fit)
        k, pointwise = smoothed.pareto_k, smoothed.pointwise.copy()
        refit = np.flatnonzero((k > _TAIL) & fit.used_rows)
    for i in refit:
        pointwise[i] = _without(fit, int(i))
    elpd, se = score(pointwise, fit.used_rows)
    p_loo = float(pointwise_log_mean(fit)[0][fit.used_rows].sum() - elpd)
    return LOO(elpd, se, p_loo, -2.0 * elpd, pointwise, "exact" if method == "exact" else "psis+refit", k)


def _without(fit, i):
    """log p(y_i | the other rows), from draws given the other rows."""
    d = fit.design
    weights = np.ones(d.n) if d.weights is None else d.weights.copy()
    weights[i] = 0.0
    coefficients, dispersion, _ = fit.posterior.reweighted(d, weights).draw(fit.n_draws, np.random.default_rng(i))
    row = slice(i, i + 1)
    eta = linear_predictor(coefficients, d.X, d.offset, row)
    w = None if d.weights is None else d.weights[row]
    values = fit.likelihood.log_lik(d.y[row], eta, dispersion[:, None], w)[:, 0]
    return float(logsumexp(values) - np.log(fit.n_draws))
