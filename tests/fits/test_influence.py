"""Leverage, leave-one-out shifts and Cook's distance against refits with the dispersion known."""

import numpy as np
import pytest

from glmbayes import dNormal, lmb
from tests.fits.cases import IMPROPER, MU, PRIORS, SIGMA, design, line

FREQUENCY = np.array([1.0, 2, 0, 1, 3, 1, 1, 2, 1, 1, 1, 1])
PRECISION = np.array([1.0, 0.2, 0, 1, 3.5, 1, 1, 20, 1, 1, 0.1, 1])


@pytest.mark.parametrize(("w", "kind"), [(None, None), (FREQUENCY, "frequency"), (PRECISION, "precision")])
@pytest.mark.parametrize("name", ["dNormal", "dNormal_Gamma", "dIndependent_Normal_Gamma", "half-Cauchy", "reference"])
def test_against_refits(name, w, kind, rng):
    data, o = line(rng), rng.standard_normal(12)
    X, y = design(data), data["y"]
    prior = {**PRIORS, **IMPROPER}[name]
    fit = lmb("y ~ x", data, prior, weights=w, weights_type=kind, offset=o, rng=1)
    phi = fit.moments.dispersion_mean
    Sigma = phi * SIGMA if name == "dNormal_Gamma" else prior.Sigma
    known = dNormal(MU, Sigma, dispersion=phi)  # the same coefficients given the dispersion
    whole = lmb("y ~ x", data, known, weights=w, weights_type=kind, offset=o, rng=1)
    table = fit.influence()
    assert list(table.columns) == ["hat", "residual", "student", "cook", "d_(Intercept)", "d_x"]
    np.testing.assert_allclose(table["residual"], fit.residuals())
    np.testing.assert_allclose(fit.hat(), table["hat"])
    ones = np.ones(12) if w is None else w
    np.testing.assert_allclose(table["hat"], ones * np.diag(X @ whole.vcov().to_numpy() @ X.T) / phi)
    inverse = np.linalg.inv(whole.vcov().to_numpy())
    for i in range(12):
        keep = np.delete(np.arange(12), i)
        less = lmb(
            y=y[keep], X=X[keep], pfamily=known, offset=o[keep], weights=None if w is None else w[keep],
            weights_type=kind, rng=1,
        )  # fmt: skip
        shift = less.posterior_mean.to_numpy() - whole.posterior_mean.to_numpy()
        np.testing.assert_allclose(table.iloc[i, 4:].astype(float), shift, atol=1e-12, rtol=1e-8)
        assert table["cook"][i] == pytest.approx(shift @ inverse @ shift / 2, abs=1e-12)
        spread = X[i] @ less.vcov().to_numpy() @ X[i] + (phi if kind != "precision" else phi / np.maximum(w[i], 1e-300))
        student = (y[i] - o[i] - X[i] @ less.posterior_mean.to_numpy()) / np.sqrt(spread)
        assert table["student"][i] == pytest.approx(student, abs=1e-12)


def test_without_information_from_the_prior_it_is_ordinary_least_squares(rng):
    influence = pytest.importorskip("statsmodels.stats.outliers_influence")
    sm = pytest.importorskip("statsmodels.api")
    data = line(rng, 30)
    fit = lmb("y ~ x", data, IMPROPER["reference"], rng=1)
    theirs = influence.OLSInfluence(sm.OLS(data["y"], design(data)).fit())
    table = fit.influence()
    np.testing.assert_allclose(table["hat"], theirs.hat_matrix_diag)
    np.testing.assert_allclose(table[["d_(Intercept)", "d_x"]], -theirs.dfbeta, rtol=1e-9)
    scale = fit.moments.dispersion_mean / theirs.results.mse_resid  # ours at the posterior mean of the dispersion
    np.testing.assert_allclose(table["cook"] * scale, theirs.cooks_distance[0])
    np.testing.assert_allclose(table["student"] * np.sqrt(scale), theirs.resid_studentized_internal)


def test_a_row_of_leverage_one_has_no_rest(rng):
    X = np.column_stack([np.ones(6), np.arange(6) == 2]).astype(float)
    table = lmb(y=rng.standard_normal(6), X=X, pfamily=IMPROPER["flat coefficients"], rng=1).influence()
    assert table["hat"][2] == pytest.approx(1.0)
    assert table.loc[2, ["student", "cook"]].isna().all()
    assert np.isfinite(table.drop(index=2).to_numpy()).all()


def test_known_coefficients_do_not_move(rng):
    table = lmb("y ~ x", line(rng), PRIORS["dGamma"], rng=1).influence()
    assert (table[["hat", "cook", "d_x"]] == 0.0).all(axis=None)
