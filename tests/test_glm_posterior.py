"""Draws and evidence against quadrature and importance sampling."""

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from scipy import special

from glmbayes import families
from glmbayes.errors import InputError
from glmbayes.glm import posterior as posterior_module
from glmbayes.glm.posterior import build_glm_posterior
from glmbayes.glm.radial import RadialSampler
from glmbayes.kernels import glm_rows
from glmbayes.kernels import radial_envelope as kernel
from tests.glm_cases import adversarial, logistic_recipe
from tests.oracles import assert_cdf, assert_mean, assert_sd

N_DRAWS = 20_000
SMALL_X = np.array([[1.0, -1.2], [1.0, 0.1], [1.0, 0.4], [1.0, 1.5], [1.0, 2.2]])
SMALL = {
    "logit": ("binomial", "logit", [0, 0.25, 1, 0.5, 1], [1, 4, 1, 2, 2.5]),
    "probit": ("binomial", "probit", [0, 0.25, 1, 0.5, 1], [1, 4, 1, 2, 3]),
    "cloglog": ("binomial", "cloglog", [0, 0.25, 1, 0.5, 1], [1, 4, 1, 2, 3]),
    "poisson": ("poisson", None, [0, 1, 0, 3, 5], [1, 1, 2, 1, 1]),
    "gamma": ("gamma", None, [0.2, 1.1, 0.9, 3.0, 0.7], [1, 1, 2, 1, 1]),
    "gaussian": ("gaussian", None, [0.2, 1.1, -0.9, 3.0, 0.7], [1, 1, 2, 1, 1]),
}


def _small(name, p):
    family, link, y, weights = SMALL[name]
    return dict(  # noqa: C408
        y=np.array(y, dtype=float),
        X=np.ascontiguousarray(SMALL_X[:, :p]),
        offset=np.array([0.1, -0.2, 0.0, 0.3, 0.0]),
        weights=np.array(weights, dtype=float),
        family=families.get(family, link),
        mu=np.full(p, 0.2),
        precision=np.array([[0.5, 0.1], [0.1, 0.3]])[:p, :p],
        dispersion=0.8 if family in ("gamma", "gaussian") else 1.0,
    )


def log_density(case, theta):
    """log of likelihood times prior, with constants, at the rows of theta; by NumPy and scipy only."""
    family, y, dispersion = case["family"], case["y"], case.get("dispersion", 1.0)
    eta = theta @ case["X"].T + case["offset"]
    if family.name == "binomial":
        if family.link == "logit":
            up, down = special.log_expit(eta), special.log_expit(-eta)
        elif family.link == "probit":
            up, down = special.log_ndtr(eta), special.log_ndtr(-eta)
        else:
            down = -np.exp(eta)
            up = np.log(-np.expm1(down))
        terms = special.xlogy(y, 1.0) + y * up + (1 - y) * down
    elif family.name == "poisson":
        terms = y * eta - np.exp(eta)
    elif family.name == "Gamma":
        terms = -eta - y * np.exp(-eta)
    else:
        terms = -0.5 * (y - eta) ** 2
    total = (terms * (case["weights"] / dispersion)).sum(axis=1) + family.log_constant(y, case["weights"], dispersion)
    centred = theta - case["mu"]
    precision = case["precision"]
    prior = -0.5 * np.einsum("ij,jk,ik->i", centred, precision, centred)
    constant = 0.5 * np.linalg.slogdet(precision / (2 * np.pi))[1]
    return total + prior + constant


def _grid_marginals(case, post, points=600, reach=11.0):
    """Evidence, and CDF, mean and sd of each coefficient, on a grid over the coefficients' bounding box."""
    sd = np.sqrt(np.diag(post.covariance))
    axes = [np.linspace(m - reach * s, m + reach * s, points) for m, s in zip(post.mode, sd)]
    mesh = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(axes))
    values = np.concatenate([log_density(case, part) for part in np.array_split(mesh, 20)])
    values = values.reshape([points] * len(axes))
    top = values.max()
    density = np.exp(values - top)
    cell = np.prod([a[1] - a[0] for a in axes])
    log_evidence = top + np.log(density.sum() * cell)
    marginals = []
    for k, a in enumerate(axes):
        marginal = density.sum(axis=tuple(j for j in range(len(axes)) if j != k))
        steps = np.concatenate([[0.0], np.cumsum(0.5 * (marginal[1:] + marginal[:-1]))])
        mean = marginal @ a / marginal.sum()
        sd = np.sqrt(marginal @ (a - mean) ** 2 / marginal.sum())
        marginals.append((lambda t, a=a, c=steps / steps[-1]: np.interp(t, a, c), mean, sd))
    return log_evidence, marginals


def _assert_marginals(draws, marginals, name=""):
    for k, (cdf, mean, sd) in enumerate(marginals):
        assert_cdf(draws[:, k], cdf, f"{name} coefficient {k}")
        assert_mean(draws[:, k], mean, f"{name} coefficient {k}")
        assert_sd(draws[:, k], sd, f"{name} coefficient {k}")


@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize("name", SMALL)
def test_against_quadrature(name, p, rng):
    case = _small(name, p)
    post = build_glm_posterior(**case, sampler="radial")
    want, marginals = _grid_marginals(case, post, points=600 if p == 2 else 20_000)
    _assert_marginals(post.draw(N_DRAWS, rng).coefficients, marginals, name)
    value, se = post.log_evidence(rng)
    assert abs(value - want) < 4.5 * se + 1e-4  # 1e-4: the grid's own error


def _faulty(post, change):
    class Faulty(RadialSampler):
        def candidates(self, streams, count):
            return change(*super().candidates(streams, count))

    fields = vars(post.sampler)
    return replace(post, estimates=(replace(post.estimates[0], sampler=Faulty(**fields)),))


@pytest.mark.parametrize("fault", ["radius 5 % too small", "Jacobian forgotten", "always accepted"])
def test_planted_faults_are_seen(fault, rng):
    case = _small("logit", 2)
    post = build_glm_posterior(**case, sampler="radial")
    _, marginals = _grid_marginals(case, post)

    def change(Z, accepted, open_):
        r = np.linalg.norm(Z, axis=1)
        if fault == "radius 5 % too small":
            return 0.95 * Z, accepted, open_
        if fault == "Jacobian forgotten":  # density r^(p-1) times too small
            return Z, accepted & (rng.random(len(Z)) < 0.3 / np.maximum(r, 0.3)), open_
        return Z, np.ones_like(accepted), open_

    draws = _faulty(post, change).draw(N_DRAWS, rng).coefficients
    with pytest.raises(AssertionError):
        _assert_marginals(draws, marginals)


def _importance(case, post, rng, count, df=8, scale=1.1):
    """Posterior mean and sd with standard errors by importance sampling from a t with `df` degrees of freedom."""
    p = post.mode.size
    L = np.linalg.cholesky(post.covariance)
    e = rng.standard_normal((count, p))
    g = rng.chisquare(df, count) / df
    t = e / np.sqrt(g)[:, None]
    log_q = -0.5 * (df + p) * np.log1p((t**2).sum(axis=1) / df)
    theta = post.mode + scale * t @ L.T
    log_w = np.concatenate([log_density(case, part) for part in np.array_split(theta, 40)]) - log_q
    w = np.exp(log_w - log_w.max())
    w /= w.sum()
    mean = w @ theta
    sd = np.sqrt(w @ (theta - mean) ** 2)
    mean_se = np.sqrt((w**2) @ (theta - mean) ** 2)
    sd_se = np.sqrt((w**2) @ ((theta - mean) ** 2 - sd**2) ** 2) / (2 * sd)
    return mean, mean_se, sd, sd_se


@pytest.mark.parametrize(("n", "p", "family"), [(60, 5, "binomial"), (200, 12, "binomial"), (200, 12, "poisson")])
def test_against_importance_sampling(n, p, family, rng):
    case = logistic_recipe(rng, n, p) | {"family": families.get(family)}
    post = build_glm_posterior(**case)
    mean, mean_se, sd, sd_se = _importance(case, post, rng, 200_000)
    draws = post.draw(10_000, rng).coefficients
    se = draws.std(axis=0) / np.sqrt(len(draws))
    assert np.all(np.abs(draws.mean(axis=0) - mean) < 4.5 * np.hypot(se, mean_se))
    assert np.all(np.abs(draws.std(axis=0) - sd) < 4.5 * np.hypot(se, sd_se))  # se is conservative for the sd


@pytest.mark.parametrize(
    ("n", "p", "sampler"), [(1000, 20, "radial"), (4000, 50, "radial"), (6000, 20, "radial"), (6000, 20, "tall")]
)
def test_many_coefficients_against_importance_sampling(n, p, sampler, rng):
    case = logistic_recipe(rng, n, p)
    family = families.get("binomial")
    post = build_glm_posterior(**case, sampler=sampler)
    mean, mean_se, sd, sd_se = _importance(case | {"family": family}, post, rng, 10_000, df=30, scale=1.02)
    count = 10_000
    drawn = post.draw(count, rng).coefficients
    assert np.all(mean_se < 3.0 * sd / np.sqrt(count))  # the reference is worth a ninth of its points at least
    assert np.all(np.abs(drawn.mean(axis=0) - mean) < 4.5 * np.hypot(sd / np.sqrt(count), mean_se))
    assert np.all(np.abs(drawn.std(axis=0) - sd) < 4.5 * np.hypot(sd / np.sqrt(count), sd_se))


@pytest.mark.parametrize("name", ["logit n < p", "probit n < p", "poisson n < p"])
def test_fewer_rows_than_coefficients(name, rng):
    case = adversarial()[name]
    post = build_glm_posterior(**case)
    mean, mean_se, sd, sd_se = _importance(case, post, rng, 200_000)
    draws = post.draw(10_000, rng).coefficients
    se = draws.std(axis=0) / np.sqrt(len(draws))
    assert np.all(np.abs(draws.mean(axis=0) - mean) < 4.5 * np.hypot(se, mean_se))
    assert np.all(np.abs(draws.std(axis=0) - sd) < 6.0 * np.hypot(se, sd_se))


def test_evidence_with_fewer_rows_than_coefficients(rng):
    """One binomial row and two coefficients: the linear predictor is one normal variable."""
    case = dict(  # noqa: C408
        y=np.array([0.75]),
        X=np.array([[1.0, -2.0]]),
        offset=np.array([0.4]),
        weights=np.array([4.0]),
        family="binomial",
        mu=np.array([0.1, 0.2]),
        precision=np.diag([1.0, 0.25]),
    )
    sd = np.sqrt(1.0 + 4.0 * 4.0)
    eta = np.linspace(-12 * sd, 12 * sd, 200_001)
    density = np.exp(-0.5 * ((eta - (0.4 + 0.1 - 0.4)) / sd) ** 2) / (sd * np.sqrt(2 * np.pi))
    want = np.log(np.sum(4 * special.expit(eta) ** 3 * special.expit(-eta) * density) * (eta[1] - eta[0]))
    value, se = build_glm_posterior(**case).log_evidence(rng)
    assert abs(value - want) < 4.5 * se + 1e-8


def test_draws_depend_on_the_seed_only(monkeypatch):
    case = _small("logit", 2)
    post = build_glm_posterior(**case)
    first = post.draw(9000, 11)
    monkeypatch.setattr(posterior_module, "_BATCH", 137)
    second = post.draw(9000, 11)
    np.testing.assert_array_equal(first.coefficients, second.coefficients)
    np.testing.assert_array_equal(first.candidates, second.candidates)
    assert not np.array_equal(post.draw(9000, 12).coefficients, first.coefficients)


_SCRIPT = """
import sys
import numpy as np
from glmbayes.glm.posterior import build_glm_posterior
rng = np.random.default_rng(3)
found = {}
for n, p in ((2000, 20), (9000, 12)):
    X = np.column_stack([np.ones(n), rng.standard_normal((n, p - 1))])
    y = (rng.random(n) < 0.5).astype(float)
    post = build_glm_posterior(y, X, np.zeros(n), np.ones(n), "binomial", np.zeros(p), np.eye(p))
    draws = post.draw(6000, 5)
    found |= {f"coefficients{n}": draws.coefficients, f"candidates{n}": draws.candidates}
np.savez(sys.argv[1], **found)
"""


def test_draws_do_not_depend_on_the_number_of_threads(tmp_path):
    """The same candidates and decisions; coefficients to rounding: matrix products may sum in another order."""
    found = []
    for threads in ("1", "2"):
        path = tmp_path / f"{threads}.npz"
        names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
        environment = os.environ | dict.fromkeys(names, threads)
        subprocess.run([sys.executable, "-c", _SCRIPT, str(path)], env=environment, check=True)
        found.append(np.load(path))
    one, two = found
    assert {"candidates2000", "candidates9000"} <= set(one)
    for name in one:
        if name.startswith("candidates"):
            np.testing.assert_array_equal(one[name], two[name])
        else:
            np.testing.assert_allclose(one[name], two[name], rtol=1e-9, atol=1e-12)


def test_candidates_are_counted(rng):
    case = _small("poisson", 2)
    post = build_glm_posterior(**case, sampler="radial")
    counts = post.draw(N_DRAWS, rng).candidates
    streams = post.sampler.streams(5)
    accepted = np.mean([post.sampler.candidates(streams, 4000)[1].mean() for _ in range(5)])
    assert counts.min() >= 1
    assert_mean(counts.astype(float), 1.0 / accepted)
    assert_sd(counts.astype(float), np.sqrt(1.0 - accepted) / accepted)


@pytest.mark.parametrize("name", [*SMALL, "poisson zeros", "gamma spread", "logit n = 1", "logit weights"])
def test_squeeze_agrees_with_the_data(name):
    if name in SMALL:
        case = _small(name, 2)
        case["weights"] = 20.0 * case["weights"]
    else:
        case = adversarial()[name]
    sampler = build_glm_posterior(**case, sampler="radial").sampler
    Z = np.empty((20_000, sampler.white.size))
    need, log_u, verdict = np.empty(len(Z)), np.empty(len(Z)), np.empty(len(Z), np.int8)
    undecided = kernel.propose(sampler.streams(1)[0], sampler.table, sampler.squeeze, Z, need, log_u, verdict)
    assert undecided == np.count_nonzero(verdict == kernel.UNDECIDED)
    f = sampler.log_ratio(Z)
    decided = (verdict != kernel.UNDECIDED) & (np.abs(f - need) > 1e-10)
    assert decided.mean() > 0.01
    np.testing.assert_array_equal(verdict[decided] == kernel.ACCEPT, f[decided] >= need[decided])


@pytest.mark.parametrize(
    "name", ["logit weights", "logit leverage", "poisson millions", "poisson offsets", "gamma spread"]
)
def test_log_ratio_in_higher_precision(name, rng):
    """The same differences of log posteriors in extended precision, where cancellation costs nothing."""
    case = adversarial()[name]
    post = build_glm_posterior(**case, sampler="radial")
    white = post.white
    Z = rng.standard_normal((50, white.size)) * np.geomspace(1e-3, 3.0, 50)[:, None]
    wide = {k: np.asarray(case[k]).astype(np.longdouble) for k in ("y", "X", "offset", "weights", "mu", "precision")}
    theta = white.mode.astype(np.longdouble) + Z.astype(np.longdouble) @ white.unwhiten.T.astype(np.longdouble)

    def total(t):
        eta = t @ wide["X"].T + wide["offset"]
        if case["family"].name == "binomial":
            terms = wide["y"] * eta - np.logaddexp(np.longdouble(0), eta)
        elif case["family"].name == "poisson":
            terms = wide["y"] * eta - np.exp(eta)
        else:
            terms = -eta - wide["y"] * np.exp(-eta)
        d = t - wide["mu"]
        return (terms * wide["weights"] / case["dispersion"]).sum(axis=-1) - ((d @ wide["precision"]) * d).sum(
            axis=-1
        ) / 2

    want = (total(theta) - total(white.mode.astype(np.longdouble)[None])).astype(float)
    np.testing.assert_allclose(post.sampler.log_ratio(Z), want, rtol=1e-7, atol=2e-9)


def test_ways_of_summing_agree(rng):
    case = logistic_recipe(rng, 333, 4) | {"family": families.get("binomial")}
    sampler = build_glm_posterior(**case).sampler
    assert sampler.summation == glm_rows.EQUAL_WEIGHTS
    Z = np.concatenate([rng.standard_normal((100, 4)), 3000.0 * rng.standard_normal((20, 4))])
    results = [
        replace(sampler, summation=way).log_ratio(Z)
        for way in (glm_rows.BY_ROW, glm_rows.QUICK, glm_rows.EQUAL_WEIGHTS)
    ]
    near = slice(0, 100)
    np.testing.assert_allclose(results[1][near], results[0][near], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(results[2], results[0], rtol=1e-12, atol=1e-12)


def test_rows_of_weight_zero_and_refusals(rng):
    case = _small("logit", 2)
    extra = case | {
        "y": np.append(case["y"], 0.5),
        "X": np.vstack([case["X"], [[1.0, 99.0]]]),
        "offset": np.append(case["offset"], 0.0),
        "weights": np.append(case["weights"], 0.0),
    }
    np.testing.assert_array_equal(
        build_glm_posterior(**extra).draw(5, 1).coefficients, build_glm_posterior(**case).draw(5, 1).coefficients
    )
    with pytest.raises(InputError, match="sampler must be"):
        build_glm_posterior(**case, sampler="magic")
    with pytest.raises(InputError, match="many more rows"):
        build_glm_posterior(**adversarial()["logit separated"], sampler="tall")
    flat = build_glm_posterior(
        **(case | {"precision": np.zeros((2, 2)), "weights": np.full(5, 9.0), "y": np.full(5, 0.5)})
    )
    with pytest.raises(InputError, match="proper prior"):
        flat.log_evidence(rng)
    assert "chosen" in flat.report()
