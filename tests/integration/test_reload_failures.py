"""Whatever keeps a new generation from starting: the old one serves on untouched, and the reason is
in the log and in the answer to the order. And what changes under load without a pause."""

import os
import socket
import stat

import pytest

from harness import processes
from harness.background import Load, Task
from harness.config import free_port
from harness.control import ask, control_path, musterctl
from harness.fixtures import as_root
from harness.program import environment_for_signals, muster_only
from harness.waiting import wait_until
from test_respawn_delay import deadly  # pylint: disable=unused-import

pytestmark = muster_only


def untouched(daemon, pool="www"):
    """The processes of a pool, to be compared later."""
    return daemon.managers()[pool], daemon.workers(pool)


def quick(arena, daemon):
    path = arena.script("quick.php", "<?php echo 'quick';")

    def once():
        answer = daemon.get(path)
        return None if answer.text == "quick" and answer.ended else repr(answer.stdout)

    return once


@pytest.fixture
def preloading(arena, daemon):
    """Writes the script that every manager preloads; the daemon runs with a good one."""
    path = f"{arena.site}/preload.php"

    def write(code):
        with open(path, "w", encoding="ascii") as file:
            file.write(f"<?php {code}")

    write("")
    os.chmod(path, 0o644)
    options = ["-d", f"opcache.preload={path}"]
    if daemon.identity.is_root:
        options += ["-d", f"opcache.preload_user={daemon.identity.worker_name}"]
    write.options = options
    return write


@pytest.mark.parametrize(
    "code",
    ["no_such_function();", "posix_kill(getmypid(), SIGKILL);", "posix_kill(getmypid(), SIGSEGV);"],
    ids=["fatal", "killed", "crashed"],
)
def test_a_preload_script_that_dies(arena, daemon, preloading, code):
    daemon.configure({"www": {"pm.max_children": "2"}, "other": {}})
    daemon.start(*preloading.options, env=environment_for_signals())
    daemon.allow_log("ERROR", "preload")
    before = untouched(daemon), untouched(daemon, "other")
    preloading(code)
    with Load(quick(arena, daemon), clients=2) as load:
        result = musterctl("-s", control_path(daemon), "restart", "www")
        load.wait_for_more(5)
    load.assert_no_failures()
    assert result.returncode == 1
    assert "not every pool could be renewed" in result.stderr and "failed: " in result.stderr
    assert (untouched(daemon), untouched(daemon, "other")) == before
    assert daemon.log.find(r"\[pool www\] the new manager did not start: .*the old one goes on")
    preloading("")
    assert ask(daemon, "restart", pools=["www"])["ok"]
    daemon.assert_serves()


def test_a_preload_script_that_hangs(daemon, preloading):
    daemon.configure().start(*preloading.options)
    daemon.allow_log("was not ready after", "did not start", "could not be renewed")
    before = untouched(daemon)
    daemon.configure({"www": {"pm.max_children": "3"}}, {"start_timeout": "1s"})
    preloading("sleep(600);")
    answer = ask(daemon, "reload")
    assert answer["result"]["pools"] == {"www": "failed: it was not ready after 1 seconds"}
    assert untouched(daemon) == before
    daemon.assert_serves()


def test_an_extension_that_ends_whoever_loads_it(daemon, deadly):
    library, flag = deadly
    daemon.configure({"www": {"php_admin_value[extension]": library}}).start()
    daemon.allow_log("did not start", "could not be renewed")
    before = untouched(daemon)
    with open(flag, "w", encoding="ascii"):
        pass
    answer = ask(daemon, "restart", pools=["www"])
    assert not answer["ok"] and "exited with code 7" in answer["result"]["pools"]["www"]
    assert untouched(daemon) == before
    daemon.assert_serves()


def test_an_address_that_is_taken(arena, daemon):
    daemon.configure({"www": {}, "other": {}}).start()
    daemon.allow_log("ERROR")
    before = untouched(daemon), untouched(daemon, "other")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        daemon.configure({"www": {"listen": f"127.0.0.1:{port}"}, "other": {"listen.mode": "0600"}})
        result = musterctl("-s", control_path(daemon), "reload")
    assert result.returncode == 1
    assert f"unable to bind listening socket for address '127.0.0.1:{port}'" in result.stderr
    assert (untouched(daemon), untouched(daemon, "other")) == before
    assert stat.S_IMODE(os.stat(daemon.address("other")).st_mode) == 0o660
    daemon.assert_serves("other")


@as_root
def test_sockets_of_pools_that_cannot_start_get_their_old_mode_back(daemon, deadly):
    library, flag = deadly
    pool = {"php_admin_value[extension]": library, "listen.mode": "0660"}
    daemon.configure({"www": pool}).start()
    daemon.allow_log("did not start", "could not be renewed")
    with open(flag, "w", encoding="ascii"):
        pass
    daemon.configure({"www": {**pool, "listen.mode": "0606"}})
    assert not ask(daemon, "reload")["ok"]
    assert stat.S_IMODE(os.stat(daemon.address()).st_mode) == 0o660
    os.remove(flag)
    assert ask(daemon, "reload")["ok"]
    assert stat.S_IMODE(os.stat(daemon.address()).st_mode) == 0o606
    daemon.assert_serves()


def test_owner_mode_and_backlog_change_without_a_pause(arena, daemon):
    daemon.configure({"www": {"pm.max_children": "2"}}).start()
    inode = os.stat(daemon.address()).st_ino
    with Load(quick(arena, daemon), clients=3) as load:
        for mode, backlog in (("0666", "64"), ("0606", "511"), ("0660", "128")):
            changed = {"listen.mode": mode, "listen.backlog": backlog, "pm.max_children": "2"}
            daemon.configure({"www": changed})
            assert ask(daemon, "reload")["result"]["pools"] == {"www": "renewed"}
            now = os.stat(daemon.address())
            assert (stat.S_IMODE(now.st_mode), now.st_ino) == (int(mode, 8), inode)
            load.wait_for_more(10)
    load.assert_no_failures()


def test_an_address_that_moves_is_served_at_both_places_in_turn(arena, daemon):
    """Whoever was let in at the old one is answered; the new one answers when the order is through."""
    daemon.compare_descriptors = False
    daemon.configure({"www": {"pm.max_children": "2"}}).start()
    path = arena.script("slow.php", "<?php usleep(100000); echo 'slow';")
    waiting = [Task(daemon.get, path) for _ in range(2)]
    wait_until(lambda: ask_active(daemon) == 2, "the workers are busy")
    tcp = f"127.0.0.1:{free_port()}"
    old = daemon.address()
    daemon.configure({"www": {"pm.max_children": "2", "listen": tcp}})
    assert ask(daemon, "reload")["result"]["pools"] == {"www": "renewed"}
    daemon.assert_serves()
    assert [task.result().text for task in waiting] == ["slow"] * 2
    assert not os.path.exists(old)


def ask_active(daemon):
    return ask(daemon, "status")["result"]["pools"][0]["active"]


def test_a_manager_that_is_killed_while_it_starts(arena, daemon, preloading):
    daemon.configure().start(*preloading.options)
    daemon.allow_log("did not start", "could not be renewed")
    before = untouched(daemon)
    preloading(f"touch('{arena.scratch}/loads'); sleep(600);")
    order = Task(ask, daemon, "restart", pools=["www"])
    wait_until(lambda: os.path.exists(f"{arena.scratch}/loads"), "it loads", 15)
    known = {before[0], *before[1]}
    processes.kill_hard(*(set(processes.descendants(daemon.master)) - known))
    answer = order.result()
    assert not answer["ok"] and "SIGKILL" in answer["result"]["pools"]["www"]
    assert untouched(daemon) == before
    daemon.assert_serves()


def test_after_the_answer_only_the_new_generation_serves(arena, daemon):
    """Every request that is sent after the order was answered; several rounds, under load."""
    path = arena.script("round.php", "<?php echo getenv('ROUND');")
    daemon.configure({"www": {"env[ROUND]": "0", "pm.max_children": "3"}}).start()
    with Load(quick(arena, daemon), clients=3) as load:
        for turn in range(1, 9):
            daemon.configure({"www": {"env[ROUND]": str(turn), "pm.max_children": "3"}})
            assert ask(daemon, "reload")["ok"]
            assert [daemon.get(path).text for _ in range(4)] == [str(turn)] * 4
    load.assert_no_failures()


def test_a_manager_that_loads_for_long_gets_the_logs_opened_meanwhile(arena, daemon, preloading):
    """However often: it reads none of its messages before PHP is there."""
    access = f"{daemon.dir}/access.log"
    daemon.configure({"www": {"access.log": access}}).start(*preloading.options)
    may_go = f"{arena.site}/may-go"
    preloading(f"touch('{arena.site}/loads'); while (!file_exists('{may_go}')) {{ usleep(10000); "
               "clearstatcache(); }")
    os.chmod(arena.site, 0o777)
    restart = Task(lambda: ask(daemon, "restart", pools=["www"]))
    wait_until(lambda: os.path.exists(f"{arena.site}/loads"), "the new manager loads")
    for turn in range(600):
        os.rename(access, f"{access}.{turn}")
        assert ask(daemon, "reopen-logs")["ok"]
    with open(may_go, "w", encoding="ascii"):
        pass
    assert restart.result()["ok"]

    def line_is_there():
        daemon.assert_serves()
        with open(access, encoding="utf-8") as file:
            return "still-serves.php" in file.read()

    wait_until(line_is_there, "the new workers use the last log")
    assert not daemon.log.find("could not be given its logs")
