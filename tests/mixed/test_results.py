"""What can be asked of a fitted mixed model."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest

from glmbayes import FormulaError, InputError, datasets, dFlat, dHalfCauchy, dRatio, lmerb
from tests.oracles import assert_mean, assert_sd


@pytest.fixture(scope="module")
def sleep():
    return lmerb("Reaction ~ Days + (Days | Subject)", datasets.load("sleepstudy"), n=2000, rng=1)


@pytest.fixture(scope="module")
def schools():
    data = datasets.load("eight_schools")
    return lmerb("estimate_rounded ~ 1 + (1 | school)", data, {"school": dFlat()}, se="sd_rounded", n=2000, rng=1)


def test_fitted_is_the_mean_of_the_predictor(sleep):
    assert np.allclose(sleep.fitted(), sleep.predict(kind="draws").mean(axis=0))
    assert np.allclose(sleep.residuals(), sleep.design.y - sleep.fitted())
    # known rows given again as new data are the same rows
    data = datasets.load("sleepstudy")
    assert np.allclose(sleep.predict(data.iloc[[3, 77]], kind="draws"), sleep.predict(kind="draws")[:, [3, 77]])


def test_new_groups_share_one_effect_per_draw(rng, sleep):
    new = pd.DataFrame({"Days": [0.0, 0.0, 0.0, 2.0], "Subject": ["308", "new", "new", None]})
    draws = sleep.predict(new, kind="draws", rng=rng)
    assert np.array_equal(draws[:, 1], draws[:, 2])
    assert np.isnan(draws[:, 3]).all()
    effect = draws[:, 1] - sleep.draws.beta[:, 0]
    sd = np.sqrt(sleep.draws.covariance[0][:, 0, 0])
    assert_mean(effect / sd, 0.0)
    assert_sd(effect / sd, 1.0)
    population = sleep.predict(new, kind="draws", re="none")
    assert np.allclose(population[:, 0], sleep.draws.beta[:, 0])


def test_intervals_and_responses(rng, sleep):
    table = sleep.predict(kind="interval", level=0.5, rng=rng)
    assert (table["new_lower"] < table["lower"]).all() and (table["upper"] < table["new_upper"]).all()
    inside = ((sleep.design.y > table["new_lower"]) & (sleep.design.y < table["new_upper"])).mean()
    assert 0.35 < inside < 0.75
    response = sleep.predict(kind="response", rng=rng) - sleep.predict(kind="draws")
    assert_sd(response[:, 0] / sleep.sigma, 1.0)
    assert sleep.simulate(3, rng).shape == (3, 180)


def test_known_standard_errors_of_new_rows(rng, schools):
    new = {"school": ["A", "Z"]}
    assert schools.predict(new, rng=rng).shape == (2,)
    with pytest.raises(InputError, match="new observations need se="):
        schools.predict(new, kind="response")
    draws = schools.predict(new, kind="response", se=[1e-9, 1e-9], rng=3)
    assert np.allclose(draws, schools.predict(new, kind="draws", rng=3), atol=1e-6)
    with pytest.raises(FormulaError, match="lacks the grouping column school"):
        schools.predict({"estimate_rounded": [1.0]})


def test_criteria_agree_with_their_definitions(sleep):
    eta = sleep.predict(kind="draws")
    y, s2 = sleep.design.y, sleep.draws.sigma2[:, None]
    log_lik = -0.5 * (np.log(2.0 * np.pi * s2) + (y - eta) ** 2 / s2)
    assert np.allclose(sleep.log_lik(), log_lik)
    at_mean = -2.0 * (-0.5 * (np.log(2.0 * np.pi * s2.mean()) + (y - eta.mean(axis=0)) ** 2 / s2.mean())).sum()
    expected = -2.0 * log_lik.sum(axis=1).mean()
    dic = sleep.dic()
    assert np.allclose([dic.at_mean, dic.expected, dic.dic], [at_mean, expected, 2.0 * expected - at_mean])
    assert abs(sleep.waic().elpd - sleep.loo().elpd) < 5.0
    assert 15 < dic.p_d < 40


def test_tables(sleep, schools):
    effects = sleep.ranef()
    assert effects.shape == (36, 4)
    assert np.isclose(effects.loc[("Subject", "308", "Days"), "mean"], sleep.draws.effects[0][:, 0, 1].mean())
    table = schools.shrinkage()
    assert np.allclose(table["no_pooling"], schools.design.y)
    between = (table["partial_pooling"] - table["population"]) / (table["no_pooling"] - table["population"])
    away = (table["no_pooling"] - table["population"]).abs() > 2.0  # the others hardly move
    assert ((between > 0) & (between < 1))[away].all() and away.sum() >= 5
    s2, tau2 = schools.se**2, schools.draws.covariance[0][:, 0]
    assert np.allclose(table["pull"], (s2 / (s2 + tau2)).mean(axis=0))
    assert sleep.icc().shape == (2000, 1)
    with pytest.raises(InputError, match="icc needs a residual variance"):
        schools.icc()
    with pytest.raises(InputError, match="factor must be one of Subject"):
        sleep.coef("subject")
    with pytest.raises(InputError, match="one effect per group"):
        sleep.group_means()


def test_summary_says_which_draws_and_priors(sleep, schools):
    text = str(sleep.summary())
    for piece in ("MCMC, 4 chains", "R-hat", "dHuangWand", "(default)", "cor((Intercept), Days | Subject)", "Days"):
        assert piece in text, piece
    exact = str(schools.summary())
    assert "exact and independent" in exact and "dFlat()" in exact and "R-hat" not in exact
    assert "<table" in sleep.summary()._repr_html_()
    assert "MCMC" in repr(sleep) and "iid" in repr(schools)
    short = lmerb("Yield ~ 1 + (1 | Batch)", datasets.load("dyestuff"), n=40, burn_in=0, rng=1)
    assert "NOT YET CONVERGED" in str(short.summary())


def test_export_pickle_and_plots(sleep, schools):
    import matplotlib.pyplot as plt

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = sleep.to_arviz()
    assert data.posterior["effects_Subject"].shape == (4, 500, 18, 2)
    assert data.log_likelihood["y"].shape == (4, 500, 180)
    again = pickle.loads(pickle.dumps(sleep))
    assert np.array_equal(
        again.predict({"Days": [1.0], "Subject": ["308"]}), sleep.predict({"Days": [1.0], "Subject": ["308"]})
    )
    for fit in (sleep, schools):
        fit.plot_ranef()
        fit.plot_shrinkage()
        fit.plot_groups()
        fit.plot_components()
        fit.plot("rank")
    sleep.plot_ranef(effect="Days", coefficients=False)
    with pytest.raises(InputError, match="effect must be one of"):
        sleep.plot_ranef(effect="days")
    plt.close("all")


def test_crossed_and_nested_predict(rng):
    data = datasets.load("oats")
    fit = lmerb("yield ~ nitro + (1 | Block/Variety)", data, n=400, rng=1)
    assert np.allclose(fit.predict(data.iloc[:5], kind="draws"), fit.predict(kind="draws")[:, :5])
    new = {"nitro": 0.2, "Block": "I", "Variety": ["Victory", "Unknown"]}
    draws = fit.predict(new, kind="draws", rng=rng)
    assert draws.shape == (400, 2) and draws[:, 1].std() > draws[:, 0].std()


def test_weights_are_counts_or_precisions(rng):
    """A weight of 2 as a count is the row twice; as a precision it divides the variance."""
    data = datasets.load("dyestuff")
    w = np.tile([1.0, 2.0, 1.0], 10)
    twice = data.loc[np.repeat(np.arange(30), w.astype(int))]
    a = lmerb("Yield ~ 1 + (1 | Batch)", data, weights=w, n=400, rng=1)
    b = lmerb("Yield ~ 1 + (1 | Batch)", twice, n=400, rng=1)
    priors = {"Batch": b.priors.terms["Batch"], "sigma": b.priors.sigma}
    a = lmerb("Yield ~ 1 + (1 | Batch)", data, priors, weights=w, n=400, rng=1)
    assert np.allclose(a.draws.beta, b.draws.beta, rtol=1e-6)
    with pytest.raises(InputError, match="hold fractions"):
        lmerb("Yield ~ 1 + (1 | Batch)", data, weights=w / 3.0, n=8)
    precision = lmerb("Yield ~ 1 + (1 | Batch)", data, weights=w / 3.0, weights_type="precision", n=8, rng=1)
    assert np.isfinite(precision.log_lik()).all()


@pytest.mark.parametrize(
    ("priors", "options"),
    [({}, {}), ({"Batch": dHalfCauchy(50)}, {"se": "se"}), ({"Batch": dRatio(dHalfCauchy(1))}, {})],
    ids=["Gibbs", "known standard errors", "ratio"],
)
def test_no_fixed_effects(rng, priors, options):
    """`y ~ 0 + (1 | g)`: groups around 0."""
    data = datasets.load("dyestuff").assign(Yield=lambda d: d["Yield"] - 1500.0, se=50.0)
    fit = lmerb("Yield ~ 0 + (1 | Batch)", data, priors, n=400, rng=rng, **options)
    assert fit.posterior_mean.empty and fit.coefficients.shape == (400, 0)
    for text in (str(fit.summary()), repr(fit)):
        assert "No fixed effects" in text and "fixed effects ~" not in text
    assert "No fixed" not in fit.summary()._repr_html_()
    assert np.allclose(fit.predict(kind="draws"), fit.draws.effects[0][:, fit.design.terms[0].factor.codes, 0])
    assert fit.predict({"Batch": ["A", "new"]}, re="none").tolist() == [0.0, 0.0]
    assert list(fit.shrinkage()["population"]) == [0.0] * 6 and len(fit.ranef()) == 6
    assert list(fit.confint().index[:1]) == ["sd((Intercept) | Batch)"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert "beta" not in fit.to_arviz().posterior
    with pytest.raises(FormulaError, match="nothing is left to estimate"):
        lmerb("Yield ~ 0 + (0 | Batch)", data)


def test_effects_that_are_constant_within_groups(rng):
    """(x | g) with x constant in each group, in two groups: singular Z_j, and proper priors that carry it."""
    g = np.repeat(["a", "b"], 6)
    data = {"y": rng.standard_normal(12), "x": np.repeat([1.0, 3.0], 6), "g": g}
    fit = lmerb("y ~ 1 + (x | g)", data, n=4000, rng=rng)
    assert (fit.chains.summary()["r_hat"] < 1.02).all()
    means = fit.predict(kind="draws").mean(axis=0)
    assert np.isclose(means[0], means[5]) and np.isclose(means[6], means[11])
