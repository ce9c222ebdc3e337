"""Statements about coefficients: intervals, probabilities, Savage-Dickey, prior-data conflict, directional tails."""

import math

import numpy as np
import pytest
from scipy import stats

from glmbayes import InputError, datasets, dIndependent_Normal_Gamma, dNormal, dNormal_Gamma, lmb
from glmbayes.fits.hypotheses import hdi_of, parse_combination
from tests.fits.cases import IMPROPER, MU, PRIORS, SIGMA, assert_share, design, line

FREE = [name for name in PRIORS if name != "dGamma"]
NAMES = ("(Intercept)", "x1", "groupTrt", "x1:groupTrt", "poly(x, 2)1", "I(x1^2)", "log(x1)", "`a b`")


@pytest.mark.parametrize(
    ("text", "row", "constant"),
    [
        ("(Intercept)", [1, 0, 0, 0, 0, 0, 0, 0], 0),
        ("Intercept - 2", [1, 0, 0, 0, 0, 0, 0, 0], -2),
        ("x1", [0, 1, 0, 0, 0, 0, 0, 0], 0),
        ("x1:groupTrt", [0, 0, 0, 1, 0, 0, 0, 0], 0),
        ("groupTrt + x1:groupTrt", [0, 0, 1, 1, 0, 0, 0, 0], 0),
        ("poly(x, 2)1", [0, 0, 0, 0, 1, 0, 0, 0], 0),
        ("poly(x,2)1 / 2", [0, 0, 0, 0, 0.5, 0, 0, 0], 0),
        ("2 * I(x1^2) - 3 * x1 + 1.5", [0, -3, 0, 0, 0, 2, 0, 0], 1.5),
        ("(x1 + groupTrt) / 2", [0, 0.5, 0.5, 0, 0, 0, 0, 0], 0),
        ("log(x1) - x1", [0, -1, 0, 0, 0, 0, 1, 0], 0),
        ("`a b`", [0, 0, 0, 0, 0, 0, 0, 1], 0),
        ("-x1", [0, -1, 0, 0, 0, 0, 0, 0], 0),
    ],
)
def test_combinations_are_read(text, row, constant):
    got, number = parse_combination(NAMES, text)
    np.testing.assert_allclose(got, row)
    assert number == constant


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("groupTrtt", "groupTrtt is not one of them. Did you mean groupTrt"),
        ("x1 * groupTrt", "cannot read"),
        ("x1 +", "cannot read"),
        ("1 + 2", "cannot read"),
        ("x1 - x1", "cannot read"),
        ("x1, groupTrt", "2 statements"),
        ("exp(x1)", "cannot read"),
    ],
)
def test_what_is_no_combination_is_refused(text, words):
    with pytest.raises(InputError, match=words.replace("(", r"\(")):
        parse_combination(NAMES, text)


@pytest.mark.parametrize("statement", ["x < 1 < 2", "x", "", None, 3, "x =< 1", "x != 1"])
def test_a_hypothesis_is_one_comparison(statement, rng):
    with pytest.raises(InputError, match=r"one comparison|cannot read"):
        lmb("y ~ x", line(rng), PRIORS["dNormal"], rng=1).hypothesis(statement)


@pytest.mark.parametrize("name", FREE)
def test_probabilities_against_draws(name, rng):
    fit = lmb("y ~ x", line(rng), PRIORS[name], n=20_000, rng=rng)
    prior = PRIORS[name].sample(20_000, rng).coefficients
    answer = fit.hypothesis("2*x - (Intercept) > 2.1")
    assert_share(2 * fit.coefficients["x"] - fit.coefficients["(Intercept)"] > 2.1, answer.posterior_probability)
    assert_share(2 * prior[:, 1] - prior[:, 0] > 2.1, answer.prior_probability)
    odds = [p / (1 - p) for p in (answer.posterior_probability, answer.prior_probability)]
    assert answer.bayes_factor == pytest.approx(odds[0] / odds[1])
    reverse = fit.hypothesis("2.1 > 2*x - (Intercept)")
    assert reverse.posterior_probability == pytest.approx(1 - answer.posterior_probability)
    assert reverse.bayes_factor == pytest.approx(1 / answer.bayes_factor)
    for same in ("2*x > (Intercept) + 2.1", "2*x - (Intercept) >= 2.1", "2 * x-(Intercept)-2.1>0"):
        assert fit.hypothesis(same)[1:4] == pytest.approx(answer[1:4])
    moved = fit.hypothesis("2*x - (Intercept) > 0")
    assert (answer.mean, answer.lower) == pytest.approx((moved.mean - 2.1, moved.lower - 2.1))


def test_a_small_probability_is_not_lost():
    fit = lmb(y=[50.0] * 4, X=np.ones((4, 1)), names=["a"], pfamily=dNormal(0.0, 1.0, dispersion=1.0), rng=1)
    answer = fit.hypothesis("a > 0")  # posterior N(40, 1/5)
    assert answer.posterior_probability == 1.0
    assert answer.bayes_factor == math.inf
    assert fit.hypothesis("a < 39").posterior_probability == pytest.approx(stats.norm.sf(5**0.5), rel=1e-12)
    below = lmb(y=[10.0] * 4, X=np.ones((4, 1)), names=["a"], pfamily=dNormal(0.0, 1.0, dispersion=1.0), rng=1)
    small = stats.norm(8.0, 0.2**0.5).sf(12.0)
    assert below.hypothesis("a > 12").posterior_probability == pytest.approx(small, rel=1e-12)
    assert small < 1e-16


@pytest.mark.parametrize("name", FREE)
def test_an_equality_is_the_evidence_of_the_smaller_model(name, rng):
    """Savage-Dickey: with beta_x = 0.4 fixed, the rest keeps its conditional prior."""
    data = line(rng)
    prior = PRIORS[name]
    if name == "dNormal_Gamma":  # fixing beta_x says something about the dispersion, too
        prior = None
        a, b = 2.0 + 0.5, 1.5 + 0.5 * (0.4 - MU[1]) ** 2 / SIGMA[1, 1]
        mu = MU[0] + SIGMA[0, 1] / SIGMA[1, 1] * (0.4 - MU[1])
        smaller = dNormal_Gamma(mu, SIGMA[0, 0] - SIGMA[0, 1] ** 2 / SIGMA[1, 1], a, b)
    else:
        arguments = prior._arguments()
        arguments["mu"] = MU[0] + SIGMA[0, 1] / SIGMA[1, 1] * (0.4 - MU[1])
        arguments["Sigma"] = SIGMA[0, 0] - SIGMA[0, 1] ** 2 / SIGMA[1, 1]
        smaller = type(prior)(**arguments)
    full = lmb("y ~ x", data, PRIORS[name], n=1, rng=1)
    nested = lmb("y ~ 1", data, smaller, offset=0.4 * data["x"], n=1, rng=1)
    answer = full.hypothesis("x = 0.4")
    truth = nested.log_marginal_likelihood() - full.log_marginal_likelihood()
    assert math.log(answer.bayes_factor) == pytest.approx(truth, abs=1e-9)
    assert answer.posterior_probability == pytest.approx(1 / (1 + math.exp(-truth)))
    assert answer.prior_probability == 0.5
    assert full.hypothesis("x == 0.4")[1:] == answer[1:]


def test_no_prior_no_bayes_factor(rng):
    fit = lmb("y ~ x", line(rng), IMPROPER["one flat"], rng=1)
    answer = fit.hypothesis("(Intercept) > 0")
    assert 0 < answer.posterior_probability < 1
    assert math.isnan(answer.prior_probability)
    assert math.isnan(answer.bayes_factor)
    assert math.isnan(fit.hypothesis("(Intercept) = 0").bayes_factor)
    assert 0 < fit.hypothesis("x > 0").prior_probability < 1  # x has a proper prior


def test_known_coefficients_are_no_hypothesis(rng):
    with pytest.raises(InputError, match="known under dGamma"):
        lmb("y ~ x", line(rng), PRIORS["dGamma"], rng=1).hypothesis("x > 0")


@pytest.mark.parametrize("name", FREE)
def test_intervals_hold_their_probability(name, rng):
    fit = lmb("y ~ x", line(rng), PRIORS[name], n=20_000, rng=rng)
    table = fit.confint(level=0.8)
    assert list(table.columns) == ["10 %", "90 %"]
    assert list(table.index) == ["(Intercept)", "x"]
    for column in ("(Intercept)", "x"):
        low, high = table.loc[column]
        assert_share(fit.coefficients[column] < low, 0.1)
        assert_share(fit.coefficients[column] > high, 0.1)
    np.testing.assert_array_equal(fit.conf_int(0.2), table)
    assert list(fit.confint("x").index) == ["x"]
    assert list(fit.confint([1, "(Intercept)"]).index) == ["x", "(Intercept)"]
    with pytest.raises(InputError, match=r"unknown coefficient\(s\) z; the model has \['\(Intercept\)', 'x'\]"):
        fit.confint("z")
    for level in (0.0, 1.0, -1, "a"):
        with pytest.raises(InputError, match="level must"):
            fit.confint(level=level)


def test_hdi_is_the_shortest_interval(rng):
    draws = rng.gamma(2.0, size=(40_000, 2))
    low, high = hdi_of(draws, 0.9)[0]
    gamma = stats.gamma(2.0)
    assert abs(gamma.cdf(high) - gamma.cdf(low) - 0.9) < 0.01
    assert abs(gamma.pdf(low) - gamma.pdf(high)) < 0.02  # equal density at both ends
    assert high - low < gamma.ppf(0.95) - gamma.ppf(0.05)
    assert np.allclose(hdi_of(draws[:1], 0.9), draws[0][:, None])
    fit = lmb("y ~ x", line(rng), PRIORS["dNormal"], n=4000, rng=rng)
    assert list(fit.confint(hdi=True).columns) == ["hdi lower", "hdi upper"]
    np.testing.assert_allclose(fit.confint(hdi=True), fit.confint(), atol=0.15 * fit.posterior_sd.max())


def test_prior_check_finds_a_conflict_and_none():
    """z and p by hand for one coefficient: estimate 10, se 0.5, prior N(0, 2^2) and N(9, 2^2)."""
    y = np.array([9.0, 11.0, 9.0, 11.0])
    for mu, z in ((0.0, 10 / math.sqrt(4.25)), (9.0, 1 / math.sqrt(4.25))):
        fit = lmb(y=y, X=np.ones((4, 1)), names=["a"], pfamily=dNormal(mu, 4.0, dispersion=1.0), rng=1)
        table = fit.prior_check()
        assert table.loc["a"].tolist() == pytest.approx([mu, 2.0, 10.0, 0.5, z, 2 * stats.norm.sf(z)])
        assert table.loc["joint", ["z", "p"]].tolist() == pytest.approx([z, stats.chi2(1).sf(z * z)])


def test_prior_check_of_several(rng):
    data = line(rng)
    X = design(data)
    fit = lmb("y ~ x", data, PRIORS["dNormal"], rng=1)
    cov = 1.3 * np.linalg.inv(X.T @ X)
    d = np.linalg.lstsq(X, data["y"], rcond=None)[0] - MU
    table = fit.prior_check()
    np.testing.assert_allclose(table["z"][:2], d / np.sqrt(np.diag(SIGMA + cov)))
    square = d @ np.linalg.solve(SIGMA + cov, d)
    assert table.loc["joint", "z"] ** 2 == pytest.approx(square)
    assert table.loc["joint", "p"] == pytest.approx(stats.chi2(2).sf(square))
    flat = lmb("y ~ x", data, IMPROPER["one flat"], rng=1).prior_check()
    assert flat.loc["(Intercept)", "p"] == 1.0
    assert flat.loc["joint", "p"] == pytest.approx(flat.loc["x", "p"])


def test_prior_check_is_calibrated(rng):
    """Under the prior its p-values are uniform (dispersion known)."""
    X = np.column_stack([np.ones(6), np.arange(6.0)])
    p = []
    for _ in range(400):
        beta = rng.multivariate_normal(MU, SIGMA)
        y = X @ beta + math.sqrt(1.3) * rng.standard_normal(6)
        p.append(lmb(y=y, X=X, pfamily=PRIORS["dNormal"], n=1, rng=rng).prior_check().loc["joint", "p"])
    assert stats.kstest(p, "uniform").pvalue > 1e-4


@pytest.mark.parametrize("name", FREE)
def test_directional_tail(name, rng):
    fit = lmb("y ~ x", line(rng), PRIORS[name], n=20_000, rng=rng)
    for reference, point in (("prior", MU), ("null", None), ([0.2, 1.0], [0.2, 1.0])):
        tail = fit.directional_tail(reference)
        if point is None:
            point = tail.reference
            assert (point[0], point[1]) == (pytest.approx(fit.design.y.mean()), 0.0)
        np.testing.assert_allclose(tail.reference, point)
        shift = fit.posterior_mean.to_numpy() - point
        assert tail.distance**2 == pytest.approx(shift @ np.linalg.solve(fit.vcov().to_numpy(), shift))
        direction = np.linalg.solve(fit.vcov().to_numpy(), shift)
        assert_share((fit.draws.coefficients - point) @ direction <= 0, tail.probability)
    assert fit.directional_tail(fit.posterior_mean).probability == 0.5
    with pytest.raises(InputError, match="'prior', 'null' or a vector"):
        fit.directional_tail("zero")
    with pytest.raises(InputError, match="must have 2 entries"):
        fit.directional_tail([0.0])


def test_directional_tail_of_a_normal_posterior_is_its_distance(rng):
    fit = lmb("y ~ x", line(rng), PRIORS["dNormal"], rng=1)
    tail = fit.directional_tail()
    assert tail.probability == pytest.approx(stats.norm.sf(tail.distance), rel=1e-9)


def test_of_the_plant_weights():
    """P(groupTrt < 0) under the default prior, by summing over the precision with dense matrices."""
    data = datasets.load("plant_weight")
    fit = lmb("weight ~ group", data, rng=1)
    X, y, prior = design({"x": (data["group"] == "Trt").astype(float)}), data["weight"].to_numpy(), fit.prior
    assert isinstance(prior, dIndependent_Normal_Gamma)
    total = below = 0.0
    for u in np.exp(np.linspace(-4.0, 4.0, 801)):  # du = u dt
        marginal = stats.multivariate_normal(X @ prior.mu, np.eye(20) / u + X @ prior.Sigma @ X.T)
        weight = u * stats.gamma(prior.shape, scale=1 / prior.rate).pdf(u) * marginal.pdf(y)
        V = np.linalg.inv(u * X.T @ X + np.linalg.inv(prior.Sigma))
        m = V @ (u * X.T @ y + np.linalg.solve(prior.Sigma, prior.mu))
        total += weight
        below += weight * stats.norm(m[1], math.sqrt(V[1, 1])).cdf(0.0)
    answer = fit.hypothesis("groupTrt < 0")
    assert answer.posterior_probability == pytest.approx(below / total, abs=1e-9)
    assert answer.prior_probability == 0.5
    assert answer.bayes_factor == pytest.approx(answer.posterior_probability / (1 - answer.posterior_probability))
