"""Gamma regression with an unknown dispersion: Gibbs sampling of two blocks, each drawn from exactly.

beta given the dispersion is a GLM posterior (methods of `glmbayes.glm.build`); the precision given beta is log-concave
in its logarithm (`glmbayes.kernels.gamma_dispersion`).  The draws are Markov chains and are labelled as such; the
blocks are nearly independent (beta and the dispersion are orthogonal), so the chains mix in a few sweeps.
"""

import math

import numpy as np
from scipy.optimize import brentq
from scipy.special import digamma, polygamma

from glmbayes.errors import SamplerError
from glmbayes.glm.build import normal_posterior
from glmbayes.glm.diagnostics import ess, rhat
from glmbayes.glm.dispersion import GammaDispersionPosterior
from glmbayes.kernels.gamma_dispersion import gamma_half_deviance
from glmbayes.posteriors.log_precision import limits_on_t

CHAINS = 4
WARM_UP = 50  # sweeps of each chain that are left out
_PATIENCE = 2.0  # seconds from which a progress bar shows by itself
_DIAGNOSED = 8  # draws of each chain from which R-hat means something
_SPREAD = (0.25, 0.5, 2.0, 4.0)  # starting dispersions of the chains, over the one at the joint mode
_FAR = 30.0  # log precisions beyond are not looked at for the mode
_NODES = 48
_CANDIDATES = 4000  # per node
_BELOW = 18.0  # log density, from its maximum, where the integral over the precision may stop


class GammaGibbs:
    """Joint posterior of coefficients and dispersion of a Gamma regression.

    Parameters
    ----------
    arrays : y (n,), x (n, p), offset, weights (n,) or empty
    family : Family
    coefficient : CoefficientPrior
    prior : dIndependent_Normal_Gamma
        Its shape, rate (of the precision) and limits.
    sampler : str
        Of the coefficients given the dispersion.

    Attributes
    ----------
    coef_mode : (p,) array
        Coefficients at the joint mode of (beta, log dispersion).
    dispersion_mode : float
    ess, rhat : (p + 1,) arrays
        Of the coefficients and the log dispersion, for the latest draws.
    """

    name = "mcmc"
    predicted = math.nan

    def __init__(self, arrays, family, coefficient, prior, sampler="auto"):
        self.arrays = arrays
        self.family = family
        self.coefficient = coefficient
        self.prior = prior
        self.sampler = sampler
        self.ess = self.rhat = np.full(arrays[1].shape[1] + 1, np.nan)
        self.coef_mode, self.dispersion_mode = self._joint_mode()

    def _given(self, dispersion, draws=1):
        """Posterior of the coefficients."""
        return normal_posterior(self.arrays, self.family, self.coefficient, dispersion, self.sampler, draws)

    @property
    def _weights(self):
        y, _, _, weights = self.arrays
        return weights if weights.size else np.ones(y.size)

    def _means(self, beta):
        _, x, offset, _ = self.arrays
        return np.exp(np.clip(x @ beta + (offset if offset.size else 0.0), -700.0, 700.0))

    def _slope(self, t, beta):
        """Derivative of the log density of t = log precision given beta, and its curvature."""
        ratio = self.arrays[0] / self._means(beta)
        v = math.exp(t)
        shape = v * self._weights
        first = np.sum(shape * (np.log(shape) + 1.0 - digamma(shape) + np.log(ratio) - ratio))
        second = np.sum(shape * (1.0 - shape * polygamma(1, np.maximum(shape, 1e-150))))
        slope = self.prior.shape - self.prior.rate * v + first
        return slope, slope - self.prior.shape + second

    def _joint_mode(self):
        """Alternate the two conditional modes; they hardly depend on each other."""
        low, high = np.clip(limits_on_t(self.prior.disp_lower, self.prior.disp_upper), -_FAR, _FAR)
        t = float(np.clip(0.0, low, high))
        for _ in range(100):
            given = self._given(math.exp(-t))
            given.draw(1, np.random.default_rng(0))  # the mode comes with the first draw
            beta = np.array(given.coef_mode)
            before, t = t, self._mode_given(beta, low, high)
            if abs(t - before) < 1e-9:
                break
        return beta, math.exp(-t)

    def _mode_given(self, beta, low, high):
        if self._slope(low, beta)[0] <= 0.0:
            return float(low)
        if self._slope(high, beta)[0] >= 0.0:
            return float(high)
        return brentq(lambda t: self._slope(t, beta)[0], low, high)

    def draw(self, n, rng, progress=False):
        """`n` draws, chain after chain: coefficients (n, p), dispersion (n,), candidates (n,).

        progress=None shows a bar after two seconds.
        """
        y, prior = self.arrays[0], self.prior
        limits = prior.disp_lower, prior.disp_upper
        given_beta = GammaDispersionPosterior(y, y, self._weights, prior.shape, prior.rate, *limits)
        p, keep = self.coef_mode.size, -(-n // CHAINS)
        values, taken = np.empty((CHAINS, keep, p + 1)), np.empty((CHAINS, keep), np.int64)
        sweeps = range(CHAINS * (WARM_UP + keep))
        if progress is None or progress:
            from tqdm import tqdm

            sweeps = tqdm(sweeps, unit="sweep", leave=False, delay=0.0 if progress else _PATIENCE)
        for step in sweeps:
            chain, sweep = divmod(step, WARM_UP + keep)
            if sweep == 0:
                start = self.dispersion_mode * _SPREAD[chain]
                phi = float(np.clip(start, *limits))
            drawn, candidates = self._given(phi).draw(1, rng)
            phi = given_beta.draw_with(gamma_half_deviance(y, self._means(drawn[0]), self._weights), rng)
            if sweep >= WARM_UP:
                values[chain, sweep - WARM_UP, :p], values[chain, sweep - WARM_UP, p] = drawn[0], phi
                taken[chain, sweep - WARM_UP] = candidates[0]
        if not np.isfinite(values).all():
            raise SamplerError("the dispersion left the range of double precision: give it a proper prior or limits.")
        if keep >= _DIAGNOSED:
            series = [*np.moveaxis(values[:, :, :p], 2, 0), np.log(values[:, :, p])]
            self.ess, self.rhat = np.array([ess(s) for s in series]), np.array([rhat(s) for s in series])
        flat = values.reshape(-1, p + 1)[:n]
        return flat[:, :p].copy(), flat[:, p].copy(), taken.reshape(-1)[:n].copy()

    def log_evidence(self, rng):
        """log p(y) and its standard error: quadrature over the log precision of the evidence given it."""
        t0 = -math.log(self.dispersion_mode)
        width = 1.0 / math.sqrt(max(-self._slope(t0, self.coef_mode)[1], 1e-2))
        peak = self._log_integrand(t0, rng, 200)[0]
        low, high = (
            self._end(t0, side * 2.0 * width, limit, peak, rng)
            for side, limit in zip((-1.0, 1.0), limits_on_t(self.prior.disp_lower, self.prior.disp_upper))
        )
        nodes, weights = np.polynomial.legendre.leggauss(_NODES)
        t = 0.5 * (low + high) + 0.5 * (high - low) * nodes
        values = np.array([self._log_integrand(s, rng, _CANDIDATES) for s in t])
        top = values[:, 0].max()
        parts = 0.5 * (high - low) * weights * np.exp(values[:, 0] - top)
        total = parts.sum()
        return top + math.log(total), float(np.sqrt(np.sum((parts * values[:, 1]) ** 2)) / total)

    def _end(self, t, step, limit, peak, rng):
        """Where the integral may stop, away from the mode."""
        while t != limit and self._log_integrand(t, rng, 200)[0] > peak - _BELOW:
            t = max(t + step, limit) if step < 0.0 else min(t + step, limit)
        return t

    def _log_integrand(self, t, rng, candidates):
        """log p(y | precision) + log prior density of t = log precision, and its standard error."""
        given = self._given(math.exp(-t), candidates)
        given.draw(8, np.random.default_rng(0))
        value, error = given.log_evidence(rng, candidates)
        p = self.prior
        return value + p.log_constant + p.shape * t - p.rate * math.exp(t), error
