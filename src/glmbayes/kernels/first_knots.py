"""The mode of the log precision's density, and a first partition around it."""

import math

import numpy as np

from glmbayes.kernels.jit import jit
from glmbayes.kernels.log_density import concave_slope, derivatives, precision, rise, shares

_EDGE = 3.0  # the knots reach to where f has dropped by this much ...
_FAR = 100.0  # ... and preferably not by more than this
_FIRST = 2  # knots on each side before the steps double
TURNED = 0.5000001  # an S above it is past its turning point, and not at a knot there, by whatever rounding
_MOST = 90  # knots on each side


@jit
def find_mode(f, start):
    """A local maximum of f inside its range, uphill from `start`."""
    t = min(max(start, f.lower), f.upper)
    cap = 8.0
    previous = 0.0
    for _ in range(200):
        first, second = derivatives(f, t)
        step = -first / second if second < 0.0 else math.copysign(cap, first)
        if step * previous < 0.0:
            cap *= 0.5  # the step changed sides: shrink, so that cycles end
        step = min(max(step, -cap), cap)
        previous = step
        new = min(max(t + step, f.lower), f.upper)
        if abs(new - t) <= 1e-9 * (1.0 + abs(t)):
            return new
        t = new
    return t


@jit
def _start(f):
    """Where to look for the mode first: that of the gamma part, or the largest lambda u = 1."""
    t = 0.0
    if f.a > 0.0 and f.b > 0.0:
        t = math.log(f.a / f.b)
    elif f.lam.shape[0] > 0 and f.lam[0] > 0.0:
        t = -math.log(f.lam[0])
    return t


@jit
def _width(f, mode, side, guess):
    """Distance from the mode on one side over which f drops by about 1."""
    width = guess
    for _ in range(100):
        drop = -rise(f, mode, mode + side * width)
        if drop > 3.0 and width > 8e-16 * abs(mode):
            width *= 0.5
        else:
            break
    for _ in range(100):
        t = mode + side * width
        if drop >= 0.5 or drop < 0.0 or not (f.lower < t and t < f.upper):
            break
        width *= 2.0
        drop = -rise(f, mode, mode + side * width)
    return 0.7 * width if drop > 3.0 else width


@jit
def toward(f, here, there):
    """`there`, or the first point with lambda_i u = 1 on the way from `here`."""
    for i in range(f.lam.shape[0]):
        turn = -math.log(f.lam[i])
        if (here < turn and turn < there) or (there < turn and turn < here):
            there = turn
    return there


@jit
def _tail_slope(f, side, edge):
    """Slope of the bound on a tail that starts at `edge`, its tangent there; further out it is steeper."""
    u = precision(edge)
    slope = concave_slope(f, u)
    if side > 0.0:
        return slope
    for i in range(f.lam.shape[0]):
        share, rest = shares(f.lam[i] * u)
        slope -= f.k[i] * (0.25 if share >= TURNED else share * rest)
    return slope


@jit
def tail_slopes(f):
    """Slopes of f towards the two ends of the line, times -side: both positive for a proper posterior."""
    left = f.a if f.c == 0.0 and f.d == 0.0 else math.inf
    right = math.inf if f.b > 0.0 else 0.5 * f.lam.shape[0] + f.e - f.a
    return left, right


@jit
def _march(f, scale, side, limit, steepest, knots):
    """Knots from the mode outwards into `knots`, until the tail beyond falls.

    Returns their number (0: not found), whether there is a tail beyond, and the highest point seen: its place and its
    height above the mode.
    """
    mode = scale[0]
    width = scale[1 if side < 0.0 else 2]
    enough = 0.5 * min(steepest, 1.0 / width)
    step = width
    here = mode
    m = 0
    best_t, best = mode, 0.0
    while m < knots.shape[0]:
        there = here + side * step
        if (limit - there) * side < 0.0:
            there = limit
        there = toward(f, here, there)
        height = rise(f, mode, there)
        falls = -side * _tail_slope(f, side, there) >= enough
        if height < -_FAR and falls and step > 1e-3 * width and here + side * 0.5 * step != here:
            step *= 0.5
            continue
        knots[m] = there
        m += 1
        if height > best:
            best_t, best = there, height
        if there == limit:
            return m, False, best_t, best
        if height < -_EDGE and falls:
            return m, True, best_t, best
        if m >= _FIRST:
            step *= 2.0
        here = there
    return 0, True, best_t, best


@jit
def first_knots(f, scale, knot):
    """Find the mode and lay knots around it, out to where both tails fall.

    `scale` (3,) receives the mode and the widths of f to its left and right, `knot` the ends of the intervals.  Returns
    the number of intervals, 0 when no such knots are found, and whether the first and the last of them are tails.
    """
    left_slope, right_slope = tail_slopes(f)
    left = np.empty(_MOST)
    right = np.empty(_MOST)
    start = _start(f)
    for _ in range(20):  # once, unless a higher mode turns up on the way
        mode = find_mode(f, start)
        first, second = derivatives(f, mode)
        guess = 1.4 / math.sqrt(-second) if second < 0.0 else 1.0
        if abs(first) * guess > 1.0:  # the maximum is at an end of the range
            guess = 1.0 / abs(first)
        guess = max(min(guess, f.upper - f.lower), 4e-16 * abs(mode))  # at least what t can resolve
        scale[0] = mode
        scale[1] = _width(f, mode, -1.0, guess)
        scale[2] = _width(f, mode, 1.0, guess)
        m_left, left_tail, left_best, left_height = _march(f, scale, -1.0, f.lower, left_slope, left)
        m_right, right_tail, right_best, right_height = _march(f, scale, 1.0, f.upper, right_slope, right)
        if m_left == 0 or m_right == 0:
            return 0, False, False
        if left_height < 1.0 and right_height < 1.0:
            break
        start = left_best if left_height > right_height else right_best
    m = 0
    if left_tail:
        knot[0] = f.lower
        m = 1
    for i in range(m_left - 1, -1, -1):
        knot[m] = left[i]
        m += 1
    if mode > knot[m - 1]:
        knot[m] = mode
        m += 1
    for i in range(m_right):
        if right[i] > knot[m - 1]:
            knot[m] = right[i]
            m += 1
    if right_tail:
        knot[m] = f.upper
        m += 1
    return m - 1, left_tail, right_tail
