"""Bad input: a clear error that names the argument, what was required and what was got, from the ordinary call."""

import datetime
import math

import numpy as np
import pandas as pd
import polars as pl
import pytest

from glmbayes import (
    GlmbayesError,
    ImproperPosteriorError,
    InputError,
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
    rlmb,
    rlmb_blocks,
)

Y = np.array([0.5, 1.0, -1.0, 2.0, 0.3])
X = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0], [1.0, 3.0], [1.0, 5.0]])
MU, SIGMA = np.zeros(2), np.eye(2)
INF, NAN = math.inf, math.nan

PRIORS = {
    "dNormal": dNormal(MU, SIGMA, 1.0),
    "dNormal_Gamma": dNormal_Gamma(MU, SIGMA, 1.0, 1.0),
    "dGamma": dGamma(1.0, 1.0, MU),
    "dIndependent_Normal_Gamma": dIndependent_Normal_Gamma(MU, SIGMA, 1.0, 1.0),
    "dIndependent_Normal": dIndependent_Normal(MU, SIGMA, dHalfCauchy(1.0)),
}
every_prior = pytest.mark.parametrize("prior", PRIORS.values(), ids=list(PRIORS))


def single(prior=PRIORS["dNormal"], *, n=1, y=Y, x=X, **more):
    return rlmb(n, y, x, prior, **more)


def blocks(prior=PRIORS["dNormal"], *, n=1, y=Y, x=X, **more):
    if "block" not in more and "sizes" not in more:
        more["sizes"] = [2, 3]
    return rlmb_blocks(n, y, x, prior, **more)


both = pytest.mark.parametrize("call", [single, blocks], ids=["rlmb", "rlmb_blocks"])


def refused(words, call, *arguments, error=InputError, **more):
    with pytest.raises(error, match=words) as info:
        call(*arguments, **more)
    assert isinstance(info.value, GlmbayesError)
    assert info.value.__cause__ is None or isinstance(info.value.__cause__, Exception)
    return str(info.value)


def with_value(array, at, value):
    array = np.array(array, dtype=float)
    array[at] = value
    return array


# --- values of the data ---------------------------------------------------------------------------------------------


@both
@every_prior
@pytest.mark.parametrize("value", [NAN, INF, -INF])
def test_missing_and_infinite_values(call, prior, value):
    kind = "NaN" if value != value else "infinite"
    refused(rf"y must be finite.*index 3 is {kind}" if call is single else "block 1: y must be finite.*index 1",
            call, prior, y=with_value(Y, 3, value))  # fmt: skip
    refused(rf"x must be finite.*{kind}", call, prior, x=with_value(X, (4, 1), value))
    refused("offset must be finite", call, prior, offset=with_value(np.zeros(5), 0, value))
    refused("weights must be finite", call, prior, weights=with_value(np.ones(5), 2, value))


@both
@every_prior
def test_weights(call, prior):
    refused("weights must not be negative; got -1", call, prior, weights=[1, 1, 1, -1, 1])
    refused("weights must not all be zero", call, prior, weights=np.zeros(5))
    refused("'frequency', 'precision'; got 'freq'", call, prior, weights=np.ones(5), weights_type="freq")
    refused("weights_type must be one of", call, prior, weights_type=None)


def test_one_block_without_weight():
    refused("block 0: weights must not all be zero", blocks, weights=[0, 0, 1, 1, 1])
    refused("block a: weights must not be negative", blocks, weights=[-1, 0, 1, 1, 1], block=list("aabbb"))


@both
def test_long_data(call, monkeypatch):
    """The route for long data refuses the same."""
    if call is single:
        monkeypatch.setattr("glmbayes.rows._COMPILED_LIMIT", 1)
    refused("y must be finite", call, y=with_value(Y, 3, NAN))
    refused("x must be finite", call, x=with_value(X, (0, 0), INF))
    refused("weights must not be negative", call, weights=[1, 1, 1, -1, 1])
    refused("weights must not all be zero", call, weights=np.zeros(5))
    refused("too large", call, x=1e200 * X, y=1e200 * Y)


@both
@every_prior
def test_overflow(call, prior):
    refused("too large for double precision", call, prior, x=1e200 * X, y=1e200 * Y)


@both
@pytest.mark.parametrize("prior", [dNormal_Gamma, dIndependent_Normal_Gamma])
@pytest.mark.parametrize("p", [2, 20])
def test_vague_priors_on_large_columns(call, prior, p):
    """The squares of x times the prior's standard deviations overflow, though neither factor's do."""
    x = np.tile(1e10 * X, (1, p // 2))
    refused("leaves what a double holds", call, prior(np.zeros(p), 1e300 * np.eye(p), 1.0, 1.0), n=9, x=x)


# --- kinds of data --------------------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (["a", "b", "c", "d", "e"], "strings"),
        (["1", "2", "3", "4", "5"], "strings"),
        (pd.Series(["1", "2", "3", "4", "5"]), "'1'"),
        (pd.Series(list("ababa"), dtype="category"), "strings"),
        (pd.Series([1, 2, 1, 2, 1], dtype="category"), "strings"),
        (pd.Series(pd.date_range("2024-01-01", periods=5)), "dates"),
        (np.arange(5).astype("M8[D]"), "dates"),
        (np.arange(5).astype("m8[D]"), "time differences"),
        (np.arange(5) + 1j, "complex"),
        (pd.Series(np.arange(5) + 1j), "complex"),
        ([datetime.date(2024, 1, 1)] * 5, "datetime.date"),
        (pl.Series(["1"] * 5), "'1'"),
        ([[1], [2, 3], 4, 5, 6], "rectangular"),
        ({1, 2, 3, 4, 5}, "set|1, 2, 3"),
        (object(), "object"),
    ],
)
def test_what_is_not_numbers(call, bad, words):
    assert f"{'y'} must" in refused(words, call, y=bad)
    refused("(weights|x and y|y) must", call, weights=bad)


@both
def test_tables_that_are_not_numbers(call):
    frame = pd.DataFrame({"one": np.ones(5), "who": list("ababa"), "when": pd.date_range("2024-01-01", periods=5)})
    assert "who, when" in refused("x must hold numbers; got non-numeric column", call, x=frame)
    refused("x must hold numbers; got non-numeric column.*who", call,
            x=pl.DataFrame({"one": np.ones(5), "who": list("ababa")}))  # fmt: skip
    refused("indicator columns", call, x=frame[["who"]])


@both
@pytest.mark.parametrize(
    "missing",
    [
        [1.0, None, 2.0, 3.0, 4.0],
        pd.Series([1, None, 2, 3, 4], dtype="Int64"),
        pd.Series([True, None, False, True, True], dtype="boolean"),
        pd.Series([1.0, None, 2, 3, 4]),
        pl.Series([1, None, 2, 3, 4]),
        np.ma.array([1, 2, 3, 4, 5], mask=[0, 1, 0, 0, 0]),
    ],
    ids=["list", "Int64", "boolean", "Series", "polars", "masked"],
)
def test_missing_values_of_every_kind(call, missing):
    refused("y must be finite.*NaN", call, y=missing)
    refused("offset must be finite", call, offset=missing)


# --- shapes ---------------------------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"x": X[:4]}, r"x must have as many rows as y has entries \(5\); got shape \(4, 2\)"),
        ({"x": X.T}, r"x must have as many rows.*got shape \(2, 5\)"),
        ({"x": np.ones((1, 5))}, "transpose"),
        ({"y": Y[:4]}, r"as y has entries \(4\); got shape \(5, 2\)"),
        ({"y": np.ones((5, 2))}, r"y must be a vector; got an array of shape \(5, 2\)"),
        ({"x": np.ones((5, 2, 1))}, r"x must be a matrix.*\(5, 2, 1\)"),
        ({"y": 3.0}, r"as y has entries \(1\)"),
        ({"y": []}, "as y has entries"),
        ({"y": [], "x": np.empty((0, 2))}, "must not be empty; got 0 observations"),
        ({"x": np.empty((5, 0))}, "must not be empty.*0 columns"),
        ({"offset": np.ones(4)}, r"offset must have one entry per observation \(5\); got 4"),
        ({"offset": np.ones((5, 2))}, "offset must be a vector"),
        ({"weights": np.ones(6)}, r"weights must have one entry per observation \(5\); got 6"),
        ({"weights": 2.0}, r"weights must have one entry per observation \(5\); got 1"),
        ({"x": np.ones((5, 3))}, r"prior has 2 coefficient\(s\) but the design has 3 column\(s\)"),
    ],
)
def test_shapes(call, change, words):
    refused(words, call, **change)


@both
def test_known_coefficients_of_the_wrong_length(call):
    refused(r"beta must have one entry per column of x \(2\); got 3", call, dGamma(1.0, 1.0, np.ones(3)))
    refused("dGamma needs the coefficients", call, dGamma(1.0, 1.0))
    refused("dNormal needs the dispersion", call, dNormal(MU, SIGMA))


@both
@pytest.mark.parametrize("n", [0, -3, 2.5, NAN, INF, True, np.True_, "3", None, [3], np.array([1, 2]), 1 + 0j])
def test_number_of_draws(call, n):
    refused("n must be a whole number of draws, at least 1", call, n=n)


@both
@pytest.mark.parametrize("n", [3, 3.0, np.int32(3), np.float64(3.0), np.uint8(3)])
def test_whole_numbers_of_any_type_are_fine(call, n):
    assert call(n=n).coefficients.shape[0] == 3


@both
@pytest.mark.parametrize(
    "prior",
    [None, "dNormal", dNormal, SIGMA, {"mu": 0.0}, dHalfNormal(1.0), lambda: None],
    ids=["None", "a name", "a class", "an array", "a dict", "a prior on a standard deviation", "a function"],
)
def test_what_is_not_a_prior(call, prior):
    refused("pfamily must be a prior such as dNormal", call, prior)


@both
@pytest.mark.parametrize("rng", ["1", -1, 1.5, True, np.random.RandomState(0), np.random.PCG64(0), [1]])
def test_what_is_not_a_generator(call, rng):
    refused("rng must be None, a non-negative int or", call, rng=rng)


# --- priors ---------------------------------------------------------------------------------------------------------

WITH_SIGMA = {
    "dNormal": lambda mu, Sigma: dNormal(mu, Sigma, 1.0),
    "dNormal_Gamma": lambda mu, Sigma: dNormal_Gamma(mu, Sigma, 1.0, 1.0),
    "dIndependent_Normal_Gamma": lambda mu, Sigma: dIndependent_Normal_Gamma(mu, Sigma, 1.0, 1.0),
    "dIndependent_Normal": lambda mu, Sigma: dIndependent_Normal(mu, Sigma, dFlat()),
}


@pytest.mark.parametrize("kind", WITH_SIGMA)
@pytest.mark.parametrize(
    ("mu", "Sigma", "words"),
    [
        ([0.0, NAN], SIGMA, "mu must be finite"),
        ([0.0, INF], SIGMA, "mu must be finite"),
        ([0.0, None], SIGMA, "mu must be finite"),
        (["a", "b"], SIGMA, "mu must hold numbers; got strings"),
        (None, SIGMA, "mu must be a number; got None"),
        (MU, None, "Sigma(_0)? must be a number; got None"),
        (MU, "1", "Sigma(_0)? must be a number; got '1'"),
        (True, 1.0, "mu must be a number; got True"),
        (MU, [[1.0, NAN], [NAN, 1.0]], "Sigma(_0)? must be finite"),
        (MU, [[-INF, 0.0], [0.0, 1.0]], "Sigma(_0)? must be finite"),
        (MU, [[1.0, 0.5], [0.4, 1.0]], r"must be symmetric.*0\.1 .*\.T\) / 2"),
        (MU, [[1.0, 2.0], [2.0, 1.0]], "positive definite; its smallest eigenvalue is -1"),
        (MU, [[1.0, 1.0], [1.0, 1.0]], "positive definite; its smallest eigenvalue is"),
        (MU, [[0.0, 0.0], [0.0, 1.0]], "positive definite; its smallest eigenvalue is 0"),
        (MU, -SIGMA, "smallest eigenvalue is -1.*not standard deviations or precisions"),
        (0.0, -2.0, "smallest eigenvalue is -2"),
        (MU, 4.0, r"scalar only for a single coefficient; mu has 2.*4 \* np.eye\(2\)"),
        (MU, [4.0, 4.0], r"\(p, p\) covariance matrix; got shape \(2,\)\. Use np.diag"),
        (MU, np.eye(3), r"mu and Sigma(_0)? must agree: mu has shape \(2,\)"),
        (MU, np.ones((2, 3)), r"must be square.*\(2, 3\)"),
        (MU, np.ones((1, 1, 2, 2)), "must be square"),
        (np.zeros((3, 2)), np.stack([SIGMA, SIGMA]), "mu describes 3 blocks but Sigma(_0)? 2"),
        (np.zeros((2, 2, 2)), SIGMA, "must agree"),
        ([], np.empty((0, 0)), "at least one coefficient"),
        ({"a": 0.0, "b": 1.0}, pd.DataFrame(SIGMA, ["a", "c"], ["a", "c"]), "name the same coefficients"),
    ],
)  # fmt: skip
def test_mu_and_sigma(kind, mu, Sigma, words):
    refused(words, WITH_SIGMA[kind], mu, Sigma)


def test_blocks_of_sigma_name_the_block():
    bad = np.stack([SIGMA, -SIGMA])
    refused(r"positive definite \(block 1\)", dNormal, MU, bad)
    refused(r"mu must be finite \(block 1\)", dNormal, [[0.0, 0.0], [0.0, NAN]], SIGMA)


def test_infinite_variances_with_covariances():
    refused("with zero covariances", dNormal, MU, [[INF, 1.0], [1.0, 1.0]])
    refused("ambiguous when its variance scales", dNormal_Gamma, MU, np.diag([INF, 1.0]), 1.0, 1.0)


NUMBERS = [0.0, -1.0, NAN, INF, "2", None, True, [1.0, 2.0], [], np.ones((2, 2)), {}, 1 + 1j, 10**400]


@pytest.mark.parametrize("value", NUMBERS, ids=repr)
def test_shape_rate_and_dispersion(value):
    for make in (
        lambda **a: dNormal_Gamma(MU, SIGMA, **{"shape": 1.0, "rate": 1.0, **a}),
        lambda **a: dIndependent_Normal_Gamma(MU, SIGMA, **{"shape": 1.0, "rate": 1.0, **a}),
    ):
        refused("shape must be", make, shape=value)
        refused("rate must be", make, rate=value)
    if value is not None and not isinstance(value, list) and np.ndim(value) < 2:
        refused("dispersion must be", dNormal, MU, SIGMA, value)
    if not (isinstance(value, float) and math.isfinite(value)):
        refused("shape must be", dGamma, value, 1.0)
        refused("rate must be", dGamma, 1.0, value)


def test_dispersions_by_block():
    refused("positive and finite in every block; got", dNormal, 0.0, 1.0, [1.0, -1.0])
    refused("positive and finite in every block", dNormal, 0.0, 1.0, [1.0, NAN])
    refused("positive and finite in every block", dNormal, 0.0, 1.0, [])
    refused("dispersion must be a vector", dNormal, 0.0, 1.0, np.ones((2, 2)))
    refused("use rlmb_blocks", single, dNormal(MU, SIGMA, [1.0, 2.0]))
    refused("use rlmb_blocks", single, dNormal(np.zeros((2, 2)), SIGMA, 1.0))
    refused("use rlmb_blocks", single, dGamma(1.0, 1.0, np.zeros((2, 2))))
    refused(r"one per block \(2\); got 3", blocks, dNormal(MU, SIGMA, [1.0, 2.0, 3.0]))
    refused("mu describes 3 blocks but the data have 2", blocks, dNormal(np.zeros((3, 2)), SIGMA, 1.0))
    refused("Sigma describes 3 blocks but the data have 2", blocks, dNormal(MU, np.stack([SIGMA] * 3), 1.0))
    refused(r"beta must be \(p,\) or \(J, p\) = \(2, 2\); got \(3, 2\)", blocks, dGamma(1.0, 1.0, np.zeros((3, 2))))


def test_rate_of_dgamma_may_be_zero_not_negative():
    refused("rate must be at least 0; got -1", dGamma, 1.0, -1.0)
    assert dGamma(-0.5, 0.0).rate == 0.0


@pytest.mark.parametrize("beta", [[NAN, 1.0], [INF, 1.0], ["a", "b"], "12", np.ones((2, 2, 2))])
def test_beta(beta):
    refused("beta must", dGamma, 1.0, 1.0, beta)


@pytest.mark.parametrize("make", [dGamma, lambda s, r, **a: dIndependent_Normal_Gamma(MU, SIGMA, s, r, **a)])
@pytest.mark.parametrize(
    ("lower", "upper", "words"),
    [
        (2.0, 1.0, "disp_lower must be less than disp_upper; got 2 and 1"),
        (1.0, 1.0, "disp_lower must be less than disp_upper"),
        (-1.0, 2.0, "disp_lower must be at least 0; got -1"),
        (NAN, 2.0, "disp_lower must be finite"),
        (INF, None, "disp_lower must be finite"),
        (None, 0.0, "disp_upper must be greater than 0"),
        (None, -2.0, "disp_upper must be greater than 0"),
        (None, NAN, "disp_upper must be finite"),
        ("1", None, "disp_lower must be a number"),
        (None, [1.0, 2.0], "disp_upper must be a single number"),
    ],
)
def test_limits(make, lower, upper, words):
    refused(words, make, 1.0, 1.0, disp_lower=lower, disp_upper=upper)


@pytest.mark.parametrize("sd", [None, 1.0, "dFlat", dFlat, PRIORS["dNormal"]], ids=repr)
def test_prior_on_the_standard_deviation(sd):
    refused("sd must be a prior on a standard deviation", dIndependent_Normal, MU, SIGMA, sd)


# --- improper posteriors: the end that diverges is named ------------------------------------------------------------

FLAT2 = np.diag([INF, INF])
EXACT = X @ np.array([1.0, 2.0])
AT_INFINITY, AT_ZERO, DEPENDENT = "goes to infinity", "goes to 0", "linearly dependent"


@pytest.mark.parametrize(
    ("prior", "change", "words"),
    [
        (dIndependent_Normal(MU, FLAT2, dFlat()), {"y": Y[:3], "x": X[:3]}, AT_INFINITY),
        (dIndependent_Normal(MU, FLAT2, dHalfCauchy(1.0)), {"y": EXACT}, AT_ZERO),
        (dIndependent_Normal(MU, FLAT2, dFlat()), {"y": EXACT}, AT_ZERO),
        (dIndependent_Normal(MU, FLAT2, dHalfNormal(1.0)), {"y": EXACT}, AT_ZERO),
        (dIndependent_Normal(MU, FLAT2, dUniform(3.0)), {"y": EXACT}, AT_ZERO),
        (dIndependent_Normal(MU, SIGMA, dHalfT(3.0, 1.0)), {"y": EXACT}, AT_ZERO),
        (dIndependent_Normal(1e6 + MU, SIGMA, dExponential(1.0)), {"y": EXACT}, AT_ZERO),
        (dIndependent_Normal(MU, SIGMA, dFlat()), {"y": Y[:1], "x": X[:1]}, AT_INFINITY),
        (dIndependent_Normal_Gamma(MU, FLAT2, 0.4, 1.0), {"y": Y[:1], "x": X[:1]}, DEPENDENT),
        (dIndependent_Normal_Gamma(MU, FLAT2, 1.0, 1.0), {"x": np.ones((5, 2))}, DEPENDENT),
        (dIndependent_Normal_Gamma(MU, np.diag([INF, 1.0]), 1.0, 1.0), {"x": X[:, ::-1] * [0, 1]}, DEPENDENT),
        (dNormal(MU, FLAT2, 1.0), {"x": np.ones((5, 2))}, DEPENDENT),
        (dNormal(MU, FLAT2, 1.0), {"y": Y[:1], "x": X[:1]}, DEPENDENT),
        (dGamma(-2.5, 1.0, MU), {}, AT_INFINITY),
        (dGamma(-3.0, 1.0, MU, disp_lower=0.1), {}, AT_INFINITY),
        (dGamma(1.0, 0.0, [1.0, 2.0]), {"y": EXACT}, AT_ZERO),
        (dGamma(1.0, 0.0, [1.0, 2.0], disp_upper=3.0), {"y": EXACT}, AT_ZERO),
    ],
)  # fmt: skip
@pytest.mark.parametrize("n", [1, 100])
def test_improper_posteriors(prior, change, words, n):
    refused(words, single, prior, n=n, error=ImproperPosteriorError, **change)


@pytest.mark.parametrize(
    ("prior", "words"),
    [
        (dIndependent_Normal(MU, SIGMA, dHalfCauchy(1.0)), AT_ZERO),
        (dGamma(1.0, 0.0, [1.0, 2.0]), AT_ZERO),
        (dGamma(-1.0, 1.0, [1.0, 2.0]), AT_INFINITY),
        (dNormal(MU, FLAT2, 1.0), DEPENDENT),
    ],
)
def test_improper_blocks_are_named(prior, words):
    x = np.vstack([X, X])
    y = np.concatenate([EXACT, EXACT])
    if words == AT_INFINITY:
        refused(f"block b: .*{words}", rlmb_blocks, 1, y[:4], x[:4], prior, block=["a", "a", "a", "b"],
                error=ImproperPosteriorError)  # fmt: skip
    else:
        y[:5] += [0.1, -0.2, 0.3, 0.0, 0.1]
        x[5:] = x[5:] if words == AT_ZERO else 1.0
        refused(f"block b: .*{words}", rlmb_blocks, 1, y, x, prior, block=list("aaaaabbbbb"),
                error=ImproperPosteriorError)  # fmt: skip


def test_flat_coefficients_in_blocks_of_unknown_dispersion():
    refused("infinite prior variances are not supported in blocks", blocks,
            dIndependent_Normal(MU, FLAT2, dHalfCauchy(1.0)))  # fmt: skip


# --- blocks ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"sizes": None, "block": None}, "exactly one of block= .* and sizes="),
        ({"sizes": [2, 3], "block": list("aabbb")}, "exactly one of"),
        ({"sizes": [2, 2]}, r"add up to the number of rows \(5\); they add up to 4"),
        ({"sizes": [0, 5]}, "at least 1 each"),
        ({"sizes": [-1, 6]}, "at least 1 each"),
        ({"sizes": [2.0, 3.0]}, "whole numbers"),
        ({"sizes": ["2", "3"]}, "whole numbers"),
        ({"sizes": [True, True]}, "whole numbers"),
        ({"sizes": []}, "whole numbers"),
        ({"sizes": [[2, 3]]}, "whole numbers"),
        ({"sizes": 5}, "whole numbers"),
        ({"block": list("aabb")}, r"one label per row \(5\); got shape \(4,\)"),
        ({"block": np.ones((5, 1))}, "one label per row"),
        ({"block": "a"}, "one label per row"),
        ({"block": [1.0, NAN, 1.0, 1.0, 1.0]}, "missing labels"),
        ({"block": ["a", None, "b", "b", "b"]}, "missing labels"),
        ({"block": ["a", NAN, "b", "b", "b"]}, "missing labels"),
        ({"block": pd.Series(["a", None, "b", "b", "b"])}, "missing labels"),
        ({"block": pd.array([1, None, 2, 2, 2], dtype="Int64")}, "missing"),
        ({"block": pd.to_datetime(["2024-01-01", None, "2024-01-02", "2024-01-02", "2024-01-02"])}, "missing labels"),
        ({"block": pd.Categorical(["a", None, "b", "b", "b"])}, "missing labels"),
        ({"block": [[1], {}, 1, 1, 1]}, "strings or integers|one label per row"),
    ],
)  # fmt: skip
def test_block_arguments(change, words):
    refused(words, rlmb_blocks, 1, Y, X, PRIORS["dNormal"], **{"sizes": None, "block": None, **change})


# --- nothing half-done ----------------------------------------------------------------------------------------------


@both
def test_a_refused_call_leaves_everything_as_it_was(call):
    rng = np.random.default_rng(3)
    y = with_value(Y, 2, NAN)
    prior = PRIORS["dIndependent_Normal_Gamma"]
    before = repr(prior)
    for bad in ({"y": y}, {"n": 0}, {"x": X[:3]}):
        refused("must", call, prior, rng=rng, **bad)
    assert repr(prior) == before
    assert y[2] != y[2]
    fine = call(prior, rng=np.random.default_rng(3))
    assert np.isfinite(fine.coefficients).all()


@both
@every_prior
def test_inputs_are_not_written_to(call, prior):
    arrays = {"y": Y.copy(), "x": X.copy(), "offset": 0.1 * Y, "weights": np.array([1.0, 0.5, 0.5, 0.0, 1.0])}
    before = {name: array.copy() for name, array in arrays.items()}
    call(prior, n=5, **arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, before[name])
