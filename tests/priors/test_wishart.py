import pickle

import numpy as np
import pytest
from scipy import stats

from glmbayes import InputError, dHuangWand, dWishart
from tests.oracles import assert_cdf, assert_mean

PSI_0 = np.array([[2.0, 0.6], [0.6, 1.0]])


def test_sample_and_density_agree_with_scipy(rng):
    prior = dWishart(6, PSI_0)
    Psi = prior.sample(20_000, rng)
    assert_mean(Psi.reshape(-1, 4), PSI_0.ravel() / 3.0)
    expected = [stats.invwishart(6, PSI_0).logpdf(P) for P in Psi[:5]]
    assert np.allclose(prior.log_density(Psi[:5]), expected, rtol=1e-12)
    assert_mean(prior.sample_precision(20_000, rng).reshape(-1, 4), 6 * np.linalg.inv(PSI_0).ravel())


def test_huang_wand_sds_are_half_t_and_correlations_uniform(rng):
    Psi = dHuangWand([2.0, 0.5]).sample(20_000, rng)
    sd = np.sqrt(Psi[:, [0, 1], [0, 1]])
    for k, scale in enumerate((2.0, 0.5)):
        assert_cdf(sd[:, k] / scale, lambda x: 2.0 * stats.t(2).cdf(x) - 1.0)
    assert_cdf(Psi[:, 0, 1] / sd.prod(axis=1), stats.uniform(-1, 2).cdf)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: dWishart(1, np.eye(2)), "greater than q - 1 = 1"),
        (lambda: dWishart(4, np.ones((2, 2))), "positive definite"),
        (lambda: dWishart(4, [[1, 0.5], [0.2, 1]]), "symmetric"),
        (lambda: dWishart(4, np.ones((2, 3))), "square"),
        (lambda: dHuangWand(-1.0), "positive"),
        (lambda: dHuangWand([1.0, np.nan]), "positive"),
        (lambda: dHuangWand(1.0, df=0), "df must be greater than 0"),
        (lambda: dHuangWand([1.0, 2.0, 3.0]).scales(2), "3 scales"),
    ],
)
def test_bad_arguments_are_named(build, message):
    with pytest.raises(InputError, match=message):
        build()


def test_priors_are_values():
    Psi_0 = PSI_0.copy()
    prior = dWishart(4, Psi_0)
    Psi_0[0, 0] = 99.0
    assert prior.Psi_0[0, 0] == 2.0
    with pytest.raises(AttributeError):
        prior.df = 3
    with pytest.raises(ValueError, match="read-only"):
        prior.Psi_0[0, 0] = 1.0
    again = pickle.loads(pickle.dumps(prior))
    assert again.df == 4 and np.array_equal(again.Psi_0, prior.Psi_0)
    assert repr(pickle.loads(pickle.dumps(dHuangWand([5.0, 1.0])))) == "dHuangWand(scale=[5, 1], df=2)"
