"""beta given a known dispersion."""

import numpy as np

from glmbayes.errors import ImproperPosteriorError
from glmbayes.kernels.normal import normal_draws

CHUNK = 1 << 18  # variates a compiled call turns into draws: well under 0.2 s, so that Ctrl-C is noticed


def ones(n):
    """`n` int ones; `np.ones` costs a microsecond more."""
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
        step = n if n * p <= CHUNK else max(1, CHUNK // p)
        for start in range(0, n, step):
            part = draws if step == n else draws[start : start + step]
            rng.standard_normal(out=part)
            if not normal_draws(self.rows.triangle, prior.mu, prior.low, self.dispersion, part, self.coef_mode):
                raise ImproperPosteriorError(
                    "the posterior of the coefficients is improper: columns of x with an infinite prior variance "
                    "are linearly dependent in the data. Give them finite prior variances or drop columns."
                )
        dispersion = np.empty(n)
        dispersion.fill(self.dispersion)
        return draws, dispersion, ones(n)
