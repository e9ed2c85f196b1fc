"""Garbage, silence, half records, endless streams: each costs one connection, never the pool."""

import os
import random
import struct

import pytest

from harness import fastcgi as f
from harness import processes
from harness.fixtures import both_users
from harness.program import is_reference, muster_only
from harness.waiting import stays, wait_until

BAD_STARTS = {
    "http": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "zeros": b"\0" * 64,
    "ones": b"\xff" * 4096,
    "version 0": f.record(f.BEGIN, struct.pack(">HB5x", 1, 0), version=0),
    "stdin first": f.record(f.STDIN, b"body"),
    "params first": f.record(f.PARAMS, f.pair("A", "b")),
    "abort first": f.record(f.ABORT),
    "data first": f.record(f.DATA, b"data"),
    "unknown type": f.record(99, b"what"),
    "begin too long": f.record(f.BEGIN, b"\0" * 9),
    "begin too short": f.record(f.BEGIN, b"\0" * 7),
    "role 4": f.begin(role=4),
    "end from the client": f.record(f.END, b"\0" * 8),
    "stdout from the client": f.record(f.STDOUT, b"x"),
}

BAD_PARAMS = {
    "name longer than the record": b"\x7f\x00short",
    "value longer than the record": b"\x01\x7fA",
    "four-byte length cut": b"\x01\x80\x00",
    "two gigabytes": b"\x01" + struct.pack(">I", 0xFFFFFFFF) + b"A",
    "both lengths huge": struct.pack(">II", 0xFFFFFFFF, 0xFFFFFFFF),
    "one byte": b"\x01",
}


def close_and_read(connection):
    """Nothing more will come from us; reads until the server has closed."""
    try:
        connection.half_close()
    except OSError:
        pass
    return connection.read_response()


@pytest.fixture
def served(daemon):
    daemon.configure().start()
    (worker,) = daemon.wait_workers(1)
    yield daemon
    daemon.assert_serves()
    assert daemon.workers() == {worker}, "the same worker still serves"


@pytest.mark.parametrize("name", BAD_STARTS)
def test_garbage_in_place_of_a_request(served, name):
    with served.connect() as connection:
        connection.send(BAD_STARTS[name])
        answer = close_and_read(connection)
    assert answer.stdout == b""


@pytest.mark.parametrize("name", BAD_PARAMS)
def test_malformed_parameters(served, name):
    with served.connect() as connection:
        bad = f.record(f.PARAMS, BAD_PARAMS[name])
        connection.send(f.begin() + bad + f.record(f.PARAMS) + f.record(f.STDIN))
        answer = close_and_read(connection)
    assert answer.stdout == b""


@both_users
def test_random_noise(daemon):
    daemon.configure({"www": {"pm.max_children": "2"}}).start()
    workers = daemon.wait_workers(2)
    noise = random.Random(20260101)
    params = f.params_stream(daemon.params("/none.php"))
    for _ in range(150):
        data = bytearray(f.begin() + params + f.stdin_stream(b"x" * 20))
        for _ in range(noise.randint(1, 6)):
            data[noise.randrange(len(data))] = noise.randrange(256)
        cut = noise.randint(1, len(data))
        with daemon.connect() as connection:
            try:
                connection.send(bytes(data[:cut]))
            except (BrokenPipeError, ConnectionResetError):
                continue
            close_and_read(connection)
    assert daemon.workers() == workers
    daemon.assert_serves()


@muster_only
def test_half_a_record_and_silence_does_not_stop_the_pool(served):
    """One worker only, and as many silent connections as anybody likes."""
    whole = f.request_bytes(served.params("/none.php"))
    silent = []
    try:
        for at in (1, 4, 8, 12, 16, 20, 24, 60, len(whole) - 9):
            connection = served.connect()
            connection.send(whole[:at])
            silent.append(connection)
            served.assert_serves()
    finally:
        for connection in silent:
            connection.close()


def test_half_a_record_and_silence_leaves_the_other_workers_alone(arena, daemon):
    daemon.configure({"www": {"pm.max_children": "2"}}).start()
    with daemon.connect() as connection:
        connection.send(f.begin()[:11])
        for _ in range(3):
            daemon.assert_serves()
    daemon.assert_serves()
    daemon.wait_workers(2)


def test_half_a_record_and_silence_is_ended_by_the_request_timeout(daemon):
    daemon.allow_log("exited on signal 15")
    daemon.configure({"www": {"request_terminate_timeout": "1s"}}).start()
    with daemon.connect() as connection:
        connection.send(f.begin() + f.record(f.PARAMS, f.pair("A", "b"))[:10])
        assert connection.is_closed_by_server()
        daemon.assert_serves()


@muster_only
def test_silent_connections_do_not_stop_the_pool(served):
    silent = [served.connect() for _ in range(10)]
    try:
        served.assert_serves()
    finally:
        for connection in silent:
            connection.close()


@muster_only
def test_slow_sender_is_served_in_the_end(served, arena):
    path = arena.script("slow.php", "<?php echo strlen(file_get_contents('php://input'));")
    stream = f.request_bytes(served.params(path, "POST", "", b"12345"), b"12345")
    with served.connect(timeout=20) as connection:
        third = len(stream) // 3
        connection.send(stream[:third])
        served.assert_serves()
        connection.send(stream[third : 2 * third])
        served.assert_serves()
        connection.send(stream[2 * third :])
        assert connection.read_response().text == "5"


def test_connection_without_a_byte_is_closed_after_a_while(daemon):
    daemon.configure({"www": {"pm.max_children": "2"}}).start()
    with daemon.connect(timeout=15) as connection:
        assert connection.is_closed_by_server()
    daemon.assert_serves()


@muster_only
def test_endless_parameters_are_refused_and_memory_stays_bounded(served):
    """256 MiB of parameters for one request."""
    (worker,) = served.workers()
    record = f.record(f.PARAMS, f.pairs({f"HTTP_X{n}": "x" * 1000 for n in range(60)}))
    sent = 0
    with served.connect() as connection:
        connection.send(f.begin())
        try:
            for _ in range(256 * 1024 * 1024 // len(record)):
                connection.send(record)
                sent += len(record)
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert sent < 128 * 1024 * 1024, "nobody stopped it"
    served.assert_serves()
    if processes.is_alive(worker):
        assert int(processes.status_field(worker, "VmRSS").split()[0]) < 200_000


@both_users
def test_client_that_hangs_up_while_the_script_writes(arena, daemon):
    done = f"{arena.scratch}/done"
    code = f"""<?php
        register_shutdown_function(fn() => file_put_contents('{done}.' . connection_status(), ''));
        for ($i = 0; $i < 20000; $i++) {{ echo str_repeat('x', 10000); flush(); }}"""
    daemon.configure().start()
    (worker,) = daemon.wait_workers(1)
    path = arena.script("endless.php", code)
    connection = daemon.connect()
    connection.send(f.request_bytes(daemon.params(path)))
    assert connection.read_exactly(20_000)
    connection.close()
    wait_until(lambda: os.path.exists(f"{done}.1"), "the script learns of it", 10)
    daemon.assert_serves()
    assert daemon.workers() == {worker}


def test_client_that_hangs_up_before_the_answer(arena, daemon):
    daemon.configure().start()
    (worker,) = daemon.wait_workers(1)
    gate = arena.gate()
    connection = daemon.connect()
    connection.send(f.request_bytes(daemon.params(gate.path, query=gate.query)))
    gate.wait_started()
    connection.close()
    gate.open()
    daemon.assert_serves()
    assert daemon.workers() == {worker}


def test_client_that_hangs_up_in_the_middle_of_its_body(served, arena):
    path = arena.script("body.php", "<?php echo strlen(file_get_contents('php://input'));")
    params = served.params(path, "POST", "", b"", {"CONTENT_LENGTH": "100000"})
    connection = served.connect()
    connection.send(f.begin() + f.params_stream(params) + f.record(f.STDIN, b"x" * 5000))
    connection.close()


@muster_only
def test_client_that_does_not_read_is_given_up_or_waited_for_but_stops_nobody(arena, daemon):
    daemon.configure({"www": {"pm.max_children": "2"}}).start()
    path = arena.script("big.php", "<?php echo str_repeat('x', 50_000_000);")
    with daemon.connect() as connection:
        connection.send(f.request_bytes(daemon.params(path)))
        for _ in range(5):
            daemon.assert_serves()


def test_client_that_never_closes_its_side(arena, daemon):
    daemon.configure({"www": {"pm.max_children": "2" if is_reference() else "1"}}).start()
    path = arena.script("x.php", "<?php echo 'x';")
    connection = daemon.connect()
    connection.send(f.request_bytes(daemon.params(path)))
    assert connection.read_response().ended
    daemon.assert_serves()
    connection.close()


@muster_only
def test_second_begin_on_a_busy_connection_is_refused_politely(served, arena):
    path = arena.script("body.php", "<?php echo file_get_contents('php://input');")
    params = served.params(path, "POST", "", b"12345678")
    with served.connect() as connection:
        connection.send(f.begin(1) + f.params_stream(params, 1) + f.record(f.STDIN, b"1234", 1))
        connection.send(f.begin(2))
        connection.send(f.record(f.STDIN, b"5678", 1) + f.record(f.STDIN, b"", 1))
        refusal, answer = None, f.Response()
        while not answer.ended:
            record = connection.read_record()
            assert record is not None, "the first request is answered"
            if record.request_id == 2:
                refusal = record
            else:
                answer.add(record)
    assert answer.text == "12345678"
    assert refusal and refusal.kind == f.END
    assert refusal.content[4] == 1, "FCGI_CANT_MPX_CONN"


def test_many_connections_at_once(served):
    connections = [served.connect() for _ in range(60)]
    stays(lambda: served.poll() is None, "alive", 0.1)
    for connection in connections:
        connection.close()
