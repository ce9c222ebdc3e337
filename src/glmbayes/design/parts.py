"""The small records that a Design is made of."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np


class Block(NamedTuple):
    """Adjacent columns of X: a product of variables, the first varying fastest.

    Attributes
    ----------
    keys : tuple of str
        Code of each variable; none for the intercept.
    codings : tuple
        Contrast matrix of each categorical variable, None for a numeric one.
    columns : slice
    """

    keys: tuple
    codings: tuple
    columns: slice


@dataclass(frozen=True)
class Term:
    """A term of the model.

    Attributes
    ----------
    name : str
        As R prints it: "group", "x1:group", "(Intercept)".
    variables : tuple of str
        The names of its variables.
    columns : slice
        Its columns in X.
    """

    name: str
    variables: tuple
    columns: slice


@dataclass(frozen=True)
class Variable:
    """What a term multiplies, as the fit saw it.

    Attributes
    ----------
    name : str
    kind : str
        "numeric", "boolean" or "categorical".
    suffixes : tuple of str
        R's suffixes of the columns of a matrix such as poly(x, 2); ("",) for a single column.
    levels : tuple of str
        Levels of a categorical variable, in order.
    ordered : bool
    contrast : (levels, columns) array or None
        Its coding beside an intercept.
    contrast_names : tuple of str
    """

    name: str
    kind: str
    suffixes: tuple = ("",)
    levels: tuple = ()
    ordered: bool = False
    contrast: np.ndarray | None = None
    contrast_names: tuple = ()


@dataclass(frozen=True)
class Response:
    """The left-hand side.

    Attributes
    ----------
    name : str
        As R prints it: "log(y)", "cbind(a, b)".
    kind : str
        "numeric"; "boolean" (y is 0 and 1); "categorical" (y is the position in `levels`); "columns" (y is 2-D).
    levels : tuple of str
    columns : tuple of str
        Names of the columns of a 2-D response.
    """

    name: str
    kind: str
    levels: tuple = ()
    columns: tuple = ()


@dataclass(frozen=True)
class Column:
    """A column of the data that the terms use, summarised over the rows of the fit.

    Attributes
    ----------
    name : str
    kind : str
        "numeric", "boolean", "categorical", or "matrix".
    levels : tuple
        Of a categorical column, as in the data.
    low, mean, high : float
        Of a numeric column.
    """

    name: str
    kind: str
    levels: tuple = ()
    low: float = np.nan
    mean: float = np.nan
    high: float = np.nan
