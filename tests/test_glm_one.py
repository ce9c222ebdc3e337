import numpy as np
import pytest
from numba import njit
from scipy import optimize

from glmbayes.kernels.glm_one import (
    CAPACITY,
    IMPROPER,
    NOT_FINITE,
    OK,
    _fall,
    build_1d,
    centre_1d,
    draw_blocks_1d,
    draw_glm_1d,
    draws_1d,
    log_evidence_1d,
)
from glmbayes.kernels.tangent_envelope import place_tangents
from tests.oracles import assert_cdf, assert_uniform_ranks, cdf_from_log_density
from tests.small_glm_cases import EMPTY, LINKS, kernel, log_posterior_1d, one_coefficient_cases, response

CASES = one_coefficient_cases()
SETTINGS = [
    (name, link, label, *case)
    for label, family, *case in CASES
    for name, link in LINKS
    if name == family and not (link == "cloglog" and label == "half of 1e10")
]
IDS = [f"{link}: {label}" for _, link, label, *_ in SETTINGS]


def _draw(rng, m, fam, y, x, offset, weights, mu, variance):
    out, iters = np.empty(m), np.empty(m, np.int64)
    status, mode = draws_1d(rng, fam, y, x, offset, weights, mu, variance, np.empty((6, CAPACITY)), out, iters)
    return status, mode, out, iters


def _oracle(name, link, theta, *data):
    """The posterior's CDF on a fine grid that covers it with room."""
    spread = theta.std()
    grid = np.linspace(theta.min() - 4 * spread, theta.max() + 4 * spread, 20_001)
    return cdf_from_log_density(lambda t: log_posterior_1d(name, link, t, *data), grid)


@pytest.mark.parametrize(("name", "link", "label", "y", "x", "offset", "weights", "mu", "variance"), SETTINGS, ids=IDS)
def test_adversarial_data(rng, name, link, label, y, x, offset, weights, mu, variance):
    """Quadrature, few candidates, and no candidate above the envelope: maximised from 100 starts."""
    data = (y, x, offset, weights, mu, variance)
    fam = kernel(name, link)
    status, mode, theta, iters = _draw(rng, 20_000, fam, *data)
    assert status == OK
    assert iters.mean() < 1.05
    if weights.max() < 1e9:  # beyond, the textbook log posterior is too rough to be an oracle
        assert_cdf(theta, _oracle(name, link, theta, *data), label)
        top = log_posterior_1d(name, link, np.array([mode]), *data)
        near = log_posterior_1d(name, link, mode + theta.std() * np.array([-1e-3, 1e-3]), *data)
        assert np.all(near <= top + 1e-9 * np.abs(top))

    centre, g, h = centre_1d(fam, *data[:4], mu, 1.0 / variance)
    work = np.empty((6, CAPACITY))
    k = build_1d(fam, *data[:4], centre, g, h, 1.0 / variance, *work[:3])
    assert place_tangents(*work, k, -np.inf, np.inf)
    at, height, slope, left = work[0, :k], work[1, :k], work[2, :k], work[3, :k]

    def excess(d):
        j = max(int(np.searchsorted(left, d, side="right")) - 1, 0)
        cover = height[j] + slope[j] * (d - at[j])
        return max(_fall(fam, *data[:4], centre, g, 1.0 / variance, d) - cover, -1e9)

    scale = max(abs(at[0]), abs(at[-1]))
    for start in rng.standard_normal(100) * scale * 10.0 ** rng.uniform(-6, 1, 100):
        width = 0.5 * abs(start) + 1e-9 * scale
        best = optimize.minimize_scalar(
            lambda d: -excess(d),
            bounds=(start - width, start + width),
            method="bounded",
            options={"maxiter": 30},
        )
        assert -best.fun <= 1e-8, (label, best.x)


@pytest.mark.parametrize(("name", "link"), LINKS)
def test_draws_follow_the_posterior(rng, name, link):
    n = 12
    x = rng.normal(size=n)
    offset = rng.normal(size=n)
    weights = rng.integers(1, 6, n) + (0.5 if name != "binomial" else 0.0)
    y = response(rng, name, 0.7 * x + offset, weights)
    data = (y, x, offset, weights, 0.3, 2.0)
    status, mode, theta, iters = _draw(rng, 20_000, kernel(name, link), *data)
    assert status == OK
    assert iters.mean() < 1.03
    assert_cdf(theta, _oracle(name, link, theta, *data), name)
    best = optimize.minimize_scalar(
        lambda t: -log_posterior_1d(name, link, t, *data)[0], bracket=(-1.0, 1.0), tol=1e-12
    )
    assert abs(mode - best.x) < 1e-6


@pytest.mark.parametrize("fault", ["weights forgotten", "sd for variance", "offset forgotten", "slope off by 5 %"])
def test_planted_faults_are_seen(rng, fault):
    n = 30
    x, offset, weights = rng.normal(size=n), rng.normal(size=n), np.full(n, 1.5)
    y = response(rng, "poisson", 0.5 * x + offset)
    data = [y, x, offset, weights, 0.0, 0.04]
    wrong = list(data)
    if fault == "weights forgotten":
        wrong[3] = np.ones(n)
    elif fault == "sd for variance":
        wrong[5] = 0.2
    elif fault == "offset forgotten":
        wrong[2] = EMPTY
    else:
        wrong[1] = 1.05 * x
    theta = _draw(rng, 20_000, kernel("poisson", "log"), *wrong)[2]
    with pytest.raises(AssertionError):
        assert_cdf(theta, _oracle("poisson", "log", theta, *data))


@pytest.mark.parametrize("name", ["poisson", "binomial"])
def test_simulation_based_calibration(rng, name):
    """4,000 prior draws, data, 19 posterior draws each: the rank of the truth is uniform on 0..19."""
    replications, draws, rows = 4_000, 19, 3
    mu, variance = rng.normal(size=replications), rng.uniform(0.2, 4.0, replications)
    truth = rng.normal(mu, np.sqrt(variance))
    x = rng.normal(size=(replications, rows))
    trials = np.full((replications, rows), 4.0 if name == "binomial" else 1.0)
    y = response(rng, name, truth[:, None] * x, trials)
    out, iters = np.empty((replications, draws)), np.empty((replications, draws), np.int64)
    start = rows * np.arange(replications + 1)
    status, _ = draw_blocks_1d(
        rng, kernel(name, "log" if name == "poisson" else "logit"), y.ravel(), x.ravel(), EMPTY,
        trials.ravel(), start, mu, variance, out, iters, np.empty(replications),
    )  # fmt: skip
    assert status == OK
    assert_uniform_ranks((out < truth[:, None]).sum(axis=1), draws + 1, name)
    with pytest.raises(AssertionError):  # a posterior that forgets where the prior sits
        assert_uniform_ranks((out + 0.1 < truth[:, None]).sum(axis=1), draws + 1)


def test_first_draws_need_few_candidates(rng):
    """A single draw from a fresh envelope, as in a Gibbs sweep: three tangents."""
    fam = kernel("poisson", "log")
    for name, y, weights in (("poisson", 0.0, 1.0), ("poisson", 3.0, 1.0), ("binomial", 1.0, 30.0)):
        fam = kernel(name, "log" if name == "poisson" else "logit")
        data = (np.array([y]), np.ones(1), EMPTY, np.array([weights]), 0.0, 100.0)
        candidates = np.concatenate([_draw(rng, 1, fam, *data)[3] for _ in range(2_000)])
        assert candidates.mean() < 1.3


def test_improper_and_missing_are_told_apart(rng):
    one = np.ones(1)
    assert _draw(rng, 1, kernel("poisson", "log"), np.zeros(1), one, EMPTY, EMPTY, 0.0, np.inf)[0] == IMPROPER
    assert _draw(rng, 1, kernel("binomial", "logit"), one, one, EMPTY, EMPTY, 0.0, np.inf)[0] == IMPROPER
    assert _draw(rng, 1, kernel("poisson", "log"), one, 0.0 * one, EMPTY, EMPTY, 0.0, np.inf)[0] == IMPROPER
    assert _draw(rng, 1, kernel("poisson", "log"), one, one, EMPTY, EMPTY, 0.0, np.inf)[0] == OK
    for bad in (
        (np.nan, 1.0, 0.0, 1.0),
        (1.0, np.nan, 0.0, 1.0),
        (1.0, 1.0, np.nan, 1.0),
        (1.0, 1.0, 0.0, np.nan),
    ):
        y, x, mu, variance = bad
        assert _draw(rng, 1, kernel("poisson", "log"), one * y, one * x, EMPTY, EMPTY, mu, variance)[0] == NOT_FINITE
    draw, status = draw_glm_1d(rng, kernel("poisson", "log"), one * np.nan, one, EMPTY, EMPTY, 0.0, 1.0)
    assert np.isnan(draw)
    assert status == NOT_FINITE


@pytest.mark.parametrize(("name", "link", "label", "y", "x", "offset", "weights", "mu", "variance"), SETTINGS, ids=IDS)
def test_evidence_against_quadrature(rng, name, link, label, y, x, offset, weights, mu, variance):
    data = (y, x, offset, weights, mu, variance)
    fam = kernel(name, link)
    got = log_evidence_1d(fam, *data)
    assert got == log_evidence_1d(fam, *data)
    if weights.max() > 1e9:
        return
    theta = _draw(rng, 2_000, fam, *data)[2]
    grid = np.linspace(theta.min() - 6 * theta.std(), theta.max() + 6 * theta.std(), 40_001)
    values = log_posterior_1d(name, link, grid, *data)
    want = values.max() + np.log(np.sum(np.exp(values - values.max())) * (grid[1] - grid[0]))
    assert abs(got - want) < 1e-7 + 1e-13 * abs(values.max()), label


def test_blocks_vary_and_report_the_block_that_fails(rng):
    fam = kernel("poisson", "log")
    y = np.array([3.0, 1.0, 0.0, 7.0])
    x = np.ones(4)
    start = np.array([0, 1, 3, 4])
    mu, variance = np.array([0.0, 1.0, -1.0]), np.array([1.0, 0.5, 2.0])
    out, iters, modes = np.empty((3, 20_000)), np.empty((3, 20_000), np.int64), np.empty(3)
    assert draw_blocks_1d(rng, fam, y, x, EMPTY, EMPTY, start, mu, variance, out, iters, modes) == (OK, -1)
    for j in range(3):
        rows = slice(start[j], start[j + 1])
        data = (y[rows], x[rows], 0.0, np.ones(rows.stop - rows.start), mu[j], variance[j])
        assert_cdf(out[j], _oracle("poisson", "log", out[j], *data), f"block {j}")
    variance[1] = np.nan
    status, block = draw_blocks_1d(rng, fam, y, x, EMPTY, EMPTY, start, mu, variance, out, iters, modes)
    assert (status, block) == (NOT_FINITE, 1)


def test_inside_a_users_loop(rng):
    fam = kernel("binomial", "probit")

    @njit
    def sweep(rng, fam, y, x, none, m):
        total = 0.0
        for _ in range(m):
            draw, status = draw_glm_1d(rng, fam, y, x, none, none, 0.0, 4.0)
            total += draw if status == 0 else np.nan
        return total / m

    assert np.isfinite(sweep(rng, fam, np.array([1.0, 0.0, 1.0]), np.array([0.5, -1.0, 2.0]), EMPTY, 100))


@pytest.mark.parametrize(("name", "link"), LINKS)
def test_python_and_compiled_agree(name, link):
    y, x = np.array([1.0, 0.5, 1.0]), np.array([0.5, -1.0, 2.0])
    draws = []
    for f in (draws_1d, getattr(draws_1d, "py_func", draws_1d)):
        out, iters = np.empty(50), np.empty(50, np.int64)
        rng = np.random.default_rng(11)
        f(rng, kernel(name, link), y, x, EMPTY, EMPTY, 0.2, 1.5, np.empty((6, CAPACITY)), out, iters)
        draws.append(out)
    np.testing.assert_allclose(draws[0], draws[1], rtol=1e-9, atol=1e-12)
