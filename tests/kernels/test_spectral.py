import numpy as np
import pytest

from glmbayes.kernels.spectral import spectral_form, to_coefficients
from glmbayes.posteriors import spectral as routes
from tests.kernels.problems import from_arrays, problem

pytestmark = pytest.mark.every_mode
PRECISIONS = np.array([1e-6, 1e-2, 1.0, 1e3, 1e8])


def form(q):
    p = q.mu.shape[0]
    s, z, transform = np.empty(p), np.empty(p), np.empty((p, p))
    return s, z, spectral_form(q.triangle, q.mu, q.low, s, z, transform), transform


def errors(s, z, rss):
    """Errors left at each precision u: rss + sum z^2 / (1 + s^2 u)."""
    return rss + (z**2 / (1.0 + s**2 * PRECISIONS[:, None])).sum(axis=1)


def penalised_errors(q):
    """min over b of |y - X b|^2 + (b - mu)' Sigma^-1 (b - mu) / u, by orthogonal reduction at each precision."""
    n, p = q.x.shape
    whitener = np.linalg.inv(q.low)
    out = []
    for u in PRECISIONS:
        table = np.zeros((n + p, p + 1))
        table[:n, :p], table[:n, p] = q.x, q.y - q.x @ q.mu
        table[n:, :p] = whitener / np.sqrt(u)
        out.append(np.linalg.qr(table, mode="r")[p, p] ** 2)
    return np.array(out)


@pytest.mark.parametrize(("n", "p"), [(1, 1), (20, 1), (20, 3), (3, 3), (2, 7), (1, 5), (5, 6), (40, 10)])
@pytest.mark.parametrize("sd", [1e-4, 1.0, 1e4])
def test_marginal_quadratic_form_and_singular_values(n, p, sd, rng):
    """p > n included: surplus directions once came out as normalised noise."""
    for _ in range(10):
        q = problem(rng, n, p, sd)
        s, z, rss, _ = form(q)
        size = np.sum((q.y - q.x @ q.mu) ** 2)
        np.testing.assert_allclose(errors(s, z, rss), penalised_errors(q), rtol=1e-9, atol=1e-14 * size)
        truth = np.zeros(p)
        truth[: min(n, p)] = np.linalg.svd(q.x @ q.low, compute_uv=False)
        np.testing.assert_allclose(np.sort(s)[::-1], truth, rtol=1e-11)
        assert (s > 0.0).sum() == min(n, p)
        assert (z[s == 0.0] == 0.0).all()


def test_transform_is_a_root_of_the_prior_covariance(rng):
    q = problem(rng, 6, 4)
    s, z, _, transform = form(q)
    np.testing.assert_allclose(transform @ transform.T, q.Sigma, rtol=1e-12)
    np.testing.assert_allclose(transform.T @ q.x.T @ q.x @ transform, np.diag(s**2), atol=1e-12 * s.max() ** 2)
    np.testing.assert_allclose(transform.T @ q.x.T @ (q.y - q.x @ q.mu), s * z, rtol=1e-10)
    c = rng.standard_normal(4)
    beta = c.copy()
    to_coefficients(q.mu, transform, beta)
    np.testing.assert_allclose(beta, q.mu + transform @ c, rtol=1e-13)


@pytest.mark.parametrize("far", [0.0, 1e6])
@pytest.mark.parametrize(("n", "p"), [(6, 2), (3, 3), (2, 4)])
def test_an_exact_fit_leaves_nothing(n, p, far, rng):
    """Also when the prior mean is so far off that rounding leaves 1e-10 of the data."""
    for _ in range(20):
        x, beta = rng.standard_normal((n, p)), rng.standard_normal(p)
        q = from_arrays(x @ beta, x, far * rng.standard_normal(p), np.eye(p))
        assert form(q)[2] == 0.0


def test_a_small_misfit_is_not_an_exact_fit(rng):
    x, beta = rng.standard_normal((8, 2)), rng.standard_normal(2)
    e = rng.standard_normal(8)
    e -= x @ np.linalg.lstsq(x, e)[0]
    q = from_arrays(x @ beta + 1e-9 * e, x, np.zeros(2), np.eye(2))
    assert form(q)[2] == pytest.approx(1e-18 * e @ e, rel=1e-4)


@pytest.mark.parametrize(("n", "p"), [(20, 6), (4, 6)])
def test_lapack_route_is_the_same(n, p, rng, monkeypatch):
    q = problem(rng, n, p)
    compiled = routes.diagonalise(q.triangle, q.mu, q.low)
    monkeypatch.setattr(routes, "SMALL_P", 0)
    lapack = routes.diagonalise(q.triangle, q.mu, q.low)
    np.testing.assert_allclose(errors(*compiled[:3]), errors(*lapack[:3]), rtol=1e-10)
    np.testing.assert_allclose(np.sort(compiled[0]), np.sort(lapack[0]), atol=1e-12 * compiled[0].max())
    root = lapack[3]
    np.testing.assert_allclose(root @ root.T, q.Sigma, rtol=1e-12)
