"""Random arguments for the public functions: mostly meaningful, often extreme, sometimes nonsense.

Arrays are drawn by NumPy from a seed that hypothesis chooses, so that a case stays small enough to be drawn quickly.
"""

import math
from typing import NamedTuple

import numpy as np
import pandas as pd
from hypothesis import strategies as st

SCALES = (*(1.0,) * 20, 1e-3, 1e3, 1e-8, 1e8, 1e-30, 1e30, 1e-150, 1e150, 1e-300, 1e300)
NONSENSE = (
    None, "1", "", True, False, [], [1.0, 2.0], {}, 1 + 1j, 10**400, math.nan, math.inf, -math.inf, object(),
    np.array([]), np.array([1.0, 2.0]), np.array([["a"]]), np.datetime64("2024-01-01"), b"1", {"a": 1.0}, repr,
)  # fmt: skip
EDGE = (0.0, -1.0, 1e-300, 5e-324, 1e-12, 1e12, 1e308, -0.5, np.float32(0.5), np.int64(2), np.array([2.0]), [1.5])


class Recipe(NamedTuple):
    """A value of a public class, built within the call that is tested: its constructor may refuse."""

    kind: str
    arguments: tuple

    def __repr__(self):
        return f"{self.kind}({', '.join(f'{name}={value!r}' for name, value in self.arguments)})"


def often(usual, odd, weight=6):
    """A strategy: `usual`, once in `weight` times `odd`."""
    return chances(1.0 / weight).flatmap(lambda hit: odd if hit else usual)


def chances(share):
    """True with that probability; hypothesis' fondness of bounds is hashed away."""
    return st.integers(0, 2**32 - 1).map(lambda k: (k * 2654435761 + 2**31) % 2**32 < share * 2**32)


def numbers(low=0.1, high=10.0):
    """A number within the limits, an edge of what a double can be, or no number at all."""
    return often(st.floats(low, high), often(st.sampled_from(EDGE), st.sampled_from(NONSENSE), 2), 12)


def counts():
    """How many draws."""
    odd = (0, -1, 2.5, 3.0, np.int8(3), np.uint64(2), *NONSENSE)
    return often(st.sampled_from((1, 1, 2, 7, 9, 30, 300)), st.sampled_from(odd), 20)


def streams():
    """What `rng=` may be."""
    return often(st.integers(0, 2**32), st.sampled_from((None, -1, 1.5, *NONSENSE[:6])), 20)


def _vector(rng, n, pattern):
    return {
        "normal": lambda: rng.standard_normal(n),
        "constant": lambda: np.full(n, float(rng.integers(-2, 3))),
        "counts": lambda: rng.poisson(3.0, n).astype(float),
        "binary": lambda: rng.integers(0, 2, n).astype(float),
        "fractions": lambda: rng.random(n),
        "positive": lambda: rng.exponential(1.0, n),
        "heavy": lambda: rng.standard_cauchy(n),
        "outlier": lambda: np.where(np.arange(n) == 0, 1e10, rng.standard_normal(n)),
        "increasing": lambda: np.arange(n, dtype=float),
    }[pattern]()


PATTERNS = ("normal", "constant", "counts", "binary", "fractions", "positive", "heavy", "outlier", "increasing")
DISGUISES = {
    "list": lambda a: a.tolist(),
    "float32": lambda a: a.astype("f4"),
    "Fortran": np.asfortranarray,
    "strided": lambda a: np.repeat(a, 2, axis=0)[::2],
    "read-only": lambda a: np.frombuffer(a.tobytes()).reshape(a.shape),
    "object": lambda a: a.astype(object),
    "pandas": lambda a: pd.DataFrame(a) if a.ndim == 2 else pd.Series(a),
    "big endian": lambda a: a.astype(">f8"),
    "masked": lambda a: np.ma.masked_invalid(a),
}
DAMAGES = {
    "nan": lambda a: _with(a, math.nan),
    "infinite": lambda a: _with(a, math.inf),
    "none": lambda a: _with(a.astype(object), None),
    "text": lambda a: a.astype(str),
    "complex": lambda a: a + 1j,
    "dates": lambda a: np.zeros(a.shape, "M8[D]"),
    "shorter": lambda a: a[:-1],
    "empty": lambda a: a[:0],
    "one more dimension": lambda a: a[..., None, None],
    "transposed": lambda a: a.T,
    "ragged": lambda a: [[1.0], [1.0, 2.0]],
    "doubled": lambda a: np.concatenate([a, a]),
}


def _with(array, value):
    if array.size:
        array = array.copy()
        array.reshape(-1)[array.size // 2] = value
    return array


@st.composite
def disguised(draw, array):
    """The array as some other container or, now and then, spoilt."""
    with np.errstate(all="ignore"):
        if draw(chances(0.04)):
            return draw(st.sampled_from(sorted(DAMAGES)).map(lambda name: DAMAGES[name](array)))
        if draw(chances(0.2)):
            return draw(st.sampled_from(sorted(DISGUISES)).map(lambda name: DISGUISES[name](array)))
    return draw(st.sampled_from(NONSENSE)) if draw(chances(0.01)) else array


@st.composite
def vectors(draw, n, patterns=PATTERNS, scales=SCALES):
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    array = _vector(rng, n, draw(st.sampled_from(patterns)))
    scale = draw(st.sampled_from(scales))
    with np.errstate(all="ignore"):
        return draw(disguised(array * scale if scale != 1.0 else array))


@st.composite
def designs(draw, n, p):
    """(n, p) matrices: an intercept or none, any pattern by column, at times collinear or in wild units."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    patterns = [draw(st.sampled_from(PATTERNS)) if draw(st.booleans()) else "normal" for _ in range(p)]
    x = np.column_stack([_vector(rng, n, pattern) for pattern in patterns])
    if draw(st.booleans()):
        x[:, 0] = 1.0
    kind = int(rng.integers(0, 20))
    if kind == 0:
        x[:, -1] = x[:, 0]
    elif kind == 1:
        x = x * rng.choice(SCALES, p)
    elif kind == 2:
        x = x + 1e8
    with np.errstate(all="ignore"):
        return draw(disguised(x))


@st.composite
def covariances(draw, p):
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    kind = int(rng.integers(0, 40))
    if kind <= 9:
        matrix = np.eye(p)
    else:
        root = rng.standard_normal((p, p + 1))
        matrix = root @ root.T
    scale = draw(st.sampled_from(SCALES))
    with np.errstate(all="ignore"):
        if kind in (10, 11):  # flat, or not a covariance
            matrix = np.where(np.eye(p) > 0, np.where(rng.random(p) < 0.5, math.inf, matrix), 0.0)
        elif kind == 12:
            matrix = matrix - 2.0 * np.eye(p)
        elif kind == 13 and p > 1:
            matrix[:, 0] = matrix[0] = 1e-12 * matrix[0]
        elif scale != 1.0:
            matrix = matrix * scale
        return float(matrix[0, 0]) if p == 1 and draw(st.booleans()) else draw(disguised(matrix))


@st.composite
def recipes(draw, kind, **arguments):
    """A `Recipe` of that kind; None among its arguments' strategies leaves one out."""
    return Recipe(kind, tuple((name, draw(value)) for name, value in arguments.items() if value is not None))


def sd_priors():
    return st.one_of(
        recipes("dHalfNormal", scale=numbers()),
        recipes("dHalfCauchy", scale=numbers()),
        recipes("dHalfT", df=numbers(), scale=numbers()),
        recipes("dExponential", rate=numbers()),
        recipes("dUniform", upper=numbers()),
        recipes("dFlat"),
    )


def limits():
    return often(st.none(), numbers(0.01, 100.0), 4)


@st.composite
def priors(draw, p, blocks=None):
    """A prior on p coefficients; with `blocks`, at times one that varies by block."""
    kind = draw(st.integers(0, 5))
    varies = blocks is not None and draw(st.booleans())
    mu = draw(vectors(p * blocks if varies else p, ("normal", "constant")))
    if varies and type(mu) is np.ndarray and mu.size == p * blocks:
        mu = mu.reshape(blocks, p)
    mean, Sigma = st.just(mu), covariances(p)
    if kind == 0:
        dispersion = vectors(blocks, ("positive",)) if blocks is not None and draw(st.booleans()) else numbers()
        return draw(recipes("dNormal", mu=mean, Sigma=Sigma, dispersion=dispersion))
    if kind == 1:
        return draw(recipes("dNormal_Gamma", mu=mean, Sigma_0=Sigma, shape=numbers(), rate=numbers()))
    if kind == 2:
        shape, rate = numbers(-0.5), numbers(0.0)
        return draw(recipes("dGamma", shape=shape, rate=rate, beta=mean, disp_lower=limits(), disp_upper=limits()))
    if kind == 3:
        return draw(recipes("dIndependent_Normal", mu=mean, Sigma=Sigma, sd=sd_priors()))
    if kind == 4:
        return draw(
            recipes("dIndependent_Normal_Gamma", mu=mean, Sigma=Sigma, shape=numbers(), rate=numbers(),
                    disp_lower=limits(), disp_upper=limits())
        )  # fmt: skip
    return draw(
        often(recipes("dIndependent_Normal_Gamma", mu=mean, Sigma=Sigma, shape=numbers(), rate=numbers()),
              st.sampled_from(NONSENSE), 20)
    )  # fmt: skip


SUITED = (
    ("binomial", "binary"), ("binomial", "fractions"), ("poisson", "counts"), ("gamma", "positive"),
    ("quasibinomial", "fractions"), ("quasipoisson", "counts"), ("gaussian", "normal"),
    *((Recipe("families.binomial", (("link", link),)), "binary") for link in ("probit", "cloglog")),
)  # fmt: skip
ODD_FAMILIES = ("Gamma", "poisson(identity)", "binomial(log)", "normal", "binomial(", *NONSENSE)


def families():
    """A family, and the kind of response that suits it (or, now and then, does not)."""
    odd = st.tuples(st.sampled_from((*ODD_FAMILIES, *(family for family, _ in SUITED))), st.sampled_from(PATTERNS))
    return often(st.sampled_from(SUITED), odd, 8)


@st.composite
def tables(draw, pattern=None):
    """A response y, numbers x, z, o, text g, h, booleans b, integers k, positive w, se, and u in wild units."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    n = int(rng.choice((*(12, 20, 30, 60) * 4, 5, 3, 2, 1, 0)))
    levels = int(rng.choice((3, 2, 4, 3, 2, 4, 1, max(n, 1))))
    pattern = pattern or str(rng.choice((*("normal", "counts", "binary", "fractions", "positive") * 2, *PATTERNS)))
    table = {
        "y": _vector(rng, n, pattern),
        "x": rng.standard_normal(n),
        "z": _vector(rng, n, draw(st.sampled_from(PATTERNS))),
        "g": np.array([f"g{i}" for i in rng.integers(0, levels, n)], dtype=object),
        "h": np.array([f"h{i % 2}" for i in range(n)], dtype=object),
        "b": rng.random(n) < 0.5,
        "k": rng.integers(0, 5, n),
        "w": rng.integers(1, 4, n).astype(float),
        "o": rng.standard_normal(n),
        "se": 0.5 + rng.random(n),
        "u": rng.standard_normal(n) * draw(st.sampled_from(SCALES)),
    }
    for _ in range(int(rng.choice((0, 0, 0, 0, 0, 0, 1, 1, 2)))):
        name = draw(st.sampled_from(sorted(table)))
        if isinstance(table[name], np.ndarray) and table[name].dtype.kind == "f":
            with np.errstate(all="ignore"):
                table[name] = draw(st.sampled_from(sorted(DAMAGES)).map(lambda d, v=table[name]: DAMAGES[d](v)))
        elif n:
            table[name] = np.array([None, *list(table[name])[1:]], dtype=object)
    kind = int(rng.integers(0, 30))
    if kind == 29:
        return draw(st.sampled_from((None, *NONSENSE)))
    if kind >= 5:
        try:
            return pd.DataFrame(table).astype({"g": "category"} if kind == 5 else {})
        except (ValueError, TypeError):
            return table
    return table


TERMS = (
    "x", "x", "x", "z", "g", "h", "b", "k", "u", "x:z", "x:g", "g:h", "x*g", "z*h", "g*h", "I(x**2)", "log(w)",
    "poly(x, 2)", "scale(z)", "offset(o)", "C(k)", "exp(x)", "sqrt(w)", "np.log(w)", "bs(x, 4)", "(x + z)^2",
)  # fmt: skip
ODD_TERMS = ("missing", "y", "0", "-1", "1", "log(x)", "I(1/b)", "x +", "(x", ".", "1 | g", "x ~ z", "", "g - g", "se")


@st.composite
def formulas(draw, groups=False):
    left = draw(often(st.just("y"), st.sampled_from(("log(w)", "b", "g", "k", "", "y + x", "cbind(k, w)", "missing"))))
    terms = draw(st.lists(often(st.sampled_from(TERMS), st.sampled_from(ODD_TERMS), 12), min_size=0, max_size=3))
    if groups:
        usual = st.sampled_from(("(1 | g)", "(1 | g)", "(x | g)", "(0 + x | g)", "(1 | g) + (1 | h)", "(x || g)"))
        odd = st.sampled_from(("(1 | missing)", "(1 | x)", "(1 | g:h)", "(1 | g", "(z | g) + (1 | g)", "(1 | y)"))
        terms = [*terms, draw(often(usual, odd, 8))]
    text = f"{left} ~ {' + '.join(terms) or '1'}"
    return draw(often(st.just(text), st.sampled_from(NONSENSE), 40))
