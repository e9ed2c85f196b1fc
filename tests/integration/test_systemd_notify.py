"""What the service manager is told over NOTIFY_SOCKET, and the watchdog that waits for it."""

import os
import re
import signal
import socket
import time

import pytest

from harness.fixtures import both_users
from harness.logs import messages
from harness.program import muster_only
from harness.waiting import PATIENCE, pause, wait_until

STATUS = re.compile(
    r"Processes active: (\d+), idle: (\d+), Requests: (\d+), slow: (\d+), Traffic: (\d+\.\d\d)req/sec"
)


class ServiceManager:
    """The receiving end: every datagram as a list of its assignments."""

    def __init__(self, address):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        if not address.startswith("\0"):
            os.chmod(address, 0o666)
        self.environment = {**os.environ, "NOTIFY_SOCKET": address.replace("\0", "@", 1)}
        self.seen = []

    def receive(self):
        while True:
            try:
                text = self.socket.recv(65536, socket.MSG_DONTWAIT).decode()
            except BlockingIOError:
                return self.seen
            self.seen.append(text.split("\n"))

    def wait_for(self, wanted, count=1, since=0, timeout=10.0):
        """The messages from `since` on that satisfy wanted(message), once there are `count`."""

        def enough():
            found = [message for message in self.receive()[since:] if wanted(message)]
            return found if len(found) >= count else None

        return wait_until(enough, lambda: f"{count} messages in {self.seen[since:]}", timeout)

    def wait_status(self, count=1, since=0, timeout=10.0):
        return self.wait_for(lambda m: any(STATUS.search(line) for line in m), count, since, timeout)

    def close(self):
        self.socket.close()


@pytest.fixture
def manager(arena):
    path = f"{arena.scratch}/notify"
    manager = ServiceManager(path)
    yield manager
    manager.close()
    os.remove(path)


def monitor_lines(daemon):
    lines = daemon.log.lines() + daemon.stderr.lines()
    return [entry for entry in messages(lines) if "systemd" in entry[1]]


@both_users
def test_ready_is_told_when_the_pools_serve(daemon, manager):
    daemon.start(env=manager.environment)
    first = manager.wait_for(lambda message: True)[0]
    assert first == ["READY=1", "STATUS=Ready to handle connections", f"MAINPID={daemon.master}"]
    assert monitor_lines(daemon) == [("NOTICE", "systemd monitor interval set to 10000ms")]


def test_abstract_socket(daemon):
    manager = ServiceManager(f"\0muster-test-{os.getpid()}")
    try:
        daemon.start(env=manager.environment)
        assert manager.wait_for(lambda message: "READY=1" in message)
    finally:
        manager.close()


def test_daemon_tells_its_own_pid(daemon, manager):
    daemon.configure()
    os.environ.update(NOTIFY_SOCKET=manager.environment["NOTIFY_SOCKET"])
    try:
        assert daemon.start_detached().returncode == 0
    finally:
        del os.environ["NOTIFY_SOCKET"]
    assert manager.wait_for(lambda message: f"MAINPID={daemon.master}" in message)


def test_status_sums_over_all_pools(arena, daemon, manager):
    path = arena.script("hello.php", "<?php echo 'hello';")
    gate = arena.gate()
    daemon.configure(
        {"www": {"pm.max_children": "2"}, "api": {"pm.max_children": "3"}},
        {"systemd_interval": "1s"},
    ).start(env=manager.environment)
    assert ("NOTICE", "systemd monitor interval set to 1000ms") in monitor_lines(daemon)
    for _ in range(4):
        daemon.get(path, pool="www")
        daemon.get(path, pool="api")
    running = daemon.get_in_background(gate.path, query=gate.query, pool="api")
    gate.wait_started()

    def nine_requests(message):
        return any(re.search(r"active: 1, idle: 4, Requests: 9, slow: 0,", line) for line in message)

    message = manager.wait_for(nine_requests)[0]
    assert message[0] == "READY=1" and message[1].startswith("STATUS=Processes active: ")
    assert len(message) == 2
    gate.open()
    assert running.result().text == "through the gate"
    told = [STATUS.search(message[1]) for message in manager.seen if STATUS.search(message[1])]
    rates = [float(match.group(5)) for match in told]
    assert sum(rates) == pytest.approx(9, abs=0.01), "every request is in one message's rate"


@muster_only
def test_sums_go_on_through_a_reload(arena, daemon, manager):
    path = arena.script("hello.php", "<?php echo 'hello';")
    daemon.configure(globals_={"systemd_interval": "1s"}).start(env=manager.environment)
    for _ in range(3):
        daemon.get(path)
    daemon.reload()
    daemon.get(path)
    manager.wait_for(lambda message: "Requests: 4," in message[-1])
    counts = [int(STATUS.search(m[-1]).group(3)) for m in manager.seen if STATUS.search(m[-1])]
    assert counts == sorted(counts)


@muster_only
@both_users
def test_reload_is_told_from_begin_to_end(daemon, manager):
    daemon.start(env=manager.environment)
    manager.wait_for(lambda message: "READY=1" in message)
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    daemon.reload()
    manager.wait_for(lambda message: "READY=1" in message, count=2)
    after = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    begin, end = manager.seen[1:3]
    assert begin[0] == "RELOADING=1"
    assert before <= int(begin[1].removeprefix("MONOTONIC_USEC=")) <= after
    assert end == ["READY=1", "STATUS=Ready to handle connections", f"MAINPID={daemon.master}"]


@muster_only
def test_refused_reload_is_ready_again(daemon, manager):
    daemon.start(env=manager.environment)
    daemon.configure({"www": {"pm": "magic"}})
    daemon.signal(signal.SIGUSR2)
    manager.wait_for(lambda message: "RELOADING=1" in message)
    told = manager.wait_for(lambda message: "READY=1" in message, count=2)[1]
    assert told == ["READY=1", "STATUS=Ready to handle connections; the last reload was refused"]
    daemon.allow_log(".*")
    daemon.configure()


@muster_only
def test_no_status_says_ready_while_a_reload_goes_on(arena, daemon, manager):
    # Preloading waits for the file, so the new manager is not ready before we want it.
    gate = f"{arena.scratch}/go"
    preload = f"{arena.site}{arena.script('slow.php', WAITING_PRELOAD.replace('GATE', gate))}"
    with open(gate, "w", encoding="ascii"):
        pass
    daemon.configure(globals_={"systemd_interval": "1s"})
    daemon.start("-d", f"opcache.preload={preload}", env=manager.environment)
    os.remove(gate)
    mark = daemon.log.mark()
    daemon.signal(signal.SIGUSR2)
    manager.wait_for(lambda message: "RELOADING=1" in message)
    told = manager.wait_status(2, len(manager.seen))
    assert not daemon.log.find("ready to handle connections", mark), "the new manager waits"
    assert all("READY=1" not in message for message in told[:2])
    with open(gate, "w", encoding="ascii"):
        pass
    daemon.log.wait_for("ready to handle connections", since=mark, timeout=15)
    manager.wait_for(lambda message: f"MAINPID={daemon.master}" in message, count=2)


WAITING_PRELOAD = """<?php
$giveUp = microtime(true) + 60;
while (!file_exists('GATE') && microtime(true) < $giveUp) {
    usleep(5000);
    clearstatcache();
}
"""


@muster_only
@pytest.mark.parametrize("number, status", [("QUIT", "Finishing"), ("TERM", "Terminating")])
def test_stopping_is_told(daemon, manager, number, status):
    daemon.start(env=manager.environment)
    daemon.signal(getattr(signal, f"SIG{number}"))
    assert daemon.wait_exit() == 0
    *stopping, longest, told = manager.receive()[-1]
    assert (stopping, told) == (["STOPPING=1"], f"STATUS={status}")
    # Not before process_control_timeout is over and what is left had time to be killed.
    assert int(longest.removeprefix("EXTEND_TIMEOUT_USEC=")) > 10_000_000


def test_interval_0_sends_no_status(daemon, manager):
    daemon.configure(globals_={"systemd_interval": "0"}).start(env=manager.environment)
    manager.wait_for(lambda message: "READY=1" in message)
    assert monitor_lines(daemon) == [("NOTICE", "systemd monitor disabled")]


@both_users
def test_watchdog_is_fed_at_half_its_time(daemon, manager):
    daemon.start(env={**manager.environment, "WATCHDOG_USEC": "2100000"})
    assert ("NOTICE", "systemd watchdog configured to 1.05sec") in messages(daemon.stderr.lines())
    assert ("NOTICE", "systemd monitor interval set to 1050ms") in monitor_lines(daemon)
    fed = manager.wait_for(lambda message: "WATCHDOG=1" in message, count=2)
    assert fed[0][:2] == ["READY=1", "WATCHDOG=1"] and STATUS.search(fed[0][2])


@muster_only
def test_watchdog_is_fed_while_requests_finish_at_the_end(arena, daemon, manager):
    gate = arena.gate()
    daemon.configure(globals_={"process_control_timeout": "60s"})
    daemon.start(env={**manager.environment, "WATCHDOG_USEC": "2100000"})
    running = daemon.get_in_background(gate.path, query=gate.query)
    gate.wait_started()
    daemon.signal(signal.SIGQUIT)
    manager.wait_for(lambda message: "STOPPING=1" in message)
    fed = manager.wait_for(lambda message: "WATCHDOG=1" in message, since=len(manager.seen))
    assert "READY=1" not in fed[0]
    gate.open()
    assert running.result().text == "through the gate"
    assert daemon.wait_exit() == 0


def test_watchdog_hears_nothing_from_a_stopped_loop(daemon, manager):
    daemon.start(env={**manager.environment, "WATCHDOG_USEC": "2100000"})
    manager.wait_for(lambda message: "WATCHDOG=1" in message)
    daemon.signal(signal.SIGSTOP)
    try:
        manager.receive()
        silence = len(manager.seen)
        pause(1.5 * PATIENCE)
        assert len(manager.receive()) == silence
    finally:
        daemon.signal(signal.SIGCONT)
    manager.wait_for(lambda message: "WATCHDOG=1" in message, since=silence)


def test_watchdog_makes_the_directive_void(daemon):
    daemon.configure(globals_={"systemd_interval": "4"})
    result = daemon.run("-t", env={**os.environ, "WATCHDOG_USEC": "3000000"})
    said = messages(result.stderr.splitlines())
    assert ("WARNING", "systemd_interval option ignored") in said
    assert ("NOTICE", "systemd watchdog configured to 1.5sec") in said


@muster_only
def test_receiver_that_never_reads_holds_nothing_up(daemon, manager):
    daemon.configure(globals_={"systemd_interval": "1s"})
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as noise:
        noise.setblocking(False)
        with pytest.raises(BlockingIOError):
            while True:
                noise.sendto(b"STATUS=noise", manager.environment["NOTIFY_SOCKET"])
    daemon.start(env=manager.environment)
    daemon.log.wait_for("WARNING: failed to notify start to systemd")
    daemon.log.wait_for("NOTICE: failed to notify status to systemd")
    daemon.assert_serves()
    daemon.signal(signal.SIGQUIT)
    assert daemon.wait_exit() == 0


def test_receiver_that_is_not_there(daemon):
    daemon.start(env={**os.environ, "NOTIFY_SOCKET": f"{daemon.dir}/nobody"})
    daemon.log.wait_for("WARNING: failed to notify start to systemd")
    daemon.assert_serves()


@muster_only
@pytest.mark.parametrize("address", ["relative", "@" + "x" * 200, "/" + "x" * 200, "vsock:1:2"])
def test_addresses_that_cannot_be(daemon, address):
    daemon.start(env={**os.environ, "NOTIFY_SOCKET": address})
    daemon.log.wait_for("WARNING: failed to notify start to systemd")
    daemon.assert_serves()
