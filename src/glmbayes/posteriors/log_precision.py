"""The log precision's one-dimensional posterior: exact draws, and expectations by quadrature."""

import math
from functools import cached_property

import numpy as np

from glmbayes.errors import ImproperPosteriorError, SamplerError
from glmbayes.kernels import log_precision as kernel
from glmbayes.kernels.log_density import LogDensity
from glmbayes.kernels.quadrature import POINTS, WEIGHTS, resolve, rises
from glmbayes.posteriors.gamma_variates import inverse_gamma

_CANDIDATES = 1 << 16  # a compiled call looks at no more: well under 0.2 s

_LARGEST = 700.0  # |log dispersion| that a double holds

EMPTY = np.empty(0)


def raise_for(status):
    """Turn a kernel status into the library's exception."""
    if status == kernel.IMPROPER_LOW:
        raise ImproperPosteriorError(
            "the posterior is improper as the dispersion goes to infinity: there are too few observations for the flat "
            "coefficients and the prior on the dispersion. Use more data, fewer flat coefficients or a proper prior."
        )
    if status == kernel.IMPROPER_HIGH:
        raise ImproperPosteriorError(
            "the posterior is improper as the dispersion goes to 0: the data are fitted exactly and the prior does not "
            "keep the dispersion from 0. Use a positive rate, disp_lower or fewer columns."
        )
    if status == kernel.STUCK:
        raise SamplerError(
            f"no draw of the dispersion was accepted in {kernel.MAX_CANDIDATES} candidates; prior and data conflict "
            "beyond double precision. Check the units of mu, Sigma and the prior on the dispersion."
        )
    if status == kernel.BROKEN:
        raise SamplerError(
            "internal error: the envelope of the dispersion lay below its density. Please report this with the data."
        )


class LogPrecision:
    """Density of t = log(1 / dispersion); see `glmbayes.kernels.log_density` for the form."""

    def __init__(self, density):
        self.density = density

    @classmethod
    def of_gamma(cls, shape, rate, disp_lower, disp_upper):
        """Gamma(shape, rate) precision with the dispersion limited to [disp_lower, disp_upper]."""
        lower, upper = limits_on_t(disp_lower, disp_upper)
        return cls(LogDensity(float(shape), float(rate), 0.0, 0.0, 0.0, 1.0, EMPTY, EMPTY, lower, upper))

    def _envelope(self):
        env = kernel.new_envelope()
        raise_for(kernel.build_envelope(self.density, env))
        return env

    @cached_property
    def mode(self):
        """Where the density of t is largest."""
        return float(self._envelope().scale[0])

    def draw(self, n, rng):
        """`n` exact draws of t and the candidates each took."""
        env = self._envelope()
        t = np.empty(n)
        iters = np.zeros(n, np.int64)
        done = 0
        status = kernel.NEED_MORE
        while status == kernel.NEED_MORE:
            uniforms = rng.random(3 * min(int(1.05 * (n - done)) + 8, _CANDIDATES))
            done, status = kernel.draw_log_precisions(self.density, env, uniforms, t, iters, done)
        raise_for(status)
        return t, iters

    def log_value(self, t):
        """The unnormalised log density at one point."""
        f = self.density
        u = math.exp(t)
        value = f.a * t - f.b * u - f.c / u - f.d / math.sqrt(u) - f.e * math.log1p(u / f.g)
        odds = f.lam * u
        return float(value - (0.5 * np.log1p(odds) + f.k * odds / (1.0 + odds)).sum())

    @cached_property
    def nodes(self):
        """Quadrature points, and weights that sum to 1 under the posterior."""
        t, log_w = self._log_nodes
        w = np.exp(log_w - log_w.max())
        return t, w / w.sum()

    @cached_property
    def log_normaliser(self):
        """Logarithm of the integral of exp(f) over its range."""
        log_w = self._log_nodes[1]
        top = log_w.max()
        return self.log_value(self.mode) + float(top + math.log(np.exp(log_w - top).sum()))

    @cached_property
    def _log_nodes(self):
        """Points, and log of (quadrature weight x density relative to the mode): Gauss-Legendre on panels."""
        env = self._envelope()
        if not resolve(self.density, env):
            raise_for(kernel.STUCK)
        knots = env.knot[: env.count[0] + 1]
        knots = knots[np.isfinite(knots)]
        half = 0.5 * np.diff(knots)
        t = (0.5 * (knots[1:] + knots[:-1])[:, None] + half[:, None] * POINTS).ravel()
        height = np.empty(t.size)
        rises(self.density, self.mode, t, height)
        return t, height + np.log(half[:, None] * WEIGHTS).ravel()

    def expect(self, values):
        """Posterior expectation of `values` given at the quadrature points (first axis)."""
        return np.tensordot(self.nodes[1], values, axes=(0, 0))


def gamma_log_constant(shape, rate, disp_lower, disp_upper):
    """Log of one over the integral of u^(shape - 1) exp(-rate u) over the allowed precisions; NaN when it diverges."""
    if disp_lower == 0.0 and disp_upper == math.inf:
        return shape * math.log(rate) - math.lgamma(shape) if shape > 0.0 and rate > 0.0 else math.nan
    if (disp_upper == math.inf and shape <= 0.0) or (disp_lower == 0.0 and rate <= 0.0):
        return math.nan
    return -LogPrecision.of_gamma(shape, rate, disp_lower, disp_upper).log_normaliser


def gamma_dispersions(prior, n, rng):
    """`n` draws of the dispersion from a gamma prior on the precision, within its limits (at most rate * 1e300)."""
    if prior.disp_lower == 0.0 and prior.disp_upper == math.inf:
        return inverse_gamma(rng, prior.shape, prior.rate, n)
    t, _ = LogPrecision.of_gamma(prior.shape, prior.rate, prior.disp_lower, prior.disp_upper).draw(n, rng)
    return dispersion_of(t, prior.disp_lower, prior.disp_upper)


def dispersion_of(t, disp_lower=0.0, disp_upper=math.inf):
    """exp(-t) within what a double holds and within the limits, which the exponential may miss by the last digit."""
    return np.clip(np.exp(-np.clip(t, -_LARGEST, _LARGEST)), disp_lower, disp_upper)


def normal_variances(t, factors):
    """dispersion x factor (K, k) for log precisions `t` (K,); infinite where a double cannot hold it."""
    with np.errstate(over="ignore"):
        return dispersion_of(t)[:, None] * factors


def limits_on_t(disp_lower, disp_upper):
    """Limits on the dispersion as limits on t = log(1 / dispersion)."""
    lower = -math.log(disp_upper) if disp_upper < math.inf else -math.inf
    upper = -math.log(disp_lower) if disp_lower > 0.0 else math.inf
    return lower, upper
