"""Prior_Setup for GLMs: R's numbers, statsmodels, a second route by dense algebra, and when there is no estimate."""

import os
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy.optimize import brentq, linprog
from scipy.special import digamma

import glmbayes.prior_setup.glm_fit
from glmbayes import datasets, dBeta, dGamma, families
from glmbayes.design import array_design, build_design
from glmbayes.errors import InputError
from glmbayes.prior_setup import Prior_Setup, prior_setup_from_design
from glmbayes.prior_setup.glm import gamma_ml_dispersion
from glmbayes.prior_setup.ml import fit_ml

MENARCHE = datasets.load("menarche").eval("Age2 = Age - 13")
GIRLS = "cbind(Menarche, Total - Menarche) ~ Age2"
TRIAL = pd.DataFrame(
    {
        "counts": [18, 17, 15, 20, 10, 20, 25, 13, 12],
        "outcome": list("123") * 3,
        "treatment": list("111222333"),
    }
)
COUNTS = "counts ~ outcome + treatment"

# Prior_Setup of the R package glmbayes 0.9.75 (R 4.2.2): mu, coefficients and the lower triangle of Sigma
R_SETUPS = {
    "logit": (
        (GIRLS, MENARCHE, "binomial"),
        [0.360147169649471, 0],
        [-0.0108063782088115, 1.63196834822456],
        [0.394313816050973, -0.00996919889357547, 0.344071107974058],
    ),
    "probit": (
        (GIRLS, MENARCHE, "binomial(probit)"),
        [0.225168901099559, 0],
        [-0.017241850790029, 0.907823067721129],
        [0.121370689201566, -0.0036189605172164, 0.0864668542085798],
    ),
    "cloglog": (
        (GIRLS, MENARCHE, "binomial(cloglog)"),
        [-0.117267635291866, 0],
        [-0.596016961790592, 0.953007647489434],
        [0.167594462933351, -0.0538563998352762, 0.0971859780457672],
    ),
    "poisson": (
        (COUNTS, TRIAL, "poisson"),
        [2.81341071676005, 0, 0, 0, 0],
        [3.04452243772342, -0.454255272277595, -0.292987124681473, 0, 0],
        [
            2.89142855950347,
            -1.57142856781487, 4.04642847093918,
            -1.57142856781487, 1.57142856781487, 3.67781148803879,
            -1.97999997841886, 0, 0, 3.95999991875256,
            -1.97999997841886, 0, 0, 1.97999997841886, 3.9599999402386,
        ],
    ),
}  # fmt: skip


def fit_as_r(X, y, weights, offset, family, epsilon=1e-8):
    """Scoring as R's glm: stop at a relative change of the deviance; the covariance is one step behind."""
    tiny = np.finfo(float).eps
    if family.name == "binomial":
        mu = (weights * y + 0.5) / (weights + 1.0)
    else:
        mu = y + 0.1 if family.name == "poisson" else y
    eta, old = family.linkfun(mu), np.inf
    for _ in range(100):
        slope = np.maximum(family.mu_eta(eta), tiny)
        root = np.sqrt(weights * slope**2 / family.variance(mu))
        beta, *_ = np.linalg.lstsq(root[:, None] * X, root * (eta - offset + (y - mu) / slope))
        eta = X @ beta + offset
        mu = family.linkinv(eta)
        if family.name == "binomial":
            mu = np.clip(mu, tiny, 1 - tiny)
        deviance = np.sum(family.deviance(y, mu, weights))
        if abs(deviance - old) < epsilon * (abs(deviance) + 0.1):
            break
        old = deviance
    return beta, np.linalg.inv((root[:, None] * X).T @ (root[:, None] * X)), mu


def lower(matrix):
    return matrix[np.tril_indices(len(matrix))]


@pytest.mark.parametrize("pwt", [0.01, 0.5])
@pytest.mark.parametrize("case", R_SETUPS)
def test_numbers_of_r(case, pwt):
    arguments, mu, coefficients, sigma = R_SETUPS[case]
    sigma = np.array(sigma) * (1 - pwt) / pwt / 99
    ps = Prior_Setup(*arguments, **({} if pwt == 0.01 else {"pwt": pwt}))
    scale = np.sqrt(np.diag(ps.Sigma))
    unit = lower(np.outer(scale, scale))
    np.testing.assert_allclose(ps.mu, mu, atol=1e-7)
    np.testing.assert_allclose(ps.coefficients, coefficients, rtol=1e-4, atol=1e-9)
    np.testing.assert_allclose(lower(ps.Sigma) / unit, sigma / unit, atol=1e-4)
    assert ps.settings.pwt == pwt
    assert ps.settings.n_effective == ps.settings.n_likelihood == ps.design.n  # rows, not trials
    assert ps.settings.n_prior == pytest.approx(pwt / (1 - pwt) * ps.design.n, rel=1e-14)

    # what separates them is where R stops: a fit that stops like R has R's numbers, one that does not has ours
    family = families.get("poisson" if case == "poisson" else families.binomial(case))
    X, y = ps.x, ps.y
    weights = np.ones(len(y)) if ps.weights is None else ps.weights
    beta, cov, _ = fit_as_r(X, y, weights, 0.0, family)
    np.testing.assert_allclose(beta, coefficients, atol=1e-6 * ps.ml_se.min())
    np.testing.assert_allclose(lower(cov) * (1 - pwt) / pwt / unit, sigma / unit, atol=1e-6)
    beta, cov, _ = fit_as_r(X, y, weights, 0.0, family, epsilon=1e-15)
    np.testing.assert_allclose(beta, ps.coefficients, atol=1e-8)
    np.testing.assert_allclose(lower(cov) * (1 - pwt) / pwt / unit, lower(ps.Sigma) / unit, atol=1e-7)


def test_sources_and_sd_of_r():
    full = Prior_Setup(COUNTS, TRIAL, "poisson", intercept_source="full_model", effects_source="full_model")
    np.testing.assert_array_equal(full.mu, full.ml)
    assert (full.settings.intercept_source, full.settings.effects_source) == ("full_model", "full_model")
    given = Prior_Setup(COUNTS, TRIAL, "poisson", sd=[1, 1, 1, 2, 2])
    np.testing.assert_array_equal(np.diag(given.Sigma), [1, 1, 1, 4, 4])
    # R glmbayes 0.9.75
    pwt = [0.028377544611762, 0.0392680127878507, 0.0358189508983373, 0.00990098989788227, 0.00990098995107085]
    np.testing.assert_allclose(given.settings.pwt, pwt, rtol=1e-6)
    np.testing.assert_allclose(
        given.Sigma[1:, 0], [-0.459412150389522, -0.481885300197725, -1.17028424807132, -1.17028424489648], rtol=1e-6
    )
    assert given.settings.n_prior is None
    assert "n_effective = 9" in repr(given)


def random_data(rng, n, family, weighted):
    """Data with an offset of mean 0.7, and weights (of the kind that the family has) or none."""
    data = pd.DataFrame({"x": rng.normal(3.0, 2.0, n), "g": rng.choice(list("abc"), n), "o": rng.normal(0.7, 0.3, n)})
    eta = -1.0 + 0.3 * data["x"] + 0.5 * (data["g"] == "b") + data["o"] - 0.7
    data["w"] = rng.integers(0, 6, n) if weighted else np.ones(n)
    mu = families.get(family).linkinv(eta.to_numpy())
    if family.name == "binomial":
        data["y"] = rng.binomial(np.maximum(data["w"], 1).astype(int), mu) / np.maximum(data["w"], 1)
    elif family.name == "poisson":
        data["y"] = rng.poisson(mu)
    else:
        data["y"] = rng.gamma(2.0, mu / 2.0)
    return data


SM_LINKS = {"logit": sm.families.links.Logit, "probit": sm.families.links.Probit, "cloglog": sm.families.links.CLogLog}


def fit_statsmodels(design, family):
    y, X = design.y, design.X
    if family.name == "binomial":
        model = sm.families.Binomial(SM_LINKS[family.link]())
    else:
        model = sm.families.Poisson() if family.name == "poisson" else sm.families.Gamma(sm.families.links.Log())
    used = design.weights > 0
    fit = sm.GLM(
        y[used], X[used], model, offset=design.offset[used], var_weights=design.weights[used]
    ).fit(tol=1e-14, tol_criterion="params", maxiter=200)  # fmt: skip
    null = sm.GLM(y[used], np.ones((used.sum(), 1)), model, offset=design.offset[used],
                  var_weights=design.weights[used]).fit(tol=1e-14, tol_criterion="params")  # fmt: skip
    return fit, null


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    "family",
    [
        families.binomial(),
        families.binomial("probit"),
        families.binomial("cloglog"),
        families.poisson(),
        families.gamma(),
    ],
    ids=str,
)
def test_statsmodels_agrees(family, weighted, rng):
    data = random_data(rng, 120, family, weighted)
    design = build_design("y ~ x + g", data, weights="w", offset="o")
    ps = prior_setup_from_design(design, family)
    fit, null = fit_statsmodels(design, family)
    np.testing.assert_allclose(ps.ml, fit.params, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(ps.fit.root @ ps.fit.root.T, fit.normalized_cov_params, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(ps.mu, [null.params[0], 0, 0, 0], rtol=1e-8)
    assert ps.fit.null_intercept == ps.mu[0]
    assert ps.fit.deviance == pytest.approx(fit.deviance, rel=1e-10)
    assert ps.fit.null_deviance == pytest.approx(null.deviance, rel=1e-10)
    assert ps.fit.n_plus == (data["w"] > 0).sum()
    assert ps.settings.n_effective == data["w"].sum()
    if family.name == "Gamma":
        pearson = fit.pearson_chi2 / (ps.fit.n_plus - 4)
        assert ps.fit.dispersion == pytest.approx(pearson, rel=1e-8)
        np.testing.assert_allclose(ps.Sigma, 99 * pearson * fit.normalized_cov_params, rtol=1e-7, atol=1e-10)
    else:
        np.testing.assert_allclose(ps.ml_se, fit.bse, rtol=1e-8)


@pytest.mark.parametrize("family", ["binomial", "binomial(probit)", "binomial(cloglog)", "poisson", "Gamma"])
def test_a_constant_in_the_offset_moves_the_intercept_and_nothing_else(family, rng):
    object_ = families.get(family)
    data = random_data(rng, 60, object_, weighted=True)
    here = Prior_Setup("y ~ x + g", data, family, weights="w", offset="o")
    there = Prior_Setup("y ~ x + g + offset(o)", data, family, weights="w", offset=np.full(60, 1.5))
    shift = [1.5, 0, 0, 0]
    np.testing.assert_allclose(there.mu, here.mu - shift, atol=1e-10)
    np.testing.assert_allclose(there.ml, here.ml - shift, atol=1e-10)
    np.testing.assert_allclose(there.Sigma, here.Sigma, rtol=1e-9, atol=1e-11)
    assert there.fit.deviance == pytest.approx(here.fit.deviance, rel=1e-10)
    assert abs(here.mu[0] - Prior_Setup("y ~ x + g", data, family, weights="w").mu[0]) > 0.3  # it is in the null fit


def test_without_an_intercept(rng):
    data = random_data(rng, 60, families.poisson(), weighted=False)
    ps = Prior_Setup("y ~ x - 1", data, "poisson", offset="o")
    assert np.isnan(ps.fit.null_intercept)
    assert ps.settings.intercept_source == "none"
    np.testing.assert_array_equal(ps.mu, [0.0])
    expected = families.poisson().deviance(data["y"].to_numpy(), np.exp(data["o"].to_numpy())).sum()
    assert ps.fit.null_deviance == pytest.approx(expected, rel=1e-12)


def test_what_weights_mean(rng):
    data = random_data(rng, 50, families.poisson(), weighted=True)
    weighted = Prior_Setup("y ~ x", data, "poisson", weights="w", offset="o")
    repeated = Prior_Setup("y ~ x", data.loc[data.index.repeat(data["w"])], "poisson", offset="o")
    np.testing.assert_allclose(weighted.ml, repeated.ml, rtol=1e-10)
    np.testing.assert_allclose(weighted.mu, repeated.mu, rtol=1e-10)
    np.testing.assert_allclose(weighted.Sigma, repeated.Sigma, rtol=1e-9)
    assert weighted.settings.n_effective == repeated.settings.n_effective == data["w"].sum()
    assert weighted.fit.n_plus == (data["w"] > 0).sum()


def test_counts_of_trials_and_fractions():
    counts = Prior_Setup(GIRLS, MENARCHE, "binomial", n_prior=2)
    shares = Prior_Setup("I(Menarche / Total) ~ Age2", MENARCHE, "binomial", weights="Total", n_prior=2)
    np.testing.assert_allclose(shares.ml, counts.ml, rtol=1e-12)
    np.testing.assert_allclose(shares.mu, counts.mu, rtol=1e-12)
    assert counts.settings.n_effective == 25
    assert shares.settings.n_effective == MENARCHE["Total"].sum()
    assert counts.settings.pwt == pytest.approx(2 / 27, rel=1e-14)
    fractional = MENARCHE.assign(Menarche=MENARCHE["Menarche"] / 3, Total=MENARCHE["Total"] / 3)
    thirds = Prior_Setup(GIRLS, fractional, "binomial")
    np.testing.assert_allclose(thirds.ml, counts.ml, rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(thirds.ml_se, np.sqrt(3) * counts.ml_se, rtol=1e-11)
    doubled = Prior_Setup(GIRLS, MENARCHE, "binomial", weights=np.full(25, 2.0))
    np.testing.assert_allclose(doubled.ml_se, counts.ml_se / np.sqrt(2), rtol=1e-11)
    np.testing.assert_array_equal(doubled.weights, 2 * MENARCHE["Total"])


def test_rows_without_trials_have_no_say():
    empty = pd.concat([MENARCHE, MENARCHE.iloc[:2].assign(Menarche=0, Total=0, Age2=[100.0, -50.0])])
    with_them, without = (Prior_Setup(GIRLS, data, "binomial") for data in (empty, MENARCHE))
    np.testing.assert_array_equal(with_them.ml, without.ml)
    np.testing.assert_array_equal(with_them.Sigma, without.Sigma)


def test_vectors_by_name():
    named = Prior_Setup(
        GIRLS, MENARCHE, "binomial", pwt={"Age2": 0.2, "(Intercept)": 0.5}, mu={"Age2": 1.0, "(Intercept)": 0}
    )
    np.testing.assert_array_equal(named.mu, [0, 1])
    scale = np.array([1.0, 2.0])
    np.testing.assert_allclose(named.Sigma, np.outer(scale, scale) * (named.fit.root @ named.fit.root.T), rtol=1e-12)


def test_priors_that_belong():
    ps = Prior_Setup(GIRLS, MENARCHE, "binomial")
    prior = ps.prior()
    np.testing.assert_allclose(prior.Sigma, ps.Sigma, rtol=1e-12)
    assert prior.dispersion is None
    assert ps.dispersion == 1.0
    with pytest.raises(InputError, match="prior for family 'binomial' must be one of 'dNormal'; got 'dGamma'"):
        ps.prior("dGamma")
    again = pickle.loads(pickle.dumps(ps))
    np.testing.assert_array_equal(again.y, ps.y)
    np.testing.assert_array_equal(again.weights, MENARCHE["Total"])
    assert (ps.family, ps.link) == ("binomial", "logit")


def test_printout():
    assert repr(Prior_Setup(GIRLS, MENARCHE, "binomial")).split("\n") == [
        "Prior_Setup: cbind(Menarche, Total - Menarche) ~ Age2  (binomial(logit), 25 rows)",
        "",
        "coefficient   prior mean     prior sd     estimate   std. error          pwt",
        "(Intercept)     0.360147     0.627944   -0.0108064    0.0631108         0.01",
        "Age2                   0     0.586577      1.63197    0.0589532         0.01",
        "",
        "n_prior = 0.252525 against n_effective = 25; prior means: intercept null_model, effects null_effects",
        "",
        "dispersion = 1 (fixed)",
        "matching priors, built by .prior(name):",
        "  dNormal  mu, Sigma",
    ]


# ---- Gamma: the dispersion


def gamma_score(v, y, mu, w):
    return np.sum(w * (np.log(w * v) + 1.0 - digamma(w * v) + np.log(y / mu) - y / mu))


@pytest.mark.parametrize("weighted", [False, True])
def test_gamma_dispersion_is_the_maximum_of_the_likelihood(weighted, rng):
    data = random_data(rng, 80, families.gamma(), weighted)
    ps = Prior_Setup("y ~ x + g", data, "Gamma", weights="w", offset="o", k=3, n_prior=4)
    y, mu, w = ps.fit.y, ps.fit.fitted, ps.fit.weights
    v = brentq(gamma_score, 1e-3, 1e3, args=(y, mu, w), xtol=1e-14, rtol=1e-14)
    assert ps.dispersion == pytest.approx(1 / v, rel=1e-11)
    assert ps.shape == 3.5  # (n_prior + k) / 2
    assert ps.rate == pytest.approx(2 * ps.dispersion, rel=1e-15)  # dispersion n_prior / 2
    assert ps.settings.dispersion_source == "estimated"
    assert ps.prior().dispersion == ps.dispersion
    gamma = ps.prior("dGamma")
    assert (gamma.shape, gamma.rate) == (ps.shape, ps.rate)
    np.testing.assert_array_equal(gamma.beta, ps.ml)
    assert abs(ps.dispersion / ps.fit.dispersion - 1) > 1e-3  # Pearson's is another number


def test_gamma_dispersion_keeps_its_digits_when_it_is_small(rng):
    mu, w = rng.uniform(1, 3, 50), np.ones(50)
    y = mu * (1 + 1e-5 * rng.standard_normal(50))
    d = (y - mu) / mu
    deviance = np.sum(d**2 / 2 - d**3 / 3 + d**4 / 4)  # half of it
    # D v = n/2 + n/(12 v) up to O(1 / v^3)
    v = (25 + np.sqrt(25**2 + 4 * deviance * 50 / 12)) / (2 * deviance)
    assert gamma_ml_dispersion(y, mu, w) == pytest.approx(1 / v, rel=1e-10)
    assert gamma_ml_dispersion(y, mu, 1e6 * w) == pytest.approx(1e6 / v, rel=1e-8)


def test_gamma_responses_in_any_unit(rng):
    data = random_data(rng, 40, families.gamma(), weighted=False)
    plain, tiny = (Prior_Setup("y ~ x", data.assign(y=unit * data["y"]), "Gamma") for unit in (1.0, 1e-200))
    np.testing.assert_allclose(tiny.ml - [np.log(1e-200), 0], plain.ml, rtol=1e-9)
    np.testing.assert_allclose(tiny.Sigma, plain.Sigma, rtol=1e-9)
    assert tiny.dispersion == pytest.approx(plain.dispersion, rel=1e-9)


def test_a_given_dispersion_takes_the_place_of_the_estimates(rng):
    data = random_data(rng, 40, families.gamma(), weighted=False)
    free, given = (Prior_Setup("y ~ x", data, "Gamma", dispersion=d) for d in (None, 0.25))
    np.testing.assert_allclose(given.Sigma, free.Sigma * 0.25 / free.fit.dispersion, rtol=1e-12)
    assert given.dispersion == 0.25
    assert given.rate == pytest.approx(0.125 * given.settings.n_prior)
    assert given.settings.dispersion_source == "given"


@pytest.mark.parametrize(("quasi", "plain"), [("quasipoisson", "poisson"), ("quasibinomial", "binomial")])
def test_quasi_families_estimate_the_dispersion(quasi, plain, rng):
    family = families.get(plain)
    data = random_data(rng, 60, family, weighted=True)
    wide, narrow = (Prior_Setup("y ~ x", data, name, weights="w") for name in (quasi, plain))
    y, mu, w = wide.fit.y, wide.fit.fitted, wide.fit.weights
    assert wide.dispersion == pytest.approx(np.sum(w * (y - mu) ** 2 / family.variance(mu)) / (len(y) - 2), rel=1e-12)
    np.testing.assert_array_equal(wide.ml, narrow.ml)
    np.testing.assert_allclose(wide.Sigma, wide.dispersion * narrow.Sigma, rtol=1e-12)
    assert wide.prior().dispersion == wide.dispersion


def test_car_insurance_in_canada():
    folder = os.environ.get("GLMBAYES_EXTRA_DATA")
    if not folder or not (Path(folder) / "carinsca.csv").exists():
        pytest.skip("GLMBAYES_EXTRA_DATA does not name a folder with carinsca.csv")
    data = pd.read_csv(Path(folder) / "carinsca.csv", dtype={"Merit": str, "Class": str})
    ps = Prior_Setup("Cost/Claims ~ Merit + Class", data, "Gamma", weights="Claims")
    # R glmbayes 0.9.75
    assert ps.mu[0] == pytest.approx(-1.20214855716499, rel=1e-9)
    beta = [-1.17455634123205, -0.0686716405679302, -0.070247404520673, -0.0567298040429007, 0.082735619054011,
            0.0158327641496557, 0.159814756925299, -0.0814241911770721]  # fmt: skip
    np.testing.assert_allclose(ps.coefficients, beta, atol=1e-6)
    variances = [0.023906593036088, 0.0674946699460123, 0.0838759173760577, 0.0263288369131899, 0.0690697289317686,
                 0.0332870474835171, 0.0373556134795228, 0.151204916086513]  # fmt: skip
    np.testing.assert_allclose(np.diag(ps.Sigma), variances, rtol=1e-6)
    assert ps.dispersion == pytest.approx(7.84091892537681, rel=1e-7)
    assert ps.shape == pytest.approx(2040.89898989899, rel=1e-12)
    assert ps.rate == pytest.approx(15998.6030552187, rel=1e-7)
    assert ps.settings.n_effective == 403999
    half = Prior_Setup("Cost/Claims ~ Merit + Class", data, "Gamma", weights="Claims", pwt=0.5)
    np.testing.assert_allclose([half.shape, half.rate], [202000, 1583861.70246665], rtol=1e-7)
    np.testing.assert_allclose(half.Sigma, ps.Sigma / 99, rtol=1e-10)


# ---- numerical difficulty


def test_columns_far_from_the_origin_and_of_other_scales(rng):
    data = pd.DataFrame({"x": rng.normal(size=200), "z": rng.normal(size=200)})
    data["y"] = rng.random(200) < 1 / (1 + np.exp(-(0.3 + data["x"] - 0.5 * data["z"])))
    hard = data.assign(u=1e6 + data["x"], v=1e-9 * (data["x"] + 1e-4 * data["z"]))
    plain = Prior_Setup("y ~ x + z", data, "binomial")
    far = Prior_Setup("y ~ u + z", hard, "binomial")
    np.testing.assert_allclose(far.ml[1:], plain.ml[1:], rtol=1e-8)
    np.testing.assert_allclose(far.ml_se[1:], plain.ml_se[1:], rtol=1e-8)
    close = Prior_Setup("y ~ x + v", hard, "binomial")  # nearly collinear, in tiny units
    np.testing.assert_allclose(close.ml[2] * 1e-13, plain.ml[2], rtol=1e-8)
    np.testing.assert_allclose(close.ml_se[2] * 1e-13, plain.ml_se[2], rtol=1e-8)
    assert close.fit.deviance == pytest.approx(plain.fit.deviance, rel=1e-12)


def test_long_data_take_the_same_way_in_blocks(monkeypatch, rng):
    data = random_data(rng, 300, families.poisson(), weighted=True)
    design = build_design("y ~ x + g", data, weights="w", offset="o")
    short = prior_setup_from_design(design, "poisson")
    monkeypatch.setattr(glmbayes.prior_setup.glm_fit, "_COMPILED_UP_TO", 0)
    monkeypatch.setattr(glmbayes.rows, "_COMPILED_LIMIT", 0)
    long = prior_setup_from_design(design, "poisson")
    np.testing.assert_allclose(long.ml, short.ml, rtol=1e-11)
    np.testing.assert_allclose(long.Sigma, short.Sigma, rtol=1e-11)


def test_huge_counts_and_rare_events():
    x = np.arange(6.0)
    big = Prior_Setup("y ~ x", {"x": x, "y": np.rint(1e9 * np.exp(x))}, "poisson")
    np.testing.assert_allclose(big.ml, [np.log(1e9), 1.0], rtol=1e-8)
    rare = {"x": x, "hit": [0, 1, 0, 1, 1, 0], "miss": np.full(6, 1e12)}
    ps = Prior_Setup("cbind(hit, miss) ~ x", rare, "binomial")
    counts = Prior_Setup("hit ~ x", rare, "poisson", offset=np.full(6, np.log(1e12)))
    np.testing.assert_allclose(ps.ml, counts.ml, rtol=1e-9)
    np.testing.assert_allclose(ps.ml_se, counts.ml_se, rtol=1e-9)


# ---- separation


def separable(X, y, zero_only=False):
    """Whether some direction never lowers the likelihood and somewhere raises it, by a linear programme."""
    if zero_only:  # Poisson: rows with events stay, rows without may fall
        signed, fixed = -X[y == 0], X[y > 0]
    else:
        signed, fixed = np.where(y[:, None] > 0.5, X, -X), X[:0]
    p = X.shape[1]
    found = linprog(
        -signed.sum(axis=0), A_ub=-signed, b_ub=np.zeros(len(signed)),
        A_eq=fixed if len(fixed) else None, b_eq=np.zeros(len(fixed)) if len(fixed) else None, bounds=[(-1, 1)] * p,
    )  # fmt: skip
    return -found.fun > 1e-7


@pytest.mark.parametrize("family", ["binomial", "binomial(probit)", "binomial(cloglog)", "poisson"])
def test_separation_is_found_exactly_when_it_is_there(family, rng):
    verdicts = []
    for _ in range(60):
        n, p = int(rng.integers(8, 25)), int(rng.integers(2, 5))
        X = np.column_stack([np.ones(n), rng.integers(-2, 3, (n, p - 1))]).astype(float)
        eta = X @ np.append(0.0, rng.normal(0.0, 1.5, p - 1))
        if family == "poisson":  # separation needs rows with events in a plane, and no others on one side of it
            X[:, 1] = rng.random(n) < 0.3
            y = rng.poisson(np.exp(0.3 * eta - 1.5 * X[:, 1])).astype(float)
        else:
            y = (rng.random(n) < 1 / (1 + np.exp(-eta))).astype(float)
        if np.linalg.matrix_rank(X) < p or y.min() == y.max():
            continue
        expected = separable(X, y, family == "poisson")
        try:
            fit_ml(array_design(y, X), families.get(family))
            found = False
        except InputError as error:
            assert "separation" in str(error)
            assert "dNormal(mu, Sigma)" in str(error)
            found = True
        assert found == expected, (X, y)
        verdicts.append(found)
    assert 8 < sum(verdicts) < len(verdicts) - 8  # both happen


def test_the_coefficients_without_an_estimate_are_named():
    data = {"y": [0, 1, 0, 1, 1, 1, 1], "x": [1.0, 2.0, 3.0, 1.5, 2.5, 1.0, 3.0], "g": list("aaaabbb")}
    with pytest.raises(InputError, match=r"estimate \(of gb\) is infinite"):
        Prior_Setup("y ~ x + g", data, "binomial")
    with pytest.raises(InputError, match=r"apart rows that are all 0 in the response y.*\(of gb\)"):
        Prior_Setup("y ~ x + g", {**data, "y": [3, 1, 2, 1, 0, 0, 0]}, "poisson")


def test_offsets_can_separate(rng):
    x = rng.normal(size=40)
    y = (rng.random(40) < 0.5).astype(float)
    with pytest.raises(InputError, match="columns, with the offset, tells apart successes from failures"):
        Prior_Setup("y ~ x", {"x": x, "y": y}, "binomial", offset=80.0 * (y - 0.5))


def test_tails_where_means_round_to_one(rng):
    x = np.append(rng.normal(size=60), [30.0, 200.0])
    y = np.append((rng.normal(size=60) < x[:60]).astype(float), [1.0, 1.0])
    for family in ("binomial", "binomial(probit)", "binomial(cloglog)", "quasibinomial"):
        far = Prior_Setup("y ~ x", {"x": x, "y": y}, family)  # warnings are errors here
        near = Prior_Setup("y ~ x", {"x": x[:60], "y": y[:60]}, family)
        np.testing.assert_allclose(far.ml, near.ml, rtol=1e-9)
        np.testing.assert_allclose(far.fit.root, near.fit.root, rtol=1e-9, atol=1e-12)


def test_what_only_looks_separated():
    x = np.append(np.linspace(-4, 4, 40), [1e8])
    y = np.append(np.linspace(-4, 4, 40) > 0, [True]).astype(float)
    y[15] = 1.0  # a single observation on the other side; a row far out, fitted as 1
    fit = Prior_Setup("y ~ x", {"x": x, "y": y}, "binomial")
    inner = Prior_Setup("y ~ x", {"x": x[:-1], "y": y[:-1]}, "binomial")
    np.testing.assert_allclose(fit.ml, inner.ml, rtol=1e-7)
    np.testing.assert_allclose(fit.ml_se, inner.ml_se, rtol=1e-7)
    overlap = Prior_Setup("y ~ x", {"x": [0.0, 1.0, 1.0 + 1e-6, 2.0], "y": [0, 1, 0, 1]}, "binomial")
    assert np.isfinite(overlap.ml).all()
    light = Prior_Setup("y ~ x", {"x": x[:-1], "y": y[:-1]}, "binomial", weights=np.full(40, 1e-12))
    np.testing.assert_allclose(light.ml, inner.ml, rtol=1e-9)


def test_the_units_of_a_quasi_count_do_not_matter(rng):
    data = random_data(rng, 50, families.poisson(), weighted=False)
    plain, tiny, huge = (
        Prior_Setup("y ~ x + g", data.assign(y=unit * data["y"]), "quasipoisson") for unit in (1.0, 1e-13, 1e13)
    )
    for other in (tiny, huge):
        np.testing.assert_allclose(other.ml[1:], plain.ml[1:], rtol=1e-9)
        np.testing.assert_allclose(other.Sigma, plain.Sigma, rtol=1e-8)
    for unit in (1e-13, 1.0, 1e13):
        with pytest.raises(InputError, match="separation"):
            Prior_Setup("y ~ g", data.assign(y=unit * data["y"] * (data["g"] != "b")), "quasipoisson")


# ---- a single mean


def test_conjugate_poisson():
    ps = Prior_Setup("y ~ 1", {"y": [1, 1, 1, 0, 0, 0, 0, 0, 0]}, "poisson(identity)", pwt=0.4)
    c = ps.conj_poisson  # R glmbayes 0.9.75
    np.testing.assert_allclose([c.shape, c.rate, c.weighted_mean_rate, c.n_prior_eff], [2, 6, 1 / 3, 6], rtol=1e-12)
    np.testing.assert_allclose([ps.mu[0], ps.Sigma[0, 0]], [1 / 3, 0.0555555555555556], rtol=1e-12)
    assert c.beta.shape == (1, 1)
    assert (ps.settings.n_effective, ps.link, ps.conj_binomial) == (9, "identity", None)
    assert "Gamma(shape = 2, rate = 6)" in repr(ps)
    assert ps.prior() == ps.prior("dGamma") == dGamma(c.shape, c.rate, Inv_Dispersion=False)
    with pytest.raises(InputError, match="must be"):
        ps.prior("dNormal")
    weighted = Prior_Setup("y ~ 1", {"y": [3, 5]}, "poisson(identity)", weights=[1, 3], n_prior=2)
    np.testing.assert_allclose(weighted.conj_poisson[:2], [2 * 4.5, 2], rtol=1e-12)


def test_conjugate_binomial():
    ps = Prior_Setup("y ~ 1", {"y": [1] * 7 + [0] * 18}, "binomial(identity)", pwt=0.05)
    c = ps.conj_binomial  # R glmbayes 0.9.75
    np.testing.assert_allclose([c.shape1, c.shape2], [0.368421052631579, 0.947368421052632], rtol=1e-12)
    np.testing.assert_allclose([c.weighted_mean_prop, c.n_prior_eff], [0.28, 1.31578947368421], rtol=1e-12)
    assert ps.Sigma[0, 0] == pytest.approx(0.153216, rel=1e-12)
    assert "Beta(0.368421, 0.947368)" in repr(ps)
    assert ps.prior() == dBeta(c.shape1, c.shape2)
    trials = Prior_Setup("cbind(a, b) ~ 1", {"a": [3, 4], "b": [8, 10]}, "binomial(identity)", n_prior=1, mu=[0.4])
    np.testing.assert_allclose(trials.conj_binomial[:2], [0.4, 0.6], rtol=1e-12)
    np.testing.assert_allclose(trials.conj_binomial.weighted_mean_prop, 0.28, rtol=1e-12)
    by_sd = Prior_Setup("y ~ 1", {"y": [1] * 7 + [0] * 18}, "binomial(identity)", sd=[np.sqrt(0.153216)])
    np.testing.assert_allclose(by_sd.conj_binomial[:2], c[:2], rtol=1e-12)


# ---- what is refused

SMALL = {
    "y": [0, 1, 0, 1, 1, 0], "x": [1.0, 2.0, 3.0, 1.5, 2.5, 3.5], "a": [1.5, 2.0, 0.5, 1.0, 3.0, 2.0], "n": [2] * 6
}  # fmt: skip
BAD = {
    "all failures": ("I(0 * y) ~ x", "binomial", {}, r"is 0 \(failure\).*dNormal\(mu, Sigma\)"),
    "all successes": ("I(0 * y + 1) ~ x", "binomial", {}, r"is 1 \(success\).*infinite"),
    "no events": ("I(0 * y) ~ x", "poisson", {}, "every row of the response .* is 0: the maximum-likelihood"),
    "aliased": ("y ~ x + I(2 * x)", "binomial", {}, r"rank deficient: I\(2 \* x\) is a combination"),
    "too few rows": ("y ~ x", "binomial", {"subset": [0]}, "at least as many observations as coefficients: got 1 row"),
    "too few positive weights": ("y ~ x", "poisson", {"weights": [1, 0, 0, 0, 0, 0]}, "got 1 row.s. with positive"),
    "no residual": ("a ~ x", "Gamma", {"subset": [0, 1]}, "needs more observations than coefficients: got 2"),
    "exact": ("I(exp(x)) ~ x", "Gamma", {}, "exactly: the dispersion of family Gamma"),
    "constant": ("I(0 * a + 2) ~ 1", "Gamma", {}, "exactly"),
    "negative count": ("I(-1 * n) ~ x", "poisson", {}, "zero or more"),
    "dispersion of counts": ("y ~ x", "poisson", {"dispersion": 2.0}, "is 1; got 2.*'quasipoisson'"),
    "dispersion of successes": ("y ~ x", "binomial", {"dispersion": 2.0}, "'quasibinomial'"),
    "weights_type": ("y ~ x", "binomial", {"weights_type": "precision"}, "for Gaussian models"),
    "sd without n_prior": ("a ~ x", "Gamma", {"sd": [1, 1]}, "give n_prior as well"),
    "sd and pwt": ("y ~ x", "binomial", {"sd": [1, 1], "pwt": 0.1}, "not both"),
    "unknown family": ("y ~ x", "poison", {}, "did you mean 'poisson'"),
    "unknown link": ("y ~ x", "binomial(cauchit)", {}, "link of binomial must be one of"),
    "identity with a slope": ("y ~ x", "poisson(identity)", {}, "'y ~ 1' without an offset; got y ~ x"),
    "identity with an offset": ("y ~ 1", "binomial(identity)", {"offset": [0.1] * 6}, "without an offset"),
    "rate of a Gamma": ("a ~ 1", "Gamma(inverse)", {}, "no default prior"),
    "rate 0": ("I(0 * y) ~ 1", "poisson(identity)", {}, "improper"),
    "probability 1": ("I(0 * y + 1) ~ 1", "binomial(identity)", {}, "is 1: a prior centred"),
    "prior mean of a probability": ("y ~ 1", "binomial(identity)", {"mu": [1.5]}, "between 0 and 1"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_refused(case):
    formula, family, arguments, message = BAD[case]
    with pytest.raises(InputError, match=message):
        Prior_Setup(formula, SMALL, family, **arguments)


def test_a_dispersion_of_one_is_allowed():
    assert Prior_Setup("y ~ x", SMALL, "poisson", dispersion=1.0).dispersion == 1.0


def test_a_saturated_model_has_an_estimate():
    ps = Prior_Setup("n ~ x", SMALL, "poisson", subset=[0, 1])
    np.testing.assert_allclose(ps.fit.fitted, [2, 2], rtol=1e-12)
    assert ps.fit.deviance == pytest.approx(0, abs=1e-12)
