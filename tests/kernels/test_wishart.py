"""Wishart and inverse-Wishart draws against closed forms."""

import numpy as np
import pytest
from scipy import stats

from glmbayes import kernels
from glmbayes.kernels.wishart import inverse_wishart_root
from tests.oracles import assert_cdf, assert_mean

N = 20_000
SCALE = np.array([[2.0, 0.6, -0.3], [0.6, 1.0, 0.2], [-0.3, 0.2, 0.5]])


def sample(rng, kernel, df, scale, n=N):
    out = np.empty((n, *scale.shape))
    for i in range(n):
        assert kernel(rng, df, scale, out[i])
    return out


def check_wishart(W, df, scale):
    """Mean, marginals along fixed directions (chi-square) and the determinant (product of chi-squares)."""
    q = scale.shape[0]
    assert_mean(W.reshape(len(W), -1), df * scale.ravel(), "mean")
    for direction in (np.eye(q)[0], np.eye(q)[-1], np.ones(q)):
        ratio = np.einsum("i,nij,j->n", direction, W, direction) / (direction @ scale @ direction)
        assert_cdf(ratio, stats.chi2(df).cdf, "quadratic form")
    # 1 / (d' W^-1 d) ~ (d' scale^-1 d)^-1 chi2(df - q + 1)
    inverse = np.linalg.inv(W)
    assert_cdf(np.linalg.inv(scale)[0, 0] / inverse[:, 0, 0], stats.chi2(df - q + 1).cdf, "inverse's diagonal")
    log_det = np.linalg.slogdet(W)[1] - np.linalg.slogdet(scale)[1]
    from scipy.special import polygamma, psi

    halves = 0.5 * (df - np.arange(q))
    assert_mean(log_det, psi(halves).sum() + q * np.log(2.0), "log determinant")
    assert_mean((log_det - log_det.mean()) ** 2, polygamma(1, halves).sum(), "variance of the log determinant")


@pytest.mark.parametrize("df", [3.0, 4.5, 40.0])
def test_wishart(rng, df):
    check_wishart(sample(rng, kernels.draw_wishart, df, SCALE), df, SCALE)


@pytest.mark.parametrize("df", [4.5, 40.0])
def test_inverse_wishart_is_the_inverse_of_a_wishart(rng, df):
    Psi = sample(rng, kernels.draw_inverse_wishart, df, SCALE)
    check_wishart(np.linalg.inv(Psi), df, np.linalg.inv(SCALE))


def test_wrong_degrees_of_freedom_are_noticed(rng):
    W = sample(rng, kernels.draw_wishart, 5.0 * 1.05, SCALE)
    with pytest.raises(AssertionError):
        check_wishart(W, 5.0, SCALE)


@pytest.mark.every_mode
def test_root_is_the_lower_cholesky_factor(rng):
    root = np.empty((3, 3))
    assert inverse_wishart_root(rng, 4.0, SCALE, root)
    assert (np.diag(root) > 0).all()
    assert np.array_equal(root, np.tril(root))


@pytest.mark.every_mode
def test_bad_scales_give_nan(rng):
    out = np.empty((2, 2))
    for kernel in (kernels.draw_wishart, kernels.draw_inverse_wishart):
        assert not kernel(rng, 4.0, np.array([[1.0, 2.0], [2.0, 1.0]]), out)
        assert np.isnan(out).all()
        assert not kernel(rng, 1.0, np.eye(2), out)


def test_huang_wand_sweep_keeps_the_prior(rng):
    """Geweke: with Psi from the prior, effects given Psi and a sweep given them, the joint distribution stays.

    Successive effects and sweeps from one start give the prior's half-t standard deviations and, for nu = 2, uniform
    correlations.
    """
    nu, scales, m, n = 2.0, np.array([2.0, 0.5]), 4, 40_000
    mixing, Psi = np.ones(2), np.diag(scales**2)
    sds, correlation = np.empty((n, 2)), np.empty(n)
    for i in range(n):
        a = rng.standard_normal((m, 2)) @ np.linalg.cholesky(Psi).T
        kernels.draw_huang_wand(rng, nu, scales, float(m), np.ascontiguousarray(a.T @ a), mixing, Psi)
        sds[i] = np.sqrt(np.diag(Psi))
        correlation[i] = Psi[0, 1] / np.prod(sds[i])
    thin = slice(200, None, 40)  # the chain forgets within a few dozen sweeps
    for k in range(2):
        assert_cdf(sds[thin, k] / scales[k], lambda x: 2.0 * stats.t(nu).cdf(x) - 1.0, "half-t")
    assert_cdf(correlation[thin], stats.uniform(-1, 2).cdf, "uniform correlation")
