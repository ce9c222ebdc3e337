"""Significant digits of ill-conditioned regressions, beside statsmodels and, where it is installed, R's lm."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from tests.test_lmb_numerics import CERTIFIED, PROBLEMS, exact_least_squares

import glmbayes as gb
from glmbayes.design import build_design
from trust.record import Section, rng_for

R_SCRIPT = """
a <- commandArgs(TRUE)
d <- read.csv(a[1], check.names = FALSE)
cat(format(coef(lm(as.formula(a[2]), d, tol = 1e-18)), digits = 17), sep = "\\n")
"""


def log_relative_error(estimate, truth):
    """Least number of significant digits that agree; at most 16."""
    error = np.max(np.abs(np.asarray(estimate) - truth) / np.abs(truth))
    return min(16.0, -np.log10(error)) if error > 0.0 else 16.0


def by_r(formula, data):
    """Coefficients of R's lm; None without Rscript."""
    rscript = shutil.which("Rscript")
    if rscript is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "data.csv"
        pd.DataFrame(data).to_csv(file, index=False, float_format="%.17g")
        done = subprocess.run([rscript, "-e", R_SCRIPT, file, formula], capture_output=True, text=True, check=True)
    return [float(word) for word in done.stdout.split()]


def problems():
    """Name, formula, data, true coefficients, digits promised."""
    for name, ((data, formula), least) in PROBLEMS.items():
        design = build_design(formula, data)
        yield name, formula, data, exact_least_squares(design.X, design.y)[0], least
    folder = os.environ.get("GLMBAYES_EXTRA_DATA")
    for name, (formula, least, truth) in CERTIFIED.items() if folder else ():
        yield f"NIST {name}", formula, pd.read_csv(Path(folder) / "nist" / f"{name}.csv"), np.array(truth), least


def run(level, jobs):
    import statsmodels.api as sm

    section = Section(
        "Digits",
        "Posterior means under a flat prior on the coefficients equal least squares. Number of correct significant "
        "digits (the worst coefficient) against exact rational arithmetic, or NIST's certified values for the data of "
        "the Statistical Reference Datasets.",
    )
    rows = []
    for name, formula, data, truth, least in problems():
        design = build_design(formula, data)
        p = truth.size
        # of data without noise the flat posterior is improper, and a known dispersion says the same about the means
        prior = gb.dNormal(np.zeros(p), np.diag(np.full(p, np.inf)), dispersion=1.0)
        fit = gb.lmb(formula, data, prior, n=1, rng=rng_for(name))
        ours = log_relative_error(fit.posterior_mean.to_numpy(), truth)
        section.check(ours >= least, f"{name}: {ours:.1f} digits, {least} promised")
        theirs = by_r(formula, data)
        rows.append(
            {
                "data": name,
                "n": design.y.size,
                "p": p,
                "glmbayes": round(ours, 1),
                "statsmodels OLS": round(log_relative_error(sm.OLS(design.y, design.X).fit().params, truth), 1),
                "R lm": "not installed" if theirs is None else round(log_relative_error(theirs, truth), 1),
            }
        )
    section.tables.append(("Correct digits of the worst coefficient", pd.DataFrame(rows)))
    return section
