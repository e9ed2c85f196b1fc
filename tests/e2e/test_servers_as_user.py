"""Every web server and muster run by an ordinary user: the sample configurations need no root."""

import pytest

from harness import config
from harness.fixtures import as_user

pytest.register_assert_rewrite("servers")

from servers import SERVERS  # noqa: E402
from servers.cases import CASES  # noqa: E402
from servers.front import Front  # noqa: E402

SOME = ("hello", "path_info", "index_file", "multipart_upload", "two_megabytes", "ping_and_status")


@as_user
@pytest.mark.parametrize("name", SERVERS)
def test_requests_of_every_kind(arena, daemon, name):
    kind = SERVERS[name]
    if not kind.is_installed():
        pytest.skip(f"{kind.program} is not installed")
    listen = {"listen": f"127.0.0.1:{config.free_port()}"} if kind.listens_on == "tcp" else {}
    pages = {"pm.status_path": "/status", "ping.path": "/ping"}
    daemon.configure({kind.listens_on: {**listen, **pages, "pm.max_children": "2"}}).start()
    server = kind(arena, daemon.address(kind.listens_on)).start()
    try:
        for case in SOME:
            CASES[case](Front(server, daemon, is_oracle=False))
    finally:
        server.stop()
