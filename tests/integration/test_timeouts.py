"""request_terminate_timeout ends a request that takes too long, and only that.

Without a grace, muster does as php-fpm: SIGTERM at the limit. The other way: test_soft_timeouts."""

import os
import re

from harness.fixtures import both_users
from harness.program import is_reference, muster_only
from harness.waiting import wait_until


def with_timeout(daemon, **more):
    daemon.allow_log("exited on signal 15")
    return daemon.configure({"www": {**at_once("1s"), "pm.max_children": "2", **more}}).start()


def at_once(limit):
    grace = {} if is_reference() else {"request_terminate_grace": "0"}
    return {"request_terminate_timeout": limit, **grace}


@both_users
def test_too_long_request_is_ended_and_logged(arena, daemon):
    with_timeout(daemon)
    before = daemon.wait_workers(2)
    gate = arena.gate()
    request = daemon.get_in_background(gate.path, query=gate.query)
    slow = gate.wait_started()
    answer = request.result()
    assert not answer.ended
    script = re.escape(arena.site + gate.path)
    daemon.log.wait_for(
        rf"WARNING: \[pool www\] child {slow}, script '{script}' \(request: "
        rf'"GET /gate\.php\?{re.escape(gate.query)}"\) execution timed out '
        r"\([1-3]\.\d{6} sec\), terminating"
    )
    daemon.log.wait_for(
        rf"WARNING: \[pool www\] child {slow} exited on signal 15 \(SIGTERM\) after "
        r"\d+\.\d{6} seconds from start"
    )
    daemon.log.wait_for(r"NOTICE: \[pool www\] child \d+ started")
    after = daemon.wait_workers(2)
    assert slow in before and slow not in after
    assert len(before & after) == 1, "the other worker is the same"
    daemon.assert_serves()


def test_script_that_ignores_sigterm_is_ended_all_the_same(arena, daemon):
    code = "<?php register_shutdown_function(fn() => 0); for (;;) { $x = md5('busy'); }"
    with_timeout(daemon)
    path = arena.script("busy.php", code)
    assert not daemon.get(path).ended
    daemon.wait_workers(2)
    daemon.assert_serves()


def test_short_requests_are_left_alone(arena, daemon):
    path = arena.script("quick.php", "<?php echo getmypid();")
    with_timeout(daemon, **{"pm.max_children": "1"})
    pid = daemon.get(path).text
    since = daemon.log.mark()
    # Longer than the timeout altogether: the clock starts anew with every request.
    for _ in range(6):
        nap = arena.script("nap.php", "<?php usleep(300000); echo getmypid();")
        assert daemon.get(nap).text == pid
    assert daemon.log.since(since) == ""


@muster_only
def test_idle_kept_alive_connection_is_no_request(arena, daemon):
    path = arena.script("quick.php", "<?php echo getmypid();")
    with_timeout(daemon, **{"pm.max_children": "1"})
    with daemon.connect() as connection:
        pid = connection.ask(daemon.params(path), keep=True).text
        nap = arena.script("nap.php", "<?php usleep(800000);")
        clock = arena.daemon("clock").configure().start()
        for _ in range(3):
            clock.get(nap)
        answer = connection.ask(daemon.params(path), keep=True)
        assert answer.text == pid
    assert not daemon.log.find("timed out")


def test_hostile_uri_cannot_forge_log_lines(arena, daemon):
    with_timeout(daemon)
    gate = arena.gate()
    more = {"SCRIPT_NAME": "/x\n[20-Nov-2026 23:02:29] ALERT: forged", "REQUEST_METHOD": "GET"}
    request = daemon.get_in_background(gate.path, query=gate.query, more=more)
    gate.wait_started()
    request.result()
    daemon.log.wait_for("execution timed out")
    daemon.wait_workers(2)
    if is_reference():
        daemon.allow_log("forged")
    else:
        assert not daemon.log.find(r"^\[20-Nov-2026 23:02:29\] ALERT")


def test_time_out_is_per_pool(arena, daemon):
    daemon.allow_log("exited on signal 15")
    daemon.configure({"www": at_once("1s"), "patient": {}}).start()
    impatient, patient = arena.gate(), arena.gate()
    lost = daemon.get_in_background(impatient.path, query=impatient.query)
    kept = daemon.get_in_background(patient.path, pool="patient", query=patient.query)
    patient.wait_started()
    assert not lost.result().ended
    wait_until(lambda: daemon.log.find("exited on signal 15"), "the slow one is gone")
    patient.open()
    assert kept.result().text == "through the gate"


def test_what_follows_a_finished_request_takes_as_long_as_it_takes(arena, daemon):
    daemon.configure({"www": {"request_terminate_timeout": "1s", "pm.max_children": "2"}}).start()
    code = (
        "<?php register_shutdown_function(function () { nap('shutdown'); });"
        "function nap($which) { $t = microtime(true); sleep(2);"
        f" $file = '{arena.scratch}/' . $which;"
        " file_put_contents(\"$file.part\", microtime(true) - $t); rename(\"$file.part\", $file); }"
        "echo 'answer'; fastcgi_finish_request(); nap('script');"
    )
    assert daemon.get(arena.script("finishes.php", code)).text == "answer"
    for which in ("script", "shutdown"):
        path = f"{arena.scratch}/{which}"
        wait_until(lambda path=path: os.path.exists(path), f"the nap of the {which} is over")
        with open(path, encoding="ascii") as file:
            assert float(file.read()) >= 1.9, "it was cut short"
    assert not daemon.log.find("timed out")


def test_finished_requests_are_ended_when_they_are_tracked(arena, daemon):
    with_timeout(daemon, request_terminate_timeout_track_finished="yes")
    path = arena.script("finishes.php", "<?php echo 'answer'; fastcgi_finish_request(); sleep(30);")
    assert daemon.get(path).text == "answer"
    daemon.log.wait_for("execution timed out")
    daemon.log.wait_for(r"exited on signal 15 \(SIGTERM\)")
    daemon.wait_workers(2)
