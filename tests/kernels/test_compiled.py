"""Compiled and plain kernels agree, users' own functions can call them, and no layout of input compiles them again."""

import inspect
import subprocess
import sys

import numba
import numpy as np
import pytest

from glmbayes import GroupedDesign, dHalfCauchy, dWishart, families, kernels
from tests.kernels.problems import problem

EMPTY = np.empty(0)
COMPILED = hasattr(kernels.draw_normal, "py_func")
ONE, TWO = np.ones(1), np.eye(2)


def _log_density():
    return kernels.LogDensity(4.0, 2.0, 0.1, 0.2, 1.0, 3.0, np.array([0.5, 8.0]), np.array([1.0, 0.3]), -np.inf, np.inf)


def _envelope():
    envelope = kernels.new_envelope()
    kernels.build_envelope(_log_density(), envelope)
    return envelope


def _mixed(with_x=True):
    rng = np.random.default_rng(3)
    group = np.repeat(np.arange(4), [1, 2, 5, 4])
    z = np.column_stack([np.ones(12), rng.standard_normal(12)])
    x = np.column_stack([z, rng.standard_normal(12)]) if with_x else None
    design = GroupedDesign.of(rng.standard_normal(12), x, z, group)
    p = 3 if with_x else 2
    prior = design.prior(np.zeros(p), np.eye(p), dWishart(5, np.eye(2)), 3.0, 1.5)
    return design.data, prior, kernels.MixedState(np.zeros(p), np.zeros((4, 2)), 1.0, np.eye(2))


q = problem(np.random.default_rng(2), 9, 2)
STARTS = np.array([0, 4, 9])
POISSON, COUNTS = families.poisson().kernel, np.array([3.0, 1, 4, 1, 5, 9, 2, 6, 5])
CASES = {
    "build_envelope": lambda rng: (_log_density(), kernels.new_envelope()),
    "draw_dispersion": lambda rng: (rng, q.y, q.x, q.mu, 2.0, 1.5),
    "draw_gamma": lambda rng: (rng, 0.3),
    "draw_gamma_dispersion": lambda rng: (rng, COUNTS + 0.5, np.full(9, 2.0), np.linspace(0.5, 2.0, 9), 2.0, 1.5),
    "draw_glm": lambda rng: (rng, POISSON, COUNTS, q.x, np.zeros(9), np.ones(9), q.mu, q.low),
    "draw_glm_1d": lambda rng: (rng, POISSON, COUNTS, np.ones(9), EMPTY, EMPTY, 0.2, 1.5),
    "draw_glm_blocks": lambda rng: (
        rng, POISSON, COUNTS, q.x, np.zeros(9), np.ones(9), STARTS, q.mu[None], q.low[None],
        np.zeros((2, 3, 2)), np.zeros((2, 3), np.int64), np.zeros((2, 2)),
    ),
    "draw_glm_blocks_1d": lambda rng: (
        rng, POISSON, COUNTS, np.ones(9), EMPTY, EMPTY, STARTS, np.zeros(2), np.ones(2),
        np.zeros((2, 3)), np.zeros((2, 3), np.int64), np.zeros(2),
    ),
    "draw_huang_wand": lambda rng: (rng, 2.0, np.array([2.0, 0.5]), 8.0, 3.0 * TWO, np.ones(2), np.zeros((2, 2))),
    "draw_independent_normal_gamma": lambda rng: (rng, q.y, q.x, q.mu, q.Sigma, 2.0, 1.5),
    "draw_inverse_wishart": lambda rng: (rng, 5.0, 2.0 * TWO, np.zeros((2, 2))),
    "draw_log_precisions": lambda rng: (
        _log_density(), _envelope(), rng.random(60), np.zeros(5), np.zeros(5, np.int64), 0
    ),
    "draw_normal": lambda rng: (rng, q.y, q.x, q.mu, q.Sigma, 0.7),
    "draw_normal_gamma": lambda rng: (rng, q.y, q.x, q.mu, q.Sigma, 2.0, 1.5),
    "draw_normal_means": lambda rng: (rng, q.y, np.linspace(0.5, 2.0, 9), 0.3, 1.6, np.zeros(9)),
    "draw_precision": lambda rng: (rng, 8.0, 12.0, np.array(dHalfCauchy(2.0).terms), np.inf),
    "draw_truncated_gamma": lambda rng: (rng, -0.5, 2.0, 0.3),
    "draw_wishart": lambda rng: (rng, 5.0, 2.0 * TWO, np.zeros((2, 2))),
    "mixed_joint_sweep": lambda rng: (rng, *_mixed()),
    "mixed_sweep": lambda rng: (rng, *_mixed()),
    "new_envelope": lambda rng: (),
    "normal_blocks": lambda rng: (
        q.y, q.x, EMPTY, EMPTY, STARTS, q.mu[None], q.low[None], ONE, rng.standard_normal((2, 3, 2)), np.zeros((2, 2))
    ),
    "random_coefficients_sweep": lambda rng: (rng, *_mixed(with_x=False)),
    "reduce_groups": lambda rng: (
        q.y, q.x, q.x[:, :1].copy(), STARTS, np.zeros((2, 1, 1)), np.zeros((2, 1, 2)), np.zeros((2, 1)),
        np.zeros((3, 3)),
    ),
    "reduce_rows": lambda rng: (q.y, q.x, EMPTY, np.linspace(0.0, 2.0, 9), np.zeros((3, 3))),
    "row_errors": lambda rng: (q.y, q.x, EMPTY, np.linspace(0.0, 2.0, 9), q.mu),
    "squared_errors": lambda rng: (q.triangle, q.mu),
}  # fmt: skip


def numbers(value):
    """All numbers in nested tuples of arrays and scalars, as one vector."""
    if value is None or isinstance(value, np.random.Generator):
        return EMPTY
    if isinstance(value, (tuple, list)):
        return np.concatenate([EMPTY, *map(numbers, value)])
    return np.ravel(np.asarray(value, dtype=float))


def outcome(kernel, name):
    """Numbers that a kernel returns and leaves in its arguments, and the stream's next one."""
    rng = np.random.default_rng(7)
    arguments = CASES[name](rng)
    result = kernel(*arguments)
    if name == "new_envelope":  # not filled
        found = numbers([array.shape for array in result])
    elif name == "build_envelope":  # filled as far as it is in use
        env, n = arguments[1], arguments[1].count[0]
        found = numbers((result, env.knot[1:n], env.slope[:n], env.mass[: n + 1]))
    elif name == "draw_log_precisions":
        found = numbers((result, *arguments[3:5]))
    else:
        found = numbers((result, arguments))
    return found, rng.random()


def agree(a, b):
    np.testing.assert_allclose(a[0], b[0], rtol=1e-11, atol=1e-14)
    assert a[1] == b[1]  # as many variates used


def test_every_public_kernel_has_a_case():
    public = [name for name in kernels.__all__ if not inspect.isclass(getattr(kernels, name))]
    assert sorted(CASES) == public


@pytest.mark.skipif(not COMPILED, reason="without the compiler there is one version")
@pytest.mark.parametrize("name", CASES)
def test_plain_python_gives_the_same_numbers(name):
    kernel = getattr(kernels, name)
    first = outcome(kernel, name)
    assert not np.isnan(first[0]).any()
    agree(outcome(kernel.py_func, name), first)


def calling(kernel):
    @numba.njit
    def mine(*arguments):
        return kernel(*arguments)

    return mine


@pytest.mark.skipif(not COMPILED, reason="compiles")
@pytest.mark.parametrize("name", CASES)
def test_a_users_function_can_call_it(name):
    kernel = getattr(kernels, name)
    agree(outcome(calling(kernel), name), outcome(kernel, name))


# In a process of its own: which argument types Python's calls hand to the kernels.
RECORD = """
import collections

import numba
import numpy as np
import pandas as pd
from numba.core.dispatcher import Dispatcher

asked = collections.defaultdict(set)
compile_for = Dispatcher._compile_for_args


def recorded(self, *arguments, **named):
    types = [str(numba.typeof(value)) for value in arguments]
    families = ("Binomial", "Poisson")
    key = self.py_func.__qualname__, *(name for name in types if name.startswith(families))
    asked[key].add(tuple(types))
    return compile_for(self, *arguments, **named)


Dispatcher._compile_for_args = recorded

import glmbayes as g

rng = np.random.default_rng(1)
"""
CALLS = """
FORMS = {
    "float64": lambda a: a,
    "float32": lambda a: a.astype("f4"),
    "integer": lambda a: a.astype(int),
    "bytes": lambda a: a.astype("u1"),
    "big endian": lambda a: a.astype(">f8"),
    "Fortran": np.asfortranarray,
    "strided": lambda a: np.repeat(a, 2, axis=0)[::2],
    "strided columns": lambda a: np.repeat(a, 2, axis=-1)[..., ::2],
    "read-only": lambda a: np.frombuffer(a.tobytes()).reshape(a.shape),
    "unaligned": lambda a: np.frombuffer(b"0" + a.tobytes(), offset=1).reshape(a.shape),
    "list": lambda a: a.tolist(),
    "pandas": lambda a: pd.DataFrame(a) if a.ndim == 2 else pd.Series(a),
}
NUMBERS = (float, int, np.float32, np.int8, lambda v: np.array([v]), lambda v: [v])
y = np.array([3.0, 1, 4, 1, 5, 9, 2, 6, 5, 3])
x = np.column_stack([np.ones(10), np.arange(10.0), np.arange(10.0) % 3])
ones, eye, mu = np.ones(10), np.eye(3), np.ones(3)
for form in FORMS.values():
    for number in NUMBERS:
        one, m, Sigma = number(1), form(mu), form(eye)
        for prior in (
            g.dNormal(m, Sigma, one),
            g.dNormal_Gamma(m, Sigma, one, one),
            g.dGamma(one, one, m),
            g.dGamma(one, one, m, disp_lower=one),
            g.dIndependent_Normal_Gamma(m, Sigma, one, one, disp_upper=one),
            g.dIndependent_Normal(m, Sigma, sd=g.dHalfCauchy(one)),
            g.dIndependent_Normal(m, Sigma, sd=g.dFlat()),
        ):
            for n in (1, 12):
                g.rlmb(n, form(y), form(x), prior, rng=rng)
                g.rlmb(n, form(y), form(x), prior, weights=form(ones), offset=form(ones), rng=rng)
                g.rlmb_blocks(n, form(y), form(x), prior, sizes=[4, 6], rng=rng)
                g.rlmb_blocks(n, form(y), form(x), prior, block=[1, 2] * 5, weights=form(ones), rng=rng)
            prior.sample(2, rng) if "dFlat" not in repr(prior) and type(prior) is not g.dGamma else None
    prior = g.dNormal(form(mu), form(eye))
    for family, response in (("binomial", y % 2), ("poisson", y)):
        for n in (1, 12):
            g.rglmb(n, form(response), form(x), family, prior, weights=form(ones), rng=rng)
            g.rglmb(n, form(response), form(x), family, prior, offset=form(ones), rng=rng)
        g.rglmb_blocks(1, form(response), form(x), family, prior, sizes=[4, 6], rng=rng)
    frame = {"y": form(y), "a": form(x[:, 1]), "b": form(x[:, 2])}
    g.lmb("y ~ a + b", frame, n=20, rng=rng).summary()
    g.glmb("y ~ a + b", frame, "poisson", n=20, rng=rng).summary()
assert len(asked) > 20, list(asked)
"""
FAULT = """
g.kernels.squared_errors(np.eye(4), np.ones(3))
g.kernels.squared_errors(np.asfortranarray(np.eye(4)), np.ones(3))
"""
REPORT = """
for key, types in asked.items():
    if len(types) > 1:
        print(*key, *sorted(types), sep="\\n  ")
"""


def process(program):
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


needs_compiler = pytest.mark.skipif(not COMPILED, reason="nothing is compiled")


@needs_compiler
def test_no_form_of_input_compiles_a_kernel_again():
    assert process(RECORD + CALLS + REPORT) == ""


@needs_compiler
def test_a_kernel_that_gets_an_array_as_it_came_is_noticed():
    assert "squared_errors" in process(RECORD + FAULT + REPORT)
