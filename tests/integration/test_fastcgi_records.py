"""Each record type, flag, role, id and length, as the first thing on a connection and later."""

import struct

import pytest

from harness import fastcgi as f
from harness.echo import ECHO, echo_answer
from harness.program import muster_only
from harness.shared import arena, daemon, identity  # noqa: F401

AUTHORIZER, FILTER = 2, 3


@pytest.fixture(scope="module", name="echo")
def echo_script(arena, daemon):
    unbuffered = {"php_admin_value[output_buffering]": "0"}
    daemon.configure({"www": {"pm.max_children": "2", **unbuffered}}).start()
    return arena.script("echo.php", ECHO)


@pytest.fixture(params=["fresh", "kept"], name="line")
def connection_in_use(request, daemon, echo):
    """A connection just made, or one on which a request was answered already."""
    with daemon.connect() as connection:
        if request.param == "kept":
            answer = connection.ask(daemon.params(echo, query="n=0"), keep=True, request_id=9)
            assert answer.text == echo_answer(b"", 0)
        yield connection
    daemon.assert_serves()


def assert_silently_closed(connection):
    try:
        connection.half_close()
    except OSError:
        pass
    assert connection.is_closed_by_server()


def begin(content=None, request_id=1, role=1, flags=0, version=1):
    content = struct.pack(">HB5x", role, flags) if content is None else content
    return f.record(f.BEGIN, content, request_id, version=version)


def rest(params, body=b"", request_id=1):
    return f.params_stream(params, request_id) + f.stdin_stream(body, request_id)


# --- BEGIN_REQUEST --------------------------------------------------------------------------


@pytest.mark.parametrize("flags", [0, 1, 2, 0x80, 0xFE, 0xFF])
def test_only_the_lowest_flag_counts(daemon, line, echo, flags):
    params = daemon.params(echo)
    line.send(begin(flags=flags) + rest(params))
    assert line.read_response().text == echo_answer(b"")
    if flags & 1:
        assert line.ask(params).text == echo_answer(b"")
    assert_silently_closed(line)


@pytest.mark.parametrize("role", [1, AUTHORIZER, FILTER])
def test_all_roles_run_the_script_with_its_body(arena, daemon, line, role):
    code = "<?php echo $_SERVER['FCGI_ROLE'], ' ', file_get_contents('php://input');"
    path = arena.script("role.php", code)
    line.send(begin(role=role) + rest(daemon.params(path, "POST", "", b"body"), b"body"))
    names = {1: "RESPONDER", AUTHORIZER: "AUTHORIZER", FILTER: "FILTER"}
    assert line.read_response().text == f"{names[role]} body"


@pytest.mark.parametrize("role", [0, 4, 256, 65535])
def test_unknown_roles_are_met_with_silence(daemon, line, echo, role):
    line.send(begin(role=role) + rest(daemon.params(echo)))
    assert_silently_closed(line)


@pytest.mark.parametrize("version", [1, 2, 255])
def test_versions_from_one_on_are_accepted(daemon, line, echo, version):
    stream = bytearray()
    for record in (begin(), *records_of(rest(daemon.params(echo)))):
        stream += bytes([version]) + record[1:]
    line.send(bytes(stream))
    assert line.read_response().text == echo_answer(b"")


def records_of(stream):
    while stream:
        length, padding = struct.unpack(">HB", stream[4:7])
        yield stream[: 8 + length + padding]
        stream = stream[8 + length + padding :]


def test_reserved_bytes_may_be_anything(daemon, line, echo):
    stream = b"".join(
        record[:7] + b"\xff" + record[8:]
        for record in (begin(b"\0\1\0\xff\xff\xff\xff\xff"), *records_of(rest(daemon.params(echo))))
    )
    line.send(stream)
    assert line.read_response().text == echo_answer(b"")


BEGIN_NOTHING = {
    "begin of 0 bytes": begin(b""),
    "begin of 7 bytes": begin(b"\0\1\0\0\0\0\0"),
    "begin of 9 bytes": begin(b"\0\1\0\0\0\0\0\0\0"),
    "version 0": begin(version=0),
    "abort": f.record(f.ABORT),
    "end": f.record(f.END, b"\0" * 8),
    "params": f.record(f.PARAMS, f.pair("A", "b")),
    "empty params": f.record(f.PARAMS),
    "stdin": f.record(f.STDIN, b"x"),
    "stdout": f.record(f.STDOUT, b"x"),
    "stderr": f.record(f.STDERR, b"x"),
    "data": f.record(f.DATA, b"x"),
    "get values result": f.record(f.GET_VALUES_RESULT, b""),
    "unknown type": f.record(f.UNKNOWN_TYPE, b"\0" * 8),
    "type 0": f.record(0, b""),
    "type 255": f.record(255, b"x"),
}


@pytest.mark.parametrize("name", BEGIN_NOTHING)
def test_what_begins_no_request_closes_without_a_word(daemon, line, echo, name):
    line.send(BEGIN_NOTHING[name] + begin() + rest(daemon.params(echo)))
    assert_silently_closed(line)


# php-fpm takes their padding for a header.
@pytest.mark.parametrize("padding", [0, *(pytest.param(n, marks=muster_only) for n in (1, 255))])
@pytest.mark.parametrize("count", [1, 20])
def test_empty_stdin_records_before_a_request_are_passed_over(daemon, line, echo, count, padding):
    line.send(f.record(f.STDIN, b"", 9, padding) * count + begin() + rest(daemon.params(echo)))
    assert line.read_response().text == echo_answer(b"")


# --- PARAMS ---------------------------------------------------------------------------------


SHOW = "<?php echo json_encode($_SERVER[$_GET['name']] ?? null);"


def ask_for(daemon, line, name, *records):
    """What $_SERVER[name] is when these contents of PARAMS records follow the usual ones."""
    path = daemon.arena.script("show.php", SHOW)
    stream = begin() + f.record(f.PARAMS, f.pairs(daemon.params(path, query=f"name={name}")))
    for content in records:
        stream += f.record(f.PARAMS, content)
    line.send(stream + f.record(f.PARAMS) + f.record(f.STDIN))
    return line.read_response().text


def test_largest_record(daemon, line):
    fits = 65535 - 1 - 4 - 1
    assert ask_for(daemon, line, "X", f.pair("X", "v" * fits)) == f'"{"v" * fits}"'


@muster_only
def test_largest_record_with_most_padding(daemon, line):
    path = daemon.arena.script("show.php", SHOW)
    big = f.record(f.PARAMS, f.pair("X", "v" * 65529), padding=255)
    assert len(big) == 8 + 65535 + 255
    params = f.record(f.PARAMS, f.pairs(daemon.params(path, query="name=X")), padding=255)
    end = f.record(f.PARAMS, b"", padding=255) + f.record(f.STDIN, b"", padding=255)
    line.send(begin(flags=1) + big + params + end)
    assert len(line.read_response().text) == 65531
    assert line.ask(daemon.params(path)).ended


def test_more_than_a_megabyte_of_parameters(daemon, line):
    records = [f.pair(f"X{n}", "v" * 60_000) for n in range(16)]
    assert len(ask_for(daemon, line, "X15", *records)) == 60_002


@pytest.mark.parametrize("length", [0, 1, 126, 127, 128, 129, 255, 256, 16384])
def test_lengths_around_the_change_of_encoding(daemon, line, length):
    assert ask_for(daemon, line, "X", f.pair("X", "v" * length)) == f'"{"v" * length}"'


def test_short_lengths_in_four_bytes(daemon, line):
    long = struct.pack(">II", 1 | 1 << 31, 2 | 1 << 31) + b"Xab"
    assert ask_for(daemon, line, "X", long) == '"ab"'


def test_values_end_at_their_first_nul_byte(daemon, line):
    assert ask_for(daemon, line, "X", f.pair("X", b"a\0b")) == '"a"'


def test_empty_names_are_no_variables(daemon, line):
    assert ask_for(daemon, line, "X", f.pair("", "v"), f.pair("X", "")) == '""'


def test_missing_end_of_parameters_is_forgiven_before_an_empty_body(daemon, line, echo):
    line.send(begin() + f.record(f.PARAMS, f.pairs(daemon.params(echo))) + f.record(f.STDIN))
    assert line.read_response().text == echo_answer(b"")


def test_request_without_parameters_is_answered(daemon, line, echo):
    line.send(begin() + f.record(f.PARAMS) + f.record(f.STDIN))
    answer = line.read_response()
    assert answer.ended and answer.body == b""


@muster_only
@pytest.mark.parametrize("kind", [f.ABORT, f.DATA, f.GET_VALUES, f.BEGIN, f.STDOUT, 99])
def test_other_records_amid_the_parameters_close_without_a_word(daemon, line, echo, kind):
    params = f.pairs(daemon.params(echo))
    content = struct.pack(">HB5x", 1, 0) if kind == f.BEGIN else b""
    bad = f.record(kind, content)
    line.send(begin() + f.record(f.PARAMS, params) + bad + f.record(f.PARAMS) + f.record(f.STDIN))
    assert_silently_closed(line)


# --- STDIN ----------------------------------------------------------------------------------


def post(daemon, path, length):
    more = {"CONTENT_LENGTH": length, "CONTENT_TYPE": "x/y"}
    return daemon.params(path, "POST", "", b"", more)


@pytest.mark.parametrize(
    "length, read", [("7xyz", 7), ("abc", 0), (" 3", 3), ("+4", 4), ("10", 10)]
)
def test_content_length_is_read_as_atol_does(daemon, line, echo, length, read):
    line.send(begin() + rest(post(daemon, echo, length), b"0123456789"))
    assert line.read_response().text == echo_answer(b"0123456789"[:read])


def test_negative_length_means_until_the_end(daemon, line, echo):
    line.send(begin() + rest(post(daemon, echo, "-1"), b"whole body"))
    line.half_close()
    assert line.read_response().text == echo_answer(b"whole body")


@pytest.mark.parametrize("size", [97, 8184, 16383, 16384, 16385, 65535])
@pytest.mark.parametrize("padding", [0, 255])
def test_body_records_of_any_size(daemon, line, echo, size, padding):
    body = b"b" * 70_000
    stream = begin(flags=1) + f.params_stream(post(daemon, echo, "70000"))
    for start in range(0, len(body), size):
        stream += f.record(f.STDIN, body[start : start + size], 1, padding)
    line.send(stream + f.record(f.STDIN))
    assert line.read_response().text == echo_answer(body)
    assert line.ask(daemon.params(echo)).text == echo_answer(b"")


@pytest.mark.parametrize("kind", [f.ABORT, f.DATA, f.BEGIN, f.GET_VALUES, f.PARAMS, 99])
def test_other_records_amid_the_body_end_it(daemon, line, echo, kind):
    """The piece that was cut off is lost; the answer is sent, the connection not used again."""
    line.send(begin(flags=1) + f.params_stream(post(daemon, echo, "100")))
    line.send(f.record(f.STDIN, b"before") + f.record(kind, b""))
    answer = line.read_response()
    assert answer.ended and answer.text == echo_answer(b"")
    assert_silently_closed(line)


@muster_only
def test_data_of_a_filter_is_passed_over(daemon, line, echo):
    for _ in range(2):
        line.send(begin(role=FILTER, flags=1) + rest(post(daemon, echo, "4"), b"body"))
        line.send(f.record(f.DATA, b"file" * 1000) + f.record(f.DATA))
        assert line.read_response().text == echo_answer(b"body")


def test_abort_behind_the_answer_closes(daemon, line, echo):
    assert line.ask(daemon.params(echo), keep=True).ended
    line.send(f.record(f.ABORT))
    assert_silently_closed(line)


# --- Requests of one connection -------------------------------------------------------------


def test_each_request_has_its_own_id_and_flag(daemon, line, echo):
    stream = b""
    for request_id, keep in ((5, True), (0, True), (65535, False), (6, True)):
        stream += f.request_bytes(
            daemon.params(echo, query=f"n={request_id}"), b"", request_id, keep
        )
    line.send(stream)
    for request_id in (5, 0, 65535):
        answer = line.read_response()
        assert answer.text == echo_answer(b"", request_id)
        assert {one.request_id for one in answer.records} == {request_id}
    assert_silently_closed(line)


@muster_only
def test_second_request_amid_the_first_is_told_that_it_cannot(daemon, line, echo):
    line.send(begin(flags=1) + f.params_stream(post(daemon, echo, "4")) + f.record(f.STDIN, b"bo"))
    line.send(begin(request_id=2) + rest(daemon.params(echo), b"", 2))
    refusal = line.read_record()
    assert (refusal.kind, refusal.request_id) == (f.END, 2)
    assert refusal.content == b"\0\0\0\0\1\0\0\0"
    line.send(f.record(f.STDIN, b"dy") + f.record(f.STDIN))
    assert line.read_response().text == echo_answer(b"body")
    assert line.ask(daemon.params(echo)).text == echo_answer(b"")


# --- GET_VALUES -----------------------------------------------------------------------------


VALUES = {
    "the known one": ([("FCGI_MPXS_CONNS", "")], {"FCGI_MPXS_CONNS": "0"}),
    "with a value": ([("FCGI_MPXS_CONNS", "1")], {"FCGI_MPXS_CONNS": "0"}),
    "twice": ([("FCGI_MPXS_CONNS", "")] * 2, {"FCGI_MPXS_CONNS": "0"}),
    "limits": ([("FCGI_MAX_CONNS", ""), ("FCGI_MAX_REQS", "")], {}),
    "nonsense": ([("NONSENSE", "x"), ("", ""), ("FCGI_MPXS_CONNS ", "")], {}),
    "long": ([("X" * 30_000, "y" * 30_000), ("FCGI_MPXS_CONNS", "")], {"FCGI_MPXS_CONNS": "0"}),
    "nothing": ([], {}),
}


@pytest.mark.parametrize("name", VALUES)
def test_values(daemon, line, echo, name):
    asked, expected = VALUES[name]
    query = f.record(f.GET_VALUES, b"".join(f.pair(*one) for one in asked), request_id=0)
    for _ in range(3):
        line.send(query)
        answer = line.read_record()
        assert (answer.kind, answer.request_id) == (f.GET_VALUES_RESULT, 0)
        assert f.parse_pairs(answer.content) == expected
        assert (len(answer.content), answer.padding) == ((18, 6) if expected else (0, 0))
        assert line.ask(daemon.params(echo), keep=True).text == echo_answer(b"")
    line.send(query)
    assert line.read_record().kind == f.GET_VALUES_RESULT


def test_values_asked_with_an_id_are_answered_without(daemon, line, echo):
    line.send(f.record(f.GET_VALUES, f.pair("FCGI_MPXS_CONNS", ""), request_id=77, padding=255))
    assert line.read_record().request_id == 0
    assert line.ask(daemon.params(echo)).ended


# --- What the server sends ------------------------------------------------------------------


ENDS = {
    "return": "echo 'x';",
    "exit": "echo 'x'; exit(7);",
    "fatal": "ini_set('display_errors', '0'); nothing_of_this_name();",
    "exception": "ini_set('display_errors', '0'); throw new Exception('x');",
    "nothing": "",
    "big": "echo str_repeat('x', 200001);",
}


@pytest.mark.parametrize("name", ENDS)
def test_records_of_an_answer(arena, daemon, line, name):
    path = arena.script(f"{name}.php", f"<?php {ENDS[name]}")
    answer = line.ask(daemon.params(path), keep=True, request_id=300)
    *output, end = answer.records
    assert {one.kind for one in output} <= {f.STDOUT, f.STDERR}
    for one in output:
        assert one.request_id == 300
        assert one.content, "no empty records"
        assert (len(one.content) + one.padding) % 8 == 0 and one.padding < 8
    assert (end.kind, end.padding) == (f.END, 0)
    assert end.content[:5] == b"\0\0\0\0\0" and len(end.content) == 8
    assert line.ask(daemon.params(path), keep=False).ended


@muster_only
def test_nothing_leaks_in_reserved_bytes(daemon, line, echo):
    answer = line.ask(daemon.params(echo))
    assert answer.records[-1].content[5:] == b"\0\0\0"


def test_output_and_messages_keep_their_order(arena, daemon, line):
    code = "<?php echo 'a'; error_log('one'); echo 'b'; error_log('two'); echo 'c';"
    answer = line.ask(daemon.params(arena.script("order.php", code)))
    kinds = [one.kind for one in answer.records]
    assert kinds == [f.STDOUT, f.STDERR, f.STDOUT, f.STDERR, f.STDOUT, f.END]
    assert answer.stderr == b"PHP message: one; PHP message: two"
    assert answer.records[0].content.endswith(b"\r\n\r\na")
