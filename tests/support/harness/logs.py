"""Reads log files while they grow, and judges whether a line may stand there."""

import os
import re

from .waiting import wait_until

LINE = re.compile(
    r"^\[(\d\d-[A-Z][a-z]{2}-\d{4} \d\d:\d\d:\d\d(?:\.\d{6})?)\] "
    r"(DEBUG|NOTICE|WARNING|ERROR|ALERT): (?:pid \d+, (?:\w+|\(null\))\(\), line \d+: )?(.*)$"
)
SANITIZER = re.compile(
    r"(Address|Leak|Thread|Memory|UndefinedBehavior)Sanitizer|runtime error:|AddressSanitizer:"
)
# What no test should see unless it says so.
TROUBLE = re.compile(
    r"^\[[^]]*\] ((ERROR|ALERT): |WARNING: .*exited (on signal|with code [1-9]))|^(ERROR|ALERT): "
)


class LogFile:
    def __init__(self, path):
        self.path = path

    def text(self):
        try:
            with open(self.path, "rb") as file:
                return file.read().decode(errors="replace")
        except FileNotFoundError:
            return ""

    def lines(self):
        return self.text().splitlines()

    def mark(self):
        """A position: what was written until now is not looked at by since=mark."""
        try:
            return os.path.getsize(self.path)
        except FileNotFoundError:
            return 0

    def since(self, mark):
        return self.text().encode(errors="surrogateescape")[mark:].decode(errors="replace")

    def find(self, pattern, since=0):
        """All lines that match, from the byte position `since` on."""
        expression = re.compile(pattern)
        return [line for line in self.since(since).splitlines() if expression.search(line)]

    def wait_for(self, pattern, count=1, since=0, timeout=5.0):
        """The matching lines once there are at least `count` of them."""

        def enough():
            found = self.find(pattern, since)
            return found if len(found) >= count else None

        return wait_until(
            enough,
            lambda: f"{count} × /{pattern}/ in {self.path}:\n{self.since(since)[-4000:]}",
            timeout,
        )


def messages(lines):
    """[(level, text)] of the lines that have php-fpm's form."""
    matches = (LINE.match(line) for line in lines)
    return [(m.group(2), m.group(3)) for m in matches if m]


def unexpected(text, allowed):
    """Lines that must not be there: errors nobody announced and every sanitizer report."""
    permitted = [re.compile(pattern) for pattern in allowed]
    bad = []
    for line in text.splitlines():
        if SANITIZER.search(line):
            bad.append(line)
        elif TROUBLE.search(line) and not any(p.search(line) for p in permitted):
            bad.append(line)
    return bad
