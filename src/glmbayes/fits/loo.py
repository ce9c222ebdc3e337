"""Leave-one-out prediction: exact for Gaussian models, Pareto-smoothed importance sampling otherwise."""

import numpy as np
from scipy.special import logsumexp

from glmbayes.errors import ImproperPosteriorError, InputError, MissingDependencyError
from glmbayes.fits.blocks import observation_blocks
from glmbayes.fits.criteria import LOO, pointwise_log_mean, score
from glmbayes.kernels.first_knots import tail_slopes
from glmbayes.kernels.quadrature import POINTS, WEIGHTS, rises
from glmbayes.posteriors.moments import LOG_2PI
from glmbayes.rows import Rows, reduce

_TAIL = 30.0  # parts of an integrand below its maximum by less than this, in logs, count
_STEEP = 12.0  # by how much an integrand may change on a panel of nodes, in logs
_LARGEST = 600.0  # |log precision|: no response has a density out there
_NEGLIGIBLE = 46.0  # where an integrand of its own ends
_ALONE = 0.01  # one minus leverage below which digits are lost to what is left without the row
_FEWEST = 5  # draws that a generalised Pareto distribution can be fitted to


def exact_loo(fit):
    """log p(y_i | y without i), without Monte Carlo error.

    Given the precision u everything is normal: with h_i = u w_i Var(eta_i | u) and e_i the residual,

        log p(y_i | rest, u) = c_i/2 (log u - log 2 pi) + 1/2 log(1 - h_i) - u w_i e_i^2 / (2 (1 - h_i)) + b_i,

    c_i = w_i and b_i = 0 for frequency weights, c_i = 1 and b_i = log(w_i) / 2 for precision weights.  Over u,
    p(u | rest) is proportional to p(u | y) / p(y_i | rest, u), so p(y_i | rest) is one over the posterior expectation
    of 1 / p(y_i | rest, u).  No refits, but for rows of leverage close to 1 (at most about p of them), where 1 - h_i
    cancels, and for rows without which the dispersion is somewhere else altogether: extreme outliers, and rows of very
    small data.
    """
    return _assemble(fit, _row_scores(fit, -1.0), "exact", None)


def log_predictive(fit):
    """log p(y_i | y), the posterior mean of each observation's likelihood, without Monte Carlo error.

    Infinite where all rows are fitted exactly and the prior lets the dispersion go to 0 slowly enough.
    """
    return _row_scores(fit, 1.0)


class _Rows:
    """Some rows of the fit: design, response less offset, weights, and what those count as."""

    def __init__(self, fit, rows):
        d = fit.design
        self.x = np.ascontiguousarray(d.X[rows])
        self.y = d.y[rows] if d.offset is None else d.y[rows] - d.offset[rows]
        self.w = np.ones(self.y.size) if d.weights is None else d.weights[rows]
        self.count = self.w if fit.likelihood.weights_type == "frequency" else (self.w > 0).astype(float)
        self.fitted = np.zeros(self.y.size, bool)  # whether they are among the data of the posterior that predicts them
        self.position = np.arange(d.X.shape[0])[rows]

    def one(self, i):
        """Row `i` of these."""
        new = object.__new__(_Rows)
        for name, value in self.__dict__.items():
            setattr(new, name, value[i : i + 1])
        return new


def _log_predictive(rows, mean, bounded, per_dispersion, t, side):
    """log p(y_i | u) given the posterior with the rows (side = -1) or without (side = 1), and 1 - or + u w_i var_i.

    mean, bounded, per_dispersion : of the linear predictor without offset given log precisions t (K,), as in `Mixture`.
    """
    u = np.exp(t)[:, None] * rows.w
    spread = 1.0 + side * (u * bounded + rows.w * per_dispersion)
    safe = np.maximum(spread, _ALONE)
    value = 0.5 * rows.count * (t[:, None] - LOG_2PI) - 0.5 * side * np.log(safe)
    return value - 0.5 * u * (rows.y - mean) ** 2 / safe, spread


def _row_scores(fit, side):
    """Log predictive density of each row, with it (side = 1) or without it (side = -1) in the posterior."""
    d = fit.design
    out = np.empty(d.X.shape[0])
    n_nodes = fit.conditional(d.X[:1]).weight.size
    for piece in observation_blocks(out.size, 4 * n_nodes):
        rows = _Rows(fit, piece)
        rows.fitted[:] = side > 0.0
        out[piece], lost = _scores(fit.posterior, rows, side)
        for i in np.flatnonzero(lost):
            out[piece.start + i] = _refitted(fit, rows.one(i))
    if fit.likelihood.weights_type == "precision" and d.weights is not None:
        out += 0.5 * np.log(np.where(d.weights > 0, d.weights, 1.0))
    return out


def _scores(posterior, rows, side):
    """Log predictive densities of rows, and which of them lose too many digits this way."""
    mixture = posterior.conditional(rows.x)
    value, spread = _log_predictive(rows, mixture.mean, mixture.bounded, mixture.per_dispersion, mixture.t, side)
    lost = (spread.min(axis=0) < _ALONE) & (rows.w > 0)
    if mixture.t.size == 1:  # the dispersion is known
        out = value[0]
    else:
        out = side * logsumexp(posterior.log_precision.log_nodes[1][:, None] + side * value, axis=0)
        beyond = _has_mass_beyond(posterior, mixture.t, side * value) & (rows.w > 0)
        if side < 0.0:
            return out, lost | beyond
        if rows.fitted.any():
            infinite = _is_infinite(posterior, rows)
            out[infinite] = np.inf
            beyond &= ~infinite
        for i in np.flatnonzero(beyond):
            out[i] = _own_quadrature(posterior, rows.one(i))
    return out, lost


def _is_infinite(posterior, rows):
    """Which rows of the posterior's data have p(y_i | y) = infinity: the fit is exact and the dispersion may be 0."""
    density = posterior.log_precision.density
    if density.b > 0.0 or density.upper < np.inf:
        return np.zeros(rows.y.size, bool)
    return 0.5 * rows.count >= tail_slopes(density)[1]


def _has_mass_beyond(posterior, t, value):
    """For which integrands, density times exp(value), some mass lies where the nodes `t` do not resolve it.

    Between the nodes of a panel the integrand must change moderately, as the posterior's own density does.
    """
    integrand = _heights(posterior, t)[:, None] + value
    high = integrand.max(axis=0) - _TAIL
    panels = integrand.reshape(-1, POINTS.size, value.shape[1])
    top = panels.max(axis=1)
    beyond = ((top > high) & (top - panels.min(axis=1) > _STEEP)).any(axis=0)
    density, room = posterior.log_precision.density, 0.01 * (t[-1] - t[0])
    if t[0] - room > density.lower:
        beyond |= integrand[0] > high
    if t[-1] + room < density.upper:
        beyond |= integrand[-1] > high
    return beyond


def _heights(posterior, t):
    """Log density of log precisions relative to its maximum."""
    law = posterior.log_precision
    out = np.empty(t.size)
    rises(law.density, law.mode, t, out)
    return out


def _own_quadrature(posterior, row):
    """log p(y_i | y) of a row with mass of the integrand beyond the posterior's own nodes: an outlier in much data."""

    def integrand(t):
        log_p, _ = _log_predictive(row, *posterior.given_log_precision(row.x, t), t, 1.0)
        return _heights(posterior, t) + log_p[:, 0]

    law = posterior.log_precision
    t, weight = law.nodes
    centre = weight @ t
    edges = _panels(integrand, centre, np.sqrt(weight @ (t - centre) ** 2), law.density.lower, law.density.upper)
    half = 0.5 * np.diff(edges)[:, None]
    nodes = (0.5 * (edges[1:] + edges[:-1])[:, None] + half * POINTS).ravel()
    mass = law.log_normaliser - law.log_value(law.mode)
    return logsumexp(np.log(half * WEIGHTS).ravel() + integrand(nodes)) - mass


def _panels(g, centre, width, lower, upper):
    """Edges of panels on which exp(g) is smooth, wherever it counts."""
    edges = np.array([centre])
    values = g(edges)
    for limit, sign in ((lower, -1.0), (upper, 1.0)):
        step = width
        while True:
            edge = edges[0] + sign * step if sign < 0 else edges[-1] + step
            edge = max(edge, limit) if sign < 0 else min(edge, limit)
            if not abs(edge) < _LARGEST:
                break
            where = 0 if sign < 0 else edges.size
            edges, values = np.insert(edges, where, edge), np.insert(values, where, g(np.array([edge])))
            if edge == limit or values[where if sign < 0 else -1] < values.max() - _NEGLIGIBLE:
                break
            step *= 1.5
    while edges.size < 5000:
        middle = 0.5 * (edges[1:] + edges[:-1])
        between = g(middle)
        ends = np.maximum(values[1:], values[:-1])
        counts = np.maximum(ends, between) > max(values.max(), between.max()) - _NEGLIGIBLE
        bent = np.abs(between - 0.5 * (values[1:] + values[:-1])) > 0.5
        split = counts & (bent | (np.abs(np.diff(values)) > 8.0))
        if not split.any():
            return edges
        order = np.argsort(np.concatenate([edges, middle[split]]))
        edges = np.concatenate([edges, middle[split]])[order]
        values = np.concatenate([values, between[split]])[order]
    return edges


def _refitted(fit, row):
    """The score of one row from the posterior without it."""
    d, at = fit.design, row.position[0]
    keep = np.delete(np.arange(d.X.shape[0]), at)
    if keep.size == 0 or (d.weights is not None and not d.weights[keep].any()):
        rest = Rows(np.zeros_like(fit.rows.triangle), 0.0, 0.0, 0.0)
    else:
        offset, weights = (np.empty(0) if part is None else part[keep] for part in (d.offset, d.weights))
        rest = reduce(d.y[keep], d.X[keep], offset, weights, fit.likelihood.weights_type)
    try:
        return _scores(fit.prior.build(rest, fit.prior.coefficient_for(fit.names, len(fit.names))), row, 1.0)[0][0]
    except ImproperPosteriorError as error:
        raise InputError(f"leave-one-out is undefined: without the row at position {at}, {error}") from None


def psislw():
    """ArviZ's Pareto smoothing, whichever generation is installed: function(log_weights, reff=...)."""
    try:
        from arviz.stats import psislw as smooth
    except ImportError:
        try:
            from arviz_stats.base import array_stats
        except ImportError:
            raise MissingDependencyError("loo(method='psis') needs ArviZ: pip install 'glmbayes[arviz]'.") from None

        def smooth(log_weights, reff):  # since ArviZ 1.0 it takes the log-likelihood
            return array_stats.psislw(-log_weights, r_eff=reff)

    return smooth


def psis_loo(fit):
    """PSIS-LOO from the draws, through ArviZ."""
    smooth = psislw()
    n_draws = fit.draws.coefficients.shape[0]
    if n_draws < _FEWEST:
        raise InputError(f"PSIS-LOO needs at least {_FEWEST} draws; got {n_draws}.")
    n = fit.design.X.shape[0]
    pointwise, k = np.empty(n), np.empty(n)
    for rows in observation_blocks(n, 4 * n_draws):
        values = fit.log_lik_rows(rows)
        log_weights, shape = smooth(-values.T, reff=fit.efficiency)
        log_weights = np.asarray(log_weights)
        pointwise[rows] = logsumexp(values.T + log_weights, axis=1) - logsumexp(log_weights, axis=1)
        k[rows] = np.asarray(shape)
    return _assemble(fit, pointwise, "psis", k)


def _assemble(fit, pointwise, method, k):
    elpd, se = score(pointwise, fit.used_rows)
    log_mean, _ = pointwise_log_mean(fit) if method == "psis" else (log_predictive(fit), None)
    p_loo = float(log_mean[fit.used_rows].sum() - elpd)
    return LOO(elpd, se, p_loo, -2.0 * elpd, pointwise, method, k)
