# What all lint tests share: the project's files, C++ without comments and strings, the report.
import re
import subprocess
import sys
from pathlib import Path

CPP_SUFFIXES = {".h", ".cpp"}

# One alternation, so that a quote in a comment and a slash in a string are read for what they are.
CPP_NOISE = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"(?P<mark>[^()\\\s]{0,16})\(.*?\)(?P=mark)"'
    r'|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'',
    re.DOTALL,
)
DIGIT_SEPARATOR = re.compile(r"(?<=[0-9a-fA-F])'(?=[0-9a-fA-F])")


def blank_noise(text):
    """C++ text with comments, strings and characters blanked; every line keeps its number."""
    text = DIGIT_SEPARATOR.sub("", text)
    return CPP_NOISE.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), text)


def cpp_files(root):
    """All C++ files under src/, as paths relative to the root."""
    found = (path for path in (root / "src").rglob("*") if path.suffix in CPP_SUFFIXES)
    return sorted(path.relative_to(root) for path in found)


def project_files(root):
    """The files git knows or would add; outside a repository simply all files."""
    command = ["git", "-C", str(root), "ls-files", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, capture_output=True, text=True, check=False)
    if listing.returncode == 0:
        names = listing.stdout.splitlines()
    else:
        names = [str(path.relative_to(root)) for path in root.rglob("*")]
    return sorted(Path(name) for name in set(names) if (root / name).is_file())


def read(root, path):
    """The text of a file, or None for one that is not text."""
    try:
        return (root / path).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def main(check):
    """Runs one lint over the project given as the only argument and reports what it found."""
    findings = check(Path(sys.argv[1]).resolve())
    for finding in findings:
        print(finding)
    print(f"{len(findings)} found")
    sys.exit(1 if findings else 0)
