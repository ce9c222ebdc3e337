"""Prior_Setup: default priors from a formula and data, or from a design already built."""

import sys
from collections.abc import Mapping

import numpy as np

from glmbayes.checks import labels_of, option, scalar
from glmbayes.design import build_design
from glmbayes.errors import InputError
from glmbayes.prior_setup.gaussian import calibrate
from glmbayes.prior_setup.ml import fit_ml
from glmbayes.prior_setup.record import PriorSettings, PriorSetup

_MANY = 14  # from this many coefficients on the default weight is larger


def Prior_Setup(
    formula,
    data=None,
    family="gaussian",
    *,
    weights=None,
    weights_type=None,
    offset=None,
    subset=None,
    na_action="drop",
    pwt=None,
    n_prior=None,
    sd=None,
    dispersion=None,
    mu=None,
    k=1,
    intercept_source="null_model",
    effects_source="null_effects",
):
    """Default prior parameters for a regression model.

    The coefficients get a Zellner-type normal prior: the covariance of the maximum-likelihood estimate, inflated so
    that the prior weighs `pwt` against the data's 1 - pwt, around the model without effects.  The dispersion gets a
    Gamma prior on its inverse worth `n_prior` observations, calibrated so that its posterior expectation under
    dNormal_Gamma is S / (n_eff - p), with S the residual sum of squares plus what the prior means cost.

    Parameters
    ----------
    formula, data, weights, offset, subset, na_action
        See `glmbayes.design.build_design`.
    family : str
        "gaussian".
    weights_type : "frequency", "precision" or None
        Whether a weight counts observations (they add up to the sample size) or divides the variance.  None means
        frequency and requires whole numbers.
    pwt : float or (p,) array, optional
        Prior weight in (0, 1), for all coefficients or for each; 0.01, or 0.05 from 14 coefficients on.
    n_prior : float, optional
        Prior sample size; it takes the place of a single pwt: pwt = n_prior / (n_prior + n_eff).  With a vector pwt
        it is what the dispersion's prior is worth, by default that of the mean pwt.
    sd : (p,) array, optional
        Prior standard deviations of the coefficients, instead of pwt; needs n_prior.
    dispersion : float, optional
        Residual variance to use instead of the calibrated one; Sigma, Sigma_0, rate and rate_gamma are built from it.
    mu : (p,) array, optional
        Prior means.  `mu`, `sd` and `pwt` are matched by name when they carry names (Series, dict).
    k : float
        Added to n_prior in the shape: the larger, the more certain the dispersion.
    intercept_source : "null_model" or "full_model"
        Prior mean of the intercept: from the model without effects, or from the full one.
    effects_source : "null_effects" or "full_model"
        Prior means of the other coefficients: 0, or the estimates.

    Returns
    -------
    PriorSetup

    Raises
    ------
    InputError
        Aliased columns, no more observations than coefficients, a constant response, fractional weights without
        weights_type, impossible settings; FormulaError from the formula.

    Examples
    --------
    >>> from glmbayes import Prior_Setup
    >>> weight = [4.17, 5.58, 5.18, 6.11, 4.50, 4.81, 4.17, 4.41, 3.59, 5.87]
    >>> data = {"weight": weight, "group": ["Ctl"] * 5 + ["Trt"] * 5}
    >>> ps = Prior_Setup("weight ~ group", data)
    >>> ps.mu.round(3)
    array([4.839, 0.   ])
    >>> ps.prior("dNormal_Gamma").shape == ps.shape
    True
    """
    design = build_design(
        formula,
        data,
        weights=weights,
        offset=offset,
        subset=subset,
        na_action=na_action,
        env=sys._getframe(1),
    )
    return prior_setup_from_design(
        design,
        family,
        weights_type=weights_type,
        pwt=pwt,
        n_prior=n_prior,
        sd=sd,
        dispersion=dispersion,
        mu=mu,
        k=k,
        intercept_source=intercept_source,
        effects_source=effects_source,
    )


def prior_setup_from_design(
    design,
    family="gaussian",
    *,
    weights_type=None,
    pwt=None,
    n_prior=None,
    sd=None,
    dispersion=None,
    mu=None,
    k=1,
    intercept_source="null_model",
    effects_source="null_effects",
):
    """Prior_Setup on a Design, without parsing the formula again; see `Prior_Setup` for the parameters."""
    family = getattr(family, "name", family)
    option(family, "family", ("gaussian",))
    option(intercept_source, "intercept_source", ("null_model", "full_model"))
    option(effects_source, "effects_source", ("null_effects", "full_model"))
    k = scalar(k, "k", at_least=0.0)
    dispersion = None if dispersion is None else scalar(dispersion, "dispersion", above=0.0)
    design.require_numeric_response()
    weights_type = resolve_weights_type(design.weights, weights_type)
    fit = fit_ml(design, family, weights_type or "frequency")
    names = design.names
    intercept = names[0] == "(Intercept)"
    pwt, sd, n_prior = _prior_weights(pwt, sd, n_prior, fit, dispersion, names)

    if mu is not None:
        mu = _by_name(mu, "mu", names)
        sources = ("given", "given")
    else:
        mu = np.zeros(len(names)) if effects_source == "null_effects" else fit.coefficients.copy()
        if intercept:
            mu[0] = fit.null_intercept if intercept_source == "null_model" else fit.coefficients[0]
        sources = (intercept_source if intercept else "none", effects_source)

    parameters = calibrate(fit, mu, pwt, sd, n_prior, k, dispersion)
    unit = fit.dispersion
    settings = PriorSettings(
        pwt=pwt,
        n_prior=n_prior,
        n_effective=fit.n_weights,
        n_likelihood=fit.n_weights,
        intercept_source=sources[0],
        effects_source=sources[1],
        k=k,
        weights_type=weights_type,
        dispersion_source="calibrated" if dispersion is None else "given",
    )
    return PriorSetup(
        mu=mu,
        **parameters._asdict(),
        ml=fit.coefficients,
        ml_se=np.sqrt(unit * np.sum(fit.root**2, axis=1)),
        settings=settings,
        design=design,
        family=family,
    )


def resolve_weights_type(weights, weights_type):
    """What weights mean: whole numbers are frequencies; fractions must be declared.

    Returns None without weights.
    """
    if weights_type is not None:
        option(weights_type, "weights_type", ("frequency", "precision"))
    if weights is None:
        return None
    if weights_type is None:
        if not np.array_equal(weights, np.rint(weights)):
            odd = float(weights[np.argmax(weights != np.rint(weights))])
            raise InputError(
                f"weights hold fractions (for instance {odd:g}): say what they mean. weights_type='frequency': a "
                "weight counts observations, and the sample size is their sum; weights_type='precision': observation i "
                "has variance dispersion / weight[i] (as in R's lm), and the sample size is the number of rows."
            )
        return "frequency"
    return weights_type


def _prior_weights(pwt, sd, n_prior, fit, dispersion, names):
    """(pwt, sd, n_prior) from whichever of them was given."""
    p, n_eff = len(names), fit.n_weights
    n_prior = None if n_prior is None else scalar(n_prior, "n_prior", above=0.0)
    if sd is not None:
        if pwt is not None:
            raise InputError("give pwt or sd, not both: sd sets the prior weight of each coefficient.")
        if n_prior is None:
            raise InputError(
                "sd sets the prior of the coefficients only: give n_prior as well, the number of observations that the "
                "prior of the dispersion is worth (for instance n_prior=1)."
            )
        sd = _by_name(sd, "sd", names)
        if not (sd > 0.0).all():
            raise InputError(f"sd must be positive (prior standard deviations, not variances); got {sd}.")
        unit = fit.dispersion if dispersion is None else dispersion
        variance = unit * np.sum(fit.root**2, axis=1)
        return variance / (variance + sd**2), sd, n_prior
    if pwt is None:
        pwt = (0.01 if p < _MANY else 0.05) if n_prior is None else n_prior / (n_prior + n_eff)
        return pwt, None, pwt / (1.0 - pwt) * n_eff if n_prior is None else n_prior
    single = not isinstance(pwt, Mapping) and np.ndim(pwt) == 0
    pwt = scalar(pwt, "pwt") if single else _by_name(pwt, "pwt", names)
    if not np.all((pwt > 0.0) & (pwt < 1.0)):
        raise InputError(f"pwt, the prior's weight against the data, must be between 0 and 1 (excluded); got {pwt}.")
    if not single and p == 1:
        pwt, single = float(pwt[0]), True
    if n_prior is None:
        mean = float(np.mean(pwt))
        return pwt, None, mean / (1.0 - mean) * n_eff
    return n_prior / (n_prior + n_eff) if single else pwt, None, n_prior


def _by_name(value, name, names):
    """A value per coefficient, matched by name when it carries names."""
    labels = labels_of(value)
    array = np.asarray(list(value.values()) if isinstance(value, Mapping) else value)
    if array.dtype.kind not in "fiu" or array.ndim > 1:
        raise InputError(f"{name} must hold one number per coefficient ({', '.join(names)}); got {value!r}.")
    array = np.atleast_1d(array.astype(np.float64))
    if labels is not None and sorted(labels) != sorted(names):
        raise InputError(
            f"the names of {name} do not match the coefficients: got {', '.join(labels)}; the model has, in this "
            f"order, {', '.join(names)}."
        )
    if array.shape[0] != len(names):
        raise InputError(
            f"{name} must have one entry per coefficient, in this order: {', '.join(names)} ({len(names)}); "
            f"got {array.shape[0]}."
        )
    if not np.isfinite(array).all():
        raise InputError(f"{name} must be finite; got {array}.")
    if labels is None or tuple(labels) == tuple(names):
        return array
    if len(set(names)) < len(names):
        raise InputError(f"{name} cannot be matched by name: {', '.join(names)} are not all different. Use a list.")
    return array[[labels.index(n) for n in names]]
