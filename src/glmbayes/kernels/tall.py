"""Draws whose cost does not depend on the number of rows: random checks instead of a pass over the data.

f = -r^2/2 + T(z, z, z)/6 + sum rho_i with -B_i^- <= rho_i <= B_i^+ and B_i^+- proportional to r^4 (or to
r^4 e^(r root_h)).
A candidate is accepted with probability exp(f - bound) as a product: exp(-r^2/2 + T/6 + sum B_i^+ - bound), and then
no failure in a Poisson number, of mean sum (B_i^+ + B_i^-), of checks of a random row, which fails with probability
(B_i^+ - rho_i) / (B_i^+ + B_i^-).  See methods, tall data.
"""

import math
from typing import NamedTuple

import numpy as np

from glmbayes.kernels import family_terms as terms
from glmbayes.kernels.jit import jit
from glmbayes.kernels.radial_envelope import ACCEPT, REJECT, UNDECIDED, draw_candidate, third_form


class Checks(NamedTuple):
    """Row bounds: B_i^+ = r^4 up_i, B_i^- = r^4 (down_i + growing_i e^(r root_h)), and their alias tables.

    Attributes
    ----------
    edge : float
        Radius up to which the envelope was built for these checks; candidates beyond are left undecided.
    root_h : float
    gradient : (p,) array
        Whitened gradient left at the mode.
    up, down, growing : (n,) arrays
    total_up, total_down, total_growing : float
    fixed_prob, fixed_other : (n,) arrays
        Alias table of up + down; empty when those are 0.
    growing_prob, growing_other : (n,) arrays
        Alias table of growing; empty when 0.
    """

    edge: float
    root_h: float
    gradient: np.ndarray
    up: np.ndarray
    down: np.ndarray
    growing: np.ndarray
    total_up: float
    total_down: float
    total_growing: float
    fixed_prob: np.ndarray
    fixed_other: np.ndarray
    growing_prob: np.ndarray
    growing_other: np.ndarray


@jit
def pick(rng, prob, other):
    """A row from an alias table."""
    u = rng.random() * prob.shape[0]
    k = min(int(u), prob.shape[0] - 1)
    return k if u - k < prob[k] else other[k]


@jit
def survives(rng, fam, Xt, y, weights, eta, checks, z, r):
    """Run the random checks; returns (survived, rows looked at)."""
    r4 = r * r * r * r
    growth = math.exp(r * checks.root_h) if checks.total_growing > 0.0 else 0.0
    fixed = r4 * (checks.total_up + checks.total_down)
    mean = fixed + r4 * growth * checks.total_growing
    looked = 0
    clock = rng.standard_exponential()
    while clock < mean:
        looked += 1
        if rng.random() * mean < fixed:
            i = pick(rng, checks.fixed_prob, checks.fixed_other)
        else:
            i = pick(rng, checks.growing_prob, checks.growing_other)
        v = 0.0
        for j in range(z.shape[0]):
            v += Xt[i, j] * z[j]
        rho = weights[i] * terms.remainder(fam, eta[i], y[i], v)
        above = r4 * checks.up[i]
        below = r4 * (checks.down[i] + growth * checks.growing[i])
        if rng.random() * (above + below) < above - rho:
            return False, looked
        clock += rng.standard_exponential()
    return True, looked


@jit
def propose_tall(rng, check_rng, env, third, fam, Xt, y, weights, eta, checks, Z, need, log_u, verdict):
    """Fill Z with candidates and decide those within `checks.edge`; the others stay undecided.

    Returns the number of undecided candidates, of rows looked at, and the largest log acceptance of the first stage,
    which is above 0 only if the envelope is wrong.
    """
    m, p = Z.shape
    radius = np.empty(m)
    rows = np.empty(m, np.int64)
    n_open = 0
    undecided = 0
    for c in range(m):
        r, _, bound = draw_candidate(rng, env, Z[c])
        log_u[c] = -rng.standard_exponential()
        need[c] = log_u[c] + bound
        radius[c] = r
        verdict[c] = UNDECIDED
        if r <= checks.edge:
            rows[n_open] = c
            n_open += 1
        else:
            undecided += 1
    pairs = np.empty((32, p * (p + 1) // 2))
    cubes = np.empty(n_open)
    third_form(third, Z, rows[:n_open], pairs, cubes)
    looked = 0
    worst = -np.inf
    for i in range(n_open):
        c = rows[i]
        r = radius[c]
        f = -0.5 * r * r + cubes[i] / 6.0 + r * r * r * r * checks.total_up
        for j in range(p):
            f += checks.gradient[j] * Z[c, j]
        worst = max(worst, f - need[c] + log_u[c])
        verdict[c] = REJECT
        if f >= need[c]:
            good, count = survives(check_rng, fam, Xt, y, weights, eta, checks, Z[c], r)
            looked += count
            if good:
                verdict[c] = ACCEPT
    return undecided, looked, worst
