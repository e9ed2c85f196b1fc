"""Forged requests in every place where only bytes belong: none of them ever runs.

The streams are made and judged by `smuggle` (native/smuggling/); each is one case and follows from
MUSTER_TEST_SEED (1) and its number, so `smuggle ADDRESS SCRIPTS SEED 1 NUMBER` sends it again.
MUSTER_SMUGGLING_CASES: how many.
"""

import os
import signal
import subprocess
import threading

from harness.background import Task
from harness.program import muster_only
from harness.waiting import PATIENCE, wait_until

CASES = int(os.environ.get("MUSTER_SMUGGLING_CASES", "2000"))
SEED = os.environ.get("MUSTER_TEST_SEED", "1")

SMUGGLE = r"""<?php
// Tells which request this is and what it got of its body: <nonce|action|length|crc32>.
[$nonce, $action] = [$_GET['n'] ?? '', $_GET['do'] ?? ''];
function tell(string $got): void {
    global $nonce, $action;
    echo "<$nonce|$action|", strlen($got), '|', crc32($got), '>';
}
function take(int $n): string {
    $body = fopen('php://input', 'rb');
    for ($got = ''; strlen($got) < $n && ($piece = fread($body, $n - strlen($got))) != ''; ) {
        $got .= $piece;
    }
    return $got;
}
switch ($action) {
    case 'all':
        tell(file_get_contents('php://input'));
        break;
    case 'half':
        tell(take(intdiv((int) ($_SERVER['CONTENT_LENGTH'] ?? 0), 2)));
        break;
    case 'part':
        tell(take(10));
        break;
    case 'exit':
        tell('');
        exit(7);
    case 'fatal':
        tell('');
        no_such_function();
    case 'throw':
        tell('');
        throw new Exception('thrown');
    case 'memory':
        tell('');
        ini_set('memory_limit', '8M');
        $much = str_repeat('x', 64 << 20);
        break;
    case 'time':
        tell('');
        set_time_limit(1);
        while (true);
    case 'finish':
        tell('');
        fastcgi_finish_request();
        $late = file_get_contents('php://input');
        echo "<late|$nonce|>";
        break;
    default:
        tell('');
}
"""


def prepare(arena):
    mark = f"{arena.scratch}/forged"
    arena.script("smuggle.php", SMUGGLE)
    arena.script(
        "forged.php",
        f"<?php file_put_contents('{mark}', '!', FILE_APPEND); echo 'A FORGED ', 'REQUEST RAN';",
    )
    arena.script("text.txt", "never shown")
    return mark


def smuggle(daemon, cases):
    """0: all answered and right; 2: some closed early; 1: anything else."""
    program = os.path.join(os.path.dirname(os.environ["MUSTER_BINARY"]), "smuggle")
    return subprocess.run(
        [program, daemon.address(), daemon.arena.site, SEED, str(cases)],
        capture_output=True,
        text=True,
        timeout=250 * PATIENCE,
        check=False,
    )


def every(seconds, act, stop):
    while not stop.wait(seconds):
        act()


def configure(arena, daemon):
    mark = prepare(arena)
    daemon.configure(
        {
            "www": {
                "pm.max_children": "4",
                "pm.max_requests": "700",
                "pm.status_path": "/status",
                "ping.path": "/ping",
            }
        }
    ).start()
    return mark


@muster_only
def test_forged_requests_never_run_and_honest_ones_are_answered(arena, daemon):
    """Workers retire and generations change meanwhile: connections are handed on all the time."""
    mark = configure(arena, daemon)
    stop = threading.Event()
    reloads = threading.Thread(target=every, args=(2, lambda: daemon.signal(signal.SIGUSR2), stop))
    reloads.start()
    try:
        result = smuggle(daemon, CASES)
    finally:
        stop.set()
        reloads.join()
    assert result.returncode == 0, result.stdout + result.stderr
    assert not os.path.exists(mark)
    daemon.assert_serves()


@muster_only
def test_nothing_forged_runs_while_the_daemon_drains(arena, daemon):
    mark = configure(arena, daemon)
    sending = Task(smuggle, daemon, CASES)
    wait_until(lambda: daemon.status()["accepted conn"] > 500, "requests are served", 20)
    daemon.signal(signal.SIGQUIT)
    assert daemon.wait_exit(15) == 0
    result = sending.result(60)
    assert result.returncode in (0, 2), result.stdout + result.stderr
    assert not os.path.exists(mark)
