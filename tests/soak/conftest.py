"""Makes the harness known to the tests of this folder."""

import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))

from harness.fixtures import (  # noqa: E402,F401
    arena,
    daemon,
    identity,
    session_set_up,
)
