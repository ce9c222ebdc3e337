"""Gamma variates for compiled loops."""

import math

from glmbayes.kernels.jit import jit

_SMALLEST = 1e-300
_TINY_SHAPE = 0.05


@jit
def draw_gamma(rng, shape):
    """A Gamma(shape) variate with rate 1, at least 1e-300; divide it by a rate.

    For small shapes the distribution reaches far below the smallest double, where `rng.standard_gamma` gives 0; there
    log G(shape) = log G(shape + 1) + log(U) / shape keeps the exponent.

    Parameters
    ----------
    rng : numpy.random.Generator
    shape : float
        Positive.

    Examples
    --------
    >>> import numpy as np
    >>> from glmbayes import kernels
    >>> kernels.draw_gamma(np.random.default_rng(1), 1e-4) > 0.0
    True
    """
    if shape >= _TINY_SHAPE:
        return max(rng.standard_gamma(shape), _SMALLEST)
    log_g = math.log(rng.standard_gamma(shape + 1.0)) + math.log1p(-rng.random()) / shape
    return math.exp(max(log_g, math.log(_SMALLEST)))
