"""Timing tables: ours beside a peer, measured in alternation within one run."""

import time
from dataclasses import dataclass, field

from numba import njit

SCALES = (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6), ("ns", 1e-9))


def in_words(seconds):
    """Three digits and a fitting unit: 0.00123 is '1.23 ms'."""
    unit, scale = next((pair for pair in SCALES if seconds >= pair[1]), SCALES[-1])
    return f"{seconds / scale:.3g} {unit}"


def best_times(calls, rounds=7, least=0.05, clock=time.process_time):
    """Time each of `calls` in turn, `rounds` times over, and return the best seconds per call of each.

    Seconds are CPU seconds of this process: on a busy machine they say more than the wall clock, and the benchmarks
    run on one thread.  Each measurement repeats its call until it takes `least` seconds.  A busy machine slows one
    round, all calls of it alike; the best round is the one that was disturbed least.
    """

    def measure(call, repeats):
        start = clock()
        for _ in range(repeats):
            call()
        return clock() - start

    repeats = []
    for call in calls:
        call()  # compile and warm up
        number = 1
        while (spent := measure(call, number)) < least:
            number = max(2 * number, int(1.1 * number * least / spent) if spent > least / 100 else 10 * number)
        repeats.append(number)
    best = [float("inf")] * len(calls)
    for _ in range(rounds):
        for k, (call, number) in enumerate(zip(calls, repeats, strict=True)):
            best[k] = min(best[k], measure(call, number) / number)
    return best


@njit
def normals(rng, count):
    """The sum of so many standard normals: the floor of compiled loops that draw them."""
    total = 0.0
    for _ in range(count):
        total += rng.standard_normal()
    return total


@dataclass
class Table:
    """A table of timings, printed row by row as they are measured.

    Examples
    --------
    ::

        table = Table("Dobson: one draw")
        table.row("rlmb, dNormal", ours=call, peer=plain_numpy, target=10e-6)
    """

    title: str
    rounds: int = 7
    least: float = 0.05
    rows: list = field(default_factory=list)

    def row(self, name, ours, peer=None, target=None, floor=None):
        """Measure a call, beside a peer's where there is one, and print the row.

        Parameters
        ----------
        name : str
        ours, peer : callable without arguments
            The same task; set-up that a user would pay for belongs inside.
        target : float, optional
            Seconds that ours should take at most.
        floor : callable, optional
            What no exact sampler can do without: the random variates of the draws; for many rows a product of the
            design with itself.
        """
        if not self.rows:
            print(f"\n{self.title}\n{'':44}{'ours':>10}{'peer':>10}{'speed-up':>10}{'floor':>10}{'target':>10}")
        given = {"ours": ours, "peer": peer, "floor": floor}
        calls = {key: call for key, call in given.items() if call is not None}
        times = dict(zip(calls, best_times(list(calls.values()), self.rounds, self.least), strict=True))
        mine, theirs, least = (times.get(key) for key in given)
        ratio = "" if theirs is None else f"{theirs / mine:.3g}x"
        shown = [*("" if seconds is None else in_words(seconds) for seconds in (mine, theirs)), ratio]
        shown += ["" if seconds is None else in_words(seconds) for seconds in (least, target)]
        missed = "" if target is None or mine <= target else "  missed"
        print(f"{name:44}" + "".join(f"{text:>10}" for text in shown) + missed)
        self.rows.append((name, mine, theirs))
