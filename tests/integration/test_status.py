"""Status and ping pages: formats, values, headers, hostile content."""

import base64
import json
import os
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

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


# php-fpm's names in its order, each with the type it has there and the one it must have.
METRICS = {
    "up": "gauge",
    "start_since": "gauge",
    "accepted_connections": "unknown",
    "listen_queue": "gauge",
    "max_listen_queue": "gauge",
    "listen_queue_length": "gauge",
    "idle_processes": "gauge",
    "active_processes": "gauge",
    "total_processes": "gauge",
    "max_active_processes": "gauge",
    "max_children_reached": "unknown",
    "slow_requests": "unknown",
}
OUR_METRICS = [
    "memory_peak",
    "timed_out_requests",
    "failed_requests",
    "workers_died_young",
    "max_children",
    "max_requests",
    "request_terminate_timeout_seconds",
    "request_slowlog_timeout_seconds",
]


def metrics(text):
    """{name: (type, value)} by a parser that takes nothing but OpenMetrics."""
    found = {}
    for family in text_string_to_metric_families(text):
        (sample,) = family.samples
        assert sample.name == family.name and not sample.labels and family.documentation
        found[family.name.removeprefix("phpfpm_")] = (family.type, sample.value)
    return found


@muster_only
def test_openmetrics(daemon):
    with_status(
        daemon,
        **{
            "pm.max_children": "3",
            "pm.max_requests": "500",
            "request_terminate_timeout": "70s",
            "request_slowlog_timeout": "5s",
            "slowlog": f"{daemon.dir}/slow.log",
        },
    )

    def page_when_only_its_worker_is_busy():
        text = daemon.get("/status", query="openmetrics&full").text
        return text if "\nphpfpm_idle_processes 2\n" in text else None

    text = wait_until(page_when_only_its_worker_is_busy, "two workers are idle")
    found = metrics(text)
    assert list(found) == [*METRICS, *OUR_METRICS]
    assert {name: found[name][0] for name in METRICS} == METRICS
    gauges = set(OUR_METRICS) - {"timed_out_requests", "failed_requests"}
    assert {found[name][0] for name in gauges} == {"gauge"}
    values = {name: value for name, (_, value) in found.items()}
    assert (values["up"], values["total_processes"], values["active_processes"]) == (1, 3, 1)
    assert (values["max_children"], values["max_requests"]) == (3, 500)
    assert values["request_terminate_timeout_seconds"] == 70
    assert values["request_slowlog_timeout_seconds"] == 5
    lines = text.splitlines()
    assert lines[0] == "# HELP phpfpm_up Could pool www using a static PM on PHP-FPM be reached?"
    for name in METRICS:
        kinds = [line.split()[1] for line in lines if line.split()[2:3] == [f"phpfpm_{name}"]]
        assert kinds == (["TYPE", "HELP"] if name == "listen_queue_length" else ["HELP", "TYPE"])


@muster_only
@pytest.mark.parametrize("name", ["<b>&", "back\\slash", "a b # c", "ünï", "x" * 31, "{}=,"])
def test_odd_pool_names_break_no_format(daemon, name):
    daemon.configure({name: {"listen": f"{daemon.dir}/s", "pm.status_path": "/status"}}).start()

    def ask(query):
        return daemon.get("/status", pool=name, query=query).text

    assert json.loads(ask("json&full"))["pool"] == name
    assert ElementTree.fromstring(ask("xml&full")).find("pool").text == name
    page = ElementTree.fromstring(ask("html&full").partition("\n")[2])
    assert page.find(".//{*}td").text == name
    assert ask("").splitlines()[0] == f"pool:                 {name}"
    (up,) = [one for one in text_string_to_metric_families(ask("openmetrics")) if one.name == "phpfpm_up"]
    assert up.documentation == f"Could pool {name} using a static PM on PHP-FPM be reached?"


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


class Table(HTMLParser):
    """The cells of all tables, as a browser would show them."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.cells = set(), []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        if tag == "td":
            self.cells.append("")

    def handle_data(self, data):
        if self.cells and self.lasttag == "td":
            self.cells[-1] += data


# What nobody expects in a method, a URI, a query, a user or a script's name.
HOSTILE = {
    "quotes": b"\"'\\`",
    "markup": b"</td></tr><script>alert(1)</script><!--",
    "xml": b"]]><!DOCTYPE a [<!ENTITY x 'y'>]>&x;&amp;<?php ?>",
    "json": b'","processes":[],"x":"\\u0000\\',
    "lines": b"a\nphpfpm_up 0\r\n# EOF\n\n****\npid: 1",
    "controls": bytes(range(1, 32)) + b"\x7f",
    "terminal": b"\x1b[2J\x9b1m",
    "not-utf8": b"\xff\xfe\xc0\xaf\xed\xa0\x80\xf5\x80\x80\x80",
    "odd-utf8": "\u2028\ufeff\ufffe\U0010ffff\x85\u202e".encode(),
    "cut": "ä€😀".encode() * 200,
}


@muster_only
@pytest.mark.parametrize("value", [pytest.param(value, id=name) for name, value in HOSTILE.items()])
def test_hostile_values_break_no_format(arena, daemon, value):
    with_status(daemon, **{"pm.max_children": "2"})
    gate = arena.gate()
    # In the script's name, too, as far as a file can have it.
    place = os.path.join(os.fsencode(arena.site), value.replace(b"/", b"")[:100])
    os.mkdir(place)
    name = os.path.join(place, b"gate.php")
    with open(arena.site + gate.path, "rb") as gate_script, open(name, "wb") as copy:
        copy.write(gate_script.read())
    more = {
        "SCRIPT_FILENAME": name,
        "SCRIPT_NAME": b"/" + value,
        "REQUEST_METHOD": b"G" + value,
        "QUERY_STRING": gate.query.encode() + b"&" + value,
        "HTTP_AUTHORIZATION": b"Basic " + base64.b64encode(value.replace(b":", b"") + b":pw"),
    }
    request = daemon.get_in_background(gate.path, more=more)
    busy = gate.wait_started()
    try:
        pages = {
            query: daemon.get("/status", query=query).body.decode()  # all of it is UTF-8 but text
            for query in ("json&full", "xml&full", "html&full", "openmetrics&full")
        }
        workers = json.loads(pages["json&full"])["processes"]
        (shown,) = [one for one in workers if one["pid"] == busy]
        assert len(workers) == 2 and list(shown) == PROCESS_FIELDS
        sane = value[:3].decode(errors="ignore")
        assert shown["request method"].startswith("G" + sane[:1])

        page = ElementTree.fromstring(pages["xml&full"])
        assert {one.tag for one in page.iter()} <= {
            "status", "processes", "process", *(name.replace(" ", "-") for name in FIELDS + PROCESS_FIELDS)
        }  # fmt: skip
        assert [len(one) for one in page.findall("processes/process")] == [len(PROCESS_FIELDS)] * 2

        table = Table(pages["html&full"])
        assert table.tags == {"html", "head", "title", "body", "table", "tr", "th", "td"}
        assert len(table.cells) == len(FIELDS) + 2 * len(PROCESS_FIELDS)
        ElementTree.fromstring(pages["html&full"].partition("\n")[2])

        assert list(metrics(pages["openmetrics&full"])) == [*METRICS, *OUR_METRICS]

        text = daemon.get("/status", query="full").body
        lines = [line for line in re.split(rb"[\r\n]", text) if line and not line.startswith(b"*")]
        assert all(re.match(rb"[A-Za-z ]+: +\S", line) for line in lines), lines
        assert len(lines) == len(FIELDS) + 2 * len(PROCESS_FIELDS)
        assert not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]", text)
    finally:
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
