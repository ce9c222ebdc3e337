"""Deviance, DIC, R-squared and comparisons."""

import math

import numpy as np
import pytest
from scipy.special import digamma

from glmbayes import (
    InputError,
    Prior_Setup,
    datasets,
    dHalfCauchy,
    dIndependent_Normal,
    dIndependent_Normal_Gamma,
    lmb,
)
from glmbayes.fits.criteria import compare
from tests.fits.cases import IMPROPER, PRIORS, design, line

ALL = {**PRIORS, **IMPROPER}
PLANT = datasets.load("plant_weight")
FREQUENCY = np.array([1.0, 2, 0, 1, 3, 1, 1, 2, 1, 1, 1, 1])

# R glmbayes 0.9.75 on Dobson's plant weights with Prior_Setup's parameters, 50,000 draws:
# expected deviance, pD, DIC, and the Monte Carlo standard error of the expected deviance (sd of the deviance / sqrt n)
R_DIC = {
    "dNormal": (42.2622060908588, 1.97669225360796, 44.2388983444667, 0.009),
    "dNormal_Gamma": (43.1060757031089, 2.8197703174763, 45.9258460205852, 0.013),
}
# its independent normal-gamma truncates the dispersion to this window
R_TRUNCATED = (42.9850775254159, 2.71881134478647, 45.7038888702024, 0.013)
WINDOW = (0.245096679399393, 0.994520354067209)


@pytest.mark.parametrize("kind", R_DIC)
def test_dic_of_the_r_package(kind):
    fit = lmb("weight ~ group", PLANT, lambda setup: setup.prior(kind), rng=1)
    expected, p_d, dic, error = R_DIC[kind]
    ours = fit.dic()
    assert abs(ours.expected - expected) < 4.5 * error
    assert abs(ours.p_d - p_d) < 9 * error
    assert abs(ours.dic - dic) < 13.5 * error
    assert ours.dic == pytest.approx(ours.expected + ours.p_d) == pytest.approx(2 * ours.expected - ours.at_mean)


def test_deviance_of_known_coefficients():
    """In closed form; R's figure for this prior (40.667) is not the expectation of the deviance of its own draws."""
    fit = lmb("weight ~ group", PLANT, lambda setup: setup.prior("dGamma"), rng=1)
    a, b = 10.6010101010101, 4.65612656503101  # R glmbayes: shape and rate of the precision's posterior
    errors = ((PLANT["weight"] - fit.fitted()) ** 2).sum()
    truth = 20 * (math.log(2 * math.pi) + math.log(b) - digamma(a)) + a / b * errors
    assert fit.expected_deviance() == pytest.approx(truth, abs=1e-9)


def test_dic_of_the_r_package_with_its_truncation():
    setup = Prior_Setup("weight ~ group", PLANT)
    prior = dIndependent_Normal_Gamma(setup.mu, setup.Sigma, setup.shape_ING, setup.rate, *WINDOW)
    expected, p_d, dic, error = R_TRUNCATED
    ours = lmb("weight ~ group", PLANT, prior, rng=1).dic()
    assert abs(ours.expected - expected) < 4.5 * error
    assert abs(ours.p_d - p_d) < 9 * error
    assert abs(ours.dic - dic) < 13.5 * error


@pytest.mark.parametrize(("w", "kind"), [(None, None), (FREQUENCY, "frequency"), (FREQUENCY + 0.1, "precision")])
@pytest.mark.parametrize("name", ALL)
def test_expected_deviance_against_draws(name, w, kind, rng):
    o = np.arange(12.0) / 9
    fit = lmb("y ~ x", line(rng), ALL[name], weights=w, weights_type=kind, n=20_000, rng=rng, offset=o)
    deviance = -2 * fit.log_lik().sum(axis=1)
    assert abs(deviance.mean() - fit.expected_deviance()) < 4.5 * deviance.std() / math.sqrt(20_000)
    assert fit.log_lik().shape == (20_000, 12)
    eta = fit.draws.coefficients[7] @ fit.design.X.T + o
    variance = fit.dispersion[7] / (w if kind == "precision" else 1.0)
    terms = -0.5 * np.log(2 * np.pi * variance) - 0.5 * (fit.design.y - eta) ** 2 / variance
    np.testing.assert_allclose(fit.log_lik()[7], terms * (w if kind == "frequency" else 1.0))


def test_dic_needs_a_mean_dispersion(rng):
    prior = dIndependent_Normal([0.0], [[1.0]], dHalfCauchy(1.0))
    fit = lmb(y=[0.3], X=[[1.0]], names=["a"], pfamily=prior, rng=1)
    assert fit.moments.dispersion_mean == math.inf
    with pytest.raises(InputError, match=r"infinite here: use waic\(\) or loo\(\)"):
        fit.dic()
    text = str(fit.summary())
    assert "mean infinite" in text
    assert "DIC: undefined" in text


@pytest.mark.parametrize("name", ["dNormal_Gamma", "dGamma", "reference"])
def test_r_squared_by_hand(name, rng):
    data = line(rng)
    fit = lmb("y ~ x", data, ALL[name], offset=np.sin(np.arange(12.0)), rng=1)
    mu = fit.draws.coefficients @ design(data).T + np.sin(np.arange(12.0))
    explained = mu.var(axis=1, ddof=1)
    np.testing.assert_allclose(fit.bayes_r2(), explained / (explained + fit.dispersion))


def test_r_squared_of_counted_rows_is_that_of_rows_written_out(rng):
    data = line(rng)
    counted = lmb("y ~ x", data, PRIORS["dNormal"], weights=FREQUENCY, rng=1)
    copies = np.repeat(np.arange(12), FREQUENCY.astype(int))
    written = lmb("y ~ x", {k: v[copies] for k, v in data.items()}, PRIORS["dNormal"], rng=1)
    np.testing.assert_allclose(counted.bayes_r2(), written.bayes_r2())
    for method in ("expected_deviance", "log_marginal_likelihood"):
        assert getattr(counted, method)() == pytest.approx(getattr(written, method)(), abs=1e-10)


def test_r_squared_does_not_know_the_units_of_precisions(rng):
    data = line(rng)
    w = FREQUENCY + 0.5
    one = lmb("y ~ x", data, IMPROPER["reference"], weights=w, weights_type="precision", rng=1)
    other = lmb("y ~ x", data, IMPROPER["reference"], weights=1e4 * w, weights_type="precision", rng=1)
    np.testing.assert_allclose(one.bayes_r2(), other.bayes_r2(), rtol=1e-9)
    np.testing.assert_allclose(1e4 * one.dispersion, other.dispersion, rtol=1e-9)


def test_r_squared_of_long_and_badly_scaled_data(rng):
    """Blocks of rows, and polynomial terms that cancel to the last digits."""
    x = np.linspace(1000.0, 1020.0, 60_000)
    y = (x - 1010.0) ** 2 + rng.standard_normal(60_000)
    fit = lmb("y ~ x + I(x^2)", {"x": x, "y": y}, IMPROPER_3, n=20, rng=1)
    mu = fit.predict(kind="draws")
    explained = mu.var(axis=1, ddof=1)
    np.testing.assert_allclose(fit.bayes_r2(), explained / (explained + fit.dispersion), rtol=1e-7)


IMPROPER_3 = dIndependent_Normal_Gamma(np.zeros(3), np.diag([math.inf] * 3), 1.0, 1.0)


def test_compare(rng):
    data = line(rng, 30)
    data["z"] = rng.standard_normal(30)
    fits = [lmb(f, data, rng=1) for f in ("y ~ 1", "y ~ x", "y ~ x + z")]
    table = compare(*fits)
    assert table["elpd_loo"].is_monotonic_decreasing
    assert table.index[-1] == "y ~ 1"
    for fit in fits:
        row = table.loc[fit.formula]
        assert row["elpd_loo"] == fit.loo().elpd
        assert row["log_evidence"] == fit.log_marginal_likelihood()
        assert (row["dic"], row["p_d"]) == fit.dic()[:2]
    best = next(fit for fit in fits if fit.formula == table.index[0])
    d = fits[0].loo().pointwise - best.loo().pointwise
    assert table.loc["y ~ 1", "elpd_diff"] == pytest.approx(d.sum())
    assert table.loc["y ~ 1", "se_diff"] == pytest.approx(math.sqrt(30 * d.var()))
    assert table["probability"].sum() == pytest.approx(1.0)
    evidence = table["log_evidence"]
    assert table["probability"].to_numpy() == pytest.approx((np.exp(evidence) / np.exp(evidence).sum()).to_numpy())
    assert list(compare(*fits, names=["a", "b", "c"]).index.sort_values()) == ["a", "b", "c"]
    improper = compare(lmb("y ~ x", data, IMPROPER["reference"], rng=1), fits[1])
    assert improper["probability"].isna().all()
    with pytest.raises(InputError, match="at least two"):
        compare(fits[0])
    with pytest.raises(InputError, match="same response and the same rows"):
        compare(fits[0], lmb("y ~ x", {k: v[1:] for k, v in data.items()}, rng=1))
