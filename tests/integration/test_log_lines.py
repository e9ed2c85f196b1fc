"""The error log: format, file, what is said at start and stop."""

import os
import pty
import re
import signal
import time

from harness.fixtures import both_users
from harness.logs import LINE, messages
from harness.program import Identity
from harness.waiting import wait_until


@both_users
def test_start_and_stop_are_logged_like_php_fpm(daemon):
    daemon.start()
    daemon.signal(signal.SIGTERM)
    assert daemon.wait_exit() == 0
    said = [entry for entry in messages(daemon.log.lines()) if "systemd" not in entry[1]]
    said = [
        entry for entry in said if "directive is ignored when FPM is not running" not in entry[1]
    ]
    assert said == [
        ("NOTICE", f"fpm is running, pid {daemon.master}"),
        ("NOTICE", "ready to handle connections"),
        ("NOTICE", "Terminating ..."),
        ("NOTICE", "exiting, bye-bye!"),
    ]
    assert all(LINE.match(line) for line in daemon.log.lines())


def test_error_log_is_private(daemon):
    daemon.start()
    assert os.stat(daemon.log.path).st_mode & 0o777 == 0o600


def test_after_the_launch_stderr_stays_silent(daemon):
    daemon.start()
    assert "fpm is running" not in daemon.stderr.text()
    assert "ready to handle" not in daemon.stderr.text()


def test_lines_are_appended_to_an_existing_log(daemon):
    daemon.configure()
    with open(daemon.log.path, "w", encoding="ascii") as file:
        file.write("from an earlier life\n")
    os.chmod(daemon.log.path, 0o600)
    daemon.identity.give(daemon.log.path)
    daemon.start()
    assert daemon.log.lines()[0] == "from an earlier life"


def test_log_level_hides_what_is_below(daemon):
    daemon.configure(globals_={"log_level": "warning"})
    daemon.start(wait=False)
    wait_until(lambda: os.path.exists(daemon.pid_file) or daemon.poll() is not None, "pid file")
    daemon.wait_workers(1)
    daemon.assert_serves()
    daemon.signal(signal.SIGQUIT)
    assert daemon.wait_exit() == 0
    assert daemon.log.text() == ""


def test_debug_level_has_microseconds(daemon):
    daemon.configure(globals_={"log_level": "debug"}).start()
    lines = daemon.log.lines()
    assert any("] DEBUG: " in line for line in lines)
    stamp = re.compile(r"^\[\d\d-[A-Z][a-z]{2}-\d{4} \d\d:\d\d:\d\d\.\d{6}\] ")
    assert all(stamp.match(line) for line in lines), lines
    assert any("fpm is running, pid" in line for line in lines)


def test_streams_and_access_logs_are_told_at_debug_level(daemon):
    daemon.configure({"www": {"access.log": f"{daemon.dir}/access"}}, {"log_level": "debug"})
    daemon.start()
    assert daemon.stderr.find("saving original STDERR fd: dup\\(\\)")
    assert daemon.log.find(rf"DEBUG: .*open access log \({daemon.dir}/access\)")
    mark = daemon.log.mark()
    daemon.signal(signal.SIGUSR1)
    daemon.log.wait_for("access log file re-opened", since=mark)
    told = [text for _, text in messages(daemon.log.since(mark).splitlines())]
    wanted = [
        "received SIGUSR1",
        "restoring original STDERR fd: dup2()",
        "error log file re-opened",
        f"open access log ({daemon.dir}/access)",
        "access log file re-opened",
    ]
    assert [text for text in told if text in wanted] == wanted


def test_time_stamps_are_local_time(daemon):
    zone = {**os.environ, "TZ": "Asia/Kolkata"}
    daemon.configure().start(env=zone)
    stamp = LINE.match(daemon.log.find("fpm is running")[0]).group(1)
    written = time.strptime(stamp, "%d-%b-%Y %H:%M:%S")
    offset = time.mktime(written) - time.mktime(time.gmtime())
    assert abs(offset - 5.5 * 3600) < 60


def test_on_a_terminal_the_log_goes_to_stderr_alone(arena, daemon):
    daemon.configure()
    leader, follower = pty.openpty()
    os.chmod(os.ttyname(follower), 0o666)
    seen = ""
    try:
        os.set_blocking(leader, False)
        daemon.stderr.path = os.ttyname(follower)
        daemon.start(wait=False)

        def heard(wanted):
            nonlocal seen
            try:
                seen += os.read(leader, 65536).decode()
            except BlockingIOError:
                pass
            return wanted in seen

        wait_until(lambda: heard("ready to handle connections"), lambda: seen)
        assert f"NOTICE: fpm is running, pid {daemon.master}" in seen
        daemon.assert_serves()
        daemon.signal(signal.SIGTERM)
        wait_until(lambda: heard("exiting, bye-bye!"), lambda: seen)
        assert daemon.wait_exit() == 0
    finally:
        daemon.stderr.path = f"{daemon.dir}/no-stderr"
        os.close(leader)
        os.close(follower)
    assert daemon.log.text() == ""


def test_directives_ignored_without_root_are_said(arena):
    daemon = arena.daemon("plain", Identity("user"))
    name = daemon.identity.name
    daemon.configure({"www": {"user": name, "group": name}}).start()
    everything = daemon.log.text() + daemon.stderr.text()
    for directive in ("user", "group"):
        wanted = (
            f"NOTICE: [pool www] '{directive}' directive is ignored when FPM is not running as root"
        )
        assert wanted in everything
