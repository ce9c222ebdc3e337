"""The fitted generalised linear model: what differs from a Gaussian fit."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import ndtri

from glmbayes.checks import EMPTY, option
from glmbayes.design.aliasing import aliased_columns
from glmbayes.errors import InputError
from glmbayes.fits import effects, from_draws, glm_influence, glm_loo, point_null, tall_sums
from glmbayes.fits.empirical import Empirical
from glmbayes.fits.model import Fit
from glmbayes.glm import diagnostics
from glmbayes.glm_response import response_notes
from glmbayes.posteriors.moments import Moments, sample_sd
from glmbayes.prior_setup.ml import fit_ml
from glmbayes.random import generator
from glmbayes.rows import reduce

_DIAGNOSED = 32  # draws from which chains are long enough for R-hat and effective sample sizes


@dataclass(frozen=True, eq=False, repr=False)
class GLMFit(Fit):
    """A fitted Bayesian GLM: everything a Gaussian fit has, with summaries from the iid draws.

    Posterior means, tails and intervals come from the draws, with Monte Carlo error sd / sqrt(n).  They are iid, but
    for Gamma regressions with an unknown dispersion and sampler="mcmc": `exact_draws` says so, and `effective_draws`
    and `rhat` what the Markov chains are worth.
    """

    closed_form = False

    @property
    def posterior_text(self):
        """Where summaries come from, for printouts."""
        if self.prior.knows_coefficients:
            return "coefficients known; the dispersion from the draws"
        return "from the draws; mode by Newton's method"

    @property
    def family(self):
        """The response family with its link."""
        return self.likelihood.distribution

    @property
    def response_notes(self):
        """Sentences on counts or successes that are not whole numbers; they are allowed."""
        weights = np.ones(self.design.n) if self.design.weights is None else self.design.weights
        notes = response_notes(self.design.y, weights, self.family)
        return tuple(f"{note[0].upper()}{note[1:]}." for note in notes)

    @property
    def exact_draws(self):
        """Whether the draws are independent and exactly from the posterior."""
        return self.posterior.exact

    @property
    def n_chains(self):
        """Number of Markov chains that the draws are, one after the other; 1 when they are iid."""
        return self.posterior.chains

    def _chains(self, values):
        """(chains, draws) of one quantity."""
        keep = -(-self.n_draws // self.n_chains)
        last = self.n_draws - (self.n_chains - 1) * keep
        return np.array([values[k * keep : k * keep + last] for k in range(self.n_chains)])

    @cached_property
    def effective_draws(self):
        """(p,) how many independent draws of each coefficient the draws are worth: all of them, when they are iid."""
        if self.exact_draws or self.n_draws < _DIAGNOSED:
            return np.full(len(self.names), float(self.n_draws) if self.exact_draws else np.nan)
        return np.array([diagnostics.ess(self._chains(values)) for values in self.draws.coefficients.T])

    @cached_property
    def rhat(self):
        """(p,) rank-normalised split R-hat of each coefficient over the chains; NaN when the draws are iid."""
        if self.exact_draws or self.n_draws < _DIAGNOSED:
            return np.full(len(self.names), np.nan)
        return np.array([diagnostics.rhat(self._chains(values)) for values in self.draws.coefficients.T])

    @cached_property
    def moments(self):
        """Means and covariance of the draws, but for what is known."""
        b = self.draws.coefficients
        cov = np.atleast_2d(np.cov(b.T)) if b.shape[0] > 1 else np.full((b.shape[1],) * 2, np.nan)
        mean = b.mean(axis=0)
        if self.prior.knows_coefficients:
            mean, cov = self.prior.location_scale(1.0)
        phi = self.draws.dispersion
        known = getattr(self.posterior, "dispersion", None)
        dispersion = (float(phi.mean()), float(sample_sd(phi))) if known is None else (known, 0.0)
        return Moments(mean, cov, *dispersion)

    def conditional(self, combinations):
        """Posterior of linear combinations (k, p) of the coefficients, from the draws."""
        if self.prior.knows_coefficients:
            return self.prior.conditional(np.asarray(combinations))
        return Empirical(self.draws.coefficients @ np.asarray(combinations).T)

    @cached_property
    def aliased(self):
        """Names of coefficients whose columns are combinations of earlier ones."""
        d = self.design
        rows = reduce(np.zeros(d.n), d.X, EMPTY, EMPTY if d.weights is None else d.weights, "frequency")
        return tuple(self.names[j] for j in aliased_columns(rows.triangle[: d.p, : d.p]))

    @cached_property
    def ml(self):
        """The maximum-likelihood fit; raises InputError when it does not exist (separation, aliased columns)."""
        return fit_ml(self.design, self.family)

    def mean_response(self, x, shift):
        """(m,) posterior mean of the expected response, from the draws."""
        return from_draws.mean(self, x, shift)

    def maximum_likelihood(self):
        """Estimate (p,), dispersion-free covariance (p, p) and dispersion; NaN where the estimate does not exist."""
        return effects.maximum_likelihood(self)

    def null_mode(self):
        """(p,) the intercept of the intercept-only model, and zeros."""
        return effects.null_mode(self)

    def point_bayes_factor(self, combination, value):
        """Bayes factor for combination @ beta (1, p) = `value` (1,): ratio of two evidences.

        A kernel density of the draws stands in for it where the model has no evidence (quasi families).
        """
        try:
            return float(np.exp(point_null.log_bayes_factor(self, combination[0], float(value[0]))))
        except InputError:
            return super().point_bayes_factor(combination, value)

    def expected_deviance(self):
        """Mean over the draws of -2 log-likelihood."""
        return tall_sums.expected_deviance(self)

    def log_marginal_likelihood(self, with_error=False, rng=0):
        """Logarithm of p(y) from the envelope's mass and its acceptance rate.

        Parameters
        ----------
        with_error : bool
            Return (value, standard error) instead of the value.
        rng : None, int or numpy.random.Generator
            For the acceptance rate; the same int gives the same answer.
        """
        value, error = self.posterior.log_evidence(rng)
        return (value, error) if with_error else value

    def loo(self, method="auto"):
        """Leave-one-out log score: "psis" from the draws, "exact" by a refit per observation.

        "auto" is PSIS with a refit, by the same exact sampler, of the observations whose Pareto k exceeds 0.7.
        """
        option(method, "method", ("auto", "psis", "exact"))
        return glm_loo.glm_loo(self, method)

    def residuals(self, kind="deviance", rng=0):
        """(n,) residuals at the posterior mean.

        `kind`: "deviance", "pearson", "response" or "quantile" (randomised for counts, Dunn & Smyth 1996; standard
        normal under the model).
        """
        option(kind, "kind", ("deviance", "pearson", "response", "quantile"))
        d = self.design
        mu = self.fitted()
        weights = 1.0 if d.weights is None else d.weights
        if kind == "response":
            return d.y - mu
        if kind == "pearson":
            with np.errstate(divide="ignore", invalid="ignore"):
                scaled = (d.y - mu) * np.sqrt(weights / (self.family.variance(mu) * self.moments.dispersion_mean))
            return np.where(d.y == mu, 0.0, scaled)  # also where a saturated mean leaves no variance
        if kind == "deviance":
            return np.sign(d.y - mu) * np.sqrt(np.maximum(self.family.deviance(d.y, mu, weights), 0.0))
        low, high = self.family.cdf_limits(d.y, mu, weights, self.moments.dispersion_mean)
        u = low + (high - low) * generator(rng).random(mu.shape)
        return ndtri(np.clip(u, 1e-300, 1.0 - 1e-16))

    def hat(self):
        """(n,) leverages with the working weights at the posterior mean."""
        return glm_influence.leverage(self)

    def influence(self):
        """Leverage, one-step leave-one-out shifts of the coefficients and a Cook-like distance.

        Returns
        -------
        pandas.DataFrame
            ``hat``; ``residual`` (response minus fitted); ``student``, the Pearson residual over sqrt(1 - hat);
            ``cook``, the squared distance of the shift in units of the posterior covariance, over p; and a column
            ``d_<name>`` with the shift of each coefficient when the row leaves, by one Newton step (Pregibon 1981).
        """
        return glm_influence.influence(self)

    def bayes_r2(self):
        """Draws of Bayesian R-squared: variance of the fit over it plus the mean response variance.

        One for each of the draws, or of the first ones where draws x observations exceed 50 million.
        """
        return tall_sums.bayes_r2(self)

    def marginal_effects(self, at=None, columns=None, level=0.95, data=None):
        """Effects on the response scale, averaged over the rows of the fit or at given values.

        Parameters
        ----------
        at : dict, optional
            Values of columns; the other columns stay as they are in each row.
        columns : list of str, optional
            Which columns of the data; all by default.
        level : float
            Of the intervals.
        data : data frame, optional
            The data of the fit, when it no longer holds them (after unpickling).

        Returns
        -------
        pandas.DataFrame
            For a numeric column the average derivative of the expected response, for a factor or boolean the average
            change from its first level to each other: mean, sd, interval, P(> 0).
        """
        return effects.marginal_effects(self, at, columns, level, data)

    def sampler_report(self):
        """What was chosen, predicted and observed: candidates per draw, time per draw, set-up time."""
        return self.posterior.report(self)

    def restricted(self, columns):
        """The fit with only `columns` of the design (see `anova`)."""
        return effects.restrict(self, columns)
