"""Forks, threads, pickles from process to process, and memory that does not suffice."""

import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import glmbayes as g

X = np.column_stack([np.ones(30), np.linspace(-1.0, 1.0, 30)])
Y = X @ [1.0, 2.0] + np.sin(7.0 * np.arange(30))
DATA = {"y": Y, "x": X[:, 1], "k": np.arange(30) % 2, "g": [f"g{i % 5}" for i in range(30)]}
PRIOR = g.dIndependent_Normal_Gamma([0.0, 0.0], np.eye(2), 1.0, 1.0)


def draw(seed):
    """One of everything that draws, as one vector."""
    rng = np.random.default_rng(seed)
    parts = [
        g.rlmb(50, Y, X, PRIOR, rng=rng).coefficients,
        g.rlmb(1, Y, X, g.dNormal([0.0, 0.0], np.eye(2), 1.0), rng=rng).coefficients,
        g.rlmb_blocks(3, Y, X, PRIOR, sizes=[10, 20], rng=rng).dispersion,
        g.rglmb(50, DATA["k"], X, "binomial", g.dNormal([0.0, 0.0], np.eye(2)), rng=rng).coefficients,
        g.lmb("y ~ x", DATA, n=20, rng=rng).draws.coefficients,
        PRIOR.sample(5, rng).dispersion,
    ]
    return np.concatenate([np.ravel(part) for part in parts])


def test_threads_do_not_disturb_each_other():
    alone = [draw(seed) for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(draw, list(range(4)) * 3))
    for k, drawn in enumerate(together):
        assert np.array_equal(drawn, alone[k % 4])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_process_draws_its_own():
    """The child's draws with a seed are the parent's; without one neither repeats the other."""
    free = g.rlmb(3, Y, X, PRIOR).coefficients
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.write(writing, pickle.dumps((draw(5), g.rlmb(3, Y, X, PRIOR).coefficients)))
            status = 0
        finally:
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        seeded, own = pickle.loads(pipe.read())
    assert os.waitpid(child, 0)[1] == 0
    assert np.array_equal(seeded, draw(5))
    following = g.rlmb(3, Y, X, PRIOR).coefficients
    assert not np.array_equal(own, following)
    assert not np.array_equal(own, free)


RECEIVER = """
import pickle, sys
values = pickle.load(open(sys.argv[1], "rb"))
pickle.dump([(repr(value), facts(value)) for value in values], open(sys.argv[2], "wb"))
"""
FACTS = '''
import numpy as np


def facts(value):
    """What a value can still do: its moments and a prediction for new rows, or a sample, without its own process."""
    if hasattr(value, "predict"):
        new = value.predict({"x": [0.5], "g": ["g1"]})
        return value.posterior_mean.tolist(), np.asarray(new["mean"] if hasattr(new, "columns") else new).tolist()
    if hasattr(value, "sample"):
        return [part.tolist() for part in value.sample(3, 1)]
    return None
'''


def test_pickles_from_process_to_process(tmp_path):
    exec(FACTS, globals())
    values = [
        PRIOR,
        g.lmb("y ~ x + g", DATA, n=20, rng=1),
        g.glmb("k ~ scale(x)", DATA, "binomial", n=20, rng=1),
        g.lmerb("y ~ poly(x, 2) + (1 | g)", DATA, n=20, chains=2, burn_in=5, rng=1),
        g.Prior_Setup("y ~ x", DATA),
        g.gibbs(lambda rng, state: {"v": rng.standard_normal()}, {"v": 0.0}, draws=10, rng=1),
    ]
    sent, received = tmp_path / "sent", tmp_path / "received"
    sent.write_bytes(pickle.dumps(values))
    subprocess.run([sys.executable, "-c", FACTS + RECEIVER, sent, received], check=True)
    for value, (text, fact) in zip(values, pickle.loads(received.read_bytes())):
        assert text == repr(value)
        mine = facts(value)  # noqa: F821 (made by exec, the same text in both processes)
        if mine is not None:
            np.testing.assert_allclose(np.concatenate([np.ravel(part) for part in fact]),
                                       np.concatenate([np.ravel(part) for part in mine]), rtol=1e-12)  # fmt: skip


SHORT_OF_MEMORY = """
import resource
import numpy as np
import glmbayes as g
x = np.column_stack([np.ones(50), np.arange(50.0)])
prior = g.dIndependent_Normal_Gamma([0.0, 0.0], np.eye(2), 1.0, 1.0)
calls = {
    "rlmb": lambda n: g.rlmb(n, x[:, 1], x, prior, rng=1).coefficients,
    "rlmb_blocks": lambda n: g.rlmb_blocks(n, x[:, 1], x, prior, sizes=[20, 30], rng=1).coefficients,
    "rglmb": lambda n: g.rglmb(n, x[:, 1] % 2, x, "binomial", g.dNormal([0.0, 0.0], np.eye(2)), rng=1).coefficients,
    "sample": lambda n: prior.sample(n, 1).coefficients,
}
before = {name: call(20) for name, call in calls.items()}
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 2**29, used + 2**29))
for name, call in calls.items():
    for n in (200_000_000, 10**12):
        try:
            call(n)
        except (MemoryError, g.SamplerError):  # the latter for a draw that would take days
            pass
        else:
            raise AssertionError(name)
    assert np.array_equal(call(20), before[name]), name
print("fine")
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits of memory are Linux's here")
def test_too_little_memory_is_an_error_like_any_other():
    ran = subprocess.run([sys.executable, "-c", SHORT_OF_MEMORY], capture_output=True, text=True)
    assert ran.stdout == "fine\n", ran.stderr
