"""Which observations move the fit: leverage, leave-one-out shifts, a Cook-like distance."""

import numpy as np

from glmbayes.fits.reference import typical_dispersion

_ALONE = 1e-9  # one minus leverage below which rounding hides what is left without the row


def leverage(fit):
    """h_i = w_i x_i' V x_i / phi, with the coefficients' posterior covariance V given phi = its posterior mean."""
    return _leverage(fit)[0]


def _leverage(fit):
    d = fit.design
    phi = typical_dispersion(fit)
    mean, cov = fit.prior.given_dispersion(fit.rows, phi)
    direction = d.X @ cov
    w = np.ones(d.X.shape[0]) if d.weights is None else d.weights
    return w / phi * np.einsum("ij,ij->i", direction, d.X), direction, mean, w, phi


def influence(fit):
    """See `Fit.influence`.

    Returns
    -------
    pandas.DataFrame
        ``hat``; ``residual`` (response minus fitted); ``student``, the residual from the fit without the row over its
        predictive standard deviation there; ``cook``, the squared distance, in the posterior covariance, by which the
        posterior mean moves without the row, over p; and a column ``d_<name>`` with that move for each coefficient.
        The dispersion is held at its posterior mean.  A row with a frequency weight leaves with all its copies.  NaN
        where the row alone determines a coefficient (hat = 1), so that nothing is known without it.
    """
    import pandas as pd

    d = fit.design
    hat, direction, mean, w, phi = _leverage(fit)
    error = d.y - fit.predictor_at(mean)
    remain = np.where(1.0 - hat > _ALONE, 1.0 - hat, np.nan)
    frequency = fit.likelihood.weights_type == "frequency"
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = 1.0 if frequency else 1.0 / w  # variances without the row, in units of phi: of a new response,
        known = np.where(w > 0.0, hat / w, (direction * d.X).sum(axis=1) / phi) / remain  # and of its mean
        student = error / remain / np.sqrt(phi * (spread + known))
    pull = w * error / (phi * remain)
    cook = pull**2 * (direction * d.X).sum(axis=1) / len(fit.names)
    columns = {"hat": hat, "residual": d.y - fit.fitted(), "student": student, "cook": cook}
    moves = -direction * pull[:, None]
    columns.update({f"d_{name}": moves[:, j] for j, name in enumerate(fit.names)})
    return pd.DataFrame(columns, index=d.index)
