"""Marginal means of factors, their contrasts, and arbitrary linear combinations."""

import itertools
from collections.abc import Mapping

import numpy as np

from glmbayes.checks import option, scalar
from glmbayes.errors import InputError
from glmbayes.fits.hypotheses import parse_combination


def summarise(fit, combinations, constants, labels, level):
    """DataFrame with mean, sd, interval and P(> 0) of combinations @ beta + constants, without Monte Carlo error."""
    import pandas as pd

    level = scalar(level, "level", above=0.0)
    if not level < 1.0:
        raise InputError(f"level must be less than 1; got {level:g}.")
    combinations = np.ascontiguousarray(combinations, dtype=float)
    mixture = fit.conditional(combinations)
    mean, sd = mixture.location()
    lower, upper = (mixture.quantile(q) + constants for q in (0.5 * (1.0 - level), 0.5 * (1.0 + level)))
    positive = fit.conditional(-combinations).cdf(np.asarray(constants, dtype=float))
    values = {"mean": mean + constants, "sd": sd, "lower": lower, "upper": upper, "p_positive": positive}
    return pd.DataFrame(values, index=labels)


def linear_combinations(fit, combinations, level):
    """See `Fit.linear_combinations`."""
    if hasattr(combinations, "columns"):
        unknown = [str(name) for name in combinations.columns if name not in fit.names]
        if unknown:
            raise InputError(f"{unknown[0]!r} is not a coefficient; the model has {list(fit.names)}.")
        combinations = combinations.reindex(columns=list(fit.names), fill_value=0.0)
    elif isinstance(combinations, str):
        combinations = {combinations: combinations}
    elif (
        not isinstance(combinations, Mapping)
        and np.iterable(combinations)
        and all(isinstance(c, str) for c in combinations)
    ):
        combinations = {c: c for c in combinations}
    if isinstance(combinations, Mapping):
        rows, constants = zip(*(parse_combination(fit.names, c) for c in combinations.values()))
        return summarise(fit, np.array(rows), np.array(constants), list(combinations), level)
    try:
        matrix = np.atleast_2d(np.asarray(combinations, dtype=float))
    except (TypeError, ValueError):
        raise InputError(
            f"combinations must be text such as 'x - z', a dict of such, or a matrix (k, {len(fit.names)}) of numbers; "
            f"got {combinations!r:.60}."
        ) from None
    if not np.isfinite(matrix).all():
        raise InputError(f"combinations must be finite; got {combinations!r:.60}.")
    if matrix.shape[1] != len(fit.names):
        raise InputError(f"a combination has one weight per coefficient ({len(fit.names)}); got {matrix.shape[1]}.")
    index = getattr(combinations, "index", None)  # a method of lists
    labels = list(range(matrix.shape[0]) if index is None or callable(index) else index)
    return summarise(fit, matrix, np.zeros(matrix.shape[0]), labels, level)


def typical_values(fit, name):
    """The values of a column that averages run over: a factor's levels, else the mean."""
    column = fit.design.columns[name]
    if column.kind == "categorical":
        return list(column.levels)
    if column.kind == "boolean":
        return [False, True]
    recipe = fit.design.recipe
    for variable in (recipe.variables[e.code] for term in recipe.terms for e in term if uses(e, name)):
        if variable.kind == "categorical" and variable.levels != ("FALSE", "TRUE"):  # numbers made a factor
            try:
                return [float(level) for level in variable.levels]
            except ValueError:
                raise InputError(
                    f"give values of {name} with at={{{name!r}: [...]}}: they make {variable.name}."
                ) from None
    if column.kind == "numeric":
        return [column.mean]
    raise InputError(f"column {name} is a matrix: give its value with at={{{name!r}: ...}}.")


def uses(expression, name):
    """Whether an expression of the formula involves a column."""
    return any(variable.meaning == name for variable in expression.variables)


def column_of(fit, factor):
    """The column behind a factor, which may be named as in the formula, "factor(cyl)"."""
    columns, recipe = fit.design.columns, fit.design.recipe
    if factor in columns:
        return factor
    for e in (e for term in recipe.terms for e in term if e.name == factor):
        names = [v.meaning for v in e.variables if v.meaning in columns]
        if len(names) == 1:
            return names[0]
    raise InputError(f"{factor!r} is not a column of the model; it has {sorted(columns)}.")


def reference_grid(fit, factor, at):
    """(levels, mean design row per level, mean offset): other factors averaged with equal weights."""
    factor = column_of(fit, factor)
    columns = fit.design.columns
    at = {column_of(fit, name): list(np.atleast_1d(value)) for name, value in (at or {}).items()}
    values = {name: at[name] if name in at else typical_values(fit, name) for name in columns}
    levels = values.pop(factor)
    if factor not in at and len(levels) < 2:
        raise InputError(f"{factor} is numeric: give the values to compare with at={{{factor!r}: [...]}}.")
    others = list(itertools.product(*values.values()))
    if len(others) * len(levels) > 1_000_000:
        raise InputError("the reference grid has more than a million cells: fix some factors with at=.")
    grid = {factor: np.repeat(np.array(levels, dtype=object), len(others))}
    for j, name in enumerate(values):
        grid[name] = np.array([cell[j] for cell in others] * len(levels), dtype=object)
    grid = {name: _column(cells, columns[name].kind) for name, cells in grid.items()}
    new = fit.design.new(grid, offset=mean_offset(fit, len(others) * len(levels)))
    shape = (len(levels), len(others))
    x = new.X.reshape(*shape, -1).mean(axis=1)
    shift = np.zeros(len(levels)) if new.offset is None else new.offset.reshape(shape).mean(axis=1)
    return levels, x, shift


def mean_offset(fit, m):
    """The mean offset for `m` new rows when the fit's own cannot be rebuilt for them, else None."""
    d = fit.design
    argument, has_formula = d.recipe.offset_argument, bool(d.recipe.terms)
    if d.offset is None or (has_formula and (argument is None or isinstance(argument, float))):
        return None
    if d.recipe.offsets:
        raise InputError("this model has an offset= beside offset() in the formula: put both into the formula.")
    return np.full(m, float(np.mean(d.offset)))


def _column(cells, kind):
    if kind == "numeric":
        return cells.astype(float)
    if kind == "boolean":
        return cells.astype(bool)
    return np.array([str(c) for c in cells]) if all(isinstance(c, str) for c in cells) else cells


def emmeans(fit, factor, at, level):
    """See `Fit.emmeans`."""
    levels, x, shift = reference_grid(fit, factor, at)
    name = column_of(fit, factor)
    return summarise(fit, x, shift, [f"{name}={_label(value)}" for value in levels], level)


def _label(value):
    return f"{value:g}" if isinstance(value, (float, np.floating)) else str(value)


def contrasts(fit, factor, method, at, level):
    """See `Fit.contrasts`."""
    option(method, "method", ("pairwise", "treatment"))
    levels, x, shift = reference_grid(fit, factor, at)
    if method == "pairwise":
        pairs = list(itertools.combinations(range(len(levels)), 2))
    else:
        pairs = [(i, 0) for i in range(1, len(levels))]
    if not pairs:
        raise InputError(f"{factor} has a single level: there is nothing to compare.")
    rows = np.array([x[i] - x[j] for i, j in pairs])
    constants = np.array([shift[i] - shift[j] for i, j in pairs])
    return summarise(fit, rows, constants, [f"{_label(levels[i])} - {_label(levels[j])}" for i, j in pairs], level)
