"""Variance components, group effects, shrinkage and intraclass correlation."""

import numpy as np

from glmbayes.checks import scalar
from glmbayes.errors import InputError
from glmbayes.posteriors.moments import sample_sd


def tails(level):
    """Lower and upper probability of a central interval."""
    level = scalar(level, "level", above=0.0)
    if not level < 1.0:
        raise InputError(f"level must be less than 1; got {level:g}.")
    return 0.5 * (1.0 - level), 0.5 * (1.0 + level)


def pick_term(fit, factor):
    """The first term of a factor (or of the model), by its label or the factor's name."""
    terms = fit.design.terms
    if factor is None:
        return 0, terms[0]
    for k, term in enumerate(terms):
        if factor in (term.label, term.factor.name):
            return k, term
    raise InputError(f"factor must be one of {', '.join(t.label for t in terms)}; got {factor!r}.")


def component_draws(fit):
    """Draws of every standard deviation and correlation, by name."""
    out = {}
    for term, covariance in zip(fit.design.terms, fit.draws.covariance):
        sd = np.sqrt(np.einsum("nii->ni", covariance))
        for i, name in enumerate(term.names):
            out[f"sd({name} | {term.factor.name})"] = sd[:, i]
        for i in range(term.q):
            for h in range(i):
                with np.errstate(invalid="ignore", divide="ignore"):
                    r = covariance[:, i, h] / (sd[:, i] * sd[:, h])
                out[f"cor({term.names[h]}, {term.names[i]} | {term.factor.name})"] = r
    if fit.has_residual:
        out["sd(residual)"] = fit.sigma
    return out


def variance_components(fit, level):
    """See `MixedFit.VarCorr`."""
    import pandas as pd

    low, high = tails(level)
    rows = []
    for name, x in component_draws(fit).items():
        rows.append((name, x.mean(), float(sample_sd(x)), *np.quantile(x, (low, 0.5, high))))
    columns = ["parameter", "mean", "sd", f"{100 * low:g}%", "50%", f"{100 * high:g}%"]
    return pd.DataFrame(rows, columns=columns).set_index("parameter")


def random_effects(fit, level):
    """See `MixedFit.ranef`."""
    import pandas as pd

    low, high = tails(level)
    frames = []
    for term, effects in zip(fit.design.terms, fit.draws.effects):
        mean, sd = effects.mean(axis=0), sample_sd(effects)
        bounds = np.quantile(effects, (low, high), axis=0)
        index = pd.MultiIndex.from_product(
            [[term.factor.name], term.factor.labels, term.names], names=["factor", "group", "effect"]
        )
        values = np.stack([mean, sd, *bounds], axis=-1).reshape(-1, 4)
        frames.append(pd.DataFrame(values, index, ["mean", "sd", f"{100 * low:g}%", f"{100 * high:g}%"]))
    return pd.concat(frames)


def group_coefficients(fit, factor):
    """Draws of a factor's coefficients per group: fixed effects plus the factor's effects.

    Returns
    -------
    dict
        Effect name -> DataFrame (n_draws, m), one column per group.  An effect without a fixed counterpart is centred
        at 0.
    """
    import pandas as pd

    _, chosen = pick_term(fit, factor)
    out = {}
    for term, effects in zip(fit.design.terms, fit.draws.effects):
        if term.factor is not chosen.factor:
            continue
        for i, name in enumerate(term.names):
            fixed = fit.draws.beta[:, [fit.names.index(name)]] if name in fit.names else 0.0
            out[name] = pd.DataFrame(fixed + effects[:, :, i], columns=list(term.factor.labels))
    return out


def group_means(fit, factor):
    """See `MixedFit.group_means`."""
    import pandas as pd

    _, term = pick_term(fit, factor)
    name = term.names[0]
    if term.q != 1:
        raise InputError(
            f"group_means is for one effect per group; {term.label} has {', '.join(term.names)}: use coef()."
        )
    if fit.posterior is not None:
        p = fit.design.p
        combinations = np.zeros((term.m, p + term.m))
        combinations[:, p:] = np.eye(term.m)
        if name in fit.names:
            combinations[:, fit.names.index(name)] = 1.0
        mean, sd = fit.posterior.moments(combinations)
    else:
        draws = group_coefficients(fit, term.factor.name)[name].to_numpy()
        mean, sd = draws.mean(axis=0), sample_sd(draws)
    index = pd.Index(term.factor.labels, name=term.factor.name)
    return pd.DataFrame({"mean": mean, "sd": sd}, index)


def without_term(fit, term):
    """Population values of a term's coefficients, and the posterior mean predictors less these coefficients' part."""
    design, beta = fit.design, fit.posterior_mean.to_numpy()
    population = np.array([beta[fit.names.index(name)] if name in fit.names else 0.0 for name in term.names])
    rest = design.fixed.X @ beta - term.Z @ population
    if design.fixed.offset is not None:
        rest = rest + design.fixed.offset
    for other, effects in zip(design.terms, fit.draws.effects):
        if other is not term:
            rest = rest + np.einsum("ik,ik->i", other.Z, effects.mean(axis=0)[other.factor.codes])
    return population, rest


def shrinkage(fit, factor):
    """See `MixedFit.shrinkage`.

    No pooling is least squares of each group's rows on the term's columns, everything else at its posterior mean; NaN
    where the group's columns are not independent.  `pull` is the posterior mean of (variance of the no-pooling
    estimate) / (that + group variance), the weight of the population: it exists for one effect per group.
    """
    import pandas as pd

    k, term = pick_term(fit, factor)
    design, draws = fit.design, fit.draws
    exact = group_means(fit, factor)["mean"].to_numpy() if fit.posterior is not None else None
    population, rest = without_term(fit, term)
    rest = design.y - rest
    w = np.ones(design.n) if design.fixed.weights is None else design.fixed.weights
    if fit.se is not None:
        w = 1.0 / fit.se**2
    rows = []
    for j, label in enumerate(term.factor.labels):
        at = term.factor.codes == j
        root = np.sqrt(w[at])[:, None]
        z = term.Z[at] * root
        information = z.T @ z
        full = np.linalg.matrix_rank(z) == term.q
        alone = np.linalg.solve(information, z.T @ (rest[at] * root[:, 0])) if full else np.full(term.q, np.nan)
        partial = population + draws.effects[k][:, j].mean(axis=0) if exact is None else exact[[j]]
        pull = np.nan
        if term.q == 1 and full:
            alone_variance = draws.sigma2 / information[0, 0]
            pull = (alone_variance / (alone_variance + draws.covariance[k][:, 0, 0])).mean()
        for i, name in enumerate(term.names):
            rows.append((label, name, int(at.sum()), alone[i], partial[i], population[i], pull))
    columns = ["group", "effect", "rows", "no_pooling", "partial_pooling", "population", "pull"]
    return pd.DataFrame(rows, columns=columns).set_index(["group", "effect"])


def intraclass_correlation(fit):
    """See `MixedFit.icc`."""
    import pandas as pd

    if fit.se is not None:
        raise InputError("icc needs a residual variance; with se= every observation has its own.")
    variance = {}
    for term, covariance in zip(fit.design.terms, fit.draws.covariance):
        if "(Intercept)" in term.names:
            i = term.names.index("(Intercept)")
            variance[term.factor.name] = covariance[:, i, i]
    if not variance:
        raise InputError("icc needs a random intercept.")
    total = fit.residual_variance + sum(variance.values())
    return pd.DataFrame({name: v / total for name, v in variance.items()})
