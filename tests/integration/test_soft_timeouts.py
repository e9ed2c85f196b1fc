"""request_terminate_timeout ends the script, not the worker: 504, shutdown functions, a fresh worker."""

import fcntl
import os
import re
import socket
import time

import pytest

from harness.background import Task
from harness.fastcgi import STDIN, begin, params_stream, record
from harness.fixtures import both_users
from harness.logs import LogFile
from harness.program import muster_only
from harness.shutdown_note import noting
from harness.waiting import wait_until

pytestmark = muster_only

PAGE = "The request took too long.\n"

AT_THE_END = "connection_status(), error_get_last()['message'] ?? null, headers_sent()"

# Each runs for ever, or for much longer than the limit; %s: the directory for its traces.
ENDLESS = {
    "sleep": "sleep(30);",
    "sleep_in_the_last_statement": "echo 'never seen'; sleep(30)",
    "naps": "for (;;) usleep(5000);",
    "busy": "for (;;);",
    "recursion": "function f($n) { return $n > 0 ? f($n - 1) + f($n - 1) : 0; } f(60);",
    "generator": "function g() { for (;;) yield 1; } foreach (g() as $x) usleep(100);",
    "fiber": "$f = new Fiber(function () { for (;;) usleep(1000); }); $f->start();",
    "suspended_fiber": "$f = new Fiber(function () { Fiber::suspend(); }); $f->start();"
    " for (;;) usleep(1000);",
    "callback": "array_map(function ($x) { for (;;); }, [1]);",
    "catches_all": "for (;;) { try { for (;;) usleep(1000); }"
    " catch (Throwable $e) { echo 'caught'; } finally { echo 'finally'; } }",
    "error_handler": "set_error_handler(function () { echo 'handled'; return true; });"
    " for (;;) usleep(1000);",
    "in_a_destructor": "class A { function __destruct() { for (;;); } } $a = new A; unset($a);",
    "nested_buffers": "ob_start(); echo 'never seen'; ob_start(fn($t) => strtoupper($t));"
    " echo 'never seen'; for (;;) usleep(1000);",
    "buffered_by_the_server": "echo 'never seen'; header('X-Mine: 1'); for (;;) usleep(1000);",
    "own_status": "http_response_code(201); setcookie('a', 'b'); for (;;) usleep(1000);",
    "ignores_aborts": "ignore_user_abort(true); set_time_limit(0); for (;;) usleep(1000);",
    "with_a_limit_of_its_own": "set_time_limit(30); for (;;) usleep(1000);",
    "shows_errors": "ini_set('display_errors', '1'); for (;;) usleep(1000);",
    "silent": "error_reporting(0); for (;;) usleep(1000);",
    "select": "$p = stream_socket_pair(STREAM_PF_UNIX, STREAM_SOCK_STREAM, 0); $r = [$p[0]];"
    " $w = $e = null; for (;;) { @stream_select($r, $w, $e, 30); $r = [$p[0]]; }",
    "fifo": "$f = fopen('%s/fifo', 'r+'); for (;;) fread($f, 1);",
    "lock": "$f = fopen('%s/lock', 'r'); for (;;) flock($f, LOCK_EX);",
    "session": "session_save_path('%s'); session_start(); $_SESSION['a'] = 1; sleep(30);",
    "included": "include '%s/endless.inc';",
    "head_of_a_loop": "while (sleep(30) || true);",
}


def with_limit(daemon, **more):
    return daemon.configure(
        {
            "www": {
                "request_terminate_timeout": "1s",
                # However slow the machine is: what reacts is not to be killed.
                "request_terminate_grace": "10s",
                "pm.max_children": str(len(ENDLESS)),
                "access.log": f"{daemon.dir}/access.log",
                "access.format": '"%s %r"',
                "catch_workers_output": "yes",
                **more,
            }
        }
    ).start()


def access_lines(daemon):
    return LogFile(f"{daemon.dir}/access.log").lines()


@both_users
def test_whatever_a_script_does_its_client_gets_a_504(arena, daemon):
    os.mkfifo(f"{arena.scratch}/fifo")
    os.chmod(f"{arena.scratch}/fifo", 0o666)
    with open(f"{arena.scratch}/endless.inc", "w", encoding="ascii") as file:
        file.write("<?php for (;;) usleep(1000);")
    with open(f"{arena.scratch}/lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with_limit(daemon)
        daemon.wait_workers(len(ENDLESS))
        requests, ends = {}, {}
        for name, code in ENDLESS.items():
            note, ends[name] = noting(arena, name, AT_THE_END)
            path = arena.script(f"{name}.php", f"<?php {note} {code.replace('%s', arena.scratch)};")
            requests[name] = daemon.get_in_background(path)
        for name, request in requests.items():
            answer = request.result()
            assert answer.ended and answer.status == 504, (name, answer.stdout)
            assert answer.header("Status") == "504 Gateway Timeout", name
            assert answer.header("Content-type") == "text/html; charset=UTF-8", name
            assert answer.text == PAGE, (name, answer.stdout)
            assert answer.header("X-Mine") is None and answer.header("Set-Cookie") is None
        for name, wait in ends.items():
            status, error, headers_sent = wait()
            if name not in ("sleep", "sleep_in_the_last_statement"):
                assert status & 2, f"{name}: connection_status() says {status}"
                assert error == "The request took longer than request_terminate_timeout allows"
    for name in ENDLESS:
        daemon.log.wait_for(
            rf"WARNING: \[pool www\] child \d+, script '{arena.site}/{name}\.php' \(request: "
            rf'"GET /{name}\.php"\) execution timed out \(\d\.\d{{6}} sec\), terminating$'
        )
    assert not daemon.log.find("still executing|exited on signal")
    # Nothing that was cut short is left for others: the workers are new, and went by themselves.
    daemon.log.wait_for(r"child \d+ exited with code 0", count=len(ENDLESS))
    cut = re.findall(r"child (\d+), script .* execution timed out", daemon.log.text())
    assert len(set(cut)) == len(ENDLESS)
    wait_until(
        lambda: len(daemon.workers()) == len(ENDLESS)
        and not {int(pid) for pid in cut} & daemon.workers(),
        lambda: f"those that were cut short are replaced: {cut}, there are {daemon.workers()}",
    )
    assert sorted(access_lines(daemon)) == sorted(f"504 /{name}.php" for name in ENDLESS)
    daemon.assert_serves()


def test_the_web_server_hears_why(arena, daemon):
    with_limit(daemon, **{"pm.max_children": "1"})
    answer = daemon.get(arena.script("busy.php", "<?php\nfor (;;);"))
    assert answer.status == 504
    assert answer.stderr.decode() == (
        "PHP message: PHP Fatal error:  The request took longer than request_terminate_timeout "
        f"allows in {arena.site}/busy.php on line 2"
    )
    daemon.log.wait_for("PHP Fatal error:  The request took longer than request_terminate_timeout")


def test_head_gets_no_body(arena, daemon):
    with_limit(daemon, **{"pm.max_children": "1"})
    answer = daemon.get(arena.script("busy.php", "<?php for (;;);"), method="HEAD")
    assert answer.status == 504 and answer.text == ""


def test_connection_goes_on_after_a_504(arena, daemon):
    with_limit(daemon, **{"pm.max_children": "2"})
    path = arena.script("late.php", "<?php for (;;) usleep(1000);")
    with daemon.connect() as connection:
        for _ in range(2):
            assert connection.ask(daemon.params(path), keep=True).status == 504
            good = arena.script("good.php", "<?php echo 'good';")
            answer = connection.ask(daemon.params(good, body=b"a=b"), b"a=b", keep=True)
            assert (answer.status, answer.text) == (200, "good")


def test_body_that_was_not_read_is_no_request(arena, daemon):
    with_limit(daemon, **{"pm.max_children": "1"})
    path = arena.script("late.php", "<?php for (;;) usleep(1000);")
    forged = begin(1) + params_stream(daemon.params("/still-serves.php"))
    more = {"CONTENT_TYPE": "application/octet-stream", "CONTENT_LENGTH": str(len(forged))}
    with daemon.connect() as connection:
        params = daemon.params(path, "POST", more=more)
        assert connection.ask(params, forged, keep=True).status == 504
        daemon_serves = arena.script("still-serves.php", "<?php echo 'served';")
        answer = connection.ask(daemon.params(daemon_serves), keep=True)
        assert answer.text == "served"


@both_users
def test_stalled_upload_is_answered(arena, daemon):
    with_limit(daemon, **{"pm.max_children": "3"})
    note, wait = noting(arena, "upload", AT_THE_END)
    form = arena.script("form.php", f"<?php {note} echo 'ran';")
    stream = arena.script(
        "stream.php", "<?php $f = fopen('php://input', 'r'); while (!feof($f)) fread($f, 8192);"
    )
    connections = []
    for path, kind in ((form, "application/x-www-form-urlencoded"), (stream, "text/plain")):
        connection = daemon.connect()
        connections.append(connection)
        more = {"CONTENT_TYPE": kind, "CONTENT_LENGTH": "100"}
        connection.send(begin() + params_stream(daemon.params(path, "POST", more=more)))
        connection.send(record(STDIN, b"a=b&"))
    for connection in connections:
        answer = connection.read_response()
        assert answer.ended and answer.status == 504 and answer.text == PAGE
        assert connection.is_closed_by_server()
        connection.close()
    daemon.log.wait_for("execution timed out", count=2)
    assert not os.path.exists(f"{arena.scratch}/upload.end"), "half a form is no request"
    assert not daemon.log.find("exited on signal")
    daemon.wait_workers(3)
    daemon.assert_serves()


def test_response_that_has_begun_is_broken_off(arena, daemon):
    with_limit(daemon, **{"pm.max_children": "2"})
    note, wait = noting(arena, "partial", AT_THE_END)
    code = f"<?php {note} echo 'first part'; ob_end_flush(); flush(); echo 'second'; for (;;) usleep(1000);"
    path = arena.script("partial.php", code)
    answer = daemon.get(path)
    assert answer.text == "first part" and answer.status == 200
    assert not answer.ended, "a part must not pass for the whole"
    wait()
    assert not daemon.log.find("exited on signal")
    wait_until(lambda: access_lines(daemon) == ["504 /partial.php"], "the access log says why")


def test_client_that_takes_nothing_does_not_keep_the_worker(arena, daemon):
    with_limit(daemon, **{"pm.max_children": "2"})
    path = arena.script("flood.php", "<?php for (;;) echo str_repeat('x', 100000);")
    with daemon.connect() as connection:
        connection.send(begin() + params_stream(daemon.params(path)) + record(STDIN))
        daemon.log.wait_for("execution timed out")
        daemon.log.wait_for(r"child \d+ exited with code 0")
    assert not daemon.log.find("still executing")
    daemon.wait_workers(2)


def test_script_that_cannot_be_interrupted_is_answered_when_the_grace_is_over(arena, daemon):
    daemon.allow_log("exited on signal 15")
    with_limit(daemon, **{"pm.max_children": "2", "request_terminate_grace": None})
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(f"{arena.scratch}/silent.sock")
        os.chmod(silent.getsockname(), 0o777)
        silent.listen()
        code = (
            "<?php ini_set('default_socket_timeout', '30');"
            f"$s = stream_socket_client('unix://{arena.scratch}/silent.sock');"
            "echo 'never seen'; fread($s, 1); fread($s, 1); sleep(30);"
        )
        started = time.monotonic()
        answer = daemon.get(arena.script("stuck.php", code))
        os.unlink(silent.getsockname())
    assert answer.ended and answer.status == 504 and answer.text == PAGE
    assert time.monotonic() - started >= 2
    daemon.log.wait_for(r"still executing after request_terminate_grace \(\d\.\d{6} sec\), ending")
    daemon.log.wait_for(r"child \d+ exited on signal 15 \(SIGTERM\)")
    assert len(daemon.log.find("execution timed out")) == 1
    daemon.wait_workers(2)
    daemon.assert_serves()


def test_shutdown_function_has_the_grace_and_no_more(arena, daemon):
    daemon.allow_log("exited on signal 15")
    with_limit(daemon, **{"pm.max_children": "2", "pm.status_path": "/status", "request_terminate_grace": "2s"})
    code = (
        "<?php register_shutdown_function(function () { echo 'never seen';"
        f" touch('{arena.scratch}/in'); for (;;) sleep(30); }}); for (;;) usleep(1000);"
    )
    started = time.monotonic()
    answer = daemon.get(arena.script("clings.php", code))
    assert answer.ended and answer.status == 504 and answer.text == PAGE
    assert os.path.exists(f"{arena.scratch}/in") or time.monotonic() - started < 3
    states = {one["state"] for one in daemon.status()["processes"]}
    assert states == {"Ending", "Running"}
    daemon.log.wait_for("still executing after request_terminate_grace")
    daemon.log.wait_for(r"child \d+ exited on signal 15 \(SIGTERM\)")
    daemon.assert_serves()


def test_longer_grace_is_given(arena, daemon):
    with_limit(daemon, **{"pm.max_children": "1"})
    done = f"{arena.scratch}/done"
    code = (
        "<?php register_shutdown_function(function () { $t = microtime(true); sleep(2);"
        f" file_put_contents('{done}.part', microtime(true) - $t); rename('{done}.part', '{done}');"
        " }); for (;;) usleep(1000);"
    )
    assert daemon.get(arena.script("tidies.php", code)).status == 504
    wait_until(lambda: os.path.exists(done), "the shutdown function has come to its end")
    with open(done, encoding="ascii") as file:
        assert float(file.read()) >= 1.9, "its sleep was cut short"
    assert not daemon.log.find("still executing|exited on signal")


def test_interrupt_never_hits_the_next_request(arena, daemon):
    """Requests that end around the limit, each followed by another on the same connection."""
    with_limit(daemon, **{"pm.max_children": "6"})
    near = arena.script("near.php", "<?php usleep((int)$_GET['us']); echo 'near';")
    next_ = arena.script("next.php", "<?php for ($i = 0; $i < 2000; $i++) usleep(50); echo 'next';")

    def ask(us):
        with daemon.connect() as connection:
            first = connection.ask(daemon.params(near, query=f"us={us}"), keep=True)
            second = connection.ask(daemon.params(next_), keep=True)
            return (first.status, first.text), (second.status, second.text)

    for start in (960_000, 990_000):
        asked = [Task(ask, start + step * 6_000) for step in range(6)]
        for task in asked:
            first, second = task.result()
            assert first in ((200, "near"), (504, PAGE))
            assert second == (200, "next")
    assert not daemon.log.find("exited on signal")


def test_signal_of_a_script_is_no_interrupt(arena, daemon):
    with_limit(daemon, **{"pm.max_children": "1"})
    code = (
        "<?php for ($n = 34; $n <= 64; $n++) { if ($n == 38 || $n == 39)"
        " posix_kill(getmypid(), $n); } for ($i = 0; $i < 100; $i++) usleep(100); echo 'alive';"
    )
    if not daemon.get(arena.script("has.php", "<?php echo function_exists('posix_kill');")).text:
        pytest.skip("no posix extension")
    assert daemon.get(arena.script("signals.php", code)).text == "alive"


def test_finished_requests_are_tracked_when_wanted(arena, daemon):
    note, wait = noting(arena, "tracked", AT_THE_END)
    with_limit(daemon, **{"request_terminate_timeout_track_finished": "yes"})
    after = arena.script("after.php", f"<?php {note} fastcgi_finish_request(); for (;;) usleep(1000);")
    in_shutdown = arena.script(
        "in-shutdown.php",
        "<?php register_shutdown_function(function () { echo 'never seen';"
        " for (;;) usleep(1000); });",
    )
    task = daemon.get_in_background(in_shutdown)
    answer = daemon.get(after)
    assert answer.ended and answer.status == 200
    assert wait()[0] & 2
    answer = task.result()
    assert answer.ended and answer.status == 504 and answer.text == PAGE
    daemon.log.wait_for("execution timed out", count=2)
    assert not daemon.log.find("exited on signal")
    assert sorted(access_lines(daemon)) == ["200 /after.php", "200 /in-shutdown.php"]


def test_through_nginx(arena, daemon):
    with_limit(daemon, **{"pm.max_children": "2"})
    daemon.wait_workers(2)
    arena.script("late.php", "<?php echo 'never seen'; for (;;) usleep(1000);")
    nginx = arena.nginx(daemon.address())
    status, body = nginx.get("/late.php")[:2]
    assert (status, body.decode()) == (504, PAGE)


@pytest.mark.parametrize("grace", ["0", "1s"])
def test_what_a_reload_does_not_change(arena, daemon, grace):
    """The generation that drains still ends what takes too long."""
    daemon.allow_log("exited on signal 15")
    with_limit(daemon, **{"pm.max_children": "2", "request_terminate_grace": grace})
    gate = arena.gate()
    request = daemon.get_in_background(gate.path, query=gate.query)
    gate.wait_started()
    daemon.reload()
    answer = request.result()
    assert answer.ended == (grace != "0")
    daemon.log.wait_for("execution timed out")
    daemon.assert_serves()


@both_users
def test_slow_log_and_metrics_tell_what_it_did(arena, daemon):
    slow = LogFile(f"{daemon.dir}/slow.log")
    more = {"pm.max_children": "2", "slowlog": slow.path, "pm.status_path": "/status"}
    with_limit(daemon, **more)
    code = "<?php\nfunction waits() {\n    for (;;)\n        usleep(500);\n}\nwaits();"
    assert daemon.get(arena.script("waits.php", code)).status == 504
    slow.wait_for(r"^script_filename = .*/waits\.php$")
    slow.wait_for(r"^\[0x[0-9a-f]+\] waits\(\) .*/waits\.php:6$")
    metrics = daemon.get("/status", query="openmetrics").text
    assert "\nphpfpm_timed_out_requests 1\n" in metrics
    daemon.reload()
    assert "\nphpfpm_timed_out_requests 1\n" in daemon.get("/status", query="openmetrics").text
