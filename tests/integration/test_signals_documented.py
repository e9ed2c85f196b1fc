"""What docs/signals.md says of signals that no other test sends."""

import signal

import pytest

from harness import processes
from harness.program import muster_only
from harness.waiting import wait_until


@muster_only
@pytest.mark.parametrize("name", ["INT", "HUP", "USR1", "USR2", "PIPE"])
def test_a_manager_does_not_act_on_signals_for_the_master(daemon, name):
    daemon.start()
    manager, workers = daemon.managers()["www"], daemon.wait_workers(1)
    processes.send(manager, signal.Signals[f"SIG{name}"])
    daemon.assert_serves()
    assert (daemon.managers()["www"], daemon.workers()) == (manager, workers)


@muster_only
def test_a_manager_told_to_quit_by_hand_is_replaced(daemon):
    daemon.start()
    manager = daemon.managers()["www"]
    daemon.compare_descriptors = False
    daemon.allow_log("manager .* exited")
    processes.send(manager, signal.SIGQUIT)
    wait_until(lambda: daemon.managers().get("www") not in (None, manager), "a new manager")
    daemon.wait_workers(1)
    daemon.assert_serves()


@pytest.mark.parametrize("name", ["PIPE", "URG"])
def test_a_worker_goes_on_after_signals_that_mean_nothing_to_it(daemon, name):
    daemon.start()
    workers = daemon.wait_workers(1)
    for worker in workers:
        processes.send(worker, signal.Signals[f"SIG{name}"])
    daemon.assert_serves()
    assert daemon.workers() == workers


@pytest.mark.parametrize("name", ["USR1", "USR2", "HUP"])
def test_a_signal_while_the_master_finishes_stops_nothing(arena, daemon, name):
    """A request under way is answered although more signals arrive during a graceful stop."""
    daemon.start()
    gate = arena.gate()
    answer = daemon.get_in_background(gate.path, query=gate.query)
    gate.wait_started()
    daemon.signal(signal.SIGQUIT)
    daemon.log.wait_for("Finishing ...")
    mark = daemon.log.mark()
    daemon.signal(signal.Signals[f"SIG{name}"])
    said = "error log file re-opened" if name == "USR1" else "Reloading in progress ..."
    daemon.log.wait_for(said, since=mark)
    gate.open()
    assert answer.result().text == "through the gate"
    assert daemon.wait_exit() == 0
