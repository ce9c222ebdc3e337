"""What a section of the report hands over: checks, tables and figures."""

import hashlib
from dataclasses import dataclass, field

import numpy as np

P_BOUND = 1e-4  # of one goodness-of-fit test
Z_BOUND = 4.5  # standard errors of one comparison


def rng_for(name):
    """A generator seeded by a name, so that no seed is ever chosen."""
    return np.random.default_rng(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big"))


@dataclass
class Section:
    """One section of the page.

    Attributes
    ----------
    title, text : str
        What is checked, and how; Markdown.
    tables : list of (caption, DataFrame)
    figures : list of (file name, matplotlib Figure, caption)
    failures : list of str
        Every check that did not hold, with its figures.
    checks : int
        Number of checks made.
    """

    title: str
    text: str
    tables: list = field(default_factory=list)
    figures: list = field(default_factory=list)
    failures: list = field(default_factory=list)
    checks: int = 0

    def check(self, holds, what):
        """Count a check; when it does not hold, `what` says which and by how much."""
        self.checks += 1
        if not holds:
            self.failures.append(what)
