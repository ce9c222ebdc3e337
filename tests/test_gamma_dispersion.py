import numpy as np
import pytest
from numba import njit
from scipy import special

from glmbayes.kernels.gamma_dispersion import (
    IMPROPER,
    OK,
    _log_density,
    _remainders,
    gamma_dispersion_draws,
    gamma_half_deviance,
    group_weights,
)
from tests.oracles import assert_cdf, assert_mean, assert_sd, cdf_from_log_density


def _reduce(y, mu, w):
    values, counts = np.empty(len(y)), np.empty(len(y))
    k = group_weights(w, values, counts)
    return gamma_half_deviance(y, mu, w), values[:k].copy(), counts[:k].copy()


def _draw(rng, m, y, mu, w, a, b, limits=(0.0, np.inf)):
    out = np.empty(m)
    status, candidates = gamma_dispersion_draws(rng, a, b, *_reduce(y, mu, w), *limits, out)
    assert status == OK
    return out, candidates


def _log_posterior(t, y, mu, w, a, b):
    """The textbook form, with scipy's log gamma: a t - b v + sum of Gamma log densities."""
    v = np.exp(np.asarray(t, dtype=float))
    total = a * np.log(v) - b * v
    for value in np.unique(w[w > 0]):
        rows = w == value
        s = value * v
        total += rows.sum() * (s * np.log(s) - special.gammaln(s))
        total += s * np.sum(np.log(y[rows] / mu[rows]) - y[rows] / mu[rows])
    return total


def _quadrature(y, mu, w, a, b, centre, width):
    grid = np.linspace(centre - width, centre + width, 20_001)
    return cdf_from_log_density(lambda t: _log_posterior(t, y, mu, w, a, b), grid)


def _data(rng, n, shape=2.0):
    return rng.gamma(shape, size=n), np.full(n, shape * 0.9)


@pytest.mark.parametrize("n", [1, 2, 7, 60, 1_000, 10_000])
@pytest.mark.parametrize("a", [1e-3, 1.0, 40.0])
def test_draws_follow_the_posterior(rng, n, a):
    y, mu = _data(rng, n)
    w = np.ones(n)
    t, candidates = _draw(rng, 20_000, y, mu, w, a, 0.3)
    assert candidates < 1.05 * 20_000
    assert_cdf(t, _quadrature(y, mu, w, a, 0.3, np.median(t), 12 * t.std()), f"n={n} a={a}")


@pytest.mark.parametrize("weights", ["non-integer", "tiny", "huge", "mixed", "grouped"])
def test_weights(rng, weights):
    n = 12
    y, mu = _data(rng, n)
    w = {
        "non-integer": rng.uniform(0.2, 3.0, n),
        "tiny": np.full(n, 1e-6),
        "huge": np.full(n, 1e6),
        "mixed": 10.0 ** np.linspace(-6, 6, n),
        "grouped": np.tile([0.5, 2.5, 0.0], 4),
    }[weights]
    t, _ = _draw(rng, 20_000, y, mu, w, 1.5, 0.2)
    assert_cdf(t, _quadrature(y, mu, w, 1.5, 0.2, np.median(t), 12 * t.std()), weights)


@pytest.mark.parametrize("limits", [(0.3, 0.6), (0.0, 0.05), (50.0, np.inf), (0.4, 0.4001), (1e-6, 1e-5), (5.0, 9.0)])
def test_limits_of_the_dispersion(rng, limits):
    y, mu = _data(rng, 8)
    w = np.ones(8)
    t, candidates = _draw(rng, 20_000, y, mu, w, 2.0, 1.0, limits)
    lo, hi = -np.log(limits[1]), -np.log(limits[0]) if limits[0] > 0 else np.inf
    assert np.all((t >= lo - 1e-12) & (t <= hi + 1e-12))
    assert candidates < 1.1 * 20_000
    a, b = t.min(), t.max()
    # the limits themselves where they are finite, else far enough for the tail to be nothing
    left, right = max(lo, a - 12 * t.std()), min(hi, b + 12 * t.std())
    grid = np.linspace(left, right, 40_001)
    assert_cdf(t, cdf_from_log_density(lambda s: _log_posterior(s, y, mu, w, 2.0, 1.0), grid), f"{limits}")


Y = [
    4.94955346337361,
    0.643868958223597,
    2.63435767912922,
    4.29139803017979,
    1.5601772696314,
    2.54856018624637,
]
Y += [1.54566478812276, 5.21775027674, 4.26447522949155, 2.1960993877946]
# exact moments by quadrature: n, shape, log mean, then mean and sd of the precision, and the same when the
# dispersion is confined to the limits
REFERENCE = [
    (3, 2.0, 1.00890395703946, 1.92771370038939, 0.988765804837337,
     (0.154557655460791, 2.00141909045837), 1.95746411630008, 0.957525235933171),
    (6, 2.0, 1.01932347557884, 2.436038595761, 1.04226464280816,
     (0.174981543765681, 1.22794535873271), 2.44299645671731, 0.965679108942644),
    (10, 4.0, 1.09366357291259, 3.49853719381919, 1.13408850745671,
     (0.140301383342543, 0.625497760787917), 3.52223932528821, 1.06372601145673),
]  # fmt: skip


@pytest.mark.parametrize("case", REFERENCE, ids=lambda c: f"n{c[0]}")
def test_reference_moments(rng, case):
    n, a, beta, mean, sd, limits, cut_mean, cut_sd = case
    y, mu, w = np.array(Y[:n]), np.full(n, np.exp(beta)), np.ones(n)
    v = np.exp(_draw(rng, 50_000, y, mu, w, a, 1.0)[0])
    assert_mean(v, mean)
    assert_sd(v, sd)
    v = np.exp(_draw(rng, 50_000, y, mu, w, a, 1.0, limits)[0])
    assert_mean(v, cut_mean)
    assert_sd(v, cut_sd)


@pytest.mark.parametrize("fault", ["rate off by 5 %", "n/2 forgotten", "dispersion for precision"])
def test_planted_faults_are_seen(rng, fault):
    y, mu = _data(rng, 30)
    w = np.ones(30)
    if fault == "rate off by 5 %":
        d, values, counts = _reduce(y, mu, w)
        t = np.empty(20_000)
        gamma_dispersion_draws(rng, 2.0, 0.3, 1.05 * d, values, counts, 0.0, np.inf, t)
    elif fault == "n/2 forgotten":
        d, values, counts = _reduce(y, mu, w)
        t = np.empty(20_000)
        gamma_dispersion_draws(rng, 2.0 - 15.0, 0.3, d, values, counts, 0.0, np.inf, t)
    else:
        t = -_draw(rng, 20_000, y, mu, w, 2.0, 0.3)[0]
    with pytest.raises(AssertionError):
        assert_cdf(t, _quadrature(y, mu, w, 2.0, 0.3, np.median(t), 12 * t.std()))


def test_improper_posterior_is_refused(rng):
    y = np.array([0.1, 0.7, 3.0])
    d, values, counts = _reduce(y, y * (1 + 1e-16), np.ones(3))
    assert d == 0.0
    out = np.empty(3)
    assert gamma_dispersion_draws(rng, 1.0, 0.0, d, values, counts, 0.0, np.inf, out) == (IMPROPER, 0)
    assert gamma_dispersion_draws(rng, 1.0, 0.0, d, values, counts, 0.01, np.inf, out)[0] == OK
    assert np.all(out <= -np.log(0.01) + 1e-12)


def test_without_rows_the_prior_is_drawn(rng):
    empty = np.empty(0)
    for a in (0.01, 0.5, 3.0):
        out = np.empty(20_000)
        assert gamma_dispersion_draws(rng, a, 2.0, 0.0, empty, empty, 0.0, np.inf, out)[0] == OK
        # P(v < x) with x from its logarithm, where x itself may underflow
        log_x = out + np.log(2.0)
        small = (a * log_x - special.gammaln(a + 1.0)) < -30
        cdf = np.where(small, 0.0, special.gammainc(a, np.exp(np.maximum(log_x, -600))))
        far = log_x < -600
        cdf[far] = np.exp(a * log_x[far] - special.gammaln(a + 1.0))
        assert_cdf(cdf, lambda u: u, f"a={a}")


def test_density_is_concave_with_the_right_slope(rng):
    """Every tangent lies above the log density: checked where the gap is smallest and far away."""
    for n, a, scale in ((1, 1e-6, 1e-6), (1, 1e-6, 1e6), (50, 2.0, 1.0), (10_000, 1.0, 1e3)):
        y, mu = _data(rng, n)
        w = scale * rng.uniform(0.5, 2.0, n)
        d, values, counts = _reduce(y, mu, w)
        half, b = a + 0.5 * n, 0.1 + d
        v0 = half / b
        args = (v0, _remainders(v0, values, counts), half, b * v0, values, counts)
        for x in rng.standard_normal(100) * 10.0 ** rng.uniform(-6, 1, 100):
            f, slope = _log_density(x, *args)
            for step in (1e-8, 1e-4, 0.1, 3.0, -1e-8, -1e-4, -0.1, -3.0):
                g, _ = _log_density(x + step, *args)
                if np.isfinite(g):
                    slack = 1e-9 + 4e-16 * (abs(f) + n)
                    assert g <= f + slope * step + slack, (n, x, step)
            h = 1e-5 / np.sqrt(half)
            up, down = _log_density(x + h, *args)[0], _log_density(x - h, *args)[0]
            size = max(abs(up), abs(down), half * h)
            assert abs((up - down) / (2 * h) - slope) < 1e-6 * abs(slope) + 4e-16 * (size + n) / h + half * h


def test_cost_does_not_depend_on_rows_that_share_a_weight():
    w = np.full(100_000, 2.5)
    values, counts = np.empty(100_000), np.empty(100_000)
    assert group_weights(w, values, counts) == 1
    assert (values[0], counts[0]) == (2.5, 100_000)
    w[::3] = 0.0
    w[1::3] = 0.75
    assert group_weights(w, values, counts) == 2
    assert values[:2].tolist() == [0.75, 2.5]
    assert counts[:2].sum() == np.count_nonzero(w)
    assert group_weights(np.zeros(4), values, counts) == 0


def test_inside_a_users_loop_and_in_plain_python(rng):
    y, mu = _data(rng, 9)
    args = _reduce(y, mu, np.ones(9))

    @njit
    def sweep(rng, shape, rate, d, values, counts):
        out = np.empty(1)
        total = 0.0
        for _ in range(50):
            gamma_dispersion_draws(rng, shape, rate, d, values, counts, 0.0, np.inf, out)
            total += out[0]
        return total

    assert np.isfinite(sweep(rng, 1.0, 1.0, *args))
    a, b = np.empty(200), np.empty(200)
    gamma_dispersion_draws(np.random.default_rng(5), 1.0, 1.0, *args, 0.0, np.inf, a)
    getattr(gamma_dispersion_draws, "py_func", gamma_dispersion_draws)(
        np.random.default_rng(5), 1.0, 1.0, *args, 0.0, np.inf, b
    )
    np.testing.assert_allclose(a, b, rtol=1e-12)
