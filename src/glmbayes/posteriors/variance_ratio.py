"""The posterior of the ratio r of group to residual standard deviation: exact draws, and expectations by quadrature.

With u = 1 / r^2 and the independent coordinates of `glmbayes.posteriors.two_levels`, the residual precision given u is
Gamma(h, S(u) / 2), and p(log u | y) has the form of `glmbayes.kernels.log_ratio`.
"""

import math
from functools import cached_property

import numpy as np

from glmbayes.errors import ImproperPosteriorError, SamplerError
from glmbayes.kernels import ratio_envelope as kernel
from glmbayes.kernels.log_precision import BROKEN, DONE, IMPROPER_LOW, NEED_MORE
from glmbayes.kernels.log_ratio import RatioDensity, end_slopes, log_left_over, rises_from
from glmbayes.kernels.quadrature import POINTS, WEIGHTS
from glmbayes.kernels.ratio_quadrature import resolve_ratio
from glmbayes.posteriors.gamma_variates import standard_gamma

_TERMS = 1 << 22  # a compiled call evaluates about as many: well under 0.2 s
_LARGEST = 700.0  # |t| whose exponential a double holds
_WIDEST = 300.0  # |t| whose exponential can be squared


class VarianceRatio:
    """Posterior of t = log u.

    Parameters
    ----------
    terms, upper
        Of the prior on r: power, rate (0), c, d, e, g, as a prior on a standard deviation describes itself.
    s2, weight, squares : (k,) arrays
        Distinct s_i^2 > 0, how often each occurs, and the sum of its y*_i^2.
    rest : float
        Sum of squares that no group effect explains, and twice the rate of the prior on the residual precision.
    shape : float
        h: half the residual degrees of freedom, and the shape of the prior.
    """

    def __init__(self, terms, upper, s2, weight, squares, rest, shape):
        power, _, c, d, e, g = (float(v) for v in terms)
        if not shape > 0.0:
            raise ImproperPosteriorError(
                f"the posterior is improper: the residual precision would have a gamma distribution of shape {shape:g}."
                " Use more observations, fewer fixed effects or a proper dGamma for 'sigma'."
            )
        if rest == 0.0 and not squares.any():
            raise ImproperPosteriorError(
                "the posterior is improper: the fixed effects fit every observation exactly. Use a proper dGamma for "
                "'sigma' or fewer columns."
            )
        lower = -2.0 * math.log(upper) if upper < math.inf else -math.inf
        order = np.argsort(s2)
        self.density = RatioDensity(
            power + 1.0, c, d, e, g, 1.0 / s2[order], weight[order].astype(float),
            squares[order], float(rest), float(shape), lower,
        )  # fmt: skip
        self._envelope()

    def _envelope(self):
        env = kernel.new_ratio_envelope()
        self._raise_for(kernel.build_ratio_envelope(self.density, env))
        return env

    def _raise_for(self, status):
        if status == DONE:
            return
        f = self.density
        if status == IMPROPER_LOW and f.rest == 0.0:
            raise ImproperPosteriorError(
                "the posterior is improper: the group effects can fit every observation exactly, and neither the prior "
                "on the ratio nor that on the residual standard deviation rules it out. Use a dGamma with rate > 0 for "
                "'sigma', or fewer groups."
            )
        if status == IMPROPER_LOW:
            raise ImproperPosteriorError(
                f"the posterior is improper: with {int(f.weight.sum())} independent contrast(s) between groups the "
                "likelihood does not fall off for large ratios, and the prior does not either. Use a proper prior such "
                "as dRatio(dHalfCauchy(1)), or more groups (a flat prior needs three, one more for each fixed effect "
                "that is constant within groups)."
            )
        if status == BROKEN:
            raise SamplerError(
                "internal error: the envelope of the ratio lay below its density. Please report this with the data."
            )
        raise SamplerError(
            "the posterior of the ratio of standard deviations could not be bounded: prior and data conflict beyond "
            "double precision. Check the scale of the prior."
        )

    def draw(self, n, rng):
        """`n` exact draws: u (n,), residual standard deviations (n,), and the candidates each took."""
        env = self._envelope()
        t, iters = np.empty(n), np.zeros(n, np.int64)
        done, status, most = 0, NEED_MORE, max(64, _TERMS // (8 + self.density.lam.size))
        while status == NEED_MORE:
            uniforms = rng.random(3 * min(int(1.05 * (n - done)) + 8, most))
            done, status = kernel.draw_log_ratios(self.density, env, uniforms, t, iters, done)
        self._raise_for(status)
        u = np.exp(np.clip(t, -_LARGEST, _LARGEST))
        return u, np.sqrt(0.5 * self.left_over(u) / standard_gamma(rng, self.density.half, n)), iters

    def left_over(self, u):
        """S (K,): the sum of squares at 1 / r^2 = u (K,)."""
        f = self.density
        with np.errstate(over="ignore", divide="ignore"):
            return f.rest + (1.0 / (1.0 + 1.0 / np.multiply.outer(u, f.lam))) @ f.q

    @cached_property
    def _log_nodes(self):
        """(points t, log of quadrature weight x density relative to the reference, reference)."""
        env = self._envelope()
        if not resolve_ratio(self.density, env):
            self._raise_for(kernel.STUCK)
        n = env.count[0]
        knots = env.knot[: n + 1]
        inside = np.isfinite(knots[1:]) & np.isfinite(knots[:-1])
        half = 0.5 * (knots[1:] - knots[:-1])[inside]
        middle = 0.5 * (knots[1:] + knots[:-1])[inside]
        t = (middle[:, None] + half[:, None] * POINTS).ravel()
        height = np.empty(t.size)
        rises_from(self.density, float(env.reference[0]), t, height)
        return t, height + np.log(half[:, None] * WEIGHTS).ravel(), float(env.reference[0])

    @cached_property
    def nodes(self):
        """Quadrature points u, and weights that sum to 1 under the posterior."""
        t, log_w, _ = self._log_nodes
        w = np.exp(log_w - log_w.max())
        return np.exp(np.clip(t, -_WIDEST, _WIDEST)), w / w.sum()

    @cached_property
    def log_normaliser(self):
        """Logarithm of the integral of exp(f), f as written in `kernels.log_ratio`."""
        _, log_w, at = self._log_nodes
        top = log_w.max()
        return self.log_value(at) + float(top + math.log(np.exp(log_w - top).sum()))

    def log_value(self, t):
        """f(t) at one point."""
        f = self.density
        u = math.exp(t)
        value = f.a * t - f.c / u - f.d / math.sqrt(u) - f.e * math.log1p(u / f.g)
        value -= 0.5 * float(f.weight @ np.log1p(np.exp(-t - np.log(f.lam))))
        return value - f.half * log_left_over(f, t)

    @property
    def tail(self):
        """The density of r falls off as r^(-2 tail - 1): moments of r of order < 2 tail exist."""
        return math.inf if self.density.lower > -math.inf else end_slopes(self.density)[0]

    @cached_property
    def residual_variance(self):
        """E(sigma^2 | u) at the quadrature points, for more than two degrees of freedom."""
        return 0.5 * self.left_over(self.nodes[0]) / (self.density.half - 1.0)
