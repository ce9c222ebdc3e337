"""A maximum-likelihood fit, and what all of them check."""

from dataclasses import dataclass

import numpy as np
from scipy.linalg.lapack import dtrtri

from glmbayes.design.aliasing import aliased_columns, looks_aliased
from glmbayes.errors import InputError


@dataclass(frozen=True, eq=False)
class MLFit:
    """Maximum likelihood for the coefficients.

    Attributes
    ----------
    coefficients : (p,) array
    root : (p, p) array
        root @ root.T is the covariance of the coefficients for dispersion 1 (inverse of the expected information).
    dispersion : float
        1 for Poisson and binomial responses; otherwise Pearson's, the weighted squared errors in units of the
        variance function over the residual degrees of freedom n_plus - p (Gaussian: RSS / (n_plus - p)).
    null_intercept : float
        Intercept of the model without effects, NaN when the model has none.
    deviance, null_deviance : float
        Residual deviance at the coefficients, and of the model without effects (without an intercept: of the offset
        alone); not divided by the dispersion.
    n_weights : float
        What the data count as: rows, or the sum of the weights argument (Gaussian "precision" weights: the rows
        with positive weight).
    n_plus : float
        Rows with positive weight.
    """

    coefficients: np.ndarray
    root: np.ndarray
    dispersion: float
    null_intercept: float
    deviance: float
    null_deviance: float
    n_weights: float
    n_plus: float

    @property
    def se(self):
        """(p,) standard errors of the coefficients."""
        return np.sqrt(self.dispersion * np.sum(self.root**2, axis=1))


def invert_triangle(triangle, names):
    """Inverse of the R factor of a design; aliased columns are refused by name."""
    root, info = dtrtri(triangle)
    if info != 0 or looks_aliased(triangle, root):
        found = aliased_columns(triangle)
        if found:
            verb = "is a combination" if len(found) == 1 else "are combinations"
            raise InputError(
                f"the design is rank deficient: {', '.join(names[j] for j in found)} {verb} of earlier columns, so the "
                "data cannot tell their effects apart. Leave out such terms, or give a proper prior of your own."
            )
    return root
