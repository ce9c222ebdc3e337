import zlib

import numpy as np
import pytest

collect_ignore = ["types_in_use.py"]  # read by mypy, never run


@pytest.fixture
def rng(request):
    """A generator seeded by the test's own name: no seed is ever chosen by hand."""
    return np.random.default_rng(zlib.crc32(request.node.nodeid.encode()))
