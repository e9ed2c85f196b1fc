"""FastCGI as it is meant: keep-alive, splitting, padding, ids, management records, bodies."""

import signal

import pytest

from harness import fastcgi as f
from harness.echo import ECHO, echo_answer
from harness.fixtures import both_users
from harness.program import muster_only
from harness.waiting import wait_until


@pytest.fixture
def echo(arena, daemon):
    daemon.configure().start()
    return arena.script("echo.php", ECHO)


@both_users
def test_several_requests_on_one_connection(daemon, echo):
    with daemon.connect() as connection:
        for n in range(20):
            body = b"b" * n * 50
            params = daemon.params(echo, "POST", f"n={n}", body)
            answer = connection.ask(params, body, keep=True, request_id=n + 1)
            assert answer.text == echo_answer(body, n)
            assert {one.request_id for one in answer.records} == {n + 1}
        last = connection.ask(daemon.params(echo), keep=False)
        assert last.ended
        assert connection.is_closed_by_server()
    daemon.assert_serves()


def test_connection_is_closed_after_the_answer_without_keep_conn(daemon, echo):
    with daemon.connect() as connection:
        assert connection.ask(daemon.params(echo)).ended
        assert connection.is_closed_by_server()


def test_pipelined_requests_are_answered_in_order(daemon, echo):
    stream = b"".join(
        f.request_bytes(daemon.params(echo, query=f"n={n}"), request_id=n, keep=True)
        for n in range(1, 6)
    )
    with daemon.connect() as connection:
        connection.send(stream)
        for n in range(1, 6):
            answer = connection.read_response()
            assert answer.text == echo_answer(b"", n)
            assert answer.records[-1].request_id == n


def test_stream_split_at_every_byte(daemon, echo):
    """For every place: the first part is sent, and the rest in a later packet."""
    body = b"hello=world"
    more = {name: None for name in ("SERVER_ADDR", "REMOTE_PORT", "SERVER_PORT", "DOCUMENT_URI")}
    params = daemon.params(echo, "POST", "", body, more)
    stream = f.request_bytes(params, body, padding=3, keep=True)
    with daemon.connect() as connection:
        for at in range(1, len(stream)):
            connection.send_in_pieces([stream[:at], stream[at:]])
            assert connection.read_response().text == echo_answer(body), f"split at {at}"


def test_stream_byte_by_byte(daemon, echo):
    body = b"x" * 100
    stream = f.request_bytes(daemon.params(echo, "POST", "", body), body, padding=5)
    with daemon.connect() as connection:
        connection.send_in_pieces(stream[at : at + 1] for at in range(len(stream)))
        assert connection.read_response().text == echo_answer(body)


@pytest.mark.parametrize("padding", [1, 7, 8, 255])
def test_padding(daemon, echo, padding):
    body = b"p" * 1000
    with daemon.connect() as connection:
        stream = f.request_bytes(daemon.params(echo, "POST", "", body), body, 1, True, padding)
        connection.send(stream)
        assert connection.read_response().text == echo_answer(body)
        assert connection.ask(daemon.params(echo), keep=True).text == echo_answer(b"")


@muster_only
def test_padding_of_the_empty_records_is_read(daemon, echo):
    body = b"body"
    params = daemon.params(echo, "POST", "", body)
    stream = (
        f.begin(flags=f.KEEP_CONN)
        + f.record(f.PARAMS, f.pairs(params), padding=4)
        + f.record(f.PARAMS, b"", padding=9)
        + f.record(f.STDIN, body, padding=2)
        + f.record(f.STDIN, b"", padding=11)
    )
    with daemon.connect() as connection:
        for _ in range(3):
            connection.send(stream)
            assert connection.read_response().text == echo_answer(body)


@pytest.mark.parametrize("request_id", [0, 1, 255, 256, 65535])
def test_request_ids_are_echoed(daemon, echo, request_id):
    with daemon.connect() as connection:
        answer = connection.ask(daemon.params(echo), request_id=request_id)
    assert answer.ended and {one.request_id for one in answer.records} == {request_id}


def test_get_values(daemon, echo):
    with daemon.connect() as connection:
        for _ in range(2):
            connection.send(f.values_request(["FCGI_MPXS_CONNS", "FCGI_MAX_CONNS", "NONSENSE"]))
            answer = connection.read_record()
            assert (answer.kind, answer.request_id) == (f.GET_VALUES_RESULT, 0)
            values = f.parse_pairs(answer.content)
            assert values["FCGI_MPXS_CONNS"] == "0"
            assert "NONSENSE" not in values
            assert connection.ask(daemon.params(echo), keep=True).text == echo_answer(b"")
        connection.send(f.values_request([]))
        assert connection.read_record().content == b""
        assert connection.ask(daemon.params(echo)).ended


def test_request_parameters_in_many_records(daemon, echo):
    params = daemon.params(echo, query="n=1")
    stream = f.begin()
    for name, value in params.items():
        stream += f.record(f.PARAMS, f.pair(name, value))
    stream += f.record(f.PARAMS) + f.record(f.STDIN)
    with daemon.connect() as connection:
        connection.send(stream)
        assert connection.read_response().text == echo_answer(b"", 1)


@muster_only
def test_pair_split_over_two_records_is_put_together(daemon, echo):
    whole = f.pairs(daemon.params(echo, query="n=split"))
    for at in (1, 2, 10, len(whole) // 2, len(whole) - 1):
        with daemon.connect() as connection:
            connection.send(
                f.begin()
                + f.record(f.PARAMS, whole[:at])
                + f.record(f.PARAMS, whole[at:])
                + f.record(f.PARAMS)
                + f.record(f.STDIN)
            )
            assert connection.read_response().text == echo_answer(b"", "split")


def test_long_values_and_many_parameters(arena, daemon):
    daemon.configure().start()
    path = arena.script(
        "many.php",
        "<?php echo strlen($_SERVER['HTTP_LONG']), ' ', "
        "count(preg_grep('~^HTTP_N~', array_keys($_SERVER)));",
    )
    more = {f"HTTP_N{n}": f"v{n}" for n in range(2000)}
    answer = daemon.get(path, more={**more, "HTTP_LONG": "l" * 40_000})
    assert answer.text == "40000 2000"


def test_last_of_two_equal_names_wins(arena, daemon):
    daemon.configure().start()
    path = arena.script("twice.php", "<?php echo $_SERVER['HTTP_TWICE'];")
    stream = (
        f.begin()
        + f.record(f.PARAMS, f.pair("HTTP_TWICE", "a") + f.pairs(daemon.params(path)))
        + f.record(f.PARAMS, f.pair("HTTP_TWICE", "b"))
        + f.record(f.PARAMS)
        + f.record(f.STDIN)
    )
    with daemon.connect() as connection:
        connection.send(stream)
        assert connection.read_response().text == "b"


def test_abort_during_the_body_does_not_hang(daemon, echo):
    params = daemon.params(echo, "POST", "", b"", {"CONTENT_LENGTH": "1000", "CONTENT_TYPE": "x/y"})
    with daemon.connect() as connection:
        connection.send(f.begin() + f.params_stream(params) + f.record(f.STDIN, b"half"))
        connection.send(f.record(f.ABORT))
        connection.half_close()
        connection.read_response()
    daemon.assert_serves()


def test_abort_while_the_script_runs_lets_it_finish(arena, daemon):
    daemon.configure().start()
    gate = arena.gate()
    with daemon.connect(timeout=20) as connection:
        connection.send(f.request_bytes(daemon.params(gate.path, query=gate.query)))
        gate.wait_started()
        connection.send(f.record(f.ABORT))
        gate.open()
        answer = connection.read_response()
        assert answer.text == "through the gate" and answer.ended
    daemon.assert_serves()


def test_graceful_stop_ends_an_idle_kept_alive_connection(daemon, echo):
    with daemon.connect() as connection:
        connection.ask(daemon.params(echo), keep=True)
        daemon.signal(signal.SIGQUIT)
        daemon.log.wait_for("Finishing")
        connection.half_close()
        assert connection.is_closed_by_server()
    assert daemon.wait_exit() == 0


@muster_only
def test_idle_kept_alive_connections_do_not_hold_the_workers(daemon, echo):
    """More kept-alive connections than workers, all of them idle: others are served."""
    connections = [daemon.connect() for _ in range(5)]
    try:
        for n, connection in enumerate(connections):
            params = daemon.params(echo, query=f"n={n}")
            assert connection.ask(params, keep=True).text == echo_answer(b"", n)
        daemon.assert_serves()
        for n, connection in enumerate(connections):
            params = daemon.params(echo, query=f"n={n}")
            assert connection.ask(params, keep=True).text == echo_answer(b"", n)
    finally:
        for connection in connections:
            connection.close()
    wait_until(lambda: len(daemon.workers()) == 1, "one worker as before")
