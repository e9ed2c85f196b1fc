# One daemon under measurement: its configuration, its start, its end.
import os
import pwd
import shutil
import signal
import subprocess
import time
from pathlib import Path

from . import fastcgi

WORKERS = 4
CONFIGURATION = """\
[global]
error_log = {run}/{name}.error.log
{globals}

[bench]
{identity}
listen = {socket}
listen.mode = 0666
{manager}
pm.status_path = /status
access.log = {access_log}
"""


def as_root():
    return os.geteuid() == 0


def pool_user():
    return "www-data" if as_root() else pwd.getpwuid(os.geteuid()).pw_name


STATIC = {"pm": "static", "pm.max_children": WORKERS}


def lines(directives):
    return "\n".join(f"{key} = {value}" for key, value in directives.items())


class Daemon:
    """Started in the foreground, in a session of its own, stopped by pid."""

    def __init__(self, name, program, run, manager=None, globals_=None):
        """manager: the directives that say how many workers there are."""
        self.name = name
        self.globals = globals_ or {}
        self.manager = manager or STATIC
        self.run = Path(run)
        self.program = self._reachable(Path(program).resolve())
        self.socket = self.run / f"{name}.sock"
        self.access_log = self.run / f"{name}.access.log"
        self.process = None

    def _reachable(self, program):
        """A build tree may lie where the pool's user cannot go: such a program is copied."""
        plugins = program.parent.parent / "lib" / "muster"
        if not plugins.is_dir():
            return program
        home = self.run / f"{self.name}-program"
        shutil.copytree(plugins, home / "lib" / "muster", dirs_exist_ok=True)
        (home / "bin").mkdir(exist_ok=True)
        return Path(shutil.copy2(program, home / "bin"))

    def _write_configuration(self):
        path = self.run / f"{self.name}.conf"
        user = pool_user()
        path.write_text(
            CONFIGURATION.format(
                run=self.run,
                name=self.name,
                socket=self.socket,
                access_log=self.access_log,
                manager=lines(self.manager),
                globals=lines(self.globals),
                identity=f"user = {user}\ngroup = {user}" if as_root() else "",
            )
        )
        return path

    @property
    def pid(self):
        return self.process.pid

    def start(self):
        """Returns at once; wait_until_serving says when it answers."""
        command = [str(self.program), "-F", "-y", str(self._write_configuration())]
        with open(self.run / f"{self.name}.output", "ab") as output:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def wait_until_serving(self, script, seconds=20.0):
        """Seconds from now until the first answer that has the page in it."""
        began = time.perf_counter()
        while time.perf_counter() - began < seconds:
            try:
                if b"Hello" in fastcgi.get(self.socket, script):
                    return time.perf_counter() - began
            except OSError:
                time.sleep(0.0002)
            if self.process.poll() is not None:
                break
        raise RuntimeError(f"{self.name} does not answer:\n{self.tail_of_log()}")

    def wait_until_ready(self, seconds=20.0):
        """Until it says so; no request is made."""
        began = time.perf_counter()
        while "ready to handle connections" not in self.tail_of_log():
            if self.process.poll() is not None or time.perf_counter() - began > seconds:
                raise RuntimeError(f"{self.name} does not become ready:\n{self.tail_of_log()}")
            time.sleep(0.001)

    def tail_of_log(self):
        logs = [self.run / f"{self.name}.error.log", self.run / f"{self.name}.output"]
        lines = [log.read_text(errors="replace") for log in logs if log.exists()]
        return "\n".join("\n".join(lines).splitlines()[-20:])

    def forget_access_log(self):
        """Keeps the disk out of it: tens of thousands of lines a second add up."""
        os.truncate(self.access_log, 0)

    def stop(self):
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None
        self.socket.unlink(missing_ok=True)
        (self.run / f"{self.name}.error.log").unlink(missing_ok=True)
