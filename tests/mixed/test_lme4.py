"""lmerb against lme4 in the limit of vague priors: fixed effects within a tenth of a posterior sd.

The numbers are REML fits of lme4 1.1: fixed effects, their standard errors, sds of groups and residuals.
"""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from glmbayes import datasets, dHalfCauchy, dRatio, lmerb
from glmbayes.chains.diagnostics import mcse_mean

INTERCEPTS = {
    "sleepstudy": ("Reaction ~ Days + (1 | Subject)", [251.4051, 10.46729], [9.7467, 0.80422], [37.12, 30.99]),
    "dyestuff": ("Yield ~ 1 + (1 | Batch)", [1527.5], [19.383], [42.0, 49.51]),
    "rail": ("travel ~ 1 + (1 | Rail)", [66.5], [10.171], [24.805, 4.0208]),
    "orthodont": (
        "distance ~ ageC * Sex + (1 | Subject)",
        [24.96875, 0.784375, -2.321023, -0.3048295],
        [0.4860, 0.0775, 0.7614, 0.1214],
        [1.8162, 1.3864],
    ),
}
OTHERS = {
    "sleepstudy": ("Reaction ~ Days + (Days | Subject)", [251.4051, 10.46729], [6.8246, 1.5458], [24.74, 5.922, 25.59]),
    "sleepstudy, uncorrelated": (
        "Reaction ~ Days + (Days || Subject)",
        [251.4051, 10.46729],
        [6.8854, 1.5596],
        [25.05, 5.988, 25.57],
    ),
    "penicillin": ("diameter ~ 1 + (1 | plate) + (1 | sample)", [22.97222], [0.8086], [0.8467, 1.9316, 0.5499]),
    "orthodont": (
        "distance ~ ageC * Sex + (ageC | Subject)",
        [24.96875, 0.784375, -2.321023, -0.3048295],
        [0.4860, 0.0860, 0.7614, 0.1347],
        None,
    ),
    "oats": (
        "yield ~ nitro + Variety + (1 | Block/Variety)",
        [82.4, 73.6667, 5.2917, -6.875],
        [8.06, 6.78, 7.08, 7.08],
        None,
    ),
}
# these data may not be distributed here
EXTRA_INTERCEPTS = {
    "radon_mn": ("log_radon ~ floor + (1 | county)", [1.492393, -0.662889], [0.04955, 0.06765], [0.3154, 0.7258]),
    "radon_mn, uranium": (
        "log_radon ~ floor + log_uppm + (1 | county)",
        [1.416636, -0.638339, 0.784544],
        [0.03605, 0.06604, 0.09815],
        [0.1464, 0.7285],
    ),
    "Exam": (
        "normexam ~ standLRT + sex + schgend + (1 | school)",
        [-0.001049, 0.559754, -0.167392, 0.177691, 0.158997],
        [0.05557, 0.01245, 0.03410, 0.11347, 0.08940],
        [0.2930, 0.7500],
    ),
    "bdf": (
        "langPOST ~ Q('IQ.ver.cen') + Q('avg.IQ.ver.cen') + (1 | schoolNR)",
        [40.74101, 2.414772, 1.589162],
        [0.28660, 0.07168, 0.31477],
        [2.808, 6.494],
    ),
}
EXTRA_OTHERS = {
    "Exam": (
        "normexam ~ standLRT + (standLRT | school)",
        [-0.011649, 0.556535],
        [0.04011, 0.02011],
        [0.3035, 0.1223, 0.7441],
    ),
    "Oxboys": (
        "height ~ age + I(age^2) + (age | Subject)",
        [149.0614, 6.516797, 0.741904],
        [1.58607, 0.33632, 0.10313],
        [8.082, 1.688, 0.5835],
    ),
    "nels_hoff_2742": (
        "mscore ~ hwh + ses + hflp + (hwh + ses | group)",
        [50.26952, 0.106498, 3.406010, -3.858178],
        [0.51863, 0.05301, 0.27570, 0.69852],
        None,
    ),
}
LEVELS = {"Sex": ["Male", "Female"], "Variety": ["Golden Rain", "Marvellous", "Victory"],
          "schgend": ["mixed", "boys", "girls"], "sex": ["F", "M"]}  # fmt: skip


def frame(name, extra):
    name = name.partition(",")[0]
    if extra:
        path = Path(os.environ.get("GLMBAYES_EXTRA_DATA", "nowhere")) / f"{name}.csv"
        if not path.exists():
            pytest.skip("needs GLMBAYES_EXTRA_DATA")
        data = pd.read_csv(path)
    else:
        data = datasets.load(name)
    for column, levels in LEVELS.items():
        if column in data:
            data[column] = data[column].astype("category").cat.set_categories(levels)
    return data


def check(fit, estimate, se, sds, error):
    sd = fit.posterior_sd.to_numpy()
    assert (np.abs(fit.posterior_mean.to_numpy() - estimate) < 0.1 * sd + error).all()
    assert (sd > 0.9 * np.array(se)).all() and (sd < 1.9 * np.array(se)).all()  # a posterior adds the variances' doubt
    if sds is not None:
        table = fit.VarCorr()
        table = table[table.index.str.startswith("sd(")]
        assert (table["2.5%"].to_numpy() < sds).all() and (table["97.5%"].to_numpy() > sds).all()


def by_gibbs(rng, case, data):
    formula, estimate, se, sds = case
    fit = lmerb(formula, data, n=8000, rng=rng)
    check(fit, estimate, se, sds, 4.5 * mcse_mean(fit.draws.beta.reshape(4, -1, len(estimate))))
    assert (fit.chains.summary()["r_hat"] < 1.02).all()


def exactly(rng, case, data):
    """No Monte Carlo error: means and standard deviations are by quadrature."""
    formula, estimate, se, sds = case
    group = formula.partition("|")[2].strip(" )")
    fit = lmerb(formula, data, {group: dRatio(dHalfCauchy(2))}, n=4000, rng=rng)
    assert fit.method == "iid"
    check(fit, estimate, se, sds, 0.0)


@pytest.mark.parametrize("name", OTHERS)
def test_fixed_effects_as_lme4(rng, name):
    by_gibbs(rng, OTHERS[name], frame(name, False))


@pytest.mark.parametrize("method", [by_gibbs, exactly])
@pytest.mark.parametrize("name", INTERCEPTS)
def test_random_intercepts_as_lme4(rng, name, method):
    method(rng, INTERCEPTS[name], frame(name, False))


@pytest.mark.parametrize("name", EXTRA_OTHERS)
def test_larger_data_as_lme4(rng, name):
    by_gibbs(rng, EXTRA_OTHERS[name], frame(name, True))


@pytest.mark.parametrize("method", [by_gibbs, exactly])
@pytest.mark.parametrize("name", EXTRA_INTERCEPTS)
def test_larger_random_intercepts_as_lme4(rng, name, method):
    method(rng, EXTRA_INTERCEPTS[name], frame(name, True))
