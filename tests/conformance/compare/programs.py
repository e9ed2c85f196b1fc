"""Runs php-fpm and muster on a case, one after the other in one and the same directory."""

import os
import shutil
import stat
import subprocess
import tempfile
from dataclasses import dataclass

import pytest

from harness.program import binary_for
from harness.waiting import PATIENCE

ORACLE = "/usr/sbin/php-fpm8.2"


@dataclass
class Outcome:
    code: int
    stdout: str
    stderr: str
    files: dict  # {name: (kind, mode, owner, text)}: what the run left behind


def require_oracle():
    if not os.access(ORACLE, os.X_OK):
        pytest.exit(
            f"{ORACLE} is missing: the conformance tests compare with it "
            "(package php8.2-fpm, see scripts/lib/packages.sh)",
            returncode=2,
        )


class Programs:
    """Both programs under one name, and the directory they are run in."""

    def __init__(self):
        require_oracle()
        self.root = tempfile.mkdtemp(prefix="cf-")
        os.chmod(self.root, 0o755)
        self.directory = f"{self.root}/d"
        self._links = {}

    def close(self):
        shutil.rmtree(self.root, ignore_errors=True)

    def candidate(self, identity):
        """muster, called as the oracle is called."""
        target = binary_for(identity)
        if target not in self._links:
            place = f"{self.root}/bin{len(self._links)}"
            os.mkdir(place)
            os.symlink(target, f"{place}/{os.path.basename(ORACLE)}")
            self._links[target] = f"{place}/{os.path.basename(ORACLE)}"
        return self._links[target]

    def fill(self, text):
        return text.replace("{dir}", self.directory)

    def prepare(self, case, identity):
        shutil.rmtree(self.directory, ignore_errors=True)
        os.mkdir(self.directory)
        os.chmod(self.directory, 0o755)
        identity.give(self.directory)
        for name in case.folders:
            os.makedirs(f"{self.directory}/{name}", exist_ok=True)
            identity.give(f"{self.directory}/{name}")
        for name, text in {"fpm.conf": case.text, **case.files}.items():
            path = f"{self.directory}/{name}"
            os.makedirs(os.path.dirname(path), exist_ok=True)
            data = text if isinstance(text, bytes) else self.fill(text).encode()
            with open(path, "wb") as file:
                file.write(data)
            os.chmod(path, 0o644)

    def environment(self, case):
        kept = {
            name: value
            for name, value in os.environ.items()
            if name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS")
        }
        given = {name: self.fill(value) for name, value in case.environment.items()}
        return {"PATH": os.environ["PATH"], "LC_ALL": "C", "TZ": "UTC", **kept, **given}

    def run(self, program, case, identity):
        self.prepare(case, identity)
        before = set(self._files())
        result = subprocess.run(
            [program, *(self.fill(argument) for argument in case.arguments)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=20 * PATIENCE,
            cwd=self.directory,
            env=self.environment(case),
            check=False,
            **identity.popen_arguments(),
        )
        left = {name: self._look(name) for name in set(self._files()) - before}
        return Outcome(
            result.returncode,
            result.stdout.decode("latin-1"),
            result.stderr.decode("latin-1"),
            left,
        )

    def _files(self):
        for place, folders, names in os.walk(self.directory):
            for name in folders + names:
                yield os.path.relpath(f"{place}/{name}", self.directory)

    def _look(self, name):
        path = f"{self.directory}/{name}"
        info = os.lstat(path)
        text = ""
        if stat.S_ISREG(info.st_mode):
            with open(path, "rb") as file:
                text = file.read().decode("latin-1")
        return stat.S_IFMT(info.st_mode), stat.S_IMODE(info.st_mode), info.st_uid, text
