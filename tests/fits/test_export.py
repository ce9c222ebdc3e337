"""Export to ArviZ."""

import builtins

import numpy as np
import pytest

from glmbayes import MissingDependencyError, lmb
from glmbayes.fits import export
from tests.fits.cases import IMPROPER, PRIORS, line


@pytest.mark.parametrize("name", [*PRIORS, *IMPROPER])
def test_groups(name, rng):
    pytest.importorskip("arviz")
    prior = {**PRIORS, **IMPROPER}[name]
    fit = lmb("y ~ x", line(rng), prior, n=300, rng=rng)
    data = fit.to_arviz()
    groups = {"posterior", "posterior_predictive", "log_likelihood", "observed_data"}
    assert set(data.groups()) == groups | (set() if name in IMPROPER else {"prior"})
    assert data.posterior["beta"].dims == ("chain", "draw", "coefficient")
    assert list(data.posterior["coefficient"].values) == ["(Intercept)", "x"]
    np.testing.assert_array_equal(data.posterior["beta"][0], fit.coefficients)
    np.testing.assert_array_equal(data.posterior["dispersion"][0], fit.dispersion)
    np.testing.assert_array_equal(data.observed_data["y"], fit.design.y)
    np.testing.assert_array_equal(data.log_likelihood["y"][0], fit.log_lik())
    assert data.posterior_predictive["y"].shape == (1, 300, 12)
    if name not in IMPROPER:
        has = {"beta": name != "dGamma", "dispersion": True}
        assert set(data.prior.data_vars) == {key for key, there in has.items() if there}


def test_draws_are_iid_to_arviz(rng):
    arviz = pytest.importorskip("arviz")
    fit = lmb("y ~ x", line(rng), n=4000, rng=rng)
    assert arviz.ess(fit.to_arviz())["beta"].min() > 3000


def test_large_groups_are_left_out(rng, monkeypatch):
    pytest.importorskip("arviz")
    monkeypatch.setattr(export, "_LIMIT", 12 * 300 - 1)
    data = lmb("y ~ x", line(rng), n=300, rng=rng).to_arviz()
    assert set(data.groups()) == {"posterior", "prior", "observed_data"}


def test_without_arviz(rng, monkeypatch):
    fit = lmb("y ~ x", line(rng), rng=rng)
    real = builtins.__import__

    def missing(name, *args, **kwargs):
        if name.partition(".")[0] in ("arviz", "arviz_stats", "matplotlib"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", missing)
    for ask in (fit.to_arviz, lambda: fit.loo("psis"), fit.plot, fit.plot_coef):
        with pytest.raises(MissingDependencyError, match=r"pip install 'glmbayes\[arviz\]'"):
            ask()
    assert np.isfinite(fit.loo().elpd)
