"""Data sets for the GLM samplers: the benchmark recipe and cases chosen to break bounds."""

import numpy as np

from glmbayes import families


def logistic_recipe(rng, n, p, prior_weight=0.01):
    """Standard normal covariates, and the prior N(0, (1-w)/w H^-1) at the maximum-likelihood estimate."""
    X = np.column_stack([np.ones(n), rng.standard_normal((n, p - 1))])
    beta = np.concatenate([[0.3], rng.standard_normal(p - 1) / np.sqrt(p)])
    y = (rng.random(n) < 1 / (1 + np.exp(-X @ beta))).astype(float)
    b = np.zeros(p)
    for _ in range(40):
        mu = 1 / (1 + np.exp(-X @ b))
        H = (X * (mu * (1 - mu))[:, None]).T @ X + 1e-9 * np.eye(p)
        b += np.linalg.solve(H, X.T @ (y - mu))
        b *= min(1.0, 30.0 / np.abs(b).max())
    return {
        "y": y,
        "X": X,
        "offset": np.zeros(n),
        "weights": np.ones(n),
        "family": "binomial",
        "mu": np.zeros(p),
        "precision": H * prior_weight / (1 - prior_weight),
    }


def _case(family, y, X, offset=None, weights=None, mu=None, sd=10.0, dispersion=1.0):
    X = np.ascontiguousarray(X, dtype=float)
    n, p = X.shape
    return {
        "y": np.asarray(y, dtype=float),
        "X": X,
        "offset": np.zeros(n) if offset is None else np.asarray(offset, dtype=float),
        "weights": np.ones(n) if weights is None else np.asarray(weights, dtype=float),
        "family": families.get(*family) if isinstance(family, tuple) else families.get(family),
        "mu": np.zeros(p) if mu is None else np.asarray(mu, dtype=float),
        "precision": np.eye(p) / sd**2,
        "dispersion": dispersion,
    }


def adversarial():
    """Name -> arguments of `build_glm_posterior`."""
    rng = np.random.default_rng(5)
    n, p = 40, 4
    X = np.column_stack([np.ones(n), rng.standard_normal((n, p - 1))])
    leverage = X.copy()
    leverage[0, 1] = 1e3
    collinear = X.copy()
    collinear[:, 2] = collinear[:, 1] + 1e-7 * rng.standard_normal(n)
    far = X.copy()
    far[:, 1] += 1e4
    sign = (X[:, 1] > 0).astype(float)
    half = (rng.random(n) < 0.5).astype(float)
    wild = 10.0 ** rng.uniform(-6, 6, n)
    wide = np.column_stack([np.ones(6), rng.standard_normal((6, 11))])
    cases = {}
    for link in ("logit", "probit", "cloglog"):
        b = ("binomial", link)
        cases |= {
            f"{link} separated": _case(b, sign, X),
            f"{link} leverage": _case(b, half, leverage),
            f"{link} collinear": _case(b, half, collinear),
            f"{link} uncentred": _case(b, half, far),
            f"{link} n < p": _case(b, rng.random(6) < 0.5, wide, sd=2.0),
            f"{link} n = 1": _case(b, [1.0], [[1.0, -2.0]], sd=3.0),
            f"{link} weights": _case(b, rng.random(n).round(2), X, weights=wild),
            f"{link} offsets": _case(b, half, X, offset=rng.choice([-20.0, 20.0], n), sd=3.0),
            f"{link} rare": _case(b, np.arange(n) == 3, X),
        }
    counts = rng.poisson(2.0, n)
    positive = rng.gamma(1.0, 1.0, n)
    cases |= {
        "poisson zeros": _case("poisson", np.zeros(n), X, sd=3.0),
        "poisson millions": _case("poisson", rng.poisson(1e6, n), X),
        "poisson leverage": _case("poisson", counts, leverage),
        "poisson collinear": _case("poisson", counts, collinear),
        "poisson n = 1": _case("poisson", [0.0], [[1.0, -2.0]], sd=3.0),
        "poisson weights": _case("poisson", counts, X, weights=wild),
        "poisson offsets": _case("poisson", counts, X, offset=rng.choice([-20.0, 20.0], n), sd=3.0),
        "poisson n < p": _case("poisson", [0, 3, 1, 0, 9, 2], wide, sd=2.0),
        "gamma": _case("gamma", positive, X, dispersion=0.7),
        "gamma leverage": _case("gamma", positive, leverage, dispersion=0.7),
        "gamma weights": _case("gamma", positive, X, weights=wild, dispersion=0.7),
        "gamma offsets": _case("gamma", positive, X, offset=rng.choice([-20.0, 20.0], n), sd=3.0),
        "gamma spread": _case("gamma", 10.0 ** rng.uniform(-6, 6, n), X, dispersion=2.0),
        "gaussian": _case("gaussian", rng.standard_normal(n), leverage),
        "gaussian n < p": _case("gaussian", rng.standard_normal(6), wide),
    }
    return cases
