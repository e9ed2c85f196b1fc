"""Access log lines: default format, tokens, hostile bytes."""

import os
import re

import pytest

from harness.config import free_port
from harness.fixtures import both_users
from harness.logs import LogFile
from harness.program import muster_only
from harness.waiting import wait_until


def with_access_log(daemon, form=None, **pool):
    directives = {"access.log": f"{daemon.dir}/$pool.access", **pool}
    if form:
        directives["access.format"] = form
    daemon.configure({"www": directives}).start()
    return LogFile(f"{daemon.dir}/www.access")


def one_line(access):
    return wait_until(lambda: access.lines(), "a line in the access log")[0]


@both_users
def test_default_format_over_a_unix_socket(arena, daemon):
    access = with_access_log(daemon)
    daemon.get(arena.script("a.php", "<?php"), query="secret=1")
    assert re.fullmatch(
        r'- -  \d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4} "GET /a\.php" 200',
        one_line(access),
    )
    assert os.stat(access.path).st_mode & 0o777 == 0o600


def test_peer_address_over_tcp(arena, daemon):
    access = with_access_log(daemon, "%R", listen=f"127.0.0.1:{free_port()}")
    daemon.get(arena.script("a.php", "<?php"))
    assert one_line(access) == "127.0.0.1"


@pytest.mark.parametrize(
    "form, wanted",
    [
        ("%m %r%Q%q %s", r"POST /a\.php\?x=1&y=2 404"),
        ("%n %l", "www 9"),
        ("%{HTTP_X_TEST}e %{NOT_THERE}e", "of a header -"),
        ("%{X-Out}o %{x-out}o", "sent -"),
        ("%f", r"/.*/www/a\.php"),
        ("%p %P", r"\d+ \d+"),
        ("%d %{mili}d %{micro}d", r"\d\.\d{3} \d+\.\d{3} \d+"),
        ("%M %{kilo}M %{mega}M", r"[1-9]\d{6,} [1-9]\d{3,} [1-9]\d*"),
        ("%C %{user}C %{system}C", r"\d+\.\d\d \d+\.\d\d \d+\.\d\d"),
        ("%{%Y}t-%{%m}T %%", r"\d{4}-\d\d %"),
        ("[%u]", r"\[ann\]"),
    ],
)
def test_tokens(arena, daemon, form, wanted):
    path = arena.script("a.php", "<?php http_response_code(404); header('X-Out: sent'); echo 'x';")
    access = with_access_log(daemon, form)
    more = {"HTTP_X_TEST": "of a header", "HTTP_AUTHORIZATION": "Basic YW5uOnB3"}
    daemon.get(path, method="POST", query="x=1&y=2", body=b"some=body", more=more)
    assert re.fullmatch(wanted, one_line(access)), one_line(access)


def test_pids_are_those_of_worker_and_master(arena, daemon):
    access = with_access_log(daemon, "%p %P")
    worker = daemon.get(arena.script("pid.php", "<?php echo getmypid();")).text
    assert one_line(access) == f"{worker} {daemon.master}"


@muster_only
def test_a_request_cannot_forge_a_line(arena, daemon):
    access = with_access_log(daemon, "%m %q %{HTTP_EVIL}e")
    more = {"HTTP_EVIL": "a\nGET forged\r\nGET forged"}
    daemon.get(arena.script("a.php", "<?php"), query="x\nGET forged", more=more)
    daemon.get(arena.script("b.php", "<?php"), query="end")
    wait_until(lambda: "GET end" in access.text(), "the second request")
    assert len(access.lines()) == 2
    assert not any(line.startswith("GET forged") for line in access.lines())


def test_long_line_is_cut(arena, daemon):
    access = with_access_log(daemon, "%{HTTP_LONG}e")
    daemon.get(arena.script("a.php", "<?php"), more={"HTTP_LONG": "x" * 5000})
    daemon.assert_serves()
    wait_until(lambda: len(access.lines()) == 2, "two lines")
    assert len(access.lines()[0]) <= 1024
    assert access.lines()[0].startswith("x" * 1000)


def test_refused_scripts_are_logged_with_their_status(arena, daemon):
    access = with_access_log(daemon, "%r %s")
    daemon.get("/missing.php")
    wait_until(lambda: access.lines() == ["/missing.php 404"], lambda: access.text())


def test_suppressed_paths_are_those_of_plain_successful_reads(arena, daemon):
    code = "<?php http_response_code((int) ($_SERVER['HTTP_STATUS'] ?? 200));"
    path = arena.script("health.php", code)
    access = with_access_log(daemon, "%m %r%Q%q %s %l", **{"access.suppress_path[]": path})
    daemon.get(path)
    daemon.get(path, method="HEAD")
    daemon.get(path, more={"HTTP_STATUS": "299"})
    seen = [
        ({"method": "POST"}, f"POST {path} 200 0"),
        ({"query": "a"}, f"GET {path}?a 200 0"),
        ({"more": {"HTTP_STATUS": "500"}}, f"GET {path} 500 0"),
        ({"body": b"abc"}, f"GET {path} 200 3"),
    ]
    for arguments, _ in seen:
        daemon.get(path, **arguments)
    daemon.get(arena.script("health.phpx.php", code))
    wanted = [line for _, line in seen] + ["GET /health.phpx.php 200 0"]
    wait_until(lambda: access.lines() == wanted, lambda: access.text())


@both_users
@pytest.mark.parametrize(
    "form, complaint",
    [
        ("%z", "Invalid token in the access.format (%z)"),
        ("%{x", "missing closing embrace in the access.format"),
        ("%{x}m", "embrace is not allowed for modifier %m"),
        (
            "%{x}d",
            "only 'seconds', 'milli', 'milliseconds', 'micro' or 'microseconds' are allowed as "
            "a modifier for %d ('x')",
        ),
        ("%e", "the name of the environment variable must be set between embraces for %e"),
    ],
)
def test_a_wrong_format_is_a_warning_and_an_error(daemon, form, complaint):
    daemon.allow_log("wrong format", "failed to post process", "FPM initialization failed")
    daemon.configure({"www": {"access.log": f"{daemon.dir}/a", "access.format": f'"{form}"'}})
    result = daemon.run("-t")
    assert result.returncode == 78
    said = [line.split("] ", 1)[1] for line in result.stderr.splitlines() if line.startswith("[")]
    assert said[:2] == [
        f"WARNING: {complaint}",
        f"ERROR: [pool www] wrong format for access.format '{form}'",
    ]
