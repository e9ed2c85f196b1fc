"""A pool manager or the master dies: others notice nothing, nothing is left behind."""

import os
import signal
import time

from harness import processes
from harness.background import Load
from harness.control import control_path
from harness.fixtures import both_users
from harness.program import environment_for_signals, muster_only
from harness.waiting import wait_until

pytestmark = muster_only

TWO = {
    "www": {"pm.max_children": "2", "pm.status_path": "/status"},
    "other": {"pm.max_children": "2"},
}


@both_users
def test_killed_manager_is_replaced_and_other_pools_notice_nothing(arena, daemon):
    daemon.configure(TWO).start()
    daemon.allow_log("manager")
    quick = arena.script("quick.php", "<?php echo 'quick';")
    others, manager = daemon.wait_workers(2, "other"), daemon.managers()["www"]
    other_manager = daemon.managers()["other"]

    def ask():
        return None if daemon.get(quick, pool="other").text == "quick" else "wrong"

    with Load(ask, clients=2) as load:
        for _ in range(3):
            processes.kill_hard(manager)
            manager = wait_until(
                lambda old=manager: (
                    daemon.managers().get("www") if daemon.managers().get("www") != old else None
                ),
                lambda: f"a new manager; log:\n{daemon.log.text()[-2000:]}",
                15,
            )
            load.wait_for_more(20)
            wait_until(lambda: daemon.get(quick).text == "quick", "the pool serves", 15)
    load.assert_no_failures()
    assert daemon.workers("other") == others
    assert daemon.managers()["other"] == other_manager
    daemon.wait_workers(2, timeout=10)


@both_users
def test_request_on_an_orphaned_worker_completes(arena, daemon):
    daemon.configure(TWO).start()
    daemon.allow_log("manager")
    gate = arena.gate()
    request = daemon.get_in_background(gate.path, query=gate.query)
    orphan = gate.wait_started()
    manager = daemon.managers()["www"]
    processes.kill_hard(manager)
    wait_until(
        lambda: daemon.managers().get("www", manager) != manager, "a new manager is started", 15
    )
    daemon.assert_serves()
    assert processes.is_alive(orphan)
    gate.open()
    assert request.result().text == "through the gate"
    assert request.result().ended
    wait_until(lambda: processes.state(orphan) is None, "the orphan leaves and is reaped")
    daemon.wait_workers(2)


def test_idle_orphans_leave(daemon):
    daemon.configure(TWO).start()
    daemon.allow_log("manager")
    before = daemon.wait_workers(2)
    processes.kill_hard(daemon.managers()["www"])
    wait_until(lambda: not any(processes.is_alive(pid) for pid in before), "idle orphans leave", 5)
    daemon.wait_workers(2, timeout=15)
    daemon.assert_serves()


def test_death_of_a_manager_is_logged_with_its_reason(daemon):
    daemon.configure(TWO).start(env=environment_for_signals())
    daemon.allow_log("manager")
    manager = daemon.managers()["www"]
    processes.send(manager, signal.SIGSEGV)
    daemon.log.wait_for(rf"\[pool www\].*manager.*{manager}.*(signal 11|SIGSEGV)")
    wait_until(lambda: daemon.managers().get("www", manager) != manager, "replaced", 15)
    daemon.assert_serves()


def test_manager_killed_again_and_again_is_no_tight_loop(daemon):
    daemon.configure(TWO).start()
    daemon.allow_log("manager")
    seen = set()
    deadline = []

    def kill_new_ones():
        deadline.append(time.monotonic())
        for pool, pid in daemon.managers().items():
            if pool == "www" and pid not in seen:
                seen.add(pid)
                processes.kill_hard(pid)
        return deadline[-1] - deadline[0] > 4

    wait_until(kill_new_ones, "four seconds of killing", 10)
    assert 2 <= len(seen) <= 40, f"{len(seen)} managers in four seconds"
    wait_until(lambda: "www" in daemon.managers(), "it comes back in the end", 60)
    daemon.wait_workers(2, timeout=60)
    daemon.assert_serves()


def test_reload_after_a_managers_death(daemon):
    daemon.configure(TWO).start()
    daemon.allow_log("manager")
    processes.kill_hard(daemon.managers()["www"])
    daemon.reload()
    daemon.assert_serves()
    daemon.wait_workers(2, timeout=10)


def test_reload_while_a_dead_manager_is_being_replaced(daemon):
    daemon.configure(TWO).start()
    daemon.allow_log("manager")
    others = daemon.wait_workers(2, "other")
    manager = daemon.managers()["www"]
    processes.kill_hard(manager)
    daemon.log.wait_for(rf"manager {manager} exited on signal 9")
    daemon.reload()
    wait_until(lambda: not others & daemon.workers("other"), "the other pool is renewed, too")
    daemon.assert_serves()


@both_users
def test_killed_master_takes_everything_with_it_and_a_new_one_can_bind(arena, daemon):
    daemon.configure(TWO).start()
    everybody = processes.descendants(daemon.master)
    assert len(everybody) >= 6
    processes.kill_hard(daemon.master)
    assert daemon.wait_exit() == -signal.SIGKILL

    def gone():
        processes.reap_orphans(arena.popens)
        return not any(processes.is_alive(pid) for pid in everybody)

    wait_until(gone, lambda: [processes.title(p) for p in everybody if processes.is_alive(p)], 10)
    daemon.start()
    daemon.assert_serves()
    daemon.assert_serves("other")


def last_request_of_a_killed_master(arena, daemon):
    daemon.configure(TWO).start()
    gate = arena.gate()
    request = daemon.get_in_background(gate.path, query=gate.query)
    gate.wait_started()
    processes.kill_hard(daemon.master)
    daemon.wait_exit()
    return gate, request


def test_running_request_outlives_a_killed_master(arena, daemon):
    gate, request = last_request_of_a_killed_master(arena, daemon)
    gate.open()
    assert request.result().text == "through the gate"
    os.remove(daemon.address())
    os.remove(daemon.address("other"))
    os.remove(daemon.pid_file)
    os.remove(control_path(daemon))


@both_users
def test_a_new_master_binds_while_the_last_request_of_the_killed_one_runs(arena, daemon):
    gate, request = last_request_of_a_killed_master(arena, daemon)
    daemon.start()
    daemon.assert_serves()
    gate.open()
    assert request.result().text == "through the gate"


def test_noise_from_a_manager_does_not_harm_the_master(daemon):
    """Stopped, a manager answers nothing: the master goes on with the other pools."""
    daemon.configure(TWO).start()
    manager = daemon.managers()["www"]
    os.kill(manager, signal.SIGSTOP)
    try:
        daemon.assert_serves("other")
        daemon.signal(signal.SIGUSR1)
        daemon.log.wait_for("error log file re-opened")
        daemon.assert_serves("other")
        daemon.assert_serves("www")
    finally:
        os.kill(manager, signal.SIGCONT)
    daemon.assert_serves("www")
