"""Normal prior on the coefficients, the dispersion known."""

import math

import numpy as np

from glmbayes.checks import count, float_array, scalar
from glmbayes.errors import InputError
from glmbayes.kernels.blocks import normal_blocks
from glmbayes.kernels.linalg import all_positive
from glmbayes.posteriors.normal import NormalPosterior
from glmbayes.priors.base import Prior, PriorDraws, by_draw, empty_blocks, in_pieces, of_blocks, read_only, set_field
from glmbayes.priors.coefficients import CoefficientPrior
from glmbayes.random import generator


class dNormal(Prior):
    """Normal prior: beta ~ N(mu, Sigma), with the dispersion known.

    Parameters
    ----------
    mu : (p,) array_like
        Prior mean.  A pandas Series or a dict is matched to the coefficients by name.  (J, p) varies by block.
    Sigma : (p, p) array_like
        Prior covariance (variances on the diagonal); a scalar for p = 1.  An infinite variance (with zero covariances)
        makes a coefficient flat.  (J, p, p) varies by block.
    dispersion : float or (J,) array_like, optional
        The known residual variance.  Required for Gaussian and Gamma responses.

    Raises
    ------
    InputError
        Shapes that disagree, values that are not finite, a Sigma that is not symmetric positive definite.

    Notes
    -----
    Given the dispersion phi, beta | y ~ N(V (X'Wy / phi + P mu), V) with V = (X'WX / phi + P)^-1, P = Sigma^-1
    (Gelman et al. 2013, Bayesian Data Analysis, section 14.8).

    Examples
    --------
    >>> import numpy as np
    >>> from glmbayes import dNormal, rlmb
    >>> prior = dNormal([0.0, 0.0], np.eye(2), dispersion=1.0)
    >>> rlmb(3, [1.0, 2.0, 2.5], [[1, 0], [1, 1], [1, 2]], prior, rng=1).coefficients.shape
    (3, 2)
    """

    __slots__ = ("_dispersion", "coefficient")

    def __init__(self, mu, Sigma, dispersion=None):
        coefficient = CoefficientPrior(mu, Sigma)
        if isinstance(dispersion, float):
            dispersion = float(dispersion)
        if dispersion is not None and not (type(dispersion) is float and 0.0 < dispersion < math.inf):
            if isinstance(dispersion, (int, float)) or np.size(dispersion) == 1:
                dispersion = scalar(dispersion, "dispersion", above=0.0)
            else:
                dispersion = float_array(dispersion, "dispersion", 1).copy()
                if dispersion.size == 0 or not all_positive(dispersion):
                    raise InputError(f"dispersion must be positive and finite in every block; got {dispersion}.")
        set_field(self, "coefficient", coefficient)
        set_field(self, "_dispersion", dispersion)

    @property
    def dispersion(self):
        phi = self._dispersion
        return phi if phi is None or type(phi) is float else read_only(phi)

    def _arguments(self):
        return {"mu": self.mu, "Sigma": self.Sigma, "dispersion": self.dispersion}

    def _on_precision(self):
        phi = self.dispersion
        if phi is None:
            return ""
        return (
            f"dispersion = {float(f'{phi:.6g}')} (known)" if isinstance(phi, float) else f"dispersion = {phi} (known)"
        )

    def build(self, rows, coefficient):
        phi = self._dispersion
        if phi is None:
            raise InputError(
                "dNormal needs the dispersion (residual variance) of a Gaussian model: dNormal(mu, Sigma, "
                "dispersion=...). Prior_Setup(...).dispersion is a default; to estimate it use dNormal_Gamma or "
                "dIndependent_Normal_Gamma."
            )
        if type(phi) is not float:
            raise InputError("this prior's dispersion varies by block: use rlmb_blocks.")
        return NormalPosterior(rows, coefficient, phi)

    def draw_blocks(self, n, data, names, frequency, rng):
        n_blocks, p = data[4].shape[0] - 1, data[1].shape[1]
        mu, low = self.coefficient.by_block(names, p, n_blocks)
        phi = self._dispersion
        if phi is None:
            raise InputError("dNormal needs the dispersion of each block: dNormal(mu, Sigma, dispersion=...).")
        phi = dispersion_by_block(phi, n_blocks)
        draws, dispersion, iters, mode = empty_blocks(n, n_blocks, p)
        dispersion[:] = phi[:, None]

        def work(blocks, some, starts):
            part = draws[blocks, some]
            rng.standard_normal(out=part)
            varying = of_blocks(mu, blocks), of_blocks(low, blocks), of_blocks(phi, blocks)
            return normal_blocks(*data[:4], starts, *varying, part, mode[blocks])

        failure = in_pieces(n, n_blocks, p, data[4], work)
        return by_draw(draws, dispersion, iters, mode, failure)

    def sample(self, n, rng=None):
        """`n` draws from the prior: coefficients (n, p) and, when known, dispersion (n,)."""
        n = count(n)
        phi = self._dispersion
        if phi is not None and type(phi) is not float:
            raise InputError("a prior that varies by block cannot be sampled as one: build the block's own prior.")
        draws = self.coefficient.sample(n, generator(rng))
        return PriorDraws(draws, None if phi is None else np.full(n, phi))


def dispersion_by_block(phi, n_blocks):
    """(1 or J,) dispersions of `n_blocks` blocks."""
    phi = np.atleast_1d(phi)
    if phi.shape[0] not in (1, n_blocks):
        raise InputError(f"dispersion must be one number or one per block ({n_blocks}); got {phi.shape[0]}.")
    return phi
