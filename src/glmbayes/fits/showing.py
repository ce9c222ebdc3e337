"""How a fitted model is shown: summary, notebook, ArviZ, plots."""

from glmbayes.fits import plots
from glmbayes.fits.summary import Summary, side_by_side


class Showing:
    """What a fitted model prints, draws and exports."""

    def summary(self, conf_level=0.95, hdi=False):
        """The summary that R users know: text, HTML in notebooks, and DataFrames (`.table` and others)."""
        return Summary.of(self, conf_level, hdi)

    def __repr__(self):
        means = side_by_side(self.names, self.moments.mean)
        return f"Call:\n{self.call}\n\nPosterior mean coefficients:\n{means}\n\nUse .summary() for more."

    def _repr_html_(self):
        return self.summary()._repr_html_()

    def to_arviz(self):
        """ArviZ data: the iid draws as one chain, with prior, log-likelihood and posterior-predictive groups."""
        from glmbayes.fits.export import to_arviz

        return to_arviz(self)

    def plot(self, parm=None, **options):
        """Posterior against prior for each coefficient; returns the Axes."""
        return plots.plot(self, parm, **options)

    def plot_coef(self, parm=None, **options):
        """Forest plot of the coefficients with 50 % and 95 % intervals; returns the Axes."""
        return plots.plot_coef(self, parm, **options)

    def plot_ppc(self, **options):
        """The observed response among replicated ones; returns the Axes."""
        return plots.plot_ppc(self, **options)

    def plot_residuals(self, kind="pearson", **options):
        """Residuals against fitted values; returns the Axes."""
        return plots.plot_residuals(self, kind, **options)

    def plot_fit(self, column, **options):
        """The fit along one column with credible and predictive bands; returns the Axes."""
        return plots.plot_fit(self, column, **options)
