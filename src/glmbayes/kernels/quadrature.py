"""Panels on which the density of the log precision is smooth: the sampler's envelope, refined for quadrature."""

import math

import numpy as np

from glmbayes.kernels.jit import jit
from glmbayes.kernels.log_density import rise
from glmbayes.kernels.log_precision import MAX_KNOTS, log_acceptance, split_interval

_NEGLIGIBLE = 1e-20  # share of the envelope's mass
_CLOSE = -1.0  # how far the bound may lie above the density at a panel's ends
_STEEP = 8.0  # how much the density may change on a panel, in logarithms
_SAME = 1e-11  # how far a coarser rule may be off, as a share of the envelope's mass

COARSE, COARSE_WEIGHTS = np.polynomial.legendre.leggauss(12)
POINTS, WEIGHTS = np.polynomial.legendre.leggauss(20)  # the rule, on (-1, 1)


@jit
def _integral(f, mode, left, right, points, weights):
    half = 0.5 * (right - left)
    total = 0.0
    for i in range(points.shape[0]):
        total += weights[i] * math.exp(rise(f, mode, left + half * (1.0 + points[i])))
    return half * total


@jit
def _is_fine(f, env, j):
    n = env.count[0]
    if env.mass[j] <= _NEGLIGIBLE * env.mass[n]:
        return True
    if (j == 0 and env.count[1] == 1) or (j == n - 1 and env.count[2] == 1):  # a tail
        return False
    left = env.knot[j]
    right = env.knot[j + 1]
    if not (
        abs(env.slope[j]) * (right - left) < _STEEP
        and log_acceptance(f, env, j, left) > _CLOSE
        and log_acceptance(f, env, j, right) > _CLOSE
    ):
        return False
    mode = env.scale[0]
    coarse = _integral(f, mode, left, right, COARSE, COARSE_WEIGHTS)
    # the share, and what rounding t alone changes
    rounding = 1e-15 * abs(env.slope[j]) * max(abs(left), abs(right))
    allowed = (_SAME * env.mass[n] / env.mass[j] + rounding) * math.exp(env.log_mass[j])
    return abs(coarse - _integral(f, mode, left, right, POINTS, WEIGHTS)) <= allowed


@jit
def resolve(f, env):
    """Refine the envelope until it is close to f wherever f has mass, and each interval spans a moderate change.

    The bound is above f everywhere, so no peak can hide in an interval of negligible mass.  Returns False when
    MAX_KNOTS intervals do not suffice.
    """
    changed = True
    while changed:
        changed = False
        j = 0
        while j < env.count[0]:
            n = env.count[0]
            if not _is_fine(f, env, j):
                split_interval(f, env, j)
            if env.count[0] > n:
                changed = True
            elif n + 1 >= MAX_KNOTS:
                return False
            else:
                j += 1  # fine, or too short to split
    return True


@jit
def rises(f, t0, t, out):
    """f(t) - f(t0) for all points of `t`, into `out`."""
    for i in range(t.shape[0]):
        out[i] = rise(f, t0, t[i])
