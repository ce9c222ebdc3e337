"""Dobson's randomised controlled trial, the data of R's ?glm: Poisson counts by outcome and treatment.

glmb with its default prior beside importance sampling and R's glmbayes; then what one does with such a fit.
Data: Dobson (1990), An Introduction to Generalized Linear Models, page 93.
"""

from pathlib import Path

import numpy as np

from glmbayes import Prior_Setup, dNormal, glmb

DATA = {
    "counts": [18, 17, 15, 20, 10, 20, 25, 13, 12],
    "outcome": ["1", "2", "3"] * 3,
    "treatment": ["1"] * 3 + ["2"] * 3 + ["3"] * 3,
}
# mean, sd: importance sampling (effective size 343,894), and 50,000 draws of R glmbayes 0.9.75
REFERENCE = {
    "(Intercept)": ((3.02734, 0.17087), (3.02715, 0.17111)),
    "outcome2": ((-0.45384, 0.20198), (-0.45437, 0.20208)),
    "outcome3": ((-0.29244, 0.19249), (-0.29330, 0.19202)),
    "treatment2": ((0.00035, 0.19995), (0.00171, 0.20060)),
    "treatment3": ((0.00036, 0.19980), (0.00226, 0.20086)),
}
OUTPUT = Path(__file__).resolve().parent / "output"


def main():
    fit = glmb("counts ~ outcome + treatment", DATA, family="poisson", n=50_000, rng=1)
    print(f"{'mean (sd)':<14}{'importance sampling':>22}{'R glmbayes':>22}{'glmb':>22}")
    for name, cells in REFERENCE.items():
        ours = fit.posterior_mean[name], fit.posterior_sd[name]
        print(f"{name:<14}" + "".join(f"{f'{m:9.5f} ({s:.5f})':>22}" for m, s in (*cells, ours)))
    dic = fit.dic()
    print(f"\nDIC {dic.dic:.2f}, pD {dic.p_d:.2f}   (R glmbayes: 56.66, 4.93)\n")
    print(fit.sampler_report())

    print("\nDoes the treatment matter?  Expected counts, on average over the rows:")
    print(fit.marginal_effects(columns="treatment").round(3).to_string())
    h = fit.hypothesis("treatment2 = 0")
    print(f"\ntreatment2 = 0: Bayes factor {h.bayes_factor:.1f} for it, under the default prior's wide sd of 2")

    print("\nThe same question between models, under priors that are stated and not built from the data:")
    fits = {}
    for right, p in (("1", 1), ("outcome", 3), ("outcome + treatment", 5)):
        prior = dNormal([2.5] + [0.0] * (p - 1), np.diag([1.0] + [0.25] * (p - 1)))
        fits[right] = glmb(f"counts ~ {right}", DATA, "poisson", prior, n=10_000, rng=1)
    for right, one in fits.items():
        value, error = one.log_marginal_likelihood(with_error=True)
        loo = one.loo()
        print(
            f"counts ~ {right:<20} log evidence {value:8.3f} (se {error:.3f})   LOO {loo.elpd:7.2f} (se {loo.se:.2f})"
        )
    factor = fits["outcome"].bayes_factor(fits["outcome + treatment"]).bayes_factor
    print(f"Bayes factor for leaving the treatment out: {factor:.1f}")

    settings = Prior_Setup("counts ~ outcome + treatment", DATA, "poisson").settings
    print(f"\n(The default prior weighs {settings.pwt:g} against the data: {settings.n_prior:.2g} observations.)")
    plot(fit)


def plot(fit):
    try:
        import matplotlib
    except ImportError:
        return
    matplotlib.use("Agg")
    OUTPUT.mkdir(exist_ok=True)
    axes = fit.plot()
    axes[0].figure.savefig(OUTPUT / "randomised_trial.png", dpi=120)
    print(f"\nwrote {OUTPUT / 'randomised_trial.png'}")


if __name__ == "__main__":
    main()
