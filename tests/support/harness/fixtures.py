"""The fixtures of every test file; `arena` also is the check that runs after every test."""

import os

import pytest

from . import processes
from .arena import Arena
from .program import Identity, remove_copies

both_users = pytest.mark.parametrize("identity", ["root", "user"], indirect=True)
as_root = pytest.mark.parametrize("identity", ["root"], indirect=True)
as_user = pytest.mark.parametrize("identity", ["user"], indirect=True)


@pytest.fixture(scope="session", autouse=True)
def session_set_up():
    processes.adopt_orphans()
    os.umask(0o022)
    yield
    remove_copies()


@pytest.fixture
def identity(request):
    """Who starts the daemon: root when the suite runs as root, unless a test asks otherwise."""
    kind = getattr(request, "param", None)
    if kind is None:
        return Identity.own()
    if kind == "root" and os.geteuid() != 0:
        pytest.skip("needs root")
    return Identity(kind)


@pytest.fixture(autouse=True)
def arena(identity):
    arena = Arena(identity)
    yield arena
    problems = arena.close()
    assert not problems, "after the test:\n  " + "\n  ".join(problems)


@pytest.fixture
def daemon(arena):
    """A daemon that is not configured or started yet."""
    return arena.daemon()
