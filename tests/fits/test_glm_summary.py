"""Printed summaries of GLMs against golden printouts, their tables and their HTML.

GLMBAYES_GOLDEN=write rewrites the printouts; read them before committing.
"""

import os
import re
from pathlib import Path

import numpy as np
import pytest

from glmbayes import dGamma, dIndependent_Normal_Gamma, dNormal, glmb
from glmbayes.families import binomial
from tests import glmb_cases as cases

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
X = np.linspace(-1.0, 1.0, 12)
Y = np.array([0.0, 0, 1, 0, 1, 0, 1, 1, 0, 1, 1, np.nan])

CASES = {
    "menarche": lambda: glmb(cases.MENARCHE_FORMULA, cases.menarche(), binomial("probit"), rng=1),
    "dobson": lambda: glmb(cases.DOBSON_FORMULA, cases.DOBSON, "poisson", cases.DOBSON_PRIOR, rng=1),
    "gamma": lambda: glmb("gy ~ gx", cases.GAMMA_SIM, "Gamma", rng=1),
    "gamma_gibbs": lambda: glmb(
        "gy ~ gx", cases.GAMMA_SIM, "Gamma", dIndependent_Normal_Gamma([0.4, 0], np.eye(2), 2, 1), n=402, rng=1
    ),
    "gamma_known": lambda: glmb("gy ~ gx", cases.GAMMA_SIM, "Gamma", dGamma(2, 1, beta=[0.3, 0.4]), rng=1),
    "quasi_weighted": lambda: glmb(
        "y ~ x", {"y": Y * 1.5, "x": X}, "quasipoisson", dNormal([0, 0], np.eye(2), 1.7),
        weights=np.arange(12.0), offset=np.full(12, 0.3), rng=1,
    ),
    "separated_mcmc": lambda: glmb(
        "y ~ x", {"y": (X > 0).astype(float), "x": X}, "binomial", dNormal([0, 0], 9 * np.eye(2)), sampler="mcmc", rng=1
    ),
    "fractions": lambda: glmb("y ~ 1", {"y": [2.5, 1.0, 4.0]}, "poisson", dNormal(1.0, 1.0), rng=1),
}  # fmt: skip


FROM_DRAWS = (
    r"(iid, )\S+(?= candidates)", r"(effective number )\S+(?=,)", r"(R-hat )[\d.]+", r"(Dispersion: mean )\S+(?=,)",
    r"(, sd )[\d.]+", r"(Expected deviance: )\S+", r"(pD: )\S+", r"(DIC: )\S+", r"(likelihood: )-?[\d.]+",
    r"(error )\S+(?=\))", r"(R-squared: )\S+", r"(\(sd )\S+(?=\))", r"(prior mean: )\S+(?=,)",
    r"(the null: )\S+",
)  # fmt: skip


@pytest.fixture(scope="module")
def fits():
    """Fitted once, when asked for."""
    known = {}
    return lambda name: known[name] if name in known else known.setdefault(name, CASES[name]())


def without_draws(text):
    """The numbers that come from draws, hidden: they move with the sampler, not with the printout.

    What does not: the call, the prior, the maximum-likelihood estimate, the posterior mode, known dispersions, notes.
    """
    hidden, section = [], ""
    for line in text.splitlines():
        if not line.strip():
            section = ""
        elif not section:
            section = line.split(" (")[0].rstrip(":")
        elif section.startswith("Posterior") and re.search(r"\d$", line):
            name, mode = re.match(r"(.*?)  +(\S+)", line).groups()
            line = f"{name} {mode} ..."
        elif section.startswith(("Percentiles", "Deviance")) and re.search(r"\d$", line):
            line = line.split("  ")[0] + " ..." if section.startswith("Percentiles") else "..."
        for pattern in FROM_DRAWS:
            line = re.sub(pattern, r"\1...", line)
        line = re.sub(r"-?[\d.]+e-1\d", "0", line)  # rounding
        hidden.append(line)
    return "\n".join(hidden) + "\n"


@pytest.mark.parametrize("name", CASES)
def test_golden_printouts(name, fits):
    path = GOLDEN / f"glmb_{name}.txt"
    whole = str(fits(name).summary())
    assert max(map(len, whole.splitlines())) <= 120
    text = without_draws(whole)
    if os.environ.get("GLMBAYES_GOLDEN") == "write":
        path.write_text(text, encoding="utf-8")
    # spacing follows the numbers from the draws
    assert [row.split() for row in text.splitlines()] == [
        row.split() for row in path.read_text(encoding="utf-8").splitlines()
    ]


@pytest.mark.parametrize("name", CASES)
def test_tables(name, fits):
    fit = fits(name)
    summary = fit.summary(conf_level=0.9)
    draws = fit.draws.coefficients
    table = summary.table
    np.testing.assert_allclose(table["mode"], fit.coef_mode)
    np.testing.assert_allclose(table["mean"], draws.mean(axis=0))
    sd = draws.std(axis=0, ddof=1)  # of known coefficients, 0 up to rounding
    np.testing.assert_allclose(table["sd"], sd, atol=1e-13)
    np.testing.assert_allclose(table["MC error"], sd / np.sqrt(fit.effective_draws), atol=1e-13)
    np.testing.assert_allclose(table[["lower", "upper"]], np.quantile(draws, (0.05, 0.95), axis=0).T)
    above = (draws > fit.null_mode()).mean(axis=0)
    np.testing.assert_allclose(table["tail(null)"], np.minimum(above, 1 - above), atol=1 / len(draws))
    assert "<table" in summary._repr_html_() and fit.call in str(summary)
    if fit.exact_draws:
        assert (fit.effective_draws == fit.n_draws).all() and np.isnan(fit.rhat).all()
    else:
        assert (table["MC error"] > 0).all()


def test_hdi(fits):
    summary = fits("dobson").summary(hdi=True)
    draws = np.sort(fits("dobson").draws.coefficients[:, 0])
    low, high = summary.table.loc["(Intercept)", ["lower", "upper"]]
    assert np.mean((draws >= low) & (draws <= high)) == pytest.approx(0.95, abs=0.002)
    assert high - low <= np.quantile(draws, 0.975) - np.quantile(draws, 0.025)
    assert "HDI" in str(summary)


def test_repr(fits):
    text = repr(fits("menarche"))
    assert text.startswith("Call:\nglmb(") and "probit" in text and "I(Age - 13)" in text
