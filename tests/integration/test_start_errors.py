"""A start that cannot work out: users, addresses and files that are not there or not free."""

import os
import re
import socket

from harness.config import free_port
from harness.fixtures import as_root
from harness.program import is_reference, muster_only
from harness.refusal import assert_named, refused


@as_root
def test_pool_without_user_is_refused_when_root(daemon):
    daemon.configure({"www": {"user": None, "group": None}})
    assert_named(daemon, refused(daemon), "[www]", r"\[pool www\] user has not been defined")


@as_root
def test_user_that_does_not_exist_is_refused(daemon):
    daemon.configure({"www": {"user": "no-such-user-here", "group": None}})
    lines = refused(daemon)
    assert any(
        re.search(r"ERROR: .*\[pool www\] cannot get uid for user 'no-such-user-here'", line)
        for line in lines
    ), lines


@as_root
def test_group_that_does_not_exist_is_refused(daemon):
    daemon.configure({"www": {"group": "no-such-group-here"}})
    lines = refused(daemon)
    assert any("cannot get gid for group 'no-such-group-here'" in line for line in lines), lines


@as_root
def test_root_as_pool_user_is_refused(daemon):
    daemon.configure({"www": {"user": "root", "group": "root"}})
    lines = refused(daemon)
    assert any("please specify user and group other than root" in line for line in lines), lines


def test_two_pools_on_one_address(daemon):
    listen = f"{daemon.dir}/same.sock"
    daemon.configure({"first": {"listen": listen}, "second": {"listen": listen}})
    lines = refused(daemon)
    wanted = (
        r"\[pool second\] unable to set listen address as it's already used in another pool 'first'"
    )
    assert any(re.search(wanted, line) for line in lines), lines
    assert not os.path.exists(listen)


def test_port_in_use(daemon):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = "127.0.0.1:%d" % taken.getsockname()[1]
        daemon.configure({"www": {"listen": address}})
        lines = refused(daemon)
    wanted = (
        rf"unable to bind listening socket for address '{address}': Address already in use \(98\)"
    )
    assert any(re.search(wanted, line) for line in lines), lines


def test_unix_socket_of_a_living_daemon(arena, daemon):
    daemon.start()
    second = arena.daemon("other")
    second.configure({"www": {"listen": daemon.address()}})
    lines = refused(second)
    wanted = f"Another FPM instance seems to already listen on {daemon.address()}"
    assert any(wanted in line for line in lines), lines
    daemon.assert_serves()


@muster_only
def test_socket_path_too_long(daemon):
    path = f"{daemon.dir}/{'x' * 120}.sock"
    daemon.configure({"www": {"listen": path}})
    assert_named(daemon, refused(daemon), "listen =", "path is too long")


@muster_only
def test_regular_file_in_place_of_the_socket_is_not_removed(daemon):
    path = f"{daemon.dir}/precious"
    with open(path, "w", encoding="ascii") as file:
        file.write("precious")
    daemon.configure({"www": {"listen": path}})
    lines = refused(daemon)
    assert any(path in line and "ERROR" in line for line in lines), lines
    with open(path, encoding="ascii") as file:
        assert file.read() == "precious"


def test_stale_socket_file_is_replaced(daemon):
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(f"{daemon.dir}/www.sock")
    daemon.identity.give(f"{daemon.dir}/www.sock")
    daemon.configure().start()
    daemon.assert_serves()


def test_two_listeners_one_bad_leaves_no_socket(daemon):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        daemon.configure({"good": {}, "bad": {"listen": "127.0.0.1:%d" % taken.getsockname()[1]}})
        refused(daemon)
    if is_reference():
        os.remove(daemon.address("good"))
    assert not os.path.exists(daemon.address("good"))


def test_port_that_is_no_port(daemon):
    daemon.configure({"www": {"listen": "127.0.0.1:70000"}})
    lines = refused(daemon)
    assert any("invalid port value '70000'" in line for line in lines), lines


def test_error_log_in_a_missing_directory(daemon):
    daemon.configure(globals_={"error_log": f"{daemon.dir}/missing/error.log"})
    lines = refused(daemon)
    assert any("failed to open error_log" in line and "(2)" in line for line in lines), lines


def test_pid_file_in_a_missing_directory(daemon):
    daemon.configure(globals_={"pid": f"{daemon.dir}/missing/d.pid"})
    lines = refused(daemon)
    assert any("Unable to create the PID file" in line for line in lines), lines
    if is_reference() and os.path.exists(daemon.address()):
        os.remove(daemon.address())


def test_port_only_listens(daemon):
    port = free_port()
    daemon.configure({"www": {"listen": str(port)}}).start()
    daemon.pools["www"]["listen"] = f"127.0.0.1:{port}"
    daemon.assert_serves()
