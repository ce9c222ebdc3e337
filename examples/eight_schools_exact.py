"""Eight Schools, flat prior on (mu, tau): separate, pooled and hierarchical estimates, by Metropolis and exactly.

A well-known web exercise (after Gelman et al. 2013, Bayesian Data Analysis, section 5.5) finds the posterior mode of
(mu, log tau), runs a random walk from there and draws the school effects from its path.  The same is done here, and
beside it the posterior is drawn from exactly: 10,000 independent draws take a few milliseconds.  Pictures go to
examples/output/ or to the folder given as argument.
"""

import sys
import time
from pathlib import Path

import numpy as np
from numba import njit
from scipy.optimize import minimize

from glmbayes import datasets, dFlat, lmerb, metropolis

MODE, COVARIANCE = [7.926685, 1.841525], [[22.3232882, 0.1935228], [0.1935228, 0.5352576]]  # printed there
# posterior means and sds that are printed there, from 5,000 steps of the walk; exact means by quadrature over tau
PRINTED = [11.226786, 7.812253, 6.078697, 7.609353, 5.162853, 6.231208, 10.340858, 8.490497]
EXACT = [11.400, 7.895, 6.131, 7.645, 5.126, 6.139, 10.667, 8.457]
SHRINKAGE = [0.8328975, 0.7376910, 0.8458181, 0.7620532, 0.7096051, 0.7620532, 0.7376910, 0.8676774]
BETTER = [0.6346, 0.6800, 0.6382, 0.7162, 0.6804, 0.5382, 0.5994]  # P(school A > school j)


@njit
def log_posterior(x, y, s):
    """Log posterior density of (mu, log tau), the school effects integrated out."""
    v = np.exp(2.0 * x[1]) + s * s
    return np.sum(-0.5 * np.log(v) - 0.5 * (x[0] - y) ** 2 / v) + x[1]


def hessian(function, x, step=1e-4):
    """Second derivatives by central differences."""
    d = len(x)
    out = np.empty((d, d))
    for i in range(d):
        for j in range(d):
            e, f = step * np.eye(d)[i], step * np.eye(d)[j]
            out[i, j] = (function(x + e + f) - function(x + e - f) - function(x - e + f) + function(x - e - f)) / (
                4.0 * step**2
            )
    return out


def main(folder, n=10_000, seed=1):
    data = datasets.load("eight_schools")
    y, s = data["estimate_rounded"].to_numpy(float), data["sd_rounded"].to_numpy(float)
    rng = np.random.default_rng(seed)

    print("Separate estimates, 95 % intervals")
    for school, estimate, sd in zip(data["school"], y, s):
        print(f"  {school}  {estimate:6.1f}  ({estimate - 1.959964 * sd:7.2f}, {estimate + 1.959964 * sd:6.2f})")
    precision = s**-2.0
    print(f"Pooled estimate: {(precision @ y) / precision.sum():.5f}, variance {1.0 / precision.sum():.5f}"
          " (printed 7.68562, 16.58053)")  # fmt: skip

    found = minimize(lambda x: -log_posterior(x, y, s), [8.0, 2.0], method="BFGS", options={"gtol": 1e-8})
    covariance = np.linalg.inv(-hessian(lambda x: log_posterior(x, y, s), found.x))
    print(f"\nPosterior mode of (mu, log tau): {found.x.round(4)} (printed {MODE})")
    print(f"Inverse curvature: {covariance.round(4).tolist()} (printed {COVARIANCE})")

    walk = metropolis(
        log_posterior, found.x, covariance, 2.0, draws=5000, burn_in=5000, chains=4, rng=rng, args=(y, s),
        names=["mu", "log tau"],
    )  # fmt: skip
    print(f"\nRandom walk: acceptance {walk.acceptance.mean():.3f} (printed 0.329)")
    print(walk.summary().round(3))

    formula, prior = "estimate_rounded ~ 1 + (1 | school)", {"school": dFlat()}
    lmerb(formula, data, prior, se="sd_rounded", n=10)  # load the compiled code
    start = time.perf_counter()
    fit = lmerb(formula, data, prior, se="sd_rounded", n=n, rng=rng)
    print(f"\nExact draws: {n} of (mu, tau, theta) in {1e3 * (time.perf_counter() - start):.1f} ms, formula included")
    theta, groups, table = fit.coef()["(Intercept)"].to_numpy(), fit.group_means(), fit.shrinkage()
    heads = ("draws", 9), ("exact", 8), ("sd", 7), ("printed", 9), ("shrinkage", 11), ("printed", 9), ("P(A > j)", 10)
    print(f"{'school':>7}" + "".join(f"{name:>{width}}" for name, width in (*heads, ("printed", 9))))
    for j, school in enumerate(data["school"]):
        better = f"{np.mean(theta[:, 0] > theta[:, j]):>10.3f}{BETTER[j - 1]:>9.3f}" if j else ""
        print(
            f"{school:>7}{theta[:, j].mean():>9.3f}{groups['mean'].iloc[j]:>8.3f}{groups['sd'].iloc[j]:>7.3f}"
            f"{PRINTED[j]:>9.3f}{table['pull'].iloc[j]:>11.3f}{SHRINKAGE[j]:>9.3f}{better}"
        )
    tau = np.sqrt(fit.draws.covariance[0][:, 0, 0])
    print(f"mu {fit.posterior_mean.iloc[0]:.3f} (sd {fit.posterior_sd.iloc[0]:.3f})")
    print(f"tau: mean {tau.mean():.2f}, median {np.median(tau):.2f}")
    print(f"P(theta_A > 28) = {np.mean(theta[:, 0] > 28):.3f}, not the 0.5 of school A alone")
    if np.abs(groups["mean"].to_numpy() - EXACT).max() > 1e-3:
        raise SystemExit("a posterior mean differs from its value by quadrature")
    pictures(folder, data, y, s, walk, fit, tau)


def pictures(folder, data, y, s, walk, fit, tau):
    """Contours with both samplers' draws on them, traces and autocorrelations of the walk, shrinkage."""
    import matplotlib.pyplot as plt

    folder.mkdir(parents=True, exist_ok=True)
    mu, log_tau = np.linspace(-18, 37, 120), np.linspace(-4, 4.1, 120)
    height = np.array([[log_posterior(np.array([a, b]), y, s) for a in mu] for b in log_tau])
    figure, axes = plt.subplots(1, 2, figsize=(10, 4), sharey=True, layout="constrained")
    exact = (fit.draws.beta[:, 0], np.log(tau))
    for ax, (x, z), title in zip(axes, ((walk["mu"], walk["log tau"]), exact), ("random walk", "exact, independent")):
        keep = slice(None, None, max(1, x.size // 2500))
        ax.plot(x[keep], z[keep], ".", ms=2, color="#2b6cb0", alpha=0.35)
        levels = height.max() - np.array([8, 6, 4.5, 3, 2, 1, 0.5, 0.1])
        ax.contour(mu, log_tau, height, levels=levels, colors="0.25", linewidths=0.8, linestyles="solid")
        ax.set(xlim=(mu[0], mu[-1]), ylim=(log_tau[0], log_tau[-1]), xlabel="mu", title=title)
    axes[0].set_ylabel("log tau")
    figure.savefig(folder / "eight_schools_contours.png", dpi=120)
    for kind in ("trace", "autocorrelation"):
        walk.plot(kind)[0].figure.savefig(folder / f"eight_schools_{kind}.png", dpi=120)
    fit.plot_shrinkage().figure.savefig(folder / "eight_schools_shrinkage.png", dpi=120)
    fit.plot_ranef().figure.savefig(folder / "eight_schools_caterpillar.png", dpi=120)
    plt.close("all")
    print(f"\nPictures saved to {folder}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "output")
