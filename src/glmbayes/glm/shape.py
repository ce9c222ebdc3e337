"""How far a whitened log posterior is from quadratic: everything that the envelopes and squeezes are made of."""

import math
from dataclasses import dataclass

import numpy as np

from glmbayes.glm import spectra, tensors
from glmbayes.glm.envelope import Cubic, Quartic
from glmbayes.glm.whiten import Whitened
from glmbayes.kernels import glm_rows
from glmbayes.kernels.radial_envelope import Squeeze

_STEPS = ((0.0, 30), (0.1, 60), (0.4, 100))  # products of a full fourth-order bound by the loss that it may cause:
# they certify it within factors 1.5, 1.1 and 1.03
_DENSE_FROM, _DENSE_UP_TO = 8, 30  # the explicit fourth-order matrix costs n p^4 / 4, a step 2 n p^2
_FEW_STEPS_FROM, _FEWEST_STEPS_FROM, _FEWEST_STEPS = 10_000_000, 100_000_000, 20  # multiplications of a product
_EDGE = 5.0  # radius past the shell at sqrt(p) up to which intervals of the linear predictor are considered
_LOCAL_GAIN = 0.7  # bounds on the intervals replace global ones if they take the sum of w h^2 |fourth| below this
_RADII = (2.0, 1.6, 1.3, 1.1, 0.9, 0.7, 0.4)  # in units of the shell: where fourth-order bounds of their own may pay,
_SHRUNK, _QUARTIC_FROM = 0.9, 0.5  # if the rows' constants shrink below that share and p^2 times the bound is above
_TENSOR_UP_TO = 64  # coefficients: beyond, the p^4 numbers of the third-order bound do not fit
_ALL_AXES_UP_TO = 30
# Box bounds help a cubic one only in small problems far from quadratic.
_BOX_UP_TO, _BOX_FROM = 3000, 1.0


@dataclass(frozen=True)
class Shape:
    """Bounds on the derivatives of a whitened log posterior over all directions.

    Attributes
    ----------
    Q, rate : float
        See `glmbayes.kernels.radial_bounds.Curvature`.
    cubic : Cubic
    quartic : Quartic
    squeeze : Squeeze
    box_radii, box : arrays
        Curvature bound valid up to each radius; empty when not computed.
    leverage, up, down, growing : (n,) arrays
        h_i and the weighted bounds on the rows' fourth derivatives.
    """

    Q: float
    rate: float
    cubic: Cubic
    quartic: Quartic
    squeeze: Squeeze
    box_radii: np.ndarray
    box: np.ndarray
    leverage: np.ndarray
    up: np.ndarray
    down: np.ndarray
    growing: np.ndarray


def measure(white: Whitened, self_concordant, draws=10_000):
    """Bounds for a whitened posterior; `draws` decides whether the dearer ones pay.

    Randomised certificates use a generator of their own with a fixed seed: set-up is deterministic.
    """
    rng = np.random.default_rng(20_240_611)
    n, p = white.design.shape
    omega, third, leverage = (np.empty(n) for _ in range(3))
    rows = (white.kernel, white.y, white.weights, white.eta)
    glm_rows.row_terms(*rows, omega, third)
    root_h = math.sqrt(glm_rows.leverages(white.design, leverage))
    Q = 1.0 - spectra.smallest(white.prior)
    edge = math.sqrt(p) + _EDGE

    c_omega, up, down, growing = near = [np.empty(n) for _ in range(4)]
    glm_rows.interval_terms(*rows, leverage, edge, *near)
    c_far, *far = (np.empty(n) for _ in range(4))
    glm_rows.interval_terms(*rows, leverage, math.inf, c_far, *far)
    squares = np.square(leverage)
    if (up + down) @ squares > _LOCAL_GAIN * ((far[0] + far[1]) @ squares):
        up, down, growing = far  # proportional to each other in most families: one bound serves both
    cubic, T = _cubic(white.design, third, omega, leverage, rng)
    bound = _quartic_bounds(white.design, leverage, rng, draws)
    up_bound, down_bound = _bound_both(bound, up, down)
    quartic = _quartic(white, leverage, bound, [edge, math.inf], [c_omega, c_far], up, up_bound)
    squeeze = Squeeze(
        third=T,
        alpha=cubic.alpha,
        gamma=cubic.gamma,
        rest=cubic.rest,
        up=up_bound,
        down=down_bound,
        growing=bound(growing),
        root_h=root_h,
        slope=float(np.linalg.norm(white.gradient)),
        edge=edge,
        cubics=np.empty(0),
        knots=np.empty(0),
        K=np.empty((0, 0)),
        K_slope=np.empty((0, 0)),
    )
    box_radii, box = np.empty(0), np.empty(0)
    needed = math.isinf(quartic.values[-1])
    if needed or (n * p < _BOX_UP_TO and cubic.whole * p**1.5 > _BOX_FROM):
        box_radii, box = _box(white, leverage, 64 if needed else 16)
    return Shape(
        Q=Q,
        rate=root_h if self_concordant else math.inf,
        cubic=cubic,
        quartic=quartic,
        squeeze=squeeze,
        box_radii=box_radii,
        box=box,
        leverage=leverage,
        up=up,
        down=down,
        growing=growing,
    )


def _bound_both(bound, up, down):
    """Fourth-order bounds for two sets of row weights: one is enough where they are proportional."""
    if not np.any(up):
        return 0.0, bound(down)
    up_bound = bound(up)
    # squares of the tiniest weights would underflow: compared in units of a power of two each
    up_unit, down_unit = (math.frexp(np.max(a))[1] for a in (up, down))
    a, b = np.ldexp(up, -up_unit), np.ldexp(down, -down_unit)
    ratio = float(b @ a) / float(a @ a)
    if np.all(np.abs(b - ratio * a) <= 1e-12 * ratio * a):
        return up_bound, math.ldexp(ratio * (1.0 + 1e-12) * up_bound, down_unit - up_unit)
    return up_bound, bound(down)


def _largest_ratio(a, b):
    """The smallest s with a <= s b row by row."""
    if np.any((a > 0.0) & (b <= 0.0)):
        return math.inf
    return float(np.max(np.divide(a, b, out=np.zeros_like(a), where=b > 0.0)))


def _quartic(white, leverage, bound, radii, c_omega, up, up_bound):
    """c S4 of the cubic-quartic bound, from the rows' c omega within two radii, the second of which is infinite."""
    n, p = white.design.shape
    near, far = c_omega
    if not np.all(np.isfinite(far)):
        return Quartic(np.array([math.inf]), np.array([math.inf]))
    if not np.any(far):
        return Quartic(np.array([math.inf]), np.zeros(1))
    # c omega <= share * up row by row spares the largest problems a bound of their own
    share = _largest_ratio(near, up)
    whole = share * up_bound if math.isfinite(share) else math.inf
    if n * p * p < _FEWEST_STEPS_FROM or math.isinf(whole):
        whole = min(whole, bound(near))
    radii, values = list(radii), [whole, whole * max(_largest_ratio(far, near), 1.0)]
    # smaller radii, as long as the constants shrink and it matters
    squares = np.square(leverage)
    size = last = float(near @ squares)
    smaller = [np.empty(n) for _ in range(4)]
    for radius in math.sqrt(p) * np.array(_RADII):
        if p * p * whole < _QUARTIC_FROM or radius >= radii[0]:
            continue
        glm_rows.interval_terms(white.kernel, white.y, white.weights, white.eta, leverage, radius, *smaller)
        size = float(smaller[0] @ squares)
        if size > _SHRUNK * last:
            continue
        last = size
        radii.insert(0, radius)
        values.insert(0, min(bound(smaller[0]), values[0]))
    return Quartic(np.array(radii), np.array(values))


def _cubic(design, third, omega, leverage, rng):
    """The third-order form: its tensor over pairs and its bounds, with and without an axis."""
    p = design.shape[1]
    T = tensors.third_tensor(design, third)
    whole = math.inf
    if p > _TENSOR_UP_TO:
        # T(s, s, s)^2 <= sum w omega g^2 v^2 * sum w omega v^4, g = third / omega
        squares = np.divide(third * third, omega, out=np.zeros_like(third), where=omega > 0.0)
        second = np.zeros((p, p))
        glm_rows.add_gram(design, squares, second)
        whole = math.sqrt(spectra.largest(second) * tensors.quartic_light(design, omega, leverage)[0])
        return Cubic(np.zeros(p), 0.0, 0.0, whole, whole), T
    full = tensors.full_third(T, p)
    plain = Cubic(np.zeros(p), 0.0, 0.0, math.inf, math.inf)
    if p <= _ALL_AXES_UP_TO:
        whole = tensors.third_bound(full, rng)
        plain = Cubic(np.zeros(p), 0.0, 0.0, whole, whole)
    if p < 3 or not np.any(full):
        return plain, T
    best = plain
    axes = tensors.axis_candidates(full, rng)
    for b in axes if p <= _ALL_AXES_UP_TO else axes[:1]:
        alpha, gamma, rest = tensors.split_axis(full, b)
        rest_bound = tensors.third_bound(rest, rng)
        if rest_bound < best.rest:
            best = Cubic(b, alpha, gamma, rest_bound, math.inf)
    edge = float(best.over(np.array([-1.0, 1.0]))[0])
    return Cubic(best.axis, best.alpha, best.gamma, best.rest, min(whole, edge)), T


def _quartic_bounds(design, leverage, rng, draws):
    """A function that bounds max sum a v^4 for row weights a: by one pass, and by the full method where it pays."""
    n, p = design.shape
    work = n * p * p

    def bound(row_weights):
        if not np.any(row_weights):
            return 0.0
        light, C = tensors.quartic_light(design, row_weights, leverage)
        undecided = p * p * light / 24.0
        if p == 1 or undecided < 0.01 or draws * min(undecided, 1.0) * (p + 70) < 60 * p * p:
            return light
        loss = 0.25 * float(np.trace(C))
        steps = max(count for level, count in _STEPS if loss >= level)
        if work > _FEW_STEPS_FROM:
            steps = _STEPS[0][1] if work < _FEWEST_STEPS_FROM else _FEWEST_STEPS
        if p * p < _DENSE_FROM * steps and p <= _DENSE_UP_TO:
            return min(light, tensors.quartic_dense(design, row_weights, rng))
        return min(light, tensors.quartic_full(design, row_weights, C, rng, steps))

    return bound


def _box(white, leverage, count):
    """Smallest curvature in any direction up to each of a list of radii, from the rows' minima."""
    n, p = white.design.shape
    near = math.sqrt(p) + 6.0
    radii = np.concatenate([np.linspace(near / count, near, count), near * 1.3 ** np.arange(1, 12)])
    matrices = np.empty((radii.size, p, p))
    low = np.empty(n)
    for k, radius in enumerate(radii):
        glm_rows.curvature_minima(white.kernel, white.y, white.weights, white.eta, leverage, radius, low)
        matrices[k] = white.prior
        for rows in tensors.slices(n, p * p):
            glm_rows.add_gram(white.design[rows], low[rows], matrices[k])
        matrices[k] = 0.5 * (matrices[k] + matrices[k].T)
    values = np.linalg.eigvalsh(matrices)
    low = values[:, 0] - 4 * p * np.finfo(float).eps * np.maximum(np.abs(values[:, 0]), np.abs(values[:, -1]))
    return radii, np.minimum.accumulate(np.where(low < 1e-15, 0.0, low))
