"""What can be asked of a fitted generalised linear mixed model, and what it refuses."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

from glmbayes import FormulaError, InputError, datasets, dGamma, dHuangWand, dNormal, glmerb
from tests.oracles import assert_mean

CBPP = "cbind(incidence, size - incidence) ~ period + (1 | herd)"


@pytest.fixture(scope="module")
def herds():
    return datasets.load("cbpp")


@pytest.fixture(scope="module")
def fit(herds):
    return glmerb(CBPP, herds, "binomial", n=2000, rng=1)


@pytest.fixture(scope="module")
def counts():
    rng = np.random.default_rng(5)
    g = np.repeat(np.arange(10), 6)
    x = rng.standard_normal(60)
    frame = pd.DataFrame({"y": rng.poisson(np.exp(1.0 + 0.3 * x + 0.5 * rng.standard_normal(10)[g])), "x": x, "g": g})
    return glmerb("y ~ x + (x | g)", frame, "poisson", n=1000, rng=1), frame


def test_predictions_on_both_scales(fit, herds):
    eta = fit.predict(kind="draws", scale="link")
    assert np.allclose(fit.predict(kind="draws"), special.expit(eta))
    assert np.allclose(fit.fitted(), special.expit(eta).mean(axis=0))
    assert np.allclose(fit.predict(kind="link"), eta.mean(axis=0))
    assert np.allclose(fit.residuals(), herds["incidence"] / herds["size"] - fit.fitted())
    again = fit.predict(herds.iloc[[3, 40]], kind="draws", scale="link")
    assert np.allclose(again, eta[:, [3, 40]])
    table = fit.predict(kind="interval", scale="link", level=0.5)
    assert np.allclose(table[["lower", "upper"]].T, np.quantile(eta, (0.25, 0.75), axis=0))
    assert "new_lower" not in table


def test_new_groups_and_the_population(rng, fit):
    new = pd.DataFrame({"period": ["1", "1", "1"], "herd": ["new", "new", None]})
    eta = fit.predict(new, kind="draws", scale="link", rng=rng)
    assert np.array_equal(eta[:, 0], eta[:, 1]) and np.isnan(eta[:, 2]).all()
    effect = (eta[:, 0] - fit.draws.beta[:, 0]) / np.sqrt(fit.draws.covariance[0][:, 0, 0])
    assert stats.kstest(effect, "norm").pvalue > 1e-4
    population = fit.predict(new, kind="draws", re="none")
    assert np.allclose(population[:, 2], special.expit(fit.draws.beta[:, 0]))


def test_new_observations(rng, fit, counts):
    response = fit.predict(kind="response", rng=rng)
    trials = fit.design.fixed.weights
    assert np.allclose(response * trials, np.rint(response * trials))
    assert_mean(response - fit.predict(kind="draws"), 0.0)
    one = fit.predict({"period": ["1"], "herd": ["1"]}, kind="response", rng=rng)
    assert set(np.unique(one)) == {0.0, 1.0}
    ten = fit.predict({"period": ["1"], "herd": ["1"]}, kind="response", weights=10, rng=rng)
    assert np.allclose(10 * ten, np.rint(10 * ten)) and np.unique(ten).size > 2
    with pytest.raises(InputError, match="must be positive, one for each predicted row"):
        fit.predict({"period": ["1"], "herd": ["1"]}, kind="response", weights=[1.0, 2.0])
    poisson, _ = counts
    assert_mean(poisson.predict(kind="response", rng=rng) - poisson.predict(kind="draws"), 0.0)
    assert poisson.simulate(3, rng).shape == (3, 60)


def test_criteria_agree_with_their_definitions(fit, herds):
    eta = fit.predict(kind="draws", scale="link")
    y, size = herds["incidence"].to_numpy(), herds["size"].to_numpy()
    log_lik = stats.binom.logpmf(y, size, special.expit(eta))
    assert np.allclose(fit.log_lik(), log_lik)
    at_mean = -2.0 * stats.binom.logpmf(y, size, special.expit(eta.mean(axis=0))).sum()
    expected = -2.0 * log_lik.sum(axis=1).mean()
    dic = fit.dic()
    assert np.allclose([dic.at_mean, dic.expected, dic.dic], [at_mean, expected, 2.0 * expected - at_mean])
    assert abs(fit.waic().elpd - fit.loo().elpd) < 6.0


def test_shrinkage_and_latent_variance(fit, counts):
    table = fit.shrinkage()
    design = fit.design
    at = design.terms[0].factor.codes == 2
    rest = (design.fixed.X @ fit.posterior_mean.to_numpy() - fit.posterior_mean.iloc[0])[at]
    a = table["no_pooling"].iloc[2]
    w = design.fixed.weights[at]
    mu = special.expit(a + rest)
    assert abs((w * (design.y[at] - mu)).sum()) < 1e-6  # the score of the group's own estimate
    information = (w * mu * (1.0 - mu)).sum()
    tau2 = fit.draws.covariance[0][:, 0, 0]
    assert np.isclose(table["pull"].iloc[2], (1.0 / (1.0 + information * tau2)).mean())
    assert np.allclose(fit.icc()["herd"], tau2 / (tau2 + np.pi**2 / 3.0))
    poisson, _ = counts
    assert poisson.shrinkage().shape == (20, 5)
    with pytest.raises(InputError, match="icc is defined on the latent scale of binomial models"):
        poisson.icc()
    for has_none in (fit, poisson):
        with pytest.raises(InputError, match="no residual standard deviation"):
            _ = has_none.sigma


def test_printing_export_and_plots(fit, counts):
    import matplotlib.pyplot as plt

    text = str(fit.summary())
    for piece in ("MCMC, 4 chains", "R-hat", "Family: binomial, link: logit", "dHalfT(df=3, scale=2.5)", "herd"):
        assert piece in text, piece
    assert "esidual" not in text
    assert "glmerb(" in repr(fit) and "MCMC" in repr(fit)
    poisson, _ = counts
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = poisson.to_arviz()
    assert data.posterior["effects_g"].shape == (4, 250, 10, 2) and "sigma" not in data.posterior
    assert np.array_equal(pickle.loads(pickle.dumps(fit)).fitted(), fit.fitted())
    for each in (fit, poisson):
        each.plot_ranef()
        each.plot_shrinkage()
        each.plot_groups()
        each.plot_components()
    plt.close("all")


def test_bad_input(herds):
    y, g = np.array([0.0, 1.0, 2.0, 1.0, 0.0, 3.0]), ["a", "a", "b", "b", "c", "c"]
    frame = {"y": y, "x": np.arange(6.0), "g": g}

    def refused(error, match, formula="y ~ x + (1 | g)", data=frame, family="poisson", **options):
        with pytest.raises(error, match=match):
            glmerb(formula, data, family, n=8, **options)

    refused(InputError, "use lmerb for a Gaussian one", family="gaussian")
    refused(InputError, "family must be binomial or poisson", family="Gamma")
    refused(InputError, "family must be binomial or poisson", family="quasipoisson")
    refused(InputError, r"cbind\(successes, failures\)", family="binomial")
    refused(InputError, "must be a count", formula="I(y - 1) ~ x + (1 | g)")
    refused(FormulaError, "has no random term", formula="y ~ x")
    refused(FormulaError, "linear combinations", formula="y ~ x + I(2 * x) + (1 | g)")
    refused(FormulaError, "single level", formula="y ~ x + (1 | h)", data={**frame, "h": ["a"] * 6})
    refused(InputError, "no residual standard deviation", priors={"sigma": dGamma(1, 1)})
    refused(InputError, "must be a prior on a standard deviation", priors={"g": dNormal([0.0], [[1.0]])})
    refused(InputError, "has 2 scales but", priors={"g": dHuangWand([1.0, 1.0])})
    refused(InputError, "did you mean 'g'", priors={"gg": dGamma(1, 1)})
    refused(InputError, "priors must be a dict", priors=dGamma(1, 1))
    refused(InputError, "has no argument 'prior'. Did you mean priors", prior={})
    refused(InputError, "has no argument 'warmup'. Did you mean burn_in", warmup=10)
    refused(InputError, "no observation is left", weights=np.zeros(6))
    exposed = glmerb("y ~ x + (1 | g)", frame, "poisson", offset=np.ones(6), n=8, rng=1)
    with pytest.raises(InputError, match="offset"):
        exposed.predict(frame)
