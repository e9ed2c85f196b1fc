"""Nothing leaks from one request to the next, however the one before it ended."""

import json
import socket

import pytest

from harness import fastcgi
from harness.canary import Canary
from harness.fixtures import as_root, as_user, both_users
from harness.program import muster_only

# Ends of a script, and what it does before: PHP code. Each runs on a worker whose next request
# must find nothing of it.
ENDS = {
    "nothing": "",
    "output": "echo str_repeat('x', 200000);",
    "exit in the middle": "echo 'a'; ob_start(); echo 'b'; exit(3);",
    "exit in a function called by sort": "$a = [3, 1, 2]; usort($a, function () { exit; });",
    "exit in an iterator": "foreach ((function () { yield 1; exit; })() as $x);",
    "uncaught exception": "class Leaked {} function leaked() {} define('LEAKED', 1);"
    "$leaked = 1; throw new RuntimeException('x');",
    "exception in a destructor": "class Leaked { function __destruct() { throw new Error('d'); } }"
    "$leaked = new Leaked;",
    "exception in an error handler": "set_error_handler(function () { throw new Error('h'); });"
    "echo $none;",
    "exception in an exception handler": "set_exception_handler(function () {"
    "throw new Error('again'); }); throw new Error('x');",
    "exception in a shutdown function": "register_shutdown_function(function () {"
    "throw new Error('s'); });",
    "exception in an output callback": "ob_start(function () { throw new Error('o'); }); echo 'x';",
    "exit in an output callback": "ob_start(function ($t) { exit; }); echo 'x';",
    "exit in a shutdown function": "register_shutdown_function(function () { exit(4); });"
    "register_shutdown_function(function () { $GLOBALS['leaked'] = 1; });",
    "output buffer in an output callback": "ob_start(function ($t) { ob_start(); }); echo 'x';",
    "fatal error": "$leaked = 1; eval('function strlen() {}');",
    "compile error": "eval('class Leaked { abstract function f(); }');",
    "parse error": "this is not php",
    "parse error in an include": "ob_start(); include __DIR__ . '/broken.php';",
    "missing require": "ob_start(); require '/none/such';",
    "memory in the script": "$leaked = str_repeat('x', 1 << 26);",
    "memory in a shutdown function": "register_shutdown_function(fn() => str_repeat('x', 1 << 26));",
    "memory in an output callback": "ob_start(fn() => str_repeat('x', 1 << 26)); echo 'x';",
    "memory in a destructor": "class Leaked { function __destruct() { str_repeat('x', 1 << 26); } }"
    "$leaked = new Leaked;",
    "memory in an error handler": "set_error_handler(fn() => str_repeat('x', 1 << 26)); echo $none;",
    "memory in a sort": "$a = range(1, 9); usort($a, function () { str_repeat('x', 1 << 26); });",
    "memory, then a working shutdown function": "ini_set('precision', '5'); chdir('/');"
    "register_shutdown_function(function () { ini_set('memory_limit', -1); chdir('/tmp');"
    "umask(0); ob_start(); }); str_repeat('x', 1 << 26);",
    "deep recursion": "set_time_limit(0); function leaked() { leaked(); } leaked();",
    "time limit": "set_time_limit(1); ob_start(); while (true);",
    "time limit in a shutdown function": "register_shutdown_function(function () {"
    "set_time_limit(1); while (true); });",
    "settings": "foreach (ini_get_all() as $name => $facts)"
    "  if (!preg_match('/^(max_execution|memory_limit|session|zlib)/', $name))"
    "    @ini_set($name, is_numeric($facts['local_value']) ? '1' : '0');"
    "@ini_set('zlib.output_compression', '1'); @ini_set('memory_limit', '-1');"
    "set_time_limit(99); ignore_user_abort(true); error_reporting(0); ini_set('precision', '3');",
    "settings, then a fatal error": "ini_set('precision', '3'); ini_set('memory_limit', '64M');"
    "ini_set('default_charset', 'x'); ini_set('include_path', '/x'); eval('function strlen() {}');",
    "settings undone wrongly": "ini_set('precision', '3'); ini_restore('precision');"
    "ini_set('precision', '4');",
    "environment": "putenv('LEAK=1'); putenv('PATH'); putenv('TZ=Asia/Tokyo'); $_ENV['a'] = 1;"
    "$_SERVER['LEAK'] = 1; putenv('USER=root');",
    "environment, then a fatal error": "putenv('LEAK=1'); putenv('TZ=Asia/Tokyo');"
    "eval('function strlen() {}');",
    "directory": "chdir('/tmp');",
    "directory in a shutdown function": "register_shutdown_function(fn() => chdir('/tmp'));",
    "directory in a destructor": "class Leaked { function __destruct() { chdir('/tmp'); } }"
    "$leaked = new Leaked;",
    "directory that is gone": "$d = $_GET['scratch'] . '/gone'; mkdir($d); chdir($d); rmdir($d);",
    "directory that is gone, in a shutdown function": "register_shutdown_function(function () {"
    "$d = $_GET['scratch'] . '/gone'; mkdir($d); chdir($d); rmdir($d); });",
    "directory, then exit": "chdir('/tmp'); exit;",
    "umask": "umask(0);",
    "umask in a shutdown function": "register_shutdown_function(fn() => umask(0777));",
    "umask, then a fatal error": "umask(0777); eval('function strlen() {}');",
    "umask, then no memory": "umask(0); str_repeat('x', 1 << 26);",
    "locale": "setlocale(LC_ALL, 'C.UTF-8'); setlocale(LC_NUMERIC, ['de_DE.UTF-8', 'C.utf8']);"
    "locale_set_default('de_DE'); bindtextdomain('x', '/tmp'); setlocale(LC_CTYPE, 'C');"
    "mb_internal_encoding('SJIS'); mb_language('ja'); mb_substitute_character(63);"
    "mb_detect_order('ASCII'); mb_regex_encoding('EUC-JP'); mb_http_output('SJIS');"
    "mb_regex_set_options('x'); date_default_timezone_set('Asia/Tokyo'); iconv_strlen('x');",
    "locale in a shutdown function": "register_shutdown_function(fn() =>"
    "setlocale(LC_ALL, 'POSIX', 'C.UTF-8') . setlocale(LC_CTYPE, 'C'));",
    "handlers": "set_error_handler(fn() => true); set_exception_handler(fn() => 1);"
    'spl_autoload_register(function ($c) { eval("class $c {}"); });'
    "register_tick_function(fn() => 1); assert_options(ASSERT_ACTIVE, 0);"
    "libxml_use_internal_errors(true); simplexml_load_string('<a'); gc_disable();"
    "libxml_set_external_entity_loader(fn() => null); header_register_callback(fn() => 1);"
    "spl_autoload_extensions('.x'); class Leaked {} function leaked() {} const LEAKED = 1;",
    "last errors": "json_decode('{'); @preg_match('/(?:\\D+|<\\d+>)*[!?]/', str_repeat('a', 9999));"
    "posix_kill(99999999, 0); @mysqli_connect('127.0.0.1', 'a', 'b', 'c', 1);"
    "@socket_connect(socket_create(AF_INET, SOCK_STREAM, 0), '127.0.0.1', 1); @trigger_error('x');"
    "openssl_pkey_get_private('no key'); @numfmt_create('xx', 99); strtok('a b c', ' ');",
    "output buffers": "for ($i = 0; $i < 9; $i++) { ob_start(fn($t) => $t); echo $i; }",
    "output rewriting": "output_add_rewrite_var('leak', '1'); ob_start('ob_gzhandler');"
    "ini_set('url_rewriter.tags', 'a=href'); ini_set('session.use_trans_sid', '1');",
    "implicit flush": "ob_implicit_flush(true); echo 'x';",
    "streams": "stream_wrapper_unregister('file'); stream_wrapper_unregister('data');"
    "stream_wrapper_register('leak', 'Leaked'); stream_filter_register('leak.*', 'php_user_filter');"
    "stream_context_set_default(['http' => ['user_agent' => 'leak']]); class Leaked {}",
    "streams, then a fatal error": "stream_wrapper_unregister('file'); eval('function strlen() {}');",
    "descriptors": "$GLOBALS['f'] = []; for ($i = 0; $i < 50; $i++) $f[] = fopen('/dev/null', 'r');"
    "$f[] = tmpfile(); $f[] = fopen('php://temp/maxmemory:1', 'w+'); fwrite(end($f), 'text');"
    "$f[] = stream_socket_server('tcp://127.0.0.1:0'); $f[] = opendir('/');"
    "$f[] = stream_socket_pair(1, 1, 0); $f[] = socket_create(2, 1, 0); $f[] = curl_init();",
    "descriptors, then no memory": "$f = [fopen('/dev/null', 'r'), tmpfile(), opendir('/')];"
    "str_repeat('x', 1 << 26);",
    "references in a circle": "$a = new stdClass; $a->a = $a; $a->f = fopen('/dev/null', 'r');"
    "$a->t = tmpfile(); unset($a);",
    "locks": "$f = fopen($_GET['scratch'] . '/lock', 'c'); flock($f, LOCK_EX);"
    "$GLOBALS['keep'] = $f; sem_acquire(sem_get((int) $_GET['key']));",
    "locks, then a fatal error": "$f = fopen($_GET['scratch'] . '/lock', 'c'); flock($f, LOCK_EX);"
    "sem_acquire(sem_get((int) $_GET['key'])); eval('function strlen() {}');",
    "locks, then no memory": "$f = fopen($_GET['scratch'] . '/lock', 'c'); flock($f, LOCK_EX);"
    "sem_acquire(sem_get((int) $_GET['key'])); str_repeat('x', 1 << 26);",
    "session left open": "session_id('leak'); session_name('leak'); session_start();"
    "$_SESSION['a'] = 1; session_set_cookie_params(5); session_cache_limiter('public');",
    "session of another kind": "session_set_save_handler(new class implements"
    " SessionHandlerInterface { function open($a, $b): bool { return true; }"
    "function close(): bool { throw new Error('c'); } function read($a): string { return ''; }"
    "function write($a, $b): bool { exit; } function destroy($a): bool { return true; }"
    "function gc($a): int { return 0; } }); session_start(); $_SESSION['a'] = 1;",
    "session, then no memory": "session_id('leak'); session_start(); str_repeat('x', 1 << 26);",
    "children": "$p = proc_open(['true'], [], $pipes); $q = popen('true', 'r');"
    "while (proc_get_status($p)['running']) { usleep(1000); }"
    "shell_exec('true &'); exec('true'); $GLOBALS['keep'] = [$p, $q];",
    "children, then a fatal error": "$p = proc_open(['true'], [['pipe', 'r']], $pipes);"
    "while (proc_get_status($p)['running']) { usleep(1000); }"
    "eval('function strlen() {}');",
    "children, then no memory": "$p = proc_open(['true'], [['pipe', 'r']], $pipes);"
    "while (proc_get_status($p)['running']) { usleep(1000); }"
    "str_repeat('x', 1 << 26);",
    "random numbers": "mt_srand(42); srand(42); echo lcg_value();",
    "finished, then a fatal error": "echo 'x'; fastcgi_finish_request(); chdir('/'); ob_start();"
    "header('X-Late: 1'); eval('function strlen() {}');",
    "finished, then output": "fastcgi_finish_request(); echo str_repeat('x', 99999); flush();",
    "finished, then no memory": "fastcgi_finish_request(); umask(0); str_repeat('x', 1 << 26);",
    "late headers": "echo str_repeat('x', 70000); flush(); header('X-Late: 1');"
    "http_response_code(500); setcookie('a', 'b');",
    "headers": "header('X-Mine: 1'); header('HTTP/1.1 418 Tea'); setcookie('a', 'b');"
    "http_response_code(503); header_remove('X-Powered-By');",
    "superglobals": "$_GET['leak'] = $_POST['leak'] = $_COOKIE['leak'] = $_REQUEST['leak'] = 1;"
    "$_SERVER = $_FILES = ['leak' => 1]; unset($_GET); $GLOBALS['leaked'] = 1;",
    "fibers": "$f = new Fiber(function () { $x = fopen('/dev/null', 'r'); Fiber::suspend();"
    "}); $f->start(); $g = (function () { try { yield 1; } finally { chdir('/tmp'); } })();"
    "$g->current();",
    "exit in a fiber": "$f = new Fiber(function () { ob_start(); exit; }); $f->start();",
    "no memory in a fiber": "$f = new Fiber(function () { str_repeat('x', 1 << 26); }); $f->start();",
    "closed standard streams": "fclose(fopen('php://stderr', 'w')); fclose(fopen('php://stdin', 'r'));"
    "fclose(fopen('php://output', 'w'));",
    "title": "if (function_exists('cli_set_process_title')) cli_set_process_title('leak');",
    "signals": "foreach (['pcntl_signal', 'pcntl_sigprocmask', 'pcntl_alarm'] as $f)"
    "if (function_exists($f)) exit('a script has it');",
    "priority": "proc_nice(2); posix_setrlimit(POSIX_RLIMIT_NOFILE, 64, 64);",
}
FORM = {"CONTENT_TYPE": "multipart/form-data; boundary=b"}


def part(name, filename=None, content="x" * 5000):
    disposition = f'form-data; name="{name}"' + (f'; filename="{filename}"' if filename else "")
    return f"--b\r\nContent-Disposition: {disposition}\r\n\r\n{content}\r\n"


WHOLE_FORM = (
    part("PHP_SESSION_UPLOAD_PROGRESS", content="p") + part("a") + part("f", "f.txt") + "--b--\r\n"
).encode()


# Requests that are no plain script: parameters, body, and what is sent after it.
REQUESTS = {
    "upload nobody takes": {"path": "read.php", "body": WHOLE_FORM, "more": FORM},
    "upload, then exit": {"path": "exit.php", "body": WHOLE_FORM, "more": FORM},
    "upload, then no memory": {"path": "memory.php", "body": WHOLE_FORM, "more": FORM},
    "upload, then a fatal error": {"path": "fatal.php", "body": WHOLE_FORM, "more": FORM},
    "upload that is too big": {
        "path": "read.php",
        "body": part("f", "f", "x" * 3000000).encode() + b"--b--\r\n",
        "more": FORM,
    },
    "form that is too big": {"path": "read.php", "body": b"a=" + b"x" * 9000000},
    "too many files": {
        "path": "read.php",
        "more": FORM,
        "body": b"".join(part(f"f{i}", "f", "x").encode() for i in range(25)) + b"--b--\r\n",
    },
    "form without an end": {"path": "read.php", "body": WHOLE_FORM[:-9], "more": FORM},
    "form without a boundary": {
        "path": "read.php",
        "body": WHOLE_FORM,
        "more": {"CONTENT_TYPE": "multipart/form-data"},
    },
    "too many variables": {
        "path": "read.php",
        "body": b"&".join(b"a%d=1" % i for i in range(1200)),
    },
    "body nobody reads": {"path": "read.php", "method": "PUT", "body": b"x" * 70000},
    "body half read": {"path": "half.php", "method": "PUT", "body": b"x" * 70000},
    "longer than it says": {
        "path": "half.php",
        "body": b"x" * 70000,
        "more": {"CONTENT_LENGTH": "9"},
    },
    "no length": {"path": "half.php", "body": b"x" * 70000, "more": {"CONTENT_LENGTH": None}},
    "head": {"path": "read.php", "method": "HEAD"},
    "no method": {"path": "read.php", "more": {"REQUEST_METHOD": None}},
    "odd method": {"path": "read.php", "method": "PROPFIND", "body": b"<x/>"},
    "user": {"path": "read.php", "more": {"HTTP_AUTHORIZATION": "Basic dTpw"}},
    "digest": {"path": "read.php", "more": {"HTTP_AUTHORIZATION": "Digest username=u"}},
    "user on the status page": {"path": "/status", "more": {"HTTP_AUTHORIZATION": "Basic dTpw"}},
    "cookies": {"path": "read.php", "more": {"HTTP_COOKIE": "a=1; PHPSESSID=leak"}},
    "variables": {"path": "read.php", "more": {f"HTTP_LEAK_{i}": "x" * 99 for i in range(300)}},
    "missing script": {"path": "none.php", "more": {"HTTP_AUTHORIZATION": "Basic dTpw"}},
    "forbidden script": {"path": "page.html"},
    "other tree": {
        "path": "read.php",
        "more": {"DOCUMENT_ROOT": "/", "HTTPS": "on", "PATH_INFO": "/leak", "SERVER_NAME": "leak"},
    },
    "settings": {
        "path": "read.php",
        "more": {
            "PHP_VALUE": "precision = 3\nmemory_limit = 1G\ninclude_path = /leak\nno.such = 1\n"
            "auto_prepend_file = /none\ndate.timezone = Asia/Tokyo\nsession.name = LEAK\n"
            "opcache.enable = 0\nerror_reporting = 1\nprecision = 4\nmax_execution_time = 77\n"
            "default_charset = x\nmbstring.language = ja\nzlib.output_compression = 1\n[x]\ny[] = 1",
            "PHP_ADMIN_VALUE": "precision = 5\nopen_basedir = /nowhere\nexpose_php = 0\n"
            "upload_tmp_dir = /tmp\nfastcgi.logging = 0\ncgi.fix_pathinfo = 0\ncgi.nph = 1\n"
            "fastcgi.error_header = X-Leak: 1\ndoc_root = /tmp\nzend.enable_gc = 0\nauto_globals_jit = 0",
        },
    },
    "settings that stop in the middle": {
        "path": "read.php",
        "more": {"PHP_VALUE": "precision = 3\n= ( | &", "PHP_ADMIN_VALUE": "precision = 5\nx"},
    },
    "settings of the status page": {
        "path": "/status",
        "more": {"PHP_ADMIN_VALUE": "precision = 3\nexpose_php = 0"},
    },
    "settings, then ini_set": {"path": "set.php", "more": {"PHP_VALUE": "precision = 3"}},
    "settings, then no memory": {
        "path": "memory.php",
        "more": {"PHP_VALUE": "precision = 3\nmemory_limit = 8M"},
    },
    "settings of the directory": {"path": "user/read.php"},
}
SCRIPTS = {
    "read.php": "echo 'read';",
    "exit.php": "ob_start(); exit(9);",
    "memory.php": "str_repeat('x', 1 << 26);",
    "fatal.php": "eval('function strlen() {}');",
    "half.php": "$f = fopen('php://input', 'r'); echo strlen(fread($f, 10));",
    "set.php": "ini_set('precision', '9'); ini_restore('precision'); ini_set('precision', '8');",
    "page.html": "",
    "user/read.php": "echo ini_get('precision');",
}


@pytest.fixture
def canary(arena, daemon):
    directives = {**Canary.directives(arena.scratch), "pm.status_path": "/status"}
    daemon.configure({"www": directives}).start()
    arena.script("ends/broken.php", "<?php not php")
    for name, code in SCRIPTS.items():
        arena.script(name, f"<?php {code}")
    with open(f"{arena.site}/user/.user.ini", "w", encoding="ascii") as file:
        file.write("precision = 3\ndate.timezone = Asia/Tokyo\nmax_input_time = 3\n")
    canary = Canary(daemon)
    canary.remember()
    return canary


def ends(daemon, canary):
    """(what, parameters, body) of everything that may come before a canary."""
    for number, (name, code) in enumerate(ENDS.items()):
        path = daemon.arena.script(f"ends/{number}.php", f"<?php {code}")
        query = f"scratch={canary.scratch}&key={Canary.KEY}&leak=1"
        yield name, daemon.params(path, query=query, more={"HTTP_COOKIE": "leak=1"}), b""
    for name, request in REQUESTS.items():
        path, body = request["path"], request.get("body", b"")
        path = path if path.startswith("/") else f"/{path}"
        method = request.get("method", "POST" if body else "GET")
        yield name, daemon.params(path, method, "leak=1", body, request.get("more")), body


def check(found):
    assert not found, "\n".join(
        f"{name}: {text}" for name, texts in found.items() for text in texts
    )


@muster_only
@as_root
def test_nothing_is_left_for_the_next_request(canary, daemon):
    found = {}
    for name, params, body in ends(daemon, canary):
        with daemon.connect(timeout=20.0) as connection:
            assert connection.ask(params, body).ended, name
        if changes := canary.changes():
            found[name] = changes
            canary.start_anew(canary.pid)
    check(found)


@muster_only
@as_user
def test_nothing_is_left_for_the_next_request_on_a_kept_connection(canary, daemon):
    found = {}
    connection = daemon.connect(timeout=20.0)
    for name, params, body in ends(daemon, canary):
        assert connection.ask(params, body, keep=True).ended, name
        if changes := canary.changes(connection):
            found[name] = changes
            connection.close()
            canary.start_anew(canary.pid)
            connection = daemon.connect(timeout=20.0)
    connection.close()
    check(found)


def cut(daemon, params, body, after, reads=0, abort=False):
    """Sends a request as far as `after` bytes of its body, then leaves."""
    with daemon.connect(timeout=20.0) as connection:
        connection.send(fastcgi.begin() + fastcgi.params_stream(params))
        if after:
            connection.send(fastcgi.record(fastcgi.STDIN, body[:after]))
        if abort:
            connection.send(fastcgi.record(fastcgi.ABORT))
        if after == len(body):
            connection.send(fastcgi.record(fastcgi.STDIN))
        if reads:
            connection.read_exactly(reads)


@muster_only
@both_users
def test_nothing_is_left_of_a_client_that_goes(canary, daemon, arena):
    flood = "set_time_limit(9); {}while (true) {{ echo str_repeat('x', 9999); flush(); }}"
    scripts = {
        "flood": flood.format(""),
        "flood with a shutdown function": flood.format(
            "chdir('/tmp'); umask(0); ini_set('precision', 3); $f = tmpfile();"
            "register_shutdown_function(function () { chdir('/tmp'); putenv('LEAK=1'); });"
        ),
        "flood in an output callback": "ob_start(function ($t) { return $t; }, 4096);"
        "register_shutdown_function(function () { echo str_repeat('y', 99999); });"
        + flood.format(""),
        "flood that is not stopped": "ignore_user_abort(true); for ($i = 0; $i < 99; $i++) {"
        "echo str_repeat('x', 9999); flush(); } umask(0); chdir('/tmp');",
        "flood with a session": "session_id('leak'); session_start(); $_SESSION['a'] = 1;"
        + flood.format(""),
    }
    found = {}

    def note(name):
        if changes := canary.changes():
            found[name] = changes
            canary.start_anew(canary.pid)

    for number, (name, code) in enumerate(scripts.items()):
        path = arena.script(f"floods/{number}.php", f"<?php {code}")
        cut(daemon, daemon.params(path), b"", 0, reads=20000)
        note(name)
        cut(daemon, daemon.params(path), b"", 0, reads=20000, abort=True)
        note(f"{name}, aborted")
    for script in ("read.php", "exit.php", "half.php", "memory.php"):
        params = daemon.params(f"/{script}", "POST", "leak=1", WHOLE_FORM, FORM)
        for after in (0, 100, 3000, len(WHOLE_FORM) - 100, len(WHOLE_FORM)):
            for abort in (False, True):
                cut(daemon, params, WHOLE_FORM, after, abort=abort)
                note(f"{script} after {after} bytes{' and an abort' if abort else ''}")
        put = daemon.params(f"/{script}", "PUT", "leak=1", WHOLE_FORM)
        cut(daemon, put, WHOLE_FORM, 3000)
        note(f"{script} in the midst of a PUT")
    for junk in (
        b"\x02" * 64,
        fastcgi.record(99),
        fastcgi.record(fastcgi.PARAMS, b"x"),
        fastcgi.begin(role=7),
        fastcgi.begin() + b"\x01\x04\x00",
    ):
        with daemon.connect() as connection:
            connection.send(junk)
            connection.half_close()
        note(f"junk {junk[:9]!r}")
    check(found)


@muster_only
def test_a_persistent_connection_is_kept_and_nothing_else(arena, daemon, canary):
    """pfsockopen() keeps its connection for the worker's later requests: that is its purpose."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        code = f"$f = pfsockopen('127.0.0.1', {port}); echo (int) $f, ' ', fwrite($f, 'x');"
        path = arena.script("persistent.php", f"<?php {code}")
        assert [daemon.get(path).text.split()[1] for _ in range(2)] == ["1", "1"]
        peer, _ = server.accept()
        with peer:
            assert peer.recv(2, socket.MSG_WAITALL) == b"xx", "both came by one connection"
        left = [line for line in canary.changes() if not line.startswith("descriptors")]
        assert all("stream" in line for line in left), left


@muster_only
def test_settings_of_a_request_end_with_it(arena, daemon):
    daemon.configure({"www": {"php_value[precision]": "6"}}).start()
    code = "<?php echo json_encode([ini_get('precision'), ini_set('precision', '9'),"
    code += " ini_get_all(null, true)['precision']['access']]);"
    path = arena.script("precision.php", code)
    with daemon.connect() as connection:
        ask = lambda more=None: json.loads(
            connection.ask(daemon.params(path, more=more), keep=True).text
        )
        assert ask() == ["6", "6", 7]
        assert ask({"PHP_VALUE": "precision = 3"}) == ["3", "3", 7]
        assert ask() == ["6", "6", 7]
        assert ask({"PHP_ADMIN_VALUE": "precision = 4"}) == ["4", False, 4]
        both = {"PHP_VALUE": "precision = 3\nprecision = 2", "PHP_ADMIN_VALUE": "precision = 5"}
        assert ask(both) == ["5", False, 4]
        assert ask() == ["6", "6", 7]
