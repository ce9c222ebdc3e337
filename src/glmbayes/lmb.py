"""lmb: a formula in, a fitted Bayesian linear model out."""

import sys

import numpy as np

from glmbayes.calls import call_text, check_prior_length, chosen_prior, design_of, refuse_prior_as_data, refuse_unknown
from glmbayes.checks import count
from glmbayes.design.aliasing import aliased_columns
from glmbayes.errors import ImproperPosteriorError
from glmbayes.fits.likelihood import GaussianLikelihood
from glmbayes.fits.model import Fit
from glmbayes.fits.several import SeveralFits
from glmbayes.prior_setup import prior_setup_from_design
from glmbayes.prior_setup.setup import resolve_weights_type
from glmbayes.random import generator
from glmbayes.rlmb import Draws
from glmbayes.rows import reduce

EMPTY = np.empty(0)


def lmb(
    formula=None,
    data=None,
    pfamily=None,
    *,
    n=1000,
    weights=None,
    weights_type=None,
    offset=None,
    subset=None,
    na_action="drop",
    y=None,
    X=None,
    names=None,
    rng=None,
    env=None,
    **unknown,
):
    """Fit a Bayesian linear model: exact iid posterior draws and everything R's ``lm`` users expect.

    Parameters
    ----------
    formula : str
        As in R: "weight ~ group", "log(y) ~ x1 * x2 + poly(x3, 2) - 1", "cbind(y1, y2) ~ x".
    data : data frame, dict of columns or None
        pandas, polars or anything that converts; None takes names from the caller's scope.
    pfamily : prior, or a function of the PriorSetup that returns one, optional
        Default: dIndependent_Normal_Gamma(mu, Sigma, shape_ING, rate) of `Prior_Setup`.
    n : int
        Number of draws.
    weights, offset : array_like or column name, optional
        Dropped together with their rows.
    weights_type : {"frequency", "precision"}, optional
        What weights mean: counts of observations, or precisions as in R's ``lm``.  Integer weights mean counts unless
        told; weights that are not integers need the word.
    subset : boolean array or expression, optional
        Rows to use.
    na_action : {"drop", "raise"}
        What to do with rows that have missing values; the summary counts those dropped.
    y, X, names : array_like, optional
        Instead of a formula: response, design matrix and coefficient names.
    rng : None, int or numpy.random.Generator

    Returns
    -------
    Fit
        Or `SeveralFits` for a response of several columns.

    Raises
    ------
    FormulaError, InputError, ImproperPosteriorError

    Examples
    --------
    >>> from glmbayes import datasets, lmb
    >>> fit = lmb("weight ~ group", datasets.load("plant_weight"), rng=1)
    >>> fit.posterior_mean.round(3).to_dict()
    {'(Intercept)': 5.03, 'groupTrt': -0.367}
    >>> round(fit.hypothesis("groupTrt < 0").posterior_probability, 3)
    0.887
    """
    if unknown:
        refuse_unknown(lmb, unknown)
    n = count(n)
    rng = generator(rng)
    refuse_prior_as_data(lmb, formula, data)
    env = sys._getframe(1) if env is None else env
    arguments = {
        "function": lmb, "formula": formula, "data": data, "pfamily": pfamily, "weights": weights,
        "weights_type": weights_type, "offset": offset, "subset": subset, "na_action": na_action,
        "y": y, "X": X, "names": names,
    }  # fmt: skip
    design = design_of(arguments, env)
    call = call_text(arguments, n)
    if design.y.ndim == 2:
        columns = range(design.y.shape[1])
        return SeveralFits(
            tuple(_fit(design.with_response(j), pfamily, weights_type, n, rng, call, arguments) for j in columns)
        )
    return _fit(design, pfamily, weights_type, n, rng, call, arguments)


def _fit(design, pfamily, weights_type, n, rng, call, arguments):
    design.require_numeric_response()
    weights_type = resolve_weights_type(design.weights, weights_type) or "frequency"
    pfamily, setup = chosen_prior(
        pfamily, lambda: prior_setup_from_design(design, weights_type=weights_type), "dIndependent_Normal_Gamma"
    )
    check_prior_length(pfamily, design.names)
    prior = pfamily.aligned(design.names)
    rows = reduce(
        design.y,
        design.X,
        EMPTY if design.offset is None else design.offset,
        EMPTY if design.weights is None else design.weights,
        weights_type,
    )
    refuse_aliased_flat(prior, rows, design.names)
    posterior = prior.build(rows, prior.coefficient_for(design.names, len(design.names)))
    coefficients, dispersion, iters = posterior.draw(n, rng)
    draws = Draws(coefficients, dispersion, posterior.coef_mode, iters, prior)
    return Fit(
        call=call,
        design=design,
        prior=prior,
        setup=setup,
        posterior=posterior,
        likelihood=GaussianLikelihood(weights_type),
        rows=rows,
        draws=draws,
        arguments=arguments,
    )


def refuse_aliased_flat(prior, rows, names):
    """Raise, naming the columns, when flat coefficients (infinite prior variances) are not identified by the data."""
    if prior.coefficient is None or not prior.coefficient.flat:
        return
    flat = np.flatnonzero(np.isinf(np.diag(prior.Sigma)))
    found = [names[flat[j]] for j in aliased_columns(rows.triangle[:, flat])]
    if found:
        raise ImproperPosteriorError(
            f"the posterior is improper: {', '.join(found)} cannot be told apart from earlier columns by these "
            "data, and infinite prior variances do not help. Leave such terms out or give them finite prior variances."
        )
