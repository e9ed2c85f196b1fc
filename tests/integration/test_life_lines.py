"""The log lines of workers' lives at debug level, in php-fpm's words."""

import os
import re
import resource
import signal
import subprocess

import pytest

from harness import processes
from harness.fixtures import as_root, both_users
from harness.logs import messages
from harness.program import binary_for, is_reference, muster_only
from harness.waiting import pause, stays, wait_until

DEBUG = {"log_level": "debug"}
SINCE_START = r"after \d+\.\d{6} seconds from start$"


def said(daemon, since=0):
    return messages(daemon.log.since(since).splitlines())


def about_workers(daemon, since=0):
    """(level, text) without numbers, of the lines that name a child."""
    return [
        (level, re.sub(r"\d+", "N", text)) for level, text in said(daemon, since) if "child" in text
    ]


@both_users
def test_start_of_static_workers(daemon):
    daemon.configure({"www": {"pm.max_children": "2"}}, DEBUG).start()
    birth = [
        ("DEBUG", "blocking signals before child birth"),
        ("DEBUG", "unblocking signals, child born"),
        ("DEBUG", "[pool www] child N started"),
    ]
    wait_until(lambda: about_workers(daemon) == birth * 2, lambda: str(about_workers(daemon)))


def test_replacement_is_a_notice(daemon):
    daemon.allow_log("exited on signal 9")
    daemon.configure(globals_=DEBUG).start()
    (victim,) = daemon.wait_workers(1)
    mark = daemon.log.mark()
    processes.kill_hard(victim)
    daemon.log.wait_for("started", since=mark)
    assert about_workers(daemon, mark) == [
        ("WARNING", "[pool www] child N exited on signal N (SIGKILL) after N.N seconds from start"),
        ("DEBUG", "blocking signals before child birth"),
        ("DEBUG", "unblocking signals, child born"),
        ("NOTICE", "[pool www] child N started"),
    ]


@pytest.mark.parametrize(
    "number, level, words",
    [
        (signal.SIGTERM, "WARNING", r"on signal 15 \(SIGTERM\)"),
        (signal.SIGUSR1, "WARNING", r"on signal 10 \(SIGUSR1\)"),
        (16, "WARNING", r"on signal 16 \(\)"),
        (signal.SIGQUIT, "NOTICE", r"with code 0"),
    ],
)
def test_words_for_the_end_of_a_worker(daemon, number, level, words):
    daemon.allow_log("exited on signal")
    daemon.start()
    (worker,) = daemon.wait_workers(1)
    daemon.assert_serves()
    processes.send(worker, number)
    daemon.log.wait_for(rf"{level}: \[pool www\] child {worker} exited {words} {SINCE_START}")
    daemon.log.wait_for(r"NOTICE: \[pool www\] child \d+ started")


def test_stopped_worker_stays_stopped_and_is_told(daemon):
    daemon.configure({"www": {"pm.max_children": "2"}}).start()
    victim = min(daemon.wait_workers(2))
    mark = daemon.log.mark()
    os.kill(victim, signal.SIGSTOP)
    daemon.log.wait_for(rf"NOTICE: child {victim} stopped for tracing$", since=mark)
    stays(lambda: processes.state(victim) == "T", "it stays stopped", 0.5)
    os.kill(victim, signal.SIGCONT)
    wait_until(lambda: processes.state(victim) != "T", "it goes on")
    daemon.assert_serves()
    assert len(said(daemon, mark)) == 1


def test_ondemand_lines(arena, daemon):
    daemon.configure(
        {"www": {"pm": "ondemand", "pm.max_children": "2", "pm.process_idle_timeout": "1s"}}, DEBUG
    ).start()
    mark = daemon.log.mark()
    daemon.assert_serves()
    daemon.log.wait_for(r"DEBUG: .*\[pool www\] child \d+ started", since=mark)
    daemon.log.wait_for(
        r"DEBUG: .*\[pool www\] got accept without idle child available \.\.\.\. I forked$",
        since=mark,
    )
    daemon.log.wait_for(
        r"DEBUG: .*\[pool www\] currently 0 active children, 1 spare children$", since=mark
    )
    daemon.log.wait_for(
        r"DEBUG: .*\[pool www\] child \d+ has been killed by the process management "
        rf"{SINCE_START}",
        since=mark,
        timeout=8,
    )
    assert not daemon.log.find("exited", mark)


def test_ondemand_idle_time_counts_in_whole_seconds(daemon):
    """Idle for N seconds is not longer than N: the clock must have gone on by one second more."""
    daemon.configure(
        {"www": {"pm": "ondemand", "pm.max_children": "1", "pm.process_idle_timeout": "2s"}}
    ).start()
    daemon.assert_serves()
    daemon.wait_workers(1)
    stays(lambda: len(daemon.workers()) == 1, "it stays for the time-out", 1.9)
    daemon.wait_workers(0, timeout=4)


def test_busy_worker_restarts_the_idle_time(arena, daemon):
    daemon.configure(
        {"www": {"pm": "ondemand", "pm.max_children": "1", "pm.process_idle_timeout": "2s"}}
    ).start()
    daemon.assert_serves()
    workers = daemon.wait_workers(1)
    for _ in range(4):
        pause(1)
        daemon.assert_serves()
    assert daemon.workers() == workers


def test_dynamic_lines(arena, daemon):
    daemon.configure(
        {
            "www": {
                "pm": "dynamic",
                "pm.max_children": "8",
                "pm.start_servers": "1",
                "pm.min_spare_servers": "1",
                "pm.max_spare_servers": "1",
            }
        },
        DEBUG,
    ).start()
    daemon.log.wait_for(
        r"DEBUG: .*\[pool www\] currently 0 active children, 1 spare children, "
        r"1 running children\. Spawning rate 1$"
    )
    gate = arena.gate()
    request = daemon.get_in_background(gate.path, query=gate.query)
    gate.wait_started()
    daemon.log.wait_for(r"DEBUG: .*\[pool www\] 1 child\(ren\) have been created dynamically$")
    daemon.log.wait_for(r"\[pool www\] currently 1 active children, 1 spare children, 2 running")
    gate.open()
    request.result()
    daemon.log.wait_for(
        rf"DEBUG: .*\[pool www\] child \d+ has been killed by the process management {SINCE_START}",
        timeout=8,
    )
    daemon.wait_workers(1)
    assert not daemon.log.find("exited")


def test_pool_that_grows_for_seconds_seems_busy(arena, daemon):
    daemon.configure(
        {
            "www": {
                "pm": "dynamic",
                "pm.max_children": "40",
                "pm.start_servers": "1",
                "pm.min_spare_servers": "1",
                "pm.max_spare_servers": "2",
            }
        }
    ).start()
    text = (
        r"WARNING: \[pool www\] seems busy \(you may need to increase pm\.start_servers, or "
        r"pm\.min/max_spare_servers\), spawning (8|16|32) children, there are \d+ idle, and \d+ "
        r"total children$"
    )
    running = []

    def warned():
        gate = arena.gate()
        running.append((gate, daemon.get_in_background(gate.path, query=gate.query)))
        gate.wait_started()
        pause(0.4)
        return daemon.log.find(text)

    wait_until(warned, "a warning after some seconds of growth", 15)
    for gate, request in running:
        gate.open()
        request.result()


def limit_processes(daemon, pid, soft):
    """As the pool's user, who may do this to processes of theirs."""
    identity = daemon.identity
    owner = {"user": identity.worker_uid, "group": identity.worker_gid, "extra_groups": []}
    subprocess.run(
        ["prlimit", f"--pid={pid}", f"--nproc={soft}:"],
        check=True,
        **(owner if os.geteuid() == 0 else {}),
    )


@muster_only
def test_fork_that_fails_is_said_and_made_up_for(daemon):
    """A static pool has its number again as soon as the system lets it."""
    daemon.allow_log("exited on signal 9", r"ERROR: fork\(\) failed")
    daemon.configure({"www": {"pm.max_children": "2"}}).start()
    victim = min(daemon.wait_workers(2))
    manager = daemon.managers()["www"]
    limit_processes(daemon, manager, "0")
    processes.kill_hard(victim)
    daemon.log.wait_for(r"ERROR: fork\(\) failed: Resource temporarily unavailable \(11\)$")
    daemon.assert_serves()
    limit_processes(daemon, manager, resource.getrlimit(resource.RLIMIT_NPROC)[1])
    daemon.wait_workers(2)


def test_heartbeat_line(daemon):
    daemon.configure({"www": {"request_terminate_timeout": "1s"}}, DEBUG).start()
    daemon.log.wait_for(r"DEBUG: .*heartbeat have been set up with a timeout of 333ms$")


def test_reopened_logs_are_said_once_each(arena, daemon):
    logs = {pool: {"access.log": f"{daemon.dir}/{pool}.access"} for pool in ("one", "two")}
    daemon.configure({**logs, "three": {}}).start()
    for pool in daemon.pools:
        daemon.wait_workers(1, pool)
    workers = {pool: daemon.workers(pool) for pool in daemon.pools}
    mark = daemon.log.mark()
    daemon.signal(signal.SIGUSR1)
    daemon.log.wait_for("access log file re-opened", since=mark)
    assert said(daemon, mark)[:2] == [
        ("NOTICE", "error log file re-opened"),
        ("NOTICE", "access log file re-opened"),
    ]
    if not is_reference():
        stays(lambda: len(said(daemon, mark)) == 2, "no worker is restarted", 0.5)
        assert {pool: daemon.workers(pool) for pool in daemon.pools} == workers


def test_reopening_without_access_logs(daemon):
    daemon.start()
    mark = daemon.log.mark()
    daemon.signal(signal.SIGUSR1)
    daemon.log.wait_for("error log file re-opened", since=mark)
    daemon.assert_serves()
    assert said(daemon, mark) == [("NOTICE", "error log file re-opened")]


def test_child_from_before_the_exec_is_unknown(daemon):
    daemon.allow_log("unknown child")
    daemon.configure()
    go = f"{daemon.dir}/go"
    command = [binary_for(daemon.identity), "-F", "-y", daemon.conf]
    script = f'(until [ -e {go} ]; do sleep 0.05; done; exit 3) & exec "$@"'
    daemon.start(command=["/bin/sh", "-c", script, "sh", *command])
    with open(go, "w", encoding="ascii"):
        pass
    daemon.log.wait_for(
        r"WARNING: unknown child \(\d+\) exited with code 3 - potentially a bug or pre exec child "
        r"\(e\.g\. s6-notifyoncheck\)$"
    )
    daemon.assert_serves()


@as_root
def test_as_the_init_process_orphans_are_its_own(arena, daemon):
    """In a container it is process 1: what scripts leave behind is reaped by it."""
    inner = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
    if subprocess.run([*inner, "true"], check=False, capture_output=True).returncode:
        pytest.skip("no pid namespaces here")
    daemon.configure(globals_=DEBUG)
    daemon.compare_descriptors = False
    daemon.start(command=[*inner, *daemon.command("-F")], wait=False)
    daemon.exit_expected = True
    daemon.log.wait_for("ready to handle connections", timeout=15)
    code = "<?php exec('(sleep 0.2; exit 3) >/dev/null 2>&1 &');"
    assert daemon.get(arena.script("spawn.php", code)).ended
    daemon.log.wait_for(
        r"DEBUG: .*unknown child \(\d+\) exited with code 3 - most likely an orphan process "
        r"\(master process is the init process\)$"
    )
    assert daemon.log.find("fpm is running, pid 1$")
    daemon.assert_serves()
    (init,) = [pid for pid in processes.descendants(daemon.master) if "master" in processes.title(pid)]
    processes.send(init, signal.SIGQUIT)
    assert daemon.wait_exit() == 0
    assert daemon.log.find("exiting, bye-bye!")
