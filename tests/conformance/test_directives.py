"""Every directive with right and wrong values, in both scopes, misspelt, as array and alone."""

from compare.case import DYNAMIC, Case, conf_lines, conforms

INTEGERS = ["7", "0", "-1", "", "007", "-", "99999999999", "-99999999999", "2147483648"]
BAD_INTEGERS = ["1x", "+1", "1.5", "0x10", "1e3", "5 0", "ten", "--1", "1-"]
TIMES = ["30", "30s", "2m", "1h", "1d", "0", "s", "-5", "-5s", "1.5", "1.5s", "1 s", "99999999999d"]
BAD_TIMES = ["", "1w", "30S", "x", "1ms", "5 min", "1y"]
BOOLEANS = ["yes", "no", "on", "off", "true", "false", "none", "null", "YES", "Off", "1", "0", ""]
QUOTED_BOOLEANS = ['"yes"', '"no"', '"true"', '"on"', '"off"', '"false"', '"none"', "'1'", '"0"']
BAD_BOOLEANS = ["2", "-1", "y", "enable", '"YES"', '"Off"', "01", "yes!", "maybe", '" 1"']
TEXTS = ["abc", '"a b"', "", "a$b", "$pool", "x-$pool-y-$pool"]

# name: kind of value
GLOBAL = {
    "pid": "path",
    "error_log": "path",
    "syslog.ident": "text",
    "syslog.facility": "facility",
    "log_buffering": "boolean",
    "log_level": "level",
    "log_limit": "integer",
    "emergency_restart_threshold": "integer",
    "emergency_restart_interval": "time",
    "process_control_timeout": "time",
    "process.max": "integer",
    "process.priority": "integer",
    "daemonize": "boolean",
    "rlimit_files": "integer",
    "rlimit_core": "rlimit",
    "events.mechanism": "mechanism",
    "systemd_interval": "time",
}
POOL = {
    "prefix": "path",
    "user": "name",
    "group": "name",
    "listen": "listen",
    "listen.backlog": "integer",
    "listen.acl_users": "acl",
    "listen.acl_groups": "acl",
    "listen.owner": "name",
    "listen.group": "name",
    "listen.mode": "mode",
    "listen.allowed_clients": "text",
    "process.priority": "integer",
    "process.dumpable": "boolean",
    "pm": "manager",
    "pm.max_children": "integer",
    "pm.start_servers": "integer",
    "pm.min_spare_servers": "integer",
    "pm.max_spare_servers": "integer",
    "pm.max_spawn_rate": "integer",
    "pm.process_idle_timeout": "time",
    "pm.max_requests": "integer",
    "pm.status_path": "uri",
    "pm.status_listen": "listen",
    "ping.path": "uri",
    "ping.response": "text",
    "access.log": "path",
    "access.format": "text",
    "slowlog": "path",
    "request_slowlog_timeout": "time",
    "request_slowlog_trace_depth": "integer",
    "request_terminate_timeout": "time",
    "request_terminate_timeout_track_finished": "boolean",
    "rlimit_files": "integer",
    "rlimit_core": "rlimit",
    "chroot": "path",
    "chdir": "path",
    "catch_workers_output": "boolean",
    "decorate_workers_output": "boolean",
    "clear_env": "boolean",
    "security.limit_extensions": "text",
    "apparmor_hat": "text",
}
FACILITIES = (
    "AUTH AUTHPRIV CRON DAEMON FTP KERN LPR MAIL NEWS SYSLOG USER UUCP "
    "LOCAL0 LOCAL1 LOCAL2 LOCAL3 LOCAL4 LOCAL5 LOCAL6 LOCAL7"
).split()
VALUES = {
    "integer": INTEGERS + BAD_INTEGERS,
    "time": TIMES + BAD_TIMES,
    "boolean": BOOLEANS + QUOTED_BOOLEANS + BAD_BOOLEANS,
    "rlimit": ["0", "7", "unlimited", "UNLIMITED", "-1", "-7", "", "none", "1k", "99999999999"],
    "facility": [*FACILITIES, "daemon", "Local3", '"mail"', "", "LOCAL8", "daemonx", "24", "0"],
    "level": ["debug", "notice", "warning", "warn", "error", "alert", "Debug", "NOTICE", "ALERT"]
    + ["", "emerg", "info", "0", "notices", "warn ing"],
    "mechanism": ["epoll", "EPOLL", "poll", "select", "kqueue", "port", "/dev/poll", "", "magic"],
    "manager": [
        "static",
        "STATIC",
        "Dynamic",
        "OnDemand",
        "",
        "magic",
        "statics",
        "yes",
        '"static"',
    ],
    "name": ["www-data", "nobody", "33", "", "no_such_name", "-1", "12x", "99999999999", "$pool"],
    "mode": ["0660", "660", "0", "0777", "07777"],
    "listen": ["9000", "127.0.0.1:9000", "[::1]:9000", "::1:9000", "localhost:9000", "*:9000"]
    + ["{dir}/other.sock", "other.sock", "$pool.sock", ""],
    "uri": [
        "/x",
        "/a/b-c_d.e~f",
        "/",
        "",
        "x",
        "/a b",
        "/a?b",
        "/a%20",
        "/~",
        '"/a;b"',
        "//",
        "/é",
    ],
    "path": ["{dir}", "{dir}/file", "", "/nonexistent/x", "{dir}/$pool", "syslog", "file"],
    "text": TEXTS,
    "acl": ["www-data", "daemon", "www-data,daemon", "no_such_name", *TEXTS],
}
# What a value would otherwise be refused for is not what is to be seen.
COMPANY = {
    "pm.start_servers": DYNAMIC,
    "pm.min_spare_servers": DYNAMIC,
    "pm.max_spare_servers": DYNAMIC,
    "pm.max_spawn_rate": DYNAMIC,
    "pm.process_idle_timeout": {"pm": "ondemand"},
    "listen.backlog": {"pm": "ondemand"},
    "ping.response": {"ping.path": "/ping"},
    "access.format": {"access.log": "{dir}/access.log"},
    "request_slowlog_timeout": {"slowlog": "{dir}/slow.log"},
    "request_slowlog_trace_depth": {"slowlog": "{dir}/slow.log"},
}


def company(name):
    return "".join(f"{key} = {value}\n" for key, value in COMPANY.get(name, {}).items())


def label(value):
    """A value as part of a test's id."""
    shown = value.replace("{dir}", "DIR") or "empty"
    return shown.replace(" ", "␣")


def values():
    for scope, table in (("global", GLOBAL), ("pool", POOL)):
        for name, kind in table.items():
            for value in VALUES[kind]:
                line = f"{name} = {value}"
                text = (
                    conf_lines(global_lines=line)
                    if scope == "global"
                    else conf_lines(company(name) + line)
                )
                who = ("root", "user") if kind in ("name", "path", "listen") else ("any",)
                yield Case(f"{scope}-{name}={label(value)}", text, who=who)


def misplaced():
    """The directive in the other scope, misspelt, in other letters, alone, and as an array."""
    for scope, table, other in (("global", GLOBAL, POOL), ("pool", POOL, GLOBAL)):
        for name, kind in table.items():
            good = VALUES[kind][0]

            def case(what, line, name=name, scope=scope):
                text = (
                    conf_lines(global_lines=line)
                    if scope == "global"
                    else conf_lines(company(name) + line)
                )
                return Case(f"{scope}-{name}-{what}", text, who=("any",))

            yield case("upper-case", f"{name.upper()} = {good}")
            yield case("misspelt", f"{name}x = {good}")
            yield case("alone", name)
            yield case("as-array", f"{name}[x] = {good}")
            yield case("as-list", f"{name}[] = {good}")
            yield case("without-blanks", f"{name}={good}")
            yield case("commented", f"{name} = {good} ; comment")
            yield case("twice", f"{name} = {VALUES[kind][1]}\n{name} = {good}")
            if name not in other:
                line = f"{name} = {good}"
                text = conf_lines(line) if scope == "global" else conf_lines(global_lines=line)
                yield Case(f"{scope}-{name}-in-the-other-scope", text, code=78, who=("any",))


@conforms(list(values()))
def test_value(pair, case):
    pair.check(case)


@conforms(list(misplaced()))
def test_place_and_spelling(pair, case):
    pair.check(case)


@conforms(
    [
        Case("setfib", conf_lines("listen.setfib = 1"), code=78, says=("unknown entry",)),
        Case("nothing-set", conf_lines(), code=0),
    ]
)
def test_other(pair, case):
    pair.check(case)
