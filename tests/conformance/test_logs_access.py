"""Access-log lines: every token and modifier, long and odd values, and what is left out."""

import base64
import difflib
import re

import pytest

from compare import served
from compare.differences import entries, escaped
from compare.fixtures import fail
from harness.program import Identity

LOG = {"access.log": "{dir}/$pool.access"}
PAGES = {"pm.status_path": "/status", "ping.path": "/ping"}
POOLS = {
    "default": PAGES,
    "tcp": {"listen": "tcp", **PAGES},
    "tokens": {"access.format": '"%%|%l|%m|%n|%q|%Q|%r|%R|%s|%u|%f|"', **PAGES},
    "params": {
        "access.format": '"%{HTTP_HOST}e|%{REQUEST_URI}e|%{PATH}e|%{NOT_THERE}e|%{REMOTE_USER}e|'
        '%{QUERY_STRING}e|%{http_host}e|%{a}{HTTP_HOST}e"'
    },
    "headers": {
        "access.format": '"%{Content-type}o|%{content-type}o|%{X-Long}o|%{X-Empty}o|%{X-None}o|'
        '%{X-Twice}o|%{Status}o|%{Location}o|%{X}o|%{X-Powered-By}o"'
    },
    "numbers": {
        "access.format": '"C %C %{user}C %{system}C %{TOTAL}C d %d %{seconds}d %{milli}d '
        "%{milliseconds}d %{mili}d %{miliseconds}d %{micro}d %{MICROSECONDS}d M %M %{bytes}M "
        '%{kilo}M %{kilobytes}M %{mega}M %{MegaBytes}M p %p P %P"'
    },
    "times": {
        "access.format": '"%t|%T|%{%Y}t|%{%Y-%m-%dT%H:%M:%S%z}T|%{%A %B %j %U %%}t|%{text}T|"'
    },
    "plain": {"access.format": '"no token at all, but 100%% \\" tail %"'},
    "only_query": {"access.format": "%q"},
    "limited": {"access.format": '"%m|%r|%q|%u|%f|end"'},
    "whole": {"access.format": '"%{LONG}e"'},
    "a_pool_name_that_is_longer_than_31_bytes": {"access.format": '"%n|%R"'},
    "suppress": {
        "access.format": '"%m %r%Q%q %s %l"',
        "access.suppress_path[]": ["/page.php", "/ping", "/status", "/Case.php", "/none"],
        **PAGES,
    },
}
PAGE = r"""<?php
if (isset($_GET['code'])) http_response_code((int)$_GET['code']);
if (isset($_GET['long'])) header('X-Long: ' . str_repeat('h', (int)$_GET['long']));
if (isset($_GET['type'])) header('Content-type: ' . $_GET['type']);
if (isset($_GET['twice'])) { header('X-Twice: one'); header('X-Twice: two', false); }
if (isset($_GET['empty'])) header('X-Empty:');
if (isset($_GET['location'])) header('Location: /away');
if (isset($_GET['flush'])) { echo 'first'; flush(); header('X-None: late'); }
if (isset($_GET['finish'])) fastcgi_finish_request();
if (isset($_GET['exit'])) exit(3);
if (isset($_GET['fatal'])) not_there();
echo 'page';
"""


def basic(text):
    return "Basic " + base64.b64encode(text.encode("latin-1")).decode()


def everywhere():
    """(method, path, query, body, more params)"""
    yield "GET", "/page.php", "", b"", {}
    yield "GET", "/page.php", "a=b&c=%20d", b"", {"HTTP_HOST": "example.org"}
    yield "POST", "/page.php", "", b"a=b", {"HTTP_HOST": ""}
    yield "HEAD", "/page.php", "x", b"", {"REMOTE_USER": "somebody"}
    yield "PROPFIND", "/page.php", "code=207", b"", {}
    yield "GET", "/none.php", "", b"", {}
    yield "GET", "/page.txt", "", b"", {"SCRIPT_FILENAME": "/etc/passwd"}
    yield "GET", "/page.php", "code=404", b"", {}
    yield "GET", "/page.php", "location", b"", {}
    yield "GET", "/page.php", "fatal", b"", {}
    yield "GET", "/page.php", "exit", b"", {}
    yield "GET", "/page.php", "flush", b"", {}
    yield "GET", "/page.php", "finish", b"", {}
    yield "GET", "/page.php", "twice&empty&type=text/plain", b"", {}
    yield "GET", "/page.php/info", "", b"", {"PATH_INFO": "/info"}
    yield "GET", "/ping", "", b"", {"SCRIPT_FILENAME": "/ping"}
    yield "GET", "/ping", "json", b"", {}
    yield "HEAD", "/status", "", b"", {}
    yield "GET", "/page.php", "", b"", {"REQUEST_METHOD": None}
    yield "GET", "/page.php", "", b"", {"SCRIPT_NAME": None, "REQUEST_URI": None}
    yield "GET", "/page.php", "", b"", {"QUERY_STRING": None, "CONTENT_LENGTH": None}
    yield "GET", "/page.php", "", b"", {"CONTENT_LENGTH": "12abc"}
    yield "GET", "/page.php", "", b"", {"REMOTE_ADDR": "192.0.2.1"}
    yield "GET", "/page.php", "é=ü", b"", {"HTTP_HOST": 'quo"ted \\ ü'}
    yield "GET", "/page.php", "twice=a\tb", b"", {}


def users():
    for text in ("bob:secret", "bob:", "bob", ":", ":x", "a b:c", "a:b:c", "ü:x", "", 'q"u:x'):
        yield "GET", "/page.php", "", b"", {"HTTP_AUTHORIZATION": basic(text)}
    for raw in ("Basic", "Basic ", "basic Ym9iOng=", "BASIC Ym9iOng=", "Basic  Ym9iOng=",
                "Basic Ym9iOng", "Basic !!!", "Digest username=x", "Bearer abc", ""):  # fmt: skip
        yield "GET", "/page.php", "", b"", {"HTTP_AUTHORIZATION": raw}
    for size in (30, 31, 32, 33, 100):
        text = "u" * size + ":x"
        yield "GET", "/page.php", "", b"", {"HTTP_AUTHORIZATION": basic(text)}


def limits():
    for size in (14, 15, 16, 17, 40):
        yield "M" * size, "/page.php", "", b"", {}
    for size in (126, 127, 128, 129, 255, 300):
        yield "GET", "/page.php", "", b"", {"SCRIPT_NAME": "/" + "s" * (size - 1)}
    for size in (510, 511, 512, 513, 1000, 3000):
        yield "GET", "/page.php", "q" * size, b"", {}
    for size in (253, 254, 255, 256, 257, 400):
        name = "/" + "/".join(["d" * 60] * 6)
        yield "GET", "/page.php", "", b"", {"SCRIPT_FILENAME": name[: size - 4] + ".php"}


def whole_lines():
    for size in (*range(1018, 1030), 1100, 2047, 2048, 5000):
        yield "GET", "/page.php", "", b"", {"LONG": "l" * size}
    yield "GET", "/page.php", "", b"", {"LONG": ""}
    yield "GET", "/page.php", "", b"", {"LONG": None}


def header_lengths():
    for size in (0, 1, 2, 255, 900, 980, 1000, 1010, 1023, 1024, 1500):
        yield "GET", "/page.php", f"long={size}", b"", {}


def suppressed():
    yield from everywhere()
    for method in ("GET", "HEAD", "POST", "get", "OPTIONS"):
        yield method, "/page.php", "", b"", {}
    for code in (199, 200, 201, 204, 299, 300, 304, 404, 500):
        yield "GET", "/code.php", "", b"", {"SCRIPT_NAME": "/page.php", "X_CODE": str(code)}
    for path in ("/Page.php", "/page.php/", "//page.php", "/page.phpx", "/case.php", "/none"):
        yield "GET", "/page.php", "", b"", {"SCRIPT_NAME": path}
    for length in ("0", "1", "-1", "", "x"):
        yield "GET", "/page.php", "", b"", {"CONTENT_LENGTH": length}
    yield "GET", "/page.php", "", b"", {"QUERY_STRING": "", "REQUEST_URI": "/page.php?x"}


REQUESTS = {
    "default": [everywhere, users], "tcp": [everywhere], "tokens": [everywhere, users],
    "params": [everywhere], "headers": [everywhere, header_lengths], "numbers": [everywhere],
    "times": [everywhere], "plain": [everywhere], "only_query": [everywhere],
    "limited": [limits, users], "whole": [whole_lines], "suppress": [suppressed],
    "a_pool_name_that_is_longer_than_31_bytes": [everywhere],
}  # fmt: skip
NUMBER = [
    (re.compile(r"\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+\d{4}"), "<time>"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+\d{4}"), "<ISO time>"),
]


def numbers(line, daemon):
    """A line of the pool "numbers": their form, and how the units hang together."""
    found = re.fullmatch(
        r"C (\d+\.\d\d) (\d+\.\d\d) (\d+\.\d\d) (\d+\.\d\d) "
        r"d (\d+\.\d{3}) (\d+\.\d{3}) (\d+\.\d{3}) (\d+\.\d{3}) (\d+\.\d{3}) (\d+\.\d{3}) (\d+) (\d+)"
        r" M (\d+) (\d+) (\d+) (\d+) (\d+) (\d+) p (\d+) P (\d+)",
        line,
    )
    if not found:
        return f"not of the form: {line}"
    values = [float(value) for value in found.groups()]
    total, user, system, again = values[:4]
    seconds, micro = values[4], values[11]
    memory = values[12]
    checks = {
        "CPU": again == total and abs(user + system - total) < 0.02,
        "seconds": values[5] == seconds and abs(micro / 1e6 - seconds) <= 0.001,
        "milliseconds": all(abs(micro / 1e3 - value) <= 0.01 for value in values[6:10]),
        "memory": values[13] == memory and memory >= 1 << 19 and memory % 4096 == 0,
        "kilo": values[14] == values[15] == memory // 1024,
        "mega": values[16] == values[17] == memory // 1048576,
        "pids": values[18] != daemon.master and values[19] == daemon.master,
    }
    return "as it should be" if all(checks.values()) else f"{checks}: {line}"


def ask_all(daemon, pool):
    """[(request, lines of the access log that followed, what the web server was told)]"""
    daemon.arena.script("page.php", PAGE)
    daemon.arena.script("code.php", "<?php http_response_code((int)$_SERVER['X_CODE']);")
    log, seen, at = daemon.file(f"{pool}.access"), [], 0
    for requests in REQUESTS[pool]:
        for method, path, query, body, more in requests():
            answer = daemon.get(path, pool, method, query, body, more)
            # The line is there before the answer ends, but after fastcgi_finish_request().
            daemon.get("/none.php", pool)
            request = f"{method} {path[:40]}?{query[:40]} ({len(query)}) {str(more)[:70]}"
            text = served.bytes_of(log)
            seen.append((request, answer.stderr.decode("latin-1"), text[at:]))
            at = len(text)
    return seen


def neutral(text, pool, daemon):
    lines = [line.replace(daemon.arena.dir, "{arena}") for line in text.split("\n")]
    for expression, replacement in NUMBER:
        lines = [expression.sub(replacement, line) for line in lines]
    if pool == "numbers":
        lines = [numbers(line, daemon) if line else "" for line in lines]
    if daemon.is_oracle:
        lines = [re.sub("(; )?the log buffer is full .*", "", line) for line in lines]
        # `access-cut` and `control-bytes`.
        lines = [re.sub("^(.{1023})\0$", r"\1", line) for line in lines]
        lines = escaped([line.replace("\t", "\\x09") for line in lines])
    return [served.short(line) for line in lines]


@pytest.fixture(scope="module")
def both(programs):
    identity = Identity.own()
    pools = {name: {**LOG, **directives} for name, directives in POOLS.items()}
    with served.serving(programs, identity, pools) as daemons:
        yield daemons


@pytest.mark.parametrize("pool", POOLS)
def test_lines(both, pool):
    assert "control-bytes" in entries() and "access-cut" in entries()
    oracle, muster = both
    problems = []
    theirs, ours = ask_all(oracle, pool), ask_all(muster, pool)
    assert sum(bool(logged) for _, _, logged in theirs) >= len(theirs) / 4
    for one, other in zip(theirs, ours):
        assert one[0] == other[0]
        for what, at in (("told", 1), ("logged", 2)):
            texts = [
                neutral(said[at], pool, daemon) for said, daemon in ((one, oracle), (other, muster))
            ]
            if texts[0] != texts[1]:
                problems.append(f"{what} of {one[0]}")
                problems += list(difflib.unified_diff(*texts, "php-fpm", "muster", "", "", 3, ""))[
                    3:
                ]
    if problems:
        fail("\n".join(problems))
