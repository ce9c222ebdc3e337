"""lmb against R's numbers, closed forms, draws, least squares and simulation-based calibration."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from glmbayes import (
    Prior_Setup,
    datasets,
    dIndependent_Normal,
    dIndependent_Normal_Gamma,
    dNormal,
    dNormal_Gamma,
    lmb,
)
from tests.fits.cases import IMPROPER, PRIORS, design, line
from tests.oracles import assert_cdf, assert_mean, assert_sd, assert_uniform_ranks

PLANT = datasets.load("plant_weight")
MTCARS = datasets.load("mtcars")
Q = (0.025, 0.25, 0.5, 0.75, 0.975)
WINDOW = (0.245096679399393, 0.994520354067209)  # to which R's independent normal-gamma truncates phi here

# Exact posteriors under Prior_Setup's defaults, by closed form or quadrature (R glmbayes 0.9.75's own truths; its
# draws agree with them within Monte Carlo error): mean, sd, quantiles Q of each coefficient and of the dispersion
TRUTH = {
    "dNormal": (
        "weight ~ group",
        {
            "(Intercept)": (5.030145, 0.219200196795076, 4.600520508877559, 4.882296714020757, 5.030145,
                            5.177993285979243, 5.459769491122441),
            "groupTrt": (-0.36729, 0.309995891182448, -0.9748707820729968, -0.5763790512054621, -0.36729,
                         -0.15820094879453991, 0.2402907820729947),
        },
        None,
    ),
    "dNormal_Gamma": (
        "weight ~ group",
        {
            "(Intercept)": (5.030145, 0.219200196795074, 4.59657764490678, 4.88699212232878, 5.030145,
                            5.17329787767122, 5.46371235509322),
            "groupTrt": (-0.36729, 0.309995891182446, -0.980446833775068, -0.56973874109538, -0.36729,
                         -0.164841258904621, 0.245866833775067),
        },
        (0.485340669444438, 0.165490076220226, 0.260740942101665, 0.370438068306926, 0.453742943725082,
         0.563963819384115, 0.894076930508993),
    ),
    "dIndependent_Normal_Gamma": (
        "weight ~ group",
        {
            "(Intercept)": (5.03015057245628, 0.218871589138383, 4.59703990421197, 4.88715097775417, 5.03023994587664,
                            5.173252433311, 5.46274112134581),
            "groupTrt": (-0.367301144912555, 0.309532415434343, -0.978926628538372, -0.569708370321693,
                         -0.367479892154605, -0.16509845231038, 0.245364579840104),
        },
        (0.484425684437348, 0.164941183747505, 0.26014286825172, 0.369503385600218, 0.452518366203763,
         0.562310842724204, 0.890839924982862),
    ),
    "truncated as in R": (
        "weight ~ group",
        {
            "(Intercept)": (5.03016893410187, 0.217782169230149, 4.59961992765301, 4.88711489645847, 5.03024273178542,
                            5.17330606617023, 5.46028645148575),
            "groupTrt": (-0.367337868203742, 0.307991454303753, -0.975491405465635, -0.569789250864943,
                         -0.367485463808008, -0.165052674475335, 0.24167864795859),
        },
        (0.479441235462185, 0.143818145942954, 0.273438741126843, 0.372298055427249, 0.453165127181301,
         0.559341465636747, 0.835182373419491),
    ),
    "dGamma": (
        "weight ~ group",
        {},
        (0.484962156694445, 0.165361012023074, 0.260537592625217, 0.370149167044854, 0.453389073752438,
         0.563523989158439, 0.893379648086608),
    ),
    "mtcars": (
        "mpg ~ wt + hp",
        {
            "(Intercept)": (37.0559036652825, 1.62829627461605, 33.8452452165345, 35.9793670968478, 37.0559036652825,
                            38.1324402337172, 40.2665621140306),
            "wt": (-3.83905243498054, 0.644411822854661, -5.10969727755337, -4.26510075508634, -3.83905243498054,
                   -3.41300411487474, -2.5684075924077),
            "hp": (-0.0314552175123397, 0.00919637054743291, -0.0495885297702059, -0.0375353328731157,
                   -0.0314552175123397, -0.0253751021515637, -0.0133219052544735),
        },
        (7.04681893341342, 1.84035747604898, 4.31730680985374, 5.74698609962484, 6.75860318081199, 8.02196709038902,
         11.4416104954927),
    ),
}  # fmt: skip


def chosen(name):
    """The prior of a case of TRUTH, from the setup."""
    if name == "truncated as in R":
        return lambda s: dIndependent_Normal_Gamma(s.mu, s.Sigma, s.shape_ING, s.rate, *WINDOW)
    return lambda s: s.prior("dNormal_Gamma" if name == "mtcars" else name)


@pytest.mark.parametrize("name", TRUTH)
def test_posterior_summaries_are_those_of_r(name, rng):
    formula, coefficients, dispersion = TRUTH[name]
    fit = lmb(formula, MTCARS if name == "mtcars" else PLANT, chosen(name), n=20_000, rng=rng)
    for column, (mean, sd, *quantiles) in coefficients.items():
        assert fit.posterior_mean[column] == pytest.approx(mean, rel=1e-8)
        assert fit.posterior_sd[column] == pytest.approx(sd, rel=1e-8)
        for q, value in zip(Q, quantiles):
            exact = fit.conditional(np.eye(len(fit.names))[[fit.names.index(column)]]).quantile(q)[0]
            assert exact == pytest.approx(value, abs=1e-7 * sd)
        assert_mean(fit.coefficients[column], mean)
        assert_sd(fit.coefficients[column], sd)
    if dispersion:
        mean, sd, *quantiles = dispersion
        assert fit.moments.dispersion_mean == pytest.approx(mean, rel=1e-8)
        assert fit.moments.dispersion_sd == pytest.approx(sd, rel=1e-8)
        for q, value in zip(Q, quantiles):
            assert abs(np.mean(fit.dispersion < value) - q) < 4.5 * math.sqrt(q * (1 - q) / 20_000)
    else:
        assert (fit.dispersion == fit.prior.dispersion).all()


def test_modes_of_r():
    """R glmbayes 0.9.75; under the independent prior the mode of its window differs in the sixth digit."""
    conjugate = lmb("mpg ~ wt + hp", MTCARS, chosen("mtcars"), rng=1)
    assert conjugate.coef_mode.tolist() == pytest.approx([37.0559036652827, -3.83905243498063, -0.0314552175123394])
    default = lmb("weight ~ group", PLANT, rng=1)
    assert default.coef_mode.tolist() == pytest.approx([5.03014826096092, -0.367296496930351], abs=1e-3)
    assert default.coef_mode.tolist() != default.posterior_mean.tolist()


def test_the_default_prior_is_prior_setup_s(rng):
    data = {**line(rng), "o": rng.standard_normal(12)}
    w = np.arange(1, 13) / 2
    options = {"weights": w, "weights_type": "precision", "offset": "o"}
    fit = lmb("y ~ x", data, rng=1, **options)
    setup = Prior_Setup("y ~ x", data, **options)
    explicit = lmb("y ~ x", data, setup.prior("dIndependent_Normal_Gamma"), rng=1, **options)
    assert (fit.setup is not None, explicit.setup) == (True, None)
    np.testing.assert_array_equal(fit.setup.Sigma, setup.Sigma)
    pd.testing.assert_frame_equal(fit.coefficients, explicit.coefficients)


@pytest.mark.parametrize("name", [*PRIORS, *IMPROPER])
def test_exact_summaries_against_draws(name, rng):
    fit = lmb("y ~ x", line(rng, 15), {**PRIORS, **IMPROPER}[name], n=20_000, rng=rng)
    if name != "dGamma":
        assert_mean(fit.coefficients, fit.posterior_mean)
        assert_sd(fit.coefficients, fit.posterior_sd)
        assert_cdf(fit.coefficients["x"], lambda values: exact_cdf(fit, values))
    if name != "dNormal":
        assert_mean(fit.dispersion, fit.moments.dispersion_mean)
        assert_sd(fit.dispersion, fit.moments.dispersion_sd)


def exact_cdf(fit, values):
    """The distribution function of the slope at many values, interpolated between 400 exact ones."""
    slope = fit.conditional(np.array([[0.0, 1.0]]))
    grid = np.linspace(np.min(values), np.max(values), 400)
    return np.interp(values, grid, [slope.cdf(np.array([at]))[0] for at in grid])


@pytest.mark.parametrize("w", [None, np.array([1.0, 0.3, 2, 5, 1, 1, 0.1, 1, 1, 4, 1, 1])])
def test_without_prior_information_it_is_least_squares(w, rng):
    """Flat coefficients, and variances of 1e12 in standardised units, against statsmodels."""
    sm = pytest.importorskip("statsmodels.api")
    data = line(rng)
    X, kind = design(data), None if w is None else "precision"
    ols = sm.WLS(data["y"], X, weights=1.0 if w is None else w).fit()
    flat = lmb("y ~ x", data, IMPROPER["reference"], weights=w, weights_type=kind, n=10, rng=1)
    vague = dNormal_Gamma([0, 0], 1e12 * np.eye(2), shape=1e-9, rate=1e-9)
    vague = lmb("y ~ x", data, vague, weights=w, weights_type=kind, n=10, rng=1)
    # p(sigma) flat: phi has n - 3 degrees of freedom; shape 0: n
    for fit, freedom, digits in ((flat, 9, 1e-10), (vague, 12, 1e-8)):
        np.testing.assert_allclose(fit.params, ols.params, rtol=digits)
        np.testing.assert_allclose(fit.fittedvalues, ols.fittedvalues, rtol=digits)
        np.testing.assert_allclose(fit.resid, ols.resid, rtol=100 * digits)
        phi = ols.ssr / (freedom - 2)
        assert fit.moments.dispersion_mean == pytest.approx(phi, rel=1e-7)
        np.testing.assert_allclose(fit.vcov(), ols.cov_params() / ols.scale * phi, rtol=1e-7)
        np.testing.assert_allclose(fit.bse, ols.bse * math.sqrt(phi / ols.scale), rtol=1e-7)
        np.testing.assert_allclose(fit.hat(), np.diag(ols.model.wexog @ ols.model.pinv_wexog), rtol=1e-7)
        prior = fit.summary().prior_table
        np.testing.assert_allclose(prior["ML estimate"], ols.params, rtol=1e-10)
        np.testing.assert_allclose(prior["ML se"], ols.bse, rtol=1e-10)
    t = stats.t(9, ols.params, ols.bse * math.sqrt(10 / 9))
    np.testing.assert_allclose(flat.confint(level=0.9).to_numpy().T, t.ppf([[0.05], [0.95]]), rtol=1e-8)


@pytest.mark.parametrize("name", [*PRIORS, *IMPROPER])
def test_frequency_weights_are_rows_written_out(name, rng):
    data, w = line(rng), np.array([2, 1, 0, 3, 1, 1, 2, 1, 1, 4, 1, 1])
    copies = np.repeat(np.arange(12), w)
    prior = {**PRIORS, **IMPROPER}[name]
    counted = lmb("y ~ x", data, prior, weights=w, rng=1)
    written = lmb("y ~ x", {key: value[copies] for key, value in data.items()}, prior, rng=1)
    np.testing.assert_allclose(counted.posterior_mean, written.posterior_mean, rtol=1e-10)
    np.testing.assert_allclose(counted.vcov(), written.vcov(), rtol=1e-9)
    assert counted.moments[2:] == pytest.approx(written.moments[2:], rel=1e-9)
    one, two = counted.summary().statistics, written.summary().statistics
    assert (one["observations"], two["observations"]) == (11, 18)
    drawn = ["observations", "candidates per draw", "residual sd (median)", "Bayesian R2", "Bayesian R2 sd"]
    one, two = one.drop(drawn), two.drop(drawn)
    np.testing.assert_allclose(one, two, rtol=1e-8)
    np.testing.assert_allclose(counted.summary().prior_table, written.summary().prior_table, rtol=1e-9)


@pytest.mark.parametrize("name", [*PRIORS, *IMPROPER])
def test_precision_weights_scale_the_rows(name, rng):
    data, w = line(rng), rng.uniform(0.2, 4.0, 12)
    prior = {**PRIORS, **IMPROPER}[name]
    weighted = lmb("y ~ x", data, prior, weights=w, weights_type="precision", rng=1)
    root = np.sqrt(w)
    scaled = lmb(y=root * data["y"], X=root[:, None] * design(data), pfamily=prior, rng=1)
    np.testing.assert_allclose(weighted.posterior_mean, scaled.posterior_mean, rtol=1e-10)
    np.testing.assert_allclose(weighted.vcov(), scaled.vcov(), rtol=1e-9)
    np.testing.assert_allclose(weighted.dispersion, scaled.dispersion, rtol=1e-9)
    if name in PRIORS:
        jacobian = np.log(root).sum()
        assert weighted.log_marginal_likelihood() == pytest.approx(scaled.log_marginal_likelihood() + jacobian)


def ranks(prior, rng, replications, fault=None, draws=99):
    """Simulation-based calibration (Talts et al. 2018): ranks of a prior draw among posterior draws, (m, 3)."""
    x, g = np.linspace(-1, 2, 9), np.tile(["a", "b", "c"], 3)
    data = {"x": x, "g": g, "y": np.zeros(9)}
    X = lmb("y ~ x + g", {**data, "y": x**2}, rng=1).design.X
    out = np.empty((replications, 3), dtype=int)
    for m in range(replications):
        truth = prior.sample(1, rng)
        beta, phi = truth.coefficients[0], truth.dispersion[0]
        spread = phi if fault == "variance for sd" else math.sqrt(phi)
        data["y"] = X @ beta + spread * rng.standard_normal(9)
        fit = lmb("y ~ x + g", data, prior, n=draws, rng=rng)
        given = [fit.draws.coefficients[:, 1], fit.draws.coefficients[:, 3], fit.dispersion]
        out[m] = [np.sum(part < value) for part, value in zip(given, (beta[1], beta[3], phi))]
    return out


FOUR = {
    "dNormal": dNormal(np.arange(4.0), np.diag([1.0, 4.0, 2.0, 0.5]), dispersion=0.7),
    "dNormal_Gamma": dNormal_Gamma(np.arange(4.0), np.diag([1.0, 4.0, 2.0, 0.5]), 2.5, 1.5),
    "dIndependent_Normal_Gamma": dIndependent_Normal_Gamma(np.arange(4.0), np.diag([1.0, 4.0, 2.0, 0.5]), 2.5, 1.5),
    "half-t": dIndependent_Normal(np.arange(4.0), np.diag([1.0, 4.0, 2.0, 0.5]), PRIORS["half-t"].sd),
}


@pytest.mark.parametrize("name", FOUR)
def test_simulation_based_calibration_through_the_formula(name, rng):
    result = ranks(FOUR[name], rng, 4000)
    for k, what in enumerate(("x", "gc", "dispersion")):
        if (name, what) != ("dNormal", "dispersion"):
            assert_uniform_ranks(result[:, k], 100, f"{name}: rank of {what}")


def test_calibration_sees_a_planted_fault(rng):
    result = ranks(FOUR["dIndependent_Normal_Gamma"], rng, 1000, fault="variance for sd")
    with pytest.raises(AssertionError):
        assert_uniform_ranks(result[:, 2], 100)


def test_arrays_are_the_formula_s_model(rng):
    data, w = {**line(rng), "o": rng.standard_normal(12)}, np.arange(1, 13)
    one = lmb("y ~ x", data, weights=w, offset="o", rng=1)
    other = lmb(y=data["y"], X=design(data), names=["(Intercept)", "x"], weights=w, offset=data["o"], rng=1)
    pd.testing.assert_frame_equal(one.coefficients, other.coefficients)
    assert one.loo().elpd == other.loo().elpd
    np.testing.assert_allclose(one.summary().table, other.summary().table)
    new = np.column_stack([np.ones(2), [5.0, 6.0]])
    expected = one.predict({"x": [5.0, 6.0], "o": [0.0, 0.0]})
    np.testing.assert_allclose(other.predict(new, offset=[0.0, 0.0]), expected)
    np.testing.assert_allclose(other.predict(pd.DataFrame({"x": [5.0, 6.0]}), offset=[0.0, 0.0]), expected)
    frame = pd.DataFrame({"a": np.ones(12), "b": data["x"]})
    assert lmb(y=data["y"], X=frame, rng=1).names == ("a", "b")
    assert str(other.summary()).startswith("Call:\nlmb(y=..., X=..., weights=..., offset=...)")


def test_a_missing_row_of_arrays_is_dropped(rng):
    data = line(rng)
    y = data["y"].copy()
    y[2] = np.nan
    fit = lmb(y=y, X=design(data), rng=1)
    assert fit.nobs == 11
    assert "1 row dropped for missing values." in str(fit.summary())


def test_named_priors_are_matched_by_name(rng):
    data = line(rng)
    plain = lmb("y ~ x", data, PRIORS["dNormal"], rng=1)
    mu, Sigma = PRIORS["dNormal"].mu, PRIORS["dNormal"].Sigma
    turned = dNormal({"x": mu[1], "(Intercept)": mu[0]}, Sigma[::-1, ::-1], dispersion=1.3)
    named = lmb("y ~ x", data, turned, rng=1)
    np.testing.assert_allclose(named.posterior_mean, plain.posterior_mean)
    np.testing.assert_allclose(named.prior.Sigma, Sigma)


def test_the_function_and_its_module_share_a_name():
    """`glmbayes.lmb` is the function also when the module was imported first."""
    import subprocess
    import sys

    program = (
        "import glmbayes.lmb, glmbayes; from glmbayes import lmb; import sys; "
        "assert lmb is glmbayes.lmb is sys.modules['glmbayes.lmb'].lmb; assert callable(lmb)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
