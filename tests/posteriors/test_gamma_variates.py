import math

import numpy as np
import pytest
from scipy import stats

from glmbayes.posteriors import gamma_variates
from glmbayes.posteriors.gamma_variates import inverse_gamma, standard_gamma
from tests.oracles import P_BOUND, assert_cdf


@pytest.mark.parametrize("shape", [0.05, 0.3, 1.0, 40.0])
def test_standard_gamma(shape, rng):
    assert_cdf(standard_gamma(rng, shape, 20_000), stats.gamma(shape).cdf)


@pytest.mark.parametrize("shape", [1e-3, 0.02, 0.0499])
def test_tiny_shapes_keep_their_exponents(shape, rng):
    """Below 1e-300 everything is one number, so the test censors there; numpy alone gives zeros."""
    g = standard_gamma(rng, shape, 20_000)
    assert g.min() >= 1e-300
    low = stats.gamma(shape).cdf(1e-299)
    count = int((g <= 1e-299).sum())
    assert stats.binomtest(count, g.size, low).pvalue > P_BOUND
    inside = g[g > 1e-299]
    assert_cdf(inside, lambda v: (stats.gamma(shape).cdf(v) - low) / (1.0 - low))


@pytest.mark.parametrize(("shape", "rate"), [(1e-3, 1e20), (0.4, 2.0), (1.0, 1e-8), (7.0, 3.0)])
def test_inverse_gamma_is_finite(shape, rate, rng):
    phi = inverse_gamma(rng, shape, rate, 20_000)
    assert np.isfinite(phi).all()
    assert (phi > 0.0).all()
    if shape > 0.1:
        assert_cdf(phi, stats.invgamma(shape, scale=rate).cdf)


@pytest.mark.parametrize("shape", [0.01, 0.5, 3.0])
def test_one_at_a_time_is_the_same_stream(shape):
    many = inverse_gamma(np.random.default_rng(3), shape, 2.0, 1)
    rng = np.random.default_rng(3)
    assert many[0] == pytest.approx(2.0 / standard_gamma(rng, shape, 1)[0], rel=1e-15)


def test_pieces(monkeypatch, rng):
    monkeypatch.setattr(gamma_variates, "_CHUNK", 64)
    g = standard_gamma(rng, 2.0, 20_001)
    assert g.shape == (20_001,)
    assert_cdf(g, stats.gamma(2.0).cdf)
    assert math.isfinite(g.sum())
