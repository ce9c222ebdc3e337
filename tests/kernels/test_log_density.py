import math

import numpy as np
import pytest

from glmbayes.kernels.log_density import (
    LogDensity,
    concave_gap,
    concave_slope,
    derivatives,
    precision,
    rise,
    share_rise,
    shares,
)
from tests.kernels.adversarial import log_values

# plain Python warns of overflows to infinity, compiled code does not
pytestmark = [pytest.mark.every_mode, pytest.mark.filterwarnings("ignore::RuntimeWarning")]
INF = math.inf
EVERYTHING = LogDensity(7.3, 2.1, 0.4, 0.7, 1.5, 0.3, np.array([0.02, 5.0, 3e4]), np.array([4.0, 0.5, 60.0]), -INF, INF)
LARGE = LogDensity(5e7, 4e7, 0.0, 0.0, 0.0, 1.0, np.array([1e6, 1.0]), np.array([1e10, 3e9]), -INF, INF)


@pytest.mark.parametrize("f", [EVERYTHING, LARGE], ids=["everything", "large"])
def test_rise_keeps_the_digits_that_differences_of_values_lose(f):
    for start in (-6.0, -0.3, 0.0, 2.5, 8.0):
        for step in (1e-9, -1e-6, 1e-3, -0.1, 1.0, -5.0, 9.0):
            truth = float(log_values(f, np.longdouble(start) + np.longdouble(step)) - log_values(f, start))
            slope = abs(derivatives(f, start)[0]) + f.a
            assert rise(f, start, start + step) == pytest.approx(truth, rel=1e-9, abs=1e-14 * slope + 1e-9)
    assert rise(f, 1.0, 1.0) == 0.0


def test_rise_of_a_small_step_is_exact_where_values_are_not():
    step = 2.0**-30
    first, second = derivatives(LARGE, 0.25)
    assert rise(LARGE, 0.25, 0.25 + step) == pytest.approx(first * step + second * step**2 / 2, rel=1e-10)


def test_derivatives_are_those_of_the_definition():
    h = 1e-5
    for t in (-8.0, -2.0, 0.0, 1.0, 6.0):
        first, second = derivatives(EVERYTHING, t)
        up, at, down = (log_values(EVERYTHING, t + d) for d in (h, 0.0, -h))
        assert first == pytest.approx(float((up - down) / (2 * h)), rel=1e-7, abs=1e-7)
        assert second == pytest.approx(float((up - 2 * at + down) / h**2), rel=1e-4, abs=1e-4)


def test_concave_part_lies_below_its_tangents(rng):
    concave = EVERYTHING._replace(k=np.zeros(3))
    for touch, t in 3.0 * rng.standard_normal((300, 2)):
        gap = concave_gap(EVERYTHING, touch, precision(touch), t, precision(t))
        assert gap <= 1e-14
        line = concave_slope(EVERYTHING, precision(touch)) * (t - touch)
        assert gap == pytest.approx(rise(concave, touch, t) - line, rel=1e-8, abs=1e-10)
        assert concave_slope(EVERYTHING, precision(touch)) == pytest.approx(derivatives(concave, touch)[0])


@pytest.mark.parametrize("x", [-800.0, -40.0, -1e-9, 0.0, 3.0, 40.0, 700.0])
def test_shares(x):
    odds = precision(x)
    share, rest = shares(odds)
    assert share == pytest.approx(1.0 / (1.0 + math.exp(min(-x, 709.0))), rel=1e-15, abs=1e-307)
    assert rest == pytest.approx(1.0 / (1.0 + odds), rel=1e-15)
    for delta in (1e-12, 1e-3, 5.0, -1e-9, -2.0):
        share1, rest1 = shares(precision(x + delta))
        got = share_rise(share, rest, share1, rest1, delta, -math.expm1(-abs(delta)))
        # S(x + d) - S(x) = sinh(d / 2) / (2 cosh(x / 2) cosh((x + d) / 2))
        truth = math.sinh(delta / 2) / 2 / math.cosh(x / 2) / math.cosh((x + delta) / 2) if abs(x) < 700 else None
        assert truth is None or got == pytest.approx(truth, rel=1e-12)


@pytest.mark.parametrize("t", [-700.0, -300.0, 300.0, 700.0])
def test_nothing_overflows_far_out(t):
    tails = LogDensity(0.5, 0.0, 0.0, 0.0, 1.0, 1e-9, np.array([1e-30, 1e80]), np.array([3.0, 1e5]), -INF, INF)
    for other in (0.0, t + 1.0, -t):
        truth = float(log_values(tails, t) - log_values(tails, other))
        assert rise(tails, other, t) == pytest.approx(truth, rel=1e-10, abs=1e-9)
        gap = concave_gap(tails, other, precision(other), t, precision(t))
        assert -INF < gap <= 1e-12
