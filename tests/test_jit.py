"""The compiled code on disk: reused, never stale, bounds-checked on request, and never in the way.

Each test runs a miniature library, the real decorator and two kernels of which one inlines the other, in processes of
its own, so that it can edit the sources.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from glmbayes.kernels.jit import jit

JIT = Path(__file__).resolve().parents[1] / "src" / "glmbayes" / "kernels" / "jit.py"

LOW = """
from glmbayes.kernels.jit import jit

@jit
def step(x):
    return x + 1
"""
HIGH = """
from glmbayes.kernels.jit import jit
from glmbayes.kernels.low import step

@jit
def twice(x):
    return 2 * step(x)

@jit
def read(x, i):
    return x[i]
"""
TWICE = "from glmbayes.kernels.high import twice; print(twice(3), sum(twice.stats.cache_hits.values()))"
# a view, so that the memory behind its end exists
READ = """
import numpy as np
from glmbayes.kernels.high import read
print(read(np.arange(8.0)[:4], 6), sum(read.stats.cache_hits.values()))
"""
# permissions of files hold for root too once CAP_DAC_OVERRIDE (1) is dropped from what the next program may get
HEED_PERMISSIONS = """
import ctypes, os, sys
PR_CAPBSET_DROP = 24
if os.getuid() == 0:
    ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, 1, 0, 0, 0)
os.execv(sys.executable, [sys.executable, "-c", sys.argv[1]])
"""
# Ctrl-C when LLVM hands over machine code: numba loses that code, and what raises there is ignored
IMPATIENT = """
import os, signal
from numba.core.codegen import JITCodeLibrary

taken = JITCodeLibrary._object_compiled_hook.__func__

def press(cls, module, code):
    os.kill(os.getpid(), signal.SIGINT)
    taken(cls, module, code)

JITCodeLibrary._object_compiled_hook = classmethod(press)
signal.signal(signal.SIGINT, signal.default_int_handler)  # processes in the background ignore it from the start
from glmbayes.kernels.high import twice

for _ in range(2):
    try:
        print(twice(3))
    except BaseException as error:
        print(type(error).__name__)
"""
NUMBA_ALONE = "import numba\n\njit = numba.njit(cache=True)\n"  # the planted fault: no digest in the stamp


class Library:
    """A miniature glmbayes below `folder`, its cache, and processes that import it."""

    def __init__(self, folder):
        self.folder = folder
        self.kernels = folder / "glmbayes" / "kernels"
        self.cache = folder / "cache"
        self.kernels.mkdir(parents=True)
        for file, text in {"../__init__": "", "__init__": "", "low": LOW, "high": HIGH}.items():
            (self.kernels / f"{file}.py").write_text(text)
        shutil.copy(JIT, self.kernels)

    def start(self, program, *, root_may_write=True, **env):
        unset = {"NUMBA_BOUNDSCHECK", "NUMBA_DISABLE_JIT", "NUMBA_CACHE_DIR"}
        env = {"NUMBA_CACHE_DIR": str(self.cache), "PYTHONPATH": str(self.folder), **env}
        return subprocess.Popen(
            [sys.executable, "-c", *([] if root_may_write else [HEED_PERMISSIONS]), program],
            env={name: value for name, value in os.environ.items() if name not in unset} | env,
            cwd=self.folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, program, **how):
        return finish(self.start(program, **how))


def finish(process):
    """The words that a process printed; its error output is this test's failure."""
    out, err = process.communicate()
    assert process.returncode == 0, err
    return out.split()


@pytest.fixture
def library(tmp_path):
    return Library(tmp_path)


def test_the_next_process_loads_what_the_first_compiled(library):
    assert library.run(TWICE) == ["8", "0"]
    assert library.run(TWICE) == ["8", "1"]


@pytest.mark.parametrize("decorator", ["ours", "numba alone"])
def test_an_edited_kernel_is_compiled_again_where_it_was_inlined(library, decorator):
    if decorator == "numba alone":
        (library.kernels / "jit.py").write_text(NUMBA_ALONE)
    assert library.run(TWICE) == ["8", "0"]
    (library.kernels / "low.py").write_text(LOW.replace("x + 1", "x + 10"))
    assert library.run(TWICE) == (["26", "0"] if decorator == "ours" else ["8", "1"])


@pytest.mark.parametrize("decorator", ["ours", "numba alone"])
def test_a_read_out_of_bounds_is_caught_with_a_cache_of_unchecked_code(library, decorator):
    if decorator == "numba alone":
        (library.kernels / "jit.py").write_text(NUMBA_ALONE)
    assert library.run(READ) == ["6.0", "0"]
    checked = library.start(READ, NUMBA_BOUNDSCHECK="1")
    out, err = checked.communicate()
    if decorator == "ours":
        assert checked.returncode != 0
        assert "IndexError: index is out of bounds" in err
    else:
        assert out.split() == ["6.0", "1"]


@pytest.mark.parametrize("decorator", ["ours", "numba alone"])
def test_ctrl_c_while_compiling(library, decorator):
    if decorator == "numba alone":
        (library.kernels / "jit.py").write_text(NUMBA_ALONE)
    assert library.run(IMPATIENT) == (["KeyboardInterrupt", "8"] if decorator == "ours" else ["RuntimeError"] * 2)


def test_without_the_compiler(library):
    program = "from glmbayes.kernels.high import twice; print(twice(3), type(twice).__name__)"
    assert library.run(program, NUMBA_DISABLE_JIT="1") == ["8", "function"]


@pytest.mark.parametrize("obstacle", ["no permission", "a file in the way"])
def test_no_writable_cache_folder(library, obstacle):
    """numba looks at NUMBA_CACHE_DIR, then beside the source, then in the user's cache folder."""
    home = library.folder / "home"
    folders = [library.cache, library.kernels / "__pycache__", home]
    for folder in folders:
        if obstacle == "no permission":
            folder.mkdir()
            folder.chmod(0o555)
        else:
            folder.touch()
    env = {"HOME": str(home), "XDG_CACHE_HOME": str(home), "root_may_write": False}
    probe = f"import os; print(*[os.path.isdir(f) and os.access(f, os.W_OK) for f in {[*map(str, folders)]}])"
    assert library.run(probe, **env) == ["False"] * 3
    assert library.run(TWICE, **env) == ["8", "0"]
    assert library.run(TWICE, **env) == ["8", "0"]


@jit
def third(x):
    return x[2]


@pytest.mark.every_mode
def test_this_pass_has_the_mode_that_the_environment_asks_for():
    plain = os.environ.get("NUMBA_DISABLE_JIT") == "1"
    assert plain == (not hasattr(third, "py_func"))
    short = np.arange(4.0)[:2]
    if plain or os.environ.get("NUMBA_BOUNDSCHECK") == "1":
        with pytest.raises(IndexError):
            third(short)
    else:
        assert third(short) == 2.0


def test_two_processes_at_once_on_an_empty_cache(library):
    program = """
import sys
import numpy as np
from glmbayes.kernels.high import twice

print("ready", flush=True)
sys.stdin.readline()
for x in {inputs}:
    assert np.array_equal(twice(x), 2 * (x + 1))
print(sum(twice.stats.cache_hits.values()))
"""
    one_way, other_way = (program.format(inputs=inputs) for inputs in ("[3, np.ones(3)]", "[np.ones(3), 3]"))
    pair = [library.start(one_way), library.start(other_way)]
    assert [process.stdout.readline() for process in pair] == ["ready\n"] * 2
    for process in pair:
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in pair:
        finish(process)
    third = library.start(one_way)
    assert third.communicate("go\n")[0].split() == ["ready", "2"]
