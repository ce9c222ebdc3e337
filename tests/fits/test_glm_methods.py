"""Everything that can be asked of a fitted GLM."""

import math
import pickle
import warnings
from copy import copy, deepcopy

import arviz
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from glmbayes import dNormal, glmb
from glmbayes.families import binomial, gamma, poisson
from tests import glmb_cases as cases
from tests.oracles import Z_BOUND, assert_cdf


def make(name, rng, n=60, draws=2000):
    """A fit with a numeric column, a factor, a boolean, weights and an offset by name."""
    x = rng.normal(size=n)
    group = np.array(["a", "b", "c"])[rng.integers(0, 3, n)]
    treated = rng.random(n) < 0.5
    exposure = rng.uniform(0.5, 2.0, n)
    eta = 0.2 + 0.5 * x + 0.4 * (group == "b") - 0.3 * treated + np.log(exposure)
    weights = rng.integers(1, 6, n).astype(float)
    if name == "binomial":
        family, y = binomial(), rng.binomial(weights.astype(int), 1.0 / (1.0 + np.exp(-eta))) / weights
    elif name == "poisson":
        family, y, weights = poisson(), rng.poisson(np.exp(eta)).astype(float), np.ones(n)
    else:
        family, y = gamma(), rng.gamma(2.0 * weights, np.exp(eta) / (2.0 * weights))
    data = pd.DataFrame(
        {"y": y, "x": x, "group": group, "treated": treated, "w": weights, "log_exposure": np.log(exposure)}
    )
    prior = dNormal(np.zeros(5), 4.0 * np.eye(5), 0.5 if name == "gamma" else None)
    fit = glmb("y ~ x + group + treated", data, family, prior, weights="w", offset="log_exposure", n=draws, rng=rng)
    return fit, data


FAMILIES = ("binomial", "poisson", "gamma")


def scipy_log_lik(name, y, mu, weights):
    if name == "binomial":
        return stats.binom.logpmf(np.rint(weights * y), weights, mu)
    if name == "poisson":
        return weights * stats.poisson.logpmf(y, mu)
    return stats.gamma.logpdf(y, 2.0 * weights, scale=mu / (2.0 * weights))


# -- likelihood and criteria -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FAMILIES)
def test_log_lik_against_scipy(name, rng):
    fit, data = make(name, rng, draws=50)
    eta = fit.draws.coefficients @ fit.design.X.T + data["log_exposure"].to_numpy()
    expected = scipy_log_lik(name, data["y"].to_numpy(), fit.family.linkinv(eta), data["w"].to_numpy())
    np.testing.assert_allclose(fit.log_lik(), expected, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(fit.log_lik_rows(slice(3, 7), slice(2)), expected[:2, 3:7], rtol=1e-10)
    assert fit.expected_deviance() == pytest.approx(-2.0 * expected.sum(axis=1).mean(), rel=1e-12)
    at_mean = scipy_log_lik(name, data["y"], fit.fitted(), data["w"]).sum()
    assert fit.dic().p_d == pytest.approx(-2.0 * (expected.sum(axis=1).mean() - at_mean), rel=1e-8)


def test_deviance_of_tall_data_from_fewer_draws(rng, monkeypatch):
    fit, _ = make("binomial", rng, draws=4000)
    whole, r2 = fit.expected_deviance(), fit.bayes_r2()
    monkeypatch.setattr("glmbayes.fits.tall_sums._TERMS", 1)
    few = fit.expected_deviance()
    assert fit.bayes_r2().size == 30
    np.testing.assert_array_equal(fit.bayes_r2(), r2[:30])
    # thirty draws alone would be off by sd(deviance) / sqrt(30) = sqrt(2 p / 30) = 0.6
    assert abs(few - whole) < 0.15


@pytest.mark.parametrize("name", FAMILIES)
def test_waic_and_psis_against_arviz(name, rng):
    fit, _ = make(name, rng)
    data = fit.to_arviz()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that some variances are large is theirs to say
        theirs = arviz.waic(data, scale="log")
    assert fit.waic().elpd == pytest.approx(float(theirs.elpd_waic), abs=0.02)  # they divide by n, we by n - 1
    ours, theirs = fit.loo("psis"), arviz.loo(data, scale="log", reff=1.0)
    assert ours.elpd == pytest.approx(float(theirs.elpd_loo), abs=1e-8)
    assert ours.p_loo == pytest.approx(float(theirs.p_loo), abs=1e-8)


def test_loo_against_refits(rng):
    fit, data = make("poisson", rng, n=20, draws=20_000)
    exact = fit.loo("exact")
    assert exact.method == "exact" and exact.pareto_k is None
    for i in (0, 7, 19):
        kept = data.drop(index=i)
        refit = fit.update(data=kept, rng=np.random.default_rng(i + 100))
        eta = refit.predict(data.iloc[[i]], kind="draws")[:, 0]
        density = stats.poisson.pmf(data["y"][i], eta)
        se = density.std() / density.mean() / math.sqrt(density.size)
        assert abs(exact.pointwise[i] - math.log(density.mean())) < Z_BOUND * math.sqrt(2.0) * se
    smoothed, auto = fit.loo("psis"), fit.loo()
    assert auto.method == "psis+refit"
    fine = smoothed.pareto_k < 0.5
    np.testing.assert_allclose(smoothed.pointwise[fine], exact.pointwise[fine], atol=0.1)
    np.testing.assert_array_equal(auto.pointwise[fine], smoothed.pointwise[fine])


def test_loo_refits_where_importance_sampling_fails(rng):
    x = np.append(rng.normal(size=15), 12.0)
    y = np.append(rng.poisson(2.0, 15), 30).astype(float)
    fit = glmb("y ~ x", {"x": x, "y": y}, "poisson", dNormal([0, 0], 4.0 * np.eye(2)), n=4000, rng=rng)
    auto, psis, exact = fit.loo(), fit.loo("psis"), fit.loo("exact")
    assert psis.pareto_k[-1] > 0.7
    assert auto.pointwise[-1] == exact.pointwise[-1] != psis.pointwise[-1]


# -- residuals -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FAMILIES)
def test_residual_kinds(name, rng):
    fit, data = make(name, rng)
    y, w, mu = data["y"].to_numpy(), data["w"].to_numpy(), fit.fitted()
    phi = 0.5 if name == "gamma" else 1.0
    np.testing.assert_allclose(fit.residuals("response"), y - mu)
    variance = {"binomial": mu * (1.0 - mu), "poisson": mu, "gamma": mu**2}[name]
    np.testing.assert_allclose(fit.residuals("pearson"), (y - mu) / np.sqrt(variance * phi / w))
    saturated = scipy_log_lik(name, y, y if name != "binomial" else np.clip(y, 1e-300, 1.0), w)
    deviance = 2.0 * (saturated - scipy_log_lik(name, y, mu, w)) * phi
    np.testing.assert_allclose(fit.residuals("deviance") ** 2, deviance, rtol=1e-7, atol=1e-9)
    assert (np.sign(fit.residuals()) == np.sign(y - mu)).all()
    np.testing.assert_array_equal(fit.residuals("quantile", rng=3), fit.residuals("quantile", rng=3))
    with pytest.raises(ValueError, match="kind must be one of"):
        fit.residuals("working")


@pytest.mark.parametrize("name", FAMILIES)
def test_quantile_residuals_are_normal_under_the_model(name, rng):
    """Of many rows, at the true mean to within the fit's error, which is small against one standard deviation."""
    fit, _ = make(name, rng, n=4000, draws=200)
    assert_cdf(fit.residuals("quantile", rng=rng), stats.norm.cdf)
    with pytest.raises(AssertionError):  # the unrandomised residuals of counts are not, nor those of another mean
        shifted = fit.residuals("deviance") if name != "gamma" else fit.residuals("quantile") + 0.15
        assert_cdf(shifted, stats.norm.cdf)


# -- predictions -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FAMILIES)
def test_predict(name, rng):
    fit, data = make(name, rng)
    beta = fit.draws.coefficients
    eta = beta @ fit.design.X.T + data["log_exposure"].to_numpy()
    mean = fit.family.linkinv(eta)
    np.testing.assert_allclose(fit.predict(kind="draws"), mean)
    np.testing.assert_allclose(fit.predict(), mean.mean(axis=0))
    np.testing.assert_allclose(fit.predict(kind="link"), eta.mean(axis=0))
    new = pd.DataFrame(
        {
            "x": [0.5, -1.0, np.nan],
            "group": ["b", "c", "a"],
            "treated": [True, False, True],
            "log_exposure": [0.3, 0, 0],
        }
    )
    rows = np.array([[1, 0.5, 1, 0, 1], [1, -1.0, 0, 1, 0]])
    new_mean = fit.family.linkinv(beta @ rows.T + [0.3, 0.0])
    np.testing.assert_allclose(fit.predict(new)[:2], new_mean.mean(axis=0))
    assert np.isnan(fit.predict(new)[2])
    table = fit.predict(new, kind="interval", level=0.8, rng=1)
    np.testing.assert_allclose(table["mean"][:2], new_mean.mean(axis=0))
    np.testing.assert_allclose(table["sd"][:2], new_mean.std(axis=0, ddof=1))
    np.testing.assert_allclose(table["lower"][:2], np.quantile(new_mean, 0.1, axis=0))
    assert table.iloc[2].isna().all()
    response = fit.predict(new.iloc[:2], kind="response", rng=rng, weights=[40.0])
    assert response.shape == (2000, 2)
    # total variance: of the mean, and within, with 40 trials (binomial), or dispersion / 40 (gamma)
    within = {"binomial": new_mean * (1 - new_mean) / 40, "poisson": new_mean, "gamma": new_mean**2 * 0.5 / 40}[name]
    variance = new_mean.var(axis=0) + within.mean(axis=0)
    kurtosis = stats.kurtosis(response, fisher=False)
    np.testing.assert_array_less(np.abs(response.var(axis=0) / variance - 1.0), Z_BOUND * np.sqrt(kurtosis / 2000))
    if name == "binomial":
        np.testing.assert_allclose(response * 40, np.rint(response * 40), atol=1e-9)
        single = fit.predict(new.iloc[:2], kind="response", rng=rng)
        assert set(np.unique(single)) == {0.0, 1.0}
    assert fit.posterior_predictive(rng=1).shape == (2000, 60)
    assert fit.simulate(7, rng=1).shape == (7, 60)
    with pytest.raises(ValueError, match="lacks the column"):
        fit.predict({"x": [1.0]})
    with pytest.raises(ValueError, match="weights must have one entry"):
        fit.predict(new, kind="response", weights=[1.0, 2.0])


def test_predict_with_an_offset_array(rng):
    y, x, offset = rng.poisson(3.0, 20).astype(float), rng.normal(size=20), rng.normal(size=20)
    fit = glmb("y ~ x", {"y": y, "x": x}, "poisson", dNormal([0, 0], np.eye(2)), offset=offset, rng=1)
    with pytest.raises(ValueError, match="give offset="):
        fit.predict({"x": [0.0]})
    beta = fit.draws.coefficients
    np.testing.assert_allclose(fit.predict({"x": [0.5]}, offset=[1.0])[0], np.exp(beta @ [1, 0.5] + 1.0).mean())


# -- effects ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FAMILIES)
def test_marginal_effects_by_brute_force(name, rng):
    fit, data = make(name, rng)
    table = fit.marginal_effects()
    assert list(table.index) == ["x", "group: b - a", "group: c - a", "treated: True - False"]
    w = data["w"].to_numpy()

    def average(**changes):
        return fit.predict(data.assign(**changes), kind="draws") @ w / w.sum()

    h = 1e-5
    derivative = (average(x=data["x"] + h) - average(x=data["x"] - h)) / (2 * h)
    change = average(group="b") - average(group="a")
    switch = average(treated=True) - average(treated=False)
    for label, draws in (("x", derivative), ("group: b - a", change), ("treated: True - False", switch)):
        row = table.loc[label]
        np.testing.assert_allclose(row["mean"], draws.mean(), rtol=1e-5)
        np.testing.assert_allclose(row["sd"], draws.std(ddof=1), rtol=1e-4)
        np.testing.assert_allclose(row["upper"], np.quantile(draws, 0.975), rtol=1e-4)
        assert row["p_positive"] == pytest.approx((draws > 0).mean(), abs=2e-3)
    at = fit.marginal_effects(at={"group": "c", "x": 0.5}, columns="x", level=0.5)
    fixed = data.assign(group="c")
    slope = fit.predict(fixed.assign(x=0.5 + h), kind="draws") - fit.predict(fixed.assign(x=0.5 - h), kind="draws")
    np.testing.assert_allclose(at.loc["x", "mean"], (slope @ w / w.sum()).mean() / (2 * h), rtol=1e-5)
    with pytest.raises(ValueError, match="'z' is not a column"):
        fit.marginal_effects(columns=["z"])
    with pytest.raises(ValueError, match="level must be between"):
        fit.marginal_effects(level=1.5)


def test_marginal_effects_of_a_numeric_column_made_a_factor(rng):
    """Changes between its values, as of the same column in letters; a derivative has no meaning."""
    gear = rng.integers(3, 6, 60)
    data = pd.DataFrame({"y": rng.poisson(2.0, 60), "gear": gear, "letter": np.array(list("cde"))[gear - 3]})
    prior = dNormal(np.zeros(3), np.eye(3))
    made = glmb("y ~ factor(gear)", data, "poisson", prior, rng=1).marginal_effects()
    plain = glmb("y ~ letter", data, "poisson", prior, rng=1).marginal_effects()
    assert list(made.index) == ["gear: 4 - 3", "gear: 5 - 3"]
    np.testing.assert_allclose(made, plain, rtol=1e-12)


def test_marginal_effects_on_rows_kept(rng):
    data = pd.DataFrame({"y": rng.integers(0, 2, 30).astype(float), "x": rng.normal(size=30)})
    data.loc[[3, 8], "x"] = np.nan
    fit = glmb("y ~ x + I(x**2)", data, "binomial", dNormal(np.zeros(3), np.eye(3)), n=500, rng=1)
    kept, h = data.dropna(), 1e-5
    slope = fit.predict(kept.assign(x=kept.x + h), kind="draws") - fit.predict(kept.assign(x=kept.x - h), kind="draws")
    np.testing.assert_allclose(fit.marginal_effects().loc["x", "mean"], slope.mean() / (2 * h), rtol=1e-4)


def test_emmeans_and_combinations_are_on_the_link_scale(rng):
    fit, _ = make("poisson", rng)
    b = fit.coefficients
    contrast = fit.contrasts("group")
    assert contrast.loc["a - b", "mean"] == pytest.approx(-b["groupb"].mean())
    combination = fit.linear_combinations("x - groupb")
    assert combination["mean"].iloc[0] == pytest.approx((b["x"] - b["groupb"]).mean())
    assert len(fit.emmeans("group")) == 3


# -- statements ------------------------------------------------------------------------------------------------


def test_hypotheses(rng):
    fit, _ = make("binomial", rng, draws=20_000)
    one_sided = fit.hypothesis("x > 0.4")
    share = (fit.coefficients["x"] > 0.4).mean()
    assert one_sided.posterior_probability == pytest.approx(share, abs=1e-4)
    assert one_sided.prior_probability == pytest.approx(stats.norm.sf(0.2), rel=1e-9)
    never = fit.hypothesis("x < -3")
    assert 0.0 < never.posterior_probability < 1e-4  # 20,000 draws cannot say 0
    # Savage-Dickey by two evidences against a kernel density of many draws, near the middle of the posterior
    for statement, value in (("x = 0.5", 0.5), ("x = groupb", 0.0)):
        combination = fit.coefficients["x"] - (fit.coefficients["groupb"] if "group" in statement else 0.0)
        density = stats.gaussian_kde(combination)(value)[0]
        prior_sd = 2.0 if statement == "x = 0.5" else math.sqrt(8.0)
        ratio = density / stats.norm.pdf(value, 0.0, prior_sd)
        assert fit.hypothesis(statement).bayes_factor == pytest.approx(ratio, rel=0.05)
    with pytest.raises(ValueError, match="one comparison"):
        fit.hypothesis("x")


def test_point_hypothesis_far_out_against_quadrature():
    """A hypothesis that no draw comes near, one coefficient of two, and the only one."""
    y = np.array([3.0, 5, 4, 6, 7, 9, 8, 12])
    x = np.arange(8.0)
    prior = dNormal([0.0, 0.0], np.eye(2))
    fit = glmb("y ~ x", {"y": y, "x": x}, "poisson", prior, rng=1)
    b0, b1 = np.linspace(-2, 4, 1201), np.linspace(-0.5, 0.8, 801)
    eta = b0[:, None, None] + b1[:, None] * x
    log_joint = stats.poisson.logpmf(y, np.exp(eta)).sum(axis=-1)
    log_joint += stats.norm.logpdf(b0)[:, None] + stats.norm.logpdf(b1)
    mass = np.exp(log_joint - log_joint.max())
    at = np.argmin(np.abs(b1 - 0.475))  # seven posterior standard deviations out
    density = mass[:, at].sum() / mass.sum() / (b1[1] - b1[0])
    factor = fit.hypothesis(f"x = {b1[at]:.12f}").bayes_factor
    assert factor == pytest.approx(density / stats.norm.pdf(b1[at]), rel=0.06)
    assert not (fit.coefficients["x"] > b1[at]).any()
    one = glmb("y ~ 1", {"y": y}, "poisson", dNormal(1.0, 1.0), rng=1)
    t = np.linspace(0, 4, 4001)
    values = np.exp(stats.poisson.logpmf(y[:, None], np.exp(t)).sum(axis=0) + stats.norm.logpdf(t, 1.0) + 30)
    exact = np.interp(2.0, t, values) / values.sum() / (t[1] - t[0]) / stats.norm.pdf(2.0, 1.0)
    assert one.hypothesis("(Intercept) = 2").bayes_factor == pytest.approx(exact, rel=1e-4)


def test_prior_check_and_tails(rng):
    fit, _ = make("poisson", rng)
    check = fit.prior_check()
    assert list(check.index) == [*fit.names, "joint"]
    estimate, cov, _ = fit.maximum_likelihood()
    z = estimate / np.sqrt(4.0 + np.diag(cov))
    np.testing.assert_allclose(check["z"][:-1], z, rtol=1e-9)
    tail = fit.directional_tail("null")
    assert 0.0 < tail.probability < 0.5 and tail.distance > 2.0


# -- influence, anova ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FAMILIES)
def test_influence_against_refits(name, rng):
    fit, data = make(name, rng, draws=40_000)
    table = fit.influence()
    phi = 0.5 if name == "gamma" else 1.0
    mu, w = fit.fitted(), data["w"].to_numpy()
    work = {"binomial": w * mu * (1 - mu), "poisson": mu, "gamma": w / phi}[name]
    information = fit.design.X.T @ (work[:, None] * fit.design.X)
    smoother = fit.design.X @ np.linalg.inv(information + 0.25 * np.eye(5)) @ fit.design.X.T * work
    np.testing.assert_allclose(fit.hat(), np.diag(smoother), rtol=1e-8)
    np.testing.assert_allclose(table["hat"], fit.hat())
    worst = table["cook"].idxmax()
    refit = fit.update(data=data.drop(index=worst), rng=rng)
    moved = refit.coef_mode - fit.coef_mode
    predicted = table.loc[worst, [f"d_{n}" for n in fit.names]].to_numpy(float)
    # one Newton step: first order in the row's pull
    assert np.linalg.norm(predicted - moved) < 0.35 * np.linalg.norm(moved)
    assert predicted @ moved > 0.9 * np.linalg.norm(predicted) * np.linalg.norm(moved)


def test_anova(rng):
    fit, _ = make("binomial", rng, draws=4000)
    table = fit.anova()
    assert list(table.index) == ["(Intercept)", "x", "group", "treated"]
    assert list(table["df"]) == [1, 1, 2, 1]
    assert table["log_evidence"].iloc[-1] == pytest.approx(fit.log_marginal_likelihood(), abs=0.1)
    smaller = fit.update("y ~ x", pfamily=dNormal(np.zeros(2), 4.0 * np.eye(2)), rng=1)
    value, error = smaller.log_marginal_likelihood(with_error=True)
    assert table.loc["x", "log_evidence"] == pytest.approx(value, abs=2 * Z_BOUND * error)


# -- the object ------------------------------------------------------------------------------------------------


def test_update_sample_pickle_copy(rng):
    fit, data = make("gamma", rng, draws=300)
    again = pickle.loads(pickle.dumps(fit))
    np.testing.assert_array_equal(again.draws.coefficients, fit.draws.coefficients)
    new = data.iloc[:3]
    np.testing.assert_array_equal(again.predict(new), fit.predict(new))
    np.testing.assert_array_equal(again.sample(50, 1).draws.coefficients, fit.sample(50, 1).draws.coefficients)
    assert again.log_marginal_likelihood() == fit.log_marginal_likelihood()
    with pytest.raises(ValueError, match="data="):
        again.update("y ~ x")
    with pytest.raises(ValueError, match="give data="):
        again.marginal_effects()
    pd.testing.assert_frame_equal(again.marginal_effects(data=data), fit.marginal_effects())
    for other in (copy(fit), deepcopy(fit)):
        np.testing.assert_array_equal(other.sample(20, 2).draws.coefficients, fit.sample(20, 2).draws.coefficients)
    logit = fit.update("I(y > 1) ~ x", family="binomial", weights=None, pfamily=dNormal([0, 0], np.eye(2)), rng=1)
    assert logit.family == binomial() and logit.names == ("(Intercept)", "x")
    assert fit.update(n=17, rng=1).n_draws == 17


@pytest.mark.parametrize("sampler", ["grid", "radial"])
def test_small_posteriors_pickle(sampler):
    fit = glmb(
        cases.MENARCHE_FORMULA, cases.menarche(), "binomial", cases.menarche_prior("logit"), sampler=sampler, rng=1
    )
    again = pickle.loads(pickle.dumps(fit))
    np.testing.assert_array_equal(again.sample(9, 1).draws.coefficients, fit.sample(9, 1).draws.coefficients)


def test_sampler_report(rng):
    fit, _ = make("binomial", rng, draws=100)
    report = fit.sampler_report()
    assert "exact and independent" in report and "candidates per draw" in report and "set-up" in report


def test_to_arviz(rng):
    fit, _ = make("poisson", rng, draws=150)
    data = fit.to_arviz()
    assert data.posterior["beta"].shape == (1, 150, 5)
    assert list(data.posterior["coefficient"].values) == list(fit.names)
    np.testing.assert_array_equal(data.log_likelihood["y"].values[0], fit.log_lik())
    assert data.posterior_predictive["y"].shape == (1, 150, 60)
    assert data.prior["beta"].shape == (1, 1000, 5)


def test_plots(rng):
    import matplotlib

    matplotlib.use("Agg")
    fit, _ = make("binomial", rng, draws=200)
    for axes in (fit.plot(), fit.plot_coef(), fit.plot_ppc(), fit.plot_residuals(kind="quantile"), fit.plot_fit("x")):
        assert np.size(axes) >= 1
    matplotlib.pyplot.close("all")


def test_plot_fit_shows_observations_over_fitted_with_the_log_link(rng):
    import matplotlib

    matplotlib.use("Agg")
    fit, data = make("gamma", rng, draws=200)
    axes = fit.plot_fit("x", at={"group": "b", "treated": True})
    (points,) = [line for line in axes.lines if line.get_linestyle() == "None"]
    mean = fit.design.X[:, :2] @ fit.posterior_mean[:2] + fit.posterior_mean[["groupb", "treatedTRUE"]].sum()
    curve = np.exp(mean + data["log_exposure"].mean())
    np.testing.assert_allclose(points.get_ydata(), curve * data["y"] / fit.fitted(), rtol=0.05)
    matplotlib.pyplot.close("all")


def test_aliased_columns_are_named(rng):
    x = rng.normal(size=30)
    data = {"y": rng.poisson(2.0, 30).astype(float), "x": x, "twice": 2.0 * x}
    fit = glmb("y ~ x + twice", data, "poisson", dNormal(np.zeros(3), np.eye(3)), rng=1)
    assert fit.aliased == ("twice",)
    text = str(fit.summary())
    assert "twice is a combination of earlier columns" in text and "undefined" in text


def test_rows_of_weight_zero(rng):
    fit, data = make("binomial", rng, draws=400)
    more = pd.concat([data, data.iloc[:2].assign(w=0.0, y=[0.3, 1.0])], ignore_index=True)
    extra = fit.update(data=more, rng=3)
    np.testing.assert_allclose(extra.coef_mode, fit.coef_mode, rtol=1e-9)
    assert extra.nobs == 60 and (extra.log_lik()[:, 60:] == 0.0).all()
    assert extra.waic().elpd == pytest.approx(fit.update(rng=3).waic().elpd, abs=1e-9)
    str(extra.summary())
