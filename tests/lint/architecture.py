# Checks that ARCHITECTURE.md names every file of src/, and no file that is gone.
import re

import tree
from include_arrows import ARROWS

# With or without src/ before the room; a name without suffix stands for all its files.
NAMED = re.compile(
    r"(?<![\w./-])(?:src/[\w/-]+(?:\.\w+)?|(?:" + "|".join(ARROWS) + r")/[\w/-]+\.(?:h|cpp)\b)"
)
# List items, table rows and paragraphs, however their lines are wrapped.
ITEM = re.compile(r"\n(?=- |\||\n)")
PAIR = re.compile(r"((?:src/)?[\w/]+)\.\{h,\s*cpp\}")


def expand_pairs(text):
    return PAIR.sub(lambda match: f"{match.group(1)}.h {match.group(1)}.cpp", text)


def has_word(text, word):
    return re.search(rf"(?<![\w]){re.escape(word)}(?![\w])", text) is not None


def is_mentioned(path, text):
    """By its path from src/, or by its bare name in a list item that has the room; suffix or not."""
    inner = path.relative_to("src")
    if has_word(text, str(inner)) or has_word(text, str(inner.with_suffix(""))):
        return True
    room = f"{inner.parent}/"
    items = (item for item in ITEM.split(text) if room in item)
    return any(has_word(item, inner.stem) for item in items)


def check(root):
    text = expand_pairs((root / "ARCHITECTURE.md").read_text(encoding="utf-8"))
    findings = [
        f"{path}:1: is not mentioned in ARCHITECTURE.md"
        for path in tree.cpp_files(root)
        if not is_mentioned(path, text)
    ]
    for match in NAMED.finditer(text):
        name = match.group().removeprefix("src/")
        if not (root / "src" / name).exists() and not list((root / "src").glob(name + ".*")):
            line = tree.line_of(text, match.start())
            findings.append(f"ARCHITECTURE.md:{line}: src/{name} does not exist")
    return findings


if __name__ == "__main__":
    tree.main(check)
