"""What the priors share: frozen values that describe themselves and build posteriors."""

import math
from typing import NamedTuple

import numpy as np

from glmbayes.checks import scalar
from glmbayes.errors import InputError
from glmbayes.kernels.log_precision import DONE
from glmbayes.posteriors.mixture import Mixture
from glmbayes.posteriors.normal import CHUNK, NormalPosterior
from glmbayes.rows import reduce

LARGEST_RATE = 1e200  # of a gamma prior on the precision: beyond it dispersions leave what a double holds


class PriorDraws(NamedTuple):
    """Draws from a prior: coefficients (n, p) and dispersion (n,); None for what the prior does not describe."""

    coefficients: np.ndarray | None
    dispersion: np.ndarray | None


class Frozen:
    """A value: attributes are set once, by the constructor."""

    __slots__ = ()

    def __setattr__(self, name, value):
        raise AttributeError(f"{type(self).__name__} is immutable; build a new one with the changed {name}.")

    def __delattr__(self, name):
        raise AttributeError(f"{type(self).__name__} is immutable.")


_SET_UP = 64  # what setting up a block costs, in coefficients drawn

set_field = object.__setattr__  # how a frozen value's constructor fills its slots


def read_only(array):
    """A view that cannot be written through."""
    view = array.view()
    view.flags.writeable = False
    return view


def dispersion_limits(disp_lower, disp_upper):
    """Limits on the dispersion as floats (0 and infinity for none)."""
    lower = 0.0 if disp_lower is None else scalar(disp_lower, "disp_lower", at_least=0.0)
    upper = math.inf if disp_upper is None else scalar(disp_upper, "disp_upper", above=0.0, finite=False)
    if not lower < upper:
        raise InputError(f"disp_lower must be less than disp_upper; got {lower:g} and {upper:g}.")
    return lower, upper


def limit_arguments(lower, upper):
    """The constructor's arguments for stored limits: None where there is none."""
    return {"disp_lower": lower or None, "disp_upper": upper if upper < math.inf else None}


def limits_text(lower, upper):
    """How a repr shows limits on the dispersion."""
    return "" if lower == 0.0 and upper == math.inf else f", phi in [{lower:g}, {upper:g}]"


def empty_blocks(n, n_blocks, p):
    """Arrays for block draws, block by block: draws (J, n, p), dispersion (J, n), iters (J, n), mode (J, p)."""
    iters = np.empty((n_blocks, n), np.int64)
    iters.fill(1)
    return np.empty((n_blocks, n, p)), np.empty((n_blocks, n)), iters, np.empty((n_blocks, p))


def in_pieces(n, n_blocks, p, starts, work):
    """Call `work(blocks, draws, starts of the blocks)` on pieces of the (block, draw) table, each well under 0.2 s.

    `work` returns (block, status) as the kernels do; the first failure ends it.  A piece is contiguous in arrays
    (J, n, ...): all draws of some blocks, or some draws of one block.
    """
    rows = int(starts[-1])
    if n_blocks * (_SET_UP + n * p) + rows * p * p // 8 <= CHUNK:
        return work(slice(0, n_blocks), slice(0, n), starts)
    cost = np.cumsum(_SET_UP + n * p + np.diff(starts) * p * p // 8)
    draws = min(n, max(1, CHUNK // p))
    stop = 0
    while stop < n_blocks:
        j = stop
        stop = max(j + 1, int(np.searchsorted(cost, CHUNK + (cost[j - 1] if j else 0), side="right")))
        for i in range(0, n, draws):
            failed, status = work(slice(j, stop), slice(i, min(i + draws, n)), starts[j : stop + 1])
            if status != DONE:
                return j + failed, status
    return 0, DONE


def of_blocks(values, blocks):
    """The rows of `values` for some blocks; a single row holds for all."""
    return values if values.shape[0] == 1 else values[blocks]


def by_draw(draws, dispersion, iters, mode, failure):
    """Block draws rearranged to (n, J, ...)."""
    n_blocks, n, p = draws.shape
    if n == 1:
        return draws.reshape(1, n_blocks, p), dispersion.reshape(1, -1), iters.reshape(1, -1), mode, failure
    return by_draw_first(draws), by_draw_first(dispersion), by_draw_first(iters), mode, failure


def by_draw_first(array):
    """(J, n, ...) as (n, J, ...), copied in pieces that Ctrl-C can interrupt."""
    turned = array.swapaxes(0, 1)
    out = np.empty(turned.shape, array.dtype)
    step = max(1, 4 * CHUNK // turned[0].size)
    for i in range(0, turned.shape[0], step):
        out[i : i + step] = turned[i : i + step]
    return out


class Prior(Frozen):
    """Base of the priors on a regression: a coefficient part and something about the precision."""

    __slots__ = ()
    knows_coefficients = False  # they are given, not estimated

    @property
    def label(self):
        """The name that builds it."""
        return type(self).__name__

    @property
    def description(self):
        """One line for printouts: what it is, and what it says about the precision."""
        return ", ".join(part for part in (self.label, self._on_precision()) if part)

    @property
    def mu(self):
        return read_only(self.coefficient.mu)

    @property
    def Sigma(self):
        return read_only(self.coefficient.Sigma)

    @property
    def names(self):
        return self.coefficient.names

    def coefficient_for(self, names, p):
        """The coefficient part in the order of the design's columns."""
        coefficient = self.coefficient
        if coefficient.names is not None:
            coefficient = coefficient.aligned(names)
        if coefficient.mu.shape[-1] != p:
            coefficient.check_length(p)
        if coefficient.blocks is not None:
            raise InputError("this prior's mu or Sigma varies by block: use rlmb_blocks.")
        return coefficient

    def aligned(self, names):
        """The same prior with its coefficients in the order of `names`."""
        coefficient = self.coefficient.aligned(names)
        return self if coefficient is self.coefficient else self._with(coefficient.mu, coefficient.Sigma, tuple(names))

    def restricted(self, names, columns):
        """What this prior says about the coefficients at positions `columns`; `names` are those of the whole design."""
        whole = self.coefficient
        part = np.ix_(columns, columns)
        return self._with(whole.mu[columns], whole.Sigma[part], tuple(names[i] for i in columns))

    def _with(self, mu, Sigma, names):
        arguments = self._arguments()
        arguments["mu"] = mu
        arguments["Sigma_0" if "Sigma_0" in arguments else "Sigma"] = Sigma
        return _rebuild(type(self), arguments, names)

    def location_scale(self, dispersion):
        """Prior mean and covariance of the coefficients, at a given dispersion where the covariance depends on it."""
        return self.coefficient.mu, self.coefficient.Sigma

    def conditional(self, combinations):
        """Prior distribution of linear combinations (k, p) of beta, or None when it is improper."""
        mu, Sigma = self.coefficient.mu, self.coefficient.Sigma
        flat = np.isinf(np.diag(Sigma))
        if (combinations[:, flat] != 0.0).any():
            return None
        Sigma = np.where(np.isinf(Sigma), 0.0, Sigma)
        var = np.einsum("ij,jk,ik->i", combinations, Sigma, combinations)
        return Mixture.normal(combinations @ mu, var)

    def given_dispersion(self, rows, dispersion):
        """Posterior mean (p,) and covariance (p, p) of the coefficients given the dispersion."""
        return NormalPosterior(rows, self.coefficient, dispersion).moments()[:2]

    def posterior(self, y, x, offset, weights, weights_type, coefficient):
        """The posterior given checked arrays and this prior's part for them (see `coefficient_for`)."""
        return self.build(reduce(y, x, offset, weights, weights_type), coefficient)

    def draw_blocks(self, n, data, names, frequency, rng):
        """Draws for the blocks of `data` (y, x, offset, weights, starts), see `rlmb_blocks`.

        Returns coefficients (n, J, p), dispersion (n, J), iters (n, J), mode (J, p) and (block, status).
        """
        raise NotImplementedError

    def __reduce__(self):
        return _rebuild, (type(self), self._arguments(), self.names)

    def __repr__(self):
        name = "Sigma_0" if hasattr(self, "Sigma_0") else "Sigma"
        law = "beta ~ N(mu, phi * Sigma_0)" if name == "Sigma_0" else "beta ~ N(mu, Sigma)"
        lines = [
            f"{type(self).__name__}: {law}",
            *self.coefficient.describe(name),
            f"  {self._on_precision()}",
        ]
        return "\n".join(lines)


def _rebuild(kind, arguments, names):
    prior = kind(**arguments)
    prior.coefficient.names = names
    return prior
