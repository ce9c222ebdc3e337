"""Faults by random calls: each call returns sound results or raises one of the library's own errors.

A fault is anything else: another exception, a warning, a NaN, an infinite draw, a wrong shape, a crash of the
interpreter, a call that does not come back.  Calls are made in processes of their own, some hundred in each.
``python -m trust.fuzz CASES`` makes that many and prints the faults; ``python -m trust.fuzz FILE`` repeats one of them.
"""

import argparse
import os
import pickle
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings

import glmbayes
from trust.fuzz_calls import ARGUMENTS, CALLS, CASES

ROOT = Path(__file__).resolve().parents[1]
CHUNK = 250  # calls of one process
PATIENCE = 600.0  # seconds without a word from a process
SLOW = 60.0  # CPU seconds of one call, compiling included: told, not a fault (one draw in 100,000 candidates, say)


@dataclass
class Findings:
    """What came of some calls: how many of each function were sound and were refused, faults and slow calls.

    A fault is (function, what happened, pickled arguments), a slow call likewise.
    """

    sound: Counter = field(default_factory=Counter)
    refused: Counter = field(default_factory=Counter)
    faults: list = field(default_factory=list)
    slow: list = field(default_factory=list)

    @property
    def calls(self):
        return self.sound.total() + self.refused.total() + len(self.faults)

    def add(self, other):
        self.sound += other.sound
        self.refused += other.refused
        self.faults += other.faults
        self.slow += other.slow


def examine(name, arguments, findings):
    """Make one call and add what came of it."""
    start = time.process_time()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            CALLS[name](**arguments)
    except glmbayes.GlmbayesError:
        findings.refused[name] += 1
    except Exception as error:  # noqa: BLE001 (whatever it is, it is what we look for)
        frames = [f for f in traceback.extract_tb(error.__traceback__) if "glmbayes" in Path(f.filename).parts]
        where = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
        findings.faults.append((name, f"{type(error).__name__}{where}: {str(error)[:300]}", _pickled(arguments)))
    else:
        findings.sound[name] += 1
    spent = time.process_time() - start
    if spent > SLOW:
        findings.slow.append((name, f"{spent:.0f} s", _pickled(arguments)))


def _pickled(arguments):
    return pickle.dumps(arguments)


def _drawn(number):
    """Nine cases.

    Hypothesis gets ten examples at a time: from the eleventh on it would mostly vary earlier ones.  The first of each
    ten is always the simplest, and left out.
    """
    cases = []

    @seed(number)
    @settings(max_examples=10, phases=[Phase.generate], database=None, deadline=None,
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(CASES)
    def draw(case):
        cases.append(case)

    draw()
    return cases[1:]


def explore(cases, number, note=lambda *_: None):
    """Make `cases` calls drawn with seed `number` in this process; `note` is told of each before it is made."""
    findings, bunch = Findings(), 0
    while findings.calls < cases:
        for name, arguments in _drawn(1_000_000 * number + bunch)[: cases - findings.calls]:
            note(name, arguments)
            examine(name, arguments, findings)
        bunch += 1
    return findings


def _chunk(cases, number, folder):
    """`explore` in a process of its own; a crash and a call without end are faults of the call noted last."""
    out, last = folder / f"{number}.pickle", folder / f"{number}.last"
    program = f"from trust.fuzz import record; record({cases}, {number}, {str(out)!r}, {str(last)!r})"
    words = folder / f"{number}.words"
    with words.open("w") as file:
        process = subprocess.Popen([sys.executable, "-X", "faulthandler", "-c", program], stderr=file, cwd=ROOT)
    what, age = "", time.monotonic()
    while process.poll() is None:
        time.sleep(0.1)
        if (last.exists() and time.time() - last.stat().st_mtime > PATIENCE) or time.monotonic() - age > 20 * PATIENCE:
            process.kill()
            what = f"no end within {PATIENCE:.0f} s"
    if process.returncode == 0:
        return pickle.loads(out.read_bytes())
    name, arguments = pickle.loads(last.read_bytes()) if last.exists() else ("import", b"")
    return Findings(
        faults=[(name, what or f"crash, exit status {process.returncode}: {words.read_text()[-400:]}", arguments)]
    )


def record(cases, number, out, last):
    """What a process of `_chunk` does."""

    def note(name, arguments):
        Path(last).write_bytes(pickle.dumps((name, _pickled(arguments))))

    Path(out).write_bytes(pickle.dumps(explore(cases, number, note)))


def explore_all(cases, jobs=1):
    """About `cases` calls in several processes."""
    findings = Findings()
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(jobs) as pool:
        chunks = [(min(CHUNK, cases - start), number) for number, start in enumerate(range(0, cases, CHUNK))]
        for found in pool.map(lambda chunk: _chunk(*chunk, Path(folder)), chunks):
            findings.add(found)
    return findings


def run(level, jobs):
    """The section of the trust report."""
    import pandas as pd

    from trust.record import Section

    findings = explore_all(level.fuzz_cases, jobs)
    section = Section(
        "Random calls",
        "Arguments drawn at random: meaningful, extreme (1e-300 to 1e300), of every container and type, with missing "
        "values, wrong shapes, nonsense. Each call returns finite results of the right shape or raises one of the "
        "library's own errors: no other exception, no warning, no NaN, no crash, no call without end.",
    )
    if findings.slow:
        told = ", ".join(f"{name} {seconds}" for name, seconds, _ in findings.slow)
        section.text += f" Calls of more than {SLOW:.0f} s of CPU time: {told}."
    section.checks = findings.calls
    section.failures = [f"{name}: {what}" for name, what, _ in findings.faults]
    rows = [
        {"function": name, "sound results": findings.sound[name], "clear errors": findings.refused[name],
         "faults": sum(fault[0] == name for fault in findings.faults)}
        for name in ARGUMENTS
    ]  # fmt: skip
    section.tables.append(("Random calls of the public functions", pd.DataFrame(rows)))
    return section


def main():
    parser = argparse.ArgumentParser(prog="python -m trust.fuzz", description=__doc__)
    parser.add_argument("what", help="number of calls, or the file of a fault to repeat")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--out", default="faults", help="folder for the arguments of calls that were faults")
    given_ = parser.parse_args()
    if not given_.what.isdigit():
        name, _, arguments = pickle.loads(Path(given_.what).read_bytes())
        arguments = pickle.loads(arguments)
        print(name, arguments)
        CALLS[name](**arguments)
        return 0
    findings = explore_all(int(given_.what), given_.jobs)
    print("sound results:", dict(findings.sound), "\nclear errors:", dict(findings.refused))
    for i, fault in enumerate(findings.faults + findings.slow):
        Path(given_.out).mkdir(exist_ok=True)
        path = Path(given_.out) / f"{i}.pickle"
        path.write_bytes(pickle.dumps(fault))
        print(f"{path} {fault[0]}: {fault[1]}")
    print(f"{findings.calls} calls, {len(findings.faults)} faults")
    return 1 if findings.faults else 0


if __name__ == "__main__":
    sys.exit(main())
