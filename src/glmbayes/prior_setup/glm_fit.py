"""Maximum likelihood of a generalised linear model, converged to rounding, and what it takes to see that there is none.

Newton's method runs in coordinates that an orthogonal factorisation of the design gives, where the information is
well conditioned whatever the columns are; the covariance comes from a second factorisation, of the design weighted by
the expected information, so that X'WX is never formed.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg.lapack import dtrtri, dtrtrs

from glmbayes.checks import EMPTY
from glmbayes.errors import InputError
from glmbayes.glm_response import glm_response
from glmbayes.kernels import glm_mode
from glmbayes.kernels.jit import plain
from glmbayes.prior_setup.fit import MLFit, invert_triangle
from glmbayes.rows import reduce

_COMPILED_UP_TO = 2_000_000  # entries of X: beyond, passes are single calls from Python, so that Ctrl-C works
_CONVERGED = 1e-6  # gradient in standard errors: where rounding of huge sums stops the search, good enough
_FAR = 1e10  # variance of a linear predictor that only separation reaches
_WEAK = 1e-4  # and the square of its ratio to the standard error: it grows like the logarithm


@dataclass(frozen=True, eq=False)
class FamilyMLFit(MLFit):
    """Maximum likelihood in a generalised linear model, with the rows it used (those of positive weight).

    Attributes
    ----------
    y, weights, fitted : (n_plus,) arrays
        Response, weight and fitted mean.
    """

    y: np.ndarray
    weights: np.ndarray
    fitted: np.ndarray


def fit_glm(design, family):
    """Fit a design; see `fit_ml`."""
    names, p = design.names, design.p
    y, weights = glm_response(design, family)
    X, offset = design.X, np.zeros(design.n) if design.offset is None else design.offset
    n_weights = float(design.n if design.weights is None else design.weights.sum())
    used = weights > 0.0
    if not used.all():
        X, y, weights, offset = X[used], y[used], weights[used], offset[used]
    estimated = family.has_dispersion or family.quasi
    _check_counts(y.shape[0], p, names, family, estimated)
    intercept = names[0] == "(Intercept)"
    worth = _typical_information(family, y, weights)
    scale = max(1.0, 1.0 / (worth * weights.max()))
    search_weights = weights if scale == 1.0 else scale * weights
    worth *= scale
    null = _null_intercept(family, y, search_weights, offset, design.response.name) if intercept else np.nan

    triangle = np.ascontiguousarray(reduce(y, X, EMPTY, weights, "precision").triangle[:p, :p])
    invert_triangle(triangle, names)  # refuses aliased columns
    Q = np.ascontiguousarray(dtrtrs(triangle, X.T, trans=1)[0].T)  # X = Q R, row by row
    mode, factor = _newton(family, Q, y, search_weights, offset)
    coefficients = dtrtrs(triangle, mode)[0]
    if factor is None:
        raise InputError(_separated(design, family, ()))
    _refuse_separation(design, family, Q, weights, worth, mode, factor, triangle, coefficients)

    eta = X @ coefficients + offset
    with np.errstate(over="ignore"):  # to the right value, in the tail of the complementary log-log
        fitted = family.linkinv(eta)
        information = _expected_information(family, eta, fitted, weights)
    if information is not weights:
        triangle = reduce(y, X, EMPTY, information, "precision").triangle[:p, :p]
    root, _ = dtrtri(triangle)
    dispersion = 1.0
    if estimated:
        dispersion = _pearson(family, y, fitted, weights) / (y.shape[0] - p)
        if dispersion <= (50.0 * np.finfo(float).eps) ** 2:
            raise InputError(
                f"the model fits the response {design.response.name} exactly: the dispersion of family {family} cannot "
                "be estimated. Is the response a function of the terms? Else give a prior of your own."
            )
    null_fitted = family.linkinv(offset + null if intercept else offset)
    return FamilyMLFit(
        coefficients=coefficients,
        root=root,
        dispersion=dispersion,
        null_intercept=null,
        deviance=float(np.sum(family.deviance(y, fitted, weights))),
        null_deviance=float(np.sum(family.deviance(y, null_fitted, weights))),
        n_weights=n_weights,
        n_plus=float(y.shape[0]),
        y=y,
        weights=weights,
        fitted=fitted,
    )


def _check_counts(n, p, names, family, estimated):
    if n < p + estimated:
        more = "more observations than" if estimated else "at least as many observations as"
        raise InputError(
            f"a maximum-likelihood fit with family {family} needs {more} coefficients: got {n} row(s) with positive "
            f"weight for {p} coefficient(s) ({', '.join(names)}). Give a prior of your own."
        )


def _typical_information(family, y, weights):
    """What a row of weight 1 says about its linear predictor, in a model without effects.

    Where no row says as much as 1 (tiny weights, counts in large units) the search runs with larger weights, which
    leave the maximum where it is: its stopping rule has an absolute scale.
    """
    if family.name == "Gamma":
        return 1.0
    return float(family.variance(np.average(y, weights=weights))) or 1.0


def _null_intercept(family, y, weights, offset, name):
    """Intercept of the model without effects."""
    mean = float(np.average(y, weights=weights))
    binomial = family.name.endswith("binomial")
    if mean == 0.0 or (binomial and mean == 1.0):
        event = {0.0: "0 (failure)", 1.0: "1 (success)"}[mean] if binomial else "0"
        raise InputError(
            f"every row of the response {name} is {event}: the maximum-likelihood estimate of the intercept is "
            "infinite and no default prior can be built from it. Give mu and Sigma yourself, dNormal(mu, Sigma): "
            "under a prior of finite variances the posterior is proper."
        )
    if not offset.any():
        return float(family.linkfun(mean))
    mode, factor = _newton(family, np.ones((y.shape[0], 1)), y, weights, offset)
    if factor is None:
        raise InputError(f"the intercept of the model without effects was not found for family {family}: {_SCALES}")
    return float(mode[0])


_SCALES = "the log-likelihood is not finite, or too flat. Check the scale of the offset, the weights and the columns."


def _newton(family, Q, y, weights, offset):
    """Maximum (p,) and Cholesky factor of the observed information there, or None where it is numerically singular."""
    n, p = Q.shape
    search = glm_mode.find_mode
    if Q.size > _COMPILED_UP_TO:
        search = plain(search, "evaluate")
    work = np.empty(n), np.empty(n), np.empty(n)
    mode, factor, _, gradient, status = search(
        family.kernel, Q, y, weights, offset, np.zeros(p), np.zeros((p, p)), *work
    )
    if status == glm_mode.NOT_POSITIVE_DEFINITE:
        return mode, None
    if status != glm_mode.OK and not (status == glm_mode.NOT_CONVERGED and gradient <= _CONVERGED):
        raise InputError(f"the maximum-likelihood estimate was not found for family {family}: {_SCALES}")
    return mode, factor


def _expected_information(family, eta, fitted, weights):
    """Weights of Fisher's information; 0 for rows so far out that their variance underflows."""
    if family.name == "Gamma":
        return weights
    variance, slope = family.variance(fitted), family.mu_eta(eta)
    return weights * slope * np.where(variance > 0.0, slope / np.where(variance > 0.0, variance, 1.0), 0.0)


def _pearson(family, y, fitted, weights):
    """Squared errors in units of the variance function, summed."""
    if family.name == "Gamma":
        return float(np.sum(weights * (y / fitted - 1.0) ** 2))
    variance = family.variance(fitted)  # 0 in rows fitted as 0 or 1 to the last digit
    return float(np.sum(weights * (y - fitted) ** 2 / np.where(variance > 0.0, variance, 1.0)))


def _refuse_separation(design, family, Q, weights, worth, mode, factor, triangle, coefficients):
    """Raise when the maximum is at infinity.

    The search then ends where the likelihood is flat to rounding: some linear predictors have moved by a few tens
    while their variances have grown beyond `_FAR`, in units of 1 or, where that is more, of 1 / (worth * weight), what
    the row alone can tell.
    """
    spread = np.tril(dtrtri(np.asfortranarray(factor), lower=1)[0])
    if worth * np.sum(spread**2) <= _FAR:  # which bounds all of them: weight * |row of Q|^2 <= 1
        return
    variance = np.sum((Q @ spread.T) ** 2, axis=1)
    told = np.minimum(worth * weights, 1.0)
    if not np.any((told * variance > _FAR) & ((Q @ mode) ** 2 < _WEAK * variance)):
        return
    errors = np.sum(dtrtrs(triangle, np.ascontiguousarray(spread.T))[0] ** 2, axis=1)
    lost = (errors * np.max(design.X**2, axis=0) > _FAR) & (coefficients**2 < _WEAK * errors)
    raise InputError(_separated(design, family, np.flatnonzero(lost)))


def _separated(design, family, lost):
    what = "rows that are all 0" if family.name.endswith("poisson") else "successes from failures"
    which, columns = "", "columns" if design.offset is None else "columns, with the offset,"
    if len(lost):
        which = f" (of {', '.join(design.names[j] for j in lost[:5])}{', ...' if len(lost) > 5 else ''})"
    return (
        f"separation: a combination of the {columns} tells apart {what} in the response {design.response.name}, so the "
        f"maximum-likelihood estimate{which} is infinite and no default prior can be built from it. Give mu and Sigma "
        "yourself, dNormal(mu, Sigma): under a prior of finite variances the posterior is proper, and it is drawn from "
        "exactly as any other."
    )
