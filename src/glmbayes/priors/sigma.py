"""Priors on a standard deviation: small values, used for residuals here and for group effects in mixed models.

Each one also describes itself as a density of the precision u = 1 / sd^2,

    constant * u^power * exp(-rate u - c / u - d / sqrt(u)) * (u + g)^-e,     u >= 1 / upper^2,

the form that the exact samplers work with.
"""

import math
from types import MappingProxyType

import numpy as np

from glmbayes.checks import count, scalar
from glmbayes.errors import InputError
from glmbayes.priors.base import Frozen, set_field
from glmbayes.random import PIECE, generator

_LARGEST = 1e150  # its square is still a double


def _scale(value, name):
    """A positive number whose square and reciprocal a double holds."""
    value = scalar(value, name, above=0.0)
    if not 1e-100 < value < 1e100:
        raise InputError(f"{name} must be between 1e-100 and 1e100; got {value:g}. Use other units.")
    return value


class SigmaPrior(Frozen):
    """Base of the priors on a standard deviation.

    Attributes
    ----------
    terms : tuple of 6 floats
        power, rate, c, d, e, g of the density of the precision (see the module's text).
    log_constant : float
        Logarithm of that density's constant; NaN for an improper prior.
    upper : float
        Largest standard deviation allowed (infinity for none).
    """

    __slots__ = ("arguments", "log_constant", "terms", "upper")

    def _set(self, arguments, terms, log_constant, upper=math.inf):
        set_field(self, "arguments", MappingProxyType(arguments))
        set_field(self, "terms", terms)
        set_field(self, "log_constant", log_constant)
        set_field(self, "upper", upper)

    def __repr__(self):
        return f"{type(self).__name__}({', '.join(f'{k}={v:g}' for k, v in self.arguments.items())})"

    def __eq__(self, other):
        return type(self) is type(other) and self.arguments == other.arguments

    def __hash__(self):
        return hash((type(self), *self.arguments.values()))

    def __reduce__(self):
        return type(self), tuple(self.arguments.values())

    def log_density(self, sd):
        """Log density at standard deviations `sd` > 0 (without a constant when the prior is improper)."""
        sd = np.asarray(sd, dtype=float)
        power, _, c, d, e, g = self.terms
        inside = (sd > 0.0) & (sd <= self.upper)
        sd = np.where(inside, sd, 1.0)
        # u = sd^-2, |du / dsd| = 2 sd^-3, log(u + g) = log u + log(1 + g sd^2)
        value = math.log(2.0) - (2.0 * (power - e) + 3.0) * np.log(sd) - c * sd**2 - d * sd - e * np.log1p(g * sd**2)
        value = np.where(inside, value, -np.inf)
        return value if math.isnan(self.log_constant) else value + self.log_constant

    def sample(self, n, rng=None):
        """`n` standard deviations drawn from the prior (at most 1e150)."""
        n, rng = count(n), generator(rng)
        pieces = [self._sample(min(PIECE, n - start), rng) for start in range(0, n, PIECE)]
        return np.minimum(np.concatenate(pieces), _LARGEST)


class dHalfNormal(SigmaPrior):
    """Half-normal prior on a standard deviation.

    Parameters
    ----------
    scale : float
        Standard deviation of the normal that is folded at 0.

    Examples
    --------
    >>> from glmbayes import dHalfNormal
    >>> dHalfNormal(2.5)
    dHalfNormal(scale=2.5)
    """

    __slots__ = ()

    def __init__(self, scale):
        scale = _scale(scale, "scale")
        constant = 0.5 * math.log(2.0 / math.pi) - math.log(2.0 * scale)
        self._set({"scale": scale}, (-1.5, 0.0, 0.5 / scale**2, 0.0, 0.0, 1.0), constant)

    def _sample(self, n, rng):
        return self.arguments["scale"] * np.abs(rng.standard_normal(n))


class dExponential(SigmaPrior):
    """Exponential prior on a standard deviation.

    Parameters
    ----------
    rate : float
        One over the prior mean of the standard deviation.

    Examples
    --------
    >>> from glmbayes import dExponential
    >>> dExponential(1.0)
    dExponential(rate=1)
    """

    __slots__ = ()

    def __init__(self, rate):
        rate = _scale(rate, "rate")
        self._set({"rate": rate}, (-1.5, 0.0, 0.0, rate, 0.0, 1.0), math.log(rate / 2.0))

    def _sample(self, n, rng):
        return rng.exponential(1.0 / self.arguments["rate"], n)


class dHalfT(SigmaPrior):
    """Half-t prior on a standard deviation (Gelman 2006).

    Parameters
    ----------
    df : float
        Degrees of freedom.
    scale : float
        Scale of the t distribution that is folded at 0.

    Examples
    --------
    >>> from glmbayes import dHalfT
    >>> dHalfT(3, 2.5)
    dHalfT(df=3, scale=2.5)
    """

    __slots__ = ()

    def __init__(self, df, scale):
        df = _scale(df, "df")
        scale = _scale(scale, "scale")
        e = 0.5 * (df + 1.0)
        constant = math.lgamma(e) - math.lgamma(0.5 * df) - 0.5 * math.log(df * math.pi) - math.log(scale)
        self._set({"df": df, "scale": scale}, (e - 1.5, 0.0, 0.0, 0.0, e, 1.0 / (df * scale**2)), constant)

    def _sample(self, n, rng):
        return self.arguments["scale"] * np.abs(rng.standard_t(self.arguments["df"], n))


class dHalfCauchy(SigmaPrior):
    """Half-Cauchy prior on a standard deviation: a half-t with one degree of freedom (Gelman 2006).

    Parameters
    ----------
    scale : float
        Prior median of the standard deviation.

    Examples
    --------
    >>> from glmbayes import dHalfCauchy
    >>> dHalfCauchy(5)
    dHalfCauchy(scale=5)
    """

    __slots__ = ()

    def __init__(self, scale):
        scale = _scale(scale, "scale")
        self._set({"scale": scale}, (-0.5, 0.0, 0.0, 0.0, 1.0, scale**-2.0), -math.log(math.pi * scale))

    def _sample(self, n, rng):
        return self.arguments["scale"] * np.abs(rng.standard_cauchy(n))


class dUniform(SigmaPrior):
    """Uniform prior on a standard deviation between 0 and `upper`.

    Parameters
    ----------
    upper : float
        Largest standard deviation allowed.

    Examples
    --------
    >>> from glmbayes import dUniform
    >>> dUniform(1000)
    dUniform(upper=1000)
    """

    __slots__ = ()

    def __init__(self, upper):
        upper = _scale(upper, "upper")
        self._set({"upper": upper}, (-1.5, 0.0, 0.0, 0.0, 0.0, 1.0), -math.log(2.0 * upper), upper)

    def _sample(self, n, rng):
        return self.arguments["upper"] * (1.0 - rng.random(n))


class dFlat(SigmaPrior):
    """Flat (improper) prior on a standard deviation: density constant on (0, infinity).

    Examples
    --------
    >>> from glmbayes import dFlat
    >>> dFlat()
    dFlat()
    """

    __slots__ = ()

    def __init__(self):
        self._set({}, (-1.5, 0.0, 0.0, 0.0, 0.0, 1.0), math.nan)

    def _sample(self, n, rng):
        raise InputError("dFlat() is improper: it has no distribution to sample from.")
