"""A kernel of your own: robust regression, t-distributed errors with 4 degrees of freedom, as a compiled Gibbs step.

A t distribution is a normal one whose precision w is itself gamma distributed.  Given w the model is a weighted
regression, whose draws are kernels of the library; given the residuals each w is a gamma variate.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from glmbayes import gibbs, kernels

DF = 4.0


class State(NamedTuple):
    beta: np.ndarray  # (p,)
    sigma2: float
    w: np.ndarray  # (n,) relative precisions of the rows


@njit
def step(rng, state, y, x, mu, Sigma, shape, rate):
    """Each of beta, sigma2 and w given the others."""
    wy, wx = np.sqrt(state.w) * y, np.sqrt(state.w).reshape(-1, 1) * x
    beta = kernels.draw_normal(rng, wy, wx, mu, Sigma, state.sigma2)
    sigma2 = kernels.draw_dispersion(rng, wy, wx, beta, shape, rate)
    w = 1.0 / (0.5 * (DF + (y - x @ beta) ** 2 / sigma2))
    for i in range(y.size):
        w[i] *= rng.standard_gamma(0.5 * (DF + 1.0))
    return State(beta, sigma2, w)


def quadrature(y, x, mu, Sigma, shape, rate, points=60):
    """Posterior means of beta and sigma2 on a grid, the t density itself: a second route to the same posterior."""
    axes = (np.linspace(*ends, points) for ends in ((-0.6, 2.6), (0.7, 2.4), (-3.5, 2.0)))
    a, b, log_s2 = (g.ravel() for g in np.meshgrid(*axes, indexing="ij"))
    log_p = -shape * log_s2 - rate * np.exp(-log_s2) - 0.5 * ((a - mu[0]) ** 2 + (b - mu[1]) ** 2) / Sigma[0, 0]
    for yi, xi in zip(y, x):
        e = (yi - a * xi[0] - b * xi[1]) * np.exp(-0.5 * log_s2)
        log_p -= 0.5 * log_s2 + 0.5 * (DF + 1.0) * np.log1p(e * e / DF)
    p = np.exp(log_p - log_p.max())
    return np.array([a @ p, b @ p, np.exp(log_s2) @ p]) / p.sum()


def main():
    rng = np.random.default_rng(4)
    x = np.column_stack([np.ones(40), rng.uniform(-2, 2, 40)])
    y = x @ [1.0, 1.5] + 0.7 * rng.standard_t(DF, 40)
    data = y, x, np.zeros(2), 25.0 * np.eye(2), 2.0, 1.0
    start = State(np.zeros(2), 1.0, np.ones(40))
    table = gibbs(step, start, draws=5000, burn_in=500, rng=1, args=data).summary(["beta", "sigma2"])
    table["quadrature"] = quadrature(*data)
    print(table[["mean", "sd", "ess_bulk", "r_hat", "quadrature"]].round(3))
    z = (table["mean"] - table["quadrature"]) / (table["sd"] / np.sqrt(table["ess_bulk"]))
    if np.abs(z).max() > 4.5:
        raise SystemExit("the sampler and quadrature disagree")


if __name__ == "__main__":
    main()
