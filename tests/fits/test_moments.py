"""Deterministic posterior summaries of seeded random problems against brute force.

The oracle takes the likelihood from the n x n covariance of the response and the coefficients from LAPACK's singular
values of all rows (the library reduces both to p x p triangles), on a fixed fine grid in t = log precision; the left
tail, where the density is a power of the precision, is in closed form.
"""

import math

import numpy as np
import pytest
from scipy import stats
from scipy.special import gammaln, logsumexp, ndtr

from glmbayes import (
    datasets,
    dExponential,
    dGamma,
    dHalfCauchy,
    dHalfNormal,
    dHalfT,
    dIndependent_Normal,
    dIndependent_Normal_Gamma,
    dNormal,
    dNormal_Gamma,
    dUniform,
    lmb,
)
from tests.oracles import assert_mean, assert_sd

INF = math.inf
PROBLEMS = 25  # of each prior
DRAWS = 1500
POINTS, WEIGHTS = np.polynomial.legendre.leggauss(10)


class Problem:
    """Random data, weights and prior constants; shapes just above and below where moments cease to exist."""

    def __init__(self, rng):
        self.p = p = int(rng.integers(1, 7))
        self.n = n = int(rng.choice([1, 2, 3, 4, 5, 8, 15, 40]))
        self.unit = 10.0 ** rng.choice([-3, 0, 0, 3])  # of the response
        column = 10.0 ** rng.choice([0, 0, -2, 2], p)
        self.X = rng.standard_normal((n, p)) * column
        if p > 1 and rng.random() < 0.2:
            self.X[:-1, 1] = 0.0  # the last row alone knows of it
        size = self.unit / column
        beta = rng.standard_normal(p) * size
        self.y = self.X @ beta + self.unit * 10.0 ** rng.choice([-2, 0, 0]) * rng.standard_normal(n)
        if rng.random() < 0.2:
            self.y[0] += 10.0 * self.unit
        half = rng.standard_normal((p, p + 2)) * size[:, None]
        self.Sigma = half @ half.T * 10.0 ** rng.choice([-2, 0, 0, 2])
        self.mu = beta + rng.standard_normal(p) * size
        self.kind = str(rng.choice(["frequency", "precision"]))
        self.w = None
        if rng.random() < 0.5:
            self.w = rng.integers(0, 4, n).astype(float) if self.kind == "frequency" else 10.0 ** rng.uniform(-1, 1, n)
            if (self.w > 0.0).sum() < p + 2:  # few rows counted twice are fitted exactly, which most priors refuse
                self.w = None
        self.rate = self.unit**2 * 10.0 ** rng.choice([-6, -2, 0, 1])
        near = rng.choice([1.0, 2.0]) + rng.choice([-0.01, 0.001, 0.01, 0.1, 0.5]) - 0.5 * self.n_w
        self.shape = float(near if near > 0.0 and rng.random() < 0.7 else 10.0 ** rng.choice([-3, -1, 0, 1]))
        self.scale = float(self.unit * 10.0 ** rng.choice([-1, 0, 0, 1]))
        self.limits = self.unit**2 * 10.0 ** np.array([rng.uniform(-3, 0), rng.uniform(0, 3)])

    @property
    def n_w(self):
        return self.n if self.w is None else self.w.sum() if self.kind == "frequency" else (self.w > 0).sum()

    def without(self, i):
        new = object.__new__(Problem)
        new.__dict__.update(self.__dict__)
        new.n, new.y, new.X = self.n - 1, np.delete(self.y, i), np.delete(self.X, i, axis=0)
        new.w = None if self.w is None else np.delete(self.w, i)
        return new


def laws(d):
    """Prior by name: the library's, log density of t, its exponent as t -> -infinity, limits on t, scale of dispersion.

    The exponent is None where the density falls off faster than any power of the precision.
    """
    s, a, b = d.scale, d.shape, d.rate

    def gamma(t):
        return a * math.log(b) - gammaln(a) + a * t - b * np.exp(t)

    def of_sd(logpdf):  # sd = exp(-t / 2), |d sd / dt| = sd / 2
        return lambda t: logpdf(np.exp(-0.5 * t)) - 0.5 * t - math.log(2.0)

    def half_t(df):
        constant = math.log(2.0 / s) + gammaln((df + 1) / 2) - gammaln(df / 2) - 0.5 * math.log(df * math.pi)
        return of_sd(lambda sd: constant - 0.5 * (df + 1) * np.log1p((sd / s) ** 2 / df))

    low, high = d.limits
    inside = stats.gamma(a, scale=1 / b)
    share = math.log(inside.cdf(1 / low) - inside.cdf(1 / high)) if inside.cdf(1 / low) > 1e-200 else math.nan
    independent = (d.mu, d.Sigma)
    return {
        "dNormal": (dNormal(*independent, dispersion=s**2), None, None, (-INF, INF)),
        "dNormal_Gamma": (dNormal_Gamma(*independent, a, b), gamma, a, (-INF, INF)),
        "dGamma": (dGamma(a, b, beta=d.mu), gamma, a, (-INF, INF)),
        "dIndependent_Normal_Gamma": (dIndependent_Normal_Gamma(*independent, a, b), gamma, a, (-INF, INF)),
        "limited": (
            dIndependent_Normal_Gamma(*independent, a, b, disp_lower=low, disp_upper=high),
            lambda t: gamma(t) - share,
            None,
            (-math.log(high), -math.log(low)),
        ),
        "half-normal": (
            dIndependent_Normal(*independent, dHalfNormal(s)),
            of_sd(lambda sd: 0.5 * math.log(2 / math.pi) - math.log(s) - 0.5 * (sd / s) ** 2),
            None,
            (-INF, INF),
        ),
        "half-Cauchy": (dIndependent_Normal(*independent, dHalfCauchy(s)), half_t(1.0), 0.5, (-INF, INF)),
        "half-t": (dIndependent_Normal(*independent, dHalfT(3.0, s)), half_t(3.0), 1.5, (-INF, INF)),
        "exponential": (
            dIndependent_Normal(*independent, dExponential(1 / s)),
            of_sd(lambda sd: -math.log(s) - sd / s),
            None,
            (-INF, INF),
        ),
        "uniform": (
            dIndependent_Normal(*independent, dUniform(5 * s)),
            of_sd(lambda sd: 0.0 * sd - math.log(5 * s)),
            None,
            (-2 * math.log(5 * s), INF),
        ),
    }


PRIORS = (
    "dNormal",
    "dNormal_Gamma",
    "dGamma",
    "dIndependent_Normal_Gamma",
    "limited",
    "half-normal",
    "half-Cauchy",
    "half-t",
    "exponential",
    "uniform",
)


class Oracle:
    """Posterior on a grid: points t, log masses, and the tail to the left of the first point."""

    def __init__(self, d, name):
        _, prior, power, (lower, upper) = laws(d)[name]
        w = np.ones(d.n) if d.w is None else d.w
        root = np.sqrt(w[w > 0])[:, None]
        X, r = root * d.X[w > 0], root[:, 0] * (d.y - d.X @ d.mu)[w > 0]
        self.conjugate = name == "dNormal_Gamma"
        self.mu, self.Sigma = d.mu, np.zeros_like(d.Sigma) if name == "dGamma" else d.Sigma
        if X.shape[0]:
            lam, U = np.linalg.eigh(X @ self.Sigma @ X.T)
            lam[: max(0, lam.size - d.p)] = 0.0
        else:
            lam, U = np.empty(0), np.empty((0, 0))
        self.lam, self.rho = np.maximum(lam, 0.0), U.T @ r
        low = np.zeros_like(d.Sigma) if name == "dGamma" else np.linalg.cholesky(d.Sigma)
        left, s, right = np.linalg.svd(X @ low)
        self.s, self.z = np.zeros((2, d.p))
        self.s[: s.size], self.z[: s.size] = s, (left.T @ r)[: s.size]
        rest = r - left[:, : s.size] @ self.z[: s.size]
        self.rss = float(rest @ rest) if rest.size > d.p else 0.0
        self.T = low @ right.T
        self.half = 0.5 * d.n_w
        self.constant = -self.half * math.log(2 * math.pi)
        self.constant += 0.5 * np.log(w[w > 0]).sum() if d.kind == "precision" and d.w is not None else 0.0
        self.prior = prior
        self.power = None if power is None else power + self.half
        if prior is None:  # the dispersion is known
            self.t = np.array([-2 * math.log(d.scale)])
            self.log_mass, self.tail = self.log_likelihood(self.t), -INF
        else:
            typical = -2 * math.log(d.scale) if name not in ("dGamma", "dNormal_Gamma") else 0.0
            scales = [typical, *(-np.log(self.lam[self.lam > 0])), -math.log(d.rate), -math.log(1.0 + r @ r)]
            left = max(min(scales) - 42.0, lower)
            right = min(max([*scales, math.log((self.half + 1) / max(r @ r, 1e-300))]) + 180.0, upper)
            edges = np.linspace(left, right, 2 + int((right - left) / 0.25))
            peak = edges[self.log_density(edges).argmax()]
            near = peak + np.linspace(-1.0, 1.0, 161)  # the density may be steep at a limit
            edges = np.unique(np.concatenate([edges, near[(near > left) & (near < right)]]))
            h = 0.5 * np.diff(edges)[:, None]
            self.t = (0.5 * (edges[1:] + edges[:-1])[:, None] + h * POINTS).ravel()
            height = self.log_density(self.t)
            self.log_mass = height + np.log(h * WEIGHTS).ravel()
            self.left = left
            self.tail = -INF if self.power is None else float(self.log_density(np.array([left]))[0])
            keep = self.log_mass > self.log_mass.max() - 200.0
            keep |= self.t < self.t[keep][0]  # moments may live there
            self.t, self.log_mass = self.t[keep], self.log_mass[keep]

    def log_likelihood(self, t):
        with np.errstate(over="ignore"):
            u = np.exp(np.minimum(t, 700.0))[:, None]
        odds = 1.0 + (self.lam if self.conjugate else self.lam * u)
        return self.constant + self.half * t - 0.5 * (np.log(odds) + u * self.rho**2 / odds).sum(axis=1)

    def log_density(self, t):
        with np.errstate(over="ignore"):
            return self.prior(t) + self.log_likelihood(t)

    def log_integral(self, k=0.0):
        """Log of the integral of dispersion^k times prior times likelihood."""
        if self.power is not None and not self.power > k:
            return INF
        value = float(logsumexp(self.log_mass - k * self.t))
        return (
            value if self.power is None else np.logaddexp(value, self.tail - k * self.left - math.log(self.power - k))
        )

    def expect(self, values, at_left):
        """Expectation of a function given on the grid that is `at_left` further left."""
        total = self.log_integral()
        rest = 0.0 if self.power is None else math.exp(self.tail - math.log(self.power) - total)
        return np.exp(self.log_mass - total) @ values + rest * at_left

    def dispersion(self):
        mean = math.exp(self.log_integral(1.0) - self.log_integral())
        if self.prior is None:
            return mean, 0.0
        if self.power is None:
            return mean, math.sqrt(self.expect((np.exp(-self.t) - mean) ** 2, 0.0))
        square = self.log_integral(2.0) - self.log_integral()
        if not square < INF:
            return mean, INF
        weight = np.exp(self.log_mass - self.log_integral())
        centred = weight @ (np.exp(-self.t) - mean) ** 2
        return mean, math.sqrt(
            centred + math.exp(self.tail - 2 * self.left - math.log(self.power - 2) - self.log_integral())
        )

    def given_t(self):
        """Means and variances of the coefficients, (K, p) each."""
        with np.errstate(over="ignore"):
            u = np.exp(np.minimum(self.t, 700.0))[:, None]
        odds = 1.0 + self.s**2 * (np.ones((1, 1)) if self.conjugate else u)
        mean = self.mu + (self.s * self.z * (odds - 1.0) / odds / np.where(self.s > 0.0, self.s**2, 1.0)) @ self.T.T
        var = (1.0 / odds) @ (self.T**2).T
        return np.broadcast_to(mean, (self.t.size, mean.shape[1])), var / u if self.conjugate else var

    def deviance(self):
        """Expected -2 log-likelihood; far left it is that of coefficients from the prior with no precision."""
        with np.errstate(over="ignore"):
            u = np.exp(np.minimum(self.t, 700.0))
        odds = 1.0 + self.s**2 * (np.ones((1, 1)) if self.conjugate else u[:, None])
        errors = self.rss * u + u * ((self.z / odds) ** 2).sum(axis=1) + (1.0 - 1.0 / odds).sum(axis=1)
        at_left = (1.0 - 1.0 / odds[:1]).sum() if self.conjugate else 0.0
        far = 0.0 if self.power is None else self.left - 1.0 / self.power
        return -2.0 * self.constant + self.expect(errors - 2.0 * self.half * self.t, at_left - 2.0 * self.half * far)

    def coefficients(self):
        """Means and standard deviations."""
        if not self.Sigma.any():
            return self.mu, np.zeros(self.mu.size)
        mean, var = self.given_t()
        centre = self.expect(mean, self.mu)
        if self.conjugate:
            return mean[0], np.sqrt(var[0] * math.exp(self.t[0]) * self.dispersion()[0])
        return centre, np.sqrt(self.expect(var + (mean - centre) ** 2, np.diag(self.Sigma) + (self.mu - centre) ** 2))

    def cdf(self, values):
        mean, var = self.given_t()
        left = 0.5 if self.conjugate else ndtr((values - self.mu) / np.sqrt(np.diag(self.Sigma)))
        return self.expect(ndtr((values - mean) / np.sqrt(var)), left)


def close(ours, truth, what, rtol=2e-8):
    np.testing.assert_allclose(ours, truth, rtol=rtol, err_msg=what)


def check(d, name, rng):
    fit = lmb(y=d.y, X=d.X, pfamily=laws(d)[name][0], weights=d.w, weights_type=d.kind, n=DRAWS, rng=rng)
    truth = Oracle(d, name)
    mean, sd = truth.coefficients()
    close([fit.moments.dispersion_mean, fit.moments.dispersion_sd], truth.dispersion(), "dispersion")
    finite = np.where(np.isfinite(sd) & (sd > 0.0), sd, np.abs(mean))
    np.testing.assert_allclose((fit.moments.mean - mean) / finite, 0.0, atol=1e-7, err_msg="means")
    close(np.sqrt(np.diag(fit.moments.cov)), sd, "sd")
    mixture = fit.conditional(np.eye(d.p))
    close(mixture.location()[1], sd, "sd of the mixture")
    assert fit.expected_deviance() == pytest.approx(truth.deviance(), abs=1e-7, rel=1e-9)
    evidence = truth.log_integral()
    assert fit.log_marginal_likelihood() == pytest.approx(evidence, abs=1e-8, rel=1e-11)
    if name != "dGamma":
        for q in (0.025, 0.5):
            at = mixture.quantile(q)
            close(truth.cdf(at), np.full(d.p, q), f"quantile {q}", rtol=1e-7)
            off = (fit.draws.coefficients <= at).sum(axis=0) - DRAWS * q
            assert np.all(np.abs(off) <= 4.5 * math.sqrt(DRAWS * q * (1 - q))), "draws of the coefficients"
    if name != "dNormal":
        centre = truth.expect(truth.t, 0.0 if truth.power is None else truth.left - 1 / truth.power)
        spread = math.sqrt(truth.expect((truth.t - centre) ** 2, 0.0))
        off = (-np.log(fit.draws.dispersion)).mean() - centre
        assert abs(off) <= 4.5 * spread / math.sqrt(DRAWS) * 1.001, "draws of the dispersion"
    used = np.flatnonzero(np.ones(d.n) if d.w is None else d.w)
    if d.n <= 8 and used.size > 1:
        scores = fit.loo().pointwise[used]
        left_out = [evidence - Oracle(d.without(i), name).log_integral() for i in used]
        np.testing.assert_allclose(scores, left_out, rtol=1e-9, atol=1e-8, err_msg="leave-one-out")


@pytest.mark.parametrize("name", PRIORS)
def test_against_brute_force(name, rng):
    for case in range(PROBLEMS):
        d = Problem(rng)
        try:
            check(d, name, rng)
        except AssertionError as error:
            error.add_note(f"problem {case}: n {d.n}, p {d.p}, weights {d.w}, shape {d.shape}, rate {d.rate}")
            raise


# Plant weights (Dobson 1990) under independent, informative normals on the coefficients and the shape and rate of R
# glmbayes 0.9.75's Prior_Setup: posterior means, sds and quantiles by quadrature, computed elsewhere to 1e-8.  The
# package itself keeps the dispersion within these limits, unasked.
DOBSON = {
    "prior": ([4.8465, 0.0], np.diag([0.0048048726275, 0.009609745255]), 1.6010101010101, 0.291694644767116),
    "limits": (0.239560935631207, 0.972058157248167),
    "free": (
        [4.849735671984, -0.0339831717358214, 0.473111158787766],
        [0.0633317089643278, 0.0899351333567644, 0.153590440803652],
        [[4.72548364679626, -0.209761718304872], [4.84977051707299, -0.0341676543837934]],
    ),
    "limited": (
        [4.84970035608023, -0.0339080098961887, 0.469144205860923],
        [0.0633367702398197, 0.0898952526974841, 0.13701496024495],
        [[4.72545514319098, -0.209668589512839], [4.84973030460345, -0.034070313141276]],
    ),
}


@pytest.mark.parametrize("which", ["free", "limited"])
def test_plant_weights_with_an_informative_prior(which, rng):
    low, high = DOBSON["limits"] if which == "limited" else (None, None)
    prior = dIndependent_Normal_Gamma(*DOBSON["prior"], disp_lower=low, disp_upper=high)
    fit = lmb("weight ~ group", datasets.load("plant_weight"), prior, n=20_000, rng=rng)
    mean, sd, quantiles = DOBSON[which]
    m = fit.moments
    np.testing.assert_allclose([*m.mean, m.dispersion_mean], mean, rtol=1e-8)
    np.testing.assert_allclose([*np.sqrt(np.diag(m.cov)), m.dispersion_sd], sd, rtol=1e-8)
    for q, values in zip((0.025, 0.5), quantiles):
        np.testing.assert_allclose(fit.conditional(np.eye(2)).quantile(q), values, rtol=1e-8)
    assert_mean(np.column_stack([fit.draws.coefficients, fit.draws.dispersion]), np.array(mean))
    assert_sd(np.column_stack([fit.draws.coefficients, fit.draws.dispersion]), np.array(sd))
