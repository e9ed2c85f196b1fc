"""One daemon under test: its files, its life, its processes, and how it must leave."""

import os
import re
import signal
import subprocess

from . import config, processes
from .logs import LogFile, unexpected
from .program import binary_for, is_reference
from .requests import Requests
from .waiting import PATIENCE, wait_until


class Daemon(Requests):
    def __init__(self, arena, identity, name):
        self.arena, self.identity = arena, identity
        self.dir = arena.directory(name, identity)
        self.conf = f"{self.dir}/d.conf"
        self.pid_file = f"{self.dir}/d.pid"
        self.log = LogFile(f"{self.dir}/error.log")
        self.stderr = LogFile(f"{self.dir}/stderr")
        self.more_logs = []  # further files that are looked through for trouble
        self.globals, self.pools, self.text = {}, {}, ""
        self.master = None
        self.exit_code = None
        self.exit_expected = False  # the test ends the master itself
        self.compare_descriptors = True
        self._process = None
        self._allowed = []
        self._baseline = None

    # Configuration

    def configure(self, pools=None, globals_=None):
        """pools: {name: {directive: value}} added to small defaults; None removes a default."""
        self.globals = {**config.global_defaults(self.dir), **(globals_ or {})}
        self.pools = {}
        for name, directives in (pools or {"www": {}}).items():
            defaults = config.pool_defaults(name, self.dir, self.identity)
            self.pools[name] = {**defaults, **directives}
        self.write(config.render(self.globals, self.pools))
        return self

    def write(self, text):
        self.text = text
        with open(self.conf, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(self.conf, 0o644)

    def address(self, pool="www"):
        return self.pools[pool]["listen"]

    def line_of(self, fragment):
        return config.line_of(self.text, fragment)

    def allow_log(self, *patterns):
        """Lines at error level, or about crashed workers, that this test brings about."""
        self._allowed += patterns

    # Life

    def command(self, *arguments):
        return [binary_for(self.identity), "-y", self.conf, *arguments]

    def run(self, *arguments, command=None, timeout=15, env=None):
        """Runs the program to its end (start-up errors, -t, informational options)."""
        return subprocess.run(
            command or self.command(*arguments),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout * PATIENCE,
            cwd=self.dir,
            env=env,
            check=False,
            **self.identity.popen_arguments(),
        )

    def start(
        self,
        *arguments,
        wait=True,
        command=None,
        env=None,
        stdout=None,
        stderr=None,
        close_fds=True,
    ):
        """In the foreground (-F), ready when this returns. `stdout`, `stderr`: descriptors."""
        if not self.text:
            self.configure()
        mark = self.log.mark()
        with open(self.stderr.path, "ab") as file:
            self._process = subprocess.Popen(
                command or self.command("-F", *arguments),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL if stdout is None else stdout,
                stderr=file if stderr is None else stderr,
                cwd=self.dir,
                env=env,
                close_fds=close_fds,
                **self.identity.popen_arguments(),
            )
        self.arena.popens[self._process.pid] = self._process
        self.master = self._process.pid
        self.exit_code, self.exit_expected = None, False
        if wait:
            self.wait_ready(mark)
        return self

    def start_detached(self, *arguments):
        """Daemonized (-D): returns the starter's result; `master` is set when it is up."""
        mark = self.log.mark()
        result = self.run("-D", *arguments)
        self.exit_code, self.exit_expected = None, False
        if result.returncode == 0:
            with open(self.pid_file, encoding="ascii") as file:
                self.master = int(file.read())
            self.wait_ready(mark)
        return result

    def wait_ready(self, mark=0):
        def ready():
            if self.poll() is not None:
                raise AssertionError(
                    f"the daemon ended with {self.exit_code}:\n"
                    f"{self.log.text()}\n{self.stderr.text()}"
                )
            return self.log.find("ready to handle connections", mark) or self.stderr.find(
                r"\] NOTICE: ready to handle connections"
            )

        wait_until(
            ready,
            lambda: f"ready; log:\n{self.log.text()}\n{self.stderr.text()}",
            15,
        )
        self._take_baseline()

    def poll(self):
        """The master's exit code (negative: signal), or None while it lives."""
        if self.exit_code is None and self.master is not None:
            if self._process is not None and self._process.pid == self.master:
                self.exit_code = self._process.poll()
            elif processes.state(self.master) in (None, "Z"):
                self.exit_code = self._collect()
        return self.exit_code

    def _collect(self):
        """The exit code of a dead master that is not this process's own child; None while it is
        still the child of somebody who ends as well, and comes to us only then."""
        try:
            _, status = os.waitpid(self.master, 0)
        except ChildProcessError:
            if processes.state(self.master) == "Z":
                return None
            raise
        return os.waitstatus_to_exitcode(status)

    def wait_exit(self, timeout=10.0):
        """For tests that end the master themselves: its exit code."""
        self.exit_expected = True
        wait_until(
            lambda: self.poll() is not None, lambda: f"exit; log:\n{self.log.text()}", timeout
        )
        return self.exit_code

    def signal(self, number):
        os.kill(self.master, number)

    def reload(self, timeout=15.0):
        """USR2, and the new configuration is in force when this returns."""
        mark = self.log.mark()
        self.signal(signal.SIGUSR2)
        self.log.wait_for("ready to handle connections", since=mark, timeout=timeout)
        return mark

    # Processes

    def managers(self):
        """{pool: pid}; empty for php-fpm, whose master manages."""
        found = {}
        for pid in processes.descendants(self.master):
            match = re.match(r"\S+: manager process \((.*)\)$", processes.title(pid))
            if match and processes.is_alive(pid):
                found[match.group(1)] = pid
        return found

    def manager_descriptors(self, pool="www"):
        """How many its manager has open: among them every connection that waits there."""
        return len(processes.descriptors(self.managers()[pool]))

    def workers(self, pool="www"):
        wanted = re.compile(rf"\S+: pool {re.escape(pool)}$")
        return {
            pid
            for pid in processes.descendants(self.master)
            if wanted.match(processes.title(pid)) and processes.is_alive(pid)
        }

    def standing_by(self, pool="www"):
        """Those that wait to replace others; they are none of workers()."""
        title = f": pool {pool} (standing by)"
        return {
            pid
            for pid in processes.descendants(self.master)
            if processes.title(pid).endswith(title) and processes.is_alive(pid)
        }

    def wait_workers(self, count, pool="www", timeout=5.0):
        """The set of workers once there are exactly `count`."""

        def right():
            now = self.workers(pool)
            return (now,) if len(now) == count else None

        return wait_until(
            right,
            lambda: f"{count} workers, there are {len(self.workers(pool))}; "
            f"log:\n{self.log.text()[-3000:]}",
            timeout,
        )[0]

    def _descriptor_counts(self):
        counts = {"master": len(processes.descriptors(self.master))}
        for pool, pid in self.managers().items():
            workers = len(self.workers(pool)) + len(self.standing_by(pool))
            counts[f"manager {pid} of {pool} with {workers} workers"] = len(
                processes.descriptors(pid)
            )
        if is_reference():
            workers = sum(len(self.workers(pool)) for pool in self.pools)
            counts = {f"master with {workers} workers": counts["master"]}
        return counts

    def _take_baseline(self):
        """Descriptor counts once they have come to rest after the start."""
        seen = []

        def at_rest():
            seen.append(self._descriptor_counts())
            return len(seen) >= 4 and seen[-1] == seen[-2] == seen[-3] == seen[-4]

        wait_until(at_rest, lambda: f"descriptors at rest: {seen[-4:]}")
        self._baseline = seen[-1]

    def descriptors_grown(self):
        """What has more (or fewer) descriptors than when the daemon was ready."""
        now = self._descriptor_counts()
        return {
            who: f"{before} → {now[who]}"
            for who, before in (self._baseline or {}).items()
            if who in now and now[who] != before
        }

    # The end

    def check_while_running(self):
        """Problems seen before it is stopped: a list of texts."""
        problems = []
        if self.compare_descriptors:
            try:
                wait_until(lambda: not self.descriptors_grown(), "descriptors as before", 3)
            except AssertionError:
                problems.append(f"descriptors: {self.descriptors_grown()}")
        try:
            wait_until(lambda: not processes.zombies_below(self.master), "no zombie", 3)
        except AssertionError:
            problems.append(f"zombies: {processes.zombies_below(self.master)}")
        return problems

    def stop(self):
        """TERM, and everything that must be true of an orderly end; a list of problems."""
        problems = self.check_while_running()
        self.signal(signal.SIGTERM)
        try:
            wait_until(lambda: self.poll() is not None, "end after TERM", 10)
        except AssertionError:
            problems.append(f"the master does not end after TERM:\n{self.log.text()[-3000:]}")
            processes.kill_hard(self.master)
            wait_until(lambda: self.poll() is not None, "end after KILL", 5)
            return problems
        if self.exit_code != 0:
            problems.append(f"the master ended with {self.exit_code}")
        if os.path.exists(self.pid_file):
            problems.append("the pid file was left behind")
        return problems

    def close(self):
        """Called after the test: stops what runs and lists everything that is not in order."""
        problems = []
        if self.master is not None:
            if self.poll() is None:
                problems += self.stop()
            elif not self.exit_expected:
                problems.append(f"the master ended by itself with {self.exit_code}")
        for log in [self.log, self.stderr, *self.more_logs]:
            problems += [
                f"{os.path.basename(log.path)}: {line}"
                for line in unexpected(log.text(), self._allowed)
            ]
        return problems
