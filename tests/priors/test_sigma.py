import copy
import math
import pickle

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad

from glmbayes import InputError, dExponential, dFlat, dHalfCauchy, dHalfNormal, dHalfT, dUniform
from tests.oracles import assert_cdf


class HalfT:
    """Folded t, which scipy does not have."""

    t = stats.t(4.0, scale=1.5)

    def logpdf(self, v):
        return np.where(v > 0, math.log(2.0) + self.t.logpdf(v), -np.inf)

    def cdf(self, v):
        return np.maximum(2.0 * self.t.cdf(v) - 1.0, 0.0)


PROPER = {
    "half-normal": (dHalfNormal(2.5), stats.halfnorm(scale=2.5)),
    "exponential": (dExponential(0.4), stats.expon(scale=2.5)),
    "half-t": (dHalfT(4.0, 1.5), HalfT()),
    "half-Cauchy": (dHalfCauchy(3.0), stats.halfcauchy(scale=3.0)),
    "uniform": (dUniform(7.0), stats.uniform(0.0, 7.0)),
}
EVERY = [prior for prior, _ in PROPER.values()] + [dFlat()]


@pytest.mark.parametrize("name", PROPER)
def test_log_density(name):
    prior, law = PROPER[name]
    sd = np.array([1e-12, 1e-3, 0.5, 2.0, 6.9, 50.0, 1e6])
    with np.errstate(divide="ignore"):
        np.testing.assert_allclose(prior.log_density(sd), law.logpdf(sd), rtol=1e-11, atol=1e-11)
    assert prior.log_density(0.0) == prior.log_density(-1.0) == -np.inf
    assert prior.log_density(2.0).shape == ()


@pytest.mark.parametrize("name", PROPER)
def test_density_of_the_precision_is_the_same_distribution(name):
    """constant u^power exp(-rate u - c / u - d / sqrt u) (u + g)^-e integrates to one over u = 1 / sd^2."""
    prior, law = PROPER[name]
    power, rate, c, d, e, g = prior.terms

    def density(t):  # of t = log u, with the Jacobian u
        u = math.exp(t)
        log_f = power * t - rate * u - c / u - d / math.sqrt(u) - e * math.log(u + g) + prior.log_constant
        return math.exp(log_f + t)

    low = -2.0 * math.log(prior.upper) if prior.upper < math.inf else -200.0
    middle = -2.0 * math.log(2.0)  # sd = 2
    above = quad(density, middle, 200.0, limit=500, epsabs=1e-12)[0]
    below = quad(density, low, middle, limit=500, epsabs=1e-12)[0]
    assert above == pytest.approx(law.cdf(2.0), abs=1e-8)
    assert above + below == pytest.approx(1.0, abs=1e-8)


@pytest.mark.parametrize("name", PROPER)
def test_sample(name, rng):
    prior, law = PROPER[name]
    assert_cdf(prior.sample(20_000, rng), law.cdf)
    assert (prior.sample(5, 3) == prior.sample(5, 3)).all()


def test_sample_of_the_heaviest_tails_is_finite(rng):
    sd = dHalfT(0.01, 1.0).sample(2000, rng)
    assert np.isfinite(sd**2).all()


def test_flat_has_a_density_but_no_sample():
    assert np.ptp(dFlat().log_density([1e-5, 1.0, 5.0])) == 0.0
    with pytest.raises(InputError, match="improper"):
        dFlat().sample(3)


def test_extreme_standard_deviations_are_finite():
    for prior in EVERY:
        assert np.isfinite(prior.log_density([1e-150, 1e-100])).all(), prior


@pytest.mark.parametrize("prior", EVERY, ids=repr)
def test_values(prior):
    for twin in (pickle.loads(pickle.dumps(prior)), copy.copy(prior), copy.deepcopy(prior), eval(repr(prior))):
        assert type(twin) is type(prior)
        assert twin == prior
        assert hash(twin) == hash(prior)
        assert twin.terms == prior.terms
    with pytest.raises(AttributeError, match="immutable"):
        prior.upper = 3.0
    with pytest.raises(AttributeError, match="immutable"):
        del prior.terms
    with pytest.raises(TypeError):
        prior.arguments["scale"] = 5.0
    with pytest.raises(TypeError):
        prior.terms[0] = 5.0


def test_equality():
    assert dHalfNormal(1) == dHalfNormal(1.0)
    assert dHalfNormal(1.0) != dHalfNormal(2.0)
    assert dHalfNormal(1.0) != dHalfCauchy(1.0)
    assert dHalfNormal(1.0) != 1.0
    assert repr(dHalfT(3, 2.5)) == "dHalfT(df=3, scale=2.5)"


@pytest.mark.parametrize("kind", [dHalfNormal, dHalfCauchy, dExponential, dUniform, lambda v: dHalfT(3.0, v), dHalfT])
@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan, math.inf, "1", None, True, [1.0, 2.0], 1e-170, 1e170])
def test_bad_scales(kind, bad):
    with pytest.raises(InputError, match=r"(scale|rate|upper|df) must be"):
        kind(bad) if kind is not dHalfT else dHalfT(bad, 1.0)


def test_size_one_arrays_and_integers():
    assert dHalfNormal(np.array([2])) == dHalfNormal(2) == dHalfNormal(np.float32(2.0))
