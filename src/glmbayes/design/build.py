"""build_design: from a formula and data to a Design."""

import sys
from typing import NamedTuple

import numpy as np

from glmbayes.design.arguments import argument_expression, check_weights, row_argument, subset_rows
from glmbayes.design.coding import assemble, describe, fill
from glmbayes.design.evaluate import Evaluator, Scope
from glmbayes.design.factor import Factor
from glmbayes.design.missing import missing_rows
from glmbayes.design.parse import parse
from glmbayes.design.parts import Response
from glmbayes.design.record import Design, Recipe
from glmbayes.design.source import pointed
from glmbayes.design.table import as_table
from glmbayes.design.values import (
    kept_rows,
    offset_value,
    on_rows,
    response_value,
    summary,
    term_value,
    undefined_note,
    used_levels,
)
from glmbayes.errors import FormulaError, InputError


def build_design(
    formula,
    data=None,
    *,
    weights=None,
    offset=None,
    subset=None,
    extra=None,
    na_action="drop",
    empty=False,
    env=None,
):
    """Turn a formula and data into response, design matrix, weights and offset.

    Terms come in R's order (by order of interaction, then as written) with R's names and contrasts.  These need no
    import inside a formula: `log log2 log10 log1p exp expm1 sqrt abs sin cos tan I offset cbind ifelse pmin pmax c`;
    `poly scale center standardize bs cr cc te`, which treat new data as they treated the old; `factor ordered relevel
    C` with `Treatment Sum Poly Helmert Diff` (or `contr.treatment`, ...); `np`.  Other functions come from the caller's
    scope.  A call that reduces a column to a number, `mean(x)` say, keeps that number for new data.  Strings are sorted
    by code point, as in R's C locale: capital letters come first.

    Parameters
    ----------
    formula : str
        `"y ~ x + log(z) + g:x - 1"`.  `^` is a power inside functions and crosses terms outside them; `.` is every
        column that is neither in the response nor a row argument; names in backticks are taken literally.
    data : data frame, dict of columns, or None
        pandas, polars, anything that converts to pandas.  Names that data do not have come from the caller's scope.
    weights, offset : array, or str
        One entry per row of data, or a column's name (or an expression of columns).
    subset : boolean array, integer positions, or str
        Rows to use; a string is a condition, `"x > 3"`.  It is applied before transforms learn their means and
        before levels are counted (R: after).
    extra : dict
        Further row arguments: name -> array or column name.
    na_action : "drop" or "raise"
        What to do with rows that have a missing value anywhere in the formula or in a row argument.
    empty : bool
        Whether a formula without terms and intercept will do.
    env : frame or mapping, optional
        Where to look names up; the caller's scope by default.

    Returns
    -------
    Design

    Raises
    ------
    FormulaError
        The formula cannot be read (pointing at the character), names an unknown column (with close matches), leaves
        no rows, or a factor has a single level.
    InputError
        A row argument has the wrong length or impossible values.

    Examples
    --------
    >>> from glmbayes.design import build_design
    >>> data = {"weight": [4.17, 5.58, 4.81, 4.17], "group": ["Ctl", "Ctl", "Trt", "Trt"]}
    >>> design = build_design("weight ~ group", data)
    >>> design.names
    ('(Intercept)', 'groupTrt')
    >>> design.new({"group": ["Trt"]}).X
    array([[1., 1.]])
    """
    if na_action not in ("drop", "raise"):
        raise InputError(f"na_action must be 'drop' or 'raise'; got {na_action!r}.")
    if not isinstance(formula, str):
        swapped = " The formula comes before the data." if isinstance(data, str) else ""
        raise FormulaError(f"formula must be a string such as 'y ~ x + z'; got {type(formula).__name__}.{swapped}")
    table = as_table(data)
    arguments = {"weights": weights, "offset": offset, **(extra or {})}
    arguments = {name: value for name, value in arguments.items() if value is not None}
    spelled = {name: argument_expression(value, name, table.names) for name, value in arguments.items()}
    condition = argument_expression(subset, "subset", table.names)
    reserved = tuple(e.plain for e in (*spelled.values(), condition) if e is not None and e.plain is not None)
    parsed = parse(formula, table.names, reserved)
    if not parsed.terms and not parsed.intercept and not empty:
        raise pointed("The formula has no terms and no intercept: nothing is left to estimate.", parsed.text)
    table.settle(name.meaning for e in (parsed.response, *parsed.factors, *parsed.offsets) for name in e.variables)
    if table.n == 0:
        raise FormulaError("data have no rows.")

    scope = Scope(sys._getframe(1) if env is None else env)
    if table.n is None:
        response_value(parsed.response, Evaluator(table, scope))  # without data the response tells the number of rows
    own_scope = Scope(None) if table.names else scope  # the names in row arguments are columns, when there are any
    if subset is not None:
        table.restrict(subset_rows(subset, condition, Evaluator(table, own_scope)))

    evaluate = Evaluator(table, scope)
    own = Evaluator(table, own_scope, constants=evaluate.constants, memory=evaluate.memory)
    found = _evaluate_formula(parsed, evaluate)
    given = {name: row_argument(value, spelled[name], name, own) for name, value in arguments.items()}
    found.missing.extend((name, missing_rows(value, name)) for name, value in given.items())
    if "weights" in given:
        check_weights(given["weights"])
    if "offset" in given:
        found.offsets.append(given.pop("offset"))
    kept = kept_rows(found.missing, table.size, na_action)
    offset_argument = None
    if offset is not None:
        offset_argument = spelled["offset"] or ("array" if np.ndim(offset) else float(offset))
    scope_names = tuple(dict.fromkeys((*evaluate.scope_names, *own.scope_names)))
    return _design(parsed, evaluate, found, given, kept, offset_argument, scope_names)


class _Evaluated(NamedTuple):
    """The expressions of a formula on the rows in use."""

    y: np.ndarray
    response: Response
    values: dict  # code -> float64 array or Factor
    offsets: list
    missing: list  # (what, boolean array or None)
    notes: list


def _evaluate_formula(parsed, evaluate):
    n = evaluate.table.size
    y, response = response_value(parsed.response, evaluate)
    found = _Evaluated(y, response, {}, [], [], [])
    lost = missing_rows(y, f"the response {response.name}")
    found.missing.append((response.name, lost))
    found.notes.extend(undefined_note(parsed.response, lost, evaluate))
    evaluate.row_names.clear()  # from here on: the columns that new data need
    for expression in parsed.factors:
        value = found.values[expression.code] = term_value(evaluate(expression), expression, n)
        lost = missing_rows(value, expression.name)
        found.missing.append((expression.name, lost))
        found.notes.extend(undefined_note(expression, lost, evaluate))
    for expression in parsed.offsets:
        found.offsets.append(offset_value(evaluate(expression), expression.name, n))
        found.missing.append((expression.name, missing_rows(found.offsets[-1], expression.name)))
    return found


def _design(parsed, evaluate, found, given, kept, offset_argument, scope_names):
    table, notes = evaluate.table, list(found.notes)
    values, variables = {}, {}
    for expression in parsed.factors:
        value = found.values[expression.code]
        if isinstance(value, Factor):
            value = used_levels(value, kept, expression, notes)
        values[expression.code] = value
        variables[expression.code] = describe(expression, value)
    blocks, terms, names = assemble(parsed.terms, parsed.intercept, variables)
    X = np.empty((table.size if kept is None else len(kept), len(names)))
    fill(X, blocks, values, kept)
    rows = table.rows if kept is None else (kept if table.rows is None else table.rows[kept])
    recipe = Recipe(
        terms=parsed.terms,
        offsets=parsed.offsets,
        blocks=blocks,
        variables=variables,
        memory=evaluate.memory,
        constants=evaluate.constants,
        columns=tuple(evaluate.row_names),
        offset_argument=offset_argument,
    )
    return Design(
        formula=parsed.text,
        y=on_rows(found.y, kept, copy=True),
        X=X,
        names=names,
        weights=on_rows(given["weights"], kept, copy=True) if "weights" in given else None,
        offset=on_rows(np.sum(found.offsets, axis=0), kept) if found.offsets else None,
        extra={name: on_rows(value, kept, copy=True) for name, value in given.items() if name != "weights"},
        response=found.response,
        terms=terms,
        variables={v.name: v for v in variables.values()},
        columns={name: summary(name, evaluate.column(name), kept) for name in evaluate.row_names},
        n_total=table.n,
        n_subset=0 if table.rows is None else table.n - len(np.unique(table.rows)),
        n_missing=table.size - len(X),
        rows=rows,
        index=None if table.index is None else (table.index if rows is None else table.index.take(rows)),
        notes=tuple(notes),
        scope_names=scope_names,
        recipe=recipe,
    )
