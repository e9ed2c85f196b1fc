"""Every web server's way to name a script × paths of every kind, with cgi.fix_pathinfo on and off."""

import random

import pytest

from compare import served
from compare.exchange import Request, coded, twins
from compare.fixtures import fail
from compare.site import PATHS
from compare.web_servers import STYLES, Asked
from harness.program import Identity

POOLS = {
    "fixed": {},
    "given": {"php_admin_value[cgi.fix_pathinfo]": "0"},
    "discarding": {
        "php_admin_value[cgi.fix_pathinfo]": "0",
        "php_admin_value[cgi.discard_path]": "1",
        "security.limit_extensions": '""',
    },
}
METHODS = ("GET", "GET", "GET", "POST", "HEAD", "PUT", "OPTIONS")


def named(data):
    """A path as part of a case's name."""
    text = "".join(chr(c) if 32 < c < 127 else f"<{c:02x}>" for c in data)
    return text if len(text) < 70 else f"{text[:40]}…{len(data)}"


def crossed(style, site, dice):
    for path in map(coded, PATHS):
        method = dice.choice(METHODS)
        body = b"p=1&q%5B%5D=2" if method in ("POST", "PUT") else b""
        query = dice.choice(("", "a=1&b=%20x", "lonely"))
        asked = Asked(site, path, method, query, body)
        yield Request(
            f"{style} {method} {named(path)}",
            STYLES[style](asked),
            body,
            keep=dice.random() < 0.9,
        )


@pytest.fixture(scope="module")
def both(programs):
    identity = Identity.own()
    with twins(programs, identity, POOLS) as daemons:
        yield daemons


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("style", STYLES)
def test_style(both, pool, style):
    requests = list(crossed(style, both.site, random.Random(f"{pool} {style}")))
    if pool == "discarding":
        requests = requests[::3]
    problems = both.ask(pool, requests)
    if problems:
        fail("\n".join(problems))


def test_as_an_ordinary_user(programs):
    """The daemon has no more rights than its workers; a log level that hides nothing."""
    identity = served.Identity("user")
    with twins(programs, identity, {"own": {}}, {"log_level": "debug"}) as daemons:
        requests = []
        for style in ("nginx_split", "apache_match", "minimal"):
            requests += crossed(style, daemons.site, random.Random(f"own {style}"))
        problems = daemons.ask("own", requests)
    if problems:
        fail("\n".join(problems))
