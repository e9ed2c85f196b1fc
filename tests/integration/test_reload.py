"""USR2 under load: nothing is refused, nothing is lost, a bad configuration changes nothing."""

import os
import signal
import socket

from harness import processes
from harness.background import Load
from harness.fixtures import both_users
from harness.program import is_reference, muster_only
from harness.waiting import pause, wait_until

TWO = {"www": {"pm.max_children": "2", "pm.status_path": "/status"}}


@both_users
@muster_only
def test_no_request_fails_over_several_reloads(arena, daemon):
    path = arena.script("work.php", "<?php usleep(20000); echo 'worked';")
    daemon.configure(TWO).start()
    nginx = arena.nginx(daemon.address())
    seen = [daemon.wait_workers(2)]
    with nginx.load(path, b"worked", clients=4) as load:
        for _ in range(6):
            daemon.reload()
            load.wait_for_more(20)
            wait_until(lambda: not seen[-1] & daemon.workers(), "the old workers leave")
            seen.append(daemon.wait_workers(2))
    load.assert_no_failures()
    assert len(set().union(*seen)) == 14, "every generation has new workers"


@muster_only
def test_no_request_fails_on_direct_connections(arena, daemon):
    path = arena.script("work.php", "<?php usleep(5000); echo 'worked';")
    daemon.configure(TWO).start()

    def ask():
        answer = daemon.get(path)
        return None if answer.text == "worked" and answer.ended else repr(answer.stdout)

    with Load(ask, clients=4) as load:
        for _ in range(8):
            daemon.reload()
            load.wait_for_more(20)
    load.assert_no_failures()


def test_master_and_pid_file_stay(daemon):
    daemon.configure(TWO).start()
    workers = daemon.wait_workers(2)
    daemon.reload()
    assert daemon.poll() is None
    with open(daemon.pid_file, encoding="ascii") as file:
        assert file.read() == str(daemon.master)
    wait_until(lambda: not workers & daemon.workers(), "the old workers leave")
    daemon.wait_workers(2)
    daemon.assert_serves()
    assert daemon.log.find(r"NOTICE: Reloading in progress \.\.\.")


@muster_only
def test_counters_do_not_go_back(arena, daemon):
    """What an old worker counts while it is replaced may come a moment later, but it comes."""
    path = arena.script("quick.php", "<?php echo 'quick';")
    daemon.configure(TWO).start()
    first = daemon.status()
    started, seen = first["start time"], first["accepted conn"]
    sent = seen
    for _ in range(3):
        for _ in range(5):
            assert daemon.get(path).text == "quick"
        sent += 5
        daemon.reload()

        def all_counted():
            nonlocal sent, seen
            sent += 1
            status = daemon.status()
            assert status["start time"] == started
            assert seen < status["accepted conn"] <= sent
            seen = status["accepted conn"]
            return seen == sent

        wait_until(all_counted, "every request is counted")


@both_users
def test_new_configuration_is_in_force(arena, daemon):
    path = arena.script("env.php", "<?php echo getenv('COLOUR');")
    daemon.configure({"www": {"env[COLOUR]": "red"}}).start()
    assert daemon.get(path).text == "red"
    daemon.configure({"www": {"env[COLOUR]": "blue", "pm.max_children": "3"}})
    daemon.compare_descriptors = False
    daemon.reload()
    wait_until(lambda: daemon.get(path).text == "blue", "the new environment")
    daemon.wait_workers(3)


@both_users
@muster_only
def test_bad_configuration_keeps_serving_and_is_named(arena, daemon):
    path = arena.script("quick.php", "<?php echo 'quick';")
    daemon.configure(TWO).start()
    good = daemon.text
    workers = daemon.wait_workers(2)
    nginx = arena.nginx(daemon.address())
    daemon.allow_log(r"\] ERROR: ")
    with nginx.load(path, b"quick") as load:
        mark = daemon.log.mark()
        daemon.write(good + "pm.max_childrn = 9\nrequest_terminate_timeout = 5w\n")
        daemon.signal(signal.SIGUSR2)
        place = f"{daemon.conf}:{daemon.line_of('pm.max_childrn')}".replace(".", r"\.")
        daemon.log.wait_for(rf"ERROR: \[{place}\] unknown entry 'pm.max_childrn'", since=mark)
        daemon.log.wait_for("ERROR: .*did you mean 'pm.max_children'", since=mark)
        daemon.log.wait_for("ERROR: .*unknown suffix used in time value", since=mark)
        load.wait_for_more(50)
        assert daemon.workers() == workers, "nothing that runs was changed"
    load.assert_no_failures()
    daemon.write(good)
    daemon.reload()
    daemon.assert_serves()


@muster_only
def test_reload_that_cannot_bind_changes_nothing(arena, daemon):
    daemon.configure(TWO).start()
    workers = daemon.wait_workers(2)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        daemon.configure({**TWO, "new": {"listen": f"127.0.0.1:{port}"}, "other": {}})
        daemon.signal(signal.SIGUSR2)
        daemon.log.wait_for(rf"ERROR: .*unable to bind listening socket.*127\.0\.0\.1:{port}")
        daemon.allow_log(r"\] ERROR: ")
        daemon.assert_serves()
        assert daemon.workers() == workers
        assert not os.path.exists(daemon.address("other"))


@both_users
def test_pools_and_sockets_are_added_and_removed(daemon):
    daemon.compare_descriptors = False
    daemon.configure({"www": {}, "old": {}}).start()
    daemon.assert_serves("old")
    gone = daemon.address("old")
    daemon.configure({"www": {}, "new": {}})
    daemon.reload()
    daemon.assert_serves("new")
    daemon.assert_serves("www")
    wait_until(lambda: not os.path.exists(gone), "the removed pool's socket file is gone")
    wait_until(lambda: not daemon.workers("old"), "the removed pool's workers are gone")
    daemon.wait_workers(1, "new")


@muster_only
def test_long_request_survives_and_others_go_on(arena, daemon):
    daemon.configure({"www": {"pm.max_children": "1"}}, {"process_control_timeout": "60s"})
    daemon.start()
    gate = arena.gate()
    request = daemon.get_in_background(gate.path, query=gate.query)
    old = gate.wait_started()
    daemon.reload()
    daemon.assert_serves()
    assert processes.is_alive(old)
    gate.open()
    assert request.result().text == "through the gate"
    assert request.result().ended
    wait_until(lambda: not processes.is_alive(old), "the old worker leaves after its request")


@muster_only
def test_straggler_is_ended_after_process_control_timeout(arena, daemon):
    daemon.configure(globals_={"process_control_timeout": "1s"}).start()
    gate = arena.gate()
    request = daemon.get_in_background(gate.path, query=gate.query)
    old = gate.wait_started()
    daemon.reload()
    wait_until(lambda: not processes.is_alive(old), "the straggler is ended", 10)
    assert not request.result().ended
    daemon.assert_serves()
    daemon.allow_log(rf"child {old} exited on signal 15")


def test_many_reloads_in_a_burst(arena, daemon):
    daemon.configure({"www": {"pm.max_children": "2"}}, {"process_control_timeout": "10s"})
    daemon.start()
    for _ in range(10):
        daemon.signal(signal.SIGUSR2)
    # The race windows of a reload, swept in steps of a millisecond.
    for milliseconds in range(25):
        pause(milliseconds / 1000)
        daemon.signal(signal.SIGUSR2)
        assert len(daemon.workers()) <= 6, "generations do not pile up"
    wait_until(lambda: len(daemon.workers()) == 2, "one generation remains", 15)
    daemon.assert_serves()
    daemon.reload()
    daemon.assert_serves()
    daemon.wait_workers(2)
    if not is_reference():
        wait_until(lambda: len(daemon.managers()) == 1, "one manager remains")


@muster_only
def test_burst_under_load_loses_nothing(arena, daemon):
    path = arena.script("quick.php", "<?php usleep(3000); echo 'quick';")
    daemon.configure(TWO).start()
    nginx = arena.nginx(daemon.address())
    with nginx.load(path, b"quick") as load:
        for milliseconds in range(0, 25, 3):
            pause(milliseconds / 1000)
            daemon.signal(signal.SIGUSR2)
        load.wait_for_more(100)
        daemon.reload()
        load.wait_for_more(50)
    load.assert_no_failures()


@muster_only
def test_stop_during_a_reload(daemon):
    daemon.configure(TWO).start()
    daemon.signal(signal.SIGUSR2)
    daemon.log.wait_for("Reloading in progress")
    daemon.signal(signal.SIGTERM)
    assert daemon.wait_exit() == 0
    assert not os.path.exists(daemon.address())
