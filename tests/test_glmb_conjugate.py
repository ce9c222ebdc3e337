"""A single mean under its conjugate prior: closed forms against quadrature, R's numbers, and what glmb offers."""

import os
import pickle
import re
from pathlib import Path

import numpy as np
import pytest
from scipy import integrate, stats

from glmbayes import InputError, dBeta, dGamma, dNormal, families, glmb, lmb, rglmb, rlmb, rlmb_blocks
from glmbayes.priors import GammaRate
from tests.oracles import assert_cdf, assert_mean, assert_sd, assert_uniform_ranks
from tests.small_glm_cases import EXPONENTIAL

GOLDEN = Path(__file__).resolve().parent / "golden"


def rate_prior(shape, rate):
    return dGamma(shape, rate, Inv_Dispersion=False)


# family as a user writes it, responses, weights, prior
CASES = {
    "binomial": ("binomial(identity)", [0.25, 0.5, 0.0, 1.0], [4.0, 6.0, 5.0, 2.0], dBeta(2.0, 3.0)),
    "poisson": ("poisson(identity)", [1.0, 0.0, 4.0, 2.0], [1.0, 2.0, 1.0, 3.0], rate_prior(2.5, 2.0)),
    "Gamma": ("Gamma(inverse)", [0.5, 1.7, 0.9, 2.2], [1.0, 2.5, 1.0, 3.0], rate_prior(3.5, 2.0)),
}
END = {"binomial": 1.0, "poisson": 30.0, "Gamma": 30.0}


def fit_of(name, **options):
    family, y, weights, prior = CASES[name]
    return glmb("y ~ 1", {"y": y}, family, prior, weights=weights, **{"rng": 1, **options})


def row_log_lik(name, y, theta, w):
    """From scipy.stats; the Poisson weight multiplies the log-likelihood, the Gamma weight is the shape."""
    if name == "binomial":
        return stats.binom.logpmf(np.rint(w * y), w, theta)
    if name == "poisson":
        return w * stats.poisson.logpmf(y, theta)
    return stats.gamma.logpdf(y, w, scale=1.0 / (w * theta))


def prior_pdf(name, prior, theta):
    if name == "binomial":
        return stats.beta.pdf(theta, prior.shape1, prior.shape2)
    return stats.gamma.pdf(theta, prior.shape, scale=1.0 / prior.rate)


def integral(name, function, leave_out=None):
    """Integral of function(theta) times likelihood times prior, without one row."""
    _, y, weights, prior = CASES[name]
    rows = [i for i in range(len(y)) if i != leave_out]

    def density(theta):
        log = sum(row_log_lik(name, y[i], theta, weights[i]) for i in rows)
        return function(theta) * np.exp(log) * prior_pdf(name, prior, theta)

    return integrate.quad(density, 0.0, END[name], epsabs=0.0, epsrel=1e-11, limit=200)[0]


@pytest.mark.parametrize("name", CASES)
def test_closed_forms_against_quadrature(name, rng):
    fit = fit_of(name, n=50_000, rng=rng)
    _, y, weights, prior = CASES[name]
    total = integral(name, lambda t: 1.0)
    mean = integral(name, lambda t: t) / total
    sd = np.sqrt(integral(name, lambda t: (t - mean) ** 2) / total)
    assert fit.log_marginal_likelihood() == pytest.approx(np.log(total), abs=1e-9)
    assert fit.log_marginal_likelihood(with_error=True)[1] == 0.0
    assert fit.posterior_mean.iloc[0] == pytest.approx(mean, rel=1e-9)
    assert fit.posterior_sd.iloc[0] == pytest.approx(sd, rel=1e-9)
    assert_mean(fit.draws.coefficients[:, 0], mean)
    assert_sd(fit.draws.coefficients[:, 0], sd)
    assert_cdf(fit.draws.coefficients[:, 0], lambda t: fit.conditional(np.eye(1)).cdf(np.asarray(t)))
    with pytest.raises(AssertionError):  # a prior worth one observation more
        assert_mean(fit.update(pfamily=type(prior)(*np.add(prior.parameters, (0, 1))), rng=2).draws.coefficients, mean)

    def deviance(t):
        return -2.0 * sum(row_log_lik(name, *row) for row in zip(y, [t] * 4, weights))

    assert fit.expected_deviance() == pytest.approx(integral(name, deviance) / total, rel=1e-8)
    assert fit.dic().at_mean == pytest.approx(deviance(mean), rel=1e-9)

    loo = fit.loo()
    left_out = [np.log(total / integral(name, lambda t: 1.0, leave_out=i)) for i in range(4)]
    np.testing.assert_allclose(loo.pointwise, left_out, rtol=1e-8)
    seen = [np.log(integral(name, lambda t: np.exp(row_log_lik(name, y[i], t, weights[i]))) / total) for i in range(4)]  # noqa: B023
    assert loo.p_loo == pytest.approx(sum(seen) - sum(left_out), rel=1e-7)
    assert loo.method == "exact" and fit.loo("auto").elpd == loo.elpd
    assert abs(fit.loo("psis").elpd - loo.elpd) < 0.1

    response = (lambda t: 1.0 / t) if name == "Gamma" else (lambda t: t)
    np.testing.assert_allclose(fit.predict(), integral(name, response) / total, rtol=1e-8)
    np.testing.assert_allclose(fit.predict(kind="link"), mean, rtol=1e-9)
    assert fit.fitted() == pytest.approx([response(mean)] * 4)
    np.testing.assert_allclose(fit.log_lik()[:3, 0], row_log_lik(name, y[0], fit.draws.coefficients[:3, 0], weights[0]))

    a, b = fit.hypothesis("(Intercept) < 0.5"), fit.hypothesis("(Intercept) = 0.5")
    below = integral(name, lambda t: float(t < 0.5)) / total
    before = integrate.quad(lambda t: prior_pdf(name, prior, t), 0.0, 0.5)[0]
    assert a.posterior_probability == pytest.approx(below, abs=1e-6)
    assert a.prior_probability == pytest.approx(before, abs=1e-9)
    at = np.exp(sum(row_log_lik(name, *row) for row in zip(y, [0.5] * 4, weights)))
    assert b.bayes_factor == pytest.approx(at / total, rel=1e-8)
    negative = fit.linear_combinations({"minus": "1 - 2 * (Intercept)"})
    assert negative["mean"].iloc[0] == pytest.approx(1.0 - 2.0 * mean)
    assert negative["p_positive"].iloc[0] == pytest.approx(below, abs=1e-6)
    assert fit.confint().iloc[0, 0] == pytest.approx((1.0 - negative["upper"].iloc[0]) / 2.0)


@pytest.mark.parametrize("name", CASES)
def test_leave_one_out_shifts_are_those_of_refits(name):
    fit = fit_of(name)
    _, y, weights, prior = CASES[name]
    table = fit.influence()
    for i in range(4):
        rest = glmb("y ~ 1", {"y": np.delete(y, i)}, fit.family, prior, weights=np.delete(weights, i), rng=1)
        assert table["d_(Intercept)"].iloc[i] == pytest.approx(rest.moments.mean[0] - fit.moments.mean[0], rel=1e-9)
        without = fit.posterior.reweighted(fit.design, np.where(np.arange(4) == i, 0.0, weights))
        assert without.law.parameters == pytest.approx(rest.posterior.law.parameters)
    assert (table["hat"] > 0).all() and table["hat"].sum() < 1.0


def test_numbers_of_r(rng):
    """R glmbayes 0.9.75: mean, sd and quantiles 2.5, 25, 50, 75, 97.5 % of the exact posteriors."""
    cases = [
        (
            "binomial(identity)", [1] * 7 + [0] * 18, dBeta(2, 2), 0.310344827586207, 0.0844651635442475,
            [0.158776037886154, 0.250035104421657, 0.30593224008919, 0.365955288664224, 0.486668315448941],
        ),
        (
            "poisson(identity)", [1, 1, 1, 0, 0, 0, 0, 0, 0], rate_prior(3, 4), 0.461538461538462, 0.188422287906398,
            [0.169376481037758, 0.3245545679283, 0.436166245285544, 0.570977064270776, 0.897564006101744],
        ),
        (
            "Gamma(identity)", EXPONENTIAL, rate_prior(2, 4), 0.504457016578132, 0.0891762443098829,
            [0.345048225903857, 0.441794069588995, 0.499212098340842, 0.561406590567656, 0.693660328398866],
        ),
    ]  # fmt: skip
    for family, y, prior, mean, sd, quantiles in cases:
        fit = glmb("y ~ 1", {"y": y}, family, prior, rng=rng)
        np.testing.assert_allclose([fit.posterior_mean.iloc[0], fit.posterior_sd.iloc[0]], [mean, sd], rtol=1e-12)
        law = fit.conditional(np.eye(1))
        got = [law.quantile(q)[0] for q in (0.025, 0.25, 0.5, 0.75, 0.975)]
        np.testing.assert_allclose(got, quantiles, rtol=1e-9)


@pytest.mark.parametrize("name", CASES)
def test_simulation_based_calibration(name, rng):
    """10,000 prior draws, data and posterior draws: the truth's rank among 19 is uniform."""
    _, _, weights, prior = CASES[name]
    family = prior.family_for(families.get(name))
    ranks = np.empty(10_000, int)
    weights = np.array(weights)
    for k, truth in enumerate(prior.sample(10_000, rng).coefficients[:, 0]):
        w = np.ones(4) if name == "poisson" else weights
        y = family.random(rng, np.full(4, family.linkinv(truth)), w)
        after = prior.posterior_given(y, np.ones((4, 1)), np.empty(0), w, family)
        ranks[k] = (after.sample(19, rng).coefficients < truth).sum()
    assert_uniform_ranks(ranks, 20)
    with pytest.raises(AssertionError):  # every third rank too high by one
        assert_uniform_ranks(np.minimum(ranks + (rng.random(ranks.size) < 1 / 3), 19), 20)


def test_spellings_agree():
    y, prior = [1.0, 0.0, 4.0], rate_prior(1.5, 2.0)
    assert isinstance(prior, GammaRate) and prior == GammaRate(1.5, 2.0)
    expected = glmb("y ~ 1", {"y": y}, "poisson(identity)", prior, rng=3).draws.coefficients
    one = np.ones((3, 1))
    for family in ("poisson", "poisson(link='identity')", families.poisson("identity"), families.poisson):
        np.testing.assert_array_equal(glmb("y ~ 1", {"y": y}, family, prior, rng=3).draws.coefficients, expected)
        fit = rglmb(1000, y, one, family, prior, rng=3)
        np.testing.assert_array_equal(fit.coefficients, expected)
        assert "poisson(identity) under dGamma" in repr(fit)
    np.testing.assert_array_equal(glmb(y=y, X=one, family="poisson", pfamily=prior, rng=3).draws.coefficients, expected)
    assert str(families.gamma("identity")) == "Gamma(inverse)"


def test_the_default_prior_is_that_of_the_setup():
    fit = glmb("y ~ 1", {"y": [1] * 7 + [0] * 18}, "binomial(identity)", rng=1)
    assert fit.prior == fit.setup.prior() and "built from the data" in str(fit.summary())
    other = glmb("y ~ 1", {"y": [2, 0, 3]}, "poisson(identity)", lambda ps: ps.prior("dGamma"), rng=1)
    assert other.prior.mean == pytest.approx(5 / 3)


def test_a_fitted_mean_does_what_fits_do(rng):
    fit = fit_of("binomial")
    again = pickle.loads(pickle.dumps(fit))
    assert again.posterior_mean.equals(fit.posterior_mean) and again.prior == fit.prior
    assert fit.sample(7, rng=2).n_draws == 7
    assert fit.update(pfamily=dBeta(1, 1)).prior == dBeta(1, 1)
    assert fit.bayes_factor(fit.update(pfamily=dBeta(1, 1))).bayes_factor > 0.0
    assert fit.anova()["log_evidence"].iloc[0] == fit.log_marginal_likelihood()
    assert fit.prior_check()["p"].between(0, 1).all()
    assert 0.0 < fit.directional_tail().probability < 1.0
    assert (fit.bayes_r2() == 0.0).all() and fit.aliased == ()
    assert fit.residuals("quantile").shape == (4,)
    assert fit.to_arviz().posterior["beta"].shape == (1, 1000, 1)
    assert fit.simulate(3, rng).shape == (3, 4)
    assert fit.predict(kind="interval")["new_sd"].notna().all()
    np.testing.assert_allclose(fit.predict({"anything": [1, 2]}), [fit.posterior_mean.iloc[0]] * 2)
    assert "conjugate" in fit.sampler_report() and "Beta(8, 14)" in fit.sampler_report()
    for axes in (fit.plot()[0], fit.plot_coef(), fit.plot_ppc(), fit.plot_residuals()):
        assert axes.has_data()


def test_ends_of_the_range():
    none = glmb("y ~ 1", {"y": [0, 0, 0]}, "binomial", dBeta(1, 1), rng=1)
    assert none.coef_mode.iloc[0] == 0.0 and none.posterior_mean.iloc[0] == pytest.approx(0.2)
    assert none.log_marginal_likelihood() == pytest.approx(np.log(0.25))
    assert "0.2000" in str(none.summary())
    counts = glmb("y ~ 1", {"y": [0, 0]}, "poisson", rate_prior(0.5, 1.0), rng=1)
    assert counts.coef_mode.iloc[0] == 0.0 and counts.log_marginal_likelihood() == pytest.approx(-0.5 * np.log(3.0))
    heavy = glmb("y ~ 1", {"y": [2.0]}, "Gamma", rate_prior(0.0 + 1e-9, 1.0), rng=1)
    assert heavy.predict()[0] > 1e8  # E[1/rate] = rate / (shape - 1), shape barely above 1


ONE, Y = np.ones((3, 1)), {"y": [1.0, 0.0, 1.0], "x": [1.0, 2.0, 3.0]}
BAD = {
    "normal prior with an identity link": (
        lambda: glmb("y ~ 1", Y, "poisson(identity)", dNormal(0, 1)), r"Inv_Dispersion=False\); normal priors .*'log'"
    ),
    "the same from arrays": (lambda: rglmb(5, Y["y"], ONE, "binomial(identity)", dNormal(0, 1)), r"dBeta\(shape1"),
    "a slope": (lambda: glmb("y ~ x", Y, "binomial", dBeta(1, 1)), "intercept alone"),
    "another link": (lambda: glmb("y ~ 1", Y, "binomial(probit)", dBeta(1, 1)), r"binomial\(identity\); got binomial"),
    "another family": (lambda: glmb("y ~ 1", Y, "poisson", dBeta(1, 1)), r"binomial\(identity\); got poisson"),
    "Gaussian": (lambda: glmb("y ~ 1", Y, "gaussian", dBeta(1, 1)), "Gaussian models take dNormal"),
    "lmb": (lambda: lmb("y ~ 1", Y, rate_prior(1, 1)), "Gaussian models take dNormal"),
    "rlmb": (lambda: rlmb(3, Y["y"], ONE, dBeta(1, 1)), "Gaussian models take dNormal"),
    "rlmb_blocks": (lambda: rlmb_blocks(3, Y["y"], ONE, dBeta(1, 1), sizes=[3]), "Gaussian models take dNormal"),
    "a sampler": (lambda: glmb("y ~ 1", Y, "binomial", dBeta(1, 1), sampler="grid"), "no meaning with dBeta"),
    "an offset": (lambda: glmb("y ~ 1 + offset(x)", Y, "poisson", rate_prior(1, 1)), "offset"),
    "a beta": (lambda: dGamma(1, 2, beta=[1.0], Inv_Dispersion=False), "beta has no meaning"),
    "limits": (lambda: dGamma(1, 2, disp_upper=3.0, Inv_Dispersion=False), "disp_upper has no meaning"),
    "a negative shape": (lambda: dBeta(1, -1), "shape2 must be greater than 0"),
    "effects": (lambda: fit_of("Gamma").marginal_effects(), "no columns"),
    "no default for a rate": (lambda: glmb("x ~ 1", Y, "Gamma(identity)"), "no default prior"),
    "an unknown link": (lambda: families.poisson("sqrt"), "link of poisson must be one of 'log', 'identity'"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_input(case):
    call, words = BAD[case]
    with pytest.raises(InputError, match=words):
        call()


@pytest.mark.parametrize("name", CASES)
def test_golden_printouts(name):
    """GLMBAYES_GOLDEN=write rewrites them; only the percentiles of the draws are left out."""
    path = GOLDEN / f"glmb_conjugate_{name}.txt"
    text = re.sub(r"(Percentiles.*\n.*\n\(Intercept\)).*", r"\1 ...", str(fit_of(name).summary())) + "\n"
    if os.environ.get("GLMBAYES_GOLDEN") == "write":
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")
