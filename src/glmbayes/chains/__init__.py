"""Markov chains: running a user's own sampler, random-walk Metropolis, and what is asked of the draws."""

from glmbayes.chains.gibbs import gibbs
from glmbayes.chains.metropolis import metropolis
from glmbayes.chains.record import Chains

__all__ = ["Chains", "gibbs", "metropolis"]
