"""Running chains: independent streams, threads, progress, and Ctrl-C that keeps what there is."""

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
    """Run `jobs`, functions of (advance, stopped), each to its end or until stopped.

    `advance(k)` reports k more sweeps; `stopped()` tells a job to return early.  Returns whether Ctrl-C was pressed.
    """
    stop = threading.Event()
    bar = None
    if progress:
        from tqdm.auto import tqdm

        bar = tqdm(total=total, unit=" sweeps", unit_scale=True)
    lock = threading.Lock()

    def advance(k):
        if bar is not None:
            with lock:
                bar.update(k)

    interrupted = False
    try:
        if threads:
            with ThreadPoolExecutor(min(len(jobs), os.cpu_count() or 1)) as pool:
                futures = [pool.submit(job, advance, stop.is_set) for job in jobs]
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
                for job in jobs:
                    job(advance, stop.is_set)
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
