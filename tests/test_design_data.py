"""Whatever the data come in: frames, dtypes, missing values, row arguments, names from the caller's scope."""

import subprocess
import sys
import tracemalloc
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest

from glmbayes.design import build_design
from glmbayes.errors import FormulaError, InputError

Y = [1.0, 2.0, 4.0, 3.0, 6.0, 5.5]
X = [1, 2, 3, 4, 5, 6]
G = ["b", "a", "b", "c", "a", "c"]
FRAME = pd.DataFrame({"y": Y, "x": X, "g": G})
EXPECTED = np.column_stack([np.ones(6), X, [1, 0, 1, 0, 0, 0], [0, 0, 0, 1, 0, 1]])


class Convertible:
    """A data frame that only knows how to become a pandas one."""

    def to_pandas(self):
        return FRAME


class Interchange:
    """A data frame with the interchange protocol only."""

    def __dataframe__(self, *args, **kwargs):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return FRAME.__dataframe__(*args, **kwargs)


STRUCTURED = np.array(list(zip(Y, X, G)), dtype=[("y", float), ("x", int), ("g", "U1")])
SOURCES = {
    "pandas": FRAME,
    "pandas object strings": FRAME.astype({"g": object}),
    "pandas string": FRAME.astype({"g": "string"}),
    "pandas category": FRAME.astype({"g": "category"}),
    "pandas nullable": FRAME.astype({"x": "Int64", "y": "Float64"}),
    "pandas float32": FRAME.astype({"x": "float32"}),
    "dict of lists": {"y": Y, "x": X, "g": G},
    "dict of tuples": {"y": tuple(Y), "x": tuple(X), "g": tuple(G)},
    "dict of arrays": {"y": np.array(Y), "x": np.array(X), "g": np.array(G)},
    "dict of Series": {name: FRAME[name] for name in FRAME},
    "dict with other things": {"N": 6, "names": ["p", "q"], "y": Y, "x": X, "g": G},
    "polars": pl.DataFrame({"y": Y, "x": X, "g": G}),
    "polars lazy": pl.DataFrame({"y": Y, "x": X, "g": G}).lazy(),
    "polars categorical": pl.DataFrame({"y": Y, "x": X, "g": pl.Series(G, dtype=pl.Categorical)}),
    "structured array": STRUCTURED,
    "record array": STRUCTURED.view(np.recarray),
    "to_pandas": Convertible(),
    "interchange protocol": Interchange(),
}


@pytest.mark.parametrize("source", SOURCES)
def test_every_kind_of_frame_gives_the_same_design(source):
    design = build_design("y ~ x + g", SOURCES[source])
    np.testing.assert_array_equal(design.X, EXPECTED)
    np.testing.assert_array_equal(design.y, Y)
    assert design.names == ("(Intercept)", "x", "gb", "gc")
    assert (design.n, design.p, design.n_missing, design.rows) == (6, 4, 0, None)


@pytest.mark.parametrize("source", ["pandas", "pandas string", "dict of lists", "polars", "structured array"])
def test_strings_compare_inside_expressions(source):
    design = build_design("y ~ I(g == 'a')", SOURCES[source])
    assert design.names == ("(Intercept)", 'I(g == "a")TRUE')
    np.testing.assert_array_equal(design.X[:, 1], np.array(G) == "a")


MISSING = {
    "Int64": ("x", pd.array([1, None, 3, 4, 5, 6], dtype="Int64"), [1], ("(Intercept)", "x")),
    "float": ("x", [1, np.nan, 3, np.nan, 5, 6], [1, 3], ("(Intercept)", "x")),
    "boolean": ("x", pd.array([True, None, False, True, True, False], dtype="boolean"), [1], ("(Intercept)", "xTRUE")),
    "bool": ("x", [True, True, False, True, True, False], [], ("(Intercept)", "xTRUE")),
    "object of numbers": ("x", pd.Series([1, None, 3, 4, 5, 6], dtype=object), [1], ("(Intercept)", "x")),
    "object of bools": ("x", pd.Series([True, None, False] * 2, dtype=object), [1, 4], ("(Intercept)", "xTRUE")),
    "strings": ("g", ["a", None, "a", "b", "c", np.nan], [1, 5], ("(Intercept)", "gb", "gc")),
    "string": ("g", pd.array(["a", None, "a", "b", "c", "b"], dtype="string"), [1], ("(Intercept)", "gb", "gc")),
    "category": ("g", pd.Categorical(["a", None, *"abcb"], ["c", "a", "b"]), [1], ("(Intercept)", "ga", "gb")),
}


@pytest.mark.parametrize("kind", MISSING)
@pytest.mark.parametrize("to", ["pandas", "dict", "polars"])
def test_missing_values_are_missing_rows(kind, to):
    column, values, lost, names = MISSING[kind]
    frame = FRAME.assign(**{column: values})
    if to == "polars":
        lists = {c: [None if v is pd.NA or v != v else v for v in frame[c].tolist()] for c in frame}
        frame = pl.DataFrame(lists, schema_overrides={"g": pl.Enum(["c", "a", "b"])} if kind == "category" else None)
    data = dict(frame) if to == "dict" else frame
    design = build_design(f"y ~ {column}", data, weights=[1, 2, 3, 4, 5, 6], offset=np.arange(6.0))
    kept = [i for i in range(6) if i not in lost]
    assert design.names == names
    assert design.n_missing == len(lost)
    np.testing.assert_array_equal(design.y, np.array(Y)[kept])
    np.testing.assert_array_equal(design.weights, np.array([1, 2, 3, 4, 5, 6])[kept])
    np.testing.assert_array_equal(design.offset, np.arange(6.0)[kept])
    if lost:
        np.testing.assert_array_equal(design.rows, kept)
        with pytest.raises(FormulaError, match=rf"{len(lost)} of 6 rows .*\({column} in {len(lost)}\)"):
            build_design(f"y ~ {column}", data, na_action="raise")
    else:
        assert build_design(f"y ~ {column}", data, na_action="raise").n == 6


def test_a_missing_value_anywhere_drops_the_row():
    data = FRAME.assign(
        y=[np.nan, *Y[1:]], w=[1, 1, np.nan, 1, 1, 1], o=[0, 0, 0, np.nan, 0, 0], s=[1, 1, 1, 1, 1, None]
    )
    design = build_design("y ~ x", data, weights="w", offset="o", extra={"se": "s"})
    np.testing.assert_array_equal(design.rows, [1, 4])
    assert list(design.index) == [1, 4]
    np.testing.assert_array_equal(design.extra["se"], [1, 1])
    # the weights column and the weights argument are different things with one name
    data = FRAME.assign(weights=[1, np.nan, 3, 4, 5, 6])
    np.testing.assert_array_equal(build_design("y ~ weights", data, weights=[1, 2, np.nan, 4, 5, 6]).rows, [0, 3, 4, 5])


def test_undefined_values_are_noted():
    design = build_design("y ~ log(x - 2.5)", FRAME.assign(x=[1, 2, 3, 4, np.nan, 6]))
    assert design.n_missing == 3
    assert design.notes == ("log(x - 2.5) is undefined (NaN) in 2 rows, counted as missing",)
    assert build_design("log(y - 1.5) ~ x", FRAME).notes == (
        "log(y - 1.5) is undefined (NaN) in 1 row, counted as missing",
    )


def test_unused_levels_are_dropped_with_a_note():
    data = FRAME.assign(g=pd.Categorical(G, ["z", "c", "b", "a"]))
    design = build_design("y ~ g", data)
    assert design.names == ("(Intercept)", "gb", "ga")
    assert design.notes == ("unused level of g dropped: z",)
    design = build_design("y ~ g", FRAME.assign(x=[1, 1, 1, np.nan, 1, np.nan]), subset="x == 1")
    assert design.names == ("(Intercept)", "gb")
    assert design.notes == ("unused level of g dropped: c",)


def test_a_factor_with_one_level_is_an_error():
    with pytest.raises(FormulaError, match="factor g has the single level 'b' in the 2 rows used"):
        build_design("y ~ x + g", FRAME, subset=[0, 2])
    with pytest.raises(FormulaError, match="factor x has the single level 'TRUE'"):
        build_design("y ~ x", FRAME.assign(x=True))


def test_ordered_and_numeric_categories():
    data = FRAME.assign(g=pd.Categorical(G, ["c", "a", "b"], ordered=True))
    assert build_design("y ~ g", data).names == ("(Intercept)", "g.L", "g.Q")
    enum = pl.DataFrame({"y": Y, "g": pl.Series([*G[:5], None], dtype=pl.Enum(["c", "a", "b"]))})
    assert build_design("y ~ g", enum).names == ("(Intercept)", "ga", "gb")
    numbers = FRAME.assign(x=pd.Categorical([8, 4, 6, 4, 8, 6]))
    assert build_design("y ~ x", numbers).names == ("(Intercept)", "x6", "x8")
    halves = {"y": Y, "x": [0.5, 1, 2.25] * 2}
    assert build_design("y ~ factor(x)", halves).names == ("(Intercept)", "factor(x)1", "factor(x)2.25")


def test_masked_values_are_missing():
    x = np.ma.masked_array(X, mask=[False, True, False, False, False, False])
    np.testing.assert_array_equal(build_design("y ~ x", {"y": Y, "x": x}).rows, [0, 2, 3, 4, 5])


def test_labels_of_a_dict_of_series_are_kept():
    columns = {name: FRAME.set_index(pd.Index(list("pqrstu")))[name] for name in FRAME}
    assert list(build_design("y ~ x", columns, subset="x > 4").index) == ["t", "u"]


def test_repeated_rows_are_a_bootstrap():
    design = build_design("y ~ x", FRAME, subset=[0, 0, 2, 2, 5])
    np.testing.assert_array_equal(design.y, np.array(Y)[[0, 0, 2, 2, 5]])
    assert (design.n, design.n_subset) == (5, 3)


def test_integers_become_floats_before_arithmetic():
    x = np.arange(6) * 3_000_000
    cubes = build_design("y ~ I(x^3)", FRAME.assign(x=x)).X[:, 1]
    np.testing.assert_array_equal(cubes, x.astype(float) ** 3)
    assert np.any(x**3 != cubes)  # int64 overflows


def test_matrices_are_several_columns():
    M = np.arange(12.0).reshape(6, 2) ** 2
    design = build_design("y ~ M", {"y": Y, "M": M})
    assert design.names == ("(Intercept)", "M1", "M2")
    np.testing.assert_array_equal(design.X[:, 1:], M)
    design = build_design("M ~ x", {"M": M, "x": X})
    assert (design.response.kind, design.response.columns) == ("columns", ("M1", "M2"))
    np.testing.assert_array_equal(design.with_response(1).y, M[:, 1])
    assert design.with_response(1).response.name == "M2"


RESPONSES = {
    "y": ("numeric", (), Y),
    "log(y)": ("numeric", (), np.log(Y)),
    "y/2 - 1": ("numeric", (), np.array(Y) / 2 - 1),
    "y > 2.5": ("boolean", ("FALSE", "TRUE"), np.array(Y) > 2.5),
    "g": ("categorical", ("a", "b", "c"), [1, 0, 1, 2, 0, 2]),
    "factor(x // 3)": ("categorical", ("0", "1", "2"), [0, 0, 1, 1, 1, 2]),
    "cbind(y, x)": ("columns", (), np.column_stack([Y, X])),
}


@pytest.mark.parametrize("left", RESPONSES)
def test_kinds_of_response(left):
    kind, levels, y = RESPONSES[left]
    design = build_design(f"{left} ~ 1", FRAME)
    assert (design.response.kind, design.response.levels) == (kind, levels)
    np.testing.assert_allclose(design.y, y)
    if kind == "numeric":
        assert design.require_numeric_response() is design
    else:
        with pytest.raises(FormulaError, match="columns" if kind == "columns" else f"is {kind}"):
            design.require_numeric_response()


def test_response_levels_are_those_used():
    data = FRAME.assign(g=pd.Categorical(["b", "c", None, "b", "c", "b"], ["z", "b", "c"]))
    design = build_design("g ~ x", data)
    assert design.response.levels == ("b", "c")
    np.testing.assert_array_equal(design.y, [0, 1, 0, 1, 0])


SUBSETS = {
    "a mask": ([False, True, True, False, True, False], [1, 2, 4]),
    "positions": ([4, 0, -1], [4, 0, 5]),
    "a condition": ("(x > 1) & (g != 'c')", [1, 2, 4]),
    "an alternative": ("(x < 2) | (g == 'c')", [0, 3, 5]),
    "a column": ("keep", [0, 5]),
    "a pandas mask": (FRAME["x"] > 4, [4, 5]),
    "a nullable mask": (pd.array([True, None, False, False, False, True], dtype="boolean"), [0, 5]),
}


@pytest.mark.parametrize("kind", SUBSETS)
def test_subset(kind):
    subset, rows = SUBSETS[kind]
    design = build_design("y ~ x", FRAME.assign(keep=[True, *[False] * 4, True]), subset=subset, weights="x")
    np.testing.assert_array_equal(design.rows, rows)
    np.testing.assert_array_equal(design.X[:, 1], np.array(X)[rows])
    np.testing.assert_array_equal(design.weights, np.array(X)[rows])
    assert (design.n_total, design.n_subset, design.n_missing) == (6, 6 - len(rows), 0)
    assert list(design.index) == rows


def test_subset_comes_before_what_transforms_learn():
    design = build_design("y ~ center(x)", FRAME, subset="x > 3")
    np.testing.assert_allclose(design.X[:, 1], [-1, 0, 1])


def test_row_arguments():
    frame = FRAME.assign(w=[1, 2, 1, 2, 1, 2.0])
    np.testing.assert_array_equal(build_design("y ~ x", frame, weights="w").weights, frame["w"])
    np.testing.assert_allclose(build_design("y ~ x", frame, weights="1/w^2").weights, 1 / frame["w"] ** 2)
    np.testing.assert_array_equal(build_design("y ~ x", frame, weights=frame["w"]).weights, frame["w"])
    np.testing.assert_array_equal(build_design("y ~ x", frame, offset=2).offset, np.full(6, 2.0))
    both = build_design("y ~ x + offset(log(w))", frame, offset="w").offset
    np.testing.assert_allclose(both, np.log(frame["w"]) + frame["w"])


def test_nothing_is_shared_with_the_users_data():
    data = {"y": np.array(Y), "x": np.array(X, dtype=float), "w": np.ones(6)}
    design = build_design("y ~ x", data, weights=data["w"], offset=data["w"])
    for array in data.values():
        array[:] = 99.0
    np.testing.assert_array_equal(design.y, Y)
    np.testing.assert_array_equal(design.X[:, 1], X)
    assert design.weights.max() == design.offset.max() == 1.0


BAD = {
    "all missing": ({"data": FRAME.assign(x=np.nan)}, "every row has a missing value .x in 6"),
    "no rows": ({"data": FRAME.iloc[:0]}, "no rows"),
    "no rows in a dict": ({"data": {"y": [], "x": []}}, "no rows"),
    "nothing in the subset": ({"subset": "x > 99"}, "leaves no rows"),
    "infinite": ({"data": FRAME.assign(x=[1, np.inf, 2, 3, 4, 5])}, "x is infinite in 1 row.*position 1"),
    "infinite response": ({"data": FRAME.assign(y=[1, -np.inf, 2, 3, 4, 5])}, "the response y is infinite"),
    "mixed": ({"data": FRAME.assign(x=pd.Series([1, "a", 3, 4, 5, 6], dtype=object))}, "mixes strings"),
    "dates": ({"data": FRAME.assign(x=pd.date_range("2020", periods=6))}, "dates or times"),
    "dates with a zone": ({"data": FRAME.assign(x=pd.date_range("2020", periods=6, tz="UTC"))}, "dates or times"),
    "date objects": ({"data": FRAME.assign(x=[d.date() for d in pd.date_range("2020", periods=6)])}, "dates or times"),
    "durations": ({"data": FRAME.assign(x=pd.to_timedelta(range(6), unit="D"))}, "dates or times"),
    "complex": ({"data": FRAME.assign(x=np.arange(6) * 1j)}, "complex128"),
    "lists": ({"data": FRAME.assign(x=[[1]] * 6)}, "list objects"),
    "ragged": ({"data": {"y": Y, "x": X[:4]}}, "column x has 4 entries but the data have 6 rows"),
    "twice": ({"data": pd.DataFrame(np.ones((3, 3)), columns=["y", "x", "x"])}, "several columns named x"),
    "an array": ({"data": np.ones((6, 2))}, "no column names"),
    "a list": ({"data": [1, 2]}, "got list"),
    "weights too short": ({"weights": [1, 2]}, "weights must have one entry per row of data .6.; got 2"),
    "weights too long": ({"weights": np.ones(7)}, "weights must have one entry per row of data .6.; got 7"),
    "one weight": ({"weights": 2.0}, "weights must have one entry per row"),
    "negative weight": ({"weights": [1, 1, -2, 1, 1, 1]}, "weights must not be negative; got -2 at position 2"),
    "infinite weight": ({"weights": [1, 1, np.inf, 1, 1, 1]}, "weights is infinite"),
    "weights of strings": ({"weights": "g"}, "weights must hold one number per row; got categories"),
    "unknown weights": ({"data": FRAME.assign(wt=1), "weights": "wgt"}, "weights='wgt'.*Did you mean wt"),
    "weights of another index": (
        {"weights": pd.Series(X, index=range(1, 7))},
        "weights has another index than the data",
    ),
    "columns of different index": (
        {"data": {"y": pd.Series(Y), "x": pd.Series(X, index=range(1, 7))}},
        "column x has another index",
    ),
    "weights matrix": ({"weights": np.ones((6, 2))}, "weights must hold one number per row"),
    "offset too short": ({"offset": [1, 2]}, "offset must have one entry"),
    "unknown extra": ({"extra": {"se": "sd"}}, "se='sd'"),
    "empty name": ({"weights": ""}, "names no column"),
    "subset of floats": ({"subset": [0.5] * 6}, "subset must be a boolean"),
    "subset too short": ({"subset": [True, False]}, "subset must have one entry per row of data .6.; got 2"),
    "subset beyond": ({"subset": [0, 6]}, "subset holds row 6"),
    "na_action": ({"na_action": "omit"}, "na_action must be"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_data_are_named(case):
    arguments, message = BAD[case]
    with pytest.raises(InputError, match=f"(?s){message}") as caught:
        build_design("y ~ x", arguments.pop("data", FRAME), **arguments)
    assert case == "na_action" or isinstance(caught.value, FormulaError)


def test_a_prior_as_data_shows_the_corrected_call():
    from glmbayes.priors import dGamma

    with pytest.raises(FormulaError, match=r"data is a dGamma.*lmb\(formula, data=df, pfamily=dGamma\(\.\.\.\)\)"):
        build_design("y ~ x", dGamma(1.0, 1.0))


def test_names_come_from_the_callers_scope_without_data():
    response = [1.0, 2.0, 4.0, 3.0]
    dose = np.array([1, 2, 3, 4])
    arm = ["a", "b", "a", "b"]
    power, w = 2, [1.0, 2.0, 3.0, 4.0]
    design = build_design("response ~ dose + arm + I(dose^power)", weights="w", subset="dose > 1")
    assert design.names == ("(Intercept)", "dose", "armb", "I(dose^power)")
    np.testing.assert_array_equal(design.X[:, 3], [4, 9, 16])
    np.testing.assert_array_equal(design.weights, w[1:])
    assert set(design.scope_names) == {"response", "dose", "arm", "w"}
    # power is a constant: new data need the columns only
    assert power == 2
    assert response[0] == 1.0
    np.testing.assert_array_equal(design.new({"dose": [3], "arm": ["b"]}).X, [[1, 3, 1, 9]])
    assert len(arm) == len(dose)


def test_names_beside_data_are_recorded():
    other = np.arange(6.0)

    def cube(values):
        return values**3

    design = build_design("y ~ cube(x) + other", FRAME)
    np.testing.assert_array_equal(design.X[:, 1], np.array(X) ** 3.0)
    assert design.scope_names == ("other",)
    assert other.size == 6
    with pytest.raises(FormulaError, match="newdata lacks the column other"):
        design.new({"x": [1]})
    assert build_design("y ~ x", FRAME).scope_names == ()
    np.testing.assert_array_equal(build_design("y ~ k", FRAME, env={"k": X}).X[:, 1], X)


def test_the_scope_cannot_replace_log_but_may_define_scale():
    from math import log  # fails on arrays

    def scale(values):
        return values * 10.0

    design = build_design("y ~ log(x) + scale(x)", FRAME)
    np.testing.assert_array_equal(design.X[:, 1], np.log(X))
    np.testing.assert_array_equal(design.X[:, 2], np.array(X) * 10.0)
    assert log(1) == 0
    assert scale(1) == 10


def test_long_data_cost_one_matrix():
    n, p = 100_000, 20
    rng = np.random.default_rng(1)
    data = {f"x{j}": rng.standard_normal(n) for j in range(p)} | {"y": rng.standard_normal(n)}
    build_design("y ~ .", {k: v[:10] for k, v in data.items()})
    tracemalloc.start()
    design = build_design("y ~ .", data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.25 * design.X.nbytes
    np.testing.assert_array_equal(design.X[:, 1:], np.column_stack([data[f"x{j}"] for j in range(p)]))


def test_building_across_blocks_of_rows_with_gaps(rng):
    n = 70_000  # several blocks
    data = {"y": rng.standard_normal(n), "x": rng.standard_normal(n), "g": rng.choice(list("abc"), n)}
    data["x"][rng.random(n) < 0.1] = np.nan
    design = build_design("y ~ x*g", data)
    ok = ~np.isnan(data["x"])
    x, g = data["x"][ok], data["g"][ok]
    expected = [np.ones(ok.sum()), x, g == "b", g == "c", x * (g == "b"), x * (g == "c")]
    np.testing.assert_array_equal(design.X, np.column_stack(expected))


def test_importing_the_design_leaves_pandas_and_patsy_alone():
    code = "import sys, glmbayes.design, glmbayes.prior_setup; print({'pandas', 'patsy'} & set(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert ran.stdout.strip() == "set()"
