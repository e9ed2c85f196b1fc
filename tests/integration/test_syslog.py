"""error_log = syslog: what arrives at the log daemon, and what becomes of it when that is away."""

import json
import os
import signal

import pytest

from harness import processes
from harness.fixtures import both_users
from harness.program import is_reference, muster_only
from harness.syslog import Syslog
from harness.waiting import wait_until

DEBUG, NOTICE, WARNING, ERROR = 7, 5, 4, 3


@pytest.fixture
def syslog(arena):
    syslog = Syslog(arena)
    yield syslog
    # The arena's own check wants the socket gone; the daemon may outlive it.
    syslog.hang_up()


def to_syslog(daemon, pool=None, **globals_):
    return daemon.configure(
        {"www": {"catch_workers_output": "yes", **(pool or {})}},
        {"error_log": "SysLog", **globals_},
    )


@both_users
def test_messages_have_ident_pid_facility_and_level(daemon, syslog):
    to_syslog(daemon, **{"syslog.ident": "my-fpm", "syslog.facility": "LOCAL3"})
    syslog.listen().start(daemon)
    (running,) = syslog.wait_for(r"^\[NOTICE\] fpm is running, pid \d+$")
    assert (running.ident, running.pid) == ("my-fpm", daemon.master)
    assert (running.facility, running.priority) == (19 << 3, NOTICE)
    assert "fpm is running" not in daemon.stderr.text() + daemon.log.text()
    assert processes.descriptors(daemon.master)[2] == "/dev/null"
    daemon.assert_serves()


@muster_only
def test_each_message_has_the_priority_of_its_own_level(arena, daemon, syslog):
    to_syslog(daemon, log_level="debug")
    syslog.listen().start(daemon)
    manager = daemon.managers()["www"]
    daemon.get(arena.script("die.php", "<?php posix_kill(getmypid(), 9);"))
    (died,) = syslog.wait_for(r"^\[WARNING\] \w+\(\), line \d+: \[pool www\] child \d+ exited")
    assert died.priority == WARNING
    assert died.pid == manager
    assert syslog.wait_for(r"^\[DEBUG\] ")[0].priority == DEBUG
    assert syslog.wait_for(r"^\[NOTICE\] .*ready to handle")[0].priority == NOTICE


@both_users
@muster_only
def test_worker_output_arrives(arena, daemon, syslog):
    to_syslog(daemon)
    syslog.listen().start(daemon)
    code = r"""<?php file_put_contents('php://stderr', "one\ntwo\n"); error_log('three');"""
    daemon.get(arena.script("o.php", code))
    said = r"^\[WARNING\] \[pool www\] child \d+ said into stderr: "
    for text in ("one", "two", "NOTICE: PHP message: three"):
        (record,) = syslog.wait_for(f'{said}"{text}"$')
        assert record.priority == WARNING


@muster_only
def test_bare_worker_output_and_a_long_line(arena, daemon, syslog):
    to_syslog(daemon, {"decorate_workers_output": "no"}, log_limit="1000000")
    syslog.listen().start(daemon)
    code = r"""<?php file_put_contents('php://stderr', str_repeat('x', 20000) . "\n");"""
    daemon.get(arena.script("o.php", code))
    parts = syslog.wait_for("^x+$", 3)
    assert sum(len(part.message) for part in parts) == 20000
    assert all(len(part.message) <= 8192 for part in parts)


@muster_only
def test_a_log_daemon_that_comes_back_is_found_by_all(arena, daemon, syslog):
    to_syslog(daemon, {"user": daemon.identity.worker_name})
    syslog.listen().start(daemon)
    syslog.hang_up()
    daemon.assert_serves()
    syslog.records.clear()
    syslog.listen()
    code = "<?php file_put_contents('php://stderr', 'after the restart');"
    daemon.get(arena.script("o.php", code))
    syslog.wait_for("after the restart")
    daemon.signal(signal.SIGUSR1)
    assert syslog.wait_for("error log file re-opened")[0].pid == daemon.master


@both_users
@muster_only
def test_without_a_log_daemon_it_is_said_and_serves(daemon, syslog):
    to_syslog(daemon)
    syslog.start(daemon, wait=False)
    said = r"WARNING: syslog does not listen at /dev/log: No such file or directory \(2\)$"
    daemon.stderr.wait_for(said)
    wait_until(lambda: os.path.exists(daemon.address()), "the socket")
    daemon.wait_workers(1)
    daemon.assert_serves()
    syslog.listen()
    daemon.signal(signal.SIGUSR1)
    syslog.wait_for("error log file re-opened")


@muster_only
def test_a_log_daemon_that_hangs_holds_nobody_up(arena, daemon, syslog):
    to_syslog(daemon)
    syslog.listen(read=False)
    syslog.start(daemon, wait=False)
    wait_until(lambda: os.path.exists(daemon.address()), "the socket")
    daemon.wait_workers(1)
    code = r"""<?php for ($i = 0; $i < 3000; $i++) error_log("line $i"); echo 'done';"""
    assert daemon.get(arena.script("o.php", code)).text == "done"
    daemon.assert_serves()


def test_with_o_everything_stays_on_stderr(daemon, syslog):
    to_syslog(daemon)
    syslog.listen().start(daemon, "-O", wait=False)
    daemon.stderr.wait_for(r"^\[[^]]+\] NOTICE: ready to handle connections$")
    daemon.assert_serves()
    assert syslog.records == []


def test_start_up_messages_are_copied_to_stderr_in_their_form(daemon, syslog):
    to_syslog(daemon, log_level="debug")
    daemon.pools["www"].pop("listen")
    daemon.write(daemon.text.replace("listen = ", "; listen = "))
    syslog.listen().start(daemon, wait=False)
    assert daemon.wait_exit() == 78
    said = r"^\[ERROR\] .*FPM initialization failed"
    syslog.wait_for(said)
    assert daemon.stderr.find(said)


@muster_only
def test_scripts_may_use_syslog_for_themselves(arena, daemon, syslog):
    to_syslog(daemon, **{"syslog.ident": "ours"})
    syslog.listen().start(daemon)
    code = (
        "<?php openlog('theirs', LOG_PID, LOG_USER); syslog(LOG_INFO, 'of the script'); closelog();"
    )
    worker = daemon.get(arena.script("s.php", code + "echo getmypid();")).text
    (record,) = syslog.wait_for("^of the script$")
    assert (record.ident, record.pid) == ("theirs", int(worker))
    daemon.get(arena.script("e.php", "<?php error_log('and ours');"))
    assert syslog.wait_for("and ours")[0].ident == "ours"


@muster_only
def test_json_records(arena, daemon, syslog):
    to_syslog(daemon, **{"log.format": "json"})
    syslog.listen().start(daemon)
    daemon.get(arena.script("o.php", "<?php file_put_contents('php://stderr', 'a \"b\"');"))
    (record,) = syslog.wait_for('"stream"')
    fields = json.loads(record.message)
    assert (fields["level"], fields["message"]) == ("WARNING", 'a "b"')


def test_a_reload_keeps_the_connection(daemon, syslog):
    if is_reference():
        pytest.skip("its wait for the end of the reload looks into the log file")
    to_syslog(daemon)
    syslog.listen().start(daemon)
    syslog.records.clear()
    daemon.signal(signal.SIGUSR2)
    syslog.wait_for("ready to handle connections")
    daemon.assert_serves()


@muster_only
def test_reloads_change_between_file_and_syslog(arena, daemon, syslog):
    page = arena.script("say.php", "<?php error_log('said ' . $_GET['n']);")
    pools = {"www": {"catch_workers_output": "yes"}}
    daemon.configure(pools)
    syslog.listen().start(daemon, wait=False)
    daemon.log.wait_for("ready to handle connections", timeout=15)
    to_syslog(daemon)
    daemon.signal(signal.SIGUSR2)
    syslog.wait_for("ready to handle connections")
    daemon.get(page, query="n=one")
    syslog.wait_for("said one")
    daemon.configure(pools)
    mark = daemon.log.mark()
    daemon.signal(signal.SIGUSR2)
    daemon.log.wait_for("ready to handle connections", since=mark)
    daemon.get(page, query="n=two")
    daemon.log.wait_for("said two")
    assert not syslog.find("said two")
    assert processes.descriptors(daemon.master)[2] == daemon.log.path


@muster_only
def test_a_pool_in_a_chroot_needs_no_socket_there(arena, daemon, syslog):
    if not daemon.identity.is_root:
        pytest.skip("chroot needs root")
    to_syslog(daemon, {"chroot": arena.site, "security.limit_extensions": ".php"})
    syslog.listen().start(daemon)
    arena.script("say.php", "<?php error_log('from inside');")
    daemon.get("/say.php", more={"SCRIPT_FILENAME": "/say.php", "DOCUMENT_ROOT": "/"})
    syslog.wait_for("said into stderr: .*from inside")
