"""Plant weights with lmb: one line in, a readable summary out, beside the values of R's glmbayes and lm.

Data: Dobson (1990), An Introduction to Generalized Linear Models, page 9.
"""

import sys
from pathlib import Path

import numpy as np

from glmbayes import datasets, lmb

# R: coef and se of lm(weight ~ group); mean and sd of 50,000 draws of glmbayes 0.9.75, which truncates the dispersion
R_LM = {"(Intercept)": (5.032, 0.2202), "groupTrt": (-0.371, 0.3114)}
R_LMB = {"(Intercept)": (5.0323, 0.2186), "groupTrt": (-0.3694, 0.3093), "dispersion": (0.4806, 0.1447)}


def main(picture):
    data = datasets.load("plant_weight")
    fit = lmb("weight ~ group", data, n=10_000, rng=1)
    print(fit.summary())

    print(f"\n{'posterior mean (sd)':<14}\n{'':<14}{'lmb, exact':>20}{'R glmbayes':>20}{'R lm':>20}")
    means = {**fit.posterior_mean.to_dict(), "dispersion": fit.moments.dispersion_mean}
    sds = {**fit.posterior_sd.to_dict(), "dispersion": fit.moments.dispersion_sd}
    for name, mean in means.items():
        cells = [(mean, sds[name]), R_LMB[name], R_LM.get(name)]
        print(f"{name:<14}" + "".join(f"{'' if c is None else f'{c[0]:.4f} ({c[1]:.4f})':>20}" for c in cells))
    print("R glmbayes cuts the tails of the dispersion off: its sd is 12 % too small. Coefficients agree.")

    effect = fit.hypothesis("groupTrt < 0")
    print(f"\nP(treatment lowers the weight) = {effect.posterior_probability:.3f}, from a prior probability of "
          f"{effect.prior_probability:.2f}: Bayes factor {effect.bayes_factor:.1f}")  # fmt: skip
    print(f"\nGroup means:\n{fit.emmeans('group').round(3)}")
    print(f"\nNew plants:\n{fit.predict({'group': ['Ctl', 'Trt']}, kind='interval').round(2)}")
    loo = fit.loo()
    print(f"\nLeave-one-out log score, exact: {loo.elpd:.2f} (se {loo.se:.2f})")

    axes = fit.plot()
    picture.parent.mkdir(parents=True, exist_ok=True)
    np.ravel(axes)[0].figure.savefig(picture, dpi=120)
    print(f"\nPosterior against prior saved to {picture}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "output" / "plant_weight.png")
