"""New data get the design that the old data got; designs pickle, copy and rebuild."""

import copy
import math
import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from glmbayes.design import array_design, build_design
from glmbayes.errors import FormulaError

ROWS = 30
FRAME = pd.DataFrame(
    {
        "y": np.linspace(0.0, 3.0, ROWS) ** 2,
        "x": np.linspace(-2.0, 5.0, ROWS) ** 3,
        "z": np.cos(np.arange(ROWS)) + 3.0,
        "g": list("cab") * 10,
        "flag": [True, False, False] * 10,
        "k": [4, 6, 8, 6, 4] * 6,
        "o": pd.Categorical(["lo", "mid", "hi"] * 10, ["lo", "mid", "hi"], ordered=True),
    }
)
FORMULAS = [
    "y ~ x*g + flag",
    "y ~ center(x) + standardize(z)",
    "y ~ scale(x) + scale(z, center=False)",
    "y ~ scale(cbind(x, z))",
    "y ~ scale(log(z)) + scale(scale(x)^2)",
    "y ~ poly(x, 3) + poly(z, 2, raw=True)",
    "y ~ bs(x, df=5) + cr(z, df=4) + cc(z, df=4)",
    "y ~ te(cr(x, df=4), cr(z, df=3))",
    "y ~ I(x - np.mean(x)) + I(z / z.std())",
    "y ~ bs(x, knots=np.quantile(x, [0.2, 0.6]))",
    "y ~ o + factor(k) + C(g, Sum):x",
    "y ~ relevel(g, ref='b') + I(g == 'a')",
    "y ~ (x > np.median(x)) + offset(log(z))",
    "y ~ 1",
]


@pytest.mark.parametrize("formula", FORMULAS)
def test_rebuilds_bit_for_bit_after_pickling_and_copying(formula):
    design = build_design(formula, FRAME)
    for again in (design, pickle.loads(pickle.dumps(design)), copy.deepcopy(design), copy.copy(design)):
        new = again.new(FRAME)
        np.testing.assert_array_equal(new.X, design.X)
        assert new.rows_ok.all()
        # rows on their own: nothing is learnt again from new data
        for i in (0, 7, ROWS - 1):
            np.testing.assert_array_equal(again.new(FRAME.iloc[[i]]).X[0], design.X[i])
        if "offset" in formula:
            np.testing.assert_array_equal(new.offset, design.offset)
        else:
            assert new.offset is None


def test_a_pickle_works_in_another_process(tmp_path):
    design = build_design("y ~ scale(x)*g + poly(z, 2) + np.log(z)", FRAME)
    (tmp_path / "design.pickle").write_bytes(pickle.dumps((design, FRAME)))
    program = (
        "import pickle, sys, numpy as np\n"
        f"design, frame = pickle.load(open({str(tmp_path / 'design.pickle')!r}, 'rb'))\n"
        "np.testing.assert_array_equal(design.new(frame).X, design.X)\n"
        "print('patsy' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert ran.stdout.strip() == "False"


def test_modules_and_functions_of_the_scope_pickle():
    design = build_design("y ~ scipy.special.expit(z) + floor(x)", FRAME, env={"scipy": _scipy(), "floor": np.floor})
    again = pickle.loads(pickle.dumps(design))
    np.testing.assert_array_equal(again.new(FRAME).X, design.X)
    assert again.recipe.constants["scipy"] is _scipy()


def _scipy():
    import scipy.special

    return scipy


def test_transforms_are_those_of_r():
    x = FRAME["x"].to_numpy()
    X = build_design("y ~ scale(x) + scale(x, center=False) + center(x) + standardize(x)", FRAME).X
    np.testing.assert_allclose(X[:, 1], (x - x.mean()) / x.std(ddof=1), rtol=1e-12)
    np.testing.assert_allclose(X[:, 2], x / np.sqrt((x**2).sum() / (ROWS - 1)), rtol=1e-12)
    np.testing.assert_allclose(X[:, 3], x - x.mean(), rtol=1e-12)
    np.testing.assert_allclose(X[:, 4], (x - x.mean()) / x.std(), rtol=1e-12)
    # R: poly(1:5, 3)
    expected = [
        [-0.6324555320336759, 0.5345224838248488, -0.3162277660168379],
        [-0.3162277660168380, -0.2672612419124244, 0.6324555320336759],
        [0.0, -0.5345224838248488, 0.0],
        [0.3162277660168380, -0.2672612419124244, -0.6324555320336759],
        [0.6324555320336759, 0.5345224838248488, 0.3162277660168379],
    ]
    data = {"y": [1.0, 2, 3, 4, 6], "t": [1, 2, 3, 4, 5]}
    np.testing.assert_allclose(build_design("y ~ poly(t, 3)", data).X[:, 1:], expected, atol=1e-14)
    np.testing.assert_array_equal(build_design("y ~ poly(t, 2, raw=True)", data).X[2, 1:], [3, 9])


def test_polynomials_stay_orthonormal_at_high_degree():
    P = build_design("y ~ poly(x, 8)", FRAME).X[:, 1:]
    np.testing.assert_allclose(P.T @ P, np.eye(8), atol=1e-9)
    np.testing.assert_allclose(P.sum(axis=0), 0.0, atol=1e-9)


def test_what_is_learnt_comes_from_the_rows_present():
    holes = FRAME.assign(x=FRAME["x"].where(FRAME.index != 4))
    design = build_design("y ~ scale(x) + poly(x, 2) + bs(x, df=4)", holes)
    full = build_design("y ~ scale(x) + poly(x, 2) + bs(x, df=4)", FRAME.drop(index=4))
    assert design.n_missing == 1
    np.testing.assert_allclose(design.X, full.X, rtol=1e-12)
    new = design.new(holes)
    np.testing.assert_array_equal(new.rows_ok, FRAME.index != 4)
    assert np.isnan(new.X[4]).all()


def test_missing_values_of_new_data_stay():
    design = build_design("y ~ x + g + flag + offset(z)", FRAME)
    new = design.new(
        {
            "x": [1.0, np.nan, 2.0, 3.0, 4.0],
            "g": ["a", "b", None, "c", "a"],
            "flag": pd.array([True, False, True, None, True], dtype="boolean"),
            "z": [0.0, 0.0, 0.0, 0.0, np.nan],
        }
    )
    np.testing.assert_array_equal(new.rows_ok, [True, False, False, False, False])
    assert np.isnan(new.X[1:]).all()
    np.testing.assert_array_equal(new.X[0], [1, 1, 0, 0, 1])
    assert build_design("y ~ 1", FRAME).new(FRAME.iloc[:3]).X.shape == (3, 1)
    assert design.new(FRAME.iloc[:0]).X.shape == (0, 5)


def test_zero_and_one_will_do_for_booleans():
    design = build_design("y ~ flag", FRAME)
    np.testing.assert_array_equal(design.new({"flag": [0, 1, 1]}).X[:, 1], [0, 1, 1])
    with pytest.raises(FormulaError, match=r"level '2' of flag, .* it knows FALSE, TRUE"):
        design.new({"flag": [0, 2]})


def test_single_values_are_repeated():
    design = build_design("y ~ x + g", FRAME)
    np.testing.assert_array_equal(design.new({"x": [1, 2], "g": "b"}).X, [[1, 1, 1, 0], [1, 2, 1, 0]])
    np.testing.assert_array_equal(design.new({"g": "c", "x": 3}).X, [[1, 3, 0, 1]])


def test_levels_are_matched_by_what_they_say():
    design = build_design("y ~ factor(k) + g", FRAME)
    expected = design.new(pd.DataFrame({"k": [6, 8], "g": ["a", "c"]})).X
    for k in ([6.0, 8.0], np.array([6, 8], dtype="int8"), ["6", "8"], pd.Categorical([6, 8])):
        for g in (["a", "c"], pd.Categorical(["a", "c"], ["c", "a"]), np.array(["a", "c"])):
            np.testing.assert_array_equal(design.new({"k": k, "g": g}).X, expected)


NEWDATA = {
    "a new level": ({"x": [1], "g": ["q"], "z": [1]}, "level 'q' of g, which the fit has not seen; it knows a, b, c"),
    "no column": ({"x": [1], "z": [1]}, "newdata lacks the column g; the model needs x, g, z"),
    "no columns": ({"z": [1]}, "newdata lacks the columns x, g"),
    "strings for numbers": ({"x": ["u"], "g": ["a"], "z": [1]}, "x was numeric in the fit"),
    "booleans for numbers": ({"x": [True], "g": ["a"], "z": [1]}, "x was numeric in the fit"),
    "numbers for strings": ({"x": [1], "g": [3], "z": [1]}, "level '3' of g"),
    "infinite": ({"x": [np.inf], "g": ["a"], "z": [1]}, "x is infinite in 1 row.* of newdata"),
    "ragged": ({"x": [1, 2], "g": ["a"], "z": [1, 2]}, "column g has 1 entries"),
    "an array": (np.ones((2, 3)), "newdata must be a pandas or polars"),
    "nothing": (None, "newdata lacks the columns x, g, z"),
}


@pytest.mark.parametrize("case", NEWDATA)
def test_bad_new_data(case):
    newdata, message = NEWDATA[case]
    with pytest.raises(FormulaError, match=message):
        build_design("y ~ x + g + offset(z)", FRAME).new(newdata)


def test_a_level_dropped_as_unused_is_unknown():
    data = FRAME.assign(g=pd.Categorical(FRAME["g"], ["a", "b", "c", "spare"]))
    with pytest.raises(FormulaError, match="level 'spare' of g"):
        build_design("y ~ g", data).new({"g": pd.Categorical(["spare"])})
    # a category that is declared but not used in newdata is harmless
    assert build_design("y ~ g", FRAME).new({"g": pd.Categorical(["a"], ["a", "spare"])}).rows_ok.all()


def test_offsets_of_new_data():
    named = build_design("y ~ x", FRAME, offset="log(z)")
    np.testing.assert_allclose(named.new({"x": [1], "z": [math.e]}).offset, [1.0])
    with pytest.raises(FormulaError, match="z is not a column"):
        named.new({"x": [1]})
    np.testing.assert_array_equal(named.new({"x": [1, 2]}, offset=[5, 6]).offset, [5, 6])
    array = build_design("y ~ x + offset(z)", FRAME, offset=np.ones(ROWS))
    with pytest.raises(FormulaError, match="array as offset="):
        array.new({"x": [1], "z": [2]})
    np.testing.assert_array_equal(array.new({"x": [1], "z": [2]}, offset=[3]).offset, [5.0])
    np.testing.assert_array_equal(build_design("y ~ x", FRAME, offset=2.0).new({"x": [1]}).offset, [2.0])
    with pytest.raises(FormulaError, match=r"offset must be one number per row \(1\)"):
        array.new({"x": [1], "z": [2]}, offset=[3, 4])


def test_what_the_terms_use_is_summarised():
    design = build_design("y ~ log(z) + x:g + flag + factor(k)", FRAME, subset="x > 0")
    used = FRAME[FRAME["x"] > 0]
    assert list(design.columns) == ["z", "flag", "k", "x", "g"]
    z = design.columns["z"]
    assert (z.kind, z.low, z.high) == ("numeric", used["z"].min(), used["z"].max())
    assert z.mean == pytest.approx(used["z"].mean(), rel=1e-14)
    assert design.columns["g"].levels == ("a", "b", "c")
    assert design.columns["flag"].kind == "boolean"


def test_a_design_is_frozen():
    design = build_design("y ~ x", FRAME)
    with pytest.raises(AttributeError):
        design.y = None
    assert "30 rows" in repr(design)
    assert "coefficients (Intercept), x" in repr(design)


def test_arrays_instead_of_a_formula():
    y, X = [1.0, 2.0, 4.0, np.nan], [[1, 0], [1, 1], [1, 2], [1, 3]]
    design = array_design(y, X, weights=[1, 2, 3, 4])
    assert design.names == ("(Intercept)", "x2")
    assert design.n_missing == 1
    np.testing.assert_array_equal(design.weights, [1, 2, 3])
    np.testing.assert_array_equal(design.X, X[:3])
    again = pickle.loads(pickle.dumps(design))
    np.testing.assert_array_equal(again.new([[1, 5], [1, np.nan]]).rows_ok, [True, False])
    np.testing.assert_array_equal(again.new({"x2": [7]}).X, [[1, 7]])
    frame = pd.DataFrame({"a": [1, 2, 3], "b": [True, False, True]})
    assert array_design(pd.Series([1.0, 2, 3], name="mpg"), frame).response.name == "mpg"
    assert array_design([1.0, 2, 3], frame).names == ("a", "b")
    assert array_design([1.0, 2, 3], frame, names=["u", "v"]).names == ("u", "v")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"y": [1.0, 2.0], "X": [[1, 0]]}, "same, positive number of rows"),
        ({"y": [], "X": np.ones((0, 2))}, "same, positive number of rows"),
        ({"y": [1, 2], "X": [["a"], ["b"]]}, "X must"),
        ({"y": ["a", "b"], "X": [[1], [2]]}, "y must hold numbers"),
        ({"y": [1, 2], "X": [[1, 2], [3, 4]], "names": ["a", "a"]}, "a name of its own"),
        ({"y": [1, 2], "X": [[1, 2], [3, 4]], "names": ["a"]}, "a name of its own"),
        ({"y": [1, np.inf], "X": [[1, 2], [3, 4]]}, "y is infinite"),
        ({"y": [1, 2], "X": [[1, 2], [3, 4]], "weights": "w"}, "must be arrays here"),
        ({"y": [1, 2], "X": [[1, 2], [3, 4]], "weights": [1]}, "weights must have one entry"),
        ({"y": [1, 2], "X": {"g": ["u", "v"]}}, "for categories, fit with a formula"),
    ],
)
def test_bad_arrays(arguments, message):
    with pytest.raises(FormulaError, match=message):
        array_design(**arguments)


def test_bad_new_arrays():
    design = array_design([1.0, 2.0, 4.0], [[1, 0], [1, 1], [1, 2]], offset=np.ones(3))
    with pytest.raises(FormulaError, match="offset= for the new rows"):
        design.new([[1, 2]])
    with pytest.raises(FormulaError, match="must have 2 columns"):
        design.new([[1, 2, 3]], offset=[0])
    with pytest.raises(FormulaError, match="lacks the column x2"):
        design.new({"z": [1]}, offset=[0])
