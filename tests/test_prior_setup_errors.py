"""What Prior_Setup refuses, and what it says."""

import numpy as np
import pandas as pd
import pytest

from glmbayes.design.aliasing import aliased_columns
from glmbayes.errors import FormulaError, InputError
from glmbayes.prior_setup import Prior_Setup

DATA = pd.DataFrame(
    {
        "y": [4.0, 5.0, 4.5, 6.0, 5.5, 7.0, 3.0, 4.0],
        "x": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 9.0],
        "z": [0.0, 1.0, 0.0, 2.0, 1.0, 0.0, 2.0, 2.0],
        "g": list("aabbaabb"),
        "w": [0.5, 1.0, 2.0, 1.0, 1.5, 1.0, 1.0, 1.0],
    }
)

BAD = {
    "pwt 0": ({"pwt": 0.0}, "pwt, the prior's weight.*between 0 and 1"),
    "pwt 1": ({"pwt": 1.0}, "between 0 and 1"),
    "pwt negative": ({"pwt": [-0.1, 0.5]}, "between 0 and 1"),
    "pwt NaN": ({"pwt": np.nan}, "pwt must be finite"),
    "pwt too long": ({"pwt": [0.1, 0.2, 0.3]}, r"pwt must have one entry.*\(Intercept\), x \(2\); got 3"),
    "pwt a string": ({"pwt": "small"}, "pwt must"),
    "n_prior 0": ({"n_prior": 0}, "n_prior must be greater than 0"),
    "n_prior that vanishes beside the data": ({"n_prior": 5e-324}, "n_prior must be at least 1e-200"),
    "n_prior negative": ({"n_prior": -1}, "n_prior must be greater than 0"),
    "n_prior NaN": ({"n_prior": np.nan}, "n_prior must be finite"),
    "n_prior huge": ({"n_prior": 1e30}, "too far apart for a weight"),
    "n_prior a vector": ({"n_prior": [1.0, 2.0]}, "n_prior must be a single number"),
    "sd alone": ({"sd": [1.0, 1.0]}, "give n_prior as well"),
    "sd and pwt": ({"sd": [1.0, 1.0], "pwt": 0.1, "n_prior": 1}, "pwt or sd, not both"),
    "sd 0": ({"sd": [1.0, 0.0], "n_prior": 1}, "sd must be positive"),
    "sd NaN": ({"sd": [1.0, np.nan], "n_prior": 1}, "sd must be finite"),
    "sd too short": ({"sd": [1.0], "n_prior": 1}, "sd must have one entry"),
    "mu too short": ({"mu": [1.0]}, r"mu must have one entry.*\(Intercept\), x \(2\); got 1"),
    "mu NaN": ({"mu": [1.0, np.nan]}, "mu must be finite"),
    "mu of strings": ({"mu": ["a", "b"]}, "mu must hold one number per coefficient"),
    "mu a matrix": ({"mu": np.eye(2)}, "mu must hold one number per coefficient"),
    "mu misnamed": ({"mu": {"Intercept": 1, "x": 0}}, r"names of mu.*got Intercept, x;.*order, \(Intercept\), x"),
    "sd misnamed": ({"sd": pd.Series({"x": 1.0}), "n_prior": 1}, "names of sd do not match"),
    "dispersion 0": ({"dispersion": 0.0}, "dispersion must be greater than 0"),
    "dispersion NaN": ({"dispersion": np.nan}, "dispersion must be finite"),
    "k negative": ({"k": -1}, "k must be at least 0"),
    "no prior mean of phi": (
        {"formula": "y ~ 1", "k": 0, "pwt": 0.01},
        r"n_prior \+ k \+ \(number of coefficients\) must exceed 2",
    ),
    "intercept_source": ({"intercept_source": "null"}, "intercept_source must be one of"),
    "effects_source": ({"effects_source": "zero"}, "effects_source must be one of"),
    "family": ({"family": "weibull"}, "family must be one of"),
    "weights_type": ({"weights": "z", "weights_type": "variance"}, "weights_type must be one of"),
    "fractional weights": (
        {"weights": "w"},
        r"weights hold fractions \(for instance 0.5\).*weights_type='frequency'.*weights_type='precision'",
    ),
    "no weight at all": ({"weights": np.zeros(8)}, "weights must not all be zero"),
    "negative weights": ({"weights": [-1.0, *[1.0] * 7]}, "weights must not be negative"),
    "weights too short": ({"weights": [1.0]}, "weights must have one entry per row"),
    "too few rows": ({"data": DATA.iloc[:2]}, "more observations than coefficients: got 2 row"),
    "too few weighted rows": ({"weights": [1, 1, 0, 0, 0, 0, 0, 0]}, "got 2 row.s. with positive weight for 2"),
    "frequencies below p": (
        {"weights": np.full(8, 0.2), "weights_type": "frequency"},
        "they sum to 1.6 for 2 coefficient.*weights_type='precision'",
    ),
    "constant response": ({"data": DATA.assign(y=3.5)}, r"response y is constant \(3.5\)"),
    "constant response, no intercept": ({"formula": "y ~ g - 1", "data": DATA.assign(y=3.5)}, "is constant"),
    "constant after the offset": ({"formula": "x ~ z", "offset": DATA["x"] - 1.0}, "x minus offset is constant"),
    "zero response": ({"data": DATA.assign(y=0.0)}, r"response y is constant \(0\)"),
    "exact fit": ({"formula": "y ~ x", "data": DATA.assign(y=2 * DATA["x"] + 1)}, "fits the response y exactly"),
    "aliased": ({"formula": "y ~ x + I(2*x + 1) + z"}, r"rank deficient: I\(2 \* x \+ 1\) is a combination"),
    "aliased twice": ({"formula": "y ~ x + z + I(x - z) + I(x + z)"}, r"I\(x - z\), I\(x \+ z\) are combinations"),
    "aliased with the intercept": ({"formula": "y ~ I(x * 0 + 3)"}, r"I\(x \* 0 \+ 3\) is a combination"),
    "a column of zeros": ({"formula": "y ~ I(x * 0)"}, r"I\(x \* 0\) is a combination"),
    "response of strings": ({"formula": "g ~ x"}, "response g is categorical"),
    "response of booleans": ({"formula": "y > 4 ~ x"}, "response y > 4 is boolean.*binomial"),
    "two responses": ({"formula": "cbind(y, z) ~ x"}, "has 2 columns"),
    "unknown column": ({"formula": "y ~ xx"}, "Did you mean x"),
    "NaN everywhere": ({"data": DATA.assign(x=np.nan)}, "every row has a missing value"),
    "missing values": ({"data": DATA.assign(x=DATA["x"].where(DATA["x"] > 1)), "na_action": "raise"}, "1 of 8 rows"),
}


@pytest.mark.parametrize("case", BAD)
def test_refused_with_a_reason(case):
    arguments, message = BAD[case]
    arguments = {"formula": "y ~ x", "data": DATA} | arguments
    with pytest.raises(InputError, match=f"(?s){message}"):
        Prior_Setup(arguments.pop("formula"), arguments.pop("data"), **arguments)


def test_a_prior_in_second_place():
    from glmbayes.priors import dGamma

    with pytest.raises(FormulaError, match=r"data is a dGamma: the second argument is the data"):
        Prior_Setup("y ~ x", dGamma(1.0, 1.0))


def test_unknown_prior_kind():
    with pytest.raises(InputError, match="prior must be one of"):
        Prior_Setup("y ~ x", DATA).prior("dCauchy")


def test_aliasing_does_not_depend_on_units_or_centring(rng):
    """Exact combinations are found, and nearly collinear columns are not mistaken for them, whatever the scale."""
    x = np.linspace(-8.8, -3.1, 82)
    hard = np.vander(x, 11, increasing=True)  # degree ten, condition number 1e15
    assert aliased_columns(np.linalg.qr(hard, mode="r")) == []
    for _ in range(50):
        n = int(rng.integers(8, 300))
        a = rng.standard_normal(n) * 10 ** rng.uniform(-3, 6) + 10 ** rng.uniform(0, 8)
        b, c = rng.standard_normal(n), rng.uniform(0, 5, n)
        d = a * rng.uniform(-3, 3) + b * rng.uniform(-2, 2) - 1234.5 + c / 7
        X = np.column_stack([np.ones(n), a, b, c, d, np.sin(b * 3 + c), a - a.mean()])
        X *= 10 ** rng.uniform(-5, 5, 7)
        assert aliased_columns(np.linalg.qr(X, mode="r")) == [4, 6]
