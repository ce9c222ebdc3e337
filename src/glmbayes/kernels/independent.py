"""Independent normal prior on beta and any prior on the precision: exact draws through the marginal of t = log u."""

import math

import numpy as np

from glmbayes.kernels.jit import jit
from glmbayes.kernels.log_precision import (
    DONE,
    LogDensity,
    build_envelope,
    draw_log_precisions,
    logistic,
    new_envelope,
)
from glmbayes.kernels.spectral import spectral_form, to_coefficients


@jit
def marginal_log_precision(s, z, rss, n_w, sigma_prior, lower, upper):
    """The log density of t = log u given the data, beta integrated out.

    `sigma_prior` (6,) holds the prior's (power of u, rate of u, c, d, e, g): density of the precision
    u^power exp(-rate u - c / u - d / sqrt(u)) (u + g)^-e.
    """
    p = s.shape[0]
    extra = 1 if sigma_prior[4] > 0.0 else 0
    log_lambda = np.zeros(p + extra)
    h = np.zeros(p + extra)
    k = np.zeros(p + extra)
    unseen = 0.0
    for i in range(p):
        lam = s[i] * s[i]
        if lam > 0.0:
            log_lambda[i] = math.log(lam)
            h[i] = 0.5
            k[i] = 0.5 * z[i] * z[i] / lam
        else:
            unseen += z[i] * z[i]
    if extra == 1:
        log_lambda[p] = -math.log(sigma_prior[5])
        h[p] = sigma_prior[4]
    return LogDensity(
        sigma_prior[0] + 1.0 + 0.5 * n_w,
        sigma_prior[1] + 0.5 * (rss + unseen),
        sigma_prior[2],
        sigma_prior[3],
        log_lambda,
        h,
        k,
        lower,
        upper,
    )


@jit
def draw_given_log_precision(s, z, mu, transform, t, c):
    """Turn the standard normals `c` (p,) into a draw of beta given t = log u, in place."""
    for i in range(c.shape[0]):
        if s[i] > 0.0:
            x = t + 2.0 * math.log(s[i])
            c[i] = z[i] / s[i] * logistic(x) + math.sqrt(logistic(-x)) * c[i]
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
