"""What belongs to one test: its directory, its daemons, and the check that all is gone."""

import os
import shutil
import stat
import tempfile
import time

from . import processes
from .daemon import Daemon
from .nginx import Nginx
from .streams import Stream
from .waiting import wait_until

GATE_SCRIPT = """<?php
// Tells that it runs, then waits to be let go: no test depends on how fast anything is.
$gate = $_GET['gate'];
file_put_contents("$gate.started.part", (string) getmypid());
rename("$gate.started.part", "$gate.started");
$giveUp = microtime(true) + 60;
while (!file_exists("$gate.go") && microtime(true) < $giveUp) {
    usleep(5000);
    clearstatcache();
}
echo 'through the gate';
"""


class Gate:
    """A request that runs until the test lets it go."""

    def __init__(self, arena, number):
        self._file = f"{arena.scratch}/gate{number}"
        self.path = arena.script("gate.php", GATE_SCRIPT)
        self.query = f"gate={self._file}"

    def wait_started(self):
        """Pid of the worker that runs it."""
        wait_until(lambda: os.path.exists(f"{self._file}.started"), "the slow script runs", 15)
        with open(f"{self._file}.started", encoding="ascii") as file:
            return int(file.read())

    def started(self):
        return os.path.exists(f"{self._file}.started")

    def open(self):
        with open(f"{self._file}.go", "w", encoding="ascii"):
            pass


class Arena:
    def __init__(self, identity):
        self.identity = identity
        self.dir = tempfile.mkdtemp(prefix="m-")  # short: unix socket paths end at 107 bytes
        os.chmod(self.dir, 0o755)
        self.site = f"{self.dir}/www"
        os.mkdir(self.site)
        self.scratch = f"{self.dir}/scratch"
        os.mkdir(self.scratch)
        os.chmod(self.scratch, 0o1777)
        self.daemons, self.nginxes, self.streams, self._gates = [], [], [], 0
        self.popens = {}
        self.keep_sockets = False  # the test kills a master, whose socket files stay
        self._shm_before = self._shared_memory()

    @staticmethod
    def _shared_memory():
        """Without that of Apache and of fuzzers, which other tests may be running beside us."""
        names = os.listdir("/dev/shm") if os.path.isdir("/dev/shm") else []
        return {name for name in names if not name.startswith(("ShM.", "fuzz-"))}

    def directory(self, name, identity):
        path = tempfile.mkdtemp(prefix=f"{name[:4]}-", dir=self.dir)
        os.chmod(path, 0o755)
        if identity:
            identity.give(path)
        return path

    def give_to_workers(self, root):
        """Makes a folder and all in it belong to the pool's user."""
        for place, _, names in os.walk(root):
            os.chmod(place, 0o755)
            for path in [place, *(f"{place}/{name}" for name in names)]:
                if os.geteuid() == 0:
                    uid, gid = self.identity.worker_uid, self.identity.worker_gid
                    os.chown(path, uid, gid, follow_symlinks=False)

    def daemon(self, name="d", identity=None):
        daemon = Daemon(self, identity or self.identity, name)
        self.daemons.append(daemon)
        return daemon

    def nginx(self, address, **options):
        nginx = Nginx(self, address, **options)
        self.nginxes.append(nginx)
        return nginx

    def stream(self, kind, name):
        """For a daemon's stdout or stderr; collected in a file until the daemon's end."""
        stream = Stream(kind, f"{self.dir}/{name}")
        self.streams.append(stream)
        return stream

    def script(self, name, code):
        """Puts a PHP file into the site and returns its URL path."""
        path = f"{self.site}/{name}"
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                assert file.read() == code, "OPcache may still hold the other text: use a new name"
            return f"/{name}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(f"{path}.new", "w", encoding="utf-8") as file:
            file.write(code)
        # OPcache does not keep files that changed in the last two seconds.
        past = time.time() - 3600
        os.utime(f"{path}.new", (past, past))
        os.rename(f"{path}.new", path)
        return f"/{name}"

    def gate(self):
        self._gates += 1
        return Gate(self, self._gates)

    def _left_over_processes(self):
        processes.reap_orphans(self.popens)
        for process in self.popens.values():
            process.poll()
        return processes.descendants(os.getpid())

    def _left_over_files(self):
        found = []
        for place, _, names in os.walk(self.dir):
            for name in names:
                path = f"{place}/{name}"
                if stat.S_ISSOCK(os.lstat(path).st_mode):
                    found.append(f"socket file {path}")
        found += [f"/dev/shm/{name}" for name in self._shared_memory() - self._shm_before]
        return found

    def close(self):
        """Stops everything; a list of everything that is not as it must be."""
        problems = []
        for nginx in self.nginxes:
            problems += nginx.close()
        for daemon in self.daemons:
            problems += daemon.close()
        for stream in self.streams:
            stream.close()
        try:
            wait_until(lambda: not self._left_over_processes(), "all processes gone", 5)
        except AssertionError:
            for pid in self._left_over_processes():
                problems.append(f"left-over process {pid}: {processes.title(pid)!r}")
                processes.kill_hard(pid)
            wait_until(lambda: not self._left_over_processes(), "killed processes gone", 5)
        if not self.keep_sockets:
            problems += self._left_over_files()
        shutil.rmtree(self.dir, ignore_errors=True)
        return problems
