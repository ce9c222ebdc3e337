"""Families as plain NumPy log-likelihoods, and data made to break samplers."""

import numpy as np
from scipy import special

from glmbayes import families

EMPTY = np.empty(0)
# thirty exponential responses simulated in R, for the conjugate model of a rate
# fmt: off
EXPONENTIAL = np.array([
    0.396673623567777, 1.3217905042693, 0.566982075572014, 0.0763837965205312, 0.946353258565068, 2.92725427804475,
    0.627969161607325, 0.820259136147797, 2.38319562059785, 1.42972495584729, 2.68943119338667, 4.81736885907611,
    0.192293123346662, 0.114282721938007, 2.50792209795656, 0.619631475028569, 0.950382471084595, 1.24422056507319,
    2.49116062364521, 0.740678917616606, 9.72560999111133, 1.33166432101279, 9.99193699090108, 0.447114573791623,
    2.422768285414, 1.43818479090809, 2.61698398067556, 0.559915077872574, 0.462228262827166, 2.57417765251341,
])
# fmt: on
LINKS = [
    ("binomial", "logit"),
    ("binomial", "probit"),
    ("binomial", "cloglog"),
    ("poisson", "log"),
    ("gamma", "log"),
    ("gaussian", "identity"),
]  # fmt: skip


def log_likelihood(name, link, eta, y):
    """One row's log-likelihood without its constant, from scipy (broadcasts)."""
    if name == "poisson":
        return y * eta - np.exp(eta)
    if name == "gamma":
        return -eta - y * np.exp(-eta)
    if name == "gaussian":
        return -0.5 * np.square(y - eta)
    if link == "logit":
        log_p, log_q = special.log_expit(eta), special.log_expit(-eta)
    elif link == "probit":
        log_p, log_q = special.log_ndtr(eta), special.log_ndtr(-eta)
    else:
        log_q = -np.exp(eta)
        log_p = np.log(-np.expm1(np.minimum(log_q, -1e-300)))
    with np.errstate(invalid="ignore"):
        return np.where(y > 0, y * log_p, 0.0) + np.where(y < 1, (1 - y) * log_q, 0.0)


def log_posterior_1d(name, link, theta, y, x, offset, weights, mu, variance):
    """Log posterior at an array of `theta`, without the data's constant but with the prior's."""
    theta = np.atleast_1d(theta)
    eta = np.multiply.outer(theta, x) + offset
    with np.errstate(over="ignore", divide="ignore"):
        total = (weights * log_likelihood(name, link, eta, y)).sum(axis=1)
    return total - 0.5 * (theta - mu) ** 2 / variance - 0.5 * np.log(2 * np.pi * variance)


def response(rng, name, eta, trials=1.0):
    """Draw responses for linear predictors (logit mean for the binomial)."""
    if name == "poisson":
        return rng.poisson(np.exp(eta)).astype(float)
    if name == "gamma":
        return rng.gamma(2.0, np.exp(eta) / 2.0)
    if name == "gaussian":
        return rng.normal(eta)
    return rng.binomial(np.asarray(trials, int), special.expit(eta)) / trials


def kernel(name, link):
    return families.get(name, link).kernel


def one_coefficient_cases():
    """(label, name, y, x, offset, weights, mu, variance): what a single coefficient can meet."""
    one, zero, two, three = np.ones(1), np.zeros(1), np.ones(2), np.ones(3)
    ramp = np.linspace(-2.0, 2.0, 40)
    cases = [
        ("a single zero, vague prior", "poisson", zero, one, zero, one, 0.0, 100.0),
        ("a single zero, very vague prior", "poisson", zero, one, zero, one, 0.0, 1e6),
        ("count of a million", "poisson", np.array([1e6]), one, zero, one, 0.0, 1.0),
        ("prior far away", "poisson", np.array([3.0]), one, zero, one, -40.0, 1.0),
        ("prior far above", "poisson", np.array([3.0]), one, zero, one, 30.0, 1.0),
        ("weight 1e-6", "poisson", np.array([3.0]), one, zero, np.array([1e-6]), 0.0, 10.0),
        ("weight 1e6", "poisson", np.array([3.0]), one, zero, np.array([1e6]), 0.0, 10.0),
        ("weight 1e10", "poisson", np.array([3.0]), one, zero, np.array([1e10]), 0.0, 10.0),
        ("offset +20", "poisson", np.array([5.0]), one, np.array([20.0]), one, 0.0, 1e3),
        ("offset -20", "poisson", np.array([5.0]), one, np.array([-20.0]), one, 0.0, 1e3),
        ("x of 1e3", "poisson", np.array([5.0, 0.0]), np.array([1e3, 1.0]), 0 * two, two, 0.0, 1.0),
        ("x of 1e-6", "poisson", np.array([5.0]), np.array([1e-6]), zero, one, 0.0, 1e14),
        ("30 of 30", "binomial", one, one, zero, np.array([30.0]), 0.0, 100.0),
        ("0 of 1e6", "binomial", zero, one, zero, np.array([1e6]), 0.0, 100.0),
        ("half of 1e10", "binomial", np.array([0.5]), one, zero, np.array([1e10]), 0.0, 1.0),
        ("leverage", "binomial", np.array([0, 1.0, 1]), np.array([1e3, 1, -1.0]), 0 * three, three, 0.0, 4.0),
        ("separated", "binomial", 1.0 * (ramp > 0), ramp, 0 * ramp, np.ones(40), 0.0, 25.0),
        ("offset 20 against it", "binomial", zero, one, np.array([20.0]), one, 0.0, 9.0),
        ("tiny response", "gamma", np.array([1e-8]), one, zero, np.array([0.3]), 0.0, 10.0),
        ("huge response", "gamma", np.array([1e8]), one, zero, np.array([3.0]), 0.0, 10.0),
        ("tiny shape", "gamma", np.array([2.0]), one, zero, np.array([1e-6]), 0.0, 1e4),
        ("no information", "gaussian", np.array([2.0]), zero, zero, one, 1.0, 4.0),
    ]  # fmt: skip
    return cases
