"""Connections that nobody waits for: parked by workers, handed to whoever is free, kept on reload."""

import random
import signal
import socket

import pytest

from harness import fastcgi as f
from harness import processes
from harness.background import Load, Task
from harness.fixtures import both_users
from harness.kept_alive import ask, close_all, is_closed, kept_alive
from harness.program import muster_only
from harness.waiting import pause, stays, wait_until

pytestmark = muster_only

HELLO = "<?php echo 'hello ', getmypid();"


@pytest.fixture
def hello(arena):
    return arena.script("hello.php", HELLO)


def start(daemon, workers=1, **more):
    daemon.configure(
        {"www": {"pm.max_children": str(workers), "pm.status_path": "/status", **more}}
    ).start()
    return daemon


@both_users
def test_more_kept_alive_connections_than_workers_are_all_answered_under_load(daemon, hello):
    start(daemon, workers=4)
    workers = daemon.wait_workers(4)
    free = []
    connections = kept_alive(daemon, hello, 16)
    free.extend(connections)

    def ask_one():
        connection = free.pop(0)
        answer = connection.ask(daemon.params(hello), keep=True)
        free.append(connection)
        return None if answer.ended and answer.text.startswith("hello ") else repr(answer.stdout)

    with Load(ask_one, clients=8) as load:
        load.wait_for_more(600, timeout=30)
        for _ in range(20):
            daemon.assert_serves()
    load.assert_no_failures()
    close_all(connections)
    assert daemon.workers() == workers


def test_every_kept_alive_connection_is_as_good_as_the_first(daemon, hello):
    start(daemon, workers=2)
    connections = kept_alive(daemon, hello, 12)
    for _ in range(10):
        random.Random(1).shuffle(connections)
        for connection in connections:
            assert ask(daemon, connection, hello).text.startswith("hello ")
    close_all(connections)


def test_many_ready_at_once_are_all_answered_once(arena, daemon):
    path = arena.script("n.php", "<?php usleep(1000); echo 'hello ', $_GET['n'] ?? '';")
    start(daemon, workers=2)
    connections = kept_alive(daemon, path, 60)
    for n, connection in enumerate(connections):
        connection.send(f.request_bytes(daemon.params(path, query=f"n={n}"), keep=True))
    for n, connection in enumerate(connections):
        assert connection.read_response().text == f"hello {n}"
    for connection in connections:
        connection.socket.setblocking(False)
        with pytest.raises(BlockingIOError):
            connection.socket.recv(1)
    close_all(connections)


def test_no_request_waits_behind_a_busy_worker_while_another_is_free(arena, daemon, hello):
    start(daemon, workers=2)
    connections = kept_alive(daemon, hello, 6)
    gate = arena.gate()
    busy = Task(connections[0].ask, daemon.params(gate.path, query=gate.query), keep=True)
    gate.wait_started()
    for _ in range(3):
        for connection in connections[1:]:
            assert ask(daemon, connection, hello).text.startswith("hello ")
        daemon.assert_serves()
    gate.open()
    assert busy.result().text == "through the gate"
    close_all(connections)


def test_new_connections_are_served_while_kept_alive_ones_are_busy(arena, daemon):
    path = arena.script("work.php", "<?php usleep(2000); echo 'worked';")
    start(daemon, workers=1)

    def client():
        connection = daemon.connect(timeout=20)

        def ask_again():
            answer = connection.ask(daemon.params(path), keep=True)
            return None if answer.text == "worked" and answer.ended else repr(answer.stdout)

        return ask_again

    clients = [client() for _ in range(4)]

    def ask_some():
        mine = clients.pop()
        wrong = mine()
        clients.append(mine)
        return wrong

    with Load(ask_some, clients=4) as load:
        for _ in range(20):
            daemon.assert_serves()
    load.assert_no_failures()


def test_parked_connection_whose_peer_closes_is_forgotten(daemon, hello):
    start(daemon)
    before = daemon.manager_descriptors()
    connections = kept_alive(daemon, hello, 1)
    more = kept_alive(daemon, hello, 20)
    daemon.assert_serves()
    wait_until(lambda: daemon.manager_descriptors() == before + 21, "they are parked")
    close_all(more)
    wait_until(lambda: daemon.manager_descriptors() == before + 1, "they are forgotten")
    daemon.assert_serves()
    close_all(connections)


def test_number_of_parked_connections_is_bounded(daemon, hello):
    """Silent strangers beyond the bound are closed, the longest parked first; known peers stay."""
    start(daemon)
    (manager,) = daemon.managers().values()
    (known,) = kept_alive(daemon, hello, 1)
    daemon.assert_serves()
    limits = {line.split("  ")[0]: line for line in
              open(f"/proc/{manager}/limits", encoding="ascii").read().splitlines()}
    soft = int(limits["Max open files"].split()[3])
    bound = min(1024, (soft - 68) // 2)
    half = f.request_bytes(daemon.params(hello))[:40]
    strangers = []
    for n in range(bound + 60):
        try:
            connection = daemon.connect()
            strangers.append(connection)
            connection.send(half)
        except (BrokenPipeError, ConnectionResetError):
            pass
    daemon.assert_serves()
    assert daemon.manager_descriptors() <= 2 * bound + 68
    wait_until(lambda: is_closed(strangers[0]), "the first stranger had to go")
    assert not is_closed(strangers[-1]), "the last one stays"
    assert ask(daemon, known, hello).text.startswith("hello ")
    close_all([known, *strangers])


def test_silent_connection_is_closed_after_five_seconds_also_when_parked(daemon):
    start(daemon)
    with daemon.connect(timeout=15) as connection:
        daemon.assert_serves()
        stays(lambda: not is_closed(connection), "still open", 3)
        assert connection.is_closed_by_server()


def test_head_in_many_pieces_between_other_requests(daemon, hello):
    """Parked with every piece, taken up by any worker, counted once."""
    start(daemon, workers=2)
    stream = f.request_bytes(daemon.params(hello), keep=True)
    others = kept_alive(daemon, hello, 3)
    before = daemon.status(full=False)["accepted conn"]
    with daemon.connect() as connection:
        for start_at in range(0, len(stream), 37):
            for other in others:
                ask(daemon, other, hello)
            connection.send(stream[start_at : start_at + 37])
        assert connection.read_response().text.startswith("hello ")
    pieces = len(range(0, len(stream), 37))
    after = daemon.status(full=False)["accepted conn"]
    assert after - before == pieces * len(others) + 2
    close_all(others)


def test_large_incomplete_head_is_parked_too(daemon, arena):
    path = arena.script("length.php", "<?php echo strlen($_SERVER['HTTP_LARGE9']);")
    start(daemon)
    more = {f"HTTP_LARGE{n}": "l" * 50_000 for n in range(10)}
    stream = f.request_bytes(daemon.params(path, more=more))
    with daemon.connect() as connection:
        for at in range(0, len(stream), 150_000):
            connection.send(stream[at : at + 150_000])
            daemon.assert_serves()
        assert connection.read_response().text == "50000"


def test_get_values_is_answered_once_for_a_parked_connection(daemon, hello):
    start(daemon)
    with daemon.connect() as connection:
        connection.send(f.values_request(["FCGI_MPXS_CONNS"]))
        assert connection.read_record().kind == f.GET_VALUES_RESULT
        whole = f.request_bytes(daemon.params(hello), keep=True)
        daemon.assert_serves()
        connection.send(f.values_request(["FCGI_MPXS_CONNS"]) + whole[:30])
        assert connection.read_record().kind == f.GET_VALUES_RESULT
        daemon.assert_serves()
        connection.send(whole[30:])
        answer = connection.read_response()
        assert {one.kind for one in answer.records} == {f.STDOUT, f.END}
        assert answer.text.startswith("hello ")


def test_filter_data_that_comes_late_is_passed_over_after_parking(daemon, hello):
    start(daemon)
    head = f.begin(1, role=3, flags=f.KEEP_CONN) + f.params_stream(daemon.params(hello))
    with daemon.connect() as connection:
        connection.send(head + f.record(f.STDIN))
        assert connection.read_response().text.startswith("hello ")
        daemon.assert_serves()
        connection.send(f.record(f.DATA, b"late") + f.record(f.DATA))
        daemon.assert_serves()
        assert ask(daemon, connection, hello).text.startswith("hello ")


def test_access_log_names_the_peer_of_a_handed_over_connection(daemon, hello, arena):
    log = f"{arena.scratch}/access.log"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"127.0.0.1:{port}"
    start(daemon, listen=address, **{"access.log": log, "access.format": "%R %r"})
    connections = kept_alive(daemon, hello, 3)
    for connection in connections:
        ask(daemon, connection, hello)
    with open(log, encoding="utf-8") as file:
        assert file.read() == "127.0.0.1 /hello.php\n" * 6
    close_all(connections)


@both_users
def test_idle_connections_survive_a_reload(daemon, hello):
    start(daemon, workers=2)
    old = daemon.wait_workers(2)
    connections = kept_alive(daemon, hello, 8)
    for _ in range(3):
        daemon.reload()
        wait_until(lambda: not old & daemon.workers(), "the old workers leave at once", 5)
        wait_until(lambda: len(daemon.managers()) == 1, "and their manager", 5)
        new = daemon.wait_workers(2)
        for connection in connections:
            assert int(ask(daemon, connection, hello).text.split()[1]) in new
        old = new
    close_all(connections)


def test_incomplete_heads_survive_a_reload(daemon, hello):
    start(daemon)
    stream = f.request_bytes(daemon.params(hello))
    connections = []
    for at in (0, 5, 30, len(stream) - 10):
        connection = daemon.connect()
        connection.send(stream[:at])
        connections.append((connection, at))
    daemon.reload()
    (new,) = daemon.wait_workers(1)
    for connection, at in connections:
        connection.send(stream[at:])
        assert connection.read_response().text == f"hello {new}"
        connection.close()


def test_hundreds_of_idle_connections_survive_a_reload(daemon, hello):
    start(daemon)
    connections = kept_alive(daemon, hello, 400)
    daemon.reload()
    wait_until(lambda: len(daemon.managers()) == 1, "the old manager leaves", 5)
    for connection in connections:
        ask(daemon, connection, hello)
    close_all(connections)


def test_busy_keep_alive_survives_many_reloads(arena, daemon):
    path = arena.script("work.php", "<?php usleep(2000); echo 'worked';")
    start(daemon, workers=2)
    free = [daemon.connect(timeout=20) for _ in range(8)]
    connections = list(free)

    def ask_one():
        connection = free.pop(0)
        answer = connection.ask(daemon.params(path), keep=True)
        free.append(connection)
        return None if answer.text == "worked" and answer.ended else repr(answer.stdout)

    with Load(ask_one, clients=6) as load:
        for _ in range(8):
            daemon.reload()
            load.wait_for_more(30)
    load.assert_no_failures()
    close_all(connections)


def test_connection_of_a_long_request_goes_to_the_newest_generation(arena, daemon, hello):
    daemon.configure({"www": {"pm.max_children": "1"}}, {"process_control_timeout": "60s"})
    daemon.start()
    gate = arena.gate()
    with daemon.connect(timeout=20) as connection:
        params = daemon.params(gate.path, query=gate.query)
        connection.send(f.request_bytes(params, keep=True))
        old = gate.wait_started()
        daemon.reload()
        daemon.reload()
        gate.open()
        assert connection.read_response().text == "through the gate"
        wait_until(lambda: not processes.is_alive(old), "the old worker leaves")
        (new,) = daemon.wait_workers(1)
        assert ask(daemon, connection, hello).text == f"hello {new}"


def test_graceful_stop_closes_idle_connections_and_serves_begun_requests(daemon, hello):
    daemon.configure(globals_={"process_control_timeout": "20s"}).start()
    idle = kept_alive(daemon, hello, 3)
    stream = f.request_bytes(daemon.params(hello))
    half = daemon.connect()
    half.send(stream[:40])
    daemon.assert_serves()
    daemon.signal(signal.SIGQUIT)
    for connection in idle:
        assert connection.is_closed_by_server()
    half.send(stream[40:])
    assert half.read_response().text.startswith("hello ")
    assert daemon.wait_exit() == 0
    close_all([half, *idle])


def test_fast_stop_with_parked_connections(daemon, hello):
    start(daemon)
    connections = kept_alive(daemon, hello, 5)
    daemon.signal(signal.SIGTERM)
    assert daemon.wait_exit() == 0
    for connection in connections:
        assert connection.is_closed_by_server()
    close_all(connections)


@pytest.mark.parametrize("pm", ["dynamic", "ondemand"])
def test_pool_grows_for_parked_connections(arena, daemon, hello, pm):
    more = {"pm": pm, "pm.process_idle_timeout": "1s"}
    if pm == "dynamic":
        more.update({f"pm.{name}": "1" for name in
                     ("start_servers", "min_spare_servers", "max_spare_servers")})
    start(daemon, workers=4, **more)
    connections = kept_alive(daemon, hello, 4)
    daemon.assert_serves()
    gates = [arena.gate() for _ in connections]
    for gate, connection in zip(gates, connections):
        params = daemon.params(gate.path, query=gate.query)
        connection.send(f.request_bytes(params, keep=True))
    for gate in gates:
        gate.wait_started()
    for gate, connection in zip(gates, connections):
        gate.open()
        assert connection.read_response().text == "through the gate"
    close_all(connections)


def test_dead_worker_takes_only_its_own_connection(arena, daemon, hello):
    start(daemon, workers=2)
    daemon.allow_log("exited on signal 9")
    connections = kept_alive(daemon, hello, 6)
    for _ in range(3):
        killed = daemon.workers()
        for worker in killed:
            processes.send(worker, signal.SIGKILL)
        wait_until(lambda: not killed & daemon.workers(), "the killed are gone")
        daemon.wait_workers(2)
        alive = [one for one in connections if not is_closed(one)]
        assert len(alive) >= len(connections) - 2
        for connection in alive:
            ask(daemon, connection, hello)
        close_all(set(connections) - set(alive))
        connections = alive
        pause(0.05)
    close_all(connections)
