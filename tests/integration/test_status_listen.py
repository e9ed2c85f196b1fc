"""pm.status_listen: the manager answers for its pool, whatever the workers do."""

import json
import random
import signal
import socket
import struct

import pytest

from harness import fastcgi, processes
from harness.config import free_port
from harness.fixtures import both_users
from harness.program import muster_only
from harness.waiting import wait_until

from test_status import FIELDS, PROCESS_FIELDS


def configure(daemon, address=None, **more):
    address = address or f"{daemon.dir}/status.sock"
    directives = {"pm.status_listen": address, "pm.status_path": "/status", **more}
    daemon.configure({"www": directives})
    return address


def ask(daemon, address, path="/status", query="", method="GET", keep=False, more=None):
    with fastcgi.Connection(address) as connection:
        return connection.ask(daemon.params(path, method, query, more=more), keep=keep)


def status(daemon, address):
    return json.loads(ask(daemon, address, query="json&full").text)


def occupy(arena, daemon, count):
    """All workers of the pool are in a script until the gates open."""
    gates, tasks = [], []
    for _ in range(count):
        gate = arena.gate()
        tasks.append(daemon.get_in_background(gate.path, query=gate.query))
        gate.wait_started()
        gates.append(gate)
    return gates, tasks


def release(gates, tasks):
    for gate in gates:
        gate.open()
    for task in tasks:
        assert task.result().text == "through the gate"


@muster_only
@both_users
def test_answers_over_a_unix_socket_while_every_worker_is_busy(arena, daemon):
    address = configure(daemon, **{"pm.max_children": "2"})
    daemon.start()
    gates, tasks = occupy(arena, daemon, 2)
    try:
        answer = ask(daemon, address)
        assert answer.ended and answer.status == 200
        assert answer.header("Content-type") == "text/plain;charset=UTF-8"
        assert [line.split(":")[0] for line in answer.text.splitlines()] == FIELDS
        page = status(daemon, address)
        assert list(page)[:-1] == FIELDS and page["pool"] == "www"
        assert (page["active processes"], page["idle processes"]) == (2, 0)
        assert page["max active processes"] == 2
        assert [list(one) for one in page["processes"]] == [PROCESS_FIELDS] * 2
        assert {one["pid"] for one in page["processes"]} == daemon.workers()
        assert {one["state"] for one in page["processes"]} == {"Running"}
        assert page["accepted conn"] == 2, "status requests there are none of the pool's"
    finally:
        release(gates, tasks)


@muster_only
def test_answers_over_tcp_while_every_worker_is_busy(arena, daemon):
    address = configure(daemon, f"127.0.0.1:{free_port()}")
    daemon.start()
    gates, tasks = occupy(arena, daemon, 1)
    try:
        for _ in range(20):
            page = status(daemon, address)
            assert (page["active processes"], page["accepted conn"]) == (1, 1)
    finally:
        release(gates, tasks)


@muster_only
@pytest.mark.parametrize("kind", ["unix", "tcp"])
def test_the_waiting_connections_are_those_of_this_moment(arena, daemon, kind):
    listen = f"{daemon.dir}/w.sock" if kind == "unix" else f"127.0.0.1:{free_port()}"
    address = configure(daemon, listen=listen, **{"listen.backlog": "33"})
    daemon.start()
    gates, tasks = occupy(arena, daemon, 1)
    waiting = [fastcgi.Connection(listen) for _ in range(3)]
    try:
        wait_until(lambda: status(daemon, address)["listen queue"] == 3, "three are waiting")
        page = status(daemon, address)
        assert (page["max listen queue"], page["listen queue len"]) == (3, 33)
    finally:
        for one in waiting:
            one.close()
        release(gates, tasks)


@muster_only
def test_head_ping_and_nothing_else(arena, daemon):
    address = configure(daemon, **{"ping.path": "/ping", "ping.response": "here"})
    daemon.start()
    head = ask(daemon, address, method="HEAD")
    assert head.body == b"" and head.status == 200
    assert head.header("Content-type") == "text/html; charset=UTF-8"
    ping = ask(daemon, address, "/ping")
    assert ping.text == "here" and ping.header("Content-type") == "text/plain;charset=UTF-8"
    script = arena.script("run.php", "<?php echo 'ran';")
    for path in (script, "/", "/status/", "/Status"):
        answer = ask(daemon, address, path)
        assert (answer.status, answer.text) == (404, "File not found.\n"), path
    without_script = {"SCRIPT_FILENAME": None, "PATH_TRANSLATED": None}
    assert ask(daemon, address, more=without_script).status == 404
    assert ask(daemon, address, more={"REQUEST_METHOD": None}).status == 404


@muster_only
def test_without_a_path_it_is_the_root(daemon):
    address = configure(daemon, **{"pm.status_path": None})
    daemon.start()
    assert ask(daemon, address, "/").text.startswith("pool:                 www\n")
    assert ask(daemon, address, "/status").status == 404
    assert daemon.get("/").text.startswith("pool:                 www\n"), "on both sockets"


@muster_only
def test_the_headers_are_those_of_the_pools_own_page(daemon):
    address = configure(daemon)
    daemon.start()
    for query in ("", "json", "full", "html", "xml&full", "openmetrics"):
        ours, workers = ask(daemon, address, query=query), daemon.get("/status", query=query)
        assert ours.headers == workers.headers, query
        assert ours.header("Expires")


@muster_only
def test_kept_connections_pipelines_and_bodies(daemon):
    address = configure(daemon)
    daemon.start()
    one = fastcgi.request_bytes(daemon.params("/status", query="json"), keep=True)
    with fastcgi.Connection(address) as connection:
        connection.send(one * 30)
        for _ in range(30):
            assert json.loads(connection.read_response().text)["pool"] == "www"
        with_body = daemon.params("/status", "POST", "json", b"x" * 50000)
        for _ in range(3):
            assert connection.ask(with_body, b"x" * 50000, keep=True).ended
        for byte in one:
            connection.send(bytes([byte]))
        assert connection.read_response().ended
        connection.send(fastcgi.values_request(["FCGI_MPXS_CONNS"]))
        assert fastcgi.parse_pairs(connection.read_record().content) == {"FCGI_MPXS_CONNS": "0"}
        last = connection.ask(daemon.params("/status"))
        assert last.ended and connection.is_closed_by_server()


@muster_only
def test_a_peer_that_closes_its_half_gets_its_answer(daemon):
    address = configure(daemon)
    daemon.start()
    with fastcgi.Connection(address) as connection:
        connection.send(fastcgi.request_bytes(daemon.params("/status")))
        connection.half_close()
        assert connection.read_response().ended


@muster_only
def test_a_reload_loses_no_status_request(arena, daemon):
    address = configure(daemon)
    daemon.start()
    with fastcgi.Connection(address) as kept:
        assert kept.ask(daemon.params("/status"), keep=True).ended
        for _ in range(3):
            before = daemon.managers()["www"]
            mark = daemon.log.mark()
            daemon.signal(signal.SIGUSR2)
            asked = 0
            while not daemon.log.find("ready to handle connections", mark) or asked < 20:
                assert ask(daemon, address, query="json").ended
                assert kept.ask(daemon.params("/status"), keep=True).ended
                asked += 1
            wait_until(lambda: not processes.is_alive(before), "the old manager is gone", 10)
            assert kept.ask(daemon.params("/status"), keep=True).ended


@muster_only
def test_a_half_sent_status_request_survives_a_reload(daemon):
    address = configure(daemon)
    daemon.start()
    before = daemon.managers()["www"]
    request = fastcgi.request_bytes(daemon.params("/status", query="json"))
    with fastcgi.Connection(address) as begun:
        begun.send(request[:40])
        daemon.reload()
        wait_until(lambda: not processes.is_alive(before), "the old manager is gone", 10)
        begun.send(request[40:])
        assert json.loads(begun.read_response().text)["pool"] == "www"


@muster_only
def test_a_dead_managers_socket_waits_for_the_next_one(daemon):
    address = configure(daemon)
    daemon.start()
    daemon.allow_log(r"manager \d+ exited on signal 9")
    first = daemon.managers()["www"]
    processes.kill_hard(first)
    assert ask(daemon, address).ended
    wait_until(lambda: daemon.managers().get("www", first) != first, "a new manager")


@muster_only
def test_silent_connections_do_not_block_it(daemon):
    address = configure(daemon)
    daemon.start()
    silent = [fastcgi.Connection(address) for _ in range(100)]
    try:
        for _ in range(100):
            assert ask(daemon, address).ended
    finally:
        for connection in silent:
            connection.close()


@muster_only
def test_a_peer_that_does_not_read_is_given_up(daemon):
    address = configure(daemon)
    daemon.start()
    request = fastcgi.request_bytes(daemon.params("/status", query="full"), keep=True)
    manager = daemon.managers()["www"]
    before = len(processes.descriptors(manager))
    with fastcgi.Connection(address) as connection:
        connection.socket.setblocking(False)
        try:
            while True:
                connection.socket.send(request)
        except BlockingIOError:
            pass
        assert ask(daemon, address).ended, "the others are served"
        wait_until(lambda: len(processes.descriptors(manager)) == before, "given up", 15)


@muster_only
def test_garbage_does_not_hurt_the_manager(daemon):
    address = configure(daemon)
    daemon.start()
    manager = daemon.managers()["www"]
    seed = random.randrange(1 << 32)
    rng = random.Random(seed)
    good = fastcgi.request_bytes(daemon.params("/status"), keep=True)
    for trial in range(400):
        if trial % 2:
            data = rng.randbytes(rng.randint(1, 3000))
        else:
            data = bytearray(good * rng.randint(1, 3))
            for _ in range(rng.randint(1, 6)):
                data[rng.randrange(len(data))] = rng.randrange(256)
            data = bytes(data[: rng.randint(1, len(data))])
        with fastcgi.Connection(address) as connection:
            try:
                connection.send(data)
                if rng.random() < 0.5:
                    connection.half_close()
                    while connection.socket.recv(65536):
                        pass
            except (BrokenPipeError, ConnectionResetError):
                pass
    linger = struct.pack("ii", 1, 0)
    for _ in range(20):
        with fastcgi.Connection(address) as connection:
            connection.send(good[: rng.randint(1, len(good))])
            connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    assert ask(daemon, address).ended, f"seed {seed}"
    assert daemon.managers()["www"] == manager, f"seed {seed}"
    daemon.assert_serves()


@muster_only
def test_allowed_clients_count_there_too(daemon):
    port = free_port()
    address = configure(daemon, f"127.0.0.1:{port}", **{"listen.allowed_clients": "127.0.0.1"})
    daemon.allow_log("Connection disallowed")
    daemon.start()
    assert ask(daemon, address).ended
    with socket.create_connection(("127.0.0.1", port), 10, ("127.0.0.2", 0)) as refused:
        try:
            assert refused.recv(1) == b""
        except ConnectionResetError:
            pass
    daemon.log.wait_for(r"\[pool www\] Connection disallowed: IP address '127.0.0.2' has been")


@muster_only
def test_its_socket_comes_and_goes_with_the_configuration(daemon):
    address = configure(daemon)
    daemon.start()
    assert ask(daemon, address).ended
    line = f"pm.status_listen = {address}\n"
    daemon.write(daemon.text.replace(line, ""))
    daemon.reload()

    def gone():
        try:
            fastcgi.Connection(address).close()
        except (FileNotFoundError, ConnectionRefusedError):
            return True
        return False

    wait_until(gone, "the socket is gone", 10)
    daemon.write(daemon.text.replace("[www]\n", "[www]\n" + line))
    daemon.reload()
    assert ask(daemon, address).ended
