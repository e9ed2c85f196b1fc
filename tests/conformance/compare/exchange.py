"""Sends the same requests to a php-fpm and a muster of one site, and compares all that comes of them."""

import contextlib
import difflib
import os
import re
import zlib
from dataclasses import dataclass

from harness import fastcgi
from harness.arena import Arena
from harness.waiting import PATIENCE, wait_until

from . import served
from .differences import entries, escaped
from .site import lay_out

# Everything a line can hold but times, process ids and memory.
ACCESS_FORMAT = (
    '"%%|%{X_CASE}e|%l|%m|%n|%Q|%r|%R|%s|%u|%f|%q|%{Content-type}o|%{Status}o|%{Location}o|'
    "%{X-Powered-By}o|%{SCRIPT_FILENAME}e|%{PATH_INFO}e|%{ORIG_SCRIPT_NAME}e|%{SCRIPT_NAME}e|%{PATH_TRANSLATED}e|"
    '%{ORIG_SCRIPT_FILENAME}e|%{ORIG_PATH_INFO}e|%{ORIG_PATH_TRANSLATED}e|%{HTTP_HOST}e"'
)
POOL = {
    "access.log": "{dir}/$pool.access",
    "access.format": ACCESS_FORMAT,
    "catch_workers_output": "yes",
    # Without the worker's process id, whose length would tell where lines are wrapped.
    "decorate_workers_output": "no",
    "request_terminate_timeout": "30s",
}
NAMES = {fastcgi.STDOUT: "STDOUT", fastcgi.STDERR: "STDERR"}
MARKER = "marker"


@dataclass
class Request:
    """Parameters as pairs, because names may come twice."""

    id: str
    params: list
    body: bytes = b""
    keep: bool = True
    short_body: bool = False  # fewer bytes than CONTENT_LENGTH says: STDIN and connection end
    role: int = fastcgi.RESPONDER
    reason_differs: bool = False  # `open-reason`

    def bytes(self):
        records, chunk = b"", b""
        for name, value in [*self.params, ("X_CASE", self.id)]:
            one = fastcgi.pair(coded(name), coded(value))
            if len(chunk) + len(one) > 60000:
                records += fastcgi.record(fastcgi.PARAMS, chunk)
                chunk = b""
            chunk += one
        records += fastcgi.record(fastcgi.PARAMS, chunk) + fastcgi.record(fastcgi.PARAMS)
        flags = fastcgi.KEEP_CONN if self.keep else 0
        return fastcgi.begin(1, self.role, flags) + records + fastcgi.stdin_stream(self.body)


def coded(text):
    return text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text


class Line:
    """One kept-alive connection to a pool, opened anew whenever it was closed."""

    def __init__(self, daemon, pool):
        self._daemon, self._pool, self._connection = daemon, pool, None

    def send(self, request):
        if self._connection is None:
            self._connection = self._daemon.connect(self._pool, 20.0)
        data = request.bytes()
        try:
            self._connection.send(data)
        except (BrokenPipeError, ConnectionResetError):
            self.close()  # closed behind the answer before
            self._connection = self._daemon.connect(self._pool, 20.0)
            self._connection.send(data)
        if request.short_body:
            self._connection.half_close()

    def receive(self, request):
        try:
            response = self._connection.read_response()
        except TimeoutError:
            self.close()
            return None
        if not response.ended or not request.keep or request.short_body:
            self.close()
        return response

    def close(self):
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def joined(pieces):
    """[(name, data)], no two of one name in a row."""
    texts = []
    for name, data in pieces:
        if texts and texts[-1][0] == name:
            data = texts.pop()[1] + data
        texts.append((name, data))
    return texts


def fragments(response, daemon):
    """What was written where, in order, however it was put into records."""
    if response is None:
        return ["no answer"]
    texts = joined((NAMES[one.kind], one.content) for one in response.records if one.kind in NAMES)
    if daemon.is_oracle:  # `access-cut`
        told = re.compile(rb"(; )?" + re.escape(FULL.encode()))
        texts = [(name, told.sub(b"", data) if name == "STDERR" else data) for name, data in texts]
        texts = joined((name, data) for name, data in texts if data)
    lines = []
    for name, data in texts:
        for text in data.decode("latin-1").split("\n"):
            lines.append(f"{name} {text}")
    return [*lines, f"END {response.app_status} {response.protocol_status}"]


class Markers:
    """Requests whose line in the logs parts those of the requests around them.

    They name files of a forbidden extension, and log by themselves where none is forbidden.
    """

    def __init__(self, site):
        self._folder, self._made = f"{site}/m", 0
        os.mkdir(self._folder)

    def request(self, number, keep):
        path = f"{self._folder}/{number}.{MARKER}"
        while self._made <= number:
            with open(f"{self._folder}/{self._made}.{MARKER}", "w", encoding="ascii") as file:
                file.write(f"<?php error_log('/m/{self._made}.{MARKER}', 4);")
            self._made += 1
        params = [("SCRIPT_FILENAME", path), ("REQUEST_METHOD", "GET")]
        return Request(f"{MARKER}{number}", params, keep=keep)


# Not of a request; `recycling`.
LIFE = re.compile(r"\] NOTICE: .*child N (is replaced because|exited with code 0|started)")
MARK = re.compile(rf"NOTICE: .*/m/(\d+)\.{MARKER}")


class Twins:
    """The two daemons and one site."""

    def __init__(self, daemons):
        self.daemons = daemons
        self.site = daemons[0].arena.site
        self._markers = Markers(self.site)

    def ask(self, pool, requests):
        """[problem text]: every difference in what came back and what was logged."""
        lines = [Line(daemon, pool) for daemon in self.daemons]
        since = [daemon.log.mark() for daemon in self.daemons]
        access = [daemon.file(f"{pool}.access") for daemon in self.daemons]
        logged_before = [len(served.bytes_of(log)) for log in access]
        answers = []
        for number, request in enumerate(requests):
            for line in lines:
                line.send(request)
            pair = [
                fragments(line.receive(request), daemon)
                for line, daemon in zip(lines, self.daemons)
            ]
            marker = self._markers.request(number, request.keep)
            for line in lines:
                line.send(marker)
            for line in lines:
                mark = line.receive(marker)
                assert mark and mark.ended, f"{request.id}: no answer to the next request"
            answers.append(pair)
        for line in lines:
            line.close()
        logs = [
            self._parts(daemon, pool, mark, len(requests))
            for daemon, mark in zip(self.daemons, since)
        ]
        lines_of_access = [
            access_parts(served.bytes_of(log)[start:]) for log, start in zip(access, logged_before)
        ]
        problems = []
        for number, (request, pair) in enumerate(zip(requests, answers)):
            for what, sides in (
                ("answer", pair),
                ("error log", [parts[number] for parts in logs]),
                ("access log", [parts[number] for parts in lines_of_access]),
            ):
                problems += self._compare(request, what, sides)
        return problems

    def _parts(self, daemon, pool, since, count):
        """The pool's lines of the error log, per request; test_logs_access.py knows about FULL."""

        def complete():
            text = served.bytes_of(daemon.log)[since:]
            return text if f"/m/{count - 1}.{MARKER}" in text and text[-1] == "\n" else None

        text = wait_until(complete, "the last marker is logged", 10)
        parts = [[]]
        for line in served.neutral(text, daemon):
            elsewhere = line.startswith("[time") and f"[pool {pool}]" not in line
            if elsewhere or FULL in line or LIFE.search(line):
                continue
            if MARK.match(line):
                parts.append([])
            else:
                parts[-1].append(line)
        return parts

    def _compare(self, request, what, sides):
        texts = [
            [neutral(line, daemon) for line in side] for side, daemon in zip(sides, self.daemons)
        ]
        if request.reason_differs:
            texts = [[REASON.sub(r"\1", line) for line in text] for text in texts]
        texts = [
            known(text, what) if daemon.is_oracle else text
            for text, daemon in zip(texts, self.daemons)
        ]
        if texts[0] == texts[1]:
            return []
        shown = [[served.short(line) for line in text] for text in texts]
        if shown[0] == shown[1]:
            shown = texts
        diff = list(difflib.unified_diff(*shown, "php-fpm", "muster", "", "", 2, ""))[3:]
        return [f"{what} of {request.id}", *diff]


def neutral(line, daemon):
    return re.sub(PHP_TIME, "[time]", line.replace(daemon.dir, "{dir}"))


def access_parts(text):
    """The lines between two markers; a request has one at most, whatever bytes are in it."""
    parts = [[]]
    for line in text.split("\n"):
        if line.startswith(f"%|{MARKER}"):
            parts.append([])
        elif line:
            parts[-1].append(line)
    return [["\n".join(lines)] if lines else [] for lines in parts]


PHP_TIME = r"\[\d\d-\w{3}-\d{4} \d\d:\d\d:\d\d UTC\]"
KNOWN = (
    "access-cut",
    "control-bytes",
    "nul-values",
    "open-reason",
    "recycling",
    "worker-streams",
)
FULL = "the log buffer is full (1024). The access log request has been truncated."
REASON = re.compile(r"(?<=Unable to open primary script: )(.*) \([A-Z][a-z ]+\)$")
LOST_STREAM = re.compile(r"^(?:STDERR|NOTICE:) PHP message: (through fd 2)$")
NUL_VALUE = re.compile(r'^(STDOUT [A-Z_]+ => )string\(\d+\) "([^\0"]*)\0.*')


def known(lines, what):
    """php-fpm's lines as muster has them."""
    if what == "access log":
        lines = [line[:1023] for line in lines]
        return escaped([re.sub(r"[\t\n]", hexadecimal, line) for line in lines])
    if what == "error log":
        lines = [LOST_STREAM.sub(r"[time] \1", line) for line in lines]
        return escaped(lines)
    lines = [
        line for line in lines if not line.startswith("STDERR") or not LOST_STREAM.search(line)
    ]
    return [NUL_VALUE.sub(lambda m: f'{m[1]}string({len(m[2])}) "{m[2]}"', line) for line in lines]


def hexadecimal(match):
    return f"\\x{ord(match[0]):02X}"


@contextlib.contextmanager
def twins(programs, identity, pools, globals_=None, *arguments, files=None):
    """Both up on one site, with `pools` on top of what makes everything visible."""
    assert set(KNOWN) <= set(entries())
    arena = Arena(identity)
    lay_out(arena)
    for name, text in (files or {}).items():
        arena.script(name, fill(text, arena.site))
    arguments = [fill(text, arena.site) for text in arguments]
    filled = {
        name: {**POOL, **{key: fill(value, arena.site) for key, value in directives.items()}}
        for name, directives in pools.items()
    }
    try:
        with served.serving(
            programs, identity, filled, globals_, *arguments, arena=arena
        ) as daemons:
            yield Twins(daemons)
    finally:
        os.close(arena.fifo)


def fill(value, site):
    if isinstance(value, list):
        return [fill(one, site) for one in value]
    return value if value is None else value.replace("{site}", site)
