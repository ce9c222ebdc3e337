"""Any column of any data frame as a float64 array, a boolean array, a Factor or a date array."""

import numbers

import numpy as np

from glmbayes.design.factor import Factor
from glmbayes.errors import FormulaError


def canonical(raw, name):
    """Convert a column; missing values become NaN, or code -1.

    Integers become float64, so that I(x^3) cannot overflow.  A float64 array is returned as it is, not copied.
    """
    if type(raw) is np.ndarray:
        return _array(raw, name)
    if isinstance(raw, np.ma.MaskedArray):
        return _array(np.ma.filled(raw.astype(np.float64), np.nan), name)
    if isinstance(raw, (Factor, float, int)):
        if isinstance(raw, int) and abs(raw) > 1e300:
            raise FormulaError(f"{name} must hold numbers that fit a double; got {raw!r:.20}...")
        return raw if isinstance(raw, Factor) else np.asarray(raw, dtype=bool if isinstance(raw, bool) else np.float64)
    module = type(raw).__module__.partition(".")[0]
    if module == "pandas":
        return _pandas(raw, name)
    if module == "polars":
        return _polars(raw, name)
    if hasattr(raw, "to_numpy"):
        return _array(np.asarray(raw.to_numpy()), name)
    if isinstance(raw, (str, bytes)):
        return _objects([raw], name)
    try:
        array = np.asarray(raw)
    except ValueError:
        raise FormulaError(f"{name} must be one value per row; its entries have different lengths.") from None
    if array.dtype.kind == "U" and not all(isinstance(v, str) for v in raw):
        array = np.asarray(raw, dtype=object)  # NumPy turns [1, "a", None] into strings
    return _array(array, name)


def _array(array, name):
    kind = array.dtype.kind
    if array.ndim == 0 and kind not in "fiub":
        raise FormulaError(f"{name} must be one value per row; got {type(array.item()).__name__}.")
    if kind in "fiu":
        if array.ndim > 2:
            raise FormulaError(f"{name} must be a column or a matrix; got an array of shape {array.shape}.")
        return array.astype(np.float64, copy=False)
    if kind in "bMm":
        return array
    if array.ndim > 1:
        raise FormulaError(f"{name} must be one value per row; got an array of {array.dtype}, shape {array.shape}.")
    if kind in "UO" or (kind == "T"):
        return _objects(array.tolist(), name)
    if kind == "S":
        return _objects(np.char.decode(array, "utf-8").tolist(), name)
    raise FormulaError(f"{name} must hold numbers or categories; got {array.dtype}.")


def _objects(values, name):
    """Strings are categories with sorted levels; Python numbers and booleans are what they are."""
    try:
        distinct = set(values)
    except TypeError:
        raise FormulaError(f"{name} must hold numbers or categories; got {type(values[0]).__name__} objects.") from None
    strings = [v for v in distinct if isinstance(v, str)]
    others = [v for v in distinct if not isinstance(v, str) and not _missing(v)]
    if strings and others:
        raise FormulaError(
            f"{name} mixes strings and other values, for instance {strings[0]!r} and {others[0]!r}: "
            "convert the column to one kind first."
        )
    if strings:
        return _coded(values, sorted(strings))
    if others and all(isinstance(v, (bool, np.bool_)) for v in others):
        if len(others) == len(distinct):
            return np.array(values, dtype=bool)
        return _coded(values, [False, True])
    if any(isinstance(v, complex) for v in others):
        raise FormulaError(f"{name} must hold numbers or categories; got complex numbers.")
    if others and all(hasattr(v, "year") for v in others):
        return np.array([None if _missing(v) else v for v in values], dtype="datetime64[us]")
    try:
        return np.array([np.nan if _missing(v) else float(v) for v in values])
    except OverflowError:
        raise FormulaError(f"{name} must hold numbers that fit a double.") from None
    except (TypeError, ValueError):
        odd = next(v for v in others if not isinstance(v, numbers.Real))
        raise FormulaError(f"{name} must hold numbers or categories; got {type(odd).__name__} objects.") from None


def _missing(value):
    """None, NaN, NaT and pandas.NA: none of them equals itself."""
    same = value == value
    return value is None or not (isinstance(same, (bool, np.bool_)) and same)


def _coded(values, levels, ordered=False):
    place = {level: i for i, level in enumerate(levels)}
    codes = np.fromiter((place.get(v, -1) for v in values), np.intp, len(values))
    return Factor(codes, tuple(levels), ordered)


def _pandas(raw, name):
    if getattr(raw, "ndim", 1) == 2:
        return _array(raw.to_numpy(), name)
    dtype = getattr(raw, "dtype", None)
    if isinstance(dtype, np.dtype):
        return _array(raw.to_numpy(), name)
    if hasattr(dtype, "categories"):
        values = raw.array if hasattr(raw, "array") else raw
        codes = np.asarray(values.codes, dtype=np.intp)
        return Factor(codes, tuple(values.categories.tolist()), bool(values.ordered))
    if dtype.kind in "iuf":
        return raw.to_numpy(dtype=np.float64, na_value=np.nan)
    if dtype.kind == "b" and not raw.isna().any():
        return raw.to_numpy(dtype=bool)
    if dtype.kind == "M" and getattr(dtype, "tz", None) is not None:
        return getattr(raw, "dt", raw).tz_convert(None).to_numpy()
    return _objects(raw.tolist(), name)


def _polars(raw, name):
    if hasattr(raw.dtype, "categories"):
        levels = raw.dtype.categories
        if levels is not None and hasattr(levels, "to_list"):  # an Enum keeps its order
            return _coded(raw.to_list(), levels.to_list())
    if raw.dtype.is_numeric() and not raw.dtype.is_decimal():
        return _array(raw.to_numpy(), name)
    if raw.dtype.is_temporal():
        return np.asarray(raw.to_numpy())
    return _objects(raw.to_list(), name)
