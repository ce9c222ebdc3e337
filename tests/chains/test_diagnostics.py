"""R-hat, effective sample sizes and Monte Carlo errors against ArviZ."""

import warnings

import numpy as np
import pytest

from glmbayes.chains import diagnostics

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    arviz = pytest.importorskip("arviz")


def series(rng, kind, chains=4, draws=500):
    noise = rng.standard_normal((chains, draws))
    if kind == "independent":
        return noise
    if kind == "discrete":
        return np.floor(2.0 * noise)
    if kind == "heavy":
        return rng.standard_cauchy((chains, draws))
    if kind == "shifted":
        return noise + np.arange(chains)[:, None]
    rho = {"sticky": 0.97, "alternating": -0.9}[kind]
    x = noise.copy()
    for t in range(1, draws):
        x[:, t] = rho * x[:, t - 1] + noise[:, t]
    return x


@pytest.mark.parametrize("kind", ["independent", "discrete", "heavy", "shifted", "sticky", "alternating"])
@pytest.mark.parametrize(("chains", "draws"), [(4, 500), (1, 333), (2, 10), (3, 1001)])
def test_agree_with_arviz(rng, kind, chains, draws):
    x = series(rng, kind, chains, draws)
    ours = x[:, :, None]
    assert np.isclose(diagnostics.ess_bulk(ours)[0], arviz.ess(x, method="bulk"), rtol=1e-8)
    assert np.isclose(diagnostics.ess_tail(ours)[0], arviz.ess(x, method="tail"), rtol=1e-8)
    assert np.isclose(diagnostics.mcse_mean(ours)[0], arviz.mcse(x), rtol=1e-8)
    if chains > 1:  # ArviZ refuses a single chain; its two halves serve here
        assert np.isclose(diagnostics.r_hat(ours)[0], arviz.rhat(x), rtol=1e-8)


def test_many_at_once_are_each_alone(rng):
    x = np.stack([series(rng, kind) for kind in ("independent", "sticky", "shifted")], axis=2)
    for function in (diagnostics.ess_bulk, diagnostics.ess_tail, diagnostics.r_hat, diagnostics.mcse_mean):
        assert np.allclose(function(x), [function(x[:, :, [k]])[0] for k in range(3)], rtol=1e-12)


def test_constants_and_missing_values():
    x = np.zeros((2, 50, 2))
    x[0, 3, 1] = np.nan
    assert diagnostics.ess_bulk(x)[0] == 100
    assert np.isnan(diagnostics.r_hat(x)).all()
    assert np.isnan([diagnostics.ess_bulk(x)[1], diagnostics.ess_tail(x)[1], diagnostics.mcse_mean(x)[1]]).all()
