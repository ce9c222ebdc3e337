"""The fitted model as a value: frozen, copied, pickled, sampled again; its spellings; several responses."""

import copy
import dataclasses
import pickle

import numpy as np
import pandas as pd
import pytest

from glmbayes import InputError, datasets, lmb
from tests.fits.cases import IMPROPER, PRIORS, design, line

ALL = {**PRIORS, **IMPROPER}


@pytest.fixture
def fit(rng):
    return lmb("y ~ x", line(rng), n=500, rng=rng)


def test_frozen(fit):
    for name in ("call", "draws", "coefficients", "anything"):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(fit, name, None)
    with pytest.raises(dataclasses.FrozenInstanceError):
        del fit.call


@pytest.mark.parametrize("name", ALL)
def test_copies_and_pickles_answer_alike(name, rng):
    data = line(rng)
    fit = lmb("y ~ x + offset(x)", data, ALL[name], weights=np.arange(1, 13), n=50, rng=rng)
    for other in (copy.copy(fit), copy.deepcopy(fit), pickle.loads(pickle.dumps(fit))):
        assert str(other.summary()) == str(fit.summary())
        pd.testing.assert_frame_equal(other.coefficients, fit.coefficients)
        np.testing.assert_array_equal(other.predict({"x": [1.0]}), fit.predict({"x": [1.0]}))
        pd.testing.assert_frame_equal(other.sample(9, rng=1).coefficients, fit.sample(9, rng=1).coefficients)
    assert copy.copy(fit).update(n=3).n_draws == 3
    assert copy.deepcopy(fit).update(n=3).n_draws == 3
    deep = copy.deepcopy(fit)
    deep.draws.coefficients.setflags(write=True)
    deep.draws.coefficients[:] = 0.0
    assert (fit.coefficients["x"] != 0.0).all()


def test_pickles_leave_the_data_out(rng):
    big = {"y": rng.standard_normal(10_000), **{f"x{j}": rng.standard_normal(10_000) for j in range(30)}}
    fit = lmb("y ~ x0", big, n=10, rng=1)
    assert len(pickle.dumps(fit)) < 10_000 * 8 * 4  # response and two columns, not thirty-one


@pytest.mark.parametrize("name", ALL)
def test_sampling_again_continues_the_same_posterior(name, rng):
    fit = lmb("y ~ x", line(rng), ALL[name], n=10, rng=1)
    more = fit.sample(4000, rng)
    assert (more.n_draws, fit.n_draws) == (4000, 10)
    assert more.posterior is fit.posterior
    pd.testing.assert_series_equal(more.posterior_mean, fit.posterior_mean)
    assert (more.coefficients.mean() - fit.posterior_mean).abs().max() < 0.2
    with pytest.raises(InputError, match="n must be a whole number of draws"):
        fit.sample(0)


def test_the_same_seed_gives_the_same_draws(rng):
    data = line(rng)
    one, same, other = (lmb("y ~ x", data, n=100, rng=seed) for seed in (7, 7, 8))
    pd.testing.assert_frame_equal(one.coefficients, same.coefficients)
    np.testing.assert_array_equal(one.dispersion, same.dispersion)
    assert (one.coefficients["x"] != other.coefficients["x"]).all()
    pd.testing.assert_series_equal(one.posterior_mean, other.posterior_mean, check_exact=True)
    generator = np.random.default_rng(7)
    pd.testing.assert_frame_equal(lmb("y ~ x", data, n=100, rng=generator).coefficients, one.coefficients)
    assert (lmb("y ~ x", data, n=100, rng=generator).coefficients["x"] != one.coefficients["x"]).all()


def test_spellings(fit):
    names = ["(Intercept)", "x"]
    for series in (fit.params, fit.coef(), fit.posterior_mean, fit.bse, fit.posterior_sd, fit.coef_mode):
        assert list(series.index) == names
    pd.testing.assert_series_equal(fit.params, fit.posterior_mean)
    pd.testing.assert_series_equal(fit.coef(), fit.posterior_mean)
    pd.testing.assert_series_equal(fit.bse, fit.posterior_sd)
    np.testing.assert_allclose(np.sqrt(np.diag(fit.vcov())), fit.posterior_sd)
    assert list(fit.vcov().index) == list(fit.vcov().columns) == names
    assert (fit.formula, fit.names, fit.nobs, fit.n_draws) == ("y ~ x", tuple(names), 12, 500)
    assert fit.coefficients.shape == (500, 2)
    assert fit.dispersion.shape == (500,)


def test_nothing_is_held_of_the_arrays_given(rng):
    """Changing y, X or the weights afterwards changes nothing."""
    data = line(rng)
    y, X, w = data["y"].copy(), design(data), np.arange(1.0, 13.0)
    fit = lmb(y=y, X=X, weights=w, offset=y / 2, pfamily=PRIORS["dNormal_Gamma"], rng=1)
    fitted, text = fit.fitted(), str(fit.summary())
    elpd = fit.loo().elpd
    y[:], X[:], w[:] = 0.0, 0.0, 0.0
    np.testing.assert_array_equal(fit.fitted(), fitted)
    assert fit.loo().elpd == elpd
    assert str(fit.summary()) == text
    columns = {key: value.copy() for key, value in data.items()}
    fit = lmb("y ~ x", columns, PRIORS["dNormal_Gamma"], rng=1)
    text = str(fit.summary())
    columns["y"][:] = 0.0
    columns["x"][:] = 0.0
    assert str(fit.summary()) == text
    assert str(lmb("y ~ x", {**columns, "x": data["x"]}, PRIORS["dNormal_Gamma"], rng=1).summary()) != text


def test_several_responses(rng):
    data = {**line(rng), "z": rng.standard_normal(12)}
    data["z"][3] = np.nan
    both = lmb("cbind(y, log(z^2)) ~ x", data, n=200, rng=1)
    assert both.names == ("y", "log(z^2)")
    assert len(both) == 2
    kept = np.delete(np.arange(12), 3)
    for fit, response in zip(both, (data["y"], np.log(data["z"] ** 2))):
        alone = lmb("r ~ x", {"r": response[kept], "x": data["x"][kept]}, rng=1)
        np.testing.assert_allclose(fit.posterior_mean, alone.posterior_mean)
        assert fit.nobs == 11
    assert both["y"] is both[0]
    pd.testing.assert_series_equal(both.posterior_mean["y"], both[0].posterior_mean, check_names=False)
    with pytest.raises(KeyError, match="'q' is not a response of this model; it has"):
        both["q"]
    text = str(both.summary())
    assert text.count("1 row dropped for missing values.") == 2
    assert text.index("Response y:") < text.index("Response log(z^2):")
    assert both.summary()._repr_html_().count("<h4>") == both._repr_html_().count("<h4>") == 2
    assert "log(z^2)" in repr(both)
    again = pickle.loads(pickle.dumps(both))
    assert str(again.summary()) == text
    assert both.update(". ~ . + I(x^2)", rng=1).posterior_mean.shape == (3, 2)
    given = lmb("cbind(y, y) ~ x", data, PRIORS["dNormal"], rng=1)
    assert given[0].prior is given[1].prior
    arrays = lmb(y=np.column_stack([data["y"], data["y"] ** 2]), X=design(data), rng=1)
    assert arrays.names == ("y1", "y2")
    frames = lmb("cbind(mpg, hp) ~ wt", datasets.load("mtcars"), lambda ps: ps.prior("dNormal_Gamma"), rng=1)
    assert [type(fit.prior).__name__ for fit in frames] == ["dNormal_Gamma"] * 2
    assert frames[0].prior.mu[0] != frames[1].prior.mu[0]


def test_repr(fit, rng):
    text = repr(fit)
    assert text.startswith("Call:\nlmb('y ~ x', n=500)\n")
    _, heading, names, values = text.splitlines()[-6:-2]
    assert (heading, names.split()) == ("Posterior mean coefficients:", ["(Intercept)", "x"])
    assert values.split() == [f"{value:.4g}" for value in fit.posterior_mean]
    assert fit._repr_html_() == fit.summary()._repr_html_()
    X = rng.standard_normal((40, 25))
    many = lmb(y=X[:, 0] + rng.standard_normal(40), X=X, names=[f"predictor {j}" for j in range(25)], rng=1)
    lines = repr(many).splitlines()
    assert max(map(len, lines)) <= 100
    assert sum(line.split().count("predictor") for line in lines) == 25


def test_many_coefficients(rng):
    """Nothing takes long, or loses its order, with 150 coefficients."""
    X = rng.standard_normal((400, 150))
    fit = lmb(y=X[:, 3] + rng.standard_normal(400), X=X, rng=1)
    assert fit.summary().table["mean"].idxmax() == "x4"
    assert np.isfinite(fit.loo().elpd)
    assert fit.influence().shape == (400, 154)
    assert fit.predict(X[:3], kind="interval").shape == (3, 7)
