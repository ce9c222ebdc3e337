"""A GLM's posterior as a fitted model asks for it: draws, mode, evidence, refits with other rows or columns."""

import time
from dataclasses import dataclass

import numpy as np

from glmbayes.errors import InputError
from glmbayes.glm.posterior import GLMPosterior, build_glm_posterior

_SLOW = 2.0  # seconds of predicted drawing from which a progress bar shows by itself


@dataclass(frozen=True, eq=False)
class ExactGLM:
    """Exact iid draws of a GLM's coefficients.

    Attributes
    ----------
    core : GLMPosterior
    prior : dNormal
    family : Family
    dispersion : float
    sampler : str
        As asked for.
    progress : bool or None
        None shows a bar when drawing is predicted to take more than 2 s.
    setup_seconds : float
        Time that mode, bounds and envelope took.
    """

    core: GLMPosterior
    prior: object
    family: object
    dispersion: float
    sampler: str
    progress: bool | None
    setup_seconds: float

    @classmethod
    def build(cls, design, prior, family, dispersion, sampler, n, progress=None, weights=None):
        """Set up the posterior of a design whose y and weights are those of the family."""
        start = time.perf_counter()
        rows = design.X.shape[0]
        if weights is None:
            weights = np.ones(rows) if design.weights is None else design.weights
        coefficient = prior.coefficient_for(design.names, len(design.names))
        core = build_glm_posterior(
            design.y,
            design.X,
            np.zeros(rows) if design.offset is None else design.offset,
            weights,
            family,
            coefficient.mu,
            precision_of(coefficient),
            dispersion=dispersion,
            sampler=sampler,
            draws=n,
        )
        return cls(core, prior, family, dispersion, sampler, progress, time.perf_counter() - start)

    @property
    def coef_mode(self):
        """Posterior mode (p,)."""
        return self.core.mode

    def draw(self, n, rng):
        """`n` draws: coefficients (n, p), dispersion (n,), candidates (n,)."""
        progress = self.progress
        if progress is None:
            progress = n * self.core.estimates[0].nanoseconds > 1e9 * _SLOW
        draws = self.core.draw(n, rng, progress=progress)
        dispersion = np.empty(n)
        dispersion.fill(self.dispersion)
        return draws.coefficients, dispersion, draws.candidates

    def log_evidence(self, rng=0):
        """log p(y) and its standard error."""
        return self.core.log_evidence(rng)

    def reweighted(self, design, weights):
        """The same posterior with other observation weights."""
        return ExactGLM.build(
            design, self.prior, self.family, self.dispersion, self.sampler, 1000, self.progress, weights
        )

    def rebuilt(self, design, prior):
        """The posterior of another design under another prior."""
        return ExactGLM.build(design, prior, self.family, self.dispersion, self.sampler, 1000, self.progress)

    def report(self, fit):
        """Text: what was considered and chosen, and what the draws took."""
        observed = fit.draws.iters.mean()
        return (
            f"{self.core.report()}\n"
            f"set-up {1e3 * self.setup_seconds:.3g} ms; observed {observed:.3g} candidates a draw "
            f"over {fit.n_draws} draws"
        )


def precision_of(coefficient):
    """Prior precision (p, p); zero rows and columns for flat coefficients."""
    if coefficient.blocks is not None:
        raise InputError("this prior varies by block: use rglmb_blocks.")
    low = coefficient.low
    flat = np.isinf(np.diag(low))
    precision = np.zeros(low.shape)
    keep = np.nonzero(~flat)[0]
    if keep.size:
        inverse = np.linalg.inv(low[np.ix_(keep, keep)])
        precision[np.ix_(keep, keep)] = inverse.T @ inverse
    return precision
