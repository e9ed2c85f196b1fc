"""Runs one scenario on a php-fpm that serves and on a muster that serves, and compares the records."""

import difflib
import os
import re
import shutil

from harness.arena import Arena
from harness.program import is_reference

from . import differences, output
from .programs import ORACLE
from .running import RunningDaemon, neutral


# Whether a core file was written depends on limits outside the test.
CORE = re.compile(r" ?- core dumped"), ""


class LiveDaemon(RunningDaemon):
    master_gone_allowed = True

    def record_log(self, since=0):
        """The error log's lines, without what differs from run to run."""
        return neutral(self.log.since(since), self, CORE)

    def left(self):
        """What is there after the end: files of the directory but logs and configuration."""
        return sorted(set(os.listdir(self.dir)) - {"d.conf", "stderr", "error.log"})


class Live:
    def __init__(self, programs, identity):
        self._programs, self._identity = programs, identity

    def _run(self, program, scenario):
        arena = Arena(self._identity)
        daemon = LiveDaemon(arena, self._identity, program)
        try:
            record = scenario(daemon)
        finally:
            daemon.kill_everybody()
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
