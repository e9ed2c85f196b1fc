"""The command-line client cgi-fcgi from libfcgi against the daemon."""

import os
import shutil
import subprocess

import pytest

from harness.config import free_port

CLIENT = shutil.which("cgi-fcgi")

pytestmark = pytest.mark.skipif(CLIENT is None, reason="cgi-fcgi (libfcgi-bin) is not installed")


def call(daemon, path, method="GET", query="", body=b""):
    environment = {
        "PATH": os.environ["PATH"],
        "REQUEST_METHOD": method,
        "SCRIPT_FILENAME": daemon.arena.site + path,
        "SCRIPT_NAME": path,
        "QUERY_STRING": query,
        "CONTENT_LENGTH": str(len(body)),
        "CONTENT_TYPE": "application/x-www-form-urlencoded",
    }
    result = subprocess.run(
        [CLIENT, "-bind", "-connect", daemon.address()],
        input=body,
        capture_output=True,
        timeout=30,
        env=environment,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.partition(b"\r\n\r\n")


@pytest.mark.parametrize("kind", ["unix", "tcp"])
def test_get_and_post(arena, daemon, kind):
    listen = {"listen": f"127.0.0.1:{free_port()}"} if kind == "tcp" else {}
    daemon.configure({"www": {**listen, "ping.path": "/ping"}}).start()
    path = arena.script("p.php", "<?php echo $_GET['a'] ?? '', $_POST['b'] ?? '';")
    head, _, body = call(daemon, path, query="a=get")
    assert body == b"get"
    assert b"Content-type: text/html" in head
    assert call(daemon, path, "POST", body=b"b=post")[2] == b"post"
    assert call(daemon, "/ping")[2] == b"pong"
    head, _, body = call(daemon, "/missing.php")
    assert head.startswith(b"Status: 404 Not Found") and body == b"File not found.\n"
