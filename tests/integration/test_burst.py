"""A burst on a small dynamic pool does not wait for the once-a-second maintenance."""

import time

from harness import processes
from harness.program import muster_only
from harness.waiting import wait_until

POOL = {
    "pm": "dynamic",
    "pm.max_children": "20",
    "pm.start_servers": "1",
    "pm.min_spare_servers": "1",
    "pm.max_spare_servers": "20",
}


@muster_only
def test_twenty_requests_at_once_run_side_by_side(arena, daemon):
    daemon.configure({"www": POOL}).start()
    gates = [arena.gate() for _ in range(20)]
    begun = time.monotonic()
    requests = [daemon.get_in_background(gate.path, query=gate.query) for gate in gates]
    # None of them is let go before all run: only growth to 20 workers gets us past here.
    pids = {gate.wait_started() for gate in gates}
    grown = time.monotonic() - begun
    assert len(pids) == 20
    # Spawning once a second with a doubling rate (1, 2, 4, 8, 4) takes five ticks.
    assert grown < 4, f"{grown:.2f} s to grow to 20 workers"
    for gate in gates:
        gate.open()
    assert all(request.result().text == "through the gate" for request in requests)


@muster_only
def test_burst_of_short_scripts(arena, daemon):
    path = arena.script("short.php", "<?php usleep(200000); echo getmypid();")
    daemon.configure({"www": POOL}).start()
    requests = [daemon.get_in_background(path) for _ in range(20)]
    pids = [request.result().text for request in requests]
    assert len(set(pids)) >= 8, "served by many workers, not by one after the other"


@muster_only
def test_ondemand_burst(arena, daemon):
    daemon.configure(
        {"www": {"pm": "ondemand", "pm.max_children": "10", "pm.process_idle_timeout": "60s"}}
    ).start()
    gates = [arena.gate() for _ in range(10)]
    requests = [daemon.get_in_background(gate.path, query=gate.query) for gate in gates]
    assert len({gate.wait_started() for gate in gates}) == 10
    for gate in gates:
        gate.open()
    for request in requests:
        request.result()


@muster_only
def test_growth_does_not_overshoot(arena, daemon):
    daemon.configure({"www": {**POOL, "pm.max_spare_servers": "2"}}).start()
    gates = [arena.gate() for _ in range(5)]
    requests = [daemon.get_in_background(gate.path, query=gate.query) for gate in gates]
    for gate in gates:
        gate.wait_started()
    assert len(daemon.workers()) <= 8, "as many as are needed and a few spares"
    for gate in gates:
        gate.open()
    for request in requests:
        request.result()
    wait_until(lambda: len(daemon.workers()) <= 2, "spares go again", 15)


@muster_only
def test_idle_daemon_uses_no_processor_time(daemon):
    daemon.configure({"www": {**POOL, "pm.start_servers": "5"}, "b": {}}).start()
    daemon.wait_workers(5)

    def ticks():
        used = 0
        for pid in [daemon.master, *processes.descendants(daemon.master)]:
            with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
                fields = stat.read().rpartition(")")[2].split()
            used += int(fields[11]) + int(fields[12])
        return used

    before, since = ticks(), time.monotonic()
    wait_until(lambda: time.monotonic() - since > 2, "two seconds of nothing")
    assert ticks() - before <= 4, "at most 40 ms in two seconds"
