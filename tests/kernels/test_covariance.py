import numpy as np
import pytest

from glmbayes.kernels.covariance import (
    ASYMMETRIC,
    EMPTY,
    FLAT,
    NOT_FINITE,
    NOT_POSITIVE,
    OK,
    factor_covariance,
)

pytestmark = pytest.mark.every_mode
INF, NAN = np.inf, np.nan


@pytest.mark.parametrize(
    ("mu", "sigma", "status"),
    [
        ([0.0], [[2.0]], OK),
        ([0.0, 1.0], [[2.0, 1.0], [1.0, 2.0]], OK),
        ([0.0, 1.0], [[2.0, 1.0], [1.0 + 1e-9, 2.0]], OK),
        ([0.0], [[INF]], FLAT),
        ([0.0, 1.0], [[INF, 0.0], [0.0, 2.0]], FLAT),
        ([0.0, 1.0], [[2.0, 0.0], [0.0, INF]], FLAT),
        ([], np.empty((0, 0)), EMPTY),
        ([NAN], [[1.0]], NOT_FINITE),
        ([INF], [[1.0]], NOT_FINITE),
        ([0.0], [[NAN]], NOT_FINITE),
        ([0.0], [[-INF]], NOT_FINITE),
        ([0.0, 1.0], [[2.0, INF], [INF, 2.0]], NOT_FINITE),
        ([0.0, 1.0], [[INF, 1.0], [1.0, 2.0]], NOT_FINITE),
        ([0.0, 1.0], [[2.0, 1.0], [1.1, 2.0]], ASYMMETRIC),
        ([0.0, 1.0], [[1.0, 2.0], [2.0, 1.0]], NOT_POSITIVE),
        ([0.0, 1.0], [[1.0, 1.0], [1.0, 1.0]], NOT_POSITIVE),
        ([0.0, 1.0], [[INF, 0.0], [0.0, 0.0]], NOT_POSITIVE),
        ([0.0], [[0.0]], NOT_POSITIVE),
        ([0.0], [[-1.0]], NOT_POSITIVE),
    ],
)
def test_status(mu, sigma, status):
    sigma = np.array(sigma)
    low = np.empty(sigma.shape)
    assert factor_covariance(np.array(mu), sigma, low) == status
    if status == OK:
        np.testing.assert_allclose(low @ low.T, sigma, rtol=1e-8)


@pytest.mark.parametrize("scale", [1e-8, 1e8, 1e-150, 1e150])
def test_scale_does_not_matter(scale):
    sigma = scale * np.array([[2.0, 1.0], [1.0, 2.0]])
    assert factor_covariance(np.zeros(2), sigma, np.empty((2, 2))) == OK
    sigma[0, 1] *= 1.0 + 1e-6
    assert factor_covariance(np.zeros(2), sigma, np.empty((2, 2))) == ASYMMETRIC
