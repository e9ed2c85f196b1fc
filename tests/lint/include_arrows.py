# Checks that every include between rooms of src/ follows an arrow of the design.
import re

import tree

# room: what it may include besides itself. A room that is missing here is an error.
ARROWS = {
    "base": set(),
    "config": {"base"},
    "fastcgi": {"base"},
    "scoreboard": {"base"},
    "log": {"base", "config"},
    "worker": {"fastcgi", "scoreboard", "log", "config", "base"},
    "runtime/php": {"worker/runtime.h", "fastcgi", "base"},
    "manager": {"worker", "scoreboard", "log", "config", "fastcgi", "base"},
    "master": {"manager", "worker", "scoreboard", "log", "config", "fastcgi", "base"},
    "observer": {"scoreboard", "base"},
    "ctl": {"base"},
}

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"([^"]+)"', re.MULTILINE)


def room_of(path):
    """The room a path relative to src/ lies in, or None."""
    rooms = (room for room in ARROWS if str(path).startswith(room + "/"))
    return max(rooms, key=len, default=None)


def problem_with(root, room, target):
    if not (root / "src" / target).is_file():
        return "does not exist; includes go by the path from src/"
    target_room = room_of(target)
    if target_room is None:
        return "is in no room"
    if target_room == room or ARROWS[room] & {target_room, target}:
        return None
    return f"breaks the arrows: {room} may include {', '.join(sorted(ARROWS[room])) or 'nothing'}"


def check(root):
    findings = []
    for path in tree.cpp_files(root):
        room = room_of(path.relative_to("src"))
        if room is None:
            findings.append(f"{path}:1: is in no room of tests/lint/include_arrows.py")
            continue
        text = (root / path).read_text(encoding="utf-8")
        for match in INCLUDE.finditer(text):
            problem = problem_with(root, room, match.group(1))
            if problem:
                line = tree.line_of(text, match.start(1))
                findings.append(f'{path}:{line}: "{match.group(1)}" {problem}')
    return findings


if __name__ == "__main__":
    tree.main(check)
