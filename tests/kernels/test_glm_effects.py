"""The sampler behind glmerb: joint-distribution tests (Geweke 2004) for every kind of term, move and prior."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from glmbayes import dGamma, dHalfCauchy, dHalfNormal, dHalfT, dHuangWand, dUniform, dWishart, families
from glmbayes.kernels.glm_effects import GlmState, draw_shift, fill_eta
from glmbayes.kernels.glm_effects_sweep import run_glm_effects
from glmbayes.kernels.glm_step import draw_step
from glmbayes.mixed.design import build_mixed_design
from glmbayes.mixed.glm_reduce import reduce_glm, separating
from glmbayes.mixed.priors import resolve_priors
from tests.kernels.test_effects import check, half_t, prior_root
from tests.oracles import assert_cdf, assert_mean, cdf_from_log_density

CASES = {
    "correlated slopes and a crossed factor, trials": (
        "binomial", "y ~ x + u + (x | a) + (1 | b)",
        {"a": dHuangWand([1.0, 0.5]), "b": dHalfCauchy(0.5)},
        {"a0": half_t(2, 1.0), "a1": half_t(2, 0.5), "r_a": stats.uniform(-1, 2).cdf, "b0": half_t(1, 0.5)},
    ),
    "separate slopes, Wishart, uniform": (
        "binomial", "y ~ 0 + x + (x || a) + (x | b)",
        {"a.1": dUniform(2.0), "a.2": dHalfT(4, 0.5), "b": dWishart(5, [[2.0, 0.4], [0.4, 1.0]])},
        {"a.10": stats.uniform(0, 2).cdf, "a.20": half_t(4, 0.5), "b0": lambda s: stats.chi2(4).sf(2.0 / s**2),
         "b1": lambda s: stats.chi2(4).sf(1.0 / s**2)},
    ),
    "nested, exposure": (
        "poisson", "y ~ x + u + (1 | b/a)",
        {"b": dHalfNormal(0.7), "b:a": dGamma(3.0, 0.5)},
        {"b0": stats.halfnorm(scale=0.7).cdf, "b:a0": lambda s: stats.gamma(3.0, scale=2.0).sf(s**-2.0)},
    ),
}  # fmt: skip


def data(rng, n=26):
    """u is constant within levels of a; some levels of b:a have a single row; every row has an offset and trials."""
    a = rng.permutation(np.arange(n) % 7)
    return {
        "y": np.arange(n) % 2.0, "x": rng.standard_normal(n), "a": a.astype(str), "u": np.cos(a),
        "b": (np.arange(n) % 4).astype(str), "trials": 4.0 + np.arange(n) % 5, "o": 0.3 * rng.standard_normal(n),
    }  # fmt: skip


def predictor(design, reduced, state):
    """Linear predictors at a state, by formula."""
    factors = reduced.factors
    eta = design.fixed.X @ (reduced.beta_hat + reduced.unscale @ state.theta) + design.fixed.offset
    for k, term in enumerate(design.terms):
        f, at = factors.term_factor[k], factors.term_at[k]
        first, m, q = (part[f] for part in (factors.first, factors.m, factors.q))
        levels = state.b[first : first + m * q].reshape(m, q)[:, at : at + term.q]
        eta += ((levels @ state.root[k, : term.q, : term.q].T)[term.factor.codes] * term.Z).sum(axis=1)
    return eta


def fit_of(family, y, trials, eta):
    """How well parameters fit the data: log-likelihood, and sum of residuals."""
    trials = 1.0 if trials is None else trials
    return np.array([(trials * family.log_term(y, eta)).sum(), (trials * (y - family.linkinv(eta))).sum()])


def replicate(rng, case, replicates=1500, sweeps=2, change=lambda reduced: reduced):
    """Parameters from the prior, then `sweeps` times (data given parameters, sweep given data).

    Parameters are prior draws again, and fit the last data as well as those that the data came from.
    """
    name, formula, given, _ = CASES[case]
    family = families.get(name)
    weights = "trials" if name == "binomial" else None
    design = build_mixed_design(formula, data(rng), weights=weights, offset="o")
    p, q = design.p, max(t.q for t in design.terms)
    mu, sd = np.linspace(-0.5, 0.5, p), np.linspace(0.7, 0.5, p)
    priors = resolve_priors(design, {**given, "beta": (mu, np.diag(sd**2))}, True, 1.0)
    true = reduce_glm(design, family, priors)
    used = change(true)
    trials = design.fixed.weights
    none = (np.empty((0, 0)), np.empty((0, 0)), np.empty((0, 0, 0, 0)), 0)
    out = {}
    for _ in range(replicates):
        root, mixing = np.zeros((len(design.terms), q, q)), np.ones((len(design.terms), q))
        for k, term in enumerate(design.terms):
            root[k, : term.q, : term.q], mixing[k, : term.q] = prior_root(rng, priors.terms[term.label], term.q)
        b = rng.standard_normal(int((true.factors.m * true.factors.q).sum()))
        beta = mu + sd * rng.standard_normal(p)
        state = GlmState(np.linalg.solve(true.unscale, beta - true.beta_hat), b, root, mixing, np.empty(design.n))
        for _ in range(sweeps):
            eta = predictor(design, true, state)
            y = family.random(rng, family.linkinv(eta), 1.0 if trials is None else trials)
            rows, factors = used.rows._replace(y=y), used.factors._replace(y=y[used.factors.order])
            arguments = (family.kernel, rows, factors, used.shifts, used.prior)
            assert run_glm_effects(rng, *arguments, state, 1, 0, *none) == 0
        fits = [fit_of(family, y, trials, value) for value in (eta, predictor(design, true, state))]
        out.setdefault("fit", []).append(fits[1] - fits[0])
        beta = true.beta_hat + true.unscale @ state.theta
        for i in range(p):
            out.setdefault(f"beta{i}", []).append((beta[i] - mu[i]) / sd[i])
        out.setdefault("b", []).append(b[-1])
        for k, term in enumerate(design.terms):
            covariance = root[k, : term.q, : term.q] @ root[k, : term.q, : term.q].T
            sds = np.sqrt(np.diag(covariance))
            for i in range(term.q):
                out.setdefault(f"{term.label}{i}", []).append(sds[i])
            if term.q == 2:
                out.setdefault(f"r_{term.label}", []).append(covariance[0, 1] / sds.prod())
    return {name: np.array(values) for name, values in out.items()}, p


@pytest.mark.parametrize("case", CASES)
def test_sweeps_leave_the_joint_distribution_alone(rng, case):
    draws, p = replicate(rng, case)
    check_joint(draws, p, case)


def check_joint(draws, p, case):
    check(draws, p, {**CASES[case][3], "b": stats.norm.cdf})
    assert_mean(draws["fit"], 0.0, "fit")


FAULTS = {
    "offset forgotten": lambda r: replace(r, rows=r.rows._replace(offset=0.0 * r.rows.offset)),
    "trials forgotten": lambda r: replace(r, rows=r.rows._replace(weights=np.ones_like(r.rows.weights))),
    "shift to the wrong side": lambda r: replace(r, shifts=r.shifts._replace(image=-r.shifts.image)),
    "half the scales": lambda r: replace(r, prior=r.prior._replace(inverse_scales2=4.0 * r.prior.inverse_scales2)),
    "fixed effects' prior twice": lambda r: replace(r, prior=r.prior._replace(precision=2.0 * r.prior.precision)),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_noticed(rng, fault):
    case = "correlated slopes and a crossed factor, trials"
    draws, p = replicate(rng, case, replicates=1200, sweeps=3, change=FAULTS[fault])
    with pytest.raises(AssertionError):
        check_joint(draws, p, case)


def test_shifts_are_found(rng):
    """An intercept and what is constant within groups; a coarser factor; nothing where nothing is absorbed."""

    def found(formula):
        design = build_mixed_design(formula, data(rng))
        reduced = reduce_glm(design, families.get("poisson"), resolve_priors(design, None, True, 1.0))
        return [tuple(map(int, move)) for move in zip(*reduced.shifts[:3])]

    assert found("y ~ x + u + (1 | a)") == [(0, -1, 2)]
    assert found("y ~ x + u + (x | a)") == [(0, -1, 3)]
    assert found("y ~ x + (1 | b/a)") == [(0, -1, 1), (1, -1, 1), (1, 0, 1)]
    assert found("y ~ 0 + x + (1 | a) + (1 | b)") == []


def test_shifts_leave_the_predictor_alone(rng):
    design = build_mixed_design("y ~ x + u + (x | a) + (1 | b/a)", data(rng), offset="o")
    reduced = reduce_glm(design, families.get("poisson"), resolve_priors(design, None, True, 1.0))
    factors, shifts = reduced.factors, reduced.shifts
    root = np.zeros((3, 2, 2))
    root[:, 0, 0], root[0, 1, 1], root[0, 1, 0] = (0.5, 0.7, 0.1), 0.3, -0.2
    b = rng.standard_normal(int((factors.m * factors.q).sum()))
    state = GlmState(rng.standard_normal(design.p), b, root, np.ones((3, 2)), np.empty(design.n))
    fill_eta(reduced.rows, factors, state)
    eta, moved = state.eta.copy(), []
    for s in range(shifts.factor.size):
        before = np.concatenate([state.theta, state.b])
        assert draw_shift(rng, factors, shifts, s, reduced.prior, state)
        moved.append(not np.allclose(before, np.concatenate([state.theta, state.b])))
        fill_eta(reduced.rows, factors, state)
        assert np.allclose(state.eta, eta, atol=1e-10)
    assert len(moved) >= 5 and all(moved)


def test_separation_is_found_exactly():
    x = np.column_stack([np.ones(6), [-2.0, -1.0, -0.5, 0.5, 1.0, 2.0]])
    y = np.array([0.0, 0, 0, 1, 1, 1])
    assert separating(x, y < 1, y > 0) @ [0.0, 1.0] > 0.0
    y[0] = 1.0  # now they overlap
    assert separating(x, y < 1, y > 0) is None
    y = np.array([0.0, 0, 0.5, 1, 1, 1])  # a row with both outcomes fixes its own predictor only
    assert separating(x, y < 1, y > 0) is not None
    counts = np.array([0.0, 0, 0, 0, 1, 0])
    assert separating(x, np.ones(6, bool), counts > 0) is None
    assert separating(x, np.ones(6, bool), 0.0 * counts > 0) is not None


def lines():
    """Rows and prior (mean, variance) of one coefficient: easy, skewed, flat, far from 0, and too large to be quick."""
    rng = np.random.default_rng(4)
    v, eta = rng.standard_normal(12), 0.5 * rng.standard_normal(12)
    yes = (rng.random(12) < 0.6).astype(float)
    return {
        "easy": ("binomial", yes, v, eta, np.ones(12), 0.3, 1.0),
        "one outcome": ("binomial", np.ones(5), v[:5], eta[:5], np.ones(5), 0.0, 9.0),
        "flat": ("poisson", rng.poisson(3.0, 12).astype(float), v, eta, np.ones(12), 0.0, np.inf),
        "no counts": ("poisson", np.zeros(4), np.ones(4), eta[:4], np.ones(4), 0.0, 16.0),
        "far": ("poisson", np.full(4, 900.0), np.ones(4), eta[:4] - 3.0, np.ones(4), 0.0, 25.0),
        "many trials": ("binomial", yes[:6] * 0.4 + 0.2, v[:6], eta[:6], np.full(6, 1e7), 0.0, 1.0),
        "no rows": ("binomial", np.empty(0), np.empty(0), np.empty(0), np.empty(0), 0.4, 0.25),
    }


@pytest.mark.parametrize("name", lines())
def test_steps_have_their_conditional_distribution(rng, name):
    family, y, v, eta, w, mean, variance = lines()[name]
    family = families.get(family)
    work, out, iters = np.empty((6, 24)), np.empty(1), np.empty(1, np.int64)
    draws = np.empty(8000)
    for i in range(draws.size):
        assert draw_step(rng, family.kernel, y, v, eta, w, mean, variance, work, out, iters) == 0
        draws[i] = out[0]

    def log_density(d):
        prior = 0.0 if np.isinf(variance) else -0.5 * (d - mean) ** 2 / variance
        return (w * family.log_term(y, eta + d[:, None] * v)).sum(axis=1) + prior

    grid = np.linspace(draws.min() - 3.0 * draws.std(), draws.max() + 3.0 * draws.std(), 20_001)
    assert_cdf(draws, cdf_from_log_density(log_density, grid), name)
    with pytest.raises(AssertionError):  # the test can tell a shift of 0.08 standard deviations
        assert_cdf(draws + 0.08 * draws.std(), cdf_from_log_density(log_density, grid), name)
