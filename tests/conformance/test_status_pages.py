"""Status and ping pages, and fpm_get_status(): the same bytes but for what differs from run to run."""

import base64
import difflib
import itertools
import re

import pytest

from compare import served
from compare.differences import entries
from compare.fixtures import fail
from harness.program import Identity

POOLS = {
    "www": {"pm.status_path": "/status", "ping.path": "/ping"},
    "odd": {
        "pm": "dynamic",
        "pm.max_children": "1",
        "pm.start_servers": "1",
        "pm.min_spare_servers": "1",
        "pm.max_spare_servers": "1",
        "pm.status_path": "/st.php",
        "ping.path": "/a.b-c_d",
        "ping.response": "'a <b> & c'",
        "php_admin_flag[expose_php]": "off",
    },
    # The engine's settings for types and charsets.
    **{
        name: {
            "pm.status_path": "/status",
            "ping.path": "/ping",
            **{f"php_admin_value[{setting}]": value for setting, value in settings.items()},
        }
        for name, settings in {
            "latin": {"default_charset": "iso-8859-1", "default_mimetype": "text/x"},
            "bare": {"default_charset": '""', "default_mimetype": "image/png"},
            "blind": {"variables_order": "ES"},
        }.items()
    },
    "tcp": {
        "listen": "tcp",
        "listen.backlog": "33",
        "pm.status_path": "/status",
        "ping.path": "/ping",
    },
}


@pytest.fixture(scope="module")
def both(programs):
    assert "status-fields" in entries() and "open-metrics" in entries()
    identity = Identity.own()
    pools = {name: dict(pool) for name, pool in POOLS.items()}
    with served.serving(programs, identity, pools) as daemons:
        yield daemons


# What differs from run to run, in every format; then what 8.4 has and 8.2 has not.
CHANGING = [
    (r"\b\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}", "TIME"),
    (r"(start[ -]time\"?(?: *[:>] *|\] => ))\d+", r"\1TIME"),
    (r"(start[ -]since\"?(?: *[:>] *|</th><td>))\d+", r"\1SINCE"),
    (r"(phpfpm_start_since )\d+", r"\1SINCE"),
    (r"((?:^|[^a-z])pid\"?(?: *[:>] *))\d+", r"\1PID"),
    (r"((?:request[ -]duration|last[ -]request[ -](?:cpu|memory))\"?(?: *[:>] *))[\d.]+", r"\1N"),
    # A row of the HTML table.
    (r"<tr><td>\d+</td>(<td>[^<]*</td><td>)TIME</td><td>\d+(</td><td>\d+</td><td>)\d+", r"<tr>PID\1TIME</td><td>SINCE\2N"),
    (r"<td>[\d.]+</td><td>\d+</td></tr>", "<td>N</td><td>N</td></tr>"),
]  # fmt: skip
# php-fpm knows no queue of unix sockets.
UNIX_QUEUE = (r"(listen[ -]queue[ -]len\"?(?: *[:>] *|</th><td>|'? => ))\d+", r"\1N")
NEWER = [
    r"memory peak: .*\n",
    r',"memory peak":\d+',
    r"<memory-peak>.*\n",
    r"<tr><th>memory peak</th>.*\n",
]


def neutral(text, daemon):
    for pattern, replacement in CHANGING:
        text = re.sub(pattern, replacement, text, flags=re.M)
    for pattern in NEWER:
        text = re.sub(pattern, "", text)
    return text.replace(daemon.arena.dir, "{arena}").split("\n")


# Some cases are asked again: what was counted before is compared by others.
COUNTED = (r"((?:accepted[ -]conn|requests)\"?(?: *[:>] *|</th><td>|'? => ))\d+", r"\1N")


def page(daemon, path, pool, replaced=(), **request):
    answer = daemon.get(path, pool=pool, **request)
    text = answer.stdout.decode("latin-1")
    for pattern, replacement in (*replaced, *([] if pool == "tcp" else [UNIX_QUEUE])):
        text = re.sub(pattern, replacement, text)
    return neutral(text, daemon) + neutral(answer.stderr.decode("latin-1"), daemon)


def same(both, compare):
    theirs, ours = (compare(daemon) for daemon in both)
    if theirs != ours:
        fail("\n".join(difflib.unified_diff(theirs, ours, "php-fpm", "muster", "", "", 3, "")))


FORMATS = ["", "html", "xml", "json"]
QUERIES = [
    *("&".join(one) for one in itertools.product(FORMATS, ["", "full"])),
    *("&".join(one) for one in itertools.permutations(["xml", "json", "html", "openmetrics"], 2)
      if set(one) & {"xml", "html", "json"}),
    "full=0&json=0", "JSON&XML", "full[]=1&xml[a]=b", "%6a%73on", "json.", " json", "json;full", "a=b&&json&=&full", "json%00x&full",
    "xml&full&full", "y=json", "json=full", "+json", "full+", "html%5B", "json#full", "json&" + "x" * 600,
]  # fmt: skip


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("pool", ["www", "tcp"])
def test_pages(both, query, pool):
    same(both, lambda daemon: page(daemon, "/status", pool, [COUNTED], query=query))


def test_beginnings_of_words_are_none(both):
    assert "status-query" in entries()
    oracle, muster = both
    for query, shown in (("x=1", "<?xml"), ("j", "{"), ("h=2", "<!DOCTYPE")):
        assert oracle.get("/status", query=query).text.startswith(shown)
        assert muster.get("/status", query=query).text.startswith("pool: ")


@pytest.mark.parametrize("query", ["", "full", "json", "xml&full", "html", "openmetrics"])
@pytest.mark.parametrize("method", ["HEAD", "POST", "head", "OPTIONS", ""])
@pytest.mark.parametrize("path", ["/status", "/ping", "/status/", "/ping/x", "/Status", ""])
def test_methods_and_paths(both, query, method, path):
    if path == "/status" and method != "HEAD" and query == "openmetrics":
        pytest.skip("open-metrics")
    same(both, lambda daemon: page(daemon, path, "www", [COUNTED], query=query, method=method))


@pytest.mark.parametrize("missing", ["REQUEST_METHOD", "SCRIPT_NAME", "SCRIPT_FILENAME", "QUERY_STRING"])
@pytest.mark.parametrize("path", ["/status", "/ping"])
def test_missing_parameters(both, missing, path):
    same(both, lambda daemon: page(daemon, path, "www", [COUNTED], more={missing: None}))


@pytest.mark.parametrize("path", ["/a.b-c_d", "/st.php", "/ping"])
@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_odd_settings(both, path, method):
    same(both, lambda daemon: page(daemon, path, "odd", [COUNTED], method=method))


@pytest.mark.parametrize("query", ["", "html&full", "json", "xml"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", ["/status", "/ping", "/missing.php"])
@pytest.mark.parametrize("pool", ["latin", "bare", "blind"])
def test_engine_settings(both, pool, path, method, query):
    same(both, lambda daemon: page(daemon, path, pool, [COUNTED], method=method, query=query))


# A counter of OpenMetrics must be called …_total; see `open-metrics`.
METRIC = re.compile(r"(# TYPE \w+) (?:counter|gauge|unknown)$")


def test_open_metrics_has_php_fpms_lines_in_their_order(both):
    oracle, muster = both
    theirs, ours = (page(daemon, "/status", "tcp", query="openmetrics&full") for daemon in both)
    theirs, ours = ([METRIC.sub(r"\1", line) for line in lines] for lines in (theirs, ours))
    at = theirs.index("# EOF")
    assert ours[:at] == theirs[:at]
    assert ours[-3:] == theirs[at:] and ours.count("# EOF") == 1


DUMP = """<?php
function types($value, $path = '') {
    foreach ($value as $key => $one) {
        echo "$path$key: ", gettype($one), "\\n";
        if (is_array($one)) types($one, "$path$key/");
    }
}
types(fpm_get_status());
"""
VALUES = """<?php
$status = fpm_get_status();
foreach (['start-time', 'start-since', 'memory-peak'] as $key) unset($status[$key]);
foreach ($status['procs'] as &$one) {
    assert(is_int($one['pid']) && $one['start-time'] > 1e9 && $one['request-duration'] >= 0);
    unset($one['pid'], $one['start-time'], $one['start-since'], $one['request-duration']);
}
var_export($status);
"""


@pytest.mark.parametrize("pool", POOLS)
def test_get_status_has_the_same_keys_and_types(both, pool):
    def asked(daemon):
        path = daemon.arena.script("types.php", DUMP)
        text = daemon.get(path, pool=pool).text
        return text.replace("memory-peak: integer\n", "").split("\n")

    same(both, asked)


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("body", [b"", b"1234567"])
def test_get_status_has_the_same_values(both, pool, body):
    more = {"HTTP_AUTHORIZATION": "Basic YW5uOnB3"} if body else None

    def asked(daemon):
        path = daemon.arena.script("values.php", VALUES)
        method = "POST" if body else "GET"
        return page(daemon, path, pool, [COUNTED], method=method, query="a=b&c", body=body, more=more)

    same(both, asked)


# Texts are cut to the same sizes, and given to scripts as they are.
LONG = {"method": b"M" * 40, "uri": b"/" + b"u" * 300, "query": b"q" * 900, "user": b"n" * 90}
ODD = {
    "method": b"G\"\xff", "uri": b"/\n<b>\xc3\xa9", "query": b"x=%41&\x01\"'", "user": b"\xfe<u>"
}  # fmt: skip


def odd_parameters(values, more=()):
    return {
        "REQUEST_METHOD": values["method"],
        "SCRIPT_NAME": values["uri"],
        "QUERY_STRING": values["query"],
        "HTTP_AUTHORIZATION": b"Basic " + base64.b64encode(values["user"] + b":pw"),
        **dict(more),
    }


@pytest.mark.parametrize("values", [LONG, ODD], ids=["long", "odd"])
@pytest.mark.parametrize("length", ["", "77", "12x", "99999999999"])
def test_get_status_of_odd_requests(both, values, length):
    def asked(daemon):
        path = daemon.arena.script("values.php", VALUES)
        more = odd_parameters(values, {"CONTENT_LENGTH": length, "CONTENT_TYPE": "x/y"})
        return page(daemon, path, "www", [COUNTED], more=more)

    same(both, asked)


@pytest.mark.parametrize("query", ["full", "json&full", "xml&full", "html&full"])
def test_long_texts_are_cut_alike(both, query):
    def asked(daemon):
        more = odd_parameters(LONG, {"SCRIPT_NAME": "/status", "QUERY_STRING": query.encode() + b"&" + b"q" * 900})
        return page(daemon, "/status", "www", [COUNTED], more=more)

    same(both, asked)
