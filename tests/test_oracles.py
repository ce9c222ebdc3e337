"""The statistical assertions themselves: they pass what is right and fail on planted faults of one to five per cent.

Each fault is one that a sampler could have: a wrong scale, a wrong number of degrees of freedom, a factor of the
density forgotten, a dependence lost, a prior other than the one that made the data.
"""

import math

import numpy as np
import pytest
from scipy import stats

from glmbayes import dIndependent_Normal_Gamma, dNormal, dNormal_Gamma, rlmb, rlmb_blocks
from glmbayes.rlmb import Draws
from tests.dense import Dense, log_gamma_prior
from tests.oracles import assert_cdf, assert_mean, assert_sd, assert_uniform_ranks, cdf_from_log_density
from tests.proof.test_two_routes import PRIORS, RANKS, ranks
from tests.test_rlmb import assert_beta, assert_posterior, covariance, regression

N = 400_000
FAILS = pytest.raises(AssertionError)

# --- the assertions of tests/oracles.py on a t distribution ---------------------------------------------------------

DF = 7.0
LAW = stats.t(DF)
ORACLES = {
    "mean": lambda draws: assert_mean(draws, 0.0),
    "mean square": lambda draws: assert_mean(draws**2, LAW.var()),
    "sd": lambda draws: assert_sd(draws, LAW.std()),
    "closed form": lambda draws: assert_cdf(draws, LAW.cdf),
    "quadrature": lambda draws: assert_cdf(
        draws, cdf_from_log_density(lambda v: -0.5 * (DF + 1) * np.log1p(v * v / DF), np.linspace(-90, 90, 200_001))
    ),
    "ranks": lambda draws: assert_uniform_ranks((100 * LAW.cdf(draws)).astype(int), 100),
}
FAULTS = {
    "shifted by 2 % of an sd": (lambda t, rng: t + 0.02, {"mean", "closed form", "quadrature", "ranks"}),
    "scale 2 % too large": (lambda t, rng: 1.02 * t, {"mean square", "sd", "closed form", "quadrature", "ranks"}),
    "one degree of freedom too many": (  # the shapes differ by too little for the other tests
        lambda t, rng: rng.standard_t(DF + 1, t.size), {"mean square", "sd"},
    ),
    "1 % of draws repeated far out": (
        lambda t, rng: np.where(rng.random(t.size) < 0.01, 4.0, t), {"mean", "mean square", "sd", "closed form",
                                                                    "quadrature", "ranks"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("oracle", ORACLES)
def test_right_draws_pass(oracle, rng):
    ORACLES[oracle](rng.standard_t(DF, N))


@pytest.mark.parametrize("fault", FAULTS)
def test_wrong_draws_fail(fault, rng):
    change, notice = FAULTS[fault]
    draws = change(rng.standard_t(DF, N), rng)
    for oracle in notice:
        with FAILS:
            ORACLES[oracle](draws)


def test_columns_are_judged_one_by_one(rng):
    draws = rng.standard_normal((N, 3))
    assert_mean(draws, np.zeros(3))
    with FAILS:
        assert_mean(draws, np.array([0.0, 0.02, 0.0]))
    draws[:, 2] *= 1.02
    with FAILS:
        assert_sd(draws, np.ones(3))


# --- beta and dispersion against dense algebra ----------------------------------------------------------------------

SHAPE, RATE = 2.0, 1.5


def given(y, x, mu, Sigma, phi, rng, stretch=1.0):
    """Draws of beta given dispersions `phi`."""
    u = 1.0 / phi[:, None, None]
    prior = np.linalg.inv(Sigma)
    precision = u * (x.T @ x) + prior
    mean = np.linalg.solve(precision, (u[:, :, 0] * (x.T @ y) + prior @ mu)[:, :, None])
    z = stretch * rng.standard_normal((phi.size, x.shape[1], 1))
    return (mean + np.linalg.solve(np.linalg.cholesky(precision).transpose(0, 2, 1), z))[:, :, 0]


def weighted(fit, weight, rng):
    """Draws as from a density that is wrong by the factor `weight`."""
    some = rng.choice(weight.size, 30_000, p=weight / weight.sum())
    return fit.coefficients[some], fit.dispersion[some]


def determinant(y, x, mu, Sigma, phi):
    """Of the posterior precision of beta given the dispersion, relative to the prior's, to the power 1/2."""
    low = np.linalg.cholesky(Sigma)
    return np.sqrt((1.0 + np.linalg.eigvalsh(low.T @ x.T @ x @ low) / phi[:, None]).prod(axis=1))


WRONG = {
    "determinant forgotten": lambda q, fit, rng: weighted(fit, determinant(*q, fit.dispersion), rng),
    "half an observation too many": lambda q, fit, rng: weighted(fit, fit.dispersion**-0.25, rng),
    "a prior rate 10 % too large": lambda q, fit, rng: weighted(fit, np.exp(-0.1 * RATE / fit.dispersion), rng),
    "precision for dispersion": lambda q, fit, rng: (fit.coefficients, 1.0 / fit.dispersion),
    "coefficients 2 % too far out": lambda q, fit, rng: (given(*q, fit.dispersion, rng, 1.02), fit.dispersion),
    "sd for variance": lambda q, fit, rng: (given(*q, np.sqrt(fit.dispersion), rng), fit.dispersion),
    "precision for covariance": lambda q, fit, rng: (
        given(*q[:3], np.linalg.inv(q[3]), fit.dispersion, rng), fit.dispersion
    ),
    "coefficients of another dispersion": lambda q, fit, rng: (fit.coefficients, rng.permutation(fit.dispersion)),
}  # fmt: skip


@pytest.mark.parametrize("fault", [None, *WRONG])
def test_a_posterior_and_its_faults(fault, rng):
    y, x = regression(rng, 9, 2)
    mu, Sigma = rng.standard_normal(2), covariance(rng, 2)
    q, dense = (y, x, mu, Sigma), Dense(y, x, mu, Sigma, log_gamma_prior(SHAPE, RATE))
    fit = rlmb(100_000, y, x, dIndependent_Normal_Gamma(mu, Sigma, SHAPE, RATE), rng=rng)
    if fault is None:
        assert_posterior(fit, dense)
        assert_posterior(replaced(fit, given(*q, fit.dispersion, rng), fit.dispersion), dense)  # the faults' own tool
        return
    with FAILS:
        assert_posterior(replaced(fit, *WRONG[fault](q, fit, rng)), dense)


def replaced(fit, coefficients, dispersion):
    return Draws(coefficients, dispersion, fit.coef_mode, fit.iters, fit.prior)


def test_a_neighbours_block_is_noticed(rng):
    y, x = regression(rng, 12, 2)
    fit = rlmb_blocks(50_000, y, x, dNormal(np.zeros(2), np.eye(2), 0.7), sizes=[6, 6], rng=rng)
    t = np.full(50_000, -math.log(0.7))
    for mine, theirs in ((0, 1), (1, 0)):
        rows = slice(6 * mine, 6 * mine + 6)
        dense = Dense(y[rows], x[rows], np.zeros(2), np.eye(2), None)
        one = Draws(fit.coefficients[:, mine], fit.dispersion[:, mine], None, None, None)
        other = Draws(fit.coefficients[:, theirs], fit.dispersion[:, theirs], None, None, None)
        assert_beta(one, dense, t)
        with FAILS:
            assert_beta(other, dense, t)


# --- simulation-based calibration -------------------------------------------------------------------------------------

ONES, EYE = np.ones(2), np.eye(2)
MISTAKEN = {
    "half the prior variance": ("dNormal", dNormal(ONES, 0.5 * EYE, dispersion=0.5)),
    "a prior mean of zero": ("dNormal", dNormal(0.0 * ONES, EYE, dispersion=0.5)),
    "sds for variances": ("dNormal_Gamma", dNormal_Gamma(ONES, 2.0**0.5 * EYE, 3.0, 2.0**0.5)),
    "n/2 forgotten": ("dIndependent_Normal_Gamma", dIndependent_Normal_Gamma(ONES, EYE, 1.0, 2.0)),
    "scale for rate": ("dIndependent_Normal_Gamma", dIndependent_Normal_Gamma(ONES, EYE, 3.0, 0.5)),
    "a truncation not asked for": (
        "dIndependent_Normal_Gamma", dIndependent_Normal_Gamma(ONES, EYE, 3.0, 2.0, disp_upper=1.5)
    ),
    "the coefficients' prior in units of the dispersion": (
        "dIndependent_Normal_Gamma", dNormal_Gamma(ONES, 3.0 * EYE, 3.0, 2.0)
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKEN)
def test_calibration_notices_the_wrong_prior(mistake, rng):
    name, wrong = MISTAKEN[mistake]
    got = ranks(PRIORS[name](2), 1, 2, rng, fitted=wrong)
    with FAILS:
        for j in range(got.shape[1] - (name == "dNormal")):
            assert_uniform_ranks(got[:, j], RANKS)
