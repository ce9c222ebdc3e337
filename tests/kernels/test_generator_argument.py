"""Generators as arguments of compiled functions."""

import sys

import numpy as np
import pytest
from numba import njit
from numba.core import config, types
from numba.core.pythonapi import _unboxers

from glmbayes.kernels import generator_argument

pytestmark = pytest.mark.skipif(config.DISABLE_JIT, reason="nothing is compiled")
GENERATORS = [np.random.PCG64, np.random.PCG64DXSM, np.random.MT19937, np.random.Philox, np.random.SFC64]


@njit
def some_of_each(rng):
    return rng.random(), rng.standard_normal(), rng.standard_gamma(2.5), rng.integers(0, 1000), rng.random(3).sum()


@njit
def itself(rng):
    return rng


@pytest.mark.parametrize("kind", GENERATORS)
def test_compiled_draws_are_numpys(kind):
    """Bit for bit; and the stream goes on where it was left."""
    one, two = np.random.Generator(kind(3)), np.random.Generator(kind(3))
    assert some_of_each(one) == some_of_each.py_func(two)
    assert one.random() == two.random()


def test_no_reference_is_lost():
    rng = np.random.default_rng(1)
    some_of_each(rng)
    before = sys.getrefcount(rng), sys.getrefcount(rng.bit_generator), sys.getrefcount(rng.bit_generator.capsule)
    for _ in range(100):
        some_of_each(rng)
        assert itself(rng) is rng
    after = sys.getrefcount(rng), sys.getrefcount(rng.bit_generator), sys.getrefcount(rng.bit_generator.capsule)
    assert before == after


class Broken(np.random.Generator):
    """Fails as a Ctrl-C at the wrong moment would."""

    bit_generator = property(lambda self: 1 / 0)


class Empty(np.random.Generator):
    bit_generator = None


def test_failures_come_through():
    with pytest.raises(ZeroDivisionError):
        some_of_each(Broken(np.random.PCG64(1)))
    with pytest.raises(AttributeError, match="capsule"):
        some_of_each(Empty(np.random.PCG64(1)))


def test_other_structures_keep_numbas_way(monkeypatch):
    key = types.NumPyRandomGeneratorType
    assert _unboxers.functions[key] is generator_argument._unbox
    monkeypatch.setitem(_unboxers.functions, key, "numba's")
    monkeypatch.setattr(generator_argument, "_GENERATOR", ("something else",))
    generator_argument.install()
    assert _unboxers.functions[key] == "numba's"
