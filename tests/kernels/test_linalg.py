import numpy as np
import pytest

from glmbayes.kernels.linalg import (
    all_finite,
    all_positive,
    asymmetry,
    cholesky,
    invert_lower,
    jacobi_svd,
    solve_upper,
    triangularise,
)

pytestmark = pytest.mark.every_mode


def covariance(rng, p):
    a = rng.standard_normal((p, p + 2))
    return a @ a.T


def svd(matrix):
    """(U s)' rows, V' rows and singular values by the kernel."""
    at, vt = matrix.T.copy(), np.empty((matrix.shape[1],) * 2)
    jacobi_svd(at, vt)
    return at, vt, np.linalg.norm(at, axis=1)


@pytest.mark.parametrize("p", [1, 2, 5, 12])
def test_cholesky_and_its_inverse(p, rng):
    a = covariance(rng, p)
    low, inverse = np.full((p, p), np.nan), np.full((p, p), np.nan)
    assert cholesky(a, low)
    np.testing.assert_allclose(low, np.linalg.cholesky(a), rtol=1e-10, atol=1e-12)
    invert_lower(low, inverse)
    np.testing.assert_allclose(inverse @ low, np.eye(p), atol=1e-10)


@pytest.mark.parametrize(
    "matrix",
    [
        [[0.0]],
        [[-1.0]],
        [[np.nan]],
        [[1.0, 2.0], [2.0, 1.0]],
        [[1.0, 1.0], [1.0, 1.0]],
        [[4.0, 2.0, 6.0], [2.0, 2.0, 4.0], [6.0, 4.0, 10.0]],
    ],
)
def test_cholesky_refuses(matrix):
    matrix = np.array(matrix)
    assert not cholesky(matrix, np.empty(matrix.shape))


def test_cholesky_refuses_what_is_singular_up_to_rounding(rng):
    refused = 0
    for _ in range(200):
        a = rng.standard_normal((4, 2))
        refused += not cholesky(a @ a.T, np.empty((4, 4)))
    assert refused == 200


def test_cholesky_of_infinite_variances():
    low, inverse = np.empty((2, 2)), np.empty((2, 2))
    assert cholesky(np.array([[np.inf, 0.0], [0.0, 4.0]]), low)
    assert low.tolist() == [[np.inf, 0.0], [0.0, 2.0]]
    invert_lower(low, inverse)
    assert inverse.tolist() == [[0.0, 0.0], [0.0, 0.5]]


def test_solve_upper_reads_the_leading_square(rng):
    up = np.triu(rng.standard_normal((4, 6))) + 3.0 * np.eye(4, 6)
    b = rng.standard_normal(4)
    x = b.copy()
    solve_upper(up, x)
    np.testing.assert_allclose(up[:, :4] @ x, b, rtol=1e-12)


@pytest.mark.parametrize(("rows", "cols"), [(1, 1), (1, 3), (2, 5), (3, 3), (9, 4), (40, 2)])
def test_triangularise_is_a_qr_factorisation(rows, cols, rng):
    a = rng.standard_normal((rows, cols))
    a[rng.random(a.shape) < 0.2] = 0.0
    r = a.copy()
    triangularise(r, rows, np.empty(cols))
    assert (np.tril(r, -1) == 0.0).all()
    np.testing.assert_allclose(r.T @ r, a.T @ a, rtol=1e-12, atol=1e-12)


def test_triangularise_leaves_further_rows_alone(rng):
    a = rng.standard_normal((6, 2))
    r = a.copy()
    triangularise(r, 4, np.empty(2))
    assert (r[4:] == a[4:]).all()


@pytest.mark.parametrize(("m", "p"), [(1, 1), (4, 4), (6, 3), (3, 6), (1, 5), (10, 10)])
def test_jacobi_svd(m, p, rng):
    a = rng.standard_normal((m, p))
    at, vt, s = svd(a)
    np.testing.assert_allclose(at.T @ vt, a, atol=1e-13)
    np.testing.assert_allclose(vt @ vt.T, np.eye(p), atol=1e-13)
    truth = np.zeros(p)
    truth[: min(m, p)] = np.linalg.svd(a, compute_uv=False)
    np.testing.assert_allclose(np.sort(s)[::-1], truth, rtol=1e-13)


@pytest.mark.parametrize("p", [4, 5, 9])
def test_jacobi_svd_keeps_small_singular_values_of_scaled_columns(p, rng):
    """Orthonormal columns times a diagonal have the diagonal for singular values, to full relative accuracy."""
    q = np.linalg.qr(rng.standard_normal((p + 3, p)))[0]
    scale = 10.0 ** np.linspace(-60, 60, p)[rng.permutation(p)]
    _, _, s = svd(q * scale)
    np.testing.assert_allclose(np.sort(s), np.sort(scale), rtol=1e-13)


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e12])
def test_jacobi_svd_gives_exactly_zero_beyond_the_rank(scale, rng):
    """More columns than rows: nothing but the rank's rows may survive, or noise would pass for directions."""
    for _ in range(50):
        m, p = rng.integers(1, 5), rng.integers(5, 9)
        at, _, s = svd(scale * rng.standard_normal((m, p)))
        assert (s > 0.0).sum() == m
        u = at[s > 0.0] / s[s > 0.0, None]
        np.testing.assert_allclose(u @ u.T, np.eye(m), atol=1e-13)


def test_jacobi_svd_of_equal_and_of_zero_columns(rng):
    column = rng.standard_normal(5)
    _, _, s = svd(np.column_stack([column, column, np.zeros(5)]))
    np.testing.assert_allclose(np.sort(s), [0.0, 0.0, np.sqrt(2.0) * np.linalg.norm(column)], rtol=1e-14)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_finiteness(bad):
    for a in (np.ones(3), np.ones((2, 3))):
        assert all_finite(a)
        a.flat[-1] = bad
        assert not all_finite(a)
    assert all_positive(np.array([1.0, 1e-300]))
    assert not all_positive(np.array([1.0, abs(bad)]))
    assert not all_positive(np.array([1.0, 0.0]))


def test_asymmetry_is_relative_to_the_diagonal():
    assert asymmetry(np.array([[1e10, 3.0], [3.0, 1e-10]])) == 0.0
    assert asymmetry(np.array([[4.0, 3.0], [2.0, 1.0]])) == pytest.approx(0.5)
    assert asymmetry(np.array([[1e300, 3e300], [2e300, 1e300]])) == pytest.approx(1.0)
    assert asymmetry(np.array([[np.inf, 0.0], [0.0, 1.0]])) == 0.0
