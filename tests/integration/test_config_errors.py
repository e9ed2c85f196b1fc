"""A configuration that cannot be used: every fault is named with its place, nothing starts."""

import os
import re
import socket

import pytest

from harness.config import free_port
from harness.fixtures import as_root, as_user, both_users
from harness.program import is_reference, muster_only


def refused(daemon, *arguments):
    """Starts in the foreground, must be refused; the lines of stderr."""
    result = daemon.run("-F", *arguments)
    assert result.returncode == 78, (result.returncode, result.stderr)
    assert re.search(r"\] ERROR: FPM initialization failed$", result.stderr, re.M), result.stderr
    assert "ready to handle connections" not in result.stderr + daemon.log.text()
    assert not os.path.exists(daemon.pid_file)
    daemon.allow_log(".*")
    return result.stderr.splitlines()


def assert_named(daemon, lines, fragment, *patterns):
    """One line of error level names the file and line of `fragment` and says all the patterns."""
    place = f"[{daemon.conf}:{daemon.line_of(fragment)}]"
    fitting = [
        line
        for line in lines
        if re.search(r"\] (ERROR|ALERT): ", line)
        and (is_reference() or place in line)
        and all(re.search(pattern, line) for pattern in patterns)
    ]
    assert fitting, f"no line with {place} and {patterns} in:\n" + "\n".join(lines)


@both_users
def test_unknown_directive_is_named_with_file_and_line(daemon):
    daemon.configure({"www": {"pm.max_childrn": "3"}})
    lines = refused(daemon)
    assert_named(daemon, lines, "pm.max_childrn", r"unknown entry 'pm\.max_childrn'")
    assert any("failed to load configuration file" in line for line in lines)


@muster_only
def test_unknown_directive_gets_a_suggestion(daemon):
    daemon.configure({"www": {"pm.max_childrn": "3"}})
    assert_named(daemon, refused(daemon), "pm.max_childrn", "did you mean.*pm.max_children")


@muster_only
def test_directive_of_the_other_scope_is_explained(daemon):
    daemon.configure({"www": {"log_level": "debug"}})
    assert_named(daemon, refused(daemon), "log_level", "unknown entry 'log_level'", r"\[global\]")


@pytest.mark.parametrize("value", ["many", "-3x", "5 0", "1e3"])
def test_bad_number_is_named(daemon, value):
    daemon.configure({"www": {"pm.max_requests": value}})
    assert_named(
        daemon,
        refused(daemon),
        "pm.max_requests",
        r"unable to parse value for entry 'pm\.max_requests'.*is not a valid number",
    )


def test_bad_time_is_named(daemon):
    daemon.configure({"www": {"request_terminate_timeout": "5w"}})
    assert_named(
        daemon, refused(daemon), "request_terminate_timeout", "unknown suffix used in time value"
    )


def test_bad_boolean_is_named(daemon):
    daemon.configure({"www": {"catch_workers_output": "maybe"}})
    assert_named(daemon, refused(daemon), "catch_workers_output", "invalid boolean value")


def test_bad_process_manager_is_named(daemon):
    daemon.configure({"www": {"pm": "magic"}})
    assert_named(
        daemon,
        refused(daemon),
        "pm = magic",
        r"invalid process manager \(static, dynamic or ondemand\)",
    )


def test_line_without_equals_sign_is_named(daemon):
    daemon.configure()
    daemon.write(daemon.text + "just words\n")
    refused(daemon)
    if not is_reference():
        assert_named(daemon, refused(daemon), "just words")


def test_array_without_key_is_named(daemon):
    daemon.configure({"www": {"env[]": "x"}})
    assert_named(daemon, refused(daemon), "env[]", "You must provide a key for field 'env'")


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


def test_configuration_file_that_does_not_exist(daemon):
    daemon.configure()
    os.remove(daemon.conf)
    lines = refused(daemon)
    assert any(
        f"failed to open configuration file '{daemon.conf}': No such file or directory (2)" in line
        for line in lines
    ), lines


def test_include_that_cannot_be_opened(daemon):
    daemon.configure()
    os.symlink("/nonexistent/pool.conf", f"{daemon.dir}/dangling.conf")
    daemon.write(daemon.text + f"include = {daemon.dir}/dangling.conf\n")
    lines = refused(daemon)
    assert any("dangling.conf" in line and "No such file" in line for line in lines), lines
    line = daemon.line_of("include =")
    assert any(
        "Unable to include" in text and daemon.conf in text and str(line) in text for text in lines
    ), lines


@as_user
def test_include_without_permission(daemon):
    daemon.configure()
    secret = f"{daemon.dir}/secret.conf"
    with open(secret, "w", encoding="ascii") as file:
        file.write("[other]\n")
    os.chmod(secret, 0)
    daemon.write(daemon.text + f"include = {secret}\n")
    lines = refused(daemon)
    assert any(secret in line and "Permission denied" in line for line in lines), lines


def test_include_pattern_in_a_missing_directory(daemon):
    daemon.configure()
    daemon.write(daemon.text + f"include = {daemon.dir}/missing/*.conf\n")
    lines = refused(daemon)
    assert any("Unable to globalize" in line for line in lines), lines


def test_error_inside_an_include_names_the_included_file(daemon):
    daemon.configure()
    inner = f"{daemon.dir}/inner.conf"
    with open(inner, "w", encoding="ascii") as file:
        file.write("[other]\n; a comment\npm = static\nbogus = 1\n")
    daemon.write(daemon.text + f"include = {inner}\n")
    lines = refused(daemon)
    assert any(f"[{inner}:4]" in line and "bogus" in line for line in lines), lines


def test_no_pool_at_all(daemon):
    daemon.configure()
    daemon.write(f"[global]\nerror_log = {daemon.log.path}\npid = {daemon.pid_file}\n")
    lines = refused(daemon)
    assert any("No pool defined. at least one pool section must be specified" in x for x in lines)


def test_pool_without_listen(daemon):
    daemon.configure({"www": {"listen": None}})
    assert_named(
        daemon, refused(daemon), "[www]", r"\[pool www\] no listen address have been defined!"
    )


def test_two_pools_on_one_address(daemon):
    listen = f"{daemon.dir}/same.sock"
    daemon.configure({"first": {"listen": listen}, "second": {"listen": listen}})
    lines = refused(daemon)
    wanted = r"\[pool second\] unable to set listen address as it's already used in another pool 'first'"
    assert any(re.search(wanted, line) for line in lines), lines
    assert not os.path.exists(listen)


@pytest.mark.parametrize(
    "directives, message",
    [
        ({"pm": None}, r"the process manager is missing \(static, dynamic or ondemand\)"),
        ({"pm.max_children": "0"}, "pm.max_children must be a positive value"),
        (
            {"pm": "dynamic", "pm.max_children": "5"},
            r"pm.min_spare_servers\(0\) must be a positive value",
        ),
        (
            {
                "pm": "dynamic",
                "pm.max_children": "5",
                "pm.min_spare_servers": "4",
                "pm.max_spare_servers": "2",
            },
            r"pm.max_spare_servers\(2\) must not be less than pm.min_spare_servers\(4\)",
        ),
        (
            {
                "pm": "dynamic",
                "pm.max_children": "3",
                "pm.min_spare_servers": "1",
                "pm.max_spare_servers": "9",
            },
            r"pm.min_spare_servers\(1\) and pm.max_spare_servers\(9\) cannot be greater than "
            r"pm.max_children\(3\)",
        ),
        (
            {
                "pm": "dynamic",
                "pm.max_children": "9",
                "pm.min_spare_servers": "2",
                "pm.max_spare_servers": "4",
                "pm.start_servers": "7",
            },
            r"pm.start_servers\(7\) must not be less than pm.min_spare_servers\(2\) and not "
            r"greater than pm.max_spare_servers\(4\)",
        ),
        (
            {"pm": "ondemand", "pm.process_idle_timeout": "0"},
            r"pm.process_idle_timeout\(0s\) must be greater than 0s",
        ),
        ({"pm.status_path": "status"}, "the status path 'status' must start with a '/'"),
        ({"ping.path": "/pi ng"}, "the ping path '/pi ng' must contain only"),
        ({"chdir": "/no/such/place"}, "the chdir path '/no/such/place' does not exist"),
        (
            {"access.log": "$pool.access", "access.format": "%Z"},
            "wrong format for access.format '%Z'",
        ),
    ],
)
def test_pool_values_that_do_not_fit(daemon, directives, message):
    if "access.log" in directives:
        directives = {**directives, "access.log": f"{daemon.dir}/access"}
    daemon.configure({"www": directives})
    lines = refused(daemon)
    wanted = rf"\] (ERROR|ALERT): .*\[pool www\] {message}"
    assert any(re.search(wanted, line) for line in lines), lines


def test_port_in_use(daemon):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = "127.0.0.1:%d" % taken.getsockname()[1]
        daemon.configure({"www": {"listen": address}})
        lines = refused(daemon)
    wanted = rf"unable to bind listening socket for address '{address}': Address already in use \(98\)"
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


@muster_only
def test_all_errors_are_reported_in_one_run(daemon):
    daemon.configure(
        {
            "one": {"pm.max_childrn": "1", "pm.max_requests": "lots"},
            "two": {"listen": None, "catch_workers_output": "perhaps"},
            "three": {"pm": "dynamic", "pm.max_children": "4"},
        },
        {"process_control_timeout": "soon5w"},
    )
    lines = refused(daemon)
    assert_named(daemon, lines, "pm.max_childrn", "did you mean")
    assert_named(daemon, lines, "pm.max_requests", "is not a valid number")
    assert_named(daemon, lines, "[two]", "no listen address")
    assert_named(daemon, lines, "catch_workers_output", "invalid boolean value")
    assert_named(daemon, lines, "process_control_timeout", "unknown suffix")
    assert any("[pool three] pm.min_spare_servers(0) must be a positive value" in x for x in lines)


def test_two_listeners_one_bad_leaves_no_socket(daemon):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        daemon.configure(
            {"good": {}, "bad": {"listen": "127.0.0.1:%d" % taken.getsockname()[1]}}
        )
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
