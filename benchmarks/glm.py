"""Exact draws from GLM posteriors: CPU time of set-up and draws, acceptance, and a statsmodels fit in the same run.

Logistic recipe: X = [1, standard normal], beta = (0.3, N(0, 1) / sqrt p), prior N(0, (1-w)/w H^-1) with the information
H at the maximum of the likelihood and w = 0.01.  The column "likelihood" is one evaluation of the log posterior by
NumPy, for 100 candidates at once: the least that a sampler without bounds does for a draw, and often more than an exact
draw costs here.  The floor is p standard normals and a p x p product.

Run with one thread:  OPENBLAS_NUM_THREADS=1 python benchmarks/glm.py [n,p ...]
"""

import sys
import time

import numpy as np
import statsmodels.api as sm
from harness import in_words
from scaling import floor

from glmbayes.glm.posterior import build_glm_posterior

SIZES = ["100,3", "300,14", "1000,5", "1000,10", "1000,20", "10000,20", "10000,50", "100000,20"]
SPECIAL = ["200,20", "500,30", "1000,50", "rare", "t3", "poisson,200,20", "poisson,1000,50"]
LARGE = ["100000,50", "1000000,20"]


def recipe(n, p, family="binomial", covariates="normal", intercept=0.3, seed=1, weight=0.01):
    """Arguments of build_glm_posterior."""
    rng = np.random.default_rng(seed)
    Z = rng.standard_normal((n, p - 1)) if covariates == "normal" else rng.standard_t(3, (n, p - 1))
    X = np.column_stack([np.ones(n), Z])
    eta = X @ np.concatenate([[intercept], rng.standard_normal(p - 1) / np.sqrt(p)])
    if family == "binomial":
        y = (rng.random(n) < 1 / (1 + np.exp(-eta))).astype(float)
    else:
        y = rng.poisson(np.exp(eta)).astype(float)
    flat = build_glm_posterior(y, X, np.zeros(n), np.ones(n), family, np.zeros(p), 1e-8 * np.eye(p), sampler="radial")
    precision = np.linalg.inv(flat.covariance) * weight / (1 - weight)
    return y, X, np.zeros(n), np.ones(n), family, np.zeros(p), precision


def best_of(call, times):
    seconds = []
    for _ in range(times):
        start = time.process_time()
        result = call()
        seconds.append(time.process_time() - start)
        if seconds[-1] > 1.0:
            break
    return min(seconds), result


def numpy_per_candidate(y, X, offset, weights, family, mu, precision):
    """Seconds per candidate of a vectorised log posterior."""
    theta = 0.1 * np.random.default_rng(0).standard_normal((100, len(mu)))

    def evaluate():
        eta = theta @ X.T
        terms = eta * y - (np.logaddexp(0.0, eta) if family == "binomial" else np.exp(eta))
        return terms.sum(axis=1) - 0.5 * np.einsum("ij,ij->i", theta @ precision, theta)

    return best_of(evaluate, 3)[0] / 100


def run(label, args, draws=4096):
    n, p = args[1].shape
    build_glm_posterior(*args)
    setup, post = best_of(lambda: build_glm_posterior(*args), 5)
    post.draw(draws, 1)
    drawing, result = best_of(lambda: post.draw(draws, 2), 5)
    reference = sm.families.Binomial() if args[4] == "binomial" else sm.families.Poisson()
    reference_fit, _ = best_of(lambda: sm.GLM(args[0], args[1], family=reference).fit(), 2)
    plain = in_words(numpy_per_candidate(*args)) if n * p < 1e7 else ""
    print(
        f"{label:17}{post.sampler.name:8}{1 / result.candidates.mean():10.3g}{in_words(setup):>12}"
        f"{in_words(reference_fit):>12}{in_words(drawing / draws):>12}{plain:>12}{in_words(floor(p)):>12}",
        flush=True,
    )


def problem(label):
    """The benchmark that a command-line word names."""
    if label == "rare":
        return recipe(10_000, 20, intercept=-5.0)
    if label == "t3":
        return recipe(1000, 10, covariates="t3")
    family, *size = label.split(",") if label.startswith("poisson") else ("binomial", *label.split(","))
    return recipe(int(size[0]), int(size[1]), family)


if __name__ == "__main__":
    print(f"\n{'rows, columns':17}{'sampler':8}{'acceptance':>10}{'set-up':>12}{'statsmodels':>12}{'one draw':>12}"
          f"{'likelihood':>12}{'floor':>12}")  # fmt: skip
    for label in sys.argv[1:] or [*SIZES, *SPECIAL, *LARGE]:
        run(label, problem(label))
