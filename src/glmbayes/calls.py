"""What the fitting functions share: reading their arguments and printing the call."""

import difflib
import inspect

from glmbayes.design import array_design, build_design
from glmbayes.errors import InputError
from glmbayes.priors.base import Prior

_ALIASES = {"prior": "pfamily", "seed": "rng", "random_state": "rng", "draws": "n", "link": "family=binomial(link=...)"}


def refuse_unknown(function, unknown, aliases=_ALIASES):
    """Raise for keyword arguments that `function` does not have, with what was meant or the closest one that it has."""
    known = [name for name in inspect.signature(function).parameters if name != "unknown"]
    name = next(iter(unknown))
    close = difflib.get_close_matches(name, known, n=1)
    other = {"family": "glmb, for other families"} if "family" not in known else {}
    hint = {**aliases, **other}.get(name) or (close[0] if close else None)
    found = f" Did you mean {hint}?" if hint else f" It has {known}."
    raise InputError(f"{function.__name__} has no argument {name!r}.{found}")


def refuse_prior_as_data(function, formula, data):
    """Raise when a prior stands where the data belong."""
    if isinstance(data, Prior) or (callable(data) and not hasattr(data, "columns")):
        raise InputError(
            f"the second argument is data; got a prior. Write {function.__name__}({formula!r}, data, "
            f"pfamily={type(data).__name__}(...))."
        )


def design_of(arguments, env):
    """The design of a fitting call, from a formula or from arrays."""
    a = arguments
    if a["formula"] is None:
        if a["y"] is None or a["X"] is None:
            raise InputError("give a formula, or both y= and X=.")
        if a["data"] is not None or a["subset"] is not None:
            raise InputError("data and subset go with a formula; with y= and X= pass the rows that you want.")
        return array_design(
            a["y"], a["X"], names=a["names"], weights=a["weights"], offset=a["offset"], na_action=a["na_action"]
        )
    if a["y"] is not None or a["X"] is not None or a["names"] is not None:
        raise InputError("give a formula, or y= and X= (with names=), not both.")
    return build_design(
        a["formula"], a["data"], weights=a["weights"], offset=a["offset"], subset=a["subset"],
        na_action=a["na_action"], env=env,
    )  # fmt: skip


def chosen_prior(pfamily, setup, default=None):
    """(prior, whether it was built from the data): as given, from a function of the setup, or the setup's default.

    `setup` is called without arguments when the PriorSetup is needed.
    """
    if isinstance(pfamily, Prior):
        return pfamily, None
    if pfamily is not None and (not callable(pfamily) or isinstance(pfamily, type)):
        got = f"the class {pfamily.__name__}" if isinstance(pfamily, type) else repr(pfamily)
        raise InputError(
            f"pfamily must be a prior such as dNormal(mu, Sigma, dispersion), or a function of the PriorSetup that "
            f"returns one, such as lambda ps: ps.prior({default or 'dNormal'!r}); got {got}."
        )
    built = setup()
    prior = built.prior(default) if pfamily is None else pfamily(built)
    if not isinstance(prior, Prior):
        raise InputError(f"the function given as pfamily must return a prior; it returned {type(prior).__name__}.")
    return prior, built


def check_prior_length(prior, names):
    """Raise, listing the coefficients in order, when a prior has the wrong number of them."""
    known = prior.coefficient.mu if prior.coefficient is not None else getattr(prior, "beta", None)
    if known is not None and known.shape[-1] != len(names) and prior.names is None:
        raise InputError(
            f"the prior has {known.shape[-1]} coefficient(s) but the model has {len(names)}, in this order: "
            f"{list(names)}."
        )


def call_text(arguments, n):
    """The call as R prints it."""
    parts = [repr(arguments["formula"])] if arguments["formula"] is not None else ["y=..., X=..."]
    if "family" in arguments:
        parts.append(f"family={str(arguments['family'])!r}")
    pfamily = arguments["pfamily"]
    if pfamily is not None:
        name = pfamily.label if isinstance(pfamily, Prior) else getattr(pfamily, "__name__", "...")
        parts.append(f"pfamily={name}")
    for name in ("weights", "weights_type", "offset", "subset"):
        value = arguments.get(name)
        if value is not None:
            parts.append(f"{name}={value!r}" if isinstance(value, str) else f"{name}=...")
    if arguments.get("sampler", "auto") != "auto":
        parts.append(f"sampler={arguments['sampler']!r}")
    if n != 1000:
        parts.append(f"n={n}")
    return f"{arguments['function'].__name__}({', '.join(parts)})"
