"""Going into the background: the starter's exit code tells whether the service is up."""

import os
import re
import signal
import socket
import subprocess

from harness import processes
from harness.fixtures import both_users
from harness.logs import messages
from harness.program import is_reference, muster_only
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


def debug_lines(text):
    return [entry[1] for entry in messages(text.splitlines()) if entry[0] == "DEBUG"]


def test_handshake_of_a_good_start_at_debug_level(daemon):
    daemon.configure(globals_={"log_level": "debug"})
    result = daemon.start_detached()
    assert result.returncode == 0
    assert result.stderr == "", "debug lines are for the log"
    waits = r"DEBUG: .*The calling process is waiting for the master process to ping via fd=\d+$"
    assert daemon.log.find(waits)
    assert daemon.log.find(
        "I received a valid acknowledge from the master process, I can exit without error$"
    )
    assert daemon.log.find(r'Sending "1" \(OK\) to parent via fd=\d+$')
    assert not daemon.log.find("saving original STDERR"), "a daemon leaves its stderr for good"


def test_handshake_of_a_failed_start_at_debug_level(daemon):
    daemon.configure(globals_={"log_level": "debug", "pid": f"{daemon.dir}/missing/d.pid"})
    result = daemon.run("-D")
    assert result.returncode == 70
    everything = debug_lines(result.stderr + daemon.log.text())
    assert "The master process returned an error !" in everything
    assert any(re.fullmatch(r'Sending "0" \(error\) to parent via fd=\d+', s) for s in everything)
    daemon.allow_log(".*")
    if is_reference():
        os.remove(daemon.address())


@muster_only
def test_starter_of_a_master_that_dies_says_so(arena, daemon):
    arena.keep_sockets = True
    gate = f"{arena.scratch}/go"
    code = f"<?php touch('{gate}.waits'); while (!file_exists('{gate}')) {{ usleep(5000); clearstatcache(); }}"
    preload = f"{arena.site}{arena.script('slow.php', code)}"
    daemon.configure()
    starter = subprocess.Popen(
        daemon.command("-D", "-d", f"opcache.preload={preload}"),
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        cwd=daemon.dir,
        **daemon.identity.popen_arguments(),
    )
    arena.popens[starter.pid] = starter
    wait_until(lambda: os.path.exists(f"{gate}.waits"), "preloading waits", 15)
    assert starter.poll() is None, "it waits until the pools are ready"
    with open(daemon.pid_file, encoding="ascii") as file:
        master = int(file.read())
    processes.kill_hard(master)
    with open(gate, "w", encoding="ascii"):
        pass
    _, stderr = starter.communicate(timeout=20)
    assert starter.returncode == 70
    assert "ERROR: no data have been read from pipe" in stderr
    daemon.allow_log(".*")
