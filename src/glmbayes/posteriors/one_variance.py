"""Models with one unknown variance: y ~ N(X beta + Z a, I), a ~ N(0, I / u): exact iid draws of (u, a, beta).

In the coordinates of `glmbayes.posteriors.two_levels` the log density of t = log u is, with lambda_i = 1 / s_i^2, a sum
over i of

    t/2 - 1/2 log(1 + lambda_i u) - 1/2 y*_i^2 lambda_i u / (1 + lambda_i u),

of the form of `kernels.log_density`, from which draws are exact; the same holds for any prior of `priors.sigma` and for
gamma precisions.
"""

import math

import numpy as np

from glmbayes.errors import ImproperPosteriorError
from glmbayes.kernels.log_density import LogDensity
from glmbayes.posteriors.log_precision import LogPrecision
from glmbayes.posteriors.two_levels import TwoLevels


class OneVariance:
    """Posterior of (u, a, beta); `terms` and `upper` describe the prior on u (see `glmbayes.priors.sigma`).

    Parameters
    ----------
    y, X, Z : (N,), (N, p), (N, m) arrays
        In units of the known residual standard deviations.
    terms : (6,) array
    upper : float
        Largest standard deviation of the effects.
    """

    def __init__(self, y, X, Z, terms, upper):
        self.levels = TwoLevels(y, X, Z)
        self.t = self._marginal(terms, upper)

    def _marginal(self, terms, upper):
        power, rate, c, d, e, g = (float(v) for v in terms)
        seen = self.levels.seen
        lam, k = 1.0 / self.levels.s2[seen], 0.5 * self.levels.projected2[seen]
        a = power + 1.0 + 0.5 * lam.size
        lower = -2.0 * math.log(upper) if upper < math.inf else -math.inf
        if lower == -math.inf and c == 0.0 and d == 0.0 and not a > 0.0:
            raise ImproperPosteriorError(
                f"the posterior is improper: with {lam.size} independent contrast(s) between groups the "
                "likelihood does not fall off for large group standard deviations, and the prior does not either. "
                "Use a proper prior such as dHalfT(3, scale), or more groups (a flat prior needs three)."
            )
        return LogPrecision(LogDensity(a, rate, c, d, e, g, lam, k, lower, math.inf))

    @property
    def tail(self):
        """The density of the effects' standard deviation falls off with power -2 tail - 1."""
        f = self.t.density
        return f.a if f.lower == -math.inf and f.c == 0.0 and f.d == 0.0 else math.inf

    def draw(self, n, rng):
        """`n` draws: u (n,), effects (n, m), beta (n, p), and candidates per draw (n,)."""
        t, iters = self.t.draw(n, rng)
        u = np.exp(t)
        return u, *self.levels.draw(u, np.ones(n), rng), iters

    def moments(self, combinations):
        """Mean and variance of combinations (k, p + m) of (beta, a) given u, at the quadrature points.

        Returns weights (K,), t (K,), means and variances (K, k).
        """
        t, weight = self.t.nodes
        return weight, t, *self.levels.moments(np.exp(t), combinations)
