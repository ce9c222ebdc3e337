"""Predictions of models whose posterior is known through its draws."""

import numpy as np

from glmbayes.fits.blocks import linear_predictor, observation_blocks
from glmbayes.posteriors.moments import sample_sd

INTERVAL_COLUMNS = ["mean", "sd", "lower", "upper", "new_sd", "new_lower", "new_upper"]


def mean(fit, x, shift):
    """(m,) posterior mean of the expected response."""
    out = np.empty(x.shape[0])
    for rows in observation_blocks(x.shape[0], fit.n_draws):
        out[rows] = fit.likelihood.mean(linear_predictor(fit.draws.coefficients, x, shift, rows)).mean(axis=0)
    return out


def intervals(fit, likelihood, x, shift, weights, level, index, rng):
    """Mean, sd and equal-tailed intervals of the expected response and of new observations."""
    import pandas as pd

    tails = (0.5 * (1.0 - level), 0.5 * (1.0 + level))
    columns = np.empty((x.shape[0], 7))
    for rows in observation_blocks(x.shape[0], fit.n_draws):
        eta = linear_predictor(fit.draws.coefficients, x, shift, rows)
        expected = likelihood.mean(eta)
        new = likelihood.sample(rng, eta, fit.draws.dispersion[:, None], None if weights is None else weights[rows])
        columns[rows, 0], columns[rows, 1] = expected.mean(axis=0), sample_sd(expected)
        columns[rows, 2:4] = np.quantile(expected, tails, axis=0).T
        columns[rows, 4] = sample_sd(new)
        columns[rows, 5:] = np.quantile(new, tails, axis=0).T
    return pd.DataFrame(columns, columns=INTERVAL_COLUMNS, index=index)
