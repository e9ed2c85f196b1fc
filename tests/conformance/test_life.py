"""Start, signals, deaths and the end: the log lines, exit codes, files and titles of both programs."""

import os
import re
import signal

import pytest

from compare.programs import ORACLE
from harness import processes
from harness.program import environment_for_signals
from harness.waiting import wait_until

SIGNALS = ["SIGTERM", "SIGINT", "SIGQUIT"]
who_root = pytest.mark.parametrize("who", ["root"], indirect=True)
who_any = pytest.mark.parametrize("who", ["any"], indirect=True)
who_both = pytest.mark.parametrize("who", ["root", "user"], indirect=True)


def number(name):
    return getattr(signal, name)


def end(daemon, since=0):
    """What every scenario records once the master is gone."""
    code = daemon.wait_exit()
    return {"code": code, "log": daemon.record_log(since), "left": daemon.left()}


@who_both
@pytest.mark.parametrize("name", SIGNALS)
def test_stop_when_idle(live, name):
    def scenario(daemon):
        daemon.configure({"www": {"pm.max_children": "2"}}).start()
        daemon.wait_workers(2)
        daemon.signal(number(name))
        return end(daemon)

    live(scenario)


@who_any
@pytest.mark.parametrize("level", ["warning", "error", "alert"])
@pytest.mark.parametrize("name", SIGNALS)
def test_stop_with_log_level(live, name, level):
    def scenario(daemon):
        daemon.configure(globals_={"log_level": level}).start(wait=False)
        daemon.wait_workers(1)
        daemon.signal(number(name))
        return end(daemon)

    live(scenario)


@who_both
@pytest.mark.parametrize("name", SIGNALS)
def test_daemonized(live, name):
    def scenario(daemon):
        daemon.configure()
        result = daemon.start_detached()
        daemon.wait_workers(1)
        pid_file = open(daemon.pid_file, encoding="ascii").read()
        seen = {
            "starter": (result.returncode, result.stdout, result.stderr),
            "pid file": (pid_file == str(daemon.master), os.stat(daemon.pid_file).st_mode),
            "own session": processes.session(daemon.master) == daemon.master,
            "stdin": processes.descriptors(daemon.master).get(0),
            "stderr": processes.descriptors(daemon.master).get(2, "").replace(daemon.dir, ""),
        }
        daemon.signal(number(name))
        return {**seen, **end(daemon)}

    live(scenario)


@who_both
def test_titles_and_ids(live):
    def scenario(daemon):
        daemon.configure({"www": {}, "second pool": {}}).start()
        (worker,) = daemon.wait_workers(1)
        (other,) = daemon.wait_workers(1, "second pool")
        seen = {
            "master": processes.title(daemon.master).replace(daemon.dir, "{dir}"),
            "worker": processes.title(worker),
            "other": processes.title(other),
            "worker's session": processes.session(worker) == processes.session(daemon.master),
            "user": [processes.status_field(worker, field) for field in ("Uid", "Gid", "Groups")],
            "socket": [
                f"{name} {info.st_mode:o} {info.st_uid} {info.st_gid}"
                for name in sorted(os.listdir(daemon.dir))
                if name.endswith(".sock")
                for info in [os.stat(f"{daemon.dir}/{name}")]
            ],
        }
        daemon.signal(signal.SIGTERM)
        return {**seen, **end(daemon)}

    live(scenario)


def busy(daemon, globals_=None, pool=None):
    """A daemon with one worker that waits in a request."""
    daemon.configure({"www": pool or {}}, globals_).start()
    gate = daemon.arena.gate()
    answer = daemon.get_in_background(gate.path, query=gate.query)
    gate.wait_started()
    return gate, answer


def text_of(task):
    try:
        return task.result().text
    except Exception as error:  # what kind of break the client sees is not compared
        return f"no answer ({type(error).__name__})"


@who_any
@pytest.mark.parametrize("first", ["SIGQUIT", "SIGUSR2", "SIGHUP"])
def test_busy_worker_is_waited_for(live, first):
    def scenario(daemon):
        gate, answer = busy(daemon)
        mark = daemon.log.mark()
        daemon.signal(number(first))
        daemon.log.wait_for(r"Finishing|Reloading")
        gate.open()
        text = text_of(answer)
        if first != "SIGQUIT":
            daemon.log.wait_for("ready to handle connections", since=mark, timeout=15)
            daemon.wait_workers(1)
            daemon.signal(signal.SIGTERM)
        return {"answer": text, **end(daemon, mark)}

    live(scenario, *(["reload-line"] if first != "SIGQUIT" else []))


@who_any
@pytest.mark.parametrize("sequence", [
    ("SIGQUIT", "SIGTERM"), ("SIGQUIT", "SIGINT"), ("SIGQUIT", "SIGUSR2"),
    ("SIGUSR1", "SIGTERM"), ("SIGQUIT", "SIGUSR1", "SIGTERM"),
], ids="-".join)  # fmt: skip
def test_sequence_when_busy(live, sequence):
    said = {"SIGQUIT": "Finishing", "SIGTERM": "Terminating", "SIGINT": "Terminating",
            "SIGUSR2": "Reloading", "SIGUSR1": "re-opened"}  # fmt: skip

    def scenario(daemon):
        gate, answer = busy(daemon, {"process_control_timeout": "20s"})
        mark = daemon.log.mark()
        for name in sequence:
            before = daemon.log.mark()
            daemon.signal(number(name))
            daemon.log.wait_for(said[name], since=before)
        if sequence[-1] not in ("SIGTERM", "SIGINT"):
            gate.open()
        seen = end(daemon, mark)
        gate.open()
        return {"answer": text_of(answer).partition(" (")[0], **seen}

    live(scenario)


@who_any
@pytest.mark.parametrize("timeout", ["1s", "2s"])
def test_escalation(live, timeout):
    def scenario(daemon):
        gate, answer = busy(daemon, {"process_control_timeout": timeout})
        mark = daemon.log.mark()
        daemon.signal(signal.SIGQUIT)
        seen = end(daemon, mark)
        gate.open()
        text_of(answer)
        return seen

    live(scenario)


@who_both
@pytest.mark.parametrize("access_log", [False, True], ids=["plain", "access-log"])
def test_reopen(live, access_log):
    def scenario(daemon):
        pool = {"access.log": f"{daemon.dir}/access.log"} if access_log else {}
        daemon.configure({"www": pool}).start()
        daemon.wait_workers(1)
        names = ["error.log"] + (["access.log"] if access_log else [])
        for name in names:
            os.rename(f"{daemon.dir}/{name}", f"{daemon.dir}/{name}.1")
        daemon.signal(signal.SIGUSR1)
        daemon.log.wait_for("error log file re-opened")
        if access_log:
            daemon.log.wait_for("access log file re-opened")
        wait_until(lambda: len(daemon.workers()) == 1, "a worker")
        modes = [oct(os.stat(f"{daemon.dir}/{name}").st_mode) for name in names]
        daemon.signal(signal.SIGTERM)
        return {"modes": modes, **end(daemon)}

    live(scenario, *(["reopened-access-log"] if access_log else []))


@who_both
@pytest.mark.parametrize("name", ["SIGUSR2", "SIGHUP"])
def test_reload(live, name):
    def scenario(daemon):
        daemon.configure().start()
        daemon.wait_workers(1)
        master = daemon.master
        mark = daemon.log.mark()
        daemon.signal(number(name))
        daemon.log.wait_for("ready to handle connections", since=mark, timeout=15)
        daemon.wait_workers(1)
        seen = {"alive": processes.is_alive(master), "log of the reload": daemon.record_log(mark)}
        daemon.signal(signal.SIGTERM)
        return {**seen, **end(daemon, mark)}

    live(scenario, "reload-line")


DEADLY = """SIGHUP SIGINT SIGQUIT SIGILL SIGTRAP SIGABRT SIGBUS SIGFPE SIGKILL SIGUSR1 SIGSEGV
    SIGUSR2 SIGALRM SIGTERM SIGSTKFLT SIGXCPU SIGXFSZ SIGVTALRM SIGPROF SIGIO SIGPWR
    SIGSYS""".split()


@who_any
@pytest.mark.parametrize("name", DEADLY)
def test_worker_killed_by(live, name):
    def scenario(daemon):
        daemon.configure().start(env=environment_for_signals())
        (worker,) = daemon.wait_workers(1)
        mark = daemon.log.mark()
        processes.send(worker, number(name))
        daemon.log.wait_for(r"child \d+ exited", since=mark)
        daemon.log.wait_for(r"child \d+ started", since=mark, timeout=10)
        wait_until(lambda: daemon.workers() - {worker}, "another worker", 10)
        seen = {"log of the death": daemon.record_log(mark)}
        daemon.signal(signal.SIGTERM)
        return {**seen, **end(daemon, mark)}

    live(scenario)


@who_any
@pytest.mark.parametrize("name", ["SIGPIPE", "SIGCHLD", "SIGWINCH", "SIGURG", "SIGCONT"])
def test_worker_ignores(live, name):
    def scenario(daemon):
        daemon.configure().start()
        (worker,) = daemon.wait_workers(1)
        processes.send(worker, number(name))
        daemon.assert_serves()
        alive = processes.is_alive(worker)
        daemon.signal(signal.SIGTERM)
        return {"alive": alive, **end(daemon)}

    live(scenario)


@who_any
def test_max_requests(live):
    def scenario(daemon):
        daemon.configure({"www": {"pm.max_requests": "2"}}).start()
        daemon.wait_workers(1)
        mark = daemon.log.mark()
        for _ in range(2):
            daemon.assert_serves()
        daemon.log.wait_for(r"child \d+ exited", since=mark)
        daemon.log.wait_for(r"child \d+ started", since=mark)
        seen = {"log of the change": daemon.record_log(mark)}
        daemon.signal(signal.SIGTERM)
        return {**seen, **end(daemon, mark)}

    live(scenario, "successors")


@who_any
def test_request_terminate_timeout(live):
    def scenario(daemon):
        # php-fpm's way; what muster does otherwise: `soft-timeout`.
        grace = {} if daemon.program == ORACLE else {"request_terminate_grace": "0"}
        gate, answer = busy(daemon, pool={"request_terminate_timeout": "1s", **grace})
        daemon.log.wait_for(r"child \d+ started", timeout=10)
        seen = daemon.record_log()
        gate.open()
        daemon.signal(signal.SIGTERM)
        text = text_of(answer).partition(" (")[0]
        repeated = r"execution timed out"
        once = [
            line
            for at, line in enumerate(seen)
            if not (at and re.search(repeated, line) and line == seen[at - 1])
        ]
        return {"log of the timeout": once, "answer": text, "code": daemon.wait_exit()}

    live(scenario)
