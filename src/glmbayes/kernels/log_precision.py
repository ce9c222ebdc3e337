"""Exact draws of the log precision t = log u, u = 1 / dispersion, from a one-dimensional density.

With beta integrated out of an independent normal prior, the log density of t is, up to a constant,

    f(t) = a t - b e^t - c e^-t - d e^(-t/2) - sum_i h_i log(1 + e^(t + l_i)) - sum_i k_i S(t + l_i),

S the logistic function, h_i, k_i >= 0, l_i = log lambda_i.  a, b, c, d collect the prior on the precision (or on the
residual standard deviation), the Jacobian and the likelihood; h_i = 1/2 and k_i = z_i^2 / (2 lambda_i) come from the
coefficients; a half-t prior on the standard deviation adds one more h.

Every term but the last is concave in t, and S splits into a convex part (S left of 0, its tangent line right of 0)
and a concave part (the rest).  So f = concave + convex exactly.  On any partition of the line the concave part lies
below its tangents and the convex part below its chords, which makes a piecewise exponential envelope that holds
everywhere, both tails included, and closes on f as the partition is refined: a rejection bisects the interval in
which it happened.  Working in t rather than u needs no special treatment of either end: the tail slopes of f are
positive on the left and negative on the right exactly when the posterior is proper.
"""

import math
from typing import NamedTuple

import numpy as np

from glmbayes.kernels.jit import jit

MAX_KNOTS = 160
MAX_CANDIDATES = 1_000_000

DONE = 0
NEED_MORE = 1  # uniforms ran out
STUCK = 2  # MAX_CANDIDATES for a single draw
BROKEN = 3  # the envelope was below the density: must never happen
IMPROPER = 4

_GUARD = 1e-8


class LogDensity(NamedTuple):
    """The density f of the module's text, restricted to lower <= t <= upper (log precision)."""

    a: float
    b: float
    c: float
    d: float
    log_lambda: np.ndarray
    h: np.ndarray
    k: np.ndarray
    lower: float
    upper: float


class Envelope(NamedTuple):
    """Piecewise exponential bound.  Interval j runs from knot j to knot j + 1; `count[0]` intervals are in use."""

    knot: np.ndarray
    convex: np.ndarray  # convex part at the knots
    touch: np.ndarray  # where the tangent touches, in interval j
    slope: np.ndarray  # of the bound
    log_mass: np.ndarray
    mass: np.ndarray  # relative to the largest
    count: np.ndarray
    scale: np.ndarray  # (mode, sd) of f, for steps into the tails


@jit
def logistic(x):
    """1 / (1 + exp(-x)) without overflow."""
    if x >= 0.0:
        return 1.0 / (1.0 + math.exp(-x))
    e = math.exp(x)
    return e / (1.0 + e)


@jit
def softplus(x):
    """log(1 + exp(x)) without overflow."""
    if x > 0.0:
        return x + math.log1p(math.exp(-x))
    return math.log1p(math.exp(x))


@jit
def _exp(x):
    return math.exp(min(x, 709.0))


@jit
def log_density(f, t):
    """f(t), without its normalising constant."""
    value = f.a * t
    if f.b > 0.0:
        value -= f.b * _exp(t)
    if f.c > 0.0:
        value -= f.c * _exp(-t)
    if f.d > 0.0:
        value -= f.d * _exp(-0.5 * t)
    for i in range(f.h.shape[0]):
        x = t + f.log_lambda[i]
        value -= f.h[i] * softplus(x) + f.k[i] * logistic(x)
    return value


@jit
def _derivatives(f, t):
    """First and second derivative of f."""
    first = f.a
    second = 0.0
    if f.b > 0.0:
        e = f.b * _exp(t)
        first -= e
        second -= e
    if f.c > 0.0:
        e = f.c * _exp(-t)
        first += e
        second -= e
    if f.d > 0.0:
        e = f.d * _exp(-0.5 * t)
        first += 0.5 * e
        second -= 0.25 * e
    for i in range(f.h.shape[0]):
        s = logistic(t + f.log_lambda[i])
        q = s * (1.0 - s)
        first -= f.h[i] * s + f.k[i] * q
        second -= f.h[i] * q + f.k[i] * q * (1.0 - 2.0 * s)
    return first, second


@jit
def _concave_slope(f, t, with_logistic):
    """Derivative of the concave part; without the logistic terms on the last, unbounded interval."""
    slope = f.a
    if f.b > 0.0:
        slope -= f.b * _exp(t)
    if f.c > 0.0:
        slope += f.c * _exp(-t)
    if f.d > 0.0:
        slope += 0.5 * f.d * _exp(-0.5 * t)
    for i in range(f.h.shape[0]):
        x = t + f.log_lambda[i]
        s = logistic(x)
        slope -= f.h[i] * s
        if with_logistic:
            slope -= f.k[i] * (s * (1.0 - s) if x < 0.0 else 0.25)
    return slope


@jit
def _convex(f, t):
    """The convex part: -k (S(x) - 1/2 - x/4) where x = t + l > 0."""
    total = 0.0
    for i in range(f.k.shape[0]):
        x = t + f.log_lambda[i]
        if x > 0.0:
            total += f.k[i] * (0.25 * x + 0.5 - logistic(x))
    return total


@jit
def _concave_gap(f, t, touch, with_logistic):
    """Concave part at t minus its tangent from `touch`, each term as a difference free of cancellation; <= 0."""
    delta = t - touch
    up = math.expm1(min(delta, 709.0))
    gap = 0.0
    if f.b > 0.0:
        gap -= f.b * _exp(touch) * (up - delta)
    if f.c > 0.0:
        gap -= f.c * _exp(-touch) * (math.expm1(min(-delta, 709.0)) + delta)
    if f.d > 0.0:
        gap -= f.d * _exp(-0.5 * touch) * (math.expm1(min(-0.5 * delta, 709.0)) + 0.5 * delta)
    for i in range(f.h.shape[0]):
        x = touch + f.log_lambda[i]
        s = logistic(x)
        # above 30 the difference of softplus values, below it the log1p form, which keeps small deltas
        if delta < 30.0:
            gap -= f.h[i] * (math.log1p(s * up) - s * delta)
        else:
            gap -= f.h[i] * (softplus(x + delta) - softplus(x) - s * delta)
        k = f.k[i]
        if k > 0.0 and with_logistic:
            slope = s * (1.0 - s) if x < 0.0 else 0.25
            y = x + delta
            if x < 0.0 and y < 0.0:
                rise = -logistic(y) * (1.0 - s) * math.expm1(-delta)
            elif x >= 0.0 and y >= 0.0:
                rise = 0.25 * delta
            else:
                rise = (logistic(y) if y < 0.0 else 0.5 + 0.25 * y) - (s if x < 0.0 else 0.5 + 0.25 * x)
            gap -= k * (rise - slope * delta)
    return gap


@jit
def log_acceptance(f, env, j, t):
    """f minus the bound at a point t of interval j: the logarithm of the acceptance probability."""
    last = j == env.count[0] - 1 and f.upper == math.inf
    gap = _concave_gap(f, t, env.touch[j], not last)
    left = env.knot[j]
    right = env.knot[j + 1]
    if last:  # the logistic terms decrease: bounded by their value at the left end
        for i in range(f.k.shape[0]):
            if f.k[i] > 0.0:
                x = left + f.log_lambda[i]
                gap += f.k[i] * logistic(x + (t - left)) * (1.0 - logistic(x)) * math.expm1(-(t - left))
    elif left == -math.inf:
        gap += _convex(f, t) - env.convex[j + 1]
    elif env.convex[j + 1] > 0.0:
        rise = (env.convex[j + 1] - env.convex[j]) / (right - left)
        gap += _convex(f, t) - env.convex[j] - rise * (t - left)
    return gap


@jit
def _log_exp_mean(y):
    """log((1 - exp(-y)) / y) for y >= 0."""
    if y < 1e-8:
        return -0.5 * y
    return math.log(-math.expm1(-y) / y)


@jit
def _fit_interval(f, env, j):
    """Place the tangent of interval j and compute its mass."""
    left = env.knot[j]
    right = env.knot[j + 1]
    sd = env.scale[1]
    last = j == env.count[0] - 1 and f.upper == math.inf
    # in the middle of an interval around the mode, near the modal end of a long one in a tail
    if left == -math.inf:
        touch = right - 0.5 * sd
    elif right == math.inf:
        touch = left + 0.5 * sd
    else:
        touch = 0.5 * (left + right)
        if left >= env.scale[0]:
            touch = min(touch, left + 0.5 * sd)
        elif right <= env.scale[0]:
            touch = max(touch, right - 0.5 * sd)
    slope = _concave_slope(f, touch, not last)
    value = log_density(f, touch)
    if last:
        for i in range(f.k.shape[0]):
            if f.k[i] > 0.0:
                x = touch + f.log_lambda[i]
                value += f.k[i] * (logistic(x) - logistic(left + f.log_lambda[i]))
    elif left == -math.inf:
        value += env.convex[j + 1] - _convex(f, touch)
    else:
        rise = (env.convex[j + 1] - env.convex[j]) / (right - left)
        value += env.convex[j] + rise * (touch - left) - _convex(f, touch)
        slope += rise
    env.touch[j] = touch
    env.slope[j] = slope
    if left == -math.inf:
        env.log_mass[j] = value + slope * (right - touch) - math.log(slope) if slope > 0.0 else math.inf
    elif right == math.inf:
        env.log_mass[j] = value + slope * (left - touch) - math.log(-slope) if slope < 0.0 else math.inf
    else:
        top = right if slope > 0.0 else left
        width = right - left
        env.log_mass[j] = value + slope * (top - touch) + math.log(width) + _log_exp_mean(abs(slope) * width)


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
def _split(f, env, j):
    """Bisect interval j (an unbounded one at twice its distance from the mode)."""
    n = env.count[0]
    if n + 1 >= MAX_KNOTS:
        return
    left = env.knot[j]
    right = env.knot[j + 1]
    mode = env.scale[0]
    if left == -math.inf:
        new = right - max(env.scale[1], mode - right)
    elif right == math.inf:
        new = left + max(env.scale[1], left - mode)
    else:
        new = 0.5 * (left + right)
    if not (left < new and new < right):
        return
    for i in range(n, j, -1):
        env.knot[i + 1] = env.knot[i]
        env.convex[i + 1] = env.convex[i]
        env.touch[i] = env.touch[i - 1]
        env.slope[i] = env.slope[i - 1]
        env.log_mass[i] = env.log_mass[i - 1]
    env.knot[j + 1] = new
    env.convex[j + 1] = _convex(f, new)
    env.count[0] = n + 1
    _fit_interval(f, env, j)
    _fit_interval(f, env, j + 1)
    _normalise(env)


@jit
def find_mode(f):
    """A local maximum of f inside its range, and a scale: (mode, sd)."""
    t = 0.0
    if f.b > 0.0 and f.a > 0.0:
        t = math.log(f.a / f.b)
    elif f.h.shape[0] > 0:
        t = -f.log_lambda[0]
    t = min(max(t, f.lower), f.upper)
    if not math.isfinite(t):
        t = 0.0
    step_cap = 8.0
    previous = 0.0
    for _ in range(200):
        first, second = _derivatives(f, t)
        if second < 0.0:
            step = -first / second
        else:
            step = math.copysign(step_cap, first)
        if step * previous < 0.0:
            step_cap *= 0.5  # the step changed sides: shrink, so that cycles end
        step = min(max(step, -step_cap), step_cap)
        previous = step
        new = min(max(t + step, f.lower), f.upper)
        if abs(new - t) <= 1e-9 * (1.0 + abs(t)):
            t = new
            break
        t = new
    first, second = _derivatives(f, t)
    sd = 1.0 / math.sqrt(max(-second, 1e-300)) if second < 0.0 else 1.0
    if abs(first) * sd > 1.0:  # the maximum is at an end of the range
        sd = 1.0 / abs(first)
    if f.upper - f.lower < math.inf:
        sd = min(sd, f.upper - f.lower)
    return t, sd


@jit
def new_envelope():
    """Empty arrays for an envelope of at most MAX_KNOTS intervals."""
    m = MAX_KNOTS + 2
    return Envelope(
        np.empty(m),
        np.empty(m),
        np.empty(m),
        np.empty(m),
        np.empty(m),
        np.empty(m),
        np.zeros(1, np.int64),
        np.empty(2),
    )


@jit
def _tail_slope_bound(limit, sd):
    """How steep the bound must be before an unbounded interval may start."""
    return 0.5 * min(abs(limit), 1.0 / sd)


@jit
def build_envelope(f, env):
    """Lay the first knots: mode and +-1..5 sd, further out until both tails of the bound fall.

    Returns DONE, or IMPROPER when no point of 200 doublings makes a tail fall.
    """
    mode, sd = find_mode(f)
    env.scale[0] = mode
    env.scale[1] = sd
    left_limit = f.a if f.c == 0.0 and f.d == 0.0 else math.inf
    right_limit = -math.inf
    if f.b == 0.0:
        right_limit = f.a
        for i in range(f.h.shape[0]):
            right_limit -= f.h[i]
    if (f.lower == -math.inf and not left_limit > 0.0) or (f.upper == math.inf and not right_limit < 0.0):
        return IMPROPER
    extra_left = 0
    extra_right = 0
    step = sd
    edge = mode - 5.0 * sd
    if f.lower == -math.inf:
        while not _concave_slope(f, edge - 0.5 * sd, True) >= _tail_slope_bound(left_limit, sd):
            step *= 2.0
            edge -= step
            extra_left += 1
            if extra_left > 50:
                return IMPROPER
    step = sd
    edge = mode + 5.0 * sd
    if f.upper == math.inf:
        while not -_concave_slope(f, edge + 0.5 * sd, False) >= _tail_slope_bound(right_limit, sd):
            step *= 2.0
            edge += step
            extra_right += 1
            if extra_right > 50:
                return IMPROPER
    m = 0
    env.knot[m] = f.lower
    m += 1
    for i in range(-5 - extra_left, 6 + extra_right):
        offset = float(i)
        if i < -5:
            offset = -5.0 - (2.0 ** (-4 - i) - 2.0)
        elif i > 5:
            offset = 5.0 + (2.0 ** (i - 4) - 2.0)
        t = mode + offset * sd
        if t > env.knot[m - 1] and t < f.upper:
            env.knot[m] = t
            m += 1
    env.knot[m] = f.upper
    env.count[0] = m
    for j in range(m + 1):
        env.convex[j] = _convex(f, env.knot[j]) if math.isfinite(env.knot[j]) else 0.0
    for j in range(m):
        _fit_interval(f, env, j)
    _normalise(env)
    return DONE


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
        if log_accept > _GUARD:
            return i, BROKEN
        if math.log1p(-uniforms[used + 2]) <= log_accept:
            out[i] = t
            i += 1
        else:
            _split(f, env, j)
            if iters[i] >= MAX_CANDIDATES:
                return i, STUCK
        used += 3
    return i, DONE
