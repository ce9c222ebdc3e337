"""What a Gaussian fit is compared with: maximum likelihood, the null model, smaller models."""

import math
import sys
from dataclasses import replace

import numpy as np
from scipy.linalg import solve_triangular

from glmbayes.design.aliasing import aliased_columns
from glmbayes.errors import InputError
from glmbayes.posteriors.moments import LOG_2PI
from glmbayes.rows import Rows


def maximum_likelihood(fit):
    """Estimate (p,), dispersion-free covariance (X'WX)^-1 (p, p), and dispersion RSS / (n_w - rank).

    n_w is what the weights count as.  NaN for coefficients that the data alone do not identify, and for the dispersion
    without degrees of freedom.
    """
    rows = fit.rows
    p = rows.triangle.shape[0] - 1
    root, target = rows.triangle[:p, :p], rows.triangle[:p, p]
    scale = np.linalg.norm(root, axis=0)
    scale[scale == 0.0] = 1.0
    u, s, vt = np.linalg.svd(root / scale)
    rank = p
    if s[-1] <= 1e-8 * s[0]:
        rank -= len(aliased_columns(root))
    if rank == p:
        inverse = solve_triangular(root, np.eye(p))
        return inverse @ target, inverse @ inverse.T, _variance(rows.triangle[p, p] ** 2, rows.n_w - p)
    half = (vt[:rank].T / s[:rank]) / scale[:, None]
    known = u[:, :rank].T @ target
    estimate, cov = half @ known, half @ half.T
    lost = np.linalg.norm(vt[rank:], axis=0) > 1e-8  # the coefficient takes part in an alias
    estimate[lost], cov[lost], cov[:, lost] = math.nan, math.nan, math.nan
    rest = target - u[:, :rank] @ known
    return estimate, cov, _variance(rows.triangle[p, p] ** 2 + rest @ rest, rows.n_w - rank)


def _variance(rss, freedom):
    return rss / freedom if freedom > 0 else math.nan


def null_mode(fit):
    """(p,) the intercept of the intercept-only model, and zeros."""
    null = np.zeros(len(fit.names))
    if fit.names[0] == "(Intercept)":
        null[0] = fit.rows.triangle[0, -1] / fit.rows.triangle[0, 0]
    return null


def typical_dispersion(fit):
    """The posterior mean of the dispersion, or the median of its draws where that is infinite."""
    mean = fit.moments.dispersion_mean
    return mean if math.isfinite(mean) else float(np.median(fit.draws.dispersion))


def expected_deviance(fit):
    """Posterior expectation of -2 log-likelihood by quadrature over the precision."""
    t, weight, errors = fit.posterior.scaled_errors()
    return float(weight @ (fit.rows.n_w * (LOG_2PI - t) + errors) - fit.rows.log_weights)


def restrict(fit, columns):
    """The fit with only `columns` of the design, the prior being what the full prior says about those coefficients."""
    triangle = np.zeros((len(columns) + 1, len(columns) + 1))
    reduced = np.linalg.qr(fit.rows.triangle[:, [*columns, -1]], mode="r")
    triangle[: reduced.shape[0]] = reduced
    rows = Rows(triangle, *fit.rows[1:])
    prior = fit.prior.restricted(fit.names, columns)
    names = tuple(fit.names[i] for i in columns)
    design = replace(fit.design, X=np.ascontiguousarray(fit.design.X[:, columns]), names=names)
    posterior = prior.build(rows, prior.coefficient_for(names, len(columns)))
    return replace(fit, design=design, prior=prior, posterior=posterior, rows=rows)


def sequential(fit):
    """See `Fit.anova`.

    Returns
    -------
    pandas.DataFrame
        One row per term in order: columns it adds, log evidence and exact LOO of the model up to it, and their gain.
    """
    import pandas as pd

    if fit.prior.knows_coefficients:
        raise InputError("anova needs a prior on the coefficients; dGamma keeps them fixed.")
    table, columns = [], []
    for term in fit.design.terms:
        added = list(range(*term.columns.indices(len(fit.names))))
        columns += added
        step = fit.restricted(columns)
        try:
            evidence = step.log_marginal_likelihood()
        except InputError:
            evidence = math.nan
        score = step.loo()
        deviance = step.expected_deviance()
        table.append((term.name, len(added), evidence, score.elpd, score.se, deviance))
    frame = pd.DataFrame(
        table, columns=["term", "df", "log_evidence", "elpd_loo", "se", "expected_deviance"]
    ).set_index("term")
    frame.insert(2, "log_bayes_factor", frame["log_evidence"].diff())
    frame.insert(4, "elpd_gain", frame["elpd_loo"].diff())
    return frame


_DATA = ("data", "y", "X")


def without_data(arguments):
    """The arguments of a fitting call that go into a pickle: neither data nor a function that cannot be imported."""
    kept = {key: value for key, value in arguments.items() if key not in _DATA}
    kept["data_left_out"] = True
    prior = kept.get("pfamily")
    if callable(prior):
        home = sys.modules.get(getattr(prior, "__module__", None))
        if getattr(home, getattr(prior, "__qualname__", ""), None) is not prior:
            kept["pfamily"] = LOST
    return kept


LOST = "a function that could not be pickled"


def update(fit, formula, pfamily, n, rng, changes):
    """See `Fit.update`."""
    arguments = dict(fit.arguments)
    function = arguments.pop("function")
    if arguments.pop("data_left_out", False) and not any(changes.get(name) is not None for name in _DATA):
        raise InputError("this fit was unpickled and no longer holds its data: give data=.")
    if formula is not None:
        if fit.arguments["formula"] is None:
            raise InputError("this model was fitted without a formula: give X= and names= instead.")
        arguments["formula"] = updated_formula(fit.formula, formula)
    if pfamily is not None:
        arguments["pfamily"] = pfamily
    elif isinstance(arguments["pfamily"], str) and arguments["pfamily"] == LOST:
        raise InputError("the function that made this fit's prior could not be pickled: give pfamily=.")
    arguments["n"] = fit.n_draws if n is None else n
    arguments["rng"] = rng
    arguments.update(changes)
    return function(**arguments)


def updated_formula(old, new):
    """R's update: a lone dot stands for the old side, as in ". ~ . + x"."""
    if "~" not in new:
        raise InputError(f"an updated formula needs a ~, as in '. ~ . + x'; got {new!r}.")
    old_left, old_right = (side.strip() for side in old.split("~", 1))
    left, right = (side.strip() for side in new.split("~", 1))
    left = old_left if left in (".", "") else left
    pieces = []
    for i, ch in enumerate(right + " "):
        before = right[i - 1] if i else " "
        after = right[i + 1] if i + 1 < len(right) else " "
        lone = ch == "." and not (before.isalnum() or before in "._") and not (after.isalnum() or after in "._")
        pieces.append(f"({old_right})" if lone else ch)
    return f"{left} ~ {''.join(pieces).strip()}"
