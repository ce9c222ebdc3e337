"""Hoff's Gibbs samplers for linear mixed models, hand-written with blocks: in Python, compiled, and by formula.

The lecture (P. Hoff, Duke STA 610) models a mathematics score of 2,742 students in 146 schools by homework,
socio-economic status and a school-level predictor.  Its data may not be distributed, so a set of the same shape is
simulated from its published estimates; give the path of the original CSV (columns group, mscore, hwh, ses, hflp) to use
that instead.  Usage: mixed_model_gibbs.py [picture folder] [CSV]
"""

import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from numba import njit

from glmbayes import GroupedDesign, gibbs, kernels, lmerb
from glmbayes.kernels import MixedState

BETA = [50.264, 0.1036, 3.402, -3.858]  # printed: posterior means of (1, hwh, ses, hflp)
SD = [0.516, 0.0566, 0.291, 0.685]
PSI = [[12.094, 0.154, 0.746], [0.154, 0.0993, 0.0883], [0.746, 0.0883, 2.360]]
SIGMA2 = 70.387
LMER = [50.269, 0.106, 3.406, -3.858]


def simulated_schools(seed=610):
    """2,742 students in 146 schools of 4 to 35, from the published estimates."""
    rng = np.random.default_rng(seed)
    sizes = np.full(146, 4)
    sizes += rng.multinomial(2742 - sizes.sum(), rng.dirichlet(np.full(146, 4.0)))
    group = np.repeat(np.arange(1, 147), sizes)
    hflp = (rng.random(146) < 0.6).astype(float)[group - 1]
    hwh = rng.poisson(2.8, group.size).astype(float)
    ses = 0.45 * rng.standard_normal(146)[group - 1] + 0.65 * rng.standard_normal(group.size) - 0.1
    a = rng.multivariate_normal(np.zeros(3), PSI, 146)[group - 1]
    mean = BETA[0] + a[:, 0] + (BETA[1] + a[:, 1]) * hwh + (BETA[2] + a[:, 2]) * ses + BETA[3] * hflp
    score = mean + np.sqrt(SIGMA2) * rng.standard_normal(group.size)
    return pd.DataFrame({"group": group.astype(str), "mscore": score, "hwh": hwh, "ses": ses, "hflp": hflp})


def python_step(rng, state, data, prior):
    """The lecture's sweep (fixed and random effects) in NumPy, on the sufficient statistics of `GroupedDesign`."""
    m, q = data.ry.shape
    s2 = state.sigma2
    # group effects: all groups at once
    precision = np.linalg.inv(state.Psi) + np.swapaxes(data.rz, 1, 2) @ data.rz / s2
    e = data.ry - data.rx @ state.beta
    root = np.linalg.cholesky(precision)
    mean = np.linalg.solve(precision, np.einsum("jik,ji->jk", data.rz, e)[..., None] / s2)
    noise = np.linalg.solve(np.swapaxes(root, 1, 2), rng.standard_normal((m, q, 1)))
    effects = (mean + noise)[..., 0]
    # residual variance
    p = state.beta.size
    within = data.within[:, p] - data.within[:, :p] @ state.beta
    rest = e - np.einsum("jik,jk->ji", data.rz, effects)
    sigma2 = (
        0.5
        * (prior.nu_0 * prior.sigma2_0 + (rest**2).sum() + within @ within)
        / rng.standard_gamma(0.5 * (prior.nu_0 + data.n))
    )
    # covariance of the group effects
    Psi = np.empty((q, q))
    kernels.draw_inverse_wishart(rng, prior.eta_0 + m, prior.Psi_0 + effects.T @ effects, Psi)
    # fixed effects
    precision = prior.beta_precision + data.xtx / sigma2
    target = np.einsum("jik,ji->k", data.rx, data.ry - np.einsum("jik,jk->ji", data.rz, effects))
    target += data.within[:, :p].T @ data.within[:, p]
    root = np.linalg.cholesky(precision)
    beta = np.linalg.solve(precision, prior.beta_precision @ prior.beta_mean + target / sigma2)
    beta += np.linalg.solve(root.T, rng.standard_normal(p))
    return MixedState(beta, effects, float(sigma2), Psi)


@njit
def lecture_step(rng, state, data, prior):
    return kernels.mixed_sweep(rng, data, prior, state)


@njit
def joint_step(rng, state, data, prior):
    return kernels.mixed_joint_sweep(rng, data, prior, state)


@njit
def coefficients_step(rng, state, data, prior):
    return kernels.random_coefficients_sweep(rng, data, prior, state)


def report(name, chains, seconds, sweeps):
    """One line per parameter: mean, sd, and effective draws per second."""
    table = chains.summary(["beta", "sigma2"])
    speed = table["ess_bulk"].iloc[:-1].min() / seconds
    print(f"\n{name}: {sweeps} sweeps in {seconds:.3f} s")
    print(f"{speed:,.0f} effective draws a second of the slowest fixed effect")
    print(table.iloc[:, [0, 1, 6, 8]].round(4).to_string())


def main(folder, path=None, sweeps=2000, burn_in=200, seed=1):
    data = simulated_schools() if path is None else pd.read_csv(path, dtype={"group": str})
    print(
        f"{'Simulated' if path is None else 'Original'} data: {len(data)} students in {data['group'].nunique()} schools"
    )
    X = np.column_stack([np.ones(len(data)), data["hwh"], data["ses"], data["hflp"]])
    y, Z = data["mscore"].to_numpy(), X[:, :3].copy()
    group, runs = data["group"].to_numpy(), {}
    design = GroupedDesign.of(y, X, Z, group)
    steps = {
        "the lecture's order, Python": (python_step, design),
        "the lecture's order, compiled": (lecture_step, design),
        "beta and effects together, compiled": (joint_step, design),
        "random coefficients, no school predictor, compiled": (coefficients_step, GroupedDesign.of(y, None, Z, group)),
    }
    for name, (step, reduced) in steps.items():
        prior, start = reduced.unit_information()
        options = {"chains": 1, "rng": seed, "args": (reduced.data, prior)}
        gibbs(step, start, draws=1, **options)  # compile
        begin = time.perf_counter()
        runs[name] = gibbs(step, start, draws=sweeps, burn_in=burn_in, **options)
        report(name, runs[name], time.perf_counter() - begin, sweeps + burn_in)

    begin = time.perf_counter()
    fit = lmerb("mscore ~ hwh + ses + hflp + (hwh + ses | group)", data, rng=seed)
    print(
        f"\nlmerb: {fit.n_draws} draws in {time.perf_counter() - begin:.2f} s (a first call: compiled code is loaded)"
    )
    print(fit.summary())

    joint = runs["beta and effects together, compiled"]
    print(f"\n{'':>8}{'Gibbs':>9}{'sd':>8}{'lmerb':>9}{'lecture':>10}{'sd':>8}{'lmer':>9}"
          + ("" if path else "   (lecture and lmer: the original data)"))  # fmt: skip
    for k, name in enumerate(("1", "hwh", "ses", "hflp")):
        x = joint.draws["beta"][:, :, k]
        print(
            f"{name:>8}{x.mean():>9.3f}{x.std():>8.3f}{fit.posterior_mean.iloc[k]:>9.3f}{BETA[k]:>10.3f}{SD[k]:>8.3f}{LMER[k]:>9.3f}"
        )
    print(
        f"{'sigma2':>8}{joint['sigma2'].mean():>9.2f}{joint['sigma2'].std():>8.2f}{fit.draws.sigma2.mean():>9.2f}{SIGMA2:>10.2f}"
    )
    for i, name in enumerate(("1", "hwh", "ses")):
        x, ours = joint.draws["Psi"][:, :, i, i], fit.draws.covariance[0][:, i, i]
        print(f"{'Psi ' + name:>8}{x.mean():>9.3f}{x.std():>8.3f}{ours.mean():>9.3f}{PSI[i][i]:>10.3f}")
    z = np.abs(joint.draws["beta"].mean(axis=(0, 1)) - BETA) / np.array(SD)
    if z.max() > (0.5 if path else 5.0):  # simulated data scatter around the parameters that they come from
        raise SystemExit(f"a fixed effect is {z.max():.1f} posterior sds from the published one")
    pictures(folder, runs, fit)


def pictures(folder, runs, fit):
    """Autocorrelation of both orders, schools, shrinkage, variance components."""
    import matplotlib.pyplot as plt

    folder.mkdir(parents=True, exist_ok=True)
    figure, axes = plt.subplots(2, 4, figsize=(12, 4.4), layout="constrained")
    for row, name in zip(axes, list(runs)[1:3]):
        runs[name].plot("autocorrelation", "beta", ax=row)
        row[0].set_ylabel(name.split(",")[0], fontsize=8)
    figure.savefig(folder / "mixed_autocorrelation.png", dpi=120)
    fit.plot_ranef().figure.savefig(folder / "mixed_schools.png", dpi=120)
    fit.plot_shrinkage().figure.savefig(folder / "mixed_shrinkage.png", dpi=120)
    fit.plot_components()[0].figure.savefig(folder / "mixed_components.png", dpi=120)
    plt.close("all")
    print(f"\nPictures saved to {folder}")


if __name__ == "__main__":
    main(
        Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "output",
        sys.argv[2] if len(sys.argv) > 2 else None,
    )
