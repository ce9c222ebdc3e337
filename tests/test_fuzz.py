"""Random calls of the public functions: a few hundred of the ten thousand that the trust report makes."""

import math
import pickle
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from trust import fuzz, fuzz_calls

import glmbayes

ROOT = Path(__file__).resolve().parents[1]
CASES = 300


def test_random_calls():
    findings = fuzz.explore_all(CASES)
    assert [fault[:2] for fault in findings.faults] == []
    assert findings.calls == CASES
    assert findings.sound.total() > CASES // 4  # not all of it nonsense
    assert findings.refused.total() > CASES // 10


PLANTED = {
    "another exception": lambda: 1 / 0,
    "a warning": lambda: warnings.warn("careful", stacklevel=1),
    "an infinite draw": lambda: fuzz_calls.sound([1.0, math.inf]),
    "a wrong shape": lambda: fuzz_calls.sound([1.0, 2.0], (3,)),
    "a NaN in a table": lambda: fuzz_calls.sound_parts({"moments": (1.0, np.array([math.nan]))}),
}


@pytest.mark.parametrize("fault", PLANTED)
def test_planted_faults_are_found(fault, monkeypatch):
    monkeypatch.setitem(fuzz.CALLS, "rlmb", lambda n: PLANTED[fault]())
    findings = fuzz.Findings()
    fuzz.examine("rlmb", {"n": 3}, findings)
    ((name, what, arguments),) = findings.faults
    assert name == "rlmb"
    assert what
    assert pickle.loads(arguments) == {"n": 3}


def test_the_librarys_own_error_is_no_fault():
    findings = fuzz.Findings()
    fuzz.examine("datasets", {"name": "missing"}, findings)
    assert (findings.faults, findings.refused["datasets"]) == ([], 1)
    with pytest.raises(glmbayes.InputError):
        fuzz.CALLS["datasets"]("missing")


CRASH = """
import os, sys
sys.path.insert(0, {root!r})
from trust import fuzz
fuzz._drawn = lambda number: [("datasets", {{"name": "cars"}})]
fuzz.CALLS["datasets"] = lambda name: os.abort()
fuzz.record(5, 0, {out!r}, {last!r})
"""


def test_a_crash_names_the_call(tmp_path, monkeypatch):
    program = CRASH.format(root=str(ROOT), out=str(tmp_path / "0.pickle"), last=str(tmp_path / "0.last"))
    start = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda command, **how: start([sys.executable, "-c", program], **how))
    findings = fuzz._chunk(5, 0, tmp_path)
    ((name, what, arguments),) = findings.faults
    assert (name, pickle.loads(arguments)) == ("datasets", {"name": "cars"})
    assert "crash, exit status -6" in what
