"""The piecewise exponential envelope of a log-concave density on a line: tangents, their cuts, and a draw.

A tangent to a concave log density lies above it everywhere, so any set of tangents with any cuts between
their points is a valid envelope; the cuts here are where neighbours intersect (adaptive rejection, Gilks &
Wild 1992, doi:10.2307/2347565).  Three tangents, at the mode and where the log density has fallen by one, already
accept 89 % of the candidates for a normal.

An envelope is six arrays of one capacity, kept in order of `at`:

    at, height, slope   tangent points, log density and its derivative there (relative to any constant)
    left                left end of each piece; the last piece ends at `hi`
    mass                cumulative masses of the pieces relative to the largest
    top                 top[0] is the log of the unit of `mass`

The functions take the number k of tangents in use.  Coordinates are best measured from the mode.
"""

import math

import numpy as np

from glmbayes.kernels.jit import jit

ACCEPT_SLACK = 1e-8  # a log acceptance above this is a defect of the envelope, never rounding


@jit
def piece_log_mass(width, slope):
    """log of the integral of exp(-|slope| t) over t in (0, width), width possibly infinite."""
    s = abs(slope)
    fall = s * width
    if fall < 1e-8:
        return math.log(width) - 0.5 * fall if width > 0.0 else -np.inf
    if fall < 700.0:
        return math.log(-math.expm1(-fall) / s)
    return -math.log(s)


@jit
def place_tangents(at, height, slope, left, mass, top, k, lo, hi):
    """Cuts and masses of the first `k` tangents on (lo, hi); False when an open end has no finite mass."""
    if (lo == -np.inf and not slope[0] > 0.0) or (hi == np.inf and not slope[k - 1] < 0.0):
        return False
    left[0] = lo
    for j in range(1, k):
        bend = slope[j - 1] - slope[j]
        gap = at[j] - at[j - 1]
        cut = 0.5 * gap
        if bend > 0.0:
            cut = min(max((height[j] - height[j - 1] - slope[j] * gap) / bend, 0.0), gap)
        left[j] = at[j - 1] + cut
    best = -np.inf
    for j in range(k):
        right = left[j + 1] if j + 1 < k else hi
        end = right if slope[j] > 0.0 else left[j]  # where the piece is highest
        value = height[j] + piece_log_mass(right - left[j], slope[j])
        if slope[j] != 0.0:
            value += slope[j] * (end - at[j])
        mass[j] = value
        best = max(best, value)
    if not best < np.inf:
        return False
    total = 0.0
    for j in range(k):
        total += math.exp(mass[j] - best)
        mass[j] = total
    top[0] = best
    return True


@jit
def insert_tangent(at, height, slope, k, x, h, d):
    """Insert a tangent in order; returns the new number of tangents.  Place the cuts again after it."""
    j = k
    while j > 0 and at[j - 1] > x:
        at[j] = at[j - 1]
        height[j] = height[j - 1]
        slope[j] = slope[j - 1]
        j -= 1
    at[j] = x
    height[j] = h
    slope[j] = d
    return k + 1


@jit
def envelope_candidate(rng, at, height, slope, left, mass, k, hi):
    """One draw from the envelope: the point, and the log envelope there."""
    u = rng.random() * mass[k - 1]
    j = 0
    while j < k - 1 and mass[j] <= u:
        j += 1
    right = left[j + 1] if j + 1 < k else hi
    width = right - left[j]
    s = abs(slope[j])
    fall = s * width
    u = rng.random()
    if fall < 1e-8:
        d = u * width
    elif fall < 700.0:
        d = min(-math.log1p(u * math.expm1(-fall)) / s, width)
    else:
        d = -math.log1p(-u) / s
    x = right - d if slope[j] > 0.0 else left[j] + d
    return x, height[j] + slope[j] * (x - at[j])
