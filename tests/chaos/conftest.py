"""Makes the harness known to the tests of this folder, and gives each its stage."""

import os
import sys

import pytest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))

from harness.fixtures import (  # noqa: E402,F401
    arena,
    daemon,
    identity,
    session_set_up,
)

from stage import Stage  # noqa: E402


@pytest.fixture
def stage(arena, daemon):  # noqa: F811
    """Pools on both kinds of sockets, nginx in front; not started yet."""
    stage = Stage(arena, daemon)
    yield stage
    stage.close()
