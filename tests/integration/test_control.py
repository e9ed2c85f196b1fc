"""musterctl and the control socket: what each command does, what it answers, who may."""

import json
import os
import pwd
import signal
import socket

import pytest

from harness.background import Load
from harness.control import Control, ask, control_path, musterctl, pools_of
from harness.fixtures import as_root, both_users
from harness.program import muster_only
from harness.waiting import wait_until

pytestmark = muster_only

TWO = {
    "www": {"pm.max_children": "2", "pm.status_path": "/status"},
    "api": {"pm.max_children": "1"},
}
REFUSED = "the reload is refused"


def ctl(daemon, *arguments, **options):
    return musterctl("-s", control_path(daemon), *arguments, **options)


def manager_of(daemon, pool):
    status = ask(daemon, "status")["result"]
    return next(entry["manager"] for entry in status["pools"] if entry["name"] == pool)


def managers_of(daemon):
    return {pool: manager_of(daemon, pool) for pool in daemon.pools}


# --- Reload ---------------------------------------------------------------------------------


@both_users
def test_reload_renews_what_changed_and_nothing_else(daemon):
    daemon.configure(TWO).start()
    before = managers_of(daemon)
    assert pools_of(ask(daemon, "reload")) == {"www": "unchanged", "api": "unchanged"}
    assert managers_of(daemon) == before
    daemon.configure({**TWO, "api": {"pm.max_children": "2"}})
    assert pools_of(ask(daemon, "reload")) == {"www": "unchanged", "api": "renewed"}
    after = managers_of(daemon)
    assert after["www"] == before["www"] and after["api"] != before["api"]
    daemon.wait_workers(2, pool="api")
    daemon.assert_serves()
    daemon.assert_serves(pool="api")


@both_users
def test_usr2_renews_all_pools(daemon):
    daemon.configure(TWO).start()
    before = managers_of(daemon)
    daemon.reload()
    after = managers_of(daemon)
    assert not set(before.values()) & set(after.values())


def test_a_named_pool_follows_the_files_and_the_others_wait(daemon):
    daemon.configure(TWO).start()
    before = managers_of(daemon)
    daemon.configure({"www": {"pm.max_children": "3"}, "api": {"pm.max_children": "3"}})
    assert pools_of(ask(daemon, "reload", pools=["api"])) == {"api": "renewed"}
    assert manager_of(daemon, "www") == before["www"]
    daemon.wait_workers(3, pool="api")
    assert pools_of(ask(daemon, "reload")) == {"api": "unchanged", "www": "renewed"}


def test_pools_come_and_go(daemon):
    daemon.configure({"www": {}}).start()
    daemon.configure({"www": {}, "new": {}})
    assert pools_of(ask(daemon, "reload")) == {"www": "unchanged", "new": "added"}
    daemon.assert_serves(pool="new")
    gone = daemon.address("new")
    daemon.configure({"www": {}})
    assert pools_of(ask(daemon, "reload")) == {"www": "unchanged", "new": "removed"}
    wait_until(lambda: not os.path.exists(gone), "the socket of the removed pool goes")
    daemon.assert_serves()


def test_a_changed_ini_file_renews_the_pools(arena, daemon):
    ini = f"{daemon.dir}/php.ini"
    with open(ini, "w", encoding="utf-8") as file:
        file.write("precision = 5\n")
    path = arena.script("precision.php", "<?php echo ini_get('precision');")
    daemon.configure({"www": {}}).start("-c", ini)
    assert daemon.get(path).text == "5"
    with open(ini, "w", encoding="utf-8") as file:
        file.write("precision = 11\n")
    assert pools_of(ask(daemon, "reload")) == {"www": "renewed"}
    # The old generation is told to leave by now, and may be about to accept all the same.
    wait_until(lambda: daemon.get(path).text == "11", "the new setting counts")


def test_a_refused_reload_says_why_and_changes_nothing(daemon):
    daemon.configure(TWO).start()
    daemon.allow_log("invalid process manager", "found 'nonsense'", "failed to load", REFUSED)
    before = managers_of(daemon)
    daemon.configure({**TWO, "www": {"pm": "nonsense"}})
    result = ctl(daemon, "reload")
    assert result.returncode == 1
    assert "invalid process manager" in result.stderr and REFUSED in result.stderr
    assert managers_of(daemon) == before


@as_root
def test_a_pool_that_cannot_start_is_told(daemon):
    ini = f"{daemon.dir}/php.ini"
    with open(ini, "w", encoding="utf-8") as file:
        file.write("precision = 5\n")
    daemon.configure(TWO).start("-c", ini)
    daemon.allow_log("the new manager did not start", "could not be renewed", "php.ini")
    before = managers_of(daemon)
    os.chmod(ini, 0o600)
    with open(ini, "a", encoding="utf-8") as file:
        file.write("memory_limit = 64M\n")
    answer = ask(daemon, "reload")
    assert not answer["ok"] and answer["error"] == "not every pool could be renewed"
    assert all(what.startswith("failed: ") for what in answer["result"]["pools"].values())
    assert managers_of(daemon) == before, "the old ones go on serving"
    daemon.assert_serves()


def test_an_unknown_pool_is_a_mistake(daemon):
    daemon.configure(TWO).start()
    daemon.allow_log("there is no pool 'nosuch'", REFUSED)
    for command in ("reload", "restart", "drain", "resume"):
        answer = ask(daemon, command, pools=["nosuch"])
        assert not answer["ok"] and "there is no pool 'nosuch'" in answer["problems"]


def test_orders_that_meet_become_one_and_all_are_answered(daemon):
    daemon.configure(TWO).start()
    controls = [Control(control_path(daemon)) for _ in range(8)]
    for number, control in enumerate(controls):
        control.send({"command": "restart", "pools": ["www" if number % 2 else "api"]})
    daemon.signal(signal.SIGUSR2)
    for control in controls:
        assert control.answer()["ok"]
        control.close()
    wait_until(
        lambda: ask(daemon, "status")["result"]["state"] == "serving", "the reload of USR2 is through"
    )
    daemon.assert_serves()


def test_a_client_that_leaves_early_is_no_trouble(daemon):
    daemon.configure(TWO).start()
    before = manager_of(daemon, "www")
    with Control(control_path(daemon)) as control:
        control.send({"command": "restart", "pools": ["www"]})
    wait_until(lambda: manager_of(daemon, "www") not in (before, None), "it is renewed all the same")


# --- Restart, scale, drain --------------------------------------------------------------------


def test_restart_takes_the_settings_in_force(daemon):
    daemon.configure(TWO).start()
    before = managers_of(daemon)
    daemon.configure({**TWO, "www": {"pm": "nonsense"}})
    assert pools_of(ask(daemon, "restart", pools=["www"])) == {"www": "renewed"}
    after = managers_of(daemon)
    assert after["www"] != before["www"] and after["api"] == before["api"]


def test_scale_lasts_until_the_pools_next_reload(daemon):
    daemon.configure(TWO).start()
    daemon.wait_workers(2)
    assert ctl(daemon, "scale", "www", "5").returncode == 0
    daemon.wait_workers(5)
    assert ask(daemon, "status")["result"]["pools"][0]["max_children"] == 5
    assert pools_of(ask(daemon, "reload"))["www"] == "renewed"
    daemon.wait_workers(2)


def test_scale_of_a_dynamic_pool_keeps_its_spare_limits_possible(daemon):
    dynamic = {
        "pm": "dynamic",
        "pm.max_children": "8",
        "pm.start_servers": "4",
        "pm.min_spare_servers": "3",
        "pm.max_spare_servers": "6",
    }
    daemon.configure({"www": dynamic}).start()
    assert ctl(daemon, "scale", "www", "2").returncode == 0
    daemon.wait_workers(2)
    daemon.assert_serves()


@pytest.mark.parametrize("workers", [0, -1, 1.5, "many", None, 10**9])
def test_scale_takes_sensible_numbers_only(daemon, workers):
    daemon.configure(TWO).start()
    answer = ask(daemon, "scale", pool="www", workers=workers)
    assert not answer["ok"] and "'workers' must be a number from 1" in answer["error"]


@both_users
def test_requests_wait_while_a_pool_is_drained(arena, daemon):
    path = arena.script("slow.php", "<?php usleep(300000); echo 'through';")
    daemon.configure(TWO).start()
    running = daemon.get_in_background(path)
    wait_until(lambda: ask(daemon, "status")["result"]["pools"][0]["active"] == 1, "it runs")
    assert pools_of(ask(daemon, "drain", pools=["www"])) == {"www": "paused"}
    assert running.result().text == "through"
    assert not daemon.workers()
    assert ask(daemon, "status")["result"]["pools"][0]["state"] == "paused"
    daemon.assert_serves(pool="api")
    waiting = daemon.get_in_background(path)
    assert pools_of(ask(daemon, "resume", pools=["www"])) == {"www": "renewed"}
    assert waiting.result().text == "through"
    assert daemon.status()["accepted conn"] >= 2, "the counters went on"


def test_a_paused_pool_stays_so_through_reloads(daemon):
    daemon.configure(TWO).start()
    ask(daemon, "drain", pools=["www"])
    daemon.configure({**TWO, "www": {"pm.max_children": "3"}})
    daemon.reload()
    assert not daemon.workers()
    assert pools_of(ask(daemon, "reload"))["www"] == "paused"
    ask(daemon, "resume", pools=["www"])
    daemon.wait_workers(3)
    assert ask(daemon, "resume", pools=["www"])["ok"], "once more is no mistake"


def test_no_request_is_lost_by_drain_and_resume(arena, daemon):
    path = arena.script("work.php", "<?php usleep(2000); echo 'worked';")
    daemon.configure(TWO).start()

    def get():
        answer = daemon.get(path)
        return None if answer.text == "worked" and answer.ended else repr(answer.stdout)

    with Load(get, clients=4) as load:
        for _ in range(4):
            assert ask(daemon, "drain", pools=["www"])["ok"]
            assert ask(daemon, "resume", pools=["www"])["ok"]
            load.wait_for_more(10)
    load.assert_no_failures()


# --- Looking ----------------------------------------------------------------------------------


@both_users
def test_status_as_table_and_as_json(daemon):
    daemon.configure(TWO).start()
    table = ctl(daemon, "status").stdout.splitlines()
    assert str(daemon.master) in table[0] and table[2].split()[:3] == ["POOL", "STATE", "PM"]
    assert [line.split()[:3] for line in table[3:]] == [
        ["www", "serving", "static"],
        ["api", "serving", "static"],
    ]
    status = json.loads(ctl(daemon, "--json", "status").stdout)["result"]
    assert status["pid"] == daemon.master and status["state"] == "serving"
    assert [(pool["name"], pool["max_children"]) for pool in status["pools"]] == [
        ("www", 2),
        ("api", 1),
    ]


def test_workers_shows_what_each_does(arena, daemon):
    gate = arena.gate()
    daemon.configure(TWO).start()
    running = daemon.get_in_background(gate.path, query=gate.query + "&a=\x1b[2J")
    pid = gate.wait_started()
    workers = ask(daemon, "workers", pool="www")["result"]["workers"]
    worker = next(entry for entry in workers if entry["pid"] == pid)
    assert (worker["state"], worker["method"], worker["uri"]) == ("Running", "GET", gate.path)
    shown = ctl(daemon, "workers", "www").stdout
    assert "\\x1B[2J" in shown and "\x1b" not in shown, "nothing reaches the terminal raw"
    gate.open()
    running.result()


def test_workers_of_no_pool(daemon):
    daemon.configure(TWO).start()
    result = ctl(daemon, "workers", "nosuch")
    assert result.returncode == 1 and "there is no pool 'nosuch'" in result.stderr


def test_check_changes_nothing(daemon):
    daemon.configure(TWO).start()
    assert ctl(daemon, "check").stdout == "ok\n"
    daemon.allow_log("invalid process manager", "found 'nonsense'", "failed to load")
    daemon.configure({"www": {"pm": "nonsense"}})
    result = ctl(daemon, "check")
    assert result.returncode == 1 and "invalid process manager" in result.stderr
    daemon.assert_serves(pool="www")


def test_logs_reopen(daemon):
    daemon.configure(TWO).start()
    os.rename(daemon.log.path, daemon.log.path + ".1")
    assert ctl(daemon, "logs", "reopen").returncode == 0
    assert os.path.exists(daemon.log.path)


# --- Who may, and what comes from hostile peers ------------------------------------------------


def test_only_its_owner_may_unless_others_are_allowed(daemon):
    daemon.configure(TWO).start()
    assert os.stat(control_path(daemon)).st_mode & 0o777 == 0o600


@as_root
def test_allowed_users(daemon):
    games, nobody = pwd.getpwnam("games").pw_uid, pwd.getpwnam("nobody").pw_uid
    daemon.configure(TWO, {"control.allowed_users": "games"}).start()
    os.chmod(daemon.dir, 0o755)
    assert ctl(daemon, "status", user=games).returncode == 0
    refused = ctl(daemon, "status", user=nobody)
    assert refused.returncode == 1 and "you are not among those" in refused.stderr
    assert daemon.log.find(f"control socket: process [0-9]+ of uid {nobody} was refused")
    daemon.configure(TWO)
    assert ask(daemon, "reload")["ok"]
    assert ctl(daemon, "status", user=games).returncode == 3, "the socket's mode keeps it out"


def test_there_is_none_without_a_pid_file_or_when_told_so(daemon):
    daemon.configure(TWO, {"control.socket": "no"}).start()
    assert not os.path.exists(control_path(daemon))


def test_it_may_be_elsewhere_and_move(daemon):
    place = f"{daemon.dir}/elsewhere"
    daemon.configure(TWO, {"control.socket": place}).start()
    assert musterctl("-s", place, "status").returncode == 0
    daemon.configure(TWO, {"control.socket": f"{place}2"})
    assert musterctl("-s", place, "reload").returncode == 0
    assert not os.path.exists(place)
    assert musterctl(env={"MUSTER_CONTROL": f"{place}2"}, *["status"]).returncode == 0


def test_it_goes_with_the_service(daemon):
    daemon.configure(TWO).start()
    daemon.exit_expected = True
    daemon.stop()
    assert not os.path.exists(control_path(daemon))


@pytest.mark.parametrize(
    "line,why",
    [
        (b"\n", "expected a JSON object"),
        (b"[]\n", "expected a JSON object"),
        (b"{\n", "expected a JSON object"),
        (b"[" * 60000 + b"\n", "expected a JSON object"),
        (b"\xff\xfe{}\n", "expected a JSON object"),
        (b'{"command":"status"}\n', "version 1"),
        (b'{"version":2,"command":"status"}\n', "version 1"),
        (b'{"version":1}\n', "'command' must be a text"),
        (b'{"version":1,"command":7}\n', "'command' must be a text"),
        (b'{"version":1,"command":"frobnicate"}\n', "there is no command 'frobnicate'"),
        (b'{"version":1,"command":"reload","pools":"www"}\n', "'pools' must be a list"),
        (b'{"version":1,"command":"reload","pools":[1]}\n', "'pools' must be a list"),
        (b'{"version":1,"command":"restart"}\n', "must name at least one pool"),
        (b'{"version":1,"command":"workers","pool":[]}\n', "'pool' must be a text"),
    ],
)
def test_bad_requests_are_answered(daemon, line, why):
    daemon.configure(TWO).start()
    with Control(control_path(daemon)) as control:
        control.send(line)
        answer = control.answer()
        assert not answer["ok"] and why in answer["error"]
        assert control.ask({"command": "status"})["ok"], "the connection goes on"


def test_a_line_without_end_is_cut_off(daemon):
    daemon.configure(TWO).start()
    with Control(control_path(daemon)) as control:
        try:
            for _ in range(64):
                control.send(b"x" * 4096)
        except OSError:
            pass  # closed while we were sending
        try:
            answer = control.answer()
        except OSError:
            answer = None
        assert answer is None or "at most" in answer["error"]
    assert ask(daemon, "status")["ok"]


def test_commands_in_a_row_are_answered_in_a_row(daemon):
    daemon.configure(TWO).start()
    with Control(control_path(daemon)) as control:
        for command in ("status", "frobnicate", "check", "status"):
            control.send({"command": command})
        assert [control.answer()["ok"] for _ in range(4)] == [True, False, True, True]


def test_many_silent_connections_keep_nobody_out_for_ever(daemon):
    daemon.configure(TWO).start()
    silent = []
    for _ in range(40):
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.connect(control_path(daemon))
        silent.append(connection)
    daemon.assert_serves()
    for connection in silent:
        connection.close()
    assert ask(daemon, "status")["ok"]


# --- The program ------------------------------------------------------------------------------


def test_exit_statuses(daemon):
    daemon.configure(TWO).start()
    assert ctl(daemon, "status").returncode == 0
    assert ctl(daemon, "frobnicate").returncode == 2
    assert ctl(daemon).returncode == 2
    assert musterctl("-s", "/nonexistent.ctl", "status").returncode == 3
    assert musterctl("--help").returncode == 0
    assert musterctl("--version").returncode == 0
