"""rlmb: arrays in, exact draws out."""

from dataclasses import dataclass

import numpy as np

from glmbayes.checks import count, labels_of, option, regression_arrays
from glmbayes.errors import InputError
from glmbayes.priors.base import Prior
from glmbayes.random import generator

WEIGHTS_TYPES = ("frequency", "precision")


@dataclass(frozen=True, slots=True, eq=False)
class Draws:
    """What `rlmb` returns.

    Attributes
    ----------
    coefficients : (n, p) array
        Draws of the coefficients.
    dispersion : (n,) array
        Draws of the dispersion (residual variance), or the known value.
    coef_mode : (p,) array
        Mode of the coefficients given the dispersion at the mode of its marginal in log dispersion.
    iters : (n,) int array
        Candidates that each draw took (1 for closed forms).
    prior : the prior used.
    """

    coefficients: np.ndarray
    dispersion: np.ndarray
    coef_mode: np.ndarray
    iters: np.ndarray
    prior: Prior

    def __repr__(self):
        n, p = self.coefficients.shape
        return (
            f"Draws: {n} x {p} coefficients under {type(self.prior).__name__}, "
            f"{self.iters.mean():.3g} candidates per draw"
        )


def rlmb(n, y, x, pfamily, *, offset=None, weights=None, weights_type="frequency", rng=None):
    """Draw from the posterior of a Bayesian linear regression.

    Every draw is exact and independent of the others.

    Parameters
    ----------
    n : int
        Number of draws.
    y : (N,) array_like
        Response.
    x : (N, p) array_like
        Design matrix, with a column of ones for an intercept.
    pfamily : prior
        `dNormal` (with its dispersion), `dNormal_Gamma`, `dGamma` (with its beta), `dIndependent_Normal_Gamma` or
        `dIndependent_Normal`.
    offset : (N,) array_like, optional
        Known part of the mean.
    weights : (N,) array_like, optional
        Non-negative weights; rows with weight 0 are left out.
    weights_type : {"frequency", "precision"}
        "frequency": a weight counts observations (weight 2 is a row written twice).  "precision": as in R's ``lm``,
        the variance of an observation is dispersion / weight.
    rng : None, int or numpy.random.Generator
        Source of randomness; the same int gives the same draws, so do not pass a constant int inside a loop.

    Returns
    -------
    Draws
        With ``coefficients`` (n, p), ``dispersion`` (n,), ``coef_mode`` (p,), ``iters`` (n,) and ``prior``.

    Raises
    ------
    InputError
        Missing or infinite values, shapes that disagree, a prior of the wrong length.
    ImproperPosteriorError
        Prior and data leave no proper posterior; the message says which end diverges.

    Examples
    --------
    >>> import numpy as np
    >>> from glmbayes import dIndependent_Normal_Gamma, rlmb
    >>> x = np.column_stack([np.ones(5), np.arange(5)])
    >>> fit = rlmb(2000, [1.1, 1.9, 3.2, 3.9, 5.1], x,
    ...            dIndependent_Normal_Gamma([0, 0], 100 * np.eye(2), shape=1, rate=0.1), rng=7)
    >>> bool(abs(fit.coefficients[:, 1].mean() - 1.0) < 0.1)
    True
    """
    n = count(n)
    rng = generator(rng)
    if not isinstance(pfamily, Prior):
        raise InputError(
            f"pfamily must be a prior such as dNormal(mu, Sigma, dispersion); got {type(pfamily).__name__}."
        )
    names = None if type(x) is np.ndarray else labels_of(x, axis=1)
    y, x, offset, weights = regression_arrays(y, x, offset, weights)
    coefficient = pfamily.coefficient_for(names, x.shape[1])
    if type(weights_type) is not str or weights_type != "frequency":
        option(weights_type, "weights_type", WEIGHTS_TYPES)
    posterior = pfamily.posterior(y, x, offset, weights, weights_type, coefficient)
    coefficients, dispersion, iters = posterior.draw(n, rng)
    return Draws(coefficients, dispersion, posterior.coef_mode, iters, pfamily)
