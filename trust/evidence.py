"""Marginal likelihoods against brute-force quadrature."""

import numpy as np
import pandas as pd
from tests import test_glmb_posterior as glm
from tests.fits.cases import PRIORS, brute_log_evidence, design, line

import glmbayes as gb
from trust.record import Z_BOUND, Section, rng_for

GAUSSIAN_BOUND = 1e-8  # deterministic on both sides


def run(level, jobs):
    section = Section(
        "Marginal likelihoods",
        "Gaussian models: a closed form or one-dimensional quadrature, hence no Monte Carlo error; the reference "
        "integrates the joint density by brute force. Generalised linear models: the mass of the envelope times the "
        "acceptance rate, with a standard error; the reference is a fine grid over both coefficients. z counts the "
        "difference in standard errors; over many data sets its mean is 0.",
    )
    repeats = max(2, level.joint_replications // 200)
    rows = []
    for name, prior in PRIORS.items():
        rng = rng_for(f"evidence {name}")
        worst = 0.0
        for _ in range(repeats):
            data = line(rng, 8)
            truth = brute_log_evidence(prior, data["y"], design(data), None, False)
            worst = max(worst, abs(gb.lmb("y ~ x", data, prior, n=1, rng=rng).log_marginal_likelihood() - truth))
        section.check(worst < GAUSSIAN_BOUND, f"evidence under {name} is off by {worst:.1e}")
        rows.append({"prior": name, "data sets": repeats, "largest difference of the log": worst})
    section.tables.append(("Gaussian models", pd.DataFrame(rows)))
    rows = []
    for name in glm.SMALL:
        rng = rng_for(f"evidence {name}")
        for sampler in ("grid", "radial"):
            zs, errors = [], []
            for _ in range(repeats):
                family, data, offset, weights, prior = glm.small_case(name, rng)
                truth = glm.grid_posterior(name, data, offset, weights, prior)[2]
                fit = gb.glmb(
                    "y ~ x", data, family, prior, n=1000, weights=weights, offset=offset, sampler=sampler, rng=rng
                )
                value, error = fit.log_marginal_likelihood(with_error=True, rng=rng)  # not the same for all data sets
                zs.append((value - truth) / (error + 1e-6))
                errors.append(error)
            worst = float(np.max(np.abs(zs)))
            section.check(worst < Z_BOUND, f"evidence of {name} by {sampler}: {worst:.1f} standard errors off")
            mean = float(np.mean(zs))
            section.check(abs(mean) * np.sqrt(repeats) < Z_BOUND, f"evidence of {name} by {sampler}: mean z {mean:.2f}")
            rows.append(
                {
                    "family": name,
                    "sampler": sampler,
                    "data sets": repeats,
                    "largest standard error": max(errors),
                    "largest z": worst,
                    "mean z": mean,
                }
            )
    section.tables.append(("Generalised linear models", pd.DataFrame(rows)))
    return section
