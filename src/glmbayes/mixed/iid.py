"""Exact iid draws where a mixed model has one unknown variance: known sampling variances and one random intercept."""

import numpy as np

from glmbayes.kernels.linalg import eliminate
from glmbayes.mixed.draws import MixedDraws
from glmbayes.mixed.priors import refuse_improper, sigma_terms
from glmbayes.mixed.reduce import orthonormal_columns
from glmbayes.posteriors.one_variance import OneVariance
from glmbayes.posteriors.two_levels import defined
from glmbayes.priors.wishart import CovariancePrior

_MOST_GROUPS = 2000  # a dense singular value decomposition of this size takes seconds


def iid_reason(design, priors, se):
    """None when the exact engine applies, else why it does not."""
    if se is None:
        return "the residual variance is unknown: give se=, or a prior on the ratio of the standard deviations, dRatio"
    if len(design.terms) != 1 or design.terms[0].q != 1:
        return "it needs a single random term with one effect per group"
    if isinstance(priors.terms[design.terms[0].label], CovariancePrior):
        return "it needs a prior on a standard deviation or a gamma precision"
    if design.terms[0].m > _MOST_GROUPS:
        return f"it handles up to {_MOST_GROUPS} groups"
    return None


class IidPosterior:
    """The exact posterior of a one-variance model, in terms of its fixed effects and group effects."""

    def __init__(self, design, priors, se):
        term = design.terms[0]
        y = design.y if design.fixed.offset is None else design.y - design.fixed.offset
        p, m = design.p, term.m
        y, X, z = y / se, design.fixed.X / se[:, None], term.Z[:, 0] / se
        orthonormal_columns(X, design.fixed.names)  # refuses dependent ones
        y, X, Z = _by_group(y, X, z, term.factor)
        flat = np.ones(p, bool) if priors.beta is None else np.isinf(np.diag(priors.beta.Sigma))
        if priors.population is not None:
            flat = np.zeros(p, bool)
        refuse_improper(design, priors, design.fixed.X / se[:, None], flat, min(design.n, p + m))
        self.population = priors.population
        if priors.population is not None:  # beta = mu + L c, c as variable as the effects: more effects
            mu, low = priors.population.coefficient.mu, priors.population.coefficient.low
            y, Z, X = y - X @ mu, np.column_stack([Z, X @ low]), np.empty((y.size, 0))
        elif priors.beta is not None and not flat.all():  # a proper prior is more observations
            keep = np.nonzero(~flat)[0]
            low = np.linalg.cholesky(priors.beta.Sigma[np.ix_(keep, keep)])
            rows = np.zeros((keep.size, p))
            rows[:, keep] = np.linalg.inv(low)
            y = np.concatenate([y, np.linalg.solve(low, priors.beta.mu[keep])])
            X, Z = np.vstack([X, rows]), np.vstack([Z, np.zeros((keep.size, m))])
        terms, upper = sigma_terms(priors.terms[term.label])
        self.p, self.m = p, m
        self.engine = OneVariance(y, X, Z, terms, upper)

    def draw(self, n, rng):
        """(MixedDraws, candidates per draw)."""
        u, effects, beta, iters = self.engine.draw(n, rng)
        if self.population is not None:
            beta = self.population.coefficient.mu + effects[:, self.m :] @ self.population.coefficient.low.T
            effects = effects[:, : self.m]
        covariance = (1.0 / u).reshape(-1, 1, 1)
        effects = np.ascontiguousarray(effects)[:, :, None]
        return MixedDraws(beta, np.ones(n), (covariance,), (effects,), 1), iters

    def moments(self, combinations):
        """Mean and sd of combinations (k, p + m) of (beta, effects), by quadrature; NaN, inf where undefined."""
        if self.population is not None:
            mu, low = self.population.coefficient.mu, self.population.coefficient.low
            shift = combinations[:, : self.p] @ mu
            combinations = np.column_stack([combinations[:, self.p :], combinations[:, : self.p] @ low])
        else:
            shift = 0.0
        weight, _, mean, variance = self.engine.moments(combinations)
        centre = weight @ mean
        sd = np.sqrt(weight @ (variance + (mean - centre) ** 2))
        return defined(centre + shift, sd, self.engine.levels.drifting(combinations), self.engine.tail)


def _by_group(y, X, z, factor):
    """Rows reduced group by group: one row that knows the group's effect, and a triangle of the rest."""
    p, m = X.shape[1], len(factor.labels)
    if (factor.sizes == 1).all():
        Z = np.zeros((y.size, m))
        Z[np.arange(y.size), factor.codes] = z
        return y, X, Z
    order = np.argsort(factor.codes, kind="stable")
    ends = np.cumsum(factor.sizes)
    work = np.empty(p + 2)
    between, rest = np.empty((m, p + 2)), []
    for j, end in enumerate(ends):
        rows = order[end - factor.sizes[j] : end]
        block = np.column_stack([z[rows], X[rows], y[rows]])
        eliminate(block, rows.size, 1, work)
        between[j] = block[0]
        rest.append(block[1:, 1:])
    rest = np.linalg.qr(np.concatenate(rest), mode="r") if sum(len(r) for r in rest) else np.empty((0, p + 1))
    Z = np.concatenate([np.diag(between[:, 0]), np.zeros((len(rest), m))])
    stacked = np.concatenate([between[:, 1:], rest])
    return stacked[:, -1].copy(), np.ascontiguousarray(stacked[:, :-1]), Z
