import subprocess
import sys

import numpy as np
import pytest
from scipy import optimize

from glmbayes import families
from glmbayes.kernels.glm_mode import find_mode
from glmbayes.kernels.glm_small import (
    OK,
    PATIENCE,
    POOR,
    draw_blocks_small,
    draw_glm,
    small_draws,
    standardise,
)
from glmbayes.kernels.grid_envelope import (
    MAX_CELLS,
    choose_counts,
    grid_candidate,
    grid_draws,
    new_grid,
    place_points,
    quadratic_candidates,
    standardised_fall,
    weigh_cells,
)
from tests.oracles import assert_cdf, assert_mean, assert_sd, assert_uniform_ranks
from tests.small_glm_cases import LINKS, kernel, log_likelihood, response

MENARCHE = np.array(
    [
        9.21,
        376,
        0,
        10.21,
        200,
        0,
        10.58,
        93,
        0,
        10.83,
        120,
        2,
        11.08,
        90,
        2,
        11.33,
        88,
        5,
        11.58,
        105,
        10,
        11.83,
        111,
        17,
        12.08,
        100,
        16,
        12.33,
        93,
        29,
        12.58,
        100,
        39,
        12.83,
        108,
        51,
        13.08,
        99,
        47,
        13.33,
        106,
        67,
        13.58,
        105,
        81,
        13.83,
        117,
        88,
        14.08,
        98,
        79,
        14.33,
        97,
        90,
        14.58,
        120,
        113,
        14.83,
        102,
        95,
        15.08,
        122,
        117,
        15.33,
        111,
        107,
        15.58,
        94,
        92,
        15.83,
        114,
        112,
        17.58,
        1049,
        1049,
    ]
).reshape(25, 3)  # fmt: skip  (Milicer & Szczotka 1966: age, girls, girls who had reached menarche)


def build(fam, data, grid):
    place_points(fam, data, grid)
    return weigh_cells(data.gradient, grid)


def _draw(rng, m, name, link, y, x, offset, weights, mu, sigma, patience=PATIENCE):
    p = x.shape[1]
    out, iters, mode = np.empty((m, p)), np.empty(m, np.int64), np.empty(p)
    status, log_mass, candidates = small_draws(
        rng, kernel(name, link), y, x, offset, weights, mu, np.linalg.cholesky(sigma), patience, out, iters, mode
    )
    return status, out, iters, mode, log_mass, candidates


def _quadrature(name, link, draws, y, x, offset, weights, mu, sigma, size=401):
    """Marginal CDFs and log evidence of a two-coefficient posterior, by a fine product grid in rotated coordinates."""
    centre, cov = draws.mean(axis=0), np.cov(draws.T)
    low = np.linalg.cholesky(cov)
    t = np.linspace(-12, 12, size)
    theta = centre + np.stack(np.meshgrid(t, t, indexing="ij"), axis=-1) @ low.T
    value = np.zeros(theta.shape[:2])
    with np.errstate(over="ignore"):
        for i in range(len(y)):
            value += weights[i] * log_likelihood(name, link, theta @ x[i] + offset[i], y[i])
    d = theta - mu
    value -= 0.5 * np.einsum("ijk,kl,ijl->ij", d, np.linalg.inv(sigma), d)
    value -= 0.5 * np.linalg.slogdet(2 * np.pi * sigma)[1]
    top = value.max()
    weight = np.exp(value - top)
    step = t[1] - t[0]
    evidence = top + np.log(weight.sum() * step**2) + np.log(low[0, 0] * low[1, 1])
    weight /= weight.sum()
    moments = np.einsum("ij,ijk->k", weight, theta)
    spread = np.sqrt(np.einsum("ij,ijk->k", weight, (theta - moments) ** 2))
    # the first coefficient is constant along the second grid axis, so its marginal CDF is a cumulative sum
    first = np.cumsum(weight.sum(axis=1)) - 0.5 * weight.sum(axis=1)
    return lambda v: np.interp(v, theta[:, 0, 0], first), moments, spread, evidence


def _two(rng, name, n=15):
    x = np.column_stack([np.ones(n), rng.normal(size=n)])
    offset, weights = 0.3 * rng.normal(size=n), rng.integers(1, 4, n).astype(float)
    y = response(rng, name, x @ [0.3, -0.8] + offset, weights)
    return y, x, offset, weights, np.array([0.1, -0.2]), np.array([[4.0, 1.0], [1.0, 2.0]])


@pytest.mark.parametrize(("name", "link"), LINKS)
def test_draws_and_evidence_against_quadrature(rng, name, link):
    data = _two(rng, name)
    status, draws, iters, _, log_mass, candidates = _draw(rng, 20_000, name, link, *data)
    assert status == OK
    cdf, mean, sd, evidence = _quadrature(name, link, draws, *data)
    assert_cdf(draws[:, 0], cdf, f"{name} {link}")
    assert_mean(draws, mean)
    assert_sd(draws, sd)
    assert candidates == iters.sum()
    rate = len(draws) / candidates
    se = np.sqrt((1 - rate) / len(draws)) + 1e-6
    assert abs(log_mass + np.log(rate) - evidence) < 4.5 * se


def test_planted_faults_are_seen(rng):
    """Log acceptance halved; a prior's covariance transposed into its square root: both fail the same checks."""
    y, x, offset, weights, mu, sigma = _two(rng, "binomial")
    draws = _draw(rng, 20_000, "binomial", "logit", y, x, offset, weights, mu, sigma)[1]
    cdf, _, _, _ = _quadrature("binomial", "logit", draws, y, x, offset, weights, mu, sigma)
    wrong = _draw(rng, 20_000, "binomial", "logit", y, x, offset, weights, mu, np.diag([1.0, 4.0]))[1]
    with pytest.raises(AssertionError):
        assert_cdf(wrong[:, 0], cdf)
    fam = kernel("binomial", "logit")
    data, centre, transform, _, _ = standardise(fam, y, x, offset, weights, mu, np.linalg.cholesky(sigma))
    grid = new_grid(np.array([1, 1]))
    build(fam, data, grid)
    unthinned = np.empty((20_000, 2))
    for z in unthinned:
        grid_candidate(rng, data, grid, 1, z)
    with pytest.raises(AssertionError):
        assert_cdf((centre + unthinned @ transform.T)[:, 0], cdf)


MENARCHE_TRUTH = {  # quadrature: mode, means, standard deviations under the default Zellner-type prior
    "logit": ([-0.00713339348, 1.61586970600], [-0.00720687197, 1.61967013494], [0.0625690580, 0.0579995339]),
    "probit": ([-0.01464420412, 0.89882735197], [-0.01476214697, 0.90017850669], [0.0347640181, 0.0290847789]),
    "cloglog": ([-0.59108848754, 0.94511396475], [-0.59234487348, 0.94604604575], [0.0413890474, 0.0283537654]),
}


@pytest.mark.parametrize("link", MENARCHE_TRUTH)
def test_menarche(rng, link):
    age, girls, reached = MENARCHE.T
    x, y = np.column_stack([np.ones(25), age - 13.0]), reached / girls
    fam = kernel("binomial", link)
    zero, e = np.zeros(25), np.empty((3, 25))
    flat = find_mode(fam, x, y, girls, zero, np.zeros(2), np.zeros((2, 2)), *e)[0]
    null = find_mode(fam, x[:, :1].copy(), y, girls, zero, np.zeros(1), np.zeros((1, 1)), *e)
    family = families.get("binomial", link)
    fitted = np.clip(family.linkinv(x @ flat), 1e-12, 1 - 1e-12)
    expected = girls * family.mu_eta(x @ flat) ** 2 / family.variance(fitted)
    sigma = 99.0 * np.linalg.inv(x.T @ (expected[:, None] * x))
    mu = np.array([null[0][0], 0.0])
    status, draws, iters, mode, _, _ = _draw(rng, 20_000, "binomial", link, y, x, zero, girls, mu, sigma)
    assert status == OK
    assert iters.mean() < 1.06
    truth = MENARCHE_TRUTH[link]
    # the prior of the reference comes from an unconverged fit: 1e-4 of it moves the mode by far less than this
    np.testing.assert_allclose(mode, truth[0], atol=3e-6)
    assert_mean(draws, truth[1])
    assert_sd(draws, truth[2])


def _hostile(rng):
    """(label, name, y, x, offset, weights, mu, sigma): two to four coefficients."""
    n = 40
    ones, z = np.ones(n), rng.normal(size=n)
    x = np.column_stack([ones, z])
    zero = np.zeros(n)
    spike = z.copy()
    spike[0] = 1e3
    near = np.column_stack([ones, z, z + 1e-7 * rng.normal(size=n)])
    wide = rng.normal(size=(2, 4))
    two, four = 25.0 * np.eye(2), 9.0 * np.eye(4)
    return [
        ("separated", "binomial", 1.0 * (z > 0), x, zero, ones, np.zeros(2), two),
        ("all successes", "binomial", ones, x, zero, ones, np.zeros(2), two),
        ("leverage", "binomial", 1.0 * (z > 0.4), np.column_stack([ones, spike]), zero, ones, np.zeros(2), two),
        ("collinear", "binomial", 1.0 * (rng.random(n) < 0.5), near, zero, ones, np.zeros(3), 25 * np.eye(3)),
        ("fewer rows than columns", "binomial", np.array([0.0, 1.0]), wide, zero[:2], ones[:2], np.zeros(4), four),
        ("one row", "poisson", np.array([3.0]), wide[:1], zero[:1], ones[:1], np.zeros(4), four),
        ("all zeros", "poisson", zero, x, zero, ones, np.zeros(2), two),
        ("counts of a million", "poisson", 1e6 + 1e3 * np.round(z), x, zero, ones, np.zeros(2), 1e4 * np.eye(2)),
        ("weights of all sizes", "poisson", np.round(np.exp(z)), x, zero, 10 ** np.linspace(-6, 6, n), 0 * two[0], two),
        ("offsets of 20", "poisson", np.round(np.exp(z)), x, 20.0 * np.sign(z), ones, np.zeros(2), 1e3 * np.eye(2)),
        ("prior far away", "binomial", 1.0 * (z > 0), x, zero, ones, np.array([30.0, -30.0]), np.eye(2)),
        ("gamma", "gamma", np.exp(3 * z), x, zero, 10.0 ** np.linspace(-2, 2, n), np.zeros(2), two),
    ]  # fmt: skip


def _axis_cells(grid, z):
    cell = 0
    for k in range(len(z)):
        m = grid.count[k]
        cell = cell * m + min(int(np.searchsorted(grid.cut[k, 1:m], z[k], side="right")), m - 1)
    return cell


@pytest.mark.parametrize("link", ["logit", "probit", "cloglog"])
def test_no_candidate_above_the_envelope(rng, link):
    """Dominance maximised numerically from 100 starts per data set, besides the guard on every candidate drawn."""
    checked = 0
    for label, name, y, x, offset, weights, mu, sigma in _hostile(rng):
        if name != "binomial" and link != "logit":
            continue
        fam = families.get(name, link if name == "binomial" else None).kernel
        data, _, _, _, status = standardise(fam, y, x, offset, weights, mu, np.linalg.cholesky(sigma))
        assert status == 0, label
        p = x.shape[1]
        grid = new_grid(np.full(p, 3))
        build(fam, data, grid)
        sd = 1 / np.sqrt(1 + data.curvature)

        def excess(u, fam=fam, data=data, grid=grid, sd=sd):
            z = u * sd
            j = _axis_cells(grid, z)
            return max(standardised_fall(fam, data, z) - grid.constant[j] - grid.slope[j] @ z, -1e9)

        starts = rng.normal(size=(100, p)) * 10.0 ** rng.uniform(-4, 0.7, (100, 1))
        for u in starts:
            best = optimize.minimize(lambda v: -excess(v), u, method="Nelder-Mead", options={"maxfev": 25})
            assert -best.fun <= 1e-9, (label, best.x)
        out, iters = np.empty((2_000, p)), np.empty(2_000, np.int64)
        status, done, candidates = grid_draws(rng, fam, data, grid, 1e6, out, iters)
        assert (status, done) == (OK, 2_000), label
        checked += candidates
    assert checked > 10_000 if link != "logit" else checked > 25_000


@pytest.mark.parametrize(("name", "y", "trials", "limit"), [("binomial", 1.0, 30.0, 1.16), ("poisson", 0.0, 1.0, 1.20)])
def test_candidates_where_the_papers_cut_fails(rng, name, y, trials, limit):
    """30 successes of 30, and a single Poisson zero, prior sd 10: three tangents, cut where they meet."""
    fam = kernel(name, "logit" if name == "binomial" else "log")
    one = np.ones((1, 1))
    data = standardise(fam, np.array([y]), one, np.zeros(1), np.array([trials]), np.zeros(1), 10.0 * one)[0]
    grid = new_grid(np.array([3]))
    build(fam, data, grid)
    out, iters = np.empty((20_000, 1)), np.empty(20_000, np.int64)
    _, done, candidates = grid_draws(rng, fam, data, grid, 1e6, out, iters)
    assert done == 20_000
    assert candidates / done < limit


def test_candidates_for_a_quadratic_log_likelihood(rng):
    """The cost model of the chooser against what is observed, for 1 to 9 tangents."""
    one = np.ones((1, 1))
    for precision in (0.5, 4.0, 1e3):
        weights = np.array([precision])
        fam = kernel("gaussian", "identity")
        data = standardise(fam, np.array([0.7]), one, np.zeros(1), weights, np.zeros(1), one)[0]
        for m in (1, 3, 5, 7, 9):
            grid = new_grid(np.array([m]))
            log_mass = build(fam, data, grid)
            truth = 0.5 * np.log(2 * np.pi / (1 + precision))
            ratio = np.exp(log_mass - truth)
            assert ratio >= 1.0 - 1e-12
            assert abs(ratio - quadratic_candidates(m, precision)) < (1e-6 if m == 1 else 0.012)


def test_chooser_respects_the_cap():
    for p in (1, 4, 10, 30):
        count = np.empty(p, np.int64)
        cells, expected = choose_counts(np.full(p, 1e3), 100, 10_000, count)
        assert cells == np.prod(count.astype(float)) <= MAX_CELLS
        assert expected >= 1.0
        assert set(count) <= {1, 3, 5, 7, 9}


def test_poor_acceptance_is_reported_not_suffered(rng):
    y, x, offset, weights, mu, sigma = _two(rng, "binomial")
    assert _draw(rng, 10_000, "binomial", "logit", y, x, offset, weights, mu, sigma, patience=0.9)[0] == POOR


def test_missing_values_give_a_status(rng):
    for k in range(4):
        data = list(_two(rng, "poisson"))
        data[k] = data[k].copy()
        data[k].flat[0] = np.nan
        status = _draw(rng, 1, "poisson", "log", *data)[0]
        assert status != OK


def test_simulation_based_calibration(rng):
    """2,000 logistic regressions with two coefficients, 19 draws each, in one block call."""
    replications, draws, rows = 2_000, 19, 6
    low = np.array([[[1.5, 0.0], [0.4, 1.0]]])
    mu = rng.normal(size=(replications, 2))
    truth = mu + rng.normal(size=(replications, 2)) @ low[0].T
    x = np.stack([np.ones((replications, rows)), rng.normal(size=(replications, rows))], axis=-1)
    trials = rng.integers(1, 5, (replications, rows)).astype(float)
    y = response(rng, "binomial", np.einsum("jik,jk->ji", x, truth), trials)
    out = np.empty((replications, draws, 2))
    status, _ = draw_blocks_small(
        rng, kernel("binomial", "logit"), y.ravel(), x.reshape(-1, 2), np.zeros(y.size), trials.ravel(),
        rows * np.arange(replications + 1), mu, low, out, np.empty((replications, draws), np.int64),
        np.empty((replications, 2)),
    )  # fmt: skip
    assert status == OK
    for k in range(2):
        assert_uniform_ranks((out[:, :, k] < truth[:, None, k]).sum(axis=1), draws + 1, f"coefficient {k}")
    with pytest.raises(AssertionError):
        assert_uniform_ranks((out[:, :, 0] + 0.25 < truth[:, None, 0]).sum(axis=1), draws + 1)


def test_python_and_compiled_agree(rng):
    y, x, offset, weights, mu, sigma = _two(rng, "binomial", 6)
    args = (kernel("binomial", "logit"), y, x, offset, weights, mu, np.linalg.cholesky(sigma))
    a = draw_glm(np.random.default_rng(4), *args)
    b = getattr(draw_glm, "py_func", draw_glm)(np.random.default_rng(4), *args)
    np.testing.assert_allclose(a[0], b[0], rtol=1e-9)


SCRIPT = """
import numpy as np
from numba import njit
from glmbayes import families
from glmbayes.kernels import draw_glm, draw_glm_1d

@njit(cache=True)
def sweep(rng, fam, y, x, none, offset, weights, mu, low, m):
    total = 0.0
    for _ in range(m):
        beta, status = draw_glm(rng, fam, y, x, offset, weights, mu, low)
        theta, status_1 = draw_glm_1d(rng, fam, y, x[:, 0].copy(), none, none, 0.0, 4.0)
        total += beta[0] + beta[1] + theta
        if status != 0 or status_1 != 0:
            return np.nan
    return total

fam = families.get("poisson").kernel
x = np.column_stack([np.ones(5), np.arange(5.0)])
print(sweep(np.random.default_rng(3), fam, np.array([1.0, 2, 2, 5, 6]), x, np.empty(0), np.zeros(5), np.ones(5),
            np.zeros(2), np.eye(2), 50))
"""


def test_users_script_in_a_new_process_twice(tmp_path):
    script = tmp_path / "gibbs.py"
    script.write_text(SCRIPT)
    printed = [subprocess.run([sys.executable, script], capture_output=True, text=True, check=True) for _ in range(2)]
    assert printed[0].stdout == printed[1].stdout
    assert np.isfinite(float(printed[0].stdout))
