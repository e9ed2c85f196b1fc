"""What scripts do with headers, output, bodies and the functions of the SAPI: the same bytes, in the same order."""

import difflib
import re
import zlib

import pytest

from compare import served
from compare.fixtures import fail
from harness import fastcgi as f
from harness.program import Identity

POOLS = {
    "www": {},
    "nph": {"php_admin_flag[cgi.nph]": "on"},
    "rfc": {"php_admin_flag[cgi.rfc2616_headers]": "on"},
    "buffered": {"php_admin_value[output_buffering]": "4096"},
    "implicit": {"php_admin_flag[implicit_flush]": "on"},
    "unread": {"php_admin_flag[enable_post_data_reading]": "off"},
    "zlib": {"php_admin_flag[zlib.output_compression]": "on"},
    "handled": {
        "php_admin_value[output_handler]": "ob_gzhandler",
        "php_admin_flag[session.auto_start]": "on",
        "php_admin_value[session.save_path]": "{dir}/../scratch",
        "php_admin_value[session.gc_probability]": "0",  # it says so now and then
    },
    "quiet": {"php_admin_flag[expose_php]": "off", "php_admin_flag[display_errors]": "off"},
}


@pytest.fixture(scope="module")
def both(programs):
    identity = Identity.own()
    with served.serving(programs, identity, POOLS) as daemons:
        yield daemons


def shown(daemon, answer, closed):
    """Everything that reached the peer: neighbouring records of a kind are one."""
    lines, kind = [], None
    for one in answer.records:
        if one.kind == f.END:
            lines.append(f"END {answer.app_status} {answer.protocol_status}")
        elif one.content and one.kind == kind:
            lines[-1] += one.content.decode("latin-1")
        elif one.content:
            lines.append(f"{one.kind}: " + one.content.decode("latin-1"))
        kind = one.kind
    text = "\n".join(lines).replace(daemon.arena.dir, "{arena}").replace(daemon.dir, "{dir}")
    return text.split("\n") + [f"closed: {closed}"]


def unpacked(daemon, answer, closed):
    """The same for an answer that may be compressed: paths in it have other lengths."""
    head, _, body = answer.stdout.partition(b"\r\n\r\n")
    plain, magic, packed = body.partition(b"\x1f\x8b")
    if magic:
        body = plain + zlib.decompressobj(31).decompress(magic + packed)
    answer.records = [f.Record(f.STDOUT, 1, head + b"\r\n\r\n" + body, 0), f.Record(f.STDERR, 1, answer.stderr, 0)]
    return shown(daemon, answer, closed) + [f"ended {answer.ended}"]


def ask(daemon, name, code, pool="www", method="GET", body=b"", keep=False, more=None, query="", show=shown):
    path = daemon.arena.script(name, code)
    with daemon.connect(pool) as connection:
        answer = connection.ask(daemon.params(path, method, query, body, more), body, keep=keep)
        closed = None if keep else connection.is_closed_by_server()
    return show(daemon, answer, closed)


def check(both, name, code, **request):
    theirs, ours = (ask(daemon, name, code, **request) for daemon in both)
    assert theirs[-2].startswith("END") or theirs[-1] == "ended True", theirs
    if theirs != ours:
        fail("\n".join(difflib.unified_diff(theirs, ours, "php-fpm", "muster", "", "", 9, "")))


def cases(table):
    return pytest.mark.parametrize("code", [pytest.param(code, id=name) for name, code in table.items()])


def file_name(request):
    return re.sub(r"\W", "-", request.node.name) + ".php"


HEADERS = {
    "none": "",
    "code": "http_response_code(404);",
    "code-unknown": "http_response_code(299);",
    "code-600": "http_response_code(600);",
    "code-twice": "http_response_code(500); http_response_code(204);",
    "code-read": "var_dump(http_response_code()); http_response_code(201); var_dump(http_response_code());",
    "line": "header('HTTP/1.1 418 Tea');",
    "line-2": "header('HTTP/2 418 Tea');",
    "line-200": "header('HTTP/1.1 200 Fine');",
    "line-no-reason": "header('HTTP/1.1 404');",
    "line-lower": "header('http/1.1 404 lower');",
    "line-odd": "header('HTTP/1.1 4x4 Odd');",
    "line-short": "header('HTTP 404 Short');",
    "line-long": "header('HTTP/1.1 404 ' . str_repeat('x', 3000));",
    "line-then-code": "header('HTTP/1.1 418 Tea'); http_response_code(404);",
    "code-then-line": "http_response_code(404); header('HTTP/1.1 418 Tea');",
    "status": "header('Status: 403 Mine');",
    "status-lower": "header('status: 403 mine');",
    "status-and-code": "header('Status: 403 Mine'); http_response_code(404);",
    "status-and-line": "header('Status: 403 Mine'); header('HTTP/1.1 405 L');",
    "status-twice": "header('Status: 403 A', false); header('Status: 404 B', false);",
    "status-304": "header('Status: 304 Not Modified'); header('Content-Type: text/x');",
    "204": "http_response_code(204);",
    "204-type": "http_response_code(204); header('Content-Type: text/x'); echo 'body';",
    "304": "http_response_code(304); echo 'body';",
    "304-type": "http_response_code(304); header('Content-Type: text/x'); header('ETag: \"a\"');",
    "304-line": "header('HTTP/1.1 304 Not Modified'); header('Content-Type: text/x');",
    "304-twice": "http_response_code(304); header('Content-Type: a/b', false); header('content-type: c/d', false);",
    "100": "http_response_code(100); echo 'x';",
    "103": "http_response_code(103); header('Link: </a.css>; rel=preload'); echo 'x';",
    "location": "header('Location: /there');",
    "location-201": "http_response_code(201); header('Location: /there');",
    "location-307": "header('Location: /there', true, 307);",
    "location-post": "header('Location: /there'); header('Status: 303 See Other');",
    "authenticate": "header('WWW-Authenticate: Basic realm=\"x\"');",
    "authenticate-code": "header('WWW-Authenticate: Basic', true, 403);",
    "replace": "header('X-A: 1'); header('X-A: 2'); header('x-a: 3', false);",
    "remove": "header('X-A: 1'); header('X-B: 2'); header_remove('x-a');",
    "remove-powered": "header_remove('X-Powered-By');",
    "remove-all": "header('X-A: 1'); header_remove();",
    "remove-missing": "header_remove('X-None');",
    "remove-type": "header('Content-Type: a/b'); header_remove('Content-Type');",
    "empty": "header(''); header('   '); header('X-Empty:'); header(':'); header('novalue');",
    "newline": "header(\"X-A: 1\\r\\nX-B: 2\"); echo 'on';",
    "newline-2": "header(\"X-A: 1\\n X-B: 2\"); echo 'on';",
    "nul": "header(\"X-A: 1\\0X-B: 2\"); echo 'on';",
    "trailing": "header(\"X-A: 1 \\t \\r\\n\"); header('X-B: 2   ');",
    "binary": "header(\"X-A: \\xff\\x01\\x7f\");",
    "type": "header('Content-Type: text/plain');",
    "type-image": "header('Content-Type: image/png');",
    "type-charset": "header('Content-Type: text/plain; charset=latin1');",
    "type-empty": "header('Content-Type:');",
    "type-json": "header('content-type: application/json'); echo '{}';",
    "type-default": "ini_set('default_mimetype', ''); echo 'x';",
    "charset-default": "ini_set('default_charset', ''); echo 'x';",
    "length": "header('Content-Length: 5'); echo 'hello';",
    "length-wrong": "header('Content-Length: 3'); echo 'hello';",
    "length-range": "header('Content-Range: bytes 0-1/5'); http_response_code(206); echo 'he';",
    "cookies": "for ($i = 0; $i < 600; ++$i) setcookie(\"c$i\", str_repeat('v', $i));",
    "cookie-forms": "setcookie('a', 'b c', 0, '/p', 'd.e', true, true); setrawcookie('r', 'raw'); setcookie('gone', '');"
    " setcookie('s', 'x', ['samesite' => 'Lax']);",
    "cookie-expired": "setcookie('a', 'b', 1);",
    "huge": "header('X-Big: ' . str_repeat('b', 70000)); header('X-More: ' . str_repeat('m', 200000)); echo 'end';",
    "many": "for ($i = 0; $i < 3000; ++$i) header(\"X-$i: $i\"); echo count(headers_list());",
    "list": "header('X-A: 1'); var_dump(headers_list());",
    "sent": "var_dump(headers_sent()); echo 'x'; flush(); var_dump(headers_sent($file, $line)); var_dump(basename($file), $line);",
    "late": "echo 'x'; flush(); header('X-Late: 1'); http_response_code(500); var_dump(http_response_code());",
    "late-remove": "echo 'x'; flush(); header_remove('X-Powered-By'); setcookie('a', 'b');",
    "callback": "header_register_callback(function () { header_remove('X-Powered-By'); header('X-Called: 1'); }); echo 'x';",
    "callback-twice": "header_register_callback(fn() => header('X-One: 1')); header_register_callback(fn() => header('X-Two: 2'));",
    "callback-output": "header_register_callback(function () { echo 'from callback'; }); echo 'x';",
    "callback-exception": "header_register_callback(function () { throw new Exception('in callback'); }); echo 'x';",
    "callback-flush": "header_register_callback(function () { header('X-C: 1'); }); echo 'x'; flush(); echo 'y';",
    "callback-exit": "header_register_callback(function () { exit('gone'); }); echo 'x';",
    "shutdown-header": "register_shutdown_function(function () { header('X-Shut: 1'); http_response_code(202); });",
    "ob-header": "ob_start(function ($b) { header('X-Ob: 1'); return strtoupper($b); }); echo 'low';",
    "exit-code": "header('X-A: 1'); exit(3);",
    "exit-255": "exit(255);",
    "fatal": "header('X-A: 1'); nofunction();",
    "fatal-after": "echo 'x'; flush(); nofunction();",
    "fatal-quiet": "ini_set('display_errors', '0'); nofunction();",
    "fatal-quiet-code": "ini_set('display_errors', '0'); http_response_code(404); nofunction();",
    "exception": "throw new RuntimeException('thrown');",
    "parse": "this is not php",
    "trigger": "trigger_error('mine', E_USER_ERROR); echo 'not reached';",
    "warning": "echo $undefined; header('X-After: 1');",
    "compress": "ini_set('zlib.output_compression', '1'); echo str_repeat('abc', 500);",
    "ob-gzhandler": "ob_start('ob_gzhandler'); echo str_repeat('abc', 500);",
    "nocache": "session_cache_limiter('nocache'); header('Expires: never'); header('Pragma: x');",
}  # fmt: skip


@cases(HEADERS)
@pytest.mark.parametrize("pool", [name for name in POOLS if name != "handled"])
def test_headers(both, request, code, pool):
    name = file_name(request)
    for method in ("GET", "HEAD"):
        check(both, name, "<?php " + code, pool=pool, method=method)
    check(both, name, "<?php " + code, pool=pool, keep=True)


OUTPUT = {
    "empty": "",
    "one": "echo 1;",
    "flush-first": "flush(); header('X-Later: 1'); echo 'x';",
    "flush-first-twice": "flush(); flush(); error_log('between'); flush(); echo 'x';",
    "flush-error": "echo 'a'; flush(); error_log('one'); flush(); echo 'b';",
    "error-flush": "error_log('one'); echo 'a'; flush(); error_log('two'); error_log('three'); echo 'b';",
    "no-flush-error": "echo 'a'; error_log('one'); echo 'b'; error_log('two');",
    "ob-flush": "ob_start(); echo 'a'; ob_flush(); error_log('one'); echo 'b'; ob_end_flush(); error_log('two');",
    "ob-levels": "ob_start(); echo 'a'; ob_start(fn($b) => \"[$b]\"); echo 'b'; ob_end_flush(); echo ob_get_level(); ob_end_clean(); echo 'c';",
    "ob-open": "ob_start(fn($b) => strrev($b)); echo 'left open';",
    "ob-implicit": "ob_implicit_flush(); echo 'a'; error_log('one'); echo 'b';",
    "ob-status": "ob_start(); echo 'x'; $s = ob_get_status(); ob_end_clean(); var_dump($s);",
    "ob-callback-error": "ob_start(function ($b) { throw new Exception('cb'); }); echo 'a';",
    "chunk": "ob_start(null, 10); for ($i = 0; $i < 10; ++$i) { echo 'abcdef'; error_log(\"$i\"); }",
    "8183": "echo str_repeat('a', 8183);",
    "big": "echo str_repeat('0123456789', 50000); error_log('after');",
    "many": "for ($i = 0; $i < 20000; ++$i) echo $i;",
    "big-flush": "for ($i = 0; $i < 20; ++$i) { echo str_repeat(chr(65 + $i), 9000); flush(); }",
    "printf": "printf('%05d', 3); print 'p'; echo 1, 2; ?>inline<?php readfile(__FILE__);",
    "output-stream": "fwrite(fopen('php://output', 'w'), 'stream'); file_put_contents('php://output', 'more');",
    "passthru": "passthru('echo from a command'); system('echo system');",
    "shutdown": "register_shutdown_function(fn() => print('shutdown')); echo 'a';",
    "shutdown-flush": "register_shutdown_function(function () { echo 'b'; flush(); echo 'c'; error_log('x'); }); echo 'a';",
    "shutdown-exit": "register_shutdown_function(function () { echo 'b'; exit; }); register_shutdown_function(fn() => print('c'));",
    "destructor": "class D { function __destruct() { echo 'destructor'; } } $d = new D; echo 'a';",
    "finish": "echo 'a'; var_dump(fastcgi_finish_request()); echo 'unseen'; error_log('unseen too');",
    "finish-twice": "echo 'a'; fastcgi_finish_request(); $x = fastcgi_finish_request(); file_put_contents(__FILE__ . '.out', var_export($x, true));",
    "finish-first": "fastcgi_finish_request(); header('X-Late: 1'); echo 'a';",
    "finish-code": "http_response_code(404); header('X-A: 1'); fastcgi_finish_request(); http_response_code(500);",
    "finish-buffers": "ob_start(fn($b) => \"[$b]\"); echo 'a'; ob_start(); echo 'b'; fastcgi_finish_request();",
    "finish-shutdown": "register_shutdown_function(fn() => print('late')); echo 'a'; fastcgi_finish_request();",
    "finish-fatal": "echo 'a'; fastcgi_finish_request(); nofunction();",
    "finish-sent": "echo 'a'; fastcgi_finish_request(); file_put_contents(__FILE__ . '.sent', var_export(headers_sent(), true));",
    "finish-in-buffer": "ob_start(function ($b) { return fastcgi_finish_request() ? 'y' : 'n'; }); echo 'a'; ob_end_flush();",
    "finish-in-callback": "header_register_callback(function () { fastcgi_finish_request(); }); echo 'a';",
    "connection": "var_dump(connection_status(), connection_aborted(), ignore_user_abort(), ignore_user_abort(true), ignore_user_abort());",
    "names": "var_dump(php_sapi_name(), PHP_SAPI, function_exists('apache_response_headers'), function_exists('headers_send'),"
    " function_exists('fpm_get_status'), (string) new ReflectionFunction('fpm_get_status'), (string) new ReflectionFunction('getallheaders'),"
    " (string) new ReflectionFunction('apache_request_headers'), (string) new ReflectionFunction('fastcgi_finish_request'),"
    " get_extension_funcs('cgi-fcgi'), (new ReflectionExtension('cgi-fcgi'))->getVersion());",
    "arguments": "try { getallheaders(1); } catch (ArgumentCountError $e) { echo $e->getMessage(); }"
    " try { fastcgi_finish_request(1); } catch (ArgumentCountError $e) { echo $e->getMessage(); }"
    " try { fpm_get_status(1); } catch (ArgumentCountError $e) { echo $e->getMessage(); }",
    "getallheaders": "var_dump(getallheaders(), apache_request_headers());",
    "limit": "set_time_limit(3); echo ini_get('max_execution_time'), ini_get('memory_limit'), ini_get('implicit_flush');",
    "memory": "ini_set('memory_limit', '8M'); echo 'a'; $x = str_repeat('x', 64 << 20);",
    "depth": "register_shutdown_function(fn() => print(http_response_code())); ini_set('memory_limit', '8M'); $x = str_repeat('x', 64 << 20);",
}  # fmt: skip


@cases({**HEADERS, **OUTPUT})
@pytest.mark.parametrize("pool", ["zlib", "handled"])
def test_for_a_peer_that_takes_gzip(both, request, code, pool):
    session = {"HTTP_COOKIE": "PHPSESSID=abc"} if pool == "handled" else {}
    more = {"HTTP_ACCEPT_ENCODING": "gzip", **session}
    check(both, file_name(request), "<?php " + code, pool=pool, more=more, show=unpacked)


@cases(OUTPUT)
@pytest.mark.parametrize("pool", ["www", "buffered", "implicit", "quiet"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_output(both, request, code, pool, method):
    check(both, file_name(request), "<?php " + code, pool=pool, method=method)


@cases(OUTPUT)
def test_output_on_a_kept_connection(both, request, code):
    check(both, file_name(request), "<?php " + code, keep=True)


def test_time_limit(both):
    code = """<?php register_shutdown_function(function () {
        var_dump(connection_status(), connection_aborted(), error_get_last()['type'], http_response_code());
    }); set_time_limit(1); for (;;) {}"""
    check(both, "time.php", code)


def odd_headers():
    names = [
        "HTTP_", "HTTP_A", "HTTP_a", "HTTP_X_Y", "HTTP_x_y", "HTTP_X__Y", "HTTP__X", "HTTP_X_", "HTTP___", "HTTP_123", "HTTP_0",
        "HTTP_X_FOO__BAR", "HTTP_X-Y", "HTTP_X.Y Z", "HTTP_\xc3\x84_\xc3\x84", "http_lower", "Http_Mixed", "XHTTP_A", "HTTPS", "HTTPX",
        "HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH", "HTTP_AUTHORIZATION", "HTTP_PROXY", "HTTP_COOKIE", "HTTP_HOST",
        "HTTP_" + "L" * 200, "HTTP_" + "ONG_" * 600, "REDIRECT_HTTP_X",
    ]  # fmt: skip
    return {name.encode("latin-1"): f"value {number}".encode() for number, name in enumerate(names)}


@pytest.mark.parametrize("type_", [None, "", "text/x"])
def test_getallheaders_of_odd_parameters(both, type_):
    values = {**odd_headers(), b"HTTP_EMPTY": b"", b"HTTP_BYTES": b"\xff\n"}
    code = "<?php foreach (getallheaders() as $name => $value) var_dump($name, $value);"
    more = {**values, "CONTENT_TYPE": type_}
    check(both, "headers.php", code, more=more)
    reverse = dict(reversed(list(more.items())))
    check(both, "headers.php", code, more=reverse, method="POST", body=b"12345")


def test_getallheaders_of_a_name_sent_twice(both):
    def asked(daemon):
        path = daemon.arena.script("twice.php", "<?php var_dump(getallheaders(), $_SERVER['HTTP_A_B'] ?? null);")
        pairs = [*daemon.params(path).items(), ("HTTP_A_B", "1"), ("HTTP_X", "x"), ("HTTP_A_B", "2"), ("HTTP_A-B", "3")]
        stream = f.record(f.PARAMS, b"".join(f.pair(*one) for one in pairs)) + f.record(f.PARAMS)
        with daemon.connect() as connection:
            connection.send(f.begin() + stream + f.record(f.STDIN))
            return shown(daemon, connection.read_response(), None)

    theirs, ours = (asked(daemon) for daemon in both)
    assert theirs == ours
