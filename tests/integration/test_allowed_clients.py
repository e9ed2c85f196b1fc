"""listen.allowed_clients: who is served over TCP, who is turned away, and what the log says."""

import socket

from harness import fastcgi
from harness.config import free_port
from harness.fixtures import both_users
from harness.program import muster_only
from harness.waiting import wait_until

DROPPED = r"ERROR: \[pool www\] Connection disallowed: IP address '{}' has been dropped\."


def configure(daemon, clients, host="127.0.0.1", **more):
    port = free_port()
    directives = {"listen": f"{host}:{port}", "pm.status_path": "/status", **more}
    if clients is not None:
        directives["listen.allowed_clients"] = clients
    daemon.configure({"www": directives})
    daemon.allow_log(
        "Connection disallowed",
        "in listen.allowed_clients",
        "There are no allowed addresses",
    )
    return port


def connect(port, source="127.0.0.1", target="127.0.0.1"):
    connection = fastcgi.Connection.__new__(fastcgi.Connection)
    connection.socket = socket.create_connection((target, port), 10, source_address=(source, 0))
    connection.closed = False
    return connection


def is_served(daemon, port, source="127.0.0.1", target="127.0.0.1"):
    with connect(port, source, target) as connection:
        try:
            connection.send(fastcgi.request_bytes(daemon.params("/status")))
        except (BrokenPipeError, ConnectionResetError):
            return False
        answer = connection.read_response()
        assert answer.ended or not answer.records, "a refused peer got a part of an answer"
        return answer.ended


@muster_only
@both_users
def test_only_the_named_addresses_are_served(daemon):
    port = configure(daemon, "127.0.0.1,127.0.0.3")
    daemon.start()
    assert is_served(daemon, port, "127.0.0.1")
    assert is_served(daemon, port, "127.0.0.3")
    assert not is_served(daemon, port, "127.0.0.2")
    daemon.log.wait_for(DROPPED.format("127.0.0.2"))
    assert is_served(daemon, port, "127.0.0.1"), "the same worker goes on"
    assert not daemon.log.find("'127.0.0.1'")


@muster_only
def test_ipv6_and_mapped_peers(daemon):
    port = configure(daemon, "::1,127.0.0.1", host="[::]")
    daemon.start()
    assert is_served(daemon, port, "::1", "::1")
    assert is_served(daemon, port, "127.0.0.1"), "meets the pool as ::ffff:127.0.0.1"
    assert not is_served(daemon, port, "127.0.0.2")
    daemon.log.wait_for(DROPPED.format("127.0.0.2"))


@muster_only
def test_a_mapped_entry_allows_the_ipv4_peer(daemon):
    port = configure(daemon, "::ffff:127.0.0.2")
    daemon.start()
    assert is_served(daemon, port, "127.0.0.2")
    assert not is_served(daemon, port, "127.0.0.1")
    daemon.log.wait_for(DROPPED.format("127.0.0.1"))


@muster_only
def test_an_empty_list_serves_nobody(daemon):
    port = configure(daemon, "")
    daemon.start()
    daemon.log.wait_for(r"ERROR: \[pool www\] There are no allowed addresses")
    assert not is_served(daemon, port)
    daemon.log.wait_for(DROPPED.format("127.0.0.1"))


@muster_only
def test_a_wrong_item_is_named_and_the_rest_stands(daemon):
    port = configure(daemon, "localhost,127.0.0.1")
    daemon.start()
    daemon.log.wait_for(r"\[pool www\] Wrong IP address 'localhost' in listen.allowed_clients")
    assert len(daemon.log.find("Wrong IP address")) == 1, "said once, not by every worker"
    assert is_served(daemon, port)


@muster_only
def test_unix_sockets_have_no_addresses(arena, daemon):
    daemon.configure({"www": {"listen.allowed_clients": "192.0.2.1"}}).start()
    daemon.assert_serves()


@muster_only
def test_a_refused_peer_is_dropped_before_it_says_anything(daemon):
    port = configure(daemon, "127.0.0.1")
    daemon.start()
    with connect(port, "127.0.0.2") as silent:
        assert silent.is_closed_by_server()
    with connect(port) as asker:
        asker.send(fastcgi.request_bytes(daemon.params("/status", query="json")))
        answer = asker.read_response()
    assert '"accepted conn":1,' in answer.text, "the refused connection is no request"


@muster_only
def test_a_flood_of_refused_peers_does_not_flood_the_log(daemon):
    port = configure(daemon, "127.0.0.1")
    daemon.start()
    total = 1500
    for _ in range(total):
        with connect(port, "127.0.0.2") as refused:
            assert refused.is_closed_by_server()
    assert is_served(daemon, port)

    def logged():
        lines = daemon.log.find(r"Connection disallowed: (IP address|\d+ more)")
        more = [int(line.split("disallowed: ")[1].split()[0]) for line in lines if "more" in line]
        return sum(more) + len(lines) - len(more), len(lines)

    # The worker tells its last ones with the next refusal.
    def all_told():
        with connect(port, "127.0.0.2") as refused:
            assert refused.is_closed_by_server()
        return logged()[0] >= total

    wait_until(all_told, lambda: f"{total} in the log, there are {logged()}", 15)
    assert logged()[1] < total / 5


@muster_only
def test_a_reload_judges_kept_connections_anew(arena, daemon):
    port = configure(daemon, "127.0.0.1,127.0.0.2")
    daemon.start()
    with connect(port, "127.0.0.2") as kept, connect(port, "127.0.0.1") as friend:
        for connection in (kept, friend):
            assert connection.ask(daemon.params("/status"), keep=True).ended
        daemon.write(daemon.text.replace("127.0.0.1,127.0.0.2", "127.0.0.1"))
        daemon.reload()
        assert friend.ask(daemon.params("/status"), keep=True).ended
        try:
            kept.send(fastcgi.request_bytes(daemon.params("/status"), keep=True))
            assert kept.read_record() is None, "served by rules that are gone"
        except (BrokenPipeError, ConnectionResetError):
            pass
        daemon.log.wait_for(DROPPED.format("127.0.0.2"))
