"""Gamma regression when the dispersion is not known: an exact draw for each block in turn, and what that costs.

Given the dispersion the coefficients are drawn exactly (a GLM), given the coefficients the dispersion is (its log
precision has a log-concave density).  Alternating the two is a Gibbs sampler: Markov chains, and labelled so.
The data are simulated: the time to repair, by the age of a machine and by whether a spare part is at hand.
"""

from pathlib import Path

import numpy as np
from scipy.special import gammaln

from glmbayes import Prior_Setup, dIndependent_Normal_Gamma, glmb

TRUTH = {"(Intercept)": 0.6, "age": 0.09, "spareTRUE": -0.8, "dispersion": 0.4}
OUTPUT = Path(__file__).resolve().parent / "output"


def simulate(n, rng):
    age, spare = rng.uniform(0, 12, n), rng.random(n) < 0.4
    mean = np.exp(TRUTH["(Intercept)"] + TRUTH["age"] * age + TRUTH["spareTRUE"] * spare)
    shape = 1.0 / TRUTH["dispersion"]
    return {"hours": rng.gamma(shape, mean / shape), "age": age, "spare": spare}


def quadrature(data, prior, points=61):
    """Posterior means and sds of the coefficients and of the dispersion on a four-dimensional grid."""
    y = data["hours"]
    x = np.column_stack([np.ones(y.size), data["age"], data["spare"]])
    centre, half = np.array([0.5, 0.09, -0.8]), np.array([0.8, 0.11, 0.75])
    axes = [np.linspace(c - h, c + h, points) for c, h in zip(centre, half)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    linear = np.concatenate([-(e + y * np.exp(-e)).sum(axis=1) for e in (b @ x.T for b in np.array_split(grid, 50))])
    inverse = np.linalg.inv(prior.Sigma)
    log_prior = -0.5 * np.einsum("ij,jk,ik->i", grid - prior.mu, inverse, grid - prior.mu)
    total = moment = square = 0.0
    top = linear.max()
    precision = np.exp(np.linspace(-0.5, 2.2, 136))
    quantities = np.empty((grid.shape[0], 4))
    quantities[:, :3] = grid
    reference = None
    for v in precision:
        constant = y.size * (v * np.log(v) - gammaln(v)) + (v - 1.0) * np.log(y).sum()
        constant += prior.shape * np.log(v) - prior.rate * v + v * top
        reference = constant if reference is None else reference
        weight = np.exp(v * (linear - top) + log_prior + constant - reference)
        quantities[:, 3] = 1.0 / v
        total += weight.sum()
        moment = moment + weight @ quantities
        square = square + weight @ quantities**2
    mean = moment / total
    return mean, np.sqrt(square / total - mean**2)


def main():
    data = simulate(80, np.random.default_rng(7))
    setup = Prior_Setup("hours ~ age + spare", data, "Gamma")
    prior = dIndependent_Normal_Gamma(setup.mu, setup.Sigma, shape=2.0, rate=1.0)
    fit = glmb("hours ~ age + spare", data, "Gamma", prior, n=8000, rng=1)
    mean, sd = quadrature(data, prior)
    draws = np.column_stack([fit.draws.coefficients, fit.dispersion])
    print(f"{'mean (sd)':<14}{'simulated from':>16}{'quadrature':>22}{'glmb':>22}")
    for k, (name, value) in enumerate(TRUTH.items()):
        cells = (mean[k], sd[k]), (draws[:, k].mean(), draws[:, k].std())
        print(f"{name:<14}{value:>16.3f}" + "".join(f"{f'{m:9.4f} ({s:.4f})':>22}" for m, s in cells))
    print(f"\n{fit.sampler_report()}\n")
    known = glmb("hours ~ age + spare", data, "Gamma", n=8000, rng=1)
    print(f"With the dispersion taken as known ({known.prior.dispersion:.3f}, its estimate) the draws are independent:")
    print(known.posterior_sd.round(4).to_string())
    value, error = fit.log_marginal_likelihood(with_error=True)
    smaller = fit.update(
        "hours ~ age", pfamily=dIndependent_Normal_Gamma(prior.mu[:2], prior.Sigma[:2, :2], 2.0, 1.0), rng=1
    )
    factor = np.exp(value - smaller.log_marginal_likelihood())
    print(f"\nlog evidence {value:.3f} (se {error:.4f}); Bayes factor for the spare part to matter: {factor:.3g}")
    print("\nA new machine of age 6, with and without the part: expected hours and 95 % of repairs")
    table = fit.predict({"age": [6.0, 6.0], "spare": [True, False]}, kind="interval", rng=1)
    print(table[["mean", "lower", "upper", "new_lower", "new_upper"]].round(2).to_string(index=False))
    plot(fit)


def plot(fit):
    try:
        import matplotlib
    except ImportError:
        return
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    _, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
    fit.plot_fit("age", at={"spare": False}, ax=left)
    left.set(title="without the spare part", ylabel="hours")
    fit.plot_residuals(kind="quantile", ax=right)
    right.set(title="quantile residuals")
    OUTPUT.mkdir(exist_ok=True)
    plt.savefig(OUTPUT / "gamma_regression.png", dpi=120)
    print(f"\nwrote {OUTPUT / 'gamma_regression.png'}")


if __name__ == "__main__":
    main()
