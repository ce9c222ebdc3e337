"""The fitted generalised linear mixed model: what differs from the Gaussian one."""

from dataclasses import dataclass

import numpy as np

from glmbayes.checks import option
from glmbayes.errors import InputError
from glmbayes.fits.family_likelihood import FamilyLikelihood
from glmbayes.mixed import glm_groups, glm_predict
from glmbayes.mixed.fit import MixedFit

_LATENT_VARIANCE = {"logit": np.pi**2 / 3.0, "probit": 1.0, "cloglog": np.pi**2 / 6.0}


@dataclass(frozen=True, eq=False, repr=False)
class GLMMixedFit(MixedFit):
    """A fitted Bayesian generalised linear mixed model; `glmerb` returns one.

    Everything of `MixedFit`; fixed effects, group effects and their standard deviations are on the scale of the linear
    predictor, fitted values and predictions on that of the response unless asked otherwise.  The response of the
    binomial families is the fraction of successes; `design.fixed.weights` holds the numbers of trials.

    Attributes
    ----------
    distribution : Family
    """

    distribution: object = None

    has_residual = False

    @property
    def sigma(self):
        """There is none: raises InputError."""
        raise InputError(f"the {self.distribution} model has no residual standard deviation.")

    @property
    def likelihood(self):
        """Distribution of a response given its linear predictor."""
        return FamilyLikelihood(self.distribution)

    @property
    def model_line(self):
        """Family and link, for printing."""
        notes = "".join(f"; {note}" for note in glm_groups.notes(self))
        return f"Family: {self.distribution.name}, link: {self.distribution.link}{notes}"

    def shrinkage(self, factor=None):
        """Per group: rows, no-pooling and partial-pooling estimates, and how far it is pulled: DataFrame.

        The no-pooling estimate is the group's maximum likelihood, everything else at its posterior mean; NaN where
        there is none (a group whose responses are all at one end).
        """
        return glm_groups.shrinkage(self, factor)

    def icc(self):
        """(n_draws, factors) share of each factor's intercept in the variance of the latent response: DataFrame.

        A binomial response is a latent variable above 0, whose own variance the link fixes: pi^2/3 (logit), 1
        (probit), pi^2/6 (cloglog).
        """
        if self.distribution.link not in _LATENT_VARIANCE:
            raise InputError(
                f"icc is defined on the latent scale of binomial models; the {self.distribution} model has none. "
                "Compare the standard deviations of VarCorr() instead."
            )
        return super().icc()

    @property
    def residual_variance(self):
        """Variance of the latent response given its predictor; NaN where the link has none."""
        return _LATENT_VARIANCE.get(self.distribution.link, np.nan)

    def predict(
        self, newdata=None, kind="mean", level=0.95, *, re="all", scale="response", weights=None, offset=None, rng=None
    ):
        """Predict for the rows of the fit or for new data.

        Parameters
        ----------
        newdata : data frame or dict, optional
            Groups that the fit has seen get their own effects; a group that it has not seen gets one draw of the
            effect per posterior draw, shared by its rows; a missing group label gives NaN.
        kind : {"mean", "link", "draws", "response", "interval"}
            Posterior mean of the expected response, or of the linear predictor; draws (n_draws, rows) of the expected
            response; draws of new observations (binomial: fractions); table with mean, sd and interval.
        level : float
            Of the intervals.
        re : {"all", "none"}
            "none" is the population level: group effects 0.
        scale : {"response", "link"}
            Of "mean", "draws" and "interval".
        weights : (rows,) array or float, optional
            Trials of new binomial observations; default: the fit's own for its own rows, else 1.
        offset : (rows,) array, optional
            On the scale of the linear predictor, for new data when the fit used an offset array.
        rng : None, int or numpy.random.Generator
        """
        option(kind, "kind", ("mean", "link", "draws", "response", "interval"))
        option(re, "re", ("all", "none"))
        option(scale, "scale", ("response", "link"))
        if kind == "link":
            kind, scale = "mean", "link"
        return glm_predict.predict(self, newdata, kind, level, re, scale, weights, offset, rng)
