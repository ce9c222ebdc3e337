"""Conditional draws of a variance: the precision of normal effects whose sum of squares is known.

m effects N(0, 1/u) with sum of squares s, under a prior on the precision u of the form

    u^power exp(-rate u - c / u - d / sqrt(u)) (u + g)^-e,     u >= lower,

(all priors on a standard deviation in `glmbayes.priors.sigma`, and gamma precisions) have the conditional density
with power + m/2 and rate + s/2.  In t = log u that is of the form of `log_density`, so the draw is
exact for every one of these priors, without the auxiliary variables of a scale mixture.
"""

import math

import numpy as np

from glmbayes.kernels.gamma import draw_gamma
from glmbayes.kernels.jit import jit
from glmbayes.kernels.log_density import LogDensity, derivatives, rise
from glmbayes.kernels.tangent_envelope import envelope_candidate, insert_tangent, place_tangents

_TRIES = 8
_SLICES = 3
_STEPS = 1000  # never reached: a slice ends after some ten steps
_CANDIDATES = 10_000
_CAPACITY = 24
_SEARCH = 200
_GRADIENT = 1e-3  # in standard deviations; tangents need no exact mode


@jit
def _log_precision_mode(f):
    """A point near the maximum of a density `f` without spectrum, its slope and curvature; NaN if there is none."""
    t = max(math.log(f.a / f.b) if f.a > 0.0 and f.b > 0.0 else 0.0, f.lower)
    lo = f.lower
    hi = math.inf
    reach = 2.0
    first = math.nan
    second = math.nan
    for _ in range(_SEARCH):
        first, second = derivatives(f, t)
        if abs(first) <= _GRADIENT * math.sqrt(-second) or (first < 0.0 and t == f.lower):
            return t, first, -second
        if not math.isfinite(first):
            break
        if first > 0.0:
            lo = t
        else:
            hi = t
        new = t - first / second if second < 0.0 else math.nan
        if not abs(new - t) <= reach:
            new = t + math.copysign(reach, first)
            reach *= 2.0
        if new <= lo or new >= hi:  # past what is known: halve, or try the end itself
            new = 0.5 * (lo + hi) if lo > -math.inf and hi < math.inf else (lo if new <= lo else hi)
            if lo == f.lower and hi - lo < 1e-3:
                new = lo
        if new == t:
            return t, first, -second
        t = new
    return math.nan, first, second


@jit
def _log_precision_reach(f, t, curvature, side):
    """Distance from t over which f falls by 0.35 to 3; 0 when it does not."""
    d = math.sqrt(2.0 / curvature) if curvature > 0.0 else 1.0
    inner = 0.0
    outer = math.inf
    for _ in range(_SEARCH):
        value = rise(f, t, t + side * d)
        if not value > -3.0:
            outer = d
        elif value > -0.35:
            inner = d
        else:
            return d
        d = 2.0 * d if outer == math.inf else (0.5 * (inner + outer) if inner > 0.0 else 0.3 * d)
    return 0.0


@jit
def _log_precision(rng, f):
    """One exact draw of u = exp(t) from the density `f` of t, concave without a spectrum; NaN when it is improper.

    Tangents at the mode and where f has fallen by about one, and wherever a candidate is rejected.
    """
    centre, first, curvature = _log_precision_mode(f)
    if math.isnan(centre):
        return math.nan
    work = np.empty((6, _CAPACITY))
    at = work[0]
    height = work[1]
    slope = work[2]
    left = work[3]
    mass = work[4]
    k = insert_tangent(at, height, slope, 0, 0.0, 0.0, first)
    for side in (-1.0, 1.0):
        d = _log_precision_reach(f, centre, curvature, side)
        if side < 0.0:
            d = min(d, centre - f.lower) if d > 0.0 else (centre - f.lower if f.lower > -math.inf else 0.0)
        if d > 0.0:
            s, _ = derivatives(f, centre + side * d)
            k = insert_tangent(at, height, slope, k, side * d, rise(f, centre, centre + side * d), s)
    lower = f.lower - centre
    if not place_tangents(at, height, slope, left, mass, work[5], k, lower, math.inf):
        return math.nan
    for _ in range(_CANDIDATES):
        d, cover = envelope_candidate(rng, at, height, slope, left, mass, k, math.inf)
        value = rise(f, centre, centre + d)
        if rng.standard_exponential() >= cover - value:
            return math.exp(centre + d)
        if k < _CAPACITY and math.isfinite(value):
            s, _ = derivatives(f, centre + d)
            k = insert_tangent(at, height, slope, k, d, value, s)
            place_tangents(at, height, slope, left, mass, work[5], k, lower, math.inf)
    return math.nan


@jit
def draw_truncated_gamma(rng, shape, rate, lower):
    """A Gamma(shape, rate) variate that is at least `lower`; any real shape, as long as lower > 0.

    Parameters
    ----------
    rng : numpy.random.Generator
    shape, rate : float
        Density proportional to x^(shape - 1) exp(-rate x); rate > 0.
    lower : float
        Smallest value, >= 0.

    Examples
    --------
    >>> import numpy as np
    >>> from glmbayes import kernels
    >>> kernels.draw_truncated_gamma(np.random.default_rng(1), 3.5, 2.0, 1.0) >= 1.0
    True
    """
    if not rate > 0.0 or (lower <= 0.0 and not shape > 0.0):
        return math.nan
    if lower <= 0.0:
        return draw_gamma(rng, shape) / rate
    if shape > 0.0:
        for _ in range(_TRIES):  # the usual case: hardly any truncation
            u = draw_gamma(rng, shape) / rate
            if u >= lower:
                return u
    none = np.empty(0)
    return _log_precision(rng, LogDensity(shape, rate, 0.0, 0.0, 0.0, 1.0, none, none, math.log(lower), math.inf))


@jit
def draw_precision(rng, effects, squares, terms, upper):
    """A draw of the precision u = 1 / sd^2 of normal effects, given their sum of squares.

    Parameters
    ----------
    rng : numpy.random.Generator
    effects : float
        Number of effects m.
    squares : float
        Their sum of squares.
    terms : (6,) float array
        power, rate, c, d, e, g of the prior on the precision: the `terms` of dHalfCauchy, dUniform and the other
        priors on a standard deviation; (shape - 1, rate, 0, 0, 0, 1) for a gamma precision.
    upper : float
        Largest standard deviation allowed (infinity for none).

    Returns
    -------
    float
        NaN when the conditional is improper (a flat prior with all effects 0, say).

    Examples
    --------
    >>> import numpy as np
    >>> from glmbayes import dHalfCauchy, kernels
    >>> kernels.draw_precision(np.random.default_rng(1), 8.0, 200.0, dHalfCauchy(5).terms, np.inf) > 0
    True
    """
    shape = terms[0] + 1.0 + 0.5 * effects
    rate = terms[1] + 0.5 * squares
    lower = upper**-2.0 if upper < math.inf else 0.0
    if terms[2] == 0.0 and terms[3] == 0.0 and terms[4] == 0.0:
        # as draw_truncated_gamma, not called from here: every level of calls is optimised again, a second of compiling
        if not rate > 0.0 or (lower <= 0.0 and not shape > 0.0):
            return math.nan
        if shape > 0.0:
            for _ in range(_TRIES):
                u = draw_gamma(rng, shape) / rate
                if u >= lower:
                    return u
    none = np.empty(0)
    start = math.log(lower) if lower > 0.0 else -math.inf
    return _log_precision(
        rng, LogDensity(shape, rate, terms[2], terms[3], terms[4], terms[5], none, none, start, math.inf)
    )


@jit
def _log_conditional(t, shape, rate, terms):
    """Log density of t = log u, the prior's terms included in `shape` and `rate`."""
    u = math.exp(t)
    value = shape * t - rate * u
    if terms[2] > 0.0:
        value -= terms[2] / u
    if terms[3] > 0.0:
        value -= terms[3] / math.sqrt(u)
    if terms[4] > 0.0:
        value -= terms[4] * math.log(u + terms[5])
    return value


@jit
def update_precision(rng, u, effects, squares, terms, upper):
    """`draw_precision` as steps of a Markov chain from the value `u`, for samplers that have many things to compile.

    A gamma conditional is drawn exactly; else three univariate slice updates (Neal 2003) of log u follow one another.
    """
    shape = terms[0] + 1.0 + 0.5 * effects
    rate = terms[1] + 0.5 * squares
    lower = upper**-2.0 if upper < math.inf else 0.0
    if lower == 0.0 and terms[2] == 0.0 and terms[3] == 0.0 and terms[4] == 0.0:
        return draw_gamma(rng, shape) / rate if shape > 0.0 else math.nan
    width = 4.0 / math.sqrt(max(0.5 * effects, 1.0))
    start = math.log(lower) if lower > 0.0 else -math.inf
    t = math.log(u)
    for _ in range(_SLICES):
        level = _log_conditional(t, shape, rate, terms) + math.log(1.0 - rng.random())
        left = t - width * rng.random()
        right = left + width
        point = left
        new = t
        for stage in range(3):  # step out to the left, to the right, then shrink
            for _ in range(_STEPS):
                if stage == 2:
                    point = left + (right - left) * rng.random()
                else:
                    point = left if stage == 0 else right
                inside = point >= start and _log_conditional(point, shape, rate, terms) > level
                if stage == 2:
                    if inside:
                        new = point
                        break
                    if point < t:
                        left = point
                    else:
                        right = point
                elif not inside:
                    break
                elif stage == 0:
                    left -= width
                else:
                    right += width
        t = new
    return math.exp(t)
