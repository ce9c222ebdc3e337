"""lmb: a formula in, a fitted Bayesian linear model out."""

import difflib
import inspect
import sys

import numpy as np

from glmbayes.checks import count
from glmbayes.design import array_design, build_design
from glmbayes.errors import InputError
from glmbayes.fits.likelihood import GaussianLikelihood
from glmbayes.fits.model import Fit
from glmbayes.fits.several import SeveralFits
from glmbayes.prior_setup import prior_setup_from_design
from glmbayes.prior_setup.setup import resolve_weights_type
from glmbayes.priors.base import Prior
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
    0.884
    """
    if unknown:
        _refuse_unknown(unknown)
    n = count(n)
    rng = generator(rng)
    if isinstance(data, Prior) or (callable(data) and not hasattr(data, "columns")):
        raise InputError(
            f"the second argument is data; got a prior. Write lmb({formula!r}, data, {type(data).__name__}(...))."
        )
    env = sys._getframe(1) if env is None else env
    arguments = {
        "function": lmb, "formula": formula, "data": data, "pfamily": pfamily, "weights": weights,
        "weights_type": weights_type, "offset": offset, "subset": subset, "na_action": na_action,
        "y": y, "X": X, "names": names,
    }  # fmt: skip
    if formula is None:
        design = array_design(y, X, names, weights, offset)
    elif y is not None or X is not None:
        raise InputError("give a formula, or y= and X=, not both.")
    else:
        design = build_design(
            formula, data, weights=weights, offset=offset, subset=subset, na_action=na_action, env=env
        )
    call = _call_text(arguments, n)
    if design.y.ndim == 2:
        columns = range(design.y.shape[1])
        return SeveralFits(
            tuple(_fit(design.with_response(j), pfamily, weights_type, n, rng, call, arguments) for j in columns)
        )
    return _fit(design, pfamily, weights_type, n, rng, call, arguments)


def _fit(design, pfamily, weights_type, n, rng, call, arguments):
    design.require_numeric_response()
    weights_type = resolve_weights_type(design.weights, weights_type) or "frequency"
    setup = None
    if not isinstance(pfamily, Prior):
        if pfamily is not None and not callable(pfamily):
            raise InputError(f"pfamily must be a prior or a function of a PriorSetup; got {type(pfamily).__name__}.")
        setup = prior_setup_from_design(design, weights_type=weights_type)
        pfamily = setup.prior("dIndependent_Normal_Gamma") if pfamily is None else pfamily(setup)
        if not isinstance(pfamily, Prior):
            raise InputError(
                f"the function given as pfamily must return a prior; it returned {type(pfamily).__name__}."
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


def check_prior_length(prior, names):
    """Raise, listing the coefficients in order, when a prior has the wrong number of them."""
    known = prior.coefficient.mu if prior.coefficient is not None else prior.beta
    if known is not None and known.shape[-1] != len(names) and prior.names is None:
        raise InputError(
            f"the prior has {known.shape[-1]} coefficient(s) but the model has {len(names)}, in this order: "
            f"{list(names)}."
        )


def _refuse_unknown(unknown):
    known = [name for name in inspect.signature(lmb).parameters if name != "unknown"]
    name = next(iter(unknown))
    close = difflib.get_close_matches(name, known, n=1)
    aliases = {"prior": "pfamily", "family": "glmb for other families", "seed": "rng", "draws": "n"}
    hint = aliases.get(name) or (close[0] if close else None)
    raise InputError(f"lmb has no argument {name!r}." + (f" Did you mean {hint}?" if hint else f" It has {known}."))


def _call_text(arguments, n):
    """The call as R prints it."""
    parts = [repr(arguments["formula"])] if arguments["formula"] is not None else ["y=..., X=..."]
    pfamily = arguments["pfamily"]
    if pfamily is not None:
        parts.append(
            f"pfamily={type(pfamily).__name__ if isinstance(pfamily, Prior) else getattr(pfamily, '__name__', '...')}"
        )
    for name in ("weights", "weights_type", "offset", "subset"):
        value = arguments[name]
        if value is not None:
            parts.append(f"{name}={value!r}" if isinstance(value, str) else f"{name}=...")
    if n != 1000:
        parts.append(f"n={n}")
    return f"lmb({', '.join(parts)})"
