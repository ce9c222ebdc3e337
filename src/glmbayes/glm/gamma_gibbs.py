"""Gamma regression with an unknown dispersion: a Gibbs sampler of the two exact blocks, labelled as what it is."""

import math

import numpy as np

from glmbayes.errors import InputError, SamplerError
from glmbayes.glm.diagnostics import ess, rhat
from glmbayes.glm.dispersion import GammaDispersionPosterior
from glmbayes.glm.small import GridPosterior
from glmbayes.kernels.gamma_dispersion import gamma_half_deviance

CHAINS = 4
_WARM_UP = 50
_LARGEST_GRID = 5


class GammaGibbs:
    """Markov chain draws of coefficients and dispersion; a priori beta ~ N(mu, Sigma), 1/phi ~ Gamma(shape, rate).

    Each sweep draws the coefficients given the dispersion and the dispersion given the coefficients, both exactly.
    Coefficients and dispersion are nearly independent a posteriori, so that the chain mixes almost like independent
    draws; four chains, each after a warm-up of 50 sweeps.

    Attributes
    ----------
    coef_mode : (p,) array
        Mode of the coefficients given the posterior mean dispersion of the latest draws.
    ess, rhat : (p + 1,) arrays
        Of the coefficients and the log dispersion, for the latest draws.
    """

    name = "mcmc"
    predicted = math.nan

    def __init__(self, arrays, family, coefficient, prior):
        y, x, offset, weights = arrays
        n = y.shape[0]
        if coefficient.flat:
            raise InputError("the Gamma family with an unknown dispersion needs finite prior variances.")
        self.rows = (y, x, offset if offset.size else np.zeros(n), weights if weights.size else np.ones(n))
        self.family = family
        self.coefficient = coefficient
        self.prior = prior
        self.coef_mode = np.full(x.shape[1], np.nan)
        self.ess = self.rhat = np.full(x.shape[1] + 1, np.nan)

    def _coefficients(self, phi, rng):
        """One exact draw of the coefficients given the dispersion, and their mode."""
        y, x, offset, weights = self.rows
        prior = self.coefficient
        if x.shape[1] <= _LARGEST_GRID:
            grid = GridPosterior(self.family.kernel, y, x, offset, weights / phi, prior.mu, prior.low)
            drawn = grid.draw(1, rng)
            if drawn is not None:
                return drawn[0][0], grid.coef_mode
        from glmbayes.glm.build import prior_parts
        from glmbayes.glm.posterior import build_glm_posterior

        posterior = build_glm_posterior(
            y, x, offset, weights, self.family, prior.mu, prior_parts(prior), phi, "radial", 1
        )
        return posterior.draw(1, rng).coefficients[0], posterior.mode

    def draw(self, n, rng, progress=False):
        """`n` draws, chain after chain: coefficients (n, p), dispersion (n,)."""
        y, x, offset, weights = self.rows
        prior = self.prior
        given = GammaDispersionPosterior(y, y, weights, prior.shape, prior.rate, prior.disp_lower, prior.disp_upper)
        keep = -(-n // CHAINS)
        p = x.shape[1]
        values = np.empty((CHAINS, keep, p + 1))
        sweeps = range(CHAINS * (keep + _WARM_UP))
        if progress:
            from tqdm import tqdm

            sweeps = tqdm(sweeps, unit="sweep", leave=False)
        phi = 1.0
        for step in sweeps:
            chain, sweep = divmod(step, keep + _WARM_UP)
            if sweep == 0:  # start each chain elsewhere
                phi = float(
                    np.clip(10.0 ** rng.uniform(-1.0, 1.0), prior.disp_lower or 1e-3, min(prior.disp_upper, 1e3))
                )
            beta, self.coef_mode = self._coefficients(phi, rng)
            half = gamma_half_deviance(y, np.exp(x @ beta + offset), weights)
            phi = given.draw_with(half, rng)
            if sweep >= _WARM_UP:
                values[chain, sweep - _WARM_UP, :p] = beta
                values[chain, sweep - _WARM_UP, p] = phi
        if not np.isfinite(values).all():
            raise SamplerError("the dispersion left the range of double precision: give it a proper prior or limits.")
        watched = np.concatenate([values[:, :, :p], np.log(values[:, :, p:])], axis=2)
        if keep >= 8:
            self.rhat = np.array([rhat(watched[:, :, j]) for j in range(p + 1)])
            self.ess = np.array([ess(watched[:, :, j]) for j in range(p + 1)])
        flat = values.reshape(-1, p + 1)[:n]
        self.coef_mode = self._coefficients(float(flat[:, p].mean()), rng)[1]
        return flat[:, :p].copy(), flat[:, p].copy()
