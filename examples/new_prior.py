"""A prior of your own on a standard deviation: the gamma distribution that keeps it from 0.

Chung et al. (2013, Psychometrika 78, 685) put a gamma density with shape 2 on the standard deviation of groups:
p(sd) = rate^2 sd exp(-rate sd), 0 at sd = 0 and gentle everywhere else.  The samplers ask a prior for one thing,
its density in the precision u = 1 / sd^2, as powers and exponentials of u:

    constant * u^power * exp(-r u - c / u - d / sqrt(u)) * (u + g)^-e

With sd = u^-1/2 and |d sd / d u| = u^-3/2 / 2 that is rate^2 / 2 * u^-2 * exp(-rate / sqrt(u)).
"""

import math

import numpy as np
from scipy import stats
from scipy.integrate import quad

from glmbayes import datasets, lmerb
from glmbayes.priors.sigma import SigmaPrior


class dBoundaryAvoiding(SigmaPrior):
    """Gamma(2, rate) prior on a standard deviation."""

    __slots__ = ()

    def __init__(self, rate):
        terms = -2.0, 0.0, 0.0, rate, 0.0, 1.0  # power, r, c, d, e, g
        self._set({"rate": rate}, terms, log_constant=math.log(rate**2 / 2.0))

    def _sample(self, n, rng):
        return rng.gamma(2.0, 1.0 / self.arguments["rate"], n)


def main():
    prior = dBoundaryAvoiding(0.1)
    # the density is the one meant, and the draws are from it
    total = quad(lambda sd: math.exp(prior.log_density(sd)), 0.0, np.inf)[0]
    fits = stats.kstest(prior.sample(10_000, rng=1), stats.gamma(2.0, scale=10.0).cdf).pvalue
    print(f"{prior}: density integrates to {total:.6f}; p-value of its draws {fits:.2f}")
    # a mixed model takes it like any other prior, and draws exactly
    data = datasets.load("eight_schools")
    fit = lmerb("estimate ~ 1 + (1 | school)", data, {"school": prior}, se="sd", n=20_000, rng=1)
    tau = np.sqrt(fit.draws.covariance[0][:, 0, 0])
    # the same posterior mean by quadrature over tau, mu integrated out
    y, v = data["estimate"].to_numpy(), data["sd"].to_numpy() ** 2
    grid = np.linspace(1e-4, 150.0, 200_001)
    w = 1.0 / (v[:, None] + grid**2)
    mu = (w * y[:, None]).sum(axis=0) / w.sum(axis=0)
    log_p = 0.5 * np.log(w).sum(axis=0) - 0.5 * np.log(w.sum(axis=0)) - 0.5 * (w * (y[:, None] - mu) ** 2).sum(axis=0)
    p = np.exp(log_p - log_p.max() + prior.log_density(grid))
    exact, error = (grid * p).sum() / p.sum(), tau.std() / math.sqrt(tau.size)
    print(f"posterior mean of the schools' sd: {tau.mean():.3f} ± {error:.3f} from draws, {exact:.3f} by quadrature")
    if abs(total - 1.0) > 1e-8 or fits < 1e-4 or abs(tau.mean() - exact) > 4.5 * error:
        raise SystemExit("the new prior is not what it should be")


if __name__ == "__main__":
    main()
