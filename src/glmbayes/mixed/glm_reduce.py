"""A generalised linear mixed design as the kernels take it: rows, factors, shifts, coordinates of the fixed effects."""

from dataclasses import dataclass

import numpy as np

from glmbayes.errors import ImproperPosteriorError
from glmbayes.kernels.effects import EffectsPrior
from glmbayes.kernels.glm_effects import GlmFactors, GlmRows, GlmShifts
from glmbayes.mixed.priors import refuse_improper
from glmbayes.mixed.reduce import effects_prior, refuse_dependent

_RIDGE = 1e-2  # on the starting point, in units of the information of one row of weight 1
_SCORING = 12
_FAR = 12.0  # linear predictors beyond this tell nothing about where to start
_SPAN = 1e-8  # relative size of what a combination of columns leaves outside another's span


@dataclass(frozen=True, eq=False)
class GlmReduced:
    """What a run needs.

    Attributes
    ----------
    family : the family's kernel type
    rows : GlmRows
    factors : GlmFactors
    shifts : GlmShifts
    prior : EffectsPrior
    beta_hat : (p,) array
        beta = beta_hat + unscale @ theta.
    unscale : (p, p) array
    size : list of (q,) arrays
        Root mean squares of every term's columns.
    """

    family: tuple
    rows: GlmRows
    factors: GlmFactors
    shifts: GlmShifts
    prior: EffectsPrior
    beta_hat: np.ndarray
    unscale: np.ndarray
    size: list


def reduce_glm(design, family, priors):
    """Lay out a mixed design whose response and weights are those of `glm_response`."""
    weights = np.ones(design.n) if design.fixed.weights is None else design.fixed.weights
    used = np.flatnonzero(weights > 0.0)
    offset = np.zeros(design.n) if design.fixed.offset is None else design.fixed.offset
    y, w, o, X = (np.ascontiguousarray(part[used], dtype=float) for part in (design.y, weights, offset, design.fixed.X))
    n, p = X.shape
    size = np.sqrt((X**2).sum(axis=0))
    orthonormal, r = np.linalg.qr(X / np.where(size > 0.0, size, 1.0))
    refuse_dependent(design.fixed.names, r)
    flat = np.ones(p, bool) if priors.beta is None else np.isinf(np.diag(priors.beta.Sigma))
    ends = bounds(family, y)
    _refuse_flat(design, X[:, flat], flat, ends)
    groups = {t.label: _bounded_groups(t.Z[used], t.factor.codes[used], ends) for t in design.terms}
    refuse_improper(design, priors, design.fixed.X, flat, 0, groups)

    # start and coordinates from the model without groups; a little ridge keeps both finite where data separate
    from_unit = np.linalg.inv(r) / size[:, None] * np.sqrt(n)  # columns of mean square 1
    inner = effects_prior(design, priors, from_unit, np.zeros(p), True)
    precision = inner.precision + _RIDGE * np.eye(p)
    unit = orthonormal * np.sqrt(n)
    mode, worth, low = _start(family, unit, y, w, o, precision, inner.linear)
    unscale = from_unit @ np.linalg.inv(low).T
    beta_hat = from_unit @ mode
    rows = GlmRows(y, w, o + unit @ mode, np.ascontiguousarray(np.linalg.solve(low, unit.T)), low.T @ mode, worth)
    z, codes = [term.Z[used] for term in design.terms], [term.factor.codes[used] for term in design.terms]
    factors, columns = _factors(design, rows, z, codes)
    back = low.T / np.sqrt(n)  # theta of a combination of orthonormal columns
    shifts = _shifts(factors, columns, orthonormal, back)
    prior = effects_prior(design, priors, unscale, beta_hat, True)
    sizes = [np.maximum(np.sqrt((part**2).mean(axis=0)), 1e-12) for part in z]
    return GlmReduced(family.kernel, rows, factors, shifts, prior, beta_hat, unscale, sizes)


def _start(family, X, y, weights, offset, precision, linear):
    """Fixed effects of the model without groups by a few scoring steps, the rows' information, and its Cholesky factor.

    Only a start: nothing depends on whether it has converged.
    """
    mu = (weights * y + 0.5) / (weights + 1.0) if family.name == "binomial" else y + 0.1
    eta = family.linkfun(mu)
    for _ in range(_SCORING):
        eta = np.clip(eta, -_FAR, _FAR)
        mu, slope = family.linkinv(eta), family.mu_eta(eta)
        worth = weights * slope**2 / np.maximum(family.variance(mu), 1e-300)
        response = eta - offset + (y - mu) / np.maximum(slope, 1e-300)
        low = np.linalg.cholesky(X.T @ (worth[:, None] * X) + precision)
        right = X.T @ (worth * response) + linear
        mode = np.linalg.solve(low.T, np.linalg.solve(low, right))
        eta = X @ mode + offset
    return mode, worth, low


def bounds(family, y):
    """Whether each row's log-likelihood falls without end as its linear predictor grows, and as it drops."""
    return np.ones(y.size, bool) if family.name == "poisson" else y < 1.0, y > 0.0


def _bounded_groups(Z, codes, ends):
    """Number of groups whose likelihood bounds a single effect on both sides."""
    grows, drops = ends
    z = Z[:, 0]
    above = ((z > 0) & grows) | ((z < 0) & drops)
    below = ((z < 0) & grows) | ((z > 0) & drops)
    return int(np.isin(np.unique(codes[above]), codes[below]).sum())


def _refuse_flat(design, X, flat, ends):
    """Raise when flat fixed effects separate the responses: some combination raises the likelihood without end."""
    if X.shape[1] == 0:
        return
    lost = separating(X, *ends)
    if lost is None:
        return
    names = [name for name, is_flat in zip(design.fixed.names, flat) if is_flat]
    guilty = [name for name, value in zip(names, lost) if abs(value) > 1e-6 * np.abs(lost).max()]
    raise ImproperPosteriorError(
        f"the posterior is improper: a combination of the flat fixed effects ({', '.join(guilty)}) separates the "
        "responses, so their likelihood does not fall off on one side. Give them a proper prior, priors={'beta': (mu, "
        "Sigma)} in the order " + f"{list(design.fixed.names)}."
    )


def separating(X, grows, drops):
    """A direction v, X v not 0, along which no row's log-likelihood ever falls; None when there is none.

    By linear programming: x'v = 0 where a row bounds its predictor on both sides, x'v <= 0 (>= 0) where above (below)
    only (Konis 2007).
    """
    from scipy.optimize import linprog

    orthonormal, r = np.linalg.qr(X / np.sqrt((X**2).mean(axis=0)))
    if np.abs(np.diag(r)).min() < 1e-10 * np.sqrt(X.shape[0]):
        return np.linalg.svd(X)[2][-1]  # a direction that no row notices
    scaled = orthonormal * np.sqrt(X.shape[0])
    both = grows & drops
    sign = np.where(grows, 1.0, -1.0)[~both, None]
    one_sided = np.unique(sign * scaled[~both], axis=0)
    if not len(one_sided):
        return None
    equal = np.unique(scaled[both], axis=0)
    found = linprog(
        one_sided.sum(axis=0), A_ub=one_sided, b_ub=np.zeros(len(one_sided)),
        A_eq=equal if len(equal) else None, b_eq=np.zeros(len(equal)) if len(equal) else None, bounds=(-1.0, 1.0),
    )  # fmt: skip
    if found.status != 0 or found.fun > -1e-5:
        return None
    return np.linalg.solve(r, found.x) / np.sqrt((X**2).mean(axis=0))


def _factors(design, rows, z, codes):
    """GlmFactors, and for each factor its codes and columns in the rows' own order."""
    names = list(design.factors)
    terms, n = design.terms, rows.y.size
    of = np.array([names.index(term.factor.name) for term in terms])
    m = np.array([len(design.factors[name].labels) for name in names])
    q = np.array([sum(t.q for t, f in zip(terms, of) if f == i) for i in range(len(names))])
    order, start = np.empty((m.size, n), np.int64), np.zeros((m.size, m.max() + 1), np.int64)
    gram, z_sorted, columns, term_at = np.zeros((m.sum(), q.max(), q.max())), np.empty((q.sum(), n)), [], []
    for i in range(m.size):
        mine = np.column_stack([z[k] for k in range(len(terms)) if of[k] == i])
        code = codes[int(np.flatnonzero(of == i)[0])]
        columns.append((code, mine))
        order[i] = np.argsort(code, kind="stable")
        start[i, 1 : m[i] + 1] = np.cumsum(np.bincount(code, minlength=m[i]))
        z_sorted[q[:i].sum() : q[: i + 1].sum()] = mine[order[i]].T
        gram[m[:i].sum() : m[: i + 1].sum(), : q[i], : q[i]] = _sums(code, m[i], mine * rows.worth[:, None], mine)
    for k in range(len(terms)):
        term_at.append(sum(t.q for t, f in zip(terms[:k], of) if f == of[k]))
    integers = [
        np.asarray(part, np.int64)
        for part in (m, q, np.cumsum(q) - q, np.cumsum(m * q) - m * q, of, term_at, [t.q for t in terms])
    ]
    m, q, column, first, of, term_at, term_q = integers
    factors = GlmFactors(
        m, q, column, first, order, start, rows.y[order], rows.weights[order], z_sorted, gram, of, term_at, term_q
    )
    return factors, columns


def _sums(codes, m, left, right):
    """(m, columns of left, columns of right): cross-products by level."""
    out = np.empty((m, left.shape[1], right.shape[1]))
    for i in range(left.shape[1]):
        for h in range(right.shape[1]):
            out[:, i, h] = np.bincount(codes, left[:, i] * right[:, h], m)
    return out


def _shifts(factors, columns, orthonormal, back):
    """All shifts between fixed effects, or the effects of a coarser factor, and the effects of a factor."""
    p = back.shape[0]
    found = []  # (factor, source, parent of each level, D, A)
    for f, (code, z) in enumerate(columns):
        m = factors.m[f]
        unit = z / np.sqrt((z**2).mean(axis=0))
        inverse = np.linalg.pinv(_sums(code, m, unit, unit), rcond=1e-10, hermitian=True)
        inverse = inverse / np.sqrt((z**2).mean(axis=0))[:, None]

        def imitation(other, code=code, m=m, unit=unit, inverse=inverse, z=z):
            """Coefficients of each level on z for every column of `other`, and what they leave."""
            image = inverse @ _sums(code, m, unit, other)
            return image, other - np.einsum("nq,nqc->nc", z, image[code])

        image, left = imitation(orthonormal)
        _, size, axes = np.linalg.svd(np.linalg.qr(left, mode="r") if left.shape[0] > p else left)
        null = axes[int((size > _SPAN).sum()) :].T
        if null.shape[1]:
            found.append((f, -1, np.zeros(m, np.int64), back @ null, image @ null))
        for g, (coarse, its_z) in enumerate(columns):
            parent = np.zeros(m, np.int64)
            parent[code] = coarse
            if g == f or factors.m[g] >= m or not np.array_equal(parent[code], coarse):
                continue
            image, left = imitation(its_z)
            inside = np.flatnonzero((left**2).sum(axis=0) <= _SPAN**2 * (its_z**2).sum(axis=0))
            if inside.size:
                found.append((f, g, parent, np.eye(its_z.shape[1])[:, inside], image[:, :, inside]))
    S, d = len(found), max([1, *(s[3].shape[1] for s in found)])
    big = max([p, *factors.q])
    shifts = GlmShifts(
        np.array([s[0] for s in found], np.int64), np.array([s[1] for s in found], np.int64),
        np.array([s[3].shape[1] for s in found], np.int64), np.zeros((S, factors.m.max()), np.int64),
        np.zeros((S, big, d)), np.zeros((S, factors.m.max(), factors.q.max(), d)),
    )  # fmt: skip
    for s, (_, _, parent, direction, image) in enumerate(found):
        shifts.parent[s, : parent.size] = parent
        shifts.direction[s, : direction.shape[0], : direction.shape[1]] = direction
        shifts.image[s, : image.shape[0], : image.shape[1], : image.shape[2]] = image
    return shifts
