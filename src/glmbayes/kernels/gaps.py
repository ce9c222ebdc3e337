"""A logarithm less its tangent, log-gamma and its slope less their asymptotes: free of cancellation."""

import math

from glmbayes.kernels.jit import jit

_LOG_ROOT_2PI = 0.5 * math.log(2.0 * math.pi)


@jit
def log1p_gap(d):
    """d - log(1 + d) >= 0, for d > -1."""
    if abs(d) > 0.1:
        return d - math.log1p(d)
    s = 0.0
    for k in range(17, 1, -1):
        s = 1.0 / k - d * s
    return d * d * s


@jit
def stirling_remainder(x):
    """log Gamma(x) less its Stirling approximation (x - 1/2) log x - x + log(2 pi) / 2, for x > 0."""
    if x < 10.0:
        return math.lgamma(x) - (x - 0.5) * math.log(x) + x - _LOG_ROOT_2PI
    q = 1.0 / (x * x)
    return (1.0 - q * (1.0 / 30.0 - q * (1.0 / 105.0 - q * (1.0 / 140.0 - q / 99.0)))) / (12.0 * x)


@jit
def stirling_slope(x):
    """x (log x - digamma(x)) - 1/2: minus the derivative of `stirling_remainder` in log x; in (0, 1/2)."""
    if x < 10.0:
        y = x
        s = 0.0
        while y < 10.0:
            s += 1.0 / y
            y += 1.0
        q = 1.0 / (y * y)
        tail = 0.5 / y + q * (1.0 / 12.0 - q * (1.0 / 120.0 - q * (1.0 / 252.0 - q * (1.0 / 240.0 - q / 132.0))))
        return x * (s + tail - math.log(y / x)) - 0.5
    q = 1.0 / (x * x)
    return (1.0 - q * (0.1 - q * (1.0 / 21.0 - q * (0.05 - q * (1.0 / 11.0 - q * 691.0 / 2730.0))))) / (12.0 * x)
