"""Parameters of the default priors of generalised linear models."""

import math

import numpy as np

from glmbayes.errors import InputError
from glmbayes.kernels.gamma_dispersion import gamma_half_deviance, group_weights, stirling_slopes


def glm_parameters(fit, name, pwt, sd, n_prior, k, dispersion):
    """Prior covariance, coefficients and dispersion, and the Gamma family's prior of 1 / dispersion.

    The covariance is V0 (1 - pwt) / pwt, V0 = dispersion * inverse information with Pearson's dispersion (1 for
    Poisson and binomial responses).  The Gamma family's `dispersion` is its maximum-likelihood estimate given the
    fitted means.  A `dispersion` that the user gives takes the place of both.

    Parameters
    ----------
    fit : MLFit
    name : str
        Of the family.
    pwt : float or (p,) array
    sd : (p,) array or None
    n_prior : float or None
    k : float
    dispersion : float or None
    """
    unit = fit.dispersion if dispersion is None else dispersion
    spread = np.sqrt(unit * (1.0 - pwt) / pwt) * fit.root.T  # columns scaled: one for each coefficient
    Sigma = spread.T @ spread
    if sd is not None:
        np.fill_diagonal(Sigma, sd**2)
    parameters = {"Sigma": Sigma, "coefficients": fit.coefficients, "dispersion": unit}
    if name == "Gamma":
        phi = gamma_ml_dispersion(fit.y, fit.fitted, fit.weights) if dispersion is None else dispersion
        parameters |= {"dispersion": phi, "shape": 0.5 * (n_prior + k), "rate": 0.5 * phi * n_prior}
    return parameters


def gamma_ml_dispersion(y, mu, weights):
    """Maximum-likelihood dispersion of Gamma responses with known means, shapes weights / dispersion.

    With v = 1 / dispersion and half the deviance D the score is zero where D v = n/2 + sum s(w v), with
    s(x) = x (log x - digamma(x)) - 1/2 falling from 1/2 to 0; solved by secants in log v.

    Parameters
    ----------
    y, mu, weights : (n,) arrays
        Weights positive.
    """
    half_deviance = gamma_half_deviance(y, mu, weights)
    if not half_deviance > 0.0:
        raise InputError("the model fits the response exactly: its dispersion cannot be estimated.")
    n = y.shape[0]
    values, counts = np.empty(n), np.empty(n)
    distinct = group_weights(weights, values, counts)
    values, counts = values[:distinct], counts[:distinct]

    def target(t):
        return math.log((0.5 * n + stirling_slopes(math.exp(t), values, counts)) / half_deviance)

    before, now = math.log(0.5 * n / half_deviance), math.log(0.75 * n / half_deviance)
    gap_before, gap = target(before) - before, target(now) - now
    for _ in range(50):
        if abs(gap) <= 4e-16 * max(1.0, abs(now)) or gap == gap_before:
            break
        before, now = now, now - gap * (now - before) / (gap - gap_before)
        gap_before, gap = gap, target(now) - now
    return math.exp(-now)
