"""Every form of a GLM's response becomes one number and one weight per row, or an error that says what to write."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from glmbayes import families
from glmbayes.design import array_design, build_design
from glmbayes.errors import InputError
from glmbayes.glm_response import glm_response, response_notes

DATA = pd.DataFrame(
    {
        "x": [0.5, 1.0, 1.5, 2.0, 2.5],
        "yes": [True, False, True, True, False],
        "one": [1, 0, 1, 1, 0],
        "word": ["sick", "healthy", "sick", "sick", "healthy"],
        "good": [3, 0, 5, 2, 0],
        "bad": [1, 4, 0, 2, 0],
        "share": [0.75, 0.0, 1.0, 0.5, 0.25],
        "amount": [0.5, 2.0, 1.25, 3.0, 4.0],
        "signed": [-0.5, 2.0, 1.25, 3.0, 4.0],
        "three": ["a", "b", "c", "a", "b"],
        "w": [2.0, 1.0, 0.0, 0.5, 3.0],
    }
)
ONES = np.ones(5)


def response(left, family, data=DATA, **arguments):
    return glm_response(build_design(f"{left} ~ x", data, **arguments), family)


@pytest.mark.parametrize("left", ["yes", "one", "word", "I(word == 'sick')", "factor(one)"])
def test_forms_of_a_binary_response(left):
    y, weights = response(left, "binomial")
    np.testing.assert_array_equal(y, [1, 0, 1, 1, 0])
    np.testing.assert_array_equal(weights, ONES)


def test_the_first_level_is_failure():
    kinds = pd.Categorical(DATA["word"], categories=["sick", "unused", "healthy"])
    y, _ = response("word", "binomial", DATA.assign(word=kinds))
    np.testing.assert_array_equal(y, [0, 1, 0, 0, 1])


@pytest.mark.parametrize("family", ["binomial", "quasibinomial", families.binomial("probit"), families.binomial])
def test_successes_and_failures(family):
    found = response("cbind(good, bad)", family)
    np.testing.assert_array_equal(found.y, [0.75, 0.0, 1.0, 0.5, 0.0])
    np.testing.assert_array_equal(found.weights, [4, 4, 5, 4, 0])
    assert found.n == 4


def test_weights_multiply_trials():
    y, weights = response("cbind(good, bad)", "binomial", weights="w")
    np.testing.assert_array_equal(y, [0.75, 0.0, 1.0, 0.5, 0.0])
    np.testing.assert_array_equal(weights, [8, 4, 0, 2, 0])


def test_fractions_with_trials_as_weights():
    y, weights = response("share", "binomial", weights="w")
    np.testing.assert_array_equal(y, DATA["share"])
    np.testing.assert_array_equal(weights, DATA["w"])


def test_nothing_is_rounded():
    data = DATA.assign(good=[0.3, 0.0, 5.5, 2.0, 1.0], bad=[0.9, 1.5, 0.0, 2.0, 1.0])
    y, weights = response("cbind(good, bad)", "binomial", data)
    np.testing.assert_allclose(y, [0.25, 0.0, 1.0, 0.5, 0.5], rtol=1e-15)
    np.testing.assert_array_equal(weights, data["good"] + data["bad"])
    assert response_notes(y, weights, "binomial") == (
        "numbers of successes (weight times fraction) are not whole in 2 rows",
    )


@pytest.mark.parametrize("family", ["poisson", "quasipoisson", "Gamma", "gaussian"])
def test_a_column_of_numbers_is_taken_as_it_is(family):
    y, weights = response("amount", family, weights="w")
    np.testing.assert_array_equal(y, DATA["amount"])
    np.testing.assert_array_equal(weights, DATA["w"])
    np.testing.assert_array_equal(response("amount", family).weights, ONES)


def test_notes():
    whole = np.array([0.0, 2.0, 7.0])
    assert response_notes(whole, np.ones(3), "poisson") == ()
    assert response_notes(whole + [0, 0.5, 0], np.ones(3), "poisson") == ("counts are not whole numbers in 1 row",)
    assert response_notes(whole + [0, 0.5, 0], np.array([1.0, 0.0, 1.0]), "poisson") == ()
    assert response_notes(whole + 0.5, np.ones(3), "Gamma") == ()
    trials = np.array([3.0, 7.0, 49.0])
    assert response_notes(np.array([1 / 3, 3 / 7, 48 / 49]), trials, "binomial") == ()  # whole up to rounding


def test_a_design_that_has_been_through_goes_through_again():
    for left in ("cbind(good, bad)", "word"):
        design = build_design(f"{left} ~ x", DATA)
        y, weights = glm_response(design, "binomial")
        again = glm_response(replace(design, y=y, weights=weights), "binomial")
        np.testing.assert_array_equal(again.y, y)
        np.testing.assert_array_equal(again.weights, weights)


def test_rows_with_missing_values_leave_in_both_columns():
    y, weights = response("cbind(good, bad)", "binomial", DATA.assign(bad=[1, np.nan, 0, 2, 0]))
    np.testing.assert_array_equal(y, [0.75, 1.0, 0.5, 0.0])
    np.testing.assert_array_equal(weights, [4, 5, 4, 0])


def test_arrays():
    X = np.column_stack([ONES, DATA["x"]])
    y, weights = glm_response(array_design(DATA[["good", "bad"]].to_numpy(), X), "binomial")
    np.testing.assert_array_equal(y, [0.75, 0.0, 1.0, 0.5, 0.0])
    np.testing.assert_array_equal(weights, [4, 4, 5, 4, 0])
    y, _ = glm_response(array_design(DATA["yes"].to_numpy(), X), "binomial")
    np.testing.assert_array_equal(y, DATA["one"])


BAD = {
    "counts of successes": (
        "good",
        "binomial",
        {},
        r"response good must be.*row 0 is.*cbind\(successes, failures\)",
    ),
    "negative fraction": ("signed", "binomial", {}, "response signed must be a fraction"),
    "three levels": ("three", "binomial", {}, r"two levels.*three has 3 in these rows: a, b, c.*I\(three == 'c'\)"),
    "one level": ("word", "binomial", {"subset": "one == 1"}, "word has 1 in these rows: sick"),
    "three columns": ("cbind(good, bad, one)", "binomial", {}, r"3 columns \(good, bad, one\)"),
    "negative failures": ("cbind(good, signed)", "binomial", {}, r"row 0 is \(3, -0.5\).*second column is failures"),
    "columns of counts": ("cbind(good, bad)", "poisson", {}, "takes a response of one column.*family='binomial'"),
    "negative count": ("signed", "poisson", {}, "response signed must be a count, zero or more.*row 0 is.*-0.5"),
    "categorical count": ("word", "poisson", {}, r"needs a response of numbers; word is categorical \(healthy, sick\)"),
    "boolean count": ("yes", "poisson", {}, "yes is boolean.*family='binomial'"),
    "zero amount": ("share", "Gamma", {}, "response share must be positive.*row 1 is"),
    "categorical amount": ("three", "Gamma", {}, r"three is categorical \(a, b, c\).$"),
    "no weight": ("one", "binomial", {"weights": np.zeros(5)}, "must not all be zero"),
    "no trials": ("cbind(I(0 * good), I(0 * bad))", "binomial", {}, "numbers of trials.*must not all be zero"),
    "unknown family": ("one", "binomail", {}, "did you mean 'binomial'"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_refused(case):
    left, family, arguments, message = BAD[case]
    with pytest.raises(InputError, match=message):
        response(left, family, **arguments)
