"""A php-fpm and a muster of one configuration that serve, and the log lines both write."""

import base64
import contextlib
import fcntl
import json
import os
import re
import struct
import termios
import zlib

from harness import config, processes
from harness.arena import Arena
from harness.background import Task
from harness.logs import LogFile
from harness.program import Identity, is_reference
from harness.waiting import wait_until

from . import running
from .programs import ORACLE
from .running import RunningDaemon

# Does what the request's body lists: [["stdout" | "stderr" | "log" | "wait" | …, bytes], …].
PLAYER = r"""<?php
$files = ['stdout' => fopen('php://stdout', 'w'), 'stderr' => fopen('php://stderr', 'w')];
foreach (json_decode(file_get_contents('php://input')) as [$what, $bytes]) {
    $bytes = base64_decode($bytes);
    if ($what === 'log') {
        error_log($bytes);
    } elseif ($what === 'notice') {
        trigger_error($bytes);
    } elseif ($what === 'exception') {
        throw new Exception($bytes);
    } elseif ($what === 'wait') {
        file_put_contents("$bytes.part", getmypid());
        rename("$bytes.part", "$bytes.at");
        while (!file_exists("$bytes.go")) {
            usleep(1000);
            clearstatcache();
        }
    } else {
        fwrite($files[$what], $bytes);
    }
}
echo getmypid();
"""


class ServedDaemon(RunningDaemon):
    """A daemon of either program, and requests whose effects on logs are in before the next one."""

    def __init__(self, arena, identity, program):
        super().__init__(arena, identity, program)
        self._waits = 0
        self.player = arena.script("player.php", PLAYER)

    @property
    def is_oracle(self):
        return self.program == ORACLE or is_reference()

    def set_up(self, pools, globals_, *arguments, wait=True, detached=False):
        """Texts may hold {dir}; "tcp" as an address stands for a free port."""
        filled = {}
        for name, directives in pools.items():
            filled[name] = {
                key: self.fill(value) if value is not None else None
                for key, value in directives.items()
            }
            if filled[name].get("listen") == "tcp":
                filled[name]["listen"] = f"127.0.0.1:{config.free_port()}"
        self.configure(filled, {key: self.fill(value) for key, value in globals_.items()})
        if self.globals["error_log"].startswith(self.dir):
            self.log = LogFile(self.globals["error_log"])
            folder = os.path.dirname(self.log.path)
            if folder != self.dir:
                os.mkdir(folder)
                self.identity.give(folder)
        if detached:
            result = self.start_detached(*arguments)
            assert result.returncode == 0, result.stderr
        else:
            self.start(*arguments, wait=wait)
        for name in self.pools:
            self.wait_workers(1, name)
        return self

    def fill(self, value):
        if isinstance(value, list):
            return [self.fill(one) for one in value]
        return value.replace("{dir}", self.dir)

    def file(self, name):
        return LogFile(f"{self.dir}/{name}")

    def worker(self, pool="www"):
        (pid,) = self.wait_workers(1, pool)
        return pid

    def drained(self, pid):
        """Returns once whoever reads the worker's streams has read them empty."""
        for number in (1, 2):
            try:
                fd = os.open(f"/proc/{pid}/fd/{number}", os.O_RDONLY | os.O_NONBLOCK)
            except OSError:  # the worker has gone
                return
            try:
                if os.readlink(f"/proc/self/fd/{fd}").startswith("pipe:"):
                    wait_until(lambda fd=fd: unread(fd) == 0, "the worker's output is read")
            finally:
                os.close(fd)

    def play(self, actions, pool="www", **more):
        """Actions in one request; "wait" lets what was written before be read before the rest."""
        script, waits = [], []
        for what, data in actions:
            if what == "wait":
                self._waits += 1
                data = f"{self.arena.scratch}/wait{self._waits}".encode()
                waits.append(data.decode())
            script.append([what, base64.b64encode(data).decode()])
        body = json.dumps(script).encode()
        task = Task(self.get, self.player, pool, "POST", body=body, **more)
        for wait in waits:
            wait_until(lambda wait=wait: os.path.exists(f"{wait}.at"), "the script waits")
            with open(f"{wait}.at", encoding="ascii") as file:
                self.drained(int(file.read()))
            with open(f"{wait}.go", "w", encoding="ascii"):
                pass
        answer = task.result()
        if answer.text.isdigit():
            self.drained(int(answer.text))
        return answer

    def play_and_kill(self, actions, pool, pid):
        """The same for a worker that dies at the end of it; its output need not be read."""
        self._waits += 1
        place = f"{self.arena.scratch}/wait{self._waits}"
        script = [*actions, ("wait", place.encode())]
        script = [[what, base64.b64encode(data).decode()] for what, data in script]
        task = Task(self.get, self.player, pool, "POST", body=json.dumps(script).encode())
        wait_until(lambda: os.path.exists(f"{place}.at"), "the script waits")
        processes.kill_hard(pid)
        return task.result()

    def finish(self, number):
        self.signal(number)
        return self.wait_exit()


def unread(fd):
    return struct.unpack("i", fcntl.ioctl(fd, termios.FIONREAD, b"\0\0\0\0"))[0]


@contextlib.contextmanager
def serving(
    programs, identity, pools, globals_=None, *arguments, wait=True, detached=False, arena=None
):
    """[php-fpm, muster], up with the same configuration; in one `arena`, or each in its own."""
    processes.adopt_orphans()
    arenas, daemons = [], []
    try:
        for program in (ORACLE, programs.candidate(identity)):
            arenas.append(arena or Arena(identity))
            daemon = ServedDaemon(arenas[-1], identity, program)
            daemons.append(daemon)
            daemon.set_up(pools, globals_ or {}, *arguments, wait=wait, detached=detached)
        yield daemons
        for daemon in daemons:
            if daemon.poll() is None:
                daemon.exit_expected = True
                daemon.signal(15)
                daemon.wait_exit()
    finally:
        for daemon in daemons:
            daemon.kill_everybody()
        for one in dict.fromkeys(arenas):
            one.keep_sockets = True
            one.close()


# Where in the program, at debug level; php-fpm has a NUL byte behind it.
PLACE = re.compile(r"(DEBUG|NOTICE|WARNING|ERROR): (?:\w+|\(null\))\(\), line \d+: \0?"), r"\1: "


def neutral(text, daemon):
    return running.neutral(text, daemon, PLACE)


def bytes_of(log):
    """A log as text that loses no byte."""
    if not os.path.exists(log.path):
        return ""
    with open(log.path, "rb") as file:
        return file.read().decode("latin-1")


def short(line):
    """Comparable and readable: a long line by its size, check sum and ends."""
    if len(line) <= 200:
        return line
    data = line.encode("latin-1")
    return f"{line[:90]} <{len(data)} bytes, {zlib.crc32(data):08x}> {line[-60:]}"
