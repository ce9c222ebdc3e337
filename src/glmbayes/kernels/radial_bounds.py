"""Lower bounds on the curvature along every ray, integrated twice: the exponent of the radial envelope."""

import math
from typing import NamedTuple

import numpy as np

from glmbayes.kernels.jit import jit

_EXPONENT_CAP = 3.0
_SMOOTH = 0.4  # change of the exponent over a step up to which four Gauss points are exact to 1e-12
_SUBSTEPS = 8
_G1, _G2 = 0.3399810435848563, 0.8611363115940526
_GAUSS_NODES = (0.5 - 0.5 * _G2, 0.5 - 0.5 * _G1, 0.5 + 0.5 * _G1, 0.5 + 0.5 * _G2)
_GAUSS_WEIGHTS = (0.17392742256872692, 0.32607257743127307, 0.32607257743127307, 0.17392742256872692)


class Curvature(NamedTuple):
    """Lower bounds on the curvature along rays; see methods, radial envelope.

    Attributes
    ----------
    Q : float
        Largest share of the likelihood in the curvature at the mode, 1 - lambda_min(H^-1 P).
    slope : float
        Norm of the whitened gradient left at the mode.
    rate : float
        kappa >= 1 - Q (1 - exp(-rate r)): self-concordance; infinite if it does not hold.
    cubic : (cells,) array
    quartic : (knots,) array
        kappa >= 1 - Q (1 - exp(-(cubic r + quartic[j] r^2) / Q)) up to knot j; infinite if there is no such bound.
    box : (knots,) array
        kappa >= box[j] between knots j - 1 and j; 0 where it is not known.
    """

    Q: float
    slope: float
    rate: float
    cubic: np.ndarray
    quartic: np.ndarray
    box: np.ndarray


@jit
def _exponent(Q, cubic, quartic, r):
    return min(-(cubic + quartic * r) * r / Q, _EXPONENT_CAP)


@jit
def _step_integrals(Q, cubic, quartic, a, b):
    """Lower bounds on the integrals over (a, b) of kappa(t) and (b - t) kappa(t), the cubic-quartic bound."""
    d = b - a
    e0 = _exponent(Q, cubic, quartic, a)
    e1 = _exponent(Q, cubic, quartic, b)
    em = _exponent(Q, cubic, quartic, 0.5 * (a + b))
    smooth = max(abs(em - e0), abs(e1 - em)) < 0.5 * _SMOOTH and max(e0, e1, em) < _EXPONENT_CAP
    first = 0.0
    second = 0.0
    if smooth:
        for k in range(4):
            s = _GAUSS_NODES[k]
            kappa = math.exp(_exponent(Q, cubic, quartic, a + s * d))
            first += _GAUSS_WEIGHTS[k] * kappa
            second += _GAUSS_WEIGHTS[k] * (1.0 - s) * kappa
        return (1.0 - Q + Q * first) * d, (0.5 * (1.0 - Q) + Q * second) * d * d
    left = math.exp(e0)
    for k in range(_SUBSTEPS):  # the exponent is concave in r: its minimum over a substep is at an end
        right = math.exp(_exponent(Q, cubic, quartic, a + d * (k + 1.0) / _SUBSTEPS))
        kappa = min(left, right)
        first += kappa / _SUBSTEPS
        second += kappa * (_SUBSTEPS - k - 0.5) / (_SUBSTEPS * _SUBSTEPS)
        left = right
    return (1.0 - Q + Q * first) * d, (0.5 * (1.0 - Q) + Q * second) * d * d


@jit
def bound_heights(curvature, knots, K, K_slope):
    """K and its derivative at the knots, cell by cell, into (cells, knots) arrays.

    On each step the best of the bounds is the one with the largest curvature at its middle; any choice is valid.
    """
    Q = max(curvature.Q, 1e-12)
    n_knots = knots.shape[0]
    common0 = np.empty(n_knots)
    common1 = np.empty(n_knots)
    common_middle = np.empty(n_knots)
    a = 0.0
    for j in range(n_knots):
        b = knots[j]
        common_middle[j] = curvature.box[j]
        common0[j] = curvature.box[j] * (b - a)
        common1[j] = 0.5 * curvature.box[j] * (b - a) * (b - a)
        if curvature.rate < np.inf:
            middle = 1.0 - Q + Q * math.exp(-curvature.rate * 0.5 * (a + b))
            if middle > common_middle[j]:
                common_middle[j] = middle
                common0[j], common1[j] = _step_integrals(Q, Q * curvature.rate, 0.0, a, b)
        elif common_middle[j] < 1.0 - Q:
            common_middle[j] = 1.0 - Q
            common0[j] = (1.0 - Q) * (b - a)
            common1[j] = 0.5 * (1.0 - Q) * (b - a) * (b - a)
        a = b
    for c in range(curvature.cubic.shape[0]):
        s3 = curvature.cubic[c]
        a = 0.0
        value = 0.0
        slope = -curvature.slope
        for j in range(n_knots):
            b = knots[j]
            first = common0[j]
            second = common1[j]
            s4 = curvature.quartic[j]
            if s4 < np.inf:
                middle = 1.0 - Q + Q * math.exp(_exponent(Q, s3, s4, 0.5 * (a + b)))
                if middle > common_middle[j]:
                    first, second = _step_integrals(Q, s3, s4, a, b)
            value += slope * (b - a) + second
            slope += first
            K[c, j] = value
            K_slope[c, j] = slope
            a = b
