import numpy as np
import pytest
from scipy import special, stats

from glmbayes import (
    ImproperPosteriorError,
    InputError,
    SamplerError,
    dGamma,
    dIndependent_Normal_Gamma,
    dNormal,
    dNormal_Gamma,
    families,
    rlmb,
)
from glmbayes.glm.build import normal_posterior
from glmbayes.glm.diagnostics import ess, rhat
from glmbayes.priors import GammaRate, dBeta
from glmbayes.rglmb import response_rows, rglmb
from glmbayes.rglmb_blocks import rglmb_blocks
from tests.oracles import assert_cdf, assert_mean, assert_sd, cdf_from_log_density
from tests.small_glm_cases import EXPONENTIAL, log_posterior_1d


def _logistic(rng, n=60, p=3):
    x = np.column_stack([np.ones(n), rng.normal(size=(n, p - 1))])
    y = (rng.random(n) < 1 / (1 + np.exp(-x @ rng.normal(size=p)))).astype(float)
    return y, x, dNormal(np.zeros(p), 4.0 * np.eye(p))


def test_samplers_agree(rng):
    """Grid, radial and the automatic choice: same posterior, same mode; the chain within its own error."""
    y, x, prior = _logistic(rng)
    fits = {s: rglmb(20_000, y, x, "binomial", prior, sampler=s, rng=rng) for s in ("grid", "radial", "auto")}
    reference = fits["radial"].coefficients
    for name, fit in fits.items():
        assert fit.coefficients.shape == (20_000, 3)
        assert fit.report.exact
        assert fit.report.sampler in ("grid", "radial", "axis")
        np.testing.assert_allclose(fit.coef_mode, fits["radial"].coef_mode, atol=1e-6)
        for j in range(3):
            assert stats.ks_2samp(fit.coefficients[:, j], reference[:, j]).pvalue > 1e-4, name
    chain = rglmb(40_000, y, x, "binomial", prior, sampler="mcmc", rng=rng)
    assert not chain.report.exact
    assert "NOT independent" in str(chain.report)
    assert "not independent" in repr(chain)
    assert chain.report.rhat < 1.01
    assert 1_000 < chain.report.ess < 40_000
    error = chain.coefficients.std(axis=0) * np.sqrt(1 / chain.report.ess + 1 / 20_000)
    assert np.all(np.abs(chain.coefficients.mean(axis=0) - reference.mean(axis=0)) < 4.5 * error)


def test_chain_with_fewer_rows_than_coefficients(rng):
    """The directions that the data say nothing about keep their prior, independent of the others."""
    y, x, prior = np.array([2.0, 0.0]), rng.standard_normal((2, 3)), dNormal([0.3, -0.2, 0.1], np.diag([1.0, 0.5, 2.0]))
    chain = rglmb(40_000, y, x, "poisson", prior, sampler="mcmc", rng=rng)
    exact = rglmb(20_000, y, x, "poisson", prior, sampler="radial", rng=rng).coefficients
    for power in (1, 2):
        a, b = chain.coefficients**power, exact**power
        error = np.sqrt(a.var(axis=0) / chain.report.ess + b.var(axis=0) / 20_000)
        assert np.all(np.abs(a.mean(axis=0) - b.mean(axis=0)) < 4.5 * error)


@pytest.mark.parametrize("sampler", ["auto", "radial", "mcmc"])
def test_a_dispersion_near_zero_is_explained(sampler):
    x, prior = np.ones((3, 1)), dNormal(0.0, 1.0, dispersion=5e-324)
    with pytest.raises(InputError, match=r"dispersion = 4.9\d*e-324 is too small"):
        rglmb(2, [1.0, 2.0, 3.0], x, "Gamma", prior, sampler=sampler)
    with pytest.raises(InputError, match="is too small"):
        rglmb_blocks(2, [1.0, 2.0, 3.0], x, "Gamma", prior, sizes=[2, 1])


def test_gamma_regression_with_extreme_weights(rng):
    """Gamma variates of a shape v w next to 0 have the density v w / y: each row multiplies the prior by v."""
    prior = dIndependent_Normal_Gamma([0.5], [[0.25]], 3.0, 2.0)
    y, x = rng.gamma(2.0, size=20), rng.standard_normal((20, 1))
    fit = rglmb(4_000, y, x, "Gamma", prior, weights=np.full(20, 1e-150), rng=rng)
    assert_mean(fit.coefficients[:, 0], 0.5)
    assert_cdf(fit.dispersion, stats.invgamma(23.0, scale=2.0).cdf)


def test_one_coefficient_and_its_evidence(rng):
    x = rng.normal(size=(20, 1))
    y = rng.poisson(np.exp(0.5 * x[:, 0])).astype(float)
    prior = dNormal(0.2, 3.0)
    fit = rglmb(20_000, y, x, "poisson", prior, rng=rng)
    assert fit.report.sampler == "line"
    grid = np.linspace(-2, 3, 20_001)
    data = (y, x[:, 0], 0.0, np.ones(20), 0.2, 3.0)
    assert_cdf(
        fit.coefficients[:, 0], cdf_from_log_density(lambda t: log_posterior_1d("poisson", "log", t, *data), grid)
    )
    values = log_posterior_1d("poisson", "log", grid, *data)
    family = families.poisson()
    want = np.log(np.exp(values).sum() * (grid[1] - grid[0])) + family.log_constant(y, np.ones(20))
    for sampler in ("auto", "grid", "radial"):
        rows = response_rows(y, x, None, None, family)
        posterior = normal_posterior(rows, family, prior.coefficient, 1.0, sampler, 20_000)
        value, error = posterior.log_evidence(rng, 20_000)
        assert abs(value - want) < 4.5 * error + 1e-8, sampler
        assert (error == 0.0) == (sampler == "auto")


def test_response_forms_agree(rng):
    """Two columns, fractions with trials, booleans: one likelihood; rows of weight 0 do not count."""
    x = np.column_stack([np.ones(6), np.arange(6.0)])
    success, failure = np.array([1, 0, 2, 3, 2, 5]), np.array([3, 4, 1, 2, 1, 0])
    trials = success + failure
    prior = dNormal([0, 0], np.eye(2))
    two = rglmb(5, np.column_stack([success, failure]), x, "binomial", prior, rng=1)
    fraction = rglmb(5, success / trials, x, "binomial", prior, weights=trials, rng=1)
    padded = rglmb(
        5,
        np.append(success / trials, 1.0),
        np.vstack([x, [9, 9]]),
        "binomial",
        prior,
        weights=np.append(trials, 0),
        rng=1,
    )
    np.testing.assert_allclose(two.coefficients, fraction.coefficients)
    np.testing.assert_allclose(two.coefficients, padded.coefficients)
    flags = rglmb(5, success > 1, x, "binomial", prior, rng=2)
    zero_one = rglmb(5, (success > 1).astype(int).tolist(), x.tolist(), "binomial", prior, rng=2)
    np.testing.assert_array_equal(flags.coefficients, zero_one.coefficients)


def test_arrays_changed_between_calls_are_seen(rng):
    y, x, prior = _logistic(rng)
    weights = np.ones(60)
    before = rglmb(3, y, x, "binomial", prior, weights=weights, rng=5).coefficients
    y[:] = 1 - y
    after = rglmb(3, y, x, "binomial", prior, weights=weights, rng=5).coefficients
    x *= 0.5
    third = rglmb(3, y, x, "binomial", prior, weights=weights, rng=5).coefficients
    weights[0] = 30.0
    fourth = rglmb(3, y, x, "binomial", prior, weights=weights, rng=5).coefficients
    assert len({before[0, 0], after[0, 0], third[0, 0], fourth[0, 0]}) == 4
    after[:] = 0.0
    assert rglmb(3, y, x, "binomial", prior, weights=weights, rng=5).coefficients[0, 0] == fourth[0, 0]


def test_seeds(rng):
    y, x, prior = _logistic(rng)
    for sampler in ("grid", "radial", "mcmc"):
        a = rglmb(700, y, x, "binomial", prior, sampler=sampler, rng=9).coefficients
        b = rglmb(700, y, x, "binomial", prior, sampler=sampler, rng=9, progress=True).coefficients
        np.testing.assert_array_equal(a, b)


def test_known_dispersion(rng):
    """Gamma and quasi families: weights / dispersion; the dispersion forgotten is a different posterior."""
    x = np.column_stack([np.ones(40), rng.normal(size=40)])
    y = rng.gamma(2.0, np.exp(x @ [0.5, 0.3]) / 2.0)
    mu, sigma = np.zeros(2), 4 * np.eye(2)
    a = rglmb(20_000, y, x, "Gamma", dNormal(mu, sigma, dispersion=0.5), rng=rng)
    b = rglmb(20_000, y, x, "Gamma", dNormal(mu, sigma, dispersion=1.0), weights=np.full(40, 2.0), rng=rng)
    wrong = rglmb(20_000, y, x, "Gamma", dNormal(mu, sigma, dispersion=1.0), rng=rng)
    assert np.all(a.dispersion == 0.5)
    assert stats.ks_2samp(a.coefficients[:, 0], b.coefficients[:, 0]).pvalue > 1e-4
    assert stats.ks_2samp(a.coefficients[:, 0], wrong.coefficients[:, 0]).pvalue < 1e-10
    counts = rng.poisson(np.exp(x @ [1.0, 0.3])).astype(float)
    quasi = rglmb(20_000, counts, x, "quasipoisson", dNormal(mu, sigma, dispersion=2.0), rng=rng)
    half = rglmb(20_000, counts, x, "poisson", dNormal(mu, sigma), weights=np.full(40, 0.5), rng=rng)
    assert stats.ks_2samp(quasi.coefficients[:, 1], half.coefficients[:, 1]).pvalue > 1e-4


def test_gamma_dispersion_prior(rng):
    y = np.array([4.94955346337361, 0.643868958223597, 2.63435767912922])
    x, beta = np.ones((3, 1)), [1.00890395703946]
    fit = rglmb(50_000, y, x, "Gamma", dGamma(2.0, 1.0, beta=beta), rng=rng)
    assert fit.report.sampler == "dispersion"
    assert np.all(fit.coefficients == beta[0])
    assert_mean(1 / fit.dispersion, 1.92771370038939)  # exact, by quadrature
    assert_sd(1 / fit.dispersion, 0.988765804837337)
    limits = (0.154557655460791, 2.00141909045837)
    cut = rglmb(50_000, y, x, "Gamma", dGamma(2.0, 1.0, beta=beta, disp_lower=limits[0], disp_upper=limits[1]), rng=rng)
    assert limits[0] <= cut.dispersion.min() <= cut.dispersion.max() <= limits[1]
    assert_mean(cut.dispersion, 0.650727876271894)
    with pytest.raises(ImproperPosteriorError, match="goes to 0"):
        rglmb(1, np.full(3, 2.0), x, "Gamma", dGamma(1.0, 0.0, beta=[np.log(2.0)]), rng=rng)


def test_gamma_family_with_unknown_dispersion(rng):
    """Gibbs of the two exact blocks against quadrature over (beta, log precision)."""
    y = rng.gamma(3.0, 0.7, size=12)
    prior = dIndependent_Normal_Gamma(0.0, 0.5, 2.0, 1.0)
    fit = rglmb(4_000, y, np.ones((12, 1)), "Gamma", prior, rng=rng)
    assert not fit.report.exact
    assert fit.report.rhat < 1.02
    assert fit.report.ess > 2_000
    b, t = np.linspace(-2, 3, 801)[:, None], np.linspace(-4, 5, 801)[None, :]
    v = np.exp(t)
    log_p = (
        2.0 * t - v - b * b + 12 * (v * t - special.gammaln(v)) + v * (np.log(y).sum() - 12 * b - y.sum() * np.exp(-b))
    )
    weight = np.exp(log_p - log_p.max())
    weight /= weight.sum()
    for draws, truth in ((fit.coefficients[:, 0], b), (np.log(fit.dispersion), -t)):
        mean = float((weight * truth).sum())
        sd = float(np.sqrt((weight * (truth - mean) ** 2).sum()))
        assert abs(draws.mean() - mean) < 4.5 * sd / np.sqrt(fit.report.ess)
        assert abs(draws.std() / sd - 1.0) < 4.5 / np.sqrt(fit.report.ess)
    assert np.all(rglmb(8, y, np.ones((12, 1)), "Gamma", prior, rng=4).dispersion > 0)


def test_conjugate_intercepts(rng):
    """Closed forms; the Gamma case is R glmbayes 0.9.75's reference (posterior mean and sd exact)."""
    one = np.ones((4, 1))
    fit = rglmb(50_000, [0.25, 0.5, 0.0, 1.0], one, "binomial", dBeta(2, 3), weights=[4, 6, 5, 2], rng=rng)
    assert_cdf(fit.coefficients[:, 0], stats.beta(2 + 6, 3 + 11).cdf)
    assert fit.coef_mode[0] == 7 / 20
    fit = rglmb(50_000, [1, 0, 4, 2], one, "poisson", GammaRate(1.5, 2.0), rng=rng)
    assert_cdf(fit.coefficients[:, 0], stats.gamma(8.5, scale=1 / 6).cdf)
    y = EXPONENTIAL
    fit = rglmb(50_000, y, np.ones((30, 1)), "Gamma", GammaRate(2.0, 4.0), rng=rng)
    assert_mean(fit.coefficients[:, 0], 0.504457016578132)
    assert_sd(fit.coefficients[:, 0], 0.0891762443098829)
    with pytest.raises(AssertionError):
        assert_mean(fit.coefficients[:, 0] * 1.05, 0.504457016578132)


def test_conjugate_evidence_is_the_integral():
    one, none = np.ones((3, 1)), np.empty(0)
    weights = np.array([4.0, 6.0, 5.0])
    t = np.linspace(0, 1, 200_001)[1:-1]
    y = np.array([1, 2, 5]) / weights
    density = stats.beta(2, 3).pdf(t) * np.prod(
        [stats.binom.pmf(k, m, t) for k, m in zip([1, 2, 5], [4, 6, 5])], axis=0
    )
    value = dBeta(2, 3).log_evidence(y, one, none, weights, families.binomial())
    assert abs(value - np.log(density.sum() * (t[1] - t[0]))) < 1e-8
    rate = np.linspace(0, 40, 400_001)[1:]
    density = stats.gamma(1.5, scale=0.5).pdf(rate) * np.prod([stats.poisson.pmf(k, rate) for k in (1, 0, 4)], axis=0)
    value = GammaRate(1.5, 2.0).log_evidence(np.array([1.0, 0, 4]), one, none, none, families.poisson())
    assert abs(value - np.log(density.sum() * (rate[1] - rate[0]))) < 1e-7
    y = np.array([0.5, 1.7, 0.9])
    density = stats.gamma(1.5, scale=0.5).pdf(rate) * np.prod([stats.expon.pdf(v, scale=1 / rate) for v in y], axis=0)
    value = GammaRate(1.5, 2.0).log_evidence(y, one, none, none, families.gamma())
    assert abs(value - np.log(density.sum() * (rate[1] - rate[0]))) < 1e-7


def test_gaussian_is_rlmb(rng):
    x = np.column_stack([np.ones(10), np.arange(10.0)])
    y = x @ [1.0, 0.5] + rng.normal(size=10)
    for prior in (dNormal([0, 0], np.eye(2), dispersion=1.0), dNormal_Gamma([0, 0], np.eye(2), 2.0, 2.0)):
        fit = rglmb(20_000, y, x, "gaussian", prior, rng=rng)
        exact = rlmb(20_000, y, x, prior, rng=rng)
        assert stats.ks_2samp(fit.coefficients[:, 1], exact.coefficients[:, 1]).pvalue > 1e-4


GOOD = {
    "n": 3, "y": [0.0, 1.0, 1.0, 0.0], "x": [[1, 0], [1, 1], [1, 2], [1, 3]], "family": "binomial",
    "pfamily": dNormal([0, 0], np.eye(2)),
}  # fmt: skip
BAD = [
    ({"n": 0}, "n must be"),
    ({"y": [0, 1, np.nan, 1]}, "y must be finite"),
    ({"x": [[1, 0], [1, np.inf], [1, 2], [1, 3]]}, "x must be finite"),
    ({"y": [0, 1, 2, 1]}, "binomial"),
    ({"y": [-1, 1, 2, 1], "family": "poisson"}, "poisson"),
    ({"y": [0, 1, 2, 1], "family": "Gamma", "pfamily": dNormal([0, 0], np.eye(2), dispersion=1.0)}, "positive"),
    ({"family": "Gamma"}, "known dispersion"),
    ({"family": "quasipoisson"}, "known dispersion"),
    ({"pfamily": dNormal([0, 0], np.eye(2), dispersion=2.0)}, "no dispersion"),
    ({"pfamily": dNormal(0.0, 1.0)}, "coefficient"),
    ({"pfamily": dNormal_Gamma([0, 0], np.eye(2), 1.0, 1.0)}, "not a prior for family"),
    ({"pfamily": dBeta(1, 1)}, "single column of ones"),
    ({"pfamily": GammaRate(1, 1)}, "conjugate for family"),
    ({"pfamily": "normal"}, "pfamily must be"),
    ({"family": "binomal"}, "did you mean"),
    ({"weights": [1, -1, 1, 1]}, "weights must not be negative"),
    ({"weights": [0, 0, 0, 0]}, "not all be zero"),
    ({"weights": [1, 1]}, "weights must have one entry"),
    ({"offset": [0, np.nan, 0, 0]}, "offset must be finite"),
    ({"sampler": "nuts"}, "sampler must be"),
    ({"rng": -1}, "rng must be"),
    ({"y": [[1, 2], [3, 4], [1, 0], [2, 2]], "weights": [1, 1, 1, 1]}, "two-column"),
]


@pytest.mark.parametrize(("change", "message"), BAD, ids=[m for _, m in BAD])
def test_bad_input_is_explained(change, message):
    with pytest.raises(InputError, match=message):
        rglmb(**{**GOOD, **change})
    assert rglmb(**GOOD, rng=1).coefficients.shape == (3, 2)


def test_weightless_data_leave_the_prior(rng):
    """Squares of the rows' weights underflow; 8 coefficients are beyond the grids of the small samplers."""
    x, mu = rng.standard_normal((5, 8)), np.full(8, -2.0)
    weights = 1e-300 * np.arange(1.0, 6.0)
    fit = rglmb(2000, rng.random(5), x, "binomial", dNormal(mu, np.eye(8)), weights=weights, rng=rng)
    assert np.abs((fit.coefficients.mean(axis=0) - mu) * np.sqrt(2000)).max() < 4.5


def test_flat_prior(rng):
    y, x, _ = _logistic(rng, 80, 2)
    flat = dNormal([0, 0], np.diag([np.inf, np.inf]))
    vague = dNormal([0, 0], 1e8 * np.eye(2))
    a = rglmb(20_000, y, x, "binomial", flat, rng=rng)
    b = rglmb(20_000, y, x, "binomial", vague, rng=rng)
    assert stats.ks_2samp(a.coefficients[:, 1], b.coefficients[:, 1]).pvalue > 1e-4
    with pytest.raises(ImproperPosteriorError):
        rglmb(1, np.ones(5), np.ones((5, 1)), "binomial", dNormal(0.0, np.inf))
    with pytest.raises(InputError, match="finite prior variance"):
        rglmb(1, y, x, "binomial", flat, sampler="grid")


def test_a_poor_grid_falls_back_or_says_so(rng, monkeypatch):
    y, x, prior = _logistic(rng, 20, 2)
    monkeypatch.setattr("glmbayes.glm.build.GridPosterior", _impatient())
    fit = rglmb(2_000, y, x, "binomial", prior, rng=rng)
    assert fit.report.sampler in ("radial", "axis")
    with pytest.raises(SamplerError, match="grid envelope"):
        rglmb(2_000, y, x, "binomial", prior, sampler="grid", rng=rng)


def _impatient():
    from glmbayes.glm.small import GridPosterior

    class Impatient(GridPosterior):
        def __init__(self, *args):
            super().__init__(*args, patience=0.5)

    return Impatient


@pytest.mark.parametrize("p", [1, 2])
def test_blocks_agree_with_single_calls(rng, p):
    """Three blocks out of order, priors and dispersions of their own, one weight of zero."""
    n = 24
    label = rng.permutation(np.repeat(["b", "a", "c"], n // 3))
    x = np.column_stack([np.ones(n), rng.normal(size=n)])[:, :p].copy()
    y, weights = rng.gamma(2.0, size=n), rng.uniform(0.5, 2.0, n)
    weights[3] = 0.0
    mu, phi = rng.normal(size=(3, p)), np.array([0.5, 1.0, 2.0])
    sigma = np.stack([np.eye(p) * v for v in (0.5, 1.0, 3.0)])
    fit = rglmb_blocks(20_000, y, x, "Gamma", dNormal(mu, sigma, dispersion=phi), block=label, weights=weights, rng=rng)
    assert fit.coefficients.shape == (20_000, 3, p)
    assert fit.dispersion.shape == (20_000, 3)
    names = list(dict.fromkeys(label))
    assert list(fit.blocks) == names
    for j, name in enumerate(names):
        rows = label == name
        alone = rglmb(
            20_000,
            y[rows],
            x[rows],
            "Gamma",
            dNormal(mu[j], sigma[j], dispersion=phi[j]),
            weights=weights[rows],
            rng=rng,
        )
        np.testing.assert_allclose(fit.coef_mode[j], alone.coef_mode, atol=1e-6)
        assert np.all(fit.dispersion[:, j] == phi[j])
        for k in range(p):
            assert stats.ks_2samp(fit.coefficients[:, j, k], alone.coefficients[:, k]).pvalue > 1e-4


def test_a_block_that_the_grid_does_not_suit(rng, monkeypatch):
    monkeypatch.setattr("glmbayes.kernels.glm_small.draw_blocks_small", _poor_second_block())
    y, x, prior = _logistic(rng, 30, 2)
    fit = rglmb_blocks(2_000, y, x, "binomial", prior, sizes=[10, 10, 10], rng=rng)
    monkeypatch.undo()
    again = rglmb_blocks(2_000, y, x, "binomial", prior, sizes=[10, 10, 10], rng=rng)
    for j in range(3):
        assert stats.ks_2samp(fit.coefficients[:, j, 0], again.coefficients[:, j, 0]).pvalue > 1e-4


def _poor_second_block():
    from glmbayes.kernels.glm_small import OK, POOR, draw_blocks_small

    state = {"calls": 0}

    def wrapped(rng, fam, y, x, offset, weights, start, mu, low, out, iters, modes):
        state["calls"] += 1
        if state["calls"] > 1:
            return draw_blocks_small(rng, fam, y, x, offset, weights, start, mu, low, out, iters, modes)
        status, _ = draw_blocks_small(
            rng, fam, y, x, offset, weights, start[:2], mu, low, out[:1], iters[:1], modes[:1]
        )
        assert status == OK
        return POOR, 1

    return wrapped


def test_blocks_explain_bad_input():
    x = np.ones((3, 1))
    prior = dNormal(0.0, 1.0)
    with pytest.raises(InputError, match="exactly one"):
        rglmb_blocks(1, [1, 2, 3], x, "poisson", prior)
    with pytest.raises(InputError, match="sizes must be"):
        rglmb_blocks(1, [1, 2, 3], x, "poisson", prior, sizes=[1, 1])
    with pytest.raises(InputError, match="block b: weights"):
        rglmb_blocks(1, [1, 2, 3], x, "poisson", prior, block=["a", "b", "a"], weights=[1, 0, 1])
    with pytest.raises(ImproperPosteriorError, match="block 1"):
        rglmb_blocks(1, [1, 0, 3], x, "poisson", dNormal(0.0, np.inf), sizes=[1, 1, 1])
    with pytest.raises(InputError, match="poisson"):
        rglmb_blocks(1, [1, -2, 3], x, "poisson", prior, sizes=[1, 1, 1])
    with pytest.raises(InputError, match=r"one per block \(3\); got 2"):
        rglmb_blocks(1, [1.0, 2.0, 3.0], x, "Gamma", dNormal(0.0, 1.0, dispersion=[1.0, 2.0]), sizes=[1, 1, 1])


def test_diagnostics_agree_with_arviz(rng):
    arviz = pytest.importorskip("arviz")
    chains = np.zeros((4, 600))
    for rho in (0.0, 0.7, -0.5):
        for t in range(1, 600):
            chains[:, t] = rho * chains[:, t - 1] + rng.normal(size=4)
        for values in (chains, np.round(chains, 1), np.exp(chains)):
            assert rhat(values) == pytest.approx(float(arviz.rhat(values)), rel=1e-9)
            assert ess(values) == pytest.approx(float(arviz.ess(values)), rel=1e-6)
    chains[0] += 3.0
    assert rhat(chains) > 1.2
