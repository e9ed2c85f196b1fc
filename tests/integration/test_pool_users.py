"""Whom a pool's processes become, and what of it scripts find in their environment."""

import json
import os
import pwd

from harness import processes
from harness.fixtures import as_root, as_user, both_users

ENVIRONMENT = """<?php
$all = getenv(null, true) ?: [];
echo json_encode(array_map(fn($k) => getenv($k, true), ['USER', 'HOME', 'FROM', 'GONE', 'X']));"""


def environment(arena, daemon, pool="www"):
    return json.loads(daemon.get(arena.script("env.php", ENVIRONMENT), pool=pool).text)


def ids(pid):
    numbers = lambda field: [int(word) for word in processes.status_field(pid, field).split()]
    return set(numbers("Uid")), set(numbers("Gid")), set(numbers("Groups"))


def worker_ids(daemon, pool="www"):
    (worker,) = daemon.wait_workers(1, pool)
    return ids(worker)


def someone_with_groups():
    """A user other than root who belongs to groups beside the primary one."""
    for entry in pwd.getpwall():
        groups = set(os.getgrouplist(entry.pw_name, entry.pw_gid))
        if entry.pw_uid and entry.pw_gid and len(groups) > 1:
            return entry, groups
    return pwd.getpwnam("www-data"), set(os.getgrouplist("www-data", 33))


@as_root
def test_a_named_user_with_all_groups_and_a_home(arena, daemon):
    user, groups = someone_with_groups()
    daemon.configure({"www": {"user": user.pw_name, "group": None}}).start()
    assert worker_ids(daemon) == ({user.pw_uid}, {user.pw_gid}, groups)
    assert environment(arena, daemon)[:2] == [user.pw_name, user.pw_dir]


@as_root
def test_a_numeric_user_has_the_groups_but_no_name(arena, daemon):
    user, groups = someone_with_groups()
    daemon.configure(
        {"www": {"user": user.pw_uid, "group": None}, "free": {"user": user.pw_uid, "group": "12"}}
    ).start()
    assert worker_ids(daemon) == ({user.pw_uid}, {user.pw_gid}, groups)
    assert worker_ids(daemon, "free")[:2] == ({user.pw_uid}, {12})
    assert environment(arena, daemon)[:2] == [False, False]


@as_root
def test_a_number_that_is_nobody(arena, daemon):
    daemon.configure({"www": {"user": "43210", "group": "43211"}}).start()
    assert worker_ids(daemon) == ({43210}, {43211}, {43211})
    assert environment(arena, daemon)[:2] == [False, False]


@as_root
def test_only_a_group_when_root_is_allowed(arena, daemon):
    daemon.configure({"www": {"user": None, "group": "www-data"}, "all": {"user": "root"}})
    daemon.pools["all"]["group"] = "root"
    daemon.start("-R")
    uids, gids, _ = worker_ids(daemon)
    assert (uids, gids) == ({0}, {33})
    assert worker_ids(daemon, "all")[0] == {0}
    assert environment(arena, daemon)[:2] == [False, False]
    assert environment(arena, daemon, "all")[:2] == ["root", "/root"]


@as_user
def test_the_master_s_own_user_otherwise(arena, daemon):
    daemon.configure().start()
    me = pwd.getpwuid(daemon.identity.worker_uid)
    assert worker_ids(daemon)[0] == {me.pw_uid}
    assert environment(arena, daemon)[:2] == [me.pw_name, me.pw_dir]


@both_users
def test_values_taken_from_the_environment(arena, daemon):
    daemon.configure(
        {
            "www": {
                "env[FROM]": "$OUTSIDE",
                "env[GONE]": "$NOT_THERE",
                "env[X]": "a$OUTSIDE",
                "env[USER]": "somebody",
            }
        }
    )
    daemon.start(env={**os.environ, "OUTSIDE": "value", "X": "of the master"})
    user, _, source, gone, literal = environment(arena, daemon)
    assert (user, source, gone, literal) == ("somebody", "value", "", "a$OUTSIDE")


@both_users
def test_kept_environment_is_overridden_by_the_pool(arena, daemon):
    daemon.configure({"www": {"clear_env": "no", "env[X]": "$FROM"}})
    daemon.start(env={**os.environ, "FROM": "outside", "X": "of the master", "USER": "wrong"})
    user, _, source, _, overridden = environment(arena, daemon)
    assert (source, overridden) == ("outside", "outside")
    assert user == daemon.identity.worker_name
