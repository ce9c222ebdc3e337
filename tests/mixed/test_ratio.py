"""Exact draws under a prior on the ratio of standard deviations: dense algebra, Gibbs, calibration, refusals."""

import math
import pickle

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import cumulative_trapezoid

from glmbayes import (
    FormulaError,
    ImproperPosteriorError,
    InputError,
    datasets,
    dExponential,
    dFlat,
    dGamma,
    dHalfCauchy,
    dHalfNormal,
    dHalfT,
    dHuangWand,
    dNormal_Gamma,
    dRatio,
    dUniform,
    lmb,
    lmerb,
)
from glmbayes.chains.diagnostics import mcse_mean
from glmbayes.kernels.ratio_envelope import ratio_log_acceptance
from tests.kernels.adversarial import highest
from tests.oracles import assert_cdf, assert_mean

PRIORS = [dHalfCauchy(1), dHalfT(3, 0.5), dHalfNormal(1), dExponential(2), dUniform(1.5), dFlat()]


class Dense:
    """The posterior on a grid of log r, each point by the normal equations of all coefficients at once.

    With g = (beta, a), A = [X Z] and prior precision K(r) = diag(P, I / r^2) in units of 1 / sigma^2,
    p(r | y) is p(r) |K|^1/2 |A'A + K|^-1/2 SSE(r)^-(shape + (n - flat) / 2).
    """

    def __init__(self, y, X, z, codes, prior, shape=0.0, rate=0.0, mu=None, Sigma_0=None, n=None):
        p, m = X.shape[1], codes.max() + 1
        A = np.concatenate([X, z[:, None] * (codes[:, None] == np.arange(m))], axis=1)
        n = (y.size if n is None else n) - (p if mu is None else 0)
        P = np.zeros((p, p)) if mu is None else np.linalg.inv(Sigma_0)
        mu = np.zeros(p) if mu is None else mu
        self.h = shape + 0.5 * n
        self.rho = np.linspace(-15.0, min(9.0, math.log(prior.upper)), 1601)
        log_p, means, sds, s = [], [], [], []
        for r in np.exp(self.rho):
            K = np.zeros((p + m, p + m))
            K[:p, :p] = P
            K[range(p, p + m), range(p, p + m)] = r**-2.0
            M = A.T @ A + K
            mean = np.linalg.solve(M, A.T @ y + np.concatenate([P @ mu, np.zeros(m)]))
            rest, off = y - A @ mean, mean[:p] - mu
            s.append(rest @ rest + off @ P @ off + mean[p:] @ mean[p:] / r**2 + 2.0 * rate)
            value = prior.log_density(min(r, prior.upper)) + math.log(r) - m * math.log(r)
            log_p.append(value - 0.5 * np.linalg.slogdet(M)[1] - self.h * math.log(s[-1]))
            means.append(mean)
            sds.append(np.diag(np.linalg.inv(M)))
        log_p = np.array(log_p)
        density = np.exp(log_p - log_p.max())
        self.cumulative = cumulative_trapezoid(density, self.rho, initial=0.0)
        w = density * np.tile([2.0, 4.0], 801)[:-1] * (self.rho[1] - self.rho[0]) / 3.0
        w[[0, -1]] *= 0.5  # Simpson's rule: a bounded prior ends abruptly
        self.log_total = log_p.max() + math.log(w.sum())
        self.w = w / w.sum()
        means, s = np.array(means), np.array(s)
        self.mean = self.w @ means
        if rate:  # log p(y)
            self.log_evidence = self.log_total - 0.5 * n * math.log(2.0 * math.pi) + 0.5 * np.linalg.slogdet(P)[1]
            self.log_evidence += shape * math.log(rate) - math.lgamma(shape) + math.lgamma(self.h)
            self.log_evidence += self.h * math.log(2.0)
        self.sd = np.sqrt(self.w @ (0.5 * s[:, None] / (self.h - 1.0) * sds + (means - self.mean) ** 2))
        self.s = s

    def ratio_cdf(self, rho):
        return np.interp(rho, self.rho, self.cumulative / self.cumulative[-1])

    def sigma_cdf(self, sigma):
        kept = self.w > 1e-12
        return stats.gamma.sf(0.5 * self.s[kept] / np.atleast_1d(sigma)[:, None] ** 2, self.h) @ self.w[kept]


def unbalanced(rng, sizes=(3, 1, 4, 1, 5, 2, 6, 1), tau=1.0):
    g = np.repeat(np.arange(len(sizes)), sizes)
    x, b = rng.standard_normal(g.size), rng.standard_normal(len(sizes))[g]
    y = 2.0 + x - 0.5 * b + tau * rng.standard_normal(len(sizes))[g] + rng.standard_normal(g.size)
    return {"y": y, "x": x, "b": b, "g": np.array(list("abcdefghijkl"))[g]}, g


def log_ratio(fit):
    return 0.5 * np.log(fit.draws.covariance[0][:, 0, 0] / fit.draws.sigma2)


def agree(fit, dense):
    assert fit.method == "iid"
    names, m = list(fit.names), fit.design.terms[0].m
    combined = np.eye(len(names) + m)
    mean, sd = fit.posterior.moments(combined)
    assert np.allclose(mean, dense.mean, rtol=1e-5, atol=1e-6)
    assert np.allclose(sd, dense.sd, rtol=1e-5)
    assert_cdf(log_ratio(fit), dense.ratio_cdf, "log ratio")
    assert_cdf(fit.sigma[:2000], dense.sigma_cdf, "sigma")
    assert_mean(np.column_stack([fit.draws.beta, fit.draws.effects[0][:, :, 0]]), dense.mean, "beta and effects")


@pytest.mark.parametrize("prior", PRIORS, ids=lambda p: type(p).__name__)
def test_draws_and_moments_agree_with_dense_algebra(rng, prior):
    frame, codes = unbalanced(rng)
    X = np.column_stack([np.ones(codes.size), frame["x"], frame["b"]])
    fit = lmerb("y ~ x + b + (1 | g)", frame, {"g": dRatio(prior)}, n=10_000, rng=rng)
    agree(fit, Dense(frame["y"], X, np.ones(codes.size), codes, prior))


def test_conjugate_prior_and_groups_of_one_size(rng):
    """Eight groups of 3: most directions are outside the decomposition."""
    frame, codes = unbalanced(rng, (3,) * 8)
    X = np.column_stack([np.ones(24), frame["x"]])
    mu, Sigma_0 = np.array([1.0, 0.5]), np.array([[4.0, 0.3], [0.3, 0.5]])
    prior = {"g": dRatio(dHalfT(3, 1)), "sigma": dNormal_Gamma(mu, Sigma_0, 2.0, 1.5)}
    fit = lmerb("y ~ x + (1 | g)", frame, prior, n=10_000, rng=rng)
    agree(fit, Dense(frame["y"], X, np.ones(24), codes, dHalfT(3, 1), 2.0, 1.5, mu, Sigma_0))
    assert sum(c.basis is not None for c in fit.posterior.classes) == 1
    dense = Dense(frame["y"], X, np.ones(24), codes, dHalfT(3, 1), 2.0, 1.5, mu, Sigma_0)
    assert abs(fit.log_marginal_likelihood() - dense.log_evidence) < 1e-5
    none = lmerb("y ~ x + (1 | g)", frame, {**prior, "g": dRatio(dHalfNormal(1e-7))}, n=10, rng=rng)
    alone = lmb("y ~ x", frame, prior["sigma"], rng=rng)  # no difference between groups
    assert abs(none.log_marginal_likelihood() - alone.log_marginal_likelihood()) < 1e-8
    flat = lmerb("y ~ x + (1 | g)", frame, {**prior, "sigma": dGamma(2.0, 1.5)}, n=10, rng=rng)
    with pytest.raises(InputError, match="proper prior on the fixed effects"):
        flat.log_marginal_likelihood()
    improper = lmerb("y ~ x + (1 | g)", frame, {"g": dRatio(dFlat())}, n=10, rng=rng)
    with pytest.raises(InputError, match="proper priors on the ratio"):
        improper.log_marginal_likelihood()
    assert "N(mu, sigma^2 Sigma_0)" in str(fit.summary())


@pytest.mark.parametrize("kind", ["frequency", "precision"])
def test_weights_offset_slopes_and_groups_without_information(rng, kind):
    """(0 + x | g) with x = 0 in one group: its effect keeps the prior; weights in both meanings."""
    frame, codes = unbalanced(rng, (2, 3, 2, 3, 4))
    frame["x"][codes == 1] = 0.0
    w = rng.integers(1, 4, codes.size).astype(float)
    offset = rng.standard_normal(codes.size)
    fit = lmerb(
        "y ~ 1 + (0 + x | g)", frame, {"g": dRatio(dHalfNormal(1)), "sigma": dGamma(1.5, 2.0)}, weights=w,
        weights_type=kind, offset=offset, n=10_000, rng=rng,
    )  # fmt: skip
    root = np.sqrt(w)
    n = w.sum() if kind == "frequency" else codes.size
    dense = Dense((frame["y"] - offset) * root, root[:, None], frame["x"] * root, codes, dHalfNormal(1), 1.5, 2.0, n=n)
    agree(fit, dense)
    with pytest.raises(InputError, match="with a dRatio"):
        lmerb("y ~ 1 + (1 | g)", {**frame, "se": 0 * frame["y"] + 1}, se="se", n=10).log_marginal_likelihood()


def test_evidence_without_fixed_effects(rng):
    """Precision weights belong to the density of y."""
    frame, codes = unbalanced(rng, (4, 4, 4, 2))
    w = 0.5 + rng.random(14)
    prior = {"g": dRatio(dHalfCauchy(1)), "sigma": dGamma(1.5, 2.0)}
    fit = lmerb("y ~ 0 + (1 | g)", frame, prior, weights=w, weights_type="precision", n=10, rng=rng)
    root = np.sqrt(w)
    dense = Dense(frame["y"] * root, np.empty((14, 0)), root, codes, dHalfCauchy(1), 1.5, 2.0)
    assert abs(fit.log_marginal_likelihood() - dense.log_evidence - np.log(root).sum()) < 1e-5


def test_no_fixed_effects(rng):
    frame, codes = unbalanced(rng, (4, 4, 4, 2))
    fit = lmerb("y ~ 0 + (1 | g)", frame, {"g": dRatio(dHalfCauchy(1))}, n=10_000, rng=rng)
    agree(fit, Dense(frame["y"], np.empty((14, 0)), np.ones(14), codes, dHalfCauchy(1)))
    assert fit.predict().shape == (14,) and fit.icc().shape == (10_000, 1)
    assert "sd((Intercept) | g)" in str(fit.summary())


@pytest.mark.parametrize("formula", ["y ~ x + (1 | g)", "y ~ 0 + (1 | g)"])
def test_gibbs_agrees_where_the_priors_do(rng, formula):
    """Flat in r beside Gamma(a, b) on the residual precision is flat in tau beside Gamma(a + 1/2, b)."""
    frame, _ = unbalanced(rng, (3, 5, 2, 4, 6, 3), tau=0.3)
    exact = lmerb(formula, frame, {"g": dRatio(dFlat()), "sigma": dGamma(1.0, 0.5)}, n=20_000, rng=rng)
    gibbs = lmerb(formula, frame, {"g": dFlat(), "sigma": dGamma(1.5, 0.5)}, n=20_000, rng=rng)
    every = [lambda f: np.column_stack([f.draws.beta, f.draws.effects[0][:, :, 0]]),
             lambda f: (log_ratio(f) > -1.0)[:, None].astype(float), lambda f: np.log(f.sigma)[:, None]]  # fmt: skip
    for value in every:
        x, chain = value(exact), value(gibbs)
        error = np.hypot(x.std(axis=0) / np.sqrt(len(x)), mcse_mean(chain.reshape(4, -1, chain.shape[1])))
        assert (np.abs(x.mean(axis=0) - chain.mean(axis=0)) < 4.5 * error).all()
    other = lmerb(formula, frame, {"g": dFlat(), "sigma": dGamma(1.0, 0.5)}, n=20_000, rng=rng)
    assert abs(np.log(other.sigma).mean() - np.log(exact.sigma).mean()) > 4.5 * error  # one degree of freedom shows


def awkward(rng):
    """A data set with some of: two groups, groups of size 1, no or huge group variance, hardly any noise, extreme
    units, columns that are constant within groups or nearly equal."""
    m = int(rng.choice([2, 3, 5, 30]))
    sizes = rng.choice([1, 2, 3, 10, 200], m) if rng.random() < 0.6 else np.full(m, rng.choice([1, 2, 50]))
    g = np.repeat(np.arange(m), sizes)
    tau, unit, noise = 10.0 ** rng.choice([-8, -1, 0, 1, 6]), 10.0 ** rng.choice([-6, 0, 6]), rng.choice([1.0, 1e-9])
    y = rng.choice([0.0, 1e6]) + unit * (tau * rng.standard_normal(m)[g] + noise * rng.standard_normal(g.size))
    x, b = rng.standard_normal(g.size), rng.standard_normal(m)[g]
    near = b + 1e-7 * x
    frame = {"y": y, "x": x * 10.0 ** rng.choice([-6, 0, 6]), "b": b, "near": near, "g": g.astype(str)}
    formula = f"y ~ {rng.choice(['0', '1', 'x', 'x + b', 'b + near'])} + (1 | g)"
    prior = rng.choice([*PRIORS, dHalfT(0.1, 1e3), dHalfNormal(1e-4), dUniform(1e-3), dHalfCauchy(1e5)])
    priors = {"g": dRatio(prior), "sigma": rng.choice([dGamma(0, 0), dGamma(2, 1), dGamma(0.01, 1e-8), dGamma(1e3, 1)])}
    return formula, frame, priors


def test_dominance_on_awkward_data(rng):
    """At least 100 posteriors: log acceptance maximised from 100 starts, few candidates, finite draws and moments."""
    count = 0
    for _ in range(130):
        formula, frame, priors = awkward(rng)
        try:
            fit = lmerb(formula, frame, priors, n=100, rng=rng)
        except (ImproperPosteriorError, FormulaError) as error:
            assert "improper" in str(error) or "linear combinations" in str(error)
            continue
        count += 1
        ratio = fit.posterior.ratio
        env = ratio._envelope()
        worst = highest(ratio_log_acceptance, ratio.density, env, 80.0, rng.random((100, 3)))
        assert worst < 1e-9, (formula, priors, worst)
        assert fit.iters.mean() < 1.2, (formula, priors, fit.iters.mean())
        assert np.isfinite(fit.draws.beta).all() and np.isfinite(fit.draws.effects[0]).all() and (fit.sigma > 0).all()
        mean, sd = fit.group_means().to_numpy().T
        off = np.abs(fit.coef()["(Intercept)"].to_numpy().mean(axis=0) - mean)
        known = np.isfinite(sd)  # 100 draws: 0.6 sd are 6 standard errors
        assert (off < 0.6 * sd + 1e-9 * np.abs(mean))[known].all(), (formula, priors)
    assert count >= 100, count


@pytest.mark.parametrize("scale", [1e-6, 1e6])
@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_units_do_not_matter(scale, offset):
    frame, _ = unbalanced(np.random.default_rng(3))
    fits = []
    for y, x in ((frame["y"], frame["x"]), (scale * (frame["y"] + offset), (frame["x"] + 1e-3 * offset) / scale)):
        fits.append(lmerb("y ~ x + (1 | g)", {**frame, "y": y, "x": x}, {"g": dRatio(dHalfCauchy(1))}, n=50, rng=8))
    assert np.allclose(log_ratio(fits[0]), log_ratio(fits[1]), atol=1e-5)
    assert np.allclose(fits[0].draws.beta[:, 1], fits[1].draws.beta[:, 1] / scale**2, rtol=1e-5)


@pytest.mark.parametrize("tau", [0.0, 1e6])
@pytest.mark.parametrize("sizes", [(1, 1, 1, 1, 1, 1), (9, 9), (1, 30), (2, 1, 1), (1, 2, 50, 400)])
def test_tiny_groups_and_extreme_variances(rng, sizes, tau):
    frame, codes = unbalanced(rng, sizes, tau)
    fit = lmerb("y ~ 1 + (1 | g)", frame, {"g": dRatio(dHalfNormal(1))}, n=2000, rng=rng)
    assert np.isfinite(fit.draws.beta).all() and np.isfinite(fit.fitted()).all()
    assert fit.iters.mean() < 1.1
    if codes.size < 40 and tau == 0.0:
        agree(fit, Dense(frame["y"], np.ones((codes.size, 1)), np.ones(codes.size), codes, dHalfNormal(1)))


def test_a_hundred_thousand_groups(rng):
    """Three sizes of groups: the decomposition is 6 by 6, and the ratio known to a percent."""
    codes = np.repeat(np.arange(100_000), np.tile([1, 2, 3, 2], 25_000))
    x = rng.standard_normal(codes.size)
    y = x + 0.5 * rng.standard_normal(100_000)[codes] + rng.standard_normal(codes.size)
    fit = lmerb("y ~ x + (1 | g)", {"y": y, "x": x, "g": codes}, {"g": dRatio(dFlat())}, n=30, rng=rng)
    assert len(fit.posterior.levels.s2) == 6
    assert abs(math.exp(log_ratio(fit).mean()) - 0.5) < 0.03
    assert abs(fit.posterior_mean["x"] - 1.0) < 4.5 * fit.posterior_sd["x"]


def test_moments_that_do_not_exist_are_not_numbers(rng):
    frame, _ = unbalanced(rng, (5, 5, 5))
    flat = lmerb("y ~ x + (1 | g)", frame, {"g": dRatio(dFlat())}, n=50, rng=rng)  # p(r) ~ r^-2: no mean of r
    assert np.isnan(flat.posterior_mean["(Intercept)"]) and np.isfinite(flat.posterior_mean["x"])
    assert np.isfinite(flat.group_means()).all().all()
    frame, _ = unbalanced(rng, (5, 5, 5, 5))
    flat = lmerb("y ~ x + (1 | g)", frame, {"g": dRatio(dFlat())}, n=50, rng=rng)  # p(r) ~ r^-3: no variance
    assert np.isfinite(flat.posterior_mean).all() and np.isinf(flat.posterior_sd["(Intercept)"])
    few = lmerb("y ~ 1 + (1 | g)", {"y": [1.0, 2.0, 4.0], "g": list("aab")}, {"g": dRatio(dHalfCauchy(1))}, n=50, rng=1)
    assert np.isinf(few.posterior_sd.iloc[0]) and np.isfinite(few.coefficients).all().all()  # two degrees of freedom
    heavy = lmerb("y ~ x + g + (1 | g)", frame, {"g": dRatio(dHalfT(0.1, 10))}, n=50, rng=rng)  # the prior's own tail
    assert np.isnan(heavy.posterior_mean["gb"]) and np.isfinite(heavy.posterior_mean["x"])


def test_exact_moments_do_not_depend_on_the_seed_and_fits_pickle():
    frame = datasets.load("dyestuff")
    one, two = (lmerb("Yield ~ 1 + (1 | Batch)", frame, {"Batch": dRatio(dHalfCauchy(1))}, n=9, rng=s) for s in (1, 2))
    assert np.array_equal(one.posterior_mean, two.posterior_mean) and np.array_equal(one.posterior_sd, two.posterior_sd)
    assert not np.array_equal(one.draws.beta, two.draws.beta)
    again = pickle.loads(pickle.dumps(one))
    assert np.array_equal(again.group_means(), one.group_means())
    assert again.priors.terms["Batch"] == dRatio(dHalfCauchy(1)) != dRatio(dHalfCauchy(2))


def test_what_can_be_asked_of_the_fit(rng):
    frame = datasets.load("sleepstudy")
    fit = lmerb("Reaction ~ Days + (1 | Subject)", frame, {"Subject": dRatio(dHalfCauchy(1))}, rng=rng)
    text = str(fit.summary())
    for piece in ("exact and independent", "sd / residual sd ~ dHalfCauchy(scale=1)", "flat in log sd", "(default)"):
        assert piece in text, piece
    lme4 = {"(Intercept)": 251.4051, "Days": 10.46729}  # REML
    assert (np.abs(fit.posterior_mean - np.array(list(lme4.values()))) < 0.1 * fit.posterior_sd).all()
    assert 0.2 < fit.icc()["Subject"].mean() < 0.8
    assert fit.predict({"Days": [1.0, 2.0], "Subject": ["308", "new"]}, kind="interval", rng=rng).shape == (2, 6)
    shrunk = fit.shrinkage()
    assert shrunk["pull"].between(0.0, 1.0).all()
    assert np.isfinite(fit.loo().elpd) and np.isfinite(fit.waic().elpd) and np.isfinite(fit.dic().dic)


def two_groups():
    return {"y": [1.0, 2.0, 4.0, 3.0], "g": list("aabb"), "x": [0.0, 1.0, 0.0, 1.0], "se": [1.0] * 4, "h": list("abab")}


REFUSED = [
    ({"g": dRatio(dFlat())}, {}, ImproperPosteriorError, "needs three"),
    ({"g": dRatio(dHalfCauchy(1))}, {"se": "se"}, InputError, "no residual variance to take a ratio to"),
    ({"g": dRatio(dHalfCauchy(1))}, {"method": "mcmc"}, InputError, "dRatio needs the exact method"),
    ({"g": dRatio(dHalfCauchy(1)), "sigma": dHalfCauchy(1)}, {}, InputError, "has to be conjugate"),
    ({"g": dRatio(dHalfCauchy(1)), "sigma": dGamma(1, 1, disp_upper=3)}, {}, InputError, "has to be conjugate"),
    ({"g": dRatio(dHalfCauchy(1)), "sigma": dGamma(-1.5, 1)}, {}, ImproperPosteriorError, "shape"),
    ({"g": dRatio(dHalfCauchy(1)), "beta": (0.0, 1.0)}, {}, InputError, "dNormal_Gamma"),
    ({"sigma": dRatio(dHalfCauchy(1))}, {}, InputError, "priors\\['sigma'\\]"),
]


@pytest.mark.parametrize(("priors", "options", "kind", "message"), REFUSED)
def test_what_is_refused_and_how(priors, options, kind, message):
    with pytest.raises(kind, match=message):
        lmerb("y ~ 1 + (1 | g)", two_groups(), priors, n=5, **options)


def test_models_that_are_refused():
    ratio = dRatio(dHalfCauchy(1))
    with pytest.raises(InputError, match="single random term"):
        lmerb("y ~ 1 + (1 | g) + (1 | h)", two_groups(), {"g": ratio}, n=5)
    with pytest.raises(InputError, match="2 effects per group"):
        lmerb("y ~ x + (x | g)", two_groups(), {"g": ratio}, n=5)
    with pytest.raises(InputError, match="dRatio takes the density"):
        dRatio(dHuangWand(1.0))
    exact = {**two_groups(), "y": [1.0, 1.0, 2.0, 2.0]}
    with pytest.raises(ImproperPosteriorError, match="fit every observation exactly"):
        lmerb("y ~ 1 + (1 | g)", exact, {"g": ratio}, n=5)
    with pytest.raises(ImproperPosteriorError, match="fixed effects fit every observation"):
        lmerb("y ~ 1 + (1 | g)", {**exact, "y": [1e6] * 4}, {"g": ratio}, n=5)
    with pytest.raises(InputError, match="fixed effects twice"):
        both = {"g": ratio, "beta": (0.0, math.inf), "sigma": dNormal_Gamma(0.0, 1.0, 1.0, 1.0)}
        lmerb("y ~ 1 + (1 | g)", two_groups(), both, n=5)
    flat = {"g": ratio, "beta": (0.0, math.inf), "sigma": dGamma(1.0, 1.0)}
    assert lmerb("y ~ 1 + (1 | g)", two_groups(), flat, n=5).method == "iid"
