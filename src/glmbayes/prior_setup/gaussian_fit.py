"""Least squares, by an orthogonal factorisation of blocks of rows."""

from dataclasses import dataclass

import numpy as np
from scipy.linalg.lapack import dtrtrs

from glmbayes.checks import EMPTY
from glmbayes.errors import InputError
from glmbayes.prior_setup.fit import MLFit, invert_triangle
from glmbayes.rows import reduce

_EPS = float(np.finfo(float).eps)


@dataclass(frozen=True, eq=False)
class GaussianMLFit(MLFit):
    """Maximum likelihood in the Gaussian model.

    Attributes
    ----------
    triangle : (p, p) array
        R factor of W^1/2 X, root's inverse.
    projected : (p,) array
        The weighted response minus offset in the basis of R: RSS(b) = rss + |projected - triangle @ b|^2.
    rss : float
        Weighted residual sum of squares at the coefficients.
    """

    triangle: np.ndarray
    projected: np.ndarray
    rss: float

    def squared_errors(self, beta):
        """Weighted sum of squared errors at `beta`."""
        rest = self.projected - self.triangle @ beta
        return self.rss + float(rest @ rest)


def fit_gaussian(design, weights_type="frequency"):
    """Fit a design with one numeric response; see `fit_ml`."""
    names, p = design.names, design.p
    offset = EMPTY if design.offset is None else design.offset
    weights = EMPTY if design.weights is None else design.weights
    rows = reduce(design.y, design.X, offset, weights, weights_type)
    triangle, projected = rows.triangle[:p, :p], rows.triangle[:p, p]
    _check_counts(rows, p, names, weights)
    root = invert_triangle(triangle, names)
    rss = float(rows.triangle[p, p] ** 2)
    length = float(np.sum(rows.triangle[:, p] ** 2))
    if rss <= (50.0 * _EPS) ** 2 * length:
        raise InputError(_exact_fit(design, offset))
    intercept = names[0] == "(Intercept)"
    return GaussianMLFit(
        coefficients=dtrtrs(triangle, projected)[0],
        root=root,
        dispersion=rss / (rows.n - p),
        null_intercept=float(projected[0] / triangle[0, 0]) if intercept else np.nan,
        deviance=rss,
        null_deviance=rss + float(np.sum(projected[int(intercept) :] ** 2)),
        n_weights=rows.n_w,
        n_plus=rows.n,
        triangle=triangle,
        projected=projected,
        rss=rss,
    )


def _check_counts(rows, p, names, weights):
    if rows.n <= p:
        where = " with positive weight" if weights.size else ""
        raise InputError(
            f"a default prior needs more observations than coefficients: got {rows.n:g} row(s){where} for {p} "
            f"coefficient(s) ({', '.join(names)}). Give a prior of your own."
        )
    if rows.n_w <= p:
        raise InputError(
            f"a default prior needs more observations than coefficients, and frequency weights count as observations: "
            f"they sum to {rows.n_w:g} for {p} coefficient(s). If they are precisions (variance = dispersion / "
            "weight), say weights_type='precision'."
        )


def _exact_fit(design, offset):
    y = design.y - offset if offset.size else design.y
    if np.ptp(y) == 0.0:
        less = " minus offset" if offset.size else ""
        return (
            f"the response {design.response.name}{less} is constant ({y[0]:g}): its residual variance is 0 and no "
            "default prior for the dispersion can be built from it."
        )
    return (
        f"the model fits the response {design.response.name} exactly (residual sum of squares 0): no default prior for "
        "the dispersion can be built from it. Is the response a combination of the terms?"
    )
