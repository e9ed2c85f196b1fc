"""What a script sees: superglobals, body, upload, session, environment."""

import hashlib
import json
import os
import re

import pytest

from harness.fixtures import both_users
from harness.program import muster_only

DUMP = """<?php
header('Content-Type: application/json');
echo json_encode(['get' => $_GET, 'post' => $_POST, 'cookie' => $_COOKIE, 'files' => $_FILES,
    'server' => $_SERVER, 'env' => getenv(), 'input' => file_get_contents('php://input'),
    'sapi' => PHP_SAPI, 'cwd' => getcwd(), 'headers' => getallheaders()]);"""


def dump(arena, daemon, **more):
    return json.loads(daemon.get(arena.script("dump.php", DUMP), **more).text)


@both_users
def test_superglobals(arena, daemon):
    daemon.start()
    more = {"HTTP_COOKIE": "a=1; b=two", "HTTP_X_THING": "thing", "HTTPS": "on"}
    seen = dump(arena, daemon, method="POST", query="q=1&list[]=x", body=b"p=2&p2=%20", more=more)
    assert seen["get"] == {"q": "1", "list": ["x"]}
    assert seen["post"] == {"p": "2", "p2": " "}
    assert seen["cookie"] == {"a": "1", "b": "two"}
    assert seen["input"] == "p=2&p2=%20"
    assert seen["sapi"] == "fpm-fcgi"
    assert seen["cwd"] == arena.site
    server = seen["server"]
    assert server["REQUEST_METHOD"] == "POST"
    assert server["SCRIPT_FILENAME"] == arena.site + "/dump.php"
    assert server["SCRIPT_NAME"] == server["PHP_SELF"] == "/dump.php"
    assert server["REQUEST_URI"] == "/dump.php?q=1&list[]=x"
    assert server["HTTP_X_THING"] == "thing"
    assert server["HTTPS"] == "on"
    assert server["FCGI_ROLE"] == "RESPONDER"
    assert seen["headers"]["X-Thing"] == "thing"
    assert isinstance(server["REQUEST_TIME"], int)


def test_order_of_parameters_is_newest_first(arena, daemon):
    daemon.start()
    names = list(dump(arena, daemon, more={"HTTP_AA": "1", "HTTP_BB": "2"})["server"])
    assert names.index("HTTP_BB") < names.index("HTTP_AA") < names.index("QUERY_STRING")
    assert names.index("FCGI_ROLE") < names.index("PHP_SELF")


def test_path_info(arena, daemon):
    daemon.start()
    arena.script("dump.php", DUMP)
    more = {"SCRIPT_FILENAME": arena.site + "/dump.php", "PATH_INFO": "/extra/path"}
    server = json.loads(daemon.get("/dump.php", more=more).text)["server"]
    assert server["PATH_INFO"] == "/extra/path"
    assert server["PHP_SELF"] == "/dump.php/extra/path"
    more = {"SCRIPT_NAME": "/dump.php/extra", "SCRIPT_FILENAME": arena.site + "/dump.php/extra"}
    server = json.loads(daemon.get("/dump.php/extra", more=more).text)["server"]
    assert server["SCRIPT_FILENAME"] == arena.site + "/dump.php"


def test_basic_authentication(arena, daemon):
    daemon.start()
    more = {"HTTP_AUTHORIZATION": "Basic YW5uOnNlY3JldA=="}
    server = dump(arena, daemon, more=more)["server"]
    assert (server["PHP_AUTH_USER"], server["PHP_AUTH_PW"]) == ("ann", "secret")


def test_proxy_header_never_becomes_a_proxy(arena, daemon):
    daemon.start()
    seen = dump(arena, daemon, more={"HTTP_PROXY": "http://evil/"})
    assert "HTTP_PROXY" not in seen["server"]


@both_users
def test_upload(arena, daemon):
    daemon.start()
    path = arena.script(
        "upload.php",
        """<?php
        $f = $_FILES['file'];
        echo json_encode([$f['name'], $f['type'], $f['size'], $f['error'],
            is_uploaded_file($f['tmp_name']), md5_file($f['tmp_name']), $_POST['field']]);
        """,
    )
    content = os.urandom(100_000)
    boundary = "frontier"
    body = (
        (
            f'--{boundary}\r\nContent-Disposition: form-data; name="field"\r\n\r\nvalue\r\n'
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="a b.bin"\r\n'
            "Content-Type: application/x-thing\r\n\r\n"
        ).encode()
        + content
        + f"\r\n--{boundary}--\r\n".encode()
    )
    more = {"CONTENT_TYPE": f"multipart/form-data; boundary={boundary}"}
    answer = daemon.get(path, method="POST", body=body, more=more)
    digest = hashlib.md5(content).hexdigest()
    assert json.loads(answer.text) == [
        "a b.bin",
        "application/x-thing",
        100_000,
        0,
        True,
        digest,
        "value",
    ]


@both_users
def test_session(arena, daemon):
    sessions = f"{arena.scratch}/sessions"
    os.mkdir(sessions)
    os.chmod(sessions, 0o1777)
    daemon.configure(
        {"www": {"php_value[session.save_path]": sessions, "pm.max_children": "2"}}
    ).start()
    path = arena.script(
        "s.php", "<?php session_start(); echo $_SESSION['n'] = ($_SESSION['n'] ?? 0) + 1;"
    )
    first = daemon.get(path)
    cookie = re.match(r"(PHPSESSID=[^;]+)", first.header("Set-Cookie")).group(1)
    counts = [daemon.get(path, more={"HTTP_COOKIE": cookie}).text for _ in range(4)]
    assert [first.text, *counts] == ["1", "2", "3", "4", "5"]
    assert daemon.get(path).text == "1"


@both_users
def test_environment_is_cleared_and_set(arena, daemon):
    daemon.configure(
        {"www": {"env[PATH]": "/usr/bin:/bin", "env[TOKEN]": "secret", "env[HOME]": "/custom"}}
    )
    daemon.start(env={**os.environ, "FROM_OUTSIDE": "leak"})
    path = arena.script("env.php", "<?php echo shell_exec('/usr/bin/env'); echo getenv('TOKEN');")
    text = daemon.get(path).text
    values = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    assert values["PATH"] == "/usr/bin:/bin"
    assert values["TOKEN"] == "secret" and text.endswith("secret")
    assert values["HOME"] == "/custom"
    assert values["USER"] == daemon.identity.worker_name
    assert "FROM_OUTSIDE" not in values
    assert set(values) <= {"PATH", "TOKEN", "HOME", "USER", "PWD", "_", "SHLVL", "OLDPWD"}


def test_environment_is_kept_when_asked(arena, daemon):
    daemon.configure({"www": {"clear_env": "no"}})
    daemon.start(env={**os.environ, "FROM_OUTSIDE": "welcome"})
    path = arena.script("env.php", "<?php echo getenv('FROM_OUTSIDE');")
    assert daemon.get(path).text == "welcome"


def test_one_request_leaves_nothing_to_the_next(arena, daemon):
    daemon.start()
    dirty = arena.script(
        "dirty.php",
        """<?php
        $GLOBALS['left'] = 1; define('LEFT', 1); class Left {} function left() {}
        putenv('LEFT=1'); $_ENV['LEFT'] = $_SERVER['LEFT'] = 1; ini_set('precision', '3');
        setlocale(LC_ALL, 'C'); chdir('/tmp'); header('X-Left: 1'); http_response_code(418);
        set_error_handler(fn() => true); ob_start(); echo 'buffered'; set_time_limit(5);
        mb_internal_encoding('ISO-8859-1'); date_default_timezone_set('Asia/Tokyo');
        """,
    )
    clean = arena.script(
        "clean.php",
        """<?php
        echo json_encode([isset($GLOBALS['left']), defined('LEFT'), class_exists('Left'),
            function_exists('left'), getenv('LEFT'), isset($_SERVER['LEFT']), ini_get('precision'),
            getcwd() === __DIR__, http_response_code(), ob_get_level() > 1,
            mb_internal_encoding(), date_default_timezone_get(), $_POST,
            isset($_SERVER['HTTP_ONCE']),
            isset($_SERVER['PHP_AUTH_USER'])]);
        """,
    )
    before = daemon.get(clean)
    more = {"HTTP_ONCE": "1", "HTTP_AUTHORIZATION": "Basic YW5uOnNlY3JldA=="}
    assert daemon.get(dirty, method="POST", body=b"a=b", more=more).status == 418
    after = daemon.get(clean)
    assert after.text == before.text
    assert after.header("X-Left") is None


def test_extensions_are_loaded_as_with_php_fpm(arena, daemon):
    daemon.start()
    code = "<?php echo implode(' ', array_map('strtolower', get_loaded_extensions()));"
    loaded = daemon.get(arena.script("ext.php", code)).text.split()
    for name in ("mbstring", "xml", "dom", "simplexml", "sqlite3", "pdo_sqlite", "session"):
        assert name in loaded
    assert "zend opcache" in daemon.get(arena.script("ext.php", code)).text
    assert "cgi-fcgi" in loaded


def test_sqlite_xml_and_mbstring_work(arena, daemon):
    daemon.start()
    code = f"""<?php
        $db = new SQLite3('{arena.scratch}/t.db');
        $db->exec('CREATE TABLE t (x)'); $db->exec("INSERT INTO t VALUES ('grüß')");
        echo mb_strtoupper($db->querySingle('SELECT x FROM t')), ' ';
        echo simplexml_load_string('<a><b>c</b></a>')->b;"""
    assert daemon.get(arena.script("use.php", code)).text == "GRÜSS c"


def test_ini_files_of_the_packaged_php_fpm_are_read(arena, daemon):
    daemon.start()
    code = "<?php echo php_ini_loaded_file(), ' ', php_ini_scanned_files();"
    text = daemon.get(arena.script("ini.php", code)).text
    assert re.match(r"/etc/php/8\.\d/fpm/php\.ini /etc/php/8\.\d/fpm/conf\.d/", text)


@muster_only
def test_functions_that_would_break_a_worker_are_not_there(arena, daemon):
    daemon.start()
    code = "<?php var_export(function_exists('pcntl_fork'));"
    assert daemon.get(arena.script("pcntl.php", code)).text == "false"


@pytest.mark.parametrize("directives", [{}, {"php_admin_value[disable_functions]": "exec,system"}])
def test_functions_and_classes_of_a_big_script_do_not_survive_it(arena, daemon, directives):
    """So many that the engine's tables grow and are packed anew during the request."""
    daemon.configure({"www": directives}).start()
    many = "".join(f"function many{n}() {{}} class Many{n} {{}}\n" for n in range(3000))
    path = arena.script("many.php", f"<?php {many} echo 'ran';")
    count = arena.script(
        "count.php",
        """<?php
        $classes = preg_grep('~^Many~', get_declared_classes());
        echo count(get_defined_functions()['user']), ' ', count($classes);""",
    )
    for _ in range(3):
        answer = daemon.get(path)
        assert (answer.status, answer.text) == (200, "ran"), answer.stderr
        assert daemon.get(count).text == "0 0"
