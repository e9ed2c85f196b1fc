"""Standard streams as a container or a service manager gives them, and what arrives there."""

import os
import pty
import socket
import threading
import tty

KINDS = ("pipe", "socket", "terminal")


class Stream:
    """One end is given to the daemon; what it writes there is collected in the file `path`."""

    def __init__(self, kind, path):
        self.path = path
        if kind == "pipe":
            self._reader, self.writer = os.pipe()
        elif kind == "socket":
            ours, theirs = socket.socketpair()
            self._reader, self.writer = ours.detach(), theirs.detach()
        else:
            self._reader, self.writer = pty.openpty()
            tty.setraw(self.writer)
            os.fchmod(self.writer, 0o600)
        with open(path, "wb"):
            pass
        self._thread = threading.Thread(target=self._collect, daemon=True)
        self._thread.start()

    def _collect(self):
        with open(self.path, "ab", buffering=0) as file:
            while True:
                try:
                    block = os.read(self._reader, 65536)
                except OSError:  # a terminal that nobody has open any more
                    return
                if not block:
                    return
                file.write(block)

    def close(self):
        """When the daemon is gone: everything it wrote is in the file."""
        os.close(self.writer)
        self._thread.join(5)
        os.close(self._reader)
