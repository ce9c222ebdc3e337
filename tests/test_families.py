"""Family terms against independent numerical derivatives and quadrature, far tails included."""

import itertools
import pickle

import numpy as np
import pytest
from numba import njit
from scipy import integrate, special

from glmbayes import families
from glmbayes.errors import InputError
from glmbayes.kernels import family_terms as terms

ETAS = (-35.0, -21.0, -9.9, -4.0, -1.3, -0.02, 0.0, 0.4, 1.7, 3.5, 6.0)
ALL = {
    "logit": (families.binomial("logit"), (0.0, 1.0, 0.3), ETAS),
    "probit": (families.binomial("probit"), (0.0, 1.0, 0.7), ETAS),
    "cloglog": (families.binomial("cloglog"), (0.0, 1.0, 0.4), ETAS[:9]),
    "poisson": (families.poisson(), (0.0, 1.0, 12.0), ETAS),
    "gamma": (families.gamma(), (0.01, 2.0), ETAS),
    "gaussian": (families.gaussian(), (-1.0, 3.0), ETAS),
}
CASES = [
    pytest.param(family.kernel, eta, y, id=f"{name}-{eta}-{y}")
    for name, (family, ys, etas) in ALL.items()
    for eta, y in itertools.product(etas, ys)
]
STEPS = (-8.0, -1.5, -0.49, -0.09, -1e-3, 1e-5, 5e-5, 0.02, 0.3, 0.51, 2.0, 5.0)


def _differences(f, x, h=1e-3):
    """Sixth-order central difference."""
    return (45 * (f(x + h) - f(x - h)) - 9 * (f(x + 2 * h) - f(x - 2 * h)) + (f(x + 3 * h) - f(x - 3 * h))) / (60 * h)


_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(40)


def _taylor(derivative, order, eta, v):
    """Integral of (v - t)^order / order! derivative(eta + t) over t in (0, v), by 4 x 40 points."""
    s = (np.arange(4)[:, None] + 0.5 * (1.0 + _NODES)).ravel() / 4
    values = np.array([derivative(eta + t * v) for t in s])
    integral = np.sum(np.tile(_WEIGHTS, 4) / 8 * (1.0 - s) ** order * values)
    return v ** (order + 1) / special.factorial(order) * integral


@pytest.mark.parametrize(("fam", "eta", "y"), CASES)
def test_derivatives(fam, eta, y):
    noise = 1e-12 * max(1.0, abs(terms.loglik(fam, eta, y)), abs(terms.score(fam, eta, y)))
    for lower, upper, sign in ((terms.loglik, terms.score, 1), (terms.score, terms.curvature, -1)):
        want = sign * _differences(lambda t: lower(fam, t, y), eta)  # noqa: B023
        np.testing.assert_allclose(upper(fam, eta, y), want, rtol=1e-9, atol=noise)
    omega = terms.curvature(fam, eta, y)
    want = -_differences(lambda t: terms.curvature(fam, t, y), eta)
    np.testing.assert_allclose(terms.third(fam, eta, y), want, rtol=1e-8, atol=1e-9 * omega)


@pytest.mark.parametrize(("fam", "eta", "y"), CASES)
def test_bracket_and_remainder(fam, eta, y):
    for v in STEPS:
        want = -_taylor(lambda t: terms.curvature(fam, t, y), 1, eta, v)
        np.testing.assert_allclose(terms.bracket(fam, eta, y, v), want, rtol=1e-9, atol=3e-16 * abs(v))
        at_zero = terms.third(fam, eta, y)
        want = _taylor(lambda t: terms.third(fam, t, y) - at_zero, 2, eta, v)  # noqa: B023
        # the tall sampler compares it with the fourth-order bound, and never to better than 1e-5
        up, down, growing = terms.fourth_bounds(fam, eta, y, abs(v))
        scale = v**4 * (up + down + growing * np.exp(abs(v))) / 24
        np.testing.assert_allclose(terms.remainder(fam, eta, y, v), want, rtol=1e-6, atol=1e-5 * scale)


@pytest.mark.parametrize(("fam", "eta", "y"), CASES)
def test_bounds(fam, eta, y):
    omega, g_omega = terms.curvature(fam, eta, y), terms.third(fam, eta, y)
    for radius in (0.01, 0.7, 4.0, 12.0):
        t = np.linspace(-radius, radius, 201)
        c = terms.cubic_c(fam, eta, y, radius)
        up, down, growing = terms.fourth_bounds(fam, eta, y, radius)
        assert terms.cubic_c(fam, eta, y, np.inf) >= c
        assert np.all(np.array(terms.fourth_bounds(fam, eta, y, np.inf)) >= (up, down, growing))
        around = np.array([terms.curvature(fam, eta + s, y) for s in t])
        floor = terms.curvature_min(fam, eta, y, radius)
        assert floor <= around.min() * (1 + 1e-9)
        if y in (0.0, 1.0) or c == 0.0:  # sharp unless the response is a fraction
            assert floor >= around.min() * (1 - 1e-2) - 1e-300 or isinstance(fam, type(ALL["cloglog"][0].kernel))
        if np.isfinite(c) and omega > 1e-100:
            g = g_omega / omega
            assert np.all(around >= omega * np.exp(-g * t - c * t * t) * (1 - 1e-9))
        fourth = np.array([_differences(lambda s: terms.third(fam, s, y), eta + s) for s in t])
        slack = 1e-8 * (1.0 + np.abs(fourth))
        assert np.all(fourth <= up + slack)
        assert np.all(fourth >= -(down + growing * np.exp(np.abs(t))) - slack)


def test_probit_constants_are_the_extremes():
    """The bounds' constants are attained to 1e-3: neither invalid nor slack."""
    fam = families.binomial("probit").kernel
    x = np.linspace(-8.0, 8.0, 3201)
    fourth = np.array([_differences(lambda s: terms.third(fam, s, 1.0), v) for v in x])
    np.testing.assert_allclose((fourth.max(), -fourth.min()), terms.fourth_bounds(fam, 0.0, 1.0, np.inf)[:2], rtol=1e-3)
    log_omega = np.log([terms.curvature(fam, v, 1.0) for v in x])
    second = np.diff(log_omega, 2) / (x[1] - x[0]) ** 2
    np.testing.assert_allclose(-0.5 * second.min(), terms.cubic_c(fam, 0.0, 1.0, np.inf), rtol=1e-3)


@pytest.mark.parametrize("name", ALL)
def test_compiled_and_python_agree(name):
    family, ys, etas = ALL[name]

    @njit
    def everything(fam, eta, y, v):
        return (
            terms.loglik(fam, eta, y), terms.score(fam, eta, y), terms.curvature(fam, eta, y),
            terms.third(fam, eta, y), terms.bracket(fam, eta, y, v), terms.remainder(fam, eta, y, v),
            terms.curvature_min(fam, eta, y, abs(v)), terms.cubic_c(fam, eta, y, abs(v)),
            terms.fourth_bounds(fam, eta, y, abs(v))[2],
        )  # fmt: skip

    for eta, y, v in itertools.product(etas, ys, (-0.7, 0.2)):
        plain = everything.py_func(family.kernel, eta, y, v)
        np.testing.assert_allclose(everything(family.kernel, eta, y, v), plain, rtol=1e-12, atol=1e-300)


def test_loglik_against_scipy():
    eta = np.array(ETAS)
    fam = {k: v[0].kernel for k, v in ALL.items()}
    for e in eta:
        np.testing.assert_allclose(terms.loglik(fam["logit"], e, 0.3), 0.3 * e - np.logaddexp(0, e), rtol=1e-14)
        want = 0.3 * special.log_ndtr(e) + 0.7 * special.log_ndtr(-e)
        np.testing.assert_allclose(terms.loglik(fam["probit"], e, 0.3), want, rtol=1e-13)
        want = np.log(-np.expm1(-np.exp(e)))
        np.testing.assert_allclose(terms.loglik(fam["cloglog"], e, 1.0), want, rtol=1e-12, atol=1e-16)


@pytest.mark.parametrize("name", ALL)
def test_family_object(name, rng):
    family = ALL[name][0]
    eta = np.linspace(-2.0, 1.5, 8)
    mu = family.linkinv(eta)
    np.testing.assert_allclose(family.linkfun(mu), eta, atol=1e-12)
    np.testing.assert_allclose(family.mu_eta(eta), _differences(family.linkinv, eta), rtol=1e-9)
    assert np.allclose(family.deviance(mu, mu), 0.0, atol=1e-14)
    assert pickle.loads(pickle.dumps(family)) == family
    weights = np.full(8, 3.0)
    draws = np.array([family.random(rng, mu, weights, 0.5) for _ in range(4000)])
    family.check_response(draws[0])
    se = draws.std(axis=0) / np.sqrt(4000)
    assert np.all(np.abs(draws.mean(axis=0) - mu) < 4.5 * se)
    # deviance is twice the log-likelihood's fall from the saturated fit (dispersion 1)
    y = np.where(family.linkinv(eta) > 0, draws[0], draws[0])
    fall = [terms.loglik(family.kernel, e, v) for e, v in zip(eta, y)]
    inside = np.clip(y, 1e-12, 1 - 1e-12) if family.name == "binomial" else np.maximum(y, 1e-12)
    if family.name == "gaussian":
        inside = y
    best = [terms.loglik(family.kernel, e, v) for e, v in zip(family.linkfun(inside), y)]
    np.testing.assert_allclose(family.deviance(y, mu, 2.0), 4.0 * (np.array(best) - fall), atol=1e-8)


@pytest.mark.parametrize("name", ["logit", "poisson", "gamma", "gaussian"])
def test_log_constant_normalises(name):
    """loglik + constant is a log density: it sums or integrates to one."""
    family = ALL[name][0]
    one = lambda y, w, phi: (  # noqa: E731
        w / phi * terms.loglik(family.kernel, 0.3, y) + family.log_constant(np.array([y]), np.array([w]), phi)
    )
    if name == "logit":
        total = sum(np.exp(one(k / 5, 5.0, 1.0)) for k in range(6))
    elif name == "poisson":
        total = sum(np.exp(one(float(k), 1.0, 1.0)) for k in range(60))
    else:
        low = 0.0 if name == "gamma" else -40.0
        total = integrate.quad(lambda y: np.exp(one(y, 1.0, 0.7)), low, 40.0)[0]
    assert abs(total - 1.0) < 1e-8


@pytest.mark.parametrize(
    ("family", "y", "row"),
    [
        ("binomial", [0.0, 1.2], 1),
        ("poisson", [-1.0, 2.0], 0),
        ("Gamma", [1.0, 0.0], 1),
        ("binomial", [np.nan], 0),
    ],
)
def test_support(family, y, row):
    with pytest.raises(InputError, match=f"row {row} is"):
        families.get(family).check_response(np.array(y))


def test_get():
    assert families.get("Gamma") == families.gamma()
    assert families.get(families.binomial) == families.binomial("logit")
    assert families.get(families.binomial("probit")).link == "probit"
    with pytest.raises(InputError, match="did you mean 'binomial'"):
        families.get("binomal")
    with pytest.raises(InputError, match="link of binomial"):
        families.get("binomial", link="log")
    with pytest.raises(InputError, match="contradicts"):
        families.get(families.binomial("probit"), link="logit")
    with pytest.raises(InputError, match="family must be"):
        families.get(3)


def test_implementations_have_names_of_their_own():
    """numba links cached machine code by name: namesakes in a module would stand in for each other."""
    stubs = [value for value in vars(terms).values() if hasattr(value, "registry")]
    found = [f for stub in stubs for kind, f in stub.registry.items() if kind is not object]
    names = [(f.__module__, f.__qualname__) for f in found]
    assert len(stubs) > 10 and len(names) > 50
    assert len(set(names)) == len(names)
