"""glmerb against quadrature, lme4, itself by other routes, and simulated truth."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from glmbayes import ImproperPosteriorError, datasets, dFlat, dHalfCauchy, dHalfT, dUniform, families, glmerb
from glmbayes.chains.diagnostics import mcse_mean
from tests.oracles import assert_uniform_ranks

CBPP = "cbind(incidence, size - incidence) ~ period + (1 | herd)"


@pytest.fixture(scope="module")
def herds():
    return datasets.load("cbpp")


def by_quadrature(family, y, trials, offset, g, prior, beta_sd):
    """E of (beta_0, tau, log tau, a_1) for y ~ 1 + (1 | g) on grids of the effects and of (beta_0, log tau).

    The effects' grid is uniform: for large tau the likelihood is too steep for Gauss-Hermite nodes.
    """
    node = np.linspace(-7.0, 7.0, 401)
    weight = stats.norm.pdf(node) / stats.norm.pdf(node).sum()
    beta = np.linspace(-3.2, 3.2, 81)[:, None]
    log_tau = np.linspace(-7.0, min(3.0, np.log(prior.upper)), 101)
    tau = np.exp(log_tau)
    log_p = stats.norm(scale=beta_sd).logpdf(beta) + prior.log_density(np.minimum(tau, prior.upper)) + log_tau
    first = None
    for j in range(g.max() + 1):
        at = g == j
        eta = beta[..., None] + tau[:, None] * node
        value = sum(t * family.log_term(u, eta + o) for u, t, o in zip(y[at], trials[at], offset[at]))
        top = value.max(axis=-1, keepdims=True)
        mass = np.exp(value - top) * weight
        log_p = log_p + np.log(mass.sum(axis=-1)) + top[..., 0]
        if j == 0:
            first = tau * (mass @ node) / mass.sum(axis=-1)
    w = np.exp(log_p - log_p.max())
    w[:, [0, -1]] *= 0.5  # trapezoids: a bounded prior ends abruptly
    w /= w.sum()
    return np.array([(w * beta).sum(), (w * tau).sum(), (w * log_tau).sum(), (w * first).sum()])


SIZES = {"singles and few": (1, 1, 4, 2, 7, 3), "two groups": (5, 6)}


@pytest.mark.parametrize("prior", [dHalfT(3, 1.0), dUniform(1.5)], ids=lambda p: type(p).__name__)
@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("name", ["binomial", "poisson"])
def test_random_intercepts_agree_with_quadrature(rng, name, sizes, prior):
    check_random_intercepts(rng, name, sizes, prior)


@pytest.mark.parametrize("link", ["probit", "cloglog"])
def test_other_links_agree_with_quadrature(rng, link):
    check_random_intercepts(rng, f"binomial({link})", SIZES["singles and few"], dHalfT(3, 1.0))


def check_random_intercepts(rng, name, sizes, prior):
    family = families.get(name)
    binomial = family.name == "binomial"
    g = np.repeat(np.arange(len(sizes)), sizes)
    trials = 1.0 + np.arange(g.size) % 3 if binomial else np.ones(g.size)
    offset = 0.5 + 0.3 * rng.standard_normal(g.size)
    eta = -0.3 + 0.8 * rng.standard_normal(len(sizes))[g] + offset
    y = family.random(rng, family.linkinv(eta), trials)
    y[g == 2] = 1.0  # a group of successes only, or of ones
    truth = by_quadrature(family, y, trials, offset, g, prior, 0.7)
    frame = {"y": y, "trials": trials, "o": offset, "g": g.astype(str)}
    weights = "trials" if binomial else None
    fit = glmerb(
        "y ~ 1 + (1 | g)",
        frame,
        name,
        {"beta": (0.0, 0.49), "g": prior},
        offset="o",
        weights=weights,
        n=12_000,
        rng=rng,
    )
    tau = np.sqrt(fit.draws.covariance[0][:, 0, 0])
    draws = np.column_stack([fit.draws.beta[:, 0], tau, np.log(tau), fit.draws.effects[0][:, 0, 0]])
    error = mcse_mean(draws.reshape(4, -1, 4))
    assert (np.abs(draws.mean(axis=0) - truth) < 4.5 * error).all(), (draws.mean(axis=0), truth, error)
    without_offset = by_quadrature(family, y, trials, 0.0 * offset, g, prior, 0.7)
    assert (np.abs(draws.mean(axis=0) - without_offset) > 4.5 * error).any()  # the test can tell


def test_as_lme4(herds):
    """glmer of lme4 with 25 nodes a herd.  Eight copies of the data have the same maximum and less skewness."""
    copies = pd.concat([herds.assign(herd=herds["herd"].astype(str) + f".{k}") for k in range(8)], ignore_index=True)
    fit = glmerb(CBPP, copies, "binomial", n=4000, rng=1)
    estimate = np.array([-1.39922, -0.99141, -1.12781, -1.57948])
    error = np.array([0.23351, 0.30677, 0.32677, 0.4276]) / np.sqrt(8.0)
    assert (np.abs(fit.posterior_mean - estimate) < 0.1 * error).all()
    assert np.allclose(fit.posterior_sd / error, 1.0, atol=0.06)
    assert abs(fit.VarCorr()["50%"].iloc[0] - 0.64752) < 0.05


def simulate(rng, name):
    """Parameters from proper priors, then data."""
    g = np.repeat(np.arange(8), (1, 2, 3, 3, 4, 4, 5, 6))
    x = rng.standard_normal(g.size)
    beta, tau = 0.7 * rng.standard_normal(2), dHalfT(4, 0.7).sample(1, rng)[0]
    a = tau * rng.standard_normal(8)
    family = families.get(name)
    y = family.random(rng, family.linkinv(beta[0] + beta[1] * x + a[g]))
    priors = {"beta": ([0.0, 0.0], 0.49 * np.eye(2)), "g": dHalfT(4, 0.7)}
    return {"y": y, "x": x, "g": g.astype(str)}, priors, np.array([*beta, tau, a[0], a[7]])


@pytest.mark.parametrize(("name", "replicates"), [("binomial", 500), ("poisson", 100)])
def test_simulation_based_calibration(rng, name, replicates):
    """Ranks of the truth among thinned posterior draws are uniform (Talts et al. 2018), 90 % intervals cover 90 %."""
    ranks, covered = [], []
    for _ in range(replicates):
        frame, priors, truth = simulate(rng, name)
        fit = glmerb("y ~ x + (1 | g)", frame, name, priors, n=99, thin=2, burn_in=40, chains=1, rng=rng)
        effects = fit.draws.effects[0][:, [0, 7], 0]
        draws = np.column_stack([fit.draws.beta, np.sqrt(fit.draws.covariance[0][:, 0, 0]), effects])
        ranks.append((draws < truth).sum(axis=0))
        low, high = np.quantile(draws, (0.05, 0.95), axis=0)
        covered.append((low < truth) & (truth < high))
    ranks = np.array(ranks)
    for k in range(ranks.shape[1]):
        assert_uniform_ranks(ranks[:, k], 100, f"quantity {k}", bins=10)
    error = np.sqrt(0.9 * 0.1 / replicates)
    assert (np.abs(np.mean(covered, axis=0) - 0.9) < 4.0 * error + 0.01).all()  # 99 draws: quantiles off by up to 0.01


def test_no_variance_between_groups(rng):
    frame = {"y": rng.random(300) < 0.4, "g": np.repeat(np.arange(30), 10).astype(str)}
    fit = glmerb("y ~ 1 + (1 | g)", frame, rng=rng)
    table = fit.chains.summary()
    assert (table["r_hat"] < 1.02).all() and (table["ess_bulk"] > 400).all()
    assert fit.VarCorr()["50%"].iloc[0] < 0.5


@pytest.mark.parametrize("sizes", [(5, 5), (1, 1, 1, 1, 1, 1), (1, 9, 2)])
def test_few_and_tiny_groups(rng, sizes):
    g = np.repeat(np.arange(len(sizes)), sizes)
    frame = {"y": rng.poisson(np.exp(0.5 * g)), "x": rng.standard_normal(g.size), "g": g.astype(str)}
    fit = glmerb("y ~ x + (x | g)", frame, "poisson", {"beta": ([0.0, 0.0], np.eye(2))}, n=8000, rng=rng)
    assert np.isfinite(fit.draws.beta).all()
    assert (fit.chains.summary()["r_hat"] < 1.1).all()


def test_a_group_of_successes_only(rng):
    """Separation within a group bounds nothing there, and the prior does."""
    g = np.repeat(np.arange(5), 8)
    y = (rng.random(40) < 0.5).astype(float)
    y[g == 3] = 1.0
    fit = glmerb("y ~ 1 + (1 | g)", {"y": y, "g": g}, rng=rng)
    table = fit.shrinkage()
    assert np.isnan(table["no_pooling"].iloc[3]) and np.isfinite(table["no_pooling"].drop(("3", "(Intercept)"))).all()
    assert table["partial_pooling"].idxmax() == ("3", "(Intercept)")


def test_improper_posteriors_are_refused(rng):
    g = np.repeat(np.arange(6), 5)
    y = (rng.random(30) < 0.5).astype(float)
    frame = {"y": y, "x": np.where(y > 0, 1.0, -1.0) + 0.1 * rng.random(30), "g": g}
    with pytest.raises(ImproperPosteriorError, match=r"the flat fixed effects .*x.* separates"):
        glmerb("y ~ x + (1 | g)", frame)
    assert np.isfinite(
        glmerb("y ~ x + (1 | g)", frame, priors={"beta": ([0, 0], 4 * np.eye(2))}, n=40).draws.beta
    ).all()
    y[g < 4] = 1.0  # two groups are left whose responses vary
    with pytest.raises(ImproperPosteriorError, match="2 groups of g whose responses vary"):
        glmerb("y ~ 1 + (1 | g)", frame, priors={"g": dFlat()})
    with pytest.raises(ImproperPosteriorError, match="0 groups of i whose responses vary"):
        glmerb("y ~ 1 + (1 | i)", {**frame, "i": np.arange(30)}, priors={"i": dHalfCauchy(1)})


def test_forms_of_the_response_agree(rng, herds):
    """Counts of two columns, fractions with trials, single animals; rows without trials change nothing."""
    fit = glmerb(CBPP, herds, n=400, rng=3)
    frame = {
        "p": herds["incidence"] / herds["size"],
        "size": herds["size"],
        "period": herds["period"],
        "herd": herds["herd"],
    }
    fractions = glmerb("p ~ period + (1 | herd)", frame, weights="size", n=400, rng=3)
    assert np.array_equal(fit.draws.beta, fractions.draws.beta)
    padded = {k: np.concatenate([np.asarray(v), np.asarray(v)[:2]]) for k, v in frame.items()}
    padded["size"][-2:] = 0
    again = glmerb("p ~ period + (1 | herd)", padded, weights="size", n=400, rng=3)
    assert np.allclose(fit.draws.beta, again.draws.beta)
    rows = np.repeat(np.arange(len(herds)), herds["size"])
    ill = np.concatenate([np.arange(s) < i for i, s in zip(herds["incidence"], herds["size"])])
    single = {"y": ill, **{k: np.asarray(herds[k])[rows] for k in ("period", "herd")}}
    long = glmerb("y ~ period + (1 | herd)", single, n=2000, rng=3)
    many = glmerb(CBPP, herds, n=2000, rng=4)
    error = np.sqrt(2.0) * mcse_mean(many.draws.beta.reshape(4, -1, 4))
    assert (np.abs(long.posterior_mean - many.posterior_mean) < 4.5 * error).all()
    # exposure by offset is exposure by rate
    deaths = {"y": rng.poisson(3.0, 24), "pop": 1.0 + rng.random(24), "g": np.repeat(np.arange(6), 4)}
    one = glmerb("y ~ 1 + offset(log(pop)) + (1 | g)", deaths, "poisson", n=200, rng=5)
    two = glmerb("y ~ 1 + (1 | g)", deaths, "poisson", offset=np.log(deaths["pop"]), n=200, rng=5)
    assert np.array_equal(one.draws.beta, two.draws.beta)


def test_reproducible_and_data_not_kept(herds):
    one = glmerb(CBPP, herds, n=200, rng=3)
    changed = herds.copy()
    changed["incidence"] += 1
    changed["size"] += 1
    two = glmerb(CBPP, changed, n=200, rng=3)
    assert not np.allclose(one.draws.beta, two.draws.beta)
    again = glmerb(CBPP, herds, n=200, rng=3)
    assert np.array_equal(one.draws.beta, again.draws.beta)
