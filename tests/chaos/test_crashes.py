"""Workers, managers and the master are killed, crash and freeze at random while requests go on."""

import random
import signal

import pytest

from harness import processes
from harness.fixtures import both_users
from harness.program import environment_for_signals, muster_only
from harness.waiting import pause, wait_until
from load import LONG, SEED

KILLS = 600 if LONG else 12
FREEZES = 200 if LONG else 8
MANAGERS = 12 if LONG else 3
MASTERS = 20 if LONG else 2
# A manager that has lived so long is replaced without delay.
LONG_LIFE_S = 11
DEADLY = (signal.SIGKILL, signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGKILL)


def everybody(stage):
    return sorted(stage.daemon.workers("unix") | stage.daemon.workers("tcp"))


def frozen(pid, seconds):
    """A process that neither runs nor ends for a while."""
    if processes.send(pid, signal.SIGSTOP):
        pause(seconds)
        processes.send(pid, signal.SIGCONT)


@both_users
def test_workers_are_killed(stage):
    stage.start(env=environment_for_signals())
    stage.daemon.allow_log("exited on signal")
    chance, kills = random.Random(SEED), []
    with stage.load() as load:
        for _ in range(KILLS):
            pid = chance.choice(wait_until(lambda: everybody(stage), "a worker", 20))
            kills.append(stage.kill(pid, chance.choice(DEADLY)))
            pause(chance.uniform(0, 0.2))
    stage.verdict(f"{KILLS} workers killed", load, kills)


def test_workers_freeze(stage):
    """What a frozen worker has is late; what it has not is for the others."""
    stage.start()
    chance = random.Random(SEED)
    with stage.load() as load:
        for _ in range(FREEZES):
            frozen(chance.choice(everybody(stage)), chance.uniform(0.05, 0.4))
            pause(chance.uniform(0, 0.05))
    stage.verdict(f"{FREEZES} workers frozen", load)


@muster_only
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP, signal.SIGQUIT])
def test_managers_die_and_freeze(stage, number):
    """Its workers finish what they have; who comes meanwhile waits for the next manager."""
    stage.daemon.compare_descriptors = False
    stage.start(env=environment_for_signals())
    stage.daemon.allow_log("manager")
    chance, deaths = random.Random(SEED), []
    with stage.load() as load:
        for _ in range(MANAGERS):
            pool = chance.choice(["unix", "tcp"])
            manager = stage.daemon.managers()[pool]
            if number == signal.SIGSTOP:
                frozen(manager, chance.uniform(0.1, 1))
            else:
                deadly = chance.choice(DEADLY) if number == signal.SIGKILL else number
                deaths.append(stage.kill(manager, deadly))
                wait_until(
                    lambda p=pool, gone=manager: stage.daemon.managers().get(p, gone) != gone,
                    "the next manager",
                    60,
                )
            load.wait_for_more(30)
            if LONG:
                pause(LONG_LIFE_S)
    stage.verdict(f"{MANAGERS} managers got {number.name}", load, managers=deaths)


@muster_only
def test_masters_are_killed(stage):
    """Requests that were begun get their answers, and the next master binds at once."""
    stage.daemon.compare_descriptors = False
    stage.start({"unix": stage.pools()["unix"]})
    with stage.load() as load:
        for _ in range(MASTERS):
            load.wait_for_more(50)
            stage.daemon.signal(signal.SIGKILL)
            stage.daemon.wait_exit()
            mark = stage.daemon.log.mark()
            stage.daemon.start(wait=False)
            stage.daemon.log.wait_for("ready to handle connections", since=mark, timeout=30)
    begun = stage.begun()
    lost = [visit for visit in load.failed if visit.id in begun]
    refused = len(load.failed) - len(lost)
    print(
        f"\n{MASTERS} masters killed: seed {SEED}, N = {len(load.visits)}, "
        f"failed {len(lost)} that were begun, refused {refused}"
    )
    assert not lost, "\n".join(stage.describe(visit) for visit in lost)
