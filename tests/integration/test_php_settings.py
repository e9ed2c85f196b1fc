"""Settings of a pool for PHP: values, flags, what scripts may override, chdir, limits, OPcache."""

import json
import os

from harness.fixtures import both_users
from harness.program import is_reference
from harness.waiting import wait_until


def ini(arena, daemon, name, pool="www"):
    path = arena.script("ini.php", "<?php echo ini_get($_GET['name']);")
    return daemon.get(path, pool=pool, query=f"name={name}").text


@both_users
def test_values_and_flags_last_over_all_requests(arena, daemon):
    daemon.configure(
        {
            "www": {
                "php_value[precision]": "5",
                "php_flag[short_open_tag]": "on",
                "php_admin_value[memory_limit]": "77M",
                "php_admin_flag[allow_url_fopen]": "off",
            }
        }
    ).start()
    for _ in range(3):
        assert ini(arena, daemon, "precision") == "5"
        assert ini(arena, daemon, "short_open_tag") == "1"
        assert ini(arena, daemon, "memory_limit") == "77M"
        assert ini(arena, daemon, "allow_url_fopen") in ("", "0")


def test_scripts_may_override_values_but_not_admin_values(arena, daemon):
    daemon.configure(
        {"www": {"php_value[precision]": "5", "php_admin_value[memory_limit]": "77M"}}
    ).start()
    code = """<?php
        echo json_encode([ini_set('precision', '9'), ini_get('precision'),
            ini_set('memory_limit', '99M'), ini_get('memory_limit')]);"""
    path = arena.script("set.php", code)
    for _ in range(2):
        assert json.loads(daemon.get(path).text) == ["5", "9", False, "77M"]
    assert ini(arena, daemon, "precision") == "5"


def test_first_definition_wins(arena, daemon):
    daemon.configure({"www": {"php_value[memory_limit]": ["11M", "22M"]}}).start()
    assert ini(arena, daemon, "memory_limit") == "11M"


def test_admin_value_beats_value(arena, daemon):
    daemon.configure(
        {"www": {"php_admin_value[precision]": "3", "php_value[precision]": "4"}}
    ).start()
    assert ini(arena, daemon, "precision") == "3"


def test_pools_have_settings_of_their_own(arena, daemon):
    daemon.configure(
        {"a": {"php_value[precision]": "3"}, "b": {"php_value[precision]": "4"}, "c": {}}
    ).start()
    values = [ini(arena, daemon, "precision", pool) for pool in "abc"]
    assert values == ["3", "4", "14"]


def test_disabled_functions(arena, daemon):
    daemon.configure({"www": {"php_admin_value[disable_functions]": "exec,system"}}).start()
    code = "<?php echo json_encode(array_map('function_exists', ['exec', 'system', 'md5']));"
    assert json.loads(daemon.get(arena.script("f.php", code)).text) == [False, False, True]


def test_unknown_setting_is_told_and_not_fatal(arena, daemon):
    daemon.configure(
        {"www": {"php_admin_value[no.such.setting]": "1", "catch_workers_output": "yes"}}
    ).start()
    daemon.assert_serves()
    daemon.log.wait_for(r"Unable to set php_admin_value 'no\.such\.setting'")
    daemon.allow_log("Unable to set php_admin_value")


@both_users
def test_chdir(arena, daemon):
    daemon.configure({"www": {"chdir": arena.scratch}}).start()
    daemon.assert_serves()
    (worker,) = daemon.workers()
    # The script's own directory is the current one only while it runs.
    if os.geteuid() == 0:
        assert os.readlink(f"/proc/{worker}/cwd") == arena.scratch


@both_users
def test_rlimit_files(arena, daemon):
    daemon.configure({"www": {"rlimit_files": "123"}}).start()
    code = "<?php $l = posix_getrlimit(); echo $l['soft openfiles'], ' ', $l['hard openfiles'];"
    assert daemon.get(arena.script("limit.php", code)).text == "123 123"


def test_worker_that_runs_out_of_descriptors_serves_on(arena, daemon):
    daemon.configure({"www": {"rlimit_files": "40"}}).start()
    code = """<?php
        for ($i = 0; $i < 100; $i++) $f[] = @fopen('/dev/null', 'r');
        echo count(array_filter($f));"""
    path = arena.script("hoard.php", code)
    assert 10 <= int(daemon.get(path).text) < 40
    daemon.assert_serves()
    assert 10 <= int(daemon.get(path).text) < 40


@both_users
def test_opcache_is_on_and_shared_within_the_pool(arena, daemon):
    cached = arena.script("cached.php", "<?php return 'cached';")
    code = """<?php
        $value = include __DIR__ . '/cached.php';
        $status = opcache_get_status(true);
        echo json_encode([$value, getmypid(), $status['opcache_enabled'],
            $status['scripts'][__DIR__ . '/cached.php']['hits'] ?? -1]);"""
    path = arena.script("opcache.php", code)
    assert cached
    daemon.configure({"www": {"pm.max_children": "2"}}).start()
    daemon.wait_workers(2)
    by_worker = {}

    def asked_both():
        # Held back together, two requests cannot go to one worker.
        gate = arena.gate()
        holder = daemon.get_in_background(gate.path, query=gate.query)
        gate.wait_started()
        value, pid, enabled, hits = json.loads(daemon.get(path).text)
        gate.open()
        holder.result()
        assert (value, enabled) == ("cached", True)
        by_worker.setdefault(pid, []).append(hits)
        return len(by_worker) == 2 and sum(len(hits) for hits in by_worker.values()) >= 6

    wait_until(asked_both, lambda: f"both workers answer: {by_worker}", 10)
    together = sorted(hits for hits_of_one in by_worker.values() for hits in hits_of_one)
    assert together[-1] >= len(together) - 1, "hits of both workers are counted in one cache"
    assert len(set(together)) == len(together), "never the same count twice"


def test_opcache_is_not_shared_between_pools(arena, daemon):
    arena.script("cached.php", "<?php return 'cached';")
    path = arena.script(
        "seen.php",
        """<?php
        $scripts = opcache_get_status(true)['scripts'];
        echo json_encode(isset($scripts[__DIR__ . '/cached.php']));""",
    )
    daemon.configure({"a": {}, "b": {}}).start()
    daemon.get("/cached.php", pool="a")
    assert json.loads(daemon.get(path, pool="a").text) is True
    assert json.loads(daemon.get(path, pool="b").text) is is_reference()


def test_ini_entries_of_php_value_parameter(arena, daemon):
    daemon.start()
    path = arena.script("ini.php", "<?php echo ini_get($_GET['name']);")
    more = {"PHP_VALUE": "precision = 7\nhtml_errors = 1"}
    assert daemon.get(path, query="name=precision", more=more).text == "7"


def test_user_ini_files(arena, daemon):
    daemon.start()
    with open(f"{arena.site}/.user.ini", "w", encoding="ascii") as file:
        file.write("precision = 8\n")
    assert ini(arena, daemon, "precision") == "8"
