"""Evaluate the expressions of a formula: data first, then formula functions, then the caller's scope."""

import builtins
import difflib
import types
from collections.abc import Mapping

import numpy as np

from glmbayes.design.columns import canonical
from glmbayes.design.expression import compiled
from glmbayes.design.factor import Factor, categorical
from glmbayes.design.functions import FUNCTION_NAMES, formula_function, stateful_class
from glmbayes.design.source import pointed
from glmbayes.errors import FormulaError, GlmbayesError

_NOTHING = object()


class Scope:
    """Names of the caller: a frame's local and global variables, or a mapping."""

    def __init__(self, env):
        self._env = env

    @property
    def exists(self):
        """Whether there is a scope at all."""
        return self._env is not None

    def find(self, name):
        """The value, or a marker when the scope does not have it."""
        if self._env is None:
            return _NOTHING
        if isinstance(self._env, Mapping):
            return self._env.get(name, _NOTHING)
        value = self._env.f_locals.get(name, _NOTHING)
        return self._env.f_globals.get(name, _NOTHING) if value is _NOTHING else value


class Memory:
    """What one call in an expression keeps for new data: a transform that learnt, or a number it computed."""

    def __init__(self, kept):
        self.kept = kept

    def __reduce__(self):
        if not hasattr(self.kept, "memorize_chunk"):
            return Memory, (self.kept,)
        return _restore, (type(self.kept), vars(self.kept))  # patsy's transforms refuse to pickle themselves


def _restore(kind, state):
    transform = object.__new__(kind)
    vars(transform).update(state)
    return Memory(transform)


class Evaluator:
    """Evaluates expressions on one table.

    Attributes
    ----------
    constants : dict
        What came from the scope and is not a column: functions, modules, knots.  Kept for new data.
    memory : dict
        (name of the expression, call number) -> Memory, filled on the first evaluation and used on later ones.
    scope_names : list of str
        Columns that came from the caller's scope.
    row_names : list of str
        Every column used, in order of first use.
    """

    def __init__(self, table, scope, learning=True, constants=None, memory=None):
        self.table = table
        self.scope = scope
        self.learning = learning
        self.constants = {} if constants is None else constants
        self.memory = {} if memory is None else memory
        self.scope_names = []
        self.row_names = []
        self._borrowed = {}

    def __call__(self, expression):
        """The canonical value (see `columns.canonical`) of an expression."""
        if expression.plain is not None:
            value = self._variable(expression.variables[0], expression)
            if callable(value) or isinstance(value, types.ModuleType):
                raise expression.error(f"{expression.name} is a function, not a column.")
            return self._checked(value, expression)
        names = {name.identifier: self._variable(name, expression) for name in expression.variables}
        for identifier, value in names.items():
            if isinstance(value, Factor):
                names[identifier] = categorical(value)
        functions = {name.identifier: self._function(name, expression) for name in expression.functions}
        names["_call"] = _Caller(expression, functions, self)
        try:
            with np.errstate(all="ignore"):
                value = eval(compiled(expression.code), names)
        except GlmbayesError as error:
            raise expression.error(f"{expression.name}: {error}") from None
        except Exception as error:
            raise expression.error(
                f"{expression.name} cannot be evaluated: {type(error).__name__}: {error}. {_advice(expression)}"
            ) from error
        return self._checked(value, expression)

    def column(self, name):
        """A column by its name, from the data or borrowed from the scope."""
        return self.table.column(name) if name in self.table else self._borrowed[name]

    def _checked(self, value, expression):
        value = canonical(value, expression.name)
        if not isinstance(value, Factor) and value.dtype.kind in "Mm":
            raise expression.error(
                f"{expression.name} holds dates or times: convert it to numbers first, for instance days since the "
                "first date, (t - t.min()) / np.timedelta64(1, 'D')."
            )
        return value

    def _variable(self, name, expression):
        meaning = name.meaning
        if meaning in self.table:
            if meaning not in self.row_names:
                self.row_names.append(meaning)
            return self.table.column(meaning)
        if meaning in self._borrowed:
            if meaning not in self.row_names:
                self.row_names.append(meaning)
            return self._borrowed[meaning]
        if meaning in self.constants:
            return self.constants[meaning]
        value = self.scope.find(meaning)
        if meaning in FUNCTION_NAMES and _length(value) is None:
            return formula_function(meaning)
        if value is not _NOTHING:
            return self._adopt(meaning, value)
        if hasattr(builtins, meaning):
            return getattr(builtins, meaning)
        raise self._unknown(name, expression, "column")

    def _adopt(self, name, value):
        """Something from the caller's scope: a column when it has one entry per row, else a constant."""
        length = _length(value)
        if self.table.n is None and length is not None:
            self.table.n = length
        if length is None or length != self.table.n:
            self.constants[name] = value
            return value
        self.table.same_index(value, name)
        column = self._borrowed[name] = self.table.in_use(canonical(value, name), name)
        self.scope_names.append(name)
        self.row_names.append(name)
        return column

    def _function(self, name, expression):
        """A function: the caller's own Python function of that name, else ours, else whatever the scope has."""
        meaning = name.meaning
        if meaning in self.constants:
            return self.constants[meaning]
        value = self.scope.find(meaning)
        own = isinstance(value, types.FunctionType) and not (value.__module__ or "").startswith(("patsy", "numpy"))
        if meaning in FUNCTION_NAMES and not own:
            return formula_function(meaning) if meaning != "Q" else self._quoted
        if callable(value) and value is not _NOTHING:
            self.constants[meaning] = value
            return value
        if callable(getattr(builtins, meaning, None)):
            return getattr(builtins, meaning)
        raise self._unknown(name, expression, "function")

    def _quoted(self, name):
        if name not in self.table:
            raise FormulaError(f"data has no column {name!r}.{_suggest(name, self.table.names)}")
        if name not in self.row_names:
            self.row_names.append(name)
        value = self.table.column(name)
        return categorical(value) if isinstance(value, Factor) else value

    def _unknown(self, name, expression, what):
        known = [*self.table.names, *(FUNCTION_NAMES if what == "function" else ())]
        places = ["a column of the data"] * bool(self.table.names) + ["a name in the calling scope"] * self.scope.exists
        message = f"{name.meaning} is not {' or '.join(places)}."
        if what == "function":
            message = f"{name.meaning}() is not a function that formulas know, nor one in the calling scope."
        return pointed(message + _suggest(name.meaning, known), expression.text, name.start, name.end)


class _Caller:
    """Runs one call of an expression, keeping or using what it learnt."""

    def __init__(self, expression, functions, evaluator):
        self._expression = expression
        self._functions = functions
        self._evaluator = evaluator

    def __call__(self, number, function, *args, **kwargs):
        function = self._functions[function] if isinstance(function, str) else function
        key = (self._expression.name, number)
        memory, rows = self._evaluator.memory, self._evaluator.table.size
        kind = stateful_class(function)
        if kind is not None:
            return _apply(kind, key, memory, args, kwargs)
        if key in memory:
            return memory[key].kept
        value = function(*args, **kwargs)
        if self._evaluator.learning and _reduced(value, rows):
            memory[key] = Memory(value)
        return value


def _apply(kind, key, memory, args, kwargs):
    """A stateful transform on the rows without missing values; the others stay missing."""
    if args and isinstance(args[0], np.ndarray) and args[0].ndim:
        n = len(args[0])
        columns = [a for a in args if isinstance(a, np.ndarray) and len(np.atleast_1d(a)) == n]
        fine = ~np.any([np.isnan(a).reshape(n, -1).any(axis=1) for a in columns if a.dtype.kind == "f"], axis=0)
        if np.ndim(fine) and not fine.any():
            return np.full(n, np.nan)
        if np.ndim(fine) and not fine.all():
            some = [a[fine] if any(a is c for c in columns) else a for a in args]
            result = np.asarray(_apply(kind, key, memory, some, kwargs))
            full = np.full((n, *result.shape[1:]), np.nan)
            full[fine] = result
            return full
    if key not in memory:
        transform = kind()
        transform.memorize_chunk(*args, **kwargs)
        transform.memorize_finish()
        memory[key] = Memory(transform)
    return memory[key].kept.transform(*args, **kwargs)


def _reduced(value, rows):
    """Whether a call reduced the data to a few numbers (a mean, quantiles), which new data must not change."""
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "fiuMm" and (value.ndim == 0 or len(value) != rows)
    return isinstance(value, (int, float, np.number, np.datetime64)) and not isinstance(value, bool)


def _length(value):
    """Number of rows of something that could be a column, else None."""
    if isinstance(value, (str, bytes, Mapping)) or callable(value) or not hasattr(value, "__len__"):
        return None
    shape = getattr(value, "shape", None)
    return len(value) if shape is None else (shape[0] if len(shape) else None)


def _advice(expression):
    if "&" in expression.code or "|" in expression.code:
        return "Comparisons joined by & or | need parentheses: (a > 1) & (b < 2)."
    return "Inside a formula numeric columns are float64 NumPy arrays."


def _suggest(name, known):
    known = [k for k in known if isinstance(k, str)]
    folded = {k.lower(): k for k in known}
    close = difflib.get_close_matches(name.lower(), folded, n=3, cutoff=0.6)
    if close:
        return f" Did you mean {' or '.join(folded[c] for c in close)}?"
    columns = ", ".join(known[:12])
    return f" Available: {columns}{', ...' if len(known) > 12 else ''}." if known else ""
