"""A private MariaDB: data, socket and log in the arena, one database with one user."""

import os
import pwd
import shutil
import subprocess

from .program import ORDINARY_USER
from .waiting import PATIENCE, wait_until

PROGRAM = shutil.which("mariadbd") or "/usr/sbin/mariadbd"
INSTALLER = shutil.which("mariadb-install-db") or "/usr/bin/mariadb-install-db"
INIT = """
CREATE DATABASE {name};
CREATE USER '{name}'@'localhost' IDENTIFIED BY '{password}';
GRANT ALL ON {name}.* TO '{name}'@'localhost';
"""


class MariaDb:
    def __init__(self, arena, name, password):
        self.name, self.password = name, password
        self.dir = f"{arena.dir}/db"
        self.socket = f"{self.dir}/s"
        os.mkdir(self.dir)
        self._user = {}
        if os.geteuid() == 0:  # which mariadbd refuses to be
            entry = pwd.getpwnam(ORDINARY_USER)
            os.chown(self.dir, entry.pw_uid, entry.pw_gid)
            self._user = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
        self._install()
        self._start(arena)

    def _install(self):
        done = subprocess.run(
            [
                INSTALLER,
                "--no-defaults",
                f"--datadir={self.dir}/data",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
            ],
            capture_output=True,
            text=True,
            timeout=60 * PATIENCE,
            check=False,
            **self._user,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def _start(self, arena):
        init = f"{self.dir}/init.sql"
        with open(init, "w", encoding="utf-8") as file:
            file.write(INIT.format(name=self.name, password=self.password))
        os.chmod(init, 0o644)
        with open(f"{arena.dir}/mariadb.log", "wb") as log:
            self.process = subprocess.Popen(
                [
                    PROGRAM,
                    "--no-defaults",
                    f"--datadir={self.dir}/data",
                    f"--socket={self.socket}",
                    f"--pid-file={self.dir}/pid",
                    f"--init-file={init}",
                    "--skip-networking",
                    "--innodb-flush-log-at-trx-commit=0",
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                **self._user,
            )
        arena.popens[self.process.pid] = self.process
        wait_until(
            lambda: self.process.poll() is not None or os.path.exists(f"{self.dir}/pid"),
            "mariadbd is ready",
            60,
        )
        assert self.process.poll() is None, "mariadbd has ended"

    def stop(self):
        self.process.terminate()
        self.process.wait(30 * PATIENCE)
