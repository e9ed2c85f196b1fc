"""Reads differences.md, and knows how each difference that cases name changes what is expected."""

import functools
import os
import re

PATH = os.path.join(os.path.dirname(__file__), "..", "differences.md")
HEADING = re.compile(r"^### `([a-z0-9-]+)`", re.M)
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
DOCUMENTED_ONLY = "*Not compared by a case*"


@functools.cache
def entries():
    """{id: text of the entry}"""
    with open(PATH, encoding="utf-8") as file:
        text = file.read()
    parts = HEADING.split(text)[1:]
    names = parts[::2]
    assert len(names) == len(set(names)), f"an id appears twice in {PATH}"
    return dict(zip(names, parts[1::2]))


def documented_only(name):
    return DOCUMENTED_ONLY in entries()[name]


def _syntax_errors(lines, case):
    """php's raw line becomes muster's error line, whose wording is free."""
    return [
        re.sub(r"^PHP:  syntax error, .*", r"[time] ERROR: <place> syntax error", line)
        for line in lines
    ]


def _line_numbers(lines, case):
    """php-fpm's number is lost after an include; the case says the real one."""
    assert case.place is not None, "line-numbers needs `place`"
    changed = []
    for line in lines:
        line = re.sub(r"^(\[time\] ERROR: \[[^]]*):\d+\]", rf"\1:{case.place}]", line)
        changed.append(re.sub(r" at line \d+", f" at line {case.place}", line))
    return changed


def _empty_line(lines, case):
    """8.2 ends the success message and getaddrinfo's with a newline of its own."""
    spoken = "test is successful", "ERROR: getaddrinfo: "
    return [
        line
        for at, line in enumerate(lines)
        if line or at == 0 or not any(text in lines[at - 1] for text in spoken)
    ]


def escaped(lines):
    """Control bytes but tab and newline as muster writes what php-fpm lets through."""
    return [CONTROL.sub(lambda match: f"\\x{ord(match[0]):02X}", line) for line in lines]


def before_the_fork(lines):
    """muster finds out before what php-fpm says on its way to the same check."""
    return [line for line in lines if "directive is ignored when FPM is not running as" not in line]


# What must be done to php-fpm's lines before they are compared.
ON_EXPECTED = {
    "empty-line": _empty_line,
    "control-bytes": lambda lines, case: escaped(lines),
    "test-checks-more": lambda lines, case: before_the_fork(lines),
    "syntax-errors": _syntax_errors,
    "line-numbers": _line_numbers,
}
EVERYWHERE = ("empty-line",)  # cases need not name these

# For scenarios: php-fpm's lines that muster does not say, and muster's that php-fpm does not.
IN_LIFE = {
    "reopened-access-log": (
        r"child N exited with code 0 after|NOTICE: \[pool \w+\] child N started",
        None,
    ),
    "reload-line": (r"NOTICE: reloading: ", r"NOTICE: reloading: "),
    "successors": (r"child N started", r"child N started"),
}
