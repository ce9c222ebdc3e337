"""The maximum-likelihood fit that default priors are built from."""

from dataclasses import dataclass

import numpy as np
from scipy.linalg.lapack import dtrtri, dtrtrs

from glmbayes.checks import EMPTY
from glmbayes.design.aliasing import aliased_columns, looks_aliased
from glmbayes.errors import InputError
from glmbayes.rows import reduce

_EPS = float(np.finfo(float).eps)


@dataclass(frozen=True, eq=False)
class MLFit:
    """Maximum likelihood for the coefficients.

    Attributes
    ----------
    coefficients : (p,) array
    root : (p, p) array
        root @ root.T is the covariance of the coefficients for dispersion 1.
    dispersion : float
        Estimate with the residual degrees of freedom below: RSS / (n_plus - p).
    null_intercept : float
        Intercept of the model without effects, NaN when the model has none.
    triangle : (p, p) array
        R factor of W^1/2 X, root's inverse.
    projected : (p,) array
        The weighted response minus offset in the basis of R: RSS(b) = rss + |projected - triangle @ b|^2.
    rss : float
        Weighted residual sum of squares at the coefficients.
    n_weights : float
        What the weights count as: their sum, or the number of positive ones ("precision").
    n_plus : float
        Rows with positive weight.
    """

    coefficients: np.ndarray
    root: np.ndarray
    dispersion: float
    null_intercept: float
    triangle: np.ndarray
    projected: np.ndarray
    rss: float
    n_weights: float
    n_plus: float

    def squared_errors(self, beta):
        """Weighted sum of squared errors at `beta`."""
        rest = self.projected - self.triangle @ beta
        return self.rss + float(rest @ rest)


def fit_ml(design, family="gaussian", weights_type="frequency"):
    """Fit a design by maximum likelihood, by an orthogonal factorisation of blocks of rows.

    Parameters
    ----------
    design : Design
        With one numeric response.
    family : str
        "gaussian".
    weights_type : "frequency" or "precision"

    Returns
    -------
    MLFit

    Raises
    ------
    InputError
        Aliased columns (named), as many coefficients as observations, an exact fit.
    """
    if family != "gaussian":
        raise InputError(f"family must be 'gaussian' here; got {family!r}.")
    names, p = design.names, design.p
    offset = EMPTY if design.offset is None else design.offset
    weights = EMPTY if design.weights is None else design.weights
    rows = reduce(design.y, design.X, offset, weights, weights_type)
    triangle, projected = rows.triangle[:p, :p], rows.triangle[:p, p]
    _check_counts(rows, p, names, weights)
    root, info = dtrtri(triangle)
    if info != 0 or looks_aliased(triangle, root):
        found = aliased_columns(triangle)
        if found:
            verb = "is a combination" if len(found) == 1 else "are combinations"
            raise InputError(
                f"the design is rank deficient: {', '.join(names[j] for j in found)} {verb} of earlier columns, so the "
                "data cannot tell their effects apart. Leave out such terms, or give a proper prior of your own."
            )
    rss = float(rows.triangle[p, p] ** 2)
    length = float(np.sum(rows.triangle[:, p] ** 2))
    if rss <= (50.0 * _EPS) ** 2 * length:
        raise InputError(_exact_fit(design, offset))
    return MLFit(
        coefficients=dtrtrs(triangle, projected)[0],
        root=root,
        dispersion=rss / (rows.n - p),
        null_intercept=float(projected[0] / triangle[0, 0]) if names[0] == "(Intercept)" else np.nan,
        triangle=triangle,
        projected=projected,
        rss=rss,
        n_weights=rows.n_w,
        n_plus=rows.n,
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
