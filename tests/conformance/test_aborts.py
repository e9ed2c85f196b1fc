"""Clients that go away within a request: what the script notices, runs to and leaves in the logs."""

import difflib
import os
import re
import socket
import struct

import pytest

from compare import served
from compare.differences import entries
from compare.fixtures import fail
from harness import fastcgi as f
from harness.program import Identity
from harness.waiting import wait_until

COMMON = {
    "catch_workers_output": "yes",
    "php_admin_value[session.gc_probability]": "0",
    "access.log": "{dir}/$pool.access",
    "access.format": '"%m %r %s %{X-Seen}o"',
}
POOLS = {
    "www": COMMON,
    "tcp": {**COMMON, "listen": "tcp"},
    "buffered": {**COMMON, "php_admin_value[output_buffering]": "4096"},
    "ignoring": {**COMMON, "php_admin_flag[ignore_user_abort]": "on"},
}

# The script says that it runs, waits until its client is gone, and tells files what it sees then.
FRAME = """<?php
header('X-Seen: yes');
$mark = $_GET['mark'];
function note($text) { file_put_contents($GLOBALS['mark'] . '.notes', "$text\\n", FILE_APPEND); }
function see($where) {
    note("$where: status " . connection_status() . ' aborted ' . connection_aborted()
        . ' sent ' . var_export(headers_sent(), true) . ' level ' . ob_get_level());
}
register_shutdown_function(function () {
    see('shutdown');
    echo 'said in shutdown';
    flush();
    see('after shutdown');
});
class Last { function __destruct() { see('destructor'); touch($GLOBALS['mark'] . '.done'); } }
$last = new Last;
%(first)s
touch("$mark.runs");
while (!file_exists("$mark.gone")) { usleep(1000); clearstatcache(); }
see('begin');
%(then)s
see('end');
"""

CASES = {
    "no-output": "",
    "small-output": "echo 'small';",
    "flush": "echo 'x'; flush(); see('flushed');",
    "flush-nothing": "flush(); see('flushed');",
    "flush-twice": "echo 'x'; flush(); echo 'y'; flush(); see('twice');",
    "ignore": "ignore_user_abort(true); for ($i = 0; $i < 5; ++$i) { echo 'x'; flush(); see($i); }",
    "ignore-then-not": "ignore_user_abort(true); echo 'x'; flush(); see('first'); ignore_user_abort(false); echo 'y'; flush(); see('second');",
    "ignore-big": "ignore_user_abort(true); echo str_repeat('x', 200000); see('big');",
    "big": "echo str_repeat('x', 200000); see('big');",
    "many": "for ($i = 0; $i < 100; ++$i) { echo str_repeat('x', 1000); } see('many');",
    "ob": "ob_start(); echo 'x'; ob_end_flush(); see('flushed'); flush(); see('really');",
    "ob-callback": "ob_start(function ($b) { see('callback'); return $b; }); echo 'x'; ob_flush(); flush(); see('flushed');",
    "ob-callback-ignoring": "ignore_user_abort(true); ob_start(function ($b) { see('callback'); return $b; }); echo 'x'; ob_flush(); flush(); see('flushed');",
    "implicit": "ob_implicit_flush(); echo 'x'; see('implicit');",
    "error-log": "error_log('to nobody'); see('logged'); flush(); see('flushed');",
    "warning": "echo $undefined; see('warned'); flush(); see('flushed');",
    "function": "function f() { try { echo 'x'; flush(); } finally { see('finally'); } } f();",
    "catch": "try { echo 'x'; flush(); } catch (Throwable $e) { see('caught'); }",
    "generator": "function g() { try { yield 1; } finally { see('generator'); } } foreach (g() as $x) { echo 'x'; flush(); }",
    "include": "file_put_contents(\"$mark.inc.php\", '<?php echo 1; flush(); see(\"included\");'); include \"$mark.inc.php\";",
    "header": "header('X-Late: 1'); echo 'x'; flush(); see('sent');",
    "callback": "header_register_callback(function () { see('callback'); }); echo 'x'; flush();",
    "finish": "var_dump(fastcgi_finish_request()); see('finished');",
    "finish-after-flush": "ignore_user_abort(true); echo 'x'; flush(); see(var_export(fastcgi_finish_request(), true));",
    "input": "see(strlen(file_get_contents('php://input')));",
    "exit": "echo 'x'; flush(); exit(3);",
    "fatal": "ignore_user_abort(true); echo 'x'; flush(); nofunction();",
    "throw": "ignore_user_abort(true); echo 'x'; flush(); throw new Exception('unseen');",
    "readfile": "ignore_user_abort(true); see(readfile(__FILE__) > 0); flush(); see('read');",
    "passthru": "ignore_user_abort(true); passthru('echo x'); see('passed');",
    "session": "ini_set('session.save_path', dirname($mark)); session_id('s' . getmypid()); session_start(); $_SESSION['a'] = 1; echo 'x'; flush(); see('no');",
}  # fmt: skip
FIRST = {"silent": "", "talking": "echo 'early'; flush();"}

FINISHED = {
    "small": "echo 'x'; see('small');",
    "flush": "flush(); see('flushed');",
    "echo-flush": "echo 'x'; flush(); see('flushed');",
    "ignore-flush": "ignore_user_abort(true); echo 'x'; flush(); see('flushed'); echo 'y'; flush(); see('again');",
    "big": "echo str_repeat('x', 9000); see('big');",
    "ignore-big": "ignore_user_abort(true); echo str_repeat('x', 90000); see('big');",
    "log": "error_log('later'); see('logged');",
    "warning": "echo $undefined; see('warned');",
    "fatal": "nofunction();",
    "header": "header('X-Late: 1'); http_response_code(500); see(http_response_code());",
    "ob": "ob_start(); echo str_repeat('x', 90000); ob_end_clean(); see('cleaned');",
    "again": "see(var_export(fastcgi_finish_request(), true));",
    "input": "see(strlen(file_get_contents('php://input')));",
    "session": "ini_set('session.save_path', dirname($mark)); session_id('t' . getmypid()); see(var_export(@session_start(), true));",
}  # fmt: skip


@pytest.fixture(scope="module")
def both(programs):
    identity = Identity.own()
    with served.serving(programs, identity, POOLS) as daemons:
        yield daemons


def logged(log, since):
    """What the log says more, without where and when."""
    lines = []
    for line in log.since(since).splitlines():
        line = re.sub(r"^\[[^]]*\] ", "", line)
        lines.append(re.sub(r"child \d+", "child N", re.sub(r"/\S+/(\S+\.php)", r"\1", line)))
    return [line for line in lines if line]


def touch(path):
    with open(path, "w", encoding="ascii"):
        pass


def notes(mark):
    try:
        with open(f"{mark}.notes", encoding="ascii") as file:
            return file.read().splitlines()
    except FileNotFoundError:
        return []


def abandon(daemon, name, code, pool, body=b"", reset=False, first=""):
    """Asks, leaves when the script runs, and returns what came of it."""
    mark = f"{daemon.arena.scratch}/{name}"
    path = daemon.arena.script(f"{name}.php", FRAME % {"first": first, "then": code})
    access, error = daemon.file(f"{pool}.access"), daemon.log
    since = access.mark(), error.mark()
    params = daemon.params(path, "POST" if body else "GET", f"mark={mark}", body)
    with daemon.connect(pool) as connection:
        connection.send(f.request_bytes(params, body))
        wait_until(lambda: os.path.exists(f"{mark}.runs"), "the script runs", 10)
        if reset:
            linger = struct.pack("ii", 1, 0)
            connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    touch(f"{mark}.gone")
    # The worker is free again when it serves the next one; then all is written.
    daemon.play([("stdout", b"next\n")], pool)
    seen = notes(mark)
    error.wait_for('said into stdout: "next"', since=since[1])
    lines = [line for line in logged(error, since[1]) if '"next"' not in line]
    served_lines = [line for line in access.since(since[0]).splitlines() if "player.php" not in line]
    return seen + lines + served_lines


def check(both, request, ask):
    name = re.sub(r"\W", "-", request.node.name)
    theirs, ours = (ask(daemon, name) for daemon in both)
    if theirs != ours:
        fail("\n".join(difflib.unified_diff(theirs, ours, "php-fpm", "muster", "", "", 9, "")))


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("first", FIRST)
@pytest.mark.parametrize("case", CASES)
def test_client_gone(both, request, case, first, pool):
    reset = pool == "tcp"
    check(both, request, lambda daemon, name: abandon(
        daemon, name, CASES[case], pool, reset=reset, first=FIRST[first]))  # fmt: skip


def test_output_is_sent_in_larger_pieces(both):
    """Between both buffers' sizes php-fpm notices, muster does not look yet."""
    assert "output-buffer" in entries()
    code = "ignore_user_abort(true); for ($i = 0; $i < 20; ++$i) echo str_repeat('x', 1000); see('echoed');"
    theirs, ours = (abandon(daemon, "medium", code, "www") for daemon in both)
    assert theirs[1].startswith("echoed: status 1 ") and ours[1].startswith("echoed: status 0 ")
    assert ours[-2:] == theirs[-2:]


@pytest.mark.parametrize("case", ["no-output", "flush", "input", "ignore"])
def test_client_gone_after_a_body(both, request, case):
    check(both, request, lambda daemon, name: abandon(daemon, name, CASES[case], "www", b"a=1&b=2"))


def finished(daemon, name, code, pool, keep):
    mark = f"{daemon.arena.scratch}/{name}"
    touch(f"{mark}.gone")
    then = f"echo 'answer'; fastcgi_finish_request(); see('finished'); {code}"
    path = daemon.arena.script(f"{name}.php", FRAME % {"first": "", "then": then})
    access, error = daemon.file(f"{pool}.access"), daemon.log
    since = access.mark(), error.mark()
    with daemon.connect(pool) as connection:
        answer = connection.ask(daemon.params(path, query=f"mark={mark}", method="POST", body=b"a=1"), b"a=1", keep)
        seen = [answer.text, str(answer.ended)]
        if not keep:
            connection.half_close()
            seen.append(str(connection.is_closed_by_server()))
    daemon.play([("stdout", b"next\n")], pool)
    error.wait_for('said into stdout: "next"', since=since[1])
    lines = [line for line in logged(error, since[1]) if '"next"' not in line]
    served_lines = [line for line in access.since(since[0]).splitlines() if "player.php" not in line]
    return seen + notes(mark) + lines + served_lines


@pytest.mark.parametrize("pool", ["www", "buffered", "ignoring"])
@pytest.mark.parametrize("case", FINISHED)
def test_after_finish_request(both, request, case, pool):
    check(both, request, lambda daemon, name: finished(daemon, name, FINISHED[case], pool, False))


BODIES = {
    "form": ("application/x-www-form-urlencoded", b"a=1&b=" + b"x" * 994),
    "raw": ("application/octet-stream", b"y" * 1000),
    "upload": (
        "multipart/form-data; boundary=X",
        b'--X\r\nContent-Disposition: form-data; name="f"; filename="a"\r\n\r\n' + b"z" * 928 + b"\r\n--X--\r\n",
    ),
}
SEEN = """<?php
file_put_contents("$_GET[mark].notes", json_encode([array_map('strlen', $_POST), $_FILES['f']['size'] ?? null,
    $_FILES['f']['error'] ?? null, strlen(file_get_contents('php://input')), connection_status()]) . "\\n", FILE_APPEND);
echo 'x'; flush();
file_put_contents("$_GET[mark].notes", connection_status() . "\\n", FILE_APPEND);
"""


def cut_short(daemon, name, kind, body, sent, pool, method):
    mark = f"{daemon.arena.scratch}/{name}"
    path = daemon.arena.script("seen.php", SEEN)
    access, error = daemon.file(f"{pool}.access"), daemon.log
    since = access.mark(), error.mark()
    more = {"CONTENT_TYPE": kind, "CONTENT_LENGTH": str(len(body))}
    params = daemon.params(path, method, f"mark={mark}", more=more)
    with daemon.connect(pool) as connection:
        connection.send(f.begin() + f.params_stream(params) + f.record(f.STDIN, body[:sent]))
    daemon.play([("stdout", b"next\n")], pool)
    error.wait_for('said into stdout: "next"', since=since[1])
    lines = [line for line in logged(error, since[1]) if '"next"' not in line]
    served_lines = [line for line in access.since(since[0]).splitlines() if "player.php" not in line]
    return notes(mark) + lines + served_lines


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize("sent", [1, 200, 985, 999])
@pytest.mark.parametrize("kind", BODIES)
@pytest.mark.parametrize("pool", ["www", "tcp", "ignoring"])
def test_client_gone_within_its_body(both, request, kind, sent, pool, method):
    assert len(BODIES[kind][1]) == 1000
    check(both, request, lambda daemon, name: cut_short(
        daemon, name, *BODIES[kind], sent, pool, method))  # fmt: skip


@pytest.mark.parametrize("sent", [16_000, 16_384, 20_000, 60_001])
@pytest.mark.parametrize("kind", BODIES)
def test_client_gone_within_a_longer_body(both, request, kind, sent):
    type_, body = BODIES[kind]
    body = body.replace(body[100:900], body[100:900] * 100)
    check(both, request, lambda daemon, name: cut_short(daemon, name, type_, body, sent, "www", "POST"))
