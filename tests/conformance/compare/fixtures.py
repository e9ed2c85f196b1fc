"""The fixtures: both programs, who runs them, and the comparison of one case."""

import os

import pytest

from harness import processes
from harness.program import Identity, is_reference, remove_copies

from . import differences, output
from .live import Live
from .programs import ORACLE, Programs


@pytest.fixture(scope="session")
def programs():
    os.umask(0o022)
    processes.adopt_orphans()
    both = Programs()
    yield both
    both.close()
    remove_copies()


@pytest.fixture
def who(request):
    kind = getattr(request, "param", "any")
    if kind == "any":
        return Identity.own()
    if kind == "root" and os.geteuid() != 0:
        pytest.skip("needs root")
    return Identity(kind)


def fail(text):
    pytest.fail(text, pytrace=False)


class Pair:
    def __init__(self, programs, identity):
        self._programs, self._identity = programs, identity

    def check(self, case):
        """Runs both and fails with a readable comparison."""
        for name in case.differences:
            assert name in differences.entries(), f"{name} is not in differences.md"
        oracle = self._programs.run(ORACLE, case, self._identity)
        said = oracle.stdout + oracle.stderr
        if case.code is not None and oracle.code != case.code:
            fail(f"php-fpm left with {oracle.code}, the case expects {case.code}:\n{said}")
        for fragment in case.says:
            fragment = self._programs.fill(fragment)
            if fragment not in said:
                fail(f"php-fpm does not say {fragment!r}:\n{said}")
        candidate = self._programs.run(
            self._programs.candidate(self._identity), case, self._identity
        )
        problems = self._problems(oracle, candidate, case)
        if problems:
            fail("\n".join(problems))

    def _problems(self, oracle, candidate, case):
        """muster's outcome against php-fpm's, or against what the case says it does otherwise."""
        fill = self._programs.fill
        compared = output.compare(oracle, candidate, case, fill)
        if is_reference():
            return compared
        otherwise = case.otherwise or (case.may if compared else None)
        if case.otherwise_user and not self._identity.is_root:
            otherwise = case.otherwise_user
        if otherwise is None:
            return compared
        return output.compare_otherwise(candidate, otherwise, fill)


@pytest.fixture
def pair(programs, who):
    return Pair(programs, who)


@pytest.fixture
def live(programs, who):
    both = Live(programs, who)

    def check(scenario, *names):
        problems = both.check(scenario, names)
        if problems:
            fail("\n".join(problems))

    return check
