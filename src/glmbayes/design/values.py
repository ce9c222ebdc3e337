"""What evaluated expressions become: response, terms, offsets; which rows and levels are kept."""

import numpy as np

from glmbayes.design.factor import Factor, level_label
from glmbayes.design.parts import Column, Response
from glmbayes.design.table import take_rows
from glmbayes.errors import FormulaError


def response_value(expression, evaluate):
    """The response as floats, and its Response."""
    if not expression.variables:
        raise expression.error(f"the response {expression.name} is a constant, not a column of data.")
    value = evaluate(expression)
    n = evaluate.table.size
    if np.ndim(value) == 0 and not isinstance(value, Factor):
        raise expression.error(f"the response {expression.name} is a single value; it needs one per row.")
    _check_length(value, expression, n)
    if not isinstance(value, Factor) and value.dtype.kind == "b" and value.ndim == 1:
        return value.astype(np.float64), Response(expression.name, "boolean", ("FALSE", "TRUE"))
    if isinstance(value, Factor):
        seen = np.bincount(value.codes + 1, minlength=len(value.levels) + 1)[1:] > 0
        levels = [level for level, used in zip(value.levels, seen) if used]
        place = np.append(np.where(seen, np.cumsum(seen) - 1.0, np.nan), np.nan)
        if levels and all(isinstance(level, (bool, np.bool_)) for level in levels):
            kind, place, levels = "boolean", np.array([*map(float, value.levels), np.nan]), (False, True)
        else:
            kind = "categorical"
        return place[value.codes], Response(expression.name, kind, tuple(map(level_label, levels)))
    value = value.astype(np.float64, copy=False)
    if value.ndim == 2 and value.shape[1] == 1:
        value = value[:, 0]
    if value.ndim == 1:
        return value, Response(expression.name, "numeric")
    columns = expression.arguments
    if expression.call != "cbind" or len(columns) != value.shape[1]:
        columns = tuple(f"{expression.name}{i + 1}" for i in range(value.shape[1]))
    return value, Response(expression.name, "columns", (), columns)


def term_value(value, expression, n):
    """A float64 array or Factor with one row per row of data."""
    if isinstance(value, Factor):
        _check_length(value, expression, n)
        return value
    if value.ndim == 0:
        raise expression.error(f"{expression.name} is a single number, not a column.")
    _check_length(value, expression, n)
    if value.dtype.kind == "b" and value.ndim == 1:
        return Factor(value.astype(np.intp), (False, True))
    return value.astype(np.float64, copy=False)


def offset_value(value, name, n):
    """An offset, one number per row; a single number is repeated."""
    if isinstance(value, Factor) or np.ndim(value) > 1 or (np.ndim(value) == 1 and len(value) != n):
        got = "categories" if isinstance(value, Factor) else f"shape {np.shape(value)}"
        raise FormulaError(f"{name} must be one number per row ({n}); got {got}.")
    return np.broadcast_to(np.asarray(value, dtype=np.float64), (n,))


def _check_length(value, expression, n):
    if len(value) != n:
        raise expression.error(f"{expression.name} has {len(value)} entries but the data have {n} rows.")


def kept_rows(missing, n, na_action):
    """Positions of the rows without missing values, or None for all of them.

    Parameters
    ----------
    missing : list of (str, boolean array or None)
        What, and its missing rows.
    n : int
    na_action : "drop" or "raise"
    """
    masks = [(name, mask) for name, mask in missing if mask is not None]
    if not masks:
        return None
    lost = np.logical_or.reduce([mask for _, mask in masks])
    counts = ", ".join(f"{name} in {int(mask.sum())}" for name, mask in masks)
    if na_action == "raise":
        raise FormulaError(
            f"{int(lost.sum())} of {n} rows have missing values ({counts}). Fill them in, or use na_action='drop'."
        )
    if lost.all():
        raise FormulaError(f"every row has a missing value ({counts} of {n} rows): no data are left.")
    return np.flatnonzero(~lost)


def used_levels(value, kept, expression, notes):
    """Drop levels that the rows kept do not have, with a note; a single level is an error."""
    codes = value.codes if kept is None else value.codes[kept]
    used = np.bincount(codes, minlength=len(value.levels)) > 0
    if used.sum() < 2:
        level = next(label for label, u in zip(value.labels, used) if u)
        raise expression.error(
            f"the factor {expression.name} has the single level {level!r} in the {len(codes)} rows used: it has no "
            "effect to estimate. Leave it out of the formula."
        )
    if used.all():
        return value
    lost = [label for label, u in zip(value.labels, used) if not u]
    many = f"{', '.join(lost[:5])}{', ...' if len(lost) > 5 else ''}"
    notes.append(f"unused level{'s' * (len(lost) > 1)} of {expression.name} dropped: {many}")
    place = np.append(np.where(used, np.cumsum(used) - 1, -1), -1)
    levels = tuple(level for level, u in zip(value.levels, used) if u)
    return Factor(place[value.codes], levels, value.ordered, value.contrast)


def undefined_note(expression, lost, evaluate):
    """A note when an expression is NaN where its columns are present, such as the log of a negative number."""
    if lost is None or expression.plain is not None:
        return []
    present = np.ones(len(lost), dtype=bool)
    for name in expression.variables:
        if name.meaning in evaluate.row_names:
            column = evaluate.column(name.meaning)
            missing = column.codes < 0 if isinstance(column, Factor) else column != column
            present &= ~(missing if missing.ndim == 1 else missing.any(axis=1))
    undefined = int((lost & present).sum())
    if not undefined:
        return []
    return [f"{expression.name} is undefined (NaN) in {undefined} row{'s' * (undefined > 1)}, counted as missing"]


def summary(name, value, kept):
    """The Column behind a name that the terms use."""
    value = on_rows(value, kept)
    if isinstance(value, Factor):
        used = np.bincount(value.codes[value.codes >= 0], minlength=len(value.levels)) > 0
        return Column(name, "categorical", tuple(level for level, u in zip(value.levels, used) if u))
    if value.dtype.kind == "b":
        return Column(name, "boolean", (False, True))
    if value.ndim != 1 or value.dtype.kind != "f":
        return Column(name, "matrix" if value.ndim == 2 else "other")
    return Column(name, "numeric", (), float(value.min()), float(value.mean()), float(value.max()))


def on_rows(value, rows, copy=False):
    """A value on the rows kept; the result is C-contiguous, and a copy when asked."""
    if rows is not None:
        return take_rows(value, rows)
    if isinstance(value, Factor):
        return value
    return np.array(value, order="C") if copy else np.ascontiguousarray(value)


def as_fitted(value, variable, n):
    """A value of new data in the coding of the fit."""
    if variable.kind == "numeric":
        if isinstance(value, Factor) or value.dtype.kind == "b":
            raise FormulaError(f"{variable.name} was numeric in the fit but newdata hold categories or booleans.")
        columns = 1 if value.ndim < 2 else value.shape[1]
        if columns != len(variable.suffixes):
            raise FormulaError(f"{variable.name} had {len(variable.suffixes)} column(s) in the fit, now {columns}.")
        return np.broadcast_to(value, (n,)) if value.ndim == 0 else value
    if not isinstance(value, Factor):
        found, codes = np.unique(np.atleast_1d(value), return_inverse=True)
        levels = found.tolist()
        if value.dtype.kind == "f" and levels and levels[-1] != levels[-1]:
            codes = np.where(codes == len(levels) - 1, -1, codes)
            levels.pop()
        if variable.kind == "boolean":
            levels = [bool(level) if level in (0.0, 1.0) else level for level in levels]  # 0 and 1 will do
        value = Factor(codes, tuple(levels))
    place = {label: i for i, label in enumerate(variable.levels)}
    position = np.array([*(place.get(label, -2) for label in value.labels), -1])
    codes = position[value.codes]
    if (codes == -2).any():
        label = value.labels[value.codes[int(np.argmax(codes == -2))]]
        raise FormulaError(
            f"newdata have the level {label!r} of {variable.name}, which the fit has not seen; "
            f"it knows {', '.join(variable.levels)}."
        )
    return Factor(codes, variable.levels)
