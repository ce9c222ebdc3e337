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
