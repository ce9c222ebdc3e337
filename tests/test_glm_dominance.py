"""The envelope lies above the posterior: maximised numerically, not only looked at where candidates fall."""

from dataclasses import replace

import numpy as np
import pytest

from glmbayes.errors import SamplerError
from glmbayes.glm.chooser import choose
from glmbayes.glm.radial import RadialSampler, build_envelope, radial_heights, upper_table
from glmbayes.glm.shape import measure
from glmbayes.glm.tall import TallSampler, tall_heights
from glmbayes.glm.tensors import full_third
from glmbayes.glm.whiten import whiten
from glmbayes.kernels.radial_envelope import propose, upper_value
from tests.glm_cases import adversarial, logistic_recipe

TOLERANCE = 1e-9
CASES = adversarial()


def _radial(case):
    keep = case["weights"] > 0
    weights = case["weights"][keep] / case.get("dispersion", 1.0)
    family = case["family"]
    white = whiten(
        family.kernel, case["X"][keep], case["y"][keep], weights, case["offset"][keep], case["mu"], case["precision"]
    )
    shape = measure(white, family.self_concordant)
    return RadialSampler.build(white, shape)


def log_bound(table, Z):
    """log of the envelope at the points Z, written from the table's definition and not from the drawing kernel."""
    p = Z.shape[1]
    r = np.linalg.norm(Z, axis=1)
    cells = len(table.tau) - 1
    tau = np.clip(Z @ table.axis / r, -1.0, 1.0) if cells > 1 else np.zeros(len(Z))
    cell = np.clip(np.searchsorted(table.tau, tau, side="right") - 1, 0, cells - 1)
    left = table.left.reshape(cells, -1)[cell]
    piece = np.clip((left <= r[:, None]).sum(axis=1) - 1, 0, None) + cell * table.per_cell
    bound = table.height[piece] + table.slope[piece] * (r - table.knot[piece]) - (p - 1) * np.log(r)
    if cells > 1 and p > 3:
        bound += table.tau_height[cell] + table.tau_slope[cell] * (tau - table.tau_middle[cell])
        bound -= 0.5 * (p - 3) * np.log1p(-tau * tau)
    return bound


def climb(value, start, rng, rounds=60):
    """Maximise value(Z) (one number a row) from every row of start by random steps that adapt in size."""
    Z, best = start.copy(), value(start)
    step = np.full(len(Z), 0.3)
    for _ in range(rounds):
        trial = Z * np.exp(0.3 * step * rng.standard_normal(len(Z)))[:, None]
        trial += (step * np.linalg.norm(Z, axis=1))[:, None] * rng.standard_normal(Z.shape) / np.sqrt(Z.shape[1])
        new = value(trial)
        better = new > best
        Z[better], best[better] = trial[better], new[better]
        step *= np.where(better, 1.3, 0.85)
    return best


def starts(rng, p, count=100):
    directions = rng.standard_normal((count, p))
    directions /= np.linalg.norm(directions, axis=1)[:, None]
    return directions * (np.sqrt(p) * np.exp(rng.uniform(-4, 1.5, count)))[:, None]


@pytest.mark.parametrize("name", CASES)
def test_log_acceptance_is_never_positive(name, rng):
    sampler = _radial(CASES[name])
    p = sampler.white.size
    best = climb(lambda Z: sampler.log_ratio(Z) - log_bound(sampler.table, Z), starts(rng, p), rng)
    assert best.max() <= TOLERANCE


def test_ten_million_candidates():
    """Log acceptance of every candidate, none decided by the squeeze, over all adversarial data sets."""
    count, worst = 0, -np.inf
    per_case = -(-10_000_000 // len(CASES))
    batch = 20_000
    for name, case in CASES.items():
        sampler = _radial(case)
        open_squeeze = sampler.squeeze._replace(edge=-1.0)
        Z = np.empty((batch, sampler.white.size))
        need, log_u, verdict = np.empty(batch), np.empty(batch), np.empty(batch, np.int8)
        stream = sampler.streams(7)[0]
        for _ in range(-(-per_case // batch)):
            propose(stream, sampler.table, open_squeeze, Z, need, log_u, verdict)
            top = np.max(sampler.log_ratio(Z) - need + log_u)
            assert top <= TOLERANCE, name
            worst = max(worst, top)
            count += batch
    print(f"{count} candidates over {len(CASES)} data sets, largest log acceptance {worst:.3g}")
    assert count >= 10_000_000


def _excess_over_heights(sampler, heights):
    """max over radii of f + K along a direction, as a function of directions; K for the direction's own angle."""
    p = sampler.white.size
    radii = np.concatenate([np.geomspace(1e-3, 0.3, 5), np.linspace(0.5, np.sqrt(p) + 5.0, 24)])

    def value(S):
        S = S / np.linalg.norm(S, axis=1)[:, None]
        tau = np.clip(S @ sampler.shape.cubic.axis, -1.0, 1.0)
        out = np.empty(len(S))
        for k, s in enumerate(S):
            cell = np.array([tau[k], min(tau[k] + 1e-12, 1.0)])
            K = heights(radii, cell)
            out[k] = np.max(sampler.log_ratio(radii[:, None] * s) + K[0])
        return out

    return value


@pytest.mark.parametrize("name", CASES)
def test_curvature_bound_without_the_slack_of_tangents(name, rng):
    """f + K <= 0 with K at single angles: the bound itself, where the table adds a percent of slack."""
    sampler = _radial(CASES[name])
    value = _excess_over_heights(sampler, lambda r, cell: radial_heights(sampler.shape, r, cell)[0])
    best = climb(value, starts(rng, sampler.white.size, 12), rng, rounds=25)
    assert best.max() <= TOLERANCE


@pytest.mark.parametrize(("n", "p"), [(30, 5), (100, 10), (200, 20), (1000, 20), (400, 40)])
def test_recipe(n, p, rng):
    """Also at more coefficients, where the fourth-order bounds come from products."""
    case = logistic_recipe(rng, n, p)
    sampler = _radial(case | {"family": _family("binomial")})
    best = climb(lambda Z: sampler.log_ratio(Z) - log_bound(sampler.table, Z), starts(rng, p), rng)
    assert best.max() <= TOLERANCE
    value = _excess_over_heights(sampler, lambda r, cell: radial_heights(sampler.shape, r, cell)[0])
    assert climb(value, starts(rng, p, 12), rng, rounds=25).max() <= TOLERANCE


@pytest.mark.parametrize("name", CASES)
def test_upper_bounds_in_the_candidates_own_cubic(name, rng):
    """The squeeze's rejections: f is below the bound that uses the direction's own third-order form."""
    sampler = _radial(CASES[name])
    shape, p = sampler.shape, sampler.white.size
    if not (np.isfinite(shape.quartic.values[-1]) and 0.0 < shape.cubic.whole < np.inf):
        return
    squeeze = sampler.squeeze._replace(**upper_table(shape, build_envelope(shape, p)[1]))
    T = full_third(squeeze.third, p)

    def value(Z):
        r = np.linalg.norm(Z, axis=1)
        cubic = np.einsum("abc,ia,ib,ic->i", T, Z, Z, Z, optimize=True) / r**3
        upper = np.array([upper_value(squeeze, *pair) for pair in zip(r, cubic)])
        return sampler.log_ratio(Z) - upper

    best = climb(value, starts(rng, p), rng)
    assert best.max() <= TOLERANCE


@pytest.mark.parametrize(("n", "p"), [(61, 3), (200, 20), (3002, 12)])
def test_single_precision_stays_within_its_bounds(n, p, rng):
    sampler = _radial(logistic_recipe(rng, n, p) | {"family": _family("binomial")})
    assert sampler.single is not None
    Z = np.vstack([starts(rng, p, 2000), 3.0 * starts(rng, p, 500)])
    low, high = sampler.log_ratio_bounds(Z)
    f = sampler.log_ratio(Z)
    assert np.all((low <= f) & (f <= high))
    near = np.linalg.norm(Z, axis=1) < 1.5 * np.sqrt(p)
    assert np.max((high - low)[near]) < 0.02  # narrow enough to decide most candidates


def test_single_precision_and_upper_bounds_change_no_draw(rng):
    case = logistic_recipe(rng, 600, 9) | {"family": _family("binomial")}
    case["X"][:, 1:] *= np.exp(rng.standard_normal((600, 1)))  # leverage, so that the squeeze leaves much open
    sampler = _radial(case)
    assert sampler.single is not None and sampler.squeeze.cubics.size
    plain = replace(sampler, single=None, squeeze=sampler.squeeze._replace(cubics=np.empty(0)))
    for seed in range(5):
        Z, accepted, left = sampler.candidates(sampler.streams(seed), 4000)
        Z0, accepted0, left0 = plain.candidates(plain.streams(seed), 4000)
        np.testing.assert_array_equal(Z, Z0)
        np.testing.assert_array_equal(accepted, accepted0)
        assert left < left0


def _family(name):
    from glmbayes import families

    return families.get(name)


def test_tall_first_stage(rng):
    """-r^2/2 + T/6 + sum B+ <= -K inside the edge, and f is below it."""
    sampler = _radial(logistic_recipe(rng, 20_000, 6) | {"family": _family("binomial")})
    tall = TallSampler.build(sampler)
    best = climb(lambda Z: sampler.log_ratio(Z) - log_bound(tall.table, Z), starts(rng, 6), rng)
    assert best.max() <= TOLERANCE
    p = 6
    T, pairs = sampler.shape.squeeze.third, np.triu_indices(p)
    S = rng.standard_normal((200, p))
    S /= np.linalg.norm(S, axis=1)[:, None]
    multiple = np.where(pairs[0] == pairs[1], 1.0, 2.0)
    cube = np.einsum("ca,ca->c", (S[:, pairs[0]] * S[:, pairs[1]] * multiple) @ T, S)
    tau = S @ sampler.shape.cubic.axis
    radii = np.linspace(0.1, tall.checks.edge, 20)
    for s, c, t in zip(S, cube, tau):
        K = tall_heights(sampler.shape, tall.checks.total_up, radii, np.array([t, t + 1e-12]))[0][0]
        first = -0.5 * radii**2 + c * radii**3 / 6 + tall.checks.total_up * radii**4
        assert np.max(first + K) <= TOLERANCE
        assert np.max(sampler.log_ratio(radii[:, None] * s) - first) <= TOLERANCE


@pytest.mark.parametrize("fault", ["cubic", "quartic", "rate"])
def test_a_curvature_bound_that_is_too_good_is_caught(fault, rng):
    """Planted fault: bounds at half their size break dominance, and the guard stops the draws."""
    sampler = _radial(logistic_recipe(rng, 60, 6) | {"family": _family("binomial")})
    shape = sampler.shape
    cubic = replace(shape.cubic, alpha=0.2 * shape.cubic.alpha, rest=0.2 * shape.cubic.rest, whole=np.inf)
    quartic = replace(shape.quartic, values=np.zeros_like(shape.quartic.values))
    broken = {
        "cubic": replace(shape, cubic=cubic),
        "quartic": replace(shape, cubic=replace(cubic, whole=0.0), quartic=quartic),
        "rate": replace(shape, rate=0.02 * shape.rate),
    }[fault]
    wrong = RadialSampler.build(sampler.white, broken)
    best = climb(lambda Z: wrong.log_ratio(Z) - log_bound(wrong.table, Z), starts(rng, 6), rng)
    assert best.max() > 1e-3
    with pytest.raises(SamplerError, match="log acceptance"):
        for seed in range(200):
            wrong.candidates(wrong.streams(seed), 4096)


def test_hopeless_calls_are_refused():
    sampler = _radial(CASES["cloglog separated"])
    with pytest.raises(SamplerError, match="candidates each"):
        choose(sampler.white, sampler.shape, "auto", 10**9)
