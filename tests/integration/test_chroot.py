"""Pools below a root of their own: what scripts see there, and that everything else goes on."""

import json
import os
import shutil
import signal
import time

from harness import processes
from harness.fixtures import as_root, as_user
from harness.logs import LogFile
from harness.program import environment_for_signals, is_reference, muster_only
from harness.waiting import wait_until

LOOK = """<?php
echo json_encode(['cwd' => getcwd(), 'root' => scandir('/'), 'file' => __FILE__,
    'host' => file_exists('/etc/passwd'), 'shell' => @shell_exec('echo x'), 'pid' => getmypid()]);"""


def inside(daemon, path, pool="jailed", **options):
    """A request of a web server that names scripts as the jail sees them."""
    more = {"SCRIPT_FILENAME": path, "DOCUMENT_ROOT": "/", **options.pop("more", {})}
    return daemon.get(path, pool=pool, more=more, **options)


def jailed(arena, daemon, directives=None, others=None):
    """The site is the jail; beside the jailed pool there may be others."""
    pool = {"chroot": arena.site, "listen": f"{daemon.dir}/j.sock", **(directives or {})}
    return daemon.configure({"jailed": pool, **(others or {})})


def assert_confined(daemon, jail, pool="jailed"):
    """No process of the pool has another root, a capability, or a directory of outside open."""
    found = [*daemon.workers(pool), *[pid for name, pid in daemon.managers().items() if name == pool]]
    assert found
    for pid in found:
        assert os.readlink(f"/proc/{pid}/root") == jail
        for field in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            assert int(processes.status_field(pid, field), 16) == 0, (pid, field)
        for fd in processes.descriptors(pid):
            try:
                target = os.readlink(f"/proc/{pid}/fd/{fd}")
                is_directory = os.path.isdir(f"/proc/{pid}/fd/{fd}")
            except FileNotFoundError:
                continue
            assert not is_directory or target.startswith(jail), (pid, fd, target)


@as_root
def test_scripts_see_the_jail_and_nothing_else(arena, daemon):
    jailed(arena, daemon, {"pm.max_children": "2"}).start()
    path = arena.script("look.php", LOOK)
    os.mkdir(f"{arena.site}/sub")
    arena.script("sub/deep.php", LOOK)
    seen = json.loads(inside(daemon, path).text)
    assert seen["file"] == "/look.php"
    assert seen["cwd"] == "/"
    assert sorted(set(seen["root"]) - {".", ".."}) == sorted(os.listdir(arena.site))
    assert seen["host"] is False and not seen["shell"]
    deep = json.loads(inside(daemon, "/sub/deep.php").text)
    assert (deep["file"], deep["cwd"]) == ("/sub/deep.php", "/sub")
    assert inside(daemon, "/missing.php").status == 404
    assert daemon.get(path, pool="jailed").status == 404, "the path outside is none inside"
    if not is_reference():
        assert_confined(daemon, arena.site)


@as_root
def test_one_of_several_pools_is_jailed(arena, daemon):
    jailed(arena, daemon, {}, {"free": {}, "third": {"pm": "ondemand"}}).start()
    path = arena.script("look.php", LOOK)
    for _ in range(2):
        assert json.loads(inside(daemon, path).text)["host"] is False
        for pool in ("free", "third"):
            seen = json.loads(daemon.get(path, pool=pool).text)
            assert (seen["host"], seen["cwd"], seen["shell"]) == (True, arena.site, "x\n")
        daemon.reload()
    for pid in daemon.workers("free"):
        assert os.readlink(f"/proc/{pid}/root") == "/"


@as_root
def test_chdir_is_inside_and_scripts_leave_it_for_their_own(arena, daemon):
    os.mkdir(f"{arena.site}/tmp")
    arena.script("tmp/where.php", "<?php echo getcwd();")
    arena.script("where.php", "<?php echo getcwd();")
    daemon.configure({"jailed": {"chroot": arena.site, "chdir": "/tmp"}}).start()
    (worker,) = daemon.wait_workers(1, "jailed")
    assert os.readlink(f"/proc/{worker}/cwd") == f"{arena.site}/tmp"
    assert inside(daemon, "/tmp/where.php").text == "/tmp"
    assert inside(daemon, "/where.php").text == "/"
    wait_until(lambda: os.readlink(f"/proc/{worker}/cwd") == f"{arena.site}/tmp", "back home")


@as_root
@muster_only
def test_reload_and_rotation_and_a_crash_and_a_timeout(arena, daemon):
    access = LogFile(f"{daemon.dir}/access.log")
    jailed(
        arena,
        daemon,
        {
            "access.log": access.path,
            "access.format": "%f %s",
            "catch_workers_output": "yes",
            "request_terminate_timeout": "1s",
        },
    ).start(env=environment_for_signals())
    daemon.allow_log(r"exited on signal (11|15) ")
    path = arena.script("say.php", "<?php error_log('from inside'); echo getmypid();")
    sleepy = arena.script("sleep.php", "<?php sleep(30);")
    first = int(inside(daemon, path).text)
    daemon.log.wait_for("from inside")

    daemon.reload()
    second = int(inside(daemon, path).text)
    assert second != first

    os.rename(daemon.log.path, f"{daemon.log.path}.1")
    os.rename(access.path, f"{access.path}.1")
    daemon.signal(signal.SIGUSR1)
    daemon.log.wait_for("access log file re-opened")

    def both_used():
        assert int(inside(daemon, path).text) == second
        return access.find("^/say.php 200$") and daemon.log.find("from inside")

    wait_until(both_used, "new logs are used")

    os.kill(second, signal.SIGSEGV)
    wait_until(lambda: daemon.workers("jailed") not in (set(), {second}), "a new worker")
    assert int(inside(daemon, path).text) != second

    inside(daemon, sleepy)
    daemon.log.wait_for(r"script '/sleep.php' .* execution timed out")
    wait_until(lambda: inside(daemon, path).status == 200, "serves after the time-out")
    assert_confined(daemon, arena.site)


@as_root
def test_reload_moves_a_pool_into_another_jail(arena, daemon):
    arena.script("which.php", "<?php echo 'first';")
    other = f"{arena.dir}/other"
    os.mkdir(other, 0o755)
    with open(f"{other}/which.php", "w", encoding="ascii") as file:
        file.write("<?php echo 'second';")
    os.utime(f"{other}/which.php", (time.time() - 3600,) * 2)
    jailed(arena, daemon).start()
    assert inside(daemon, "/which.php").text == "first"
    daemon.configure({"jailed": {"chroot": other, "listen": daemon.address("jailed")}})
    daemon.reload()
    wait_until(lambda: inside(daemon, "/which.php").text == "second", "the other jail")


@as_root
def test_opcache_time_zones_and_streams_work_inside(arena, daemon):
    os.mkdir(f"{arena.site}/tmp")
    os.chmod(f"{arena.site}/tmp", 0o1777)
    # Debian's PHP reads time zones from the system's files, as a jail that shows dates must have.
    zones = "usr/share/zoneinfo"
    for name in ("UTC", "Asia/Tokyo"):
        os.makedirs(os.path.dirname(f"{arena.site}/{zones}/{name}"), exist_ok=True)
        shutil.copy(f"/{zones}/{name}", f"{arena.site}/{zones}/{name}")
    jailed(arena, daemon, {"pm.max_children": "2"}).start()
    path = arena.script(
        "work.php",
        """<?php
        date_default_timezone_set('Asia/Tokyo');
        file_put_contents('/tmp/f', 'kept');
        include '/part.php';
        echo json_encode([file_get_contents('/tmp/f'), is_writable(sys_get_temp_dir()),
            strlen(random_bytes(8)), date('Y H', 0), realpath('/tmp/../part.php'), part()]);""",
    )
    cached = arena.script(
        "cached.php",
        "<?php echo json_encode(array_map('strval', array_keys(opcache_get_status()['scripts'])));",
    )
    arena.script("part.php", "<?php function part() { return __FILE__; }")
    for _ in range(3):
        answer = inside(daemon, path)
        assert json.loads(answer.text) == ["kept", True, 8, "1970 09", "/part.php", "/part.php"]
    assert {"/work.php", "/part.php"} <= set(json.loads(inside(daemon, cached).text))


@as_root
def test_jail_below_a_directory_that_only_root_can_search(arena, daemon):
    closed = f"{arena.dir}/closed"
    os.mkdir(closed, 0o700)
    jail = f"{closed}/jail"
    os.mkdir(jail, 0o755)
    with open(f"{jail}/in.php", "w", encoding="ascii") as file:
        file.write("<?php echo 'inside';")
    daemon.configure({"jailed": {"chroot": jail}}).start()
    assert inside(daemon, "/in.php").text == "inside"


@as_root
@muster_only
def test_without_the_right_to_change_the_root_the_pool_says_why(arena, daemon):
    jailed(arena, daemon)
    result = daemon.run(
        command=["capsh", "--drop=cap_sys_chroot", "--", "-c", " ".join(daemon.command("-F"))]
    )
    daemon.allow_log(".*")
    assert result.returncode == 78
    why = rf"ERROR: \[pool jailed\] failed to chroot\({arena.site}\): Operation not permitted \(1\)$"
    assert len(daemon.log.find(why)) == 1, daemon.log.text()
    assert len(daemon.log.find(r"ERROR: \[pool jailed\] child failed to initialize$")) == 1
    assert not daemon.log.find("ready to handle connections")


@as_root
@muster_only
def test_jail_that_is_gone_at_a_reload_leaves_the_old_one_serving(arena, daemon):
    jail = f"{arena.dir}/jail"
    os.mkdir(jail, 0o755)
    with open(f"{jail}/in.php", "w", encoding="ascii") as file:
        file.write("<?php echo 'inside';")
    daemon.configure({"jailed": {"chroot": jail}}).start()
    daemon.allow_log(rf"{jail}", "failed to post process", "the reload is refused")
    daemon.allow_log("child failed to initialize", "could not be renewed")
    os.rename(jail, f"{jail}.moved")
    daemon.signal(signal.SIGUSR2)
    daemon.log.wait_for("the reload is refused|the old one goes on serving")
    assert inside(daemon, "/in.php").text == "inside"


@as_root
def test_a_jailed_pool_that_stays_root_keeps_being_root(arena, daemon):
    jailed(arena, daemon, {"user": "root", "group": "root"}).start("-R")
    path = arena.script("who.php", "<?php echo posix_geteuid(), ' ', getcwd();")
    assert inside(daemon, path).text == "0 /"


@as_user
def test_ignored_for_an_ordinary_user(arena, daemon):
    jailed(arena, daemon).start()
    log = daemon.log.text() + daemon.stderr.text()
    notice = "NOTICE: [pool jailed] 'chroot' directive is ignored when FPM is not running as root"
    assert notice in log
    seen = json.loads(daemon.get(arena.script("look.php", LOOK), pool="jailed").text)
    assert (seen["host"], seen["cwd"]) == (True, arena.site)
