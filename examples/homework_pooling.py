"""Hours of homework in eight schools: complete pooling, no pooling, partial pooling, from a summary table alone.

Sample size, mean and standard deviation of each school are sufficient for normal models, so any sample with these
values gives the posteriors of the original one; `rows_from` builds such a sample.  The three models and the printed
numbers are those of a university lecture that ran them in JAGS (adapted from Hoff 2009, exercise 8.3).  Its priors were
pictures: school means and their population mean N(20, 10^2), standard deviations uniform up to 1,000 reproduce its
tables.  Pictures go to examples/output/ or to the folder given as argument.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from glmbayes import datasets, dIndependent_Normal, dUniform, lmerb, rlmb, rlmb_blocks

# what the lecture prints: posterior means without pooling and with partial pooling
PRINTED = {
    "no pooling": [9.5299, 7.1549, 8.0465, 6.3318, 12.2997, 6.2778, 6.2303, 7.4547],
    "partial pooling": [9.1151, 7.1711, 7.8933, 6.5243, 10.4256, 6.5196, 6.4630, 7.4522],
}
PRINTED_MU, PRINTED_POOLED, PRINTED_VARIANCE = 7.77, 7.49, 16.95


def rows_from(summary):
    """Students whose schools have exactly the sizes, means and standard deviations of the table."""
    parts = []
    for school, n, mean, sd in summary.itertuples(index=False):
        z = np.linspace(-1.0, 1.0, n)
        parts.append(pd.DataFrame({"school": school, "hours": mean + sd * z / z.std(ddof=1)}))
    return pd.concat(parts, ignore_index=True)


def main(folder, n=40_000, seed=1):
    rng = np.random.default_rng(seed)
    summary = datasets.load("homework_summary")
    data = rows_from(summary)
    prior = dIndependent_Normal(20.0, 10.0**2, sd=dUniform(1000))
    y, ones = data["hours"].to_numpy(), np.ones((len(data), 1))

    pooled = rlmb(n, y, ones, prior, rng=rng)
    print("Complete pooling: one mean for all schools")
    print(f"  mean {pooled.coefficients.mean():.2f} (printed {PRINTED_POOLED}), variance: median "
          f"{np.median(pooled.dispersion):.2f} (printed {PRINTED_VARIANCE})")  # fmt: skip

    alone = rlmb_blocks(n, y, ones, prior, sizes=summary["n"].to_numpy(), rng=rng).coefficients[:, :, 0]
    fit = lmerb(
        "hours ~ 1 + (1 | school)",
        data,
        {"beta": (20.0, 10.0**2), "sigma": dUniform(1000), "school": dUniform(1000)},
        n=n,
        rng=rng,
    )
    together = fit.coef()["(Intercept)"].to_numpy()
    print("\nNo pooling and partial pooling: posterior means beside the lecture's")
    print(f"{'school':>7}{'n':>5}{'mean':>8}{'no pooling':>12}{'printed':>9}{'partial':>10}{'printed':>9}")
    for j, (school, size, mean, _) in enumerate(summary.itertuples(index=False)):
        print(
            f"{school:>7}{size:>5}{mean:>8.3f}{alone[:, j].mean():>12.3f}{PRINTED['no pooling'][j]:>9.3f}"
            f"{together[:, j].mean():>10.3f}{PRINTED['partial pooling'][j]:>9.3f}"
        )
    print(f"population mean {fit.posterior_mean.iloc[0]:.3f} (printed {PRINTED_MU})")
    print(f"P(school 5 > school 6): {np.mean(alone[:, 4] > alone[:, 5]):.4f} without pooling, "
          f"{np.mean(together[:, 4] > together[:, 5]):.4f} with partial pooling")  # fmt: skip
    print(f"\n{fit.summary()}")

    off = [np.abs(alone.mean(axis=0) - PRINTED["no pooling"]).max()]
    off.append(np.abs(together.mean(axis=0) - PRINTED["partial pooling"]).max())
    if max(off) > 0.05:  # the lecture's own Monte Carlo error is about 0.01 to 0.02
        raise SystemExit(f"posterior means differ from the printed ones by up to {max(off):.3f} hours")
    pictures(folder, summary, alone, fit)


def pictures(folder, summary, alone, fit):
    """Box plots of both models, caterpillar and shrinkage plots."""
    import matplotlib.pyplot as plt

    folder.mkdir(parents=True, exist_ok=True)
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), sharey=True, layout="constrained")
    left.boxplot(alone, whis=(2.5, 97.5), showfliers=False, tick_labels=summary["school"])
    left.set(title="no pooling", xlabel="school", ylabel="hours a week")
    fit.plot_groups(ax=right)
    right.set(title="partial pooling", ylabel="")
    figure.savefig(folder / "homework_boxes.png", dpi=120)
    for name, plot in (
        ("caterpillar", fit.plot_ranef),
        ("shrinkage", fit.plot_shrinkage),
        ("sds", fit.plot_components),
    ):
        np.atleast_1d(plot())[0].figure.savefig(folder / f"homework_{name}.png", dpi=120)
    plt.close("all")
    print(f"\nPictures saved to {folder}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "output")
