"""A family of your own: negative binomial counts with a known size k (variance mu + mu^2 / k) and the log link.

Its log-likelihood is a logistic one in disguise.  With theta = eta - log k and f = y / (y + k),

    y eta - (y + k) log(k + e^eta) = (y + k) (f theta - log(1 + e^theta)) + constant,

so every term that the samplers ask for is y + k times the logit's, and every bound stays a bound.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numba import njit
from scipy import special, stats

from glmbayes import dNormal, glmb
from glmbayes.families import Family, binomial
from glmbayes.kernels import family_terms as terms

LOGIT = binomial().kernel


class NegativeBinomialLog(NamedTuple):
    """Kernel type: the compiled samplers choose their terms by it."""

    size: float


@njit
def shift(fam, eta, y):
    """theta and f of the module's text."""
    return eta - math.log(fam.size), y / (y + fam.size)


def register(term, argument):
    """Register (y + k) times the logit's term; some have a further argument."""

    def with_argument(fam, eta, y, v):
        theta, f = shift(fam, eta, y)
        return (y + fam.size) * term(LOGIT, theta, f, v)

    def without(fam, eta, y):
        theta, f = shift(fam, eta, y)
        return (y + fam.size) * term(LOGIT, theta, f)

    term.register(NegativeBinomialLog)(with_argument if argument else without)


for term in (terms.loglik, terms.score, terms.curvature, terms.third):
    register(term, argument=False)
for term in (terms.bracket, terms.remainder, terms.curvature_min):
    register(term, argument=True)


@terms.cubic_c.register(NegativeBinomialLog)
def _(fam, eta, y, t):  # about log omega: a factor does not matter
    return terms.cubic_c(LOGIT, eta - math.log(fam.size), 0.5, t)


@terms.fourth_bounds.register(NegativeBinomialLog)
def _(fam, eta, y, t):
    up, down, growing = terms.fourth_bounds(LOGIT, eta - math.log(fam.size), 0.5, t)
    return (y + fam.size) * up, (y + fam.size) * down, (y + fam.size) * growing


@terms.start_eta.register(NegativeBinomialLog)
def _(fam, y, w):
    return math.log(y + 0.5)


@dataclass(frozen=True)
class NegativeBinomial(Family):
    """The response distribution on arrays, for predictions, residuals and the evidence."""

    name: str = "negative binomial"
    link: str = "log"
    size: float = 1.0

    self_concordant = True
    kernel = property(lambda self: NegativeBinomialLog(self.size))
    linkfun, linkinv, mu_eta = staticmethod(np.log), staticmethod(np.exp), staticmethod(np.exp)

    def variance(self, mu):
        return mu + mu**2 / self.size

    def deviance(self, y, mu, weights=1.0):
        k = self.size
        return 2.0 * weights * (special.xlogy(y, y / mu) - (y + k) * np.log((y + k) / (mu + k)))

    def check_response(self, y):
        if np.any(y < 0):
            raise ValueError("counts, please")

    def log_term(self, y, eta):
        return y * eta - (y + self.size) * np.logaddexp(math.log(self.size), eta)

    def log_base(self, y, weights, dispersion=1.0):
        k = self.size
        return weights * (special.gammaln(y + k) - special.gammaln(y + 1.0) - special.gammaln(k) + k * math.log(k))

    def random(self, rng, mu, weights=1.0, dispersion=1.0):
        return rng.negative_binomial(self.size, self.size / (self.size + mu)).astype(float)

    def cdf_limits(self, y, mu, weights=1.0, dispersion=1.0):
        law = stats.nbinom(self.size, self.size / (self.size + mu))
        return law.cdf(y - 1.0), law.cdf(y)


def main():
    rng = np.random.default_rng(5)
    x = np.column_stack([np.ones(60), rng.uniform(-1, 1, 60)])
    family = NegativeBinomial(size=3.0)
    y = family.random(rng, np.exp(x @ [1.0, 0.8]))
    prior = dNormal([0.0, 0.0], 4.0 * np.eye(2))
    a, b = (g.ravel() for g in np.meshgrid(np.linspace(-0.5, 2.5, 300), np.linspace(-1.5, 3.0, 300), indexing="ij"))
    eta = np.outer(a, x[:, 0]) + np.outer(b, x[:, 1])
    log_p = family.log_term(y, eta).sum(axis=1) - (a**2 + b**2) / 8.0
    p = np.exp(log_p - log_p.max())
    truth = np.array([a @ p, b @ p]) / p.sum()
    for sampler in ("grid", "radial"):
        fit = glmb(y=y, X=x, family=family, pfamily=prior, n=20_000, sampler=sampler, rng=1)
        z = (fit.posterior_mean - truth) / (fit.posterior_sd / math.sqrt(20_000))
        print(f"{sampler}: means {fit.posterior_mean.round(4).tolist()}, by quadrature {truth.round(4).tolist()}")
        if np.abs(z).max() > 4.5:
            raise SystemExit("draws and quadrature disagree")
    print(fit.sampler_report())


if __name__ == "__main__":
    main()
