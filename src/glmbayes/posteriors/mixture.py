"""Linear combinations of the coefficients: a mixture of normals over the log precision, without Monte Carlo error.

Every Gaussian posterior here is normal given the precision u.  With quadrature points t_k = log u_k and weights w_k of
the log precision's posterior, any L beta has distribution sum_k w_k N(mean_k, var_k).
"""

from typing import NamedTuple

import numpy as np
from scipy.special import ndtr, ndtri


class Mixture(NamedTuple):
    """Distribution of k linear combinations, marginally.

    Attributes
    ----------
    weight : (K,) array, sums to 1
    t : (K,) array
        Log precision at the quadrature points.
    mean, var : (K, k) arrays
        Of each combination given the precision.
    """

    weight: np.ndarray
    t: np.ndarray
    mean: np.ndarray
    var: np.ndarray

    def location(self):
        """Means and standard deviations (k,)."""
        mean = self.weight @ self.mean
        apart = self.mean - mean
        apart[np.abs(apart) <= 1e-15 * np.abs(mean)] = 0.0  # rounding of equal means
        return mean, np.sqrt(self.weight @ (self.var + apart**2))

    def cdf(self, values):
        """P(combination_i <= values_i) for values (k,)."""
        sd = np.sqrt(self.var)
        with np.errstate(divide="ignore", invalid="ignore"):
            z = np.where(sd > 0.0, (values - self.mean) / sd, np.where(values >= self.mean, np.inf, -np.inf))
        return self.weight @ ndtr(z)

    def pdf(self, values):
        """Density of combination i at values_i, for values (k,) or (m, k)."""
        values = np.asarray(values, dtype=float)
        z2 = (values[..., None, :] - self.mean) ** 2 / self.var
        density = np.exp(-0.5 * z2) / np.sqrt(2.0 * np.pi * self.var)
        return np.tensordot(density, self.weight, axes=(-2, 0))

    def quantile(self, probability):
        """Quantiles (k,) at one probability: Newton's steps on the distribution function, kept in a bracket."""
        keep = self.weight > 1e-17 * min(probability, 1.0 - probability)
        if not keep.all():
            return Mixture(self.weight[keep], self.t[keep], self.mean[keep], self.var[keep]).quantile(probability)
        mean, sd = self.location()
        if not sd.any():
            return mean
        wide = 40.0 * np.sqrt(self.var.max(axis=0)) + np.ptp(self.mean, axis=0)
        low, high = mean - wide, mean + wide
        x = mean + sd * ndtri(probability)
        for _ in range(200):
            above = self.cdf(x) - probability
            low, high = np.where(above < 0.0, x, low), np.where(above < 0.0, high, x)
            with np.errstate(divide="ignore", invalid="ignore"):
                new = x - above / self.pdf(x)
            new = np.where((new > low) & (new < high), new, 0.5 * (low + high))
            step, x = np.abs(new - x), new
            if not np.any(step > 1e-13 * (sd + np.abs(x))):
                break
        return x
