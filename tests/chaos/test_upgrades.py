"""Other programs take over, and some cannot, while requests go on."""

import os
import signal

from harness.control import control_path, musterctl
from harness.fixtures import both_users
from harness.program import muster_only
from load import LONG

UPGRADES = 100 if LONG else 4
REFUSED = "the upgrade is refused"

pytestmark = muster_only


def inode(pid):
    return os.stat(f"/proc/{pid}/exe").st_ino


@both_users
def test_upgrades_one_after_another(stage):
    """By musterctl and by USR2 in turn; each is another file with the same program."""
    program = stage.install()
    stage.start(command=[program, "-F", "-y", stage.daemon.conf])
    with stage.load() as load:
        for number in range(UPGRADES):
            new = os.stat(stage.install()).st_ino
            if number % 2 == 0:
                result = musterctl("-s", control_path(stage.daemon), "upgrade")
                assert result.returncode == 0, result.stderr
            else:
                stage.daemon.reload(60)
            assert inode(stage.daemon.master) == new
    stage.verdict(f"{UPGRADES} upgrades", load)


def test_programs_that_cannot_take_over(stage):
    program = stage.install()
    stage.start(command=[program, "-F", "-y", stage.daemon.conf])
    stage.daemon.allow_log(r"\] (ERROR|ALERT): ")
    serving = inode(stage.daemon.master)
    with stage.load() as load:
        for content in (b"", b"\x7fELF noise" * 100, b"#!/bin/sh\nexit 1\n", b"#!/nonexistent\n"):
            with open(f"{program}.new", "wb") as file:
                file.write(content)
            os.chmod(f"{program}.new", 0o755)
            os.rename(f"{program}.new", program)
            mark = stage.daemon.log.mark()
            result = musterctl("-s", control_path(stage.daemon), "upgrade")
            assert result.returncode == 1, (content, result.stdout, result.stderr)
            stage.daemon.log.wait_for(REFUSED, since=mark, timeout=20)
            mark = stage.daemon.log.mark()
            stage.daemon.signal(signal.SIGUSR2)
            stage.daemon.log.wait_for(REFUSED, since=mark, timeout=20)
            stage.settle()
            assert inode(stage.daemon.master) == serving
    stage.verdict("programs that cannot take over", load)
