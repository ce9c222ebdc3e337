"""The fitted model: a frozen record of design, prior, posterior and draws; methods delegate to their own modules."""

import sys
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from glmbayes.checks import count, option
from glmbayes.design.aliasing import aliased_columns
from glmbayes.fits import criteria, hypotheses, influence, loo, margins, predict, reference
from glmbayes.fits.blocks import linear_predictor
from glmbayes.fits.showing import Showing
from glmbayes.random import generator
from glmbayes.rlmb import Draws


@dataclass(frozen=True, eq=False, repr=False)
class Fit(Showing):
    """A fitted Bayesian regression; `lmb` and `glmb` return one.

    Attributes
    ----------
    call : str
        The call, for printing.
    design : Design
        Response, design matrix, names, weights, offset and how to rebuild them for new data.
    prior : the prior
    setup : PriorSetup or None
        Set when the prior came from `Prior_Setup` defaults, and so from the data.
    posterior : the posterior that draws come from
    likelihood : the response distribution
    rows : Rows
        The data reduced to a triangle (see `glmbayes.rows`).
    draws : Draws
        Raw draws: coefficients (n, p), dispersion (n,), iters (n,).
    arguments : dict
        Those of the fitting call, for `update`; the data are left out of pickles.

    Examples
    --------
    >>> from glmbayes import datasets, lmb
    >>> fit = lmb("mpg ~ wt + hp", datasets.load("mtcars"), rng=1)
    >>> fit.confint("wt", level=0.9).round(1).to_numpy()
    array([[-4.9, -2.8]])
    >>> fit.predict({"wt": [3.0], "hp": [110.0]}).round(1)
    array([22.1])
    >>> fit.update(". ~ . + factor(cyl)").names
    ('(Intercept)', 'wt', 'hp', 'factor(cyl)6', 'factor(cyl)8')
    """

    call: str
    design: Any
    prior: Any
    setup: Any
    posterior: Any
    likelihood: Any
    rows: Any
    draws: Draws
    arguments: dict

    closed_form = True  # a Gaussian posterior: normal given the precision, so that quadrature answers everything
    posterior_text = "exact; MC error is that of the draws' mean"  # where summaries come from, for printouts
    n_chains = 1  # that the draws are, one after the other: 1 when they are iid
    response_notes = ()  # sentences on what is odd about the response
    exact_draws = True  # the draws are independent and exactly from the posterior

    def __getstate__(self):
        state = self._fields()
        state["arguments"] = reference.without_data(self.arguments)
        return state

    def __setstate__(self, state):
        self.__dict__.update(state)

    def __copy__(self):
        return replace(self)

    def __deepcopy__(self, memo):
        new = object.__new__(type(self))
        new.__dict__.update({key: deepcopy(value, memo) for key, value in self._fields().items()})
        return new

    def _fields(self):
        return {key: value for key, value in self.__dict__.items() if key in self.__dataclass_fields__}

    # -- what the model is -------------------------------------------------------------------------------------

    @property
    def formula(self):
        """The formula as given."""
        return self.design.formula

    @property
    def names(self):
        """Coefficient names, in order."""
        return self.design.names

    @property
    def n_draws(self):
        """Number of draws."""
        return self.draws.coefficients.shape[0]

    @property
    def effective_draws(self):
        """(p,) how many independent draws of each coefficient the draws are worth: all of them, when they are iid."""
        return np.full(len(self.names), float(self.n_draws))

    @property
    def efficiency(self):
        """Smallest effective number of draws, over their number."""
        return min(1.0, float(np.min(self.effective_draws)) / self.n_draws)

    @property
    def nobs(self):
        """Number of observations used (rows with positive weight)."""
        return int(self.used_rows.sum())

    @cached_property
    def used_rows(self):
        """(n,) boolean: rows with positive weight."""
        w = self.design.weights
        return np.ones(self.design.X.shape[0], bool) if w is None else w > 0

    @cached_property
    def aliased(self):
        """Names of coefficients whose columns are combinations of earlier ones."""
        p = len(self.names)
        return tuple(self.names[j] for j in aliased_columns(self.rows.triangle[:p, :p]))

    @cached_property
    def moments(self):
        """Deterministic posterior moments (see `glmbayes.posteriors.moments.Moments`)."""
        return self.posterior.moments()

    def conditional(self, combinations):
        """Posterior of linear combinations (k, p) of the coefficients; see `glmbayes.posteriors.mixture`."""
        return self.posterior.conditional(combinations)

    # -- coefficients ------------------------------------------------------------------------------------------

    @cached_property
    def coefficients(self):
        """Draws of the coefficients: DataFrame with one column per coefficient."""
        import pandas as pd

        return pd.DataFrame(self.draws.coefficients, columns=list(self.names))

    @property
    def dispersion(self):
        """(n,) draws of the dispersion (residual variance)."""
        return self.draws.dispersion

    def _series(self, values):
        import pandas as pd

        return pd.Series(np.asarray(values), index=list(self.names))

    @property
    def coef_mode(self):
        """Posterior mode: of beta given the dispersion at the mode of its marginal in log dispersion."""
        return self._series(self.posterior.coef_mode)

    @property
    def posterior_mean(self):
        """Posterior means, without Monte Carlo error."""
        return self._series(self.moments.mean)

    @property
    def posterior_sd(self):
        """Posterior standard deviations, without Monte Carlo error."""
        return self._series(np.sqrt(np.diag(self.moments.cov)))

    def coef(self):
        """Posterior means (R's ``coef``)."""
        return self.posterior_mean

    params = posterior_mean
    bse = posterior_sd

    def vcov(self):
        """Posterior covariance of the coefficients: DataFrame, without Monte Carlo error."""
        import pandas as pd

        return pd.DataFrame(self.moments.cov, index=list(self.names), columns=list(self.names))

    def confint(self, parm=None, level=0.95, hdi=False):
        """Credible intervals of the coefficients.

        Parameters
        ----------
        parm : str or list of str, optional
            Which coefficients; all by default.
        level : float
            Probability inside.
        hdi : bool
            Highest-density intervals from the draws instead of equal-tailed ones.

        Returns
        -------
        pandas.DataFrame
        """
        return hypotheses.confint(self, parm, level, hdi)

    def conf_int(self, alpha=0.05):
        """Equal-tailed intervals in statsmodels' spelling."""
        return self.confint(level=1.0 - alpha)

    # -- fitted values -----------------------------------------------------------------------------------------

    def predictor_at(self, beta):
        """(n,) linear predictor at given coefficients, offset included."""
        eta = self.design.X @ beta
        return eta if self.design.offset is None else eta + self.design.offset

    @property
    def linear_predictor(self):
        """(n,) linear predictor at the posterior mean of the coefficients, offset included."""
        return self.predictor_at(self.moments.mean)

    def mean_predictor(self, x, shift):
        """(m,) posterior mean of the linear predictor of rows x (m, p) with offsets `shift` (None for none)."""
        return x @ self.moments.mean + (0.0 if shift is None else shift)

    def mean_response(self, x, shift):
        """(m,) posterior mean of the expected response of such rows."""
        return self.likelihood.mean(self.mean_predictor(x, shift))

    def fitted(self):
        """(n,) expected responses at the posterior mean of the coefficients."""
        return self.likelihood.mean(self.linear_predictor)

    def residuals(self, kind="response"):
        """(n,) residuals at the posterior mean.

        `kind`: "response" (y - fitted); "pearson" (over its standard deviation at the posterior mean dispersion, which
        precision weights divide); "deviance" (times the square root of the weight: the squares add up to the deviance).
        """
        return predict.residuals(self, kind)

    @property
    def resid(self):
        """Response residuals (statsmodels' spelling)."""
        return self.residuals()

    @property
    def fittedvalues(self):
        """Fitted values (statsmodels' spelling)."""
        return self.fitted()

    def predict(self, newdata=None, kind="mean", level=0.95, *, weights=None, offset=None, rng=None):
        """Predict for the rows of the fit or for new data.

        Parameters
        ----------
        newdata : data frame or dict, optional
            With the columns that the formula uses; missing values give NaN predictions.
        kind : {"mean", "link", "draws", "response", "interval"}
            "mean": expected response, posterior mean.  "link": posterior mean of the linear predictor.  "draws":
            draws of the expected response (n_draws, m).  "response": draws of new observations (n_draws, m).
            "interval": table with mean, sd and intervals of the expected response and of new observations.
        level : float
            Of the intervals.
        weights : (m,) array_like, optional
            Precision weights of the new observations (their variance is dispersion / weight).
        offset : (m,) array_like, optional
            For new data when the fit used an offset array.
        rng : None, int or numpy.random.Generator

        Returns
        -------
        array, or DataFrame for "interval"
        """
        return predict.predict(self, newdata, kind, level, weights, offset, rng)

    def simulate(self, nsim=1, rng=None):
        """(nsim, n) new responses for the rows of the fit (NaN for weight 0), each from a draw picked at random."""
        return predict.simulate(self, nsim, rng)

    def posterior_predictive(self, rng=None):
        """(n_draws, n) new responses for the rows of the fit, one per draw; NaN for rows of weight 0."""
        return predict.predict(self, None, "response", 0.95, None, None, rng)

    def sample(self, n, rng=None):
        """The same fit with `n` fresh draws; nothing is factorised again."""
        coefficients, dispersion, iters = self.posterior.draw(count(n), generator(rng))
        draws = Draws(coefficients, dispersion, self.posterior.coef_mode, iters, self.prior)
        return replace(self, draws=draws)

    # -- likelihood, evidence, criteria ------------------------------------------------------------------------

    def log_lik_at(self, beta, dispersion):
        """(n,) log-likelihood of each observation at given parameters."""
        d = self.design
        return self.likelihood.log_lik(d.y, self.predictor_at(beta), dispersion, d.weights)

    def log_lik_rows(self, rows, draws=slice(None)):
        """(draws, rows) log-likelihood of the observations in the slice `rows` at the draws in the slice `draws`."""
        d = self.design
        eta = linear_predictor(self.draws.coefficients[draws], d.X, d.offset, rows)
        weights = None if d.weights is None else d.weights[rows]
        return self.likelihood.log_lik(d.y[rows], eta, self.draws.dispersion[draws, None], weights)

    def log_lik(self):
        """(n_draws, n) log-likelihood of each observation at each draw."""
        return self.log_lik_rows(slice(None))

    def maximum_likelihood(self):
        """Estimate (p,), dispersion-free covariance (p, p) and dispersion; NaN where the data do not identify them."""
        return reference.maximum_likelihood(self)

    def null_mode(self):
        """(p,) the intercept of the intercept-only model, and zeros."""
        return reference.null_mode(self)

    def restricted(self, columns):
        """The fit with only `columns` of the design, the prior being what it says about those (see `anova`)."""
        return reference.restrict(self, columns)

    def point_bayes_factor(self, combination, value):
        """Posterior over prior density of combination @ beta (1, p) at `value` (1,): Savage & Dickey's ratio."""
        prior = self.prior.conditional(combination)
        return float(self.conditional(combination).pdf(value)[0] / prior.pdf(value)[0])

    def expected_deviance(self):
        """Posterior expectation of -2 log-likelihood, without Monte Carlo error."""
        return reference.expected_deviance(self)

    def log_marginal_likelihood(self):
        """Logarithm of p(y), all constants included: closed form or one-dimensional quadrature."""
        return self.posterior.log_evidence()

    def bayes_factor(self, other):
        """Evidence ratio of this model to another of the same response."""
        return criteria.bayes_factor(self, other)

    def dic(self):
        """Deviance information criterion."""
        return criteria.dic(self)

    def waic(self):
        """Widely applicable information criterion, from the draws."""
        return criteria.waic(self)

    def loo(self, method="exact"):
        """Leave-one-out log score: "exact" (no refits, no Monte Carlo error) or "psis" (importance sampling)."""
        option(method, "method", ("exact", "psis"))
        return loo.exact_loo(self) if method == "exact" else loo.psis_loo(self)

    def bayes_r2(self):
        """(n_draws,) draws of Bayesian R-squared (Gelman, Goodrich, Gabry & Vehtari 2019)."""
        return criteria.bayes_r2(self)

    # -- questions about the parameters ------------------------------------------------------------------------

    def hypothesis(self, statement):
        """Posterior and prior probability of a statement such as "groupTrt < 0" or "x1 = x2"."""
        return hypotheses.hypothesis(self, statement)

    def prior_check(self):
        """Prior-data conflict: how surprising the estimate is under the prior, per coefficient and jointly."""
        return hypotheses.prior_check(self)

    def directional_tail(self, reference_point="prior"):
        """Joint tail probability of the posterior beyond a reference: "prior" mean, "null" or a vector."""
        return hypotheses.directional_tail(self, reference_point)

    def linear_combinations(self, combinations, level=0.95):
        """Posterior of linear combinations of the coefficients: expressions, or a (k, p) matrix."""
        return margins.linear_combinations(self, combinations, level)

    def emmeans(self, factor, at=None, level=0.95):
        """Estimated marginal means of a factor's levels, other factors averaged, numeric columns at their means."""
        return margins.emmeans(self, factor, at, level)

    def contrasts(self, factor, method="pairwise", at=None, level=0.95):
        """Differences between a factor's levels: "pairwise" or "treatment" (against the first)."""
        return margins.contrasts(self, factor, method, at, level)

    def influence(self):
        """Leverage, leave-one-out shifts of the coefficients and a Cook-like distance: DataFrame."""
        return influence.influence(self)

    def hat(self):
        """(n,) leverages at the posterior mean of the dispersion."""
        return influence.leverage(self)

    def anova(self):
        """Terms added one after the other: evidence, LOO and explained deviance at each step."""
        return reference.sequential(self)

    def update(self, formula=None, pfamily=None, *, n=None, rng=None, **changes):
        """Fit again with a changed formula (R's ``. ~ . + x``), prior or other argument of the fitting call.

        Names that the data do not have are looked up in the scope of the caller of `update`.
        """
        changes.setdefault("env", sys._getframe(1))
        return reference.update(self, formula, pfamily, n, rng, changes)
