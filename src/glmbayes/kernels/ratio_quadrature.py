"""Panels on which the density of the log ratio is smooth: the sampler's envelope, refined for quadrature."""

import math

from glmbayes.kernels.jit import jit
from glmbayes.kernels.log_ratio import ratio_rise
from glmbayes.kernels.quadrature import COARSE, COARSE_WEIGHTS, POINTS, WEIGHTS
from glmbayes.kernels.ratio_envelope import MAX_INTERVALS, cumulate, ratio_log_acceptance, split_ratio_interval

_NEGLIGIBLE = -70.0  # logarithm of an interval's share; moments give the left tail more weight
_STEEP = 8.0  # how much the density may change on a panel, in logarithms
_CLOSE = -0.5  # how far the bound may lie above the density at a panel's ends
_SAME = 1e-11  # how far a coarser rule may be off, as a share of the panel's mass


@jit
def _panel(f, left, right, points, weights):
    """The integral of exp(f) over a panel, relative to its middle."""
    half = 0.5 * (right - left)
    total = 0.0
    for i in range(points.shape[0]):
        total += weights[i] * math.exp(ratio_rise(f, left + half, left + half * (1.0 + points[i])))
    return total


@jit
def _is_fine(f, env, j):
    left = env.knot[j]
    right = env.knot[j + 1]
    if not (
        left > -math.inf
        and right < math.inf
        and abs(env.slope[j]) * (right - left) < _STEEP
        and ratio_log_acceptance(f, env, j, left) > _CLOSE
        and ratio_log_acceptance(f, env, j, right) > _CLOSE
    ):
        return False
    fine = _panel(f, left, right, POINTS, WEIGHTS)
    rounding = 1e-15 * (f.half + 0.5 * f.weight.sum() + abs(left))
    return abs(_panel(f, left, right, COARSE, COARSE_WEIGHTS) - fine) <= (_SAME + rounding) * fine


@jit
def resolve_ratio(f, env):
    """Refine the envelope until it is close to f wherever f has mass, and each interval spans a moderate change.

    The bound is above f everywhere, so no peak can hide in an interval of negligible mass.  Returns False when
    MAX_INTERVALS do not suffice.
    """
    changed = True
    while changed:
        changed = False
        top = cumulate(env)
        j = 0
        while j < env.count[0]:
            if env.log_mass[j] - top < _NEGLIGIBLE or _is_fine(f, env, j):
                j += 1
            elif split_ratio_interval(f, env, j):
                changed = True
            elif env.count[0] >= MAX_INTERVALS:
                return False
            else:
                j += 1  # too short to split
    return True
