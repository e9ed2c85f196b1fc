"""As process 1 of a process namespace, as in a container: TERM finishes requests, orphans are reaped."""

import os
import shutil
import signal
import subprocess

import pytest

from harness import processes
from harness.fixtures import both_users
from harness.program import muster_only
from harness.waiting import PATIENCE, wait_until

pytestmark = muster_only


def unshare(identity):
    """The command that starts another one as process 1."""
    if os.geteuid() == 0 and identity.is_root:
        command = ["unshare"]
    else:
        command = ["unshare", "--user", "--map-current-user"]
    command += ["--pid", "--fork", "--kill-child", "--mount-proc"]
    tried = subprocess.run(
        [*command, "true"], capture_output=True, text=True, check=False,
        **identity.popen_arguments(),
    )  # fmt: skip
    if tried.returncode != 0:
        pytest.skip(f"the kernel allows no process namespace here: {tried.stderr.strip()}")
    return command


class Container:
    """A daemon whose harness waits for unshare, which ends as the daemon does."""

    def __init__(self, daemon):
        self.daemon = daemon

    def start(self):
        self.daemon.start(command=[*unshare(self.daemon.identity), *self.daemon.command("-F")])
        return self

    @property
    def first(self):
        """Process 1, by its number outside."""
        for pid in processes.descendants(self.daemon.master):
            if processes.status_field(pid, "NSpid").split()[-1] == "1":
                return pid
        raise AssertionError("there is no process 1")

    def signal(self, number):
        os.kill(self.first, number)


@pytest.fixture
def container(daemon):
    container = Container(daemon)
    yield container
    if daemon.poll() is None:
        container.signal(signal.SIGINT)
        daemon.wait_exit()


def busy(arena, daemon):
    gate = arena.gate()
    answer = daemon.get_in_background(gate.path, query=gate.query)
    wait_until(gate.started, "the slow script runs", 15)
    return gate, answer


@both_users
def test_term_finishes_requests(arena, daemon, container):
    container.start()
    gate, answer = busy(arena, daemon)
    container.signal(signal.SIGTERM)
    daemon.log.wait_for(r"NOTICE: Finishing \.\.\.")
    gate.open()
    assert answer.result().text == "through the gate"
    assert daemon.wait_exit() == 0
    assert not os.path.exists(daemon.pid_file)


def test_second_term_ends_them(arena, daemon, container):
    container.start()
    _, answer = busy(arena, daemon)
    for line in ("Finishing", "Terminating"):
        container.signal(signal.SIGTERM)
        daemon.log.wait_for(rf"NOTICE: {line} \.\.\.")
    assert daemon.wait_exit() == 0
    assert not answer.result().ended


def test_terminate_fast_is_kept_to(arena, daemon, container):
    daemon.configure(globals_={"terminate": "fast"})
    container.start()
    _, answer = busy(arena, daemon)
    container.signal(signal.SIGTERM)
    assert daemon.wait_exit() == 0
    assert not answer.result().ended


@both_users
def test_orphans_of_scripts_are_reaped_without_a_word(arena, daemon, container):
    container.start()
    done = f"{arena.scratch}/orphan"
    path = arena.script(
        "orphan.php", f"<?php exec('(sleep 0.1; touch {done}; exit 3) > /dev/null 2>&1 &');"
    )
    assert daemon.get(path).ended
    wait_until(lambda: os.path.exists(done), "the orphan has lived")
    wait_until(lambda: not processes.zombies_below(daemon.master), "no zombie")
    assert not daemon.log.find("unknown child|of a process that is gone")


@pytest.mark.parametrize("identity", ["root"], indirect=True)
def test_strangers_orphans_are_reaped_without_a_word(arena, daemon, container):
    """What somebody leaves behind who came into the container (docker exec)."""
    if shutil.which("nsenter") is None:
        pytest.skip("there is no nsenter")
    container.start()
    done = f"{arena.scratch}/orphan"
    subprocess.run(
        ["nsenter", "-t", str(container.first), "-p", "-m", "sh", "-c",
         f"(sleep 0.1; touch {done}; kill -9 $$) > /dev/null 2>&1 &"],
        check=True, timeout=20 * PATIENCE,
    )  # fmt: skip
    wait_until(lambda: os.path.exists(done), "the orphan has lived")
    wait_until(lambda: not processes.zombies_below(daemon.master), "no zombie")
    assert not daemon.log.find("unknown child|of a process that is gone|WARNING|ERROR")


@both_users
def test_reload_and_killed_worker(daemon, container):
    """The rest of its life is as elsewhere."""
    daemon.allow_log(r"exited on signal 9")
    container.start()
    (worker,) = daemon.wait_workers(1)
    processes.send(worker, signal.SIGKILL)
    daemon.log.wait_for(r"child \d+ started")
    mark = daemon.log.mark()
    container.signal(signal.SIGHUP)
    daemon.log.wait_for("ready to handle connections", since=mark, timeout=15)
    daemon.assert_serves()
