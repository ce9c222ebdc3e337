"""Exact draws under a spherically (or axially) symmetric bound on the whitened log posterior.

In whitened coordinates z the log density ratio f(z) = log pi(mode + W z) - log pi(mode) has value, gradient and
curvature 0, 0, -I at the origin.  Along every ray -f'' >= kappa(r), so f <= -K(r), K the double integral of kappa.
kappa may depend on the polar angle tau = b's of the direction s (the axis envelope), through one value for each cell
of a partition of [-1, 1]; the plain radial envelope is a single cell.

The radial density r^(p-1) exp(-K(r)) of a cell is log-concave; it is bounded in turn by its tangents at fixed knots,
and so is (1 - tau^2)^((p-3)/2) on a cell.  What a candidate is drawn from is therefore a table of pieces, each an
exponential in r times an exponential in tau, and one acceptance test corrects all of it.
"""

import math
from typing import NamedTuple

import numpy as np

from glmbayes.kernels.jit import jit

REJECT = 0
ACCEPT = 1
UNDECIDED = 2

_SQUEEZE_BLOCK = 32


class Envelope(NamedTuple):
    """The table of pieces; piece k belongs to cell k // per_cell.

    Attributes
    ----------
    axis : (p,) array
        Unit vector b; ignored when there is one cell.
    tau : (cells + 1,) array
        Cell boundaries; two entries, -1 and 1, for the radial envelope.
    tau_height, tau_slope, tau_middle : (cells,) arrays
        Bound on (p-3)/2 log(1 - tau^2): height + slope (tau - middle).
    knot, height, slope, left, width : (cells * per_cell,) arrays
        The tangent point in r, the tangent's height and slope there, the left end and the width of its piece.
    prob, other : (cells * per_cell,) arrays
        Alias table.
    log_mass : float
        log of the integral of the envelope over z.
    """

    axis: np.ndarray
    tau: np.ndarray
    tau_height: np.ndarray
    tau_slope: np.ndarray
    tau_middle: np.ndarray
    per_cell: int
    knot: np.ndarray
    height: np.ndarray
    slope: np.ndarray
    left: np.ndarray
    width: np.ndarray
    prob: np.ndarray
    other: np.ndarray
    log_mass: float


class Squeeze(NamedTuple):
    """What bounds f without the data: f = -r^2/2 + T(z, z, z)/6 + remainder (+ a gradient of norm `slope`).

    T(z, z, z) = r^3 (alpha tau + gamma tau^3 +- rest);
    remainder in r^4/24 * [-(down + growing e^(r root_h)), up] for r <= edge.
    f <= -K(r), convex, K and its slope in row k at the radii `knots` when T(z, z, z) <= r^3 cubics[k]; no rows if
    looking there costs more than the data.
    """

    third: np.ndarray
    alpha: float
    gamma: float
    rest: float
    up: float
    down: float
    growing: float
    root_h: float
    slope: float
    edge: float
    cubics: np.ndarray
    knots: np.ndarray
    K: np.ndarray
    K_slope: np.ndarray


@jit
def upper_value(squeeze, r, cubic):
    """An upper bound on f at radius r where T(z, z, z) = r^3 cubic: the curvature bound in the direction's own T."""
    cubics, knots = squeeze.cubics, squeeze.knots
    if cubics.shape[0] < 2 or not cubic < cubics[-1]:
        return np.inf
    k = 0
    if cubic > cubics[0]:
        k = int((cubic - cubics[0]) / (cubics[1] - cubics[0]) * (1.0 + 1e-12)) + 1
        k = min(k, cubics.shape[0] - 1)
    j = np.searchsorted(knots, r)
    below = max(j - 1, 0)
    above = min(j, knots.shape[0] - 1)
    low = squeeze.K[k, below] + squeeze.K_slope[k, below] * (r - knots[below])
    return -max(low, squeeze.K[k, above] + squeeze.K_slope[k, above] * (r - knots[above]))


@jit
def _log_exponential_mass(slope, width):
    """log of the integral of exp(slope t) over (0, width)."""
    x = slope * width
    if width == np.inf:
        return -math.log(-slope)
    if abs(x) < 1e-8:
        return math.log(width) + 0.5 * x
    if x > 0.0:
        return x + math.log(-math.expm1(-x) / slope)
    return math.log(math.expm1(x) / slope)


@jit
def tangent_pieces(K, K_slope, knots, p, lower, upper, height, slope, left, log_mass):
    """Tangents to (p - 1) log r - K(r) at knots in (lower, upper), where they meet, and each piece's log mass.

    All outputs are (cells, knots).  Returns False if the last tangent of a cell does not fall and upper is infinite.
    """
    cells, n_knots = K.shape
    for c in range(cells):
        for j in range(n_knots):
            height[c, j] = (p - 1.0) * math.log(knots[j]) - K[c, j]
            slope[c, j] = (p - 1.0) / knots[j] - K_slope[c, j]
        left[c, 0] = lower
        for j in range(1, n_knots):
            gap = slope[c, j - 1] - slope[c, j]
            step = knots[j] - knots[j - 1]
            x = 0.5 * step
            if gap > 0.0:
                x = (height[c, j] - height[c, j - 1] - slope[c, j] * step) / gap
            left[c, j] = knots[j - 1] + min(max(x, 0.0), step)
        if upper == np.inf and not slope[c, n_knots - 1] < 0.0:
            return False
        for j in range(n_knots):
            right = left[c, j + 1] if j + 1 < n_knots else upper
            width = right - left[c, j]
            log_mass[c, j] = -np.inf
            if width > 0.0:
                start = height[c, j] + slope[c, j] * (left[c, j] - knots[j])
                log_mass[c, j] = start + _log_exponential_mass(slope[c, j], width)
    return True


@jit
def tau_pieces(tau, p, height, slope, middle, log_mass):
    """Tangent bounds on (p - 3)/2 log(1 - tau^2) over the cells, and the log mass of each."""
    power = 0.5 * (p - 3.0)
    for c in range(tau.shape[0] - 1):
        m = 0.5 * (tau[c] + tau[c + 1])
        middle[c] = m
        height[c] = power * math.log1p(-m * m)
        slope[c] = -2.0 * power * m / (1.0 - m * m)
        start = height[c] + slope[c] * (tau[c] - m)
        log_mass[c] = start + _log_exponential_mass(slope[c], tau[c + 1] - tau[c])


@jit
def alias_table(weights, prob, other):
    """Walker's alias table for non-negative weights: prob and other are filled; returns the weights' sum."""
    n = weights.shape[0]
    total = 0.0
    for i in range(n):
        total += weights[i]
    small = np.empty(n, np.int64)
    large = np.empty(n, np.int64)
    n_small = 0
    n_large = 0
    for i in range(n):
        prob[i] = weights[i] * n / total
        other[i] = i
        if prob[i] < 1.0:
            small[n_small] = i
            n_small += 1
        else:
            large[n_large] = i
            n_large += 1
    while n_small > 0 and n_large > 0:
        n_small -= 1
        s = small[n_small]
        b = large[n_large - 1]
        other[s] = b
        prob[b] -= 1.0 - prob[s]
        if prob[b] < 1.0:
            n_large -= 1
            small[n_small] = b
            n_small += 1
    heaviest = 0
    for i in range(n):
        if weights[i] > weights[heaviest]:
            heaviest = i
    for k in range(n_small):  # left over by rounding
        if weights[small[k]] == 0.0:
            other[small[k]] = heaviest
        else:
            prob[small[k]] = 1.0
    for k in range(n_large):
        prob[large[k]] = 1.0
    return total


@jit
def draw_exponential(slope, width, u):
    """The t in (0, width) at which exp(slope t) has the fraction u of its mass; width may be infinite."""
    x = slope * width
    if abs(x) < 1e-8:
        return u * width
    if x > 0.0:  # from the right end, where the mass is
        return width + math.log1p((1.0 - u) * math.expm1(-x)) / slope
    if x < -700.0:
        return math.log1p(-u) / slope
    return min(math.log1p(u * math.expm1(x)) / slope, width)


@jit
def draw_candidate(rng, env, z):
    """One candidate into z.  Returns (radius, tau, log of (envelope / r^(p-1) (1-tau^2)^..) at the candidate)."""
    p = z.shape[0]
    cells = env.tau.shape[0] - 1
    u = rng.random() * env.prob.shape[0]
    k = min(int(u), env.prob.shape[0] - 1)
    if u - k >= env.prob[k]:
        k = env.other[k]
    r = env.left[k] + draw_exponential(env.slope[k], env.width[k], rng.random())
    bound = env.height[k] + env.slope[k] * (r - env.knot[k])
    if p > 1:
        bound -= (p - 1.0) * math.log(r)
    norm = 0.0
    if cells == 1:
        for i in range(p):
            z[i] = rng.standard_normal()
            norm += z[i] * z[i]
        scale = r / math.sqrt(norm)
        for i in range(p):
            z[i] *= scale
        return r, 0.0, bound
    c = k // env.per_cell
    t = draw_exponential(env.tau_slope[c], env.tau[c + 1] - env.tau[c], rng.random())
    tau = min(env.tau[c] + t, env.tau[c + 1])
    if p > 3:
        bound += env.tau_height[c] + env.tau_slope[c] * (tau - env.tau_middle[c])
        bound -= 0.5 * (p - 3.0) * math.log1p(-tau * tau)
    along = 0.0
    for i in range(p):
        z[i] = rng.standard_normal()
        along += z[i] * env.axis[i]
    for i in range(p):
        z[i] -= along * env.axis[i]
        norm += z[i] * z[i]
    scale = r * math.sqrt(max((1.0 - tau) * (1.0 + tau), 0.0) / norm)
    for i in range(p):
        z[i] = scale * z[i] + r * tau * env.axis[i]
    return r, tau, bound


@jit
def third_form(T, Z, rows, pairs, out):
    """out[c] = T(z, z, z) for the rows of Z numbered by `rows`, T stored as in `add_third_tensor`."""
    p = Z.shape[1]
    m = rows.shape[0]
    for lo in range(0, m, _SQUEEZE_BLOCK):
        k = min(_SQUEEZE_BLOCK, m - lo)
        for i in range(k):
            row = rows[lo + i]
            c = 0
            for a in range(p):
                pairs[i, c] = Z[row, a] * Z[row, a]
                c += 1
                s = 2.0 * Z[row, a]
                for b in range(a + 1, p):
                    pairs[i, c] = s * Z[row, b]
                    c += 1
        Y = np.dot(pairs[:k], T)
        for i in range(k):
            row = rows[lo + i]
            s = 0.0
            for a in range(p):
                s += Y[i, a] * Z[row, a]
            out[lo + i] = s


@jit
def propose(rng, env, squeeze, Z, need, log_u, verdict):
    """Fill Z with candidates and decide as many as the squeeze can.

    A candidate is accepted when f(z) >= need; need - log_u is the log of the envelope, log_u <= 0 the uniform's log.
    Returns the number of undecided ones.
    """
    m, p = Z.shape
    radius = np.empty(m)
    rows = np.empty(m, np.int64)
    n_open = 0
    for c in range(m):
        r, tau, bound = draw_candidate(rng, env, Z[c])
        log_u[c] = -rng.standard_exponential()
        need[c] = log_u[c] + bound
        radius[c] = r
        r3 = r * r * r / 6.0
        r4 = r * r * r * r / 24.0
        centre = -0.5 * r * r
        gradient = squeeze.slope * r
        low = squeeze.down
        if squeeze.growing > 0.0:
            low += squeeze.growing * math.exp(min(r * squeeze.root_h, 700.0))
        axial = (squeeze.alpha + squeeze.gamma * tau * tau) * tau
        verdict[c] = UNDECIDED
        if r > squeeze.edge:
            if squeeze.cubics.shape[0]:
                rows[n_open] = c
                n_open += 1
            continue
        if centre + r3 * (axial - squeeze.rest) - r4 * low - gradient >= need[c]:
            verdict[c] = ACCEPT
        elif centre + r3 * (axial + squeeze.rest) + r4 * squeeze.up + gradient < need[c]:
            verdict[c] = REJECT
        elif squeeze.cubics.shape[0] or r4 * min(low, squeeze.up) < 5.0:
            rows[n_open] = c
            n_open += 1
    pairs = np.empty((_SQUEEZE_BLOCK, p * (p + 1) // 2))
    third = np.empty(n_open)
    third_form(squeeze.third, Z, rows[:n_open], pairs, third)
    for i in range(n_open):
        c = rows[i]
        r = radius[c]
        if upper_value(squeeze, r, third[i] / (r * r * r)) < need[c]:
            verdict[c] = REJECT
            continue
        if r > squeeze.edge:
            continue
        r4 = r * r * r * r / 24.0
        centre = -0.5 * r * r + third[i] / 6.0
        gradient = squeeze.slope * r
        low = squeeze.down
        if squeeze.growing > 0.0:
            low += squeeze.growing * math.exp(min(r * squeeze.root_h, 700.0))
        if centre - r4 * low - gradient >= need[c]:
            verdict[c] = ACCEPT
        elif centre + r4 * squeeze.up + gradient < need[c]:
            verdict[c] = REJECT
    undecided = 0
    for c in range(m):
        if verdict[c] == UNDECIDED:
            undecided += 1
    return undecided
