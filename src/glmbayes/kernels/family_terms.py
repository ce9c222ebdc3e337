"""What a compiled sampler needs of a likelihood: scalar functions that dispatch on the family's type.

Each family and link has a NamedTuple class of its own (`BinomialLogit`, `PoissonLog`, ...), and registers the
functions below for it.  A kernel receives an instance and calls `curvature(fam, eta, y)`: numba resolves
the call at compile time from the type, plain Python by `functools.singledispatch`.  All of them are for one row
of weight 1; eta is the linear predictor with its offset, and l(eta; y), the log-likelihood, leaves out what does
not depend on eta.
"""

import functools
import math

import numpy as np
from numba import types
from numba.extending import overload


def by_family(func):
    """Make `func(fam, ...)` dispatch on the type of `fam`, in Python and in compiled code alike.

    Implementations are named after term and family: numba knows machine code by module, qualified name, argument types
    and a number that starts again in every process.  Were all of a module's called `_`, kernels cached by different
    processes could be linked to each other's terms (they were: a third derivative for a curvature).
    """
    stub = functools.singledispatch(func)
    dispatch_on = stub.register

    def register(family):
        def add(implementation):
            implementation.__name__ = implementation.__qualname__ = f"{func.__name__}_{family.__name__}"
            return dispatch_on(family, implementation)

        return add

    stub.register = register

    def resolve(fam, *args):
        if isinstance(fam, types.BaseNamedTuple):
            return stub.dispatch(fam.instance_class)
        return None

    overload(stub, strict=False)(resolve)
    return stub


def _unknown(fam):
    raise NotImplementedError(f"no such term is registered for {type(fam).__name__}")


@by_family
def loglik(fam, eta, y):
    """l(eta; y): the log-likelihood term, without the constant that depends on y only."""
    _unknown(fam)


@by_family
def score(fam, eta, y):
    """l'(eta; y)."""
    _unknown(fam)


@by_family
def curvature(fam, eta, y):
    """omega = -l''(eta; y) >= 0, the observed information."""
    _unknown(fam)


@by_family
def third(fam, eta, y):
    """l'''(eta; y)."""
    _unknown(fam)


@by_family
def bracket(fam, eta, y, v):
    """l(eta + v) - l(eta) - l'(eta) v <= 0, without cancellation at small v."""
    _unknown(fam)


@by_family
def remainder(fam, eta, y, v):
    """l(eta + v) less its Taylor polynomial of degree three at eta, without cancellation at small v."""
    _unknown(fam)


@by_family
def curvature_min(fam, eta, y, t):
    """A lower bound on omega(eta + s) over |s| <= t; sharp when y is not fractional."""
    _unknown(fam)


@by_family
def cubic_c(fam, eta, y, t):
    """c with log omega(eta + v) >= log omega(eta) - g v - c v^2 for |v| <= t, g = -omega'/omega; inf if none is."""
    _unknown(fam)


@by_family
def fourth_bounds(fam, eta, y, t):
    """(up, down, growing): omega''(eta + s) is in [-up, down + growing e^|s|] for |s| <= t; l'''' is minus that."""
    _unknown(fam)


@by_family
def start_eta(fam, y, w):
    """A linear predictor near the saturated fit, finite for every supported y, to start from."""
    _unknown(fam)


@by_family
def row_constant(fam, eta, y):
    """A number that spares `bracket_at` the part of its work that does not depend on v."""
    return 0.0


@by_family
def bracket_at(fam, constant, eta, y, v):
    """`bracket`, given the row's constant: called for every row and candidate."""
    return bracket(fam, eta, y, v)


@by_family
def quick_parts(fam, constant, v):
    """(a, q) with bracket = a - log q to an absolute error of 1e-15 a row, or (nan, 1) if there is no such form.

    Free of branches, so that loops over rows become vector instructions; products of a few q share a logarithm.  For
    sums whose total weight is moderate: the error does not shrink with v.
    """
    return math.nan, 1.0


@by_family
def single_parts(fam, constant, v):
    """`quick_parts` in single precision, errors as in `single_rows`; (nan, 1) if there is no such form."""
    return constant * np.float32(math.nan), constant
