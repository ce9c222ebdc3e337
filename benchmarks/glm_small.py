"""Small generalised linear models beside a plain NumPy version of the same grid envelope with the same checks."""

import itertools

import numpy as np
from harness import Table, normals
from numba import njit
from scipy import special

from glmbayes import dNormal, families
from glmbayes.kernels.gamma_dispersion import gamma_dispersion_draws, gamma_half_deviance, group_weights
from glmbayes.kernels.glm_one import draw_glm_1d
from glmbayes.kernels.glm_small import draw_glm
from glmbayes.rglmb import rglmb
from glmbayes.rglmb_blocks import rglmb_blocks

rng = np.random.default_rng(1)

# -- the peer: the grid of tangents, vectorised over rows and candidates --------------------------------------

LOGIT = (
    lambda eta, y: y * eta - np.logaddexp(0.0, eta),
    lambda eta, y: y - special.expit(eta),
    lambda eta, y: special.expit(eta) * special.expit(-eta),
)
POISSON = (lambda eta, y: y * eta - np.exp(eta), lambda eta, y: y - np.exp(eta), lambda eta, y: np.exp(eta))


def numpy_grid(n, y, x, terms, mu, Sigma, weights):
    """n exact draws by 3^p tangents: mode, standardised coordinates, cells, truncated normals by inversion."""
    y, x, w = np.asarray(y, float), np.asarray(x, float), np.asarray(weights, float)
    mu, Sigma = np.asarray(mu, float), np.asarray(Sigma, float)
    if not all(np.isfinite(a).all() for a in (y, x, w, mu, Sigma)) or (w < 0).any() or not np.allclose(Sigma, Sigma.T):
        raise ValueError("bad input")
    loglik, score, curvature = terms
    p = mu.size
    low = np.linalg.cholesky(Sigma)
    white, shift = x @ low, x @ mu
    c = np.zeros(p)
    for _ in range(100):
        eta = shift + white @ c
        step = np.linalg.solve(
            np.eye(p) + white.T @ (white * (w * curvature(eta, y))[:, None]), white.T @ (w * score(eta, y)) - c
        )
        c = c + step
        if np.abs(step).max() < 1e-10:
            break
    eta = shift + white @ c
    a, rotation = np.linalg.eigh(white.T @ (white * (w * curvature(eta, y))[:, None]))
    z_x = white @ rotation
    centre = rotation.T @ c  # of the prior's mean, in the rotated coordinates
    reach = (np.sqrt(2) - np.exp(-1.20491 - 0.7321 * np.sqrt(0.5 + a))) / np.sqrt(1 + a)
    points = np.array(list(itertools.product((-1, 0, 1), repeat=p))) * reach
    eta_at = eta + points @ z_x.T
    slope = (w * score(eta_at, y)) @ z_x - centre
    value = (w * loglik(eta_at, y)).sum(axis=1) - points @ centre - np.einsum("ij,ij->i", slope, points)
    edges = np.stack([np.full(p, -np.inf), -0.5 * reach, 0.5 * reach, np.full(p, np.inf)])
    digit = np.array(list(itertools.product((0, 1, 2), repeat=p)))
    lower, upper = edges[digit, np.arange(p)] - slope, edges[digit + 1, np.arange(p)] - slope
    sign = np.where(lower > 0, -1.0, 1.0)  # work in the lower tail
    low_log = special.log_ndtr(np.where(sign > 0, lower, -upper))
    high_log = special.log_ndtr(np.where(sign > 0, upper, -lower))
    inside = high_log + np.log1p(-np.exp(low_log - high_log))
    mass = value + 0.5 * (slope**2).sum(axis=1) + inside.sum(axis=1)
    mass = np.exp(mass - mass.max())
    out, have = np.empty((n, p)), 0
    while have < n:
        m = int(1.4 * (n - have)) + 4
        cell = rng.choice(mass.size, m, p=mass / mass.sum())
        u = np.log(rng.random((m, p)))
        tail = np.logaddexp(low_log[cell], u + inside[cell])
        z = slope[cell] + sign[cell] * special.ndtri_exp(np.minimum(tail, -1e-17))
        log_f = (w * loglik(eta + z @ z_x.T, y)).sum(axis=1) - z @ centre
        z = z[np.log(rng.random(m)) < log_f - value[cell] - np.einsum("ij,ij->i", slope[cell], z)]
        k = min(n - have, len(z))
        out[have : have + k] = z[:k]
        have += k
    return mu + (low @ (c[:, None] + rotation @ out.T)).T


# -- one observation, one coefficient -------------------------------------------------------------------------

y_1, x_1, none = np.array([3.0]), np.ones((1, 1)), np.empty(0)
poisson, logit = families.poisson().kernel, families.binomial().kernel
DRAWS = 2_000


@njit
def one_loop(rng, fam, y, x, none, draws):
    total = 0.0
    for _ in range(draws):
        theta, _ = draw_glm_1d(rng, fam, y, x, none, none, 0.5, 1.0)
        total += theta
    return total


def scaled(table, name, ours, peer, target, times, p=1):
    """A row for a call that draws p coefficients `times` times, its target per time."""
    table.row(f"{name}, {times:,} of them", ours, peer, target * times, lambda: normals(rng, p * times))


table = Table("A Poisson model with one observation and one coefficient")
table.row(
    "rglmb(1, ...)",
    lambda: rglmb(1, y_1, x_1, "poisson", dNormal(0.5, 1.0), rng=rng),
    lambda: numpy_grid(1, y_1, x_1, POISSON, [0.5], [[1.0]], [1.0]),
    40e-6,
    lambda: rng.standard_normal(1),
)
scaled(
    table,
    "in the user's @njit",
    lambda: one_loop(rng, poisson, y_1, x_1[:, 0].copy(), none, DRAWS),
    lambda: [numpy_grid(1, y_1, x_1, POISSON, [0.5], [[1.0]], [1.0]) for _ in range(DRAWS)],
    1e-6,
    DRAWS,
)
J = 10_000
counts, ones, sizes = rng.poisson(2.0, J).astype(float), np.ones((J, 1)), np.ones(J, int)
blocks = dNormal(rng.normal(size=(J, 1)), np.full((J, 1, 1), 0.5))
scaled(
    table, "a block of rglmb_blocks",
    lambda: rglmb_blocks(1, counts, ones, "poisson", blocks, sizes=sizes, rng=rng), None, 1e-6, J,
)  # fmt: skip

# -- menarche ---------------------------------------------------------------------------------------------------

AGE = [9.21, 10.21, 10.58, 10.83, 11.08, 11.33, 11.58, 11.83, 12.08, 12.33, 12.58, 12.83, 13.08, 13.33, 13.58, 13.83,
       14.08, 14.33, 14.58, 14.83, 15.08, 15.33, 15.58, 15.83, 17.58]  # fmt: skip
GIRLS = [376, 200, 93, 120, 90, 88, 105, 111, 100, 93, 100, 108, 99, 106, 105, 117, 98, 97, 120, 102, 122, 111, 94, 114,
         1049]  # fmt: skip
REACHED = [0, 0, 0, 2, 2, 5, 10, 17, 16, 29, 39, 51, 47, 67, 81, 88, 79, 90, 113, 95, 117, 107, 92, 112, 1049]
girls = np.array(GIRLS, dtype=float)
share = np.array(REACHED) / girls
design = np.column_stack([np.ones(25), np.array(AGE) - 13.0])
mu, Sigma = np.zeros(2), 10.0 * np.eye(2)
zero, low = np.zeros(25), np.linalg.cholesky(Sigma)


@njit
def menarche_loop(rng, fam, y, x, zero, girls, mu, low, draws):
    total = 0.0
    for _ in range(draws):
        beta, _ = draw_glm(rng, fam, y, x, zero, girls, mu, low)
        total += beta[0]
    return total


table = Table("Menarche: 25 rows, 2 coefficients, logit")
table.row(
    "rglmb(1, ...)",
    lambda: rglmb(1, share, design, "binomial", dNormal(mu, Sigma), weights=girls, rng=rng),
    lambda: numpy_grid(1, share, design, LOGIT, mu, Sigma, girls),
    100e-6,
    lambda: rng.standard_normal(2),
)
scaled(
    table,
    "in the user's @njit",
    lambda: menarche_loop(rng, logit, share, design, zero, girls, mu, low, 200),
    lambda: [numpy_grid(1, share, design, LOGIT, mu, Sigma, girls) for _ in range(200)],
    20e-6,
    200,
    2,
)
table.row(
    "rglmb(10_000, ...)",
    lambda: rglmb(10_000, share, design, "binomial", dNormal(mu, Sigma), weights=girls, rng=rng),
    lambda: numpy_grid(10_000, share, design, LOGIT, mu, Sigma, girls),
    50e-3,
    lambda: rng.standard_normal((10_000, 2)),
)

# -- the dispersion of a Gamma regression ------------------------------------------------------------------------

response = rng.gamma(2.0, size=10_000)
means, unit = np.full(10_000, 2.0), np.ones(10_000)


def dispersion(n):
    values, frequency = np.empty(10_000), np.empty(10_000)
    k = group_weights(unit, values, frequency)
    out = np.empty(n)
    half = gamma_half_deviance(response, means, unit)
    gamma_dispersion_draws(rng, 1.0, 1.0, half, values[:k], frequency[:k], 0.0, np.inf, out)
    return out


def numpy_dispersion(n):
    """Inversion on a grid of 2,000 points in log v: not exact."""
    t = np.linspace(-1.0, 2.0, 2_000)
    v = np.exp(t)
    s = np.sum(np.log(response / means) - response / means)
    f = t - v + 10_000 * (v * t - special.gammaln(v)) + v * s
    weight = np.cumsum(np.exp(f - f.max()))
    return np.interp(rng.random(n), weight / weight[-1], t)


table = Table("Dispersion of a Gamma regression given its means, 10,000 rows")
table.row("one draw, rows summed in the call", lambda: dispersion(1), lambda: numpy_dispersion(1),
          floor=lambda: np.log(response).sum())  # fmt: skip
table.row("10,000 draws", lambda: dispersion(10_000), lambda: numpy_dispersion(10_000),
          floor=lambda: rng.standard_normal(10_000))  # fmt: skip

drawn = rglmb(20_000, share, design, "binomial", dNormal(mu, Sigma), weights=girls, rng=rng)
plain = numpy_grid(20_000, share, design, LOGIT, mu, Sigma, girls)
print(f"\nMeans {drawn.coefficients.mean(axis=0)} and, by the plain version, {plain.mean(axis=0)}")
print(f"Candidates per draw: {drawn.iters.mean():.3f}")
