"""TERM and INT stop at once, QUIT lets the running requests finish."""

import os
import re
import signal

import pytest

from harness import processes
from harness.fixtures import both_users
from harness.logs import messages
from harness.program import muster_only
from harness.waiting import PATIENCE, stays, wait_until


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
    path = arena.script("stubborn.php", STUBBORN)
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


STUBBORN = (
    "<?php FFI::cdef('long signal(int, long);')->signal(15, 1); require __DIR__ . '/gate.php';"
)


def stubborn(arena, daemon, timeout):
    """A worker that TERM does not end, in a request: (its pid, the request)."""
    daemon.configure(
        {"www": {"php_admin_value[ffi.enable]": "1"}},
        {"process_control_timeout": timeout, "log_level": "debug"},
    ).start()
    gate = arena.gate()
    request = daemon.get_in_background(arena.script("stubborn.php", STUBBORN), query=gate.query)
    return gate.wait_started(), request


def signals_to(daemon, worker):
    """[(seconds, signal)] as the debug lines tell, seconds from the first line of a stop."""
    found, start = [], None
    for line in daemon.log.lines():
        stamp = re.search(r"(\d\d):(\d\d):(\d\d\.\d{6})\]", line)
        now = sum(float(part) * unit for part, unit in zip(stamp.groups(), (3600, 60, 1)))
        if "switching to '" in line and not start:
            start = now
        sent = re.search(rf"\[pool www\] sending signal \d+ (SIG\w+) to child {worker}$", line)
        if sent:
            found.append((now - start, sent.group(1)))
    return found


def names_and_gaps(signals):
    return [name for _, name in signals], [round(seconds, 1) for seconds, _ in signals]


def test_fast_stop_kills_after_process_control_timeout(arena, daemon):
    worker, request = stubborn(arena, daemon, "2s")
    daemon.signal(signal.SIGTERM)
    assert daemon.wait_exit() == 0
    names, times = names_and_gaps(signals_to(daemon, worker))
    assert names == ["SIGTERM", "SIGKILL"]
    assert times[0] < 1 and 2 <= times[1] < 2 + PATIENCE
    assert not request.result().ended
    assert daemon.log.find(r"DEBUG: .*1 child\(ren\) still alive$")


@muster_only
def test_fast_stop_kills_after_a_second_without_process_control_timeout(arena, daemon):
    worker, _ = stubborn(arena, daemon, "0")
    daemon.signal(signal.SIGTERM)
    assert daemon.wait_exit() == 0
    names, times = names_and_gaps(signals_to(daemon, worker))
    assert names == ["SIGTERM", "SIGKILL"]
    assert 1 <= times[1] < 1 + PATIENCE


@muster_only
def test_graceful_stop_goes_from_quit_to_term_to_kill(arena, daemon):
    """The busy worker is told by a flag; TERM comes at the time-out and KILL a second later."""
    worker, _ = stubborn(arena, daemon, "1s")
    daemon.signal(signal.SIGQUIT)
    assert daemon.wait_exit() == 0
    names, times = names_and_gaps(signals_to(daemon, worker))
    assert names == ["SIGTERM", "SIGKILL"]
    assert 1 <= times[0] < 1 + PATIENCE and 2 <= times[1] < 2 + 2 * PATIENCE


@muster_only
def test_second_signal_begins_its_own_escalation(arena, daemon):
    worker, _ = stubborn(arena, daemon, "2s")
    daemon.signal(signal.SIGQUIT)
    daemon.log.wait_for("switching to 'finishing' state")
    daemon.signal(signal.SIGTERM)
    assert daemon.wait_exit() == 0
    names, _ = names_and_gaps(signals_to(daemon, worker))
    assert names == ["SIGTERM", "SIGKILL"]
    daemon.log.wait_for("switching to 'terminating' state")


def test_states_and_their_lines(arena, daemon):
    daemon.configure(globals_={"log_level": "debug", "process_control_timeout": "30s"}).start()
    gate = arena.gate()
    daemon.get_in_background(gate.path, query=gate.query)
    gate.wait_started()
    mark = daemon.log.mark()
    steps = [
        (signal.SIGQUIT, "Finishing", "switching to 'finishing' state"),
        (
            signal.SIGUSR2,
            "Reloading in progress",
            "not switching to 'reloading' state, because already in 'finishing' state",
        ),
        (
            signal.SIGHUP,
            "Reloading in progress",
            "not switching to 'reloading' state, because already in 'finishing' state",
        ),
    ]
    expected = []
    for number, notice, state in steps:
        daemon.signal(number)
        expected += [f"received {number.name}", f"{notice} ...", state]
        wanted = list(expected)

        def heard():
            texts = [text for _, text in messages(daemon.log.since(mark).splitlines())]
            told = re.compile(r"received SIG(?!CHLD)|.*( \.\.\.|state)$")
            return [text for text in texts if told.match(text)]

        wait_until(lambda: heard() == wanted, lambda: f"{heard()} is not {wanted}")
    mark = daemon.log.mark()
    daemon.signal(signal.SIGTERM)
    assert daemon.wait_exit() == 0
    texts = [text for _, text in messages(daemon.log.since(mark).splitlines())]
    assert texts[:3] == [
        "received SIGTERM",
        "Terminating ...",
        "switching to 'terminating' state",
    ]


def test_exits_during_a_stop_are_no_events(daemon):
    daemon.configure({"www": {"pm.max_children": "3"}}).start()
    daemon.signal(signal.SIGQUIT)
    assert daemon.wait_exit() == 0
    assert not daemon.log.find("child")


@muster_only
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_stop_while_it_starts(daemon, number):
    daemon.configure({f"p{i}": {} for i in range(6)}).start(wait=False)
    daemon.log.wait_for("fpm is running")
    daemon.signal(number)
    assert daemon.wait_exit() == 0
    assert len(daemon.log.find(r"NOTICE: (Terminating|Finishing) \.\.\.")) == 1
    assert daemon.log.find("exiting, bye-bye!")
    assert not os.path.exists(daemon.pid_file)


@muster_only
def test_reload_asked_for_while_it_starts(daemon):
    daemon.configure({f"p{i}": {} for i in range(6)}).start(wait=False)
    daemon.log.wait_for("fpm is running")
    daemon.signal(signal.SIGUSR2)
    daemon.log.wait_for("ready to handle connections", count=2, timeout=15)
    daemon.assert_serves("p0")


def test_interrupt_from_the_terminal_is_a_quiet_stop(daemon):
    """Ctrl-C reaches workers and managers, too."""
    daemon.configure({"one": {"pm.max_children": "8"}, "two": {}}).start()
    daemon.wait_workers(8, "one")
    os.killpg(os.getpgid(daemon.master), signal.SIGINT)
    assert daemon.wait_exit() == 0
    texts = [text for _, text in messages(daemon.log.lines())]
    assert texts[-2:] == ["Terminating ...", "exiting, bye-bye!"]
    assert not daemon.log.find("child")


@muster_only
def test_worker_that_got_an_interrupt_alone_is_replaced(daemon):
    daemon.allow_log("exited on signal 2")
    daemon.start()
    (worker,) = daemon.wait_workers(1)
    processes.send(daemon.managers()["www"], signal.SIGINT)
    processes.send(worker, signal.SIGINT)
    wait_until(lambda: daemon.workers() - {worker}, "a new worker")
    daemon.assert_serves()


def test_sighup_is_a_reload(daemon):
    daemon.start()
    before = daemon.wait_workers(1)
    mark = daemon.log.mark()
    daemon.signal(signal.SIGHUP)
    daemon.log.wait_for("ready to handle connections", since=mark)
    assert len(daemon.log.find(r"NOTICE: Reloading in progress \.\.\.", mark)) == 1
    wait_until(lambda: daemon.workers() and not daemon.workers() & before, "new workers")
    daemon.assert_serves()


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
