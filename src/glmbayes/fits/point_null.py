"""Bayes factors of point hypotheses about a GLM's coefficients, from two evidences instead of a density estimate."""

from dataclasses import replace

import numpy as np
from scipy.linalg import null_space

from glmbayes.priors import dNormal


def log_bayes_factor(fit, row, value):
    """log p(y | row'beta = value) - log p(y): by Savage & Dickey the ratio of posterior to prior density there.

    Under the hypothesis beta = b0 + N g, N a basis of what `row` leaves free, and g has the prior's conditional
    distribution.

    Parameters
    ----------
    row : (p,) array
    value : float

    Raises
    ------
    InputError
        The model has no evidence: a quasi family, or flat coefficients.
    """
    design = fit.design
    base = row * (value / (row @ row))
    shift = design.X @ base + (0.0 if design.offset is None else design.offset)
    if row.size == 1:
        weights = design.weights
        constrained = fit.likelihood.log_lik(design.y, shift, fit.moments.dispersion_mean, weights).sum()
        return float(constrained) - fit.log_marginal_likelihood()
    mu, Sigma = fit.prior.location_scale(1.0)
    along = Sigma @ row / (row @ Sigma @ row)
    mean = mu + along * (value - row @ mu)
    cov = Sigma - np.outer(along, row @ Sigma)
    free = null_space(row[None, :])
    inner = free.T @ cov @ free
    prior = dNormal(free.T @ mean, 0.5 * (inner + inner.T), fit.prior.dispersion)
    names = tuple(f"free{i}" for i in range(free.shape[1]))
    reduced = replace(design, X=np.ascontiguousarray(design.X @ free), offset=shift, names=names)
    return fit.posterior.rebuilt(reduced, prior).log_evidence()[0] - fit.log_marginal_likelihood()
