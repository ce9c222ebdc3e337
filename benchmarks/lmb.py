"""From a formula to a summary: small data, many draws, a million rows."""

import subprocess
import sys
import time

import numpy as np
import statsmodels.formula.api as smf
from harness import Table, in_words

from glmbayes import Prior_Setup, datasets, lmb

plant, mtcars = datasets.load("plant_weight"), datasets.load("mtcars")
rng = np.random.default_rng(1)


def gibbs(n):
    """Two-block Gibbs for the prior of mtcars' default, in NumPy: formula and prior set-up included."""
    setup = Prior_Setup("mpg ~ wt + hp", mtcars)
    X, y = setup.x, setup.y
    precision = np.linalg.inv(setup.Sigma)
    cross, linear = X.T @ X, X.T @ y
    out, phi = np.empty((n, 4)), setup.dispersion
    for i in range(n):
        inverse = np.linalg.inv(cross / phi + precision)
        low = np.linalg.cholesky(inverse)
        beta = inverse @ (linear / phi + precision @ setup.mu) + low @ rng.standard_normal(3)
        residual = y - X @ beta
        phi = (setup.rate + 0.5 * residual @ residual) / rng.standard_gamma(setup.shape_ING + 0.5 * y.size)
        out[i, :3], out[i, 3] = beta, phi
    return out


table = Table("Small data: formula, default prior, draws (peers: statsmodels' OLS; a Gibbs sampler in NumPy)", rounds=5)
table.row("plant weights, 1,000 draws", lambda: lmb("weight ~ group", plant, rng=rng))
table.row(
    "plant weights, 1,000 draws, summary printed",
    lambda: str(lmb("weight ~ group", plant, rng=rng).summary()),
    peer=lambda: str(smf.ols("weight ~ group", plant).fit().summary()),
    target=4e-3,
    floor=lambda: rng.standard_normal((1_000, 2)),
)
table.row(
    "mtcars, 10,000 draws",
    lambda: lmb("mpg ~ wt + hp", mtcars, n=10_000, rng=rng),
    peer=lambda: gibbs(10_000),
    target=20e-3,
    floor=lambda: rng.standard_normal((10_000, 3)),
)
every = "mpg ~ " + " + ".join(name for name in mtcars.columns if name not in ("mpg", "model"))
table.row("mtcars, 10 predictors, 10,000 draws", lambda: lmb(every, mtcars, n=10_000, rng=rng), target=20e-3,
          floor=lambda: rng.standard_normal((10_000, 11)))  # fmt: skip
fit = lmb("mpg ~ wt + hp", mtcars, n=10_000, rng=rng)
table.row("exact leave-one-out, mtcars", fit.loo)
table.row("predictive intervals, mtcars", lambda: fit.predict(mtcars, kind="interval"))

# -- a million rows ---------------------------------------------------------------------------------------------

n, p = 1_000_000, 20
columns = {f"x{j}": rng.standard_normal(n) for j in range(p - 1)}
columns["y"] = sum(columns.values()) + rng.standard_normal(n)
formula = "y ~ " + " + ".join(f"x{j}" for j in range(p - 1))
design = np.column_stack([np.ones(n), *(columns[f"x{j}"] for j in range(p - 1))])

table = Table("A million rows, 20 coefficients (peer: the R factor of the design by np.linalg.qr)", rounds=3, least=0.0)
table.row("lmb with formula, default prior, 1,000 draws", lambda: lmb(formula, columns, rng=rng),
          peer=lambda: np.linalg.qr(design, mode="r"), floor=lambda: design.T @ design)  # fmt: skip
_, ours, theirs = table.rows[-1]
print(f"{'':44}ours takes {ours / theirs:.2f} of the peer's time; target: at most 3")
table.row("its summary printed", lambda: str(lmb(formula, columns, rng=rng).summary()))
table.row("exact leave-one-out of 10,000 rows", lmb(formula, {k: v[:10_000] for k, v in columns.items()}, rng=rng).loo)

PEAK = f"""
import tracemalloc, numpy as np
from glmbayes import lmb
rng = np.random.default_rng(1)
lmb("y ~ x", {{"x": rng.standard_normal(50_000), "y": rng.standard_normal(50_000)}})  # compile and import
columns = {{f"x{{j}}": rng.standard_normal({n}) for j in range({p - 1})}}
columns["y"] = rng.standard_normal({n})
tracemalloc.start()
fit = lmb({formula!r}, columns, rng=1)
fitted = tracemalloc.get_traced_memory()[1]
tracemalloc.reset_peak()
str(fit.summary())
print(fitted / {8 * n * p}, tracemalloc.get_traced_memory()[1] / {8 * n * p})
"""
peak = subprocess.run([sys.executable, "-c", PEAK], check=True, capture_output=True, text=True).stdout.split()
print(f"peak memory on top of the data: {float(peak[0]):.2f} designs for the fit (target: at most 2.5), "
      f"{float(peak[1]):.2f} with the summary")  # fmt: skip

# -- a cold process ---------------------------------------------------------------------------------------------

COLD = "from glmbayes import datasets, lmb; print(lmb('weight ~ group', datasets.load('plant_weight')).summary())"
subprocess.run([sys.executable, "-c", COLD], check=True, capture_output=True)  # the compiled code is on disk now
start = time.perf_counter()
subprocess.run([sys.executable, "-c", COLD], check=True, capture_output=True)
print(f"a new process from its start to the printed summary: {in_words(time.perf_counter() - start)} (wall)")
