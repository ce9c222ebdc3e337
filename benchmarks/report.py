"""``python benchmarks/report.py DIR``: all benchmarks, a process each, as the page DIR/benchmarks.md."""

import ast
import os
import platform
import subprocess
import sys
import textwrap
from pathlib import Path

HERE = Path(__file__).parent
TITLES = {
    "gibbs": "Gibbs building blocks",
    "lmb": "Linear models",
    "glm": "Generalised linear models: exact draws",
    "glm_small": "Small generalised linear models, inside loops",
    "glmb": "Generalised linear models from a formula",
    "mixed": "Hierarchical models",
    "scaling": "Growing data",
    "peers": "Other software on the same posteriors",
}
INTRODUCTION = """\
# Benchmarks

Made by `make bench-report`: every table is the output of a script in `benchmarks/`, where the code of both sides
stands. Both sides of a row are measured in alternation within one run, on one thread, in CPU time, and include their
set-up. Absolute times are those of the machine named below; ratios carry over. The floor is what no exact sampler can
do without: the random variates of the draws, for many rows one product of the design with itself.
"""


def output(script, *arguments):
    """What a benchmark prints; an error when it fails."""
    one = {f"{name}_NUM_THREADS": "1" for name in ("OPENBLAS", "OMP", "MKL", "NUMBA")}
    flags = {"XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"}
    done = subprocess.run(
        [sys.executable, HERE / f"{script}.py", *arguments],
        stdout=subprocess.PIPE, text=True, check=True, env={**os.environ, **one, **flags, "MPLBACKEND": "Agg"},
    )  # fmt: skip
    return done.stdout.strip("\n")


def docstring(script):
    """The opening words of a script, what it measures and how, without how it is run."""
    text = ast.get_docstring(ast.parse((HERE / f"{script}.py").read_text(encoding="utf-8")))
    kept = [textwrap.fill(part, 120) for part in text.split("\n\n") if f"python benchmarks/{script}.py" not in part]
    return "\n\n".join(kept)


def processor():
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())


def main(folder):
    folder = Path(folder)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    commit = subprocess.run(
        ["git", "-C", HERE, "rev-parse", "--short=10", "HEAD"], capture_output=True, text=True
    ).stdout
    lines = [INTRODUCTION, f"Commit {commit.strip() or 'unknown'}; {processor()}; Python {platform.python_version()}."]
    for script, title in TITLES.items():
        print(f"== {script}", flush=True)
        arguments = [folder / "images" / "scaling.png"] if script == "scaling" else []
        printed = output(script, *arguments)
        print(printed, flush=True)
        lines += ["", f"## {title}", "", docstring(script), ""]
        lines += ["```text", printed, "```"]
        if arguments:
            lines += ["", "![Time per draw against rows and coefficients, memory against rows](images/scaling.png)"]
    (folder / "benchmarks.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
