"""The one place that coerces and validates what users pass in.

Well-formed float64 arrays take a fast path: inside a Gibbs loop these checks run a million times.  Whatever else
comes in (lists, pandas, polars, integers) is converted, and what cannot be converted is refused with its name.
"""

import math
from collections.abc import Mapping

import numpy as np

from glmbayes.errors import InputError

_FLOAT = np.dtype(np.float64)
EMPTY = np.empty(0)
_MOST = 10**12


def float_array(value, name, ndim):
    """`value` as a C-contiguous writable float64 array with `ndim` dimensions; not copied when it is one already."""
    if type(value) is np.ndarray and value.dtype is _FLOAT and value.ndim == ndim and value.flags.carray:
        return value
    array = _numeric(value, name)
    if ndim == 2 and isinstance(value, Mapping):
        array = array.T  # a dict of columns
    if array.ndim < ndim and (array.ndim == 0 or ndim == 2):
        array = array.reshape(-1, 1) if ndim == 2 else array.reshape(1)
    elif array.ndim > ndim and array.size == max(array.shape):
        array = array.reshape(-1)
    if array.ndim != ndim:
        kind = {1: "a vector", 2: "a matrix (rows x columns)", 3: "a (J, p, p) array"}[ndim]
        raise InputError(f"{name} must be {kind}; got an array of shape {array.shape}.")
    array = np.ascontiguousarray(array)
    return array if array.flags.writeable and array.flags.aligned else array.copy()


def any_float_array(value, name):
    """`value` as a C-contiguous float64 array of whatever dimension."""
    if type(value) is np.ndarray and value.dtype is _FLOAT and value.flags.carray:
        return value
    if value is None or isinstance(value, (int, float, str, np.generic)):
        return np.array(scalar(value, name, finite=False))
    return np.ascontiguousarray(_numeric(value, name))


def _numeric(value, name):
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, np.ma.MaskedArray):
        value = value.astype(object).filled(np.nan)
    if hasattr(value, "to_numpy"):
        array = _from_table(value)
    else:
        try:
            array = np.asarray(value)
        except ValueError as error:
            raise InputError(f"{name} must be a rectangular array of numbers; got {_short(value)} ({error}).") from None
    if array.dtype.kind in "fiub":
        return array.astype(np.float64, copy=False)
    if array.dtype.kind == "O":
        try:
            if not any(isinstance(v, (str, bytes)) for v in array.flat):
                return array.astype(np.float64)
        except (TypeError, ValueError, OverflowError):
            pass
    raise InputError(
        f"{name} must hold numbers; got {_describe(array, value)}. "
        "Turn categories into indicator columns, or fit with a formula, which does."
    )


def _from_table(value):
    """A pandas or polars object as an array: of floats when every column is numeric, its missing values NaN."""
    dtypes = value.dtypes if hasattr(value, "columns") else [value.dtype]
    if all(getattr(dtype, "kind", "O") in "fiub" for dtype in dtypes):  # pandas; nullable columns included
        return value.to_numpy(dtype=np.float64, na_value=np.nan)
    if any(str(dtype) == "category" for dtype in dtypes):  # numbers as labels of categories are no numbers
        return np.asarray(value).astype(object).astype(str)
    return value.to_numpy()


def _describe(array, value):
    if hasattr(value, "columns") and hasattr(value, "dtypes"):
        columns = [str(c) for c in value.columns if _from_table(value[c]).dtype.kind not in "fiub"]
        return f"non-numeric column(s) {', '.join(columns)}"
    kinds = {"U": "strings", "S": "bytes", "M": "dates", "m": "time differences", "c": "complex numbers"}
    return kinds.get(array.dtype.kind, f"{array.dtype} values such as {_short(array.flat[0] if array.size else value)}")


def _short(value):
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def labels_of(value, axis=0):
    """Names carried by a pandas or polars object or a dict, as a tuple of strings, or None."""
    if type(value) is np.ndarray or isinstance(value, (list, tuple, float, int)):
        return None
    if isinstance(value, Mapping):
        return tuple(str(k) for k in value)
    labels = getattr(value, "index" if axis == 0 else "columns", None)
    if labels is None or callable(labels):
        return None
    labels = tuple(labels)
    if not labels or not all(isinstance(v, str) for v in labels):
        return None
    return labels


def count(n, name="n"):
    """A positive integer."""
    if type(n) is int and 0 < n <= _MOST:
        return n
    if (
        isinstance(n, (bool, np.bool_))
        or not isinstance(n, (int, float, np.integer, np.floating))
        or n != n // 1
        or n < 1
    ):
        raise InputError(f"{name} must be a whole number of draws, at least 1; got {_short(n)}.")
    if n > _MOST:
        raise InputError(f"{name} must be at most {_MOST}, more than memory holds; got {_short(n)}.")
    return int(n)


def scalar(value, name, *, above=None, at_least=None, at_most=None, finite=True):
    """A float, within bounds; size-1 arrays are accepted."""
    if isinstance(value, float):
        value = float(value)
    else:
        if value is None or isinstance(value, (bool, np.bool_, str, bytes, complex, np.complexfloating)):
            raise InputError(f"{name} must be a number; got {_short(value)}.")
        array = value if isinstance(value, (int, np.integer, np.floating)) else _numeric(value, name)
        if np.size(array) != 1:
            raise InputError(f"{name} must be a single number; got an array of shape {np.shape(array)}.")
        try:
            value = float(np.reshape(array, ())) if isinstance(array, np.ndarray) else float(array)
        except OverflowError:
            value = math.inf
    if (finite and not math.isfinite(value)) or value != value:
        raise InputError(f"{name} must be finite; got {value}.")
    if above is not None and not value > above:
        raise InputError(f"{name} must be greater than {above:g}; got {value:g}.")
    if at_least is not None and not value >= at_least:
        raise InputError(f"{name} must be at least {at_least:g}; got {value:g}.")
    if at_most is not None and not value <= at_most:
        raise InputError(f"{name} must be at most {at_most:g}; got {value:g}. Use other units.")
    return value


def option(value, name, choices):
    """One of a few strings."""
    if not isinstance(value, str) or value not in choices:
        raise InputError(f"{name} must be one of {', '.join(map(repr, choices))}; got {_short(value)}.")
    return value


def regression_arrays(y, x, offset, weights):
    """Coerce the arrays of a regression and check their shapes; values are checked by the compiled code.

    Returns y (n,), x (n, p), offset, weights (n,) or empty.
    """
    y = float_array(y, "y", 1)
    x = float_array(x, "x", 2)
    n = y.shape[0]
    if x.shape[0] != n:
        if x.shape[0] == 1 and x.shape[1] == n and n > 1:
            raise InputError(f"x must have one row per observation ({n}); got one row of {n}: transpose it.")
        raise InputError(f"x must have as many rows as y has entries ({n}); got shape {x.shape}.")
    if n == 0 or x.shape[1] == 0:
        raise InputError(f"y and x must not be empty; got {n} observations and {x.shape[1]} columns.")
    return y, x, _row_argument(offset, "offset", n), _row_argument(weights, "weights", n)


def _row_argument(value, name, n):
    if value is None:
        return EMPTY
    value = float_array(value, name, 1)
    if value.shape[0] != n:
        raise InputError(f"{name} must have one entry per observation ({n}); got {value.shape[0]}.")
    return value


def refuse_rows(y, x, offset, weights):
    """Explain what the compiled code refused: raise for the first bad value found."""
    for name, array in (("y", y), ("x", x), ("offset", offset), ("weights", weights)):
        bad = ~np.isfinite(array)
        if bad.any():
            where = tuple(int(i) for i in np.argwhere(bad)[0])
            kind = "NaN (missing)" if np.isnan(array[where]) else "infinite"
            raise InputError(
                f"{name} must be finite; {int(bad.sum())} value(s) are not, the first at index "
                f"{where[0] if len(where) == 1 else where} is {kind}. Drop or impute these rows."
            )
    if weights.size and (weights < 0).any():
        i = int(np.argmax(weights < 0))
        raise InputError(f"weights must not be negative; got {weights[i]:g} at index {i}.")
    raise InputError("y and x are too large for double precision: rescale them (the sum of squares overflows).")
