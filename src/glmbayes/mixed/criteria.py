"""Information criteria and export of a mixed model, all conditional on the group effects."""

import numpy as np
from scipy.special import logsumexp

from glmbayes.errors import InputError
from glmbayes.fits.blocks import observation_blocks
from glmbayes.fits.criteria import DIC, LOO, WAIC, score
from glmbayes.fits.export import arviz_from_dict
from glmbayes.fits.loo import psislw
from glmbayes.mixed.predict import mean_predictor
from glmbayes.posteriors.moments import sample_sd

_LIMIT = 20_000_000


def _weights(fit, rows):
    """Weights that the likelihood still needs: none with known standard deviations, which hold them already."""
    weights = fit.design.fixed.weights
    return None if weights is None or fit.se is not None else weights[rows]


def log_lik_rows(fit, rows):
    """See `MixedFit.log_lik_rows`."""
    dispersion = fit.row_dispersion(rows, fit.draws.sigma2[:, None])
    return fit.likelihood.log_lik(fit.design.y[rows], fit.eta_rows(rows), dispersion, _weights(fit, rows))


def dic(fit):
    """See `MixedFit.dic`."""
    expected = np.mean(-2.0 * sum(log_lik_rows(fit, r).sum(axis=1) for r in _blocks(fit)))
    sigma2 = fit.draws.sigma2.mean()
    if not np.isfinite(sigma2):
        raise InputError("DIC needs the posterior mean of the residual variance, which is infinite here.")
    every = slice(None)
    value = fit.likelihood.log_lik(
        fit.design.y, mean_predictor(fit), fit.row_dispersion(every, sigma2), _weights(fit, every)
    )
    at_mean = -2.0 * value.sum()
    return DIC(float(2.0 * expected - at_mean), float(expected - at_mean), float(expected), float(at_mean))


def _blocks(fit):
    return observation_blocks(fit.design.n, fit.n_draws)


def _log_mean(fit):
    log_mean, variance = np.empty(fit.design.n), np.empty(fit.design.n)
    for rows in _blocks(fit):
        values = log_lik_rows(fit, rows)
        log_mean[rows] = logsumexp(values, axis=0) - np.log(fit.n_draws)
        variance[rows] = sample_sd(values) ** 2
    return log_mean, variance


def waic(fit):
    """See `MixedFit.waic`."""
    log_mean, variance = _log_mean(fit)
    pointwise = log_mean - variance
    elpd, se = score(pointwise, fit.used_rows)
    return WAIC(elpd, se, float(variance.sum()), -2.0 * elpd, pointwise)


def loo(fit):
    """See `MixedFit.loo`."""
    smooth = psislw()
    pointwise, k = np.empty(fit.design.n), np.empty(fit.design.n)
    for rows in observation_blocks(fit.design.n, 4 * fit.n_draws):
        values = log_lik_rows(fit, rows)
        log_weights, shape = smooth(-values.T, reff=1.0)
        log_weights = np.asarray(log_weights)
        pointwise[rows] = logsumexp(values.T + log_weights, axis=1) - logsumexp(log_weights, axis=1)
        k[rows] = np.asarray(shape)
    elpd, se = score(pointwise, fit.used_rows)
    return LOO(elpd, se, float(_log_mean(fit)[0].sum() - elpd), -2.0 * elpd, pointwise, "psis", k)


def to_arviz(fit):
    """See `MixedFit.to_arviz`."""
    by_chain = fit._by_chain
    posterior = {}
    coords, dims = {"observation": np.arange(fit.design.n)}, {"y": ["observation"]}
    if fit.names:
        posterior["beta"] = by_chain(fit.draws.beta)
        coords["coefficient"], dims["beta"] = list(fit.names), ["coefficient"]
    if fit.has_residual:
        posterior["sigma"] = by_chain(fit.sigma)
    for term, covariance, effects in zip(fit.design.terms, fit.draws.covariance, fit.draws.effects):
        coords |= {f"{term.label}_effect": list(term.names), f"{term.label}_other": list(term.names)}
        coords[f"{term.label}_group"] = list(term.factor.labels)
        posterior[f"covariance_{term.label}"] = by_chain(covariance)
        dims[f"covariance_{term.label}"] = [f"{term.label}_effect", f"{term.label}_other"]
        posterior[f"effects_{term.label}"] = by_chain(effects)
        dims[f"effects_{term.label}"] = [f"{term.label}_group", f"{term.label}_effect"]
    groups = {"posterior": posterior, "observed_data": {"y": fit.design.y}}
    if fit.n_draws * fit.design.n <= _LIMIT:
        groups["log_likelihood"] = {"y": by_chain(fit.log_lik())}
    return arviz_from_dict()(groups, coords, dims)
