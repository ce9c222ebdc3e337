"""The joint posterior of a Gamma regression and its dispersion, as a fitted model asks for it."""

import time
from dataclasses import dataclass

from glmbayes.errors import InputError
from glmbayes.fits.glm_posterior import posterior_arrays, worth
from glmbayes.glm.gamma_gibbs import CHAINS, WARM_UP, GammaGibbs
from glmbayes.random import generator


@dataclass(frozen=True, eq=False)
class GibbsGLM:
    """Markov chain draws of coefficients and dispersion; same questions as `ExactGLM`.

    Attributes
    ----------
    core : GammaGibbs
    prior : dIndependent_Normal_Gamma
    family : Family
    sampler : str
        Of the coefficients given the dispersion, as asked for.
    progress : bool or None
    setup_seconds : float
    """

    core: GammaGibbs
    prior: object
    family: object
    sampler: str
    progress: bool | None
    setup_seconds: float

    exact = False
    chains = CHAINS

    @classmethod
    def build(cls, design, prior, family, sampler, progress=None, weights=None):
        """Set up the posterior of a design whose y and weights are those of the family."""
        if sampler == "mcmc":
            raise InputError(
                "sampler='mcmc' is for a known dispersion: with dIndependent_Normal_Gamma the coefficients are drawn "
                "exactly given the dispersion; use sampler='auto'."
            )
        start = time.perf_counter()
        coefficient = prior.coefficient_for(design.names, design.p)
        core = GammaGibbs(posterior_arrays(design, weights), family, coefficient, prior, sampler)
        return cls(core, prior, family, sampler, progress, time.perf_counter() - start)

    @property
    def coef_mode(self):
        """Coefficients (p,) at the joint mode."""
        return self.core.coef_mode

    def draw(self, n, rng):
        """`n` draws, chain after chain: coefficients (n, p), dispersion (n,), candidates (n,)."""
        return self.core.draw(n, rng, self.progress)

    def log_evidence(self, rng=0):
        """log p(y) and its standard error."""
        if self.core.coefficient.flat:
            raise InputError("the evidence needs a proper prior (finite variances).")
        return self.core.log_evidence(generator(rng))

    def reweighted(self, design, weights):
        """The same posterior with other observation weights."""
        return GibbsGLM.build(design, self.prior, self.family, self.sampler, self.progress, weights)

    def rebuilt(self, design, prior):
        """The posterior of another design under another prior."""
        return GibbsGLM.build(design, prior, self.family, self.sampler, self.progress)

    def report(self, fit):
        """Text: how the draws of `fit` were made, and how many independent ones they are worth."""
        return (
            "sampler: Gibbs, coefficients and dispersion in turn, each drawn exactly given the other\n"
            f"{worth(fit)}; {WARM_UP} sweeps of each chain left out\n"
            f"candidates per draw: {fit.draws.iters.mean():.3g}\n"
            f"set-up {1e3 * self.setup_seconds:.3g} ms"
        )
