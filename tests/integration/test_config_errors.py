"""A configuration that cannot be used: every fault is named with its place, nothing starts."""

import os
import re

import pytest

from harness.fixtures import as_user, both_users
from harness.program import is_reference, muster_only
from harness.refusal import assert_named, refused


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
