"""The floors of the library: who may import whom, what a plain import loads, and the length of a file."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import glmbayes

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "glmbayes"

# From the ground up.  A module imports its own floor and those below it; the package itself stands on top.
FLOORS = (
    ("errors", "kernels"),
    ("checks", "random", "families"),
    ("rows", "posteriors", "design", "glm", "glm_response"),
    ("priors",),
    ("rlmb", "rlmb_blocks", "grouped", "rglmb", "rglmb_blocks", "prior_setup", "datasets"),
    ("fits", "calls"),
    ("chains",),
    ("mixed",),
    ("lmb", "glmb"),
    ("lmerb", "glmerb"),
)
FLOOR = {name: height for height, names in enumerate(FLOORS) for name in names}

# What these floors may import besides their own; kernels are for users' compiled loops and stand alone.
ONLY = {
    "kernels": {"collections", "contextlib", "functools", "hashlib", "math", "pathlib", "signal", "threading", "typing"}
    | {"llvmlite", "numba", "numpy"},
    "families": sys.stdlib_module_names | {"numba", "numpy", "scipy", "glmbayes.errors", "glmbayes.kernels"},
    "posteriors": sys.stdlib_module_names | {"numba", "numpy", "scipy", "glmbayes"},
    "priors": sys.stdlib_module_names | {"numba", "numpy", "scipy", "glmbayes"},
}
SLOW_TO_IMPORT = ("arviz", "matplotlib", "pandas", "patsy", "scipy.stats", "tqdm")
LINES = 400


def imports(tree):
    """The dotted names of everything that a file imports, inside its functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.module == "glmbayes":
                yield from (f"glmbayes.{alias.name}" for alias in node.names)
            else:
                yield "." * node.level + (node.module or "")


def declared():
    """The packages that pyproject.toml lets a user have: the dependencies and the arviz extra."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = [*project["dependencies"], *project["optional-dependencies"]["arviz"]]
    parts = {"arviz_stats", "llvmlite"}  # of ArviZ since its version 1, and of numba
    return {line.split(">")[0] for line in lines} | parts


def breaches(package):
    """Every import below `package` that the floors forbid, in words."""
    known = sys.stdlib_module_names | declared() | {"glmbayes"}
    found = []
    for path in sorted(package.rglob("*.py")):
        place = path.relative_to(package)
        home = place.parts[0].removesuffix(".py")
        if home == "__init__":
            continue
        if home not in FLOOR:
            found.append(f"{place}: give {home} a floor")
            continue
        for name in imports(ast.parse(path.read_text(encoding="utf-8"))):
            top, _, rest = name.partition(".")
            target = rest.partition(".")[0]
            if top not in known:
                found.append(f"{place} imports {name}: not a declared dependency, or relative")
            elif top == "glmbayes" and FLOOR.get(target, len(FLOORS)) > FLOOR[home]:
                found.append(f"{place} imports {name}: upward")
            elif home in ONLY and target != home and not ONLY[home] & {top, f"{top}.{target}"}:
                found.append(f"{place} imports {name}: not for {home}")
    return found


def test_imports_go_downward_only():
    assert breaches(PACKAGE) == []


def test_no_file_is_too_long():
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in PACKAGE.rglob("*.py")}
    assert {str(path.relative_to(PACKAGE)): n for path, n in lengths.items() if n > LINES} == {}


@pytest.mark.parametrize(
    ("file", "line", "complaint"),
    [
        ("kernels/deep.py", "import scipy", "not for kernels"),
        ("kernels/deep.py", "from glmbayes.errors import InputError", "not for kernels"),
        ("kernels/deep.py", "def f():\n    from glmbayes import rlmb", "upward"),
        ("families/cauchy.py", "import pandas as pd", "not for families"),
        ("families/cauchy.py", "from glmbayes.checks import scalar", "not for families"),
        ("priors/new.py", "from glmbayes.rlmb import Draws", "upward"),
        ("rlmb.py", "import glmbayes.lmb", "upward"),
        ("rlmb.py", "import glmbayes", "upward"),
        ("rlmb.py", "from .errors import InputError", "not a declared dependency"),
        ("lmb.py", "import torch", "not a declared dependency"),
        ("helpers.py", "", "give helpers a floor"),
    ],
)
def test_a_breach_is_found(tmp_path, file, line, complaint):
    path = tmp_path / file
    path.parent.mkdir(exist_ok=True)
    path.write_text(line + "\n")
    (found,) = breaches(tmp_path)
    assert complaint in found


def test_import_leaves_slow_packages_alone():
    program = f"import sys, glmbayes; print(*sorted(set({SLOW_TO_IMPORT}) & set(sys.modules)))"
    ran = subprocess.run([sys.executable, "-W", "error", "-c", program], check=True, capture_output=True, text=True)
    assert ran.stdout.split() == []


def test_every_public_name_is_there():
    for name in glmbayes.__all__:
        assert getattr(glmbayes, name) is not None
    assert dir(glmbayes) == sorted(glmbayes.__all__)
    with pytest.raises(AttributeError, match="no attribute 'rlmbb'"):
        glmbayes.rlmbb  # noqa: B018
