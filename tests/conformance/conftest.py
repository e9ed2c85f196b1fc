"""Makes the harness and the comparison known to the tests of this folder."""

import os
import sys

sys.dont_write_bytecode = True
here = os.path.dirname(__file__)
sys.path[:0] = [here, os.path.join(here, "..", "support")]

from compare.fixtures import live, pair, programs, who  # noqa: E402,F401
