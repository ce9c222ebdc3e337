"""rlmb_blocks: a loop of rlmb calls over groups, in one call."""

import math

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import stats

from glmbayes import (
    dGamma,
    dHalfCauchy,
    dHalfT,
    dIndependent_Normal,
    dIndependent_Normal_Gamma,
    dNormal,
    dNormal_Gamma,
    rlmb,
    rlmb_blocks,
)
from tests.oracles import P_BOUND, assert_mean, assert_sd
from tests.test_rlmb import CASES, Dense, assert_posterior

INF = math.inf
FIELDS = ("coefficients", "dispersion", "coef_mode", "iters")
SIZES = np.array([3, 1, 5, 2])
BLOCKS = np.repeat(np.arange(4), SIZES)


@pytest.fixture
def data(rng):
    n = SIZES.sum()
    return rng.standard_normal(n), np.column_stack([np.ones(n), rng.standard_normal(n)])


def same(a, b):
    return all(np.array_equal(getattr(a, f), getattr(b, f)) for f in FIELDS)


MU, SIGMA = np.array([0.5, -1.0]), np.array([[2.0, 0.5], [0.5, 1.0]])
PRIORS = {
    "dNormal": dNormal(MU, SIGMA, 0.8),
    "dNormal_Gamma": dNormal_Gamma(MU, SIGMA, 2.0, 1.0),
    "dGamma": dGamma(2.0, 1.0, MU),
    "dGamma limits": dGamma(2.0, 1.0, MU, disp_lower=0.2, disp_upper=1.5),
    "dIndependent_Normal_Gamma": dIndependent_Normal_Gamma(MU, SIGMA, 2.0, 1.0),
    "limits": dIndependent_Normal_Gamma(MU, SIGMA, 2.0, 1.0, disp_lower=0.2, disp_upper=1.5),
    "half-t": dIndependent_Normal(MU, SIGMA, dHalfT(3.0, 1.0)),
}
every_prior = pytest.mark.parametrize("prior", PRIORS.values(), ids=list(PRIORS))


@pytest.mark.parametrize("n", [1, 4])
def test_known_dispersion_uses_the_normals_in_order(n, data):
    """Exactly a loop of rlmb calls, mu, Sigma and dispersion varying by block or not."""
    y, x = data
    mu = np.arange(8.0).reshape(4, 2)
    Sigma = SIGMA * np.arange(1.0, 5.0)[:, None, None]
    phi = np.array([0.5, 1.0, 2.0, 4.0])
    for m, S, d in ((MU, SIGMA, 0.7), (mu, SIGMA, 0.7), (MU, Sigma, 0.7), (MU, SIGMA, phi), (mu, Sigma, phi)):
        fit = rlmb_blocks(n, y, x, dNormal(m, S, d), sizes=SIZES, rng=6)
        rng = np.random.default_rng(6)
        for j in range(4):
            rows = j == BLOCKS
            prior = dNormal(m[j] if m.ndim == 2 else m, S[j] if S.ndim == 3 else S, d[j] if np.ndim(d) else d)
            one = rlmb(n, y[rows], x[rows], prior, rng=rng)
            np.testing.assert_allclose(fit.coefficients[:, j], one.coefficients, rtol=1e-12)
            np.testing.assert_allclose(fit.coef_mode[j], one.coef_mode, rtol=1e-12)
            assert (fit.dispersion[:, j] == one.dispersion).all()


@pytest.mark.parametrize("name", ["gamma", "conjugate", "half-Cauchy", "limits", "uniform"])
@pytest.mark.parametrize("kind", ["plain", "frequency", "precision"])
def test_every_block_has_its_posterior(name, kind, data, rng):
    prior, log_prior, more = CASES[name]
    y, x = data
    arguments = {}
    if kind != "plain":
        weights = np.array([1, 2, 0.5, 1.5, 1, 1, 0, 3, 1, 1, 0.5])
        arguments = {"offset": rng.standard_normal(11), "weights": weights}
    mu = rng.standard_normal((4, 2))
    built = prior(mu, SIGMA)
    kind = kind if kind != "plain" else "frequency"
    fit = rlmb_blocks(20_000, y, x, built, sizes=SIZES, weights_type=kind, rng=rng, **arguments)
    for j in range(4):
        rows = j == BLOCKS
        some = {k: v[rows] for k, v in arguments.items()}
        dense = Dense(y[rows], x[rows], mu[j], SIGMA, log_prior, weights_type=kind, **some, **more)
        one = type("One", (), {"coefficients": fit.coefficients[:, j], "dispersion": fit.dispersion[:, j]})
        assert_posterior(one, dense, f"block {j}")
    log_phi = np.log(fit.dispersion)
    rho = np.corrcoef(np.column_stack([log_phi, fit.coefficients[:, :, 0]]).T)
    between = rho[:4, :4][~np.eye(4, dtype=bool)]
    assert np.abs(between).max() < 5.0 / math.sqrt(20_000)  # blocks are independent


@pytest.mark.parametrize("limits", [{}, {"disp_lower": 0.3, "disp_upper": 2.0}])
def test_known_coefficients(limits, data, rng):
    y, x = data
    beta = rng.standard_normal((4, 2))
    fit = rlmb_blocks(5000, y, x, dGamma(2.0, 1.0, beta, **limits), sizes=SIZES, rng=rng)
    assert fit.coefficients.shape == (5000, 4, 2)
    assert (fit.coefficients == beta).all()
    assert (fit.coef_mode == beta).all()
    for j in range(4):
        rows = j == BLOCKS
        one = rlmb(5000, y[rows], x[rows], dGamma(2.0, 1.0, beta[j], **limits), rng=rng)
        a, b = np.log(fit.dispersion[:, j]), np.log(one.dispersion)
        z = (a.mean() - b.mean()) / math.sqrt((a.var() + b.var()) / 5000)
        assert abs(z) < 4.5


@every_prior
@pytest.mark.parametrize("n", [1, 3])
def test_labels_in_any_order(prior, n, data, rng):
    """Order of first appearance; rows of a block anywhere."""
    y, x = data
    weights = rng.random(11)
    truth = rlmb_blocks(n, y, x, prior, sizes=SIZES, weights=weights, rng=1)
    assert truth.blocks is None
    mixed = np.argsort(np.r_[0, 10, 11, 1, 2, 12, 13, 14, 15, 3, 16], kind="stable")  # blocks 0, 1, 2, 3 in turn first
    names = np.array(["west", "a", "north", "b"])
    for labels in (names[BLOCKS], BLOCKS * -1.5, pd.Categorical(names[BLOCKS]), names[BLOCKS].astype(object),
                   pd.to_datetime("2024-01-01") - pd.to_timedelta(BLOCKS, "D"), pl.Series(names[BLOCKS])):  # fmt: skip
        fit = rlmb_blocks(n, y, x, prior, block=labels, weights=weights, rng=1)
        assert same(fit, truth)
        assert len(fit.blocks) == 4
    shuffled = rlmb_blocks(n, y[mixed], x[mixed], prior, block=names[BLOCKS][mixed], weights=weights[mixed], rng=1)
    assert shuffled.blocks.tolist() == names.tolist()
    for field in FIELDS:
        np.testing.assert_allclose(getattr(shuffled, field), getattr(truth, field), rtol=1e-9)


@every_prior
def test_shapes_and_ownership(prior, data):
    y, x = data
    for n in (1, 3):
        fit = rlmb_blocks(n, y, x, prior, sizes=SIZES, rng=1)
        assert [getattr(fit, f).shape for f in FIELDS] == [(n, 4, 2), (n, 4), (4, 2), (n, 4)]
        assert fit.iters.dtype == np.int64
        assert (fit.iters >= 1).all()
        assert f"{n} draws of 4 blocks x 2 coefficients" in repr(fit)
        for field in FIELDS:
            array = getattr(fit, field)
            assert array.flags.writeable
            array[...] = 7
    assert same(rlmb_blocks(2, y, x, prior, sizes=SIZES, rng=1), rlmb_blocks(2, y, x, prior, sizes=SIZES, rng=1))


@every_prior
@pytest.mark.parametrize("n", [1, 9, 700])
def test_pieces(prior, n, data, rng, monkeypatch):
    """Long calls are made in pieces that Ctrl-C can interrupt: some blocks at a time, or some draws of one block."""
    monkeypatch.setattr("glmbayes.priors.base._SET_UP", 0)
    monkeypatch.setattr("glmbayes.priors.base.CHUNK", 40)
    y, x = data
    fit = rlmb_blocks(n, y, x, prior, sizes=SIZES, rng=rng)
    assert np.isfinite(fit.coefficients).all()
    if n < 700:
        return
    monkeypatch.undo()
    whole = rlmb_blocks(20_000, y, x, prior, sizes=SIZES, rng=rng)
    for few, many in ((np.log(fit.dispersion), np.log(whole.dispersion)), (fit.coefficients, whole.coefficients)):
        error = np.sqrt(few.var(axis=0) / n + many.var(axis=0) / 20_000)
        assert (np.abs(few.mean(axis=0) - many.mean(axis=0)) <= 4.5 * error + 1e-12).all()


def test_pieces_report_the_right_block(data, monkeypatch):
    monkeypatch.setattr("glmbayes.priors.base.CHUNK", 4)
    y, x = data
    y = y.copy()
    y[5] = np.nan
    for prior in PRIORS.values():
        with pytest.raises(ValueError, match=r"block 2: y must be finite.*index 1"):
            rlmb_blocks(3, y, x, prior, sizes=SIZES)


@pytest.mark.parametrize("sizes", [SIZES.tolist(), SIZES.astype("i4"), SIZES.astype("u1"), pd.Series(SIZES)])
def test_sizes_of_any_integer_type(sizes, data):
    y, x = data
    prior = PRIORS["dNormal"]
    assert same(rlmb_blocks(2, y, x, prior, sizes=sizes, rng=1), rlmb_blocks(2, y, x, prior, sizes=SIZES, rng=1))


def test_eight_schools_update(rng):
    """Every school at once: normal, with the textbook's mean and variance."""
    y = np.array([28.39, 7.94, -2.75, 6.82, -0.64, 0.63, 18.01, 12.16])
    sd = np.array([14.9, 10.2, 16.3, 11.0, 9.4, 11.4, 10.4, 17.6])
    fit = rlmb_blocks(20_000, y, np.ones((8, 1)), dNormal(8.0, 40.0, sd**2), sizes=np.ones(8, int), rng=rng)
    v = 1.0 / (1.0 / sd**2 + 1.0 / 40.0)
    assert_mean(fit.coefficients[:, :, 0], v * (y / sd**2 + 8.0 / 40.0))
    assert_sd(fit.coefficients[:, :, 0], np.sqrt(v))


def test_flat_coefficients_with_known_dispersion(data, rng):
    y, x = data
    keep = BLOCKS != 1
    fit = rlmb_blocks(4, y[keep], x[keep], dNormal(MU, np.diag([INF, INF]), 1.0), sizes=SIZES[[0, 2, 3]], rng=rng)
    for j, block in enumerate((0, 2, 3)):
        rows = block == BLOCKS
        np.testing.assert_allclose(fit.coef_mode[j], np.linalg.lstsq(x[rows], y[rows])[0], rtol=1e-9)


def test_more_uniforms_for_one_block_are_drawn_when_needed(rng):
    """A density that rejects: blocks continue with further uniforms, and the others are not disturbed."""
    y = np.array([40.0, 0.1, -0.2, 0.1])
    prior = dIndependent_Normal(0.0, 1e-4, dHalfCauchy(1e-3))
    single = rlmb_blocks(30_000, y, np.ones((4, 1)), prior, sizes=[1, 3], rng=rng)
    for j, rows in enumerate((slice(0, 1), slice(1, 4))):
        one = rlmb(30_000, y[rows], np.ones((3 if j else 1, 1)), prior, rng=rng)
        a, b = np.log(single.dispersion[:, j]), np.log(one.dispersion)
        assert abs(a.mean() - b.mean()) < 4.5 * math.sqrt((a.var() + b.var()) / 30_000)
        quantiles = np.quantile(b, [0.1, 0.5, 0.9])
        counts = np.searchsorted(quantiles, a)
        observed = np.bincount(counts, minlength=4)
        expected = 30_000 * np.array([0.1, 0.4, 0.4, 0.1])
        # both sides are samples: the variance of the difference is twice that of one
        assert stats.chi2(3).sf(((observed - expected) ** 2 / (2.0 * expected)).sum()) > P_BOUND
