"""Random generators: what `rng=` accepts, and the library-level generator behind `rng=None`."""

import os
import threading

import numpy as np

from glmbayes.errors import InputError

_local = threading.local()
PIECE = 1 << 20  # variates made in one go: some hundredths of a second, so that Ctrl-C is noticed


def _forget_after_fork():
    _local.__dict__.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)


def generator(rng=None):
    """Return a `numpy.random.Generator` for `rng`.

    Parameters
    ----------
    rng : None, int or numpy.random.Generator
        None uses one library-level generator per thread, seeded by the operating system and reseeded after a
        fork.  An int makes a fresh generator, so the same int gives the same draws: do not pass a constant int
        inside a loop.  A Generator is used as it is and advances.
    """
    if type(rng) is np.random.Generator:
        return rng
    if rng is None:
        try:
            return _local.generator
        except AttributeError:
            _local.generator = np.random.default_rng()
            return _local.generator
    if isinstance(rng, np.random.Generator):
        return rng
    if isinstance(rng, (int, np.integer)) and not isinstance(rng, bool) and rng >= 0:
        return np.random.default_rng(rng)
    raise InputError(
        f"rng must be None, a non-negative int or a numpy.random.Generator; got {rng!r}. "
        "Try rng=np.random.default_rng(1)."
    )


def standard_normals(rng, shape):
    """What ``rng.standard_normal(shape)`` gives, in pieces that Ctrl-C can interrupt."""
    out = np.empty(shape)
    flat = out.reshape(-1)
    for start in range(0, flat.size, PIECE):
        rng.standard_normal(out=flat[start : start + PIECE])
    return out
