"""Idle workers: the same ones serve on, so that the others are idle for good and leave."""

import threading

import pytest

from harness.fixtures import both_users
from harness.program import muster_only
from harness.waiting import wait_until

PID = "<?php echo getmypid();"
POOLS = {
    "dynamic": {
        "pm": "dynamic",
        "pm.max_children": "6",
        "pm.start_servers": "6",
        "pm.min_spare_servers": "1",
        "pm.max_spare_servers": "6",
    },
    "ondemand": {"pm": "ondemand", "pm.max_children": "6", "pm.process_idle_timeout": "60s"},
}


def grow(arena, daemon, count):
    """All of them busy at once, then idle."""
    gates = [arena.gate() for _ in range(count)]
    requests = [daemon.get_in_background(gate.path, query=gate.query) for gate in gates]
    pids = {gate.wait_started() for gate in gates}
    for gate in gates:
        gate.open()
    for request in requests:
        assert request.result().text == "through the gate"
    return pids


@muster_only
@both_users
@pytest.mark.parametrize("manager", POOLS)
def test_requests_one_after_the_other_keep_to_one_worker(arena, daemon, manager):
    path = arena.script("pid.php", PID)
    daemon.configure({"www": POOLS[manager]}).start()
    assert len(grow(arena, daemon, 6)) == 6
    pids = [daemon.get(path).text for _ in range(60)]
    # In turns each would have served ten. The one before may not be back when the next one comes.
    assert max(pids.count(pid) for pid in pids) >= 15, pids


@muster_only
def test_an_ondemand_pool_shrinks_although_requests_go_on(arena, daemon):
    path = arena.script("pid.php", PID)
    settings = {**POOLS["ondemand"], "pm.process_idle_timeout": "2s"}
    daemon.configure({"www": settings}).start()
    grow(arena, daemon, 6)
    stop, failures = threading.Event(), []

    def trickle():
        while not stop.wait(0.05):
            if not daemon.get(path).ended:
                failures.append("a request was lost")

    thread = threading.Thread(target=trickle)
    thread.start()
    try:
        wait_until(lambda: len(daemon.workers()) <= 2, "the others have left", 20)
    finally:
        stop.set()
        thread.join()
    assert not failures
