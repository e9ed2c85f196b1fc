"""TERM and INT stop at once, QUIT lets the running requests finish."""

import os
import signal

import pytest

from harness import processes
from harness.fixtures import both_users
from harness.waiting import stays, wait_until


@both_users
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_fast_stop(daemon, number):
    daemon.configure({"one": {}, "two": {"pm.max_children": "3"}}).start()
    daemon.wait_workers(3, "two")
    daemon.signal(number)
    assert daemon.wait_exit() == 0
    assert daemon.log.find(r"NOTICE: Terminating \.\.\.")
    assert daemon.log.find(r"NOTICE: exiting, bye-bye!")
    assert not os.path.exists(daemon.pid_file)
    assert not os.path.exists(daemon.address("one"))


def test_fast_stop_does_not_wait_for_a_request(arena, daemon):
    daemon.configure(globals_={"process_control_timeout": "0"}).start()
    gate = arena.gate()
    request = daemon.get_in_background(gate.path, query=gate.query)
    gate.wait_started()
    daemon.signal(signal.SIGTERM)
    assert daemon.wait_exit() == 0
    assert not request.result().ended


@both_users
def test_graceful_stop_finishes_the_running_request(arena, daemon):
    daemon.configure({"www": {"pm.max_children": "2"}}, {"process_control_timeout": "30s"}).start()
    gate = arena.gate()
    request = daemon.get_in_background(gate.path, query=gate.query)
    busy = gate.wait_started()
    daemon.signal(signal.SIGQUIT)
    daemon.log.wait_for(r"NOTICE: Finishing \.\.\.")
    wait_until(lambda: daemon.workers() == {busy}, "the idle worker leaves, the busy one stays")
    assert daemon.poll() is None
    gate.open()
    assert request.result().text == "through the gate"
    assert request.result().ended
    assert daemon.wait_exit() == 0
    assert daemon.log.find("exiting, bye-bye!")
    assert not os.path.exists(daemon.address())


def test_graceful_stop_gives_up_after_process_control_timeout(arena, daemon):
    daemon.configure(globals_={"process_control_timeout": "1s"}).start()
    gate = arena.gate()
    request = daemon.get_in_background(gate.path, query=gate.query)
    gate.wait_started()
    daemon.signal(signal.SIGQUIT)
    assert daemon.wait_exit() == 0
    assert not request.result().ended


def test_term_after_quit_ends_it_at_once(arena, daemon):
    daemon.configure(globals_={"process_control_timeout": "60s"}).start()
    gate = arena.gate()
    request = daemon.get_in_background(gate.path, query=gate.query)
    gate.wait_started()
    daemon.signal(signal.SIGQUIT)
    daemon.log.wait_for(r"Finishing \.\.\.")
    daemon.signal(signal.SIGTERM)
    assert daemon.wait_exit() == 0
    assert not request.result().ended


def test_worker_that_ignores_term_is_killed(arena, daemon):
    gate = arena.gate()
    code = (
        "<?php FFI::cdef('long signal(int, long);')->signal(15, 1); require __DIR__ . '/gate.php';"
    )
    path = arena.script("stubborn.php", code)
    daemon.configure(
        {"www": {"php_admin_value[ffi.enable]": "1"}}, {"process_control_timeout": "1s"}
    ).start()
    request = daemon.get_in_background(path, query=gate.query)
    worker = gate.wait_started()
    ignored = int(processes.status_field(worker, "SigIgn"), 16)
    assert ignored & 1 << (signal.SIGTERM - 1)
    daemon.signal(signal.SIGTERM)
    assert daemon.wait_exit() == 0
    assert not request.result().ended


def test_sigpipe_and_sighup_do_not_end_it(daemon):
    daemon.start()
    daemon.signal(signal.SIGPIPE)
    stays(lambda: daemon.poll() is None, "alive after SIGPIPE", 0.2)
    daemon.assert_serves()


@both_users
def test_nothing_is_blocked_in_a_worker(daemon):
    daemon.start()
    daemon.assert_serves()
    (worker,) = daemon.wait_workers(1)
    assert int(processes.status_field(worker, "SigBlk"), 16) == 0
