"""Branch-free exp and log, and the series that take leading terms away."""

import math

import numpy as np
from numba import njit

from glmbayes.kernels.series import exp_tail2, exp_tail4
from glmbayes.kernels.vector_math import single_exp, single_log, vector_exp, vector_log


@njit
def _map(x, exponential):
    out = np.empty_like(x)
    for i in range(x.size):
        out[i] = vector_exp(x[i]) if exponential else vector_log(x[i])
    return out


def test_exp_and_log(rng):
    x = np.concatenate([rng.uniform(-700, 700, 20_000), rng.uniform(-1, 1, 20_000), [0.0, -0.0, 1e-300, 700.0, -700.0]])
    np.testing.assert_allclose(_map(x, True), np.exp(x), rtol=4e-16 * 2)
    assert vector_exp(1e4) == vector_exp(700.0)
    assert vector_exp(-1e4) == vector_exp(-700.0)
    q = np.concatenate(
        [np.exp(rng.uniform(-600, 600, 20_000)), 1.0 + 1e-3 * rng.standard_normal(20_000), [1.0, 2.0, 0.5]]
    )
    np.testing.assert_allclose(_map(q, False), np.log(q), rtol=4e-16, atol=3e-16)
    assert vector_log(1.0) == 0.0


@njit
def _map_single(x, exponential):
    out = np.empty_like(x)
    for i in range(x.size):
        out[i] = single_exp(x[i]) if exponential else single_log(x[i])
    return out


def test_exp_and_log_in_single_precision(rng):
    unit = 2.0**-24
    x = np.concatenate([rng.uniform(-87, 87, 200_000), rng.uniform(-1, 1, 200_000)]).astype(np.float32)
    error = _map_single(x, True) / np.exp(x.astype(float)) - 1.0
    assert np.abs(error).max() < 5.0 * unit
    q = np.concatenate([np.exp(rng.uniform(-80, 80, 200_000)), 1.0 + 1e-3 * rng.standard_normal(200_000)])
    q = q.astype(np.float32)
    true = np.log(q.astype(float))
    assert np.max(np.abs(_map_single(q, False) - true) / (1.0 + np.abs(true))) < 2.0 * unit


def test_python_and_compiled_agree():
    for x in (-3.3, 0.0, 0.7, 40.0):
        assert abs(vector_exp.py_func(x) - vector_exp(x)) <= 1e-15 * math.exp(x)
        assert abs(vector_log.py_func(math.exp(x)) - x) <= 1e-15 * max(1.0, abs(x))


def test_tails_of_the_exponential():
    """Against the Taylor series in exact rational arithmetic."""
    from fractions import Fraction

    for v in (-5.0, -1.0, -0.99, -0.3, -0.29, -1e-3, 1e-8, 0.01, 0.31, 0.99, 1.01, 6.0):
        terms = [Fraction(v) ** k / math.factorial(k) for k in range(2, 80)]
        np.testing.assert_allclose(exp_tail2(v), float(sum(terms)), rtol=2e-15)
        np.testing.assert_allclose(exp_tail4(v), float(sum(terms[2:])), rtol=1e-14)
