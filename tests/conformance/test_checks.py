"""What is checked after parsing, alone, together and in order; several pools; -t's own checks."""

from compare.case import DYNAMIC, GLOBAL, POOL, Case, conf, conforms, section

ONDEMAND = {"pm": "ondemand"}
ACCESS = {"access.log": "{dir}/access.log"}
SLOW = {"slowlog": "{dir}/slow.log"}

# One fault each: [pool] settings, [global] settings.
FAULTS = {
    "log-limit": ({}, {"log_limit": "511"}),
    "log-limit-edge": ({}, {"log_limit": "512"}),
    "process-max": ({}, {"process.max": "-1"}),
    "global-priority-low": ({}, {"process.priority": "-20"}),
    "global-priority-high": ({}, {"process.priority": "21"}),
    "global-priority-edges": ({"process.priority": "-19"}, {"process.priority": "20"}),
    "global-priority-unset": ({}, {"process.priority": "64"}),
    "mechanism": ({}, {"events.mechanism": "magic"}),
    "mechanism-empty": ({}, {"events.mechanism": ""}),
    "mechanism-upper": ({}, {"events.mechanism": "EPOLL"}),
    "error-log": ({}, {"error_log": "/nonexistent/x/y"}),
    "no-user": ({"user": None, "group": None}, {}),
    "empty-user": ({"user": ""}, {}),
    "no-group": ({"group": None}, {}),
    "no-listen": ({"listen": None}, {}),
    "no-pm": ({"pm": None}, {}),
    "no-max-children": ({"pm.max_children": None}, {}),
    "max-children-0": ({"pm.max_children": "0"}, {}),
    "max-children-negative": ({"pm.max_children": "-3"}, {}),
    "priority": ({"process.priority": "-20"}, {}),
    "priority-high": ({"process.priority": "21"}, {}),
    "min-spare-0": ({**DYNAMIC, "pm.min_spare_servers": "0"}, {}),
    "min-spare-missing": ({**DYNAMIC, "pm.min_spare_servers": None}, {}),
    "max-spare-0": ({**DYNAMIC, "pm.max_spare_servers": "0"}, {}),
    "min-spare-large": ({**DYNAMIC, "pm.min_spare_servers": "6", "pm.max_spare_servers": "7"}, {}),
    "max-spare-large": ({**DYNAMIC, "pm.max_spare_servers": "6"}, {}),
    "spare-crossed": ({**DYNAMIC, "pm.min_spare_servers": "4", "pm.start_servers": "4"}, {}),
    "start-missing": ({**DYNAMIC, "pm.start_servers": None}, {}),
    "start-0": ({**DYNAMIC, "pm.start_servers": "0"}, {}),
    "start-negative": ({**DYNAMIC, "pm.start_servers": "-2"}, {}),
    "start-computed": (
        {
            **DYNAMIC,
            "pm.start_servers": None,
            "pm.max_children": "20",
            "pm.min_spare_servers": "4",
            "pm.max_spare_servers": "13",
        },
        {},
    ),
    "start-low": ({**DYNAMIC, "pm.start_servers": "1", "pm.min_spare_servers": "2"}, {}),
    "start-high": ({**DYNAMIC, "pm.start_servers": "4"}, {}),
    "spawn-rate-0": ({**DYNAMIC, "pm.max_spawn_rate": "0"}, {}),
    "spawn-rate-negative": ({**DYNAMIC, "pm.max_spawn_rate": "-1"}, {}),
    "spawn-rate-static": ({"pm.max_spawn_rate": "0"}, {}),
    "static-spare": ({"pm.min_spare_servers": "-4", "pm.max_spare_servers": "9"}, {}),
    "static-start": ({"pm.start_servers": "17"}, {}),
    "ondemand": (ONDEMAND, {}),
    "ondemand-idle-0": ({**ONDEMAND, "pm.process_idle_timeout": "0"}, {}),
    "ondemand-idle-negative": ({**ONDEMAND, "pm.process_idle_timeout": "-5s"}, {}),
    "ondemand-backlog": ({**ONDEMAND, "listen.backlog": "-2"}, {}),
    "ondemand-poll": (ONDEMAND, {"events.mechanism": "poll"}),
    "ondemand-select": (ONDEMAND, {"events.mechanism": "select"}),
    "ondemand-spare": ({**DYNAMIC, **ONDEMAND}, {}),
    "backlog-static": ({"listen.backlog": "-2"}, {}),
    "status-no-slash": ({"pm.status_path": "status"}, {}),
    "status-short": ({"pm.status_path": "/"}, {}),
    "status-characters": ({"pm.status_path": "/a+b"}, {}),
    "status-blank-inside": ({"pm.status_path": "/a b"}, {}),
    "ping-no-slash": ({"ping.path": "ping"}, {}),
    "ping-short": ({"ping.path": "/"}, {}),
    "ping-characters": ({"ping.path": "/a*b"}, {}),
    "ping-response-empty": ({"ping.path": "/ping", "ping.response": ""}, {}),
    "ping-response-without-path": ({"ping.response": "x"}, {}),
    "ping-empty": ({"ping.path": ""}, {}),
    "access-log": (ACCESS, {}),
    "access-log-empty": ({"access.log": ""}, {}),
    "access-log-directory": ({"access.log": "/nonexistent/x/y"}, {}),
    "access-format-without-log": ({"access.format": "%z"}, {}),
    "slow-timeout-without-log": ({"request_slowlog_timeout": "5s"}, {}),
    "slow-timeout": ({**SLOW, "request_slowlog_timeout": "5s"}, {}),
    "slow-log-cannot": ({"slowlog": "/nonexistent/x/y", "request_slowlog_timeout": "5s"}, {}),
    "slow-log-cannot-unused": ({"slowlog": "/nonexistent/x/y"}, {}),
    "slow-beyond-terminate": (
        {**SLOW, "request_slowlog_timeout": "9s", "request_terminate_timeout": "5s"},
        {},
    ),
    "slow-equals-terminate": (
        {**SLOW, "request_slowlog_timeout": "5s", "request_terminate_timeout": "5s"},
        {},
    ),
    "slow-negative": ({**SLOW, "request_slowlog_timeout": "-5s"}, {}),
    "terminate-negative": ({"request_terminate_timeout": "-5s"}, {}),
    "depth-without-log": ({"request_slowlog_trace_depth": "5"}, {}),
    "depth-0": ({"request_slowlog_trace_depth": "0"}, {}),
    "depth-0-with-log": ({**SLOW, "request_slowlog_trace_depth": "0"}, {}),
    "depth-negative": ({**SLOW, "request_slowlog_trace_depth": "-5"}, {}),
    "chroot-missing": ({"chroot": "/nonexistent"}, {}),
    "chroot-file": ({"chroot": "{dir}/fpm.conf"}, {}),
    "chdir-missing": ({"chdir": "/nonexistent"}, {}),
    "chdir-file": ({"chdir": "{dir}/fpm.conf"}, {}),
    "chroot-chdir-missing": ({"chroot": "{dir}", "chdir": "/nonexistent"}, {}),
    "unknown-user": ({"user": "no_such_user"}, {}),
    "unknown-group": ({"group": "no_such_group"}, {}),
    "unknown-owner": ({"listen.owner": "no_such_user"}, {}),
    "unknown-listen-group": ({"listen.group": "no_such_group"}, {}),
    "numeric-user": ({"user": "12345", "group": "12345"}, {}),
    "root-user": ({"user": "root", "group": "root"}, {}),
    "root-group": ({"group": "root"}, {}),
    "root-numeric": ({"user": "0", "group": "0"}, {}),
    "owner-tcp": ({"listen": "9000", "listen.owner": "no_such_user"}, {}),
    "acl-unknown": ({"listen.acl_users": "no_such_user"}, {}),
    "allowed-garbage": ({"listen": "9000", "listen.allowed_clients": "garbage"}, {}),
    "port-0": ({"listen": "0"}, {}),
    "port-large": ({"listen": "127.0.0.1:70000"}, {}),
    "port-empty": ({"listen": "127.0.0.1:"}, {}),
    "port-garbage": ({"listen": "127.0.0.1:http"}, {}),
    "host-unknown": ({"listen": "no.such.host.invalid:9000"}, {}),
    "mode-garbage": ({"listen.mode": "rw-"}, {}),
    "mode-empty": ({"listen.mode": ""}, {}),
    "mode-8": ({"listen.mode": "0888"}, {}),
    "status-listen": ({"pm.status_listen": "{dir}/status.sock"}, {}),
    "status-listen-path": (
        {"pm.status_listen": "{dir}/status.sock", "pm.status_path": "/s"},
        {},
    ),
    "status-listen-short-path": (
        {"pm.status_listen": "{dir}/status.sock", "pm.status_path": "/"},
        {},
    ),
    "status-listen-bad-path": (
        {"pm.status_listen": "{dir}/status.sock", "pm.status_path": "s"},
        {},
    ),
    "status-listen-same": ({"pm.status_listen": "{dir}/www.sock"}, {}),
    "status-listen-empty": ({"pm.status_listen": ""}, {}),
    "status-listen-port": ({"pm.status_listen": "9001"}, {}),
    "rlimits": ({"rlimit_files": "100", "rlimit_core": "unlimited"}, {"rlimit_core": "unlimited"}),
    "rlimit-core-negative": ({"rlimit_core": "-1"}, {}),
    "apparmor": ({"apparmor_hat": "hat"}, {}),
    "systemd-0": ({}, {"systemd_interval": "0"}),
    "systemd-2m": ({}, {"systemd_interval": "2m"}),
    "emergency": ({}, {"emergency_restart_threshold": "3", "emergency_restart_interval": "1m"}),
    "level-error": ({}, {"log_level": "error"}),
    "level-debug": ({}, {"log_level": "debug"}),
    "level-alert-and-fault": ({"pm": None}, {"log_level": "alert"}),
    "level-alert-and-error": ({"ping.path": "x"}, {"log_level": "alert"}),
    "level-error-and-warning": ({**ONDEMAND, "listen.backlog": "-2"}, {"log_level": "error"}),
}


@conforms([Case(name, conf(*settings)) for name, settings in FAULTS.items()])
def test_one_fault(pair, case):
    pair.check(case)


@conforms(
    [
        Case(name, conf(*settings), arguments=("-n", "-R", "-y", "{dir}/fpm.conf", "-t"))
        for name, settings in FAULTS.items()
        if "user" in name or "root" in name
    ]
)
def test_with_root_allowed(pair, case):
    pair.check(case)


FORMATS = """%% %C %{user}C %{system}C %{total}C %{TOTAL}C %{x}C %d %{seconds}d %{milli}d
    %{milliseconds}d %{mili}d %{miliseconds}d %{micro}d %{microseconds}d %{hours}d %e %{PATH}e %f
    %{x}f %l %m %{x}m %M %{bytes}M %{kilo}M %{kilobytes}M %{mega}M %{megabytes}M %{giga}M %n %o
    %{Content-type}o %p %P %q %Q %r %R %s %t %{%Y}t %{}t %T %{%H}T %u %{x}u %z %Z %1 %{ %{a %{a} %{}e
    %{}o %{a}{b}e %{user}{total}C % %{total}C%{x %{user}%""".split()


@conforms(
    [
        *(
            Case(token, conf({**ACCESS, "access.format": f'"{token}"'}), who=("any",))
            for token in dict.fromkeys(FORMATS)
        ),
        Case("long-modifier", conf({**ACCESS, "access.format": '"%{' + "a" * 127 + '}e"'})),
        Case("long-modifier-128", conf({**ACCESS, "access.format": '"%{' + "a" * 128 + '}e"'})),
        Case("longer-modifier", conf({**ACCESS, "access.format": '"%{' + "a" * 129 + '}e"'})),
        Case("longest-modifier", conf({**ACCESS, "access.format": '"%{' + "a" * 900 + '}e"'})),
        Case("long-text", conf({**ACCESS, "access.format": '"' + "a" * 1500 + '"'})),
        Case("long-time", conf({**ACCESS, "access.format": '"%{' + "%Y" * 60 + '}t"'})),
        Case("empty", conf({**ACCESS, "access.format": ""})),
        Case("unquoted", conf({**ACCESS, "access.format": "%R - %u %t %m %r %s"})),
        Case("default", conf(ACCESS)),
    ]
)
def test_access_format(pair, case):
    pair.check(case)


# The order of the checks: each fault together with the next one, both in one file.
IN_ORDER = [
    ("log-limit", "process-max"),
    ("process-max", "global-priority-low"),
    ("global-priority-low", "error-log"),
    ("error-log", "mechanism"),
    ("mechanism", "no-user"),
    ("no-user", "no-listen"),
    ("no-listen", "priority"),
    ("priority", "no-pm"),
    ("no-pm", "no-max-children"),
    ("max-children-0", "status-no-slash"),
    ("min-spare-0", "status-no-slash"),
    ("spawn-rate-0", "status-no-slash"),
    ("ondemand-idle-0", "status-no-slash"),
    ("status-no-slash", "ping-no-slash"),
    ("ping-no-slash", "slow-timeout-without-log"),
    ("slow-timeout-without-log", "depth-without-log"),
    ("slow-beyond-terminate", "depth-negative"),
    ("depth-negative", "chroot-missing"),
    ("chroot-missing", "chdir-missing"),
    ("chdir-missing", "access-log-directory"),
    ("access-log-directory", "unknown-user"),
    ("unknown-user", "unknown-group"),
    ("unknown-group", "unknown-owner"),
    ("unknown-owner", "unknown-listen-group"),
]


def together(first, second):
    pool, globals_ = {}, {}
    for name in (second, first):
        pool.update(FAULTS[name][0])
        globals_.update(FAULTS[name][1])
    return conf(pool, globals_)


@conforms(
    [
        Case(
            f"{first}-before-{second}",
            together(first, second),
            code=78,
            differences=("all-problems",),
        )
        for first, second in IN_ORDER
    ]
)
def test_two_faults(pair, case):
    pair.check(case)


@conforms(
    [
        Case(
            f"{first}-then-{second}",
            section("global", GLOBAL)
            + section("a", {**POOL, "listen": "{dir}/a.sock", **FAULTS[first][0]})
            + section("b", {**POOL, "listen": "{dir}/b.sock", **FAULTS[second][0]}),
            differences=("all-problems",),
        )
        for first, second in [
            ("no-pm", "no-listen"),
            ("start-missing", "no-pm"),
            ("start-missing", "start-computed"),
            ("ondemand-backlog", "ondemand-backlog"),
            ("unknown-user", "unknown-user"),
            ("no-max-children", "unknown-user"),
            ("status-listen", "numeric-user"),
            ("access-log-directory", "no-pm"),
            ("slow-timeout", "chdir-missing"),
        ]
    ]
)
def test_two_pools(pair, case):
    pair.check(case)


@conforms(
    [
        Case("two-bad-lines", conf(more="nonsense = 1\nfoo = 2\n"), code=78),
        Case("bad-line-and-fault", conf({"pm.max_children": "0"}, more="nonsense = 1\n"), code=78),
        Case("bad-line-and-missing", conf({"pm": None}, more="nonsense = 1\n"), code=78),
        Case("bad-in-both-scopes", conf({"pm": "x"}, {"log_level": "x"}), code=78),
        Case(
            "status-pool-collides",
            conf(
                {"pm.status_listen": "{dir}/s.sock"},
                more=section("b", {**POOL, "listen": "{dir}/s.sock"}),
            ),
            code=78,
        ),
        Case(
            "status-pools-collide",
            conf(
                {"pm.status_listen": "{dir}/s.sock"},
                more=section(
                    "b", {**POOL, "listen": "{dir}/b.sock", "pm.status_listen": "{dir}/s.sock"}
                ),
            ),
            code=78,
        ),
    ],
    differences=("all-problems",),
)
def test_several(pair, case):
    pair.check(case)


@conforms([Case("stock", arguments=("-tt",)), Case("stock-t", arguments=("-t",))], who=("root",))
def test_debians_own_configuration(pair, case):
    pair.check(case)
