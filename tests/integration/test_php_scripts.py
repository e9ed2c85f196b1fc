"""Scripts that cannot be run: the answer, its text and what is logged."""

import os

import pytest

from harness.fixtures import both_users


@pytest.fixture
def served(daemon):
    daemon.configure({"www": {"catch_workers_output": "yes"}}).start()
    yield daemon
    daemon.assert_serves()


def test_missing_script(served):
    answer = served.get("/missing.php")
    assert answer.status == 404
    assert answer.header("Status") == "404 Not Found"
    assert answer.header("Content-type") == "text/html; charset=UTF-8"
    assert answer.body == b"File not found.\n"
    assert answer.stderr == b"Primary script unknown"
    assert answer.ended and answer.app_status == 0


def test_no_script_name_at_all(served):
    answer = served.get(more={"SCRIPT_FILENAME": None})
    assert (answer.status, answer.body) == (404, b"File not found.\n")


def test_script_is_a_directory(served, arena):
    os.mkdir(f"{arena.site}/dir.php")
    answer = served.get("/dir.php")
    assert (answer.status, answer.body) == (404, b"No input file specified.\n")
    os.mkdir(f"{arena.site}/dir")
    assert served.get("/dir").status == 403
    assert served.get("/dir/").status == 404


@both_users
def test_unreadable_script(arena, daemon):
    daemon.configure({"www": {"catch_workers_output": "yes"}}).start()
    path = arena.script("secret.php", "<?php echo 'secret';")
    os.chmod(arena.site + path, 0)
    answer = daemon.get(path)
    assert (answer.status, answer.body) == (403, b"Access denied.\n")
    text = f"Unable to open primary script: {arena.site}{path} (Permission denied)"
    assert answer.stderr.endswith(text.encode())
    daemon.log.wait_for(r'said into stderr: "ERROR: Unable to open primary script')
    daemon.assert_serves()


def test_forbidden_extension(served, arena):
    path = arena.script("page.html", "<?php echo 'must not run';")
    answer = served.get(path)
    assert (answer.status, answer.body) == (403, b"Access denied.\n")
    text = (
        f"Access to the script '{arena.site}{path}' has been denied (see security.limit_extensions)"
    )
    assert answer.stderr == text.encode()
    served.log.wait_for("has been denied")


def test_upload_trick_is_refused(served, arena):
    """/upload/image.jpg/x.php must not run the image."""
    arena.script("image.jpg", "<?php echo 'must not run';")
    answer = served.get("/image.jpg/x.php")
    assert answer.status == 403 and b"must not run" not in answer.body


def test_other_extensions_when_allowed(arena, daemon):
    daemon.configure({"www": {"security.limit_extensions": ".html .inc"}}).start()
    assert daemon.get(arena.script("page.html", "<?php echo 'html';")).text == "html"
    assert daemon.get(arena.script("page.inc", "<?php echo 'inc';")).text == "inc"
    assert daemon.get(arena.script("page.php", "<?php echo 'php';")).status == 403


def test_any_extension_when_the_list_is_empty(arena, daemon):
    daemon.configure({"www": {"security.limit_extensions": ""}}).start()
    assert daemon.get(arena.script("page.any", "<?php echo 'any';")).text == "any"


@pytest.mark.parametrize("path", ["/x/../hello.php", "/../www/hello.php"])
def test_dots_do_not_lead_anywhere(served, arena, path):
    arena.script("hello.php", "<?php echo 'hello';")
    os.mkdir(f"{arena.site}/x")
    assert served.get(path).status == 404


def test_text_after_a_nul_byte_is_not_seen(served, arena):
    arena.script("hello.php", "<?php echo 'hello';")
    more = {"SCRIPT_FILENAME": arena.site + "/hello.php\0.jpg"}
    assert served.get("/hello.php", more=more).text == "hello"


def test_head_of_a_missing_script_has_no_body(served):
    answer = served.get("/missing.php", method="HEAD")
    assert answer.status == 404 and answer.body == b""


def test_parse_error_is_a_500(served, arena):
    answer = served.get(arena.script("broken.php", "<?php this is not php"))
    assert answer.status == 500
    assert b"PHP message: PHP Parse error:  syntax error" in answer.stderr
