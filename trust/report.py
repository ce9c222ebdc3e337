"""Sections to a Markdown page with its figures."""

import os
import platform
import re
import subprocess
import textwrap
from importlib.metadata import version
from pathlib import Path

import pandas as pd

INTRODUCTION = """\
# Trust report

What the library claims, put to the test at length, and what came out. `make trust` writes this page: `LEVEL=small` in
a minute or two, `LEVEL=medium` in minutes, `LEVEL=full` in about an hour. Every bound follows from the number of draws
(4.5 standard errors, p > 1e-4), every seed from the name of what is tested. The tests of every change do the same in
small, and plant faults to show that they would notice.
"""


def commit():
    """Short hash of the checkout; "unknown" outside one, with a plus when files differ from it."""
    git = ["git", "-C", str(Path(__file__).parent)]
    found = subprocess.run([*git, "rev-parse", "--short=10", "HEAD"], capture_output=True, text=True)
    if found.returncode:
        return "unknown"
    changed = subprocess.run([*git, "status", "--porcelain", "src"], capture_output=True, text=True).stdout
    return found.stdout.strip() + ("+" if changed else "")


def cell(value):
    """Numbers with three digits, p-values and errors in powers of ten."""
    if isinstance(value, float):
        return f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def table(frame: pd.DataFrame):
    numbers = [pd.api.types.is_numeric_dtype(frame[column]) for column in frame.columns]
    lines = ["| " + " | ".join(frame.columns) + " |", "|" + "|".join("--:" if n else ":--" for n in numbers) + "|"]
    for row in frame.to_dict("records"):
        lines.append("| " + " | ".join(cell(v) for v in row.values()) + " |")
    return "\n".join(lines)


def body(section):
    """A section as text."""
    lines = [f"## {section.title}", "", textwrap.fill(section.text, 120)]
    if section.failures:
        lines += ["", "**Failed**", "", *(f"- {failure}" for failure in section.failures)]
    for caption, frame in section.tables:
        lines += ["", f"**{caption}**", "", table(frame)]
    for file, _, caption in section.figures:
        lines += ["", f"![{caption}](images/trust/{file})"]
    return "\n".join(lines) + "\n"


def read(text):
    """Rows of the table of sections, and bodies, of a page: two dicts by title."""
    head, *bodies = re.split(r"^(?=## )", text, flags=re.MULTILINE)
    found = re.findall(r"^\| ([^|]+) \| ([\d,]+) \| ([\d,]+) \| (\S+) \|$", head, re.MULTILINE)
    rows = {
        title: {"section": title, "checks": int(checks.replace(",", "")), "failed": int(failed.replace(",", "")),
                "commit": by}
        for title, checks, failed, by in found
    }  # fmt: skip
    return rows, {text[3 : text.index("\n")]: text for text in bodies}


def page(sections, level, before=""):
    """The page as text; sections of the page `before` stay unless they are among `sections`."""
    rows, bodies = read(before)
    for s in sections:
        rows[s.title] = {"section": s.title, "checks": s.checks, "failed": len(s.failures), "commit": commit()}
        bodies[s.title] = body(s)
    counts = pd.DataFrame(rows.values())
    versions = ", ".join(f"{name} {version(name)}" for name in ("numpy", "scipy", "numba"))
    head = (
        f"{INTRODUCTION}\nLevel {level.name}: {counts['checks'].sum():,} checks, {counts['failed'].sum():,} failed, on "
        f"{os.cpu_count()} cores with Python {platform.python_version()}, {versions}.\n\n{table(counts)}\n"
    )
    return "\n".join([head, *(text.rstrip() + "\n" for text in bodies.values())])


def write(folder, sections, level, keep=False):
    """`folder`/trust.md and `folder`/images/trust/*.png; with `keep` the other sections of an earlier page stay."""
    images = Path(folder) / "images" / "trust"
    images.mkdir(parents=True, exist_ok=True)
    for section in sections:
        for file, figure, _ in section.figures:
            figure.savefig(images / file, dpi=110)
    path = Path(folder) / "trust.md"
    path.write_text(page(sections, level, path.read_text(encoding="utf-8") if keep else ""), encoding="utf-8")
    return path
