"""The envelope of the log ratio: dominance on hard densities, draws against quadrature in extended precision."""

import math

import numpy as np
import pytest

from glmbayes import dExponential, dFlat, dHalfCauchy, dHalfNormal, dHalfT, dUniform
from glmbayes.kernels import ratio_envelope as kernel
from glmbayes.kernels.log_precision import BROKEN, DONE, IMPROPER_HIGH, IMPROPER_LOW, NEED_MORE
from glmbayes.kernels.log_ratio import RatioDensity, ratio_rise
from glmbayes.kernels.ratio_quadrature import resolve_ratio
from tests.kernels.adversarial import highest
from tests.oracles import assert_cdf, cdf_from_log_density

STARTS = 100
PRIORS = {
    "half-Cauchy": dHalfCauchy(1.0),
    "half-t": dHalfT(3.0, 0.5),
    "half-t of 0.1": dHalfT(0.1, 1e3),
    "half-normal": dHalfNormal(1.0),
    "half-normal 1e-4": dHalfNormal(1e-4),
    "exponential": dExponential(2.0),
    "exponential 1e4": dExponential(1e4),
    "uniform": dUniform(3.0),
    "uniform 1e-3": dUniform(1e-3),
    "half-Cauchy 1e5": dHalfCauchy(1e5),
    "flat": dFlat(),
}


def many(seed, n, sizes=(1.0, 200.0), between=1.0, weight=1.0):
    """n contrasts between groups of `sizes`, between-group squares about `between` times what noise gives."""
    rng = np.random.default_rng(seed)
    s2 = np.exp(rng.uniform(*np.log(sizes), n))
    return s2, np.full(n, weight), weight * (1.0 + between * s2) * rng.chisquare(1.0, n)


# squared singular values, how often each occurs, squares of y along them, other squares, half the degrees of freedom
DATA = {
    "no contrasts": ([], [], [], 7.0, 4.0),
    "two groups": ([5.0], [1.0], [3.0], 12.0, 4.5),
    "balanced, six groups": ([5.0], [5.0], [4e4], 5.9e4, 14.5),
    "no difference between groups": ([5.0], [5.0], [1e-12], 30.0, 14.5),
    "huge differences": ([5.0], [5.0], [1e14], 30.0, 14.5),
    "groups of size 1": ([1.0], [9.0], [11.0], 0.0, 4.5),
    "groups of size 1, gamma prior": ([1.0], [9.0], [11.0], 1e-3, 5.0),
    "groups of size 1, two columns": ([1.0, 1.7], [7.0, 1.0], [11.0, 9.0], 0.0, 4.0),
    "unbalanced": (*many(1, 12), 60.0, 36.0),
    "very unbalanced": (*many(2, 40, (1e-3, 1e6)), 1e4, 5020.0),
    "a hundred sizes": (*many(3, 100), 1e4, 5500.0),
    "a million groups": ([10.0], [999_999.0], [1.1e7], 9e6, 5e6),
    "1e8 rows": (*many(4, 5, (1e7, 1e8), 1e-7), 1e8, 5e7),
    "1e8 rows, one odd group": ([1e7, 1.0], [4.0, 1.0], [4.0, 1e9], 1e8, 5e7),
    "two peaks": ([1e4, 1e-4], [6.0, 6.0], [1e-2, 1e5], 1e-3, 9.0),
    "steps": (10.0 ** np.linspace(-8, 8, 12), np.ones(12), 10.0 ** np.linspace(-6, 10, 12), 1e-12, 12.5),
    "nearly an exact fit": ([3.0, 4.0], [1.0, 1.0], [5.0, 9.0], 1e-18, 6.0),
    "offset 1e6 squared": ([5.0, 9.0], [3.0, 4.0], [1e12, 3e12], 4e12, 20.0),
    "1e-12": ([5.0, 9.0], [3.0, 4.0], [1e-12, 3e-12], 4e-12, 20.0),
}


def density(prior, data):
    s2, weight, squares, rest, half = DATA[data]
    s2, weight, squares = (np.array(v, float) for v in (s2, weight, squares))
    power, _, c, d, e, g = PRIORS[prior].terms
    upper = PRIORS[prior].upper
    lower = -2.0 * math.log(upper) if upper < math.inf else -math.inf
    return RatioDensity(
        power + 1.0, float(c), float(d), float(e), float(g), 1.0 / s2, weight, squares, rest, half, lower
    )


def envelope(f):
    env = kernel.new_ratio_envelope()
    return env, kernel.build_ratio_envelope(f, env)


def draws(f, env, n, rng):
    out, iters = np.empty(n), np.zeros(n, np.int64)
    done, status = 0, NEED_MORE
    while status == NEED_MORE:
        done, status = kernel.draw_log_ratios(f, env, rng.random(3 * (n - done) + 60), out, iters, done)
    assert status == DONE, status
    return out, iters


def log_values(f, t):
    """The density at points t, in extended precision and straight from its definition."""
    t = np.asarray(t, np.longdouble)
    value = f.a * t - f.e * np.logaddexp(0, t - np.log(np.longdouble(f.g)))
    with np.errstate(over="ignore"):
        value -= (f.c * np.exp(-t) if f.c else 0.0) + (f.d * np.exp(-t / 2) if f.d else 0.0)
    total = np.zeros(t.shape, np.longdouble) + f.rest
    for lam, weight, q in zip(f.lam, f.weight, f.q):
        x = t + np.log(np.longdouble(lam))
        value -= weight * np.logaddexp(0, -x) / 2
        total += q * np.exp(-np.logaddexp(0, -x))
    return value - f.half * np.log(total)


def cdf(f, t):
    """Distribution function by Simpson's rule; what lies well outside the draws' range has a share below 1 / 5000."""
    spread = 0.3 * (t.max() - t.min())
    grid = np.linspace(max(t.min() - spread, f.lower), t.max() + spread, 3001)
    grid = np.unique(np.concatenate([grid, np.quantile(t, np.linspace(0.0, 1.0, 1001))]))
    return cdf_from_log_density(lambda x: log_values(f, x).astype(float), grid)


def proper(prior):
    for data in DATA:
        f = density(prior, data)
        env, status = envelope(f)
        if status == DONE:
            yield data, f, env


def test_the_adversarial_cases_are_there():
    """19 data sets, 11 priors; 4 are improper: the flat prior with no contrast, one contrast, or exact fits."""
    assert (len(DATA), len(PRIORS)) == (19, 11)
    improper = [(p, d) for p in PRIORS for d in DATA if envelope(density(p, d))[1] != DONE]
    assert improper == [
        ("flat", "no contrasts"),
        ("flat", "two groups"),
        ("flat", "groups of size 1"),
        ("flat", "groups of size 1, two columns"),
    ]


@pytest.mark.parametrize("prior", PRIORS)
def test_log_acceptance_is_never_positive(prior, rng):
    """Maximised from 100 starts, over the sampler's envelope and over that for quadrature."""
    for data, f, env in proper(prior):
        for _ in range(2):
            worst = highest(kernel.ratio_log_acceptance, f, env, 80.0, rng.random((STARTS, 3)))
            assert worst < 1e-9, (data, worst)
            assert resolve_ratio(f, env), data


@pytest.mark.parametrize("prior", PRIORS)
def test_draws_follow_the_density(prior, rng):
    for data, f, env in proper(prior):
        t, iters = draws(f, env, 5000, rng)
        assert iters.mean() < 1.1, (data, iters.mean())
        assert_cdf(t, cdf(f, t), data)


def test_a_wrong_degree_of_freedom_is_noticed(rng):
    f = density("half-Cauchy", "balanced, six groups")
    t, _ = draws(f, envelope(f)[0], 5000, rng)
    assert_cdf(t, cdf(f, t))
    with pytest.raises(AssertionError):
        assert_cdf(t, cdf(f._replace(half=f.half - 4.0), t))


def test_tangents_in_place_of_chords_are_noticed(rng):
    """The planted fault of the dominance test: S grows more slowly than its slope on the left says."""
    f = density("half-Cauchy", "unbalanced")
    env, _ = envelope(f)
    assert highest(kernel.ratio_log_acceptance, f, env, 80.0, rng.random((STARTS, 3))) < 1e-9
    for j in range(1, env.count[0] - 1):
        u = math.exp(env.knot[j])
        s = f.rest + (f.q * f.lam * u / (1.0 + f.lam * u)).sum()
        env.line[j] = -f.half * (f.q * f.lam * u / (1.0 + f.lam * u) ** 2).sum() / s
    assert highest(kernel.ratio_log_acceptance, f, env, 80.0, rng.random((STARTS, 3))) > 1e-8


@pytest.mark.every_mode
@pytest.mark.parametrize("data", DATA)
def test_differences_are_free_of_cancellation(data, rng):
    """Against extended precision, near and far: to rounding of the largest term."""
    f = density("half-t", data)
    for _ in range(20):
        t0 = rng.uniform(-30.0, 30.0)
        t1 = t0 + rng.choice([-1.0, 1.0]) * 10.0 ** rng.uniform(-6.0, 1.0)
        exact = log_values(f, np.array([t0, t1]))
        scale = abs(t1 - t0) * (f.half + 0.5 * f.weight.sum())
        rounding = 4e-14 * scale + 1e-13 + 4e-19 * float(np.abs(exact).max())  # ours, and that of extended precision
        assert abs(ratio_rise(f, t0, t1) - float(exact[1] - exact[0])) <= rounding, (t0, t1)


@pytest.mark.every_mode
def test_improper_ends_and_broken_envelopes():
    f = density("half-Cauchy", "two groups")
    assert envelope(f._replace(a=-0.6))[1] == IMPROPER_LOW
    assert envelope(f._replace(a=3.0))[1] == IMPROPER_HIGH
    assert envelope(f._replace(rest=0.0))[1] == IMPROPER_LOW
    env, status = envelope(f)
    assert status == DONE
    env.line[: env.count[0]] -= 9.0
    out, iters = np.empty(50), np.zeros(50, np.int64)
    assert kernel.draw_log_ratios(f, env, np.random.default_rng(0).random(600), out, iters, 0)[1] == BROKEN


@pytest.mark.every_mode
def test_uniforms_in_pieces_give_the_same_draws(rng):
    f = density("half-t", "unbalanced")
    env, _ = envelope(f)
    uniforms = rng.random(330)
    out, iters = np.empty(80), np.zeros(80, np.int64)
    assert kernel.draw_log_ratios(f, env, uniforms, out, iters, 0) == (80, DONE)
    again, again_iters = np.empty(80), np.zeros(80, np.int64)
    done, at = 0, 0
    while done < 80:
        done, _ = kernel.draw_log_ratios(f, env, uniforms[at : at + 9].copy(), again, again_iters, done)
        at += 9
    assert (again == out).all() and (again_iters == iters).all()
