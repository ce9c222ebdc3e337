"""The likelihood-subgradient grid: exact draws for a few coefficients (Nygren & Nygren 2006,
doi:10.1198/016214506000000357).

In coordinates z around the mode where the prior is N(0, I) and the posterior's curvature is diagonal, 1 + a_k, the
log-likelihood L (less its linear part at the mode) is concave, so that a tangent at each point of a product grid
bounds it.  On the cell around a grid point the envelope is a normal with unit variances, restricted to a box: a
product of one-dimensional integrals.  Cells meet where neighbouring tangents along the axis through the mode
intersect.  All masses are kept as logarithms, and no square of a gradient is ever formed.
"""

import math
from typing import NamedTuple

import numpy as np

from glmbayes.kernels.family_terms import bracket, score
from glmbayes.kernels.jit import jit
from glmbayes.kernels.tangent_envelope import ACCEPT_SLACK
from glmbayes.kernels.truncated import log_tilted_interval, tilted_draw

OK = 0
CAPPED = 2  # too many candidates in a row
BROKEN = 3  # a candidate above the envelope: must never happen

MAX_CELLS = 20_000
MAX_POINTS = 9
_TRIES = 100_000
_LOG_2PI = math.log(2.0 * math.pi)

# Tangent points right of the mode, in posterior standard deviations: the best ones for a quadratic log-likelihood
# when the prior is weak, by row for 3, 5, 7 and 9 points; and their candidates per draw, less 1.
_SPREAD = np.array(
    [
        [1.4142, 0.0, 0.0, 0.0],
        [0.8214, 1.8831, 0.0, 0.0],
        [0.5871, 1.2506, 2.1714, 0.0],
        [0.4588, 0.9521, 1.5374, 2.3782],
    ]
)


_EXCESS = np.array([0.1284, 0.0463, 0.0242, 0.0149])


class Likelihood(NamedTuple):
    """A log-likelihood around the mode in standardised coordinates."""

    y: np.ndarray  # (n,)
    eta: np.ndarray  # (n,) linear predictor at the mode, offset included
    score: np.ndarray  # (n,) its weighted score there
    weights: np.ndarray  # (n,) positive
    x: np.ndarray  # (n, p) design in the coordinates z
    gradient: np.ndarray  # (p,) of the log posterior at z = 0: what the mode search left
    curvature: np.ndarray  # (p,) a: diagonal of the information, the prior's 1 left out


class Grid(NamedTuple):
    """The envelope: `count[k]` tangents in dimension k, cells numbered with the last dimension running fastest."""

    count: np.ndarray  # (p,)
    at: np.ndarray  # (p, MAX_POINTS)
    cut: np.ndarray  # (p, MAX_POINTS + 1)
    slope: np.ndarray  # (cells, p) gradient of L at the cell's tangent point
    constant: np.ndarray  # (cells,) the tangent plane's value at z = 0
    mass: np.ndarray  # (cells,) cumulative, relative to the largest


@jit
def standardised_fall(fam, data, z):
    """L(z) = sum_i w_i bracket_i: the log-likelihood less its tangent plane at the mode; <= 0."""
    p = z.shape[0]
    total = 0.0
    for i in range(data.y.shape[0]):
        v = 0.0
        for k in range(p):
            v += data.x[i, k] * z[k]
        total += data.weights[i] * bracket(fam, data.eta[i], data.y[i], v)
    return total


@jit
def _tangent(fam, data, z, slope):
    """L(z), and its gradient into `slope` (p,)."""
    p = z.shape[0]
    total = 0.0
    for k in range(p):
        slope[k] = 0.0
    for i in range(data.y.shape[0]):
        v = 0.0
        for k in range(p):
            v += data.x[i, k] * z[k]
        w = data.weights[i]
        total += w * bracket(fam, data.eta[i], data.y[i], v)
        s = w * score(fam, data.eta[i] + v, data.y[i]) - data.score[i]
        for k in range(p):
            slope[k] += s * data.x[i, k]
    return total


@jit
def spread(m, a, j):
    """Distance from the mode, in posterior sds, of the j-th (0, 1, ...) of m tangents on one side.

    The curvature a of the likelihood against the prior's 1 draws them in as in Nygren & Nygren's rule for three.
    """
    shrink = 1.0 - math.exp(-1.20491 - 0.7321 * math.sqrt(0.5 + a)) / math.sqrt(2.0)
    return shrink * _SPREAD[m // 2 - 1, j]


@jit
def quadratic_candidates(m, a):
    """About how many candidates a dimension with m tangents costs, were the log-likelihood quadratic (curvature a)."""
    if m == 1:
        return math.sqrt(1.0 + a)
    return 1.0 + _EXCESS[m // 2 - 1] * (1.0 - (1.0 + a) ** -0.8)


@jit
def choose_counts(curvature, rows, draws, count):
    """Tangents per dimension with the least predicted cost, by greedy steps; returns (cells, candidates per draw).

    Costs in units of one likelihood term: a cell needs a pass over the rows and p integrals, a candidate a pass and
    p restricted normals.
    """
    p = curvature.shape[0]
    cells = 1
    expected = 1.0
    for k in range(p):
        count[k] = 1
        expected *= quadratic_candidates(1, curvature[k])
    per_cell = 2.0 * rows + 4.0 * p
    per_candidate = rows + 3.0 * p
    while True:
        best = -1
        best_cost = cells * per_cell + draws * expected * per_candidate
        for k in range(p):
            m = count[k]
            if m == MAX_POINTS or cells // m * (m + 2) > MAX_CELLS:
                continue
            gain = quadratic_candidates(m + 2, curvature[k]) / quadratic_candidates(m, curvature[k])
            new = cells // m * (m + 2) * per_cell + draws * expected * gain * per_candidate
            if new < best_cost:
                best_cost = new
                best = k
        if best < 0:
            return cells, expected
        m = count[best]
        cells = cells // m * (m + 2)
        expected *= quadratic_candidates(m + 2, curvature[best]) / quadratic_candidates(m, curvature[best])
        count[best] = m + 2


@jit
def _axis_fall(data, grid, k, j, cell):
    """Fall of the log posterior from the mode to tangent point j on axis k, whose cell is `cell`."""
    t = grid.at[k, j]
    return 0.5 * t * t - data.gradient[k] * t - grid.constant[cell] - grid.slope[cell, k] * t


@jit
def _fall_distance(fam, data, k, side):
    """How far along axis k the log posterior has fallen by about one: where a normal has at sqrt(2) sds."""
    z = np.zeros(data.curvature.shape[0])
    d = math.sqrt(2.0 / (1.0 + data.curvature[k]))
    inner = 0.0
    outer = np.inf
    for _ in range(100):
        z[k] = side * d
        f = standardised_fall(fam, data, z) + data.gradient[k] * z[k] - 0.5 * d * d
        if not f > -2.0:
            outer = d
        elif f > -0.5:
            inner = d
        else:
            break
        if outer == np.inf:
            d *= 2.0
        elif inner > 0.0:
            d = 0.5 * (inner + outer)
        else:
            d *= min(max(math.sqrt(-1.0 / f), 0.1), 0.6) if math.isfinite(f) else 0.1
    return d


@jit
def _fill_tangents(fam, data, grid, cells):
    """Gradient and constant of the tangent at every grid point."""
    p = grid.count.shape[0]
    z = np.empty(p)
    for j in range(cells):
        rest = j
        for k in range(p - 1, -1, -1):
            z[k] = grid.at[k, rest % grid.count[k]]
            rest //= grid.count[k]
        value = _tangent(fam, data, z, grid.slope[j])
        for k in range(p):
            value -= grid.slope[j, k] * z[k]
        grid.constant[j] = value


@jit
def place_points(fam, data, grid):
    """Tangents where a quadratic log-likelihood wants them; a side that falls otherwise is scaled, and all redone."""
    p = grid.count.shape[0]
    cells = 1
    middle = 0
    for k in range(p):
        m = grid.count[k]
        sd = 1.0 / math.sqrt(1.0 + data.curvature[k])
        grid.at[k, m // 2] = 0.0
        for j in range(m // 2):
            t = sd * spread(m, data.curvature[k], j)
            grid.at[k, m // 2 + j + 1] = t
            grid.at[k, m // 2 - j - 1] = -t
        cells *= m
        middle = middle * m + m // 2
    for attempt in range(2):
        _fill_tangents(fam, data, grid, cells)
        moved = False
        stride = 1
        for k in range(p - 1, -1, -1):
            m = grid.count[k]
            half = m // 2
            for side in (-1, 1):
                fits = True
                for j in range(1, half + 1):
                    want = 0.5 * grid.at[k, half + j] * grid.at[k, half + j] * (1.0 + data.curvature[k])
                    fall = _axis_fall(data, grid, k, half + side * j, middle + side * j * stride)
                    fits = fits and 0.4 * want <= fall <= 2.5 * want
                if attempt == 0 and not fits:
                    scale = _fall_distance(fam, data, k, side) * math.sqrt(0.5 * (1.0 + data.curvature[k]))
                    for j in range(1, half + 1):
                        grid.at[k, half + side * j] *= scale
                    moved = True
            stride *= m
        if not moved:
            return


@jit
def weigh_cells(gradient, grid):
    """Cuts between the cells and their masses; returns the log of the envelope's mass.

    The target is exp(L(z) + gradient'z - z'z / 2), whose value at the mode is 1.
    """
    p = grid.count.shape[0]
    cells = 1
    middle = 0
    for k in range(p):
        cells *= grid.count[k]
        middle = middle * grid.count[k] + grid.count[k] // 2
    stride = 1
    for k in range(p - 1, -1, -1):
        m = grid.count[k]
        grid.cut[k, 0] = -np.inf
        grid.cut[k, m] = np.inf
        for j in range(1, m):  # tangents of the cells on the axis line through the mode
            left = middle + stride * (j - 1 - m // 2)
            right = left + stride
            lo = grid.at[k, j - 1]
            hi = grid.at[k, j]
            cut = 0.5 * (lo + hi)
            bend = grid.slope[left, k] - grid.slope[right, k]
            if bend > 0.0:
                meet = (grid.constant[right] - grid.constant[left]) / bend
                if math.isfinite(meet):
                    cut = min(max(meet, lo), hi)
            grid.cut[k, j] = cut
        stride *= m
    best = -np.inf
    for j in range(cells):
        rest = j
        value = grid.constant[j]
        for k in range(p - 1, -1, -1):
            b = rest % grid.count[k]
            rest //= grid.count[k]
            value += log_tilted_interval(grid.slope[j, k] + gradient[k], grid.cut[k, b], grid.cut[k, b + 1])
        grid.mass[j] = value
        best = max(best, value)
    total = 0.0
    for j in range(cells):
        total += math.exp(grid.mass[j] - best)
        grid.mass[j] = total
    return best + math.log(total)


@jit
def grid_candidate(rng, data, grid, cells, z):
    """Draw z (p,) from the envelope; returns the tangent plane's value there, a bound on L(z)."""
    p = z.shape[0]
    u = rng.random() * grid.mass[cells - 1]
    lo = 0
    hi = cells - 1
    while lo < hi:
        mid = (lo + hi) // 2
        if grid.mass[mid] <= u:
            lo = mid + 1
        else:
            hi = mid
    cover = grid.constant[lo]
    rest = lo
    for k in range(p - 1, -1, -1):
        b = rest % grid.count[k]
        rest //= grid.count[k]
        z[k] = tilted_draw(rng, grid.slope[lo, k] + data.gradient[k], grid.cut[k, b], grid.cut[k, b + 1])
        cover += grid.slope[lo, k] * z[k]
    return cover


@jit
def grid_draws(rng, fam, data, grid, patience, out, iters):
    """Exact draws of z into `out` (m, p), candidates into `iters` (m,); returns (status, draws done, candidates).

    Stops early, with status OK, once more than 200 candidates were needed and they exceed `patience` a draw: the
    pilot that tells the caller to prefer another envelope.
    """
    cells = 1
    for k in range(grid.count.shape[0]):
        cells *= grid.count[k]
    total = 0
    for i in range(out.shape[0]):
        accepted = False
        for c in range(_TRIES):
            if total > 200 and total > patience * (i + 1):
                return OK, i, total
            total += 1
            cover = grid_candidate(rng, data, grid, cells, out[i])
            f = standardised_fall(fam, data, out[i])
            if f - cover > ACCEPT_SLACK:
                return BROKEN, i, total
            if rng.standard_exponential() >= cover - f:
                iters[i] = c + 1
                accepted = True
                break
        if not accepted:
            return CAPPED, i, total
    return OK, out.shape[0], total


@jit
def new_grid(count):
    """An empty envelope with room for the cells that `count` (p,) asks for."""
    p = count.shape[0]
    cells = 1
    for k in range(p):
        cells *= count[k]
    return Grid(
        count,
        np.empty((p, MAX_POINTS)),
        np.empty((p, MAX_POINTS + 1)),
        np.empty((cells, p)),
        np.empty(cells),
        np.empty(cells),
    )
