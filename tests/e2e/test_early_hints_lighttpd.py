"""103 Early Hints through lighttpd, the one web server of Debian 12 that passes them on from FastCGI."""

import socket

import pytest

from harness.program import muster_only
from harness.waiting import PATIENCE

pytest.register_assert_rewrite("servers")

from servers.lighttpd import Lighttpd  # noqa: E402

pytestmark = muster_only


def get(port, path, version):
    with socket.create_connection(("127.0.0.1", port), 20 * PATIENCE) as connection:
        lines = f"GET {path} HTTP/{version}", "Host: localhost", "Connection: close", "", ""
        connection.sendall("\r\n".join(lines).encode())
        with connection.makefile("rb") as answer:
            return answer.read()


def test_a_browser_gets_hints_and_response(arena, daemon):
    if not Lighttpd.is_installed():
        pytest.skip("lighttpd is not installed")
    daemon.configure({"www": {"early_hints": "yes"}}).start()
    path = arena.script(
        "hints.php",
        "<?php header('Link: </a.css>; rel=preload'); headers_send(103); http_response_code(404);"
        " echo 'body';",
    )
    server = Lighttpd(arena, daemon.address()).start()
    try:
        hints, final, body = get(server.port, path, "1.1").split(b"\r\n\r\n", 2)
        assert hints.split(b"\r\n") == [
            b"HTTP/1.1 103 Early Hints",
            b"Link: </a.css>; rel=preload",
        ]
        assert final.startswith(b"HTTP/1.1 404 Not Found\r\n")
        assert b"\r\nLink: </a.css>; rel=preload\r\n" in final and b"body" in body
        old, body = get(server.port, path, "1.0").split(b"\r\n\r\n", 1)
        assert b" 404 " in old.split(b"\r\n")[0] and body == b"body"
    finally:
        server.stop()
