"""One coefficient, a normal prior, any log-concave likelihood: exact draws with the whole set-up compiled.

The log posterior is concave, so three tangents (`tangent_envelope`) bound it everywhere; a rejected candidate
becomes a tangent of its own.  Everything is measured from a point near the mode and through the families'
`bracket`, so that weights of 1e10 lose nothing to cancellation.
"""

import math

import numpy as np

from glmbayes.kernels.family_terms import bracket, curvature, loglik, score, start_eta
from glmbayes.kernels.jit import jit
from glmbayes.kernels.tangent_envelope import (
    ACCEPT_SLACK,
    envelope_candidate,
    insert_tangent,
    place_tangents,
)

OK = 0
IMPROPER = 1  # a flat prior, and a likelihood that does not fall off on one side
CAPPED = 2  # too many candidates in a row
BROKEN = 3  # a candidate above the envelope: must never happen
NOT_FINITE = 4  # missing or infinite input, or a likelihood that overflows

CAPACITY = 24
_PANELS = 2000
_GAUSS = np.polynomial.legendre.leggauss(16)
_GAUSS_NODES = 0.5 * (1.0 + _GAUSS[0])  # on (0, 1)
_GAUSS_WEIGHTS = 0.5 * _GAUSS[1]
_TRIES = 10_000
_NEWTON_CAP = 200
_GRADIENT = 1e-5  # in posterior standard deviations: the rest is kept as a linear term
_STEP = 2.0  # longest first step, in units of the linear predictor
_REACH = math.sqrt(2.0)  # a normal has fallen by one there


@jit
def _gradient(fam, y, x, offset, weights, theta):
    """Gradient and curvature of the log-likelihood at `theta`."""
    g = 0.0
    h = 0.0
    for i in range(y.shape[0]):
        w = weights[i] if weights.shape[0] > 0 else 1.0
        if w > 0.0:
            eta = x[i] * theta + (offset[i] if offset.shape[0] > 0 else 0.0)
            g += w * x[i] * score(fam, eta, y[i])
            h += w * x[i] * x[i] * curvature(fam, eta, y[i])
    return g, h


@jit
def _start(fam, y, x, offset, weights, mu, precision):
    """One least-squares step from the saturated fit, as iteratively reweighted least squares begins.

    Returns the point and the largest |x|.
    """
    top = precision * mu
    bottom = precision
    widest = 0.0
    for i in range(y.shape[0]):
        w = weights[i] if weights.shape[0] > 0 else 1.0
        if w > 0.0 and x[i] != 0.0:
            eta = start_eta(fam, y[i], w)
            omega = w * curvature(fam, eta, y[i])
            widest = max(widest, abs(x[i]))
            top += omega * x[i] * (eta - (offset[i] if offset.shape[0] > 0 else 0.0))
            bottom += omega * x[i] * x[i]
    return (top / bottom if bottom > 0.0 else mu), widest


@jit
def centre_1d(fam, y, x, offset, weights, mu, precision):
    """A point near the mode: (theta, gradient, curvature) of the log posterior, NaN where it is not finite.

    Newton's steps inside the bracket that the signs of the gradient give; the gradient left over is at most
    1e-5 posterior standard deviations.
    """
    theta, widest = _start(fam, y, x, offset, weights, mu, precision)
    lo = -np.inf
    hi = np.inf
    reach = _STEP / widest if widest > 0.0 else np.inf
    g = np.nan
    h = np.nan
    for _ in range(_NEWTON_CAP):
        g, h = _gradient(fam, y, x, offset, weights, theta)
        g -= precision * (theta - mu)
        h += precision
        if math.isnan(g):
            break
        if math.isfinite(g) and abs(g) <= _GRADIENT * math.sqrt(h):
            break
        if g > 0.0:
            lo = theta
        else:
            hi = theta
        new = theta + g / h if h > 0.0 and math.isfinite(g) else np.nan
        if hi - lo < np.inf:
            if not lo < new < hi:
                new = 0.5 * (lo + hi)
                if not lo < new < hi:
                    break
        elif not abs(new - theta) <= reach:  # Newton's step out of a flat region is far too long
            new = theta + math.copysign(reach, g)
            reach *= 4.0
        theta = new
    return theta, g, h


@jit
def _fall(fam, y, x, offset, weights, centre, g, precision, d):
    """Log posterior at centre + d less that at the centre."""
    f = g * d - 0.5 * precision * d * d
    for i in range(y.shape[0]):
        w = weights[i] if weights.shape[0] > 0 else 1.0
        if w > 0.0:
            eta = x[i] * centre + (offset[i] if offset.shape[0] > 0 else 0.0)
            f += w * bracket(fam, eta, y[i], x[i] * d)
    return f


@jit
def _slope(fam, y, x, offset, weights, centre, g, precision, d):
    """Derivative of `_fall`."""
    s = g - precision * d
    for i in range(y.shape[0]):
        w = weights[i] if weights.shape[0] > 0 else 1.0
        if w > 0.0:
            eta = x[i] * centre + (offset[i] if offset.shape[0] > 0 else 0.0)
            s += w * x[i] * (score(fam, eta + x[i] * d, y[i]) - score(fam, eta, y[i]))
    return s


@jit
def _distance(fam, y, x, offset, weights, centre, g, h, precision, side):
    """How far from the centre the log density has fallen by about one (0.35 to 3), and the fall.

    (0, 0) when it does not fall.
    """
    d = _REACH / math.sqrt(h)
    inner = 0.0
    outer = np.inf
    for _ in range(200):
        f = _fall(fam, y, x, offset, weights, centre, g, precision, side * d)
        if not f > -3.0:
            outer = d
        elif f > -0.35:
            inner = d
        else:
            return d, f
        if outer == np.inf:
            d *= 2.0
        elif inner > 0.0:
            d = 0.5 * (inner + outer)
        else:
            d *= min(max(math.sqrt(-1.0 / f), 0.1), 0.6) if math.isfinite(f) else 0.1
    return 0.0, 0.0


@jit
def build_1d(fam, y, x, offset, weights, centre, g, h, precision, at, height, slope):
    """Tangents at the centre and where the log density has fallen by about one: how many, 0 if improper."""
    at[0] = 0.0
    height[0] = 0.0
    slope[0] = g
    k = 1
    for side in (-1.0, 1.0):
        d, f = _distance(fam, y, x, offset, weights, centre, g, h, precision, side)
        if not d > 0.0:
            return 0
        s = _slope(fam, y, x, offset, weights, centre, g, precision, side * d)
        k = insert_tangent(at, height, slope, k, side * d, f, s)
    return k


@jit
def log_evidence_1d(fam, y, x, offset, weights, mu, variance):
    """log of the integral of likelihood times prior, by quadrature (no Monte Carlo error).

    The likelihood lacks the constant that depends on the data only (``Family.log_constant``).  NaN for a flat
    prior.  Arguments as in `draws_1d`.
    """
    precision = 1.0 / variance
    centre, g, h = centre_1d(fam, y, x, offset, weights, mu, precision)
    if not (math.isfinite(g) and 0.0 < h < np.inf and precision > 0.0):
        return np.nan
    total = 0.0
    for side in (-1.0, 1.0):
        width, _ = _distance(fam, y, x, offset, weights, centre, g, h, precision, side)
        left = 0.0
        for _ in range(_PANELS):
            part = 0.0
            for j in range(_GAUSS_NODES.shape[0]):
                d = side * (left + width * _GAUSS_NODES[j])
                part += _GAUSS_WEIGHTS[j] * math.exp(_fall(fam, y, x, offset, weights, centre, g, precision, d))
            total += width * part
            left += width
            if part * width <= 1e-18 * total:
                break
    value = math.log(total) - 0.5 * math.log(2.0 * math.pi * variance)
    value -= 0.5 * (centre - mu) * (centre - mu) * precision
    for i in range(y.shape[0]):
        w = weights[i] if weights.shape[0] > 0 else 1.0
        if w > 0.0:
            value += w * loglik(fam, x[i] * centre + (offset[i] if offset.shape[0] > 0 else 0.0), y[i])
    return value


@jit
def draws_1d(rng, fam, y, x, offset, weights, mu, variance, work, out, iters):
    """Exact draws for one coefficient.

    Parameters
    ----------
    rng : numpy.random.Generator
    fam : kernel type of the family, such as ``families.poisson().kernel``
    y, x : (n,) arrays
        Response, and the one column of the design.
    offset, weights : (n,) arrays, or empty arrays for none
    mu, variance : float
        Normal prior; an infinite variance is a flat prior.
    work : (6, CAPACITY) array
    out : (m,) array
        Receives the draws.
    iters : (m,) int array
        Receives the number of candidates of each draw.

    Returns
    -------
    status : int
        OK, IMPROPER, CAPPED, BROKEN or NOT_FINITE.
    mode : float
    """
    precision = 1.0 / variance
    centre, g, h = centre_1d(fam, y, x, offset, weights, mu, precision)
    if not (math.isfinite(centre) and math.isfinite(g) and h < np.inf):
        return NOT_FINITE, np.nan
    if not h > 0.0:
        return IMPROPER, np.nan
    mode = centre + g / h
    at = work[0]
    height = work[1]
    slope = work[2]
    left = work[3]
    mass = work[4]
    top = work[5]
    k = build_1d(fam, y, x, offset, weights, centre, g, h, precision, at, height, slope)
    if k == 0 or not place_tangents(at, height, slope, left, mass, top, k, -np.inf, np.inf):
        return IMPROPER, mode
    for i in range(out.shape[0]):
        accepted = False
        for c in range(_TRIES):
            d, cover = envelope_candidate(rng, at, height, slope, left, mass, k, np.inf)
            f = _fall(fam, y, x, offset, weights, centre, g, precision, d)
            if f - cover > ACCEPT_SLACK:
                return BROKEN, mode
            if rng.standard_exponential() >= cover - f:
                out[i] = centre + d
                iters[i] = c + 1
                accepted = True
                break
            if k < CAPACITY and math.isfinite(f):
                s = _slope(fam, y, x, offset, weights, centre, g, precision, d)
                k = insert_tangent(at, height, slope, k, d, f, s)
                place_tangents(at, height, slope, left, mass, top, k, -np.inf, np.inf)
        if not accepted:
            return CAPPED, mode
    return OK, mode


@jit
def draw_glm_1d(rng, fam, y, x, offset, weights, mu, variance):
    """One exact draw of one coefficient with prior N(mu, variance); for use inside your own compiled loops.

    Parameters
    ----------
    rng : numpy.random.Generator
    fam : kernel type of the family, such as ``families.poisson().kernel``
    y, x : (n,) arrays
        Response, and the one column of the design.
    offset, weights : (n,) arrays, or empty arrays for none
    mu, variance : float
        Normal prior (a variance, not a standard deviation).

    Returns
    -------
    draw : float
        NaN unless the status is 0.
    status : int
        OK, IMPROPER, CAPPED, BROKEN or NOT_FINITE of this module.
    """
    out = np.empty(1)
    iters = np.empty(1, np.int64)
    status, _ = draws_1d(rng, fam, y, x, offset, weights, mu, variance, np.empty((6, CAPACITY)), out, iters)
    return (out[0] if status == OK else np.nan), status


@jit
def draw_blocks_1d(rng, fam, y, x, offset, weights, start, mu, variance, out, iters, modes):
    """Draws for J conditionally independent one-coefficient models, each with a prior of its own.

    Parameters
    ----------
    rng : numpy.random.Generator
    fam : kernel type of the family
    y, x : (n,) arrays, the rows of a block contiguous
    offset, weights : (n,) arrays, or empty arrays for none
    start : (J + 1,) int array
        Block j has the rows start[j] ... start[j + 1] - 1.
    mu, variance : (J,) arrays
        Prior means and variances.
    out : (J, m) array
        Receives the draws.
    iters : (J, m) int array
        Receives the candidates of each draw.
    modes : (J,) array
        Receives the posterior modes.

    Returns
    -------
    status : int
        OK, or the first failure.
    block : int
        The block that failed.
    """
    work = np.empty((6, CAPACITY))
    for j in range(mu.shape[0]):
        a = start[j]
        b = start[j + 1]
        o = offset[a:b] if offset.shape[0] > 0 else offset
        w = weights[a:b] if weights.shape[0] > 0 else weights
        status, modes[j] = draws_1d(rng, fam, y[a:b], x[a:b], o, w, mu[j], variance[j], work, out[j], iters[j])
        if status != OK:
            return status, j
    return OK, -1
