"""How much of everything each level runs."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Level:
    """Sizes of one level.

    Attributes
    ----------
    replications : int
        Simulation-based calibration: data sets per problem with independent draws.
    chain_replications : int
        The same for problems drawn by Markov chains.
    joint_replications : int
        Joint-distribution tests: independent replicates per sampler.
    candidates : int
        Candidates whose log acceptance is looked at, over all envelopes.
    starts : int
        Starting points per envelope of the numerical maximisation of the log acceptance.
    draws : int
        Draws per agreement between two samplers.
    fuzz_cases : int
        Random calls of the public functions.
    """

    name: str
    replications: int
    chain_replications: int
    joint_replications: int
    candidates: int
    starts: int
    draws: int
    fuzz_cases: int


LEVELS = {
    level.name: level
    for level in (
        Level("small", 200, 100, 200, 200_000, 20, 4_000, 150),
        Level("medium", 2_000, 1_000, 2_000, 10_000_000, 100, 50_000, 2_000),
        Level("full", 10_000, 10_000, 10_000, 100_000_000, 1_000, 200_000, 10_000),
    )
}
