"""USR1 under load: both logs reopened, no line and no request lost, no worker restarted."""

import os
import signal

from harness import processes
from harness.background import Load
from harness.fixtures import both_users
from harness.logs import LogFile
from harness.program import is_reference, muster_only
from harness.waiting import wait_until

PAGE = "<?php error_log('line of ' . $_GET['id']); echo 'ok';"


def rotated(daemon, count=2):
    daemon.configure(
        {
            "www": {
                "pm.max_children": str(count),
                "access.log": f"{daemon.dir}/access.log",
                "access.format": "%r?%q %s",
                "catch_workers_output": "yes",
            }
        }
    )
    return LogFile(f"{daemon.dir}/access.log")


def numbered_load(arena, daemon, clients=3):
    path = arena.script("numbered.php", PAGE)
    ids = iter(range(1, 1_000_000))

    def ask():
        answer = daemon.get(path, query=f"id=n{next(ids)}n")
        return None if answer.text == "ok" and answer.ended else repr(answer.stdout)

    return Load(ask, clients)


@both_users
@muster_only
def test_no_line_and_no_request_is_lost_and_workers_stay(arena, daemon):
    access = rotated(daemon)
    daemon.start()
    workers = daemon.wait_workers(2)
    files = 4
    with numbered_load(arena, daemon) as load:
        for number in range(1, files):
            load.wait_for_more(40)
            os.rename(daemon.log.path, f"{daemon.log.path}.{number}")
            os.rename(access.path, f"{access.path}.{number}")
            daemon.signal(signal.SIGUSR1)
            daemon.log.wait_for("NOTICE: access log file re-opened")
            assert daemon.log.find("NOTICE: error log file re-opened")
            load.wait_for_more(40)
            wait_until(lambda: access.lines(), "the new access log is used")
            wait_until(lambda: daemon.log.find("PHP message"), "the new error log is used")
    load.assert_no_failures()
    assert daemon.workers() == workers, "no worker was restarted"

    def all_files(path):
        names = [path] + [f"{path}.{number}" for number in range(1, files)]
        return "\n".join(LogFile(name).text() for name in names)

    wanted = [f"n{n}n" for n in range(1, load.served + 1)]
    for path in (access.path, daemon.log.path):
        wait_until(
            lambda path=path: all(all_files(path).count(one) == 1 for one in wanted),
            lambda path=path: f"every request once in {os.path.basename(path)}: missing or double "
            f"{[one for one in wanted if all_files(path).count(one) != 1][:10]} of {load.served}",
        )


def test_new_files_are_used_and_old_ones_left_alone(arena, daemon):
    access = rotated(daemon, 1)
    daemon.start()
    daemon.assert_serves()
    wait_until(lambda: len(access.lines()) == 1, "one line in the access log")
    os.rename(daemon.log.path, f"{daemon.log.path}.1")
    os.rename(access.path, f"{access.path}.1")
    daemon.signal(signal.SIGUSR1)
    daemon.log.wait_for("NOTICE: error log file re-opened")
    daemon.log.wait_for("NOTICE: access log file re-opened")
    if is_reference():
        daemon.log.wait_for(r"child \d+ started")
    daemon.assert_serves()
    wait_until(lambda: access.lines() == ["/still-serves.php? 200"], lambda: access.text())
    assert len(LogFile(f"{access.path}.1").lines()) == 1
    assert os.stat(access.path).st_mode & 0o777 == 0o600
    assert os.stat(daemon.log.path).st_mode & 0o777 == 0o600


def test_without_access_log_nobody_speaks_of_it(daemon):
    daemon.start()
    daemon.signal(signal.SIGUSR1)
    daemon.log.wait_for("error log file re-opened")
    daemon.assert_serves()
    assert not daemon.log.find("access log")


@muster_only
def test_a_busy_worker_takes_the_new_file_for_its_next_request(arena, daemon):
    access = rotated(daemon, 1)
    daemon.start()
    gate = arena.gate()
    request = daemon.get_in_background(gate.path, query=gate.query)
    worker = gate.wait_started()
    os.rename(access.path, f"{access.path}.1")
    daemon.signal(signal.SIGUSR1)
    daemon.log.wait_for("access log file re-opened")
    gate.open()
    assert request.result().text == "through the gate"
    daemon.assert_serves()
    wait_until(lambda: "still-serves" in access.text(), "the new request in the new file")
    assert daemon.workers() == {worker}
    everything = access.text() + LogFile(f"{access.path}.1").text()
    assert everything.count("/gate.php") == 1


def test_log_that_cannot_be_reopened_is_said_and_the_old_one_kept(daemon):
    logs = f"{daemon.dir}/logs"
    os.mkdir(logs)
    daemon.identity.give(logs)
    daemon.log.path = f"{logs}/error.log"
    daemon.configure(globals_={"error_log": daemon.log.path}).start()
    os.rename(logs, f"{logs}.away")
    daemon.log.path = f"{logs}.away/error.log"
    daemon.signal(signal.SIGUSR1)
    daemon.log.wait_for(r"ERROR: failed to open error_log \(.*\): No such file or directory \(2\)")
    daemon.assert_serves()
    daemon.allow_log("failed to open error_log", "unable to re-opened error log file")


@both_users
@muster_only
def test_a_reload_takes_another_error_log(arena, daemon):
    pools = {"www": {"catch_workers_output": "yes"}}
    daemon.configure(pools).start()
    old = daemon.log.mark()
    other = LogFile(f"{daemon.dir}/other.log")
    daemon.configure(pools, {"error_log": other.path})
    daemon.more_logs.append(other)
    daemon.signal(signal.SIGUSR2)
    other.wait_for("ready to handle connections")
    daemon.get(arena.script("say.php", "<?php error_log('to the new one');"))
    other.wait_for("said into stderr.*to the new one")
    assert "to the new one" not in daemon.log.since(old)
    assert processes.descriptors(daemon.master)[2] == other.path


@muster_only
def test_a_reload_with_an_error_log_that_cannot_be_opened_is_refused(daemon):
    daemon.allow_log("failed to open error_log", "the reload is refused")
    daemon.configure().start()
    daemon.configure(globals_={"error_log": "/nowhere/error.log"})
    daemon.signal(signal.SIGUSR2)
    daemon.log.wait_for("the reload is refused")
    assert daemon.log.find(r"ERROR: failed to open error_log \(/nowhere/error.log\): No such file")
    daemon.assert_serves()
