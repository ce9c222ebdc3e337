"""The summary table: text in R's layout, HTML for notebooks, DataFrames for the rest."""

import html
import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from glmbayes.checks import scalar
from glmbayes.errors import InputError
from glmbayes.fits.criteria import dic
from glmbayes.fits.hypotheses import directional_tail, hdi_of

PERCENTILES = (1.0, 2.5, 5.0, 50.0, 95.0, 97.5, 99.0)


@dataclass(frozen=True, eq=False, repr=False)
class Summary:
    """What `fit.summary()` returns.

    Attributes
    ----------
    fit : the fitted model
    conf_level : float
    hdi : bool
        Highest-density intervals instead of equal-tailed ones.
    """

    fit: object
    conf_level: float
    hdi: bool

    @classmethod
    def of(cls, fit, conf_level=0.95, hdi=False):
        conf_level = scalar(conf_level, "conf_level")
        if not 0.0 < conf_level < 1.0:
            raise InputError(f"conf_level must be between 0 and 1; got {conf_level!r}.")
        return cls(fit, float(conf_level), bool(hdi))

    @cached_property
    def prior_table(self):
        """Null mode, prior mean and sd, maximum-likelihood estimate and its standard error."""
        fit = self.fit
        estimate, cov, dispersion = fit.maximum_likelihood()
        mu, Sigma = fit.prior.location_scale(fit.moments.dispersion_mean)
        columns = {
            "null mode": fit.null_mode(),
            "prior mean": mu,
            "prior sd": np.sqrt(np.diag(Sigma)),
            "ML estimate": estimate,
            "ML se": np.sqrt(np.diag(cov) * dispersion),
        }
        return _frame(columns, fit.names)

    @cached_property
    def table(self):
        """Posterior mode, mean, sd, Monte Carlo error of the draws' mean, interval, tail probabilities."""
        fit = self.fit
        everything = fit.conditional(np.eye(len(fit.names)))
        mean, sd = everything.location()
        if self.hdi:
            lower, upper = hdi_of(fit.draws.coefficients, self.conf_level).T
        else:
            lower, upper = (everything.quantile(0.5 + side * 0.5 * self.conf_level) for side in (-1.0, 1.0))
        prior_mean, _ = fit.prior.location_scale(1.0)
        columns = {
            "mode": fit.posterior.coef_mode,
            "mean": mean,
            "sd": sd,
            "MC error": sd / np.sqrt(fit.effective_draws),
            "lower": lower,
            "upper": upper,
            "tail(null)": _far_side(everything, fit.null_mode()),
            "tail(prior)": _far_side(everything, prior_mean),
        }
        return _frame(columns, fit.names)

    @cached_property
    def percentiles(self):
        """Percentiles of the draws."""
        import pandas as pd

        values = np.percentile(self.fit.draws.coefficients, PERCENTILES, axis=0).T
        columns = ["median" if q == 50.0 else f"{q:g} %" for q in PERCENTILES]
        return pd.DataFrame(values, index=list(self.fit.names), columns=columns)

    @cached_property
    def statistics(self):
        """Model-level numbers: Series."""
        import pandas as pd

        fit = self.fit
        moments = fit.moments
        values = {
            "observations": fit.nobs,
            "draws": fit.n_draws,
            "dispersion mean": moments.dispersion_mean,
            "dispersion sd": moments.dispersion_sd,
        }
        if fit.closed_form:
            values["residual sd (median)"] = float(np.median(np.sqrt(fit.draws.dispersion)))
        if not fit.exact_draws:
            values["effective draws"], values["R-hat"] = fit.effective_draws.min(), fit.rhat.max()
        try:
            criterion = dic(fit)
            values.update({"expected deviance": criterion.expected, "pD": criterion.p_d, "DIC": criterion.dic})
        except InputError:
            values.update({"expected deviance": fit.expected_deviance(), "pD": math.nan, "DIC": math.nan})
        try:
            values.update(_evidence(fit))
        except InputError:
            values["log marginal likelihood"] = math.nan
        r2 = fit.bayes_r2()
        values["Bayesian R2"] = float(r2.mean())
        values["Bayesian R2 sd"] = float(r2.std())
        values["candidates per draw"] = float(fit.draws.iters.mean())
        if not fit.prior.knows_coefficients:
            for reference in ("prior", "null"):
                values[f"directional tail ({reference})"] = directional_tail(fit, reference).probability
        return pd.Series(list(values.values()), index=list(values))

    @cached_property
    def residuals(self):
        """Quantiles of the residuals at the posterior mean."""
        return np.percentile(self.fit.residuals(), (0, 25, 50, 75, 100))

    @property
    def notes(self):
        """What the reader should know about how the data were used."""
        return describe_data(self.fit)

    def _heading(self):
        if not self.fit.exact_draws:
            return "Posterior (from Markov chain draws; MC error allows for their correlation):"
        interval = "; interval from the draws" if self.hdi and self.fit.posterior_text.startswith("exact") else ""
        return f"Posterior ({self.fit.posterior_text}{interval}):"

    def _interval_names(self):
        if self.hdi:
            return {"lower": f"{100 * self.conf_level:g} % HDI from", "upper": "to"}
        return {"lower": f"{50 * (1 - self.conf_level):g} %", "upper": f"{50 * (1 + self.conf_level):g} %"}

    def __str__(self):
        s = self.statistics
        parts = [f"Call:\n{self.fit.call}"]
        if not self.fit.closed_form:
            parts.append(f"Family: {self.fit.family}")
        parts.append("Prior:\n" + describe_prior(self.fit))
        quantiles = "".join(f"{name:>11}" for name in ("Min", "1Q", "Median", "3Q", "Max"))
        numbers = "".join(f"{value:>11.4g}" for value in self.residuals)
        kind = "Residuals" if self.fit.closed_form else "Deviance residuals"
        parts.append(f"{kind} at the posterior mean:\n{quantiles}\n{numbers}")
        parts.append("Prior and maximum likelihood:\n" + _text(self.prior_table))
        parts.append(self._heading() + "\n" + _text(self.table, self._interval_names()))
        parts.append("Percentiles of the draws:\n" + _text(self.percentiles))
        parts.append("\n".join(_statistics_lines(s)))
        if self.notes:
            parts.append("\n".join(self.notes))
        return "\n\n".join(parts)

    __repr__ = __str__

    def _repr_html_(self):
        import pandas as pd

        posterior = self.table.rename(columns=self._interval_names())
        sections = [
            ("Prior and maximum likelihood", self.prior_table),
            ("Posterior", posterior),
            ("Percentiles of the draws", self.percentiles),
        ]
        body = [f"<pre>{html.escape(self.fit.call)}</pre>", f"<p>{html.escape(describe_prior(self.fit))}</p>"]
        for title, table in sections:
            shown = pd.DataFrame({name: _column(name, table[name].to_numpy()) for name in table}, index=table.index)
            body.append(f"<p><b>{title}</b></p>{shown.to_html(border=0)}")
        lines = [*_statistics_lines(self.statistics), *self.notes]
        body.append("<p>" + "<br>".join(html.escape(line) for line in lines) + "</p>")
        return "\n".join(body)


def _evidence(fit):
    name = "log marginal likelihood"
    if fit.closed_form:
        return {name: fit.log_marginal_likelihood()}
    return dict(zip((name, f"{name} se"), fit.log_marginal_likelihood(with_error=True)))


def _far_side(mixture, values):
    """Posterior probability on the other side of `values` from the bulk."""
    below = mixture.cdf(values)
    return np.minimum(below, 1.0 - below)


def describe_prior(fit):
    """One or two lines on the prior and where it came from."""
    lines = [fit.prior.description]
    if fit.setup is not None:
        settings = fit.setup.settings
        lines.append(
            f"(built from the data by Prior_Setup: pwt = {_short(settings.pwt)}, worth {settings.n_prior:.3g} "
            "observations)"
        )
    return "\n".join(lines)


def _short(pwt):
    return f"{float(pwt):g}" if np.size(pwt) == 1 else "by coefficient"


def describe_data(fit):
    """Lines on rows dropped, weights, levels, aliased columns and names from the caller's scope."""
    d = fit.design
    lines = [*d.notes, *fit.response_notes]
    if d.n_missing:
        lines.append(f"{_rows(d.n_missing)} dropped for missing values.")
    if d.n_subset:
        lines.append(f"{_rows(d.n_subset)} left out by subset.")
    if d.weights is not None:
        lines.append(f"Weights are {fit.likelihood.weights_meaning}.")
    aliased = fit.aliased
    if aliased:
        verb = "is a combination" if len(aliased) == 1 else "are combinations"
        lines.append(f"{', '.join(aliased)} {verb} of earlier columns: only the prior tells their effects apart.")
    if d.scope_names:
        lines.append(f"Taken from the caller's scope: {', '.join(d.scope_names)}.")
    return lines


def _rows(n):
    return "1 row" if n == 1 else f"{n} rows"


def _statistics_lines(s):
    def show(name):
        return _number(s[name])

    kind = f"iid, {s['candidates per draw']:.3g} candidates per draw"
    if "R-hat" in s:
        kind = f"Markov chains, NOT iid: effective number {s['effective draws']:.0f}, R-hat {s['R-hat']:.3f}"
    error = s.get("log marginal likelihood se", 0.0)
    error = "" if error == 0.0 else f" (standard error {error:.2g})"
    lines = [
        f"Observations: {int(s['observations'])}   Draws: {int(s['draws'])} ({kind})",
        _dispersion_line(s, show),
        f"Expected deviance: {show('expected deviance')}   pD: {show('pD')}   DIC: {show('DIC')}",
        f"Log marginal likelihood: {show('log marginal likelihood')}{error}",
        f"Bayesian R-squared: {show('Bayesian R2')} (sd {show('Bayesian R2 sd')})",
    ]
    if "directional tail (prior)" in s:
        lines.append(
            f"Directional tail against the prior mean: {show('directional tail (prior)')}, against the null: "
            f"{show('directional tail (null)')}"
        )
    return lines


def _dispersion_line(s, show):
    if s["dispersion sd"] == 0.0:
        return f"Dispersion: {show('dispersion mean')} (known)"
    if "residual sd (median)" not in s:
        return f"Dispersion: mean {show('dispersion mean')}, sd {show('dispersion sd')}"
    return (
        f"Dispersion (residual variance): mean {show('dispersion mean')}, sd {show('dispersion sd')};  "
        f"residual sd: median {show('residual sd (median)')}"
    )


def _frame(columns, names):
    """Columns (p,) by name; from one array, which takes pandas half the time."""
    import pandas as pd

    return pd.DataFrame(np.column_stack(list(columns.values())), index=list(names), columns=list(columns))


def _number(value):
    if not math.isfinite(value):
        return {math.inf: "infinite"}.get(value, "undefined")
    return f"{value:.4g}" if abs(value) < 1e4 or abs(value) >= 1e7 else f"{value:.1f}"


def _column(name, values):
    """A column of a table in words: as many decimals as its smallest number needs for four digits, like R."""
    if name.startswith("tail"):
        return [f"{v:.4f}" if v >= 5e-5 else "<0.0001" for v in values]
    sizes = [math.floor(math.log10(abs(v))) for v in values if math.isfinite(v) and v != 0.0]
    decimals = max(3 - min(sizes, default=3), 0)
    if max(sizes, default=0) + decimals > 7 or decimals > 9:  # too different for one number of decimals, or tiny
        return [_number(v) for v in values]
    return [f"{v + 0.0:.{decimals}f}" if math.isfinite(v) else _number(v) for v in values]


def _text(table, titles=None):
    """A DataFrame of numbers as aligned text, some of its columns under other titles."""
    cells = [_column(name, values) for name, values in zip(table.columns, table.to_numpy().T)]
    columns = [[(titles or {}).get(name, name), *column] for name, column in zip(table.columns, cells)]
    label = max(len(str(i)) for i in table.index)
    widths = [max(map(len, column)) for column in columns]
    rows = zip(["", *map(str, table.index)], *columns)
    return "\n".join(f"{row[0]:<{label}}" + "".join(f"  {c:>{w}}" for c, w in zip(row[1:], widths)) for row in rows)


def side_by_side(names, values, width=100):
    """Numbers under their names, as many to a line as fit: R's way of printing coefficients."""
    cells = [f"{v:.4g}" for v in values]
    widths = [max(len(name), len(cell)) for name, cell in zip(names, cells)]
    lines, start, used = [], 0, 0
    for i, w in enumerate([*widths, width]):
        if used + w > width and i > start:
            part = range(start, i)
            lines.append("  ".join(f"{names[j]:>{widths[j]}}" for j in part))
            lines.append("  ".join(f"{cells[j]:>{widths[j]}}" for j in part))
            start, used = i, 0
        used += w + 2
    return "\n".join(lines)
