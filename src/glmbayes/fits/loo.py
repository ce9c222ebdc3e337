"""Leave-one-out prediction: exact for Gaussian models, Pareto-smoothed importance sampling otherwise."""

import numpy as np
from scipy.special import logsumexp

from glmbayes.errors import ImproperPosteriorError, InputError, MissingDependencyError
from glmbayes.fits.blocks import observation_blocks
from glmbayes.fits.criteria import LOO, pointwise_log_mean, score
from glmbayes.kernels.quadrature import rises
from glmbayes.posteriors.moments import LOG_2PI
from glmbayes.rows import Rows, reduce

_TAIL = 30.0  # an integrand that is within this of its maximum (in logs) at the last node has not been seen whole
_NEGLIGIBLE = 46.0
_ALONE = 1e-6  # one minus leverage below which rounding hides what is left without the row
_PANELS = 32  # of an integrand of its own, looked at in one step
_POINTS, _WEIGHTS = np.polynomial.legendre.leggauss(20)  # of a panel


def exact_loo(fit):
    """log p(y_i | y without i), without Monte Carlo error.

    Given the precision u everything is normal: with h_i = u w_i Var(eta_i | u) and e_i the residual,

        log p(y_i | rest, u) = c_i/2 (log u - log 2 pi) + 1/2 log(1 - h_i) - u w_i e_i^2 / (2 (1 - h_i)) + b_i,

    c_i = w_i and b_i = 0 for frequency weights, c_i = 1 and b_i = log(w_i) / 2 for precision weights.  Over u,
    p(u | rest) is proportional to p(u | y) / p(y_i | rest, u), so p(y_i | rest) is one over the posterior expectation
    of 1 / p(y_i | rest, u).  No refits, but for rows of leverage 1 (at most p of them), where 1 - h_i cancels.
    """
    return _assemble(fit, _row_scores(fit, -1.0), "exact", None)


def log_predictive(fit):
    """log p(y_i | y), the posterior mean of each observation's likelihood, without Monte Carlo error."""
    return _row_scores(fit, 1.0)


class _Rows:
    """Some rows of the fit: design, response less offset, weights, and what those count as."""

    def __init__(self, fit, rows):
        d = fit.design
        self.x = np.ascontiguousarray(d.X[rows])
        self.y = d.y[rows] if d.offset is None else d.y[rows] - d.offset[rows]
        self.w = np.ones(self.y.size) if d.weights is None else d.weights[rows]
        self.count = self.w if fit.likelihood.weights_type == "frequency" else (self.w > 0).astype(float)
        self.position = np.arange(d.X.shape[0])[rows]

    def one(self, i):
        """Row `i` of these."""
        new = object.__new__(_Rows)
        for name, value in self.__dict__.items():
            setattr(new, name, value[i : i + 1])
        return new


def _log_predictive(rows, mean, var, t, side):
    """log p(y_i | u) given the posterior with the rows (side = -1) or without (side = 1), and 1 - or + u w_i var_i.

    mean, var : (K, rows) arrays of the linear predictor without offset, given log precisions t (K,).
    """
    u = np.exp(t)[:, None] * rows.w
    spread = 1.0 + side * u * var
    safe = np.maximum(spread, 1e-300)
    value = 0.5 * rows.count * (t[:, None] - LOG_2PI) - 0.5 * side * np.log(safe)
    return value - 0.5 * u * (rows.y - mean) ** 2 / safe, spread


def _row_scores(fit, side):
    """Log predictive density of each row, with it (side = 1) or without it (side = -1) in the posterior."""
    d = fit.design
    out = np.empty(d.X.shape[0])
    n_nodes = fit.conditional(d.X[:1]).weight.size
    for piece in observation_blocks(out.size, 4 * n_nodes):
        rows = _Rows(fit, piece)
        out[piece], alone = _scores(fit.posterior, rows, side)
        for i in np.flatnonzero(alone & (rows.w > 0)):
            at = piece.start + int(i)
            out[at] = _scores(_posterior_without(fit, at), rows.one(i), 1.0)[0][0]
    if fit.likelihood.weights_type == "precision" and d.weights is not None:
        out += 0.5 * np.log(np.where(d.weights > 0, d.weights, 1.0))
    return out


def _scores(posterior, rows, side):
    """Log predictive densities of rows, and which of them the posterior hardly exists without."""
    mixture = posterior.conditional(rows.x)
    value, spread = _log_predictive(rows, mixture.mean, mixture.var, mixture.t, side)
    with np.errstate(divide="ignore"):
        out = side * logsumexp(np.log(mixture.weight)[:, None] + side * value, axis=0)
    alone = spread.min(axis=0) < _ALONE
    if mixture.t.size > 1:  # the dispersion is not known
        integrand = _heights(posterior, mixture.t)[:, None] + side * value
        ends = _open_ends(posterior, mixture.t)
        beyond = (integrand[ends] > integrand.max(axis=0) - _TAIL).any(axis=0)
        for i in np.flatnonzero(beyond & ~alone & (rows.w > 0)):
            out[i] = _own_quadrature(posterior, rows.one(i), side)
    return out, alone


def _heights(posterior, t):
    """Log density of log precisions relative to its maximum."""
    law = posterior.log_precision
    out = np.empty(t.size)
    rises(law.density, law.mode, t, out)
    return out


def _open_ends(posterior, t):
    """Those ends (0, -1) of the nodes that are not at a limit of the log precision."""
    density = posterior.log_precision.density
    room = 0.01 * (t[-1] - t[0])
    return [end for end, inside in ((0, t[0] - room > density.lower), (-1, t[-1] + room < density.upper)) if inside]


def _own_quadrature(posterior, rows, side):
    """The score of a row whose integrand lies beyond the posterior's own nodes: an outlier in much data."""
    law = posterior.log_precision
    lower, upper = law.density.lower, law.density.upper
    t, weight = law.nodes
    centre = weight @ t
    width = np.sqrt(weight @ (t - centre) ** 2)
    log_w, height, value = [], [], []
    top = -np.inf
    for step in (-width, width):
        edge, seen = centre, False
        while not seen:
            edges = np.clip(edge + step * np.arange(_PANELS + 1), lower, upper)
            half = 0.5 * np.abs(np.diff(edges))[:, None]
            nodes = (0.5 * (edges[1:] + edges[:-1])[:, None] + half * _POINTS).ravel()
            if not abs(edges[-1]) < 600.0:
                raise InputError(
                    f"leave-one-out is undefined: without the row at position {rows.position[0]} the posterior of the "
                    "dispersion is improper."
                )
            with np.errstate(divide="ignore"):  # panels beyond a limit are empty
                log_w.append(np.log(half * _WEIGHTS).ravel())
            height.append(_heights(posterior, nodes))
            log_p, _ = _log_predictive(rows, *posterior.given_log_precision(rows.x, nodes), nodes, side)
            value.append(side * log_p[:, 0])
            integrand = height[-1] + value[-1]
            top = max(top, integrand.max())
            edge = edges[-1]
            seen = edge in (lower, upper) or integrand[-_POINTS.size :].max() < top - _NEGLIGIBLE
    mass = law.log_normaliser - law.log_value(law.mode)
    return side * (logsumexp(np.concatenate(log_w) + np.concatenate(height) + np.concatenate(value)) - mass)


def _posterior_without(fit, at):
    """The posterior without row `at`."""
    d = fit.design
    keep = np.delete(np.arange(d.X.shape[0]), at)
    if keep.size == 0 or (d.weights is not None and not d.weights[keep].any()):
        rest = Rows(np.zeros_like(fit.rows.triangle), 0.0, 0.0, 0.0)
    else:
        offset, weights = (np.empty(0) if part is None else part[keep] for part in (d.offset, d.weights))
        rest = reduce(d.y[keep], d.X[keep], offset, weights, fit.likelihood.weights_type)
    try:
        return fit.prior.build(rest, fit.prior.coefficient_for(fit.names, len(fit.names)))
    except ImproperPosteriorError as error:
        raise InputError(f"leave-one-out is undefined: without the row at position {at}, {error}") from None


def psis_loo(fit):
    """PSIS-LOO from the draws, through ArviZ."""
    try:
        from arviz.stats import psislw
    except ImportError:
        try:
            from arviz_stats.base import array_stats
        except ImportError:
            raise MissingDependencyError("loo(method='psis') needs ArviZ: pip install 'glmbayes[arviz]'.") from None

        def psislw(log_weights, reff):
            return array_stats.psislw(log_weights, r_eff=reff)

    n_draws = fit.draws.coefficients.shape[0]
    n = fit.design.X.shape[0]
    pointwise, k = np.empty(n), np.empty(n)
    for rows in observation_blocks(n, 4 * n_draws):
        values = fit.log_lik_rows(rows)
        log_weights, shape = psislw(-values.T, reff=fit.efficiency)
        log_weights = np.asarray(log_weights)
        pointwise[rows] = logsumexp(values.T + log_weights, axis=1) - logsumexp(log_weights, axis=1)
        k[rows] = np.asarray(shape)
    return _assemble(fit, pointwise, "psis", k)


def _assemble(fit, pointwise, method, k):
    elpd, se = score(pointwise, fit.used_rows)
    log_mean, _ = pointwise_log_mean(fit) if method == "psis" else (log_predictive(fit), None)
    p_loo = float(log_mean[fit.used_rows].sum() - elpd)
    return LOO(elpd, se, p_loo, -2.0 * elpd, pointwise, method, k)
