"""Parameters no web server would send: random sets of those that name the script, and hostile or broken ones."""

import random

import pytest

from compare.exchange import Request, twins
from compare.fixtures import fail
from harness.program import Identity

POOLS = {
    "fixed": {},
    "given": {"php_admin_value[cgi.fix_pathinfo]": "0"},
    "discarding": {
        "php_admin_value[cgi.fix_pathinfo]": "0",
        "php_admin_value[cgi.discard_path]": "1",
    },
    "rooted": {"php_admin_value[doc_root]": "{site}", "php_admin_value[user_dir]": "sub"},
}
SETS = {"fixed": 900, "given": 200, "discarding": 100, "rooted": 200}
NAMES = {
    "SCRIPT_FILENAME": 0.95,
    "PATH_TRANSLATED": 0.4,
    "PATH_INFO": 0.6,
    "SCRIPT_NAME": 0.8,
    "REDIRECT_URL": 0.3,
    "DOCUMENT_ROOT": 0.6,
    "SERVER_SOFTWARE": 0.2,
    "REQUEST_METHOD": 0.95,
    "ORIG_PATH_INFO": 0.1,
    "REQUEST_URI": 0.3,
}
SCRIPTS = ["/vars.php", "/sub/vars.php", "/x.php", "/vars.php", "/none.php", "/sub", "/sub/", "/dir.php",
           "/page.txt", "", "/", "/linked/vars.php", "/secret.php", "/~www-data/x.php"]  # fmt: skip
TAILS = [
    "",
    "",
    "",
    "/foo",
    "/foo/bar",
    "/",
    "//",
    "/1%202",
    "/a+b",
    "/..",
    "/../x",
    "/vars.php",
    "\\w",
    "/foo/",
]
PROXIES = ["proxy:fcgi://127.0.0.1:9000", "PROXY:FCGI://", "proxy:balancer://b", "proxy:fcgi://h",
           "proxy:unix:/s|fcgi://h", "proxy:http://h", "proxy:fcgi:/"]  # fmt: skip


def value(name, site, dice):
    path = dice.choice(SCRIPTS) + dice.choice(TAILS)
    if name == "SCRIPT_FILENAME":
        proxy = dice.choice(PROXIES) if dice.random() < 0.4 else ""
        query = dice.choice(("?q=1", "?")) if proxy and dice.random() < 0.3 else ""
        return dice.choice((proxy + site + path + query,) * 9 + (path, "", "/usr/bin/env"))
    if name == "PATH_TRANSLATED":
        return dice.choice((site + path, site + path, site, "", "redirect:" + path))
    if name in ("PATH_INFO", "ORIG_PATH_INFO"):
        return dice.choice((path, dice.choice(TAILS), dice.choice(TAILS), "/foo", "/1 2"))
    if name in ("SCRIPT_NAME", "REDIRECT_URL", "REQUEST_URI"):
        return dice.choice((path, path, "/vars.php", "/vars.php/1 2", "/vars.php/a b", "vars.php"))
    if name == "DOCUMENT_ROOT":
        return dice.choice((site, site, site + "/", "/", "", site + "/sub"))
    if name == "SERVER_SOFTWARE":
        return dice.choice(("Microsoft-IIS/7.5", "Microsoft-IIS", "microsoft-iis/6", "Apache"))
    return dice.choice(("GET", "GET", "GET", "HEAD", "POST", "get", ""))


def rolled(pool, site):
    dice = random.Random(f"sets of {pool}")
    for number in range(SETS[pool]):
        names = [name for name, chance in NAMES.items() if dice.random() < chance]
        dice.shuffle(names)
        params = [(name, value(name, site, dice)) for name in names]
        shown = " ".join(f"{name}={text.replace(site, '{site}')}" for name, text in params)
        yield Request(f"{number} {shown}"[:150], params, reason_differs=pool == "rooted")


def picked(site):
    """[(what, parameters, more of the request)]"""
    script = ("SCRIPT_FILENAME", f"{site}/dump.php")
    get = ("REQUEST_METHOD", "GET")
    usual = [script, get, ("SCRIPT_NAME", "/dump.php"), ("DOCUMENT_ROOT", site)]
    yield "nothing", [], {}
    yield "nothing but a method", [get], {}
    yield "nothing but a script", [script], {}
    yield "empty script", [("SCRIPT_FILENAME", ""), get], {}
    yield "empty script and translation", [
        ("SCRIPT_FILENAME", ""),
        ("PATH_TRANSLATED", f"{site}/dump.php"),
        get,
    ], {}
    yield "empty method", [script, ("REQUEST_METHOD", "")], {}
    yield "missing script without method", [("SCRIPT_FILENAME", f"{site}/none.php")], {}
    yield "two scripts", [("SCRIPT_FILENAME", f"{site}/none.php"), *usual], {}
    yield "two scripts, the other way", [*usual, ("SCRIPT_FILENAME", f"{site}/none.php")], {}
    yield "two methods", [get, ("REQUEST_METHOD", "POST"), script], {}
    yield "two headers", [*usual, ("HTTP_X", "1"), ("HTTP_Y", "2"), ("HTTP_X", "3")], {}
    yield "empty name", [*usual, ("", "value"), ("A", "")], {}
    yield "odd names", [
        *usual,
        ("A B.C", "1"),
        ("arr[x]", "2"),
        ("arr[y][]", "3"),
        ("a=b", "4"),
        (" lead", "5"),
        ("[x", "6"),
        ("x]", "7"),
        ("a\tb", "8"),
        ("\u00fc", "9"),
        (b"\xff", "10"),
        ("1", "11"),
        ("-", "12"),
    ], {}
    yield "engine's names", [
        *usual,
        ("PHP_SELF", "mine"),
        ("REQUEST_TIME", "0"),
        ("argv", "x"),
        ("argc", "y"),
        ("PHP_AUTH_USER", "u"),
        ("GLOBALS", "g"),
        ("_SERVER", "s"),
        ("this", "t"),
        ("HOME", "/h"),
        ("USER", "me"),
        ("FCGI_ROLE", "NONE"),
    ], {}
    yield "no values", [*usual, *((f"HTTP_{c}", "") for c in "ABC")], {}
    yield "bytes", [
        *usual,
        ("HTTP_BYTES", bytes(range(1, 256))),
        ("QUERY_STRING", bytes(range(1, 256))),
    ], {}
    yield "headers of every case", [
        *usual,
        ("HTTP_X_FOO__BAR", "1"),
        ("HTTP_", "2"),
        ("HTTP", "3"),
        ("HTTP__X", "4"),
        ("http_lower", "5"),
        ("HTTP_Mixed_case", "6"),
        ("HTTP_A-B", "7"),
        ("HTTP_X_FOO-_BAR", "8"),
        ("HTTP_CONTENT_TYPE", "9"),
        ("CONTENT_TYPE", "t"),
        ("CONTENT_LENGTH", "0"),
        ("HTTP_1", "0"),
        ("HTTP_A__", "a"),
    ], {}
    yield "proxies", [
        *usual,
        ("HTTP_PROXY", "http://evil"),
        ("http_proxy", "http://evil"),
        ("HTTP_proxy", "x"),
        ("HTTPS_PROXY", "y"),
    ], {}
    yield "many", [*usual, *((f"HTTP_N{i}", str(i)) for i in range(1000))], {}
    yield "long value", [*usual, ("HTTP_LONG", "v" * 50000)], {}
    yield "long name", [*usual, ("HTTP_" + "N" * 900, "v"), ("X" * 5000, "w")], {}
    yield "long query", [*usual, ("QUERY_STRING", "q=" + "v" * 30000)], {}
    yield "long method", [script, ("REQUEST_METHOD", "M" * 300)], {}
    yield "long everything", [(name, text * 50) for name, text in usual], {}
    for length in (
        "0",
        "-1",
        "abc",
        "7xyz",
        " 5",
        "+5",
        "0x5",
        "5.9",
        "99999999999999999999",
        "5\n",
    ):
        body = b"p=abc" if length.strip(" +\n")[:1] in "5" else b""
        if length not in ("-1", "99999999999999999999"):
            yield f"length {length}", [
                *usual[:1],
                ("REQUEST_METHOD", "POST"),
                ("CONTENT_TYPE", "application/x-www-form-urlencoded"),
                ("CONTENT_LENGTH", length),
            ], {"body": body, "keep": False, "short_body": True}
    for method in (
        "get",
        "Get",
        "GET ",
        "PROPFIND",
        "M-SEARCH",
        "HEAD\n",
        "\u00fc",
        "TRACE",
        "CONNECT",
        "DELETE",
        "PATCH",
    ):
        yield f"method {method}", [script, ("REQUEST_METHOD", method)], {}
    for method in ("POST", "PUT", "PATCH", "DELETE", "GET", "post"):
        yield f"body with {method}", [
            script,
            ("REQUEST_METHOD", method),
            ("CONTENT_TYPE", "application/x-www-form-urlencoded"),
            ("CONTENT_LENGTH", "3"),
        ], {"body": b"p=1"}
        yield f"short body with {method}", [
            script,
            ("REQUEST_METHOD", method),
            ("CONTENT_TYPE", "application/x-www-form-urlencoded"),
            ("CONTENT_LENGTH", "30"),
        ], {"body": b"p=1", "keep": False, "short_body": True}
    for path in ("/dump.php", "/none", "/page.txt", "/b/../dump.php"):
        yield f"body from {path}", [
            script,
            ("REQUEST_METHOD", "PUT"),
            ("REQUEST_BODY_FILE", site + path),
            ("CONTENT_LENGTH", "12"),
        ], {}
    yield "empty body file", [
        script,
        ("REQUEST_METHOD", "PUT"),
        ("REQUEST_BODY_FILE", ""),
        ("CONTENT_LENGTH", "3"),
    ], {"body": b"abc"}
    for role in (1, 2, 3):
        yield f"role {role}", usual, {"role": role}
    for text in (
        "Basic YTpi",
        "bAsIc YTpi",
        "Basic YTpiOmM=",
        "Basic YQ==",
        "Basic",
        "Basic ",
        "Basic !!",
        "Basic  YTpi",
        'Digest a="b", c',
        "digest x",
        "Bearer t",
        "",
        "Negotiate abc",
        "Basic AGE6Yg==",
        "Basic " + "YWFh" * 500,
    ):
        yield f"authorization {text[:20]}", [
            *usual,
            ("HTTP_AUTHORIZATION", text),
            ("AUTH_TYPE", "Basic"),
            ("REMOTE_USER", "r"),
        ], {}
    yield "redirected authorization", [*usual, ("REDIRECT_HTTP_AUTHORIZATION", "Basic YTpi")], {}
    yield "authorization without a script", [get, ("HTTP_AUTHORIZATION", "Basic YTpi")], {}
    for cookie in (
        "a=1",
        "a=1;b=2",
        "a=1; a=2",
        " ; ;=x; y",
        "a[b]=1; a.c=2",
        "a=%00",
        "x=" + "y" * 9000,
        "\u00fc=\u00e9",
        'q="quoted; part"',
        "__Host-a[x]=1",
    ):
        yield f"cookie {cookie[:20]}", [*usual, ("HTTP_COOKIE", cookie)], {}
    for query in (
        "",
        "&",
        "=",
        "a",
        "a=1&a=2",
        "a[]=1&a[x]=2&a[x][y]=3",
        "a=%zz&b=%",
        "a+b=c+d",
        "%61=%00%ff",
        "a=1;b=2",
        "x" * 3000,
        "&".join(f"v{i}" for i in range(1100)),
        "a[" * 70 + "=1",
        "?a=1",
        "a=1#b",
        "\u00fc=\u00e9",
        "argv+x+y",
    ):
        yield f"query {query[:20]}", [*usual, ("QUERY_STRING", query)], {}
    for name in (
        "/dump.php",
        "",
        "dump.php",
        "/other.php",
        "/dump.php/",
        "/\u00fc",
        "/" + "n" * 300,
    ):
        yield f"name {name[:20]}", [script, get, ("SCRIPT_NAME", name), ("PATH_INFO", "/i")], {}
    for root in (
        site,
        site + "/",
        site + "//",
        "",
        "/",
        site[:-1],
        site + "/sub",
        "relative",
        "/none",
    ):
        yield f"root {root.replace(site, 'S')}", [
            ("SCRIPT_FILENAME", f"{site}/dump.php/x"),
            get,
            ("SCRIPT_NAME", "/dump.php/x"),
            ("DOCUMENT_ROOT", root),
        ], {}
    for length in (*range(1880, 1990, 7), 2040, 2047, 2048, 2049, 2060):
        yield f"refused path of {length}", [("SCRIPT_FILENAME", "/" + "p" * (length - 1)), get], {}


def hand_picked(site):
    for number, (what, params, more) in enumerate(picked(site)):
        yield Request(f"picked {number} {what}"[:80], params, **more)


@pytest.fixture(scope="module")
def both(programs):
    identity = Identity.own()
    with twins(programs, identity, POOLS) as daemons:
        yield daemons


def check(both, pool, requests):
    problems = both.ask(pool, list(requests))
    if problems:
        fail("\n".join(problems))


@pytest.mark.parametrize("pool", POOLS)
def test_random_sets(both, pool):
    check(both, pool, rolled(pool, both.site))


@pytest.mark.parametrize("pool", POOLS)
def test_picked(both, pool):
    check(both, pool, hand_picked(both.site))
