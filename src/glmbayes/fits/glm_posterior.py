"""A GLM's posterior as a fitted model asks for it: draws, mode, evidence, refits with other rows or columns."""

import time
from dataclasses import dataclass

import numpy as np

from glmbayes.checks import EMPTY
from glmbayes.errors import InputError
from glmbayes.glm.build import normal_posterior, refuse_poor_grid
from glmbayes.random import generator

_SLOW = 2.0  # seconds of predicted drawing from which a progress bar shows by itself
_DRAWS = 1000  # expected of refits


def posterior_arrays(design, weights=None):
    """y, X, offset, weights (empty for none) of the rows with positive weight."""
    weights = design.weights if weights is None else weights
    y, X, offset = design.y, design.X, EMPTY if design.offset is None else design.offset
    if weights is None:
        return y, X, offset, EMPTY
    used = weights > 0.0
    if used.all():
        return y, X, offset, weights
    return y[used], np.ascontiguousarray(X[used]), offset[used] if offset.size else offset, weights[used]


@dataclass(frozen=True, eq=False)
class ExactGLM:
    """Draws of a GLM's coefficients, the dispersion known: exact and iid, unless the sampler is "mcmc".

    Attributes
    ----------
    core : a posterior of `glmbayes.glm.build`
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

    core: object
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
        coefficient = prior.coefficient_for(design.names, design.p)
        core = normal_posterior(posterior_arrays(design, weights), family, coefficient, dispersion, sampler, n)
        return cls(core, prior, family, dispersion, sampler, progress, time.perf_counter() - start)

    @property
    def exact(self):
        """Whether the draws are independent and exactly from the posterior."""
        return self.core.name != "mcmc"

    @property
    def chains(self):
        """Number of Markov chains that the draws are, one after the other; 1 for iid draws."""
        return 1 if self.exact else 4

    @property
    def coef_mode(self):
        """Posterior mode (p,)."""
        return self.core.coef_mode

    def draw(self, n, rng):
        """`n` draws: coefficients (n, p), dispersion (n,), candidates (n,)."""
        progress = self.progress
        if progress is None and hasattr(self.core, "posterior"):
            progress = n * self.core.posterior.estimates[0].nanoseconds > 1e9 * _SLOW
        drawn = self.core.draw(n, rng, bool(progress))
        if drawn is None:
            refuse_poor_grid()
        dispersion = np.empty(n)
        dispersion.fill(self.dispersion)
        return drawn[0], dispersion, drawn[1]

    def log_evidence(self, rng=0):
        """log p(y) and its standard error."""
        if not self.exact:
            raise InputError(
                "Markov chain draws (sampler='mcmc') give no marginal likelihood: use one of the exact samplers."
            )
        if np.isnan(self.core.coef_mode).any():
            self.core.draw(100, np.random.default_rng(0))  # settles which envelope is a reasonable one
        value, error = self.core.log_evidence(generator(rng))
        if np.isnan(value):
            raise InputError(
                "the evidence needs a proper prior (finite variances) and a family with a sampling distribution "
                "(not a quasi family)."
            )
        return value, error

    def reweighted(self, design, weights):
        """The same posterior with other observation weights."""
        return self._again(design, self.prior, weights)

    def rebuilt(self, design, prior):
        """The posterior of another design under another prior."""
        return self._again(design, prior, None)

    def _again(self, design, prior, weights):
        return ExactGLM.build(design, prior, self.family, self.dispersion, self.sampler, _DRAWS, self.progress, weights)

    def report(self, fit):
        """Text: what was considered and chosen, and what the draws of `fit` took."""
        if not self.exact:
            lines = ["sampler: independence Metropolis", worth(fit)]
        else:
            predicted = "" if np.isnan(self.core.predicted) else f" (predicted {self.core.predicted:.3g})"
            observed = fit.draws.iters.mean()
            lines = [
                f"sampler: {self.core.name}, exact and independent draws",
                f"candidates per draw: {observed:.3g}{predicted}, {fit.n_draws} draws",
            ]
        lines.append(f"set-up {1e3 * self.setup_seconds:.3g} ms")
        if hasattr(self.core, "posterior"):
            lines.append(self.core.posterior.report())
        return "\n".join(lines)


def worth(fit):
    """What the Markov chain draws of a fit are worth, in words."""
    return (
        f"{fit.n_chains} Markov chains, NOT independent draws: smallest effective sample size "
        f"{fit.effective_draws.min():.0f} of {fit.n_draws}, largest R-hat {fit.rhat.max():.3f}"
    )
