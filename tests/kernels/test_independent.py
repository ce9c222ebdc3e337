import math

import numpy as np
import pytest
from scipy import stats

from glmbayes import dExponential, dHalfCauchy, dHalfNormal, dHalfT
from glmbayes.kernels import log_precision as kernel
from glmbayes.kernels.independent import draw_given_log_precision, independent_draws, marginal_log_precision
from glmbayes.kernels.spectral import spectral_form
from tests.kernels.adversarial import log_values
from tests.kernels.problems import problem

INF = math.inf

# log density of the standard deviation, from scipy, and the library's form of the same prior
SD_PRIORS = {
    "half-normal": (stats.halfnorm(scale=1.3).logpdf, dHalfNormal(1.3).terms),
    "half-Cauchy": (stats.halfcauchy(scale=2.5).logpdf, dHalfCauchy(2.5).terms),
    "half-t": (lambda v: stats.t(4.0, scale=0.8).logpdf(v), dHalfT(4.0, 0.8).terms),
    "exponential": (stats.expon(scale=1 / 0.7).logpdf, dExponential(0.7).terms),
    "flat": (np.zeros_like, (-1.5, 0.0, 0.0, 0.0, 0.0, 1.0)),
    "gamma": (
        # density of sd when 1 / sd^2 is gamma
        lambda v: stats.gamma(2.5, scale=1 / 1.7).logpdf(v**-2) + np.log(2.0) - 3.0 * np.log(v),
        (1.5, 1.7, 0.0, 0.0, 0.0, 1.0),
    ),
}


def spectral(q):
    p = q.mu.shape[0]
    s, z, transform = np.empty(p), np.empty(p), np.empty((p, p))
    return s, z, spectral_form(q.triangle, q.mu, q.low, s, z, transform), transform


@pytest.mark.every_mode
@pytest.mark.parametrize("name", SD_PRIORS)
@pytest.mark.parametrize(("n", "p"), [(1, 1), (9, 2), (3, 5)])
def test_marginal_density_by_multivariate_normals(name, n, p, rng):
    """p(t | y) proportional to N(y; X mu, X Sigma X' + sd^2 I) p(sd) |d sd / d t|, sd = exp(-t / 2)."""
    q = problem(rng, n, p)
    log_prior, terms = SD_PRIORS[name]
    s, z, rss, _ = spectral(q)
    f = marginal_log_precision(s, z, rss, float(n), terms, -INF, INF)
    t = np.linspace(-5.0, 4.0, 31)
    sd = np.exp(-t / 2)
    cov = q.x @ q.Sigma @ q.x.T
    likelihood = [stats.multivariate_normal(q.x @ q.mu, cov + v**2 * np.eye(n)).logpdf(q.y) for v in sd]
    difference = log_values(f, t) - (likelihood + log_prior(sd) + np.log(sd / 2))
    np.testing.assert_allclose((difference - difference[0]).astype(float), 0.0, atol=1e-8)


@pytest.mark.every_mode
@pytest.mark.parametrize(("n", "p"), [(1, 1), (9, 3), (2, 5)])
def test_coefficients_given_the_precision(n, p, rng):
    q = problem(rng, n, p)
    s, z, _, transform = spectral(q)
    for t in (-3.0, 0.0, 5.0):
        precision = math.exp(t) * q.x.T @ q.x + np.linalg.inv(q.Sigma)
        mean = np.linalg.solve(precision, math.exp(t) * q.x.T @ q.y + np.linalg.solve(q.Sigma, q.mu))
        columns = [np.zeros(p), *np.eye(p)]
        for c in columns:
            draw_given_log_precision(s, z, q.mu, transform, t, c)
        np.testing.assert_allclose(columns[0], mean, rtol=1e-8)
        root = (np.array(columns[1:]) - columns[0]).T
        np.testing.assert_allclose(root @ root.T, np.linalg.inv(precision), rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize("t", [-1e4, -750.0, 750.0, 1e4])
def test_coefficients_at_absurd_precisions_are_finite(t, rng):
    q = problem(rng, 6, 2)
    s, z, _, transform = spectral(q)
    c = rng.standard_normal(2)
    draw_given_log_precision(s, z, q.mu, transform, t, c)
    assert np.isfinite(c).all()


def call(q, n, uniforms, terms=(1.0, 1.0, 0.0, 0.0, 0.0, 1.0), rng=None):
    p = q.mu.shape[0]
    draws = np.zeros((n, p)) if rng is None else rng.standard_normal((n, p))
    dispersion, iters, mode = np.empty(n), np.empty(n, np.int64), np.empty(p)
    status = independent_draws(
        q.triangle, q.mu, q.low, float(q.y.size), terms, -INF, INF, uniforms, draws, dispersion, iters, mode
    )
    return status, draws, dispersion, iters, mode


def test_more_uniforms_change_nothing_that_was_drawn(rng):
    q = problem(rng, 7, 2)
    uniforms = rng.random(300)
    status, draws, dispersion, iters, mode = call(q, 20, uniforms)
    assert status == kernel.DONE
    assert call(q, 20, uniforms[:30].copy())[0] == kernel.NEED_MORE
    again = call(q, 20, np.concatenate([uniforms, rng.random(300)]))
    for a, b in zip((draws, dispersion, iters, mode), again[1:]):
        assert (a == b).all()


def test_status_of_improper_posteriors(rng):
    q = problem(rng, 1, 1)
    flat = (-1.5, 0.0, 0.0, 0.0, 0.0, 1.0)
    assert call(q, 1, rng.random(30), flat)[0] == kernel.IMPROPER_LOW
    q = problem(rng, 9, 2, mu=np.zeros(2))
    exact = q._replace(triangle=np.triu(q.triangle))
    exact.triangle[2, 2] = 0.0
    assert call(exact, 1, rng.random(30), flat)[0] == kernel.IMPROPER_HIGH


def test_an_exact_fit_of_dependent_columns_is_improper(rng):
    """Rank 1 with two observations: only the rank counts, not a singular value that is rounding."""
    flat = (-1.5, 0.0, 0.0, 0.0, 0.0, 1.0)
    for _ in range(50):
        column = rng.standard_normal(3)
        x = np.column_stack([column, 3.0 * column])
        q = problem(rng, 3, 2, mu=np.zeros(2))
        s, z, rss, _ = spectral(type(q)(2.0 * column, x, *q[2:4], _triangle(2.0 * column, x), q.low))
        f = marginal_log_precision(s, z, rss, 3.0, flat, -INF, INF)
        assert f.b == 0.0
        assert f.lam.size == 1
        assert kernel.build_envelope(f, kernel.new_envelope()) == kernel.IMPROPER_HIGH


def _triangle(y, x):
    from glmbayes.kernels.rows import reduce_rows

    triangle = np.empty((3, 3))
    reduce_rows(y, x, np.empty(0), np.empty(0), triangle)
    return triangle
