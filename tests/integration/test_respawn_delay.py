"""Workers that die young come back with growing delay, never in a tight loop."""

import os
import shutil
import subprocess
import time

import pytest

from harness import processes
from harness.program import muster_only
from harness.waiting import PATIENCE, wait_until

# Not even a PHP module. While the flag file exists it ends whoever loads it, and every process
# that is forked where it was loaded: workers, wherever extensions are loaded.
DEADLY = """
#include <pthread.h>
#include <unistd.h>
static void die(void) {
    if (access(FLAG, F_OK) == 0) _exit(7);
}
__attribute__((constructor)) static void loaded(void) {
    die();
    pthread_atfork(0, 0, die);
}
"""


@pytest.fixture
def deadly(arena):
    """(shared object to load as an extension, the file that makes it deadly)."""
    compiler = shutil.which("cc") or shutil.which("g++")
    assert compiler, "the tests need a C compiler"
    flag, library = f"{arena.dir}/flag", f"{arena.dir}/deadly.so"
    command = [
        compiler,
        "-shared",
        "-fPIC",
        "-Wl,-z,nodelete",
        f'-DFLAG="{flag}"',
        "-x",
        "c",
        "-",
        "-o",
        library,
    ]
    subprocess.run(command, input=DEADLY, text=True, check=True)
    os.chmod(library, 0o755)
    return library, flag


def deaths(daemon, what):
    return len(daemon.log.find(rf"\[pool www\] .*exited {what}"))


@muster_only
def test_worker_that_cannot_start_is_tried_less_and_less_often(arena, daemon, deadly):
    library, flag = deadly
    daemon.allow_log("exited with code 7", "exited on signal 9")
    daemon.configure(
        {"www": {"php_admin_value[extension]": library}, "other": {}},
    ).start()
    daemon.assert_serves()
    with open(flag, "w", encoding="ascii"):
        pass
    processes.kill_hard(*daemon.wait_workers(1))
    wait_until(lambda: deaths(daemon, "with code 7") >= 3, "it is tried again", 20)
    daemon.assert_serves("other")
    # A tight loop makes hundreds of attempts a second.
    before, since = deaths(daemon, "with code 7"), time.monotonic()
    wait_until(lambda: time.monotonic() - since > 2, "two seconds of trying")
    assert deaths(daemon, "with code 7") - before <= 10 * PATIENCE
    assert daemon.log.find(r"\] (WARNING|NOTICE): \[pool www\] .* next starts in \d+\.\d+ seconds")
    os.remove(flag)
    daemon.wait_workers(1, timeout=60)
    wait_until(lambda: daemon.get(arena.script("x.php", "<?php echo 1;")).text == "1", "served", 60)


@muster_only
def test_delays_grow(arena, daemon):
    """Every new worker is killed as soon as it is seen: the gaps between them grow."""
    daemon.allow_log("exited on signal 9")
    daemon.configure().start()
    births, known = [], set()
    processes.kill_hard(*daemon.wait_workers(1))
    until = time.monotonic() + 6 * PATIENCE

    def kill_the_new():
        for pid in daemon.workers() - known:
            known.add(pid)
            births.append(time.monotonic())
            processes.kill_hard(pid)
        return time.monotonic() > until

    wait_until(kill_the_new, "six seconds of killing", 10)
    gaps = [later - sooner for sooner, later in zip(births, births[1:])]
    assert len(births) <= 25, f"{len(births)} workers in six seconds"
    assert gaps and max(gaps) > 0.4, gaps
    daemon.wait_workers(1, timeout=60)
    daemon.assert_serves()


@muster_only
def test_one_early_death_costs_no_delay_worth_noticing(daemon):
    daemon.allow_log("exited on signal 9")
    daemon.configure().start()
    processes.kill_hard(*daemon.wait_workers(1))
    daemon.log.wait_for(r"child \d+ started", timeout=2)
    daemon.assert_serves()


@muster_only
def test_pool_that_cannot_start_at_all_is_told(arena, daemon, deadly):
    """From the first worker on nothing works: the daemon says so and does not spin."""
    library, flag = deadly
    with open(flag, "w", encoding="ascii"):
        pass
    daemon.allow_log(".*")
    daemon.configure({"www": {"php_admin_value[extension]": library}, "other": {}})
    daemon.start(wait=False)
    wait_until(lambda: deaths(daemon, "with code 7") >= 2 or daemon.poll() is not None, "told", 20)
    if daemon.poll() is None:
        before, since = deaths(daemon, "with code 7"), time.monotonic()
        wait_until(lambda: time.monotonic() - since > 1, "a second of trying")
        assert deaths(daemon, "with code 7") - before <= 10 * PATIENCE
    else:
        daemon.wait_exit()
        assert daemon.exit_code != 0
