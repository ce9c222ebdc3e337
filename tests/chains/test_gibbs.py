"""gibbs: Python and compiled steps, streams, threads, Ctrl-C, and what is asked of the draws."""

import pickle
import signal
import subprocess
import sys
import textwrap
import time
from typing import NamedTuple

import numba
import numpy as np
import pytest

from glmbayes import GroupedDesign, InputError, SamplerError, gibbs, kernels
from tests.oracles import assert_mean

Y = np.array([1.2, 0.3, 2.2, 1.9, 0.7])


class State(NamedTuple):
    mu: np.ndarray
    phi: float


def python_step(rng, state, y):
    mu = y.mean() + np.sqrt(state.phi / y.size) * rng.standard_normal()
    return State(np.array([mu]), 0.5 * ((y - mu) ** 2).sum() / rng.standard_gamma(0.5 * y.size))


@numba.njit
def compiled_step(rng, state, y):
    mu = y.mean() + np.sqrt(state.phi / y.size) * rng.standard_normal()
    state.mu[0] = mu
    return State(state.mu, 0.5 * ((y - mu) ** 2).sum() / rng.standard_gamma(0.5 * y.size))


START = State(np.zeros(1), 1.0)


def test_compiled_and_python_steps_draw_the_same(rng):
    options = {"draws": 50, "burn_in": 5, "thin": 2, "chains": 3, "rng": int(rng.integers(1 << 30)), "args": (Y,)}
    plain = gibbs(python_step, START, **options)
    fast = gibbs(compiled_step, START, **options)
    assert np.allclose(plain["mu"], fast["mu"], rtol=1e-10)
    assert np.allclose(plain["phi"], fast["phi"], rtol=1e-10)
    assert fast.draws["mu"].shape == (3, 50, 1)
    assert fast.draws["phi"].shape == (3, 50)


def test_chains_are_reproducible_different_and_leave_init_alone(rng):
    seed = int(rng.integers(1 << 30))
    one = gibbs(compiled_step, START, draws=100, rng=seed, args=(Y,))
    two = gibbs(compiled_step, START, draws=100, rng=seed, args=(Y,))
    assert np.array_equal(one["phi"], two["phi"])
    assert not np.array_equal(one.draws["phi"][0], one.draws["phi"][1])
    assert START.mu[0] == 0.0
    # the first chain does not depend on how many there are, nor on threads
    alone = gibbs(compiled_step, START, draws=100, chains=1, rng=seed, args=(Y,))
    assert np.array_equal(alone.draws["phi"][0], one.draws["phi"][0])


def test_posterior_moments(rng):
    chains = gibbs(compiled_step, START, draws=4000, thin=5, burn_in=50, rng=rng, args=(Y,))
    assert_mean(chains["mu"][:, 0], Y.mean())  # thinned to near independence
    table = chains.summary()
    assert list(table.index) == ["mu[0]", "phi"]
    assert (table.r_hat < 1.01).all() and (table.ess_bulk > 5000).all()
    assert np.allclose(table["mcse"], table["sd"] / np.sqrt(16000), rtol=0.5)


def test_continue_from_the_last_state(rng):
    first = gibbs(compiled_step, START, draws=10, rng=rng, args=(Y,))
    again = gibbs(compiled_step, first.last, draws=10, rng=rng, args=(Y,))
    assert again.n_draws == 10
    with pytest.raises(InputError, match="2 states but there are 4 chains"):
        gibbs(compiled_step, first.last[:2], draws=10, args=(Y,))


def test_dict_states_in_place_and_random_starts(rng):
    def step(generator, state):
        state["x"] += generator.standard_normal(2)

    chains = gibbs(step, lambda generator: {"x": generator.standard_normal(2)}, draws=20, chains=2, rng=rng)
    assert chains.draws["x"].shape == (2, 20, 2)
    assert not np.array_equal(chains.draws["x"][:, 0], chains.draws["x"][:, 1])
    assert "x[2]" in repr(chains)


@numba.njit
def mixed_step(generator, state, data, prior):
    return kernels.mixed_joint_sweep(generator, data, prior, state)


def test_hoffs_sampler_runs_compiled_in_threads(rng):
    group = np.repeat(np.arange(6), 4)
    x = np.column_stack([np.ones(24), rng.standard_normal(24)])
    design = GroupedDesign.of(rng.standard_normal(6)[group] + rng.standard_normal(24), x, x[:, :1], group)
    prior, state = design.unit_information()
    chains = gibbs(mixed_step, state, draws=500, burn_in=100, rng=rng, args=(design.data, prior))
    assert chains.names == ("beta", "effects", "sigma2", "Psi")
    assert (chains.summary(["beta", "sigma2"]).r_hat < 1.05).all()


def test_summaries_of_huge_states():
    """Powers of two change no digit, squares of 2^900 overflow."""
    small, huge = (gibbs(lambda rng, s: {"x": s["x"]}, {"x": 0.0}, draws=50, rng=1) for _ in range(2))
    small.draws["x"] = np.random.default_rng(1).standard_normal(small.draws["x"].shape)
    huge.draws["x"] = np.ldexp(small.draws["x"], 900)
    ratio = huge.summary() / small.summary()
    np.testing.assert_allclose(ratio.iloc[0, :6], np.ldexp(1.0, 900), rtol=1e-12)
    np.testing.assert_allclose(ratio.iloc[0, 6:], 1.0, rtol=1e-12)


@pytest.mark.parametrize(
    ("step", "init", "message"),
    [
        (3, {"x": 0.0}, "step must be a function"),
        (lambda rng, s: s, 1.0, "init must be a dict or a NamedTuple"),
        (lambda rng, s: s, {"x": "a"}, r"init\['x'\] must hold numbers"),
        (lambda rng, s: s, {"x": [[1.0], [1.0, 2.0]]}, r"init\['x'\] must be a number or a rectangular array"),
        (lambda rng, s: {"y": 1.0}, {"x": 0.0}, "a dict with x.*returned a dict with y"),
        (lambda rng, s: 3.0, {"x": 0.0}, "returned float"),
        (lambda rng, s: {"x": np.zeros(3)}, {"x": np.zeros(2)}, "changed the shape"),
        (compiled_step, {"x": 0.0}, "needs a NamedTuple"),
    ],
)
def test_misuse_is_explained(step, init, message):
    with pytest.raises(InputError, match=message):
        gibbs(step, init, draws=5)


def test_a_compiled_step_of_another_type_is_explained():
    @numba.njit
    def step(rng, state):
        return 3.0

    with pytest.raises(SamplerError, match="does not fit its state"):
        gibbs(step, START, draws=5)


def test_an_error_in_a_step_comes_through():
    def step(generator, state):
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        gibbs(step, {"x": 0.0}, draws=5)


def test_results_pickle_export_and_plot(rng):
    import warnings

    import matplotlib.pyplot as plt

    chains = gibbs(compiled_step, START, draws=100, rng=rng, args=(Y,), progress=True)
    again = pickle.loads(pickle.dumps(chains.draws))
    assert np.array_equal(again["phi"], chains.draws["phi"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        posterior = chains.to_arviz().posterior
    assert posterior["phi"].shape == (4, 100)
    for kind in ("trace", "density", "autocorrelation", "rank"):
        assert len(chains.plot(kind)) == 2
    with pytest.raises(InputError, match="no part named 'tau'"):
        chains.plot("trace", "tau")
    with pytest.raises(InputError, match="kind must be one of"):
        chains.plot("pairs")
    plt.close("all")


PROGRAM = """
    import sys, warnings
    from typing import NamedTuple
    import numba, numpy as np
    from glmbayes import gibbs

    class State(NamedTuple):
        x: float

    def body(rng, state):
        s = 0.0
        for _ in range(200):
            s += rng.standard_normal()
        return State(s)

    step = numba.njit(body) if sys.argv[1] == "compiled" else body
    gibbs(step, State(0.0), draws=2, rng=1)
    print("ready", flush=True)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        chains = gibbs(step, State(0.0), draws=10_000_000, chains=int(sys.argv[2]), rng=1)
    print(chains.interrupted, 0 < chains.n_draws < 10_000_000, np.isfinite(chains["x"]).all(), len(caught))
"""


@pytest.mark.parametrize("mode", [("compiled", 2), ("compiled", 9), ("python", 1), ("python", 3)])
def test_ctrl_c_returns_the_draws_so_far(tmp_path, mode):
    script = tmp_path / "run.py"
    script.write_text(textwrap.dedent(PROGRAM))
    command = [sys.executable, str(script), *map(str, mode)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline().strip() == "ready"
        time.sleep(1.0)
        process.send_signal(signal.SIGINT)
        start = time.monotonic()
        rest = process.stdout.read()
        assert process.wait(timeout=20) == 0
    assert rest.split() == ["True", "True", "True", "1"]
    assert time.monotonic() - start < 5.0
