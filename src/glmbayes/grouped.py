"""GroupedDesign: the data of a mixed model reduced to sufficient statistics per group."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from glmbayes.checks import EMPTY, float_array, refuse_rows, regression_arrays
from glmbayes.errors import InputError
from glmbayes.kernels.grouped import GroupedData, reduce_groups
from glmbayes.kernels.mixed import MixedPrior, MixedState
from glmbayes.priors.wishart import dWishart
from glmbayes.rlmb_blocks import sort_blocks


@dataclass(frozen=True, eq=False)
class GroupedDesign:
    """Sufficient statistics of y_j = X_j beta + Z_j a_j + e_j: a Gibbs sweep over m groups costs O(m q^3), not O(N).

    Build one with `GroupedDesign.of`.

    Attributes
    ----------
    data : GroupedData
        What the sweeps of `glmbayes.kernels` take.
    labels : (m,) array
        Group labels in order of first appearance.
    sizes : (m,) int array
        Rows of each group.

    Examples
    --------
    >>> import numpy as np
    >>> from glmbayes import GroupedDesign, kernels
    >>> rng = np.random.default_rng(1)
    >>> group = np.repeat(np.arange(6), 4)
    >>> x = np.column_stack([np.ones(24), rng.standard_normal(24)])
    >>> y = 1.0 + rng.standard_normal(6)[group] + rng.standard_normal(24)
    >>> design = GroupedDesign.of(y, x, x[:, :1], group)
    >>> prior, state = design.unit_information()
    >>> for _ in range(100):
    ...     state = kernels.mixed_joint_sweep(rng, design.data, prior, state)
    >>> state.effects.shape
    (6, 1)
    """

    data: GroupedData
    labels: np.ndarray
    sizes: np.ndarray

    @classmethod
    def of(cls, y, X, Z, group):
        """Reduce the rows of a mixed model.

        Parameters
        ----------
        y : (N,) array_like
        X : (N, p) array_like or None
            Columns with the same coefficients in all groups; None for none.
        Z : (N, q) array_like
            Columns with coefficients that vary by group.
        group : (N,) array_like
            Labels, in any order of rows.
        """
        y, Z, _, _ = regression_arrays(y, Z, None, None)
        n, q = Z.shape
        X = np.empty((n, 0)) if X is None else float_array(X, "X", 2)
        if X.shape[0] != n:
            raise InputError(f"X must have as many rows as y has entries ({n}); got shape {X.shape}.")
        order, starts, labels = sort_blocks(group, n, "group")
        if order is not None:
            y, X, Z = y[order], np.ascontiguousarray(X[order]), Z[order]
        m, p = labels.size, X.shape[1]
        rz, rx, ry = np.empty((m, q, q)), np.empty((m, q, p)), np.empty((m, q))
        within = np.empty((p + 1, p + 1))
        fine = reduce_groups(y, X, Z, starts, rz, rx, ry, within)
        with np.errstate(over="ignore"):
            squares = sum(np.square(part).sum() for part in (rz, rx, ry, within))
        if not fine or not np.isfinite(squares):
            refuse_rows(y, X, EMPTY, EMPTY)
            refuse_rows(y, Z, EMPTY, EMPTY)
        xtx = np.einsum("jik,jih->kh", rx, rx) + within[:, :p].T @ within[:, :p]
        return cls(GroupedData(rz, rx, ry, within, np.ascontiguousarray(xtx), float(n)), labels, np.diff(starts))

    @property
    def m(self):
        """Number of groups."""
        return self.data.ry.shape[0]

    @property
    def p(self):
        """Columns of X."""
        return self.data.rx.shape[2]

    @property
    def q(self):
        """Columns of Z."""
        return self.data.rz.shape[2]

    def __repr__(self):
        return f"GroupedDesign: {int(self.data.n)} rows in {self.m} groups, p = {self.p}, q = {self.q}"

    def prior(self, beta_mean, beta_covariance, Psi, nu_0, sigma2_0):
        """The conjugate prior of the sweeps.

        Parameters
        ----------
        beta_mean, beta_covariance : (p,) and (p, p) array_like
            For `random_coefficients_sweep` q in place of p.
        Psi : dWishart
            Prior on the covariance of the group effects.
        nu_0, sigma2_0 : float
            1 / sigma2 ~ Gamma(nu_0 / 2, rate nu_0 sigma2_0 / 2).
        """
        if not isinstance(Psi, dWishart) or Psi.q != self.q:
            raise InputError(f"Psi must be a dWishart prior for {self.q} effects per group; got {Psi!r}.")
        mean = float_array(beta_mean, "beta_mean", 1).copy()
        covariance = float_array(beta_covariance, "beta_covariance", 2)
        if covariance.shape != (mean.size, mean.size) or mean.size not in (self.p, self.q):
            raise InputError(
                f"beta_mean and beta_covariance must be (p,) and (p, p) with p = {self.p} (or q = {self.q} for random "
                f"coefficients); got {mean.shape} and {covariance.shape}."
            )
        if not (nu_0 > 0 and sigma2_0 > 0):
            raise InputError(f"nu_0 and sigma2_0 must be positive; got {nu_0!r} and {sigma2_0!r}.")
        return MixedPrior(
            mean, np.linalg.inv(covariance), float(Psi.df), np.array(Psi.Psi_0), float(nu_0), float(sigma2_0)
        )

    @cached_property
    def _ridge(self):
        """Least squares of all rows for beta, then ridge estimates (penalty 1) of each group's effects.

        Returns beta (p,), effects (m, q), their squared errors, and the degrees of freedom that these leave.
        """
        d = self.data
        stacked = np.concatenate([d.rx.reshape(self.m * self.q, self.p), d.within[:, : self.p]])
        target = np.concatenate([d.ry.ravel(), d.within[:, self.p]])
        beta = np.linalg.lstsq(stacked, target, rcond=None)[0] if self.p else np.empty(0)
        rest = d.ry - d.rx @ beta
        effects = np.linalg.solve(
            np.swapaxes(d.rz, 1, 2) @ d.rz + np.eye(self.q), np.einsum("jik,ji->jk", d.rz, rest)[..., None]
        )[..., 0]
        errors = float(((rest - np.einsum("jik,jk->ji", d.rz, effects)) ** 2).sum())
        errors += float(((d.within[:, self.p] - d.within[:, : self.p] @ beta) ** 2).sum())
        return beta, effects, errors, float(np.maximum(0, self.sizes - self.q).sum())

    def unit_information(self, beta_variance=None):
        """The unit-information prior of Hoff's lecture, and the state that it starts from.

        beta_0 is least squares over all rows (without X: the mean of the groups' ridge estimates), Psi_0 the moment
        matrix of the groups' ridge estimates, eta_0 = q + 1, sigma2_0 their mean squared error, nu_0 = 2.

        Parameters
        ----------
        beta_variance : float, optional
            Prior variance of every fixed effect: by default 50 with X, and sigma2_0 without (as in the lecture).

        Returns
        -------
        (MixedPrior, MixedState)
        """
        beta, effects, errors, df = self._ridge
        if not df > 0:
            raise InputError("unit_information needs groups with more rows than effects; state the prior instead.")
        sigma2 = errors / df
        if self.p == 0:
            beta = effects.mean(axis=0)
            Psi_0 = np.atleast_2d(np.cov(effects, rowvar=False))
            variance = sigma2 if beta_variance is None else beta_variance
        else:
            Psi_0 = effects.T @ effects / self.m
            variance = 50.0 if beta_variance is None else beta_variance
        prior = self.prior(beta, variance * np.eye(beta.size), dWishart(self.q + 1, Psi_0), 2.0, sigma2)
        return prior, MixedState(beta.copy(), effects.copy(), float(sigma2), Psi_0.copy())
