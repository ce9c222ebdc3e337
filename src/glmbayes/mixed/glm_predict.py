"""Predictions of a generalised linear mixed model, on the scale of the response or of the linear predictor."""

import numpy as np

from glmbayes.checks import float_array
from glmbayes.errors import InputError
from glmbayes.fits.blocks import observation_blocks
from glmbayes.mixed.groups import tails
from glmbayes.mixed.predict import linear_predictor, new_predictor
from glmbayes.random import generator


def predict(fit, newdata, kind, level, re, scale, weights, offset, rng):
    """See `GLMMixedFit.predict`."""
    mean = fit.likelihood.mean if scale == "response" else _same
    if newdata is None and re == "all" and kind == "mean" and offset is None:
        parts = [
            mean(linear_predictor(fit, rows)).mean(axis=0) for rows in observation_blocks(fit.design.n, fit.n_draws)
        ]
        return np.concatenate(parts)
    rng = generator(rng)
    eta, index, _ = new_predictor(fit, newdata, re, offset, rng)
    if kind == "mean":
        return mean(eta).mean(axis=0)
    if kind == "draws":
        return mean(eta)
    trials = _trials(fit, newdata, weights, eta.shape[1])
    if kind == "response":
        return fit.likelihood.sample(rng, eta, 1.0, trials)
    import pandas as pd

    low, high = tails(level)
    value = mean(eta)
    table = {"mean": value.mean(axis=0), "sd": value.std(axis=0, ddof=1)}
    table["lower"], table["upper"] = np.quantile(value, (low, high), axis=0)
    if scale == "response":
        new = fit.likelihood.sample(rng, eta, 1.0, trials)
        table["new_lower"], table["new_upper"] = np.quantile(new, (low, high), axis=0)
    return pd.DataFrame(table, index=index)


def _same(eta):
    return eta


def _trials(fit, newdata, weights, rows):
    """Numbers of trials of new observations."""
    if weights is None:
        return fit.design.fixed.weights if newdata is None else None
    weights = float_array(weights, "weights", 1)
    if weights.size not in (1, rows) or not (weights > 0).all():
        raise InputError(f"weights (numbers of trials) must be positive, one for each predicted row ({rows}) or one.")
    return weights
