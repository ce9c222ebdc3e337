"""The tall sampler: same posterior as quadrature and as the radial sampler, at a cost free of the number of rows."""

from dataclasses import replace

import numpy as np
import pytest

from glmbayes import families
from glmbayes.glm.posterior import build_glm_posterior
from glmbayes.glm.tall import TallSampler
from tests.glm_cases import logistic_recipe
from tests.oracles import assert_cdf
from tests.test_glm_posterior import _assert_marginals, _grid_marginals

N_DRAWS = 20_000
LINKS = {
    "logit": ("binomial", "logit"),
    "probit": ("binomial", "probit"),
    "cloglog": ("binomial", "cloglog"),
    "poisson": ("poisson", None),
    "gamma": ("gamma", None),
}


def _grouped(name, rng, repeats=150):
    """Six covariate patterns, each repeated: cheap to integrate, long enough for checks to happen often."""
    family = families.get(*LINKS[name])
    X = np.array([[1.0, -1.5], [1.0, -0.5], [1.0, 0.2], [1.0, 0.9], [1.0, 1.4], [1.0, 2.5]])
    rows = np.repeat(X, repeats, axis=0)
    mu = family.linkinv(rows @ [-0.4, 0.5])
    y = family.random(rng, mu, np.ones(len(rows)), 1.0)
    tall = dict(  # noqa: C408
        y=y,
        X=rows,
        offset=np.zeros(len(rows)),
        weights=np.ones(len(rows)),
        family=family,
        mu=np.zeros(2),
        precision=0.3 * np.eye(2),
    )
    return tall


def _tall_posterior(case):
    post = build_glm_posterior(**case, sampler="tall")
    assert isinstance(post.sampler, TallSampler)
    return post


@pytest.mark.parametrize("name", LINKS)
def test_against_quadrature(name, rng):
    case = _grouped(name, rng)
    post = _tall_posterior(case)
    want, marginals = _grid_marginals(case, post, points=220, reach=8.0)
    _assert_marginals(post.draw(N_DRAWS, rng).coefficients, marginals, name)
    value, se = post.log_evidence(rng)
    assert abs(value - want) < 4.5 * se + 1e-4


@pytest.mark.parametrize("fault", ["no checks", "row bounds too small"])
def test_planted_faults_are_seen(fault, rng):
    """Six rows of weight 4, where the fourth order matters."""
    case = _grouped("poisson", rng, repeats=1)
    case["weights"] = np.full(6, 4.0)
    post = _tall_posterior(case)
    _, marginals = _grid_marginals(case, post, points=500, reach=9.0)
    _assert_marginals(post.draw(5 * N_DRAWS, rng).coefficients, marginals)
    checks = post.sampler.checks
    if fault == "no checks":
        wrong = checks._replace(total_growing=0.0)
    else:
        wrong = checks._replace(growing=0.05 * checks.growing, total_growing=0.05 * checks.total_growing)
    broken = replace(post, estimates=(replace(post.estimates[0], sampler=replace(post.sampler, checks=wrong)),))
    with pytest.raises(AssertionError):
        _assert_marginals(broken.draw(5 * N_DRAWS, rng).coefficients, marginals)


def test_agrees_with_radial_at_ten_coefficients(rng):
    case = logistic_recipe(rng, 30_000, 10)
    post = _tall_posterior(case)
    radial = replace(post, estimates=(replace(post.estimates[0], sampler=post.sampler.radial),))
    a = post.draw(N_DRAWS, rng).coefficients
    b = radial.draw(N_DRAWS, rng).coefficients
    se = np.sqrt(2.0 / N_DRAWS) * b.std(axis=0)
    assert np.all(np.abs(a.mean(axis=0) - b.mean(axis=0)) < 4.5 * se)
    assert np.all(np.abs(a.std(axis=0) - b.std(axis=0)) < 4.5 * se)
    radius = [np.linalg.norm(np.linalg.solve(post.white.unwhiten, (d - post.mode).T), axis=0) for d in (a, b)]
    grid = np.sort(radius[1])
    assert_cdf(radius[0][:5000], lambda t: np.searchsorted(grid, t) / len(grid))
    values = [p.log_evidence(rng) for p in (post, radial)]
    assert abs(values[0][0] - values[1][0]) < 4.5 * np.hypot(values[0][1], values[1][1])


def test_draws_depend_on_the_seed_only(monkeypatch, rng):
    from glmbayes.glm import posterior

    post = _tall_posterior(_grouped("logit", rng))
    first = post.draw(5000, 3).coefficients
    monkeypatch.setattr(posterior, "_BATCH", 61)
    np.testing.assert_array_equal(post.draw(5000, 3).coefficients, first)


def test_chosen_for_tall_data(rng):
    case = logistic_recipe(rng, 60_000, 5)
    post = build_glm_posterior(**case)
    assert post.sampler.name == "tall"
    assert {e.name for e in post.estimates} >= {"tall"}
    assert len(post.estimates) == 2
    draws = post.draw(N_DRAWS, rng)
    assert draws.candidates.mean() == pytest.approx(post.estimates[0].candidates, rel=0.1)
