"""The Gibbs sampler of `glmerb`."""

import numpy as np

from glmbayes.chains.run import streams
from glmbayes.glm.small import raise_for
from glmbayes.kernels.glm_effects import GlmState
from glmbayes.kernels.glm_effects_sweep import run_glm_effects
from glmbayes.mixed.draws import MixedDraws
from glmbayes.mixed.mcmc import refuse_breakdown, run_sweeps


def run_glm_mcmc(design, reduced, n, chains, burn_in, thin, rng, progress):
    """`n` draws in all (rounded up to a multiple of `chains`): (MixedDraws, interrupted)."""
    per = -(-n // chains)
    rngs = streams(rng, chains)
    factors = reduced.factors
    p, total = reduced.beta_hat.size, int((factors.m * factors.q).sum())
    K, Q = len(design.terms), int(factors.q.max())
    out = [(np.empty((per, p)), np.empty((per, total)), np.empty((per, K, Q, Q))) for _ in rngs]
    states = [_start(reduced, K, Q, total, generator) for generator in rngs]
    data = (reduced.family, reduced.rows, factors, reduced.shifts, reduced.prior)

    def sweep(c, sweeps, thin, row):
        return run_glm_effects(rngs[c], *data, states[c], sweeps, thin, *out[c], row)

    length, interrupted, status = run_sweeps(sweep, per, burn_in, thin, chains, progress)
    if status:
        raise_for(status)
        refuse_breakdown()
    return _collect(design, reduced, out, length), interrupted


def _start(reduced, K, Q, total, rng):
    """Fixed effects around the fit without groups, standard deviations over a factor of ten, effects from them."""
    root = np.zeros((K, Q, Q))
    for k, size in enumerate(reduced.size):
        for i in range(size.size):
            root[k, i, i] = min(0.5 * np.exp(rng.uniform(-1.15, 1.15)) / size[i], 0.9 * reduced.prior.upper[k])
    p, n = reduced.rows.x.shape
    return GlmState(rng.standard_normal(p), rng.standard_normal(total), root, np.ones((K, Q)), np.empty(n))


def _collect(design, reduced, out, length):
    theta, effects, root = (np.concatenate([part[i][:length] for part in out]) for i in range(3))
    factors, covariances, values = reduced.factors, [], []
    for k, term in enumerate(design.terms):
        low = root[:, k, : term.q, : term.q]
        covariances.append(low @ low.transpose(0, 2, 1))
        f, at = factors.term_factor[k], factors.term_at[k]
        mine = effects[:, factors.first[f] : factors.first[f] + factors.m[f] * factors.q[f]]
        values.append(mine.reshape(-1, factors.m[f], factors.q[f])[:, :, at : at + term.q].copy())
    beta = reduced.beta_hat + theta @ reduced.unscale.T
    return MixedDraws(beta, np.ones(len(beta)), tuple(covariances), tuple(values), len(out))
