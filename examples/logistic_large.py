"""Logistic regressions that a grid cannot reach: 14 coefficients, 50 coefficients, a million rows.

R's glmbayes covers the posterior with 3^p cells: 4.8 million for 14 coefficients, 7e23 for 50.  The radial envelope
needs no grid, and for a million rows the draws hardly touch the data.  Every draw is exact and independent.
"""

import time
from pathlib import Path

import numpy as np

from glmbayes import dNormal, glmb

OUTPUT = Path(__file__).resolve().parent / "output"


def simulate(n, p, seed):
    """Standard normal predictors, true coefficients of size 1 / sqrt(p), and those."""
    rng = np.random.default_rng(seed)
    x = np.column_stack([np.ones(n), rng.standard_normal((n, p - 1))])
    beta = np.concatenate([[0.3], rng.standard_normal(p - 1) / np.sqrt(p)])
    y = (rng.random(n) < 1.0 / (1.0 + np.exp(-x @ beta))).astype(float)
    return y, x, beta


def newton(y, x, prior_precision):
    """Posterior mode and its curvature by plain Newton steps: something to compare with."""
    beta = np.zeros(x.shape[1])
    for _ in range(50):
        mu = 1.0 / (1.0 + np.exp(-x @ beta))
        information = x.T @ ((mu * (1.0 - mu))[:, None] * x) + prior_precision * np.eye(beta.size)
        step = np.linalg.solve(information, x.T @ (y - mu) - prior_precision * beta)
        beta = beta + step
        if np.abs(step).max() < 1e-10:
            break
    return beta, information


def fit(n, p, draws, seed=1, prior_sd=2.5):
    y, x, beta = simulate(n, p, seed)
    prior = dNormal(np.zeros(p), prior_sd**2 * np.eye(p))
    start = time.perf_counter()
    model = glmb(y=y, X=x, family="binomial", pfamily=prior, n=draws, rng=1)
    total = time.perf_counter() - start
    start = time.perf_counter()
    again = model.sample(draws, 2)
    drawing = time.perf_counter() - start
    mode, information = newton(y, x, prior_sd**-2)
    laplace = np.sqrt(np.diag(np.linalg.inv(information)))
    b = again.draws.coefficients
    inside = np.mean((np.quantile(b, 0.05, axis=0) < beta) & (beta < np.quantile(b, 0.95, axis=0)))
    print(f"\n{n:,} rows, {p} coefficients, {draws:,} draws")
    print(f"  3^{p} = {3.0**p:.3g} grid cells avoided")
    print(f"  everything {total:.2f} s; drawing alone {drawing:.3f} s: {draws / drawing:,.0f} exact draws a second")
    print("  " + model.sampler_report().replace("\n", "\n  "))
    off = np.abs(model.coef_mode.to_numpy() - mode).max()
    print(f"  mode against plain Newton steps: largest difference {off:.1e}")
    ratio = b.std(axis=0) / laplace
    print(f"  posterior sd over the Laplace approximation's: {ratio.min():.3f} to {ratio.max():.3f}")
    print(f"  90 % intervals that hold the true coefficient: {100 * inside:.0f} %")
    return model, beta


def compile_kernels():
    """The first run ever compiles; those after it read the compiled code from disk."""
    y, x, _ = simulate(20_000, 6, 0)
    for sampler in ("radial", "tall"):
        glmb(y=y, X=x, family="binomial", pfamily=dNormal(np.zeros(6), np.eye(6)), n=10, sampler=sampler, rng=1)


def main():
    compile_kernels()
    model, beta = fit(300, 14, 20_000)
    fit(10_000, 50, 4_000)
    fit(1_000_000, 20, 100_000)
    plot(model, beta)


def plot(model, beta):
    try:
        import matplotlib
    except ImportError:
        return
    matplotlib.use("Agg")

    axes = model.plot_coef(intercept=True)
    axes.plot(beta, np.arange(len(beta))[::-1], "x", color="#c53030", label="simulated from")
    axes.legend(frameon=False)
    OUTPUT.mkdir(exist_ok=True)
    axes.figure.savefig(OUTPUT / "logistic_large.png", dpi=120)
    print(f"\nwrote {OUTPUT / 'logistic_large.png'}")


if __name__ == "__main__":
    main()
