"""The public functions as fuzzing calls them: what is called with which random arguments, and what makes it sound."""

import dataclasses
import math
import operator
import pickle

import numpy as np
from hypothesis import strategies as st

import glmbayes
from trust import fuzz_input as some


class UnsoundError(Exception):
    """A result that is not what it should be."""


def built(value):
    """Recipes as the objects they describe, in nested tuples and dicts too."""
    if isinstance(value, some.Recipe):
        return operator.attrgetter(value.kind)(glmbayes)(**{name: built(v) for name, v in value.arguments})
    if type(value) is tuple:
        return tuple(map(built, value))
    return {name: built(v) for name, v in value.items()} if type(value) is dict else value


def sound(value, shape=None, name="result", infinite=False):
    """Raise unless `value` has that shape and no NaN (nor, unless allowed, an infinity)."""
    array = np.asarray(value)
    if shape is not None and array.shape != shape:
        raise UnsoundError(f"{name} has shape {array.shape}, expected {shape}")
    if array.dtype.kind == "f" and not (np.isnan(array).sum() == 0 if infinite else np.isfinite(array).all()):
        raise UnsoundError(f"{name} is not finite: {array!r}")


def sound_parts(value, name="result", depth=0):
    """No NaN in anything numeric that a result is made of: arrays, tables, tuples, records."""
    if depth > 3 or value is None or isinstance(value, (str, bytes, bool)):
        return
    if isinstance(value, (int, float, np.ndarray, np.generic)):
        sound(value, None, name, infinite=True)
    elif hasattr(value, "select_dtypes"):
        numeric = value.select_dtypes("number")
        sound(numeric.to_numpy(dtype=float), None, f"{name} {list(numeric.columns)}", infinite=True)
    elif hasattr(value, "to_numpy"):
        if getattr(value.dtype, "kind", "O") == "f":
            sound(value.to_numpy(), None, name, infinite=True)
    elif dataclasses.is_dataclass(value):
        for part in dataclasses.fields(value):
            sound_parts(getattr(value, part.name), f"{name}.{part.name}", depth + 1)
    elif isinstance(value, (tuple, list)):
        for i, part in enumerate(value):
            sound_parts(part, f"{name}[{i}]", depth + 1)
    elif isinstance(value, dict):
        for key, part in value.items():
            sound_parts(part, f"{name}[{key!r}]", depth + 1)


# --- calls -----------------------------------------------------------------------------------------------------------


def check_draws(fit, n, p):
    sound(fit.coefficients, (n, p), "coefficients")
    sound(fit.dispersion, (n,), "dispersion")
    sound(fit.coef_mode, (p,), "coef_mode")
    sound(fit.iters, (n,), "iters")
    repr(fit)


def check_blocks(fit, n):
    blocks, p = fit.coef_mode.shape
    sound(fit.coefficients, (n, blocks, p), "coefficients")
    sound(fit.dispersion, (n, blocks), "dispersion")
    sound(fit.coef_mode, None, "coef_mode")
    sound(fit.iters, (n, blocks), "iters")
    repr(fit)


def rlmb(n, y, x, prior, rest):
    fit = glmbayes.rlmb(n, y, x, built(prior), **rest)
    check_draws(fit, int(n), np.asarray(x).shape[1] if np.ndim(x) == 2 else fit.coef_mode.size)


def rlmb_blocks(n, y, x, prior, rest):
    check_blocks(glmbayes.rlmb_blocks(n, y, x, built(prior), **rest), int(n))


def rglmb(n, y, x, family, prior, rest):
    fit = glmbayes.rglmb(n, y, x, built(family), built(prior), **rest)
    check_draws(fit, int(n), fit.coef_mode.size)


def rglmb_blocks(n, y, x, family, prior, rest):
    check_blocks(glmbayes.rglmb_blocks(n, y, x, built(family), built(prior), **rest), int(n))


def priors(prior, n, rng):
    """A prior by itself: printed, pickled, sampled."""
    value = built(prior)
    if not hasattr(value, "sample"):
        return
    if repr(pickle.loads(pickle.dumps(value))) != repr(value):
        raise UnsoundError("a pickle changes the prior")
    sound_parts(value.sample(n, rng), "sample")


def setup(formula, data, rest):
    ps = glmbayes.Prior_Setup(formula, data, **built(rest))
    p = ps.mu.size
    sound(ps.mu, (p,), "mu")
    sound(ps.Sigma, (p, p), "Sigma")
    sound_parts([ps.dispersion, ps.shape, ps.rate, ps.shape_ING, ps.rate_gamma, ps.coefficients], "parameters")
    repr(ps)


METHODS = {
    "summary": (("conf_level", (0.95, 0.5, 1.5, None)), ("hdi", (False, True))),
    "confint": (("parm", (None, "x", 0, ["x"], "missing")), ("level", (0.95, 0.0, "a")), ("hdi", (False, True))),
    "predict": (
        ("newdata", (None, {"x": [0.0, 1.0], "z": [1.0, 2.0], "g": ["g0", "g9"], "h": ["h0"] * 2}, {"x": []}, 3)),
        ("kind", ("mean", "response", "link", "draws", "interval", "nonsense")), ("rng", (1,)),
    ),
    "residuals": (("kind", ("response", "pearson", "deviance", "quantile", "nonsense")),),
    "hypothesis": (("statement", ("x > 0", "x = 0", "x + 1 <", "missing > 1", "(Intercept) > x", 3)),),
    "emmeans": (("factor", ("g", "h", "x", "missing")), ("level", (0.9, 2.0))),
    "contrasts": (("factor", ("g", "h", "x", "missing")), ("method", ("pairwise", "treatment", "nonsense"))),
    "simulate": (("nsim", (1, 3, 0, "a")), ("rng", (1,))),
    "linear_combinations": (("combinations", ([[1.0]], [[1.0, 0.0]], np.eye(2), {"x": 1.0}, "x", None)),),
    "directional_tail": (("reference_point", ("prior", "null", "nonsense")),),
    "marginal_effects": (("columns", (None, "x", ["g"], "missing")),),
    "sample": (("n", (1, 5, 0)), ("rng", (1,))),
    "update": (("formula", (". ~ . + z", ". ~ . - x", "y ~ 1", "nonsense")), ("n", (5,)), ("rng", (1,))),
    **dict.fromkeys(
        ("coef", "vcov", "fitted", "dic", "waic", "loo", "bayes_r2", "log_marginal_likelihood", "log_lik",
         "prior_check", "influence", "hat", "anova", "posterior_predictive", "expected_deviance",
         "sampler_report", "ranef", "VarCorr", "fixef", "group_means", "shrinkage", "icc", "__repr__"), (),
    ),
}  # fmt: skip
# nothing to compare with, no coefficient, no one pull, an unknown intercept
WITH_GAPS = {"anova", "prior_check", "shrinkage", "update"}
REQUIRED = {"factor", "statement", "combinations", "n"}


def without_gaps(fit, name, arguments, result):
    """New responses for the rows of the fit, of the rows with a weight; other results as they are."""
    weights = getattr(fit.design, "fixed", fit.design).weights
    predicted = name == "predict" and arguments.get("newdata") is None
    if weights is None or not (name in ("simulate", "posterior_predictive") or predicted):
        return result
    return result.loc[weights > 0.0] if hasattr(result, "loc") else result[..., weights > 0.0]


def after(fit, methods):
    """Methods of a fitted model, by name and arguments; those that the kind of model lacks are passed over."""
    for name, arguments in methods:
        method = getattr(fit, name, None)
        if method is None:
            continue
        try:
            result = method(**arguments)
            # a few draws have no spread, chains of a few no diagnostics
            if name not in WITH_GAPS and fit.n_draws > 10:
                sound_parts(without_gaps(fit, name, arguments, result), f"{name}({arguments})")
            repr(result)
        except glmbayes.GlmbayesError:
            pass
        except TypeError as error:
            if "unexpected keyword" not in str(error):
                raise


def fitted(function):
    def call(formula, data, rest, methods):
        arguments = built(rest)
        fit = getattr(glmbayes, function)(formula, data, **arguments)
        if not hasattr(fit, "coefficients"):  # several responses, several fits
            repr(fit)
            return
        sound(fit.coefficients, None, "coefficients")
        sound_parts([fit.posterior_mean, *([fit.posterior_sd] if fit.n_draws > 1 else [])], "moments")
        after(fit, methods)

    return call


def compare(formulas, data, rng):
    fits = [glmbayes.lmb(formula, data, n=20, rng=rng) for formula in formulas]
    repr(glmbayes.compare(*fits))


def known(functions, name):
    return functions.get(name, name) if isinstance(name, str) else name


STEPS = {
    "float": lambda rng, state: {"v": rng.standard_normal()},
    "vector": lambda rng, state: {"v": np.asarray(state["v"], float) * 0.5 + rng.standard_normal()},
    "not a state": lambda rng, state: 3,
    "another name": lambda rng, state: {"w": 1.0},
    "growing": lambda rng, state: {"v": np.append(state["v"], 1.0)},
    "text": lambda rng, state: {"v": "a"},
    "nan": lambda rng, state: {"v": math.nan},
}


def gibbs(step, init, rest):
    chains = glmbayes.gibbs(known(STEPS, step), {"v": init}, **rest)
    if not isinstance(step, str) or step != "nan":
        sound_parts([chains[name] for name in chains.names], "chains")
        chains.summary()
    repr(chains)


DENSITIES = {
    "normal": lambda v: -0.5 * float(np.sum(np.square(v))),
    "bounded": lambda v: 0.0 if np.all(np.abs(v) < 1.0) else -math.inf,
    "nan": lambda v: math.nan,
    "infinite": lambda v: math.inf,
    "text": lambda v: "a",
    "vector": lambda v: np.zeros(2),
}


def metropolis(density, init, proposal_cov, rest):
    chains = glmbayes.metropolis(known(DENSITIES, density), init, proposal_cov, **rest)
    sound_parts([chains[name] for name in chains.names], "chains")
    repr(chains)


def datasets(name):
    sound_parts(glmbayes.datasets.load(name).select_dtypes("bool"))


def grouped(y, x, z, group):
    design = glmbayes.GroupedDesign.of(y, x, z, group)
    prior, state = design.unit_information()
    sound_parts([*prior, *state], "unit information")


# --- their arguments -------------------------------------------------------------------------------------------------


@st.composite
def optional(draw, **strategies):
    """A dict with some of these arguments."""
    return {name: draw(strategy) for name, strategy in strategies.items() if draw(some.chances(0.25))}


def rows(n):
    return {"offset": some.vectors(n), "weights": some.vectors(n, ("positive", "counts", "fractions", "binary"))}


weights_types = some.often(st.sampled_from(("frequency", "precision")), st.sampled_from(("freq", *some.NONSENSE)), 20)


@st.composite
def array_calls(draw, family=False, blocks=False):
    n, p = draw(st.sampled_from((1, 2, 5, 12, 30, 200))), draw(st.sampled_from((1, 1, 2, 3, 8)))
    out = {
        "n": draw(some.counts()),
        "x": draw(some.designs(n, p)),
    }
    if family:
        out["family"], pattern = draw(some.families())
        scales = st.sampled_from(some.SCALES) if draw(some.chances(0.05)) else st.just(1.0)
        out["y"] = draw(some.vectors(n, (pattern,), (draw(scales),)))
    else:
        out["y"] = draw(some.vectors(n))
    extra = {"rng": some.streams()} | rows(n)
    j = None
    if blocks:
        j = draw(st.integers(1, min(n, 4)))
        labels = np.arange(n) % j
    if family:
        fixed = isinstance(out["family"], some.Recipe) or str(out["family"]) in ("binomial", "poisson")
        dispersion = some.often(st.none(), some.numbers(), 20) if fixed else some.numbers()
        normal = some.recipes("dNormal", mu=some.vectors(p, ("normal", "constant")), Sigma=some.covariances(p),
                              dispersion=dispersion)  # fmt: skip
        out["prior"] = draw(some.often(normal, some.priors(p, j), 10))
    else:
        out["prior"] = draw(some.priors(p, j))
        extra["weights_type"] = weights_types
    if family and not blocks:
        extra["sampler"] = some.often(st.just("auto"), st.sampled_from(("radial", "grid", "mcmc", "nonsense", None)))
    rest = draw(optional(**extra))
    if blocks:
        block = st.one_of(st.just(labels), some.disguised(labels.astype(float)))
        odd = st.sampled_from(([0, n], [n, 1], "a", [], [[n]], [-1, n + 1], None))
        rest |= draw(st.one_of(
            st.fixed_dictionaries({"block": block}),
            st.fixed_dictionaries({"sizes": some.often(st.just(np.bincount(labels)), odd, 20)}),
        ))  # fmt: skip
    return out | {"rest": rest}


@st.composite
def methods(draw):
    """A few methods of a fitted model with arguments."""
    chosen = draw(st.lists(st.sampled_from(sorted(METHODS)), min_size=0, max_size=3))
    return [(name, {key: draw(st.sampled_from(values)) for key, values in METHODS[name]
                    if key in REQUIRED or draw(st.booleans())}) for name in chosen]  # fmt: skip


def columns(*names):
    return some.often(st.sampled_from(names), st.sampled_from(("missing", "g", "x", *some.NONSENSE)), 6)


def row_columns(**more):
    return optional(weights=columns("w", "k"), offset=columns("o"), subset=st.sampled_from((None, "b", "x > 0", 3)),
                    na_action=some.often(st.just("drop"), st.sampled_from(("raise", "nonsense", None)), 8),
                    **more)  # fmt: skip


@st.composite
def formula_calls(draw, kind):
    family, pattern = draw(some.families()) if kind in ("setup", "glmb") else (None, None)
    out = {"formula": draw(some.formulas(groups=kind == "lmerb")), "data": draw(some.tables(pattern))}
    if kind == "setup":
        more = {"pwt": some.numbers(0.01, 0.99), "n_prior": some.numbers(), "dispersion": some.numbers(),
                "k": some.numbers(), "weights_type": weights_types,
                "intercept_source": st.sampled_from(("null_model", "full_model", "nonsense"))}  # fmt: skip
        return out | {"rest": draw(row_columns(**more)) | {"family": family}}
    rest = draw(row_columns(weights_type=weights_types) if kind != "glmb" else row_columns())
    rest |= {
        "n": draw(some.often(st.sampled_from((40, 40, 1, 2, 300)), st.sampled_from((0, "a", 2.5)), 30)),
        "rng": draw(some.streams()),
    }
    if kind == "glmb":
        rest["family"] = family
        rest |= draw(optional(sampler=st.sampled_from(("auto", "radial", "mcmc", "nonsense"))))
    if kind == "lmerb":
        rest |= draw(optional(se=columns("se"), method=st.sampled_from(("iid", "mcmc", "nonsense")),
                              priors=st.dictionaries(st.sampled_from(("sigma", "g", "h", "missing")), some.sd_priors(),
                                                     max_size=2)))  # fmt: skip
        rest |= {
            "chains": draw(some.often(st.sampled_from((1, 2)), st.sampled_from((0, None)), 30)),
            "burn_in": 5,
            "thin": 1,
        }
    elif draw(some.chances(0.2)):
        rest["pfamily"] = draw(some.priors(draw(st.integers(1, 3))))
    return out | {"rest": rest, "methods": draw(methods())}


UNCALLABLE = [value for value in some.NONSENSE if not callable(value)]  # what users' functions raise is theirs
chain_options = optional(
    draws=some.counts(), burn_in=some.often(st.sampled_from((0, 1, 5)), st.sampled_from((-1, "a")), 20),
    thin=st.sampled_from((1, 2, 2, 0)), chains=st.sampled_from((1, 2, 3, 3, 0)), rng=some.streams(),
)  # fmt: skip
ARGUMENTS = {
    "rlmb": (14, array_calls()),
    "rlmb_blocks": (10, array_calls(blocks=True)),
    "rglmb": (10, array_calls(family=True)),
    "rglmb_blocks": (6, array_calls(family=True, blocks=True)),
    "priors": (8, st.fixed_dictionaries({
        "prior": st.one_of(
            st.integers(1, 3).flatmap(some.priors), some.sd_priors(),
            some.recipes("dWishart", df=some.numbers(), Psi_0=some.covariances(2)),
            some.recipes("dHuangWand", scale=some.vectors(2, ("positive",)), df=some.numbers()),
        ), "n": some.counts(), "rng": some.streams(),
    })),
    "setup": (8, formula_calls("setup")),
    "lmb": (12, formula_calls("lmb")),
    "glmb": (10, formula_calls("glmb")),
    "lmerb": (8, formula_calls("lmerb")),
    "compare": (2, st.fixed_dictionaries({
        "formulas": st.lists(some.formulas(), min_size=0, max_size=3), "data": some.tables(), "rng": st.integers(0, 99),
    })),
    "gibbs": (3, st.fixed_dictionaries({
        "step": some.often(st.sampled_from(sorted(STEPS)), st.sampled_from(UNCALLABLE), 10),
        "init": some.often(st.floats(-2, 2), some.vectors(2), 3), "rest": chain_options,
    })),
    "metropolis": (3, st.fixed_dictionaries({
        "density": some.often(st.sampled_from(sorted(DENSITIES)), st.sampled_from(UNCALLABLE), 10),
        "init": some.vectors(2, scales=(1.0, 1.0, 1e150)), "proposal_cov": some.covariances(2), "rest": chain_options,
    })),
    "datasets": (1, st.fixed_dictionaries({
        "name": some.often(st.sampled_from(sorted(glmbayes.datasets.names())), st.sampled_from(some.NONSENSE), 2),
    })),
    "grouped": (2, st.integers(4, 20).flatmap(lambda n: st.fixed_dictionaries({
        "y": some.vectors(n), "x": some.designs(n, 2), "z": some.designs(n, 1),
        "group": some.often(st.just(np.arange(n) % 3), some.vectors(n, ("counts", "binary"))),
    }))),
}  # fmt: skip
CALLS = {"setup": setup, "lmb": fitted("lmb"), "glmb": fitted("glmb"), "lmerb": fitted("lmerb")} | {
    name: globals()[name] for name in ARGUMENTS if name in globals() and name != "setup"
}
CASES = st.sampled_from([name for name, (share, _) in ARGUMENTS.items() for _ in range(share)]).flatmap(
    lambda name: st.tuples(st.just(name), ARGUMENTS[name][1])
)
