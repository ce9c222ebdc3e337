"""Several responses, one fit each, printed together."""

import html
import sys
from dataclasses import dataclass


@dataclass(frozen=True, eq=False, repr=False)
class SeveralFits:
    """One fit per column of the response; index by position or by response name.

    Rows with a missing value in any of the responses are left out of all fits.

    Attributes
    ----------
    fits : tuple of Fit
    """

    fits: tuple

    @property
    def names(self):
        """Names of the responses."""
        return tuple(fit.design.response.name for fit in self.fits)

    def __len__(self):
        return len(self.fits)

    def __iter__(self):
        return iter(self.fits)

    def __getitem__(self, key):
        if isinstance(key, str):
            if key not in self.names:
                raise KeyError(f"{key!r} is not a response of this model; it has {list(self.names)}.")
            return self.fits[self.names.index(key)]
        return self.fits[key]

    @property
    def posterior_mean(self):
        """Posterior means: DataFrame, coefficients by responses."""
        import pandas as pd

        return pd.DataFrame({name: fit.posterior_mean for name, fit in zip(self.names, self.fits)})

    def summary(self, conf_level=0.95, hdi=False):
        """Summaries of all fits, as one text."""
        return SeveralSummaries(tuple(fit.summary(conf_level, hdi) for fit in self.fits), self.names)

    def update(self, formula=None, pfamily=None, **changes):
        """Fit all responses again with a changed formula, prior or other argument; see `Fit.update`."""
        changes.setdefault("env", sys._getframe(1))
        return self.fits[0].update(formula, pfamily, **changes)

    def _repr_html_(self):
        return self.summary()._repr_html_()

    def __repr__(self):
        return f"Call:\n{self.fits[0].call}\n\nPosterior mean coefficients:\n{self.posterior_mean.to_string()}"


@dataclass(frozen=True, eq=False, repr=False)
class SeveralSummaries:
    """Summaries printed one after the other."""

    summaries: tuple
    names: tuple

    def __repr__(self):
        return "\n\n".join(f"Response {name}:\n\n{part}" for name, part in zip(self.names, self.summaries))

    def _repr_html_(self):
        return "\n".join(
            f"<h4>Response {html.escape(name)}</h4>\n{part._repr_html_()}"
            for name, part in zip(self.names, self.summaries)
        )
