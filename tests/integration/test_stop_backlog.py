"""A graceful stop serves whoever waits to be accepted, refuses whoever comes later, loses nobody."""

import os
import signal
import socket
import threading

import pytest

from harness import fastcgi, processes
from harness.config import free_port
from harness.fixtures import both_users
from harness.program import muster_only
from harness.waiting import PATIENCE, wait_until

pytestmark = muster_only

MANAGERS = {
    "static": {"pm": "static"},
    "dynamic": {
        "pm": "dynamic",
        "pm.start_servers": "1",
        "pm.min_spare_servers": "1",
        "pm.max_spare_servers": "1",
    },
    "ondemand": {"pm": "ondemand"},
    "one-request-each": {"pm": "static", "pm.max_requests": "1"},
}
every_manager = pytest.mark.parametrize("manager", MANAGERS)
both_kinds = pytest.mark.parametrize("kind", ["unix", "tcp"])


def configure(daemon, kind, manager="static", workers=1, globals_=None):
    pool = {"pm.max_children": str(workers), **MANAGERS[manager]}
    if kind == "tcp":
        pool["listen"] = f"127.0.0.1:{free_port()}"
    return daemon.configure(
        {"www": pool}, {"process_control_timeout": "120s", "log_level": "debug", **(globals_ or {})}
    )


def busy(arena, daemon):
    gate = arena.gate()
    answer = daemon.get_in_background(gate.path, query=gate.query)
    gate.wait_started()
    return gate, answer


def queue_up(daemon, count, path):
    """Clients that have sent all they have to say to a pool that does not accept just now."""
    waiting = []
    for _ in range(count):
        connection = daemon.connect(timeout=60.0)
        connection.send(fastcgi.request_bytes(daemon.params(path)))
        waiting.append(connection)
    return waiting


def finish(daemon):
    daemon.signal(signal.SIGQUIT)
    daemon.log.wait_for(r"Finishing \.\.\.")


def is_refused(daemon):
    """A connection is not merely let into a queue that nobody serves."""
    try:
        daemon.connect(timeout=5.0).close()
    except (ConnectionRefusedError, FileNotFoundError):
        return True
    except TimeoutError:
        return False
    return False


@both_kinds
@every_manager
def test_who_waits_at_the_stop_is_served(arena, daemon, kind, manager):
    configure(daemon, kind, manager).start()
    gate, answer = busy(arena, daemon)
    path = arena.script("last.php", "<?php echo 'last orders';")
    waiting = queue_up(daemon, 7, path)
    finish(daemon)
    gate.open()
    assert answer.result().text == "through the gate"
    for connection in waiting:
        response = connection.read_response()
        assert (response.text, response.ended) == ("last orders", True)
        connection.close()
    assert daemon.wait_exit() == 0


@both_users
def test_who_comes_later_is_refused_while_requests_finish(arena, daemon):
    configure(daemon, "unix").start()
    gate, answer = busy(arena, daemon)
    finish(daemon)
    wait_until(lambda: is_refused(daemon), "refused")
    assert not os.path.exists(daemon.address())
    gate.open()
    assert answer.result().ended
    assert daemon.wait_exit() == 0


def test_who_comes_later_over_tcp_is_refused_while_requests_finish(arena, daemon):
    configure(daemon, "tcp").start()
    gate, answer = busy(arena, daemon)
    finish(daemon)
    wait_until(lambda: is_refused(daemon), "refused", 15)
    gate.open()
    assert answer.result().ended
    assert daemon.wait_exit() == 0


@both_kinds
@pytest.mark.parametrize("manager", ["static", "ondemand"])
def test_everybody_is_answered_or_refused_under_load(arena, daemon, kind, manager):
    """No connection that was established ends without its answer."""
    configure(daemon, kind, manager, workers=2).start()
    path = arena.script("short.php", "<?php usleep(2000); echo 'served';")
    served, broken = [], []

    def client():
        while True:
            try:
                connection = daemon.connect(timeout=60.0)
            except (ConnectionRefusedError, FileNotFoundError, TimeoutError):
                return
            with connection:
                try:
                    response = connection.ask(daemon.params(path))
                    whole = response.ended and response.text == "served"
                    (served if whole else broken).append(response.stdout)
                except OSError as error:
                    broken.append(repr(error))

    clients = [threading.Thread(target=client, daemon=True) for _ in range(12)]
    for thread in clients:
        thread.start()
    wait_until(lambda: len(served) > 100, lambda: f"answers: {len(served)}, {broken[:3]}", 30)
    daemon.signal(signal.SIGQUIT)
    assert daemon.wait_exit(60) == 0
    for thread in clients:
        thread.join(60 * PATIENCE)
    assert not any(thread.is_alive() for thread in clients)
    assert not broken


def test_more_workers_are_started_for_the_last_orders(arena, daemon):
    """As many as the pool may have: those who wait do not stand behind the slowest request."""
    configure(daemon, "unix", "ondemand", workers=3).start()
    gates = [arena.gate() for _ in range(3)]
    processes.send(daemon.managers()["www"], signal.SIGSTOP)
    waiting = []
    for gate in gates:
        connection = daemon.connect(timeout=60.0)
        params = daemon.params(gate.path, query=gate.query)
        connection.send(fastcgi.request_bytes(params))
        waiting.append(connection)
    finish(daemon)
    processes.send(daemon.managers()["www"], signal.SIGCONT)
    for gate in gates:
        gate.wait_started()
    for gate in gates:
        gate.open()
    assert [connection.read_response().text for connection in waiting] == ["through the gate"] * 3
    assert daemon.wait_exit() == 0


def test_head_that_is_on_its_way_is_waited_for(arena, daemon):
    """On a worker or parked: its other half comes after the stop."""
    configure(daemon, "unix", workers=2).start()
    gate, answer = busy(arena, daemon)
    path = arena.script("last.php", "<?php echo 'last orders';")
    whole = fastcgi.request_bytes(daemon.params(path))
    half = daemon.connect(timeout=60.0)
    half.send(whole[:40])
    daemon.assert_serves()  # the other worker is free for others meanwhile
    finish(daemon)
    half.send(whole[40:])
    assert half.read_response().text == "last orders"
    gate.open()
    assert answer.result().ended
    assert daemon.wait_exit() == 0


@both_kinds
def test_last_orders_end_with_process_control_timeout(arena, daemon, kind):
    configure(daemon, kind, globals_={"process_control_timeout": "1s"}).start()
    _, answer = busy(arena, daemon)
    waiting = queue_up(daemon, 3, arena.script("last.php", "<?php echo 'last orders';"))
    finish(daemon)
    assert daemon.wait_exit() == 0
    assert not answer.result().ended
    assert not any(connection.read_response().ended for connection in waiting)


@both_kinds
def test_fast_stop_waits_for_nobody(arena, daemon, kind):
    configure(daemon, kind).start()
    busy(arena, daemon)
    waiting = queue_up(daemon, 3, arena.script("last.php", "<?php echo 'last orders';"))
    daemon.signal(signal.SIGTERM)
    assert daemon.wait_exit() == 0
    assert not any(connection.read_response().ended for connection in waiting)


def test_second_signal_ends_last_orders(arena, daemon):
    configure(daemon, "unix").start()
    busy(arena, daemon)
    waiting = queue_up(daemon, 3, arena.script("last.php", "<?php echo 'last orders';"))
    finish(daemon)
    daemon.signal(signal.SIGTERM)
    assert daemon.wait_exit() == 0
    assert not any(connection.read_response().ended for connection in waiting)


def test_worker_that_dies_amid_last_orders_is_replaced(arena, daemon):
    configure(daemon, "unix").start()
    gate, _ = busy(arena, daemon)
    waiting = queue_up(daemon, 3, arena.script("last.php", "<?php echo 'last orders';"))
    finish(daemon)
    (worker,) = daemon.workers()
    processes.send(worker, signal.SIGKILL)
    assert [connection.read_response().text for connection in waiting] == ["last orders"] * 3
    assert daemon.wait_exit() == 0
    gate.open()


def test_who_waits_for_a_start_is_served_before_the_stop(arena, daemon):
    """QUIT comes before any manager is ready; one pool is waited at, the other is not."""
    gate, begun = f"{arena.scratch}/go", f"{arena.scratch}/begun"
    preload = f"{arena.site}/preload.php"
    with open(preload, "w", encoding="ascii") as file:
        file.write(
            f"<?php touch('{begun}'); while (!file_exists('{gate}')) "
            "{ usleep(5000); clearstatcache(); }"
        )
    configure(daemon, "unix")
    user = daemon.identity.worker_name
    daemon.start(
        "-d", f"opcache.preload={preload}", "-d", f"opcache.preload_user={user}", wait=False
    )
    wait_until(lambda: os.path.exists(begun), "the manager loads", 15)
    (waiting,) = queue_up(daemon, 1, arena.script("last.php", "<?php echo 'last orders';"))
    finish(daemon)
    with open(gate, "w", encoding="ascii"):
        pass
    assert waiting.read_response().text == "last orders"
    assert daemon.wait_exit(30) == 0
    assert not daemon.log.find("ready to handle connections")


def test_successor_serves_while_the_last_requests_finish(arena, daemon):
    """The same paths, another process: what a restart by hand does."""
    configure(daemon, "unix").start()
    gate, answer = busy(arena, daemon)
    finish(daemon)
    wait_until(lambda: not os.path.exists(daemon.address()), "the socket file is gone")
    successor = arena.daemon("s")
    successor.configure({"www": {"listen": daemon.address()}}, {"pid": daemon.pid_file}).start()
    successor.pid_file = daemon.pid_file
    successor.assert_serves()
    gate.open()
    assert answer.result().ended
    assert daemon.wait_exit() == 0
    successor.assert_serves()
    with open(daemon.pid_file, encoding="ascii") as file:
        assert int(file.read()) == successor.master


def test_socket_that_others_have_keeps_its_queue(arena, daemon):
    """What FPM_SOCKETS brought is not closed to newcomers: whoever holds it goes on with it."""
    configure(daemon, "unix")
    path = daemon.address()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        os.chmod(path, 0o666)
        listener.listen(16)
        os.set_inheritable(listener.fileno(), True)
        environment = {**os.environ, "FPM_SOCKETS": f"{path}={listener.fileno()}"}
        daemon.start(env=environment, close_fds=False)
        gate, answer = busy(arena, daemon)
        (waiting,) = queue_up(daemon, 1, arena.script("last.php", "<?php echo 'last orders';"))
        finish(daemon)
        with daemon.connect() as late:
            gate.open()
            assert answer.result().ended
            assert daemon.wait_exit() == 0
            listener.settimeout(10 * PATIENCE)
            first, _ = listener.accept()
            second, _ = listener.accept()
            assert first.recv(1) == b"\x01"
            first.close()
            second.close()
            late.close()
        waiting.close()
