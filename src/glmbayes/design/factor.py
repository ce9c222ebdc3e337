"""A categorical variable, the names of its levels as R writes them, and its contrast coding."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from glmbayes.errors import FormulaError


@dataclass(frozen=True, eq=False)
class Factor:
    """A column of categories.

    Attributes
    ----------
    codes : (n,) integer array
        Position in `levels`; -1 is missing.
    levels : tuple
        As in the data: strings, numbers, booleans, ...
    ordered : bool
        Ordered factors get polynomial contrasts.
    contrast : object or None
        A patsy contrast (class or instance) or a matrix; None is R's default.
    """

    codes: np.ndarray
    levels: tuple
    ordered: bool = False
    contrast: Any = None

    def __len__(self):
        return len(self.codes)

    @property
    def labels(self):
        """The levels as R prints them."""
        return tuple(level_label(level) for level in self.levels)

    def take(self, rows):
        """The same factor on some of its rows."""
        return Factor(self.codes[rows], self.levels, self.ordered, self.contrast)


def level_label(level):
    """A level as R prints it: 4.0 is "4", True is "TRUE"."""
    if isinstance(level, str):
        return level
    if isinstance(level, (bool, np.bool_)):
        return "TRUE" if level else "FALSE"
    if isinstance(level, (float, np.floating)):
        return format(float(level), ".15g")
    return str(level)


def categorical(value):
    """A Factor as pandas.Categorical, which understands `==` and `isin`, for use inside expressions."""
    import pandas as pd

    return pd.Categorical.from_codes(value.codes, categories=list(value.levels), ordered=value.ordered)


def reduced_coding(factor):
    """Contrast matrix (levels x columns) for a factor beside its margin, and R's column suffixes.

    Treatment contrasts by default (first level is the reference), polynomial ones for ordered factors.
    """
    labels = factor.labels
    k = len(labels)
    contrast = factor.contrast
    if contrast is None and not factor.ordered:
        return np.eye(k)[:, 1:], labels[1:]
    if contrast is not None and not hasattr(contrast, "code_without_intercept"):
        matrix = np.asarray(contrast, dtype=np.float64)
        if matrix.ndim != 2 or matrix.shape[0] != k:
            raise FormulaError(
                f"a contrast matrix needs one row per level ({k}: {', '.join(labels)}); got shape {matrix.shape}."
            )
        return matrix, _numbers(matrix.shape[1])
    from patsy import Diff, Helmert, PatsyError, Poly, Sum, Treatment

    contrast = Poly if contrast is None else contrast
    contrast = contrast() if isinstance(contrast, type) else contrast
    if isinstance(contrast, Treatment):
        reference = _position(contrast.reference, labels)
        keep = [i for i in range(k) if i != reference]
        return np.eye(k)[:, keep], tuple(labels[i] for i in keep)
    try:
        coded = contrast.code_without_intercept(list(factor.levels))
    except PatsyError as error:
        raise FormulaError(f"the contrast does not fit the levels {', '.join(labels)}: {error.message}.") from None
    matrix = np.asarray(coded.matrix, dtype=np.float64)
    if isinstance(contrast, Poly):
        return matrix, (".L", ".Q", ".C", *(f"^{i}" for i in range(4, k)))[: k - 1]
    if isinstance(contrast, (Sum, Helmert)):
        return matrix, _numbers(k - 1)
    if isinstance(contrast, Diff):
        return matrix, tuple(f"{labels[i + 1]}-{labels[i]}" for i in range(k - 1))
    return matrix, tuple(coded.column_suffixes)


def _numbers(count):
    return tuple(str(i + 1) for i in range(count))


def _position(reference, labels):
    """A reference level given by its value, or by its position counted from 0."""
    if reference is None:
        return 0
    if level_label(reference) in labels:
        return labels.index(level_label(reference))
    if isinstance(reference, int) and -len(labels) <= reference < len(labels):
        return reference % len(labels)
    raise FormulaError(f"the reference level {reference!r} is not among the levels {', '.join(labels)}.")
