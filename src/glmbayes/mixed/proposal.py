"""A mixture of multivariate t distributions that resembles a density, for independence Metropolis chains.

Newton steps find the mode; then weighted samples are fitted by expectation-maximisation, from the local curvature to
a mixture that follows skewness and curved ridges (adaptive importance sampling: Cappe et al. 2008; Hoogerheide,
Opschoor and van Dijk 2012).  Fitting ends before a chain starts: chains leave the density invariant however good it is.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

_DF = 8.0
_ROUNDS = ((1000, 4), (2000, 5), (4000, 6), (6000, 6))  # sample sizes and steps of expectation-maximisation
_GOOD = 0.75  # effective share of a sample that needs no further round
_ADDED = 2  # components at the start of a round
_WIDE = 2.0  # every component has a copy so much wider,
_WIDE_SHARE = 0.2  # with this share of its weight
_NEWTON = 60


@dataclass(frozen=True, eq=False)
class Proposal:
    """Mixture of K multivariate t distributions in d dimensions, _DF degrees of freedom.

    Attributes
    ----------
    weight : (K,) array
    mean : (K, d) array
    low : (K, d, d) array
        Cholesky factors of the scale matrices.
    """

    weight: np.ndarray
    mean: np.ndarray
    low: np.ndarray

    def sample(self, n, rng):
        """(n, d) independent draws."""
        d = self.mean.shape[1]
        which = rng.choice(self.weight.size, n, p=self.weight)
        z = rng.standard_normal((n, d)) / np.sqrt(rng.standard_gamma(0.5 * _DF, n) / (0.5 * _DF))[:, None]
        x = np.empty((n, d))
        for k in range(self.weight.size):
            at = which == k
            x[at] = self.mean[k] + z[at] @ self.low[k].T
        return x

    def widened(self):
        """The same with a wider copy of each component, which covers what the fit has missed."""
        weight = np.concatenate([(1.0 - _WIDE_SHARE) * self.weight, _WIDE_SHARE * self.weight])
        return Proposal(weight, np.concatenate([self.mean] * 2), np.concatenate([self.low, _WIDE * self.low]))

    @cached_property
    def covariance(self):
        """(d, d) covariance matrix."""
        rest = self.mean - self.weight @ self.mean
        scale = np.einsum("k,kih,kjh->ij", self.weight, self.low, self.low)
        return _DF / (_DF - 2.0) * scale + (self.weight[:, None] * rest).T @ rest

    @cached_property
    def _inverse(self):
        return np.linalg.inv(self.low)

    def distances(self, x):
        """(K, n) squared distances from the centres in units of the scale matrices."""
        return (((x - self.mean[:, None]) @ np.swapaxes(self._inverse, 1, 2)) ** 2).sum(axis=2)

    def log_parts(self, distances):
        """(K, n) log of weight times density, up to a constant."""
        d = self.mean.shape[1]
        size = np.log(self.weight) - np.log(np.diagonal(self.low, axis1=1, axis2=2)).sum(axis=1)
        return size[:, None] - 0.5 * (_DF + d) * np.log1p(distances / _DF)

    def log_density(self, x):
        """(n,) log density, up to a constant."""
        parts = self.log_parts(self.distances(x))
        top = parts.max(axis=0)
        return top + np.log(np.exp(parts - top).sum(axis=0))


def fit_proposal(log_density, start, rng):
    """A `Proposal` for `log_density`, a function of (n, d) points, from the point `start`; None without a mode."""
    mode, low = find_mode(log_density, start)
    if mode is None:
        return None
    fit = Proposal(np.ones(1), mode[None], low[None])
    for size, steps in _ROUNDS:
        wide = fit.widened()
        x = wide.sample(size, rng)
        weight = log_density(x) - wide.log_density(x)
        weight = np.exp(weight - weight.max())
        if weight.sum() ** 2 > _GOOD * size * (weight @ weight):
            break
        weight = np.minimum(weight, np.sort(weight)[-(size // 400) - 1])  # a few outliers must not make a component
        keep = weight > 1e-4 * weight.mean()
        x, weight = x[keep], weight[keep] / weight[keep].sum()
        fit = _with_more(fit, x, weight, rng)
        for _ in range(steps):
            fit = _em_step(fit, x, weight)
    return fit.widened()


def _with_more(fit, x, weight, rng):
    """`fit` with _ADDED more components, centred at some of the weighted points."""
    centres = x[rng.choice(weight.size, _ADDED, p=weight)]
    low = _shrunk(x, weight, weight @ x, 1.0, fit.low[0] @ fit.low[0].T, 1.0 / (weight @ weight))
    share = 0.2
    return Proposal(
        np.concatenate([(1.0 - _ADDED * share) * fit.weight, np.full(_ADDED, share)]),
        np.concatenate([fit.mean, centres]),
        np.concatenate([fit.low, np.stack([low] * _ADDED)]),
    )


def _em_step(fit, x, weight):
    """One step of expectation-maximisation with weighted points; components without mass are dropped."""
    d = x.shape[1]
    distances = fit.distances(x)
    parts = fit.log_parts(distances)
    share = np.exp(parts - parts.max(axis=0))
    share *= weight / share.sum(axis=0)
    total = share.sum(axis=1)
    keep = np.nonzero(total > 0.02)[0]
    factor = share * (_DF + d) / (_DF + distances)
    mean, low = np.empty((keep.size, d)), np.empty((keep.size, d, d))
    for i, k in enumerate(keep):
        mean[i] = factor[k] @ x / factor[k].sum()
        size = total[k] ** 2 / (share[k] @ share[k])
        low[i] = _shrunk(x, factor[k], mean[i], total[k], fit.low[k] @ fit.low[k].T, size)
    return Proposal(total[keep] / total[keep].sum(), mean, low)


def _shrunk(x, weight, centre, total, before, size):
    """Factor of a weighted scatter matrix, shrunk to what it was `before` as the effective `size` is small."""
    d = x.shape[1]
    rest = x - centre
    scatter = (rest * (weight / total)[:, None]).T @ rest
    return np.linalg.cholesky((size * scatter + d * before) / (size + d))


def find_mode(log_density, x):
    """(mode, Cholesky factor of the inverse negative Hessian) by damped Newton steps with differences.

    (None, None) when the density has no finite value at the start or the search does not settle.
    """
    d = x.size
    step = np.full(d, 1e-2)
    pairs = [(i, k) for i in range(d) for k in range(i)]
    lengths = 2.0 ** np.arange(2.0, -12.0, -1.0)
    for _ in range(_NEWTON):
        offsets = np.diag(step)
        stencil = np.concatenate([[np.zeros(d)], offsets, -offsets, [offsets[i] + offsets[k] for i, k in pairs]]
                                 if pairs else [[np.zeros(d)], offsets, -offsets])  # fmt: skip
        f = log_density(x + stencil)
        if not np.isfinite(f).all():
            if not np.isfinite(f[0]) or step.max() < 1e-7:
                return None, None
            step = 0.1 * step
            continue
        up, down = f[1 : d + 1], f[d + 1 : 2 * d + 1]
        gradient = 0.5 * (up - down)  # in units of the steps, as the Hessian
        hessian = np.diag(up + down - 2.0 * f[0])
        for (i, k), both in zip(pairs, f[2 * d + 1 :]):
            hessian[i, k] = hessian[k, i] = both - up[i] - up[k] + f[0]
        values, vectors = np.linalg.eigh(-hessian)
        values = np.maximum(np.abs(values), 1e-8 + 1e-6 * np.abs(values).max())
        slope = vectors.T @ gradient
        direction = step * (vectors @ (slope / values))
        direction *= min(1.0, 2.0 / np.abs(direction).max()) if direction.any() else 1.0
        best = log_density(x + lengths[:, None] * direction)
        at = int(np.nanargmax(best))
        gain = best[at] - f[0]
        if (slope**2 / values).sum() < 1e-2 or not gain > 1e-3:
            inverse = (vectors / values) @ vectors.T * np.outer(step, step)
            return x, np.linalg.cholesky(inverse)
        x = x + lengths[at] * direction
        step = np.clip(0.1 * step / np.sqrt(np.maximum(-np.diag(hessian), 1e-12)), 0.1 * step, 10.0 * step)
        step = np.clip(step, 1e-6, 0.1)
    return None, None


def follow(points, log_weight, uniform, near, sticky):
    """An independence chain that starts at candidate 0, with local moves where it would stay for long.

    Parameters
    ----------
    points : (n, d) array
        Candidates.
    log_weight, uniform : (n,) arrays
        Log of target over proposal at the candidates; numbers in [0, 1) that decide.
    near : callable
        (point, log weight) -> the same after a local move.
    sticky : float
        Local moves are made from log weights above this.

    Returns
    -------
    states : (n, d) array
    log_weight : float
        Of the last state.
    moves : int
        Accepted candidates.
    """
    states, moves = np.empty_like(points), 0
    states[0], level = points[0], float(log_weight[0])
    for i, (weight, u) in enumerate(zip(log_weight[1:].tolist(), np.log1p(-uniform[1:]).tolist()), 1):
        here = weight - level >= u
        if here:
            level, moves = weight, moves + 1
        states[i] = points[i] if here else states[i - 1]
        if level > sticky:
            states[i], level = near(states[i], level)
    return states, level, moves
