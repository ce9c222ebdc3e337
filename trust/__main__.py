"""``python -m trust --level small --out DIR``, from the root of the checkout."""

import argparse
import os
import sys
import time

from trust import agreement, calibration, digits, envelopes, evidence, fuzz, joint, processes
from trust.levels import LEVELS
from trust.report import write

SECTIONS = (calibration, joint, envelopes, evidence, agreement, digits, processes, fuzz)


def main():
    parser = argparse.ArgumentParser(prog="python -m trust", description=__doc__)
    parser.add_argument("--level", choices=LEVELS, default="small")
    parser.add_argument("--out", default="docs", help="folder of trust.md and images/trust/")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes; the figures do not depend on it")
    names = [module.__name__.partition(".")[2] for module in SECTIONS]
    parser.add_argument("--only", nargs="+", choices=names, help="run these sections, keep the others of the page")
    given = parser.parse_args()
    level, sections, start = LEVELS[given.level], [], time.perf_counter()
    for name, module in zip(names, SECTIONS):
        if given.only and name not in given.only:
            continue
        section = module.run(level, given.jobs)
        sections.append(section)
        spent = time.perf_counter() - start
        print(f"{section.title}: {section.checks} checks, {len(section.failures)} failed ({spent:.0f} s)", flush=True)
        for failure in section.failures:
            print(f"  {failure}")
    print(f"written: {write(given.out, sections, level, bool(given.only))}")
    checks, failed = sum(s.checks for s in sections), sum(len(s.failures) for s in sections)
    print(f"{checks - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
