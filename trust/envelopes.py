"""Dominance: the log acceptance probability of no candidate is positive, sought out and sampled."""

import numpy as np
import pandas as pd
from tests.glm_cases import adversarial
from tests.kernels import adversarial as line
from tests.test_glm_dominance import _radial, climb, log_bound, starts

from glmbayes.kernels.radial_envelope import propose
from trust.record import Section, rng_for

TOLERANCE = 1e-9
BATCH = 20_000


def log_precision(section, level):
    """The one-dimensional envelope of Gaussian models: every prior on every hard data set and window."""
    rows = []
    for prior in line.PRIORS:
        rng = rng_for(f"log precision {prior}")
        worst, count, candidates = -np.inf, 0, 0
        for data in line.DATA:
            for window in line.WINDOWS:
                f = line.density(prior, data, window)
                env, status = line.envelope(f)
                if status != line.kernel.DONE:
                    continue
                worst = max(worst, line.highest_log_acceptance(f, env, rng.random((level.starts, 3))))
                taken = line.draws(f, env, max(100, level.candidates // 4000), rng)[1]
                candidates += int(taken.sum())
                count += 1
        section.check(worst <= TOLERANCE, f"{prior}: log acceptance {worst:.2e}")
        rows.append(
            {
                "prior on precision or sd": prior,
                "posteriors": count,
                "candidates": candidates,
                "largest log acceptance": worst,
            }
        )
    section.tables.append(("Gaussian models: the envelope of the log precision", pd.DataFrame(rows)))


def radial(section, level):
    """The radial and axis envelope of generalised linear models on adversarial data."""
    cases = adversarial()
    per_case = -(-level.candidates // len(cases))
    rows = []
    for name, case in cases.items():
        rng = rng_for(f"radial {name}")
        sampler = _radial(case)
        p = sampler.white.size
        found = climb(
            lambda Z, s=sampler: s.log_ratio(Z) - log_bound(s.table, Z), starts(rng, p, level.starts), rng
        ).max()
        open_squeeze = sampler.squeeze._replace(edge=-1.0)
        Z, need, log_u, verdict = np.empty((BATCH, p)), np.empty(BATCH), np.empty(BATCH), np.empty(BATCH, np.int8)
        stream = sampler.streams(rng.integers(2**63))[0]
        drawn, count = -np.inf, 0
        while count < per_case:
            propose(stream, sampler.table, open_squeeze, Z, need, log_u, verdict)
            drawn = max(drawn, np.max(sampler.log_ratio(Z) - need + log_u))
            count += BATCH
        section.check(max(found, drawn) <= TOLERANCE, f"{name}: log acceptance {max(found, drawn):.2e}")
        rows.append({"data": name, "p": p, "maximised": found, "candidates": count, "largest drawn": drawn})
    section.tables.append(("Generalised linear models: the radial and axis envelope", pd.DataFrame(rows)))


def run(level, jobs):
    section = Section(
        "Envelopes lie above the posterior",
        "Rejection sampling is exact when the envelope dominates the posterior density everywhere. Where it does not, "
        "some candidate has a positive log acceptance probability. It is computed without squeezes and never clipped; "
        f"it is maximised numerically from {level.starts} starting points per data set, and evaluated at every one of "
        "many drawn candidates. The data are hard on purpose: separated, one leverage point, collinear, fewer rows "
        "than coefficients, counts of a million, weights from 1e-6 to 1e6, prior and data in conflict.",
    )
    log_precision(section, level)
    radial(section, level)
    return section
