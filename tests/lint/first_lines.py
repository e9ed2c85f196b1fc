# Checks that every source file begins with a comment that says what it alone is responsible for.
import tree

FOLDERS = {"src", "tests", "scripts", "bench", "demo", ".ci"}
STARTS = {
    ".h": "// ",
    ".cpp": "// ",
    ".py": ("# ", '"""'),
    ".sh": "# ",
    ".php": "// ",
    ".js": "// ",
    ".css": "/* ",
    ".conf": ("# ", "; "),
    "": "# ",
}
SHORTEST = 12


def responsibility(text):
    """The first line that is not an interpreter line or PHP's opening tag."""
    for line in text.splitlines():
        if not line.startswith("#!") and line != "<?php":
            return line
    return ""


def check(root):
    findings = []
    for path in tree.project_files(root):
        if path.parts[0] not in FOLDERS or path.suffix not in STARTS:
            continue
        text = tree.read(root, path)
        if text is None or (path.suffix == "" and not text.startswith("#!")):
            continue
        line = responsibility(text)
        if not line.startswith(STARTS[path.suffix]) or len(line) < SHORTEST:
            findings.append(f"{path}:1: the first line must say what the file is responsible for")
    return findings


if __name__ == "__main__":
    tree.main(check)
