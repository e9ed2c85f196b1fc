"""What workers write, in the error log: every limit, length and form, byte by byte."""

import difflib
import re
import signal

import pytest

from harness import processes
from harness.program import is_reference

from compare import served
from compare.differences import entries, escaped
from compare.fixtures import fail

SAID = re.compile(
    r"^\[time(?:\.us)?\] WARNING: \[pool \w+\] child N said into (?:stdout|stderr): (.*)$"
)
POOLS = {
    "deco": {"catch_workers_output": "yes"},
    "bare": {"catch_workers_output": "yes", "decorate_workers_output": "no"},
    "off": {},
    "silent": {"catch_workers_output": "yes", "php_admin_value[fastcgi.logging]": "0"},
    "a_pool_with_a_long_name": {"catch_workers_output": "yes"},
}


def numbered(size):
    """Text in which every place is recognised."""
    return "".join(f"{at:05d}." for at in range(0, size + 6, 6))[:size].encode()


class Room:
    """How much text one line of a daemon's pool takes."""

    def __init__(self, daemon, pool, limit, detailed):
        self._daemon, self._pool, self._limit, self._detailed = daemon, pool, limit, detailed

    def of(self, stream):
        if self._pool == "bare":
            return self._limit - 1
        worker = self._daemon.worker(self._pool)
        prefix = "[21-Nov-2026 13:11:16] WARNING: "
        if self._detailed:
            writer = self._daemon.managers().get(self._pool, self._daemon.master)
            prefix = f"[21-Nov-2026 13:11:16.123456] WARNING: pid {writer}, (null)(), line 0: "
        prefix += f"[pool {self._pool}] child {worker} said into {stream}: "
        return self._limit - 1 - len(prefix) - 2


def edges(room):
    """Texts that fill 1, 2 and 3 lines, and some bytes more or less; with newline and without."""
    for stream in ("stderr", "stdout"):
        for lines in (1, 2, 3):
            for more in (-2, -1, 0, 1, 2):
                text = numbered(lines * room.of(stream) + more)
                yield f"{lines} lines {more:+d} {stream}", [(stream, text + b"\n")]
                if lines < 3:
                    yield f"{lines} lines {more:+d} {stream}, no newline", [(stream, text)]


def sequences(room):
    size = room.of("stderr")
    text = numbered(size)
    yield "two full lines", [("stderr", text + b"\n" + text + b"\n")]
    yield "full line, rest in the next write", [("stderr", text), ("stderr", b"next\n")]
    yield "full line, later the newline", [("stderr", text), ("wait", b""), ("stderr", b"\n")]
    yield "full line, later more", [("stderr", text), ("wait", b""), ("stderr", b"more\n")]
    yield "full line, later the other", [("stderr", text), ("wait", b""), ("stdout", b"other\n")]
    yield "full line and one, then", [("stderr", text + b"x"), ("wait", b""), ("stderr", b"y\nz")]
    yield "many lines", [("stderr", b"".join(b"line %d\n" % number for number in range(300)))]
    yield "empty lines", [("stdout", b"\n\n\na\n\n\nb\n\n")]
    yield "empty lines in pieces", [("stdout", b"\n"), ("wait", b""), ("stdout", b"\na"),
                                    ("wait", b""), ("stdout", b"\n\n")]  # fmt: skip
    yield "one byte", [("stderr", b"a")]
    yield "quotes", [("stderr", b'"quoted" \\" and \\n\n')]
    yield "tab", [("stderr", b"a\tb\n")]
    yield "UTF-8", [("stderr", "Grüße, 日本語, 🐘\n".encode())]
    yield "UTF-8 at the edge", [("stderr", b"x" * (size - 2) + "🐘🐘\n".encode())]
    yield "not UTF-8", [("stderr", bytes(range(0x80, 0x100)) + b"\n")]
    yield "bytes beside the marker", [("stderr", b"fscf\n"), ("stderr", b"afscfb\n")]
    for first, second in (("stdout", "stderr"), ("stderr", "stdout")):
        yield f"alternating from {first}", [
            (first, b"one "), ("wait", b""), (second, b"two "), ("wait", b""),
            (first, b"three\nfour"), ("wait", b""), (second, b"five\nsix"), ("wait", b""),
            (second, b"seven"), ("wait", b""), (first, b"\neight"),
        ]  # fmt: skip
        yield f"long alternating from {first}", [
            (first, numbered(2 * size + 5)), ("wait", b""), (second, numbered(size + 1)),
            ("wait", b""), (first, b"end"),
        ]  # fmt: skip
    yield "read by 1023", [("stderr", numbered(1022)), ("wait", b""), ("stderr", b"\nnext\n")]
    for length in (1021, 1022, 1023, 1024, 1025, 2045, 2046, 2047, 2048):
        yield f"reads of {length}", [("stderr", numbered(length) + b"\n" + b"then\n")]
    yield "in bytes", [("stderr", bytes([byte])) for byte in b"one by one\nand\n"]


def binary(room):
    """Nothing here comes near the edge: escapes are longer than what they stand for."""
    yield "controls", [("stderr", b"\x01\x02 \x1b[31m \x7f \r\n")]
    yield "NUL", [("stderr", b"a\0b\n"), ("stderr", b"\0\n"), ("stderr", b"\0\0\0fscf\n")]
    yield "NUL on stdout", [("stdout", b"a\0b\n"), ("stdout", b"\0\n"), ("stdout", b"\0fsc\n")]
    yield "marker", [("stderr", b"a\0fscf\0b\n")]
    yield "markers", [("stderr", b"\0fscf\0\0fscf\0b\0fscf\0\n")]
    yield "everything", [("stdout", bytes(range(256)))]


# `request-marker`: what is written, what php-fpm makes of it, and muster.
MARKERS = {
    "half": ([("stderr", b"a\0fs"), ("wait", b""), ("stderr", b"b\n")], ["ab"], ["a\\x00fsb"]),
    "in pieces": (
        [("stderr", b"a\0fs"), ("wait", b""), ("stderr", b"cf\0b\n")], ["acf\\x00b"], ["a", "b"],
    ),
    "on stdout": ([("stdout", b"a\0fscf\0b\n")], ["a", "b"], ["a\\x00fscf\\x00b"]),
}  # fmt: skip


def markers(room):
    for name, (actions, _, _) in MARKERS.items():
        yield name, actions


def messages(room):
    """error_log() writes its text with the level before it, cut and not wrapped."""
    yield "message", [("log", b"a message")]
    yield "messages", [("log", b"first"), ("log", b"second"), ("stderr", b"text\n")]
    yield "lines", [("log", b"one\ntwo\n\nfour")]
    yield "empty", [("log", b"")]
    yield "space", [("log", b" ")]
    yield "warning", [("notice", b"of the script")]
    yield "exception", [("exception", b"of the script")]
    yield "after text", [("stderr", b"text "), ("log", b"message")]
    yield "UTF-8 message", [("log", "Grüße, 日本語, 🐘".encode())]


def long_messages(room):
    around = sorted({512, 1024, 2048, 4096} | {room.of("stderr") + 1})
    for edge in around:
        for more in range(-3, 4):
            for prefix in ("NOTICE: PHP message: ", "PHP message: "):
                yield (
                    f"message around {edge} {more:+d} with {len(prefix)}",
                    [("log", numbered(edge - len(prefix) + more))],
                )
    yield "message of 20000", [("log", numbered(20000))]


SCRIPTS = {"edges": edges, "sequences": sequences, "binary": binary, "markers": markers,
           "messages": messages, "long messages": long_messages}  # fmt: skip
CAUGHT = ("deco", "bare")


# Where lines begin, and where php-fpm without buffering goes on without ending one.
JOINT = re.compile(
    r'"?\n?\[\d\d-[A-Z][a-z]{2}-\d{4} [\d:.]+\] WARNING: (?:pid \d+, \S+, line \d+: )?'
    r'\[pool \w+\] child \d+ said into std(?:out|err): "'
)


def record(daemon, limit, level, plan):
    """What the web server is told at each step, and at last the log."""
    told = {}
    for pool, kinds in plan.items():
        room = Room(daemon, pool, limit, level == "debug")
        for kind in kinds:
            for name, actions in SCRIPTS[kind](room):
                step = f"== {pool}, {kind}: {name}"
                assert step not in told, f"two steps are called {step!r}"
                if POOLS[pool]:
                    daemon.play([("stderr", step.encode() + b"\n")], pool)
                told[step] = daemon.play(actions, pool).stderr.decode("latin-1")
        if POOLS[pool]:
            daemon.play([("stderr", f"== end of {pool}\n".encode())], pool)
            daemon.log.wait_for(f"== end of {pool}", timeout=10)
    return served.bytes_of(daemon.log), told


def by_step(text):
    """{step: the text of the log between its mark and the next}"""
    parts = re.split(r'^(?:\[.*said into stderr: ")?(== .*?)"?\n', text, flags=re.M)
    return dict(zip(parts[1::2], parts[2::2]))


def lines_of(text, daemon, names):
    """What comes from workers: the life of the daemons is compared elsewhere."""
    lines = served.neutral(text, daemon)
    if daemon.is_oracle and "control-bytes" in names:
        lines = escaped(lines)
    return [
        served.short(line) for line in lines if SAID.match(line) or not line.startswith("[time")
    ]


def same_but_for_ends(theirs, ours, limit):
    """`unbuffered-wrap`: the same bytes, and muster has no line that is too long."""
    flat = [JOINT.sub("|", text).replace('"\n', "").replace("\n", "") for text in (theirs, ours)]
    flat = [text.replace("|", "") for text in flat]
    whole = is_reference() or all(len(line) <= limit for line in ours.split("\n"))
    return whole and flat[0] == flat[1]


def run(programs, who, plan, globals_):
    """[(steps of the log, what the web server was told)] of both."""
    limit, level = int(globals_.get("log_limit", 1024)), globals_.get("log_level", "notice")
    pools = {pool: POOLS[pool] for pool in plan}
    with served.serving(programs, who, pools, globals_, wait=level in ("debug", "notice")) as both:
        records = [record(daemon, limit, level, plan) for daemon in both]
    (theirs, theirs_told), (ours, ours_told) = records
    theirs, ours = by_step(theirs), by_step(ours)
    assert list(theirs) == list(ours)
    return both, (theirs, theirs_told), (ours, ours_told)


def compare(programs, who, plan, names=(), **globals_):
    for name in names:
        assert name in entries(), f"{name} is not in differences.md"
    (oracle, muster), (theirs, theirs_told), (ours, ours_told) = run(programs, who, plan, globals_)
    limit, problems = int(globals_.get("log_limit", 1024)), []
    for step, text in theirs.items():
        if "unbuffered-wrap" in names and same_but_for_ends(text, ours[step], limit):
            continue
        expected, actual = lines_of(text, oracle, names), lines_of(ours[step], muster, names)
        problems += differing(step, expected, actual)
    for step, text in theirs_told.items():
        problems += differing(f"told of {step}", [served.short(text)],
                              [served.short(ours_told[step])])  # fmt: skip
    if problems:
        fail("\n".join(problems))


def differing(what, expected, actual):
    if expected == actual:
        return []
    difference = difflib.unified_diff(expected, actual, "php-fpm", "muster", "", "", 3, "")
    return [what, *list(difference)[2:]]


LENGTHS = [(512, "yes"), (1024, "yes"), (2048, "yes"), (4096, "yes"), (512, "no"), (1024, "no")]


@pytest.mark.parametrize("limit,buffering", LENGTHS)
def test_lengths(programs, who, limit, buffering):
    plan = dict.fromkeys(CAUGHT, ("edges", "messages", "long messages"))
    plan["a_pool_with_a_long_name"] = ("edges",)
    names = ["unbuffered-wrap"] if buffering == "no" else []
    compare(programs, who, plan, names, log_limit=str(limit), log_buffering=buffering)


@pytest.mark.parametrize("level,buffering", [
    ("debug", "yes"), ("notice", "yes"), ("notice", "no"), ("warning", "yes"),
])  # fmt: skip
def test_forms(programs, who, level, buffering):
    plan = dict.fromkeys(CAUGHT, ("sequences", "binary", "messages"))
    if level == "notice":
        plan |= dict.fromkeys(("off", "silent"), ("messages", "long messages"))
    names = ["control-bytes"] + (["unbuffered-wrap"] if buffering == "no" else [])
    compare(programs, who, plan, names, log_level=level, log_buffering=buffering)


@pytest.mark.parametrize("level", ["error", "alert"])
def test_bare_output_has_no_level(programs, who, level):
    plan = {"bare": ("sequences", "binary", "messages")}
    compare(programs, who, plan, ["control-bytes"], log_level=level)


def test_request_markers(programs, who):
    assert "request-marker" in entries() and "control-bytes" in entries()
    _, (theirs, _), (ours, _) = run(programs, who, {"bare": ("markers",)}, {})
    for name, (_, expected, actual) in MARKERS.items():
        step = f"== bare, markers: {name}"
        assert escaped(theirs[step].splitlines()) == expected, step
        assert is_reference() or ours[step].splitlines() == actual, step


def test_decorated_output_above_warning(programs, who):
    """`output-level`: php-fpm writes what remains of the line without its beginning."""
    assert "output-level" in entries()
    with served.serving(
        programs, who, {"deco": POOLS["deco"]}, {"log_level": "error"}, wait=False
    ) as both:
        for daemon in both:
            daemon.play([("stderr", b"one line\n")], "deco")
            daemon.finish(signal.SIGTERM)
        texts = [served.bytes_of(daemon.log) for daemon in both]
    assert texts[0] == 'one line"\n'
    assert is_reference() or texts[1] == ""


def die_saying(daemon, text):
    """The first worker's words and its end are read together."""
    pid = daemon.worker("deco")
    reader = daemon.managers().get("deco", daemon.master)
    mark = daemon.log.mark()
    processes.send(reader, signal.SIGSTOP)
    try:
        daemon.play_and_kill([("stderr", text)], "deco", pid)
    finally:
        processes.send(reader, signal.SIGCONT)
    daemon.log.wait_for(r"child \d+ started", since=mark)
    (worker,) = daemon.wait_workers(1, "deco")
    assert worker != pid
    return [line for line in lines_of(served.bytes_of(daemon.log)[mark:], daemon, []) if line]


def test_last_words(programs, who):
    """`, pipe is closed` behind texts that leave room for all, some or nothing of it.

    `last-words`: empty lines do not count.
    """
    assert "last-words" in entries()
    suffix = len(", pipe is closed")
    with served.serving(programs, who, {"deco": POOLS["deco"]}, {"log_limit": "512"}) as both:
        problems = []
        for name, more in (("short", None), ("fits", -suffix), ("one too much", 1 - suffix),
                           ("half", -suffix // 2), ("one fits", -1), ("full", 0), ("two", 1)):  # fmt: skip
            said = []
            for daemon in both:
                size = Room(daemon, "deco", 512, False).of("stderr")
                said.append(die_saying(daemon, numbered(5 if more is None else size + more)))
            problems += differing(name, *said)
    if problems:
        fail("\n".join(problems))
