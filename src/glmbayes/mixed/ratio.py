"""Exact iid draws of a model with one random effect per group and a prior on the ratio of its sd to the residual one.

Groups of the same size n_j = z_j'z_j share an eigenvalue: of k such groups, only the at most p directions that the
fixed effects see need a singular value decomposition; the others are independent of everything but the two variances.
"""

import math
from typing import NamedTuple

import numpy as np

from glmbayes.errors import InputError
from glmbayes.mixed.draws import MixedDraws
from glmbayes.mixed.reduce import least_squares
from glmbayes.posteriors.two_levels import TwoLevels, defined
from glmbayes.posteriors.variance_ratio import VarianceRatio
from glmbayes.priors.normal_gamma import dNormal_Gamma
from glmbayes.priors.ratio import dRatio

_LARGEST = 2000  # a dense singular value decomposition of this size takes seconds
_EXACT = 1e-14  # root mean square residuals below this share of the root of y'y are rounding


def has_ratio(priors):
    """Whether any term has a prior on a ratio."""
    return any(isinstance(prior, dRatio) for prior in priors.terms.values())


def ratio_reason(design):
    """None when the exact engine applies to a model with a dRatio, else why it does not."""
    if len(design.terms) == 1:
        return None
    return "a prior on the ratio of standard deviations, dRatio, needs a single random term"


class SameSize(NamedTuple):
    """Groups with the same z_j'z_j."""

    groups: np.ndarray  # (k,)
    size: float  # z_j'z_j
    basis: np.ndarray | None  # (k, r) orthonormal: the directions that X sees; None for all
    first: int  # of their coordinates among those of the decomposition
    y: np.ndarray  # (k,) z_j'y_j / |z_j|, the part outside `basis`


class RatioPosterior:
    """The exact posterior, in terms of fixed effects and group effects."""

    def __init__(self, design, priors, weights, frequency):
        term = design.terms[0]
        root_w = np.ones(design.n) if weights is None else np.sqrt(weights)
        y = (design.y if design.fixed.offset is None else design.y - design.fixed.offset) * root_w
        X = design.fixed.X * root_w[:, None]
        rest, columns, self.unscale, self.beta_hat = least_squares(y, X, design.fixed.names)
        rounding = _EXACT**2 * design.n * float(y @ y)
        n = float(weights.sum()) if frequency and weights is not None else float(design.n)
        self.p, self.m = design.p, term.m
        between, within = _between_within(rest, columns, term.Z[:, 0] * root_w, term.factor.codes, term.m)
        self.empty = between[0] == 0.0
        self._by_size(*between)
        rows_y, rows_x, size = self._rows(*between)
        y, X = np.concatenate([rows_y, within[:, -1]]), np.concatenate([rows_x, within[:, :-1]])
        degrees = n - self.p
        if isinstance(priors.sigma, dNormal_Gamma):  # a proper prior is more observations
            low = priors.sigma.coefficient.low
            X = np.concatenate([X, np.linalg.solve(low, self.unscale)])
            y = np.concatenate([y, np.linalg.solve(low, priors.sigma.coefficient.mu - self.beta_hat)])
            degrees = n
        Z = np.zeros((y.size, size.size))
        np.fill_diagonal(Z, np.sqrt(size))
        self.levels = TwoLevels(y, X, Z)
        s2, count, squares = self._spectrum()
        if (squares <= rounding).all():
            squares = np.zeros(squares.size)
        rss = self.levels.rss if self.levels.rss > rounding else 0.0
        self.priors = priors.terms[term.label].prior, priors.sigma
        self.log_weights = 0.0 if frequency or weights is None else float(np.log(weights).sum())
        ratio = self.priors[0]
        self.ratio = VarianceRatio(
            ratio.terms, ratio.upper, s2, count, squares, rss + 2.0 * priors.sigma.rate,
            priors.sigma.shape + 0.5 * degrees,
        )  # fmt: skip

    def _by_size(self, n, rx, ry):
        self.classes, first = [], 0
        for size in np.unique(n):
            groups = np.nonzero(n == size)[0]
            if groups.size > self.p:
                basis = np.linalg.qr(rx[groups])[0] if self.p else np.empty((groups.size, 0))
                y = ry[groups] - basis @ (basis.T @ ry[groups])
                self.classes.append(SameSize(groups, size, basis, first, y))
                first += self.p
            else:
                self.classes.append(SameSize(groups, size, None, first, np.zeros(groups.size)))
                first += groups.size
        if first > _LARGEST:
            raise InputError(
                f"the exact method would have to decompose a matrix of {first} rows and columns; it does so up to "
                f"{_LARGEST}. Use a prior on the standard deviation itself and method='mcmc'."
            )

    def _rows(self, n, rx, ry):
        """y, X and z'z of the coordinates that go into the decomposition."""
        y, X, size = [np.empty(0)], [np.empty((0, self.p))], [np.empty(0)]
        for c in self.classes:
            turn = np.eye(c.groups.size) if c.basis is None else c.basis.T
            y.append(turn @ ry[c.groups])
            X.append(turn @ rx[c.groups])
            size.append(np.full(turn.shape[0], c.size))
        return np.concatenate(y), np.concatenate(X), np.concatenate(size)

    def _spectrum(self):
        """Squared singular values > 0, how often each occurs, and the sum of the squares of y in their directions."""
        levels = self.levels
        s2, squares = [levels.s2[levels.seen]], [levels.projected2[levels.seen]]
        count = [np.ones(s2[0].size)]
        for c in self.classes:
            if c.basis is not None and c.size > 0.0:
                s2.append([c.size])
                count.append([c.groups.size - c.basis.shape[1]])
                squares.append([c.y @ c.y])
        return np.concatenate(s2), np.concatenate(count), np.concatenate(squares)

    def draw(self, n, rng):
        """(MixedDraws, candidates per draw)."""
        u, sigma, iters = self.ratio.draw(n, rng)
        seen, w = self.levels.draw(u, sigma, rng)
        effects = np.empty((n, self.m))
        for c in self.classes:
            if c.basis is None:
                effects[:, c.groups] = seen[:, c.first : c.first + c.groups.size]
                continue
            precision = (u + c.size)[:, None]
            z = rng.standard_normal((n, c.groups.size))
            z *= sigma[:, None] / np.sqrt(precision)
            z += np.sqrt(c.size) / precision * c.y
            z += (seen[:, c.first : c.first + c.basis.shape[1]] - z @ c.basis) @ c.basis.T
            effects[:, c.groups] = z
        sigma2 = sigma**2
        covariance = (sigma2 / u).reshape(-1, 1, 1)
        beta = self.beta_hat + w @ self.unscale.T
        return MixedDraws(beta, sigma2, (covariance,), (effects[:, :, None],), 1), iters

    def moments(self, combinations):
        """Mean and sd of combinations (k, p + m) of (beta, effects), by quadrature; NaN and infinity where the prior on
        the ratio leaves them undefined.
        """
        u, weight = self.ratio.nodes
        on_beta, on_effects = combinations[:, : self.p] @ self.unscale, combinations[:, self.p :]
        seen, mean, spread = [on_beta], 0.0, 0.0
        for c in self.classes:
            part = on_effects[:, c.groups]
            if c.basis is None:
                seen.append(part)
                continue
            onto = part @ c.basis
            seen.append(onto)
            part = part - onto @ c.basis.T
            precision = (u + c.size)[:, None]
            mean = mean + np.sqrt(c.size) / precision * (part @ c.y)
            spread = spread + 1.0 / precision * (part**2).sum(axis=1)
        seen = np.concatenate(seen, axis=1)
        seen_mean, seen_spread = self.levels.moments(u, seen)
        mean = mean + seen_mean + combinations[:, : self.p] @ self.beta_hat
        centre = weight @ mean
        half = self.ratio.density.half  # given u, combinations have t distributions with 2 h degrees of freedom
        variance = np.full(centre.size, np.inf)
        if half > 1.0:
            variance = weight @ (self.ratio.residual_variance[:, None] * (spread + seen_spread) + (mean - centre) ** 2)
        drifting = self.levels.drifting(seen) | (on_effects[:, self.empty] != 0.0).any(axis=1)
        drifting &= self.ratio.density.rest > 0.0
        return defined(np.where(half > 0.5, centre, np.nan), np.sqrt(variance), drifting, self.ratio.tail)

    def log_evidence(self):
        """log p(y) by quadrature; the priors must be proper."""
        ratio, sigma = self.priors
        if math.isnan(ratio.log_constant) or not (sigma.shape > 0.0 and sigma.rate > 0.0):
            raise InputError("the marginal likelihood needs proper priors on the ratio and the residual precision.")
        if self.p and not isinstance(sigma, dNormal_Gamma):
            raise InputError("the marginal likelihood needs a proper prior on the fixed effects: a dNormal_Gamma.")
        f = self.ratio.density
        value = self.ratio.log_normaliser + ratio.log_constant - f.e * math.log(f.g)
        value += sigma.shape * math.log(sigma.rate) - math.lgamma(sigma.shape) + math.lgamma(f.half)
        value += f.half * math.log(2.0) - (f.half - sigma.shape) * math.log(2.0 * math.pi) + 0.5 * self.log_weights
        if self.p:
            value += np.linalg.slogdet(self.unscale)[1] - np.linalg.slogdet(self.levels.root)[1]
            value -= np.log(np.diag(sigma.coefficient.low)).sum()
        return float(value)


def _between_within(y, X, z, codes, m):
    """Rows turned group by group: one that knows the group's effect, and a triangle of all others.

    Returns (z'z (m,), z'X / |z| (m, p), z'y / |z| (m,)) and the triangle (p + 1, p + 1) of [X, y].
    """
    n = np.bincount(codes, z * z, m)
    root = np.sqrt(n)
    both = np.column_stack([X, y])
    onto = np.column_stack([np.bincount(codes, z * column, m) for column in both.T])
    onto /= np.where(root > 0.0, root, 1.0)[:, None]
    both -= (z / np.where(root > 0.0, root, 1.0)[codes])[:, None] * onto[codes]
    return (n, onto[:, :-1], onto[:, -1]), np.linalg.qr(both, mode="r")
