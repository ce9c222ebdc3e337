"""The tall sampler: an envelope made for random row checks inside a radius, the radial one beyond."""

import math
from dataclasses import dataclass

import numpy as np

from glmbayes.errors import SamplerError
from glmbayes.glm import envelope
from glmbayes.glm.radial import GUARD, RadialSampler, radial_heights, settle, worst_bounds
from glmbayes.kernels import radial_envelope as kernel
from glmbayes.kernels import tall


def row_bounds(shape):
    """The sums over rows of B^+, B^- and its growing part, divided by r^4."""
    h2 = np.square(shape.leverage) / 24.0
    return shape.up * h2, shape.down * h2, shape.growing * h2


def tall_heights(shape, total_up, knots, tau):
    """K(r) = r^2/2 - r^3 S3(tau)/6 - r^4 sum B^+ (less the gradient's part) and its slope."""
    s3 = np.maximum(shape.cubic.over(tau), 0.0)[:, None]
    r = knots[None, :]
    slope = shape.squeeze.slope
    K = 0.5 * r * r - s3 * r**3 / 6.0 - total_up * r**4 - slope * r
    return K, r - 0.5 * s3 * r * r - 4.0 * total_up * r**3 - slope


def convex_up_to(s3, total_up):
    """Where the worst cell's K stops being convex: the positive zero of 1 - r s3 - 12 total_up r^2."""
    if s3 <= 0.0 and total_up == 0.0:
        return math.inf
    return 2.0 / (s3 + math.sqrt(s3 * s3 + 48.0 * total_up))


@dataclass(frozen=True)
class TallSampler:
    """Exact draws of z at a cost that does not grow with the number of rows; see `glmbayes.kernels.tall`."""

    radial: RadialSampler
    table: kernel.Envelope
    checks: tall.Checks

    name = "tall"

    @classmethod
    def build(cls, radial):
        """The sampler, or None where the row bounds overflow or leave no room for an inner range."""
        shape, p = radial.shape, radial.white.size
        up, down, growing = row_bounds(shape)
        total_up, total_down, total_growing = float(up.sum()), float(down.sum()), float(growing.sum())
        tau = envelope.polar_cells(p, shape.cubic)
        worst = max(float(shape.cubic.over(tau).max()), 0.0)
        # beyond four standard deviations past the shell the radial envelope takes over at no loss
        edge = min(0.999 * convex_up_to(worst, total_up), math.sqrt(p) + 4.0, shape.squeeze.edge)
        if edge * shape.squeeze.root_h > 50.0 or edge < 0.5 * math.sqrt(p):
            return None
        knots = envelope.radial_knots(p, lambda points: worst_bounds(shape, points, tau))
        inner = np.append(knots[knots < edge], edge)
        outer = np.insert(knots[knots > edge], 0, edge)
        table = envelope.build_table(
            p,
            shape.cubic.axis,
            tau,
            [
                (0.0, edge, inner, *tall_heights(shape, total_up, inner, tau)),
                (edge, np.inf, outer, *radial_heights(shape, outer, tau)),
            ],
        )
        checks = tall.Checks(
            edge=edge,
            root_h=shape.squeeze.root_h,
            gradient=radial.white.gradient,
            up=up,
            down=down,
            growing=growing,
            total_up=total_up,
            total_down=total_down,
            total_growing=total_growing,
            **_alias("fixed", up + down),
            **_alias("growing", growing),
        )
        return cls(radial, table, checks)

    @property
    def white(self):
        return self.radial.white

    @property
    def shape(self):
        return self.radial.shape

    @property
    def log_mass(self):
        return self.table.log_mass

    def log_ratio(self, Z):
        """As `RadialSampler.log_ratio`."""
        return self.radial.log_ratio(Z)

    def mass_beyond(self):
        """Share of the candidates that need every row."""
        return envelope.mass_share(self.table, self.checks.edge)

    def expected_checks(self):
        """Rows looked at for each draw, about: at the typical radius."""
        p = self.white.size
        c = self.checks
        growth = math.exp(math.sqrt(p) * c.root_h)
        return (p * p + 2 * p) * (c.total_up + c.total_down + growth * c.total_growing)

    def streams(self, seed):
        """One generator for the candidates and one for the checks: neither depends on the batch size."""
        return tuple(np.random.Generator(np.random.PCG64(s)) for s in np.random.SeedSequence(seed).spawn(2))

    def candidates(self, streams, count):
        """`count` candidates in order: Z and whether each is accepted.  Returns Z, accepted, rows evaluated."""
        w = self.white
        Z = np.empty((count, w.size))
        need, log_u = np.empty(count), np.empty(count)
        verdict = np.empty(count, np.int8)
        undecided, _, worst = tall.propose_tall(
            *streams,
            self.table,
            self.shape.squeeze.third,
            w.kernel,
            w.design,
            w.y,
            w.weights,
            w.eta,
            self.checks,
            Z,
            need,
            log_u,
            verdict,
        )
        if worst > GUARD:
            raise SamplerError(
                f"internal error: a candidate's log acceptance is {worst:.3g}, above 0, so the draws would not be "
                "exact. Please report this with the data and the call; sampler='radial' may work meanwhile."
            )
        if undecided:
            settle(self.radial, Z, need, log_u, verdict)
        return Z, verdict == kernel.ACCEPT, undecided


def _alias(name, weights):
    """The alias table of row weights as keyword arguments; empty for weights that are all 0."""
    prob, other = np.empty(0), np.empty(0, np.int64)
    if np.any(weights):
        prob, other = np.empty(weights.size), np.empty(weights.size, np.int64)
        kernel.alias_table(weights, prob, other)
    return {f"{name}_prob": prob, f"{name}_other": other}
