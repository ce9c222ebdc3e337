import numpy as np
import pytest

from glmbayes.kernels.log_precision import DONE, IMPROPER_HIGH
from glmbayes.kernels.normal_gamma import normal_gamma_draws
from tests.kernels.problems import from_arrays, problem

pytestmark = pytest.mark.every_mode


@pytest.mark.parametrize(("n", "p"), [(1, 1), (12, 3), (2, 5), (30, 8)])
def test_draws_are_the_textbook_posterior(n, p, rng):
    """Unit vectors for the normals give mean and root of the covariance; ones for the gammas the posterior rate."""
    q = problem(rng, n, p)
    draws, dispersion, mode = np.vstack([np.zeros(p), np.eye(p)]), np.ones(p + 1), np.empty(p)
    dispersion[0] = 4.0
    assert normal_gamma_draws(q.triangle, q.mu, q.low, 0.9, draws, dispersion, mode) == DONE
    precision = q.x.T @ q.x + np.linalg.inv(q.Sigma)
    mean = np.linalg.solve(precision, q.x.T @ q.y + np.linalg.solve(q.Sigma, q.mu))
    r = q.y - q.x @ q.mu
    rate = 0.9 + 0.5 * r @ np.linalg.solve(np.eye(n) + q.x @ q.Sigma @ q.x.T, r)
    np.testing.assert_allclose(mode, mean, rtol=1e-8)
    np.testing.assert_allclose(draws[0], mean, rtol=1e-8)
    np.testing.assert_allclose(dispersion, [rate / 4.0] + p * [rate], rtol=1e-9)
    root = (draws[1:] - mode).T
    np.testing.assert_allclose(root @ root.T, rate * np.linalg.inv(precision), rtol=1e-7, atol=1e-10)


def test_no_errors_and_rate_zero_is_refused(rng):
    q = from_arrays(np.zeros(5), rng.standard_normal((5, 2)), np.zeros(2), np.eye(2))
    draws, dispersion, mode = np.zeros((1, 2)), np.ones(1), np.empty(2)
    assert normal_gamma_draws(q.triangle, q.mu, q.low, 0.0, draws, dispersion, mode) == IMPROPER_HIGH
    assert normal_gamma_draws(q.triangle, q.mu, q.low, 1e-12, draws, dispersion, mode) == DONE
