"""Run the Python code blocks of Markdown files: ``python tools/run_code_blocks.py README.md docs/*.md``.

The blocks of one file run in order, as one program, in a temporary folder.  Its line numbers are those of the file.
No block can be left out: every fence names its language, and Python is spelt ``python`` with nothing behind it.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

FENCE = re.compile(r" *(?P<marks>`{3,}|~{3,}) *(?P<info>[^`]*?) *")


def python_lines(text):
    """The file's Python with every other line left blank; ValueError for a fence that hides code from this tool."""
    lines, marks, info = [], None, ""
    for number, line in enumerate(text.splitlines(), 1):
        fence = FENCE.fullmatch(line)
        keep = ""
        if marks is None and fence:
            marks, info, indent = fence["marks"], fence["info"], len(line) - len(line.lstrip())
            if not info:
                raise ValueError(f"line {number}: name the language of this block ('text' for output)")
            if info != "python" and "py" in info.lower():
                raise ValueError(f"line {number}: a Python block says 'python' and nothing else; this says {info!r}")
        elif fence and fence["marks"].startswith(marks) and not fence["info"]:
            marks = None
        elif marks and info == "python":
            keep = line[min(indent, len(line) - len(line.lstrip())) :]
        lines.append(keep)
    if marks:
        raise ValueError("the last block is not closed")
    return lines


def run(path):
    """Run the blocks of one file; return what went wrong, or None."""
    try:
        lines = python_lines(path.read_text(encoding="utf-8"))
    except ValueError as error:
        return str(error)
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / f"{path.stem}.py"
        program.write_text("\n".join(lines) + "\n", encoding="utf-8")
        ran = subprocess.run(
            [sys.executable, str(program)], cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
    return None if ran.returncode == 0 else ran.stdout + ran.stderr


def main(files):
    """Run every file and print a line for each; return the number of files that failed."""
    failed = 0
    for file in files:
        trouble = run(Path(file))
        failed += trouble is not None
        print(f"{file}: " + ("ok" if trouble is None else f"FAILED\n{trouble}"), flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(min(main(sys.argv[1:]), 1))
