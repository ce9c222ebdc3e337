"""The user's data, whatever frame they come in, as named columns of one length."""

import warnings
from collections.abc import Mapping

import numpy as np

from glmbayes.design.columns import canonical
from glmbayes.design.factor import Factor
from glmbayes.errors import FormulaError


class Table:
    """Columns by name, converted when first asked for.

    Attributes
    ----------
    names : tuple of str
    n : int or None
        Rows before `rows` are taken; None until `settle` for a dict, and without data.
    index : pandas.Index or None
    rows : integer array or None
        The rows in use; None is all of them.
    """

    def __init__(self, source, keys, n, index=None, repeated=()):
        self._source = source
        self._keys = keys
        self._repeated = repeated
        self._columns = {}
        self._loose = isinstance(source, Mapping)  # its columns may have indexes of their own
        self.names = tuple(keys)
        self.n = n
        self.index = index
        self.rows = None

    def __contains__(self, name):
        return name in self._keys

    def settle(self, names):
        """Set the number of rows of a dict by the first of `names`, then of its columns, that has a length."""
        if self.n is None and self._keys:
            wanted = [self._keys[name] for name in names if name in self._keys]
            columns = (self._source[key] for key in (*wanted, *self._keys.values()))
            self.n = next((_rows(column) for column in columns if not _single(column)), 1)

    def column(self, name):
        """The canonical column (see `columns.canonical`), restricted to the rows in use."""
        value = self._columns.get(name)
        if value is None:
            if name in self._repeated:
                raise FormulaError(f"data has several columns named {name}: rename them.")
            raw = self._source[self._keys[name]]
            if self._loose:
                self.same_index(raw, f"column {name}")
            value = canonical([raw] if _single(raw) else raw, f"column {name}")
            if _single(raw):
                value = take_rows(value, np.zeros(self.n, dtype=np.intp))
            value = self._columns[name] = self.in_use(value, f"column {name}")
        return value

    def same_index(self, raw, name):
        """Refuse a pandas object whose labels are not those of the data: its rows would be matched wrongly."""
        index = getattr(raw, "index", None)
        if index is None or callable(index) or not hasattr(raw, "to_numpy"):
            return
        if self.index is None:
            self.index = index
        elif not self.index.equals(index):
            raise FormulaError(
                f"{name} has another index than the data: rows would be matched wrongly. Reindex it, or match by "
                "position with .to_numpy()."
            )

    def in_use(self, value, name):
        """The rows in use of a value with one entry per row of the data."""
        if len(value) != self.n:
            raise FormulaError(f"{name} has {len(value)} entries but the data have {self.n} rows.")
        return value if self.rows is None else take_rows(value, self.rows)

    def restrict(self, rows):
        """Use only `rows` from now on."""
        self._columns.clear()
        self.rows = rows

    @property
    def size(self):
        """Number of rows in use."""
        return self.n if self.rows is None else len(self.rows)


def take_rows(value, rows):
    """Some rows of a canonical column."""
    return value.take(rows) if isinstance(value, Factor) else value[rows]


def _single(raw):
    """A value for all rows, such as {"group": "Trt"}."""
    return isinstance(raw, (str, bytes)) or not hasattr(raw, "__len__") or getattr(raw, "shape", None) == ()


def as_table(data, argument="data"):
    """Wrap pandas, polars, dicts of columns, structured arrays, and frames that convert to pandas."""
    if data is None:
        return Table({}, {}, None)
    kind = type(data)
    if kind.__module__.startswith("glmbayes"):
        raise FormulaError(
            f"{argument} is a {kind.__name__}: the second argument is the data, the prior comes after them. Write "
            f"lmb(formula, data=df, pfamily={kind.__name__}(...))."
        )
    if isinstance(data, Mapping):
        return Table(data, {str(key): key for key in data}, None)
    package = kind.__module__.partition(".")[0]
    if package == "polars" and hasattr(data, "collect"):
        data = data.collect()  # a LazyFrame
    if package in ("pandas", "polars") and hasattr(data, "columns"):
        keys = {str(key): key for key in data.columns}
        repeated = ()
        if len(keys) != len(data.columns):
            names = [str(key) for key in data.columns]
            repeated = {name for name in names if names.count(name) > 1}
        return Table(data, keys, len(data), getattr(data, "index", None), repeated)
    if isinstance(data, np.ndarray) and data.dtype.names:
        return Table(data, {name: name for name in data.dtype.names}, len(data))
    converted = _to_pandas(data)
    if converted is None:
        advice = " An array has no column names: give {'y': y, 'x': x}." if isinstance(data, np.ndarray) else ""
        raise FormulaError(
            f"{argument} must be a pandas or polars DataFrame, a dict of columns, or None; got {kind.__name__}.{advice}"
        )
    return as_table(converted, argument)


def _rows(column):
    return column.shape[0] if hasattr(column, "shape") else len(column)


def _to_pandas(data):
    """Other data frames by their own conversion or the interchange protocols; None when there is none."""
    for method in ("to_pandas", "to_dataframe"):
        if hasattr(data, method):
            frame = getattr(data, method)()
            return frame if hasattr(frame, "columns") and hasattr(frame, "index") else None
    if hasattr(data, "__dataframe__"):
        from pandas.api.interchange import from_dataframe

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pandas 3 deprecates the protocol
            return from_dataframe(data)
    if hasattr(data, "__arrow_c_stream__"):
        import pandas as pd

        try:
            return pd.DataFrame.from_arrow(data)
        except (AttributeError, ImportError):  # pandas before 3, or no pyarrow
            return None
    return None
