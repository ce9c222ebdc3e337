"""Independence Metropolis with a t proposal at the mode: the labelled fallback where no exact sampler is reasonable."""

import math

import numpy as np

from glmbayes.glm import tensors
from glmbayes.glm.diagnostics import ess, rhat
from glmbayes.kernels import glm_rows
from glmbayes.kernels.metropolis import independence_chain

CHAINS = 4
_DF = 30.0
_BATCH = 4096


class MetropolisPosterior:
    """Markov chain draws from a whitened GLM posterior (`glmbayes.glm.whiten.Whitened`).

    Four chains, each started by a draw of the proposal, a t distribution with 30 degrees of freedom centred and scaled
    by the mode; the first tenth of each chain (at least 100 steps) is discarded.

    Attributes
    ----------
    rhat, ess : (p,) arrays
        Of the latest draws.
    acceptance : float
    """

    name = "mcmc"
    predicted = math.nan

    def __init__(self, white):
        self.constants = np.empty(white.y.size)
        glm_rows.row_constants(white.kernel, white.eta, white.y, self.constants)
        self.white = white
        self.coef_mode = white.mode
        self.acceptance = math.nan
        self.rhat = self.ess = np.full(white.mode.size, np.nan)

    def draw(self, n, rng, progress=False):
        """`n` draws, chain after chain: coefficients (n, p) and candidates (n,)."""
        white, p = self.white, self.white.mode.size
        keep = -(-n // CHAINS)
        warm = max(100, keep // 10)
        chains = np.empty((CHAINS, keep, white.size))
        accepted = 0
        for chain in chains:
            z, log_ratio = self._candidates(warm + keep, rng)
            state = np.empty(warm + keep, np.int64)
            accepted += independence_chain(log_ratio, np.log1p(-rng.random(warm + keep)), state)
            chain[:] = z[state[warm:]]
        self.acceptance = accepted / (CHAINS * (warm + keep))
        theta = white.mode + chains @ white.unwhiten.T
        if white.free.shape[1]:
            theta += rng.standard_normal((CHAINS, keep, white.free.shape[1])) @ white.free.T
        if keep >= 8:
            self.rhat = np.array([rhat(theta[:, :, j]) for j in range(p)])
            self.ess = np.array([ess(theta[:, :, j]) for j in range(p)])
        return theta.reshape(-1, p)[:n].copy(), np.ones(n, np.int64)

    def _candidates(self, count, rng):
        """Draws of the proposal in whitened coordinates, and log target less log proposal (up to a constant)."""
        p = self.white.size
        z = rng.standard_normal((count, p)) * np.sqrt(_DF / rng.chisquare(_DF, count))[:, None]
        log_proposal = -0.5 * (_DF + p) * np.log1p(np.einsum("ij,ij->i", z, z) / _DF)
        target = np.concatenate([self._log_target(z[k : k + _BATCH]) for k in range(0, count, _BATCH)])
        return z, target - log_proposal

    def _log_target(self, z):
        """Log posterior at whitened points (k, p), less that at the mode."""
        w = self.white
        out = z @ w.gradient - 0.5 * np.einsum("ij,ij->i", z @ w.prior, z)
        for rows in tensors.slices(w.y.size, len(z) * (z.shape[1] + 40)):
            glm_rows.add_log_ratio(
                w.kernel, w.design[rows], w.y[rows], w.weights[rows], w.eta[rows], self.constants[rows],
                glm_rows.BY_ROW, z, out,
            )  # fmt: skip
        return out
