"""Chains taking turns, in threads and without."""

import threading
import time

import numpy as np
import pytest

from glmbayes import metropolis
from glmbayes.chains import run
from glmbayes.chains.run import run_chains


@pytest.fixture(params=[True, False], ids=["threads", "one thread"])
def threads(request):
    return request.param


def test_every_job_runs_to_its_end_once(threads):
    done = [0] * 7

    def job(c):
        for _ in range(50 * c):  # the first one ends at once
            done[c] += 1
            yield 1

    assert not run_chains(map(job, range(7)), 0, threads, False)
    assert done == [50 * c for c in range(7)]


@pytest.mark.parametrize("jobs", [2, 9])
def test_ctrl_c_finds_all_jobs_equally_far(threads, jobs, monkeypatch):
    done, main = [0] * jobs, threading.main_thread()

    def press(*args, **kwargs):
        while min(done) < 10:
            time.sleep(0.001)
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "wait", press)

    def job(c):
        while True:
            time.sleep(0.001)
            done[c] += 1
            if threading.current_thread() is main and sum(done) == 10 * jobs:
                raise KeyboardInterrupt
            yield 1

    assert run_chains(map(job, range(jobs)), 0, threads, False)
    assert min(done) >= 9 and max(done) < 1.5 * min(done) + 5


def test_an_error_stops_the_other_jobs(threads):
    def job(c):
        for i in range(1000):
            time.sleep(0.001)
            if c == 1 and i == 5:
                raise ValueError("from the second")
            yield 1

    start = time.monotonic()
    with pytest.raises(ValueError, match="from the second"):
        run_chains(map(job, range(3)), 0, threads, False)
    assert time.monotonic() - start < 0.9


def test_interrupted_metropolis_counts_what_it_kept():
    calls = []

    def log_density(x):
        calls.append(0)
        if len(calls) > 20_000:
            raise KeyboardInterrupt
        return -0.5 * float(x @ x)

    with pytest.warns(UserWarning, match="interrupted"):
        chains = metropolis(log_density, np.zeros(1), [[1.0]], draws=100_000, burn_in=500, chains=3, rng=1)
    assert chains.interrupted and 0 < chains["x"].shape[0] // 3 < 20_000
    assert (chains.acceptance > 0.2).all() and (chains.acceptance < 0.9).all()
