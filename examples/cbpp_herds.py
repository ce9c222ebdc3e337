"""Contagious bovine pleuropneumonia in 15 Ethiopian herds: incidence by season, with an effect for each herd.

A binomial mixed model by exact conditional draws, beside lme4's maximum likelihood; a caterpillar plot of the herds,
and what the model expects of a herd that nobody has visited yet.
Data: Lesnoff et al. (2004), `cbpp` in R's lme4.
"""

from pathlib import Path

import numpy as np

from glmbayes import datasets, glmerb

FORMULA = "cbind(incidence, size - incidence) ~ period + (1 | herd)"
# glmer of lme4, adaptive Gauss-Hermite quadrature with 25 nodes: estimate, standard error
LME4 = {
    "(Intercept)": (-1.3992, 0.2335), "period2": (-0.9914, 0.3068), "period3": (-1.1278, 0.3268),
    "period4": (-1.5795, 0.4276),
}  # fmt: skip
LME4_SD = 0.6475
OUTPUT = Path(__file__).resolve().parent / "output"


def main():
    data = datasets.load("cbpp")
    fit = glmerb(FORMULA, data, "binomial", n=8000, rng=1)
    print(fit.summary())

    print("\nFlat priors on the fixed effects: posterior beside maximum likelihood\n")
    print(f"{'':<14}{'lme4 (se)':>22}{'posterior (sd)':>22}")
    for name, (estimate, error) in LME4.items():
        ours = f"{fit.posterior_mean[name]:.4f} ({fit.posterior_sd[name]:.4f})"
        print(f"{name:<14}{f'{estimate:.4f} ({error:.4f})':>22}{ours:>22}")
    tau = np.sqrt(fit.draws.covariance[0][:, 0, 0])
    print(f"{'sd of herds':<14}{LME4_SD:>22.4f}{f'{tau.mean():.4f} ({tau.std():.4f})':>22}")
    print("Posterior means lie further out than maxima: the posterior is skewed, and the sd of the herds is uncertain.")

    print("\nShare of the herds in the variance of the latent response:", f"{fit.icc()['herd'].mean():.2f}")
    periods = ["1", "2", "3", "4"]
    known = fit.predict({"period": periods, "herd": ["1"] * 4}, kind="interval", level=0.9, rng=2)
    new = fit.predict({"period": periods, "herd": ["not visited"] * 4}, kind="interval", level=0.9, rng=2)
    print("\nExpected incidence by period, 90 % intervals\n")
    print(f"{'period':<8}{'herd 1':>24}{'a new herd':>24}")
    for k, period in enumerate(periods):
        cells = [f"{t['mean'].iloc[k]:.2f} ({t['lower'].iloc[k]:.2f}, {t['upper'].iloc[k]:.2f})" for t in (known, new)]
        print(f"{period:<8}{cells[0]:>24}{cells[1]:>24}")
    log_odds = fit.coef()["(Intercept)"].to_numpy()
    worst = np.bincount(log_odds.argmax(axis=1), minlength=15) / len(log_odds)
    order = np.argsort(worst)[::-1][:3]
    print("\nProbability of having the highest incidence: ", end="")
    print(", ".join(f"herd {fit.design.terms[0].factor.labels[j]} {worst[j]:.2f}" for j in order))
    plot(fit)


def plot(fit):
    try:
        import matplotlib
    except ImportError:
        return
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 3, figsize=(13, 4.6), layout="constrained")
    fit.plot_ranef(ax=axes[0])
    axes[0].set_title("log odds of the herds in period 1", fontsize=10)
    fit.plot_shrinkage(ax=axes[1])
    fit.plot_components(ax=axes[2])
    OUTPUT.mkdir(exist_ok=True)
    figure.savefig(OUTPUT / "cbpp_herds.png", dpi=120)
    print(f"\nwrote {OUTPUT / 'cbpp_herds.png'}")


if __name__ == "__main__":
    main()
