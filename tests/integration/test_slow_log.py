"""The slow log: what is in it, wherever a script happens to spend its time."""

import glob
import json
import os
import re
import signal
import sys

import pytest

from harness.fixtures import as_root, as_user, both_users
from harness.program import muster_only
from harness.waiting import wait_until

pytestmark = muster_only
REFERENCE = "/usr/sbin/php-fpm8.2"

FRAME = re.compile(r"\[0x([0-9a-f]{16})\] (.+)\(\) (.+):(\d+)$")
HEAD = re.compile(r"\[\d\d-[A-Z][a-z]{2}-\d{4} \d\d:\d\d:\d\d\]  \[pool www\] pid (\d+)$")


def with_slow_log(daemon, globals_=None, **more):
    directives = {
        "slowlog": f"{daemon.dir}/www.slow",
        "request_slowlog_timeout": "1s",
        "pm": "static",
        "pm.max_children": "2",
        **more,
    }
    return daemon.configure({"www": directives}, globals_)


def slow_log(daemon):
    with open(f"{daemon.dir}/www.slow", encoding="utf-8") as file:
        return file.read()


def entries(daemon, count):
    """The entries once there are that many: [(script, [(function, file, line)], remarks)]."""
    found = wait_until(
        lambda: slow_log(daemon).count("\nscript_filename = ") >= count and slow_log(daemon),
        lambda: f"{count} entries:\n{slow_log(daemon)}\n{daemon.log.text()}",
    )
    result = []
    for block in found.removeprefix("\n").split("\n\n"):
        head, script, *rest = block.rstrip("\n").split("\n")
        assert HEAD.match(head), found
        script = script.removeprefix("script_filename = ")
        frames = [FRAME.match(line) for line in rest]
        calls = [(m[2], m[3], int(m[4])) for m in frames if m]
        result.append((script, calls, [line for line in rest if line.startswith("+++")]))
        assert len(calls) + len(result[-1][2]) == len(rest), found
    return result


def one_entry(daemon):
    (entry,) = entries(daemon, 1)
    return entry


def names(entry):
    return [name for name, _, _ in entry[1]]


# name: (code, calls innermost first as (function, line), what it says at its end)
HOLD = "while (!file_exists($_GET['go'])) { usleep(20000); clearstatcache(); }"
SCRIPTS = {
    "sleep": (
        "<?php\nfunction nap() { return sleep(3); }\n"
        "$start = microtime(true);\n$left = nap();\n"
        "printf('%d %d', $left, microtime(true) - $start >= 2.99);",
        [("sleep", 2), ("nap", 4)],
        "0 1",
    ),
    "busy": (
        "<?php\nfunction spin() {\n  for ($i = 1; ; ++$i)\n    if ($i % 2000000 == 0) {\n"
        "      if (file_exists($_GET['go'])) return;\n      clearstatcache(); }}\n"
        "class Box { static function run() { spin(); } }\nBox::run();\necho 'done';",
        [("spin", 7), ("run", 8)],
        "done",
    ),
    "read": (
        "<?php\nfunction line($pipe) {\n  return fread($pipe, 5); }\n"
        "echo line(fopen($_GET['fifo'], 'r+'));",
        [("fread", 3), ("line", 4)],
        "hello",
    ),
    "preg": (
        "<?php\nini_set('pcre.jit', '0'); ini_set('pcre.backtrack_limit', '20000000');\n"
        "function seek() { return preg_match('/^(a+)+$/', str_repeat('a', 60) . 'b'); }\n"
        "while (!file_exists($_GET['go'])) { seek();\n clearstatcache(); }\necho 'done';",
        [("preg_match", 3), ("seek", 4)],
        "done",
    ),
    "hash": (
        "<?php\n$big = str_repeat('muster', 5000000);\n"
        "while (!file_exists($_GET['go'])) {\n hash('sha256', $big);\n clearstatcache(); }\necho 'done';",
        [("hash", 4)],
        "done",
    ),
    "sort": (
        "<?php\nfunction order() {\n  $some = [3, 1, 2];\n"
        f"  usort($some, function ($a, $b) {{\n    {HOLD}\n    return $a - $b; }});\n"
        "  return implode($some); }\necho order();",
        [("usleep", 5), ("{closure}", 4), ("usort", 4), ("order", 8)],
        "123",
    ),
    "generator": (
        f"<?php\nfunction numbers() {{\n  {HOLD}\n  yield 1; }}\n"
        "foreach (numbers() as $number)\n  echo $number;",
        [("usleep", 3), ("numbers", 5)],
        "1",
    ),
    "delegate": (
        f"<?php\nfunction inner() {{\n  {HOLD}\n  yield 1; }}\n"
        "function outer() { yield from inner(); }\nforeach (outer() as $number)\n  echo $number;",
        None,
        "1",
    ),
    "fiber": (
        f"<?php\nfunction nap() {{\n  {HOLD} }}\n"
        "$fiber = new Fiber(function () {\n  nap(); });\n$fiber->start();\necho 'done';",
        None,
        "done",
    ),
    "deep": (
        f"<?php\nfunction down($n) {{\n  if ($n) return down($n - 1);\n  {HOLD} }}\n"
        "down(50000);\necho 'done';",
        [("usleep", 4)] + [("down", 3)] * 19,
        "done",
    ),
    "include": (
        "<?php\nfunction load() {\n  return include __DIR__ . '/part.inc'; }\n"
        "echo implode(array_map('load', [1]));",
        None,
        "part",
    ),
    "eval": (
        f"<?php\nfunction run() {{\n  eval('{HOLD}'.\"\"); }}\nrun();\necho 'done';".replace(
            "$_GET['go']", "$_GET[\\'go\\']"
        ),
        None,
        "done",
    ),
    "method": (
        f"<?php\nclass Page {{\n  function __toString() {{\n    {HOLD}\n    return 'page'; }} }}\n"
        "echo 'a ' . new Page();",
        [("usleep", 4), ("__toString", 6)],
        "a page",
    ),
}
EXTRA = {"part.inc": f"<?php\n{HOLD}\nreturn 'part';"}


def run_all(arena, daemon, scripts):
    """Starts them all, waits for their entries, lets them end: {name: entry}."""
    go, fifo = f"{arena.scratch}/go", f"{arena.scratch}/fifo"
    for leftover in (go, fifo):
        if os.path.exists(leftover):
            os.remove(leftover)
    os.mkfifo(fifo)
    os.chmod(fifo, 0o666)
    for name, code in EXTRA.items():
        arena.script(name, code)
    running = {}
    for name, (code, _, _) in scripts.items():
        path = arena.script(f"{name}.php", code)
        running[name] = daemon.get_in_background(path, query=f"go={go}&fifo={fifo}")
    found = entries(daemon, len(scripts))
    with open(go, "w", encoding="ascii"), open(fifo, "r+b", 0) as pipe:
        pipe.write(b"hello")
    for name, (_, _, said) in scripts.items():
        assert running[name].result().text == said, name
    return {os.path.basename(script)[: -len(".php")]: rest for script, *rest in found}


def start_all(daemon, *arguments, command=None, **more):
    more.setdefault("pm.max_children", str(len(SCRIPTS)))
    with_slow_log(daemon, **more).start(*arguments, command=command)


def check_calls(arena, found, scripts):
    for name, (_, expected, _) in scripts.items():
        calls, remarks = found[name]
        assert remarks == [], name
        if expected is not None:
            here = f"{arena.site}/{name}.php"
            assert calls == [(call, here, line) for call, line in expected], name
    return found


@both_users
def test_what_a_script_does_is_seen(arena, daemon):
    start_all(daemon)
    found = check_calls(arena, run_all(arena, daemon, SCRIPTS), SCRIPTS)
    delegate, fiber, include = (f"{arena.site}/{n}.php" for n in ("delegate", "fiber", "include"))
    # As php-fpm names them, who asks the engine the same way.
    assert found["delegate"][0] == [
        ("usleep", delegate, 3),
        ("inner", "unknown", 0),
        ("???", delegate, 6),
    ]
    assert found["fiber"][0] == [
        ("usleep", fiber, 3),
        ("nap", fiber, 5),
        ("{closure}", fiber, 6),
        ("[INCLUDE_OR_EVAL]", fiber, 6),
        ("start", fiber, 6),
    ]
    assert found["include"][0] == [
        ("usleep", f"{arena.site}/part.inc", 2),
        ("[INCLUDE_OR_EVAL]", include, 3),
        ("load", include, 4),
        ("array_map", include, 4),
    ]
    assert found["eval"][0] == [
        ("usleep", f"{arena.site}/eval.php(3) : eval()'d code", 1),
        ("[INCLUDE_OR_EVAL]", f"{arena.site}/eval.php", 3),
        ("run", f"{arena.site}/eval.php", 4),
    ]
    assert len(daemon.log.find(r"NOTICE: finished trace of \d+$")) == len(SCRIPTS)


@as_user
@pytest.mark.parametrize(
    "settings",
    [
        {"opcache.enable": "0"},
        {"opcache.enable": "1", "opcache.jit": "tracing", "opcache.jit_buffer_size": "32M"},
        {"opcache.enable": "1", "opcache.jit": "function", "opcache.jit_buffer_size": "32M"},
    ],
    ids=["no-opcache", "jit-tracing", "jit-function"],
)
def test_however_the_engine_runs_the_code(arena, daemon, settings):
    scripts = {name: SCRIPTS[name] for name in ("sleep", "busy", "sort", "generator", "deep")}
    definitions = [word for name, value in settings.items() for word in ("-d", f"{name}={value}")]
    start_all(daemon, *definitions, **{"pm.max_children": str(len(scripts))})
    check_calls(arena, run_all(arena, daemon, scripts), scripts)


@as_root
@pytest.mark.skipif(not os.access(REFERENCE, os.X_OK), reason="php-fpm8.2 is not installed")
def test_the_same_calls_as_php_fpm_sees(arena, daemon):
    scripts = {name: script for name, script in SCRIPTS.items() if name != "sleep"}
    start_all(daemon)
    ours = run_all(arena, daemon, scripts)
    reference = arena.daemon("r")
    reference.compare_descriptors = False
    with_slow_log(reference, **{"pm.max_children": str(len(scripts))})
    reference.start(command=[REFERENCE, "-y", reference.conf, "-F"])
    assert run_all(arena, reference, scripts) == ours


def test_recursion_that_never_rests_shows_its_outer_calls(arena, daemon):
    with_slow_log(daemon, request_slowlog_trace_depth="100").start()
    code = (
        "<?php\nfunction fib($n) { return $n < 2 ? $n : fib($n - 1) + fib($n - 2); }\n"
        "function outer() {\n  do { fib(18); clearstatcache(); } while (!file_exists($_GET['go']));\n}\n"
        "outer();\necho 'done';"
    )
    go = f"{arena.scratch}/go"
    path = arena.script("fib.php", code)
    running = daemon.get_in_background(path, query=f"go={go}")
    script, calls, remarks = one_entry(daemon)
    with open(go, "w", encoding="ascii"):
        pass
    assert running.result().text == "done"
    assert script == arena.site + path
    assert calls[-1] == ("outer", script, 6)
    assert set(calls[:-1]) <= {("fib", script, 2), ("fib", script, 4)}, calls
    assert remarks in ([], ["+++ the script ran on meanwhile: its innermost calls are missing"])


def nap(arena, name="nap.php", before=""):
    return arena.script(name, f"<?php {before}\nfunction nap() {{ sleep(2); }}\nnap();\necho 'ok';")


def test_json(arena, daemon):
    with_slow_log(daemon, globals_={"log.format": "json"}).start()
    path = nap(arena)
    assert daemon.get(path, query="a=%22b").text == "ok"
    entry = json.loads(slow_log(daemon))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", entry.pop("time"))
    assert entry.pop("pid") > 0
    assert 1 <= entry.pop("elapsed") < 3
    script = arena.site + path
    assert entry == {
        "pool": "www",
        "reason": "slow",
        "method": "GET",
        "uri": path,
        "query": "a=%22b",
        "script": script,
        "frames": [
            {"function": "sleep", "file": script, "line": 2},
            {"function": "nap", "file": script, "line": 3},
        ],
        "broken": False,
        "moving": False,
    }


def test_names_cannot_forge_lines(arena, daemon):
    with_slow_log(daemon).start()
    path = arena.script("x\n+++ dump failed.php", "<?php sleep(2); echo 'ok';")
    assert daemon.get(path).text == "ok"
    script, calls, _ = one_entry(daemon)
    assert script == arena.site + path.replace("\n", "\\x0A")
    assert calls == [("sleep", script, 1)]


@as_root
def test_a_root_directory_of_its_own(arena, daemon):
    with_slow_log(daemon, chroot=arena.site).start()
    path = nap(arena)
    answer = daemon.get(path, more={"SCRIPT_FILENAME": path, "DOCUMENT_ROOT": "/"})
    assert answer.text == "ok"
    script, calls, _ = one_entry(daemon)
    assert (script, calls) == (path, [("sleep", path, 2), ("nap", path, 3)])


@as_root
def test_workers_do_not_stay_dumpable(arena, daemon):
    with_slow_log(daemon).start()
    for worker in daemon.workers():
        assert os.stat(f"/proc/{worker}/mem").st_uid == 0
        assert not [fd for fd in os.listdir(f"/proc/{worker}/fd") if is_memory(worker, fd)]


def is_memory(pid, fd):
    target = os.readlink(f"/proc/{pid}/fd/{fd}")
    return target.endswith("/mem") or target == "/proc"


def test_a_rotated_log_is_followed(arena, daemon):
    with_slow_log(daemon, **{"access.log": f"{daemon.dir}/access.log"}).start()
    path = nap(arena)
    assert daemon.get(path).text == "ok"
    os.rename(f"{daemon.dir}/www.slow", f"{daemon.dir}/www.slow.1")
    daemon.signal(signal.SIGUSR1)
    wait_until(lambda: os.path.exists(f"{daemon.dir}/www.slow"), "the new file")
    daemon.log.wait_for("access log file re-opened")
    assert daemon.get(path).text == "ok"
    assert names(one_entry(daemon)) == ["sleep", "nap"]
    assert os.stat(f"{daemon.dir}/www.slow").st_mode & 0o777 == 0o600


def test_a_slow_log_only_for_time_outs_may_be_impossible(daemon):
    daemon.allow_log("slowlog")
    with_slow_log(
        daemon,
        slowlog="/nowhere/slow.log",
        request_slowlog_timeout=None,
        request_terminate_timeout="5s",
    ).start()
    assert daemon.log.find(r"WARNING: Unable to create or open slowlog\(/nowhere/slow\.log\)")
    daemon.assert_serves()


# Runs a program with process_vm_readv(2) answering EPERM, as Yama or a container's filter may do.
WITHOUT_READING = """
import ctypes, os, struct, sys
number = {"x86_64": 310, "aarch64": 270}[os.uname().machine]
steps = [(0x20, 0, 0, 0), (0x15, 0, 1, number), (0x06, 0, 0, 0x00050001), (0x06, 0, 0, 0x7FFF0000)]
filter = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
program = struct.pack("HxxxxxxP", len(steps), ctypes.addressof(filter))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0  # PR_SET_NO_NEW_PRIVS
assert libc.prctl(22, 2, program, 0, 0) == 0  # PR_SET_SECCOMP
os.execv(sys.argv[1], sys.argv[1:])
"""


@both_users
def test_where_the_kernel_lets_nobody_read_other_processes(arena, daemon):
    with_slow_log(daemon)
    daemon.start(command=[sys.executable, "-c", WITHOUT_READING, *daemon.command("-F")])
    path = nap(arena)
    assert daemon.get(path).text == "ok"
    assert one_entry(daemon) == (
        arena.site + path,
        [("sleep", arena.site + path, 2), ("nap", arena.site + path, 3)],
        [],
    )


# Where 8.2's engine keeps its stack. The calls of FFI are over when the chain is cut.
CUT_THE_STACK = """<?php
$ffi = FFI::cdef('
    struct frame { char before[48]; unsigned long long previous; };
    struct globals { char before[488]; struct frame *current; };
    extern struct globals executor_globals;');
function nap($ffi) {
    $frame = $ffi->executor_globals->current;
    $right = $frame->previous;
    $frame->previous = 0xdead0000;
    sleep(2);
    $frame->previous = $right;
}
nap($ffi);
echo 'mended';
"""


@as_user
@pytest.mark.skipif(
    not glob.glob("/usr/lib/php/20220829/ffi.so"), reason="PHP 8.2's FFI is not installed"
)
def test_a_corrupted_stack_costs_a_line(arena, daemon):
    with_slow_log(daemon).start("-d", "ffi.enable=1")
    path = arena.script("cut.php", CUT_THE_STACK)
    assert daemon.get(path).text == "mended"
    assert one_entry(daemon) == (
        arena.site + path,
        [("sleep", arena.site + path, 10)],
        ["+++ dump failed"],
    )
    daemon.assert_serves()
