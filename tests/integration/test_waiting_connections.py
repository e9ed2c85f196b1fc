"""Connections without a worker are limited in number and time; idle ones are never closed unasked."""

from harness import fastcgi as f
from harness.background import Load
from harness.fixtures import both_users
from harness.kept_alive import ask, close_all, is_closed, kept_alive
from harness.program import muster_only
from harness.waiting import stays, wait_until

import pytest

pytestmark = muster_only

HELLO = "<?php echo 'hello';"


@pytest.fixture
def hello(arena):
    return arena.script("hello.php", HELLO)


def start(daemon, workers=1, **more):
    directives = {"pm.max_children": str(workers), "pm.status_path": "/status"}
    return daemon.configure({"www": {**directives, **more}}).start()


def assert_hello(daemon, connection, path):
    assert ask(daemon, connection, path).text == "hello"


@both_users
def test_silent_strangers_are_limited_and_disturb_nobody(daemon, hello):
    limit = 20
    start(daemon, **{"listen.max_waiting": str(limit)})
    before = daemon.manager_descriptors()
    (known,) = kept_alive(daemon, hello, 1)
    half = f.request_bytes(daemon.params(hello))[:40]
    strangers = []
    for n in range(150):
        strangers.append(daemon.connect())
        if n % 2:
            strangers[-1].send(half)
        if n % 10 == 9:
            daemon.assert_serves()
            assert daemon.manager_descriptors() <= before + 2 * limit + 4
    daemon.assert_serves()
    wait_until(lambda: sum(map(is_closed, strangers)) >= 150 - limit - 1, "most had to go")
    assert is_closed(strangers[0]) and not is_closed(strangers[-1])
    assert_hello(daemon, known, hello)
    close_all([known, *strangers])


def test_idle_connections_beyond_the_limit_end_with_their_answer(daemon, hello):
    """None is closed later, when its next request may be on its way."""
    limit = 9  # of 12: a quarter is for those who have only just come
    start(daemon, workers=2, **{"listen.max_waiting": "12"})
    connections = []
    for _ in range(40):
        connection = daemon.connect()
        connections.append(connection)
        assert_hello(daemon, connection, hello)
        # Fresh ones push it out of its worker.
        daemon.assert_serves()
    kept = [connection for connection in connections if not is_closed(connection)]
    assert limit <= len(kept) <= limit + 2
    for _ in range(3):
        for connection in kept:
            daemon.assert_serves()
            assert_hello(daemon, connection, hello)
            assert not is_closed(kept[0])
        # An answer may be the last one on its connection, as long as there are too many.
        kept = [connection for connection in kept if not is_closed(connection)]
        assert len(kept) >= limit - 1
    close_all(connections)
    wait_until(lambda: _keeps_alive_again(daemon, hello), "room for others")


def _keeps_alive_again(daemon, path):
    with daemon.connect() as connection:
        assert_hello(daemon, connection, path)
        ask_fresh = daemon.connect()
        assert_hello(daemon, ask_fresh, path)
        ask_fresh.close()
        return not is_closed(connection)


def test_request_stopped_after_any_byte_holds_no_worker(daemon, hello):
    """Every length of a head at once, on one worker; then each is completed."""
    start(daemon)
    stream = f.request_bytes(daemon.params(hello))
    head = len(stream) - 8
    connections = [daemon.connect(timeout=20) for _ in range(head)]
    for at, connection in enumerate(connections):
        connection.send(stream[:at])
    daemon.assert_serves()
    (known,) = kept_alive(daemon, hello, 1)
    for at, connection in enumerate(connections):
        connection.send(stream[at:])
        answer = connection.read_response()
        assert answer.ended and answer.text == "hello", at
    assert_hello(daemon, known, hello)
    close_all([known, *connections])


def test_head_that_takes_too_long_is_closed(daemon, hello):
    start(daemon, **{"request_header_timeout": "1s"})
    stream = f.request_bytes(daemon.params(hello))
    lone = daemon.connect()  # waited for by the worker itself
    lone.send(stream[:40])
    assert lone.is_closed_by_server()
    parked = [daemon.connect() for _ in range(5)]
    for at, connection in enumerate(parked):
        connection.send(stream[: 1 + 11 * at])
    daemon.assert_serves()
    for connection in parked:
        assert connection.is_closed_by_server()
    daemon.assert_serves()
    close_all([lone, *parked])


def test_slow_head_within_its_time_is_served(daemon, hello):
    start(daemon, **{"request_header_timeout": "30s"})
    stream = f.request_bytes(daemon.params(hello))
    with daemon.connect() as slow:
        for at in range(0, len(stream), 90):
            slow.send(stream[at : at + 90])
            daemon.assert_serves()
        assert slow.read_response().text == "hello"


def test_keepalive_timeout_closes_idle_connections(daemon, hello):
    start(daemon, **{"listen.keepalive_timeout": "1s"})
    connections = kept_alive(daemon, hello, 4)
    for connection in connections:
        assert connection.is_closed_by_server()
    close_all(connections)


def test_idle_connections_stay_for_ever_by_default(daemon, hello):
    start(daemon)
    connections = kept_alive(daemon, hello, 3)
    stays(lambda: not any(map(is_closed, connections)), "open", 2.5)
    for connection in connections:
        assert_hello(daemon, connection, hello)
    close_all(connections)


def test_worker_whose_connection_is_idle_counts_as_free_again(daemon, hello):
    """Nobody else asks, and yet an ondemand pool shrinks to nothing and keeps its connections."""
    more = {"pm": "ondemand", "pm.process_idle_timeout": "1s"}
    start(daemon, workers=4, **more)
    connections = kept_alive(daemon, hello, 3)
    wait_until(lambda: not daemon.workers(), "all workers leave", 15)
    for connection in connections:
        assert_hello(daemon, connection, hello)
    close_all(connections)


def test_hundreds_of_idle_connections_leave_every_worker_to_whoever_asks(daemon, hello):
    start(daemon, workers=4)
    idle = kept_alive(daemon, hello, 300)
    free = list(idle)

    def ask_any():
        connection = free.pop(0)
        answer = connection.ask(daemon.params(hello), keep=True)
        free.append(connection)
        return None if answer.ended and answer.text == "hello" else repr(answer.stdout)

    with Load(ask_any, clients=6) as load:
        load.wait_for_more(600, timeout=30)
        for _ in range(20):
            daemon.assert_serves()
    load.assert_no_failures()
    assert not any(map(is_closed, idle))
    close_all(idle)
