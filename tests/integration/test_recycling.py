"""pm.recycle_after_fatal: a worker that ran out of memory, or was changed for good, is replaced."""

import pytest

from harness.fixtures import both_users
from harness.program import muster_only

EXHAUSTED = r"NOTICE: \[pool www\] child {} is replaced because a request ran out of memory"
CHANGED = r"NOTICE: \[pool www\] child {} is replaced because a script changed"
WAYS = {
    "script": "str_repeat('x', 1 << 26);",
    "silenced": "@str_repeat('x', 1 << 26);",
    "shutdown": "register_shutdown_function(fn() => str_repeat('x', 1 << 26));",
    "later-warning": "register_shutdown_function(function () { echo $none; error_clear_last(); });"
    "str_repeat('x', 1 << 26);",
    "callback": "ob_start(fn($t) => str_repeat('x', 1 << 26)); echo 'text';",
    "destructor": "class D { function __destruct() { str_repeat('x', 1 << 26); } } $d = new D;",
    "session": "ini_set('session.save_path', sys_get_temp_dir()); session_start();"
    "$_SESSION['a'] = 1; str_repeat('x', 1 << 26);",
}
SMALL = {"php_admin_value[memory_limit]": "16M", "php_admin_value[display_errors]": "0"}
OTHER_ENDS = {
    "exit": "exit(3);",
    "fatal": "function strlen() {}",
    "uncaught": "throw new Exception('Allowed memory size of 1 bytes exhausted');",
    "said": "trigger_error('Allowed memory size of 1 bytes exhausted', E_USER_ERROR);",
    "undefined": "no_such_function();",
}


def pid_of(daemon, connection=None):
    path = daemon.arena.script("pid.php", "<?php echo getmypid();")
    if connection is None:
        return int(daemon.get(path).text)
    answer = connection.ask(daemon.params(path), keep=True)
    assert answer.ended
    return int(answer.text)


def dirty(name, code):
    return f"ways/{name}.php", f"<?php {code}"


@muster_only
@both_users
def test_a_worker_is_replaced_after_memory_ran_out(daemon):
    daemon.configure({"www": SMALL}).start()
    before = pid_of(daemon)
    for name, code in WAYS.items():
        assert daemon.get(daemon.arena.script(*dirty(name, code))).ended, name
        now = pid_of(daemon)
        assert now != before, f"{name}: the same worker goes on"
        daemon.log.wait_for(EXHAUSTED.format(before))
        daemon.log.wait_for(rf"NOTICE: \[pool www\] child {before} exited with code 0 after")
        before = now


@muster_only
def test_other_ends_cost_no_worker(daemon):
    daemon.configure({"www": SMALL}).start()
    before = pid_of(daemon)
    for name, code in OTHER_ENDS.items():
        assert daemon.get(daemon.arena.script(*dirty(name, code))).ended, name
        assert pid_of(daemon) == before, name
    assert not daemon.log.find("is replaced")


def test_recycling_can_be_turned_off(daemon):
    daemon.configure({"www": {**SMALL, "pm.recycle_after_fatal": "no"}}).start()
    before = pid_of(daemon)
    for name, code in WAYS.items():
        assert daemon.get(daemon.arena.script(*dirty(name, code))).ended, name
    assert pid_of(daemon) == before


@muster_only
@pytest.mark.parametrize("way", ["script", "shutdown"])
def test_a_kept_connection_outlives_the_worker(daemon, way):
    daemon.configure({"www": SMALL}).start()
    path = daemon.arena.script(*dirty(way, WAYS[way]))
    with daemon.connect() as connection:
        before = pid_of(daemon, connection)
        for _ in range(3):
            assert connection.ask(daemon.params(path), keep=True).ended
            now = pid_of(daemon, connection)
            assert now != before
            before = now


@muster_only
@both_users
def test_a_worker_that_a_script_changed_for_good_is_replaced(daemon):
    daemon.configure({"www": {"pm.recycle_after_fatal": "no"}}).start()
    before = pid_of(daemon)
    changes = {
        "nice": "proc_nice(3);",
        "limit": "posix_setrlimit(POSIX_RLIMIT_NOFILE, 64, 64);",
        "session": "posix_setsid();",
    }
    for name, code in changes.items():
        assert daemon.get(daemon.arena.script(*dirty(name, code))).ended, name
        now = pid_of(daemon)
        assert now != before, name
        daemon.log.wait_for(CHANGED.format(before))
        before = now
