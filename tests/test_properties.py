"""Properties of random problems: shapes of results, what rescaling does, what must not matter at all.

With one stream, related problems give related draws, not only related distributions: the tests compare numbers.
"""

import copy
import math
import pickle
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glmbayes import (
    Prior_Setup,
    dExponential,
    dFlat,
    dGamma,
    dHalfCauchy,
    dHalfNormal,
    dHalfT,
    dIndependent_Normal,
    dIndependent_Normal_Gamma,
    dNormal,
    dNormal_Gamma,
    dUniform,
    rglmb,
    rglmb_blocks,
    rlmb,
    rlmb_blocks,
)

INF = math.inf
several = settings(max_examples=80, deadline=None, derandomize=True)
KINDS = ("known", "conjugate", "gamma", "limits", "given beta", "half-normal", "half-t", "exponential", "flat")


class Problem(NamedTuple):
    """Rows and a prior, the prior as a function of units: of the response, and of each column."""

    y: np.ndarray
    x: np.ndarray
    offset: np.ndarray
    weights: np.ndarray
    mu: np.ndarray
    Sigma: np.ndarray
    kind: str

    def prior(self, c=1.0, d=1.0, mu=None):
        """For a response in units 1/c and columns in units 1/d: beta is c / d times as large, phi c^2."""
        scale = c / (d * np.ones(self.mu.size))
        mu = (self.mu if mu is None else mu) * scale
        Sigma = self.Sigma * np.outer(scale, scale)
        c2 = c * c
        return {
            "known": lambda: dNormal(mu, Sigma, 0.6 * c2),
            "conjugate": lambda: dNormal_Gamma(mu, Sigma / c2, 1.5, 0.8 * c2),
            "gamma": lambda: dIndependent_Normal_Gamma(mu, Sigma, 1.5, 0.8 * c2),
            "limits": lambda: dIndependent_Normal_Gamma(mu, Sigma, 1.5, 0.8 * c2, 0.3 * c2, 2.0 * c2),
            "given beta": lambda: dGamma(1.5, 0.8 * c2, mu),
            "half-normal": lambda: dIndependent_Normal(mu, Sigma, dHalfNormal(1.3 * c)),
            "half-t": lambda: dIndependent_Normal(mu, Sigma, dHalfT(3.0, 1.3 * c)),
            "exponential": lambda: dIndependent_Normal(mu, Sigma, dExponential(0.7 / c)),
            "flat": lambda: dIndependent_Normal(mu, Sigma, dUniform(9.0 * c)),
        }[self.kind]()


@st.composite
def problems(draw, rows=(1, 12), columns=(1, 5), kinds=KINDS):
    n, p = draw(st.integers(*rows)), draw(st.integers(*columns))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kind = draw(st.sampled_from(kinds))
    at_least = 1
    if kind in ("half-normal", "half-t", "exponential", "flat"):  # proper only when no p coefficients fit the rows
        at_least, n = p + 1, n + p + 1
    root = rng.standard_normal((p, p + 1))
    return Problem(
        y=2.0 * rng.standard_normal(n),
        x=rng.standard_normal((n, p)),
        offset=rng.standard_normal(n) if draw(st.booleans()) else np.zeros(n),
        weights=rng.integers(0, 4, n) + 1.0 * (np.arange(n) < at_least),
        mu=rng.standard_normal(p),
        Sigma=root @ root.T / p + 0.2 * np.eye(p),
        kind=kind,
    )


def run(q, n=6, prior=None, **change):
    """Draws with one stream; `change` replaces rows."""
    rows = {"y": q.y, "x": q.x, "offset": q.offset, "weights": q.weights, "rng": 11} | change
    return rlmb(n, rows.pop("y"), rows.pop("x"), q.prior() if prior is None else prior, **rows)


def same(q, a, b, c=1.0, d=1.0, shift=0.0, rtol=1e-6):
    """Whether the draws `b` are `a` with the response times c, columns times d, beta moved by `shift`.

    With fewer rows than coefficients some directions know the prior only, and any basis of them will do: rounding
    decides, and the draws agree in what the rows see.
    """
    rows = (q.x * d)[q.weights > 0]
    for one, other in ((a.coefficients, b.coefficients), (a.coef_mode, b.coef_mode)):
        moved = one * (c / d) + shift
        if len(rows) < q.mu.size:
            moved, other = moved @ rows.T, other @ rows.T
        np.testing.assert_allclose(other, moved, rtol=rtol, atol=rtol * np.max(np.abs(moved)))
    np.testing.assert_allclose(b.dispersion, c * c * a.dispersion, rtol=rtol)
    assert (b.iters == a.iters).all()


# --- shapes -----------------------------------------------------------------------------------------------------------


def sound(array, shape, kind="f"):
    assert array.shape == shape
    assert array.dtype.kind == kind
    assert array.dtype.itemsize == 8
    assert np.isfinite(array).all()


@several
@given(q=problems(), n=st.sampled_from([1, 2, 8, 9, 40]), weights_type=st.sampled_from(["frequency", "precision"]))
def test_shapes_of_draws(q, n, weights_type):
    fit, p = run(q, n, weights_type=weights_type), q.mu.size
    sound(fit.coefficients, (n, p))
    sound(fit.dispersion, (n,))
    sound(fit.coef_mode, (p,))
    sound(fit.iters, (n,), "i")
    assert (fit.dispersion > 0.0).all()
    assert (fit.iters >= 1).all()
    if q.kind == "limits":
        assert 0.3 <= fit.dispersion.min() <= fit.dispersion.max() <= 2.0


@several
@given(q=problems(rows=(4, 12)), n=st.sampled_from([1, 2, 9]), sizes=st.integers(1, 4), by_label=st.booleans())
def test_shapes_of_blocks(q, n, sizes, by_label):
    labels = np.arange(q.y.size) % sizes
    rows = {"block": labels} if by_label else {"sizes": np.bincount(labels)}
    fit, p = rlmb_blocks(n, q.y, q.x, q.prior(), offset=q.offset, **rows), q.mu.size
    sound(fit.coefficients, (n, sizes, p))
    sound(fit.dispersion, (n, sizes))
    sound(fit.coef_mode, (sizes, p))
    sound(fit.iters, (n, sizes), "i")
    assert (fit.blocks == np.arange(sizes)).all() if by_label else fit.blocks is None


@several
@given(q=problems(), family=st.sampled_from(["binomial", "poisson"]), n=st.sampled_from([1, 7]))
def test_shapes_of_glm_draws(q, family, n):
    y = np.rint(np.abs(q.y)) if family == "poisson" else (q.y > 0) * 1.0
    prior, p = dNormal(q.mu, q.Sigma), q.mu.size
    fit = rglmb(n, y, q.x, family, prior, offset=q.offset, weights=q.weights)
    sound(fit.coefficients, (n, p))
    sound(fit.coef_mode, (p,))
    sound(fit.iters, (n,), "i")
    assert (fit.dispersion == 1.0).all()
    assert fit.dispersion.shape == (n,)
    blocks = rglmb_blocks(n, y, q.x, family, prior, sizes=np.ones(y.size, int), offset=q.offset)
    sound(blocks.coefficients, (n, y.size, p))
    sound(blocks.coef_mode, (y.size, p))
    sound(blocks.iters, (n, y.size), "i")


# --- units ------------------------------------------------------------------------------------------------------------


@several
@given(q=problems(), c=st.floats(1e-6, 1e6))
def test_scaling_the_response(q, c):
    same(q, run(q), run(q, y=c * q.y, offset=c * q.offset, prior=q.prior(c=c)), c=c)


@several
@given(q=problems(), scale=st.lists(st.floats(1e-4, 1e4), min_size=5, max_size=5))
def test_scaling_columns(q, scale):
    d = np.array(scale[: q.mu.size])
    same(q, run(q), run(q, x=q.x * d, prior=q.prior(d=d)), d=d)


@several
@given(q=problems(), c=st.floats(1e-3, 1e3))
def test_scaling_precision_weights(q, c):
    """Weights times c^2 and the dispersion times c^2 are the same variances."""
    if q.kind in ("given beta", "known"):
        prior = dGamma(1.5, 0.8 * c * c, q.mu) if q.kind == "given beta" else dNormal(q.mu, q.Sigma, 0.6 * c * c)
    else:
        prior = dIndependent_Normal_Gamma(q.mu, q.Sigma, 1.5, 0.8 * c * c)
        q = q._replace(kind="gamma")
    a = run(q, weights_type="precision")
    b = run(q, weights=c * c * q.weights, weights_type="precision", prior=prior)
    same(q, a, replace(b, dispersion=b.dispersion / (c * c)))


def test_a_forgotten_square_is_noticed():
    """The planted fault of the scaling laws: a rate in units of the standard deviation."""
    rng = np.random.default_rng(1)
    q = Problem(*rng.standard_normal((1, 6)), rng.standard_normal((6, 1)), np.zeros(6), np.ones(6), np.zeros(1),
                np.eye(1), "gamma")  # fmt: skip
    wrong = dIndependent_Normal_Gamma([0.0], [[1.01**2]], 1.5, 0.8 * 1.01)
    with pytest.raises(AssertionError):
        same(q, run(q), run(q, y=1.01 * q.y, prior=wrong), c=1.01)


# --- what must not matter ---------------------------------------------------------------------------------------------


@several
@given(q=problems(), seed=st.integers(0, 1000))
def test_order_of_rows(q, seed):
    order = np.random.default_rng(seed).permutation(q.y.size)
    same(q, run(q), run(q, y=q.y[order], x=q.x[order], offset=q.offset[order], weights=q.weights[order]))


@several
@given(q=problems())
def test_weights_are_rows_written_often(q):
    often = np.repeat(np.arange(q.y.size), q.weights.astype(int))
    same(q, run(q), run(q, y=q.y[often], x=q.x[often], offset=q.offset[often], weights=None))


@several
@given(q=problems())
def test_precision_weights_of_zero_and_one(q):
    kept = q.weights > 0
    a = run(q, weights=kept * 1.0, weights_type="precision")
    same(q, a, run(q, y=q.y[kept], x=q.x[kept], offset=q.offset[kept], weights=None))


@several
@given(q=problems(), shift=st.lists(st.floats(-5, 5), min_size=5, max_size=5))
def test_offset_is_taken_from_the_response(q, shift):
    b = np.array(shift[: q.mu.size])
    same(q, run(q), run(q, y=q.y - q.offset, offset=None), rtol=1e-5)
    moved = q.prior(mu=q.mu - b)
    same(q, run(q), run(q, offset=q.offset + q.x @ b, prior=moved), shift=-b, rtol=1e-5)


@several
@given(q=problems(rows=(2, 8)), family=st.sampled_from(["binomial", "poisson"]), seed=st.integers(0, 1000))
def test_order_and_repetition_of_glm_rows(q, family, seed):
    """The same posterior mode; draws depend on the order by rounding, which can reject a candidate, so no numbers."""
    y = np.rint(np.abs(q.y)) if family == "poisson" else (q.y > 0) * 1.0
    prior = dNormal(q.mu, q.Sigma)
    mode = rglmb(1, y, q.x, family, prior, offset=q.offset, weights=q.weights).coef_mode
    order = np.random.default_rng(seed).permutation(y.size)
    often = np.repeat(np.arange(y.size), q.weights.astype(int))
    for rows, weights in ((order, q.weights[order]), (often, None)):
        fit = rglmb(1, y[rows], q.x[rows], family, prior, offset=q.offset[rows], weights=weights)
        np.testing.assert_allclose(fit.coef_mode, mode, rtol=1e-6, atol=1e-6)


# --- streams and blocks -----------------------------------------------------------------------------------------------


@several
@given(q=problems(), n=st.sampled_from([1, 8, 9, 30]), seed=st.integers(0, 2**63))
def test_same_seed_same_draws(q, n, seed):
    stream = np.random.default_rng(seed)
    a, b = run(q, n, rng=seed), run(q, n, rng=stream)
    for name in ("coefficients", "dispersion", "coef_mode", "iters"):
        assert np.array_equal(getattr(a, name), getattr(b, name))
    if q.kind != "given beta":
        assert not np.array_equal(a.coefficients, run(q, n, rng=stream).coefficients)


@several
@given(q=problems(rows=(2, 12), kinds=("known", "given beta", "gamma", "limits", "half-t")))
def test_one_block_is_a_single_call(q):
    """The same stream, the same numbers; several blocks have their distributions in test_rlmb_blocks."""
    one = run(q, 4, weights=None)
    block = rlmb_blocks(4, q.y, q.x, q.prior(), sizes=[q.y.size], offset=q.offset, rng=11)
    np.testing.assert_allclose(block.coefficients[:, 0], one.coefficients, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(block.dispersion[:, 0], one.dispersion, rtol=1e-6)
    np.testing.assert_allclose(block.coef_mode[0], one.coef_mode, rtol=1e-6, atol=1e-9)


# --- frozen values ----------------------------------------------------------------------------------------------------


@several
@given(q=problems())
def test_priors_are_frozen_and_rebuild_themselves(q):
    prior = q.prior()
    for name in ("shape", "rate", "mu", "Sigma", "dispersion", "beta", "anything"):
        with pytest.raises(AttributeError, match="immutable"):
            setattr(prior, name, 1.0)
    names = ("beta",) if q.kind == "given beta" else ("mu", "Sigma_0" if q.kind == "conjugate" else "Sigma")
    for name in names:
        with pytest.raises(ValueError, match="read-only"):
            getattr(prior, name)[...] = 0.0
    truth = run(q, prior=prior)
    for twin in (pickle.loads(pickle.dumps(prior)), copy.copy(prior), copy.deepcopy(prior)):
        assert repr(twin) == repr(prior)
        again = run(q, prior=twin)
        assert np.array_equal(again.coefficients, truth.coefficients)
        assert np.array_equal(again.dispersion, truth.dispersion)


def test_a_changed_pickle_is_checked_again():
    """A frozen value passes the checks of its constructor however it is made."""
    for prior in (dNormal([0.0], [[1.0]], 2.0), dGamma(1.0, 2.0, [0.0]), dHalfCauchy(2.0), dFlat(), dUniform(2.0)):
        rebuild, arguments = prior.__reduce__()
        assert repr(rebuild(*arguments)) == repr(prior)
    rebuild, (kind, arguments, names) = dNormal([0.0], [[1.0]], 2.0).__reduce__()
    with pytest.raises(ValueError, match="positive definite"):
        rebuild(kind, arguments | {"Sigma": [[-1.0]]}, names)


# --- Prior_Setup ------------------------------------------------------------------------------------------------------


@st.composite
def tables(draw):
    n = draw(st.integers(6, 15))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return {"y": rng.standard_normal(n), "a": rng.standard_normal(n), "g": rng.permutation(np.arange(n) % 2)}


SETUP = ("mu", "Sigma", "Sigma_0", "dispersion", "shape", "rate", "shape_ING", "rate_gamma", "coefficients")


def alike(one, other, **factor):
    for name in SETUP:
        truth = getattr(one, name) * factor.get(name, 1.0) + factor.get(name + "_plus", 0.0)
        got = getattr(other, name)
        np.testing.assert_allclose(got, truth, rtol=1e-7, atol=1e-9 * np.max(np.abs(truth)), err_msg=name)


@settings(max_examples=8, deadline=None, derandomize=True)
@given(data=tables(), c=st.floats(1e-3, 1e3), seed=st.integers(0, 1000))
def test_units_and_order_of_a_setup(data, c, seed):
    formula = "y ~ a + g"
    one = Prior_Setup(formula, data)
    c2 = c * c
    scaled = Prior_Setup(formula, data | {"y": c * data["y"]})
    alike(one, scaled, mu=c, coefficients=c, Sigma=c2, dispersion=c2, rate=c2, rate_gamma=c2)
    d = np.array([1.0, 1.0 / c, 1.0])
    column = Prior_Setup(formula, data | {"a": c * data["a"]})
    alike(one, column, mu=d, coefficients=d, Sigma=np.outer(d, d), Sigma_0=np.outer(d, d))
    up = np.array([c, 0.0, 0.0])
    alike(one, Prior_Setup(formula, data | {"y": data["y"] + c}), mu_plus=up, coefficients_plus=up)
    alike(one, Prior_Setup(formula, data, offset=np.full(data["y"].size, c)), mu_plus=-up, coefficients_plus=-up)
    order = np.random.default_rng(seed).permutation(data["y"].size)
    alike(one, Prior_Setup(formula, {name: values[order] for name, values in data.items()}))
