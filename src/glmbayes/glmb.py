"""glmb: a formula and a family in, a fitted Bayesian generalised linear model out."""

import sys
from dataclasses import replace

import numpy as np

from glmbayes import families
from glmbayes.calls import call_text, check_prior_length, chosen_prior, design_of, refuse_prior_as_data, refuse_unknown
from glmbayes.checks import EMPTY, count, option
from glmbayes.errors import InputError
from glmbayes.fits.conjugate import ConjugateFit, ConjugateGLM
from glmbayes.fits.family_likelihood import FamilyLikelihood
from glmbayes.fits.gibbs_posterior import GibbsGLM
from glmbayes.fits.glm import GLMFit
from glmbayes.fits.glm_posterior import ExactGLM
from glmbayes.fits.known_posterior import KnownGLM
from glmbayes.glm_response import glm_response
from glmbayes.lmb import lmb, refuse_aliased_flat
from glmbayes.prior_setup import prior_setup_from_design
from glmbayes.priors import dGamma, dIndependent_Normal_Gamma, dNormal
from glmbayes.priors.conjugate import Conjugate
from glmbayes.random import generator
from glmbayes.rglmb import known_dispersion
from glmbayes.rlmb import Draws
from glmbayes.rows import reduce

SAMPLERS = ("auto", "grid", "radial", "tall", "mcmc")


def glmb(
    formula=None,
    data=None,
    family="gaussian",
    pfamily=None,
    *,
    n=1000,
    weights=None,
    offset=None,
    subset=None,
    na_action="drop",
    sampler="auto",
    progress=None,
    y=None,
    X=None,
    names=None,
    rng=None,
    env=None,
    **unknown,
):
    """Fit a Bayesian generalised linear model: exact iid posterior draws for any practical number of coefficients.

    Parameters
    ----------
    formula : str
        As in R: "cbind(successes, failures) ~ x", "counts ~ outcome + treatment + offset(log(exposure))".
    data : data frame, dict of columns or None
    family : str or family
        "binomial" (logit), "poisson" (log), "Gamma" (log), "gaussian" (identity, the same as `lmb`), "quasibinomial",
        "quasipoisson"; with a link "binomial(probit)" or an object such as ``binomial(link="probit")``.
        "binomial(identity)", "poisson(identity)" and "Gamma(inverse)" are models of a single mean, `y ~ 1`.
    pfamily : dNormal, or a function of the PriorSetup that returns one, optional
        Default: dNormal(mu, Sigma) of `Prior_Setup`, with its dispersion for the Gamma family.  For that family
        dIndependent_Normal_Gamma estimates the dispersion too, by Gibbs sampling: Markov chain draws, labelled so;
        dGamma(shape, rate, beta) estimates the dispersion only.
        Single means take the conjugate priors, in closed form: `dBeta` on a probability, ``dGamma(shape, rate,
        Inv_Dispersion=False)`` on the mean of counts or on one over the mean of Gamma responses.
    n : int
        Number of draws.
    weights : array_like or column name, optional
        Multiply log-likelihood terms; for proportions the numbers of trials.
    offset, subset, na_action, y, X, names
        As in `lmb`.
    sampler : {"auto", "grid", "radial", "tall", "mcmc"}
        "auto" takes the exact sampler predicted to be cheapest; never "mcmc", whose draws are not iid.
    progress : bool, optional
        Show a progress bar; None shows one when drawing is predicted to take more than 2 s.
    rng : None, int or numpy.random.Generator

    Returns
    -------
    GLMFit

    Raises
    ------
    FormulaError, InputError, ImproperPosteriorError
    SamplerError
        No exact sampler is reasonable; the message has the estimate and what would help.

    Examples
    --------
    >>> from glmbayes import datasets, glmb
    >>> fit = glmb("cbind(Menarche, Total - Menarche) ~ I(Age - 13)", datasets.load("menarche"), "binomial", rng=1)
    >>> list(fit.names)
    ['(Intercept)', 'I(Age - 13)']
    """
    if unknown:
        refuse_unknown(glmb, unknown)
    n = count(n)
    rng = generator(rng)
    refuse_prior_as_data(glmb, formula, data)
    env = sys._getframe(1) if env is None else env
    family = families.get(family)
    option(sampler, "sampler", SAMPLERS)
    if family.name == "gaussian":
        if sampler != "auto":
            raise InputError(f"sampler={sampler!r} has no meaning with family='gaussian', whose draws need none.")
        return lmb(
            formula, data, pfamily, n=n, weights=weights, offset=offset, subset=subset, na_action=na_action,
            y=y, X=X, names=names, rng=rng, env=env,
        )  # fmt: skip
    arguments = {
        "function": glmb, "formula": formula, "data": data, "family": family, "pfamily": pfamily, "weights": weights,
        "offset": offset, "subset": subset, "na_action": na_action, "sampler": sampler, "progress": progress,
        "y": y, "X": X, "names": names,
    }  # fmt: skip
    return fit_glm(design_of(arguments, env), family, pfamily, n, sampler, progress, rng, arguments)


def fit_glm(design, family, pfamily, n, sampler, progress, rng, arguments):
    """Fit a design."""
    values, trials = glm_response(design, family)
    as_given = design
    design = replace(design, y=values, weights=None if (trials == 1.0).all() else trials)
    prior, setup = chosen_prior(pfamily, lambda: prior_setup_from_design(as_given, family))
    check_prior_length(prior, design.names)
    prior = prior.aligned(design.names)
    _refuse_aliased_flat(prior, design)
    kind = GLMFit
    if isinstance(prior, Conjugate):
        if sampler != "auto":
            raise InputError(f"sampler={sampler!r} has no meaning with {prior.spelled}, whose posterior is known.")
        kind, family = ConjugateFit, prior.family_for(family)
        posterior = ConjugateGLM.build(design, prior, family)
    elif isinstance(prior, dIndependent_Normal_Gamma) and family.has_dispersion:
        posterior = GibbsGLM.build(design, prior, family, sampler, progress)
    elif isinstance(prior, dGamma) and family.has_dispersion:
        if sampler != "auto":
            raise InputError(f"sampler={sampler!r} has no meaning with dGamma: the coefficients are known.")
        posterior = KnownGLM.build(design, prior, family)
    else:
        posterior = ExactGLM.build(design, prior, family, _dispersion(prior, family), sampler, n, progress)
    coefficients, phi, iters = posterior.draw(n, rng)
    return kind(
        call=call_text({**arguments, "family": family}, n),
        design=design,
        prior=prior,
        setup=setup,
        posterior=posterior,
        likelihood=FamilyLikelihood(family),
        rows=None,
        draws=Draws(coefficients, phi, posterior.coef_mode, iters, prior),
        arguments=arguments,
    )


def _dispersion(prior, family):
    """The known dispersion under which the coefficients are drawn."""
    if not isinstance(prior, dNormal):
        joint = ", dIndependent_Normal_Gamma(mu, Sigma, shape, rate) or dGamma(shape, rate, beta)"
        joint = joint if family.has_dispersion else ""
        mean = isinstance(prior, dGamma) and family.name == "poisson"
        single = " For a single mean ('y ~ 1'): dGamma(shape, rate, Inv_Dispersion=False)." if mean else ""
        known = ", dispersion" if family.has_dispersion or family.quasi else ""
        raise InputError(
            f"glmb with family {family} takes dNormal(mu, Sigma{known}){joint}; got {prior.label}.{single}"
        )
    return known_dispersion(family, prior)


def _refuse_aliased_flat(prior, design):
    """Raise, naming the columns, when flat coefficients (infinite prior variances) are not identified by the data."""
    if prior.coefficient is None or not prior.coefficient.flat:
        return
    weights = EMPTY if design.weights is None else design.weights
    rows = reduce(np.zeros(design.n), design.X, EMPTY, weights, "frequency")
    refuse_aliased_flat(prior, rows, design.names)
