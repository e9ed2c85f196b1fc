"""A daemon of either program that runs, and its log lines without what differs from run to run."""

import re

from harness import processes
from harness.daemon import Daemon

from . import output


class RunningDaemon(Daemon):
    """A daemon whose program the test does not know."""

    def __init__(self, arena, identity, program):
        super().__init__(arena, identity, "d")
        self.program = program
        self.compare_descriptors = False
        self.allow_log(".*")
        arena.daemons.append(self)

    def command(self, *arguments):
        own_ini = () if "-c" in arguments else ("-n",)
        return [self.program, *own_ini, "-y", self.conf, *arguments]

    def kill_everybody(self):
        """Leaves nothing of it, whatever the test has come to."""
        if self.master is not None and self.poll() is None:
            for pid in [self.master, *processes.descendants(self.master)]:
                processes.kill_hard(pid)
            self.wait_exit()


NEUTRAL = (
    (re.compile(r"\b(child|pid) \d+"), r"\1 N"),
    (re.compile(r"after \d+\.\d{6} seconds"), "after T seconds"),
    (re.compile(r"\(\d+\.\d{6} sec\)"), "(T sec)"),
    (re.compile(r"fd=\d+"), "fd=N"),
)


def neutral(text, daemon, more):
    """Lines without what differs from run to run; `more` is one further replacement."""
    lines = []
    for line in output.normalised(text):
        line = line.replace(daemon.dir, "{dir}").replace(daemon.arena.dir, "{arena}")
        for expression, replacement in (*NEUTRAL, more):
            line = expression.sub(replacement, line)
        lines.append(line)
    return lines
