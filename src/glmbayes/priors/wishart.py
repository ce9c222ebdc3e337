"""Priors on the covariance matrix of group effects."""

import math

import numpy as np

from glmbayes.checks import count, float_array, scalar
from glmbayes.errors import InputError
from glmbayes.kernels.linalg import all_finite, asymmetry, cholesky
from glmbayes.kernels.wishart import draw_inverse_wishart, draw_wishart
from glmbayes.priors.base import Frozen, read_only, set_field
from glmbayes.random import generator


class CovariancePrior(Frozen):
    """Base of the priors on a covariance matrix Psi (q, q)."""

    __slots__ = ()

    def sample(self, n, rng=None):
        """`n` covariance matrices (n, q, q) drawn from the prior."""
        return self._sample(count(n), generator(rng))

    def __reduce__(self):
        return type(self), self._arguments()


class dWishart(CovariancePrior):
    """Wishart prior on a precision matrix: Psi^-1 ~ Wishart(df, Psi_0^-1), so Psi ~ inverse-Wishart(df, Psi_0).

    Parameters
    ----------
    df : float
        Degrees of freedom (Hoff's eta_0), > q - 1.  E Psi^-1 = df Psi_0^-1;
        E Psi = Psi_0 / (df - q - 1) for df > q + 1.
    Psi_0 : (q, q) array_like
        Scale on the side of the covariance: a prior guess of Psi times df - q - 1.

    Raises
    ------
    InputError
        Psi_0 is not symmetric positive definite, or df <= q - 1, for which the distribution is improper.

    Examples
    --------
    >>> import numpy as np
    >>> from glmbayes import dWishart
    >>> dWishart(4, np.eye(2)).sample(1000, rng=1).shape
    (1000, 2, 2)
    """

    __slots__ = ("_Psi_0", "df")

    def __init__(self, df, Psi_0):
        Psi_0 = float_array(Psi_0, "Psi_0", 2).copy()
        q = Psi_0.shape[0]
        if Psi_0.shape != (q, q):
            raise InputError(f"Psi_0 must be square; got shape {Psi_0.shape}.")
        df = scalar(df, "df")
        if not df > q - 1:
            raise InputError(
                f"df must be greater than q - 1 = {q - 1} for a {q} x {q} matrix; got {df:g}: the Wishart density "
                f"cannot be normalised there. df = {q + 1} is the usual weak choice."
            )
        if not all_finite(Psi_0) or asymmetry(Psi_0) > 1e-8 or not cholesky(Psi_0, np.empty((q, q))):
            raise InputError(f"Psi_0 must be a symmetric positive definite matrix; got {Psi_0.tolist()}.")
        set_field(self, "df", df)
        set_field(self, "_Psi_0", Psi_0)

    @property
    def Psi_0(self):
        """(q, q) scale of the inverse-Wishart distribution of Psi."""
        return read_only(self._Psi_0)

    @property
    def q(self):
        """Number of effects per group."""
        return self._Psi_0.shape[0]

    def _arguments(self):
        return self.df, self._Psi_0

    def __repr__(self):
        return f"dWishart(df={self.df:g}, Psi_0={np.array2string(self._Psi_0, precision=4).replace(chr(10), '')})"

    def _sample(self, n, rng):
        out = np.empty((n, self.q, self.q))
        for i in range(n):
            draw_inverse_wishart(rng, self.df, self._Psi_0, out[i])
        return out

    def log_density(self, Psi):
        """Log density at covariance matrices Psi (..., q, q), with its constant."""
        from scipy.special import multigammaln

        q, df = self.q, self.df
        log_det_0 = np.linalg.slogdet(self._Psi_0)[1]
        constant = 0.5 * df * log_det_0 - 0.5 * df * q * math.log(2.0) - float(multigammaln(0.5 * df, q))
        Psi = np.asarray(Psi, dtype=float)
        trace = np.trace(np.linalg.solve(Psi, np.broadcast_to(self._Psi_0, Psi.shape)), axis1=-2, axis2=-1)
        return constant - 0.5 * (df + q + 1) * np.linalg.slogdet(Psi)[1] - 0.5 * trace

    def sample_precision(self, n, rng=None):
        """`n` precision matrices (n, q, q): Wishart(df, Psi_0^-1)."""
        n, rng = count(n), generator(rng)
        scale = np.linalg.inv(self._Psi_0)
        scale = np.ascontiguousarray(0.5 * (scale + scale.T))
        out = np.empty((n, self.q, self.q))
        for i in range(n):
            draw_wishart(rng, self.df, scale, out[i])
        return out


class dHuangWand(CovariancePrior):
    """Huang-Wand prior on a covariance: half-t standard deviations; for df = 2 uniform correlations.

    Psi | a ~ IW(df + q - 1, 2 df diag(1/a_k)), a_k ~ IG(1/2, 1/scale_k^2) (Huang & Wand 2013, Bayesian Analysis 8).

    Parameters
    ----------
    scale : float or (q,) array_like
        Scales of the half-t(df, scale_k) standard deviations; a single number serves any q.
    df : float
        Degrees of freedom, 2 by default.

    Examples
    --------
    >>> from glmbayes import dHuangWand
    >>> dHuangWand([5.0, 1.0])
    dHuangWand(scale=[5, 1], df=2)
    """

    __slots__ = ("_scale", "df")

    def __init__(self, scale, df=2.0):
        scale = float_array(scale, "scale", 1).copy()
        if not ((scale > 1e-100) & (scale < 1e100)).all():  # squares and their reciprocals must be doubles
            raise InputError(f"scale must be positive and finite, 1e-100 to 1e100; got {scale.tolist()}.")
        set_field(self, "_scale", scale)
        set_field(self, "df", scalar(df, "df", above=0.0))

    @property
    def scale(self):
        """(q,) scales of the standard deviations (or a single one for all)."""
        return read_only(self._scale)

    def _arguments(self):
        return self._scale, self.df

    def __repr__(self):
        shown = ", ".join(f"{s:g}" for s in self._scale)
        return f"dHuangWand(scale={shown if self._scale.size == 1 else f'[{shown}]'}, df={self.df:g})"

    def scales(self, q):
        """(q,) scales for a q x q covariance."""
        if self._scale.size not in (1, q):
            raise InputError(f"dHuangWand has {self._scale.size} scales but the group effects have {q} columns.")
        return np.array(np.broadcast_to(self._scale, (q,)))

    def _sample(self, n, rng):
        q = self._scale.size
        # 1/a_k ~ Gamma(1/2, rate 1/scale^2)
        inverse_a = rng.standard_gamma(0.5, (n, q)) * self._scale**2
        out = np.empty((n, q, q))
        for i in range(n):
            draw_inverse_wishart(rng, self.df + q - 1.0, np.diag(2.0 * self.df * inverse_a[i]), out[i])
        return out
