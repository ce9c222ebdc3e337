"""Gaussian regressions the slow way: dense normal algebra and scipy's distributions, none of the library's code."""

import math

import numpy as np
from scipy.integrate import cumulative_simpson

INF = math.inf


class Dense:
    """Posterior of (beta, t = -log dispersion) for beta ~ N(mu, Sigma), flat where a variance is infinite.

    Parameters
    ----------
    log_prior : function of t, the log density of t a priori (with its Jacobian, up to a constant)
    weights_type : "frequency" or "precision"
    scaled : whether Sigma is in units of the dispersion (the conjugate prior)
    """

    def __init__(
        self, y, x, mu, Sigma, log_prior, *, offset=None, weights=None, weights_type="frequency", scaled=False,
        lower=-INF, upper=INF,
    ):  # fmt: skip
        w = np.ones(len(y)) if weights is None else np.asarray(weights, float)
        keep = w > 0
        root = np.sqrt(w[keep])
        e = (y if offset is None else y - offset)[keep]
        self.log_prior, self.scaled, self.limits = log_prior, scaled, (lower, upper)
        self.x, self.y = root[:, None] * x[keep], root * e
        self.n = int(keep.sum())
        self.n_w = w.sum() if weights_type == "frequency" else float(self.n)
        self.flat = np.isinf(np.diag(Sigma))
        self.mu = np.where(self.flat, 0.0, mu)
        self.precision = np.zeros(Sigma.shape)
        rest = np.ix_(~self.flat, ~self.flat)
        if not self.flat.all():
            self.precision[rest] = np.linalg.inv(Sigma[rest])
        # rotate the flat columns away; what is left has n - q rows
        q = np.linalg.qr(self.x[:, self.flat], mode="complete")[0][:, self.flat.sum() :]
        self.r = q.T @ (self.y - self.x @ self.mu)
        part = q.T @ self.x[:, ~self.flat]
        self.left, self.s, _ = np.linalg.svd(part @ np.linalg.cholesky(Sigma[rest]))

    def log_density(self, t):
        """Log marginal posterior density of t at an array of points."""
        phi = np.exp(-np.asarray(t, float))[:, None]
        m = self.r.size
        s2 = np.zeros(m)
        s2[: self.s.size] = self.s**2
        variance = phi * (1.0 + s2) if self.scaled else phi + s2
        z = self.left.T @ self.r
        value = -0.5 * (np.log(variance) + z**2 / variance).sum(axis=1)
        # frequency weights: the power of the dispersion goes with n_w instead of n
        value = value + 0.5 * (self.n_w - self.n) * np.asarray(t)
        return value + self.log_prior(np.asarray(t))

    def cdf(self):
        """Distribution function of t, and its mean and standard deviation, on a grid that follows the density."""
        low, high = max(self.limits[0], -400.0), min(self.limits[1], 400.0)
        grid = np.unique(np.clip(np.concatenate([np.linspace(-30, 30, 1201), np.linspace(low, high, 801)]), low, high))
        value = self.log_density(grid)
        for _ in range(50):
            coarse = (np.maximum(value[1:], value[:-1]) > value.max() - 45.0) & (np.abs(np.diff(value)) > 0.1)
            coarse[1:] |= coarse[:-1]
            coarse[:-1] |= coarse[1:]
            coarse &= np.diff(grid) > 1e-12 * (1.0 + np.abs(grid[1:]))
            if not coarse.any():
                break
            middle = 0.5 * (grid[1:] + grid[:-1])[coarse]
            order = np.argsort(np.concatenate([grid, middle]))
            value = np.concatenate([value, self.log_density(middle)])[order]
            grid = np.concatenate([grid, middle])[order]
        kept = value > value.max() - 50.0
        kept[1:] |= kept[:-1]
        kept[:-1] |= kept[1:]
        grid, weight = grid[kept], np.exp(value[kept] - value.max())
        total = np.maximum.accumulate(cumulative_simpson(weight, x=grid, initial=0.0))
        return lambda t: np.interp(t, grid, total / total[-1])

    def whiten(self, beta, t):
        """Draws of beta given t as what must be independent standard normals, (n, p)."""
        u = np.exp(np.asarray(t))[:, None, None]
        gram = self.x.T @ self.x
        scale = u if self.scaled else np.ones_like(u)
        precision = u * gram + scale * self.precision
        linear = u[:, :, 0] * (self.x.T @ (self.y - self.x @ self.mu))
        mean = np.linalg.solve(precision, linear[:, :, None])[:, :, 0]
        low = np.linalg.cholesky(precision)
        return np.einsum("nji,nj->ni", low, beta - self.mu - mean)


def log_gamma_prior(shape, rate):
    """Of t = log u when u is Gamma(shape, rate)."""
    return lambda t: shape * t - rate * np.exp(t)


def log_sd_prior(log_pdf):
    """Of t when exp(-t / 2) has log density `log_pdf`."""
    return lambda t: log_pdf(np.exp(-t / 2.0)) - t / 2.0
