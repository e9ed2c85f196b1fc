"""Settings that come with a request or a directory: PHP_VALUE, .user.ini, [HOST=] and [PATH=] sections of php.ini."""

import random

import pytest

from compare.behaviours import BEHAVIOURS
from compare.differences import entries
from compare.exchange import Request, coded, twins
from compare.fixtures import fail
from compare.site import PATHS
from compare.web_servers import Asked, nginx
from harness.program import Identity
from test_requests_settings import requests_of

POOLS = {
    "values": {"pm.max_requests": "2"},
    "strict": {
        "pm.max_requests": "2",
        "php_admin_value[precision]": "4",
        "php_value[user_agent]": "from-the-pool",
        "php_admin_value[display_errors]": "0",
    },
    "user_ini": {},
    "user_ini_again": {"php_value[precision]": "3", "php_admin_value[from]": "admin"},
    "user_ini_uncached": {"php_admin_value[user_ini.cache_ttl]": "0"},
    "user_ini_other": {"php_admin_value[user_ini.filename]": "other.ini"},
    "user_ini_none": {"php_admin_value[user_ini.filename]": '""'},
    "user_ini_given": {"php_admin_value[cgi.fix_pathinfo]": "0"},
}
VALUES = [
    "precision=5", " precision =  6  ", 'precision="7"', "precision='8'", "PRECISION=9", "precision=5\nuser_agent=two",
    "precision=6\r\nuser_agent=three\r\n", "precision=7;user_agent=no", "precision=8 ; comment", "; comment", "# comment\nprecision=3",
    "", "\n\n", " ", "precision", "precision=", "=5", "precision\n", "precision\nuser_agent=after-a-bare-key", "not_known=1",
    "not.known=\nprecision=4", "[section]\nprecision=3", "[precision=3", "precision[]=3\nuser_agent=after-an-array", "precision[a]=3",
    "user_agent=${HOME}", "user_agent=${NOT_THERE}", 'user_agent="${HOME}/x"', "user_agent='${HOME}'", "user_agent=$HOME",
    "user_agent=E_ALL", "error_reporting=E_ALL & ~E_NOTICE", "error_reporting=32767", "user_agent=on", "user_agent=Off",
    "user_agent=yes", "user_agent=none", "user_agent=null", "user_agent=true", "user_agent=a b  c", "user_agent=a=b", "user_agent=1+1",
    "user_agent=1|2", "user_agent=!1", "user_agent=PHP_VERSION", "user_agent=PHP_EOL", 'user_agent="a\\"b"', 'user_agent="a;b"',
    'user_agent="two\nlines"', 'user_agent="open', "user_agent='open", "user_agent=(", "user_agent=ok\nfrom=(\nprecision=2",
    "user_agent=)", "user_agent={}", "user_agent=a~b^c", "user_agent=?", "user_agent=\u00fc\u00e9", b"user_agent=\xff\x01\x7f",
    b"user_agent=before\0behind", "user_agent=" + "l" * 9000, "k" * 3000 + "=1", "precision=abc", "precision=-1", "precision=-5",
    "precision=99999999999999999999", "memory_limit=77M", "memory_limit=1", "memory_limit=-1", "display_errors=0", "display_errors=stderr",
    "display_errors=1", "html_errors=0", "log_errors=1", "log_errors=0", "error_log=/nowhere/x", "error_log=", "default_charset=koi8-r",
    "default_charset=UTF-8", "default_mimetype=a/b", "default_mimetype=text/html", "expose_php=0", "expose_php=1", "cgi.nph=1", "cgi.nph=0",
    "cgi.rfc2616_headers=1", "cgi.rfc2616_headers=0", "fastcgi.logging=0\nnot_known=1", "fastcgi.logging=1\nnot_known=1",
    "cgi.fix_pathinfo=0", "cgi.fix_pathinfo=1", "date.timezone=Europe/Berlin", "date.timezone=Nowhere/Else", "date.timezone=UTC",
    "disable_functions=strrev", "disable_functions=ucfirst,lcfirst nl2br", "disable_functions=", "disable_classes=ArrayIterator",
    "disable_classes=SplStack SplHeap", "auto_prepend_file={site}/prepend.php", "auto_prepend_file=none", "auto_append_file={site}/none.php",
    "auto_append_file=", "output_buffering=10", "output_buffering=0", "implicit_flush=1", "implicit_flush=0", "variables_order=GP",
    "variables_order=EGPCS", "register_argc_argv=0", "post_max_size=2", "post_max_size=8M", "max_input_vars=1", "max_input_vars=1000",
    "session.name=123", "session.name=mine", "zend.assertions=1", "assert.active=0", "include_path=.:/x", "sys_temp_dir=/nowhere",
    "sendmail_path=x", "mail.add_x_header=1", "max_execution_time=7", "arg_separator.output=;", "short_open_tag=1", "precision=1\nprecision=2",
    "extension=", "extension=not_there", "extension=/nowhere/x.so", "extension=calendar", "zend_extension=none", "open_basedir={site}:/tmp",
    "doc_root=/nowhere", "doc_root=", "user_ini.filename=", "user_ini.filename=.user.ini", "precision=14",
]  # fmt: skip
SHOW = """<?php
foreach (['precision', 'user_agent', 'from', 'memory_limit', 'display_errors', 'error_reporting', 'log_errors', 'error_log',
    'default_charset', 'cgi.fix_pathinfo', 'disable_functions', 'disable_classes', 'date.timezone', 'session.name',
    'zend.assertions', 'include_path', 'max_execution_time', 'arg_separator.output', 'open_basedir', 'post_max_size',
    'variables_order', 'auto_prepend_file', 'output_buffering'] as $name) {
    echo "$name=";
    var_dump(ini_get($name));
}
var_dump(ini_set('precision', 12), ini_get('precision'), ini_set('user_agent', 'set'), function_exists('strrev'),
    function_exists('ucfirst'), function_exists('nl2br'), class_exists('ArrayIterator'), function_exists('jdtogregorian'),
    count($_POST), $_SERVER['SCRIPT_NAME'] ?? null, getenv('PHP_VALUE'), $_SERVER['PHP_ADMIN_VALUE'] ?? null);
echo $undefined;
"""
PHP_INI = """
variables_order = GPCS
request_order = GP
output_buffering = 4096
display_errors = Off
log_errors = On
html_errors = On
user_agent = from-the-file
zend.exception_ignore_args = On
opcache.enable = 1
opcache.revalidate_freq = 0
[HOST=www.example.org]
from = host
user_agent = from-the-host
[HOST=upper.example]
from = upper
[PATH={site}/sub]
precision = 3
display_errors = On
[PATH={site}/u/1]
from = path
error_prepend_string = "(("
"""


def show(site, number, name, params, path="/show.php", root=None, keep=False):
    return Request(
        f"{number} {name}"[:90],
        [
            ("SCRIPT_FILENAME", site + path),
            ("REQUEST_METHOD", "GET"),
            ("SCRIPT_NAME", path),
            *([] if root is None else [("DOCUMENT_ROOT", root)]),
            *params,
        ],
        keep=keep,
    )


def values_of(site):
    """Each text as one and as the other. The workers serve one such request: `request-settings`."""
    assert "request-settings" in entries()
    number = 0
    for text in VALUES:
        text = coded(text).replace(b"{site}", site.encode())
        for name in ("PHP_VALUE", "PHP_ADMIN_VALUE"):
            number += 1
            yield show(site, number, f"{name} {ascii(text)}", [(name, text)])
    both = [
        ("PHP_ADMIN_VALUE", "precision=11\nfrom=admin"),
        ("PHP_VALUE", "precision=13\nfrom=user"),
    ]
    yield show(site, "both", "of them", both)
    yield show(site, "both", "the other way", both[::-1])
    yield show(site, "without", "a script", [("PHP_VALUE", "not_known=1")], "/none.php")
    yield show(site, "with", "a refused one", [("PHP_VALUE", "not_known=1")], "/page.txt")
    yield Request("no script at all", [("REQUEST_METHOD", "GET"), ("PHP_VALUE", "not_known=1")])


def directories_of(site):
    assert "user-ini-root" in entries()
    number = 0
    for path in ("/settings.php", "/u/settings.php", "/u/1/settings.php", "/u/1/2/settings.php",
                 "/u/bad/settings.php", "/u/other/settings.php", "/u//1/settings.php",
                 "/u/1/settings.php/info", "/u/1/2/", "/linked/../u/settings.php", "/sub/dump.php"):  # fmt: skip
        for root in (site, site + "/", site + "/u", site + "/u/1/", site + "/u/1/2", site + "/u/1/2/3",
                     site + "/u/o", site + "/sub", site[:-2], "", "/", "relative", None):  # fmt: skip
            number += 1
            folder = f"{site}{path}".rpartition("/")[0] + "/"
            if root is None or not root.rstrip("/").startswith(folder):  # `user-ini-root`
                name = f"{path} below {str(root).replace(site, 'S')}"
                yield show(site, number, name, [], path, root, keep=True)


@pytest.fixture(scope="module")
def both(programs):
    identity = Identity.own()
    with twins(programs, identity, POOLS) as daemons:
        daemons.daemons[0].arena.script("show.php", SHOW)
        yield daemons


@pytest.fixture(scope="module")
def with_php_ini(programs):
    """OPcache and all of the system's extensions, and settings as distributions ship them."""
    identity = Identity.own()
    files = {"php.ini": PHP_INI}
    with twins(
        programs, identity, {"ini": {}}, None, "-c", "{site}/php.ini", files=files
    ) as daemons:
        yield daemons


def check(both, pool, requests):
    problems = both.ask(pool, list(requests))
    if problems:
        fail("\n".join(problems))


@pytest.mark.parametrize("pool", ["values", "strict"])
def test_values(both, pool):
    check(both, pool, values_of(both.site))


@pytest.mark.parametrize("pool", [name for name in POOLS if name.startswith("user_ini")])
def test_directories(both, pool):
    requests = list(directories_of(both.site))
    random.Random(pool).shuffle(requests)  # what is read first stays in the cache
    check(both, pool, requests)


def test_behaviours_under_php_ini(with_php_ini):
    site = with_php_ini.site
    assert len(BEHAVIOURS) > 100
    for turn in ("first", "again"):  # OPcache has the script now
        check(with_php_ini, "ini", requests_of("ini", site, random.Random(turn)))


def test_hosts_and_paths(with_php_ini):
    site = with_php_ini.site
    paths = (
        "/settings.php",
        "/sub/dump.php",
        "/u/1/settings.php",
        "/u/1/2/settings.php",
        "/none.php",
        "/sub/",
    )
    requests = [
        show(site, host, f"on {path}", [("SERVER_NAME", host)], path, site)
        for path in paths
        for host in (
            "www.example.org",
            "WWW.example.ORG",
            "upper.example",
            "other",
            "",
            "www.example.org.",
        )
    ]
    requests += [
        Request(f"path {number}", nginx(Asked(site, coded(path))))
        for number, path in enumerate(PATHS)
    ]
    check(with_php_ini, "ini", requests)
