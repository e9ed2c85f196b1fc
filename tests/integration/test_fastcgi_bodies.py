"""Request bodies over FastCGI: whole, long, unannounced, cut short, left unread."""

import os

import pytest

from harness import fastcgi as f
from harness.echo import ECHO, echo_answer
from harness.program import muster_only


@pytest.fixture
def echo(arena, daemon):
    daemon.configure().start()
    return arena.script("echo.php", ECHO)


@pytest.mark.parametrize("size", [0, 1, 8183, 8184, 8192, 65535, 65536, 200_000, 3_000_000])
def test_bodies_up_and_down(arena, daemon, echo, size):
    body = bytes(range(251)) * (size // 251) + b"z" * (size % 251)
    params = daemon.params(echo, "POST", "", body, {"CONTENT_TYPE": "application/octet-stream"})
    with daemon.connect() as connection:
        assert connection.ask(params, body).text == echo_answer(body)
    out = arena.script("out.php", "<?php echo str_repeat('y', (int) $_GET['size']);")
    answer = daemon.get(out, query=f"size={size}")
    assert answer.body == b"y" * size
    assert all(len(one.content) <= 65535 for one in answer.records)


@muster_only
def test_body_without_content_length_is_delivered_until_its_end(daemon, echo):
    body = b"chunk" * 5000
    more = {"CONTENT_LENGTH": None, "CONTENT_TYPE": "application/octet-stream"}
    params = daemon.params(echo, "POST", "", b"", more)
    with daemon.connect() as connection:
        answer = connection.ask(params, body, keep=True)
        assert answer.text == echo_answer(body)
        assert connection.ask(daemon.params(echo), keep=True).text == echo_answer(b"")


@muster_only
def test_body_shorter_than_content_length_ends_with_its_stream(daemon, echo):
    params = daemon.params(echo, "POST", "", b"", {"CONTENT_LENGTH": "1000", "CONTENT_TYPE": "x/y"})
    with daemon.connect() as connection:
        connection.send(f.begin() + f.params_stream(params) + f.stdin_stream(b"only this"))
        answer = connection.read_response()
    assert answer.text == echo_answer(b"only this")
    assert answer.ended


@muster_only
@pytest.mark.parametrize("length", ["5", "0"])
def test_bytes_beyond_content_length_never_become_a_request(arena, daemon, echo, length):
    """A body that holds a whole forged request, of which the script reads a part or nothing."""
    marker = f"{arena.scratch}/forged"
    forged = arena.script("forged.php", f"<?php touch('{marker}'); echo 'forged';")
    body = b"12345" + f.request_bytes(daemon.params(forged), keep=True)
    params = daemon.params(echo, "POST", "", b"", {"CONTENT_LENGTH": length, "CONTENT_TYPE": "x/y"})
    with daemon.connect() as connection:
        connection.send(f.request_bytes(params, body, keep=True))
        answer = connection.read_response()
        assert answer.text == echo_answer(body[: int(length)])
        try:
            second = connection.ask(daemon.params(echo, query="n=honest"), keep=True)
            assert second.text in ("", echo_answer(b"", "honest"))
        except (BrokenPipeError, ConnectionResetError):
            pass  # closing is as good an answer
    daemon.assert_serves()
    assert not os.path.exists(marker)


def test_body_that_the_script_ignores_does_not_disturb_the_next_request(arena, daemon, echo):
    quiet = arena.script("quiet.php", "<?php echo 'quiet'; exit(3);")
    body = b"i" * 300_000
    with daemon.connect() as connection:
        params = daemon.params(quiet, "POST", "", body, {"CONTENT_TYPE": "x/y"})
        assert connection.ask(params, body, keep=True).text == "quiet"
        assert connection.ask(daemon.params(echo), keep=True).text == echo_answer(b"")
