"""A start that must be refused, and the line that must say why."""

import os
import re

from .program import is_reference


def refused(daemon, *arguments):
    """Starts in the foreground, must be refused; the lines of stderr."""
    result = daemon.run("-F", *arguments)
    assert result.returncode == 78, (result.returncode, result.stderr)
    assert re.search(r"\] ERROR: FPM initialization failed$", result.stderr, re.M), result.stderr
    assert "ready to handle connections" not in result.stderr + daemon.log.text()
    assert not os.path.exists(daemon.pid_file)
    daemon.allow_log(".*")
    return result.stderr.splitlines()


def with_details(lines):
    """Each message with what muster says about it on a line of its own, indented."""
    messages = []
    for line in lines:
        detail = re.search(r"\] (?:ERROR|ALERT):   (.*)$", line)
        if detail and messages:
            messages[-1] += f" | {detail[1]}"
        else:
            messages.append(line)
    return messages


def assert_named(daemon, lines, fragment, *patterns):
    """One error names the file and line of `fragment` and says all the patterns."""
    place = f"[{daemon.conf}:{daemon.line_of(fragment)}]"
    fitting = [
        line
        for line in with_details(lines)
        if re.search(r"\] (ERROR|ALERT): ", line)
        and (is_reference() or place in line)
        and all(re.search(pattern, line) for pattern in patterns)
    ]
    assert fitting, f"no line with {place} and {patterns} in:\n" + "\n".join(lines)
