"""The coefficient part of a prior: beta ~ N(mu, Sigma), checked, factorised, matched by name."""

import math

import numpy as np

from glmbayes.checks import any_float_array, labels_of
from glmbayes.errors import InputError
from glmbayes.kernels.covariance import ASYMMETRIC, EMPTY, FLAT, NOT_FINITE, factor_covariance
from glmbayes.kernels.linalg import asymmetry
from glmbayes.random import PIECE, standard_normals

_FLOAT = np.dtype(np.float64)


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
                names = coefficient_names(mu) or coefficient_names(Sigma)
                Sigma = _in_order(Sigma, names, sigma_name)
                mu, Sigma = any_float_array(mu, "mu"), any_float_array(Sigma, sigma_name)
            elif mu.dtype is not _FLOAT or Sigma.dtype is not _FLOAT:
                mu, Sigma = any_float_array(mu, "mu"), any_float_array(Sigma, sigma_name)
            mu, Sigma = mu.copy(), Sigma.copy()  # of whatever layout: C-contiguous
        if Sigma.shape != mu.shape * 2 or mu.ndim != 1:
            mu, Sigma = _match_shapes(mu, Sigma, sigma_name)
        low = np.empty(Sigma.shape)
        flat = _factor(mu, Sigma, low, sigma_name)
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
        order = order_of(self.names, names)
        new = object.__new__(CoefficientPrior)
        new.mu = np.ascontiguousarray(self.mu[..., order])
        new.Sigma = np.ascontiguousarray(self.Sigma[..., order, :][..., order])
        new.low = np.empty(new.Sigma.shape)
        new.flat = _factor(new.mu, new.Sigma, new.low, "Sigma")
        new.names = tuple(names)
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
        draws = standard_normals(rng, (n, self.mu.shape[0]))
        root = np.broadcast_to(np.sqrt(np.reshape(scale, (-1, 1))), (n, 1))
        step = max(1, PIECE // self.mu.shape[0])
        for i in range(0, n, step):
            some = slice(i, i + step)
            draws[some] = self.mu + (draws[some] * root[some]) @ self.low.T
        return draws

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


def coefficient_names(value):
    """Coefficient names that a labelled mu, Sigma or beta carries, or None: a table's columns, otherwise its index."""
    table = hasattr(value, "columns") and value.shape[1] > 1
    return labels_of(value, axis=1 if table else 0)


def order_of(have, want):
    """Positions in `have` of the names `want`; a mismatch is an error."""
    if sorted(have) != sorted(want) or len(set(have)) != len(have):
        raise InputError(
            f"the prior's coefficient names do not match the design's: got {list(have)}, the design has, in this "
            f"order, {list(want)}."
        )
    return [have.index(name) for name in want]


def _in_order(Sigma, names, sigma_name):
    """A labelled Sigma as an array in the order of `names`."""
    columns = labels_of(Sigma, axis=1)
    if columns is None or names is None:
        return Sigma
    rows = labels_of(Sigma) or columns
    if rows == names == columns:
        return Sigma
    if sorted(rows) != sorted(names) or sorted(columns) != sorted(names) or len(set(names)) != len(names):
        raise InputError(
            f"{sigma_name} and mu must name the same coefficients; {sigma_name} has rows {list(rows)} and columns "
            f"{list(columns)}, against {list(names)}."
        )
    order = [rows.index(name) for name in names], [columns.index(name) for name in names]
    return any_float_array(Sigma, sigma_name)[np.ix_(*order)]


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


def _factor(mu, Sigma, low, sigma_name):
    """Check mu and Sigma and factorise Sigma into `low`, all blocks; returns whether any variance is infinite."""
    if mu.ndim == 1 and Sigma.ndim == 2:
        status = factor_covariance(mu, Sigma, low)
        if status > FLAT:
            _refuse(mu, Sigma, sigma_name, status, "")
        return status == FLAT
    flat = False
    for j in range(max(mu.shape[0] if mu.ndim == 2 else 1, Sigma.shape[0] if Sigma.ndim == 3 else 1)):
        m = mu[j] if mu.ndim == 2 else mu
        matrix, factor = (Sigma[j], low[j]) if Sigma.ndim == 3 else (Sigma, low)
        status = factor_covariance(m, matrix, factor)
        if status > FLAT:
            _refuse(m, matrix, sigma_name, status, f" (block {j})")
        flat = flat or status == FLAT
    return flat


def _refuse(mu, Sigma, sigma_name, status, where):
    if status == EMPTY:
        raise InputError(f"mu and {sigma_name} must describe at least one coefficient; got shape {Sigma.shape}.")
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
