"""headers_send(): 103 Early Hints for web servers that pass them on."""

import pytest

from harness import fastcgi as f
from harness.program import muster_only

pytestmark = muster_only
ON = {"www": {"early_hints": "yes", "php_admin_value[output_buffering]": "4096"}}
HINT = "header('Link: </a.css>; rel=preload');"


def blocks(answer):
    """The header blocks, each as a list of lines, and what follows them."""
    found, rest = [], answer.stdout
    while not found or found[-1][:1] == ["Status: 103 Early Hints"]:
        head, _, rest = rest.partition(b"\r\n\r\n")
        found.append(head.decode().split("\r\n"))
    return found, rest


def test_hints_go_ahead_at_once_and_stay_in_the_response(arena, daemon):
    daemon.configure(ON).start()
    gate = arena.gate()
    code = f"""<?php {HINT} header('Content-Type: text/x'); header('Content-Length: 20');
        echo headers_send(103); require __DIR__ . '/gate.php';"""
    path = arena.script("hint.php", code)
    with daemon.connect() as connection:
        connection.send(f.request_bytes(daemon.params(path, query=gate.query)))
        first = connection.read_record()
        assert first.content == b"Status: 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n"
        gate.wait_started()
        gate.open()
        answer = connection.read_response()
    assert answer.header("Link") == "</a.css>; rel=preload"
    assert answer.header("Content-type").startswith("text/x")
    assert answer.header("Content-Length") == "20"
    assert answer.status == 200 and answer.text == "1through the gate"


def test_several_hints_and_another_status(arena, daemon):
    daemon.configure(ON).start()
    code = f"""<?php {HINT} headers_send(status: 103); header('Link: </b.js>', false); headers_send(103);
        header_remove('Link'); http_response_code(404); echo 'x';"""
    (one, two, last), body = blocks(daemon.get(arena.script("several.php", code)))
    assert one[1:] == ["Link: </a.css>; rel=preload"]
    assert two[1:] == ["Link: </a.css>; rel=preload", "Link: </b.js>"]
    assert last[0] == "Status: 404 Not Found" and not any("Link" in line for line in last)
    assert body == b"x"


def test_the_headers_of_the_response_itself(arena, daemon):
    daemon.configure(ON).start()
    code = "<?php header('X-A: 1'); var_dump(headers_send(404), headers_sent(), headers_send(103)); echo 'x';"
    answer = daemon.get(arena.script("final.php", code))
    assert answer.status == 404 and answer.header("X-A") == "1"
    assert answer.text == "int(0)\nbool(true)\nint(3)\nx"


@pytest.mark.parametrize(
    "code, more",
    [
        (f"{HINT} echo headers_send(103);", {"SERVER_PROTOCOL": "HTTP/1.0"}),
        (f"{HINT} echo headers_send(100), headers_send(101), headers_send(199);", {}),
        (f"{HINT} fastcgi_finish_request(); headers_send(103);", {}),
        (f"{HINT} echo 'x'; ob_flush(); headers_send(103);", {}),
    ],
)
def test_where_there_can_be_none_nothing_is_sent(arena, daemon, code, more):
    daemon.configure(ON).start()
    answer = daemon.get(arena.script("none.php", "<?php " + code), more=more)
    assert answer.ended and answer.status == 200
    assert answer.stdout.count(b"Link") == 1 and b"103" not in answer.stdout


def test_head_requests_have_hints_too(arena, daemon):
    daemon.configure(ON).start()
    path = arena.script("head.php", f"<?php {HINT} headers_send(103); echo 'body';")
    (hints, last), body = blocks(daemon.get(path, method="HEAD"))
    assert len(hints) == 2 and last[-1].startswith("Content-type") and body == b""


def test_without_the_directive_there_is_no_such_function(arena, daemon):
    daemon.configure().start()
    path = arena.script("off.php", "<?php var_dump(function_exists('headers_send'));")
    assert daemon.get(path).text == "bool(false)\n"
