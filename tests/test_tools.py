"""The tools of the repository itself: the runner of documentation code and the timing tables."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def load(file):
    spec = importlib.util.spec_from_file_location(Path(file).stem, ROOT / file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


harness = load("benchmarks/harness.py")


def run_blocks(path, text):
    path.write_text(text, encoding="utf-8")
    return subprocess.run([sys.executable, ROOT / "tools" / "run_code_blocks.py", path], capture_output=True, text=True)


def test_blocks_of_a_file_are_one_program(tmp_path):
    text = """# Title
```python
x = [1,
     2]
```
1. In a list:

   ```python
   if x:
       y = sum(x)
   ```
```text
not Python (
```
~~~~python
fence = '''
~~~
'''
assert (y, fence) == (3, chr(10) + "~~~" + chr(10))
~~~~
Inline: ```x```
"""
    ran = run_blocks(tmp_path / "good.md", text)
    assert (ran.returncode, ran.stdout) == (0, f"{tmp_path / 'good.md'}: ok\n")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("ok\n\n```python\nx = 1\nassert x == 2\n```\n", "line 5"),
        ("```python\nx = 1\n```\n```python\ny = z\n```\n", "NameError: name 'z' is not defined"),
        ("```python skip\nx\n```\n", "line 1: a Python block says 'python' and nothing else; this says 'python skip'"),
        ("```py\nx\n```\n", "this says 'py'"),
        ("\n```\nx\n```\n", "line 2: name the language of this block"),
        ("```python\nx = 1\n", "not closed"),
    ],
)
def test_a_failing_or_hidden_block_is_reported(tmp_path, text, complaint):
    ran = run_blocks(tmp_path / "bad.md", text)
    assert ran.returncode == 1
    assert "bad.md: FAILED" in ran.stdout
    assert complaint in ran.stdout


def test_measurements_alternate_and_the_best_round_counts():
    now, order = [0.0], []

    def call(name, durations):
        def go():
            order.append(name)
            now[0] += next(durations)

        return go

    # warm-up, calibration, then three rounds, of which the middle one was disturbed
    ours = call("ours", iter([9.0, 1.0, 1.0, 7.0, 2.0]))
    peer = call("peer", iter([9.0, 2.0, 3.0, 8.0, 2.0]))
    assert harness.best_times([ours, peer], rounds=3, least=0.5, clock=lambda: now[0]) == [1.0, 2.0]
    assert order == ["ours"] * 2 + ["peer"] * 2 + ["ours", "peer"] * 3


def test_short_calls_are_repeated_until_they_can_be_timed():
    now, calls = [0.0], []

    def short():
        calls.append(1)
        now[0] += 1e-4

    (best,) = harness.best_times([short], rounds=2, least=0.05, clock=lambda: now[0])
    assert best == pytest.approx(1e-4)
    assert 2 * 500 < len(calls) < 4000


def test_a_table_prints_what_it_measured(capsys):
    table = harness.Table("Title", rounds=1, least=1e-4)
    table.row("slow", ours=lambda: sum(range(20_000)), peer=lambda: sum(range(2_000)), target=1e-9)
    table.row("alone", ours=lambda: None)
    table.row("floor", ours=lambda: sum(range(20_000)), floor=lambda: sum(range(2_000)))
    out = capsys.readouterr().out.splitlines()
    assert [line[:5].strip() for line in out] == ["", "Title", "", "slow", "alone", "floor"]
    assert out[3].endswith("1 ns  missed")
    _, ours, peer = table.rows[0]
    assert ours > peer > 0
    assert table.rows[2][2] is None and len(out[5].split()) == len(["floor", "1", "µs", "1", "µs"])


@pytest.mark.parametrize(
    ("seconds", "words"), [(2.0, "2 s"), (0.00123, "1.23 ms"), (7.6e-6, "7.6 µs"), (5e-8, "50 ns"), (0.0, "0 ns")]
)
def test_times_in_words(seconds, words):
    assert harness.in_words(seconds) == words
