import numpy as np
import pytest
from numba import njit
from scipy import integrate, special

from glmbayes.kernels.truncated import (
    log_normal_cdf,
    log_normal_interval,
    log_tilted_interval,
    tilted_draw,
    truncated_normal,
    truncated_normal_quantile,
)
from tests.oracles import assert_cdf

INTERVALS = [
    (-np.inf, np.inf), (-np.inf, -3.0), (2.0, np.inf), (40.0, np.inf), (-np.inf, -1e5), (-0.5, 0.25),
    (-1e-9, 2.0), (0.0, 0.3), (-2.6, 0.1), (-1.0, 9.0), (5.0, 5.1), (-31.0, -30.0), (30.0, 30.001),
    (-1e4 - 1.0, -1e4), (1e8, np.inf), (0.9, 40.0), (0.0, 2.0),
]  # fmt: skip


@njit
def _many(rng, lo, hi, out):
    for i in range(out.shape[0]):
        out[i] = truncated_normal(rng, lo, hi)


def _cdf(lo, hi):
    """CDF on an interval by scipy's log tails, reflected to the side where they are small."""
    if lo >= 0.0:
        tail = special.log_ndtr(-lo)
        whole = -np.expm1(special.log_ndtr(-hi) - tail)
        return lambda x: -np.expm1(special.log_ndtr(-x) - tail) / whole
    if hi <= 0.0:
        mirrored = _cdf(-hi, -lo)
        return lambda x: 1.0 - mirrored(-np.asarray(x))
    return lambda x: (special.ndtr(x) - special.ndtr(lo)) / (special.ndtr(hi) - special.ndtr(lo))


def test_log_cdf_agrees_with_scipy():
    x = np.concatenate([-np.logspace(-8, 9, 400), np.logspace(-8, 1.5, 200), [0.0, -20.0, np.nextafter(-20.0, 0)]])
    ours = np.array([log_normal_cdf(v) for v in x])
    np.testing.assert_allclose(ours, special.log_ndtr(x), rtol=2e-14, atol=0)


def test_log_interval_against_quadrature():
    for a in (0.0, 1e-3, 0.7, 5.0, 19.9, 21.0, 300.0, 1e5, 1e9):
        for w in (1e-12, 1e-5, 0.01, 0.3, 2.0, 30.0):
            b = a + w / max(a, 1.0)
            width = b - a  # of the interval that is passed, after rounding
            if width == 0.0:
                continue
            inner = integrate.quad(
                lambda t, a=a: np.exp(-a * t - 0.5 * t * t),
                0.0,
                min(width, 60.0 / max(a, 1.0)),
                epsabs=0,
                epsrel=1e-13,
            )[0]
            want = np.log(inner) - 0.5 * a * a - 0.5 * np.log(2 * np.pi)
            got = log_normal_interval(a, b)
            assert abs(got - want) < 1e-12 * max(1.0, abs(want)), (a, w)
            assert got == log_normal_interval(-b, -a)


def test_log_interval_across_zero():
    for lo, hi in ((-1.0, 2.0), (-1e-10, 1e-10), (-0.1, 0.2), (-40.0, 40.0), (-np.inf, 3.0), (-9.0, np.inf)):
        want = np.log(special.ndtr(hi) - special.ndtr(lo)) if hi - lo > 1e-3 else np.log((hi - lo) / np.sqrt(2 * np.pi))
        assert abs(log_normal_interval(lo, hi) - want) < 1e-14
    assert log_normal_interval(1.0, 1.0) == -np.inf
    assert log_normal_interval(9.0, np.inf) == log_normal_cdf(-9.0)


@pytest.mark.parametrize(("lo", "hi"), INTERVALS)
def test_draws_follow_the_restricted_normal(rng, lo, hi):
    x = np.empty(20_000)
    _many(rng, lo, hi, x)
    assert np.all((x >= lo) & (x <= hi))
    if abs(lo) < 1e7:
        assert_cdf(x, _cdf(lo, hi), f"({lo}, {hi})")


@pytest.mark.parametrize("slope", [-1e9, -40.0, -0.3, 0.0, 2.0, 1e5])
def test_tilted_normal(rng, slope):
    """exp(slope t - t^2 / 2) where slope^2 / 2 would drown everything: against a scaled integral, and draws."""
    for lo, hi in ((0.2 / max(1.0, abs(slope)), np.inf), (-np.inf, -0.1), (-0.4, 1.5 / max(1.0, abs(slope)))):
        if np.isinf(slope * slope) or max(lo, min(hi, slope)) * slope > 600:
            continue
        near = min(max(slope, lo), hi)
        scale = 1.0 / max(1.0, abs(slope - near))
        a, b = max(lo, near - 40 * scale), min(hi, near + 40 * scale)
        # relative to the value at `near`: (slope - near) s - s^2 / 2
        inner = integrate.quad(
            lambda s, k=slope - near: np.exp(k * s - 0.5 * s * s), a - near, b - near, epsabs=0, epsrel=1e-12,
            points=[0.0] if a < near < b else None,
        )[0]  # fmt: skip
        want = np.log(inner) + near * (slope - 0.5 * near)
        got = log_tilted_interval(slope, lo, hi)
        assert abs(got - want) < 1e-11 * max(1.0, abs(want)), (slope, lo, hi)
        draws = np.array([tilted_draw(rng, slope, lo, hi) for _ in range(2_000)])
        assert np.all((draws >= lo) & (draws <= hi))
        if abs(slope) < 1e4:
            assert_cdf(draws - slope, _cdf(lo - slope, hi - slope), f"{slope} ({lo}, {hi})")


def test_planted_fault_is_seen(rng):
    """A sampler with the exponential's rate off by 5 % (no correction) fails the same test."""
    x = 40.0 + rng.standard_exponential(20_000) / (40.0 * 1.05)
    with pytest.raises(AssertionError):
        assert_cdf(x, _cdf(40.0, np.inf))


@pytest.mark.parametrize(("lo", "hi"), [i for i in INTERVALS if i[0] < 1e7])
def test_quantile_inverts_the_cdf(lo, hi):
    cdf = _cdf(lo, hi)
    u = np.concatenate([np.logspace(-12, -1, 12), np.linspace(0.15, 0.85, 8), 1 - np.logspace(-8, -1, 8)])
    x = np.array([truncated_normal_quantile(v, lo, hi) for v in u])
    assert np.all(np.diff(x[np.argsort(u)]) >= 0)
    # x carries a rounding error of its own, which the restricted density turns into one of the probability
    density = max(1.0, 1.0 / (hi - lo), min(abs(lo), abs(hi)) if lo * hi > 0 else 0.0)
    rounding = 4.0 * density * np.spacing(max(1.0, np.max(np.abs(x))))
    np.testing.assert_allclose(cdf(x), u, rtol=1e-10, atol=rounding)


def test_bad_bounds_give_nan(rng):
    assert np.isnan(truncated_normal(rng, 2.0, 1.0))
    assert np.isnan(truncated_normal(rng, np.nan, 1.0))
    assert truncated_normal(rng, 3.0, 3.0) == 3.0


def test_python_and_compiled_agree():
    for lo, hi in INTERVALS:
        assert getattr(log_normal_interval, "py_func", log_normal_interval)(lo, hi) == pytest.approx(
            log_normal_interval(lo, hi), rel=1e-12
        )
        a = getattr(truncated_normal, "py_func", truncated_normal)(np.random.default_rng(3), lo, hi)
        b = truncated_normal(np.random.default_rng(3), lo, hi)
        assert a == pytest.approx(b, rel=1e-12)
        assert getattr(truncated_normal_quantile, "py_func", truncated_normal_quantile)(0.3, lo, hi) == pytest.approx(
            truncated_normal_quantile(0.3, lo, hi), rel=1e-12
        )
