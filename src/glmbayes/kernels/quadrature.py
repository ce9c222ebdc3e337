"""Panels on which the density of the log precision is smooth: the sampler's envelope, refined for quadrature."""

from glmbayes.kernels.jit import jit
from glmbayes.kernels.log_density import rise
from glmbayes.kernels.log_precision import MAX_KNOTS, log_acceptance, split_interval

_NEGLIGIBLE = 1e-20  # share of the envelope's mass
_CLOSE = -1.0  # how far the bound may lie above the density at a panel's ends
_STEEP = 8.0  # how much the density may change on a panel, in logarithms


@jit
def _is_fine(f, env, j):
    n = env.count[0]
    if env.mass[j] <= _NEGLIGIBLE * env.mass[n]:
        return True
    if (j == 0 and env.count[1] == 1) or (j == n - 1 and env.count[2] == 1):  # a tail
        return False
    left = env.knot[j]
    right = env.knot[j + 1]
    return (
        abs(env.slope[j]) * (right - left) < _STEEP
        and log_acceptance(f, env, j, left) > _CLOSE
        and log_acceptance(f, env, j, right) > _CLOSE
    )


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
