"""Mode, information and whitened coordinates of a GLM posterior."""

from dataclasses import dataclass

import numpy as np

from glmbayes.errors import ImproperPosteriorError, SamplerError
from glmbayes.kernels import glm_mode
from glmbayes.kernels.jit import plain
from glmbayes.kernels.linalg import cholesky, invert_lower

_COMPILED_UP_TO = 2_000_000  # entries of X: beyond, passes are single calls from Python, so that Ctrl-C works
_PASS = 20_000_000  # entries of X per whitening product


@dataclass(frozen=True)
class Whitened:
    """The posterior in coordinates (z, c), theta = mode + unwhiten @ z + free @ c, with information I at the mode.

    The likelihood depends on z only; c, which exists when there are fewer rows than coefficients, is exactly N(0, I)
    and independent of z.

    Attributes
    ----------
    kernel : NamedTuple
        Family kernel type.
    y, weights, eta : (n,) arrays
        Response, positive weights, linear predictor at the mode (offset included).
    design : (n, k) array
        X @ unwhiten, k = min(n, p).
    mode : (p,) array
    unwhiten : (p, k) array
    free : (p, p - k) array
    prior : (k, k) array
        unwhiten' P unwhiten, the prior's share of the information.
    gradient : (k,) array
        Whitened gradient left at the mode (rounding).
    log_peak : float
        log-likelihood + log prior at the mode, without constants.
    log_det : float
        log det H.
    """

    kernel: tuple
    y: np.ndarray
    weights: np.ndarray
    eta: np.ndarray
    design: np.ndarray
    mode: np.ndarray
    unwhiten: np.ndarray
    free: np.ndarray
    prior: np.ndarray
    gradient: np.ndarray
    log_peak: float
    log_det: float

    @property
    def size(self):
        """Number of whitened coordinates that the likelihood depends on."""
        return self.design.shape[1]

    @property
    def covariance(self):
        """Inverse information at the mode, (p, p)."""
        return self.unwhiten @ self.unwhiten.T + self.free @ self.free.T


def _inverse_factor(H):
    """L^-1 and the log determinant of H = L L'."""
    L = np.zeros_like(H)
    if not cholesky(H, L):
        raise ImproperPosteriorError(
            "prior and data leave some combination of the coefficients undetermined: the posterior's information "
            "matrix is singular. Give every coefficient a prior with finite variance, or drop collinear columns."
        )
    inverse = np.zeros_like(H)
    invert_lower(L, inverse)
    return inverse, 2.0 * float(np.sum(np.log(np.diag(L))))


def _multiply_in_place(A, M):
    step = max(1, _PASS // A.shape[1] ** 2)
    for lo in range(0, len(A), step):
        A[lo : lo + step] = A[lo : lo + step] @ M


def whiten(kernel, X, y, weights, offset, mu, precision):
    """Find the mode and whiten around it, twice (one Cholesky leaves 1e-6 on collinear or uncentred data).

    Parameters
    ----------
    kernel : NamedTuple
        Family kernel type (`family.kernel`).
    X : (n, p) array; y, weights, offset : (n,) arrays; mu : (p,) array; precision : (p, p) array
        C-contiguous float64, finite, weights positive; the precision (not covariance) may be singular.

    Raises
    ------
    ImproperPosteriorError
        Prior and data leave a direction undetermined.
    SamplerError
        The mode search does not converge.
    """
    n, _ = X.shape
    eta, row_score, omega = np.empty(n), np.empty(n), np.empty(n)
    search = glm_mode.find_mode
    if X.size > _COMPILED_UP_TO:
        search = plain(search, "evaluate")
    mode, L, log_peak, _, status = search(kernel, X, y, weights, offset, mu, precision, eta, row_score, omega)
    if status == glm_mode.NOT_POSITIVE_DEFINITE:
        _inverse_factor(np.zeros((1, 1)))
    if status != glm_mode.OK:
        raise SamplerError(
            "the posterior mode was not found: the log posterior is not finite or too flat near its maximum. "
            "Check the scale of the columns of X, of the offset and of the prior's standard deviations."
        )
    first = np.zeros_like(L)
    invert_lower(L, first)
    log_det = 2.0 * float(np.sum(np.log(np.diag(L))))
    design = np.empty_like(X)
    step = max(1, _PASS // X.shape[1] ** 2)
    for lo in range(0, n, step):
        np.dot(X[lo : lo + step], first.T, out=design[lo : lo + step])
    prior = first @ precision @ first.T
    H = prior.copy()
    for lo in range(0, n, step):
        glm_mode.add_weighted_gram(design[lo : lo + step], omega[lo : lo + step], H)
    second, log_det_second = _inverse_factor(0.5 * (H + H.T))
    _multiply_in_place(design, second.T)
    prior = second @ prior @ second.T
    unwhiten = first.T @ second.T
    free = np.empty((mode.size, 0))
    if n < mode.size:
        rotation = np.linalg.qr(design.T, mode="complete")[0]
        free = unwhiten @ rotation[:, n:]
        unwhiten = unwhiten @ rotation[:, :n]
        design = np.ascontiguousarray(design @ rotation[:, :n])
        prior = rotation[:, :n].T @ prior @ rotation[:, :n]
    gradient = row_score @ design - unwhiten.T @ (precision @ (mode - mu))
    return Whitened(
        kernel=kernel,
        y=y,
        weights=weights,
        eta=eta,
        design=design,
        mode=mode,
        unwhiten=unwhiten,
        free=free,
        prior=0.5 * (prior + prior.T),
        gradient=gradient,
        log_peak=log_peak,
        log_det=log_det + log_det_second,
    )
