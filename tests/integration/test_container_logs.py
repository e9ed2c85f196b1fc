"""Logs on the streams muster was started with, as containers and service managers want them."""

import json
import os
import signal
import subprocess

import pytest

from harness import processes
from harness.fixtures import both_users
from harness.logs import LogFile
from harness.program import muster_only
from harness.streams import KINDS
from harness.waiting import wait_until

pytestmark = muster_only
READY = "NOTICE: ready to handle connections"


def serve(daemon, stdout, stderr, error_log, access_log):
    daemon.configure(
        {
            "www": {
                "access.log": access_log,
                "access.format": "%m %r",
                "catch_workers_output": "yes",
            }
        },
        {"error_log": error_log},
    )
    daemon.stderr.path = stderr.path
    daemon.start(stdout=stdout.writer, stderr=stderr.writer, wait=False)
    log = daemon.stderr
    log.wait_for(READY, timeout=15)
    return log


@both_users
@pytest.mark.parametrize("kind", KINDS)
def test_both_streams_take_logs_whoever_owns_them(arena, daemon, kind):
    out, err = arena.stream(kind, "out"), arena.stream(kind, "err")
    log = serve(daemon, out, err, "/dev/stderr", "/dev/stdout")
    access = LogFile(out.path)
    page = arena.script("a.php", "<?php error_log('seen by ' . getmypid());")
    for step in ("start", "USR1", "USR2"):
        mark, before = log.mark(), len(access.find("GET /a.php"))
        if step == "USR1":
            daemon.signal(signal.SIGUSR1)
            log.wait_for("access log file re-opened")
        if step == "USR2":
            daemon.signal(signal.SIGUSR2)
            log.wait_for(READY, since=mark)
        worker = daemon.get(page).stderr.decode().split()[-1]
        log.wait_for(f"said into stderr: .*seen by {worker}", since=mark)
        wait_until(
            lambda n=before: len(access.find("GET /a.php")) == n + 1,
            lambda s=step: f"an access line after {s}: {access.text()}",
        )
    assert "denied" not in log.text() and "ERROR" not in log.text()


@pytest.mark.parametrize("path", ["/proc/self/fd/2", "/dev/fd/2", "link"])
def test_names_of_the_same_stream(arena, daemon, path):
    if path == "link":
        path = f"{arena.scratch}/access.log"
        os.symlink("/dev/stderr", path)
    out, err = arena.stream("socket", "out"), arena.stream("socket", "err")
    log = serve(daemon, out, err, "/proc/self/fd/2", path)
    daemon.assert_serves()
    log.wait_for("^GET /still-serves.php$")


def test_a_number_handed_down_by_the_starter(daemon):
    daemon.configure({"www": {"access.log": "/dev/fd/3", "access.format": "%r"}})
    access = LogFile(f"{daemon.dir}/handed-down")
    shell = ["sh", "-c", 'exec "$@" 3>>"$0"', access.path]
    daemon.start(command=[*shell, *daemon.command("-F")])
    daemon.assert_serves()
    wait_until(lambda: access.lines() == ["/still-serves.php"], lambda: access.text())
    daemon.signal(signal.SIGUSR1)
    daemon.log.wait_for("access log file re-opened")
    daemon.assert_serves()
    wait_until(lambda: access.lines() == ["/still-serves.php"] * 2, lambda: access.text())


def test_a_number_that_was_not_open_is_refused(daemon):
    daemon.configure(globals_={"error_log": "/proc/self/fd/77"})
    result = daemon.run("-t")
    assert result.returncode == 78
    assert (
        "failed to open error_log (/proc/self/fd/77): No such file or directory (2)"
        in result.stderr
    )


@both_users
def test_closed_streams_are_no_trouble(daemon):
    daemon.configure({"www": {"access.log": "/dev/stdout"}}, {"error_log": "/dev/stderr"})
    shell = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh"]
    daemon.start(command=[*shell, *daemon.command("-F")], wait=False)
    wait_until(lambda: os.path.exists(daemon.address()), "the socket")
    daemon.wait_workers(1)
    daemon.assert_serves()
    for pid in (daemon.master, *daemon.managers().values(), *daemon.workers()):
        names = processes.descriptors(pid)
        assert [names.get(number) for number in (0, 1, 2)] == ["/dev/null"] * 3, names


def test_a_daemon_lets_go_of_the_streams_of_its_starter(daemon):
    daemon.configure({"www": {"access.log": f"{daemon.dir}/access.log"}})
    result = daemon.start_detached()  # waits for the end of both streams
    assert result.returncode == 0
    daemon.assert_serves()


@both_users
def test_json_on_stderr(arena, daemon):
    daemon.configure(
        {"www": {"access.log": "/dev/stdout", "catch_workers_output": "yes"}},
        {"error_log": "/dev/stderr", "log.format": "json"},
    )
    out, err = arena.stream("pipe", "out"), arena.stream("pipe", "err")
    daemon.stderr.path = err.path
    daemon.start(stdout=out.writer, stderr=err.writer, wait=False)
    daemon.stderr.wait_for('"ready to handle connections"', timeout=15)
    daemon.get(arena.script("a.php", "<?php error_log('of the script');"))
    daemon.stderr.wait_for("of the script")
    access = LogFile(out.path)
    wait_until(access.lines, "the access record")
    records = [json.loads(line) for line in daemon.stderr.lines()]
    assert all("message" in record for record in records)
    assert json.loads(access.lines()[0])["uri"] == "/a.php"
    daemon.signal(signal.SIGTERM)
    assert daemon.wait_exit() == 0


def test_a_full_pipe_that_nobody_blocks_on_keeps_lines_whole(arena, daemon):
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    taken = f"{arena.dir}/taken"
    with open(taken, "wb") as file:
        sink = subprocess.Popen(["cat"], stdin=reader, stdout=file)
        arena.popens[sink.pid] = sink
    os.close(reader)
    daemon.configure(
        {"www": {"catch_workers_output": "yes"}}, {"error_log": "/dev/stderr", "log_limit": "4096"}
    )
    daemon.stderr.path = taken
    daemon.start(stderr=writer, wait=False)
    os.close(writer)
    daemon.stderr.wait_for(READY, timeout=15)
    code = r"<?php for ($i = 0; $i < 2000; $i++) fwrite($f ??= fopen('php://stderr', 'w'), str_repeat('x', 500) . \"\n\");"
    daemon.get(arena.script("flood.php", code.replace('\\"', '"')))
    lines = daemon.stderr.wait_for("said into", 1500, timeout=10)
    assert all(line.endswith('x"') for line in lines)
    daemon.signal(signal.SIGTERM)
    assert daemon.wait_exit() == 0
    sink.wait(5)
