"""Who waits in a socket that a reload gives up is served by the last generation that had it."""

import os

import pytest

from harness import fastcgi
from harness.background import Task
from harness.config import free_port
from harness.fixtures import both_users
from harness.program import muster_only
from harness.waiting import wait_until

pytestmark = muster_only

SLOW = "<?php usleep(100000); echo 'slow';"


def waiting(daemon, pool, path, count):
    """[(connection, its answer as a Task)]: more than the pool has workers for."""
    connections = [daemon.connect(pool, 30.0) for _ in range(count)]
    for connection in connections:
        connection.send(fastcgi.request_bytes(daemon.params(path)))
    return [(connection, Task(connection.read_response)) for connection in connections]


def texts(answers):
    found = [answer.result().text for _, answer in answers]
    for connection, _ in answers:
        connection.close()
    return found


@both_users
@pytest.mark.parametrize("family", ["unix", "tcp"])
@pytest.mark.parametrize("change", ["removed", "moved"])
def test_everybody_in_the_queue_is_answered(arena, daemon, change, family):
    path = arena.script("slow.php", SLOW)
    listen = {
        "unix": [f"{daemon.dir}/old.sock", f"{daemon.dir}/moved.sock"],
        "tcp": [f"127.0.0.1:{free_port()}" for _ in range(2)],
    }[family]
    pools = {"www": {}, "old": {"pm.max_children": "2", "listen": listen[0]}}
    daemon.compare_descriptors = False
    daemon.configure(pools).start()
    answers = waiting(daemon, "old", path, 12)
    changed = {"www": {}}
    if change == "moved":
        changed["old"] = {**pools["old"], "listen": listen[1]}
    daemon.configure(changed).reload()
    assert texts(answers) == ["slow"] * len(answers)
    daemon.assert_serves()
    if change == "moved":
        daemon.assert_serves("old")
    if family == "unix":
        wait_until(lambda: not os.path.exists(listen[0]), "the old socket is gone")
    assert not daemon.log.find("accept no more")
    daemon.configure(pools).reload()
    daemon.assert_serves("old")


@both_users
def test_an_ondemand_pool_gets_the_workers_it_needs_for_the_queue(arena, daemon):
    path = arena.script("slow.php", SLOW)
    daemon.compare_descriptors = False
    old = {"pm": "ondemand", "pm.max_children": "3", "listen": f"{daemon.dir}/old.sock"}
    daemon.configure({"old": old}).start()
    answers = waiting(daemon, "old", path, 8)
    daemon.configure({"old": {**old, "listen": f"{daemon.dir}/new.sock"}}).reload()
    assert texts(answers) == ["slow"] * len(answers)
    daemon.assert_serves("old")


def test_two_pools_that_change_places_leave_no_socket(arena, daemon):
    """Each goes on at the other's address: nobody may close what the other one takes."""
    path = arena.script("pool.php", "<?php echo fpm_get_status()['pool'];")
    first, second = f"{daemon.dir}/first.sock", f"{daemon.dir}/second.sock"
    pools = [{"one": {"listen": first}, "two": {"listen": second}}]
    pools.append({"one": {"listen": second}, "two": {"listen": first}})
    daemon.configure(pools[0]).start()
    for turn in (1, 0, 1, 0):
        daemon.configure(pools[turn]).reload()
        assert daemon.get(path, pool="one").text == "one"
        assert daemon.get(path, pool="two").text == "two"


def test_a_new_pool_takes_the_socket_of_one_that_goes(arena, daemon):
    path = arena.script("slow.php", SLOW)
    listen = {"listen": f"{daemon.dir}/shared.sock", "pm.max_children": "2"}
    daemon.compare_descriptors = False
    daemon.configure({"before": listen}).start()
    answers = waiting(daemon, "before", path, 8)
    daemon.configure({"after": listen}).reload()
    assert texts(answers) == ["slow"] * len(answers)
    daemon.assert_serves("after")


def test_a_pool_that_moves_is_not_watched(arena, daemon):
    """Set aside, its old generation would let everybody at the old socket wait."""
    path = arena.script("slow.php", SLOW)
    watched = {"reload_canary": "30s"}
    daemon.compare_descriptors = False
    old = {"pm.max_children": "2", "listen": f"{daemon.dir}/old.sock"}
    daemon.configure({"old": old}, watched).start()
    answers = waiting(daemon, "old", path, 8)
    daemon.configure({"old": {**old, "listen": f"{daemon.dir}/new.sock"}}, watched).reload()
    assert texts(answers) == ["slow"] * len(answers)
    daemon.assert_serves("old")
