"""log.format = json: every line of the error log and of access logs is one object."""

import json
import os
import re
import signal

from harness.fixtures import both_users
from harness.logs import LogFile
from harness.program import muster_only
from harness.waiting import wait_until

pytestmark = muster_only
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"


def with_json(daemon, globals_=None, **pool):
    daemon.configure(
        {"www": {"access.log": f"{daemon.dir}/access", "catch_workers_output": "yes", **pool}},
        {"log.format": "json", **(globals_ or {})},
    )
    daemon.start(wait=False)
    daemon.log.wait_for('"ready to handle connections"', timeout=15)
    return LogFile(f"{daemon.dir}/access")


def records(log):
    return [json.loads(line) for line in log.lines()]


def said(daemon, count=1):
    return wait_until(
        lambda: (found := [r for r in records(daemon.log) if "stream" in r])[count - 1 :] and found,
        lambda: daemon.log.text(),
    )


@both_users
def test_messages_are_objects(daemon):
    with_json(daemon)
    (running,) = [r for r in records(daemon.log) if r["message"].startswith("fpm is running")]
    assert running["level"] == "NOTICE" and running["pid"] == daemon.master
    assert re.fullmatch(TIME, running["time"])
    daemon.signal(signal.SIGTERM)
    assert daemon.wait_exit() == 0
    assert records(daemon.log)[-1]["message"] == "exiting, bye-bye!"
    # The copies of before the launch, too.
    assert all("message" in r for r in records(daemon.stderr))


def test_a_dead_worker_is_told_with_pool_and_child(arena, daemon):
    with_json(daemon)
    (worker,) = daemon.workers()
    manager = daemon.managers()["www"]
    daemon.get(arena.script("die.php", "<?php posix_kill(getmypid(), 9);"))
    daemon.log.wait_for("exited on signal 9")
    (died,) = [r for r in records(daemon.log) if "exited" in r["message"]]
    assert (died["pool"], died["child"], died["level"]) == ("www", worker, "WARNING")
    assert died["pid"] == manager


@both_users
def test_worker_output_is_a_record_of_its_own(arena, daemon):
    with_json(daemon)
    code = r"""<?php file_put_contents('php://stdout', "a \"b\" \x1b[m\xff\n{\"level\":\"ALERT\"}\n");"""
    daemon.get(arena.script("o.php", code))
    first, second = said(daemon, 2)
    assert first["message"] == 'a "b" \x1b[m\ufffd'
    assert second["message"] == '{"level":"ALERT"}'
    for record in (first, second):
        assert (record["stream"], record["pool"], record["level"]) == ("stdout", "www", "WARNING")
        assert {record["child"]} == daemon.workers()


def test_undecorated_output_cannot_forge_a_record(arena, daemon):
    with_json(daemon, decorate_workers_output="no")
    code = (
        r"""<?php file_put_contents('php://stderr', "{\"level\":\"ALERT\",\"message\":\"x\"}\n");"""
    )
    daemon.get(arena.script("o.php", code))
    (record,) = said(daemon)
    assert record["level"] == "WARNING"


def test_a_long_line_comes_in_parts_that_say_so(arena, daemon):
    with_json(daemon)
    code = r"""<?php file_put_contents('php://stderr', str_repeat("\u{20ac}", 1000) . "\n");"""
    daemon.get(arena.script("o.php", code))
    parts = said(daemon, 3)
    assert "".join(part["message"] for part in parts) == "€" * 1000
    assert [part.get("continued", False) for part in parts] == [True, True, False]


@both_users
def test_access_records(arena, daemon):
    access = with_json(daemon, **{"access.format": "%s", "access.suppress_path[]": "/quiet.php"})
    path = arena.script("a.php", "<?php http_response_code(418); usleep(20000); echo 'x';")
    more = {"HTTP_AUTHORIZATION": "Basic YW5uOnB3"}
    worker = next(iter(daemon.workers()))
    daemon.get(path, method="POST", query='x="1"\n{"status":200}', body=b"some=body", more=more)
    (line,) = wait_until(access.lines, "a record")
    record = json.loads(line)
    assert list(record) == [
        "time", "pool", "pid", "master", "remote", "user", "method", "uri", "query", "script",
        "status", "length", "duration", "cpu", "memory",
    ]  # fmt: skip
    assert re.fullmatch(TIME, record["time"])
    assert record["query"] == 'x="1"\n{"status":200}'
    assert 0.02 <= record.pop("duration") < 5 and record.pop("cpu") >= 0
    assert record.pop("memory") >= 1 << 20
    wanted = {
        "pool": "www", "pid": worker, "master": daemon.master, "remote": None, "user": "ann",
        "method": "POST", "uri": "/a.php", "script": f"{arena.site}/a.php", "status": 418,
        "length": 9,
    }  # fmt: skip
    assert {name: record[name] for name in wanted} == wanted
    daemon.get(arena.script("quiet.php", "<?php"))
    daemon.assert_serves()
    wait_until(lambda: len(access.lines()) == 2, lambda: access.text())
    assert "quiet" not in access.text()


def test_a_reload_changes_the_format(arena, daemon):
    access = f"{daemon.dir}/access"
    daemon.configure({"www": {"access.log": access}}).start()
    daemon.assert_serves()
    daemon.configure({"www": {"access.log": access}}, {"log.format": "json"})
    mark = daemon.log.mark()
    daemon.signal(signal.SIGUSR2)
    daemon.log.wait_for('"ready to handle connections"', since=mark)
    os.rename(access, f"{access}.1")
    daemon.signal(signal.SIGUSR1)
    daemon.log.wait_for('"access log file re-opened"')
    daemon.assert_serves()
    wait_until(lambda: records(LogFile(access)), "a record")
    assert len(LogFile(f"{access}.1").lines()) == 1
