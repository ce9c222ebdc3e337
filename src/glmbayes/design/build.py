"""build_design: from a formula and data to a Design."""

import sys

import numpy as np

from glmbayes.design.arguments import argument_expression, check_weights, row_argument, subset_rows
from glmbayes.design.coding import assemble, describe, fill
from glmbayes.design.evaluate import Evaluator, Scope
from glmbayes.design.factor import Factor
from glmbayes.design.missing import missing_rows
from glmbayes.design.parse import parse
from glmbayes.design.record import Design, Recipe
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
    env=None,
):
    """Turn a formula and data into response, design matrix, weights and offset.

    Terms come in R's order (by order of interaction, then as written) with R's names and contrasts.  These need no
    import inside a formula: `log log2 log10 log1p exp expm1 sqrt abs sin cos tan I offset cbind`; `poly scale center
    standardize bs cr cc te`, which treat new data as they treated the old; `factor ordered relevel C` with
    `Treatment Sum Poly Helmert Diff` (or `contr.treatment`, ...); `np`.  Other functions come from the caller's scope.

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
    expressions = {name: argument_expression(value, name, table.names) for name, value in arguments.items()}
    condition = argument_expression(subset, "subset", table.names)
    reserved = tuple(e.plain for e in (*expressions.values(), condition) if e is not None and e.plain is not None)
    parsed = parse(formula, table.names, reserved)
    table.settle(name.meaning for e in _all_expressions(parsed) for name in e.variables)
    if table.n == 0:
        raise FormulaError("data have no rows.")

    scope = Scope(sys._getframe(1) if env is None else env)
    if table.n is None:
        response_value(parsed.response, Evaluator(table, scope))  # without data the response tells the number of rows
    n_total = table.n
    own_scope = Scope(None) if table.names else scope
    if subset is not None:
        table.restrict(subset_rows(subset, condition, Evaluator(table, own_scope)))

    evaluate = Evaluator(table, scope)
    own = Evaluator(table, own_scope, constants=evaluate.constants, memory=evaluate.memory)
    notes, missing = [], {}
    y, response = response_value(parsed.response, evaluate)
    missing[response.name] = missing_rows(y, f"the response {response.name}")
    notes += undefined_note(parsed.response, missing[response.name], evaluate)
    evaluate.row_names.clear()
    values, expressions_of = {}, {}
    for e in dict.fromkeys(e for term in parsed.terms for e in term):
        value = values[e.code] = term_value(evaluate(e), e, table.size)
        expressions_of[e.code] = e
        missing[e.name] = missing_rows(value, e.name)
        notes += undefined_note(e, missing[e.name], evaluate)
    offsets = []
    for e in parsed.offsets:
        offsets.append(offset_value(evaluate(e), e.name, table.size))
        missing[e.name] = missing_rows(offsets[-1], e.name)
    given = {}
    for name, value in arguments.items():
        given[name] = row_argument(value, expressions[name], name, own)
        missing[name] = missing_rows(given[name], name)
    if "weights" in given:
        check_weights(given["weights"])
    if "offset" in given:
        offsets.append(given.pop("offset"))

    kept = kept_rows(missing, table.size, na_action)
    for code, value in values.items():
        if isinstance(value, Factor):
            values[code] = used_levels(value, kept, expressions_of[code], notes)
    variables = {code: describe(expressions_of[code], value) for code, value in values.items()}
    blocks, terms, names = assemble(parsed.terms, parsed.intercept, variables)
    n = table.size if kept is None else len(kept)
    X = np.empty((n, len(names)))
    fill(X, blocks, values, kept)

    rows = table.rows if kept is None else (kept if table.rows is None else table.rows[kept])
    offset_argument = None
    if offset is not None:
        offset_argument = expressions["offset"] or ("array" if np.ndim(offset) else float(offset))
    recipe = Recipe(
        parsed.terms, parsed.offsets, blocks, variables, evaluate.memory, evaluate.constants,
        tuple(evaluate.row_names), offset_argument,
    )  # fmt: skip
    return Design(
        formula=parsed.text,
        y=on_rows(y, kept, copy=True),
        X=X,
        names=names,
        weights=on_rows(given.pop("weights"), kept, copy=True) if "weights" in given else None,
        offset=on_rows(np.sum(offsets, axis=0), kept) if offsets else None,
        extra={name: on_rows(value, kept, copy=True) for name, value in given.items()},
        response=response,
        terms=terms,
        variables={v.name: v for v in variables.values()},
        columns={name: summary(name, evaluate.column(name), kept) for name in evaluate.row_names},
        n_total=n_total,
        n_subset=n_total - table.size,
        n_missing=table.size - n,
        rows=rows,
        index=None if table.index is None else (table.index if rows is None else table.index.take(rows)),
        notes=tuple(notes),
        scope_names=tuple(dict.fromkeys((*evaluate.scope_names, *own.scope_names))),
        recipe=recipe,
    )


def _all_expressions(parsed):
    return (parsed.response, *(e for term in parsed.terms for e in term), *parsed.offsets)
