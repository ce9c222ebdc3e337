"""Posteriors whose set-up is compiled in one call with the draws: one coefficient, or a few."""

import math

import numpy as np

from glmbayes.checks import EMPTY
from glmbayes.errors import ImproperPosteriorError, SamplerError
from glmbayes.kernels import glm_one, glm_small

_CHUNK_NS = 1e8  # a compiled call lasts about 0.1 s at most, so that Ctrl-C is noticed
_TERM_NS = 40.0


def raise_for(status):
    """Turn a kernel's status into the library's exception."""
    if status == glm_one.IMPROPER:
        raise ImproperPosteriorError(
            "the posterior is improper: with a flat prior the likelihood does not fall off on one side (all responses "
            "at the edge of their range, or separated data). Give the coefficient a prior with a finite variance."
        )
    if status == glm_one.NOT_FINITE:
        raise SamplerError(
            "the log posterior is not finite where the mode is sought: check the scale of x, of the offset and of the "
            "prior's standard deviations."
        )
    if status == glm_small.FAILED_MODE:
        raise SamplerError("the posterior mode was not found: check the scales of x, of the offset and of the prior.")
    if status == glm_one.CAPPED:
        raise SamplerError("no candidate of very many was accepted: a narrower prior or more data would help.")
    if status == glm_one.BROKEN:
        raise SamplerError("internal error: a candidate lay above its envelope. Please report this with the data.")


def _chunks(n, rows, progress):
    """Slices of the draws that a compiled call makes in about 0.1 s; their sizes depend on the rows only."""
    step = int(min(max(_CHUNK_NS / (rows * _TERM_NS + 300.0), 1), 65_536))
    slices = [slice(lo, min(lo + step, n)) for lo in range(0, n, step)]
    if not progress or len(slices) == 1:
        return slices
    from tqdm import tqdm

    return tqdm(slices, unit="chunk", leave=False)


class LinePosterior:
    """One coefficient with a normal (or flat) prior: tangents to the log posterior.

    Attributes
    ----------
    coef_mode : (1,) array
        Known after the first draw.
    candidates : int
        Candidates so far.
    """

    name = "line"
    predicted = 1.13

    def __init__(self, kernel, y, x, offset, weights, mu, variance, log_constant=math.nan):
        self.data = (kernel, y, x.reshape(-1), offset, weights, float(mu), float(variance))
        self.log_constant = log_constant
        self.coef_mode = np.full(1, np.nan)

    def draw(self, n, rng, progress=False):
        """`n` draws: coefficients (n, 1) and candidates (n,)."""
        out, iters = np.empty(n), np.empty(n, np.int64)
        work = np.empty((6, glm_one.CAPACITY))
        rows = self.data[1].shape[0]
        for part in [slice(0, n)] if n * rows < 10_000 else _chunks(n, rows, progress):
            status, mode = glm_one.draws_1d(rng, *self.data, work, out[part], iters[part])
            if status != glm_one.OK:
                raise_for(status)
        self.coef_mode[0] = mode
        return out.reshape(n, 1), iters

    def log_evidence(self, rng=None, candidates=None):
        """log p(y) by quadrature, and its standard error: zero."""
        return glm_one.log_evidence_1d(*self.data) + self.log_constant, 0.0


class GridPosterior:
    """A few coefficients with a normal prior: the grid envelope.

    `draw` returns None when the grid accepts too few candidates for these data.
    """

    name = "grid"
    predicted = math.nan

    def __init__(self, kernel, y, x, offset, weights, mu, low, log_constant=math.nan, patience=glm_small.PATIENCE):
        rows = y.shape[0]
        offset = offset if offset is not EMPTY else np.zeros(rows)
        weights = weights if weights is not EMPTY else np.ones(rows)
        self.data = (kernel, y, x, offset, weights, mu, low)
        self.log_constant = log_constant
        self.patience = patience
        self.coef_mode = np.full(mu.shape[0], np.nan)

    def draw(self, n, rng, progress=False):
        """`n` draws: coefficients (n, p) and candidates (n,); None when the grid is a poor envelope here."""
        out, iters = np.empty((n, self.coef_mode.shape[0])), np.empty(n, np.int64)
        rows = self.data[1].shape[0]
        for part in [slice(0, n)] if n * rows < 10_000 else _chunks(n, rows, progress):
            status, _, _ = glm_small.small_draws(rng, *self.data, self.patience, out[part], iters[part], self.coef_mode)
            if status == glm_small.POOR:
                return None
            if status != glm_one.OK:
                raise_for(status)
        return out, iters

    def log_evidence(self, rng, candidates=20_000):
        """log p(y) and its standard error, from the envelope's mass and the rate at which `candidates` are accepted."""
        draws = max(2, candidates)
        out, iters = np.empty((draws, self.coef_mode.shape[0])), np.empty(draws, np.int64)
        status, log_mass, tried = glm_small.small_draws(rng, *self.data, np.inf, out, iters, self.coef_mode)
        raise_for(status)
        rate = (draws - 1) / (tried - 1)  # unbiased when drawing stops at the last acceptance
        return log_mass + math.log(rate) + self.log_constant, math.sqrt((1.0 - rate) / draws)
