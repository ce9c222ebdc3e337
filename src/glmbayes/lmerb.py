"""lmerb: a mixed-model formula in, a fitted Bayesian linear mixed model out."""

import difflib
import inspect
import sys

import numpy as np

from glmbayes.checks import count, option
from glmbayes.errors import InputError
from glmbayes.kernels.effects_blocks import BlocksData
from glmbayes.mixed.collapsed import build_collapsed, run_collapsed
from glmbayes.mixed.design import build_mixed_design
from glmbayes.mixed.fit import MixedFit
from glmbayes.mixed.iid import IidPosterior, iid_reason
from glmbayes.mixed.mcmc import run_mcmc
from glmbayes.mixed.priors import resolve_priors
from glmbayes.mixed.ratio import RatioPosterior, has_ratio, ratio_reason
from glmbayes.mixed.reduce import reduce_design
from glmbayes.prior_setup.setup import resolve_weights_type
from glmbayes.random import generator

METHODS = ("iid", "mcmc", "gibbs")


def lmerb(
    formula, data=None, priors=None, *, n=4000, method=None, se=None, chains=4, burn_in=500, thin=2, weights=None,
    weights_type=None, offset=None, subset=None, na_action="drop", progress=False, rng=None, env=None, **unknown,
):  # fmt: skip
    """Fit a Bayesian linear mixed model with lme4's formulas.

    Parameters
    ----------
    formula : str
        "y ~ x + (1 + x | g)".  Random terms: ``(1 | g)``, ``(1 + x | g)``, ``(0 + x | g)``, ``(x || g)`` without
        correlations, ``(1 | a/b)`` nested, ``(1 | a) + (1 | b)`` crossed, ``(1 | a:b)`` combinations.
    data : data frame, dict of columns or None
    priors : dict, optional
        ``"beta"``: (mu, Sigma) of the fixed effects, infinite variances for flat ones (default: all flat);
        ``"sigma"``: prior on the residual standard deviation; a term's name (the grouping factor's): prior on its
        standard deviation (dHalfT, dHalfCauchy, dUniform, dFlat, ..., or dGamma on the precision), or for several
        effects on their covariance (dHuangWand, dWishart).  Defaults: half-t(3, 2.5 sd(y)) for residual and single
        group standard deviations, dHuangWand with df = 2 for covariances, scales divided by the sd of the column.
        With `se`, dNormal_Gamma(mu, Sigma_0, shape, rate) for the group means beta | tau^2 ~ N(mu, tau^2 Sigma_0),
        1/tau^2 ~ Gamma(shape, rate); dIndependent_Normal_Gamma likewise with beta independent of tau.
        dRatio(prior) for a single term with one effect per group: prior on (group sd) / (residual sd), beside it
        ``"sigma"`` dGamma(shape, rate) on the residual precision or dNormal_Gamma(mu, Sigma_0, shape, rate) with
        beta | sigma^2 ~ N(mu, sigma^2 Sigma_0); default flat in log sigma and in beta.
    n : int
        Draws in all (over all chains).
    method : {None, "iid", "mcmc", "gibbs"}
        "iid": exact independent draws, for a single random intercept with known sampling variances or a dRatio prior;
        the default where it applies.  "gibbs": a Gibbs sampler that interweaves the variances; it draws all effects
        together, or those of large crossed factors in turn.
        "mcmc": with one grouping factor a chain on the variances alone, all effects integrated out, whose candidates
        come independently from a fitted distribution; "gibbs" where that does not apply.  The summary says which.
    se : array_like or column name, optional
        Known standard deviations of the observations (meta-analysis): there is no residual variance then.
    chains, burn_in, thin : int
        Of the Markov chains.
    weights, weights_type, offset, subset, na_action
        As in `lmb`.
    progress : bool
        Show a tqdm bar.
    rng : None, int or numpy.random.Generator

    Returns
    -------
    MixedFit

    Raises
    ------
    FormulaError, InputError, ImproperPosteriorError, SamplerError

    Examples
    --------
    >>> from glmbayes import dFlat, datasets, lmerb
    >>> schools = datasets.load("eight_schools")
    >>> fit = lmerb("estimate_rounded ~ 1 + (1 | school)", schools, {"school": dFlat()}, se="sd_rounded", rng=1)
    >>> fit.method
    'iid'
    >>> fit.posterior_mean.round(2).to_dict()
    {'(Intercept)': 7.93}
    """
    if unknown:
        _refuse_unknown(unknown)
    n, chains, thin = count(n), count(chains, "chains"), count(thin, "thin")
    burn_in = 0 if burn_in == 0 else count(burn_in, "burn_in")
    rng = generator(rng)
    if priors is not None and not isinstance(priors, dict):
        raise InputError(
            f"priors must be a dict such as {{'sigma': dHalfT(3, 10), 'school': dHalfCauchy(5)}}; got "
            f"{type(priors).__name__}."
        )
    if method is not None:
        option(method, "method", METHODS)
    design = build_mixed_design(
        formula, data, weights=weights, offset=offset, se=se, subset=subset, na_action=na_action,
        env=sys._getframe(1) if env is None else env,
    )  # fmt: skip
    design.fixed.require_numeric_response()
    se = _checked_se(design.fixed.extra.get("se"), design)
    weights = design.fixed.weights
    frequency = weights is not None and resolve_weights_type(weights, weights_type) == "frequency"
    if weights is not None and not (weights > 0).all():
        raise InputError("weights must be positive: leave rows out with subset=.")
    if weights is not None and se is not None:
        se, weights = se / np.sqrt(weights), None
    resolved = resolve_priors(design, priors, se is not None)
    ratio = has_ratio(resolved)
    reason = ratio_reason(design) if ratio else iid_reason(design, resolved, se)
    if method == "iid" and reason is not None:
        raise InputError(f"method='iid' does not apply: {reason}." + ("" if ratio else " Use method='mcmc'."))
    if reason is None and method in ("mcmc", "gibbs"):
        reason = f"{method} was asked for"
    if ratio and reason is not None:
        raise InputError(f"dRatio needs the exact method, but {reason}.")
    if resolved.population is not None and reason is not None:
        raise InputError(f"dNormal_Gamma for a group needs the exact method, but {reason}.")
    posterior, interrupted, iters, sampler = None, False, None, ""
    if reason is None:
        posterior = (
            RatioPosterior(design, resolved, weights, frequency) if ratio else IidPosterior(design, resolved, se)
        )
        draws, iters = posterior.draw(n, rng)
    else:
        reduced = reduce_design(design, resolved, se, weights, frequency)
        model = None if method == "gibbs" else build_collapsed(reduced, rng)
        if model is None:
            draws, interrupted = run_mcmc(design, reduced, n, chains, burn_in, thin, rng, progress)
            how = "factor by factor" if isinstance(reduced.data, BlocksData) else "together"
            sampler = f"Gibbs sampler, effects drawn {how}"
        else:
            draws, interrupted, share = run_collapsed(design, model, n, chains, burn_in, thin, rng, progress)
            sampler = f"independence chain on the variances, {share:.0%} accepted; effects exact given them"
    call = f"lmerb({formula!r}{', se=...' if se is not None else ''}{', priors=...' if priors else ''})"
    kind = "iid" if posterior is not None else "MCMC"
    return MixedFit(call, design, resolved, kind, draws, posterior, se, frequency, interrupted, iters, burn_in, sampler)


def _checked_se(se, design):
    if se is None:
        return None
    if not isinstance(se, np.ndarray):
        raise InputError("se must hold one standard error per row; got categories.")
    se = np.asarray(se, dtype=float)
    if not ((se > 0) & np.isfinite(se)).all():
        raise InputError(
            f"se must be positive and finite: standard errors, not variances; the smallest is {se.min():g}."
        )
    return se


def _refuse_unknown(unknown):
    known = [name for name in inspect.signature(lmerb).parameters if name != "unknown"]
    name = next(iter(unknown))
    close = difflib.get_close_matches(name, known, n=1)
    hint = {"prior": "priors", "pfamily": "priors", "seed": "rng", "draws": "n", "iter": "n", "warmup": "burn_in",
            "family": "glmerb for counts and proportions"}.get(name) or (close[0] if close else None)  # fmt: skip
    raise InputError(f"lmerb has no argument {name!r}." + (f" Did you mean {hint}?" if hint else f" It has {known}."))
