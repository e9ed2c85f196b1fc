"""Workers replaced by plan: exactly in time, and never before the next one stands ready."""

import collections
import json
import threading

import pytest

from harness import fastcgi, processes
from harness.config import free_port
from harness.fixtures import both_users
from harness.program import muster_only
from harness.waiting import wait_until

PID = "<?php echo getmypid();"
EXITED = r"\[pool www\] child {} exited with code 0 after"
# What PHP keeps from request to request: compiled patterns.
GROW = """<?php
ini_set('pcre.jit', '0');
for ($i = 0; $i < $_GET['times']; $i++) { preg_match("/$i" . str_repeat('x', 30000) . '/', 'y'); }
echo getmypid();
"""


def counts_by_pid(daemon, path, total, clients=4):
    """How many of `total` requests, made by some clients at once, each worker has answered."""
    counts, lock, left = collections.Counter(), threading.Lock(), [total]

    def work():
        while True:
            with lock:
                if left[0] == 0:
                    return
                left[0] -= 1
            answer = daemon.get(path)
            assert answer.ended
            with lock:
                counts[answer.text] += 1

    threads = [threading.Thread(target=work) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(counts.values()) == total
    return counts


def status_from_manager(daemon, address):
    params = daemon.params("/status", query="json&full")
    with fastcgi.Connection(address) as connection:
        return json.loads(connection.ask(params).text)


def log_until_the_end_of(daemon, pid):
    """The lines of the log before the one that says that it has gone."""
    daemon.log.wait_for(EXITED.format(pid))
    lines = daemon.log.text().splitlines()
    (gone,) = [n for n, line in enumerate(lines) if f"child {pid} exited" in line]
    return lines[:gone]


@muster_only
def test_a_worker_serves_exactly_as_many_requests_as_it_may(arena, daemon):
    path = arena.script("pid.php", PID)
    daemon.configure({"www": {"pm.max_children": "4", "pm.max_requests": "25"}}).start()
    counts = counts_by_pid(daemon, path, 2000)
    wait_until(
        lambda: len(daemon.log.find(EXITED.format(r"\d+"))) >= 2000 // 25 - 4, "all have gone"
    )
    gone = {pid for pid in counts if daemon.log.find(EXITED.format(pid))}
    assert len(gone) >= 2000 // 25 - 4
    assert {counts[pid] for pid in gone} == {25}
    assert all(counts[pid] <= 25 for pid in counts)


@muster_only
def test_jitter_spreads_the_number_of_requests(arena, daemon):
    path = arena.script("pid.php", PID)
    limits = {"pm.max_requests": "10", "pm.max_requests_jitter": "10"}
    daemon.configure({"www": {"pm.max_children": "4", **limits}}).start()
    counts = counts_by_pid(daemon, path, 600)
    wait_until(lambda: len(daemon.log.find(EXITED.format(r"\d+"))) >= 600 // 20 - 4, "some have gone")
    served = {counts[pid] for pid in counts if daemon.log.find(EXITED.format(pid))}
    assert min(served) >= 10 and max(served) <= 20
    assert len(served) >= 4, f"no spread: {served}"


@muster_only
@pytest.mark.parametrize("manager", ["static", "dynamic", "ondemand"])
def test_the_successor_stands_ready_before_the_last_request_is_over(arena, daemon, manager):
    """One worker at most, held in its last request: the next one is there, and serves nobody yet."""
    directives = {
        "static": {},
        "dynamic": {
            "pm": "dynamic",
            "pm.start_servers": "1",
            "pm.min_spare_servers": "1",
            "pm.max_spare_servers": "1",
        },
        "ondemand": {"pm": "ondemand", "pm.process_idle_timeout": "60s"},
    }[manager]
    limits = {"pm.max_children": "1", "pm.max_requests": "1", "pm.status_path": "/status"}
    status_listen = f"127.0.0.1:{free_port()}"
    daemon.configure({"www": {**directives, **limits, "pm.status_listen": status_listen}}).start()
    first, second = arena.gate(), arena.gate()
    running = daemon.get_in_background(first.path, query=first.query)
    old = first.wait_started()
    standing = wait_until(lambda: daemon.standing_by(), "a successor")
    assert len(standing) == 1
    waiting = daemon.get_in_background(second.path, query=second.query)
    status = status_from_manager(daemon, status_listen)
    assert status["total processes"] == 1, "who stands by does not count"
    assert status["active processes"] == 1
    assert not second.started(), "never more requests at a time than pm.max_children"
    first.open()
    assert running.result().text == "through the gate"
    assert second.wait_started() in standing, "the successor has taken over"
    second.open()
    assert waiting.result().text == "through the gate"
    lines = log_until_the_end_of(daemon, old)
    assert any(f"child {pid} started" in line for pid in standing for line in lines)


@muster_only
def test_old_workers_are_replaced_between_requests(arena, daemon):
    path = arena.script("pid.php", PID)
    daemon.configure({"www": {"pm.max_children": "3", "pm.max_lifetime": "1s"}})
    # Never at rest: there is nothing to compare the number of descriptors with.
    daemon.start(wait=False)
    daemon.log.wait_for("ready to handle connections", timeout=15)
    first = daemon.wait_workers(3)
    gate = arena.gate()
    running = daemon.get_in_background(gate.path, query=gate.query)
    busy = gate.wait_started()
    wait_until(lambda: not (first - {busy}) & daemon.workers(), "the idle ones are replaced", 15)
    assert busy in daemon.workers(), "a request is never cut short"
    gate.open()
    assert running.result().text == "through the gate"
    wait_until(lambda: busy not in daemon.workers(), "then it goes, too", 15)
    daemon.log.wait_for(rf"child {busy} is replaced because it is \d+ seconds old \(pm.max_lifetime\)")
    assert daemon.get(path).ended
    assert not daemon.log.find("died before"), "no back-off for what was planned"


@muster_only
@both_users
def test_a_worker_with_too_much_memory_is_replaced_after_the_request(arena, daemon):
    pid, grow = arena.script("pid.php", PID), arena.script("grow.php", GROW)
    daemon.configure({"www": {"pm.max_memory": "24M"}}).start()
    before = daemon.get(pid).text
    assert [daemon.get(pid).text for _ in range(40)] == [before] * 40
    assert daemon.get(grow, query="times=600").text == before
    wait_until(lambda: daemon.get(pid).text != before, "somebody else answers")
    daemon.log.wait_for(
        rf"child {before} is replaced because it has \d+ KiB of memory for itself \(pm.max_memory\)"
    )
    daemon.log.wait_for(EXITED.format(before))
    assert len(daemon.log.find("is replaced")) == 1


@muster_only
def test_shared_memory_is_not_held_against_a_worker(arena, daemon):
    """What the requests take and give back, and what all workers share, is nobody's own."""
    path = arena.script("large.php", "<?php strlen(str_repeat('x', 48 << 20)); echo getmypid();")
    daemon.configure({"www": {"pm.max_memory": "24M"}}).start()
    pids = {daemon.get(path).text for _ in range(20)}
    assert len(pids) == 1
    assert not daemon.log.find("is replaced")


@muster_only
def test_nobody_stands_by_without_a_plan(arena, daemon):
    path = arena.script("pid.php", PID)
    daemon.configure({"www": {"pm.max_children": "2"}}).start()
    counts_by_pid(daemon, path, 50)
    assert not daemon.standing_by()
    assert len(daemon.workers()) == 2


@muster_only
def test_standing_by_workers_leave_with_the_others(arena, daemon):
    """Reload and stop find them, and an idle worker that goes takes its successor along."""
    limits = {"pm": "ondemand", "pm.max_children": "1", "pm.process_idle_timeout": "1s"}
    daemon.configure({"www": {**limits, "pm.max_requests": "3"}}).start()
    path = arena.script("pid.php", PID)
    for _ in range(2):
        assert daemon.get(path).ended
    wait_until(lambda: not daemon.workers() and not daemon.standing_by(), "all have left", 15)
    for _ in range(2):
        assert daemon.get(path).ended
    daemon.reload()
    assert daemon.get(path).ended


@muster_only
def test_a_successor_that_dies_is_made_again(arena, daemon):
    daemon.allow_log("exited on signal 9")
    daemon.configure({"www": {"pm.max_requests": "1"}}).start()
    gate = arena.gate()
    running = daemon.get_in_background(gate.path, query=gate.query)
    gate.wait_started()
    (standing,) = wait_until(lambda: daemon.standing_by(), "a successor")
    processes.kill_hard(standing)
    wait_until(lambda: daemon.standing_by() - {standing}, "another one", 15)
    gate.open()
    assert running.result().text == "through the gate"
    daemon.assert_serves()
