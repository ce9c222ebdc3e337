"""Exact draws of t = -2 log(tau / sigma) from the density f of `glmbayes.kernels.log_ratio`: a piecewise exponential
envelope.

On an interval [t0, t1] the concave terms lie below a tangent.  S is a constant and a sum of logistic functions, each
the exponential of a concave function g_i; with the weights p_i that they have in S(t0), by Jensen's inequality,

    log S(t) >= log S(t0) + sum_i p_i (g_i(t) - g_i(t0)),

and g_i lies above its chord.  Left of the first knot S'/S is at most min(1, max S' / s), right of the last one S is no
less than there.  All bounds close on f as intervals shrink, at the square of their lengths.
"""

import math
from typing import NamedTuple

import numpy as np

from glmbayes.kernels.jit import jit
from glmbayes.kernels.log_density import precision, shares
from glmbayes.kernels.log_precision import (
    BROKEN,
    DONE,
    IMPROPER_HIGH,
    IMPROPER_LOW,
    MAX_CANDIDATES,
    NEED_MORE,
    STUCK,
    make_room,
)
from glmbayes.kernels.log_ratio import (
    concave_rise,
    concave_tangent,
    end_slopes,
    left_over_rise,
    log_share_rise,
    ratio_rise,
)

MAX_INTERVALS = 600

_GUARD = 1e-8
_WASTE = 0.02  # share of rejected candidates that the envelope is built for
_FARTHEST = 1024.0  # in t, of one step outwards
_DOUBLINGS = 60
_PROBES = np.array([1.0 / 6.0, 0.5, 5.0 / 6.0])  # quantiles of an interval's exponential


class RatioEnvelope(NamedTuple):
    """Piecewise exponential bound.  Interval j runs from knot j to knot j + 1; `count[0]` intervals are in use."""

    knot: np.ndarray
    touch: np.ndarray  # where the tangent of the concave terms touches
    slope: np.ndarray  # of the bound
    line: np.ndarray  # the part of the slope that bounds -h log S
    log_mass: np.ndarray
    waste: np.ndarray  # estimated share of the interval's mass between bound and density
    mass: np.ndarray  # cumulative, relative to the largest interval
    count: np.ndarray  # intervals
    reference: np.ndarray  # the point from which heights are measured


@jit
def new_ratio_envelope():
    """Empty arrays for an envelope of at most MAX_INTERVALS intervals."""
    x = np.empty((7, MAX_INTERVALS + 2))
    return RatioEnvelope(x[0], x[1], x[2], x[3], x[4], x[5], x[6], np.zeros(1, np.int64), np.zeros(1))


@jit
def _left_line(f, t):
    """A bound on -h S'/S over (-infinity, t], which is negative."""
    if f.rest == 0.0:
        return -f.half
    u = precision(t)
    steepest = 0.0
    for i in range(f.lam.shape[0]):
        share, other = shares(f.lam[i] * u)
        steepest += f.q[i] * (0.25 if share > 0.5 else share * other)
    return -f.half * min(1.0, steepest / f.rest)


@jit
def _inner_line(f, left, right):
    """Slope of the line from (left, -h log S(left)) that lies above -h log S on [left, right]."""
    u0 = precision(left)
    u1 = precision(right)
    total = f.rest
    slope = 0.0
    for i in range(f.lam.shape[0]):
        share, other = shares(f.lam[i] * u0)
        part = f.q[i] * (f.lam[i] * other if f.rest == 0.0 else share)  # without a constant the size does not matter
        total += part
        slope += part * log_share_rise(f.lam[i], left, u0, right, u1)
    return -f.half * slope / (right - left) / total if total > 0.0 else 0.0


@jit
def _end(env, j):
    """The knot from which the line of interval j starts."""
    return env.knot[j + 1] if env.knot[j] == -math.inf else env.knot[j]


@jit
def ratio_log_acceptance(f, env, j, t):
    """f minus the bound at a point t of interval j: the logarithm of the acceptance probability."""
    end = _end(env, j)
    touch = env.touch[j]
    gap = concave_rise(f, touch, t) - (env.slope[j] - env.line[j]) * (t - touch)
    return gap - f.half * left_over_rise(f, end, t) - env.line[j] * (t - end)


@jit
def _within(left, right, slope, share):
    """The point of an interval below which lies this share of exp(slope t)."""
    if left == -math.inf:
        return right + math.log(max(share, 1e-300)) / slope
    if right == math.inf:
        return left + math.log1p(-share) / slope
    width = right - left
    y = slope * width
    if abs(y) < 1e-8:
        return left + share * width
    if y > 0.0:
        t = right + math.log(share + (1.0 - share) * math.exp(-y)) / slope
    else:
        t = left + math.log1p(share * math.expm1(y)) / slope
    return min(max(t, left), right)


@jit
def _fit(f, env, j):
    """The bound of interval j, its mass, and how much of it lies above the density."""
    left = env.knot[j]
    right = env.knot[j + 1]
    if left == -math.inf:
        env.touch[j] = right
        env.line[j] = _left_line(f, right)
    elif right == math.inf:
        env.touch[j] = left
        env.line[j] = 0.0
    else:
        env.touch[j] = 0.5 * (left + right)
        env.line[j] = _inner_line(f, left, right)
    end = _end(env, j)
    touch = env.touch[j]
    tangent = concave_tangent(f, touch)
    slope = tangent + env.line[j]
    env.slope[j] = slope
    height = ratio_rise(f, env.reference[0], end) - concave_rise(f, touch, end) + tangent * (end - touch)
    if left == -math.inf or right == math.inf:
        env.log_mass[j] = height - math.log(abs(slope))
    else:
        width = right - left
        y = abs(slope) * width
        top = height + max(slope, 0.0) * width
        env.log_mass[j] = top + math.log(width) + (-0.5 * y if y < 1e-8 else math.log(-math.expm1(-y) / y))
    accepted = 0.0
    for k in range(_PROBES.shape[0]):
        t = _within(left, right, slope, _PROBES[k])
        accepted += math.exp(min(ratio_log_acceptance(f, env, j, t), 0.0))
    env.waste[j] = 1.0 - accepted / _PROBES.shape[0]


@jit
def cumulate(env):
    """Sum the masses; returns the logarithm of the largest."""
    n = env.count[0]
    top = -math.inf
    for j in range(n):
        top = max(top, env.log_mass[j])
    total = 0.0
    for j in range(n):
        total += math.exp(env.log_mass[j] - top)
        env.mass[j] = total
    return top


@jit
def split_ratio_interval(f, env, j):
    """Bisect interval j, or cut a piece of about its mean from a tail; False when it cannot be cut."""
    n = env.count[0]
    left = env.knot[j]
    right = env.knot[j + 1]
    step = min(2.0 / abs(env.slope[j]), _FARTHEST)
    if left == -math.inf:
        new = right - step
    elif right == math.inf:
        new = left + step
    else:
        new = 0.5 * (left + right)
    if n >= MAX_INTERVALS or not (left < new and new < right):
        return False
    for values in (env.touch, env.slope, env.line, env.log_mass, env.waste):
        make_room(values, j, n)
    make_room(env.knot, j + 1, n + 1)
    env.knot[j + 1] = new
    env.count[0] = n + 1
    _fit(f, env, j)
    _fit(f, env, j + 1)
    return True


@jit
def _close_in(f, env):
    """Cut the interval that wastes most until little is wasted in all."""
    while True:
        top = cumulate(env)
        worst = 0
        total = 0.0
        most = -1.0
        for j in range(env.count[0]):
            wasted = env.waste[j] * math.exp(env.log_mass[j] - top)
            total += wasted
            if wasted > most:
                most = wasted
                worst = j
        if total <= _WASTE * env.mass[env.count[0] - 1]:
            return
        if not split_ratio_interval(f, env, worst):
            return


@jit
def build_ratio_envelope(f, env):
    """Lay an envelope around f; returns DONE, IMPROPER_LOW (r to infinity), IMPROPER_HIGH (r to 0) or STUCK."""
    left_slope, right_slope = end_slopes(f)
    if f.lower == -math.inf and not left_slope > 0.0:
        return IMPROPER_LOW
    if not right_slope > 0.0:
        return IMPROPER_HIGH
    middle = 0.0
    if f.lam.shape[0] > 0:
        middle = -math.log(f.lam[f.lam.shape[0] // 2])
    middle = max(middle, f.lower)
    last = middle
    step = 1.0
    for _ in range(_DOUBLINGS):
        last = middle + step
        if concave_tangent(f, last) <= -0.5 * right_slope:
            break
        step *= 2.0
    else:
        return STUCK
    first = f.lower
    if f.lower == -math.inf:
        step = 1.0
        for _ in range(_DOUBLINGS):
            first = middle - step
            if concave_tangent(f, first) + _left_line(f, first) >= 0.5 * min(left_slope, 1.0):
                break
            step *= 2.0
        else:
            return STUCK
    n = 0
    if f.lower == -math.inf:
        env.knot[0] = -math.inf
        n = 1
    env.knot[n] = first
    env.knot[n + 1] = last
    env.knot[n + 2] = math.inf
    env.count[0] = n + 2
    env.reference[0] = last
    for j in range(n + 2):
        _fit(f, env, j)
    _close_in(f, env)
    _rebase(f, env)
    _close_in(f, env)
    return DONE


@jit
def _rebase(f, env):
    """Measure heights from the highest of the points where tangents touch, which is near the mode."""
    best = -math.inf
    at = env.reference[0]
    for j in range(env.count[0]):
        height = ratio_rise(f, env.reference[0], env.touch[j])
        if height > best:
            best = height
            at = env.touch[j]
    env.reference[0] = at
    for j in range(env.count[0]):
        _fit(f, env, j)


@jit
def draw_log_ratios(f, env, uniforms, out, iters, start):
    """Fill `out[start:]` with exact draws of t, three uniforms a candidate.

    Returns (number filled, status).  On NEED_MORE the call is repeated with fresh uniforms from where it stopped;
    `iters` (zeros on entry) counts candidates per draw.
    """
    used = 0
    i = start
    n = env.count[0]
    while i < out.shape[0]:
        if used + 3 > uniforms.shape[0]:
            return i, NEED_MORE
        j = min(np.searchsorted(env.mass[:n], uniforms[used] * env.mass[n - 1], side="right"), n - 1)
        t = _within(env.knot[j], env.knot[j + 1], env.slope[j], uniforms[used + 1])
        log_accept = ratio_log_acceptance(f, env, j, t)
        iters[i] += 1
        if not log_accept <= _GUARD:
            return i, BROKEN
        if math.log1p(-uniforms[used + 2]) <= log_accept:
            out[i] = t
            i += 1
        elif iters[i] >= MAX_CANDIDATES:
            return i, STUCK
        used += 3
    return i, DONE
