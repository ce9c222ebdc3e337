"""Predictions of a mixed model: known groups, new groups, and the population."""

import numpy as np

from glmbayes.checks import count, float_array
from glmbayes.errors import InputError
from glmbayes.fits.blocks import observation_blocks
from glmbayes.mixed.design import new_table
from glmbayes.mixed.groups import tails
from glmbayes.posteriors.moments import sample_sd
from glmbayes.random import generator


def linear_predictor(fit, rows):
    """(n_draws, rows) of the fit's own rows, group effects included."""
    design, draws = fit.design, fit.draws
    eta = draws.beta @ design.fixed.X[rows].T
    for term, effects in zip(design.terms, draws.effects):
        codes = term.factor.codes[rows]
        for i in range(term.q):
            eta += effects[:, codes, i] * term.Z[rows, i]
    return eta if design.fixed.offset is None else eta + design.fixed.offset[rows]


def predict(fit, newdata, kind, level, re, se, offset, rng):
    """See `MixedFit.predict`."""
    if newdata is None and re == "all" and kind == "mean":
        return mean_predictor(fit)
    rng = generator(rng)
    eta, index, own_se = new_predictor(fit, newdata, re, offset, rng)
    if kind == "mean":
        return eta.mean(axis=0)
    if kind == "draws":
        return eta
    noise_sd = _noise(fit, se, own_se, eta.shape[1], needed=kind == "response")
    response = (
        None
        if noise_sd is None
        else eta + np.sqrt(fit.draws.sigma2)[:, None] * noise_sd * rng.standard_normal(eta.shape)
    )
    if kind == "response":
        return response
    import pandas as pd

    low, high = tails(level)
    table = {"mean": eta.mean(axis=0), "sd": sample_sd(eta)}
    table["lower"], table["upper"] = np.quantile(eta, (low, high), axis=0)
    if response is not None:
        table["new_lower"], table["new_upper"] = np.quantile(response, (low, high), axis=0)
    return pd.DataFrame(table, index=index)


def mean_predictor(fit):
    """Posterior means of the linear predictors of the fit's own rows: those of its parts suffice."""
    design, draws = fit.design, fit.draws
    eta = design.fixed.X @ draws.beta.mean(axis=0)
    for term, effects in zip(design.terms, draws.effects):
        eta += np.einsum("ik,ik->i", term.Z, effects.mean(axis=0)[term.factor.codes])
    return eta if design.fixed.offset is None else eta + design.fixed.offset


def new_predictor(fit, newdata, re, offset, rng):
    """Draws of the linear predictor (n_draws, rows), the rows' index, and their own standard deviations if known."""
    design, draws = fit.design, fit.draws
    if newdata is None:
        if offset is not None:
            raise InputError("offset is for new data: the rows of the fit keep their own.")
        if re == "all":
            return linear_predictor(fit, slice(None)), design.fixed.index, fit.se
        eta = draws.beta @ design.fixed.X.T
        return (eta if design.fixed.offset is None else eta + design.fixed.offset), design.fixed.index, fit.se
    if offset is not None:
        offset = float_array(offset, "offset", 1)
    new = design.fixed.new(newdata, offset=offset)
    rows = new.X.shape[0]
    eta = draws.beta @ new.X.T
    if new.offset is not None:
        eta += new.offset
    if re == "all":
        table = new_table(newdata)
        coded = {name: factor.code_new(table) for name, factor in design.factors.items()}
        for term, covariance, effects in zip(design.terms, draws.covariance, draws.effects):
            codes, unseen = coded[term.factor.name]
            codes = np.broadcast_to(codes, (rows,)) if codes.size == 1 else codes
            values = effects
            if unseen:  # one draw of the effects per new group and posterior draw, shared by its rows
                root = _roots(covariance)
                z = rng.standard_normal((draws.n, len(unseen), term.q))
                values = np.concatenate([effects, np.einsum("nik,nuk->nui", root, z)], axis=1)
                codes = np.where(codes <= -2, term.m - 2 - codes, codes)
            Z = term.design.new(newdata).X[:, term.columns]
            for i in range(term.q):
                eta += np.where(codes >= 0, values[:, np.maximum(codes, 0), i], np.nan) * Z[:, i]
    return eta, new.index, None


def _roots(covariance):
    """Cholesky factors; a covariance that is singular to rounding gets its symmetric root."""
    try:
        return np.linalg.cholesky(covariance)
    except np.linalg.LinAlgError:
        value, vector = np.linalg.eigh(covariance)
        return vector * np.sqrt(np.maximum(value, 0.0))[:, None, :]


def _noise(fit, se, own_se, rows, needed):
    """Standard deviations of new observations relative to the residual one, or None when unknown and not needed."""
    if fit.se is None:
        if se is not None:
            raise InputError("se is for models that were fitted with known standard deviations.")
        return 1.0
    if se is None:
        if own_se is None and needed:
            raise InputError("new observations need se=: the fit had a known standard deviation for every row.")
        return own_se
    se = float_array(se, "se", 1)
    if se.size not in (1, rows) or not (se > 0).all():
        raise InputError(f"se must be positive, one for each predicted row ({rows}) or a single one.")
    return se


def simulate(fit, nsim, rng):
    """See `MixedFit.simulate`."""
    nsim, rng = count(nsim, "nsim"), generator(rng)
    pick = rng.integers(fit.n_draws, size=nsim)
    out = np.empty((nsim, fit.design.n))
    weights = fit.design.fixed.weights
    for rows in observation_blocks(fit.design.n, fit.n_draws):
        eta = linear_predictor(fit, rows)[pick]
        dispersion = fit.row_dispersion(rows, fit.draws.sigma2[pick][:, None])
        out[:, rows] = fit.likelihood.sample(rng, eta, dispersion, None if weights is None else weights[rows])
    return out
