"""Connections that stay open between their requests, many at a time."""

import select
import socket


def ask(daemon, connection, path, query=""):
    """The answer; the connection stays open."""
    answer = connection.ask(daemon.params(path, query=query), keep=True)
    assert answer.ended, "the connection was closed before the answer"
    return answer


def kept_alive(daemon, path, count):
    """That many idle connections, each of which has had its first answer: the script at `path`
    says hello."""
    connections = [daemon.connect() for _ in range(count)]
    for connection in connections:
        assert ask(daemon, connection, path).text.startswith("hello")
    return connections


def is_closed(connection):
    """Whether the server has closed it by now; waits for nothing and takes nothing from it."""
    watch = select.poll()
    watch.register(connection.socket, select.POLLIN)
    if not watch.poll(0):
        return False
    try:
        return connection.socket.recv(1, socket.MSG_PEEK) == b""
    except ConnectionResetError:
        return True


def close_all(connections):
    for connection in connections:
        connection.close()
