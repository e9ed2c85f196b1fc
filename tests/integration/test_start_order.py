"""The lines of a start and a reload at debug level, in php-fpm's order, and the pid file."""

import os
import re

from harness.fixtures import both_users
from harness.logs import messages
from harness.program import muster_only

START = [
    ("DEBUG", r"Unblocking all signals"),
    ("DEBUG", r"event module is epoll and \d+ fds have been reserved"),
    ("NOTICE", r"fpm is running, pid \d+"),
    ("DEBUG", r"\d+ bytes have been reserved in SHM"),
    ("NOTICE", r"ready to handle connections"),
    ("DEBUG", r"have notify start to systemd"),
    ("NOTICE", r"systemd monitor interval set to 10000ms"),
]


def assert_in_order(said, wanted):
    """Every wanted line is there, each after the one before it."""
    rest = iter(said)
    for level, pattern in wanted:
        for found, text in rest:
            if found == level and re.fullmatch(pattern, text):
                break
        else:
            raise AssertionError(f"{level} {pattern} is missing or out of order in {said}")


@both_users
def test_lines_of_a_start(daemon):
    daemon.configure(globals_={"log_level": "debug"}).start()
    daemon.log.wait_for("systemd monitor")
    assert_in_order(messages(daemon.log.lines()), START)
    assert any(
        entry == ("DEBUG", "saving original STDERR fd: dup()")
        for entry in messages(daemon.stderr.lines())
    )
    assert not daemon.log.find("saving original STDERR"), "the log is not open yet"


@muster_only
def test_lines_of_a_reload(daemon):
    daemon.configure(globals_={"log_level": "debug"}).start()
    mark = daemon.reload()
    daemon.log.wait_for("systemd monitor", since=mark)
    assert_in_order(
        messages(daemon.log.since(mark).splitlines()),
        [
            ("DEBUG", "received SIGUSR2"),
            ("NOTICE", r"Reloading in progress \.\.\."),
            ("NOTICE", r"reloading: a new generation of 1 pool starts beside the old one"),
            ("NOTICE", r'using inherited socket fd=\d+, ".*"'),
            *START[2:],
        ],
    )


@both_users
def test_pid_file_is_made_anew_and_read_by_all(daemon):
    daemon.configure()
    with open(daemon.pid_file, "w", encoding="ascii") as file:
        file.write("1234567890 from an earlier life\n")
    os.chmod(daemon.pid_file, 0o600)
    daemon.identity.give(daemon.pid_file)
    daemon.start()
    with open(daemon.pid_file, encoding="ascii") as file:
        assert file.read() == str(daemon.master)
    assert os.stat(daemon.pid_file).st_mode & 0o777 == 0o644


def test_pid_file_that_is_gone_at_the_end(daemon):
    daemon.allow_log("Unable to remove the PID file")
    daemon.start()
    os.remove(daemon.pid_file)
    daemon.signal(15)
    assert daemon.wait_exit() == 0
    assert messages(daemon.log.lines())[-2:] == [
        ("NOTICE", "exiting, bye-bye!"),
        (
            "ERROR",
            f"Unable to remove the PID file ({daemon.pid_file}).: No such file or directory (2)",
        ),
    ]
