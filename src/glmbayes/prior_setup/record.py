"""What Prior_Setup returns: the parameters of the matching priors, and how they were set."""

from dataclasses import dataclass

import numpy as np

from glmbayes.checks import option
from glmbayes.design import Design

_PRIORS = ("dNormal", "dNormal_Gamma", "dIndependent_Normal_Gamma", "dGamma")


@dataclass(frozen=True, eq=False)
class PriorSettings:
    """How the prior was set.

    Attributes
    ----------
    pwt : float or (p,) array
        Weight of the prior against the data, per coefficient when they differ.
    n_prior : float
        Prior sample size.
    n_effective : float
        What the data count as: rows, or the sum of frequency weights.
    n_likelihood : float
        The same number, under the name that the R package also gives it.
    intercept_source, effects_source : str
        Where the prior means come from; "given" when `mu` was.
    k : float
        Added to n_prior in the shape of the Gamma prior.
    weights_type : str or None
        How weights were read; None without weights.
    dispersion_source : str
        "calibrated" or "given".
    """

    pwt: float | np.ndarray
    n_prior: float
    n_effective: float
    n_likelihood: float
    intercept_source: str
    effects_source: str
    k: float
    weights_type: str | None
    dispersion_source: str


@dataclass(frozen=True, eq=False, repr=False)
class PriorSetup:
    """Parameters of default priors for one model.

    Attributes
    ----------
    mu : (p,) array
        Prior means of the coefficients.
    Sigma : (p, p) array
        Prior covariance of the coefficients, on their own scale.
    Sigma_0 : (p, p) array
        The same for dispersion 1: given phi the covariance is phi * Sigma_0 (dNormal_Gamma).
    dispersion : float
        Residual variance to be used with dNormal.
    shape, rate : float
        Gamma prior of 1 / dispersion for dNormal_Gamma (a rate, not a scale).
    shape_ING : float
        Shape that goes with `rate` in dIndependent_Normal_Gamma.
    rate_gamma : float
        Rate that goes with `shape` in dGamma, the coefficients being fixed.
    coefficients : (p,) array
        The estimate shrunk towards mu by pwt: the fixed coefficients of dGamma.
    ml, ml_se : (p,) arrays
        Maximum-likelihood estimate and its standard error.
    settings : PriorSettings
    design : Design
    family : str
    """

    mu: np.ndarray
    Sigma: np.ndarray
    Sigma_0: np.ndarray
    dispersion: float
    shape: float
    rate: float
    rate_gamma: float
    shape_ING: float
    coefficients: np.ndarray
    ml: np.ndarray
    ml_se: np.ndarray
    settings: PriorSettings
    design: Design
    family: str = "gaussian"

    @property
    def x(self):
        """(n, p) design matrix."""
        return self.design.X

    @property
    def y(self):
        """(n,) response."""
        return self.design.y

    @property
    def weights(self):
        """(n,) weights, or None."""
        return self.design.weights

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

    def prior(self, kind="dIndependent_Normal_Gamma"):
        """Build a prior from the parameters that belong together.

        Parameters
        ----------
        kind : str
            "dNormal" (mu, Sigma, dispersion), "dNormal_Gamma" (mu, Sigma_0, shape, rate),
            "dIndependent_Normal_Gamma" (mu, Sigma, shape_ING, rate) or "dGamma" (shape, rate_gamma, coefficients).
        """
        import pandas as pd

        from glmbayes import priors

        option(kind, "prior", _PRIORS)
        mu = pd.Series(self.mu, index=list(self.names))  # the prior keeps the names
        if kind == "dNormal":
            return priors.dNormal(mu, self.Sigma, dispersion=self.dispersion)
        if kind == "dNormal_Gamma":
            return priors.dNormal_Gamma(mu, self.Sigma_0, self.shape, self.rate)
        if kind == "dIndependent_Normal_Gamma":
            return priors.dIndependent_Normal_Gamma(mu, self.Sigma, self.shape_ING, self.rate)
        return priors.dGamma(self.shape, self.rate_gamma, self.coefficients)

    def __repr__(self):
        settings, names = self.settings, self.names
        width = max(len("coefficient"), *map(len, names))
        head = ("prior mean", "prior sd", "estimate", "std. error", "pwt")
        body = np.column_stack(
            [self.mu, np.sqrt(np.diag(self.Sigma)), self.ml, self.ml_se, np.broadcast_to(settings.pwt, self.mu.shape)]
        )
        lines = [
            f"Prior_Setup: {self.design.formula}  ({self.family}, {self.design.n} rows)",
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
        return (
            f"n_prior = {s.n_prior:.6g} against n_effective = {s.n_effective:.6g}{weights}; prior means: intercept "
            f"{s.intercept_source}, effects {s.effects_source}"
        )

    def _describe_priors(self):
        return [
            f"dispersion = {self.dispersion:.6g} ({self.settings.dispersion_source})",
            "matching priors, built by .prior(name):",
            "  dNormal                    mu, Sigma, dispersion",
            f"  dNormal_Gamma              mu, Sigma_0, shape = {self.shape:.6g}, rate = {self.rate:.6g}",
            f"  dIndependent_Normal_Gamma  mu, Sigma, shape_ING = {self.shape_ING:.6g}, rate = {self.rate:.6g}",
            f"  dGamma                     shape = {self.shape:.6g}, rate_gamma = {self.rate_gamma:.6g}, coefficients",
        ]
