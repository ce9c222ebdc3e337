"""Draws from the priors against their definitions."""

import math

import numpy as np
import pytest
from scipy import stats

from glmbayes import (
    InputError,
    dFlat,
    dGamma,
    dHalfNormal,
    dIndependent_Normal,
    dIndependent_Normal_Gamma,
    dNormal,
    dNormal_Gamma,
)
from tests.oracles import assert_cdf, assert_mean

N = 20_000
MU, SIGMA = np.array([1.0, -2.0]), np.array([[4.0, 1.0], [1.0, 9.0]])
PRECISION = stats.gamma(2.0, scale=1 / 1.5)


def assert_normal(draws, covariance):
    """Whitened draws are standard normal in every direction."""
    z = np.linalg.solve(np.linalg.cholesky(covariance), (draws - MU).T).T
    for column in (z[:, 0], z[:, 1], (z[:, 0] + z[:, 1]) / math.sqrt(2.0), (z[:, 0] - z[:, 1]) / math.sqrt(2.0)):
        assert_cdf(column, stats.norm.cdf)


@pytest.mark.parametrize(
    "prior", [dNormal(MU, SIGMA, 0.5), dIndependent_Normal_Gamma(MU, SIGMA, 2, 1.5)], ids=lambda p: type(p).__name__
)
def test_coefficients(prior, rng):
    assert_normal(prior.sample(N, rng).coefficients, SIGMA)


def test_known_and_unknown_dispersion(rng):
    assert dNormal(MU, SIGMA, 0.5).sample(3, rng).dispersion.tolist() == [0.5, 0.5, 0.5]
    assert dNormal(MU, SIGMA).sample(3, rng).dispersion is None
    assert dGamma(2.0, 1.5).sample(3, rng).coefficients is None


@pytest.mark.parametrize(
    "prior",
    [dGamma(2.0, 1.5), dNormal_Gamma(MU, SIGMA, 2.0, 1.5), dIndependent_Normal_Gamma(MU, SIGMA, 2.0, 1.5)],
    ids=lambda p: type(p).__name__,
)
def test_dispersion(prior, rng):
    assert_cdf(1.0 / prior.sample(N, rng).dispersion, PRECISION.cdf)


@pytest.mark.parametrize(("lower", "upper"), [(0.4, None), (None, 0.9), (0.4, 0.9), (1e-3, 1e-2)])
def test_limits_on_the_dispersion(lower, upper, rng):
    limits = {"disp_lower": lower, "disp_upper": upper}
    high = 1.0 if lower is None else PRECISION.cdf(1.0 / lower)
    low = 0.0 if upper is None else PRECISION.cdf(1.0 / upper)
    if high - low < 1e-6:  # far in the tail: differences of survival functions
        low, high = -PRECISION.sf(1.0 / upper), -PRECISION.sf(1.0 / lower)
    for prior in (dGamma(2.0, 1.5, **limits), dIndependent_Normal_Gamma(MU, SIGMA, 2.0, 1.5, **limits)):
        phi = prior.sample(N, rng).dispersion
        assert phi.min() >= (lower or 0.0)
        assert phi.max() <= (upper or math.inf)
        cdf = PRECISION.cdf if low >= 0.0 else lambda u: -PRECISION.sf(u)
        assert_cdf(1.0 / phi, lambda u, cdf=cdf: (cdf(u) - low) / (high - low))


def test_normal_gamma_scales_the_covariance(rng):
    draws = dNormal_Gamma(MU, SIGMA, 2.0, 1.5).sample(N, rng)
    z = (draws.coefficients - MU) / np.sqrt(draws.dispersion)[:, None]
    assert_normal(z + MU, SIGMA)
    # marginally a t distribution with 2 shape degrees of freedom
    assert_cdf(draws.coefficients[:, 0], stats.t(4.0, 1.0, math.sqrt(4.0 * 1.5 / 2.0)).cdf)


def test_independent_is_independent(rng):
    draws = dIndependent_Normal_Gamma(MU, SIGMA, 5.0, 1.5).sample(N, rng)
    product = (draws.coefficients - MU) * (np.log(draws.dispersion) - np.log(draws.dispersion).mean())[:, None]
    assert_mean(product, 0.0)


def test_prior_on_the_standard_deviation_is_squared(rng):
    draws = dIndependent_Normal(MU, SIGMA, dHalfNormal(2.0)).sample(N, rng)
    assert_cdf(np.sqrt(draws.dispersion), stats.halfnorm(scale=2.0).cdf)
    assert_normal(draws.coefficients, SIGMA)


def test_uniform_on_the_standard_deviation_by_dgamma(rng):
    """Shape -1/2 and rate 0 below disp_upper = U^2: improper parameters, proper once limited below as well."""
    phi = dGamma(-0.5, 0.0, disp_lower=1e-12, disp_upper=9.0).sample(N, rng).dispersion
    assert_cdf(np.sqrt(phi), stats.uniform(0.0, 3.0).cdf)


@pytest.mark.parametrize("shape", [1e-3, 1e-8])
def test_tiny_shapes_give_finite_draws(shape, rng):
    for prior in (dGamma(shape, 1e-8), dNormal_Gamma(MU, SIGMA, shape, 1e10)):
        phi = prior.sample(500, rng).dispersion
        assert np.isfinite(phi).all()
        assert (phi > 0.0).all()


@pytest.mark.parametrize(
    ("prior", "words"),
    [
        (lambda: dNormal([0.0], [[math.inf]], 1.0), "flat coefficients"),
        (lambda: dNormal(np.zeros((3, 1)), 1.0, 1.0), "varies by block"),
        (lambda: dNormal(0.0, 1.0, [1.0, 2.0]), "varies by block"),
        (lambda: dGamma(0.0, 1.0), "improper"),
        (lambda: dGamma(1.0, 0.0), "improper"),
        (lambda: dGamma(-1.0, 1.0, disp_lower=0.1), "improper"),
        (lambda: dGamma(1.0, 0.0, disp_upper=0.1), "improper"),
        (lambda: dIndependent_Normal([0.0], [[1.0]], dFlat()), "improper"),
    ],
)
def test_what_cannot_be_sampled(prior, words):
    with pytest.raises(InputError, match=words):
        prior().sample(3)


@pytest.mark.parametrize("n", [0, -3, 2.5, True, "3", None])
def test_number_of_draws(n):
    for prior in (dNormal(0.0, 1.0), dNormal_Gamma(0.0, 1.0, 1.0, 1.0), dGamma(1.0, 1.0)):
        with pytest.raises(InputError, match="n must be a whole number"):
            prior.sample(n)


def test_same_seed_same_draws():
    for prior in (dNormal(MU, SIGMA), dIndependent_Normal_Gamma(MU, SIGMA, 1.0, 1.0)):
        assert (prior.sample(4, 9).coefficients == prior.sample(4, 9).coefficients).all()
