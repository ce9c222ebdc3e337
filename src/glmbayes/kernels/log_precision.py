"""Exact draws of the log precision t from the density f of `glmbayes.kernels.log_density`.

Every term of f is concave in t but the -k S(t), S logistic: those are concave where lambda u < 1 and convex beyond.
On a partition of the line that has the points lambda_i u = 1 among its knots, concave terms lie below their tangents
and convex ones below their chords, which makes a piecewise exponential envelope that holds everywhere, both tails
included, and closes on f as the partition is refined: a rejection bisects the interval in which it happened.

Working in t rather than u needs no special treatment of either end: the tail slopes of f are positive on the left and
negative on the right exactly when the posterior is proper.  In the tails an S above its turning point is bounded by its
steepest line on the left, and by its value at the knot on the right.
"""

import math
from typing import NamedTuple

import numpy as np

from glmbayes.kernels.first_knots import TURNED, first_knots, tail_slopes, toward
from glmbayes.kernels.jit import jit
from glmbayes.kernels.log_density import concave_gap, concave_slope, derivatives, precision, rise, share_rise, shares

MAX_KNOTS = 200
MAX_CANDIDATES = 1_000_000

DONE = 0
NEED_MORE = 1  # uniforms ran out
STUCK = 2  # MAX_CANDIDATES for a single draw
BROKEN = 3  # the envelope was below the density: must never happen
IMPROPER_LOW = 4  # mass at t = -infinity: the dispersion goes to infinity
IMPROPER_HIGH = 5  # mass at t = infinity: the dispersion goes to 0
TOO_LARGE = 6  # design times prior standard deviation leaves what a double holds

_GUARD = 1e-8
_INTERIOR, _LEFT, _RIGHT = 0, 1, 2


class Envelope(NamedTuple):
    """Piecewise exponential bound.  Interval j runs from knot j to knot j + 1; `count[0]` intervals are in use."""

    knot: np.ndarray
    touch: np.ndarray  # where the tangent touches, in interval j
    slope: np.ndarray  # of the bound
    chord: np.ndarray  # the part of the slope that comes from chords
    log_mass: np.ndarray
    mass: np.ndarray  # relative to the largest
    count: np.ndarray  # intervals; whether the first and the last are tails
    scale: np.ndarray  # mode of f, widths of f to its left and right


@jit
def new_envelope():
    """Empty arrays for an envelope of at most MAX_KNOTS intervals."""
    m = MAX_KNOTS + 2
    arrays = np.empty((6, m))
    return Envelope(
        arrays[0], arrays[1], arrays[2], arrays[3], arrays[4], arrays[5], np.zeros(3, np.int64), np.empty(3)
    )


@jit
def build_envelope(f, env):
    """Find the mode and lay the first knots around it.

    Returns DONE, or IMPROPER_LOW or IMPROPER_HIGH when a tail does not fall.
    """
    left_slope, right_slope = tail_slopes(f)
    if f.lower == -math.inf and not left_slope > 0.0:
        return IMPROPER_LOW
    if f.upper == math.inf and not right_slope > 0.0:
        return IMPROPER_HIGH
    n, left_tail, right_tail = first_knots(f, env.scale, env.knot)
    if n == 0:
        return STUCK
    env.count[0] = n
    env.count[1] = 1 if left_tail else 0
    env.count[2] = 1 if right_tail else 0
    for j in range(n):
        _fit_interval(f, env, j)
    _normalise(env)
    return DONE


@jit
def _kind(env, j):
    if j == 0 and env.count[1] == 1:
        return _LEFT
    if j == env.count[0] - 1 and env.count[2] == 1:
        return _RIGHT
    return _INTERIOR


@jit
def _log_exp_mean(y):
    """log((1 - exp(-y)) / y) for y >= 0."""
    if y < 1e-8:
        return -0.5 * y
    return math.log(-math.expm1(-y) / y)


@jit
def _touch(f, env, left, right):
    """Where the tangent of an interval touches: in the middle, or in outer intervals near the modal end."""
    mode = env.scale[0]
    middle = 0.5 * (left + right)
    if left >= mode:
        reach = min(middle - left, 0.5 * env.scale[2])
        steep = -concave_slope(f, precision(left + reach))
        if steep * reach > 4.0:  # the mass is nearer still
            reach = 1.0 / max(abs(derivatives(f, left)[0]), 1.0 / reach)
        return left + reach
    if right <= mode:
        reach = min(right - middle, 0.5 * env.scale[1])
        steep = concave_slope(f, precision(right - reach))
        if steep * reach > 4.0:
            reach = 1.0 / max(abs(derivatives(f, right)[0]), 1.0 / reach)
        return right - reach
    return middle


@jit
def _fit_interval(f, env, j):
    """Place the tangent of interval j and compute the mass of the bound."""
    left = env.knot[j]
    right = env.knot[j + 1]
    mode = env.scale[0]
    kind = _kind(env, j)
    touch = _touch(f, env, left, right)
    u = precision(touch)
    slope = concave_slope(f, u)
    value = rise(f, mode, touch)
    chord = 0.0
    end = right if kind == _LEFT else left
    u_end = precision(end)
    fall = -math.expm1(-abs(touch - end))
    width = right - left
    u_right = precision(right)
    fall_right = -math.expm1(-width)
    for i in range(f.lam.shape[0]):
        share, rest = shares(f.lam[i] * u)
        share0, rest0 = shares(f.lam[i] * u_end)
        if (kind == _INTERIOR and share < 0.5) or (kind == _LEFT and share0 < TURNED):
            slope -= f.k[i] * share * rest
            continue
        line = 0.0
        if kind == _LEFT:
            line = -0.25 * f.k[i]
        elif kind == _INTERIOR:
            share1, rest1 = shares(f.lam[i] * u_right)
            line = -f.k[i] * share_rise(share0, rest0, share1, rest1, width, fall_right) / width
        chord += line
        value += line * (touch - end) + f.k[i] * share_rise(share0, rest0, share, rest, touch - end, fall)
    slope += chord
    env.touch[j] = touch
    env.slope[j] = slope
    env.chord[j] = chord
    if left == -math.inf:
        env.log_mass[j] = value + slope * (right - touch) - math.log(slope) if slope > 0.0 else math.inf
    elif right == math.inf:
        env.log_mass[j] = value + slope * (left - touch) - math.log(-slope) if slope < 0.0 else math.inf
    else:
        top = right if slope > 0.0 else left
        env.log_mass[j] = value + slope * (top - touch) + math.log(width) + _log_exp_mean(abs(slope) * width)


@jit
def log_acceptance(f, env, j, t):
    """f minus the bound at a point t of interval j: the logarithm of the acceptance probability."""
    left = env.knot[j]
    right = env.knot[j + 1]
    touch = env.touch[j]
    kind = _kind(env, j)
    u = precision(t)
    u_touch = precision(touch)
    gap = concave_gap(f, touch, u_touch, t, u)
    # chords are measured from the nearer end, where they meet the curve
    end = right if kind == _LEFT or (kind == _INTERIOR and right - t < t - left) else left
    u_end = precision(end)
    delta = t - touch
    fall = -math.expm1(-abs(delta))
    fall_end = -math.expm1(-abs(t - end))
    for i in range(f.lam.shape[0]):
        share, rest = shares(f.lam[i] * u)
        share0, rest0 = shares(f.lam[i] * u_touch)
        share1, rest1 = shares(f.lam[i] * u_end)
        if (kind == _INTERIOR and share0 < 0.5) or (kind == _LEFT and share1 < TURNED):
            gap -= f.k[i] * (share_rise(share0, rest0, share, rest, delta, fall) - share0 * rest0 * delta)
        else:
            gap -= f.k[i] * share_rise(share1, rest1, share, rest, t - end, fall_end)
    return gap - env.chord[j] * (t - end)


@jit
def _normalise(env):
    n = env.count[0]
    top = -math.inf
    for j in range(n):
        top = max(top, env.log_mass[j])
    total = 0.0
    for j in range(n):
        env.mass[j] = math.exp(env.log_mass[j] - top)
        total += env.mass[j]
    env.mass[n] = total


@jit
def make_room(values, j, n):
    """Move the entries j to n - 1 up by one."""
    for i in range(n, j, -1):
        values[i] = values[i - 1]


@jit
def split_interval(f, env, j):
    """Bisect interval j (a tail at twice its distance from the mode, or at the next turning point)."""
    n = env.count[0]
    if n + 1 >= MAX_KNOTS:
        return
    left = env.knot[j]
    right = env.knot[j + 1]
    mode = env.scale[0]
    kind = _kind(env, j)
    if kind == _LEFT:
        new = right - max(env.scale[1], mode - right)
        if new <= left:
            new = 0.5 * (left + right)
        new = toward(f, right, new)
    elif kind == _RIGHT:
        new = left + max(env.scale[2], left - mode)
        if new >= right:
            new = 0.5 * (left + right)
        new = toward(f, left, new)
    else:
        new = 0.5 * (left + right)
    if not (left < new and new < right):
        return
    for values in (env.touch, env.slope, env.chord, env.log_mass):
        make_room(values, j, n)
    make_room(env.knot, j + 1, n + 1)
    env.knot[j + 1] = new
    env.count[0] = n + 1
    _fit_interval(f, env, j)
    _fit_interval(f, env, j + 1)
    _normalise(env)


@jit
def propose(env, u_interval, u_place):
    """A candidate from the envelope: (interval, t)."""
    n = env.count[0]
    target = u_interval * env.mass[n]
    j = 0
    while j < n - 1 and target >= env.mass[j]:
        target -= env.mass[j]
        j += 1
    left = env.knot[j]
    right = env.knot[j + 1]
    slope = env.slope[j]
    if left == -math.inf:
        return j, right + math.log1p(-u_place) / slope
    if right == math.inf:
        return j, left + math.log1p(-u_place) / slope
    width = right - left
    y = abs(slope) * width
    if y < 1e-8:
        drop = u_place * width
    else:
        drop = -math.log1p(u_place * math.expm1(-y)) / abs(slope)
    t = right - drop if slope > 0.0 else left + drop
    return j, min(max(t, left), right)


@jit
def draw_log_precisions(f, env, uniforms, out, iters, start):
    """Fill `out[start:]` with exact draws of t, three uniforms a candidate, refining the envelope on the way.

    Returns (number filled, status).  On NEED_MORE the call is repeated with fresh uniforms from where it stopped;
    `iters` (zeros on entry) counts candidates per draw.
    """
    used = 0
    i = start
    while i < out.shape[0]:
        if used + 3 > uniforms.shape[0]:
            return i, NEED_MORE
        j, t = propose(env, uniforms[used], uniforms[used + 1])
        log_accept = log_acceptance(f, env, j, t)
        iters[i] += 1
        if not log_accept <= _GUARD:
            return i, BROKEN
        if math.log1p(-uniforms[used + 2]) <= log_accept:
            out[i] = t
            i += 1
        else:
            split_interval(f, env, j)
            if iters[i] >= MAX_CANDIDATES:
                return i, STUCK
        used += 3
    return i, DONE
