"""Every web server of Debian × what browsers ask of it, with muster and with php-fpm behind it.

Each case says itself what must hold, and what it returns has to be equal for both daemons. The
servers run the sample configurations of packaging/."""

import pytest

from harness import config
from harness.daemon import Daemon
from harness.program import muster_only
from harness.shared import arena, daemon, identity  # noqa: F401

pytest.register_assert_rewrite("servers")

from servers import SERVERS  # noqa: E402
from servers.cases import CASES  # noqa: E402
from servers.front import Front  # noqa: E402

ORACLE = "/usr/sbin/php-fpm8.2"

pytestmark = muster_only


class PhpFpm(Daemon):
    """The other daemon of the same configuration."""

    def __init__(self, arena):
        super().__init__(arena, arena.identity, "fpm")
        self.compare_descriptors = False
        arena.daemons.append(self)

    def command(self, *arguments):
        return [ORACLE, "-y", self.conf, *arguments]


def pools(workers):
    common = {
        "pm.max_children": workers,
        "pm.status_path": "/status",
        "ping.path": "/ping",
        "security.limit_extensions": ".php",
        "php_admin_value[post_max_size]": "4M",
    }
    return {
        "unix": dict(common),
        "tcp": {**common, "listen": f"127.0.0.1:{config.free_port()}"},
    }


@pytest.fixture(scope="module")
def daemons(arena, daemon):
    """[muster, php-fpm]; php-fpm gives each kept-alive connection a worker of its own."""
    fpm = PhpFpm(arena)
    daemon.configure(pools("3")).start()
    fpm.configure(pools("20")).start()
    return daemon, fpm


@pytest.fixture(scope="module", params=SERVERS)
def fronts(request, arena, daemons):
    """The server of one kind before each of the daemons."""
    kind = SERVERS[request.param]
    if not kind.is_installed():
        pytest.skip(f"{kind.program} is not installed")
    made = []
    try:
        for number, daemon in enumerate(daemons):
            server = kind(arena, daemon.address(kind.listens_on))
            made.append(Front(server, daemon, is_oracle=number == 1))
            server.start()
        yield made
    finally:
        for front in made:
            front.server.stop()


def first_difference(theirs, mine, place="result"):
    """Where two nested results part, short enough to read."""
    if isinstance(mine, (list, tuple)) and isinstance(theirs, (list, tuple)):
        for number, (a, b) in enumerate(zip(theirs, mine)):
            if a != b:
                return first_difference(a, b, f"{place}[{number}]")
    return f"{place}: php-fpm {str(theirs)[:1500]!r}, muster {str(mine)[:1500]!r}"


@pytest.mark.parametrize("name", CASES)
def test_same_as_before_php_fpm(fronts, name):
    """php-fpm is asked first: what does not hold there is wrong with the case or the server."""
    results = []
    for front in reversed(fronts):
        try:
            results.append(CASES[name](front))
        except (AssertionError, OSError) as error:
            who = "php-fpm" if front.is_oracle else "muster"
            messages = front.server.messages()[-3000:]
            raise AssertionError(f"before {who}: {error!r}\n{messages}") from error
    assert results[0] == results[1], first_difference(*results)
