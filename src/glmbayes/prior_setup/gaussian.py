"""Calibration of the Gaussian priors: covariance, dispersion, and the Gamma prior of its inverse."""

from typing import NamedTuple

import numpy as np

from glmbayes.errors import InputError


class GaussianCalibration(NamedTuple):
    """See `PriorSetup` for the meaning of the fields."""

    Sigma: np.ndarray
    Sigma_0: np.ndarray
    dispersion: float
    shape: float
    rate: float
    rate_gamma: float
    shape_ING: float
    coefficients: np.ndarray


def calibrate(fit, mu, pwt, sd, n_prior, k, dispersion):
    """Turn prior weights into the parameters of the Gaussian priors.

    With G = X'WX, phi = RSS / (n_eff - p) and Sigma_0 = Sigma / phi, the expected dispersion under the conjugate
    posterior is S / (n_eff - p), S = RSS + (b - mu)' (Sigma_0 + G^-1)^-1 (b - mu).  A `dispersion` that the user
    gives takes the place of RSS / (n_plus - p), phi, S / (n_eff - p) and RSS(b*) / (n_eff - p) alike, so that the
    parameters stay consistent with each other.

    Parameters
    ----------
    fit : GaussianMLFit
    mu : (p,) array
    pwt : float or (p,) array
    sd : (p,) array or None
        Prior standard deviations that pwt was derived from.
    n_prior, k : float
    dispersion : float or None
    """
    p = mu.shape[0]
    n_eff = fit.n_weights
    if not n_prior + k + p > 2.0:
        raise InputError(
            f"n_prior + k + (number of coefficients) must exceed 2 for the dispersion to have a prior mean; got "
            f"{n_prior:g} + {k:g} + {p}. Raise n_prior (or pwt) or k."
        )
    freedom = n_eff - p
    phi = fit.rss / freedom if dispersion is None else dispersion
    unit = fit.dispersion if dispersion is None else dispersion  # V0 = unit G^-1
    scale = np.broadcast_to(np.sqrt((1.0 - pwt) / pwt), (p,))
    spread = scale[:, None] * fit.root
    with np.errstate(over="ignore", invalid="ignore"):
        shrunk = spread @ spread.T  # s s' o G^-1
    if not np.isfinite(shrunk).all():
        raise InputError("a column is so small that prior variances overflow: use other units.")
    beta = (1.0 - pwt) * fit.coefficients + pwt * mu
    if dispersion is None:
        known = (fit.rss + _pull(fit, mu, spread, unit / phi)) / freedom
        fixed = fit.squared_errors(beta) / freedom
    else:
        known = fixed = dispersion
    if np.ndim(pwt) == 0 and sd is None:
        Sigma_0 = (unit / phi) * shrunk
        Sigma = (n_eff / n_prior * known) * (fit.root @ fit.root.T)
    else:
        Sigma = unit * shrunk
        if sd is not None:
            np.fill_diagonal(Sigma, sd**2)
        Sigma_0 = Sigma / known
    weight = 0.5 * (n_prior + k + p - 2.0)
    shape = 0.5 * (n_prior + k)
    return GaussianCalibration(Sigma, Sigma_0, known, shape, weight * known, weight * fixed, shape + 0.5 * p, beta)


def _pull(fit, mu, spread, ratio):
    """(b - mu)' (Sigma_0 + G^-1)^-1 (b - mu), Sigma_0 = ratio spread spread', in the basis where G^-1 is I."""
    d = fit.triangle @ (fit.coefficients - mu)
    k = fit.triangle @ spread
    inner = np.eye(d.shape[0]) + ratio * (k @ k.T)
    return float(d @ np.linalg.solve(inner, d))
