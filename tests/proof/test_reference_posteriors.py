"""Gaussian regressions with published designs, against exact posteriors computed elsewhere."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from glmbayes import datasets, dFlat, dHalfCauchy, dHalfNormal, dIndependent_Normal, dIndependent_Normal_Gamma, rlmb
from tests.oracles import assert_mean, assert_sd

CASES = json.loads((Path(__file__).parents[1] / "reference" / "gaussian_posteriors.json").read_text())["cases"]
EXTRA = os.environ.get("GLMBAYES_EXTRA_DATA")


def prior_of(case, p):
    flat = np.diag(np.full(p, np.inf))
    if case["prior"] == "flat":
        return dIndependent_Normal(np.zeros(p), flat, sd=dFlat())
    if case["prior"] == "half-Cauchy":
        return dIndependent_Normal(np.zeros(p), flat, sd=dHalfCauchy(2.5))
    return dIndependent_Normal(np.zeros(p), 100.0 * np.eye(p), sd=dHalfNormal(10.0))


@pytest.mark.skipif(EXTRA is None, reason="GLMBAYES_EXTRA_DATA is not set")
@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_published_designs(case, rng):
    table = np.loadtxt(Path(EXTRA) / "posteriordb" / case["file"], delimiter=",", skiprows=1)
    x, y = np.ascontiguousarray(table[:, :-1]), np.ascontiguousarray(table[:, -1])
    fit = rlmb(20_000, y, x, prior_of(case, x.shape[1]), rng=rng)
    assert_mean(fit.coefficients, np.array(case["beta_mean"]), "coefficients")
    assert_sd(fit.coefficients, np.array(case["beta_sd"]), "coefficients")
    assert_mean(np.sqrt(fit.dispersion), case["sigma_mean"], "sigma")
    assert_sd(np.sqrt(fit.dispersion), case["sigma_sd"], "sigma")


def plant_weight():
    data = datasets.load("plant_weight")
    x = np.column_stack([np.ones(20), (data["group"] == "Trt").to_numpy(dtype=float)])
    return data["weight"].to_numpy(dtype=float), x


# Plant weights (Dobson 1990): exact posteriors by quadrature under priors of R glmbayes 0.9.75's Prior_Setup.
MU = [4.8465, 0.0]
SIGMA = [[4.8048726275, -4.8048726275], [-4.8048726275, 9.609745255]]


@pytest.mark.parametrize(
    ("shape", "rate", "beta", "beta_sd", "phi", "phi_sd"),
    [
        (1.6010101010101, 0.291694644767116, [5.03015, -0.36730], [0.21887, 0.30953], 0.48430, 0.16491),
        (0.601010101010101, 0.291467154781005, [5.02994, -0.36688], [0.23104, 0.32674], 0.54056, 0.19570),
    ],
)
def test_plant_weights(shape, rate, beta, beta_sd, phi, phi_sd, rng):
    y, x = plant_weight()
    fit = rlmb(100_000, y, x, dIndependent_Normal_Gamma(MU, SIGMA, shape, rate), rng=rng)
    assert_mean(fit.coefficients, np.array(beta))
    assert_sd(fit.coefficients, np.array(beta_sd))
    assert_mean(fit.dispersion, phi)
    assert_sd(fit.dispersion, phi_sd)


def test_a_rate_five_percent_off_is_noticed(rng):
    y, x = plant_weight()
    fit = rlmb(
        1_000_000, y, x, dIndependent_Normal_Gamma(MU, SIGMA, 1.6010101010101, 1.05 * 0.291694644767116), rng=rng
    )
    with pytest.raises(AssertionError, match="standard errors off"):
        assert_mean(fit.dispersion, 0.48430)
