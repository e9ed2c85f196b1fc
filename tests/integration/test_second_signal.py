"""A second signal to a service that is stopping means now; `terminate = graceful` makes TERM the first."""

import glob
import signal
import time

import pytest

from harness.program import muster_only
from harness.waiting import PATIENCE, stays, wait_until

pytestmark = muster_only

# Does not hear TERM: only KILL ends its worker before the gate opens.
STUBBORN = (
    "<?php FFI::cdef('long signal(int, long);')->signal(15, 1); require __DIR__ . '/gate.php';"
)


def busy(arena, daemon, globals_=None, stubborn=False, pm=None):
    """A daemon whose one worker is in a request for good: (its gate, the request)."""
    daemon.configure(
        {"www": {"php_admin_value[ffi.enable]": "1", **(pm or {})}},
        {"process_control_timeout": "300s", **(globals_ or {})},
    ).start()
    gate = arena.gate()
    path = arena.script("stubborn.php", STUBBORN) if stubborn else gate.path
    request = daemon.get_in_background(path, query=gate.query)
    gate.wait_started()
    return gate, request


def send(daemon, *numbers):
    """Each when the one before has been heard."""
    for number in numbers:
        mark = daemon.log.mark()
        daemon.signal(number)
        daemon.log.wait_for(r"(Finishing|Terminating|Reloading in progress) \.\.\.", since=mark)


@pytest.mark.parametrize("second", [signal.SIGQUIT, signal.SIGTERM, signal.SIGINT])
def test_second_signal_makes_a_graceful_stop_fast(arena, daemon, second):
    _, request = busy(arena, daemon)
    send(daemon, signal.SIGQUIT, second)
    assert daemon.wait_exit() == 0
    assert len(daemon.log.find(r"NOTICE: Terminating \.\.\.")) == 1
    assert not request.result().ended


@pytest.mark.parametrize(
    "numbers",
    [
        (signal.SIGTERM, signal.SIGTERM),
        (signal.SIGTERM, signal.SIGINT),
        (signal.SIGQUIT, signal.SIGTERM, signal.SIGTERM),
        (signal.SIGQUIT, signal.SIGQUIT, signal.SIGINT),
    ],
    ids=lambda numbers: "-".join(number.name[3:] for number in numbers),
)
def test_one_more_signal_kills_what_does_not_hear_term(arena, daemon, numbers):
    _, request = busy(arena, daemon, stubborn=True)
    send(daemon, *numbers)
    assert daemon.wait_exit() == 0
    assert daemon.log.find("killing what is left")
    assert not request.result().ended


def test_quit_after_term_changes_nothing(arena, daemon):
    gate, request = busy(arena, daemon, stubborn=True)
    send(daemon, signal.SIGTERM, signal.SIGQUIT)
    stays(lambda: daemon.poll() is None, "the fast stop waits for the worker", 0.3)
    gate.open()
    assert daemon.wait_exit() == 0
    assert not daemon.log.find("killing what is left")
    assert request.result().text == "through the gate"


def test_killing_comes_through_to_a_manager_that_loads(arena, daemon):
    preload, begun = f"{arena.site}/slow-preload.php", f"{arena.scratch}/preload"
    with open(preload, "w", encoding="ascii") as file:
        file.write(f"<?php touch('{begun}' . getmypid()); sleep(600);")
    daemon.configure({"a": {}, "b": {}, "c": {"pm": "ondemand"}})
    if daemon.identity.is_root:
        options = ["-d", f"opcache.preload_user={daemon.identity.worker_name}"]
    else:
        options = []
    daemon.start("-d", f"opcache.preload={preload}", *options, wait=False)
    wait_until(lambda: len(glob.glob(f"{begun}*")) == 3, "all managers load", 15)
    send(daemon, signal.SIGTERM, signal.SIGTERM)
    assert daemon.wait_exit() == 0
    assert daemon.log.find("killing what is left")


@pytest.mark.parametrize("value", ["graceful", "Graceful"])
def test_term_finishes_requests_when_terminate_is_graceful(arena, daemon, value):
    gate, request = busy(arena, daemon, {"terminate": value})
    send(daemon, signal.SIGTERM)
    assert daemon.log.find(r"NOTICE: Finishing \.\.\.")
    stays(lambda: daemon.poll() is None, "it waits for the request", 0.2)
    gate.open()
    assert request.result().text == "through the gate"
    assert daemon.wait_exit() == 0


def test_second_term_is_fast_when_terminate_is_graceful(arena, daemon):
    _, request = busy(arena, daemon, {"terminate": "graceful"})
    send(daemon, signal.SIGTERM, signal.SIGTERM)
    assert daemon.wait_exit() == 0
    assert not request.result().ended


@pytest.mark.parametrize("value", ["fast", None])
def test_term_is_fast_otherwise(arena, daemon, value):
    _, request = busy(arena, daemon, {"terminate": value})
    send(daemon, signal.SIGTERM)
    assert daemon.wait_exit() == 0
    assert not request.result().ended


def test_interrupt_is_fast_even_then(arena, daemon):
    _, request = busy(arena, daemon, {"terminate": "graceful"})
    send(daemon, signal.SIGINT)
    assert daemon.wait_exit() == 0
    assert not request.result().ended


def test_terminate_follows_a_reload(arena, daemon):
    gate, request = busy(arena, daemon, pm={"pm.max_children": "2"})
    daemon.write(daemon.text.replace("[global]", "[global]\nterminate = graceful"))
    daemon.reload()
    gate.open()
    assert request.result().ended
    send(daemon, signal.SIGTERM)
    assert daemon.wait_exit() == 0
    assert daemon.log.find(r"NOTICE: Finishing \.\.\.")


def test_wrong_value_is_refused(daemon):
    daemon.configure(globals_={"terminate": "soon"})
    result = daemon.run("-t")
    assert result.returncode == 78
    assert "unable to parse value for entry 'terminate'" in result.stderr


def test_the_same_signal_twice_at_once_counts_once(arena, daemon):
    """As when a terminal and a wrapper both pass it on: the handler does not run in between."""
    gate, request = busy(arena, daemon)
    daemon.signal(signal.SIGSTOP)
    for _ in range(5):
        daemon.signal(signal.SIGQUIT)
    daemon.signal(signal.SIGCONT)
    daemon.log.wait_for(r"Finishing \.\.\.")
    gate.open()
    assert request.result().text == "through the gate"
    assert daemon.wait_exit() == 0


def test_no_stop_is_lost_in_a_storm_of_other_signals(daemon):
    """More log signals than the master's own queue takes arrive before the stop."""
    daemon.start()
    end = time.monotonic() + 1.0 * PATIENCE
    while time.monotonic() < end:
        daemon.signal(signal.SIGUSR1)
    daemon.assert_serves()
    for _ in range(2000):
        daemon.signal(signal.SIGUSR1)
    daemon.signal(signal.SIGTERM)
    assert daemon.wait_exit(30) == 0
    assert daemon.log.find("exiting, bye-bye!")
