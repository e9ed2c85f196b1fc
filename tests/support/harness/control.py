"""The control socket and musterctl, as an operator uses them."""

import json
import os
import socket
import subprocess

from .program import binary
from .waiting import PATIENCE


class Control:
    """One connection to a daemon's control socket."""

    def __init__(self, path):
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(20 * PATIENCE)
        self._socket.connect(path)
        self._file = self._socket.makefile("rb")

    def send(self, request):
        """An object, or bytes as they are."""
        if not isinstance(request, bytes):
            request = json.dumps({"version": 1, **request}).encode() + b"\n"
        self._socket.sendall(request)

    def answer(self):
        """The last line of the next answer; None when the connection was closed."""
        for line in self._file:
            parsed = json.loads(line)
            if parsed.get("done"):
                return parsed
        return None

    def ask(self, request):
        self.send(request)
        return self.answer()

    def close(self):
        self._file.close()
        self._socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def control_path(daemon):
    return daemon.pid_file.removesuffix(".pid") + ".ctl"


def ask(daemon, command, **more):
    """The answer to one command on a connection of its own."""
    with Control(control_path(daemon)) as control:
        return control.ask({"command": command, **more})


def pools_of(answer):
    """{pool: what became of it}, or a status's views, of a command that did what it was told."""
    assert answer["ok"], answer
    return answer["result"]["pools"]


def musterctl(*arguments, user=None, env=None):
    """Runs the program that was built beside the daemon; returns the finished process. `user`: a
    uid to run it as."""
    program = os.path.join(os.path.dirname(binary()), "musterctl")
    return subprocess.run(
        [program, *arguments],
        user=user,
        capture_output=True,
        text=True,
        timeout=60 * PATIENCE,
        env={**os.environ, **(env or {})},
        check=False,
    )
