"""Another program takes over under load: nothing is lost, and one that cannot changes nothing."""

import fcntl
import os
import re
import shutil
import signal
import socket
import tempfile

import pytest

from harness import processes
from harness.background import Load, Task
from harness.config import free_port
from harness.control import Control, control_path, musterctl
from harness.fixtures import as_root, both_users
from harness.program import binary, muster_only
from harness.waiting import wait_until

pytestmark = muster_only

REFUSED = "the upgrade is refused"


class Place:
    """A folder like an installed one, whose program a test replaces as a package manager does."""

    def __init__(self, arena, name="place"):
        self.root = f"{arena.dir}/{name}"
        self.program = f"{self.root}/bin/muster"
        os.makedirs(f"{self.root}/bin")
        shutil.copytree(self._built("lib/muster"), f"{self.root}/lib/muster")
        self.install()

    @staticmethod
    def _built(what):
        return os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(binary()))), what)

    def _replace(self, write):
        write(f"{self.program}.new")
        os.rename(f"{self.program}.new", self.program)
        return os.stat(self.program).st_ino

    def install(self):
        """The program that was built, as another file; its inode."""
        return self._replace(lambda path: shutil.copy2(binary(), path))

    def install_script(self, text, mode=0o755):
        def write(path):
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            os.chmod(path, mode)

        return self._replace(write)

    def keep(self):
        """What lies there now, to be put back by restore()."""
        os.link(self.program, f"{self.program}.kept")

    def restore(self):
        return self._replace(lambda path: os.rename(f"{self.program}.kept", path))


@pytest.fixture
def place(arena):
    return Place(arena)


def start(daemon, place, pools=None, program=None, **options):
    if not daemon.text:
        daemon.configure(pools)
    return daemon.start(command=[program or place.program, "-y", daemon.conf, "-F"], **options)


def inode(pid):
    return os.stat(f"/proc/{pid}/exe").st_ino


def manager_of(daemon, program, besides=None):
    """The pool's manager that runs that program; those of the earlier one may be leaving yet."""

    def find():
        for pid in processes.descendants(daemon.master):
            title = processes.title(pid)
            try:
                if "manager process (www)" in title and inode(pid) == program and pid != besides:
                    return pid
            except FileNotFoundError:  # it has gone
                continue
        return None

    return wait_until(find, f"a manager that is not {besides}")


def upgrade(daemon):
    with Control(control_path(daemon)) as control:
        return control.ask({"command": "upgrade"})


def test_the_new_program_runs_everything_in_the_same_process(daemon, place):
    start(daemon, place)
    before, workers = inode(daemon.master), daemon.workers()
    new = place.install()
    assert new != before
    answer = upgrade(daemon)
    assert answer["ok"], answer
    assert answer["result"]["pools"] == {"www": "renewed"}
    assert answer["result"]["program"] == place.program
    assert inode(daemon.master) == new
    assert {inode(pid) for pid in daemon.managers().values()} == {new}
    daemon.assert_serves()
    wait_until(lambda: not workers & daemon.workers(), "the old workers leave")
    assert {inode(pid) for pid in daemon.workers()} == {new}


@both_users
def test_usr2_takes_a_changed_program_and_reloads_with_the_same_one(daemon, place):
    start(daemon, place)
    old = inode(daemon.master)
    managers = daemon.managers()
    daemon.reload()
    assert not daemon.log.find("upgrading") and inode(daemon.master) == old
    assert daemon.managers() != managers
    new = place.install()
    daemon.reload()
    assert inode(daemon.master) == new
    daemon.assert_serves()
    daemon.log.wait_for("upgraded to")


@both_users
def test_no_request_is_lost_over_many_upgrades(arena, daemon, place):
    pools = {
        "www": {"pm.max_children": "3"},
        "tcp": {"pm.max_children": "3", "listen": f"127.0.0.1:{free_port()}"},
    }
    start(daemon, place, pools)
    path = arena.script("short.php", "<?php usleep(3000); echo 'short';")
    gate = arena.gate()
    long = daemon.get_in_background(gate.path, query=gate.query)
    gate.wait_started()

    def ask(pool):
        answer = daemon.get(path, pool=pool)
        return None if answer.text == "short" else repr(answer.text)

    with Load(lambda: ask("www"), 2) as over_unix, Load(lambda: ask("tcp"), 2) as over_tcp:
        for turn in range(6):
            new = place.install()
            answer = upgrade(daemon)
            assert answer["ok"], answer
            assert inode(daemon.master) == new
            if turn == 1:
                gate.open()
                assert long.result().text == "through the gate"
        over_unix.wait_for_more(5)
        over_tcp.wait_for_more(5)
    over_unix.assert_no_failures()
    over_tcp.assert_no_failures()


def test_the_way_back_to_the_program_before(daemon, place):
    old = os.stat(place.program).st_ino
    start(daemon, place)
    place.keep()
    new = place.install()
    assert upgrade(daemon)["ok"] and inode(daemon.master) == new
    assert place.restore() == old
    assert upgrade(daemon)["ok"] and inode(daemon.master) == old
    daemon.assert_serves()


UNFIT = {
    "not_executable": ("#!/bin/sh\nexit 0\n", 0o644, "cannot be executed"),
    "text": ("hello\n", 0o755, "does not know how to take over"),
    "exits": ("#!/bin/sh\necho lib.so is missing >&2\nexit 1\n", 0o755, "lib.so is missing"),
    "says_nothing": ("#!/bin/sh\nexit 0\n", 0o755, "does not know how to take over"),
    "crashes": ("#!/bin/sh\nkill -SEGV $$\n", 0o755, "SIGSEGV"),
    "noise": ("#!/bin/sh\nhead -c 3000000 /dev/zero >&4\nexit 0\n", 0o755, "does not know"),
}


@pytest.mark.parametrize("kind", UNFIT)
def test_a_program_that_cannot_take_over_changes_nothing(daemon, place, kind):
    start(daemon, place)
    daemon.allow_log(REFUSED)
    before, managers = inode(daemon.master), daemon.managers()
    text, mode, reason = UNFIT[kind]
    place.install_script(text, mode)
    result = musterctl("-s", control_path(daemon), "upgrade")
    assert result.returncode == 1 and REFUSED in result.stderr and reason in result.stderr
    assert inode(daemon.master) == before and daemon.managers() == managers
    daemon.assert_serves()


def test_usr2_reloads_with_the_running_program_when_the_new_one_is_unfit(daemon, place):
    start(daemon, place)
    daemon.allow_log(REFUSED)
    before, managers = inode(daemon.master), daemon.managers()
    place.install_script("#!/bin/sh\nexit 1\n")
    daemon.reload()
    assert inode(daemon.master) == before and daemon.managers() != managers
    daemon.assert_serves()


def test_a_stop_does_not_wait_for_a_program_that_hangs(daemon, place):
    start(daemon, place)
    place.install_script("#!/bin/sh\nexec sleep 1000\n")
    asked = Task(upgrade, daemon)
    daemon.log.wait_for("asking .* whether")
    daemon.signal(signal.SIGTERM)
    assert daemon.wait_exit() == 0
    assert asked.result() == {"done": True, "ok": False, "error": "the service is stopping",
                              "problems": [], "result": {"pools": {}}}


def test_a_program_that_hangs_is_given_up(daemon, place):
    start(daemon, place)
    daemon.allow_log(REFUSED)
    before = inode(daemon.master)
    place.install_script("#!/bin/sh\nexec sleep 1000\n")
    answer = upgrade(daemon)
    assert not answer["ok"] and "did not answer within" in answer["error"]
    assert inode(daemon.master) == before
    daemon.assert_serves()


def test_a_broken_configuration_refuses_the_upgrade(daemon, place):
    start(daemon, place)
    daemon.allow_log(REFUSED)
    before, managers = inode(daemon.master), daemon.managers()
    place.install()
    daemon.configure({"www": {"pm": "nonsense"}})
    answer = upgrade(daemon)
    assert not answer["ok"] and "refuses the configuration" in answer["error"]
    assert any("invalid process manager" in problem for problem in answer["problems"])
    assert inode(daemon.master) == before and daemon.managers() == managers
    daemon.assert_serves()


@as_root
def test_when_the_new_program_cannot_start_a_pool_the_earlier_one_goes_on(arena, daemon, place):
    daemon.configure({"www": {}, "api": {}})
    line = f"exec {place.program} -F -y {daemon.conf}"
    daemon.start(command=["capsh", "--drop=cap_sys_chroot", "--", "-c", line])
    daemon.allow_log("the upgrade failed", "did not start", "could not be renewed", "failed to")
    before, managers = inode(daemon.master), daemon.managers()
    place.install()
    daemon.configure({"www": {}, "api": {"chroot": arena.site}})
    answer = upgrade(daemon)
    assert not answer["ok"] and "the earlier program is back" in answer["error"]
    assert "[pool api]" in answer["error"]
    assert inode(daemon.master) == before
    assert daemon.managers()["api"] == managers["api"]
    manager_of(daemon, before)
    daemon.assert_serves()
    daemon.assert_serves(pool="api")


def test_a_file_that_cannot_be_executed_in_place_changes_nothing(daemon, place):
    # Asked, it becomes the real program; in the master's place a script finds itself closed.
    start(daemon, place)
    daemon.allow_log("the upgrade failed, the running program stays")
    before, managers = inode(daemon.master), daemon.managers()
    place.keep()
    place.install_script(f'#!/bin/sh\nexec {place.program}.kept "$@"\n')
    answer = upgrade(daemon)
    assert not answer["ok"] and "exec: " in answer["error"]
    assert inode(daemon.master) == before and daemon.managers() == managers
    daemon.assert_serves()
    assert place.restore() == before
    assert upgrade(daemon)["ok"]


def test_a_program_that_crashes_while_it_takes_over_gives_everything_back(arena, daemon, place):
    fault = f"{os.path.dirname(binary())}/upgrade_fault.so"
    if not os.path.exists(fault):
        pytest.skip("not with sanitizers")
    gate = arena.gate()
    start(daemon, place, {"www": {"pm.max_children": "2"}}, env={**os.environ, "LD_PRELOAD": fault})
    daemon.allow_log("the upgrade failed, the earlier program is back: it crashed")
    before, managers = inode(daemon.master), daemon.managers()
    request = daemon.get_in_background(gate.path, query=gate.query)
    gate.wait_started()
    place.install()
    answer = upgrade(daemon)
    assert not answer["ok"] and "the earlier program is back: it crashed" in answer["error"]
    assert inode(daemon.master) == before and daemon.managers() == managers
    gate.open()
    assert request.result().text == "through the gate"
    daemon.assert_serves()
    daemon.reload()
    daemon.assert_serves()


def test_orders_and_upgrades_that_meet_are_all_carried_out(daemon, place):
    start(daemon, place, {"www": {}, "api": {}})
    new = place.install()
    with Control(control_path(daemon)) as one, Control(control_path(daemon)) as two:
        with Control(control_path(daemon)) as idle, Control(control_path(daemon)) as both:
            one.send({"command": "restart", "pools": ["www"]})
            both.send(b'{"version":1,"command":"upgrade"}\n{"version":1,"command":"status"}\n')
            two.send({"command": "scale", "pool": "api", "workers": 2})
            for control in (one, two, both):
                answer = control.answer()
                assert answer["ok"], answer
            assert both.answer()["result"]["pid"] == daemon.master
            assert idle.ask({"command": "status"})["result"]["state"] == "serving"
    assert inode(daemon.master) == new
    daemon.wait_workers(1, "www")
    daemon.wait_workers(2, "api")


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def managers_writing_to(daemon, name):
    """Those of the earlier generation, too."""
    return [
        pid
        for pid in processes.descendants(daemon.master)
        if "manager process" in processes.title(pid)
        and any(path.endswith(name) for path in processes.descriptors(pid).values())
    ]


@both_users
def test_what_was_so_before_is_so_afterwards(arena, daemon, place):
    pools = {
        "www": {
            "pm.status_path": "/status",
            "access.log": f"{daemon.dir}/access.log",
            "pm.max_children": "2",
        },
        "paused": {},
    }
    start(daemon, place, pools)
    with Control(control_path(daemon)) as control:
        assert control.ask({"command": "drain", "pools": ["paused"]})["ok"]
    gate = arena.gate()
    request = daemon.get_in_background(gate.path, query=gate.query)
    gate.wait_started()
    for _ in range(3):
        daemon.assert_serves()
    place.install()
    assert upgrade(daemon)["result"]["pools"] == {"www": "renewed", "paused": "paused"}
    assert daemon.status()["accepted conn"] >= 5
    os.rename(f"{daemon.dir}/access.log", f"{daemon.dir}/access.log.1")
    mark = daemon.log.mark()
    daemon.signal(signal.SIGUSR1)
    daemon.log.wait_for("access log file re-opened", since=mark)
    wait_until(lambda: not managers_writing_to(daemon, "access.log.1"), "every manager knows")
    gate.open()
    assert request.result().text == "through the gate"
    daemon.assert_serves()
    for script in ("gate.php", "still-serves.php"):
        wait_until(lambda: script in read(f"{daemon.dir}/access.log"), f"the line of {script}")
    with Control(control_path(daemon)) as control:
        assert control.ask({"command": "resume", "pools": ["paused"]})["ok"]
    daemon.assert_serves("paused")


@both_users
def test_scripts_keep_the_limit_of_descriptors_there_was_at_the_start(arena, daemon, place):
    """The master needed more for its many pools, and raised its own before the upgrade."""
    path = arena.script("limits.php", "<?php echo file_get_contents('/proc/self/limits');")
    lazy = {"pm": "ondemand", "pm.manager": "lazy"}
    daemon.configure({f"p{number}": lazy for number in range(60)})
    command = ["prlimit", "--nofile=96:4096", place.program, "-y", daemon.conf, "-F"]
    daemon.start(command=command)
    daemon.compare_descriptors = False
    place.install()
    assert upgrade(daemon)["ok"]
    answer = daemon.get(path, pool="p59").text
    limit = next(line for line in answer.splitlines() if line.startswith("Max open files"))
    assert limit.split()[3:5] == ["96", "4096"]


def test_a_manager_that_dies_after_an_upgrade_is_replaced_by_the_new_program(daemon, place):
    start(daemon, place)
    new = place.install()
    assert upgrade(daemon)["ok"]
    manager = manager_of(daemon, new)
    daemon.compare_descriptors = False
    daemon.allow_log("manager .* exited")
    os.kill(manager, signal.SIGKILL)
    manager_of(daemon, new, besides=manager)
    daemon.wait_workers(1)
    daemon.assert_serves()


def test_a_link_to_another_version_called_php_fpm(arena, daemon):
    old, new = Place(arena, "one é"), Place(arena, "two " + "x" * 150)
    link = f"{arena.dir}/php-fpm8.2"
    os.symlink(old.program, link)
    start(daemon, old, program=link)
    assert inode(daemon.master) == os.stat(old.program).st_ino
    os.symlink(new.program, f"{link}.new")
    os.rename(f"{link}.new", link)
    answer = upgrade(daemon)
    assert answer["ok"] and answer["result"]["program"] == link
    assert inode(daemon.master) == os.stat(new.program).st_ino
    assert processes.title(daemon.master) == f"php-fpm: master process ({daemon.conf})"
    with open(f"/proc/{daemon.master}/comm", encoding="ascii") as file:
        assert file.read() == "php-fpm8.2\n"
    daemon.assert_serves()


def test_a_daemon_keeps_its_process_and_pid_file(daemon, place):
    daemon.configure()
    result = daemon.run(command=[place.program, "-y", daemon.conf, "-D"])
    assert result.returncode == 0
    with open(daemon.pid_file, encoding="ascii") as file:
        daemon.master = int(file.read())
    daemon.wait_ready()
    new = place.install()
    assert upgrade(daemon)["ok"] and inode(daemon.master) == new
    with open(daemon.pid_file, encoding="ascii") as file:
        assert int(file.read()) == daemon.master
    daemon.assert_serves()


def test_inherited_sockets_are_not_taken_a_second_time(daemon, place):
    daemon.configure()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(daemon.address())
    os.chmod(daemon.address(), 0o666)
    listener.listen(5)
    number = fcntl.fcntl(listener.fileno(), fcntl.F_DUPFD, 40)
    environment = {**os.environ, "FPM_SOCKETS": f"{daemon.address()}={number}"}
    start(daemon, place, env=environment, close_fds=False)
    os.close(number)
    listener.close()
    socket_file = os.stat(daemon.address()).st_ino
    for _ in range(2):
        place.install()
        assert upgrade(daemon)["ok"]
    assert os.stat(daemon.address()).st_ino == socket_file
    daemon.assert_serves()


def test_the_service_manager_sees_a_reload(arena, daemon, place):
    path = f"{arena.scratch}/notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(path)
        os.chmod(path, 0o666)
        start(daemon, place, env={**os.environ, "NOTIFY_SOCKET": path})
        place.install()
        assert upgrade(daemon)["ok"]
        notify.settimeout(20)
        text = ""
        while not re.search("RELOADING=1.*READY=1.*MAINPID=", text, re.DOTALL):
            text += notify.recv(65536).decode() + "\n"
        assert set(re.findall(r"MAINPID=(\d+)", text)) == {str(daemon.master)}
    os.unlink(path)


def test_a_stray_variable_is_nothing_to_go_by(daemon):
    with tempfile.TemporaryFile() as file:
        environment = {**os.environ, "MUSTER_UPGRADE_FD": str(file.fileno())}
        os.set_inheritable(file.fileno(), True)
        daemon.start(env=environment, close_fds=False)
    daemon.assert_serves()
