"""Posterior of a GLM with a normal prior: set up once, then draw, as often as wanted."""

import math
from dataclasses import dataclass

import numpy as np

from glmbayes import families
from glmbayes.errors import InputError, SamplerError
from glmbayes.families import Family
from glmbayes.glm.build import divide_weights
from glmbayes.glm.chooser import Estimate, choose
from glmbayes.glm.shape import measure
from glmbayes.glm.whiten import Whitened, whiten
from glmbayes.random import generator

CHUNK = 4096  # draws per stream: a constant, so that draws depend on nothing but the seed and n
_BATCH = 4096
_CAP = 1e-8  # acceptance rate below which drawing stops


@dataclass(frozen=True)
class Draws:
    """Draws of the coefficients.

    Attributes
    ----------
    coefficients : (n, p) array
    candidates : (n,) array of int
        Candidates that each draw took.
    """

    coefficients: np.ndarray
    candidates: np.ndarray


@dataclass(frozen=True)
class GLMPosterior:
    """A GLM's posterior with its sampler; made by `build_glm_posterior`.

    Attributes
    ----------
    family : Family
    mode : (p,) array
        Posterior mode on the coefficient scale.
    covariance : (p, p) array
        Inverse information at the mode.
    white : Whitened
    estimates : tuple of Estimate
        The samplers considered with their predicted costs, the chosen one first.  A sampler has name, log_mass,
        streams(seed) and candidates(streams, count).
    log_constant : float
        What log-likelihood and log prior at the mode leave out; NaN where the evidence is not defined.
    """

    family: Family
    white: Whitened
    estimates: tuple[Estimate, ...]
    log_constant: float

    @property
    def sampler(self):
        """The sampler in use: the first of the estimates."""
        return self.estimates[0].sampler

    def report(self):
        """What was considered: the chosen sampler first, each with its predicted cost."""
        lines = [
            f"{'chosen' if k == 0 else '      '} {e.name:7s} {e.candidates:10.4g} candidates a draw, "
            f"{e.nanoseconds / 1000.0:10.4g} microseconds a draw (predicted)"
            for k, e in enumerate(self.estimates)
        ]
        return "\n".join(lines)

    @property
    def mode(self):
        return self.white.mode

    @property
    def covariance(self):
        return self.white.covariance

    def draw(self, n=1, rng=None, progress=False):
        """Draw n exact, independent coefficient vectors.

        Parameters
        ----------
        n : int
        rng : None, int or numpy.random.Generator
            Only integers are taken from it: one seed for each chunk of 4096 draws.
        progress : bool
            Show a progress bar.

        Returns
        -------
        Draws
        """
        seeds = generator(rng).integers(0, 2**63, size=-(-n // CHUNK))
        white = self.white
        Z = np.empty((n, white.size))
        theta = np.empty((n, white.mode.size))
        taken = np.empty(n, np.int64)
        bar = None
        if progress:
            from tqdm import tqdm

            bar = tqdm(total=n, unit="draw", leave=False)
        rate = 0.5
        for k, seed in enumerate(seeds):
            rows = slice(k * CHUNK, min((k + 1) * CHUNK, n))
            rate = self._fill(int(seed), Z[rows], taken[rows], rate, bar)
            theta[rows] = white.mode + Z[rows] @ white.unwhiten.T
            if white.free.shape[1]:
                free = np.random.default_rng([1, int(seed)])
                theta[rows] += free.standard_normal((len(theta[rows]), white.free.shape[1])) @ white.free.T
        if bar is not None:
            bar.close()
        return Draws(theta, taken)

    def _fill(self, seed, Z, taken, rate, bar):
        """Fill one chunk from its own streams; returns its acceptance rate, a guess for the next."""
        streams = self.sampler.streams(seed)
        have, tried, last = 0, 0, 0
        while have < len(Z):
            count = int(min(max(1.1 * (len(Z) - have) / rate + 8, 16), _BATCH))
            candidates, accepted, _ = self.sampler.candidates(streams, count)
            where = np.flatnonzero(accepted)[: len(Z) - have]
            Z[have : have + where.size] = candidates[where]
            at = tried + where + 1
            taken[have : have + where.size] = np.diff(at, prepend=last)
            if where.size:
                last = at[-1]
                have += where.size
            tried += count
            rate = (have + 1.0) / (tried + 2.0)
            if bar is not None:
                bar.update(where.size)
            if rate < _CAP:
                raise SamplerError(
                    f"{tried} candidates gave {have} draws: the envelope is too far from this posterior. "
                    "A narrower prior, fewer coefficients or more data would help."
                )
        return rate

    def log_evidence(self, rng=None, candidates=20_000):
        """log p(y) with its standard error, from the envelope's mass and its acceptance rate.

        The estimate of p(y) is unbiased (that of its log is not, by half the squared standard error).

        Parameters
        ----------
        rng : None, int or numpy.random.Generator
        candidates : int
            Fixed number of candidates; the relative standard error is sqrt((1 - a) / (a candidates)) at
            acceptance rate a.

        Returns
        -------
        value, standard_error : float
        """
        if math.isnan(self.log_constant):
            raise InputError(
                "the evidence needs a proper prior and a family with a sampling distribution (not a quasi family)"
            )
        streams = self.sampler.streams(int(generator(rng).integers(0, 2**63)))
        accepted = 0
        for lo in range(0, candidates, _BATCH):
            _, ok, _ = self.sampler.candidates(streams, min(_BATCH, candidates - lo))
            accepted += int(np.count_nonzero(ok))
        if accepted == 0:
            raise SamplerError(f"none of {candidates} candidates was accepted; give candidates= more")
        rate = accepted / candidates
        value = self.white.log_peak + self.log_constant - 0.5 * self.white.log_det + self.sampler.log_mass
        value += 0.5 * self.white.free.shape[1] * math.log(2.0 * math.pi)
        return value + math.log(rate), math.sqrt((1.0 - rate) / (rate * candidates))


def build_glm_posterior(y, X, offset, weights, family, mu, precision, dispersion=1.0, sampler="auto", draws=10_000):
    """Find the mode, bound the posterior and choose a sampler.

    Parameters
    ----------
    y : (n,) array
        Response in the family's support (fractions for the binomial family).
    X : (n, p) array
    offset, weights : (n,) arrays
        Weights multiply log-likelihood terms (binomial: trials); rows of weight 0 are dropped.
    family : Family or str
    mu : (p,) array
        Prior mean.
    precision : (p, p) array
        Prior precision, the inverse of the prior covariance; singular for flat coefficients.
    dispersion : float
        Known dispersion (Gamma: 1 / shape); log-likelihood weights are weights / dispersion.
    sampler : {"auto", "radial", "tall"}
    draws : int
        Draws expected: how much set-up is worth its time.

    Returns
    -------
    GLMPosterior

    Raises
    ------
    InputError, ImproperPosteriorError, SamplerError

    Examples
    --------
    >>> import numpy as np
    >>> from glmbayes.glm.posterior import build_glm_posterior
    >>> X = np.column_stack([np.ones(4), [-1.0, 0.0, 1.0, 2.0]])
    >>> y, trials = np.array([0.1, 0.3, 0.6, 0.8]), np.full(4, 10.0)
    >>> post = build_glm_posterior(y, X, np.zeros(4), trials, "binomial", np.zeros(2), 0.1 * np.eye(2))
    >>> post.draw(1000, rng=1).coefficients.shape
    (1000, 2)
    """
    family = families.get(family)
    keep = weights > 0.0
    if not keep.all():
        y, X, offset, weights = y[keep], X[keep], offset[keep], weights[keep]
    X = np.ascontiguousarray(X, dtype=float)
    white = whiten(family.kernel, X, y, divide_weights(weights, dispersion), offset, mu, precision)
    shape = measure(white, family.self_concordant, draws)
    estimates = tuple(choose(white, shape, sampler, draws))
    return GLMPosterior(family, white, estimates, _log_constant(family, y, weights, dispersion, precision))


def _log_constant(family, y, weights, dispersion, precision):
    sign, log_det = np.linalg.slogdet(precision)
    if family.quasi or sign <= 0:
        return math.nan
    return family.log_constant(y, weights, dispersion) + 0.5 * (log_det - len(precision) * math.log(2.0 * math.pi))
