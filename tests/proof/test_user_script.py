"""Kernels in a user's own compiled function: a script in a new process, twice, and Ctrl-C in a long draw."""

import signal
import subprocess
import sys
import time

SCRIPT = """
import numpy as np
from numba import njit
from glmbayes import kernels


@njit(cache=True)
def sampler(rng, y, x, sweeps):
    p = x.shape[1]
    mu, Sigma, phi = np.zeros(p), 4.0 * np.eye(p), 1.0
    out = np.empty((sweeps, p + 1))
    for i in range(sweeps):
        beta = kernels.draw_normal(rng, y, x, mu, Sigma, phi)
        phi = kernels.draw_dispersion(rng, y, x, beta, 2.0, 1.0)
        out[i, :p] = beta
        out[i, p] = phi
    return out


@njit(cache=True)
def exact(rng, y, x, draws):
    p = x.shape[1]
    out = np.empty((draws, p + 1))
    for i in range(draws):
        beta, phi = kernels.draw_independent_normal_gamma(rng, y, x, np.zeros(p), 4.0 * np.eye(p), 2.0, 1.0)
        out[i, :p] = beta
        out[i, p] = phi
    return out


rng = np.random.default_rng(1)
x = np.column_stack((np.ones(12), np.arange(12.0)))
y = 1.0 + 0.3 * x[:, 1] + rng.standard_normal(12)
a, b = sampler(rng, y, x, 40_000), exact(rng, y, x, 40_000)
error = np.sqrt(a.reshape(40, 1000, 3).mean(axis=1).var(axis=0, ddof=1) / 40 + b.var(axis=0) / 40_000)
z = (a.mean(axis=0) - b.mean(axis=0)) / error
assert (np.abs(z) < 4.5).all(), z
print(repr(b[:3].tolist()))
"""

ENDLESS = """
import numpy as np, glmbayes as g
x = np.column_stack((np.ones(50), np.arange(50.0)))
prior = g.dIndependent_Normal_Gamma(np.zeros(2), np.eye(2), 1.0, 1.0)
g.rlmb(10, x[:, 1], x, prior)
print("ready", flush=True)
try:
    while True:
        g.rlmb(50_000_000, x[:, 1], x, prior)
except KeyboardInterrupt:
    print(g.rlmb(10, x[:, 1], x, prior).coefficients.shape, flush=True)
"""


def test_kernels_in_a_users_script(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(SCRIPT)
    runs = [subprocess.run([sys.executable, path], capture_output=True, text=True) for _ in range(2)]
    assert [run.returncode for run in runs] == [0, 0], runs[0].stderr + runs[1].stderr
    assert runs[0].stdout == runs[1].stdout


def test_ctrl_c_in_a_long_draw():
    process = subprocess.Popen([sys.executable, "-c", ENDLESS], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    start = time.monotonic()
    out, _ = process.communicate(timeout=60)
    assert out == "(10, 2)\n"
    assert time.monotonic() - start < 10.0  # a second on an idle machine
