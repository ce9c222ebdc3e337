"""Conditional draws of a precision against quadrature, for every prior on a standard deviation."""

import math

import numpy as np
import pytest

from glmbayes import dExponential, dFlat, dHalfCauchy, dHalfNormal, dHalfT, dUniform, kernels
from tests.oracles import assert_cdf, cdf_from_log_density

PRIORS = [dFlat(), dHalfCauchy(2.0), dHalfT(3, 1.5), dHalfNormal(1.0), dExponential(0.7), dUniform(1.2)]
N = 20_000


def draws(rng, prior, effects, squares):
    return np.array([kernels.draw_precision(rng, effects, squares, prior.terms, prior.upper) for _ in range(N)])


def oracle(prior, effects, squares, extra=0.0):
    """Distribution function of log sd: effects N(0, sd^2), the prior's own log density, by quadrature."""
    grid = np.linspace(-9.0, min(9.0, math.log(prior.upper)), 200_001)
    sd = np.exp(grid)
    values = prior.log_density(np.minimum(sd, prior.upper)) + grid - (effects + extra) * grid - 0.5 * squares / sd**2
    return cdf_from_log_density(lambda t: np.interp(t, grid, values), grid)


@pytest.mark.parametrize("prior", PRIORS, ids=repr)
@pytest.mark.parametrize(("effects", "squares"), [(8.0, 12.0), (3.0, 0.01), (2.0, 40.0)])
def test_precision_has_its_conditional_distribution(rng, prior, effects, squares):
    u = draws(rng, prior, effects, squares)
    assert_cdf(-0.5 * np.log(u), oracle(prior, effects, squares), repr(prior))


def test_a_forgotten_half_is_noticed(rng):
    prior = dHalfCauchy(2.0)
    u = draws(rng, prior, 8.0, 12.0)
    with pytest.raises(AssertionError):
        assert_cdf(-0.5 * np.log(u), oracle(prior, 8.0, 12.0, extra=1.0))


@pytest.mark.parametrize(("shape", "lower"), [(3.5, 1.0), (-0.5, 0.3), (0.0, 2.0), (2.0, 30.0), (5.0, 0.0)])
def test_truncated_gamma(rng, shape, lower):
    x = np.array([kernels.draw_truncated_gamma(rng, shape, 2.0, lower) for _ in range(N)])
    assert x.min() >= lower
    start = math.log(lower) if lower else -12.0
    grid = np.linspace(start, start + 16.0 if not lower else start + 5.0, 200_001)
    assert_cdf(np.log(x), cdf_from_log_density(lambda t: shape * t - 2.0 * np.exp(t), grid), "truncated gamma")


@pytest.mark.every_mode
def test_improper_conditionals_are_nan(rng):
    flat = dFlat()
    assert math.isnan(kernels.draw_precision(rng, 8.0, 0.0, flat.terms, math.inf))  # all effects 0
    assert math.isnan(kernels.draw_precision(rng, 1.0, 3.0, flat.terms, math.inf))  # one effect
    assert math.isnan(kernels.draw_truncated_gamma(rng, -0.5, 1.0, 0.0))


@pytest.mark.every_mode
def test_extreme_sums_of_squares(rng):
    for squares in (1e-280, 1e-30, 1e30):
        for prior in PRIORS:
            u = kernels.draw_precision(rng, 8.0, squares, prior.terms, prior.upper)
            assert u > 0.0 and math.isfinite(u), (prior, squares)
