"""An answer that was sent arrives whole, whatever its peer still sends; and no peer holds a worker.

Closing a socket with unread bytes resets the connection: TCP then forgets what is still to be sent,
and a unix socket's peer gets an error. Each test leaves bytes unread on purpose. (php-fpm loses nothing
either, but waits without limit for its peer to close: most of these tests would stand still.)"""

import hashlib
import os
import signal
import socket
import time

import pytest

from harness import fastcgi as f
from harness.config import free_port
from harness.fixtures import both_users
from harness.program import muster_only
from harness.waiting import PATIENCE, wait_until

pytestmark = muster_only

BIG = 60_000  # more than the client's window, less than the server's send buffer
SCRIPT = f"<?php echo str_repeat('a', {BIG});"


@pytest.fixture(params=["tcp", "unix"], name="listen")
def kind_of_socket(request):
    return {"listen": f"127.0.0.1:{free_port()}"} if request.param == "tcp" else {}


@pytest.fixture(name="pool")
def pool_of_one(arena, daemon, listen):
    daemon.configure({"www": {**listen, "pm.max_children": "1"}}).start()
    return daemon


class SlowReader(f.Connection):
    """Takes a few bytes at a time: most of an answer waits in the server's send buffer."""

    def __init__(self, address):
        if ":" in address:
            host, _, port = address.rpartition(":")
            self.socket = socket.socket()
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            self.socket.settimeout(15 * PATIENCE)
            self.socket.connect((host, int(port)))
            self.closed = False
        else:
            super().__init__(address, 15)

    def try_to_send(self, data):
        """What does not fit, or meets a closed connection, is not sent."""
        self.socket.setblocking(False)
        try:
            return self.socket.send(data)
        except (BlockingIOError, BrokenPipeError, ConnectionResetError):
            return 0
        finally:
            self.socket.settimeout(15 * PATIENCE)


def assert_whole(answer):
    assert len(answer.body) == BIG and answer.ended, (len(answer.body), answer.ended)


def assert_ends_without_error(connection):
    """End of stream: a reset would mean that the last bytes were lost on a slower machine."""
    assert connection.socket.recv(1) == b""


LATE = {
    "a request": lambda params: f.request_bytes(params, keep=True),
    "garbage": lambda params: b"GET / HTTP/1.1\r\n\r\n" * 200,
    "an abort": lambda params: f.record(f.ABORT),
    "more body": lambda params: f.record(f.STDIN, b"x" * 60_000) * 3,
}


@pytest.mark.parametrize("late", LATE)
@pytest.mark.parametrize("keep", [False, True], ids=["close", "keep"])
def test_bytes_that_come_while_the_script_runs(arena, pool, late, keep):
    gate = arena.gate()
    big = arena.script(
        "gated.php", f"<?php include '{arena.site}{gate.path}'; echo str_repeat('a', {BIG});"
    )
    params = pool.params(big, query=gate.query)
    with SlowReader(pool.address()) as connection:
        connection.send(f.request_bytes(params, keep=keep))
        gate.wait_started()
        connection.try_to_send(LATE[late](pool.params("/missing.php")))
        gate.open()
        # One worker: when it serves somebody else it has done with this one.
        pool.assert_serves()
        answer = connection.read_response()
        assert len(answer.body) == BIG + len("through the gate") and answer.ended
        if not keep:
            connection.half_close()
            assert_ends_without_error(connection)


@pytest.mark.parametrize("late", LATE)
def test_bytes_that_come_with_the_request(arena, pool, late):
    big = arena.script("big.php", SCRIPT)
    with SlowReader(pool.address()) as connection:
        more = LATE[late](pool.params(big))
        # Some of it in one packet with the request: what comes later may find the socket closed.
        connection.send(f.request_bytes(pool.params(big)) + more[:4000])
        connection.try_to_send(more[4000:])
        pool.assert_serves()
        assert_whole(connection.read_response())
        connection.half_close()
        assert_ends_without_error(connection)


@pytest.mark.parametrize("junk", ["garbage", "version 0", "too many parameters", "malformed"])
def test_answer_before_a_protocol_error(arena, pool, junk):
    """A kept-alive connection: what follows the answered request ends it, after the answer."""
    big = arena.script("big.php", SCRIPT)
    bad = {
        "garbage": b"\xff" * 100_000,
        "version 0": f.record(f.BEGIN, b"\0\1\0\0\0\0\0\0", version=0) + b"x" * 50_000,
        "too many parameters": f.begin() + f.record(f.PARAMS, f.pair("A", "b" * 60_000)) * 40,
        "malformed": f.begin()
        + f.record(f.PARAMS, b"\x7f\x00short")
        + f.record(f.PARAMS)
        + b"x" * 50_000,
    }[junk]
    with SlowReader(pool.address()) as connection:
        connection.send(f.request_bytes(pool.params(big), keep=True) + bad[:4000])
        connection.try_to_send(bad[4000:])
        pool.assert_serves()
        assert_whole(connection.read_response())
        connection.half_close()
        assert_ends_without_error(connection)


@both_users
@pytest.mark.parametrize("keep", [False, True], ids=["close", "keep"])
def test_answer_before_the_end_of_its_upload(arena, pool, keep):
    """END_REQUEST leaves by fastcgi_finish_request() while the peer is still sending."""
    code = f"<?php echo str_repeat('a', {BIG}); fastcgi_finish_request();"
    early = arena.script("early.php", code)
    more = {"CONTENT_LENGTH": "300000", "REQUEST_METHOD": "PUT"}
    params = pool.params(early, more=more)
    with SlowReader(pool.address()) as connection:
        flags = f.KEEP_CONN if keep else 0
        connection.send(f.begin(flags=flags) + f.params_stream(params))
        sent = connection.try_to_send(f.record(f.STDIN, b"x" * 60_000))
        assert_whole(connection.read_response())
        assert sent > 0
        connection.half_close()
        connection.read_record()
    pool.assert_serves()


@both_users
@pytest.mark.parametrize("keep", [False, True], ids=["close", "keep"])
def test_an_early_answer_waits_for_no_body(arena, pool, keep):
    """The peer sends its body only when it has its answer; the script wants that body."""
    code = "<?php echo 'early'; fastcgi_finish_request(); file_get_contents('php://input');"
    early = arena.script("withheld.php", code)
    more = {"CONTENT_LENGTH": "300000", "REQUEST_METHOD": "PUT"}
    with f.Connection(pool.address(), 15) as connection:
        flags = f.KEEP_CONN if keep else 0
        connection.send(f.begin(flags=flags) + f.params_stream(pool.params(early, more=more)))
        answer = connection.read_response()
        assert answer.text == "early" and answer.ended
    pool.assert_serves()


@both_users
def test_a_body_that_was_sent_is_there_behind_an_early_answer(arena, pool):
    written = f"{arena.scratch}/written"
    early = arena.script(
        "late.php",
        "<?php echo 'early'; fastcgi_finish_request();"
        f" file_put_contents('{written}.new', md5(file_get_contents('php://input')));"
        f" rename('{written}.new', '{written}');",
    )
    body = bytes(range(256)) * 4096
    assert pool.get(early, method="PUT", body=body).text == "early"
    wait_until(lambda: os.path.exists(written), "the script has read its body")
    with open(written, encoding="ascii") as file:
        assert file.read() == hashlib.md5(body).hexdigest()


def test_answer_before_a_stop(arena, daemon, listen):
    big = arena.script("big.php", SCRIPT)
    daemon.configure({"www": {**listen, "pm.max_children": "1"}}).start()
    with SlowReader(daemon.address()) as connection:
        connection.send(f.request_bytes(daemon.params(big), keep=True))
        first = connection.read_record()
        connection.try_to_send(f.request_bytes(daemon.params(big), keep=True)[:-20])
        daemon.signal(signal.SIGQUIT)
        answer = connection.read_response()
        answer.stdout = first.content + answer.stdout
        assert_whole(answer)
        connection.half_close()
        assert daemon.wait_exit() == 0


# --- Bounds ---------------------------------------------------------------------------------


def test_peers_that_never_close_cost_no_worker(arena, pool):
    """One worker, and forty peers that get their answer, go on sending, and do not go."""
    small = arena.script("small.php", "<?php echo 'small';")
    peers = []
    started = time.monotonic()
    try:
        for _ in range(40):
            connection = SlowReader(pool.address())
            peers.append(connection)
            late = f.record(f.STDIN, b"x" * 1000)
            connection.send(f.request_bytes(pool.params(small)) + late)
            assert connection.read_response().ended
            pool.assert_serves()
        # Each of them waited for would be two seconds.
        assert time.monotonic() - started < 20 * PATIENCE
        for connection in peers:
            wait_until(lambda c=connection: not c.try_to_send(b"y"), "a trickle is ended", 15)
    finally:
        for connection in peers:
            connection.close()


@pytest.mark.parametrize("keep", [False, True], ids=["close", "keep"])
def test_peers_that_withhold_the_end_of_their_body_cost_no_worker(arena, pool, keep):
    early = arena.script("early.php", "<?php echo 'early'; fastcgi_finish_request();")
    params = pool.params(early, more={"CONTENT_LENGTH": "3", "REQUEST_METHOD": "PUT"})
    flags = f.KEEP_CONN if keep else 0
    peers = []
    started = time.monotonic()
    try:
        for _ in range(20):
            connection = SlowReader(pool.address())
            peers.append(connection)
            head = f.begin(flags=flags) + f.params_stream(params)
            connection.send(head + f.record(f.STDIN, b"abc"))
            assert connection.read_response().text == "early"
            pool.assert_serves()
        assert time.monotonic() - started < 10 * PATIENCE
    finally:
        for connection in peers:
            connection.close()


def test_peer_that_sends_without_end_is_stopped(arena, pool):
    small = arena.script("small.php", "<?php echo 'small';")
    block = f.record(f.STDIN, b"x" * 60_000)
    sent = 0
    with SlowReader(pool.address()) as connection:
        connection.send(f.request_bytes(pool.params(small)))
        try:
            while sent < 256 << 20:
                connection.send(block)
                sent += len(block)
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert sent < 64 << 20
    pool.assert_serves()


# --- pm.status_listen -----------------------------------------------------------------------


@pytest.mark.parametrize("keep", [False, True], ids=["close", "keep"])
def test_answer_of_the_status_listener(arena, daemon, listen, keep):
    del arena
    address = f"127.0.0.1:{free_port()}" if listen else f"{daemon.dir}/status.sock"
    daemon.configure(
        {"www": {"pm.status_listen": address, "pm.status_path": "/status", "ping.path": "/ping"}}
    ).start()
    params = daemon.params("/status", query="full&html")
    for late in (b"\xff" * 50_000, f.record(f.STDIN, b"x" * 60_000)):
        with SlowReader(address) as connection:
            connection.send(f.request_bytes(params, keep=keep) + late[:4000])
            connection.try_to_send(late[4000:])
            answer = connection.read_response()
            assert answer.ended and answer.body.rstrip().endswith(b"</html>")
            connection.half_close()
            assert_ends_without_error(connection)
