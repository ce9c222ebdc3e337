"""gibbs: run the user's own sampler."""

import time

import numba
import numpy as np
from numba.core import types
from numba.extending import overload

from glmbayes.chains.record import Chains
from glmbayes.chains.run import CHUNK, initial_states, is_compiled, kept_length, run_chains, streams
from glmbayes.checks import count
from glmbayes.errors import InputError, SamplerError
from glmbayes.kernels.jit import uninterrupted
from glmbayes.random import generator


def gibbs(step, init, *, draws=1000, burn_in=0, thin=1, chains=4, rng=None, progress=False, args=()):
    """Run a Gibbs sampler, or any Markov chain, given by its step.

    Parameters
    ----------
    step : callable
        ``step(rng, state, *args)`` returns the next state (or None when it changed `state` in place).  A plain
        Python function takes a dict or NamedTuple; a function compiled with ``numba.njit`` takes a NamedTuple of
        float64 numbers and C-contiguous arrays and returns one of the same type, and its chains run in threads.
    init : state, list of states, or callable
        Where the chains start: the same for all, one per chain, or ``init(rng)``, called for each chain.
    draws : int
        Kept draws per chain.
    burn_in : int
        Sweeps before the first kept draw.
    thin : int
        Sweeps per kept draw.
    chains : int
    rng : None, int or numpy.random.Generator
        Each chain has a stream of its own; the same `rng` gives the same draws whatever the number of threads.
    progress : bool
        Show a tqdm bar.
    args : tuple
        Further arguments of `step`, such as data (arrays that a compiled step should not freeze as constants).

    Returns
    -------
    Chains
        Ctrl-C returns the draws that all chains have so far, with a warning.

    Examples
    --------
    >>> import numpy as np
    >>> from glmbayes import gibbs
    >>> y = np.array([1.2, 0.3, 2.2, 1.9])
    >>> def step(rng, state):
    ...     mu = y.mean() + np.sqrt(state["phi"] / y.size) * rng.standard_normal()
    ...     phi = 0.5 * ((y - mu) ** 2).sum() / rng.standard_gamma(0.5 * y.size)
    ...     return {"mu": mu, "phi": phi}
    >>> chains = gibbs(step, {"mu": 0.0, "phi": 1.0}, draws=500, burn_in=10, rng=1)
    >>> chains["mu"].shape
    (2000,)
    """
    draws, thin, chains = count(draws, "draws"), count(thin, "thin"), count(chains, "chains")
    burn_in = 0 if burn_in == 0 else count(burn_in, "burn_in")
    if not callable(step):
        raise InputError(f"step must be a function step(rng, state); got {type(step).__name__}.")
    rngs = streams(generator(rng), chains)
    compiled = is_compiled(step)
    states = [_copied(state, compiled) for state in initial_states(init, chains, rngs)]
    names = list(states[0] if isinstance(states[0], dict) else states[0]._fields)
    run = _Run(step, tuple(args), draws, burn_in, thin, compiled, [None] * chains, [0] * chains, states)
    jobs = [run.chain(c, rngs[c]) for c in range(chains)]
    if compiled:  # compile in this thread; the others find it done
        run.compile(rngs[0])
    interrupted = run_chains(jobs, chains * (burn_in + draws * thin), compiled, progress)
    length = kept_length(run.done, interrupted)
    stored = {name: np.stack([run.stored[c][k][:length] for c in range(chains)]) for k, name in enumerate(names)}
    return Chains(stored, run.states, interrupted)


class _Run:
    """The arrays and counters of one call."""

    def __init__(self, step, args, draws, burn_in, thin, compiled, stored, done, states):
        self.step, self.args, self.draws, self.burn_in, self.thin = step, args, draws, burn_in, thin
        self.compiled, self.stored, self.done, self.states = compiled, stored, done, states
        for c, state in enumerate(states):
            stored[c] = tuple(np.empty((draws, *np.shape(v)), _dtype(v)) for v in _values(state))

    @uninterrupted
    def compile(self, rng):
        """Compile the driver for this step, without a sweep and without a random number."""
        try:
            _sweeps(self.step, rng, self.states[0], self.args, 0)
            _draws(self.step, rng, self.states[0], self.args, self.stored[0], 0, 0, self.thin)
        except numba.core.errors.TypingError as error:
            raise SamplerError(
                "the compiled step does not fit its state: it must take (rng, state, *args) and return a state of the "
                "same type, numbers float64 (write 1.0, not 1) and arrays C-contiguous. numba says:\n" + str(error)
            ) from None

    def chain(self, c, rng):
        """Chain c as a job of `run_chains`."""
        left, size = self.burn_in, 1
        while left:
            size = min(size, left)
            took = self._advance(c, rng, size)
            yield size
            left -= size
            size = self._next(size, took)
        while self.done[c] < self.draws:
            size = min(size, self.draws - self.done[c])
            took = self._keep(c, rng, size)
            yield size * self.thin
            size = self._next(size, took)

    def _next(self, size, took):
        return max(1, int(size * min(8.0, CHUNK / max(took, 1e-9)))) if self.compiled else 1

    def _advance(self, c, rng, n):
        start = time.perf_counter()
        if self.compiled:
            self.states[c] = _sweeps(self.step, rng, self.states[c], self.args, n)
        else:
            for _ in range(n):
                self.states[c] = self._python_step(c, rng)
        return time.perf_counter() - start

    def _keep(self, c, rng, n):
        start = time.perf_counter()
        done = self.done[c]
        if self.compiled:
            self.states[c] = _draws(
                self.step, rng, self.states[c], self.args, self.stored[c], done, done + n, self.thin
            )
        else:
            for _ in range(self.thin):
                self.states[c] = self._python_step(c, rng)
            for array, value in zip(self.stored[c], _values(self.states[c])):
                try:
                    array[done] = value
                except ValueError:
                    raise InputError(
                        f"step changed the shape of a part of its state: from {array.shape[1:]} to {np.shape(value)}."
                    ) from None
        self.done[c] = done + n
        return time.perf_counter() - start

    def _python_step(self, c, rng):
        before = self.states[c]
        after = self.step(rng, before, *self.args)
        if after is None:
            return before
        if type(after) is not type(before) or (isinstance(after, dict) and after.keys() != before.keys()):
            raise InputError(
                f"step must return a state like the one it got ({_describe(before)}), or None; it returned "
                f"{_describe(after)}."
            )
        return after


def _describe(state):
    if isinstance(state, dict):
        return f"a dict with {', '.join(map(str, state))}"
    return type(state).__name__


def _values(state):
    return tuple(state.values()) if isinstance(state, dict) else tuple(state)


def _dtype(value):
    kind = np.asarray(value).dtype
    return np.float64 if kind.kind == "f" else kind


def _copied(state, compiled):
    """A state of its own for a chain: arrays copied, C-contiguous."""
    if compiled and not hasattr(state, "_fields"):
        raise InputError(
            f"a compiled step needs a NamedTuple as its state; got {type(state).__name__}. Define one with "
            "typing.NamedTuple outside the step."
        )
    if not isinstance(state, dict) and not hasattr(state, "_fields"):
        raise InputError(f"init must be a dict or a NamedTuple of numbers and arrays; got {type(state).__name__}.")
    copies = {}
    for name, value in state.items() if isinstance(state, dict) else zip(state._fields, state):
        try:
            array = np.array(value, order="C")
        except ValueError:
            raise InputError(f"init[{name!r}] must be a number or a rectangular array; got {value!r:.60}.") from None
        if array.dtype.kind not in "fiub":
            raise InputError(f"init[{name!r}] must hold numbers; got {array.dtype}.")
        copies[name] = array if array.ndim else array.item()
    return copies if isinstance(state, dict) else type(state)(**copies)


@numba.njit(nogil=True)
def _sweeps(step, rng, state, args, n):
    for _ in range(n):
        state = step(rng, state, *args)
    return state


@numba.njit(nogil=True)
def _draws(step, rng, state, args, stored, start, stop, thin):
    for i in range(start, stop):
        for _ in range(thin):
            state = step(rng, state, *args)
        _store(stored, i, state)
    return state


def _store(stored, i, values):
    """Row i of each array of `stored` takes the matching value."""
    for array, value in zip(stored, values):
        array[i] = value


@overload(_store)
def _compiled_store(stored, i, values):
    if not isinstance(values, types.BaseTuple):
        return None
    if len(values) == 1:

        def last(stored, i, values):
            stored[0][i] = values[0]

        return last

    def first(stored, i, values):
        stored[0][i] = values[0]
        _store(stored[1:], i, values[1:])

    return first
