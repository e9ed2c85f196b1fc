"""listen.allowed_users: whose processes may connect to a pool's unix sockets."""

import os
import pwd

import pytest

from harness import fastcgi
from harness.config import free_port
from harness.fixtures import as_root, both_users
from harness.program import muster_only
from harness.refusal import assert_named, refused
from harness.waiting import wait_until

ME = pwd.getpwuid(os.geteuid())
OTHER = "nobody"
DROPPED = (
    rf"ERROR: \[pool www\] Connection disallowed: user id {ME.pw_uid} \(process {os.getpid()}\)"
)


def configure(daemon, users, **more):
    directives = {"listen.allowed_users": users, "pm.status_path": "/status", **more}
    # So that nothing but the list decides.
    directives["listen.mode"] = "0666"
    daemon.configure({"www": directives})
    daemon.allow_log("Connection disallowed")


def is_served(daemon, address):
    with fastcgi.Connection(address) as connection:
        try:
            connection.send(fastcgi.request_bytes(daemon.params("/status")))
        except (BrokenPipeError, ConnectionResetError):
            return False
        answer = connection.read_response()
        assert answer.ended or not answer.records, "a refused peer got a part of an answer"
        return answer.ended


@muster_only
@both_users
@pytest.mark.parametrize("users", [ME.pw_name, f"{OTHER} , {ME.pw_uid}"])
def test_named_users_are_served(daemon, users):
    configure(daemon, users)
    daemon.start()
    assert is_served(daemon, daemon.address())
    daemon.assert_serves()
    assert not daemon.log.find("disallowed")


@muster_only
@both_users
@pytest.mark.parametrize("users", [OTHER, "4000000001", ""])
def test_others_are_dropped_before_they_say_anything(daemon, users):
    configure(daemon, users)
    daemon.start()
    with daemon.connect() as silent:
        assert silent.is_closed_by_server()
    assert not is_served(daemon, daemon.address())
    daemon.log.wait_for(DROPPED, count=2)


@muster_only
def test_the_status_socket_has_the_same_door(daemon):
    configure(daemon, OTHER, **{"pm.status_listen": f"{daemon.dir}/status.sock"})
    daemon.start()
    assert not is_served(daemon, f"{daemon.dir}/status.sock")
    daemon.log.wait_for(DROPPED)


@muster_only
@as_root
def test_another_user_is_served_where_root_is_not(arena, daemon):
    configure(daemon, "www-data")
    daemon.start()
    assert not is_served(daemon, daemon.address())
    arena.script("hello.php", "<?php echo 'hello';")
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(daemon.identity.worker_gid)
            os.setuid(daemon.identity.worker_uid)
            os._exit(0 if daemon.get("/hello.php").text == "hello" else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@muster_only
def test_a_flood_of_refused_users_does_not_flood_the_log(daemon):
    configure(daemon, OTHER)
    daemon.start()
    total = 600

    def logged():
        lines = daemon.log.find(r"Connection disallowed: (user id|\d+ more from users that)")
        more = [int(line.split("disallowed: ")[1].split()[0]) for line in lines if "more" in line]
        return sum(more) + len(lines) - len(more), len(lines)

    def knock():
        with daemon.connect() as connection:
            assert connection.is_closed_by_server()

    for _ in range(total):
        knock()
    wait_until(lambda: knock() or logged()[0] >= total, lambda: f"{total}: {logged()}", 15)
    assert logged()[1] < total / 5


@muster_only
def test_a_reload_judges_kept_connections_anew(daemon):
    configure(daemon, ME.pw_name)
    daemon.start()
    with daemon.connect() as kept:
        assert kept.ask(daemon.params("/status"), keep=True).ended
        daemon.write(daemon.text.replace(f"users = {ME.pw_name}", f"users = {OTHER}"))
        daemon.reload()
        try:
            kept.send(fastcgi.request_bytes(daemon.params("/status"), keep=True))
            assert kept.read_record() is None, "served by rules that are gone"
        except (BrokenPipeError, ConnectionResetError):
            pass
        daemon.log.wait_for(DROPPED)


@muster_only
def test_over_tcp_the_list_is_an_error(daemon):
    configure(daemon, ME.pw_name, listen=f"127.0.0.1:{free_port()}")
    lines = refused(daemon)
    assert_named(daemon, lines, "listen.allowed_users", "needs a unix socket to listen on")


@muster_only
@pytest.mark.parametrize("users", ["no_such_user", "99999999999", "4294967295", "nobody,,root"])
def test_unknown_users_are_an_error(daemon, users):
    configure(daemon, users)
    assert_named(daemon, refused(daemon), "listen.allowed_users", "cannot get uid for user '")
