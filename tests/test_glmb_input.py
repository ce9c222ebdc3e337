"""What glmb accepts as a response, a family and data, and what it says about the rest."""

import numpy as np
import pandas as pd
import polars
import pytest

from glmbayes import dGamma, dIndependent_Normal_Gamma, dNormal, dNormal_Gamma, families, glmb
from glmbayes.errors import FormulaError, ImproperPosteriorError, InputError, SamplerError

N = 12
X = np.linspace(-1.0, 1.0, N)
YES = np.array([0, 0, 1, 0, 1, 0, 1, 1, 0, 1, 1, 1])
PRIOR = dNormal([0.0, 0.0], np.eye(2))


def fit(y, formula="y ~ x", family="binomial", prior=PRIOR, **options):
    return glmb(formula, {"y": y, "x": X}, family, prior, **{"rng": 1, "n": 200, **options})


SAME = {
    "floats": YES.astype(float),
    "integers": YES,
    "booleans": YES.astype(bool),
    "strings": np.where(YES == 1, "yes", "no"),
    "categorical": pd.Categorical(np.where(YES == 1, "sick", "healthy"), categories=["healthy", "sick"]),
    "nullable": pd.array(YES, dtype="Int64"),
    "nullable booleans": pd.array(YES.astype(bool), dtype="boolean"),
}


@pytest.mark.parametrize("kind", SAME)
def test_yes_and_no(kind):
    expected = fit(YES.astype(float))
    got = glmb("y ~ x", pd.DataFrame({"y": SAME[kind], "x": X}), "binomial", PRIOR, rng=1, n=200)
    np.testing.assert_array_equal(got.draws.coefficients, expected.draws.coefficients)


@pytest.mark.parametrize("kind", [polars.Boolean, polars.String, polars.Categorical, polars.Enum(["no", "yes"]), list])
def test_yes_and_no_in_polars_and_lists(kind):
    words = polars.Series(np.where(YES == 1, "yes", "no"))
    if kind is list:
        data = {"y": YES.astype(bool).tolist(), "x": X.tolist()}
    else:
        y = polars.Series(YES.astype(bool)) if kind is polars.Boolean else words.cast(kind)
        data = polars.DataFrame({"y": y, "x": X})
    got = glmb("y ~ x", data, "binomial", PRIOR, rng=1, n=200)
    np.testing.assert_array_equal(got.draws.coefficients, fit(YES).draws.coefficients)


def test_level_order_decides_what_success_is():
    reverse = pd.Categorical(np.where(YES == 1, "sick", "healthy"), categories=["sick", "healthy"])
    np.testing.assert_allclose(fit(reverse).coef_mode, -fit(YES).coef_mode, rtol=1e-9)


def test_successes_and_failures_are_fractions_with_trials():
    trials = np.arange(3, 3 + N)
    successes = np.minimum(YES * 2 + 1, trials)
    data = {"s": successes, "f": trials - successes, "t": trials, "p": successes / trials, "x": X}
    pair = glmb("cbind(s, f) ~ x", data, "binomial", PRIOR, rng=1)
    fraction = glmb("p ~ x", data, "binomial", PRIOR, weights="t", rng=1)
    np.testing.assert_array_equal(pair.draws.coefficients, fraction.draws.coefficients)
    assert pair.log_marginal_likelihood() == fraction.log_marginal_likelihood()
    long = np.repeat(X, trials), np.concatenate([[1.0] * s + [0.0] * (t - s) for s, t in zip(successes, trials)])
    rows = glmb("y ~ x", {"y": long[1], "x": long[0]}, "binomial", PRIOR, rng=1)
    np.testing.assert_allclose(rows.coef_mode, pair.coef_mode, rtol=1e-9)


def test_nothing_is_rounded():
    fraction = glmb("y ~ x", {"y": np.full(N, 0.37), "x": X}, "binomial", PRIOR, weights=np.full(N, 0.8), rng=1)
    x = np.column_stack([np.ones(N), X])
    mode = fraction.coef_mode.to_numpy()
    mu = 1.0 / (1.0 + np.exp(-x @ mode))
    np.testing.assert_allclose(x.T @ (0.8 * (0.37 - mu)), mode, atol=1e-10)
    assert "not whole" in str(fraction.summary())


def test_frames_of_every_kind():
    data = {"y": YES.astype(float), "x": X}
    draws = [
        glmb("y ~ x", source, "binomial", PRIOR, rng=1, n=50).draws.coefficients
        for source in (data, pd.DataFrame(data), polars.DataFrame(data))
    ]
    y, x = YES.astype(float), X  # noqa: F841
    draws.append(glmb("y ~ x", None, "binomial", PRIOR, rng=1, n=50).draws.coefficients)
    design = np.column_stack([np.ones(N), X])
    draws.append(glmb(y=y, X=design, family="binomial", pfamily=PRIOR, rng=1, n=50).draws.coefficients)
    for other in draws[1:]:
        np.testing.assert_array_equal(other, draws[0])


def test_missing_rows_leave_with_their_weights_and_offset():
    y = np.array([1.0, np.nan, 3, 2, 5, 4, 1, 0, 2, 2, 3, 1])
    weights, offset = np.arange(1.0, N + 1), np.linspace(0, 1, N)
    kept = np.arange(N) != 1
    whole = glmb("y ~ x", {"y": y, "x": X}, "poisson", PRIOR, weights=weights, offset=offset, rng=1)
    part = glmb(
        "y ~ x", {"y": y[kept], "x": X[kept]}, "poisson", PRIOR, weights=weights[kept], offset=offset[kept], rng=1
    )
    np.testing.assert_array_equal(whole.draws.coefficients, part.draws.coefficients)
    assert "1 row dropped for missing values" in str(whole.summary())


def test_families_as_names_functions_and_objects():
    expected = fit(YES).draws.coefficients
    for family in ("binomial", "Binomial", families.binomial, families.binomial(), families.binomial("logit")):
        np.testing.assert_array_equal(fit(YES, family=family).draws.coefficients, expected)


def test_named_priors_are_matched_by_name():
    prior = dNormal(
        {"x": 0.5, "(Intercept)": -1.0}, pd.DataFrame(np.diag([4.0, 1.0]), ["x", "(Intercept)"], ["x", "(Intercept)"])
    )
    np.testing.assert_allclose(
        fit(YES, prior=prior).coef_mode, fit(YES, prior=dNormal([-1.0, 0.5], np.diag([1.0, 4.0]))).coef_mode
    )


def test_a_prior_from_the_setup():
    wide = glmb("y ~ x", {"y": YES, "x": X}, "binomial", lambda ps: dNormal(ps.mu, 2.0 * ps.Sigma), rng=1)
    default = glmb("y ~ x", {"y": YES, "x": X}, "binomial", rng=1)
    np.testing.assert_allclose(wide.prior.Sigma, 2.0 * default.prior.Sigma)


COUNTS = np.arange(N)

BAD = {
    "negative counts": (lambda: fit(COUNTS - 1, family="poisson"), InputError, "zero or more|non-negative|0 or more"),
    "count too large for a probability": (lambda: fit(COUNTS), InputError, r"cbind\(successes, failures\)"),
    "zero in a Gamma response": (lambda: fit(COUNTS, family="Gamma"), InputError, "positive"),
    "three levels": (lambda: fit(np.array(["a", "b", "c"] * 4)), InputError, "two levels"),
    "a factor as a count": (lambda: fit(np.array(["a", "b"] * 6), family="poisson"), InputError, "family='binomial'"),
    "two columns for counts": (
        lambda: glmb("cbind(y, z) ~ x", {"y": COUNTS, "z": COUNTS, "x": X}, "poisson", PRIOR),
        InputError, "one column",
    ),
    "three columns": (
        lambda: glmb("cbind(y, z, y) ~ x", {"y": COUNTS, "z": COUNTS, "x": X}, "binomial", PRIOR),
        InputError, "successes, failures",
    ),
    "negative failures": (
        lambda: glmb("cbind(y, z) ~ x", {"y": COUNTS, "z": 3 - COUNTS, "x": X}, "binomial", PRIOR),
        InputError, "trials - successes",
    ),
    "an unknown family": (lambda: fit(YES, family="binomal"), InputError, "did you mean 'binomial'"),
    "an unknown link": (lambda: fit(YES, family=families.binomial("cauchit")), InputError, "link of binomial must be"),
    "an unknown keyword": (lambda: fit(YES, prior_=1), InputError, "no argument 'prior_'"),
    "link as keyword": (lambda: fit(YES, link="probit"), InputError, r"family=binomial\(link=...\)"),
    "prior as second argument": (lambda: glmb("y ~ x", PRIOR), InputError, r"glmb\('y ~ x', data, pfamily="),
    "a prior too short": (
        lambda: fit(YES, prior=dNormal([0.0], [[1.0]])), InputError, r"\['\(Intercept\)', 'x'\]"
    ),
    "names that differ": (
        lambda: fit(YES, prior=dNormal({"a": 0.0, "x": 0.0}, np.eye(2))), InputError, "do not match"
    ),
    "a prior class": (lambda: fit(YES, prior=dNormal), InputError, "the class dNormal"),
    "a joint prior for counts": (
        lambda: fit(COUNTS, family="poisson", prior=dIndependent_Normal_Gamma([0, 0], np.eye(2), 1, 1)),
        InputError, "poisson.* takes dNormal",
    ),
    "a conjugate joint prior for Gamma": (
        lambda: fit(COUNTS + 1.0, family="Gamma", prior=dNormal_Gamma([0, 0], np.eye(2), 1, 1)),
        InputError, "dIndependent_Normal_Gamma",
    ),
    "dGamma for counts": (
        lambda: fit(COUNTS, family="poisson", prior=dGamma(1, 1, [0, 0])),
        InputError, "takes dNormal.*Inv_Dispersion=False",
    ),
    "dGamma without beta": (lambda: fit(COUNTS + 1.0, family="Gamma", prior=dGamma(1, 1)), InputError, "beta="),
    "a sampler with known coefficients": (
        lambda: fit(COUNTS + 1.0, family="Gamma", prior=dGamma(1, 1, [0, 0]), sampler="grid"), InputError, "are known"
    ),
    "Gamma without dispersion": (lambda: fit(COUNTS + 1.0, family="Gamma"), InputError, "known dispersion"),
    "quasi without dispersion": (lambda: fit(COUNTS, family="quasipoisson"), InputError, "known dispersion"),
    "a dispersion for counts": (
        lambda: fit(COUNTS, family="poisson", prior=dNormal([0, 0], np.eye(2), 2.0)), InputError, "quasipoisson"
    ),
    "negative weights": (lambda: fit(YES, weights=-np.ones(N)), InputError, "weights"),
    "no weight at all": (lambda: fit(YES, weights=np.zeros(N)), InputError, "all be zero"),
    "weights of another length": (lambda: fit(YES, weights=np.ones(3)), FormulaError, "weights"),
    "an infinite offset": (lambda: fit(YES, offset=np.full(N, np.inf)), (InputError, FormulaError), "offset"),
    "a missing column": (lambda: fit(YES, "y ~ xx"), FormulaError, "xx"),
    "draws below one": (lambda: fit(YES, n=0), InputError, "n must be"),
    "an unknown sampler": (lambda: fit(YES, sampler="nuts"), InputError, "sampler must be one of"),
    "grid with flat coefficients": (
        lambda: fit(YES, prior=dNormal([0, 0], np.diag([np.inf, 1.0])), sampler="grid"), InputError, "finite"
    ),
    "mcmc with an unknown dispersion": (
        lambda: fit(
            COUNTS + 1.0, family="Gamma", prior=dIndependent_Normal_Gamma([0, 0], np.eye(2), 1, 1), sampler="mcmc"
        ),
        InputError, "known dispersion",
    ),
    "missing rows that must not be": (
        lambda: fit(np.where(YES, np.nan, 0.0), na_action="raise"), FormulaError, "missing"
    ),
    "all rows missing": (lambda: fit(np.full(N, np.nan)), FormulaError, "missing|no rows"),
    "separated under a flat prior": (
        lambda: fit((X > 0).astype(float), prior=dNormal([0, 0], np.diag([np.inf] * 2))),
        ImproperPosteriorError, "finite variance",
    ),
    "separated without a prior": (
        lambda: fit((X > 0).astype(float), prior=None), InputError, "separat|no maximum"
    ),
    "neither formula nor arrays": (lambda: glmb(family="binomial"), InputError, "formula"),
    "a default prior with too few rows": (
        lambda: glmb("y ~ x", {"y": [1.0], "x": [2.0]}, "poisson"), InputError, "prior of your own"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_input(case):
    call, error, words = BAD[case]
    with pytest.raises(error, match=words) as caught:
        call()
    assert "np." not in str(caught.value) and "array(" not in str(caught.value)


def test_hopeless_posteriors_are_refused_before_starting():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 38))
    y = (rng.random(40) < 0.5).astype(float)
    with pytest.raises(SamplerError, match="candidates each") as caught:
        glmb(y=y, X=x, family="binomial", pfamily=dNormal(np.zeros(38), 400.0 * np.eye(38)), rng=1)
    assert "mcmc" in str(caught.value) and "prior" in str(caught.value)
