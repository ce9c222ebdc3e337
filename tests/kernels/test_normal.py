import numpy as np
import pytest

from glmbayes.kernels.normal import build_normal, normal_draws
from tests.kernels.problems import EMPTY, problem, reduce_rows

pytestmark = pytest.mark.every_mode


def mean_and_root(triangle, mu, low, dispersion):
    """Posterior mean, and the matrix that turns standard normals into deviations from it."""
    p = mu.shape[0]
    draws, mode = np.vstack([np.zeros(p), np.eye(p)]), np.empty(p)
    assert normal_draws(triangle, mu, low, dispersion, draws, mode)
    assert (draws[0] == mode).all()
    return mode, (draws[1:] - mode).T


@pytest.mark.parametrize(("n", "p"), [(1, 1), (10, 1), (10, 3), (2, 5), (40, 12)])
@pytest.mark.parametrize("dispersion", [1e-4, 1.0, 1e4])
def test_mean_and_covariance(n, p, dispersion, rng):
    q = problem(rng, n, p)
    mean, root = mean_and_root(q.triangle, q.mu, q.low, dispersion)
    precision = q.x.T @ q.x / dispersion + np.linalg.inv(q.Sigma)
    truth = np.linalg.solve(precision, q.x.T @ q.y / dispersion + np.linalg.solve(q.Sigma, q.mu))
    np.testing.assert_allclose(mean, truth, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(root @ root.T, np.linalg.inv(precision), rtol=1e-6, atol=1e-12)


def test_flat_coefficients_are_least_squares(rng):
    q = problem(rng, 20, 3)
    low = np.diag(np.full(3, np.inf))
    mean, root = mean_and_root(q.triangle, q.mu, low, 0.7)
    np.testing.assert_allclose(mean, np.linalg.lstsq(q.x, q.y)[0], rtol=1e-12)
    np.testing.assert_allclose(root @ root.T, 0.7 * np.linalg.inv(q.x.T @ q.x), rtol=1e-11)


def test_one_flat_coefficient_is_the_limit_of_a_vague_one(rng):
    q = problem(rng, 8, 2)
    flat = mean_and_root(q.triangle, q.mu, np.diag([np.inf, 2.0]), 0.7)
    vague = mean_and_root(q.triangle, q.mu, np.diag([1e8, 2.0]), 0.7)
    for a, b in zip(flat, vague):
        np.testing.assert_allclose(a, b, rtol=1e-12)


def test_polynomial_that_normal_equations_lose():
    """Wampler's first problem of NIST's StRD: y = 1 + t + ... + t^5 at t = 0 ... 20, all coefficients exactly 1."""
    x = np.vander(np.arange(21.0), 6, increasing=True)
    triangle = np.empty((7, 7))
    reduce_rows(x.sum(axis=1), x, EMPTY, EMPTY, triangle)
    mean, _ = mean_and_root(triangle, np.zeros(6), np.diag(np.full(6, np.inf)), 1.0)
    np.testing.assert_allclose(mean, np.ones(6), rtol=1e-8)


@pytest.mark.parametrize("kind", ["doubled", "sum", "zero", "fewer rows", "dummies"])
def test_dependent_flat_columns_are_refused(kind, rng):
    refused = 0
    for _ in range(50):
        x = rng.standard_normal((30, 4))
        if kind == "doubled":
            x[:, 3] = 3.0 * x[:, 1]
        elif kind == "sum":
            x[:, 2] = x[:, [0, 1, 3]].sum(axis=1)
        elif kind == "zero":
            x[:, 0] = 0.0
        elif kind == "fewer rows":
            x = x[:3]
        else:
            group = rng.permutation(np.arange(30) % 3)
            x = np.column_stack([np.ones(30), np.eye(3)[group]])
        triangle = np.empty((5, 5))
        reduce_rows(x[:, 0].copy(), x, EMPTY, EMPTY, triangle)
        low = np.diag(np.full(4, np.inf))
        refused += not build_normal(triangle, np.zeros(4), low, 1.0, np.empty((8, 5)))
        assert build_normal(triangle, np.zeros(4), np.eye(4), 1.0, np.empty((8, 5)))
    assert refused == 50


def test_the_factor_does_not_depend_on_the_sign_of_rows(rng):
    q = problem(rng, 9, 3)
    flipped = q.triangle * np.array([1.0, -1.0, -1.0, 1.0])[:, None]
    a, b = np.empty((6, 4)), np.empty((6, 4))
    assert build_normal(q.triangle, q.mu, q.low, 1.0, a)
    assert build_normal(flipped, q.mu, q.low, 1.0, b)
    np.testing.assert_allclose(a[:3], b[:3], rtol=1e-12, atol=1e-12)
    assert (np.diag(a) > 0.0).all()
