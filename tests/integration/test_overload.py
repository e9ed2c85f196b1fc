"""pm.queue_limit: who finds no free worker waits in the manager's line, or is answered by it."""

import collections
import json
import random
import signal
import socket
import time

import pytest

from harness import fastcgi as f
from harness import processes
from harness.background import Task
from harness.config import free_port
from harness.fixtures import both_users
from harness.program import muster_only
from harness.waiting import PATIENCE, pause, stays, wait_until

pytestmark = muster_only

NUMBER = "<?php echo 'n', $_GET['n'] ?? '';"
QUEUE = {"pm.queue_limit": "100", "pm.status_path": "/status", "ping.path": "/ping"}


def start(daemon, workers=1, **more):
    daemon.configure({"www": {"pm.max_children": str(workers), **QUEUE, **more}}).start()
    return daemon


@pytest.fixture
def occupy(arena, daemon):
    """Makes workers busy; they are let go at the end of the test, or by calling the result."""
    gates, tasks = [], []

    def begin(count=1):
        for _ in range(count):
            gate = arena.gate()
            tasks.append(daemon.get_in_background(gate.path, query=gate.query))
            gate.wait_started()
            gates.append(gate)
        return end

    def end(count=None):
        for gate in gates[:count]:
            gate.open()
        for task in tasks[:count]:
            assert task.result().text == "through the gate"
        del gates[:count], tasks[:count]

    yield begin
    end()


def send(daemon, path, query="", keep=False, body=b"", **more):
    connection = daemon.connect(timeout=20)
    params = daemon.params(path, query=query, **more)
    connection.send(f.request_bytes(params, body, keep=keep))
    return connection


def status(daemon):
    """As the saturated pool itself tells it."""
    with daemon.connect() as connection:
        answer = connection.ask(daemon.params("/status", query="json"))
    assert answer.ended
    return json.loads(answer.text)


def wait_depth(daemon, depth):
    wait_until(
        lambda: status(daemon)["queued requests"] == depth,
        lambda: f"{depth} in the line: {status(daemon)}",
    )


@both_users
def test_requests_wait_in_order_and_are_all_answered(arena, daemon, occupy):
    path = arena.script("n.php", NUMBER)
    start(daemon)
    release = occupy()
    waiting = []
    for n in range(20):
        waiting.append(send(daemon, path, f"n={n}"))
        wait_depth(daemon, n + 1)
    now = status(daemon)
    assert now["listen queue"] == 20
    assert now["max queued requests"] == 20
    assert now["queue limit"] == 100
    assert now["oldest queued request"] > 0
    release()
    for n, connection in enumerate(waiting):
        assert connection.read_response().text == f"n{n}"
        connection.close()
    wait_depth(daemon, 0)


def test_ping_and_status_are_answered_while_every_worker_is_busy(daemon, occupy):
    access = f"{daemon.dir}/access.log"
    start(daemon, workers=2, **{"access.log": access, "access.format": '"%m %r %s %R"'})
    occupy(2)
    with daemon.connect() as connection:
        for _ in range(3):
            answer = connection.ask(daemon.params("/ping"), keep=True)
            assert answer.ended and answer.text == "pong" and answer.status == 200
        assert status(daemon)["active processes"] == 2
    wait_until(
        lambda: open(access, encoding="utf-8").read().count("GET /ping 200") == 3,
        lambda: open(access, encoding="utf-8").read(),
    )


@both_users
def test_beyond_the_limit_everybody_is_told_to_come_back(arena, daemon, occupy):
    path = arena.script("n.php", NUMBER)
    access = f"{daemon.dir}/access.log"
    start(
        daemon,
        **{"pm.queue_limit": "3", "pm.queue_retry_after": "7s", "access.log": access},
    )
    release = occupy()
    waiting = [send(daemon, path, f"n={n}") for n in range(3)]
    wait_depth(daemon, 3)
    for _ in range(5):
        refused = send(daemon, path, "n=no")
        answer = refused.read_response()
        assert answer.ended and (answer.app_status, answer.protocol_status) == (0, 0)
        assert answer.status == 503
        assert answer.header("Status") == "503 Service Unavailable"
        assert answer.header("Retry-After") == "7"
        assert answer.text == "The server is busy.\n"
        assert refused.is_closed_by_server()
        refused.close()
    assert status(daemon)["queue limit rejections"] == 5
    release()
    assert [one.read_response().text for one in waiting] == ["n0", "n1", "n2"]
    for one in waiting:
        one.close()
    daemon.log.wait_for(r"WARNING: \[pool www\] \d request\(s\) answered with 503")
    with open(access, encoding="utf-8") as file:
        assert file.read().count('" 503') == 5


def test_a_refused_connection_can_be_kept(arena, daemon, occupy):
    path = arena.script("n.php", NUMBER)
    start(daemon, **{"pm.queue_limit": "1"})
    release = occupy()
    waiting = send(daemon, path, "n=1")
    wait_depth(daemon, 1)
    with daemon.connect() as connection:
        for _ in range(3):
            answer = connection.ask(daemon.params(path), keep=True)
            assert answer.ended and answer.status == 503
        release()
        assert waiting.read_response().text == "n1"
        answer = connection.ask(daemon.params(path, query="n=2"), keep=True)
        assert answer.ended and answer.text == "n2"
    waiting.close()


def test_an_upload_that_is_refused_gets_its_answer_whole(arena, daemon, occupy):
    path = arena.script("n.php", NUMBER)
    start(daemon, **{"pm.queue_limit": "1", "listen": f"127.0.0.1:{free_port()}"})
    occupy()
    waiting = send(daemon, path, "n=1")
    wait_depth(daemon, 1)
    body = b"x" * 3_000_000
    for keep in (False, True):
        with daemon.connect() as connection:
            params = daemon.params(path, "POST", more={"CONTENT_LENGTH": str(len(body))})
            sender = Task(connection.send, f.request_bytes(params, body, keep=keep))
            answer = connection.read_response()
            assert answer.ended and answer.status == 503
            sender.result()
            if not keep:
                assert connection.is_closed_by_server()
    waiting.close()


def test_who_waits_longer_than_the_timeout_is_told_to_come_back(arena, daemon, occupy):
    path = arena.script("n.php", NUMBER)
    start(daemon, **{"pm.queue_timeout": "1s"})
    occupy()
    begun = time.monotonic()
    waiting = [send(daemon, path, keep=keep) for keep in (False, True, False)]
    for connection in waiting:
        answer = connection.read_response()
        assert answer.ended and answer.status == 503 and answer.header("Retry-After") == "1"
        assert time.monotonic() - begun >= 1
        connection.close()
    now = status(daemon)
    assert now["queue timeout rejections"] == 3
    assert now["queue limit rejections"] == 0
    assert now["queued requests"] == 0


@pytest.mark.parametrize("kind", ["unix", "tcp", "reset"])
def test_who_hangs_up_costs_no_worker_anything(arena, daemon, occupy, kind):
    path = arena.script("n.php", NUMBER)
    access = f"{daemon.dir}/access.log"
    more = {} if kind == "unix" else {"listen": f"127.0.0.1:{free_port()}"}
    start(daemon, **{"access.log": access, "access.format": "%r %q"}, **more)
    release = occupy()
    waiting = [send(daemon, path, f"n={n}") for n in range(6)]
    wait_depth(daemon, 6)
    for connection in waiting[::2]:
        if kind == "reset":
            linger = b"\1\0\0\0\0\0\0\0"
            connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        connection.close()
    wait_depth(daemon, 3)
    assert status(daemon)["queue hang ups"] == 3
    release()
    for connection in waiting[1::2]:
        assert connection.read_response().text.startswith("n")
        connection.close()
    with open(access, encoding="utf-8") as file:
        ran = [line.strip() for line in file if line.startswith("/n.php")]
    assert ran == ["/n.php n=1", "/n.php n=3", "/n.php n=5"]


def test_a_half_sent_head_holds_nobody_up(arena, daemon, occupy):
    path = arena.script("n.php", NUMBER)
    start(daemon)
    release = occupy()
    data = f.request_bytes(daemon.params(path, query="n=slow"))
    slow = daemon.connect(timeout=20)
    slow.send(data[:40])
    silent = daemon.connect(timeout=20)
    quick = send(daemon, path, "n=quick")
    wait_depth(daemon, 1)
    slow.send(data[40:60])
    pause(0.05)
    slow.send(data[60:])
    wait_depth(daemon, 2)
    # Its place is where it came.
    release()
    assert slow.read_response().text == "nslow"
    assert quick.read_response().text == "nquick"
    silent.send(f.request_bytes(daemon.params(path, query="n=late")))
    assert silent.read_response().text == "nlate"
    for connection in (slow, quick, silent):
        connection.close()


def test_kept_alive_connections_stand_in_the_same_line(arena, daemon, occupy):
    path = arena.script("n.php", NUMBER)
    start(daemon)
    kept = [daemon.connect(timeout=20) for _ in range(3)]
    for connection in kept:
        assert connection.ask(daemon.params(path, query="n=0"), keep=True).text == "n0"
    release = occupy()
    order = []
    for n in range(3):
        kept[n].send(f.request_bytes(daemon.params(path, query=f"n=k{n}"), keep=True))
        wait_depth(daemon, 2 * n + 1)
        order.append(kept[n])
        order.append(send(daemon, path, f"n=f{n}"))
        wait_depth(daemon, 2 * n + 2)
    release()
    answers = [connection.read_response().text for connection in order]
    assert answers == ["nk0", "nf0", "nk1", "nf1", "nk2", "nf2"]
    for connection in order:
        connection.close()


def test_a_pool_that_can_grow_grows_first(arena, daemon):
    path = arena.script("n.php", NUMBER)
    gates = [arena.gate() for _ in range(3)]
    start(daemon, workers=3, **{"pm": "ondemand"})
    tasks = []
    for gate in gates:
        tasks.append(daemon.get_in_background(gate.path, query=gate.query))
        gate.wait_started()
    waiting = send(daemon, path, "n=1")
    wait_depth(daemon, 1)
    assert len(daemon.workers()) == 3
    for gate in gates:
        gate.open()
    assert waiting.read_response().text == "n1"
    waiting.close()
    assert all(task.result().text == "through the gate" for task in tasks)
    daemon.allow_log("server reached max_children")


def test_reload_hands_the_line_to_the_next_generation(arena, daemon, occupy):
    path = arena.script("n.php", NUMBER)
    start(daemon)
    release = occupy()
    waiting = []
    for n in range(10):
        waiting.append(send(daemon, path, f"n={n}"))
        wait_depth(daemon, n + 1)
    daemon.reload()
    # The new worker is free, the old one still busy.
    for n, connection in enumerate(waiting):
        assert connection.read_response().text == f"n{n}"
        connection.close()
    release()


def test_a_graceful_stop_finishes_the_line(arena, daemon, occupy):
    path = arena.script("n.php", NUMBER)
    start(daemon)
    release = occupy()
    waiting = [send(daemon, path, f"n={n}") for n in range(10)]
    wait_depth(daemon, 10)
    daemon.signal(signal.SIGQUIT)
    release()
    for n, connection in enumerate(waiting):
        assert connection.read_response().text == f"n{n}"
        connection.close()
    assert daemon.wait_exit() == 0


def test_off_by_default_nobody_but_workers_accepts(daemon, occupy):
    daemon.configure({"www": {"ping.path": "/ping", "pm.status_path": "/status"}}).start()
    release = occupy()
    connection = send(daemon, "/ping")
    connection.socket.setblocking(False)

    def silent():
        try:
            return connection.socket.recv(1) == b"never"
        except BlockingIOError:
            return True

    stays(silent, "the ping waits for a worker", 0.2)
    release()
    connection.socket.settimeout(10 * PATIENCE)
    assert connection.read_response().text == "pong"
    connection.close()
    assert "queue" not in [key.split()[0] for key in status(daemon)]


def test_nobody_is_overtaken_around_the_point_of_saturation(arena, daemon):
    path = arena.script("start.php", "<?php echo hrtime(true); usleep(mt_rand(0, 800));")
    start(daemon)
    chance = random.Random(6)
    waiting, starts = collections.deque(), []
    slow = set()  # who pauses before it asks loses its place to others

    def take():
        connection = waiting.popleft()
        answer = connection.read_response()
        connection.close()
        assert answer.ended and answer.status == 200, answer.stdout
        if connection not in slow:
            starts.append(int(answer.text))

    for _ in range(1000):
        began = time.monotonic()
        waiting.append(send(daemon, path))
        if time.monotonic() - began > 0.002:
            slow.add(waiting[-1])
        if len(waiting) > chance.randrange(60):
            take()
        pause(chance.random() / 1500)
    while waiting:
        take()
    assert starts == sorted(starts)
    assert len(starts) > 100
    wait_depth(daemon, 0)
    now = status(daemon)
    assert now["queue hang ups"] == now["queue limit rejections"] == 0


def test_only_who_was_being_served_is_lost_when_workers_are_killed(arena, daemon):
    path = arena.script("n.php", "<?php usleep(500); echo 'n', $_GET['n'];")
    start(daemon, workers=3, **{"pm.max_requests": "30"})
    daemon.allow_log("exited on signal 9")
    killed, lost, waiting = 0, 0, collections.deque()

    def take():
        n, connection = waiting.popleft()
        answer = connection.read_response()
        connection.close()
        assert not answer.ended or answer.text == f"n{n}"
        return 0 if answer.ended else 1

    for n in range(900):
        waiting.append((n, send(daemon, path, f"n={n}")))
        if n % 60 == 30:
            victim = next(iter(daemon.workers()), None)
            if victim is not None:
                processes.kill_hard(victim)
                killed += 1
        if len(waiting) > 40:
            lost += take()
    while waiting:
        lost += take()
    assert killed > 0
    assert lost <= killed
    daemon.wait_workers(3)
    wait_depth(daemon, 0)


def test_through_nginx_a_refusal_keeps_its_header(arena, daemon, occupy):
    arena.script("n.php", NUMBER)
    start(daemon, **{"pm.queue_limit": "2", "pm.queue_retry_after": "3s"})
    nginx = arena.nginx(daemon.address())
    release = occupy()
    waiting = [Task(nginx.get, f"/n.php?n={n}") for n in range(2)]
    wait_depth(daemon, 2)
    refused, _, headers = nginx.get("/n.php?n=no")
    assert (refused, headers["Retry-After"]) == (503, "3")
    assert nginx.get("/ping")[:2] == (200, b"pong")
    release()
    assert sorted(task.result()[1] for task in waiting) == [b"n0", b"n1"]
