"""Two levels of normals in coordinates that are independent: y ~ N(X beta + Z a, sigma^2 I), a ~ N(0, sigma^2 I / u).

beta is flat here (a proper normal prior adds rows to y, X, Z: pseudo-observations with Z = 0).  With C the orthogonal
complement of X and the singular value decomposition C Z = U S V', the coordinates y* = U'C y are independent,

    y*_i ~ N(0, sigma^2 (1 + s_i^2 / u)),

and so are those of V'a given u; beta given a is normal.
"""

import math

import numpy as np

_ZERO = 1e-13  # singular values below this share of Z's longest column are 0
_FREE = 1e-9  # coordinates below this share of a combination's length are rounding


class TwoLevels:
    """The decomposition, and what follows from it given u.

    Parameters
    ----------
    y, X, Z : (N,), (N, p), (N, m) arrays

    Attributes
    ----------
    s2, projected2 : (m,) arrays
        Squares of the singular values (0 beyond the rank) and of y*.
    seen : (m,) boolean array
        Where they are not 0.
    rss : float
        The part of y'C y that no effect explains.
    """

    def __init__(self, y, X, Z):
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
        s = np.where(s > _ZERO * math.sqrt((Z**2).sum(axis=0).max(initial=0.0)), s, 0.0)[:k]
        projected = u.T @ (rest @ y)
        self.s2[:k] = s**2
        self.sz[:k] = s * projected[:k]
        self.seen = self.s2 > 0.0
        self.projected2 = np.zeros(m)
        self.projected2[:k] = projected[:k] ** 2
        self.rss = float((projected[k:] ** 2).sum() + self.projected2[:k][s == 0.0].sum())

    def draw(self, u, sigma, rng):
        """Effects (n, m) and beta (n, p) given u (n,) and sigma (n,)."""
        n, p = u.size, self.root.shape[0]
        precision = u[:, None] + self.s2
        c = rng.standard_normal((n, self.s2.size)) * sigma[:, None]
        c /= np.sqrt(precision)
        c += self.sz / precision
        a = c @ self.vt
        if p == 0:
            return a, np.empty((n, 0))
        noise = rng.standard_normal((n, p)) * sigma[:, None]
        target = self.fitted @ self.y - a @ (self.fitted @ self.Z).T + noise
        return a, np.linalg.solve(self.root, target.T).T

    def moments(self, u, combinations):
        """Means (K, k), and variances (K, k) over sigma^2, of combinations (k, p + m) of (beta, a) given u (K,)."""
        p = self.root.shape[0]
        on_beta, on_a = combinations[:, :p], combinations[:, p:]
        constant, spread = 0.0, 0.0
        if p:
            back = np.linalg.solve(self.root.T, on_beta.T).T  # on_beta R^-1
            constant = back @ (self.fitted @ self.y)
            spread = (back**2).sum(axis=1)
            on_a = on_a - back @ (self.fitted @ self.Z)
        rotated = on_a @ self.vt.T
        precision = u[:, None] + self.s2
        return constant + (self.sz / precision) @ rotated.T, spread + (1.0 / precision) @ (rotated**2).T

    def drifting(self, combinations):
        """(k,) whether combinations of (beta, a) follow effects that the data leave free, with sds of order u^-1/2."""
        p = self.root.shape[0]
        on_a = combinations[:, p:]
        if p:
            on_a = on_a - np.linalg.solve(self.root.T, combinations[:, :p].T).T @ (self.fitted @ self.Z)
        free = (on_a @ self.vt.T)[:, ~self.seen]
        return (free**2).sum(axis=1) > _FREE**2 * (combinations**2).sum(axis=1)


def defined(mean, sd, drifting, tail):
    """Means and sds (k,), NaN and infinite where a drifting combination has none.

    The density of the effects' scale u^-1/2 falls off with power -2 tail - 1.
    """
    mean = np.where(drifting & (tail <= 0.5), np.nan, mean)
    return mean, np.where(drifting & (tail <= 1.0), np.where(tail <= 0.5, np.nan, np.inf), sd)
