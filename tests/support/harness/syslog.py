"""A log daemon of the test's own: /dev/log in a mount namespace of the daemon under test."""

import copy
import os
import re
import shutil
import socket
import subprocess
import threading

import pytest

from .waiting import wait_until

# A /dev with the usual devices, and /dev/log as a link to the test's socket.
_PRIVATE_DEV = """
set -e
dev=$1 log=$2; shift 2
mount -t tmpfs none "$dev"
for name in null zero full random urandom tty ptmx; do
    [ -e /dev/$name ] || continue
    : > "$dev/$name"
    mount --bind /dev/$name "$dev/$name"
done
for name in pts shm; do
    mkdir "$dev/$name"
    mount --rbind /dev/$name "$dev/$name"
done
ln -s /proc/self/fd "$dev/fd"
ln -s /proc/self/fd/1 "$dev/stdout"
ln -s /proc/self/fd/2 "$dev/stderr"
[ -z "$log" ] || ln -s "$log" "$dev/log"
mount --move "$dev" /dev
exec "$@"
"""
_RECORD = re.compile(
    r"^<(\d+)>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d ([^[]*)\[(\d+)\]: (.*)$", re.DOTALL
)


def _namespaces_work():
    if os.geteuid() != 0 or not shutil.which("unshare") or not shutil.which("setpriv"):
        return False
    probe = ["unshare", "-m", "mount", "-t", "tmpfs", "none", "/mnt"]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


class Record:
    def __init__(self, datagram):
        self.text = datagram.decode(errors="replace")
        match = _RECORD.match(self.text)
        assert match, f"not a syslog record: {self.text!r}"
        self.facility = int(match[1]) & ~7
        self.priority = int(match[1]) & 7
        self.ident, self.pid, self.message = match[2], int(match[3]), match[4]

    def __repr__(self):
        return f"{self.priority} {self.ident}[{self.pid}]: {self.message}"


class Syslog:
    def __init__(self, arena):
        if not _namespaces_work():
            pytest.skip("needs root and mount namespaces for a /dev/log of its own")
        self._arena = arena
        self.path = f"{arena.dir}/syslog"
        self._dev = f"{arena.dir}/dev"
        os.mkdir(self._dev)
        self.records = []
        self._socket = self._thread = None

    def listen(self, read=True):
        """Without `read` it is a daemon that hangs."""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.path)
        os.chmod(self.path, 0o666)
        if read:
            self._thread = threading.Thread(target=self._receive, args=(self._socket,), daemon=True)
            self._thread.start()
        return self

    def _receive(self, place):
        while True:
            datagram = place.recv(1 << 20)
            if datagram == b"":
                return
            self.records.append(Record(datagram))

    def hang_up(self):
        """The log daemon ends, its socket goes."""
        if self._socket is None:
            return
        if self._thread is not None:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last:
                last.sendto(b"", self.path)
            self._thread.join(5)
        os.unlink(self.path)
        self._socket.close()
        self._socket = self._thread = None

    def start(self, daemon, *arguments, wait=True):
        """Starts `daemon` where /dev/log is ours."""
        command = daemon.command("-F", *arguments)
        if daemon.identity.uid is not None:
            ids = [f"--reuid={daemon.identity.uid}", f"--regid={daemon.identity.gid}"]
            command = ["setpriv", *ids, "--clear-groups", *command]
        # The namespace takes root; setpriv becomes the user after it.
        identity, daemon.identity = daemon.identity, copy.copy(daemon.identity)
        daemon.identity.uid = None
        prefix = ["unshare", "-m", "sh", "-c", _PRIVATE_DEV, "sh", self._dev, self.path]
        try:
            daemon.start(command=[*prefix, *command], wait=False)
        finally:
            daemon.identity = identity
        if wait:
            self.wait_for("ready to handle connections")
        return daemon

    def find(self, pattern):
        return [record for record in self.records if re.search(pattern, record.message)]

    def wait_for(self, pattern, count=1, timeout=10):
        def enough():
            found = self.find(pattern)
            return found if len(found) >= count else None

        return wait_until(
            enough, lambda: f"{count} × /{pattern}/ in syslog: {self.records}", timeout
        )
