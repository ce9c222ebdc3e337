"""A design given as arrays: the same record without a formula."""

from dataclasses import dataclass

import numpy as np

from glmbayes.checks import float_array, labels_of, refuse_rows, regression_arrays
from glmbayes.design.parts import Column, Response, Term
from glmbayes.design.record import Design, NewDesign, Recipe
from glmbayes.errors import InputError


@dataclass(frozen=True, eq=False, repr=False)
class ArrayDesign(Design):
    """A `Design` whose matrix the user built; new data are matrices with the same columns."""

    def new(self, newdata, offset=None):
        """New rows: an (m, p) matrix, or a data frame with the coefficients' names as columns."""
        labels = labels_of(newdata, axis=1)
        if labels is not None and set(self.names) <= set(labels):
            newdata = newdata[list(self.names)]
        x = float_array(newdata, "newdata", 2)
        if x.shape[1] != len(self.names):
            raise InputError(f"newdata must have {len(self.names)} columns, as X had; got {x.shape[1]}.")
        if offset is None and self.offset is not None:
            raise InputError("the fit used an offset: give offset= for the new rows.")
        return NewDesign(x, offset, np.isfinite(x).all(axis=1), getattr(newdata, "index", None))


def array_design(y, X, names=None, weights=None, offset=None):
    """Build an `ArrayDesign` from a response, a design matrix and, optionally, coefficient names.

    Examples
    --------
    >>> import numpy as np
    >>> from glmbayes.design import array_design
    >>> array_design([1.0, 2.0], np.eye(2), names=["a", "b"]).names
    ('a', 'b')
    """
    if y is None or X is None:
        raise InputError("give a formula, or both y= and X=.")
    labels = labels_of(X, axis=1)
    index = getattr(X, "index", None)
    y, x, offset, weights = regression_arrays(y, X, offset, weights)
    if not (np.isfinite(y).all() and np.isfinite(x).all() and np.isfinite(offset).all() and np.isfinite(weights).all()):
        refuse_rows(y, x, offset, weights)
    if weights.size and (weights < 0).any():
        refuse_rows(y, x, offset, weights)
    names = labels or tuple(f"x{j + 1}" for j in range(x.shape[1])) if names is None else tuple(map(str, names))
    if len(names) != x.shape[1] or len(set(names)) != len(names):
        raise InputError(f"names must be {x.shape[1]} different names, one per column of X; got {list(names)}.")
    n = y.shape[0]
    return ArrayDesign(
        formula="y ~ X",
        y=y.copy(),
        X=x.copy(),
        names=names,
        weights=weights.copy() if weights.size else None,
        offset=offset.copy() if offset.size else None,
        extra={},
        response=Response("y", "numeric"),
        terms=tuple(Term(name, (name,), slice(j, j + 1)) for j, name in enumerate(names)),
        variables={},
        columns={
            name: Column(name, "numeric", low=x[:, j].min(), mean=x[:, j].mean(), high=x[:, j].max())
            for j, name in enumerate(names)
        },
        n_total=n,
        n_subset=0,
        n_missing=0,
        rows=None,
        index=index if index is not None and not callable(index) and len(index) == n else None,
        notes=(),
        scope_names=(),
        recipe=Recipe(),
    )
