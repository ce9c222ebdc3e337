"""Gamma variates that survive tiny shapes."""

import numpy as np

SMALLEST = 1e-300


def standard_gamma(rng, shape, n):
    """`n` Gamma(shape, rate 1) variates, at least 1e-300.

    For small shapes the distribution reaches far below the smallest double; there log G(shape) =
    log G(shape + 1) + log(U) / shape keeps the exponent and only what is below 1e-300 is set to it.
    """
    if shape >= 0.05:
        g = rng.standard_gamma(shape, n)
        if shape < 1.0:
            np.maximum(g, SMALLEST, out=g)
        return g
    log_g = np.log(rng.standard_gamma(shape + 1.0, n)) + np.log1p(-rng.random(n)) / shape
    return np.maximum(np.exp(np.maximum(log_g, -700.0)), SMALLEST)
