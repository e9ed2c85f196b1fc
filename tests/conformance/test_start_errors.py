"""What goes wrong only at a real start: the messages, the exit codes, and what stays behind."""

import contextlib
import os
import socket

import pytest

from compare.case import GLOBAL, POOL, Case, conf, conforms, section

FOREGROUND = ("-n", "-y", "{dir}/fpm.conf", "-F")
BACKGROUND = ("-n", "-y", "{dir}/fpm.conf", "-D")

FAULTS = {
    "unknown-user": conf({"user": "no_such_user"}),
    "unknown-group": conf({"group": "no_such_group"}),
    "root-user": conf({"user": "root", "group": "root"}),
    "root-group": conf({"group": "root"}),
    "root-numeric": conf({"user": "0", "group": "0"}),
    "numeric-user-without-group": conf({"user": "54321", "group": None}),
    "empty-user": conf({"user": ""}),
    "pid-directory-missing": conf(globals_={"pid": "{dir}/missing/x.pid"}),
    "pid-is-a-directory": conf(globals_={"pid": "{dir}/folder"}),
    "pid-empty": conf(globals_={"pid": "{dir}/folder/"}),
    "listen-directory-missing": conf({"listen": "{dir}/missing/x.sock"}),
    "listen-owner": conf({"listen.owner": "no_such_user"}),
    "listen-group": conf({"listen.group": "no_such_group"}),
    "acl-user": conf({"listen.acl_users": "no_such_user"}),
    "acl-group": conf({"listen.acl_groups": "no_such_group"}),
    "port-0": conf({"listen": "127.0.0.1:0"}),
    "port-large": conf({"listen": "127.0.0.1:65536"}),
    "port-negative": conf({"listen": "127.0.0.1:-5"}),
    "port-empty": conf({"listen": "127.0.0.1:"}),
    "address-not-here": conf({"listen": "192.0.2.1:9999"}),
    "rlimit-files": conf(globals_={"rlimit_files": "2000000000"}),
    "two-pools-second-user": conf(
        more=section("b", {**POOL, "listen": "{dir}/b.sock", "user": "no_such_user"})
    ),
    "two-pools-both": conf(
        {"user": "no_such_user"},
        more=section("b", {**POOL, "listen": "{dir}/b.sock", "group": "no_such_group"}),
    ),
    "two-pools-second-address": conf(more=section("b", {**POOL, "listen": "{dir}/missing/b.sock"})),
}
# Names and addresses are checked before the fork; see `test-checks-more`.
AS_ROOT_ONLY = {"unknown", "root", "numeric", "empty", "two-pools-second-user", "two-pools-both"}


def cases(arguments):
    for name, text in FAULTS.items():
        root_only = any(name.startswith(word) for word in AS_ROOT_ONLY)
        yield Case(
            name,
            text,
            folders=("folder",),
            arguments=arguments,
            who=("root",) if root_only else ("root", "user"),
            differences=("all-problems", "test-checks-more"),
        )


@conforms(list(cases(FOREGROUND)))
def test_in_the_foreground(pair, case):
    pair.check(case)


@conforms(list(cases(BACKGROUND)))
def test_in_the_background(pair, case):
    pair.check(case)


@contextlib.contextmanager
def listening(kind, address):
    with socket.socket(kind, socket.SOCK_STREAM) as other:
        other.bind(address)
        other.listen()
        yield other


@conforms(
    [
        Case(f"port-{how[-1]}", arguments=how, code=78 if how == FOREGROUND else 70)
        for how in (FOREGROUND, BACKGROUND)
    ]
)
def test_port_in_use(pair, case):
    with listening(socket.AF_INET, ("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        pair.check(case.but(text=conf({"listen": f"127.0.0.1:{port}"})))


@conforms(
    [
        Case(f"unix-{how[-1]}", arguments=how, code=78 if how == FOREGROUND else 70)
        for how in (FOREGROUND, BACKGROUND)
    ]
)
def test_unix_socket_in_use(pair, case, tmp_path_factory):
    place = tmp_path_factory.mktemp("s")
    os.chmod(place, 0o755)
    path = f"/tmp/cf-{os.getpid()}.sock"
    with listening(socket.AF_UNIX, path):
        os.chmod(path, 0o777)
        try:
            pair.check(case.but(text=conf({"listen": path})))
        finally:
            os.unlink(path)


@conforms(
    [
        Case("global-first", section("global", {**GLOBAL, "log_limit": "5"}) + conf()),
        Case("no-pools", section("global", GLOBAL)),
        Case("bad-line", conf(more="nonsense = 1\n")),
        Case("missing-file", arguments=("-n", "-y", "{dir}/none", "-D")),
    ],
    code=78,
    differences=("all-problems",),
)
@pytest.mark.parametrize("how", [FOREGROUND, BACKGROUND], ids=["F", "D"])
def test_configuration_refused(pair, case, how):
    pair.check(case.but(arguments=how) if case.text else case)
