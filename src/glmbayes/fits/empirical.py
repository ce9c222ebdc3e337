"""Linear combinations of the coefficients from draws: what `posteriors.mixture` answers, with Monte Carlo error."""

import numpy as np

from glmbayes.posteriors.moments import sample_sd


class Empirical:
    """Distribution of k linear combinations, from n draws of each.

    Attributes
    ----------
    draws : (n, k) array
    """

    def __init__(self, draws):
        self.draws = draws

    def location(self):
        """Means and standard deviations (k,)."""
        return self.draws.mean(axis=0), sample_sd(self.draws)

    def cdf(self, values):
        """P(combination_i <= values_i) for values (k,): never quite 0 or 1, which n draws cannot tell."""
        return ((self.draws <= values).sum(axis=0) + 0.5) / (self.draws.shape[0] + 1.0)

    def quantile(self, probability):
        """Quantiles (k,) at one probability."""
        return np.quantile(self.draws, probability, axis=0)

    def pdf(self, values):
        """Gaussian kernel density (Silverman's bandwidth) of combination i at values_i, for values (k,) or (m, k)."""
        values = np.asarray(values, dtype=float)
        n = self.draws.shape[0]
        spread = np.minimum(self.draws.std(axis=0), np.subtract(*np.quantile(self.draws, (0.75, 0.25), axis=0)) / 1.349)
        width = 0.9 * spread * n**-0.2
        flat = values.reshape(-1, values.shape[-1])
        out = np.empty(flat.shape)
        for i, row in enumerate(flat):
            z = (row - self.draws) / width
            out[i] = np.exp(-0.5 * z * z).mean(axis=0) / (width * np.sqrt(2.0 * np.pi))
        return out.reshape(values.shape)
