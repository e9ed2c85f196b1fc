"""request_slowlog_timeout: slow requests are told and counted, and the slow log's file is there."""

import os
import re

import pytest

from harness.fixtures import both_users
from harness.logs import LogFile
from harness.program import is_reference
from harness.waiting import wait_until

NAP = "<?php $until = microtime(true) + 2.5; while (microtime(true) < $until) usleep(50000); echo 'nap';"


def with_slow_log(daemon, **more):
    return daemon.configure(
        {
            "www": {
                "slowlog": f"{daemon.dir}/$pool.slow",
                "request_slowlog_timeout": "1s",
                "pm.status_path": "/status",
                "pm.max_children": "2",
                **more,
            }
        }
    )


@both_users
def test_a_slow_request_is_told_and_counted_once(arena, daemon):
    with_slow_log(daemon).start()
    assert os.stat(f"{daemon.dir}/www.slow").st_mode & 0o777 == 0o600
    path = arena.script("nap.php", NAP)
    assert daemon.get(path, query="a=b").text == "nap"
    (told,) = daemon.log.find("executing too slow")
    assert re.search(
        rf"WARNING: \[pool www\] child \d+, script '{re.escape(arena.site)}/nap\.php' "
        r'\(request: "GET /nap\.php\?a=b"\) executing too slow \([12]\.\d{6} sec\), logging$',
        told,
    )
    counted = re.compile(r"^slow requests: +1$", re.MULTILINE)
    wait_until(
        lambda: counted.search(daemon.get("/status").text), lambda: daemon.get("/status").text
    )
    daemon.get(arena.script("quick.php", "<?php"))
    assert len(daemon.log.find("executing too slow")) == 1


def test_slow_and_then_too_slow(arena, daemon):
    if is_reference():
        pytest.skip("it leaves the worker stopped here and there")
    daemon.allow_log("exited on signal 15")
    with_slow_log(daemon, request_terminate_timeout="2s").start()
    assert daemon.get(arena.script("nap.php", NAP.replace("2.5", "5"))).status == 504
    daemon.log.wait_for("execution timed out")
    said = [line for line in daemon.log.lines() if " sec)" in line]
    assert "executing too slow" in said[0] and "timed out" in said[1]
    daemon.log.wait_for(r"child \d+ started")


@both_users
def test_a_slow_log_that_cannot_be_opened_is_refused(daemon):
    daemon.allow_log("slowlog", "failed to post process", "FPM initialization failed")
    with_slow_log(daemon, slowlog="/nowhere/slow.log")
    for arguments in (["-t"], ["-F"]):
        result = daemon.run(*arguments)
        assert result.returncode == 78
        assert (
            "ERROR: Unable to create or open slowlog(/nowhere/slow.log): "
            "No such file or directory (2)" in result.stderr
        )


def test_without_a_timeout_no_file_is_made(daemon):
    with_slow_log(daemon, request_slowlog_timeout=None).start()
    daemon.assert_serves()
    assert not os.path.exists(LogFile(f"{daemon.dir}/www.slow").path)
