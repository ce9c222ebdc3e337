"""(beta, dispersion) under the conjugate normal-gamma prior."""

import math

import numpy as np

from glmbayes.kernels.log_precision import IMPROPER_HIGH
from glmbayes.kernels.normal_gamma import draws_from_normal_gamma, explained_errors, normal_gamma_draws
from glmbayes.posteriors.gamma_variates import standard_gamma
from glmbayes.posteriors.log_precision import LogPrecision, gamma_moments, raise_for
from glmbayes.posteriors.mixture import Mixture
from glmbayes.posteriors.moments import LOG_2PI, Moments
from glmbayes.posteriors.normal import CHUNK, ones
from glmbayes.posteriors.spectral import SMALL_P, diagonalise


class NormalGammaPosterior:
    """Joint posterior; the dispersion's is inverse gamma, beta's given it normal."""

    __slots__ = ("coef_mode", "prior", "rate", "rows", "shape")

    def __init__(self, rows, prior, shape, rate):
        self.rows = rows
        self.prior = prior
        self.shape = shape + 0.5 * rows.n_w
        self.rate = rate
        self.coef_mode = np.empty(prior.mu.shape[0])

    def draw(self, n, rng):
        """`n` draws: coefficients (n, p), dispersion (n,), candidates (n,)."""
        prior = self.prior
        p = prior.mu.shape[0]
        draws = np.empty((n, p))
        dispersion = standard_gamma(rng, self.shape, n)
        if p <= SMALL_P and n * p <= CHUNK:
            rng.standard_normal(out=draws)
            triangle = self.rows.triangle
            raise_for(normal_gamma_draws(triangle, prior.mu, prior.low, self.rate, draws, dispersion, self.coef_mode))
            return draws, dispersion, ones(n)
        s, z, rate, transform = self.spectral()
        if not rate > 0.0:
            raise_for(IMPROPER_HIGH)
        self.coef_mode[:] = prior.mu + transform @ (s * z / (1.0 + s * s))
        step = max(1, CHUNK // p)
        for start in range(0, n, step):
            part = draws[start : start + step]
            rng.standard_normal(out=part)
            draws_from_normal_gamma(s, z, prior.mu, transform, rate, part, dispersion[start : start + step])
        return draws, dispersion, ones(n)

    def spectral(self):
        """s, z, the posterior rate of the precision, and T with beta = mu + T c; see `glmbayes.kernels.spectral`."""
        s, z, rss, transform = diagonalise(self.rows.triangle, self.prior.mu, self.prior.low)
        return s, z, self.rate + 0.5 * explained_errors(s, z, rss), transform

    def moments(self):
        """Posterior means and covariances in closed form."""
        s, z, rate, transform = self.spectral()
        a = self.shape
        v = 1.0 / (1.0 + s * s)
        mean, sd = gamma_moments(a, rate)
        cov = np.full(transform.shape, math.inf) if a <= 1.0 else mean * (transform * v) @ transform.T
        return Moments(self.prior.mu + transform @ (s * z * v), cov, mean, sd)

    @property
    def log_precision(self):
        """The marginal of t = log(1 / dispersion)."""
        return LogPrecision.of_gamma(self.shape, self.spectral()[2], 0.0, math.inf)

    def scaled_errors(self):
        """As `IndependentPosterior.scaled_errors`."""
        s, z, rss, _ = diagonalise(self.rows.triangle, self.prior.mu, self.prior.low)
        v = 1.0 / (1.0 + s * s)
        t, weight = self.log_precision.nodes
        return t, weight, np.exp(t) * (rss + ((z * v) ** 2).sum()) + (1.0 - v).sum()

    def given_log_precision(self, combinations, t):
        """Linear combinations (k, p) of beta given log precisions `t` (K,): means, and variances per dispersion.

        As `IndependentPosterior.given_log_precision`: the whole variance is proportional to the dispersion.
        """
        s, z, _, transform = self.spectral()
        v = 1.0 / (1.0 + s * s)
        half = combinations @ transform
        mean = np.broadcast_to(combinations @ self.prior.mu + half @ (s * z * v), (t.shape[0], half.shape[0]))
        return mean, np.zeros(mean.shape), (half * half) @ v

    def conditional(self, combinations):
        """Distribution of the linear combinations `combinations` (k, p) of beta over the precision."""
        law = self.log_precision
        t, weight = law.nodes
        return Mixture(weight, t, *self.given_log_precision(combinations, t), law.dispersion_moments[0])

    def log_evidence(self):
        """Log marginal likelihood of the data, all constants included."""
        s, _, rate, _ = self.spectral()
        rows = self.rows
        a = self.shape - 0.5 * rows.n_w
        constant = 0.5 * rows.log_weights - 0.5 * rows.n_w * LOG_2PI - 0.5 * np.log1p(s * s).sum()
        return float(
            constant + a * math.log(self.rate) - math.lgamma(a) + math.lgamma(self.shape) - self.shape * math.log(rate)
        )
