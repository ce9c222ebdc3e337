"""The samplers of lmerb against one another, and the proposal of the independence chain."""

import numpy as np
import pytest
from scipy import stats

from glmbayes import datasets, dUniform, lmerb
from glmbayes.chains.diagnostics import mcse_mean
from glmbayes.mixed import collapsed, reduce
from glmbayes.mixed.collapsed import build_collapsed
from glmbayes.mixed.design import build_mixed_design
from glmbayes.mixed.priors import resolve_priors
from glmbayes.mixed.proposal import _DF, Proposal, find_mode, fit_proposal, follow
from glmbayes.mixed.reduce import reduce_design
from tests.oracles import Z_BOUND, assert_cdf, assert_mean


def every_quantity(fit):
    """(chains, draws, k): fixed effects, components, and the first groups' effects of every term."""
    parts = [*fit.draws.beta.T, *(e[:, j, 0] for e in fit.draws.effects for j in range(3)), np.log(fit.sigma)]
    for covariance in fit.draws.covariance:
        sd = np.sqrt(np.einsum("nii->ni", covariance))
        parts += [*sd.T, covariance[:, -1, 0] / (sd[:, -1] * sd[:, 0])]
    return np.stack(parts, axis=-1).reshape(fit.draws.chains, -1, len(parts))


def agree(one, two):
    x, y = every_quantity(one), every_quantity(two)
    keep = x.std(axis=(0, 1)) > 1e-12  # the "correlation" of a single effect is 1
    x, y = x[..., keep], y[..., keep]
    for power in (1, 2):
        x, y = x**power, y**power
        error = np.sqrt(mcse_mean(x) ** 2 + mcse_mean(y) ** 2)
        assert (np.abs(x.mean(axis=(0, 1)) - y.mean(axis=(0, 1))) < Z_BOUND * error).all()


ONE_FACTOR = {
    "sleepstudy": "Reaction ~ Days + (Days | Subject)",
    "uncorrelated": "Reaction ~ Days + (Days || Subject)",
    "dyestuff": "Yield ~ 1 + (1 | Batch)",
}


@pytest.mark.parametrize("name", ONE_FACTOR)
def test_independence_chain_agrees_with_gibbs(rng, name):
    frame = datasets.load("dyestuff" if name == "dyestuff" else "sleepstudy")
    chain = lmerb(ONE_FACTOR[name], frame, n=8000, rng=rng)
    gibbs = lmerb(ONE_FACTOR[name], frame, n=16_000, method="gibbs", rng=rng)
    assert "independence chain" in str(chain.summary()) and "Gibbs sampler" in str(gibbs.summary())
    agree(chain, gibbs)


def crossed(rng, n=400, a=25, b=20):
    codes = rng.integers(a, size=n), rng.integers(b, size=n)
    x = rng.standard_normal(n)
    y = 1.0 + 0.5 * x + rng.standard_normal(a)[codes[0]] + (0.5 + 0.3 * x) * rng.standard_normal(b)[codes[1]]
    frame = {"y": y + rng.standard_normal(n), "x": x, "a": codes[0].astype(str), "b": codes[1].astype(str)}
    return "y ~ x + (1 | a) + (x | b)", frame


def test_factors_in_turn_agree_with_all_effects_together(rng, monkeypatch):
    formula, frame = crossed(rng)
    together = lmerb(formula, frame, n=8000, rng=rng)
    monkeypatch.setattr(reduce, "_MOST_TOGETHER", 20)
    in_turn = lmerb(formula, frame, n=12_000, rng=rng)
    assert together.sampler.endswith("together") and in_turn.sampler.endswith("factor by factor")
    agree(together, in_turn)


def test_nested_factors_stay_together(rng, monkeypatch):
    monkeypatch.setattr(reduce, "_MOST_TOGETHER", 3)
    fit = lmerb("yield ~ nitro + (1 | Block/Variety)", datasets.load("oats"), n=8, burn_in=2, rng=rng)
    assert fit.sampler.endswith("together")


def test_weights_of_factors_in_turn(rng, monkeypatch):
    """A weight of 2 as a count is the row twice."""
    _, frame = crossed(rng, 60, 6, 5)
    formula = "y ~ 1 + (1 | a) + (1 | b)"
    monkeypatch.setattr(reduce, "_MOST_TOGETHER", 2)
    weights = np.tile([1, 2, 1], 20)
    twice = {name: np.repeat(values, weights) for name, values in frame.items()}
    b = lmerb(formula, twice, n=40, rng=1)
    priors = {**b.priors.terms, "sigma": b.priors.sigma}
    a = lmerb(formula, frame, priors, weights=weights.astype(float), n=40, rng=1)
    assert np.allclose(a.draws.beta, b.draws.beta, rtol=1e-6)


@pytest.mark.parametrize("method", ["mcmc", "gibbs"])
def test_same_seed_same_draws(method, monkeypatch):
    fits = [lmerb("Yield ~ 1 + (1 | Batch)", datasets.load("dyestuff"), method=method, n=200, rng=4) for _ in range(2)]
    assert np.array_equal(fits[0].draws.beta, fits[1].draws.beta)
    assert np.array_equal(fits[0].draws.effects[0], fits[1].draws.effects[0])


def test_many_variances_go_to_gibbs(rng, monkeypatch):
    monkeypatch.setattr(collapsed, "_MOST", 3)
    fit = lmerb(ONE_FACTOR["sleepstudy"], datasets.load("sleepstudy"), n=8, burn_in=2, rng=rng)
    assert fit.sampler.startswith("Gibbs")


def test_a_proposal_that_never_fits_goes_to_gibbs(rng, monkeypatch):
    monkeypatch.setattr(
        collapsed, "fit_proposal", lambda *args: Proposal(np.ones(1), np.full((1, 4), 9.0), np.eye(4)[None])
    )
    fit = lmerb(ONE_FACTOR["sleepstudy"], datasets.load("sleepstudy"), n=8, burn_in=2, rng=rng)
    assert fit.sampler.startswith("Gibbs")


# -- the variances of a one-way layout by quadrature ---------------------------------------------------------------


def one_way(frame, priors):
    """Distribution functions of both standard deviations by a grid: balanced one-way analysis of variance, flat mean.

    The two sums of squares are independent: within / sigma^2 ~ chi2(24), between / (sigma^2 + 5 tau^2) ~ chi2(5).
    """
    y = frame["Yield"].to_numpy(float).reshape(6, 5)
    within = ((y - y.mean(axis=1, keepdims=True)) ** 2).sum()
    between = 5.0 * ((y.mean(axis=1) - y.mean()) ** 2).sum()
    tau = np.linspace(0.0, 400.0, 4001)[:, None]
    sigma = np.linspace(20.0, 130.0, 1101)[None, :]
    total = sigma**2 + 5.0 * tau**2
    log_p = -24.0 * np.log(sigma) - 0.5 * within / sigma**2 - 2.5 * np.log(total) - 0.5 * between / total
    log_p = log_p + priors.terms["Batch"].log_density(tau) + priors.sigma.log_density(sigma)
    p = np.exp(log_p - log_p.max())
    grids = tau[:, 0], sigma[0]
    return [distribution(g, d) for g, d in zip(grids, (p.sum(axis=1), p.sum(axis=0)))]


def distribution(grid, density):
    cumulative = np.concatenate([[0.0], np.cumsum(density[1:] + density[:-1])])
    return lambda t: np.interp(t, grid, cumulative / cumulative[-1])


@pytest.mark.parametrize("sticky", [collapsed._STICKY, 0.5], ids=["", "local moves everywhere"])
@pytest.mark.parametrize("priors", [None, {"Batch": dUniform(80.0)}], ids=["default", "uniform"])
def test_variances_against_quadrature(rng, monkeypatch, priors, sticky):
    """Most candidates are accepted: one in fifteen is as good as independent for a Kolmogorov-Smirnov test."""
    monkeypatch.setattr(collapsed, "_STICKY", sticky)
    frame = datasets.load("dyestuff")
    fit = lmerb("Yield ~ 1 + (1 | Batch)", frame, priors, n=10_000, thin=15, chains=2, rng=rng)
    tau, sigma = one_way(frame, fit.priors)
    assert_cdf(np.sqrt(fit.draws.covariance[0][:, 0, 0]), tau, "group sd")
    assert_cdf(fit.sigma, sigma, "residual sd")


def every_candidate(points, log_weight, uniform, near, sticky):
    return points, log_weight[-1], len(points) - 1


def any_local_move(points, log_weight, uniform, near, sticky):
    return follow(points, log_weight, uniform, lambda point, level: (point - 0.1, level), -1e9)


@pytest.mark.parametrize("fault", [every_candidate, any_local_move])
def test_a_wrong_chain_is_noticed(rng, monkeypatch, fault):
    monkeypatch.setattr(collapsed, "follow", fault)
    frame = datasets.load("dyestuff")
    fit = lmerb("Yield ~ 1 + (1 | Batch)", frame, n=10_000, thin=1, chains=2, rng=rng)
    tau, _ = one_way(frame, fit.priors)
    with pytest.raises(AssertionError):
        assert_cdf(np.sqrt(fit.draws.covariance[0][:, 0, 0]), tau)


# -- the proposal --------------------------------------------------------------------------------------------------


def test_mixture_of_t_distributions(rng):
    low = np.array([[1.0, 0.0], [0.5, 2.0]])
    mixture = Proposal(np.array([0.3, 0.7]), np.array([[0.0, 1.0], [3.0, -2.0]]), np.stack([low, 0.5 * low]))
    x = rng.standard_normal((50, 2)) * 4.0
    parts = [stats.multivariate_t(m, c @ c.T, df=_DF) for m, c in zip(mixture.mean, mixture.low)]
    expected = np.log(0.3 * parts[0].pdf(x) + 0.7 * parts[1].pdf(x))
    got = mixture.log_density(x)
    assert np.allclose(got - got[0], expected - expected[0])
    draws = mixture.sample(20_000, rng)
    assert_mean(draws, mixture.weight @ mixture.mean, "mean")
    wide = mixture.widened()
    assert np.isclose(wide.weight.sum(), 1.0) and wide.mean.shape == (4, 2)


def test_mode_and_curvature_of_a_normal(rng):
    low = np.tril(rng.standard_normal((4, 4))) + 2.0 * np.eye(4)
    centre = rng.standard_normal(4)
    inverse = np.linalg.inv(low @ low.T)
    mode, factor = find_mode(lambda x: -0.5 * np.einsum("ni,ij,nj->n", x - centre, inverse, x - centre), np.zeros(4))
    assert np.allclose(mode, centre, atol=0.05) and np.allclose(factor @ factor.T, low @ low.T, rtol=1e-3)
    assert find_mode(lambda x: np.full(len(x), -np.inf), np.zeros(2))[0] is None
    assert find_mode(lambda x: x[:, 0], np.zeros(1))[0] is None


def test_fit_follows_a_curved_density(rng):
    def banana(x):
        return -0.5 * (x[:, 0] ** 2 + 4.0 * (x[:, 1] - 0.5 * x[:, 0] ** 2) ** 2)

    fit = fit_proposal(banana, np.zeros(2), rng)
    x = fit.sample(4000, rng)
    states, _, moves = follow(x, banana(x) - fit.log_density(x), rng.random(4000), None, np.inf)
    assert moves > 0.6 * 4000 and np.count_nonzero(np.diff(states[:, 0])) == moves


def test_covariance_of_a_mixture(rng):
    low = np.array([[1.0, 0.0], [0.5, 2.0]])
    mixture = Proposal(np.array([0.3, 0.7]), np.array([[0.0, 1.0], [3.0, -2.0]]), np.stack([low, 0.5 * low]))
    x = mixture.sample(100_000, rng)
    rest = x - mixture.weight @ mixture.mean
    assert_mean(rest[:, :, None] * rest[:, None, :], mixture.covariance, "covariance")


def test_local_moves_free_an_independence_chain(rng):
    """Narrow candidates for a wide density: stuck for long in the tails, unless there are local moves there."""

    def log_weight(x):
        return 0.5 * (x / 0.5) ** 2 - 0.5 * x**2

    def near(point, level):
        to = log_weight(point + (step := 1.5 * rng.standard_normal(1)))[0]
        move = to > 1.0 and rng.random() < np.exp(0.5 * (point**2 - (point + step) ** 2))[0]
        return (point + step, to) if move else (point, level)

    x = 0.5 * rng.standard_normal((20_000, 1))
    weights, uniform = log_weight(x)[:, 0], rng.random(20_000)
    alone, _, _ = follow(x, weights, uniform, near, np.inf)
    helped, _, _ = follow(x, weights, uniform, near, 1.0)
    error = mcse_mean(helped.reshape(4, -1, 1) ** 2)
    assert abs((helped**2).mean() - 1.0) < Z_BOUND * error
    assert 4.0 * error < mcse_mean(alone.reshape(4, -1, 1) ** 2)


def test_nothing_to_collapse_with_two_factors(rng):
    formula, frame = crossed(rng)
    design = build_mixed_design(formula, frame)
    reduced = reduce_design(design, resolve_priors(design, None, False), None, None, False)
    assert build_collapsed(reduced, rng) is None
