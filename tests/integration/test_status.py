"""Status and ping pages: formats, values, headers, hostile content."""

import json
import os
import re
from xml.etree import ElementTree

from harness.fixtures import both_users
from harness.program import is_reference, muster_only
from harness.waiting import wait_until

FIELDS = [
    "pool",
    "process manager",
    "start time",
    "start since",
    "accepted conn",
    "listen queue",
    "max listen queue",
    "listen queue len",
    "idle processes",
    "active processes",
    "total processes",
    "max active processes",
    "max children reached",
    "slow requests",
]
if not ("MUSTER_BINARY" in os.environ and is_reference()):
    FIELDS.append("memory peak")  # php-fpm has it since 8.4
PROCESS_FIELDS = [
    "pid",
    "state",
    "start time",
    "start since",
    "requests",
    "request duration",
    "request method",
    "request uri",
    "content length",
    "user",
    "script",
    "last request cpu",
    "last request memory",
]


def with_status(daemon, **more):
    directives = {"pm.status_path": "/status", "ping.path": "/ping", **more}
    return daemon.configure({"www": directives}).start()


@both_users
def test_ping(daemon):
    with_status(daemon, **{"php_admin_flag[expose_php]": "on"})
    answer = daemon.get("/ping")
    assert answer.text == "pong"
    names = [name for name, _ in answer.headers]
    assert names == ["X-Powered-By", "Content-type", "Expires", "Cache-Control"]
    assert answer.header("Content-type") == "text/plain;charset=UTF-8"
    assert answer.header("Cache-Control") == "no-cache, no-store, must-revalidate, max-age=0"
    assert answer.header("Expires") == "Thu, 01 Jan 1970 00:00:00 GMT"


def test_ping_with_its_own_answer_and_HEAD(daemon):
    with_status(daemon, **{"ping.response": "I am <alive>"})
    assert daemon.get("/ping").text == "I am <alive>"
    answer = daemon.get("/ping", method="HEAD")
    assert answer.body == b"" and answer.status == 200
    assert answer.header("Content-type") == "text/plain;charset=UTF-8"
    assert daemon.get("/ping/").status == 404


def test_text(arena, daemon):
    with_status(daemon)
    daemon.get(arena.script("a.php", "<?php"))
    answer = daemon.get("/status")
    assert answer.status == 200
    assert answer.header("Content-type") == "text/plain;charset=UTF-8"
    lines = answer.text.splitlines()
    assert [line.split(":")[0] for line in lines] == FIELDS
    values = dict((line.split(":", 1)[0], line[22:]) for line in lines)
    assert all(len(line) > 22 and line[21] == " " for line in lines)
    assert values["pool"] == "www"
    assert values["process manager"] == "static"
    assert re.fullmatch(r"\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}", values["start time"])
    assert values["accepted conn"] == "2"
    assert (values["idle processes"], values["active processes"]) == ("0", "1")
    assert (values["total processes"], values["max active processes"]) == ("1", "1")
    assert answer.text.endswith("\n")


def test_formats_and_their_types(daemon):
    with_status(daemon, **{"pm.max_children": "2"})
    wait_until(lambda: daemon.status()["total processes"] == 2, "two workers")
    types = {
        "html": "text/html;charset=UTF-8",
        "xml": "text/xml;charset=UTF-8",
        "openmetrics": "application/openmetrics-text; version=1.0.0; charset=utf-8",
        "json&xml": "text/xml;charset=UTF-8",
        "openmetrics&json": "application/json",
        "full&xml&json&html": "text/html;charset=UTF-8",
    }
    for query, wanted in types.items():
        answer = daemon.get("/status", query=query)
        assert answer.header("Content-type") == wanted, query
        assert answer.header("Expires") and answer.header("Cache-Control"), query


def test_xml(daemon):
    with_status(daemon, **{"pm.max_children": "2"})
    wait_until(lambda: daemon.status()["total processes"] == 2, "two workers")
    brief = daemon.get("/status", query="xml").text
    page = ElementTree.fromstring(brief)
    assert page.tag == "status"
    assert [one.tag for one in page] == [name.replace(" ", "-") for name in FIELDS]
    assert page.find("pool").text == "www" and int(page.find("start-time").text) > 0
    assert brief.count("\n") == len(FIELDS) + 2 and brief.endswith("</status>")
    page = ElementTree.fromstring(daemon.get("/status", query="xml&full").text)
    workers = page.findall("processes/process")
    assert len(workers) == 2
    for worker in workers:
        assert [one.tag for one in worker] == [name.replace(" ", "-") for name in PROCESS_FIELDS]
    assert "/status?xml&full" in [worker.find("request-uri").text for worker in workers]


def test_html(daemon):
    with_status(daemon)
    brief = daemon.get("/status", query="html").text
    rows = re.findall(r"<tr><th>([^<]*)</th><td>([^<]*)</td></tr>\n", brief)
    assert [name for name, _ in rows] == FIELDS
    assert re.fullmatch(r"\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}", rows[2][1])
    assert brief.endswith("</tr>\n</table>\n</body></html>")
    full = daemon.get("/status", query="html&full").text
    assert full.endswith("</tr>\n</table></body></html>")
    page = ElementTree.fromstring(full.partition("\n")[2])
    head, *workers = page.findall(".//{*}table")[1]
    assert [cell.text for cell in head] == PROCESS_FIELDS
    assert len(workers) == 1 and len(workers[0]) == len(PROCESS_FIELDS)
    assert workers[0][7].text == "/status?html&full"


def test_openmetrics(daemon):
    with_status(daemon)
    text = daemon.get("/status", query="openmetrics&full").text
    *lines, end = text.splitlines()
    assert end == "# EOF" and text.endswith("\n") and len(lines) == 3 * (len(FIELDS) - 2)
    assert lines[0] == "# HELP phpfpm_up Could pool www using a static PM on PHP-FPM be reached?"
    assert lines[1:3] == ["# TYPE phpfpm_up gauge", "phpfpm_up 1"]
    values = dict(line.split() for line in lines if not line.startswith("#"))
    assert list(values) == [
        f"phpfpm_{name}"
        for name in (
            "up start_since accepted_connections listen_queue max_listen_queue listen_queue_length "
            "idle_processes active_processes total_processes max_active_processes "
            "max_children_reached slow_requests" + (" memory_peak" if "memory peak" in FIELDS else "")
        ).split()
    ]
    assert values["phpfpm_total_processes"] == values["phpfpm_active_processes"] == "1"
    for name in values:
        kinds = [line.split()[1] for line in lines if line.split()[2:3] == [name]]
        swapped = name == "phpfpm_listen_queue_length"
        assert kinds == (["TYPE", "HELP"] if swapped else ["HELP", "TYPE"]), name


def test_text_full(arena, daemon):
    with_status(daemon, **{"pm.max_children": "2"})
    wait_until(lambda: daemon.status()["total processes"] == 2, "two workers")
    text = daemon.get("/status", query="full").text
    head, *blocks = text.split("\n************************\n")
    assert head.splitlines()[0].startswith("pool:")
    assert len(blocks) == 2
    wanted = [name.replace("uri", "URI") for name in PROCESS_FIELDS]
    for block in blocks:
        assert [line.split(":")[0] for line in block.splitlines() if line] == wanted
    assert sum("state:                Running" in block for block in blocks) == 1
    assert text.count("request URI:          /status?full") == 1


@both_users
def test_json(arena, daemon):
    with_status(daemon, **{"pm.max_children": "2"})
    answer = daemon.get("/status", query="json")
    assert answer.header("Content-Type") == "application/json"
    assert "\n" not in answer.text
    status = json.loads(answer.text)
    assert list(status) == FIELDS
    assert all(isinstance(status[name], int) for name in FIELDS[2:])
    wait_until(lambda: daemon.status(full=False)["total processes"] == 2, "two workers")
    wait_until(lambda: daemon.status(full=False)["active processes"] == 1, "only the asked one")


def test_json_full(arena, daemon):
    with_status(daemon)
    body = b"x" * 12
    path = arena.script("post.php", "<?php usleep(20000);")
    more = {"HTTP_AUTHORIZATION": "Basic YW5uOnB3"}
    (worker,) = daemon.wait_workers(1)
    with_two = arena.daemon("two")
    with_two.configure({"www": {"pm.status_path": "/status", "pm.max_children": "2"}}).start()
    answer = daemon.get("/status", query="json&full")
    (process,) = json.loads(answer.text)["processes"]
    assert list(process) == PROCESS_FIELDS
    assert process["pid"] == worker
    assert process["state"] == "Running"
    assert process["request method"] == "GET"
    assert process["request uri"] == "/status?json&full"
    assert process["script"] == "-" and process["user"] == "-"

    # One of the two asks, the other shows its last request; whoever becomes idle first or last
    # is asked first, so both orders are tried.
    def posted_and_shown():
        for hold in (False, True):
            gate = arena.gate()
            if hold:
                holder = with_two.get_in_background(gate.path, query=gate.query)
                gate.wait_started()
            with_two.get(path, method="POST", query="a=b", body=body, more=more)
            if hold:
                gate.open()
                holder.result()
            for one in with_two.status()["processes"]:
                # A moment after the answer its worker may still be finishing.
                if one["request uri"].startswith("/post.php") and one["state"] == "Idle":
                    return one
        return None

    shown = wait_until(posted_and_shown, lambda: with_two.status())
    assert shown["request method"] == "POST"
    assert shown["request uri"] == "/post.php?a=b"
    assert shown["content length"] == 12
    assert shown["user"] == "ann"
    assert shown["script"] == arena.site + "/post.php"
    assert 15_000 < shown["request duration"] < 5_000_000
    assert shown["last request memory"] >= 2097152
    assert shown["requests"] >= 1


def test_busy_and_idle_are_told_apart(arena, daemon):
    with_status(daemon, **{"pm.max_children": "3"})
    wait_until(lambda: daemon.status()["idle processes"] == 2, "two idle")
    gate = arena.gate()
    request = daemon.get_in_background(gate.path, query=gate.query)
    busy = gate.wait_started()
    status = wait_until(
        lambda: daemon.status() if daemon.status()["active processes"] == 2 else None, "two active"
    )
    states = {process["pid"]: process for process in status["processes"]}
    assert states[busy]["state"] == "Running"
    assert states[busy]["script"] == arena.site + "/gate.php"
    assert states[busy]["request duration"] > 0
    gate.open()
    request.result()
    wait_until(lambda: daemon.status()["active processes"] == 1, "one active again")
    assert daemon.status()["max active processes"] >= 2


def test_head_has_headers_and_no_body(daemon):
    with_status(daemon)
    answer = daemon.get("/status", method="HEAD", query="json")
    assert answer.status == 200 and answer.body == b""
    assert answer.header("Cache-Control") == "no-cache, no-store, must-revalidate, max-age=0"


def test_accepted_counts_every_request(arena, daemon):
    with_status(daemon)
    quick = arena.script("quick.php", "<?php")
    for _ in range(5):
        daemon.get(quick)
    daemon.get("/missing.php")
    daemon.get("/ping")
    assert daemon.status()["accepted conn"] == 8


def test_kept_alive_requests_are_counted_one_by_one(arena, daemon):
    with_status(daemon)
    quick = arena.script("quick.php", "<?php")
    with daemon.connect() as connection:
        for _ in range(3):
            connection.ask(daemon.params(quick), keep=True)
        params = daemon.params("/status", query="json")
        assert json.loads(connection.ask(params, keep=True).text)["accepted conn"] == 4


@muster_only
def test_hostile_request_is_escaped_in_json_and_text(arena, daemon):
    with_status(daemon, **{"pm.max_children": "2"})
    gate = arena.gate()
    more = {
        "SCRIPT_NAME": '/e"vil\\<b>\n\x01é',
        "REQUEST_METHOD": 'G"ET\n',
        "QUERY_STRING": gate.query + '&x="\n\xff<script>',
        "HTTP_AUTHORIZATION": "Basic dSIKLCJ4Og==",
    }
    request = daemon.get_in_background(gate.path, more=more)
    busy = gate.wait_started()
    status = daemon.status()
    (shown,) = [process for process in status["processes"] if process["pid"] == busy]
    assert shown["request method"].startswith('G"ET')
    assert shown["request uri"].startswith('/e"vil\\<b>')
    text = daemon.get("/status", query="full").text
    assert len(text.split("\n************************\n")) == 3
    lines = [line for line in text.splitlines() if line and not line.startswith("*")]
    assert all(re.match(r"[A-Za-z ]+: +\S", line) for line in lines), lines
    assert len(lines) == len(FIELDS) + 2 * len(PROCESS_FIELDS)
    gate.open()
    request.result()


def test_status_path_wins_over_a_file_and_is_exact(arena, daemon):
    arena.script("status", "<?php echo 'a file';")
    with_status(daemon)
    assert "pool:" in daemon.get("/status").text
    assert daemon.get("/status/").status in (403, 404)
    assert daemon.get("/STATUS").status in (403, 404)


def test_without_status_path_there_is_none(daemon):
    daemon.configure().start()
    assert daemon.get("/status").status == 404


@muster_only
def test_memory_peak_is_the_most_any_request_took(arena, daemon):
    with_status(daemon)
    hungry = arena.script("hungry.php", "<?php $a = str_repeat('x', 20 << 20); echo 'full';")
    modest = arena.script("modest.php", "<?php echo 'lean';")
    assert daemon.get(hungry).text == "full" and daemon.get(modest).text == "lean"
    peak = daemon.status()["memory peak"]
    assert peak > 20 << 20
    daemon.reload()
    daemon.wait_workers(1)
    assert daemon.get(modest).text == "lean"
    assert daemon.status()["memory peak"] == peak, "as the other counters: through a reload"
