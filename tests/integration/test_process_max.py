"""process.max: one limit over the workers of all pools."""

import signal

import pytest

from harness import processes
from harness.fixtures import both_users
from harness.program import environment_for_signals, muster_only
from harness.waiting import stays, wait_until

WARNING = (
    r"WARNING: The maximum number of processes has been reached\. Please review your "
    r"configuration and consider raising 'process\.max'$"
)
ONDEMAND = {"pm": "ondemand", "pm.max_children": "3", "pm.process_idle_timeout": "1s"}


def static(count):
    return {"pm": "static", "pm.max_children": str(count)}


def dynamic(children, start):
    return {
        "pm": "dynamic",
        "pm.max_children": str(children),
        "pm.start_servers": str(start),
        "pm.min_spare_servers": "1",
        "pm.max_spare_servers": str(start),
    }


def limited(daemon, most, pools):
    return daemon.configure(pools, {"process.max": str(most)})


def counts(daemon):
    return [len(daemon.workers(pool)) for pool in daemon.pools]


def wait_counts(daemon, wanted, timeout=8):
    wait_until(
        lambda: counts(daemon) == wanted,
        lambda: f"{wanted} workers, now {counts(daemon)}:\n{daemon.log.text()[-3000:]}",
        timeout,
    )


@both_users
def test_order_of_the_pools_decides_and_all_of_them_become_ready(daemon):
    limited(daemon, 3, {"b": static(2), "a": static(3), "c": dynamic(5, 1), "d": static(1)})
    daemon.start()
    wait_counts(daemon, [2, 1, 0, 0])
    assert len(daemon.log.find(WARNING)) == 1
    lines = daemon.log.text()
    assert lines.index("maximum number") < lines.index("ready to handle connections")
    daemon.assert_serves("b")
    daemon.assert_serves("a")
    stays(lambda: counts(daemon) == [2, 1, 0, 0], "the limit holds", 1.5)
    assert len(daemon.log.find(WARNING)) == 1


def test_enough_room_is_no_event(daemon):
    limited(daemon, 3, {"a": static(2), "b": static(1)}).start()
    wait_counts(daemon, [2, 1])
    assert not daemon.log.find("maximum number")


def test_dead_worker_is_replaced_in_its_own_room(daemon):
    daemon.allow_log("exited on signal 9")
    limited(daemon, 3, {"a": static(2), "b": static(2)}).start()
    wait_counts(daemon, [2, 1])
    for _ in range(3):
        (victim, _) = daemon.workers("a")
        processes.kill_hard(victim)
        wait_until(lambda: victim not in daemon.workers("a"), "it is gone")
        wait_counts(daemon, [2, 1])
    daemon.assert_serves("b")


@muster_only
def test_room_of_a_worker_that_leaves_goes_to_who_waits(arena, daemon):
    """The second pool's request waits until the first pool's idle worker has left."""
    limited(daemon, 1, {"one": ONDEMAND, "two": ONDEMAND}).start()
    first, second = arena.gate(), arena.gate()
    running = daemon.get_in_background(first.path, pool="one", query=first.query)
    first.wait_started()
    waiting = daemon.get_in_background(second.path, pool="two", query=second.query)
    daemon.log.wait_for(WARNING)
    stays(lambda: counts(daemon) == [1, 0], "the limit holds", 1.2)
    assert not second.started()
    first.open()
    assert running.result().text == "through the gate"
    second.wait_started()
    assert counts(daemon) == [0, 1]
    second.open()
    assert waiting.result().text == "through the gate"
    assert len(daemon.log.find(WARNING)) == 1
    wait_counts(daemon, [0, 0])
    daemon.assert_serves("one")


@muster_only
def test_static_pool_is_filled_when_room_comes_back(arena, daemon):
    limited(daemon, 4, {"grown": dynamic(3, 3), "short": static(3)}).start()
    wait_counts(daemon, [3, 1])
    # A reload lets the first pool begin with less.
    pools = {"grown": dynamic(3, 1), "short": static(3)}
    limited(daemon, 4, pools)
    daemon.reload()
    wait_counts(daemon, [1, 3])
    daemon.assert_serves("grown")


@both_users
def test_reload_when_all_room_is_taken(arena, daemon):
    limited(daemon, 3, {"a": static(2), "b": static(3)}).start()
    wait_counts(daemon, [2, 1])
    before = daemon.workers("a") | daemon.workers("b")
    mark = daemon.reload()
    wait_until(lambda: not before & (daemon.workers("a") | daemon.workers("b")), "all are new")
    wait_counts(daemon, [2, 1])
    assert len(daemon.log.find(WARNING, mark)) == 1
    daemon.assert_serves("a")
    daemon.assert_serves("b")


@muster_only
def test_requests_that_outlast_a_reload_do_not_count(arena, daemon):
    limited(daemon, 1, {"a": static(1)}).start()
    gate = arena.gate()
    running = daemon.get_in_background(gate.path, pool="a", query=gate.query)
    old = gate.wait_started()
    daemon.reload()
    wait_until(lambda: daemon.workers("a") - {old}, "the new worker is there beside the old one")
    daemon.assert_serves("a")
    gate.open()
    assert running.result().text == "through the gate"
    wait_counts(daemon, [1])


@muster_only
@pytest.mark.parametrize("before, after, wanted", [(2, 5, [3, 2]), (5, 4, [3, 1]), (2, 0, [3, 2])])
def test_changed_limit_is_in_force_after_a_reload(daemon, before, after, wanted):
    pools = {"a": static(3), "b": static(2)}
    limited(daemon, before, pools).start()
    limited(daemon, after, pools)
    daemon.reload()
    wait_counts(daemon, wanted)


@muster_only
def test_limit_switched_on_by_a_reload(daemon):
    pools = {"a": static(3), "b": static(2)}
    daemon.configure(pools).start()
    wait_counts(daemon, [3, 2])
    limited(daemon, 4, pools)
    mark = daemon.reload()
    wait_counts(daemon, [3, 1])
    assert len(daemon.log.find(WARNING, mark)) == 1


@muster_only
def test_pool_that_goes_leaves_its_room_to_others(daemon):
    limited(daemon, 3, {"a": static(2), "b": static(3)}).start()
    wait_counts(daemon, [2, 1])
    limited(daemon, 3, {"b": static(3)})
    daemon.compare_descriptors = False  # one pool less
    daemon.reload()
    wait_counts(daemon, [3])


@muster_only
def test_room_of_a_dead_manager_is_kept_for_it(daemon):
    daemon.allow_log("manager .* exited on signal 9")
    limited(daemon, 3, {"a": static(2), "b": static(3)}).start()
    wait_counts(daemon, [2, 1])
    manager = daemon.managers()["a"]
    processes.kill_hard(manager)
    wait_until(lambda: daemon.managers().get("a", manager) != manager, "a new manager")
    wait_counts(daemon, [2, 1])
    daemon.assert_serves("a")


@muster_only
def test_dynamic_pool_grows_up_to_the_limit_only(arena, daemon):
    limited(daemon, 3, {"a": dynamic(6, 1), "b": static(1)}).start()
    wait_counts(daemon, [1, 1])
    gates = [arena.gate() for _ in range(3)]
    requests = [daemon.get_in_background(gate.path, pool="a", query=gate.query) for gate in gates]
    wait_until(lambda: sum(gate.started() for gate in gates) == 2, "two of three run", 15)
    daemon.log.wait_for(WARNING)
    stays(lambda: counts(daemon) == [2, 1], "the limit holds", 1.5)
    assert sum(gate.started() for gate in gates) == 2
    for gate in gates:
        gate.open()
    for request in requests:
        assert request.result().text == "through the gate"


def test_crashes_do_not_lose_room(daemon):
    """A row of crashes, so fast that replacements are delayed: the number comes back."""
    daemon.allow_log("exited on signal")
    limited(daemon, 2, {"a": static(2), "b": static(1)}).start(env=environment_for_signals())
    wait_counts(daemon, [2, 0])
    for _ in range(3):
        victims = daemon.workers("a")
        for victim in victims:
            processes.send(victim, signal.SIGSEGV)
        wait_until(lambda gone=victims: not gone & daemon.workers("a"), "they are dead", 15)
        wait_until(lambda: daemon.workers("a"), "somebody is there", 15)
    wait_counts(daemon, [2, 0], 20)
    daemon.assert_serves("a")
