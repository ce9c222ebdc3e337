"""What lmb refuses, and how it says so; what it drops, and that it says so."""

import datetime
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest

from glmbayes import (
    FormulaError,
    GlmbayesError,
    ImproperPosteriorError,
    InputError,
    dGamma,
    dIndependent_Normal_Gamma,
    dNormal,
    dNormal_Gamma,
    lmb,
)
from tests.fits.cases import IMPROPER, PRIORS

X = np.array([0.1, 1.2, 1.9, 3.3, 4.1, 5.0, 5.8, 7.1])
Y = np.array([1.0, 2.3, 2.9, 4.1, 5.3, 5.8, 7.1, 7.9])
DATA = {"x": X, "y": Y, "g": list("aabbccab"), "w": [1, 2, 1, 1, 2, 1, 1, 1], "w2": Y / 2}
PRIOR = PRIORS["dNormal_Gamma"]


def replaced(**columns):
    return {**DATA, **columns}


def with_value(value, column=Y):
    out = column.copy()
    out[3] = value
    return out


# call, error, words of its message
REFUSED = {
    "prior as data": (
        lambda: lmb("y ~ x", PRIOR),
        InputError,
        r"Write lmb\('y ~ x', data, pfamily=dNormal_Gamma\(\.\.\.\)\)",
    ),
    "setup function as data": (lambda: lmb("y ~ x", lambda ps: ps.prior("dNormal")), InputError, "got a prior"),
    "class as prior": (lambda: lmb("y ~ x", DATA, dNormal), InputError, "got the class dNormal"),
    "name as prior": (lambda: lmb("y ~ x", DATA, "dNormal"), InputError, r"lambda ps: ps.prior\(.*got 'dNormal'"),
    "function without a prior": (lambda: lmb("y ~ x", DATA, lambda ps: ps), InputError, "must return a prior"),
    "misspelt keyword": (
        lambda: lmb("y ~ x", DATA, wieghts=1),
        InputError,
        r"no argument 'wieghts'. Did you mean weights\?",
    ),
    "R's keyword": (lambda: lmb("y ~ x", DATA, prior=PRIOR), InputError, r"Did you mean pfamily\?"),
    "seed": (lambda: lmb("y ~ x", DATA, seed=1), InputError, r"Did you mean rng\?"),
    "family": (lambda: lmb("y ~ x", DATA, family="poisson"), InputError, "glmb"),
    "nonsense keyword": (lambda: lmb("y ~ x", DATA, qqq=1), InputError, "no argument 'qqq'. It has"),
    "n zero": (lambda: lmb("y ~ x", DATA, n=0), InputError, "n must be a whole number of draws, at least 1; got 0"),
    "n negative": (lambda: lmb("y ~ x", DATA, n=-3), InputError, "got -3"),
    "n fractional": (lambda: lmb("y ~ x", DATA, n=10.5), InputError, "got 10.5"),
    "rng": (lambda: lmb("y ~ x", DATA, rng="1"), InputError, "rng must be None, a non-negative int or a numpy"),
    "neither formula nor arrays": (lambda: lmb(), InputError, "give a formula, or both y= and X="),
    "y alone": (lambda: lmb(y=Y), InputError, "give a formula, or both y= and X="),
    "formula and arrays": (lambda: lmb("y ~ x", DATA, X=np.ones((8, 1))), InputError, "not both"),
    "arrays and data": (
        lambda: lmb(y=Y, X=np.ones((8, 1)), data=DATA),
        InputError,
        "data and subset go with a formula",
    ),
    "names of another number": (lambda: lmb(y=Y, X=np.ones((8, 1)), names=["a", "b"]), FormulaError, "1 columns of X"),
    "rows that differ": (lambda: lmb(y=Y, X=np.ones((7, 1))), FormulaError, "same, positive number of rows"),
    "strings in X": (lambda: lmb(y=Y, X=np.full((8, 1), "a")), FormulaError, "X must"),
    "formula of another type": (lambda: lmb(DATA, "y ~ x"), FormulaError, "The formula comes before the data"),
    "syntax": (lambda: lmb("y ~ x +* g", DATA), FormulaError, r"(?s)y ~ x \+\* g\n +\^"),
    "open parenthesis": (lambda: lmb("y ~ log(x", DATA), FormulaError, r"(?s)y ~ log\(x\n +\^"),
    "no left side": (lambda: lmb("~ x", DATA), FormulaError, r"response|left"),
    "two tildes": (lambda: lmb("y ~ x ~ g", DATA), FormulaError, "~"),
    "unknown column": (
        lambda: lmb("y ~ xx", {**DATA, "xxx": X}),
        FormulaError,
        r"xx is not a column .*Did you mean xxx",
    ),
    "unknown function": (lambda: lmb("y ~ lgo(x)", DATA), FormulaError, r"Did you mean log"),
    "response constant": (lambda: lmb("y ~ x", replaced(y=np.ones(8))), InputError, "response y is constant"),
    "response fitted exactly": (lambda: lmb("y ~ x", replaced(y=2 * X + 1)), InputError, "fits the response y exactly"),
    "response categorical": (lambda: lmb("g ~ x", DATA), FormulaError, "response g is categorical"),
    "response boolean": (lambda: lmb("y ~ x", replaced(y=Y > 4)), FormulaError, "boolean.*family='binomial'"),
    "response a date": (
        lambda: lmb("y ~ x", replaced(y=[datetime.date(2020, 1, d) for d in range(1, 9)])),
        FormulaError,
        "y",
    ),
    "datetime covariate": (
        lambda: lmb("y ~ t", replaced(t=pd.date_range("2020", periods=8))),
        FormulaError,
        "dates or times",
    ),
    "infinite response": (lambda: lmb("y ~ x", replaced(y=with_value(np.inf))), FormulaError, "y is infinite in 1 row"),
    "infinite covariate": (
        lambda: lmb("y ~ x", replaced(x=with_value(-np.inf))),
        FormulaError,
        "x is infinite in 1 row",
    ),
    "log of zero": (lambda: lmb("y ~ log(x)", replaced(x=with_value(0.0))), FormulaError, r"log\(x\) is infinite"),
    "all missing": (
        lambda: lmb("y ~ x", replaced(y=np.full(8, np.nan))),
        FormulaError,
        "every row has a missing value",
    ),
    "missing and raise": (
        lambda: lmb("y ~ x", replaced(y=with_value(np.nan)), na_action="raise"),
        FormulaError,
        r"1 of 8 rows have missing values \(.*y in 1\)",
    ),
    "na_action": (lambda: lmb("y ~ x", DATA, na_action="omit"), InputError, "na_action must be 'drop' or 'raise'"),
    "no rows": (lambda: lmb("y ~ x", {"x": [], "y": []}), FormulaError, "no rows"),
    "one level": (lambda: lmb("y ~ g", replaced(g=["a"] * 8)), FormulaError, "single level 'a'"),
    "lengths of columns": (
        lambda: lmb("y ~ x", replaced(x=X[:7])),
        FormulaError,
        "x has 7 entries but the data have 8",
    ),
    "array as data": (lambda: lmb("y ~ x", np.ones((8, 2))), FormulaError, "An array has no column names"),
    "fractional weights": (lambda: lmb("y ~ x", DATA, weights="w2"), InputError, "(?s)frequency.*precision"),
    "fractional weights, own prior": (
        lambda: lmb("y ~ x", DATA, PRIOR, weights="w2"),
        InputError,
        "(?s)frequency.*precision",
    ),
    "weights type": (
        lambda: lmb("y ~ x", DATA, PRIOR, weights="w", weights_type="counts"),
        InputError,
        "'frequency', 'precision'",
    ),
    "weights too short": (
        lambda: lmb("y ~ x", replaced(y=with_value(np.nan)), PRIOR, weights=np.ones(7)),
        FormulaError,
        r"weights must have one entry per row of data \(8\); got 7. Give one for every row",
    ),
    "weights one number": (lambda: lmb("y ~ x", DATA, weights=2.0), FormulaError, "got a single number"),
    "weights negative": (
        lambda: lmb("y ~ x", DATA, weights=with_value(-1.0).round()),
        FormulaError,
        "must not be negative; got -1 at position 3",
    ),
    "weights all zero": (lambda: lmb("y ~ x", DATA, PRIOR, weights=np.zeros(8)), InputError, "must not all be zero"),
    "weights infinite": (lambda: lmb("y ~ x", DATA, weights=with_value(np.inf)), FormulaError, "weights is infinite"),
    "weights of strings": (
        lambda: lmb("y ~ x", DATA, weights="g"),
        FormulaError,
        "weights must hold one number per row",
    ),
    "offset too long": (
        lambda: lmb("y ~ x", DATA, offset=np.ones(9)),
        FormulaError,
        r"offset must have one entry per row of data \(8\)",
    ),
    "offset infinite": (lambda: lmb("y ~ x", DATA, offset=with_value(np.inf)), FormulaError, "offset is infinite"),
    "subset unknown": (lambda: lmb("y ~ x", DATA, subset="z > 1"), FormulaError, "subset='z > 1'|z is not a column"),
    "subset empty": (lambda: lmb("y ~ x", DATA, subset="x > 99"), FormulaError, "subset leaves no rows"),
    "subset of another length": (
        lambda: lmb("y ~ x", DATA, subset=[True] * 3),
        FormulaError,
        "one entry per row of data",
    ),
    "aliased columns": (
        lambda: lmb("y ~ x + I(2 * x) + g", DATA),
        InputError,
        r"rank deficient: I\(2 \* x\) is a combination",
    ),
    "more columns than rows": (
        lambda: lmb("y ~ poly(x, 7)", DATA),
        InputError,
        "more observations than coefficients: got 8",
    ),
    "aliased flat": (
        lambda: lmb("y ~ x + I(2 * x)", DATA, dIndependent_Normal_Gamma([0] * 3, np.diag([np.inf] * 3), 1, 1)),
        ImproperPosteriorError,
        r"I\(2 \* x\) cannot be told apart from earlier columns",
    ),
    "flat dispersion, two rows": (
        lambda: lmb("y ~ x", {"x": [1.0, 2.0, 3.0], "y": [1.0, 2.0, 2.0]}, IMPROPER["reference"]),
        ImproperPosteriorError,
        "improper as the dispersion goes to infinity",
    ),
    "prior of the wrong length": (
        lambda: lmb("y ~ x + g", DATA, PRIOR),
        InputError,
        r"2 coefficient\(s\) but the model has 4, in this order: \['\(Intercept\)', 'x', 'gb', 'gc'\]",
    ),
    "known coefficients of the wrong length": (
        lambda: lmb("y ~ x", DATA, dGamma(1.0, 1.0, beta=[1.0])),
        InputError,
        r"1 coefficient\(s\) but the model has 2, in this order",
    ),
    "prior of other names": (
        lambda: lmb("y ~ x", DATA, dNormal({"(Intercept)": 0.0, "z": 0.0}, np.eye(2), dispersion=1.0)),
        InputError,
        r"got \['\(Intercept\)', 'z'\], the design has, in this order, \['\(Intercept\)', 'x'\]",
    ),
    "no dispersion": (
        lambda: lmb("y ~ x", DATA, dNormal([0, 0], np.eye(2))),
        InputError,
        r"needs the dispersion .*Prior_Setup",
    ),
    "no beta": (lambda: lmb("y ~ x", DATA, dGamma(1.0, 1.0)), InputError, "needs the coefficients of the model"),
    "prior that varies by block": (
        lambda: lmb("y ~ x", DATA, dNormal(np.zeros((3, 2)), np.eye(2), dispersion=1.0)),
        InputError,
        "varies by block: use rlmb_blocks",
    ),
    "overflow": (lambda: lmb("y ~ x", replaced(y=Y * 1e200), PRIOR), InputError, "too large for double precision"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    call, error, words = REFUSED[name]
    with pytest.raises(error, match=words) as caught:
        call()
    assert isinstance(caught.value, GlmbayesError)
    assert isinstance(caught.value, ValueError)


def test_errors_pickle():
    """They cross process boundaries."""
    with pytest.raises(FormulaError) as caught:
        lmb("y ~ xx", DATA)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


MISSING = {
    "response": replaced(y=with_value(np.nan)),
    "covariate": replaced(x=with_value(np.nan, X)),
    "factor": replaced(g=["a", "a", "b", None, "c", "c", "a", "b"]),
}


@pytest.mark.parametrize("name", MISSING)
def test_missing_rows_are_dropped_and_counted(name):
    keep = np.delete(np.arange(8), 3)
    fit = lmb("y ~ x + g", MISSING[name], rng=1)
    less = {key: np.asarray(value)[keep] for key, value in DATA.items()}
    np.testing.assert_allclose(fit.posterior_mean, lmb("y ~ x + g", less, rng=1).posterior_mean)
    assert (fit.nobs, fit.design.n_missing) == (7, 1)
    assert "1 row dropped for missing values." in str(fit.summary())
    assert "1 row dropped for missing values." in fit._repr_html_()


def test_row_arguments_are_dropped_with_their_rows():
    w, o = np.arange(1.0, 9.0), X / 3
    keep = np.delete(np.arange(8), 3)
    data = MISSING["response"]
    less = {key: np.asarray(value)[keep] for key, value in DATA.items()}
    truth = lmb("y ~ x", less, weights=w[keep], offset=o[keep], rng=1)
    for weights, offset in ((w, o), ("w_", "o_"), (list(w), list(o)), (pd.Series(w), pd.Series(o))):
        fit = lmb("y ~ x", {**data, "w_": w, "o_": o}, weights=weights, offset=offset, rng=1)
        np.testing.assert_allclose(fit.posterior_mean, truth.posterior_mean)
    w[5], o[6] = np.nan, np.nan
    fit = lmb("y ~ x", data, weights=w, offset=o, rng=1)
    assert (fit.nobs, fit.design.n_missing) == (5, 3)
    assert "3 rows dropped for missing values." in str(fit.summary())


def test_subset():
    keep = X > 1.0
    truth = lmb("y ~ x", {"x": X[keep], "y": Y[keep]}, rng=1)
    for subset in ("x > 1", keep, np.flatnonzero(keep), list(keep)):
        fit = lmb("y ~ x", DATA, subset=subset, rng=1)
        np.testing.assert_allclose(fit.posterior_mean, truth.posterior_mean)
        assert "1 row left out by subset." in str(fit.summary())


def test_rows_of_weight_zero_are_not_observations():
    w = np.array([1, 1, 0, 1, 1, 1, 0, 1])
    fit = lmb("y ~ x", DATA, weights=w, rng=1)
    keep = w > 0
    truth = lmb("y ~ x", {"x": X[keep], "y": Y[keep]}, rng=1)
    np.testing.assert_allclose(fit.posterior_mean, truth.posterior_mean)
    assert fit.log_marginal_likelihood() == pytest.approx(truth.log_marginal_likelihood(), abs=1e-10)
    assert (fit.nobs, len(fit.fitted())) == (6, 8)


@pytest.mark.parametrize("weights_type", [None, "frequency", "precision"])
def test_meaning_of_whole_weights(weights_type):
    fit = lmb("y ~ x", DATA, PRIOR, weights="w", weights_type=weights_type, rng=1)
    assert fit.likelihood.weights_type == (weights_type or "frequency")
    fractional = lmb("y ~ x", DATA, PRIOR, weights="w2", weights_type=weights_type or "precision", rng=1)
    assert fractional.posterior.shape == pytest.approx(2.0 + (4.0 if weights_type != "frequency" else Y.sum() / 4))


FRAMES = {
    "pandas": lambda d: pd.DataFrame(d),
    "polars": lambda d: pl.DataFrame(d),
    "polars lazy": lambda d: pl.DataFrame(d).lazy(),
    "nullable": lambda d: pd.DataFrame(d).convert_dtypes(),
    "categorical": lambda d: pd.DataFrame(d).astype({"g": "category"}),
    "arrow": lambda d: pd.DataFrame(d).convert_dtypes(dtype_backend="pyarrow"),
    "float32": lambda d: pd.DataFrame(d).astype({"x": "float32", "y": "float32"}),
    "records": lambda d: pd.DataFrame(d).astype({"g": "U1"}).to_records(index=False),
}


@pytest.mark.parametrize("kind", FRAMES)
def test_data_frames_of_all_kinds(kind):
    if kind == "arrow":
        pytest.importorskip("pyarrow")
    digits = 1e-5 if kind == "float32" else 1e-12
    truth = lmb("y ~ x + g", DATA, weights="w", rng=1)
    fit = lmb("y ~ x + g", FRAMES[kind](DATA), weights="w", rng=1)
    assert fit.names == truth.names
    np.testing.assert_allclose(fit.posterior_mean, truth.posterior_mean, rtol=digits)


def test_nullable_integers_with_missing_values():
    data = pd.DataFrame({"y": Y, "k": pd.array([1, 2, None, 4, 5, 6, 7, 9], dtype="Int64")})
    fit = lmb("y ~ k", data, rng=1)
    assert (fit.nobs, fit.names) == (7, ("(Intercept)", "k"))


def test_an_ordinary_pandas_index_does_not_matter():
    frame = pd.DataFrame(DATA, index=list("hgfedcba"))
    fit = lmb("y ~ x", frame, rng=1)
    assert list(fit.influence().index) == list("hgfedcba")
    assert list(fit.predict(kind="interval").index) == list("hgfedcba")


def test_proper_priors_make_do_with_little():
    """Fewer rows than coefficients, aliased columns, a constant response, an exact fit, one row."""
    prior = dNormal_Gamma(np.zeros(3), np.eye(3), 2.0, 1.0)
    for x, y in (([1.0, 2.0], [1.0, 2.0]), (X, np.ones(8)), (X, 2 * X), ([1.0], [2.0])):
        fit = lmb("y ~ x + I(x * 2)", {"x": x, "y": y}, prior, rng=1)
        assert np.isfinite(fit.posterior_sd).all()
        assert np.isfinite(fit.loo().elpd)
        assert "only the prior tells" in str(fit.summary())
    short = lmb("y ~ x", {"x": [1.0], "y": [2.0]}, PRIORS["half-Cauchy"], rng=1)
    assert str(short.summary())
    assert np.isfinite(short.posterior_mean).all()
