"""Linear combinations of the coefficients: a mixture of normals over the log precision, without Monte Carlo error.

Every Gaussian posterior here is normal given the precision u.  With quadrature points t_k = log u_k and weights w_k of
the log precision's posterior, any L beta has distribution sum_k w_k N(mean_k, var_k).
"""

import math
from typing import NamedTuple

import numpy as np
from scipy.special import ndtr, ndtri

from glmbayes.posteriors.log_precision import dispersion_of


class Mixture(NamedTuple):
    """Distribution of k linear combinations, marginally.

    Attributes
    ----------
    weight : (K,) array, sums to 1
    t : (K,) array
        Log precision at the quadrature points.
    mean : (K, k) array
        Of each combination given the precision.
    bounded : (K, k) array
        Variance of each combination given the precision, but for a part that is proportional to the dispersion:
    per_dispersion : (k,) array
        that part, over the dispersion.
    dispersion_mean : float
        Expectation of the dispersion, which may be infinite; the quadrature points need not know it.
    """

    weight: np.ndarray
    t: np.ndarray
    mean: np.ndarray
    bounded: np.ndarray
    per_dispersion: np.ndarray
    dispersion_mean: float

    @classmethod
    def normal(cls, mean, var, t=0.0):
        """A single component: means and variances (k,), given a known log precision."""
        return cls(np.ones(1), np.full(1, t), mean[None, :], var[None, :], np.zeros(mean.shape), math.exp(-t))

    @property
    def var(self):
        """(K, k) variances given the precision, at most about 1e304 times `per_dispersion`."""
        if not self.per_dispersion.any():
            return self.bounded
        return self.bounded + dispersion_of(self.t)[:, None] * self.per_dispersion

    def with_noise(self, per_dispersion):
        """The same plus independent normal noise of variance dispersion x `per_dispersion` (k,), a new response's."""
        return self._replace(per_dispersion=self.per_dispersion + per_dispersion)

    def location(self):
        """Means and standard deviations (k,), the latter infinite where they do not exist."""
        apart = self.mean - self.mean[0]  # exactly 0 for equal means
        shift = self.weight @ apart
        var = self.weight @ (self.bounded + (apart - shift) ** 2)
        noisy = self.per_dispersion != 0.0
        var[noisy] += self.dispersion_mean * self.per_dispersion[noisy]
        return self.mean[0] + shift, np.sqrt(var)

    def cdf(self, values):
        """P(combination_i <= values_i) for values (k,)."""
        return self._cdf(values, np.sqrt(self.var))

    def _cdf(self, values, sd):
        with np.errstate(divide="ignore", invalid="ignore"):
            z = np.where(sd > 0.0, (values - self.mean) / sd, np.where(values >= self.mean, np.inf, -np.inf))
        return self.weight @ ndtr(z)

    def pdf(self, values):
        """Density of combination i at values_i, for values (k,) or (m, k)."""
        values = np.asarray(values, dtype=float)
        return self._pdf(values, np.sqrt(self.var))

    def _pdf(self, values, sd):
        z = (values[..., None, :] - self.mean) / sd
        return np.tensordot(np.exp(-0.5 * z * z) / (math.sqrt(2.0 * math.pi) * sd), self.weight, axes=(-2, 0))

    def quantile(self, probability):
        """Quantiles (k,) at one probability: Newton's steps on the distribution function, kept in a bracket."""
        keep = self.weight > 1e-17 * min(probability, 1.0 - probability)
        few = self._replace(weight=self.weight[keep], t=self.t[keep], mean=self.mean[keep], bounded=self.bounded[keep])
        return few._quantile(probability)

    def _quantile(self, probability):
        sd = np.sqrt(self.var)
        each = self.mean + sd * ndtri(probability)  # between the components' quantiles lies that of the mixture
        low, high = each.min(axis=0), each.max(axis=0)
        middle = min(int(np.searchsorted(np.cumsum(self.weight), 0.5 * self.weight.sum())), self.t.size - 1)
        centre, scale = self.mean[middle], sd[middle]
        x = np.clip(self.weight @ self.mean + ndtri(probability) * scale, low, high)
        for _ in range(200):
            above = self._cdf(x, sd) - probability
            low, high = np.where(above < 0.0, x, low), np.where(above < 0.0, high, x)
            with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                new = x - above / self._pdf(x, sd)
                # heavy tails: halve the bracket in a measure that is the logarithm far out
                half = 0.5 * (np.arcsinh((low - centre) / scale) + np.arcsinh((high - centre) / scale))
                between = np.where(scale > 0.0, centre + scale * np.sinh(half), 0.5 * (low + high))
            new = np.where((new >= low) & (new <= high), new, between)
            step, x = np.abs(new - x), new
            if not np.any(step > 1e-12 * scale + 1e-15 * np.abs(x)):
                break
        return x
