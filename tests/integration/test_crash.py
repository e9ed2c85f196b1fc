"""The crash table (design §2): who dies, who may notice, and what says so."""

import os
import signal

import pytest

from harness import processes
from harness.background import Load, Task
from harness.config import free_port
from harness.control import ask, control_path, musterctl
from harness.fixtures import both_users
from harness.program import environment_for_signals, muster_only
from harness.waiting import pause, wait_until
from test_respawn_delay import deadly  # pylint: disable=unused-import

pytestmark = muster_only


def pool_of(daemon, name="www"):
    pools = ask(daemon, "status")["result"]["pools"]
    return next(pool for pool in pools if pool["name"] == name)


# --- Crash loops ----------------------------------------------------------------------------


@both_users
def test_a_pool_whose_manager_cannot_start_says_so(daemon, deadly):
    """It backs off, tells when it is tried next and why it failed; the other is not touched."""
    library, flag = deadly
    daemon.configure({"www": {"php_admin_value[extension]": library}, "other": {}}).start()
    daemon.allow_log("manager", "exited with code 7")
    others, other = daemon.wait_workers(1, "other"), daemon.managers()["other"]
    with open(flag, "w", encoding="ascii"):
        pass
    processes.kill_hard(daemon.managers()["www"])

    def loops():
        pool = pool_of(daemon)
        return pool if pool["failed_starts"] >= 3 and pool["next_try_seconds"] else None

    pool = wait_until(loops, lambda: f"{pool_of(daemon)}\n{daemon.log.text()}", 30)
    assert pool["state"] == "failed" and pool["manager"] is None
    assert 0 < pool["next_try_seconds"] <= 32
    assert "exited with code 7" in pool["last_failure"]
    shown = musterctl("-s", control_path(daemon), "status").stdout
    assert "pool www: failed to start" in shown and "exited with code 7" in shown
    assert daemon.wait_workers(1, "other") == others and daemon.managers()["other"] == other
    daemon.assert_serves("other")
    os.remove(flag)
    assert ask(daemon, "restart", pools=["www"])["ok"], "an order does not wait for the next try"
    daemon.assert_serves()
    assert pool_of(daemon)["state"] == "serving"
    assert "failed to start" not in musterctl("-s", control_path(daemon), "status").stdout


def test_workers_that_die_young_are_said_on_all_status_pages(arena, daemon, deadly):
    library, flag = deadly
    daemon.allow_log("exited with code 7", "exited on signal 9")
    pool = {
        "php_admin_value[extension]": library,
        "pm.status_path": "/status",
        "pm.status_listen": f"{daemon.dir}/status.sock",
    }
    daemon.configure({"www": pool, "other": {}}).start()
    daemon.assert_serves()
    assert "workers died young" not in daemon.status(full=False)
    with open(flag, "w", encoding="ascii"):
        pass
    processes.kill_hard(*daemon.wait_workers(1))
    found = wait_until(
        lambda: (lambda now: now if now["state"] == "crashing" else None)(pool_of(daemon)),
        lambda: f"{pool_of(daemon)}\n{daemon.log.text()}",
        20,
    )
    assert found["workers_died_young"] >= 2 and 0 <= found["next_worker_seconds"] <= 10
    wait_until(
        lambda: "workers die before they serve" in musterctl("-s", control_path(daemon), "status").stdout,
        "musterctl says so",
        20,
    )
    daemon.assert_serves("other")
    os.remove(flag)
    daemon.wait_workers(1, timeout=60)
    wait_until(lambda: pool_of(daemon)["state"] == "serving", "it serves again", 20)


# --- The master -----------------------------------------------------------------------------


def everybody_gone(arena, pids):
    def gone():
        processes.reap_orphans(arena.popens)
        return not any(processes.is_alive(pid) for pid in pids)

    return gone


def names(pids):
    return [processes.title(pid) for pid in pids if processes.is_alive(pid)]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV], ids=["KILL", "SEGV"])
@both_users
def test_a_new_master_can_bind_while_old_requests_run(arena, daemon, number):
    """On unix and TCP sockets; the running request is answered, and all of the old service goes."""
    tcp = f"127.0.0.1:{free_port()}"
    daemon.configure({"www": {"pm.max_children": "2"}, "tcp": {"listen": tcp}})
    daemon.start(env=environment_for_signals())
    old = processes.descendants(daemon.master)
    gate = arena.gate()
    request = daemon.get_in_background(gate.path, query=gate.query)
    worker = gate.wait_started()
    os.kill(daemon.master, number)
    assert daemon.wait_exit() == -number
    idle = [pid for pid in old if pid != worker and "manager" not in processes.title(pid)]
    wait_until(everybody_gone(arena, idle), lambda: names(idle), 10)
    daemon.start()
    daemon.assert_serves()
    daemon.assert_serves("tcp")
    assert processes.is_alive(worker)
    gate.open()
    assert request.result().text == "through the gate"
    wait_until(everybody_gone(arena, old), lambda: names(old), 10)
    daemon.assert_serves()


def kill_master_and_start_anew(arena, daemon):
    """Stopped it starts nobody any more, so that all it has started are known."""
    os.kill(daemon.master, signal.SIGSTOP)
    everybody = processes.descendants(daemon.master)
    processes.kill_hard(daemon.master)
    daemon.wait_exit()
    wait_until(everybody_gone(arena, everybody), lambda: names(everybody), 10)
    daemon.start()
    daemon.assert_serves()


@pytest.mark.parametrize("milliseconds", [0, 5, 20, 45, 90])
def test_master_killed_during_a_reload(arena, daemon, milliseconds):
    daemon.configure({"www": {"pm.max_children": "2"}, "other": {}}).start()
    daemon.signal(signal.SIGUSR2)
    pause(milliseconds / 1000)
    kill_master_and_start_anew(arena, daemon)
    daemon.assert_serves("other")


@pytest.mark.parametrize("milliseconds", [0, 10, 30, 60])
def test_master_killed_while_it_starts(arena, daemon, milliseconds):
    daemon.configure({"www": {"pm.max_children": "2"}, "other": {}})
    daemon.start(wait=False)
    pause(milliseconds / 1000)
    kill_master_and_start_anew(arena, daemon)


def test_master_killed_in_a_graceful_stop(arena, daemon):
    daemon.configure(globals_={"process_control_timeout": "60s"}).start()
    gate = arena.gate()
    request = daemon.get_in_background(gate.path, query=gate.query)
    gate.wait_started()
    everybody = processes.descendants(daemon.master)
    daemon.signal(signal.SIGQUIT)
    daemon.log.wait_for("Finishing")
    processes.kill_hard(daemon.master)
    daemon.wait_exit()
    gate.open()
    assert request.result().text == "through the gate"
    wait_until(everybody_gone(arena, everybody), lambda: names(everybody), 10)
    daemon.start()
    daemon.assert_serves()


def test_a_stopped_master_stops_nobody_from_serving(arena, daemon):
    daemon.configure({"www": {"pm.max_children": "2"}}).start()
    daemon.allow_log("exited on signal 9")
    os.kill(daemon.master, signal.SIGSTOP)
    try:
        victim = next(iter(daemon.wait_workers(2)))
        processes.kill_hard(victim)
        wait_until(lambda: victim not in daemon.workers(), "it is reaped")
        daemon.wait_workers(2)  # its manager replaces it
        daemon.assert_serves()
    finally:
        os.kill(daemon.master, signal.SIGCONT)
    daemon.reload()
    daemon.assert_serves()


# --- Stopped processes ----------------------------------------------------------------------


def test_reload_with_a_stopped_old_manager(arena, daemon):
    """The new generation takes over; the reload tells of the old one instead of waiting for it."""
    daemon.configure(globals_={"process_control_timeout": "1s"}).start()
    manager = daemon.managers()["www"]
    os.kill(manager, signal.SIGSTOP)
    answer = ask(daemon, "restart", pools=["www"])
    assert answer["ok"] and answer["result"]["pools"] == {"www": "renewed"}
    assert any(f"manager {manager} has not said" in problem for problem in answer["problems"])
    daemon.assert_serves()
    # It is killed when its time to drain is over; its workers go with it.
    wait_until(lambda: not processes.is_alive(manager), "the stopped manager is killed", 20)
    wait_until(lambda: len(daemon.workers()) == 1, "its worker leaves", 10)
    daemon.assert_serves()


def test_reload_with_a_stopped_idle_worker(arena, daemon):
    daemon.configure({"www": {"pm.max_children": "2"}}, {"process_control_timeout": "1s"}).start()
    worker = next(iter(daemon.wait_workers(2)))
    os.kill(worker, signal.SIGSTOP)
    daemon.reload(timeout=20)
    daemon.assert_serves()
    wait_until(lambda: not processes.is_alive(worker), "the stopped worker is killed", 20)
    daemon.wait_workers(2)


def test_a_stopped_worker_costs_its_own_request_only(arena, daemon):
    daemon.configure({"www": {"pm.max_children": "3"}}).start()
    gate = arena.gate()
    request = daemon.get_in_background(gate.path, query=gate.query)
    worker = gate.wait_started()
    os.kill(worker, signal.SIGSTOP)
    quick = arena.script("quick.php", "<?php echo 'quick';")
    with Load(lambda: None if daemon.get(quick).text == "quick" else "wrong", clients=2) as load:
        load.wait_for_more(30)
    load.assert_no_failures()
    os.kill(worker, signal.SIGCONT)
    gate.open()
    assert request.result().text == "through the gate"


def test_stop_with_everything_stopped(daemon):
    daemon.configure(globals_={"process_control_timeout": "1s"}).start()
    for pid in [*daemon.workers(), *daemon.managers().values()]:
        os.kill(pid, signal.SIGSTOP)
    daemon.signal(signal.SIGTERM)
    assert daemon.wait_exit(30) == 0


# --- Managers and workers -------------------------------------------------------------------


def test_other_pools_keep_their_processes_and_their_requests(arena, daemon):
    daemon.configure({"www": {"pm.max_children": "2"}, "other": {"pm.max_children": "2"}})
    daemon.start(env=environment_for_signals())
    daemon.allow_log("manager", "exited on signal")
    others, other = daemon.wait_workers(2, "other"), daemon.managers()["other"]
    gate = arena.gate()
    held = Task(daemon.get, gate.path, query=gate.query, pool="other")
    gate.wait_started()
    for number in (signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT):
        manager = daemon.managers()["www"]
        workers = daemon.wait_workers(2, timeout=20)
        os.kill(manager, number)
        wait_until(lambda old=workers: not old & daemon.workers(), "its workers leave", 10)
        wait_until(
            lambda old=manager: daemon.managers().get("www", old) != old, "a new manager", 20
        )
    daemon.wait_workers(2, timeout=20)
    daemon.assert_serves()
    gate.open()
    assert held.result().text == "through the gate"
    assert daemon.wait_workers(2, "other") == others and daemon.managers()["other"] == other
