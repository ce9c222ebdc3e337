"""Formulas: R's order, names and coding; the characters that errors point at."""

import numpy as np
import patsy
import pytest

from glmbayes.design import build_design
from glmbayes.errors import FormulaError

ROWS = 24
DATA = {
    "y": np.linspace(1.0, 4.0, ROWS) ** 2,
    "x": np.arange(1, ROWS + 1),
    "z": np.sin(np.arange(ROWS) * 1.7) + 2.0,
    "g": list("abc") * 8,
    "h": list("uuvv") * 6,
    "b": [True, False, False, True, True] * 4 + [False] * 4,
    "cyl": [4, 6, 8, 6] * 6,
    "Sepal.Length": np.sqrt(np.arange(ROWS)),
    "my col": np.cos(np.arange(ROWS)),
    "class": ["lo", "hi"] * 12,
}

# What R's model.matrix calls the columns, and in which order it has them.
R_NAMES = {
    "y ~ x + g": ["(Intercept)", "x", "gb", "gc"],
    "y ~ x*g": ["(Intercept)", "x", "gb", "gc", "x:gb", "x:gc"],
    "y ~ x:g + x": ["(Intercept)", "x", "x:gb", "x:gc"],
    "y ~ g:x": ["(Intercept)", "ga:x", "gb:x", "gc:x"],
    "y ~ b + x:b": ["(Intercept)", "bTRUE", "bFALSE:x", "bTRUE:x"],
    "y ~ g - 1": ["ga", "gb", "gc"],
    "y ~ 0 + g + h": ["ga", "gb", "gc", "hv"],
    "y ~ x + 0": ["x"],
    "y ~ g/h": ["(Intercept)", "gb", "gc", "ga:hv", "gb:hv", "gc:hv"],
    "y ~ g*h - g": ["(Intercept)", "hv", "gb:hu", "gc:hu", "gb:hv", "gc:hv"],
    "y ~ (x + z + g)^2": [
        *["(Intercept)", "x", "z", "gb", "gc", "x:z"],
        *["x:gb", "x:gc", "z:gb", "z:gc"],
    ],
    "y ~ x:z + z + x": ["(Intercept)", "z", "x", "x:z"],
    "y ~ z + x:z": ["(Intercept)", "z", "z:x"],
    "y ~ h + x:h:g": [
        *["(Intercept)", "hv", "hu:x:ga", "hv:x:ga", "hu:x:gb", "hv:x:gb", "hu:x:gc", "hv:x:gc"],
    ],
    "y ~ I(x^2) + I(x**3)": ["(Intercept)", "I(x^2)", "I(x^3)"],
    "y ~ log( x )+sqrt(z)": ["(Intercept)", "log(x)", "sqrt(z)"],
    "y ~ log(x,base=2)": ["(Intercept)", "log(x, base = 2)"],
    "y ~ I(x>3) + I(-z/2+1)": ["(Intercept)", "I(x > 3)TRUE", "I(-z/2 + 1)"],
    "y ~ (z > 2)": ["(Intercept)", "z > 2TRUE"],
    "y ~ poly(x, 2)": ["(Intercept)", "poly(x, 2)1", "poly(x, 2)2"],
    "y ~ cbind(x, z)": ["(Intercept)", "cbind(x, z)x", "cbind(x, z)z"],
    "y ~ factor(cyl)": ["(Intercept)", "factor(cyl)6", "factor(cyl)8"],
    "y ~ as.factor(cyl)": ["(Intercept)", "as.factor(cyl)6", "as.factor(cyl)8"],
    "y ~ relevel(g, ref='b')": ["(Intercept)", 'relevel(g, ref = "b")a', 'relevel(g, ref = "b")c'],
    "y ~ C(g, contr.sum)": ["(Intercept)", "C(g, contr.sum)1", "C(g, contr.sum)2"],
    "y ~ C(g, contr.helmert)": ["(Intercept)", "C(g, contr.helmert)1", "C(g, contr.helmert)2"],
    "y ~ ordered(g)": ["(Intercept)", "ordered(g).L", "ordered(g).Q"],
    "y ~ 0 + ordered(g)": ["ordered(g)a", "ordered(g)b", "ordered(g)c"],
    "y ~ ordered(x // 5)": [
        *["(Intercept)", "ordered(x//5).L", "ordered(x//5).Q", "ordered(x//5).C", "ordered(x//5)^4"],
    ],
    "y ~ Sepal.Length + `my col`": ["(Intercept)", "Sepal.Length", "`my col`"],
    "y ~ log(Sepal.Length + 1)": ["(Intercept)", "log(Sepal.Length + 1)"],
    "y ~ class": ["(Intercept)", "classlo"],
    "y ~ offset(z) + x": ["(Intercept)", "x"],
    "y ~ Q('my col'):x": ["(Intercept)", 'Q("my col"):x'],
    "y ~ poly(x, 2, raw = TRUE):b": [
        *["(Intercept)", "poly(x, 2, raw = TRUE)1:bFALSE", "poly(x, 2, raw = TRUE)2:bFALSE"],
        *["poly(x, 2, raw = TRUE)1:bTRUE", "poly(x, 2, raw = TRUE)2:bTRUE"],
    ],
    "y ~ bs(x, knots = c(5, 9), degree = 1)": [
        "(Intercept)",
        *[f"bs(x, knots = c(5, 9), degree = 1){i}" for i in (1, 2, 3)],
    ],
    "y ~ ifelse(x > 3, z, 0)": ["(Intercept)", "ifelse(x > 3, z, 0)"],
    "y ~ I(~b)": ["(Intercept)", "I(~b)TRUE"],
    "y ~ I((x > 3) | b)": ["(Intercept)", "I((x > 3) | b)TRUE"],
    "y ~ Sepal.Length.round(1)": ["(Intercept)", "Sepal.Length.round(1)"],
    "y ~ -1 + x": ["x"],
    "y ~ x + z - z": ["(Intercept)", "x"],
    "y ~ x^2": ["(Intercept)", "x"],
    "y ~ 1": ["(Intercept)"],
}


@pytest.mark.parametrize("formula", R_NAMES)
def test_names_and_order_are_those_of_r(formula):
    assert list(build_design(formula, DATA).names) == R_NAMES[formula]


def test_the_dot_is_every_other_column_in_order():
    names = ["(Intercept)", "x", "z", "gb", "gc", "hv", "bTRUE", "cyl", "Sepal.Length", "`my col`", "classlo"]
    assert list(build_design("y ~ .", DATA).names) == names
    assert list(build_design("log(y) ~ . - z", DATA).names) == [n for n in names if n != "z"]
    small = {k: DATA[k] for k in ("x", "y", "g")}
    assert list(build_design("y ~ .^2", small).names) == ["(Intercept)", "x", "gb", "gc", "x:gb", "x:gc"]
    # a column with a role of its own is not a predictor
    assert list(build_design("y ~ .", small, weights="x").names) == ["(Intercept)", "gb", "gc"]


@pytest.mark.parametrize("right", [".", " + ".join(f"x{j}" for j in range(600))])
def test_hundreds_of_columns(right, rng):
    data = {"y": rng.standard_normal(5)} | {f"x{j}": rng.standard_normal(5) for j in range(600)}
    design = build_design(f"y ~ {right}", data)
    assert design.names == ("(Intercept)", *(f"x{j}" for j in range(600)))
    np.testing.assert_array_equal(design.X[:, 1:], np.column_stack([data[f"x{j}"] for j in range(600)]))


def test_terms_know_their_columns():
    design = build_design("y ~ x*g", DATA)
    assert [(t.name, t.columns) for t in design.terms] == [
        ("(Intercept)", slice(0, 1)),
        ("x", slice(1, 2)),
        ("g", slice(2, 4)),
        ("x:g", slice(4, 6)),
    ]
    assert design.terms[-1].variables == ("x", "g")
    assert design.variables["g"].levels == ("a", "b", "c")
    np.testing.assert_array_equal(design.variables["g"].contrast, [[0, 0], [1, 0], [0, 1]])


def test_columns_of_an_interaction_are_products():
    design = build_design("y ~ x*g", DATA)
    g = np.array(DATA["g"])
    expected = [np.ones(ROWS), DATA["x"], g == "b", g == "c", DATA["x"] * (g == "b"), DATA["x"] * (g == "c")]
    np.testing.assert_array_equal(design.X, np.column_stack(expected))
    assert design.X.flags.c_contiguous
    assert design.X.dtype == np.float64


# patsy is the second route: names and order differ, the column space may not.
SPANS = [
    "x + g",
    "x*g",
    "g*h",
    "g:h",
    "g/h",
    "x + g:h",
    "0 + g:h",
    "0 + x:g + h",
    "g*h*x",
    "b*g",
    "b:x + x",
    "(g + h + b)**2",
    "x:z + g",
    "g + g:h:b",
    "0 + x + z:g",
]


@pytest.mark.parametrize("right", SPANS)
def test_same_column_space_as_patsy_and_full_rank(right, rng):
    data = {
        "y": rng.standard_normal(200),
        "x": rng.standard_normal(200),
        "z": rng.standard_normal(200),
        "g": rng.choice(list("abc"), 200),
        "h": rng.choice(list("uv"), 200),
        "b": rng.random(200) < 0.5,
    }
    X = build_design(f"y ~ {right}", data).X
    reference = np.asarray(patsy.dmatrix(right, data))
    assert X.shape == reference.shape
    assert np.linalg.matrix_rank(X) == X.shape[1]
    projected = X @ np.linalg.lstsq(X, reference, rcond=None)[0]
    np.testing.assert_allclose(projected, reference, atol=1e-10)


def coding(formula, data):
    """The distinct rows of a factor's columns, by level."""
    X = build_design(formula, data).X[:, 1:]
    return np.unique(np.column_stack([np.unique(data["g"], return_inverse=True)[1], X]), axis=0)[:, 1:]


def test_contrasts_are_those_of_r():
    data = {"y": np.arange(8.0) ** 2, "g": list("abcdabcd")}
    # printed by R's contr.poly(4), contr.sum(4), contr.helmert(4)
    poly = [
        [-0.6708203932499369, 0.5, -0.2236067977499790],
        [-0.2236067977499790, -0.5, 0.6708203932499369],
        [0.2236067977499790, -0.5, -0.6708203932499369],
        [0.6708203932499369, 0.5, 0.2236067977499790],
    ]
    np.testing.assert_allclose(coding("y ~ ordered(g)", data), poly, atol=1e-14)
    np.testing.assert_allclose(coding("y ~ C(g, Poly)", data), poly, atol=1e-14)
    np.testing.assert_array_equal(coding("y ~ C(g, contr.sum)", data), [[1, 0, 0], [0, 1, 0], [0, 0, 1], [-1, -1, -1]])
    np.testing.assert_array_equal(coding("y ~ C(g, Helmert)", data), [[-1, -1, -1], [1, -1, -1], [0, 2, -1], [0, 0, 3]])
    np.testing.assert_array_equal(coding("y ~ C(g, Treatment('c'))", data), np.eye(4)[:, [0, 1, 3]])
    np.testing.assert_array_equal(coding("y ~ C(g, Treatment(-1))", data), np.eye(4)[:, :3])
    own = np.array([[1.0], [1.0], [-1.0], [-1.0]])
    design = build_design("y ~ C(g, own)", data)
    assert design.names == ("(Intercept)", "C(g, own)1")
    np.testing.assert_array_equal(design.X[:4, 1:], own)
    assert build_design("y ~ C(g, Diff)", data).names[1:] == ("C(g, Diff)b-a", "C(g, Diff)c-b", "C(g, Diff)d-c")


def test_repeated_spellings_are_one_term():
    assert build_design("y ~ log(x) + log( x )", DATA).names == ("(Intercept)", "log(x)")
    assert build_design("y ~ I(x^2) + I(x**2)", DATA).names == ("(Intercept)", "I(x^2)")
    assert build_design("y\n ~ x +\n z", DATA).names == ("(Intercept)", "x", "z")


POINTED = {
    # formula -> (part of the message, what the carets are under)
    "y ~ x + (g": ("syntax", "("),
    "y ~ x +": ("a term is missing", "+"),
    "y ~ x + * z": ("a term is missing", "*"),
    "y ~ x ~ z": ("only once", "~"),
    "y ~ 2*x": ("numbers besides", "2"),
    "y ~ (x + z)^g": ("positive integer", "g"),
    "y ~ log(x": ("unclosed", "log(x"),
    "y ~ x)": ("extra ')'", ")"),
    "y ~ x + log(x +* 2)": ("syntax", "*"),
    "y^2 ~ I(x^2 == )": ("syntax", ")"),
    "log(y ~ x": ("a bracket is open at `~`", "("),
    "y ~ 1:x": ("intercept", "1"),
    " ~ x": ("response is missing", "~"),
    "y ~ `my col": ("backtick", "`"),
    "x + z": ("no response", "x + z"),
    "y ~ 0": ("no terms", "y ~ 0"),
    "y ~ x | g": ("lmerb", "|"),
    "y ~ log(.)": ("cannot be inside a function", "."),
    "y ~ I(x > 3 & z < 2)": ("need parentheses", "I(x > 3 & z < 2)"),
    "y ~ x + (1 | g)": ("lmerb", "|"),
    "y ~ g %in% h": ("as a:b", "%in%"),
    "y ~ x %% 2": ("remainder", "%%"),
    "y ~ x + y": ("response y is among", "y"),
    "y ~ offset(z):x": ("cannot interact", "offset(z)"),
    "y ~ x + zz": ("Did you mean z?", "zz"),
    "y ~ I(x^2 + zz) + x": ("Did you mean z?", "zz"),
    "y ~ sqr(x)": ("Did you mean sqrt?", "sqr"),
    "y ~ sepal.length": ("not a column", "sepal"),
    "y ~ log": ("is a function", "log"),
    "5 ~ x": ("is a constant", "5"),
    "'y' ~ x": ("is a constant", "'y'"),
    "np.mean(y) ~ x": ("single value", "np.mean(y)"),
    "y ~ x[2:4]": ("2 entries but the data have 24", "x[2:4]"),
    "y ~ I(g + 1)": ("cannot be evaluated", "I(g + 1)"),
    "y ~ log(x - 1)": ("infinite in 1 row", None),
    "y ~ poly(z, 99)": ("99 distinct values", "poly(z, 99)"),
    "y ~ scale(I(x * 0))": ("constant column", "scale(I(x * 0))"),
    "y ~ relevel(g, ref='q')": ("they are a, b, c", "relevel(g, ref='q')"),
    "y ~ C(g, Treatment('q'))": ("'q' is not among the levels", None),
    "y ~ factor(g, levels=['a', 'b'])": ("does not list c", "factor(g, levels=['a', 'b'])"),
}


@pytest.mark.parametrize("formula", POINTED)
def test_errors_point_at_the_character(formula):
    message, under = POINTED[formula]
    with pytest.raises(FormulaError) as caught:
        build_design(formula, DATA)
    lines = str(caught.value).split("\n")
    assert message in lines[0]
    if under is not None:
        assert lines[1] == "    " + formula
        carets = lines[2]
        start, stop = carets.index("^"), len(carets)
        assert set(carets.strip()) == {"^"}
        assert lines[1][start:stop] == under


def test_a_formula_of_another_kind_is_refused():
    with pytest.raises(FormulaError, match="must be a string such as 'y ~ x"):
        build_design(DATA, "y ~ x")
    with pytest.raises(FormulaError, match="formula comes before the data"):
        build_design(DATA, "y ~ x")
    with pytest.raises(FormulaError, match="there are none"):
        build_design("y ~ .", {"y": [1.0, 2.0]})


def test_positions_survive_letters_beyond_ascii():
    data = {"größe": [1.0, 2.0, 3.0], "naïve": [1.0, 3.0, 4.0]}
    assert build_design("größe ~ log(naïve)", data).names == ("(Intercept)", "log(naïve)")
    with pytest.raises(FormulaError) as caught:
        build_design("größe ~ log(naïve) + I(naïve^2 + qq)", data)
    _, text, carets = str(caught.value).split("\n")
    assert text[carets.index("^") : len(carets)] == "qq"
