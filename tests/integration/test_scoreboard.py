"""The scoreboard is written by workers that may die or lie: nobody else suffers from it."""

from harness import processes
from harness.background import Load
from harness.program import Identity, muster_only
from harness.waiting import wait_until


def test_scoreboard_survives_workers_killed_at_any_moment(arena, daemon):
    """Kills under load: sooner or later one hits in the middle of a scoreboard write."""
    daemon.allow_log("exited on signal 9")
    daemon.configure({"www": {"pm.max_children": "3", "pm.status_path": "/status"}}).start()
    quick = arena.script("quick.php", "<?php echo 'quick';")

    def ask():
        try:
            daemon.get(quick)
        except OSError:
            pass  # that one's worker was killed

    with Load(ask, clients=3) as load:
        for _ in range(15):
            workers = wait_until(daemon.workers, "workers", 15)
            processes.kill_hard(max(workers))
            load.wait_for_more(3)
    daemon.wait_workers(3, timeout=20)

    def sane():
        status = daemon.status()
        return (
            status["total processes"] == 3
            and status["active processes"] == 1
            and {p["pid"] for p in status["processes"]} == daemon.workers()
        )

    wait_until(sane, lambda: daemon.status(), 5)
    assert daemon.status()["accepted conn"] >= 3


@muster_only
def test_worker_that_scribbles_over_the_scoreboard_harms_nobody(arena, identity):
    """A worker overwrites all shared memory it finds, not only its own slot."""
    # Only a process that never changed its user may open its own memory.
    daemon = arena.daemon("noise", Identity("user"))
    daemon.allow_log("exited on signal", "scoreboard", "slot", "exited with code")
    code = """<?php
        $mem = fopen('/proc/self/mem', 'r+b');
        $hit = 0;
        foreach (file('/proc/self/maps') as $line) {
            if (preg_match('~^([0-9a-f]+)-([0-9a-f]+) rw-s .*memfd:~', $line, $m)) {
                fseek($mem, hexdec($m[1]));
                fwrite($mem, random_bytes(hexdec($m[2]) - hexdec($m[1])));
                $hit++;
            }
        }
        fflush($mem);
        echo $hit;"""
    daemon.configure(
        {
            "www": {"pm.status_path": "/status", "pm.max_children": "3"},
            "other": {"pm.status_path": "/status", "pm.max_children": "2"},
        }
    ).start()
    others = daemon.wait_workers(2, "other")
    manager = daemon.managers()["other"]
    path = arena.script("noise.php", code)
    for _ in range(5):
        try:
            assert int(daemon.get(path).text or 1) >= 1
        except OSError:
            pass  # the scribbler may be ended for it
        answer = daemon.get("/status", query="full")
        if answer.status == 200 and answer.body:
            assert answer.text.startswith("pool:")
        assert daemon.status("other")["total processes"] == 2
    assert daemon.workers("other") == others
    assert daemon.managers()["other"] == manager
    for pid in daemon.workers():
        processes.kill_hard(pid)
    daemon.wait_workers(3, timeout=20)
    daemon.assert_serves()
    daemon.reload()
    daemon.assert_serves()
