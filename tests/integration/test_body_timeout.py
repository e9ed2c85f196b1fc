"""request_body_timeout: a body that stops coming ends its request with a 408."""

import os

import pytest

from harness import fastcgi as f
from harness.fixtures import both_users
from harness.logs import LogFile
from harness.program import muster_only
from harness.shutdown_note import noting
from harness.waiting import pause

pytestmark = muster_only

PAGE = "The request's body took too long.\n"
READS = "<?php $b = file_get_contents('php://input'); echo 'read ', strlen($b);"
FORM = {"CONTENT_TYPE": "application/x-www-form-urlencoded"}
PLAIN = {"CONTENT_TYPE": "application/octet-stream"}


def start(daemon, limit="1s", **more):
    directives = {
        "request_body_timeout": limit,
        "access.log": f"{daemon.dir}/access.log",
        "access.format": '"%s %r"',
        "catch_workers_output": "yes",
        **more,
    }
    return daemon.configure({"www": directives}).start()


def begin(daemon, path, sent, length, kind, keep=False, more=None):
    """A request of `length` bytes of body whose `sent` first ones are there."""
    # PHP reads what is POSTed before the script, and what is PUT when the script asks for it.
    method = "PUT" if kind is PLAIN else "POST"
    params = daemon.params(path, method, body=b"x", more={**kind, **(more or {})})
    params["CONTENT_LENGTH"] = str(length)
    connection = daemon.connect(timeout=20)
    connection.send(f.begin(flags=f.KEEP_CONN if keep else 0) + f.params_stream(params))
    if sent:
        connection.send(f.record(f.STDIN, sent))
    return connection


def assert_408(connection):
    answer = connection.read_response()
    assert answer.ended and answer.status == 408, answer.stdout
    assert answer.header("Status") == "408 Request Timeout"
    assert answer.text == PAGE
    assert "Nothing of the request's body came for request_body_timeout" in answer.stderr.decode()
    assert connection.is_closed_by_server()
    connection.close()


def access_lines(daemon):
    return LogFile(f"{daemon.dir}/access.log").lines()


@both_users
@pytest.mark.parametrize("sent", [b"", b"a=1&b"], ids=["nothing", "a_part"])
def test_form_that_stalls_runs_no_script(arena, daemon, sent):
    path = arena.script("form.php", f"<?php file_put_contents('{arena.scratch}/ran', '1');")
    start(daemon)
    workers = daemon.wait_workers(1)
    assert_408(begin(daemon, path, sent, 100, FORM, keep=True))
    daemon.assert_serves()
    assert not os.path.exists(f"{arena.scratch}/ran")
    assert access_lines(daemon)[0] == f"408 {path}"
    assert daemon.workers() == workers, "nothing was cut short in the worker"


def test_script_that_reads_ends_as_if_its_client_had_left(arena, daemon):
    note, wait = noting(arena, "reads", "connection_status(), headers_sent()")
    path = arena.script(
        "reads.php", f"<?php {note} {READS[5:]} file_put_contents('{arena.scratch}/on', '1');"
    )
    start(daemon)
    assert_408(begin(daemon, path, b"half", 8, PLAIN))
    assert wait() == [1, False]
    daemon.assert_serves()
    assert not os.path.exists(f"{arena.scratch}/on")
    assert access_lines(daemon)[0] == f"408 {path}"


def test_script_that_ignores_aborts_goes_on_behind_the_408(arena, daemon):
    note, wait = noting(arena, "goes_on", "$GLOBALS['read'], connection_aborted()")
    path = arena.script(
        "goes-on.php",
        f"<?php ignore_user_abort(true); {note}"
        " $read = strlen(file_get_contents('php://input')); echo 'nobody reads this'; flush();",
    )
    start(daemon)
    assert_408(begin(daemon, path, b"", 8, PLAIN))
    assert wait() == [0, 1]
    daemon.assert_serves()
    assert access_lines(daemon)[0] == f"408 {path}"


def test_response_that_has_begun_is_broken_off(arena, daemon):
    path = arena.script("begun.php", f"<?php echo 'begun'; @ob_end_flush(); flush(); {READS[5:]}")
    start(daemon)
    with begin(daemon, path, b"half", 8, PLAIN) as connection:
        answer = connection.read_response()
        assert answer.text == "begun" and not answer.ended
    daemon.assert_serves()
    assert access_lines(daemon)[0] == f"408 {path}"


def test_upload_that_stalls_leaves_no_file(arena, daemon):
    path = arena.script("upload.php", "<?php echo 'ran';")
    directory = f"{arena.scratch}/uploads"
    os.mkdir(directory)
    os.chmod(directory, 0o777)
    start(daemon, **{"php_admin_value[upload_tmp_dir]": directory})
    kind = {"CONTENT_TYPE": "multipart/form-data; boundary=b"}
    part = (
        b"--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"f\"\r\n\r\n" + b"x" * 50_000
    )
    assert_408(begin(daemon, path, part, 100_000, kind))
    daemon.assert_serves()
    assert os.listdir(directory) == []


def test_slow_body_that_goes_on_is_not_cut(arena, daemon):
    path = arena.script("reads.php", READS)
    start(daemon, limit="3s")
    with begin(daemon, path, b"", 14, PLAIN, keep=True) as connection:
        for _ in range(7):
            pause(0.5)
            connection.send(f.record(f.STDIN, b"xy"))
        connection.send(f.record(f.STDIN))
        assert connection.read_response().text == "read 14"
        answer = connection.ask(daemon.params(path, "POST", body=b"abc"), b"abc", keep=True)
        assert answer.text == "read 3" and answer.ended


def test_answer_without_the_body_is_not_spoilt(arena, daemon):
    """A script that never looks at its body answers whatever becomes of that."""
    path = arena.script("blind.php", "<?php echo 'answered';")
    start(daemon)
    with begin(daemon, path, b"half", 8, PLAIN) as connection:
        answer = connection.read_response()
        assert answer.ended and answer.status == 200 and answer.text == "answered"
    daemon.assert_serves()
    assert access_lines(daemon)[0] == f"200 {path}"


def test_chunked_body_that_stalls(arena, daemon):
    """Without a length, as some web servers pass bodies on."""
    path = arena.script("reads.php", READS)
    start(daemon)
    params = daemon.params(path, "PUT", more=PLAIN)
    del params["CONTENT_LENGTH"]
    connection = daemon.connect(timeout=20)
    connection.send(f.begin() + f.params_stream(params) + f.record(f.STDIN, b"some"))
    assert_408(connection)
    daemon.assert_serves()


def test_body_may_stall_by_default(arena, daemon):
    path = arena.script("reads.php", READS)
    daemon.configure().start()
    with begin(daemon, path, b"1234", 8, PLAIN) as connection:
        pause(1.5)
        connection.send(f.record(f.STDIN, b"5678") + f.record(f.STDIN))
        assert connection.read_response().text == "read 8"


def test_soft_timeout_ends_a_body_that_goes_on_for_too_long(arena, daemon):
    """Both limits: the request's own ends it while the body's has not passed."""
    path = arena.script("reads.php", READS)
    start(daemon, limit="60s", request_terminate_timeout="1s", request_terminate_grace="10s")
    with begin(daemon, path, b"1234", 8, PLAIN) as connection:
        assert connection.read_response().status == 504
    daemon.assert_serves()
