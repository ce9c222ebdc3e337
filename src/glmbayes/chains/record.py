"""Chains: the draws of a Markov chain Monte Carlo run, by name."""

from dataclasses import dataclass, field

import numpy as np

from glmbayes.chains import diagnostics
from glmbayes.checks import option, scalar
from glmbayes.errors import InputError
from glmbayes.posteriors.moments import sample_sd

_LARGEST = 1e140  # size of draws beyond which they are summarised in units of the largest
_BATCH = 2_000_000  # draws x quantities that the diagnostics take at once


@dataclass(frozen=True, eq=False, repr=False)
class Chains:
    """Draws of a run; `gibbs` and `metropolis` return one.

    Attributes
    ----------
    draws : dict
        Name -> array (chains, draws, ...) of what the state holds under that name.
    last : list
        The final state of each chain; `gibbs(step, chains.last, ...)` goes on from there.
    interrupted : bool
        The run was stopped with Ctrl-C; all chains are cut to the length of the shortest.
    acceptance : (chains,) array or None
        Acceptance rates after burn-in (Metropolis only).
    note : str
        How the draws came about, for printing.
    """

    draws: dict
    last: list = field(default_factory=list)
    interrupted: bool = False
    acceptance: np.ndarray | None = None
    note: str = "MCMC"

    @property
    def names(self):
        """Names of the parts of the state."""
        return tuple(self.draws)

    @property
    def n_chains(self):
        """Number of chains."""
        return next(iter(self.draws.values())).shape[0]

    @property
    def n_draws(self):
        """Kept draws per chain."""
        return next(iter(self.draws.values())).shape[1]

    def __getitem__(self, name):
        """(chains * draws, ...) array: the draws of one part, all chains one after the other."""
        values = self._part(name)
        return values.reshape(-1, *values.shape[2:])

    def _part(self, name):
        if name not in self.draws:
            raise InputError(f"no part named {name!r}; there are {', '.join(self.draws)}.")
        return self.draws[name]

    def _columns(self, parts=None):
        """Labels and a (chains, draws, k) array of the chosen parts."""
        parts = self.names if parts is None else ((parts,) if isinstance(parts, str) else tuple(parts))
        labels, columns = [], []
        for name in parts:
            values = self._part(name)
            shape = values.shape[2:]
            labels += [name + (f"[{', '.join(map(str, at))}]" if at else "") for at in np.ndindex(*shape)]
            columns.append(values.reshape(*values.shape[:2], -1))
        return labels, np.concatenate(columns, axis=2)

    def summary(self, parts=None, level=0.95):
        """Mean, sd, quantiles, Monte Carlo error and convergence of every quantity.

        Parameters
        ----------
        parts : str or list of str, optional
            Which parts of the state.
        level : float
            Of the equal-tailed intervals.

        Returns
        -------
        pandas.DataFrame
            ``mean, sd``, three quantiles, ``mcse`` (of the mean), ``ess_bulk``, ``ess_tail`` and ``r_hat``
            (rank-normalised, split; above 1.01 the chains have not mixed).
        """
        import pandas as pd

        level = scalar(level, "level", above=0.0)
        if not level < 1.0:
            raise InputError(f"level must be less than 1; got {level:g}.")
        labels, x = self._columns(parts)
        tails = (0.5 * (1.0 - level), 0.5, 0.5 * (1.0 + level))
        step = max(1, _BATCH // (x.shape[0] * x.shape[1]))
        pieces = []
        for start in range(0, x.shape[2], step):
            part = x[:, :, start : start + step]
            largest = np.abs(part).max(axis=(0, 1))
            unit = np.where((largest > _LARGEST) & (largest < np.inf), largest, 1.0)  # squares would overflow
            if (unit > 1.0).any():
                part = part / unit
            rows = [
                part.mean(axis=(0, 1)),
                sample_sd(part.reshape(-1, *part.shape[2:])),
                *np.quantile(part, tails, axis=(0, 1)),
                diagnostics.mcse_mean(part),
            ]
            with np.errstate(over="ignore"):
                rows = [row * unit for row in rows]
            rows += [diagnostics.ess_bulk(part), diagnostics.ess_tail(part), diagnostics.r_hat(part)]
            pieces.append(np.array(rows))
        columns = ["mean", "sd", *(f"{100 * q:g}%" for q in tails), "mcse", "ess_bulk", "ess_tail", "r_hat"]
        return pd.DataFrame(np.concatenate(pieces, axis=1).T, index=labels, columns=columns)

    def __repr__(self):
        parts = ", ".join(f"{name}{list(values.shape[2:]) or ''}" for name, values in self.draws.items())
        stopped = ", interrupted" if self.interrupted else ""
        return f"Chains ({self.note}{stopped}): {self.n_chains} x {self.n_draws} draws of {parts}"

    def to_arviz(self):
        """ArviZ InferenceData (DataTree in ArviZ 1) with a posterior group."""
        from glmbayes.fits.export import arviz_from_dict

        return arviz_from_dict()({"posterior": self.draws}, {}, {})

    def plot(self, kind="trace", parts=None, ax=None):
        """Plot "trace", "density", "autocorrelation" or "rank" of each quantity; returns an array of Axes."""
        from glmbayes.chains import plots

        option(kind, "kind", tuple(plots.KINDS))
        return plots.grid(self, kind, parts, ax)
