"""Hoff's samplers: joint-distribution tests (Geweke 2004), sufficient statistics published numbers."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from glmbayes import GroupedDesign, InputError, dWishart, kernels
from tests.oracles import assert_cdf, assert_mean

SWEEPS = {
    "random coefficients": kernels.random_coefficients_sweep,
    "lecture": kernels.mixed_sweep,
    "joint": kernels.mixed_joint_sweep,
}


def unbalanced(rng, q=2, p=3):
    """Groups of sizes 1 to 7, one with a singular Z_j; X includes a column that is constant within groups."""
    sizes = np.array([1, 1, 2, 3, 5, 7, 4])
    group = np.repeat(np.arange(sizes.size), sizes)
    x = np.column_stack([np.ones(group.size), rng.standard_normal(group.size), rng.standard_normal(sizes.size)[group]])
    z = x[:, :q].copy()
    z[group == 3, 1] = 2.0
    return group, x[:, :p], z


def after_sweeps(rng, sweep, replicates=2500, sweeps=3, fault=lambda data: data):
    """Parameters from the prior, then `sweeps` times (data given parameters, sweep given data).

    A correct sweep leaves the joint distribution of parameters and data alone, so that every replicate is again an
    independent draw from the prior.  Returns beta, sigma2 and Psi.
    """
    group, x, z = unbalanced(rng)
    if sweep is kernels.random_coefficients_sweep:
        x = None
    p = 2 if x is None else x.shape[1]
    mean, covariance = np.array([0.5, -1.0, 0.3])[:p], np.diag([1.0, 0.5, 2.0])[:p, :p]
    Psi_prior = dWishart(6, np.array([[3.0, 0.5], [0.5, 2.0]]))
    root = np.linalg.cholesky(covariance)
    out = []
    psis = Psi_prior.sample(replicates, rng)
    for Psi in psis:
        beta = mean + root @ rng.standard_normal(p)
        sigma2 = 4.0 * 1.5 / rng.chisquare(4.0)  # nu_0 = 4, sigma2_0 = 1.5
        state = kernels.MixedState(beta, np.zeros((7, 2)), sigma2, Psi.copy())
        effects = rng.standard_normal((7, 2)) @ np.linalg.cholesky(Psi).T
        if x is None:
            effects = effects + beta
        for _ in range(sweeps):
            mu = np.einsum("ik,ik->i", z, effects[group]) + (0.0 if x is None else x @ state.beta)
            y = mu + np.sqrt(state.sigma2) * rng.standard_normal(group.size)
            design = GroupedDesign.of(y, x, z, group)
            prior = design.prior(mean, covariance, Psi_prior, 4.0, 1.5)
            state = sweep(rng, fault(design.data), prior, state)
            effects = state.effects
        out.append((state.beta.copy(), state.sigma2, state.Psi.copy()))
    beta, sigma2, Psi = (np.array(part) for part in zip(*out))
    return beta, sigma2, Psi, mean, covariance


def check(beta, sigma2, Psi, mean, covariance):
    for k in range(mean.size):
        assert_cdf(beta[:, k], stats.norm(mean[k], np.sqrt(covariance[k, k])).cdf, f"beta[{k}]")
    assert_cdf(4.0 * 1.5 / sigma2, stats.chi2(4).cdf, "sigma2")
    assert_cdf(3.0 / Psi[:, 0, 0], stats.chi2(5).cdf, "Psi[0, 0]")  # df - q + 1
    assert_cdf(2.0 / Psi[:, 1, 1], stats.chi2(5).cdf, "Psi[1, 1]")
    assert_mean(Psi[:, 0, 1] / np.sqrt(Psi[:, 0, 0] * Psi[:, 1, 1]), reference_correlation(), "correlation")


def reference_correlation():
    """Prior mean of the correlation, by a large sample whose error is far below the test's."""
    Psi = stats.invwishart(6, np.array([[3.0, 0.5], [0.5, 2.0]])).rvs(2_000_000, random_state=np.random.default_rng(5))
    return float((Psi[:, 0, 1] / np.sqrt(Psi[:, 0, 0] * Psi[:, 1, 1])).mean())


@pytest.mark.parametrize("name", SWEEPS)
def test_sweeps_leave_the_joint_distribution_alone(rng, name):
    check(*after_sweeps(rng, SWEEPS[name]))


@pytest.mark.parametrize("name", SWEEPS)
def test_a_wrong_number_of_observations_is_noticed(rng, name):
    with pytest.raises(AssertionError):
        check(*after_sweeps(rng, SWEEPS[name], fault=lambda data: data._replace(n=data.n - 3.0)))


def test_shrunken_effects_are_noticed(rng):
    def broken(generator, data, prior, state):
        state = kernels.mixed_joint_sweep(generator, data, prior, state)
        return state._replace(effects=0.7 * state.effects)

    with pytest.raises(AssertionError):
        check(*after_sweeps(rng, broken))


def test_sums_of_squares_survive_large_means(rng):
    """Means of 1e6 beside standard deviations of 1e-3: raw cross-products would lose everything."""
    from glmbayes.kernels.grouped import within_errors

    group, x, z = unbalanced(rng)
    x[:, 1] = 1e6 + 1e-3 * x[:, 1]
    z[:, 1] = x[:, 1]
    noise = 1e-3 * rng.standard_normal(group.size)
    y = 1e6 + noise
    d = GroupedDesign.of(y, x, z, group).data
    errors = within_errors(d.within, np.array([1e6, 0.0, 0.0]))
    errors += ((d.ry - d.rx @ np.array([1e6, 0.0, 0.0])) ** 2).sum()
    assert np.isclose(errors, (noise**2).sum(), rtol=1e-5)


@pytest.mark.parametrize("name", SWEEPS)
def test_statistics_and_rows_agree(rng, name):
    group, x, z = unbalanced(rng)
    y = rng.standard_normal(group.size)
    shuffled = rng.permutation(group.size)
    design = GroupedDesign.of(y[shuffled], x[shuffled], z[shuffled], group[shuffled])
    beta, effects = rng.standard_normal(3), rng.standard_normal((7, 2))
    d = design.data
    from glmbayes.kernels.grouped import within_errors

    reduced = within_errors(d.within, beta) + ((d.ry - d.rx @ beta - np.einsum("jik,jk->ji", d.rz, effects)) ** 2).sum()
    rows = np.searchsorted(np.sort(design.labels), group)
    lookup = np.empty(7, int)
    lookup[design.labels] = np.arange(7)
    direct = ((y - x @ beta - np.einsum("ik,ik->i", z, effects[lookup[rows]])) ** 2).sum()
    assert np.isclose(reduced, direct, rtol=1e-12)
    assert np.allclose(d.xtx, x.T @ x, rtol=1e-12)


@pytest.mark.parametrize("name", SWEEPS)
def test_one_group_one_column(rng, name):
    design = GroupedDesign.of(
        [1.0, 2.0, 4.0], None if name == "random coefficients" else np.ones((3, 1)), np.ones((3, 1)), [1] * 3
    )
    prior = design.prior([0.0], [[4.0]], dWishart(3, [[1.0]]), 2.0, 1.0)
    state = kernels.MixedState(np.zeros(1), np.zeros((1, 1)), 1.0, np.eye(1))
    for _ in range(50):
        state = SWEEPS[name](rng, design.data, prior, state)
        assert state.sigma2 > 0 and state.Psi[0, 0] > 0 and np.isfinite(state.beta).all()


@pytest.mark.every_mode
@pytest.mark.parametrize("name", SWEEPS)
def test_an_indefinite_covariance_gives_nan(rng, name):
    design = GroupedDesign.of(
        np.arange(4.0), None if name == "random coefficients" else np.ones((4, 1)), np.ones((4, 1)), [1, 1, 2, 2]
    )
    prior = design.prior([0.0], [[4.0]], dWishart(3, [[1.0]]), 2.0, 1.0)
    state = kernels.MixedState(np.zeros(1), np.zeros((2, 1)), 1.0, -np.eye(1))
    assert np.isnan(SWEEPS[name](rng, design.data, prior, state).sigma2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1.0, np.nan], np.ones((2, 1)), np.ones((2, 1)), [1, 2]), "y must be finite"),
        (([1.0, 2.0], np.array([[1.0], [np.inf]]), np.ones((2, 1)), [1, 2]), "x must be finite"),
        (([1.0, 2.0], np.ones((3, 1)), np.ones((2, 1)), [1, 2]), "X must have as many rows"),
        (([1.0, 2.0], np.ones((2, 1)), np.ones((2, 1)), [1.0, np.nan]), "group must not have missing labels"),
        (([1.0, 2.0], np.ones((2, 1)), np.ones((2, 1)), [1]), "group must have one label per row"),
    ],
)
def test_bad_rows_are_named(arguments, message):
    with pytest.raises(InputError, match=message):
        GroupedDesign.of(*arguments)


def test_bad_priors_are_named():
    design = GroupedDesign.of(np.arange(4.0), np.ones((4, 1)), np.ones((4, 1)), [1, 1, 2, 2])
    with pytest.raises(InputError, match="for 1 effects"):
        design.prior([0.0], [[1.0]], dWishart(3, np.eye(2)), 1, 1)
    with pytest.raises(InputError, match="beta_mean"):
        design.prior([0.0, 1.0], np.eye(2), dWishart(3, np.eye(1)), 1, 1)
    with pytest.raises(InputError, match="positive"):
        design.prior([0.0], [[1.0]], dWishart(3, np.eye(1)), 0, 1)


def extra_data(name):
    folder = os.environ.get("GLMBAYES_EXTRA_DATA")
    if folder is None or not (Path(folder) / name).exists():
        pytest.skip("needs GLMBAYES_EXTRA_DATA")
    with (Path(folder) / name).open() as file:
        return list(csv.DictReader(file))


def test_the_lecture_of_146_schools(rng):
    """P. Hoff, Duke STA 610: fixed and random effects, 2,742 students; posterior means printed after 2,000 sweeps."""
    rows = extra_data("nels_hoff_2742.csv")
    column = {name: np.array([float(row[name]) for row in rows]) for name in ("mscore", "hwh", "ses", "hflp")}
    x = np.column_stack([np.ones(len(rows)), column["hwh"], column["ses"], column["hflp"]])
    design = GroupedDesign.of(column["mscore"], x, x[:, :3].copy(), [row["group"] for row in rows])
    assert (design.m, design.sizes.sum()) == (146, 2742)
    prior, state = design.unit_information()
    draws = []
    for _ in range(6000):
        state = kernels.mixed_joint_sweep(rng, design.data, prior, state)
        draws.append((*state.beta, state.sigma2, state.Psi[0, 0]))
    draws = np.array(draws[500:])
    # the lecture's own Monte Carlo error (an effective size of some hundreds) is the larger part of these bounds
    published = np.array([50.264, 0.1036, 3.402, -3.8575, 70.387, 12.094])
    sd = np.array([0.516, 0.0566, 0.291, 0.685, 2.0, 2.5])
    assert (np.abs(draws.mean(axis=0) - published) < 4.5 * sd / np.sqrt(100)).all()
    random, _ = GroupedDesign.of(
        column["mscore"], None, x[:, :3].copy(), [row["group"] for row in rows]
    ).unit_information()
    assert np.allclose(random.beta_mean, [41.02042538, 1.42456145, 1.1171837], rtol=1e-8)  # R, the lecture's code
    assert np.isclose(random.sigma2_0, 86.73256559602713, rtol=1e-10)
