"""The summary: its tables, its text against golden printouts, its HTML.

GLMBAYES_GOLDEN=write rewrites the printouts; read them before committing.
"""

import os
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from glmbayes import InputError, datasets, dHalfCauchy, dIndependent_Normal, dNormal, lmb
from tests.fits.cases import IMPROPER, PRIORS, design, line

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
MTCARS = datasets.load("mtcars")
PLANT = datasets.load("plant_weight")
WEIGHTED = {
    "y": [1.2, 2.9, 3.1, 4.8, 5.2, 7.1, np.nan, 9.0],
    "x": [1.0, 2, 3, 4, 5, 6, 7, 8],
    "g": ["b", "a", "b", "a", "b", "a", "b", "c"],
    "w": [1, 2, 1, 3, 1, 1, 1, 1],
}


def weighted():
    tenfold = 10.0 * np.array(WEIGHTED["x"])  # noqa: F841  the formula finds it here
    prior = dNormal(np.zeros(4), np.diag([100.0, 1e4, 100.0, 1.0]), dispersion=0.25)
    keep = np.array(WEIGHTED["g"]) != "c"
    return lmb("y ~ x + g + tenfold", WEIGHTED, prior, weights="w", subset=keep, rng=1)


CASES = {
    "plant_weight": lambda: lmb("weight ~ group", PLANT, rng=1).summary(),
    "mtcars": lambda: lmb("mpg ~ wt + hp + factor(cyl)", MTCARS, lambda ps: ps.prior("dNormal_Gamma"), rng=1).summary(),
    "mtcars_hdi": lambda: lmb("log(mpg) ~ poly(wt, 2) - 1", MTCARS, rng=1).summary(conf_level=0.9, hdi=True),
    "weighted": lambda: weighted().summary(),
    "flat": lambda: lmb(
        "weight ~ group",
        PLANT,
        dIndependent_Normal([0, 0], np.diag([np.inf, np.inf]), dHalfCauchy(1.0)),
        offset=np.full(20, 2.0),
        n=50,
        rng=1,
    ).summary(),
    "known_coefficients": lambda: lmb("weight ~ group", PLANT, lambda ps: ps.prior("dGamma"), rng=1).summary(),
    "scales": lambda: lmb(
        "y ~ x", {"y": 1e9 + 1e6 * np.sin(np.arange(9.0)), "x": 1e-7 * np.arange(9.0)}, rng=1
    ).summary(),
}


def without_draws(text):
    """The numbers that come from draws, hidden: they move with the sampler, not with the printout."""
    hidden, in_draws = [], False
    for line_ in text.splitlines():
        in_draws = (in_draws and bool(line_)) or line_.startswith("Percentiles of the draws")
        from_draws = line_.startswith("Bayesian R-squared") or (in_draws and not line_.startswith(("Perc", " ")))
        if from_draws:
            head = re.match(r"Bayesian R-squared|\S+( \S+)*", line_).group()
            head = line_.split("  ")[0] if in_draws else head
            line_ = head + "  ..."
        line_ = re.sub(r"(residual sd: median) \S+", r"\1 ...", line_)
        line_ = re.sub(r"\(iid, \S+ candidates", "(iid, ... candidates", line_)
        hidden.append(line_)
    return "\n".join(hidden) + "\n"


@pytest.mark.parametrize("name", CASES)
def test_golden_printouts(name):
    path = GOLDEN / f"lmb_{name}.txt"
    text = without_draws(str(CASES[name]()))
    if os.environ.get("GLMBAYES_GOLDEN") == "write":
        path.write_text(text, encoding="utf-8")
    # spacing follows the numbers from the draws
    assert [row.split() for row in text.splitlines()] == [
        row.split() for row in path.read_text(encoding="utf-8").splitlines()
    ]


@pytest.mark.parametrize("name", CASES)
def test_lines_fit_a_page(name):
    assert max(map(len, str(CASES[name]()).splitlines())) <= 120


def test_tables_say_what_they_hold(rng):
    data = line(rng)
    fit = lmb("y ~ x", data, PRIORS["dIndependent_Normal_Gamma"], n=400, rng=rng)
    summary = fit.summary(conf_level=0.9)
    prior = summary.prior_table
    np.testing.assert_allclose(prior["null mode"], [data["y"].mean(), 0.0])
    np.testing.assert_allclose(prior["prior mean"], fit.prior.mu)
    np.testing.assert_allclose(prior["prior sd"], np.sqrt(np.diag(fit.prior.Sigma)))
    X = design(data)
    estimate, rss, *_ = np.linalg.lstsq(X, data["y"], rcond=None)
    np.testing.assert_allclose(prior["ML estimate"], estimate)
    np.testing.assert_allclose(prior["ML se"], np.sqrt(np.diag(np.linalg.inv(X.T @ X)) * rss[0] / 10))
    table = summary.table
    pd.testing.assert_series_equal(table["mode"], fit.coef_mode, check_names=False)
    np.testing.assert_allclose(table["mean"], fit.posterior_mean)
    np.testing.assert_allclose(table["sd"], fit.posterior_sd)
    np.testing.assert_allclose(table["MC error"], fit.posterior_sd / 20.0)
    np.testing.assert_allclose(table[["lower", "upper"]], fit.confint(level=0.9))
    for name, point in (("tail(null)", prior["null mode"]), ("tail(prior)", fit.prior.mu)):
        p = [fit.hypothesis(f"{c} < {v!r}").posterior_probability for c, v in zip(fit.names, map(float, point))]
        np.testing.assert_allclose(table[name], np.minimum(p, 1 - np.array(p)))
    np.testing.assert_allclose(summary.percentiles["97.5 %"], fit.coefficients.quantile(0.975))
    np.testing.assert_allclose(summary.percentiles["median"], fit.coefficients.median())
    np.testing.assert_allclose(summary.residuals, np.percentile(fit.residuals(), [0, 25, 50, 75, 100]))
    s = summary.statistics
    assert (s["observations"], s["draws"]) == (12, 400)
    assert (s["dispersion mean"], s["dispersion sd"]) == fit.moments[2:]
    assert tuple(s[["expected deviance", "pD", "DIC"]]) == tuple(fit.dic()[i] for i in (2, 1, 0))
    assert s["log marginal likelihood"] == fit.log_marginal_likelihood()
    assert s["Bayesian R2"] == fit.bayes_r2().mean()
    assert s["residual sd (median)"] == np.median(np.sqrt(fit.dispersion))
    assert s["directional tail (null)"] == fit.directional_tail("null").probability


def test_default_prior_and_its_origin_are_stated():
    text = str(lmb("weight ~ group", PLANT, rng=1).summary())
    assert "dIndependent_Normal_Gamma" in text
    assert "built from the data by Prior_Setup: pwt = 0.01, worth 0.202 observations" in text
    own = str(lmb("weight ~ group", PLANT, dNormal([0, 0], np.eye(2), dispersion=1.0), rng=1).summary())
    assert "built from the data" not in own
    assert "dispersion = 1.0 (known)" in own


def test_how_the_data_were_used_is_stated():
    text = str(weighted().summary())
    for words in (
        "1 row dropped for missing values.",
        "1 row left out by subset.",
        "Weights are counts of observations (weights_type='frequency').",
        "tenfold is a combination of earlier columns: only the prior tells their effects apart.",
        "Taken from the caller's scope: tenfold.",
    ):
        assert words in text
    precise = lmb("weight ~ group", PLANT, weights=np.ones(20), weights_type="precision", rng=1)
    assert "Weights are precisions (as in R's lm)" in str(precise.summary())


@pytest.mark.parametrize("conf_level", [0.0, 1.0, 95, -0.1])
def test_conf_level(conf_level):
    with pytest.raises(InputError, match="conf_level must be between 0 and 1"):
        lmb("weight ~ group", PLANT, rng=1).summary(conf_level=conf_level)


def test_hdi(rng):
    fit = lmb("y ~ x", line(rng), n=400, rng=rng)
    table = fit.summary(hdi=True).table
    np.testing.assert_array_equal(table[["lower", "upper"]], fit.confint(hdi=True))


class Balanced(HTMLParser):
    """Every tag that opens closes."""

    def __init__(self):
        super().__init__()
        self.open = []

    def handle_starttag(self, tag, attrs):
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.mark.parametrize("name", CASES)
def test_html(name):
    summary = CASES[name]()
    page = summary._repr_html_()
    parser = Balanced()
    parser.feed(page)
    assert parser.open == []
    assert page.count("<table") == 3
    tables = pd.read_html(page) if _has_lxml() else []
    for table, truth in zip(tables, (summary.prior_table, summary.table, summary.percentiles)):
        assert table.shape == (len(truth), truth.shape[1] + 1)
    lines = [text for text in str(summary).splitlines() if text.startswith(("Observations", "Expected", "Weights"))]
    assert all(text.split("   ")[0].replace("'", "&#x27;") in page for text in lines)


def _has_lxml():
    try:
        import lxml  # noqa: F401
    except ImportError:
        return False
    return True


def test_html_escapes_names():
    fit = lmb(y=[1.0, 2.0, 4.0], X=np.ones((3, 1)), names=["<b>"], pfamily=dNormal(0.0, 1.0, dispersion=1.0), rng=1)
    assert "<b>" not in fit.summary()._repr_html_().replace("<p><b>", "").replace("</b>", "")


def test_improper_priors_are_shown(rng):
    text = str(lmb("y ~ x", line(rng), IMPROPER["one flat"], rng=1).summary())
    assert "infinite" in text
    assert "Log marginal likelihood: undefined" in text


def test_the_t_distribution_of_the_conjugate_posterior_is_in_the_table():
    """Interval and tail of the slope of the plant weights: t with 21.2 degrees of freedom (R glmbayes: a = 10.601)."""
    table = lmb("weight ~ group", PLANT, lambda ps: ps.prior("dNormal_Gamma"), rng=1).summary().table
    a, b = 10.6010101010101, 4.65976066976705
    t = stats.t(2 * a, -0.36729, np.sqrt(b / a * 0.198))
    assert table.loc["groupTrt", ["lower", "upper"]].tolist() == pytest.approx(t.ppf([0.025, 0.975]), rel=1e-9)
    assert table.loc["groupTrt", "tail(null)"] == pytest.approx(t.sf(0.0), rel=1e-9)
