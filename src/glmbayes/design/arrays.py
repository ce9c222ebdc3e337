"""A design from arrays, for fits without a formula."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from glmbayes.design.arguments import check_weights, row_argument
from glmbayes.design.columns import canonical
from glmbayes.design.factor import Factor
from glmbayes.design.missing import missing_rows
from glmbayes.design.parts import Column, Response, Term, Variable
from glmbayes.design.record import Design, NewDesign, Recipe
from glmbayes.design.table import Table, as_table
from glmbayes.design.values import kept_rows, offset_value, on_rows
from glmbayes.errors import FormulaError


@dataclass(frozen=True, eq=False, repr=False)
class ArrayDesign(Design):
    """A Design whose columns were given as a matrix; see `Design` for the attributes."""

    def new(self, newdata, offset=None):
        """The design matrix of new data.

        Parameters
        ----------
        newdata : (m, p) array, or data frame or dict with the columns by name
        offset : (m,) array, optional
            Needed when the fit had an offset.
        """
        X, _ = _matrix(newdata, "newdata", self.names)
        ok = np.ones(len(X), dtype=bool)
        missing = missing_rows(X, "newdata", "newdata")
        if missing is not None:
            ok &= ~missing
            X[missing] = np.nan
        if offset is None and self.offset is not None:
            raise FormulaError("the fit used an offset: give offset= for the new rows.")
        if offset is not None:
            offset = offset_value(np.asarray(offset, dtype=np.float64), "offset", len(X)).copy()
            ok &= ~np.isnan(offset)
        return NewDesign(X, offset, ok, getattr(newdata, "index", None) if hasattr(newdata, "iloc") else None)


def array_design(y, X, *, names=None, weights=None, offset=None, extra=None, na_action="drop"):
    """A Design from a response and a design matrix, used as they are: no intercept is added.

    Parameters
    ----------
    y : (n,) array, or (n, k) for several responses
    X : (n, p) array, data frame, or dict of columns
    names : sequence of str, optional
        Coefficient names; by default those of the data frame, else x1, x2, ..., and "(Intercept)" for a first column
        of ones.
    weights, offset : (n,) array, optional
    extra : dict, optional
        Further row arguments: name -> array.
    na_action : "drop" or "raise"

    Examples
    --------
    >>> from glmbayes.design import array_design
    >>> array_design([1.0, 2.0, 4.0], [[1, 0], [1, 1], [1, 2]]).names
    ('(Intercept)', 'x2')
    """
    X, labels = _matrix(X, "X")
    n, p = X.shape
    names = tuple(labels or _default_names(X)) if names is None else tuple(names)
    if len(names) != p or len(set(names)) != p:
        raise FormulaError(f"names must give each of the {p} columns of X a name of its own; got {list(names)}.")
    name = getattr(y, "name", None)
    response = canonical(y, "y")
    if isinstance(response, Factor) or response.dtype.kind in "Mm" or response.ndim == 0:
        raise FormulaError("y must hold numbers, one per row of X.")
    if response.ndim == 2 and response.shape[1] == 1:
        response = response[:, 0]
    if len(response) != n or n == 0 or p == 0:
        raise FormulaError(f"y and X must have the same, positive number of rows; got {len(response)} and {X.shape}.")
    kind = "columns" if response.ndim == 2 else ("boolean" if response.dtype.kind == "b" else "numeric")
    columns = tuple(f"y{i + 1}" for i in range(response.shape[1])) if kind == "columns" else ()
    levels = ("FALSE", "TRUE") if kind == "boolean" else ()
    described = Response(name if isinstance(name, str) else "y", kind, levels, columns)
    response = response.astype(np.float64)

    evaluate = _NoFormula(n)
    given = {"weights": weights, "offset": offset, **(extra or {})}
    if any(isinstance(v, str) for v in given.values()):
        raise FormulaError("row arguments must be arrays here: without a formula there are no columns to name.")
    given = {key: row_argument(v, None, key, evaluate) for key, v in given.items() if v is not None}
    if "weights" in given:
        check_weights(given["weights"])
    missing = [("y", missing_rows(response, "y")), ("X", missing_rows(X, "X"))]
    missing += [(key, missing_rows(v, key)) for key, v in given.items()]
    kept = kept_rows(missing, n, na_action)
    X = on_rows(X, kept)
    return ArrayDesign(
        formula=f"{described.name} ~ X",
        y=on_rows(response, kept),
        X=X,
        names=names,
        weights=on_rows(given.pop("weights"), kept, copy=True) if "weights" in given else None,
        offset=on_rows(given.pop("offset"), kept, copy=True) if "offset" in given else None,
        extra={key: on_rows(v, kept, copy=True) for key, v in given.items()},
        response=described,
        terms=tuple(
            Term(label, () if label == "(Intercept)" else (label,), slice(j, j + 1)) for j, label in enumerate(names)
        ),
        variables={label: Variable(label, "numeric") for label in names if label != "(Intercept)"},
        columns={
            label: Column(label, "numeric", (), float(X[:, j].min()), float(X[:, j].mean()), float(X[:, j].max()))
            for j, label in enumerate(names)
            if label != "(Intercept)"
        },
        n_total=n,
        n_subset=0,
        n_missing=n - len(X),
        rows=kept,
        index=None,
        notes=(),
        scope_names=(),
        recipe=Recipe(),
    )


def _matrix(X, what, wanted=None):
    """(a float64 copy, column names or None) of an array, data frame or dict, in the order `wanted`."""
    if not (isinstance(X, Mapping) or hasattr(X, "columns")):
        array = canonical(X, what)
        if isinstance(array, Factor) or array.dtype.kind not in "fb" or array.ndim not in (1, 2):
            raise FormulaError(f"{what} must be a matrix of numbers, one row per observation.")
        array = array.reshape(-1, 1) if array.ndim == 1 else array
        if wanted is not None and array.shape[1] != len(wanted):
            raise FormulaError(f"{what} must have {len(wanted)} columns ({', '.join(wanted)}); got {array.shape[1]}.")
        return np.array(array, dtype=np.float64, order="C"), None
    table = as_table(X, what)
    table.settle(())
    columns = []
    for name in table.names if wanted is None else wanted:
        if name not in table and name != "(Intercept)":
            raise FormulaError(f"{what} lacks the column {name}; the model needs {', '.join(wanted)}.")
        column = table.column(name) if name in table else np.ones(table.n)
        if isinstance(column, Factor) or column.dtype.kind not in "fb" or column.ndim != 1:
            raise FormulaError(f"{what}: column {name} must hold numbers; for categories, fit with a formula.")
        columns.append(column)
    return np.column_stack(columns).astype(np.float64), table.names


def _default_names(X):
    names = [f"x{j + 1}" for j in range(X.shape[1])]
    if X.shape[1] and len(X) and np.all(X[:, 0] == 1.0):
        names[0] = "(Intercept)"
    return names


class _NoFormula:
    """As much of an Evaluator as row arguments need."""

    def __init__(self, n):
        self.table = Table({}, {}, n)
