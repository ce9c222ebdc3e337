"""Densities of the log precision that are hard to bound, and a second route to each of them."""

import math

import numpy as np
from scipy.integrate import cumulative_simpson

from glmbayes import dExponential, dFlat, dHalfCauchy, dHalfNormal, dHalfT
from glmbayes.kernels import log_precision as kernel
from glmbayes.kernels.independent import marginal_log_precision
from glmbayes.kernels.jit import jit

INF = math.inf


def gamma(shape, rate):
    return (shape - 1.0, rate, 0.0, 0.0, 0.0, 1.0)


# priors on the precision or the standard deviation, as the kernels take them
PRIORS = {
    "gamma": gamma(2.0, 1.0),
    "gamma 1e-3, 1e-8": gamma(1e-3, 1e-8),
    "gamma 1e3, 1e-8": gamma(1e3, 1e-8),
    "half-normal": dHalfNormal(1.0).terms,
    "half-normal 1e-4": dHalfNormal(1e-4).terms,
    "exponential": dExponential(1.0).terms,
    "exponential 1e4": dExponential(1e4).terms,
    "half-t": dHalfT(3.0, 2.5).terms,
    "half-t 0.01": dHalfT(0.01, 1e3).terms,
    "half-t 1e5": dHalfT(1e5, 1e-3).terms,
    "half-Cauchy": dHalfCauchy(5.0).terms,
    "flat": dFlat().terms,
}


def _spread(p, low, high):
    return 10.0 ** np.linspace(low, high, p)


# singular values s, projections z, errors outside the design's range, number of observations
DATA = {
    "no coefficients": ([], [], 3.0, 6.0),
    "one observation": ([1.5], [0.7], 0.0, 1.0),
    "ordinary": ([5.0, 9.0], [4.0, 11.0], 12.0, 20.0),
    "p = 30": (_spread(30, -1, 1), _spread(30, -1, 1), 40.0, 60.0),
    "p > n": (np.r_[_spread(8, -1, 2), np.zeros(22)], np.r_[_spread(8, 0, 1), np.zeros(22)], 0.0, 8.0),
    "1e8 rows": ([3e3, 5e3], [2e3, 6e3], 1e8, 1e8),
    "1e8 rows, conflict": ([1e4, 1e4, 3e2], [1e6, 1e9, 1e3], 9e7, 1e8),
    "conflict": ([3.0, 1e-2], [300.0, 1e3], 5.0, 30.0),
    "conflict of 1e5 prior sds": ([2.0, 0.5], [2e5, 5e4], 25.0, 30.0),
    "vague and tight": ([1e8, 1e-8, 1.0], [5.0, 6.0, 7.0], 9.0, 12.0),
    "two peaks": ([1e-1], [7.0], 1e-4, 14.0),
    "two peaks far apart": ([1e-3, 1e-6], [1.0, 1e3], 1e-10, 30.0),
    "steps": (_spread(12, -8, 8), _spread(12, -6, 10), 1e-12, 25.0),
    "exact fit": ([2.0, 3.0, 4.0], [1.0, 5.0, 2.0], 0.0, 3.0),
    "exact fit, more rows": ([2.0, 3.0, 4.0], [1.0, 5.0, 2.0], 0.0, 9.0),
}

# limits on t = log precision
WINDOWS = {
    "none": (-INF, INF),
    "upper limit on the sd": (-2.0 * math.log(3.0), INF),
    "lower limit on the sd": (-INF, 1.0),
    "both": (-1.0, 0.5),
    "far left": (-INF, -25.0),
    "far right": (10.0, INF),
    "farther right": (25.0, INF),
    "far left, both": (-30.0, -25.0),
    "far right, both": (10.0, 12.0),
    "narrow": (0.3, 0.3 + 1e-6),
}


def density(prior, data, window="none"):
    s, z, rss, n_w = DATA[data]
    lower, upper = WINDOWS[window]
    s, z = np.array(s, float), np.array(z, float)
    return marginal_log_precision(s, z, rss, n_w, PRIORS[prior], lower, upper)


def envelope(f):
    """(envelope, status)."""
    env = kernel.new_envelope()
    return env, kernel.build_envelope(f, env)


def draws(f, env, n, rng):
    """`n` draws and the candidates that each took."""
    out, iters = np.empty(n), np.zeros(n, np.int64)
    done, status = 0, kernel.NEED_MORE
    while status == kernel.NEED_MORE:
        done, status = kernel.draw_log_precisions(f, env, rng.random(3 * (n - done) + 60), out, iters, done)
    assert status == kernel.DONE, status
    return out, iters


def log_values(f, t):
    """The density at points t, in extended precision and straight from its definition."""
    t = np.asarray(t, np.longdouble)
    value = f.a * t
    with np.errstate(over="ignore"):
        for coefficient, power in ((f.b, t), (f.c, -t), (f.d, -t / 2)):
            if coefficient > 0.0:
                value = value - coefficient * np.exp(power)
    value -= f.e * np.logaddexp(0, t - np.log(np.longdouble(f.g)))
    for lam, k in zip(f.lam, f.k):
        x = t + np.log(np.longdouble(lam))
        value -= np.logaddexp(0, x) / 2 + k * np.exp(-np.logaddexp(0, -x))
    return value


def cdf(f):
    """Distribution function by Simpson's rule on a grid that is halved until it follows the density everywhere."""
    lower, upper = max(f.lower, -8e3), min(f.upper, 8e3 if f.b == 0.0 else 700.0)
    turns = -np.log(f.lam)
    grid = np.concatenate([np.linspace(max(lower, -80.0), min(upper, 80.0), 1601), np.linspace(lower, upper, 401)])
    if f.a > 0.0 and f.b > 0.0:
        grid = np.append(grid, math.log(f.a / f.b))
    grid = np.unique(np.clip(np.concatenate([grid, turns]), lower, upper))
    with np.errstate(over="ignore"):
        value = log_values(f, grid)
        for _ in range(60):
            top = value.max()
            higher = np.maximum(value[1:], value[:-1])
            coarse = (higher > top - 45.0) & (np.abs(np.diff(value)) > 0.1) & (np.diff(grid) > 1e-13 * np.abs(grid[1:]))
            coarse[1:] |= coarse[:-1]  # the neighbours too: the two sides of a peak may be of equal height
            coarse[:-1] |= coarse[1:]
            if not coarse.any():
                break
            middle = 0.5 * (grid[1:] + grid[:-1])[coarse]
            grid = np.concatenate([grid, middle])
            order = np.argsort(grid)
            grid, value = grid[order], np.concatenate([value, log_values(f, middle)])[order]
    kept = value > value.max() - 50.0
    kept[1:] |= kept[:-1]
    kept[:-1] |= kept[1:]
    grid, value = grid[kept], value[kept]
    weight = np.exp((value - value.max()).astype(float))
    total = np.maximum.accumulate(cumulative_simpson(weight, x=grid, initial=0.0))
    return lambda t: np.interp(t, grid, total / total[-1])


def highest_log_acceptance(f, env, uniforms):
    """The largest log acceptance found; see `highest`."""
    return highest(kernel.log_acceptance, f, env, 30.0 * (env.scale[1] + env.scale[2]), uniforms)


@jit
def highest(log_acceptance, f, env, spread, uniforms):
    """The largest log acceptance found by maximising it from many starts, a golden section search from each.

    `uniforms` (starts, 3): interval, start in it, width of the search; tails are searched over `spread`.
    """
    ratio = 0.6180339887498949
    worst = -INF
    for r in range(uniforms.shape[0]):
        j = int(uniforms[r, 0] * env.count[0])
        left, right = env.knot[j], env.knot[j + 1]
        if left == -INF:
            left = right - spread
        if right == INF:
            right = left + spread
        width = (right - left) * 10.0 ** (-7.0 * uniforms[r, 2])
        start = left + uniforms[r, 1] * (right - left)
        if r % 3 == 0:
            start = env.touch[j]
        low, high = max(left, start - width), min(right, start + width)
        a, b = high - ratio * (high - low), low + ratio * (high - low)
        at_a, at_b = log_acceptance(f, env, j, a), log_acceptance(f, env, j, b)
        for _ in range(40):
            if at_a > at_b:
                high, b, at_b = b, a, at_a
                a = high - ratio * (high - low)
                at_a = log_acceptance(f, env, j, a)
            else:
                low, a, at_a = a, b, at_b
                b = low + ratio * (high - low)
                at_b = log_acceptance(f, env, j, b)
            if not (at_a <= worst and at_b <= worst):
                worst = max(at_a, at_b) if at_a == at_a and at_b == at_b else INF
        for t in (left, right, low, high):
            at = log_acceptance(f, env, j, t)
            if not at <= worst:
                worst = at if at == at else INF
    return worst
