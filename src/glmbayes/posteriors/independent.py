"""(beta, dispersion) under a normal prior on beta and an independent prior on the dispersion."""

import math
from functools import cached_property

import numpy as np

from glmbayes.errors import ImproperPosteriorError
from glmbayes.kernels import log_precision as kernel
from glmbayes.kernels.independent import draws_given_log_precisions, independent_draws, marginal_log_precision
from glmbayes.kernels.spectral import EXACT_FIT, data_size
from glmbayes.posteriors.log_precision import LogPrecision, dispersion_of, limits_on_t, raise_for
from glmbayes.posteriors.mixture import Mixture
from glmbayes.posteriors.moments import LOG_2PI, Moments
from glmbayes.posteriors.normal import CHUNK, raise_for_flat
from glmbayes.posteriors.spectral import SMALL_P, diagonalise
from glmbayes.random import standard_normals

_FEW = 8  # draws up to which set-up and draws are one compiled call


class IndependentPosterior:
    """Joint posterior; the log precision's marginal is one-dimensional, beta given it is normal."""

    def __init__(self, rows, prior, on_precision):
        """`prior`: the coefficient part; `on_precision`: has terms, disp_lower, disp_upper and log_constant."""
        self.rows = rows
        self.prior = prior
        self.on_precision = on_precision
        self.terms = on_precision.terms
        self.disp_limits = (on_precision.disp_lower, on_precision.disp_upper)
        self.limits = limits_on_t(*self.disp_limits)

    @property
    def n_flat(self):
        return self._projected[3]

    @cached_property
    def _projected(self):
        """The problem with flat coefficients projected out: triangle, mu, low and their number.

        With the flat columns first, the lower right corner of the triangle is the regression of the rest.
        """
        prior, triangle = self.prior, self.rows.triangle
        if not prior.flat:
            return triangle, prior.mu, prior.low, 0
        flat = np.isinf(np.diag(prior.Sigma))
        q = int(flat.sum())
        order = np.concatenate([np.nonzero(flat)[0], np.nonzero(~flat)[0], [triangle.shape[1] - 1]])
        permuted = np.linalg.qr(triangle[:, order], mode="r")
        head = permuted[:q, :q]
        scale = np.linalg.norm(triangle[:, order[:q]], axis=0)
        singular = np.linalg.svd(head / np.where(scale > 0, scale, 1.0), compute_uv=False)
        if not (scale > 0).all() or singular[-1] < 1e-13 * singular[0]:
            raise ImproperPosteriorError(
                "the posterior is improper: columns of x with an infinite prior variance are linearly dependent in "
                "the data. Give them finite prior variances or drop columns."
            )
        rest = order[q:-1]
        corner = np.zeros((rest.size + 1, rest.size + 1))
        corner[:] = permuted[q:, q:]
        self._flat = (order, permuted[:q])
        low = np.ascontiguousarray(prior.low[np.ix_(rest, rest)])
        return corner, np.ascontiguousarray(prior.mu[rest]), low, q

    @cached_property
    def _spectral(self):
        triangle, mu, low, _ = self._projected
        s, z, rss, transform = diagonalise(triangle, mu, low)
        if self.n_flat and rss <= EXACT_FIT * data_size(self.rows.triangle, self.prior.mu):
            rss = 0.0  # an exact fit shows against the data before the projection only
        return s, z, rss, transform

    @property
    def spectrum(self):
        """Singular values, projections and residual sum of squares: see `glmbayes.kernels.spectral`."""
        s, z, rss, _ = self._spectral
        return s, z, rss

    @cached_property
    def log_precision(self):
        """The marginal of t = log(1 / dispersion)."""
        s, z, rss = self.spectrum
        n_w = self.rows.n_w - self.n_flat
        return LogPrecision(marginal_log_precision(s, z, rss, n_w, self.terms, *self.limits))

    @cached_property
    def coef_mode(self):
        """Mode of beta given the dispersion at the mode of its marginal in log dispersion."""
        t = self.log_precision.mode
        return self._coefficients(np.array([t]), np.zeros((1, self._projected[1].shape[0])), None)[0]

    def _coefficients(self, t, normals, flat_normals):
        s, z, _, transform = self._spectral
        mu = self._projected[1]
        n = t.shape[0]
        step = max(1, CHUNK // (mu.shape[0] + self.n_flat))
        pieces = [slice(i, i + step) for i in range(0, n, step)]
        if mu.shape[0]:
            for some in pieces:
                draws_given_log_precisions(s, z, mu, transform, t[some], normals[some])
        if not self.n_flat:
            return normals
        order, top = self._flat
        q = self.n_flat
        out = np.empty((n, order.size - 1))
        for some in pieces:
            rhs = top[:, -1] - normals[some] @ top[:, q:-1].T
            if flat_normals is not None:
                rhs += flat_normals[some] * np.sqrt(dispersion_of(t[some]))[:, None]
            out[some, order[q:-1]] = normals[some]
            out[some, order[:q]] = np.linalg.solve(top[:, :q], rhs.T).T
        return out

    def draw(self, n, rng):
        """`n` draws: coefficients (n, p), dispersion (n,), candidates (n,)."""
        p = self._projected[1].shape[0]
        if n <= _FEW and not self.n_flat and p <= SMALL_P:
            return self._draw_few(n, rng)
        t, iters = self.log_precision.draw(n, rng)
        dispersion = dispersion_of(t, *self.disp_limits)
        flat_normals = standard_normals(rng, (n, self.n_flat)) if self.n_flat else None
        return self._coefficients(t, standard_normals(rng, (n, p)), flat_normals), dispersion, iters

    def _draw_few(self, n, rng):
        prior = self.prior
        normals = rng.standard_normal((n, prior.mu.shape[0]))
        uniforms = rng.random(6 * n + 6)
        dispersion = np.empty(n)
        iters = np.empty(n, np.int64)
        mode = np.empty(prior.mu.shape[0])
        while True:
            draws = normals.copy()
            status = independent_draws(
                self.rows.triangle,
                prior.mu,
                prior.low,
                self.rows.n_w,
                self.terms,
                *self.limits,
                uniforms,
                draws,
                dispersion,
                iters,
                mode,
            )
            if status != kernel.NEED_MORE:
                break
            uniforms = np.concatenate([uniforms, rng.random(uniforms.size)])
        raise_for(status)
        if self.disp_limits != (0.0, math.inf):
            np.clip(dispersion, *self.disp_limits, out=dispersion)  # exp(-log) may be off by the last digit
        self.__dict__.setdefault("coef_mode", mode)
        return draws, dispersion, iters

    def moments(self):
        """Posterior means and covariances by one-dimensional quadrature over the log precision."""
        mu = self._projected[1]
        transform = self._spectral[3]
        t, weight = self.log_precision.nodes
        mean_phi, sd_phi = self.log_precision.dispersion_moments
        c, left = self._spectral_conditional(t)
        mean_c = weight @ c
        cov_c = (c - mean_c).T @ ((c - mean_c) * weight[:, None]) + np.diag(weight @ left)
        mean, cov = mu + transform @ mean_c, transform @ cov_c @ transform.T
        if self.n_flat:
            mean, cov = self._with_flat(mean, cov, mean_phi)
        return Moments(mean, cov, mean_phi, sd_phi)

    def _spectral_conditional(self, t):
        """Means (K, p) and variances (K, p) of the spectral coordinates c given log precisions `t` (K,)."""
        s, z, _ = self.spectrum
        with np.errstate(divide="ignore", over="ignore"):
            odds = np.exp(t[:, None] + 2.0 * np.log(s))  # lambda u
        left = 1.0 / (1.0 + odds)
        return np.divide(z, s, out=np.zeros_like(z), where=s > 0.0) * np.where(
            odds < 1.0, odds * left, 1.0 - left
        ), left

    def scaled_errors(self):
        """Log precisions (K,), their weights, and the expected sum of squared errors over the dispersion given each."""
        _, z, rss = self.spectrum
        t, weight = self.log_precision.nodes
        _, left = self._spectral_conditional(t)
        # E u (z - s c)^2 = u z^2 left^2 + u s^2 left, and the latter is 1 - left
        root = np.exp(0.5 * t)[:, None] * left
        return t, weight, np.exp(t) * rss + ((root * z) ** 2 + 1.0 - left).sum(axis=1) + self.n_flat

    def conditional(self, combinations):
        """Distribution of the linear combinations `combinations` (k, p) of beta over the precision."""
        t, weight = self.log_precision.nodes
        mean_phi = self.log_precision.dispersion_moments[0]
        return Mixture(weight, t, *self.given_log_precision(combinations, t), mean_phi)

    def given_log_precision(self, combinations, t):
        """Linear combinations (k, p) of beta given log precisions `t` (K,): see `Mixture`.

        Returns means and variances (K, k), the latter without a part that is the dispersion times the third (k,).
        """
        mu, transform = self._projected[1], self._spectral[3]
        c, left = self._spectral_conditional(t)
        constant, per_dispersion = 0.0, np.zeros(combinations.shape[0])
        if self.n_flat:
            order, top = self._flat
            q = self.n_flat
            half = np.linalg.solve(top[:, :q].T, combinations[:, order[:q]].T).T
            combinations = combinations[:, order[q:-1]] - half @ top[:, q:-1]
            constant = half @ top[:, -1]
            per_dispersion = (half**2).sum(axis=1)
        half = combinations @ transform
        return constant + combinations @ mu + c @ half.T, left @ (half * half).T, per_dispersion

    def _with_flat(self, mean, cov, mean_phi):
        """Moments of all coefficients from those of the coefficients with proper priors."""
        order, top = self._flat
        q = self.n_flat
        solve = np.linalg.inv(top[:, :q])
        slope = -solve @ top[:, q:-1]
        full = np.empty((order.size - 1, order.size - 1))
        own = slope @ cov @ slope.T + mean_phi * solve @ solve.T if mean_phi < math.inf else np.full((q, q), math.inf)
        joint = np.block([[own, slope @ cov], [cov @ slope.T, cov]])
        full[np.ix_(order[:-1], order[:-1])] = joint
        means = np.empty(order.size - 1)
        means[order[:-1]] = np.concatenate([solve @ top[:, -1] + slope @ mean, mean])
        return means, full

    def log_evidence(self):
        """Log marginal likelihood by one-dimensional quadrature, all constants included."""
        constant = self.on_precision.log_constant
        if self.n_flat or math.isnan(constant):
            raise_for_flat()
        e, g = self.terms[4:]
        rows = self.rows
        constant += 0.5 * rows.log_weights - 0.5 * rows.n_w * LOG_2PI - e * math.log(g)
        return constant + self.log_precision.log_normaliser
