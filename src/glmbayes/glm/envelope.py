"""From curvature bounds to a table of pieces: polar cells, radial knots, masses."""

import math
from dataclasses import dataclass

import numpy as np

from glmbayes.errors import ImproperPosteriorError
from glmbayes.kernels import radial_envelope as radial
from glmbayes.kernels.radial_bounds import bound_heights

_CUT = 0.4  # tangent spacing in standard deviations of the radial density: costs under one percent of acceptance
_MAX_KNOTS = 4000


@dataclass(frozen=True)
class Cubic:
    """T(z, z, z) = r^3 (alpha tau + gamma tau^3 +- rest) along `axis`; `whole` bounds it without the axis."""

    axis: np.ndarray
    alpha: float
    gamma: float
    rest: float
    whole: float

    def over(self, tau):
        """Largest value on each cell of the partition `tau`."""
        form = lambda t: (self.alpha + self.gamma * t * t) * t  # noqa: E731
        top = np.maximum(form(tau[:-1]), form(tau[1:]))
        if self.gamma != 0.0 and self.alpha / self.gamma < 0.0:
            turn = math.sqrt(-self.alpha / (3.0 * self.gamma))
            for t in (-turn, turn):
                inside = (tau[:-1] < t) & (t < tau[1:])
                top = np.where(inside, np.maximum(top, form(t)), top)
        return np.minimum(top + self.rest, self.whole)


@dataclass(frozen=True)
class Quartic:
    """c sum omega v^4 <= values[k] over unit vectors within radii[k], the last of which is infinite.

    The constants c of the rows, and with them the values, grow with the radius; infinite for a family without a
    cubic-quartic bound.
    """

    radii: np.ndarray
    values: np.ndarray

    def up_to(self, radii):
        """The bound within each of these radii."""
        return self.values[np.searchsorted(self.radii, radii)]


def polar_cells(p, cubic):
    """Cell boundaries fine enough that a cell's bound costs about one percent, or one cell if an axis gains nothing."""
    swing = (abs(cubic.alpha) + abs(cubic.gamma)) * p**1.5 / 6.0
    if p < 3 or swing * 2.0 / math.sqrt(p) < 0.02:
        return np.array([-1.0, 1.0])
    reach = min(1.0, 5.5 / math.sqrt(p))
    cells = int(min(max(2.0 * reach * swing / 0.02, 24), 300))
    tau = np.linspace(-reach, reach, cells + 1)
    if reach < 1.0:
        tau = np.concatenate([[-1.0, -0.5 * (1.0 + reach)], tau, [0.5 * (1.0 + reach), 1.0]])
    return tau


def radial_knots(p, curvature_at):
    """Tangent points: spaced by the density's own scale, far enough out that the worst cell has fallen by e^-12.

    Parameters
    ----------
    curvature_at : callable
        knots -> Curvature with the worst cell only.
    """
    centre = math.sqrt(max(p - 1.0, 0.25))
    r = centre * math.exp(-(1.0 + 4.0 / p)) if p > 1 else 0.05
    floor = 0.05 / centre
    near = centre + 4.0
    knots = [r]
    stretch = 1.0
    while True:
        target = max(near, 1.3 * knots[-1])
        while knots[-1] < target:
            r = knots[-1]
            if r > near:
                stretch = min(stretch * 1.15, 0.25 * r)
            knots.append(r + stretch * _CUT / math.sqrt((p - 1.0) / (r * r) + 1.0))
        points = np.array(knots)
        bounds = curvature_at(points)
        K, slope = np.empty((1, points.size)), np.empty((1, points.size))
        bound_heights(bounds, points, K, slope)
        h = (p - 1.0) * np.log(points) - K[0]
        falling = (p - 1.0) / points[-1] - slope[0, -1] < -floor * 1e-3
        if falling and h[-1] < h.max() - 12.0:
            return points
        if len(knots) > _MAX_KNOTS or points[-1] > 1e12:
            raise ImproperPosteriorError(
                "the posterior is improper, or nearly so: in some direction it hardly falls off. Give every "
                "coefficient a prior with finite variance, or a narrower one."
            )


def log_sphere(d):
    """log of the surface area of the unit sphere in d dimensions."""
    return math.log(2.0) + 0.5 * d * math.log(math.pi) - math.lgamma(0.5 * d)


def build_table(p, axis, tau, segments):
    """Assemble the pieces of one or more radial ranges into a table.

    Parameters
    ----------
    segments : list of (lower, upper, knots, K, K_slope)
        Ranges that partition (0, inf), with K and its derivative at the knots inside, (cells, knots) each.
    """
    cells = len(tau) - 1
    parts = []
    for lower, upper, knots, K, K_slope in segments:
        height, slope, left, mass = (np.empty(K.shape) for _ in range(4))
        if not radial.tangent_pieces(K, K_slope, knots, p, lower, upper, height, slope, left, mass):
            raise ImproperPosteriorError("the envelope does not fall off: give the coefficients a narrower prior.")
        right = np.concatenate([left[:, 1:], np.full((cells, 1), upper)], axis=1)
        parts.append((np.tile(knots, (cells, 1)), height, slope, left, right, mass))
    knots, height, slope, left, right, mass = (np.concatenate(columns, axis=1) for columns in zip(*parts))
    tau_height, tau_slope, tau_middle, tau_mass = (np.zeros(cells) for _ in range(4))
    if cells > 1:
        radial.tau_pieces(tau, p, tau_height, tau_slope, tau_middle, tau_mass)
        mass = mass + tau_mass[:, None]
    top = mass.max()
    weights = np.exp(mass - top).ravel()
    prob, other = np.empty(weights.size), np.empty(weights.size, np.int64)
    total = radial.alias_table(weights, prob, other)
    return radial.Envelope(
        axis=axis,
        tau=tau,
        tau_height=tau_height,
        tau_slope=tau_slope,
        tau_middle=tau_middle,
        per_cell=knots.shape[1],
        knot=knots.ravel(),
        height=height.ravel(),
        slope=slope.ravel(),
        left=left.ravel(),
        width=(right - left).ravel(),
        prob=prob,
        other=other,
        log_mass=top + math.log(total) + log_sphere(p if cells == 1 else p - 1),
    )


def mass_share(table, radius):
    """Share of an envelope's mass in pieces that begin at or beyond a radius."""
    prob, other = table.prob, table.other
    weights = prob.copy()
    np.add.at(weights, other, 1.0 - prob)
    return float(weights[table.left >= radius].sum() / weights.sum())
