"""Joint-distribution tests (Geweke 2004) of every Gibbs sampler.

Parameters from the prior; then, twice, data given the parameters and one sweep given the data. If the sweep leaves the
posterior alone, the parameters still have the prior's distribution, whatever the sweep's autocorrelation. Each
replicate is independent of the others, so that Kolmogorov-Smirnov tests against the prior are exact.
"""

import math
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pandas as pd
from scipy import stats
from tests.kernels import test_effects, test_glm_effects, test_mixed

import glmbayes as gb
from trust.record import P_BOUND, Section, rng_for

SWEEPS = 2


def dobson(rng):
    """The two-block sampler of examples/dobson_gibbs.py: coefficients given the dispersion, and the other way."""
    prior = gb.dIndependent_Normal_Gamma([5.0, -0.5], np.diag([1.0, 0.5]), 3.0, 2.0)
    x = np.column_stack([np.ones(10), np.repeat([0.0, 1.0], 5)])
    truth = prior.sample(1, rng)
    beta, phi = truth.coefficients[0], truth.dispersion[0]
    for _ in range(SWEEPS):
        y = x @ beta + math.sqrt(phi) * rng.standard_normal(10)
        beta = gb.rlmb(1, y, x, gb.dNormal(prior.mu, prior.Sigma, dispersion=phi), rng=rng).coefficients[0]
        phi = gb.rlmb(1, y, x, gb.dGamma(3.0, 2.0, beta=beta), rng=rng).dispersion[0]
    return {"beta 1": beta[0], "beta 2": beta[1], "dispersion": phi}


DOBSON = {
    "beta 1": stats.norm(5.0, 1.0).cdf,
    "beta 2": stats.norm(-0.5, math.sqrt(0.5)).cdf,
    "dispersion": stats.invgamma(3.0, scale=2.0).cdf,
}


def eight_schools(rng):
    """Population by an exact block, schools by one rlmb_blocks call, as in examples/eight_schools_gibbs.py."""
    variance = np.array([14.9, 10.2, 16.3, 11.0, 9.4, 11.4, 10.4, 17.6]) ** 2
    prior = gb.dIndependent_Normal_Gamma(8.0, 100.0, 3.0, 200.0)
    ones, sizes = np.ones((8, 1)), np.ones(8, dtype=int)
    truth = prior.sample(1, rng)
    mu, tau2 = truth.coefficients[0, 0], truth.dispersion[0]
    theta = mu + math.sqrt(tau2) * rng.standard_normal(8)
    for _ in range(SWEEPS):
        estimate = theta + np.sqrt(variance) * rng.standard_normal(8)
        schools = gb.rlmb_blocks(1, estimate, ones, gb.dNormal(mu, tau2, dispersion=variance), sizes=sizes, rng=rng)
        theta = schools.coefficients[0, :, 0]
        population = gb.rlmb(1, theta, ones, prior, rng=rng)
        mu, tau2 = population.coefficients[0, 0], population.dispersion[0]
    return {"mu": mu, "tau^2": tau2}


SCHOOLS = {"mu": stats.norm(8.0, 10.0).cdf, "tau^2": stats.invgamma(3.0, scale=200.0).cdf}


def poisson_effects(rng):
    """Counts with a normal effect each: exact GLM blocks for the effects, exact draws of their mean and variance."""
    prior = gb.dNormal_Gamma(0.5, 1.0, 3.0, 1.0)
    ones, sizes = np.ones((10, 1)), np.ones(10, dtype=int)
    truth = prior.sample(1, rng)
    mu, tau2 = truth.coefficients[0, 0], truth.dispersion[0]
    effects = mu + math.sqrt(tau2) * rng.standard_normal(10)
    for _ in range(SWEEPS):
        y = rng.poisson(np.exp(effects)).astype(float)
        blocks = gb.rglmb_blocks(1, y, ones, "poisson", gb.dNormal(mu, tau2), sizes=sizes, rng=rng)
        effects = blocks.coefficients[0, :, 0]
        population = gb.rlmb(1, effects, ones, prior, rng=rng)
        mu, tau2 = population.coefficients[0, 0], population.dispersion[0]
    return {"mu": mu, "tau^2": tau2}


POISSON = {
    "mu": stats.t(6.0, 0.5, math.sqrt(1.0 / 3.0)).cdf,  # normal with variance tau^2, tau^-2 ~ gamma(3, 1)
    "tau^2": stats.invgamma(3.0, scale=1.0).cdf,
}


def repeated(one, cdfs):
    """A case: replicates of `one`, compared with `cdfs`."""

    def case(rng, replicates):
        drawn = [one(rng) for _ in range(replicates)]
        return {name: (np.array([d[name] for d in drawn]), cdf) for name, cdf in cdfs.items()}

    return case


def hoff(sweep):
    """One of the lecture's three samplers for random coefficients, unbalanced groups, a singular one among them."""

    def case(rng, replicates):
        beta, sigma2, Psi, mean, covariance = test_mixed.after_sweeps(rng, test_mixed.SWEEPS[sweep], replicates, SWEEPS)
        out = {
            f"beta {k + 1}": (beta[:, k], stats.norm(mean[k], math.sqrt(covariance[k, k])).cdf)
            for k in range(mean.size)
        }
        out["sigma^-2"] = (4.0 * 1.5 / sigma2, stats.chi2(4).cdf)
        out["Psi 1 1"] = (3.0 / Psi[:, 0, 0], stats.chi2(5).cdf)
        out["Psi 2 2"] = (2.0 / Psi[:, 1, 1], stats.chi2(5).cdf)
        return out

    return case


def mixed_formula(name):
    """lmerb's sweep, for one of the cases of the tests."""

    def case(rng, replicates):
        formula, given, cdfs = test_effects.CASES[name]
        drawn, p = test_effects.replicate(rng, formula, given, name.startswith("known"), replicates, SWEEPS)
        out = {f"beta {i + 1}": (drawn[f"beta{i}"], stats.norm.cdf) for i in range(p)}
        return out | {quantity: (drawn[quantity], cdf) for quantity, cdf in cdfs.items()}

    return case


def glm_formula(name):
    """glmerb's sweep, for one of the cases of the tests, with the last effect, standard normal before it is scaled."""

    def case(rng, replicates):
        drawn, p = test_glm_effects.replicate(rng, name, replicates, SWEEPS)
        out = {f"beta {i + 1}": (drawn[f"beta{i}"], stats.norm.cdf) for i in range(p)}
        cdfs = {**test_glm_effects.CASES[name][3], "b": stats.norm.cdf}
        return out | {quantity: (drawn[quantity], cdf) for quantity, cdf in cdfs.items()}

    return case


CASES = {
    "rlmb calls: Dobson's two blocks": repeated(dobson, DOBSON),
    "rlmb and rlmb_blocks: Eight Schools": repeated(eight_schools, SCHOOLS),
    "rglmb_blocks and rlmb: counts with effects": repeated(poisson_effects, POISSON),
    **{f"kernels: Hoff's sampler, {name}": hoff(name) for name in test_mixed.SWEEPS},
    **{f"lmerb: {name}": mixed_formula(name) for name in test_effects.CASES},
    **{f"glmerb: {name}": glm_formula(name) for name in test_glm_effects.CASES},
}


def p_values(name, replicates):
    """Quantity -> p-value of the Kolmogorov-Smirnov test against its prior."""
    drawn = CASES[name](rng_for(name), replicates)
    return {quantity: stats.kstest(values, cdf).pvalue for quantity, (values, cdf) in drawn.items()}


def run(level, jobs):
    section = Section(
        "Joint-distribution tests of the Gibbs samplers",
        "Parameters from the prior, then data given parameters and a sweep given data in turn: parameters keep the "
        "prior's distribution if and only if the sweep targets the right posterior (Geweke 2004). The test is sharp "
        "because it needs no converged chain. p is the smallest Kolmogorov-Smirnov p-value over the quantities.",
    )
    rows = []
    with ProcessPoolExecutor(jobs) as pool:
        running = {name: pool.submit(p_values, name, level.joint_replications) for name in CASES}
        for name, future in running.items():
            ps = future.result()
            worst = min(ps, key=ps.get)
            section.check(ps[worst] > P_BOUND, f"{name}, {worst}: not the prior's distribution, p = {ps[worst]:.1e}")
            rows.append(
                {
                    "sampler": name,
                    "replicates": level.joint_replications,
                    "quantities": len(ps),
                    "smallest p": ps[worst],
                }
            )
    section.tables.append(("Gibbs samplers", pd.DataFrame(rows)))
    return section
