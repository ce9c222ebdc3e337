"""Priors of a mixed model by name: what the user gave, and the defaults for the rest."""

import difflib
import math
from dataclasses import dataclass

import numpy as np

from glmbayes.errors import ImproperPosteriorError, InputError
from glmbayes.mixed.conjugate import conjugate_residual
from glmbayes.priors.coefficients import CoefficientPrior
from glmbayes.priors.gamma import dGamma
from glmbayes.priors.independent_normal_gamma import dIndependent_Normal_Gamma
from glmbayes.priors.normal_gamma import dNormal_Gamma
from glmbayes.priors.ratio import dRatio
from glmbayes.priors.sigma import SigmaPrior, dHalfT
from glmbayes.priors.wishart import CovariancePrior, dHuangWand, dWishart

_SCALE = 2.5


@dataclass(frozen=True, eq=False)
class MixedPriors:
    """The priors of a fit.

    Attributes
    ----------
    beta : CoefficientPrior or None
        None is flat.
    sigma : SigmaPrior, dGamma, or None when the residual variances are known
        With a dRatio also dNormal_Gamma: beta | sigma^2 ~ N(mu, sigma^2 Sigma_0).
    terms : dict
        Term label -> prior of its standard deviation or covariance.
    population : dNormal_Gamma or None
        Joint prior of the fixed effects and a group variance: beta | tau^2 ~ N(mu, tau^2 Sigma_0).
    defaults : tuple of str
        Names whose prior is the default.
    """

    beta: CoefficientPrior | None
    sigma: object
    terms: dict
    population: object
    defaults: tuple

    def describe(self):
        """One line per prior."""
        note = dict.fromkeys(self.defaults, "   (default)")
        if self.population is not None:
            beta = f"N(mu, tau^2 Sigma_0): {self.population.mu} {self.population.coefficient.Sigma.tolist()}"
        elif isinstance(self.sigma, dNormal_Gamma):
            beta = f"N(mu, sigma^2 Sigma_0): {self.sigma.mu} {self.sigma.coefficient.Sigma.tolist()}"
        elif self.beta is None:
            beta = "flat"
        else:
            sd = np.sqrt(np.diag(self.beta.Sigma))
            beta = "N(mean, sd): " + ", ".join(f"({m:.4g}, {s:.4g})" for m, s in zip(self.beta.mu, sd))
        lines = [f"fixed effects ~ {beta}{note.get('beta', '')}"]
        for label, prior in self.terms.items():
            if isinstance(prior, dRatio):
                lines.append(f"{label}: sd / residual sd ~ {prior.prior!r}")
                continue
            lines.append(f"{label}: {'sd' if _on_sd(prior) else 'covariance'} ~ {_short(prior)}{note.get(label, '')}")
        if self.sigma is not None:
            lines.append(f"residual sd ~ {_short(self.sigma)}{note.get('sigma', '')}")
        return lines


def _on_sd(prior):
    return isinstance(prior, (SigmaPrior, dGamma))


def _short(prior):
    if isinstance(prior, dGamma) and prior.shape == prior.rate == 0.0:
        return "flat in log sd"
    if isinstance(prior, (dGamma, dNormal_Gamma)):
        return f"1/sd^2 ~ Gamma({prior.shape:g}, rate {prior.rate:g})"
    return repr(prior)


def sigma_terms(prior):
    """(terms, upper) of a prior on a standard deviation or of a gamma precision."""
    if isinstance(prior, SigmaPrior):
        return prior.terms, prior.upper
    upper = math.sqrt(prior.disp_upper) if prior.disp_upper < math.inf else math.inf
    return np.array([prior.shape - 1.0, prior.rate, 0.0, 0.0, 0.0, 1.0]), upper


def resolve_priors(design, priors, se_known, spread=None):
    """Fill in the defaults and check what was given; default scales are relative to `spread`, sd(y) unless told."""
    given = dict(priors or {})
    known = ["beta", "sigma", *[term.label for term in design.terms], *design.factors]
    for name in given:
        if name not in known:
            close = difflib.get_close_matches(str(name), known, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"it may name {', '.join(dict.fromkeys(known))}."
            raise InputError(f"priors has no part {name!r}: {hint}")
    if spread is None:
        spread = float(np.std(design.y, ddof=1) if design.n > 1 else 0.0) or 1.0
    defaults, population = [], None
    beta = given.get("beta")
    if beta is None:
        defaults.append("beta")
    else:
        beta = _beta_prior(beta, design.fixed.names)
    terms = {}
    for term in design.terms:
        prior = given.get(term.label, given.get(term.factor.name))
        if isinstance(prior, (dNormal_Gamma, dIndependent_Normal_Gamma)):
            if beta is not None:
                raise InputError(f"priors give the fixed effects twice: as 'beta' and in {type(prior).__name__}.")
            prior = prior.aligned(design.fixed.names)
            prior.coefficient.check_length(design.p)
            if getattr(prior, "disp_lower", 0.0) > 0.0 or getattr(prior, "disp_upper", math.inf) < math.inf:
                raise InputError("a truncated dispersion is not available for group variances.")
            if isinstance(prior, dNormal_Gamma):
                population = prior
            else:
                beta = prior.coefficient
            if "beta" in defaults:
                defaults.remove("beta")
            prior = dGamma(prior.shape, prior.rate)
        if prior is None:
            prior = _default(term, spread)
            defaults.append(term.label)
        terms[term.label] = _checked(prior, term)
    if population is not None and (len(design.terms) > 1 or not se_known):
        raise InputError(
            "dNormal_Gamma for a group ties the fixed effects to that group's variance: it is available for one random "
            "intercept with known sampling variances (se=). Use dIndependent_Normal_Gamma or 'beta' and dGamma."
        )
    sigma = given.get("sigma")
    if any(isinstance(prior, dRatio) for prior in terms.values()):
        sigma, beta = conjugate_residual(design, sigma, beta, se_known, defaults)
    elif se_known:
        if sigma is not None:
            raise InputError("se= gives the residual standard deviations: there is no sigma to put a prior on.")
    elif sigma is None:
        sigma = dHalfT(3, _SCALE * spread)
        defaults.append("sigma")
    elif not _on_sd(sigma):
        raise InputError(
            "priors['sigma'] must be a prior on a standard deviation (dHalfT, dUniform, ...) or dGamma on the "
            f"precision; got {sigma!r}."
        )
    return MixedPriors(beta, sigma, terms, population, tuple(defaults))


def _beta_prior(beta, names):
    if isinstance(beta, tuple) and len(beta) == 2:
        beta = CoefficientPrior(*beta)
    elif getattr(beta, "coefficient", None) is not None and not hasattr(beta, "Sigma_0"):
        beta = beta.coefficient
    else:
        raise InputError(f"priors['beta'] must be a pair (mu, Sigma) for the fixed effects; got {beta!r}.")
    beta = beta.aligned(names)
    if beta.mu.shape[-1] != len(names):
        raise InputError(
            f"priors['beta'] has {beta.mu.shape[-1]} coefficient(s); the fixed effects are, in this order, "
            f"{list(names)}."
        )
    return beta


def _default(term, spread):
    """half-t(3) for one effect per group, Huang-Wand(2) for several, scaled by sd(y) and the columns' sizes."""
    size = np.sqrt((term.Z**2).mean(axis=0))
    centred = term.Z.std(axis=0)
    scales = _SCALE * spread / np.where(centred > 1e-8 * size, centred, size)
    return dHalfT(3, float(scales[0])) if term.q == 1 else dHuangWand(scales)


def _checked(prior, term):
    if term.q == 1:
        if isinstance(prior, (SigmaPrior, dGamma, dRatio)):
            return prior
        if isinstance(prior, dWishart) and prior.q == 1:
            return prior
        if isinstance(prior, dHuangWand):
            return dHalfT(prior.df, float(prior.scales(1)[0]))
        raise InputError(
            f"the prior of {term.label} must be on its standard deviation (dHalfT, dHalfCauchy, dUniform, dFlat, ...), "
            f"dGamma on the precision, dRatio, or dWishart; got {prior!r}."
        )
    if not isinstance(prior, CovariancePrior):
        raise InputError(
            f"{term.label} has {term.q} effects per group ({', '.join(term.names)}): its prior must be dHuangWand or "
            f"dWishart on their covariance; got {prior!r}. With `||` each effect has a standard deviation of its own."
        )
    if isinstance(prior, dWishart) and prior.q != term.q:
        raise InputError(f"the dWishart prior of {term.label} is for {prior.q} effects; the term has {term.q}.")
    if isinstance(prior, dHuangWand):
        prior.scales(term.q)
    return prior


def refuse_improper(design, priors, X, flat, rank, groups=None):
    """Raise for flat priors that leave the posterior improper; a Gibbs run would not show it.

    Parameters
    ----------
    X : (n, p) array
        Fixed design, rows in units of the residual standard deviation.
    flat : (p,) boolean array
    rank : int
        Of [X, Z of all terms].
    groups : dict, optional
        Term label -> number of groups whose rows bound their effect on both sides, where that is not all of them.
    """
    for term in design.terms:
        prior = priors.terms[term.label]
        if not _on_sd(prior):
            continue
        m = term.m if groups is None else groups[term.label]
        terms, upper = sigma_terms(prior)
        power, rate, c, d, e, _ = terms
        if not (rate > 0.0 or power - e < -1.0):
            raise ImproperPosteriorError(
                f"the prior {prior!r} of {term.label} is not integrable near a standard deviation of 0, and no data "
                "can help: the posterior is improper. Use dHalfT, dUniform, or a gamma precision with rate > 0."
            )
        if c == 0.0 and d == 0.0 and upper == math.inf and not power + 0.5 * (m - _between(term, X[:, flat])) > -1.0:
            which = "" if groups is None else " whose responses vary"
            raise ImproperPosteriorError(
                f"the posterior is improper: {m} groups of {term.factor.name}{which} with {_short(prior)}. A flat "
                "prior on a group standard deviation needs at least three groups (one more for each flat fixed effect "
                "that is constant within groups). Use a proper prior such as the default half-t."
            )
    if priors.sigma is not None:
        terms, upper = sigma_terms(priors.sigma)
        power, rate, c, d, e, _ = terms
        n = design.n
        if c == 0.0 and d == 0.0 and upper == math.inf and not power + 0.5 * (n - int(flat.sum())) > -1.0:
            raise ImproperPosteriorError(f"the posterior is improper: {n} observations with {_short(priors.sigma)}.")
        if n <= rank and not (rate > 0.0 or power - e < -1.0):
            raise ImproperPosteriorError(
                "the posterior is improper: the effects can fit every observation exactly, and the prior on the "
                f"residual standard deviation, {_short(priors.sigma)}, is not integrable near 0."
            )


def _between(term, X):
    """How many directions of the flat fixed effects lie within the term's own columns (one effect per group)."""
    if X.shape[1] == 0:
        return 0
    z = term.Z[:, 0]
    codes, m = term.factor.codes, term.m
    total = np.bincount(codes, z * z, m)
    means = np.column_stack([np.bincount(codes, z * x, m) for x in X.T]) / np.where(total > 0, total, 1.0)[:, None]
    within = X - z[:, None] * means[codes]
    scale = np.sqrt((X**2).sum(axis=0))
    scale[scale == 0.0] = 1.0
    return X.shape[1] - int(np.linalg.matrix_rank(within / scale, tol=1e-8 * math.sqrt(X.shape[0])))
