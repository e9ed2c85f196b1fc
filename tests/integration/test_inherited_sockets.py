"""Listening sockets passed in by FPM_SOCKETS or by systemd: used, checked, never trusted."""

import os
import shutil
import signal
import socket
import subprocess
import sys

import pytest

from harness import processes
from harness.config import free_port
from harness.fixtures import both_users
from harness.logs import messages
from harness.program import binary_for, is_reference, muster_only
from harness.refusal import refused
from harness.waiting import wait_until

# Puts descriptors where the program shall find them, names its own pid if asked, and becomes it.
LAUNCHER = """
import fcntl, os, sys
pairs, listen_fds, command = sys.argv[1], sys.argv[2], sys.argv[3:]
moves = [tuple(map(int, pair.split(":"))) for pair in pairs.split(",") if pair]
kept = {there: fcntl.fcntl(here, fcntl.F_DUPFD_CLOEXEC, 50) for here, there in moves}
for here, there in moves:
    os.set_inheritable(here, False)
for there, copy in kept.items():
    os.dup2(copy, there, inheritable=True)
if listen_fds:
    os.environ["LISTEN_FDS"] = listen_fds
    os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(command[0], command)
"""


class Passed:
    """Starts the daemon with sockets at numbers of our choice."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.sockets = []

    def unix(self, path, listen=True):
        one = socket.socket(socket.AF_UNIX)
        one.bind(path)
        os.chmod(path, 0o666)
        self.daemon.identity.give(path)
        return self._keep(one, listen)

    def tcp(self, host="127.0.0.1", listen=True):
        one = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        one.bind((host, 0))
        return self._keep(one, listen)

    def _keep(self, one, listen):
        if listen:
            one.listen(5)
        self.sockets.append(one)
        return one

    def prepared(self, numbers, env=None, systemd=""):
        """(command, environment, descriptors) for {our socket or number: number there}."""
        moves = {
            (one if isinstance(one, int) else one.fileno()): there for one, there in numbers.items()
        }
        command = [
            sys.executable,
            "-c",
            LAUNCHER,
            ",".join(f"{here}:{there}" for here, there in moves.items()),
            systemd,
            binary_for(self.daemon.identity),
            "-y",
            self.daemon.conf,
            "-F",
        ]
        for here in moves:
            os.set_inheritable(here, True)
        return command, {**os.environ, **(env or {})}

    def start(self, numbers, env=None, systemd="", wait=True):
        command, environment = self.prepared(numbers, env, systemd)
        self.daemon.start(command=command, env=environment, wait=wait, close_fds=False)
        for one in self.sockets:
            one.close()
        return self.daemon

    def close(self):
        for one in self.sockets:
            one.close()


@pytest.fixture
def passed(daemon):
    passed = Passed(daemon)
    yield passed
    passed.close()


def at(daemon, level, text):
    return (level, text) in messages(daemon.log.lines() + daemon.stderr.lines())


def sockets_of(pid):
    return {
        number: what
        for number, what in processes.descriptors(pid).items()
        if what.startswith("socket:")
    }


@both_users
def test_sockets_of_another_manager_are_used_as_they_are(daemon, passed):
    daemon.configure({"www": {"listen.mode": "0600"}, "api": {"listen": "127.0.0.1:1"}})
    one, two = passed.unix(daemon.address("www")), passed.tcp()
    port = two.getsockname()[1]
    daemon.configure({"www": {"listen.mode": "0600"}, "api": {"listen": f"127.0.0.1:{port}"}})
    inode = os.fstat(one.fileno()).st_ino
    keys = f"{daemon.address('www')}=7,127.0.0.1:{port}=8"
    passed.start({one: 7, two: 8}, {"FPM_SOCKETS": keys})
    daemon.assert_serves("www")
    daemon.assert_serves("api")
    assert at(daemon, "NOTICE", f'using inherited socket fd=7, "{daemon.address("www")}"')
    assert at(daemon, "NOTICE", f'using inherited socket fd=8, "127.0.0.1:{port}"')
    assert os.stat(daemon.address("www")).st_mode & 0o777 == 0o666, "mode stays"
    assert f"socket:[{inode}]" in sockets_of(daemon.master).values()
    daemon.signal(signal.SIGQUIT)
    assert daemon.wait_exit() == 0
    assert not os.path.exists(daemon.address("www"))


def test_more_variables_and_other_address_forms(daemon, passed):
    six, any_ = passed.tcp("::1"), passed.tcp("::")
    ports = [one.getsockname()[1] for one in (six, any_)]
    daemon.configure({"six": {"listen": f"[::1]:{ports[0]}"}, "any": {"listen": str(ports[1])}})
    passed.start(
        {six: 5, any_: 9},
        {"FPM_SOCKETS": f"::1:{ports[0]}=5", "FPM_SOCKETS_1": f"nonsense,:::{ports[1]}=9"},
    )
    assert at(daemon, "NOTICE", f'using inherited socket fd=5, "::1:{ports[0]}"')
    assert at(daemon, "NOTICE", f'using inherited socket fd=9, ":::{ports[1]}"')
    daemon.pools["any"]["listen"] = f"127.0.0.1:{ports[1]}"
    daemon.assert_serves("any")


@both_users
def test_sockets_nobody_listens_on_are_closed_and_their_files_removed(daemon, passed):
    daemon.configure()
    path = f"{daemon.dir}/old.sock"
    old = passed.unix(path)
    passed.start({old: 6}, {"FPM_SOCKETS": f"{path}=6"})
    assert not os.path.exists(path)
    daemon.assert_serves()


@muster_only
def test_file_of_another_socket_is_not_removed(arena, daemon, passed):
    arena.keep_sockets = True
    daemon.configure()
    path = f"{daemon.dir}/theirs.sock"
    theirs = passed.unix(path)
    mine = passed.unix(f"{daemon.dir}/mine.sock")
    passed.start({mine: 6}, {"FPM_SOCKETS": f"{path}=6"})
    assert os.path.exists(path)
    assert theirs.fileno() == -1
    daemon.assert_serves()


@muster_only
@both_users
def test_hostile_values_are_named_and_change_nothing(daemon, passed):
    daemon.configure({"www": {}, "api": {}})
    deaf = passed.tcp(listen=False)
    good = passed.unix(daemon.address("api"))
    hostile = {
        "0": "that is no descriptor number",
        "2": "that is no descriptor number",
        "-5": "that is no descriptor number",
        "4294967301": "that is no descriptor number",
        "7x": "that is no descriptor number",
        "": "that is no descriptor number",
        "2147483647": "it is not open",
        "900": "it is not open",
        "11": "it does not listen",
        "12": "it is not a socket",
    }
    www, api = daemon.address("www"), daemon.address("api")
    entries = [f"{www}={number}" for number in hostile]
    entries += [f"{api}=10", f"{api}=10", f"{www}=10", f"127.0.0.1:99=10", "=", "=10", ",", "x" * 9999]
    null = os.open("/dev/null", os.O_RDONLY)
    passed.start({deaf: 11, null: 12, good: 10}, {"FPM_SOCKETS": ",".join(entries)})
    os.close(null)
    daemon.assert_serves("www")
    daemon.assert_serves("api")
    for number, why in hostile.items():
        text = f'the inherited socket fd={number}, "{www}" is not used: {why}'
        assert at(daemon, "WARNING", text), text
    assert at(daemon, "NOTICE", f'using inherited socket fd=10, "{api}"')
    text = f'the inherited socket fd=10, "{api}" is not used: the descriptor was named before'
    assert at(daemon, "WARNING", text)
    text = f'the inherited socket fd=10, "127.0.0.1:99" is not used: it listens on "{api}"'
    assert at(daemon, "WARNING", text)


@muster_only
def test_many_variables_end(daemon, passed):
    daemon.configure()
    environment = {f"FPM_SOCKETS_{i}": "/a=3" for i in range(1, 300)}
    passed.start({}, {"FPM_SOCKETS": "/a=3", **environment})
    warnings = [line for line in daemon.stderr.lines() if "is not used" in line]
    assert len(warnings) == 256
    daemon.assert_serves()


@muster_only
def test_a_flood_of_entries_is_no_flood_of_lines(daemon, passed):
    daemon.configure()
    passed.start({}, {"FPM_SOCKETS": "=," * 50000})
    warnings = [line for line in daemon.stderr.lines() if "is not used" in line]
    assert len(warnings) == 256
    assert at(daemon, "WARNING", "more entries of FPM_SOCKETS are not used")
    daemon.assert_serves()


@muster_only
def test_neither_numbers_nor_sockets_reach_others(arena, daemon, passed):
    path = arena.script("env.php", "<?php echo json_encode(getenv());")
    daemon.configure({"www": {"clear_env": "no"}, "api": {}})
    one, two = passed.unix(daemon.address("www")), passed.unix(daemon.address("api"))
    inodes = {name: f"socket:[{os.fstat(s.fileno()).st_ino}]" for name, s in [("www", one), ("api", two)]}
    keys = f"{daemon.address('www')}=7,{daemon.address('api')}=8"
    passed.start({one: 7, two: 8}, {"FPM_SOCKETS": keys})
    environment = daemon.get(path).text
    assert "FPM_SOCKETS" not in environment and "PATH" in environment
    for pool, other in [("www", "api"), ("api", "www")]:
        for pid in {daemon.managers()[pool], *daemon.workers(pool)}:
            assert inodes[pool] in sockets_of(pid).values()
            assert inodes[other] not in sockets_of(pid).values()


@muster_only
def test_failed_start_leaves_inherited_files_alone(arena, daemon, passed):
    arena.keep_sockets = True
    daemon.configure(globals_={"pid": f"{daemon.dir}/missing/d.pid"})
    one = passed.unix(daemon.address())
    command, environment = passed.prepared({one: 7}, {"FPM_SOCKETS": f"{daemon.address()}=7"})
    result = subprocess.run(
        command,
        env=environment,
        close_fds=False,
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
        **daemon.identity.popen_arguments(),
    )
    assert result.returncode == 78 and "Unable to create the PID file" in result.stderr
    assert os.path.exists(daemon.address())
    daemon.allow_log(".*")


def test_test_of_the_configuration_touches_nothing(arena, daemon, passed):
    arena.keep_sockets = True
    daemon.configure()
    path = f"{daemon.dir}/old.sock"
    old = passed.unix(path)
    command, environment = passed.prepared({old: 7}, {"FPM_SOCKETS": f"{path}=7"})
    result = subprocess.run(
        [*command[:-1], "-t"],
        env=environment,
        close_fds=False,
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
        **daemon.identity.popen_arguments(),
    )
    assert result.returncode == 0 and "inherited" not in result.stderr
    assert os.path.exists(path)


# systemd


@muster_only
@both_users
def test_systemds_sockets_are_matched_by_address(arena, daemon, passed):
    arena.keep_sockets = True
    tcp = passed.tcp()
    port = tcp.getsockname()[1]
    daemon.configure({"www": {}, "api": {"listen": f"127.0.0.1:{port}"}})
    unix = passed.unix(daemon.address("www"))
    unix.setblocking(False)
    passed.start({tcp: 3, unix: 4}, systemd="2")
    assert at(daemon, "NOTICE", f'using inherited socket fd=3, "127.0.0.1:{port}"')
    assert at(daemon, "NOTICE", f'using inherited socket fd=4, "{daemon.address("www")}"')
    daemon.assert_serves("www")
    daemon.assert_serves("api")
    daemon.signal(signal.SIGQUIT)
    assert daemon.wait_exit() == 0
    assert os.path.exists(daemon.address("www")), "systemd goes on listening there"


@muster_only
def test_systemds_other_descriptors_are_closed_with_a_warning(arena, daemon, passed):
    arena.keep_sockets = True
    daemon.configure()
    path = f"{daemon.dir}/nobody.sock"
    nobody, deaf = passed.unix(path), passed.tcp(listen=False)
    null = os.open("/dev/null", os.O_RDONLY)
    inode = os.fstat(nobody.fileno()).st_ino
    passed.start({null: 3, deaf: 4, nobody: 5}, systemd="3")
    os.close(null)
    assert at(daemon, "WARNING", "systemd's descriptor fd=3 is closed: it is not a socket")
    assert at(daemon, "WARNING", "systemd's descriptor fd=4 is closed: it does not listen")
    assert at(
        daemon, "WARNING", f'inherited socket fd=5, "{path}" is closed: no pool listens there'
    )
    assert os.path.exists(path)
    assert f"socket:[{inode}]" not in processes.descriptors(daemon.master).values()
    daemon.assert_serves()


@muster_only
@pytest.mark.parametrize("count", ["-1", "0", "nonsense", "1000", "2147483647", "99999999999999"])
def test_counts_that_cannot_be(daemon, passed, count):
    daemon.configure()
    one = passed.tcp()
    passed.start({one: 3}, systemd=count)
    if count != "0":
        assert "the sockets of LISTEN_FDS are not used: " in daemon.stderr.text()
    daemon.assert_serves()


@muster_only
def test_sockets_for_another_process_are_left_alone(arena, daemon, passed):
    path = arena.script("env.php", "<?php echo json_encode(getenv());")
    daemon.configure({"www": {"clear_env": "no"}})
    passed.start({}, {"LISTEN_FDS": "1", "LISTEN_PID": "1"})
    assert "inherited" not in daemon.stderr.text()
    assert "LISTEN_PID" not in daemon.get(path).text
    daemon.assert_serves()


@muster_only
def test_systemds_and_another_managers_sockets_together(daemon, passed):
    tcp = passed.tcp()
    port = tcp.getsockname()[1]
    daemon.configure({"www": {"listen": f"127.0.0.1:{port}"}})
    passed.start({tcp: 3}, {"FPM_SOCKETS": f"127.0.0.1:{port}=3"}, systemd="1")
    assert at(daemon, "WARNING", "systemd's socket fd=3 is in FPM_SOCKETS, too")
    daemon.assert_serves()


@muster_only
@pytest.mark.skipif(shutil.which("systemd-socket-activate") is None, reason="not installed")
def test_started_by_the_first_connection_as_systemd_does_it(arena, daemon):
    arena.keep_sockets = True
    path = arena.script("hello.php", "<?php echo 'hello';")
    daemon.configure({"www": {"listen.mode": "0666"}})
    daemon.start(
        command=["systemd-socket-activate", "-l", daemon.address(), *daemon.command("-F")],
        wait=False,
    )
    wait_until(lambda: os.path.exists(daemon.address()), "systemd listens")
    assert daemon.get(path).text == "hello", "the connection that started it is served"
    daemon.wait_ready()
    assert at(daemon, "NOTICE", f'using inherited socket fd=3, "{daemon.address()}"')
    daemon.signal(signal.SIGQUIT)
    assert daemon.wait_exit() == 0
    assert os.path.exists(daemon.address())


# Reload


@both_users
def test_reload_says_what_log_parsers_wait_for(daemon):
    port = free_port()
    daemon.configure({"www": {}, "api": {"listen": f"127.0.0.1:{port}"}}).start()
    mark = daemon.reload()
    daemon.log.wait_for("systemd monitor interval set to 10000ms", since=mark)
    said = messages(daemon.log.since(mark).splitlines())
    said = [entry for entry in said if "not running as root" not in entry[1]]
    if not is_reference():
        numbers = [
            line.split("fd=")[1].split(",")[0] for _, line in said if "inherited socket" in line
        ]
        assert [entry for entry in said if entry[0] == "NOTICE" and "[pool" not in entry[1]] == [
            ("NOTICE", "Reloading in progress ..."),
            ("NOTICE", "reloading: a new generation of 2 pools starts beside the old one"),
            ("NOTICE", f'using inherited socket fd={numbers[0]}, "{daemon.address("www")}"'),
            ("NOTICE", f'using inherited socket fd={numbers[1]}, "127.0.0.1:{port}"'),
            ("NOTICE", f"fpm is running, pid {daemon.master}"),
            ("NOTICE", "ready to handle connections"),
            ("NOTICE", "systemd monitor interval set to 10000ms"),
        ]


@muster_only
def test_reload_with_a_new_pool_inherits_only_what_was_there(daemon):
    daemon.configure({"www": {}}).start()
    daemon.compare_descriptors = False
    daemon.configure({"www": {}, "api": {}})
    mark = daemon.reload()
    kept = [line for line in daemon.log.since(mark).splitlines() if "inherited socket" in line]
    assert len(kept) == 1 and f'"{daemon.address("www")}"' in kept[0]
    daemon.assert_serves("api")


@muster_only
@both_users
def test_refused_reload_says_nothing_of_the_sequence(daemon):
    daemon.configure().start()
    for broken in [{"www": {"pm": "magic"}}, {"www": {}, "bad": {"listen": "/no/such/place.sock"}}]:
        daemon.configure(broken)
        mark = daemon.log.mark()
        daemon.signal(signal.SIGUSR2)
        daemon.log.wait_for("the reload is refused", since=mark)
        text = daemon.log.since(mark)
        for line in ("reloading: ", "inherited socket", "fpm is running", "ready to handle"):
            assert line not in text
    daemon.allow_log(".*")
    daemon.configure()
    daemon.assert_serves()


@muster_only
def test_inherited_sockets_live_through_reloads(daemon, passed):
    daemon.configure()
    one = passed.unix(daemon.address())
    passed.start({one: 7}, {"FPM_SOCKETS": f"{daemon.address()}=7"})
    mark = daemon.reload()
    assert f'using inherited socket fd=7, "{daemon.address()}"' in daemon.log.since(mark)
    daemon.assert_serves()


def test_address_in_use_by_a_socket_that_was_passed_but_not_named(daemon, passed):
    one = passed.tcp()
    daemon.configure({"www": {"listen": "127.0.0.1:%d" % one.getsockname()[1]}})
    assert any("Address already in use (98)" in line for line in refused(daemon))
