"""The sampler behind lmerb: joint-distribution tests (Geweke 2004) for every kind of term and prior."""

import numpy as np
import pytest
from scipy import stats

from glmbayes import dGamma, dHalfCauchy, dHalfNormal, dHalfT, dHuangWand, dUniform, dWishart
from glmbayes.kernels.effects import EffectsState
from glmbayes.kernels.effects_blocks import BlocksData, run_blocks
from glmbayes.kernels.effects_sweep import run_effects
from glmbayes.mixed import reduce
from glmbayes.mixed.design import build_mixed_design
from glmbayes.mixed.priors import resolve_priors
from glmbayes.mixed.reduce import reduce_design
from tests.oracles import assert_cdf


def half_t(df, scale):
    return lambda x: 2.0 * stats.t(df).cdf(np.asarray(x) / scale) - 1.0


CASES = {
    "slopes and a crossed factor": (
        "y ~ x + (x | a) + (1 | b)",
        {"a": dHuangWand([1.0, 0.5]), "b": dHalfT(3, 0.7), "sigma": dHalfCauchy(1.0)},
        {"a0": half_t(2, 1.0), "a1": half_t(2, 0.5), "r_a": stats.uniform(-1, 2).cdf, "b0": half_t(3, 0.7),
         "sigma": half_t(1, 1.0)},
    ),
    "slopes on the smaller factor": (
        "y ~ 1 + (1 | a) + (x | b)",
        {"a": dHalfNormal(1.0), "b": dWishart(5, [[2.0, 0.4], [0.4, 1.0]]), "sigma": dGamma(3.0, 2.0)},
        {"a0": stats.halfnorm(scale=1.0).cdf, "b0": lambda s: stats.chi2(4).sf(2.0 / s**2),
         "b1": lambda s: stats.chi2(4).sf(1.0 / s**2), "sigma": lambda s: stats.gamma(3.0, scale=0.5).sf(s**-2.0)},
    ),
    "nested, uncorrelated, uniform": (
        "y ~ 0 + x + (x || b) + (1 | b:a)",
        {"b.1": dUniform(2.0), "b.2": dHalfT(4, 0.5), "b:a": dHalfCauchy(0.5), "sigma": dUniform(3.0)},
        {"b.10": stats.uniform(0, 2).cdf, "b.20": half_t(4, 0.5), "b:a0": half_t(1, 0.5),
         "sigma": stats.uniform(0, 3).cdf},
    ),
    "two groups, no fixed effects, a column constant within groups": (
        "y ~ 0 + (c || a) + (1 | two)",
        {"a.1": dHalfNormal(1.0), "a.2": dHalfT(4, 0.5), "two": dHalfCauchy(0.7), "sigma": dHalfNormal(1.0)},
        {"a.10": stats.halfnorm(scale=1.0).cdf, "a.20": half_t(4, 0.5), "two0": half_t(1, 0.7),
         "sigma": stats.halfnorm(scale=1.0).cdf},
    ),
    "singular Z_j": (
        "y ~ 1 + (c | a)",
        {"a": dHuangWand([1.0, 0.5]), "sigma": dGamma(3.0, 2.0)},
        {"a0": half_t(2, 1.0), "a1": half_t(2, 0.5), "r_a": stats.uniform(-1, 2).cdf,
         "sigma": lambda s: stats.gamma(3.0, scale=0.5).sf(s**-2.0)},
    ),
    "known standard errors": (
        "y ~ x + (1 | a)",
        {"a": dHalfT(3, 1.0)},
        {"a0": half_t(3, 1.0)},
    ),
}  # fmt: skip


def data(rng, n=26):
    x, a, se = rng.standard_normal(n), rng.permutation(np.arange(n) % 7), 0.3 + rng.random(n)
    return {
        "y": np.zeros(n), "x": x, "a": a.astype(str), "b": (np.arange(n) % 4).astype(str), "se": se,
        "c": rng.standard_normal(7)[a], "two": (np.arange(n) % 2).astype(str),
    }  # fmt: skip


def replicate(
    rng, formula, given, se=False, replicates=2500, sweeps=2, change=lambda reduced: reduced, run=run_effects
):
    """Parameters from the prior, then `sweeps` times (data given parameters, sweep given data): prior draws again."""
    frame = data(rng)
    frame["y"][0] = 1.0
    design = build_mixed_design(formula, frame, se="se" if se else None)
    p = design.p
    mu, sd = np.linspace(-0.5, 0.5, p), np.linspace(1.0, 0.7, p)
    beta_prior = {"beta": (mu, np.diag(sd**2))} if p else {}
    priors = resolve_priors(design, {**given, **beta_prior}, se)
    known = design.fixed.extra.get("se")
    K, Q = len(design.terms), max(t.q for t in design.terms)
    out = {}
    for _ in range(replicates):
        root, mixing = np.zeros((K, Q, Q)), np.ones((K, Q))
        effects = []
        for k, term in enumerate(design.terms):
            root[k, : term.q, : term.q], mixing[k, : term.q] = prior_root(rng, priors.terms[term.label], term.q)
            effects.append(rng.standard_normal((term.m, term.q)) @ root[k, : term.q, : term.q].T)
        beta = mu + sd * rng.standard_normal(p)
        sigma = 1.0 if se else prior_sd(rng, priors.sigma)
        state = None
        for _ in range(sweeps):
            eta = design.fixed.X @ beta
            for term, a in zip(design.terms, effects):
                eta = eta + np.einsum("ik,ik->i", term.Z, a[term.factor.codes])
            design.fixed.y[:] = eta + sigma * (known if se else 1.0) * rng.standard_normal(design.n)
            reduced = change(reduce_design(design, priors, known, None, False))
            if state is None:
                main = reduced.layout.main == 1
                a = np.zeros((reduced.layout.m[main][0], reduced.layout.q[main].sum()))
                state = EffectsState(np.zeros(reduced.data.linear.size), a, np.array([sigma**2]), root, mixing)
            write_state(state, reduced, beta, effects)
            none = (np.empty((0, 0)), np.empty((0, 0, 0)), np.empty(0), np.empty((0, 0, 0, 0)))
            assert run(rng, reduced.data, reduced.layout, reduced.prior, state, 1, 0, *none, 0)
            beta = reduced.beta_hat + reduced.unscale @ state.w[:p]
            sigma = float(np.sqrt(state.sigma2[0]))
            effects = []
            for k, term in enumerate(design.terms):
                first = reduced.layout.first[k]
                if reduced.layout.main[k]:
                    effects.append(state.a[:, first : first + term.q].copy())
                else:
                    effects.append(state.w[first : first + term.m * term.q].reshape(term.m, term.q).copy())
        record(out, design, state, beta, sigma, mu, sd)
    return {name: np.array(values) for name, values in out.items()}, p


def write_state(state, reduced, beta, effects):
    """The parameters in the coordinates of new data."""
    state.w[: beta.size] = np.linalg.solve(reduced.unscale, beta - reduced.beta_hat)
    for first, main, values in zip(reduced.layout.first, reduced.layout.main, effects):
        if main:
            state.a[:, first : first + values.shape[1]] = values
        else:
            state.w[first : first + values.size] = values.ravel()


def prior_root(rng, prior, q):
    if isinstance(prior, dHuangWand):
        mixing = 1.0 / (rng.standard_gamma(0.5, q) * prior.scales(q) ** 2)
        scale = 2.0 * prior.df * np.diag(1.0 / mixing)
        return np.linalg.cholesky(dWishart(prior.df + q - 1, scale).sample(1, rng)[0]), mixing
    if isinstance(prior, dWishart):
        return np.linalg.cholesky(prior.sample(1, rng)[0]), np.ones(q)
    return np.array([[prior_sd(rng, prior)]]), np.ones(q)


def prior_sd(rng, prior):
    return float(np.sqrt(prior.sample(1, rng).dispersion[0]) if isinstance(prior, dGamma) else prior.sample(1, rng)[0])


def record(out, design, state, beta, sigma, mu, sd):
    for i in range(design.p):
        out.setdefault(f"beta{i}", []).append((beta[i] - mu[i]) / sd[i])
    out.setdefault("sigma", []).append(sigma)
    for k, term in enumerate(design.terms):
        low = state.root[k, : term.q, : term.q]
        covariance = low @ low.T
        sds = np.sqrt(np.diag(covariance))
        for i in range(term.q):
            out.setdefault(f"{term.label}{i}", []).append(sds[i])
        if term.q == 2:
            out.setdefault(f"r_{term.label}", []).append(covariance[0, 1] / sds.prod())


def check(draws, p, cdfs):
    for i in range(p):
        assert_cdf(draws[f"beta{i}"], stats.norm.cdf, f"beta{i}")
    for name, cdf in cdfs.items():
        assert_cdf(draws[name], cdf, name)


@pytest.mark.parametrize("case", CASES)
def test_sweeps_leave_the_joint_distribution_alone(rng, case):
    formula, given, cdfs = CASES[case]
    draws, p = replicate(rng, formula, given, se=case.startswith("known"))
    check(draws, p, cdfs)


@pytest.mark.parametrize("fault", ["residual degrees of freedom", "half the group scale", "forgotten cross term"])
def test_faults_are_noticed(rng, fault):
    formula, given, cdfs = CASES["slopes on the smaller factor"]

    def change(reduced):
        if fault == "residual degrees of freedom":
            return type(reduced)(**{**vars(reduced), "data": reduced.data._replace(n=reduced.data.n - 4.0)})
        if fault == "half the group scale":
            return type(reduced)(
                **{**vars(reduced), "prior": reduced.prior._replace(scale_root=0.7 * reduced.prior.scale_root)}
            )
        return type(reduced)(**{**vars(reduced), "data": reduced.data._replace(rw=0.5 * reduced.data.rw)})

    draws, p = replicate(rng, formula, given, change=change)
    with pytest.raises(AssertionError):
        check(draws, p, cdfs)


@pytest.fixture
def in_turn(monkeypatch):
    """Small designs go to the sampler for large ones."""
    monkeypatch.setattr(reduce, "_MOST_TOGETHER", 0)
    monkeypatch.setattr(reduce, "nearly_nested", lambda factors: False)


@pytest.mark.parametrize("case", [case for case, (formula, *_) in CASES.items() if formula.count("|") > 1])
def test_one_factor_at_a_time(rng, in_turn, case):
    formula, given, cdfs = CASES[case]
    draws, p = replicate(rng, formula, given, replicates=1200, run=run_blocks)
    check(draws, p, cdfs)


def test_faults_of_one_factor_at_a_time_are_noticed(rng, in_turn):
    def change(reduced):
        assert isinstance(reduced.data, BlocksData)
        rx = reduced.data.rx.copy()
        rx[1] *= 0.5
        return type(reduced)(**{**vars(reduced), "data": reduced.data._replace(rx=rx)})

    formula, given, cdfs = CASES["slopes on the smaller factor"]
    draws, p = replicate(rng, formula, given, replicates=1200, change=change, run=run_blocks)
    with pytest.raises(AssertionError):
        check(draws, p, cdfs)
