"""Exact leave-one-out against refits, closed forms and importance sampling; WAIC."""

import math
import warnings

import numpy as np
import pytest
from scipy import stats

from glmbayes import InputError, datasets, dNormal_Gamma, lmb
from glmbayes.fits.loo import log_predictive
from tests.fits.cases import IMPROPER, MU, PRIORS, SIGMA, design, line

FREQUENCY = np.array([1.0, 2, 0, 1, 3, 1, 1, 2, 1, 1, 1, 1])
PRECISION = np.array([1.0, 0.2, 0, 1, 3.5, 1, 1, 20, 1, 1, 0.1, 1])
WEIGHTS = {"none": (None, None), "frequency": (FREQUENCY, "frequency"), "precision": (PRECISION, "precision")}


def without(i, *arrays):
    return [None if a is None else np.delete(a, i, axis=0) for a in arrays]


def evidence(y, X, prior, w, kind, o):
    return lmb(y=y, X=X, pfamily=prior, weights=w, weights_type=kind, offset=o, n=1, rng=1).log_marginal_likelihood()


def refitted_loo(y, X, prior, w, kind, o, rows):
    """log p(y) - log p(y without i): two marginal likelihoods, which have tests of their own."""
    total = evidence(y, X, prior, w, kind, o)
    return np.array([total - evidence(*without(i, y, X), prior, *without(i, w), kind, *without(i, o)) for i in rows])


@pytest.mark.parametrize("outlier", [0.0, 20.0, 400.0], ids=["tame", "20 sd", "400 sd"])
@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("name", PRIORS)
def test_against_refits(name, weights, outlier, rng):
    data, (w, kind) = line(rng), WEIGHTS[weights]
    y, X, o = data["y"].copy(), design(data), rng.standard_normal(12)
    y[7] += outlier
    fit = lmb(y=y, X=X, pfamily=PRIORS[name], weights=w, weights_type=kind, offset=o, n=1, rng=1)
    loo = fit.loo()
    truth = refitted_loo(y, X, PRIORS[name], w, kind, o, range(12))
    np.testing.assert_allclose(loo.pointwise, truth, rtol=1e-9, atol=1e-9)
    used = np.ones(12, bool) if w is None else w > 0
    assert loo.elpd == pytest.approx(loo.pointwise[used].sum())
    assert loo.se == pytest.approx(math.sqrt(used.sum() * loo.pointwise[used].var()))
    assert (loo.looic, loo.method, loo.pareto_k) == (-2 * loo.elpd, "exact", None)


@pytest.mark.parametrize("n", [300, 3000])
@pytest.mark.parametrize("name", ["dNormal_Gamma", "dIndependent_Normal_Gamma", "half-Cauchy", "dGamma"])
def test_an_outlier_in_much_data(name, n, rng):
    """Without the row the dispersion is somewhere else altogether: far beyond the posterior's own nodes."""
    data = line(rng, n)
    y, X = data["y"].copy(), design(data)
    y[5] += 200.0
    fit = lmb(y=y, X=X, pfamily=PRIORS[name], n=1, rng=1)
    truth = refitted_loo(y, X, PRIORS[name], None, None, None, [0, 5])
    np.testing.assert_allclose(fit.loo().pointwise[[0, 5]], truth, rtol=1e-9, atol=1e-7)
    twice = evidence(np.append(y, y[5]), np.vstack([X, X[5]]), PRIORS[name], None, None, None)
    assert log_predictive(fit)[5] == pytest.approx(twice - fit.log_marginal_likelihood(), rel=1e-9)


@pytest.mark.parametrize("outlier", [0.0, 500.0])
@pytest.mark.parametrize(("name", "shape", "rate"), [("reference", -0.5, 0.0), ("flat coefficients", 2.0, 1.5)])
def test_flat_coefficients_against_student_t(name, shape, rate, outlier, rng):
    data = line(rng, 40)
    y, X = data["y"].copy(), design(data)
    y[7] += outlier
    truth = []
    for i in range(40):
        y_, X_ = without(i, y, X)
        b, rss, *_ = np.linalg.lstsq(X_, y_, rcond=None)
        a = shape + (39 - 2) / 2
        scale = (rate + rss[0] / 2) / a * (1 + X[i] @ np.linalg.solve(X_.T @ X_, X[i]))
        truth.append(stats.t(2 * a, X[i] @ b, math.sqrt(scale)).logpdf(y[i]))
    fit = lmb(y=y, X=X, pfamily=IMPROPER[name], n=1, rng=1)
    np.testing.assert_allclose(fit.loo().pointwise, truth, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", PRIORS)
def test_a_row_that_alone_determines_a_coefficient(name, rng):
    """Leverage 1 up to rounding: the prior decides what is expected of the row."""
    y = rng.standard_normal(9)
    X = np.column_stack([np.ones(9), np.arange(9) == 4]).astype(float)
    X[4] *= 1e5
    fit = lmb(y=y, X=X, pfamily=PRIORS[name], n=1, rng=1)
    np.testing.assert_allclose(
        fit.loo().pointwise, refitted_loo(y, X, PRIORS[name], None, None, None, range(9)), rtol=1e-9
    )


def test_a_single_row():
    prior = PRIORS["dNormal_Gamma"]
    fit = lmb(y=[1.0], X=[[1.0, 0.5]], pfamily=prior, n=1, rng=1)
    assert fit.loo().pointwise[0] == pytest.approx(fit.log_marginal_likelihood(), abs=1e-9)


def test_refuses_when_the_rest_is_improper(rng):
    X = np.column_stack([np.ones(9), np.arange(9) == 4]).astype(float)
    fit = lmb(y=rng.standard_normal(9), X=X, pfamily=IMPROPER["flat coefficients"], n=1, rng=1)
    with pytest.raises(InputError, match="without the row at position 4"):
        fit.loo()
    four = lmb(y=rng.standard_normal(4), X=rng.standard_normal((4, 2)), pfamily=IMPROPER["reference"], n=1, rng=1)
    with pytest.raises(InputError, match=r"without the row at position 0, .*improper"):
        four.loo()


@pytest.mark.parametrize("name", PRIORS)
def test_p_loo_counts_what_the_fit_gains(name, rng):
    data = line(rng)
    X, y = design(data), data["y"]
    fit = lmb(y=y, X=X, pfamily=PRIORS[name], n=1, rng=1)
    lppd = np.log(fit.conditional(X).with_noise(1.0).pdf(y)).sum()
    assert fit.loo().p_loo == pytest.approx(lppd - fit.loo().elpd, abs=1e-9)


def test_psis_agrees_within_its_error(rng):
    data = line(rng, 40)
    fit = lmb("y ~ x", data, PRIORS["dIndependent_Normal_Gamma"], n=20_000, rng=rng)
    psis = fit.loo("psis")
    assert psis.method == "psis"
    fine = psis.pareto_k < 0.3
    assert fine.sum() > 30
    # a score is the log of a mean of 20,000 inverse likelihoods: its error is that mean's relative one
    inverse = np.exp(-fit.log_lik())
    error = inverse.std(axis=0) / inverse.mean(axis=0) / math.sqrt(20_000)
    assert np.all(np.abs(psis.pointwise - fit.loo().pointwise)[fine] < 5 * error[fine])
    with pytest.raises(InputError, match=r"'exact', 'psis'"):
        fit.loo("bruteforce")


def test_psis_and_waic_are_those_of_arviz(rng):
    arviz = pytest.importorskip("arviz")
    fit = lmb("y ~ x", line(rng, 30), PRIORS["dNormal_Gamma"], n=2000, rng=rng)
    idata = fit.to_arviz()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # ArviZ warns of influential rows
        theirs = arviz.loo(idata, pointwise=True, reff=1.0)
        waic = arviz.waic(idata, pointwise=True)
    ours = fit.loo("psis")
    np.testing.assert_allclose(ours.pointwise, theirs.loo_i, rtol=1e-10)
    np.testing.assert_allclose(ours.pareto_k, theirs.pareto_k, rtol=1e-10)
    assert (ours.elpd, ours.se, ours.p_loo) == pytest.approx((theirs.elpd_loo, theirs.se, theirs.p_loo))
    theirs, ours = waic, fit.waic()
    np.testing.assert_allclose(ours.pointwise, theirs.waic_i, rtol=1e-3)  # its variance is over n, ours over n - 1
    assert ours.p_waic == pytest.approx(theirs.p_waic * 2000 / 1999, rel=1e-9)
    assert ours.waic == -2 * ours.elpd


def test_planted_faults_are_seen(rng):
    """A leverage or a weight forgotten is far outside the tolerances above."""
    data = line(rng)
    X, y = design(data), data["y"]
    fit = lmb(y=y, X=X, pfamily=PRIORS["dNormal"], n=1, rng=1)
    truth = refitted_loo(y, X, PRIORS["dNormal"], None, None, None, range(12))
    m = fit.conditional(X)
    unshrunk = stats.norm(m.mean[0], np.sqrt(1.3 + m.var[0])).logpdf(y)  # the row left in
    assert np.all(np.abs(unshrunk - truth) > 1e-4)


def test_prior_sensitivity_of_an_example():
    """The exact score of the plant weights under the default prior, by two seeds."""
    data = datasets.load("plant_weight")
    one, other = (lmb("weight ~ group", data, rng=seed).loo() for seed in (1, 2))
    assert one.elpd == other.elpd
    prior = dNormal_Gamma(MU, SIGMA, 2.0, 1.5)
    assert lmb("weight ~ group", data, prior, rng=1).loo().elpd != one.elpd
