"""Going into the background: the starter's exit code tells whether the service is up."""

import os
import signal
import socket

from harness import processes
from harness.fixtures import both_users
from harness.program import is_reference
from harness.waiting import wait_until


@both_users
def test_exit_0_means_the_service_is_up(daemon):
    daemon.configure()
    result = daemon.run("-D")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    with open(daemon.pid_file, encoding="ascii") as file:
        text = file.read()
    assert text.isdigit(), "the pid file holds the pid and nothing else"
    daemon.master = int(text)
    # No waiting here: whoever got exit code 0 may connect at once.
    daemon.assert_serves()
    daemon.wait_ready()


def test_daemon_is_detached(daemon):
    daemon.configure()
    assert daemon.start_detached().returncode == 0
    assert processes.session(daemon.master) == daemon.master
    fds = processes.descriptors(daemon.master)
    assert fds[0] == "/dev/null" and fds[1] == "/dev/null"
    assert fds[2] in (daemon.log.path, "/dev/null")
    assert processes.parent(daemon.master) == os.getpid(), "orphaned to the nearest reaper"


def test_configuration_decides_without_options(daemon):
    daemon.configure(globals_={"daemonize": "yes"})
    result = daemon.run()
    assert result.returncode == 0
    with open(daemon.pid_file, encoding="ascii") as file:
        daemon.master = int(file.read())
    daemon.wait_ready()


def test_F_beats_the_configuration(daemon):
    daemon.configure(globals_={"daemonize": "yes"}).start()
    assert daemon.poll() is None
    daemon.assert_serves()


def test_daemonize_no_stays_in_the_foreground(daemon):
    daemon.configure(globals_={"daemonize": "no"})
    daemon.start(command=daemon.command())
    daemon.assert_serves()
    assert daemon.poll() is None


def test_configuration_error_exits_78(daemon):
    daemon.configure({"www": {"pm": "magic"}})
    result = daemon.run("-D")
    assert result.returncode == 78
    assert "invalid process manager" in result.stderr
    daemon.allow_log(".*")


@both_users
def test_port_in_use_fails_and_is_told_to_the_starter(daemon):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        daemon.configure({"www": {"listen": "127.0.0.1:%d" % taken.getsockname()[1]}})
        result = daemon.run("-D")
    assert result.returncode == 70
    assert "Address already in use (98)" in result.stderr
    assert "Address already in use (98)" in daemon.log.text()
    assert not os.path.exists(daemon.pid_file)
    daemon.allow_log("unable to bind", "FPM initialization failed", "didn't send back its status")
    daemon.allow_log("no data have been read from pipe")


def test_signals_of_the_background_daemon(daemon):
    daemon.configure({"www": {"access.log": f"{daemon.dir}/access"}})
    assert daemon.start_detached().returncode == 0
    os.rename(daemon.log.path, f"{daemon.log.path}.1")
    daemon.signal(signal.SIGUSR1)
    daemon.log.wait_for("error log file re-opened")
    daemon.assert_serves()
    daemon.wait_workers(1)
    old = daemon.master
    mark = daemon.log.mark()
    daemon.signal(signal.SIGUSR2)
    daemon.log.wait_for("ready to handle connections", since=mark, timeout=15)
    with open(daemon.pid_file, encoding="ascii") as file:
        daemon.master = int(file.read())
    if is_reference():
        wait_until(lambda: processes.state(old) in (None, "Z"), "php-fpm changes its pid")
    else:
        assert daemon.master == old
    daemon.assert_serves()
    daemon.signal(signal.SIGQUIT)
    assert daemon.wait_exit() == 0
    assert not os.path.exists(daemon.pid_file)
    assert not os.path.exists(daemon.address())
