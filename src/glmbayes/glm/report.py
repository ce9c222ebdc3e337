"""What a sampler did: chosen, predicted, observed."""

from dataclasses import dataclass


@dataclass(frozen=True)
class SamplerReport:
    """How a set of draws was made.

    Attributes
    ----------
    sampler : str
        "line" (one coefficient), "grid", "radial", "axis", "tall", "mcmc", "conjugate" or "dispersion".
    exact : bool
        Whether the draws are independent and exactly from the posterior; False for "mcmc".
    predicted : float
        Predicted candidates per draw; NaN when not predicted.
    observed : float
        Candidates per draw.
    setup_seconds, draw_seconds : float
        Wall time of the set-up and of all the draws.
    considered : str
        The samplers compared, with their predicted costs; empty when there was no choice.
    ess : float
        Smallest bulk effective sample size over the coefficients (the number of draws when they are exact).
    rhat : float
        Largest rank-normalised split R-hat over independent chains; NaN for exact draws.
    """

    sampler: str
    exact: bool
    predicted: float
    observed: float
    setup_seconds: float
    draw_seconds: float
    considered: str = ""
    ess: float = float("nan")
    rhat: float = float("nan")

    def __str__(self):
        lines = [
            f"sampler: {self.sampler}" + ("" if self.exact else "  -- NOT independent draws: Markov chain Monte Carlo")
        ]
        predicted = "" if self.predicted != self.predicted else f" (predicted {self.predicted:.3g})"
        lines.append(f"candidates per draw: {self.observed:.3g}{predicted}")
        lines.append(f"set-up {1e3 * self.setup_seconds:.3g} ms, draws {1e3 * self.draw_seconds:.3g} ms")
        if not self.exact:
            lines.append(f"smallest effective sample size {self.ess:.0f}, largest R-hat {self.rhat:.3f}")
        if self.considered:
            lines.append(self.considered)
        return "\n".join(lines)
