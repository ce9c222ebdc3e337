"""A mixed design as the kernels take it: sufficient statistics, layout of the terms, priors in their coordinates."""

from dataclasses import dataclass

import numpy as np

from glmbayes.errors import FormulaError, InputError
from glmbayes.kernels.effects import EffectsData, EffectsLayout, EffectsPrior, local_columns, reduce_effects
from glmbayes.kernels.interweave import HUANG_WAND, SIGMA, WISHART
from glmbayes.mixed.blocks import block_data, nearly_nested
from glmbayes.mixed.priors import refuse_improper, sigma_terms
from glmbayes.priors.wishart import dHuangWand, dWishart

_LARGEST = 1e150  # size of a column of the design, and one over its smallest
_MOST_TOGETHER = 400  # fixed effects and effects of the smaller factors; a joint draw takes 20 ms then


@dataclass(frozen=True, eq=False)
class Reduced:
    """What a run needs.

    Attributes
    ----------
    data : EffectsData or BlocksData
    layout : EffectsLayout
    prior : EffectsPrior
    beta_hat : (p,) array
        Least squares; beta = beta_hat + unscale @ (fixed part of w).
    unscale : (p, p) array
    scale_y : float
        A residual standard deviation to start from.
    column_size : tuple of (q,) arrays
        Root mean squares of each term's columns, weights included.
    """

    data: object
    layout: EffectsLayout
    prior: EffectsPrior
    beta_hat: np.ndarray
    unscale: np.ndarray
    scale_y: float
    column_size: tuple


def refuse_dependent(names, r):
    """Raise for fixed effects that are combinations of earlier ones; `r` is the triangle of their scaled columns."""
    dependent = np.ones(r.shape[1], dtype=bool)  # also where there are fewer rows than columns
    dependent[: r.shape[0]] = np.abs(np.diag(r)) < 1e-10
    if dependent.any():
        raise FormulaError(
            f"the fixed effect(s) {', '.join(names[i] for i in np.nonzero(dependent)[0])} are linear combinations of "
            "those before them: drop them from the formula."
        )


def orthonormal_columns(X, names):
    """Orthonormal columns (n, p) of X, and the matrix (p, p) that takes their coefficients to those of X."""
    largest = np.abs(X).max(axis=0, initial=0.0)
    held = (largest == 0.0) | ((largest > 1.0 / _LARGEST) & (largest < _LARGEST))
    if not held.all():
        raise InputError(
            f"the fixed effect(s) {', '.join(names[i] for i in np.nonzero(~held)[0])} are too small or too large for "
            "double precision (squares of columns are taken): use other units."
        )
    size = np.sqrt((X**2).sum(axis=0))
    orthonormal, r = np.linalg.qr(X / np.where(size > 0.0, size, 1.0))
    refuse_dependent(names, r)
    return orthonormal, np.linalg.inv(r) / size[:, None]


def least_squares(y, X, names):
    """Residuals (n,), orthonormal columns (n, p) of X, the matrix (p, p) that takes their coefficients to those of X,
    and the least squares coefficients (p,).
    """
    orthonormal, unscale = orthonormal_columns(X, names)
    # where n = p the last residuals are rounding; subtracting twice keeps them orthogonal to X
    beta_hat = np.zeros(X.shape[1])
    rest = y.copy()
    for _ in range(2):
        step = unscale @ (orthonormal.T @ rest)
        beta_hat += step
        rest = rest - X @ step
    return rest, orthonormal, unscale, beta_hat


def reduce_design(design, priors, se, weights, frequency):
    """Reduce the rows of a mixed design; `se` (n,) and `weights` (n,) or None."""
    root_w = np.ones(design.n) if weights is None else np.sqrt(weights)
    if se is not None:
        root_w = root_w / se
    y = design.y if design.fixed.offset is None else design.y - design.fixed.offset
    y = y * root_w
    X = design.fixed.X * root_w[:, None]
    p = X.shape[1]
    rest, orthonormal, unscale, beta_hat = least_squares(y, X, design.fixed.names)

    main = max(design.factors.values(), key=lambda f: len(f.labels))
    terms = design.terms
    on_main = np.array([term.factor is main for term in terms])
    first, z_columns, at_z, at_w = np.empty(len(terms), np.int64), [], 0, p
    for k, term in enumerate(terms):
        if on_main[k]:
            first[k] = at_z
            at_z += term.q
            z_columns.append(term.Z)
        else:
            first[k] = at_w
            at_w += term.m * term.q
    n = float(weights.sum()) if frequency and weights is not None else float(design.n)
    factors = list(design.factors.values())
    if len(factors) > 1 and at_w > _MOST_TOGETHER and not nearly_nested(factors):
        data = block_data(design, rest, orthonormal, root_w, first, on_main, at_w, n)
    else:
        data = _joint_data(design, main, rest, orthonormal, root_w, z_columns, first, on_main, at_w, n)
    layout = EffectsLayout(
        np.array([t.q for t in terms], np.int64),
        np.array([t.m for t in terms], np.int64),
        on_main.astype(np.int64),
        first,
    )
    flat = np.ones(p, bool) if priors.beta is None else np.isinf(np.diag(priors.beta.Sigma))
    if priors.population is not None:
        flat = np.zeros(p, bool)
    rank = min(design.n, p + sum(t.m * t.q for t in terms))
    refuse_improper(design, priors, X, flat, rank)
    prior = effects_prior(design, priors, unscale, beta_hat, se is not None)
    scale_y = float(np.sqrt((rest**2).sum() / max(n - p, 1.0))) or 1.0
    sizes = tuple(np.sqrt(((term.Z * root_w[:, None]) ** 2).sum(axis=0) / n) for term in terms)
    return Reduced(data, layout, prior, beta_hat, unscale, scale_y, sizes)


def _joint_data(design, main, rest, orthonormal, root_w, z_columns, first, on_main, size, n):
    """`EffectsData`; `first` and `on_main` are of each term, `size` the length of w."""
    p, at_z, terms = orthonormal.shape[1], sum(z.shape[1] for z in z_columns), design.terms
    others = [k for k in range(len(terms)) if not on_main[k]]
    order = np.argsort(main.codes, kind="stable")
    m = len(main.labels)
    starts = np.zeros(m + 1, np.int64)
    np.cumsum(main.sizes, out=starts[1:])
    rows = root_w[order][:, None]
    z = np.ascontiguousarray(np.column_stack(z_columns)[order] * rows)
    other_z = np.ascontiguousarray(
        np.column_stack([np.empty((design.n, 0)), *[terms[k].Z for k in others]])[order] * rows
    )
    codes = np.empty((design.n, len(others)), np.int64)
    for column, k in enumerate(others):
        codes[:, column] = terms[k].factor.codes[order]
    widths = np.array([terms[k].q for k in others], np.int64)
    offsets = first[others]
    start = np.empty(m + 1, np.int64)
    column = local_columns(starts, p, codes, widths, offsets, size, start)
    rz, ry = np.empty((m, at_z, at_z)), np.empty((m, at_z))
    rw, gram, linear = np.empty((column.size, at_z)), np.zeros((size, size)), np.zeros(size)
    square = reduce_effects(
        np.ascontiguousarray(rest[order]), np.ascontiguousarray(orthonormal[order]), z, other_z, starts, codes, widths,
        offsets, start, column, rz, ry, rw, gram, linear,
    )  # fmt: skip
    return EffectsData(rz, ry, start, column, rw, gram, linear, square, n)


def effects_prior(design, priors, unscale, beta_hat, sigma_known):
    """The priors as kernels take them, for fixed effects beta_hat + unscale theta."""
    p, terms = unscale.shape[0], design.terms
    K, Q = len(terms), max(t.q for t in terms)
    precision, linear = np.zeros((p, p)), np.zeros(p)
    if priors.beta is not None:
        proper = np.isfinite(np.diag(priors.beta.Sigma))
        inner = np.zeros((p, p))
        inner[np.ix_(proper, proper)] = np.linalg.inv(priors.beta.Sigma[np.ix_(proper, proper)])
        precision = unscale.T @ inner @ unscale
        linear = unscale.T @ inner @ (priors.beta.mu - beta_hat)
    kind, spec, upper = np.empty(K, np.int64), np.zeros((K, 6)), np.full(K, np.inf)
    df, scale_root = np.zeros(K), np.zeros((K, Q, Q))
    nu, inverse_scales2 = np.zeros(K), np.zeros((K, Q))
    for k, term in enumerate(terms):
        prior = priors.terms[term.label]
        if isinstance(prior, dWishart):
            kind[k], df[k] = WISHART, prior.df
            scale_root[k, : term.q, : term.q] = np.linalg.cholesky(prior.Psi_0)
        elif isinstance(prior, dHuangWand):
            kind[k], nu[k], df[k] = HUANG_WAND, prior.df, prior.df + term.q - 1.0
            inverse_scales2[k, : term.q] = prior.scales(term.q) ** -2.0
        else:
            kind[k] = SIGMA
            spec[k], upper[k] = sigma_terms(prior)
    sigma, sigma_upper = (np.zeros(6), np.inf) if sigma_known else sigma_terms(priors.sigma)
    return EffectsPrior(
        np.ascontiguousarray(precision), linear, kind, spec, upper, df, scale_root, nu, inverse_scales2,
        np.array(sigma), float(sigma_upper), sigma_known,
    )  # fmt: skip
