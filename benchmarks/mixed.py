"""Mixed models: compiled sweeps beside a batched NumPy version of the same sampler, and exact Eight Schools."""

import time

import numpy as np
import pandas as pd
from harness import Table, in_words
from numba import njit

from glmbayes import GroupedDesign, datasets, dFlat, kernels, lmerb

rng = np.random.default_rng(1)
SWEEPS = 2000


def students(seed=610):
    """2,742 students in 146 schools, as in P. Hoff's lecture."""
    generator = np.random.default_rng(seed)
    sizes = 4 + generator.multinomial(2742 - 4 * 146, generator.dirichlet(np.full(146, 4.0)))
    group = np.repeat(np.arange(146), sizes)
    x = np.column_stack([np.ones(2742), generator.poisson(2.8, 2742), generator.standard_normal(2742)])
    x = np.column_stack([x, (generator.random(146) < 0.6)[group]])
    effects = generator.multivariate_normal(np.zeros(3), np.diag([12.0, 0.1, 2.4]), 146)[group]
    y = x @ [50.3, 0.1, 3.4, -3.9] + (effects * x[:, :3]).sum(axis=1) + 8.4 * generator.standard_normal(2742)
    return y, x, group


def numpy_sampler(y, x, z, group, prior, sweeps, generator):
    """The lecture's order, all groups of a sweep batched; set-up included."""
    m, q, p = int(group.max()) + 1, z.shape[1], x.shape[1]
    ztz, ztx, zty = np.zeros((m, q, q)), np.zeros((m, q, p)), np.zeros((m, q))
    np.add.at(ztz, group, z[:, :, None] * z[:, None, :])
    np.add.at(ztx, group, z[:, :, None] * x[:, None, :])
    np.add.at(zty, group, z * y[:, None])
    xtx, xty = x.T @ x, x.T @ y
    beta, sigma2, Psi = prior.beta_mean.copy(), prior.sigma2_0, prior.Psi_0.copy()
    out = np.empty((sweeps, p))
    for k in range(sweeps):
        precision = np.linalg.inv(Psi) + ztz / sigma2
        root = np.linalg.cholesky(precision)
        linear = (zty - ztx @ beta) / sigma2
        a = np.linalg.solve(precision, linear[..., None])
        a = (a + np.linalg.solve(np.swapaxes(root, 1, 2), generator.standard_normal((m, q, 1))))[..., 0]
        residual = y - x @ beta - (z * a[group]).sum(axis=1)
        sse = residual @ residual
        sigma2 = 0.5 * (prior.nu_0 * prior.sigma2_0 + sse) / generator.standard_gamma(0.5 * (prior.nu_0 + y.size))
        kernels.draw_inverse_wishart(generator, prior.eta_0 + m, prior.Psi_0 + a.T @ a, Psi)
        precision = prior.beta_precision + xtx / sigma2
        target = xty - np.einsum("jik,ji->k", ztx, a)
        root = np.linalg.cholesky(precision)
        beta = np.linalg.solve(precision, prior.beta_precision @ prior.beta_mean + target / sigma2)
        beta = beta + np.linalg.solve(root.T, generator.standard_normal(p))
        out[k] = beta
    return out


@njit
def lecture(generator, data, prior, state, sweeps, out):
    for k in range(sweeps):
        state = kernels.mixed_sweep(generator, data, prior, state)
        out[k] = state.beta


@njit
def joint(generator, data, prior, state, sweeps, out):
    for k in range(sweeps):
        state = kernels.mixed_joint_sweep(generator, data, prior, state)
        out[k] = state.beta


def ours(run, y, x, z, group, prior, state):
    """Reduction of the rows and all sweeps."""
    design = GroupedDesign.of(y, x, z, group)
    out = np.empty((SWEEPS, x.shape[1]))
    run(rng, design.data, prior, state, SWEEPS, out)
    return out


def main():
    y, x, group = students()
    z = x[:, :3].copy()
    prior, state = GroupedDesign.of(y, x, z, group).unit_information()
    table = Table(f"Hoff's sampler, 146 groups, 2,742 rows, q = 3, p = 4: {SWEEPS} sweeps, set-up included", rounds=3)
    arguments = (y, x, z, group, prior, state)
    table.row("lecture's order", lambda: ours(lecture, *arguments),
              lambda: numpy_sampler(y, x, z, group, prior, SWEEPS, rng), target=0.1)  # fmt: skip
    table.row("beta and effects together", lambda: ours(joint, *arguments), target=0.13)

    schools, flat = datasets.load("eight_schools"), {"school": dFlat()}
    table = Table("Eight Schools, flat prior: 10,000 exact draws of (mu, tau, theta)")
    formula = "estimate_rounded ~ 1 + (1 | school)"
    table.row(
        "lmerb, formula included",
        lambda: lmerb(formula, schools, flat, se="sd_rounded", n=10_000, rng=rng),
        target=0.012,
    )

    frame = pd.DataFrame({"y": y, "hwh": x[:, 1], "ses": x[:, 2], "hflp": x[:, 3], "school": group.astype(str)})
    formula = "y ~ hwh + ses + hflp + (hwh + ses | school)"
    lmerb(formula, frame, n=4, burn_in=1)
    start = time.perf_counter()
    fit = lmerb(formula, frame, rng=rng)
    spent = time.perf_counter() - start
    ess = fit.chains.summary()["ess_bulk"]
    fixed, components = ess.iloc[:4].min(), ess.iloc[4:].min()
    print(f"\nlmerb on the same data: {in_words(spent)}, time to an effective sample size of 1,000 of every")
    print(f"  fixed effect        {in_words(spent * 1000 / fixed):>8}   (target 100 ms)")
    print(f"  variance component  {in_words(spent * 1000 / components):>8}   (target 500 ms)")


if __name__ == "__main__":
    main()
