"""emergency_restart_threshold and _interval: workers that crash often bring about a reload."""

import signal

import pytest

from harness import processes
from harness.fixtures import both_users
from harness.program import environment_for_signals, muster_only
from harness.waiting import pause, stays, wait_until

RELOADED = r"NOTICE: ready to handle connections"


def reached(threshold, interval):
    return (
        rf"WARNING: failed processes threshold \({threshold} in {interval} sec\) is reached, "
        r"initiating reload$"
    )


def with_threshold(daemon, threshold, interval, **pools):
    daemon.allow_log("exited on signal")
    daemon.configure(
        pools or {"www": {}},
        {
            "emergency_restart_threshold": str(threshold),
            "emergency_restart_interval": str(interval),
        },
    )
    return daemon.start(env=environment_for_signals())


def crash(daemon, number=signal.SIGSEGV, pool="www"):
    """Kills one worker and returns when it is reaped and replaced."""
    victim = min(daemon.wait_workers(1, pool))
    mark = daemon.log.mark()
    processes.send(victim, number)
    daemon.log.wait_for(rf"\[pool {pool}\] child {victim} exited on signal", since=mark)
    wait_until(lambda: daemon.workers(pool) - {victim}, "replaced", 10)


@both_users
@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGBUS])
def test_reload_when_the_threshold_is_reached(daemon, number):
    with_threshold(daemon, 2, 60)
    managers = daemon.managers()
    mark = daemon.log.mark()
    crash(daemon, number)
    assert not daemon.log.find("threshold", mark), "one crash is not two"
    crash(daemon, number)
    daemon.log.wait_for(reached(2, 60), since=mark)
    daemon.log.wait_for(RELOADED, since=mark)
    assert not daemon.log.find("Reloading in progress")
    if managers:
        wait_until(
            lambda: daemon.managers() and daemon.managers() != managers, "a new generation"
        )
    daemon.assert_serves()


def test_crashes_of_all_pools_count_together(daemon):
    with_threshold(daemon, 2, 60, one={}, two={})
    crash(daemon, pool="one")
    crash(daemon, pool="two")
    daemon.log.wait_for(reached(2, 60))
    daemon.log.wait_for(RELOADED, count=2)
    daemon.assert_serves("one")
    daemon.assert_serves("two")


def test_other_deaths_do_not_count(daemon):
    with_threshold(daemon, 2, 60)
    crash(daemon, signal.SIGKILL)
    crash(daemon, signal.SIGABRT)
    crash(daemon, signal.SIGTERM)
    assert not daemon.log.find("threshold")


def test_crashes_too_far_apart_do_not_count(daemon):
    with_threshold(daemon, 2, 1)
    crash(daemon)
    pause(2.5)
    crash(daemon)
    stays(lambda: not daemon.log.find("threshold"), "no reload", 0.5)


@muster_only
def test_counting_begins_anew_after_the_reload(daemon):
    with_threshold(daemon, 2, 60)
    for reloads in (1, 2):
        crash(daemon)
        crash(daemon)
        daemon.log.wait_for(reached(2, 60), count=reloads)
        daemon.log.wait_for(RELOADED, count=1 + reloads)
        daemon.wait_workers(1)
    assert len(daemon.log.find(reached(2, 60))) == 2


@muster_only
def test_bad_configuration_costs_only_the_reload(daemon):
    daemon.allow_log("ERROR")
    with_threshold(daemon, 1, 60)
    daemon.write(daemon.text + "no such directive = 1\n")
    crash(daemon)
    daemon.log.wait_for(reached(1, 60))
    daemon.log.wait_for("the reload is refused")
    daemon.assert_serves()


@pytest.mark.parametrize("threshold, interval", [(0, 60), (1, 0)])
def test_off_unless_both_are_set(daemon, threshold, interval):
    with_threshold(daemon, threshold, interval)
    crash(daemon)
    crash(daemon)
    assert not daemon.log.find("threshold")
