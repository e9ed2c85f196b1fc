"""A private copy of the system to try packaging on: overlays in namespaces of its own."""

import os
import subprocess

from . import processes
from .waiting import wait_until

# Everything is undone by the end of the namespace; nothing of the machine is written.
OVERLAID = ["/etc", "/usr/sbin", "/var/lib/dpkg", "/var/log"]
SET_UP = """
set -e
mount -t tmpfs tmpfs "$1/layers"
for place in $2; do
    layer="$1/layers$place"
    mkdir -p "$layer/upper" "$layer/work"
    mount -t overlay overlay "-olowerdir=$place,upperdir=$layer/upper,workdir=$layer/work" "$place"
done
mount --bind "$1/run" /run/php
exec python3 -c 'import signal, sys
signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # reaps what the daemons leave to it
print("ready", flush=True)
sys.stdin.read()'
"""


class PrivateSystem:
    """The machine as root sees it, with writes going nowhere and process ids of its own."""

    def __init__(self, directory):
        for name in ("layers", "run"):
            os.mkdir(f"{directory}/{name}")
        self.run_php = f"{directory}/run"
        self._process = subprocess.Popen(
            ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
            + ["--propagation", "private", "sh", "-c", SET_UP, "sh", directory, " ".join(OVERLAID)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout.readline() == "ready\n", "the namespaces cannot be made"
        (self._init,) = processes.descendants(self._process.pid)

    def command(self, *arguments):
        return ["nsenter", "-t", str(self._init), "-m", "-p", *arguments]

    def run(self, *arguments, **options):
        """Runs a program inside to its end; the result."""
        return subprocess.run(
            self.command(*arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
            **options,
        )

    def ok(self, *arguments, **options):
        """The same, and it must succeed; its output."""
        result = self.run(*arguments, **options)
        assert result.returncode == 0, (arguments, result.returncode, result.stdout)
        return result.stdout

    def close(self):
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(10)
        wait_until(lambda: not processes.is_alive(self._init), "the namespaces are gone")
