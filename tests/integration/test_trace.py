"""musterctl trace: what a worker's script does right now, without a slow log."""

import json
import os
import re
import signal
import sys

import pytest

from harness.control import Control, control_path, musterctl
from harness.fixtures import as_root, as_user, both_users
from harness.program import muster_only
from harness.waiting import wait_until
from test_slow_log import FRAME, WITHOUT_READING, is_memory

pytestmark = muster_only

WAITS = """<?php
function wait($go) {
    file_put_contents("$go.pid", getmypid());
    while (!file_exists($go)) { usleep(20000); clearstatcache(); }
}
function outer($go) { wait($go); }
outer($_GET['go']);
echo 'went on';
"""


class Held:
    """A request in the middle of outer() → wait(), for as long as the test wants."""

    def __init__(self, arena, daemon):
        self.go = f"{arena.site}/go"
        self.path = arena.script("waits.php", WAITS)
        self.script = arena.site + self.path
        self.request = daemon.get_in_background(self.path, query=f"go={self.go}")
        wait_until(lambda: self._pid() > 0, "the script runs")
        self.pid = self._pid()

    def _pid(self):
        try:
            with open(f"{self.go}.pid", encoding="ascii") as file:
                return int(file.read() or 0)
        except FileNotFoundError:
            return 0

    def let_go(self):
        with open(self.go, "w", encoding="ascii"):
            pass
        return self.request.result().text


@pytest.fixture
def held(arena, daemon):
    os.chmod(arena.site, 0o777)

    def begin():
        return Held(arena, daemon)

    return begin


def ask(daemon, pid):
    with Control(control_path(daemon)) as control:
        return control.ask({"command": "trace", "pid": pid})


def traced(daemon, pid):
    answer = ask(daemon, pid)
    assert answer["ok"], answer
    return answer["result"]


def calls(trace):
    """Without the innermost, which may be any of the loop's."""
    found = [(frame["function"], frame["line"]) for frame in trace["frames"]]
    return [call for call in found if call[0] in ("wait", "outer")]


ALL_CALLS = [("wait", 6), ("outer", 7)]


@both_users
def test_the_calls_of_a_running_script(daemon, held):
    daemon.configure().start()
    one = held()
    trace = traced(daemon, one.pid)
    assert calls(trace) == ALL_CALLS
    assert {frame["file"] for frame in trace["frames"]} == {one.script}
    assert trace["script"] == one.script
    assert (trace["pool"], trace["pid"], trace["method"]) == ("www", one.pid, "GET")
    assert trace["uri"] == one.path and trace["query"] == f"go={one.go}"
    assert trace["state"] == "Running" and 0 < trace["request_seconds"] < 1000
    assert not trace["broken"] and not trace["cut"]
    assert calls(traced(daemon, one.pid)) == ALL_CALLS, "again"
    assert one.let_go() == "went on"


@both_users
def test_where_the_kernel_lets_nobody_read_other_processes(daemon, held):
    daemon.configure().start(
        command=[sys.executable, "-c", WITHOUT_READING, *daemon.configure().command("-F")]
    )
    one = held()
    assert calls(traced(daemon, one.pid)) == ALL_CALLS
    assert one.let_go() == "went on"


@as_root
def test_workers_do_not_become_dumpable_for_it(daemon):
    daemon.configure().start()
    (worker,) = daemon.wait_workers(1)
    assert os.stat(f"/proc/{worker}/mem").st_uid == 0
    assert not [fd for fd in os.listdir(f"/proc/{worker}/fd") if is_memory(worker, fd)]


@as_root
@pytest.mark.parametrize("slow_log", [True, False])
def test_in_a_root_directory_of_its_own(arena, daemon, slow_log):
    """Only for its slow log a jail has anything of outside open."""
    log = {"slowlog": f"{daemon.dir}/slow", "request_slowlog_timeout": "60"} if slow_log else {}
    daemon.configure({"www": {"chroot": arena.site, **log}}).start()
    path = arena.script(
        "held.php",
        "<?php\nfile_put_contents('/here', getmypid());\n"
        "while (!file_exists('/go')) { usleep(20000); clearstatcache(); }\necho 'done';",
    )
    os.chmod(arena.site, 0o777)
    request = daemon.get_in_background(path, more={"SCRIPT_FILENAME": path, "DOCUMENT_ROOT": "/"})
    wait_until(lambda: os.path.exists(f"{arena.site}/here"), "the script runs")
    (worker,) = daemon.wait_workers(1)
    if slow_log:
        assert traced(daemon, worker)["script"] == path
    else:
        answer = ask(daemon, worker)
        assert not answer["ok"] and "process.dumpable" in answer["error"]
    with open(f"{arena.site}/go", "w", encoding="ascii"):
        pass
    assert request.result().text == "done"


def test_text_as_in_the_slow_log_and_json(daemon, held):
    daemon.configure().start()
    one = held()
    result = musterctl("-s", control_path(daemon), "trace", str(one.pid))
    assert result.returncode == 0, result.stderr
    head, request, script, *frames = result.stdout.splitlines()
    assert re.fullmatch(
        rf"\[\d\d-[A-Z][a-z]{{2}}-\d{{4}} \d\d:\d\d:\d\d\]  \[pool www\] pid {one.pid}", head
    )
    assert request.startswith(f"request = GET {one.path}?go={one.go}, Running after ")
    assert script == f"script_filename = {one.script}"
    seen = [FRAME.match(line).group(2, 3, 4) for line in frames]
    assert seen[-2:] == [("wait", one.script, "6"), ("outer", one.script, "7")]
    result = musterctl("-s", control_path(daemon), "--json", "trace", str(one.pid))
    assert calls(json.loads(result.stdout)["result"]) == ALL_CALLS
    assert one.let_go() == "went on"


def test_a_worker_of_the_generation_before(daemon, held):
    daemon.configure(globals_={"process_control_timeout": "60s"}).start()
    one = held()
    daemon.reload()
    assert one.pid in daemon.workers()
    assert calls(traced(daemon, one.pid)) == ALL_CALLS
    assert one.let_go() == "went on"


def test_a_deep_stack_is_cut_and_says_so(arena, daemon):
    daemon.configure().start()
    os.chmod(arena.site, 0o777)
    path = arena.script(
        "deep.php",
        "<?php\nfunction down($n, $go) {\n"
        " if ($n > 0) return down($n - 1, $go);\n"
        ' touch("$go.here");\n'
        " while (!file_exists($go)) { usleep(20000); clearstatcache(); } }\n"
        "down(300, $_GET['go']);\necho 'done';",
    )
    go = f"{arena.site}/go"
    request = daemon.get_in_background(path, query=f"go={go}")
    wait_until(lambda: os.path.exists(f"{go}.here"), "the script is down there")
    (worker,) = daemon.wait_workers(1)
    trace = traced(daemon, worker)
    assert trace["cut"] and len(trace["frames"]) == 100
    assert {frame["function"] for frame in trace["frames"][1:]} == {"down"}
    with open(go, "w", encoding="ascii"):
        pass
    assert request.result().text == "done"


def test_hostile_names_do_nothing_to_the_terminal(arena, daemon):
    daemon.configure().start()
    os.chmod(arena.site, 0o777)
    path = arena.script(
        "x\x1b[31m\n.php",
        "<?php\ntouch($_GET['go'] . '.here');\n"
        "while (!file_exists($_GET['go'])) { usleep(20000); clearstatcache(); }\necho 'done';",
    )
    go = f"{arena.site}/go"
    request = daemon.get_in_background(path, query=f"go={go}")
    wait_until(lambda: os.path.exists(f"{go}.here"), "the script runs")
    (worker,) = daemon.wait_workers(1)
    result = musterctl("-s", control_path(daemon), "trace", str(worker))
    assert result.returncode == 0 and "\x1b" not in result.stdout
    assert "\\x1B[31m\\x0A.php" in result.stdout
    with open(go, "w", encoding="ascii"):
        pass
    assert request.result().text == "done"


def test_who_cannot_be_traced(daemon):
    daemon.configure().start()
    (worker,) = daemon.wait_workers(1)
    daemon.assert_serves()
    answer = ask(daemon, worker)
    assert not answer["ok"] and "is idle: it runs no script" in answer["error"]
    for stranger in (os.getpid(), daemon.master, daemon.managers()["www"], 1, 2**31 - 1):
        answer = ask(daemon, stranger)
        assert not answer["ok"] and "worker" in answer["error"], answer
    for nonsense in (0, -1, 2**31, "12", 1.5, None):
        answer = ask(daemon, nonsense)
        assert not answer["ok"] and answer["error"] == "'pid' must be the number of a process"
    result = musterctl("-s", control_path(daemon), "trace", str(worker))
    assert result.returncode == 1 and "is idle" in result.stderr and result.stdout == ""


def test_a_program_that_a_script_runs_is_no_worker(arena, daemon):
    daemon.configure().start()
    os.chmod(arena.site, 0o777)
    path = arena.script("runs.php", "<?php echo shell_exec('echo $$ > ' . $_GET['to'] . '; sleep 60');")
    to = f"{arena.site}/shell"
    request = daemon.get_in_background(path, query=f"to={to}")
    wait_until(lambda: os.path.exists(to) and os.path.getsize(to) > 0, "the program runs")
    with open(to, encoding="ascii") as file:
        shell = int(file.read())
    try:
        answer = ask(daemon, shell)
        assert not answer["ok"] and answer["error"] == f"there is no worker {shell}"
    finally:
        for child in [shell, *children_of(shell)]:
            os.kill(child, signal.SIGKILL)
    request.result()


def children_of(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return [int(child) for child in file.read().split()]
    except FileNotFoundError:
        return []


def test_a_stopped_manager_is_waited_for_two_seconds_and_no_other_command_waits(daemon, held):
    daemon.configure({"www": {}, "other": {}}).start()
    one = held()
    manager = daemon.managers()["www"]
    os.kill(manager, signal.SIGSTOP)
    try:
        with Control(control_path(daemon)) as control:
            control.send({"command": "trace", "pid": one.pid})
            with Control(control_path(daemon)) as beside:
                assert beside.ask({"command": "status"})["ok"]
            answer = control.answer()
        assert not answer["ok"]
        assert answer["error"] == f"manager {manager} has not answered within 2 seconds"
    finally:
        os.kill(manager, signal.SIGCONT)
    assert calls(traced(daemon, one.pid)) == ALL_CALLS, "its late answer confuses nobody"
    assert one.let_go() == "went on"


def test_a_manager_that_dies_meanwhile(daemon, held):
    daemon.configure().start()
    daemon.allow_log("manager")
    one = held()
    manager = daemon.managers()["www"]
    os.kill(manager, signal.SIGSTOP)
    with Control(control_path(daemon)) as control:
        control.send({"command": "trace", "pid": one.pid})
        with Control(control_path(daemon)) as beside:
            assert beside.ask({"command": "status"})["ok"]
        os.kill(manager, signal.SIGKILL)
        answer = control.answer()
    assert not answer["ok"]
    # It may have been dead before it was asked.
    assert "died before it had answered" in answer["error"] or "Broken pipe" in answer["error"]
    answer = ask(daemon, one.pid)
    assert not answer["ok"] and "whose manager is dead" in answer["error"]
    assert one.let_go() == "went on"


@as_user
def test_a_script_that_never_rests(arena, daemon):
    daemon.configure().start()
    os.chmod(arena.site, 0o777)
    go = f"{arena.site}/go"
    path = arena.script(
        "busy.php",
        "<?php\nfunction spin($go) { for ($i = 1; ; ++$i) if ($i % 300000 == 0) {\n"
        " touch(\"$go.here\"); if (file_exists($go)) return; clearstatcache(); } }\n"
        "spin($_GET['go']);\necho 'done';",
    )
    request = daemon.get_in_background(path, query=f"go={go}")
    wait_until(lambda: os.path.exists(f"{go}.here"), "the script runs")
    (worker,) = daemon.wait_workers(1)
    wait_until(
        lambda: ("spin", 4)
        in [(frame["function"], frame["line"]) for frame in traced(daemon, worker)["frames"]],
        "its calls are seen",
    )
    with open(go, "w", encoding="ascii"):
        pass
    assert request.result().text == "done"
