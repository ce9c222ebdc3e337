"""The dispersion of a Gamma regression with known coefficients, as a fitted model asks for it."""

import math
import time
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln

from glmbayes.errors import InputError
from glmbayes.fits.glm_posterior import posterior_arrays
from glmbayes.glm.dispersion import GammaDispersionPosterior
from glmbayes.posteriors.log_precision import limits_on_t
from glmbayes.random import generator

_FAR = 60.0  # log precisions beyond are not looked at
_STEPS = 41
_BELOW = 45.0  # log density, from its maximum, where the integral may stop
_NODES = 120
_CELLS = 2_000_000  # precisions x distinct weights that are evaluated at once


@dataclass(frozen=True, eq=False)
class KnownGLM:
    """Draws of the dispersion given the coefficients: exact and iid; same questions as `ExactGLM`.

    Attributes
    ----------
    core : GammaDispersionPosterior
    coef_mode : (p,) array
        The coefficients.
    sum_log_y : float
        Over the rows with positive weight, for the evidence.
    prior : dGamma
    family : Family
    setup_seconds : float
    """

    core: GammaDispersionPosterior
    coef_mode: np.ndarray
    sum_log_y: float
    prior: object
    family: object
    setup_seconds: float

    exact = True
    chains = 1

    @classmethod
    def build(cls, design, prior, family, weights=None):
        """Set up the posterior of a design whose y and weights are those of the family."""
        start = time.perf_counter()
        beta = np.array(prior.coefficient_for(design.names, design.p))
        y, x, offset, weights = posterior_arrays(design, weights)
        mu = np.exp(x @ beta + (offset if offset.size else 0.0))
        weights = weights if weights.size else np.ones(y.size)
        limits = prior.disp_lower, prior.disp_upper
        core = GammaDispersionPosterior(y, mu, weights, prior.shape, prior.rate, *limits)
        return cls(core, beta, float(np.log(y).sum()), prior, family, time.perf_counter() - start)

    def draw(self, n, rng):
        """`n` draws: coefficients (n, p), all alike, dispersion (n,), candidates (n,)."""
        dispersion, _ = self.core.draw(n, generator(rng))
        return np.tile(self.coef_mode, (n, 1)), dispersion, np.ones(n, np.int64)

    def log_evidence(self, rng=0):
        """log p(y) by quadrature over the log precision, and its standard error, which is 0."""
        if math.isnan(self.prior.log_constant):
            raise InputError("the evidence needs a proper prior: shape and rate of dGamma must be positive.")
        low, high = np.clip(limits_on_t(self.prior.disp_lower, self.prior.disp_upper), -_FAR, _FAR)
        inside = np.zeros(1)
        while inside.size < _STEPS // 2:  # to where the mass is: the integrand is log-concave
            t = np.linspace(low, high, _STEPS)
            values = self._log_integrand(t)
            inside = np.flatnonzero(values > values.max() - _BELOW)
            low, high = t[max(inside[0] - 1, 0)], t[min(inside[-1] + 1, _STEPS - 1)]
        nodes, weights = np.polynomial.legendre.leggauss(_NODES)
        values = self._log_integrand(0.5 * (low + high) + 0.5 * (high - low) * nodes)
        top = values.max()
        return float(top + math.log(0.5 * (high - low) * (weights @ np.exp(values - top)))), 0.0

    def _log_integrand(self, t):
        """log of likelihood times prior density of the log precision, at an array of them."""
        _, _, deviance, values, counts, *_ = self.core.arguments
        v = np.exp(t)
        terms = []
        for part in np.array_split(v, max(1, -(-v.size * values.size // _CELLS))):
            shape = part[:, None] * values
            terms.append((shape * np.log(shape) - shape - gammaln(shape)) @ counts)
        likelihood = np.concatenate(terms) - v * deviance - self.sum_log_y
        return likelihood + self.prior.log_constant + self.prior.shape * t - self.prior.rate * v

    def reweighted(self, design, weights):
        """The same posterior with other observation weights."""
        return KnownGLM.build(design, self.prior, self.family, weights)

    def rebuilt(self, design, prior):
        """The posterior of another design under another prior."""
        return KnownGLM.build(design, prior, self.family)

    def report(self, fit):
        """Text: how the draws of `fit` were made."""
        return "sampler: dispersion given the coefficients, exact and independent draws"
