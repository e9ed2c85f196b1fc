"""One arena and one daemon for a whole file of tests that need neither fresh: import all three."""

import pytest

from .arena import Arena
from .program import Identity


@pytest.fixture(scope="module")
def identity():
    return Identity.own()


@pytest.fixture(scope="module", autouse=True)
def arena(identity):
    arena = Arena(identity)
    yield arena
    problems = arena.close()
    assert not problems, "after the tests:\n  " + "\n  ".join(problems)


@pytest.fixture(scope="module")
def daemon(arena):
    """Not configured or started yet."""
    return arena.daemon()
