"""PHP behind a real nginx: both kinds of sockets, every process manager, keep-alive or not."""

import hashlib
import json
import os
import subprocess

import pytest

from harness.background import Load
from harness.config import free_port
from harness.fixtures import both_users
from harness.program import is_reference, muster_only

MANAGERS = {
    "static": {"pm": "static", "pm.max_children": "3"},
    "dynamic": {
        "pm": "dynamic",
        "pm.max_children": "5",
        "pm.start_servers": "2",
        "pm.min_spare_servers": "1",
        "pm.max_spare_servers": "3",
    },
    "ondemand": {
        "pm": "ondemand",
        "pm.max_children": "3",
        "pm.process_idle_timeout": "60s",
    },
}

PAGE = """<?php
header('X-Pid: ' . getmypid());
$body = file_get_contents('php://input');
echo json_encode([$_SERVER['REQUEST_METHOD'], $_GET, strlen($body), md5($body)]);"""


def curl(nginx, path, *options):
    """curl's standard output; it must succeed."""
    command = ["curl", "--silent", "--show-error", "--max-time", "30", *options]
    result = subprocess.run(
        [*command, f"http://127.0.0.1:{nginx.port}{path}"],
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.fixture(params=MANAGERS)
def manager(request):
    return MANAGERS[request.param]


@pytest.fixture(params=["unix", "tcp"])
def front(request, arena, daemon, manager):
    """nginx in front of a running daemon."""
    listen = {"listen": f"127.0.0.1:{free_port()}"} if request.param == "tcp" else {}
    daemon.configure(
        {"www": {**manager, **listen, "pm.status_path": "/status", "ping.path": "/ping"}}
    ).start()
    # php-fpm stalls when more connections are kept alive than it has workers.
    return arena.nginx(daemon.address(), keep=request.param == "tcp" and not is_reference())


def test_get_post_and_status(arena, daemon, front):
    path = arena.script("page.php", PAGE)
    assert json.loads(curl(front, path + "?a=1&b=two"))[:2] == ["GET", {"a": "1", "b": "two"}]
    assert json.loads(curl(front, path, "--data", "x=y"))[0::2] == ["POST", 3]
    assert json.loads(curl(front, path, "-X", "DELETE"))[0] == "DELETE"
    assert b"HTTP/1.1 200 OK" in curl(front, path, "--head")
    assert b"HTTP/1.1 404 Not Found" in curl(front, "/missing.php", "--head")
    assert curl(front, "/ping") == b"pong"
    status = json.loads(curl(front, "/status?json"))
    assert status["pool"] == "www" and status["accepted conn"] >= 6
    assert b"start since:" in curl(front, "/status")


def test_big_bodies_arrive_whole(arena, front):
    big = f"{arena.scratch}/big"
    content = os.urandom(3_000_000)
    with open(big, "wb") as file:
        file.write(content)
    path = arena.script("page.php", PAGE)
    digest = hashlib.md5(content).hexdigest()
    options = ["--data-binary", f"@{big}", "-H", "Content-Type: application/octet-stream"]
    assert json.loads(curl(front, path, *options))[2:] == [len(content), digest]
    # A chunked upload: nginx collects it and says how long it was.
    options += ["-H", "Transfer-Encoding: chunked"]
    assert json.loads(curl(front, path, *options))[2:] == [len(content), digest]
    download = arena.script("send.php", f"<?php readfile('{big}');")
    assert curl(front, download) == content


def test_many_clients(arena, front):
    path = arena.script("work.php", "<?php usleep(2000); echo 'worked';")
    with front.load(path, b"worked", clients=8) as load:
        load.wait_for_more(200)
    load.assert_no_failures()


@both_users
@pytest.mark.parametrize("keep", [False, True], ids=["close", "keep"])
def test_both_users_with_and_without_keep_alive(arena, daemon, keep):
    path = arena.script("page.php", PAGE)
    daemon.configure({"www": MANAGERS["static"]}).start()
    nginx = arena.nginx(daemon.address(), keep=keep)
    for n in range(30):
        status, body, _ = nginx.get(f"{path}?n={n}")
        assert status == 200 and json.loads(body)[1] == {"n": str(n)}


def test_two_pools_behind_one_nginx_host(arena, daemon):
    path = arena.script("who.php", "<?php echo getenv('WHO');")
    daemon.configure({"one": {"env[WHO]": "$pool"}, "two": {"env[WHO]": "$pool"}}).start()
    assert curl(arena.nginx(daemon.address("one")), path) == b"one"
    assert curl(arena.nginx(daemon.address("two")), path) == b"two"


def test_client_that_goes_away_does_not_hurt(arena, daemon):
    daemon.configure({"www": MANAGERS["static"]}).start()
    workers = daemon.wait_workers(3)
    path = arena.script("long.php", "<?php for (;;) { echo str_repeat('x', 8192); flush(); }")
    nginx = arena.nginx(daemon.address())
    for _ in range(3):
        result = subprocess.run(
            [
                "curl",
                "--silent",
                "--max-time",
                "0.5",
                "-o",
                "/dev/null",
                f"http://127.0.0.1:{nginx.port}{path}",
            ],
            timeout=30,
            check=False,
        )
        assert result.returncode == 28, "curl gives up by itself"
    daemon.assert_serves()
    assert daemon.workers() == workers


@muster_only
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("change", ["reload", "recycle"])
def test_no_request_is_lost_on_kept_alive_connections(arena, daemon, method, change):
    """Workers leave while nginx still holds, and uses, connections to them."""
    path = arena.script("quick.php", "<?php usleep(1000); echo 'quick';")
    directives = {"pm.max_requests": "20"} if change == "recycle" else {}
    daemon.configure({"www": {"pm.max_children": "4", **directives}}).start()
    nginx = arena.nginx(daemon.address(), keep=True)

    def ask():
        body = b"x=1" if method == "POST" else None
        status, answer, _ = nginx.get(path, method=method, body=body)
        return None if (status, answer) == (200, b"quick") else f"{status} {answer[:60]}"

    with Load(ask, clients=3) as load:
        for _ in range(6):
            if change == "reload":
                daemon.reload()
            load.wait_for_more(50)
    load.assert_no_failures()


def test_path_info_through_nginx(arena, daemon):
    path = arena.script("pi.php", "<?php echo $_SERVER['PATH_INFO'], ' ', $_SERVER['SCRIPT_NAME'];")
    daemon.start()
    assert curl(arena.nginx(daemon.address()), f"{path}/extra/x") == b"/extra/x /pi.php"


def test_stop_and_start_behind_a_running_nginx(arena, daemon):
    path = arena.script("page.php", "<?php echo 'back';")
    daemon.start()
    nginx = arena.nginx(daemon.address())
    assert nginx.get(path)[:2] == (200, b"back")
    daemon.signal(3)
    assert daemon.wait_exit() == 0
    nginx.allowed.append("connect\\(\\) to unix:")
    assert nginx.get(path)[0] == 502
    daemon.start()
    assert nginx.get(path)[:2] == (200, b"back")
