"""static, dynamic, ondemand: how many workers there are, and when that changes."""

import os

import pytest

from harness import processes
from harness.config import free_port
from harness.fixtures import both_users
from harness.program import is_reference, muster_only
from harness.waiting import stays


def dynamic(children, start, least, most, **more):
    return {
        "pm": "dynamic",
        "pm.max_children": str(children),
        "pm.start_servers": str(start),
        "pm.min_spare_servers": str(least),
        "pm.max_spare_servers": str(most),
        "pm.status_path": "/status",
        **more,
    }


ONDEMAND = {"pm": "ondemand", "pm.max_children": "3", "pm.process_idle_timeout": "1s"}


def occupy(arena, daemon, count):
    """That many requests at once, all of them running: [(gate, request)]."""
    busy = []
    for _ in range(count):
        gate = arena.gate()
        busy.append((gate, daemon.get_in_background(gate.path, query=gate.query)))
        if is_reference():  # its ondemand misses connections that come together
            gate.wait_started()
    for gate, _ in busy:
        gate.wait_started()
    return busy


def release(busy):
    for gate, request in busy:
        gate.open()
        assert request.result().text == "through the gate"


@both_users
def test_static_keeps_its_number(arena, daemon):
    daemon.configure({"www": {"pm.max_children": "4", "pm.status_path": "/status"}}).start()
    workers = daemon.wait_workers(4)
    busy = occupy(arena, daemon, 3)
    status = daemon.status()
    assert status["process manager"] == "static"
    assert status["total processes"] == 4
    assert status["active processes"] == 4
    release(busy)
    assert daemon.workers() == workers


def test_workers_are_spread_over_the_requests(arena, daemon):
    daemon.configure({"www": {"pm.max_children": "3"}}).start()
    busy = occupy(arena, daemon, 3)
    pids = {gate.wait_started() for gate, _ in busy}
    assert pids == daemon.workers()
    release(busy)


@both_users
def test_dynamic_starts_with_start_servers(daemon):
    daemon.configure({"www": dynamic(6, 3, 2, 4)}).start()
    daemon.wait_workers(3)
    assert daemon.status()["process manager"] == "dynamic"


def test_dynamic_grows_to_keep_spares_and_shrinks_again(arena, daemon):
    daemon.configure({"www": dynamic(6, 1, 1, 2)}).start()
    busy = occupy(arena, daemon, 3)
    daemon.wait_workers(4, timeout=6)
    release(busy)
    daemon.wait_workers(2, timeout=8)
    stays(lambda: len(daemon.workers()) == 2, "spares stay within the limits", 1.2)
    daemon.assert_serves()


@both_users
def test_dynamic_stops_at_max_children_and_says_so_once(arena, daemon):
    daemon.configure({"www": dynamic(2, 1, 1, 2)}).start()
    busy = occupy(arena, daemon, 2)
    gate = arena.gate()
    waiting = daemon.get_in_background(gate.path, query=gate.query)
    text = (
        r"WARNING: \[pool www\] server reached pm.max_children setting \(2\), consider raising it"
    )
    daemon.log.wait_for(text)
    stays(lambda: len(daemon.workers()) == 2, "never more than max_children", 1.5)
    assert not gate.started()
    assert len(daemon.log.find(text)) == 1, "one warning for one episode"
    release(busy)
    release([(gate, waiting)])
    assert daemon.status()["max children reached"] == 1
    assert daemon.status()["max active processes"] == 2


@muster_only
def test_dynamic_grows_at_once_when_the_last_idle_worker_is_taken(arena, daemon):
    daemon.configure({"www": dynamic(8, 1, 1, 2)}).start()
    busy = occupy(arena, daemon, 6)
    assert len({gate.wait_started() for gate, _ in busy}) == 6
    release(busy)


def test_ondemand_starts_without_workers_and_forks_for_requests(arena, daemon):
    daemon.configure({"www": {**ONDEMAND, "pm.process_idle_timeout": "60s"}}).start()
    assert daemon.workers() == set()
    daemon.assert_serves()
    daemon.wait_workers(1)
    for _ in range(9):  # the one before may not be idle yet when the next request comes
        daemon.assert_serves()
    assert len(daemon.workers()) < 3, "idle workers are used again"
    busy = occupy(arena, daemon, 3)
    assert len(daemon.workers()) == 3
    release(busy)


@both_users
def test_ondemand_workers_leave_when_idle(arena, daemon):
    daemon.configure({"www": ONDEMAND}).start()
    release(occupy(arena, daemon, 3))
    daemon.wait_workers(0, timeout=12)
    daemon.assert_serves()
    daemon.wait_workers(0, timeout=8)
    assert not daemon.log.find("exited"), "leaving when idle is no event"


def test_ondemand_stops_at_max_children_and_says_so(arena, daemon):
    daemon.configure({"www": {**ONDEMAND, "pm.max_children": "1"}}).start()
    busy = occupy(arena, daemon, 1)
    gate = arena.gate()
    waiting = daemon.get_in_background(gate.path, query=gate.query)
    daemon.log.wait_for(
        r"WARNING: \[pool www\] server reached (pm\.)?max_children setting \(1\), consider"
    )
    assert len(daemon.workers()) == 1
    release(busy)
    release([(gate, waiting)])


def test_ondemand_over_tcp(arena, daemon):
    daemon.configure({"www": {**ONDEMAND, "listen": f"127.0.0.1:{free_port()}"}}).start()
    release(occupy(arena, daemon, 2))
    daemon.wait_workers(0, timeout=10)
    daemon.assert_serves()


@pytest.mark.parametrize("manager", ["static", "dynamic", "ondemand"])
def test_max_requests_is_exact(arena, daemon, manager):
    path = arena.script("pid.php", "<?php echo getmypid();")
    directives = {
        "static": {"pm.max_children": "1"},
        "dynamic": dynamic(1, 1, 1, 1),
        "ondemand": {**ONDEMAND, "pm.max_children": "1", "pm.process_idle_timeout": "60s"},
    }[manager]
    daemon.configure({"www": {**directives, "pm.max_requests": "5"}}).start()
    pids = [daemon.get(path).text for _ in range(15)]
    assert [pids.count(pid) for pid in dict.fromkeys(pids)] == [5, 5, 5]
    daemon.log.wait_for(
        r"NOTICE: \[pool www\] child \d+ exited with code 0 after \d+\.\d{6} seconds from start", 3
    )
    daemon.log.wait_for(r"NOTICE: \[pool www\] child \d+ started", 3)


def test_max_requests_loses_nothing_under_load(arena, daemon):
    path = arena.script("quick.php", "<?php echo 'quick';")
    daemon.configure({"www": {"pm.max_children": "2", "pm.max_requests": "7"}}).start()
    nginx = arena.nginx(daemon.address())
    with nginx.load(path, b"quick", clients=4) as load:
        load.wait_for_more(300)
    load.assert_no_failures()
    daemon.wait_workers(2)


@both_users
def test_pools_do_not_share_workers(arena, daemon):
    path = arena.script("pid.php", "<?php echo getmypid();")
    daemon.configure({"one": {}, "two": {}}).start()
    pids = {
        pool: {int(daemon.get(path, pool=pool).text) for _ in range(4)} for pool in daemon.pools
    }
    assert pids["one"] == daemon.workers("one")
    assert pids["two"] == daemon.workers("two")
    if not is_reference():
        parents = {processes.parent(pid) for pid in pids["one"] | pids["two"]}
        assert parents == set(daemon.managers().values())


def test_idle_worker_has_few_descriptors_and_nothing_of_other_pools(daemon):
    daemon.configure(
        {"one": {"access.log": f"{daemon.dir}/one.access"}, "two": {}},
    ).start()
    (worker,) = daemon.wait_workers(1, "two")
    targets = processes.descriptors(worker).values()
    if os.geteuid() == 0 or targets:
        assert f"{daemon.dir}/one.access" not in targets
        assert daemon.log.path not in targets
        # The listening socket (twice), a dead one, the orders (twice), the hand-over queue.
        assert sum(target.startswith("socket:") for target in targets) <= 6
