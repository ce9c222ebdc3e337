"""The response of a generalised linear model, as one number and one weight per row."""

from typing import NamedTuple

import numpy as np

from glmbayes import families
from glmbayes.errors import InputError


class GLMResponse(NamedTuple):
    """Response and weights of every row of a design.

    Attributes
    ----------
    y : (n,) array
        In the family's support; the fraction of successes for the binomial families.
    weights : (n,) array
        Multiply log-likelihood terms: the weights argument (ones without one), times the trials of a response of two
        columns.
    """

    y: np.ndarray
    weights: np.ndarray

    @property
    def n(self):
        """Number of rows with positive weight."""
        return int(np.count_nonzero(self.weights))


def glm_response(design, family):
    """Turn the response of a design into what a family's log-likelihood takes.

    Binomial responses come as 0 and 1, as booleans, as a factor of two levels (the first one is failure), as
    fractions of successes with the numbers of trials as weights, or as cbind(successes, failures).  Nothing is
    rounded; see `response_notes` for what deserves a remark.

    Parameters
    ----------
    design : Design
    family : str or Family

    Returns
    -------
    GLMResponse
        (y, weights), both (n,).

    Raises
    ------
    InputError
        Values outside the family's support, a factor without exactly two levels, several columns that are not
        successes and failures, no positive weight.

    Examples
    --------
    >>> from glmbayes.design import build_design
    >>> from glmbayes.glm_response import glm_response
    >>> data = {"ill": [1, 0, 3], "well": [3, 0, 1], "dose": [1.0, 2.0, 3.0]}
    >>> y, trials = glm_response(build_design("cbind(ill, well) ~ dose", data), "binomial")
    >>> y, trials
    (array([0.25, 0.  , 0.75]), array([4., 0., 4.]))
    """
    family = families.get(family)
    binomial = family.name in ("binomial", "quasibinomial")
    y, response = design.y, design.response
    weights = np.ones(design.n) if design.weights is None else design.weights
    if y.ndim == 2:
        if not binomial:
            raise InputError(
                f"family {family.name!r} takes a response of one column; {response.name} has {y.shape[1]} "
                f"({', '.join(response.columns)}). cbind(successes, failures) goes with family='binomial'."
            )
        y, trials = _fractions(y, response)
        weights = weights * trials
    elif response.kind == "categorical" or (response.kind == "boolean" and not binomial):
        _check_categories(response, family, binomial)
    _check_support(y, response, family, binomial)
    if not weights.any():
        what = "weights (or numbers of trials)" if binomial else "weights"
        raise InputError(f"{what} must not all be zero: no observation is left.")
    return GLMResponse(y, weights)


def response_notes(y, weights, family):
    """What R warns about: counts or successes that are not whole numbers; a tuple of sentences, mostly empty.

    They are allowed: the log-likelihood is defined for them.
    """
    family = families.get(family)
    if family.name == "poisson":
        odd, what = y != np.rint(y), "counts are not whole numbers"
    elif family.name == "binomial":
        successes = weights * y
        odd = np.abs(successes - np.rint(successes)) > 1e-9 * np.maximum(1.0, weights)
        what = "numbers of successes (weight times fraction) are not whole"
    else:
        return ()
    odd = int(np.count_nonzero(odd & (weights > 0.0)))
    return (f"{what} in {odd} row{'s' * (odd > 1)}",) if odd else ()


def _fractions(counts, response):
    """(fraction of successes, trials) of a response of two columns; no trials are a fraction of 0."""
    if counts.shape[1] != 2:
        raise InputError(
            f"a binomial response of several columns must be cbind(successes, failures); {response.name} has "
            f"{counts.shape[1]} columns ({', '.join(response.columns)})."
        )
    negative = (counts < 0.0).any(axis=1)
    if negative.any():
        row = int(np.argmax(negative))
        raise InputError(
            f"{response.name} must hold numbers of successes and of failures, zero or more; row {row} is "
            f"({counts[row, 0]:g}, {counts[row, 1]:g}). The second column is failures (trials - successes)."
        )
    trials = counts.sum(axis=1)
    return counts[:, 0] / np.where(trials > 0.0, trials, 1.0), trials


def _check_categories(response, family, binomial):
    levels = response.levels
    shown = ", ".join(levels[:6]) + (", ..." if len(levels) > 6 else "")
    if not binomial:
        hint = " Use family='binomial' for a yes/no response." if len(levels) == 2 else ""
        raise InputError(
            f"family {family.name!r} needs a response of numbers; {response.name} is {response.kind} ({shown}).{hint}"
        )
    if len(levels) != 2:
        raise InputError(
            f"a categorical response must have two levels, failure and success, for family {family.name!r}; "
            f"{response.name} has {len(levels)} in these rows: {shown}. A boolean says which is success, for instance "
            f"I({response.name} == {levels[-1]!r})."
        )


def _check_support(y, response, family, binomial):
    try:
        family.check_response(y)
    except InputError as error:
        hint = ""
        if binomial and not (y < 0.0).any():
            hint = (
                " For counts of successes write cbind(successes, failures) ~ ..., or give successes / trials and "
                "weights=trials."
            )
        raise InputError(f"the response {response.name} {str(error).removeprefix('y ')}.{hint}") from None
