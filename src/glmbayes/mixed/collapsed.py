"""One grouping factor: an independence Metropolis chain on the variances, all effects integrated out.

The variances' posterior is a function of few numbers that costs microseconds, so it can be learned: a mixture of
t distributions is fitted to it, candidates come from the mixture independently, and the chain accepts most of them.
Its draws are nearly independent, and given them the effects are exact.  Where the mixture has too little mass, mostly
at standard deviations near 0, a local move follows each step.
"""

import numpy as np

from glmbayes.chains.run import kept_length, run_chains, streams
from glmbayes.kernels.collapsed import BEND, CollapsedData, collapsed
from glmbayes.mixed.mcmc import collect
from glmbayes.mixed.proposal import find_mode, fit_proposal, follow

_MOST = 16  # variances and correlations: beyond, Gibbs sweeps are the better choice
_LEAST_ACCEPTED = 0.2
_TRIAL = 1000
_STARTS = 64  # candidates for the first state: one of them is possible
_STICKY = 3.0  # local moves are made from weights so much above their mean
_WORK = 1e7  # numbers to work through between looks at Ctrl-C


class Collapsed:
    """The density of the variances of a mixed model, and a proposal for it.

    Attributes
    ----------
    scale : (d,) array
        See `glmbayes.kernels.collapsed`.
    proposal : Proposal
    sticky : float
        Log weight above which local moves are made as well: an independence chain stays long at such points, and
        moves among them lead it to where candidates are accepted.
    chunk : int
        Points that are evaluated at a time.
    """

    def __init__(self, reduced, scale):
        data, self.reduced, self.scale, self.proposal, self.sticky = reduced.data, reduced, scale, None, np.inf
        m, q = data.ry.shape
        p = data.linear.size
        rows = np.concatenate([data.rw.reshape(m, p, q).transpose(1, 2, 0), data.ry.T[None]])
        rz = np.ascontiguousarray(data.rz.transpose(1, 2, 0))
        self.data = CollapsedData(rz, np.ascontiguousarray(rows), data.gram, data.linear, data.square, data.n)
        self.chunk = int(np.clip(_WORK / rows.size, 1, 1000))  # not by the clock: draws must not depend on it

    def outputs(self, n):
        """Arrays for n draws."""
        (q, _, m), p, layout = self.data.rz.shape, self.data.linear.size, self.reduced.layout
        terms, most = layout.q.size, layout.q.max()
        return np.empty((n, p)), np.empty((n, m, q)), np.empty(n), np.empty((n, terms, most, most))

    def log_density(self, points):
        """(n,) log density of points (n, d)."""
        out, none = np.empty(points.shape[0]), self.outputs(0)
        for first in range(0, points.shape[0], self.chunk):  # Ctrl-C gets through between chunks
            part = slice(first, first + self.chunk)
            self._run(None, points[part], out[part], none)
        return out

    def draw(self, rng, points, out):
        """All parameters given the variances at `points` (n, d), into the arrays `out`."""
        self._run(rng, points, np.empty(points.shape[0]), out)

    def _run(self, rng, points, log_density, out):
        rng = np.random.default_rng(0) if rng is None else rng  # not touched without draws
        prior, layout = self.reduced.prior, self.reduced.layout
        collapsed(rng, self.data, layout, prior, self.scale, points, log_density, *out)

    def candidates(self, n, rng):
        """n candidates (n, d) and their log weights, target over proposal."""
        points = self.proposal.sample(n, rng)
        return points, self.log_density(points) - self.proposal.log_density(points)

    def walk(self, points, log_weight, rng):
        """`follow` the candidates."""
        size = points.shape[1]
        root = np.linalg.cholesky(self.proposal.covariance) / np.sqrt(size)

        def near(point, level):  # a random walk that keeps to the sticky points, which leaves the density invariant
            step = root @ rng.standard_normal(size) * np.sqrt(2.0 * rng.standard_exponential())
            both = np.stack([point, point + step])
            before, after = self.proposal.log_density(both)
            density = self.log_density(both[1:])[0]
            move = density - after > self.sticky and density - level - before >= np.log1p(-rng.random())
            return (both[1], density - after) if move else (point, level)

        return follow(points, log_weight, rng.random(log_weight.size), near, self.sticky)


def build_collapsed(reduced, rng):
    """A `Collapsed` with its proposal; None where that does not apply or candidates would seldom be accepted."""
    try:
        return _fitted(reduced, rng)
    except np.linalg.LinAlgError:  # a density too flat or too sharp for its curvature
        return None


def _fitted(reduced, rng):
    layout, prior = reduced.layout, reduced.prior
    sigma_known = bool(prior.sigma_known)
    at = np.concatenate([np.arange(q) for q in layout.q])  # row of each standard deviation in its term
    size = int((layout.q * (layout.q + 1) // 2).sum()) + (not sigma_known)
    if not layout.main.all() or size > _MOST:
        return None
    starts = np.cumsum(at + 1) - (at + 1)  # where the standard deviations are among the coordinates
    upper = np.repeat(prior.upper, layout.q)
    spread = max(reduced.scale_y, 1e-12)
    sd = 0.3 * spread / np.maximum(np.concatenate(reduced.column_size), 1e-12)
    if not sigma_known:
        starts, sd, upper = np.append(starts, size - 1), np.append(sd, spread), np.append(upper, prior.sigma_upper)
    for last in (False, True):
        sd = np.minimum(sd, 0.9 * upper)
        scale, point = np.ones(size), np.zeros(size)
        scale[starts] = 0.5 * sd
        bounded = np.isfinite(upper)
        below = sd.copy()
        below[bounded] = -upper[bounded] * np.log1p(-sd[bounded] / upper[bounded])
        point[starts] = np.log(np.expm1(BEND * np.arcsinh(below / scale[starts] / BEND)))
        model = Collapsed(reduced, scale)
        if last:
            break
        mode, _ = find_mode(model.log_density, point)
        if mode is None:
            return None
        sd = scale[starts] * BEND * np.sinh(np.logaddexp(0.0, mode[starts]) / BEND)
    proposal = fit_proposal(model.log_density, point, rng)
    if proposal is None:
        return None
    model.proposal = proposal
    points, log_weight = model.candidates(_TRIAL, rng)
    *_, moves = model.walk(points, log_weight, rng)
    top = log_weight.max()
    model.sticky = top + np.log(_STICKY * np.exp(log_weight - top).mean())
    return model if moves >= _LEAST_ACCEPTED * _TRIAL else None


def run_collapsed(design, model, n, chains, burn_in, thin, rng, progress):
    """`n` draws in all (rounded up to a multiple of `chains`): (MixedDraws, interrupted, share of accepted)."""
    per = -(-n // chains)
    rngs = streams(rng, chains)
    out = [model.outputs(per) for _ in rngs]
    done, moves, steps = [0] * chains, [0] * chains, [0] * chains

    def job(c):
        generator, left = rngs[c], burn_in
        point, level = model.candidates(_STARTS, generator)
        start = int(np.isfinite(level).argmax())
        point, level = point[start : start + 1], level[start : start + 1]
        while left or done[c] < per:
            count = min(model.chunk, left) if left else min(max(1, model.chunk // thin), per - done[c]) * thin
            points, levels = model.candidates(count, generator)
            points, levels = np.concatenate([point, points]), np.concatenate([level, levels])
            states, last, moved = model.walk(points, levels, generator)
            point, level = states[-1:], np.array([last])
            moves[c] += moved
            steps[c] += count
            if left:
                left -= count
            else:
                kept = np.ascontiguousarray(states[thin::thin])  # of one layout: compiled once
                first = done[c]
                model.draw(generator, kept, [part[first : first + len(kept)] for part in out[c]])
                done[c] += len(kept)
            yield count

    interrupted = run_chains(map(job, range(chains)), chains * (burn_in + per * thin), True, progress)
    length = kept_length(done, interrupted)
    return collect(design, model.reduced, out, length), interrupted, sum(moves) / max(sum(steps), 1)
