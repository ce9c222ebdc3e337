from decimal import Decimal, getcontext

import numpy as np
from scipy import integrate

from glmbayes.kernels.gaps import log1p_gap, stirling_remainder, stirling_slope
from glmbayes.kernels.series import exp_tail2

getcontext().prec = 60


def test_exp_tail2_has_no_cancellation():
    for v in np.concatenate([-np.logspace(-12, 1.5, 60), np.logspace(-12, 2, 60), [0.3, -0.3]]):
        x = Decimal(float(v))
        want = x.exp() - 1 - x
        assert abs(Decimal(exp_tail2(v)) / want - 1) < Decimal("2e-15"), v
    assert exp_tail2(0.0) == 0.0


def test_log1p_gap_has_no_cancellation():
    for v in np.concatenate([-np.logspace(-12, -1e-3, 60), np.logspace(-12, 6, 60), [0.1, -0.1]]):
        x = Decimal(float(v))
        want = x - (1 + x).ln()
        assert abs(Decimal(log1p_gap(v)) / want - 1) < Decimal("2e-14"), v
    assert log1p_gap(0.0) == 0.0


def _binet(f):
    return integrate.quad(f, 0.0, 8.0, epsabs=0, epsrel=1e-12, limit=400)[0]


def test_stirling_against_binets_integrals():
    for x in (0.02, 0.3, 1.0, 2.0, 7.3, 9.999, 10.0, 35.0, 1e4, 1e9):
        r = _binet(lambda t, x=x: 2.0 * np.arctan(t / x) / np.expm1(2 * np.pi * t))
        d = _binet(lambda t, x=x: 2.0 * x * t / ((t * t + x * x) * np.expm1(2 * np.pi * t)))
        assert abs(stirling_remainder(x) - r) < 1e-14 + 1e-11 * r * (x >= 10), x
        assert abs(stirling_slope(x) / d - 1) < (1e-9 if x < 10 else 1e-11), x
    assert abs(stirling_slope(1e-300) - 0.5) < 1e-15


def test_python_and_compiled_agree():
    for f in (exp_tail2, log1p_gap, stirling_remainder, stirling_slope):
        for x in (1e-9, 0.05, 0.7, 12.0):
            assert abs(getattr(f, "py_func", f)(x) / f(x) - 1) < 1e-12 or abs(f(x)) < 1e-12
