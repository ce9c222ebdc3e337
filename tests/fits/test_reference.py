"""Maximum likelihood, sequences of models, and fitting again with changes."""

import math
import pickle

import numpy as np
import pytest

from glmbayes import InputError, datasets, dIndependent_Normal_Gamma, dNormal, lmb
from glmbayes.fits.reference import maximum_likelihood, updated_formula
from tests.fits.cases import IMPROPER, PRIORS, design, line

MTCARS = datasets.load("mtcars")


def test_maximum_likelihood_of_what_is_identified(rng):
    X = np.column_stack([np.ones(10), rng.standard_normal((10, 2))])
    X = np.column_stack([X, X[:, 1] - 2 * X[:, 2]])
    y = rng.standard_normal(10)
    fit = lmb(y=y, X=X, pfamily=dNormal(np.zeros(4), np.eye(4), dispersion=1.0), rng=1)
    estimate, cov, dispersion = maximum_likelihood(fit)
    full = np.linalg.lstsq(X[:, :3], y, rcond=None)
    assert np.isnan(estimate).tolist() == [False, True, True, True]
    assert estimate[0] == pytest.approx(full[0][0])
    assert cov[0, 0] == pytest.approx(np.linalg.inv(X[:, :3].T @ X[:, :3])[0, 0])
    assert np.isnan(cov[1:]).all()
    assert dispersion == pytest.approx(full[1][0] / 7)
    assert fit.aliased == ("x4",)
    assert "x4 is a combination of earlier columns: only the prior tells their effects apart." in str(fit.summary())


def test_weights_count_in_the_degrees_of_freedom(rng):
    data, w = line(rng), np.array([1, 2, 0, 1, 3, 1, 1, 2, 1, 1, 1, 1])
    X, copies = design(data), np.repeat(np.arange(12), w)
    counted = maximum_likelihood(lmb("y ~ x", data, PRIORS["dNormal"], weights=w, rng=1))
    rss = np.linalg.lstsq(X[copies], data["y"][copies], rcond=None)[1][0]
    assert counted[2] == pytest.approx(rss / (w.sum() - 2))
    precise = maximum_likelihood(lmb("y ~ x", data, PRIORS["dNormal"], weights=w, weights_type="precision", rng=1))
    assert precise[2] == pytest.approx(rss / (11 - 2))
    none = maximum_likelihood(lmb(y=[1.0, 2.0], X=X[:2], pfamily=PRIORS["dNormal"], rng=1))
    assert math.isnan(none[2])


@pytest.mark.parametrize("kind", ["dNormal", "dIndependent_Normal_Gamma"])
def test_terms_added_one_after_the_other(kind):
    fit = lmb("mpg ~ factor(cyl) + wt + hp", MTCARS, lambda ps: ps.prior(kind), rng=1)
    table = fit.anova()
    assert list(table.index) == ["(Intercept)", "factor(cyl)", "wt", "hp"]
    assert list(table["df"]) == [1, 2, 1, 1]
    assert list(table.columns) == [
        "df", "log_evidence", "log_bayes_factor", "elpd_loo", "elpd_gain", "se", "expected_deviance",
    ]  # fmt: skip
    formulas = ["mpg ~ 1", "mpg ~ factor(cyl)", "mpg ~ factor(cyl) + wt", "mpg ~ factor(cyl) + wt + hp"]
    for formula, (_, row), k in zip(formulas, table.iterrows(), (1, 3, 4, 5)):
        arguments = fit.prior._arguments()
        arguments["mu"], arguments["Sigma"] = fit.prior.mu[:k], fit.prior.Sigma[:k, :k]
        step = lmb(formula, MTCARS, type(fit.prior)(**arguments), rng=1)
        assert row["log_evidence"] == pytest.approx(step.log_marginal_likelihood(), abs=1e-9)
        assert row["elpd_loo"] == pytest.approx(step.loo().elpd, abs=1e-9)
        assert row["expected_deviance"] == pytest.approx(step.expected_deviance(), abs=1e-9)
    np.testing.assert_allclose(table["log_bayes_factor"][1:], np.diff(table["log_evidence"]))
    np.testing.assert_allclose(table["elpd_gain"][1:], np.diff(table["elpd_loo"]))
    assert table.iloc[-1]["log_evidence"] == pytest.approx(fit.log_marginal_likelihood(), abs=1e-9)


def test_anova_without_evidence_or_coefficients(rng):
    table = lmb("y ~ x", line(rng), IMPROPER["reference"], rng=1).anova()
    assert table["log_evidence"].isna().all()
    assert table["elpd_loo"].notna().all()
    with pytest.raises(InputError, match="dGamma keeps them fixed"):
        lmb("y ~ x", line(rng), PRIORS["dGamma"], rng=1).anova()


@pytest.mark.parametrize(
    ("old", "new", "formula"),
    [
        ("y ~ x", ". ~ . + z", "y ~ (x) + z"),
        ("y ~ x + w", ".~.-w", "y ~ (x + w)-w"),
        ("y ~ x", "log(y) ~ .", "log(y) ~ (x)"),
        ("y ~ x", "~ . + I(x^2.5)", "y ~ (x) + I(x^2.5)"),
        ("y ~ x.1", ". ~ . + a.b", "y ~ (x.1) + a.b"),
        ("y ~ x", ". ~ z", "y ~ z"),
    ],
)
def test_updated_formula(old, new, formula):
    assert updated_formula(old, new) == formula


def test_update(rng):
    data = {**line(rng), "z": rng.standard_normal(12), "g": list("ab") * 6}
    fit = lmb("y ~ x", data, n=123, weights=np.arange(1, 13), rng=1)
    more = fit.update(". ~ . + z:x", rng=1)
    assert more.names == ("(Intercept)", "x", "x:z")
    assert more.n_draws == 123
    np.testing.assert_array_equal(more.design.weights, np.arange(1, 13))
    assert fit.update(". ~ . - x + g").names == ("(Intercept)", "gb")
    assert fit.update(". ~ . - 1").names == ("x",)
    assert fit.update(". ~ .", n=7).n_draws == 7
    given = fit.update(pfamily=PRIORS["dNormal"], weights=None, rng=1)
    assert given.prior is PRIORS["dNormal"]
    assert given.design.weights is None
    with pytest.raises(InputError, match=r"2 coefficient\(s\) but the model has 3, in this order: .*'x', 'z'"):
        given.update(". ~ . + z")
    with pytest.raises(InputError, match="needs a ~"):
        fit.update("z")
    with pytest.raises(InputError, match=r"no argument 'weigths'. Did you mean weights\?"):
        fit.update(weigths=1)
    own = rng.standard_normal(12)
    assert fit.update(". ~ . + own").design.scope_names == ("own",)
    assert np.array_equal(fit.update("own ~ .").design.y, own)


def test_update_of_names_from_the_scope(rng):
    a, b, c = rng.standard_normal((3, 12))
    fit = lmb("a ~ b", rng=1)
    assert fit.design.scope_names == ("a", "b")
    np.testing.assert_array_equal(fit.design.y, a)
    more = fit.update(". ~ . + c")
    np.testing.assert_array_equal(more.design.X.T, [np.ones(12), b, c])


def test_update_after_pickling(rng):
    data = line(rng)
    fit = pickle.loads(pickle.dumps(lmb("y ~ x", data, PRIORS["dNormal"], rng=1)))
    with pytest.raises(InputError, match="no longer holds its data: give data="):
        fit.update(n=10)
    again = fit.update(data=data, rng=1)
    np.testing.assert_array_equal(again.coefficients, fit.coefficients)
    local = pickle.loads(pickle.dumps(lmb("y ~ x", data, lambda ps: ps.prior("dNormal"), rng=1)))
    with pytest.raises(InputError, match="could not be pickled: give pfamily="):
        local.update(data=data)
    assert local.update(data=data, pfamily=PRIORS["dNormal"]).prior is PRIORS["dNormal"]
    importable = pickle.loads(pickle.dumps(lmb("y ~ x", data, conjugate, rng=1)))
    assert type(importable.update(data=data).prior).__name__ == "dNormal_Gamma"


def conjugate(setup):
    return setup.prior("dNormal_Gamma")


def test_update_of_arrays(rng):
    data = line(rng)
    fit = lmb(y=data["y"], X=design(data), pfamily=PRIORS["dNormal"], rng=1)
    with pytest.raises(InputError, match="fitted without a formula"):
        fit.update(". ~ . + z")
    other = fit.update(pfamily=dIndependent_Normal_Gamma([0, 0], np.eye(2), 1, 1), n=50)
    assert (other.n_draws, other.names) == (50, ("(Intercept)", "x2"))
    wider = fit.update(X=np.column_stack([design(data), data["x"] ** 2]), pfamily=dNormal(np.zeros(3), np.eye(3), 1.0))
    assert len(wider.names) == 3
    with pytest.raises(InputError, match="no longer holds its data"):
        pickle.loads(pickle.dumps(fit)).update(n=5)
