"""Logistic regressions of growing size: time per exact draw and memory, beside the floor of any iid sampler.

The floor is what no exact sampler can go below: p standard normals and one p x p triangular product for each draw, in
batches, by NumPy. Below it nothing is left to win; the distance is the price of exactness.

``python benchmarks/scaling.py [FILE.png]`` prints the table and saves the picture.
"""

import sys
import tracemalloc

import numpy as np
from harness import best_times, in_words

from glmbayes import dNormal, families, rglmb
from glmbayes.glm.build import normal_posterior

BY_ROWS = [(n, 10) for n in (100, 1000, 10_000, 100_000, 1_000_000)]
BY_COEFFICIENTS = [(1000, p) for p in (2, 5, 10, 20, 30, 40)]
DRAWS = 4096


def recipe(n, p):
    rng = np.random.default_rng(1)
    X = np.column_stack([np.ones(n), rng.standard_normal((n, p - 1))])
    beta = np.concatenate([[0.3], rng.standard_normal(p - 1) / np.sqrt(p)])
    return (rng.random(n) < 1 / (1 + np.exp(-X @ beta))).astype(float), X, dNormal(np.zeros(p), 25.0 * np.eye(p))


def floor(p):
    """Seconds per draw."""
    rng, root = np.random.default_rng(1), np.tri(p)
    return best_times([lambda: rng.standard_normal((DRAWS, p)) @ root.T], rounds=3)[0] / DRAWS


def measure(n, p):
    """Seconds of set-up, seconds per draw after it, candidates per draw, peak memory in bytes."""
    y, X, prior = recipe(n, p)
    none, rng = np.empty(0), np.random.default_rng(1)

    def set_up():
        return normal_posterior((y, X, none, none), families.binomial(), prior.coefficient, 1.0, "auto", DRAWS)

    posterior = set_up()
    posterior.draw(1, rng)  # small posteriors are prepared by their first draw
    before, drawing = best_times([set_up, lambda: posterior.draw(DRAWS, rng)], rounds=2, least=0.0)
    tracemalloc.start()
    fit = rglmb(DRAWS, y, X, "binomial", prior, rng=1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return before, drawing / DRAWS, float(fit.iters.mean()), peak - fit.coefficients.nbytes


def picture(results, path):
    """Time per draw against n and against p, memory against n; the floor beside them."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10.0, 3.3), layout="constrained")
    axes = figure.subplots(1, 3)
    rows = [(n, *results[n, p]) for n, p in BY_ROWS]
    columns = [(p, *results[n, p]) for n, p in BY_COEFFICIENTS]
    for ax, points, label in (
        (axes[0], rows, "rows (10 coefficients)"),
        (axes[1], columns, "coefficients (1,000 rows)"),
    ):
        size = [point[0] for point in points]
        ax.loglog(size, [1e6 * point[2] for point in points], "o-", label="exact draw")
        lowest = [floor(10 if ax is axes[0] else p) for p in size]
        ax.loglog(size, [1e6 * value for value in lowest], "--", color="0.5", label="floor: normals and a product")
        ax.set(xlabel=label, ylabel="µs per draw", xscale="log" if ax is axes[0] else "linear")
        ax.legend(frameon=False, fontsize=8)
    axes[2].loglog([n for n, *_ in rows], [point[4] / 2**20 for point in rows], "o-", label="peak, beyond the data")
    axes[2].loglog([n for n, *_ in rows], [80 * n / 2**20 for n, *_ in rows], "--", color="0.5", label="design matrix")
    axes[2].set(xlabel="rows (10 coefficients)", ylabel="MiB")
    axes[2].legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=120)


def main(path=None):
    print(
        f"\n{'rows':>10}{'p':>5}{'set-up':>12}{'per draw':>11}{'floor':>10}{'candidates':>12}{'peak':>11}{'design':>11}"
    )
    results = {}
    for n, p in dict.fromkeys(BY_ROWS + BY_COEFFICIENTS):
        results[n, p] = first, each, candidates, peak = measure(n, p)
        memory = f"{peak / 2**20:>7.1f} MiB{8 * n * p / 2**20:>7.1f} MiB"
        print(
            f"{n:>10,}{p:>5}{in_words(first):>12}{in_words(each):>11}{in_words(floor(p)):>10}{candidates:>12.3g}{memory}",
            flush=True,
        )
    if path is not None:
        picture(results, path)


if __name__ == "__main__":
    main(*sys.argv[1:])
