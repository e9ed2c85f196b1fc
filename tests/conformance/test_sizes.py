"""Large and malicious configurations: read in bounded time and memory, refused or not."""

import os
import subprocess

import pytest

from compare.case import GLOBAL, POOL, section
from harness.program import binary
from harness.waiting import PATIENCE

SECONDS = 25  # of a debug build on a busy machine; what is quadratic takes minutes
MEBIBYTES = 700  # what sanitizers add is in it

HEAD = section("global", GLOBAL) + section("www", POOL)


def pools(count, address):
    return section("global", GLOBAL) + "".join(
        section(f"p{at}", {**POOL, "listen": address(at)}) for at in range(count)
    )


TEXTS = {
    "10000 pools": lambda: pools(10_000, lambda at: f"{{dir}}/{at}.sock"),
    "10000 pools on one address": lambda: pools(10_000, lambda at: "9000"),
    "100000 empty pools": lambda: "".join(f"[p{at}]\n" for at in range(100_000)),
    "one pool opened 200000 times": lambda: HEAD + "[www]\n" * 200_000,
    "300000 unknown entries": lambda: HEAD + "nonsense = 1\n" * 300_000,
    "300000 different unknown entries": lambda: HEAD
    + "".join(f"nonsense{at} = 1\n" for at in range(300_000)),
    "300000 syntax errors": lambda: HEAD + "a = = b\n" * 300_000,
    "300000 times one directive": lambda: HEAD + "pm.max_requests = 1\n" * 300_000,
    "200000 variables": lambda: HEAD + "".join(f"env[V{at}] = {at}\n" for at in range(200_000)),
    "200000 suppressed paths": lambda: HEAD + "access.suppress_path[] = /a\n" * 200_000,
    "a line of 30 MB": lambda: HEAD + "env[V] = " + "x" * 30_000_000 + "\n",
    "a name of 30 MB": lambda: HEAD + "x" * 30_000_000 + " = 1\n",
    "a section of 30 MB": lambda: "[" + "x" * 30_000_000 + "]\n",
    "a quote that never ends": lambda: HEAD + 'env[V] = "' + "x" * 10_000_000 + "\n",
    "a million quotes": lambda: HEAD + "env[V] = " + '"x"' * 1_000_000 + "\n",
    "a million variables in a line": lambda: HEAD + "env[V] = " + "${HOME}" * 1_000_000 + "\n",
    "a million operators": lambda: HEAD + "env[V] = " + "1|" * 1_000_000 + "1\n",
    "a million nested parentheses": lambda: HEAD
    + "env[V] = " + "(" * 1_000_000 + "1" + ")" * 1_000_000 + "\n",
    "a million negations": lambda: HEAD + "env[V] = " + "!" * 1_000_000 + "1\n",
    "a million nested variables": lambda: HEAD + "env[V] = " + "${" * 1_000_000 + "\n",
    "a million brackets": lambda: HEAD + "[" * 1_000_000 + "\n",
    "a long pool name everywhere": lambda: section("global", GLOBAL)
    + section("n" * 100_000, {**POOL, "env[V]": "$pool" * 100_000}),
    "a long variable everywhere": lambda: HEAD + "env[V] = " + "${LONG}" * 100_000 + "\n",
    "a long variable on many lines": lambda: HEAD + "env[V] = ${LONG}\n" * 100_000,
    "a long pool name in many lines": lambda: section("global", GLOBAL)
    + section("n" * 100_000, POOL) + "env[V] = $pool\n" * 100_000,
    "a long pool name in many messages": lambda: section("global", GLOBAL)
    + section("n" * 1_000_000, {**POOL, "listen": "9000"})
    + "".join(section(f"p{at}", {**POOL, "listen": "9000"}) for at in range(10_000)),
    "a long value in many messages": lambda: section("global", GLOBAL)
    + section("www", POOL) + f"pm = {'x' * 20_000}\n" * 3_000,
    "includes of includes": lambda: HEAD + "include = {dir}/*.inc\n",
    "a large file of nothing": lambda: "\n" * 60_000_000,
    "zeros": lambda: "\0" * 60_000_000,
    "a larger file than any": lambda: "; comment\n" * 8_000_000,
}  # fmt: skip


@pytest.mark.parametrize("name", TEXTS)
def test_is_bounded(name, tmp_path):
    os.chmod(tmp_path, 0o755)
    for at in range(12):
        (tmp_path / f"{at}.inc").write_text(f"include = {tmp_path}/*.inc\n")
    path = tmp_path / "fpm.conf"
    path.write_text(TEXTS[name]().replace("{dir}", str(tmp_path)), encoding="latin-1")
    with open(tmp_path / "stderr", "wb") as stderr:
        process = subprocess.Popen(
            [binary(), "-n", "-R", "-y", path, "-tt"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            env={**os.environ, "LONG": "x" * 100_000},
        )
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    said = (tmp_path / "stderr").read_bytes()
    assert process.returncode in (0, 78), (process.returncode, said[-2000:])
    assert usage.ru_utime + usage.ru_stime < SECONDS * PATIENCE
    assert usage.ru_maxrss < MEBIBYTES * 1024 * PATIENCE
    assert len(said) < 100_000_000
