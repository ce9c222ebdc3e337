"""Mixed models: compiled sweeps beside NumPy versions of the same or a plainer sampler, and exact Eight Schools.

lmerb: time to an effective sample size, for many groups and for two large crossed factors, and the first call.
"""

import os
import subprocess
import sys
import tempfile
import time

import numpy as np
import pandas as pd
from harness import Table, in_words, normals
from numba import njit

from glmbayes import GroupedDesign, datasets, dFlat, dGamma, dNormal, glmerb, kernels, lmerb, rlmb, rlmb_blocks
from glmbayes.chains import diagnostics

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


def block_calls(y, x, z, group, sweeps):
    """The lecture's order in a Python loop of rlmb_blocks and rlmb, on the few rows that a GroupedDesign leaves."""
    design = GroupedDesign.of(y, x, z, group)
    data, prior = design.data, design.unit_information()[0]
    m, q = data.ry.shape
    p = x.shape[1]
    Z, sizes, zero = data.rz.reshape(-1, q), np.full(m, q), np.zeros(q)
    X = np.concatenate([data.rx.reshape(-1, p), data.within[:, :p]])
    response = np.concatenate([data.ry.ravel(), data.within[:, p]])
    shape, rate = 0.5 * (prior.nu_0 + data.n - response.size), 0.5 * prior.nu_0 * prior.sigma2_0
    covariance = np.linalg.inv(prior.beta_precision)
    beta, sigma2, Psi = prior.beta_mean.copy(), prior.sigma2_0, prior.Psi_0.copy()
    rest, out = response.copy(), np.empty((sweeps, p))
    for k in range(sweeps):
        groups = dNormal(zero, Psi, dispersion=sigma2)
        a = rlmb_blocks(1, (response - X @ beta)[: m * q], Z, groups, sizes=sizes, rng=rng).coefficients[0]
        rest[: m * q] = response[: m * q] - (data.rz @ a[:, :, None]).ravel()
        sigma2 = rlmb(1, rest, X, dGamma(shape, rate, beta=beta), rng=rng).dispersion[0]
        kernels.draw_inverse_wishart(rng, prior.eta_0 + m, prior.Psi_0 + a.T @ a, Psi)
        population = dNormal(prior.beta_mean, covariance, dispersion=sigma2)
        beta = out[k] = rlmb(1, rest, X, population, rng=rng).coefficients[0]
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


def ratings(seed=1):
    """73,421 ratings of 1,128 lecturers by 2,972 students, of the shape of lme4's InstEval."""
    generator = np.random.default_rng(seed)
    student = np.sort(generator.integers(2972, size=73_421))
    lecturer = generator.choice(1128, 73_421, p=generator.dirichlet(np.full(1128, 2.0)))
    y = 3.3 + 0.32 * generator.standard_normal(2972)[student] + 0.52 * generator.standard_normal(1128)[lecturer]
    y += 1.18 * generator.standard_normal(73_421)
    return pd.DataFrame({"y": y, "s": student.astype(str), "d": lecturer.astype(str)})


def until(effective, formula, frame, n, fixed):
    """CPU seconds of lmerb per `effective` draws of the slowest fixed effect and of the slowest variance component."""
    lmerb(formula, frame, n=4, burn_in=1)  # compile
    start = time.process_time()
    fit = lmerb(formula, frame, n=n, rng=rng)
    spent = time.process_time() - start
    ess = fit.chains.summary()["ess_bulk"]
    return spent * effective / ess.iloc[:fixed].min(), spent * effective / ess.iloc[fixed:].min(), fit.sampler


FIRST = (
    "import time; import glmbayes as g; d = g.datasets.load('sleepstudy'); c = time.process_time();"
    "g.lmerb('Reaction ~ Days + (Days | Subject)', d, n=8); print(time.process_time() - c)"
)


def first_call():
    """CPU seconds of the first lmerb in a new process with nothing compiled."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "NUMBA_CACHE_DIR": folder}
        out = subprocess.run([sys.executable, "-c", FIRST], check=True, capture_output=True, text=True, env=environment)
    return float(out.stdout)


def clinics(seed=1934):
    """A binary response of 1,934 rows in 60 groups, as in the Bangladesh contraception survey."""
    generator = np.random.default_rng(seed)
    group = np.sort(np.concatenate([np.arange(60), generator.integers(60, size=1874)]))
    x = np.column_stack([np.ones(1934), generator.standard_normal((1934, 3)), generator.random(1934) < 0.3])
    eta = x @ [-0.8, 0.3, -0.4, 0.2, 0.7] + 0.5 * generator.standard_normal(60)[group]
    return (generator.random(1934) < 1.0 / (1.0 + np.exp(-eta))).astype(float), x, group


def metropolis_within_gibbs(y, x, group, shape, rate, sweeps, generator):
    """Random-intercept logit in NumPy: all groups' effects by one vectorised random walk, beta by another.

    Step sizes from the curvature; the precision of the effects has a Gamma(shape, rate) prior and a conjugate draw.
    """
    m, p = int(group.max()) + 1, x.shape[1]
    beta, a, tau2 = np.zeros(p), np.zeros(m), 0.25
    for _ in range(8):  # the fit without groups, for the walk's covariance
        mu = 1.0 / (1.0 + np.exp(-x @ beta))
        information = x.T @ ((mu * (1.0 - mu))[:, None] * x)
        beta = beta + np.linalg.solve(information, x.T @ (y - mu))
    walk = 2.4 / np.sqrt(p) * np.linalg.inv(np.linalg.cholesky(information)).T
    worth = np.bincount(group, mu * (1.0 - mu), m)

    def log_lik(eta):
        return y * eta - np.logaddexp(0.0, eta)

    out = np.empty((sweeps, p + 1))
    fixed = x @ beta
    value = log_lik(fixed + a[group])
    for k in range(sweeps):
        trial = a + 2.4 / np.sqrt(worth + 1.0 / tau2) * generator.standard_normal(m)
        other = log_lik(fixed + trial[group])
        ratio = np.bincount(group, other - value, m) - 0.5 * (trial**2 - a**2) / tau2
        taken = np.log(generator.random(m)) < ratio
        a = np.where(taken, trial, a)
        value = np.where(taken[group], other, value)
        step = x @ (walk @ generator.standard_normal(p))
        other = log_lik(fixed + step + a[group])
        if np.log(generator.random()) < (other - value).sum():
            fixed, value = fixed + step, other
        tau2 = (rate + 0.5 * a @ a) / generator.standard_gamma(shape + 0.5 * m)
        out[k, :p], out[k, p] = fixed[:p], np.sqrt(tau2)
    out[:, :p] = np.linalg.lstsq(x[:p], out[:, :p].T)[0].T
    return out


def binary():
    """Time to an effective sample size of 1,000 of the worst of fixed effects and the groups' standard deviation."""
    y, x, group = clinics()
    frame = pd.DataFrame({"y": y, "a": x[:, 1], "b": x[:, 2], "c": x[:, 3], "d": x[:, 4], "g": group.astype(str)})
    formula, priors = "y ~ a + b + c + d + (1 | g)", {"g": dGamma(1.0, 0.1)}
    glmerb(formula, frame, "binomial", priors, n=4, burn_in=1)
    print(
        "\nRandom-intercept logit, 1,934 rows, 60 groups: time to an effective sample size of 1,000 of every parameter"
    )
    start = time.perf_counter()
    fit = glmerb(formula, frame, "binomial", priors, n=2000, chains=2, burn_in=200, rng=rng)
    spent = time.perf_counter() - start
    ours = spent * 1000 / fit.chains.summary()["ess_bulk"].min()
    start = time.perf_counter()
    chains = np.stack([metropolis_within_gibbs(y, x, group, 1.0, 0.1, 6000, rng)[1000:] for _ in range(2)])
    spent = time.perf_counter() - start
    theirs = spent * 1000 / diagnostics.ess_bulk(chains).min()
    print(f"  glmerb                           {in_words(ours):>8}")
    print(f"  Metropolis within Gibbs, NumPy   {in_words(theirs):>8}   ({theirs / ours:.1f} times)")
    apart = np.abs(chains.mean(axis=(0, 1))[:-1] - fit.posterior_mean) / fit.posterior_sd
    print(f"  their fixed effects differ by at most {apart.max():.2f} posterior standard deviations")


def main():
    y, x, group = students()
    z = x[:, :3].copy()
    prior, state = GroupedDesign.of(y, x, z, group).unit_information()
    table = Table(f"Hoff's sampler, 146 groups, 2,742 rows, q = 3, p = 4: {SWEEPS} sweeps, set-up included", rounds=3)
    arguments = (y, x, z, group, prior, state)

    def floor():
        return normals(rng, SWEEPS * (146 * 3 + 4))

    table.row("lecture's order", lambda: ours(lecture, *arguments),
              lambda: numpy_sampler(y, x, z, group, prior, SWEEPS, rng), 0.1, floor)  # fmt: skip
    table.row("beta and effects together", lambda: ours(joint, *arguments), None, 0.13, floor)
    table.row("Python loop of block calls", lambda: block_calls(y, x, z, group, SWEEPS), None, 1.0, floor)

    schools, flat = datasets.load("eight_schools"), {"school": dFlat()}
    table = Table("Eight Schools, flat prior: 10,000 exact draws of (mu, tau, theta)")
    formula = "estimate_rounded ~ 1 + (1 | school)"
    table.row(
        "lmerb, formula included",
        lambda: lmerb(formula, schools, flat, se="sd_rounded", n=10_000, rng=rng),
        target=0.012,
        floor=lambda: rng.standard_normal((10_000, 10)),
    )

    frame = pd.DataFrame({"y": y, "hwh": x[:, 1], "ses": x[:, 2], "hflp": x[:, 3], "school": group.astype(str)})
    formula = "y ~ hwh + ses + hflp + (hwh + ses | school)"
    fixed, components, sampler = until(1000, formula, frame, 4000, 4)
    print(f"\nlmerb on the same data ({sampler}):")
    print("CPU time to an effective sample size of 1,000 of every")
    print(f"  fixed effect        {in_words(fixed):>8}   (target 100 ms; one fit by lmer takes about 360 ms)")
    print(f"  variance component  {in_words(components):>8}   (target 500 ms)")
    _, components, sampler = until(400, "y ~ 1 + (1 | s) + (1 | d)", ratings(), 1000, 1)
    print(f"\nTwo crossed factors, 73,421 rows, 4,100 levels ({sampler}):")
    print(f"CPU time to an effective sample size of 400 of every sd {in_words(components)} (target 20 s)")
    binary()
    print(f"\nFirst lmerb call with nothing compiled: {in_words(first_call())} CPU (target 15 s)")


if __name__ == "__main__":
    main()
