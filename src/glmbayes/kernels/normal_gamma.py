"""The conjugate normal-gamma posterior, in spectral coordinates."""

import math

import numpy as np

from glmbayes.kernels.jit import jit
from glmbayes.kernels.log_precision import DONE, IMPROPER_HIGH, TOO_LARGE
from glmbayes.kernels.spectral import spectral_form, to_coefficients


@jit
def explained_errors(s, z, rss):
    """S = rss + sum z_i^2 / (1 + s_i^2): what the gamma conditional's rate gains twice over."""
    total = rss
    for i in range(s.shape[0]):
        total += z[i] * z[i] / (1.0 + s[i] * s[i])
    return total


@jit
def draw_from_normal_gamma(s, z, mu, transform, dispersion, c):
    """Turn the standard normals `c` (p,) into a draw of beta given the dispersion, in place."""
    for i in range(c.shape[0]):
        v = 1.0 / (1.0 + s[i] * s[i])
        c[i] = s[i] * z[i] * v + math.sqrt(dispersion * v) * c[i]
    to_coefficients(mu, transform, c)


@jit
def draws_from_normal_gamma(s, z, mu, transform, rate, draws, dispersion):
    """`draws` (n, p) standard normals and `dispersion` (n,) standard gammas become draws, `rate` the posterior's."""
    for i in range(draws.shape[0]):
        dispersion[i] = min(rate / dispersion[i], 1e300)  # where gamma variates underflow
        draw_from_normal_gamma(s, z, mu, transform, dispersion[i], draws[i])


@jit
def normal_gamma_draws(triangle, mu, low, rate, draws, dispersion, mode):
    """Draws of (beta, dispersion) under dNormal_Gamma, set-up included: what a Gibbs loop calls.

    `draws` (n, p) enters as standard normals; `dispersion` (n,) enters as standard gammas with the posterior shape
    and leaves as dispersions; `mode` (p,) receives the posterior mode of beta.

    Returns a status of `log_precision`: IMPROPER_HIGH when the posterior rate is zero (an exact fit with a zero prior
    rate).
    """
    p = mu.shape[0]
    s = np.empty(p)
    z = np.empty(p)
    transform = np.empty((p, p))
    rss = spectral_form(triangle, mu, low, s, z, transform)
    if math.isnan(rss):
        return TOO_LARGE
    b = rate + 0.5 * explained_errors(s, z, rss)
    if not b > 0.0:
        return IMPROPER_HIGH
    mode[:] = 0.0
    draw_from_normal_gamma(s, z, mu, transform, 0.0, mode)
    draws_from_normal_gamma(s, z, mu, transform, b, draws, dispersion)
    return DONE
