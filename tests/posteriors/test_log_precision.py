import itertools
import math

import numpy as np
import pytest
from scipy import special, stats
from scipy.integrate import quad

from glmbayes.errors import ImproperPosteriorError, SamplerError
from glmbayes.kernels import log_precision as kernel
from glmbayes.posteriors.log_precision import LogPrecision, dispersion_of, limits_on_t, raise_for
from tests.kernels.adversarial import DATA, density, envelope, log_values
from tests.oracles import assert_cdf, assert_mean

INF = math.inf


@pytest.mark.parametrize(
    ("prior", "window"),
    [
        ("gamma", "none"),
        ("gamma", "lower limit on the sd"),
        ("gamma 1e-3, 1e-8", "none"),
        ("half-normal", "none"),
        ("exponential 1e4", "none"),
        ("half-t 0.01", "none"),
        ("half-Cauchy", "upper limit on the sd"),
        ("flat", "none"),
    ],
)
def test_normaliser_and_mean_by_quadpack(prior, window):
    """Adaptive quadrature of the definition, piece by piece outwards from the mode, to 1e-9."""
    checked = 0
    for data in DATA:
        f = density(prior, data, window)
        env, status = envelope(f)
        if status != kernel.DONE or min(env.scale[1:]) < 1e-5 * abs(env.scale[0]):
            continue  # quadpack loses more digits than these have
        law = LogPrecision(f)
        top = log_values(f, law.mode)
        edges = {f.lower, f.upper, *(-np.log(f.lam))}
        for side in (-1.0, 1.0):
            width = env.scale[1 if side < 0 else 2]
            edges.update(law.mode + side * width * np.concatenate([np.arange(9.0), 9.0 * 1.6 ** np.arange(1, 25)]))
        edges = np.array(sorted(t for t in edges if f.lower <= t <= f.upper and abs(t) < 1e5))
        high = log_values(f, edges) > top - 60.0
        edges = edges[max(high.argmax() - 1, 0) : len(edges) - high[::-1].argmax() + 1]
        total = first = 0.0
        for a, b in itertools.pairwise(edges):
            for power in (0, 1):
                part = quad(
                    lambda t, power=power, f=f, top=top, law=law: (t - law.mode) ** power
                    * float(np.exp(log_values(f, t) - top)),
                    a, b, epsabs=1e-14, epsrel=1e-11, limit=200,
                )[0]  # fmt: skip
                total, first = (total + part, first) if power == 0 else (total, first + part)
        height = law.log_value(law.mode)
        assert law.log_normaliser - height == pytest.approx(math.log(total), abs=1e-9 + 1e-15 * abs(height)), data
        # the height itself is a sum of large terms
        u = math.exp(law.mode)
        terms = abs(f.a * law.mode) + f.b * u + f.c / u + f.d / math.sqrt(u) + f.e * abs(math.log(u / f.g)) + f.k.sum()
        assert height == pytest.approx(float(top), abs=1e-12 + 1e-15 * terms), data
        t, w = law.nodes
        assert w.sum() == pytest.approx(1.0, abs=1e-12)
        spread = math.sqrt(w @ (t - law.mode) ** 2)
        assert w @ (t - law.mode) == pytest.approx(first / total, abs=1e-9 * spread), data
        checked += 1
    assert checked >= 8


@pytest.mark.parametrize(("shape", "rate"), [(1e-3, 1e-8), (0.5, 3.0), (2.0, 1.0), (1e6, 1e2)])
def test_gamma_without_and_with_limits(shape, rate, rng):
    law = LogPrecision.of_gamma(shape, rate, 0.0, INF)
    assert law.mode == pytest.approx(math.log(shape / rate))
    assert law.log_normaliser == pytest.approx(math.lgamma(shape) - shape * math.log(rate), abs=1e-9, rel=1e-12)
    t, w = law.nodes
    assert w @ t == pytest.approx(special.digamma(shape) - math.log(rate), rel=1e-9)
    gamma = stats.gamma(shape, scale=1.0 / rate)
    lower, upper = 1.0 / gamma.ppf(0.95), 1.0 / gamma.ppf(0.85)
    law = LogPrecision.of_gamma(shape, rate, lower, upper)
    draws, _ = law.draw(20_000, rng)
    assert_cdf(np.exp(draws), lambda u: (gamma.cdf(u) - 0.85) / 0.1)
    truth = math.lgamma(shape) - shape * math.log(rate) + math.log(0.1)
    assert law.log_normaliser == pytest.approx(truth, abs=1e-6 if shape > 1e5 else 1e-8)


def test_expectations(rng):
    law = LogPrecision.of_gamma(3.0, 2.0, 0.0, INF)
    assert law.expect(np.exp(law.nodes[0])) == pytest.approx(1.5, rel=1e-12)
    assert_mean(np.exp(law.draw(50_000, rng)[0]), 1.5)


def test_draws_continue_over_many_calls(rng, monkeypatch):
    """More candidates than one compiled call looks at."""
    monkeypatch.setattr("glmbayes.posteriors.log_precision._CANDIDATES", 50)
    t, iters = LogPrecision.of_gamma(3.0, 2.0, 0.0, INF).draw(5000, rng)
    assert (iters >= 1).all()
    assert_cdf(np.exp(t), stats.gamma(3.0, scale=0.5).cdf)


def test_limits():
    assert limits_on_t(0.0, INF) == (-INF, INF)
    assert limits_on_t(1.0, math.e) == (-1.0, 0.0)
    t = np.array([-1e4, -700.0, 0.0, 1e4])
    assert np.isfinite(dispersion_of(t)).all()
    assert (dispersion_of(t) > 0.0).all()
    assert dispersion_of(t, 0.5, 2.0).tolist() == [2.0, 2.0, 1.0, 0.5]


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        (kernel.IMPROPER_LOW, ImproperPosteriorError, "goes to infinity"),
        (kernel.IMPROPER_HIGH, ImproperPosteriorError, "goes to 0"),
        (kernel.STUCK, SamplerError, "conflict"),
        (kernel.BROKEN, SamplerError, "report"),
    ],
)
def test_status_to_error(status, error, words):
    with pytest.raises(error, match=words):
        raise_for(status)
    raise_for(kernel.DONE)
