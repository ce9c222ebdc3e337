"""beta given a known dispersion."""

import numpy as np

from glmbayes.errors import ImproperPosteriorError, InputError
from glmbayes.kernels.normal import build_normal, draws_from_normal, normal_draws
from glmbayes.posteriors.mixture import Mixture
from glmbayes.posteriors.moments import LOG_2PI, Moments

CHUNK = 1 << 18  # variates a compiled call turns into draws: well under 0.2 s, so that Ctrl-C is noticed

_ONE = np.ones(1, np.int64)


def ones(n):
    """`n` int ones; `np.ones` costs a microsecond more."""
    if n == 1:
        return _ONE.copy()
    array = np.empty(n, np.int64)
    array.fill(1)
    return array


class NormalPosterior:
    """Posterior N(mean, V) of beta, the dispersion known."""

    __slots__ = ("coef_mode", "dispersion", "prior", "rows")

    def __init__(self, rows, prior, dispersion):
        self.rows = rows
        self.prior = prior
        self.dispersion = dispersion
        self.coef_mode = np.empty(prior.mu.shape[0])

    def draw(self, n, rng):
        """`n` draws: coefficients (n, p), dispersion (n,), candidates (n,)."""
        prior = self.prior
        p = prior.mu.shape[0]
        draws = np.empty((n, p))
        if n * p <= CHUNK:
            rng.standard_normal(out=draws)
            if not normal_draws(self.rows.triangle, prior.mu, prior.low, self.dispersion, draws, self.coef_mode):
                raise self._singular()
        else:
            self.coef_mode[:] = 0.0
            factor = self._factor()
            draws_from_normal(prior.mu, factor, self.coef_mode.reshape(1, -1))
            if not np.isfinite(self.coef_mode).all():
                raise self._singular()
            step = max(1, CHUNK // p)
            for start in range(0, n, step):
                part = draws[start : start + step]
                rng.standard_normal(out=part)
                draws_from_normal(prior.mu, factor, part)
        dispersion = np.empty(n)
        dispersion.fill(self.dispersion)
        return draws, dispersion, ones(n)

    def _factor(self):
        prior = self.prior
        p = prior.mu.shape[0]
        factor = np.empty((2 * p, p + 1))
        if not build_normal(self.rows.triangle, prior.mu, prior.low, self.dispersion, factor):
            self.coef_mode[:] = 0.0
            raise self._singular()
        return factor

    def _singular(self):
        if self.prior.flat:
            return ImproperPosteriorError(
                "the posterior of the coefficients is improper: columns of x with an infinite prior variance "
                "are linearly dependent in the data. Give them finite prior variances or drop columns."
            )
        if not np.isfinite(self.coef_mode).all():
            return InputError(
                "the posterior of the coefficients leaves what a double holds: use other units for y, x, mu or Sigma."
            )
        return InputError(
            "the posterior of the coefficients cannot be resolved in double precision: columns of x are linearly "
            "dependent and the prior is too vague beside them. Drop columns or use a smaller Sigma."
        )

    def moments(self):
        """Posterior mean and covariance of beta; the dispersion is known."""
        factor = self._factor()
        p = self.prior.mu.shape[0]
        inverse = np.linalg.inv(factor[:p, :p])
        return Moments(self.prior.mu + inverse @ factor[:p, p], inverse @ inverse.T, self.dispersion, 0.0)

    def conditional(self, combinations):
        """Distribution of the linear combinations `combinations` (k, p) of beta: one normal component."""
        factor = self._factor()
        p = self.prior.mu.shape[0]
        half = np.linalg.solve(factor[:p, :p].T, combinations.T).T  # L A^-1
        mean = combinations @ self.prior.mu + half @ factor[:p, p]
        return Mixture.normal(mean, (half**2).sum(axis=1), -np.log(self.dispersion))

    def scaled_errors(self):
        """As `IndependentPosterior.scaled_errors`; the dispersion is known."""
        triangle = self.rows.triangle
        p = self.prior.mu.shape[0]
        fitted = self.conditional(triangle[:p, :p])
        errors = triangle[p, p] ** 2 + ((triangle[:p, p] - fitted.mean) ** 2 + fitted.bounded).sum(axis=1)
        return fitted.t, fitted.weight, errors / self.dispersion

    def log_evidence(self):
        """Log marginal likelihood of the data, all constants included."""
        rows, prior = self.rows, self.prior
        p = prior.mu.shape[0]
        if prior.flat:
            raise_for_flat()
        factor = self._factor()
        fit = rows.triangle[p, p] ** 2 / self.dispersion + factor[p, p] ** 2
        volume = np.log(np.diag(prior.low)).sum() + np.log(np.abs(np.diag(factor[:p, :p]))).sum()
        return float(0.5 * rows.log_weights - 0.5 * rows.n_w * (LOG_2PI + np.log(self.dispersion)) - 0.5 * fit - volume)


def raise_for_flat():
    """The marginal likelihood does not exist under an improper prior."""
    raise InputError(
        "the marginal likelihood is undefined: the prior is improper (infinite variances or a flat prior on the "
        "dispersion). Use proper priors to compare models."
    )
