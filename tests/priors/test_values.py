"""Priors as values: what they accept, show, forbid, survive."""

import copy
import math
import pickle
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest

from glmbayes import (
    InputError,
    dGamma,
    dHalfT,
    dIndependent_Normal,
    dIndependent_Normal_Gamma,
    dNormal,
    dNormal_Gamma,
    rlmb,
    rlmb_blocks,
)

MU, SIGMA = np.array([1.0, -2.0]), np.array([[4.0, 1.0], [1.0, 9.0]])
INF = math.inf

PRIORS = {
    "dNormal": lambda: dNormal(MU, SIGMA, dispersion=0.5),
    "dNormal_Gamma": lambda: dNormal_Gamma(MU, SIGMA, 2.0, 1.5),
    "dGamma": lambda: dGamma(2.0, 1.5, MU),
    "dGamma limits": lambda: dGamma(2.0, 1.5, MU, disp_lower=0.1, disp_upper=2.0),
    "dIndependent_Normal_Gamma": lambda: dIndependent_Normal_Gamma(MU, SIGMA, 2.0, 1.5),
    "limits": lambda: dIndependent_Normal_Gamma(MU, SIGMA, 2.0, 1.5, disp_lower=0.1, disp_upper=2.0),
    "dIndependent_Normal": lambda: dIndependent_Normal(MU, SIGMA, dHalfT(3.0, 1.0)),
    "flat": lambda: dIndependent_Normal_Gamma(MU, np.diag([INF, 2.0]), 2.0, 1.5),
    "named": lambda: dNormal(pd.Series(MU, ["a", "b"]), SIGMA, dispersion=0.5),
    "named dGamma": lambda: dGamma(2.0, 1.5, {"a": 1.0, "b": -2.0}),
}
Y, X = np.array([0.5, 1.0, -1.0, 2.0]), np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0], [1.0, 3.0]])


def same(a, b):
    return all(
        (getattr(a, field) == getattr(b, field)).all() for field in ("coefficients", "dispersion", "coef_mode", "iters")
    )


@pytest.mark.parametrize("name", PRIORS)
def test_pickle_and_copies(name):
    prior = PRIORS[name]()
    frame = pd.DataFrame(X[:, ::-1], columns=["b", "a"])  # names must survive as well
    x = frame if "named" in name else X
    draws = rlmb(5, Y, x, prior, rng=1)
    for twin in (pickle.loads(pickle.dumps(prior)), copy.copy(prior), copy.deepcopy(prior)):
        assert type(twin) is type(prior)
        assert repr(twin) == repr(prior)
        assert twin.names == prior.names
        assert same(rlmb(5, Y, x, twin, rng=1), draws)
    assert same(pickle.loads(pickle.dumps(draws)), draws)


@pytest.mark.parametrize("name", PRIORS)
def test_immutable(name):
    prior = PRIORS[name]()
    for attribute in ("mu", "Sigma", "shape", "rate", "beta", "dispersion", "sd", "names", "terms"):
        with pytest.raises(AttributeError):
            setattr(prior, attribute, 1.0)
    if hasattr(prior, "shape"):
        with pytest.raises(AttributeError, match="immutable"):
            del prior.shape
    arrays = [prior.beta] if "dGamma" in name else [prior.mu, prior.Sigma]
    for array in arrays:
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0.0


def test_dispersion_by_block_is_read_only():
    with pytest.raises(ValueError, match="read-only"):
        dNormal(0.0, 1.0, dispersion=[1.0, 2.0]).dispersion[0] = 5.0


@pytest.mark.parametrize("name", PRIORS)
def test_results_do_not_reach_into_the_prior(name):
    prior = PRIORS[name]()
    before = repr(prior)
    x = pd.DataFrame(X, columns=["a", "b"])
    fit = rlmb(1, Y, x, prior, rng=1)
    for array in (fit.coefficients, fit.coef_mode, fit.dispersion, fit.iters):
        assert array.flags.writeable
        array[...] = 77
    assert repr(prior) == before
    if "dGamma" not in name:
        for array in prior.location_scale(1.0):
            assert not np.shares_memory(array, fit.coef_mode)


def test_inputs_are_copied():
    mu, Sigma, beta, phi = MU.copy(), SIGMA.copy(), MU.copy(), np.array([1.0, 2.0])
    priors = [dNormal(mu, Sigma, dispersion=0.5), dNormal_Gamma(mu, Sigma, 1, 1), dGamma(1, 1, beta)]
    by_block = dNormal(mu, Sigma, dispersion=phi)
    before = [repr(p) for p in priors]
    for array in (mu, Sigma, beta, phi):
        array[...] = 99.0
    assert [repr(p) for p in priors] == before
    assert by_block.dispersion.tolist() == [1.0, 2.0]


def old_matrix(values):
    """numpy.matrix, which numpy itself warns about."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        return np.asmatrix(values)


FORMS = {
    "lists": ([1.0, -2.0], [[4.0, 1.0], [1.0, 9.0]]),
    "tuples of integers": ((1, -2), ((4, 1), (1, 9))),
    "integer arrays": (MU.astype(int), SIGMA.astype(int)),
    "column": (MU[:, None], SIGMA),
    "Fortran order": (MU, np.asfortranarray(SIGMA)),
    "read-only": (MU, np.broadcast_to(SIGMA, (2, 2))),
    "float32": (MU.astype("f4"), SIGMA.astype("f4")),
    "big endian": (MU.astype(">f8"), SIGMA.astype(">f8")),
    "matrix": (MU, old_matrix(SIGMA)),
    "Series": (pd.Series(MU), pd.DataFrame(SIGMA)),
    "polars": (pl.Series(MU), pl.DataFrame(SIGMA)),
    "nullable": (pd.Series([1, -2], dtype="Int64"), pd.DataFrame(SIGMA).astype("Float64")),
    "strided": (np.repeat(MU, 2)[::2], SIGMA[::-1, ::-1][::-1, ::-1]),
}


@pytest.mark.parametrize("form", FORMS)
def test_forms_of_mu_and_sigma(form):
    prior = dNormal(*FORMS[form], dispersion=1.0)
    np.testing.assert_array_equal(prior.mu, MU)
    np.testing.assert_array_equal(prior.Sigma, SIGMA)


@pytest.mark.parametrize("mu", [2.0, 2, [2.0], np.array(2.0), np.array([[2.0]]), np.float32(2.0)])
@pytest.mark.parametrize("Sigma", [9.0, 9, [9.0], [[9.0]], np.array(9.0)])
def test_scalars_for_one_coefficient(mu, Sigma):
    prior = dNormal_Gamma(mu, Sigma, np.array([2]), np.float32(1.0))
    assert (prior.mu.tolist(), prior.Sigma.tolist(), prior.shape, prior.rate) == ([2.0], [[9.0]], 2.0, 1.0)


def test_names():
    named = {"b": -2.0, "a": 1.0}
    swapped = pd.DataFrame(SIGMA, ["a", "b"], ["a", "b"])
    for Sigma in (SIGMA[::-1, ::-1], swapped, swapped.loc[["b", "a"]], swapped[["b", "a"]], pl.DataFrame(swapped)):
        for mu in (named, pd.Series(named)):
            prior = dNormal(mu, Sigma)
            assert prior.names == ("b", "a")
            assert prior.mu.tolist() == [-2.0, 1.0]
            assert prior.Sigma.tolist() == [[9.0, 1.0], [1.0, 4.0]]
    assert dNormal(MU, swapped).names == ("a", "b")
    assert dNormal(MU, SIGMA).names is None
    assert dNormal(pd.Series(MU), SIGMA).names is None
    assert dGamma(1.0, 1.0, named).names == ("b", "a")


@pytest.mark.parametrize("kind", ["dNormal", "dGamma", "dIndependent_Normal_Gamma"])
def test_named_priors_are_matched_to_the_design(kind):
    named = pd.Series([-2.0, 1.0], ["b", "a"])
    Sigma = pd.DataFrame(SIGMA, ["a", "b"], ["a", "b"])
    prior, positional = {
        "dNormal": (dNormal(named, Sigma, 1.0), dNormal(MU, SIGMA, 1.0)),
        "dGamma": (dGamma(1.0, 1.0, named), dGamma(1.0, 1.0, MU)),
        "dIndependent_Normal_Gamma": (
            dIndependent_Normal_Gamma(named, Sigma, 1.0, 1.0),
            dIndependent_Normal_Gamma(MU, SIGMA, 1.0, 1.0),
        ),
    }[kind]
    frame = pd.DataFrame(X, columns=["a", "b"])
    assert same(rlmb(3, Y, frame, prior, rng=1), rlmb(3, Y, X, positional, rng=1))
    assert same(rlmb(3, Y, pl.DataFrame(frame), prior, rng=1), rlmb(3, Y, X, positional, rng=1))
    assert same(rlmb(3, Y, dict(frame), prior, rng=1), rlmb(3, Y, X, positional, rng=1))
    sizes = [2, 2]
    blocks = rlmb_blocks(3, Y, frame, prior, sizes=sizes, rng=1)
    assert same(blocks, rlmb_blocks(3, Y, X, positional, sizes=sizes, rng=1))
    for columns in (["a", "c"], ["a", "a"]):
        with pytest.raises(InputError, match=r"'b', 'a'.*in this order, \['a', '[ac]'\]"):
            rlmb(3, Y, pd.DataFrame(X, columns=columns), prior)


def test_blocks_with_names():
    mu = pd.DataFrame([[1.0, 2.0], [3.0, 4.0]], index=["first", "second"], columns=["b", "a"])
    frame = pd.DataFrame(X, columns=["a", "b"])
    for named, plain in (
        (dNormal(mu, SIGMA, 1.0), dNormal(mu.to_numpy()[:, ::-1], SIGMA[::-1, ::-1], 1.0)),
        (dGamma(1.0, 1.0, mu), dGamma(1.0, 1.0, mu.to_numpy()[:, ::-1])),
    ):
        assert same(
            rlmb_blocks(2, Y, frame, named, sizes=[2, 2], rng=1), rlmb_blocks(2, Y, X, plain, sizes=[2, 2], rng=1)
        )


def test_labels_that_disagree():
    Sigma = pd.DataFrame(SIGMA, ["a", "c"], ["a", "c"])
    with pytest.raises(InputError, match=r"same coefficients.*'a', 'c'.*'a', 'b'"):
        dNormal({"a": 0.0, "b": 1.0}, Sigma)


def test_reprs():
    text = repr(dNormal({"(Intercept)": 1.0, "x": -2.0}, SIGMA, 0.5))
    for words in (
        "beta ~ N(mu, Sigma)",
        "(Intercept)            1            2",
        "correlation",
        "0.167",
        "0.5 (known)",
    ):
        assert words in text
    assert "phi" not in repr(dNormal(MU, SIGMA)) and "dispersion" not in repr(dNormal(MU, SIGMA))
    assert "phi in [0, 4]" in repr(dGamma(1, 2, disp_upper=4))
    assert "Gamma(shape = 2, rate = 1.5), independent of beta" in repr(PRIORS["dIndependent_Normal_Gamma"]())
    assert "dHalfT(df=3, scale=1)" in repr(PRIORS["dIndependent_Normal"]())
    assert "inf" in repr(PRIORS["flat"]())
    assert "sd / sqrt(phi)" in repr(PRIORS["dNormal_Gamma"]())
    assert "3 blocks of 2" in repr(dNormal(np.zeros((3, 2)), SIGMA))
    assert "... and 20 more" in repr(dNormal(np.zeros(30), np.eye(30)))
    assert "given beta = [ 1. -2.]" in repr(PRIORS["dGamma"]())


def test_a_limit_of_none_is_no_limit():
    assert repr(dGamma(1, 2, disp_upper=INF)) == repr(dGamma(1, 2)) == repr(dGamma(1, 2, disp_lower=0.0))
