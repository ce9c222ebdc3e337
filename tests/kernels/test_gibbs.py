"""The one-call blocks draw what `rlmb` draws: with the same generator, the same numbers."""

import math

import numpy as np
import pytest
from scipy import special

from glmbayes import dGamma, dIndependent_Normal_Gamma, dNormal, dNormal_Gamma, kernels, rlmb
from tests.kernels.problems import problem
from tests.oracles import assert_cdf, assert_mean, assert_sd

every_mode = pytest.mark.every_mode


@every_mode
@pytest.mark.parametrize(("n", "p"), [(1, 1), (12, 2), (3, 5)])
def test_same_numbers_as_rlmb(n, p, rng):
    q = problem(rng, n, p)
    beta = rng.standard_normal(p)

    def python(prior):
        return rlmb(1, q.y, q.x, prior, rng=np.random.default_rng(5))

    def stream():
        return np.random.default_rng(5)

    draw = kernels.draw_normal(stream(), q.y, q.x, q.mu, q.Sigma, 0.7)
    np.testing.assert_allclose(draw, python(dNormal(q.mu, q.Sigma, dispersion=0.7)).coefficients[0], rtol=1e-12)
    phi = kernels.draw_dispersion(stream(), q.y, q.x, beta, 2.0, 1.5)
    np.testing.assert_allclose(phi, python(dGamma(2.0, 1.5, beta)).dispersion[0], rtol=1e-12)
    draw, phi = kernels.draw_independent_normal_gamma(stream(), q.y, q.x, q.mu, q.Sigma, 2.0, 1.5)
    fit = python(dIndependent_Normal_Gamma(q.mu, q.Sigma, 2.0, 1.5))
    np.testing.assert_allclose(draw, fit.coefficients[0], rtol=1e-12)
    np.testing.assert_allclose(phi, fit.dispersion[0], rtol=1e-12)


@every_mode
def test_normal_gamma_block(rng):
    """`rlmb` draws the gamma first, this kernel the normals: the same up to the order of the stream."""
    q = problem(rng, 8, 2)
    draw, phi = kernels.draw_normal_gamma(np.random.default_rng(5), q.y, q.x, q.mu, q.Sigma, 2.0, 1.5)
    stream = np.random.default_rng(5)
    z, g = stream.standard_normal(2), stream.standard_gamma(2.0 + 4.0)

    class Scripted(np.random.Generator):
        def standard_gamma(self, *_):
            return np.array([g])

        def standard_normal(self, out):
            out[:] = z

    fit = rlmb(1, q.y, q.x, dNormal_Gamma(q.mu, q.Sigma, 2.0, 1.5), rng=Scripted(np.random.PCG64(0)))
    np.testing.assert_allclose(draw, fit.coefficients[0], rtol=1e-12)
    np.testing.assert_allclose(phi, fit.dispersion[0], rtol=1e-12)


@every_mode
@pytest.mark.parametrize("shape", [0.01, 0.049, 0.05, 0.5])
def test_small_shapes_have_the_same_gammas(shape):
    """-1/2 + shape with one observation: posterior shapes near zero, where a gamma variate underflows."""
    y, x, beta = np.array([0.3]), np.ones((1, 1)), np.zeros(1)
    for seed in range(20):
        phi = kernels.draw_dispersion(np.random.default_rng(seed), y, x, beta, shape - 0.5, 1.0)
        fit = rlmb(1, y, x, dGamma(shape - 0.5, 1.0, beta), rng=np.random.default_rng(seed))
        assert 0.0 < phi < math.inf
        np.testing.assert_allclose(phi, fit.dispersion[0], rtol=1e-10)


@every_mode
def test_bad_covariances_give_nan(rng):
    q = problem(rng, 4, 2)
    bad = np.array([[1.0, 2.0], [2.0, 1.0]])
    assert np.isnan(kernels.draw_normal(rng, q.y, q.x, q.mu, bad, 1.0)).all()
    for block in (kernels.draw_normal_gamma, kernels.draw_independent_normal_gamma):
        beta, phi = block(rng, q.y, q.x, q.mu, bad, 2.0, 1.0)
        assert np.isnan(beta).all()
        assert math.isnan(phi)
    y = np.array([1.0, np.nan, 0.0, 0.0])
    assert np.isnan(kernels.draw_normal(rng, y, q.x, q.mu, q.Sigma, 1.0)).all()
    assert math.isnan(kernels.draw_dispersion(rng, y, q.x, q.mu, 1.0, 1.0))
    assert math.isnan(kernels.draw_independent_normal_gamma(rng, y, q.x, q.mu, q.Sigma, 2.0, 1.0)[1])


def test_normal_means(rng):
    y, variance = np.array([3.0, -1.0]), np.array([2.0, 0.5])
    out, draws = np.empty(2), np.empty((4000, 2))
    for i in range(4000):
        kernels.draw_normal_means(rng, y, variance, 0.7, 1.6, out)
        draws[i] = out
    v = 1.0 / (1.0 / variance + 1.0 / 1.6)
    assert_mean(draws, v * (y / variance + 0.7 / 1.6))
    assert_sd(draws, np.sqrt(v))
    same = rlmb(1, y[:1], np.ones((1, 1)), dNormal(0.7, 1.6, dispersion=2.0), rng=np.random.default_rng(5))
    kernels.draw_normal_means(np.random.default_rng(5), y, variance, 0.7, 1.6, out)
    np.testing.assert_allclose(out[0], same.coefficients[0, 0], rtol=1e-12)


def test_many_independent_draws_in_a_loop(rng):
    """Enough calls for rejections and for second helpings of uniforms."""
    q = problem(rng, 6, 2)
    draws = np.array(
        [kernels.draw_independent_normal_gamma(rng, q.y, q.x, q.mu, q.Sigma, 0.4, 0.1)[1] for _ in range(3000)]
    )
    exact = rlmb(200_000, q.y, q.x, dIndependent_Normal_Gamma(q.mu, q.Sigma, 0.4, 0.1), rng=rng).dispersion
    exact.sort()
    assert_cdf(draws, lambda v: np.searchsorted(exact, v) / exact.size)


@pytest.mark.parametrize("shape", [0.02, 0.7, 30.0])
def test_gamma_variates_down_to_tiny_shapes(shape, rng):
    draws = np.log([kernels.draw_gamma(rng, shape) for _ in range(20_000)])
    assert_cdf(draws, lambda t: special.gammainc(shape, np.exp(t)))
    with pytest.raises(AssertionError):
        assert_cdf(draws, lambda t: special.gammainc(1.1 * shape, np.exp(t)))
