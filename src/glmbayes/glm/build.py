"""From checked arrays and a normal prior to a posterior that can be drawn from: which sampler, and why."""

import math

import numpy as np

from glmbayes.checks import option
from glmbayes.errors import InputError, SamplerError
from glmbayes.glm.small import GridPosterior, LinePosterior

SAMPLERS = ("auto", "grid", "radial", "tall", "mcmc")

_LARGEST_GRID = 5  # coefficients
_TERM = 30.0  # ns: one row of one likelihood pass in the compiled samplers of small problems
_SETUP = 4e6  # ns: what the radial envelope costs before its first draw
_SQUEEZED = 700.0  # ns a draw there, the data untouched
_HEAVIEST = 1e200  # a row of that weight over the dispersion


def prior_parts(coefficient):
    """Precision matrix and lower Cholesky factor of a coefficient prior; flat coefficients have zero precision."""
    p = coefficient.mu.shape[0]
    flat = np.isinf(np.diag(coefficient.Sigma)) if coefficient.flat else np.zeros(p, bool)
    precision = np.zeros((p, p))
    kept = np.flatnonzero(~flat)
    if kept.size:
        inverse = np.linalg.inv(coefficient.low[np.ix_(kept, kept)])
        precision[np.ix_(kept, kept)] = inverse.T @ inverse
    return precision


class EnvelopePosterior:
    """The radial, axis and tall samplers behind the interface of the small ones."""

    def __init__(self, posterior):
        self.posterior = posterior
        self.coef_mode = posterior.mode
        self.name = posterior.estimates[0].name
        self.predicted = posterior.estimates[0].candidates

    def draw(self, n, rng, progress=False):
        """`n` draws: coefficients (n, p) and candidates (n,)."""
        draws = self.posterior.draw(n, rng, progress)
        return draws.coefficients, draws.candidates

    def log_evidence(self, rng, candidates=20_000):
        """log p(y) and its standard error."""
        return self.posterior.log_evidence(rng, candidates)


def _large(arrays, family, coefficient, dispersion, sampler, draws):
    from glmbayes.glm.posterior import build_glm_posterior

    y, x, offset, weights = arrays
    n = y.shape[0]
    offset = offset if offset.size else np.zeros(n)
    weights = weights if weights.size else np.ones(n)
    precision = prior_parts(coefficient)
    return EnvelopePosterior(
        build_glm_posterior(y, x, offset, weights, family, coefficient.mu, precision, dispersion, sampler, draws)
    )


def _metropolis(arrays, family, coefficient, dispersion):
    from glmbayes.glm.metropolis import MetropolisPosterior
    from glmbayes.glm.whiten import whiten

    y, x, offset, weights = arrays
    n = y.shape[0]
    offset = offset if offset.size else np.zeros(n)
    weights = divide_weights(weights if weights.size else np.ones(n), dispersion)
    return MetropolisPosterior(
        whiten(family.kernel, x, y, weights, offset, coefficient.mu.copy(), prior_parts(coefficient))
    )


def divide_weights(weights, dispersion):
    """weights / dispersion, if the sum of such terms stays away from infinity."""
    with np.errstate(over="ignore"):
        scaled = weights / dispersion
    if not (scaled < _HEAVIEST).all():
        raise InputError(f"dispersion = {np.min(dispersion):g} is too small beside the weights: use other units.")
    return scaled


def _prefers_small(n, p, draws, flat):
    """Whether the fully compiled samplers of a few coefficients are predicted to be the cheaper ones."""
    if p == 1:
        cost = (10.0 + 1.05 * draws) * n * _TERM
    elif p <= _LARGEST_GRID and not flat:
        cells = 3.0**p
        cost = (10.0 + 2.0 * cells + 1.13**p * draws) * n * _TERM + cells * 100.0 * p
    else:
        return False
    return cost < _SETUP + n * p * p * 20.0 + draws * _SQUEEZED


def normal_posterior(arrays, family, coefficient, dispersion, sampler, draws):
    """The posterior of the coefficients under a normal prior, with the sampler asked for or the cheapest one.

    Parameters
    ----------
    arrays : y (n,), x (n, p), offset, weights (n,) or empty
        Checked, rows of weight 0 left out.
    family : Family
    coefficient : CoefficientPrior
    dispersion : float
    sampler : {"auto", "grid", "radial", "tall", "mcmc"}
    draws : int
        Draws expected.

    Returns
    -------
    posterior with ``draw(n, rng, progress)``, ``coef_mode``, ``name`` and ``predicted``; all but the Markov chain also
    with ``log_evidence(rng, candidates)``, returning the value and its standard error.
    """
    option(sampler, "sampler", SAMPLERS)
    if sampler == "mcmc":
        return _metropolis(arrays, family, coefficient, dispersion)
    y, x, offset, weights = arrays
    n, p = x.shape
    if sampler in ("radial", "tall") or (sampler == "auto" and not _prefers_small(n, p, draws, coefficient.flat)):
        return _large(arrays, family, coefficient, dispersion, sampler, draws)
    scaled = weights
    if dispersion != 1.0:
        scaled = divide_weights(weights if weights.size else np.ones(n), dispersion)
    constant = math.nan
    if not (family.quasi or coefficient.flat):
        constant = (
            family.log_constant(y, weights if weights.size else np.ones(n), dispersion) if draws != 1 else math.nan
        )
    if p == 1 and sampler == "auto":
        variance = coefficient.Sigma[0, 0]
        return LinePosterior(family.kernel, y, x, offset, scaled, coefficient.mu[0], variance, constant)
    if coefficient.flat:
        raise InputError("sampler='grid' needs a finite prior variance for every coefficient; use sampler='auto'.")
    grid = GridPosterior(family.kernel, y, x, offset, scaled, coefficient.mu, coefficient.low, constant)
    return grid if sampler == "grid" else _GridOrEnvelope(grid, arrays, family, coefficient, dispersion)


class _GridOrEnvelope:
    """The grid, or the radial envelope should the grid turn out to accept too little."""

    def __init__(self, grid, *rest):
        self._now = grid
        self._rest = rest

    def __getattr__(self, name):
        if name.startswith("_"):  # copies and pickles look for these before there is a `_now`
            raise AttributeError(name)
        return getattr(self._now, name)

    def draw(self, n, rng, progress=False):
        drawn = self._now.draw(n, rng, progress)
        if drawn is None:
            self._now = _large(*self._rest, "auto", n)
            drawn = self._now.draw(n, rng, progress)
        return drawn


def refuse_poor_grid():
    """What a forced grid says when it accepts too little."""
    raise SamplerError(
        "the grid envelope needs more than 50 candidates a draw for this posterior; sampler='auto' or 'radial' "
        "draws from it exactly too."
    )
