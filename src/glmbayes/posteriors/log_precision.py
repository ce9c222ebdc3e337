"""The log precision's one-dimensional posterior: exact draws, and expectations by quadrature."""

import math
from functools import cached_property

import numpy as np

from glmbayes.errors import ImproperPosteriorError, SamplerError
from glmbayes.kernels import log_precision as kernel

_CANDIDATES = 1 << 16  # a compiled call looks at no more: well under 0.2 s
_DROP = 42.0  # quadrature covers all points whose log density is within this of the maximum
_NODES = 2048

EMPTY = np.empty(0)


def raise_for(status):
    """Turn a kernel status into the library's exception."""
    if status == kernel.IMPROPER:
        raise ImproperPosteriorError(
            "the posterior of the dispersion is improper: its density does not fall off towards 0 or infinity. "
            "Use a proper prior on the dispersion or more data."
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
    """Density of t = log(1 / dispersion); see `glmbayes.kernels.log_precision` for the form."""

    def __init__(self, density):
        self.density = density

    @classmethod
    def of_gamma(cls, shape, rate, disp_lower, disp_upper):
        """Gamma(shape, rate) precision with the dispersion limited to [disp_lower, disp_upper]."""
        lower, upper = limits_on_t(disp_lower, disp_upper)
        return cls(kernel.LogDensity(float(shape), float(rate), 0.0, 0.0, EMPTY, EMPTY, EMPTY, lower, upper))

    def draw(self, n, rng):
        """`n` exact draws of t and the candidates each took."""
        env = kernel.new_envelope()
        raise_for(kernel.build_envelope(self.density, env))
        t = np.empty(n)
        iters = np.zeros(n, np.int64)
        done = 0
        status = kernel.NEED_MORE
        while status == kernel.NEED_MORE:
            uniforms = rng.random(3 * min(int(1.05 * (n - done)) + 8, _CANDIDATES))
            done, status = kernel.draw_log_precisions(self.density, env, uniforms, t, iters, done)
        raise_for(status)
        return t, iters

    def log_values(self, t):
        """The unnormalised log density at points `t` (vectorised)."""
        f = self.density
        t = np.asarray(t, dtype=float)
        with np.errstate(over="ignore"):
            value = f.a * t
            value = value - f.b * np.exp(t) if f.b else value
            value = value - f.c * np.exp(-t) if f.c else value
            value = value - f.d * np.exp(-0.5 * t) if f.d else value
            for log_lambda, h, k in zip(f.log_lambda, f.h, f.k):
                x = t + log_lambda
                value = value - h * np.logaddexp(0.0, x)
                value = value - k * np.exp(-np.logaddexp(0.0, -x)) if k else value
        return value

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
        return float(top + math.log(np.exp(log_w - top).sum()))

    @cached_property
    def _log_nodes(self):
        """Points, and log of (quadrature weight x density).

        Gauss-Legendre on panels between the knots of the sampler's own envelope, refined like it, so that narrow,
        skewed and two-peaked densities are resolved alike.
        """
        knots = self._panels
        x, w = np.polynomial.legendre.leggauss(16)
        half = 0.5 * np.diff(knots)
        t = (0.5 * (knots[1:] + knots[:-1]))[:, None] + half[:, None] * x
        return t.ravel(), (self.log_values(t) + np.log(half[:, None] * w)).ravel()

    @cached_property
    def _panels(self):
        f = self.density
        env = kernel.new_envelope()
        raise_for(kernel.build_envelope(f, env))
        mode, sd = env.scale
        knots = env.knot[: env.count[0] + 1]
        knots = knots[np.isfinite(knots)]
        points = np.unique(np.concatenate([knots, [mode]]))
        top = self.log_values(points).max()
        points = self._reach(points, top, sd, f.lower, -1)
        points = self._reach(points, top, sd, f.upper, +1)
        # halve panels until none carries a visible kink: compare f at the middle with the chord
        for _ in range(40):
            left, right = points[:-1], points[1:]
            middle = 0.5 * (left + right)
            ends = self.log_values(points)
            centre = self.log_values(middle)
            top = max(top, ends.max(), centre.max())
            rough = np.abs(centre - 0.5 * (ends[:-1] + ends[1:])) > 1.0
            alive = np.maximum(np.maximum(ends[:-1], ends[1:]), centre) > top - _DROP
            split = rough & alive
            if not split.any() or points.size > _NODES:
                break
            points = np.sort(np.concatenate([points, middle[split]]))
        ends = self.log_values(points)
        live = np.nonzero(ends > top - _DROP)[0]
        return points[max(live[0] - 1, 0) : live[-1] + 2]

    def _reach(self, points, top, sd, limit, side):
        """Extend the panels outwards until the density is negligible."""
        edge = points[-1] if side > 0 else points[0]
        step = sd
        added = []
        while edge != limit and self.log_values(edge) > top - _DROP and len(added) < 200:
            edge = edge + side * step
            edge = min(edge, limit) if side > 0 else max(edge, limit)
            step *= 1.5
            added.append(edge)
        return np.sort(np.concatenate([points, added]))

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


def limits_on_t(disp_lower, disp_upper):
    """Limits on the dispersion as limits on t = log(1 / dispersion)."""
    lower = -math.log(disp_upper) if disp_upper < math.inf else -math.inf
    upper = -math.log(disp_lower) if disp_lower > 0.0 else math.inf
    return lower, upper
