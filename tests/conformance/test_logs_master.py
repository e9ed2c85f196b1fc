"""Where the daemon's own lines go and how they are cut: targets, reopening, long and odd names."""

import difflib
import os
import re
import signal

import pytest

from compare import served
from compare.differences import entries, escaped
from compare.fixtures import fail
from harness.background import Task
from harness.logs import LogFile
from harness.program import is_reference
from harness.waiting import wait_until

# Lines that only one of them says, by difference.
ONLY = {
    "reopened-access-log": (
        r"child N exited with code 0 after|NOTICE: \[pool \S+\] child N started",
        None,
    ),
    "reload-line": (
        r"NOTICE: reloading: execvp\(",
        r"NOTICE: reloading: a new generation of \d pools? starts? beside the old one$",
    ),
}
INHERITED = re.compile(r"NOTICE: using inherited socket ")


def without(lines, names, index):
    for name in names:
        if name in ONLY and ONLY[name][index] is not None:
            lines = [line for line in lines if not re.search(ONLY[name][index], line)]
    return lines


def once(lines):
    """`reload-line`: php-fpm also sends each to the stderr of the start."""
    if all(INHERITED.search(line) for line in lines):
        return []
    return [
        line
        for at, line in enumerate(lines)
        if not (at and INHERITED.search(line) and line == lines[at - 1])
    ]


def check(oracle, muster, *names):
    """Both: {what: lines}"""
    for name in names:
        assert name in entries(), f"{name} is not in differences.md"
    problems = []
    for what in {**oracle, **muster}:
        expected, actual = oracle.get(what), muster.get(what)
        if isinstance(expected, list) and isinstance(actual, list):
            expected = without(expected, names, 0)
            actual = without(actual, names, 0 if is_reference() else 1)
            if "reload-line" in names:
                expected = once(expected)
                actual = once(actual) if is_reference() else actual
        if expected == actual:
            continue
        problems.append(f"{what} differs:")
        if isinstance(expected, list) and isinstance(actual, list):
            difference = difflib.unified_diff(expected, actual, "php-fpm", "muster", "", "", 3, "")
            problems += [served.short(line) for line in difference]
        else:
            problems.append(f"php-fpm {expected!r}, muster {actual!r}")
    if problems:
        fail("\n".join(problems))


def files_of(daemon, folder="."):
    """The lines of every log that is there, but for sockets and the configuration."""
    seen = {}
    for name in sorted(os.listdir(f"{daemon.dir}/{folder}")):
        path = f"{daemon.dir}/{folder}/{name}"
        if os.path.isfile(path) and not name.endswith((".conf", ".pid")):
            lines = served.neutral(served.bytes_of(LogFile(path)), daemon)
            seen[name] = [re.sub(r"\d\d/\w{3}/\d{4}:\S+ \+\d{4}", "<time>", line) for line in lines]
            seen[f"mode of {name}"] = oct(os.stat(path).st_mode)
    return seen


class Speaker:
    """A daemon and the file in which it is heard."""

    def __init__(self, daemon, name):
        self.daemon, self.log = daemon, daemon.file(name)

    def do(self, number, wanted):
        mark = self.log.mark() if os.path.exists(self.log.path) else 0
        self.daemon.signal(number)
        self.log.wait_for(wanted, since=mark)


TARGETS = {
    "file": ({}, ("-F",), "error.log"),
    "stderr": ({"error_log": "/dev/stderr"}, ("-F",), "stderr"),
    "fd 2": ({"error_log": "/proc/self/fd/2"}, ("-F",), "stderr"),
    "-O": ({}, ("-F", "-O"), "stderr"),
    "-O and stderr": ({"error_log": "/dev/stderr"}, ("-F", "-O"), "stderr"),
    "debug": ({"log_level": "debug"}, ("-F",), "error.log"),
}
ACCESS = {
    "none": {},
    "file": {"access.log": "{dir}/access"},
    "stderr": {"access.log": "/dev/stderr"},
}


def recorded(daemon):
    """Debug lines are compared elsewhere; lines of an access log stand where they may."""
    seen = files_of(daemon)
    for what, lines in list(seen.items()):
        if isinstance(lines, list):
            seen[what] = [
                line for line in lines if "] DEBUG: " not in line and not line.startswith("access ")
            ]
            seen[f"requests in {what}"] = [line for line in lines if line.startswith("access ")]
    return seen


@pytest.mark.parametrize("access", ACCESS)
@pytest.mark.parametrize("target", TARGETS)
def test_life_on_target(programs, who, target, access):
    globals_, arguments, name = TARGETS[target]
    pool = {"catch_workers_output": "yes", **ACCESS[access]}
    if access == "stderr":
        pool["access.format"] = "access %m %r %s"
    records = []
    with served.serving(programs, who, {"www": pool}, globals_, *arguments[1:], wait=True) as both:
        for daemon in both:
            speaker = Speaker(daemon, name)
            daemon.play([("stderr", b"before\n"), ("log", b"message")])
            speaker.log.wait_for("PHP message: message")
            if name != "stderr":
                os.rename(speaker.log.path, f"{speaker.log.path}.1")
            if access == "file":
                os.rename(f"{daemon.dir}/access", f"{daemon.dir}/access.1")
            last = "error log file" if access == "none" else "access log file"
            speaker.do(signal.SIGUSR1, f"NOTICE: .*{last} re-opened")
            if access != "none" and daemon.is_oracle:
                speaker.log.wait_for(r"NOTICE: .*child \d+ started")
            daemon.wait_workers(1)
            daemon.play([("stderr", b"after\n")])
            speaker.log.wait_for("after")
            daemon.finish(signal.SIGTERM)
            records.append(recorded(daemon))
    check(*records, *(["reopened-access-log"] if access != "none" else []))


@pytest.mark.parametrize("access", ACCESS)
@pytest.mark.parametrize("target", TARGETS)
def test_reload_on_target(programs, who, target, access):
    globals_, arguments, name = TARGETS[target]
    records = []
    with served.serving(
        programs, who, {"www": ACCESS[access]}, globals_, *arguments[1:], wait=True
    ) as both:
        for daemon in both:
            speaker = Speaker(daemon, name)
            speaker.do(signal.SIGUSR2, "NOTICE: .*systemd monitor")
            daemon.wait_workers(1)
            speaker.do(signal.SIGUSR1, "NOTICE: .*re-opened")
            daemon.finish(signal.SIGTERM)
            records.append(recorded(daemon))
    names = ["reload-line"] + (["reopened-access-log"] if access != "none" else [])
    check(*records, *names)


NEIGHBOURS = {
    "kept": ["www", "tcp", "more"],
    "removed": ["www", "more"],
    "first removed": ["tcp", "more"],
    "added": ["www", "tcp", "more", "new"],
}


@pytest.mark.parametrize("detached", [False, True], ids=["foreground", "daemonized"])
@pytest.mark.parametrize("pools_then", NEIGHBOURS)
def test_reload_with_several_pools(programs, who, pools_then, detached):
    """Sockets of both kinds; the lines may name them in another order."""
    records = []
    pools = {"www": {}, "tcp": {"listen": "tcp"}, "more": {"catch_workers_output": "yes"}}
    with served.serving(programs, who, pools, {}, detached=detached) as both:
        for daemon in both:
            port = daemon.address("tcp").rpartition(":")[2]
            then = {
                name: {"listen": daemon.address(name)} if name == "tcp" else {}
                for name in NEIGHBOURS[pools_then]
            }
            daemon.configure(then)
            mark = daemon.log.mark()
            daemon.signal(signal.SIGUSR2)
            daemon.log.wait_for("systemd monitor", since=mark)
            if detached:
                with open(daemon.pid_file, encoding="ascii") as file:
                    daemon.master = int(file.read())
            daemon.finish(signal.SIGTERM)
            lines = [line.replace(port, "PORT") for line in recorded(daemon)["error.log"]]
            first = next(at for at, line in enumerate(lines) if INHERITED.search(line))
            last = first + sum(1 for line in lines if INHERITED.search(line))
            lines[first:last] = sorted(set(lines[first:last]))
            records.append({"lines": lines})
    check(*records, "reload-line")


@pytest.mark.parametrize("access", ["none", "access.log", "error/access.log"])
@pytest.mark.parametrize("folder", ["there", "gone"])
def test_reopening(programs, who, folder, access):
    """The folder of the error log is moved: the old file stays in use, or there is a new one."""
    pool = {} if access == "none" else {"access.log": f"{{dir}}/{access}", "access.format": "%s"}
    wanted = "error log file" if access == "none" else "access log file"
    records = []
    with served.serving(
        programs, who, {"www": pool}, {"error_log": "{dir}/error/error.log"}
    ) as both:
        for daemon in both:
            moved = LogFile(f"{daemon.dir}/moved/error.log")
            os.rename(f"{daemon.dir}/error", f"{daemon.dir}/moved")
            if folder == "there":
                os.mkdir(f"{daemon.dir}/error")
                daemon.identity.give(f"{daemon.dir}/error")
            log = daemon.log if folder == "there" else moved
            for _ in range(2):
                mark = log.mark()
                daemon.signal(signal.SIGUSR1)
                log.wait_for(f"re-opened {wanted}|{wanted} re-opened", since=mark)
            daemon.wait_workers(1)
            daemon.play([])
            daemon.finish(signal.SIGTERM)
            folders = [
                name for name in (".", "error", "moved") if os.path.isdir(daemon.dir + "/" + name)
            ]
            records.append(
                {
                    f"{name}/{what}": lines
                    for name in folders
                    for what, lines in files_of(daemon, name).items()
                }
            )
    check(*records, *(["reopened-access-log"] if access != "none" else []))


LONG = "p" * 180
SLEEP = "<?php while (true) usleep(1000);"


def test_names_in_lines_of_timeouts(programs, who):
    """Long, odd and foreign names of pools, scripts and queries."""
    cases = [
        ("short", "sleep.php", "a=b", "GET"),
        (LONG, "sleep.php", "", "POST"),
        ("long_script", "/".join(["d" * 100, "e" * 100, "f" * 100 + ".php"]), "x=y", "GET"),
        ("foreign", "grüße-日本.php", "ü=%20é", "GET"),
        ("long_query", "sleep.php", "q" * 700, "PROPFINDPROPFINDPROPFIND"),
        ("controls", "sleep.php", "a\x1b[1mb\x7fc", "GET"),
        (LONG + "2", "/".join(["d" * 200] * 5) + "/sleep.php", "q" * 3000, "M" * 100),
    ]
    pools = {
        name: {"request_terminate_timeout": "1s", "listen": f"{{dir}}/{number}.sock"}
        for number, (name, _, _, _) in enumerate(cases)
    }
    records = []
    assert "control-bytes" in entries()
    with served.serving(programs, who, pools) as both:
        asked = []
        for daemon in both:
            for name, script, query, method in cases:
                path = daemon.arena.script(script, SLEEP)
                asked.append(Task(daemon.get, path, name, method, query))
        for daemon in both:
            daemon.log.wait_for(r"NOTICE: .*child \d+ started", count=len(cases), timeout=10)
            lines = served.neutral(served.bytes_of(daemon.log), daemon)
            if daemon.is_oracle:
                lines = escaped(lines)
            # How the workers then end is another matter: soft-timeout.
            lines = [line for line in lines if "execution timed out" in line]
            records.append({"lines": sorted(set(lines))})
            assert len(records[-1]["lines"]) == len(cases)
        for task in asked:
            task.result()
    check(*records)
