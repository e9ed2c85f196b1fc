"""What all web servers here have in common: files, start, readiness, end."""

import os
import shutil
import signal
import socket
import subprocess

from harness.config import free_port
from harness.logs import LogFile
from harness.waiting import PATIENCE, wait_until

from .answer import Client

PACKAGING = os.path.abspath(f"{os.path.dirname(__file__)}/../../../packaging")


class WebServer:
    """A server in the foreground, between clients and a pool at `address`."""

    name, program = "", ""
    listens_on = "unix"  # what it reaches the pool by
    # What not every server does
    decodes_names = True  # of scripts, blanks and umlauts
    keeps_redirects = True  # which of 301, 302, … it was
    orders_variables = True  # always in the same way
    logs_errors = True  # what PHP says on FastCGI's STDERR is in messages()
    measures_chunks = True  # a chunked body has a CONTENT_LENGTH
    largest_chunked = 400_000
    stop_signal = signal.SIGTERM

    def __init__(self, arena, address):
        self.arena, self.address = arena, address
        self.identity = arena.identity
        self.dir = arena.directory("web", self.identity)
        self.log = LogFile(f"{self.dir}/error.log")
        self.port = None
        self._process = None

    # What a server must say

    def configuration(self):
        """Writes the files, for self.port."""
        raise NotImplementedError

    def command(self):
        raise NotImplementedError

    # Files

    def write(self, name, text):
        path = f"{self.dir}/{name}"
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def folder(self, name):
        path = f"{self.dir}/{name}"
        if not os.path.isdir(path):
            os.mkdir(path)
            self.identity.give(path)
        return path

    def sample(self, name, replacements):
        """A file of packaging/ for this site, port and pool; each replaced text must be there."""
        with open(f"{PACKAGING}/{name}", encoding="utf-8") as file:
            text = file.read()
        for old, new in replacements.items():
            assert old in text, f"{name} has no {old!r}"
            text = text.replace(old, new)
        return text.replace("/var/www/html", self.arena.site)

    # Life

    @classmethod
    def is_installed(cls):
        return cls._path() is not None

    @classmethod
    def _path(cls):
        return shutil.which(cls.program, path=f"{os.environ['PATH']}:/usr/sbin:/usr/bin")

    def start(self):
        for _ in range(5):  # another program may take the port between choosing and binding
            self.port = free_port()
            self.configuration()
            with open(f"{self.dir}/output", "ab") as output:
                self._process = subprocess.Popen(
                    [self._path(), *self.command()],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    cwd=self.dir,
                    env={**os.environ, "HOME": self.dir, "XDG_DATA_HOME": self.dir},
                    start_new_session=True,
                    **self.identity.popen_arguments(),
                )
            self.arena.popens[self._process.pid] = self._process
            wait_until(
                lambda: self._process.poll() is not None or self._accepts(),
                lambda: f"{self.name} accepts: {self.messages()}",
                20,
            )
            if self._process.poll() is None:
                return self
            if "in use" not in self.messages():
                break
        raise AssertionError(f"{self.name} does not start: {self.messages()}")

    def _accepts(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def messages(self):
        """Everything it wrote: error log, standard output and error."""
        return self.log.text() + LogFile(f"{self.dir}/output").text()

    def is_running(self):
        return self._process is not None and self._process.poll() is None

    def stop(self):
        if self.is_running():
            self._process.send_signal(self.stop_signal)
            try:
                self._process.wait(10 * PATIENCE)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(5)

    # Requests

    def client(self):
        return Client(self.port)

    def ask(self, path, **request):
        with self.client() as client:
            return client.ask(path, **request)

    def leave_within_answer(self, path):
        """Asks, takes some of the answer, and hangs up."""
        with socket.create_connection(("127.0.0.1", self.port), 20 * PATIENCE) as connection:
            host = f"127.0.0.1:{self.port}"
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            taken = 0
            while taken < 20_000:
                taken += len(connection.recv(4096)) or 20_000
