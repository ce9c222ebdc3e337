import math

import numpy as np
import pytest

from glmbayes.kernels.first_knots import find_mode, first_knots, tail_slopes, toward
from glmbayes.kernels.log_density import LogDensity, derivatives, rise
from tests.kernels.adversarial import DATA, PRIORS, density, log_values

# plain Python warns of overflows to infinity, compiled code does not
pytestmark = [pytest.mark.every_mode, pytest.mark.filterwarnings("ignore::RuntimeWarning")]
INF = math.inf
NONE = np.empty(0)


def gamma_density(shape, rate, lower=-INF, upper=INF):
    return LogDensity(shape, rate, 0.0, 0.0, 0.0, 1.0, NONE, NONE, lower, upper)


@pytest.mark.parametrize("start", [-30.0, 0.0, 50.0])
@pytest.mark.parametrize(("shape", "rate"), [(0.01, 1e-8), (3.0, 2.0), (1e8, 1e-5)])
def test_mode_of_a_gamma(shape, rate, start):
    assert find_mode(gamma_density(shape, rate), start) == pytest.approx(math.log(shape / rate), abs=1e-8)


def test_mode_at_a_limit():
    assert find_mode(gamma_density(3.0, 3.0, lower=1.0), 5.0) == 1.0
    assert find_mode(gamma_density(3.0, 3.0, upper=-1.0), -5.0) == -1.0
    assert find_mode(gamma_density(-2.0, 0.0, lower=-4.0, upper=9.0), 2.0) == -4.0


@pytest.mark.parametrize("prior", PRIORS)
def test_partition(prior):
    """Ordered knots around a stationary point, none lower than the others, widths where f drops by about one."""
    seen = 0
    for data in DATA:
        for window in ("none", "both", "far left"):
            f = density(prior, data, window)
            scale, knot = np.empty(3), np.empty(300)
            n, left_tail, right_tail = first_knots(f, scale, knot)
            if n == 0 or (f.lower == -INF and tail_slopes(f)[0] <= 0) or (f.upper == INF and tail_slopes(f)[1] <= 0):
                continue
            seen += 1
            knot = knot[: n + 1]
            mode, *widths = scale
            assert (np.diff(knot) > 0.0).all()
            assert (knot[0], knot[-1]) == (f.lower, f.upper)
            assert left_tail or f.lower > -INF
            assert right_tail or f.upper < INF
            inner = knot[np.isfinite(knot)]
            assert max(rise(f, mode, t) for t in inner) < 1.0
            first, second = derivatives(f, mode)
            if f.lower < mode < f.upper:
                assert second < 0.0
                assert abs(first) < 1e-4 * math.sqrt(-second) + 1e-8 * abs(second)
            for side, width in zip((-1.0, 1.0), widths):
                end = mode + side * width
                if f.lower < end < f.upper and width > 1e-12 * abs(mode):
                    assert 0.3 < -rise(f, mode, end) < 5.0
            turns = -np.log(f.lam)
            inside = turns[(turns > inner[1 if left_tail else 0]) & (turns < inner[-2 if right_tail else -1])]
            assert all(np.abs(inner - turn).min() < 1e-12 * (1.0 + abs(turn)) for turn in inside)
    assert seen > 2.5 * len(DATA)


def test_the_higher_of_two_modes_is_found():
    """Small errors at u large (data) against a prior that holds the coefficient: the density has two peaks."""
    f = LogDensity(6.0, 1e-6, 0.0, 0.0, 0.0, 1.0, np.array([1e-2]), np.array([2450.0]), -INF, INF)
    grid = np.linspace(-20.0, 25.0, 200_001)
    value = log_values(f, grid)
    peaks = grid[1:-1][(value[1:-1] > value[2:]) & (value[1:-1] > value[:-2])]
    assert len(peaks) == 2
    scale = np.empty(3)
    first_knots(f, scale, np.empty(300))
    assert scale[0] == pytest.approx(grid[value.argmax()], abs=1e-3)


def test_toward_stops_at_turning_points():
    f = gamma_density(1.0, 1.0)._replace(lam=np.exp(np.array([-1.0, -2.0, 5.0])), k=np.ones(3))
    assert toward(f, 0.0, 9.0) == pytest.approx(1.0)
    assert toward(f, 1.5, 9.0) == pytest.approx(2.0)
    assert toward(f, 9.0, 0.0) == pytest.approx(2.0)
    assert toward(f, 2.5, 9.0) == 9.0
    assert toward(f, 0.0, -9.0) == pytest.approx(-5.0)


@pytest.mark.parametrize(
    ("change", "left", "right"),
    [
        ({}, True, True),
        ({"a": 0.0}, False, True),
        ({"a": -1.0}, False, True),
        ({"a": -1.0, "c": 1e-9}, True, True),
        ({"a": -1.0, "d": 1e-9}, True, True),
        ({"b": 0.0}, True, False),
        ({"b": 0.0, "e": 2.0}, True, False),
        ({"b": 0.0, "e": 2.1}, True, True),
        ({"b": 0.0, "lam": np.ones(4), "k": np.ones(4)}, True, False),
        ({"b": 0.0, "lam": np.ones(5), "k": np.ones(5)}, True, True),
    ],
)
def test_tail_slopes_say_what_is_proper(change, left, right):
    slopes = tail_slopes(gamma_density(2.0, 1.0)._replace(**change))
    assert (slopes[0] > 0.0, slopes[1] > 0.0) == (left, right)
