"""The same posterior by different samplers, and published reference posteriors."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats
from tests.glm_cases import logistic_recipe
from tests.proof.test_reference_posteriors import CASES, prior_of

import glmbayes as gb
from trust.record import P_BOUND, Z_BOUND, Section, rng_for

# logistic regressions: rows, coefficients, the samplers that are reasonable there
SIZES = {
    (40, 2): ("grid", "radial"),
    (300, 4): ("grid", "radial", "tall"),
    (1000, 5): ("radial", "tall"),
    (2000, 10): ("radial", "tall"),
    (5000, 20): ("radial", "tall"),
}


def z_of_means(a, b):
    return (a.mean(axis=0) - b.mean(axis=0)) / np.sqrt(a.var(axis=0) / len(a) + b.var(axis=0) / len(b))


def samplers(section, level):
    rows = []
    for (n, p), names in SIZES.items():
        rng = rng_for(f"agreement {n} {p}")
        case = logistic_recipe(rng, n, p)
        prior = gb.dNormal(case["mu"], np.linalg.inv(case["precision"]))
        drawn = {
            name: gb.rglmb(level.draws, case["y"], case["X"], "binomial", prior, sampler=name, rng=rng).coefficients
            for name in names
        }
        first = names[0]
        for other in names[1:]:
            a, b = drawn[first], drawn[other]
            z = np.abs(np.concatenate([z_of_means(a, b), z_of_means(a**2, b**2)])).max()
            p_value = min(stats.ks_2samp(a[:, j], b[:, j]).pvalue for j in range(p))
            what = f"n = {n}, p = {p}: {first} and {other}"
            section.check(z < Z_BOUND and p_value > P_BOUND, f"{what} differ: z = {z:.1f}, p = {p_value:.1e}")
            rows.append(
                {
                    "n": n,
                    "p": p,
                    "samplers": f"{first}, {other}",
                    "draws each": len(a),
                    "largest z": z,
                    "smallest KS p": p_value,
                }
            )
    section.tables.append(("Logistic regressions: samplers against each other", pd.DataFrame(rows)))


def references(section, level):
    folder = os.environ.get("GLMBAYES_EXTRA_DATA")
    if folder is None:
        section.text += " The designs of posteriordb were not at hand (GLMBAYES_EXTRA_DATA)."
        return
    rows = []
    for case in CASES:
        table = np.loadtxt(Path(folder) / "posteriordb" / case["file"], delimiter=",", skiprows=1)
        x, y = np.ascontiguousarray(table[:, :-1]), np.ascontiguousarray(table[:, -1])
        fit = gb.rlmb(level.draws, y, x, prior_of(case, x.shape[1]), rng=rng_for(case["name"]))
        draws = np.column_stack([fit.coefficients, np.sqrt(fit.dispersion)])
        truth = np.append(case["beta_mean"], case["sigma_mean"])
        z = np.abs((draws.mean(axis=0) - truth) / (draws.std(axis=0) / np.sqrt(len(draws)))).max()
        section.check(z < Z_BOUND, f"{case['name']}: {z:.1f} standard errors from the reference")
        rows.append({"posterior": case["name"], "prior": case["prior"], "n": len(y), "p": x.shape[1], "largest z": z})
    section.tables.append(("Gaussian posteriors of posteriordb: means of coefficients and sigma", pd.DataFrame(rows)))


def run(level, jobs):
    section = Section(
        "Agreement",
        "Samplers that share no envelope draw from the same posterior: means and second moments within 4.5 standard "
        "errors of each other, and two-sample Kolmogorov-Smirnov tests per coefficient. Published posteriors with "
        "answers by quadrature are met within the Monte Carlo error.",
    )
    samplers(section, level)
    references(section, level)
    return section
