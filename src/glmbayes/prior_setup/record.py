"""What Prior_Setup returns: the parameters of the matching priors, and how they were set."""

from dataclasses import dataclass

import numpy as np

from glmbayes.checks import option
from glmbayes.design import Design
from glmbayes.glm_response import glm_response
from glmbayes.prior_setup.conjugate import ConjugateBinomial, ConjugatePoisson
from glmbayes.prior_setup.fit import MLFit

_GAUSSIAN = ("dNormal", "dNormal_Gamma", "dIndependent_Normal_Gamma", "dGamma")


@dataclass(frozen=True, eq=False)
class PriorSettings:
    """How the prior was set.

    Attributes
    ----------
    pwt : float or (p,) array
        Weight of the prior against the data, per coefficient when they differ.
    n_prior : float or None
        Prior sample size; None when sd sets the prior of coefficients only.
    n_effective : float
        What the data count as: rows, or the sum of frequency weights.
    n_likelihood : float
        The same number, under the name that the R package also gives it.
    intercept_source, effects_source : str
        Where the prior means come from; "given" when `mu` was.
    k : float
        Added to n_prior in the shape of the Gamma prior.
    weights_type : str or None
        How a Gaussian model's weights were read; None without weights.
    dispersion_source : str
        "calibrated" (Gaussian), "estimated" (Gamma, quasi), "fixed" at 1 (Poisson, binomial) or "given".
    """

    pwt: float | np.ndarray
    n_prior: float | None
    n_effective: float
    n_likelihood: float
    intercept_source: str
    effects_source: str
    k: float
    weights_type: str | None
    dispersion_source: str


@dataclass(frozen=True, eq=False, repr=False)
class PriorSetup:
    """Parameters of default priors for one model; what a family does not have is None.

    Attributes
    ----------
    mu : (p,) array
        Prior means of the coefficients.
    Sigma : (p, p) array
        Prior covariance of the coefficients, on their own scale.
    dispersion : float
        To be used with dNormal: residual variance (Gaussian), 1 / shape (Gamma), 1 (Poisson, binomial).
    coefficients : (p,) array
        The fixed coefficients of dGamma: the estimate, in Gaussian models shrunk towards mu by pwt.
    fit : MLFit
        Maximum likelihood.
    settings : PriorSettings
    design : Design
    family, link : str
    Sigma_0 : (p, p) array
        Gaussian: covariance for dispersion 1; given phi it is phi * Sigma_0 (dNormal_Gamma).
    shape, rate : float
        Gaussian, Gamma: Gamma prior of 1 / dispersion (a rate, not a scale), for dNormal_Gamma and, in the Gamma
        family, for dGamma.
    shape_ING : float
        Gaussian: shape that goes with `rate` in dIndependent_Normal_Gamma.
    rate_gamma : float
        Gaussian: rate that goes with `shape` in dGamma, the coefficients being fixed.
    conj_poisson : ConjugatePoisson
        Identity link: the Gamma prior of a rate.
    conj_binomial : ConjugateBinomial
        Identity link: the Beta prior of a probability.
    """

    mu: np.ndarray
    Sigma: np.ndarray
    dispersion: float
    coefficients: np.ndarray
    fit: MLFit
    settings: PriorSettings
    design: Design
    family: str = "gaussian"
    link: str = "identity"
    Sigma_0: np.ndarray | None = None
    shape: float | None = None
    rate: float | None = None
    shape_ING: float | None = None
    rate_gamma: float | None = None
    conj_poisson: ConjugatePoisson | None = None
    conj_binomial: ConjugateBinomial | None = None

    @property
    def ml(self):
        """(p,) maximum-likelihood estimate."""
        return self.fit.coefficients

    @property
    def ml_se(self):
        """(p,) its standard errors."""
        return self.fit.se

    @property
    def x(self):
        """(n, p) design matrix."""
        return self.design.X

    @property
    def y(self):
        """(n,) response; the fraction of successes of a binomial one."""
        return self.design.y if self.family == "gaussian" else glm_response(self.design, self.family).y

    @property
    def weights(self):
        """(n,) weights, times the trials of a response of two columns; None without either."""
        if self.design.weights is None and self.design.y.ndim == 1:
            return None
        return self.design.weights if self.family == "gaussian" else glm_response(self.design, self.family).weights

    @property
    def offset(self):
        """(n,) offset, or None."""
        return self.design.offset

    @property
    def names(self):
        """Coefficient names, in order."""
        return self.design.names

    @property
    def table(self):
        """DataFrame of prior mean and sd, estimate and standard error, and prior weight, by coefficient."""
        import pandas as pd

        columns = {
            "prior mean": self.mu,
            "prior sd": np.sqrt(np.diag(self.Sigma)),
            "estimate": self.ml,
            "std. error": self.ml_se,
            "pwt": np.broadcast_to(self.settings.pwt, self.mu.shape),
        }
        return pd.DataFrame(columns, index=list(self.names))

    @property
    def Sigma_table(self):
        """Sigma as a DataFrame, by coefficient."""
        import pandas as pd

        return pd.DataFrame(self.Sigma, index=list(self.names), columns=list(self.names))

    @property
    def kinds(self):
        """Names of the priors that `prior` builds."""
        if self.family == "gaussian":
            return _GAUSSIAN
        if self.link == "identity":
            return ("dGamma",) if self.family == "poisson" else ("dBeta",)
        return ("dNormal", "dGamma") if self.family == "Gamma" else ("dNormal",)

    def prior(self, kind=None):
        """Build a prior from the parameters that belong together.

        Parameters
        ----------
        kind : str, optional
            Gaussian: "dIndependent_Normal_Gamma" (mu, Sigma, shape_ING, rate), the default, "dNormal_Gamma" (mu,
            Sigma_0, shape, rate), "dNormal" (mu, Sigma, dispersion) or "dGamma" (shape, rate_gamma, coefficients).
            Gamma: "dNormal" (mu, Sigma, dispersion), the default, or "dGamma" (shape, rate, coefficients).  Others:
            "dNormal" (mu, Sigma), with the dispersion of quasi families.  Identity link: the conjugate prior, "dGamma"
            of a Poisson mean or "dBeta" of a probability.
        """
        import pandas as pd

        from glmbayes import priors

        if kind is None:
            kind = "dIndependent_Normal_Gamma" if self.family == "gaussian" else self.kinds[0]
        option(kind, "prior" if self.family == "gaussian" else f"prior for family {self.family!r}", self.kinds)
        if self.conj_poisson is not None:
            return priors.dGamma(self.conj_poisson.shape, self.conj_poisson.rate, Inv_Dispersion=False)
        if self.conj_binomial is not None:
            return priors.dBeta(self.conj_binomial.shape1, self.conj_binomial.shape2)
        mu = pd.Series(self.mu, index=list(self.names))  # the prior keeps the names
        if kind == "dNormal":
            known = self.settings.dispersion_source != "fixed"
            return priors.dNormal(mu, self.Sigma, dispersion=self.dispersion if known else None)
        if kind == "dNormal_Gamma":
            return priors.dNormal_Gamma(mu, self.Sigma_0, self.shape, self.rate)
        if kind == "dIndependent_Normal_Gamma":
            return priors.dIndependent_Normal_Gamma(mu, self.Sigma, self.shape_ING, self.rate)
        return priors.dGamma(self.shape, self.rate if self.rate_gamma is None else self.rate_gamma, self.coefficients)

    @property
    def _described_family(self):
        return self.family if self.family == "gaussian" else f"{self.family}({self.link})"

    def __repr__(self):
        settings, names = self.settings, self.names
        width = max(len("coefficient"), *map(len, names))
        head = ("prior mean", "prior sd", "estimate", "std. error", "pwt")
        body = np.column_stack(
            [self.mu, np.sqrt(np.diag(self.Sigma)), self.ml, self.ml_se, np.broadcast_to(settings.pwt, self.mu.shape)]
        )
        lines = [
            f"Prior_Setup: {self.design.formula}  ({self._described_family}, {self.design.n} rows)",
            "",
            f"{'coefficient':<{width}}" + "".join(f"{title:>13}" for title in head),
        ]
        shown = range(len(names)) if len(names) <= 25 else range(20)
        lines += [f"{names[i]:<{width}}" + "".join(f"{v:>13.6g}" for v in body[i]) for i in shown]
        if len(names) > 25:
            lines.append(f"... and {len(names) - 20} more")
        lines += ["", self._describe_settings(), "", *self._describe_priors()]
        return "\n".join(lines)

    def _describe_settings(self):
        s = self.settings
        weights = "" if s.weights_type is None else f", {s.weights_type} weights"
        worth = "" if s.n_prior is None else f"n_prior = {s.n_prior:.6g} against "
        return (
            f"{worth}n_effective = {s.n_effective:.6g}{weights}; prior means: intercept {s.intercept_source}, effects "
            f"{s.effects_source}"
        )

    def _describe_priors(self):
        if self.conj_poisson is not None:
            c = self.conj_poisson
            law = f"Gamma(shape = {c.shape:.6g}, rate = {c.rate:.6g})"
            return [f"conjugate prior of the mean, built by .prior(): {law}"]
        if self.conj_binomial is not None:
            c = self.conj_binomial
            return [f"conjugate prior of the probability, built by .prior(): Beta({c.shape1:.6g}, {c.shape2:.6g})"]
        lines = {"dNormal": "mu, Sigma" if self.settings.dispersion_source == "fixed" else "mu, Sigma, dispersion"}
        if self.family == "gaussian":
            lines["dNormal_Gamma"] = f"mu, Sigma_0, shape = {self.shape:.6g}, rate = {self.rate:.6g}"
            lines["dIndependent_Normal_Gamma"] = f"mu, Sigma, shape_ING = {self.shape_ING:.6g}, rate = {self.rate:.6g}"
            lines["dGamma"] = f"shape = {self.shape:.6g}, rate_gamma = {self.rate_gamma:.6g}, coefficients"
        elif self.family == "Gamma":
            lines["dGamma"] = f"shape = {self.shape:.6g}, rate = {self.rate:.6g}, coefficients"
        width = max(map(len, lines))
        return [
            f"dispersion = {self.dispersion:.6g} ({self.settings.dispersion_source})",
            "matching priors, built by .prior(name):",
            *(f"  {kind:<{width}}  {line}" for kind, line in lines.items()),
        ]
