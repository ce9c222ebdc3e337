"""Prior_Setup for Gaussian models: R's numbers, a second route by dense algebra, and what the numbers mean."""

import copy
import pickle
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st

import glmbayes.priors
from glmbayes import datasets
from glmbayes.design import array_design, build_design
from glmbayes.prior_setup import Prior_Setup, prior_setup_from_design

CTL = [4.17, 5.58, 5.18, 6.11, 4.50, 4.61, 5.17, 4.53, 5.33, 5.14]
TRT = [4.81, 4.17, 4.41, 3.59, 5.87, 3.83, 6.03, 4.89, 4.32, 4.69]
PLANT = pd.DataFrame({"weight": CTL + TRT, "group": ["Ctl"] * 10 + ["Trt"] * 10})
SMALL = pd.DataFrame({"weight": [4.17, 5.58, 4.81, 4.17], "group": ["1", "1", "2", "2"]})

# Prior_Setup of the R package glmbayes 0.9.75 (R 4.2.2).  The lower triangle of Sigma and of Sigma_0; the shape is
# (n_prior + k) / 2 and shape_ING adds p / 2.  Plant weights unless the name says otherwise.
R_SETUPS = {
    "default": (
        {},
        {
            "mu": [4.8465, 0],
            "Sigma": [4.8048726275, -4.8048726275, 9.609745255],
            "Sigma_0": [9.9, -9.9, 19.8],
            "dispersion": 0.485340669444444,
            "shape": 0.601010101010101,
            "rate": 0.291694644767116,
            "rate_gamma": 0.291467154781005,
            "coefficients": [5.030145, -0.36729],
        },
    ),
    "pwt": (
        {"pwt": 0.5},
        {
            "mu": [4.8465, 0],
            "Sigma": [0.0504075138888889, -0.0504075138888889, 0.100815027777778],
            "Sigma_0": [0.1, -0.1, 0.2],
            "dispersion": 0.504075138888889,
            "shape": 10.5,
            "rate": 5.29278895833333,
            "rate_gamma": 5.19242572916667,
            "coefficients": [4.93925, -0.1855],
        },
    ),
    "n_prior": (
        {"n_prior": 1},
        {
            "mu": [4.8465, 0],
            "Sigma": [0.973557962962963, -0.973557962962963, 1.94711592592593],
            "Sigma_0": [2, -2, 4],
            "dispersion": 0.486778981481482,
            "shape": 1,
            "rate": 0.486778981481482,
            "rate_gamma": 0.485045030864198,
            "coefficients": [5.02316666666667, -0.353333333333333],
        },
    ),
    "k": (
        {"k": 2},
        {
            "mu": [4.8465, 0],
            "Sigma": [4.8048726275, -4.8048726275, 9.609745255],
            "Sigma_0": [9.9, -9.9, 19.8],
            "dispersion": 0.485340669444444,
            "shape": 1.1010101010101,
            "rate": 0.534364979489338,
            "rate_gamma": 0.533948233128227,
            "coefficients": [5.030145, -0.36729],
        },
    ),
    "full model": (
        {"intercept_source": "full_model", "effects_source": "full_model"},
        {
            "mu": [5.032, -0.371],
            "Sigma": [4.8010875, -4.8010875, 9.602175],
            "Sigma_0": [9.9, -9.9, 19.8],
            "dispersion": 0.484958333333333,
            "shape": 0.601010101010101,
            "rate": 0.291464856902357,
            "rate_gamma": 0.291464856902357,
            "coefficients": [5.032, -0.371],
        },
    ),
    "no intercept": (
        {"formula": "weight ~ group - 1"},
        {
            "mu": [0, 0],
            "Sigma": [7.388614475, 0, 7.388614475],
            "Sigma_0": [9.9, 0, 9.9],
            "dispersion": 0.746324694444444,
            "shape": 0.601010101010101,
            "rate": 0.448548679994388,
            "rate_gamma": 0.293035695133277,
            "coefficients": [4.98168, 4.61439],
        },
    ),
    "intercept only": (
        {"formula": "weight ~ 1"},
        {
            "mu": [4.8465],
            "Sigma": [2.45349485526316],
            "Sigma_0": [4.95],
            "dispersion": 0.49565552631579,
            "shape": 0.601010101010101,
            "rate": 0.0500662147793727,
            "rate_gamma": 0.0500662147793727,
            "coefficients": [4.8465],
        },
    ),
    "offset": (
        {"offset": [0.1, -0.1] * 10},
        {
            "mu": [4.8465, 0],
            "Sigma": [4.6233726275, -4.6233726275, 9.246745255],
            "Sigma_0": [9.9, -9.9, 19.8],
            "dispersion": 0.467007336111111,
            "shape": 0.601010101010101,
            "rate": 0.280676126248597,
            "rate_gamma": 0.280448636262486,
            "coefficients": [5.030145, -0.36729],
        },
    ),
    "mu": (
        {"mu": [5, -0.2]},
        {
            "mu": [5, -0.2],
            "Sigma": [4.802206475, -4.802206475, 9.60441295],
            "Sigma_0": [9.9, -9.9, 19.8],
            "dispersion": 0.485071361111111,
            "shape": 0.601010101010101,
            "rate": 0.291532787738496,
            "rate_gamma": 0.291465536210718,
            "coefficients": [5.03168, -0.36929],
        },
    ),
    "weights": (
        {"weights": [1, 2] * 10},
        {
            "mu": [4.80233333333333, 0],
            "Sigma": [2.9307082078341, -2.9307082078341, 5.8614164156682],
            "Sigma_0": [10.2666666666667, -10.2666666666667, 20.5333333333333],
            "dispersion": 0.444046698156682,
            "shape": 0.651515151515151,
            "rate": 0.289303151829353,
            "rate_gamma": 0.288946381789863,
            "coefficients": [5.08316333333333, -0.56166],
        },
    ),
    "four plants": (
        {"data": SMALL, "pwt": 0.01},
        {
            "mu": [4.6825, 0],
            "Sigma": [29.7082231875, -29.7082231875, 59.416446375],
            "Sigma_0": [49.5, -49.5, 99],
            "dispersion": 0.600166125,
            "shape": 0.52020202020202,
            "rate": 0.312207630681818,
            "rate_gamma": 0.311825951306818,
            "coefficients": [4.873075, -0.38115],
        },
    ),
    "cars": (
        {"formula": "mpg ~ wt + hp", "data": "mtcars"},
        {
            "mu": [20.090625, 0, 0],
            "Sigma": [
                *[265.134875792931, -76.3362453580266, 41.5266597434994],
                *[0.0154001238035529, -0.390390460685109, 0.00845732312457171],
            ],
            "Sigma_0": [
                *[37.6247606612511, -10.8327241098882, 5.89296534164985],
                *[0.00218540080979449, -0.0553995305362405, 0.00120016183252101],
            ],
            "dispersion": 7.04681893341556,
            "shape": 0.661616161616162,
            "rate": 8.18569876103828,
            "rate_gamma": 7.81650933080645,
            "coefficients": [37.0559036652827, -3.83905243498064, -0.0314552175123394],
        },
    ),
    "cars, n_prior": (
        {"formula": "mpg ~ wt + hp", "data": "mtcars", "n_prior": 3},
        {
            "mu": [20.090625, 0, 0],
            "Sigma": [
                *[38.4203568042271, -11.0617879861303, 6.01757531694559],
                *[0.00223161230521732, -0.0565709839101006, 0.00122553991089598],
            ],
            "Sigma_0": [
                *[4.0538462665321, -1.16716219365799, 0.634932292703014],
                *[0.000235464060314557, -0.00596897298706968, 0.000129310365793509],
            ],
            "dispersion": 9.47750710761273,
            "shape": 2,
            "rate": 23.6937677690318,
            "rate_gamma": 17.4041164287912,
            "coefficients": [35.7584148207517, -3.54544525019857, -0.0290495515265472],
        },
    ),
}


def run(arguments):
    arguments = {"formula": "weight ~ group", "data": PLANT} | arguments
    if isinstance(arguments["data"], str):
        arguments["data"] = datasets.load(arguments["data"])
    return Prior_Setup(arguments.pop("formula"), arguments.pop("data"), **arguments)


@pytest.mark.parametrize("case", R_SETUPS)
def test_the_numbers_of_the_r_package(case):
    arguments, expected = R_SETUPS[case]
    ps = run(arguments)
    p = len(expected["mu"])
    lower = np.tril_indices(p)
    for name, value in expected.items():
        got = getattr(ps, name)
        got = got[lower] if name.startswith("Sigma") else got
        np.testing.assert_allclose(got, value, rtol=1e-8, atol=1e-12, err_msg=name)
    assert ps.shape_ING == pytest.approx(expected["shape"] + p / 2, rel=1e-14)
    np.testing.assert_array_equal(ps.Sigma, ps.Sigma.T)


def test_settings_of_the_r_package():
    s = run({}).settings
    assert (s.pwt, s.n_effective, s.n_likelihood) == (0.01, 20, 20)
    assert s.n_prior == pytest.approx(0.202020202020202, rel=1e-13)
    assert (s.intercept_source, s.effects_source, s.k, s.weights_type) == ("null_model", "null_effects", 1, None)
    s = run({"weights": [1, 2] * 10}).settings
    assert (s.n_effective, s.n_likelihood, s.weights_type) == (30, 30, "frequency")
    assert s.n_prior == pytest.approx(0.303030303030303, rel=1e-13)
    assert run({"n_prior": 1}).settings.pwt == pytest.approx(1 / 21, rel=1e-14)
    assert run({"n_prior": 1, "pwt": 0.3}).settings.pwt == pytest.approx(1 / 21, rel=1e-14)


def dense(y, X, w, o, mu, pwt, sd, n_prior, k, precision=False, dispersion=None):
    """The definitions, written out with normal equations and inverses: a second route for well-conditioned data."""
    n_plus, p = np.sum(w > 0), X.shape[1]
    n_eff = n_plus if precision else w.sum()
    G = X.T @ (w[:, None] * X)
    Ginv = np.linalg.inv(G)
    b = Ginv @ X.T @ (w * (y - o))
    rss = np.sum(w * (y - o - X @ b) ** 2)
    V0 = (rss / (n_plus - p) if dispersion is None else dispersion) * Ginv
    if sd is not None:
        pwt = np.diag(V0) / (np.diag(V0) + sd**2)
    s = np.sqrt((1 - pwt) / pwt) * np.ones(p)
    Sigma = V0 * np.outer(s, s)
    phi = rss / (n_eff - p)
    S = rss + (b - mu) @ np.linalg.solve(Sigma / phi + Ginv, b - mu)
    star = (1 - pwt) * b + pwt * mu
    errors = np.sum(w * (y - o - X @ star) ** 2)
    known = S / (n_eff - p) if dispersion is None else dispersion
    fixed = errors / (n_eff - p) if dispersion is None else dispersion
    weight = (n_prior + k + p - 2) / 2
    if np.ndim(pwt) == 0 and sd is None:
        Sigma, Sigma_0 = n_eff / n_prior * known * Ginv, Sigma / (phi if dispersion is None else dispersion)
    else:
        Sigma_0 = Sigma / known
    return {
        "Sigma": Sigma,
        "Sigma_0": Sigma_0,
        "dispersion": known,
        "shape": (n_prior + k) / 2,
        "rate": weight * known,
        "rate_gamma": weight * fixed,
        "coefficients": star,
        "S": S,
    }


VARIANTS = {
    "vector pwt": {"pwt": [0.1, 0.4, 0.02], "n_prior": 2.0},
    "sd": {"sd": [3.0, 0.5, 1.0], "n_prior": 2.0},
    "sd and dispersion": {"sd": [3.0, 0.5, 1.0], "n_prior": 2.0, "dispersion": 0.7},
    "dispersion": {"dispersion": 0.7},
    "pwt": {"pwt": 0.2, "k": 3.5},
    "vector pwt and dispersion": {"pwt": [0.1, 0.4, 0.02], "n_prior": 2.0, "dispersion": 0.7},
}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("weights", ["none", "frequency", "precision"])
def test_definitions_by_a_second_route(variant, weights, rng):
    n = 40
    X = np.column_stack([np.ones(n), rng.standard_normal((n, 2))])
    o = rng.standard_normal(n) + 3.0  # an offset forgotten anywhere would show
    y = X @ [1.0, 0.5, -2.0] + o + rng.standard_normal(n)
    w = np.ones(n) if weights == "none" else rng.integers(0, 4, n) * (0.37 if weights == "precision" else 1.0)
    arguments = VARIANTS[variant]
    ps = prior_setup_from_design(
        array_design(y, X, offset=o, weights=None if weights == "none" else w),
        weights_type=None if weights == "none" else weights,
        **arguments,
    )
    precision = weights == "precision"
    n_eff = np.sum(w > 0) if precision else w.sum()
    mu = np.array([np.sum(w * (y - o)) / np.sum(w), 0.0, 0.0])
    pwt = arguments.get("pwt", 0.01)
    n_prior = arguments.get("n_prior", np.mean(pwt) / (1 - np.mean(pwt)) * n_eff)
    sd = np.array(arguments["sd"]) if "sd" in arguments else None
    pwt = np.array(pwt) if np.ndim(pwt) else pwt
    expected = dense(y, X, w, o, mu, pwt, sd, n_prior, arguments.get("k", 1), precision, arguments.get("dispersion"))
    np.testing.assert_allclose(ps.mu, mu, rtol=1e-12)
    for name in ("Sigma", "Sigma_0", "dispersion", "shape", "rate", "rate_gamma", "coefficients"):
        np.testing.assert_allclose(getattr(ps, name), expected[name], rtol=1e-9, err_msg=name)
    if sd is not None:
        np.testing.assert_array_equal(np.sqrt(np.diag(ps.Sigma)), sd)


def test_an_offset_with_a_mean_shifts_the_null_model():
    # y - 10 is the plant weight: every parameter is that of the plain data
    shifted = Prior_Setup("I(weight + 10) ~ group", PLANT, offset=np.full(20, 10.0))
    plain = run({})
    for name in ("mu", "Sigma", "Sigma_0", "dispersion", "rate", "rate_gamma", "coefficients", "ml"):
        np.testing.assert_allclose(getattr(shifted, name), getattr(plain, name), rtol=1e-12, atol=1e-14)


def test_maximum_likelihood_against_statsmodels(rng):
    n = 60
    data = {"x": rng.standard_normal(n), "z": rng.standard_normal(n), "w": rng.uniform(0.5, 2, n)}
    data["y"] = data["x"] - data["z"] + rng.standard_normal(n)
    ps = Prior_Setup("y ~ x + z", data, weights="w", weights_type="precision")
    fit = sm.WLS(data["y"], sm.add_constant(np.column_stack([data["x"], data["z"]])), weights=data["w"]).fit()
    np.testing.assert_allclose(ps.ml, fit.params, rtol=1e-10)
    np.testing.assert_allclose(ps.ml_se, fit.bse, rtol=1e-10)


def test_rate_is_calibrated_to_the_expected_dispersion(rng):
    """Under dNormal_Gamma, E[phi | y] = (rate + S/2) / (shape + n/2 - 1) must be S / (n - p), the dispersion."""
    n = 25
    X = np.column_stack([np.ones(n), rng.standard_normal((n, 3))])
    y = X @ [3.0, 1.0, 0.0, -1.0] + rng.standard_normal(n)
    for arguments in ({}, {"pwt": 0.4}, {"n_prior": 7.0, "k": 2.0}):
        ps = prior_setup_from_design(array_design(y, X), **arguments)
        V = np.eye(n) + X @ ps.Sigma_0 @ X.T  # y | phi has covariance phi V
        S = (y - X @ ps.mu) @ np.linalg.solve(V, y - X @ ps.mu)
        assert (ps.rate + S / 2) / (ps.shape + n / 2 - 1) == pytest.approx(ps.dispersion, rel=1e-10)


def test_weight_two_is_a_row_twice():
    w = np.array([1, 2] * 10)
    twice = PLANT.loc[np.repeat(PLANT.index, w)]
    counted, repeated = run({"weights": w}), run({"data": twice})
    for name in ("mu", "ml", "shape", "rate_gamma", "coefficients"):
        np.testing.assert_allclose(getattr(counted, name), getattr(repeated, name), rtol=1e-12, atol=1e-14)
    # the covariance of the estimate has rows, not weights, in its degrees of freedom (as R's lm): 20 - 2, 30 - 2
    np.testing.assert_allclose(counted.Sigma_0, repeated.Sigma_0 * 28 / 18, rtol=1e-12)


def test_rows_of_weight_zero_are_not_there():
    w = np.where(np.arange(20) % 3 == 0, 0, 1)
    some, without = run({"weights": w}), run({"data": PLANT[w == 1]})
    for name in ("mu", "Sigma", "Sigma_0", "dispersion", "rate", "rate_gamma", "coefficients"):
        np.testing.assert_allclose(getattr(some, name), getattr(without, name), rtol=1e-12, atol=1e-14)


def test_scale_of_precision_weights_does_not_matter_to_n_prior():
    w = np.linspace(0.5, 2.0, 20)
    one = run({"weights": w, "weights_type": "precision"})
    ten = run({"weights": 10 * w, "weights_type": "precision"})
    assert one.settings.n_effective == ten.settings.n_effective == 20
    assert one.settings.n_prior == ten.settings.n_prior
    np.testing.assert_allclose(ten.Sigma, one.Sigma, rtol=1e-11)
    assert ten.dispersion == pytest.approx(10 * one.dispersion, rel=1e-11)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    c=st.floats(1e-6, 1e6),
    p=st.integers(1, 5),
    pwt=st.floats(0.001, 0.9),
)
def test_scaling_the_response(seed, c, p, pwt):
    rng = np.random.default_rng(seed)
    X = np.column_stack([np.ones(12), rng.standard_normal((12, p - 1))])
    y = rng.standard_normal(12)
    one = prior_setup_from_design(array_design(y, X), pwt=pwt, k=2)
    other = prior_setup_from_design(array_design(c * y, X), pwt=pwt, k=2)
    np.testing.assert_allclose(other.mu, c * one.mu, rtol=1e-9, atol=1e-12 * c)
    np.testing.assert_allclose(other.Sigma, c**2 * one.Sigma, rtol=1e-8, atol=1e-12 * c**2)
    np.testing.assert_allclose(other.Sigma_0, one.Sigma_0, rtol=1e-8, atol=1e-12)
    for name in ("dispersion", "rate", "rate_gamma"):
        assert getattr(other, name) == pytest.approx(c**2 * getattr(one, name), rel=1e-9)
    assert (other.shape, other.shape_ING) == (one.shape, one.shape_ING)
    assert np.linalg.eigvalsh(one.Sigma)[0] > 0


def test_the_default_weight_grows_with_many_coefficients(rng):
    for p, pwt in ((13, 0.01), (14, 0.05)):
        X = np.column_stack([np.ones(40), rng.standard_normal((40, p - 1))])
        assert prior_setup_from_design(array_design(rng.standard_normal(40), X)).settings.pwt == pwt


def test_one_weight_per_coefficient_reduces_to_one_weight():
    same, single = run({"pwt": [0.2, 0.2]}), run({"pwt": 0.2})
    for name in ("mu", "dispersion", "shape", "rate", "rate_gamma", "coefficients"):
        np.testing.assert_allclose(getattr(same, name), getattr(single, name), rtol=1e-12)
    # the vector keeps Sigma on the scale of the estimate's covariance, the scalar on that of the dispersion
    ratio = single.Sigma / same.Sigma
    np.testing.assert_allclose(ratio, single.dispersion / (same.ml_se[0] ** 2 * 10), rtol=1e-12)
    assert run({"formula": "weight ~ 1", "pwt": [0.2]}).settings.pwt == 0.2


def test_sources_of_the_prior_means():
    ml = run({}).ml
    np.testing.assert_array_equal(run({"effects_source": "full_model"}).mu[1:], ml[1:])
    assert run({"effects_source": "full_model"}).mu[0] == pytest.approx(4.8465)
    np.testing.assert_array_equal(run({"intercept_source": "full_model"}).mu, [ml[0], 0.0])
    no_intercept = run({"formula": "weight ~ group - 1", "effects_source": "full_model"})
    np.testing.assert_array_equal(no_intercept.mu, no_intercept.ml)
    assert no_intercept.settings.intercept_source == "none"
    assert run({"mu": [1, 2]}).settings.effects_source == "given"


def test_named_values_are_matched_by_name():
    by_position = run({"mu": [5, -0.2], "sd": [1.0, 2.0], "n_prior": 1})
    for kind in (dict, pd.Series):
        mu = kind({"groupTrt": -0.2, "(Intercept)": 5})
        ps = run({"mu": mu, "sd": kind({"groupTrt": 2.0, "(Intercept)": 1.0}), "n_prior": 1})
        np.testing.assert_array_equal(ps.mu, by_position.mu)
        np.testing.assert_array_equal(ps.Sigma, by_position.Sigma)
    pwt = run({"pwt": {"groupTrt": 0.4, "(Intercept)": 0.1}}).settings.pwt
    np.testing.assert_array_equal(pwt, [0.1, 0.4])


def test_polynomial_terms_keep_their_digits():
    """Degree five on 0..20 (condition number 6e6, normal equations 4e13) against exact rational arithmetic."""
    x = np.arange(21)
    y = (7 * x**3) % 101 + x**2
    ps = Prior_Setup("y ~ x + I(x^2) + I(x^3) + I(x^4) + I(x^5)", {"x": x, "y": y})
    rows = [[Fraction(int(v)) ** j for j in range(6)] for v in x]
    A = [[sum(r[i] * r[j] for r in rows) for j in range(6)] for i in range(6)]
    b = [sum(r[i] * int(v) for r, v in zip(rows, y)) for i in range(6)]
    for i in range(6):  # Gauss-Jordan, exactly
        A[i], b[i] = [a / A[i][i] for a in A[i]], b[i] / A[i][i]
        for j in range(6):
            if j != i:
                b[j] -= A[j][i] * b[i]
                A[j] = [u - A[j][i] * v for u, v in zip(A[j], A[i])]
    np.testing.assert_allclose(ps.ml, [float(v) for v in b], rtol=1e-9)


def test_long_data_in_blocks_agree_with_one_factorisation(rng):
    n, p = 120_000, 6
    X = np.column_stack([np.ones(n), rng.standard_normal((n, p - 1))])
    y = X @ np.arange(1.0, p + 1) + rng.standard_normal(n)
    ps = prior_setup_from_design(array_design(y, X))
    b, rss = np.linalg.lstsq(X, y, rcond=None)[:2]
    np.testing.assert_allclose(ps.ml, b, rtol=1e-11)
    assert ps.ml_se[0] ** 2 == pytest.approx(rss[0] / (n - p) * np.linalg.inv(X.T @ X)[0, 0], rel=1e-10)


@pytest.mark.parametrize("kind", ["dNormal", "dNormal_Gamma", "dIndependent_Normal_Gamma", "dGamma"])
def test_priors_get_the_parameters_that_belong_together(kind):
    ps = run({"weights": [1, 2] * 10})
    prior = ps.prior(kind)
    assert type(prior) is getattr(glmbayes.priors, kind)
    if kind == "dGamma":
        np.testing.assert_array_equal(prior.beta, ps.coefficients)
        assert (prior.shape, prior.rate) == (ps.shape, ps.rate_gamma)
        return
    np.testing.assert_array_equal(prior.coefficient.mu, ps.mu)
    assert prior.coefficient.names == ps.names
    np.testing.assert_array_equal(prior.coefficient.Sigma, ps.Sigma_0 if kind == "dNormal_Gamma" else ps.Sigma)
    if kind == "dNormal":
        assert prior.dispersion == ps.dispersion
    else:
        shape = ps.shape if kind == "dNormal_Gamma" else ps.shape_ING
        assert (prior.shape, prior.rate) == (shape, ps.rate)


def test_a_setup_is_a_value():
    ps = run({})
    again = pickle.loads(pickle.dumps(ps))
    np.testing.assert_array_equal(again.Sigma, ps.Sigma)
    np.testing.assert_array_equal(copy.deepcopy(ps).x, ps.x)
    with pytest.raises(AttributeError):
        ps.mu = None
    assert ps.x.shape == (20, 2)
    np.testing.assert_array_equal(ps.y, CTL + TRT)
    assert ps.weights is None
    assert ps.offset is None
    assert list(ps.table.index) == list(ps.names) == ["(Intercept)", "groupTrt"]
    assert ps.table.loc["groupTrt", "estimate"] == pytest.approx(-0.371)
    assert ps.Sigma_table.loc["groupTrt", "(Intercept)"] == ps.Sigma[1, 0]


def test_printout():
    assert repr(run({})).split("\n") == [
        "Prior_Setup: weight ~ group  (gaussian, 20 rows)",
        "",
        "coefficient   prior mean     prior sd     estimate   std. error          pwt",
        "(Intercept)       4.8465        2.192        5.032     0.220218         0.01",
        "groupTrt               0      3.09996       -0.371     0.311435         0.01",
        "",
        "n_prior = 0.20202 against n_effective = 20; prior means: intercept null_model, effects null_effects",
        "",
        "dispersion = 0.485341 (calibrated)",
        "matching priors, built by .prior(name):",
        "  dNormal                    mu, Sigma, dispersion",
        "  dNormal_Gamma              mu, Sigma_0, shape = 0.60101, rate = 0.291695",
        "  dIndependent_Normal_Gamma  mu, Sigma, shape_ING = 1.60101, rate = 0.291695",
        "  dGamma                     shape = 0.60101, rate_gamma = 0.291467, coefficients",
    ]
    assert "frequency weights" in repr(run({"weights": [1, 2] * 10}))


def test_names_of_the_callers_scope():
    response, arm = PLANT["weight"].to_numpy(), list(PLANT["group"])
    ps = Prior_Setup("response ~ arm")
    assert ps.names == ("(Intercept)", "armTrt")
    np.testing.assert_allclose(ps.Sigma, run({}).Sigma, rtol=1e-13)
    assert ps.design.scope_names == ("response", "arm")
    assert len(arm) == len(response)


def test_missing_rows_and_subsets_are_left_out():
    holes = PLANT.assign(weight=PLANT["weight"].where(PLANT.index != 3))
    np.testing.assert_allclose(run({"data": holes}).Sigma, run({"data": PLANT.drop(index=3)}).Sigma, rtol=1e-12)
    subset = run({"subset": "weight < 5.5"})
    np.testing.assert_allclose(subset.Sigma, run({"data": PLANT[PLANT["weight"] < 5.5]}).Sigma, rtol=1e-12)


def test_the_same_from_a_design():
    design = build_design("weight ~ group", PLANT)
    np.testing.assert_array_equal(prior_setup_from_design(design).Sigma, run({}).Sigma)
