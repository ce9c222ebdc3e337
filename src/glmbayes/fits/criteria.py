"""Deviance, DIC, WAIC, R-squared, and comparisons of fitted models by them and by their evidence."""

import math
import warnings
from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp

from glmbayes.errors import InputError
from glmbayes.fits.blocks import linear_predictor, observation_blocks


class DIC(NamedTuple):
    """Deviance information criterion (Spiegelhalter et al. 2002).

    Attributes
    ----------
    dic : expected deviance plus effective number of parameters
    p_d : effective number of parameters
    expected : posterior expectation of the deviance -2 log-likelihood
    at_mean : the deviance at the posterior means of coefficients and dispersion
    """

    dic: float
    p_d: float
    expected: float
    at_mean: float

    def __repr__(self):
        return f"DIC {self.dic:.5g} (expected deviance {self.expected:.5g}, pD {self.p_d:.4g})"


class WAIC(NamedTuple):
    """Widely applicable information criterion (Watanabe 2010), on the log score (elpd) and deviance scales."""

    elpd: float
    se: float
    p_waic: float
    waic: float
    pointwise: np.ndarray

    def __repr__(self):
        return f"WAIC {self.waic:.5g}: elpd {self.elpd:.5g} (se {self.se:.3g}), p_waic {self.p_waic:.4g}"


class LOO(NamedTuple):
    """Leave-one-out predictive log score (Vehtari, Gelman & Gabry 2017).

    Attributes
    ----------
    elpd, se : sum of the pointwise log densities and its standard error
    p_loo : log score of the fit minus elpd
    looic : -2 elpd
    pointwise : (n,) log p(y_i | the other observations)
    method : "exact" or "psis"
    pareto_k : (n,) shape of the importance weights' tail (psis only)
    """

    elpd: float
    se: float
    p_loo: float
    looic: float
    pointwise: np.ndarray
    method: str
    pareto_k: np.ndarray | None = None

    def __repr__(self):
        text = f"LOO, {self.method}: elpd {self.elpd:.5g} (se {self.se:.3g}), p_loo {self.p_loo:.4g}"
        return text if self.pareto_k is None else f"{text}, largest Pareto k {self.pareto_k.max():.2g}"


def score(pointwise, weights_positive):
    """Sum and standard error of a pointwise log score."""
    used = pointwise[weights_positive]
    return float(used.sum()), float(math.sqrt(used.size * used.var()))


def dic(fit):
    """DIC with D(theta) = -2 log-likelihood at the posterior means of beta and of the dispersion."""
    moments = fit.moments
    if not math.isfinite(moments.dispersion_mean):
        raise InputError(
            "DIC needs the posterior mean of the dispersion, which is infinite here: use waic() or loo(), or a prior "
            "with lighter tails on the dispersion."
        )
    at_mean = -2.0 * fit.log_lik_at(moments.mean, moments.dispersion_mean).sum()
    expected = fit.expected_deviance()
    return DIC(float(2.0 * expected - at_mean), float(expected - at_mean), float(expected), float(at_mean))


def pointwise_log_mean(fit):
    """Per observation: log of the mean likelihood over draws, and the variance of the log-likelihood."""
    n_draws = fit.draws.coefficients.shape[0]
    n = fit.design.X.shape[0]
    log_mean, variance = np.empty(n), np.empty(n)
    for rows in observation_blocks(n, n_draws):
        values = fit.log_lik_rows(rows)
        log_mean[rows] = logsumexp(values, axis=0) - math.log(n_draws)
        variance[rows] = values.var(axis=0, ddof=1) if n_draws > 1 else np.nan
    return log_mean, variance


def waic(fit):
    """WAIC from the draws."""
    log_mean, variance = pointwise_log_mean(fit)
    pointwise = log_mean - variance
    elpd, se = score(pointwise, fit.used_rows)
    p = float(variance[fit.used_rows].sum())
    return WAIC(elpd, se, p, -2.0 * elpd, pointwise)


def bayes_r2(fit):
    """Draws of Bayesian R-squared: variance of the fit over itself plus the residual variance (Gelman et al. 2019).

    The variance of the fit is that of the rows, weighted, over n_w - 1 (what the weights count as, less one): rows with
    a frequency weight are as good as written out, and precision weights set the units of the dispersion as in ``lm``.
    """
    w = fit.design.weights
    count = fit.nobs if w is None or fit.likelihood.weights_type == "precision" else w.sum()
    if not count > 1:
        return np.full(fit.n_draws, np.nan)
    explained = _explained(fit) / (count - 1)
    return explained / (explained + fit.draws.dispersion)


def _explained(fit):
    """(n_draws,) weighted sums of squares of the fit about its weighted mean."""
    d = fit.design
    n = d.X.shape[0]
    root = np.ones(n) if d.weights is None else np.sqrt(d.weights)
    coefficients = fit.draws.coefficients
    if fit.likelihood.link == "identity":  # a triangle does for all draws; its first column takes out the mean
        offset = np.zeros(n) if d.offset is None else d.offset
        held = np.empty((0, d.X.shape[1] + 2))
        for rows in observation_blocks(n, 4 * held.shape[1]):
            block = np.column_stack([np.ones(root[rows].size), d.X[rows], offset[rows]]) * root[rows, None]
            held = np.linalg.qr(np.vstack([held, block]), mode="r")
        return ((coefficients @ held[1:, 1:-1].T + held[1:, -1]) ** 2).sum(axis=1)
    mean = square = 0.0
    share = root**2 / (root @ root)
    blocks = list(observation_blocks(n, coefficients.shape[0]))
    for rows in blocks:
        mean = mean + fit.likelihood.mean(linear_predictor(coefficients, d.X, d.offset, rows)) @ share[rows]
    for rows in blocks:
        mu = fit.likelihood.mean(linear_predictor(coefficients, d.X, d.offset, rows))
        square = square + (mu - mean[:, None]) ** 2 @ root[rows] ** 2
    return square


def compare(*fits, names=None):
    """Compare fitted models of the same response: evidence, posterior model probabilities, exact LOO and DIC.

    Parameters
    ----------
    *fits : two or more fitted models
    names : list of str, optional
        Row labels; the formulas otherwise.

    Returns
    -------
    pandas.DataFrame
        One row per model, best LOO first: ``elpd_loo``, ``elpd_diff`` and ``se_diff`` against the best,
        ``log_evidence``, ``probability`` (equal prior probabilities; see `Fit.bayes_factor` for priors that were built
        from the data), ``dic``, ``p_d``.

    Examples
    --------
    >>> from glmbayes import compare, datasets, lmb
    >>> mtcars = datasets.load("mtcars")
    >>> table = compare(lmb("mpg ~ wt", mtcars), lmb("mpg ~ wt + hp", mtcars), lmb("mpg ~ 1", mtcars))
    >>> table["elpd_loo"].round(1).to_dict()
    {'mpg ~ wt + hp': -79.0, 'mpg ~ wt': -83.5, 'mpg ~ 1': -104.4}
    """
    import pandas as pd

    if len(fits) < 2:
        raise InputError("compare needs at least two fitted models.")
    for fit in fits:
        if not hasattr(fit, "design"):
            raise InputError(f"compare takes fitted models of one response each; got {type(fit).__name__}.")
    first = fits[0].design.y
    for fit in fits[1:]:
        if fit.design.y.shape != first.shape or not np.array_equal(fit.design.y, first):
            raise InputError("compare needs models of the same response and the same rows (check missing values).")
    labels = list(names) if names is not None else [fit.formula for fit in fits]
    loos = [fit.loo() for fit in fits]
    best = max(range(len(fits)), key=lambda i: loos[i].elpd)
    evidence = []
    for fit in fits:
        try:
            evidence.append(fit.log_marginal_likelihood())
        except InputError:
            evidence.append(math.nan)
    evidence = np.array(evidence)
    probability = np.exp(evidence - logsumexp(evidence)) if np.isfinite(evidence).all() else np.nan
    dics = [_dic_or_nan(fit) for fit in fits]
    used = fits[0].used_rows
    differences = [(loo.pointwise - loos[best].pointwise)[used] for loo in loos]
    table = pd.DataFrame(
        {
            "elpd_loo": [loo.elpd for loo in loos],
            "elpd_diff": [d.sum() for d in differences],
            "se_diff": [math.sqrt(d.size * d.var()) for d in differences],
            "log_evidence": evidence,
            "probability": probability,
            "dic": [d[0] for d in dics],
            "p_d": [d[1] for d in dics],
        },
        index=labels,
    )
    return table.sort_values("elpd_loo", ascending=False)


def _dic_or_nan(fit):
    try:
        return dic(fit)
    except InputError:
        return (math.nan, math.nan)


class BayesFactor(NamedTuple):
    """Evidence for one model against another."""

    bayes_factor: float
    log_bayes_factor: float

    def __repr__(self):
        return f"Bayes factor {self.bayes_factor:.4g} (log {self.log_bayes_factor:.4g})"


def bayes_factor(fit, other):
    """Ratio of marginal likelihoods; warns when a prior was built from the data."""
    if not np.array_equal(fit.design.y, other.design.y):
        raise InputError("a Bayes factor needs two models of the same response and the same rows.")
    if fit.setup is not None or other.setup is not None:
        warnings.warn(
            "a prior was built from the data by Prior_Setup: the Bayes factor uses the data twice and favours that "
            "model's prior location. State priors independently of the data for a strict comparison.",
            UserWarning,
            stacklevel=3,
        )
    log_factor = fit.log_marginal_likelihood() - other.log_marginal_likelihood()
    return BayesFactor(math.exp(min(log_factor, 700.0)), log_factor)
