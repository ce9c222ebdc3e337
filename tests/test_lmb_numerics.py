"""Digits: ill-conditioned regressions against exact rational arithmetic and certified values."""

import os
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from glmbayes import (
    ImproperPosteriorError,
    dFlat,
    dIndependent_Normal,
    dIndependent_Normal_Gamma,
    dNormal,
    dNormal_Gamma,
    lmb,
)
from glmbayes.design import build_design
from tests.oracles import assert_mean, assert_sd


def exact_least_squares(X, y):
    """Coefficients and residual sum of squares in rational arithmetic; floats are taken as the rationals they are."""
    X = [[Fraction(v) for v in row] for row in X.tolist()]
    y = [Fraction(v) for v in y.tolist()]
    p = len(X[0])
    A = [[sum(r[i] * r[j] for r in X) for j in range(p)] + [sum(r[i] * v for r, v in zip(X, y))] for i in range(p)]
    for i in range(p):
        pivot = next(k for k in range(i, p) if A[k][i])
        A[i], A[pivot] = A[pivot], A[i]
        A[i] = [v / A[i][i] for v in A[i]]
        for k in range(p):
            if k != i:
                A[k] = [a - A[k][i] * b for a, b in zip(A[k], A[i])]
    beta = [row[p] for row in A]
    rss = sum((v - sum(b * x for b, x in zip(beta, r))) ** 2 for r, v in zip(X, y))
    return np.array([float(b) for b in beta]), float(rss)


def vague(X, y):
    """Priors whose variances are 1e20 in standardised units, and the flat one."""
    spread = X.std(axis=0)
    spread[spread == 0.0] = 1.0
    Sigma = np.diag(1e20 * (y.std() / spread) ** 2)
    zero = np.zeros(X.shape[1])
    return {
        "dNormal": dNormal(zero, Sigma, dispersion=0.01 * y.var()),
        "dNormal_Gamma": dNormal_Gamma(zero, Sigma / y.var(), 1e-3, 1e-6),
        "dIndependent_Normal_Gamma": dIndependent_Normal_Gamma(zero, Sigma, 1e-3, 1e-6),
        "flat": dIndependent_Normal(zero, np.diag(np.full(zero.size, np.inf)), dFlat()),
    }


def digits(estimate, truth):
    """Least number of significant digits that agree."""
    with np.errstate(divide="ignore"):
        return -np.log10(np.max(np.abs(estimate - truth) / np.abs(truth)))


def collinear():
    """Six trending columns of very different sizes with a little noise, like economic series (cond 5e9)."""
    rng = np.random.default_rng(16)
    year = np.arange(1947.0, 1963.0)
    t = year - 1947.0
    columns = {
        "price": np.round(83.0 + 2.2 * t + rng.normal(0, 1.5, 16), 1),
        "gnp": np.round(234289.0 + 21000.0 * t + rng.normal(0, 9000, 16)),
        "unemployed": np.round(2356.0 + 150.0 * t + rng.normal(0, 700, 16)),
        "armed": np.round(1590.0 + 60.0 * t + rng.normal(0, 500, 16)),
        "population": np.round(107608.0 + 1500.0 * t + rng.normal(0, 300, 16)),
        "year": year,
    }
    y = np.round(60323.0 + 700.0 * t + rng.normal(0, 600, 16))
    return {"y": y, **columns}, "y ~ price + gnp + unemployed + armed + population + year"


def polynomial(noise):
    """A polynomial of degree five in 0, ..., 20 (NIST's Wampler data without noise and with)."""
    x = np.arange(21.0)
    y = sum(x**k for k in range(6))
    delta = np.tile([759.0, -2048.0, 2048.0, -2048.0, 2523.0, -2048.0, 2048.0], 3)
    return {"y": y + noise * delta, "x": x}, "y ~ x + I(x^2) + I(x^3) + I(x^4) + I(x^5)"


PROBLEMS = {
    "collinear": (collinear(), 9),
    "polynomial": (polynomial(0.0), 7),
    "noisy polynomial": (polynomial(1.0), 7),
    "through the origin": (({"x": np.arange(60.0, 71.0), "y": np.arange(130.0, 141.0)}, "y ~ x - 1"), 13),
    "large offset": (({"x": 1e6 + np.arange(50.0), "y": (np.arange(50.0) % 7) / 8}, "y ~ x"), 9),
}


@pytest.mark.parametrize("kind", ["dNormal", "dNormal_Gamma", "dIndependent_Normal_Gamma", "flat"])
@pytest.mark.parametrize("name", PROBLEMS)
def test_digits_of_ill_conditioned_designs(name, kind, rng):
    (data, formula), least = PROBLEMS[name]
    design = build_design(formula, data)
    if (name, kind) == ("polynomial", "flat"):
        with pytest.raises(ImproperPosteriorError, match="as the dispersion goes to 0: the data are fitted exactly"):
            lmb(formula, data, vague(design.X, design.y)[kind], rng=1)
        return
    truth, rss = exact_least_squares(design.X, design.y)
    fit = lmb(formula, data, vague(design.X, design.y)[kind], n=4000, rng=rng)
    assert digits(fit.posterior_mean.to_numpy(), truth) >= least
    assert digits(fit.coef_mode.to_numpy(), truth) >= least
    assert_mean(fit.coefficients, fit.posterior_mean)
    assert_sd(fit.coefficients, fit.posterior_sd)
    estimate = fit.summary().prior_table
    assert digits(estimate["ML estimate"].to_numpy(), truth) >= least
    if rss > 0:
        inverse = np.linalg.inv(fit.rows.triangle[:-1, :-1])
        se = np.sqrt((inverse**2).sum(axis=1) * rss / (len(design.y) - len(truth)))
        np.testing.assert_allclose(estimate["ML se"], se, rtol=1e-8)


def test_the_problems_are_hard():
    """The normal equations lose the digits that the test above asks for."""
    data, formula = collinear()
    design = build_design(formula, data)
    naive = np.linalg.inv(design.X.T @ design.X) @ (design.X.T @ design.y)
    assert digits(naive, exact_least_squares(design.X, design.y)[0]) < 9


@pytest.mark.parametrize("scale", [1e-8, 1e8])
def test_units_do_not_matter(scale, rng):
    """Rescaling a column and the response moves digits, not answers."""
    data, formula = collinear()
    setup_free = {"y": scale * data["y"], **{k: v for k, v in data.items() if k != "y"}}
    one, other = lmb(formula, data, rng=1), lmb(formula, setup_free, rng=1)
    np.testing.assert_allclose(scale * one.posterior_mean, other.posterior_mean, rtol=1e-6)
    np.testing.assert_allclose(scale * one.posterior_sd, other.posterior_sd, rtol=1e-6)
    assert one.loo().elpd == pytest.approx(other.loo().elpd + 16 * np.log(scale), rel=1e-7)


# NIST StRD certified coefficients (public domain)
CERTIFIED = {
    "norris": ("y ~ x1", 9, [-0.262323073774029, 1.00211681802045]),
    "pontius": ("y ~ x1 + I(x1^2)", 9, [0.673565789473684e-03, 0.732059160401003e-06, -0.316081871345029e-14]),
    "noint1": ("y ~ x1 - 1", 9, [2.07438016528926]),
    "noint2": ("y ~ x1 - 1", 9, [0.727272727272727]),
    "longley": (
        "y ~ x1 + x2 + x3 + x4 + x5 + x6",
        9,
        [-3482258.63459582, 15.0618722713733, -0.358191792925910e-01, -2.02022980381683, -1.03322686717359,
         -0.511041056535807e-01, 1829.15146461355],
    ),
    "wampler1": ("y ~ x1 + I(x1^2) + I(x1^3) + I(x1^4) + I(x1^5)", 7, [1.0] * 6),
    "wampler2": ("y ~ x1 + I(x1^2) + I(x1^3) + I(x1^4) + I(x1^5)", 7, [1.0, 0.1, 0.01, 0.001, 0.0001, 0.00001]),
    "wampler3": ("y ~ x1 + I(x1^2) + I(x1^3) + I(x1^4) + I(x1^5)", 7, [1.0] * 6),
}  # fmt: skip


@pytest.mark.skipif("GLMBAYES_EXTRA_DATA" not in os.environ, reason="the NIST data are not distributed here")
@pytest.mark.parametrize("name", CERTIFIED)
def test_certified_regressions(name, rng):
    formula, least, truth = CERTIFIED[name]
    data = pd.read_csv(Path(os.environ["GLMBAYES_EXTRA_DATA"]) / "nist" / f"{name}.csv")
    design = build_design(formula, data)
    for kind, prior in vague(design.X, design.y).items():
        if kind != "flat" or name not in ("wampler1", "wampler2"):
            fit = lmb(formula, data, prior, n=10, rng=rng)
            assert digits(fit.posterior_mean.to_numpy(), np.array(truth)) >= least, kind
            assert digits(fit.coef_mode.to_numpy(), np.array(truth)) >= least, kind
