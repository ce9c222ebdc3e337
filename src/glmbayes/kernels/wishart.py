"""Wishart and inverse-Wishart draws of small matrices, and the covariance updates built on them.

With S = C C' (C lower triangular) and U upper triangular, U_ii^2 ~ chi2(df - (q - 1 - i)), U_ij ~ N(0, 1) above the
diagonal (Bartlett 1933, coordinates reversed), U U' ~ Wishart(df, I), so that

    Psi^-1 = C'^-1 U U' C^-1 ~ Wishart(df, S^-1)   and   Psi = L L',  L = C U'^-1 lower triangular:

one triangular solve gives the Cholesky factor of the covariance; nothing is inverted.
"""

import math

import numpy as np

from glmbayes.kernels.gamma import draw_gamma
from glmbayes.kernels.jit import jit
from glmbayes.kernels.linalg import cholesky


@jit
def _bartlett(rng, df, up):
    """Upper triangular U with U U' ~ Wishart(df, I)."""
    q = up.shape[0]
    for i in range(q):
        for j in range(i):
            up[i, j] = 0.0
        up[i, i] = math.sqrt(2.0 * draw_gamma(rng, 0.5 * (df - (q - 1 - i))))
        for j in range(i + 1, q):
            up[i, j] = rng.standard_normal()


@jit
def inverse_wishart_root(rng, df, scale, root):
    """Lower Cholesky factor L of Psi = L L' ~ inverse-Wishart(df, scale), into `root` (q, q).

    Psi^-1 ~ Wishart(df, scale^-1), E Psi = scale / (df - q - 1).  False when `scale` is not positive definite.
    """
    q = scale.shape[0]
    up = np.empty((q, q))
    if not cholesky(scale, root):
        return False
    _bartlett(rng, df, up)
    for i in range(q):  # row by row: solve x U' = (row of C), from the right end
        for j in range(i, -1, -1):
            s = root[i, j]
            for k in range(j + 1, i + 1):
                s -= root[i, k] * up[j, k]
            root[i, j] = s / up[j, j]
    return True


@jit
def multiply_root(root, out):
    """out = root root' for a lower triangular `root`."""
    q = root.shape[0]
    for i in range(q):
        for j in range(i + 1):
            s = 0.0
            for k in range(j + 1):
                s += root[i, k] * root[j, k]
            out[i, j] = s
            out[j, i] = s


@jit
def draw_wishart(rng, df, scale, out):
    """A Wishart(df, scale) matrix, E = df * scale, drawn into `out`.

    Parameters
    ----------
    rng : numpy.random.Generator
    df : float
        Degrees of freedom, > q - 1.
    scale, out : (q, q) float arrays
        Scale matrix, and what receives the draw.

    Returns
    -------
    bool
        False (and NaN in `out`) when `scale` is not positive definite or df too small.

    Examples
    --------
    >>> import numpy as np
    >>> from glmbayes import kernels
    >>> out = np.empty((2, 2))
    >>> kernels.draw_wishart(np.random.default_rng(1), 5.0, np.eye(2), out)
    True
    """
    q = scale.shape[0]
    low = np.empty((q, q))
    up = np.empty((q, q))
    if not df > q - 1.0 or not cholesky(scale, low):
        out[:] = math.nan
        return False
    _bartlett(rng, df, up)
    for i in range(q):  # low U: full, then times its transpose
        for j in range(q):
            s = 0.0
            for k in range(min(i, j) + 1):
                s += low[i, k] * up[k, j]
            out[i, j] = s
    up[:] = out
    for i in range(q):
        for j in range(i + 1):
            s = 0.0
            for k in range(q):
                s += up[i, k] * up[j, k]
            out[i, j] = s
            out[j, i] = s
    return True


@jit
def draw_inverse_wishart(rng, df, scale, out):
    """An inverse-Wishart(df, scale) matrix Psi, Psi^-1 ~ Wishart(df, scale^-1), drawn into `out`.

    The conditional of a group covariance in Hoff's sampler is df = eta_0 + m, scale = Psi_0 + sum_j a_j a_j'.

    Parameters
    ----------
    rng : numpy.random.Generator
    df : float
        Degrees of freedom, > q - 1; E Psi = scale / (df - q - 1).
    scale, out : (q, q) float arrays

    Returns
    -------
    bool
        False (and NaN in `out`) when `scale` is not positive definite or df too small.

    Examples
    --------
    >>> import numpy as np
    >>> from glmbayes import kernels
    >>> out = np.empty((2, 2))
    >>> kernels.draw_inverse_wishart(np.random.default_rng(1), 5.0, np.eye(2), out)
    True
    """
    root = np.empty(scale.shape)
    if not df > scale.shape[0] - 1.0 or not inverse_wishart_root(rng, df, scale, root):
        out[:] = math.nan
        return False
    multiply_root(root, out)
    return True


@jit
def huang_wand_scale(nu, mixing, squares, scale):
    """scale = squares + 2 nu diag(1 / mixing), the inverse-Wishart scale given the mixing variables."""
    q = squares.shape[0]
    for i in range(q):
        for j in range(q):
            scale[i, j] = squares[i, j]
        scale[i, i] += 2.0 * nu / mixing[i]


@jit
def draw_huang_wand_mixing(rng, nu, inverse_scales2, root, mixing):
    """Mixing variables a_k | Psi ~ IG((nu + q)/2, nu (Psi^-1)_kk + 1/A_k^2), Psi = root root', into `mixing`."""
    q = root.shape[0]
    inverse = np.empty(q)
    for k in range(q):
        # diagonal of (L L')^-1: squared length of L^-1 e_k
        total = 0.0
        for i in range(q):
            s = 1.0 if i == k else 0.0
            for j in range(k, i):
                s -= root[i, j] * inverse[j]
            if i < k:
                continue
            inverse[i] = s / root[i, i]
            total += inverse[i] * inverse[i]
        mixing[k] = (nu * total + inverse_scales2[k]) / draw_gamma(rng, 0.5 * (nu + q))


@jit
def draw_huang_wand(rng, nu, scales, effects, squares, mixing, out):
    """A sweep of the Huang-Wand prior: Psi given the effects and `mixing`, then `mixing` given Psi.

    Psi | a ~ IW(nu + q - 1, 2 nu diag(1/a_k)), a_k ~ IG(1/2, 1/A_k^2): every standard deviation is half-t(nu, A_k),
    and for nu = 2 the correlations are uniform (Huang & Wand 2013).

    Parameters
    ----------
    rng : numpy.random.Generator
    nu : float
        Degrees of freedom of the half-t standard deviations.
    scales : (q,) float array
        Their scales A_k.
    effects : float
        Number m of effect vectors N(0, Psi).
    squares : (q, q) float array
        Sum of their outer products.
    mixing : (q,) float array
        The auxiliary variables a_k, updated in place (start at 1).
    out : (q, q) float array
        Receives Psi.

    Returns
    -------
    bool
        False (and NaN in `out`) when a scale matrix is not positive definite.

    Examples
    --------
    >>> import numpy as np
    >>> from glmbayes import kernels
    >>> mixing, Psi = np.ones(2), np.empty((2, 2))
    >>> kernels.draw_huang_wand(np.random.default_rng(1), 2.0, np.full(2, 5.0), 8.0, 3 * np.eye(2), mixing, Psi)
    True
    """
    q = squares.shape[0]
    scale = np.empty((q, q))
    root = np.empty((q, q))
    huang_wand_scale(nu, mixing, squares, scale)
    if not inverse_wishart_root(rng, nu + q - 1.0 + effects, scale, root):
        out[:] = math.nan
        return False
    draw_huang_wand_mixing(rng, nu, scales**-2.0, root, mixing)
    multiply_root(root, out)
    return True
