"""glmb's draws and evidence against R's examples, quadrature, maximum likelihood and simulated data."""

import math
import os
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats
from scipy.special import logsumexp

from glmbayes import ImproperPosteriorError, Prior_Setup, dGamma, dIndependent_Normal_Gamma, dNormal, glmb, lmb
from glmbayes.families import binomial, gamma, poisson
from tests import glmb_cases as cases
from tests.oracles import Z_BOUND, assert_cdf, assert_mean, assert_sd, assert_uniform_ranks

LINKS = ("logit", "probit", "cloglog")


def assert_truth(draws, mean, mean_se, sd):
    """Means within the Monte Carlo error of both sides, standard deviations within that of the draws."""
    se = np.hypot(draws.std(axis=0) / math.sqrt(len(draws)), mean_se)
    z = (draws.mean(axis=0) - mean) / se
    assert np.abs(z).max() < Z_BOUND, z
    assert_sd(draws, sd)


def assert_menarche(case, fit):
    """A fit of 40,000 draws against quadrature and the R package's DIC."""
    draws = fit.draws.coefficients
    np.testing.assert_allclose(fit.coef_mode, case["mode"], atol=1e-6)
    assert_mean(draws, case["mean"])
    assert_sd(draws, case["sd"])
    for j, quantiles in enumerate(case["quantiles"]):
        for level, value in zip((0.025, 0.5, 0.975), quantiles):
            below = np.count_nonzero(draws[:, j] < value)
            assert stats.binomtest(below, len(draws), level).pvalue > 1e-4
    assert abs(fit.dic().dic - case["DIC"]) < 0.15  # 5 standard errors: sd(deviance) = 2 in 40,000 and 50,000 draws
    assert abs(fit.dic().p_d - case["pD"]) < 0.08


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("sampler", ["auto", "radial"])
def test_menarche(link, sampler, rng):
    prior = cases.menarche_prior(link)
    fit = glmb(cases.MENARCHE_FORMULA, cases.menarche(), binomial(link), prior, n=40_000, sampler=sampler, rng=rng)
    assert_menarche(cases.MENARCHE[link], fit)


@pytest.mark.parametrize("link", cases.MENARCHE_INFORMED)
def test_menarche_under_an_informative_prior(link, rng):
    fit = glmb(cases.MENARCHE_FORMULA, cases.menarche(), binomial(link), cases.MENARCHE_INFORMATIVE, n=40_000, rng=rng)
    assert_menarche(cases.MENARCHE_INFORMED[link], fit)
    with pytest.raises(AssertionError):  # the default prior is another one
        assert_menarche(cases.MENARCHE[link], fit)


@pytest.mark.parametrize("link", LINKS)
def test_default_prior_is_prior_setup(link, rng):
    data = cases.menarche()
    fit = glmb(cases.MENARCHE_FORMULA, data, binomial(link), rng=1)
    setup = Prior_Setup(cases.MENARCHE_FORMULA, data, binomial(link))
    np.testing.assert_array_equal(fit.prior.mu, setup.mu)
    np.testing.assert_allclose(fit.prior.Sigma, cases.MENARCHE[link]["Sigma"], rtol=2e-4)  # R stops its search early
    assert fit.setup is not None and "built from the data" in str(fit.summary())


def test_dobson(rng):
    fit = glmb(cases.DOBSON_FORMULA, cases.DOBSON, "poisson", cases.DOBSON_PRIOR, n=40_000, rng=rng)
    np.testing.assert_allclose(fit.coef_mode, cases.DOBSON_MODE, atol=3e-6)
    assert_truth(fit.draws.coefficients, cases.DOBSON_MEAN, cases.DOBSON_MEAN_SE, cases.DOBSON_SD)
    # the deviance's sd is sqrt(2 p) = 3.2: 4.5 standard errors of two means of 40,000 and 50,000, doubled in DIC
    assert abs(fit.dic().dic - cases.DOBSON_DIC) < 0.2
    assert abs(fit.dic().p_d - cases.DOBSON_PD) < 0.1


def test_gamma_simulation(rng):
    fit = glmb("gy ~ gx", cases.GAMMA_SIM, "Gamma", cases.gamma_sim_prior(), n=40_000, rng=rng)
    np.testing.assert_allclose(fit.coef_mode, cases.GAMMA_SIM_MODE, atol=2e-5)  # R's prior has R's early stop in it
    assert_truth(fit.draws.coefficients, cases.GAMMA_SIM_MEAN, cases.GAMMA_SIM_MEAN_SE, cases.GAMMA_SIM_SD)
    assert abs(fit.dic().dic - cases.GAMMA_SIM_DIC) < 0.15
    assert (fit.dispersion == cases.GAMMA_SIM_DISPERSION).all()


# Gamma regression of the mean cost of a claim in Canada 1957-58, 20 rows, the claims as weights; R glmbayes 0.9.75's
# default prior; importance sampling, effective size 330,528: intercept, Merit 1 to 3, Class 2 to 5
CARINSCA_MEAN = [
    -1.17468454761601, -0.0681521034165038, -0.0696743726566963, -0.0564063373174772, 0.0824420884333345,
    0.0158275453567894, 0.158983215583724, -0.0805133580291421,
]  # fmt: skip
CARINSCA_SD = [
    0.0118810565373285, 0.020000640336631, 0.0223068110046535, 0.0124837215413813, 0.0202629169264314,
    0.0140382027739921, 0.0148601309008606, 0.029939879181763,
]  # fmt: skip


def test_car_insurance_in_canada(rng):
    folder = os.environ.get("GLMBAYES_EXTRA_DATA")
    if not folder or not (Path(folder) / "carinsca.csv").exists():
        pytest.skip("GLMBAYES_EXTRA_DATA does not name a folder with carinsca.csv")
    data = pd.read_csv(Path(folder) / "carinsca.csv", dtype={"Merit": str, "Class": str})
    fit = glmb("Cost/Claims ~ Merit + Class", data, "Gamma", weights="Claims", n=40_000, rng=rng)
    error = np.array(CARINSCA_SD) / math.sqrt(330_528)
    assert_truth(fit.draws.coefficients, CARINSCA_MEAN, error, CARINSCA_SD)
    assert fit.dispersion[0] == pytest.approx(7.84091892537681, rel=1e-7)
    # the deviance's sd is sqrt(2 p) = 4: 4.5 standard errors of means of 40,000 and of R's 10,000, doubled in DIC
    assert abs(fit.dic().dic + 107.412651201613) < 0.4
    assert abs(fit.dic().p_d - 7.90929256234514) < 0.2


def test_mean_costs_with_claims_as_weights(rng):
    """The same model on simulated costs, against importance sampling by scipy."""
    claims = np.round(np.exp(rng.normal(8.0, 1.5, 20)))
    merit, kind = np.divmod(np.arange(20), 5)
    truth, phi = np.array([-1.2, -0.07, -0.07, -0.06, 0.08, 0.02, 0.16, -0.08]), 7.8
    x = np.column_stack([np.ones(20), *[(merit == k).astype(float) for k in (1, 2, 3)],
                         *[(kind == k).astype(float) for k in (1, 2, 3, 4)]])  # fmt: skip
    cost = rng.gamma(claims / phi, phi / claims * np.exp(x @ truth))
    data = {"cost": cost, "merit": merit.astype(str), "kind": kind.astype(str), "claims": claims}
    prior = dNormal(np.zeros(8), 0.25 * np.eye(8), phi)
    fit = glmb("cost ~ merit + kind", data, "Gamma", prior, weights="claims", n=20_000, rng=rng)
    np.testing.assert_array_equal(fit.design.X, x)
    proposal = stats.multivariate_t(fit.coef_mode.to_numpy(), 1.2 * fit.vcov().to_numpy(), df=10, seed=rng)
    theta = proposal.rvs(40_000)
    eta = theta @ x.T
    shape = claims / phi
    log = stats.gamma.logpdf(cost, shape, scale=np.exp(eta) / shape).sum(axis=1)
    log += stats.multivariate_normal.logpdf(theta, np.zeros(8), 0.25 * np.eye(8)) - proposal.logpdf(theta)
    weight = np.exp(log - log.max())
    evidence = log.max() + math.log(weight.mean())
    evidence_error = weight.std() / weight.mean() / math.sqrt(40_000)
    weight /= weight.sum()
    mean = weight @ theta
    sd = np.sqrt(weight @ (theta - mean) ** 2)
    mean_error = np.sqrt(weight**2 @ (theta - mean) ** 2)
    sd_error = np.sqrt(weight**2 @ ((theta - mean) ** 2 - sd**2) ** 2) / (2.0 * sd)
    draws = fit.draws.coefficients
    square = (draws - draws.mean(axis=0)) ** 2
    own_error = square.std(axis=0) / (2.0 * draws.std(axis=0) * math.sqrt(len(draws)))
    assert np.abs((draws.mean(axis=0) - mean) / np.hypot(sd / math.sqrt(len(draws)), mean_error)).max() < Z_BOUND
    assert np.abs((draws.std(axis=0) - sd) / np.hypot(own_error, sd_error)).max() < Z_BOUND
    value, error = fit.log_marginal_likelihood(with_error=True)
    assert abs(value - evidence) < Z_BOUND * math.hypot(error, evidence_error)
    other = fit.update(pfamily=dNormal(np.zeros(8), 0.25 * np.eye(8), 1.1 * phi), rng=rng).draws.coefficients
    assert np.abs((other.std(axis=0) - sd) / np.hypot(own_error, sd_error)).max() > Z_BOUND  # a dispersion 10 % off


# -- quadrature, evidence --------------------------------------------------------------------------------------

SMALL = {
    "logit": (binomial(), lambda r, mu: r.binomial(5, mu) / 5, 1.0),
    "probit": (binomial("probit"), lambda r, mu: r.binomial(5, mu) / 5, 1.0),
    "cloglog": (binomial("cloglog"), lambda r, mu: r.binomial(5, mu) / 5, 1.0),
    "poisson": (poisson(), lambda r, mu: r.poisson(mu).astype(float), 1.0),
    "gamma": (gamma(), lambda r, mu: r.gamma(2.0, mu / 2.0), 0.5),
}


def row_log_lik(name, y, eta, weights):
    """From scipy.stats, one value per row (arrays broadcast)."""
    if name == "poisson":
        return weights * stats.poisson.logpmf(y, np.exp(eta))
    if name == "gamma":
        return stats.gamma.logpdf(y, 2.0 * weights, scale=np.exp(eta) / (2.0 * weights))
    inverse = {"logit": stats.logistic.cdf, "probit": stats.norm.cdf, "cloglog": lambda e: -np.expm1(-np.exp(e))}
    mean = inverse[name](eta)
    return stats.binom.logpmf(np.rint(y * weights), weights, np.clip(mean, 1e-300, 1.0 - 1e-16))


def small_case(name, rng, n=14):
    family, draw, phi = SMALL[name]
    x = rng.normal(size=n)
    offset = rng.normal(scale=0.3, size=n)
    weights = np.full(n, 5.0) if family.name == "binomial" else rng.integers(1, 4, n).astype(float)
    if name == "gamma":
        y = rng.gamma(2.0 * weights, np.exp(0.2 + 0.5 * x + offset) / (2.0 * weights))
    else:
        y = draw(rng, family.linkinv(0.2 + 0.5 * x + offset))
    prior = dNormal([0.1, -0.2], [[1.5, 0.3], [0.3, 0.8]], phi if family.has_dispersion else None)
    return family, {"x": x, "y": y}, offset, weights, prior


def grid_posterior(name, data, offset, weights, prior, n=241):
    """Log of prior times likelihood on a grid that covers the posterior, with the grid."""
    x = np.column_stack([np.ones(len(data["x"])), data["x"]])
    low = np.linalg.cholesky(prior.Sigma)

    def log_joint(beta):
        eta = beta @ x.T + offset
        return stats.multivariate_normal.logpdf(beta, prior.mu, prior.Sigma) + row_log_lik(
            name, data["y"], eta, weights
        ).sum(axis=-1)

    centre, half = prior.mu, 6.0 * np.abs(low).sum(axis=1)
    for points in (61, 61, 61, n):
        axes = [np.linspace(c - h, c + h, points) for c, h in zip(centre, half)]
        mesh = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
        values = log_joint(mesh)
        mass = np.exp(values - values.max())
        mass /= mass.sum()
        centre = np.einsum("ij,ijk->k", mass, mesh)
        seen = np.sqrt(np.einsum("ij,ijk->k", mass, (mesh - centre) ** 2))
        half = np.maximum(9.0 * seen, [2.0 * (a[1] - a[0]) for a in axes])
    step = np.prod([a[1] - a[0] for a in axes])
    return axes, mass, logsumexp(values) + math.log(step)


@pytest.mark.parametrize("name", SMALL)
def test_quadrature_and_evidence(name, rng):
    family, data, offset, weights, prior = small_case(name, rng)
    axes, mass, evidence = grid_posterior(name, data, offset, weights, prior)
    fit = glmb("y ~ x", data, family, prior, n=30_000, weights=weights, offset=offset, rng=rng)
    for j, axis in enumerate(axes):
        cumulative = mass.sum(axis=1 - j).cumsum() - 0.5 * mass.sum(axis=1 - j)
        assert_cdf(fit.draws.coefficients[:, j], lambda t: np.interp(t, axis, cumulative))  # noqa: B023
    value, error = fit.log_marginal_likelihood(with_error=True)
    assert abs(value - evidence) < Z_BOUND * error + 1e-6
    assert error < 0.02
    assert fit.log_marginal_likelihood() == value  # the same int, the same estimate
    for sampler in ("grid", "radial"):
        value, error = fit.update(sampler=sampler, rng=rng).log_marginal_likelihood(with_error=True)
        assert abs(value - evidence) < Z_BOUND * error + 1e-6
    faulty = glmb("y ~ x", data, family, prior, n=30_000, weights=weights, offset=offset + 0.1, rng=rng)
    with pytest.raises(AssertionError):  # an offset off by 0.1 shows
        assert_mean(faulty.draws.coefficients[:, 0], axes[0] @ mass.sum(axis=1))


def test_one_coefficient_has_an_exact_evidence(rng):
    y = rng.poisson(3.0, 12).astype(float)
    fit = glmb("y ~ 1", {"y": y}, "poisson", dNormal(1.0, 0.5), rng=1)
    value, error = fit.log_marginal_likelihood(with_error=True)
    t = np.linspace(-1.0, 3.0, 4001)
    log_joint = stats.norm.logpdf(t, 1.0, math.sqrt(0.5)) + stats.poisson.logpmf(y[:, None], np.exp(t)).sum(axis=0)
    assert error == 0.0
    assert value == pytest.approx(logsumexp(log_joint) + math.log(t[1] - t[0]), abs=1e-9)


def test_bayes_factors_between_links():
    """All three links under priors that say the same about the probabilities at two ages; against quadrature."""
    data = cases.menarche()
    age, total = data["Age"] - 13.0, data["Total"].to_numpy(float)
    y = data["Menarche"].to_numpy() / total
    fits, exact = {}, {}
    for link in LINKS:
        prior = dNormal([0.0, 1.0], np.diag([1.0, 1.0]))
        fits[link] = glmb(cases.MENARCHE_FORMULA, data, binomial(link), prior, rng=2)
        exact[link] = grid_posterior(link, {"x": age.to_numpy(), "y": y}, 0.0, total, prior)[2]
    for link in ("logit", "cloglog"):
        factor = fits["probit"].bayes_factor(fits[link])
        errors = [fits[name].log_marginal_likelihood(with_error=True)[1] for name in ("probit", link)]
        assert abs(factor.log_bayes_factor - exact["probit"] + exact[link]) < Z_BOUND * math.hypot(*errors) + 1e-6
    assert fits["probit"].bayes_factor(fits["cloglog"]).bayes_factor > 1e15


# -- limits ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["logit", "probit", "cloglog", "poisson", "gamma"])
def test_vague_limit_is_maximum_likelihood(name, rng):
    n = 400
    x = rng.normal(size=(n, 2))
    family = SMALL[name][0]
    mean = family.linkinv(0.3 + x @ [0.5, -0.4])
    weights = np.full(n, 5.0) if family.name == "binomial" else None
    y = SMALL[name][1](rng, mean)
    data = {"y": y, "a": x[:, 0], "b": x[:, 1]}
    links = {"logit": "Logit", "probit": "Probit", "cloglog": "CLogLog", "poisson": "Log", "gamma": "Log"}
    kind = {"poisson": sm.families.Poisson, "gamma": sm.families.Gamma}.get(name, sm.families.Binomial)
    theirs = sm.GLM(y, sm.add_constant(x), kind(getattr(sm.families.links, links[name])()), var_weights=weights).fit(
        tol=1e-12
    )
    prior = dNormal(np.zeros(3), 1e10 * np.eye(3), 0.5 if name == "gamma" else None)
    fit = glmb("y ~ a + b", data, family, prior, weights=weights, n=4000, rng=rng)
    np.testing.assert_allclose(fit.coef_mode, theirs.params, rtol=1e-6, atol=1e-7)
    estimate, cov, _ = fit.maximum_likelihood()
    np.testing.assert_allclose(estimate, theirs.params, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(cov, theirs.normalized_cov_params, rtol=1e-4)
    # the posterior sd agrees with the standard error up to skewness, O(1/n), and 4.5 Monte Carlo errors
    se = np.sqrt(np.diag(theirs.normalized_cov_params) * (0.5 if name == "gamma" else 1.0))
    np.testing.assert_allclose(fit.posterior_sd, se, rtol=4.5 / math.sqrt(2 * 4000) + 5.0 / n)


def test_gaussian_is_lmb():
    data = {"y": [4.2, 5.1, 3.9, 6.0, 5.5, 4.8], "x": [1.0, 2.0, 1.5, 3.0, 2.5, 2.0]}
    a, b = glmb("y ~ x", data, rng=3), lmb("y ~ x", data, rng=3)
    np.testing.assert_array_equal(a.draws.coefficients, b.draws.coefficients)
    np.testing.assert_array_equal(a.dispersion, b.dispersion)
    assert a.log_marginal_likelihood() == b.log_marginal_likelihood()
    assert type(a) is type(b)
    with pytest.raises(ValueError, match=r"sampler='grid'.*family='gaussian'"):
        glmb("y ~ x", data, sampler="grid")


@pytest.mark.parametrize("family", ["quasipoisson", "quasibinomial"])
def test_quasi_is_a_tempered_likelihood(family, rng):
    phi = 2.5
    x = rng.normal(size=40)
    y = rng.poisson(np.exp(0.5 + 0.3 * x)).astype(float) if family == "quasipoisson" else rng.random(40)
    data = {"x": x, "y": y}
    mu, Sigma = [0.0, 0.0], np.eye(2)
    fit = glmb("y ~ x", data, family, dNormal(mu, Sigma, phi), n=20_000, rng=rng)
    plain = glmb("y ~ x", data, family[5:], dNormal(mu, Sigma), weights=np.full(40, 1.0 / phi), n=20_000, rng=rng)
    np.testing.assert_allclose(fit.coef_mode, plain.coef_mode, atol=1e-9)
    for j in range(2):
        assert stats.ks_2samp(fit.draws.coefficients[:, j], plain.draws.coefficients[:, j]).pvalue > 1e-4
    assert (fit.dispersion == phi).all()
    with pytest.raises(ValueError, match="evidence"):
        fit.log_marginal_likelihood()
    text = str(fit.summary())
    assert "Dispersion: 2.5 (known)" in text and "Log marginal likelihood: undefined" in text


# -- seeds -----------------------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_draws():
    fits = [glmb(cases.DOBSON_FORMULA, cases.DOBSON, "poisson", cases.DOBSON_PRIOR, rng=5) for _ in range(2)]
    np.testing.assert_array_equal(fits[0].draws.coefficients, fits[1].draws.coefficients)
    other = glmb(cases.DOBSON_FORMULA, cases.DOBSON, "poisson", cases.DOBSON_PRIOR, rng=6)
    assert (other.draws.coefficients != fits[0].draws.coefficients).all()


# -- improper and hard -----------------------------------------------------------------------------------------


def test_separation_is_fine_under_a_proper_prior(rng):
    x = np.arange(-5.0, 5.0)
    data = {"x": x, "y": (x >= 0).astype(float)}
    prior = dNormal([0.0, 0.0], np.diag([25.0, 25.0]))
    fit = glmb("y ~ x", data, "binomial", prior, n=20_000, rng=rng)
    axes, mass, evidence = grid_posterior("logit", data, 0.0, np.ones(10), prior)
    assert_mean(fit.draws.coefficients[:, 1], axes[1] @ mass.sum(axis=0))
    value, error = fit.log_marginal_likelihood(with_error=True)
    assert abs(value - evidence) < Z_BOUND * error + 1e-4
    text = str(fit.summary())
    assert "undefined" in text  # there is no maximum-likelihood estimate to show
    assert fit.prior_check()["p"].isna().all()


def test_flat_coefficients(rng):
    x = rng.normal(size=60)
    data = {"x": x, "y": (rng.random(60) < 1.0 / (1.0 + np.exp(-x))).astype(float)}
    flat = np.diag([np.inf, np.inf])
    fit = glmb("y ~ x", data, "binomial", dNormal([0, 0], flat), n=4000, rng=rng)
    estimate, _, _ = fit.maximum_likelihood()
    np.testing.assert_allclose(fit.coef_mode, estimate, rtol=1e-7)
    with pytest.raises(ValueError, match="proper prior"):
        fit.log_marginal_likelihood()
    assert math.isnan(fit.hypothesis("x = 0").bayes_factor)
    separated = {"x": x, "y": (x > 0).astype(float)}
    with pytest.raises(ImproperPosteriorError, match="finite variance"):
        glmb("y ~ x", separated, "binomial", dNormal([0, 0], flat))
    with pytest.raises(ValueError, match="improper: x2 cannot be told apart"):
        glmb("y ~ x + x2", {**data, "x2": 2.0 * x}, "binomial", dNormal(np.zeros(3), np.diag([np.inf] * 3)))


def test_metropolis_is_labelled_and_agrees(rng):
    fit = glmb(cases.DOBSON_FORMULA, cases.DOBSON, "poisson", cases.DOBSON_PRIOR, n=8000, sampler="mcmc", rng=rng)
    assert not fit.exact_draws and fit.n_chains == 4
    assert "NOT independent" in fit.sampler_report() and "NOT iid" in str(fit.summary())
    assert "exact" not in str(fit.summary())
    assert fit.rhat.max() < 1.02 and (fit.effective_draws < 8000).all()
    z = (fit.posterior_mean - cases.DOBSON_MEAN) / (cases.DOBSON_SD / np.sqrt(fit.effective_draws))
    assert np.abs(z).max() < Z_BOUND
    with pytest.raises(ValueError, match="Markov chain draws"):
        fit.log_marginal_likelihood()
    assert fit.to_arviz().posterior["beta"].shape == (4, 2000, 5)


# -- Gamma regression with an unknown dispersion ----------------------------------------------------------------


def joint_grid(y, x, prior, n=101):
    """Moments and evidence of (beta0, beta1, log precision) by three-dimensional quadrature."""
    centre, half = np.array([0.3, 0.4, 0.9]), np.array([0.6, 0.6, 1.6])
    axes = [np.linspace(c - h, c + h, n) for c, h in zip(centre, half)]
    b = np.stack(np.meshgrid(*axes[:2], indexing="ij"), axis=-1)
    eta = b @ np.column_stack([np.ones(len(x)), x]).T
    linear = -(eta + y * np.exp(-eta)).sum(axis=-1)
    log_prior = stats.multivariate_normal.logpdf(b, prior.mu, prior.Sigma)
    t = axes[2]
    v = np.exp(t)
    rest = len(y) * (v * t - [math.lgamma(s) for s in v]) + (v - 1.0) * np.log(y).sum()
    rest += stats.gamma.logpdf(v, prior.shape, scale=1.0 / prior.rate) + t
    values = linear[..., None] * v + log_prior[..., None] + rest
    mass = np.exp(values - values.max())
    evidence = values.max() + math.log(mass.sum()) + sum(math.log(a[1] - a[0]) for a in axes)
    mass /= mass.sum()
    edges = max(mass.take(i, axis=j).sum() for i in (0, -1) for j in range(3))
    assert edges < 1e-7  # the grid covers the posterior
    means = [mass.sum(axis=tuple({0, 1, 2} - {j})) @ axes[j] for j in range(3)]
    dispersion = mass.sum(axis=(0, 1)) @ np.exp(-t)
    return np.array(means[:2]), dispersion, evidence


def test_gamma_with_unknown_dispersion(rng):
    y, x = cases.GAMMA_SIM["gy"], cases.GAMMA_SIM["gx"]
    prior = dIndependent_Normal_Gamma([0.4, 0.0], np.diag([0.5, 0.5]), shape=2.0, rate=1.0)
    beta, dispersion, evidence = joint_grid(y, x, prior)
    fit = glmb("gy ~ gx", cases.GAMMA_SIM, "Gamma", prior, n=8000, rng=rng)
    error = fit.posterior_sd / np.sqrt(fit.effective_draws)
    assert np.abs((fit.posterior_mean - beta) / error).max() < Z_BOUND
    assert fit.effective_draws.min() > 0.7 * 8000 and fit.rhat.max() < 1.01
    # the dispersion's chain mixes like the coefficients': its error from its own effective number
    assert abs(fit.dispersion.mean() - dispersion) < Z_BOUND * fit.dispersion.std() / math.sqrt(0.7 * 8000)
    wrong = fit.update(pfamily=dIndependent_Normal_Gamma([0.4, 0.0], np.diag([0.5, 0.5]), 6.0, 1.0), rng=rng)
    assert abs(wrong.dispersion.mean() - dispersion) > Z_BOUND * fit.dispersion.std() / math.sqrt(0.7 * 8000)
    value, se = fit.log_marginal_likelihood(with_error=True)
    assert abs(value - evidence) < Z_BOUND * se + 1e-4
    assert not fit.exact_draws
    text = str(fit.summary())
    assert "Markov chains, NOT iid" in text and "independent of beta" in text and "(known)" not in text
    assert "Gibbs" in fit.sampler_report() and "NOT independent" in fit.sampler_report()
    assert fit.to_arviz().posterior["dispersion"].shape == (4, 2000)


def test_gamma_joint_mode_and_limits(rng):
    prior = dIndependent_Normal_Gamma([0.4, 0.0], np.diag([0.5, 0.5]), 2.0, 1.0, disp_lower=0.2, disp_upper=0.3)
    fit = glmb("gy ~ gx", cases.GAMMA_SIM, "Gamma", prior, n=400, rng=rng)
    assert 0.2 <= fit.dispersion.min() < fit.dispersion.max() <= 0.3
    free = dIndependent_Normal_Gamma([0.4, 0.0], np.diag([0.5, 0.5]), 2.0, 1.0)
    core = glmb("gy ~ gx", cases.GAMMA_SIM, "Gamma", free, n=8, rng=rng).posterior.core
    y, x = cases.GAMMA_SIM["gy"], cases.GAMMA_SIM["gx"]

    def log_joint(beta, t):
        v = np.exp(t)
        mu = np.exp(beta[0] + beta[1] * x)
        prior_part = stats.multivariate_normal.logpdf(beta, free.mu, free.Sigma)
        return stats.gamma.logpdf(y, v, scale=mu / v).sum() + prior_part + stats.gamma.logpdf(v, 2.0) + t

    best = log_joint(core.coef_mode, -math.log(core.dispersion_mode))
    for step in 1e-3 * np.vstack([np.eye(3), -np.eye(3)]):
        assert log_joint(core.coef_mode + step[:2], -math.log(core.dispersion_mode) + step[2]) < best


def test_gamma_calibration(rng):
    """Simulation-based calibration of the Gibbs sampler, the dispersion included; every fourth draw."""
    prior = dIndependent_Normal_Gamma([0.2, 0.0], np.diag([0.5, 0.5]), shape=4.0, rate=2.0)
    x = np.linspace(-1.5, 1.5, 8)
    ranks = np.empty((200, 3), int)
    for k in range(200):
        truth = prior.sample(1, rng)
        beta, phi = truth.coefficients[0], truth.dispersion[0]
        y = rng.gamma(1.0 / phi, phi * np.exp(beta[0] + beta[1] * x))
        fit = glmb("y ~ x", {"x": x, "y": np.maximum(y, 1e-300)}, "Gamma", prior, n=76, rng=rng)
        kept = slice(None, None, 4)
        below = (fit.draws.coefficients[kept] < beta).sum(axis=0)
        ranks[k] = *below, (fit.dispersion[kept] < phi).sum()
    for j in range(3):
        assert_uniform_ranks(ranks[:, j], 20, bins=10)


# -- Gamma regression with known coefficients --------------------------------------------------------------------


def test_gamma_with_known_coefficients(rng):
    n = 25
    x, weights = rng.normal(size=n), rng.integers(1, 4, n).astype(float)
    mu = np.exp(0.2 + 0.5 * x)
    data = {"x": x, "y": rng.gamma(2.0 * weights, mu / (2.0 * weights)), "w": weights}
    prior = dGamma(2.0, 1.0, beta={"x": 0.5, "(Intercept)": 0.2})
    fit = glmb("y ~ x", data, "Gamma", prior, weights="w", n=20_000, rng=rng)

    def log_joint(v, skip=-1):
        rows = np.arange(n) != skip
        shape = weights[rows] * np.asarray(v)[..., None]
        log = stats.gamma.logpdf(data["y"][rows], shape, scale=mu[rows] / shape).sum(axis=-1)
        return log + stats.gamma.logpdf(v, 2.0)

    v = np.linspace(1e-4, 12.0, 120_001)
    step = v[1] - v[0]
    log = log_joint(v)
    evidence = logsumexp(log) + math.log(step)
    cumulative = np.cumsum(np.exp(log - evidence)) * step
    assert_cdf(1.0 / fit.dispersion, lambda t: np.interp(t, v, cumulative))
    with pytest.raises(AssertionError):  # coefficients off by a tenth
        off = fit.update(pfamily=dGamma(2.0, 1.0, beta=[0.3, 0.5]), rng=rng)
        assert_cdf(1.0 / off.dispersion, lambda t: np.interp(t, v, cumulative))
    value, error = fit.log_marginal_likelihood(with_error=True)
    assert value == pytest.approx(evidence, abs=1e-6) and error == 0.0
    left_out = evidence - logsumexp(log_joint(v, skip=3)) - math.log(step)
    row = stats.gamma.logpdf(data["y"][3], weights[3] / fit.dispersion, scale=mu[3] * fit.dispersion / weights[3])
    assert fit.loo("exact").pointwise[3] == pytest.approx(left_out, abs=4.5 * row.std() / math.sqrt(20_000))
    assert (fit.draws.coefficients == [0.2, 0.5]).all() and (fit.posterior_sd == 0.0).all()
    assert fit.exact_draws and "coefficients known" in str(fit.summary())

    limited = fit.update(pfamily=dGamma(2.0, 1.0, beta=[0.2, 0.5], disp_lower=0.4, disp_upper=0.6), rng=rng)
    assert limited.dispersion.min() >= 0.4 and limited.dispersion.max() <= 0.6
    inside = (v > 1.0 / 0.6) & (v < 1.0 / 0.4)
    share = stats.gamma.cdf(2.5, 2.0) - stats.gamma.cdf(1.0 / 0.6, 2.0)
    wanted = logsumexp(log[inside]) + math.log(step) - math.log(share)
    assert limited.log_marginal_likelihood() == pytest.approx(wanted, abs=1e-3)
    setup = glmb("y ~ x", data, "Gamma", lambda ps: ps.prior("dGamma"), weights="w", rng=1)
    np.testing.assert_array_equal(setup.posterior_mean, setup.setup.coefficients)

    again = pickle.loads(pickle.dumps(fit))
    np.testing.assert_array_equal(again.sample(5, 1).dispersion, fit.sample(5, 1).dispersion)
    improper = fit.update(pfamily=dGamma(-0.5, 0.0, beta=[0.2, 0.5]), rng=rng)
    for ask, words in (
        (improper.log_marginal_likelihood, "proper prior"),
        (fit.influence, "are known"),
        (fit.anova, "fixed"),
        (fit.directional_tail, "are known"),
        (fit.plot, "fixed"),
    ):
        with pytest.raises(ValueError, match=words):
            ask()
