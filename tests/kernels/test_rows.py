import numpy as np
import pytest

from glmbayes import rows
from glmbayes.kernels.rows import reduce_rows, row_errors, squared_errors

EMPTY = np.empty(0)
pytestmark = pytest.mark.every_mode
OVERFLOWS = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # plain Python warns where compiled code does not


def reduced(y, x, offset=EMPTY, weights=EMPTY):
    triangle = np.full((x.shape[1] + 1,) * 2, np.nan)
    return triangle, reduce_rows(y, x, offset, weights, triangle)


def oracle(y, x, offset=EMPTY, weights=EMPTY):
    """R of W^1/2 [X | y - o] by LAPACK, with a non-negative diagonal."""
    y = y - offset if offset.size else y
    table = np.column_stack([x, y])
    if weights.size:
        table = (np.sqrt(weights)[:, None] * table)[weights > 0]
    p = table.shape[1]
    r = np.linalg.qr(np.vstack([table, np.zeros((p, p))]), mode="r")
    return r * np.where(np.diag(r) < 0.0, -1.0, 1.0)[:, None]


# around the block of 128 rows (held: 128 + p + 1), and fewer rows than columns
@pytest.mark.parametrize("p", [1, 4])
@pytest.mark.parametrize("n", [1, 2, 3, 7, 127, 128, 129, 132, 133, 134, 300])
def test_triangle_is_that_of_lapack(n, p, rng):
    y, x = rng.standard_normal(n), rng.standard_normal((n, p))
    triangle, (fine, used, total, logs) = reduced(y, x)
    assert (fine, used, total, logs) == (True, n, n, 0.0)
    np.testing.assert_allclose(triangle, oracle(y, x), rtol=1e-11, atol=1e-12)
    assert (np.diag(triangle) >= 0.0).all()


@pytest.mark.parametrize("n", [5, 200])
def test_weights_and_offset(n, rng):
    y, x, offset = rng.standard_normal(n), rng.standard_normal((n, 3)), rng.standard_normal(n)
    weights = rng.gamma(1.0, size=n)
    weights[::3] = 0.0
    triangle, (fine, used, total, logs) = reduced(y, x, offset, weights)
    kept = weights[weights > 0]
    assert fine
    assert used == kept.size
    assert total == pytest.approx(kept.sum())
    assert logs == pytest.approx(np.log(kept).sum())
    np.testing.assert_allclose(triangle, oracle(y, x, offset, weights), rtol=1e-11, atol=1e-12)


def test_rows_of_weight_zero_may_hold_anything(rng):
    y, x, weights = rng.standard_normal(6), rng.standard_normal((6, 2)), np.array([1.0, 0, 2, 1, 0, 1])
    triangle, _ = reduced(y, x, EMPTY, weights)
    y[1], x[4] = np.nan, np.inf
    again, (fine, used, *_) = reduced(y, x, EMPTY, weights)
    assert fine
    assert used == 4
    assert (again == triangle).all()


def test_all_weights_zero(rng):
    triangle, (fine, used, total, _) = reduced(np.ones(3), np.ones((3, 1)), EMPTY, np.zeros(3))
    assert (fine, used, total) == (True, 0.0, 0.0)
    assert (triangle == 0.0).all()


def test_order_of_rows_does_not_matter(rng):
    y, x = rng.standard_normal(150), rng.standard_normal((150, 4))
    order = rng.permutation(150)
    np.testing.assert_allclose(reduced(y, x)[0], reduced(y[order], x[order])[0], rtol=1e-11, atol=1e-12)


@OVERFLOWS
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("n", [1, 3, 140])
def test_a_bad_value_is_found_wherever_it_is(n, bad, rng):
    y, x, offset, weights = (rng.random(n), rng.random((n, 2)), rng.random(n), rng.random(n))
    for array in (y, x, offset, weights):
        for at in range(0, array.size, max(1, array.size // 40)):
            keep = array.flat[at]
            for filler in (keep, 0.0):  # zeros around it must not hide it
                rest = array.copy()
                if filler == 0.0 and array is not weights:
                    array[...] = 0.0
                array.flat[at] = bad
                assert not reduced(y, x, offset, weights)[1][0]
                assert not row_errors(y, x, offset, weights, np.ones(2))[0]
                array[...] = rest


def test_a_negative_weight_is_found():
    weights = np.array([1.0, -1e-300])
    assert not reduced(np.ones(2), np.ones((2, 1)), EMPTY, weights)[1][0]
    assert not row_errors(np.ones(2), np.ones((2, 1)), EMPTY, weights, np.ones(1))[0]


@OVERFLOWS
@pytest.mark.parametrize("size", [1e153, 3.2e153, 3.4e153, 1e154, 1e300])
def test_overflow_is_found_and_never_silent(size):
    y = np.array([1.0, 1.0, -1.0])
    triangle, (fine, *_) = reduced(y, size * np.array([[1.0], [2.0], [3.0]]))
    if fine:
        assert triangle[0, 0] == pytest.approx(size * np.sqrt(14.0))
        assert triangle[0, 1] == pytest.approx(0.0)


@pytest.mark.parametrize("p", [1, 3])
def test_errors_by_both_routes(p, rng):
    n = 40
    y, x, offset, beta = rng.random(n), rng.random((n, p)), rng.random(n), rng.random(p)
    weights = np.where(rng.random(n) < 0.2, 0.0, rng.random(n))
    truth = np.sum(weights * (y - offset - x @ beta) ** 2)
    fine, errors, used, total, logs = row_errors(y, x, offset, weights, beta)
    assert fine
    assert errors == pytest.approx(truth, rel=1e-13)
    triangle, (_, *counts) = reduced(y, x, offset, weights)
    assert [used, total, logs] == counts
    assert squared_errors(triangle, beta) == pytest.approx(truth, rel=1e-12)


@pytest.mark.parametrize("n", [1, 3, 40, 100])
@pytest.mark.parametrize("kind", ["plain", "weights and offset", "zeros"])
def test_long_route_is_the_compiled_one(n, kind, rng, monkeypatch):
    monkeypatch.setattr(rows, "_CHUNK", 16)
    y, x, offset, weights = rng.random(n), rng.random((n, 3)), EMPTY, EMPTY
    if kind != "plain":
        offset, weights = rng.random(n), rng.random(n)
    if kind == "zeros":
        weights[: n // 2] = 0.0  # whole chunks of them
        y[: n // 2] = np.nan
    triangle, counts = reduced(y, x, offset, weights)
    other = np.full((4, 4), np.nan)
    others = rows._reduce_long(y, x, offset, weights, other)
    np.testing.assert_allclose(other, triangle, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(others, counts, rtol=1e-12)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -1.0])
def test_long_route_finds_bad_values(bad, rng):
    arrays = [rng.random(50), rng.random((50, 2)), rng.random(50), rng.random(50)]
    for array in arrays[3:] if bad == -1.0 else arrays:
        keep, array.flat[30] = array.flat[30], bad
        assert not rows._reduce_long(*arrays, np.empty((3, 3)))[0]
        array.flat[30] = keep
    assert not rows._reduce_long(np.ones(3), 1e200 * np.ones((3, 1)), EMPTY, 1e300 * np.ones(3), np.empty((2, 2)))[0]


def test_long_route_is_taken_for_long_data(rng, monkeypatch):
    monkeypatch.setattr(rows, "_COMPILED_LIMIT", 10)
    y, x = rng.random(50), rng.random((50, 2))
    seen = []
    long = rows._reduce_long
    monkeypatch.setattr(rows, "_reduce_long", lambda *a: seen.append(1) or long(*a))
    assert rows.reduce(y, x, EMPTY, EMPTY, "frequency").n == 50.0
    assert seen == [1]
