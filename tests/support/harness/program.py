"""The program under test, and the users it is run as."""

import grp
import os
import pwd
import shutil
import tempfile

import pytest

ORDINARY_USER = "www-data"


def binary():
    path = os.environ.get("MUSTER_BINARY")
    if not path:
        pytest.exit("MUSTER_BINARY must name the daemon to test", returncode=2)
    return os.path.abspath(path)


def is_reference():
    """True when the harness is tried on php-fpm itself."""
    return os.path.basename(binary()).startswith("php-fpm")


muster_only = pytest.mark.skipif(
    "MUSTER_BINARY" in os.environ and is_reference(), reason="php-fpm does not do this"
)


def environment_for_signals():
    """For tests that send SIGSEGV themselves, or look at the limit of core files: no sanitizer may
    take the signal for a finding, or forbid the files."""
    options = os.environ.get("ASAN_OPTIONS", "")
    return {
        **os.environ,
        "ASAN_OPTIONS": f"{options}:handle_segv=0:handle_sigbus=0:handle_sigfpe=0:disable_coredump=0".lstrip(":"),
    }


class Identity:
    """Who starts the daemon. `uid` None: whoever runs the tests."""

    def __init__(self, kind):
        self.kind = kind
        self.is_root = kind == "root"
        if os.geteuid() == 0 and kind == "user":
            entry = pwd.getpwnam(ORDINARY_USER)
            self.uid, self.gid, self.name = entry.pw_uid, entry.pw_gid, entry.pw_name
        else:
            self.uid, self.gid = None, None
            self.name = pwd.getpwuid(os.geteuid()).pw_name
        # Whom the workers run as.
        self.worker_name = ORDINARY_USER if self.is_root else self.name
        worker = pwd.getpwnam(self.worker_name)
        self.worker_uid, self.worker_gid = worker.pw_uid, worker.pw_gid
        self.worker_group = grp.getgrgid(worker.pw_gid).gr_name

    @classmethod
    def own(cls):
        """Root when the tests run as root, else an ordinary user."""
        return cls("root" if os.geteuid() == 0 else "user")

    def popen_arguments(self):
        if self.uid is None:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def give(self, path):
        """Makes a file or directory belong to the one who starts the daemon."""
        if self.uid is not None:
            os.chown(path, self.uid, self.gid)


def _others_can_reach(path):
    while True:
        if not os.stat(path).st_mode & 0o001:
            return False
        if path == "/":
            return True
        path = os.path.dirname(path)


_copies = []


def binary_for(identity):
    """The program where `identity` can execute it: a private copy when its place is closed."""
    path = binary()
    if identity.uid is None or _others_can_reach(os.path.realpath(path)):
        return path
    if not _copies:
        place = tempfile.mkdtemp(prefix="mb-")
        os.chmod(place, 0o755)
        root = os.path.dirname(os.path.dirname(os.path.realpath(path)))
        os.makedirs(f"{place}/bin")
        shutil.copy2(path, f"{place}/bin/")
        if os.path.isdir(f"{root}/lib/muster"):
            shutil.copytree(f"{root}/lib/muster", f"{place}/lib/muster")
        _copies.append(place)
    return f"{_copies[0]}/bin/{os.path.basename(path)}"


def remove_copies():
    while _copies:
        shutil.rmtree(_copies.pop(), ignore_errors=True)
