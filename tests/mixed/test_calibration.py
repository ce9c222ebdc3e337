"""Simulation-based calibration (Talts et al. 2018) of exact draws of mixed models, and what their intervals cover."""

import math

import numpy as np
import pytest

from glmbayes import dHalfT, dNormal_Gamma, dRatio, lmerb
from tests.oracles import assert_uniform_ranks

SIZES = (1, 4, 2, 3, 3, 1)
CODES = np.repeat(np.arange(len(SIZES)), SIZES)
X = np.linspace(-1.0, 1.0, CODES.size)
DRAWS = 199


def data(rng, beta, a, sd):
    y = beta[0] + beta[1] * X + a[CODES] + sd * rng.standard_normal(CODES.size)
    return {"y": y, "x": X, "g": CODES.astype(str), "se": np.broadcast_to(sd, CODES.shape).copy()}


def with_ratio(rng, scale):
    """Parameters from conjugate priors with a prior on the ratio of standard deviations, then data."""
    residual = dNormal_Gamma([0.5, -1.0], np.diag([2.0, 1.0]), 3.0, 2.0)
    drawn = residual.sample(1, rng)
    beta, sigma = drawn.coefficients[0], math.sqrt(drawn.dispersion[0])
    tau = sigma * dHalfT(4, 0.7).sample(1, rng)[0]
    a = tau * rng.standard_normal(len(SIZES))
    fit = lmerb(
        "y ~ x + (1 | g)", data(rng, beta, a, sigma), {"g": dRatio(dHalfT(4, scale)), "sigma": residual}, n=DRAWS,
        rng=rng,
    )  # fmt: skip
    draws = [*fit.draws.beta.T, fit.sigma, np.sqrt(fit.draws.covariance[0][:, 0, 0]) / fit.sigma]
    return fit, draws, [*beta, sigma, tau / sigma], a


def with_known_errors(rng, scale):
    """The same with known standard errors and a prior on the group standard deviation."""
    beta = np.array([0.5, -1.0]) + np.sqrt([2.0, 1.0]) * rng.standard_normal(2)
    tau = dHalfT(4, 0.7).sample(1, rng)[0]
    a = tau * rng.standard_normal(len(SIZES))
    sd = 0.5 + rng.random(CODES.size)
    priors = {"g": dHalfT(4, scale), "beta": ([0.5, -1.0], np.diag([2.0, 1.0]))}
    fit = lmerb("y ~ x + (1 | g)", data(rng, beta, a, sd), priors, se="se", n=DRAWS, rng=rng)
    draws = [*fit.draws.beta.T, np.sqrt(fit.draws.covariance[0][:, 0, 0])]
    return fit, draws, [*beta, tau], a


def ranks_of_truth(rng, model, replicates, scale=0.7):
    """Ranks (replicates, quantities) of fixed effects, standard deviations, two group effects and a group's mean."""
    ranks = []
    for _ in range(replicates):
        fit, draws, truth, a = model(rng, scale)
        assert fit.method == "iid"
        effects = fit.draws.effects[0][:, :, 0]
        draws = np.column_stack([*draws, effects[:, 0], effects[:, 1], draws[0] + effects[:, 2]])
        ranks.append((draws < np.array([*truth, a[0], a[1], truth[0] + a[2]])).sum(axis=0))
    return np.array(ranks)


@pytest.mark.parametrize("model", [with_ratio, with_known_errors])
def test_ranks_are_uniform_and_intervals_cover(rng, model):
    """90 % intervals reach from the 10th to the 190th of 199 draws."""
    ranks = ranks_of_truth(rng, model, 1000)
    for k in range(ranks.shape[1]):
        assert_uniform_ranks(ranks[:, k], DRAWS + 1, f"quantity {k}")
    covered = ((ranks >= 10) & (ranks < 190)).mean(axis=0)
    assert (np.abs(covered - 0.9) < 4.0 * math.sqrt(0.09 / len(ranks))).all(), covered


@pytest.mark.parametrize("model", [with_ratio, with_known_errors])
def test_half_the_prior_scale_is_noticed(rng, model):
    ranks = ranks_of_truth(rng, model, 300, scale=0.35)
    at = 3 if model is with_ratio else 2
    with pytest.raises(AssertionError):
        assert_uniform_ranks(ranks[:, at], DRAWS + 1)
