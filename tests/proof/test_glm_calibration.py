"""Simulation-based calibration of every family, link and exact sampler, and Geweke's test of Gamma regressions."""

import numpy as np
import pytest
from numba import njit

from glmbayes import dGamma, dNormal, families, kernels, rglmb
from tests.oracles import Z_BOUND, assert_uniform_ranks

FAMILIES = ("binomial(logit)", "binomial(probit)", "binomial(cloglog)", "poisson(log)", "Gamma(log)")
RANKS = 20
PHI = 0.5  # dispersion of the Gamma family


def ranks(name, sampler, replications, rows, rng, fault=lambda draws: draws):
    """Ranks (replications, 2) of prior draws among posterior draws; design, offset, weights and prior mean vary."""
    family = families.get(name)
    prior_sd = 0.8
    out = np.empty((replications, 2), dtype=int)
    for k in range(replications):
        if k % 50 == 0:  # designs are free to vary; a new one each time would only cost
            x = np.column_stack([np.ones(rows), rng.normal(size=rows)])
            offset = rng.normal(scale=0.3, size=rows)
            # whole weights: numbers of trials, or the shape of Gamma responses over 1 / PHI; 1 for counts
            weights = np.ones(rows) if name == "poisson(log)" else rng.integers(1, 6, rows).astype(float)
        mu = rng.normal(scale=0.5, size=2)
        prior = dNormal(mu, prior_sd**2 * np.eye(2), PHI if family.has_dispersion else None)
        truth = mu + prior_sd * rng.standard_normal(2)
        y = family.random(rng, family.linkinv(x @ truth + offset), weights, PHI)
        fit = rglmb(RANKS - 1, y, x, family, prior, offset=offset, weights=weights, sampler=sampler, rng=rng)
        out[k] = (fault(fit.coefficients) < truth).sum(axis=0)
    return out


# replications, rows, families; the tall sampler needs many rows
SAMPLERS = {
    "grid": (4000, 6, FAMILIES),
    "radial": (2000, 6, FAMILIES),
    "tall": (1000, 150, (FAMILIES[0], *FAMILIES[3:])),
}


@pytest.mark.parametrize(("sampler", "name"), [(key, name) for key, value in SAMPLERS.items() for name in value[2]])
def test_simulation_based_calibration(sampler, name, rng):
    got = ranks(name, sampler, *SAMPLERS[sampler][:2], rng)
    for j in range(2):
        assert_uniform_ranks(got[:, j], RANKS, f"{name}, {sampler}, coefficient {j}")


@pytest.mark.parametrize("fault", ["shifted by a fifth of a prior sd", "a quarter too wide"])
def test_calibration_sees_a_planted_fault(fault, rng):
    def wrong(draws):
        return draws + 0.16 if fault[0] == "s" else draws.mean(axis=0) + 1.25 * (draws - draws.mean(axis=0))

    got = ranks("binomial(logit)", "grid", 4000, 6, rng, wrong)
    with pytest.raises(AssertionError):
        assert_uniform_ranks(got[:, 0], RANKS)


X = np.column_stack([np.ones(3), [-1.0, 0.2, 1.1]])
WEIGHTS = np.array([1.0, 2.0, 1.0])
MU, SIGMA, SHAPE, RATE = np.array([0.3, -0.2]), np.array([[0.5, 0.1], [0.1, 0.4]]), 8.0, 4.0


def cycles_with_calls(rng, cycles):
    """Draws of (beta, log dispersion) when parameters given data and data given parameters are drawn in turn.

    Their joint distribution has the prior as its margin (Geweke 2004, JASA 99, 799-804).
    """
    beta, phi = rng.multivariate_normal(MU, SIGMA), 1.0 / rng.gamma(SHAPE, 1.0 / RATE)
    out = np.empty((cycles, 3))
    for k in range(cycles):
        y = np.maximum(rng.gamma(WEIGHTS / phi, phi / WEIGHTS * np.exp(X @ beta)), 1e-250)
        beta = rglmb(1, y, X, "Gamma", dNormal(MU, SIGMA, phi), weights=WEIGHTS, rng=rng).coefficients[0]
        phi = rglmb(1, y, X, "Gamma", dGamma(SHAPE, RATE, beta=beta), weights=WEIGHTS, rng=rng).dispersion[0]
        out[k] = *beta, np.log(phi)
    return out


@njit
def cycles_compiled(rng, family, cycles, x, weights, mu, low, shape, rate):
    """The same with the kernels."""
    beta, phi, offset = mu.copy(), 0.5, np.zeros(3)
    out = np.empty((cycles, 3))
    y = np.empty(3)
    for k in range(cycles):
        mean = np.exp(x @ beta)
        for i in range(3):
            y[i] = max(phi / weights[i] * mean[i] * rng.standard_gamma(weights[i] / phi), 1e-250)
        beta, status = kernels.draw_glm(rng, family, y, x, offset, weights / phi, mu, low)
        phi, status_phi = kernels.draw_gamma_dispersion(rng, y, np.exp(x @ beta), weights, shape, rate)
        if status != 0 or status_phi != 0:
            out[:] = np.nan
            break
        out[k, :2] = beta
        out[k, 2] = np.log(phi)
    return out


def geweke_scores(chain, rng):
    """Standardised differences of means, squares and products from those of the prior."""

    def functions(draws):
        return np.column_stack([draws, draws**2, draws[:, 0] * draws[:, 1], draws[:, 0] * draws[:, 2]])

    prior = rng.multivariate_normal(MU, SIGMA, 400_000), -np.log(rng.gamma(SHAPE, 1.0 / RATE, 400_000))
    ours, theirs = functions(chain), functions(np.column_stack(prior))
    batches = ours.reshape(100, -1, ours.shape[1]).mean(axis=1)
    error = np.sqrt(batches.var(axis=0, ddof=1) / 100 + theirs.var(axis=0) / len(theirs))
    return (batches.mean(axis=0) - theirs.mean(axis=0)) / error


def test_gamma_blocks_by_geweke(rng):
    scores = geweke_scores(cycles_with_calls(rng, 6000), rng)
    assert np.abs(scores).max() < Z_BOUND, scores


def test_gamma_kernels_by_geweke(rng):
    family, low = families.gamma().kernel, np.linalg.cholesky(SIGMA)

    def scores(low, shape):
        return geweke_scores(cycles_compiled(rng, family, 50_000, X, WEIGHTS, MU, low, shape, RATE), rng)

    right = scores(low, SHAPE)
    assert np.abs(right).max() < Z_BOUND, right
    for wrong in ((low, 0.95 * SHAPE), (1.05 * low, SHAPE)):  # prior shape, or prior sd, off by 5 %
        assert np.abs(scores(*wrong)).max() > Z_BOUND, wrong
