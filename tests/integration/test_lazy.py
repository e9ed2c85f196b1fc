"""pm.manager = lazy: a pool without a process until a connection comes, and again when all is quiet."""

import os
import random
import re
import select
import signal

import pytest

from harness import fastcgi, processes
from harness.background import Task
from harness.control import ask, pools_of
from harness.fixtures import as_root, both_users
from harness.program import muster_only
from harness.waiting import PATIENCE, pause, stays, wait_until

pytestmark = muster_only

LAZY = {
    "pm": "ondemand",
    "pm.max_children": "3",
    "pm.manager": "lazy",
    "pm.process_idle_timeout": "1s",
    "pm.manager_idle_timeout": "0",
    "pm.status_path": "/status",
}
STAYS = {**LAZY, "pm.manager_idle_timeout": "1h"}
ROUNDS = int(os.environ.get("MUSTER_LAZY_ROUNDS", "3"))
EAGER = {"pm": "static", "pm.max_children": "1"}


@pytest.fixture(autouse=True)
def awake_or_asleep(daemon):
    """The master has a channel to each manager, so its descriptors change with every wake-up; what
    stays is looked at by test_it_leaves_…"""
    daemon.compare_descriptors = False


def view(daemon, pool="www"):
    pools = pools_of(ask(daemon, "status"))
    return next(entry for entry in pools if entry["name"] == pool)


def state(daemon, pool="www"):
    return view(daemon, pool)["state"]


def wait_asleep(daemon, pool="www", timeout=15):
    wait_until(
        lambda: state(daemon, pool) == "sleeping",
        lambda: f"{pool} sleeps; log:\n{daemon.log.text()[-3000:]}",
        timeout,
    )
    assert pool not in daemon.managers()


def wait_awake(daemon, pool="www"):
    """A worker may answer before the master has heard that the manager is ready: its view then."""
    wait_until(lambda: state(daemon, pool) == "serving", lambda: f"{pool}: {view(daemon, pool)}", 15)
    return view(daemon, pool)


# --- Waking and falling asleep ----------------------------------------------------------------


@both_users
def test_the_first_connection_starts_the_manager_and_is_answered(daemon):
    daemon.configure({"www": STAYS, "api": EAGER}).start()
    assert set(daemon.managers()) == {"api"}
    sleeping = view(daemon)
    assert (sleeping["state"], sleeping["manager"]) == ("sleeping", None)
    assert (sleeping["accepted_conn"], sleeping["max_children"]) == (0, 3)
    assert ask(daemon, "workers", pool="www")["result"]["workers"] == []
    daemon.assert_serves()
    awake = wait_awake(daemon)
    assert awake["accepted_conn"] == 1
    assert awake["manager"] == daemon.managers()["www"]
    daemon.assert_serves("api")


@both_users
def test_it_leaves_when_nothing_comes_and_its_counters_stay(daemon):
    daemon.configure({"www": LAZY, "api": EAGER}).start()
    first = view(daemon)
    descriptors = len(processes.descriptors(daemon.master))
    for round_ in (1, 2):
        for _ in range(3):
            daemon.assert_serves()
        wait_asleep(daemon)
        assert view(daemon)["accepted_conn"] == 3 * round_
        assert view(daemon)["failed_starts"] == 0
        wait_until(
            lambda: len(processes.descriptors(daemon.master)) <= descriptors,
            "the master has no more descriptors than before",
        )
    assert first["accepted_conn"] == 0
    page = daemon.status()
    assert page["accepted conn"] == 7, "it counted on from where it was"
    assert page["start since"] >= 2, "the pool is as old as it was"
    assert not daemon.log.find("WARNING.*manager")


def test_it_stays_while_a_worker_a_connection_or_its_timeout_keeps_it(arena, daemon):
    gate = arena.gate()
    daemon.configure({"www": LAZY, "long": STAYS}).start()
    running = daemon.get_in_background(gate.path, query=gate.query)
    gate.wait_started()
    daemon.assert_serves("long")
    daemon.wait_workers(0, "long", timeout=15)
    manager = daemon.managers()["www"]
    stays(lambda: daemon.managers().get("www") == manager, "the manager is needed", 2.5)
    gate.open()
    assert running.result().text == "through the gate"
    wait_asleep(daemon)
    assert state(daemon, "long") == "serving"
    with daemon.connect() as connection:  # an idle one, kept alive
        path = arena.script("still.php", "<?php echo 'still';")
        assert connection.ask(daemon.params(path), keep=True).text == "still"
        manager = daemon.managers()["www"]
        stays(lambda: daemon.managers().get("www") == manager, "a connection is kept", 2.5)
        assert connection.ask(daemon.params(path)).text == "still"
    wait_asleep(daemon)


def test_a_look_at_the_status_address_wakes_it_too(daemon):
    daemon.configure({"www": {**LAZY, "pm.status_listen": f"{daemon.dir}/status.sock"}}).start()
    daemon.pools["status"] = {"listen": f"{daemon.dir}/status.sock"}
    assert daemon.status("status")["accepted conn"] == 0
    wait_asleep(daemon)


def test_who_connects_and_leaves_at_once_costs_one_start(daemon):
    daemon.configure({"www": LAZY}).start()
    with daemon.connect():
        pass
    wait_until(lambda: state(daemon) != "sleeping", "it is woken")
    wait_asleep(daemon)
    assert view(daemon)["failed_starts"] == 0
    daemon.assert_serves()


# --- Nothing is lost when it leaves -----------------------------------------------------------


def rounds_of(daemon, path, pool, chance):
    """Asks at the very moment the last worker, or the manager, has gone."""
    for _ in range(ROUNDS):
        with daemon.connect(pool, 60) as connection:
            text = connection.ask(daemon.params(path)).text
        worker, manager = re.fullmatch(r"(\d+) (\d+)", text).groups()
        try:
            watched = os.pidfd_open(int(chance.choice([worker, manager])))
        except ProcessLookupError:
            continue
        poll = select.poll()
        poll.register(watched, select.POLLIN)
        poll.poll(20_000 * PATIENCE)
        os.close(watched)
        pause(chance.choice([0, 0, 0.0005, 0.001, 0.002, 0.005]))


@both_users
def test_nothing_is_lost_by_who_comes_as_it_leaves(arena, daemon):
    path = arena.script("who.php", "<?php echo getmypid(), ' ', posix_getppid();")
    names = [f"p{number}" for number in range(40)]
    daemon.configure({name: LAZY for name in names}).start()
    tasks = [
        Task(rounds_of, daemon, path, name, random.Random(number))
        for number, name in enumerate(names)
    ]
    for task in tasks:
        task.result(20 * ROUNDS)
    for name in names:
        assert view(daemon, name)["accepted_conn"] == ROUNDS, name


@both_users
def test_who_comes_between_the_managers_end_and_the_masters_look_waits_and_is_served(daemon):
    daemon.configure({"www": LAZY}).start()
    daemon.assert_serves()
    manager = daemon.managers()["www"]
    daemon.signal(signal.SIGSTOP)
    try:
        wait_until(lambda: processes.state(manager) == "Z", "the manager has left", 15)
        waiting = Task(daemon.assert_serves)
        pause(0.05)
    finally:
        daemon.signal(signal.SIGCONT)
    waiting.result()
    assert daemon.managers()["www"] != manager


# --- Trouble ----------------------------------------------------------------------------------


@as_root
def test_a_runtime_that_does_not_load_is_tried_with_growing_delays(daemon):
    ini = f"{daemon.dir}/php.ini"
    with open(ini, "w", encoding="utf-8") as file:
        file.write("precision = 5\n")
    os.chmod(ini, 0o600)
    daemon.configure({"www": STAYS, "api": EAGER})
    os.chmod(ini, 0o644)
    daemon.start("-c", ini)
    os.chmod(ini, 0o600)
    daemon.allow_log("the new manager did not start", "php.ini")
    assert state(daemon) == "sleeping"
    waiting = Task(daemon.assert_serves)
    daemon.log.wait_for(r"the next start of its manager is in 1\.000", timeout=15)
    starts = len(daemon.log.find("the new manager did not start"))
    assert starts <= 4, "a readable socket is no reason to spin"
    assert view(daemon)["failed_starts"] >= 2
    daemon.assert_serves("api")
    os.chmod(ini, 0o644)
    waiting.result(60)
    wait_awake(daemon)


@both_users
def test_a_killed_manager_is_replaced_when_somebody_comes(daemon):
    daemon.configure({"www": STAYS}).start()
    daemon.allow_log("manager")
    daemon.assert_serves()
    manager = wait_awake(daemon)["manager"]
    processes.kill_hard(manager)
    wait_asleep(daemon)
    assert view(daemon)["accepted_conn"] == 1
    daemon.assert_serves()
    assert daemon.managers()["www"] != manager


# --- Orders to a pool that sleeps -------------------------------------------------------------


@both_users
def test_reload_gives_a_sleeping_pool_its_settings_without_a_process(daemon):
    daemon.configure({"www": STAYS, "api": EAGER}).start()
    assert pools_of(ask(daemon, "reload")) == {"www": "unchanged", "api": "unchanged"}
    daemon.configure({"www": {**STAYS, "pm.max_children": "7"}, "api": EAGER, "new": STAYS})
    answer = pools_of(ask(daemon, "reload"))
    assert answer == {"www": "renewed", "api": "unchanged", "new": "added"}
    assert (state(daemon), state(daemon, "new")) == ("sleeping", "sleeping")
    assert view(daemon)["max_children"] == 7
    daemon.reload()
    assert (state(daemon), state(daemon, "new")) == ("sleeping", "sleeping")
    daemon.assert_serves()
    daemon.assert_serves("new")
    daemon.configure({"www": STAYS})
    assert pools_of(ask(daemon, "reload"))["new"] == "removed"
    daemon.assert_serves()


def test_a_bad_file_changes_nothing_for_it(daemon):
    daemon.configure({"www": STAYS}).start()
    daemon.allow_log("needs pm = ondemand", "at .*d.conf", "the reload is refused", "post process")
    daemon.configure({"www": {**STAYS, "pm": "static"}})
    answer = ask(daemon, "reload")
    assert not answer["ok"]
    assert any("pm.manager = lazy needs pm = ondemand" in line for line in answer["problems"])
    assert state(daemon) == "sleeping"
    daemon.assert_serves()


def test_a_reload_renews_what_is_awake_beside_it(arena, daemon):
    daemon.configure({"www": STAYS, "api": STAYS}).start()
    daemon.assert_serves()
    gate = arena.gate()
    running = daemon.get_in_background(gate.path, query=gate.query)
    gate.wait_started()
    before = wait_awake(daemon)["manager"]
    daemon.reload()
    assert state(daemon, "api") == "sleeping"
    assert view(daemon)["manager"] not in (before, None)
    gate.open()
    assert running.result().text == "through the gate"
    wait_until(lambda: not view(daemon)["leaving"], "the old one has gone")
    wait_until(lambda: view(daemon)["accepted_conn"] == 2, "both generations count")


def test_between_lazy_and_eager(daemon):
    daemon.configure({"www": STAYS}).start()
    daemon.configure({"www": {**STAYS, "pm.manager": "eager"}})
    assert pools_of(ask(daemon, "reload")) == {"www": "renewed"}
    assert state(daemon) == "serving" and daemon.managers()
    daemon.configure({"www": LAZY})
    assert pools_of(ask(daemon, "reload")) == {"www": "renewed"}
    wait_asleep(daemon)
    daemon.assert_serves()


def test_a_sleeping_pool_moves_to_another_address(daemon):
    daemon.configure({"www": STAYS}).start()
    old = daemon.address()
    daemon.configure({"www": {**STAYS, "listen": f"{daemon.dir}/moved.sock"}})
    assert pools_of(ask(daemon, "reload")) == {"www": "renewed"}
    assert not os.path.exists(old)
    daemon.assert_serves()


def test_drain_resume_scale_and_restart(arena, daemon):
    daemon.configure({"www": STAYS}).start()
    assert pools_of(ask(daemon, "drain", pools=["www"])) == {"www": "paused"}
    waiting = Task(daemon.assert_serves)
    stays(lambda: not daemon.managers(), "nobody wakes a paused pool", 0.3)
    assert pools_of(ask(daemon, "resume", pools=["www"])) == {"www": "renewed"}
    waiting.result()
    daemon.configure({"www": LAZY})
    ask(daemon, "reload")
    wait_asleep(daemon)
    assert pools_of(ask(daemon, "scale", pool="www", workers=5)) == {"www": "renewed"}
    assert (state(daemon), view(daemon)["max_children"]) == ("sleeping", 5)
    assert pools_of(ask(daemon, "restart", pools=["www"])) == {"www": "renewed"}
    assert state(daemon) == "sleeping"
    daemon.assert_serves()


def test_its_logs_are_opened_again_while_it_sleeps(daemon):
    log = f"{daemon.dir}/access.log"
    daemon.configure({"www": {**STAYS, "access.log": log}}).start()
    os.rename(log, log + ".1")
    assert ask(daemon, "reopen-logs")["ok"]
    daemon.assert_serves()
    wait_until(lambda: os.path.exists(log) and os.path.getsize(log), "the new file has the line")
    assert os.path.getsize(log + ".1") == 0


def test_process_max_counts_only_who_is_awake(arena, daemon):
    daemon.configure(
        {"www": {**LAZY, "pm.max_children": "1"}, "api": {**LAZY, "pm.max_children": "1"}},
        {"process.max": "1"},
    ).start()
    daemon.allow_log("maximum number of processes")
    for pool in ("www", "api", "www"):
        daemon.assert_serves(pool)
    wait_asleep(daemon, "www")
    wait_asleep(daemon, "api")


@both_users
def test_more_pools_than_the_soft_limit_of_descriptors_has_room_for(arena, daemon):
    path = arena.script("limits.php", "<?php echo file_get_contents('/proc/self/limits');")
    names = [f"p{number}" for number in range(60)]
    daemon.configure({name: {**STAYS, "access.log": f"{daemon.dir}/{name}.log"} for name in names})
    daemon.start(command=["prlimit", "--nofile=96:4096", *daemon.command("-F")])
    answer = daemon.get(path, pool=names[-1]).text
    limit = next(line for line in answer.splitlines() if line.startswith("Max open files"))
    assert limit.split()[3] == "96", "scripts have the limit muster was started with"


@both_users
def test_an_upgrade_finds_it_asleep_with_its_counters(daemon):
    daemon.configure({"www": LAZY, "api": EAGER}).start()
    daemon.assert_serves()
    wait_asleep(daemon)
    assert ask(daemon, "upgrade")["ok"]
    assert (state(daemon), view(daemon)["accepted_conn"]) == ("sleeping", 1)
    daemon.assert_serves()
    assert wait_awake(daemon)["accepted_conn"] == 2


@both_users
def test_a_graceful_stop_while_it_starts_serves_who_waits(arena, daemon):
    path = arena.script("last.php", "<?php usleep(50000); echo 'last';")
    for gap in (0, 0.01, 0.03, 0.06, 0.1, 0.15):
        daemon.configure({"www": STAYS, "api": STAYS}).start()
        with daemon.connect(timeout=20) as connection:
            connection.send(fastcgi.request_bytes(daemon.params(path)))
            pause(gap)
            daemon.signal(signal.SIGQUIT)
            assert connection.read_response().text == "last", f"after {gap} s"
        assert daemon.wait_exit(30) == 0
