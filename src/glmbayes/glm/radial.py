"""The radial and axis sampler: envelope, squeeze, and the exact log density ratio for what they leave open."""

import math
from dataclasses import dataclass

import numpy as np

from glmbayes.errors import SamplerError
from glmbayes.glm import costs, envelope, tensors
from glmbayes.glm.shape import Shape
from glmbayes.glm.whiten import Whitened
from glmbayes.kernels import family_terms, glm_rows, radial_bounds, single_rows
from glmbayes.kernels import radial_envelope as kernel

_QUICK_UP_TO = 1e7
_SINGLE_UP_TO = 10_000_000  # entries of the design
_ERRORS_AT = np.array([0.7, 1.0, 1.3, 1.6, 2.0, 3.0])  # radii, in units of the shell, that get an error bound
_UPPER_ROWS = 128
_UPPER_SAVES = 50.0  # ns a candidate from which the table is worth its making
_UPPER_FROM = 0.05  # p^2 times the fourth-order bound: below, the plain squeeze decides most candidates
GUARD = 1e-8  # log acceptance beyond which the bound itself must be wrong


def curvature_bounds(shape: Shape, knots, cubic):
    """The kernel's `Curvature` at these knots, one entry of `cubic` for each polar cell."""
    box = np.zeros(len(knots))
    if shape.box.size:
        at = np.searchsorted(shape.box_radii, knots)
        known = at < shape.box.size
        box[known] = shape.box[at[known]]
    return radial_bounds.Curvature(
        Q=shape.Q,
        slope=shape.squeeze.slope,
        rate=shape.rate,
        cubic=cubic,
        quartic=shape.quartic.up_to(knots),
        box=box,
    )


def worst_bounds(shape, knots, tau):
    """`Curvature` of a single cell that is below every cell's."""
    return curvature_bounds(shape, knots, np.array([shape.cubic.over(tau).max()]))


def radial_heights(shape, knots, tau):
    """K and its slope, (cells, knots), for the cells of `tau`."""
    bounds = curvature_bounds(shape, knots, shape.cubic.over(tau))
    K, slope = np.empty((len(tau) - 1, len(knots))), np.empty((len(tau) - 1, len(knots)))
    radial_bounds.bound_heights(bounds, knots, K, slope)
    return K, slope


def build_envelope(shape: Shape, p):
    """The table of pieces of the radial (one cell) or axis envelope, and the knots of the radius."""
    tau = envelope.polar_cells(p, shape.cubic)
    knots = envelope.radial_knots(p, lambda points: worst_bounds(shape, points, tau))
    K, slope = radial_heights(shape, knots, tau)
    return envelope.build_table(p, shape.cubic.axis, tau, [(0.0, np.inf, knots, K, slope)]), knots


def upper_table(shape, knots):
    """What the squeeze needs for bounds in a candidate's own third-order form."""
    top = shape.cubic.whole
    cubics = np.linspace(-top, top, _UPPER_ROWS)
    bounds = curvature_bounds(shape, knots, cubics)
    K, slope = np.empty((cubics.size, len(knots))), np.empty((cubics.size, len(knots)))
    radial_bounds.bound_heights(bounds, knots, K, slope)
    return {"cubics": cubics, "knots": knots, "K": K, "K_slope": slope}


def _upper_table_pays(shape, n, p):
    if not (math.isfinite(shape.quartic.values[-1]) and 0.0 < shape.cubic.whole < math.inf):
        return False
    saved = costs.evaluation(n, p, single=True) - costs.cubic(p)
    return saved > _UPPER_SAVES and shape.quartic.values[0] * p * p > _UPPER_FROM


def _summation(white, constants):
    """How to sum the rows: quickly where errors of 1e-16 times a weight (or a mean) stay below 1e-9 in all."""
    total = float(np.sum(white.weights * np.maximum(1.0, np.abs(constants))))
    if total > _QUICK_UP_TO or math.isnan(family_terms.quick_parts(white.kernel, 0.0, 0.0)[0]):
        return glm_rows.BY_ROW
    equal = bool(np.all(white.weights == white.weights[0]))
    return glm_rows.EQUAL_WEIGHTS if equal else glm_rows.QUICK


@dataclass(frozen=True)
class SingleRows:
    """The data in single precision; see `glmbayes.kernels.single_rows`."""

    design: np.ndarray
    constants: np.ndarray
    radii: np.ndarray
    errors: np.ndarray

    @classmethod
    def build(cls, white, shape, constants, summation):
        """None for a family without such terms, or unequal weights."""
        n, p = white.design.shape
        one = np.float32(1.0)
        if summation != glm_rows.EQUAL_WEIGHTS or n * p > _SINGLE_UP_TO:
            return None
        if math.isnan(family_terms.single_parts(white.kernel, one, one)[0]):
            return None
        radii = np.minimum(math.sqrt(p) * _ERRORS_AT, single_rows.FARTHEST / max(shape.squeeze.root_h, 1e-300))
        errors = np.full(len(radii) + 1, np.inf)
        single_rows.error_bounds(p, white.weights, constants, shape.leverage, radii, errors[:-1])
        return cls(*single_rows.single_rows(white.design, constants), radii, errors)


@dataclass(frozen=True)
class RadialSampler:
    """Exact draws of z under the radial or axis envelope; see `glmbayes.kernels.radial_envelope`."""

    white: Whitened
    shape: Shape
    table: kernel.Envelope
    squeeze: kernel.Squeeze
    constants: np.ndarray
    summation: int
    single: SingleRows | None

    @classmethod
    def build(cls, white, shape):
        constants = np.empty(white.y.size)
        glm_rows.row_constants(white.kernel, white.eta, white.y, constants)
        n, p = white.design.shape
        table, knots = build_envelope(shape, p)
        squeeze = shape.squeeze
        if _upper_table_pays(shape, n, p):
            squeeze = squeeze._replace(**upper_table(shape, knots))
        if len(table.tau) == 2:  # the kernel does not know the angle then
            squeeze = squeeze._replace(alpha=0.0, gamma=0.0, rest=shape.cubic.whole)
        summation = _summation(white, constants)
        single = SingleRows.build(white, shape, constants, summation)
        return cls(white, shape, table, squeeze, constants, summation, single)

    @property
    def name(self):
        return "radial" if len(self.table.tau) == 2 else "axis"

    @property
    def log_mass(self):
        """log of the envelope's integral over z, its value at the mode being 1."""
        return self.table.log_mass

    def log_ratio(self, Z):
        """f(z) = log pi(mode + W z) - log pi(mode) for the rows of Z, from the data."""
        w = self.white
        out = Z @ w.gradient - 0.5 * np.einsum("ij,ij->i", Z @ w.prior, Z)
        n, p = w.design.shape
        for rows in tensors.slices(n, len(Z) * (p + 40)):
            glm_rows.add_log_ratio(
                w.kernel,
                w.design[rows],
                w.y[rows],
                w.weights[rows],
                w.eta[rows],
                self.constants[rows],
                self.summation,
                Z,
                out,
            )
        return out

    def log_ratio_bounds(self, Z):
        """Lower and upper bounds on `log_ratio`, a few hundredths apart or infinite, from single precision."""
        w, single = self.white, self.single
        out = Z @ w.gradient - 0.5 * np.einsum("ij,ij->i", Z @ w.prior, Z)
        Z32 = Z.astype(np.float32)
        for rows in tensors.slices(len(single.design), len(Z) * (len(Z32.T) + 40)):
            single_rows.add_single_log_ratio(
                w.kernel, single.design[rows], single.constants[rows], w.weights[0], Z32, out
            )
        radius = np.sqrt(np.einsum("ij,ij->i", Z, Z))
        error = single.errors[np.searchsorted(single.radii, radius)]
        return out - error, out + error

    def streams(self, seed):
        """The generators that one chunk of draws uses."""
        return (np.random.Generator(np.random.PCG64(seed)),)

    def pilot(self, count):
        """How many of `count` candidates the squeeze leaves undecided."""
        Z = np.empty((count, self.white.size))
        need, log_u, verdict = np.empty(count), np.empty(count), np.empty(count, np.int8)
        return kernel.propose(self.streams(0)[0], self.table, self.squeeze, Z, need, log_u, verdict)

    def candidates(self, streams, count):
        """`count` candidates in order: Z and whether each is accepted.  Returns Z, accepted, rows evaluated."""
        Z = np.empty((count, self.white.size))
        need, log_u = np.empty(count), np.empty(count)
        verdict = np.empty(count, np.int8)
        undecided = kernel.propose(streams[0], self.table, self.squeeze, Z, need, log_u, verdict)
        if undecided:
            settle(self, Z, need, log_u, verdict)
        return Z, verdict == kernel.ACCEPT, undecided


def settle(sampler, Z, need, log_u, verdict):
    """Decide the undecided candidates from the data; stop if one lies above the envelope."""
    left = np.flatnonzero(verdict == kernel.UNDECIDED)
    if sampler.single is not None:
        low, high = sampler.log_ratio_bounds(Z[left])
        below = high <= need[left] - log_u[left]  # the envelope
        verdict[left[below & (low >= need[left])]] = kernel.ACCEPT
        verdict[left[high < need[left]]] = kernel.REJECT
        left = np.flatnonzero(verdict == kernel.UNDECIDED)
        if not left.size:
            return
    f = sampler.log_ratio(Z[left])
    excess = float(np.max(f - need[left] + log_u[left]))
    if not excess <= GUARD:
        raise SamplerError(
            f"internal error: a candidate's log acceptance is {excess:.3g}, above 0, so the draws would not be "
            "exact. Please report this with the data and the call; another sampler= may work meanwhile."
        )
    verdict[left] = np.where(f >= need[left], kernel.ACCEPT, kernel.REJECT)
