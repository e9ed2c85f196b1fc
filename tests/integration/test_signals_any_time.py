"""Signals in any rhythm and in any state: nothing is lost, and the end is always the same."""

import os
import signal
import sys
import threading

import pytest

from harness.background import Load
from harness.program import muster_only
from harness.waiting import PATIENCE, pause, wait_until

pytestmark = muster_only
STOPS = pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])


def steady_load(arena, daemon, clients=2):
    path = arena.script("steady.php", "<?php echo 'steady';")

    def ask():
        answer = daemon.get(path)
        whole = answer.ended and answer.text == "steady"
        return None if whole else f"{answer.status} {answer.stdout[:80]!r}"

    return Load(ask, clients)


def settled(daemon):
    """One generation, no reload under way: (manager, workers)."""
    seen = []

    def at_rest():
        seen.append((daemon.managers().get("www"), frozenset(daemon.workers())))
        last = seen[-40:]
        return len(last) == 40 and len(set(last)) == 1 and len(last[0][1]) == 2 and last[0][0]

    wait_until(at_rest, lambda: f"one generation; last seen {seen[-3:]}", 30)


@pytest.mark.parametrize("name", ["USR2", "HUP"])
def test_reload_signals_with_all_gaps_lose_no_request(arena, daemon, name):
    """25 of them, 0 to 24 ms apart; the last one is never missed."""
    daemon.configure({"www": {"pm.max_children": "2"}}).start()
    with steady_load(arena, daemon) as load:
        for gap in range(25):
            daemon.signal(signal.Signals[f"SIG{name}"])
            pause(gap / 1000)
        daemon.write(daemon.text.replace("[www]", "[www]\nenv[LAST] = last"))
        daemon.signal(signal.Signals[f"SIG{name}"])
        path = arena.script("last.php", "<?php echo getenv('LAST') ?: 'no';")
        wait_until(lambda: daemon.get(path).text == "last", "the last reload", 30)
        settled(daemon)
        load.assert_no_failures()


def test_reload_signals_before_it_is_ready_become_one_reload(daemon):
    daemon.configure({f"p{i}": {} for i in range(4)}).start(wait=False)
    daemon.log.wait_for("fpm is running")
    for gap in range(5):
        daemon.signal(signal.SIGUSR2)
        pause(gap / 1000)
    daemon.log.wait_for("ready to handle connections", count=2, timeout=20)
    daemon.assert_serves("p0")


def test_storm_of_log_signals_loses_no_request_and_no_line(arena, daemon):
    access = f"{daemon.dir}/access.log"
    daemon.configure({"www": {"pm.max_children": "2", "access.log": access}}).start()
    with steady_load(arena, daemon) as load:
        for _ in range(400):
            daemon.signal(signal.SIGUSR1)
            pause(0.001)  # a manager takes what it is told before its channel is full
        load.wait_for_more(20)
        load.assert_no_failures()
        served = load.served
    wait_until(
        lambda: len(open(access, encoding="ascii").readlines()) == served,
        lambda: f"{served} lines in the access log",
        10,
    )
    daemon.wait_workers(2, timeout=15)


@STOPS
def test_stop_amid_a_reload(arena, daemon, number):
    """The new generation does not come, whoever the old one serves is served or cut short."""
    daemon.configure({"www": {"pm.max_children": "2"}, "two": {}}).start()
    gate = arena.gate()
    answer = daemon.get_in_background(gate.path, query=gate.query)
    gate.wait_started()
    daemon.signal(signal.SIGUSR2)
    daemon.log.wait_for("a new generation of 2 pools starts")
    daemon.signal(number)
    daemon.log.wait_for(r"(Finishing|Terminating) \.\.\.")
    if number == signal.SIGQUIT:
        gate.open()
    assert daemon.wait_exit() == 0
    assert answer.result().ended == (number == signal.SIGQUIT)
    assert not os.path.exists(daemon.pid_file)


@STOPS
def test_stop_amid_a_storm_of_reloads(arena, daemon, number):
    daemon.configure({"www": {"pm.max_children": "2"}}).start()
    over = threading.Event()

    def storm():
        while not over.is_set() and daemon.poll() is None:
            try:
                daemon.signal(signal.SIGUSR2)
            except ProcessLookupError:
                return
            pause(0.003)

    thread = threading.Thread(target=storm)
    thread.start()
    try:
        daemon.log.wait_for("Reloading in progress", count=5)
        daemon.signal(number)
        assert daemon.wait_exit(20) == 0
    finally:
        over.set()
        thread.join(10 * PATIENCE)
    assert daemon.log.find("exiting, bye-bye!")


# The signal waits already when the program begins.
EARLY = """
import os, signal, sys
number = int(sys.argv[1])
signal.pthread_sigmask(signal.SIG_BLOCK, [number])
os.kill(os.getpid(), number)
os.execv(sys.argv[2], sys.argv[2:])
"""


@STOPS
def test_stop_before_the_start_is_carried_out_when_it_can_be(daemon, number):
    daemon.configure()
    early = [sys.executable, "-c", EARLY, str(int(number))]
    daemon.start(command=[*early, *daemon.command("-F")], wait=False)
    assert daemon.wait_exit() == 0
    assert len(daemon.log.find(r"(Finishing|Terminating) \.\.\.")) == 1
    assert daemon.log.find("exiting, bye-bye!")
    assert not os.path.exists(daemon.pid_file)
    assert not os.path.exists(daemon.address())


@STOPS
def test_stop_at_any_moment_of_the_start(daemon, number):
    """Its exit code is 0, or it had not got beyond the loader; nothing is left behind."""
    daemon.configure({"www": {}, "two": {"pm": "ondemand"}})
    for delay in (0.0, 0.005, 0.01, 0.02, 0.03, 0.05, 0.08, 0.13):
        daemon.start(wait=False)
        pause(delay)
        daemon.signal(number)
        assert daemon.wait_exit() in (0, -number)
        assert not os.path.exists(daemon.pid_file)
        assert not os.path.exists(daemon.address())
