"""Age at menarche in 3,918 girls of Warsaw: logit, probit and complementary log-log compared by marginal likelihood.

The priors say the same thing for all three links, on the scale of probabilities, without looking at the data: the
median age is 13.5, give or take a year, and between 10 % and 90 % some 1 to 4 years pass.
Data: Milicer & Szczotka (1966); `menarche` in R's MASS.
"""

from pathlib import Path

import numpy as np
from scipy.special import ndtri

from glmbayes import datasets, dNormal, glmb
from glmbayes.families import binomial

FORMULA = "cbind(Menarche, Total - Menarche) ~ I(Age - 13)"
AT = {
    "logit": lambda p: np.log(p / (1 - p)),
    "probit": ndtri,
    "cloglog": lambda p: np.log(-np.log1p(-p)),
}
# default prior of Prior_Setup, by fine quadrature: mean, sd of the slope
QUADRATURE = {"logit": (1.619670, 0.058000), "probit": (0.900179, 0.029085), "cloglog": (0.946046, 0.028354)}
OUTPUT = Path(__file__).resolve().parent / "output"


def elicited(link, rng):
    """A normal prior on intercept and slope, matched to 20,000 prior curves given by median age and spread.

    Those have 10 % and 90 % points `gap` years apart; median and gap are drawn, and turned into coefficients.
    """
    median = rng.normal(13.5, 1.0, 20_000)
    gap = np.exp(rng.normal(np.log(2.0), 0.35, 20_000))
    g = AT[link]
    slope = (g(0.9) - g(0.1)) / gap
    intercept = g(0.5) - slope * (median - 13.0)
    draws = np.array([intercept, slope])
    return dNormal(draws.mean(axis=1), np.cov(draws))


def main():
    data = datasets.load("menarche")
    print("Default priors: the slope's posterior beside quadrature\n")
    print(f"{'link':<10}{'quadrature':>22}{'glmb':>22}")
    for link, (mean, sd) in QUADRATURE.items():
        fit = glmb(FORMULA, data, binomial(link), n=20_000, rng=1)
        ours = fit.posterior_mean.iloc[1], fit.posterior_sd.iloc[1]
        print(f"{link:<10}" + "".join(f"{f'{m:9.6f} ({s:.6f})':>22}" for m, s in ((mean, sd), ours)))

    rng = np.random.default_rng(2)
    fits = {link: glmb(FORMULA, data, binomial(link), elicited(link, rng), n=4000, rng=3) for link in AT}
    print("\nThe same prior beliefs for each link\n")
    print(f"{'link':<10}{'log evidence':>14}{'se':>9}{'LOO':>10}{'median age':>14}{'95 %':>20}")
    for link, fit in fits.items():
        value, error = fit.log_marginal_likelihood(with_error=True)
        b = fit.coefficients.to_numpy()
        age = 13.0 + (AT[link](0.5) - b[:, 0]) / b[:, 1]
        low, high = np.quantile(age, (0.025, 0.975))
        print(
            f"{link:<10}{value:>14.3f}{error:>9.4f}{fit.loo().elpd:>10.2f}{age.mean():>14.3f}"
            f"{f'{low:.3f} to {high:.3f}':>20}"
        )
    for other in ("logit", "cloglog"):
        factor = fits["probit"].bayes_factor(fits[other])
        print(f"Bayes factor, probit against {other}: {factor.bayes_factor:.3g}")
    plot(fits, data)


def plot(fits, data):
    try:
        import matplotlib
    except ImportError:
        return
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    ages = np.linspace(9, 18, 200)
    _, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    share = data["Menarche"] / data["Total"]
    left.plot(data["Age"], share, "o", color="#2d3748", ms=4, label="observed")
    for (link, fit), colour in zip(fits.items(), ("#b7791f", "#2b6cb0", "#c53030")):
        curve = fit.predict({"Age": ages}, kind="interval", level=0.95)
        left.plot(ages, curve["mean"], color=colour, label=link)
        left.fill_between(ages, curve["lower"], curve["upper"], color=colour, alpha=0.2, lw=0)
        right.plot(fit.fitted(), fit.residuals("pearson"), "o-", ms=4, lw=0.7, color=colour, label=link)
    left.set(xlabel="age", ylabel="share of girls")
    right.axhline(0.0, color="0.6", lw=0.8, ls=":")
    right.set(xlabel="fitted share", ylabel="Pearson residual")
    for ax in (left, right):
        ax.legend(frameon=False)
        ax.spines[["top", "right"]].set_visible(False)
    OUTPUT.mkdir(exist_ok=True)
    plt.savefig(OUTPUT / "menarche.png", dpi=120)
    print(f"\nwrote {OUTPUT / 'menarche.png'}")


if __name__ == "__main__":
    main()
