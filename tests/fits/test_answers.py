"""How answers print: a line or three, not sixteen digits."""

from glmbayes import dNormal, lmb
from tests.fits.cases import PRIORS, line


def test_answers_print_readably(rng):
    fit = lmb("y ~ x", line(rng), PRIORS["dNormal"], rng=1)
    smaller = lmb("y ~ 1", {"y": fit.design.y}, dNormal(0.5, 4.0, dispersion=1.3), rng=1)
    answer = fit.hypothesis("x > 1")
    assert repr(answer).startswith(f"x > 1\n  probability {answer.posterior_probability:.4g}, before the data 0.5;")
    assert repr(fit.loo()).startswith(f"LOO, exact: elpd {fit.loo().elpd:.5g} (se")
    assert repr(fit.waic()).startswith(f"WAIC {fit.waic().waic:.5g}: elpd")
    assert (
        repr(fit.dic())
        == f"DIC {fit.dic().dic:.5g} (expected deviance {fit.dic().expected:.5g}, pD {fit.dic().p_d:.4g})"
    )
    factor = fit.bayes_factor(smaller)
    assert repr(factor) == f"Bayes factor {factor.bayes_factor:.4g} (log {factor.log_bayes_factor:.4g})"
    assert f"{fit.directional_tail().distance:.4g} posterior sds away" in repr(fit.directional_tail())
    for value in (answer, fit.loo(), fit.waic(), fit.dic(), factor, fit.directional_tail()):
        assert max(map(len, repr(value).splitlines())) < 100


def test_psis_prints_its_diagnostic(rng):
    import pytest

    pytest.importorskip("arviz")
    assert "largest Pareto k" in repr(lmb("y ~ x", line(rng), rng=1).loo("psis"))
