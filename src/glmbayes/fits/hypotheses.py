"""Statements about coefficients: intervals, probabilities, Bayes factors, prior-data conflict."""

import difflib
import math
import re
from typing import NamedTuple

import numpy as np
from scipy.special import chdtrc, ndtr

from glmbayes.checks import scalar
from glmbayes.errors import InputError
from glmbayes.fits.reference import typical_dispersion


class Hypothesis(NamedTuple):
    """Answer to `fit.hypothesis(statement)`.

    Attributes
    ----------
    statement : str
    posterior_probability, prior_probability : float
        Of the statement; for an equality, with prior probability 1/2 on it.  NaN under an improper prior.
    bayes_factor : float
        For the statement against its negation: posterior odds over prior odds; for an equality the Savage-Dickey
        ratio of posterior to prior density.
    mean, sd : float
        Posterior moments of left side minus right side.
    lower, upper : float
        Its central 95 % interval.
    """

    statement: str
    posterior_probability: float
    prior_probability: float
    bayes_factor: float
    mean: float
    sd: float
    lower: float
    upper: float

    def __repr__(self):
        return (
            f"{self.statement}\n  probability {self.posterior_probability:.4g}, before the data "
            f"{self.prior_probability:.4g}; Bayes factor {self.bayes_factor:.4g}\n"
            f"  left - right: mean {self.mean:.4g}, sd {self.sd:.4g}, 95 % from {self.lower:.4g} to {self.upper:.4g}"
        )


def hdi_of(draws, level):
    """Shortest intervals with probability `level` of each column of `draws` (n, k): array (k, 2)."""
    ordered = np.sort(draws, axis=0)
    n = ordered.shape[0]
    inside = max(1, min(math.ceil(level * n), n - 1)) if n > 1 else 0
    width = ordered[inside:] - ordered[: n - inside]
    start = width.argmin(axis=0)
    columns = np.arange(ordered.shape[1])
    return np.column_stack([ordered[start, columns], ordered[start + inside, columns]])


def confint(fit, parm, level, hdi):
    """See `Fit.confint`."""
    import pandas as pd

    level = scalar(level, "level", above=0.0)
    if not level < 1.0:
        raise InputError(f"level must be less than 1; got {level:g}.")
    chosen = pick_names(fit.names, parm)
    tails = (0.5 * (1.0 - level), 0.5 * (1.0 + level))
    if hdi:
        limits = hdi_of(fit.draws.coefficients, level)
        labels = ["hdi lower", "hdi upper"]
    else:
        mixture = fit.conditional(np.eye(len(fit.names)))
        limits = np.column_stack([mixture.quantile(q) for q in tails])
        labels = [f"{100 * q:g} %" for q in tails]
    return pd.DataFrame(limits, index=list(fit.names), columns=labels).loc[chosen]


def pick_names(names, parm):
    """The coefficient names that `parm` asks for, all for None."""
    if parm is None:
        return list(names)
    parm = [parm] if isinstance(parm, (str, int, np.integer)) else list(parm)
    chosen = [names[p] if isinstance(p, (int, np.integer)) and -len(names) <= p < len(names) else p for p in parm]
    unknown = [str(p) for p in chosen if p not in names]
    if unknown:
        raise InputError(f"parm names unknown coefficient(s) {', '.join(unknown)}; the model has {list(names)}.")
    return chosen


def parse_combination(names, text):
    """A linear expression in the coefficient names as (row (p,), constant): row @ beta + constant."""
    from patsy import DesignInfo, PatsyError

    if not isinstance(text, str):
        raise InputError(f"a combination is text such as 'x - 2 * z'; got {text!r:.60}.")
    # coefficient names are not identifiers ("(Intercept)", "x:groupTrt", "poly(x, 2)1"): stand-ins go to patsy's parser
    stand_ins = {name: f"coefficient{i}" for i, name in enumerate(names)}
    spelt = dict(stand_ins)
    if "(Intercept)" in names:
        spelt.setdefault("Intercept", stand_ins["(Intercept)"])
    longest_first = sorted(spelt, key=len, reverse=True)
    patterns = [r"\s*".join(re.escape(part) for part in name.split()) for name in longest_first]  # any spacing
    found = re.compile("|".join(rf"((?<![\w.:]){pattern}(?![\w.:(]))" for pattern in patterns))
    replaced = found.sub(lambda match: spelt[longest_first[match.lastindex - 1]], text)
    try:
        constraint = DesignInfo([stand_ins[name] for name in names]).linear_constraint(f"{replaced} = 0")
    except PatsyError:
        unknown = set(re.findall(r"[^\W\d][\w.]*", found.sub(" ", text)))
        close = difflib.get_close_matches(next(iter(unknown), ""), names, n=1)
        raise InputError(
            f"cannot read {text!r} as a linear combination of coefficients."
            + (f" {', '.join(sorted(unknown))} is not one of them." if unknown else "")
            + (f" Did you mean {close[0]}?" if close else "")
            + f" The model has {list(names)}."
        ) from None
    if constraint.coefs.shape[0] != 1:
        raise InputError(f"{text!r} holds {constraint.coefs.shape[0]} statements: give one at a time.")
    return constraint.coefs[0], -float(constraint.constants[0, 0])


def hypothesis(fit, statement):
    """See `Fit.hypothesis`."""
    parts = re.split(r"(<=|>=|==|(?<![<>=])[<>=](?![=]))", statement) if isinstance(statement, str) else []
    if len(parts) != 3:
        raise InputError(f"a hypothesis is one comparison, such as 'x1 < 0' or 'x1 = x2'; got {statement!r}.")
    left, relation, right = (p.strip() for p in parts)
    row, constant = parse_combination(fit.names, f"({left}) - ({right})")
    combination, zero = row[None, :], np.array([-constant])
    posterior = fit.conditional(combination)
    prior = fit.prior.conditional(combination)
    mean, sd = (float(value[0]) for value in posterior.location())
    if fit.prior.knows_coefficients:
        raise InputError(f"the coefficients in {statement!r} are known under {type(fit.prior).__name__}.")
    lower, upper = (float(posterior.quantile(q)[0]) + constant for q in (0.025, 0.975))
    if relation in ("=", "=="):
        if prior is None:
            factor = probability = math.nan
        else:
            factor = fit.point_bayes_factor(combination, zero)
            probability = factor / (1.0 + factor)
        return Hypothesis(statement, probability, 0.5, factor, mean + constant, sd, lower, upper)
    below, above = _sides(posterior, fit.conditional(-combination), zero)
    before = (math.nan, math.nan) if prior is None else _sides(prior, fit.prior.conditional(-combination), zero)
    if relation[0] == ">":
        below, above, before = above, below, before[::-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = float(np.divide(below, above) / np.divide(*before))
    return Hypothesis(statement, below, before[0], factor, mean + constant, sd, lower, upper)


def _sides(mixture, mirrored, value):
    """P(below) and P(above) a value; above from the mirror image, since 1 - P(below) loses a small one."""
    return float(mixture.cdf(value)[0]), float(mirrored.cdf(-value)[0])


def prior_check(fit):
    """Prior-data conflict (Evans & Moshonov 2006): is the estimate one that the prior expected?

    Compares the maximum-likelihood estimate with its prior predictive distribution N(mu, Sigma + V), V the sampling
    covariance at the posterior mean dispersion.

    Returns
    -------
    pandas.DataFrame
        Per coefficient and for all jointly (row "joint"): prior mean and sd, estimate and se, z and two-sided p.
    """
    import pandas as pd

    estimate, cov, _ = fit.maximum_likelihood()
    phi = typical_dispersion(fit)
    mu, Sigma = fit.prior.location_scale(phi)
    V = cov * phi
    se = np.sqrt(np.diag(V))
    prior_sd = np.sqrt(np.diag(Sigma))
    with np.errstate(invalid="ignore"):
        z = (estimate - mu) / np.sqrt(prior_sd**2 + se**2)
    table = pd.DataFrame(
        {"prior_mean": mu, "prior_sd": prior_sd, "estimate": estimate, "se": se, "z": z, "p": 2.0 * ndtr(-np.abs(z))},
        index=list(fit.names),
    )
    proper = np.isfinite(prior_sd) & np.isfinite(estimate)
    d = (estimate - mu)[proper]
    square = float(d @ solve_scaled((Sigma + V)[np.ix_(proper, proper)], d)) if d.size else math.nan
    joint = {"z": math.sqrt(square) if d.size else math.nan, "p": float(chdtrc(d.size, square)) if d.size else math.nan}
    table.loc["joint"] = pd.Series(joint)
    return table


def solve_scaled(cov, vector):
    """cov^-1 vector, after scaling to correlations: coefficients may differ in units by many orders."""
    sd = np.sqrt(np.diag(cov))
    return np.linalg.solve(cov / np.outer(sd, sd), vector / sd) / sd


class DirectionalTail(NamedTuple):
    """Joint tail of the posterior beyond a reference point.

    Attributes
    ----------
    distance : float
        Mahalanobis distance of the posterior mean from the reference, in posterior standard deviations.
    probability : float
        Posterior probability on the reference's side of it, along the direction to the posterior mean.
    reference : (p,) array
    """

    distance: float
    probability: float
    reference: np.ndarray

    def __repr__(self):
        return f"posterior probability {self.probability:.4g} beyond a point {self.distance:.4g} posterior sds away"


def directional_tail(fit, reference):
    """See `Fit.directional_tail`: P(d'(beta - r) <= 0 | y) with d = V^-1 (posterior mean - r)."""
    moments = fit.moments
    if fit.prior.knows_coefficients:
        raise InputError(f"the coefficients are known under {fit.prior.label}: there is no tail.")
    if isinstance(reference, str):
        if reference not in ("prior", "null"):
            raise InputError(f"reference_point must be 'prior', 'null' or a vector; got {reference!r}.")
        point = fit.null_mode() if reference == "null" else fit.prior.location_scale(1.0)[0]
    else:
        point = np.asarray(reference, dtype=float)
        if point.shape != moments.mean.shape:
            raise InputError(f"reference_point must have {moments.mean.size} entries; got shape {point.shape}.")
    shift, cov = moments.mean - point, moments.cov
    if not np.isfinite(cov).all():
        if fit.rows is None:  # moments of draws: a single one has no spread
            return DirectionalTail(math.nan, math.nan, point)
        cov = fit.prior.given_dispersion(fit.rows, typical_dispersion(fit))[1]
    direction = solve_scaled(cov, shift)
    distance = math.sqrt(max(float(shift @ direction), 0.0))
    if distance == 0.0:
        return DirectionalTail(0.0, 0.5, point)
    tail = fit.conditional(direction[None, :]).cdf(np.array([direction @ point]))
    return DirectionalTail(distance, float(tail[0]), point)
