"""Eight Schools: a hierarchical model by your own Gibbs sampler, three times faster and faster.

School j has an estimated coaching effect with a known standard error; the true effects theta_j come from a population
N(mu, sigma_theta^2).  Block 1 draws (mu, sigma_theta^2) given the effects, block 2 the effects given those.  The same
sampler is written with `rlmb` calls, with one `rlmb_blocks` call for all schools, and inside a compiled function.
Data and priors: Rubin (1981); Gelman et al. (2013), Bayesian Data Analysis, section 5.5; R glmbayes, Chapter 13.
"""

import sys
import time
from pathlib import Path

import numpy as np
from numba import njit

from glmbayes import datasets, dIndependent_Normal_Gamma, dNormal, dNormal_Gamma, kernels, rlmb, rlmb_blocks

NAMES = [*"ABCDEFGH", "mu", "sigma_theta"]
# posterior means by quadrature over sigma_theta, and what the R package's vignette prints from 1,000 sweeps
EXACT = {
    "dNormal_Gamma": [11.812, 8.273, 6.745, 7.993, 5.541, 6.473, 11.094, 8.900, 8.406, 6.650],
    "dIndependent_Normal_Gamma": [12.411, 8.128, 6.236, 7.794, 4.969, 5.994, 11.431, 8.880, 8.263, 7.603],
}
VIGNETTE = {
    "dNormal_Gamma": [12.243, 8.543, 7.021, 8.310, 6.121, 6.536, 11.441, 9.250, 8.768, 6.578],
    "dIndependent_Normal_Gamma": [12.753, 8.042, 6.164, 7.744, 5.239, 6.150, 11.402, 9.231, 8.466, 7.584],
}


def population_prior(kind, estimate):
    """The vignette's prior on (mu, sigma_theta^2), worth half an observation."""
    mean, variance = estimate.mean(), estimate.var(ddof=1)
    shape = 0.5 / 2.0
    if kind == "dNormal_Gamma":
        return dNormal_Gamma(mean, 1.0, shape=shape, rate=variance * shape)
    return dIndependent_Normal_Gamma(mean, variance, shape=shape, rate=variance * shape)


def gibbs_with_rlmb(estimate, variance, prior, sweeps, rng):
    """Nine `rlmb` calls a sweep."""
    ones, one = np.ones((8, 1)), np.ones((1, 1))
    theta = estimate.copy()
    draws = np.empty((sweeps, 10))
    for k in range(sweeps):
        population = rlmb(1, theta, ones, prior, rng=rng)
        mu, tau2 = population.coefficients[0, 0], population.dispersion[0]
        for j in range(8):
            school = rlmb(1, estimate[j : j + 1], one, dNormal(mu, tau2, dispersion=variance[j]), rng=rng)
            theta[j] = school.coefficients[0, 0]
        draws[k] = *theta, mu, np.sqrt(tau2)
    return draws


def gibbs_with_blocks(estimate, variance, prior, sweeps, rng):
    """Two calls a sweep: all schools are one `rlmb_blocks` call."""
    ones, sizes = np.ones((8, 1)), np.ones(8, dtype=int)
    theta = estimate.copy()
    draws = np.empty((sweeps, 10))
    for k in range(sweeps):
        population = rlmb(1, theta, ones, prior, rng=rng)
        mu, tau2 = population.coefficients[0, 0], population.dispersion[0]
        schools = rlmb_blocks(1, estimate, ones, dNormal(mu, tau2, dispersion=variance), sizes=sizes, rng=rng)
        theta = schools.coefficients[0, :, 0]
        draws[k] = *theta, mu, np.sqrt(tau2)
    return draws


@njit
def gibbs_compiled(estimate, variance, mean, shape, rate, sweeps, rng):
    """No Python at all: the library's kernels inside a compiled loop (normal-gamma prior)."""
    ones, prior_mean, sigma_0 = np.ones((8, 1)), np.array([mean]), np.eye(1)
    theta = estimate.copy()
    draws = np.empty((sweeps, 10))
    for k in range(sweeps):
        beta, tau2 = kernels.draw_normal_gamma(rng, theta, ones, prior_mean, sigma_0, shape, rate)
        kernels.draw_normal_means(rng, estimate, variance, beta[0], tau2, theta)
        draws[k, :8] = theta
        draws[k, 8] = beta[0]
        draws[k, 9] = np.sqrt(tau2)
    return draws


def batch_error(draws):
    """Monte Carlo standard errors of the means of correlated draws, by 25 batch means."""
    means = np.array([batch.mean(axis=0) for batch in np.array_split(draws, 25)])
    return means.std(axis=0, ddof=1) / np.sqrt(25)


def compare(kind, draws):
    """Print means, errors and sds beside the exact and the published means; return the largest z."""
    error = batch_error(draws)
    z = (draws.mean(axis=0) - EXACT[kind]) / error
    print(f"\n{kind}: {len(draws)} sweeps")
    print(f"{'':<12}{'mean':>9}{'MC error':>10}{'sd':>8}{'exact mean':>12}{'z':>6}{'vignette':>10}")
    for i, name in enumerate(NAMES):
        print(
            f"{name:<12}{draws[:, i].mean():>9.3f}{error[i]:>10.3f}{draws[:, i].std():>8.3f}"
            f"{EXACT[kind][i]:>12.3f}{z[i]:>6.1f}{VIGNETTE[kind][i]:>10.3f}"
        )
    return np.abs(z).max()


def plot_shrinkage(data, draws, path):
    """Estimates, and posterior means pulled towards the population mean."""
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
    order = np.argsort(data["estimate"].to_numpy())
    estimate, sd = data["estimate"].to_numpy()[order], data["sd"].to_numpy()[order]
    theta = draws[:, :8][:, order]
    y = np.arange(8)
    ax.hlines(y + 0.13, estimate - sd, estimate + sd, color="#b7791f", lw=1.5, label="estimate ± standard error")
    ax.plot(estimate, y + 0.13, "o", color="#b7791f")
    low, high = np.percentile(theta, (16, 84), axis=0)
    ax.hlines(y - 0.13, low, high, color="#2b6cb0", lw=1.5, label="posterior, central 68 %")
    ax.plot(theta.mean(axis=0), y - 0.13, "o", color="#2b6cb0")
    ax.axvline(draws[:, 8].mean(), color="0.5", lw=0.8, ls=":", label="posterior mean of mu")
    ax.set(yticks=y, yticklabels=data["school"].to_numpy()[order], xlabel="coaching effect", ylabel="school")
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, loc="lower right")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    plt.close(figure)
    print(f"\nShrinkage plot saved to {path}")


def main(burn_in=1000, sweeps=1000, seed=101, picture=None):
    data = datasets.load("eight_schools")
    estimate = data["estimate"].to_numpy(dtype=float)
    variance = data["sd"].to_numpy(dtype=float) ** 2
    rng = np.random.default_rng(seed)
    total = burn_in + sweeps
    worst = 0.0
    for kind in EXACT:
        prior = population_prior(kind, estimate)
        for name, sampler in (("rlmb", gibbs_with_rlmb), ("rlmb_blocks", gibbs_with_blocks)):
            sampler(estimate, variance, prior, 10, rng)  # load the compiled code
            start = time.perf_counter()
            draws = sampler(estimate, variance, prior, total, rng)[burn_in:]
            print(f"{kind} with {name}: {total} sweeps in {time.perf_counter() - start:.3f} s")
            worst = max(worst, compare(kind, draws))

    prior = population_prior("dNormal_Gamma", estimate)
    arguments = (estimate, variance, estimate.mean(), prior.shape, prior.rate)
    gibbs_compiled(*arguments, 10, rng)
    start = time.perf_counter()
    gibbs_compiled(*arguments, total, rng)
    print(f"\ndNormal_Gamma inside a compiled loop: {total} sweeps in {1e3 * (time.perf_counter() - start):.1f} ms")
    long = gibbs_compiled(*arguments, burn_in + 200_000, rng)[burn_in:]
    worst = max(worst, compare("dNormal_Gamma", long))

    if worst > 5.0:
        raise SystemExit("a posterior mean is more than 5 Monte Carlo standard errors from its exact value")
    plot_shrinkage(data, long, picture or Path(__file__).parent / "output" / "eight_schools.png")


if __name__ == "__main__":
    main(picture=Path(sys.argv[1]) if len(sys.argv) > 1 else None)
