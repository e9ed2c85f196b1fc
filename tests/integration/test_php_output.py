"""Headers, status codes, ends of scripts, buffering, flush, fastcgi_finish_request."""

import http.client
import os
import zlib

import pytest

from harness import fastcgi as f
from harness.fixtures import both_users
from harness.program import muster_only
from harness.waiting import wait_until

# The packaged php.ini buffers 4 KiB, which would hide what flush() does.
UNBUFFERED = {"www": {"php_admin_value[output_buffering]": "0"}}


def head_of(daemon, arena, code, **more):
    name = f"h{zlib.crc32(code.encode()):08x}.php"
    answer = daemon.get(arena.script(name, "<?php " + code), **more)
    return answer.head.split("\r\n"), answer


@pytest.mark.parametrize(
    "code, status",
    [
        ("echo 1;", None),
        ("http_response_code(404);", "404 Not Found"),
        ("http_response_code(299);", "299"),
        ("header('HTTP/1.1 418 Tea');", "418 Tea"),
        ("header('HTTP/1.1 200 Fine');", None),
        ("header('Status: 403 Mine');", "403 Mine"),
        ("header('Location: /there');", "302 Found"),
        ("header('Location: /there', true, 307);", "307 Temporary Redirect"),
        ("header('WWW-Authenticate: Basic');", "401 Unauthorized"),
    ],
)
def test_status_line(arena, daemon, code, status):
    daemon.start()
    _, answer = head_of(daemon, arena, code)
    assert answer.header("Status") == status


@both_users
def test_headers_in_order(arena, daemon):
    daemon.configure({"www": {"php_admin_flag[expose_php]": "on"}}).start()
    lines, answer = head_of(
        daemon,
        arena,
        "header('X-A: 1'); header('X-A: 2', false); setcookie('c', 'v'); header('X-Gone: 1');"
        "header_remove('X-Gone'); echo 'body';",
    )
    assert lines[0].startswith("X-Powered-By: PHP/8.")
    assert lines[1:3] == ["X-A: 1", "X-A: 2"]
    assert lines[3] == "Set-Cookie: c=v"
    assert lines[4:] == ["Content-type: text/html; charset=UTF-8"]
    assert answer.text == "body"


def test_content_type_of_the_script(arena, daemon):
    daemon.start()
    _, answer = head_of(daemon, arena, "header('Content-Type: image/png'); echo 'png';")
    assert answer.header("content-type") == "image/png"
    _, answer = head_of(daemon, arena, "header('Content-Type: text/plain');")
    assert answer.header("content-type") == "text/plain;charset=UTF-8"
    _, answer = head_of(daemon, arena, "http_response_code(304); header('Content-Type: a/b');")
    assert answer.header("content-type") is None


def test_head_request_runs_the_script_without_body(arena, daemon):
    daemon.start()
    _, answer = head_of(daemon, arena, "header('X-Ran: 1'); echo 'body';", method="HEAD")
    assert answer.header("X-Ran") == "1" and answer.body == b""


@pytest.mark.parametrize(
    "code, body, status",
    [
        ("echo 'a'; exit; echo 'b';", "a", 200),
        ("echo 'a'; exit('c');", "ac", 200),
        ("echo 'a'; exit(7);", "a", 200),
        ("ob_start(); echo 'buffered'; exit(255);", "buffered", 200),
        ("function g() { exit('deep'); } g();", "deep", 200),
        ("register_shutdown_function(fn() => print('later')); exit('now ');", "now later", 200),
    ],
)
def test_exit(arena, daemon, code, body, status):
    daemon.start()
    _, answer = head_of(daemon, arena, code)
    assert (answer.text, answer.status) == (body, status)
    assert answer.ended and answer.app_status == 0
    daemon.assert_serves()


@pytest.mark.parametrize(
    "code, text",
    [
        ("throw new Exception('boom');", b"PHP Fatal error:  Uncaught Exception: boom"),
        ("no_such_function();", b"Call to undefined function no_such_function()"),
        ("$a = str_repeat('x', 999_999_999);", b"Allowed memory size of"),
        ("function r() { r(); } ini_set('memory_limit', '8M'); r();", b"Allowed memory size of"),
        ("set_time_limit(1); for (;;) { $x = md5('x'); }", b"Maximum execution time of 1 second"),
    ],
)
def test_fatal_error_is_a_500_and_the_pool_serves_on(arena, daemon, code, text):
    daemon.start()
    _, answer = head_of(daemon, arena, code)
    assert answer.status == 500
    assert answer.body == b""
    assert text in answer.stderr
    assert answer.ended
    daemon.assert_serves()
    daemon.wait_workers(1)


def test_error_after_output_keeps_what_was_sent(arena, daemon):
    daemon.configure(UNBUFFERED).start()
    _, answer = head_of(daemon, arena, "echo 'start'; flush(); throw new Exception('late');")
    assert answer.text.startswith("start") and answer.status == 200 and answer.ended


@both_users
def test_flushed_chunks_arrive_early(arena, daemon):
    daemon.configure(UNBUFFERED).start()
    go = f"{arena.scratch}/go"
    code = f"""<?php
        echo 'early'; flush();
        $end = microtime(true) + 20;
        while (!file_exists('{go}') && microtime(true) < $end) {{ usleep(2000); clearstatcache(); }}
        echo 'late';"""
    with daemon.connect() as connection:
        connection.send(f.request_bytes(daemon.params(arena.script("flush.php", code))))
        first = f.Response()
        while "early" not in first.text:
            first.add(connection.read_record())
        assert first.text == "early"
        with open(go, "w", encoding="ascii"):
            pass
        assert connection.read_response().stdout == b"late"


def test_output_buffering_holds_back(arena, daemon):
    daemon.start()
    _, answer = head_of(
        daemon, arena, "ob_start(fn($b) => strtoupper($b)); echo 'quiet'; header('X-Late: 1');"
    )
    assert answer.text == "QUIET" and answer.header("X-Late") == "1"


def test_flush_through_nginx_without_buffering(arena, daemon):
    daemon.configure(UNBUFFERED).start()
    nginx = arena.nginx(daemon.address(), buffering=False)
    go = f"{arena.scratch}/go"
    code = f"""<?php
        echo 'early'; flush();
        $end = microtime(true) + 20;
        while (!file_exists('{go}') && microtime(true) < $end) {{ usleep(2000); clearstatcache(); }}
        echo 'late';"""
    connection = http.client.HTTPConnection("127.0.0.1", nginx.port, timeout=20)
    connection.request("GET", arena.script("flush.php", code))
    answer = connection.getresponse()
    assert answer.read1(100) == b"early"
    with open(go, "w", encoding="ascii"):
        pass
    assert answer.read() == b"late"
    connection.close()


@both_users
def test_finish_request_answers_before_the_script_ends(arena, daemon):
    daemon.start()
    gate = arena.gate()
    code = """<?php
        echo 'answer'; $first = fastcgi_finish_request(); $second = fastcgi_finish_request();
        echo 'nobody sees this';
        require __DIR__ . '/gate.php';
        file_put_contents($_GET['gate'] . '.after', var_export([$first, $second], true));"""
    with daemon.connect() as connection:
        path = arena.script("finish.php", code)
        connection.send(f.request_bytes(daemon.params(path, query=gate.query)))
        answer = connection.read_response()
        assert answer.ended and answer.text == "answer"
        assert connection.is_closed_by_server()
    gate.wait_started()
    gate.open()
    after = gate.query.removeprefix("gate=") + ".after"
    wait_until(lambda: os.path.exists(after), "the script went on to its end")
    with open(after, encoding="ascii") as file:
        assert "true" in file.read()
    daemon.assert_serves()


def test_finish_request_on_a_kept_alive_connection(arena, daemon):
    daemon.start()
    code = "<?php echo 'answer'; fastcgi_finish_request(); usleep(1000);"
    path = arena.script("finish.php", code)
    with daemon.connect() as connection:
        for _ in range(5):
            answer = connection.ask(daemon.params(path), keep=True)
            assert answer.ended and answer.text == "answer"


@muster_only
def test_what_is_said_after_finish_request_never_reaches_a_kept_connection(arena, daemon):
    """Nor does the script notice: the connection is there, and belongs to the next request."""
    daemon.start()
    code = """<?php echo 'answer'; fastcgi_finish_request();
        for ($i = 0; $i < 20; ++$i) { echo str_repeat('late', 5000); error_log('late'); flush(); }
        file_put_contents($_GET['mark'], connection_status());"""
    path, mark = arena.script("late.php", code), f"{arena.scratch}/mark"
    with daemon.connect() as connection:
        for number in range(3):
            one = daemon.params(path, query=f"mark={mark}{number}")
            assert connection.ask(one, keep=True).stdout.partition(b"\r\n\r\n")[2] == b"answer"
            answer = connection.ask(daemon.params(arena.script("next.php", "<?php echo 'next';")), keep=True)
            assert answer.text == "next" and answer.stderr == b""
            with open(f"{mark}{number}", encoding="ascii") as file:
                assert file.read() == "0"


def test_shutdown_functions_and_destructors_reach_the_client(arena, daemon):
    daemon.start()
    code = """class D { function __destruct() { echo ' destructor'; } } $d = new D;
        register_shutdown_function(fn() => print(' shutdown')); echo 'script';"""
    _, answer = head_of(daemon, arena, code)
    assert answer.text == "script shutdown destructor"


def test_order_of_output_and_errors_is_kept(arena, daemon):
    daemon.configure(UNBUFFERED).start()
    code = "echo 'a'; flush(); error_log('one'); flush(); echo 'b';"
    _, answer = head_of(daemon, arena, code)
    kinds = [one.kind for one in answer.records if one.content]
    assert kinds == [f.STDOUT, f.STDERR, f.STDOUT, f.END]
