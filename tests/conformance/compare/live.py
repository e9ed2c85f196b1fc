"""Runs one scenario on a php-fpm that serves and on a muster that serves, and compares the records."""

import difflib
import os
import re
import shutil

from harness import processes
from harness.arena import Arena
from harness.daemon import Daemon
from harness.program import is_reference

from . import differences, output
from .programs import ORACLE


class LiveDaemon(Daemon):
    """A daemon whose program the scenario does not know."""

    program = None
    master_gone_allowed = True

    def command(self, *arguments):
        return [self.program, "-n", "-y", self.conf, *arguments]

    def record_log(self, since=0):
        """The error log's lines, without what differs from run to run."""
        return neutral(self.log.since(since), self)

    def left(self):
        """What is there after the end: files of the directory but logs and configuration."""
        return sorted(set(os.listdir(self.dir)) - {"d.conf", "stderr", "error.log"})


NEUTRAL = [
    (re.compile(r"\b(child|pid) \d+"), r"\1 N"),
    (re.compile(r"after \d+\.\d{6} seconds"), "after T seconds"),
    (re.compile(r"\(\d+\.\d{6} sec\)"), "(T sec)"),
    (re.compile(r"fd=\d+"), "fd=N"),
    (re.compile(r" ?- core dumped"), ""),
]


def neutral(text, daemon):
    lines = []
    for line in output.normalised(text):
        line = line.replace(daemon.dir, "{dir}").replace(daemon.arena.dir, "{arena}")
        for expression, replacement in NEUTRAL:
            line = expression.sub(replacement, line)
        lines.append(line)
    return lines


class Live:
    def __init__(self, programs, identity):
        self._programs, self._identity = programs, identity

    def _run(self, program, scenario):
        arena = Arena(self._identity)
        daemon = LiveDaemon(arena, self._identity, "d")
        daemon.program = program
        daemon.compare_descriptors = False
        daemon.allow_log(".*")
        arena.daemons.append(daemon)
        try:
            record = scenario(daemon)
        finally:
            if daemon.master is not None and daemon.poll() is None:
                everyone = [daemon.master, *processes.descendants(daemon.master)]
                for pid in everyone:
                    processes.kill_hard(pid)
                daemon.wait_exit()
            arena.keep_sockets = True
            problems = [text for text in arena.close() if "left-over process" in text]
            shutil.rmtree(arena.dir, ignore_errors=True)
        assert not problems, problems
        return record

    def check(self, scenario, names=()):
        """`scenario(daemon)` returns {what: value}; lists are compared line by line."""
        for name in names:
            assert name in differences.entries(), f"{name} is not in differences.md"
        expected = self._run(ORACLE, scenario)
        actual = self._run(self._programs.candidate(self._identity), scenario)
        problems = []
        for what in {**expected, **actual}:
            theirs, ours = expected.get(what), actual.get(what)
            if isinstance(theirs, list):
                theirs, ours = self._adapted(theirs, ours, names)
            if theirs == ours:
                continue
            if isinstance(theirs, list):
                problems.append(f"{what} differs:")
                problems += difflib.unified_diff(theirs, ours, "php-fpm", "muster", "", "", 2, "")
            else:
                problems.append(f"{what}: php-fpm {theirs!r}, muster {ours!r}")
        return problems

    @staticmethod
    def _adapted(expected, actual, names):
        for name in names:
            drop, more = differences.IN_LIFE.get(name, (None, None))
            if drop:
                expected = [line for line in expected if not re.search(drop, line)]
            if more:
                actual = [line for line in actual if not re.search(more, line)]
            if drop and is_reference():
                actual = [line for line in actual if not re.search(drop, line)]
        return expected, actual if is_reference() else output.without_details(actual)
