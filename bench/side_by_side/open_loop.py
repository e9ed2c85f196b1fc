# Clients that come at a constant rate whatever becomes of the ones before, and leave when their
# patience is over.
import selectors
import socket
import time

from . import crowd, fastcgi


class Visit:
    """One client's connection and what came of it."""

    def __init__(self, daemon, request, now):
        self.began = now
        self.received = bytearray()
        self.socket = socket.socket(socket.AF_UNIX)
        try:
            self.socket.connect(str(daemon.socket))
        except OSError:
            self.socket.close()
            raise
        self.socket.setblocking(False)
        self.socket.sendall(request)

    def outcome(self):
        answer = fastcgi.response_of(bytes(self.received))
        if b"Status: 503" in answer:
            return "refused"
        return "answered" if b"Hello" in answer or b"pong" in answer else "broken"


def visit_all(daemon, request, rate, seconds, patience):
    """What came of the clients: lists of waiting times by outcome."""
    crowd.allow_descriptors(int(rate * patience * 2) + 256)
    selector = selectors.DefaultSelector()
    outcomes = {"answered": [], "refused": [], "gave up": [], "turned away": [], "broken": []}
    visits = {}  # in the order of their beginning

    def end(visit, outcome, now):
        selector.unregister(visit.socket)
        visit.socket.close()
        del visits[visit]
        outcomes[outcome].append(now - visit.began)

    began = time.perf_counter()
    due, total = 0, int(rate * seconds)
    while due < total or visits:
        now = time.perf_counter()
        while due < total and now >= began + due / rate:
            due += 1
            try:
                visit = Visit(daemon, request, now)
            except OSError:
                outcomes["turned away"].append(0.0)
                continue
            visits[visit] = True
            selector.register(visit.socket, selectors.EVENT_READ, visit)
        while visits and now - next(iter(visits)).began >= patience:
            end(next(iter(visits)), "gave up", now)
        next_due = began + due / rate - now if due < total else patience
        for key, _ in selector.select(max(0.0, min(next_due, 0.05))):
            try:
                chunk = key.data.socket.recv(65536)
            except ConnectionResetError:
                chunk = b""
            if chunk:
                key.data.received.extend(chunk)
            else:
                end(key.data, key.data.outcome(), time.perf_counter())
    selector.close()
    return outcomes
