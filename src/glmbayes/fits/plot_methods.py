"""The plots, as methods of a fitted model."""

from glmbayes.fits import plots


class PlotMethods:
    """What a fitted model can draw; `glmbayes.fits.plots` has the options."""

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
