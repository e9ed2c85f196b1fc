# Checks that no file carries unfinished business, or the path of the machine it was written on.
import re

import tree

# Written in two halves, so that this file does not find itself.
MARKS = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK"]) + r")\b")
PRIVATE_FOLDERS = ["root", "home", "Users", "mnt", "media", "work", "workspace", "builds"]
MACHINE_PATH = re.compile(
    r"(?<![\w.$}/])/(?:" + "|".join(PRIVATE_FOLDERS) + r")/\w|(?<![\w.$}/])/tmp/\w+/\w"
)


def check(root):
    findings = []
    for path in tree.project_files(root):
        text = tree.read(root, path)
        for number, line in enumerate((text or "").splitlines(), start=1):
            for pattern, name in ((MARKS, "a mark"), (MACHINE_PATH, "a machine's path")):
                match = pattern.search(line)
                if match:
                    findings.append(f"{path}:{number}: {name}: {match.group()}")
    return findings


if __name__ == "__main__":
    tree.main(check)
