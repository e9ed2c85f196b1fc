"""Very many mixed requests over master, managers and workers: afterwards nothing has grown."""

import os
import re
import subprocess

import pytest

from harness import processes
from harness.program import binary, is_reference
from harness.waiting import PATIENCE, wait_until

from measure import Course, possessions

PAGES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "pages")
CLIENT = os.environ.get("MUSTER_SOAK_CLIENT")
REQUESTS = int(os.environ.get("MUSTER_SOAK_REQUESTS", "200000"))
CLIENTS = 8
STEADY_WORKERS = 3
IDLE_WORKERS = 2
SAMPLES = 100
# Memory is watched in the second part, where no reload replaces the processes.
RELOADS = 5
RELOADING_PART = 0.3

# By the fitted line, over the second half of the watched part, any process may grow by this much.
# Of 200,000 requests a worker of the steady pool serves 11,000 in that time, so one lost block of
# malloc's smallest size in each would be 350 KiB. Growth is measured where the worker rests, which
# leaves a few KiB of play: arenas trimmed and grown again, pages of a library touched for the first time.
GROWTH_KIB = 128
# Fewer requests (sanitizers, which also keep what was freed) say nothing about growth.
ENOUGH_FOR_GROWTH = 50_000

pytestmark = pytest.mark.skipif(CLIENT is None, reason="MUSTER_SOAK_CLIENT must name the client")


def prepare_site(arena):
    for name in os.listdir(PAGES):
        with open(f"{PAGES}/{name}", encoding="utf-8") as file:
            arena.script(name, file.read())
    for n in range(30):
        arena.script(f"parts/part{n}.php", f"<?php return {n};")
    with open(f"{arena.site}/hello.txt", "w", encoding="ascii") as file:
        file.write("<?php echo 'no';")
    for name in ("sessions", "tmp"):
        os.mkdir(f"{arena.scratch}/{name}")
        os.chmod(f"{arena.scratch}/{name}", 0o777)


def pools(arena):
    common = {
        "pm.status_path": "/status",
        "ping.path": "/ping",
        "access.log": f"{arena.scratch}/$pool.access.log",
        "php_admin_value[session.save_path]": f"{arena.scratch}/sessions",
        "php_admin_value[sys_temp_dir]": f"{arena.scratch}/tmp",
        "php_admin_value[upload_tmp_dir]": f"{arena.scratch}/tmp",
        "php_admin_value[session.gc_probability]": "0",
    }
    # Workers that live through all of it, and workers that come and go.
    steady = {"pm": "static", "pm.max_children": str(STEADY_WORKERS), "pm.max_requests": "0"}
    changing = {
        "pm": "dynamic",
        "pm.max_children": "4",
        "pm.start_servers": "2",
        "pm.min_spare_servers": str(IDLE_WORKERS),
        "pm.max_spare_servers": str(IDLE_WORKERS),
        "pm.max_requests": "200",
    }
    if is_reference():  # which loses kept-alive requests when a worker leaves
        changing["pm.max_requests"] = "0"
    else:
        steady["pm.recycle_after_fatal"] = "no"
    return {"www": {**common, **steady}, "www2": {**common, **changing}}


class Client:
    """The crowd, and how far it is."""

    def __init__(self, arena, daemon, requests, report, seed):
        self._stderr = f"{arena.dir}/soak-{seed}.stderr"
        command = [CLIENT, arena.site, requests, CLIENTS, seed, 30 * PATIENCE, report]
        with open(self._stderr, "wb") as stderr:
            self.process = subprocess.Popen(
                [str(word) for word in command] + [daemon.address(name) for name in daemon.pools],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )
        arena.popens[self.process.pid] = self.process

    def progress(self):
        """The numbers of requests done, as they are reached; fails if any got a wrong answer."""
        for line in self.process.stdout:
            word, number = line.split()[:2]
            if word == "done":
                yield int(number)
        code = self.process.wait()
        self.process.stdout.close()
        with open(self._stderr, encoding="utf-8", errors="replace") as file:
            assert code == 0, f"wrong answers:\n{file.read()[:6000]}"


def long_lived(daemon):
    """{name: pid} of all that should be there from now to the end."""
    found = {"master": daemon.master}
    found |= {f"manager {pool}": pid for pool, pid in daemon.managers().items()}
    for number, pid in enumerate(sorted(daemon.workers("www"))):
        found[f"worker {number}"] = pid
    return found


def at_rest(daemon):
    """All is answered, who was too many has gone; what everybody has, the same three times over."""
    seen = []

    def resting():
        if daemon.standing_by("www2"):
            # For a worker that is close to its last request: it gets it.
            daemon.assert_serves("www2")
        everybody = processes.descendants(daemon.master)
        expected = len(daemon.managers()) + STEADY_WORKERS + IDLE_WORKERS
        if len(everybody) != expected or len(daemon.workers("www2")) != IDLE_WORKERS:
            seen.clear()
            return False
        seen.append({name: possessions(pid) for name, pid in long_lived(daemon).items()})
        return len(seen) >= 3 and seen[-1] == seen[-2] == seen[-3]

    wait_until(
        resting,
        lambda: f"rest: {[processes.title(pid) for pid in processes.descendants(daemon.master)]}",
        30,
    )
    return seen[-1]


def files_left(arena):
    return sorted(os.listdir(f"{arena.scratch}/tmp"))


def test_nothing_grows(arena, daemon):
    prepare_site(arena)
    daemon.configure(pools(arena))
    daemon.compare_descriptors = False  # more exactly here
    daemon.start()

    # Everything warm, everything replaced a few times.
    reloading = int(REQUESTS * RELOADING_PART)
    for reached in Client(arena, daemon, reloading, reloading // (RELOADS + 1), 1).progress():
        if reached < reloading and not is_reference():
            daemon.reload(60)
    before = at_rest(daemon)
    pids = long_lived(daemon)

    course, rest = Course(), REQUESTS - reloading
    for reached in Client(arena, daemon, rest, rest // SAMPLES, 2).progress():
        course.sample(reached, pids)
    after = at_rest(daemon)

    assert long_lived(daemon) == pids, "a process that should have lived on was replaced"
    growth = course.growth(rest // 2)
    report(growth, after)
    assert after == before
    assert files_left(arena) == []
    for name, kinds in growth.items() if REQUESTS >= ENOUGH_FOR_GROWTH else ():
        assert kinds["Rss"][1] < GROWTH_KIB and kinds["Anonymous"][1] < GROWTH_KIB, (name, kinds)


def report(growth, possessed):
    print(f"{REQUESTS} requests to {os.path.basename(binary())}: KiB, and growth at the end")
    for name, kinds in growth.items():
        figures = "  ".join(f"{kind} {has:6} {grown:+7.1f}" for kind, (has, grown) in kinds.items())
        print(f"  {name:14} {figures}  {possessed[name]}")
