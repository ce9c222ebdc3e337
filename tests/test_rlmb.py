"""rlmb against dense algebra: the dispersion's marginal, beta given it, jointly the whole posterior."""

import math

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import stats

from glmbayes import (
    dExponential,
    dFlat,
    dGamma,
    dHalfCauchy,
    dHalfNormal,
    dHalfT,
    dIndependent_Normal,
    dIndependent_Normal_Gamma,
    dNormal,
    dNormal_Gamma,
    dUniform,
    rlmb,
)
from tests.dense import Dense, log_gamma_prior, log_sd_prior
from tests.oracles import assert_cdf

INF = math.inf
N = 20_000


def regression(rng, n, p, noise=1.0):
    x = rng.standard_normal((n, p))
    x[:, 0] = 1.0
    return x @ rng.standard_normal(p) + noise * rng.standard_normal(n), x


def covariance(rng, p, scale=1.0):
    a = rng.standard_normal((p, p + 2))
    return scale * (a @ a.T / p + 0.1 * np.eye(p))


def assert_posterior(fit, dense, what=""):
    """Dispersion by Kolmogorov-Smirnov; beta given it standard normal once whitened, and independent of it."""
    t = -np.log(fit.dispersion)
    assert_cdf(t, dense.cdf(), f"{what} log precision")
    assert_beta(fit, dense, t, what)


def assert_beta(fit, dense, t, what=""):
    z = dense.whiten(fit.coefficients, t)
    assert_cdf(z.ravel(), stats.norm.cdf, f"{what} coefficients")
    n, p = z.shape
    length = (z**2).sum(axis=1)
    assert_cdf(length, stats.chi2(p).cdf, f"{what} length")
    if np.ptp(t) > 0:
        rho = stats.spearmanr(t, length).statistic
        assert abs(rho) < 4.5 / math.sqrt(n), f"{what}: beta depends on the dispersion"


# --- every prior, every way to pass the data ------------------------------------------------------------------------

GAMMA = (2.0, 1.5)
CASES = {
    "gamma": (lambda m, S: dIndependent_Normal_Gamma(m, S, *GAMMA), log_gamma_prior(*GAMMA), {}),
    "conjugate": (lambda m, S: dNormal_Gamma(m, S, *GAMMA), log_gamma_prior(*GAMMA), {"scaled": True}),
    "half-normal": (
        lambda m, S: dIndependent_Normal(m, S, dHalfNormal(1.3)), log_sd_prior(stats.halfnorm(scale=1.3).logpdf), {},
    ),
    "half-Cauchy": (
        lambda m, S: dIndependent_Normal(m, S, dHalfCauchy(0.8)), log_sd_prior(stats.halfcauchy(scale=0.8).logpdf), {},
    ),
    "half-t": (lambda m, S: dIndependent_Normal(m, S, dHalfT(4, 1.2)), log_sd_prior(stats.t(4, scale=1.2).logpdf), {}),
    "exponential": (
        lambda m, S: dIndependent_Normal(m, S, dExponential(0.7)), log_sd_prior(stats.expon(scale=1 / 0.7).logpdf), {},
    ),
    "uniform": (
        lambda m, S: dIndependent_Normal(m, S, dUniform(1.1)), log_sd_prior(np.zeros_like),
        {"lower": -2.0 * math.log(1.1)},
    ),
    "flat": (lambda m, S: dIndependent_Normal(m, S, dFlat()), log_sd_prior(np.zeros_like), {}),
    "limits": (
        lambda m, S: dIndependent_Normal_Gamma(m, S, *GAMMA, disp_lower=0.5, disp_upper=1.2), log_gamma_prior(*GAMMA),
        {"lower": -math.log(1.2), "upper": -math.log(0.5)},
    ),
}  # fmt: skip
every_case = pytest.mark.parametrize("name", CASES)


@every_case
@pytest.mark.parametrize("kind", ["plain", "frequency", "precision"])
def test_every_prior(name, kind, rng):
    prior, log_prior, more = CASES[name]
    y, x = regression(rng, 9, 2)
    mu, Sigma = rng.standard_normal(2), covariance(rng, 2)
    arguments = {}
    if kind != "plain":
        weights = np.array([1.0, 2.0, 0.5, 0.0, 3.0, 1.0, 0.25, 1.0, 0.0])
        arguments = {"offset": rng.standard_normal(9), "weights": weights, "weights_type": kind}
    fit = rlmb(N, y, x, prior(mu, Sigma), rng=rng, **arguments)
    assert_posterior(fit, Dense(y, x, mu, Sigma, log_prior, **arguments, **more))
    assert fit.dispersion.min() >= math.exp(-more.get("upper", INF))
    assert fit.dispersion.max() <= math.exp(-more.get("lower", -INF)) * (1.0 + 1e-15)


@every_case
@pytest.mark.parametrize(("n", "p"), [(1, 1), (3, 5), (4, 8), (30, 12), (40, 30), (12, 30)])
def test_sizes(name, n, p, rng):
    if name == "flat" and n == 1:
        pytest.skip("improper: one observation under a flat prior on the standard deviation")
    prior, log_prior, more = CASES[name]
    y, x = regression(rng, n, p)
    mu, Sigma = 0.3 * rng.standard_normal(p), covariance(rng, p)
    fit = rlmb(N if p < 9 else 4000, y, x, prior(mu, Sigma), rng=rng)
    assert_posterior(fit, Dense(y, x, mu, Sigma, log_prior, **more))


@pytest.mark.parametrize("name", ["gamma", "conjugate", "half-Cauchy"])
@pytest.mark.parametrize("n", [1_000, 100_000])
def test_long_data(name, n, rng):
    """Both routes of the reduction; the dense posterior from the triangle of numpy's own QR."""
    prior, log_prior, more = CASES[name]
    y, x = regression(rng, n, 4)
    mu, Sigma = np.zeros(4), covariance(rng, 4)
    fit = rlmb(5000, y, x, prior(mu, Sigma), rng=rng)
    r = np.linalg.qr(np.column_stack([x, y]), mode="r")
    small = Dense(r[:, 4], r[:, :4], mu, Sigma, lambda t: log_prior(t) + 0.5 * (n - 5) * t, **more)
    assert_posterior(fit, small)


@every_case
def test_dependent_columns(name, rng):
    prior, log_prior, more = CASES[name]
    y, x = regression(rng, 12, 4)
    x[:, 3] = x[:, 1] - 2.0 * x[:, 2]
    mu, Sigma = rng.standard_normal(4), covariance(rng, 4)
    assert_posterior(rlmb(N, y, x, prior(mu, Sigma), rng=rng), Dense(y, x, mu, Sigma, log_prior, **more))


# --- known dispersion, known coefficients ---------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "p"), [(1, 1), (9, 2), (3, 5), (40, 30)])
@pytest.mark.parametrize("dispersion", [1e-6, 0.7, 1e6])
def test_known_dispersion(n, p, dispersion, rng):
    y, x = regression(rng, n, p)
    mu, Sigma, offset, weights = rng.standard_normal(p), covariance(rng, p), rng.standard_normal(n), rng.random(n)
    fit = rlmb(N if p < 9 else 4000, y, x, dNormal(mu, Sigma, dispersion), offset=offset, weights=weights, rng=rng)
    dense = Dense(y, x, mu, Sigma, None, offset=offset, weights=weights)
    assert (fit.dispersion == dispersion).all()
    assert_beta(fit, dense, np.full(len(fit.dispersion), -math.log(dispersion)))


@pytest.mark.parametrize("limits", [{}, {"disp_lower": 0.3}, {"disp_upper": 0.4}, {"disp_lower": 5.0, "disp_upper": 6}])
@pytest.mark.parametrize("kind", ["frequency", "precision"])
def test_known_coefficients(limits, kind, rng):
    y, x = regression(rng, 10, 2)
    beta, offset = rng.standard_normal(2), rng.standard_normal(10)
    weights = np.where(np.arange(10) == 3, 0.0, 2.0 * rng.random(10))
    fit = rlmb(N, y, x, dGamma(*GAMMA, beta, **limits), offset=offset, weights=weights, weights_type=kind, rng=rng)
    shape = GAMMA[0] + 0.5 * (weights.sum() if kind == "frequency" else 9)
    law = stats.gamma(shape, scale=1.0 / (GAMMA[1] + 0.5 * weights @ (y - offset - x @ beta) ** 2))
    low, high = 1.0 / limits.get("disp_upper", INF), 1.0 / limits["disp_lower"] if "disp_lower" in limits else INF
    below, mass = law.sf(high), law.sf(low) - law.sf(high)
    assert_cdf(1.0 / fit.dispersion, lambda u: 1.0 - (law.sf(u) - below) / mass)
    assert (fit.coefficients == beta).all()
    assert fit.coefficients.shape == (N, 2)


def test_uniform_standard_deviation_two_ways(rng):
    """dGamma(-1/2, 0) below U^2 is a uniform prior on the standard deviation."""
    y = rng.standard_normal(6)
    fit = rlmb(N, y, np.ones((6, 1)), dGamma(-0.5, 0.0, 0.0, disp_upper=0.9), rng=rng)
    sd = np.linspace(1e-4, math.sqrt(0.9), 40_001)
    density = np.exp(-6 * np.log(sd) - 0.5 * y @ y / sd**2)
    cdf = np.cumsum(density) / density.sum()
    assert_cdf(np.sqrt(fit.dispersion), lambda v: np.interp(v, sd, cdf))


# --- flat coefficients ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["frequency", "precision"])
def test_flat_coefficients_and_flat_sd_are_t_and_chi_square(kind, rng):
    """sigma^2 is inverse chi-square with n - p - 1 degrees of freedom, each coefficient t with as many."""
    y, x = regression(rng, 14, 3)
    weights = np.array([1.0, 2.0] * 7)
    prior = dIndependent_Normal(np.zeros(3), np.diag([INF] * 3), dFlat())
    fit = rlmb(N, y, x, prior, weights=weights, weights_type=kind, rng=rng)
    root = np.sqrt(weights)
    estimate = np.linalg.lstsq(root[:, None] * x, root * y)[0]
    rss = weights @ (y - x @ estimate) ** 2
    df = (weights.sum() if kind == "frequency" else 14) - 3 - 1
    assert_cdf(rss / fit.dispersion, stats.chi2(df).cdf)
    se = np.sqrt(rss / df * np.diag(np.linalg.inv(x.T @ (weights[:, None] * x))))
    for j in range(3):
        assert_cdf((fit.coefficients[:, j] - estimate[j]) / se[j], stats.t(df).cdf)


@every_case
@pytest.mark.parametrize("flat", [[True, False, False], [False, True, True], [True, True, True]])
def test_some_flat_coefficients(name, flat, rng):
    if name == "conjugate":
        pytest.skip("refused: ambiguous when the covariance is in units of the dispersion")
    prior, log_prior, more = CASES[name]
    y, x = regression(rng, 11, 3)
    Sigma = covariance(rng, 3)
    Sigma[flat, :] = Sigma[:, flat] = 0.0
    Sigma[flat, flat] = INF
    mu = rng.standard_normal(3)
    fit = rlmb(N, y, x, prior(mu, Sigma), rng=rng)
    assert_posterior(fit, Dense(y, x, mu, Sigma, log_prior, **more))


def test_flat_coefficients_with_known_dispersion(rng):
    y, x = regression(rng, 8, 2)
    fit = rlmb(N, y, x, dNormal([0.0, 3.0], np.diag([INF, 2.0]), 0.6), rng=rng)
    dense = Dense(y, x, np.array([0.0, 3.0]), np.diag([INF, 2.0]), None)
    assert_beta(fit, dense, np.full(N, -math.log(0.6)))


# --- extreme priors -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prior", ["gamma", "conjugate"])
@pytest.mark.parametrize(("shape", "rate"), [(1e-3, 1e-8), (1e-3, 1e3), (1e3, 1e-8), (1e3, 1e3)])
def test_extreme_gamma_priors(prior, shape, rate, rng):
    y, x = regression(rng, 6, 2)
    mu, Sigma = np.zeros(2), covariance(rng, 2)
    kind = dNormal_Gamma if prior == "conjugate" else dIndependent_Normal_Gamma
    fit = rlmb(N, y, x, kind(mu, Sigma, shape, rate), rng=rng)
    dense = Dense(y, x, mu, Sigma, log_gamma_prior(shape, rate), scaled=prior == "conjugate")
    assert_cdf(-np.log(fit.dispersion), dense.cdf())


@pytest.mark.parametrize("name", ["gamma", "conjugate", "half-normal", "half-Cauchy", "flat"])
@pytest.mark.parametrize("scale", [1e-8, 1e-4, 1e4, 1e8])
def test_extreme_covariances(name, scale, rng):
    prior, log_prior, more = CASES[name]
    y, x = regression(rng, 8, 3)
    mu, Sigma = np.zeros(3), covariance(rng, 3, scale)
    fit = rlmb(N, y, x, prior(mu, Sigma), rng=rng)
    assert_posterior(fit, Dense(y, x, mu, Sigma, log_prior, **more))


@pytest.mark.parametrize("name", ["gamma", "half-normal", "half-Cauchy", "flat"])
@pytest.mark.parametrize("conflict", [10.0, 1e3, 1e5])
@pytest.mark.parametrize("n", [3, 50])
def test_prior_data_conflict(name, conflict, n, rng):
    """Data that many prior standard deviations away: two explanations of the misfit, one of them in the tail."""
    prior, log_prior, more = CASES[name]
    y, x = regression(rng, n, 2, noise=0.1)
    mu = np.array([conflict, -conflict])
    fit = rlmb(N, y, x, prior(mu, np.eye(2)), rng=rng)
    assert_posterior(fit, Dense(y, x, mu, np.eye(2), log_prior, **more))


@pytest.mark.parametrize("scale", [1e-8, 1e8])
def test_units_of_the_response(scale, rng):
    """Everything scales: the draws of the rescaled problem are the rescaled draws."""
    y, x = regression(rng, 9, 2)
    a = rlmb(500, y, x, dIndependent_Normal_Gamma([1, 2], np.eye(2), 2.0, 1.0), rng=5)
    b = rlmb(
        500, scale * y, x, dIndependent_Normal_Gamma([scale, 2 * scale], scale**2 * np.eye(2), 2.0, scale**2), rng=5
    )
    np.testing.assert_allclose(b.coefficients, scale * a.coefficients, rtol=1e-9, atol=1e-9 * scale)
    np.testing.assert_allclose(b.dispersion, scale**2 * a.dispersion, rtol=1e-9)


# --- single draws, long draws, many draws ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["gamma", "conjugate", "half-t", "limits"])
@pytest.mark.parametrize("n", [1, 8, 9])
def test_few_draws_have_the_same_distribution(name, n, rng):
    """Calls that return one draw, or so few that set-up and draws are one compiled call, or just more."""
    prior, log_prior, more = CASES[name]
    y, x = regression(rng, 7, 2)
    mu, Sigma = np.array([1.0, -1.0]), np.eye(2)
    prior = prior(mu, Sigma)
    fits = [rlmb(n, y, x, prior, rng=rng) for _ in range(6000 // n)]
    t = -np.log(np.concatenate([fit.dispersion for fit in fits]))
    dense = Dense(y, x, mu, Sigma, log_prior, **more)
    assert_cdf(t, dense.cdf())
    z = dense.whiten(np.concatenate([fit.coefficients for fit in fits]), t)
    assert_cdf(z.ravel(), stats.norm.cdf)


@pytest.mark.parametrize("p", [2, 20])
@pytest.mark.parametrize("name", ["known", "gamma", "conjugate", "flat coefficients"])
def test_draws_in_pieces(name, p, rng, monkeypatch):
    """More draws than one compiled call makes."""
    for module in ("normal", "normal_gamma", "independent"):
        monkeypatch.setattr(f"glmbayes.posteriors.{module}.CHUNK", 1000)
    y, x = regression(rng, 30, p)
    mu, Sigma = np.zeros(p), covariance(rng, p)
    if name == "known":
        fit = rlmb(5001, y, x, dNormal(mu, Sigma, 0.8), rng=rng)
        assert_beta(fit, Dense(y, x, mu, Sigma, None), np.full(5001, -math.log(0.8)))
        return
    if name == "flat coefficients":
        Sigma = np.diag([INF] * 2 + [1.0] * (p - 2))
    prior, log_prior, more = CASES["conjugate" if name == "conjugate" else "gamma"]
    fit = rlmb(5001, y, x, prior(mu, Sigma), rng=rng)
    assert_posterior(fit, Dense(y, x, mu, Sigma, log_prior, **more))


# --- the mode -------------------------------------------------------------------------------------------------------


@every_case
@pytest.mark.parametrize("n", [1, 20])
def test_coef_mode(name, n, rng):
    """Mean of beta given the dispersion at the mode of its marginal in log dispersion; the same for any n."""
    prior, log_prior, more = CASES[name]
    y, x = regression(rng, 9, 2)
    mu, Sigma = rng.standard_normal(2), covariance(rng, 2)
    fit = rlmb(n, y, x, prior(mu, Sigma), rng=rng)
    dense = Dense(y, x, mu, Sigma, log_prior, **more)
    grid = np.linspace(*np.clip([-12.0, 12.0], more.get("lower", -12.0), more.get("upper", 12.0)), 400_001)
    t = grid[dense.log_density(grid).argmax()]
    np.testing.assert_allclose(dense.whiten(fit.coef_mode[None], [t]), 0.0, atol=1e-3)


def test_coef_mode_of_known_quantities(rng):
    y, x = regression(rng, 9, 2)
    fit = rlmb(3, y, x, dGamma(1.0, 1.0, [1.0, 2.0]), rng=rng)
    assert fit.coef_mode.tolist() == [1.0, 2.0]
    fit = rlmb(3, y, x, dNormal([0.0, 0.0], np.eye(2), 0.5), rng=rng)
    np.testing.assert_allclose(fit.coef_mode, np.linalg.solve(x.T @ x / 0.5 + np.eye(2), x.T @ y / 0.5))


# --- seeds, forms of input, no memory of earlier calls --------------------------------------------------------------

PRIORS = {
    "dNormal": dNormal([1, 2], np.eye(2), 1.0),
    "dNormal_Gamma": dNormal_Gamma([1, 2], np.eye(2), 1.0, 1.0),
    "dGamma": dGamma(1.0, 1.0, [1, 2]),
    "dIndependent_Normal_Gamma": dIndependent_Normal_Gamma([1, 2], np.eye(2), 1.0, 1.0),
    "dIndependent_Normal": dIndependent_Normal([1, 2], np.diag([INF, 1.0]), dHalfT(3.0, 1.0)),
}
every_prior = pytest.mark.parametrize("prior", PRIORS.values(), ids=list(PRIORS))
FIELDS = ("coefficients", "dispersion", "coef_mode", "iters")
Y = np.array([3.0, 1.0, 4.0, 1.0, 5.0])
X = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 1.0], [1.0, 0.0], [1.0, 1.0]])


def same(a, b):
    return all(np.array_equal(getattr(a, f), getattr(b, f)) for f in FIELDS)


@every_prior
@pytest.mark.parametrize("n", [1, 5, 300])
def test_seeds(prior, n):
    assert same(rlmb(n, Y, X, prior, rng=4), rlmb(n, Y, X, prior, rng=np.random.default_rng(4)))
    assert not same(rlmb(n, Y, X, prior, rng=4), rlmb(n, Y, X, prior, rng=5))
    assert not same(rlmb(n, Y, X, prior), rlmb(n, Y, X, prior))
    rng = np.random.default_rng(4)
    assert not same(rlmb(n, Y, X, prior, rng=rng), rlmb(n, Y, X, prior, rng=rng))


FORMS = {
    "lists": lambda a: a.tolist(),
    "tuples": lambda a: tuple(map(tuple, a.tolist())) if a.ndim == 2 else tuple(a.tolist()),
    "integers": lambda a: a.astype(int),
    "unsigned bytes": lambda a: a.astype("u1"),
    "float32": lambda a: a.astype("f4"),
    "big endian": lambda a: a.astype(">f8"),
    "Fortran order": np.asfortranarray,
    "strided": lambda a: np.repeat(a, 2, axis=0)[::2],
    "strided columns": lambda a: np.repeat(a, 2, axis=-1)[..., ::2],
    "reversed twice": lambda a: a[::-1].copy()[::-1],
    "read-only": lambda a: np.frombuffer(a.tobytes()).reshape(a.shape),
    "unaligned": lambda a: np.frombuffer(b"0" + a.tobytes(), offset=1).reshape(a.shape),
    "column": lambda a: a[:, None] if a.ndim == 1 else a,
    "objects": lambda a: a.astype(object),
    "pandas": lambda a: pd.DataFrame(a) if a.ndim == 2 else pd.Series(a),
    "pandas, any index": lambda a: pd.DataFrame(a, index=list("vwxyz")) if a.ndim == 2 else pd.Series(a, list("vwxyz")),
    "nullable": lambda a: (pd.DataFrame(a) if a.ndim == 2 else pd.Series(a)).astype("Int64"),
    "polars": lambda a: pl.DataFrame(a) if a.ndim == 2 else pl.Series(a),
    "polars integers": lambda a: pl.DataFrame(a.astype(int)) if a.ndim == 2 else pl.Series(a.astype(int)),
}  # fmt: skip


@every_prior
@pytest.mark.parametrize("form", FORMS)
def test_forms_of_data(prior, form):
    make = FORMS[form]
    one = np.array([1.0, 2.0, 0.0, 3.0, 1.0])
    truth = rlmb(3, Y, X, prior, offset=one, weights=one, rng=2)
    assert same(rlmb(3, make(Y), make(X), prior, offset=make(one), weights=make(one), rng=2), truth)


@every_prior
def test_booleans_are_zeros_and_ones(prior):
    group = X[:, 1] > 0
    x = np.column_stack([np.ones(5, bool), group])
    for bools in (x, x.tolist(), pd.DataFrame(x), pd.DataFrame(x).astype("boolean"), pl.DataFrame(x)):
        assert same(rlmb(3, Y > 2, bools, prior, rng=2), rlmb(3, (Y > 2) * 1.0, X, prior, rng=2))


@every_prior
def test_nothing_is_remembered_by_identity(prior):
    y, x, offset, weights = Y.copy(), X.copy(), np.zeros(5), np.ones(5)

    def call():
        return rlmb(4, y, x, prior, offset=offset, weights=weights, rng=8)

    seen = [call()]
    for array in (y, x, offset, weights):
        array[1] += 1.0
        seen.append(call())
        fresh = rlmb(4, y.copy(), x.copy(), prior, offset=offset.copy(), weights=weights.copy(), rng=8)
        assert same(seen[-1], fresh)
        assert not np.array_equal(seen[-1].dispersion, seen[-2].dispersion) or "dNormal" in repr(prior)
        assert not same(seen[-1], seen[-2])


@every_prior
def test_results_are_owned(prior):
    fit = rlmb(4, Y, X, prior, rng=8)
    again = rlmb(4, Y, X, prior, rng=8)
    for field in FIELDS[1:] if "dGamma:" in repr(prior) else FIELDS:
        array = getattr(fit, field)
        assert array.flags.writeable
        array[...] = 7
    assert same(rlmb(4, Y, X, prior, rng=8), again)
    with pytest.raises(AttributeError):
        fit.coefficients = 1.0


def test_repr_and_shapes():
    fit = rlmb(4, Y, X, PRIORS["dIndependent_Normal_Gamma"], rng=8)
    assert [getattr(fit, f).shape for f in FIELDS] == [(4, 2), (4,), (2,), (4,)]
    assert fit.prior is PRIORS["dIndependent_Normal_Gamma"]
    assert (fit.iters >= 1).all()
    assert "4 x 2 coefficients under dIndependent_Normal_Gamma" in repr(fit)
    assert (rlmb(4, Y, X, PRIORS["dNormal"]).iters == 1).all()
