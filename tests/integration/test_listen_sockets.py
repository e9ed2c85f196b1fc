"""Listening sockets: who may connect, what is said about addresses, and what goes with them."""

import grp
import os
import pwd
import re
import signal
import socket
import subprocess

import pytest

from harness import processes
from harness.config import free_port
from harness.fixtures import as_root, as_user, both_users
from harness.logs import messages
from harness.program import is_reference, muster_only
from harness.refusal import refused

DEBUG = {"log_level": "debug"}


def acl_of(path):
    result = subprocess.run(
        ["getfacl", "--omit-header", "--absolute-names", path],
        capture_output=True,
        text=True,
        check=True,
    )
    return " ".join(result.stdout.split())


def backlog_of(path):
    """What the kernel says: the Send-Q of a listening socket."""
    result = subprocess.run(
        ["ss", "-lxnH", "src", path], capture_output=True, text=True, check=True
    )
    return int(result.stdout.split()[3])


def said(daemon):
    """All lines, once each: before the launch they are on stderr and in the log."""
    return messages(daemon.log.lines())


def assert_mode(path, mode):
    assert os.stat(path).st_mode & 0o7777 == mode


def test_mode_is_0660_unless_set(daemon):
    daemon.start()
    assert_mode(daemon.address(), 0o660)


@both_users
def test_mode_as_configured(daemon):
    daemon.configure({"www": {"listen.mode": "0606"}}).start()
    assert_mode(daemon.address(), 0o606)


@as_root
def test_owner_by_name_brings_its_primary_group(daemon):
    daemon.configure({"www": {"listen.owner": "games", "listen.group": None}}).start()
    info, games = os.stat(daemon.address()), pwd.getpwnam("games")
    assert (info.st_uid, info.st_gid) == (games.pw_uid, games.pw_gid)


@as_root
def test_owner_by_number_brings_no_group(daemon):
    uid = str(pwd.getpwnam("games").pw_uid)
    daemon.configure({"www": {"listen.owner": uid, "listen.group": None}}).start()
    info = os.stat(daemon.address())
    assert (info.st_uid, info.st_gid) == (int(uid), 0)


@as_root
def test_group_wins_over_the_owners(daemon):
    daemon.configure({"www": {"listen.owner": "games", "listen.group": "www-data"}}).start()
    info = os.stat(daemon.address())
    assert info.st_uid == pwd.getpwnam("games").pw_uid
    assert info.st_gid == grp.getgrnam("www-data").gr_gid


@as_root
def test_without_owner_and_group_the_socket_is_the_masters(daemon):
    daemon.configure({"www": {"listen.owner": None, "listen.group": None}}).start()
    info = os.stat(daemon.address())
    assert (info.st_uid, info.st_gid) == (0, 0)


@both_users
def test_owner_and_group_that_do_not_exist(daemon):
    for directive, what in [("listen.owner", "uid for user"), ("listen.group", "gid for group")]:
        daemon.configure({"www": {directive: "no-such-name-here"}})
        wanted = f"] ERROR: [pool www] cannot get {what} 'no-such-name-here'"
        assert any(wanted in line for line in refused(daemon))


@as_user
def test_owner_that_may_not_be_given_leaves_no_socket(daemon):
    daemon.configure({"www": {"listen.owner": "root"}})
    wanted = (
        f"ERROR: [pool www] failed to chown() the socket '{daemon.address()}': "
        "Operation not permitted (1)"
    )
    assert any(line.endswith(wanted) for line in refused(daemon))
    if is_reference():
        os.remove(daemon.address())
    assert not os.path.exists(daemon.address())


@both_users
def test_ids_nobody_can_have(daemon):
    for directive, what in [("listen.owner", "uid for user"), ("listen.group", "gid for group")]:
        for number in ("4294967295", "4294967296", "99999999999999999999"):
            daemon.configure({"www": {directive: number}})
            if is_reference():
                continue  # cuts the number down to one that somebody has
            wanted = f"] ERROR: [pool www] cannot get {what} '{number}'"
            assert any(wanted in line for line in refused(daemon))


def test_names_of_tcp_sockets_owner_are_not_looked_at(daemon):
    port = free_port()
    daemon.configure(
        {"www": {"listen": f"127.0.0.1:{port}", "listen.owner": "no-such-user-here"}}
    ).start()
    daemon.assert_serves()


# Access lists


@as_root
def test_acl_gives_users_and_groups_the_socket(daemon):
    daemon.configure(
        {
            "www": {
                "listen.acl_users": "www-data,games",
                "listen.acl_groups": "games",
                "listen.mode": "0600",
            }
        },
        DEBUG,
    ).start()
    assert acl_of(daemon.address()) == (
        "user::rw- user:games:rw- user:www-data:rw- group::--- group:games:rw- mask::rw- other::---"
    )
    for level, text in [
        ("DEBUG", f"[pool www] user 'games' have uid={pwd.getpwnam('games').pw_uid}"),
        ("DEBUG", f"[pool www] group 'games' have gid={grp.getgrnam('games').gr_gid}"),
        ("WARNING", "[pool www] ACL set, listen.owner = 'www-data' is ignored"),
        ("WARNING", "[pool www] ACL set, listen.group = 'www-data' is ignored"),
        ("DEBUG", f"[pool www] ACL of the socket '{daemon.address()}' is set"),
    ]:
        assert (level, text) in said(daemon)
    assert os.stat(daemon.address()).st_uid == 0, "the owner is not changed"


@as_user
def test_acl_of_an_ordinary_users_socket(daemon):
    daemon.configure({"www": {"listen.acl_users": "games"}}).start()
    assert acl_of(daemon.address()) == (
        "user::rw- user:games:rw- group::rw- mask::rw- other::---"
    )
    daemon.assert_serves()


@both_users
def test_acl_with_names_that_do_not_exist(arena, daemon):
    for directive, name, what in [
        ("listen.acl_users", "games,no-such-user", "uid for user 'no-such-user'"),
        ("listen.acl_groups", "no-such-group,games", "gid for group 'no-such-group'"),
        ("listen.acl_users", "games, www-data", "uid for user ' www-data'"),
    ]:
        daemon.configure({"www": {directive: name}})
        wanted = f"ERROR: [pool www] cannot get {what}: Success (0)"
        assert any(line.endswith(wanted) for line in refused(daemon))
        assert not os.path.exists(daemon.address())
        if not is_reference():
            assert wanted in daemon.run("-t").stderr, "a test of the configuration finds it"


@as_root
@muster_only
def test_acl_named_twice_counts_once(daemon):
    daemon.configure({"www": {"listen.acl_users": "games,games", "listen.mode": "0600"}}).start()
    assert acl_of(daemon.address()) == "user::rw- user:games:rw- group::--- mask::rw- other::---"


# Addresses


def test_name_with_several_addresses(daemon):
    port = free_port()
    # A host name that glibc resolves to both loopback addresses.
    daemon.configure({"www": {"listen": f"*:{port}"}}, DEBUG).start()
    texts = said(daemon)
    opened = [text for _, text in texts if text.startswith("Found address for *")]
    ignored = [text for level, text in texts if level == "WARNING" and "Found multiple" in text]
    assert len(opened) == 1 and re.fullmatch(
        r"Found address for \*, socket opened on (::1|127\.0\.0\.1)", opened[0]
    )
    for text in ignored:
        assert re.fullmatch(r"Found multiple addresses for \*, (::1|127\.0\.0\.1) ignored", text)
    family = socket.getaddrinfo("*", port, type=socket.SOCK_STREAM)
    assert len(ignored) == len(family) - 1


def test_address_of_a_name_that_is_taken_is_passed_over(daemon):
    host, port = "*", free_port()
    addresses = [entry[4][0] for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    if len(addresses) < 2:
        pytest.skip("there is no name with two addresses")
    family = socket.AF_INET6 if ":" in addresses[0] else socket.AF_INET
    with socket.socket(family) as taken:
        taken.bind((addresses[0], port))
        taken.listen()
        daemon.allow_log("unable to bind")
        daemon.configure({"www": {"listen": f"{host}:{port}"}}, DEBUG).start()
    assert [entry for entry in said(daemon) if "addres" in entry[1]] == [
        (
            "ERROR",
            f"unable to bind listening socket for address '{host}:{port}': "
            "Address already in use (98)",
        ),
        ("DEBUG", f"Found address for {host}, socket opened on {addresses[1]}"),
    ]
    daemon.pools["www"]["listen"] = f"{addresses[1]}:{port}"
    daemon.assert_serves()


def test_host_that_does_not_exist(daemon):
    daemon.configure({"www": {"listen": ":9000"}})
    assert any(
        line.endswith("ERROR: getaddrinfo: Name or service not known") for line in refused(daemon)
    )


def test_port_in_use_everywhere(daemon):
    with socket.socket(socket.AF_INET6) as taken:
        taken.bind(("::", 0))
        taken.listen()
        port = taken.getsockname()[1]
        daemon.configure({"www": {"listen": str(port)}})
        lines = refused(daemon)
    in_use = f"unable to bind listening socket for address '{port}': Address already in use (98)"
    texts = [entry for entry in messages(lines) if "systemd" not in entry[1]]
    texts = [entry for entry in texts if "not running as root" not in entry[1]]
    assert texts[:2] == [
        ("NOTICE", "Failed implicitly binding to ::, retrying with 0.0.0.0"),
        ("ERROR", in_use),
    ]


def test_bad_ports(daemon):
    for port in ("0", "65536", "", "http"):
        daemon.configure({"www": {"listen": f"127.0.0.1:{port}"}})
        lines = refused(daemon)
        assert any(re.search(rf"ERROR: .*invalid port value '{port}'", line) for line in lines)


def test_backlog_is_passed_on(daemon):
    port = free_port()
    daemon.configure({"www": {"listen": f"127.0.0.1:{port}", "listen.backlog": "77"}}).start()
    # tcpi_sacked of a listening socket is its limit.
    listing = subprocess.run(
        ["ss", "-Hltn", f"sport = :{port}"], capture_output=True, text=True, check=True
    ).stdout.split()
    assert listing[2] == "77", listing


# Their life


@both_users
def test_socket_files_go_with_the_daemon(daemon):
    daemon.configure({"www": {}, "api": {}}).start()
    daemon.signal(signal.SIGQUIT)
    assert daemon.wait_exit() == 0
    assert not os.path.exists(daemon.address("www"))
    assert not os.path.exists(daemon.address("api"))


@muster_only
def test_socket_of_a_removed_pool_goes_at_the_reload(daemon):
    daemon.configure({"www": {}, "api": {}}).start()
    gone = daemon.address("api")
    daemon.compare_descriptors = False
    daemon.configure({"www": {}})
    daemon.reload()
    assert not os.path.exists(gone)
    daemon.assert_serves()


@muster_only
def test_someone_elses_socket_at_the_same_path_stays(arena, daemon):
    arena.keep_sockets = True
    daemon.start()
    os.rename(daemon.address(), f"{daemon.dir}/moved.sock")
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(daemon.address())
        daemon.signal(signal.SIGTERM)
        assert daemon.wait_exit() == 0
        assert os.path.exists(daemon.address())


@muster_only
def test_two_pools_with_their_sockets_in_managers_only(daemon):
    daemon.configure({"www": {}, "api": {}}).start()
    for pool, pid in daemon.managers().items():
        sockets = [
            what for what in processes.descriptors(pid).values() if what.startswith("socket:")
        ]
        listening = subprocess.run(
            ["ss", "-Hlx"], capture_output=True, text=True, check=True
        ).stdout.splitlines()
        inodes = {line.split()[5] for line in listening if daemon.dir in line}
        own = {what[len("socket:[") : -1] for what in sockets} & inodes
        assert len(own) == 1, (pool, own)


@as_root
@muster_only
def test_a_reload_gives_an_existing_socket_its_new_owner_mode_and_backlog(daemon):
    daemon.configure({"www": {"listen.mode": "0600", "listen.backlog": "10"}}).start()
    inode = os.stat(daemon.address()).st_ino
    games = pwd.getpwnam("games")
    daemon.configure(
        {"www": {"listen.mode": "0666", "listen.owner": "games", "listen.backlog": "33"}}
    )
    daemon.reload()
    info = os.stat(daemon.address())
    assert (info.st_ino, info.st_mode & 0o777, info.st_uid) == (inode, 0o666, games.pw_uid)
    assert backlog_of(daemon.address()) == 33
    daemon.assert_serves()
    assert daemon.log.find(r"NOTICE: the listening socket '.*' has new settings")


@as_root
@muster_only
def test_a_reload_replaces_the_acl_of_an_existing_socket(daemon):
    daemon.configure({"www": {"listen.acl_users": "games,nobody"}}).start()
    daemon.configure({"www": {"listen.acl_users": "games"}})
    daemon.reload()
    assert acl_of(daemon.address()) == "user::rw- user:games:rw- group::rw- mask::rw- other::---"
    daemon.configure({"www": {"listen.mode": "0606"}})
    daemon.reload()
    assert acl_of(daemon.address()) == "user::rw- group::--- other::rw-"


@as_root
@muster_only
def test_a_refused_reload_leaves_the_sockets_as_they_are(daemon):
    daemon.configure({"www": {"listen.mode": "0600"}}).start()
    daemon.configure({"www": {"listen.mode": "0666", "listen.owner": "no-such-user"}})
    daemon.allow_log("no-such-user", "the reload is refused")
    daemon.signal(signal.SIGUSR2)
    daemon.log.wait_for("the reload is refused")
    assert_mode(daemon.address(), 0o600)
    daemon.configure({"www": {"listen.mode": "0600"}})
    daemon.reload()
    assert_mode(daemon.address(), 0o600)
    assert not daemon.log.find("has new settings")
