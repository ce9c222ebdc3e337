"""The conjugate normal-gamma prior."""

import math

import numpy as np

from glmbayes.checks import count, scalar
from glmbayes.kernels.blocks import block_weights, normal_gamma_blocks
from glmbayes.kernels.log_precision import DONE
from glmbayes.posteriors.gamma_variates import inverse_gamma, standard_gamma
from glmbayes.posteriors.log_precision import LogPrecision
from glmbayes.posteriors.mixture import Mixture
from glmbayes.posteriors.normal import NormalPosterior
from glmbayes.posteriors.normal_gamma import NormalGammaPosterior
from glmbayes.priors.base import LARGEST_RATE, Prior, PriorDraws, by_draw, empty_blocks, in_pieces, of_blocks, set_field
from glmbayes.priors.coefficients import CoefficientPrior
from glmbayes.random import generator


class dNormal_Gamma(Prior):
    """Conjugate prior: 1/phi ~ Gamma(shape, rate) and beta | phi ~ N(mu, phi Sigma_0).

    Parameters
    ----------
    mu : (p,) array_like
        Prior mean of beta; named input is matched by name.
    Sigma_0 : (p, p) array_like
        Prior covariance of beta *in units of the dispersion phi* (dispersion-free); a scalar for p = 1.
    shape, rate : float
        Of the gamma distribution of the precision 1/phi: its prior mean is shape / rate.

    Raises
    ------
    InputError
        As for `dNormal`; also for infinite variances, which are ambiguous here.

    Examples
    --------
    >>> from glmbayes import dNormal_Gamma
    >>> dNormal_Gamma(0.0, 4.0, shape=2.0, rate=1.0)
    dNormal_Gamma: beta ~ N(mu, phi * Sigma_0)
                      mean  sd / sqrt(phi)
      beta[0]            0            2
      precision 1/phi ~ Gamma(shape = 2, rate = 1)
    """

    __slots__ = ("coefficient", "rate", "shape")

    def __init__(self, mu, Sigma_0, shape, rate):
        set_field(self, "coefficient", CoefficientPrior(mu, Sigma_0, "Sigma_0", allow_flat=False))
        set_field(self, "shape", scalar(shape, "shape", above=0.0))
        set_field(self, "rate", scalar(rate, "rate", above=0.0, at_most=LARGEST_RATE))

    @property
    def Sigma_0(self):
        return self.Sigma

    def _arguments(self):
        return {"mu": self.mu, "Sigma_0": self.Sigma, "shape": self.shape, "rate": self.rate}

    def _on_precision(self):
        return f"precision 1/phi ~ Gamma(shape = {self.shape:g}, rate = {self.rate:g})"

    def location_scale(self, dispersion):
        return self.coefficient.mu, self.coefficient.Sigma * dispersion

    def conditional(self, combinations):
        law = LogPrecision.of_gamma(self.shape, self.rate, 0.0, math.inf)
        t, weight = law.nodes
        var = np.einsum("ij,jk,ik->i", combinations, self.coefficient.Sigma, combinations)
        mean = np.broadcast_to(combinations @ self.coefficient.mu, (t.size, combinations.shape[0]))
        return Mixture(weight, t, mean, np.zeros(mean.shape), var, law.dispersion_moments[0])

    def given_dispersion(self, rows, dispersion):
        scaled = CoefficientPrior(self.coefficient.mu, self.coefficient.Sigma * dispersion)
        return NormalPosterior(rows, scaled, dispersion).moments()[:2]

    def build(self, rows, coefficient):
        return NormalGammaPosterior(rows, coefficient, self.shape, self.rate)

    def draw_blocks(self, n, data, names, frequency, rng):
        n_blocks, p = data[4].shape[0] - 1, data[1].shape[1]
        mu, low = self.coefficient.by_block(names, p, n_blocks)
        draws, dispersion, iters, mode = empty_blocks(n, n_blocks, p)
        n_w = np.empty(n_blocks)
        failure = block_weights(data[3], data[4], frequency, n_w)
        if failure[1] == DONE:
            for j in range(n_blocks):
                dispersion[j] = standard_gamma(rng, self.shape + 0.5 * n_w[j], n)

            def work(blocks, some, starts):
                part = draws[blocks, some]
                rng.standard_normal(out=part)
                varying = of_blocks(mu, blocks), of_blocks(low, blocks)
                return normal_gamma_blocks(
                    *data[:4], starts, *varying, self.rate, part, dispersion[blocks, some], mode[blocks]
                )

            failure = in_pieces(n, n_blocks, p, data[4], work)
        return by_draw(draws, dispersion, iters, mode, failure)

    def sample(self, n, rng=None):
        """`n` draws from the prior: coefficients (n, p) and dispersion (n,)."""
        n, rng = count(n), generator(rng)
        dispersion = inverse_gamma(rng, self.shape, self.rate, n)
        return PriorDraws(self.coefficient.sample(n, rng, dispersion), dispersion)
