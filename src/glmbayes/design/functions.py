"""What a formula can call: R's names for the usual transforms, factors and contrasts, and patsy's splines.

Transforms that learn from the data (means, knots, polynomials) are classes with patsy's stateful protocol
`memorize_chunk`, `memorize_finish`, `transform`, so that new data are transformed as the old were.
"""

import functools

import numpy as np

from glmbayes.design.columns import canonical
from glmbayes.design.factor import Factor, level_label
from glmbayes.errors import FormulaError


class Standardize:
    """`standardize(x)` as in patsy: subtract the mean, divide by the standard deviation (ddof = 0)."""

    def memorize_chunk(self, x, center=True, rescale=True, ddof=0):
        self.mean = np.mean(x, axis=0)
        self.sd = _root_mean_square(x - self.mean, ddof) if rescale else 1.0

    def memorize_finish(self):
        pass

    def transform(self, x, center=True, rescale=True, ddof=0):
        return (x - self.mean if center else x) / self.sd


class Scale(Standardize):
    """`scale(x, center=True, scale=True)` as in R: n - 1 below; without centring, the root mean square."""

    def memorize_chunk(self, x, center=True, scale=True):
        self.mean = np.mean(x, axis=0) if center else 0.0
        self.sd = _root_mean_square(x - self.mean, 1) if scale else 1.0

    def transform(self, x, center=True, scale=True):
        return (x - self.mean) / self.sd


def _root_mean_square(deviations, ddof):
    value = np.sqrt(np.sum(deviations**2, axis=0) / max(len(deviations) - ddof, 1))
    if not np.all(value > 0.0):
        raise FormulaError("a constant column cannot be scaled: its standard deviation is 0.")
    return value


class Center:
    """`center(x)`: subtract the mean."""

    def memorize_chunk(self, x):
        self.mean = np.mean(x, axis=0)

    def memorize_finish(self):
        pass

    def transform(self, x):
        return x - self.mean


class Polynomial:
    """`poly(x, degree)` as in R: orthonormal polynomials on the data; `raw=True` gives plain powers.

    The three-term recursion of Stieltjes, so that new data follow the very same arithmetic.
    """

    def memorize_chunk(self, x, degree=1, raw=False):
        if np.ndim(x) != 1:
            raise FormulaError("it takes one column; for several, write their polynomials as separate terms.")
        if not isinstance(degree, (int, np.integer)) or degree < 1:
            raise FormulaError(f"the degree must be a whole number of at least 1; got {degree!r}.")
        if not raw and np.unique(x).size <= degree:
            raise FormulaError(f"degree {degree} needs more than {degree} distinct values.")
        self.centre, self.ratio, self.norm = [], [0.0], []
        if raw:
            return
        before, now = np.zeros_like(x), np.ones_like(x)
        squares = float(np.size(x))
        for _ in range(degree):
            self.centre.append(float(np.sum(x * now * now)) / squares)
            before, now = now, (x - self.centre[-1]) * now - self.ratio[-1] * before
            self.ratio.append(float(np.sum(now * now)) / squares)
            squares *= self.ratio[-1]
            self.norm.append(np.sqrt(squares))

    def memorize_finish(self):
        pass

    def transform(self, x, degree=1, raw=False):
        if raw:
            return np.column_stack([x**k for k in range(1, degree + 1)])
        out = np.empty((np.shape(x)[0], degree))
        before, now = np.zeros_like(x), np.ones_like(x)
        for k in range(degree):
            before, now = now, (x - self.centre[k]) * now - self.ratio[k] * before
            out[:, k] = now / self.norm[k]
        return out


def log(x, base=None):
    """Natural logarithm, or to `base`."""
    return np.log(x) if base is None else np.log(x) / np.log(base)


def factor(x, levels=None, ordered=None):
    """Categories of x; levels sorted, or in the order given."""
    column = canonical(x, "factor()")
    if not isinstance(column, Factor):
        if column.ndim != 1:
            raise FormulaError("a factor takes one column.")
        values, codes = np.unique(column, return_inverse=True)
        codes = codes.astype(np.intp)
        if values.size and column.dtype.kind == "f" and np.isnan(values[-1]):
            codes[codes == values.size - 1] = -1
            values = values[:-1]
        column = Factor(codes, tuple(values.tolist()))
    if levels is not None:
        wanted = tuple(level_label(v) for v in levels)
        lost = [label for label in column.labels if label not in wanted]
        if lost:
            raise FormulaError(f"levels= does not list {', '.join(lost)}, which the data hold.")
        place = np.array([*(wanted.index(label) for label in column.labels), -1])
        column = Factor(place[column.codes], tuple(levels), column.ordered)
    return Factor(column.codes, column.levels, column.ordered if ordered is None else bool(ordered))


def ordered(x, levels=None):
    """An ordered factor: it gets polynomial contrasts."""
    return factor(x, levels, ordered=True)


class Relevel:
    """`relevel(x, ref)`: the factor with `ref` as its first, the reference, level."""

    def memorize_chunk(self, x, ref):
        labels = factor(x).labels
        if level_label(ref) not in labels:
            raise FormulaError(f"{level_label(ref)!r} is not a level; they are {', '.join(labels)}.")

    def memorize_finish(self):
        pass

    def transform(self, x, ref):
        column = factor(x)
        first = [i for i, label in enumerate(column.labels) if label == level_label(ref)]  # new data may lack it
        order = [*first, *(i for i in range(len(column.levels)) if i not in first)]
        place = np.append(np.argsort(order), -1)
        return Factor(place[column.codes], tuple(column.levels[i] for i in order), column.ordered)


def C(x, contrast=None, levels=None):
    """The categories of x with a contrast: Treatment, Sum, Poly, Helmert, Diff, or a matrix."""
    column = factor(x, levels)
    return Factor(column.codes, column.levels, column.ordered, contrast)


def cbind(*columns):
    """Columns side by side."""
    return np.column_stack([np.asarray(canonical(c, "cbind()"), dtype=np.float64) for c in columns])


def c(*values):
    """R's vectors: `bs(x, knots=c(1, 2))`."""
    return np.array(values)


def identity(x):
    """`I(x)` and the inside of `offset(x)`."""
    return x


_NUMERIC = {
    "log": log, "log2": np.log2, "log10": np.log10, "log1p": np.log1p, "exp": np.exp, "expm1": np.expm1,
    "sqrt": np.sqrt, "abs": np.abs, "sin": np.sin, "cos": np.cos, "tan": np.tan,
    "I": identity, "offset": identity, "as.numeric": identity, "cbind": cbind,
    "c": c, "ifelse": np.where, "pmin": np.minimum, "pmax": np.maximum,
}  # fmt: skip
_STATEFUL = {"scale": Scale, "standardize": Standardize, "center": Center, "poly": Polynomial, "relevel": Relevel}
_FACTORS = {
    "C": C, "factor": factor, "ordered": ordered, "as.factor": factor, "as.ordered": ordered,
}  # fmt: skip
_PATSY = {
    "bs": "bs", "cr": "cr", "cc": "cc", "te": "te",
    "Treatment": "Treatment", "Sum": "Sum", "Poly": "Poly", "Helmert": "Helmert", "Diff": "Diff",
    "contr.treatment": "Treatment", "contr.sum": "Sum", "contr.poly": "Poly", "contr.helmert": "Helmert",
}  # fmt: skip
_CONSTANTS = {"np": np, "TRUE": True, "FALSE": False, "NULL": None, "Q": "Q"}
FUNCTION_NAMES = frozenset([*_NUMERIC, *_STATEFUL, *_FACTORS, *_PATSY, *_CONSTANTS])


@functools.cache
def formula_function(name):
    """The object behind one of FUNCTION_NAMES (Q, which needs the data, is the evaluator's)."""
    for table in (_NUMERIC, _STATEFUL, _FACTORS, _CONSTANTS):
        if name in table:
            return table[name]
    import patsy

    return getattr(patsy, _PATSY[name])


def stateful_class(function):
    """The class behind a transform that learns from data, or None."""
    if isinstance(function, type) and hasattr(function, "memorize_chunk"):
        return function
    return getattr(function, "__patsy_stateful_transform__", None)
