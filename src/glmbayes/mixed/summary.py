"""The summary of a mixed model."""

import html
from dataclasses import dataclass

from glmbayes.fits.summary import _number, _text


@dataclass(frozen=True, eq=False, repr=False)
class MixedSummary:
    """What `fit.summary()` returns: text when printed, DataFrames inside.

    Attributes
    ----------
    fit : MixedFit
    fixed : DataFrame
        Fixed effects; means and standard deviations by quadrature for iid fits.
    components : DataFrame
        Standard deviations and correlations.
    """

    fit: object
    fixed: object
    components: object

    @classmethod
    def of(cls, fit, level):
        """Tables of fixed effects and variance components, with Monte Carlo errors and convergence."""
        table = fit.chains.summary(level=level)
        p = len(fit.names)
        fixed, components = table.iloc[:p].copy(), table.iloc[p:]
        if fit.posterior is not None:
            fixed["mean"], fixed["sd"] = fit.posterior_mean, fit.posterior_sd
        return cls(fit, fixed, components)

    @property
    def lines(self):
        """Call, data, draws and priors, in words."""
        fit, design = self.fit, self.fit.design
        sizes = "; ".join(
            f"{f.name}: {len(f.labels)} groups of {f.sizes.min()} to {f.sizes.max()} rows"
            for f in design.factors.values()
        )
        lines = [f"Observations: {design.n}   {sizes}"]
        if fit.model_line:
            lines.append(fit.model_line)
        if fit.method == "iid":
            lines.append(f"Draws: {fit.n_draws}, exact and independent ({fit.iters.mean():.3g} candidates per draw)")
        else:
            # pandas' extremes leave missing values out, and are NaN where chains of a few draws have no others
            worst = max(t["r_hat"].max() for t in (self.fixed, self.components) if len(t))
            least = min(t["ess_bulk"].min() for t in (self.fixed, self.components) if len(t))
            verdict = "" if worst <= 1.01 and least >= 400 else "   NOT YET CONVERGED: take more draws"
            lines.append(
                f"Draws: MCMC, {fit.draws.chains} chains of {fit.n_draws // fit.draws.chains} after {fit.burn_in}; "
                f"largest R-hat {worst:.3f}, smallest effective sample size {least:.0f}{verdict}"
            )
            lines.append(f"Sampler: {fit.sampler}")
        if fit.interrupted:
            lines.append("The run was interrupted: these are the draws so far.")
        d = design.fixed
        lines += list(d.notes)
        if d.n_missing:
            lines.append(f"{d.n_missing} row(s) dropped for missing values.")
        if fit.se is not None:
            lines.append("Residual standard deviations are known (se=).")
        return lines

    @property
    def priors(self):
        """One line per prior."""
        lines = self.fit.priors.describe()
        return lines if len(self.fixed) else lines[1:]

    def __str__(self):
        parts = ["Call:\n" + self.fit.call, "\n".join(self.lines)]
        parts.append("Priors:\n" + "\n".join("  " + line for line in self.priors))
        parts.append("Fixed effects:\n" + _text(self.fixed) if len(self.fixed) else "No fixed effects.")
        which = "Group and residual" if self.fit.has_residual else "Group"
        parts.append(f"{which} standard deviations, correlations:\n" + _text(self.components))
        return "\n\n".join(parts)

    __repr__ = __str__

    def _repr_html_(self):
        body = [f"<pre>{html.escape(self.fit.call)}</pre>"]
        body.append("<p>" + "<br>".join(map(html.escape, [*self.lines, *self.priors])) + "</p>")
        for title, table in (("Fixed effects", self.fixed), ("Standard deviations and correlations", self.components)):
            if table.empty:
                continue
            body.append(f"<p><b>{title}</b></p>{table.map(_number).to_html(border=0)}")
        return "\n".join(body)
