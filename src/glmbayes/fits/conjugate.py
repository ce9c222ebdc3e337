"""A single mean under its conjugate prior, as a fitted model: everything in closed form but what needs draws."""

import time
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from glmbayes.checks import option
from glmbayes.fits.criteria import LOO, score
from glmbayes.fits.glm import GLMFit
from glmbayes.fits.glm_posterior import posterior_arrays
from glmbayes.fits.loo import psis_loo
from glmbayes.fits.model import Fit
from glmbayes.posteriors.moments import Moments
from glmbayes.random import generator


@dataclass(frozen=True, eq=False)
class ConjugateGLM:
    """The posterior of a single mean; same questions as `ExactGLM`.

    Attributes
    ----------
    law : Conjugate
        The posterior distribution, of the same kind as the prior.
    evidence : float
        log p(y).
    prior : Conjugate
    family : Family
    setup_seconds : float
    """

    law: object
    evidence: float
    prior: object
    family: object
    setup_seconds: float

    exact = True
    chains = 1
    dispersion = 1.0

    @classmethod
    def build(cls, design, prior, family, weights=None):
        """The posterior of a design whose y and weights are those of the family."""
        start = time.perf_counter()
        y, x, offset, weights = posterior_arrays(design, weights)
        law = prior.posterior_given(y, x, offset, weights, family)
        evidence = prior.log_evidence(y, x, offset, weights, family)
        return cls(law, evidence, prior, family, time.perf_counter() - start)

    @property
    def coef_mode(self):
        """Posterior mode (1,)."""
        return np.array([self.law.mode])

    def draw(self, n, rng):
        """`n` draws: coefficients (n, 1), dispersion (n,), candidates (n,)."""
        return self.law.sample(n, generator(rng)).coefficients, np.ones(n), np.ones(n, np.int64)

    def log_evidence(self, rng=0):
        """log p(y) and its standard error, which is 0."""
        return self.evidence, 0.0

    def reweighted(self, design, weights):
        """The same posterior with other observation weights."""
        return ConjugateGLM.build(design, self.prior, self.family, weights)

    def rebuilt(self, design, prior):
        """The posterior of another design under another prior."""
        return ConjugateGLM.build(design, prior, self.family)

    def report(self, fit):
        """Text: the posterior distribution."""
        return f"sampler: conjugate, exact and independent draws from {self.law.law}"


@dataclass(frozen=True, eq=False, repr=False)
class ConjugateFit(GLMFit):
    """A fitted single mean under its conjugate prior: summaries carry no Monte Carlo error.

    The coefficient is a probability, the mean of counts, or one over the mean of Gamma responses.
    """

    @property
    def posterior_text(self):
        """Where summaries come from, for printouts."""
        return f"exact, {self.posterior.law.law}; MC error is that of the draws' mean"

    @property
    def response_notes(self):
        """Sentences on responses that are not whole numbers, and on what the coefficient is."""
        rate = ("The coefficient is the rate, one over the mean.",) if self.family.name == "Gamma" else ()
        return super().response_notes + rate

    @cached_property
    def moments(self):
        """Posterior mean and variance; the dispersion is 1."""
        law = self.posterior.law
        return Moments(np.array([law.mean]), np.array([[law.variance]]), 1.0, 0.0)

    def conditional(self, combinations):
        """Posterior of multiples (k, 1) of the coefficient."""
        return self.posterior.law.conditional(combinations)

    def mean_response(self, x, shift):
        """(m,) posterior mean of the expected response."""
        return self.posterior.law.mean_response(self.family) * x[:, 0]

    def maximum_likelihood(self):
        """Estimate (1,), its variance (1, 1), and the dispersion 1."""
        d = self.design
        weights = np.ones(d.n) if d.weights is None else d.weights
        mean = np.average(d.y, weights=weights)
        with np.errstate(divide="ignore"):
            variance = self.family.variance(mean) / (weights.sum() * self.family.mu_eta(self.family.linkfun(mean)) ** 2)
            return np.array([self.family.linkfun(mean)]), np.array([[variance]]), 1.0

    def null_mode(self):
        """(1,) the maximum-likelihood estimate: this is the intercept-only model."""
        return self.maximum_likelihood()[0]

    def point_bayes_factor(self, combination, value):
        """Posterior over prior density (Savage & Dickey)."""
        return Fit.point_bayes_factor(self, combination, value)

    def expected_deviance(self):
        """Posterior expectation of -2 log-likelihood."""
        d = self.design
        weights = np.ones(d.n) if d.weights is None else d.weights
        used = weights > 0.0
        y, weights = d.y[used], weights[used]
        terms = weights * self.posterior.law.expected_log_term(y, self.family)
        return float(-2.0 * (terms.sum() + self.family.log_constant(y, weights, 1.0)))

    def loo(self, method="exact"):
        """Leave-one-out log score: "exact" (closed form; also under the name "auto") or "psis" (from the draws)."""
        option(method, "method", ("exact", "auto", "psis"))
        if method == "psis":
            return psis_loo(self)
        d, law = self.design, self.posterior.law
        weights = np.ones(d.n) if d.weights is None else d.weights
        used = weights > 0.0
        y, weights = d.y[used], weights[used]
        parts = law.evidence_of(y, weights, self.family)
        base = self.family.log_base(y, weights, 1.0)
        without = [whole - part for whole, part in zip(law.parameters, parts)]
        twice = [whole + part for whole, part in zip(law.parameters, parts)]
        pointwise, seen = np.zeros(d.n), np.zeros(d.n)
        pointwise[used] = base + law.log_normaliser - law.log_normaliser_of(*without)
        seen[used] = base + law.log_normaliser_of(*twice) - law.log_normaliser
        elpd, se = score(pointwise, used)
        return LOO(elpd, se, float(seen.sum() - elpd), -2.0 * elpd, pointwise, "exact")

    def hat(self):
        """(n,) share of each row in what the posterior is worth (prior included)."""
        weights = np.ones(self.design.n) if self.design.weights is None else self.design.weights
        return weights / self.posterior.law.worth(self.family)

    def influence(self):
        """Leverage, leave-one-out shift of the coefficient (exact) and a Cook-like distance; see `GLMFit.influence`."""
        import pandas as pd

        d, law = self.design, self.posterior.law
        weights = np.ones(d.n) if d.weights is None else d.weights
        parts = law.evidence_of(d.y, weights, self.family)
        shift = law.mean_of(*(whole - part for whole, part in zip(law.parameters, parts))) - law.mean
        hat = self.hat()
        columns = {
            "hat": hat,
            "residual": d.y - self.fitted(),
            "student": self.residuals("pearson") / np.sqrt(1.0 - hat),
            "cook": shift**2 / law.variance,
            f"d_{self.names[0]}": shift,
        }
        return pd.DataFrame(columns, index=d.index)

    def bayes_r2(self):
        """(n_draws,) zeros: all expected responses are equal."""
        return np.zeros(self.n_draws)

    def restricted(self, columns):
        """The fit itself: there is one column."""
        return self
