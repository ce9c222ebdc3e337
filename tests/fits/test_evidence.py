"""The marginal likelihood: against brute force, as a chain of predictions, and what is built on it."""

import math
import warnings

import numpy as np
import pytest
from scipy import stats

from glmbayes import InputError, datasets, dNormal, dNormal_Gamma, lmb
from tests.fits.cases import IMPROPER, MU, PRIORS, SIGMA, brute_log_evidence, design, line

WEIGHTS = [None, ("frequency", [2, 1, 0, 3, 1, 1, 2, 1]), ("precision", [2.5, 0.3, 0, 1.0, 4.0, 1.0, 0.7, 1.9])]


@pytest.mark.parametrize("weights", WEIGHTS, ids=["no weights", "frequency", "precision"])
@pytest.mark.parametrize("name", PRIORS)
def test_against_brute_force(name, weights, rng):
    data = line(rng, 8)
    kind, w = weights or ("frequency", None)
    fit = lmb("y ~ x", data, PRIORS[name], weights=w, weights_type=kind, n=1, rng=1)
    used = np.ones(8, bool) if w is None else np.array(w) > 0
    part = None if w is None else np.array(w)[used]
    truth = brute_log_evidence(PRIORS[name], data["y"][used], design(data)[used], part, kind == "precision")
    assert fit.log_marginal_likelihood() == pytest.approx(truth, abs=2e-9)


def test_of_the_conjugate_prior_is_a_t_distribution(rng):
    data = line(rng)
    X = design(data)
    prior = dNormal_Gamma(MU, SIGMA, shape=2.0, rate=1.5)
    t = stats.multivariate_t(X @ MU, 1.5 / 2.0 * (np.eye(12) + X @ SIGMA @ X.T), df=4.0)
    assert lmb("y ~ x", data, prior, rng=1).log_marginal_likelihood() == pytest.approx(t.logpdf(data["y"]), abs=1e-11)


@pytest.mark.parametrize("name", PRIORS)
def test_adds_up_from_predictions(name, rng):
    """log p(y_1..n) = log p(y_1..3) + sum log p(y_k | y_1..k-1)."""
    data = line(rng, 8)
    X, y = design(data), data["y"]
    fits = {k: lmb(y=y[:k], X=X[:k], pfamily=PRIORS[name], n=1, rng=1) for k in range(3, 9)}
    total = fits[3].log_marginal_likelihood()
    for k in range(3, 8):
        new = fits[k].conditional(X[k : k + 1]).with_noise(1.0)
        total += math.log(new.pdf(y[k : k + 1])[0])
    assert fits[8].log_marginal_likelihood() == pytest.approx(total, abs=1e-10)


def test_carries_no_monte_carlo_error(rng):
    data = line(rng)
    one, other = (lmb("y ~ x", data, PRIORS["half-t"], n=n, rng=n) for n in (5, 99))
    assert one.log_marginal_likelihood() == other.log_marginal_likelihood()


def test_offset_moves_the_response(rng):
    data = line(rng)
    o = rng.standard_normal(12)
    shifted = lmb("y ~ x", {**data, "y": data["y"] + o}, PRIORS["half-t"], offset=o, n=1, rng=1)
    assert shifted.log_marginal_likelihood() == pytest.approx(
        lmb("y ~ x", data, PRIORS["half-t"], n=1, rng=1).log_marginal_likelihood(), abs=1e-11
    )


@pytest.mark.parametrize("name", IMPROPER)
def test_does_not_exist_under_improper_priors(name, rng):
    fit = lmb("y ~ x", line(rng), IMPROPER[name], n=1, rng=1)
    with pytest.raises(InputError, match=r"undefined: the prior is improper"):
        fit.log_marginal_likelihood()
    assert "undefined" in str(fit.summary())


def test_bayes_factor(rng):
    data = line(rng)
    one = lmb("y ~ x", data, PRIORS["dNormal_Gamma"], n=1, rng=1)
    other = lmb("y ~ 1", data, dNormal_Gamma(0.5, 4.0, 2.0, 1.5), n=1, rng=1)
    ratio = one.bayes_factor(other)
    assert ratio.log_bayes_factor == one.log_marginal_likelihood() - other.log_marginal_likelihood()
    assert ratio.bayes_factor == pytest.approx(math.exp(ratio.log_bayes_factor))
    assert other.bayes_factor(one).bayes_factor == pytest.approx(1 / ratio.bayes_factor)
    different = lmb("y ~ x", {**data, "y": data["y"] + 1}, PRIORS["dNormal"], n=1, rng=1)
    with pytest.raises(InputError, match="same response"):
        one.bayes_factor(different)


def test_bayes_factor_warns_of_priors_built_from_the_data():
    data = datasets.load("plant_weight")
    own = dNormal([5.0, 0.0], np.eye(2), dispersion=0.5)
    with pytest.warns(UserWarning, match="built from the data by Prior_Setup") as caught:
        lmb("weight ~ group", data, rng=1).bayes_factor(lmb("weight ~ group", data, own, rng=1))
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lmb("weight ~ group", data, own, rng=1).bayes_factor(lmb("weight ~ group", data, own, rng=1))
