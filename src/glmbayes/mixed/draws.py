"""Draws of a mixed model, from either engine."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class MixedDraws:
    """Draws, chains one after the other.

    Attributes
    ----------
    beta : (n, p) array
    sigma2 : (n,) array
        Residual variance (ones when the sampling variances are known).
    covariance : tuple of (n, q, q) arrays
        One for each random term.
    effects : tuple of (n, m, q) arrays
    chains : int
    """

    beta: np.ndarray
    sigma2: np.ndarray
    covariance: tuple
    effects: tuple
    chains: int

    @property
    def n(self):
        """Number of draws."""
        return self.beta.shape[0]
