"""One pass over a GLM's rows before anything else: are they usable, and what do they span?"""

import math

import numpy as np

from glmbayes.kernels.jit import jit


@jit
def scan_rows(y, x, offset, weights, facts):
    """Check a GLM's rows; False when a value is not finite or a weight is negative.

    Parameters
    ----------
    y : (n,), x : (n, p) arrays
    offset, weights : (n,) arrays, or empty arrays for none
    facts : (3,) array
        Receives the smallest and largest response and the number of rows with positive weight.
    """
    lowest = np.inf
    highest = -np.inf
    used = 0.0
    n, p = x.shape
    for i in range(n):
        if not math.isfinite(y[i]):
            return False
        lowest = min(lowest, y[i])
        highest = max(highest, y[i])
        for j in range(p):
            if not math.isfinite(x[i, j]):
                return False
    for i in range(offset.shape[0]):
        if not math.isfinite(offset[i]):
            return False
    if weights.shape[0] == 0:
        used = float(n)
    for i in range(weights.shape[0]):
        if not 0.0 <= weights[i] < np.inf:
            return False
        if weights[i] > 0.0:
            used += 1.0
    facts[0] = lowest
    facts[1] = highest
    facts[2] = used
    return True
