"""Marginal means and contrasts against hand computation; linear combinations."""

import numpy as np
import pandas as pd
import pytest

from glmbayes import InputError, datasets, lmb
from tests.fits.cases import PRIORS, assert_share, line

MTCARS = datasets.load("mtcars")


def posterior(fit, row):
    """Mean and sd of a combination."""
    row = np.asarray(row, dtype=float)
    return row @ fit.posterior_mean.to_numpy(), np.sqrt(row @ fit.vcov().to_numpy() @ row)


@pytest.fixture(scope="module")
def crossed():
    """mpg by cylinders, transmission and weight, with the interaction of the factors."""
    return lmb("mpg ~ factor(cyl) * am + wt", MTCARS, n=4000, rng=1)


def test_plant_weights():
    fit = lmb("weight ~ group", datasets.load("plant_weight"), rng=1)
    table = fit.emmeans("group")
    assert list(table.index) == ["group=Ctl", "group=Trt"]
    for label, row in (("group=Ctl", [1, 0]), ("group=Trt", [1, 1])):
        assert table.loc[label, ["mean", "sd"]].tolist() == pytest.approx(posterior(fit, row))
    contrast = fit.contrasts("group")
    assert list(contrast.index) == ["Ctl - Trt"]
    assert contrast.loc["Ctl - Trt", "mean"] == pytest.approx(-fit.posterior_mean["groupTrt"])
    assert contrast.loc["Ctl - Trt", "p_positive"] == pytest.approx(
        fit.hypothesis("groupTrt < 0").posterior_probability
    )
    assert list(fit.contrasts("group", method="treatment").index) == ["Trt - Ctl"]
    limits = fit.confint("groupTrt").to_numpy()[0]
    assert fit.contrasts("group", "treatment")[["lower", "upper"]].to_numpy()[0] == pytest.approx(limits)


def test_interactions_and_covariates_by_hand(crossed):
    """Other factors count equally, whatever their frequencies; numbers stand at their means."""
    names = ["(Intercept)", "factor(cyl)6", "factor(cyl)8", "am", "wt", "factor(cyl)6:am", "factor(cyl)8:am"]
    assert list(crossed.names) == names
    am, wt = MTCARS["am"].mean(), MTCARS["wt"].mean()  # am is a number here
    rows = {4: [1, 0, 0, am, wt, 0, 0], 6: [1, 1, 0, am, wt, am, 0], 8: [1, 0, 1, am, wt, 0, am]}
    for name in ("cyl", "factor(cyl)"):
        table = crossed.emmeans(name)
        assert list(table.index) == ["cyl=4", "cyl=6", "cyl=8"]
        for level, row in rows.items():
            assert table.loc[f"cyl={level}", ["mean", "sd"]].tolist() == pytest.approx(posterior(crossed, row))
    pairs = crossed.contrasts("cyl")
    assert list(pairs.index) == ["4 - 6", "4 - 8", "6 - 8"]
    for i, j in ((4, 6), (4, 8), (6, 8)):
        row = np.subtract(rows[i], rows[j])
        assert pairs.loc[f"{i} - {j}", ["mean", "sd"]].tolist() == pytest.approx(posterior(crossed, row))
    one = crossed.contrasts("cyl", at={"am": 1}).loc["4 - 8"]
    assert one[["mean", "sd"]].tolist() == pytest.approx(posterior(crossed, [0, 0, -1, 0, 0, 0, -1]))


def test_factors_average_equally():
    fit = lmb("mpg ~ factor(cyl) * factor(am)", MTCARS, rng=1)
    table = fit.emmeans("am")
    # names: (Intercept), cyl6, cyl8, am1, cyl6:am1, cyl8:am1
    third = 1 / 3
    rows = ([1, third, third, 0, 0, 0], [1, third, third, 1, third, third])
    for label, row in zip(("am=0", "am=1"), rows):
        assert table.loc[label, ["mean", "sd"]].tolist() == pytest.approx(posterior(fit, row))
    strings = MTCARS.assign(cyl=MTCARS["cyl"].astype(str), am=MTCARS["am"].astype(bool))
    same = lmb("mpg ~ cyl * am", strings, rng=1)
    assert list(same.emmeans("am").index) == ["am=False", "am=True"]
    np.testing.assert_allclose(same.emmeans("am"), table, rtol=1e-9)
    fixed = same.emmeans("am", at={"cyl": ["4", "8"]})
    assert fixed.loc["am=True", "mean"] == pytest.approx(posterior(fit, [1, 0, 0.5, 1, 0, 0.5])[0])


def test_numbers_need_values(crossed):
    with pytest.raises(InputError, match=r"wt is numeric: give the values to compare with at=\{'wt'"):
        crossed.emmeans("wt")
    table = crossed.contrasts("wt", at={"wt": [2.0, 3.5]})
    assert list(table.index) == ["2 - 3.5"]
    assert table["mean"].iloc[0] == pytest.approx(-1.5 * crossed.posterior_mean["wt"])
    with pytest.raises(InputError, match="'gear' is not a column of the model"):
        crossed.emmeans("gear")
    with pytest.raises(InputError, match="single level"):
        crossed.contrasts("wt", at={"wt": 3.0})
    with pytest.raises(InputError, match="'pairwise', 'treatment'"):
        crossed.contrasts("cyl", method="helmert")


def test_offsets_stand_at_their_mean(rng):
    data = {"g": list("aabb") * 3, "o": rng.uniform(1, 2, 12)}
    data["y"] = data["o"] + rng.standard_normal(12)
    for way, at in (("o", data["o"].mean()), (data["o"], data["o"].mean()), (3.0, 3.0)):
        fit = lmb("y ~ g", data, offset=way, rng=1)
        mean = fit.posterior_mean
        expected = [at + mean["(Intercept)"], at + mean["(Intercept)"] + mean["gb"]]
        np.testing.assert_allclose(fit.emmeans("g")["mean"], expected)
        assert fit.contrasts("g")["mean"].iloc[0] == pytest.approx(-mean["gb"])
    with pytest.raises(InputError, match="put both into the formula"):
        lmb("y ~ g + offset(o)", data, offset=data["o"], rng=1).emmeans("g")


def test_linear_combinations(rng):
    fit = lmb("y ~ x", line(rng), PRIORS["dIndependent_Normal_Gamma"], n=20_000, rng=rng)
    matrix = np.array([[1.0, 2.0], [0.0, -1.0]])
    table = fit.linear_combinations(matrix, level=0.9)
    values = fit.draws.coefficients @ matrix.T
    for i in range(2):
        assert table.loc[i, ["mean", "sd"]].tolist() == pytest.approx(posterior(fit, matrix[i]))
        assert_share(values[:, i] < table.loc[i, "lower"], 0.05)
        assert_share(values[:, i] > table.loc[i, "upper"], 0.05)
        assert_share(values[:, i] > 0.0, table.loc[i, "p_positive"])
    text = fit.linear_combinations(["(Intercept) + 2*x", "1 - x"], level=0.9)
    np.testing.assert_allclose(text.iloc[0], table.loc[0])
    shifted = text.loc["1 - x"]
    assert shifted["mean"] == pytest.approx(1 + table.loc[1, "mean"])
    assert shifted["lower"] == pytest.approx(1 + table.loc[1, "lower"])
    assert_share(1 - fit.coefficients["x"] > 0, shifted["p_positive"])
    pd.testing.assert_frame_equal(fit.linear_combinations(matrix.tolist(), level=0.9), table)
    named = fit.linear_combinations({"at two": "(Intercept) + 2*x"})
    assert list(named.index) == ["at two"]
    assert list(fit.linear_combinations("x").index) == ["x"]
    frame = pd.DataFrame({"x": [2.0], "(Intercept)": [1.0]}, index=["at two"])
    pd.testing.assert_frame_equal(fit.linear_combinations(frame), named)
    with pytest.raises(InputError, match=r"one weight per coefficient \(2\); got 3"):
        fit.linear_combinations([[1, 2, 3]])
    with pytest.raises(InputError, match="'z' is not a coefficient"):
        fit.linear_combinations(frame.assign(z=1.0))
    with pytest.raises(InputError, match="level must be less than 1"):
        fit.linear_combinations("x", level=1.0)
