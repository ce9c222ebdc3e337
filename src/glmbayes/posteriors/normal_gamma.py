"""(beta, dispersion) under the conjugate normal-gamma prior."""

import numpy as np

from glmbayes.errors import ImproperPosteriorError
from glmbayes.kernels.normal_gamma import normal_gamma_draws
from glmbayes.posteriors.gamma_variates import standard_gamma
from glmbayes.posteriors.normal import CHUNK, ones


class NormalGammaPosterior:
    """Joint posterior; the dispersion's is inverse gamma, beta's given it normal."""

    __slots__ = ("coef_mode", "prior", "rate", "rows", "shape")

    def __init__(self, rows, prior, shape, rate):
        self.rows = rows
        self.prior = prior
        self.shape = shape + 0.5 * rows.n_w
        self.rate = rate
        self.coef_mode = np.empty(prior.mu.shape[0])

    def draw(self, n, rng):
        """`n` draws: coefficients (n, p), dispersion (n,), candidates (n,)."""
        prior = self.prior
        p = prior.mu.shape[0]
        draws = np.empty((n, p))
        dispersion = standard_gamma(rng, self.shape, n)
        step = n if n * p <= CHUNK else max(1, CHUNK // p)
        for start in range(0, n, step):
            part = draws if step == n else draws[start : start + step]
            phi = dispersion if step == n else dispersion[start : start + step]
            rng.standard_normal(out=part)
            if not normal_gamma_draws(self.rows.triangle, prior.mu, prior.low, self.rate, part, phi, self.coef_mode):
                raise ImproperPosteriorError(
                    "the posterior is improper as the dispersion goes to 0: the data are fitted exactly and the "
                    "prior rate is 0. Use rate > 0."
                )
        return draws, dispersion, ones(n)
