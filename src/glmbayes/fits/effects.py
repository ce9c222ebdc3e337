"""GLM fits: effects on the response scale, and the models a fit is compared with."""

from dataclasses import replace

import numpy as np

from glmbayes.errors import InputError
from glmbayes.fits.blocks import linear_predictor, observation_blocks
from glmbayes.posteriors.moments import sample_sd

_STEP = 1e-4  # of a column's range, for derivatives by central differences


def data_columns(fit, data=None):
    """The columns of data behind the formula, on the rows of the fit: dict of arrays."""
    d = fit.design
    data = fit.arguments.get("data") if data is None else data
    argument = d.recipe.offset_argument
    names = dict.fromkeys([*d.columns, *(v.meaning for v in getattr(argument, "variables", ()))])
    if data is None:
        raise InputError(
            "marginal effects need the data of the fit, which it does not hold (names came from the caller's scope, or "
            "the fit was unpickled): give data=."
        )
    columns = {name: np.asarray(data[name]) for name in names}
    return columns if d.rows is None else {name: values[d.rows] for name, values in columns.items()}


def marginal_effects(fit, at, columns, level, data):
    """See `GLMFit.marginal_effects`."""
    import pandas as pd

    if not 0.0 < level < 1.0:
        raise InputError(f"level must be between 0 and 1; got {level!r}.")
    known = fit.design.columns
    if not known:
        raise InputError("the model has no columns of data: there are no effects.")
    chosen = list(known) if columns is None else [columns] if isinstance(columns, str) else list(columns)
    for name in [*chosen, *(at or {})]:
        if name not in known:
            raise InputError(f"{name!r} is not a column of the model; it has {sorted(known)}.")
    base = data_columns(fit, data)
    n, offset = fit.design.n, _offset_array(fit, base)
    base.update({name: _repeat(value, n) for name, value in (at or {}).items()})
    rows, labels = [], []
    for name in chosen:
        for label, upper, lower, scale in _changes(name, known[name], base, _made_factor(fit, name)):
            high, low = (_average_mean(fit, {**base, name: value}, offset) for value in (upper, lower))
            rows.append((high - low) / scale)
            labels.append(label)
    if not rows:
        raise InputError("the model has no column whose effect could be shown: only an intercept.")
    draws = np.array(rows).T
    tails = np.quantile(draws, (0.5 * (1.0 - level), 0.5 * (1.0 + level)), axis=0)
    values = {
        "mean": draws.mean(axis=0),
        "sd": sample_sd(draws),
        "lower": tails[0],
        "upper": tails[1],
        "p_positive": (draws > 0).mean(axis=0),
    }
    return pd.DataFrame(values, index=labels)


def _repeat(value, n):
    return np.repeat(np.asarray([value]), n) if np.ndim(value) == 0 else np.asarray(value)


def _made_factor(fit, name):
    """Whether the formula makes a factor of a column: factor(name), C(name), cut(name, ...)."""
    recipe = fit.design.recipe
    return any(
        recipe.variables[e.code].kind != "numeric" and any(v.meaning == name for v in e.variables)
        for term in recipe.terms
        for e in term
    )


def _changes(name, column, base, made_factor):
    """(label, upper values, lower values, divisor) for each effect of a column."""
    n = len(next(iter(base.values())))
    if made_factor and column.kind == "numeric":  # from the least of its values to each of the others
        levels = np.unique(np.asarray(base[name], dtype=float))
        for value in levels[1:]:
            yield f"{name}: {value:g} - {levels[0]:g}", _repeat(value, n), _repeat(levels[0], n), 1.0
    elif column.kind == "numeric":
        step = _STEP * (column.high - column.low or 1.0)
        x = np.asarray(base[name], dtype=float)
        yield name, x + step, x - step, 2.0 * step
    elif column.kind in ("categorical", "boolean"):
        levels = list(column.levels) or [False, True]
        for value in levels[1:]:
            yield f"{name}: {value} - {levels[0]}", _repeat(value, n), _repeat(levels[0], n), 1.0
    else:
        raise InputError(f"column {name} is a matrix: marginal effects are for single columns.")


def _offset_array(fit, base):
    """The part of the offset that was given as an array, or None."""
    d = fit.design
    if not isinstance(d.recipe.offset_argument, str):
        return None
    return d.offset - d.new(base, offset=np.zeros(d.n)).offset


def _average_mean(fit, data, offset):
    """(n_draws,) expected response averaged over rows, weighted as in the fit."""
    d = fit.design
    new = d.new(data, offset=offset)
    weights = np.ones(new.X.shape[0]) if d.weights is None else d.weights
    total = 0.0
    for rows in observation_blocks(new.X.shape[0], fit.n_draws):
        eta = linear_predictor(fit.draws.coefficients, new.X, new.offset, rows)
        total = total + fit.likelihood.mean(eta) @ weights[rows]
    return total / weights.sum()


def maximum_likelihood(fit):
    """See `GLMFit.maximum_likelihood`."""
    p = len(fit.names)
    try:
        ml = fit.ml
    except InputError:  # separation, aliased columns: there is no estimate
        return np.full(p, np.nan), np.full((p, p), np.nan), np.nan
    return ml.coefficients, ml.root @ ml.root.T, ml.dispersion


def null_mode(fit):
    """See `GLMFit.null_mode`."""
    null = np.zeros(len(fit.names))
    if fit.names[0] == "(Intercept)":
        try:
            null[0] = fit.ml.null_intercept
        except InputError:
            null[0] = np.nan
    return null


def restrict(fit, columns):
    """See `GLMFit.restricted`."""
    names = tuple(fit.names[i] for i in columns)
    prior = fit.prior.restricted(fit.names, columns)
    design = replace(fit.design, X=np.ascontiguousarray(fit.design.X[:, columns]), names=names)
    posterior = fit.posterior.rebuilt(design, prior)
    step = replace(fit, design=design, prior=prior, posterior=posterior)
    return step.sample(fit.n_draws, 0)
