"""The one numba decorator of the library.

Compiled code is cached on disk.  numba keys that cache on the source of the function's *own* file; a kernel
that inlines another file's function would go stale when that file changes (after an upgrade, say).  The stamp
is therefore extended here by a digest of every kernel and family source and by the flags that change the code.

A Ctrl-C while numba compiles, or loads what it compiled, would leave it with halves of functions, and later calls with
errors of its own.  So it waits until that is done.
"""

import functools
import hashlib
import signal
import threading
from pathlib import Path

import numba
from numba.core import config

_PACKAGE = Path(__file__).resolve().parent.parent


def _digest():
    h = hashlib.sha256(f"boundscheck={config.BOUNDSCHECK}".encode())
    for folder in ("kernels", "families"):
        for path in sorted((_PACKAGE / folder).glob("*.py")):
            h.update(path.name.encode())
            h.update(path.read_bytes())
    return h.hexdigest()


SOURCE_DIGEST = _digest()


def uninterrupted(call):
    """`call` with Ctrl-C put off until its end."""

    @functools.wraps(call)
    def whole(*args, **kwargs):
        handler = signal.getsignal(signal.SIGINT)
        if threading.current_thread() is not threading.main_thread() or not callable(handler):
            return call(*args, **kwargs)
        pressed = []
        signal.signal(signal.SIGINT, lambda *signal_and_frame: pressed.append(signal_and_frame))
        try:
            return call(*args, **kwargs)
        finally:
            signal.signal(signal.SIGINT, handler)
            if pressed:
                handler(*pressed[0])

    return whole


def jit(func):
    """Compile `func` with the library's settings: nopython, cached, NumPy division, GIL released."""
    try:
        compiled = numba.njit(cache=True, error_model="numpy", nogil=True)(func)
    except RuntimeError:  # no writable cache folder anywhere: compile in memory
        compiled = numba.njit(error_model="numpy", nogil=True)(func)
    if compiled is not func:  # numba looks this method up whenever it has no code for the types of a call
        compiled._compile_for_args = uninterrupted(compiled._compile_for_args)
    cache_file = getattr(getattr(compiled, "_cache", None), "_cache_file", None)
    stamp = getattr(cache_file, "_source_stamp", None)
    if stamp is not None:
        cache_file._source_stamp = (stamp, SOURCE_DIGEST)
    return compiled


def plain(func, *callees):
    """`func` as ordinary Python, which notices Ctrl-C, and with it the functions of its module that are named."""
    if not hasattr(func, "py_func"):
        return func
    names = func.py_func.__globals__
    return type(func.py_func)(func.py_func.__code__, names | {name: plain(names[name]) for name in callees})
