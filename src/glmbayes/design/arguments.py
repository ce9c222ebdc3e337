"""Row arguments (weights, offset, subset, ...): an array with one entry per row of data, or the name of a column."""

import numpy as np

from glmbayes.design.columns import canonical
from glmbayes.design.factor import Factor
from glmbayes.design.missing import missing_rows
from glmbayes.design.parse import parse_expression
from glmbayes.errors import FormulaError


def argument_expression(value, name, columns):
    """The Expression behind a row argument given as a string, else None."""
    if not isinstance(value, str):
        return None
    try:
        return parse_expression(value, columns)
    except FormulaError as error:
        raise FormulaError(f"{name}={value!r}: {error}") from None


def row_argument(value, expression, name, evaluate):
    """A row argument in the rows in use, as a float64 array or Factor; missing values are kept."""
    table = evaluate.table
    if expression is not None:
        try:
            result = evaluate(expression)
        except FormulaError as error:
            raise FormulaError(f"{name}={value!r}: {error}") from None
        if np.ndim(result) == 0 and not isinstance(result, Factor):
            raise FormulaError(f"{name}={value!r} gives one number; it needs one per row.")
    else:
        result = _aligned(value, name, table)
        if np.ndim(result) == 0 and not isinstance(result, Factor):
            if name != "offset":
                raise FormulaError(f"{name} must have one entry per row of data ({table.n}); got a single number.")
            result = np.full(table.size, float(result))
        else:
            result = _in_use(result, name, table)
    if name in ("weights", "offset") and (isinstance(result, Factor) or result.ndim != 1):
        raise FormulaError(f"{name} must hold one number per row; got {_kind(result)}.")
    return result if isinstance(result, Factor) else result.astype(np.float64, copy=False)


def check_weights(weights):
    """Raise for negative or infinite weights."""
    missing_rows(weights, "weights")
    negative = weights < 0.0
    if negative.any():
        row = int(np.argmax(negative))
        raise FormulaError(f"weights must not be negative; got {weights[row]:g} at position {row}.")


def subset_rows(value, expression, evaluate):
    """Positions of the rows that `subset` keeps."""
    table = evaluate.table
    n = table.n
    chosen = evaluate(expression) if expression is not None else _aligned(value, "subset", table, raw=True)
    if isinstance(chosen, Factor) and set(chosen.levels) <= {False, True}:
        rows = np.flatnonzero((chosen.codes >= 0) & np.append(chosen.levels, False)[chosen.codes].astype(bool))
        length = len(chosen)
    elif not isinstance(chosen, Factor) and chosen.dtype.kind == "b" and chosen.ndim == 1:
        rows, length = np.flatnonzero(chosen), len(chosen)
    elif not isinstance(chosen, Factor) and chosen.dtype.kind in "iu" and chosen.ndim == 1:
        rows, length = chosen.astype(np.intp), n
        outside = rows[(rows < -n) | (rows >= n)]
        if outside.size:
            raise FormulaError(f"subset holds row {outside[0]} but data have {n} rows.")
        rows = rows % n
    else:
        raise FormulaError(
            "subset must be a boolean for each row, positions of rows (counted from 0), or a condition such as "
            f"'x > 3'; got {_kind(chosen)}."
        )
    if length != n:
        raise FormulaError(f"subset must have one entry per row of data ({n}); got {length}.")
    if not rows.size:
        raise FormulaError("subset leaves no rows.")
    return rows


def _aligned(value, name, table, raw=False):
    if table.index is not None:
        table.same_index(value, name)
    if raw and isinstance(value, (list, tuple)):
        value = np.asarray(value)
    if raw and type(value) is np.ndarray:
        return value  # integers are positions
    if raw and getattr(getattr(value, "dtype", None), "kind", "") in "iu" and hasattr(value, "to_numpy"):
        return value.to_numpy()
    return canonical(value, name)


def _in_use(result, name, table):
    if len(result) != table.n:
        hint = ""
        if len(result) < table.n:
            hint = " Give one for every row: rows with missing values or outside subset are dropped with theirs."
        raise FormulaError(f"{name} must have one entry per row of data ({table.n}); got {len(result)}.{hint}")
    return table.in_use(result, name)


def _kind(value):
    if isinstance(value, Factor):
        return "categories"
    kinds = {"f": "numbers", "b": "booleans", "M": "dates", "m": "time differences"}
    return f"{kinds.get(value.dtype.kind, value.dtype)} of shape {value.shape}"
