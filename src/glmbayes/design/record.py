"""The design of a model: frozen, picklable, and able to build itself again for new data."""

import types
from dataclasses import dataclass, field, replace

import numpy as np

from glmbayes.design.coding import fill
from glmbayes.design.evaluate import Evaluator, Scope
from glmbayes.design.missing import missing_rows
from glmbayes.design.parts import Response
from glmbayes.design.table import as_table
from glmbayes.design.values import as_fitted, offset_value
from glmbayes.errors import FormulaError


@dataclass(frozen=True)
class NewDesign:
    """The design matrix of new data.

    Attributes
    ----------
    X : (m, p) array
        Rows with a missing value are NaN.
    offset : (m,) array or None
    rows_ok : (m,) boolean array
        Rows without missing values.
    index : pandas.Index or None
    """

    X: np.ndarray
    offset: np.ndarray | None
    rows_ok: np.ndarray
    index: object = None


@dataclass(frozen=True)
class Recipe:
    """What `Design.new` needs: expressions, codings, what the transforms learnt, names from the caller's scope."""

    terms: tuple = ()
    offsets: tuple = ()
    blocks: tuple = ()
    variables: dict = field(default_factory=dict)  # code -> coding.Variable
    memory: dict = field(default_factory=dict)
    constants: dict = field(default_factory=dict)
    columns: tuple = ()  # names that new data must have
    offset_argument: object = None  # how offset= was given: an Expression, a number, "array", or None

    def __getstate__(self):
        state = dict(self.__dict__)
        state["constants"] = {
            name: _Module(value.__name__) if isinstance(value, types.ModuleType) else value
            for name, value in self.constants.items()
        }
        return state

    def __setstate__(self, state):
        import importlib

        for name, value in state["constants"].items():
            if isinstance(value, _Module):
                state["constants"][name] = importlib.import_module(value.name)
        self.__dict__.update(state)


@dataclass(frozen=True)
class _Module:
    name: str


@dataclass(frozen=True, eq=False, repr=False)
class Design:
    """A formula applied to data.

    Attributes
    ----------
    formula : str
    y : (n,) array, or (n, k) for a response of several columns
    X : (n, p) array, C-contiguous float64
    names : tuple of str
        R's coefficient names.
    weights : (n,) array or None
    offset : (n,) array or None
        The `offset=` argument and the `offset()` terms, added up.
    extra : dict
        Further row arguments by name.
    response : Response
    terms : tuple of Term
        Name, variables and columns of each term, the intercept included.
    variables : dict
        Name -> Variable: levels and contrasts of what the terms multiply.
    columns : dict
        Name -> Column: the columns of data behind the terms.
    n_total : int
        Rows of the data.
    n_subset, n_missing : int
        Rows left out by `subset=`, and for missing values.
    rows : integer array or None
        Positions in the data of the rows kept; None is all of them.
    index : pandas.Index or None
        Their labels.
    notes : tuple of str
        What the reader of a summary should know: levels dropped, values undefined.
    scope_names : tuple of str
        Columns taken from the caller's scope rather than from data.
    recipe : Recipe
    """

    formula: str
    y: np.ndarray
    X: np.ndarray
    names: tuple
    weights: np.ndarray | None
    offset: np.ndarray | None
    extra: dict
    response: Response
    terms: tuple
    variables: dict
    columns: dict
    n_total: int
    n_subset: int
    n_missing: int
    rows: np.ndarray | None
    index: object
    notes: tuple
    scope_names: tuple
    recipe: Recipe

    @property
    def n(self):
        """Number of rows."""
        return self.X.shape[0]

    @property
    def p(self):
        """Number of coefficients."""
        return self.X.shape[1]

    def __repr__(self):
        dropped = f", {self.n_missing} dropped for missing values" if self.n_missing else ""
        return f"Design({self.formula!r}: {self.n} rows{dropped}, coefficients {', '.join(self.names)})"

    def require_numeric_response(self):
        """Raise unless the response is one column of numbers."""
        name, kind = self.response.name, self.response.kind
        if kind == "columns":
            raise FormulaError(
                f"the response {name} has {self.y.shape[1]} columns ({', '.join(self.response.columns)}); "
                "this needs a single one: use design.with_response(j), or fit each column."
            )
        if kind != "numeric":
            levels = " and ".join(self.response.levels[:4]) if len(self.response.levels) < 5 else "many levels"
            binary = " For a yes/no response use glmb with family='binomial'." if len(self.response.levels) == 2 else ""
            raise FormulaError(
                f"the response {name} is {kind} ({levels}); a linear model needs numbers.{binary} "
                f"To use it as 0 and 1 all the same, make it a number first."
            )
        return self

    def with_response(self, j):
        """The design for column `j` of a response of several columns."""
        if self.y.ndim == 1:
            return self
        response = Response(self.response.columns[j], "numeric")
        return replace(self, y=np.ascontiguousarray(self.y[:, j]), response=response)

    def new(self, newdata, offset=None):
        """The design matrix of new data, built as this one was: same levels, same centres, same knots.

        Parameters
        ----------
        newdata : data frame or dict
            With every column that the terms use.  A single value in a dict is repeated.
        offset : (m,) array, optional
            Needed when the fit had an offset array; offsets given by column name or in the formula are rebuilt.

        Returns
        -------
        NewDesign

        Raises
        ------
        FormulaError
            A column is missing, or a factor has a level that the fit has not seen.
        """
        recipe = self.recipe
        table = as_table(newdata, "newdata")
        table.settle(recipe.columns)
        lacking = [name for name in recipe.columns if name not in table]
        if lacking:
            raise FormulaError(
                f"newdata lacks the column{'s' * (len(lacking) > 1)} {', '.join(lacking)}; "
                f"the model needs {', '.join(recipe.columns)}."
            )
        m = table.n
        if m is None:
            raise FormulaError("newdata must be a data frame or a dict of columns; got None.")
        evaluate = Evaluator(table, Scope(None), False, recipe.constants, recipe.memory)
        ok = np.ones(m, dtype=bool)
        values = {}
        for expression in dict.fromkeys(e for term in recipe.terms for e in term):
            value = as_fitted(evaluate(expression), recipe.variables[expression.code], m)
            values[expression.code] = value
            missing = missing_rows(value, expression.name, "newdata")
            if missing is not None:
                ok &= ~missing
        total = None
        for part in self._offset_parts(evaluate, offset, m):
            missing = missing_rows(part, "offset", "newdata")
            if missing is not None:
                ok &= ~missing
            total = part if total is None else total + part
        X = np.empty((m, self.p))
        fill(X, recipe.blocks, values)
        if not ok.all():
            X[~ok] = np.nan
        return NewDesign(X, total, ok, table.index)

    def _offset_parts(self, evaluate, offset, m):
        recipe = self.recipe
        for expression in recipe.offsets:
            yield offset_value(evaluate(expression), expression.name, m)
        if offset is not None:
            yield offset_value(np.asarray(offset, dtype=np.float64), "offset", m)
        elif isinstance(recipe.offset_argument, float):
            yield np.full(m, recipe.offset_argument)
        elif recipe.offset_argument == "array":
            raise FormulaError(
                "the fit used an array as offset=, which newdata do not have: give offset= for the new rows, or fit "
                "with the name of a column (offset='t') or with offset(t) in the formula."
            )
        elif recipe.offset_argument is not None:
            yield offset_value(evaluate(recipe.offset_argument), recipe.offset_argument.name, m)
