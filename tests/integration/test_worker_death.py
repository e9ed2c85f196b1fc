"""Workers that die: the reason is logged, a new one comes, the pool serves on."""

import os
import re
import signal

import pytest

from harness import processes
from harness.background import Load
from harness.fixtures import both_users
from harness.program import environment_for_signals
from harness.waiting import wait_until


@both_users
@pytest.mark.parametrize(
    "number, name",
    [
        (signal.SIGKILL, r"9 \(SIGKILL\)"),
        (signal.SIGSEGV, r"11 \(SIGSEGV( - core dumped)?\)"),
        (signal.SIGABRT, r"6 \(SIGABRT( - core dumped)?\)"),
    ],
)
def test_killed_idle_worker_is_reaped_and_replaced(daemon, number, name):
    daemon.configure({"www": {"pm.max_children": "2"}}).start(env=environment_for_signals())
    before = daemon.wait_workers(2)
    daemon.assert_serves()
    victim = min(before)
    daemon.allow_log(f"child {victim} exited on signal")
    processes.send(victim, number)
    daemon.log.wait_for(
        rf"WARNING: \[pool www\] child {victim} exited on signal {name} after "
        r"\d+\.\d{6} seconds from start"
    )
    daemon.log.wait_for(r"NOTICE: \[pool www\] child \d+ started")
    after = daemon.wait_workers(2)
    assert victim not in after and len(before & after) == 1
    daemon.assert_serves()


@both_users
def test_worker_killed_in_a_request(arena, daemon):
    daemon.configure({"www": {"pm.status_path": "/status"}}).start()
    gate = arena.gate()
    request = daemon.get_in_background(gate.path, query=gate.query)
    victim = gate.wait_started()
    daemon.allow_log(f"child {victim} exited on signal 9")
    processes.kill_hard(victim)
    assert not request.result().ended
    daemon.log.wait_for(rf"child {victim} exited on signal 9 \(SIGKILL\)")
    daemon.assert_serves()
    status = daemon.status()
    assert status["total processes"] == 1
    assert [process["pid"] for process in status["processes"]] == list(daemon.workers())


def test_script_that_ends_its_own_process(arena, daemon):
    path = arena.script("suicide.php", "<?php posix_kill(getmypid(), 9); sleep(10);")
    daemon.allow_log("exited on signal 9")
    daemon.configure({"www": {"pm.max_children": "2"}}).start()
    for round_ in range(1, 4):
        assert not daemon.get(path).ended
        daemon.log.wait_for(r"exited on signal 9 \(SIGKILL\)", round_)
        daemon.assert_serves()
    daemon.wait_workers(2)


def test_exit_code_of_a_worker_is_logged(arena, daemon):
    code = "<?php FFI::cdef('void _exit(int);')->_exit(42);"
    daemon.allow_log("exited with code 42")
    daemon.configure({"www": {"php_admin_value[ffi.enable]": "1"}}).start()
    assert not daemon.get(arena.script("leave.php", code)).ended
    daemon.log.wait_for(
        r"WARNING: \[pool www\] child \d+ exited with code 42 after \d+\.\d{6} seconds from start"
    )
    daemon.assert_serves()


def test_death_of_workers_leaves_the_other_pool_alone(arena, daemon):
    daemon.allow_log("exited on signal 9")
    daemon.configure({"www": {"pm.max_children": "3"}, "other": {"pm.max_children": "2"}}).start()
    others = daemon.wait_workers(2, "other")
    quick = arena.script("quick.php", "<?php echo 'quick';")

    def ask():
        return None if daemon.get(quick, pool="other").text == "quick" else "wrong"

    with Load(ask, clients=2) as load:
        for _ in range(3):
            for pid in daemon.wait_workers(3):
                processes.kill_hard(pid)
            load.wait_for_more(20)
    load.assert_no_failures()
    assert daemon.workers("other") == others
    daemon.wait_workers(3, timeout=15)
    daemon.assert_serves()


def test_stopped_worker_is_no_dead_worker(daemon):
    daemon.configure({"www": {"pm.max_children": "2"}}).start()
    workers = daemon.wait_workers(2)
    victim = min(workers)
    os.kill(victim, signal.SIGSTOP)
    wait_until(lambda: processes.state(victim) == "T", "it is stopped")
    daemon.assert_serves()
    os.kill(victim, signal.SIGCONT)
    assert daemon.workers() == workers
    assert not daemon.log.find("exited")


def test_grandchild_of_a_script_does_not_confuse_anybody(arena, daemon):
    code = "<?php exec('(sleep 0.3; exit 3) >/dev/null 2>&1 & echo $!', $out); echo $out[0];"
    daemon.start()
    pid = int(re.match(r"\d+", daemon.get(arena.script("spawn.php", code)).text).group())
    wait_until(lambda: not processes.is_alive(pid), "the grandchild ends")
    daemon.assert_serves()

    def reaped():
        processes.reap_orphans(arena.popens)  # php-fpm leaves it to us
        return processes.state(pid) is None

    wait_until(reaped, "and is reaped by somebody")
    assert not daemon.log.find(r"\[pool www\] child")
