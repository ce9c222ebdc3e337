"""glmerb: a mixed-model formula and a family in, a fitted Bayesian generalised linear mixed model out."""

import sys
from dataclasses import replace

from glmbayes import families
from glmbayes.calls import refuse_unknown
from glmbayes.checks import count
from glmbayes.errors import InputError
from glmbayes.glm_response import glm_response
from glmbayes.mixed.design import build_mixed_design
from glmbayes.mixed.glm_fit import GLMMixedFit
from glmbayes.mixed.glm_mcmc import run_glm_mcmc
from glmbayes.mixed.glm_reduce import reduce_glm
from glmbayes.mixed.priors import resolve_priors
from glmbayes.priors.gamma import dGamma
from glmbayes.priors.sigma import SigmaPrior
from glmbayes.priors.wishart import CovariancePrior
from glmbayes.random import generator

_ALIASES = {
    "prior": "priors", "pfamily": "priors", "seed": "rng", "draws": "n", "iter": "n", "warmup": "burn_in",
    "link": "family=binomial(link=...)", "exposure": "offset=np.log(exposure)",
}  # fmt: skip


def glmerb(
    formula, data=None, family="binomial", priors=None, *, n=4000, chains=4, burn_in=500, thin=1, weights=None,
    offset=None, subset=None, na_action="drop", progress=False, rng=None, env=None, **unknown,
):  # fmt: skip
    """Fit a Bayesian generalised linear mixed model with lme4's formulas.

    Parameters
    ----------
    formula : str
        "cbind(successes, failures) ~ x + (1 | g)".  Random terms as in `lmerb`; responses as in `glmb`: counts; 0 and
        1, booleans, factors of two levels, fractions with numbers of trials as weights, cbind(successes, failures).
    data : data frame, dict of columns or None
    family : str or family
        "binomial" (logit), "poisson" (log), ``binomial(link="probit")`` or ``binomial(link="cloglog")``.
    priors : dict, optional
        ``"beta"``: (mu, Sigma) of the fixed effects, infinite variances for flat ones (default: all flat); a term's
        name (the grouping factor's): prior on its standard deviation (dHalfT, dHalfCauchy, dUniform, dFlat, ..., or
        dGamma on the precision), or for several effects on their covariance (dHuangWand, dWishart).  Defaults, on the
        scale of the linear predictor: half-t(3, 2.5) for single standard deviations, dHuangWand with df = 2 and scales
        2.5 for covariances, divided by the sd of the effect's column.
    n : int
        Draws in all (over all chains).
    chains, burn_in, thin : int
        Of the Gibbs sampler.
    weights : array_like or column name, optional
        Multiply log-likelihood terms; for fractions the numbers of trials.
    offset : array_like or column name, optional
        Added to the linear predictor: the log of the exposure for counts.
    subset, na_action
        As in `lmb`.
    progress : bool
        Show a tqdm bar.
    rng : None, int or numpy.random.Generator

    Returns
    -------
    GLMMixedFit

    Raises
    ------
    FormulaError, InputError, ImproperPosteriorError, SamplerError

    Notes
    -----
    Markov chain draws: see the convergence that `summary` prints.  Each sweep draws the effects of every group, then
    the fixed effects, along lines on which the conditional posterior is drawn exactly; moves fixed effects and the
    groups' effects together; draws each covariance given the effects, and by slice sampling given the standardised
    effects.

    Examples
    --------
    >>> from glmbayes import datasets, glmerb
    >>> herds = datasets.load("cbpp")
    >>> fit = glmerb("cbind(incidence, size - incidence) ~ period + (1 | herd)", herds, "binomial", rng=1)
    >>> fit.method
    'MCMC'
    >>> fit.ranef().shape
    (15, 4)
    """
    if unknown:
        refuse_unknown(glmerb, unknown, _ALIASES)
    n, chains, thin = count(n), count(chains, "chains"), count(thin, "thin")
    burn_in = 0 if burn_in == 0 else count(burn_in, "burn_in")
    rng = generator(rng)
    if isinstance(priors, dict):
        _check_kinds(priors)
    elif priors is not None:
        raise InputError(
            f"priors must be a dict such as {{'beta': (mu, Sigma), 'herd': dHalfT(3, 1)}}; got {type(priors).__name__}."
        )
    family = _checked_family(family)
    design = build_mixed_design(
        formula, data, weights=weights, offset=offset, subset=subset, na_action=na_action,
        env=sys._getframe(1) if env is None else env,
    )  # fmt: skip
    y, trials = glm_response(design.fixed, family)
    design = replace(design, fixed=replace(design.fixed, y=y, weights=None if (trials == 1.0).all() else trials))
    resolved = resolve_priors(design, priors, True, spread=1.0)
    reduced = reduce_glm(design, family, resolved)
    draws, interrupted = run_glm_mcmc(design, reduced, n, chains, burn_in, thin, rng, progress)
    call = f"glmerb({formula!r}, family={str(family)!r}{', priors=...' if priors else ''})"
    return GLMMixedFit(
        call=call, design=design, priors=resolved, method="MCMC", draws=draws, posterior=None, se=None, frequency=True,
        interrupted=interrupted, iters=None, burn_in=burn_in, distribution=family,
        sampler="Gibbs sampler, effects by exact draws along lines",
    )  # fmt: skip


def _checked_family(family):
    family = families.get(family)
    if family.name == "gaussian":
        raise InputError("glmerb is for counts and binomial responses: use lmerb for a Gaussian one.")
    if family.name not in ("binomial", "poisson"):
        raise InputError(f"family must be binomial or poisson; got {family}.")
    return family


def _check_kinds(priors):
    """Refuse what has no meaning without a residual variance."""
    if "sigma" in priors:
        raise InputError("priors['sigma']: binomial and Poisson models have no residual standard deviation.")
    for name, prior in priors.items():
        if name != "beta" and not isinstance(prior, (SigmaPrior, dGamma, CovariancePrior)):
            raise InputError(
                f"priors[{name!r}] must be a prior on a standard deviation (dHalfT, dUniform, ...), dGamma on a "
                f"precision, or dHuangWand or dWishart on a covariance; got {prior!r}."
            )
