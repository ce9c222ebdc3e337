"""Simulation-based calibration (Talts et al. 2018): truth from the prior, data, posterior; the truth's rank is uniform.

A problem is a function of a generator that simulates once and returns the truth (k,) and posterior draws (99, k) of
the same quantities. Markov chains are thinned first.
"""

import functools
import math
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pandas as pd
from scipy import stats
from tests.mixed.test_glmerb import simulate as intercepts

import glmbayes as gb
from glmbayes import families
from glmbayes.priors.conjugate import GammaRate, dBeta
from trust.ranks import ecdf_difference, picture, simultaneous_band, uniform_p
from trust.record import P_BOUND, Section, rng_for

DRAWS = 99
RANKS = DRAWS + 1


def design(name, n, p):
    return np.column_stack([np.ones(n), rng_for(name).standard_normal((n, p - 1))])


# -- Gaussian regressions --------------------------------------------------------------------------------------

GAUSSIAN = {
    "dNormal": lambda p: gb.dNormal(np.ones(p), np.eye(p), dispersion=0.5),
    "dNormal_Gamma": lambda p: gb.dNormal_Gamma(np.ones(p), 2.0 * np.eye(p), 3.0, 2.0),
    "dIndependent_Normal_Gamma": lambda p: gb.dIndependent_Normal_Gamma(np.ones(p), np.eye(p), 3.0, 2.0),
    "truncated dispersion": lambda p: gb.dIndependent_Normal_Gamma(
        np.ones(p), np.eye(p), 3.0, 2.0, disp_lower=0.4, disp_upper=1.5
    ),
    "dHalfNormal": lambda p: gb.dIndependent_Normal(np.ones(p), np.eye(p), sd=gb.dHalfNormal(1.0)),
    "dHalfCauchy": lambda p: gb.dIndependent_Normal(np.ones(p), np.eye(p), sd=gb.dHalfCauchy(1.0)),
    "dHalfT": lambda p: gb.dIndependent_Normal(np.ones(p), np.eye(p), sd=gb.dHalfT(4.0, 1.0)),
    "dExponential": lambda p: gb.dIndependent_Normal(np.ones(p), np.eye(p), sd=gb.dExponential(1.0)),
    "dUniform": lambda p: gb.dIndependent_Normal(np.ones(p), np.eye(p), sd=gb.dUniform(2.0)),
}


def gaussian(rng, prior, n, p):
    prior = GAUSSIAN[prior](p)
    x = design("gaussian", n, p)
    truth = prior.sample(1, rng)
    beta, phi = truth.coefficients[0], truth.dispersion[0]
    fit = gb.rlmb(DRAWS, x @ beta + math.sqrt(phi) * rng.standard_normal(n), x, prior, rng=rng)
    if isinstance(prior, gb.dNormal):
        return beta, fit.coefficients
    return np.append(beta, phi), np.column_stack([fit.coefficients, fit.dispersion])


def blocks(rng):
    """The middle one of three regressions drawn in one call."""
    x, sizes = design("blocks", 12, 2), np.array([5, 4, 3])
    mu, phi = np.array([[0.0, 1.0], [1.0, -1.0], [2.0, 0.0]]), np.array([0.5, 1.0, 2.0])
    beta = mu + rng.standard_normal((3, 2))
    mean = np.einsum("ij,ij->i", x, np.repeat(beta, sizes, axis=0))
    y = mean + np.sqrt(np.repeat(phi, sizes)) * rng.standard_normal(12)
    fit = gb.rlmb_blocks(DRAWS, y, x, gb.dNormal(mu, np.eye(2), dispersion=phi), sizes=sizes, rng=rng)
    return beta[1], fit.coefficients[:, 1]


def dispersion(rng):
    beta, x = np.array([1.0, -0.5]), design("dispersion", 6, 2)
    phi = 2.0 / rng.gamma(3.0)
    y = x @ beta + math.sqrt(phi) * rng.standard_normal(6)
    return np.array([phi]), gb.rlmb(DRAWS, y, x, gb.dGamma(3.0, 2.0, beta=beta), rng=rng).dispersion[:, None]


def formula(rng):
    """lmb through its formula, with a factor."""
    prior = gb.dIndependent_Normal_Gamma(np.zeros(4), np.eye(4), 3.0, 2.0)
    data = {"x": np.linspace(-1.0, 1.0, 9), "g": list("abcabcabc")}
    dummies = np.column_stack([np.ones(9), data["x"], [v == "b" for v in data["g"]], [v == "c" for v in data["g"]]])
    truth = prior.sample(1, rng)
    beta, phi = truth.coefficients[0], truth.dispersion[0]
    data["y"] = dummies @ beta + math.sqrt(phi) * rng.standard_normal(9)
    fit = gb.lmb("y ~ x + g", data, prior, n=DRAWS, rng=rng)
    return np.append(beta, phi), np.column_stack([fit.draws.coefficients, fit.dispersion])


# -- generalised linear models ---------------------------------------------------------------------------------

FAMILIES = {
    "binomial(logit)": (families.binomial(), lambda r, mu: r.binomial(5, mu) / 5, None),
    "binomial(probit)": (families.binomial("probit"), lambda r, mu: r.binomial(5, mu) / 5, None),
    "binomial(cloglog)": (families.binomial("cloglog"), lambda r, mu: r.binomial(5, mu) / 5, None),
    "poisson(log)": (families.poisson(), lambda r, mu: r.poisson(mu).astype(float), None),
    "Gamma(log)": (families.gamma(), lambda r, mu: r.gamma(2.0, mu / 2.0), 0.5),
}
SHAPES = {"line": (8, 1, "auto"), "grid": (10, 2, "grid"), "radial": (30, 6, "radial"), "tall": (2000, 2, "tall")}


def glm(rng, family, shape):
    family, simulate, phi = FAMILIES[family]
    n, p, sampler = SHAPES[shape]
    x = design(f"glm {shape}", n, p)
    # the tall sampler wants many rows of moderate predictors: it is never refused under this prior
    prior = gb.dNormal(np.full(p, 0.2), (0.05 if shape == "tall" else 0.4) * np.eye(p), phi)
    beta = prior.sample(1, rng).coefficients[0]
    weights = np.full(n, 5.0) if family.name == "binomial" else None
    y = simulate(rng, family.linkinv(x @ beta))
    return beta, gb.rglmb(DRAWS, y, x, family, prior, weights=weights, sampler=sampler, rng=rng).coefficients


def glm_blocks(rng, p):
    """Four observations a block."""
    x = design("glm blocks", 12, p)
    beta = 0.7 * rng.standard_normal((3, p))
    y = rng.poisson(np.exp(np.einsum("ij,ij->i", x, np.repeat(beta, 4, axis=0)))).astype(float)
    prior = gb.dNormal(np.zeros(p), 0.49 * np.eye(p))
    fit = gb.rglmb_blocks(DRAWS, y, x, "poisson", prior, sizes=np.array([4, 4, 4]), rng=rng)
    return beta[1], fit.coefficients[:, 1]


def conjugate(rng, family):
    prior, simulate = {
        "binomial": (dBeta(2.0, 3.0), lambda t: (rng.random(7) < t).astype(float)),
        "poisson": (GammaRate(2.0, 1.0), lambda t: rng.poisson(t, 7).astype(float)),
        "Gamma": (GammaRate(2.0, 1.0), lambda t: rng.exponential(1.0 / t, 7)),
    }[family]
    truth = prior.sample(1, rng).coefficients[0]
    # the prior belongs to the mean (binomial, Poisson) or its inverse (Gamma)
    fit = gb.rglmb(DRAWS, simulate(truth[0]), np.ones((7, 1)), family, prior, rng=rng)
    return truth, fit.coefficients


def gamma_regression(rng):
    """Coefficients and dispersion by the Gibbs sampler, every fourth draw."""
    prior = gb.dIndependent_Normal_Gamma([0.2, 0.0], 0.5 * np.eye(2), shape=4.0, rate=2.0)
    x = design("gamma regression", 8, 2)
    truth = prior.sample(1, rng)
    beta, phi = truth.coefficients[0], truth.dispersion[0]
    y = np.maximum(rng.gamma(1.0 / phi, phi * np.exp(x @ beta)), 1e-300)
    fit = gb.rglmb(4 * DRAWS, y, x, "Gamma", prior, rng=rng)
    return np.append(beta, phi), np.column_stack([fit.coefficients, fit.dispersion])[::4]


# -- hierarchical models ---------------------------------------------------------------------------------------


def eight_schools(rng, prior):
    """Known standard errors: exact draws of the mean, the group standard deviation and two effects."""
    prior = {"half-Cauchy": gb.dHalfCauchy(2.0), "uniform": gb.dUniform(5.0), "gamma": gb.dGamma(2.0, 1.0)}[prior]
    se = np.array([1.5, 1.0, 1.6, 1.1, 0.9, 1.1, 1.0, 1.8])
    # a prior on the precision draws a variance; one on the standard deviation itself that
    tau = math.sqrt(1.0 / rng.gamma(2.0)) if isinstance(prior, gb.dGamma) else prior.sample(1, rng)[0]
    mu = 2.0 * rng.standard_normal()
    theta = mu + tau * rng.standard_normal(8)
    data = {"y": theta + se * rng.standard_normal(8), "se": se, "g": list("abcdefgh")}
    fit = gb.lmerb("y ~ 1 + (1 | g)", data, {"g": prior, "beta": (0.0, 4.0)}, se="se", n=DRAWS, rng=rng)
    own = fit.draws.effects[0][:, [0, 7], 0] + fit.draws.beta[:, :1]
    draws = np.column_stack([fit.draws.beta[:, 0], np.sqrt(fit.draws.covariance[0][:, 0, 0]), own])
    return np.array([mu, tau, theta[0], theta[7]]), draws


def ratio(rng, prior):
    """Exact draws of a random-intercept model under a prior on the ratio of the standard deviations."""
    prior = {"half-Cauchy": gb.dHalfCauchy(1.0), "uniform": gb.dUniform(3.0)}[prior]
    rest = gb.dNormal_Gamma([0.0, 0.5], np.eye(2), 3.0, 2.0)
    truth = rest.sample(1, rng)
    beta, sigma = truth.coefficients[0], math.sqrt(truth.dispersion[0])
    tau = sigma * prior.sample(1, rng)[0]
    g, x = np.repeat(np.arange(6), [3, 5, 1, 4, 2, 6]), design("ratio", 21, 2)[:, 1]
    effects = tau * rng.standard_normal(6)
    y = beta[0] + beta[1] * x + effects[g] + sigma * rng.standard_normal(21)
    priors = {"g": gb.dRatio(prior), "sigma": rest}
    fit = gb.lmerb("y ~ x + (1 | g)", {"y": y, "x": x, "g": g.astype(str)}, priors, n=DRAWS, rng=rng)
    drawn = [*fit.draws.beta.T, np.sqrt(fit.draws.covariance[0][:, 0, 0]), fit.sigma, fit.draws.effects[0][:, 2, 0]]
    return np.array([*beta, tau, sigma, effects[2]]), np.column_stack(drawn)


def slopes(rng, method, thin):
    """Random intercepts and slopes, correlated, by one of lmerb's chains, thinned."""
    sizes = np.array([3, 5, 1, 4, 2, 6])
    Psi = gb.dHuangWand([1.0, 0.5]).sample(1, rng)[0]
    sigma = gb.dHalfT(5, 1.0).sample(1, rng)[0]
    beta = rng.standard_normal(2)
    g = np.repeat(np.arange(sizes.size), sizes)
    x = rng.standard_normal(g.size)
    a = rng.standard_normal((sizes.size, 2)) @ np.linalg.cholesky(Psi).T
    y = beta[0] + a[g, 0] + (beta[1] + a[g, 1]) * x + sigma * rng.standard_normal(g.size)
    priors = {"beta": ([0.0, 0.0], np.eye(2)), "g": gb.dHuangWand([1.0, 0.5]), "sigma": gb.dHalfT(5, 1.0)}
    data = {"y": y, "x": x, "g": g.astype(str)}
    options = {"method": method, "n": DRAWS, "thin": thin, "burn_in": 10 * thin, "chains": 1}
    fit = gb.lmerb("y ~ x + (x | g)", data, priors, rng=rng, **options)
    drawn = fit.draws.covariance[0]
    parts = [*fit.draws.beta.T, np.sqrt(drawn[:, 0, 0]), np.sqrt(drawn[:, 1, 1]), drawn[:, 0, 1], fit.sigma]
    truth = [*beta, math.sqrt(Psi[0, 0]), math.sqrt(Psi[1, 1]), Psi[0, 1], sigma, a[2, 0], a[3, 1]]
    effects = fit.draws.effects[0]
    return np.array(truth), np.column_stack([*parts, effects[:, 2, 0], effects[:, 3, 1]])


def crossed(rng):
    """Two crossed factors by the Gibbs sampler of lmerb; every twentieth draw."""
    a, b = np.arange(24) % 6, np.arange(24) // 6
    tau = np.array([gb.dHalfT(3, 0.7).sample(1, rng)[0], gb.dHalfNormal(1.0).sample(1, rng)[0]])
    sigma, beta = gb.dHalfNormal(1.0).sample(1, rng)[0], rng.standard_normal()
    u, v = tau[0] * rng.standard_normal(6), tau[1] * rng.standard_normal(4)
    data = {"y": beta + u[a] + v[b] + sigma * rng.standard_normal(24), "a": a.astype(str), "b": b.astype(str)}
    priors = {"beta": (0.0, 1.0), "a": gb.dHalfT(3, 0.7), "b": gb.dHalfNormal(1.0), "sigma": gb.dHalfNormal(1.0)}
    fit = gb.lmerb("y ~ 1 + (1 | a) + (1 | b)", data, priors, n=DRAWS, thin=20, burn_in=200, chains=1, rng=rng)
    sds = [np.sqrt(c[:, 0, 0]) for c in fit.draws.covariance]
    draws = np.column_stack([fit.draws.beta[:, 0], *sds, fit.sigma, fit.draws.effects[0][:, 1, 0]])
    return np.array([beta, *tau, sigma, u[1]]), draws


def glm_intercepts(rng, family):
    """Random intercepts in a generalised linear model, by the chain of glmerb; every fifth draw."""
    data, priors, truth = intercepts(rng, family)
    options = {"n": DRAWS, "thin": 5, "burn_in": 50, "chains": 1}
    fit = gb.glmerb("y ~ x + (1 | g)", data, family, priors, rng=rng, **options)
    effects = fit.draws.effects[0][:, [0, 7], 0]
    return truth, np.column_stack([fit.draws.beta, np.sqrt(fit.draws.covariance[0][:, 0, 0]), effects])


# -- all of them -----------------------------------------------------------------------------------------------

GROUPS = {
    "Gaussian regressions": {
        **{
            f"rlmb, {prior}, n = {n}, p = {p}": functools.partial(gaussian, prior=prior, n=n, p=p)
            for prior in GAUSSIAN
            for n, p in ((4, 2), (2, 3), (20, 4))
        },
        "rlmb_blocks, dNormal": blocks,
        "rlmb, dGamma": dispersion,
        "lmb, a formula with a factor": formula,
    },
    "Generalised linear models": {
        **{
            f"rglmb, {family}, {shape}": functools.partial(glm, family=family, shape=shape)
            for family in FAMILIES
            for shape in SHAPES
        },
        **{f"rglmb_blocks, poisson, p = {p}": functools.partial(glm_blocks, p=p) for p in (1, 2)},
        **{f"rglmb, conjugate, {f}": functools.partial(conjugate, family=f) for f in ("binomial", "poisson", "Gamma")},
    },
    "Hierarchical models, exact draws": {
        f"lmerb, known standard errors, {prior}": functools.partial(eight_schools, prior=prior)
        for prior in ("half-Cauchy", "uniform", "gamma")
    }
    | {f"lmerb, ratio prior, {prior}": functools.partial(ratio, prior=prior) for prior in ("half-Cauchy", "uniform")},
}
CHAINS = {
    "rglmb, Gamma regression, dispersion unknown": gamma_regression,
    "lmerb, correlated slopes, independence chain": functools.partial(slopes, method="mcmc", thin=5),
    "lmerb, correlated slopes, Gibbs sampler": functools.partial(slopes, method="gibbs", thin=20),
    "lmerb, two crossed factors": crossed,
    **{f"glmerb, {f}, random intercepts": functools.partial(glm_intercepts, family=f) for f in ("binomial", "poisson")},
}


def ranks_of(name, simulate, replications):
    """(replications, k) ranks of the truth among 99 draws."""
    rng = rng_for(name)
    out = []
    for _ in range(replications):
        truth, draws = simulate(rng)
        out.append((draws < truth).sum(axis=0))
    return np.array(out)


def run(level, jobs):
    section = Section(
        "Simulation-based calibration",
        "The truth is drawn from the prior, data from the truth, and 99 draws from the posterior of these data. If and "
        "only if the sampler targets the right posterior, the truth's rank among the draws is uniform, for every "
        "quantity and every prior. p is the smallest p-value of a chi-square test (20 bins) over a problem's "
        "quantities. Of many quantities some have small p-values: over a group, p-values should themselves be uniform "
        "(last table), and about 5 % of the curves leave their 95 % bands somewhere.",
    )
    groups = {
        **{group: (problems, level.replications) for group, problems in GROUPS.items()},
        "Markov chains": (CHAINS, level.chain_replications),
    }
    summary = []
    with ProcessPoolExecutor(jobs) as pool:
        jobs_of = {
            group: {name: pool.submit(ranks_of, name, simulate, size) for name, simulate in problems.items()}
            for group, (problems, size) in groups.items()
        }
        for group, running in jobs_of.items():
            size, rows, curves, p_values = groups[group][1], [], {}, []
            for name, future in running.items():
                ranks = future.result()
                ps = [uniform_p(ranks[:, k], RANKS) for k in range(ranks.shape[1])]
                section.check(min(ps) > P_BOUND, f"{name}: ranks are not uniform, p = {min(ps):.1e}")
                rows.append({"problem": name, "quantities": len(ps), "smallest p": min(ps)})
                curves |= {f"{name} {k}": ranks[:, k] for k in range(ranks.shape[1])}
                p_values += ps
            low, high = simultaneous_band(size, RANKS)
            inside = [
                ((d := ecdf_difference(r, RANKS)) >= low - 1e-12).all() and (d <= high + 1e-12).all()
                for r in curves.values()
            ]
            together = stats.kstest(p_values, "uniform").pvalue
            section.check(together > P_BOUND, f"{group}: the p-values are not uniform, p = {together:.1e}")
            summary.append(
                {
                    "group": group,
                    "data sets per problem": size,
                    "quantities": len(curves),
                    "outside their 95 % band": len(inside) - sum(inside),
                    "p-values uniform, p": together,
                }
            )
            section.tables.append((group, pd.DataFrame(rows)))
            file = f"ranks_{group.split(',')[0].lower().replace(' ', '_')}.png"
            section.figures.append((file, picture(curves, RANKS, group), group))
    section.tables.append(("All groups", pd.DataFrame(summary)))
    return section
