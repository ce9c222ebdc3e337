"""Groups' own estimates in a generalised linear mixed model, and remarks on its response."""

import numpy as np

from glmbayes.glm_response import response_notes
from glmbayes.mixed.glm_reduce import bounds, separating
from glmbayes.mixed.groups import pick_term, without_term

_STEPS = 100


def notes(fit):
    """Remarks on the response: counts that are not whole."""
    weights = np.ones(fit.design.n) if fit.design.fixed.weights is None else fit.design.fixed.weights
    return response_notes(fit.design.y, weights, fit.distribution)


def shrinkage(fit, factor):
    """See `GLMMixedFit.shrinkage`."""
    import pandas as pd

    k, term = pick_term(fit, factor)
    design, draws = fit.design, fit.draws
    population, rest = without_term(fit, term)
    w = np.ones(design.n) if design.fixed.weights is None else design.fixed.weights
    rows = []
    for j, label in enumerate(term.factor.labels):
        at = (term.factor.codes == j) & (w > 0.0)
        alone, information = _own(fit.distribution, design.y[at], term.Z[at], w[at], rest[at])
        partial = population + draws.effects[k][:, j].mean(axis=0)
        pull = np.nan
        if term.q == 1 and information is not None:
            pull = (1.0 / (1.0 + information[0, 0] * draws.covariance[k][:, 0, 0])).mean()
        for i, name in enumerate(term.names):
            count = int((term.factor.codes == j).sum())
            rows.append((label, name, count, alone[i], partial[i], population[i], pull))
    columns = ["group", "effect", "rows", "no_pooling", "partial_pooling", "population", "pull"]
    return pd.DataFrame(rows, columns=columns).set_index(["group", "effect"])


def _own(family, y, z, weights, offset):
    """Maximum likelihood of one group and the information there; (NaN, None) where there is no maximum."""
    none = np.full(z.shape[1], np.nan), None
    if not y.size or np.linalg.matrix_rank(z) < z.shape[1] or separating(z, *bounds(family, y)) is not None:
        return none
    a, step, value = np.zeros(z.shape[1]), None, -np.inf
    for _ in range(_STEPS):  # scoring; a step that lowers the likelihood is halved
        eta = offset + z @ a
        now = (weights * family.log_term(y, eta)).sum()
        if step is not None and not now >= value - 1e-12 * abs(value):
            step = 0.5 * step
            a = a - step
            continue
        value = now
        mu, slope = family.linkinv(eta), family.mu_eta(eta)
        share = weights * slope / np.maximum(family.variance(mu), 1e-300)
        information = z.T @ ((share * slope)[:, None] * z)
        score = z.T @ (share * (y - mu))
        step = np.linalg.lstsq(information, score)[0]
        if step @ score < 1e-16:
            return a, information
        a = a + step
    return none
