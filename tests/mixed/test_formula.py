"""Reading lme4's formulas, and what is refused."""

import numpy as np
import pytest

from glmbayes import (
    FormulaError,
    ImproperPosteriorError,
    InputError,
    dFlat,
    dGamma,
    dHalfCauchy,
    dHuangWand,
    dNormal_Gamma,
    dRatio,
    dWishart,
    lmerb,
)
from glmbayes.mixed.design import build_mixed_design
from glmbayes.mixed.formula import read_bars


def frame(n=24):
    rng = np.random.default_rng(1)
    return {
        "y": rng.standard_normal(n), "x": rng.standard_normal(n), "z": rng.standard_normal(n),
        "g": np.tile(list("abcdef"), n // 6), "h": np.repeat(list("uvw"), n // 3), "f": np.tile(["p", "q"], n // 2),
        "one": np.full(n, "same"), "number": np.repeat([10.0, 9.0, 100.0, 2.0], n // 4), "se": np.full(n, 0.5),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("formula", "fixed", "terms"),
    [
        ("y ~ x + (1 | g)", "y ~ x", [("g", ("(Intercept)",))]),
        ("y ~ (x | g) + x", "y ~ x", [("g", ("(Intercept)", "x"))]),
        ("y ~ 1 + (0 + x | g)", "y ~ 1", [("g", ("x",))]),
        ("y ~ x + (x - 1 | g)", "y ~ x", [("g", ("x",))]),
        ("y ~ x + (x || g)", "y ~ x", [("g.1", ("(Intercept)",)), ("g.2", ("x",))]),
        ("y ~ (1 | h/g)", "y ~ 1", [("h", ("(Intercept)",)), ("h:g", ("(Intercept)",))]),
        ("y ~ (1 | g:h) + (1 | g)", "y ~ 1", [("g:h", ("(Intercept)",)), ("g", ("(Intercept)",))]),
        ("y ~ x - 1 + (1 | g)", "y ~ x - 1", [("g", ("(Intercept)",))]),
        ("y ~ (f | g)", "y ~ 1", [("g", ("(Intercept)", "fq"))]),
        ("y ~ I(x**2) + log(z + 9) + (1 | `g`)", "y ~ I(x**2) + log(z + 9)", [("g", ("(Intercept)",))]),
    ],
)
def test_terms_are_lme4s(formula, fixed, terms):
    assert " ".join(read_bars(formula)[0].split()) == fixed
    design = build_mixed_design(formula, frame())
    assert [(t.label, t.names) for t in design.terms] == terms


def test_levels_in_order_numbers_as_numbers():
    design = build_mixed_design("y ~ 1 + (1 | number)", frame())
    assert design.factors["number"].labels == ("2", "9", "10", "100")
    assert list(design.factors["number"].sizes) == [6, 6, 6, 6]


def test_missing_values_drop_rows_of_every_part():
    data = frame()
    data["x"][3] = np.nan
    data["z"][5] = np.nan
    g = list(data["g"])
    g[7] = None
    data["g"] = g
    design = build_mixed_design("y ~ z + (x | g)", data)
    assert design.n == 21 and design.terms[0].Z.shape == (21, 2)
    assert not set(design.fixed.rows) & {3, 5, 7}
    kept = np.setdiff1d(np.arange(24), [3, 5, 7])
    assert np.array_equal(design.terms[0].Z[:, 1], data["x"][kept])


REFUSED = [
    ("y ~ x", {}, FormulaError, "no random term"),
    ("y ~ x | g", {}, FormulaError, "in parentheses"),
    ("y ~ x * (1 | g)", {}, FormulaError, "added with `\\+`"),
    ("y ~ (1 | g | h)", {}, FormulaError, "one bar"),
    ("y ~ (1 | log(g))", {}, FormulaError, "A grouping factor is a column"),
    ("y ~ ( | g)", {}, FormulaError, "effects are missing"),
    ("y ~ (1 | )", {}, FormulaError, "grouping factor is missing"),
    ("y ~ x + ((1 | g))", {}, FormulaError, "at the top"),
    ("y ~ (1 | nothing)", {}, FormulaError, "nothing"),
    ("y ~ (1 | one)", {}, FormulaError, "single level"),
    ("y ~ (f || g)", {}, FormulaError, "separates numeric columns only"),
    ("y ~ (1 | g) + (1 | g)", {}, FormulaError, "twice"),
    ("y ~ x + I(2 * x) + (1 | g)", {}, FormulaError, "linear combinations"),
    ("y ~ x + I(2 * x) + (1 | g)", {"se": "se"}, FormulaError, "linear combinations"),
    ("y ~ x + I(2 * x) + (1 | g)", {"priors": {"g": dRatio(dFlat())}}, FormulaError, "linear combinations"),
    ("y ~ factor(x) + z + (0 + x | g)", {"se": "se"}, FormulaError, "z are linear combinations"),  # 25 columns, 24 rows
    ("y ~ x + I(1e-300 * x) + (1 | g)", {"se": "se"}, InputError, "too small or too large for double precision"),
    ("y ~ x + I(1e160 * x) + (1 | g)", {}, InputError, "too small or too large for double precision"),
    (3, {}, FormulaError, "formula must be a string"),
    ("y ~ (1 | g)", {"priors": {"gg": dFlat()}}, InputError, "did you mean 'g'"),
    ("y ~ (1 | g)", {"priors": dFlat()}, InputError, "priors must be a dict"),
    ("y ~ (x | g)", {"priors": {"g": dHalfCauchy(1)}}, InputError, "2 effects per group"),
    ("y ~ (x | g)", {"priors": {"g": dWishart(4, np.eye(3))}}, InputError, "is for 3 effects"),
    ("y ~ (x | g)", {"priors": {"g": dHuangWand([1, 1, 1])}}, InputError, "3 scales"),
    ("y ~ (1 | g)", {"priors": {"g": 3.0}}, InputError, "must be on its standard deviation"),
    ("y ~ (1 | g)", {"priors": {"sigma": 3.0}}, InputError, "priors\\['sigma'\\]"),
    ("y ~ (1 | g)", {"priors": {"beta": ([0, 0], np.eye(2))}}, InputError, "has 2 coefficient"),
    ("y ~ (1 | g)", {"priors": {"beta": 3}}, InputError, "pair \\(mu, Sigma\\)"),
    ("y ~ (1 | g)", {"priors": {"sigma": dFlat()}, "se": "se"}, InputError, "no sigma"),
    ("y ~ (1 | g)", {"se": "x"}, InputError, "se must be positive"),
    ("y ~ (1 | g)", {"method": "iid"}, InputError, "residual variance is unknown"),
    ("y ~ (1 | g)", {"method": "nuts"}, InputError, "method must be one of"),
    ("y ~ (1 | g)", {"priors": {"g": dNormal_Gamma([0], [[1]], 1, 1)}}, InputError, "known sampling variances"),
    ("y ~ (1 | g)", {"seed": 3}, InputError, "Did you mean rng"),
    ("y ~ (1 | g)", {"weights": np.r_[0.0, np.ones(23)]}, InputError, "weights must be positive"),
    ("f ~ (1 | g)", {}, FormulaError, "a linear model needs numbers"),
    ("y ~ (1 | f)", {"priors": {"f": dFlat()}}, ImproperPosteriorError, "at least three groups"),
    ("y ~ (1 | f)", {"priors": {"f": dFlat()}, "se": "se"}, ImproperPosteriorError, "at least three groups"),
    ("y ~ h + (1 | h)", {"priors": {"h": dFlat()}}, ImproperPosteriorError, "at least three groups"),
    ("y ~ (1 | g)", {"priors": {"g": dGamma(0.5, 0.0)}}, ImproperPosteriorError, "near a standard deviation of 0"),
]


@pytest.mark.parametrize(("formula", "options", "kind", "message"), REFUSED)
def test_what_is_refused_and_how(formula, options, kind, message):
    with pytest.raises(kind, match=message):
        lmerb(formula, frame(), n=4, burn_in=1, **options)


def test_three_groups_are_enough_for_a_flat_prior(rng):
    fit = lmerb("y ~ (1 | h)", frame(), {"h": dFlat()}, n=40, rng=rng)
    assert np.isfinite(fit.draws.beta).all()
