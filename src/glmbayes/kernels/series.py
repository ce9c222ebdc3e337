"""Exponentials and integrals with their leading terms removed, free of cancellation."""

import math

from glmbayes.kernels.jit import jit


@jit
def exp_tail2(v):
    """e^v - 1 - v."""
    if abs(v) < 0.3:
        s = 1.0
        for k in range(13, 2, -1):
            s = 1.0 + s * v / k
        return 0.5 * v * v * s
    return math.expm1(v) - v


@jit
def exp_tail4(v):
    """e^v - 1 - v - v^2 / 2 - v^3 / 6."""
    if abs(v) < 1.0:
        s = 1.0
        for k in range(19, 4, -1):
            s = 1.0 + s * v / k
        return v * v * v * v * s / 24.0
    return math.expm1(v) - v - 0.5 * v * v - v * v * v / 6.0
