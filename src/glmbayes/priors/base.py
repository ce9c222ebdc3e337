"""What the priors share: the coefficient part (mu, Sigma) and the frozen-value behaviour."""

import math
from typing import NamedTuple

import numpy as np

from glmbayes.checks import any_float_array, labels_of, scalar
from glmbayes.errors import InputError
from glmbayes.kernels.covariance import ASYMMETRIC, FLAT, NOT_FINITE, OK, factor_covariance
from glmbayes.kernels.linalg import asymmetry
from glmbayes.posteriors.mixture import Mixture
from glmbayes.posteriors.normal import NormalPosterior
from glmbayes.rows import reduce


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


def by_draw(draws, dispersion, iters, mode, failure):
    """Block draws rearranged to (n, J, ...)."""
    n_blocks, n, p = draws.shape
    if n == 1:
        return draws.reshape(1, n_blocks, p), dispersion.reshape(1, -1), iters.reshape(1, -1), mode, failure
    return (
        np.ascontiguousarray(draws.transpose(1, 0, 2)),
        np.ascontiguousarray(dispersion.T),
        np.ascontiguousarray(iters.T),
        mode,
        failure,
    )


class Prior(Frozen):
    """Base of the priors on a regression: a coefficient part and something about the precision."""

    __slots__ = ()

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
        return Mixture(np.ones(1), np.zeros(1), (combinations @ mu)[None, :], var[None, :])

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


class CoefficientPrior:
    """beta ~ N(mu, Sigma), in one version or one per block.

    Attributes
    ----------
    mu : (p,) array, or (J, p) when it varies by block
    Sigma : (p, p) array, or (J, p, p)
    low : lower Cholesky factor(s) of Sigma
    names : tuple of coefficient names carried by mu or Sigma, or None
    flat : whether any prior variance is infinite
    """

    __slots__ = ("Sigma", "flat", "low", "mu", "names")

    def __init__(self, mu, Sigma, sigma_name="Sigma", allow_flat=True):
        names = None
        if isinstance(mu, float) and isinstance(Sigma, float):  # one coefficient, as in hierarchical models
            mu, Sigma = np.array([mu]), np.array([[Sigma]])
        else:
            if type(mu) is not np.ndarray or type(Sigma) is not np.ndarray:
                names = labels_of(mu) or labels_of(Sigma)
                Sigma = _reorder(Sigma, names, sigma_name)
            mu = any_float_array(mu, "mu").copy()
            Sigma = any_float_array(Sigma, sigma_name).copy()
        if Sigma.shape != mu.shape * 2 or mu.ndim != 1:
            mu, Sigma = _match_shapes(mu, Sigma, sigma_name)
        low = np.empty(Sigma.shape)
        if mu.ndim == 1 and Sigma.ndim == 2:
            status = factor_covariance(mu, Sigma, low)
            if status > FLAT:
                _refuse(mu, Sigma, sigma_name, status, "")
            flat = status == FLAT
        else:
            flat = _factor_blocks(mu, Sigma, low, sigma_name)
        if flat and not allow_flat:
            raise InputError(
                f"{sigma_name} must be finite here: a flat coefficient is ambiguous when its variance scales with "
                "the dispersion. Use dIndependent_Normal_Gamma or dIndependent_Normal with Sigma infinite."
            )
        self.mu = mu
        self.Sigma = Sigma
        self.low = low
        self.names = names
        self.flat = flat

    @property
    def blocks(self):
        """Number of blocks that mu or Sigma describe, or None for a single version."""
        if self.mu.ndim == 2:
            return self.mu.shape[0]
        return self.Sigma.shape[0] if self.Sigma.ndim == 3 else None

    def aligned(self, names):
        """The same prior with its coefficients in the order of `names`; a mismatch is an error."""
        if self.names is None or names is None or self.names == tuple(names):
            return self
        if sorted(self.names) != sorted(names):
            raise InputError(
                f"the prior's coefficient names do not match the design's: got {list(self.names)}, the design has, "
                f"in this order, {list(names)}."
            )
        order = [self.names.index(name) for name in names]
        new = object.__new__(CoefficientPrior)
        new.mu = np.ascontiguousarray(self.mu[..., order])
        new.Sigma = np.ascontiguousarray(self.Sigma[..., order, :][..., order])
        new.low = np.empty_like(new.Sigma)
        factor_covariance(new.mu, new.Sigma, new.low)
        new.names = tuple(names)
        new.flat = self.flat
        return new

    def by_block(self, names, p, n_blocks):
        """mu (J or 1, p) and Cholesky factors (J or 1, p, p) for `n_blocks` blocks."""
        part = self if self.names is None else self.aligned(names)
        part.check_length(p)
        mu, low = part.mu, part.low
        mu = mu if mu.ndim == 2 else mu.reshape(1, -1)
        low = low if low.ndim == 3 else low.reshape(1, p, p)
        for name, count in (("mu", mu.shape[0]), ("Sigma", low.shape[0])):
            if count not in (1, n_blocks):
                raise InputError(f"{name} describes {count} blocks but the data have {n_blocks}.")
        return mu, low

    def check_length(self, p):
        """Raise unless the prior has `p` coefficients."""
        if self.mu.shape[-1] != p:
            raise InputError(
                f"the prior has {self.mu.shape[-1]} coefficient(s) but the design has {p} column(s): "
                "mu must have one entry and Sigma one row and column per column of x."
            )

    def sample(self, n, rng, scale=1.0):
        """`n` draws of beta, the covariance multiplied by `scale` (scalar or (n,))."""
        if self.flat:
            raise InputError("a prior with flat coefficients (infinite variances) is improper: it cannot be sampled.")
        if self.blocks is not None:
            raise InputError("a prior that varies by block cannot be sampled as one: build the block's own prior.")
        z = rng.standard_normal((n, self.mu.shape[0])) * np.sqrt(np.reshape(scale, (-1, 1)))
        return self.mu + z @ self.low.T

    def describe(self, sigma_name="Sigma"):
        """Lines for a repr: means, standard deviations and correlations."""
        if self.blocks is not None:
            return [
                f"  {self.blocks} blocks of {self.mu.shape[-1]} coefficient(s), mu {self.mu.shape}, "
                f"{sigma_name} {self.Sigma.shape}"
            ]
        p = self.mu.shape[0]
        names = self.names or tuple(f"beta[{i}]" for i in range(p))
        sd = np.sqrt(np.diag(self.Sigma))
        width = max(map(len, names))
        shown = range(p) if p <= 12 else range(10)
        lines = [f"  {'':<{width}}  {'mean':>11}  {'sd' if sigma_name == 'Sigma' else 'sd / sqrt(phi)':>11}"]
        lines += [f"  {names[i]:<{width}}  {self.mu[i]:>11.5g}  {sd[i]:>11.5g}" for i in shown]
        if p > 12:
            lines.append(f"  ... and {p - 10} more")
        if 1 < p <= 6 and not self.flat:
            correlation = self.Sigma / np.outer(sd, sd)
            lines.append("  correlation")
            lines += ["  " + " ".join(f"{correlation[i, j]:>7.3f}" for j in range(i + 1)) for i in range(p)]
        return lines


def _reorder(Sigma, names, sigma_name):
    """Put a labelled Sigma in the order of mu's names."""
    rows = labels_of(Sigma)
    if rows is None or names is None or rows == names == labels_of(Sigma, axis=1):
        return Sigma
    if sorted(rows) != sorted(names) or sorted(labels_of(Sigma, axis=1) or rows) != sorted(names):
        raise InputError(f"{sigma_name} and mu must name the same coefficients; got {list(rows)} and {list(names)}.")
    return Sigma.loc[list(names), list(names)] if hasattr(Sigma, "loc") else Sigma


def _match_shapes(mu, Sigma, sigma_name):
    """Scalars, column vectors and block versions to (p,) or (J, p) and (p, p) or (J, p, p)."""
    if Sigma.ndim <= 1:
        if Sigma.size != 1:
            raise InputError(f"{sigma_name} must be a (p, p) covariance matrix; got shape {Sigma.shape}. Use np.diag.")
        Sigma = Sigma.reshape(1, 1)
        if mu.size > 1 and not (mu.ndim == 2 and mu.shape[1] == 1):
            raise InputError(
                f"{sigma_name} may be a scalar only for a single coefficient; mu has {mu.size}. "
                f"Write {sigma_name}={float(Sigma[0, 0]):g} * np.eye({mu.size}) for independent coefficients."
            )
    p = Sigma.shape[-1]
    if Sigma.ndim > 3 or Sigma.shape[-2] != p:
        raise InputError(f"{sigma_name} must be square, (p, p) or (J, p, p); got shape {Sigma.shape}.")
    if mu.ndim == 0 or (mu.ndim == 2 and mu.shape[1] == 1 and mu.shape[0] == p and p > 1):
        mu = mu.reshape(-1)
    if mu.ndim > 2 or mu.shape[-1] != p:
        raise InputError(
            f"mu and {sigma_name} must agree: mu has shape {mu.shape}, {sigma_name} has shape {Sigma.shape} "
            "(expected (p,) and (p, p), or (J, p) and (J, p, p) for blocks)."
        )
    if mu.ndim == 2 and Sigma.ndim == 3 and mu.shape[0] != Sigma.shape[0]:
        raise InputError(f"mu describes {mu.shape[0]} blocks but {sigma_name} {Sigma.shape[0]}.")
    if mu.ndim == 2 and mu.shape[0] == 1 and Sigma.ndim == 2:
        mu = mu.reshape(-1)
    return np.ascontiguousarray(mu), np.ascontiguousarray(Sigma)


def _factor_blocks(mu, Sigma, low, sigma_name):
    flat = False
    for j in range(max(mu.shape[0] if mu.ndim == 2 else 1, Sigma.shape[0] if Sigma.ndim == 3 else 1)):
        m = mu[j] if mu.ndim == 2 else mu
        block = j if Sigma.ndim == 3 else slice(None)
        status = (
            factor_covariance(m, Sigma[block], low[block])
            if Sigma.ndim == 3 or j == 0
            else (OK if np.isfinite(m).all() else NOT_FINITE)
        )
        if status > FLAT:
            _refuse(m, Sigma[block], sigma_name, status, f" (block {j})")
        flat = flat or status == FLAT
    return flat


def _refuse(mu, Sigma, sigma_name, status, where):
    if status == NOT_FINITE:
        if not np.isfinite(mu).all():
            raise InputError(f"mu must be finite{where}; got {mu}.")
        raise InputError(
            f"{sigma_name} must be finite{where}, except for infinite variances on the diagonal (flat coefficients, "
            "with zero covariances)."
        )
    if status == ASYMMETRIC:
        raise InputError(
            f"{sigma_name} must be symmetric{where}; entries differ by up to {asymmetry(Sigma):.3g} relative to the "
            f"standard deviations. Try ({sigma_name} + {sigma_name}.T) / 2."
        )
    finite = np.where(np.isinf(np.diag(Sigma)))[0]
    core = np.delete(np.delete(Sigma, finite, 0), finite, 1)
    smallest = float(np.linalg.eigvalsh((core + core.T) / 2).min()) if core.size else math.nan
    raise InputError(
        f"{sigma_name} must be positive definite{where}; its smallest eigenvalue is {smallest:.3g}. "
        f"It is a covariance matrix (variances on the diagonal, not standard deviations or precisions)."
    )
