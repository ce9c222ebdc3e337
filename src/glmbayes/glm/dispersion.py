"""The dispersion of a Gamma regression given its coefficients: the posterior behind `dGamma` for the Gamma family."""

import numpy as np

from glmbayes.errors import ImproperPosteriorError, SamplerError
from glmbayes.kernels import gamma_dispersion as kernel


class GammaDispersionPosterior:
    """Posterior of the dispersion phi = 1 / shape, the means known; 1/phi ~ Gamma(shape, rate) a priori.

    Parameters
    ----------
    y, mu, weights : (n,) arrays
        Responses, means, positive weights: y_i ~ Gamma(w_i / phi, rate w_i / (phi mu_i)).
    shape, rate : float
    disp_lower, disp_upper : float
        Limits of the dispersion; 0 and infinity for none.
    """

    def __init__(self, y, mu, weights, shape, rate, disp_lower=0.0, disp_upper=np.inf):
        values, counts = np.empty(y.size), np.empty(y.size)
        k = kernel.group_weights(weights, values, counts)
        self.limits = (disp_lower, disp_upper)
        self.arguments = (
            float(shape), float(rate), kernel.gamma_half_deviance(y, mu, weights), values[:k].copy(), counts[:k].copy(),
            float(disp_lower), float(disp_upper),
        )  # fmt: skip

    def draw(self, n, rng):
        """`n` exact draws of the dispersion, and the mean number of candidates."""
        return self._draws(n, self.arguments, rng)

    def draw_with(self, half_deviance, rng):
        """One draw of the dispersion for other means, through their half deviance: what a Gibbs sweep needs."""
        shape, rate, _, *rest = self.arguments
        return float(self._draws(1, (shape, rate, half_deviance, *rest), rng)[0][0])

    def _draws(self, n, arguments, rng):
        out = np.empty(n)
        status, candidates = kernel.gamma_dispersion_draws(rng, *arguments, out)
        if status == kernel.IMPROPER:
            raise ImproperPosteriorError(
                "the posterior of the dispersion is improper: every response equals its mean and the prior rate is 0, "
                "so the dispersion goes to 0. Use a positive rate or disp_lower."
            )
        if status != kernel.OK:
            raise SamplerError("internal error in the sampler of the dispersion. Please report this with the data.")
        return np.clip(np.exp(-np.clip(out, -700.0, 700.0)), *self.limits), candidates / n


def draw_given_coefficients(n, prior, y, x, offset, weights, names, rng):
    """Draws for `rglmb` under `dGamma`: coefficients (n, p) repeated, dispersion (n,), mode, candidates (n,)."""
    beta = prior.coefficient_for(names, x.shape[1])
    eta = x @ beta + (offset if offset.size else 0.0)
    posterior = GammaDispersionPosterior(
        y, np.exp(eta), weights if weights.size else np.ones(y.size), prior.shape, prior.rate,
        prior.disp_lower, prior.disp_upper,
    )  # fmt: skip
    dispersion, _ = posterior.draw(n, rng)
    return np.tile(beta, (n, 1)), dispersion, beta.copy(), np.ones(n, np.int64)
