"""Compares two outcomes: exit code, stdout, messages line by line, and the files left behind."""

import difflib
import re

from harness.program import is_reference

from . import differences

TIME = re.compile(r"^\[\d\d-[A-Z][a-z]{2}-\d{4} \d\d:\d\d:\d\d(\.\d{6})?\]")
DEBUG = re.compile(r"^(\[time\.us\] [A-Z]+: )pid \d+, (?:\w+|\(null\))\(\), line \d+: ")
DETAIL = re.compile(r"^\[time(?:\.us)?\] (WARNING|ERROR|ALERT):   \S")
SYNTAX = re.compile(r"^(\[time\] ERROR:) \[[^]]+:\d+\] syntax error.*")
NAMED = re.compile(r"^php-fpm8\.2: \S")
# Warnings that only muster gives.
MORE = {
    "odd-values": re.compile(
        r"^\[time\] WARNING: .*( is read as |is not a file mode|a single quote without its partner)"
    ),
    "syslog-away": re.compile(r"^\[time\] WARNING: syslog does not listen"),
    "test-checks-more": re.compile(
        r"^\[time\] WARNING: \[pool .*please specify user and group other than root"
    ),
}
PROBLEM = re.compile(r"^\[time(?:\.us)?\] (WARNING|ERROR|ALERT): ")


def normalised(text):
    """Lines without what differs from run to run."""
    lines = []
    for line in text.split("\n"):
        line = TIME.sub(lambda match: "[time.us]" if match.group(1) else "[time]", line)
        lines.append(DEBUG.sub(r"\1", line))
    if lines and lines[-1] == "":
        lines.pop()
    return lines


def without_details(lines):
    """muster explains a message in lines of their own, which must follow one."""
    kept = []
    for line in lines:
        if DETAIL.match(line) and kept and PROBLEM.match(kept[-1]):
            continue
        kept.append(line)
    return kept


def adapted(text, case, fill):
    """php-fpm's lines as muster is expected to say them."""
    lines = normalised(text)
    for name in (*differences.EVERYWHERE, *case.differences):
        if name in differences.ON_EXPECTED:
            lines = differences.ON_EXPECTED[name](lines, case)
    for words, others in case.instead:
        lines = [line.replace(fill(words), fill(others)) for line in lines]
    return lines


def actual_lines(text, case):
    lines = without_details(normalised(text))
    if "usage-problem" in case.differences and lines and NAMED.match(lines[0]):
        lines = lines[1:]
    if "test-checks-more" in case.differences:
        lines = differences.before_the_fork(lines)
    for name, pattern in MORE.items():
        if name in case.differences:
            lines = [line for line in lines if not pattern.match(line)]
    if "syntax-errors" in case.differences:
        lines = [SYNTAX.sub(r"\1 <place> syntax error", line) for line in lines]
    return lines


def compare_otherwise(candidate, otherwise, fill):
    code, words = otherwise
    problems = []
    if candidate.code != code:
        problems.append(f"exit code: expected {code}, muster {candidate.code}")
    said = candidate.stdout + candidate.stderr
    problems += [f"muster does not say {text!r}" for text in map(fill, words) if text not in said]
    return problems and [*problems, said]


def missing_in(expected, actual):
    """The first line of `expected` that does not follow in order in `actual`."""
    at = 0
    for line in expected:
        try:
            at = actual.index(line, at) + 1
        except ValueError:
            return line
    return None


def compare_lines(what, expected_text, actual_text, case, failed, fill):
    expected = adapted(expected_text, case, fill)
    if is_reference():
        actual = adapted(actual_text, case, fill)
    else:
        actual = actual_lines(actual_text, case)
    if expected == actual:
        return []
    if "all-problems" in case.differences and failed:
        # Everything php-fpm says in its order; what muster says more must be problems.
        missing = missing_in(expected, actual)
        more = [line for line in actual if line not in expected and not PROBLEM.match(line)]
        if missing is None and not more:
            return []
    difference = difflib.unified_diff(expected, actual, "php-fpm", "muster", lineterm="", n=2)
    return [f"{what} differs:", *difference]


def compare_files(oracle, candidate, case, fill):
    problems = []
    for name in sorted(set(oracle.files) | set(candidate.files)):
        ours, theirs = candidate.files.get(name), oracle.files.get(name)
        if oracle.code != 0 and (ours is None or theirs is None):
            if "all-problems" in case.differences:
                continue
        if ours is None or theirs is None:
            left = "php-fpm" if ours is None else "muster"
            problems.append(f"{name}: left behind by {left} only")
            continue
        for what, index in (("kind", 0), ("mode", 1), ("owner", 2)):
            if ours[index] != theirs[index]:
                problems.append(f"{name}: {what} {theirs[index]:o}, muster has {ours[index]:o}")
        problems += compare_lines(name, theirs[3], ours[3], case, oracle.code != 0, fill)
    return problems


def compare(oracle, candidate, case, fill=lambda text: text):
    """A list of lines that say what is not as it should be; empty when all is well."""
    problems = []
    # Refused before or after the fork: 78 or 70, for the one who waits.
    early = "test-checks-more" in case.differences and (oracle.code, candidate.code) == (70, 78)
    if oracle.code != candidate.code and not early:
        problems.append(f"exit code: php-fpm {oracle.code}, muster {candidate.code}")
    failed = oracle.code != 0
    if oracle.stdout != candidate.stdout:
        problems += ["stdout differs:"]
        problems += difflib.unified_diff(
            oracle.stdout.split("\n"),
            candidate.stdout.split("\n"),
            "php-fpm",
            "muster",
            lineterm="",
        )
    problems += compare_lines("stderr", oracle.stderr, candidate.stderr, case, failed, fill)
    problems += compare_files(oracle, candidate, case, fill)
    return problems
