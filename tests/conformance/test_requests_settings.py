"""What scripts do × settings of PHP and of the pool: output, headers, errors, ends, uploads and input."""

import random

import pytest

from compare.behaviours import BEHAVIOURS, INPUT
from compare.bodies import BODIES
from compare.differences import entries
from compare.exchange import Request, twins
from compare.fixtures import fail
from compare.web_servers import STYLES, Asked
from harness.program import Identity


def admin(**settings):
    return {
        f"php_admin_value[{name.replace('__', '.')}]": f'"{value}"'
        for name, value in settings.items()
    }


assert "finish-body" in entries()
POOLS = {
    "plain": {},
    "nph": admin(cgi__nph="1"),
    "rfc": admin(cgi__rfc2616_headers="1"),
    "nph_rfc": admin(cgi__nph="1", cgi__rfc2616_headers="1"),
    "unsaid": admin(fastcgi__logging="0"),
    "production": admin(display_errors="0", log_errors="1", html_errors="0"),
    "both": admin(display_errors="1", log_errors="1", html_errors="0"),
    "neither": admin(display_errors="0", log_errors="0"),
    "html": admin(html_errors="1", error_prepend_string="[[", error_append_string="]]"),
    "display_stderr": admin(display_errors="stderr", log_errors="1"),
    "file_log": admin(error_log="{dir}/php.log", log_errors="1"),
    "bad_log": admin(error_log="/nowhere/at/all.log", log_errors="1"),
    "error_header": admin(
        fastcgi__error_header="HTTP/1.1 550 PHP Error", display_errors="0", log_errors="1"
    ),
    "error_line": admin(fastcgi__error_header="X-Died: yes"),
    "hidden": admin(expose_php="0"),
    "everything": admin(variables_order="EGPCS", request_order="GPC", register_argc_argv="1"),
    "no_jit": admin(auto_globals_jit="0", variables_order="GPCSE"),
    "few_variables": admin(variables_order="GP"),
    "buffered": admin(output_buffering="4096"),
    "buffered_all": admin(output_buffering="On", implicit_flush="1"),
    "unbuffered": admin(implicit_flush="1", output_buffering="0"),
    "handler": admin(output_handler="strtoupper"),
    "charset": admin(default_charset="iso-8859-15", default_mimetype="text/plain"),
    "no_charset": admin(default_charset=""),
    "zipped": admin(zlib__output_compression="1"),
    "wrapped": admin(auto_prepend_file="{site}/prepend.php", auto_append_file="{site}/append.php"),
    "wrapped_wrong": admin(auto_prepend_file="{site}/none.php"),
    "limits": admin(
        post_max_size="300",
        max_input_vars="3",
        max_input_nesting_level="2",
        upload_max_filesize="50",
        max_file_uploads="1",
    ),
    "no_post": admin(enable_post_data_reading="0"),
    "no_uploads": admin(file_uploads="0"),
    "based": admin(open_basedir="{site}/b/:/tmp"),
    "based_away": admin(open_basedir="/usr"),
    "document_root": admin(doc_root="{site}"),
    "document_root_away": admin(doc_root="/nowhere"),
    "filtered": admin(filter__default="special_chars"),
    "environment": {
        "env[FOO]": "bar",
        "env[HTTP_PROXY]": "http://mine",
        "env[PATH_INFO]": "/from-the-pool",
        "env[HTTP_HOST]": "pool.example",
        "env[REQUEST_METHOD]": "POOL",
        **admin(variables_order="EGPCS"),
    },
    "inherited": {"clear_env": "no"},
    "repeated": {
        "env[FOO]": "first",
        "env[BAR]": "bar",
        "env[foo] = x\nenv[FOO]": "second",
        "php_value[precision]": "5",
        "php_value[user_agent] = first\nphp_value[user_agent]": "second",
        "php_value[precision] = 7\nphp_value[precision]": "99999999999999999999",
        "php_admin_value[disable_functions]": "phpinfo",
        "php_admin_value[from] = a\nphp_admin_value[disable_functions]": "error_log",
    },
    "values": {
        "php_value[precision]": "5",
        "php_flag[display_errors]": "off",
        "php_admin_flag[log_errors]": "on",
        "php_value[memory_limit]": "64M",
        "php_value[not_known]": "1",
        "php_admin_value[not_known_either]": "1",
        "php_admin_value[disable_functions]": "strtoupper,error_log phpinfo",
        "php_admin_value[disable_classes]": "RuntimeException",
    },
    "silent": admin(error_reporting="0"),
    "relaxed": {"security.limit_extensions": ".php .inc .txt php5 ."},
    "argument_free": admin(register_argc_argv="0", arg_separator__input=";&"),
}
WHOLE = ("plain", "ini")  # all there is to ask; elsewhere a part of it
# For behaviours that look at ?n=.
NUMBERS = {
    "code": (100, 103, 199, 200, 204, 206, 299, 301, 302, 304, 400, 401, 404, 418, 426, 429, 451,
             500, 503, 511, 599, 600, 999, 1000, 0, -1, 99999),
    "code_header": (200, 204, 404, 299, 0, -5, 1000),
    "line_long_edge": (1005, 1006, 1007, 1008, 1009, 1010, 1011, 1012, 1013),
    "large": (1, 100, 8000, 8100, 8115, 8116, 8117, 8184, 8192, 16300, 65535, 65536, 200000),
    "log_long": (900, 1000, 1001, 1002, 1003, 1010, 1015, 1023, 1024, 1025, 2000, 2048, 5000, 70000),
    "log_long_lines": (1, 15, 16, 17, 18, 40),
}  # fmt: skip
AUTHORIZATIONS = ("Basic YTpi", "Basic YTo=", "Basic YQ==", "basic  YTpiOmM=", "Basic !!", "Basic",
                  "Digest username=\"a\", realm=\"b\"", "digest x", "Bearer t", "", "NTLM abc",
                  "Basic AGE6Yg==", "Basic w7w6w7Y=")  # fmt: skip
QUERIES = (
    "",
    "a=1",
    "a=x&a=y&b[]=1&b[k]=2",
    "lonely",
    "a+b=c%20d&e.f=g",
    "%00=1&%ff=%fe&=&",
    "d=0",
)
COOKIES = (None, "a=1; b=2", "a=1; a=2; c[x]=3; d=%20; e", "", "=;;", "a=\xff")


def requests_of(pool, site, dice):
    for name in BEHAVIOURS:
        asks = [(f"n={n}", "none") for n in NUMBERS.get(name, ())] or [(None, None)]
        if name in INPUT:
            asks = [(None, kind) for kind in BODIES]
        # Beyond post_max_size: `finish-body`. Where it is not another's: `worker-streams`.
        if (name, pool) == ("finish_unread", "limits") or (
            name == "log_stderr" and pool != "plain"
        ):
            continue
        if pool not in WHOLE:
            asks = dice.sample(asks, min(len(asks), 2)) if dice.random() < 0.6 else []
        for query, kind in asks:
            yield request(pool, site, name, query, kind, dice)


def request(pool, site, name, query, kind, dice):
    """One way to ask for a behaviour; what is not said is rolled."""
    query = dice.choice(QUERIES) if query is None else query
    method = dice.choice(("GET", "GET", "GET", "POST", "HEAD", "PUT"))
    if kind is None:
        kind = dice.choice(("none", "none", "form", "upload", "json"))
    elif kind != "none":
        method = dice.choice(("POST", "POST", "POST", "PUT", "GET"))
    style = dice.choice(("nginx", "nginx_split", "apache_handler", "haproxy", "caddy"))
    headers = [("HTTP_X_CASE_FOLDING__X", "y"), ("HTTP_PROXY", "http://evil")]
    if name == "auth" or dice.random() < 0.1:
        headers.append(("HTTP_AUTHORIZATION", dice.choice(AUTHORIZATIONS)))
    cookie = dice.choice(COOKIES)
    if cookie is not None:
        headers.append(("HTTP_COOKIE", cookie))
    content_type, body = BODIES[kind]
    asked = Asked(site, f"/b/{name}.php".encode(), method, query, body, headers)
    asked.type = content_type
    return Request(
        f"{pool} {name} {method} ?{query} {kind} {style} {cookie}",
        STYLES[style](asked),
        body,
        # `finish-body`
        keep=name != "finish_twice" and (name == "finish_unread" or dice.random() < 0.9),
    )


@pytest.fixture(scope="module")
def both(programs):
    identity = Identity.own()
    with twins(programs, identity, POOLS) as daemons:
        yield daemons


@pytest.mark.parametrize("pool", POOLS)
def test_pool(both, pool):
    requests = list(requests_of(pool, both.site, random.Random(pool)))
    problems = both.ask(pool, requests)
    if problems:
        fail("\n".join(problems))
