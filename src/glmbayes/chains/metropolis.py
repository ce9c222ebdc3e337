"""Random-walk Metropolis for a log density."""

import itertools
import math
import time

import numba
import numpy as np

from glmbayes.chains.record import Chains
from glmbayes.chains.run import CHUNK, initial_states, is_compiled, kept_length, run_chains, streams
from glmbayes.checks import count, float_array, scalar
from glmbayes.errors import InputError, SamplerError
from glmbayes.random import generator

_WINDOWS = 25  # of the adaptation during burn-in


def metropolis(
    log_density, init, proposal_cov, scale=None, *, draws=1000, burn_in=0, thin=1, chains=4, rng=None,
    progress=False, adapt=False, names=None, args=(),
):  # fmt: skip
    """Random-walk Metropolis: normal steps with covariance scale^2 * proposal_cov.

    Parameters
    ----------
    log_density : callable
        ``log_density(x, *args)`` of a (d,) array, up to a constant; -inf outside the support.  Compiled with
        ``numba.njit`` the chains run in threads, a hundred times faster.
    init : (d,) array_like, list of them (one per chain), or callable
        Starting point; ``init(rng)`` for a random one.
    proposal_cov : (d, d) array_like
        Shape of the steps, such as the inverse of the negative Hessian at the mode.
    scale : float, optional
        Length of the steps; 2.4 / sqrt(d) by default (Gelman, Roberts & Gilks 1996).
    draws, burn_in, thin, chains, rng, progress, args
        As in `gibbs`.
    adapt : bool
        Learn covariance and scale during burn-in, then keep both fixed (the kept draws are a Markov chain).
    names : list of str, optional
        A name for each coordinate; otherwise the draws are one part ``x`` of length d.

    Returns
    -------
    Chains
        With ``acceptance``, the acceptance rate of each chain after burn-in.

    Examples
    --------
    >>> import numpy as np
    >>> from glmbayes import metropolis
    >>> chains = metropolis(lambda x: -0.5 * (x @ x), [0.0, 0.0], np.eye(2), 2.0, draws=500, rng=1)
    >>> bool(0.2 < chains.acceptance.mean() < 0.6)
    True
    """
    draws, thin, chains = count(draws, "draws"), count(thin, "thin"), count(chains, "chains")
    burn_in = 0 if burn_in == 0 else count(burn_in, "burn_in")
    rngs = streams(generator(rng), chains)
    if isinstance(init, list) and np.ndim(init[0]) == 0:
        init = np.asarray(init, dtype=float)
    starts = [float_array(x, "init", 1).copy() for x in initial_states(init, chains, rngs)]
    d = starts[0].size
    covariance = float_array(proposal_cov, "proposal_cov", 2)
    if covariance.shape != (d, d):
        raise InputError(f"proposal_cov must be ({d}, {d}) to match init; got {covariance.shape}.")
    root = _root(covariance)
    if root is None:
        raise InputError("proposal_cov must be symmetric positive definite.")
    scale = 2.4 / math.sqrt(d) if scale is None else scalar(scale, "scale", above=0.0)
    if adapt and burn_in < 4 * _WINDOWS:
        raise InputError(f"adapt=True needs burn_in of at least {4 * _WINDOWS}; got {burn_in}.")
    if names is not None and len(names) != d:
        raise InputError(f"names must have one entry per coordinate ({d}); got {len(names)}.")
    if not callable(log_density):
        raise InputError(f"log_density must be a function of a (d,) array; got {type(log_density).__name__}.")
    compiled = is_compiled(log_density)
    walk = numba.njit(nogil=True)(_walk) if compiled else _walk
    args = tuple(args)
    values = []
    for x in starts:
        value = log_density(x, *args)
        try:
            value = float(value)
        except (TypeError, ValueError):
            raise InputError(
                f"log_density must return a number; at {x.tolist()} it returned {type(value).__name__}."
            ) from None
        values.append(value)
        if not math.isfinite(value):
            raise InputError(f"log_density must be finite at init; it is {value} at {x.tolist()}.")
    if compiled:
        walk(log_density, args, rngs[0], starts[0].copy(), values[0], root, np.empty((0, d)), 1)

    stored = np.empty((chains, draws, d))
    done, accepted = [0] * chains, np.zeros(chains)

    def chain(c):
        rng, x, value, step = rngs[c], starts[c], values[c], scale * root
        if burn_in and adapt:
            step, value = yield from _adapted(walk, log_density, args, rng, x, value, step, burn_in)
        elif burn_in:
            value, _ = yield from _in_chunks(walk, log_density, args, rng, x, value, step, np.empty((burn_in, d)))

        def kept(rows, moved):
            done[c] += rows
            accepted[c] += moved

        yield from _in_chunks(walk, log_density, args, rng, x, value, step, stored[c], thin, kept)

    interrupted = run_chains(map(chain, range(chains)), chains * (burn_in + draws * thin), compiled, progress)
    length = kept_length(done, interrupted)
    if np.isnan(stored[:, :length]).any():
        raise SamplerError("the chain reached NaN: log_density must return -inf outside the support, never NaN.")
    kept = stored[:, :length]
    parts = {"x": kept} if names is None else {name: kept[:, :, k].copy() for k, name in enumerate(names)}
    return Chains(parts, starts, interrupted, accepted / (np.array(done) * thin), "random-walk Metropolis")


def _root(covariance):
    if not np.isfinite(covariance).all() or not np.allclose(covariance, covariance.T, rtol=1e-8):
        return None
    try:
        return np.ascontiguousarray(np.linalg.cholesky(covariance))
    except np.linalg.LinAlgError:
        return None


def _walk(log_density, args, rng, x, value, root, out, thin):
    """Fill the rows of `out` (n, d), moving `x` in place; returns (log density, accepted steps).  Also compiled."""
    d = x.shape[0]
    accepted = 0
    proposal = np.empty(d)
    z = np.empty(d)
    for i in range(out.shape[0]):
        for _ in range(thin):
            for k in range(d):
                z[k] = rng.standard_normal()
            for k in range(d):
                s = x[k]
                for h in range(k + 1):
                    s += root[k, h] * z[h]
                proposal[k] = s
            new = log_density(proposal, *args)
            if math.log(1.0 - rng.random()) < new - value:
                value = new
                x[:] = proposal
                accepted += 1
        out[i] = x
    return value, accepted


def _in_chunks(walk, log_density, args, rng, x, value, root, out, thin=1, note=lambda rows, moved: None):
    """Fill `out` as a job of `run_chains`, telling `note` of each part; returns (log density, accepted steps)."""
    done, accepted, size = 0, 0, 1
    while done < out.shape[0]:
        size = min(size, out.shape[0] - done)
        start = time.perf_counter()
        value, moved = walk(log_density, args, rng, x, value, root, out[done : done + size], thin)
        took = time.perf_counter() - start
        done, accepted = done + size, accepted + moved
        note(size, moved)
        yield size * thin
        size = max(1, int(size * min(8.0, CHUNK / max(took, 1e-9))))
    return value, accepted


def _adapted(walk, log_density, args, rng, x, value, root, burn_in):
    """Burn-in in windows: after each, the covariance of the second half of the path, and the scale by acceptance."""
    d = x.size
    goal = 0.44 if d == 1 else 0.234 + 0.2 / d
    path = np.empty((burn_in, d))
    edges = np.linspace(0, burn_in, _WINDOWS + 1).astype(int)
    shape, log_scale = root, 0.0
    for window, (start, stop) in enumerate(itertools.pairwise(edges)):
        part = path[start:stop]
        scaled = math.exp(log_scale) * shape
        value, moved = yield from _in_chunks(walk, log_density, args, rng, x, value, scaled, part)
        log_scale += 2.0 / math.sqrt(1.0 + window) * (moved / (stop - start) - goal)
        if window >= 4:
            learnt = _root(np.atleast_2d(np.cov(path[stop // 2 : stop], rowvar=False)))
            if learnt is not None:
                if shape is root:
                    log_scale = math.log(2.4 / math.sqrt(d))
                shape = learnt
    return math.exp(log_scale) * shape, value
