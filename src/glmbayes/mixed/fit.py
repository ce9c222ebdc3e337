"""The fitted mixed model: a frozen record of design, priors and draws; methods delegate to their own modules."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from glmbayes.chains.record import Chains
from glmbayes.checks import option
from glmbayes.errors import InputError
from glmbayes.fits.likelihood import GaussianLikelihood
from glmbayes.mixed import criteria, groups, predict
from glmbayes.mixed.ratio import RatioPosterior
from glmbayes.posteriors.moments import sample_sd


@dataclass(frozen=True, eq=False, repr=False)
class MixedFit:
    """A fitted Bayesian linear mixed model; `lmerb` returns one.

    Attributes
    ----------
    call : str
    design : MixedDesign
    priors : MixedPriors
    method : "iid" or "MCMC"
    draws : MixedDraws
        beta (n, p), sigma2 (n,), covariance and effects of each term.
    posterior : IidPosterior, RatioPosterior or None
    se : (n,) array or None
        Known standard deviations of the observations.
    frequency : bool
        Whether weights count observations.
    interrupted : bool
    iters : (n,) int array or None
        Candidates per draw (iid).
    burn_in : int
    sampler : str
        Of MCMC draws, in words.
    """

    call: str
    design: Any
    priors: Any
    method: str
    draws: Any
    posterior: Any
    se: np.ndarray | None
    frequency: bool
    interrupted: bool
    iters: np.ndarray | None
    burn_in: int
    sampler: str = ""

    @property
    def formula(self):
        """The formula as given."""
        return self.design.formula

    @property
    def names(self):
        """Names of the fixed effects."""
        return self.design.fixed.names

    @property
    def n_draws(self):
        """Number of draws, all chains together."""
        return self.draws.n

    @property
    def nobs(self):
        """Number of observations."""
        return self.design.n

    @property
    def used_rows(self):
        """(n,) boolean: every row of the design is used."""
        return np.ones(self.design.n, bool)

    # -- fixed effects -----------------------------------------------------------------------------------------

    @cached_property
    def coefficients(self):
        """Draws of the fixed effects: DataFrame with one column each."""
        import pandas as pd

        return pd.DataFrame(self.draws.beta, columns=list(self.names))

    @cached_property
    def _fixed_moments(self):
        if self.posterior is None:
            return self.draws.beta.mean(axis=0), sample_sd(self.draws.beta)
        p, m = self.design.p, self.design.terms[0].m
        return self.posterior.moments(np.eye(p, p + m))

    def _series(self, values):
        import pandas as pd

        return pd.Series(values, index=list(self.names))

    @property
    def posterior_mean(self):
        """Posterior means of the fixed effects; by quadrature for iid fits."""
        return self._series(self._fixed_moments[0])

    @property
    def posterior_sd(self):
        """Posterior standard deviations of the fixed effects; by quadrature for iid fits."""
        return self._series(self._fixed_moments[1])

    def fixef(self):
        """Posterior means of the fixed effects (lme4's name)."""
        return self.posterior_mean

    params = posterior_mean
    bse = posterior_sd

    def confint(self, level=0.95):
        """Equal-tailed intervals of fixed effects, standard deviations and correlations: DataFrame."""
        return self.chains.summary(level=level).iloc[:, [2, 4]]

    # -- groups ------------------------------------------------------------------------------------------------

    @property
    def has_residual(self):
        """Whether there is a residual standard deviation to estimate."""
        return self.se is None

    @property
    def residual_variance(self):
        """(n_draws,) residual variance; ones where it is known by row."""
        return self.draws.sigma2

    @property
    def sigma(self):
        """(n_draws,) residual standard deviation; ones where it is known by row."""
        return np.sqrt(self.draws.sigma2)

    def VarCorr(self, level=0.95):
        """Variance components as lme4 prints them: standard deviations and correlations, with intervals: DataFrame."""
        return groups.variance_components(self, level)

    def ranef(self, level=0.95):
        """Group effects: mean, sd and interval of each: DataFrame by factor, group and effect."""
        return groups.random_effects(self, level)

    def coef(self, factor=None):
        """Draws of the groups' coefficients, fixed plus random: see `group_coefficients`."""
        return groups.group_coefficients(self, factor)

    def group_means(self, factor=None):
        """Posterior mean and sd of each group's own coefficient (one effect per group); by quadrature for iid fits."""
        return groups.group_means(self, factor)

    def shrinkage(self, factor=None):
        """Per group: rows, no-pooling and partial-pooling estimates, and how far it is pulled: DataFrame."""
        return groups.shrinkage(self, factor)

    def icc(self):
        """(n_draws, factors) share of each factor's intercept in the total variance: DataFrame of draws."""
        return groups.intraclass_correlation(self)

    # -- rows --------------------------------------------------------------------------------------------------

    def eta_rows(self, rows):
        """(n_draws, rows) linear predictor of the observations in a slice, group effects included."""
        return predict.linear_predictor(self, rows)

    def predict(self, newdata=None, kind="mean", level=0.95, *, re="all", se=None, offset=None, rng=None):
        """Predict for the rows of the fit or for new data.

        Parameters
        ----------
        newdata : data frame or dict, optional
            Groups that the fit has seen get their own effects; a group that it has not seen gets one draw of the
            effect per posterior draw, shared by its rows; a missing group label gives NaN.
        kind : {"mean", "draws", "response", "interval"}
            Posterior mean of the expected response; its draws (n_draws, rows); draws of new observations; table.
        level : float
            Of the intervals.
        re : {"all", "none"}
            "none" is the population level: group effects 0.
        se : (rows,) array or float, optional
            Standard deviations of new observations, for "response" when the fit had known ones.
        offset : (rows,) array, optional
        rng : None, int or numpy.random.Generator
        """
        option(kind, "kind", ("mean", "draws", "response", "interval"))
        option(re, "re", ("all", "none"))
        return predict.predict(self, newdata, kind, level, re, se, offset, rng)

    def fitted(self):
        """(n,) posterior means of the expected responses."""
        return self.predict()

    def residuals(self):
        """(n,) y minus fitted."""
        return self.design.y - self.fitted()

    def simulate(self, nsim=1, rng=None):
        """(nsim, n) new responses for the rows of the fit, same groups, each from a posterior draw."""
        return predict.simulate(self, nsim, rng)

    # -- criteria ----------------------------------------------------------------------------------------------

    def row_dispersion(self, rows, sigma2):
        """Variance of the observations in `rows` at residual variances `sigma2`, weights apart."""
        return sigma2 if self.se is None else sigma2 * self.se[rows] ** 2

    @property
    def likelihood(self):
        """Distribution of a response given its linear predictor."""
        return GaussianLikelihood("frequency" if self.frequency else "precision")

    def log_lik_rows(self, rows):
        """(n_draws, rows) log-likelihood given the group effects."""
        return criteria.log_lik_rows(self, rows)

    def log_marginal_likelihood(self):
        """log p(y) under all priors, by quadrature; for exact fits with a dRatio and proper priors."""
        if not isinstance(self.posterior, RatioPosterior):
            raise InputError("the marginal likelihood is available for exact fits with a dRatio prior.")
        return self.posterior.log_evidence()

    def log_lik(self):
        """(n_draws, n) log-likelihood of each observation, given the group effects."""
        return self.log_lik_rows(slice(None))

    def dic(self):
        """DIC at the posterior means of fixed effects, group effects and residual variance."""
        return criteria.dic(self)

    def waic(self):
        """WAIC over observations, given the group effects."""
        return criteria.waic(self)

    def loo(self):
        """PSIS leave-one-out log score over observations, given the group effects."""
        return criteria.loo(self)

    # -- printing, plots, export -------------------------------------------------------------------------------

    @cached_property
    def chains(self):
        """Fixed effects, standard deviations and correlations as `Chains`: summaries, R-hat, trace plots."""
        parts = {name: self._by_chain(column) for name, column in zip(self.names, self.draws.beta.T)}
        parts |= {name: self._by_chain(values) for name, values in groups.component_draws(self).items()}
        return Chains(parts, [], self.interrupted, None, "exact iid draws" if self.method == "iid" else "MCMC")

    def _by_chain(self, values):
        return values.reshape(self.draws.chains, len(values) // self.draws.chains, *values.shape[1:])

    @property
    def model_line(self):
        """Family and link, where they need saying."""
        return ""

    def summary(self, level=0.95):
        """Text as R users know it, with convergence of every quantity; `.fixed`, `.components` are DataFrames."""
        from glmbayes.mixed.summary import MixedSummary

        return MixedSummary.of(self, level)

    def __repr__(self):
        means = "  ".join(f"{name}: {value:.4g}" for name, value in self.posterior_mean.items())
        head = f"Call:\n{self.call}   ({self.method})"
        fixed = f"Fixed effects, posterior mean:\n{means}" if means else "No fixed effects."
        return f"{head}\n\n{fixed}\n\nUse .summary() for more."

    def to_arviz(self):
        """ArviZ data: beta, sigma, covariance and effects of each term, and the log-likelihood."""
        return criteria.to_arviz(self)

    def plot(self, kind="trace", parts=None, ax=None):
        """Trace, density, autocorrelation or rank plots of the parameters; returns the Axes."""
        return self.chains.plot(kind, parts, ax)

    def plot_ranef(self, factor=None, **options):
        """Caterpillar plot of group effects with 50 % and 95 % intervals; returns the Axes."""
        from glmbayes.mixed import plots

        return plots.caterpillar(self, factor, **options)

    def plot_shrinkage(self, factor=None, **options):
        """No-pooling against partial-pooling estimates, sized by rows per group; returns the Axes."""
        from glmbayes.mixed import plots

        return plots.shrinkage(self, factor, **options)

    def plot_groups(self, factor=None, **options):
        """Box plots of the groups' coefficients; returns the Axes."""
        from glmbayes.mixed import plots

        return plots.boxes(self, factor, **options)

    def plot_components(self, **options):
        """Posterior densities of standard deviations and correlations; returns the Axes."""
        from glmbayes.mixed import plots

        return plots.components(self, **options)
