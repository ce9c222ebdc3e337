"""Leave-one-out prediction: exact for Gaussian models, Pareto-smoothed importance sampling otherwise."""

import numpy as np
from scipy.special import logsumexp

from glmbayes.errors import MissingDependencyError
from glmbayes.fits.blocks import observation_blocks
from glmbayes.fits.criteria import LOO, pointwise_log_mean, score
from glmbayes.posteriors.moments import LOG_2PI


def exact_loo(fit):
    """log p(y_i | y without i), without refitting and without Monte Carlo error.

    Given the precision u everything is normal: with h_i = u w_i Var(eta_i | u) and e_i the residual,

        log p(y_i | rest, u) = c_i/2 (log u - log 2 pi) + 1/2 log(1 - h_i) - u w_i e_i^2 / (2 (1 - h_i)) + b_i,

    c_i = w_i and b_i = 0 for frequency weights, c_i = 1 and b_i = log(w_i) / 2 for precision weights.  Over u,
    p(u | rest) is proportional to p(u | y) / p(y_i | rest, u), so p(y_i | rest) is one over the posterior expectation
    of 1 / p(y_i | rest, u).
    """
    return _assemble(fit, _row_scores(fit, -1.0), "exact", None)


def log_predictive(fit):
    """log p(y_i | y), the posterior mean of each observation's likelihood, without Monte Carlo error."""
    return _row_scores(fit, 1.0)


def _row_scores(fit, side):
    """Log predictive density of each row, with it (side = 1) or without it (side = -1) in the posterior."""
    d = fit.design
    y = d.y if d.offset is None else d.y - d.offset
    n = y.shape[0]
    w = np.ones(n) if d.weights is None else d.weights
    frequency = fit.likelihood.weights_type == "frequency"
    count = w if frequency else (w > 0).astype(float)
    out = np.empty(n)
    n_nodes = fit.posterior.conditional(d.X[:1]).weight.shape[0]
    for rows in observation_blocks(n, 4 * n_nodes):
        mixture = fit.posterior.conditional(d.X[rows])
        t = mixture.t[:, None]
        u = np.exp(t)
        spread = np.maximum(1.0 + side * u * w[rows] * mixture.var, 1e-300)
        value = 0.5 * count[rows] * (t - LOG_2PI) - 0.5 * side * np.log(spread)
        value -= 0.5 * u * w[rows] * (y[rows] - mixture.mean) ** 2 / spread
        with np.errstate(divide="ignore"):
            out[rows] = side * logsumexp(np.log(mixture.weight)[:, None] + side * value, axis=0)
    if not frequency:
        out += 0.5 * np.log(np.where(w > 0, w, 1.0))
    return out


def psislw():
    """ArviZ's Pareto smoothing, whichever generation is installed: function(log_weights, reff=...)."""
    try:
        from arviz.stats import psislw as smooth
    except ImportError:
        try:
            from arviz_stats.base import array_stats
        except ImportError:
            raise MissingDependencyError("loo(method='psis') needs ArviZ: pip install 'glmbayes[arviz]'.") from None

        def smooth(log_weights, reff):
            return array_stats.psislw(log_weights, r_eff=reff)

    return smooth


def psis_loo(fit):
    """PSIS-LOO from the draws, through ArviZ."""
    smooth = psislw()
    n_draws = fit.draws.coefficients.shape[0]
    n = fit.design.X.shape[0]
    pointwise, k = np.empty(n), np.empty(n)
    for rows in observation_blocks(n, 4 * n_draws):
        values = fit.log_lik_rows(rows)
        log_weights, shape = smooth(-values.T, reff=1.0)
        log_weights = np.asarray(log_weights)
        pointwise[rows] = logsumexp(values.T + log_weights, axis=1) - logsumexp(log_weights, axis=1)
        k[rows] = np.asarray(shape)
    return _assemble(fit, pointwise, "psis", k)


def _assemble(fit, pointwise, method, k):
    elpd, se = score(pointwise, fit.used_rows)
    log_mean, _ = pointwise_log_mean(fit) if method == "psis" else (log_predictive(fit), None)
    p_loo = float(log_mean[fit.used_rows].sum() - elpd)
    return LOO(elpd, se, p_loo, -2.0 * elpd, pointwise, method, k)
