"""Plots: what they show, and that they can be drawn for every kind of model."""

import pickle

import numpy as np
import pytest

from glmbayes import InputError, datasets, lmb
from tests.fits.cases import IMPROPER, PRIORS, line

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")

MTCARS = datasets.load("mtcars")
ALL = {**PRIORS, **IMPROPER}


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def cars():
    return lmb("mpg ~ wt + factor(cyl) + hp", MTCARS, rng=1)


@pytest.mark.parametrize("name", ALL)
def test_every_prior_can_be_drawn(name, rng):
    fit = lmb("y ~ x", line(rng), ALL[name], rng=1)
    for draw in (fit.plot_coef, fit.plot_ppc, fit.plot_residuals, lambda: fit.plot_fit("x")):
        draw()
    if name == "dGamma":
        with pytest.raises(InputError, match="keeps the coefficients fixed"):
            fit.plot()
        return
    axes = fit.plot()
    flat = np.isinf(np.diag(fit.prior.Sigma))
    for j, panel in enumerate(axes):
        labels = [line.get_label() for line in panel.get_lines()]
        assert ("prior" in labels) == (not flat[j])


def test_densities_are_those_of_the_posterior_and_the_prior(rng):
    fit = lmb("y ~ x", line(rng), PRIORS["dNormal_Gamma"], n=40_000, rng=rng)
    panel = fit.plot("x")[0]
    assert panel.get_title() == "x"
    posterior, prior = panel.get_lines()
    x, density = posterior.get_data()
    assert np.trapezoid(density, x) == pytest.approx(1.0, abs=2e-3)
    counts, edges = np.histogram(fit.coefficients["x"], bins=20, range=(x[0], x[-1]), density=True)
    middle = 0.5 * (edges[1:] + edges[:-1])
    assert np.abs(counts - np.interp(middle, x, density)).max() < 0.06 * density.max()
    draws = PRIORS["dNormal_Gamma"].sample(400_000, rng).coefficients[:, 1]
    inside = np.mean((draws > x[0]) & (draws < x[-1]))
    assert np.trapezoid(prior.get_ydata(), x) == pytest.approx(inside, abs=0.01)


def test_plot_on_given_axes(cars):
    _, grid = plt.subplots(1, 2)
    assert list(cars.plot(["wt", "hp"], ax=grid)) == list(grid)
    with pytest.raises(InputError, match=r"one Axes per coefficient \(5\); got 2"):
        cars.plot(ax=grid)
    with pytest.raises(InputError, match="unknown coefficient"):
        cars.plot("weight")
    one = plt.subplots()[1]
    for draw in (cars.plot_coef, cars.plot_ppc, cars.plot_residuals):
        assert draw(ax=one) is one
    assert cars.plot_fit("wt", ax=one) is one


def test_forest(cars):
    ax = cars.plot_coef()
    assert [label.get_text() for label in ax.get_yticklabels()] == ["wt", "factor(cyl)6", "factor(cyl)8", "hp"]
    outer = np.array([segment[:, 0] for segment in ax.collections[0].get_segments()])
    np.testing.assert_allclose(outer, cars.confint(["wt", "factor(cyl)6", "factor(cyl)8", "hp"]))
    inner = np.array([segment[:, 0] for segment in ax.collections[1].get_segments()])
    np.testing.assert_allclose(inner, cars.confint(["wt", "factor(cyl)6", "factor(cyl)8", "hp"], level=0.5))
    assert len(cars.plot_coef(intercept=True).get_yticks()) == 5
    assert len(cars.plot_coef("hp").get_yticks()) == 1
    scaled = cars.plot_coef("hp", standardise=True).collections[0].get_segments()[0][:, 0]
    np.testing.assert_allclose(scaled, cars.confint("hp").to_numpy()[0] * MTCARS["hp"].std(ddof=0))


def test_replicated_responses(cars):
    ax = cars.plot_ppc(n=13)
    assert len(ax.get_lines()) == 14
    assert ax.get_xlabel() == "mpg"
    x, y = cars.plot_ppc(n=3, kind="cumulative").get_lines()[-1].get_data()
    np.testing.assert_allclose(y, [(MTCARS["mpg"] <= value).mean() for value in x])
    with pytest.raises(InputError, match="'density', 'cumulative'"):
        cars.plot_ppc(kind="hist")


def test_long_data_are_shown_in_part(rng):
    x = rng.standard_normal(60_001)
    fit = lmb("y ~ x", {"x": x, "y": x + rng.standard_normal(60_001)}, n=100, rng=rng)
    assert (
        fit.plot_fit("x").get_lines()[1].get_xdata().size == fit.plot_residuals().get_lines()[1].get_xdata().size < 5001
    )
    last = fit.plot_ppc(n=5).get_lines()[-1]
    assert np.trapezoid(last.get_ydata(), last.get_xdata()) == pytest.approx(1.0, abs=0.01)


def test_residuals_against_fitted(cars):
    points = cars.plot_residuals("response").get_lines()[1].get_xydata()
    np.testing.assert_allclose(points, np.column_stack([cars.fitted(), cars.residuals()]))


def test_fit_along_a_column(cars):
    ax = cars.plot_fit("wt", at={"cyl": 8}, level=0.8)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("wt", "mpg")
    x, mean = ax.get_lines()[0].get_data()
    assert (x[0], x[-1]) == (MTCARS["wt"].min(), MTCARS["wt"].max())
    new = {"wt": x, "cyl": np.full(200, 8), "hp": np.full(200, MTCARS["hp"].mean())}
    table = cars.predict(new, kind="interval", level=0.8)
    np.testing.assert_allclose(mean, table["mean"])
    for band, (low, high) in zip(ax.collections, (("new_lower", "new_upper"), ("lower", "upper"))):
        corners = band.get_paths()[0].vertices[:, 1]
        assert corners.min() == pytest.approx(table[low].min())
        assert corners.max() == pytest.approx(table[high].max())
    points = ax.get_lines()[1].get_xydata()  # partial residuals: the curve at each car plus its residual
    own = {"wt": MTCARS["wt"], "cyl": np.full(32, 8), "hp": np.full(32, MTCARS["hp"].mean())}
    np.testing.assert_allclose(points, np.column_stack([MTCARS["wt"], cars.predict(own) + cars.residuals()]))
    assert len(cars.plot_fit("wt", data=False).get_lines()) == 1
    with pytest.raises(InputError, match=r"needs a numeric column of the model; got 'cyl', it has \['wt', 'hp'\]"):
        cars.plot_fit("cyl")


@pytest.mark.parametrize(
    "formula", ["mpg ~ poly(wt, 2)", "log(mpg) ~ log(wt)", "mpg ~ wt", "mpg ~ wt + offset(hp / 50)"]
)
def test_with_one_column_the_points_are_the_data(formula):
    fit = lmb(formula, MTCARS, rng=1)
    shift = (MTCARS["hp"] - MTCARS["hp"].mean()).to_numpy() / 50 if "offset" in formula else 0.0
    points = fit.plot_fit("wt").get_lines()[1].get_xydata()
    np.testing.assert_allclose(points, np.column_stack([MTCARS["wt"], fit.design.y - shift]))


def test_data_that_are_gone_or_changed_are_not_shown(rng):
    data = line(rng)
    fit = pickle.loads(pickle.dumps(lmb("y ~ poly(x, 2)", data, rng=1)))
    assert len(fit.plot_fit("x").get_lines()) == 1
    fit = lmb("y ~ poly(x, 2)", data, rng=1)
    data["x"] = data["x"][:5]
    assert len(fit.plot_fit("x").get_lines()) == 1
    by_array = lmb("y ~ x", line(rng), offset=np.ones(12), rng=1)
    assert len(by_array.plot_fit("x").get_lines()) == 2
