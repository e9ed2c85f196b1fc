"""No descriptors, no memory, no processes, no room for logs, while requests go on."""

import os
import random
import resource
import shutil
import signal
import subprocess

import pytest

from harness import processes
from harness.fixtures import as_root
from harness.logs import LogFile
from harness.program import muster_only
from harness.waiting import pause, wait_until
from load import LONG, SEED
from stage import WORKERS

ROUNDS = 20 if LONG else 1
KILLS = 3
REFUSED = "ERROR: (the reload is refused|.*the new manager did not start|.*could not be renewed)"

pytestmark = muster_only


class Limit:
    """A limit of a running process, lower for a while: `name` as prlimit(1) calls it. `for_good`:
    the process cannot raise it itself, and it stays."""

    def __init__(self, pid, name, value, for_good=False):
        self._pid, self._name, self._for_good = pid, name, for_good
        self._value = f"{value}:{value}" if for_good else f"{value}:"

    def _set(self, value):
        # As the user it belongs to: a root without CAP_SYS_RESOURCE may not.
        ids = [int(processes.status_field(self._pid, name).split()[0]) for name in ("Uid", "Gid")]
        subprocess.run(
            ["prlimit", f"--pid={self._pid}", f"--{self._name}={value}"],
            **({"user": ids[0], "group": ids[1]} if os.geteuid() == 0 else {}),
            check=True,
        )

    def __enter__(self):
        self._before = limit_of(self._pid, LIMITS[self._name])
        self._set(self._value)

    def __exit__(self, *_):
        if not self._for_good:
            self._set(f"{self._before}:")


LIMITS = {"nofile": "Max open files", "nproc": "Max processes", "as": "Max address space"}


def limit_of(pid, title):
    with open(f"/proc/{pid}/limits", encoding="ascii") as file:
        return next(line[len(title) :].split()[0] for line in file if line.startswith(title))


def descriptors_used(pid):
    return max(processes.descriptors(pid)) + 1


def kill_some(stage, chance, pool, kills):
    """Workers to replace, which the shortage does not let be replaced at once."""
    for pid in chance.sample(sorted(stage.daemon.workers(pool)), KILLS):
        kills.append(stage.kill(pid, signal.SIGKILL))
        pause(chance.uniform(0, 0.1))


def leaked(stage):
    grown = stage.daemon.descriptors_grown()
    return {who: change for who, change in grown.items() if more(*change.split(" → "))}


def more(before, now):
    return int(now) > int(before)


def recovered(stage):
    for pool in ("unix", "tcp"):
        stage.daemon.wait_workers(WORKERS, pool, 60)


def refused_reload(stage):
    mark = stage.daemon.log.mark()
    stage.daemon.signal(signal.SIGUSR2)
    stage.daemon.log.wait_for(REFUSED, since=mark, timeout=30)
    stage.settle()


@pytest.mark.parametrize(
    "identity, which", [("root", "descriptors"), ("user", "processes")], indirect=["identity"]
)
def test_managers_that_get_no_more(stage, which):
    """Workers that die cannot be replaced until there is room again; the others serve on."""
    name = {"descriptors": "nofile", "processes": "nproc"}[which]
    stage.start()
    skip_if_sanitized(stage, which)
    stage.daemon.allow_log("exited on signal 9", r"\] ERROR: ")
    chance, kills = random.Random(SEED), []
    with stage.load() as load:
        for _ in range(ROUNDS):
            for pool, manager in stage.daemon.managers().items():
                least = descriptors_used(manager) if which == "descriptors" else 1
                with Limit(manager, name, least):
                    kill_some(stage, chance, pool, kills)
                    load.wait_for_more(50)
            recovered(stage)
    stage.verdict(f"{ROUNDS} × managers without {which}", load, kills)
    # Fewer may be: what a new worker offers for traces of it is let go of when there is no number.
    stage.daemon.compare_descriptors = False
    stage.front.stop()  # whose idle connections wait with the managers
    wait_until(lambda: not leaked(stage), lambda: f"descriptors: {leaked(stage)}", 10)


@pytest.mark.parametrize(
    "identity, which",
    [("root", "descriptors"), ("root", "memory"), ("user", "processes")],  # root has no limit on these
    indirect=["identity"],
)
def test_masters_that_get_no_more(stage, which):
    """A reload is refused, or its new generation does not start; the old one goes on."""
    stage.start()
    skip_if_sanitized(stage, which)
    stage.daemon.allow_log(r"\] (ERROR|ALERT): ", "exited ")
    master, serving = stage.daemon.master, stage.daemon.managers()
    if which == "descriptors":
        limit = Limit(master, "nofile", descriptors_used(master) + 2, for_good=True)
    elif which == "memory":
        # New managers inherit it: PHP does not fit in.
        limit = Limit(master, "as", virtual_memory(master) + (16 << 20))
    else:
        limit = Limit(master, "nproc", 1)
    with stage.load() as load:
        for _ in range(ROUNDS):
            with limit:
                refused_reload(stage)
                load.wait_for_more(20)
            assert stage.daemon.managers() == serving
    if which != "descriptors":
        stage.daemon.reload(60)
    stage.verdict(f"{ROUNDS} × master without {which}", load)


def skip_if_sanitized(stage, which):
    """Sanitizers need all addresses there are, and descriptors to tell good ones from bad."""
    if which != "processes" and virtual_memory(stage.daemon.master) > 1 << 40:
        pytest.skip(f"sanitizers cannot do without {which}")


def virtual_memory(pid):
    with open(f"/proc/{pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[0]) * resource.getpagesize()


@as_root
@pytest.mark.skipif(not shutil.which("unshare"), reason="needs mount namespaces")
def test_logs_without_room(stage):
    """On a file system that is full; when there is room again the logs go on."""
    small = f"{stage.daemon.dir}/small"
    os.mkdir(small)
    pools = stage.pools(
        **{
            "access.log": f"{small}/$pool.access.log",
            "slowlog": f"{small}/$pool.slow.log",
            "request_slowlog_timeout": "1s",
            "catch_workers_output": "yes",
        }
    )
    stage.daemon.configure(pools, {"error_log": f"{small}/error.log"})
    mount = 'mount -t tmpfs -o size=256k,mode=755 none "$0"; exec "$@"'
    command = ["unshare", "-m", "sh", "-c", mount, small, *stage.daemon.command("-F")]
    stage.daemon.start(command=command, wait=False)
    # The file system is there for the daemon only.
    inside = f"/proc/{stage.daemon.master}/root{small}"
    stage.daemon.log = LogFile(f"{inside}/error.log")
    stage.daemon.wait_ready()
    stage.raise_curtain()
    with stage.load() as load:
        for number in range(ROUNDS):
            fill(f"{inside}/filler")
            load.wait_for_more(50)
            os.rename(f"{inside}/unix.access.log", f"{inside}/unix.access.log.{number}")
            stage.daemon.signal(signal.SIGUSR1)
            load.wait_for_more(50)
            stage.daemon.signal(signal.SIGUSR2)
            load.wait_for_more(50)
            stage.settle()
            os.unlink(f"{inside}/filler")
            stage.daemon.reload(60)
            served = LogFile(f"{inside}/unix.access.log")
            mark = served.mark()
            load.wait_for_more(20)
            wait_until(lambda log=served, m=mark: log.mark() > m, "the access log goes on", 10)
            for name in os.listdir(inside):
                os.truncate(f"{inside}/{name}", 0)
    stage.verdict(f"{ROUNDS} × no room for logs", load)


def fill(path):
    with open(path, "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(1024))
        except OSError:
            return
