"""The log precision's one-dimensional posterior: exact draws, and expectations by quadrature."""

import math
from functools import cached_property

import numpy as np

from glmbayes.errors import ImproperPosteriorError, InputError, SamplerError
from glmbayes.kernels import log_precision as kernel
from glmbayes.kernels.log_density import LogDensity
from glmbayes.kernels.quadrature import POINTS, WEIGHTS, resolve, rises
from glmbayes.posteriors.gamma_variates import inverse_gamma

_CANDIDATES = 1 << 16  # a compiled call looks at no more: well under 0.2 s

_LARGEST = 700.0  # |log dispersion| that a double holds
_LOG_MAX = math.log(np.finfo(np.float64).max)
_LIGHT = 8.0  # slope of the log density far left of the mode above which its own nodes resolve the first two moments

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
    if status == kernel.TOO_LARGE:
        raise InputError(
            "x times the prior standard deviations, or y less x times mu, leaves what a double holds: "
            "use other units for y and x, or a smaller prior covariance."
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
        """Quadrature points, and weights that sum to 1 under the posterior.

        They resolve the density, and as far as these are finite the density times the dispersion and its square, and
        times the conditional variances of the coefficients.
        """
        t, log_weight = self.log_nodes
        return t, np.exp(log_weight)

    @cached_property
    def log_nodes(self):
        """The same points, and logarithms of the weights, which may underflow themselves."""
        t, log_w = self._log_nodes
        return t, log_w - _log_sum_exp(log_w)

    @cached_property
    def log_normaliser(self):
        """Logarithm of the integral of exp(f) over its range."""
        return self.log_value(self.mode) + _log_sum_exp(self._log_nodes[1])

    def has_moment(self, power):
        """Whether the expectation of dispersion^power is finite."""
        f = self.density
        return f.a > power or f.c > 0.0 or f.d > 0.0 or f.lower > -math.inf

    @cached_property
    def dispersion_moments(self):
        """Mean and standard deviation of the dispersion, infinite where they do not exist or a double cannot hold them.

        Sums of logarithms: with heavy tails what counts lies where the dispersion itself would overflow.
        """
        f = self.density
        if f.lam.size == 0 and f.c == f.d == f.e == 0.0 and f.lower == -math.inf and f.upper == math.inf:
            return gamma_moments(f.a, f.b)
        if not self.has_moment(1):
            return math.inf, math.inf
        t, log_weight = self.log_nodes
        log_mean = _log_sum_exp(log_weight - t)
        mean = math.exp(log_mean) if log_mean < _LOG_MAX else math.inf
        if not self.has_moment(2) or mean == math.inf:
            return mean, math.inf
        x = -t - log_mean  # log of dispersion over its mean
        with np.errstate(divide="ignore"):
            apart = np.maximum(x, 0.0) + np.log(-np.expm1(-np.abs(x)))  # log |exp(x) - 1|
        log_sd = log_mean + 0.5 * _log_sum_exp(log_weight + 2.0 * apart)
        return mean, math.exp(log_sd) if log_sd < _LOG_MAX else math.inf

    def _heavier(self):
        """Densities with the same right tail and heavier left ones that the nodes must resolve too.

        The slope of f is at least a - e - sum (1/2 + k_i / 4) where the right tail's terms are not felt.
        """
        f = self.density
        if f.a - f.e - 0.5 * f.lam.size - 0.25 * f.k.sum() > _LIGHT:
            return []
        heavier = [LogPrecision(f._replace(a=f.a - power)) for power in (1.0, 2.0) if self.has_moment(power)]
        if f.lam.size:  # what is not known of the coefficients: 1 / (1 + lambda u) of their prior variance
            least = np.full(2, f.lam.min())
            more = f._replace(lam=np.concatenate([f.lam, least]), k=np.concatenate([f.k, np.zeros(2)]))
            heavier.append(LogPrecision(more))
        return heavier

    @cached_property
    def _knots(self):
        """Ends of panels on which the density is smooth, out to where its mass is negligible."""
        env = self._envelope()
        if not resolve(self.density, env):
            raise_for(kernel.STUCK)
        knots = env.knot[: env.count[0] + 1]
        return knots[np.isfinite(knots)]

    @cached_property
    def _log_nodes(self):
        """Points, and log of (quadrature weight x density relative to the mode): Gauss-Legendre on panels."""
        knots = self._knots
        heavier = self._heavier()
        if heavier:
            knots = np.unique(np.concatenate([knots, *(law._knots for law in heavier)]))
        half = 0.5 * np.diff(knots)
        t = (0.5 * (knots[1:] + knots[:-1])[:, None] + half[:, None] * POINTS).ravel()
        height = np.empty(t.size)
        rises(self.density, self.mode, t, height)
        return t, height + np.log(half[:, None] * WEIGHTS).ravel()

    def expect(self, values):
        """Posterior expectation of `values` given at the quadrature points (first axis)."""
        return np.tensordot(self.nodes[1], values, axes=(0, 0))


def _log_sum_exp(x):
    """log(sum(exp(x))); SciPy's takes twenty times as long on a hundred numbers."""
    top = x.max()
    return float(top + math.log(np.exp(x - top).sum()))


def gamma_moments(shape, rate):
    """Mean and standard deviation of the dispersion when the precision is Gamma(shape, rate)."""
    mean = rate / (shape - 1.0) if shape > 1.0 else math.inf
    return mean, mean / math.sqrt(shape - 2.0) if shape > 2.0 else math.inf


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


def limits_on_t(disp_lower, disp_upper):
    """Limits on the dispersion as limits on t = log(1 / dispersion)."""
    lower = -math.log(disp_upper) if disp_upper < math.inf else -math.inf
    upper = -math.log(disp_lower) if disp_lower > 0.0 else math.inf
    return lower, upper
