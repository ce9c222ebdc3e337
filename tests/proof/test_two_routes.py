"""The same posterior by two routes, and simulation-based calibration of every prior."""

import numpy as np
import pytest
from scipy import stats

from glmbayes import (
    dExponential,
    dGamma,
    dHalfCauchy,
    dHalfNormal,
    dHalfT,
    dIndependent_Normal,
    dIndependent_Normal_Gamma,
    dNormal,
    dNormal_Gamma,
    dUniform,
    rlmb,
    rlmb_blocks,
)
from tests.oracles import P_BOUND, assert_uniform_ranks


def data(rng, n, p):
    x = np.column_stack([np.ones(n), rng.standard_normal((n, p - 1))])
    return x @ np.linspace(1.0, -1.0, p) + 0.7 * rng.standard_normal(n), x


@pytest.mark.parametrize(("n", "p"), [(6, 2), (40, 4), (5, 7)])
def test_independent_normal_gamma_against_gibbs(n, p, rng):
    """Exact draws and a two-block Gibbs sampler of the same posterior, by batch means of the sampler."""
    y, x = data(rng, n, p)
    mu, Sigma, shape, rate = np.zeros(p), 4.0 * np.eye(p), 2.0, 1.0
    exact = rlmb(50_000, y, x, dIndependent_Normal_Gamma(mu, Sigma, shape, rate), rng=rng)
    phi, sweeps = 1.0, 20_000
    chain = np.empty((sweeps, p + 1))
    for i in range(sweeps):
        beta = rlmb(1, y, x, dNormal(mu, Sigma, dispersion=phi), rng=rng).coefficients[0]
        phi = rlmb(1, y, x, dGamma(shape, rate, beta=beta), rng=rng).dispersion[0]
        chain[i] = *beta, np.log(phi)
    draws = np.column_stack([exact.coefficients, np.log(exact.dispersion)])
    for power in (1, 2):
        batches = (chain**power).reshape(50, -1, p + 1).mean(axis=1)
        error = np.sqrt(batches.var(axis=0, ddof=1) / 50 + (draws**power).var(axis=0) / len(draws))
        z = (batches.mean(axis=0) - (draws**power).mean(axis=0)) / error
        # batch means of 400 sweeps: t with 49 degrees of freedom
        assert (2 * stats.t.sf(np.abs(z), 49) > P_BOUND).all(), (power, z)


PRIORS = {
    "dNormal": lambda p: dNormal(np.ones(p), np.eye(p), dispersion=0.5),
    "dNormal_Gamma": lambda p: dNormal_Gamma(np.ones(p), 2.0 * np.eye(p), 3.0, 2.0),
    "dIndependent_Normal_Gamma": lambda p: dIndependent_Normal_Gamma(np.ones(p), np.eye(p), 3.0, 2.0),
    "truncated": lambda p: dIndependent_Normal_Gamma(np.ones(p), np.eye(p), 3.0, 2.0, disp_lower=0.4, disp_upper=1.5),
    "half-normal": lambda p: dIndependent_Normal(np.ones(p), np.eye(p), sd=dHalfNormal(1.0)),
    "half-Cauchy": lambda p: dIndependent_Normal(np.ones(p), np.eye(p), sd=dHalfCauchy(1.0)),
    "half-t": lambda p: dIndependent_Normal(np.ones(p), np.eye(p), sd=dHalfT(4.0, 1.0)),
    "exponential": lambda p: dIndependent_Normal(np.ones(p), np.eye(p), sd=dExponential(1.0)),
    "uniform": lambda p: dIndependent_Normal(np.ones(p), np.eye(p), sd=dUniform(2.0)),
}
REPLICATIONS, RANKS = 1000, 100


def ranks(prior, n, p, rng, fitted=None):
    """Ranks of prior draws of (beta, dispersion) among 99 posterior draws, over 1,000 replications.

    `fitted`: the prior of the posterior draws where it is, by mistake, another one.
    """
    x = np.column_stack([np.ones(n), rng.standard_normal((n, p - 1))])
    truth = prior.sample(REPLICATIONS, rng)
    out = np.empty((REPLICATIONS, p + 1), dtype=int)
    for i in range(REPLICATIONS):
        y = x @ truth.coefficients[i] + np.sqrt(truth.dispersion[i]) * rng.standard_normal(n)
        fit = rlmb(RANKS - 1, y, x, fitted or prior, rng=rng)
        out[i, :p] = (fit.coefficients < truth.coefficients[i]).sum(axis=0)
        out[i, p] = (fit.dispersion < truth.dispersion[i]).sum()
    return out


@pytest.mark.parametrize("name", PRIORS)
@pytest.mark.parametrize(("n", "p"), [(4, 2), (2, 3)])
def test_simulation_based_calibration(name, n, p, rng):
    got = ranks(PRIORS[name](p), n, p, rng)
    columns = p if name == "dNormal" else p + 1
    for j in range(columns):
        assert_uniform_ranks(got[:, j], RANKS, f"{name}, parameter {j}")


def test_calibration_notices_a_standard_deviation_taken_for_a_variance(rng):
    prior = dNormal(np.ones(2), np.eye(2), dispersion=0.5)
    wrong = dNormal(np.ones(2), np.eye(2), dispersion=0.5**0.5)
    truth, x = prior.sample(REPLICATIONS, rng), np.column_stack([np.ones(20), rng.standard_normal(20)])
    got = np.empty(REPLICATIONS, dtype=int)
    for i in range(REPLICATIONS):
        y = x @ truth.coefficients[i] + np.sqrt(truth.dispersion[i]) * rng.standard_normal(20)
        got[i] = (rlmb(RANKS - 1, y, x, wrong, rng=rng).coefficients[:, 0] < truth.coefficients[i, 0]).sum()
    with pytest.raises(AssertionError, match="chi-square"):
        assert_uniform_ranks(got, RANKS)


def test_blocks_are_single_calls_with_the_same_normals():
    rng = np.random.default_rng(0)
    y, x = data(rng, 12, 2)
    mu = rng.standard_normal((3, 2))
    phi = np.array([0.5, 1.0, 2.0])
    blocks = rlmb_blocks(1, y, x, dNormal(mu, np.eye(2), dispersion=phi), sizes=np.array([5, 4, 3]), rng=7)
    stream = np.random.default_rng(7)
    for j, rows in enumerate((slice(0, 5), slice(5, 9), slice(9, 12))):
        one = rlmb(1, y[rows], x[rows], dNormal(mu[j], np.eye(2), dispersion=phi[j]), rng=stream)
        np.testing.assert_allclose(blocks.coefficients[0, j], one.coefficients[0], rtol=1e-12)


def test_dgamma_is_inverse_gamma(rng):
    y, x = data(rng, 10, 2)
    beta = np.array([0.9, -0.8])
    fit = rlmb(50_000, y, x, dGamma(1.5, 0.5, beta=beta), rng=rng)
    errors = np.sum((y - x @ beta) ** 2)
    law = stats.invgamma(1.5 + 5.0, scale=0.5 + 0.5 * errors)
    assert stats.kstest(fit.dispersion, law.cdf).pvalue > P_BOUND
    window = rlmb(50_000, y, x, dGamma(1.5, 0.5, beta=beta, disp_lower=0.2, disp_upper=0.5), rng=rng).dispersion
    low, high = law.cdf([0.2, 0.5])
    assert stats.kstest(window, lambda v: (law.cdf(v) - low) / (high - low)).pvalue > P_BOUND


def test_weight_two_is_a_row_written_twice():
    rng = np.random.default_rng(0)
    y, x = data(rng, 8, 2)
    w = np.array([2.0, 1, 1, 2, 1, 1, 1, 2])
    prior = dIndependent_Normal_Gamma(np.zeros(2), np.eye(2), 2.0, 1.0)
    twice = np.repeat(np.arange(8), w.astype(int))
    a = rlmb(50, y, x, prior, weights=w, rng=3)
    b = rlmb(50, y[twice], x[twice], prior, rng=3)
    np.testing.assert_allclose(a.coefficients, b.coefficients, rtol=1e-9)
    np.testing.assert_allclose(a.dispersion, b.dispersion, rtol=1e-9)
