"""Running chains: independent streams, threads, progress, and Ctrl-C that keeps what there is."""

import collections
import itertools
import os
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor, wait

import numpy as np

from glmbayes.errors import InputError

CHUNK = 0.1  # seconds of compiled code between looks at Ctrl-C
_LARGEST = 2**63 - 1


def streams(rng, chains):
    """One generator per chain, seeded by integers drawn from `rng`."""
    return [np.random.default_rng(int(seed)) for seed in rng.integers(_LARGEST, size=chains)]


def is_compiled(function):
    """Whether `function` is a numba dispatcher."""
    return hasattr(function, "py_func") and hasattr(function, "signatures")


def run_chains(jobs, total, threads, progress):
    """Run `jobs` to their ends or until Ctrl-C; returns whether it was pressed.

    A job is a generator that does some sweeps at a time and yields their number.  Jobs take turns, so that all have
    draws when they are stopped: in as many threads as there are cores, or without `threads` in this one.
    """
    stop, waiting = threading.Event(), collections.deque(jobs)
    bar = None
    if progress:
        from tqdm.auto import tqdm

        bar = tqdm(total=total, unit=" sweeps", unit_scale=True)
    lock = threading.Lock()

    def work():
        try:
            while waiting and not stop.is_set():
                try:
                    job = waiting.popleft()
                except IndexError:  # another thread took the last one, and goes on with it
                    return
                for sweeps in itertools.islice(job, 1):
                    waiting.append(job)
                    if bar is not None:
                        with lock:
                            bar.update(sweeps)
        except BaseException:
            stop.set()
            raise

    interrupted = False
    try:
        if threads:
            workers = min(len(waiting), os.cpu_count() or 1)
            with ThreadPoolExecutor(workers) as pool:
                futures = [pool.submit(work) for _ in range(workers)]
                try:
                    while wait(futures, timeout=0.2).not_done:
                        pass
                except KeyboardInterrupt:
                    interrupted = True
                    stop.set()
            for future in futures:
                future.result()
        else:
            try:
                work()
            except KeyboardInterrupt:
                interrupted = True
    finally:
        stop.set()
        if bar is not None:
            bar.close()
    return interrupted


def kept_length(done, interrupted):
    """Draws that every chain has; KeyboardInterrupt when a run was stopped before there were any."""
    length = min(done)
    if interrupted:
        if length == 0:
            raise KeyboardInterrupt("stopped before every chain had a draw after burn-in")
        warnings.warn(
            f"interrupted: returning the {length} draws per chain that all chains have.", UserWarning, stacklevel=4
        )
    return length


def initial_states(init, chains, rngs):
    """One starting state per chain from `init`: a state, a list of states, or a function of a generator."""
    if callable(init) and not hasattr(init, "_fields"):
        return [init(rng) for rng in rngs]
    if isinstance(init, list):
        if len(init) != chains:
            raise InputError(f"init is a list of {len(init)} states but there are {chains} chains.")
        return init
    return [init] * chains
