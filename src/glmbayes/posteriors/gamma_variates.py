"""Gamma variates that survive tiny shapes, in pieces that Ctrl-C can interrupt."""

import math

import numpy as np

SMALLEST = 1e-300
_TINY_SHAPE = 0.05
_CHUNK = 1 << 20


def standard_gamma(rng, shape, n):
    """`n` Gamma(shape, rate 1) variates, at least 1e-300.

    For small shapes the distribution reaches far below the smallest double; there log G(shape) =
    log G(shape + 1) + log(U) / shape keeps the exponent and only what is below 1e-300 is set to it.
    """
    if n <= _CHUNK:
        return _some(rng, shape, n)
    out = np.empty(n)
    for start in range(0, n, _CHUNK):
        part = out[start : start + _CHUNK]
        part[:] = _some(rng, shape, part.size)
    return out


def inverse_gamma(rng, shape, rate, n):
    """`n` variates rate / Gamma(shape, rate 1), at most 1e300 times the rate and always finite."""
    if n == 1 and shape >= 1.0:
        out = np.empty(1)
        out[0] = rate / rng.standard_gamma(shape)
        return out
    g = standard_gamma(rng, shape, n)
    if shape < 1.0:
        np.maximum(g, rate * 1e-308, out=g)
    return np.divide(rate, g, out=g)


def _some(rng, shape, n):
    if shape >= _TINY_SHAPE:
        g = rng.standard_gamma(shape, n)
        if shape < 1.0:
            np.maximum(g, SMALLEST, out=g)
        return g
    with np.errstate(over="ignore"):
        log_g = np.log(rng.standard_gamma(shape + 1.0, n)) + np.log1p(-rng.random(n)) / shape
    return np.exp(np.maximum(log_g, math.log(SMALLEST)))
