"""differences.md: every entry is complete, and used by a case or marked as not compared."""

import glob
import os
import re

import pytest

from compare import differences

HERE = os.path.dirname(os.path.abspath(__file__))


def texts_of_tests():
    for path in glob.glob(f"{HERE}/test_*.py") + glob.glob(f"{HERE}/compare/*.py"):
        with open(path, encoding="utf-8") as file:
            yield file.read()


@pytest.mark.parametrize("name", sorted(differences.entries()))
def test_entry(name):
    text = differences.entries()[name]
    for part in ("- **php-fpm** ", "- **muster** ", "- **Reason**: "):
        assert text.count(part) == 1, f"{name}: no {part!r}"
    used = any(f'"{name}"' in text for text in texts_of_tests())
    assert used or differences.documented_only(
        name
    ), f"{name} is used by no case and lacks {differences.DOCUMENTED_ONLY!r}"


def test_rules_have_entries():
    names = {*differences.ON_EXPECTED, *differences.EVERYWHERE, *differences.IN_LIFE}
    assert names <= set(differences.entries())


def test_headings_are_entries():
    with open(differences.PATH, encoding="utf-8") as file:
        headings = re.findall(r"^###.*$", file.read(), re.M)
    assert len(headings) == len(differences.entries())
