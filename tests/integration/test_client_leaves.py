"""request_abort_on_disconnect: a script whose client has left is ended, and nobody else's."""

import json
import os
import socket
import time

import pytest

from harness import fastcgi as f
from harness.config import free_port
from harness.fixtures import both_users
from harness.logs import LogFile
from harness.program import muster_only
from harness.waiting import pause, stays, wait_until

pytestmark = muster_only

ADDRESSES = ["unix", "tcp"]

# Each runs for ever, or for much longer than the test waits.
ENDLESS = {
    "sleep": "sleep(600);",
    "naps": "for (;;) usleep(5000);",
    "busy": "for (;;);",
    "callback": "array_map(function ($x) { for (;;); }, [1]);",
    "catches_all": "for (;;) { try { sleep(600); } catch (Throwable $e) {} finally { $n = 1; } }",
    "buffers": "ob_start(); echo 'never seen'; sleep(600);",
    "select": "$p = stream_socket_pair(STREAM_PF_UNIX, STREAM_SOCK_STREAM, 0);"
    " for (;;) { $r = [$p[0]]; $w = $e = null; @stream_select($r, $w, $e, 600); }",
    "changes_its_mind": "ignore_user_abort(true); usleep(300000); ignore_user_abort(false);"
    " sleep(600);",
}


def start(daemon, address="unix", workers=1, **more):
    directives = {
        "pm.max_children": str(workers),
        "request_abort_on_disconnect": "yes",
        "access.log": f"{daemon.dir}/access.log",
        "access.format": '"%s %r"',
        **more,
    }
    if address == "tcp":
        directives["listen"] = f"127.0.0.1:{free_port()}"
    return daemon.configure({"www": directives}).start()


def access_lines(daemon):
    return LogFile(f"{daemon.dir}/access.log").lines()


class Script:
    """A script that leaves a file when it starts and one when its shutdown functions run."""

    def __init__(self, arena, name, code, at_end=""):
        self.file = f"{arena.scratch}/{name}"
        self.path = arena.script(
            f"{name}.php",
            "<?php register_shutdown_function(function () {"
            f" {at_end} file_put_contents('{self.file}.part', json_encode([connection_aborted(),"
            f" $GLOBALS['at_end'] ?? null])); rename('{self.file}.part', '{self.file}.end'); }});"
            f" touch('{self.file}.started'); {code} $at_end = 'its own';",
        )

    def wait_started(self):
        wait_until(lambda: os.path.exists(f"{self.file}.started"), "the script runs", 15)

    def ended(self):
        return os.path.exists(f"{self.file}.end")

    def wait_end(self):
        """[connection_aborted(), "its own" when it came to its own end]"""
        wait_until(self.ended, f"the end of {self.file}", 15)
        with open(f"{self.file}.end", encoding="ascii") as file:
            return json.load(file)


def ask(daemon, script, keep=False, body=b""):
    connection = daemon.connect(timeout=20)
    params = daemon.params(script.path, "POST" if body else "GET", body=body)
    connection.send(f.request_bytes(params, body, keep=keep))
    return connection


@both_users
@pytest.mark.parametrize("address", ADDRESSES)
def test_whatever_a_script_does_it_ends_when_its_client_leaves(arena, daemon, address):
    start(daemon, address, workers=len(ENDLESS))
    scripts = {name: Script(arena, name, code) for name, code in ENDLESS.items()}
    connections = [
        ask(daemon, script, keep=number % 2 == 0) for number, script in enumerate(scripts.values())
    ]
    for script in scripts.values():
        script.wait_started()
    for connection in connections:
        connection.close()
    for name, script in scripts.items():
        assert script.wait_end() == [1, None], name
    wait_until(lambda: len(access_lines(daemon)) >= len(ENDLESS), "all are in the access log")
    assert {line.split()[0] for line in access_lines(daemon)} == {"499"}
    daemon.wait_workers(len(ENDLESS))
    for _ in range(3):
        daemon.assert_serves()


@pytest.mark.parametrize("address", ADDRESSES)
def test_script_that_ignores_aborts_is_not_disturbed_but_can_know(arena, daemon, address):
    start(daemon, address)
    script = Script(
        arena,
        "ignores",
        "ignore_user_abort(true); $left = sleep(2); if ($left > 0) exit('disturbed');",
    )
    connection = ask(daemon, script)
    script.wait_started()
    workers = daemon.workers()
    connection.close()
    assert script.wait_end() == [1, "its own"]
    daemon.assert_serves()
    assert daemon.workers() == workers
    assert access_lines(daemon)[0].startswith("200 ")


def test_nobody_is_watched_by_default(arena, daemon):
    start(daemon, request_abort_on_disconnect=None)
    script = Script(arena, "unwatched", "sleep(1);")
    connection = ask(daemon, script)
    script.wait_started()
    connection.close()
    assert script.wait_end() == [0, "its own"]


def test_peer_that_has_nothing_more_to_say_is_not_gone(arena, daemon):
    """A unix socket tells that from one that was closed."""
    start(daemon)
    script = Script(arena, "half_closed", "sleep(1); echo 'heard';")
    with ask(daemon, script) as connection:
        connection.half_close()
        assert connection.read_response().text == "heard"
    assert script.wait_end() == [0, "its own"]


@pytest.mark.parametrize("address", ADDRESSES)
def test_bytes_that_arrive_meanwhile_do_not_disturb(arena, daemon, address):
    """The next request on the same connection, and a body that is read late."""
    start(daemon, address)
    undisturbed = "if (sleep(1) > 0) exit('disturbed');"
    first = Script(arena, "first", undisturbed)
    second = Script(arena, "second", f"{undisturbed} echo strlen(file_get_contents('php://input'));")
    with ask(daemon, first, keep=True) as connection:
        first.wait_started()
        params = daemon.params(second.path, "PUT", body=b"x" * 9)
        params["CONTENT_TYPE"] = "application/octet-stream"
        connection.send(f.begin(flags=f.KEEP_CONN) + f.params_stream(params))
        assert connection.read_response().ended
        second.wait_started()
        for _ in range(3):
            connection.send(f.record(f.STDIN, b"xyz"))
            pause(0.1)
        connection.send(f.record(f.STDIN))
        assert connection.read_response().text == "9"
    assert first.wait_end() == [0, "its own"] and second.wait_end() == [0, "its own"]


@pytest.mark.parametrize("body", [b"", b"abc"], ids=["get", "post"])
def test_abort_request_ends_the_script_and_the_request(arena, daemon, body):
    start(daemon)
    reads = "file_get_contents('php://input');" if body else ""
    script = Script(arena, "aborted", f"{reads} sleep(600);")
    with ask(daemon, script, keep=True, body=body) as connection:
        script.wait_started()
        connection.send(f.record(f.ABORT))
        assert connection.read_response().ended
        assert script.wait_end() == [1, None]
        assert connection.is_closed_by_server()
    daemon.assert_serves()
    assert access_lines(daemon)[0].startswith("499 ")


def test_abort_of_another_request_means_nothing(arena, daemon):
    start(daemon)
    script = Script(arena, "other", "if (sleep(1) > 0) exit('disturbed'); echo 'done';")
    with ask(daemon, script, keep=True) as connection:
        script.wait_started()
        connection.send(f.record(f.ABORT, request_id=7))
        assert connection.read_response().text == "done"


def test_client_may_leave_behind_an_early_finish(arena, daemon):
    start(daemon)
    script = Script(arena, "finished", "echo 'done'; fastcgi_finish_request(); $rest = sleep(1);"
                    " if ($rest > 0) exit('disturbed');")
    with ask(daemon, script) as connection:
        assert connection.read_response().text == "done"
    assert script.wait_end() == [0, "its own"]


def test_shutdown_functions_are_left_in_peace(arena, daemon):
    start(daemon)
    script = Script(arena, "cleans_up", "sleep(600);", at_end="$GLOBALS['at_end'] = sleep(1);")
    connection = ask(daemon, script)
    script.wait_started()
    connection.close()
    assert script.wait_end() == [1, 0]


def test_client_that_left_before_its_script_began(arena, daemon):
    start(daemon)
    gate = arena.gate()
    busy = daemon.connect(timeout=20)
    busy.send(f.request_bytes(daemon.params(gate.path, query=gate.query)))
    gate.wait_started()
    script = Script(arena, "late", "sleep(600);")
    ask(daemon, script).close()
    gate.open()
    assert busy.read_response().text == "through the gate"
    busy.close()
    daemon.assert_serves()


def test_download_whose_client_leaves_is_logged_so(arena, daemon):
    start(daemon)
    path = arena.script("download.php", "<?php for (;;) { echo str_repeat('x', 100000); flush(); }")
    with daemon.connect() as connection:
        connection.send(f.request_bytes(daemon.params(path)))
        assert connection.read_record()
    daemon.assert_serves()
    assert access_lines(daemon)[0] == f"499 {path}"


def test_many_clients_that_leave_at_any_moment_leave_nothing_behind(arena, daemon):
    """Every request is somebody else's on the same worker: none may be ended for another."""
    start(daemon)
    nap = arena.script("nap.php", "<?php usleep(2000); echo 'slept';")
    for number in range(60):
        with daemon.connect() as connection:
            connection.send(f.request_bytes(daemon.params(nap)))
            time.sleep(number % 12 / 2000)
        assert daemon.get(nap).text == "slept"


@pytest.mark.parametrize("address", ADDRESSES)
def test_browser_behind_nginx(arena, daemon, address):
    start(daemon, address, workers=2)
    nginx = arena.nginx(daemon.address(), keep=True)
    script = Script(arena, "page", "sleep(600);")
    with socket.create_connection(("127.0.0.1", nginx.port)) as browser:
        browser.sendall(f"GET {script.path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        script.wait_started()
        stays(lambda: not script.ended(), "it runs as long as the browser waits", 0.3)
    assert script.wait_end() == [1, None]
    daemon.assert_serves()
