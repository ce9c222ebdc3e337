"""glmb from formula to draws and summary, beside statsmodels' GLM fit (a point estimate) of the same data.

OPENBLAS_NUM_THREADS=1 NUMBA_NUM_THREADS=1 python benchmarks/glmb.py
"""

import os
import resource
import subprocess
import sys

import numpy as np
import statsmodels.api as sm
import statsmodels.formula.api as smf
from harness import Table, in_words

from glmbayes import datasets, dNormal, glmb

MENARCHE = "cbind(Menarche, Total - Menarche) ~ I(Age - 13)"
FIRST_SUMMARY = """
from glmbayes import datasets, glmb
print(glmb("cbind(Menarche, Total - Menarche) ~ I(Age - 13)", datasets.load("menarche"), "binomial").summary())
"""


def menarche():
    rng = np.random.default_rng(1)
    data = datasets.load("menarche")
    data["Rest"] = data["Total"] - data["Menarche"]
    prior = dNormal([0.36, 0.0], np.diag([0.39, 0.34]))

    def peer():
        return smf.glm("Menarche + Rest ~ I(Age - 13)", data, family=sm.families.Binomial()).fit()

    table = Table("menarche, 25 rows, 2 coefficients")
    table.row("glmb(n=10_000), prior given", lambda: glmb(MENARCHE, data, "binomial", prior, n=10_000, rng=1), peer,
              floor=lambda: rng.standard_normal((10_000, 2)))  # fmt: skip
    table.row("glmb(n=10_000), default prior", lambda: glmb(MENARCHE, data, "binomial", n=10_000, rng=1), peer, 50e-3)
    table.row("glmb(n=1000), default prior", lambda: glmb(MENARCHE, data, "binomial", rng=1), peer)
    fit = glmb(MENARCHE, data, "binomial", rng=1)
    table.row("str(fit.summary())", lambda: str(fit.summary()), lambda: str(peer().summary()))
    table.row("fit.log_marginal_likelihood()", fit.log_marginal_likelihood)


def logistic(n, p, draws):
    rng = np.random.default_rng(1)
    x = np.column_stack([np.ones(n), rng.standard_normal((n, p - 1))])
    y = (rng.random(n) < 1.0 / (1.0 + np.exp(-x @ (rng.standard_normal(p) / np.sqrt(p))))).astype(float)
    prior = dNormal(np.zeros(p), 6.25 * np.eye(p))
    table = Table(f"logistic, {n:,} rows, {p} coefficients, arrays in", rounds=3)
    table.row(
        f"glmb(n={draws})",
        lambda: glmb(y=y, X=x, family="binomial", pfamily=prior, n=draws, rng=1),
        lambda: sm.GLM(y, x, sm.families.Binomial()).fit(),
        floor=lambda: (x.T @ x, rng.standard_normal((draws, p))),
    )


def dobson():
    data = {
        "counts": [18.0, 17, 15, 20, 10, 20, 25, 13, 12],
        "outcome": list("123") * 3,
        "treatment": sorted("123" * 3),
    }
    formula = "counts ~ outcome + treatment"
    table = Table("Dobson's trial, 9 rows, 5 coefficients")
    table.row(
        "glmb(n=1000), default prior",
        lambda: glmb(formula, data, "poisson", rng=1),
        lambda: smf.glm(formula, data, family=sm.families.Poisson()).fit(),
    )


def cold_process(rounds=3):
    """CPU seconds of a new process that prints its first summary, compiled code on disk."""
    used = []
    for _ in range(rounds + 1):  # the first one may compile
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", FIRST_SUMMARY], check=True, stdout=subprocess.DEVNULL, env=os.environ)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        used.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    print(f"\nnew process to its first printed logistic summary: {in_words(min(used[1:]))} CPU (target 1.5 s)")


if __name__ == "__main__":
    menarche()
    dobson()
    logistic(300, 14, 1000)
    logistic(10_000, 20, 1000)
    logistic(100_000, 20, 1000)
    cold_process()
