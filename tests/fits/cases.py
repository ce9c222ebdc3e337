"""Data and priors that several tests of fitted models share."""

import math

import numpy as np
from scipy import stats
from scipy.integrate import simpson

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
)

MU = np.array([0.5, 1.0])
SIGMA = np.array([[4.0, 0.6], [0.6, 2.0]])

# every kind of prior on two coefficients
PRIORS = {
    "dNormal": dNormal(MU, SIGMA, dispersion=1.3),
    "dNormal_Gamma": dNormal_Gamma(MU, SIGMA, shape=2.0, rate=1.5),
    "dIndependent_Normal_Gamma": dIndependent_Normal_Gamma(MU, SIGMA, shape=2.0, rate=1.5),
    "limited": dIndependent_Normal_Gamma(MU, SIGMA, shape=2.0, rate=1.5, disp_lower=0.3, disp_upper=4.0),
    "dGamma": dGamma(2.0, 1.5, beta=MU),
    "half-normal": dIndependent_Normal(MU, SIGMA, dHalfNormal(1.5)),
    "half-Cauchy": dIndependent_Normal(MU, SIGMA, dHalfCauchy(1.5)),
    "half-t": dIndependent_Normal(MU, SIGMA, dHalfT(3, 1.5)),
    "exponential": dIndependent_Normal(MU, SIGMA, dExponential(0.8)),
    "uniform": dIndependent_Normal(MU, SIGMA, dUniform(5.0)),
}
# with these the marginal likelihood does not exist
IMPROPER = {
    "flat dispersion": dIndependent_Normal(MU, SIGMA, dFlat()),
    "flat coefficients": dIndependent_Normal_Gamma(MU, np.diag([math.inf, math.inf]), shape=2.0, rate=1.5),
    "one flat": dIndependent_Normal(MU, np.diag([math.inf, 2.0]), dHalfCauchy(1.5)),
    "reference": dIndependent_Normal(MU, np.diag([math.inf, math.inf]), dFlat()),
}


def line(rng, n=12, noise=1.0):
    """A column x and a response on a line."""
    x = rng.standard_normal(n)
    return {"x": x, "y": 0.7 + 1.4 * x + noise * rng.standard_normal(n)}


def design(data):
    """Intercept and x."""
    return np.column_stack([np.ones(len(data["x"])), data["x"]])


def assert_share(hits, probability):
    """Fail when the share of true `hits` is not that of draws with this probability (4.5 standard errors, plus one)."""
    n = len(hits)
    off = abs(np.sum(hits) - n * probability)
    assert off <= 4.5 * math.sqrt(n * probability * (1 - probability)) + 1, f"{np.mean(hits)} against {probability}"


def log_prior_precision(prior, t):
    """Log prior density of t = log(1 / dispersion), from the definitions of the distributions."""
    u = np.exp(t)
    if isinstance(prior, dIndependent_Normal):
        sd = u**-0.5  # |d sd / d t| = sd / 2
        a = prior.sd.arguments
        law = {
            "dHalfNormal": lambda: stats.halfnorm(scale=a["scale"]),
            "dHalfCauchy": lambda: stats.halfcauchy(scale=a["scale"]),
            "dExponential": lambda: stats.expon(scale=1 / a["rate"]),
            "dUniform": lambda: stats.uniform(0, a["upper"]),
        }
        if type(prior.sd).__name__ == "dHalfT":
            return math.log(2.0) + stats.t(a["df"], scale=a["scale"]).logpdf(sd) + np.log(sd / 2)
        return law[type(prior.sd).__name__]().logpdf(sd) + np.log(sd / 2)
    law = stats.gamma(prior.shape, scale=1 / prior.rate)
    low = 1 / getattr(prior, "disp_upper", math.inf)
    high = 1 / getattr(prior, "disp_lower", 0.0) if getattr(prior, "disp_lower", 0.0) else math.inf
    inside = (u >= low) & (u <= high)
    return np.where(inside, law.logpdf(u) + t - math.log(law.cdf(high) - law.cdf(low)), -np.inf)


def brute_log_evidence(prior, y, X, w=None, precision=False):
    """log p(y) by a fine sum over t of multivariate normal densities of the whole response: no shared algebra.

    Frequency weights must be whole numbers: rows are written out.
    """
    w = np.ones(len(y)) if w is None else np.asarray(w, dtype=float)
    if not precision:
        copies = w.astype(int)
        y, X, w = np.repeat(y, copies), np.repeat(X, copies, axis=0), np.ones(copies.sum())

    def log_normal(phi, Sigma):
        """Log densities of the whole response for dispersions (T,) and prior covariances (T or 1, p, p)."""
        cov = phi[:, None, None] * np.diag(1.0 / w) + X @ Sigma @ X.T
        low = np.linalg.cholesky(cov)
        z = np.linalg.solve(low, np.broadcast_to((y - X @ mu)[:, None], (len(phi), len(y), 1)))[..., 0]
        logs = np.log(np.diagonal(low, axis1=1, axis2=2)).sum(axis=1)
        return -0.5 * len(y) * math.log(2 * math.pi) - logs - 0.5 * (z * z).sum(axis=1)

    mu = prior.beta if isinstance(prior, dGamma) else prior.mu
    if isinstance(prior, dNormal):
        return float(log_normal(np.array([prior.dispersion]), prior.Sigma)[0])
    low, high = -14.0, 9.0  # of t; the integrand is negligible beyond
    if isinstance(prior, dIndependent_Normal):
        low = max(low, -2 * math.log(prior.sd.upper)) if prior.sd.upper < math.inf else low
    elif getattr(prior, "disp_lower", 0.0):
        low, high = -math.log(prior.disp_upper), -math.log(prior.disp_lower)
    t = np.linspace(low + 1e-12, high - 1e-12, 4001)
    phi = np.exp(-t)
    if isinstance(prior, dGamma):
        Sigma = np.zeros((1, 2, 2))
    elif isinstance(prior, dNormal_Gamma):
        Sigma = phi[:, None, None] * prior.Sigma_0
    else:
        Sigma = prior.Sigma[None]
    value = log_prior_precision(prior, t) + log_normal(phi, Sigma)
    top = value.max()
    return top + math.log(simpson(np.exp(value - top), x=t))
