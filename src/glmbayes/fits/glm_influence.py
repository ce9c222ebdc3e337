"""Which observations move a GLM's fit: leverage, one-step leave-one-out shifts, a Cook-like distance."""

import numpy as np

from glmbayes.errors import InputError
from glmbayes.glm.build import prior_parts

_ALONE = 1e-9  # one minus leverage below which rounding hides what is left without the row


def _information(fit):
    """Working weights, score per unit of predictor, and H^-1 with H = X'WX + P, at the posterior mean."""
    d, family = fit.design, fit.family
    if fit.prior.knows_coefficients:
        raise InputError("the coefficients are known under dGamma: no observation moves them.")
    eta = fit.linear_predictor
    mu, slope = family.linkinv(eta), family.mu_eta(eta)
    weights = np.ones(d.n) if d.weights is None else d.weights
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = slope / family.variance(mu)
    # saturated rows say nothing
    ratio = weights / fit.moments.dispersion_mean * np.where(np.isfinite(ratio), ratio, 0.0)
    work = ratio * slope
    coefficient = fit.prior.coefficient_for(d.names, d.p)
    precision = d.X.T @ (work[:, None] * d.X) + prior_parts(coefficient)
    scale = 1.0 / np.sqrt(np.diag(precision))
    inverse = np.linalg.inv(precision * np.outer(scale, scale)) * np.outer(scale, scale)
    return work, ratio * (d.y - mu), inverse


def leverage(fit):
    """h_i = w_i x_i' H^-1 x_i with the working (Fisher) weights and H = X'WX + P at the posterior mean."""
    work, _, inverse = _information(fit)
    return work * np.einsum("ij,ij->i", fit.design.X @ inverse, fit.design.X)


def influence(fit):
    """See `GLMFit.influence`."""
    import pandas as pd

    d = fit.design
    work, score, inverse = _information(fit)
    direction = d.X @ inverse
    spread = np.einsum("ij,ij->i", direction, d.X)
    hat = work * spread
    remain = np.where(1.0 - hat > _ALONE, 1.0 - hat, np.nan)
    pull = score / remain
    columns = {
        "hat": hat,
        "residual": d.y - fit.fitted(),
        "student": fit.residuals("pearson") / np.sqrt(remain),
        "cook": pull**2 * spread / len(fit.names),
    }
    columns.update({f"d_{name}": -direction[:, j] * pull for j, name in enumerate(fit.names)})
    return pd.DataFrame(columns, index=d.index)
