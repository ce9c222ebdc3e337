"""Predictions, residuals and replicated data."""

from dataclasses import replace

import numpy as np

from glmbayes.checks import any_float_array, count, option, scalar
from glmbayes.errors import InputError
from glmbayes.fits import from_draws
from glmbayes.fits.blocks import linear_predictor, observation_blocks
from glmbayes.fits.from_draws import INTERVAL_COLUMNS
from glmbayes.fits.reference import typical_dispersion
from glmbayes.random import generator

KINDS = ("mean", "link", "draws", "response", "interval")


def predict(fit, newdata, kind, level, weights, offset, rng):
    """See `Fit.predict`."""
    option(kind, "kind", KINDS)
    x, shift, index = _rows(fit, newdata, offset)
    if kind in ("draws", "response"):
        likelihood, w = _weights(fit, newdata, weights, x.shape[0])
        return _draws(fit, likelihood, x, shift, w, kind, generator(rng))
    if kind == "interval":
        likelihood, w = _weights(fit, newdata, weights, x.shape[0])
        level = scalar(level, "level", above=0.0)
        if not level < 1.0:
            raise InputError(f"level must be less than 1; got {level:g}.")
        if not fit.closed_form:
            return from_draws.intervals(fit, likelihood, x, shift, w, level, index, generator(rng))
        return _intervals(fit, likelihood, x, shift, w, level, index)
    return fit.mean_response(x, shift) if kind == "mean" else fit.mean_predictor(x, shift)


def _rows(fit, newdata, offset):
    d = fit.design
    if newdata is None:
        if offset is not None:
            raise InputError("offset is for new data: the rows of the fit keep their own.")
        return d.X, d.offset, d.index
    if offset is not None:
        offset = any_float_array(offset, "offset")
    new = d.new(newdata, offset=offset)
    return new.X, new.offset, new.index


def _weights(fit, newdata, weights, m):
    """The likelihood of new responses and their weights: given ones are precisions, whatever those of the fit mean."""
    if weights is None:
        return fit.likelihood, fit.design.weights if newdata is None else None
    weights = any_float_array(weights, "weights").reshape(-1)
    if weights.shape[0] not in (1, m):
        raise InputError(f"weights must have one entry per predicted row ({m}); got {weights.shape[0]}.")
    if not (weights > 0).all():
        raise InputError("weights of predictions must be positive: the variance is dispersion / weight.")
    return replace(fit.likelihood, weights_type="precision"), np.broadcast_to(weights, (m,))


def _draws(fit, likelihood, x, shift, weights, kind, rng):
    n_draws, m = fit.n_draws, x.shape[0]
    out = np.empty((n_draws, m))
    phi = fit.draws.dispersion[:, None]
    for rows in observation_blocks(m, n_draws):
        eta = linear_predictor(fit.draws.coefficients, x, shift, rows)
        if kind == "draws":
            out[:, rows] = likelihood.mean(eta)
        else:
            out[:, rows] = likelihood.sample(rng, eta, phi, None if weights is None else weights[rows])
    return out


def _intervals(fit, likelihood, x, shift, weights, level, index):
    """Mean, sd and equal-tailed intervals of the expected response and of new observations, by quadrature."""
    import pandas as pd

    m = x.shape[0]
    tails = (0.5 * (1.0 - level), 0.5 * (1.0 + level))
    columns = np.full((m, 7), np.nan)
    good = np.flatnonzero(~np.isnan(x).any(axis=1))
    unit = np.broadcast_to(likelihood.unit_variance(weights), (m,))
    for piece in observation_blocks(good.size, 2048):
        at = good[piece]
        mixture = fit.conditional(np.ascontiguousarray(x[at]))
        base = 0.0 if shift is None else shift[at]
        mean, sd = mixture.location()
        new = mixture.with_noise(unit[at])
        columns[at, 0] = mean + base
        columns[at, 1] = sd
        columns[at, 2], columns[at, 3] = (mixture.quantile(q) + base for q in tails)
        columns[at, 4] = new.location()[1]
        columns[at, 5], columns[at, 6] = (new.quantile(q) + base for q in tails)
    return pd.DataFrame(columns, columns=INTERVAL_COLUMNS, index=index)


def simulate(fit, nsim, rng, only=None):
    """See `Fit.simulate`; `only` picks rows by position."""
    nsim, rng = count(nsim, "nsim"), generator(rng)
    d = fit.design
    only = np.arange(d.X.shape[0]) if only is None else only
    pick = rng.integers(fit.n_draws, size=nsim)
    phi = fit.draws.dispersion[pick][:, None]
    out = np.empty((nsim, only.size))
    for piece in observation_blocks(only.size, nsim):
        rows = only[piece]
        eta = linear_predictor(fit.draws.coefficients[pick], d.X, d.offset, rows)
        out[:, piece] = fit.likelihood.sample(rng, eta, phi, None if d.weights is None else d.weights[rows])
    return out


def residuals(fit, kind):
    """See `Fit.residuals`."""
    option(kind, "kind", ("response", "pearson", "deviance"))
    d = fit.design
    raw = d.y - fit.fitted()
    if kind == "pearson":
        precisions = d.weights is not None and fit.likelihood.weights_type == "precision"
        return (raw * np.sqrt(d.weights) if precisions else raw) / np.sqrt(typical_dispersion(fit))
    return raw if kind == "response" or d.weights is None else raw * np.sqrt(d.weights)
