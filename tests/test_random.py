"""What `rng=` accepts, and the generator behind None: one per thread, its own in every forked process."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest

from glmbayes.errors import InputError
from glmbayes.random import generator


def test_none_is_one_generator_that_advances():
    assert generator() is generator(None)
    assert generator().random() != generator().random()


def test_int_is_a_fresh_generator_each_time():
    assert generator(3) is not generator(3)
    assert generator(3).random() == generator(np.int64(3)).random() == np.random.default_rng(3).random()
    assert generator(3).random() != generator(4).random()


def test_a_generator_is_used_as_it_is():
    class Recorded(np.random.Generator):
        pass

    for mine in (np.random.default_rng(1), Recorded(np.random.MT19937(1))):
        assert generator(mine) is mine


BAD = [-1, 1.0, True, "1", np.random, np.random.RandomState(1), np.random.PCG64(1), [1], np.array([1, 2])]


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: type(bad).__name__)
def test_anything_else_is_refused(bad):
    with pytest.raises(InputError, match=r"rng must be None, a non-negative int or a numpy\.random\.Generator; got "):
        generator(bad)


def test_threads_have_generators_of_their_own():
    found = []

    def ask():
        found.append((generator(), generator(), generator().random(4).tolist()))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    generators = [generator(), *(first for first, _, _ in found)]
    assert len({id(one) for one in generators}) == 5
    assert all(first is second for first, second, _ in found)
    assert len({tuple(draws) for _, _, draws in found}) == 4


# A fork copies the generator's state: without reseeding, parent and children would draw the same numbers.
FORK = """
import os
from glmbayes.random import generator

generator().random()
readers = []
for child in range(2):
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.write(writer, generator().random().hex().encode())
        os._exit(0)
    os.close(writer)
    readers.append(reader)
    os.wait()
print(generator().random().hex(), *(os.read(reader, 100).decode() for reader in readers))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_reseeded_after_a_fork():
    one_thread = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    ran = subprocess.run([sys.executable, "-c", FORK], check=True, capture_output=True, text=True, env=one_thread)
    draws = ran.stdout.split()
    assert len(draws) == len(set(draws)) == 3
