# Checks that the migration guide's table of differences is the one of the conformance tests.
#
# `migration_guide.py ROOT --write` makes it so.
import re
import sys
from pathlib import Path

import tree

SOURCE = Path("tests/conformance/differences.md")
GUIDE = Path("docs/migrating-from-php-fpm.md")
BEGIN, END = "<!-- made from tests/conformance/differences.md -->\n", "<!-- end -->\n"
ENTRY = re.compile(r"^### `(?P<id>[\w-]+)` (?P<title>.+)\n(?P<body>(?:(?!^#).*\n?)*)", re.M)
PARTS = ("**php-fpm**", "**muster**", "**Reason**:")
HEAD = "| | php-fpm | muster | why |\n| --- | --- | --- | --- |\n"


def cell(text):
    return " ".join(text.split()).replace("|", "\\|")


def part(body, name):
    """The text of one list item of an entry, its lines joined."""
    match = re.search(rf"^- {re.escape(name)} (.*(?:\n  .*)*)", body, re.M)
    if match is None:
        return None
    return cell(match.group(1))


def table(differences):
    """The rows, and what is wrong with the entries they come from."""
    rows, findings = [], []
    for entry in ENTRY.finditer(differences):
        cells = [part(entry["body"], name) for name in PARTS]
        line = tree.line_of(differences, entry.start())
        findings += [
            f"{SOURCE}:{line}: `{entry['id']}` has no item {name}"
            for name, text in zip(PARTS, cells)
            if text is None
        ]
        rows.append("| " + " | ".join([cell(entry["title"]), *(text or "" for text in cells)]) + " |\n")
    return HEAD + "".join(rows), findings


def split(guide):
    """The guide before the table, the table, and the rest; None without the marks."""
    begin, end = guide.find(BEGIN), guide.find(END)
    if begin < 0 or end < begin:
        return None
    begin += len(BEGIN)
    return guide[:begin], guide[begin:end], guide[end:]


def check(root):
    rows, findings = table((root / SOURCE).read_text(encoding="utf-8"))
    parts = split((root / GUIDE).read_text(encoding="utf-8"))
    if parts is None:
        findings.append(f"{GUIDE}:1: the marks around the table of differences are missing")
    elif parts[1] != rows:
        findings.append(
            f"{GUIDE}:1: the table of differences is not that of {SOURCE}; "
            "tests/lint/migration_guide.py . --write makes it anew"
        )
    return findings


def write(root):
    rows, _ = table((root / SOURCE).read_text(encoding="utf-8"))
    before, _, after = split((root / GUIDE).read_text(encoding="utf-8"))
    (root / GUIDE).write_text(before + rows + after, encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[2:] == ["--write"]:
        write(Path(sys.argv[1]))
    tree.main(check)
