"""The same posteriors by other software that is installed here: CPU time to 1,000 effective draws.

``pip install "glmbayes[bench]"`` brings the peers; what is missing is skipped and named. Effective draws: the smallest
rank-normalised bulk effective sample size over the quantities. Compilation is told apart from sampling; warm-up counts
as sampling. Everything runs on one thread. Ours includes all set-up.
"""

import logging
import os
import subprocess
import sys
import time
import warnings
from importlib.metadata import version
from importlib.util import find_spec

import numpy as np
from harness import in_words

from glmbayes import dHalfCauchy, dIndependent_Normal_Gamma, dNormal, lmerb, rglmb, rlmb
from glmbayes.chains.diagnostics import ess_bulk

DRAWS, WARM_UP, CHAINS = 2000, 500, 1
EFFECTIVE = 1000
PEERS = ("statsmodels", "numpyro", "nutpie", "pymc", "bambi")


def spent(call):
    """CPU seconds of a call, and its result."""
    start = time.process_time()
    result = call()
    return time.process_time() - start, result


def by_numpyro(model):
    """A numpyro model without arguments: (sampling, compilation) in seconds, draws (chains, draws, k)."""
    import jax
    import numpyro

    numpyro.enable_x64()
    kernel = numpyro.infer.NUTS(model)
    mcmc = numpyro.infer.MCMC(kernel, num_warmup=WARM_UP, num_samples=DRAWS, num_chains=CHAINS, progress_bar=False)
    first, _ = spent(lambda: mcmc.run(jax.random.PRNGKey(0)))
    seconds, _ = spent(lambda: mcmc.run(jax.random.PRNGKey(1)))
    samples = mcmc.get_samples(group_by_chain=True)
    return seconds, first - seconds, _stack(samples.values())


def by_nutpie(model):
    """A PyMC model: (sampling, compilation), draws."""
    import nutpie

    compilation, compiled = spent(lambda: nutpie.compile_pymc_model(model))
    options = {"draws": DRAWS, "tune": WARM_UP, "chains": CHAINS, "cores": 1, "progress_bar": False}
    seconds, trace = spent(lambda: nutpie.sample(compiled, seed=1, **options))
    return seconds, compilation, _posterior(trace, model)


def by_pymc(model):
    """A PyMC model by PyMC's own sampler: (sampling, compilation), draws."""
    import pymc

    with model:
        whole, trace = spent(
            lambda: pymc.sample(DRAWS, tune=WARM_UP, chains=CHAINS, cores=1, progressbar=False, random_seed=1)
        )
    seconds = min(float(trace.sample_stats.attrs["sampling_time"]), whole)
    return seconds, whole - seconds, _posterior(trace, model)


def _posterior(trace, model):
    names = [v.name for v in model.free_RVs]
    return _stack(trace.posterior[name].values for name in names)


def _stack(parts):
    return np.concatenate([np.reshape(part, (*np.shape(part)[:2], -1)) for part in map(np.asarray, parts)], axis=2)


def header(title):
    print(f"\n{title}\n  {'':22}{'1,000 eff.':>12}{'+ compile':>14}{'effective / s':>16}{'of ours':>11}")


def line(software, seconds, compilation, effective, ours):
    """One row: CPU time to 1,000 effective draws, compilation beside it, ratio to ours."""
    needed = seconds * EFFECTIVE / effective
    ratio = "" if ours is None else f"{needed / ours:>9.3g}x"
    extra = in_words(compilation) if compilation > 0.0 else ""  # as the difference of two runs it can be lost in them
    print(f"  {software:<22}{in_words(needed):>12}{extra:>14}{effective / seconds:>16,.0f}{ratio:>11}", flush=True)
    return needed


def compare(title, ours, models):
    """Ours beside every installed peer with a model for the task; `models`: name -> (runner, model factory)."""
    header(title)
    ours()
    seconds, effective = min((spent(ours) for _ in range(3)), key=lambda pair: pair[0])
    needed = line("glmbayes", seconds, 0.0, effective, None)
    for name, (run, make) in models.items():
        if find_spec(name) is None or (run is not by_numpyro and find_spec("pymc") is None):
            print(f"  {name:<22}not installed")
            continue
        seconds, compilation, draws = run(make())
        line(f"{name} {version(name)}", seconds, compilation, float(ess_bulk(draws).min()), needed)


def logistic(n, p, seed=1):
    """The recipe of glm.py, with a prior that says little."""
    rng = np.random.default_rng(seed)
    X = np.column_stack([np.ones(n), rng.standard_normal((n, p - 1))])
    beta = np.concatenate([[0.3], rng.standard_normal(p - 1) / np.sqrt(p)])
    y = (rng.random(n) < 1 / (1 + np.exp(-X @ beta))).astype(float)
    prior = dNormal(np.zeros(p), 6.25 * np.eye(p))

    def ours(draws=4000):
        rglmb(draws, y, X, "binomial", prior, rng=1)
        return draws

    def numpyro_model():
        import numpyro
        from numpyro import distributions as dist

        b = numpyro.sample("b", dist.Normal(0.0, 2.5).expand([p]).to_event(1))
        numpyro.sample("y", dist.BernoulliLogits(X @ b), obs=y)

    def pymc_model():
        import pymc as pm

        with pm.Model() as model:
            b = pm.Normal("b", 0.0, 2.5, shape=p)
            pm.Bernoulli("y", logit_p=X @ b, observed=y)
        return model

    models = {"numpyro": (by_numpyro, lambda: numpyro_model), "nutpie": (by_nutpie, pymc_model)}
    if n <= 1000:
        models["pymc"] = (by_pymc, pymc_model)
    compare(f"Logistic regression, {n:,} rows, {p} coefficients, N(0, 2.5^2) priors", ours, models)


def gaussian(n, p):
    """Independent normal and gamma priors."""
    rng = np.random.default_rng(1)
    X = np.column_stack([np.ones(n), rng.standard_normal((n, p - 1))])
    y = X @ rng.standard_normal(p) + rng.standard_normal(n)
    prior = dIndependent_Normal_Gamma(np.zeros(p), 6.25 * np.eye(p), 2.0, 2.0)

    def ours(draws=4000):
        rlmb(draws, y, X, prior, rng=1)
        return draws

    def numpyro_model():
        import numpyro
        from numpyro import distributions as dist

        b = numpyro.sample("b", dist.Normal(0.0, 2.5).expand([p]).to_event(1))
        precision = numpyro.sample("precision", dist.Gamma(2.0, 2.0))
        numpyro.sample("y", dist.Normal(X @ b, precision**-0.5), obs=y)

    def pymc_model():
        import pymc as pm

        with pm.Model() as model:
            b = pm.Normal("b", 0.0, 2.5, shape=p)
            precision = pm.Gamma("precision", 2.0, 2.0)
            pm.Normal("y", X @ b, precision**-0.5, observed=y)
        return model

    models = {"numpyro": (by_numpyro, lambda: numpyro_model), "nutpie": (by_nutpie, pymc_model)}
    compare(f"Gaussian regression, {n:,} rows, {p} coefficients, independent normal and gamma priors", ours, models)


def eight_schools():
    """Half-Cauchy(5) on the standard deviation between schools."""
    y, se = np.array([28.0, 8, -3, 7, -1, 1, 18, 12]), np.array([15.0, 10, 16, 11, 9, 11, 10, 18])
    data = {"y": y, "se": se, "g": list("ABCDEFGH")}
    priors = {"g": dHalfCauchy(5.0), "beta": (0.0, 25.0)}

    def ours(draws=4000):
        lmerb("y ~ 1 + (1 | g)", data, priors, se="se", n=draws, rng=1)
        return draws

    def numpyro_model():
        import numpyro
        from numpyro import distributions as dist

        mu = numpyro.sample("mu", dist.Normal(0.0, 5.0))
        tau = numpyro.sample("tau", dist.HalfCauchy(5.0))
        z = numpyro.sample("z", dist.Normal(0.0, 1.0).expand([8]).to_event(1))
        numpyro.sample("y", dist.Normal(mu + tau * z, se), obs=y)

    def pymc_model():
        import pymc as pm

        with pm.Model() as model:
            mu, tau = pm.Normal("mu", 0.0, 5.0), pm.HalfCauchy("tau", 5.0)
            z = pm.Normal("z", 0.0, 1.0, shape=8)
            pm.Normal("y", mu + tau * z, se, observed=y)
        return model

    models = {
        "numpyro": (by_numpyro, lambda: numpyro_model),
        "nutpie": (by_nutpie, pymc_model),
        "pymc": (by_pymc, pymc_model),
    }
    compare("Eight Schools, half-Cauchy(5)", ours, models)


def many_schools():
    """The mixed model of mixed.py: 146 groups, random intercepts and two slopes; bambi and statsmodels' MixedLM."""
    import pandas as pd
    from mixed import students

    y, x, group = students()
    frame = pd.DataFrame({"y": y, "hwh": x[:, 1], "ses": x[:, 2], "hflp": x[:, 3], "school": group.astype(str)})
    formula = "y ~ hwh + ses + hflp + (hwh + ses | school)"
    print(
        f"\nMixed model, 146 groups, 2,742 rows, random intercepts and two slopes\n  {'':22}{'1,000 eff.':>12}", end=""
    )
    print(f"{'+ compile':>14}{'effective / s':>16}{'of ours':>11}   (of every fixed effect)")
    lmerb(formula, frame, n=4, burn_in=1)
    seconds, fit = spent(lambda: lmerb(formula, frame, rng=1))
    needed = line("glmbayes", seconds, 0.0, float(fit.chains.summary()["ess_bulk"].iloc[:4].min()), None)
    if find_spec("bambi") is None:
        print(f"  {'bambi':<22}not installed")
    else:
        import bambi

        model = bambi.Model(formula, frame)
        options = {"draws": DRAWS, "tune": WARM_UP, "chains": CHAINS, "cores": 1, "random_seed": 1}
        seconds, trace = spent(lambda: model.fit(progressbar=False, **options))
        names = ("Intercept", "hwh", "ses", "hflp")
        draws = _stack(trace.posterior[name].values for name in names)
        line(f"bambi {version('bambi')}", seconds, 0.0, float(ess_bulk(draws).min()), needed)
    if find_spec("statsmodels") is not None:
        import statsmodels.formula.api as smf

        model = smf.mixedlm("y ~ hwh + ses + hflp", frame, groups="school", re_formula="~ hwh + ses")
        print(f"  statsmodels MixedLM, one maximum-likelihood fit: {in_words(spent(model.fit)[0])}")


COLD = {
    "glmbayes": "import numpy as np; from glmbayes import glmb; {data}; "
    "print(glmb('y ~ x', d, 'binomial', rng=1).summary())",
    "statsmodels": "import numpy as np; import statsmodels.formula.api as smf; {data}; "
    "print(smf.logit('y ~ x', d).fit(disp=0).summary())",
    "bambi": "import numpy as np, pandas as pd, arviz as az, bambi; {data}; "
    "print(az.summary(bambi.Model('y ~ x', pd.DataFrame(d), family='bernoulli')"
    ".fit(draws=1000, tune=500, chains=2, cores=1, progressbar=False)))",
}
COLD_DATA = "r = np.random.default_rng(1); x = r.standard_normal(100); d = dict(x=x, y=1.0 * (r.random(100) < 0.5))"


def cold():
    """A new process, from its start to the first printed logistic regression."""
    print("\nA new process, from its start to the first printed logistic regression (CPU and wall time)")
    for name, program in COLD.items():
        if find_spec(name) is None:
            print(f"  {name:<22}not installed")
            continue
        best = (np.inf, np.inf)
        for _ in range(3):
            before, start = os.times(), time.perf_counter()
            subprocess.run([sys.executable, "-c", program.format(data=COLD_DATA)], check=True, capture_output=True)
            wall, after = time.perf_counter() - start, os.times()
            used = after.children_user + after.children_system - before.children_user - before.children_system
            best = min(best, (used, wall))
        print(f"  {name + ' ' + version(name):<22}{in_words(best[0]):>12}{in_words(best[1]):>14}", flush=True)


def main():
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    missing = [name for name in PEERS if find_spec(name) is None]
    print("Peers missing here: " + (", ".join(missing) if missing else "none"))
    for n, p in ((100, 3), (1000, 10), (10_000, 20)):
        logistic(n, p)
    for n, p in ((1000, 5), (100_000, 20)):
        gaussian(n, p)
    eight_schools()
    many_schools()
    cold()


if __name__ == "__main__":
    main()
