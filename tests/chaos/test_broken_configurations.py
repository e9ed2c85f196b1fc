"""Broken configurations of more than 50 kinds arrive while requests go on: nothing changes but
the log."""

import os
import signal

import pytest

from broken import BREAKS, INI, NOT_STARTED, REFUSED, ini, write_pool
from harness.control import control_path, musterctl
from harness.program import muster_only
from load import LONG

ROUNDS = 10 if LONG else 1
LONGEST_S = 20
# Start-up of PHP at each attempt.
SLOW = [name for name, broken in BREAKS.items() if broken.starts]
QUICK = [name for name in BREAKS if name not in SLOW]

pytestmark = muster_only


@pytest.fixture
def running(stage):
    """From a copy of the program, so that its parts can be taken away; php.ini is our own."""
    program = stage.install()
    with open(ini(stage), "w", encoding="ascii") as file:
        file.write(INI)
    # PHP that cannot start ends its process by exit(3) and leaves all it has.
    options = os.environ.get("ASAN_OPTIONS", "")
    environment = {**os.environ, "ASAN_OPTIONS": f"{options}:detect_leaks=0".lstrip(":")}
    command = [program, "-F", "-y", stage.daemon.conf, "-c", ini(stage)]
    stage.start(command=command, env=environment)
    stage.daemon.compare_descriptors = False  # the other pool is renewed
    stage.daemon.allow_log(r"\] (ERROR|ALERT): ", "exited on signal 9")
    return stage


def break_it(stage, broken):
    """Returns what mends all but the file itself."""
    write_pool(stage, broken.pool, broken.globals_)
    if broken.text:
        stage.daemon.write(broken.text(stage.daemon.text))
    return broken.act(stage) if broken.act else lambda: None


def assert_said(stage, broken, mark):
    outcome = NOT_STARTED if broken.starts else REFUSED
    stage.daemon.log.wait_for(outcome, since=mark, timeout=LONGEST_S)
    assert stage.daemon.log.find(broken.says, mark), stage.daemon.log.since(mark)
    # The exit code of a manager that said why it leaves must not stand for its reason.
    assert not stage.daemon.log.find("did not start: it exited with code 70", mark)
    stage.settle()


def try_both_ways(stage, name):
    broken, daemon = BREAKS[name], stage.daemon
    serving, mark = daemon.managers(), daemon.log.mark()
    mend = break_it(stage, broken)
    daemon.signal(signal.SIGUSR2)
    assert_said(stage, broken, mark)
    mark = daemon.log.mark()
    result = musterctl("-s", control_path(daemon), "reload")
    assert result.returncode == 1, (result.returncode, result.stdout, result.stderr)
    assert_said(stage, broken, mark)
    now = daemon.managers()
    assert now["unix"] == serving["unix"], "the pool goes on with the manager it has"
    if not broken.starts:
        assert now == serving
    mend()


def run_kinds(stage, names, title):
    wrong = []
    with stage.load() as load:
        for name in names * ROUNDS:
            try:
                try_both_ways(stage, name)
            except AssertionError as error:
                wrong.append(f"{name}: {error}")
            load.wait_for_more(1)
    stage.daemon.configure(stage.pools())
    stage.verdict(f"{len(names)} broken configurations, {2 * ROUNDS} times each ({title})", load)
    assert not wrong, "\n".join(wrong)
    stage.daemon.reload(60)
    stage.daemon.assert_serves("unix")


def test_refused_as_a_whole(running):
    run_kinds(running, QUICK, "refused")


def test_found_out_by_the_new_manager(running):
    run_kinds(running, SLOW, "the new manager does not start")
