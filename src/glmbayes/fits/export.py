"""A fitted model as ArviZ data."""

import numpy as np

from glmbayes.errors import MissingDependencyError
from glmbayes.fits.predict import predict

_LIMIT = 20_000_000  # draws x observations up to which log-likelihood and predictions are exported
_PRIOR_DRAWS = 1000


def to_arviz(fit, rng=0):
    """InferenceData (ArviZ 0.x) or DataTree (ArviZ 1.x) with the iid draws as one chain (Markov chain draws as theirs).

    Groups: posterior (``beta`` by coefficient, ``dispersion``), prior (when proper), observed_data, and, unless draws x
    observations exceed 20 million, log_likelihood and posterior_predictive.  The draws are independent: R-hat is 1
    and the effective sample size is their number, up to noise.
    """
    from_dict = arviz_from_dict()
    n_chains = fit.n_chains

    def chains(values):
        kept = values[: len(values) // n_chains * n_chains]
        return kept.reshape(n_chains, -1, *kept.shape[1:])

    posterior = {"beta": chains(fit.draws.coefficients), "dispersion": chains(fit.draws.dispersion)}
    groups = {"posterior": posterior, "observed_data": {"y": fit.design.y}}
    try:
        prior = fit.prior.sample(_PRIOR_DRAWS, rng)
        groups["prior"] = {
            key: value[None]
            for key, value in (("beta", prior.coefficients), ("dispersion", prior.dispersion))
            if value is not None
        }
    except ValueError:  # improper: nothing to draw from
        pass
    if fit.n_draws * fit.design.X.shape[0] <= _LIMIT:
        groups["log_likelihood"] = {"y": chains(fit.log_lik())}
        groups["posterior_predictive"] = {
            "y": chains(predict(fit, None, "response", 0.95, None, None, rng=_generator(rng)))
        }
    coords = {"coefficient": list(fit.names), "observation": np.arange(fit.design.X.shape[0])}
    dims = {"beta": ["coefficient"], "y": ["observation"]}
    return from_dict(groups, coords, dims)


def _generator(seed):
    return np.random.default_rng(seed)


def arviz_from_dict():
    """One way into both ArviZ generations."""
    try:
        import arviz
    except ImportError:
        raise MissingDependencyError("to_arviz needs ArviZ: pip install 'glmbayes[arviz]'.") from None
    if int(arviz.__version__.split(".")[0]) >= 1:
        return lambda groups, coords, dims: arviz.from_dict(groups, coords=coords, dims=dims)
    return lambda groups, coords, dims: arviz.from_dict(**groups, coords=coords, dims=dims)
