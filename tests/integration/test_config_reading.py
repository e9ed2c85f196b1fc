"""php-fpm's configuration language as it reaches the pools."""

import os

from harness.fixtures import both_users

SHOW = "<?php echo getenv($_GET['name']);"


def env_of(daemon, arena, name, pool="www"):
    path = arena.script("env.php", SHOW)
    return daemon.get(path, pool=pool, query=f"name={name}").text


@both_users
def test_lines_of_more_than_8_kib_are_read_whole(arena, daemon):
    value = "".join(chr(ord("a") + n % 26) for n in range(9000))
    daemon.configure({"www": {"env[LONG]": value}}).start()
    assert env_of(daemon, arena, "LONG") == value


def test_comments_quotes_and_spaces(arena, daemon):
    daemon.configure(
        {
            "www": {
                "env[PLAIN]": "a value ; with a comment",
                "env[QUOTED]": '"semi;colon = and \\"quotes\\""',
                "env[SINGLE]": "'  kept  '",
                "  env[INDENTED]  ": "   trimmed   ",
            }
        }
    )
    daemon.write(daemon.text.replace("[www]", "; [ignored]\n\n\t\n[www] ; the pool"))
    daemon.start()
    assert env_of(daemon, arena, "PLAIN") == "a value"
    assert env_of(daemon, arena, "QUOTED") == 'semi;colon = and "quotes"'
    assert env_of(daemon, arena, "SINGLE") == "  kept  "
    assert env_of(daemon, arena, "INDENTED") == "trimmed"


def test_dos_line_ends_and_missing_last_newline(daemon):
    daemon.configure()
    daemon.write(daemon.text.rstrip("\n").replace("\n", "\r\n"))
    daemon.start()
    daemon.assert_serves()


def test_environment_is_expanded(arena, daemon):
    daemon.configure(
        {"www": {"env[BRACED]": "pre-${FROM_OUTSIDE}-post", "env[LATE]": "$FROM_OUTSIDE"}}
    )
    daemon.start(env={**os.environ, "FROM_OUTSIDE": "value of it"})
    assert env_of(daemon, arena, "BRACED") == "pre-value of it-post"
    assert env_of(daemon, arena, "LATE") == "value of it"


def test_pool_name_is_expanded(arena, daemon):
    daemon.configure({"www": {"listen": f"{daemon.dir}/$pool-x.sock", "env[ME]": "I am $pool"}})
    daemon.start()
    daemon.pools["www"]["listen"] = f"{daemon.dir}/www-x.sock"
    assert env_of(daemon, arena, "ME") == "I am www"


def test_includes_by_pattern_in_byte_order(arena, daemon):
    os.mkdir(f"{daemon.dir}/pool.d")
    daemon.configure()
    head, _, pool = daemon.text.partition("[www]\n")
    for name in ("b", "a"):
        with open(f"{daemon.dir}/pool.d/{name}.conf", "w", encoding="ascii") as file:
            file.write(f"[{name}]\n{pool.replace('www.sock', name + '.sock')}env[FILE] = {name}\n")
    with open(f"{daemon.dir}/pool.d/ignored.txt", "w", encoding="ascii") as file:
        file.write("nonsense\n")
    daemon.write(head + f"include = {daemon.dir}/pool.d/*.conf\n")
    daemon.start()
    for name in ("a", "b"):
        daemon.pools[name] = {"listen": f"{daemon.dir}/{name}.sock"}
        assert env_of(daemon, arena, "FILE", pool=name) == name


def test_include_pattern_that_matches_nothing_is_a_warning(daemon):
    daemon.configure()
    daemon.write(daemon.text + f"include = {daemon.dir}/*.nothing\n")
    daemon.start()
    assert daemon.stderr.find("WARNING: Nothing matches the include pattern")
    daemon.assert_serves()


def test_pool_reopened_later_continues_and_last_value_wins(arena, daemon):
    daemon.configure({"www": {"pm.max_children": "1"}})
    daemon.write(daemon.text + "[global]\nlog_level = notice\n[WWW]\npm.max_children = 3\n")
    daemon.start()
    daemon.wait_workers(3)


def test_first_of_two_array_entries_wins(arena, daemon):
    daemon.configure({"www": {"env[TWICE]": ["first", "second"]}}).start()
    assert env_of(daemon, arena, "TWICE") == "first"


def test_start_servers_is_computed_and_said(daemon):
    daemon.configure(
        {
            "www": {
                "pm": "dynamic",
                "pm.max_children": "8",
                "pm.min_spare_servers": "2",
                "pm.max_spare_servers": "6",
            }
        }
    ).start()
    wanted = r"\[pool www\] pm.start_servers is not set. It's been set to 4."
    assert daemon.stderr.find(wanted) + daemon.log.find(wanted)
    daemon.wait_workers(4)


@both_users
def test_socket_file_has_owner_and_mode(daemon):
    daemon.configure({"www": {"listen.mode": "0604"}}).start()
    info = os.stat(daemon.address())
    assert info.st_mode & 0o777 == 0o604
    assert info.st_uid == daemon.identity.worker_uid
    assert info.st_gid == daemon.identity.worker_gid
