import math

import numpy as np
import pytest

from glmbayes.kernels import log_precision as kernel
from glmbayes.kernels.log_density import LogDensity
from glmbayes.kernels.quadrature import resolve
from tests.kernels.adversarial import DATA, PRIORS, WINDOWS, cdf, density, draws, envelope, highest_log_acceptance
from tests.oracles import assert_cdf

INF = math.inf
STARTS = 100


def proper(prior, windows=WINDOWS):
    """(data, window, density, envelope) of every proper posterior under a prior."""
    for data in DATA:
        for window in windows:
            f = density(prior, data, window)
            env, status = envelope(f)
            if status == kernel.DONE:
                yield data, window, f, env


def test_the_adversarial_cases_are_there():
    """15 data sets, 12 priors, 10 windows; 39 are improper: an exact fit with any prior on the standard deviation (the
    windows that let it go to 0), and one observation with the flat one."""
    count = sum(1 for prior in PRIORS for _ in proper(prior))
    assert (len(DATA), len(PRIORS), len(WINDOWS)) == (15, 12, 10)
    assert count == 15 * 12 * 10 - 39


@pytest.mark.parametrize("prior", PRIORS)
def test_log_acceptance_is_never_positive(prior, rng):
    """Maximised from 100 starts per data set, over the first envelope and over the refined one."""
    for data, window, f, env in proper(prior):
        for _ in range(2):
            worst = highest_log_acceptance(f, env, rng.random((STARTS, 3)))
            assert worst < 1e-9, (data, window, worst)
            draws(f, env, 200, rng)


@pytest.mark.parametrize("prior", PRIORS)
def test_candidates_per_draw(prior, rng):
    for data, window, f, env in proper(prior):
        _, iters = draws(f, env, 1000, rng)
        assert iters.sum() < 1000 / 0.9, (data, window, iters.sum())


@pytest.mark.parametrize("prior", ["gamma", "half-normal", "exponential", "half-t", "half-Cauchy", "flat"])
def test_candidates_of_single_draws(prior, rng):
    """Ordinary regressions, small and large, weak and strong priors; each draw with an envelope of its own."""
    for data in ("no coefficients", "ordinary", "p = 30", "1e8 rows", "conflict"):
        f = density(prior, data)
        total = sum(draws(f, envelope(f)[0], 1, rng)[1][0] for _ in range(400))
        assert total < 400 / 0.8, (data, total)


def resolved(f, env):
    """Whether doubles can tell the density's points apart: far in a tail all draws are within rounding of the limit."""
    return min(env.scale[1:]) > 1e4 * np.spacing(abs(env.scale[0]))


@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("prior", PRIORS)
def test_draws_follow_the_density(prior, data, rng):
    f = density(prior, data)
    env, status = envelope(f)
    if status == kernel.DONE:
        assert_cdf(draws(f, env, 20_000, rng)[0], cdf(f))
    else:
        assert status in (kernel.IMPROPER_LOW, kernel.IMPROPER_HIGH)


@pytest.mark.parametrize("window", list(WINDOWS)[1:])
@pytest.mark.parametrize("prior", ["gamma", "half-Cauchy"])
def test_draws_within_limits_follow_the_density(prior, window, rng):
    followed = 0
    for data, _, f, env in proper(prior, [window]):
        t, _ = draws(f, env, 20_000, rng)
        assert f.lower <= t.min()
        assert t.max() <= f.upper
        if resolved(f, env):
            assert_cdf(t, cdf(f), data)
            followed += 1
    assert followed >= (0 if window == "farther right" else 8)


def test_a_tangent_a_little_too_low_is_noticed(rng):
    """The planted fault of the dominance test: an envelope 1e-6 below the density."""
    f = density("gamma", "no coefficients")
    env, _ = envelope(f)
    env.chord[2] -= 1e-6
    assert highest_log_acceptance(f, env, rng.random((STARTS, 3))) > 1e-7


def test_an_envelope_below_the_density_is_reported():
    f = density("gamma", "ordinary")
    env, _ = envelope(f)
    env.chord[: env.count[0]] -= 5.0
    out, iters = np.empty(100), np.zeros(100, np.int64)
    status = kernel.draw_log_precisions(f, env, np.random.default_rng(0).random(600), out, iters, 0)[1]
    assert status == kernel.BROKEN


def test_candidates_are_capped():
    """Uniforms that reject whatever is proposed: the knots stop at their limit and the draw at its."""
    f = density("gamma", "ordinary")
    env, _ = envelope(f)
    uniforms = np.random.default_rng(0).random(3 * kernel.MAX_CANDIDATES + 3)
    uniforms[2::3] = 0.0  # accepted with probability one only
    iters = np.zeros(1, np.int64)
    assert kernel.draw_log_precisions(f, env, uniforms, np.empty(1), iters, 0) == (0, kernel.STUCK)
    assert iters[0] == kernel.MAX_CANDIDATES
    assert env.count[0] == kernel.MAX_KNOTS - 1


@pytest.mark.every_mode
def test_uniforms_in_pieces_give_the_same_draws(rng):
    f = density("half-t", "two peaks")
    uniforms = rng.random(900)
    out, iters = np.empty(200), np.zeros(200, np.int64)
    assert kernel.draw_log_precisions(f, envelope(f)[0], uniforms, out, iters, 0) == (200, kernel.DONE)
    again, again_iters = np.empty(200), np.zeros(200, np.int64)
    env, done, at = envelope(f)[0], 0, 0
    while done < 200:
        done, status = kernel.draw_log_precisions(f, env, uniforms[at : at + 9].copy(), again, again_iters, done)
        assert status == (kernel.DONE if done == 200 else kernel.NEED_MORE)
        at += 9
    assert (again == out).all()
    assert (again_iters == iters).all()


@pytest.mark.every_mode
def test_a_candidate_is_where_the_uniforms_put_it():
    """Inverse distribution function of the piecewise exponential, by its own masses."""
    f = density("gamma", "ordinary")
    env, _ = envelope(f)
    n = env.count[0]
    share = np.cumsum(env.mass[:n]) / env.mass[n]
    for u in (0.0, 0.001, 0.3, 0.77, 0.999):
        for place in (0.0, 0.4, 0.999999):
            j, t = kernel.propose(env, u, place)
            assert j == np.searchsorted(share, u, side="right")
            assert env.knot[j] <= t <= env.knot[j + 1]
            if 0 < j < n - 1:
                slope, left, right = env.slope[j], env.knot[j], env.knot[j + 1]
                end, side = (right, -1.0) if slope > 0.0 else (left, 1.0)
                within = math.expm1(-abs(slope) * abs(t - end)) / math.expm1(-abs(slope) * (right - left))
                assert within == pytest.approx(place, abs=1e-9)
                assert side * (t - end) >= 0.0


@pytest.mark.parametrize("prior", PRIORS)
def test_refined_for_quadrature_the_bound_is_close(prior, rng):
    for data, window, f, env in proper(prior, ["none", "both", "far left"]):
        assert resolve(f, env), (data, window)
        n = env.count[0]
        for j in np.nonzero(env.mass[:n] > 1e-18 * env.mass[n])[0]:
            left, right = env.knot[j], env.knot[j + 1]
            if math.isfinite(left) and math.isfinite(right) and right - left > 1e-12 * abs(right):
                assert min(kernel.log_acceptance(f, env, j, t) for t in (left, right)) > -1.0
                assert abs(env.slope[j]) * (right - left) < 8.0


def test_improper_ends():
    flat = LogDensity(0.0, 1.0, 0.0, 0.0, 0.0, 1.0, np.empty(0), np.empty(0), -INF, INF)
    assert envelope(flat)[1] == kernel.IMPROPER_LOW
    assert envelope(flat._replace(a=1.0, b=0.0))[1] == kernel.IMPROPER_HIGH
    assert envelope(flat._replace(a=-3.0, b=0.0, lower=-1.0, upper=2.0))[1] == kernel.DONE
    assert envelope(flat._replace(a=-3.0, lower=-1.0))[1] == kernel.DONE
    assert envelope(flat._replace(a=3.0, b=0.0, upper=2.0))[1] == kernel.DONE
