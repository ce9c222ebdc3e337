"""Hourly counts with log-normal effects: a Poisson model with a random effect for every observation, by two blocks.

The number of bicycles hired in hour i is Poisson(exp(theta_i)), theta_i ~ N(x_i'beta, phi).  Block 1 draws every
theta_i from its own Poisson posterior (one coefficient, one observation, a normal prior): one call of `rglmb_blocks`.
Block 2 is a linear regression of theta on x: `rlmb` draws beta given phi, and phi given beta.  Then the same sweep
inside a compiled function.  Integrating every theta_i out by quadrature and importance sampling over (beta, log phi)
gives the same posterior without a Markov chain.  The counts are simulated (data/make_bike_hours.py), so that the truth
is known.
"""

import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numba import njit

from glmbayes import Chains, datasets, dGamma, dNormal, families, gibbs, glmb, kernels, rglmb_blocks, rlmb

NAMES = ["(Intercept)", "working", "warmth", "rain", "sin24", "cos24", "sin12", "cos12"]
TRUTH = [3.6, 0.3, 0.4, -0.7, -0.6, -0.9, -0.25, -0.5, 0.35]  # the last one is the sd of the hours' effects
SHAPE, RATE = 2.0, 0.2  # of the prior Gamma distribution of 1 / phi
PYTHON_SWEEPS, COMPILED_SWEEPS, CHAINS = 500, 2000, 4
OUTPUT = Path(__file__).resolve().parent / "output"
POISSON = families.poisson().kernel


class State(NamedTuple):
    """Log rates of the hours, population coefficients, variance of the log rates around them."""

    theta: np.ndarray
    beta: np.ndarray
    phi: float


def read():
    """Counts and design."""
    bikes = datasets.load("bike_hours")
    day = 2.0 * np.pi * bikes["hour"] / 24.0
    waves = (np.sin(day), np.cos(day), np.sin(2.0 * day), np.cos(2.0 * day))
    warmth = (bikes["temperature"] - 15.0) / 10.0
    x = np.column_stack([np.ones(len(bikes)), bikes["working"], warmth, bikes["rain"], *waves])
    return bikes, bikes["count"].to_numpy(dtype=float), x


def python_step(rng, state, y, x, mu, Sigma):
    """One sweep with the library's calls."""
    n = y.size
    effects = dNormal((x @ state.beta)[:, None], state.phi)  # a prior mean for every hour, one variance
    theta = rglmb_blocks(1, y, np.ones((n, 1)), "poisson", effects, sizes=np.ones(n, int), rng=rng).coefficients[
        0, :, 0
    ]
    beta = rlmb(1, theta, x, dNormal(mu, Sigma, dispersion=state.phi), rng=rng).coefficients[0]
    phi = rlmb(1, theta, x, dGamma(SHAPE, RATE, beta=beta), rng=rng).dispersion[0]
    return State(theta, beta, float(phi))


@njit
def compiled_step(rng, state, y, x, mu, Sigma):
    """The same sweep with the functions that those calls end in."""
    one, none = np.ones(1), np.empty(0)
    mean = x @ state.beta
    theta = np.empty(y.size)
    for i in range(y.size):
        theta[i], status = kernels.draw_glm_1d(rng, POISSON, y[i : i + 1], one, none, none, mean[i], state.phi)
        if status != 0:
            raise ValueError("a log rate could not be drawn")
    beta = kernels.draw_normal(rng, theta, x, mu, Sigma, state.phi)
    phi = kernels.draw_dispersion(rng, theta, x, beta, SHAPE, RATE)
    return State(theta, beta, phi)


def quantities(chains):
    """(chains, draws, 9) array: beta and the standard deviation of the log rates."""
    return np.concatenate([chains.draws["beta"], np.sqrt(chains.draws["phi"])[..., None]], axis=2)


_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(15)


def log_posterior(points, y, x, mu, Sigma):
    """Log posterior at rows (beta, log phi), every theta integrated out by adaptive Gauss-Hermite quadrature."""
    out = np.empty(len(points))
    for k, point in enumerate(points):
        mean, phi = x @ point[:-1], np.exp(point[-1])
        theta = np.log(y + 0.5)
        for _ in range(8):  # to each integrand's mode
            rate = np.exp(theta)
            theta += (y - rate - (theta - mean) / phi) / (rate + 1.0 / phi)
        sd = 1.0 / np.sqrt(np.exp(theta) + 1.0 / phi)
        t = theta[:, None] + sd[:, None] * _NODES
        log = y[:, None] * t - np.exp(t) - 0.5 * (t - mean[:, None]) ** 2 / phi + 0.5 * _NODES**2
        top = log.max(axis=1)
        integral = top + np.log(np.exp(log - top[:, None]) @ _WEIGHTS) + np.log(sd)
        out[k] = integral.sum() - 0.5 * (y.size + 2.0 * SHAPE) * point[-1] - RATE / phi  # of log phi
    apart = points[:, :-1] - mu
    return out - 0.5 * np.einsum("ij,jk,ik->i", apart, np.linalg.inv(Sigma), apart)


def without_chains(draws, arguments, count, rng):
    """Means, sds, errors of the means and effective size: importance sampling from a t distribution placed on draws."""
    guide = draws.reshape(-1, draws.shape[-1]).copy()
    guide[:, -1] = 2.0 * np.log(guide[:, -1])
    root = np.linalg.cholesky(np.cov(guide.T))
    z = rng.standard_normal((count, guide.shape[1])) / np.sqrt(rng.chisquare(10, (count, 1)) / 10)
    points = guide.mean(axis=0) + z @ root.T
    log = log_posterior(points, *arguments) + 0.5 * (10 + z.shape[1]) * np.log1p((z**2).sum(axis=1) / 10)
    weight = np.exp(log - log.max())
    weight /= weight.sum()
    points[:, -1] = np.exp(0.5 * points[:, -1])
    mean = weight @ points
    error = np.sqrt((weight**2) @ (points - mean) ** 2)
    return mean, np.sqrt(weight @ (points - mean) ** 2), error, 1.0 / (weight @ weight)


def timed(call):
    start = time.perf_counter()
    result = call()
    return result, time.perf_counter() - start


def main():
    bikes, y, x = read()
    mu, Sigma = np.zeros(8), np.diag([25.0, *[4.0] * 7])
    arguments = (y, x, mu, Sigma)
    start = State(np.log(y + 0.5), np.array([np.log(y.mean()), *[0.0] * 7]), 0.2)

    gibbs(python_step, start, draws=2, chains=1, rng=0, args=arguments)  # compile
    gibbs(compiled_step, start, draws=2, chains=1, rng=0, args=arguments)
    python, python_seconds = timed(
        lambda: gibbs(python_step, start, draws=PYTHON_SWEEPS, burn_in=50, chains=2, rng=1, args=arguments)
    )
    compiled, seconds = timed(
        lambda: gibbs(compiled_step, start, draws=COMPILED_SWEEPS, burn_in=50, chains=CHAINS, rng=2, args=arguments)
    )
    draws = quantities(compiled)
    mean, sd, error, ess = without_chains(draws, arguments, 6000, np.random.default_rng(3))
    plain = glmb(y=y, X=x, names=NAMES, family="poisson", pfamily=dNormal(mu, Sigma), n=4000, rng=4)

    labels = [*NAMES, "sd of effects"]
    tables = {
        name: Chains({"q": quantities(chains)}).summary()
        for name, chains in (("calls", python), ("compiled", compiled))
    }
    shown = [(tables["calls"]["mean"], tables["calls"]["sd"]), (tables["compiled"]["mean"], tables["compiled"]["sd"])]
    shown += [(mean, sd), ([*plain.posterior_mean, np.nan], [*plain.posterior_sd, np.nan])]
    heads = ("rglmb_blocks + rlmb", "compiled", "no chain", "plain Poisson")
    print(f"{'mean (sd)':<14}{'truth':>7}" + "".join(f"{head:>22}" for head in heads))
    for j, label in enumerate(labels):
        cells = "".join(f"{f'{np.asarray(m)[j]:9.4f} ({np.asarray(s)[j]:.4f})':>22}" for m, s in shown)
        print(f"{label:<14}{TRUTH[j]:>7.2f}{cells}")
    largest = {
        name: np.max(np.abs(table["mean"] - mean) / np.hypot(table["mcse"], error)) for name, table in tables.items()
    }
    print(
        f"\nlargest difference from the route without chains (effective size {ess:.0f}), in standard errors: "
        + ", ".join(f"{value:.1f} ({name})" for name, value in largest.items())
    )
    table = tables["compiled"]
    print(f"compiled: smallest effective sample size {table['ess_bulk'].min():.0f} of {draws[..., 0].size} draws, "
          f"largest R-hat {table['r_hat'].max():.3f}")  # fmt: skip
    inside = np.abs(table["mean"] - TRUTH) < 2.5 * table["sd"]
    print(f"within 2.5 posterior sds of the truth: {inside.sum()} of 9; the plain Poisson model's sds are "
          f"{np.median(sd[:8] / plain.posterior_sd.to_numpy()):.1f} times too small")  # fmt: skip
    print(
        f"\na sweep over {y.size} hours: {1e3 * python_seconds / (2 * (PYTHON_SWEEPS + 50)):.2f} ms with calls, "
        f"{1e3 * seconds / (CHAINS * (COMPILED_SWEEPS + 50)):.2f} ms compiled"
    )
    assert max(largest.values()) < 4.5
    plot(bikes, x, draws, table, plain)


def plot(bikes, x, draws, table, plain):
    try:
        import matplotlib
    except ImportError:
        return
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    _, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    flat = draws.reshape(-1, 9)[::4]
    week = slice(0, 168)
    rng = np.random.default_rng(5)
    eta = flat[:, :8] @ x[week].T
    new = rng.poisson(np.exp(eta + flat[:, 8:] * rng.standard_normal(eta.shape)))
    low, high = np.quantile(new, (0.025, 0.975), axis=0)
    hours = np.arange(168)
    left.fill_between(hours, low, high, color="#2b6cb0", alpha=0.2, lw=0, label="95 % of new counts")
    typical = np.exp(np.quantile(eta, 0.5, axis=0))
    left.plot(hours, typical, color="#2b6cb0", lw=1.4, label="median rate")
    left.plot(hours, bikes["count"][week], ".", color="0.15", ms=4, label="counts")
    left.set(
        xlabel="hour of the first week", ylabel="bicycles", ylim=(0, 1.2 * bikes["count"][week].max()),
        xticks=range(0, 169, 24),
    )  # fmt: skip
    left.legend(frameon=False)
    place = np.arange(8)[::-1]
    for shift, centre, spread, color, label in (
        (0.14, table["mean"][:8], table["sd"][:8], "#2b6cb0", "with an effect for every hour"),
        (-0.14, plain.posterior_mean, plain.posterior_sd, "#b7791f", "plain Poisson"),
    ):
        right.errorbar(
            np.asarray(centre) - TRUTH[:8], place + shift, xerr=1.96 * np.asarray(spread), fmt="o", ms=4, color=color,
            label=label,
        )  # fmt: skip
    right.axvline(0.0, color="0.6", lw=0.8, ls=":")
    right.set(yticks=place, yticklabels=NAMES, xlabel="posterior mean and 95 %, minus the truth")
    right.legend(frameon=False, fontsize=8, loc="upper right")
    for ax in (left, right):
        ax.spines[["top", "right"]].set_visible(False)
    OUTPUT.mkdir(exist_ok=True)
    plt.savefig(OUTPUT / "bike_poisson_gibbs.png", dpi=120)
    print(f"wrote {OUTPUT / 'bike_poisson_gibbs.png'}")


if __name__ == "__main__":
    main()
