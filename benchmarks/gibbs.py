"""Gibbs building blocks beside plain NumPy versions of the same algorithms with the same checks of their input."""

import subprocess
import sys

import numpy as np
from harness import Table, in_words
from numba import njit

from glmbayes import (
    Prior_Setup,
    datasets,
    dGamma,
    dIndependent_Normal_Gamma,
    dNormal,
    dNormal_Gamma,
    kernels,
    rlmb,
    rlmb_blocks,
)

rng = np.random.default_rng(1)


# -- the peer: vectorised NumPy with validation ---------------------------------------------------------------


def checked(y, x, mu, Sigma):
    y, x = np.asarray(y, dtype=float), np.asarray(x, dtype=float)
    mu, Sigma = np.array(mu, dtype=float), np.array(Sigma, dtype=float)
    if not (np.isfinite(y).all() and np.isfinite(x).all() and np.isfinite(mu).all() and np.isfinite(Sigma).all()):
        raise ValueError("values must be finite")
    if x.shape[0] != y.shape[0] or x.shape[1] != mu.shape[0] or Sigma.shape != (mu.shape[0],) * 2:
        raise ValueError("shapes must agree")
    if not np.allclose(Sigma, Sigma.T):
        raise ValueError("Sigma must be symmetric")
    return y, x, mu, np.linalg.inv(np.linalg.cholesky(Sigma))


def numpy_normal(y, x, mu, Sigma, dispersion):
    y, x, mu, root = checked(y, x, mu, Sigma)
    precision = x.T @ x / dispersion + root.T @ root
    low = np.linalg.cholesky(precision)
    mean = np.linalg.solve(precision, x.T @ y / dispersion + root.T @ (root @ mu))
    return mean + np.linalg.solve(low.T, rng.standard_normal(mu.size))


def numpy_gamma(y, x, beta, shape, rate):
    y, x, beta = np.asarray(y, float), np.asarray(x, float), np.asarray(beta, float)
    if not (np.isfinite(y).all() and np.isfinite(x).all() and np.isfinite(beta).all()):
        raise ValueError("values must be finite")
    return (rate + 0.5 * np.sum((y - x @ beta) ** 2)) / rng.standard_gamma(shape + 0.5 * y.size)


def numpy_normal_gamma(y, x, mu, Sigma_0, shape, rate):
    y, x, mu, root = checked(y, x, mu, Sigma_0)
    precision = x.T @ x + root.T @ root
    low = np.linalg.cholesky(precision)
    linear = x.T @ y + root.T @ (root @ mu)
    mean = np.linalg.solve(precision, linear)
    b = rate + 0.5 * (y @ y + (root @ mu) @ (root @ mu) - linear @ mean)
    dispersion = b / rng.standard_gamma(shape + 0.5 * y.size)
    return mean + np.sqrt(dispersion) * np.linalg.solve(low.T, rng.standard_normal(mu.size)), dispersion


def numpy_independent(y, x, mu, Sigma, shape, rate, sweeps=10):
    """No closed form: a short two-block Gibbs run stands in for one draw."""
    dispersion = np.var(y)
    for _ in range(sweeps):
        beta = numpy_normal(y, x, mu, Sigma, dispersion)
        dispersion = numpy_gamma(y, x, beta, shape, rate)
    return beta, dispersion


# -- single draws ----------------------------------------------------------------------------------------------

setup = Prior_Setup("weight ~ group", datasets.load("plant_weight"))
y, x, mu, Sigma, Sigma_0 = setup.y, setup.x, setup.mu, setup.Sigma, setup.Sigma_0
shape, rate, beta = setup.shape, setup.rate, setup.coefficients

table = Table("One draw, the prior built in the call: plant weights (20 rows, 2 coefficients)")
table.row(
    "rlmb(1, dNormal)",
    lambda: rlmb(1, y, x, dNormal(mu, Sigma, dispersion=0.5), rng=rng),
    lambda: numpy_normal(y, x, mu, Sigma, 0.5),
    10e-6,
    lambda: rng.standard_normal(2),
)
table.row(
    "rlmb(1, dNormal_Gamma)",
    lambda: rlmb(1, y, x, dNormal_Gamma(mu, Sigma_0, shape, rate), rng=rng),
    lambda: numpy_normal_gamma(y, x, mu, Sigma_0, shape, rate),
    12e-6,
    lambda: (rng.standard_normal(2), rng.standard_gamma(11.0)),
)
table.row(
    "rlmb(1, dGamma)",
    lambda: rlmb(1, y, x, dGamma(shape, rate, beta=beta), rng=rng),
    lambda: numpy_gamma(y, x, beta, shape, rate),
    8e-6,
    lambda: rng.standard_gamma(11.0),
)
table.row(
    "rlmb(1, dIndependent_Normal_Gamma)",
    lambda: rlmb(1, y, x, dIndependent_Normal_Gamma(mu, Sigma, shape, rate), rng=rng),
    lambda: numpy_independent(y, x, mu, Sigma, shape, rate),
    20e-6,
    lambda: (rng.standard_normal(2), rng.standard_gamma(11.0)),
)

# -- Eight Schools -----------------------------------------------------------------------------------------------

schools = datasets.load("eight_schools")
estimate = schools["estimate"].to_numpy(dtype=float)
variance = schools["sd"].to_numpy(dtype=float) ** 2
ones, one, sizes = np.ones((8, 1)), np.ones((1, 1)), np.ones(8, dtype=int)
mean, a, b = estimate.mean(), 0.25, 0.25 * estimate.var(ddof=1)
SWEEPS = 2000


def with_rlmb():
    theta = estimate.copy()
    for _ in range(SWEEPS):
        population = rlmb(1, theta, ones, dNormal_Gamma(mean, 1.0, a, b), rng=rng)
        m, tau2 = population.coefficients[0, 0], population.dispersion[0]
        for j in range(8):
            prior = dNormal(m, tau2, dispersion=variance[j])
            theta[j] = rlmb(1, estimate[j : j + 1], one, prior, rng=rng).coefficients[0, 0]


def with_blocks():
    theta = estimate.copy()
    for _ in range(SWEEPS):
        population = rlmb(1, theta, ones, dNormal_Gamma(mean, 1.0, a, b), rng=rng)
        prior = dNormal(population.coefficients[0, 0], population.dispersion[0], dispersion=variance)
        theta = rlmb_blocks(1, estimate, ones, prior, sizes=sizes, rng=rng).coefficients[0, :, 0]


@njit
def compiled(estimate, variance, mean, a, b, sweeps, rng):
    theta, ones, centre, sigma_0 = estimate.copy(), np.ones((8, 1)), np.array([mean]), np.eye(1)
    for _ in range(sweeps):
        beta, tau2 = kernels.draw_normal_gamma(rng, theta, ones, centre, sigma_0, a, b)
        kernels.draw_normal_means(rng, estimate, variance, beta[0], tau2, theta)
    return theta


def with_numpy():
    theta = estimate.copy()
    for _ in range(SWEEPS):
        beta, tau2 = numpy_normal_gamma(theta, ones, [mean], [[1.0]], a, b)
        for j in range(8):
            theta[j] = numpy_normal(estimate[j : j + 1], one, beta, [[tau2]], variance[j])[0]


@njit
def variates(rng, sweeps):
    """What the sweeps draw, and nothing else."""
    total = 0.0
    for _ in range(sweeps):
        for _ in range(9):
            total += rng.standard_normal()
        total += rng.standard_gamma(4.25)
    return total


def at_least():
    return variates(rng, SWEEPS)


table = Table("Eight Schools, 2,000 sweeps", rounds=3, least=0.0)
table.row("Python loop, 9 rlmb calls a sweep", with_rlmb, with_numpy, 0.2, at_least)
table.row("Python loop, rlmb + rlmb_blocks", with_blocks, with_numpy, 0.07, at_least)
table.row("inside the user's @njit", lambda: compiled(estimate, variance, mean, a, b, SWEEPS, rng), with_numpy, 8e-3,
          at_least)  # fmt: skip

# -- many draws --------------------------------------------------------------------------------------------------

X = np.column_stack([np.ones(100_000), rng.standard_normal((100_000, 19))])
Y = X @ rng.standard_normal(20) + rng.standard_normal(100_000)
wide = dIndependent_Normal_Gamma(np.zeros(20), 100.0 * np.eye(20), 1.0, 1.0)


def numpy_gibbs_long(draws=10_000):
    """The same posterior by two-block Gibbs on precomputed sufficient statistics: as many (correlated) draws."""
    _, _, _, root = checked(Y, X, np.zeros(20), 100.0 * np.eye(20))
    xx, xy, yy = X.T @ X, X.T @ Y, Y @ Y
    dispersion = 1.0
    for _ in range(draws):
        low = np.linalg.cholesky(xx / dispersion + root.T @ root)
        beta = np.linalg.solve(low.T, np.linalg.solve(low, xy / dispersion) + rng.standard_normal(20))
        dispersion = (1.0 + 0.5 * (yy - 2 * beta @ xy + beta @ xx @ beta)) / rng.standard_gamma(1.0 + 50_000)


table = Table("Independent normal-gamma, 100,000 rows, 20 coefficients, set-up included", rounds=3, least=0.0)
table.row("rlmb(10_000, ...)", lambda: rlmb(10_000, Y, X, wide, rng=rng), numpy_gibbs_long, 0.2,
          lambda: (X.T @ X, rng.standard_normal((10_000, 20))))  # fmt: skip

fit = rlmb(10_000, Y, X, wide, rng=rng)
singles = [rlmb(1, y, x, dIndependent_Normal_Gamma(mu, Sigma, shape, rate), rng=rng).iters[0] for _ in range(5000)]
print(f"\nAcceptance: {1 / fit.iters.mean():.4f} over 10,000 draws (target 0.9)", end="")
print(f", {1 / np.mean(singles):.3f} for single draws (target 0.6)")

# -- start-up ----------------------------------------------------------------------------------------------------

IMPORT = "import time; c = time.process_time(); import glmbayes; print(time.process_time() - c)"
FIRST = (
    "import time; import numpy as np, glmbayes as g; c = time.process_time();"
    "g.rlmb(1, np.ones(3), np.ones((3, 1)), g.dNormal(0.0, 1.0, dispersion=1.0), rng=1);"
    "print(time.process_time() - c)"
)


def cpu_seconds(program):
    """What a new process prints."""
    return float(subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout)


print(f"\nimport glmbayes in a new process: {in_words(cpu_seconds(IMPORT))} CPU (target 800 ms)")
print(f"first rlmb call, warm cache: {in_words(cpu_seconds(FIRST))} CPU (target 600 ms)")
