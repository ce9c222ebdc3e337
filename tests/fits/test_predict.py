"""Predictions, residuals and replicated data."""

import math

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import stats

from glmbayes import FormulaError, InputError, datasets, dNormal_Gamma, lmb
from tests.fits.cases import IMPROPER, MU, PRIORS, SIGMA, assert_share, design, line
from tests.oracles import assert_mean, assert_sd

ALL = {**PRIORS, **IMPROPER}
NEW = {"x": np.array([-1.0, 0.0, 2.5])}


@pytest.fixture
def fit(rng):
    return lmb("y ~ x", line(rng), PRIORS["dNormal_Gamma"], n=2000, rng=rng)


@pytest.mark.parametrize("name", ALL)
def test_intervals_against_draws(name, rng):
    fit = lmb("y ~ x", line(rng), ALL[name], n=40_000, rng=rng)
    table = fit.predict(NEW, kind="interval", level=0.8)
    mean, new = fit.predict(NEW, kind="draws"), fit.predict(NEW, kind="response", rng=rng)
    assert list(table.columns) == ["mean", "sd", "lower", "upper", "new_sd", "new_lower", "new_upper"]
    np.testing.assert_allclose(table["mean"], fit.predict(NEW))
    np.testing.assert_allclose(mean[:, 1], fit.draws.coefficients[:, 0])
    for i in range(3):
        row = table.loc[i]
        if name != "dGamma":  # there the mean is known
            assert_mean(mean[:, i], row["mean"])
            assert_share(mean[:, i] < row["lower"], 0.1)
            assert_share(mean[:, i] > row["upper"], 0.1)
        assert_share(new[:, i] < row["new_lower"], 0.1)
        assert_share(new[:, i] > row["new_upper"], 0.1)
    if name not in ("reference", "flat dispersion", "one flat"):  # tails heavy enough to upset a test of sds
        assert_sd(new, table["new_sd"])
    if name == "dGamma":
        assert (table["sd"] < 1e-14).all()
        np.testing.assert_allclose(table["lower"], table["mean"])


def test_intervals_of_the_conjugate_prior_are_student_t(rng):
    data = line(rng)
    X, y = design(data), data["y"]
    fit = lmb("y ~ x", data, dNormal_Gamma(MU, SIGMA, 2.0, 1.5), rng=1)
    V = np.linalg.inv(np.linalg.inv(SIGMA) + X.T @ X)
    m = V @ (np.linalg.solve(SIGMA, MU) + X.T @ y)
    rate = 1.5 + 0.5 * (y @ y + MU @ np.linalg.solve(SIGMA, MU) - m @ np.linalg.solve(V, m))
    a = 2.0 + 6.0
    Z = np.column_stack([np.ones(3), NEW["x"]])
    for column, plus in (("", 0.0), ("new_", 1.0)):
        t = stats.t(2 * a, Z @ m, np.sqrt(rate / a * (np.diag(Z @ V @ Z.T) + plus)))
        table = fit.predict(NEW, kind="interval", level=0.9)
        np.testing.assert_allclose(table[f"{column}lower"], t.ppf(0.05), rtol=1e-10)
        np.testing.assert_allclose(table[f"{column}upper"], t.ppf(0.95), rtol=1e-10)
        np.testing.assert_allclose(table[f"{column}sd"], t.std(), rtol=1e-10)


def test_coverage_of_new_observations(rng):
    """Parameters from the prior, data and a new observation from them: a 90 % interval covers 90 %."""
    hits = []
    for _ in range(500):
        prior = PRIORS["dIndependent_Normal_Gamma"].sample(1, rng)
        x = rng.standard_normal(8)
        y = design({"x": x}) @ prior.coefficients[0] + math.sqrt(prior.dispersion[0]) * rng.standard_normal(8)
        fit = lmb("y ~ x", {"x": x[:7], "y": y[:7]}, PRIORS["dIndependent_Normal_Gamma"], n=1, rng=rng)
        table = fit.predict({"x": x[7:]}, kind="interval", level=0.9)
        hits.append(table["new_lower"][0] < y[7] < table["new_upper"][0])
    assert_share(hits, 0.9)


def test_rows_of_the_fit(fit):
    X = fit.design.X
    mean = X @ fit.posterior_mean.to_numpy()
    for value in (fit.fitted(), fit.fittedvalues, fit.predict(), fit.predict(kind="link"), fit.linear_predictor):
        np.testing.assert_allclose(value, mean)
    np.testing.assert_allclose(fit.predict(kind="draws"), fit.draws.coefficients @ X.T)
    assert fit.predict(kind="response", rng=1).shape == (2000, 12)
    np.testing.assert_array_equal(fit.predict(kind="response", rng=1), fit.posterior_predictive(rng=1))
    assert (fit.predict(kind="response", rng=1) != fit.predict(kind="response", rng=2)).all()


@pytest.mark.parametrize("frame", [dict, pd.DataFrame, pl.DataFrame])
def test_new_data_in_any_frame(fit, frame):
    np.testing.assert_allclose(fit.predict(frame(NEW)), fit.predict(NEW))


def test_new_data_keep_their_index(fit):
    new = pd.DataFrame(NEW, index=["a", "b", "c"])
    assert list(fit.predict(new, kind="interval").index) == ["a", "b", "c"]


def test_missing_values_stay_in_place(fit):
    new = {"x": [0.5, np.nan, 1.0]}
    assert np.isnan(fit.predict(new)).tolist() == [False, True, False]
    table = fit.predict(new, kind="interval")
    assert table.isna().all(axis=1).tolist() == [False, True, False]
    np.testing.assert_allclose(table.loc[2], fit.predict({"x": [1.0]}, kind="interval").loc[0])
    draws = fit.predict(new, kind="response", rng=1)
    assert np.isnan(draws[:, 1]).all()
    assert np.isfinite(draws[:, [0, 2]]).all()


def test_new_data_that_do_not_fit(rng):
    data = datasets.load("plant_weight")
    fit = lmb("weight ~ group", data, rng=1)
    with pytest.raises(FormulaError, match=r"newdata lacks the column group; the model needs group"):
        fit.predict({"groups": ["Trt"]})
    with pytest.raises(FormulaError, match=r"level 'Other' of group, which the fit has not seen; it knows Ctl, Trt"):
        fit.predict({"group": ["Trt", "Other"]})
    with pytest.raises(InputError, match=r"kind must be one of 'mean', 'link', 'draws', 'response', 'interval'"):
        fit.predict(kind="means")
    for level in (0.0, 1.0, 95):
        with pytest.raises(InputError, match="level must"):
            fit.predict(kind="interval", level=level)


def test_transforms_keep_what_they_learnt(rng):
    data = {"x": rng.uniform(1, 9, 30)}
    data["y"] = np.log(data["x"]) + rng.standard_normal(30) / 9
    for formula in ("y ~ poly(x, 3)", "y ~ scale(x) + I(x^2)", "log(y + 9) ~ bs(x, df=5)"):
        fit = lmb(formula, data, rng=1)
        np.testing.assert_allclose(fit.predict({"x": data["x"][4:7]}), fit.fitted()[4:7], rtol=1e-9)


@pytest.mark.parametrize("way", ["array", "column", "formula", "number"])
def test_offsets(way, rng):
    data = {**line(rng), "o": rng.standard_normal(12)}
    formula, offset = {"formula": ("y ~ x + offset(o)", None), "number": ("y ~ x", 2.0)}.get(way, ("y ~ x", data["o"]))
    if way == "column":
        offset = "o"
    fit = lmb(formula, data, PRIORS["dNormal"], offset=offset, rng=1)
    plain = lmb("y ~ x", {**data, "y": data["y"] - (2.0 if way == "number" else data["o"])}, PRIORS["dNormal"], rng=1)
    np.testing.assert_allclose(fit.posterior_mean, plain.posterior_mean)
    shift = 2.0 if way == "number" else data["o"]
    np.testing.assert_allclose(fit.fitted(), plain.fitted() + shift)
    np.testing.assert_allclose(fit.residuals(), plain.residuals())
    new = {"x": [1.0, 2.0], "o": [10.0, 20.0]}
    given = {"offset": [10.0, 20.0]} if way == "array" else {}
    expected = plain.predict(new) + (2.0 if way == "number" else np.array([10.0, 20.0]))
    np.testing.assert_allclose(fit.predict(new, **given), expected)
    np.testing.assert_allclose(fit.predict(new, kind="interval", **given)["mean"], expected)
    np.testing.assert_allclose(fit.predict(new, kind="draws", **given).mean(axis=0) - expected, 0.0, atol=0.2)
    if way == "array":
        with pytest.raises(FormulaError, match="offset"):
            fit.predict(new)
    with pytest.raises(InputError, match="keep their own"):
        fit.predict(offset=[1.0] * 12)


def test_weights_of_predictions_are_precisions(fit, rng):
    table = fit.predict(NEW, kind="interval", weights=[1.0, 4.0, 0.25])
    plain = fit.predict(NEW, kind="interval")
    phi = fit.moments.dispersion_mean
    np.testing.assert_allclose(table["sd"], plain["sd"])
    np.testing.assert_allclose(table["new_sd"] ** 2 - table["sd"] ** 2, phi / np.array([1.0, 4.0, 0.25]), rtol=1e-8)
    draws = fit.sample(40_000, rng).predict(NEW, kind="response", weights=[1.0, 4.0, 0.25], rng=rng)
    assert_sd(draws, table["new_sd"])
    np.testing.assert_allclose(fit.predict(NEW, kind="interval", weights=4.0)["new_sd"][1], table["new_sd"][1])
    with pytest.raises(InputError, match=r"one entry per predicted row \(3\); got 2"):
        fit.predict(NEW, kind="interval", weights=[1.0, 2.0])
    with pytest.raises(InputError, match="must be positive"):
        fit.predict(NEW, kind="response", weights=[1.0, 2.0, 0.0])


def test_weights_of_the_fit(rng):
    data = line(rng)
    w = np.array([2.0, 1, 0, 3, 1, 1, 1, 4, 1, 1, 1, 1])
    precise = lmb("y ~ x", data, PRIORS["dNormal"], weights=w, weights_type="precision", n=40_000, rng=rng)
    table = precise.predict(kind="interval")
    np.testing.assert_allclose((table["new_sd"] ** 2 - table["sd"] ** 2)[w > 0], 1.3 / w[w > 0])
    assert np.isnan(table["new_sd"][2])
    new = precise.posterior_predictive(rng=rng)
    assert np.isnan(new[:, 2]).all()
    assert_sd(new[:, w > 0], table["new_sd"][w > 0])
    counted = lmb("y ~ x", data, PRIORS["dNormal"], weights=w, rng=1)
    table = counted.predict(kind="interval")
    np.testing.assert_allclose(table["new_sd"] ** 2 - table["sd"] ** 2, 1.3)


def test_residuals(rng):
    data = line(rng)
    w = np.array([2.0, 1, 0, 3, 1, 1, 1, 4, 1, 1, 1, 1])
    for kind in ("frequency", "precision"):
        fit = lmb("y ~ x", data, PRIORS["dNormal_Gamma"], weights=w, weights_type=kind, rng=1)
        raw = data["y"] - fit.fitted()
        np.testing.assert_allclose(fit.residuals(), raw)
        np.testing.assert_allclose(fit.resid, raw)
        scale = math.sqrt(fit.moments.dispersion_mean)
        np.testing.assert_allclose(fit.residuals("pearson"), raw / scale * (np.sqrt(w) if kind == "precision" else 1.0))
        np.testing.assert_allclose(fit.residuals("deviance"), raw * np.sqrt(w))
    with pytest.raises(InputError, match="'response', 'pearson', 'deviance'"):
        fit.residuals("student")


def test_simulated_data_have_the_predictive_distribution(rng):
    fit = lmb("y ~ x", line(rng), PRIORS["dNormal_Gamma"], n=20_000, rng=rng)
    new = fit.simulate(20_000, rng)
    table = fit.predict(kind="interval", level=0.8)
    assert new.shape == (20_000, 12)
    for i in range(0, 12, 4):
        assert_share(new[:, i] < table["new_lower"][i], 0.1)
        assert_share(new[:, i] > table["new_upper"][i], 0.1)
    assert fit.simulate(rng=3).shape == (1, 12)
    np.testing.assert_array_equal(fit.simulate(5, rng=3), fit.simulate(5, rng=3))
    with pytest.raises(InputError, match="nsim must be a whole number"):
        fit.simulate(0)


def test_planted_faults_are_seen(rng):
    """The tests above tell the predictive sd from one that forgets the coefficients' or takes variance for sd."""
    fit = lmb("y ~ x", line(rng), PRIORS["dNormal_Gamma"], n=40_000, rng=rng)
    new = fit.predict(NEW, kind="response", rng=rng)
    phi = fit.draws.dispersion[:, None]
    mean = fit.posterior_mean.to_numpy() @ np.array([np.ones(3), NEW["x"]])
    forgotten = mean + np.sqrt(phi) * rng.standard_normal(new.shape)
    squared = fit.predict(NEW, kind="draws") + phi * rng.standard_normal(new.shape)
    table = fit.predict(NEW, kind="interval")
    for faulty in (forgotten, squared):
        with pytest.raises(AssertionError):
            assert_sd(faulty, table["new_sd"])
