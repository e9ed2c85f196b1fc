"""The load program (load/), and what became of its requests."""

import csv
import math
import os
import subprocess
import time
from dataclasses import dataclass

from harness.waiting import PATIENCE, wait_until

PROGRAM = os.environ.get("MUSTER_CHAOS_LOAD")
# Longer and heavier when run by hand: README.md.
LONG = os.environ.get("MUSTER_CHAOS_LONG", "") not in ("", "0")
RATE = float(os.environ.get("MUSTER_CHAOS_RATE", "200" if LONG else "100"))
SEED = int(os.environ.get("MUSTER_CHAOS_SEED", "5"))
# Milliseconds of the longest scripts.
LONGEST = 5000 if LONG else 1500
MIX = ("quick=84", "slow=8", f"long=1:{LONGEST}", "upload=3", "download=3")


@dataclass
class Visit:
    """One request: times in seconds by time.monotonic()."""

    id: int
    sort: str
    route: str
    due: float
    sent: float
    ended: float
    status: int
    worker: int  # 0: the answer does not say
    problem: str

    @property
    def latency(self):
        return self.ended - self.due


def visits_of(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return [
            Visit(
                int(row["id"]),
                row["sort"],
                row["route"],
                int(row["due"]) / 1e6,
                int(row["sent"]) / 1e6,
                int(row["ended"]) / 1e6,
                int(row["status"]),
                int(row["worker"] or 0),
                row["problem"],
            )
            for row in csv.DictReader(file)
        ]


def quantile(values, share):
    """The smallest value that `share` of all do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def longest_gap(visits):
    """Between two answers, while requests came."""
    last = max(visit.due for visit in visits)
    ends = sorted(visit.ended for visit in visits if not visit.problem and visit.ended <= last)
    return max((later - earlier for earlier, later in zip(ends, ends[1:])), default=0.0)


class Load:
    """Runs beside the test from `with` to its end; then `visits` has all requests."""

    def __init__(self, arena, port, routes, rate=None, mix=MIX, seconds=24 * 3600, seed=SEED):
        self.record = f"{arena.dir}/load{len(arena.popens)}.csv"
        self.rate, self.seed, self.visits = rate or RATE, seed, None
        command = [PROGRAM, "--port", port, "--rate", self.rate, "--seconds", seconds]
        command += ["--seed", seed, "--record", self.record, "--patience", int(60 * PATIENCE)]
        command += [word for route in routes for word in ("--route", route)]
        command += [word for sort in mix for word in ("--mix", sort)]
        self._command, self._arena = [str(word) for word in command], arena

    def __enter__(self):
        self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE)
        self._arena.popens[self._process.pid] = self._process
        self.wait_for_more(1)
        return self

    def __exit__(self, *_):
        self.stop()

    def answered(self):
        try:
            with open(self.record, "rb") as file:
                return max(0, file.read().count(b"\n") - 1)
        except FileNotFoundError:
            return 0

    def wait_for_more(self, requests, timeout=20.0):
        assert self._process.poll() is None, "the load has ended"
        goal = self.answered() + requests
        wait_until(lambda: self.answered() >= goal, f"{requests} more answers", timeout)

    def stop(self):
        """No more requests; those under way get their answers."""
        if self.visits is not None:
            return
        self._process.stdin.close()
        code = self._process.wait(150 * PATIENCE)
        assert code == 0, f"chaos_load ended with {code}"
        self.visits = visits_of(self.record)

    @property
    def failed(self):
        return [visit for visit in self.visits if visit.problem]


def summary(title, load, blameless=()):
    """One line for people; `blameless`: failed visits that somebody else is guilty of."""
    lost = [visit for visit in load.failed if visit not in blameless]
    quick = [visit.latency for visit in load.visits if visit.sort == "quick" and not visit.problem]
    count = len(load.visits)
    lateness = max(visit.sent - visit.due for visit in load.visits)
    return (
        f"{title}: seed {load.seed}, {load.rate:g}/s, N = {count}, failed {len(lost)}"
        f"{f' (and {len(blameless)} with the process that was killed)' if blameless else ''}, "
        + (f"95 % bound 3/N = {3 / count:.1e}, " if not lost else "")
        + f"longest gap {1000 * longest_gap(load.visits):.0f} ms, 5 ms scripts p50 "
        f"{1000 * quantile(quick, 0.5):.1f} ms, p99.9 {1000 * quantile(quick, 0.999):.1f} ms, "
        f"max {1000 * max(quick):.0f} ms, load late by at most {1000 * lateness:.0f} ms"
    )


def now():
    """On the clock of Visit's times."""
    return time.monotonic()
