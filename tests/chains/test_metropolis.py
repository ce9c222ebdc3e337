"""metropolis: seed-sized problems with known answers, adaptation, misuse."""

import numba
import numpy as np
import pytest

from glmbayes import InputError, metropolis
from glmbayes.chains.diagnostics import ess_bulk, mcse_mean

Y = np.array([28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0])
S = np.array([15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0])
COV = np.array([[22.3232882, 0.1935228], [0.1935228, 0.5352576]])


def schools(x, y, s):
    """Eight Schools, flat in (mu, tau): log posterior of (mu, log tau)."""
    v = np.exp(2.0 * x[1]) + s * s
    return np.sum(-0.5 * np.log(v) - 0.5 * (x[0] - y) ** 2 / v) + x[1]


def quadrature():
    """Means and sds of (mu, log tau) by a fine grid."""
    mu, log_tau = np.linspace(-60, 80, 401), np.linspace(-12, 6, 901)
    v = np.exp(2.0 * log_tau)[:, None] + S**2
    d = -0.5 * np.log(v).sum(axis=1)[:, None] - 0.5 * ((mu[None, :, None] - Y) ** 2 / v[:, None]).sum(axis=2)
    w = np.exp(d + log_tau[:, None] - (d + log_tau[:, None]).max())
    w /= w.sum()
    means = np.array([(w * mu).sum(), (w.sum(axis=1) * log_tau).sum()])
    squares = np.array([(w * mu**2).sum(), (w.sum(axis=1) * log_tau**2).sum()])
    return means, np.sqrt(squares - means**2)


def assert_close(chains, means, sds):
    """Within 4.5 Monte Carlo standard errors (from the effective sample size), means and second moments."""
    x = chains.draws["x"]
    assert (np.abs(x.mean(axis=(0, 1)) - means) < 4.5 * mcse_mean(x)).all()
    squared = (x - means) ** 2
    assert (np.abs(squared.mean(axis=(0, 1)) - sds**2) < 4.5 * mcse_mean(squared)).all()
    assert (ess_bulk(x) > 400).all()


def test_the_eight_schools_walk(rng):
    """Seed 003's walk: acceptance 0.3288 was printed for scale 2 (Albert's rwmetrop)."""
    chains = metropolis(numba.njit(schools), [7.93, 1.84], COV, 2.0, draws=60_000, burn_in=500, rng=rng, args=(Y, S))
    assert 0.25 < chains.acceptance.mean() < 0.40
    assert_close(chains, *quadrature())


def test_a_wrong_jacobian_is_noticed(rng):
    def wrong(x, y, s):
        return schools(x, y, s) + 0.1 * x[1]

    chains = metropolis(wrong, [7.93, 1.84], COV, 2.0, draws=15_000, burn_in=100, rng=rng, args=(Y, S))
    with pytest.raises(AssertionError):
        assert_close(chains, *quadrature())


def test_python_and_compiled_walks_are_the_same(rng):
    options = {"draws": 200, "burn_in": 10, "thin": 2, "chains": 2, "rng": int(rng.integers(1 << 30)), "args": (Y, S)}
    plain = metropolis(schools, [7.9, 1.8], COV, **options)
    fast = metropolis(numba.njit(schools), [7.9, 1.8], COV, **options)
    assert np.allclose(plain["x"], fast["x"], rtol=1e-9)
    assert np.array_equal(plain.acceptance, fast.acceptance)


def test_adaptation_finds_shape_and_scale(rng):
    @numba.njit
    def log_density(x):
        return -0.5 * ((x[0] / 1000.0) ** 2 + (x[1] / 0.01) ** 2 + x[2] ** 2)

    chains = metropolis(
        log_density, np.zeros(3), np.eye(3), draws=20_000, burn_in=5000, adapt=True, rng=rng, names=["a", "b", "c"]
    )
    assert chains.names == ("a", "b", "c")
    assert (np.abs(chains.acceptance - 0.3) < 0.15).all()
    table = chains.summary()
    assert (table.ess_bulk > 1000).all() and (table.r_hat < 1.02).all()
    assert np.allclose(table["sd"], [1000.0, 0.01, 1.0], rtol=0.15)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"proposal_cov": np.eye(3)}, r"must be \(2, 2\)"),
        ({"proposal_cov": -np.eye(2)}, "positive definite"),
        ({"scale": 0.0}, "scale must be greater than 0"),
        ({"adapt": True}, "burn_in of at least 100"),
        ({"names": ["a"]}, "one entry per coordinate"),
        ({"log_density": lambda x: -np.inf}, "finite at init"),
    ],
)
def test_misuse_is_explained(change, message):
    options = {"log_density": lambda x: -0.5 * (x @ x), "init": [0.0, 0.0], "proposal_cov": np.eye(2), **change}
    with pytest.raises(InputError, match=message):
        metropolis(**options, draws=10)


def test_nan_from_the_density_is_a_refused_step(rng):
    chains = metropolis(lambda x: np.log(x[0]) if x[0] > 0 else np.nan, [1.0], [[1.0]], draws=50, rng=rng)
    assert (chains["x"] > 0).all()
