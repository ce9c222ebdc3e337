"""The Gibbs sampler of `lmerb`: chains in threads, in chunks that let Ctrl-C through."""

import time

import numpy as np

from glmbayes.chains.run import CHUNK, kept_length, run_chains, streams
from glmbayes.errors import SamplerError
from glmbayes.kernels.effects import EffectsState
from glmbayes.kernels.effects_blocks import BlocksData, run_blocks
from glmbayes.kernels.effects_sweep import run_effects
from glmbayes.mixed.draws import MixedDraws


def run_sweeps(sweep, per, burn_in, thin, chains, progress):
    """Run chains in threads, in chunks of sweeps that let Ctrl-C through.

    Parameters
    ----------
    sweep : callable
        ``sweep(chain, sweeps, thin, row)`` runs that many sweeps and stores every `thin`-th from `row` on (thin = 0:
        none); it returns 0, or a status when it failed.
    per, burn_in, thin, chains : int
        Kept draws per chain, sweeps before them, sweeps per kept draw, number of chains.
    progress : bool

    Returns
    -------
    length : int
        Draws that every chain has.
    interrupted : bool
    status : int
        Of a chain that failed, else 0.
    """
    done, failed = [0] * chains, [0]

    def job(c):
        left, size = burn_in, 1
        while left or done[c] < per:
            begin = time.perf_counter()
            if left:
                sweeps = min(size, left)
                status = sweep(c, sweeps, 0, 0)
                left -= sweeps
            else:
                sweeps = min(max(1, size // thin), per - done[c]) * thin
                status = sweep(c, sweeps, thin, done[c])
                done[c] += sweeps // thin
            if status:
                failed[0] = status
                return
            took = time.perf_counter() - begin
            yield sweeps
            size = max(1, int(sweeps * min(8.0, CHUNK / max(took, 1e-9))))

    interrupted = run_chains(map(job, range(chains)), chains * (burn_in + per * thin), True, progress)
    return (0 if failed[0] else kept_length(done, interrupted)), interrupted, failed[0]


def refuse_breakdown():
    """Raise for a conditional distribution that is improper in floating point."""
    raise SamplerError(
        "a conditional distribution of the sampler broke down numerically: variables of very different sizes, or a "
        "variance that runs to 0 or infinity under its prior. Rescale the variables or state tighter priors."
    )


def run_mcmc(design, reduced, n, chains, burn_in, thin, rng, progress):
    """`n` draws in all (rounded up to a multiple of `chains`): (MixedDraws, interrupted)."""
    per = -(-n // chains)
    rngs = streams(rng, chains)
    terms, layout = design.terms, reduced.layout
    size = reduced.data.linear.size
    m, q = int(layout.m[layout.main == 1][0]), int(layout.q[layout.main == 1].sum())
    run = run_blocks if isinstance(reduced.data, BlocksData) else run_effects
    K, Q = len(terms), max(t.q for t in terms)
    out = [(np.empty((per, size)), np.empty((per, m, q)), np.empty(per), np.empty((per, K, Q, Q))) for _ in rngs]
    states = [_start(reduced, m, q, K, Q, generator) for generator in rngs]

    def sweep(c, sweeps, thin, row):
        fine = run(rngs[c], reduced.data, reduced.layout, reduced.prior, states[c], sweeps, thin, *out[c], row)
        return 0 if fine else 1

    length, interrupted, status = run_sweeps(sweep, per, burn_in, thin, chains, progress)
    if status:
        refuse_breakdown()
    return collect(design, reduced, out, length), interrupted


def _start(reduced, m, q, K, Q, rng):
    """Standard deviations spread over a factor of ten around the data's own; effects are drawn first."""
    data = reduced.data
    root = np.zeros((K, Q, Q))
    spread = max(reduced.scale_y, 1e-12)
    for k in range(K):
        for i in range(reduced.layout.q[k]):
            root[k, i, i] = 0.5 * spread * np.exp(rng.uniform(-1.15, 1.15))
            root[k, i, i] /= max(reduced.column_size[k][i], 1e-12)
            root[k, i, i] = min(root[k, i, i], 0.9 * reduced.prior.upper[k])
    sigma2 = 1.0 if reduced.prior.sigma_known else (spread * np.exp(rng.uniform(-0.3, 0.3))) ** 2
    sigma2 = min(sigma2, 0.8 * reduced.prior.sigma_upper**2)
    return EffectsState(np.zeros(data.linear.size), np.zeros((m, q)), np.array([sigma2]), root, np.ones((K, Q)))


def collect(design, reduced, out, length):
    """`MixedDraws` of the first `length` draws of every chain's (w, a, sigma2, root)."""
    p = reduced.unscale.shape[0]
    w, a, sigma2, root = (np.concatenate([part[i][:length] for part in out]) for i in range(4))
    beta = reduced.beta_hat + w[:, :p] @ reduced.unscale.T
    covariance, effects = [], []
    for k, term in enumerate(design.terms):
        low = root[:, k, : term.q, : term.q]
        covariance.append(low @ low.transpose(0, 2, 1))
        first = reduced.layout.first[k]
        if reduced.layout.main[k]:
            effects.append(np.ascontiguousarray(a[:, :, first : first + term.q]))
        else:
            effects.append(w[:, first : first + term.m * term.q].reshape(-1, term.m, term.q).copy())
    return MixedDraws(beta, sigma2, tuple(covariance), tuple(effects), len(out))
