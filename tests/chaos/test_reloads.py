"""Reloads, one after another and as fast as signals come, while requests go on."""

import random
import signal

import pytest

from harness.control import control_path, musterctl
from harness.program import is_reference, muster_only
from harness.waiting import pause
from load import LONG, SEED
from stage import WORKERS

RELOADS = 1000 if LONG else 6
ORDERS = 200 if LONG else 4
BURSTS = 40 if LONG else 2
BURST = 25
GAP_MS = 25


def test_reloads_one_after_another(stage):
    stage.start()
    with stage.load() as load:
        for _ in range(RELOADS):
            stage.daemon.reload(60)
    stage.verdict(f"{RELOADS} reloads", load)


def test_bursts_of_signals(stage):
    """Whatever the rhythm, signals that come during a reload become one more."""
    stage.start()
    rhythm = random.Random(SEED)
    with stage.load() as load:
        for _ in range(BURSTS):
            mark = stage.daemon.log.mark()
            for _ in range(BURST):
                stage.daemon.signal(signal.SIGUSR2)
                pause(rhythm.randrange(GAP_MS) / 1000)
            stage.daemon.log.wait_for("ready to handle connections", since=mark, timeout=60)
            load.wait_for_more(20)
    stage.verdict(f"{BURSTS} × {BURST} USR2 with gaps of 0–{GAP_MS - 1} ms", load)


@muster_only
@pytest.mark.parametrize("command", ["restart", "reload", "scale"])
def test_orders_of_musterctl(stage, command):
    """A restart of each pool in turn; reloads of changed pools; other numbers of workers."""
    stage.start()
    stage.daemon.compare_descriptors = False
    socket = control_path(stage.daemon)
    with stage.load() as load:
        for number in range(ORDERS):
            pool = ("unix", "tcp")[number % 2]
            words = [command, pool]
            if command == "reload":
                pools = stage.pools(**{"env[ROUND]": str(number)})
                stage.daemon.configure(pools)
                words = [command]
            elif command == "scale":
                words.append(str(WORKERS + number % 5))
            result = musterctl("-s", socket, *words)
            assert result.returncode == 0, result.stderr
    stage.verdict(f"{ORDERS} × musterctl {command}", load)
