"""Fifty and more ways to break a configuration, each with what the log must say of it."""

import os
import socket
from dataclasses import dataclass, field
from typing import Callable

DYING_EXTENSION = os.environ.get("MUSTER_DYING_EXTENSION")

# As packaged: what goes wrong while PHP starts is logged, not shown to nobody.
INI = "log_errors = On\ndisplay_errors = Off\nmemory_limit = 16M\n"

# What runs stays as a whole, or only the pool keeps its generation that cannot start a new one.
REFUSED = r"ERROR: the reload is refused"
NOT_STARTED = r"ERROR: \[pool unix\] the new manager did not start: "


@dataclass
class Break:
    """`pool`, `globals_`: directives set (None: taken away); `text`: what is done to the file's
    text; `act`: anything else, returning how it is undone."""

    says: str
    pool: dict = field(default_factory=dict)
    globals_: dict = field(default_factory=dict)
    text: Callable = None
    act: Callable = None
    starts: bool = False  # it is only found out by the new manager


def appended(more):
    return lambda text: text + more


def twice(text):
    """The first pool once more, under another name."""
    return text + "[third]" + text[text.index("[unix]") :].split("[tcp]")[0][len("[unix]") :]


def occupied_port(stage):
    """A pool on a port that somebody else listens on."""
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    port = taken.getsockname()[1]
    with open(stage.daemon.conf, "a", encoding="utf-8") as file:
        file.write(f"[other]\nlisten = 127.0.0.1:{port}\npm = static\npm.max_children = 1\n")
        file.write("user = www-data\n" if stage.daemon.identity.is_root else "")
    return taken.close


def removed(path_of):
    def act(stage):
        path = path_of(stage)
        os.rename(path, f"{path}.away")
        return lambda: os.replace(f"{path}.away", path)

    return act


def replaced(path_of, content):
    """Another file under the name: what was mapped of the old one stays as it is."""

    def act(stage):
        path = path_of(stage)
        os.rename(path, f"{path}.away")
        with open(path, "wb") as file:
            file.write(content)
        return lambda: os.replace(f"{path}.away", path)

    return act


def directory_instead(path_of):
    def act(stage):
        path = path_of(stage)
        os.rename(path, f"{path}.away")
        os.mkdir(path)

        def undo():
            os.rmdir(path)
            os.rename(f"{path}.away", path)

        return undo

    return act


def unreadable(path_of):
    def act(stage):
        path = path_of(stage)
        os.chmod(path, 0o600)
        return lambda: os.chmod(path, 0o644)

    return act


def included(name, content):
    """A file that the configuration includes."""

    def act(stage):
        path = f"{stage.daemon.dir}/{name}"
        with open(path, "w", encoding="utf-8") as file:
            file.write(content.replace("SELF", path))
        with open(stage.daemon.conf, "a", encoding="utf-8") as file:
            file.write(f"include = {path}\n")
        return lambda: os.remove(path)

    return act


def in_ini(line):
    """PHP reads this line of php.ini as it starts."""

    def act(stage):
        with open(ini(stage), "w", encoding="utf-8") as file:
            file.write(f"{INI}{line}\n")

        def undo():
            with open(ini(stage), "w", encoding="utf-8") as file:
                file.write(INI)

        return undo

    return act


def preload(code):
    """PHP preloads a script that does this."""

    def act(stage):
        path = f"{stage.daemon.dir}/preload.php"
        with open(path, "w", encoding="utf-8") as file:
            file.write(code)
        return in_ini(f"opcache.preload = {path}")(stage)

    return act


def locked_folder(directive):
    def act(stage):
        path = f"{stage.daemon.dir}/locked"
        os.mkdir(path, 0o700)
        write_pool(stage, {directive: path})
        return lambda: os.rmdir(path)

    return act


def write_pool(stage, directives, globals_=None):
    pools = stage.pools()
    pools["unix"] |= directives
    stage.daemon.configure(pools, globals_)


def plugin(stage):
    return f"{stage.daemon.dir}/program/lib/muster/muster-php.so"


def conf(stage):
    return stage.daemon.conf


def ini(stage):
    return f"{stage.daemon.dir}/php.ini"


BREAKS = {
    # Files and syntax
    "no-file": Break("failed to open configuration file", act=removed(conf)),
    "a-folder": Break("failed to open configuration file .*Is a directory", act=directory_instead(conf)),
    "empty": Break("No pool defined", text=lambda text: ""),
    "binary": Break(r"d\.conf:1\] value is NULL", text=lambda text: "\x7fELF\x02\x01\x00\x00\x01\x80\u1234" * 500),
    "nul-bytes": Break(r"d\.conf:\d+\] value is NULL", text=lambda text: text.replace("pm = ", "pm\0= ")),
    "cut-in-half": Break("pm.max_children must be a positive value", text=lambda text: text[: text.index("pm.max_children = ") + 18]),
    "huge-line": Break(r"d\.conf:\d+\] value is NULL", text=appended("x" * 2_000_000 + "\n")),
    "huge-value": Break("the chroot path '/xxx", text=appended("chroot = /" + "x" * 2_000_000 + "\n")),
    "open-section": Break("expected ']'", text=appended("[other\n")),
    "open-quote": Break("to close the quoted text", text=appended('ping.response = "pong\n')),
    "no-equals": Break("found 'just words' alone", text=appended("just words\n")),
    "statement-before-sections": Break(r"d\.conf:1\] unknown entry 'pm'", text=lambda text: "pm = static\n" + text),
    "no-pool": Break("No pool defined", text=lambda text: text[: text.index("[unix]")]),
    "include-of-itself": Break("more than 5 files recursively", act=included("loop.conf", "include = SELF\n")),
    "include-with-errors": Break(r"more\.conf:2\] unknown entry 'pm\.nonsense'", act=included("more.conf", "[third]\npm.nonsense = 1\n")),
    # Names
    "unknown-in-pool": Break("did you mean 'pm.max_children'", {"pm.max_childrn": "4"}),
    "unknown-in-global": Break("did you mean 'error_log'", globals_={"errorlog": "x"}),
    "pool-directive-in-global": Break("belongs to a pool's section", globals_={"pm": "static"}),
    "array-without-key": Break("You must provide a key", {"env[]": "x"}),
    "no-array": Break("unknown directive 'pm'", {"pm[x]": "static"}),
    # Values
    "no-number": Break("found 'many'", {"pm.max_children": "many"}),
    "zero-workers": Break("'0' at .*at least 1", {"pm.max_children": "0"}),
    "negative-workers": Break("'-3' at", {"pm.max_children": "-3"}),
    "number-too-big": Break("no larger than 2147483647", {"pm.max_children": "99999999999999999999"}),
    "no-such-pm": Break("invalid process manager", {"pm": "quick"}),
    "pm-missing": Break("the process manager is missing", {"pm": None}),
    "dynamic-start-above-max": Break(
        r"pm.start_servers\(9\)",
        {
            "pm": "dynamic",
            "pm.start_servers": "9",
            "pm.min_spare_servers": "1",
            "pm.max_spare_servers": "2",
        },
    ),
    "dynamic-without-spares": Break("pm.min_spare_servers", {"pm": "dynamic"}),
    "bad-time": Break("found '5w'", {"request_terminate_timeout": "5w"}),
    "bad-boolean": Break("found 'perhaps'", {"clear_env": "perhaps"}),
    "bad-level": Break("found 'loud'", globals_={"log_level": "loud"}),
    "bad-facility": Break("found 'moon'", globals_={"syslog.facility": "moon"}),
    "bad-limit": Break("found 'big'", {"rlimit_core": "big"}),
    "bad-priority": Break("must be included into", {"process.priority": "100"}),
    "status-path-without-slash": Break("the status path 'status'", {"pm.status_path": "status"}),
    "ping-path-without-slash": Break("the ping path 'ping'", {"ping.path": "ping"}),
    "bad-access-format": Break("wrong format for access.format", {"access.log": "/dev/null", "access.format": "%J"}),
    "slow-log-without-file": Break("'slowlog' must be specified", {"request_slowlog_timeout": "1s"}),
    # Places
    "relative-chroot": Break("the chroot path .*here", {"chroot": "here"}),
    "missing-chroot": Break("the chroot path '/nonexistent", {"chroot": "/nonexistent/root"}),
    "missing-chdir": Break("the chdir path '/nonexistent", {"chdir": "/nonexistent/folder"}),
    "access-log-nowhere": Break("failed to open access log", {"access.log": "/nonexistent/access.log"}),
    "slow-log-nowhere": Break(
        "slowlog", {"slowlog": "/nonexistent/slow.log", "request_slowlog_timeout": "9s"}
    ),
    "error-log-nowhere": Break("failed to open error_log", globals_={"error_log": "/nonexistent/error.log"}),
    # Users
    "user-missing": Break("user has not been defined", {"user": None}),
    "unknown-user": Break("cannot get uid for user", {"user": "nobody-of-this-name"}),
    "unknown-group": Break("cannot get gid for group", {"group": "nobody-of-this-name"}),
    "unknown-socket-owner": Break("cannot get uid for user", {"listen.owner": "nobody-of-this-name"}),
    # Sockets
    "listen-missing": Break("no listen address", {"listen": None}),
    "port-out-of-range": Break("invalid port value '99999'", {"listen": "127.0.0.1:99999"}),
    "address-not-ours": Break("unable to bind listening socket .*192.0.2.1", {"listen": "192.0.2.1:9000"}),
    "socket-in-no-folder": Break("unable to bind listening socket .*nonexistent", {"listen": "/nonexistent/folder/x.sock"}),
    "socket-path-too-long": Break("path is too long", {"listen": "/tmp/" + "x" * 120}),
    "socket-on-a-file": Break("/etc/passwd", {"listen": "/etc/passwd"}),
    "two-pools-on-one-socket": Break("already used in another pool", text=twice),
    "port-in-use": Break("Address already in use", act=occupied_port),
    # Only the new manager finds out
    "preload-with-syntax-error": Break("PHP Parse error: .*preload.php", act=preload("<?php function {"), starts=True),
    "preload-that-exits": Break("PHP's module start-up failed", act=preload("<?php exit(3);"), starts=True),
    "preload-that-throws": Break("PHP Fatal error:  Uncaught Exception: no", act=preload("<?php throw new Exception('no');"), starts=True),
    "preload-out-of-memory": Break(
        "PHP Fatal error:  Allowed memory size", act=preload("<?php $a = ['x']; while (true) { $a = [...$a, ...$a]; }"), starts=True
    ),
    "preload-that-kills-itself": Break(
        r"signal 9 \(SIGKILL\)", act=preload("<?php posix_kill(getmypid(), 9);"), starts=True
    ),
    "preload-missing": Break(
        "PHP Fatal error: .*nonexistent/preload.php", act=in_ini("opcache.preload = /nonexistent/preload.php"), starts=True
    ),
    "locked-chroot": Break(r"failed to chroot\(", act=locked_folder("chroot"), starts=True),
    "opcache-too-big": Break(
        "Unable to allocate shared memory segment", act=in_ini("opcache.memory_consumption = 900000000"), starts=True
    ),
    "php.ini-unreadable": Break("reading the ini file .*php.ini: Permission denied", act=unreadable(ini), starts=True),
    "dying-extension": Break(r"signal 9 \(SIGKILL\)", act=in_ini(f"extension = {DYING_EXTENSION}"), starts=True),
    "no-plugin": Break("unable to load runtime 'php'.*No such file", act=removed(plugin), starts=True),
    "plugin-of-noise": Break("unable to load runtime 'php'.*ELF", act=replaced(plugin, b"\x7fELF noise" * 100), starts=True),
}
