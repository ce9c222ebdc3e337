"""The trust report's own tools: they pass what is uniform and notice what is not."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from trust.calibration import RANKS, gaussian, ranks_of
from trust.digits import log_relative_error
from trust.levels import LEVELS
from trust.ranks import ecdf_difference, picture, simultaneous_band, uniform_p
from trust.record import P_BOUND, Section
from trust.report import page, write


def inside(ranks, n_ranks):
    low, high = simultaneous_band(len(ranks), n_ranks)
    difference = ecdf_difference(ranks, n_ranks)
    return bool(((low <= difference) & (difference <= high)).all())


def test_bands_hold_what_they_promise(rng):
    """95 % of uniform ranks stay inside everywhere; 2,000 experiments."""
    hits = sum(inside(rng.integers(0, 100, 250), 100) for _ in range(2000))
    assert stats.binomtest(hits, 2000, 0.95, alternative="less").pvalue > 1e-4
    assert stats.binomtest(hits, 2000, 0.97, alternative="greater").pvalue > 1e-4  # whole numbers: a little more


def test_biased_and_overconfident_ranks_are_noticed(rng):
    z = rng.standard_normal(4000)
    for wrong in (z + 0.1, 1.1 * z):  # a tenth of a standard deviation off; intervals a tenth too short
        ranks = np.minimum((stats.norm.cdf(wrong) * 100).astype(int), 99)
        assert not inside(ranks, 100)
        assert uniform_p(ranks, 100) < P_BOUND


def test_a_wrong_posterior_is_noticed():
    def wrong(rng):
        truth, draws = gaussian(rng, "dNormal", 20, 4)
        return truth, draws.mean(axis=0) + 1.15 * (draws - draws.mean(axis=0))

    ranks = ranks_of("too wide", wrong, 4000)
    assert uniform_p(ranks[:, 0], RANKS) < P_BOUND


def test_digits():
    assert log_relative_error(np.array([1.0, 2.002]), np.array([1.0, 2.0])) == pytest.approx(3.0)
    assert log_relative_error(np.array([1.0]), np.array([1.0])) == 16.0


def test_the_page_names_what_failed(tmp_path, rng):
    section = Section("A title", "Some text.", [("A table", pd.DataFrame({"x": [0.123456, 2.0], "word": ["a", "b"]}))])
    section.figures.append(("ranks.png", picture({"a": rng.integers(0, 100, 300)}, 100, "A"), "Ranks"))
    section.check(True, "not shown")
    section.check(False, "the sampler: 5.1 standard errors off")
    text = write(tmp_path, [section], LEVELS["small"]).read_text(encoding="utf-8")
    assert text == page([section], LEVELS["small"])
    assert "2 checks, 1 failed" in text and "- the sampler: 5.1 standard errors off" in text and "not shown" not in text
    assert "| 0.123 | a |" in text and (tmp_path / "images/trust/ranks.png").stat().st_size > 5000


def test_a_section_that_is_run_again_replaces_the_one_before(tmp_path):
    first = [Section("One", "Text.", checks=1200, failures=["wrong"]), Section("Two", "Other text.", checks=3)]
    text = write(tmp_path, first, LEVELS["full"]).read_text(encoding="utf-8")
    assert "1,203 checks, 1 failed" in text and text.index("## One") < text.index("- wrong") < text.index("## Two")
    assert write(tmp_path, first[1:], LEVELS["full"], keep=True).read_text(encoding="utf-8") == text
    again = write(tmp_path, [Section("One", "Text.", checks=1100)], LEVELS["full"], keep=True)
    assert "1,103 checks, 0 failed" in (text := again.read_text(encoding="utf-8")) and "wrong" not in text
    assert text.index("## One") < text.index("## Two") and text.count("Other text.") == 1
