"""Gamma prior on the precision, the coefficients known."""

import math

import numpy as np

from glmbayes.checks import any_float_array, count, float_array, scalar
from glmbayes.errors import ImproperPosteriorError, InputError
from glmbayes.kernels.blocks import block_errors
from glmbayes.kernels.linalg import all_finite
from glmbayes.kernels.log_precision import DONE, IMPROPER_HIGH, IMPROPER_LOW
from glmbayes.kernels.rows import squared_errors
from glmbayes.posteriors.log_precision import gamma_dispersions, gamma_log_constant
from glmbayes.posteriors.mixture import Mixture
from glmbayes.posteriors.precision import PrecisionPosterior
from glmbayes.priors.base import (
    LARGEST_RATE,
    Prior,
    PriorDraws,
    by_draw,
    dispersion_limits,
    empty_blocks,
    limit_arguments,
    limits_text,
    read_only,
    set_field,
)
from glmbayes.priors.coefficients import coefficient_names, order_of
from glmbayes.priors.conjugate import GammaRate
from glmbayes.random import generator
from glmbayes.rows import errors_at


class dGamma(Prior):
    """Gamma prior on the precision: 1/phi ~ Gamma(shape, rate), the coefficients known.

    Parameters
    ----------
    shape, rate : float
        Of the gamma distribution of the precision; prior mean shape / rate.  Values that make an improper prior
        (shape <= 0, rate = 0) are accepted and judged by the posterior: shape = -1/2, rate = 0 with
        ``disp_upper=U**2`` is the uniform prior on a standard deviation up to U.
    beta : (p,) array_like
        The known coefficients; named input is matched by name.  (J, p) varies by block.
    disp_lower, disp_upper : float, optional
        Limits on the dispersion phi.  None (the default) does not truncate.
    Inv_Dispersion : bool
        False makes another prior of it, without beta and limits: on the single mean of Poisson responses, or the rate
        (one over the mean) of Gamma responses, see `glmbayes.priors.GammaRate`.

    Notes
    -----
    1/phi | y, beta ~ Gamma(shape + n/2, rate + SSE/2), n the number of observations (or the sum of frequency weights).

    Examples
    --------
    >>> from glmbayes import dGamma, rlmb
    >>> prior = dGamma(shape=2.0, rate=1.0, beta=[0.5])
    >>> rlmb(5, [0.4, 1.2, -0.3], [[1], [1], [1]], prior, rng=1).dispersion.shape
    (5,)
    """

    __slots__ = ("_beta", "disp_lower", "disp_upper", "names", "rate", "shape")
    knows_coefficients = True

    def __new__(cls, shape, rate, beta=None, *, disp_lower=None, disp_upper=None, Inv_Dispersion=True):
        if Inv_Dispersion:
            return super().__new__(cls)
        for name, value in (("beta", beta), ("disp_lower", disp_lower), ("disp_upper", disp_upper)):
            if value is not None:
                raise InputError(
                    f"{name} has no meaning with Inv_Dispersion=False, a prior on the mean of Poisson responses or the "
                    "rate of Gamma responses: leave it out."
                )
        return GammaRate(shape, rate)

    def __init__(self, shape, rate, beta=None, *, disp_lower=None, disp_upper=None, Inv_Dispersion=True):
        names = None
        if beta is not None:
            if type(beta) is not np.ndarray:
                names = coefficient_names(beta)
                beta = any_float_array(beta, "beta")
            beta = float_array(beta, "beta", 2 if beta.ndim == 2 and beta.shape[0] > 1 else 1).copy()
            if not all_finite(beta):
                raise InputError(f"beta must be finite; got {beta}.")
        lower, upper = 0.0, math.inf
        if disp_lower is not None or disp_upper is not None:
            lower, upper = dispersion_limits(disp_lower, disp_upper)
        set_field(self, "shape", scalar(shape, "shape"))
        set_field(self, "rate", scalar(rate, "rate", at_least=0.0, at_most=LARGEST_RATE))
        set_field(self, "_beta", beta)
        set_field(self, "names", names)
        set_field(self, "disp_lower", lower)
        set_field(self, "disp_upper", upper)

    coefficient = None

    @property
    def beta(self):
        return None if self._beta is None else read_only(self._beta)

    def _arguments(self):
        return {
            "shape": self.shape,
            "rate": self.rate,
            "beta": self.beta,
            **limit_arguments(self.disp_lower, self.disp_upper),
        }

    def __reduce__(self):
        return _rebuild, (self._arguments(), self.names)

    def __repr__(self):
        lines = [f"dGamma: {self._on_precision()}"]
        if self.beta is not None:
            lines.append(f"  given beta = {np.array2string(self.beta, precision=5, threshold=12)}")
        return "\n".join(lines)

    def _on_precision(self):
        text = f"precision 1/phi ~ Gamma(shape = {self.shape:g}, rate = {self.rate:g})"
        return text + limits_text(self.disp_lower, self.disp_upper)

    def coefficient_for(self, names, p):
        """The known coefficients in the order of the design's columns."""
        beta = self._beta
        if beta is None:
            raise InputError(
                "dGamma needs the coefficients of the model: dGamma(shape, rate, beta=...). To estimate them too use "
                "dIndependent_Normal_Gamma, or dNormal_Gamma in a Gaussian model."
            )
        if beta.ndim != 1:
            raise InputError("this prior's beta varies by block: use rlmb_blocks.")
        if self.names is not None and names is not None and self.names != names:
            return beta[order_of(self.names, names)]
        if beta.shape[0] != p:
            raise InputError(f"beta must have one entry per column of x ({p}); got {beta.shape[0]}.")
        return beta

    @property
    def log_constant(self):
        """Logarithm of the constant of the prior density of the precision; NaN when improper."""
        return gamma_log_constant(self.shape, self.rate, self.disp_lower, self.disp_upper)

    def aligned(self, names):
        """The same prior with its coefficients in the order of `names`."""
        beta = self.coefficient_for(tuple(names), len(names))
        return self if beta is self._beta else _rebuild({**self._arguments(), "beta": beta}, tuple(names))

    def restricted(self, names, columns):
        raise InputError("dGamma keeps the coefficients fixed: there are no smaller models to fit.")

    def location_scale(self, dispersion):
        return self.beta, np.zeros((self.beta.shape[0], self.beta.shape[0]))

    def conditional(self, combinations):
        mean = combinations @ self.beta
        return Mixture.normal(mean, np.zeros(mean.shape))

    def given_dispersion(self, rows, dispersion):
        return self.beta, np.zeros((self.beta.shape[0], self.beta.shape[0]))

    def build(self, rows, beta):
        return PrecisionPosterior(self, beta, rows.n_w, squared_errors(rows.triangle, beta), rows.log_weights)

    def posterior(self, y, x, offset, weights, weights_type, beta):
        n_w, logs, errors = errors_at(y, x, offset, weights, weights_type, beta)
        return PrecisionPosterior(self, beta, n_w, errors, logs)

    def draw_blocks(self, n, data, names, frequency, rng):
        y, x, offset, weights, starts = data
        n_blocks, p = starts.shape[0] - 1, x.shape[1]
        if self._beta is None or self._beta.ndim == 1:
            beta = self.coefficient_for(names, p).reshape(1, -1)
        else:
            beta = self._beta
            if beta.shape != (n_blocks, p):
                raise InputError(f"beta must be (p,) or (J, p) = ({n_blocks}, {p}); got {beta.shape}.")
            if self.names is not None and names is not None and self.names != names:
                beta = np.ascontiguousarray(beta[:, order_of(self.names, names)])
        _, dispersion, iters, mode = empty_blocks(n, n_blocks, p)
        n_w, errors = np.empty(n_blocks), np.empty(n_blocks)
        failure = block_errors(y, x, offset, weights, starts, beta, frequency, n_w, errors)
        mode[:] = beta
        if failure[1] == DONE:
            for j in range(n_blocks):
                try:
                    part = PrecisionPosterior(self, mode[j], n_w[j], errors[j])
                except ImproperPosteriorError:
                    failure = j, IMPROPER_HIGH if self.shape + 0.5 * n_w[j] > 0.0 else IMPROPER_LOW
                    break
                _, dispersion[j], iters[j] = part.draw(n, rng)
        return by_draw(np.repeat(mode[:, None, :], n, axis=1), dispersion, iters, mode, failure)

    def sample(self, n, rng=None):
        """`n` draws of the dispersion from the prior."""
        n, rng = count(n), generator(rng)
        if math.isnan(self.log_constant):
            raise InputError(f"{self!r} is improper as a prior: it cannot be sampled.")
        return PriorDraws(None, gamma_dispersions(self, n, rng))


def _rebuild(arguments, names):
    prior = dGamma(**arguments)
    set_field(prior, "names", names)
    return prior
