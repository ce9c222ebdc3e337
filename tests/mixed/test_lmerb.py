"""lmerb against quadrature, lme4, itself by another method, and simulated truth."""

import numpy as np
import pytest

from glmbayes import (
    datasets,
    dExponential,
    dFlat,
    dGamma,
    dHalfCauchy,
    dHalfNormal,
    dHalfT,
    dIndependent_Normal_Gamma,
    dNormal_Gamma,
    dUniform,
    lmerb,
)
from glmbayes.chains.diagnostics import mcse_mean
from tests.oracles import assert_cdf, assert_mean, assert_uniform_ranks

SCHOOLS = "estimate_rounded ~ 1 + (1 | school)"
PRIORS = [dFlat(), dHalfCauchy(5), dHalfT(3, 10), dHalfNormal(10), dUniform(20), dExponential(0.1), dGamma(1.5, 20.0)]


@pytest.fixture(scope="module")
def schools():
    return datasets.load("eight_schools")


def by_quadrature(y, s, prior, mean, variance):
    """E and sd of (mu, theta_1..J), E tau and the distribution function of log tau: textbook formulas on a grid.

    p(tau | y) is p(tau) V_mu^1/2 prod_j N(y_j | mu_hat, s_j^2 + tau^2) (Gelman et al. 2013, equation 5.21); a normal
    prior on mu is one more observation.
    """
    log_tau = np.linspace(-14.0, min(9.0, np.log(getattr(prior, "upper", np.inf))), 40_001)
    tau = np.exp(log_tau)
    precision = 1.0 / (s**2 + tau[:, None] ** 2)
    total = precision.sum(axis=1) + 1.0 / variance
    centre = (precision @ y + mean / variance) / total
    log_p = 0.5 * np.log(precision).sum(axis=1) - 0.5 * np.log(total)
    log_p -= 0.5 * (precision * (y - centre[:, None]) ** 2).sum(axis=1) + 0.5 * (centre - mean) ** 2 / variance
    if isinstance(prior, dGamma):
        log_p += -2.0 * prior.shape * log_tau - prior.rate / tau**2
    else:
        log_p += prior.log_density(np.minimum(tau, prior.upper)) + log_tau
    w = np.exp(log_p - log_p.max())
    w[[0, -1]] *= 0.5  # trapezoids: a bounded prior ends abruptly
    w /= w.sum()
    weight = tau[:, None] ** 2 / (tau[:, None] ** 2 + s**2)
    theta = weight * y + (1.0 - weight) * centre[:, None]
    theta_var = weight * s**2 + (1.0 - weight) ** 2 / total[:, None]
    means = np.concatenate([[w @ centre], w @ theta])
    var = np.concatenate([[w @ (1.0 / total + centre**2)], w @ (theta_var + theta**2)]) - means**2
    cumulative = np.cumsum(w)
    return means, np.sqrt(var), float(w @ tau), lambda t: np.interp(t, log_tau, cumulative)


@pytest.mark.parametrize("prior", PRIORS, ids=lambda p: type(p).__name__)
@pytest.mark.parametrize("proper", [False, True])
def test_exact_draws_agree_with_quadrature(rng, schools, prior, proper):
    y, s = schools["estimate_rounded"].to_numpy(float), schools["sd_rounded"].to_numpy(float)
    priors = {"school": prior, **({"beta": (2.0, 36.0)} if proper else {})}
    fit = lmerb(SCHOOLS, schools, priors, se="sd_rounded", n=20_000, rng=rng)
    assert fit.method == "iid"
    means, sds, tau_mean, cdf = by_quadrature(y, s, prior, 2.0, 36.0 if proper else np.inf)
    assert np.isclose(fit.posterior_mean.iloc[0], means[0], rtol=1e-6)
    assert np.isclose(fit.posterior_sd.iloc[0], sds[0], rtol=1e-6)
    groups = fit.group_means()
    assert np.allclose(groups["mean"], means[1:], rtol=1e-6) and np.allclose(groups["sd"], sds[1:], rtol=1e-6)
    assert_cdf(0.5 * np.log(fit.draws.covariance[0][:, 0, 0]), cdf, "log tau")
    assert_mean(fit.coef()["(Intercept)"].to_numpy(), means[1:], "theta")
    assert_mean(fit.draws.beta, means[:1], "mu")
    assert tau_mean > 0


def test_a_prior_off_by_its_jacobian_is_noticed(rng, schools):
    y, s = schools["estimate_rounded"].to_numpy(float), schools["sd_rounded"].to_numpy(float)
    *_, cdf = by_quadrature(y, s, dGamma(-0.5 + 0.1, 0.0), 0.0, np.inf)  # nearly flat in tau, not quite
    fit = lmerb(SCHOOLS, schools, {"school": dFlat()}, se="sd_rounded", n=20_000, rng=rng)
    with pytest.raises(AssertionError):
        assert_cdf(0.5 * np.log(fit.draws.covariance[0][:, 0, 0]), cdf)


def test_published_posteriors(schools):
    """Quadrature over tau in long double, and posteriordb's eight_schools for the half-Cauchy."""
    flat = lmerb(SCHOOLS, schools, {"school": dFlat()}, se="sd_rounded", n=10, rng=1)
    expected = [11.400, 7.895, 6.131, 7.645, 5.126, 6.139, 10.667, 8.457]
    assert np.allclose(flat.group_means()["mean"], expected, atol=6e-4)
    assert np.allclose([flat.posterior_mean.iloc[0], flat.posterior_sd.iloc[0]], [7.932, 5.178], atol=6e-4)
    cauchy = lmerb(SCHOOLS, schools, {"school": dHalfCauchy(5), "beta": (0.0, 25.0)}, se="sd_rounded", n=10, rng=1)
    assert np.isclose(cauchy.posterior_mean.iloc[0], 4.39681616220897, rtol=2e-6)
    assert np.isclose(cauchy.posterior_sd.iloc[0], 3.3177074873723185, rtol=2e-6)
    y = schools["estimate"]
    conjugate = dNormal_Gamma(y.mean(), 1.0, 0.25, y.var() / 4.0)
    fit = lmerb("estimate ~ 1 + (1 | school)", schools, {"school": conjugate}, se="sd", n=10, rng=1)
    expected = [11.812, 8.273, 6.745, 7.993, 5.541, 6.473, 11.094, 8.900]
    assert np.allclose(fit.group_means()["mean"], expected, atol=6e-4)
    assert np.allclose([fit.posterior_mean.iloc[0], fit.posterior_sd.iloc[0]], [8.40562005, 3.95502281], rtol=1e-6)
    independent = dIndependent_Normal_Gamma(y.mean(), y.var(), 0.25, y.var() / 4.0)
    fit = lmerb("estimate ~ 1 + (1 | school)", schools, {"school": independent}, se="sd", n=10, rng=1)
    expected = [12.411, 8.128, 6.236, 7.794, 4.969, 5.994, 11.431, 8.880]
    assert np.allclose(fit.group_means()["mean"], expected, atol=6e-4)
    assert np.allclose([fit.posterior_mean.iloc[0], fit.posterior_sd.iloc[0]], [8.263, 4.622], atol=6e-4)


def test_exact_moments_do_not_depend_on_the_seed(schools):
    one, two = (lmerb(SCHOOLS, schools, se="sd_rounded", n=5, rng=seed) for seed in (1, 2))
    assert np.array_equal(one.posterior_mean, two.posterior_mean)
    assert np.array_equal(one.group_means(), two.group_means())


@pytest.mark.parametrize("method", ["mcmc", "gibbs"])
@pytest.mark.parametrize("prior", [dFlat(), dHalfNormal(10), dUniform(20), dGamma(1.5, 20.0)], ids=repr)
def test_chains_agree_with_exact(rng, schools, prior, method):
    """Variance near zero has much of the mass here: the case where Gibbs samplers stick."""
    exact = lmerb(SCHOOLS, schools, {"school": prior}, se="sd_rounded", n=10, rng=1)
    gibbs = lmerb(SCHOOLS, schools, {"school": prior}, se="sd_rounded", method=method, n=40_000, rng=rng)
    x = np.concatenate([gibbs.draws.beta, gibbs.coef()["(Intercept)"].to_numpy()], axis=1).reshape(4, -1, 9)
    truth = np.concatenate([exact.posterior_mean, exact.group_means()["mean"]])
    assert (np.abs(x.mean(axis=(0, 1)) - truth) < 4.5 * mcse_mean(x)).all()
    assert (gibbs.chains.summary()["r_hat"] < 1.01).all()


def test_several_rows_per_group_and_covariates_agree_with_gibbs(rng):
    """Known standard errors, four rows per group, a covariate: the exact engine reduces the rows first."""
    n = 32
    frame = {"x": rng.standard_normal(n), "g": np.repeat(list("abcdefgh"), 4), "se": 0.5 + rng.random(n)}
    frame["y"] = 1.0 + 0.5 * frame["x"] + np.repeat(rng.standard_normal(8), 4) + frame["se"] * rng.standard_normal(n)
    priors = {"beta": ([0.0, 0.0], np.diag([np.inf, 4.0]))}
    exact = lmerb("y ~ x + (1 | g)", frame, priors, se="se", n=1000, rng=rng)
    gibbs = lmerb("y ~ x + (1 | g)", frame, priors, se="se", n=20_000, method="mcmc", rng=rng)
    beta = gibbs.draws.beta.reshape(4, -1, 2)
    assert (np.abs(beta.mean(axis=(0, 1)) - exact.posterior_mean.to_numpy()) < 4.5 * mcse_mean(beta)).all()
    means = gibbs.coef()["(Intercept)"].to_numpy().reshape(4, -1, 8)
    assert (np.abs(means.mean(axis=(0, 1)) - exact.group_means()["mean"].to_numpy()) < 4.5 * mcse_mean(means)).all()


def simulate(rng, sizes=(3, 5, 1, 4, 2, 6)):
    """Parameters from proper priors, then data: y ~ x + (x | g)."""
    from glmbayes import dHuangWand

    Psi = dHuangWand([1.0, 0.5]).sample(1, rng)[0]
    sigma = dHalfT(5, 1.0).sample(1, rng)[0]
    beta = rng.standard_normal(2)
    g = np.repeat(np.arange(len(sizes)), sizes)
    x = rng.standard_normal(g.size)
    a = rng.standard_normal((len(sizes), 2)) @ np.linalg.cholesky(Psi).T
    y = beta[0] + a[g, 0] + (beta[1] + a[g, 1]) * x + sigma * rng.standard_normal(g.size)
    truth = np.array([*beta, np.sqrt(Psi[0, 0]), np.sqrt(Psi[1, 1]), Psi[0, 1], sigma, a[2, 0], a[3, 1]])
    priors = {"beta": ([0.0, 0.0], np.eye(2)), "g": dHuangWand([1.0, 0.5]), "sigma": dHalfT(5, 1.0)}
    return {"y": y, "x": x, "g": g.astype(str)}, priors, truth


def quantities(fit):
    Psi = fit.draws.covariance[0]
    parts = [*fit.draws.beta.T, np.sqrt(Psi[:, 0, 0]), np.sqrt(Psi[:, 1, 1]), Psi[:, 0, 1], fit.sigma]
    return np.column_stack([*parts, fit.draws.effects[0][:, 2, 0], fit.draws.effects[0][:, 3, 1]])


@pytest.mark.parametrize(
    ("method", "thin", "replicates"), [("gibbs", 20, 500), ("mcmc", 5, 250)], ids=["gibbs", "independence chain"]
)
def test_simulation_based_calibration(rng, method, thin, replicates):
    """Ranks of the truth among thinned posterior draws are uniform (Talts et al. 2018), 90 % intervals cover 90 %."""
    ranks = []
    for _ in range(replicates):
        frame, priors, truth = simulate(rng)
        fit = lmerb(
            "y ~ x + (x | g)", frame, priors, method=method, n=99, thin=thin, burn_in=10 * thin, chains=1, rng=rng
        )
        assert fit.sampler.startswith("Gibbs" if method == "gibbs" else "independence")
        draws = quantities(fit)
        ranks.append((draws < truth).sum(axis=0))
    ranks = np.array(ranks)
    for k in range(ranks.shape[1]):
        assert_uniform_ranks(ranks[:, k], 100, f"quantity {k}", bins=10)
    error = np.sqrt(0.9 * 0.1 / replicates)
    covered = ((ranks >= 5) & (ranks < 95)).mean(axis=0)  # between the 5th and the 95th of 99 draws
    assert (np.abs(covered - 0.9) < 4.0 * error).all(), covered


def test_calibration_notices_a_wrong_prior(rng):
    ranks = []
    for _ in range(200):
        frame, priors, truth = simulate(rng)
        fit = lmerb(
            "y ~ x + (x | g)",
            frame,
            {**priors, "beta": ([0.0, 0.0], 0.2 * np.eye(2))},
            method="gibbs",
            n=99,
            thin=10,
            chains=1,
            rng=rng,
        )
        ranks.append((quantities(fit) < truth).sum(axis=0))
    with pytest.raises(AssertionError):
        assert_uniform_ranks(np.array(ranks)[:, 0], 100, bins=10)


def test_no_variance_between_groups(rng):
    """The truth is tau = 0: the chains mix, and the group standard deviation ends up near 0."""
    frame = {"y": rng.standard_normal(200), "g": np.repeat(np.arange(20), 10).astype(str)}
    fit = lmerb("y ~ 1 + (1 | g)", frame, rng=rng)
    table = fit.chains.summary()
    assert (table["r_hat"] < 1.02).all() and (table["ess_bulk"] > 400).all()
    assert fit.VarCorr()["50%"].iloc[0] < 0.25


@pytest.mark.parametrize("sizes", [(5, 5), (1, 1, 1, 1, 1, 1), (1, 9, 2)])
def test_few_and_tiny_groups(rng, sizes):
    g = np.repeat(np.arange(len(sizes)), sizes)
    frame = {"y": rng.standard_normal(g.size) + g, "x": rng.standard_normal(g.size), "g": g.astype(str)}
    fit = lmerb("y ~ x + (x | g)", frame, n=20_000, rng=rng)
    assert np.isfinite(fit.draws.beta).all() and (fit.sigma > 0).all()
    assert (fit.chains.summary()["r_hat"] < 1.1).all()


def test_scale_and_location_of_the_data_do_not_matter(rng):
    """y and x with means of 1e6: the same posterior, shifted and scaled."""
    g = np.repeat(np.arange(8), 6)
    x = rng.standard_normal(48)
    y = 1.0 + 0.5 * x + rng.standard_normal(8)[g] + rng.standard_normal(48)
    plain = lmerb("y ~ x + (1 | g)", {"y": y, "x": x, "g": g.astype(str)}, n=1000, rng=5)
    moved = {"y": 1e6 + 1e-3 * y, "x": 1e6 + 1e-3 * x, "g": g.astype(str)}
    far = lmerb("y ~ x + (1 | g)", moved, n=1000, rng=5)
    assert np.allclose(far.draws.beta[:, 1], plain.draws.beta[:, 1], rtol=1e-4, atol=1e-4)
    assert np.allclose(far.sigma, 1e-3 * plain.sigma, rtol=1e-4)


def test_reproducible_and_data_not_kept(rng):
    frame = datasets.load("dyestuff")
    one = lmerb("Yield ~ 1 + (1 | Batch)", frame, n=200, rng=3)
    frame["Yield"] *= 2.0
    two = lmerb("Yield ~ 1 + (1 | Batch)", frame, n=200, rng=3)
    assert not np.allclose(one.draws.beta, two.draws.beta)
    frame["Yield"] /= 2.0
    again = lmerb("Yield ~ 1 + (1 | Batch)", frame, n=200, rng=3)
    assert np.array_equal(one.draws.beta, again.draws.beta)
