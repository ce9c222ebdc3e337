"""The conjugate priors of models that are a single mean: Poisson rate, probability of success."""

from typing import NamedTuple

import numpy as np

from glmbayes.errors import InputError
from glmbayes.glm_response import glm_response
from glmbayes.prior_setup.fit import MLFit


class ConjugatePoisson(NamedTuple):
    """Gamma prior of a Poisson rate.

    Attributes
    ----------
    shape, rate : float
        rate * E = shape; n_prior observations with the prior mean.
    beta : (1, 1) array
        The estimated rate.
    weighted_mean_rate, n_prior_eff : float
    """

    shape: float
    rate: float
    beta: np.ndarray
    weighted_mean_rate: float
    n_prior_eff: float


class ConjugateBinomial(NamedTuple):
    """Beta prior of a probability of success.

    Attributes
    ----------
    shape1, shape2 : float
        Prior successes and failures, n_prior together.
    beta : (1, 1) array
        The estimated probability.
    weighted_mean_prop, n_prior_eff : float
    """

    shape1: float
    shape2: float
    beta: np.ndarray
    weighted_mean_prop: float
    n_prior_eff: float


def fit_mean(design, family):
    """Maximum likelihood of a single mean with the identity link."""
    if design.names != ("(Intercept)",) or design.offset is not None:
        raise InputError(
            f"the identity link of family {family.name!r} is for a single mean, conjugate to its prior: the formula "
            f"must be 'y ~ 1' without an offset; got {design.formula}. Other models use the link "
            f"{family.usual_link!r}."
        )
    if family.name == "Gamma":
        raise InputError(
            f"there is no default prior for family {family}: give its parameters, dGamma(shape, rate, "
            "Inv_Dispersion=False)."
        )
    y, weights = glm_response(design, family)
    mean = float(np.average(y, weights=weights))
    if mean == 0.0 or (family.name == "binomial" and mean == 1.0):
        raise InputError(
            f"every row of the response {design.response.name} is {mean:g}: a prior centred on that mean would be "
            "improper. Give the parameters of a prior of your own."
        )
    deviance = float(np.sum(family.deviance(y, np.full_like(y, mean), weights)))
    return MLFit(
        coefficients=np.array([mean]),
        root=np.array([[np.sqrt(float(family.variance(mean)) / weights.sum())]]),
        dispersion=1.0,
        null_intercept=mean,
        deviance=deviance,
        null_deviance=deviance,
        n_weights=float(design.n if design.weights is None else design.weights.sum()),
        n_plus=float(np.count_nonzero(weights)),
    )


def conjugate_parameters(name, fit, mu, n_prior):
    """The conjugate prior worth n_prior observations with mean mu, under its name in `PriorSetup`."""
    estimate = fit.coefficients.reshape(1, 1)
    mean = float(estimate[0, 0])
    if not (mu > 0.0 and (name == "poisson" or mu < 1.0)):
        what = "a probability between 0 and 1" if name == "binomial" else "a positive rate"
        raise InputError(f"mu must be {what} with the identity link; got {mu:g}.")
    if name == "poisson":
        return {"conj_poisson": ConjugatePoisson(n_prior * mu, n_prior, estimate, mean, n_prior)}
    return {"conj_binomial": ConjugateBinomial(n_prior * mu, n_prior * (1.0 - mu), estimate, mean, n_prior)}
