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
from glmbayes.kernels.log_density import LogDensity
from glmbayes.kernels.log_precision import DONE, NEED_MORE, build_envelope, draw_log_precisions, new_envelope

_TRIES = 8
_SLICES = 3
_STEPS = 1000  # never reached: a slice ends after some ten steps


@jit
def _log_precision(rng, f):
    """One exact draw of u = exp(t) from the density `f` of t; NaN when it is improper."""
    env = new_envelope()
    if build_envelope(f, env) != DONE:
        return math.nan
    out = np.empty(1)
    iters = np.zeros(1, np.int64)
    status = NEED_MORE
    while status == NEED_MORE:
        _, status = draw_log_precisions(f, env, rng.random(12), out, iters, 0)
    return math.exp(out[0]) if status == DONE else math.nan


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
