"""What a Gaussian fit is compared with: maximum likelihood, the null model, smaller models."""

import math
from dataclasses import replace

import numpy as np

from glmbayes.errors import InputError
from glmbayes.posteriors.moments import LOG_2PI
from glmbayes.rows import Rows


def maximum_likelihood(fit):
    """Estimate (p,), dispersion-free covariance (X'WX)^-1 (p, p), and RSS / (n - p) (NaN without degrees of freedom).

    NaN for coefficients that the data alone do not identify.
    """
    triangle = fit.rows.triangle
    p = triangle.shape[0] - 1
    root = triangle[:p, :p]
    scale = np.linalg.norm(root, axis=0)
    s = np.linalg.svd(root / np.where(scale > 0, scale, 1.0), compute_uv=False)
    if s[-1] <= 1e-13 * s[0]:
        return np.full(p, math.nan), np.full((p, p), math.nan), math.nan
    inverse = np.linalg.inv(root)
    freedom = fit.rows.n - p
    dispersion = triangle[p, p] ** 2 / freedom if freedom > 0 else math.nan
    return inverse @ triangle[:p, p], inverse @ inverse.T, dispersion


def null_mode(fit):
    """(p,) the intercept of the intercept-only model, and zeros."""
    d = fit.design
    null = np.zeros(len(d.names))
    if d.names[0] == "(Intercept)":
        y = d.y if d.offset is None else d.y - d.offset
        null[0] = np.average(y, weights=d.weights)
    return null


def expected_deviance(fit):
    """Posterior expectation of -2 log-likelihood by quadrature over the precision."""
    rows = fit.rows
    p = rows.triangle.shape[0] - 1
    mixture = fit.conditional(rows.triangle[:p, :p])
    errors = rows.triangle[p, p] ** 2 + ((rows.triangle[:p, p] - mixture.mean) ** 2 + mixture.var).sum(axis=1)
    deviance = rows.n_w * (LOG_2PI - mixture.t) + np.exp(mixture.t) * errors - rows.log_weights
    return float(mixture.weight @ deviance)


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

    if fit.prior.coefficient is None:
        raise InputError("anova needs a prior on the coefficients; dGamma keeps them fixed.")
    table, columns = [], []
    for term in fit.design.terms:
        added = list(range(*term.columns.indices(len(fit.names))))
        columns += added
        step = restrict(fit, columns)
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


def update(fit, formula, pfamily, n, rng, changes):
    """See `Fit.update`."""
    arguments = dict(fit.arguments)
    if arguments.get("data", ...) is ... and "data" not in changes:
        raise InputError("this fit no longer holds its data (it was unpickled): give data=.")
    function = arguments.pop("function")
    if formula is not None:
        arguments["formula"] = updated_formula(fit.formula, formula)
    if pfamily is not None:
        arguments["pfamily"] = pfamily
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
