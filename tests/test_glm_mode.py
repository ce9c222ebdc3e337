"""Mode search and whitening."""

import numpy as np
import pytest
import statsmodels.api as sm

from glmbayes import families
from glmbayes.errors import ImproperPosteriorError
from glmbayes.glm import whiten as whiten_module
from glmbayes.glm.whiten import whiten
from glmbayes.kernels import family_terms as terms
from glmbayes.kernels import glm_mode
from tests.glm_cases import adversarial

CASES = adversarial()
FAMILIES = {
    "logit": (families.binomial("logit"), sm.families.Binomial()),
    "probit": (families.binomial("probit"), sm.families.Binomial(sm.families.links.Probit())),
    "cloglog": (families.binomial("cloglog"), sm.families.Binomial(sm.families.links.CLogLog())),
    "poisson": (families.poisson(), sm.families.Poisson()),
    "gamma": (families.gamma(), sm.families.Gamma(sm.families.links.Log())),
    "gaussian": (families.gaussian(), sm.families.Gaussian()),
}


def _whiten(case):
    return whiten(
        case["family"].kernel,
        case["X"],
        case["y"],
        case["weights"] / case["dispersion"],
        case["offset"],
        case["mu"],
        case["precision"],
    )


@pytest.mark.parametrize("name", FAMILIES)
def test_flat_prior_gives_maximum_likelihood(name, rng):
    """A singular prior precision (all zero) is allowed where the data identify the coefficients."""
    family, reference = FAMILIES[name]
    n, p = 60, 3
    X = np.column_stack([np.ones(n), rng.standard_normal((n, p - 1))])
    offset = 0.3 * rng.standard_normal(n)
    mu = family.linkinv(X @ [0.2, 0.5, -0.4] + offset)
    y = family.random(rng, mu, np.ones(n), 0.5)
    white = whiten(family.kernel, X, y, np.ones(n), offset, np.zeros(p), np.zeros((p, p)))
    fit = sm.GLM(y, X, family=reference, offset=offset).fit(tol=1e-14, maxiter=200)
    np.testing.assert_allclose(white.mode, fit.params, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("name", CASES)
def test_whitened_information_is_the_identity(name):
    case = CASES[name]
    white = _whiten(case)
    omega = (
        case["weights"] / case["dispersion"] * [terms.curvature(white.kernel, e, y) for e, y in zip(white.eta, white.y)]
    )
    information = white.prior + (white.design * omega[:, None]).T @ white.design
    np.testing.assert_allclose(information, np.eye(white.size), atol=3e-14)
    assert np.linalg.norm(white.gradient) < 1e-10
    np.testing.assert_allclose(white.covariance, white.covariance.T)
    assert np.linalg.slogdet(white.covariance)[1] == pytest.approx(-white.log_det, rel=1e-6, abs=1e-6)
    if name.split()[-1] not in ("collinear", "uncentred"):  # there the determinant has fewer digits
        np.testing.assert_allclose(case["X"] @ white.free, 0.0, atol=1e-9 * np.abs(case["X"]).max())


def test_passes_from_python_are_the_same(monkeypatch):
    case = CASES["poisson offsets"]
    whole = _whiten(case)
    monkeypatch.setattr(whiten_module, "_COMPILED_UP_TO", 0)
    monkeypatch.setattr(whiten_module, "_PASS", 100)
    monkeypatch.setattr(glm_mode, "_PIECE", 100)
    pieces = _whiten(case)
    np.testing.assert_allclose(pieces.mode, whole.mode, rtol=1e-10)
    np.testing.assert_allclose(pieces.design, whole.design, rtol=1e-8, atol=1e-10)


def test_flat_direction_is_refused():
    case = CASES["logit n < p"] | {"precision": np.zeros((12, 12))}
    with pytest.raises(ImproperPosteriorError, match="collinear"):
        _whiten(case)


def test_far_start_is_harmless(rng):
    """A prior mean at which the likelihood underflows, and responses whose scoring start overflows nothing."""
    case = CASES["poisson millions"] | {"mu": np.full(4, -300.0), "precision": np.eye(4) * 1e-12}
    near = CASES["poisson millions"] | {"precision": np.eye(4) * 1e-12}
    np.testing.assert_allclose(_whiten(case).mode, _whiten(near).mode, rtol=1e-6, atol=1e-6)
