"""Ctrl-C, threads, forks, pickles, memory and compiled code on disk: the tests of these, run again and listed."""

import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd

from trust.record import Section

ROOT = Path(__file__).resolve().parents[1]
FILES = {
    "tests/proof/test_interrupts.py": "Ctrl-C at random times",
    "tests/chains/test_gibbs.py": "chains in threads, interrupted and resumed",
    "tests/proof/test_processes.py": "threads, forks, pickles, memory limits",
    "tests/test_jit.py": "cache folders: empty, shared by two processes, read-only",
}


def outcomes(file):
    """Test name -> "" when it passed, else how it ended."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        pytest = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}", file]
        subprocess.run(pytest, cwd=ROOT, capture_output=True)
        cases = ElementTree.parse(report).iter("testcase")
        return {case.get("name"): " ".join(end.tag for end in case) for case in cases}


def run(level, jobs):
    section = Section(
        "Processes and interruptions",
        "A call that is interrupted stops soon, and the next one gives what it always gave. Threads and forked "
        "processes do not disturb each other's draws. What is pickled in one process works in another. Too little "
        "memory is an error like any other. Compiled code survives folders that cannot be written, and two processes "
        "that compile at once.",
    )
    if level.name == "small":
        section.text += " (Left to the test suite at this level.)"
        return section
    rows = []
    for file, what in FILES.items():
        ended = outcomes(file)
        for name, failure in ended.items():
            section.check(not failure, f"{file}::{name}: {failure}")
        rows.append({"what": what, "checks": len(ended), "failed": sum(map(bool, ended.values()))})
    section.tables.append(("Processes and interruptions", pd.DataFrame(rows)))
    return section
