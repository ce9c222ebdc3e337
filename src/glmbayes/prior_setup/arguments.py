"""The arguments of Prior_Setup: what weights mean, how much the prior weighs, values by coefficient name."""

from collections.abc import Mapping

import numpy as np

from glmbayes.checks import labels_of, option, scalar
from glmbayes.errors import InputError

_LEAST = 1e-200  # prior sample size: as a share of the rows it would vanish
_MANY = 14  # from this many coefficients on the default weight is larger


def resolve_weights_type(weights, weights_type):
    """What weights mean: whole numbers are frequencies; fractions must be declared.

    Returns None without weights.
    """
    if weights_type is not None:
        option(weights_type, "weights_type", ("frequency", "precision"))
    if weights is None:
        return None
    if weights_type is None:
        if not np.array_equal(weights, np.rint(weights)):
            odd = float(weights[np.argmax(weights != np.rint(weights))])
            raise InputError(
                f"weights hold fractions (for instance {odd:g}): say what they mean. weights_type='frequency': a "
                "weight counts observations, and the sample size is their sum; weights_type='precision': observation i "
                "has variance dispersion / weight[i] (as in R's lm), and the sample size is the number of rows."
            )
        return "frequency"
    return weights_type


def prior_weights(pwt, sd, n_prior, fit, dispersion, names, counts=True):
    """(pwt, sd, n_prior) from whichever of them was given.

    `counts`: whether n_prior sets the prior of a dispersion; where it does not, sd leaves it None (of several
    coefficients).
    """
    p, n_eff = len(names), fit.n_weights
    n_prior = None if n_prior is None else scalar(n_prior, "n_prior", above=0.0, at_least=_LEAST)
    if sd is not None:
        if pwt is not None:
            raise InputError("give pwt or sd, not both: sd sets the prior weight of each coefficient.")
        if n_prior is None and counts:
            raise InputError(
                "sd sets the prior of the coefficients only: give n_prior as well, the number of observations that the "
                "prior of the dispersion is worth (for instance n_prior=1)."
            )
        sd = by_name(sd, "sd", names)
        if not (sd > 0.0).all():
            raise InputError(f"sd must be positive (prior standard deviations, not variances); got {sd}.")
        unit = fit.dispersion if dispersion is None else dispersion
        variance = unit * np.sum(fit.root**2, axis=1)
        pwt = variance / (variance + sd**2)
        if n_prior is None and p == 1:
            n_prior = float(variance[0] / sd[0] ** 2) * n_eff
        return pwt, sd, n_prior
    if pwt is None:
        pwt = (0.01 if p < _MANY else 0.05) if n_prior is None else _weight_of(n_prior, n_eff)
        return pwt, None, pwt / (1.0 - pwt) * n_eff if n_prior is None else n_prior
    single = not isinstance(pwt, Mapping) and np.ndim(pwt) == 0
    pwt = scalar(pwt, "pwt") if single else by_name(pwt, "pwt", names)
    if not np.all((pwt > 0.0) & (pwt < 1.0)):
        raise InputError(f"pwt, the prior's weight against the data, must be between 0 and 1 (excluded); got {pwt}.")
    if not single and p == 1:
        pwt, single = float(pwt[0]), True
    if n_prior is None:
        mean = float(np.mean(pwt))
        return pwt, None, mean / (1.0 - mean) * n_eff
    return _weight_of(n_prior, n_eff) if single else pwt, None, n_prior


def _weight_of(n_prior, n_eff):
    """The prior's weight against that of `n_eff` observations."""
    weight = n_prior / (n_prior + n_eff)
    if not 1e-300 < weight < 1.0:
        raise InputError(
            f"n_prior, the number of observations that the prior is worth, is {n_prior:g} beside {n_eff:g}: "
            "too far apart for a weight between 0 and 1."
        )
    return weight


def by_name(value, name, names):
    """A value per coefficient, matched by name when it carries names."""
    labels = labels_of(value)
    array = np.asarray(list(value.values()) if isinstance(value, Mapping) else value)
    if array.dtype.kind not in "fiu" or array.ndim > 1:
        raise InputError(f"{name} must hold one number per coefficient ({', '.join(names)}); got {value!r}.")
    array = np.atleast_1d(array.astype(np.float64))
    if labels is not None and sorted(labels) != sorted(names):
        raise InputError(
            f"the names of {name} do not match the coefficients: got {', '.join(labels)}; the model has, in this "
            f"order, {', '.join(names)}."
        )
    if array.shape[0] != len(names):
        raise InputError(
            f"{name} must have one entry per coefficient, in this order: {', '.join(names)} ({len(names)}); "
            f"got {array.shape[0]}."
        )
    if not np.isfinite(array).all():
        raise InputError(f"{name} must be finite; got {array}.")
    if labels is None or tuple(labels) == tuple(names):
        return array
    if len(set(names)) < len(names):
        raise InputError(f"{name} cannot be matched by name: {', '.join(names)} are not all different. Use a list.")
    return array[[labels.index(n) for n in names]]
