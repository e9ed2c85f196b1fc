# A crowd that comes at once: every client connects before any is answered, straight to the socket.
import resource
import selectors
import socket
import time

from . import fastcgi, procfs


def allow_descriptors(count):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, hard), hard))


def first_answer(daemon, page):
    """Milliseconds that one client waits."""
    began = time.perf_counter()
    if b"Hello" not in fastcgi.get(daemon.socket, page):
        raise RuntimeError(f"{daemon.name}: no answer\n{daemon.tail_of_log()}")
    return (time.perf_counter() - began) * 1000


def burst(daemon, page, clients, seconds=60):
    """Figures of `clients` requests made at once, and the workers there are when all are done."""
    allow_descriptors(clients + 64)
    selector = selectors.DefaultSelector()
    request = fastcgi.request(page)
    began = time.perf_counter()
    for _ in range(clients):
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(str(daemon.socket))
        connection.sendall(request)
        connection.setblocking(False)
        selector.register(connection, selectors.EVENT_READ, bytearray())
    waits = []
    while len(waits) < clients:
        ready = selector.select(began + seconds - time.perf_counter())
        if not ready:
            raise RuntimeError(f"{daemon.name}: {clients - len(waits)} of {clients} unanswered")
        for key, _ in ready:
            chunk = key.fileobj.recv(65536)
            if chunk:
                key.data.extend(chunk)
                continue
            waits.append(time.perf_counter() - began)
            if b"Hello" not in fastcgi.response_of(bytes(key.data)):
                raise RuntimeError(f"{daemon.name}: an answer is not whole")
            selector.unregister(key.fileobj)
            key.fileobj.close()
    selector.close()
    waits.sort()
    return {
        "seconds": waits[-1],
        "p99_ms": waits[clients * 99 // 100 - 1] * 1000,
        "workers": len(procfs.workers_of(daemon.pid)),
    }
