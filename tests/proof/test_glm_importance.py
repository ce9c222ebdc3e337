"""Posteriors of 12 to 50 coefficients against importance sampling, for every family and link."""

import numpy as np
import pytest

from glmbayes import families
from glmbayes.glm.posterior import build_glm_posterior
from tests.glm_cases import logistic_recipe
from tests.oracles import Z_BOUND
from tests.test_glm_posterior import _importance

CASES = {
    "Gamma": (200, 12, 40_000),
    "binomial(probit)": (400, 16, 40_000),
    "binomial(cloglog)": (600, 12, 40_000),
    "poisson": (600, 24, 40_000),
    "binomial(logit)": (2000, 50, 15_000),
}


def problem(name, rng):
    n, p, candidates = CASES[name]
    family = families.get(name)
    case = logistic_recipe(rng, n, p)
    eta = case["X"] @ (0.3 * rng.standard_normal(p) / np.sqrt(p))
    y = family.random(rng, family.linkinv(eta), np.ones(n), 0.5)
    return case | {"family": family, "y": y, "dispersion": 0.5 if family.has_dispersion else 1.0}, candidates


def scores(draws, mean, mean_error, sd, sd_error):
    """Differences of means and standard deviations, in standard errors; the draws' from their fourth moments."""
    n = len(draws)
    square = (draws - draws.mean(axis=0)) ** 2
    own = np.sqrt(square.mean(axis=0))
    own_error = square.std(axis=0) / (2.0 * own * np.sqrt(n))
    means = (draws.mean(axis=0) - mean) / np.hypot(own / np.sqrt(n), mean_error)
    return np.concatenate([means, (own - sd) / np.hypot(own_error, sd_error)])


@pytest.mark.parametrize("name", CASES)
def test_means_and_sds(name, rng):
    case, candidates = problem(name, rng)
    posterior = build_glm_posterior(**case)
    truth = _importance(case, posterior, rng, candidates)
    got = scores(posterior.draw(6_000, rng).coefficients, *truth)
    assert np.abs(got).max() < Z_BOUND, got
    heavy = build_glm_posterior(**(case | {"weights": 1.2 * case["weights"]}))  # a fifth more data than there are
    assert np.abs(scores(heavy.draw(6_000, rng).coefficients, *truth)).max() > Z_BOUND
