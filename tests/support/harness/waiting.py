"""Waiting on conditions with a deadline: the only place of the tests that sleeps."""

import os
import time

# Slow builds (sanitizers, loaded machines) stretch every deadline.
PATIENCE = float(os.environ.get("MUSTER_TEST_PATIENCE", "1"))
POLL_SECONDS = 0.01


def wait_until(condition, what, timeout=5.0):
    """Returns the first truthy value of condition(); fails with `what` (text or callable)."""
    deadline = time.monotonic() + timeout * PATIENCE
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= deadline:
            text = what() if callable(what) else what
            raise AssertionError(f"not within {timeout * PATIENCE:g} s: {text}")
        time.sleep(POLL_SECONDS)


def stays(condition, what, seconds):
    """Fails as soon as condition() is false during the next `seconds`: for "nothing happens"."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert condition(), what() if callable(what) else what
        time.sleep(POLL_SECONDS)


def pause(seconds):
    """A gap between two stimuli (never a way to wait for an effect)."""
    time.sleep(seconds)
