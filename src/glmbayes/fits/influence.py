"""Which observations move the fit: leverage, leave-one-out shifts, a Cook-like distance."""

import numpy as np


def leverage(fit):
    """h_i = w_i x_i' V x_i / phi, with the coefficients' posterior covariance V given phi = its posterior mean."""
    x = fit.design.X
    cov, phi = _conditional_cov(fit)
    w = np.ones(x.shape[0]) if fit.design.weights is None else fit.design.weights
    return w * np.einsum("ij,jk,ik->i", x, cov, x, optimize=True) / phi


def _conditional_cov(fit):
    """Covariance of the coefficients given the dispersion at its posterior mean (median where that is infinite)."""
    phi = fit.moments.dispersion_mean
    if not np.isfinite(phi):
        phi = float(np.median(fit.draws.dispersion))
    return fit.prior.conditional_covariance(fit.rows, phi), phi


def influence(fit):
    """See `Fit.influence`.

    Returns
    -------
    pandas.DataFrame
        ``hat``; ``residual`` (response minus fitted); ``student`` (leave-one-out standardised residual); ``cook``, the
        squared posterior-covariance distance by which the posterior mean moves without the row, over p; and a column
        ``d_<name>`` with that move for each coefficient.  The dispersion is held at its posterior mean.
    """
    import pandas as pd

    d = fit.design
    cov, phi = _conditional_cov(fit)
    w = np.ones(d.X.shape[0]) if d.weights is None else d.weights
    direction = d.X @ cov
    hat = w * (direction * d.X).sum(axis=1) / phi
    residual = d.y - fit.fitted()
    remain = np.maximum(1.0 - hat, 1e-300)
    move = -direction * (w * residual / (phi * remain))[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        student = residual * np.sqrt(w) / np.sqrt(phi * remain)
    cook = (w * residual / (phi * remain)) ** 2 * (hat * phi / np.where(w > 0, w, 1.0)) / len(fit.names)
    table = pd.DataFrame({"hat": hat, "residual": residual, "student": student, "cook": cook}, index=d.index)
    for j, name in enumerate(fit.names):
        table[f"d_{name}"] = move[:, j]
    return table
