"""Models with one unknown variance: y ~ N(X beta + Z a, I), a ~ N(0, I / u): exact iid draws of (u, a, beta).

beta is flat here (a proper normal prior adds rows to y, X, Z: pseudo-observations with Z = 0).  With C the orthogonal
complement of X and the singular value decomposition C Z = U S V', the coordinates y* = U'C y are independent,

    y*_i ~ N(0, 1 + s_i^2 / u),

so the log density of t = log u is, with lambda_i = 1 / s_i^2, a sum over i of

    t/2 - 1/2 log(1 + lambda_i u) - 1/2 y*_i^2 lambda_i u / (1 + lambda_i u),

of the form of `kernels.log_density`, from which draws are exact; the same holds for any prior of `priors.sigma` and for
gamma precisions.  Given u, V'a is normal with independent coordinates, and beta given a is normal.
"""

import math

import numpy as np

from glmbayes.errors import ImproperPosteriorError
from glmbayes.kernels.log_density import LogDensity
from glmbayes.posteriors.log_precision import LogPrecision

_ZERO = 1e-13  # singular values below this share of the largest are 0


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
        p = X.shape[1]
        q, r = np.linalg.qr(X, mode="complete")
        self.root, self.fitted = r[:p], q[:, :p].T
        self.y, self.Z = y, Z
        rest = q[:, p:].T
        u, s, vt = np.linalg.svd(rest @ Z, full_matrices=True)
        m = Z.shape[1]
        self.vt = vt
        self.s2 = np.zeros(m)
        self.sz = np.zeros(m)
        k = min(s.size, m)
        s = np.where(s > _ZERO * (s.max() if s.size else 0.0), s, 0.0)[:k]
        projected = u.T @ (rest @ y)
        self.s2[:k] = s**2
        self.sz[:k] = s * projected[:k]
        self.seen = self.s2 > 0.0
        self.projected2 = np.zeros(m)
        self.projected2[:k] = projected[:k] ** 2
        self.rss = float((projected[k:] ** 2).sum() + self.projected2[:k][s == 0.0].sum())
        self.t = self._marginal(terms, upper)

    def _marginal(self, terms, upper):
        power, rate, c, d, e, g = (float(v) for v in terms)
        lam, k = 1.0 / self.s2[self.seen], 0.5 * self.projected2[self.seen]
        a = power + 1.0 + 0.5 * lam.size
        lower = -2.0 * math.log(upper) if upper < math.inf else -math.inf
        if lower == -math.inf and c == 0.0 and d == 0.0 and not a > 0.0:
            raise ImproperPosteriorError(
                f"the posterior is improper: with {int(self.seen.sum())} independent contrast(s) between groups the "
                "likelihood does not fall off for large group standard deviations, and the prior does not either. "
                "Use a proper prior such as dHalfT(3, scale), or more groups (a flat prior needs three)."
            )
        return LogPrecision(LogDensity(a, rate, c, d, e, g, lam, k, lower, math.inf))

    def draw(self, n, rng):
        """`n` draws: u (n,), effects (n, m), beta (n, p), and candidates per draw (n,)."""
        t, iters = self.t.draw(n, rng)
        u = np.exp(t)
        precision = u[:, None] + self.s2
        c = rng.standard_normal((n, self.s2.size))
        c /= np.sqrt(precision)
        c += self.sz / precision
        a = c @ self.vt
        p = self.root.shape[0]
        if p == 0:
            return u, a, np.empty((n, 0)), iters
        target = self.fitted @ self.y - a @ (self.fitted @ self.Z).T + rng.standard_normal((n, p))
        return u, a, np.linalg.solve(self.root, target.T).T, iters

    def moments(self, combinations):
        """Mean and variance of combinations (k, p + m) of (beta, a) given u, at the quadrature points.

        Returns weights (K,), t (K,), means and variances (K, k).
        """
        t, weight = self.t.nodes
        u = np.exp(t)[:, None]
        p = self.root.shape[0]
        on_beta, on_a = combinations[:, :p], combinations[:, p:]
        constant, spread = 0.0, 0.0
        if p:
            back = np.linalg.solve(self.root.T, on_beta.T).T  # on_beta R^-1
            constant = back @ (self.fitted @ self.y)
            spread = (back**2).sum(axis=1)
            on_a = on_a - back @ (self.fitted @ self.Z)
        rotated = on_a @ self.vt.T
        precision = u + self.s2
        return weight, t, constant + (self.sz / precision) @ rotated.T, spread + (1.0 / precision) @ (rotated**2).T
