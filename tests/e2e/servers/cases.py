"""Requests through a web server: a case checks what must hold, and returns what must be equal."""

import base64
import hashlib
import json
import random
import re

from harness.background import Load, Task
from harness.waiting import wait_until

CASES = {}


def case(function):
    CASES[function.__name__] = function
    return function


WAIT = 'while (!file_exists("$m.go")) { usleep(2000); clearstatcache(); }'


# --- Finding the script ---------------------------------------------------------------------


@case
def hello(front):
    answer = front.ask(front.script("hello.php", "<?php echo 'hello';"))
    assert (answer.status, answer.body) == (200, b"hello")
    assert answer.header("Content-type") == "text/html; charset=UTF-8"
    return answer.comparable()


@case
def variables_of_a_get(front):
    seen = front.dump("/dump.php?a=1&b[]=%41&c=%20+x")
    assert seen.get == {"a": "1", "b": {"0": "A"}, "c": "  x"}
    assert seen.server["SCRIPT_NAME"] == "/dump.php"
    assert seen.server["SCRIPT_FILENAME"] == f"{front.arena.site}/dump.php"
    assert seen.size == 0
    return seen.comparable()


@case
def path_info(front):
    seen = front.dump("/dump.php/extra/x%20y?a=1")
    assert seen.server["PATH_INFO"] in ("/extra/x y", "/extra/x%20y")
    assert seen.server["SCRIPT_FILENAME"] == f"{front.arena.site}/dump.php"
    assert seen.get == {"a": "1"}
    return seen.comparable()


@case
def script_name_with_blank_and_umlaut(front):
    front.script("a b/grüß.php", "<?php echo basename($_SERVER['SCRIPT_FILENAME']);")
    answer = front.ask("/a%20b/gr%C3%BC%C3%9F.php")
    if front.server.decodes_names:
        assert (answer.status, answer.body) == (200, "grüß.php".encode())
    return answer.comparable()


@case
def index_file(front):
    front.script("inside/index.php", "<?php echo 'index of ', $_SERVER['SCRIPT_NAME'];")
    answer = front.ask("/inside/?a=1")
    assert (answer.status, answer.body) == (200, b"index of /inside/index.php")
    return answer.comparable()


@case
def missing_script(front):
    answer = front.ask("/missing.php")
    assert answer.status == 404
    return answer.comparable()


@case
def text_file_with_php_behind_it_is_not_run(front):
    """/notes.txt/x.php: the file is found, and its name forbids to run it; lighttpd sends it."""
    front.script("notes.txt", "<?php echo 'run';")
    answer = front.ask("/notes.txt/x.php")
    assert answer.body != b"run"
    return answer.comparable()


# --- Methods and bodies ---------------------------------------------------------------------


@case
def head(front):
    code = "<?php header('X-Of: ' . $_SERVER['REQUEST_METHOD']); echo 'body';"
    path = front.script("head.php", code)
    answer = front.ask(path, method="HEAD")
    assert (answer.status, answer.body, answer.header("X-Of")) == (200, b"", "HEAD")
    return answer.comparable()


@case
def other_methods(front):
    results = []
    for method in ("OPTIONS", "DELETE", "PATCH", "PROPFIND"):
        seen = front.dump(method=method)
        assert seen.server["REQUEST_METHOD"] == method
        results.append(seen.comparable())
    return results


@case
def put(front):
    body = b"put this\0\xff" * 100
    seen = front.dump(method="PUT", body=body, headers=[("Content-Type", "application/x-thing")])
    assert (seen.size, seen.md5) == (len(body), hashlib.md5(body).hexdigest())
    assert seen.server["CONTENT_TYPE"] == "application/x-thing"
    return seen.comparable()


FORM = [("Content-Type", "application/x-www-form-urlencoded")]
OCTETS = [("Content-Type", "application/octet-stream")]


@case
def small_form(front):
    seen = front.dump(method="POST", body=b"a=1&b[x]=%C3%A4&c=", headers=FORM)
    assert seen.post == {"a": "1", "b": {"x": "ä"}, "c": ""}
    return seen.comparable()


@case
def empty_post(front):
    seen = front.dump(method="POST", body=b"", headers=FORM)
    assert seen.post == {} and seen.size == 0
    return seen.comparable()


@case
def three_megabytes(front):
    body = random.Random(1).randbytes(3_000_000)
    seen = front.dump(method="POST", body=body, headers=OCTETS)
    assert (seen.size, seen.md5) == (len(body), hashlib.md5(body).hexdigest())
    return seen.comparable()


@case
def chunked_upload(front):
    """Some servers pass it on without a length, which php-fpm takes for none, or waits for ever."""
    if front.is_oracle and not front.server.measures_chunks:
        return None
    body = random.Random(2).randbytes(front.server.largest_chunked)
    seen = front.dump(method="POST", body=body, headers=OCTETS, chunked=True)
    assert (seen.size, seen.md5) == (len(body), hashlib.md5(body).hexdigest())
    return seen.comparable() if front.server.measures_chunks else None


@case
def multipart_upload(front):
    content = random.Random(3).randbytes(200_000)
    parts = b""
    for name, more, data in (
        ("title", "", b"T\xc3\xa4"),
        ("file", '; filename="a b.bin"\r\nContent-Type: x/y', content),
    ):
        parts += f'--XX\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode()
        parts += data + b"\r\n"
    kind = [("Content-Type", "multipart/form-data; boundary=XX")]
    seen = front.dump(method="POST", body=parts + b"--XX--\r\n", headers=kind)
    digest = hashlib.md5(content).hexdigest()
    assert seen.post == {"title": "Tä"}
    assert list(seen.files["file"].values()) == ["a b.bin", "x/y", len(content), 0, digest]
    return seen.comparable()


@case
def body_that_nobody_reads(front):
    path = front.script("ignore.php", "<?php echo 'ignored'; exit(1);")
    answers = []
    for size in (100, 1_500_000):
        answer = front.ask(path, method="POST", body=b"i" * size, headers=OCTETS)
        assert (answer.status, answer.body) == (200, b"ignored")
        answers.append(answer.comparable())
    return answers


@case
def answer_before_the_upload_is_read(front):
    """The answer is complete while the body is still on its way, or was read in part. php-fpm
    closes such a connection under what is still sent, or under the next request."""
    if front.is_oracle:
        return
    early = front.script("early.php", "<?php echo 'early'; fastcgi_finish_request();")
    code = "<?php echo strlen(fread(fopen('php://input', 'r'), 1000)), 'read'; exit;"
    part = front.script("part.php", code)
    for path, expected in ((early, b"early"), (part, b"1000read")):
        for _ in range(2):
            answer = front.ask(path, method="PUT", body=b"u" * 2_000_000, headers=OCTETS)
            assert (answer.status, answer.body) == (200, expected)


@case
def form_over_post_max_size(front):
    body = b"a=" + b"x" * 4_500_000
    seen = front.dump(method="POST", body=body, headers=FORM)
    assert seen.post == {}
    return seen.comparable()


# --- Headers --------------------------------------------------------------------------------


@case
def redirects(front):
    code = (
        "<?php header('Location: http://elsewhere.test/x?y=1', true, (int) $_GET['code']); echo 1;"
    )
    path = front.script("redirect.php", code)
    answers = []
    for code in (301, 302, 303, 307, 308):
        answer = front.ask(f"{path}?code={code}")
        assert answer.status == (code if front.server.keeps_redirects else 302)
        assert answer.header("Location") == "http://elsewhere.test/x?y=1"
        answers.append(answer.comparable())
    return answers


@case
def statuses(front):
    path = front.script(
        "status.php",
        "<?php http_response_code((int) $_GET['code']); header('X-Is: ' . $_GET['code']);"
        "if (!in_array($_GET['code'], ['204', '304'])) { echo 'body of ', $_GET['code']; }",
    )
    answers = []
    for code in (201, 204, 304, 400, 401, 403, 404, 410, 418, 500, 503):
        answer = front.ask(f"{path}?code={code}")
        assert answer.status == code and answer.header("X-Is") == str(code)
        assert answer.body == (b"" if code in (204, 304) else f"body of {code}".encode())
        answers.append(answer.comparable())
    return answers


@case
def status_header_by_hand(front):
    path = front.script("byhand.php", "<?php header('Status: 403 Not Yours'); echo 'no';")
    answer = front.ask(path)
    assert answer.status == 403
    return answer.comparable()


@case
def many_request_headers(front):
    headers = [(f"X-Number-{n}", f"value {n}") for n in range(60)]
    headers += [("X-Long", "l" * 3000), ("Cookie", "a=1; b=%20two"), ("X-Empty", "")]
    seen = front.dump(headers=headers)
    assert seen.server["HTTP_X_NUMBER_59"] == "value 59"
    assert seen.server["HTTP_X_LONG"] == "l" * 3000
    return seen.comparable()


@case
def many_answer_headers(front):
    code = (
        '<?php for ($n = 0; $n < 50; $n++) { header("X-Number-$n: v$n"); }'
        "header('X-Long: ' . str_repeat('l', 1500)); header('Content-Type: text/plain');"
        "header('Cache-Control: no-store'); header_remove('X-Powered-By'); echo 'many';"
    )
    answer = front.ask(front.script("headers.php", code))
    assert answer.header("X-Number-49") == "v49" and len(answer.header("X-Long")) == 1500
    assert not answer.values("X-Powered-By")
    return answer.comparable()


@case
def two_cookies(front):
    code = "<?php setcookie('a', '1'); setcookie('b', 'ü', 0, '/', '', true, true); echo 'c';"
    answer = front.ask(front.script("cookies.php", code))
    assert [value[:2] for value in answer.values("Set-Cookie")] == ["a=", "b="]
    return answer.comparable()


@case
def basic_auth(front):
    word = base64.b64encode(b"ann:se:cret").decode()
    seen = front.dump(headers=[("Authorization", f"Basic {word}")])
    assert seen.server["PHP_AUTH_USER"] == "ann" and seen.server["PHP_AUTH_PW"] == "se:cret"
    refused = front.ask(
        front.script("401.php", "<?php header('WWW-Authenticate: Basic realm=\"r\"'); echo 'who';")
    )
    assert refused.status == 401
    return [seen.comparable(), refused.comparable()]


@case
def forwarded_headers(front):
    seen = front.dump(
        headers=[
            ("X-Forwarded-For", "192.0.2.7, 10.0.0.1"),
            ("X-Forwarded-Proto", "https"),
            ("X-Forwarded-Host", "public.test"),
            ("Forwarded", "for=192.0.2.7;proto=https"),
        ]
    )
    assert seen.server["REMOTE_ADDR"] == "127.0.0.1"
    return seen.comparable()


@case
def proxy_header(front):
    seen = front.dump(headers=[("Proxy", "http://evil.test:1/")])
    assert "HTTP_PROXY" not in seen.server and seen.proxy is False
    return seen.comparable()


# --- Answers --------------------------------------------------------------------------------


@case
def two_megabytes(front):
    code = (
        "<?php mt_srand(7);"
        "for ($i = 0; $i < 2000; $i++) { echo str_repeat(chr(mt_rand(0, 255)), 1000); }"
    )
    answer = front.ask(front.script("big.php", code))
    assert answer.status == 200 and len(answer.body) == 2_000_000
    one = front.ask(front.script("bigone.php", "<?php echo str_repeat('0123456789', 200000);"))
    assert hashlib.md5(one.body).digest() == hashlib.md5(b"0123456789" * 200_000).digest()
    return [answer.comparable(), one.comparable()]


@case
def flushed_parts_arrive_while_the_script_runs(front):
    mark = front.mark()
    code = (
        "<?php $m = $_GET['m']; header('X-Accel-Buffering: no');"
        "echo 'first'; if (ob_get_level()) { ob_flush(); } flush();" + WAIT + "echo 'second';"
    )
    path = front.script("stream.php", code)
    with front.client() as client:
        answer = client.begin(f"{path}?m={mark}")
        assert answer.read(5) == b"first"
        front.make(f"{mark}.go")
        assert answer.read() == b"second"


@case
def finished_request_goes_on(front):
    mark = front.mark()
    code = (
        "<?php $m = $_GET['m']; echo 'answer'; $first = fastcgi_finish_request();"
        + WAIT
        + "echo 'never seen';"
        'file_put_contents("$m.new", json_encode([$first, connection_status()]));'
        'rename("$m.new", "$m.done");'
    )
    path = front.script("finish.php", code)
    answer = front.ask(f"{path}?m={mark}")
    assert (answer.status, answer.body) == (200, b"answer")
    front.make(f"{mark}.go")
    front.wait_for_file(f"{mark}.done")
    with open(f"{mark}.done", encoding="ascii") as file:
        assert json.load(file) == [True, 0]
    return answer.comparable()


@case
def client_that_leaves(front):
    """The script learns of it or writes to its end, and the pool serves on."""
    mark = front.mark()
    code = (
        "<?php $m = $_GET['m']; header('X-Accel-Buffering: no'); ob_implicit_flush();"
        'register_shutdown_function(fn() => touch("$m.done"));'
        "for ($i = 0; $i < 300; $i++) { echo str_repeat('x', 100000); flush(); }"
    )
    path = front.script("leave.php", code)
    front.server.leave_within_answer(f"{path}?m={mark}")
    front.wait_for_file(f"{mark}.done")
    return hello(front)


@case
def errors_reach_the_web_server(front):
    code = (
        "<?php error_log('told ' . $_GET['m']); ini_set('display_errors', '0');"
        "trigger_error('raised ' . $_GET['m'], E_USER_WARNING); echo 'still';"
    )
    path = front.script("errors.php", code)
    name = front.mark().rpartition("/")[2]
    answer = front.ask(f"{path}?m={name}")
    assert (answer.status, answer.body) == (200, b"still")

    def lines():
        text = front.server.messages()
        return [
            bool(re.search(f"PHP message: {what}", text))
            for what in (f"told {name}", f"PHP Warning:  raised {name}")
        ]

    if front.server.logs_errors:
        wait_until(lambda: all(lines()), front.server.messages, 10)
    return answer.comparable()


@case
def fatal_error(front):
    code = "<?php ini_set('display_errors', '0'); echo 'a'; ob_clean(); nothing_of_this_name();"
    answer = front.ask(front.script("fatal.php", code))
    assert (answer.status, answer.body) == (500, b"")
    return answer.comparable()


@case
def ping_and_status(front):
    ping = front.ask("/ping")
    assert (ping.status, ping.body) == (200, b"pong")
    status = front.ask("/status?json")
    assert status.status == 200
    fields = json.loads(status.text)
    assert fields["pool"] == front.server.listens_on
    known = set(fields) - {"memory peak"}  # php-fpm 8.4's
    return [ping.comparable(), status.comparable()[:3], known]


# --- Many -----------------------------------------------------------------------------------


@case
def hundred_requests_of_one_client(front):
    code = "<?php echo $_GET['n'], strlen(file_get_contents('php://input'));"
    path = front.script("one.php", code)
    with front.client() as client:
        for n in range(100):
            if n % 3:
                answer = client.ask(f"{path}?n={n}.")
            else:
                answer = client.ask(f"{path}?n={n}.", method="POST", body=b"x" * n, headers=OCTETS)
            assert (answer.status, answer.text) == (200, f"{n}.{0 if n % 3 else n}")


@case
def answers_of_every_kind_on_one_connection(front):
    code = (
        "<?php http_response_code((int) $_GET['code']);"
        "if ($_GET['code'] > 199 && $_GET['code'] != 204 && $_GET['code'] != 304) { echo 'body'; }"
    )
    path = front.script("kinds.php", code)
    answers = []
    with front.client() as client:
        for code in (200, 204, 200, 304, 404, 200, 500, 200):
            for method in ("GET", "HEAD"):
                answer = client.ask(f"{path}?code={code}", method=method)
                empty = method == "HEAD" or code in (204, 304)
                assert (answer.status, answer.body) == (code, b"" if empty else b"body")
                answers.append(answer.comparable())
    return answers


@case
def sixteen_at_once(front):
    path = front.script("slow.php", "<?php usleep(20000); echo 'n', $_GET['n'];")
    tasks = [Task(front.ask, f"{path}?n={n}") for n in range(16)]
    for n, task in enumerate(tasks):
        answer = task.result()
        assert (answer.status, answer.text) == (200, f"n{n}")


@case
def reload_under_load(front):
    """php-fpm loses requests here, so only muster is asked."""
    if front.is_oracle:
        return
    path = front.script("quick.php", "<?php usleep(1000); echo 'quick';")

    def ask():
        answer = front.ask(path)
        return None if (answer.status, answer.body) == (200, b"quick") else repr(answer)

    with Load(ask, clients=4) as load:
        for _ in range(2):
            front.daemon.reload()
            load.wait_for_more(20)
    load.assert_no_failures()
