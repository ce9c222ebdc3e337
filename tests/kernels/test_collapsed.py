"""The density of the variances with all effects integrated out, and the effects given them, against dense algebra."""

import numpy as np
import pytest
from scipy import stats

from glmbayes import dGamma, dHalfNormal, dHalfT, dHuangWand, dUniform, dWishart
from glmbayes.kernels.collapsed import BEND
from glmbayes.mixed.collapsed import Collapsed
from glmbayes.mixed.design import build_mixed_design
from glmbayes.mixed.priors import resolve_priors
from glmbayes.mixed.reduce import reduce_design
from tests.oracles import assert_cdf, assert_mean

pytestmark = pytest.mark.every_mode

CASES = {
    "two slopes": (
        "y ~ x + (x + z | g)", {"g": dWishart(5, np.diag([1.0, 0.5, 0.8]) + 0.1), "sigma": dHalfT(3, 1.0)}, False
    ),
    "huang-wand": ("y ~ x + (x | g)", {"g": dHuangWand([1.0, 0.5]), "sigma": dGamma(3.0, 2.0)}, False),
    "no correlations": ("y ~ 1 + (x || g)", {"g.1": dHalfNormal(1.0), "g.2": dUniform(2.0)}, False),
    "known errors": ("y ~ x + (1 | g)", {"g": dHalfT(3, 1.0)}, True),
}  # fmt: skip
SIZES = (4, 1, 3, 5, 2)


def problem(rng, case):
    formula, given, se = CASES[case]
    n = sum(SIZES)
    frame = {
        "y": rng.standard_normal(n), "x": rng.standard_normal(n), "z": rng.standard_normal(n),
        "g": np.repeat(list("abcde"), SIZES), "se": 0.5 + rng.random(n),
    }  # fmt: skip
    design = build_mixed_design(formula, frame, se="se" if se else None)
    p = design.p
    beta = (np.linspace(-0.5, 0.5, p), np.diag(np.linspace(1.0, 2.0, p)))
    priors = resolve_priors(design, {**given, "beta": beta}, se)
    known = design.fixed.extra.get("se")
    reduced = reduce_design(design, priors, known, None, False)
    size = sum(t.q * (t.q + 1) // 2 for t in design.terms) + (not se)
    return design, priors, Collapsed(reduced, 0.5 + rng.random(size)), beta, known


def unpack(point, scale, design, priors, sigma_known):
    """Covariances, residual sd and log |Jacobian| to (sds, canonical partial correlations), in plain Python."""
    at, roots, log_j, sds = 0, [], 0.0, []

    def sd(x, c, upper):
        u = np.log1p(np.exp(x))
        value = BEND * c * np.sinh(u / BEND)
        slope = c * np.cosh(u / BEND) / (1.0 + np.exp(-x))
        return (
            (value, slope)
            if upper == np.inf
            else (upper * (1 - np.exp(-value / upper)), slope * np.exp(-value / upper))
        )

    for term in design.terms:
        prior = priors.terms[term.label]
        rows = []
        for i in range(term.q):
            value, slope = sd(point[at], scale[at], getattr(prior, "upper", np.inf))
            partial = np.tanh(point[at + 1 : at + 1 + i])
            log_j += np.log(slope) + np.log1p(-(partial**2)).sum()
            row = value * np.append(partial, 1.0) * np.sqrt(np.append(1.0, np.cumprod(1.0 - partial**2)))
            rows.append(np.append(row, np.zeros(term.q - 1 - i)))
            sds.append((value, partial))
            at += 1 + i
        roots.append(np.array(rows))
    sigma = 1.0
    if not sigma_known:
        sigma, slope = sd(point[at], scale[at], getattr(priors.sigma, "upper", np.inf))
        log_j += np.log(slope)
    return roots, sigma, log_j, sds


def log_prior(prior, root, parts):
    """Density of (sds, canonical partial correlations) from that of the covariance matrix, Jacobian by differences."""
    if root.shape[0] == 1:
        return float(prior.log_density(root[0, 0]))
    psi, q = root @ root.T, root.shape[0]
    if isinstance(prior, dWishart):
        value = stats.invwishart(prior.df, prior.Psi_0).logpdf(psi)
    else:
        inverse = np.linalg.inv(psi)
        value = -0.5 * (prior.df + 2 * q) * np.linalg.slogdet(psi)[1]
        value -= 0.5 * (prior.df + q) * np.log(prior.df * np.diag(inverse) + prior.scales(q) ** -2.0).sum()
    flat = np.concatenate([np.append(sd, partial) for sd, partial in parts])

    def to_psi(values):
        at, low = 0, np.zeros((q, q))
        for i in range(q):
            partial = values[at + 1 : at + 1 + i]
            low[i, : i + 1] = values[at] * np.append(partial, 1.0) * np.sqrt(np.append(1.0, np.cumprod(1 - partial**2)))
            at += 1 + i
        return (low @ low.T)[np.tril_indices(q)]

    step = 1e-6
    jacobian = [(to_psi(flat + step * e) - to_psi(flat - step * e)) / (2 * step) for e in np.eye(flat.size)]
    return value + np.linalg.slogdet(np.array(jacobian))[1]


def dense(design, beta, roots, sigma, known):
    """Prior mean and covariance of y and of (beta, effects), and their covariance with y."""
    Z = [np.zeros((design.n, t.m * t.q)) for t in design.terms]
    for z, term in zip(Z, design.terms):
        for i in range(term.q):
            z[np.arange(design.n), term.factor.codes * term.q + i] = term.Z[:, i]
    full = np.concatenate([design.fixed.X, *Z], axis=1)
    blocks = [beta[1]] + [np.kron(np.eye(t.m), root @ root.T) for t, root in zip(design.terms, roots)]
    size = sum(b.shape[0] for b in blocks)
    prior, at = np.zeros((size, size)), 0
    for block in blocks:
        prior[at : at + len(block), at : at + len(block)] = block
        at += len(block)
    mean = np.append(beta[0], np.zeros(size - beta[0].size))
    noise = np.diag(known**2) if known is not None else sigma**2 * np.eye(design.n)
    return full @ mean, full @ prior @ full.T + noise, mean, prior, prior @ full.T


@pytest.mark.parametrize("case", CASES)
def test_density_agrees_with_dense_algebra(rng, case):
    design, priors, model, beta, known = problem(rng, case)
    points = 0.8 * rng.standard_normal((6, model.scale.size))
    expected = []
    for point in points:
        roots, sigma, value, parts = unpack(point, model.scale, design, priors, known is not None)
        for term, root in zip(design.terms, roots):
            value += log_prior(priors.terms[term.label], root, parts[: term.q])
            parts = parts[term.q :]
        if known is None:
            prior = priors.sigma
            if isinstance(prior, dGamma):
                value += stats.gamma(prior.shape, scale=1 / prior.rate).logpdf(sigma**-2.0) - 3.0 * np.log(sigma)
            else:
                value += float(prior.log_density(sigma))
        mean, covariance, *_ = dense(design, beta, roots, sigma, known)
        expected.append(value + stats.multivariate_normal(mean, covariance).logpdf(design.y))
    got = model.log_density(points)
    assert np.allclose(got - got[0], np.array(expected) - expected[0], rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("case", CASES)
def test_effects_given_the_variances(rng, case):
    design, priors, model, beta, known = problem(rng, case)
    point = 0.8 * rng.standard_normal(model.scale.size)
    roots, sigma, *_ = unpack(point, model.scale, design, priors, known is not None)
    mean_y, covariance, mean, prior, cross = dense(design, beta, roots, sigma, known)
    gain = np.linalg.solve(covariance, cross.T).T
    mean, variance = mean + gain @ (design.y - mean_y), prior - gain @ cross.T
    n = 1500
    out = model.outputs(n)
    model.draw(rng, np.tile(point, (n, 1)), out)
    w, a, sigma2, root = out
    draws = [model.reduced.beta_hat + w @ model.reduced.unscale.T]
    for term, first in zip(design.terms, model.reduced.layout.first):
        draws.append(a[:, :, first : first + term.q].reshape(n, -1))
    draws = np.concatenate(draws, axis=1)
    assert np.allclose(sigma2, sigma**2)
    assert np.allclose(root[:, : len(roots), : roots[0].shape[0], : roots[0].shape[0]][:, 0], roots[0])
    assert_mean(draws, mean, "effects")
    for weights in rng.standard_normal((3, draws.shape[1])):  # combinations show the covariances
        sd = np.sqrt(weights @ variance @ weights)
        assert_cdf((draws - mean) @ weights, stats.norm(0.0, sd).cdf, "combination")


def test_a_wrong_density_is_noticed(rng):
    """One row too many changes the density by far more than the comparison allows."""
    _, _, model, _, _ = problem(rng, "huang-wand")
    points = 0.8 * rng.standard_normal((4, model.scale.size))
    right = model.log_density(points)
    model.data = model.data._replace(n=model.data.n + 1.0)
    wrong = model.log_density(points)
    assert not np.allclose(wrong - wrong[0], right - right[0], rtol=1e-3, atol=1e-3)


def test_outside_the_support(rng):
    _, _, model, _, _ = problem(rng, "huang-wand")
    d = model.scale.size
    points = np.array([np.zeros(d), np.full(d, -800.0), np.full(d, 4000.0)])
    got = model.log_density(points)
    assert np.isfinite(got[0]) and (got[1:] == -np.inf).all()
