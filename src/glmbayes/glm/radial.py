"""The radial and axis sampler: envelope, squeeze, and the exact log density ratio for what they leave open."""

import math
from dataclasses import dataclass

import numpy as np

from glmbayes.errors import SamplerError
from glmbayes.glm import envelope, tensors
from glmbayes.glm.shape import Shape
from glmbayes.glm.whiten import Whitened
from glmbayes.kernels import family_terms, glm_rows, radial_bounds
from glmbayes.kernels import radial_envelope as kernel

_QUICK_UP_TO = 1e7
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
    """The table of pieces of the radial (one cell) or axis envelope."""
    tau = envelope.polar_cells(p, shape.cubic)
    knots = envelope.radial_knots(p, lambda points: worst_bounds(shape, points, tau))
    K, slope = radial_heights(shape, knots, tau)
    return envelope.build_table(p, shape.cubic.axis, tau, [(0.0, np.inf, knots, K, slope)])


def _summation(white, constants):
    """How to sum the rows: quickly where errors of 1e-16 times a weight (or a mean) stay below 1e-9 in all."""
    total = float(np.sum(white.weights * np.maximum(1.0, np.abs(constants))))
    if total > _QUICK_UP_TO or math.isnan(family_terms.quick_parts(white.kernel, 0.0, 0.0)[0]):
        return glm_rows.BY_ROW
    equal = bool(np.all(white.weights == white.weights[0]))
    return glm_rows.EQUAL_WEIGHTS if equal else glm_rows.QUICK


@dataclass(frozen=True)
class RadialSampler:
    """Exact draws of z under the radial or axis envelope; see `glmbayes.kernels.radial_envelope`."""

    white: Whitened
    shape: Shape
    table: kernel.Envelope
    squeeze: kernel.Squeeze
    constants: np.ndarray
    summation: int

    @classmethod
    def build(cls, white, shape):
        constants = np.empty(white.y.size)
        glm_rows.row_constants(white.kernel, white.eta, white.y, constants)
        table = build_envelope(shape, white.design.shape[1])
        squeeze = shape.squeeze
        if len(table.tau) == 2:  # the kernel does not know the angle then
            squeeze = squeeze._replace(alpha=0.0, gamma=0.0, rest=shape.cubic.whole)
        return cls(white, shape, table, squeeze, constants, _summation(white, constants))

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
    f = sampler.log_ratio(Z[left])
    excess = float(np.max(f - need[left] + log_u[left]))
    if not excess <= GUARD:
        raise SamplerError(
            f"internal error: a candidate's log acceptance is {excess:.3g}, above 0, so the draws would not be "
            "exact. Please report this with the data and the call; another sampler= may work meanwhile."
        )
    verdict[left] = np.where(f >= need[left], kernel.ACCEPT, kernel.REJECT)
