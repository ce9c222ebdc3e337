"""The maximum-likelihood fit that default priors are built from."""

from glmbayes import families
from glmbayes.prior_setup.fit import MLFit
from glmbayes.prior_setup.gaussian_fit import fit_gaussian
from glmbayes.prior_setup.glm_fit import fit_glm

__all__ = ["MLFit", "fit_ml"]


def fit_ml(design, family="gaussian", weights_type="frequency"):
    """Fit a design by maximum likelihood.

    Parameters
    ----------
    design : Design
    family : str or Family
    weights_type : "frequency" or "precision"
        For the Gaussian family; elsewhere weights multiply log-likelihood terms.

    Returns
    -------
    MLFit

    Raises
    ------
    InputError
        Aliased columns (named), more coefficients than observations, an exact fit of a dispersion, separation: there
        is no estimate.
    """
    family = families.get(family)
    if family.name == "gaussian":
        return fit_gaussian(design, weights_type)
    return fit_glm(design, family)
