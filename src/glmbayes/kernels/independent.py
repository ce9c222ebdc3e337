"""Independent normal prior on beta and any prior on the precision: exact draws through the marginal of t = log u."""

import math

import numpy as np

from glmbayes.kernels.jit import jit
from glmbayes.kernels.log_density import LogDensity, precision, shares
from glmbayes.kernels.log_precision import DONE, TOO_LARGE, build_envelope, draw_log_precisions, new_envelope
from glmbayes.kernels.spectral import spectral_form, to_coefficients

_RANK = 1e-14  # a singular value below this share of the largest is 0


@jit
def marginal_log_precision(s, z, rss, n_w, sigma_prior, lower, upper):
    """The log density of t = log u given the data, beta integrated out.

    `sigma_prior`, six floats, holds the prior's (power of u, rate of u, c, d, e, g): density of the precision
    u^power exp(-rate u - c / u - d / sqrt(u)) (u + g)^-e.
    """
    cut = 0.0
    if rss == 0.0 and sigma_prior[1] == 0.0:  # an exact fit: only the design's rank keeps u from infinity
        for i in range(s.shape[0]):
            cut = max(cut, _RANK * s[i])
    seen = 0
    for i in range(s.shape[0]):
        if s[i] > cut:
            seen += 1
    lam = np.empty(seen)
    k = np.empty(seen)
    m = 0
    errors = rss
    for i in range(s.shape[0]):
        if s[i] > cut:
            lam[m] = s[i] * s[i]
            k[m] = 0.5 * (z[i] / s[i]) ** 2
            m += 1
        elif cut == 0.0:
            errors += z[i] * z[i]
    return LogDensity(
        sigma_prior[0] + 1.0 + 0.5 * n_w,
        sigma_prior[1] + 0.5 * errors,
        sigma_prior[2],
        sigma_prior[3],
        sigma_prior[4],
        sigma_prior[5],
        lam,
        k,
        lower,
        upper,
    )


@jit
def draw_given_log_precision(s, z, mu, transform, t, c):
    """Turn the standard normals `c` (p,) into a draw of beta given t = log u, in place."""
    u = precision(t)
    for i in range(c.shape[0]):
        if s[i] > 0.0:
            share, rest = shares(s[i] * s[i] * u)
            c[i] = z[i] / s[i] * share + math.sqrt(rest) * c[i]
    to_coefficients(mu, transform, c)


@jit
def draws_given_log_precisions(s, z, mu, transform, t, draws):
    """`draws` (n, p) enters as standard normals and leaves as coefficients given `t` (n,)."""
    for i in range(t.shape[0]):
        draw_given_log_precision(s, z, mu, transform, t[i], draws[i])


@jit
def independent_draws(triangle, mu, low, n_w, sigma_prior, lower, upper, uniforms, draws, dispersion, iters, mode):
    """A few draws of (beta, dispersion), set-up included: what a Gibbs loop calls.

    `draws` (n, p) enters as standard normals; `dispersion` (n,) receives dispersions, `iters` (n,) candidates, `mode`
    (p,) the coefficients' mode at the mode of t.
    Returns a status of `log_precision`; on NEED_MORE repeat with longer `uniforms` and the same normals.
    """
    n, p = draws.shape
    s = np.empty(p)
    z = np.empty(p)
    transform = np.empty((p, p))
    rss = spectral_form(triangle, mu, low, s, z, transform)
    if math.isnan(rss):
        return TOO_LARGE
    f = marginal_log_precision(s, z, rss, n_w, sigma_prior, lower, upper)
    env = new_envelope()
    status = build_envelope(f, env)
    if status != DONE:
        return status
    iters[:] = 0
    t = np.empty(n)
    _, status = draw_log_precisions(f, env, uniforms, t, iters, 0)
    if status != DONE:
        return status
    mode[:] = 0.0
    draw_given_log_precision(s, z, mu, transform, env.scale[0], mode)
    for i in range(n):
        draw_given_log_precision(s, z, mu, transform, t[i], draws[i])
        dispersion[i] = math.exp(-max(min(t[i], 700.0), -700.0))
    return DONE
