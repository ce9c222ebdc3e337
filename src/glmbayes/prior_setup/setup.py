"""Prior_Setup: default priors from a formula and data, or from a design already built."""

import sys

import numpy as np

from glmbayes import families
from glmbayes.checks import option, scalar
from glmbayes.design import build_design
from glmbayes.errors import InputError
from glmbayes.prior_setup.arguments import by_name, prior_weights, resolve_weights_type
from glmbayes.prior_setup.conjugate import conjugate_parameters, fit_mean
from glmbayes.prior_setup.gaussian import calibrate
from glmbayes.prior_setup.glm import glm_parameters
from glmbayes.prior_setup.ml import fit_ml
from glmbayes.prior_setup.record import PriorSettings, PriorSetup


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
    that the prior weighs `pwt` against the data's 1 - pwt, around the model without effects.  A Gaussian model's
    dispersion gets a Gamma prior on its inverse worth `n_prior` observations, calibrated so that its posterior
    expectation under dNormal_Gamma is S / (n_eff - p), with S the residual sum of squares plus what the prior means
    cost; the Gamma family's, one around the maximum-likelihood estimate given the fitted means.

    Parameters
    ----------
    formula, data, weights, offset, subset, na_action
        See `glmbayes.design.build_design`.  A binomial response is 0 and 1, a boolean, a factor of two levels,
        cbind(successes, failures), or fractions with weights = trials.
    family : str or Family
        "gaussian", "binomial" (or "binomial(probit)", "binomial(cloglog)"), "poisson", "Gamma" (log link),
        "quasibinomial", "quasipoisson"; "poisson(identity)" and "binomial(identity)" for a single mean, `y ~ 1`, with
        its conjugate prior.
    weights_type : "frequency", "precision" or None
        Gaussian models: whether a weight counts observations (they add up to the sample size) or divides the variance.
        None means frequency and requires whole numbers.  In other families weights multiply log-likelihood terms.
    pwt : float or (p,) array, optional
        Prior weight in (0, 1), for all coefficients or for each; 0.01, or 0.05 from 14 coefficients on.
    n_prior : float, optional
        Prior sample size; it takes the place of a single pwt: pwt = n_prior / (n_prior + n_eff), n_eff the number of
        rows (not trials) or the sum of the weights argument.  With a vector pwt it is what the dispersion's prior is
        worth, by default that of the mean pwt.
    sd : (p,) array, optional
        Prior standard deviations of the coefficients, instead of pwt; Gaussian and Gamma models need n_prior, too.
    dispersion : float, optional
        Dispersion to use instead of the estimate; everything that depends on it is built from it.
    mu : (p,) array, optional
        Prior means.  `mu`, `sd` and `pwt` are matched by name when they carry names (Series, dict).
    k : float
        Added to n_prior in the shape: the larger, the more certain the dispersion.
    intercept_source : "null_model" or "full_model"
        Prior mean of the intercept: from the model without effects (weights and offset included), or the full one.
    effects_source : "null_effects" or "full_model"
        Prior means of the other coefficients: 0, or the estimates.

    Returns
    -------
    PriorSetup

    Raises
    ------
    InputError
        There is no estimate to build on: aliased columns, too few observations, a constant response, separation;
        fractional weights of a Gaussian model without weights_type, responses that the family cannot have,
        impossible settings.  FormulaError from the formula.

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
    >>> from glmbayes import datasets
    >>> formula = "cbind(Menarche, Total - Menarche) ~ I(Age - 13)"
    >>> Prior_Setup(formula, datasets.load("menarche"), "binomial").ml.round(3)
    array([-0.011,  1.632])
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
    family = families.get(family)
    option(intercept_source, "intercept_source", ("null_model", "full_model"))
    option(effects_source, "effects_source", ("null_effects", "full_model"))
    k = scalar(k, "k", at_least=0.0)
    dispersion = _given_dispersion(dispersion, family)
    gaussian = family.name == "gaussian"
    if gaussian:
        design.require_numeric_response()
        weights_type = resolve_weights_type(design.weights, weights_type)
    elif weights_type is not None:
        raise InputError(
            f"weights_type is for Gaussian models; with family {family.name!r} weights multiply log-likelihood terms. "
            "Leave it out."
        )
    fit = fit_mean(design, family) if family.single_mean else fit_ml(design, family, weights_type or "frequency")
    names = design.names
    intercept = names[0] == "(Intercept)"
    estimated = gaussian or family.name == "Gamma"
    pwt, sd, n_prior = prior_weights(pwt, sd, n_prior, fit, dispersion, names, estimated)

    if mu is not None:
        mu = by_name(mu, "mu", names)
        sources = ("given", "given")
    else:
        mu = np.zeros(len(names)) if effects_source == "null_effects" else fit.coefficients.copy()
        if intercept:
            mu[0] = fit.null_intercept if intercept_source == "null_model" else fit.coefficients[0]
        sources = (intercept_source if intercept else "none", effects_source)

    if gaussian:
        parameters = calibrate(fit, mu, pwt, sd, n_prior, k, dispersion)._asdict()
    else:
        parameters = glm_parameters(fit, family.name, pwt, sd, n_prior, k, dispersion)
    if family.single_mean:
        parameters |= conjugate_parameters(family.name, fit, float(mu[0]), n_prior)
    if dispersion is not None:
        source = "given"
    elif gaussian:
        source = "calibrated"
    else:
        source = "estimated" if "shape" in parameters or family.quasi else "fixed"
    settings = PriorSettings(
        pwt=pwt,
        n_prior=n_prior,
        n_effective=fit.n_weights,
        n_likelihood=fit.n_weights,
        intercept_source=sources[0],
        effects_source=sources[1],
        k=k,
        weights_type=weights_type,
        dispersion_source=source,
    )
    return PriorSetup(
        mu=mu, fit=fit, settings=settings, design=design, family=family.name, link=family.link, **parameters
    )


def _given_dispersion(dispersion, family):
    if dispersion is None:
        return None
    dispersion = scalar(dispersion, "dispersion", above=0.0, at_most=1e200)
    if not (family.has_dispersion or family.quasi):
        if dispersion != 1.0:
            quasi = "quasibinomial" if family.name == "binomial" else "quasipoisson"
            raise InputError(
                f"the dispersion of family {family.name!r} is 1; got {dispersion:g}. For over- or underdispersed data "
                f"use family={quasi!r} with a dispersion."
            )
        return None
    return dispersion
