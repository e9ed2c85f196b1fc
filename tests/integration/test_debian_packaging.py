"""muster in the place of Debian's php-fpm8.2, with Debian's own configuration, unit and scripts."""

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess

import pytest

from harness.fixtures import as_root
from harness.private_system import PrivateSystem
from harness.program import binary, muster_only
from harness.waiting import wait_until

SOURCE = os.path.abspath(f"{os.path.dirname(__file__)}/../..")
SCRIPT = f"{SOURCE}/packaging/debian/muster-as-php-fpm"
PROGRAM = "/usr/sbin/php-fpm8.2"
PACKAGED = f"{PROGRAM}.distrib"
UNIT = "/lib/systemd/system/php8.2-fpm.service"
POOL = "/etc/php/8.2/fpm/pool.d/www.conf"

pytestmark = [
    muster_only,
    pytest.mark.skipif(
        not (os.access(PROGRAM, os.X_OK) and os.path.exists(POOL)),
        reason="Debian's php8.2-fpm is not installed",
    ),
]


def may_make_namespaces():
    test = ["unshare", "--mount", "--pid", "--fork", "sh", "-c", "mount -t tmpfs tmpfs /mnt"]
    return subprocess.run(test, capture_output=True, check=False).returncode == 0


@pytest.fixture(name="system")
def private_system(arena):
    if not may_make_namespaces():
        pytest.skip("namespaces cannot be made here")
    system = PrivateSystem(arena.directory("system", None))
    yield system
    system.close()


@pytest.fixture(name="pool")
def stock_pool(arena, daemon, system):
    """Asks the stock pool through its stock socket."""
    daemon.pools = {"www": {"listen": f"{system.run_php}/php8.2-fpm.sock"}}
    os.chown(system.run_php, 33, 33)
    return daemon


def place_muster(system, *arguments):
    return system.run(SCRIPT, "--muster", binary(), *arguments)


def contents(system, path):
    return system.ok("sha256sum", path).split()[0]


# The script


@as_root
def test_muster_takes_the_place_and_gives_it_back(system):
    packaged = contents(system, PROGRAM)
    assert place_muster(system).returncode == 0
    assert system.ok("readlink", PROGRAM) == f"{binary()}\n"
    assert contents(system, PACKAGED) == packaged
    assert system.ok("dpkg-divert", "--truename", PROGRAM) == f"{PACKAGED}\n"
    assert "is muster (" in system.ok(SCRIPT, "--status")
    assert system.ok(PROGRAM, "-v") == subprocess.check_output([PROGRAM, "-v"], text=True)
    again = place_muster(system)
    assert (again.returncode, again.stdout) == (0, f"{PROGRAM} is muster already\n")

    system.ok(SCRIPT, "--remove")
    assert contents(system, PROGRAM) == packaged
    assert system.run("test", "-e", PACKAGED).returncode == 1
    assert system.ok("dpkg-divert", "--truename", PROGRAM) == f"{PROGRAM}\n"
    assert system.ok(SCRIPT, "--status") == f"{PROGRAM} is php-fpm\n"
    assert "nothing to do" in system.ok(SCRIPT, "--remove")


@as_root
def test_an_upgrade_of_the_package_goes_where_remove_takes_it_from(system):
    """dpkg puts a newer program at the diverted name."""
    assert place_muster(system).returncode == 0
    system.ok("sh", "-c", f"cp {PACKAGED} {PACKAGED}.dpkg-new && echo >> {PACKAGED}.dpkg-new")
    system.ok("mv", f"{PACKAGED}.dpkg-new", PACKAGED)
    newer = contents(system, PACKAGED)
    assert place_muster(system).stdout == f"{PROGRAM} is muster already\n"
    system.ok(SCRIPT, "--remove")
    assert contents(system, PROGRAM) == newer


@as_root
@pytest.mark.parametrize(
    "cut",
    [
        f"ln {PROGRAM} {PACKAGED}",
        f"ln {PROGRAM} {PACKAGED} && dpkg-divert --quiet --local --no-rename"
        f" --divert {PACKAGED} --add {PROGRAM}",
    ],
)
def test_a_run_that_was_cut_short_is_finished_or_undone(system, cut):
    packaged = contents(system, PROGRAM)
    system.ok("sh", "-c", cut)
    assert place_muster(system).returncode == 0
    assert "is muster (" in system.ok(SCRIPT, "--status")
    # And the way back, cut short after the first of its two steps.
    system.ok("mv", "-T", PACKAGED, PROGRAM)
    system.ok(SCRIPT, "--remove")
    assert contents(system, PROGRAM) == packaged
    assert system.ok("dpkg-divert", "--truename", PROGRAM) == f"{PROGRAM}\n"


@as_root
@pytest.mark.parametrize(
    "oddity, arguments, reason",
    [
        ("true", ["--muster", "/no/such/muster"], "is not there"),
        ("true", ["--muster", "/bin/true"], "is not muster"),
        ("true", ["--version", "8.1"], "php8.1-fpm is not installed"),
        ("true", ["--version", "../x"], "is no version"),
        ("true", ["--wrong"], "unknown argument"),
        (f"echo nonsense > {POOL}", [], "does not accept"),
        (f"mv {PROGRAM} /usr/sbin/x && ln -s x {PROGRAM}", [], "is not the packaged program"),
        (f"cp /bin/true {PACKAGED}", [], "is there already"),
        (
            f"dpkg-divert --quiet --local --rename --divert {PROGRAM}.other --add {PROGRAM}",
            [],
            f"is diverted to {PROGRAM}.other",
        ),
        (
            f"dpkg-divert --quiet --package other --no-rename --divert {PACKAGED} --add {PROGRAM}",
            [],
            "by the package other",
        ),
    ],
)
def test_anything_odd_is_refused_and_changes_nothing(system, oddity, arguments, reason):
    system.ok("sh", "-c", oddity)
    look = f"ls -l --time-style=full-iso {PROGRAM}*; dpkg-divert --list '{PROGRAM}*'"
    before = system.ok("sh", "-c", look)
    result = place_muster(system, *arguments)
    assert result.returncode == 1
    assert reason in result.stdout
    assert system.ok("sh", "-c", look) == before


# What runs then


def unit_command(unit=UNIT):
    with open(unit, encoding="utf-8") as file:
        return shlex.split(re.findall(r"^ExecStart=(\S.*)$", file.read(), re.M)[-1])


def drop_in_command(system):
    """The drop-in starts muster by its own path and gives php-fpm's name with "@"."""
    command = unit_command(f"{SOURCE}/packaging/systemd/php8.2-fpm.service.d/muster.conf")
    assert command[:2] == ["@/usr/sbin/muster", "php-fpm8.2"]
    return ["bash", "-c", 'exec -a "$1" "$0" "${@:2}"', binary(), *command[1:]]


def link_command(system):
    assert place_muster(system).returncode == 0
    return unit_command()


class Service:
    """What systemd is for a unit of Type=notify: starts it, waits for READY=1, knows its pid."""

    def __init__(self, system, directory, command):
        self.system = system
        self._path = f"{directory}/notify"
        self._notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notify.bind(self._path)
        self._notify.settimeout(20)
        self.process = subprocess.Popen(
            system.command(*command),
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "NOTIFY_SOCKET": self._path},
        )

    main_pid = None

    def wait_ready(self):
        said = self._notify.recv(4096).decode()
        assert "READY=1" in said.splitlines()
        self.main_pid = re.search(r"^MAINPID=(\d+)$", said, re.M).group(1)

    def signal(self, number):
        self.system.ok("kill", f"-{int(number)}", self.main_pid)

    def title(self):
        return self.system.ok("ps", "-o", "comm=,args=", "-p", self.main_pid).split(None, 1)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
        self._notify.close()
        os.unlink(self._path)


def log_says(system, text):
    wait_until(
        lambda: text in system.run("cat", "/var/log/php8.2-fpm.log").stdout,
        lambda: f"{text!r} in the log:\n" + system.run("cat", "/var/log/php8.2-fpm.log").stdout,
        20,
    )


@as_root
@pytest.mark.parametrize("placed", [link_command, drop_in_command])
def test_the_stock_tree_serves_under_the_stock_unit(arena, system, pool, placed):
    system.ok("rm", "-f", "/var/log/php8.2-fpm.log")
    service = Service(system, arena.dir, placed(system))
    try:
        service.wait_ready()
        path = arena.script(
            "stock.php",
            "<?php echo implode(' ', [PHP_SAPI, php_ini_loaded_file(), posix_getuid(),"
            " count(explode(',', php_ini_scanned_files()))]);",
        )
        scanned = len([name for name in os.listdir("/etc/php/8.2/fpm/conf.d")])
        assert pool.get(path).text == f"fpm-fcgi /etc/php/8.2/fpm/php.ini 33 {scanned}"
        name, title = service.title()
        assert (name, title.strip()) == (
            "php-fpm8.2",
            "php-fpm: master process (/etc/php/8.2/fpm/php-fpm.conf)",
        )
        assert system.ok("pgrep", "-fc", "php-fpm: pool www") == "2\n"

        # logrotate's postrotate script finds the pid file and sends USR1.
        system.ok("mv", "/var/log/php8.2-fpm.log", "/var/log/php8.2-fpm.log.1")
        system.ok("/usr/lib/php/php8.2-fpm-reopenlogs")
        log_says(system, "error log file re-opened")

        # The socket helper of ExecStartPost, and a reload as ExecReload does it.
        helper = ["/usr/lib/php/php-fpm-socket-helper", "install", "/run/php/php-fpm.sock"]
        system.ok(*helper, POOL, "82")
        linked = system.ok("readlink", "-f", "/run/php/php-fpm.sock")
        assert linked == "/run/php/php8.2-fpm.sock\n"
        service.signal(signal.SIGUSR2)
        log_says(system, "Reloading in progress ...")
        log_says(system, "ready to handle connections")
        pool.assert_serves()

        service.signal(signal.SIGQUIT)
        assert service.process.wait(20) == 0
        log_says(system, "exiting, bye-bye!")
        assert not [name for name in os.listdir(system.run_php) if name.startswith("php8.2")]
    finally:
        service.close()


@as_root
@pytest.mark.skipif(
    not (shutil.which("start-stop-daemon") and os.path.exists("/lib/lsb/init-functions")),
    reason="the tools of init scripts are not installed",
)
def test_the_stock_init_script_starts_steers_and_stops_it(system, pool):
    assert place_muster(system).returncode == 0
    script = "/etc/init.d/php8.2-fpm"
    system.ok("rm", "-f", "/var/log/php8.2-fpm.log")
    # It asks systemd-tmpfiles for /run/php, which is there.
    system.ok("mount", "--bind", "/bin/true", "/usr/bin/systemd-tmpfiles")
    system.ok(script, "start")
    pool.assert_serves()
    assert "is running" in system.ok(script, "status")
    pid = system.ok("cat", "/run/php/php8.2-fpm.pid")
    system.ok(script, "start")
    assert system.ok("cat", "/run/php/php8.2-fpm.pid") == pid

    system.ok(script, "reopen-logs")
    log_says(system, "error log file re-opened")
    system.ok(script, "reload")
    log_says(system, "Reloading in progress ...")
    pool.assert_serves()
    system.ok(script, "stop")
    assert system.run("pgrep", "-f", "php-fpm: ").returncode == 1
    assert system.run(script, "status").returncode != 0
    log_says(system, "exiting, bye-bye!")
