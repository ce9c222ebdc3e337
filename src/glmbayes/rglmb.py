"""rglmb: arrays in, exact draws of a generalised linear model out."""

import time
from dataclasses import dataclass

import numpy as np

from glmbayes import families
from glmbayes.checks import any_float_array, count, float_array, labels_of, refuse_rows, regression_arrays
from glmbayes.errors import InputError
from glmbayes.families.base import Family
from glmbayes.glm.build import normal_posterior, refuse_poor_grid
from glmbayes.glm.dispersion import draw_given_coefficients
from glmbayes.glm.gamma_gibbs import GammaGibbs
from glmbayes.glm.report import SamplerReport
from glmbayes.kernels.glm_input import scan_rows
from glmbayes.priors.base import Prior
from glmbayes.priors.gamma import dGamma
from glmbayes.priors.independent_normal_gamma import dIndependent_Normal_Gamma
from glmbayes.priors.normal import dNormal
from glmbayes.random import generator
from glmbayes.rlmb import rlmb


@dataclass(frozen=True, slots=True, eq=False)
class GLMDraws:
    """What `rglmb` returns.

    Attributes
    ----------
    coefficients : (n, p) array
        Draws of the coefficients.
    dispersion : (n,) array
        Draws of the dispersion, or the known value.
    coef_mode : (p,) array
        Posterior mode of the coefficients.
    iters : (n,) int array
        Candidates that each draw took.
    prior : the prior used.
    family : the family used.
    report : SamplerReport
        Which sampler, predicted and observed cost.
    """

    coefficients: np.ndarray
    dispersion: np.ndarray
    coef_mode: np.ndarray
    iters: np.ndarray
    prior: Prior
    family: Family
    report: SamplerReport

    def sampler_report(self):
        """What was chosen, predicted and observed; print it."""
        return self.report

    def __repr__(self):
        n, p = self.coefficients.shape
        kind = "" if self.report.exact else "; Markov chain draws, not independent"
        return (
            f"GLMDraws: {n} x {p} coefficients, {self.family} under {self.prior.label}, "
            f"{self.iters.mean():.3g} candidates per draw ({self.report.sampler}{kind})"
        )


def known_dispersion(family, prior):
    """The dispersion under which coefficients are drawn; 1 for the binomial and Poisson families."""
    phi = prior.dispersion
    if family.has_dispersion or family.quasi:
        if phi is None:
            estimated = (
                " dIndependent_Normal_Gamma estimates it too; dGamma(shape, rate, beta), given the coefficients."
            )
            raise InputError(
                f"family {family.name!r} needs a known dispersion: dNormal(mu, Sigma, dispersion=...); "
                f"Prior_Setup(...).dispersion is a default.{'' if family.quasi else estimated}"
            )
        return phi
    if phi is not None and np.any(np.asarray(phi) != 1.0):
        raise InputError(
            f"family {family.name!r} has no dispersion; got dispersion={phi}. "
            f"For overdispersion use family 'quasi{family.name}'."
        )
    return 1.0


def response_rows(y, x, offset, weights, family):
    """Checked arrays of a GLM (rows of weight 0 dropped): y, x, offset, weights (the last two empty for none).

    A binomial response may have two columns, successes and failures.
    """
    if type(y) is not np.ndarray:
        y = any_float_array(y, "y")
    if family.name.endswith("binomial") and np.ndim(y) == 2 and np.shape(y)[1] == 2:
        if weights is not None:
            raise InputError("weights cannot be combined with a two-column response: its rows already count trials.")
        y = float_array(y, "y", 2)
        weights = y.sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            y = np.where(weights > 0.0, y[:, 0] / weights, 0.0)
    y, x, offset, weights = regression_arrays(y, x, offset, weights)
    facts = np.empty(3)
    if not scan_rows(y, x, offset, weights, facts):
        refuse_rows(y, x, offset, weights)
    lowest, highest, used = facts
    if not (lowest >= 0.0 and highest <= 1.0) or family.has_dispersion:  # [0, 1] suits all the others
        family.check_response(y)
    if used == 0.0:
        raise InputError("weights must not all be zero: no observation is left.")
    if used < y.shape[0]:
        keep = weights > 0.0
        y, x, weights = y[keep], np.ascontiguousarray(x[keep]), weights[keep]
        offset = offset[keep] if offset.size else offset
    return y, x, offset, weights


def rglmb(n, y, x, family, pfamily, *, offset=None, weights=None, sampler="auto", rng=None, progress=False):
    """Draw from the posterior of a Bayesian generalised linear model.

    Every draw is exact and independent of the others, unless ``sampler="mcmc"`` is asked for.

    Parameters
    ----------
    n : int
        Number of draws.
    y : (N,) array_like
        Response: counts, positive numbers, 0/1 or fractions of successes (with `weights` the numbers of trials); or
        (N, 2), successes and failures.
    x : (N, p) array_like
        Design matrix, with a column of ones for an intercept.
    family : str or Family
        "binomial", "poisson", "Gamma", "gaussian", "quasibinomial", "quasipoisson"; with a link "binomial(probit)" or
        an object such as ``families.binomial("probit")``.
    pfamily : prior
        `dNormal` on the coefficients (with the dispersion, for families that have one).  For the Gamma family also
        `dGamma` on the precision, with its beta, and `dIndependent_Normal_Gamma` on both, by a Gibbs sampler that
        is labelled as one.  For an intercept alone `dBeta` on a probability and ``dGamma(shape, rate,
        Inv_Dispersion=False)`` on the mean of counts, or on one over the mean of Gamma responses.
    offset : (N,) array_like, optional
        Known part of the linear predictor.
    weights : (N,) array_like, optional
        Multiply the rows' log-likelihoods (binomial: trials); never rounded.
    sampler : {"auto", "grid", "radial", "tall", "mcmc"}
        "auto" takes the cheapest exact one.  "mcmc" is a Markov chain, labelled as such in the result.
    rng : None, int or numpy.random.Generator
        Source of randomness; the same int gives the same draws, so do not pass a constant int inside a loop.
    progress : bool
        Show a progress bar.

    Returns
    -------
    GLMDraws
        With ``coefficients`` (n, p), ``dispersion`` (n,), ``coef_mode`` (p,), ``iters`` (n,), ``prior``, ``family`` and
        ``report``.

    Raises
    ------
    InputError
        Missing or infinite values, shapes that disagree, a response outside the family's support.
    ImproperPosteriorError
        Prior and data leave no proper posterior.
    SamplerError
        No exact sampler is reasonable for this posterior.

    Examples
    --------
    >>> import numpy as np
    >>> from glmbayes import dNormal
    >>> from glmbayes.rglmb import rglmb
    >>> x = np.column_stack([np.ones(6), np.arange(6)])
    >>> fit = rglmb(2000, [0, 0, 1, 0, 1, 1], x, "binomial", dNormal([0, 0], 4 * np.eye(2)), rng=3)
    >>> bool(fit.coefficients[:, 1].mean() > 0)
    True
    """
    n = count(n)
    rng = generator(rng)
    family = families.get(family)
    if not isinstance(pfamily, Prior):
        raise InputError(f"pfamily must be a prior such as dNormal(mu, Sigma); got {type(pfamily).__name__}.")
    if not isinstance(pfamily, dNormal):
        return _other_prior(n, y, x, family, pfamily, offset, weights, rng, progress)
    started = time.perf_counter()
    dispersion = known_dispersion(family, pfamily)
    if type(dispersion) is not float:
        raise InputError("this prior's dispersion varies by block: use rglmb_blocks.")
    names = None if type(x) is np.ndarray else labels_of(x, axis=1)
    arrays = response_rows(y, x, offset, weights, family)
    coefficient = pfamily.coefficient_for(names, arrays[1].shape[1])
    posterior = normal_posterior(arrays, family, coefficient, dispersion, sampler, n)
    ready = time.perf_counter()
    drawn = posterior.draw(n, rng, progress)
    if drawn is None:
        refuse_poor_grid()
    coefficients, iters = drawn
    report = _report(posterior, iters, ready - started, time.perf_counter() - ready)
    phi = np.empty(n)
    phi.fill(dispersion)
    return GLMDraws(coefficients, phi, posterior.coef_mode, iters, pfamily, family, report)


def _report(posterior, iters, setup, drawing):
    exact = posterior.name != "mcmc"
    considered = ""
    if hasattr(posterior, "posterior"):
        considered = posterior.posterior.report()
    return SamplerReport(
        sampler=posterior.name,
        exact=exact,
        predicted=posterior.predicted,
        observed=float(iters.mean()) if exact else float("nan"),
        setup_seconds=setup,
        draw_seconds=drawing,
        considered=considered,
        ess=float(iters.size) if exact else float(np.min(posterior.ess)),
        rhat=float("nan") if exact else float(np.max(posterior.rhat)),
    )


def _other_prior(n, y, x, family, prior, offset, weights, rng, progress):
    """Priors that are not normal on the coefficients: they draw themselves."""
    if family.name == "gaussian":
        fit = rlmb(n, y, x, prior, offset=offset, weights=weights, rng=rng)
        report = SamplerReport("rlmb", True, float("nan"), float(fit.iters.mean()), 0.0, 0.0, ess=float(n))
        return GLMDraws(fit.coefficients, fit.dispersion, fit.coef_mode, fit.iters, prior, family, report)
    if isinstance(prior, dIndependent_Normal_Gamma) and family.has_dispersion:
        return _unknown_dispersion(n, y, x, family, prior, offset, weights, rng, progress)
    if not (hasattr(prior, "glm_draws") or (isinstance(prior, dGamma) and family.has_dispersion)):
        raise InputError(
            f"{type(prior).__name__} is not a prior for family {family.name!r}: use dNormal(mu, Sigma"
            + (", dispersion=...)." if family.has_dispersion else ").")
        )
    names = None if type(x) is np.ndarray else labels_of(x, axis=1)
    started = time.perf_counter()
    rows = response_rows(y, x, offset, weights, family)
    if isinstance(prior, dGamma):
        name = "dispersion"
        coefficients, dispersion, mode, iters = draw_given_coefficients(n, prior, *rows, names, rng)
    else:
        name = prior.glm_sampler
        coefficients, dispersion, mode, iters = prior.glm_draws(n, *rows, family, names, rng)
        family = prior.family_for(family)
    took = time.perf_counter() - started
    report = SamplerReport(name, True, float("nan"), float(iters.mean()), 0.0, took, ess=float(n))
    return GLMDraws(coefficients, dispersion, mode, iters, prior, family, report)


def _unknown_dispersion(n, y, x, family, prior, offset, weights, rng, progress):
    """Coefficients and dispersion of the Gamma family together: Markov chain draws."""
    names = None if type(x) is np.ndarray else labels_of(x, axis=1)
    started = time.perf_counter()
    arrays = response_rows(y, x, offset, weights, family)
    posterior = GammaGibbs(arrays, family, prior.coefficient_for(names, arrays[1].shape[1]), prior)
    coefficients, dispersion, iters = posterior.draw(n, rng, progress)
    report = _report(posterior, iters, 0.0, time.perf_counter() - started)
    return GLMDraws(coefficients, dispersion, posterior.coef_mode, iters, prior, family, report)
