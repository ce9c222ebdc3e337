"""The public GLM kernels in a user's own compiled loop: their distribution, plain Python, and failures."""

import numpy as np
import pytest
from numba import njit
from scipy import stats

from glmbayes import families, kernels
from tests.oracles import assert_cdf, cdf_from_log_density
from tests.small_glm_cases import EMPTY, LINKS, kernel, log_likelihood, log_posterior_1d, response

POISSON = families.poisson().kernel  # a global of the user's functions


@njit
def ones(rng, family, y, x, offset, weights, mu, variance, out):
    for k in range(out.size):
        out[k], status = kernels.draw_glm_1d(rng, family, y, x, offset, weights, mu, variance)
        if status != 0:
            return status
    return 0


@njit
def several(rng, family, y, x, offset, weights, mu, low, out):
    for k in range(out.shape[0]):
        out[k], status = kernels.draw_glm(rng, family, y, x, offset, weights, mu, low)
        if status != 0:
            return status
    return 0


@njit
def dispersions(rng, y, mu, weights, shape, rate, out):
    for k in range(out.size):
        out[k], status = kernels.draw_gamma_dispersion(rng, y, mu, weights, shape, rate)
        if status != 0:
            return status
    return 0


@njit
def poisson_effects(rng, y, start, mean, variance, sweeps):
    """Observation-level effects and their common mean in turn: a global family, blocks, and a normal draw."""
    J = start.size - 1
    theta, iters, mode = np.empty((J, 1)), np.empty((J, 1), np.int64), np.empty(J)
    means, variances, x = np.empty(J), np.full(J, variance), np.ones(y.size)
    out = np.empty((sweeps, J + 1))
    for k in range(sweeps):
        means[:] = mean
        none = np.empty(0)
        status, _ = kernels.draw_glm_blocks_1d(
            rng, POISSON, y, x, none, none, start, means, variances, theta, iters, mode
        )
        if status != 0:
            out[:] = np.nan
            return out
        mean = theta[:, 0].mean() + np.sqrt(variance / J) * rng.standard_normal()
        out[k, :J] = theta[:, 0]
        out[k, J] = mean
    return out


@pytest.mark.parametrize(("name", "link"), LINKS)
def test_one_coefficient(name, link, rng):
    """Every draw is the first of an envelope of its own, as in a sweep; against quadrature."""
    x, offset, weights = rng.normal(size=6), rng.normal(size=6), np.full(6, 2.0)
    y = response(rng, name, 0.5 * x + offset, weights)
    out = np.empty(20_000)
    assert ones(rng, kernel(name, link), y, x, offset, weights, 0.2, 0.09, out) == 0
    grid = np.linspace(out.min() - 2.0, out.max() + 2.0, 20_001)
    data = (y, x, offset, weights, 0.2, 0.09)
    assert_cdf(out, cdf_from_log_density(lambda t: log_posterior_1d(name, link, t, *data), grid))
    with pytest.raises(AssertionError):  # the standard deviation for the variance
        wrong = (*data[:-1], 0.09**0.5)
        assert_cdf(out, cdf_from_log_density(lambda t: log_posterior_1d(name, link, t, *wrong), grid))


@pytest.mark.parametrize(("name", "link"), LINKS)
def test_two_coefficients(name, link, rng):
    x = np.column_stack([np.ones(8), rng.normal(size=8)])
    offset, weights = 0.3 * rng.normal(size=8), np.full(8, 2.0)
    y = response(rng, name, x @ [0.2, 0.5] + offset, weights)
    mu, Sigma = np.array([0.1, -0.2]), np.array([[1.2, 0.3], [0.3, 0.8]])
    out = np.empty((10_000, 2))
    assert several(rng, kernel(name, link), y, x, offset, weights, mu, np.linalg.cholesky(Sigma), out) == 0
    axes = [np.linspace(m - 8 * s, m + 8 * s, 401) for m, s in zip(out.mean(axis=0), out.std(axis=0))]
    mesh = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    with np.errstate(over="ignore"):
        log = (weights * log_likelihood(name, link, mesh @ x.T + offset, y)).sum(axis=-1)
    log += stats.multivariate_normal.logpdf(mesh, mu, Sigma)
    density = np.exp(log - log.max())
    density /= density.sum()
    for j, axis in enumerate(axes):
        marginal = density.sum(axis=1 - j)
        middle = marginal.cumsum() - 0.5 * marginal
        assert_cdf(out[:, j], lambda t, a=axis, m=middle: np.interp(t, a, m))
        with pytest.raises(AssertionError):  # off by a tenth of a standard deviation
            assert_cdf(out[:, j] + 0.1 * out[:, j].std(), lambda t, a=axis, m=middle: np.interp(t, a, m))


def test_gamma_dispersion(rng):
    y, mu, weights = rng.gamma(2.0, 1.0, 9), np.full(9, 2.0), rng.uniform(0.5, 2.0, 9)
    weights[4] = 0.0
    out = np.empty(20_000)
    assert dispersions(rng, y, mu, weights, 2.0, 1.0, out) == 0
    used = weights > 0.0

    def log_density(t):  # of log precision
        v = np.exp(t)[:, None]
        shape = weights[used] * v
        rows = stats.gamma.logpdf(y[used], shape, scale=mu[used] / shape).sum(axis=1)
        return rows + stats.gamma.logpdf(v[:, 0], 2.0) + t

    t = -np.log(out)
    assert_cdf(t, cdf_from_log_density(log_density, np.linspace(t.min() - 2.0, t.max() + 2.0, 20_001)))
    # every response at its mean and a prior rate of 0: the dispersion goes to 0
    assert dispersions(rng, mu, mu, weights, 2.0, 0.0, out) == 1 and np.isnan(out[0])


def test_blocks_in_a_gibbs_sampler(rng):
    """Counts with log-normal effects around a mean with a flat prior: the mean against quadrature over each effect."""
    y, start, variance = np.array([3.0, 0.0, 5.0, 2.0]), np.arange(5), 0.4
    chain = poisson_effects(rng, y, start, 0.5, variance, 40_000)[200:]
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    grid = np.linspace(-3.0, 4.0, 4001)
    rates = np.exp(grid[:, None] + np.sqrt(variance) * nodes)
    log = sum(np.log(stats.poisson.pmf(count, rates) @ weights) for count in y)
    density = np.exp(log - log.max())
    density /= density.sum()
    mean = density @ grid
    for power, truth in ((1, mean), (2, density @ grid**2)):
        batches = (chain[:, -1] ** power).reshape(200, -1).mean(axis=1)
        assert abs(batches.mean() - truth) < 4.5 * batches.std(ddof=1) / np.sqrt(200)
    assert abs(chain[:, -1].mean() - mean - 0.05) > 4.5 * batches.std(ddof=1) / np.sqrt(200)  # and would be seen


def test_blocks_of_a_few_coefficients_and_plain_python(rng):
    """The same draws from kernels called block by block, and from their Python source."""
    x = np.column_stack([np.ones(9), rng.normal(size=9)])
    y, weights, offset, start = rng.poisson(2.0, 9).astype(float), np.ones(9), np.zeros(9), np.array([0, 4, 9])
    mu, low = rng.normal(size=(2, 2)), np.stack([np.eye(2), 0.5 * np.eye(2)])
    answers = []
    for python in (False, True):
        part = (lambda f: getattr(f, "py_func", f)) if python else (lambda f: f)
        draw, out = np.random.default_rng(3), np.empty((2, 1, 2))
        args = (y, x, offset, weights, start, mu, low, out, np.empty((2, 1), np.int64), np.empty((2, 2)))
        assert part(kernels.draw_glm_blocks)(draw, POISSON, *args) == (0, -1)
        answers.append(
            [*out.ravel(), part(kernels.draw_gamma_dispersion)(draw, y + 1.0, y + 2.0, weights, 2.0, 1.0)[0]]
        )
    np.testing.assert_allclose(answers[0], answers[1], rtol=1e-9)
    draw = np.random.default_rng(3)
    one = [
        kernels.draw_glm(draw, POISSON, y[s], x[s], offset[s], weights[s], mu[j], low[j])[0]
        for j, s in enumerate((slice(0, 4), slice(4, 9)))
    ]
    np.testing.assert_array_equal(np.ravel(one), answers[0][:4])


def test_failures_are_statuses(rng):
    x = np.ones((2, 2))
    draw, status = kernels.draw_glm(
        rng, POISSON, np.array([1.0, np.nan]), x, np.zeros(2), np.ones(2), np.zeros(2), np.eye(2)
    )
    assert np.isnan(draw).all() and status == 4
    draw, status = kernels.draw_glm_1d(rng, POISSON, np.zeros(1), np.ones(1), EMPTY, EMPTY, 0.0, np.inf)
    assert np.isnan(draw) and status == 1


def test_every_public_kernel_is_documented():
    for name in kernels.__all__:
        assert (getattr(kernels, name).__doc__ or "").strip(), name
