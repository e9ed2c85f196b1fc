"""All kinds of trouble in any order, without waiting for the last one to be over."""

import random
import signal

from harness.background import Task
from harness.control import control_path, musterctl
from harness.program import environment_for_signals, muster_only
from harness.waiting import pause, wait_until
from load import LONG, SEED

EVENTS = 1500 if LONG else 25
LONGEST_PAUSE_S = 0.25

pytestmark = muster_only


class Trouble:
    """What may happen; each leaves a configuration that the next one may read."""

    def __init__(self, stage, chance):
        self.stage, self.daemon, self.chance = stage, stage.daemon, chance
        self.kills, self.managers, self.orders = [], [], []

    def reload(self):
        self.daemon.signal(self.chance.choice([signal.SIGUSR2, signal.SIGHUP]))

    def reopen_logs(self):
        self.daemon.signal(signal.SIGUSR1)

    def kill_worker(self):
        workers = sorted(self.daemon.workers(self.chance.choice(["unix", "tcp"])))
        if workers:
            number = self.chance.choice([signal.SIGKILL, signal.SIGSEGV])
            self.kills.append(self.stage.kill(self.chance.choice(workers), number))

    def kill_manager(self):
        manager = self.daemon.managers().get(self.chance.choice(["unix", "tcp"]))
        if manager:
            self.managers.append(self.stage.kill(manager, signal.SIGKILL))

    def break_configuration(self):
        self.daemon.write(self.daemon.text + "pm.nonsense = 1\n")
        self.reload()

    def mend_configuration(self):
        more = {f"more{self.chance.randrange(3)}": {}} if self.chance.random() < 0.5 else {}
        self.daemon.configure({**self.stage.pools(), **more})
        self.reload()

    def order(self):
        pool = self.chance.choice(["unix", "tcp"])
        words = self.chance.choice([["restart", pool], ["reload"], ["scale", pool, "7"]])
        # Its outcome depends on all the rest; that it has one is what counts.
        self.orders.append(Task(musterctl, "-s", control_path(self.daemon), *words))

    def happen(self):
        self.chance.choice(
            [
                self.reload,
                self.reload,
                self.reopen_logs,
                self.kill_worker,
                self.kill_worker,
                self.kill_manager if self.chance.random() < 0.3 else self.order,
                self.break_configuration,
                self.mend_configuration,
                self.order,
            ]
        )()


def test_everything_at_once(stage):
    stage.start(env=environment_for_signals())
    stage.daemon.allow_log(r"\] (ERROR|ALERT): ", "exited on signal", "manager")
    stage.daemon.compare_descriptors = False
    trouble = Trouble(stage, random.Random(SEED))
    with stage.load() as load:
        for _ in range(EVENTS):
            trouble.happen()
            pause(trouble.chance.uniform(0, LONGEST_PAUSE_S))
        for order in trouble.orders:
            assert order.result(120).returncode in (0, 1)
        stage.daemon.configure(stage.pools())
        stage.settle()
        stage.daemon.reload(60)
        wait_until(lambda: set(stage.daemon.managers()) == {"unix", "tcp"}, "both pools", 60)
    stage.verdict(f"{EVENTS} events", load, trouble.kills, trouble.managers)
