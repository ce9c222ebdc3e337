"""Predict what each sampler would cost and take the cheapest."""

import math
from dataclasses import dataclass

from glmbayes.errors import InputError, SamplerError
from glmbayes.glm import costs
from glmbayes.glm.radial import RadialSampler
from glmbayes.glm.tall import TallSampler

_PILOT = 256
_TALL_FROM = 4000  # rows: below, the checks cannot pay
NAMES = ("auto", "grid", "radial", "tall")


@dataclass(frozen=True)
class Estimate:
    """A sampler ready to use with its predicted cost.

    Attributes
    ----------
    name : str
    sampler : object
    candidates : float
        Predicted candidates per draw.
    nanoseconds : float
        Predicted time per draw.
    """

    name: str
    sampler: object
    candidates: float
    nanoseconds: float


def _laplace_candidates(sampler):
    """Candidates per draw if the posterior were exactly normal."""
    p = sampler.white.size
    return max(1.0, math.exp(min(sampler.log_mass - 0.5 * p * math.log(2.0 * math.pi), 700.0)))


def estimate_radial(sampler: RadialSampler):
    """From the envelope's mass, and the squeeze's share of undecided candidates in a short pilot run."""
    n, p = sampler.white.design.shape
    undecided = (sampler.pilot(_PILOT) + 0.5) / (_PILOT + 1)
    each = costs.candidate(p) + costs.cubic(p) + undecided * costs.evaluation(n, p, sampler.single is not None)
    candidates = _laplace_candidates(sampler)
    return Estimate(sampler.name, sampler, candidates, candidates * each)


def estimate_tall(sampler: TallSampler):
    """From the envelope's mass, its share beyond the inner range, and the expected number of checks."""
    n, p = sampler.white.design.shape
    beyond = sampler.mass_beyond()
    checks = sampler.expected_checks()
    candidates = _laplace_candidates(sampler)
    each = costs.candidate(p) + costs.cubic(p) + beyond * costs.evaluation(n, p)
    return Estimate("tall", sampler, candidates, candidates * each + checks * costs.ROW_CHECK)


def choose(white, shape, name, draws):
    """The samplers' estimates, the chosen one first.

    Parameters
    ----------
    name : {"auto", "radial", "tall"}
    draws : int
        Draws to be made, for the refusal of hopeless calls.

    Raises
    ------
    InputError
        A sampler that this posterior does not have was asked for.
    SamplerError
        Every sampler would take too long.
    """
    if name not in NAMES:
        raise InputError(f"sampler must be one of {', '.join(map(repr, NAMES))}; got {name!r}")
    radial = RadialSampler.build(white, shape)
    found = [] if name == "tall" else [estimate_radial(radial)]
    if name == "tall" or (name == "auto" and len(white.y) >= _TALL_FROM):
        tall = TallSampler.build(radial)
        if tall is not None:
            found.append(estimate_tall(tall))
        elif name == "tall":
            raise InputError(
                "sampler='tall' needs many more rows than coefficients; for these data its row bounds leave no "
                "room. Use sampler='auto'."
            )
    found.sort(key=lambda e: e.nanoseconds)
    best = found[0]
    seconds = best.nanoseconds * 1e-9 * draws
    if name == "auto" and not seconds <= costs.PATIENCE:
        raise SamplerError(
            f"exact draws would take about {best.candidates:.2g} candidates each, some {seconds:.2g} s for {draws} "
            "draws. A narrower prior, more data or fewer coefficients would help; sampler='radial' starts anyway, and "
            "sampler='mcmc' draws a Markov chain, labelled as one."
        )
    return found
